"""Downloads of known data sets: checked, and whole or absent."""

from __future__ import annotations

import contextlib
import zipfile
from pathlib import Path

import pooch  # type: ignore[import-untyped]
import requests

from inkgan.data.known_sets import KnownSet, Remote
from inkgan.errors import DataError, in_bytes, shown
from inkgan.files import (
    CACHE_ADVICE,
    Progress,
    atomic_write,
    no_progress,
    one_at_a_time,
    output_errors,
    sha256_of,
    write_bytes,
)

#: Seconds without a connection, and without any answer, after which the next mirror is tried.
TIMEOUT = (10.0, 30.0)
_CHUNK = 1 << 18


class MirrorError(Exception):
    """One mirror did not give the published file; the next one may. Callers of the package never see it."""


def fetch_known(known: KnownSet, root: Path, progress: Progress = no_progress) -> Path:
    """Download a known set below a folder, in torchvision's layout.

    Files that are there already are kept. Processes that want the same files at the same time wait for one another.

    Args:
        known: the set.
        root: the folder, such as the cache.
        progress: receives how far each file is.

    Returns:
        The folder of the files.

    Raises:
        DataError: no mirror gave the published file; the message says where to put it by hand.
        OutputError: the folder cannot be written, or the disk is full.
    """
    folder = root / known.folders[0]
    with output_errors(folder, CACHE_ADVICE):
        folder.mkdir(parents=True, exist_ok=True)
        with one_at_a_time(folder):
            for remote in known.remotes:
                if not (folder / remote.name).exists():
                    _from_a_mirror(known, remote, folder, progress)
            if known.member is not None:
                _unpack(folder / known.remotes[0].name, known)
    return folder


def _from_a_mirror(known: KnownSet, remote: Remote, folder: Path, progress: Progress) -> None:
    """Download one file of a known set from the first mirror that has it."""
    reasons = []
    for mirror in known.mirrors:
        try:
            return fetch(mirror, remote, folder, progress)
        except MirrorError as error:
            reasons.append(str(error))
    source = f"Debian's package {known.debian}" if known.debian else min(known.mirrors, key=len)
    by_hand = f"put the files of {source} into {shown(folder)}"
    raise DataError(f"cannot download {known.name}: {reasons[0][:60]}. Go online, or {by_hand}.")


def fetch(mirror: str, remote: Remote, folder: Path, progress: Progress = no_progress) -> None:
    """Download one file from one mirror.

    Args:
        mirror: its address, http or https, which ends with a slash.
        remote: the file; an answer longer than its size is cut off.
        folder: where it belongs.
        progress: receives reports of the progress.

    Raises:
        MirrorError: the mirror did not give this file.
        OutputError: it cannot be written.
    """
    with contextlib.ExitStack() as answers, atomic_write(folder / remote.name) as temporary:
        get = pooch.HTTPDownloader(
            _Bar(remote, progress),
            chunk_size=_CHUNK,
            timeout=TIMEOUT,
            headers={"Accept-Encoding": "identity"},  # else a server may compress the file once more
            hooks={"response": lambda answer, **_: answers.push(answer)},  # closed even if it is cut off
        )
        try:
            get(mirror + remote.name, temporary, None)
        except requests.HTTPError as error:
            answer = error.response
            raise MirrorError(f"the server answered {answer.status_code} {answer.reason}") from error  # type: ignore[union-attr]
        except requests.RequestException as error:
            raise MirrorError(f"no connection ({type(error).__name__})") from error
        if sha256_of(temporary) != remote.sha256:
            raise MirrorError("the file has another SHA-256 than the published one")


class _Bar:
    """A progress bar for pooch that passes on the progress of a download."""

    total = 0

    def __init__(self, remote: Remote, progress: Progress) -> None:
        self._remote = remote
        self._progress = progress
        self._received = 0

    def update(self, count: int) -> None:
        """Count up to ``count`` more received bytes; the last chunk may have fewer."""
        self._received += count
        if self._received > self._remote.size + _CHUNK:
            raise MirrorError("the file is larger than the published one")
        doing = f"downloading {self._remote.name} ({in_bytes(self._remote.size)})"
        self._progress(doing, min(1.0, self._received / self._remote.size))

    def reset(self) -> None:
        """Count from 0 again."""
        self._received = 0

    def close(self) -> None:
        """Do nothing."""


def _unpack(archive: Path, known: KnownSet) -> None:
    """Take the four files of a known set out of its zip archive, each whole or not at all."""
    if sha256_of(archive) != known.remotes[0].sha256:
        raise DataError(f"{shown(archive)} is damaged or not the archive of {known.name}. Delete it, then try again.")
    with zipfile.ZipFile(archive) as opened:
        for name in known.files:
            write_bytes(archive.with_name(f"{name}.gz"), opened.read(f"{known.member}/{name}.gz"))
