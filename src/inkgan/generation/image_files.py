"""Saving images and writings: as a sheet, as arrays, or in a file each; and the kinds of output, by their names."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import DTypeLike, NDArray

from inkgan.errors import OutputError, as_given, printable, shown, valid_path, whole_number
from inkgan.files import (
    Progress,
    atomic_write,
    fsync,
    is_regular,
    no_progress,
    one_at_a_time,
    output_errors,
    refuse_to_overwrite,
)
from inkgan.generation.loading import is_bundled
from inkgan.generation.model import LARGEST_SAMPLE
from inkgan.generation.output_folder import OutputFolder
from inkgan.generation.texts import is_time, warn_of_times
from inkgan.images import Images, Labels, picture_of, png_bytes, save_png, sheet

if TYPE_CHECKING:
    from inkgan.generation.writing import Writing

#: The most images on one sheet; more could not be looked at.
LARGEST_SHEET = 10_000
_LONGEST_FOLDER_NAME = 200  # bytes; file systems allow 255
#: The file with texts and boxes in a folder of writings; Hugging Face's ``datasets`` looks for this name.
LABELS = "metadata.jsonl"
#: The keyword under which a .png keeps the SHA-256 of its .jsonl. A .jsonl with another digest is not inkgan's, or was
#: changed, so it is neither replaced nor removed along with the picture.
_LABELS_DIGEST = "inkgan labels sha256"
_LARGEST_ARRAY = 2 * 2**30

#: The files that images and models can be written to, by their endings.
FileKind = Literal["png", "npz", "gif", "html", "onnx"]
OutputKind = Literal["folder"] | FileKind
#: Those that images can be written to.
IMAGE_FILES: tuple[FileKind, ...] = ("png", "npz")


def output_kind_of(name: str | Path, allowed: Sequence[FileKind] = IMAGE_FILES) -> OutputKind:
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
        if path.suffix.lower().removeprefix(".") in get_args(FileKind):
            raise OutputError(f"{shown(text)} is a folder. End its name with a slash to write into it, or name a file.")
        return "folder"
    for kind in allowed:
        if path.suffix.lower() == f".{kind}":
            return kind
    endings = ", ".join(f".{kind}" for kind in allowed)
    lost = "" if isinstance(name, str) else "; give a text then, because a Path loses the slash"
    raise OutputError(
        f"the name {shown(text)} does not say what to write. End it with {endings}, or / for a folder{lost}."
    )


def check_output(
    name: str | Path, count: int, *, force: bool, allowed: Sequence[FileKind] = IMAGE_FILES, model: str = ""
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
    from inkgan.data.splits import read_as_splits

    path = Path(name)
    kind = check_output(name, count, force=force)
    if kind == "npz":
        return lambda images: write_arrays(path, arrays_of(images, labels, class_names), force=force)
    if kind == "png":
        per_row = columns or math.ceil(math.sqrt(count))
        return lambda images: save_png(sheet(images, per_row, scale=2), path, force=force)
    # The names on the disk have the same bytes in every locale.
    names = [os.fsdecode(text.encode()) for text in names_in_folder(count, labels, class_names)]
    used = [] if labels is None else [class_names[label] for label in np.unique(labels).tolist()]
    if read_as_splits(used):
        raise OutputError(f"the classes {', '.join(used)} would be read as the splits of a data set. Ask for .npz.")
    output = OutputFolder(path, names, force=force)

    def write(images: Images) -> None:
        with output.filling() as folder:
            for place in sorted({file.rpartition("/")[0] for file in names} - {""}):
                _make_folder(folder / place)
            for index, (file, image) in enumerate(zip(names, images, strict=True)):
                (folder / file).write_bytes(png_bytes(picture_of(image)))
                progress("writing", (index + 1) / count)

    return write


def arrays_of(images: Images, labels: Labels | None, class_names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Return the arrays of an .npz: ``images`` and, with labels, ``labels`` [N] and ``class_names`` [K]."""
    named = {} if labels is None else {"labels": labels, "class_names": np.array(list(class_names), np.str_)}
    return {"images": images, **named}


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]], *, force: bool) -> None:
    """Write arrays as .npz, whole or not at all."""
    with atomic_write(path, force=force) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # the stubs take any name for an option's


def names_in_folder(count: int, labels: Labels | None = None, class_names: Sequence[str] = ()) -> list[str]:
    """Return the name of each image in a folder, as text; with labels, in a subfolder for each class.

    Raises:
        OutputError: a class has a name that no folder can have.
    """
    names = [f"{index:0{len(str(count - 1))}d}.png" for index in range(count)]
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
        raise OutputError(f"the class {as_given(name)} cannot have a folder of that name. Ask for .npz.")
    return name


def _make_folder(folder: Path) -> None:
    """Make the folder of a class.

    Raises:
        OutputError: it exists already: the names of two classes are the same on this disk.
    """
    try:
        folder.mkdir()
    except FileExistsError:
        raise OutputError(f"another class has the folder {folder.name!r} on this disk. Ask for .npz.") from None


def save_writings(
    writings: Iterable[Writing], count: int, out: str | Path, *, labels: bool = False, force: bool = False
) -> None:
    """Save writings to files, all of them or none.

    Args:
        writings: ``count`` of them; read one by one, so that a folder may hold more than fits into memory.
        count: 1 to 1,000,000.
        out: a folder (ends with a slash) of .png; an .npz with ``images`` uint8 [N, H, W], 0 paper to 255 ink, or in
            colour [N, H, W, 3], padded on the right to the widest; or for one writing a .png.
        labels: save texts and boxes, too. In a folder, ``metadata.jsonl`` has a line for each picture, with its
            ``file_name`` and its :attr:`inkgan.generation.writing.Writing.label`. A .png gets a .jsonl of the same name
            beside it. An .npz has ``texts`` [N], ``boxes`` int32 [N, L, 4], filled with -1 after the end of a text,
            ``probabilities`` and ``factors`` float32 [N, L], NaN where there is no digit, ``cells`` like ``boxes``, and
            ``widths`` int32 [N] of the images before they were padded.
        force: replace what is there; in a folder, only what inkgan wrote there.

    Raises:
        OutputError: the output exists or cannot be written, a .png cannot hold several, or an .npz more than 2 GiB.

    Warns:
        InkganWarning: ``datasets`` will take the texts of ``metadata.jsonl`` for times, because each is a date such as
            2026-11-30.
    """
    advice = f"Ask for 1 to {LARGEST_SAMPLE:,}, or for a data set with --shards."
    count = whole_number(count, f"cannot write {{}} images into one output. {advice}", 1, LARGEST_SAMPLE)
    kind = output_kind_of(out)
    path = Path(out)
    if kind == "folder":
        _save_folder(writings, count, path, labels=labels, force=force)
    elif kind == "npz":
        refuse_to_overwrite(path, force=force)
        write_arrays(path, _writing_arrays(writings, count, path, labels=labels), force=force)
    elif count > 1:
        raise OutputError(f"{shown(out)} holds one image, not {count}. Name a folder (ends with a slash) or an .npz.")
    else:
        _save_picture(iter(writings), path, labels=labels, force=force)


def _save_folder(writings: Iterable[Writing], count: int, path: Path, *, labels: bool, force: bool) -> None:
    names = names_in_folder(count)
    output = OutputFolder(path, [*names, LABELS] if labels else names, force=force)
    with output.filling() as folder, ExitStack() as files:
        lines = files.enter_context((folder / LABELS).open("w", encoding="utf-8")) if labels else None
        are_times = labels
        for name, writing in zip(names, writings, strict=True):
            (folder / name).write_bytes(writing.png)
            if lines:
                lines.write(_label(writing, name))
                are_times = are_times and is_time(writing.text)
    if are_times:
        warn_of_times()


def _save_picture(writings: Iterator[Writing], path: Path, *, labels: bool, force: bool) -> None:
    """Save one .png, and with labels a .jsonl beside it. A picture that is replaced loses its .jsonl, too."""
    refuse_to_overwrite(path, force=force)
    writing = next(writings)
    label = _label(writing, path.name).encode()
    notes = {_LABELS_DIGEST: hashlib.sha256(label).hexdigest()} if labels else None
    beside = path.with_suffix(".jsonl")
    contents = {beside: label} if labels else {}
    contents[path] = png_bytes(writing.picture, notes)
    with ExitStack() as files:
        with output_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            files.enter_context(one_at_a_time(path.parent))  # another process may write the same two files
        is_ours = _wrote_beside(path, beside)
        if labels:
            refuse_to_overwrite(beside, force=True)  # whether inkgan wrote it decides, and not --force
        if labels and os.path.lexists(beside) and not is_ours:
            raise OutputError(f"{shown(beside)} was not written by inkgan, or was changed since. Name another output.")
        for place, content in contents.items():
            temporary = files.enter_context(atomic_write(place, force=force))
            temporary.write_bytes(content)
            fsync(temporary)  # now, while what is replaced is still there: the disk may be full
        if is_ours:
            # Before the picture is replaced: if this process is killed then, the next write does not find labels of
            # another picture, which could be the user's.
            beside.unlink()


def _label(writing: Writing, file: str) -> str:
    return json.dumps({"file_name": file, **writing.label}) + "\n"


def _wrote_beside(path: Path, beside: Path) -> bool:
    """Whether the file ``beside`` holds the labels of the picture at ``path``, going by the digest in the picture."""
    from PIL import Image

    # The name of the labels may be too long for the disk, and any other file may be at the place of the picture.
    with suppress(OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        if is_regular(beside):
            with Image.open(path, formats=["PNG"]) as picture:
                digest = picture.info.get(_LABELS_DIGEST)
            return bool(hashlib.sha256(beside.read_bytes()).hexdigest() == digest)
    return False


def _writing_arrays(writings: Iterable[Writing], count: int, out: Path, *, labels: bool) -> dict[str, NDArray[Any]]:
    """Return the arrays of an .npz (see :func:`save_writings`)."""
    kept: list[Writing] = []
    largest = 0
    for writing in writings:
        largest = max(largest, writing.image.nbytes)
        if count * largest > _LARGEST_ARRAY:
            raise OutputError(f"{shown(out)} would hold over 2 GiB of pixels. Ask for fewer, or name a folder.")
        kept.append(writing)
    return {"images": padded_to_widest([writing.image for writing in kept])} | (label_arrays(kept) if labels else {})


def padded_to_widest(images: Sequence[Images]) -> Images:
    """Stack images of one height in one array, padded on the right with paper to the widest."""
    paper = 0 if images[0].ndim == 2 else 255
    widest = max(image.shape[1] for image in images)
    filled = np.full((len(images), len(images[0]), widest, *images[0].shape[2:]), paper, np.uint8)
    for index, image in enumerate(images):
        filled[index, :, : image.shape[1]] = image
    return filled


def label_arrays(writings: Sequence[Writing]) -> dict[str, NDArray[Any]]:
    """Return texts, boxes and widths, and probabilities, factors and cells if there are any (:func:`save_writings`)."""
    longest = max(len(writing.text) for writing in writings)
    arrays: dict[str, NDArray[Any]] = {"texts": np.array([writing.text for writing in writings])}
    arrays["boxes"] = _table([writing.boxes for writing in writings], (longest, 4), -1, np.int32)
    if writings[0].probabilities:
        probabilities = [writing.probabilities for writing in writings]
        arrays["probabilities"] = _table(probabilities, (longest,), np.nan, np.float32)
        arrays["factors"] = _table([writing.factors for writing in writings], (longest,), np.nan, np.float32)
    if writings[0].cells:
        arrays["cells"] = _table([writing.cells for writing in writings], (longest, 4), -1, np.int32)
    arrays["widths"] = np.array([writing.image.shape[1] for writing in writings], np.int32)
    return arrays


def _table(rows: Sequence[Sequence[Any]], shape: tuple[int, ...], empty: float, dtype: DTypeLike) -> NDArray[Any]:
    """Stack rows of different lengths in one array [N, *shape], padded at the end with ``empty``."""
    table = np.full((len(rows), *shape), empty, dtype)
    for index, row in enumerate(rows):
        table[index, : len(row)] = np.array(row, dtype)  # None becomes NaN
    return table
