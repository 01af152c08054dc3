"""Mixtures of templates: as often as their weights say, of the lengths that are allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from inkgan.cli import run
from inkgan.errors import ConfigError
from inkgan.generation.texts import Mixture, read_texts


def mixture(folder: Path, content: str) -> Mixture:
    """Read a mixture."""
    path = folder / "texts.toml"
    path.write_text(content, "utf-8")
    read = read_texts(path)
    assert isinstance(read, Mixture)
    return read


@pytest.mark.slow
def test_a_mixture(tmp_path: Path) -> None:
    """Templates come as often as their weights say, of the lengths that are allowed; files are beside the mixture."""
    (tmp_path / "codes.txt").write_text("1.1\n2.2\n", "utf-8")
    content = """
        lengths = [3, 5]
        [[texts]]
        template = "{digits:1..64}"
        weight = 3
        [[texts]]
        template = "{choice:codes.txt}"
    """
    texts = [mixture(tmp_path, content).text(1, index) for index in range(400)]
    assert {len(text) for text in texts} == {3, 4, 5}
    assert 70 < sum("." in text for text in texts) < 130
    assert mixture(tmp_path, content).text(1, 123) == texts[123]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "texts is missing"),
        ("texts = []", "texts = \\[\\] is not allowed"),
        ('[[texts]]\ntemplat = "1"', "no texts.1.templat. Did you mean 'template'\\?"),
        ('[[texts]]\ntemplate = "1"\nweight = 0', "texts.1.weight = 0 is not allowed"),
        ('[[texts]]\ntemplate = "{x}"', "unknown field {x}"),
        ('lengths = [5, 3]\n[[texts]]\ntemplate = "1"', "runs backwards"),
        ('lengths = [5, 6]\n[[texts]]\ntemplate = "1"', "makes no text of 5 to 6 characters"),
        ('lengths = [5, 65]\n[[texts]]\ntemplate = "1"', "lengths.2 = 65 is not allowed"),
        ('[[texts]]\ntemplate = "{choice:none.txt}"', "cannot read .*none.txt"),
        ("[[texts]", "is not a TOML file in UTF-8"),
    ],
)
def test_mixtures_that_make_no_sense(tmp_path: Path, content: str, said: str) -> None:
    """One line with the file's name."""
    with pytest.raises(ConfigError, match=said) as caught:
        mixture(tmp_path, content)
    assert "texts.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_mixture_has_no_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """How many images there are has to be said."""
    (tmp_path / "a.toml").write_text('[[texts]]\ntemplate = "1"', "utf-8")
    assert run(["write", "--texts", f"{tmp_path}/a.toml", "-o", f"{tmp_path}/a/"]) == 2
    assert "Say how many images with -n" in capsys.readouterr().err
