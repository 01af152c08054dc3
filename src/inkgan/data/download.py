"""Downloads that resume after a cut, are checked, and appear whole or not at all."""

from __future__ import annotations

import contextlib
import http.client
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock

from inkgan.data.catalogue import KnownSet, Remote
from inkgan.errors import DataError, in_bytes, reason_of, shown
from inkgan.files import Progress, fsync, output_errors, sha256_of, write_bytes

TIMEOUT = 30.0
"""Seconds without any answer after which a mirror is given up."""

_CHUNK = 1 << 18


class MirrorError(Exception):
    """One mirror did not give the published file; the next one may. Callers of the package never see it."""


def fetch_known(known: KnownSet, root: Path, progress: Progress | None = None) -> Path:
    """Download a known set below a folder, in torchvision's layout.

    Files that are there already are kept, and a download that was cut goes on where it ended. Processes that
    want the same files at the same time wait for one another.

    Args:
        known: the set.
        root: the folder, such as the cache.
        progress: told how far each file is.

    Returns:
        The folder of the files.

    Raises:
        DataError: no mirror gave the file that was published; it says where to put it by hand.
        OutputError: the folder cannot be written, or the disk is full.
    """
    folder = root / known.folders[0]
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock"):
            for remote in known.remotes:
                if not (folder / remote.name).exists():
                    _from_a_mirror(known, remote, folder, progress)
            if known.member is not None:
                _unpack(folder / known.remotes[0].name, known)
    return folder


def _from_a_mirror(known: KnownSet, remote: Remote, folder: Path, progress: Progress | None) -> None:
    """Download one file of a known set from the first mirror that has it."""
    reasons = []
    for mirror in known.mirrors:
        try:
            return fetch(mirror, remote, folder, progress)
        except MirrorError as error:
            reasons.append(str(error))
    raise DataError(
        f"cannot download {known.title}: {reasons[0][:60]}. Go online, or put the files of "
        f"{min(known.mirrors, key=len)} into {shown(folder)}."
    )


def fetch(mirror: str, remote: Remote, folder: Path, progress: Progress | None = None) -> None:
    """Download one file from one mirror.

    What arrives is kept beside it with ``.part`` at its name's end until it is complete, so that the next attempt,
    now or another day, asks only for the rest. Each attempt must bring at least one byte for another one to follow.

    Args:
        mirror: its address, http or https, which ends with a slash.
        remote: the file; what arrives beyond its size is not read.
        folder: where it shall be.
        progress: told how far it is.

    Raises:
        MirrorError: the mirror did not give this file.
        OSError: it cannot be written.
    """
    partial = folder / f"{remote.name}.part"
    resumed = partial.exists()
    while (have := partial.stat().st_size if partial.exists() else 0) < remote.size:
        try:
            _attempt(mirror, remote, partial, have, progress)
        except MirrorError:
            if not partial.exists() or partial.stat().st_size <= have:
                raise
    if sha256_of(partial) != remote.sha256:
        # What is damaged cannot be continued; if it was begun elsewhere or before, that may be the reason.
        partial.unlink()
        if not resumed:
            raise MirrorError("the file has another SHA-256 than the published one")
        return fetch(mirror, remote, folder, progress)
    fsync(partial)
    partial.replace(folder / remote.name)
    fsync(folder)
    return None


def _attempt(mirror: str, remote: Remote, partial: Path, have: int, progress: Progress | None) -> None:
    """Ask once for what a file lacks behind its first ``have`` bytes, and append it.

    Raises:
        MirrorError: it ended before the file was complete.
    """
    headers = {"User-Agent": "inkgan"} | ({"Range": f"bytes={have}-"} if have else {})
    request = urllib.request.Request(mirror + remote.name, headers=headers)  # noqa: S310 - from a fixed table
    with _network():
        answer = urllib.request.urlopen(request, timeout=TIMEOUT)  # noqa: S310 - from a fixed table
    with answer:
        if not answer.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            have = 0  # the server sends the whole file: start over
        with partial.open("ab" if have else "wb") as file:
            while have < remote.size:
                with _network():
                    chunk = answer.read(min(_CHUNK, remote.size - have))
                if not chunk:
                    raise MirrorError(f"it ended after {in_bytes(have)} of {in_bytes(remote.size)}")
                file.write(chunk)
                have += len(chunk)
                if progress is not None:
                    progress(f"downloading {remote.name} ({in_bytes(remote.size)})", have / remote.size)


@contextlib.contextmanager
def _network() -> Iterator[None]:
    """Turn what goes wrong on the way to a mirror into a :class:`MirrorError`."""
    try:
        yield
    except urllib.error.HTTPError as error:
        error.close()
        raise MirrorError(f"the server answered {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        cause = error.reason if isinstance(error, urllib.error.URLError) else error
        text = reason_of(cause) if isinstance(cause, OSError) else type(cause).__name__
        raise MirrorError(f"no connection ({text})") from error


def _unpack(archive: Path, known: KnownSet) -> None:
    """Take the four files of a known set out of its zip archive, each whole or not at all."""
    if sha256_of(archive) != known.remotes[0].sha256:
        raise DataError(f"{shown(archive)} is damaged or not the archive of {known.title}. Delete it, then try again.")
    with zipfile.ZipFile(archive) as opened:
        for name in known.files:
            write_bytes(archive.with_name(f"{name}.gz"), opened.read(f"{known.member}/{name}.gz"))
