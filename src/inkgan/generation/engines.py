"""Engines run a task for many numbers, such as those of shards, in several processes or on several machines.

A task writes its results to disk under a name that depends on the number, and running it twice does no harm, so an
engine can repeat lost work. Only numbers and small results pass through an engine, and the task's warnings and errors.
If one number takes minutes, a task may :func:`report` how far it is.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
import traceback
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, chdir, suppress
from multiprocessing import connection, get_context, parent_process, resource_tracker
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from inkgan.device import cores
from inkgan.errors import InkganError, InkganWarning, import_extra, one_of, quantity, whole_number

T = TypeVar("T")
#: A task and its results must be picklable; a task may be a partial of a module-level function.
Task = Callable[[int], T]
#: Called with a number and the share of its work that is done: 1 at its end, 0 if it begins, or has to begin again.
Shares = Callable[[int, float], None]

#: The number of attempts at a number whose process was killed.
_ATTEMPTS = 3
_JOBS_PER_CORE = 16
_MOST_ON_RAY = 10**6
_SECONDS_BETWEEN_REPORTS = 0.5
_RAY_STORE = 80 * 2**20  # bytes; by default Ray takes a third of the memory, and there is nothing to store


class _Reporter(threading.local):
    """Where the task that this thread runs sends its share: nowhere, unless an engine's process runs it."""

    send: Callable[[float], None] | None = None
    due = 0.0


_reporter = _Reporter()


def report(share: float) -> None:
    """Report the share of the present number's work that is done, 0 to 1. A task may call this often."""
    now = time.monotonic()
    if _reporter.send is not None and now >= _reporter.due:
        _reporter.due = now + _SECONDS_BETWEEN_REPORTS
        with suppress(OSError):  # the first process has ended
            _reporter.send(share)


def _ignored(_number: int, _share: float) -> None:
    pass


def checked_jobs(jobs: int | None, engine: str) -> int:
    """Return the number of tasks to run at a time, if the engine can: each process takes 70 MB or more.

    Args:
        jobs: the number; None takes one for each core.
        engine: the name of the engine.

    Raises:
        ConfigError: there is no such engine, or the number is below 1, or above 16 for each core with ``processes``.
    """
    engine = one_of(engine, "engine", ENGINES)
    most = _JOBS_PER_CORE * cores() if engine == "processes" else _MOST_ON_RAY
    complaint = f"cannot run {{}} jobs on {quantity(cores(), 'core')}. Ask for 1 to {most:,}."
    return whole_number(cores() if jobs is None else jobs, complaint, 1, most)


def processes(task: Task[T], numbers: Sequence[int], jobs: int, *, shares: Shares = _ignored) -> Iterator[T]:
    """Run a task in new processes on this machine; if a process is killed, another one takes its number.

    Raises:
        InkganError: three processes were killed while they worked on the same number.

    Warns:
        InkganWarning: a process was killed, and another one takes its number. Also the task's own warnings, each
            message once.
    """
    waiting = deque(numbers)
    killed: Counter[int] = Counter()
    warned: set[str] = set()
    workers: list[_Worker] = []
    try:
        while waiting or any(worker.number is not None for worker in workers):
            workers += [_Worker(task) for _ in range(min(jobs - len(workers), len(waiting)))]
            for worker in workers:
                if worker.number is None and waiting:
                    worker.give(waiting.popleft())
            busy = {worker.connection: (worker, worker.number) for worker in workers if worker.number is not None}
            for ready in connection.wait(list(busy)):
                worker, number = busy[ready]  # type: ignore[index]  # all are connections
                try:
                    message: _Answer | float = worker.connection.recv()
                except (EOFError, OSError):  # the process was killed
                    shares(number, 0.0)
                    workers.remove(worker)
                    worker.ask_to_end()
                    worker.process.join()
                    killed[number] += 1
                    _warn_of_killed(number, killed[number], worker.process.exitcode)
                    waiting.appendleft(number)
                    continue
                if isinstance(message, float):
                    shares(number, message)
                    continue
                worker.number = None
                result = _result_of(message, warned)
                shares(number, 1.0)
                yield result
    finally:
        for worker in workers:
            worker.ask_to_end()
        for worker in workers:  # only now: each may take seconds to save its run
            worker.process.join()


def _warn_of_killed(number: int, killed: int, exit_code: int | None) -> None:
    """Warn that a process ended while it worked on a number; after the last attempt, raise an error instead."""
    reason = "the system kills processes when memory runs out" if exit_code == -signal.SIGKILL else "it crashed"
    message = f"the process working on number {number} ended (exit code {exit_code}: {reason})"
    if killed >= _ATTEMPTS:
        raise InkganError(f"{message}, {killed} times. Finished work is kept. Run the same command with fewer --jobs.")
    warnings.warn(f"{message}. Another one repeats it; fewer --jobs may help.", InkganWarning, stacklevel=3)


class _Answer(NamedTuple):
    """What a task returned for a number, or the error that it raised; and its warnings."""

    result: Any
    error: Exception | None
    warnings: list[str]


def _answer_of(task: Task[Any], number: int) -> _Answer:
    """Run a task for a number, in the process of an engine."""
    with warnings.catch_warnings(record=True) as noted:
        warnings.simplefilter("always", InkganWarning)
        try:
            result, error = task(number), None
            ForkingPickler.dumps(result)  # as an engine will
        except Exception as caught:  # noqa: BLE001 - it is raised in the first process
            result, error = None, _to_send(caught)
    messages = [str(warning.message) for warning in noted if issubclass(warning.category, InkganWarning)]
    return _Answer(result, error, messages)


def _to_send(error: Exception) -> Exception:
    """Return an error that the first process can raise.

    An error of inkgan's says all in its message; any other one carries its traceback as a note. If pickle cannot make
    it again there, such as an exception that a user's own network defines, a RuntimeError takes its place.
    """
    trace = traceback.format_exc()
    try:
        ForkingPickler.loads(ForkingPickler.dumps(error))  # as an engine will
    except Exception:  # noqa: BLE001 - any error in the exception's own code
        error = RuntimeError(f"{type(error).__name__}: {error}")
    if not isinstance(error, InkganError):
        error.add_note(f"In another process:\n{trace}")
    return error


def _result_of(answer: _Answer, warned: set[str]) -> Any:
    """Return a task's result in the first process; give its warnings that were not given yet, and raise its error."""
    for message in answer.warnings:
        if message not in warned:
            warned.add(message)
            warnings.warn(message, InkganWarning, stacklevel=3)
    if answer.error is not None:
        raise answer.error
    return answer.result


class _Worker:
    """A process that runs a task for one number after another."""

    def __init__(self, task: Task[Any]) -> None:
        context = get_context("spawn")
        self.number: int | None = None
        self.connection: connection.Connection
        self.connection, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(target=_work, args=(theirs, task), daemon=True)
        resource_tracker.ensure_running()  # first, because its start unblocks signals
        # The new process inherits the blocked signal: Ctrl-C during its imports would print a traceback.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        theirs.close()  # else this end would not notice that the process ended

    def give(self, number: int) -> None:
        """Send it a number to run the task for."""
        self.number = number
        with suppress(OSError):  # it was killed while it waited; receiving from it will show that
            self.connection.send(number)

    def ask_to_end(self) -> None:
        """Ask it to end at once, without waiting for it."""
        if self.process.pid is not None and self.process.is_alive():
            with suppress(ProcessLookupError):
                os.kill(self.process.pid, signal.SIGCONT)  # while it is stopped, it would not notice that it should end
        self.process.terminate()
        self.connection.close()  # it may wait for a number, and another of its threads may get the signal


def _work(ours: connection.Connection, task: Task[Any]) -> None:
    os.setsid()  # signals to the first process's group do not reach this one; the first process ends it
    with suppress(KeyboardInterrupt):  # a run that is asked to stop has saved before it raises this
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the task can clean up
        try:
            threading.Thread(target=_stop_after, args=(parent_process(),), daemon=True).start()
            _serve(ours, task)
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)  # from here on there is nothing to clean up


def _serve(ours: connection.Connection, task: Task[Any]) -> None:
    """Run the task for each number that arrives, and send back the answer."""
    _reporter.send = ours.send
    with suppress(EOFError, OSError):  # the first process has ended, perhaps before it read a result, which is on disk
        while True:
            ours.send(_answer_of(task, ours.recv()))


def _stop_after(first: BaseProcess) -> None:
    """Stop this process when the first one ends, even if it is killed.

    Otherwise a run would go on training for hours and keep its folder locked.
    """
    first.join()
    os.kill(os.getpid(), signal.SIGTERM)


def ray(task: Task[T], numbers: Sequence[int], jobs: int, *, shares: Shares = _ignored) -> Iterator[T]:
    """Run a task on a Ray cluster: the one that RAY_ADDRESS names, or a new one of ``jobs`` cores on this machine.

    All cores of a cluster are used. Ray repeats a number whose process or machine is lost. What a task reports before
    its end stays on its machine; ``shares`` is told when the first one begins.

    Raises:
        InkganError: three processes were lost while they worked on the same number.
        MissingExtraError: Ray is not installed.

    Warns:
        InkganWarning: the task's own warnings, each message once.
    """
    core = import_extra("ray")
    is_ours = not core.is_initialized()
    if is_ours:
        _start_ray(core, jobs)
    try:
        shared = core.put(task)
        remote = core.remote(num_cpus=1, max_retries=_ATTEMPTS - 1)(_in_folder)
        folder = Path.cwd()
        at_once = 2 * max(1, int(core.cluster_resources().get("CPU", jobs)))  # so that each core has a number waiting
        waiting = deque(numbers)
        in_flight: dict[Any, int] = {}
        warned: set[str] = set()
        if numbers:
            shares(numbers[0], 0.0)
        while waiting or in_flight:
            while waiting and len(in_flight) < at_once:
                number = waiting.popleft()
                in_flight[remote.remote(folder, shared, number)] = number
            [ready], _ = core.wait(list(in_flight))
            result = _result_of(_answer_from(core, ready), warned)
            shares(in_flight.pop(ready), 1.0)
            yield result
    finally:
        if is_ours:
            core.shutdown()


def _start_ray(core: Any, jobs: int) -> None:
    """Connect to the cluster that the environment names, or start one here."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # else Ray reports its use over the network
    logging.getLogger("ray").setLevel(logging.ERROR)
    local = {"address": "local", "num_cpus": jobs, "object_store_memory": _RAY_STORE, "include_dashboard": False}
    given = {} if os.environ.get("RAY_ADDRESS") else local
    on_sigterm = signal.getsignal(signal.SIGTERM)
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            core.init(log_to_driver=False, logging_level="error", **given)
        except Exception as error:  # noqa: BLE001 - Ray raises nothing more specific
            core.shutdown()
            if attempt == _ATTEMPTS:
                reason = str(error).partition("\n")[0]
                raise InkganError(f"Ray does not start: {reason} Use --engine processes, or try again.") from None
        else:
            return
        finally:
            # Ray's own handler prints traces of the stack and aborts. Python allows handlers only in the main thread,
            # and cannot restore one that was not installed from Python.
            if threading.current_thread() is threading.main_thread() and on_sigterm is not None:
                signal.signal(signal.SIGTERM, on_sigterm)


def _in_folder(folder: Path, task: Task[Any], number: int) -> _Answer:
    """Run a task in the first process's folder, to which its relative paths refer; Ray's processes run in others.

    On a machine that does not have the folder, the task runs where it is; absolute paths still work.
    """
    with ExitStack() as stack:
        with suppress(OSError):
            stack.enter_context(chdir(folder))
        return _answer_of(task, number)


def _answer_from(core: Any, reference: Any) -> _Answer:
    """Receive an answer from Ray."""
    try:
        return core.get(reference)
    except core.exceptions.RayError as error:
        cause = getattr(error, "cause", error)  # if the task could not begin, such as where inkgan is not installed
        reason = str(cause).partition("\n")[0]
        raise InkganError(f"Ray gave up: {reason} Finished work is kept. Run the same command again.") from None


#: Every engine by its name. It runs a task for each of some numbers, ``jobs`` of them at a time, and yields each result
#: as it arrives; ``shares`` is told how far each number is.
ENGINES = {"processes": processes, "ray": ray}
