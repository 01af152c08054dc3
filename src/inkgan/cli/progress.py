"""One line that tells how far a command is and how long it will take, where someone watches."""

from __future__ import annotations

import contextlib
import datetime
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

#: Called with what is being done and the share of it that is.
Tell = Callable[[str, float], None]
T = TypeVar("T")

_SECONDS_BETWEEN = 0.2
#: So many seconds of one thing must have passed before the time left is guessed.
_SECONDS_TO_GUESS = 1.0


@contextlib.contextmanager
def progress_line() -> Iterator[Tell | None]:
    """Yield what tells how far it is, on a terminal; elsewhere None. At the end, its line is wiped."""
    line = _Line()
    try:
        yield line.tell if sys.stderr.isatty() else None
    finally:
        line.wipe()


class _Line:
    """A line on stderr that is written over again and again."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}
        self._shown_at: float | None = None

    def tell(self, doing: str, done: float) -> None:
        now = time.monotonic()
        since = self._since.setdefault(doing, now)
        if self._shown_at is not None and now < self._shown_at + _SECONDS_BETWEEN:
            return
        self._shown_at = now
        left = ""
        if done > 0 and now - since >= _SECONDS_TO_GUESS:
            left = f", {datetime.timedelta(seconds=round((now - since) / done * (1 - done)))} left"
        sys.stderr.write(f"\r\x1b[K{doing}: {done:.0%}{left}")
        sys.stderr.flush()

    def wipe(self) -> None:
        if self._shown_at is not None:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def counted(things: Iterable[T], count: int, doing: str, tell: Tell | None) -> Iterator[T]:
    """The things, and after each the share of ``count`` that was handed out is told."""
    for index, thing in enumerate(things, 1):
        yield thing
        if tell:
            tell(doing, index / count)
