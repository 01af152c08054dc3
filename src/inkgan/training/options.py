"""The options of a run: completed, checked, and turned into settings and a folder, without PyTorch or the data."""

from __future__ import annotations

import operator
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, SupportsFloat, SupportsIndex, TypedDict, Unpack

import numpy as np

from inkgan import networks
from inkgan.config import Config, resolve
from inkgan.config.schema import LONGEST_RUN, known_settings
from inkgan.config.sources import keys_of, require_settings
from inkgan.data.arrays import ARRAY_SUFFIXES
from inkgan.data.loading import absolute_name, require_exists, require_images
from inkgan.device import require_name_of_device, resolve_device
from inkgan.errors import ConfigError, did_you_mean, number_between, valid_path, whole_number, yes_or_no
from inkgan.files import expanded, first_free
from inkgan.runs.folder import RunFolder, newest_run
from inkgan.runs.resuming import continued, require_complete, require_same
from inkgan.training.team import number_of_processes

#: The options that set a setting of another name, and those that set the setting of their name.
_SETTING_OF = {"data": "data.name", "data_dir": "data.directory", "resize": "data.resize"}
_SETTINGS = ("recipe", "steps", "seconds", "seed", "precision")


class TrainingOptions(TypedDict, total=False):
    """The options of a run; :func:`inkgan.train` says what each means. Numbers may be NumPy's."""

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


#: The defaults of the options that are not None by default, except for those that are True or False.
_DEFAULTS: TrainingOptions = {"timeout": 300.0, "device": "auto", "settings": ()}


def complete_options(recipe: str | None = None, **options: Unpack[TrainingOptions]) -> dict[str, Any]:
    """Return every option, or its default, in a form that JSON can hold: NumPy's numbers become Python's.

    Args:
        recipe: as for :func:`inkgan.train`.
        **options: as for :func:`inkgan.train`.

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
            f"data is {type(data).__name__}, not a name or a path. Write arrays with "
            "numpy.savez('mine.npz', images=..., labels=...), and give data='mine.npz'."
        )
    given: dict[str, Any] = {"recipe": recipe} | dict.fromkeys(known) | _DEFAULTS | _plain(options)
    given |= {name: yes_or_no(options.get(name, False), name) for name in ("resume", "force", "heal")}
    complaint = "timeout={} is not allowed: it is a number of seconds above 0, such as 300."
    given["timeout"] = number_between(given["timeout"], complaint, 1e-3, 1e6)
    if isinstance(data, Path):
        given["data"] = str(expanded(data).absolute())  # a path is never the name of a known set
    return given


def _plain(value: Any) -> Any:
    """Turn numbers of NumPy and others into Python's, and paths into strings, also within settings."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    with suppress(TypeError, ValueError, OverflowError):  # what is neither is refused later, where its name is known
        if isinstance(value, os.PathLike):
            return str(Path(value))
        if isinstance(value, SupportsIndex) and not isinstance(value, int):
            return operator.index(value)
    return value


def checked(given: Mapping[str, Any]) -> tuple[Config, RunFolder, Config | None]:
    """Resolve the settings of a run, find its folder, and check everything that needs neither the data nor PyTorch.

    Args:
        given: the options of :func:`complete_options`.

    Returns:
        As :func:`configure`.

    Raises:
        InputError: an argument or an option cannot be used.
    """
    config, folder, so_far = configure(given)
    _require_possible(config, number_of_processes(given["processes"]), heal=given["heal"])
    stop_at = given["stop_at"]
    if stop_at is not None:
        whole_number(stop_at, "stop_at={} is not allowed: it counts joint steps, so it is 1 or above.", 1, LONGEST_RUN)
    require_name_of_device(given["device"])
    if so_far is None:
        folder.require_free(force=given["force"])
        require_exists(config.data.name, config.data.directory)
    else:
        require_same(folder, so_far)
        if given["extend"] is not None:
            require_complete(folder, so_far)
    return config, folder, so_far


def require_images_and_device(config: Config, device: str) -> None:
    """Check what a dry run can find out besides: whether a folder has images, and whether there is such a device.

    It looks through folders, and needs PyTorch for any device but the CPU. A run finds out by itself.

    Raises:
        InputError: there are none.
    """
    require_images(config.data.model_dump())
    if device not in {"auto", "cpu"}:
        resolve_device(device)


def configure(given: Mapping[str, Any]) -> tuple[Config, RunFolder, Config | None]:
    """Resolve the settings of a run and find its folder, without PyTorch.

    Args:
        given: the options of :func:`complete_options`.

    Returns:
        The settings, the folder, and the settings that the run in it has had so far: None if a new run begins, and
        shorter ones if the run is extended now.

    Raises:
        ConfigError: an option or a setting is unknown or not allowed.
        CheckpointError: there is no run to resume.
    """
    if isinstance(given["out"], str) and not given["out"]:
        raise ConfigError("the name of the run folder is empty. Name a folder with --out, or leave it out.")
    extend = given["extend"]
    if given["force"] and (given["resume"] or extend is not None):
        option = "resume" if given["resume"] else "extend"
        raise ConfigError(f"--{option} continues the run in --out, and --force replaces it. Give one of the two.")
    file, out = (None if given[name] is None else valid_path(given[name], name) for name in ("config", "out"))
    chosen = {_SETTING_OF.get(option, option): given[option] for option in (*_SETTING_OF, *_SETTINGS)}
    settings = given["settings"] or ()
    # Of several strings for one setting the last counts, but an option beside them would be lost.
    for key in keys_of(settings):
        if chosen.get(key) is not None:
            raise ConfigError(f"{key} was given 2 values, one of them among the settings (--set). Give one.")

    def resolved(base: Config | None = None) -> Config:
        return _with_absolute_data(resolve(file=file, options=chosen, overrides=settings, base=base))

    config = resolved()
    default = default_folder(config)
    if not given["resume"] and extend is None:
        return config, RunFolder(out or first_free(default)), None
    if extend is not None:
        whole_number(extend, "extend={} is not allowed: it is a number of steps, 1 or above.", 1, LONGEST_RUN)
    folder = RunFolder(out or newest_run(default.parent, default.name))
    begun = saved = folder.saved_config()
    while begun.extended_from:
        begun = begun.before_extension()
    so_far = continued(saved, resolved(begun))
    return so_far if extend is None else so_far.extended(extend), folder, so_far


def _with_absolute_data(config: Config) -> Config:
    """Make the paths of a user's own data absolute, so that the run resumes from any folder."""
    directory = None if config.data.directory is None else expanded(config.data.directory).absolute()
    name = absolute_name(config.data.name, directory)
    where = {"name": name, "directory": None if directory is None else str(directory)}
    return config.model_copy(update={"data": config.data.model_copy(update=where)})


def default_folder(config: Config) -> Path:
    """Return the folder of a run if none is given; it may be taken."""
    data = Path(config.data.name)
    name = data.stem if data.suffix.lower() in ARRAY_SUFFIXES else data.name  # all of a folder called v1.0
    return Path("runs") / f"{config.recipe}-{name[:60]}-seed{config.seed}"


def _require_possible(config: Config, processes: int, *, heal: bool) -> None:
    """Refuse an unknown network, healing where it does not work, and processes that cannot share a step evenly."""
    networks.require_known(config.network)
    if config.network == "tutorial":  # only its recipe saves the statistics without which nobody can draw from it
        raise ConfigError("the network 'tutorial' has its own recipe. Choose --recipe tutorial, or another network.")
    is_tutorial = config.recipe == "tutorial"
    if heal and is_tutorial:
        raise ConfigError("the tutorial is fixed, so it cannot be healed. Choose --recipe fast, or leave out --heal.")
    if heal and not config.watch.doctor_every:
        raise ConfigError("--heal needs the doctor, and watch.doctor_every=0 turns it off. Leave out one of the two.")
    if heal and processes > 1:
        raise ConfigError(f"--heal works with one process, and {processes} train this run. Leave out one of the two.")
    if processes > 1 and is_tutorial:
        raise ConfigError("the tutorial normalises by its whole batch. Choose --recipe fast, or start one process.")
    if config.slices % processes:
        size = config.batch_size
        batch = f" --set batch_size={-(-size // processes) * processes}" if size % processes else ""
        possible = ", ".join(str(count) for count in range(1, config.slices + 1) if config.slices % count == 0)
        raise ConfigError(
            f"{processes} processes cannot share slices={config.slices} evenly; {possible} can. Or give a new run "
            f"--set slices={processes}{batch}, or a multiple of it that divides the batch size."
        )
