"""The README's commands work, and its parts have the contents that they should have."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from documents import README, ROOT, commands
from inkgan.cli import run

_TEXT = README.read_text("utf-8")
#: Commands that train, measure or look at a run; they are too slow to run, so another test only parses them.
_SLOW = ("train", "evaluate", "compare")


def _quick() -> list[str]:
    words = {command: command.split() for command in commands(README)}
    return [command for command, (program, *rest) in words.items() if program == "inkgan" and rest[0] not in _SLOW]


@pytest.mark.slow
@pytest.mark.parametrize("command", _quick())
def test_quick_commands_do_what_they_say(
    command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A quick command succeeds and creates the file or folder that it names, and nothing else."""
    monkeypatch.chdir(tmp_path)
    words = shlex.split(command)[1:]
    assert run(words) == 0
    assert capsys.readouterr().out
    made = [path.name for path in tmp_path.iterdir()]
    expected = ["2026.png"] if words == ["write", "2026"] else []
    if "-o" in words:
        expected = [words[words.index("-o") + 1].rstrip("/")]
    assert made == expected


def test_the_first_screen() -> None:
    """What inkgan is, a picture, the two make commands and the one-liner come before the first heading."""
    first = _TEXT.partition("\n## ")[0]
    assert first.startswith("# inkgan\n\n**A GAN that learns handwriting")
    assert "![" in first
    for command in ("make digits", "make test", "inkgan write 2026"):
        assert f"\n{command} " in first
    assert len(first.splitlines()) <= 25


def test_the_fork() -> None:
    """Learn, Research and Use have two or three commands each."""
    fork = _TEXT.partition("\n## Learn, research, use\n")[2].partition("\n## ")[0]
    parts = re.split(r"\n### ", fork)[1:]
    assert [part.split()[0] for part in parts] == ["Learn", "Research", "Use"]
    for part in parts:
        block = re.search(r"```sh\n(.*?)```", part, re.DOTALL)
        assert block is not None
        assert 2 <= len(block[1].splitlines()) <= 3


def test_the_results_are_four_rows() -> None:
    """The table of results has four rows, and each links to the page that explains its figures."""
    results = _TEXT.partition("\n## Results\n")[2].partition("\n## ")[0]
    rows = [line for line in results.splitlines() if line.startswith("| ")][1:]
    rows = [row for row in rows if not row.startswith("| ---")]
    assert len(rows) == 4
    assert all("](docs/" in row for row in rows)


def test_pytorch_is_installed_in_a_version_that_inkgan_takes() -> None:
    """The version of PyTorch that one installs first is in the range of the extra ``train``."""
    (range_,) = re.findall(r"`'(torch[^']*)'`", _TEXT)
    assert f'"{range_}"' in (ROOT / "pyproject.toml").read_text("utf-8")


def test_both_readmes_have_the_same_results() -> None:
    """The figures of each row of results are the same in English and in Chinese."""
    chinese = (ROOT / "README.zh-CN.md").read_text("utf-8")
    rows = [
        [re.findall(r"\d+(?:\.\d+)?", row.partition("| ")[2].partition("|")[2]) for row in text.splitlines()]
        for text in (_TEXT.partition("\n## Results\n")[2], chinese.partition("\n## 效果\n")[2])
    ]
    english, translated = ([figures for figures in found if len(figures) >= 3] for found in rows)
    assert len(english) == 4
    assert translated == english


def test_the_chinese_readme_lists_every_lesson() -> None:
    """A row for each lesson, in their order, with a link to its Chinese notebook."""
    chinese = (ROOT / "README.zh-CN.md").read_text("utf-8")
    listed = re.findall(r"^\| \[[^\]]+\]\(lessons/zh/([\w-]+)\.ipynb\) \|", chinese, re.MULTILINE)
    assert listed == sorted(path.stem for path in (ROOT / "lessons").glob("[0-9]*.py"))
