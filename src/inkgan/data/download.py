"""Downloads that resume after a cut, are checked, and appear whole or not at all."""

from __future__ import annotations

import http.client
import re
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from inkgan.data.catalogue import KnownSet, Remote
from inkgan.data.wording import in_bytes, reason_of, shown
from inkgan.errors import DataError
from inkgan.files import fsync, output_errors, sha256_of, write_bytes

Progress = Callable[[str, int, int], None]
"""Called with a file's name, the bytes so far and the bytes in all, now and then during a download."""

TIMEOUT = 30.0
"""Seconds without any answer after which a mirror is given up."""

_CHUNK = 1 << 18
_MEMBER_LIMIT = 2**30


class MirrorError(Exception):
    """One mirror did not give the published file; the next one may. Callers of the package never see it."""


def fetch_known(known: KnownSet, root: Path, progress: Progress | None = None) -> Path:
    """Download a known set below a folder, in torchvision's layout.

    Files that are there already are kept, and a download that was cut goes on where it ended. Processes that
    want the same set at the same time wait for one another.

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
    from filelock import FileLock  # noqa: PLC0415 - only for downloads

    folder = root / known.folders[0]
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{known.name}.lock"):
            for remote in known.remotes:
                _fetch_one(known, remote, folder, progress)
            if known.member is not None:
                _unpack(folder / known.remotes[0].name, known)
    return folder


def _fetch_one(known: KnownSet, remote: Remote, folder: Path, progress: Progress | None) -> None:
    """Download one file of a known set from the first mirror that has it, unless it is there."""
    target = folder / remote.name
    unpacked = known.member is not None and all((folder / f"{name}.gz").exists() for name in known.files)
    if target.exists() or unpacked:
        return
    reasons = []
    for mirror in known.mirrors:
        try:
            fetch(mirror + remote.name, target, size=remote.size, sha256=remote.sha256, progress=progress)
        except MirrorError as error:
            reasons.append(str(error))
        else:
            return
    raise DataError(
        f"cannot download {known.title}: {reasons[0][:60]}. Go online, or put the files of "
        f"{min(known.mirrors, key=len)} into {shown(folder)}."
    )


def fetch(url: str, target: Path, *, size: int, sha256: str, progress: Progress | None = None) -> None:
    """Download one file from one address.

    What arrives is kept in ``target`` + ``.part`` until it is complete, so that the next attempt, now or
    another day, asks only for the rest. Each attempt must bring at least one byte for another one to follow.

    Args:
        url: where it is, http or https.
        target: where it shall be.
        size: its length in bytes; a longer answer is refused while it arrives.
        sha256: of its bytes, in hexadecimal.
        progress: told how far it is.

    Raises:
        MirrorError: the address did not give this file.
        OSError: ``target`` cannot be written.
    """
    partial = target.with_name(f"{target.name}.part")
    while True:
        before = partial.stat().st_size if partial.exists() else 0
        if before > size:
            partial.unlink()
            continue
        reason = "" if before == size else _attempt(url, partial, size, progress)
        after = partial.stat().st_size if partial.exists() else 0
        if after == size:
            break
        if after <= before:
            raise MirrorError(reason or f"it ended after {in_bytes(after)} of {in_bytes(size)}")
    if sha256_of(partial) != sha256:
        # What is damaged cannot be continued: the next attempt starts afresh.
        partial.unlink()
        raise MirrorError("the file has another SHA-256 than the published one")
    fsync(partial)
    partial.replace(target)
    fsync(target.parent)


def _attempt(url: str, partial: Path, size: int, progress: Progress | None) -> str:
    """Ask once for what is missing of a file and append it.

    Returns:
        Why it ended early, or an empty string.
    """
    have = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "inkgan"})  # noqa: S310 - from a fixed table
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT)  # noqa: S310 - from a fixed table
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            partial.unlink()
        return f"the server answered {error.code} {error.reason}"
    except (OSError, http.client.HTTPException) as error:
        return _no_answer(error)
    with answer:
        if have and not _continues(answer, have):
            have = 0  # the server sends the whole file: start over
        return _append(answer, partial, have, size, progress)


def _no_answer(error: OSError | http.client.HTTPException) -> str:
    """Why a server could not be read, in a few words."""
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    text = reason_of(cause) if isinstance(cause, OSError) else type(cause).__name__
    return f"no connection ({text})"


def _continues(answer: http.client.HTTPResponse, have: int) -> bool:
    """Whether an answer begins at the byte that was asked for."""
    match = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return answer.status == http.HTTPStatus.PARTIAL_CONTENT and match is not None and int(match[1]) == have


def _append(answer: http.client.HTTPResponse, partial: Path, have: int, size: int, progress: Progress | None) -> str:
    """Write what an answer holds behind the first ``have`` bytes of a file, never more than ``size`` in all.

    Returns:
        Why the answer ended early, or an empty string.
    """
    name = partial.name.removesuffix(".part")
    with partial.open("r+b" if have else "wb") as file:
        file.seek(have)
        while True:
            try:
                chunk = answer.read(_CHUNK)
            except (OSError, http.client.HTTPException) as error:
                return _no_answer(error)
            if not chunk:
                return ""
            if have + len(chunk) > size:
                file.truncate(0)
                raise MirrorError(f"the server sends more than {in_bytes(size)}")
            file.write(chunk)
            have += len(chunk)
            if progress is not None:
                progress(name, have, size)


def _unpack(archive: Path, known: KnownSet) -> None:
    """Take the four files of a known set out of a checked zip archive, each whole or not at all."""
    if not archive.exists():
        return
    try:
        with zipfile.ZipFile(archive) as opened:
            for name in known.files:
                target = archive.with_name(f"{name}.gz")
                content = opened.getinfo(f"{known.member}/{name}.gz")
                if content.file_size > _MEMBER_LIMIT:
                    raise DataError(f"{shown(archive)}: {name}.gz has {in_bytes(content.file_size)}. Delete it.")
                write_bytes(target, opened.read(content))
    except (zipfile.BadZipFile, zlib.error, KeyError, EOFError, RuntimeError) as error:
        raise DataError(
            f"{shown(archive)} is damaged or not the archive of {known.title}. Delete it, then try again."
        ) from error
