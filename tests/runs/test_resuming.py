"""Resuming: what is compared first, and real, tiny runs after something went wrong or with uncommon names."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest

import inkgan
import tiny_runs as runs
from inkgan.config import resolve
from inkgan.config.sources import differences
from inkgan.errors import CheckpointError, ConfigError
from inkgan.files import sha256_of
from inkgan.runs import checkpoint
from inkgan.runs.resuming import continued, require_same, save_changed_settings
from refusals import refusal

#: The digest of the data that the runs of these tests learned from.
DIGEST = runs.UNTRAINED_STATE["digest"]
_HEALING = "6 generator.learning_rate=0.001 # healing 1: blown-up at step 20"


# What is compared


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("batch_size", 6, "batch_size: 5 -> 6"),
        ("seed", 1, "seed: 0 -> 1"),
        ("watch.keep", 7, "watch.keep: 2 -> 7"),
        ("generator.learning_rate", 0.5, "generator.learning_rate: 0.003 -> 0.5"),
        ("precision", "bfloat16", "precision: auto -> bfloat16"),
    ],
)
def test_edited_settings_are_noticed(tmp_path: Path, key: str, value: object, said: str) -> None:
    """The error for a setting that was edited in config.json gives both values and the remedy."""
    run = runs.untrained(tmp_path / "run")
    saved = json.loads(run.config_file.read_text("utf-8"))
    table, _, name = key.rpartition(".")
    (saved[table] if table else saved)[name] = value
    run.config_file.write_text(json.dumps(saved), "utf-8")
    edited = run.saved_config()
    refusal(
        lambda: require_same(run, edited, DIGEST),
        f"{run.config_file} was edited after step-0000002 was saved: {said}. Change it back.",
        kind=ConfigError,
    )  # fmt: skip


def test_settings_that_may_differ(tmp_path: Path) -> None:
    """Another location of the data, and a precision that was only made explicit, are not edits."""
    run = runs.untrained(tmp_path / "run")
    saved = run.saved_config()
    moved = saved.model_copy(update={"data": saved.data.model_copy(update={"name": "/elsewhere/x.npz"})})
    require_same(run, moved, DIGEST)
    save_changed_settings(run, moved)
    require_same(run, run.saved_config(), DIGEST)
    explicit = moved.model_copy(update={"precision": "float32"})
    require_same(run, explicit, DIGEST)
    run.config_file.write_text(explicit.model_dump_json(), "utf-8")
    require_same(run, explicit, DIGEST)


def test_other_images_are_refused(tmp_path: Path) -> None:
    """The images must be those that the run learned from."""
    run = runs.untrained(tmp_path / "run")
    saved = run.saved_config()
    refusal(lambda: require_same(run, saved, "e" * 64), "other images", kind=CheckpointError)
    moved = saved.model_copy(update={"data": saved.data.model_copy(update={"name": "/elsewhere/x.npz"})})
    refusal(lambda: require_same(run, moved, "e" * 64), "other images", "/elsewhere/x.npz", kind=CheckpointError)
    inverted = moved.model_copy(update={"data": moved.data.model_copy(update={"ink": "dark"})})
    refusal(lambda: require_same(run, inverted, "e" * 64), "data.ink: auto -> dark", kind=ConfigError)


@pytest.mark.parametrize(
    ("asked", "is_refused"),
    [
        (["3 penalty.weight=1", "40 penalty.weight=2"], False),  # what the run began with
        (["3 penalty.weight=1", "9 penalty.weight=3", "40 penalty.weight=2"], False),  # healing took 9 over, too
        (["3 penalty.weight=1", _HEALING, "40 penalty.weight=2"], False),  # what it has now
        ([], True),
        (["40 penalty.weight=2"], True),
        (["3 penalty.weight=1"], True),
        (["3 penalty.weight=5", "40 penalty.weight=2"], True),
        (["3 penalty.weight=1", "4 penalty.weight=3", "40 penalty.weight=2"], True),
    ],
)
def test_the_changes_that_a_healed_run_began_with(asked: list[str], is_refused: bool) -> None:
    """Healing went back to step 6 from step 20: other changes before that, or after it, are those of another run."""
    saved = resolve(overrides={"changes": ["3 penalty.weight=1", _HEALING, "40 penalty.weight=2"]})
    again = continued(saved, resolve(overrides={"changes": asked}))
    assert (differences(saved, again) != []) == is_refused


def test_a_run_without_checkpoints_has_nothing_to_compare(tmp_path: Path) -> None:
    """A run that was killed before its first checkpoint starts from its config.json."""
    run = runs.untrained(tmp_path / "run", steps=())
    require_same(run, run.saved_config(), "e" * 64)


# Real runs


def test_a_disk_that_fails_once(
    tmp_path: Path, small_data: Path, stopped_run: Path, finished_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A temporary error in reading the newest checkpoint ends the resume, and the next resume continues from it."""
    folder = runs.copy(stopped_run, tmp_path / "run")
    before = runs.listing(folder / "checkpoints")
    failed: list[Path] = []

    def fail_once(path: Path) -> str:
        if path.name == "optimizers.safetensors" and not failed:
            failed.append(path)
            raise OSError(errno.EIO, "Input/output error", str(path))
        return sha256_of(path)

    monkeypatch.setattr("inkgan.runs.checkpoint.sha256_of", fail_once)
    with pytest.raises(CheckpointError, match=r"optimizers\.safetensors cannot be read: input/output error\."):
        runs.train(folder, small_data, resume=True)
    assert failed
    assert runs.listing(folder / "checkpoints") == before
    watcher = runs.RecordingWatcher()
    runs.train(folder, small_data, resume=True, watcher=watcher)
    assert watcher.warnings == []
    assert watcher.steps == [5]
    assert runs.learned(folder) == runs.learned(finished_run)


@pytest.mark.slow
def test_a_damaged_checkpoint_is_kept(tmp_path: Path, small_data: Path, stopped_run: Path) -> None:
    """The run falls back to the one before; the damaged one is kept under another name until --force removes it."""
    folder = runs.copy(stopped_run, tmp_path / "run")
    runs.damage(runs.newest(folder) / "generator.safetensors")
    damaged = runs.listing(runs.newest(folder))
    assert runs.train(folder, small_data, resume=True).complete
    kept = folder / "checkpoints" / "step-0000005.damaged"
    assert runs.listing(kept) == damaged
    runs.train(folder, small_data, steps=1, force=True)
    assert not kept.exists()


@pytest.mark.parametrize(("key", "value"), [("batch_size", 6), ("seed", 7), ("steps", 7)])
def test_edited_settings(tmp_path: Path, small_data: Path, stopped_run: Path, key: str, value: int) -> None:
    """A run whose config.json was edited is not resumed, and nothing is written."""
    folder = runs.copy(stopped_run, tmp_path / "run")
    saved = json.loads((folder / "config.json").read_text("utf-8"))
    edited = json.dumps(saved | {key: value})
    (folder / "config.json").write_text(edited, "utf-8")
    before = runs.listing(folder)
    with pytest.raises(ConfigError, match=rf"edited after step-0000005 was saved: {key}: {saved[key]} -> {value}\."):
        inkgan.train(out=folder, resume=True, device="cpu", data=str(small_data))
    assert runs.listing(folder) == before


def change_state(saved: Path, values: dict[str, object]) -> None:
    """Change values in the state.json of a checkpoint, and its manifest with them."""
    state = checkpoint.read_document(saved, "state")
    (saved / "state.json").write_text(json.dumps(state | values), "utf-8")
    listed = checkpoint.read_document(saved, "manifest")
    content = (saved / "state.json").read_bytes()
    listed["files"]["state.json"] = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (saved / "manifest.json").write_text(json.dumps(listed), "utf-8")


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("precision", [], "state.json is damaged: its precision is []."),
        ("precision", {}, "its precision is {}."),
        ("best_step", [5], "its best_step is [5]."),
        ("best_value", "low", "its best_value is 'low'."),
        ("best_value", None, "its best_value is None."),
        ("best_value", 10**400, "its best_value is 1000"),
        ("digest", 5, "its digest is 5."),
        ("seconds", "soon", "its seconds is 'soon'."),
        ("seconds", -1.0, "is damaged: its seconds are -1.0."),
        ("step", None, "its step is None."),
        ("step", True, "its step is True."),
        ("step", 3, "step-0000005 has step 3, but this run has 5. Give it back its name, or move it out of "),
    ],
)
def test_a_state_that_does_not_fit(
    tmp_path: Path, small_data: Path, stopped_run: Path, key: str, value: object, said: str
) -> None:
    """A wrong value in state.json is a one-line error even if the manifest fits it, and nothing is written."""
    folder = runs.copy(stopped_run, tmp_path / "run")
    change_state(runs.newest(folder), {key: value})
    before = runs.listing(folder)
    refusal(lambda: runs.train(folder, small_data, resume=True), said, kind=CheckpointError)
    assert runs.listing(folder) == before


def test_a_best_checkpoint_that_is_gone(tmp_path: Path, small_data: Path, stopped_run: Path) -> None:
    """A better one replaced it and was set aside later; the best is the best of those that are there."""
    folder = runs.copy(stopped_run, tmp_path / "run")
    change_state(runs.newest(folder), {"best_step": 1, "best_value": 0.5})
    runs.train(folder, small_data, resume=True)
    assert "best_step" not in checkpoint.read_state(runs.newest(folder))


def test_a_run_whose_checkpoints_are_gone(tmp_path: Path, small_data: Path, stopped_run: Path) -> None:
    """It starts again, as a run does that was killed before its first checkpoint, and says what that costs."""
    folder = runs.copy(stopped_run, tmp_path / "run")
    shutil.rmtree(folder / "checkpoints")
    watcher = runs.RecordingWatcher()
    assert runs.train(folder, small_data, resume=True, watcher=watcher).complete
    said = f"there is no checkpoint in {folder / 'checkpoints'}, so the run starts again at its first step."
    assert watcher.warnings == [said]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(b"run\xff", marks=pytest.mark.linux),
        pytest.param(b"\xe9t\xe9 1", marks=pytest.mark.linux),
        b"a\nb",
        "ü 字".encode(),
        b"--help",
    ],
)
def test_uncommon_names_of_folders(tmp_path: Path, small_data: Path, name: bytes) -> None:
    """Whatever a folder is called, a run is trained, resumed and drawn from there."""
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    runs.train(folder, small_data, stop_at=3)
    assert runs.train(folder, small_data, resume=True).complete
    assert inkgan.load(folder).sample(2).shape == (2, 12, 12)
    assert (folder / "pictures" / "sheet.png").is_file()
    checkpoint.verify(runs.newest(folder))
