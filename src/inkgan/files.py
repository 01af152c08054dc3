"""Files: careful reading, atomic writes, names for what is set aside; and the type of reports of progress."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import io
import json
import os
import re
import secrets
import shutil
import stat
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

from inkgan.errors import ConfigError, DataError, InputError, OutputError, in_bytes, reason_of, shortened, shown

#: A function that receives the name of the work and the share of it that is done, 0 to 1.
Progress = Callable[[str, float], None]

#: The largest file of settings, in bytes.
LARGEST_SETTINGS = 2**20
#: A key such as ``a.a.a`` of a hundred parts or more; the time that Python takes for one grows with their square.
_LONG_KEY = re.compile(rb"""(?<![\w."'-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){100}+""")
_TOML_REMEDY = "Correct it, or name another TOML file."
#: The errors of a file system that does not support an operation: fsync of a folder, or a lock.
UNSUPPORTED = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK}
#: What to do if the cache, which no option names, cannot be written.
CACHE_ADVICE = "Set XDG_CACHE_HOME to a folder that can be written."


def no_progress(doing: str, done: float) -> None:
    """Ignore a report of progress."""


def cache_folder() -> Path:
    """Return the folder for downloads and other files that can be made again; it may not exist yet.

    On Linux it is ``~/.cache/inkgan``, or ``$XDG_CACHE_HOME/inkgan`` if that variable holds an absolute path.

    Raises:
        OutputError: the system names no home folder.
    """
    import platformdirs  # noqa: PLC0415 - few commands need it

    with contextlib.suppress(RuntimeError):  # newer versions raise it where older ones return a relative path
        folder = platformdirs.user_cache_path("inkgan", appauthor=False)
        if folder.is_absolute():
            return folder
    raise OutputError(f"the system names no home folder to keep downloads in. {CACHE_ADVICE}")


def expanded(path: Path | str) -> Path:
    """Replace ``~`` in a path with the home folder, if there is one."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - Path.expanduser raises an error for an unknown user


def is_folder(path: Path | str) -> bool:
    """Whether a path is a folder; a path that the system cannot look up is not."""
    return os.path.isdir(path)  # noqa: PTH112 - Path.is_dir raises an error for a name that is too long


def is_file(path: Path) -> bool:
    """Whether a path is a file; a path that the system cannot look up is not."""
    return os.path.isfile(path)  # noqa: PTH113 - Path.is_file raises an error for a name that is too long


def is_run(path: Path) -> bool:
    """Whether a path is the folder of a run that has begun."""
    return is_file(path / "config.json") and (is_folder(path / "checkpoints") or is_file(path / "lock"))


def is_regular(path: Path) -> bool:
    """Whether this is a regular file: not a folder, not a link to somewhere else, and not a pipe that never ends."""
    return path.is_file() and not path.is_symlink()


def open_regular(path: Path) -> io.BufferedReader:
    """Open a file for reading; unlike :func:`is_regular`, follow links.

    Raises:
        OSError: it cannot be opened, or reading it might never end: it is a pipe or a device.
    """
    return open(path, "rb", opener=_regular)


def _regular(path: str, flags: int) -> int:
    descriptor = os.open(path, flags | os.O_NONBLOCK)  # opening a pipe waits for a writer otherwise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", path)
    return descriptor


def read_regular(path: Path, most: int = 2**26) -> bytes:
    """Read a file that inkgan wrote, of at most ``most`` bytes.

    Raises:
        OSError: see :func:`open_regular`; or it is larger.
    """
    with open_regular(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EINVAL, f"larger than {in_bytes(most)}", str(path))
    return content


def from_json(content: str | bytes) -> Any:
    """Read JSON that may be damaged.

    Raises:
        json.JSONDecodeError: it is not JSON, is not UTF-8, is nested too deeply, or has a number of over 4,300 digits.
    """
    try:
        return json.loads(content)
    except json.JSONDecodeError:
        raise
    except (ValueError, RecursionError) as error:
        raise json.JSONDecodeError(f"not JSON ({type(error).__name__})", "", 0) from None


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file in UTF-8 of at most 1 MiB, which may be a pipe.

    Raises:
        ConfigError: it cannot be read, is too large or is not TOML.
    """
    import tomllib  # noqa: PLC0415 - few commands need it

    with input_errors(path, ConfigError, "Name a TOML file."), path.open("rb") as file:
        content = file.read(LARGEST_SETTINGS + 1)
    if len(content) > LARGEST_SETTINGS:
        raise ConfigError(f"{shown(path)} is larger than 1 MiB, so it is not a configuration. {_TOML_REMEDY}")
    if _LONG_KEY.search(content):
        raise ConfigError(f"{shown(path)} has a key of a hundred parts or more. {_TOML_REMEDY}")
    try:
        return tomllib.loads(content.decode("utf-8-sig"))  # editors on Windows add a byte order mark
    except (ValueError, RecursionError) as error:  # also for a number of 5,000 digits
        reason = shortened(str(error).splitlines()[0], 80)
        raise ConfigError(f"{shown(path)} is not a TOML file in UTF-8: {reason}. {_TOML_REMEDY}") from None


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fsync(path: Path) -> None:
    """Ask the system to put a file, or a folder's list of names, on the disk now.

    This protects against a loss of power. It is not an error if the file system cannot do it; many cannot for folders.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except PermissionError:  # a folder may be writable and not readable
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def output_errors(path: Path, advice: str = "Choose a place that can be written.") -> Iterator[None]:
    """Turn the system's errors while writing ``path`` into an :class:`OutputError` of one line, with advice."""
    try:
        yield
    except OSError as error:
        reason = reason_of(error)
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            reason, advice = "the disk is full", "What was there is kept; free some space and try again."
        elif isinstance(error, FileNotFoundError) and not path.is_absolute():
            Path.cwd()  # raises an error that names no file, if the current folder is gone
        elif isinstance(error, FileExistsError) and (link := _link_to_nothing(path)):
            reason = f"{shown(link)} is a link to nothing"
        raise OutputError(f"cannot write {shown(path)}: {reason}. {advice}") from error


@contextlib.contextmanager
def input_errors(
    path: Path | str, kind: type[InputError] = DataError, advice: str = "Check its permissions."
) -> Iterator[None]:
    """Turn the system's errors while reading ``path`` into an :class:`InputError` of one line, with advice if any."""
    try:
        yield
    except OSError as error:
        raise kind(f"cannot read {shown(path)}: {reason_of(error)}. {advice}".rstrip()) from error


@contextlib.contextmanager
def one_at_a_time(place: Path) -> Iterator[None]:
    """Hold a lock on a folder or a file, after waiting for any other process that holds it. A missing file is made.

    If the system cannot lock it, no process waits.
    """
    flags, unsupported = os.O_RDWR | os.O_CREAT, UNSUPPORTED
    if place.is_dir():  # EACCES: it cannot be read. EBADF: NFS locks only what is open for writing.
        flags, unsupported = os.O_RDONLY, {*UNSUPPORTED, errno.EACCES, errno.EBADF}
    with contextlib.ExitStack() as stack:
        try:
            descriptor = os.open(place, flags, 0o666)
            stack.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in unsupported:
                raise
        yield


def _link_to_nothing(path: Path) -> Path | None:
    """Return the link that keeps a path's folders from being made; None if there is none."""
    places = (path, *path.parents)
    return next((place for place in places if place.is_symlink() and not os.path.exists(place)), None)  # noqa: PTH110


def refuse_to_overwrite(path: Path, *, force: bool) -> None:
    """Make sure that a file may be written to ``path``, before any work is done for it.

    Raises:
        OutputError: something is there, even a link that points nowhere, and ``force`` is off; or it is not a file; or
            its folder is read-only.
    """
    with output_errors(path):
        is_there = path.exists()
        parent = next((place for place in path.parents if os.path.lexists(place)), Path())
        if not parent.is_dir():
            raise OutputError(f"cannot write {shown(path)}: {shown(parent)} is not a folder. Name another output.")
        if is_there and not path.is_file():
            raise OutputError(f"cannot write {shown(path)}: it is not a file. Name one that does not exist yet.")
    if is_there and not force:
        raise _taken(path)
    if path.is_symlink() and not force:
        raise OutputError(f"{shown(path)} is a link to nothing. Add --force to write through it, or name another.")
    require_writable(_behind_links(path))


def require_writable(path: Path) -> None:
    """Make sure that a file or folder can be made or filled here, as far as the system tells without a try.

    Raises:
        OutputError: the folder, or the nearest one above that is there, is read-only.
    """
    folder = next(filter(is_folder, (path, *path.parents)), Path())
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(
            f"cannot write {shown(path)}: {shown(folder)} is read-only. Choose a place that can be written."
        )


def _taken(path: Path) -> OutputError:
    return OutputError(f"{shown(path)} exists already. Add --force to replace it, or name another output.")


@contextlib.contextmanager
def atomic_write(path: Path, *, force: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it becomes ``path`` in one step, else it is removed.

    A link stays a link; the file that it points to is written. What killed processes left beside it is removed.

    Args:
        path: where the finished file belongs. Missing parent folders are made.
        force: replace what is there already.

    Raises:
        OutputError: the file exists, or another process made it meanwhile, and ``force`` is off; or the place cannot be
            written or is full.
    """
    refuse_to_overwrite(path, force=force)
    target = _behind_links(path)
    remove_abandoned(target.parent)
    temporary = _temporary_path(target, path.suffix)
    try:
        with output_errors(path):
            if target == path:  # no folder is made at the far end of a link: its disk may not be mounted now
                path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            fsync(temporary)
            if force:
                temporary.replace(target)
            else:
                _move_to_free(temporary, target)
            fsync(target.parent)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def write_bytes(path: Path, content: bytes, *, force: bool = True) -> None:
    """Write a small file whole or not at all (see :func:`atomic_write`)."""
    with atomic_write(path, force=force) as temporary:
        temporary.write_bytes(content)


def _behind_links(path: Path) -> Path:
    """Return the path itself, or the path at the end of a chain of links."""
    if not path.is_symlink():
        return path
    target = Path(os.path.realpath(path))
    if target.is_symlink():
        raise OutputError(f"cannot write {shown(path)}: it is a link to itself. Name another output.")
    return target


def _move_to_free(temporary: Path, path: Path) -> None:
    """Give a file its final name; the temporary name may stay, too.

    Raises:
        OutputError: something has the name, even if another process took it at this moment.
    """
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise _taken(path) from None
    except OSError as error:
        if error.errno not in UNSUPPORTED and not isinstance(error, PermissionError):
            raise
        temporary.replace(path)  # a disk without links


#: The name of a temporary file or folder: a name, the machine (ten digits), the process (seven), and six random ones.
_TEMPORARY = re.compile(r"\..+\.([0-9]{10})([0-9]{7})[0-9]{6}\.tmp(\..*)?", re.DOTALL)
#: The most bytes of a file's name, and of its ending, that the name of its temporary file repeats.
_REPEATED, _REPEATED_ENDING = 180, 20


def is_temporary(name: str) -> bool:
    """Whether a file or folder of this name is temporary: a process writes it now, or has been killed."""
    return _TEMPORARY.fullmatch(name) is not None


def temporary_folder(parent: Path) -> Path:
    """Make a folder for temporary files; make its parent if necessary."""
    folder = _temporary_path(parent / "inkgan", "")
    folder.mkdir(parents=True)
    return folder


def _temporary_path(target: Path, suffix: str) -> Path:
    """Return a path with an ending, beside a target, that no other process takes; its name says which process did.

    Processes in other containers or on other machines may have the same number, so the machine is part of the name.
    """
    # Encoded again: where the locale is not UTF-8, a path has no letters for the bytes of other languages.
    name = os.fsdecode(os.fsencode(target.name)[:_REPEATED].decode("utf-8", "ignore").encode())
    ending = suffix if len(os.fsencode(suffix)) <= _REPEATED_ENDING else ""
    numbers = f"{_machine_number()}{os.getpid():07d}{secrets.randbelow(10**6):06d}"
    return target.with_name(f".{name}.{numbers}.tmp{ending}")


def remove_abandoned(parent: Path) -> None:
    """Remove the temporary files and folders of processes of this machine that have ended."""
    with contextlib.suppress(OSError), os.scandir(parent) as entries:  # it may be missing, or unreadable
        for entry in entries:
            owner = _TEMPORARY.fullmatch(entry.name)
            if not owner or owner[1] != _machine_number() or not has_ended(int(owner[2])):
                continue
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry, ignore_errors=True)
            elif entry.is_file(follow_symlinks=False):
                with contextlib.suppress(OSError):  # another user's, in a folder such as /tmp
                    Path(entry).unlink()


def _machine_number() -> str:
    """Return a number of this machine and, on Linux, its container: every container has a process 7 of its own."""
    name = os.uname().nodename
    with contextlib.suppress(OSError):
        name += f"-{Path('/proc/self/ns/pid').stat().st_ino}"
    return f"{zlib.crc32(name.encode()):010d}"


def has_ended(pid: int) -> bool:
    """Whether a process of this machine has ended, even if its parent has not asked how (a zombie)."""
    try:
        os.kill(pid, 0)  # signal 0 is not sent; it only asks whether there is such a process
    except OSError as error:  # a PermissionError if it is another user's
        return isinstance(error, ProcessLookupError)
    with contextlib.suppress(OSError):  # only Linux has this file
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2]
        return state.startswith((b"Z", b"X"))
    return False


#: The names of what was set aside: damaged files and folders, and checkpoints from a time in which their run was ill.
_SET_ASIDE = re.compile(r"(.+)\.(damaged|ill)(-\d+)?")


def first_free(path: Path) -> Path:
    """Return the path itself if nothing is there, else the first free one of ``NAME-2``, ``NAME-3`` and so on."""
    free = path
    number = 1
    while os.path.lexists(free):
        number += 1
        free = path.with_name(f"{path.name}-{number}")
    return free


def path_aside(path: Path, why: Literal["damaged", "ill"] = "damaged") -> Path:
    """Return the first free name under which to set a file or folder aside: ``NAME.damaged``, ``NAME.damaged-2`` ..."""
    return first_free(path.with_name(f"{path.name}.{why}"))


def original_name(name: str) -> str:
    """Return the name that a file or folder had before it was set aside; other names stay as they are."""
    match = _SET_ASIDE.fullmatch(name)
    return match[1] if match else name
