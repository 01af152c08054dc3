"""Loading data sets by name or path."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from inkgan.data import idx, known_sets
from inkgan.data.arrays import ARRAY_SUFFIXES, read_arrays, require_array_file
from inkgan.data.folder import read_image_folder
from inkgan.data.found_files import holds_pictures
from inkgan.data.known_sets import KnownSet, find_known
from inkgan.data.pixels import Size, parsed_size
from inkgan.data.sets import DataSet, Ink, ReadingOptions, YesOrNo, assemble
from inkgan.data.splits import Split, first_twelfth
from inkgan.errors import DataError, import_extra, listed, reason_of, require_function, shown, valid_path
from inkgan.files import Progress, cache_folder, expanded, input_errors, is_folder, no_progress

_NOT_NAMED_LIKE_MNIST = "not named like MNIST's files"
_IDX_NAME = re.compile(r"(.*?)(train|t10k|test)[-_.]images([-_.]idx\d[-_.]\w+)?(\.gz)?", re.IGNORECASE)


def load(
    name: str | Path = "mnist",
    directory: str | Path | None = None,
    *,
    ink: Ink = "auto",
    resize: Size | None = None,
    splits: YesOrNo = "auto",
    progress: Progress = no_progress,
) -> DataSet:
    """Read a data set by its name or path.

    A known name is looked for in ``directory``, the folder that ``$INKGAN_DATA`` names, this package and the cache, in
    this order; if it is in none of them, it is downloaded into the cache. Any other name is looked for in ``directory``
    and then taken as a path.

    Args:
        name: the name of a known set, such as ``"mnist"`` or ``"emnist-letters"``, or the path of a folder of
            images, a folder of IDX files, or an ``.npz`` or ``.npy`` file. A path with a ``/`` is never a name.
        directory: a data folder, as for ``--data-dir``, in torchvision's layout or plain.
        ink: of a user's own grey images: ``dark`` on light paper is inverted, ``light`` stays, ``auto`` detects which
            it is. The result has 0 for paper and 255 for ink.
        resize: fit the images into this height and width, ``"32x48"`` or ``(32, 48)``, or this side, ``32``.
        splits: whether folders named train, test and so on are splits (yes) or classes (no); ``auto`` takes them for
            splits if all folders have such names, and raises an error if only some do.
        progress: receives how far a download or the reading of a folder is.

    Returns:
        The set, with train, validation and test splits.

    Raises:
        DataError: there is no such set, its files are missing, damaged or of another kind, or an argument is wrong.
        ConfigError: ``progress`` is not such a function.
        OutputError: a download cannot be written.
        MissingExtraError: a download needs pooch, which is not installed.
    """
    reading = ReadingOptions(ink, parsed_size(resize), splits)
    require_function(progress, "progress", "doing", "done")
    if not isinstance(name, str):
        name = valid_path(name, "the data set", DataError)
    if directory is not None:
        directory = valid_path(directory, "the folder of data sets", DataError)
    known = find_known(name) if isinstance(name, str) else None
    if known is not None:
        if ink == "dark":
            raise DataError(f"{known.name} is read as published; data.ink=dark is for your own images. Leave it out.")
        data = read_known(known, locate_or_download(known, directory, progress), reading)
        return replace(data, notes=(*data.notes, *_note_of_namesake(str(name), directory)))
    return read_path(_required_path(str(name), directory), reading, progress)


def locate_or_download(known: KnownSet, directory: str | Path | None, progress: Progress = no_progress) -> Path:
    """Return the folder of a known set; download it into the cache if it is not on this machine.

    Raises:
        DataError: it is nowhere, and cannot be downloaded.
        OutputError: a download cannot be written.
        MissingExtraError: a download needs pooch, which is not installed.
    """
    folder = known_sets.locate(known, directory)
    if folder is None:
        download = import_extra("inkgan.data.download")  # it needs pooch, an optional library
        folder = download.fetch_known(known, cache_folder(), progress)
    return folder


def load_saved(settings: Mapping[str, Any], directory: Path | None = None, progress: Progress = no_progress) -> DataSet:
    """Read a data set by the ``data`` settings of a configuration, as a run or a model saved them.

    Args:
        settings: name and directory, and ink, resize and splits; if ``ink`` is missing, images are taken as they are.
        directory: replaces the one in the settings.
        progress: as for :func:`load`.

    Raises:
        InputError: as for :func:`load`.
    """
    directory = settings["directory"] if directory is None else directory
    how = {"ink": "light", **{key: settings[key] for key in ("ink", "resize", "splits") if key in settings}}
    return load(str(settings["name"]), directory, **how, progress=progress)


def absolute_name(name: str, directory: str | Path | None) -> str:
    """Return a name that is valid in any working folder: the path of a user's own set is made absolute.

    The names of known sets, of sets in the data folder, and of those that are nowhere stay as they are.
    """
    path = None if find_known(name) else _own_path(name, directory)
    if path is None or path in _candidates(name, directory):
        return name
    return str(_absolute(path))


def _absolute(path: Path) -> Path:
    """Return a path that is valid in any working folder, and that ends with a name: not with ``..``."""
    return path.resolve() if path.name == ".." else path.absolute()


def name_of(settings: Mapping[str, Any]) -> str:
    """Return the name of a data set without reading it, by the ``data`` settings of a configuration.

    Raises:
        DataError: there is no such set.
    """
    known = find_known(settings["name"])
    return known.name if known else _name_of(_required_path(settings["name"], settings["directory"]))


def _name_of(path: Path) -> str:
    """Return the name of a user's own set: that of its folder or file."""
    return shown(_absolute(path).name.removesuffix(".npz").removesuffix(".npy") or "images")


def require_exists(name: str, directory: str | Path | None) -> None:
    """Refuse the name of a data set that is neither a known one, nor a folder or file where it should be.

    Args:
        name: as for :func:`load`.
        directory: as for :func:`load`.

    Raises:
        DataError: there is no such set, or no such folder, or it is a file of another kind.
    """
    if find_known(name) is None:
        path = _required_path(name, directory)
        if not is_folder(path):
            require_array_file(path)
    elif directory is not None:
        known_sets.named_folder(directory, "--data-dir")


def require_images(settings: Mapping[str, Any]) -> None:
    """Refuse a user's own folder without images, by the ``data`` settings of a configuration; reading it says why.

    Raises:
        DataError: as for :func:`load`.
    """
    path = None if find_known(settings["name"]) else _own_path(settings["name"], settings["directory"])
    if path is not None and is_folder(path) and not holds_pictures(path):
        load_saved(settings)


def _required_path(name: str, directory: str | Path | None) -> Path:
    """Return the path of a user's own set; raise a :class:`DataError` if there is none."""
    path = _own_path(name, directory)
    if path is not None:
        return path
    if "/" in name or name.endswith(ARRAY_SUFFIXES):
        raise DataError(f"{shown(name)} does not exist. Give the path of a folder or of an .npz file.")
    raise known_sets.unknown_set(name)


def _own_path(name: str, directory: str | Path | None) -> Path | None:
    """Return the path of a user's own set, or None if there is no such file or folder."""
    places = [*_candidates(name, directory), expanded(name)]
    return next((path for path in places if name and _is_there(path)), None)


def _is_there(path: Path) -> bool:
    """Whether there is such a file or folder; a :class:`DataError` if its folder may not be looked into."""
    try:
        path.stat()
    except PermissionError as error:
        raise DataError(f"cannot read {shown(path)}: {reason_of(error)}. Check its permissions.") from error
    except (OSError, ValueError):  # also for a name that is too long, or holds a zero byte
        return False
    return True


def _note_of_namesake(name: str, directory: str | Path | None) -> list[str]:
    """Return a note if a user's own images have the name of a known set, which is read instead."""
    for path in (*_candidates(name, directory), Path(name)):
        if (path.suffix == ".npz" and path.is_file()) or holds_pictures(path):
            place = shown(path if path.parent != Path() else f"./{path}")
            return [f"{name} is the known set; the images in {place} are not read: give that path to read them"]
    return []


def _candidates(name: str, directory: str | Path | None) -> list[Path]:
    """Return the paths that a user's own set may have in a data folder; refuse one that is not a folder."""
    if directory is None:
        return []
    directory = known_sets.named_folder(directory, "--data-dir")
    return [directory / name, directory / f"{name}.npz"]


def read_path(path: Path, reading: ReadingOptions, progress: Progress = no_progress) -> DataSet:
    """Read a user's own folder of images, folder of IDX files, or ``.npz`` or ``.npy`` file.

    IDX files are read as a known set if their labels have its checksum or their names belong to it alone, unless
    ``reading`` says that their ink is dark, which no known set's is.

    Raises:
        DataError: it cannot be used.
    """
    name = _name_of(path)
    if not is_folder(path):
        return read_arrays(path, name, reading)
    files = _idx_files(path)
    if not files:
        return read_image_folder(path, name, reading, progress)
    images, folder = files["train"], files["train"].parent
    known = known_sets.identified(folder) or known_sets.with_file(_unpacked_name(images))
    if known is not None and known_sets.find_file(folder, known.files[0]) == images and reading.ink != "dark":
        return read_known(known, folder, reading)
    splits = {split: _read_split(file) for split, file in files.items()}
    data = assemble(name, shown(folder), splits, None, reading)
    unread = _unread(folder, files.values())
    if not unread:
        return data
    note = f"nothing is read from {listed(unread, 3)}, {_NOT_NAMED_LIKE_MNIST}, such as train-labels-idx1-ubyte"
    return replace(data, skipped={_NOT_NAMED_LIKE_MNIST: len(unread)}, notes=(note, *data.notes))


def read_known(known: KnownSet, folder: Path, reading: ReadingOptions) -> DataSet:
    """Read a known set from the folder where it was found. Its ink is taken as it was published.

    Raises:
        DataError: a file is missing, damaged, or not of this set's kind.
    """
    paths = list(known_sets.known_files(known, folder))
    parts = []
    for images, labels in (paths[:2], paths[2:]):
        pixels = idx.read_images(images)
        classes = idx.read_labels(labels, len(pixels)) - known.first_label
        if known.transposed:
            pixels = np.ascontiguousarray(pixels.swapaxes(1, 2))
        parts.append(Split(pixels, classes))
    splits = {**first_twelfth(parts[0], shown(paths[0])), "test": parts[1]}
    return assemble(known.name, known_sets.described(folder), splits, known.class_names, reading, published=True)


def _read_split(file: Path) -> Split:
    """Read an IDX file of images, and the labels beside it if there are any."""
    images = idx.read_images(file)
    wanted = _name_of_labels(file)
    files = (path for path in entries(file.parent) if not is_folder(path))
    labels = next((path for path in files if _unpacked_name(path).lower() == wanted), None)
    return Split(images, None if labels is None else idx.read_labels(labels, len(images)))


def _name_of_labels(file: Path) -> str:
    """Return the name, in lower case, of the unpacked file that has the labels of an IDX file of images."""
    prefix, _, form = _unpacked_name(file).lower().rpartition("images")
    return f"{prefix}labels{re.sub('idx[0-9]', 'idx1', form)}"


def _unread(folder: Path, files: Iterable[Path]) -> list[str]:
    """Return the names of what lies beside the IDX files of images and is neither one of them nor their labels."""
    read = {name for file in files for name in (_unpacked_name(file).lower(), _name_of_labels(file))}
    beside = [path for path in entries(folder) if not path.name.startswith(".")]
    return [shown(path.name) for path in beside if is_folder(path) or _unpacked_name(path).lower() not in read]


def _unpacked_name(file: Path) -> str:
    return file.stem if file.suffix.lower() == ".gz" else file.name


def _idx_files(folder: Path) -> dict[str, Path]:
    """Find the train and test images of any IDX set in a folder or its subfolder ``raw``.

    They have names such as ``train-images-idx3-ubyte.gz``, with any prefix, in lower or upper case; ``t10k`` and
    ``test`` mean the same.

    Returns:
        The file of train and, if there is one, of test, by split; an empty mapping if there are no IDX files.

    Raises:
        DataError: there are two sets in one folder, there is no train file, or the folder cannot be read.
    """
    for place in filter(is_folder, (folder, folder / "raw")):
        found: dict[str, Path] = {}
        sets: dict[str, str] = {}  # the first file of each, by what its name begins with
        for path in entries(place):
            if (match := _IDX_NAME.fullmatch(path.name)) and not is_folder(path):
                other = found.setdefault("train" if match[2].lower() == "train" else "test", path)
                if _unpacked_name(other) != _unpacked_name(path):
                    raise _several_sets(place, other.name, path.name)
                sets.setdefault(match[1].lower(), path.name)
        if len(sets) > 1:
            raise _several_sets(place, *sets.values())
        if found and "train" not in found:
            only = shown(found["test"].name)
            raise DataError(f"{shown(place)} has no train-images file, only {only}. Add or rename it.")
        if found:
            return {split: found[split] for split in ("train", "test") if split in found}
    return {}


def _several_sets(folder: Path, one: str, other: str) -> DataError:
    return DataError(
        f"{shown(folder)} holds several sets: {shown(one)} and {shown(other)}. Put each into a folder of its own; "
        "known sets can stay: name one, and this folder with --data-dir."
    )


def entries(folder: Path) -> list[Path]:
    """List a folder, in order.

    Raises:
        DataError: it cannot be read.
    """
    with input_errors(folder):
        return sorted(folder.iterdir())
