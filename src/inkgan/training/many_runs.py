"""Many runs: one for each seed, several at a time, resumable as a whole."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from inkgan.config import Config
from inkgan.config.sources import differences, with_place_of_data
from inkgan.device import threads_of_each
from inkgan.errors import ConfigError, DivergenceError, InkganWarning, shown
from inkgan.generation import engines
from inkgan.runs import metrics
from inkgan.runs.folder import RunFolder
from inkgan.runs.resuming import continued
from inkgan.seeds import LARGEST_SEED
from inkgan.training.doctor import judged
from inkgan.training.options import TrainingOptions, checked, complete_options, configure, default_folder
from inkgan.training.start import train
from inkgan.training.team import launched_processes
from inkgan.training.watching import Result, Watcher

_MOST_SEEDS = 10_000
#: The options that differ between the runs, or that have no meaning for many.
_NOT_SHARED = ("seed", "resume", "extend", "processes")


@dataclass(frozen=True)
class Outcome:
    """The end of one of many runs.

    Attributes:
        seed: its seed.
        result: its result; for a run that diverged, the result up to its newest checkpoint.
        trouble: the reason why it diverged, in one line; empty if it did not.
        ill: the doctor's rules that are ill at its end.
        healings: how many times it was healed.
    """

    seed: int
    result: Result
    trouble: str = ""
    ill: tuple[str, ...] = ()
    healings: int = 0


@dataclass(frozen=True)
class TrainingTask:
    """A task for an engine: train the run of a seed, or what remains of it.

    Attributes:
        recipe: as for :func:`inkgan.train`.
        options: as for :func:`inkgan.train`; the names of the folders begin with ``out``.
        threads: PyTorch's number of threads in each process; None leaves it as it is. :func:`train_many` sets it.
    """

    recipe: str | None
    options: TrainingOptions
    threads: int | None = None

    def folder(self, seed: int) -> Path:
        """Return the folder of a seed's run: ``OUT-SEED``, or ``runs/RECIPE-DATA-seedN`` without ``out``."""
        out = self.options.get("out")
        if out is None:
            return default_folder(self.asked(seed))
        if Path(out).name in ("", ".."):
            raise ConfigError(f"--out '{shown(out)}' cannot name many runs: each adds its seed to a name. Give a name.")
        return Path(f"{Path(out)}-{seed}")

    def asked(self, seed: int) -> Config:
        """Return the settings that the options ask for; a seed's run may have been extended or healed since."""
        given: TrainingOptions = {**self.options, "seed": seed}
        return configure(complete_options(self.recipe, **given))[0]

    def options_of(self, seed: int) -> dict[str, Any]:
        """Return the options of a seed's run; one that is there resumes."""
        run = RunFolder(self.folder(seed))
        return {**self.options, "seed": seed, "out": run.path, "resume": run.is_run}

    def __call__(self, seed: int) -> Outcome:
        """Train the run of a seed to its end, from its newest checkpoint if it has begun."""
        if self.threads is not None:
            import torch

            torch.set_num_threads(self.threads)
        run = RunFolder(self.folder(seed))
        try:
            result = train(self.recipe, watcher=_Beginning(), **self.options_of(seed))
        except DivergenceError as error:  # the other seeds may train well
            state = run.newest_checkpoint()[1]
            step, seconds = state.get("step", 0), state.get("seconds", 0.0)
            return Outcome(seed, Result(run.path, step, seconds, complete=False, sheet=None), str(error))
        return Outcome(seed, result, ill=_illnesses(run), healings=run.saved_config().healings)


class _Beginning(Watcher):
    """Gives as Python's warnings what a run says before its first step, such as which images are left out.

    Most of it is the same for all seeds, and an engine gives each text once. What the doctor finds later is in the
    run's outcome.
    """

    _is_over = False

    def warn(self, message: str) -> None:
        if not self._is_over:
            warnings.warn(message, InkganWarning, stacklevel=2)

    def started(self, folder: Path, config: Config, about: dict[str, Any], first_step: int) -> None:
        self._is_over = True


def _illnesses(run: RunFolder) -> tuple[str, ...]:
    """Return the doctor's rules that are ill in a run, at the last step that it logged; none if the doctor is off."""
    config = run.saved_config()
    if not config.watch.doctor_every:
        return ()
    doctor = judged(config, metrics.read(run.metrics_file), run.class_names())
    return tuple(finding.rule.name for finding in doctor.findings)


def train_many(
    task: TrainingTask, seeds: Sequence[int], *, jobs: int = 1, engine: str = "processes"
) -> Iterator[Outcome]:
    """Train a run for each seed; complete runs stay as they are, and others continue.

    Args:
        task: the recipe and the options.
        seeds: the seeds of the runs.
        jobs: the number of runs at a time.
        engine: ``processes`` on this machine, or ``ray``.

    Yields:
        The outcome of each run, as it ends.

    Raises:
        InputError: an argument or an option cannot be used.
    """
    require_possible(task, seeds, jobs=jobs, engine=engine)
    if jobs > 1 and not (engine == "ray" and os.environ.get("RAY_ADDRESS")):  # a cluster divides its own cores
        task = replace(task, threads=threads_of_each(jobs))
    return engines.ENGINES[engine](task, seeds, jobs)


def require_possible(task: TrainingTask, seeds: Sequence[int], *, jobs: int, engine: str) -> None:
    """Check everything that can be checked before any run begins, without the data and without PyTorch.

    Raises:
        InputError: an option cannot be used, or a folder holds something other than its run.
    """
    engines.checked_jobs(jobs, engine)
    for name in _NOT_SHARED:
        given = task.options.get(name)
        if given is not None and given is not False:  # a seed may be 0
            raise ConfigError(f"--{name} is for one run. Leave it out with --seeds.")
    launched = launched_processes()
    if launched is not None and launched > 1:
        raise ConfigError(
            f"--seeds trains each run with one process, and the launcher started {launched}. Use --jobs instead of it."
        )
    if task.options.get("force"):
        raise ConfigError("--force replaces one run. Remove the runs of --seeds yourself, or name another --out.")
    for seed in seeds:
        folder = RunFolder(task.folder(seed))
        if folder.is_run:
            _require_same(folder, task.asked(seed))
        checked(complete_options(task.recipe, **task.options_of(seed)))


def _require_same(run: RunFolder, asked: Config) -> None:
    """Refuse a run that did not begin with the settings that are asked for, unless its data have moved."""
    saved = run.saved_config()
    if Path(saved.data.name).name == Path(asked.data.name).name:
        saved = with_place_of_data(saved, asked)  # the run compares the images
    changed = differences(saved, continued(saved, asked))
    if changed:
        raise ConfigError(f"{shown(run.path)} has a run of other settings: {'; '.join(changed)}. Change --out.")


def parse_seeds(text: str) -> list[int]:
    """Parse seeds such as ``0-9`` or ``1,2,5-7``.

    Raises:
        ConfigError: the text is something else, or a range runs backwards or has more than 10,000 seeds.
    """
    seeds: list[int] = []
    for part in text.split(","):
        first, dash, last = (one.strip() for one in part.partition("-"))
        ends = (first, last if dash else first)
        if not all(end.isdecimal() and end.isascii() and len(end) <= 19 and int(end) <= LARGEST_SEED for end in ends):
            raise ConfigError(f"--seeds {shown(text)} is not a list of seeds. Write 0-9, or 1,2,5-7.")
        low, high = int(ends[0]), int(ends[1])
        if abs(high - low) >= _MOST_SEEDS:
            raise ConfigError(f"--seeds {shown(text)} has more than {_MOST_SEEDS:,} seeds. Use several commands.")
        if high < low:
            raise ConfigError(f"--seeds {shown(text)} runs backwards. Give the smaller seed first: {high}-{low}.")
        seeds += range(low, high + 1)
    return list(dict.fromkeys(seeds))
