"""What is damaged is kept, under a name that says so."""

from __future__ import annotations

import re
from pathlib import Path

_DAMAGED = re.compile(r"(.+)\.damaged(-\d+)?")


def damaged_path(path: Path) -> Path:
    """Where to keep a damaged file or folder: ``NAME.damaged``, or ``NAME.damaged-2`` if that is taken, and so on."""
    target = path.with_name(f"{path.name}.damaged")
    number = 1
    while target.exists() or target.is_symlink():
        number += 1
        target = path.with_name(f"{path.name}.damaged-{number}")
    return target


def original_name(name: str) -> str:
    """The name that a file or folder had before it was kept aside; other names as they are."""
    match = _DAMAGED.fullmatch(name)
    return match[1] if match else name
