"""What code imports in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from waiting import SECONDS


def modules_after(code: str, *arguments: str, folder: Path | None = None) -> set[str]:
    """Run code in a new Python process, where warnings are errors, and return the modules that are then loaded.

    Args:
        code: what to run; it may print, except for a line without an end on stderr.
        arguments: its ``sys.argv[1:]``.
        folder: where to run it.
    """
    program = f"{code}\nimport sys\nprint(*sys.modules, file=sys.stderr)"
    command = [sys.executable, "-W", "error", "-c", program, *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.splitlines()[-1].split())
