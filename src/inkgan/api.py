"""What a run needs before it can start, from Python or from the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inkgan.config import Config, resolve
from inkgan.errors import ConfigError
from inkgan.runfolder import RunFolder, free_run_path, newest_run

if TYPE_CHECKING:
    from inkgan.trainer import Result
    from inkgan.watching import Watcher

#: Where runs go that are not told where.
RUNS = Path("runs")


@dataclass(frozen=True)
class Plan:
    """The settings and the folder of a run that is about to start or to go on."""

    config: Config
    folder: Path


def plan(
    options: Mapping[str, Any],
    *,
    out: Path | None = None,
    resume: bool = False,
    file: Path | None = None,
    overrides: Sequence[str] = (),
) -> Plan:
    """Resolve the settings of a run and find its folder.

    Args:
        options: settings by dotted key; None values are not given.
        out: the run folder; None finds one under ``runs/`` by recipe, data and seed.
        resume: continue the run in ``out``, or the newest of its name; what is not given is as in that run.
        file: a TOML file of settings.
        overrides: ``key=value`` settings.

    Raises:
        ConfigError: a setting is unknown or not allowed.
        CheckpointError: there is no run to resume.
    """
    config = resolve(file=file, options=options, overrides=overrides)
    stem = f"{config.recipe}-{Path(config.data.name).stem[:60]}-seed{config.seed}"
    if not resume:
        return Plan(config, out or free_run_path(RUNS, stem))
    folder = out or newest_run(RUNS, stem)
    saved = RunFolder(folder).saved_config()
    return Plan(resolve(file=file, options=options, overrides=overrides, base=saved), folder)


def train(
    recipe: str | None = None,
    *,
    data: str | None = None,
    data_dir: str | Path | None = None,
    steps: int | None = None,
    seconds: float | None = None,
    stop_at: int | None = None,
    seed: int | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    force: bool = False,
    device: str = "auto",
    precision: str | None = None,
    config: str | Path | None = None,
    settings: Sequence[str] = (),
    watcher: Watcher | None = None,
) -> Result:
    """Train a GAN; the same as ``inkgan train``.

    Args:
        recipe: ``fast`` (the default), ``best`` or ``tutorial``.
        data: a known data set, or the path of a folder of images or an .npz file; MNIST by default.
        data_dir: where the data set's files are, if not in the usual places.
        steps: the run's total of steps, to which schedules refer.
        seconds: train for this long instead.
        stop_at: save and stop after this many steps, to be resumed.
        seed: all randomness of the run comes from it.
        out: the run folder; by default ``runs/RECIPE-DATA-seedN``, numbered if taken.
        resume: continue a run, bit for bit.
        force: replace a run that is in ``out``.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ...
        precision: ``auto``, ``float32`` or ``bfloat16``.
        config: a TOML file of settings.
        settings: ``key=value`` settings with dotted keys, as for ``--set``.
        watcher: who is told how it goes; nobody by default.

    Returns:
        How the run ended: folder, step, training time, whether it is complete, and the final sheet.

    Raises:
        InputError: something given cannot be used; the message says what and why.
        DivergenceError: a loss or gradient was not finite.
        Interrupted: SIGINT or SIGTERM came; the run was saved.
    """
    options = {
        "recipe": recipe,
        "data.name": data,
        "data.directory": None if data_dir is None else str(data_dir),
        "steps": steps,
        "seconds": seconds,
        "seed": seed,
        "precision": precision,
    }
    planned = plan(options, out=_path(out), resume=resume, file=_path(config), overrides=settings)
    return start(planned, stop_at=stop_at, resume=resume, force=force, device=device, watcher=watcher)


def start(
    planned: Plan,
    *,
    stop_at: int | None = None,
    resume: bool = False,
    force: bool = False,
    device: str = "auto",
    watcher: Watcher | None = None,
) -> Result:
    """Load the data of a plan and train."""
    from inkgan import data
    from inkgan.trainer import fit
    from inkgan.watching import Silent

    if stop_at is not None and stop_at < 1:
        raise ConfigError(f"stop_at={stop_at} is not allowed: it counts joint steps, so it is 1 or above.")
    config = planned.config
    directory = None if config.data.directory is None else Path(config.data.directory)
    images = data.load(config.data.name, directory)
    measure = None
    if config.watch.evaluate_every:
        from inkgan.ruler import quick_measure

        if not resume:
            RunFolder(planned.folder).require_free(force=force)  # before a feature network is trained for minutes
        measure = quick_measure(images, (watcher or Silent()).preparing)
    return fit(
        config, images, planned.folder, resume=resume, force=force, stop_at=stop_at, device=device, watcher=watcher,
        measure=measure,
    )  # fmt: skip


def _path(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path)
