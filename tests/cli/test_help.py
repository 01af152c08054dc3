"""``inkgan help``: the pages that ship with the package."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import inkgan.cli
from inkgan.cli import run

_PAGES = sorted((Path(inkgan.cli.__file__).parent / "topics").iterdir())


def test_without_a_topic_all_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """Each topic has a line with its name and its title."""
    assert run(["help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    listed = [line.split() for line in lines if line.startswith("  ")]
    assert [line[0] for line in listed] == ["data", "doctor", "metrics", "processes", "serving", "training", "writing"]
    assert all(len(line) > 3 for line in listed)


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.stem)
def test_elsewhere_a_page_is_printed_as_written(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A pipe gets the Markdown."""
    assert page.suffix == ".md"
    assert run(["help", page.stem]) == 0
    assert capsys.readouterr() == (page.read_text("utf-8"), "")


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.stem)
def test_on_a_terminal_a_page_is_formatted(
    page: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Headings, tables and code have no marks of Markdown left, and no line is wider than the terminal's 80 columns."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")  # no colours, which are letters, too
    assert run(["help", page.stem]) == 0
    shown = capsys.readouterr().out
    assert page.read_text("utf-8").splitlines()[0].removeprefix("# ")[:30] in shown
    for mark in ("```", "| ---", "**", "\n#"):
        assert mark not in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_of_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    """Who asks for help on a command gets its ``--help``."""
    assert run(["help", "morph"]) == 0
    shown = capsys.readouterr().out
    assert run(["morph", "--help"]) == 0
    assert shown.strip() == capsys.readouterr().out.strip()
    assert "--steps" in shown


def test_an_unknown_topic(capsys: pytest.CaptureFixture[str]) -> None:
    """One line that names the topics, and the nearest one."""
    assert run(["help", "wriing"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == (
        "inkgan: no help topic 'wriing'. Did you mean 'writing'? "
        "Topics are: data, doctor, metrics, processes, serving, training, writing.\n"
    )
