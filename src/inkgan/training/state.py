"""A run in memory: its preparation, its progress, and its weights, which are saved to and restored from checkpoints."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from inkgan.config import Config
from inkgan.data import DataSet
from inkgan.errors import CheckpointError, DivergenceError, shown
from inkgan.networks import note_of_change
from inkgan.runs import checkpoint, metrics
from inkgan.runs.folder import RunFolder
from inkgan.training.recipe import Recipe
from inkgan.training.team import Team
from inkgan.training.watching import Watcher

if TYPE_CHECKING:
    from inkgan.evaluation.reference import Measure


@dataclass(frozen=True, eq=False)
class PreparedRun:
    """A run that can start: the input of :mod:`inkgan.training.loop`.

    Attributes:
        config: the settings.
        folder: the run folder, which need not exist yet.
        data: the images to learn from.
        recipe: networks and optimisers, freshly initialised.
        device: where to compute.
        precision: the type of the networks' computations.
        team: the processes that train it.
        measure: the quality that ``watch.evaluate_every`` measures; None if it is 0.
        resume: continue the run in the folder.
        force: replace the run in the folder.
        stop_at: save and stop after this step.
        heal: raise an :class:`inkgan.training.healing.IllnessError` if training blows up or collapses.
    """

    config: Config
    folder: RunFolder
    data: DataSet
    recipe: Recipe
    device: torch.device
    precision: torch.dtype
    team: Team
    measure: Measure | None
    resume: bool
    force: bool
    stop_at: int | None
    heal: bool

    @property
    def precision_name(self) -> str:
        """The precision as settings name it."""
        return str(self.precision).removeprefix("torch.")

    @property
    def first_step(self) -> int:
        """The number of the run's first step: negative if it pre-trains the discriminator."""
        return -self.config.pretraining_steps

    def stops_at(self, step: int) -> bool:
        """Whether the run was asked to stop at this step or an earlier one."""
        return self.stop_at is not None and step >= self.stop_at


@dataclass
class RunState:
    """The progress of a run.

    Attributes:
        step: the next joint step; negative during pre-training.
        seconds: the time that the run had trained when it was saved.
        best_step: the step after which the quality was best; None if it was not measured.
        best_value: the first figure of that measurement.
        is_complete: whether the run has reached its end.
        saved_step: the step of the newest checkpoint; None if there is none.
    """

    step: int
    seconds: float = 0.0
    best_step: int | None = None
    best_value: float = math.inf
    is_complete: bool = False
    saved_step: int | None = None

    @property
    def is_saved(self) -> bool:
        """Whether there is a checkpoint of this step."""
        return self.step == self.saved_step

    def keep_best(self, value: float) -> None:
        """Remember a measurement of the quality at this step if it is better than all before."""
        if value < self.best_value:
            self.best_value = value
            self.best_step = self.step


def save(run: PreparedRun, state: RunState, keep: Iterable[int] = ()) -> None:
    """Write a checkpoint of a run, and remove old ones: step 0, the best and the newest few stay.

    Args:
        run: the run.
        state: its progress.
        keep: the steps of other checkpoints that stay.

    Raises:
        DivergenceError: a weight or a state of an optimiser is not finite.
        OutputError: the checkpoint cannot be written.
    """
    arrays = as_arrays(run.recipe)
    for stem, group in arrays.items():
        for name, array in group.items():
            if not np.isfinite(array).all():
                raise DivergenceError(f"{stem}.{name} is not finite")
    progress: dict[str, Any] = {"step": state.step, "seconds": state.seconds, **_identity(run)}
    if state.best_step is not None:
        progress |= {"best_step": state.best_step, "best_value": state.best_value}
    model = {
        **run.recipe.model_description(),
        "step": state.step,
        "config": run.config.model_dump(),
        **_identity(run),
        "data": run.data.name,
        "class_names": list(run.data.class_names) if run.recipe.num_classes else [],
    }
    checkpoint.save(run.folder.checkpoints, state.step, arrays, {"state": progress, "model": model})
    state.saved_step = state.step
    checkpoint.prune(run.folder.checkpoints, run.config.watch.keep, [0, state.best_step or 0, *keep])


def restore(run: PreparedRun, watcher: Watcher) -> RunState:
    """Load the newest intact checkpoint into the recipe, and drop the run's records after it.

    A run without a checkpoint starts at its first step.

    Raises:
        CheckpointError: every checkpoint is damaged, or the newest one cannot be read or does not belong to this run.
    """
    checkpoints = run.folder.checkpoints
    step, damages = checkpoint.newest_to_resume(checkpoints)
    for damage in damages:
        watcher.warn(f"{damage} Falling back to the checkpoint before it.")
    if damages and step in (None, 0):  # resuming at step 0 has no advantage over a new start
        place = shlex.quote(str(run.folder.path))
        again = f"inkgan train --config {shlex.quote(str(run.folder.config_file))} --out {place} --force"
        raise CheckpointError(f"no checkpoint after step 0 in {shown(checkpoints)} is intact. Start again: {again}")
    if step is None and metrics.last(run.folder.metrics_file):
        watcher.warn(f"there is no checkpoint in {shown(checkpoints)}, so the run starts again at its first step.")
    state = RunState(run.first_step) if step is None else _load(run, step)
    run.folder.forget_after(state.step)
    checkpoint.set_aside_after(checkpoints, state.step)
    return state


def _load(run: PreparedRun, step: int) -> RunState:
    folder = run.folder.checkpoints / checkpoint.checkpoint_name(step)
    progress = checkpoint.read_state(folder)
    for key, value in {**_identity(run), "step": step}.items():
        if progress.get(key) != value:
            raise CheckpointError(
                f"{shown(folder)} has {key} {progress.get(key)!r}, but this run has {value!r}. Give it back its name, "
                f"or move it out of {shown(folder.parent)}."
            )
    seconds = progress.get("seconds")
    if not isinstance(seconds, float) or not 0 <= seconds < math.inf:
        raise CheckpointError(f"{shown(folder)} is damaged: its seconds are {seconds!r}.")
    loaded = {}
    for stem, group in as_arrays(run.recipe).items():
        shapes = {name: array.shape for name, array in group.items()}
        # For example, the number of batches that batch normalisation has seen.
        others = {name: array.dtype for name, array in group.items() if array.dtype != np.float32}
        try:
            loaded[stem] = checkpoint.read_arrays(folder, stem, shapes, others)
        except CheckpointError as error:
            changed = note_of_change(checkpoint.read_document(folder, "model"), run.folder.path)
            raise CheckpointError(" ".join([str(error), *changed])) from error.__cause__
    from_arrays(run.recipe, loaded)
    best_step, best_value = progress.get("best_step"), progress.get("best_value", math.inf)
    if best_step not in checkpoint.list_steps(run.folder.checkpoints):  # a later one was better, and is set aside now
        best_step, best_value = None, math.inf
    return RunState(step, seconds, best_step, best_value, saved_step=step)


def _identity(run: PreparedRun) -> dict[str, str]:
    """Return the facts that must not change between the starts of a run, besides its settings."""
    return {"digest": run.data.digest, "precision": run.precision_name}


def _tensors(recipe: Recipe) -> dict[str, dict[str, Tensor]]:
    """Return everything that a recipe has learned, not copied: file name -> name -> tensor, in a fixed order."""
    tensors = {stem: network.state_dict() for stem, network in recipe.networks.items()}
    names = {id(one): name for network in recipe.networks.values() for name, one in network.named_parameters()}
    states = tensors["optimizers"] = {}
    for optimizer_name, optimizer in recipe.optimizers.items():
        for parameter, state in optimizer.state.items():
            states |= {f"{optimizer_name}.{names[id(parameter)]}.{key}": tensor for key, tensor in state.items()}
    return tensors


def as_arrays(recipe: Recipe) -> dict[str, dict[str, Any]]:
    """Copy everything that a recipe has learned to NumPy arrays: file name -> name -> array."""
    groups = _tensors(recipe).items()
    arrays = {stem: {name: _array(tensor) for name, tensor in group.items()} for stem, group in groups}
    arrays["generator"] |= recipe.model_extras()
    return arrays


def from_arrays(recipe: Recipe, arrays: Mapping[str, Mapping[str, Any]]) -> None:
    """Copy the arrays of :func:`as_arrays` back into a recipe."""
    for stem, network in recipe.networks.items():
        network.load_state_dict({name: torch.from_numpy(arrays[stem][name]) for name in network.state_dict()})
    for name, tensor in _tensors(recipe)["optimizers"].items():
        tensor.copy_(torch.from_numpy(arrays["optimizers"][name]))
    recipe.after_load()


def learned_tensors(recipe: Recipe) -> list[Tensor]:
    """Return the tensors of everything that a recipe has learned, not copied, in an order that does not change."""
    return [tensor for group in _tensors(recipe).values() for tensor in group.values()]


def _array(tensor: Tensor) -> Any:
    # Contiguous, because convolutions may be channels last in memory, and a copy, because training goes on.
    return tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format).numpy()
