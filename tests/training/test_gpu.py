"""On a CUDA device, where there is one: runs learn, resume exactly, and draw what NumPy draws."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import inkgan
import tiny_runs as runs
from inkgan.config import resolve
from inkgan.training.recipe import StepInfo
from inkgan.training.start import build

pytestmark = [pytest.mark.gpu, pytest.mark.usefixtures("spared")]


@pytest.mark.parametrize("settings", [runs.TUTORIAL, runs.SETTINGS], ids=["tutorial", "fast"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_resuming_is_exact(tmp_path: Path, tutorial_data: Path, settings: tuple[str, ...], precision: str) -> None:
    """N + N steps are 2N on a GPU too."""
    options: dict[str, Any] = {"settings": settings, "precision": precision, "device": "cuda"}
    runs.train(tmp_path / "whole", tutorial_data, **options)
    runs.train(tmp_path / "parts", tutorial_data, stop_at=3, **options)
    runs.train(tmp_path / "parts", tutorial_data, resume=True, **options)
    assert runs.learned(tmp_path / "parts") == runs.learned(tmp_path / "whole")
    assert inkgan.load(tmp_path / "whole").sample(3).std() > 0


def test_a_step_is_the_processors_step() -> None:
    """In float32 the losses of the first step agree with the processor's."""
    config = resolve(overrides=["batch_size=16"])
    real = torch.from_numpy(np.random.default_rng(0).random((16, 28, 28, 1), dtype=np.float32))
    labels = torch.arange(16) % 10
    terms = {}
    for name in ("cpu", "cuda"):
        device = torch.device(name)
        recipe = build(config, (28, 28, 1), 10, device, torch.float32)
        terms[name] = recipe.step(StepInfo(0, 0, 0.0), real.to(device), labels.to(device))
    for key, value in terms["cpu"].items():
        assert float(terms["cuda"][key]) == pytest.approx(float(value), rel=1e-3), key
