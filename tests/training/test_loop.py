"""Training: a run loses nothing, stops before it is ruined, and never overwrites files it should not."""

from __future__ import annotations

import contextlib
import errno
import gc
import io
import json
import math
import os
import re
import resource
import shlex
import shutil
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing import plugin_event_accumulator  # type: ignore[import-untyped]
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # type: ignore[import-untyped]
from tensorboard.plugins.custom_scalar.layout_pb2 import Layout  # type: ignore[import-untyped]

import inkgan
import tiny_runs as runs
from inkgan.cli import run
from inkgan.config import resolve
from inkgan.data import DataSet, Split
from inkgan.errors import (
    CheckpointError,
    ConfigError,
    DataError,
    DivergenceError,
    InkganError,
    Interrupted,
    OutputError,
)
from inkgan.runs import checkpoint
from inkgan.runs.folder import RunFolder
from inkgan.seeds import BatchOrder
from inkgan.training.compact import Compact
from inkgan.training.loop import Batches
from inkgan.training.recipe import StepInfo
from inkgan.training.recorder import Recorder
from inkgan.training.state import as_arrays, save
from inkgan.training.tutorial import Tutorial
from refusals import refusal


def complaint(kind: type[InkganError], *needed: str, **options: Any) -> str:
    """Return the error of a run, and require that it is one line."""
    return refusal(lambda: runs.train(**options), *needed, kind=kind)


def interrupt_at(step: int) -> runs.RecordingWatcher:
    """Return a watcher that asks the run to stop after a step, as Ctrl-C would."""
    return runs.RecordingWatcher(lambda at: os.kill(os.getpid(), signal.SIGINT) if at == step else None)


class _Killed(BaseException):
    """Ends a run without letting it save, as SIGKILL does."""


def kill_at(step: int) -> runs.RecordingWatcher:
    """Return a watcher that ends the run at a step."""

    def act(at: int) -> None:
        if at == step:
            raise _Killed

    return runs.RecordingWatcher(act)


# Exact resume


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, small_data: Path, finished_run: Path) -> dict[str, Any]:
    """Return what uninterrupted runs learned, by precision."""
    folder = tmp_path_factory.mktemp("whole") / "bfloat16"
    runs.train(folder, small_data, precision="bfloat16")
    return {"float32": runs.learned(finished_run), "bfloat16": runs.learned(folder)}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("precision", "ends"),
    [
        ("float32", [-2, 4]),  # inside pre-training, and where a checkpoint is due
        ("float32", [1, 3, 5]),  # where none is due
        ("bfloat16", [-1, 3]),
    ],
    ids=str,
)
def test_resuming_is_exact(
    tmp_path: Path, small_data: Path, whole: dict[str, Any], precision: str, ends: list[int]
) -> None:
    """N + N steps equal 2N in weights, optimisers, metrics and pictures, wherever the run was stopped."""
    folder = tmp_path / "run"
    for number, end in enumerate(ends):
        options = {"precision": precision, "resume": number > 0}
        if end < 0:
            with pytest.raises(Interrupted) as caught:
                runs.train(folder, small_data, watcher=interrupt_at(end), **options)
            assert caught.value.exit_code == 130
            assert runs.steps_saved(folder)[-1] == end + 1
        else:
            result = runs.train(folder, small_data, stop_at=end, **options)
            assert (result.step, result.complete, result.sheet) == (end, False, None)
            assert runs.steps_saved(folder)[-1] == end
    watcher = runs.RecordingWatcher()
    assert runs.train(folder, small_data, resume=True, precision=precision, watcher=watcher).complete
    assert watcher.warnings == []
    assert runs.learned(folder) == whole[precision]


def test_a_step_to_stop_at_that_has_passed_is_told(tmp_path: Path, small_data: Path) -> None:
    """The run stays as it is. At exactly that step there is nothing to tell: the same command may be repeated."""
    folder = tmp_path / "run"
    runs.train(folder, small_data, stop_at=3)
    for stop_at, told in ((3, []), (2, ["stop_at=2 has passed: the run is at step 3"])):
        watcher = runs.RecordingWatcher()
        result = runs.train(folder, small_data, stop_at=stop_at, resume=True, watcher=watcher)
        assert (result.step, result.complete) == (3, False)
        assert [warning.partition(". Give a later step")[0] for warning in watcher.warnings] == told


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("length", [{"steps": 4}, {"seconds": 1.5}])
def test_a_complete_run_needs_no_later_step_to_stop_at(
    tmp_path: Path, small_data: Path, length: dict[str, Any]
) -> None:
    """A step to stop at that has passed is no fault if the run is complete: a later one would not help."""
    folder = tmp_path / "run"
    assert runs.train(folder, small_data, **length).step > 1
    watcher = runs.RecordingWatcher()
    result = runs.train(folder, small_data, **length, stop_at=1, resume=True, watcher=watcher)
    assert result.complete
    assert not any("has passed" in warning for warning in watcher.warnings)


def test_a_run_whose_time_runs_out_while_it_saves_stays_complete(
    tmp_path: Path, small_data: Path, monkeypatch: pytest.MonkeyPatch, clock: list[float]
) -> None:
    """A complete run of some seconds is complete when it is resumed, even if saving takes most of its time."""

    def slow_save(*arguments: Any) -> None:
        save(*arguments)
        clock[0] += 2

    monkeypatch.setattr("inkgan.training.loop.save", slow_save)
    length: dict[str, Any] = {"seconds": 3, "settings": ["watch.save_every=1"]}
    ended = runs.train(tmp_path / "run", small_data, **length)
    resumed = runs.train(tmp_path / "run", small_data, resume=True, **length)
    assert ended.complete
    assert (resumed.step, resumed.complete) == (ended.step, True)


def test_the_precisions_differ(whole: dict[str, Any]) -> None:
    """bfloat16 is used if asked for, and weights are float32 in either case."""
    single, half = whole["float32"], whole["bfloat16"]
    assert single["generator.safetensors"] != half["generator.safetensors"]
    assert len(single["generator.safetensors"]) == len(half["generator.safetensors"])
    assert (single["state"]["precision"], half["state"]["precision"]) == ("float32", "bfloat16")


@pytest.mark.slow
@pytest.mark.parametrize("step", [-2, 3, 5])
def test_resuming_after_a_kill(tmp_path: Path, small_data: Path, whole: dict[str, Any], step: int) -> None:
    """Work since the last checkpoint is repeated, with no step twice in the metrics and no files left over."""
    folder = tmp_path / "run"
    with pytest.raises(_Killed):
        runs.train(folder, small_data, watcher=kill_at(step))
    (folder / "checkpoints" / ".tmp-step-0000005-77").mkdir(parents=True)
    with (folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"step": 77, "loss_real": 0.1}\n{"step": 3, "loss_')
    runs.train(folder, small_data, resume=True)
    assert runs.learned(folder) == whole["float32"]
    assert [line["step"] for line in runs.metrics(folder)] == [-2, -1, 0, 1, 2, 3, 4, 5]
    assert not list((folder / "checkpoints").glob(".tmp*"))


def test_resuming_a_run_that_has_no_step_to_do(
    tmp_path: Path, small_data: Path, finished_run: Path, stopped_run: Path
) -> None:
    """It stays as it is. The machine is another one now, which is neither noted nor warned of: it trains nothing."""
    for began, step, stop_at in ((finished_run, runs.STEPS, None), (stopped_run, 5, 5)):
        folder = runs.copy(began, tmp_path / str(step))
        starts = json.loads((folder / "environment.json").read_text("utf-8"))
        starts[-1] |= {"threads": 77}
        (folder / "environment.json").write_text(json.dumps(starts), "utf-8")
        before = runs.listing(folder)
        watcher = runs.RecordingWatcher()
        result = runs.train(folder, small_data, resume=True, stop_at=stop_at, watcher=watcher)
        assert (result.step, result.complete) == (step, stop_at is None)
        assert watcher.warnings == []
        assert runs.listing(folder) == before


@pytest.mark.slow
def test_the_seed_decides(tmp_path: Path, small_data: Path, whole: dict[str, Any]) -> None:
    """A run with another seed learns other weights."""
    runs.train(tmp_path / "run", small_data, seed=1)
    learned = runs.learned(tmp_path / "run")
    assert not [name for name in learned if name.endswith(".safetensors") and learned[name] == whole["float32"][name]]


@pytest.mark.slow
def test_watching_changes_nothing(tmp_path: Path, small_data: Path, whole: dict[str, Any]) -> None:
    """How often a run logs, draws, saves and asks the doctor does not change what it learns."""
    never = ["watch.log_every=0", "watch.grid_every=0", "watch.doctor_every=0"]
    settings = [*never, "watch.show_every=1", "watch.save_every=100"]
    runs.train(tmp_path / "run", small_data, settings=settings)
    learned = runs.learned(tmp_path / "run")
    for name in ("generator.safetensors", "discriminator.safetensors", "optimizers.safetensors", "sheet.png"):
        assert learned[name] == whole["float32"][name]
    assert learned["metrics"] == []


# What is refused when resuming


def test_changed_settings_are_listed(tmp_path: Path, small_data: Path, stopped_run: Path) -> None:
    """A run does not resume with other settings: the error lists each difference, and nothing changes on disk."""
    folder = runs.copy(stopped_run, tmp_path / "run")
    before = runs.listing(folder)
    complaint(
        ConfigError,
        "steps: 6 -> 9",
        "seed: 0 -> 5",
        "precision: float32 -> bfloat16",
        "watch.keep: 2 -> 3",
        folder=folder,
        data=small_data,
        resume=True,
        steps=9,
        seed=5,
        precision="bfloat16",
        settings=["watch.keep=3"],
    )
    complaint(
        ConfigError, "steps: 6 -> None; seconds: None -> 9.0", folder=folder, data=small_data, resume=True, seconds=9
    )
    assert runs.listing(folder) == before


def test_changed_data_are_refused(tmp_path: Path, stopped_run: Path, small_data: Path) -> None:
    """Other images under the same path are refused."""
    folder = runs.copy(stopped_run, tmp_path / "run")
    data = tmp_path / small_data.name
    np.savez(data, images=np.random.default_rng(1).integers(0, 256, (20, 28, 28), dtype=np.uint8))
    saved = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps(saved | {"data": {"name": str(data), "directory": None}}), "utf-8")
    complaint(CheckpointError, "learned from other images", folder=folder, data=data, resume=True)


def test_data_that_are_gone(tmp_path: Path, stopped_run: Path) -> None:
    """The error for missing data says how to name their new place."""
    folder = runs.copy(stopped_run, tmp_path / "run")
    saved = json.loads((folder / "config.json").read_text("utf-8"))
    gone = {"name": str(tmp_path / "gone.npz"), "directory": None}
    (folder / "config.json").write_text(json.dumps(saved | {"data": gone}), "utf-8")
    with pytest.raises(DataError, match=r"gone.npz does not exist.* say where they are with --data"):
        runs.prepare(out=folder, resume=True, device="cpu")


def test_data_may_move(tmp_path: Path, small_data: Path, stopped_run: Path, whole: dict[str, Any]) -> None:
    """The same images in another place are the same data, and the run ends as if they had not moved."""
    folder = runs.copy(stopped_run, tmp_path / "run")
    moved = tmp_path / "moved" / small_data.name
    moved.parent.mkdir()
    shutil.copy(small_data, moved)
    runs.train(folder, moved, resume=True)
    learned = runs.learned(folder)
    before, now = (json.dumps(str(path)).encode() for path in (small_data, moved))
    learned["model.json"] = learned["model.json"].replace(now, before)
    assert learned == whole["float32"]
    assert runs.configure(out=folder, resume=True)[0].data.name == str(moved)  # --data need not be given again


@pytest.mark.slow
@pytest.mark.parametrize("began", ["float32", "bfloat16"])
def test_auto_goes_on_as_it_began(
    tmp_path: Path, small_data: Path, monkeypatch: pytest.MonkeyPatch, began: str
) -> None:
    """A run with precision auto keeps the precision it started with, even if auto would now be another one."""
    other = "bfloat16" if began == "float32" else "float32"
    folder = tmp_path / "run"
    options: dict[str, Any] = {"steps": 2}
    monkeypatch.setattr("inkgan.device.has_fast_bfloat16", lambda _: began == "bfloat16")
    runs.train(folder, small_data, stop_at=1, precision="auto", **options)
    monkeypatch.setattr("inkgan.device.has_fast_bfloat16", lambda _: began != "bfloat16")
    for asked in ("auto", began):
        runs.train(runs.copy(folder, tmp_path / asked), small_data, resume=True, precision=asked, **options)
        state = checkpoint.read_document(runs.newest(tmp_path / asked), "state")
        assert (state["step"], state["precision"]) == (2, began)
    options = {"folder": folder, "data": small_data, "resume": True, "precision": other, **options}
    complaint(ConfigError, f"precision: auto -> {other}", **options)


def test_another_place_is_told(tmp_path: Path, small_data: Path, stopped_run: Path, whole: dict[str, Any]) -> None:
    """Another number of threads or version of PyTorch gives a one-line warning, and the run resumes."""
    folder = runs.copy(stopped_run, tmp_path / "run")
    starts = json.loads((folder / "environment.json").read_text("utf-8"))
    threads = starts[-1]["threads"]
    starts[-1] |= {"threads": 77, "torch": "1.0"}
    (folder / "environment.json").write_text(json.dumps(starts), "utf-8")
    watcher = runs.RecordingWatcher()
    runs.train(folder, small_data, resume=True, watcher=watcher)
    (warning,) = watcher.warnings
    assert f"threads: 77 -> {threads}; torch: 1.0 -> {version('torch')}" in warning
    assert runs.learned(folder) == whole["float32"]
    assert len(json.loads((folder / "environment.json").read_text("utf-8"))) == 2


@pytest.mark.parametrize("file", ["optimizers.safetensors", "manifest.json"])
def test_falling_back_to_the_checkpoint_before(
    tmp_path: Path, small_data: Path, stopped_run: Path, whole: dict[str, Any], file: str
) -> None:
    """One warning names the damaged newest checkpoint, and the run still ends the same."""
    folder = runs.copy(stopped_run, tmp_path / "run")
    damaged = runs.newest(folder) / file
    runs.damage(damaged)
    watcher = runs.RecordingWatcher()
    runs.train(folder, small_data, resume=True, watcher=watcher)
    (warning,) = watcher.warnings
    assert str(damaged.parent.relative_to(tmp_path)) in warning
    assert watcher.steps[0] == 4
    assert runs.learned(folder) == whole["float32"]


def test_no_whole_checkpoint(tmp_path: Path, small_data: Path, stopped_run: Path, whole: dict[str, Any]) -> None:
    """If all checkpoints are damaged, the run neither resumes nor restarts, and nothing is deleted.

    The error gives the command that trains it again, with its own settings.
    """
    folder = runs.copy(stopped_run, tmp_path / "run")
    for step in (4, 5):
        runs.damage(folder / "checkpoints" / checkpoint.checkpoint_name(step) / "state.json")
    before = runs.listing(folder)
    said = complaint(CheckpointError, str(folder / "checkpoints"), folder=folder, data=small_data, resume=True)
    assert runs.listing(folder) == before
    program, *words = shlex.split(said.partition("Start again: ")[2])
    assert program == "inkgan"
    assert run([*words, "--device", "cpu", "--quiet"]) == 0
    assert runs.learned(folder) == whole["float32"]


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("nothing", "there is no such folder."),
        ("empty", "it has no config.json."),
        ("file", "it is a file."),
        ("other", "it has no config.json."),
    ],
)
def test_resuming_what_is_no_run(tmp_path: Path, small_data: Path, what: str, said: str) -> None:
    """A place that is not a run folder is refused, and nothing is written there."""
    folder = tmp_path / "run"
    if what in ("empty", "other"):
        folder.mkdir()
    if what == "other":
        (folder / "notes.txt").write_text("mine", "utf-8")
    elif what == "file":
        folder.write_text("mine", "utf-8")
    before = runs.listing(tmp_path)
    complaint(
        CheckpointError, f"{folder} is not the folder of a run: {said}", folder=folder, data=small_data, resume=True
    )
    assert runs.listing(tmp_path) == before


def test_a_second_trainer_is_refused(tmp_path: Path, small_data: Path, stopped_run: Path) -> None:
    """While one trainer works in a folder, any other is refused, whatever its options."""
    folder = runs.copy(stopped_run, tmp_path / "run")
    with RunFolder(folder).lock.held():
        before = runs.listing(folder)
        for options in ({"resume": True}, {"force": True}):
            complaint(OutputError, "another process", str(folder), folder=folder, data=small_data, **options)
        assert runs.listing(folder) == before
    runs.train(folder, small_data, resume=True)


@pytest.mark.parametrize("what", ["removed", "renamed", "replaced", "unlocked"])
def test_a_folder_that_is_taken_away(tmp_path: Path, small_data: Path, what: str) -> None:
    """The run stops in one line and saves nothing in its place; a folder that was renamed continues there."""
    folder, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    there: list[str] = []

    def saved() -> list[str]:
        return sorted(path for path in runs.listing(tmp_path) if "checkpoints" in path or "pictures" in path)

    def take_away(at: int) -> None:
        if at != 4:
            return
        if what == "removed":
            shutil.rmtree(folder)
        elif what == "unlocked":
            (folder / "lock").unlink()
        else:
            folder.rename(elsewhere)
        if what == "replaced":
            runs.copy(elsewhere, folder)
        there.extend(saved())

    watcher = runs.RecordingWatcher(take_away)
    complaint(OutputError, str(folder), "--resume", folder=folder, data=small_data, steps=12, watcher=watcher)
    assert saved() == there
    assert folder.exists() == (what in ("replaced", "unlocked"))
    if what != "removed":
        assert runs.train(elsewhere if elsewhere.exists() else folder, small_data, steps=12, resume=True).complete


def test_a_file_system_without_lasting_identities(
    tmp_path: Path, small_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the same file has another number at each look, a healthy run trains to its end."""
    monkeypatch.setattr(os.path, "samestat", lambda *_: False)
    assert runs.train(tmp_path / "run", small_data, steps=12).complete


# What is never written over


def test_a_run_that_is_there(tmp_path: Path, small_data: Path, stopped_run: Path) -> None:
    """A run is replaced only with --force, and then completely."""
    folder = runs.copy(stopped_run, tmp_path / "run")
    before = runs.listing(folder)
    complaint(OutputError, str(folder), "--resume", "--force", folder=folder, data=small_data)
    assert runs.listing(folder) == before
    runs.train(folder, small_data, steps=1, force=True)
    assert runs.steps_saved(folder) == [0, 1]
    assert [line["step"] for line in runs.metrics(folder)] == [-2, -1, 0]


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize(
    "files",
    [
        ["notes.txt"],
        ["lock"],
        ["config.json"],
        ["config.json", "model.safetensors"],
        ["config.json", "metrics.jsonl", "src/main.c"],
    ],
    ids=str,
)
def test_the_users_own_files(tmp_path: Path, small_data: Path, files: list[str], force: bool) -> None:
    """A folder with other files is never cleared, and nothing is written into it."""
    folder = tmp_path / "mine"
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text('{"model_type": "bert"}', "utf-8")
    before = runs.listing(folder)
    complaint(OutputError, str(folder), "--out", folder=folder, data=small_data, force=force)
    assert runs.listing(folder) == before


def test_the_users_notes_in_a_run(tmp_path: Path, small_data: Path, stopped_run: Path) -> None:
    """--force does not clear a run that holds files of the user's; resuming leaves them alone."""
    folder = runs.copy(stopped_run, tmp_path / "run")
    (folder / "notes.txt").write_text("mine", "utf-8")
    before = runs.listing(folder)
    complaint(OutputError, "notes.txt", folder=folder, data=small_data, force=True)
    assert runs.listing(folder) == before
    runs.train(folder, small_data, resume=True)
    assert (folder / "notes.txt").read_text("utf-8") == "mine"


def test_a_start_that_was_killed(tmp_path: Path, small_data: Path) -> None:
    """The leftovers of a killed start do not prevent a new run there."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "lock").touch()
    (folder / ".config.json.77.tmp.json").write_text("{", "utf-8")
    runs.train(folder, small_data, steps=1)
    assert not list(folder.glob(".*"))


@pytest.mark.parametrize(
    ("options", "needed"),
    [
        ({"device": "cuda:99"}, "there is no device 'cuda:99' here, where PyTorch is "),
        ({"data": "wide", "settings": runs.TUTORIAL}, "28×28"),
        ({"data": "mnits"}, "Did you mean 'mnist'?"),
        ({"stop_at": 0}, "stop_at=0"),
        ({"settings": ["sed=1"]}, "Did you mean 'seed'?"),
    ],
    ids=["device", "shape", "data", "stop", "key"],
)
def test_wrong_input_costs_nothing(
    tmp_path: Path, small_data: Path, stopped_run: Path, options: dict[str, Any], needed: str
) -> None:
    """Wrong input is found before an old run is replaced or a new folder is made."""
    if options.get("data") == "wide":
        np.savez(tmp_path / "wide.npz", images=np.random.default_rng(0).random((20, 8, 9)))
        options = options | {"data": tmp_path / "wide.npz"}
    folder = runs.copy(stopped_run, tmp_path / "run")
    before = runs.listing(folder)
    complaint(InkganError, needed, **{"folder": folder, "data": small_data, "force": True} | options)
    assert runs.listing(folder) == before
    complaint(InkganError, needed, **{"folder": tmp_path / "new", "data": small_data} | options)
    assert not (tmp_path / "new").exists()


# Divergence


def recipe_and_batch() -> tuple[Tutorial, torch.Tensor]:
    """Return a small recipe and a batch of images for it."""
    recipe = Tutorial(resolve(overrides=["recipe=tutorial", "batch_size=4"]))
    return recipe, torch.rand(4, 28, 28, 1, generator=torch.Generator().manual_seed(0))


def saved_arrays(recipe: Tutorial) -> dict[str, bytes]:
    """Return everything that a recipe has learned."""
    return {f"{stem}.{name}": a.tobytes() for stem, arrays in as_arrays(recipe).items() for name, a in arrays.items()}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "term"),
    [
        ("data", "loss_real"),
        ("discriminator", "loss_real is nan"),
        ("generator", "loss_fake"),
        ("gradient of real_as_real", "the gradient of loss_real is nan"),
        ("gradient of fake_as_fake", "the gradient of loss_fake is nan"),
        ("gradient of fake_as_real", "the gradient of loss_generator is nan"),
    ],
)
def test_nothing_is_updated_by_what_is_not_finite(monkeypatch: pytest.MonkeyPatch, where: str, term: str) -> None:
    """If data, weights or gradients hold NaN, the error names the term, and that network keeps its weights."""
    recipe, real = recipe_and_batch()
    recipe.step(StepInfo(0, 0, 0.0), real)
    if where == "data":
        real[1, 2, 3] = math.nan
    elif where in ("discriminator", "generator"):
        with torch.no_grad():
            getattr(recipe, where).b4.fill_(math.nan)
        recipe.after_load()
    else:
        name = where.removeprefix("gradient of ")
        monkeypatch.setattr(f"inkgan.training.losses.{name}", lambda logits: (logits.sum() * 0).sqrt())
    before = saved_arrays(recipe)
    with pytest.raises(DivergenceError, match=re.escape(term)):
        recipe.step(StepInfo(1, 1, 0.0), real)
    after = saved_arrays(recipe)
    changed = {name for name in before if before[name] != after[name]}
    # The discriminator's update, which was sound, comes before the generator's.
    allowed = ("discriminator", "optimizers.discriminator") if "loss_generator" in term else ()
    assert not {name for name in changed if not name.startswith(allowed)}


@pytest.mark.slow
# After the last step before a save, so that no loss would notice.
@pytest.mark.parametrize("parameter", ["generator.first.bias", "learner.first.bias", "discriminator.summary.bias"])
def test_weights_that_are_not_finite(
    tmp_path: Path, small_data: Path, monkeypatch: pytest.MonkeyPatch, parameter: str
) -> None:
    """The run stops at once with exit code 3, naming step and weights, and never saves them."""
    real_step = Compact.step

    def step(self: Compact, info: StepInfo, real: torch.Tensor, labels: None) -> dict[str, torch.Tensor]:
        terms = real_step(self, info, real, labels)
        if info.step == 3:  # just before the checkpoint of step 4
            network, _, name = parameter.partition(".")
            with torch.no_grad():
                self.networks[network].get_parameter(name).fill_(math.nan)
        return terms

    monkeypatch.setattr(Compact, "step", step)
    quiet = ["watch.log_every=0", "watch.grid_every=0"]
    folder = tmp_path / "run"
    complaint(
        DivergenceError, f"at step 4: {parameter} ", "step 0 is kept", folder=folder, data=small_data, settings=quiet
    )
    assert DivergenceError.exit_code == 3
    assert runs.steps_saved(tmp_path / "run") == [0]
    monkeypatch.setattr(Compact, "step", real_step)
    assert runs.train(folder, small_data, resume=True, settings=quiet).complete


def test_a_learning_rate_that_explodes(tmp_path: Path, small_data: Path) -> None:
    """An absurd learning rate ends in divergence, and the last good checkpoint still draws."""
    folder = tmp_path / "run"
    rates = ["discriminator.learning_rate=1e6", "generator.learning_rate=1e6", "watch.save_every=1"]
    text = complaint(DivergenceError, "learning_rate", folder=folder, data=small_data, settings=rates, steps=100)
    step = int(re.search(r"diverged at step (-?\d+)", text)[1])  # type: ignore[index]
    assert f"The checkpoint of step {step} is kept" in text
    assert runs.steps_saved(folder)[-1] == step
    if step > 0:
        assert inkgan.load(folder).sample(2).shape == (2, 12, 12)
    else:
        checkpoint.verify(runs.newest(folder))


def test_divergence_before_anything_was_saved(
    tmp_path: Path, small_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error then says that nothing was saved yet."""
    monkeypatch.setattr("inkgan.training.losses.zero_centered_penalty", lambda gradients: gradients.sum() * math.nan)
    complaint(DivergenceError, "at step -2", "Nothing was saved yet", folder=tmp_path / "run", data=small_data)
    assert runs.steps_saved(tmp_path / "run") == []


# Files that cannot grow


@contextlib.contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let no file grow beyond a size: writing stops in the middle, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [10, 5_000, 2**18])
def test_a_save_that_ends_in_the_middle(
    tmp_path: Path, small_data: Path, stopped_run: Path, whole: dict[str, Any], size: int
) -> None:
    """One error line says so and existing files are kept; with space again, the run ends the same."""
    folder = runs.copy(stopped_run, tmp_path / "run")
    with largest_file(size):
        complaint(OutputError, "cannot write", "file too large", folder=folder, data=small_data, resume=True)
    assert runs.steps_saved(folder) == [0, 4, 5]
    assert not list((folder / "checkpoints").glob(".tmp*"))
    runs.train(folder, small_data, resume=True)
    assert runs.learned(folder) == whole["float32"]


def test_no_space_at_the_start(tmp_path: Path, small_data: Path) -> None:
    """A run that cannot even write its settings says so, and can start in that folder later."""
    with largest_file(0):
        complaint(OutputError, "file too large", folder=tmp_path / "run", data=small_data)
    runs.train(tmp_path / "run", small_data, steps=1)


def test_a_place_that_cannot_be_written(tmp_path: Path, small_data: Path) -> None:
    """The error names a file that is in the place of a folder."""
    (tmp_path / "file").touch()
    complaint(OutputError, "file/run", "not a directory", folder=tmp_path / "file" / "run", data=small_data)
    complaint(OutputError, "/file: not a directory", folder=tmp_path / "file", data=small_data)


# Decorations


def failing(error: Exception) -> Callable[..., Any]:
    """Return a function that always raises an error."""

    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "error", "needed"),
    [
        ("recorder.save_png", OSError(errno.ENOSPC, "No space left on device"), ["a picture", "no space left"]),
        ("recorder.save_animation", ValueError("no frames"), ["the animation", "no frames"]),
        ("tensorboard.graph_of", RuntimeError("cannot trace"), ["the graph", "cannot trace"]),
        ("tensorboard._event_of", OSError(errno.EIO, "Input/output error"), ["TensorBoard", "input/output error"]),
        ("tensorboard.EventFile._open", ImportError("No module named 'tensorboard'"), ["TensorBoard", "No module"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_decoration_that_fails_costs_one_warning(
    tmp_path: Path,
    small_data: Path,
    whole: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    target: str,
    error: Exception,
    needed: list[str],
) -> None:
    """Pictures, animation, graph and TensorBoard may always fail: the run warns once and learns the same."""
    monkeypatch.setattr(f"inkgan.training.{target}", failing(error))
    watcher = runs.RecordingWatcher()
    result = runs.train(tmp_path / "run", small_data, watcher=watcher)
    assert result.complete
    too_few, warning = watcher.warnings
    assert "too few test images" in too_few
    assert all(word in warning for word in needed)
    assert (result.sheet is None) == (target == "recorder.save_png")
    learned = runs.learned(tmp_path / "run")
    assert all(learned[name] == whole["float32"][name] for name in learned if name.endswith(".safetensors"))
    assert learned["metrics"] == whole["float32"]["metrics"]


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"GIF89a"])
def test_a_damaged_picture_is_left_out_of_the_animation(
    tmp_path: Path, small_data: Path, stopped_run: Path, content: bytes
) -> None:
    """One warning is given, and the animation has the other pictures."""
    folder = runs.copy(stopped_run, tmp_path / "run")
    (folder / "pictures" / "grid-0000003.png").write_bytes(content)
    watcher = runs.RecordingWatcher()
    assert runs.train(folder, small_data, resume=True, watcher=watcher).complete
    (warning,) = watcher.warnings
    assert "a frame of the animation" in warning
    assert_frames(folder, 0, 6)


def test_an_animation_of_very_many_pictures_shows_the_whole_run(
    tmp_path: Path, small_data: Path, stopped_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has some of them, from the first to the last."""
    monkeypatch.setattr("inkgan.training.recorder._MOST_FRAMES", 2)
    folder = runs.copy(stopped_run, tmp_path / "run")
    runs.train(folder, small_data, resume=True)
    assert_frames(folder, 0, 6)


def test_the_frames_of_large_pictures_are_smaller(
    tmp_path: Path, small_data: Path, stopped_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The animation holds all its frames in memory."""
    monkeypatch.setattr("inkgan.training.recorder._LARGEST_FRAME", 20)
    folder = runs.copy(stopped_run, tmp_path / "run")
    runs.train(folder, small_data, resume=True)
    with Image.open(folder / "pictures" / "learning.gif") as animation:
        assert 10 < max(animation.size) <= 20


def assert_frames(run: Path, *steps: int) -> None:
    """Check that the animation shows the pictures of these steps in this order."""
    with Image.open(run / "pictures" / "learning.gif") as animation:
        assert getattr(animation, "n_frames", 1) == len(steps)
        for frame, step in enumerate(steps):
            animation.seek(frame)
            with Image.open(RunFolder(run).grid_file(step)) as picture:
                np.testing.assert_array_equal(np.asarray(animation.convert("L")), np.asarray(picture.convert("L")))


def test_a_place_of_a_picture_that_is_taken(tmp_path: Path, small_data: Path, stopped_run: Path) -> None:
    """A folder in the place of the last picture costs only a warning."""
    folder = runs.copy(stopped_run, tmp_path / "run")
    (folder / "pictures" / "grid-0000006.png").mkdir(parents=True)
    watcher = runs.RecordingWatcher()
    assert runs.train(folder, small_data, resume=True, watcher=watcher).complete
    assert [warning for warning in watcher.warnings if "a picture" in warning]


def test_metrics_are_no_decoration(tmp_path: Path, small_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that cannot write its metrics stops."""
    error = OutputError("cannot write metrics.jsonl: the disk is full.")
    monkeypatch.setattr("inkgan.runs.metrics.MetricsWriter.write", failing(error))
    complaint(OutputError, "metrics.jsonl", folder=tmp_path / "run", data=small_data)


def test_metrics_that_are_removed_are_missed(tmp_path: Path, small_data: Path) -> None:
    """The watcher is told once; the run goes on, and writes no new file where somebody removed one."""

    class Removing(runs.RecordingWatcher):
        def logged(self, step: int, figures: Mapping[str, float]) -> None:
            (tmp_path / "run" / "metrics.jsonl").unlink(missing_ok=True)

    watcher = Removing()
    assert runs.train(tmp_path / "run", small_data, watcher=watcher).complete
    (told,) = [warning for warning in watcher.warnings if "metrics.jsonl" in warning]
    assert "was removed" in told
    assert not (tmp_path / "run" / "metrics.jsonl").exists()


# In one process


@pytest.mark.linux
@pytest.mark.slow
def test_many_runs_in_one_process_leave_nothing_behind(tmp_path: Path, small_data: Path) -> None:
    """Memory, open files, threads and signal handlers do not grow with the number of runs."""

    def train(number: int) -> None:
        runs.train(tmp_path / "run", small_data, steps=2, force=number > 0)

    def held() -> tuple[int, int, object, object]:
        gc.collect()
        files = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
        return files, threading.active_count(), threading.excepthook, signal.getsignal(signal.SIGINT)

    for number in range(5):
        train(number)
    before, memory = held(), resident()
    for number in range(10):
        train(number + 5)
    assert held() == before
    assert resident() - memory < 10 * 2**20  # it once was 3.4 MB for each run


def resident() -> int:
    """Return the memory of this process in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.slow
def test_two_runs_at_once(tmp_path: Path, small_data: Path) -> None:
    """Runs in two threads do not disturb each other: both end as a single one does."""

    def learned(name: str) -> dict[str, Any]:
        runs.train(tmp_path / name, small_data, steps=12)
        return runs.learned(tmp_path / name)

    alone = learned("alone")
    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(learned, ("left", "right"))) == [alone, alone]


@pytest.mark.parametrize("step", [1, 2])
def test_an_interrupt_is_no_ordinary_exception(tmp_path: Path, small_data: Path, step: int) -> None:
    """Ctrl-C ends a loop over seeds that suppresses errors, also after the last step of a run, which is complete."""
    done: list[int] = []

    def loop() -> None:
        for seed in range(3):
            with contextlib.suppress(Exception):
                runs.train(tmp_path / f"{seed}", small_data, seed=seed, steps=3, watcher=interrupt_at(step))
            done.append(seed)

    with pytest.raises(KeyboardInterrupt) as caught:
        loop()
    assert isinstance(caught.value, Interrupted)
    assert done == []
    assert runs.steps_saved(tmp_path / "0")[-1] == step + 1
    assert (tmp_path / "0" / "pictures" / "sheet.png").exists() == (step == 2) == ("is complete" in str(caught.value))


# What a run writes


@pytest.mark.slow
@pytest.mark.parametrize("pretraining_steps", [2, 0])
def test_the_untrained_generator_can_be_had(tmp_path: Path, small_data: Path, pretraining_steps: int) -> None:
    """The checkpoint of step 0 is always kept, and draws what the first picture shows."""
    folder = tmp_path / "run"
    settings = [f"pretraining_steps={pretraining_steps}"]
    runs.train(folder, small_data, settings=[*settings, "watch.keep=1", "watch.save_every=3"])
    assert runs.steps_saved(folder) == [0, 6]
    untrained = inkgan.load(folder, which="0")
    assert untrained.description["step"] == 0
    assert not np.array_equal(untrained.sample(2), inkgan.load(folder).sample(2))
    runs.train(tmp_path / "other", small_data, settings=settings, stop_at=1)
    again = inkgan.load(tmp_path / "other", which="0")
    assert np.array_equal(untrained.sample(2), again.sample(2))


def test_a_model_knows_its_data(tmp_path: Path) -> None:
    """A model holds the names of the classes and of the data."""
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "shapes.npz", images=rng.integers(0, 256, (30, 8, 8), dtype=np.uint8), labels=np.arange(30) % 3)
    runs.train(tmp_path / "run", tmp_path / "shapes.npz", steps=1)
    description = inkgan.load(tmp_path / "run").description
    assert (description["class_names"], description["data"]) == (["0", "1", "2"], "shapes")


@pytest.mark.slow
def test_what_tensorboard_shows(tmp_path: Path, tutorial_data: Path, tutorial_run: Path) -> None:
    """The tutorial's scalars, images and graph have its names, and each step occurs once, even after resuming."""
    folder = runs.copy(tutorial_run, tmp_path / "run")
    for step in (4, 6):  # as if it had been killed after step 5, and never been saved since step 0
        shutil.rmtree(folder / "checkpoints" / checkpoint.checkpoint_name(step))
    for stop_at in (3, None):
        runs.train(folder, tutorial_data, settings=runs.TUTORIAL, stop_at=stop_at, resume=True)
    events = EventAccumulator(str(folder / "tensorboard"), size_guidance={"images": 0, "scalars": 0})
    events.Reload()
    tags = events.Tags()
    assert {"Generator_loss", "Discriminator_loss_real", "Discriminator_loss_fake"} <= set(tags["scalars"])
    assert {f"Generated_images/image/{index}" for index in range(5)} | {"pictures/fixed_latents"} == set(tags["images"])
    assert tags["graph"]
    logged = {line["step"]: line for line in runs.metrics(folder)}
    for tag, name in (("Generator_loss", "loss_generator"), ("Discriminator_loss_real", "loss_real")):
        shown = {event.step: event.value for event in events.Scalars(tag)}
        assert list(shown) == [step for step in logged if name in logged[step]]
        assert all(shown[step] == pytest.approx(logged[step][name]) for step in shown)
    assert [event.step for event in events.Images("pictures/fixed_latents")] == [0, 3, 6]
    assert [event.step for event in events.Images("Generated_images/image/4")] == list(range(6))


def test_one_scheme_of_names_in_tensorboard(tmp_path: Path, small_data: Path) -> None:
    """Every tag of a compact recipe is in a group, pictures show ink on paper, and a page of charts names the tags.

    TensorBoard itself reads a run without measurements and without labels.
    """
    settings = ["penalty.every=1", "loss=hinge"]
    runs.train(tmp_path / "run", small_data, settings=settings, steps=3)
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard"), size_guidance={"images": 0, "scalars": 0})
    events.Reload()
    tags = events.Tags()
    assert set(tags["scalars"]) == {
        "loss/discriminator", "loss/generator", "loss/penalty", "margin/mean", "margin/pairs_in_order", "score/real",
        "score/generated", "speed/steps_per_second", "gradient/discriminator", "gradient/generator",
        *(tag for tag in tags["scalars"] if tag.startswith("doctor/")),
    }  # fmt: skip
    assert {"doctor/spread", "doctor/order_held_out"} <= set(tags["scalars"])
    assert set(tags["images"]) == {"pictures/fixed_latents", "pictures/first_ten"}
    (first, *_) = events.Images("pictures/first_ten")
    with Image.open(io.BytesIO(first.encoded_image_string)) as picture:
        assert picture.size == (140, 14)
        assert np.asarray(picture)[0].min() == 255  # the margin of the sheet is paper
    (layout,) = events.Tensors("custom_scalars__config__")
    charts = [
        chart for section in Layout.FromString(layout.tensor_proto.string_val[0]).category for chart in section.chart
    ]
    patterns = [pattern for chart in charts for pattern in chart.multiline.tag]
    assert charts[0].multiline.tag == ["loss/generator$", "loss/discriminator$"]
    for tag in tags["scalars"]:  # TensorBoard matches from the start of a tag
        assert sum(bool(re.match(pattern, tag)) for pattern in patterns) == 1
    shown = {pattern.removesuffix("$") for pattern in patterns}
    absent = {
        "quality/frechet.*", "quality/accuracy", "classifier/loss_real", "classifier/loss_generated",
        "doctor/rarest", "doctor/drawn_instead", "doctor/drawn_wrongly", "doctor/classes_known",
        "doctor/stuck_generator",  # a generator of such small images has no hidden convolution
    }  # fmt: skip
    assert shown - set(tags["scalars"]) == absent


def test_a_run_that_resumes_in_pretraining_keeps_its_page_of_charts(tmp_path: Path, small_data: Path) -> None:
    """TensorBoard forgets everything from the step on at which a run resumes, and the page is at step 0."""
    folder = tmp_path / "run"
    with pytest.raises(Interrupted):
        runs.train(folder, small_data, watcher=interrupt_at(-2))
    runs.train(folder, small_data, resume=True, stop_at=1)
    events = plugin_event_accumulator.EventAccumulator(str(folder / "tensorboard"))  # as the page reads them
    events.Reload()
    assert len(events.Tensors("custom_scalars__config__")) == 1
    assert len(events.Tensors("__run_graph__")) == 1


def test_what_a_run_leaves(finished_run: Path, small_data: Path) -> None:
    """The folder holds settings, environment, metrics, pictures and the last checkpoints, and nothing else."""
    names = sorted(path.name for path in finished_run.iterdir())
    assert [name for name in names if name != "lock"] == [
        "checkpoints", "config.json", "environment.json", "metrics.jsonl", "pictures", "tensorboard",
    ]  # fmt: skip
    pictures = sorted(path.name for path in (finished_run / "pictures").iterdir())
    assert pictures == ["grid-0000000.png", "grid-0000003.png", "grid-0000006.png", "learning.gif", "sheet.png"]
    assert runs.steps_saved(finished_run) == [0, 4, 6]
    (about,) = json.loads((finished_run / "environment.json").read_text("utf-8"))
    assert {"inkgan", "commit", "python", "torch", "numpy", "cpu", "device", "threads", "precision"} <= set(about)
    config = RunFolder(finished_run).saved_config()
    assert (config.steps, config.data.name) == (runs.STEPS, str(small_data))
    with Image.open(finished_run / "pictures" / "sheet.png") as sheet:
        assert sheet.size == (10 * 14 * 2, 10 * 14 * 2)
    assert_frames(finished_run, 0, 3, 6)
    assert not list(finished_run.rglob(".*"))


def test_a_batch_has_its_images_with_their_labels() -> None:
    """In the seed's order and in [0, 1]; a step of two critic steps takes the images of two steps of one."""
    split = Split(np.arange(0, 200, 10, dtype=np.uint8).reshape(20, 1, 1, 1), np.arange(20))
    data = DataSet("few", split, split, split, tuple(map(str, range(20))), "here")

    def labels_of(critic_steps: int, steps: int) -> list[int]:
        config = resolve(overrides=["seed=3", "batch_size=4", f"critic_steps={critic_steps}"])
        batches = Batches(data, config, torch.device("cpu"))
        found: list[int] = []
        for number in range(steps):
            real, labels = batches.batch(number)
            assert labels is not None
            assert torch.equal(real, (10 * labels).float().view(-1, 1, 1, 1) / 255)
            found += labels.tolist()
        return found

    order = BatchOrder(3, 20, 4)
    assert labels_of(1, 6) == labels_of(2, 3) == np.concatenate([order.batch(number) for number in range(6)]).tolist()


def test_metrics_are_the_terms(tutorial_run: Path) -> None:
    """Each logged step has its losses and scores; the generator's begin with the joint steps."""
    lines = runs.metrics(tutorial_run)
    assert [line["step"] for line in lines] == [-2, -1, 0, 1, 2, 3, 4, 5]
    terms = {"step", "loss_real", "loss_fake", "score_real", "score_fake", "gradient_discriminator"}
    more = [{name for name in line if not name.startswith("doctor/")} - terms for line in lines]
    assert more == [set()] * 2 + [{"loss_generator", "gradient_generator"}] * 6
    assert all(0 < line["loss_real"] < 2 and 0 < line["score_fake"] < 1 for line in lines)


def test_the_watcher_is_told(tmp_path: Path, small_data: Path) -> None:
    """A watcher gets the untrained generator's picture, every logged step, and pictures as often as asked for."""
    watcher, patient = runs.RecordingWatcher(), runs.RecordingWatcher()
    runs.train(tmp_path / "run", small_data, watcher=watcher)
    assert watcher.steps == [-2, -1, 0, 1, 2, 3, 4, 5]
    assert [picture.shape for picture in watcher.pictures] == [(12, 12, 1)] * 5  # untrained, -2, 0, 2, 4
    runs.train(tmp_path / "slow", small_data, watcher=patient, settings=["watch.show_seconds=3600.0"])
    assert len(patient.pictures) == 2  # untrained, -2; the next one is due in an hour


def test_an_error_of_the_watcher_ends_the_run(
    tmp_path: Path, small_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if it cannot take the images of the start, and no others follow."""
    watcher = runs.RecordingWatcher()
    monkeypatch.setattr(watcher, "fixed", failing(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        runs.train(tmp_path / "run", small_data, watcher=watcher, settings=["watch.log_every=0"])


def test_the_watcher_hears_of_a_step_each_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if nothing is logged, shown or examined: a panel would seem to stand still."""
    never = ["watch.log_every=0", "watch.show_every=0", "watch.doctor_every=0"]
    now, watcher, recorder = [0.0], runs.RecordingWatcher(), object.__new__(Recorder)
    monkeypatch.setattr("inkgan.training.recorder.time", SimpleNamespace(monotonic=lambda: now[0]))
    run = SimpleNamespace(config=resolve(overrides=never), recipe=Mock())
    vars(recorder).update(_run=run, _watcher=watcher, _reported=deque(), _told_at=0.0, _flushed_at=0.0)
    for step, second in enumerate([0.5, 1.0, 1.5, 1.9, 2.0]):
        now[0] = second
        recorder.step(step, {"loss_generator": torch.tensor(0.5)}, second, torch.zeros(1))
    assert watcher.steps == [1, 4]


@pytest.mark.usefixtures("clock")
def test_seconds_end_a_run(tmp_path: Path, small_data: Path) -> None:
    """A run with a time limit ends after it, and a stop in between gives it no extra time."""
    options: dict[str, Any] = {"seconds": 3, "settings": ["pretraining_steps=0"]}
    result = runs.train(tmp_path / "run", small_data, stop_at=4, **options)
    spent = checkpoint.read_document(runs.newest(tmp_path / "run"), "state")["seconds"]
    assert (result.step, result.complete) == (4, False)
    assert 0 < spent < result.seconds < 3
    result = runs.train(tmp_path / "run", small_data, resume=True, **options)
    assert result.complete
    assert result.seconds >= 3
    seconds = [json.loads(line)["seconds"] for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert seconds == sorted(seconds)
    assert seconds[3] < spent < seconds[4]
    assert seconds[-2] < 3


@pytest.mark.usefixtures("clock")
def test_the_speed_is_that_of_the_last_twenty_reports(tmp_path: Path, small_data: Path) -> None:
    """It counts steps by the run's own clock, from the report before those; the first report has no speed."""
    runs.train(tmp_path / "run", small_data, steps=30)
    lines = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert "steps_per_second" not in lines[0]
    for number, line in enumerate(lines[1:], 1):
        before = lines[max(0, number - 20)]
        speed = (line["step"] - before["step"]) / (line["seconds"] - before["seconds"])
        assert line["steps_per_second"] == pytest.approx(speed, rel=1e-3)


def test_the_time_of_a_suspension_does_not_count(tmp_path: Path, small_data: Path, clock: list[float]) -> None:
    """A run of some seconds that was suspended with Ctrl-Z still trains for all of them when it continues."""

    def suspended(step: int) -> None:
        if step == 2:
            clock[0] += 1000
            signal.raise_signal(signal.SIGCONT)

    watcher = runs.RecordingWatcher(after=suspended)
    result = runs.train(tmp_path / "run", small_data, seconds=3, settings=["pretraining_steps=0"], watcher=watcher)
    assert result.step > 4
    assert 3 <= result.seconds < 5
    assert signal.getsignal(signal.SIGCONT) == signal.SIG_DFL


def test_where_a_run_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --out, runs are named after recipe, data and seed, and numbered; --resume finds the newest one."""
    monkeypatch.chdir(tmp_path)
    name = "x" * 300 + ".npz"
    for expected in ("fast-mnist-seed0", "fast-mnist-seed0-2", "fast-mnist-seed0-3"):
        _, folder = runs.configure()
        assert folder == Path("runs") / expected
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(resolve().model_dump_json(), "utf-8")
    os.utime("runs/fast-mnist-seed0-2/config.json", (2e9, 2e9))
    assert runs.configure(resume=True)[1].name == "fast-mnist-seed0-2"
    assert len(runs.configure(data=name)[1].name) < 100
    assert runs.configure(data="a/v1.0")[1].name == "fast-v1.0-seed0"
    assert runs.configure(data="a/v1.5.npz")[1].name == "fast-v1.5-seed0"
    with pytest.raises(CheckpointError, match="there is no run fast-kmnist-seed0"):
        runs.configure(data="kmnist", resume=True)
