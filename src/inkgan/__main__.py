"""``python -m inkgan`` and the command ``inkgan``: run the command line, turn errors into one line and an exit code."""

from __future__ import annotations

import io
import os
import sys


def main() -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 wrong input, 3 diverged, 129, 130, 143 stopped by a signal."""
    # Threads that spin while they wait take the processor from others on a small machine; so they spin only briefly.
    # Must come before PyTorch is loaded.
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")
    # A file may be called what the terminal cannot show; that must not end a command that did its work.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    from inkgan.cli import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
