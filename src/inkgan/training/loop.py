"""The training loop: a batch, a step, a record of it, and now and then a checkpoint, until the run is complete."""

from __future__ import annotations

import contextlib
import shlex
import time
from collections.abc import Iterator

import torch
from torch import Tensor

from inkgan.config import Config
from inkgan.data import DataSet
from inkgan.device import keep_freed_memory
from inkgan.errors import DivergenceError, Interrupted
from inkgan.runs import checkpoint
from inkgan.seeds import BatchOrder
from inkgan.training.doctor import lower_rates
from inkgan.training.prepared import PreparedRun
from inkgan.training.recipe import StepInfo
from inkgan.training.recorder import Recorder, is_due
from inkgan.training.signals import StopSignals
from inkgan.training.state import RunState, is_saved, restore, snapshot, write
from inkgan.training.watching import Result, Watcher


def run(prepared: PreparedRun, watcher: Watcher) -> Result:
    """Train from where a run stands to its end, to ``stop_at`` or to a signal.

    Args:
        prepared: the run.
        watcher: who is told how it goes.

    Raises:
        CheckpointError: the run's checkpoints cannot be used.
        OutputError: another process trains in the folder, or it cannot be written.
        DivergenceError: a loss or gradient is not finite; the last good checkpoint is kept.
        Interrupted: a signal came; the run was saved and can be resumed.
    """
    folder = prepared.folder
    keep_freed_memory()
    with folder.locked():
        if prepared.resume:
            folder.note_changes(prepared.config)
        else:
            folder.start(prepared.config, force=prepared.force)
        state = restore(prepared, watcher)
        with (
            _explained_divergence(prepared, state),
            contextlib.closing(Recorder(prepared, watcher, state.step)) as recorder,
            StopSignals() as signals,
        ):
            recorder.begin(state.step)
            clock = _Clock(state.seconds)
            complete = _train(prepared, state, recorder, clock, signals)
            if not is_saved(prepared, state):
                _save(prepared, state, recorder, clock)
            if signals.received is not None and not complete:
                raise Interrupted(
                    f"stopped by a signal at step {state.step} and saved. "
                    f"Continue with: inkgan train --resume --out {shlex.quote(str(folder.path))}",
                    signals.received,
                )
            sheet = recorder.finish() if complete else None
        result = Result(folder.path, state.step, clock.seconds, complete, sheet)
    watcher.ended(result)
    return result


def _train(prepared: PreparedRun, state: RunState, recorder: Recorder, clock: _Clock, signals: StopSignals) -> bool:
    """Do one step after another; whether the run is complete."""
    config = prepared.config
    batches = Batches(prepared.data, config, prepared.device)
    # Step 0 is a checkpoint too. It is written after the first step, which is done sooner that way.
    untrained = snapshot(prepared, state) if state.step == 0 and not is_saved(prepared, state) else None
    while not _is_complete(config, state.step, clock.seconds):
        if signals.received is not None or (prepared.stop_at is not None and state.step >= prepared.stop_at):
            return False
        number = state.step + config.pretraining_steps
        real, labels = batches.batch(number)
        info = StepInfo(state.step, number, _fraction_done(config, state.step, clock.seconds))
        try:
            terms = prepared.recipe.step(info, real, labels)
        except DivergenceError:
            recorder.not_finite(state.step)
            raise
        state.step += 1

        if untrained is not None:
            write(prepared, untrained)
            untrained = None
        recorder.step(info.step, terms, clock.seconds, real)
        if state.step > 0 and is_due(state.step, config.watch.grid_every):
            recorder.grid(state.step)
        is_best = (
            state.step > 0
            and is_due(state.step, config.watch.evaluate_every)
            and state.is_best(recorder.quality(info.step))
        )
        if is_best or is_due(state.step, config.watch.save_every):
            _save(prepared, state, recorder, clock)
    return True


def _save(prepared: PreparedRun, state: RunState, recorder: Recorder, clock: _Clock) -> None:
    """Write a checkpoint, after everything that was recorded up to it."""
    recorder.flush()
    state.seconds = clock.seconds
    write(prepared, snapshot(prepared, state))


class Batches:
    """The training images, on the device where the recipe computes, batch by batch."""

    def __init__(self, data: DataSet, config: Config, device: torch.device) -> None:
        self._images = torch.tensor(data.train.images, device=device)
        self._labels = None if data.train.labels is None else torch.tensor(data.train.labels, device=device)
        # The batches of a step lie one after the other, in the order in which batches of one update would come.
        self._order = BatchOrder(config.seed, len(data.train), config.batch_size * config.critic_steps)

    def batch(self, number: int) -> tuple[Tensor, Tensor | None]:
        """What step ``number`` learns from: a batch for each update of the discriminator, one after the other.

        Returns:
            Real images float32 [B, H, W, C] in [0, 1] and their labels int64 [B], if they have any; B is
            ``batch_size`` times ``critic_steps``.
        """
        indices = torch.from_numpy(self._order.batch(number)).to(self._images.device)
        return self._images[indices].float() / 255, None if self._labels is None else self._labels[indices]


class _Clock:
    """How long a run has trained, in all its starts, including what it writes on the way."""

    def __init__(self, seconds_before: float) -> None:
        self._since = time.perf_counter() - seconds_before

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._since


def _is_complete(config: Config, step: int, seconds: float) -> bool:
    if config.steps is not None:
        return step >= config.steps
    return seconds >= (config.seconds or 0)


def _fraction_done(config: Config, step: int, seconds: float) -> float:
    done, total = (step, config.steps) if config.steps is not None else (seconds, config.seconds or 1)
    return min(1.0, max(0.0, done / total))


@contextlib.contextmanager
def _explained_divergence(prepared: PreparedRun, state: RunState) -> Iterator[None]:
    """Say at which step training diverged, what is left of the run, and what to do about it."""
    try:
        yield
    except DivergenceError as error:
        saved = checkpoint.list_steps(prepared.folder.checkpoints)
        kept = f"The checkpoint of step {saved[-1]} is kept" if saved else "Nothing was saved yet"
        raise DivergenceError(
            f"training diverged at step {state.step}: {error}. {kept}. {lower_rates(prepared.config)}"
        ) from None
