"""Progress and the time left: one line that is updated on a terminal, a few lines elsewhere."""

from __future__ import annotations

import contextlib
import datetime
import math
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from inkgan.cli.window import Suspension, can_erase, in_foreground, width_of
from inkgan.errors import shortened
from inkgan.files import Progress

T = TypeVar("T")

#: The shortest time between two updates on a terminal, and between two lines in a file or a pipe.
_SECONDS_BETWEEN_UPDATES = 0.2
_SECONDS_BETWEEN_LINES = 30.0
#: The time left is estimated once a task has run for this long; and much longer, if it has done less than this share.
_SECONDS_TO_ESTIMATE = 1.0
_SMALL_SHARE = 0.01
_SECONDS_FOR_SMALL_SHARE = 30.0


@contextlib.contextmanager
def progress_line() -> Iterator[Progress]:
    """Yield a function that reports progress on stderr; at the end its line is cleared."""
    line = ProgressLine()
    try:
        with Suspension():
            yield line.report
    finally:
        line.clear()


@contextlib.contextmanager
def loading_pytorch() -> Iterator[None]:
    """Say on a terminal that PyTorch is loaded, which takes seconds."""
    with progress_line() as progress:
        progress("loading PyTorch", 0.0)
        yield


@contextlib.contextmanager
def optional_output() -> Iterator[None]:
    """Let work go on if its terminal or reader goes away, or the disk is full."""
    try:
        yield
    except OSError:
        sys.stdout = None  # print nothing more, not even at exit


class ProgressLine:
    """On a terminal, one line that is overwritten again and again; elsewhere, a new line now and then."""

    def __init__(self) -> None:
        now = time.monotonic()
        self._terminal = can_erase(sys.stderr)
        self._doing = ""
        self._begun = (now, 0.0)  # the first report of self._doing: its time, and the share that was done
        self._written = -math.inf if self._terminal else now

    def report(self, doing: str, done: float) -> None:
        """Write the name of a task and the share of it that is done, unless a line was written a moment ago.

        A terminal shows each new task at once: it may take long before it reports again.
        """
        now = time.monotonic()
        is_new = doing != self._doing
        if is_new:
            self._doing = doing
            self._begun = (now, done)
        pause = _SECONDS_BETWEEN_UPDATES if self._terminal else _SECONDS_BETWEEN_LINES
        if now - self._written < pause and not (is_new and self._terminal):
            return
        if self._terminal and not in_foreground():  # the user types there
            return
        self._written = now
        self._write(f"{doing}: {done:.0%}{time_left(now, done, self._begun)}")

    def clear(self) -> None:
        """Clear the line."""
        if self._terminal and self._written > -math.inf:
            self._write("")

    def _write(self, text: str) -> None:
        line = f"\r\x1b[K{_fitting(text, width_of(sys.stderr))}" if self._terminal else f"{text}\n"
        with contextlib.suppress(OSError, ValueError):  # the reader may be gone; the work goes on
            sys.stderr.write(line)
            sys.stderr.flush()


def _fitting(text: str, columns: int) -> str:
    """Return a text without its middle if it would fill a line: of one that wraps, only the end could be erased."""
    from rich.cells import cell_len

    fitting = text
    while cell_len(fitting) >= max(columns, 10):
        fitting = shortened(text, len(fitting) - 1)
    return fitting


def time_left(now: float, done: float, begun: tuple[float, float]) -> str:
    """Estimate the time left from the speed so far, as the end of a line; empty while it is unknown.

    Args:
        now: the time.
        done: the share that is done.
        begun: the time and the share at the beginning. What came before has another speed: processes start, models are
            loaded, and what is there already is only checked.
    """
    passed, gained = now - begun[0], done - begun[1]
    needed = _SECONDS_FOR_SMALL_SHARE if gained < _SMALL_SHARE else _SECONDS_TO_ESTIMATE
    if gained <= 0 or done >= 1 or passed < needed:
        return ""
    return f", {datetime.timedelta(seconds=round(passed / gained * (1 - done)))} left"


def counted(items: Iterable[T], count: int, progress: Progress) -> Iterator[T]:
    """Yield the items, and report the share of ``count`` that is written: before the first one, and after each."""
    progress("writing", 0.0)
    for number, item in enumerate(items, 1):
        yield item
        progress("writing", number / count)
