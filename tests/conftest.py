"""What the tests share: a small data set, and runs that spare what a test does not look at."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

# The networks of tests are too small to share, and the workers of a parallel run would fight for the cores.
# PyTorch reads it when it is imported; processes that a test starts inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
import torch

import tiny_runs as runs


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs a GPU where there is none; pytest says how many were deselected."""
    if not torch.cuda.is_available():
        needing = [item for item in items if item.get_closest_marker("gpu")]
        config.hook.pytest_deselected(items=needing)
        items[:] = [item for item in items if item not in needing]


@pytest.fixture(scope="session")
def small_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An .npz file of 20 grey images of 12×12: 16 to train with, so that an epoch ends inside a batch of 5."""
    return _noise(tmp_path_factory.mktemp("data") / "small.npz", side=12)


@pytest.fixture(scope="session")
def tutorial_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with 28×28 pixels, which the tutorial's networks need."""
    return _noise(tmp_path_factory.mktemp("data") / "small.npz", side=28)


def _noise(path: Path, side: int) -> Path:
    np.savez(path, images=np.random.default_rng(0).integers(0, 256, (20, side, side), dtype=np.uint8))
    return path


def _spare(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("inkgan.training.tutorial._STANDING_BATCHES", 2)
    patch.setattr("os.fsync", lambda _: None)


@pytest.fixture
def spared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what takes time and what a test does not look at: waiting for the disk, statistics."""
    _spare(monkeypatch)


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory, small_data: Path) -> Path:
    """A complete run of 6 steps with checkpoints at 0, 4 and 6. Read it only."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    with pytest.MonkeyPatch.context() as patch:
        _spare(patch)
        runs.train(folder, small_data)
    return folder


@pytest.fixture(scope="session")
def tutorial_run(tmp_path_factory: pytest.TempPathFactory, tutorial_data: Path) -> Path:
    """A complete run of the tutorial, of 6 steps with checkpoints at 0, 4 and 6. Read it only."""
    folder = tmp_path_factory.mktemp("tutorial") / "run"
    with pytest.MonkeyPatch.context() as patch:
        _spare(patch)
        runs.train(folder, tutorial_data, settings=runs.TUTORIAL)
    return folder


@pytest.fixture(scope="session")
def stopped_run(tmp_path_factory: pytest.TempPathFactory, small_data: Path) -> Path:
    """The same run, stopped after step 5, with checkpoints at 0, 4 and 5. Copy it before use."""
    folder = tmp_path_factory.mktemp("stopped") / "run"
    with pytest.MonkeyPatch.context() as patch:
        _spare(patch)
        runs.train(folder, small_data, stop_at=5)
    return folder


@pytest.fixture(autouse=True, scope="session")
def _no_user_data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let no run of a test read or write what belongs to the user; the features of MNIST are extracted once for all."""
    session = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        session = session.parent  # above the folders of the workers
    cache = session / "cache"
    cache.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache))
        yield
