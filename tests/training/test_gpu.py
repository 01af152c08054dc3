"""On a CUDA device, if there is one: runs learn, resume exactly and draw what NumPy draws."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

import inkgan
import tiny_runs as runs
from inkgan.config import resolve
from inkgan.errors import DivergenceError
from inkgan.training.compact import Compact
from inkgan.training.recipe import StepInfo
from inkgan.training.start import build
from inkgan.training.state import learned_tensors

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("settings", [runs.TUTORIAL, runs.SETTINGS], ids=["tutorial", "fast"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_resuming_is_exact(tmp_path: Path, tutorial_data: Path, settings: tuple[str, ...], precision: str) -> None:
    """N + N steps equal 2N steps on a GPU too."""
    options: dict[str, Any] = {"settings": settings, "precision": precision, "device": "cuda"}
    runs.train(tmp_path / "whole", tutorial_data, **options)
    runs.train(tmp_path / "parts", tutorial_data, stop_at=3, **options)
    runs.train(tmp_path / "parts", tutorial_data, resume=True, **options)
    assert runs.learned(tmp_path / "parts") == runs.learned(tmp_path / "whole")
    assert inkgan.load(tmp_path / "whole").sample(3).std() > 0


def test_a_step_is_the_processors_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """In float32 without TF32 in convolutions, the losses of the first step agree with the CPU's."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    config = resolve(overrides=["batch_size=16"])
    real = torch.from_numpy(np.random.default_rng(0).random((16, 28, 28, 1), dtype=np.float32))
    labels = torch.arange(16) % 10
    terms = {}
    for name in ("cpu", "cuda"):
        device = torch.device(name)
        recipe = build(config, (28, 28, 1), 10, device, torch.float32)
        terms[name] = recipe.step(StepInfo(0, 0, 0.0), real.to(device), labels.to(device))
    for key, value in terms["cpu"].items():
        assert float(terms["cuda"][key]) == pytest.approx(float(value), rel=1e-4), key


GAMES = {"fast": (), "slices": ("slices=2",), "wgan-gp": ("loss=wgan-gp", "critic_steps=2", "penalty.every=3")}


def _after(steps: int, *settings: str, precision: torch.dtype, graphs: bool) -> tuple[list[bytes], list[list[float]]]:
    """Return what a small recipe has learned after some steps, and its terms.

    The first two steps pre-train, and the settings change on the way.
    """
    config = resolve(overrides=[*runs.SETTINGS, "batch_size=6", *settings])
    config = config.model_copy(update={"changes": ("9 generator.learning_rate=0.0001",)})
    recipe = Compact(config, (12, 12, 1), 10, dtype=precision, device="cuda", graphs=graphs)
    source = torch.Generator().manual_seed(0)
    count = config.batch_size * config.critic_steps
    terms = []
    for number in range(steps):
        real = torch.rand(count, 12, 12, 1, generator=source).cuda()
        terms.append(recipe.step(StepInfo(number - 2, number, number / steps), real, torch.arange(count).cuda() % 10))
    recipe.settle()
    learned = [one.cpu().numpy().tobytes() for one in learned_tensors(recipe)]
    return learned, [[value.item() for value in one.values()] for one in terms]


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("game", GAMES)
def test_graphs_compute_what_kernels_compute_one_by_one(game: str, precision: torch.dtype) -> None:
    """Weights and all terms have the same bits, with and without penalty, and across a change of settings."""
    learned, terms = _after(24, *GAMES[game], precision=precision, graphs=True)
    expected, expected_terms = _after(24, *GAMES[game], precision=precision, graphs=False)
    assert terms == expected_terms
    assert learned == expected


@pytest.mark.parametrize("at", [0, 1, 5])
def test_what_is_not_finite_is_found_one_step_later(at: int) -> None:
    """That holds whether or not the step was recorded as a graph, and the message names a term."""
    recipe = Compact(resolve(overrides=[*runs.SETTINGS]), (12, 12, 1), 0, device="cuda")
    grey = torch.full((5, 12, 12, 1), 0.5, device="cuda")
    for number in range(at):
        recipe.step(StepInfo(number, number, 0.0), grey, None)
    recipe.step(StepInfo(at, at, 0.0), grey * math.nan, None)
    with pytest.raises(DivergenceError, match="loss_discriminator is nan"):
        recipe.step(StepInfo(at + 1, at + 1, 0.0), grey, None)


def test_a_run_that_blows_up_writes_no_checkpoint_of_it(tmp_path: Path, small_data: Path) -> None:
    """It ends with an error, and everything it saved is finite."""
    settings = ["generator.learning_rate=1e6", "discriminator.learning_rate=1e6", "watch.save_every=1"]
    with pytest.raises(DivergenceError, match="diverged at step"):
        runs.train(tmp_path / "run", small_data, steps=60, device="cuda", settings=settings)
    saved = sorted((tmp_path / "run").glob("checkpoints/*/*.safetensors"))
    assert saved
    for file in saved:
        assert all(np.isfinite(array).all() for array in load_file(file).values()), file
