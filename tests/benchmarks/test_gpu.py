"""The benchmark for GPUs, run on the CPU with tiny numbers."""

from __future__ import annotations

import argparse
import importlib
import math
import time
from types import ModuleType
from typing import Any

import pytest
import torch

from inkgan.config import resolve
from inkgan.data import load

CPU = torch.device("cpu")


@pytest.fixture
def gpu() -> ModuleType:
    """Import benchmarks/gpu.py."""
    return importlib.import_module("gpu")


@pytest.mark.slow
def test_a_speed_is_measured(gpu: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is a row for each batch and precision, and twice the batch has twice the images."""
    monkeypatch.setattr(gpu, "BATCHES", (2, 4))
    monkeypatch.setattr(gpu, "PRECISIONS", (torch.float32,))
    monkeypatch.setattr(gpu.Training, "seconds", lambda _self, steps: steps / 10)
    assert gpu.speeds(load("mnist"), CPU, 1, 1)[1:] == [
        ["2", "float32", "10", "10", "20"],
        ["4", "float32", "10", "10", "40"],
    ]


@pytest.mark.slow
def test_a_whole_run_takes_time_and_draws(gpu: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """It really trains on the CPU, with some steps that have the penalty and some that do not."""
    measured: list[int] = []
    seconds = gpu.Training.seconds

    def noting(training: Any, count: int, steps: int) -> float:
        measured.append(count)
        return float(seconds(training, count, steps))

    monkeypatch.setattr(gpu.Training, "seconds", noting)
    run = gpu.trained(load("mnist"), CPU, 2, gpu.FIRST + 2, 0, 3)
    assert measured == [gpu.FIRST, 2]
    assert min(run.first_seconds, run.seconds) > 0
    assert run.drawn.shape == (3, 28, 28, 1)
    assert run.drawn.dtype == "uint8"


@pytest.mark.slow
def test_the_largest_batch_is_the_last_that_fits(gpu: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """The batch is doubled until memory is full."""

    def training_of(*_: object, batch: int) -> Any:
        if batch > 300:
            raise torch.OutOfMemoryError
        return argparse.Namespace(seconds=lambda steps: steps / 10)

    monkeypatch.setattr(gpu, "training_of", training_of)
    assert gpu.largest_batch(load("mnist"), CPU, 65_536) == 256
    assert gpu.largest_batch(load("mnist"), CPU, 128) == 128


def test_a_quality_is_reached_when_every_seed_reaches_it(gpu: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shortest run counts, whatever its batch, and the report says what there was no time for."""
    distances = {(64, 100): (20.0, 30.0), (64, 300): (2.0, 3.0), (64, 900): (0.9, 0.8), (256, 400): (0.7, 0.9)}

    def trained(_data: object, _device: object, batch: int, steps: int, seed: int, _images: int) -> Any:
        return gpu.Trained(0.5, steps / 100 + seed, distances[batch, steps][seed])

    class Reference:
        def distance(self, drawn: float) -> Any:
            return argparse.Namespace(value=drawn)

    monkeypatch.setattr(gpu, "Reference", Reference)
    monkeypatch.setattr(gpu, "trained", trained)
    monkeypatch.setattr(gpu, "RUNS", list(distances))
    rows, reached = gpu.qualities(None, CPU, 2, math.inf)
    assert [row[:2] for row in rows[1:]] == [["64", "100"], ["64", "300"], ["64", "900"], ["256", "400"]]
    assert rows[1][2:] == ["1.50 [1.00 to 2.00]", "0.50 [0.50 to 0.50]", "25.00 [20.00 to 30.00]", "2"]
    assert reached == [
        "- distance 24.9: 3.50 [3.00 to 4.00] s, 300 steps of batch 64, every one of 2 seeds",
        "- distance 1: 4.50 [4.00 to 5.00] s, 400 steps of batch 256, every one of 2 seeds",
        "- distance 0.5: not reached",
    ]
    rows, reached = gpu.qualities(None, CPU, 2, time.monotonic() - 1)
    assert {row[2] for row in rows[1:]} == {"no time left"}
    assert {line.rpartition(": ")[2] for line in reached} == {"not reached"}


def test_a_run_that_writes_nothing_shows_nothing_either(gpu: ModuleType) -> None:
    watch = resolve(overrides=gpu.WATCHED["nor losses and pictures"]).watch
    assert (watch.doctor_every, watch.log_every, watch.grid_every, watch.show_every) == (0, 0, 0, 0)
