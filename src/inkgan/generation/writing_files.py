"""Saving writings, with the boxes of their characters: as pictures in a folder, as arrays, or as one picture."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from inkgan.errors import OutputError, shown, whole_number
from inkgan.files import atomic_write, fsync, refuse_to_overwrite
from inkgan.generation.image_files import numbered, output_kind_of, write_arrays
from inkgan.generation.model import LARGEST_SAMPLE
from inkgan.generation.output_folder import OutputFolder
from inkgan.images import Images, png_bytes

if TYPE_CHECKING:
    from inkgan.generation.writing import Writing

#: The file with texts and boxes in a folder of writings; Hugging Face's ``datasets`` looks for this name.
LABELS = "metadata.jsonl"
#: The keyword under which a .png keeps the SHA-256 of its .jsonl. A .jsonl with another digest is not inkgan's, or was
#: changed, so it is neither replaced nor removed along with the picture.
_LABELS_DIGEST = "inkgan labels sha256"
_LARGEST_ARRAY = 2 * 2**30


def save_writings(
    writings: Iterable[Writing], count: int, out: str | Path, *, labels: bool = False, force: bool = False
) -> None:
    """Save writings to files, all of them or none.

    Args:
        writings: ``count`` of them; read one by one, so that a folder may hold more than fits into memory.
        count: 1 to 1,000,000.
        out: a folder (ends with a slash) of .png; an .npz with ``images`` uint8 [N, H, W], 0 paper to 255 ink, or in
            colour [N, H, W, 3], padded on the right to the widest; or for one writing a .png.
        labels: save texts and boxes, too. In a folder, ``metadata.jsonl`` has a line for each picture,
            ``{"file_name": ..., "text": ..., "boxes": [[left, top, right, bottom], ...]}``, with the lists
            ``probabilities`` and ``factors`` if legibility was asked for (see
            :class:`inkgan.generation.writing.Writing`), and with the boxes ``cells`` if the look has cells. A .png gets
            a .jsonl of the same name beside it. An .npz has ``texts`` [N], ``boxes`` int32 [N, L, 4], filled with -1
            after the end of a text, ``probabilities`` and ``factors`` float32 [N, L], NaN where there is no digit,
            ``cells`` like ``boxes``, and ``widths`` int32 [N] of the images before they were padded.
        force: replace what is there; in a folder, only what inkgan wrote there.

    Raises:
        OutputError: the output exists or cannot be written, a .png cannot hold several, or an .npz more than 2 GiB.
    """
    advice = f"Ask for 1 to {LARGEST_SAMPLE:,}, or for a data set with --shards."
    count = whole_number(count, f"cannot write {{}} images into one output. {advice}", 1, LARGEST_SAMPLE)
    kind = output_kind_of(out)
    path = Path(out)
    if kind == "folder":
        _save_folder(writings, count, path, labels=labels, force=force)
    elif kind == "npz":
        refuse_to_overwrite(path, force=force)
        write_arrays(path, _arrays(writings, count, path, labels=labels), force=force)
    elif count > 1:
        raise OutputError(f"{shown(out)} holds one image, not {count}. Name a folder (ends with a slash) or an .npz.")
    else:
        _save_picture(iter(writings), path, labels=labels, force=force)


def _save_folder(writings: Iterable[Writing], count: int, path: Path, *, labels: bool, force: bool) -> None:
    names = [numbered(index, count) for index in range(count)]
    output = OutputFolder(path, [*names, LABELS] if labels else names, force=force)
    with output.filling() as folder, ExitStack() as files:
        lines = files.enter_context((folder / LABELS).open("w", encoding="utf-8")) if labels else None
        for name, writing in zip(names, writings, strict=True):
            writing.picture.save(folder / name)
            if lines:
                lines.write(_label(writing, name))


def _save_picture(writings: Iterator[Writing], path: Path, *, labels: bool, force: bool) -> None:
    """Save one .png, and with labels a .jsonl beside it. A picture that is replaced loses its .jsonl, too."""
    refuse_to_overwrite(path, force=force)
    beside = path.with_suffix(".jsonl")
    is_ours = _wrote_beside(path, beside)
    if labels:
        refuse_to_overwrite(beside, force=True)  # whose it is decides, not --force
        if os.path.lexists(beside) and not is_ours:
            raise OutputError(
                f"{shown(beside)} was not written by inkgan with {shown(path.name)}, or was changed since, so it is "
                "not replaced. Name another output."
            )
    writing = next(writings)
    label = _label(writing, path.name).encode()
    notes = {_LABELS_DIGEST: hashlib.sha256(label).hexdigest()} if labels else None
    contents = {beside: label} if labels else {}
    contents[path] = png_bytes(writing.picture, notes)
    with ExitStack() as files:
        for place, content in contents.items():
            temporary = files.enter_context(atomic_write(place, force=force))
            temporary.write_bytes(content)
            fsync(temporary)  # now, while what is replaced is still there: the disk may be full
        if is_ours:
            # Before the picture is replaced: if this process is killed then, the next write does not find labels of
            # another picture, which could be the user's.
            beside.unlink()


def _label(writing: Writing, file: str) -> str:
    label: dict[str, Any] = {"file_name": file, "text": writing.text, "boxes": writing.boxes}
    return json.dumps(label | writing.extras) + "\n"


def _wrote_beside(path: Path, beside: Path) -> bool:
    """Whether the file ``beside`` holds the labels of the picture at ``path``, going by the digest in the picture."""
    from PIL import Image

    # Path.is_file raises an error for a name that is too long, as that of the labels may be.
    if os.path.islink(beside) or not os.path.isfile(beside) or not path.is_file():  # noqa: PTH113, PTH114
        return False
    try:
        with Image.open(path, formats=["PNG"]) as picture:
            digest = picture.info.get(_LABELS_DIGEST)
        return bool(hashlib.sha256(beside.read_bytes()).hexdigest() == digest)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return False


def _arrays(writings: Iterable[Writing], count: int, out: Path, *, labels: bool) -> dict[str, NDArray[Any]]:
    """Return the arrays of an .npz (see :func:`save_writings`)."""
    kept: list[Writing] = []
    largest = 0
    for writing in writings:
        largest = max(largest, writing.image.nbytes)
        if count * largest > _LARGEST_ARRAY:
            raise OutputError(
                f"{shown(out)} would hold more than 2 GiB of pixels. Ask for fewer or smaller ones, or a folder."
            )
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
