"""Starting a run: the code that ``inkgan.train`` and the command ``inkgan train`` share."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from inkgan.config import Config
from inkgan.config.schema import flat
from inkgan.data.loading import load_saved
from inkgan.device import resolve_device, resolve_precision, usual_arithmetic
from inkgan.errors import ConfigError, DataError, as_given
from inkgan.files import require_writable
from inkgan.runs.folder import RunFolder, claim
from inkgan.runs.resuming import precision_to_resume, require_same
from inkgan.training.doctor import read_thresholds
from inkgan.training.notebook import NotebookWatcher, is_notebook
from inkgan.training.options import TrainingOptions, checked, complete_options, default_folder
from inkgan.training.stopping import StopSignals
from inkgan.training.team import Team, is_restart, team_of
from inkgan.training.watching import Result, Watcher

if TYPE_CHECKING:
    import torch

    from inkgan.training.recipe import Recipe
    from inkgan.training.state import PreparedRun


def train(recipe: str | None = None, *, watcher: Watcher | None = None, **options: Unpack[TrainingOptions]) -> Result:
    """Train a GAN; the same as ``inkgan train``.

    Args:
        recipe: ``fast`` (the default), ``best`` or ``tutorial``.
        watcher: receives reports of the run; see :class:`inkgan.Watcher`. By default, a Jupyter notebook shows the run;
            elsewhere, nothing is shown.
        **options: all of them optional:

            * ``data``: a known data set (``inkgan data`` lists them), or the path of a folder of images or of an
              ``.npz`` file. MNIST by default.
            * ``data_dir``: the folder that holds the data set's files, if they are not in one of the usual places.
            * ``steps``: the run's total number of steps, to which schedules refer. By default the recipe's.
            * ``seconds``: train for this many seconds instead.
            * ``stop_at``: save and stop after this step; ``resume`` continues from there.
            * ``extend``: make the complete run in ``out`` this many steps longer and continue it. Schedules refer to
              the new total, so learning rates rise again and then fade to zero. The result differs from that of a run
              of the same total length from the start.
            * ``seed``: all randomness of the run depends on it. 0 by default.
            * ``out``: the run folder; by default ``runs/RECIPE-DATA-seedN``, numbered if that is taken.
            * ``resume``: continue the run in ``out``, or the newest run with the default name, bit for bit.
            * ``force``: replace the run that is in ``out``.
            * ``heal``: if the run blows up or collapses, go back to its last healthy checkpoint and continue with the
              doctor's remedy, at most three times. The setting ``changes`` records each healing.
            * ``processes``: the number of processes on this machine that train the run. It must divide the setting
              ``slices``. The result depends on ``slices``, but not on ``processes``. Leave it out under ``torchrun``.
            * ``timeout``: how many seconds a process waits for the others, 300 by default; at the start, at least 120.
            * ``device``: ``auto`` (the default: a CUDA GPU, else the CPU), ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
            * ``precision``: ``auto`` (the default), ``float32`` or ``bfloat16``.
            * ``resize``: fit the images into this side in pixels, ``32``, or into a height and width, ``"32x48"``.
            * ``config``: a TOML file of settings, or the ``config.json`` of a run, which trains that run again.
            * ``settings``: any other settings, such as ``{"loss": "hinge", "generator.learning_rate": 1e-3}``, or
              strings such as ``["loss=hinge"]``; if they name a setting twice, the last one counts.
              ``inkgan train --dry-run`` lists all settings.

    Returns:
        The run's folder, steps and training time, whether it is complete, and the final picture.

    Raises:
        InputError: an argument, an option or the data cannot be used; the message says why. Nothing was written.
        DivergenceError: a loss or gradient was not finite; the last good checkpoint is kept.
        LostProcessError: one of several processes ended or does not answer; the newest checkpoint is kept.
        Interrupted: SIGINT, SIGTERM or SIGHUP came; the run was saved first.
    """
    if not isinstance(watcher, Watcher | None):
        raise ConfigError(f"watcher is {as_given(watcher)}. Give an object of a class derived from inkgan.Watcher.")
    given = complete_options(recipe, **options)
    processes = given["processes"]
    if isinstance(processes, int) and processes > 1:
        checked(given)  # before any process is started
    with usual_arithmetic(), team_of(processes, given["timeout"], given) as team:
        if watcher is None or not team.leads:
            watcher = NotebookWatcher() if team.leads and is_notebook() else Watcher()
        run = team.agree(lambda: prepare(given, watcher, team), _shared_facts)
        if team.leads and given["out"] is None and not run.resume:
            # Runs that start at the same moment get different folders.
            run = dataclasses.replace(run, folder=RunFolder(claim(default_folder(run.config))))
        return _train_until_healthy(run, watcher)


def _options_after_restart(folder: RunFolder) -> dict[str, Any]:
    """Return the options that continue the run in a folder after a launcher has restarted its processes."""
    if not folder.is_run:
        return {}
    resume = {"resume": True, "force": False}
    # --extend refuses a run that is not complete, so an incomplete one was already made longer before the restart.
    return resume if folder.newest_step() == folder.saved_config().steps else {**resume, "extend": None}


def prepare(given: Mapping[str, Any], watcher: Watcher, team: Team) -> PreparedRun:
    """Check everything that a run needs, load its data and build its networks. Nothing is written.

    Args:
        given: the options of :func:`complete_options`.
        watcher: receives the progress of a download or of the training of a feature network.
        team: the processes that train together.

    Raises:
        InputError: an argument, an option or the data cannot be used.
    """
    if is_restart() and given["out"]:
        given = {**given, **_options_after_restart(RunFolder(Path(given["out"])))}
    config, folder, so_far = checked(given)
    if team.leads:  # other machines need not even see the folder of a new run
        require_writable(folder.path)
    if config.watch.doctor_every:
        read_thresholds()  # raises now if the file is damaged, before anything is written

    try:
        data = load_saved(config.data.model_dump(), progress=watcher.preparing)
    except DataError as error:
        if so_far is None or given["data"] is not None:
            raise
        raise DataError(f"{error} If the data have moved, say where they are with --data.") from None
    for note in data.notes:
        watcher.warn(note)

    # Only now is PyTorch imported.
    from inkgan.training.healing import MOST_HEALINGS
    from inkgan.training.state import PreparedRun

    device = resolve_device(given["device"])
    precision = resolve_precision(precision_to_resume(folder, so_far) if so_far else config.precision, device)
    recipe = build(config, data.image_shape, len(data.class_names), device, precision, team)
    if so_far:
        require_same(folder, so_far, data.digest)
    measure = None
    if config.watch.evaluate_every and team.leads:
        from inkgan.evaluation.reference import quick_measure

        def preparing(doing: str, done: float) -> None:
            team.keep_waiting()
            watcher.preparing(doing, done)

        measure = quick_measure(data, preparing)  # may take minutes, so it comes last
    return PreparedRun(
        config=config,
        folder=folder,
        data=data,
        recipe=recipe,
        device=device,
        precision=precision,
        team=team,
        measure=measure,
        resume=so_far is not None,
        force=given["force"],
        stop_at=given["stop_at"],
        heal=given["heal"] and config.healings < MOST_HEALINGS,  # healings of earlier starts count
    )


def build(
    config: Config,
    image_shape: tuple[int, int, int],
    num_classes: int,
    device: torch.device,
    precision: torch.dtype,
    team: Team | None = None,
) -> Recipe:
    """Make the recipe that a configuration names, freshly initialised.

    Args:
        config: the settings.
        image_shape: height, width and channels of the data's images.
        num_classes: the number of classes; 0 without labels.
        device: where to compute.
        precision: the type of the networks' computations.
        team: the processes that train together; by default this one alone.

    Raises:
        ConfigError: the recipe cannot learn images of this shape.
    """
    from inkgan.training.compact import Compact
    from inkgan.training.tutorial import Tutorial

    if config.recipe == "tutorial":
        return Tutorial(config, image_shape, dtype=precision, device=device)
    return Compact(config, image_shape, num_classes, dtype=precision, device=device, team=team)


def _shared_facts(run: PreparedRun) -> dict[str, str]:
    """Return the facts that must be the same on every process, by the names that messages use."""
    from importlib import metadata

    import numpy as np
    import torch

    settings = flat(run.config.model_dump(exclude={"data"}))  # each machine may find the same data at another path
    return {
        "inkgan's version": metadata.version("inkgan"),
        "PyTorch's version": torch.__version__,
        "NumPy's version": np.__version__,  # its random numbers may change
        "the device": run.device.type,
        "the number of threads": str(torch.get_num_threads()),
        "the data's digest": run.data.digest,
        "the precision": run.precision_name,
        "the SHA-256 of the network's file": run.recipe.model_description().get("network_sha256", "none"),
        "stop_at": str(run.stop_at),
        **{f"the setting {name}": str(value) for name, value in settings.items()},
    }


def _train_until_healthy(run: PreparedRun, watcher: Watcher) -> Result:
    """Train a run; if it falls ill and is to be healed, continue from a healthy checkpoint."""
    from inkgan.training import loop
    from inkgan.training.healing import MOST_HEALINGS, IllnessError, go_back

    data = run.data
    with StopSignals() as signals:  # around the healing, too, so that no request to stop is lost
        if not run.team.leads:
            return loop.follow(run, signals)
        while True:
            try:
                return loop.lead(run, watcher, signals)
            except IllnessError as illness:
                config = go_back(run, illness, watcher)
                recipe = build(config, data.image_shape, len(data.class_names), run.device, run.precision)
                heal = config.healings < MOST_HEALINGS
                run = dataclasses.replace(run, config=config, recipe=recipe, resume=True, heal=heal)
