"""The command line, in a process that stops at every step, every write to disk and every rename until it is told.

At each of these it prints a line, such as ``step 3``, ``fsync`` or ``rename``, and reads one: ``go``, or ``ask`` to be
answered with ``ok`` and asked again. So a test can send a signal at an exact point.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from inkgan.cli import run
from inkgan.training import loop as trainer
from inkgan.training.recorder import RunLog


def _wait(event: str) -> None:
    print(f"at {event}", flush=True)
    while sys.stdin.readline().strip() == "ask":
        print("ok", flush=True)


def main() -> int:
    """Run the command line in steps."""
    real_step, real_fsync, real_rename = trainer._Training._next_batch, os.fsync, os.rename

    def step(self: Any) -> Any:
        _wait(f"step {self._step}")
        return real_step(self)

    def fsync(descriptor: int) -> None:
        _wait("fsync")
        real_fsync(descriptor)

    def rename(*paths: Any) -> None:
        _wait("rename")
        real_rename(*paths)

    trainer._Training._next_batch = step  # type: ignore[method-assign]
    RunLog.graph = lambda *_: None  # type: ignore[method-assign]
    vars(os).update(fsync=fsync, rename=rename)
    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
