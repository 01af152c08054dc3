"""The folder of one run: its settings, its environment, its metrics, its pictures and its checkpoints.

runs/NAME/
    config.json        the resolved settings
    environment.json   versions, threads, device, commit: a list, one entry for each start that trains
    metrics.jsonl      one line for each logged step; see inkgan.runs.metrics
    tensorboard/       the same for TensorBoard, with images and graphs
    pictures/          grids of fixed latents by step, the final sheet, the animation
    checkpoints/       see inkgan.runs.checkpoint
    lock               locked while a trainer works here

Each part may be a link to another disk. A damaged file is kept as ``NAME.damaged``, and a checkpoint
from a time in which the run was ill as ``NAME.ill``.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from inkgan.config import Config
from inkgan.config.sources import holds_saved_settings, read_config
from inkgan.errors import CheckpointError, ConfigError, InkganWarning, OutputError, reason_of, shown
from inkgan.files import (
    first_free,
    from_json,
    is_file,
    is_folder,
    output_errors,
    path_aside,
    read_regular,
    write_bytes,
)
from inkgan.runs import checkpoint, contents, metrics
from inkgan.runs.lock import RunLock

_GRID = re.compile(r"grid-(\d{7,})\.png")
#: The parts of the environment whose changes are reported: they may change rounding, random numbers or the user's own
#: network.
_REPORTED = ("threads", "torch", "numpy", "device", "cpu", "network_sha256")


class RunFolder:
    """The paths of a run, with methods that read and write them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config_file = path / contents.CONFIG
        self.environment_file = path / "environment.json"
        self.metrics_file = path / "metrics.jsonl"
        self.tensorboard = path / "tensorboard"
        self.pictures = path / "pictures"
        self.checkpoints = path / "checkpoints"
        self.lock = RunLock(path)

    @property
    def is_run(self) -> bool:
        """Whether a run was ever started here."""
        return is_file(self.config_file)

    # Starting

    def start(self, config: Config, *, force: bool) -> None:
        """Begin a new run here, in place of any run that is here.

        Raises:
            OutputError: see :meth:`require_free`; or a file cannot be removed or written.
        """
        found = self.require_free(force=force)
        try:
            contents.remove(found, self.path)
        except OSError as error:
            raise OutputError(
                f"cannot replace the run in {shown(self.path)}: {reason_of(error)}. Files may be gone; try again."
            ) from error
        self.write_config(config)

    def require_free(self, *, force: bool) -> contents.Contents:
        """Make sure that a new run may begin here, and return what is here; nothing is written.

        Raises:
            OutputError: the folder holds something that no run wrote, or it holds a run and ``force`` is off.
        """
        with output_errors(self.path):
            if self.path.is_symlink() and not self.path.exists():
                raise OutputError(f"{shown(self.path)} is a link to nothing. Name another folder with --out.")
            found = contents.contents_of(self.path) if self.path.exists() else contents.Contents()
        if found.foreign:
            self._refuse(found.foreign[0], "which no run wrote")
        if found.files and not holds_saved_settings(self.config_file):
            self._refuse(found.files[0], "but no config.json of a run")
        if found.files and not force:
            raise OutputError(
                f"{shown(self.path)} already holds a run. Continue it with --resume, replace it with --force, "
                "or name another folder with --out."
            )
        for folder in (self.path, *found.folders) if found.files else ():
            if not os.access(folder, os.W_OK | os.X_OK):
                raise OutputError(
                    f"cannot replace the run in {shown(self.path)}: {shown(folder)} is read-only. Name another --out."
                )
        return found

    def _refuse(self, found: Path, reason: str) -> NoReturn:
        if found.is_symlink():
            reason = "a link" if found.exists() else "a link to nothing"
        elif found.is_dir():
            found = next((path for path in found.rglob("*") if path.is_file()), found)
        name = found.relative_to(self.path)
        raise OutputError(f"{shown(self.path)} holds {shown(name)}, {reason}. Move it, or name another --out.")

    # Settings

    def saved_config(self) -> Config:
        """Read the settings that the run was started with.

        Raises:
            CheckpointError: this is not a run folder, or its settings are damaged.
        """
        if not self.is_run:
            raise CheckpointError(
                f"{shown(self.path)} is not the folder of a run: {self.why_no_run()}. "
                "Name the folder that `inkgan train` printed."
            )
        try:
            return read_config(self.config_file)
        except ConfigError as error:
            raise CheckpointError(str(error)) from None

    def why_no_run(self) -> str:
        """Return why this is not the folder of a run, for a message."""
        if is_file(self.path):
            return "it is a file"
        if not is_folder(self.path):
            return "there is no such folder"
        try:
            inner = [path for path in sorted(self.path.iterdir()) if RunFolder(path).is_run]
            with contextlib.suppress(FileNotFoundError):
                self.config_file.stat()
        except OSError as error:
            return f"it cannot be read ({reason_of(error)})"
        others = f", but holds the folders of runs, such as {shown(inner[0])}" if inner else ""
        return f"it has no config.json{others}"

    def write_config(self, config: Config) -> None:
        """Save the run's settings, in place of those that it had."""
        write_bytes(self.config_file, (config.model_dump_json(indent=1) + "\n").encode())

    # The record of a run

    def add_environment(self, environment: Mapping[str, Any]) -> list[str]:
        """Record the environment of a start.

        Returns:
            What changed since the last start, as ``key: old -> new``.

        Warns:
            InkganWarning: the record is missing, or damaged; a damaged one is kept under another name.
        """
        starts = self._environments()
        last = starts[-1] if starts else environment
        write_bytes(self.environment_file, (json.dumps([*starts, environment], indent=1) + "\n").encode())
        pairs = {key: (last.get(key), environment.get(key)) for key in _REPORTED}
        return [f"{key}: {old} -> {new}" for key, (old, new) in pairs.items() if old != new]

    def _environments(self) -> list[dict[str, Any]]:
        file = self.environment_file
        unknown = "The run continues; a change of machine or version cannot be detected."
        if not file.exists():
            if checkpoint.list_steps(self.checkpoints):
                warnings.warn(f"{shown(file)} is missing. {unknown}", InkganWarning, stacklevel=3)
            return []
        with output_errors(file):
            with contextlib.suppress(json.JSONDecodeError):
                starts = from_json(read_regular(file))
                if isinstance(starts, list) and all(isinstance(start, dict) for start in starts):
                    return starts
            copy = path_aside(file)
            file.rename(copy)
        warnings.warn(f"{shown(file)} is damaged and kept as {copy.name}. {unknown}", InkganWarning, stacklevel=3)
        return []

    def forget_after(self, step: int) -> None:
        """Drop the metrics from a step on and the pictures after it; the resumed run makes them again.

        Warns:
            InkganWarning: ``metrics.jsonl`` is damaged, or lines are missing.
        """
        config = self.saved_config()
        first_step = -config.pretraining_steps
        wrong = metrics.cut(self.metrics_file, step, first_step=first_step, every=config.watch.log_every)
        if wrong:
            warnings.warn(f"{wrong} The run continues.", InkganWarning, stacklevel=2)
        with output_errors(self.path):
            contents.remove_unfinished(self.path)
            for grid_step, path in self.grids().items():
                # The picture of step 0 was drawn before pre-training.
                if grid_step > max(step, 0) and not path.is_symlink():
                    path.unlink()

    def grids(self) -> dict[int, Path]:
        """Return the pictures of the fixed latents by their steps, oldest first."""
        found = [path for path in self.pictures.glob("grid-*.png") if path.is_file()]
        return dict(sorted((int(match[1]), path) for path in found if (match := _GRID.fullmatch(path.name))))

    def grid_file(self, step: int) -> Path:
        """Return the path of the picture of the fixed latents after ``step`` steps."""
        return self.pictures / f"grid-{step:07d}.png"

    # Checkpoints

    def class_names(self) -> tuple[str, ...]:
        """Return the names of the classes that the run learns: empty without labels or before the first checkpoint."""
        newest = self.newest_checkpoint()[0]
        return () if newest is None else tuple(checkpoint.read_document(newest, "model").get("class_names", ()))

    def checkpoint(self, which: str) -> Path:
        """Return the folder of a checkpoint.

        Args:
            which: ``latest``, ``best`` or a step.

        Raises:
            CheckpointError: there is no such checkpoint.
        """
        steps = checkpoint.list_steps(self.checkpoints)
        if not steps:
            self.saved_config()  # raises an error that says more if the settings are another program's
            raise CheckpointError(
                f"{shown(self.path)} has no checkpoint yet. Train it further: "
                f"inkgan train --resume --out {shlex.quote(str(self.path))}"
            )
        if which == "latest":
            step = steps[-1]
        elif which == "best":
            best = self.best_step()
            if best is None:
                raise CheckpointError(f"{shown(self.path)} measured no quality: --evaluate-every does. Use latest.")
            step = best
        elif re.fullmatch(r"-?\d{1,12}", which) and int(which) in steps:
            step = int(which)
        else:
            known = ", ".join([*(["best"] if self.best_step() else []), *map(str, steps)])
            raise CheckpointError(f"{shown(self.path)} has no checkpoint '{shown(which)}'. It has: latest, {known}.")
        return self.checkpoints / checkpoint.checkpoint_name(step)

    def newest_step(self) -> int | None:
        """Return the step of the newest checkpoint that is whole; None if there is none."""
        return self.newest_checkpoint()[1].get("step")

    def best_step(self) -> int | None:
        """Return the step of the checkpoint with the best quality; None if quality was not measured, or it is gone."""
        best: int | None = self.newest_checkpoint()[1].get("best_step")
        return best if best in checkpoint.list_steps(self.checkpoints) else None

    def newest_checkpoint(self) -> tuple[Path | None, dict[str, Any]]:
        """Return the newest checkpoint whose documents are whole, and its state; None and ``{}`` if there is none."""
        for _ in range(checkpoint.TRIES):
            step, _damages = checkpoint.newest_whole(self.checkpoints, ("model", "state"))
            if step is None:
                break
            path = self.checkpoints / checkpoint.checkpoint_name(step)
            try:
                return path, checkpoint.read_state(path)
            except CheckpointError:
                if path.exists():
                    raise
                # A trainer removed it just now.
        return None, {}


def claim(path: Path) -> Path:
    """Make a folder with the first free name (:func:`first_free`). Runs that start at one moment get one folder each.

    Raises:
        OutputError: it cannot be made.
    """
    while True:
        free = first_free(path)
        with output_errors(free):
            try:
                free.mkdir(parents=True)
            except FileExistsError:
                if not os.path.lexists(free):  # it is a folder above it that cannot be made
                    raise
            else:
                return free


def newest_run(parent: Path, stem: str) -> Path:
    """Return the run of this name to which something was written last.

    Raises:
        CheckpointError: there is no such run.
    """
    pattern = re.compile(re.escape(stem) + r"(-\d+)?")
    runs = [path for path in parent.glob("*") if pattern.fullmatch(path.name) and RunFolder(path).is_run]
    if not runs:
        raise CheckpointError(f"there is no run {shown(stem)} in {shown(parent)} to resume. Name one with --out.")
    return max(runs, key=_last_written)


def _last_written(run: Path) -> float:
    """Return the time at which something in a run's folder was written last."""
    times = []
    for entry in run.iterdir():
        with contextlib.suppress(FileNotFoundError):  # the temporary file of a trainer
            times.append(entry.lstat().st_mtime)
    return max(times, default=0.0)
