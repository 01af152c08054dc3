"""The window of the terminal, as far as it decides what a command prints."""

from __future__ import annotations

import shutil
import sys

#: Text is wrapped at this width, unless the window is narrower: longer lines are hard to read.
WIDEST = 100
_NARROWEST = 40


def columns() -> int:
    """Return the width at which text on stdout is wrapped: the window's, but at most 100; 100 in a file or a pipe."""
    if sys.stdout is None or not sys.stdout.isatty():
        return WIDEST
    return min(max(shutil.get_terminal_size().columns, _NARROWEST), WIDEST)
