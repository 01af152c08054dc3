"""Where data sets lie on this machine, and how IDX files found there become a data set."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inkgan.data import idx
from inkgan.data.catalogue import KNOWN, KnownSet
from inkgan.data.sets import DataSet, Split, first_twelfth, hold_out, make
from inkgan.data.wording import reason_of, shown
from inkgan.errors import DataError
from inkgan.files import sha256_of

ENVIRONMENT = "INKGAN_DATA"
"""The environment variable that names a data folder."""

DEBIAN = Path("/usr/share/datasets")
"""Where Debian's packages of data sets, such as dataset-fashion-mnist, install them."""

EMBEDDED = Path(__file__).parent
"""Where this package keeps MNIST."""


DOWNLOADED = "downloaded"


@dataclass(frozen=True)
class Root:
    """A folder that data sets are looked for in.

    Attributes:
        path: the folder.
        why: a name for it, for people; empty when its path says enough.
    """

    path: Path
    why: str = ""


def cache() -> Path:
    """Where downloads are kept: ``$XDG_CACHE_HOME/inkgan``, by default ``~/.cache/inkgan``.

    As the XDG specification demands, a value that is not an absolute path is ignored.
    """
    given = os.environ.get("XDG_CACHE_HOME", "")
    if given and Path(given).is_absolute():
        return Path(given) / "inkgan"
    try:
        return Path.home() / ".cache" / "inkgan"
    except RuntimeError as error:
        raise DataError("no home folder is known to keep downloads in. Set XDG_CACHE_HOME to a folder.") from error


def roots(directory: Path | None) -> Iterator[Root]:
    """The folders to look in, in order: the given one, ``$INKGAN_DATA``, the cache, Debian's, this package's.

    Raises:
        DataError: a folder that was named, by an argument or the environment, is not there.
    """
    if directory is not None:
        yield Root(_folder(directory, "--data-dir"))
    if named := os.environ.get(ENVIRONMENT):
        yield Root(_folder(Path(named), f"${ENVIRONMENT}"))
    yield Root(cache(), DOWNLOADED)
    yield Root(DEBIAN, "Debian's package")
    yield Root(EMBEDDED, "embedded in inkgan")


def _folder(path: Path, option: str) -> Path:
    path = path.expanduser()
    if not is_folder(path):
        raise DataError(f"{option} {shown(path)} is not a folder. Name the folder that holds the data sets.")
    return path


def is_folder(path: Path) -> bool:
    """Whether a path is a folder; a path that the system cannot even ask about is none."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def find_file(folder: Path, name: str) -> Path | None:
    """The file of a name in a folder, compressed or not, or None."""
    for candidate in (folder / name, folder / f"{name}.gz"):
        try:
            if candidate.exists():
                return candidate
        except OSError as error:
            raise DataError(f"cannot read {shown(candidate)}: {reason_of(error)}. Check its rights.") from error
    return None


@dataclass(frozen=True)
class Place:
    """Where a known set was found.

    Attributes:
        folder: the folder of its files.
        source: the folder, and why it was looked in, for people.
    """

    folder: Path
    source: str


def locate(known: KnownSet, directory: Path | None) -> Place | None:
    """Find a known set on this machine; the first folder that holds any of its files counts.

    Three sets share their file names, so that a plain folder does not tell them apart by name. Where the
    files lie directly in a data folder, the labels' checksum decides, if it is one that is known.
    """
    for root in roots(directory):
        for folder in (*(root.path / below for below in known.folders), root.path):
            there = [name for name in known.files if find_file(folder, name)]
            # A part of a set in the cache is a download that was cut: downloading goes on with it.
            if not there or (root.why == DOWNLOADED and len(there) < len(known.files)):
                continue
            if folder == root.path and identified(folder) not in (known.name, None):
                continue
            return Place(folder, f"{root.why} ({shown(folder)})" if root.why else shown(folder))
    return None


def identified(folder: Path) -> str | None:
    """The name of the known set whose train labels lie in a folder, by their checksum, or None."""
    for known in KNOWN.values():
        path = find_file(folder, known.files[1])
        if path is None or path.stat().st_size > 2**20:
            continue
        content = known.sha256.get(known.files[1])
        as_downloaded = {remote.sha256 for remote in known.remotes if remote.name == path.name}
        try:
            if (content and idx.sha256_of_content(path) == content) or file_sha256(path) in as_downloaded:
                return known.name
        except DataError:
            return None
    return None


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file as it lies on the disk.

    Raises:
        DataError: it cannot be read.
    """
    try:
        return sha256_of(path)
    except OSError as error:
        raise DataError(f"cannot read {shown(path)}: {reason_of(error)}. Check its rights.") from error


def known_files(known: KnownSet, folder: Path) -> list[Path]:
    """The four files of a known set in a folder.

    Raises:
        DataError: one is not there.
    """
    paths = []
    for name in known.files:
        path = find_file(folder, name)
        if path is None:
            raise DataError(
                f"{shown(folder)} holds only a part of {known.title}: {name}[.gz] is missing. Put it there."
            )
        paths.append(path)
    return paths


def read_known(known: KnownSet, place: Place) -> DataSet:
    """Read a known set from the folder where it was found.

    Raises:
        DataError: a file is missing, damaged, or not of this set's kind.
    """
    paths = known_files(known, place.folder)
    train, test = (_pair(images, labels, known) for images, labels in (paths[:2], paths[2:]))
    train, validation = first_twelfth(train, shown(paths[0]))
    return make(known.name, [train, validation, test], known.class_names, place.source)


def _pair(images_path: Path, labels_path: Path | None, known: KnownSet | None = None) -> Split:
    """Read a file of images and the file of their labels."""
    images = idx.read_images(images_path)
    labels = None if labels_path is None else idx.read_labels(labels_path, len(images))
    if known is not None and known.transposed:
        images = np.ascontiguousarray(images.swapaxes(1, 2))
    if known is not None and labels is not None:
        labels -= known.first_label
    return Split(images, labels)


_IDX_NAME = re.compile(r"^(.*?)(train|t10k|test)([-_.]images)([-_.]idx\d[-_.]\w+)?(\.gz)?$")


def idx_images(folder: Path) -> dict[str, Path]:
    """The IDX files of images in a folder by ``"train"`` and ``"test"``, whatever set they are of.

    They are known by names such as ``train-images-idx3-ubyte.gz``, with any prefix; ``t10k`` and ``test``
    are the same.

    Raises:
        DataError: there are two sets in one folder, or the folder cannot be read.
    """
    found: dict[str, Path] = {}
    for path in sorted(entries(folder)):
        if match := _IDX_NAME.match(path.name):
            split = "train" if match[2] == "train" else "test"
            other = found.setdefault(split, path)
            if other.name.removesuffix(".gz") != path.name.removesuffix(".gz"):
                raise DataError(
                    f"{shown(folder)} holds several sets: {shown(other.name)} and {shown(path.name)}. Put "
                    "each into a folder of its own."
                )
    return found


def entries(folder: Path) -> list[Path]:
    """What lies in a folder.

    Raises:
        DataError: it cannot be read.
    """
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise DataError(f"cannot read {shown(folder)}: {reason_of(error)}. Check its rights.") from error


def labels_of(images: Path) -> Path | None:
    """The IDX file of labels beside a file of images, or None."""
    match = _IDX_NAME.match(images.name)
    if match is None:
        return None
    middle = match[3].replace("images", "labels")
    wanted = re.compile(rf"^{re.escape(match[1] + match[2] + middle)}([-_.]idx1[-_.]\w+)?(\.gz)?$")
    return min((path for path in entries(images.parent) if wanted.match(path.name)), default=None)


def read_idx_folder(folder: Path, files: dict[str, Path], name: str) -> DataSet:
    """Read the IDX files of a user's own set.

    With a test file, the first twelfth of the train file is for validation, as for the known sets; without
    one, a tenth each is held out for validation and test.

    Args:
        folder: where they lie.
        files: as :func:`idx_images` found them.
        name: what to call the set, unless its checksum says that it is a known one.

    Raises:
        DataError: there is no train file, or a file is damaged or of another kind.
    """
    which = identified(folder)
    if which is not None and files["train"].name.removesuffix(".gz") == KNOWN[which].files[0]:
        return read_known(KNOWN[which], Place(folder, shown(folder)))
    if "train" not in files:
        raise DataError(
            f"{shown(folder)} has no train-images file, only {shown(files['test'].name)}. Add or rename it."
        )
    source = shown(folder)
    train = _pair(files["train"], labels_of(files["train"]))
    if "test" not in files:
        return make(name, hold_out(train, 2, source), None, source)
    test = _pair(files["test"], labels_of(files["test"]))
    return make(name, [*first_twelfth(train, source), test], None, source)
