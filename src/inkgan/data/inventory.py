"""What data sets there are, and whether their files are what they should be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from inkgan.data import idx
from inkgan.data.catalogue import KNOWN, KnownSet, find
from inkgan.data.loading import entries, idx_pairs, load, read_known
from inkgan.data.locate import expanded, is_folder, known_files, locate, locate_or_download, published
from inkgan.data.sets import DataSet, size_text
from inkgan.errors import DataError, in_bytes, shown
from inkgan.files import Progress

_MOST_LOOKED_AT = 100_000


@dataclass(frozen=True)
class Entry:
    """A line of the list of data sets.

    Attributes:
        name: what ``--data`` takes.
        images: how many there are in all; None if that is not known without reading them.
        size: of every image, such as ``"28x28x1"``; empty if not known.
        classes: how many there are; None if not known, 0 without labels.
        where: the folder or file, or that it can be downloaded, for people.
        here: whether it can be used without the network.
    """

    name: str
    images: int | None
    size: str
    classes: int | None
    where: str
    here: bool = True


def inventory(directory: Path | None = None) -> list[Entry]:
    """List the known sets, and the other sets directly below a data folder. Only headers are read.

    Raises:
        DataError: ``directory``, or the folder that the environment names, is not there.
    """
    listed = [_known_entry(known, directory) for known in KNOWN.values()]
    if directory is not None:
        taken = {Path(folder).parts[0] for known in KNOWN.values() for folder in known.folders}
        listed += [
            entry
            for path in entries(expanded(directory))
            if path.name not in taken and not path.name.startswith(".") and (entry := _own_entry(path))
        ]
    return listed


def _known_entry(known: KnownSet, directory: Path | None) -> Entry:
    classes = len(known.class_names)
    place = locate(known, directory)
    if place is None:
        where = f"to download: {in_bytes(sum(remote.size for remote in known.remotes))}"
        return Entry(known.name, known.train + known.test, "28x28x1", classes, where, here=False)
    try:
        images, size = _summary([idx.shape_of(path) for path in known_files(known, place.folder)[::2]])
    except DataError as error:
        return Entry(known.name, None, "", classes, f"cannot be used: {error}", here=False)
    return Entry(known.name, images, size, classes, str(place))


def _own_entry(path: Path) -> Entry | None:
    """A folder of IDX files or of images, or an ``.npz`` file; None if it is none of them."""
    name, size, classes = shown(path.name.removesuffix(".npz")), "", None
    try:
        if path.suffix.lower() == ".npz":
            from inkgan.data.arrays import shape_of  # noqa: PLC0415 - rarely needed

            images, size = _summary([shape_of(path)])
        elif pairs := idx_pairs(path):
            images, size = _summary([idx.shape_of(images) for images, _ in pairs])
            classes = None if pairs[0][1] else 0
        elif is_folder(path):
            from inkgan.data.folder import count_files  # noqa: PLC0415 - loads Pillow

            images, classes = count_files(path, _MOST_LOOKED_AT)
        else:
            return None
    except DataError as error:
        return Entry(name, None, "", None, f"cannot be used: {error}", here=False)
    return Entry(name, images, size, classes, shown(path)) if images else None


def _summary(shapes: Sequence[tuple[int, ...]]) -> tuple[int, str]:
    """The number of all images, and the size of each, from the shapes of arrays of images."""
    shape = shapes[0]
    if len(shape) not in (3, 4):
        raise DataError(f"numbers of shape {size_text(shape)} are no images.")
    return sum(one[0] for one in shapes), size_text((*shape[1:], 1)[:3])


@dataclass(frozen=True)
class Report:
    """What checking a data set found.

    Attributes:
        data: the set, read completely.
        files: for each file of a known set, its path and how it was verified.
    """

    data: DataSet
    files: tuple[tuple[Path, str], ...] = ()


def check(name: str, directory: Path | None = None, progress: Progress | None = None) -> Report:
    """Read a data set completely and compare the files of a known one with what was published.

    Args:
        name: a name or path, as :func:`inkgan.data.load` takes it.
        directory: the folder that ``--data-dir`` names.
        progress: told how far a download is.

    Raises:
        DataError: a file is missing, damaged, or not the published one.
        OutputError: a download cannot be written.
    """
    known = find(name)
    if known is None:
        return Report(load(name, directory))
    place = locate_or_download(known, directory, progress)
    data = read_known(known, place)
    files = []
    for path in known_files(known, place.folder):
        verdict = published(known, path)
        if verdict is False:
            raise DataError(f"{shown(path)} is not the published file: it has another SHA-256. Get it afresh.")
        files.append((path, "SHA-256 as published" if verdict else "readable; no checksum is published for this form"))
    given = (len(data.train) + len(data.validation), len(data.test))
    if given != (known.train, known.test):
        wanted = f"{known.title} has {known.train} and {known.test}"
        raise DataError(f"{shown(place.folder)}: {given[0]} train and {given[1]} test images; {wanted}. Get it afresh.")
    return Report(data, tuple(files))
