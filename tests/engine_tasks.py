"""Tasks for the tests of engines: a new process has to be able to import them."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from inkgan.errors import ConfigError


@dataclass(frozen=True)
class Noting:
    """Leaves a file for each number, and returns its square; some numbers are fatal.

    Attributes:
        folder: where the files are; each holds the number of the process.
        deadly: at this number, the process is killed the first ``kills`` times.
        kills: how often.
        wrong: at this number, there is an error.
    """

    folder: Path
    deadly: int | None = None
    kills: int = 1
    wrong: int | None = None

    def __call__(self, number: int) -> int:
        """Note that it was called."""
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
class Tidying:
    """Works for a long time, and tidies up in the end; it leaves a file when it has begun, and one when it has tidied.

    Attributes:
        folder: where the files are.
    """

    folder: Path

    def __call__(self, number: int) -> int:
        """Work."""
        try:
            (self.folder / "begun").touch()
            time.sleep(60)
        finally:
            (self.folder / "tidied").touch()
        return number
