"""Files that appear whole or not at all, and how whatever takes long says how far it is."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from inkgan.errors import OutputError

#: Called with what is being done and the share of it that is done, 0 to 1.
Progress = Callable[[str, float], None]

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def unheard(doing: str, done: float) -> None:
    """Tell nobody."""


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fsync(path: Path) -> None:
    """Ask the system to put a file, or a folder's list of names, on the disk now."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """Turn the system's errors while writing ``path`` into an :class:`OutputError` of one line."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise OutputError(
                f"cannot write {path}: the disk is full ({_free(path)}). What was there is kept; "
                "free some space and try again."
            ) from error
        reason = (error.strerror or str(error)).lower()
        raise OutputError(f"cannot write {path}: {reason}. Choose a place that can be written.") from error


def _free(path: Path) -> str:
    for folder in path.absolute().parents:
        if folder.is_dir():
            return f"{shutil.disk_usage(folder).free / 2**20:.0f} MiB free"
    return "free space unknown"


def refuse_to_overwrite(path: Path, *, force: bool) -> None:
    """Raise an :class:`OutputError` if ``path`` exists, unless ``force``."""
    with output_errors(path):
        exists = path.exists()
    if exists and not force:
        raise OutputError(f"{path} exists already. Add --force to replace it, or name another output.")


@contextlib.contextmanager
def appearing_whole(path: Path, *, force: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it becomes ``path`` in one step, else it is removed.

    Args:
        path: where the finished file shall be. Missing parent folders are made.
        force: replace what is there already.

    Raises:
        OutputError: the file exists and ``force`` is off, or the place cannot be written or is full.
    """
    refuse_to_overwrite(path, force=force)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp{path.suffix}")
    try:
        with output_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            fsync(temporary)
            temporary.replace(path)
            fsync(path.parent)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def write_bytes(path: Path, content: bytes, *, force: bool = True) -> None:
    """Write a small file whole or not at all (see :func:`appearing_whole`)."""
    with appearing_whole(path, force=force) as temporary:
        temporary.write_bytes(content)
