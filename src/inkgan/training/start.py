"""What a run needs before it can start, from Python or from the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from inkgan.config import Config, resolve
from inkgan.data.locate import expanded
from inkgan.errors import ConfigError
from inkgan.runs.folder import RunFolder, free_run_path, newest_run

if TYPE_CHECKING:
    from inkgan.training.loop import Measure, Result
    from inkgan.training.watching import Watcher

#: Where runs go that are not told where.
RUNS = Path("runs")


@dataclass(frozen=True)
class Plan:
    """The settings and the folder of a run that is about to start or to go on."""

    config: Config
    folder: Path


def plan(
    recipe: str | None = None,
    *,
    data: str | None = None,
    data_dir: str | Path | None = None,
    steps: int | None = None,
    seconds: float | None = None,
    seed: int | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    precision: str | None = None,
    config: str | Path | None = None,
    settings: Sequence[str] = (),
) -> Plan:
    """Resolve the settings of a run and find its folder; arguments as of :func:`train`.

    Raises:
        ConfigError: a setting is unknown or not allowed.
        CheckpointError: there is no run to resume.
    """
    given = {
        "recipe": recipe,
        "data.name": data,
        "data.directory": None if data_dir is None else str(expanded(data_dir).absolute()),
        "steps": steps,
        "seconds": seconds,
        "seed": seed,
        "precision": precision,
    }
    resolved = resolve(file=_path(config), options=given, overrides=settings)
    stem = f"{resolved.recipe}-{Path(resolved.data.name).stem[:60]}-seed{resolved.seed}"
    if not resume:
        return Plan(resolved, _path(out) or free_run_path(RUNS, stem))
    folder = _path(out) or newest_run(RUNS, stem)
    saved = RunFolder(folder).saved_config()
    return Plan(resolve(file=_path(config), options=given, overrides=settings, base=saved), folder)


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
        resume: continue the run in ``out``, or the newest of its name, bit for bit; its settings hold.
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
        Interrupted: SIGINT, SIGTERM or SIGHUP came; the run was saved.
    """
    from inkgan.data import load
    from inkgan.training.loop import fit
    from inkgan.training.watching import Silent

    if stop_at is not None and stop_at < 1:
        raise ConfigError(f"stop_at={stop_at} is not allowed: it counts joint steps, so it is 1 or above.")
    planned = plan(
        recipe, data=data, data_dir=data_dir, steps=steps, seconds=seconds, seed=seed, out=out, resume=resume,
        precision=precision, config=config, settings=settings,
    )  # fmt: skip
    resolved = planned.config
    watcher = watcher or Silent()
    images = load(resolved.data.name, _path(resolved.data.directory), progress=watcher.preparing)

    def measuring() -> Measure:
        from inkgan.evaluation.ruler import quick_measure

        return quick_measure(images, watcher.preparing)

    return fit(
        resolved, images, planned.folder, resume=resume, force=force, stop_at=stop_at, device=device, watcher=watcher,
        measuring=measuring if resolved.watch.evaluate_every else None,
    )  # fmt: skip


def _path(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path)
