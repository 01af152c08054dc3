"""From the name or the path of a data set to the data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from inkgan.data.catalogue import KnownSet, find, unknown
from inkgan.data.locate import Place, cache, idx_images, is_folder, locate, read_idx_folder, read_known
from inkgan.data.sets import DataSet
from inkgan.data.wording import shown
from inkgan.errors import DataError

if TYPE_CHECKING:
    from inkgan.data.download import Progress


def load(
    name: str = "mnist",
    directory: Path | None = None,
    *,
    download: bool = True,
    progress: Progress | None = None,
) -> DataSet:
    """Read a data set by its name or path.

    A known name is looked for in ``directory``, the folder that ``$INKGAN_DATA`` names, the cache, Debian's
    folder and this package, in this order; if it is in none of them, it is downloaded into the cache. Any
    other name is looked for in ``directory`` and then taken as a path.

    Args:
        name: the name of a known set, such as ``"mnist"`` or ``"emnist-letters"``, or the path of a folder of
            images, a folder of IDX files, or an ``.npz`` file. A path with a ``/`` is never taken for a name.
        directory: the folder that ``--data-dir`` names, laid out as torchvision's or plain.
        download: whether a known set that is on this machine nowhere may be downloaded.
        progress: told how far a download is: the file's name, the bytes so far, the bytes in all.

    Returns:
        The set, with train, validation and test splits.

    Raises:
        DataError: there is no such set, or its files are missing, damaged or of another kind.
        OutputError: a download cannot be written.
    """
    known = find(name)
    if known is not None:
        return read_known(known, place_of(known, directory, download=download, progress=progress))
    path = path_of(name, directory)
    if path is None:
        raise _missing(name)
    return read_path(path)


def _missing(name: str) -> DataError:
    if "/" in name or name.endswith(".npz"):
        return DataError(f"{shown(name)} does not exist. Give the path of a folder or of an .npz file.")
    return unknown(name)


def path_of(name: str, directory: Path | None) -> Path | None:
    """The path that a name which is not a known set's stands for, or None."""
    if directory is not None and not is_folder(directory.expanduser()):
        raise DataError(f"--data-dir {shown(directory)} is not a folder. Name the folder that holds the data sets.")
    places = [Path(name).expanduser()]
    if directory is not None:
        places = [directory.expanduser() / name, directory.expanduser() / f"{name}.npz", *places]
    for path in places:
        try:
            if name and path.exists():
                return path
        except (OSError, ValueError):
            continue
    return None


def read_path(path: Path) -> DataSet:
    """Read a user's own folder of images, folder of IDX files, or ``.npz`` file.

    Raises:
        DataError: it cannot be used.
    """
    name = shown(path.absolute().name.removesuffix(".npz") or "images")
    if is_folder(path):
        for folder in (path, path / "raw"):
            if is_folder(folder) and (files := idx_images(folder)):
                return read_idx_folder(folder, files, name)
        from inkgan.data.folder import read_image_folder  # noqa: PLC0415 - loads Pillow

        return read_image_folder(path, name)
    if path.suffix.lower() == ".npz":
        from inkgan.data.arrays import read_npz  # noqa: PLC0415 - rarely needed

        return read_npz(path, name)
    raise DataError(
        f"{shown(path)} is a single file; a data set is a folder of images, a folder of IDX files, or an "
        ".npz file. Give one of these."
    )


def place_of(
    known: KnownSet, directory: Path | None, *, download: bool = True, progress: Progress | None = None
) -> Place:
    """Find a known set on this machine, or download it (see :func:`load`).

    Raises:
        DataError: it is nowhere, and cannot or may not be downloaded.
        OutputError: a download cannot be written.
    """
    place = locate(known, directory)
    if place is None and download and known.remotes:
        from inkgan.data.download import fetch_known  # noqa: PLC0415 - loads urllib

        fetch_known(known, cache(), progress)
        place = locate(known, directory)
    if place is None:
        raise DataError(
            f"{known.title} is nowhere on this machine. Put its files into "
            f"{shown(cache() / known.folders[0])}, or name their folder with --data-dir."
        )
    return place
