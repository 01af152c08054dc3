"""Saving images: as a sheet, as arrays, or in a file each; and the kinds of output, by their names."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from inkgan.errors import OutputError, as_given, printable, shown, valid_path
from inkgan.files import Progress, atomic_write, no_progress, output_errors, refuse_to_overwrite
from inkgan.generation.loading import is_bundled
from inkgan.generation.output_folder import OutputFolder
from inkgan.images import Images, Labels, picture_of, save_png, sheet

#: The most images on one sheet; more could not be looked at.
LARGEST_SHEET = 10_000
_LONGEST_FOLDER_NAME = 200  # bytes; file systems allow 255

OutputKind = Literal["folder", "png", "npz", "gif", "html", "onnx"]
#: The files that images can be written to, by their endings.
IMAGE_FILES: tuple[OutputKind, ...] = ("png", "npz")


def output_kind_of(name: str | Path, allowed: Sequence[OutputKind] = IMAGE_FILES) -> OutputKind:
    """Return the kind of output that a name asks for.

    Args:
        name: ends with one of the allowed endings or a slash, or is a folder that exists.
        allowed: the files that may be written; a folder always may.

    Raises:
        OutputError: the name is empty or has another ending, or it ends like a file and is a folder.
    """
    path = valid_path(name, "the output", OutputError)
    text = os.fspath(name)
    if not text:
        raise OutputError("the name of the output is empty. Name a file, or a folder ending with a slash.")
    if text.endswith(os.sep):
        return "folder"
    with output_errors(path):
        is_folder = path.is_dir()
    if is_folder:
        if path.suffix.lower().removeprefix(".") in get_args(OutputKind):
            raise OutputError(
                f"{shown(text)} is a folder, and its name ends like that of a file. End it with a slash to write into "
                "the folder, or name a file."
            )
        return "folder"
    for kind in allowed:
        if path.suffix.lower() == f".{kind}":
            return kind
    endings = ", ".join(f".{kind}" for kind in allowed)
    raise OutputError(f"the name {shown(text)} does not say what to write. End it with {endings}, or / for a folder.")


def check_output(
    name: str | Path, count: int, *, force: bool, allowed: Sequence[OutputKind] = IMAGE_FILES, model: str = ""
) -> OutputKind:
    """Check that images may be written, as far as this is possible before their classes are known.

    Args:
        name: see :func:`output_kind_of`.
        count: the number of images; at most 10,000 on a sheet.
        force: replace what is there.
        allowed: see :func:`output_kind_of`.
        model: the model that draws them; its own folder is not replaced.

    Raises:
        OutputError: they may not.
    """
    kind = output_kind_of(name, allowed)
    if kind == "folder":
        folder = os.path.realpath(name)
        if model and not is_bundled(model) and os.path.realpath(model) == folder:
            raise OutputError(f"{shown(name)} is the model that draws, so it is not replaced. Name another folder.")
        OutputFolder(Path(name), [], force=force)
        return kind
    refuse_to_overwrite(Path(name), force=force)
    if kind == "png" and count > LARGEST_SHEET:
        raise OutputError(f"{count:,} images do not fit on a sheet. Ask for {LARGEST_SHEET:,} or fewer, or for .npz.")
    return kind


def image_saver(
    name: str | Path,
    count: int,
    labels: Labels | None = None,
    class_names: Sequence[str] = (),
    *,
    columns: int | None = None,
    force: bool = False,
    progress: Progress = no_progress,
) -> Callable[[Images], None]:
    """Return a function that writes images to an output; all checks are done now, before any work.

    Args:
        name: see :func:`output_kind_of`. A .png holds a sheet. An .npz holds ``images`` and, with labels, ``labels``
            [N] and ``class_names`` [K]. A folder holds a picture of each image, with labels in a subfolder for each
            class.
        count: the number of images.
        labels: the class of each, int64 [N].
        class_names: the name of each class.
        columns: the columns of a sheet; by default it is about square.
        force: replace what is there; in a folder, only what inkgan wrote there.
        progress: called with the share of files that are written.

    Returns:
        A function of the images, uint8 [N, H, W] or [N, H, W, C].

    Raises:
        OutputError: the place cannot be written to, a sheet cannot hold this many images, or a class has a name that
            no folder can have.
    """
    path = Path(name)
    kind = check_output(name, count, force=force)
    if kind == "npz":
        return lambda images: write_arrays(path, arrays_of(images, labels, class_names), force=force)
    if kind == "png":
        side = columns or math.ceil(math.sqrt(count))
        return lambda images: save_png(sheet(images, side, scale=2), path, force=force)
    names = names_in_folder(count, labels, class_names)
    if labels is not None:
        _refuse_splits(path, [class_names[label] for label in np.unique(labels).tolist()])
    output = OutputFolder(path, names, force=force)

    def write(images: Images) -> None:
        with output.filling() as folder:
            for place in sorted({file.rpartition("/")[0] for file in names} - {""}):
                _make_folder(folder / place)
            for index, (file, image) in enumerate(zip(names, images, strict=True)):
                picture_of(image).save(folder / file)
                progress("writing", (index + 1) / count)

    return write


def arrays_of(images: Images, labels: Labels | None, class_names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Return the arrays of an .npz: ``images`` and, with labels, ``labels`` [N] and ``class_names`` [K]."""
    named = {} if labels is None else {"labels": labels, "class_names": np.array(class_names, np.str_)}
    return {"images": images, **named}


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]], *, force: bool) -> None:
    """Write arrays as .npz, whole or not at all."""
    with atomic_write(path, force=force) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # the stubs take any name for an option's


def numbered(index: int, count: int) -> str:
    """Return the file name of one of ``count`` images."""
    return f"{index:0{len(str(count - 1))}d}.png"


def names_in_folder(count: int, labels: Labels | None, class_names: Sequence[str]) -> list[str]:
    """Return the name of each image in a folder; with labels, in a subfolder for each class.

    Raises:
        OutputError: a class has a name that no folder can have.
    """
    names = [numbered(index, count) for index in range(count)]
    if labels is None:
        return names
    folders = {label: _folder_name(class_names[label]) for label in np.unique(labels).tolist()}
    return [f"{folders[label]}/{name}" for label, name in zip(labels.tolist(), names, strict=True)]


def _folder_name(name: str) -> str:
    """Return the name of a class, if a folder can have it.

    Raises:
        OutputError: no folder can have it, or readers of class folders would read another name.
    """
    forbidden = "/" in name or "\\" in name or name.startswith(".") or not name.strip()
    too_long = len(name.encode()) > _LONGEST_FOLDER_NAME
    if forbidden or too_long or name != printable(name):
        raise OutputError(
            f"the class {as_given(name)} cannot have a folder of that name. Write to an .npz file, which keeps names."
        )
    return name


def _refuse_splits(path: Path, names: Sequence[str]) -> None:
    """Refuse folders of classes that would be read back as splits of a data set."""
    from inkgan.data.splits import read_as_splits

    if read_as_splits(names):
        raise OutputError(
            f"the classes {', '.join(names)} in {shown(path)} would be read as the splits of a data set. "
            "Write to an .npz file, which keeps names."
        )


def _make_folder(folder: Path) -> None:
    """Make the folder of a class.

    Raises:
        OutputError: it exists already: the names of two classes are the same on this disk.
    """
    try:
        folder.mkdir()
    except FileExistsError:
        raise OutputError(
            f"the class {folder.name!r} and another one would share a folder on this disk. Write to an .npz file."
        ) from None
