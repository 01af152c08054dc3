"""From options to a run: the code that ``inkgan.train`` and the command ``inkgan train`` share."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsFloat, SupportsIndex, TypedDict, Unpack

import numpy as np

from inkgan import networks
from inkgan.config import LONGEST_RUN, Config, known_settings, require_settings, resolve
from inkgan.data.loading import absolute_name, load_saved, require_there
from inkgan.device import require_name_of_device, usual_arithmetic
from inkgan.errors import (
    ConfigError,
    DataError,
    as_given,
    did_you_mean,
    is_one_of,
    number_between,
    shown,
    valid_path,
    whole_number,
    yes_or_no,
)
from inkgan.files import expanded, first_free
from inkgan.runs.folder import RunFolder, claim, newest_run
from inkgan.training.doctor import read_thresholds
from inkgan.training.notebook import NotebookWatcher, is_notebook
from inkgan.training.team import SECONDS_TO_WAIT, Team, is_restart, require_possible_count, team_of
from inkgan.training.watching import Result, Watcher

if TYPE_CHECKING:
    import torch

    from inkgan.data import DataSet
    from inkgan.training.recipe import Recipe
    from inkgan.training.state import PreparedRun

#: Where runs go if no folder is given.
RUNS = Path("runs")
#: The setting that each of these options sets.
OPTIONS_FOR_SETTINGS = {
    "recipe": "recipe",
    "data": "data.name",
    "data_dir": "data.directory",
    "resize": "data.resize",
    "steps": "steps",
    "seconds": "seconds",
    "seed": "seed",
    "precision": "precision",
}


class TrainingOptions(TypedDict, total=False):
    """The options of a run; :func:`train` says what each means. Numbers may be NumPy's."""

    data: str | Path | None
    data_dir: str | Path | None
    steps: SupportsIndex | None
    seconds: SupportsFloat | None
    stop_at: SupportsIndex | None
    extend: SupportsIndex | None
    seed: SupportsIndex | None
    out: str | Path | None
    resume: bool
    force: bool
    heal: bool
    processes: SupportsIndex | None
    timeout: SupportsFloat
    device: str
    precision: str | None
    resize: str | int | None
    config: str | Path | None
    settings: Sequence[str] | Mapping[str, Any]


#: The defaults of the options that are not None by default.
_DEFAULTS: TrainingOptions = {
    "resume": False,
    "force": False,
    "heal": False,
    "timeout": SECONDS_TO_WAIT,
    "device": "auto",
    "settings": (),
}


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
            * ``device``: ``auto`` (the default), ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
            * ``precision``: ``auto`` (the default), ``float32`` or ``bfloat16``.
            * ``resize``: fit the images into this side in pixels, ``32``, or into a height and width, ``"32x48"``.
            * ``config``: a TOML file of settings.
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
        if is_restart() and given["out"]:
            given |= _options_after_restart(RunFolder(Path(given["out"])))
        prepared = team.agree(lambda: prepare(given, watcher, team), _shared_facts)
        if team.leads and given["out"] is None and not prepared.resume:
            # Runs that start at the same moment get different folders.
            place = claim(RUNS / default_name(prepared.config))
            prepared = dataclasses.replace(prepared, folder=RunFolder(place))
        return _train_until_healthy(prepared, watcher)


def _options_after_restart(folder: RunFolder) -> dict[str, Any]:
    """Return the options that continue the run in a folder after a launcher has restarted its processes."""
    if not folder.is_run:
        return {}
    resume = {"resume": True, "force": False}
    # --extend refuses a run that is not complete, so an incomplete one was already made longer before the restart.
    return resume if folder.newest_step() == folder.saved_config().steps else {**resume, "extend": None}


def configure(given: Mapping[str, Any]) -> tuple[Config, Path]:
    """Resolve the settings of a run and find its folder, without PyTorch.

    Args:
        given: the options of :func:`complete_options`.

    Raises:
        ConfigError: an option or a setting is unknown or not allowed.
        CheckpointError: there is no run to resume.
    """
    if is_one_of(given["out"], [""]):
        raise ConfigError("the name of the run folder is empty. Name a folder with --out, or leave it out.")
    extend = given["extend"]
    if given["force"] and (given["resume"] or extend is not None):
        option = "resume" if given["resume"] else "extend"
        raise ConfigError(f"--{option} continues the run in --out, and --force replaces it. Give one of the two.")
    file, out = (None if given[name] is None else valid_path(given[name], name) for name in ("config", "out"))
    chosen = {key: given[option] for option, key in OPTIONS_FOR_SETTINGS.items()}
    settings = given["settings"] or ()
    _require_no_conflict(chosen, settings)

    def resolved(base: Config | None = None) -> Config:
        return _with_absolute_data(resolve(file=file, options=chosen, overrides=settings, base=base))

    config = resolved()
    name = default_name(config)
    if not given["resume"] and extend is None:
        if config.extended_from:
            raise ConfigError("extended_from is for runs that --extend made longer; a new run has none. Leave it out.")
        return config, out or first_free(RUNS / name)
    if extend is not None:
        whole_number(extend, "extend={} is not allowed: it is a number of steps, 1 or above.", 1, LONGEST_RUN)
    folder = out or newest_run(RUNS, name)
    config = resolved(RunFolder(folder).saved_config())
    return config if extend is None else config.extended(extend), folder


def checked(given: Mapping[str, Any], size: int | None = None) -> tuple[Config, Path]:
    """Resolve the settings of a run, find its folder, and check everything that needs neither the data nor PyTorch.

    Args:
        given: the options of :func:`complete_options`.
        size: the number of processes that train together; by default that of the options.

    Raises:
        InputError: an argument or an option cannot be used.
    """
    config, path = configure(given)
    if size is None:
        size = 1 if given["processes"] is None else given["processes"]
        require_possible_count(size)
    _require_possible(config, size, heal=given["heal"])
    stop_at = given["stop_at"]
    if stop_at is not None:
        whole_number(stop_at, "stop_at={} is not allowed: it counts joint steps, so it is 1 or above.", 1, LONGEST_RUN)
    require_name_of_device(given["device"])
    if not given["resume"] and given["extend"] is None:
        RunFolder(path).require_free(force=given["force"])
        require_there(config.data.name, None if config.data.directory is None else Path(config.data.directory))
    return config, path


def _require_no_conflict(options: Mapping[str, Any], settings: Mapping[str, Any] | Sequence[str]) -> None:
    """Refuse a setting that is also given as an option: one of the two values would be lost.

    If several strings give the same setting, the last one counts, so that settings can override others.
    """
    names = settings if isinstance(settings, Mapping) else [text.partition("=")[0].strip() for text in settings]
    for name in names:
        if options.get(name) is not None:
            raise ConfigError(f"{name} was given 2 values, one of them among the settings (--set). Give one.")


def _with_absolute_data(config: Config) -> Config:
    """Make the paths of a user's own data absolute, so that the run resumes from any folder."""
    directory = None if config.data.directory is None else expanded(config.data.directory).absolute()
    name = absolute_name(config.data.name, directory)
    where = {"name": name, "directory": None if directory is None else str(directory)}
    return config.model_copy(update={"data": config.data.model_copy(update=where)})


def prepare(given: Mapping[str, Any], watcher: Watcher, team: Team) -> PreparedRun:
    """Check everything that a run needs, load its data and build its networks. Nothing is written.

    Args:
        given: the options of :func:`complete_options`.
        watcher: receives the progress of a download or of the training of a feature network.
        team: the processes that train together.

    Raises:
        InputError: an argument, an option or the data cannot be used.
    """
    config, path = checked(given, team.size)
    extend = given["extend"]
    resume = given["resume"] or extend is not None
    folder = RunFolder(path)
    if extend is not None:
        _require_complete(folder, config.before_extension())

    if config.watch.doctor_every:
        read_thresholds()  # raises now if the file is damaged, before anything is written

    data = _data_of(config, watcher, may_have_moved=resume and given["data"] is None)
    for note in data.notes:
        watcher.warn(note)

    # Only now is PyTorch imported.
    from inkgan.device import resolve_device, resolve_precision
    from inkgan.training.healing import may_heal
    from inkgan.training.state import PreparedRun

    device = resolve_device(given["device"])
    precision = resolve_precision(folder.precision_for(config) if resume else config.precision, device)
    built = build(config, data.image_shape, len(data.class_names), device, precision, team)
    if resume:
        folder.require_same(config if extend is None else config.before_extension(), data.digest)
    measure = None
    if config.watch.evaluate_every and team.leads:
        from inkgan.evaluation.ruler import quick_measure

        measure = quick_measure(data, watcher.preparing)  # may take minutes, so it comes last
    return PreparedRun(
        config=config,
        folder=folder,
        data=data,
        recipe=built,
        device=device,
        precision=precision,
        team=team,
        measure=measure,
        resume=resume,
        force=given["force"],
        stop_at=given["stop_at"],
        heal=given["heal"] and may_heal(config),  # healings of earlier starts count
    )


def _data_of(config: Config, watcher: Watcher, *, may_have_moved: bool) -> DataSet:
    """Load the data that a run learns from."""
    try:
        return load_saved(config.data.model_dump(), progress=watcher.preparing)
    except DataError as error:
        if not may_have_moved:
            raise
        raise DataError(f"{error} If the data have moved, say where they are with --data.") from None


def _train_until_healthy(prepared: PreparedRun, watcher: Watcher) -> Result:
    """Train a run; if it falls ill and is to be healed, continue from a healthy checkpoint."""
    from inkgan.training import loop
    from inkgan.training.healing import IllnessError, go_back, may_heal

    if not prepared.team.leads:
        return loop.follow(prepared)
    data = prepared.data
    while True:
        try:
            return loop.run(prepared, watcher)
        except IllnessError as illness:
            config = go_back(prepared, illness, watcher)
            recipe = build(config, data.image_shape, len(data.class_names), prepared.device, prepared.precision)
            prepared = dataclasses.replace(prepared, config=config, recipe=recipe, resume=True, heal=may_heal(config))


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


def _require_possible(config: Config, processes: int, *, heal: bool) -> None:
    """Refuse an unknown network, healing where it does not work, and processes that cannot share a step evenly."""
    networks.require_known(config.network)
    is_tutorial = config.recipe == "tutorial"
    if heal and is_tutorial:
        raise ConfigError("the tutorial is fixed, so it cannot be healed. Choose --recipe fast, or leave out --heal.")
    if heal and not config.watch.doctor_every:
        raise ConfigError("--heal needs the doctor, and watch.doctor_every=0 turns it off. Leave out one of the two.")
    if heal and processes > 1:
        raise ConfigError(f"--heal works with one process, and {processes} train this run. Leave out one of the two.")
    if processes > 1 and is_tutorial:
        raise ConfigError(
            "the tutorial normalises by its whole batch, so one process trains it. Choose --recipe fast, or start one "
            "process."
        )
    if config.slices % processes:
        size = config.batch_size
        batch = f" --set batch_size={-(-size // processes) * processes}" if size % processes else ""
        raise ConfigError(
            f"{processes} processes cannot share slices={config.slices} evenly. Give --set slices={processes}{batch}, "
            "or a multiple of it that divides the batch size; the result depends on it."
        )


def _shared_facts(prepared: PreparedRun) -> dict[str, str]:
    """Return the facts that must be the same on every process, by the names that messages use."""
    from importlib import metadata

    import torch

    settings = prepared.config.model_dump(exclude={"data"})  # each machine may find the same data at another path
    return {
        "inkgan's version": metadata.version("inkgan"),
        "PyTorch's version": torch.__version__,
        "the number of threads": str(torch.get_num_threads()),
        "the data's digest": prepared.data.digest,
        "the precision": prepared.precision_name,
        "the SHA-256 of the network's file": networks.own_network_sha256(prepared.config.network) or "none",
        **{f"the setting {name}": str(value) for name, value in settings.items()},
    }


def default_name(config: Config) -> str:
    """Return the default name of a run's folder."""
    return f"{config.recipe}-{Path(config.data.name).stem[:60]}-seed{config.seed}"


def _require_complete(folder: RunFolder, config: Config) -> None:
    """Refuse to extend a run that has not reached its end."""
    step = folder.newest_step()
    if step is None or step != config.steps:
        raise ConfigError(
            f"{shown(folder.path)} is not complete: it is at step {step or 0} of {config.steps}. "
            f"Finish it first: inkgan train --resume --out {shlex.quote(str(folder.path))}"
        )


def complete_options(recipe: str | None = None, **options: Unpack[TrainingOptions]) -> dict[str, Any]:
    """Return every option, or its default, in a form that JSON can hold: NumPy's numbers become Python's.

    Args:
        recipe: as for :func:`train`.
        **options: as for :func:`train`.

    Raises:
        ConfigError: one is unknown or of the wrong type, or the settings are neither a mapping nor strings.
    """
    known = TrainingOptions.__annotations__
    for name, value in options.items():
        if name in known:
            continue
        if name in known_settings():
            raise ConfigError(f"{name} is a setting, not an option of train: settings={{{name!r}: {value!r}}}.")
        raise ConfigError(f"train has no option {name!r}.{did_you_mean(name, [*known, 'recipe', 'watcher'])}")
    settings = options.get("settings")
    if settings is not None:
        require_settings(settings)
    data: Any = options.get("data")
    if not isinstance(data, str | Path | None):
        raise ConfigError(
            f"data is {type(data).__name__}, and not a name or a path. Write arrays with "
            "numpy.savez('mine.npz', images=..., labels=...), and give data='mine.npz'."
        )
    given: dict[str, Any] = {"recipe": recipe} | dict.fromkeys(known) | _DEFAULTS | _plain(options)
    given |= {name: yes_or_no(given[name], name) for name in ("resume", "force", "heal")}
    complaint = "timeout={} is not allowed: it is a number of seconds above 0, such as 300."
    given["timeout"] = number_between(given["timeout"], complaint, 1e-3, 1e6)
    if isinstance(data, Path):
        given["data"] = str(expanded(data).absolute())  # a path is never the name of a known set
    return given


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    return str(value) if isinstance(value, Path) else value
