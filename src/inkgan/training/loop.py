"""The training loop: a batch, a step, a record of it, and now and then a checkpoint, until the run is complete."""

from __future__ import annotations

import contextlib
import hashlib
import shlex
import time
from collections.abc import Iterator

import torch
from torch import Tensor

from inkgan.config import Config
from inkgan.data import DataSet
from inkgan.device import keep_freed_memory, to_device
from inkgan.errors import DivergenceError, Interrupted, shown
from inkgan.evaluation.subject import shortage
from inkgan.runs import checkpoint
from inkgan.runs.resuming import save_changed_settings
from inkgan.seeds import BatchOrder
from inkgan.training.doctor import NOT_FINITE
from inkgan.training.healing import to_keep
from inkgan.training.recipe import Recipe, StepInfo
from inkgan.training.recorder import Recorder, is_due
from inkgan.training.state import PreparedRun, RunState, learned_tensors, restore, save
from inkgan.training.stopping import StopSignals
from inkgan.training.watching import Result, Watcher, at_step

#: Processes that train together compare their weights every this many steps.
_COMPARE_EVERY = 50


def lead(run: PreparedRun, watcher: Watcher, signals: StopSignals) -> Result:
    """Train a run, alone or with other processes, from its current step to its end, to ``stop_at`` or until a signal.

    Args:
        run: what to train.
        watcher: receives reports of the run.
        signals: the signals that ask the run to stop.

    Raises:
        CheckpointError: the run's checkpoints cannot be used.
        OutputError: another process trains in the folder, it cannot be written, or it was removed or renamed.
        LostProcessError: another process of the team ended, does not answer or computes something else.
        DivergenceError: a loss or gradient is not finite; the last good checkpoint is kept.
        IllnessError: the run is to be healed, and has blown up or collapsed.
        Interrupted: a signal came; the run was saved.
    """
    folder = run.folder
    with folder.lock.held():
        state = _begin(run, watcher)
        with contextlib.closing(Recorder(run, watcher, state.step)) as recorder:
            recorder.begin(trains=not (state.is_complete or run.stops_at(state.step)))
            clock = _synchronise(run, state)
            signals.continued = clock.leave_out
            _train(run, state, recorder, clock, signals)
            if signals.received is not None and not state.is_complete:
                raise _interrupted(run, state, signals.received)
            sheet = recorder.finish() if state.is_complete else None
        result = Result(folder.path, state.step, clock.seconds, state.is_complete, sheet)
    watcher.ended(result)
    if signals.received is not None:  # after the last step: a loop over several runs must not begin the next one
        raise _interrupted(run, state, signals.received)
    return result


def _interrupted(run: PreparedRun, state: RunState, signal_number: int) -> Interrupted:
    """Return the error that says where a signal has stopped a run, and how to continue."""
    if state.is_complete:
        return Interrupted(f"stopped by a signal; {shown(run.folder.path)} is complete.", signal_number)
    command = f"inkgan train --resume --out {shlex.quote(str(run.folder.path))}"
    message = f"stopped by a signal {at_step(state.step)} and saved. Continue with: {command}"
    return Interrupted(message, signal_number)


def _begin(run: PreparedRun, watcher: Watcher) -> RunState:
    """Start a new run in its folder, or continue the one that is there; warn of what may surprise."""
    if not run.resume:
        run.folder.start(run.config, force=run.force)
        if missing := shortage(run.data):
            watcher.warn(f"{run.data.name} has {missing}.")
    state = restore(run, watcher)
    save_changed_settings(run.folder, run.config)  # not if the checkpoints cannot be used
    state.is_complete = _fraction_done(run.config, state.step, state.seconds) >= 1
    if run.stop_at is not None and run.stop_at < state.step and not state.is_complete:
        watcher.warn(f"stop_at={run.stop_at} has passed: the run is at step {state.step}. Give a later step, or none.")
    return state


def follow(run: PreparedRun, signals: StopSignals) -> Result:
    """Train along with the first process of a team, and write nothing; see :func:`lead`.

    Raises:
        InkganError: the run failed; the first process prints the reason.
    """
    state = RunState(run.first_step)
    clock = _synchronise(run, state)
    for _ in _steps(run, state, clock, signals):
        pass
    return Result(run.folder.path, state.step, clock.seconds, state.is_complete, None)


def _synchronise(run: PreparedRun, state: RunState) -> _Clock:
    """Give every process of the team the step, the time and the weights of the first one, and start its clock."""
    run.team.meet()
    step, seconds = run.team.broadcast_pair(float(state.step), state.seconds)
    state.step = int(step)
    state.seconds = seconds
    run.team.broadcast_tensors(learned_tensors(run.recipe))
    run.recipe.after_load()
    return _Clock(seconds)


def _train(run: PreparedRun, state: RunState, recorder: Recorder, clock: _Clock, signals: StopSignals) -> None:
    """Train until :func:`_steps` ends. Record each step; draw, measure and save when it is due; save at the end."""
    watch = run.config.watch
    try:
        if state.step == 0 and not state.is_saved:
            save(run, state)  # without the records so far: the first flush imports TensorBoard, which takes long
        for step, terms, real in _steps(run, state, clock, signals):
            recorder.step(step, terms, clock.seconds, real)
            if state.step > 0:
                if is_due(state.step, watch.grid_every):
                    run.folder.lock.require_own()
                    recorder.grid(state.step)
                if is_due(state.step, watch.evaluate_every):
                    state.keep_best(recorder.quality(step))
            if state.step == state.best_step or is_due(state.step, watch.save_every):
                _save(run, state, recorder, clock)
        if not state.is_saved:
            _save(run, state, recorder, clock)
    except DivergenceError as error:
        recorder.not_finite(state.step, str(error))
        saved = checkpoint.list_steps(run.folder.checkpoints)
        kept = f"The checkpoint of step {saved[-1]} is kept" if saved else "Nothing was saved yet"
        remedy = NOT_FINITE.remedy({}, run.config.at(state.step))
        raise DivergenceError(f"training diverged at step {state.step}: {error}. {kept}. {remedy}") from None


def _steps(
    run: PreparedRun, state: RunState, clock: _Clock, signals: StopSignals
) -> Iterator[tuple[int, dict[str, Tensor], Tensor]]:
    """Take training steps until the run is complete or is asked to stop.

    Args:
        run: what to train.
        state: the progress of the run; each step advances it.
        clock: how long the run has trained.
        signals: the signals that ask the run to stop.

    Yields:
        The number of the step, its losses and figures, and the real images [N, H, W, C] that it learned from.
    """
    config = run.config
    keep_freed_memory()
    batches = Batches(run.data, config, run.device)
    while True:
        # After a save, the saved time decides: if the clock ran out during the save, the run would end as complete,
        # but its checkpoint would not say so.
        seconds = state.seconds if state.is_saved else clock.seconds
        # The first process decides for all: clocks differ, and signals arrive at different times.
        seconds, stop_requested = run.team.broadcast_pair(seconds, float(signals.received is not None))
        fraction_done = _fraction_done(config, state.step, seconds)
        state.is_complete = fraction_done >= 1
        if state.is_complete or stop_requested or run.stops_at(state.step):
            run.recipe.settle()
            return
        number = state.step + config.pretraining_steps
        real, labels = batches.batch(number)
        terms = run.recipe.step(StepInfo(state.step, number, max(0.0, fraction_done)), real, labels)
        state.step += 1
        if run.team.size > 1 and is_due(state.step, _COMPARE_EVERY):
            run.team.require_equal(_digest(run.recipe), state.step)
        yield state.step - 1, terms, real


def _fraction_done(config: Config, step: int, seconds: float) -> float:
    """Return the fraction of a run's joint steps (negative in pre-training), or of its seconds, that is done.

    Up to a step at which the run was extended, it is the fraction of the steps that the run was to have until then.
    """
    if config.steps is not None:
        return step / next((total for total in config.extended_from if step < total), config.steps)
    assert config.seconds is not None, "a run has one of the two lengths"
    return seconds / config.seconds


def _digest(recipe: Recipe) -> str:
    """Return the SHA-256 of everything that a recipe has learned."""
    content = b"".join(tensor.detach().cpu().numpy().tobytes() for tensor in learned_tensors(recipe))
    return hashlib.sha256(content).hexdigest()


def _save(run: PreparedRun, state: RunState, recorder: Recorder, clock: _Clock) -> None:
    """Write a checkpoint, after the records that belong before it."""
    run.folder.lock.require_own()
    run.recipe.settle()
    recorder.flush()
    state.seconds = clock.seconds
    save(run, state, to_keep(run, recorder.doctor) if run.heal and recorder.doctor else ())


class Batches:
    """The training images in batches, on the device where the recipe computes."""

    def __init__(self, data: DataSet, config: Config, device: torch.device) -> None:
        self._images = torch.tensor(data.train.images, device=device)
        self._labels = None if data.train.labels is None else torch.tensor(data.train.labels, device=device)
        # With critic_steps=k, a step takes the same images as k consecutive steps with critic_steps=1.
        self._order = BatchOrder(config.seed, len(data.train), config.batch_size * config.critic_steps)

    def batch(self, number: int) -> tuple[Tensor, Tensor | None]:
        """Return the images and labels of step ``number``: a batch for each update of the discriminator, concatenated.

        Returns:
            Real images float32 [B, H, W, C] in [0, 1] and their labels int64 [B], if they have any; B is
            ``batch_size`` times ``critic_steps``.
        """
        indices = to_device(self._order.batch(number), self._images.device)
        return self._images[indices].float() / 255, None if self._labels is None else self._labels[indices]


class _Clock:
    """How long a run has trained, over all its starts, including the time to write files."""

    def __init__(self, seconds_before: float) -> None:
        self._read_at = time.perf_counter()
        self._since = self._read_at - seconds_before

    @property
    def seconds(self) -> float:
        self._read_at = time.perf_counter()
        return self._read_at - self._since

    def leave_out(self) -> None:
        """Do not count the time since the clock was last read, in which the process was suspended."""
        now = time.perf_counter()
        self._since += now - self._read_at
        self._read_at = now
