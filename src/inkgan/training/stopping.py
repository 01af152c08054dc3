"""System signals: those that ask a run to stop, which then saves and says how to go on, and the end of a suspension."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from inkgan.training.notebook import is_notebook

#: Two signals within this many seconds are one request: timeout(1) signals both a process and its group, and when a
#: session ends, a hang-up comes together with another signal. A hang-up is never a second request.
_SECONDS_OF_ONE_REQUEST = 0.1


class StopSignals:
    """A context manager that notes the first SIGINT, SIGTERM or SIGHUP; a second signal ends the process at once.

    In a notebook, whose process holds more than the run, the second one raises KeyboardInterrupt.

    SIGHUP stays ignored if it was ignored before, as under ``nohup``. Python allows handlers only in the main thread;
    in other threads, the context manager does nothing.

    Attributes:
        received: the number of the first signal; None if there was none.
        continued: called when the process goes on after it was suspended, for example with Ctrl-Z.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self.continued: Callable[[], None] = lambda: None
        self._received_at = 0.0
        self._handlers_before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopSignals:
        """Install the handlers."""
        if threading.current_thread() is threading.main_thread():
            handlers: dict[signal.Signals, Any] = {signal.SIGINT: self._note, signal.SIGTERM: self._note}
            if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
                handlers[signal.SIGHUP] = self._note
            handlers[signal.SIGCONT] = lambda *_: self.continued()
            self._handlers_before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        return self

    def __exit__(self, *error: object) -> None:
        """Restore the previous handlers."""
        for number, handler in self._handlers_before.items():
            if handler is not None:  # a handler that was not installed from Python cannot be restored
                signal.signal(number, handler)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self.received is None:
            self.received = number
            self._received_at = time.monotonic()
            return
        if self._is_same_request(number):
            return
        if is_notebook():
            raise KeyboardInterrupt  # the end of the process would lose everything that the notebook holds
        with contextlib.suppress(OSError, ValueError, AttributeError):
            if sys.stdout.isatty():  # show the cursor, which a progress bar hides
                os.write(sys.stdout.fileno(), b"\x1b[?25h")
        if number == signal.SIGINT:  # by the signal itself, so that a shell ends its loop over commands, too
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        os._exit(128 + number)

    def _is_same_request(self, number: int) -> bool:
        """Whether a further signal only repeats the first: a hang-up always does; soon after, so does the same signal.

        Soon after a hang-up, any signal does: a terminal that closes sends several.
        """
        is_soon = time.monotonic() - self._received_at <= _SECONDS_OF_ONE_REQUEST
        return number == signal.SIGHUP or (is_soon and self.received in (number, signal.SIGHUP))
