"""A process that trains along with the one that started it: ``python -m inkgan.training.follower``.

It reads from its input, as JSON, the arguments of :func:`inkgan.train` that the first process was called with.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from inkgan.errors import InkganError
from inkgan.training.start import train


def main() -> None:
    """Train along, and end as the first process does. It alone says why."""
    command: dict[str, Any] = json.load(sys.stdin)
    try:
        train(command["recipe"], **command["options"])
    except InkganError as error:
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
