"""Stopping a run when a signal asks for it: after the step at hand, or at once if asked twice."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from types import FrameType, TracebackType
from typing import Any

#: A terminal that goes away; not every system has it.
_HANGUP: signal.Signals | None = getattr(signal, "SIGHUP", None)
#: The same signal within so many seconds is the same wish: timeout(1) sends its own twice, to a process and its group.
#: So is a hang-up beside another signal, which is how sessions end, and a hang-up alone is never a second wish.
_SECONDS_OF_ONE = 0.1


class StopSignals:
    """While entered, SIGINT, SIGTERM and SIGHUP are noted in :attr:`received`; a second one ends the process at once.

    A SIGHUP that was ignored before stays so, as ``nohup`` wants it.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._at = 0.0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopSignals:
        """Take over the signals; in a thread other than the main one, where Python allows none, do nothing."""
        if threading.current_thread() is threading.main_thread():
            taken = [signal.SIGINT, signal.SIGTERM]
            if _HANGUP is not None and signal.getsignal(_HANGUP) is not signal.SIG_IGN:
                taken.append(_HANGUP)
            self._before = {number: signal.signal(number, self._note) for number in taken}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        one = number == _HANGUP or (now - self._at <= _SECONDS_OF_ONE and self.received in (number, _HANGUP))
        if self.received is None:
            self.received, self._at = number, now
        elif not one:
            with contextlib.suppress(OSError, ValueError, AttributeError):
                if sys.stdout.isatty():
                    os.write(sys.stdout.fileno(), b"\x1b[?25h")  # the cursor, which a progress bar hides
            os._exit(128 + number)
