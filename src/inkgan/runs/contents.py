"""The files in a folder that a run wrote: these alone may be removed when the run is replaced."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from inkgan.files import is_regular, original_name
from inkgan.runs import checkpoint

CONFIG = "config.json"
LOCK = "lock"
_PICTURE = r"grid-\d{7,}\.png|sheet\.png|learning\.gif"
#: The names of the files directly in a run's folder, and of those in its parts. A run itself replaces or continues what
#: has such a name while it trains, so the name alone says whose it is. The names that TensorBoard's own writer gives
#: are not among them: a user's files may have those.
_FILES = re.compile(r"config\.json|environment\.json|metrics\.jsonl")
_FILES_IN = {
    "tensorboard": re.compile(r"events\.out\.tfevents\.\d+\.inkgan"),
    "pictures": re.compile(_PICTURE),
}
#: The folders in that of a run.
PARTS = ("checkpoints", *_FILES_IN)
#: The names of temporary files that a killed start may leave; see inkgan.files.atomic_write.
_UNFINISHED = re.compile(rf"\.({_FILES.pattern}|{_PICTURE})(\.damaged(-\d+)?)?\.\d+\.tmp\.[\w-]+")


@dataclass
class Contents:
    """The contents of a folder, by who wrote them.

    Attributes:
        files: the files that a run wrote, except ``lock`` and those in ``unfinished``.
        unfinished: the files that an interrupted write left.
        folders: the folders that a run made, each before those that hold it.
        foreign: everything else. Links are foreign, but a part of a run, such as ``checkpoints``, may be one.
    """

    files: list[Path] = field(default_factory=list)
    unfinished: list[Path] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    foreign: list[Path] = field(default_factory=list)


def contents_of(folder: Path) -> Contents:
    """Sort the contents of a folder by who wrote them, without changing anything.

    Raises:
        OSError: a folder cannot be read.
    """
    found = Contents()
    for path in _entries(folder):
        if path.name in _FILES_IN and path.is_dir():
            for inner in _entries(path):
                _classify(inner, _FILES_IN[path.name], found)
            found.folders.append(path)
        elif path.name == "checkpoints" and path.is_dir():
            _classify_checkpoints(path, found)
        elif path.name == LOCK and path.is_file() and not path.stat().st_size:
            continue
        else:
            _classify(path, _FILES, found)
    return found


def remove(contents: Contents, folder: Path) -> None:
    """Remove the files that a run wrote. A part that is a link stays, without the files that it led to.

    The settings are removed last: a folder that has them is a run, so an interrupted removal can be repeated.

    Raises:
        OSError: one cannot be removed.
    """
    for path in sorted([*contents.files, *contents.unfinished], key=lambda path: path == folder / CONFIG):
        path.unlink()
    for path in contents.folders:
        if not path.is_symlink():
            path.rmdir()


def remove_unfinished(folder: Path) -> None:
    """Remove the files that interrupted writes left in a run's folder, except in its checkpoints.

    Only the run's one trainer may call this.

    Raises:
        OSError: a file cannot be removed.
    """
    for place in (folder, folder / "pictures"):
        for path in place.glob(".*.tmp.*"):
            if _UNFINISHED.fullmatch(path.name) and is_regular(path):
                path.unlink()


def _classify_checkpoints(part: Path, found: Contents) -> None:
    """Note the files and folders in the part ``checkpoints``, and the part itself."""
    for path in _entries(part):
        if path.is_symlink() or not path.is_dir():
            found.foreign.append(path)
        elif checkpoint.is_temporary(path):
            found.unfinished += _entries(path)
            found.folders.append(path)
        else:
            written = checkpoint.files_listed(path) if checkpoint.step_of(original_name(path.name)) is not None else []
            # The manifest comes last, so that the rest is known to be the run's until it is removed.
            for file in sorted(_entries(path), key=lambda file: file.name == checkpoint.MANIFEST):
                is_written = file.name in written and is_regular(file)
                (found.files if is_written else found.foreign).append(file)
            found.folders.append(path)
    found.folders.append(part)


def _classify(path: Path, names: re.Pattern[str], found: Contents) -> None:
    """Note a path as a run's file, as unfinished or as foreign."""
    may_be_own = is_regular(path)
    if may_be_own and names.fullmatch(original_name(path.name)):
        found.files.append(path)
    elif may_be_own and _UNFINISHED.fullmatch(path.name):
        found.unfinished.append(path)
    else:
        found.foreign.append(path)


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())
