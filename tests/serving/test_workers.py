"""Worker processes that draw for the server."""

from __future__ import annotations

import asyncio
import errno
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import Executor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from inkgan.errors import ConfigError
from inkgan.exporting.saved import SavedModel, read
from inkgan.generation.model import Model
from inkgan.serving import parameters, responses
from inkgan.serving.app import Service
from inkgan.serving.workers import Workers
from waiting import SECONDS, wait_for_file

DIGIT = parameters.Digit(seed=3)


@pytest.fixture(scope="module")
def saved() -> SavedModel:
    return read("fast", "latest")


@pytest.fixture
def service(saved: SavedModel) -> Iterator[Service]:
    """A service with two processes that draw."""
    service = Service(saved, 2)
    yield service
    service.workers.stop()


def within_seconds(work: Coroutine[Any, Any, Any]) -> Any:
    async def bounded() -> Any:
        async with asyncio.timeout(SECONDS):
            return await work

    return asyncio.run(bounded())


def process_of(_: Model) -> int:
    return os.getpid()


def fail(_: Model) -> None:
    os._exit(1)


def draw_for_long(_: Model, folder: Path) -> None:
    (folder / "begun").touch()
    time.sleep(SECONDS)
    (folder / "finished").touch()


def test_they_draw_what_one_process_draws(service: Service) -> None:
    asked = [parameters.Write(text=text, height=24, legible=0) for text in ("1", "2", "3")]

    async def work() -> Any:
        drawn = await asyncio.gather(*(service.draw(responses.digit, "7", DIGIT) for _ in range(3)))
        return drawn, await asyncio.gather(*map(service.writer.ask, asked))

    drawn, written = within_seconds(work())
    assert drawn == 3 * [responses.digit(service.model, "7", DIGIT)]
    assert written == responses.write(service.model, asked)


def test_as_many_draw_at_once_as_there_are_processes(service: Service) -> None:
    async def number_of_turns() -> int:
        taken = 0
        while not service.workers.turns.locked():
            await service.workers.turns.acquire()
            taken += 1
        return taken

    assert within_seconds(number_of_turns()) == 2


def test_drawing_waits_for_a_turn(saved: SavedModel) -> None:
    """As writing does, so that requests of all kinds are answered in their order."""
    service = Service(saved)

    async def work() -> None:
        async with service.workers.turns:  # without processes, there is one
            drawing = asyncio.create_task(service.draw(responses.digit, "7", DIGIT))
            done, _ = await asyncio.wait([drawing], timeout=0.2)
            assert not done
        assert await drawing == responses.digit(service.model, "7", DIGIT)

    within_seconds(work())


def test_drawings_that_nobody_waits_for_do_not_stop_the_others(saved: SavedModel) -> None:
    """Each keeps its turn until its process is free, so none of them waits in the queue of a process that dies."""
    service = Service(saved, 1)
    (process,) = [one for one in multiprocessing.active_children() if one.is_alive()]
    pid = process.pid
    assert pid is not None
    asked = parameters.Write(text="1", height=24, legible=0)

    async def work() -> Any:
        os.kill(pid, signal.SIGSTOP)
        for _ in range(4):
            drawing = asyncio.create_task(service.draw(responses.digit, "7", DIGIT))
            await asyncio.sleep(0.05)
            drawing.cancel()
        writing = asyncio.create_task(service.writer.ask(asked))
        await asyncio.sleep(0.05)
        os.kill(pid, signal.SIGKILL)
        return await writing

    try:
        assert [within_seconds(work())] == responses.write(service.model, [asked])
    finally:
        service.workers.stop()


def test_an_error_comes_back(service: Service) -> None:
    with pytest.raises(ConfigError, match="there is no class 'x': fast draws 0 to 9"):
        within_seconds(service.draw(responses.digit, "x", DIGIT))


def test_a_process_that_dies_is_replaced(service: Service) -> None:
    """Another process takes over the drawing of one that died; a request that kills its process fails alone."""

    async def work() -> int:
        first = await service.workers.draw(process_of)
        assert first != os.getpid()
        os.kill(first, signal.SIGKILL)
        second: int = await service.workers.draw(process_of)
        with pytest.raises(BrokenProcessPool):
            await service.workers.draw(fail)
        assert await service.draw(responses.digit, "7", DIGIT)
        return second

    assert within_seconds(work()) != os.getpid()


@pytest.mark.parametrize("shortage", [BlockingIOError(errno.EAGAIN, "none"), RuntimeError("can't start new thread")])
def test_where_none_can_be_started_now_the_next_request_tries_again(
    saved: SavedModel, monkeypatch: pytest.MonkeyPatch, shortage: Exception
) -> None:
    """A limit of the system is no defect: clients are asked to come back, and later they get their images."""
    service = Service(saved, 1)

    def start(_: Workers) -> Executor:
        raise shortage

    async def work() -> Any:
        os.kill(await service.workers.draw(process_of), signal.SIGKILL)
        with monkeypatch.context() as limited:
            limited.setattr(Workers, "_start", start)
            for _ in range(2):
                with pytest.raises(BrokenProcessPool):
                    await service.draw(responses.digit, "7", DIGIT)
        return await service.draw(responses.digit, "7", DIGIT)

    try:
        assert within_seconds(work()) == responses.digit(service.model, "7", DIGIT)
    finally:
        service.workers.stop()


def test_no_process_outlives_the_one_that_died(saved: SavedModel) -> None:
    """The executor ends the others, although they ignore SIGTERM; else newer Pythons wait for them forever."""
    earlier = set(multiprocessing.active_children())
    workers = Workers(Service(saved).model, 2)
    started = set(multiprocessing.active_children()) - earlier

    async def work() -> None:
        os.kill(await workers.draw(process_of), signal.SIGKILL)
        assert await workers.draw(process_of)
        while any(exists(process) for process in started):  # until the executor's own thread has seen them end
            await asyncio.sleep(0.002)

    assert len(started) == 2
    within_seconds(work())
    workers.stop()


@pytest.mark.parametrize("draws", [True, False])
def test_processes_that_were_stopped_are_ended(saved: SavedModel, tmp_path: Path, draws: bool) -> None:
    """A user may have stopped one for a while, to have its core; the server does not wait for it for ever."""
    earlier = set(multiprocessing.active_children())
    workers = Workers(Service(saved).model, 1)
    (worker,) = set(multiprocessing.active_children()) - earlier
    assert worker.pid is not None
    if draws:
        workers._submit(workers._executor, draw_for_long, tmp_path)
        wait_for_file(tmp_path, "begun")
    os.kill(worker.pid, signal.SIGSTOP)
    assert os.WIFSTOPPED(os.waitpid(worker.pid, os.WUNTRACED)[1])
    stop = threading.Thread(target=workers.stop, daemon=True)
    stop.start()
    stop.join(SECONDS / 4)
    has_ended = not stop.is_alive()
    worker.kill()
    assert has_ended
    assert not (tmp_path / "finished").exists()


def exists(process: BaseProcess) -> bool:
    assert process.pid is not None
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_what_pytorch_draws_is_drawn_by_a_thread(saved: SavedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch hangs in a process that was forked after it had built a network."""
    for module in ("serving.app", "generation.model"):
        monkeypatch.setattr(f"inkgan.{module}.NUMPY_NETWORKS", {})
    service = Service(saved, 2)
    assert within_seconds(service.workers.draw(process_of)) == os.getpid()
    assert within_seconds(service.draw(responses.digit, "7", DIGIT)).media_type == responses.PNG


def test_they_keep_no_connection_of_a_client_open(saved: SavedModel) -> None:
    """A client sees that the server closed its connection, although processes were started meanwhile."""
    of_server, of_client = socket.socketpair()
    with of_server, of_client:
        workers = Workers(Service(saved).model, 1)
        of_server.close()
        of_client.setblocking(False)
        assert of_client.recv(1) == b""
        workers.stop()


def test_they_end_whatever_they_do(saved: SavedModel, tmp_path: Path) -> None:
    """They end while they draw and while they wait, but not by the signal that ends the server."""

    async def begin() -> None:
        drawing = asyncio.create_task(workers.draw(draw_for_long, tmp_path))
        while not (tmp_path / "begun").exists():
            await asyncio.sleep(0.01)
        drawing.cancel()

    workers = Workers(Service(saved).model, 1)
    process = within_seconds(workers.draw(process_of))
    os.kill(process, signal.SIGTERM)  # as systemd sends it to all
    assert within_seconds(workers.draw(process_of)) == process
    within_seconds(begin())
    workers.stop()
    assert not (tmp_path / "finished").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
