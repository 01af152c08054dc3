"""The list of data sets, and the check of their files against what was published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inkgan.data.arrays import ARRAY_SUFFIXES
from inkgan.data.known_sets import KNOWN, described, find_known, is_published, known_files, locate
from inkgan.data.loading import entries, load_saved, locate_or_download
from inkgan.data.sets import DataSet
from inkgan.errors import DataError, in_bytes, shown
from inkgan.files import Progress, expanded, is_folder, no_progress


@dataclass(frozen=True)
class Entry:
    """A line of the list of data sets.

    Attributes:
        name: the name that ``--data`` takes.
        images: how many images a known set has in all; None for a user's own, which is not read for the list.
        classes: how many classes a known set has; None for a user's own.
        where: the folder or file, or a note that it can be downloaded, as text for a user.
        here: whether it can be used without the network.
    """

    name: str
    images: int | None
    classes: int | None
    where: str
    here: bool = True


def inventory(directory: Path | None) -> list[Entry]:
    """List the known sets, and the folders and array files directly below a data folder, without reading any.

    Raises:
        DataError: ``directory``, or the folder that the environment names, is not there.
    """
    located = {known: locate(known, directory) for known in KNOWN.values()}
    listed = []
    for known, folder in located.items():
        size = in_bytes(sum(remote.size for remote in known.remotes))
        where = f"to download: {size}" if folder is None else described(folder)
        images = known.train + known.test
        listed.append(Entry(known.name, images, len(known.class_names), where, here=folder is not None))
    if directory is None:
        return listed
    for path in entries(expanded(directory)):
        is_set = is_folder(path) or path.suffix.lower() in ARRAY_SUFFIXES
        is_known = any(folder is not None and folder.is_relative_to(path) for folder in located.values())
        if is_set and not is_known and not path.name.startswith("."):
            listed.append(Entry(shown(_name_for(path)), None, None, shown(path)))
    return listed


def _name_for(path: Path) -> str:
    """Return what ``--data`` takes for a set in the data folder: its name, or more if that is the name of another."""
    name = path.name.removesuffix(".npz")
    if find_known(name) is None and (name == path.name or not path.with_name(name).exists()):
        return name
    return path.name if name != path.name else str(path.absolute())


def verify(settings: Mapping[str, Any], progress: Progress = no_progress) -> tuple[DataSet, dict[str, str]]:
    """Read a data set completely and compare the files of a known one with what was published.

    Args:
        settings: the ``data`` settings of a configuration.
        progress: receives how far a download or the reading of a folder is.

    Returns:
        The data set, and for each file of a known set how it was verified.

    Raises:
        DataError: a file is missing, damaged, or not the published one.
        OutputError: a download cannot be written.
    """
    data = load_saved(settings, progress=progress)
    known = find_known(settings["name"])
    if known is None:
        return data, {}
    folder = locate_or_download(known, settings["directory"])
    verdicts = {}
    for path in known_files(known, folder):
        verdict = is_published(known, path)
        if verdict is False:
            raise DataError(f"{shown(path)} is not the published file: it has another SHA-256. Download it again.")
        verdicts[path.name] = "SHA-256 as published" if verdict else "readable; no checksum is published for this form"
    given = (len(data.train) + len(data.validation), len(data.test))
    if given != (known.train, known.test):
        wanted = f"{known.name} has {known.train} and {known.test}"
        raise DataError(f"{shown(folder)}: {given[0]} train and {given[1]} test images; {wanted}. Download it again.")
    return data, verdicts
