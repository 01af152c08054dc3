"""Workers: processes that draw. They share the model's weights with the process that answers, which only waits.

Threads would not do: between matrix products, drawing is Python code, which runs in one thread at a time.
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
from multiprocessing import active_children
from multiprocessing.context import ForkContext, ForkProcess
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from inkgan.generation.model import Model

Result = TypeVar("Result")


class Workers:
    """Processes that draw with a model, each one request at a time.

    Attributes:
        turns: acquire it before :meth:`draw`; requests get their turns in order of arrival.
    """

    def __init__(self, model: Model, processes: int) -> None:
        """Start the processes.

        Args:
            model: the model to draw with.
            processes: their number; 0 draws in a thread of this process, as PyTorch needs, since it hangs after a fork.

        Raises:
            InkganError: the model cannot draw.
        """
        self.turns = asyncio.Semaphore(max(1, processes))
        self._model = model
        self._processes = processes
        # Nobody writes to this pipe: it closes when this process ends, however it ends.
        self._lifeline = os.pipe() if processes else ()
        self._executor = self._start()

    def _start(self) -> Executor:
        """Start the processes, and let one of them try the model. If that fails, none of them is left.

        At its end, a program waits for the processes that it has started, and these wait for work.
        """
        earlier = active_children()
        executor: Executor
        if self._processes:
            arguments = (self._model, *self._lifeline)
            executor = ProcessPoolExecutor(self._processes, _WorkerContext(), _initialise, arguments)
        else:
            executor = ThreadPoolExecutor(1)
        try:
            self._submit(executor, _draw_once).result()
        except BaseException:
            for worker in set(active_children()).difference(earlier):
                worker.kill()
            raise
        return executor

    def _submit(self, executor: Executor, make: Callable[..., Result], *arguments: Any) -> Future[Result]:
        if self._processes:
            return executor.submit(_make_here, make, *arguments)
        return executor.submit(make, self._model, *arguments)

    async def draw(self, make: Callable[..., Result], *arguments: Any) -> Result:
        """Return ``make(model, *arguments)``, computed in one of the processes.

        Raises:
            BrokenProcessPool: the process ended, and so did the one that tried again, or none can be started now.
        """
        executor = self._executor
        with suppress(BrokenProcessPool):
            return await asyncio.wrap_future(self._submit(executor, make, *arguments))
        if self._executor is executor:  # another request may have started new ones already
            try:
                self._executor = self._start()
            except (OSError, RuntimeError) as error:  # too little memory, or no more processes or threads
                raise BrokenProcessPool(str(error)) from error  # the next request tries again
        return await asyncio.wrap_future(self._submit(self._executor, make, *arguments))

    def stop(self) -> None:
        """End the processes, whatever they are doing."""
        for end in self._lifeline:
            os.close(end)
        for worker in active_children():
            if isinstance(worker, _Worker) and worker.pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(worker.pid, signal.SIGCONT)  # one that was stopped would not notice that it should end
        # Wait, or the executor's own thread and the exit of the program could close one pipe at the same time.
        self._executor.shutdown(wait=True)


class _Worker(ForkProcess):
    """A process that draws.

    When one of them has died, the executor terminates the others, and waits for their ends.
    """

    def terminate(self) -> None:
        """Kill the process: it ignores SIGTERM."""
        self.kill()


class _WorkerContext(ForkContext):
    Process = _Worker


#: The model of a process that draws.
_model_here: list[Model] = []


def _initialise(model: Model, read_end: int, write_end: int) -> None:
    """Initialise a process that draws; the ends are those of the lifeline."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it ends with the process that answers
    for descriptor in [int(path.name) for path in Path("/dev/fd").iterdir()]:
        with suppress(OSError):
            # While this process holds a copy of a client's socket, the client would not see that the server closed it.
            if descriptor > 2 and stat.S_ISSOCK(os.fstat(descriptor).st_mode):  # output may be a socket of journald
                os.close(descriptor)
    os.close(write_end)

    def end_with_parent() -> None:
        os.read(read_end, 1)
        os._exit(0)

    try:
        threading.Thread(target=end_with_parent, daemon=True).start()
    except RuntimeError:  # the system starts no more threads; the executor would print a traceback
        os._exit(1)
    _model_here.append(model)


def _make_here(make: Callable[..., Result], *arguments: Any) -> Result:
    return make(_model_here[0], *arguments)


def _draw_once(model: Model) -> None:
    """Draw an image, so that a model that cannot draw is refused at the start."""
    label = 0 if model.num_classes else None
    model.draw(np.zeros((1, model.latent_dim), np.float32), label)
