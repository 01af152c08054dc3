"""How far evaluating and comparing are, told on a terminal and into files."""

from __future__ import annotations

import sys

import pytest

from inkgan.cli import measuring


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that stands until it is set."""
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def test_outside_a_terminal_only_what_takes_long_is_told(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    """A line every half a minute, with the time left; nothing of what is short."""
    tell = measuring.progress_line()
    tell("reading", 0.0)
    for second in range(1, 100):
        clock[0] = 1000.0 + second
        tell("training", second / 200)
    assert capsys.readouterr().err.splitlines() == [
        "training: 15%, 3 min left",  # 170 s
        "training: 30%, 2 min left",
        "training: 45%, 2 min left",
    ]


def test_on_a_terminal_one_line_renews_itself(
    clock: list[float], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each text takes the place of the one before, and what is done leaves nothing."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    tell = measuring.progress_line()
    tell("features", 0.0)
    clock[0] += 10
    tell("features", 0.5)
    tell("features", 1.0)
    shown = capsys.readouterr().err.split("\r\x1b[K")
    assert shown == ["", "features: 0%", "features: 50%, 10 s left", "features: 100%", ""]


@pytest.mark.parametrize(
    ("passed", "done", "said"),
    [
        (2.0, 0.1, ""),
        (10.0, 0.0, ""),
        (10.0, 1.0, ""),
        (10.0, 0.5, ", 10 s left"),
        (60.0, 0.25, ", 3 min left"),
    ],
)
def test_time_left(passed: float, done: float, said: str) -> None:
    """What is left takes as long, for its share, as what is done."""
    assert measuring.time_left(passed, done) == said
