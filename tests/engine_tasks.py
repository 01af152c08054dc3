"""Tasks for the tests of engines, in a module of their own so that a new process can import them."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from inkgan.errors import ConfigError


@dataclass(frozen=True)
class RecordingTask:
    """A task that leaves a file for each number and returns its square; two numbers can be chosen to fail.

    Attributes:
        folder: where the files go; each holds the id of the process that wrote it.
        deadly: the number that kills the process, the first ``kills`` times.
        kills: how often ``deadly`` kills.
        wrong: the number that raises an error.
    """

    folder: Path
    deadly: int | None = None
    kills: int = 1
    wrong: int | None = None

    def __call__(self, number: int) -> int:
        """Leave the file and return the square, or fail."""
        if number == self.wrong:
            raise ConfigError(f"the number {number} is wrong.")
        if number == self.deadly:
            before = len(list(self.folder.glob("kill-*")))
            if before < self.kills:
                (self.folder / f"kill-{before}").touch()
                os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.01)
        (self.folder / str(number)).write_text(str(os.getpid()), "utf-8")
        return number * number


@dataclass(frozen=True)
class CleanupTask:
    """A task that works for a long time and then tidies up; it leaves one file when it begins and one when it is tidy.

    Attributes:
        folder: where the files go.
    """

    folder: Path

    def __call__(self, number: int) -> int:
        """Work."""
        try:
            (self.folder / "begun").touch()
            for _ in range(6000):  # in short pieces: if another thread gets a signal, it does not end a sleep
                time.sleep(0.01)
        finally:
            (self.folder / "tidied").touch()
        return number
