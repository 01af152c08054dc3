"""Waiting in tests for what another process or thread does."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

#: Far more than anything takes that tests wait for: it only keeps a test from hanging.
SECONDS = 120


def wait_for_file(folder: Path, pattern: str, process: subprocess.Popen[Any] | None = None) -> None:
    """Return as soon as a file or folder of that name is there, such as ``out/*.png``.

    Raises:
        AssertionError: the process that should make it has ended without doing so, or it takes too long.
    """
    end = time.monotonic() + SECONDS
    while not any(folder.glob(pattern)):
        has_ended = process is not None and process.poll() is not None
        assert not has_ended or any(folder.glob(pattern)), f"the process ended before {pattern} was there"
        assert time.monotonic() < end, f"{pattern} never came"
        time.sleep(0.002)


def start_at_the_first_move(monkeypatch: pytest.MonkeyPatch, thread: Thread) -> None:
    """Start a thread when the first file is moved to its place, and give it a moment to come in between."""
    real = Path.replace

    def replace(path: Path, target: Path) -> Path:
        if thread.ident is None:
            thread.start()
            thread.join(0.5)
        return real(path, target)

    monkeypatch.setattr(Path, "replace", replace)
