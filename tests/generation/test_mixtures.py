"""Mixtures of templates: texts have the given weights and lengths."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from inkgan.cli import run
from inkgan.errors import ConfigError
from inkgan.generation.templates import Mixture, read_texts
from refusals import refusal


def mixture(folder: Path, content: str) -> Mixture:
    """Read a mixture."""
    path = folder / "texts.toml"
    path.write_text(content, "utf-8")
    read = read_texts(path)
    assert isinstance(read, Mixture)
    return read


@pytest.mark.slow
def test_a_mixture(tmp_path: Path) -> None:
    """Templates occur as their weights say, with allowed lengths; their files are beside the mixture."""
    (tmp_path / "codes.txt").write_text("1.1\n2.2\n", "utf-8")
    content = """
        lengths = [3, 5]
        [[texts]]
        template = "{digits:1..64}"
        weight = 3
        [[texts]]
        template = "{choice:codes.txt}"
    """
    found = mixture(tmp_path, content)
    texts = [found.text(1, index) for index in range(400)]
    assert {len(text) for text in texts} == {3, 4, 5}
    assert 70 < sum("." in text for text in texts) < 130
    assert mixture(tmp_path, content).text(1, 123) == texts[123]


def test_a_text_that_is_rarely_of_the_right_length_is_found(tmp_path: Path) -> None:
    """One number in 270 has one digit, so that one text in 40 takes more than a thousand attempts."""
    rare = mixture(tmp_path, 'lengths = [1, 1]\n[[texts]]\ntemplate = "{int:0..2699}"')
    assert {len(rare.text(0, index)) for index in range(200)} == {1}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "texts is missing"),
        ("texts = []", r"texts = \[\] is not allowed: write it like \[\[texts\]\] above template = "),
        ('texts = ["1"]', r"texts.1 = '1' is not allowed: write it like \[\[texts\]\] above template = "),
        ('[texts]\ntemplate = "1"', r"texts = {'template': '1'} is not allowed: write it like \[\[texts\]\] above"),
        ('lengths = 4\n[[texts]]\ntemplate = "1"', r"lengths = 4 is not allowed: write it like \[4, 10\]\.$"),
        ('lengths = [4, 5, 6]\n[[texts]]\ntemplate = "1"', r"is not allowed: write it like \[4, 10\]\.$"),
        ('[[texts]]\ntemplat = "1"', "no texts.1.templat. Did you mean 'template'\\? It can have template, weight\\.$"),
        (
            'lenghts = [1, 2]\n[[texts]]\ntemplate = "1"',
            "no lenghts. Did you mean 'lengths'\\? It can have texts, lengths\\.$",
        ),
        ('[[texts]]\ntemplate = "1"\nlengths = [1, 2]', "no texts.1.lengths. It can have template, weight\\.$"),
        ('[[texts]]\ntemplate = "1"\nweight = 0', "texts.1.weight = 0 is not allowed"),
        (
            '[[texts]]\ntemplate = "1"\nweight = inf',
            "texts.1.weight = inf is not allowed: give a finite number",
        ),
        ('[[texts]]\ntemplate = "1"\nweight = true', "texts.1.weight = True is not allowed"),
        ('[[texts]]\ntemplate = "1"\nweight = 1000000001', "texts.1.weight = 1000000001 is not allowed"),
        (
            '[[texts]]\ntemplate = "1"\nweight = "3"',
            "texts.1.weight = '3' is not allowed: give a number, and not a text",
        ),
        ('lengths = ["4", 5]\n[[texts]]\ntemplate = "1"', "give a number, and not a text"),
        ('lengths = [true, 5]\n[[texts]]\ntemplate = "1"', "give a number, and not a text, true or false"),
        ('[[texts]]\ntemplate = "{x}"', "unknown field {x}"),
        ('lengths = [5, 3]\n[[texts]]\ntemplate = "1"', "runs backwards"),
        ('lengths = [5, 6]\n[[texts]]\ntemplate = "1"', "makes no text of 5 to 6 characters"),
        ('lengths = [0, 5]\n[[texts]]\ntemplate = "1"', "lengths.1 = 0 is not allowed"),
        ('lengths = [5, 65]\n[[texts]]\ntemplate = "1"', "lengths.2 = 65 is not allowed"),
        ('[[texts]]\ntemplate = "{choice:none.txt}"', "cannot read .*none.txt"),
        ('[[texts]]\ntemplate = "{choice:a\\u0000b}"', "which no file can be called. Name another"),
        ("[[texts]", "is not a TOML file in UTF-8"),
    ],
)
def test_mixtures_that_make_no_sense(tmp_path: Path, content: str, said: str) -> None:
    """A one-line error names the file."""
    assert re.search(said, refusal(lambda: mixture(tmp_path, content), "texts.toml", kind=ConfigError))


def test_the_shares_of_a_mixture(tmp_path: Path) -> None:
    """Weights of 1, 3 and the default of 1 give shares of 20, 60 and 20 %, within four standard deviations."""
    content = "".join(
        f'[[texts]]\ntemplate = "{n}"\n{weight}\n' for n, weight in enumerate(["weight = 1", "weight = 3", ""])
    )
    found = mixture(tmp_path, content)
    texts = [found.text(1, index) for index in range(1000)]
    for text, share in (("0", 0.2), ("1", 0.6), ("2", 0.2)):
        assert abs(texts.count(text) - 1000 * share) < 4 * (1000 * share * (1 - share)) ** 0.5


def test_both_limits_of_the_lengths_are_allowed(tmp_path: Path) -> None:
    """The two limits may also be equal."""
    for lengths, found in ("[3, 4]", {3, 4}), ("[5, 5]", {5}), ("[1, 64]", {1, 2, 3, 4, 5}):
        texts = mixture(tmp_path, f'lengths = {lengths}\n[[texts]]\ntemplate = "{{digits:1..5}}"')
        assert {len(texts.text(0, index)) for index in range(60)} == found


@pytest.mark.parametrize("name", ["TEXTS.TOML", "toml", "-.toml"])
def test_a_mixture_is_told_by_the_end_of_its_name(tmp_path: Path, name: str) -> None:
    """A name that ends in .toml, in any case, is a mixture; any other file holds lines."""
    (tmp_path / name).write_text('[[texts]]\ntemplate = "1"' if "." in name else "1\n2", "utf-8")
    assert isinstance(read_texts(tmp_path / name), Mixture) == ("." in name)


def test_a_mixture_has_no_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A mixture never ends, so the number of images must be given."""
    (tmp_path / "a.toml").write_text('[[texts]]\ntemplate = "1"', "utf-8")
    assert run(["write", "--texts", f"{tmp_path}/a.toml", "-o", f"{tmp_path}/a/"]) == 2
    assert "Give the number of images with -n" in capsys.readouterr().err
