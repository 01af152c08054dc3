"""Runs and checkpoints of version 0.1.0 as it was first published: loaded, sampled and resumed bit for bit."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import inkgan
import tiny_runs as runs
from inkgan.files import sha256_of
from inkgan.runs import checkpoint

#: The settings of that version, in its order and under its names.
OLD_SETTINGS: dict[str, Any] = {
    "recipe": None, "seed": None, "steps": None, "seconds": None, "batch_size": None, "pretraining_steps": None,
    "precision": None, "conditional": None, "latent_dim": None, "loss": None, "class_weight": None, "average": None,
    "fade": None,
    "data": {"name": None, "directory": None},
    "generator": {"learning_rate": None, "channels": None},
    "discriminator": {"learning_rate": None, "channels": None},
    "penalty": {"weight": None, "on": None, "every": None},
    "watch": {
        "log_every": None, "show_every": None, "show_seconds": None, "grid_every": None, "evaluate_every": None,
        "save_every": None, "keep": None,
    },
}  # fmt: skip
OLD_MODEL = (
    "network", "image_shape", "latent_dim", "num_classes", "channels", "step", "config", "digest", "precision", "data",
)  # fmt: skip
OLD_STATE = ("step", "seconds", "digest", "precision", "best_step", "best_value")
OLD_ENVIRONMENT = (
    "inkgan", "commit", "python", "torch", "numpy", "safetensors", "pillow", "tensorboard", "platform", "cpu", "device",
    "threads", "precision",
)  # fmt: skip
NEW_NAMES = {"average": "ema_half_life"}


def old_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """Today's settings as the old version wrote them: its penalty referred to pixels in [0, 1]."""
    old = chosen(settings, OLD_SETTINGS)
    assert settings["penalty"]["pixels"] == "-1..1"
    old["penalty"]["weight"] /= 4
    return old


def chosen(settings: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
    """The settings that the old version had, under its names."""
    return {
        key: chosen(settings[key], inner) if isinstance(inner, dict) else settings[NEW_NAMES.get(key, key)]
        for key, inner in old.items()
    }


def write(path: Path, document: Any) -> None:
    """Write a document as the old version did."""
    path.write_text(json.dumps(document, indent=1) + "\n", "utf-8")


def make_old(run: Path) -> Path:
    """Turn a run of today into one of the old version, by removing what its documents did not have yet."""
    settings = old_settings(json.loads((run / "config.json").read_text("utf-8")))
    write(run / "config.json", settings)
    starts = json.loads((run / "environment.json").read_text("utf-8"))
    write(run / "environment.json", [{key: start[key] for key in OLD_ENVIRONMENT if key in start} for start in starts])
    shutil.rmtree(run / "tensorboard")
    (run / "tensorboard").mkdir()
    (run / "tensorboard" / "events.out.tfevents.1795714942.host.4711.0").touch()
    shutil.rmtree(run / "checkpoints" / "step-0000000", ignore_errors=True)
    for folder in (run / "checkpoints").iterdir():
        model = json.loads((folder / "model.json").read_text("utf-8")) | {"config": settings}
        state = json.loads((folder / "state.json").read_text("utf-8"))
        write(folder / "model.json", {key: model[key] for key in OLD_MODEL if key in model})
        write(folder / "state.json", {key: state[key] for key in OLD_STATE if key in state})
        files = sorted(path for path in folder.iterdir() if path.name != checkpoint.MANIFEST)
        listed = {path.name: {"size": path.stat().st_size, "sha256": sha256_of(path)} for path in files}
        write(folder / checkpoint.MANIFEST, {"files": listed})
    return run


@pytest.fixture
def labelled_data(tmp_path: Path) -> Path:
    """Images of three classes."""
    path = tmp_path / "labelled.npz"
    images = np.random.default_rng(1).integers(0, 256, (30, 12, 12), dtype=np.uint8)
    np.savez(path, images=images, labels=np.arange(30) % 3)
    return path


@pytest.mark.slow
def test_the_tutorial(tmp_path: Path, tutorial_data: Path, tutorial_run: Path) -> None:
    """A run of the tutorial that ended after step 4 continues to the same files as one that did not."""
    runs.copy(tutorial_run, tmp_path / "run")
    shutil.rmtree(runs.newest(tmp_path / "run"))
    for name in ("grid-0000006.png", "learning.gif", "sheet.png"):
        (tmp_path / "run" / "pictures" / name).unlink()
    new = inkgan.load(tmp_path / "run").sample(3, seed=5)
    old = make_old(tmp_path / "run")
    np.testing.assert_array_equal(inkgan.load(old).sample(3, seed=5), new)
    assert runs.train(old, tutorial_data, settings=runs.TUTORIAL, resume=True).complete
    assert {**runs.learned(old), "model.json": b""} == {**runs.learned(tutorial_run), "model.json": b""}


@pytest.mark.slow
def test_a_compact_recipe(tmp_path: Path, labelled_data: Path) -> None:
    """The same holds for a compact recipe with the slope of that time and with classes, named by their numbers."""
    runs.train(tmp_path / "whole", labelled_data, settings=["slope=0.2"])
    runs.train(tmp_path / "run", labelled_data, settings=["slope=0.2"], stop_at=5)
    new = inkgan.load(tmp_path / "run").sample(4, seed=5, labels=[0, 1, 2, 0])
    old = make_old(tmp_path / "run")
    np.testing.assert_array_equal(inkgan.load(old).sample(4, seed=5, labels=["0", "1", "2", "0"]), new)
    assert runs.train(old, labelled_data, resume=True).complete
    whole = runs.learned(tmp_path / "whole")
    assert {**runs.learned(old), "model.json": b""} == {**whole, "model.json": b""}


def test_the_old_documents_are_those_of_that_version(stopped_run: Path, tmp_path: Path) -> None:
    """The old documents are what that version wrote: with ``average``, and without what came later."""
    old = make_old(runs.copy(stopped_run, tmp_path / "run"))
    settings = json.loads((old / "config.json").read_text("utf-8"))
    assert len(settings) == 18
    assert settings["average"] == 0.1
    assert settings["penalty"] == {"weight": 0.1, "on": "both", "every": 2}
    assert settings["data"].keys() == {"name", "directory"}
    model = json.loads((runs.newest(old) / "model.json").read_text("utf-8"))
    assert model["config"] == settings
    assert "class_names" not in model
