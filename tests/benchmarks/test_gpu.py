"""The benchmark for GPUs, tried on the processor with tiny numbers."""

from __future__ import annotations

import argparse
import importlib
import math
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from inkgan.data import load

_REPOSITORY = Path(__file__).parents[2]
CPU = torch.device("cpu")


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """benchmarks/gpu.py."""
    monkeypatch.syspath_prepend(_REPOSITORY / "benchmarks")
    return importlib.import_module("gpu")


@pytest.mark.slow
def test_a_speed_is_measured(gpu: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row for each batch and precision; twice the images at twice the batch."""
    monkeypatch.setattr(gpu, "BATCHES", (2, 4))
    monkeypatch.setattr(gpu, "PRECISIONS", (torch.float32,))
    monkeypatch.setattr(gpu.Steps, "seconds", lambda _self, steps: steps / 10)
    assert gpu.speeds(load("mnist"), CPU, 1, 1)[1:] == [["2", "float32", "10.0", "20"], ["4", "float32", "10.0", "40"]]


@pytest.mark.slow
def test_a_step_takes_time(gpu: ModuleType) -> None:
    """On a real device, with a step that has the penalty and one that has not."""
    steps = gpu.Steps(load("mnist"), 2, torch.float32, CPU)
    assert steps.seconds(1) > 0
    assert steps.seconds(1) > 0


@pytest.mark.slow
def test_the_largest_batch_is_the_last_that_fits(gpu: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is doubled until the memory is full."""

    class Full:
        def __init__(self, _data: object, batch: int, *_: object) -> None:
            if batch > 300:
                raise torch.OutOfMemoryError

        def seconds(self, _steps: int) -> float:
            return 1.0

    monkeypatch.setattr(gpu, "Steps", Full)
    assert gpu.largest_batch(load("mnist"), CPU, 65_536) == 256
    assert gpu.largest_batch(load("mnist"), CPU, 128) == 128


def test_a_quality_is_reached_when_every_seed_reaches_it(gpu: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shortest length counts; what the time does not allow is said."""
    distances = {(100, 0): 20.0, (100, 1): 30.0, (300, 0): 2.0, (300, 1): 3.0, (900, 0): 0.9, (900, 1): 0.8}

    def trained(steps: int, seed: int, *_: Any) -> tuple[float, float]:
        return steps / 100 + seed, distances[steps, seed]

    monkeypatch.setattr(gpu, "Ruler", lambda: None)
    monkeypatch.setattr(gpu, "trained", trained)
    options = argparse.Namespace(lengths=[100, 300, 900], seeds=2, device="cpu", images=1)
    rows, reached = gpu.qualities(options, math.inf)
    assert [row[0] for row in rows[1:]] == ["100", "300", "900"]
    assert rows[1] == ["100", "1.5 [1.0 to 2.0]", "25.00 [20.00 to 30.00]", "2"]
    assert reached == [
        "- distance 24.9: 3.5 [3.0 to 4.0] s, 300 steps, every one of 2 seeds",
        "- distance 1: 9.5 [9.0 to 10.0] s, 900 steps, every one of 2 seeds",
        "- distance 0.5: not reached",
    ]
    rows, reached = gpu.qualities(options, time.monotonic() - 1)
    assert {row[1] for row in rows[1:]} == {"no time left"}
    assert {line.rpartition(": ")[2] for line in reached} == {"not reached"}
