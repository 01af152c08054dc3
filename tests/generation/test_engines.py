"""Engines process every number once, even if processes are killed, and raise errors where the work was started."""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from contextlib import closing, nullcontext, suppress
from functools import partial
from multiprocessing import Pipe, active_children
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from multiprocessing.process import _ParentProcess  # type: ignore[attr-defined]
from pathlib import Path
from pickle import PicklingError
from types import SimpleNamespace
from typing import Any

import pytest

from engine_tasks import CleanupTask, RecordingTask
from inkgan.errors import ConfigError, InkganError, InkganWarning, MissingExtraError
from inkgan.generation import engines
from inkgan.generation.engines import Task, processes
from waiting import SECONDS, wait_for_file

SQUARES = [number * number for number in range(6)]


def noted(folder: Path) -> dict[int, str]:
    """Return the numbers that were processed, each with the id of its process."""
    return {int(path.name): path.read_text("utf-8") for path in folder.iterdir() if path.name.isdecimal()}


@pytest.mark.slow
def test_one_process(tmp_path: Path) -> None:
    """One job runs in one other process."""
    assert list(processes(RecordingTask(tmp_path), range(6), 1)) == SQUARES
    assert noted(tmp_path).keys() == set(range(6))
    assert len({*noted(tmp_path).values()} - {str(os.getpid())}) == 1
    assert list(processes(RecordingTask(tmp_path), [], 3)) == []


@pytest.mark.slow
def test_a_killed_process(tmp_path: Path) -> None:
    """Another process takes over the work of a process that was killed."""
    with pytest.warns(InkganWarning, match=r"number 2 ended \(exit code -9: .*\)\. Another one repeats") as told:
        done = sorted(processes(RecordingTask(tmp_path, deadly=2, kills=2), range(6), 2))
    assert len(told) == 2
    assert done == SQUARES
    assert len(noted(tmp_path)) == 6
    assert len(list(tmp_path.glob("kill-*"))) == 2
    assert len(set(noted(tmp_path).values())) >= 2


@pytest.mark.parametrize("works", [True, False])
def test_a_process_that_is_asked_to_end(works: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends silently, whether it works or is just starting; then SIGTERM has its default effect again."""
    monkeypatch.setattr(os, "setsid", lambda: None)

    def end(*_: Any) -> None:
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(threading, "Thread", lambda **_: SimpleNamespace(start=list if works else end))
    monkeypatch.setattr(engines, "_serve", end)
    before = signal.getsignal(signal.SIGTERM)
    try:
        engines._work(Pipe()[0], RecordingTask(tmp_path))
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)


def test_ctrl_c_is_not_for_a_process_that_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C would print a traceback while it imports, so it is blocked there; the first process still receives it."""
    blocked: list[set[int]] = []
    monkeypatch.setattr(SpawnProcess, "start", lambda _: blocked.append(signal.pthread_sigmask(signal.SIG_BLOCK, ())))
    engines._Worker(RecordingTask(tmp_path))
    assert [signal.SIGINT in one for one in blocked] == [True]
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


@pytest.mark.slow
def test_a_process_that_is_killed_while_it_waits(tmp_path: Path) -> None:
    """The number that it would have been given next is another's."""
    results = processes(RecordingTask(tmp_path), range(3), 1)
    assert next(results) == 0
    [waiting] = active_children()
    waiting.kill()
    waiting.join()
    with pytest.warns(InkganWarning, match=r"number 1 ended \(exit code -9"):
        assert list(results) == [1, 4]


@pytest.mark.slow
def test_a_process_that_is_ended_tidies_up(tmp_path: Path) -> None:
    """The task's cleanup still runs, so that no half-finished work stays behind."""
    worker = engines._Worker(CleanupTask(tmp_path))
    worker.give(0)
    wait_for_file(tmp_path, "begun")
    worker.ask_to_end()
    worker.process.join()
    assert {path.name for path in tmp_path.iterdir()} == {"begun", "tidied"}


@pytest.mark.slow
@pytest.mark.parametrize("works", [True, False])
def test_a_process_that_was_stopped_is_ended(works: bool, tmp_path: Path) -> None:
    """A user may have stopped one for a while, to have its core; the first process does not wait for it for ever."""
    worker = engines._Worker(CleanupTask(tmp_path))
    if works:
        worker.give(0)
        wait_for_file(tmp_path, "begun")
    assert worker.process.pid is not None
    os.kill(worker.process.pid, signal.SIGSTOP)
    assert os.WIFSTOPPED(os.waitpid(worker.process.pid, os.WUNTRACED)[1])
    worker.ask_to_end()
    worker.process.join(SECONDS / 4)
    has_ended = not worker.process.is_alive()
    worker.process.kill()
    assert has_ended
    assert {path.name for path in tmp_path.iterdir()} == ({"begun", "tidied"} if works else set())


@pytest.mark.parametrize("read", [True, False])
def test_the_first_process_ends(tmp_path: Path, read: bool) -> None:
    """A worker then ends silently, whether or not its last result was read."""
    first, ours = Pipe()
    first.send(2)
    work = threading.Thread(target=engines._serve, args=(ours, RecordingTask(tmp_path)))
    work.start()
    assert first.poll(SECONDS)
    if read:
        assert first.recv() == (4, None, [])
    first.close()  # if a result is unread, the other end gets an error other than EOFError
    work.join(SECONDS)
    assert not work.is_alive()


@pytest.mark.slow
def test_an_error(tmp_path: Path) -> None:
    """An error of the task is raised in the process that started the work."""
    with pytest.raises(ConfigError, match="the number 1 is wrong"):
        list(processes(RecordingTask(tmp_path, wrong=1), range(6), 1))


class Here:
    """A worker in a thread of this process. The class counts how many have started and how many have ended."""

    process = SimpleNamespace(exitcode=-signal.SIGKILL, join=lambda: None)
    begun = ended = 0

    def __init__(self, task: Task[int]) -> None:
        type(self).begun += 1
        self.number: int | None = None
        self.connection, theirs = Pipe()
        threading.Thread(target=self.work, args=(theirs, task)).start()

    def work(self, ours: Connection, task: Task[int]) -> None:
        """Serve as a process does; a task that raises SystemExit stands for one that is killed."""
        with suppress(SystemExit), closing(ours):
            engines._serve(ours, task)

    def ask_to_end(self) -> None:
        type(self).ended += 1
        self.connection.close()

    give = engines._Worker.give


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> type[Here]:
    """Let threads of this process be the workers."""

    class Counting(Here):
        pass

    monkeypatch.setattr(engines, "_Worker", Counting)
    return Counting


class Awkward(Exception):  # noqa: N818
    """An exception that pickle cannot make again: it takes two arguments, and keeps one."""

    def __init__(self, layer: str, why: str) -> None:
        super().__init__(f"{layer} {why}")


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("of_a_network", [True, False])
def test_an_error_of_the_users_own(of_a_network: bool) -> None:
    """Its text arrives, and the line where it arose, even if pickle knows no such exception. Work is not repeated."""

    class Unknown(Exception):  # noqa: N818
        pass

    def task(number: int) -> int:
        raise Unknown("too often") if of_a_network else Awkward("layer 3", "too often")

    with pytest.raises(RuntimeError, match=r"^(Unknown|Awkward): .*too often") as caught:
        list(processes(task, range(3), 1))
    assert 'raise Unknown("too often")' in caught.value.__notes__[0]


@pytest.mark.usefixtures("here")
def test_a_defect() -> None:
    """An unexpected error keeps its type and brings its traceback; one of inkgan's says all in its line."""

    def task(number: int) -> int:
        return 1 // number

    def wrong(number: int) -> int:
        raise ConfigError("wrong.")

    with pytest.raises(ZeroDivisionError) as caught:
        list(processes(task, [0], 1))
    assert "return 1 // number" in caught.value.__notes__[0]
    with pytest.raises(ConfigError, match="wrong") as expected:
        list(processes(wrong, [0], 1))
    assert not hasattr(expected.value, "__notes__")


@pytest.mark.usefixtures("here")
def test_a_result_that_cannot_be_sent() -> None:
    """Nothing says that the process was killed; the error says what cannot be pickled, and the work is not repeated."""
    tried: list[int] = []

    def task(number: int) -> Any:
        tried.append(number)
        return lambda: number

    with pytest.raises((AttributeError, PicklingError), match=r"local object .test_a_result_that_cannot_be_sent"):
        list(processes(task, range(3), 1))
    assert tried == [0]


@pytest.mark.usefixtures("here")
def test_how_far_a_task_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first process hears which share of a number is done, often but not at every call, and when it has ended."""

    def task(number: int) -> int:
        engines.report(0.25)
        engines.report(0.75)
        return number

    said: list[tuple[int, float]] = []
    monkeypatch.setattr(engines, "_SECONDS_BETWEEN_REPORTS", 1e9)
    assert list(processes(task, [3, 4], 1, shares=lambda *one: said.append(one))) == [3, 4]
    assert said == [(3, 0.25), (3, 1.0), (4, 1.0)]
    monkeypatch.setattr(engines, "_SECONDS_BETWEEN_REPORTS", 0.0)
    said.clear()
    assert list(processes(task, [3, 4], 1, shares=lambda *one: said.append(one))) == [3, 4]
    assert said == [(3, 0.25), (3, 0.75), (3, 1.0), (4, 0.25), (4, 0.75), (4, 1.0)]
    engines.report(0.5)  # where no engine runs, nothing happens


def test_warnings(here: type[Here]) -> None:
    """A warning of the task is raised where the work was started, each message once."""

    def task(number: int) -> int:
        warnings.warn(f"{number // 3} is low", InkganWarning, stacklevel=1)
        return number

    with pytest.warns(InkganWarning) as caught:
        assert list(processes(task, range(6), 1)) == list(range(6))
    assert [str(one.message) for one in caught] == ["0 is low", "1 is low"]


@pytest.mark.parametrize(("count", "jobs", "workers"), [(6, 1, 1), (6, 4, 4), (2, 4, 2), (0, 4, 0)])
def test_no_more_processes_than_work(here: type[Here], count: int, jobs: int, workers: int) -> None:
    """There are as many workers as jobs or numbers, whichever is fewer, and all of them are ended."""
    assert sorted(processes(lambda number: number * number, range(count), jobs)) == SQUARES[:count]
    assert (here.begun, here.ended) == (workers, workers)


def test_all_processes_end_at_the_same_time(here: type[Here], monkeypatch: pytest.MonkeyPatch) -> None:
    """All are asked to end before any is waited for: each may take seconds to save its run."""
    ended_when_waited_for: list[int] = []
    waiting = SimpleNamespace(exitcode=0, join=lambda: ended_when_waited_for.append(here.ended))
    monkeypatch.setattr(here, "process", waiting)
    list(processes(abs, range(3), 3))
    assert ended_when_waited_for == [3, 3, 3]


@pytest.mark.parametrize("kills", [2, 3])
def test_a_number_is_tried_three_times(here: type[Here], kills: int) -> None:
    """Each attempt has a new process and comes before the numbers that are waiting."""
    tried: list[int] = []

    def task(number: int) -> int:
        tried.append(number)
        if number == 1 and tried.count(1) <= kills:
            raise SystemExit
        return number

    done: list[int] = []
    said = r"the process working on number 1 ended \(exit code -9: the system kills .*\), 3 times"
    refusal = pytest.raises(InkganError, match=said) if kills == 3 else nullcontext()
    with pytest.warns(InkganWarning, match="number 1 ended") as told, refusal:
        done.extend(processes(task, range(3), 1))
    assert (done, tried) == (([0], [0, 1, 1, 1]) if kills == 3 else ([0, 1, 2], [0, 1, 1, 1, 2]))
    assert len(told) == 2
    assert here.begun == here.ended == 3


@pytest.mark.usefixtures("here")
def test_how_far_a_number_is_whose_process_was_killed() -> None:
    """It has to begin again."""
    killed = iter([True, False])

    def task(number: int) -> int:
        engines.report(0.25)
        if next(killed):
            raise SystemExit
        return number

    said: list[tuple[int, float]] = []
    with pytest.warns(InkganWarning, match="number 3 ended"):
        assert list(processes(task, [3], 1, shares=lambda *one: said.append(one))) == [3]
    assert said == [(3, 0.25), (3, 0.0), (3, 0.25), (3, 1.0)]


def test_why_a_process_ended(here: type[Here], monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGKILL is reported as lack of memory, anything else as a crash."""
    monkeypatch.setattr(here, "process", SimpleNamespace(exitcode=-signal.SIGSEGV, join=lambda: None))

    def task(_: int) -> int:
        raise SystemExit

    said = "exit code -11: it crashed"
    with pytest.warns(InkganWarning, match=said) as told, pytest.raises(InkganError, match=said):
        list(processes(task, [5], 1))
    assert len(told) == 2


def test_how_many_jobs_there_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """One machine takes 1 to 16 jobs for each core; a cluster has no upper limit."""
    monkeypatch.setattr(engines, "cores", lambda: 2)
    for jobs in (1, 32):
        assert engines.checked_jobs(jobs, "processes") == jobs
    assert engines.checked_jobs(33, "ray") == 33
    with pytest.raises(ConfigError, match=r"cannot run 33 jobs on 2 cores. Ask for 1 to 32."):
        engines.checked_jobs(33, "processes")
    for name in ("processes", "ray"):
        with pytest.raises(ConfigError, match="cannot run 0 jobs"):
            engines.checked_jobs(0, name)


class FakeRay:
    """The part of Ray that inkgan uses, in this process, with a given number of cores and of starts that fail."""

    class exceptions:  # noqa: N801 - as in Ray
        class RayError(Exception):
            pass

        class RayTaskError(RayError):
            def __init__(self, cause: Exception) -> None:
                super().__init__(f"ray::_in_folder() (pid=7)\n{cause}")
                self.cause = cause

    def __init__(self, cores: float = 2, failures: int = 0, running: bool = False) -> None:
        self.cores, self.failures, self.running = cores, failures, running
        self.started: list[dict[str, Any]] = []
        self.shutdowns = self.flying = self.most = 0
        self.options: dict[str, Any] = {}
        self.failure: Exception | None = None

    def is_initialized(self) -> bool:
        return self.running

    def init(self, **options: Any) -> None:
        self.started.append(options)
        if len(self.started) <= self.failures:
            raise RuntimeError("no port\nmore of it")

    def shutdown(self) -> None:
        self.shutdowns += 1

    def put(self, task: Any) -> Any:
        return task

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": self.cores}

    def remote(self, **options: Any) -> Any:
        self.options = options

        def started(called: Any, *given: Any) -> Any:
            self.flying += 1
            self.most = max(self.most, self.flying)
            return lambda: called(*given)

        return lambda called: SimpleNamespace(remote=partial(started, called))

    def wait(self, flying: list[Any]) -> tuple[list[Any], list[Any]]:
        self.flying -= 1
        return flying[:1], flying[1:]

    def get(self, reference: Any) -> Any:
        if self.failure is not None:
            raise self.failure
        return reference()


@pytest.mark.parametrize(("cores", "at_once"), [(2, 4), (0.5, 2), (9, 6)])
@pytest.mark.parametrize("running", [False, True])
def test_what_ray_is_asked_for(monkeypatch: pytest.MonkeyPatch, cores: float, at_once: int, running: bool) -> None:
    """Every number is submitted once, at most two for each core at a time; a cluster that ran before keeps running."""
    fake = FakeRay(cores, running=running)
    monkeypatch.setattr(engines, "import_extra", {"ray": fake}.__getitem__)
    assert list(engines.ray(lambda number: number * number, range(6), 3)) == SQUARES
    assert (fake.most, fake.flying) == (at_once, 0)
    assert fake.options == {"num_cpus": 1, "max_retries": 2}
    assert (len(fake.started), fake.shutdowns) == ((0, 0) if running else (1, 1))


def test_errors_on_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the task arrives as from a process: unchanged, and a defect with its traceback. Ray is shut down."""

    def task(number: int) -> int:
        if number == 2:
            raise ConfigError("number 2 is wrong")
        return 1 // (number - 3)

    fake = FakeRay()
    monkeypatch.setattr(engines, "import_extra", {"ray": fake}.__getitem__)
    with pytest.raises(ConfigError, match="number 2 is wrong"):
        list(engines.ray(task, range(6), 1))
    assert fake.shutdowns == 1
    with pytest.raises(ZeroDivisionError) as caught:
        list(engines.ray(task, [3], 1))
    assert "return 1 // (number - 3)" in caught.value.__notes__[0]


def test_errors_of_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """They become one line: what Ray says first, or why it could not begin a task. Ray is shut down."""
    for failure, said in (
        (FakeRay.exceptions.RayError("the node died.\nand more"), r"the node died\."),
        (FakeRay.exceptions.RayTaskError(ImportError("no inkgan there.")), r"no inkgan there\."),
    ):
        fake = FakeRay()
        fake.failure = failure
        monkeypatch.setattr(engines, "import_extra", {"ray": fake}.__getitem__)
        with pytest.raises(InkganError, match=f"^Ray gave up: {said} Finished work is kept"):
            list(engines.ray(abs, range(6), 1))
        assert fake.shutdowns == 1


def test_warnings_and_progress_on_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """A warning of the task is raised where the work was started, each once; beginning and ends are told."""

    def task(number: int) -> int:
        warnings.warn(f"{number // 2} is low", InkganWarning, stacklevel=1)
        return number

    monkeypatch.setattr(engines, "import_extra", {"ray": FakeRay()}.__getitem__)
    said: list[tuple[int, float]] = []
    with pytest.warns(InkganWarning) as caught:
        assert list(engines.ray(task, range(4), 1, shares=lambda *one: said.append(one))) == [0, 1, 2, 3]
    assert [str(one.message) for one in caught] == ["0 is low", "1 is low"]
    assert said == [(0, 0.0), (0, 1.0), (1, 1.0), (2, 1.0), (3, 1.0)]


@pytest.mark.parametrize("failures", [0, 2, 3])
@pytest.mark.parametrize("address", ["", "10.0.0.1:6379"])
def test_ray_is_started_three_times_at_most(monkeypatch: pytest.MonkeyPatch, failures: int, address: str) -> None:
    """It starts here with one core for each job, unless RAY_ADDRESS names a cluster; usage statistics stay off."""
    monkeypatch.setenv("RAY_ADDRESS", address)
    monkeypatch.delenv("RAY_USAGE_STATS_ENABLED", raising=False)
    fake = FakeRay(failures=failures)
    monkeypatch.setattr(engines, "import_extra", {"ray": fake}.__getitem__)
    if failures == 3:
        with pytest.raises(InkganError, match=r"^Ray does not start: no port Use --engine processes"):
            list(engines.ray(abs, [1], 5))
    else:
        assert list(engines.ray(abs, [1], 5)) == [1]
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
    starts = min(failures + 1, 3)
    assert (len(fake.started), fake.shutdowns) == (starts, starts)
    for options in fake.started:
        assert options.pop("log_to_driver") is False
        assert options.pop("logging_level") == "error"
        if not address:  # Ray needs 75 MiB for its store, and takes a third of the memory by default
            assert 75 * 2**20 <= options.pop("object_store_memory") < 100 * 2**20
        here = {"address": "local", "num_cpus": 5, "include_dashboard": False}
        assert options == ({} if address else here)  # a running cluster accepts no sizes


def test_ray_does_not_decide_what_sigterm_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray installs a handler of its own when it starts, which aborts; the one from before is back afterwards."""
    fake = FakeRay()
    monkeypatch.setattr(engines, "import_extra", {"ray": fake}.__getitem__)
    monkeypatch.setattr(fake, "init", lambda **_: signal.signal(signal.SIGTERM, signal.SIG_IGN))
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert next(engines.ray(abs, [1], 1)) == 1
        assert signal.getsignal(signal.SIGTERM) == before
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_task_on_ray_begins_in_the_folder_of_the_first_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker changes to that folder for the task and back afterwards; if it is missing, the worker stays put."""
    first = tmp_path / "first"
    first.mkdir()
    fake = FakeRay()
    monkeypatch.setattr(engines, "import_extra", {"ray": fake}.__getitem__)
    monkeypatch.chdir(first)
    found = engines.ray(lambda _: Path.cwd(), range(4), 1)
    assert next(found) == first
    os.chdir(tmp_path)
    assert next(found) == first
    assert Path.cwd() == tmp_path
    first.rmdir()
    assert list(found) == [tmp_path, tmp_path]


def test_a_first_process_that_was_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its workers then stop themselves: they would work for nobody and keep their runs locked."""
    calls: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda *call: calls.append(call))
    sentinel, first = os.pipe()
    os.close(first)
    engines._stop_after(_ParentProcess("first", 1, sentinel))
    os.close(sentinel)
    assert calls == [(os.getpid(), signal.SIGTERM)]


def test_names() -> None:
    """An engine has one of two names."""
    with pytest.raises(ConfigError, match=r"unknown engine 'rey'. Did you mean 'ray'\? Choose from processes, ray\."):
        engines.checked_jobs(1, "rey")


@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # warnings of Ray itself
def test_ray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real cluster of two cores gives the same results, even if a worker is killed, and passes errors on."""
    here = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parents[1]), *here]))  # to find the tasks
    monkeypatch.setenv("HOME", str(tmp_path))  # Ray needs one, and looks there for a token
    import ray  # noqa: PLC0415

    engines._start_ray(ray, 2)  # once for both calls below
    monkeypatch.chdir(tmp_path.parent)
    try:
        assert sorted(engines.ray(RecordingTask(Path(tmp_path.name), deadly=2, kills=2), range(6), 2)) == SQUARES
        assert len(list(tmp_path.glob("kill-*"))) == 2
        assert len(noted(tmp_path)) == 6
        with pytest.raises(ConfigError, match="the number 1 is wrong"):
            list(engines.ray(RecordingTask(tmp_path, wrong=1), range(6), 2))
    finally:
        ray.shutdown()


def test_ray_that_is_not_installed_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"^this needs Ray\. Install it with: pip install 'inkgan\[ray\]'$"):
        list(engines.ray(abs, range(2), 1))


def test_a_task_may_report_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first process gets two shares in a second at most."""
    sent: list[float] = []
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    monkeypatch.setattr(engines._reporter, "send", sent.append)
    monkeypatch.setattr(engines._reporter, "due", 0.0)
    for number in range(64):
        engines.report(number / 64)
        now += 1 / 64
    assert sent == [0.0, 0.5]
