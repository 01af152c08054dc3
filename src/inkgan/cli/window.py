"""The window of the terminal: its width, and leaving it in order while Ctrl-Z has suspended a command."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TextIO

#: Text is wrapped at this width, unless the window is narrower: longer lines are hard to read.
WIDEST = 100
_NARROWEST = 40


def columns() -> int:
    """Return the width at which text on stdout is wrapped: the window's, but at most 100; 100 in a file or a pipe."""
    if sys.stdout is None or not sys.stdout.isatty():
        return WIDEST
    return min(max(width_of(sys.stdout), _NARROWEST), WIDEST)


def width_of(terminal: TextIO) -> int:
    """Return the columns of a terminal: those that $COLUMNS gives, its own, or 80 if it does not know them."""
    own = 0
    with contextlib.suppress(OSError, ValueError):  # it is no terminal, or is closed
        own = os.get_terminal_size(terminal.fileno()).columns
    return shutil.get_terminal_size((own or 80, 24)).columns


def can_erase(stream: TextIO) -> bool:
    """Whether a stream is a terminal on which a line can be erased and written again."""
    return stream.isatty() and os.environ.get("TERM", "").lower() not in {"dumb", "unknown"}


def in_foreground() -> bool:
    """Whether this command has the terminal; if it runs in the background, the user types there."""
    for descriptor in (1, 2):
        with contextlib.suppress(OSError):  # it is no terminal
            return os.tcgetpgrp(descriptor) == os.getpgrp()
    return True


class Suspension:
    """While it is entered, Ctrl-Z first leaves the terminal in order: otherwise the shell's cursor would be hidden.

    It also stops the processes of :func:`inkgan.generation.engines.processes`, which the terminal's signals do not
    reach, until the command continues.

    Args:
        leave: removes what is drawn in place and shows the cursor.
        come_back: called when the command continues, in the foreground or in the background.
    """

    def __init__(self, leave: Callable[[], None] = lambda: None, come_back: Callable[[], None] = lambda: None) -> None:
        self._leave = leave
        self._come_back = come_back
        self._depth = 0
        self._is_due = False

    def __enter__(self) -> Suspension:
        if signal.getsignal(signal.SIGTSTP) == signal.SIG_DFL:
            signal.signal(signal.SIGTSTP, self._suspend)
        return self

    def __exit__(self, *error: object) -> None:
        if signal.getsignal(signal.SIGTSTP) == self._suspend:
            signal.signal(signal.SIGTSTP, signal.SIG_DFL)

    @contextlib.contextmanager
    def drawing(self) -> Iterator[None]:
        """Put a suspension off until what is being drawn is complete."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if self._is_due and not self._depth:
                self._is_due = False
                self._suspend(signal.SIGTSTP, None)

    def _suspend(self, number: int, _frame: FrameType | None) -> None:
        if self._depth:
            self._is_due = True
            return
        self._leave()
        signal.signal(number, signal.SIG_DFL)
        with _stopped_workers():
            os.kill(os.getpid(), number)  # the command stops here until it is told to continue
        signal.signal(number, self._suspend)
        self._come_back()


@contextlib.contextmanager
def _stopped_workers() -> Iterator[None]:
    """Stop the processes that this one has started with ``multiprocessing``; then let them continue."""
    from multiprocessing import active_children

    workers = [worker.pid for worker in active_children() if worker.pid is not None]
    if not workers:
        yield
        return
    # A shell stops them, and lets them continue when its input ends. So they continue even if this process is killed;
    # while they are stopped, they could not end.
    shell = ["sh", "-c", 'kill -STOP "$@"; read -r end; kill -CONT "$@"', "sh", *map(str, workers)]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(shell, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, start_new_session=True):
        yield
