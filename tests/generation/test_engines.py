"""Engines: every number once, whatever is killed; and errors reach whoever asked."""

from __future__ import annotations

import os
import signal
import threading
import time
import warnings
from multiprocessing import Pipe
from multiprocessing.context import SpawnProcess
from pathlib import Path

import pytest

from engine_tasks import Noting, Tidying
from inkgan.errors import ConfigError, InkganError, InkganWarning
from inkgan.generation import engines
from inkgan.generation.engines import Task, engine, processes

SQUARES = [number * number for number in range(6)]


def noted(folder: Path) -> dict[int, str]:
    """The numbers that were done, and the process of each."""
    return {int(path.name): path.read_text("utf-8") for path in folder.iterdir() if path.name.isdecimal()}


@pytest.mark.slow
def test_one_process(tmp_path: Path) -> None:
    """One job is one other process."""
    assert list(processes(Noting(tmp_path), range(6), 1)) == SQUARES
    assert noted(tmp_path).keys() == set(range(6))
    assert len({*noted(tmp_path).values()} - {str(os.getpid())}) == 1
    assert list(processes(Noting(tmp_path), [], 3)) == []


@pytest.mark.slow
def test_a_killed_process(tmp_path: Path) -> None:
    """What a killed process should have done, another one does."""
    done = sorted(processes(Noting(tmp_path, deadly=2, kills=2), range(6), 2))
    assert done == SQUARES
    assert len(noted(tmp_path)) == 6
    assert len(list(tmp_path.glob("kill-*"))) == 2
    assert len(set(noted(tmp_path).values())) >= 2


@pytest.mark.slow
def test_killed_again_and_again(tmp_path: Path) -> None:
    """After three times, one line says what may be the reason."""
    with pytest.raises(InkganError, match=r"number 1 ended 3 times .* memory runs out.* fewer --jobs"):
        list(processes(Noting(tmp_path, deadly=1, kills=9), range(6), 1))
    assert noted(tmp_path).keys() == {0}


@pytest.mark.parametrize("moment", ["_end_with_the_first_process", "_serve"])
def test_a_process_that_is_asked_to_end(moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends without a word, whether it works or has only just begun; then nothing more can interrupt it."""
    monkeypatch.setattr(os, "setsid", lambda: None)
    monkeypatch.setattr(engines, moment, lambda *_: signal.raise_signal(signal.SIGTERM))
    before = signal.getsignal(signal.SIGTERM)
    try:
        engines._work(Pipe()[0], Noting(tmp_path))
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)


def test_ctrl_c_is_not_for_a_process_that_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would complain while it imports; the first process hears it as ever."""
    blocked: list[set[int]] = []
    monkeypatch.setattr(SpawnProcess, "start", lambda _: blocked.append(signal.pthread_sigmask(signal.SIG_BLOCK, ())))
    engines._Worker(Noting(tmp_path))
    assert [signal.SIGINT in one for one in blocked] == [True]
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_a_process_that_is_killed_while_it_waits(tmp_path: Path) -> None:
    """A number that is given to a process that no longer lives counts as lost, as soon as the process is asked."""
    worker = engines._Worker(Noting(tmp_path))
    worker.process.kill()
    worker.process.join()
    worker.give(3)
    assert worker.number == 3
    with pytest.raises((EOFError, OSError)):
        worker.connection.recv()
    worker.end()


@pytest.mark.slow
def test_a_process_that_is_ended_tidies_up(tmp_path: Path) -> None:
    """What its task does last is done, so that nothing half done stays behind."""
    worker = engines._Worker(Tidying(tmp_path))
    worker.give(0)
    for _ in range(3000):
        if (tmp_path / "begun").exists():
            break
        time.sleep(0.01)
    worker.end()
    assert {path.name for path in tmp_path.iterdir()} == {"begun", "tidied"}


@pytest.mark.parametrize("read", [True, False])
def test_the_first_process_ends(tmp_path: Path, read: bool) -> None:
    """A worker then ends without a word, whether its last result was read or not."""
    first, ours = Pipe()
    first.send(2)
    work = threading.Thread(target=engines._serve, args=(ours, Noting(tmp_path)))
    work.start()
    assert first.poll(30)
    if read:
        assert first.recv() == (4, None, [])
    first.close()  # with a result that was not read, the other end gets an error that is no EOFError
    work.join(30)
    assert not work.is_alive()


@pytest.mark.slow
def test_an_error(tmp_path: Path) -> None:
    """An error of the task is raised here."""
    with pytest.raises(ConfigError, match="the number 1 is wrong"):
        list(processes(Noting(tmp_path, wrong=1), range(6), 1))


def test_warnings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a task warns of is raised as a warning where it was asked for, each message once."""

    def task(number: int) -> int:
        warnings.warn(f"{number // 3} is low", InkganWarning, stacklevel=1)
        return number

    class Here:
        """A worker in a thread of this process."""

        process = None

        def __init__(self, task: Task[int]) -> None:
            self.number: int | None = None
            self.connection, theirs = Pipe()
            threading.Thread(target=engines._serve, args=(theirs, task)).start()
            self.end = self.connection.close

        give = engines._Worker.give

    monkeypatch.setattr(engines, "_Worker", Here)
    with pytest.warns(InkganWarning) as caught:
        assert list(processes(task, range(6), 1)) == list(range(6))
    assert [str(one.message) for one in caught] == ["0 is low", "1 is low"]


def test_a_first_process_that_was_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its workers ask themselves to stop: they would go on for nobody, and keep their runs locked."""
    calls: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda *call: calls.append(call))
    sentinel, first = os.pipe()
    os.close(first)
    engines._stop_after(sentinel)
    os.close(sentinel)
    assert calls == [(os.getpid(), signal.SIGTERM)]


def test_names() -> None:
    """An engine has one of two names."""
    assert engine("processes") is processes
    with pytest.raises(ConfigError, match=r"unknown engine 'rey'. Did you mean 'ray'\?"):
        engine("rey")


@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_ray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster of two cores does the same, also when a worker is killed; it hands errors on."""
    here = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parents[1]), *here]))  # of the tasks
    import ray  # noqa: PLC0415

    engines._start_ray(ray, 2)  # once for both
    try:
        run = engine("ray")
        assert sorted(run(Noting(tmp_path, deadly=2, kills=2), range(6), 2)) == SQUARES
        assert len(list(tmp_path.glob("kill-*"))) == 2
        assert len(noted(tmp_path)) == 6
        with pytest.raises(ConfigError, match="the number 1 is wrong"):
            list(run(Noting(tmp_path, wrong=1), range(6), 2))
    finally:
        ray.shutdown()
