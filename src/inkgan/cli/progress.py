"""How far a command is and how long the rest will take: one line renewed on a terminal, a few lines elsewhere."""

from __future__ import annotations

import contextlib
import datetime
import math
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from inkgan.files import Progress

T = TypeVar("T")

_SECONDS_BETWEEN = 0.2
_SECONDS_BETWEEN_LINES = 30.0  # into a file or a pipe
#: So many seconds of one thing must have passed before the time left is guessed.
_SECONDS_TO_GUESS = 1.0


@contextlib.contextmanager
def progress_line() -> Iterator[Progress]:
    """Yield what tells how far it is, on stderr. At the end its line is wiped."""
    line = Line()
    try:
        yield line.tell
    finally:
        line.wipe()


class Line:
    """On a terminal a line that is written over again and again; elsewhere lines now and then."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._doing = ""
        self._since = self._heard = time.monotonic()
        self._told = -math.inf if self._terminal else self._heard

    def tell(self, doing: str, done: float) -> None:
        """Say what is being done and which share of it is."""
        now = time.monotonic()
        if doing != self._doing:  # it began when what was before it was last heard of
            self._doing, self._since = doing, self._heard
        self._heard = now
        if now - self._told < (_SECONDS_BETWEEN if self._terminal else _SECONDS_BETWEEN_LINES):
            return
        self._told = now
        self._write(f"{doing}: {done:.0%}{time_left(now - self._since, done)}")

    def wipe(self) -> None:
        """Take the line away."""
        if self._terminal and self._told > -math.inf:
            self._write("")

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # who reads it may be gone; what is done goes on
            sys.stderr.write(f"\r\x1b[K{text}" if self._terminal else f"{text}\n")
            sys.stderr.flush()


def time_left(passed: float, done: float) -> str:
    """How long the rest will take if it goes on like this; nothing while that cannot be said."""
    if not 0 < done < 1 or passed < _SECONDS_TO_GUESS:
        return ""
    return f", {datetime.timedelta(seconds=round(passed / done * (1 - done)))} left"


def counted(things: Iterable[T], count: int, doing: str, tell: Progress) -> Iterator[T]:
    """The things, and after each the share of ``count`` that was handed out is told."""
    for index, thing in enumerate(things, 1):
        yield thing
        tell(doing, index / count)
