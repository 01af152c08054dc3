"""``python -m inkgan`` and the command ``inkgan``: run the command line and exit."""

from __future__ import annotations

import io
import os
import re
import signal
import sys
from pathlib import Path
from types import FrameType

from inkgan.errors import Interrupted

#: The value of GOMP_SPINCOUNT. On a small machine, OpenMP threads that spin while they wait take the processor from
#: threads that work, so they spin only briefly.
SPIN_COUNT = "20000"
#: The signals that asked this process to stop, other than Ctrl-C.
_received: list[int] = []


def main() -> None:
    """Run the command line and exit with its code.

    The code is 0 for done, 1 for failed, 2 for wrong input, 3 for a run that diverged or lost one of its processes, and
    129 or 143 for stopped by SIGHUP or SIGTERM; 141 if the reader of what it printed went away. Ctrl-C ends the process
    by SIGINT itself, for which shells have the code 130.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)  # before PyTorch is loaded
    # PyTorch's warnings about a lost connection fill screens with traces of its C++ code; inkgan says it in one line.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    # Typer and rich read these: at some wrong values they would print nothing, or end in a traceback.
    for name in ("TERMINAL_WIDTH", "COLUMNS", "LINES"):
        if not re.fullmatch("[1-9][0-9]{0,4}", os.environ.get(name, "")):
            os.environ.pop(name, None)
    _open_closed_streams()
    # A file name may hold characters that the terminal cannot show. Printing it must not fail a command that succeeded.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        _stop_in_order()
        from inkgan.cli import run

        code = run(sys.argv[1:])
        if code == 130 and _received:  # a library, such as Ray, raised a KeyboardInterrupt of its own
            code = 128 + _received[0]
    except KeyboardInterrupt as error:
        print("inkgan: stopped.", file=sys.stderr)  # noqa: T201
        code = getattr(error, "exit_code", 130)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) in (signal.default_int_handler, _stop):
            signal.signal(number, signal.SIG_DFL)  # an exception would print a traceback during shutdown
    if code == 128 + signal.SIGINT:
        # Python then ends by the signal itself. After an exit code, a shell would go on with its loop over commands.
        sys.excepthook = lambda *_: None
        raise KeyboardInterrupt
    sys.exit(code)


def _stop_in_order() -> None:
    """Let SIGTERM and SIGHUP do what Ctrl-C does: remove temporary files and end processes. A second one ends at once.

    A signal that the caller ignores, as ``nohup`` ignores SIGHUP, stays ignored.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _stop)


def _stop(number: int, _frame: FrameType | None) -> None:
    _received.append(number)
    signal.signal(number, signal.SIG_DFL)
    raise Interrupted("stopped.", number)


def _open_closed_streams() -> None:
    """Open the standard streams that the caller closed: otherwise, a file that a run writes could take their place."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:  # what is opened now gets the lowest free descriptor, which is the stream's
            setattr(sys, name, Path(os.devnull).open("r+", encoding="utf-8"))  # noqa: SIM115 - open until the end


if __name__ == "__main__":
    main()
