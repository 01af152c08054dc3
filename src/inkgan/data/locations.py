"""Where the files of the known sets are on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from inkgan.data import idx
from inkgan.data.known_sets import KNOWN, KnownSet
from inkgan.errors import DataError, OutputError, reason_of, shown
from inkgan.files import Progress, cache_folder, expanded, is_folder, no_progress

#: The environment variable that names a data folder.
ENVIRONMENT = "INKGAN_DATA"
#: The folder in which this package keeps MNIST.
EMBEDDED = Path(__file__).parent


def locate_or_download(known: KnownSet, directory: Path | None, progress: Progress = no_progress) -> Path:
    """Return the folder of a known set; download it into the cache if it is not on this machine.

    Raises:
        DataError: it is nowhere, and cannot be downloaded.
        OutputError: a download cannot be written.
    """
    folder = locate(known, directory)
    if folder is None:
        from inkgan.data.download import fetch_known  # noqa: PLC0415 - needs pooch, an optional library

        folder = fetch_known(known, cache_folder(), progress)
    return folder


def locate(known: KnownSet, directory: Path | None) -> Path | None:
    """Find a known set on this machine: below a data folder, in this package, or among the downloads.

    A data folder counts if it holds any of the set's files. Three sets share their file names. For files that lie
    directly in a data folder, the checksum of the labels, if it is known, tells these sets apart.
    """
    for root in _named_folders(directory):
        for folder in (*(root / below for below in known.folders), root):
            there = any(find_file(folder, name) for name in known.files)
            if there and (folder != root or identified(folder) in (known, None)):
                return folder
    if (EMBEDDED / known.name).is_dir():
        return EMBEDDED / known.name
    try:
        downloaded = cache_folder() / known.folders[0]
        whole = all(find_file(downloaded, name) for name in known.files)
    except (DataError, OutputError):
        return None  # the user did not name the cache, so a cache that cannot be read is not an error yet
    return downloaded if whole else None


def identified(folder: Path) -> KnownSet | None:
    """Return the known set whose train labels lie in a folder, by their checksum, or None."""
    for known in KNOWN.values():
        path = find_file(folder, known.files[1])
        if path is not None and is_published(known, path):
            return known
    return None


def is_published(known: KnownSet, path: Path) -> bool | None:
    """Whether a file of a known set is the published one; None if no checksum is published for this form of it.

    Raises:
        DataError: it cannot be read or is damaged.
    """
    content = dict(zip(known.files, known.sha256, strict=False)).get(path.name.removesuffix(".gz"))
    if content is not None:
        return idx.sha256(path, unpack=True) == content
    as_downloaded = {remote.name: remote.sha256 for remote in known.remotes}.get(path.name)
    return None if as_downloaded is None else idx.sha256(path, unpack=False) == as_downloaded


def known_files(known: KnownSet, folder: Path) -> list[Path]:
    """Return the four files of a known set in a folder.

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


def find_file(folder: Path, name: str) -> Path | None:
    """Return the file called ``name`` in a folder, compressed or not, or None.

    Raises:
        DataError: the folder cannot be read.
    """
    for candidate in (folder / name, folder / f"{name}.gz"):
        try:
            if candidate.exists():
                return candidate
        except OSError as error:
            raise DataError(f"cannot read {shown(candidate)}: {reason_of(error)}. Check its permissions.") from error
    return None


def _named_folders(directory: Path | None) -> Iterator[Path]:
    """Yield the data folders that the user named: the given one, and ``$INKGAN_DATA``.

    Raises:
        DataError: one of them is not there.
    """
    if directory is not None:
        yield named_folder(directory, "--data-dir")
    if named := os.environ.get(ENVIRONMENT):
        yield named_folder(Path(named), f"${ENVIRONMENT}")


def named_folder(path: Path, option: str) -> Path:
    """Return a folder that the user named with an option or an environment variable.

    Raises:
        DataError: it is not there.
    """
    path = expanded(path)
    if not is_folder(path):
        raise DataError(f"{option} {shown(path)} is not a folder. Name the folder that holds the data sets.")
    return path


def described(folder: Path) -> str:
    """Describe the folder of a known set for a user."""
    return f"embedded in inkgan ({shown(folder)})" if folder.parent == EMBEDDED else shown(folder)
