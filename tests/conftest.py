"""Fixtures that the tests share: small data sets, and short runs that skip whatever no test looks at."""

from __future__ import annotations

import functools
import gc
import os
import sys
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

# The networks in tests are too small for several threads, and the workers of a parallel test run would fight for the
# cores. PyTorch reads this variable when it is imported; processes that a test starts inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import hypothesis
import numpy as np
import pytest
import torch
import typer

import tiny_runs as runs
from inkgan import device
from inkgan.data import DataSet, loading
from inkgan.data.known_sets import EMBEDDED, KnownSet
from inkgan.data.sets import ReadingOptions
from inkgan.generation import engines
from inkgan.generation.engines import Shares, T, Task
from stand_in_models import RealDigits

# Collecting the tests makes hardly any garbage, and looking for it took a seventh of the time.
gc.disable()

# What this user has set for inkgan, for terminals, launchers and downloads must not decide what a test finds.
for _name in (
    "INKGAN_DATA", "INKGAN_NETWORKS", "COLUMNS", "LINES", "TERMINAL_WIDTH", "NO_COLOR", "FORCE_COLOR", "GITHUB_ACTIONS",
    "RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_RESTART_COUNT", "RAY_ADDRESS",
    "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY",
):  # fmt: skip
    os.environ.pop(_name, None)
# All tests of one process see the same kind of terminal: Rich remembers the codes of a style from its first use.
os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
# Hypothesis draws the same examples each time, however long they take: a test fails because of a change, and not by
# chance or because the machine is busy. `pytest --hypothesis-profile random` looks for other examples.
hypothesis.settings.register_profile("random", hypothesis.settings.get_profile("ci"), derandomize=False)
hypothesis.settings.load_profile("ci")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests that this machine cannot run; pytest reports how many."""
    here = {"gpu": torch.cuda.is_available(), "linux": sys.platform == "linux"}
    absent = [marker for marker, is_here in here.items() if not is_here]
    needing = [item for item in items if any(map(item.get_closest_marker, absent))]
    config.hook.pytest_deselected(items=needing)
    items[:] = [item for item in items if item not in needing]


def pytest_collection_finish() -> None:
    """From here on, the search for garbage skips what there is already: the tests themselves and the libraries."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def small_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An .npz file of 20 grey images of 12×12: 16 to train with, so that an epoch ends inside a batch of 5."""
    return _noise(tmp_path_factory.mktemp("data") / "small.npz", side=12)


@pytest.fixture(scope="session")
def tutorial_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same file with images of 28×28, which the tutorial's networks need."""
    return _noise(tmp_path_factory.mktemp("data") / "small.npz", side=28)


def _noise(path: Path, side: int) -> Path:
    np.savez(path, images=np.random.default_rng(0).integers(0, 256, (20, side, side), dtype=np.uint8))
    return path


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time by which runs of some seconds end: a tenth of a second passes whenever it is read, on any machine."""
    now = [0.0]

    def read() -> float:
        now[0] += 0.1
        return now[0]

    monkeypatch.setattr("inkgan.training.loop.time", SimpleNamespace(perf_counter=read))
    return now


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory, small_data: Path) -> Path:
    """A complete run of 6 steps with checkpoints at 0, 4 and 6. Read it only."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    runs.train(folder, small_data)
    return folder


@pytest.fixture(scope="session")
def tutorial_run(tmp_path_factory: pytest.TempPathFactory, tutorial_data: Path) -> Path:
    """A complete run of the tutorial, of 6 steps with checkpoints at 0, 4 and 6. Read it only."""
    folder = tmp_path_factory.mktemp("tutorial") / "run"
    runs.train(folder, tutorial_data, settings=runs.TUTORIAL)
    return folder


@pytest.fixture(scope="session")
def stopped_run(tmp_path_factory: pytest.TempPathFactory, small_data: Path) -> Path:
    """The run of ``finished_run``, stopped after step 5, with checkpoints at 0, 4 and 5. Copy it before use."""
    folder = tmp_path_factory.mktemp("stopped") / "run"
    runs.train(folder, small_data, stop_at=5)
    return folder


@pytest.fixture
def no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do the work of an engine in this process instead of others."""

    def engine(
        task: Task[T], numbers: Sequence[int], jobs: int, *, shares: Shares = lambda number, share: None
    ) -> Iterator[T]:
        for number in numbers:
            result = task(number)
            shares(number, 1.0)
            yield result

    monkeypatch.setitem(engines.ENGINES, "processes", engine)


@pytest.fixture
def real_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the name of any model that writes stand for real digits."""
    monkeypatch.setattr("inkgan.generation.hands.load", lambda _: RealDigits())


@pytest.fixture
def only_embedded_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hide this machine's data sets, except the embedded one."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(autouse=True, scope="session")
def _slow_work_is_done_once_or_not_at_all() -> Iterator[None]:
    """Compute what is always the same once, and skip what no test looks at."""
    read_known, read_embedded = loading.read_known, functools.cache(loading.read_known)

    def read_known_once(known: KnownSet, folder: Path, reading: ReadingOptions) -> DataSet:
        if folder.parent == EMBEDDED:
            return read_embedded(known, folder, reading)
        return read_known(known, folder, reading)

    with pytest.MonkeyPatch.context() as patch:
        # Typer builds all commands anew for each call of `run`, which takes longer than most calls.
        patch.setattr("typer.main.get_command", functools.cache(typer.main.get_command))
        patch.setattr(loading, "read_known", read_known_once)
        # What each start of a run writes down: the commit, for which it asks git, and the versions of packages.
        patch.setattr(device, "_commit", functools.cache(device._commit))
        patch.setattr(metadata, "version", functools.cache(metadata.version))
        # In a checkpoint of the tutorial, statistics of 20 batches; and whatever is written has to survive a test, but
        # no loss of power.
        patch.setattr("inkgan.training.tutorial._STANDING_BATCHES", 2)
        patch.setattr("os.fsync", lambda _: None)
        yield


@pytest.fixture(autouse=True, scope="session")
def _no_user_data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the tests out of the user's cache. They share one of their own, so MNIST's features are extracted once."""
    session = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        session = session.parent  # above the folders of the workers
    cache = session / "cache"
    cache.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache))
        yield


@pytest.fixture
def stop_while_writing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop with the first byte of the next file that is written."""

    def write(path: Path, *_: object, **__: object) -> None:
        with path.open("wb") as file:
            file.write(b"{")
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_text", write)
    monkeypatch.setattr(Path, "write_bytes", write)
    monkeypatch.setattr(np, "savez", write)
