"""Where the known data sets lie on this machine."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from inkgan.data import idx
from inkgan.data.catalogue import KNOWN, KnownSet
from inkgan.errors import DataError, reason_of, shown
from inkgan.files import Progress

ENVIRONMENT = "INKGAN_DATA"
"""The environment variable that names a data folder."""

DEBIAN = Path("/usr/share/datasets")
"""Where Debian's packages of data sets, such as dataset-fashion-mnist, install them."""

EMBEDDED = Path(__file__).parent
"""Where this package keeps MNIST."""

DOWNLOADED = "downloaded"

_MOST_LABEL_BYTES = 2**20


@dataclass(frozen=True)
class Place:
    """Where a known set was found.

    Attributes:
        folder: the folder of its files.
        why: why it was looked in, for people; empty when its path says enough.
    """

    folder: Path
    why: str = ""

    def __str__(self) -> str:
        return f"{self.why} ({shown(self.folder)})" if self.why else shown(self.folder)


def cache() -> Path:
    """Where downloads are kept: ``$XDG_CACHE_HOME/inkgan``, by default ``~/.cache/inkgan``.

    As the XDG specification demands, a value that is not an absolute path is ignored.
    """
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if given.is_absolute():
        return given / "inkgan"
    try:
        return Path.home() / ".cache" / "inkgan"
    except RuntimeError as error:
        raise DataError("no home folder is known to keep downloads in. Set XDG_CACHE_HOME to a folder.") from error


def expanded(path: Path | str) -> Path:
    """A path with ``~`` replaced by the home folder, if there is one."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - Path.expanduser raises an error for an unknown user


def is_folder(path: Path) -> bool:
    """Whether a path is a folder; a path that the system cannot even ask about is none."""
    return os.path.isdir(path)  # noqa: PTH112 - Path.is_dir raises an error for a name that is too long


def named_folder(path: Path, option: str) -> Path:
    """A folder that the user named by an option.

    Raises:
        DataError: it is not there.
    """
    path = expanded(path)
    if not is_folder(path):
        raise DataError(f"{option} {shown(path)} is not a folder. Name the folder that holds the data sets.")
    return path


def _roots(directory: Path | None) -> Iterator[Place]:
    """The folders to look in, in order: the given one, ``$INKGAN_DATA``, the cache, Debian's, this package's.

    Raises:
        DataError: a folder that was named, by an argument or the environment, is not there.
    """
    if directory is not None:
        yield Place(named_folder(directory, "--data-dir"))
    if named := os.environ.get(ENVIRONMENT):
        yield Place(named_folder(Path(named), f"${ENVIRONMENT}"))
    with contextlib.suppress(DataError):  # without a home there are no downloads
        yield Place(cache(), DOWNLOADED)
    yield Place(DEBIAN, "Debian's package")
    yield Place(EMBEDDED, "embedded in inkgan")


def locate(known: KnownSet, directory: Path | None) -> Place | None:
    """Find a known set on this machine; the first folder that holds any of its files counts.

    Three sets share their file names, so that a plain folder does not tell them apart by name. Where the
    files lie directly in a data folder, the labels' checksum decides, if it is one that is known.
    """
    for root in _roots(directory):
        for folder in (*(root.folder / below for below in known.folders), root.folder):
            try:
                there = [name for name in known.files if find_file(folder, name)]
            except DataError:
                if root.why == DOWNLOADED:
                    continue  # nobody named the cache, so that it cannot be read is no reason to give up
                raise
            # A part of a set in the cache is a download that was cut: downloading goes on with it.
            if not there or (root.why == DOWNLOADED and len(there) < len(known.files)):
                continue
            if folder == root.folder and identified(folder) not in (known, None):
                continue
            return Place(folder, root.why)
    return None


def locate_or_download(known: KnownSet, directory: Path | None, progress: Progress | None = None) -> Place:
    """Find a known set on this machine, or download it into the cache.

    Raises:
        DataError: it is nowhere, and cannot be downloaded.
        OutputError: a download cannot be written.
    """
    place = locate(known, directory)
    if place is None:
        from inkgan.data.download import fetch_known  # noqa: PLC0415 - loads urllib

        place = Place(fetch_known(known, cache(), progress), DOWNLOADED)
    return place


def find_file(folder: Path, name: str) -> Path | None:
    """The file of a name in a folder, compressed or not, or None.

    Raises:
        DataError: the folder cannot be read.
    """
    for candidate in (folder / name, folder / f"{name}.gz"):
        try:
            if candidate.exists():
                return candidate
        except OSError as error:
            raise DataError(f"cannot read {shown(candidate)}: {reason_of(error)}. Check its rights.") from error
    return None


def known_files(known: KnownSet, folder: Path) -> list[Path]:
    """The four files of a known set in a folder.

    Raises:
        DataError: one is not there.
    """
    paths = []
    for name in known.files:
        path = find_file(folder, name)
        if path is None:
            raise DataError(f"{shown(folder)} holds a part of {known.title}: {name}[.gz] is missing. Put it there.")
        paths.append(path)
    return paths


def published(known: KnownSet, path: Path) -> bool | None:
    """Whether a file of a known set is the published one; None if no checksum is published for this form of it.

    Raises:
        DataError: it cannot be read or is damaged.
    """
    content = dict(zip(known.files, known.sha256, strict=False)).get(path.name.removesuffix(".gz"))
    if content is not None:
        return idx.sha256(path, unpack=True) == content
    as_downloaded = {remote.name: remote.sha256 for remote in known.remotes}.get(path.name)
    return None if as_downloaded is None else idx.sha256(path, unpack=False) == as_downloaded


def identified(folder: Path) -> KnownSet | None:
    """The known set whose train labels lie in a folder, by their checksum, or None."""
    for known in KNOWN.values():
        path = find_file(folder, known.files[1])
        with contextlib.suppress(DataError):  # what is damaged is told when it is read
            if path is not None and path.stat().st_size <= _MOST_LABEL_BYTES and published(known, path):
                return known
    return None
