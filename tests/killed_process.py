"""What a killed process leaves behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def ended_process() -> int:
    """Return the id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def as_if_left_by(process: int, temporary: Path) -> Path:
    """Give a temporary file or folder of this process the name that another process would have given it."""
    return temporary.rename(temporary.with_name(temporary.name.replace(f"{os.getpid():07d}", f"{process:07d}")))
