"""Processes that share a batch: any number of them learns the same bits, and losing one ends the run cleanly."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch.distributed import HashStore, TCPStore  # type: ignore[attr-defined]

import tiny_runs as runs
from inkgan.config import resolve
from inkgan.device import cores, threads_of_each
from inkgan.errors import ConfigError, InkganError, LostProcessError
from inkgan.runs.folder import RunFolder
from inkgan.training import options as training_options
from inkgan.training import start
from inkgan.training.compact import Compact
from inkgan.training.loop import lead
from inkgan.training.processes import (
    ManyProcesses,
    _end,
    _leaving_at_the_end,
    _prefix,
    _start,
    disagreement,
    started_here,
)
from inkgan.training.recipe import Contribution, StepInfo, mean_over_slices
from inkgan.training.start import _shared_facts
from inkgan.training.state import learned_tensors
from inkgan.training.stopping import StopSignals
from inkgan.training.team import DismissedError, Team, is_restart, number_of_processes, team_of
from inkgan.training.watching import Watcher
from ports import bound_socket
from refusals import command_refusal, refusal
from waiting import SECONDS, wait_for_file

SLICED = ("batch_size=8", "slices=4", "pretraining_steps=0")
SAVING = (*SLICED, "watch.save_every=2")
#: The launcher of two processes. By default, they would meet at this machine's name, which may have no address.
TORCHRUN = (
    sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone", "--local-addr", "127.0.0.1"
)  # fmt: skip


class _Part(Team):
    """One of several processes, with the results of the others given."""

    def __init__(self, rank: int, size: int, everyone: torch.Tensor) -> None:
        self.rank = rank
        self.size = size
        self._everyone = everyone

    def gather(self, rows: torch.Tensor) -> torch.Tensor:
        each = len(self._everyone) // self.size
        assert torch.equal(rows, self._everyone[self.rank * each : (self.rank + 1) * each])
        return self._everyone


class _Twins(Team):
    """The first of two processes; the other one has computed the same. It keeps the digests that are compared."""

    size = 2

    def __init__(self) -> None:
        self.compared: dict[int, str] = {}

    def gather(self, rows: torch.Tensor) -> torch.Tensor:
        return torch.cat([rows, rows])

    def require_equal(self, digest: str, step: int) -> None:
        self.compared[step] = digest


def contributions(count: int) -> list[Contribution]:
    """Return gradients of very different sizes, so that the order of a sum matters; one is channels-last in memory."""
    source = torch.Generator().manual_seed(0)
    scales = 10.0 ** torch.arange(count)
    return [
        Contribution(
            [
                (torch.randn(2, 3, 4, 4, generator=source) * scale).contiguous(memory_format=torch.channels_last),
                torch.randn(5, generator=source) * scale,
            ],
            {"loss": torch.randn((), generator=source)},
        )
        for scale in scales
    ]


@pytest.mark.parametrize("size", [1, 2, 4])
def test_the_mean_does_not_depend_on_the_number_of_processes(size: int) -> None:
    """Each process adds in the order of the slices, and the mean keeps the gradients' memory layout."""
    all_slices = contributions(4)
    flat = torch.stack(
        [torch.cat([one.gradients[0].reshape(-1), one.gradients[1], one.terms["loss"][None]]) for one in all_slices]
    )
    expected = (((flat[0] + flat[1]) + flat[2]) + flat[3]) / 4
    for rank in range(size):
        team = _Part(rank, size, flat)
        own = [all_slices[index] for index in team.own_slices(4)]
        gradients, terms = mean_over_slices(team, own, 4)
        found = torch.cat([gradients[0].reshape(-1), gradients[1], terms["loss"][None]])
        assert torch.equal(found, expected)
        assert gradients[0].stride() == all_slices[0].gradients[0].stride()


def test_one_slice_is_left_as_it_is() -> None:
    """A run with a single slice computes nothing more."""
    (only,) = contributions(1)
    assert mean_over_slices(Team(), [only], 1) is only


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["relativistic", "wgan-gp"])
def test_slices_change_rounding_alone(loss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In float64, 20 steps with four slices and with one agree within 1e-9."""
    # The networks are in float64 here.
    monkeypatch.setattr("inkgan.networks.usual_arithmetic", contextlib.nullcontext)
    learned = []
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        for slices in (1, 4):
            settings = ["batch_size=8", f"slices={slices}", f"loss={loss}", "critic_steps=1", "penalty.every=3"]
            settings += ["generator.channels=8", "discriminator.channels=8", "latent_dim=3"]
            recipe = Compact(resolve(overrides=settings), (8, 8, 1), 3, dtype=torch.float64)
            source = np.random.default_rng(0)
            for step in range(20):
                real = torch.from_numpy(source.random((8, 8, 8, 1)))
                recipe.step(StepInfo(step, step, step / 20), real, torch.arange(8) % 3)
            learned.append([tensor.clone() for tensor in learned_tensors(recipe)])
    finally:
        torch.set_default_dtype(before)
    assert all(tensor.dtype == torch.float64 for tensor in learned[0] if tensor.numel() > 1)
    for one, other in zip(*learned, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-9)
    assert any(not torch.equal(one, other) for one, other in zip(*learned, strict=True))


def test_a_launcher_of_several_machines_has_more_processes_than_one_could(monkeypatch: pytest.MonkeyPatch) -> None:
    """So its number may be repeated."""
    monkeypatch.setenv("RANK", "3")
    monkeypatch.setenv("WORLD_SIZE", "4096")
    assert number_of_processes(4096) == number_of_processes(None) == 4096


# What is refused


@pytest.mark.parametrize(
    ("options", "needed"),
    [
        (
            {"processes": 3, "settings": SLICED},
            "cannot share slices=4 evenly; 1, 2, 4 can. Or give a new run --set slices=3",
        ),
        ({"processes": 3}, "1 can. Or give a new run --set slices=3 --set batch_size="),
        ({"processes": 2, "settings": ["batch_size=8"]}, "give a new run --set slices=2, or a multiple"),
        ({"processes": 2}, "2 processes cannot share slices=1"),
        ({"processes": 0}, "--processes 0 is not possible here"),
        (
            {"processes": 512, "settings": ["batch_size=512", "slices=512"]},
            f"this machine has {cores()} processors. Give 1 to",
        ),
        (
            {"settings": ["batch_size=9", "slices=2"]},
            "slices=2 must divide batch_size=9. Give batch_size=10",
        ),
        ({"settings": ["recipe=tutorial", "slices=2"]}, "the tutorial is fixed and has no slices"),
    ],
    ids=["uneven", "and no such batch", "one slice of 8", "one slice", "none", "many", "batch", "tutorial"],
)
@pytest.mark.usefixtures("marked")
def test_what_cannot_be_shared(tmp_path: Path, small_data: Path, options: dict[str, Any], needed: str) -> None:
    """One line says what would work; nothing is written and no process is left."""
    refusal(lambda: runs.train(tmp_path / "run", small_data, **options), needed, kind=ConfigError)
    assert not (tmp_path / "run").exists()


def test_a_number_that_contradicts_the_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    """The launcher has already started its processes, so another --processes is refused."""
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="--processes 4 contradicts the launcher, which started 2"), team_of(4, 5, {}):
        pass


@pytest.mark.parametrize("timeout", [0, -3, float("nan"), float("inf")])
def test_a_timeout_that_is_no_time(tmp_path: Path, small_data: Path, timeout: float) -> None:
    """It is refused before any process starts."""
    with pytest.raises(ConfigError, match="number of seconds above 0"):
        runs.train(tmp_path / "run", small_data, timeout=timeout)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("rank", "size"), [("a", "2"), ("0", ""), ("2", "2"), ("-1", "2"), ("0", "9" * 5000)])
def test_an_environment_that_names_no_place(monkeypatch: pytest.MonkeyPatch, rank: str, size: str) -> None:
    """If other software set the variables, one line names them."""
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setenv("WORLD_SIZE", size)
    with pytest.raises(ConfigError, match="do not name a place among processes"), team_of(None, 5, {}):
        pass


@pytest.fixture
def port() -> Iterator[int]:
    """Return a port that is kept free: another program does not get it, and the test's own can listen there."""
    with bound_socket() as kept:
        yield kept.getsockname()[1]


@pytest.mark.slow
def test_some_processes_do_not_come(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    """If the first process waits in vain, it says how many came."""
    monkeypatch.setattr("inkgan.training.processes._SECONDS_TO_MEET", 1.0)
    for name, value in {"RANK": 0, "WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}.items():
        monkeypatch.setenv(name, str(value))
    with pytest.raises(ConfigError, match=r"^1 of 2 processes came to .*Start the others"), team_of(None, 1, {}):
        pass


@pytest.mark.parametrize("is_taken", [False, True])
def test_process_0_cannot_be_reached(monkeypatch: pytest.MonkeyPatch, is_taken: bool) -> None:
    """Another process says so itself, because process 0 may not be there; it does not wait longer than it should."""
    monkeypatch.setattr("inkgan.training.processes._SECONDS_TO_MEET", 0.5)
    monkeypatch.setattr("inkgan.training.processes._SECONDS_OF_AN_ATTEMPT", 0.5)
    with bound_socket() as server:
        if is_taken:
            server.listen()
        port = server.getsockname()[1]
        for name, value in {"RANK": 1, "WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}.items():
            monkeypatch.setenv(name, str(value))
        reason = "another program answers" if is_taken else "connection refused"
        began = time.monotonic()
        with (
            pytest.raises(ConfigError, match=f"process 1 cannot reach process 0 at .*: {reason}"),
            team_of(None, 0.5, {}),
        ):
            pass
        assert time.monotonic() - began < SECONDS / 2  # PyTorch alone would wait for five minutes


@pytest.mark.parametrize("port", ["", "many", "0", "65536", "-1", "9" * 5000])
def test_a_port_that_is_none(monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    """It is refused in one line."""
    for name, value in {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match="MASTER_PORT") as caught, team_of(None, 5, {}):
        pass
    assert len(str(caught.value)) < 300


def until_reached(port: int, process: subprocess.Popen[str]) -> None:
    """Wait until a program listens at a port."""
    while process.poll() is None:
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_that_waits_for_others_can_be_stopped(tmp_path: Path, small_data: Path, rank: int) -> None:
    """A signal ends it at once, in one line, and nothing was written."""
    with bound_socket() as server:
        if rank == 1:
            server.settimeout(SECONDS)
            server.listen()
        port = server.getsockname()[1]
        place = {"RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        words = command(tmp_path / "run", small_data)
        process = subprocess.Popen(words, env=os.environ | place, stderr=subprocess.PIPE, text=True)
        if rank == 0:
            until_reached(port, process)
        else:
            server.accept()[0].close()
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=SECONDS)
    assert process.returncode == 143
    assert told == "inkgan: stopped.\n"
    assert not (tmp_path / "run").exists()


def test_no_place_to_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing variable and a port that is taken are told as such."""
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    with pytest.raises(ConfigError, match="RANK is set, but not MASTER_PORT"), team_of(None, 5, {}):
        pass
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("MASTER_PORT", str(taken.getsockname()[1]))
        with pytest.raises(ConfigError, match="another program uses the port"), team_of(None, 5, {}):
            pass


@pytest.mark.parametrize(("asked", "each"), [("3", 3), ("4,2", 4), ("", 1), ("0", 1), ("many", 1), ("-2", 1)])
def test_the_threads_of_each_process(monkeypatch: pytest.MonkeyPatch, asked: str, each: int) -> None:
    """OMP_NUM_THREADS is read as OpenMP reads it; an invalid value is ignored."""
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert threads_of_each(1000) == each


@pytest.mark.parametrize(("provided", "start"), [("True", "inkgan-3-"), ("False", "inkgan-0-")])
def test_starts_that_launchers_count_differently(monkeypatch: pytest.MonkeyPatch, provided: str, start: str) -> None:
    """The count tells starts apart in a store that outlives them; in any other it could only keep processes apart."""
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "3")
    monkeypatch.setenv("TORCHELASTIC_USE_AGENT_STORE", provided)
    assert _prefix().startswith(start)


def test_the_first_start_and_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A restart is recognised by a number above 0; anything that is not a number is a first start."""
    assert not is_restart()
    for value, said in (("0", False), ("2", True), ("again", False)):
        monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", value)
        assert is_restart() is said


@pytest.mark.parametrize("agreed", [False, True])
def test_others_that_still_wait_to_begin_are_dismissed_at_once(monkeypatch: pytest.MonkeyPatch, agreed: bool) -> None:
    """If the first process fails while the others wait to agree or to meet, they end at once."""
    monkeypatch.setattr("inkgan.training.processes.dist.init_process_group", lambda *_args, **_options: None)
    store = HashStore()
    first, second = (ManyProcesses(store, rank, 2, 60.0) for rank in range(2))

    def follow() -> None:
        second.agree(lambda: None, lambda _: {})
        second.meet()

    with ThreadPoolExecutor() as pool:
        following = pool.submit(follow)
        if agreed:
            first.agree(lambda: None, lambda _: {})
        first.dismiss(2)
        with pytest.raises(DismissedError) as caught:
            following.result(SECONDS)
    assert caught.value.exit_code == 2


@pytest.mark.slow
def test_others_wait_while_the_first_process_says_that_it_prepares(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training a feature network takes minutes, and only the first process does it."""
    monkeypatch.setattr("inkgan.training.processes._SECONDS_TO_MEET", 1.0)
    store = HashStore()
    first, second = (ManyProcesses(store, rank, 2, 1.0) for rank in range(2))

    def prepare() -> str:
        for _ in range(15):
            time.sleep(0.1)
            first.keep_waiting()
        return "prepared"

    with ThreadPoolExecutor() as pool:
        following = pool.submit(second.agree, lambda: "waited", lambda _: {})
        assert first.agree(prepare, lambda _: {}) == "prepared"
        assert following.result(SECONDS) == "waited"


@pytest.mark.parametrize(("has_met", "waited"), [(False, "1.9 s"), (True, "0.3 s")])
def test_the_longer_wait_is_for_the_start_alone(monkeypatch: pytest.MonkeyPatch, has_met: bool, waited: str) -> None:
    """Once all have met, a process that hangs is given up after the timeout; the message names the time it waited."""
    monkeypatch.setattr("inkgan.training.processes.dist.init_process_group", lambda *_args, **_options: None)
    monkeypatch.setattr("inkgan.training.processes._SECONDS_TO_MEET", 1.9)
    store = HashStore()
    first, second = (ManyProcesses(store, rank, 2, 0.3) for rank in range(2))
    if has_met:
        with ThreadPoolExecutor() as pool:
            list(pool.map(ManyProcesses.meet, (first, second)))
    now = [1000.0]
    clock = SimpleNamespace(monotonic=lambda: now[0], sleep=lambda seconds: now.append(now.pop() + seconds))
    monkeypatch.setattr("inkgan.training.processes.time", clock)
    with pytest.raises(LostProcessError, match=f"did not answer within {waited}"):
        first.require_equal("a", 50)
    assert now[0] - 1000 == pytest.approx(float(waited.removesuffix(" s")), abs=0.1)


@pytest.mark.slow
@pytest.mark.usefixtures("marked")
def test_a_run_that_cannot_begin_ends_at_once(
    tmp_path: Path, small_data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Errors that only the first process finds, such as another trainer in the folder, end the run at once."""
    folder = tmp_path / "run"
    with RunFolder(folder).lock.held():
        words = runs.command(folder, small_data, "--processes", 2, "--quiet", settings=SAVING)
        assert command_refusal(capfd, *words).startswith(f"another process is training in {folder}.")


def test_the_other_processes_find_the_modules_that_the_first_one_finds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A program may have put a folder of its own on the path."""
    # Python imports a module of this name at its start, if it finds one.
    (tmp_path / "sitecustomize.py").write_text("import os, sys\nsys.stdin.readline()\nos._exit(7)\n")
    monkeypatch.syspath_prepend(tmp_path)
    process = _start(1, 2, port=1, threads=1, command={})
    try:
        assert process.wait(SECONDS) == 7
    finally:
        _end([process])


def test_a_process_that_ends_at_the_start_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """For example, the system killed it because memory ran out."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*_given: object) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen(["false"], stdin=subprocess.PIPE))
        return started[-1]

    monkeypatch.setattr("inkgan.training.processes._start", start)
    began = time.monotonic()
    with pytest.raises(LostProcessError, match="another process of this run has ended"), started_here(2, 60.0, {}):
        pass
    assert time.monotonic() - began < 60
    assert [process.returncode for process in started] == [1]


def test_processes_that_hang_are_waited_for_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many processes hang, the run ends a few seconds after giving up."""
    monkeypatch.setattr("inkgan.training.processes._SECONDS_TO_END", 0.5)
    hanging = [subprocess.Popen(["sleep", "600"], stdin=subprocess.PIPE) for _ in range(6)]
    waits: list[float] = []
    wait = subprocess.Popen.wait

    def noted(process: subprocess.Popen[bytes], timeout: float | None = None) -> int:
        waits.append(timeout or 0.0)
        return wait(process, timeout)

    monkeypatch.setattr(subprocess.Popen, "wait", noted)
    _end(hanging)
    assert sum(waits) <= 0.5
    assert [process.returncode for process in hanging] == [-signal.SIGKILL] * 6


@pytest.mark.parametrize(("digests", "other"), [(["a", "a", "b"], 2), (["a", "a", "a"], None)])
def test_weights_that_differ_end_the_run(
    monkeypatch: pytest.MonkeyPatch, digests: list[str], other: int | None
) -> None:
    """The error names the step and the process; only the first process prints it."""
    team = object.__new__(ManyProcesses)
    monkeypatch.setattr(team, "_answers", lambda _own: [{"digest": one} for one in digests])
    monkeypatch.setattr(team, "join", lambda _place: None)
    if other is None:
        team.require_equal("a", 150)
        return
    said = f"at step 150 process {other} has other weights than process 0"
    for rank, printed in ((0, said), (1, "^$")):
        team.rank = rank
        team.prints = rank == 0
        with pytest.raises(InkganError, match=printed), _leaving_at_the_end(team):
            team.require_equal("a", 150)


def test_weights_are_compared_again_and_again(
    tmp_path: Path, small_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every few steps, with a digest that the next update changes."""
    monkeypatch.setattr("inkgan.training.loop._COMPARE_EVERY", 2)
    team = _Twins()
    options = training_options.complete_options(
        data=small_data, out=tmp_path / "run", steps=5, settings=[*runs.SETTINGS, *SLICED], device="cpu"
    )
    lead(start.prepare(options, Watcher(), team), Watcher(), StopSignals())
    assert list(team.compared) == [2, 4]
    assert len(set(team.compared.values())) == 2


@pytest.mark.parametrize(
    ("answers", "needed"),
    [
        ([{"data": "a"}, {"data": "a"}, {"data": "b"}], "process 2 differs from process 0: data is b there and a here"),
        ([{"data": "a"}, "there is no file x."], "process 1 of 2 cannot start: there is no file x."),
    ],
)
def test_processes_that_differ(answers: list[Any], needed: str) -> None:
    """If data, settings or versions differ, or one process fails, the error names that process."""
    given = [{"identity": one} if isinstance(one, dict) else {"error": one} for one in answers]
    found = disagreement(given)
    assert found is not None
    assert found.startswith(needed)
    assert disagreement(given[:1]) is None


def test_processes_that_would_stop_at_different_steps(tmp_path: Path, small_data: Path) -> None:
    """They do not begin: one would leave in the middle, and the others would take it for lost."""
    runs_of = [runs.prepare(data=small_data, out=tmp_path / "run", stop_at=step) for step in (None, 3)]
    found = disagreement([{"identity": _shared_facts(run)} for run in runs_of])
    assert found is not None
    assert found.startswith("process 1 differs from process 0: stop_at is 3 there and None here.")


def test_processes_with_other_versions_or_devices(
    tmp_path: Path, small_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are refused: each draws the random numbers of its slices itself, and they exchange tensors of one kind."""
    run = runs.prepare(data=small_data, out=tmp_path / "run", device="cpu")
    here = _shared_facts(run)
    assert _shared_facts(replace(run, device=torch.device("cuda", 1))) == here | {"the device": "cuda"}
    for module, name in (("torch", "PyTorch"), ("numpy", "NumPy")):
        monkeypatch.setattr(f"{module}.__version__", "0.1")
        found = disagreement([{"identity": here}, {"identity": _shared_facts(run)}])
        assert found is not None
        assert found.startswith(f"process 1 differs from process 0: {name}'s version is 0.1 there and ")
        monkeypatch.undo()


def test_of_a_group_of_settings_only_the_one_that_differs_is_named(tmp_path: Path, small_data: Path) -> None:
    """As it is typed after --set."""
    settings = [[*runs.SETTINGS, f"watch.save_every={every}"] for every in (4, 5)]
    runs_of = [runs.prepare(data=small_data, out=tmp_path / "run", settings=one) for one in settings]
    found = disagreement([{"identity": _shared_facts(run)} for run in runs_of])
    assert found is not None
    assert found.startswith("process 1 differs from process 0: the setting watch.save_every is 5 there and 4 here.")


# Whole runs


def followers(folder: Path) -> list[int]:
    """Return the ids of the processes that train along with a run in a folder."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            words = (place / "cmdline").read_bytes().split(b"\0")
            mine = f"INKGAN_TEST={folder}".encode() in (place / "environ").read_bytes()
        except OSError:
            continue
        if mine and b"inkgan.training.follower" in words:
            found.append(int(place.name))
    return found


@pytest.fixture
def marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Mark the processes that a test starts, so that they can be found, and require that none is left at its end."""
    monkeypatch.setenv("INKGAN_TEST", str(tmp_path))
    yield
    assert followers(tmp_path) == []


def command(folder: Path, data: Path, *options: object, steps: int = 9) -> list[str]:
    """Return the command ``inkgan train`` for a run that can be shared."""
    return [sys.executable, "-m", "inkgan", *runs.command(folder, data, *options, steps=steps, settings=SAVING)]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, small_data: Path) -> dict[str, Any]:
    """Return what one process learns."""
    folder = tmp_path_factory.mktemp("alone") / "run"
    runs.train(folder, small_data, settings=SAVING)
    return runs.learned(folder)


@pytest.mark.slow
@pytest.mark.usefixtures("marked")
def test_the_bits_do_not_depend_on_the_processes(tmp_path: Path, small_data: Path) -> None:
    """Weights, optimisers, metrics and pictures of four processes are those of one; float32 is tested below.

    bfloat16 gives the same bits, too, because gradients are gathered in float32, like the weights.
    """
    for processes in (1, 4):
        options = {"processes": processes, "settings": SAVING, "precision": "bfloat16"}
        assert runs.train(tmp_path / str(processes), small_data, **options).complete
    assert runs.learned(tmp_path / "1") == runs.learned(tmp_path / "4")


@pytest.mark.slow
@pytest.mark.usefixtures("marked")
def test_files_in_the_current_folder_are_not_executed(tmp_path: Path, small_data: Path, alone: dict[str, Any]) -> None:
    """Four processes learn the bits of one, and do not take ``queue.py`` for the module that PyTorch imports."""
    (tmp_path / "queue.py").write_text("open('executed', 'w')\nraise SystemExit(1)\n")
    words = command(tmp_path / "run", small_data, "--processes", 4, "--quiet", steps=runs.STEPS)
    words.insert(1, "-P")  # like the installed command, whose first folder for modules is its own
    subprocess.run(words, check=True, cwd=tmp_path, timeout=SECONDS)
    assert not (tmp_path / "executed").exists()
    assert runs.learned(tmp_path / "run") == alone


@pytest.mark.slow
def test_a_process_that_loses_process_0_at_the_start(tmp_path: Path, small_data: Path, port: int) -> None:
    """It ends with exit code 3, and PyTorch's traces of C++ code do not fill the terminal."""

    def lead() -> None:
        """Provide the store until the other process waits there for the first answer."""
        TCPStore("127.0.0.1", port, is_master=True, wait_for_workers=False).wait(["inkgan-0-0/answer-1-1"])

    place = {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    words = command(tmp_path / "run", small_data)
    with ThreadPoolExecutor() as pool:
        leading = pool.submit(lead)
        ended = subprocess.run(
            words, env=os.environ | place, capture_output=True, text=True, check=False, timeout=SECONDS
        )
        leading.result(SECONDS)
    assert (ended.returncode, ended.stderr) == (3, "")


@pytest.mark.parametrize(
    ("address", "interface", "other", "is_refused"),
    [
        ("127.0.1.1", "", "second", True),  # as Debian and Ubuntu write it into /etc/hosts
        ("::1", "", "second", True),
        (None, "", "second", True),  # a name without an address
        ("10.0.0.1", "", "second", False),
        ("127.0.1.1", "eth0", "second", False),
        ("127.0.1.1", "", "first", False),  # all processes are on this machine
    ],
)
def test_a_machine_whose_name_leads_to_itself(
    address: str | None, interface: str, other: str, is_refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gloo would tell the other machines an address at which they find themselves."""

    def resolved(host: bytes, _: object) -> list[Any]:
        if address is None:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0))] if host == b"first" else []

    joined: list[int] = []
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", interface)
    monkeypatch.setattr(socket, "gethostname", lambda: "first")
    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    monkeypatch.setattr(torch.distributed, "init_process_group", lambda *_, rank, **__: joined.append(rank))
    monkeypatch.setattr(ManyProcesses, "_answers", lambda _, own: [own, {"host": other, "is_hidden": False}])
    team = ManyProcesses(HashStore(), 0, 2, 60.0)
    refused = pytest.raises(ConfigError, match=r"the name first leads .* export GLOO_SOCKET_IFNAME=eth0")
    with refused if is_refused else contextlib.nullcontext():
        team.join()
    assert joined == ([] if is_refused else [0])


def test_a_machine_with_a_name_of_64_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux allows one more than names in the DNS may have, for which Python has an error of its own."""
    joined: list[int] = []
    monkeypatch.setattr(socket, "gethostname", lambda: "a" * 64)
    monkeypatch.setattr(torch.distributed, "init_process_group", lambda *_, rank, **__: joined.append(rank))
    ManyProcesses(HashStore(), 0, 1, 60.0).join()
    assert joined == [0]


@pytest.mark.slow
@pytest.mark.usefixtures("marked")
def test_torchrun_starts_again(tmp_path: Path, small_data: Path, alone: dict[str, Any]) -> None:
    """Processes know torchrun by its variables. A start after one that failed begins new runs and resumes old ones.

    No run sees what an earlier one in the same processes exchanged.
    """
    runs.train(tmp_path / "long", small_data, settings=SAVING, stop_at=2)
    # As it would be if the first start had been killed after step 2.
    script = tmp_path / "worker.py"
    script.write_text(
        "import os, runpy, sys\n"
        "if os.environ['TORCHELASTIC_RESTART_COUNT'] == '0':\n"
        "    sys.exit(1)\n"
        "import tiny_runs as runs\n"
        "from pathlib import Path\n"
        "folder, data, *settings = sys.argv[1:]\n"
        "runs.train(Path(folder, 'short'), Path(data), settings=settings, steps=3)\n"
        "sys.argv[1:] = runs.command(Path(folder, 'long'), Path(data), settings=settings)\n"
        "runpy.run_module('inkgan', run_name='__main__')\n"
    )
    launcher = [*TORCHRUN, "--max-restarts", "1", "--monitor-interval", "0.1"]
    words = [*launcher, str(script), str(tmp_path), str(small_data), *SAVING]
    paths = {"PYTHONPATH": os.pathsep.join([str(Path(runs.__file__).parent), os.environ.get("PYTHONPATH", "")])}
    subprocess.run(words, check=True, capture_output=True, timeout=2 * SECONDS, env=os.environ | paths)
    assert runs.learned(tmp_path / "long") == alone
    runs.train(tmp_path / "short alone", small_data, settings=SAVING, steps=3)
    assert runs.learned(tmp_path / "short") == runs.learned(tmp_path / "short alone")


@pytest.mark.slow
def test_a_first_process_that_ends_at_once() -> None:
    """The other one, which has no command yet, ends as well, without a traceback."""
    words = [sys.executable, "-m", "inkgan.training.follower"]
    done = subprocess.run(words, check=False, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS)
    assert (done.returncode, done.stdout, done.stderr) == (3, b"", b"")


def without_a_follower(folder: Path, data: Path, kind: signal.Signals) -> tuple[int, str]:
    """Train with two processes, send a signal to the second one; return the exit code and what the first one said."""
    words = command(folder / "run", data, "--processes", 2, "--timeout", 10, "--quiet", steps=3000)
    mark = {"INKGAN_TEST": str(folder)}
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=os.environ | mark) as process:
        wait_for_file(folder / "run", "checkpoints/step-*[2-8]", process)  # one of the two that are kept, at any time
        (lost,) = followers(folder)
        os.kill(lost, kind)
        said = process.communicate(timeout=SECONDS)[1]
    return process.returncode, said


@pytest.mark.slow
@pytest.mark.usefixtures("marked")
def test_a_process_that_is_lost(tmp_path: Path, small_data: Path) -> None:
    """If it is killed or stopped, the run ends with one line and exit code 3, and resumes on one process."""
    kinds = signal.SIGKILL, signal.SIGSTOP
    with ThreadPoolExecutor() as pool:  # at once, because a stopped process is waited for
        ended = list(pool.map(lambda kind: without_a_follower(tmp_path / kind.name, small_data, kind), kinds))
    assert followers(tmp_path) == []
    for kind, (code, said) in zip(kinds, ended, strict=True):
        assert code == 3, kind
        too_few, line = said.splitlines()
        assert too_few.startswith("inkgan: warning: small has too few test images to measure")
        assert line.startswith("inkgan: another process of this run has ended, or did not answer within 10 s")
        folder, other = tmp_path / kind.name / "run", tmp_path / kind.name / "other"
        options = {"settings": SAVING, "steps": 3000, "stop_at": runs.steps_saved(folder)[-1] + 2}
        runs.train(folder, small_data, resume=True, **options)
        runs.train(other, small_data, **options)
        assert runs.learned(folder) == runs.learned(other)
