"""The command line, in a process that stops before every step, every write to disk and every rename.

At each stop, it sends a word, such as ``step 3``, ``fsync`` or ``rename``, and waits for an answer: ``go`` lets it
continue; to ``ask`` it replies ``ok`` and waits again. So a test can send a signal at an exact point.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from inkgan.cli import run
from inkgan.training.loop import Batches

PRETRAINING_STEPS = 2


def main(arguments: list[str], errors: Path, events: Connection) -> None:
    """Run the command line, stopping on the way, and end the process with its exit code.

    Args:
        arguments: the words of the command.
        errors: the file that becomes its stderr.
        events: where it announces what it is about to do, and waits for the answer.
    """
    # Restore the default handling of signals: the test's own process may ignore some, as under nohup.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    sys.stderr = errors.open("w", encoding="utf-8")

    def wait(event: str) -> None:
        events.send(event)
        while events.recv() == "ask":
            events.send("ok")

    def after_waiting(name: Callable[..., str], function: Callable[..., Any]) -> Callable[..., Any]:
        def replacement(*given: Any) -> Any:
            wait(name(*given))
            return function(*given)

        return replacement

    vars(os).update(
        fsync=after_waiting(lambda _: "fsync", os.fsync), rename=after_waiting(lambda *_: "rename", os.rename)
    )
    step = after_waiting(lambda _, number: f"step {number - PRETRAINING_STEPS}", Batches.batch)
    Batches.batch = step  # type: ignore[method-assign]
    code = run(arguments)
    sys.stderr.flush()
    os._exit(code)
