"""The progress of commands, on a terminal and elsewhere."""

from __future__ import annotations

import errno
import io
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.cells import cell_len

from inkgan.cli import run
from inkgan.cli.progress import counted, optional_output, progress_line, time_left
from inkgan.errors import ConfigError
from inkgan.training.watching import Watcher

_WIPE = "\r\x1b[K"


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def on_a_terminal(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str]:
    """Run a command with a terminal as its stderr. Return its exit code and what appears there, every update of it."""
    shown = _Terminal()
    monkeypatch.setattr("sys.stderr", shown)
    monkeypatch.setattr("inkgan.cli.progress._SECONDS_BETWEEN_UPDATES", 0.0)
    monkeypatch.setattr("inkgan.cli.progress._SECONDS_TO_ESTIMATE", 0.0)
    code = run(arguments)
    monkeypatch.undo()
    return code, shown.getvalue()


def test_sampling_shows_progress(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Drawing and writing show the share that is done and the time left, and leave an empty line."""
    code, shown = on_a_terminal(monkeypatch, "sample", "fast", "-n", "40", "-o", f"{tmp_path}/digits/")
    assert code == 0
    assert f"{_WIPE}drawing: 80%, 0:00:" in shown
    assert f"{_WIPE}writing: 50%, 0:00:" in shown
    assert shown.endswith(f"writing: 100%{_WIPE}")


def test_a_terminal_that_cannot_erase_gets_lines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Such as the shell in an editor: what is written there stays."""
    monkeypatch.setenv("TERM", "dumb")
    shown = _Terminal()
    monkeypatch.setattr("sys.stderr", shown)
    assert run(["sample", "fast", "-n", "40", "-o", f"{tmp_path}/digits/"]) == 0
    assert run(["sample", "none", "-o", f"{tmp_path}/a.png"]) == 2
    assert "\x1b" not in shown.getvalue()
    assert "\r" not in shown.getvalue()


def test_writing_shows_progress(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Writing shows the share of the images that is done."""
    code, shown = on_a_terminal(monkeypatch, "write", "dd", "-n", "4", "--height", "24", "-o", f"{tmp_path}/numbers/")
    assert code == 0
    assert f"{_WIPE}writing: 25%, 0:00:" in shown


def test_a_new_task_is_shown_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last report of a task does not stay on the terminal while the next one works."""
    shown = _Terminal()
    monkeypatch.setattr("sys.stderr", shown)
    monkeypatch.setattr("time.monotonic", lambda: 1000.0)
    with progress_line() as tell:
        tell("features", 0.5)
        tell("features", 1.0)
        tell("figures", 0.0)
    assert shown.getvalue() == f"{_WIPE}features: 50%{_WIPE}figures: 0%{_WIPE}"


@pytest.mark.parametrize("name", ["/home/me/handwriting/runs/hinge-mnist-seed0", "手写数字/" * 12])
def test_progress_fits_a_line_of_the_window(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Of a line that wraps, only the end is erased: each update would leave another line."""
    shown = _Terminal()
    monkeypatch.setattr("sys.stderr", shown)
    monkeypatch.setenv("COLUMNS", "50")
    with progress_line() as tell:
        tell(f"{name}: features", 0.5)
    _, line, _ = shown.getvalue().split(_WIPE)
    assert cell_len(line) < 50
    assert line.startswith(name[:5])
    assert line.endswith("features: 50%")


def test_a_command_in_the_background_writes_no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """The user types in the terminal then; after ``fg`` the progress is shown again."""
    shown = _Terminal()
    monkeypatch.setattr("sys.stderr", shown)
    has_terminal = False
    monkeypatch.setattr("inkgan.cli.progress.in_foreground", lambda: has_terminal)
    with progress_line() as tell:
        tell("features", 0.5)
        assert shown.getvalue() == ""
        has_terminal = True
        tell("figures", 0.0)
        assert shown.getvalue() == f"{_WIPE}figures: 0%"


def test_after_output_that_failed_nothing_more_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python would otherwise try again at exit, and end with an error of its own."""
    reader_is_gone = BrokenPipeError(errno.EPIPE, "Broken pipe")
    monkeypatch.setattr("sys.stdout", io.StringIO())
    with optional_output():
        raise reader_is_gone
    assert sys.stdout is None
    print("this goes nowhere, without an error")


@pytest.mark.parametrize("command", [("evaluate", "a.npz"), ("compare", "a.npz", "b.npz")])
def test_the_seconds_in_which_pytorch_is_loaded_are_explained(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: tuple[str, ...]
) -> None:
    """The first thing on the terminal says so, and is wiped before what follows."""
    monkeypatch.chdir(tmp_path)
    code, shown = on_a_terminal(monkeypatch, *command)
    assert code == 2
    assert shown.startswith(f"{_WIPE}loading PyTorch: 0%{_WIPE}")


def test_an_error_has_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The progress is wiped before an error is printed."""

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    code, shown = on_a_terminal(monkeypatch, "sample", "fast", "-n", "40", "-o", f"{tmp_path}/a.npz")
    assert code == 2
    assert f"100%{_WIPE}" in shown
    assert f"{_WIPE}inkgan: cannot write" in shown


def test_a_warning_has_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """So it has while a run is prepared whose lines go into a file, while its progress is shown on the terminal."""

    def train(_recipe: str | None, *, watcher: Watcher, **_options: object) -> None:
        watcher.preparing("reading", 0.5)
        watcher.warn("odd")
        raise ConfigError("enough.")

    monkeypatch.setattr("inkgan.training.start.train", train)
    code, shown = on_a_terminal(monkeypatch, "train")
    assert code == 2
    assert shown == f"{_WIPE}reading: 50%{_WIPE}inkgan: warning: odd\n{_WIPE}inkgan: enough.\n"


def test_outside_a_terminal_only_long_tasks_report_progress(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A long task prints a line with the time left every half minute; a short one prints nothing."""
    assert run(["sample", "fast", "-n", "40", "-o", str(tmp_path / "a.npz")]) == 0
    assert capsys.readouterr().err == ""
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    with progress_line() as tell:
        tell("reading", 0.0)
        for second in range(1, 100):
            now[0] = 1000.0 + second
            tell("training", second / 200)
    assert capsys.readouterr().err.splitlines() == [
        "training: 15%, 0:02:50 left",
        "training: 30%, 0:02:20 left",
        "training: 45%, 0:01:50 left",
    ]


@pytest.mark.parametrize(
    ("passed", "before", "done", "said"),
    [
        (0.5, 0, 0.1, ""), (10, 0, 0, ""), (10, 0, 1, ""), (10, 0, 0.5, ", 0:00:10 left"),
        (60, 0, 0.25, ", 0:03:00 left"), (1, 0, 0.01, ", 0:01:39 left"), (29, 0, 0.0099, ""),
        (30, 0, 0.005, ", 1:39:30 left"), (10, 0.5, 0.75, ", 0:00:10 left"), (29, 0.5, 0.5099, ""), (10, 0.5, 0.4, ""),
        (10, 1, 1, ""),
    ],
)  # fmt: skip
def test_time_left(passed: float, before: float, done: float, said: str) -> None:
    """The time left is estimated from the speed so far, to which what was done before does not count."""
    assert time_left(1000.0 + passed, done, (1000.0, before)) == said


def test_the_time_in_which_a_task_is_prepared_is_not_its_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that takes ten seconds to load does not make the images after it look slow; nor does another task."""
    shown, now = _Terminal(), [1000.0]
    monkeypatch.setattr("sys.stderr", shown)
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    with progress_line() as tell:
        for second, doing, done in [(10, "a", 0.0), (12, "a", 0.5), (13, "b", 0.5), (23, "b", 0.6), (25, "b", 0.75)]:
            now[0] = 1000.0 + second
            tell(doing, done)
    assert shown.getvalue().split(_WIPE)[1:-1] == [
        "a: 0%", "a: 50%, 0:00:02 left", "b: 50%", "b: 60%, 0:00:40 left", "b: 75%, 0:00:12 left",
    ]  # fmt: skip


def test_counting_changes_nothing() -> None:
    """Every item is yielded, and the share that is done is reported before the first one, and after each."""
    told: list[float] = []
    assert list(counted("abcd", 4, lambda _, done: told.append(done))) == list("abcd")
    assert told == [0.0, 0.25, 0.5, 0.75, 1.0]
