"""``python -m inkgan`` and the command ``inkgan``: run the command line and exit."""

from __future__ import annotations

import io
import os
import signal
import sys


def main() -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 wrong input, 3 diverged, 129, 130, 143 stopped by a signal."""
    # Threads that spin while they wait take the processor from others on a small machine, so they spin only briefly.
    # Must come before PyTorch is loaded.
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")
    _fill_closed_descriptors()
    # A file name may have letters that the terminal cannot show, which must not end a command that did its work.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        from inkgan.cli import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        print("inkgan: stopped.", file=sys.stderr)  # noqa: T201
        code = 130
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # Python's would print a traceback while Python ends
    sys.exit(code)


def _fill_closed_descriptors() -> None:
    """Open what the caller closed, or a file that a run writes would become its stdout or stderr."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free descriptor


if __name__ == "__main__":
    main()
