"""From options to a run: what Python's ``inkgan.train`` and the command ``inkgan train`` share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from inkgan.config import Config, known_keys, resolve
from inkgan.data.loading import from_anywhere
from inkgan.data.locate import expanded
from inkgan.errors import ConfigError, did_you_mean
from inkgan.runs.folder import RunFolder, free_run_path, newest_run

if TYPE_CHECKING:
    import torch

    from inkgan.training.loop import Result
    from inkgan.training.prepared import PreparedRun
    from inkgan.training.recipe import Recipe
    from inkgan.training.watching import Watcher

#: Where runs go if no folder is given.
RUNS = Path("runs")


class TrainingOptions(TypedDict, total=False):
    """The options of a run; :func:`train` says what each means."""

    data: str | Path | None
    data_dir: str | Path | None
    steps: int | None
    seconds: float | None
    stop_at: int | None
    seed: int | None
    out: str | Path | None
    resume: bool
    force: bool
    device: str
    precision: str | None
    resize: str | int | None
    config: str | Path | None
    settings: Sequence[str] | Mapping[str, Any]


def train(recipe: str | None = None, *, watcher: Watcher | None = None, **options: Unpack[TrainingOptions]) -> Result:
    """Train a GAN; the same as ``inkgan train``.

    Args:
        recipe: ``fast`` (the default), ``best`` or ``tutorial``.
        watcher: who is told how the run goes; see :class:`inkgan.training.watching.Watcher`. By default nobody.
        **options: all of them optional:

            * ``data``: a known data set (``inkgan data`` lists them), or the path of a folder of images or of an
              ``.npz`` file. MNIST by default.
            * ``data_dir``: the folder that holds the data set's files, if they are not in one of the usual places.
            * ``steps``: the run's total number of steps, to which schedules refer. By default the recipe's.
            * ``seconds``: train for this long instead.
            * ``stop_at``: save and stop after this step, to be resumed.
            * ``seed``: all randomness of the run depends on it. 0 by default.
            * ``out``: the run folder; by default ``runs/RECIPE-DATA-seedN``, numbered if that is taken.
            * ``resume``: continue the run in ``out``, or the newest of its name, bit for bit.
            * ``force``: replace the run that is in ``out``.
            * ``device``: ``auto`` (the default), ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
            * ``precision``: ``auto`` (the default), ``float32`` or ``bfloat16``.
            * ``resize``: fit the images into this side in pixels, ``32``, or into a height and width, ``"32x48"``.
            * ``config``: a TOML file of settings.
            * ``settings``: any other settings, such as ``{"loss": "hinge", "generator.learning_rate": 1e-3}``, or
              strings such as ``["loss=hinge"]``. ``inkgan train --dry-run`` lists them all.

    Returns:
        The run's folder, steps and training time, whether it is complete, and the final picture.

    Raises:
        InputError: something given cannot be used; the message says what and why. Nothing was written.
        DivergenceError: a loss or gradient was not finite; the last good checkpoint is kept.
        Interrupted: SIGINT, SIGTERM or SIGHUP came; the run was saved first.
    """
    from inkgan.training import loop
    from inkgan.training.watching import Silent

    watcher = watcher or Silent()
    return loop.run(prepare(recipe, watcher=watcher, **options), watcher)


def configure(recipe: str | None = None, **options: Unpack[TrainingOptions]) -> tuple[Config, Path]:
    """Resolve the settings of a run and find its folder. PyTorch is not needed for that.

    Args:
        recipe: as for :func:`train`.
        **options: as for :func:`train`.

    Raises:
        ConfigError: an option or a setting is unknown or not allowed.
        CheckpointError: there is no run to resume.
    """
    _require_known(options)
    data_dir = options.get("data_dir")
    given = {
        "recipe": recipe,
        "data.name": options.get("data"),
        "data.directory": None if data_dir is None else str(expanded(data_dir).absolute()),
        "steps": options.get("steps"),
        "seconds": options.get("seconds"),
        "seed": options.get("seed"),
        "precision": options.get("precision"),
        "data.resize": options.get("resize"),
    }
    file = _path(options.get("config"))
    overrides = options.get("settings", ())
    out = _path(options.get("out"))
    config = _with_absolute_data(resolve(file=file, options=given, overrides=overrides))
    name = f"{config.recipe}-{Path(config.data.name).stem[:60]}-seed{config.seed}"
    if not options.get("resume"):
        return config, out or free_run_path(RUNS, name)
    folder = out or newest_run(RUNS, name)
    saved = RunFolder(folder).saved_config()
    return _with_absolute_data(resolve(file=file, options=given, overrides=overrides, base=saved)), folder


def _with_absolute_data(config: Config) -> Config:
    """The settings with the path of a user's own data made absolute, so that the run resumes from any folder."""
    name = from_anywhere(config.data.name, _path(config.data.directory))
    return config.model_copy(update={"data": config.data.model_copy(update={"name": name})})


def prepare(
    recipe: str | None = None, *, watcher: Watcher | None = None, **options: Unpack[TrainingOptions]
) -> PreparedRun:
    """Check everything that a run needs, and make what it starts with. Nothing is written.

    Args:
        recipe: as for :func:`train`.
        watcher: is told how far a download or the training of a feature network is.
        **options: as for :func:`train`.

    Raises:
        InputError: something given cannot be used.
    """
    config, path = configure(recipe, **options)
    resume = options.get("resume", False)
    force = options.get("force", False)
    stop_at = options.get("stop_at")
    if stop_at is not None and stop_at < 1:
        raise ConfigError(f"stop_at={stop_at} is not allowed: it counts joint steps, so it is 1 or above.")
    folder = RunFolder(path)
    if not resume:
        folder.require_free(force=force)

    from inkgan.data.loading import load_saved
    from inkgan.device import resolve_device, resolve_precision
    from inkgan.training.prepared import PreparedRun
    from inkgan.training.watching import Silent

    watcher = watcher or Silent()
    data = load_saved(config.data.model_dump(), progress=watcher.preparing)
    for note in data.notes:
        watcher.warn(note)
    device = resolve_device(options.get("device", "auto"))
    precision = resolve_precision(folder.precision_for(config) if resume else config.precision, device)
    built = build(config, data.image_shape, len(data.class_names), device, precision)
    if resume:
        folder.require_same(config, data.digest)
    measure = None
    if config.watch.evaluate_every:
        from inkgan.evaluation.ruler import quick_measure

        measure = quick_measure(data, watcher.preparing)  # may take minutes, so it comes last
    return PreparedRun(config, folder, data, built, device, precision, measure, resume, force, stop_at)


def build(
    config: Config, image_shape: tuple[int, int, int], num_classes: int, device: torch.device, precision: torch.dtype
) -> Recipe:
    """Make the recipe that a configuration names, freshly initialised.

    Args:
        config: the settings.
        image_shape: height, width and channels of the data's images.
        num_classes: how many classes their labels name; 0 without labels.
        device: where to compute.
        precision: what the networks compute in.

    Raises:
        ConfigError: the recipe cannot learn images of this shape.
    """
    from inkgan.training.compact import Compact
    from inkgan.training.tutorial import Tutorial

    recipes = {"fast": Compact, "best": Compact, "tutorial": Tutorial}
    recipe: Recipe = recipes[config.recipe](config, image_shape, num_classes, dtype=precision, device=device)
    return recipe


def _require_known(options: Mapping[str, object]) -> None:
    known = TrainingOptions.__annotations__
    for name, value in options.items():
        if name in known:
            continue
        if name in known_keys():
            raise ConfigError(f"{name} is a setting, not an option of train: settings={{{name!r}: {value!r}}}.")
        raise ConfigError(f"train has no option {name!r}.{did_you_mean(name, [*known, 'recipe', 'watcher'])}")


def _path(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path)
