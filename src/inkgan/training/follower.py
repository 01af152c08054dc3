"""A process that trains along with the one that started it: ``python -m inkgan.training.follower``.

It reads the arguments that the first process passed to :func:`inkgan.train` from its standard input, as a line of JSON.
The input ends when the first process does, and then this process ends, too.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from typing import Any

from inkgan.errors import InkganError, LostProcessError
from inkgan.training.start import train


def main() -> None:
    """Train along, and end with the exit code of the first process; only that one prints the reason."""
    line = sys.stdin.readline()
    if not line:  # the first process ended at once
        sys.exit(LostProcessError.exit_code)
    command: dict[str, Any] = json.loads(line)
    threading.Thread(target=_end_with_the_first, daemon=True).start()
    try:
        train(**command)
    except InkganError as error:
        sys.exit(error.exit_code)


def _end_with_the_first() -> None:
    """End this process as soon as the first one is gone; it has nothing to save."""
    sys.stdin.read()
    os._exit(LostProcessError.exit_code)


if __name__ == "__main__":
    main()
