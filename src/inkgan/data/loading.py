"""From the name or the path of a data set to the data set."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np

from inkgan.data import idx, locate
from inkgan.data.catalogue import KnownSet, find, unknown
from inkgan.data.sets import DataSet, Split, first_twelfth, hold_out, make
from inkgan.errors import DataError, reason_of, shown
from inkgan.files import Progress

Pair = tuple[Path, Path | None]
"""An IDX file of images, and the file of their labels if there is one."""

_IDX_NAME = re.compile(r"(.*?)(train|t10k|test)[-_.]images([-_.]idx\d[-_.]\w+)?(\.gz)?")


def load(name: str = "mnist", directory: Path | None = None, *, progress: Progress | None = None) -> DataSet:
    """Read a data set by its name or path.

    A known name is looked for in ``directory``, the folder that ``$INKGAN_DATA`` names, the cache, Debian's
    folder and this package, in this order; if it is in none of them, it is downloaded into the cache. Any
    other name is looked for in ``directory`` and then taken as a path.

    Args:
        name: the name of a known set, such as ``"mnist"`` or ``"emnist-letters"``, or the path of a folder of
            images, a folder of IDX files, or an ``.npz`` file. A path with a ``/`` is never taken for a name.
        directory: the folder that ``--data-dir`` names, laid out as torchvision's or plain.
        progress: told how far a download is.

    Returns:
        The set, with train, validation and test splits.

    Raises:
        DataError: there is no such set, or its files are missing, damaged or of another kind.
        OutputError: a download cannot be written.
    """
    known = find(name)
    if known is not None:
        return read_known(known, locate.locate_or_download(known, directory, progress))
    places = [locate.expanded(name)]
    if directory is not None:
        directory = locate.named_folder(directory, "--data-dir")
        places = [directory / name, directory / f"{name}.npz", *places]
    for path in places:
        if name and os.path.exists(path):  # noqa: PTH110 - Path.exists raises an error for a name that is too long
            return read_path(path)
    if "/" in name or name.endswith(".npz"):
        raise DataError(f"{shown(name)} does not exist. Give the path of a folder or of an .npz file.")
    raise unknown(name)


def read_path(path: Path) -> DataSet:
    """Read a user's own folder of images, folder of IDX files, or ``.npz`` file.

    The IDX files of a known set, told by the checksum of its labels, are read as this set. Of others, the first
    twelfth of the train file is for validation, as for the known sets; without a test file, a tenth each is held
    out for validation and test.

    Raises:
        DataError: it cannot be used.
    """
    name, source = shown(path.absolute().name.removesuffix(".npz") or "images"), shown(path)
    if locate.is_folder(path):
        if pairs := idx_pairs(path):
            folder = pairs[0][0].parent
            known = locate.identified(folder)
            if known is not None and locate.find_file(folder, known.files[0]) == pairs[0][0]:
                return read_known(known, locate.Place(folder))
            train, *test = [_read_pair(*pair) for pair in pairs]
            splits = [*first_twelfth(train, source), *test] if test else hold_out(train, 2, source)
            return make(name, splits, None, shown(folder))
        from inkgan.data.folder import read_image_folder  # noqa: PLC0415 - loads Pillow

        return read_image_folder(path, name)
    if path.suffix.lower() == ".npz":
        from inkgan.data.arrays import read_npz  # noqa: PLC0415 - rarely needed

        return read_npz(path, name)
    raise DataError(f"{source} is a single file. Give a folder of images, a folder of IDX files, or an .npz file.")


def read_known(known: KnownSet, place: locate.Place) -> DataSet:
    """Read a known set from the folder where it was found.

    Raises:
        DataError: a file is missing, damaged, or not of this set's kind.
    """
    paths = locate.known_files(known, place.folder)
    splits = []
    for images, labels in (paths[:2], paths[2:]):
        pixels = idx.read_images(images)
        numbers = idx.read_labels(labels, len(pixels)) - known.first_label
        splits.append(Split(np.ascontiguousarray(pixels.swapaxes(1, 2)) if known.transposed else pixels, numbers))
    return make(known.name, [*first_twelfth(splits[0], shown(paths[0])), splits[1]], known.class_names, str(place))


def _read_pair(images_path: Path, labels_path: Path | None) -> Split:
    images = idx.read_images(images_path)
    return Split(images, None if labels_path is None else idx.read_labels(labels_path, len(images)))


def idx_pairs(folder: Path) -> list[Pair]:
    """The train and test files of the IDX set that lies in a folder or its folder ``raw``, whatever set it is.

    They are known by names such as ``train-images-idx3-ubyte.gz``, with any prefix; ``t10k`` and ``test``
    are the same.

    Returns:
        Train and, if there are files for it, test; nothing if there are no IDX files.

    Raises:
        DataError: there are two sets in one folder, there is no train file, or the folder cannot be read.
    """
    for place in filter(locate.is_folder, (folder, folder / "raw")):
        found: dict[str, Path] = {}
        for path in entries(place):
            if (match := _IDX_NAME.fullmatch(path.name)) and not locate.is_folder(path):
                other = found.setdefault("train" if match[2] == "train" else "test", path)
                if other.name.removesuffix(".gz") != path.name.removesuffix(".gz"):
                    both = f"{shown(other.name)} and {shown(path.name)}"
                    raise DataError(f"{shown(place)} holds several sets: {both}. Put each into a folder of its own.")
        if found and "train" not in found:
            only = shown(found["test"].name)
            raise DataError(f"{shown(place)} has no train-images file, only {only}. Add or rename it.")
        if found:
            return [(found[split], _labels_of(found[split])) for split in ("train", "test") if split in found]
    return []


def _labels_of(images: Path) -> Path | None:
    """The IDX file of labels beside a file of images, or None."""
    prefix, _, form = images.name.removesuffix(".gz").rpartition("images")
    return locate.find_file(images.parent, f"{prefix}labels{re.sub('idx[0-9]', 'idx1', form)}")


def entries(folder: Path) -> list[Path]:
    """What lies in a folder, in order.

    Raises:
        DataError: it cannot be read.
    """
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise DataError(f"cannot read {shown(folder)}: {reason_of(error)}. Check its rights.") from error
