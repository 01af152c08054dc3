"""The loop: batches in, steps, what is written on the way, and an end that loses nothing."""

from __future__ import annotations

import contextlib
import math
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, NoReturn

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inkgan.config import Config
from inkgan.data import DataSet
from inkgan.device import keep_freed_memory, resolve_device, resolve_precision
from inkgan.errors import CheckpointError, DivergenceError, Interrupted
from inkgan.images import Images, to_uint8
from inkgan.runs import checkpoint
from inkgan.runs.folder import RunFolder, environment
from inkgan.seeds import BatchOrder, Stream, latents, rng
from inkgan.training.doctor import Symptoms, remedy
from inkgan.training.recipe import Moment, Recipe, as_arrays, from_arrays
from inkgan.training.recipes import build
from inkgan.training.recorder import RunLog
from inkgan.training.signals import StopSignals
from inkgan.training.watching import Silent, StepProgress, Watcher

_FIXED_LATENTS = 100
_LOGGED_IMAGES = 5
#: How many images `watch.evaluate_every` measures: few enough to cost about a second.
_MEASURED_IMAGES = 2000


#: Figures by name for images uint8 [N, H, W, C] and their labels; where the first figure is lowest is the best.
Measure = Callable[[Images, NDArray[np.int64] | None], dict[str, float]]


@dataclass(frozen=True)
class Result:
    """How a run ended: its folder, the steps done, the training time, and whether it is complete."""

    folder: Path
    step: int
    seconds: float
    complete: bool
    sheet: Path | None


def fit(
    config: Config,
    data: DataSet,
    folder: Path,
    *,
    resume: bool = False,
    force: bool = False,
    stop_at: int | None = None,
    device: str = "auto",
    watcher: Watcher | None = None,
    measuring: Callable[[], Measure] | None = None,
) -> Result:
    """Train a GAN into a run folder.

    Args:
        config: the settings; when resuming they must be the run's own, but its data may have moved.
        data: images uint8 [N, H, W, C]; the training split is learned from.
        folder: the run folder.
        resume: continue the run that is there, bit for bit.
        force: replace the run that is there.
        stop_at: save and stop after this many steps, to be resumed.
        device: auto, cpu, cuda, ...
        watcher: who is told how it goes.
        measuring: makes what ``watch.evaluate_every`` measures with. It may take minutes, so it comes after all checks.

    Raises:
        ConfigError, CheckpointError, OutputError: something given cannot be used.
        DivergenceError: a loss or gradient was not finite; the last good checkpoint is kept.
        Interrupted: a signal came; the run was saved and can be resumed.
    """
    run = RunFolder(folder)
    if resume and not run.is_run:
        raise CheckpointError(
            f"{folder} is not the folder of a run, so it cannot be resumed. Start it without --resume."
        )
    if not resume:
        run.require_free(force=force)
    # All that can be wrong with what was given comes before anything is written.
    where = resolve_device(device)
    precision = resolve_precision(run.precision_for(config) if resume else config.precision, where)
    recipe = build(config, data.image_shape, len(data.class_names), where, precision)
    measure = measuring() if measuring and not resume else None
    keep_freed_memory()
    with run.locked():
        if resume:
            run.require_same(config, data.digest)
            run.note_data(config)
            measure = measuring() if measuring else None
        else:
            run.start(config, force=force)
        return _Training(config, data, run, recipe, where, precision, watcher or Silent(), measure).run(stop_at)


class _Training:
    """One start of a run, from its first or its last saved step to its end."""

    def __init__(
        self,
        config: Config,
        data: DataSet,
        run: RunFolder,
        recipe: Recipe,
        device: torch.device,
        precision: torch.dtype,
        watcher: Watcher,
        measure: Measure | None,
    ) -> None:
        self._measure, self._best, self._symptoms = measure, _Best(math.inf, None), Symptoms()
        self._speed, self._shown_at = _Speed(), -math.inf
        self._config, self._run, self._recipe, self._watcher, self._device = config, run, recipe, watcher, device
        self._data_name, self._images = data.name, torch.tensor(data.train.images, device=device)
        self._labels = None if data.train.labels is None else torch.tensor(data.train.labels, device=device)
        self._order = BatchOrder(config.seed, len(data.train.images), config.batch_size)
        self._identity = {"digest": data.digest, "precision": str(precision).removeprefix("torch.")}
        self._step = -config.pretraining_steps
        self._seconds_before, self._spent = 0.0, 0.0
        self._restore()
        about = environment(str(device), torch.get_num_threads(), self._identity["precision"])
        changes = run.add_environment(about)
        if changes:
            watcher.warn(
                f"this is not where the run was before, so results may differ in rounding: {'; '.join(changes)}"
            )
        self._about = about
        fixed = latents(config.seed, Stream.FIXED_LATENTS, 0, _FIXED_LATENTS, self._recipe.latent_dim)
        self._fixed_latents = torch.from_numpy(fixed).to(device)
        self._fixed_labels = self._as_labels(np.arange(_FIXED_LATENTS))

    def run(self, stop_at: int | None) -> Result:
        """Train to the end, to ``stop_at`` or to a signal."""
        log = RunLog(self._run, self._step)
        with contextlib.closing(log), StopSignals() as signals:
            self._begin(log)
            while not (complete := self._is_complete()):
                if signals.received is not None or (stop_at is not None and self._step >= stop_at):
                    break
                real, labels = self._next_batch()
                try:
                    terms = self._recipe.step(self._moment(), real, labels)
                except DivergenceError as error:
                    self._diverged(f"{error}; the update was not made")
                self._step += 1
                self._tell(log, terms)
                self._keep(log)
            if checkpoint.list_steps(self._run.checkpoints)[-1:] != [self._step]:
                self._save(log)
            if signals.received is not None and not complete:
                raise Interrupted(
                    f"stopped by a signal at step {self._step} and saved. "
                    f"Continue with: inkgan train --resume --out {shlex.quote(str(self._run.path))}",
                    signals.received,
                )
            if complete:
                log.finish(self._draw(_FIXED_LATENTS))
                self._warn_of_symptoms()
        sheet = self._run.pictures / "sheet.png" if complete else None
        return Result(self._run.path, self._step, self._clock.seconds, complete, sheet)

    def _begin(self, log: RunLog) -> None:
        """Show where the run stands before its first step of this start."""
        self._watcher.started(self._run.path, self._config, self._about, self._step)
        if self._step == -self._config.pretraining_steps:
            log.graph(self._recipe)
            self._grid(log)
            self._show(None)
        elif _due(max(self._step, 0), self._config.watch.grid_every):
            self._grid(log)  # once more: TensorBoard hides what was shown of the step at which a run goes on
        self._clock = _Clock(self._seconds_before)

    def _is_complete(self) -> bool:
        config = self._config
        if config.steps is not None:
            return self._step >= config.steps
        return self._clock.seconds >= (config.seconds or 0)

    def _next_batch(self) -> tuple[Tensor, Tensor | None]:
        """Real images float32 [B, H, W, C] in [0, 1] and their labels int64 [B], if they have any."""
        number = self._step + self._config.pretraining_steps
        indices = torch.from_numpy(self._order.batch(number)).to(self._device)
        return self._images[indices].float() / 255, None if self._labels is None else self._labels[indices]

    def _moment(self) -> Moment:
        config = self._config
        done, total = (self._step, config.steps) if config.steps else (self._clock.seconds, config.seconds or 1)
        return Moment(self._step, self._step + config.pretraining_steps, min(1.0, max(0.0, done / total)))

    def _tell(self, log: RunLog, terms: dict[str, Tensor]) -> None:
        """Log and show the step that was just done, as often as asked for."""
        watch, step = self._config.watch, self._step - 1
        logged = _due(step, watch.log_every)
        shown = _due(step, watch.show_every) and time.monotonic() - self._shown_at >= watch.show_seconds
        if not (logged or shown):
            return
        numbers = {name: term.item() for name, term in terms.items()}
        progress = self._progress(step, numbers)
        self._watcher.stepped(progress)
        if logged:
            log.metrics(step, numbers, progress.seconds, progress.steps_per_second)
            if self._symptoms.look(step, numbers):
                self._warn_of_symptoms()
            if step >= 0:
                log.images(step, self._draw(_LOGGED_IMAGES))
        if shown:
            self._shown_at = time.monotonic()
            self._show(progress)

    def _keep(self, log: RunLog) -> None:
        """Draw, measure and save after a step, as often as asked for."""
        watch = self._config.watch
        if self._step > 0 and _due(self._step, watch.grid_every):
            self._grid(log)
        improved = self._step > 0 and _due(self._step, watch.evaluate_every) and self._evaluate(log)
        if _due(self._step, watch.save_every) or improved:
            self._save(log)

    def _diverged(self, reason: str) -> NoReturn:
        saved = checkpoint.list_steps(self._run.checkpoints)
        kept = f"The checkpoint of step {saved[-1]} is kept" if saved else "Nothing was saved yet"
        raise DivergenceError(
            f"training diverged at step {self._step}: {reason}. {kept}. {remedy(self._config)}"
        ) from None

    def _warn_of_symptoms(self) -> None:
        if self._symptoms.found:
            self._watcher.warn(f"{self._symptoms.found}. {remedy(self._config)}")

    def _progress(self, step: int, terms: dict[str, float]) -> StepProgress:
        config, seconds = self._config, self._clock.seconds
        return StepProgress(step, config.steps, seconds, config.seconds, self._speed.at(step, seconds), terms)

    def _as_labels(self, numbers: NDArray[np.int64]) -> Tensor | None:
        """Labels for numbers of any size, in turn; None for a recipe without labels."""
        classes = self._recipe.num_classes
        return torch.from_numpy(numbers % classes).to(self._device) if classes else None

    def _draw(self, count: int) -> Images:
        """The first of the fixed latents; with labels, each column of the grid is a class."""
        labels = None if self._fixed_labels is None else self._fixed_labels[:count]
        return to_uint8(self._recipe.draw(self._fixed_latents[:count], labels).cpu().numpy())

    def _grid(self, log: RunLog) -> None:
        log.grid(max(self._step, 0), self._draw(_FIXED_LATENTS))

    def _show(self, progress: StepProgress | None) -> None:
        """Draw one image, alone in its batch as the tutorial does, and ask the discriminator what it thinks of it."""
        number = self._step + self._config.pretraining_steps
        latent = latents(self._config.seed, Stream.SHOWN_LATENTS, number, 1, self._recipe.latent_dim)
        label = self._as_labels(rng(self._config.seed, Stream.SHOWN_LABELS, number).integers(2**31, size=1))
        image = self._recipe.draw(torch.from_numpy(latent).to(self._device), label)
        self._watcher.picture(progress, to_uint8(image.cpu().numpy())[0], self._recipe.judge(image, label).item())

    def _evaluate(self, log: RunLog) -> bool:
        """Measure some images, always of the same latents; whether they are the best so far."""
        if self._measure is None:
            return False
        before = time.perf_counter()
        drawn = latents(self._config.seed, Stream.MEASURED_LATENTS, 0, _MEASURED_IMAGES, self._recipe.latent_dim)
        labels = self._as_labels(np.arange(_MEASURED_IMAGES))
        parts = [
            self._recipe.draw(
                torch.from_numpy(drawn[i : i + 100]).to(self._device), None if labels is None else labels[i : i + 100]
            )
            for i in range(0, _MEASURED_IMAGES, 100)
        ]
        images = to_uint8(torch.cat(parts).cpu().numpy())
        figures = self._measure(images, None if labels is None else labels.cpu().numpy())
        self._spent += time.perf_counter() - before
        log.quality(self._step - 1, figures, self._spent / (self._clock.seconds - self._seconds_before))
        value = next(iter(figures.values()))
        improved = value < self._best.value
        if improved:
            self._best = _Best(value, self._step)
        return improved

    def _save(self, log: RunLog) -> None:
        log.flush()
        best = {"best_step": self._best.step, "best_value": self._best.value} if self._best.step else {}
        state = {"step": self._step, "seconds": self._clock.seconds, **self._identity, **best}
        model = {**self._recipe.model_description(), "step": self._step, "config": self._config.model_dump()}
        documents = {"state": state, "model": model | self._identity | {"data": self._data_name}}
        arrays = as_arrays(self._recipe)
        for stem, group in arrays.items():
            for name, array in group.items():
                if not np.isfinite(array).all():
                    self._diverged(f"{stem}.{name} is not finite")
        checkpoint.save(self._run.checkpoints, self._step, arrays, documents)
        checkpoint.prune(self._run.checkpoints, self._config.watch.keep, [self._best.step] if self._best.step else [])

    def _restore(self) -> None:
        """Take up the newest checkpoint that is whole; without any, the run starts from its beginning."""
        checkpoint.sweep(self._run.checkpoints)
        step, damages = checkpoint.newest_whole(self._run.checkpoints)
        for damage in damages:
            self._watcher.warn(f"{damage} Falling back to the checkpoint before it.")
        if step is None:
            if damages:
                raise CheckpointError(
                    f"no checkpoint in {self._run.checkpoints} is whole, so the run cannot be resumed."
                )
            self._run.forget_after(self._step)
            return
        folder = self._run.checkpoints / checkpoint.checkpoint_name(step)
        state = checkpoint.read_document(folder, "state")
        for key, value in {**self._identity, "step": step}.items():
            if state.get(key) != value:
                raise CheckpointError(f"{folder} was made with {key} {state.get(key)!r}, but this run has {value!r}.")
        seconds = state.get("seconds")
        if not isinstance(seconds, float) or not 0 <= seconds < math.inf:
            raise CheckpointError(f"{folder} is damaged: its seconds are {seconds!r}.")
        expected = {
            stem: {name: array.shape for name, array in arrays.items()}
            for stem, arrays in as_arrays(self._recipe).items()
        }
        from_arrays(
            self._recipe, {stem: checkpoint.read_arrays(folder, stem, shapes) for stem, shapes in expected.items()}
        )
        self._step, self._seconds_before = step, seconds
        self._best = _Best(float(state.get("best_value", math.inf)), state.get("best_step"))
        self._run.forget_after(step)
        for newer in checkpoint.list_steps(self._run.checkpoints):
            if newer > step:
                checkpoint.remove(self._run.checkpoints, newer)


class _Best(NamedTuple):
    """The best quality measured so far, and after which step."""

    value: float
    step: int | None


class _Clock:
    """How long a run has trained, all its starts together, with all that it writes on the way."""

    def __init__(self, before: float = 0.0) -> None:
        self._since = time.perf_counter() - before

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._since


class _Speed:
    """Steps per second over the last stretch."""

    def __init__(self) -> None:
        self._marks: list[tuple[int, float]] = []

    def at(self, step: int, seconds: float) -> float:
        self._marks = [*self._marks[-20:], (step, seconds)]
        (first, since), (last, until) = self._marks[0], self._marks[-1]
        return (last - first) / (until - since) if until > since else 0.0


def _due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0
