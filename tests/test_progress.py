"""What tells, on a terminal, how far a command is."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from inkgan.cli import run
from inkgan.cli.progress import counted

_WIPE = "\r\x1b[K"


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def on_a_terminal(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str]:
    """The exit code of a command whose stderr is a terminal, and what appears there: every share that is told."""
    shown = _Terminal()
    monkeypatch.setattr("sys.stderr", shown)
    monkeypatch.setattr("inkgan.cli.progress._SECONDS_BETWEEN", 0.0)
    monkeypatch.setattr("inkgan.cli.progress._SECONDS_TO_GUESS", 0.0)
    code = run(arguments)
    monkeypatch.undo()
    return code, shown.getvalue()


def test_sampling_tells(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Drawing and writing tell their share and the time left, and leave an empty line."""
    code, shown = on_a_terminal(monkeypatch, "sample", "fast", "-n", "40", "-o", f"{tmp_path}/digits/")
    assert code == 0
    assert f"{_WIPE}drawing: 80%, 0:00:" in shown
    assert f"{_WIPE}writing: 50%, 0:00:" in shown
    assert shown.endswith(f" left{_WIPE}")


def test_writing_tells(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Writing tells its share of the images."""
    code, shown = on_a_terminal(monkeypatch, "write", "dd", "-n", "4", "--height", "24", "-o", f"{tmp_path}/numbers/")
    assert code == 0
    assert f"{_WIPE}writing: 25%, 0:00:" in shown


def test_an_error_has_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What was told is wiped before an error is."""
    (tmp_path / "file").touch()
    code, shown = on_a_terminal(monkeypatch, "sample", "fast", "-n", "40", "-o", f"{tmp_path}/file/a.npz")
    assert code == 2
    assert f"left{_WIPE}inkgan: " in shown


def test_nothing_is_told_elsewhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal, stderr stays empty."""
    assert run(["sample", "fast", "-n", "40", "-o", str(tmp_path / "a.npz")]) == 0
    assert capsys.readouterr().err == ""


def test_counting_changes_nothing() -> None:
    """All is handed out, whether someone listens or not."""
    told: list[float] = []
    assert list(counted("abcd", 4, "x", lambda _, done: told.append(done))) == list("abcd")
    assert told == [0.25, 0.5, 0.75, 1.0]
    assert list(counted("abcd", 4, "x", None)) == list("abcd")
