"""A process that trains along with the one that started it: ``python -m inkgan.training.follower``.

It reads from its input, as a line of JSON, the arguments of :func:`inkgan.train` that the first process was called
with. The input ends when the first process does, and so does this one.
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
    """Train along, and end with the exit code of the first process, which alone prints why."""
    command: dict[str, Any] = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_the_first, daemon=True).start()
    try:
        train(command["recipe"], **command["options"])
    except InkganError as error:
        sys.exit(error.exit_code)


def _end_with_the_first() -> None:
    """End this process as soon as the first one is gone; it has nothing to save."""
    sys.stdin.read()
    os._exit(LostProcessError.exit_code)


if __name__ == "__main__":
    main()
