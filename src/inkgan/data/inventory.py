"""What data sets there are, and whether their files are what they should be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from inkgan.data import idx
from inkgan.data.catalogue import KNOWN, KnownSet, find
from inkgan.data.loading import load, place_of
from inkgan.data.locate import (
    Place,
    entries,
    file_sha256,
    idx_images,
    is_folder,
    known_files,
    labels_of,
    locate,
    read_known,
)
from inkgan.data.sets import DataSet
from inkgan.data.wording import in_bytes, shown
from inkgan.errors import DataError

if TYPE_CHECKING:
    from inkgan.data.download import Progress

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
    here: bool


def inventory(directory: Path | None = None) -> list[Entry]:
    """List the known sets, and the other sets directly below a data folder. Only headers are read.

    Raises:
        DataError: ``directory``, or the folder that the environment names, is not there.
    """
    known = [_known_entry(one, locate(one, directory)) for one in KNOWN.values()]
    return known + ([] if directory is None else _own_entries(directory.expanduser()))


def _known_entry(known: KnownSet, place: Place | None) -> Entry:
    classes = len(known.class_names)
    if place is None:
        size = in_bytes(known.download_size)
        where = f"to download: {size}" if known.remotes else "missing"
        return Entry(known.name, known.train + known.test, "28x28x1", classes, where, here=False)
    try:
        paths = known_files(known, place.folder)
        headers = [idx.read_header(path) for path in (paths[0], paths[2])]
    except DataError as error:
        return Entry(known.name, None, "", classes, f"cannot be used: {error}", here=False)
    images = sum(header.shape[0] for header in headers)
    return Entry(known.name, images, _size(headers[0].shape), classes, place.source, here=True)


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(str(side) for side in (*shape[1:], *((1,) if len(shape) == 3 else ())))


def _own_entries(directory: Path) -> list[Entry]:
    """The sets directly below a folder that are not known by name."""
    taken = {Path(folder).parts[0] for known in KNOWN.values() for folder in known.folders}
    found = []
    for path in sorted(entries(directory)):
        if path.name in taken or path.name.startswith("."):
            continue
        entry = _folder_entry(path) if is_folder(path) else _npz_entry(path)
        if entry is not None:
            found.append(entry)
    return found


def _npz_entry(path: Path) -> Entry | None:
    from inkgan.data.arrays import npz_shape  # noqa: PLC0415 - rarely needed

    if path.suffix.lower() != ".npz":
        return None
    shape = npz_shape(path)
    name = shown(path.name.removesuffix(".npz"))
    if shape is None or len(shape) not in (3, 4):
        return Entry(name, None, "", None, f"cannot be used: {shown(path)}", here=False)
    return Entry(name, shape[0], _size(shape), None, shown(path), here=True)


def _folder_entry(path: Path) -> Entry | None:
    """A folder of IDX files or of images; None if it holds neither."""
    name = shown(path.name)
    try:
        for folder in (path, path / "raw"):
            if is_folder(folder) and (files := idx_images(folder)):
                headers = [idx.read_header(file) for file in files.values()]
                images = sum(header.shape[0] for header in headers)
                classes = None if labels_of(next(iter(files.values()))) else 0
                return Entry(name, images, _size(headers[0].shape), classes, shown(path), here=True)
    except DataError as error:
        return Entry(name, None, "", None, f"cannot be used: {error}", here=False)
    from inkgan.data.folder import count_files  # noqa: PLC0415 - loads Pillow

    images, classes = count_files(path, _MOST_LOOKED_AT)
    return Entry(name, images, "", classes, shown(path), here=True) if images else None


@dataclass(frozen=True)
class Report:
    """What checking a data set found.

    Attributes:
        data: the set, read completely.
        files: for each file of a known set, its path and how it was verified.
    """

    data: DataSet
    files: tuple[tuple[Path, str], ...]


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
        return Report(load(name, directory), ())
    place = place_of(known, directory, progress=progress)
    paths = known_files(known, place.folder)
    files = tuple((path, _verified(known, path)) for path in paths)
    data = read_known(known, place)
    given = (len(data.train) + len(data.validation), len(data.test))
    if given != (known.train, known.test):
        raise DataError(
            f"{shown(place.folder)}: {given[0]} train and {given[1]} test images; {known.title} has "
            f"{known.train} and {known.test}. Delete the files to get them afresh."
        )
    return Report(data, files)


def _verified(known: KnownSet, path: Path) -> str:
    """How a file of a known set was found to be the published one.

    Raises:
        DataError: it is not.
    """
    plain = path.name.removesuffix(".gz")
    wanted = known.sha256.get(plain)
    given = idx.sha256_of_content(path)  # reads all of it, so that damage shows even without a checksum
    if wanted is None:
        wanted = next((remote.sha256 for remote in known.remotes if remote.name == path.name), None)
        if wanted is None:
            return "readable; no published checksum for this form of it"
        given = file_sha256(path)
    if given != wanted:
        raise DataError(
            f"{shown(path)} is not the published file: its SHA-256 is {given[:12]}…, published is "
            f"{wanted[:12]}…. Delete it, then get it afresh."
        )
    return "SHA-256 as published"
