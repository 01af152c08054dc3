"""Finding and reading generators: the folder, ``model.json`` and the weights, all checked before they are used."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, SupportsIndex

from numpy.typing import NDArray

from inkgan import networks
from inkgan.errors import CheckpointError, as_given, did_you_mean, shown, valid_path, whole_number
from inkgan.files import input_errors
from inkgan.generation import torch_networks
from inkgan.generation.numpy_networks import NUMPY_NETWORKS
from inkgan.images import LONGEST_CLASS_NAME
from inkgan.networks.grid import slope_of
from inkgan.runs import checkpoint

#: The files of a checkpoint, without ending, that sampling needs.
PARTS = ("model", "generator")
_BUNDLED = Path(__file__).parents[1] / "models"
#: The smallest and largest sizes that a model can have, and those of its images: height, width and channels.
_LIMITS = {"num_classes": (0, 65_536), "latent_dim": (1, 4096), "channels": (1, 1024)}
_LIMITS_OF_SHAPE = ((1, 4096), (1, 4096), (1, 3))
#: The smallest and the largest number that can be asked for as a checkpoint's step.
_STEPS = (-(10**12), 10**12)
#: Half of a surrogate pair, which JSON can hold and text cannot.
_SURROGATE = re.compile("[\ud800-\udfff]")


class Found(NamedTuple):
    """A generator that was found, verified and read.

    Attributes:
        folder: where it is.
        description: its ``model.json``.
        arrays: its weights by name, as they were saved.
        notes: a sentence for each newer checkpoint that is damaged, and one if the file of its network has changed,
            or if a folder has the name of a bundled model.
    """

    folder: Path
    description: dict[str, Any]
    arrays: dict[str, NDArray[Any]]
    notes: list[str]


def bundled_models() -> list[str]:
    """Return the names of the generators that ship with the package."""
    return sorted(path.parent.name for path in _BUNDLED.glob("*/model.json"))


def is_bundled(what: str | Path) -> bool:
    """Whether this is the name of a bundled model; a :class:`Path` never is."""
    return isinstance(what, str) and what in bundled_models()


def software_of(network: str) -> dict[str, str]:
    """Return what decides how a network draws: the versions of packages, and the SHA-256 of a user's own file."""
    from importlib.metadata import version  # takes longer to import than this module, and few commands need it

    packages = ["inkgan", "numpy", "pillow", *([] if network in NUMPY_NETWORKS else ["torch"])]
    own = networks.own_network_sha256(network)
    return {package: version(package) for package in packages} | ({} if own is None else {f"{network}.py": own})


def read(path: str | Path, which: str | SupportsIndex) -> Found:
    """Find a generator and read it, even while a trainer saves and removes checkpoints.

    Raises:
        CheckpointError: there is none, or it is damaged.
        ConfigError: ``which`` is neither a text nor a whole number.
        MissingExtraError: the network has no NumPy form, and PyTorch is not installed.
    """
    place = valid_path(path, "the model", CheckpointError)
    if not isinstance(which, str):
        which = str(whole_number(which, "there is no checkpoint {}. Give latest, best or a step.", *_STEPS))
    for _ in range(checkpoint.TRIES):
        steps = _steps_of_run(place)
        try:
            return _read(path, which)
        except CheckpointError:
            if _steps_of_run(place) == steps:
                raise
            # A trainer removed this checkpoint before it was read, and saved a newer one.
    return _read(path, which)


def _read(path: str | Path, which: str) -> Found:
    with input_errors(path, CheckpointError, advice=""):
        folder, notes = _find(path, which)
    checkpoint.verify(folder, PARTS)
    description = checkpoint.read_document(folder, "model")
    changed = networks.note_of_change(description, path)
    try:
        arrays = read_weights(description, folder)
    except CheckpointError as error:
        raise CheckpointError(" ".join([str(error), *changed])) from error.__cause__
    return Found(folder, description, arrays, [*notes, *changed])


def _steps_of_run(path: Path) -> list[int]:
    """Return the steps of the checkpoints that a run has now; none if it is not a run."""
    try:
        return checkpoint.list_steps(path / "checkpoints")
    except CheckpointError:
        return []


def _find(path: str | Path, which: str) -> tuple[Path, list[str]]:
    """Return the folder of a generator, and a note for every newer checkpoint that is damaged."""
    if path == "":  # a Path would take it for the current folder
        raise CheckpointError("the name of the run or model is empty. Name a run folder, or a bundled model.")
    folder = _BUNDLED / path if is_bundled(path) else Path(path)
    if (folder / "model.json").is_file():
        if which != "latest":
            given = f"it has no checkpoint {as_given(which)}"
            raise CheckpointError(f"{shown(path)} is a model, not a run: {given}. Leave the checkpoint out.")
        return folder, _note_of_namesake(path) if is_bundled(path) else []
    if folder.is_file():
        kind = "a pickle, which could run any code," if _is_pickle(folder) else "a file,"
        raise CheckpointError(f"{shown(path)} is {kind} not a model folder. Name a run, a checkpoint or a model.")
    if not folder.is_dir():
        names = bundled_models()
        hint = did_you_mean(str(path), names)
        if str(path) in names:
            hint = f" A Path is never the name of a bundled model: give the text {str(path)!r}."
        raise CheckpointError(
            f"there is no model or run '{shown(path)}'.{hint} "
            f"Name a run folder, or a bundled model: {', '.join(names)}."
        )
    return _checkpoint_of_run(folder, which)


def _note_of_namesake(name: str | Path) -> list[str]:
    """Return a note if a run or a model here has the name of the bundled one, which is read instead."""
    here = Path(name)
    if (here / "config.json").is_file() or (here / "model.json").is_file():
        return [f"{name} is the bundled model; name the folder {name} here with a slash, as ./{name}."]
    return []


def _checkpoint_of_run(folder: Path, which: str) -> tuple[Path, list[str]]:
    """Return the folder of a run's checkpoint, and a note for every newer one that is damaged."""
    from inkgan.runs.folder import RunFolder  # imports pydantic, which a bundled model does not need

    run = RunFolder(folder)
    if not run.is_run:
        neither = f"neither a run ({run.why_no_run()}) nor a model (no model.json)"
        raise CheckpointError(f"{shown(folder)} is {neither}. Name a run, a checkpoint or a model.")
    if which != "latest":
        return run.checkpoint(which), []
    step, damages = checkpoint.newest_whole(run.checkpoints, PARTS)
    if step is None and damages:
        raise CheckpointError(f"no checkpoint in {shown(run.checkpoints)} has an intact generator. {damages[0]}")
    name = "latest" if step is None else str(step)  # if the run has no checkpoint, "latest" raises
    return run.checkpoint(name), [f"{damage} Taking step {step}." for damage in damages]


def _is_pickle(path: Path) -> bool:
    """Whether a file looks like a pickle or a PyTorch archive (which holds one)."""
    if re.fullmatch(r"\.(pt|pth|ckpt|pkl|pickle|bin)", path.suffix.lower()):
        return True
    with path.open("rb") as file:
        return file.read(1) == b"\x80"


def read_weights(description: dict[str, Any], folder: Path) -> dict[str, NDArray[Any]]:
    """Read the arrays of a generator, after checking the sizes in its description.

    Args:
        description: its ``model.json``; the sizes that are fixed for its network are added to it.
        folder: the folder that holds them, whose files were verified.

    Raises:
        CheckpointError: the network is of an unknown kind, a size is missing or absurd, or the arrays are not those of
            this network.
        MissingExtraError: the network has no NumPy form, and PyTorch is not installed.
    """
    network = description.get("network")
    numpy_form = NUMPY_NETWORKS.get(network) if isinstance(network, str) else None
    if numpy_form is None:
        networks.require_known(network, f"{shown(folder)} has the ")
        _valid_sizes(description, ("num_classes", "latent_dim"), folder)
        layout = torch_networks.layout_of(networks.build_generator, description)
        return checkpoint.read_arrays(folder, "generator", *layout)
    description |= numpy_form.fixed
    sizes = _valid_sizes(description, ("num_classes", "latent_dim", "channels"), folder)
    slope = slope_of(description)
    if type(slope) not in (int, float) or not 0 <= slope <= 1:
        raise CheckpointError(f"{shown(folder)} is damaged: model.json gives the slope {as_given(slope)}.")
    height, width, depth = description["image_shape"]
    return checkpoint.read_arrays(folder, "generator", numpy_form.shapes((height, width, depth), *sizes))


def _valid_sizes(description: Mapping[str, Any], keys: Sequence[str], folder: Path) -> list[int]:
    """Return some sizes of a model; refuse sizes and shapes of images that are missing or absurd."""
    shape: Any = description.get("image_shape")
    sizes: list[Any] = [description.get(key) for key in keys]
    given = [*shape, *sizes] if isinstance(shape, list) else sizes
    limits = [*_LIMITS_OF_SHAPE, *(_LIMITS[key] for key in keys)]
    if len(given) != len(limits) or not all(
        type(size) is int and least <= size <= most for size, (least, most) in zip(given, limits, strict=True)
    ):
        raise CheckpointError(f"{shown(folder)} is damaged: model.json gives image_shape {shape!r}, sizes {sizes!r}.")
    return sizes


def class_names_of(description: Mapping[str, Any], folder: Path | str) -> tuple[str, ...]:
    """Return the name of each class that a generator draws, in the order of its labels.

    Args:
        description: ``model.json``, whose sizes were checked. If it has no names, the names are numbers.
        folder: where it was read, for messages.

    Raises:
        CheckpointError: there is not a name for each class, or a name is not a string, is empty, too long or repeated.
    """
    count = description["num_classes"]
    names = description.get("class_names")
    if names is None or not count:
        return tuple(map(str, range(count)))
    if not isinstance(names, list) or len(names) != count or not all(map(_is_name, names)) or len(set(names)) != count:
        needed = f"a list of {count} different names of 1 to {LONGEST_CLASS_NAME} characters"
        raise CheckpointError(f"{shown(folder)} is damaged: class_names in model.json is not {needed}.")
    return tuple(names)


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and 1 <= len(name) <= LONGEST_CLASS_NAME and not _SURROGATE.search(name)
