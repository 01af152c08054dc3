"""Processes that draw. They share the model's weights with the process that answers, which only waits for them.

Threads would not do: between its matrix products drawing is Python, of which one thread at a time runs.
"""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from inkgan.generation.model import Model

Result = TypeVar("Result")


class Drawers:
    """Draw with a model, one thing for each process at a time.

    Attributes:
        turns: to be acquired before :meth:`draw`; whoever came first has the first turn.
    """

    def __init__(self, model: Model, processes: int = 0) -> None:
        """Start them.

        Args:
            model: what draws.
            processes: how many; 0 is a thread of this process, as PyTorch needs it, which hangs after a fork.

        Raises:
            InkganError: the model cannot draw.
        """
        self.turns = asyncio.Semaphore(max(1, processes))
        self._model = model
        self._processes = processes
        # Nobody writes: it closes when this process ends, however it does.
        self._lifeline = os.pipe() if processes else ()
        self._executor = self._started()

    def _started(self) -> Executor:
        """Start them, and let one try the model."""
        executor: Executor
        if self._processes:
            beginning = (self._model, *self._lifeline)
            executor = ProcessPoolExecutor(self._processes, get_context("fork"), _begin, beginning)
        else:
            executor = ThreadPoolExecutor(1)
        self._asked(executor, _draw_once).result()
        return executor

    def _asked(self, executor: Executor, make: Callable[..., Result], *asked: Any) -> Future[Result]:
        if self._processes:
            return executor.submit(_make, make, *asked)
        return executor.submit(make, self._model, *asked)

    async def draw(self, make: Callable[..., Result], *asked: Any) -> Result:
        """What a function of the model and of what is asked returns, from a process.

        Raises:
            BrokenProcessPool: its process ended, and so did the one that tried it again.
        """
        executor = self._executor
        with suppress(BrokenProcessPool):
            return await asyncio.wrap_future(self._asked(executor, make, *asked))
        if self._executor is executor:  # nobody else has noticed before
            self._executor = self._started()
        return await asyncio.wrap_future(self._asked(self._executor, make, *asked))

    def stop(self) -> None:
        """End them, whatever they do."""
        self._executor.shutdown(wait=False, cancel_futures=True)
        for end in self._lifeline:
            os.close(end)


#: In a process that draws: its model.
_here: list[Model] = []


def _begin(model: Model, held: int, lifeline: int) -> None:
    """Begin a process that draws."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # it ends with the process that answers
    for descriptor in [int(path.name) for path in Path("/dev/fd").iterdir()]:
        with suppress(OSError):
            if stat.S_ISSOCK(os.fstat(descriptor).st_mode):  # of clients, who would not see that they are closed
                os.close(descriptor)
    os.close(lifeline)

    def end_with_parent() -> None:
        os.read(held, 1)
        os._exit(0)

    threading.Thread(target=end_with_parent, daemon=True).start()
    _here.append(model)


def _make(make: Callable[..., Result], *asked: Any) -> Result:
    return make(_here[0], *asked)


def _draw_once(model: Model) -> None:
    """Draw an image, so that whatever cannot draw says so before anybody asks."""
    label = 0 if model.num_classes else None
    model.draw(np.zeros((1, model.latent_dim), np.float32), label)
