"""A user's own folder of images, as a data set.

::

    folder/*.png                        no labels
    folder/<class>/**/*.png             labels by folder
    folder/train/..., folder/test/...   either of these below each split; names such as val, Testing or trn will do

Files that cannot be used are skipped and counted, never half used. A folder that loses a tenth of its images, a class
or a split in this way is refused. The rules are:

- Each file is read as ``picture_files`` says.
- All images have one size, the most common one. Images of another size are skipped, unless a size is given: then all
  images are resized to it.
- If every image is grey, the set has one channel, else three.
- Images of 16 bits keep the upper eight of the bits that they use.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inkgan.data.found_files import (
    BROKEN_LINK,
    EMPTY,
    HIDDEN,
    NO_CLASS,
    NOT_AN_IMAGE,
    OTHER_SIZE,
    OUTSIDE,
    READ_ALREADY,
    RUN,
    Found,
    Skipped,
    notes_on,
    require_most,
)
from inkgan.data.picture_files import UnusableError, pixels_of, size_of
from inkgan.data.pixels import resized
from inkgan.data.sets import DataSet, ReadingOptions, assemble, distinct_names, in_order, require_room
from inkgan.data.splits import Split, split_from_name, splits_among
from inkgan.errors import DataError, listed, reason_of, shown
from inkgan.files import Progress, is_run
from inkgan.images import Images

_SUFFIXES = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".gif", ".tif", ".tiff", ".webp")

#: Pictures that are not read. Beside one of the same name that is, such a file is its original and no loss.
_OTHER_PICTURES = (".heic", ".heif", ".avif", ".jxl", ".jp2", ".pbm", ".pgm", ".ppm", ".pnm", ".tga")


def read_image_folder(folder: Path, name: str, reading: ReadingOptions, progress: Progress) -> DataSet:
    """Read a folder of images (see the top of this file for what it may look like).

    If there is no test folder, a tenth of the images is held out for it, and likewise for validation, by a permutation
    that depends on no seed.

    Returns:
        The data set, with the reasons and counts of what was skipped.

    Raises:
        DataError: no image can be used, too many cannot be used, or there are too many or too few images.
    """
    source = shown(folder)
    skipped = Skipped()
    paths = list(_walk(folder, skipped))
    found = _arranged(paths, source, reading.splits, skipped)
    alike, size = (found, reading.resize) if reading.resize else _of_one_size(found, folder, skipped)
    images, used, notes = _decode(alike, size, folder, skipped, progress)
    require_most(found, used, skipped, source)
    classes = in_order({file.class_name for file in used} - {""})
    class_names = distinct_names(classes, f"{source}: the list of its class folders")
    index_of = {name: index for index, name in enumerate(classes)}
    splits = {}
    for split in dict.fromkeys(file.split for file in used):
        where = np.array([at for at, file in enumerate(used) if file.split == split], np.intp)
        labels = np.array([index_of[used[at].class_name] for at in where], np.int64) if classes else None
        # A single split, the usual case, has all of the images and needs no copy.
        splits[split] = Split(images if len(where) == len(images) else images[where], labels)
    data = assemble(name, source, splits, class_names, reading)
    counts = {reason: len(paths) for reason, paths in skipped.items()}
    return replace(data, skipped=counts, notes=(*notes_on(used, skipped), *notes, *data.notes))


def holds_pictures(folder: Path) -> bool:
    """Whether a file in a folder, or below it, is an image by its name; False if there is no such folder."""
    return any(name.lower().endswith(_SUFFIXES) for _, _, files in os.walk(folder) for name in files)


def _walk(folder: Path, skipped: Skipped) -> Iterator[Path]:
    """Yield the files in a folder that are images by their names, in a fixed order and without hidden ones.

    If no name in a folder says so, for example in one class of several, files without an ending are looked into.
    """

    def unreadable(error: OSError) -> None:
        raise DataError(f"cannot read {shown(error.filename)}: {reason_of(error)}. Check its permissions.") from error

    seen: set[Path] = set()
    for at, folders, files in os.walk(folder, onerror=unreadable, followlinks=True):
        place = Path(at).relative_to(folder)
        if (real := Path(at).resolve()) in seen:  # a link, perhaps to the folder it lies in
            skipped.add(READ_ALREADY, place)
            folders.clear()
            continue
        seen.add(real)
        skipped.add(HIDDEN, *(place / name for name in sorted(folders) if not _visible(name)))
        # A run may lie in the folder of its images; its pictures are not among them.
        runs = {name for name in folders if is_run(Path(at, name))}
        skipped.add(RUN, *(place / name for name in sorted(runs)))
        # What lies outside the splits comes last: it may hold links to them.
        folders[:] = sorted(
            filter(_visible, {*folders} - runs), key=lambda name: (split_from_name(name)[0] is None, name)
        )
        visible = sorted(filter(_visible, files))
        if not (folders or runs or visible) and Path(at) != folder:  # .gitkeep and .DS_Store do not count
            skipped.add(EMPTY, place)
        read = {Path(name).stem for name in visible if name.lower().endswith(_SUFFIXES)}
        for name in visible:
            is_lost = name.lower().endswith(_OTHER_PICTURES) and Path(name).stem not in read
            is_unnamed = not read and _is_unnamed_picture(Path(at, name))
            if is_lost or is_unnamed or name.lower().endswith(_SUFFIXES):
                yield place / name
            else:
                is_broken = not Path(at, name).exists()  # perhaps a class on a disk that is not mounted now
                skipped.add(BROKEN_LINK if is_broken else NOT_AN_IMAGE, place / name)


def _is_unnamed_picture(path: Path) -> bool:
    """Whether a file is a picture by its content, and its name has no ending that would say something else."""
    if path.suffix:
        return False
    try:
        size_of(path)
    except UnusableError:
        return False
    return True


def _visible(name: str) -> bool:
    return not name.startswith(".")


def _arranged(paths: Sequence[Path], source: str, splits: str, skipped: Skipped) -> list[Found]:
    """Find each image's split and class from its folders; if there are class folders, skip the images outside them."""
    places = dict.fromkeys(path.parent.parts for path in paths)
    named = splits_among(list(places), splits, source)
    found = []
    for path in paths:
        below = path.parent.parts
        if not named:
            found.append(Found(path, "train", "".join(below[:1])))
        elif below and below[0] in named:
            found.append(Found(path, named[below[0]], "".join(below[1:2])))
        else:
            skipped.add(OUTSIDE, path)
    classified = [file for file in found if file.class_name]
    if not classified:
        return found
    skipped.add(NO_CLASS, *(file.path for file in found if not file.class_name))
    return classified


def _of_one_size(files: Sequence[Found], folder: Path, skipped: Skipped) -> tuple[list[Found], tuple[int, int]]:
    """Read every file's header; return the files of the most common size, and this size as (height, width)."""
    by_size: dict[tuple[int, int], list[Found]] = {}
    for file in files:
        try:
            by_size.setdefault(size_of(folder / file.path), []).append(file)
        except UnusableError as reason:
            skipped.add(str(reason), file.path)
    if not by_size:
        return [], (1, 1)
    common = max(by_size, key=lambda size: len(by_size[size]))
    kept = by_size.pop(common)
    if by_size:
        sizes = listed([f"{height}×{width}" for height, width in by_size], 3)
        skipped.add(f"{OTHER_SIZE} ({sizes})", *(file.path for others in by_size.values() for file in others))
    return kept, common


def _decode(
    files: Sequence[Found], size: tuple[int, int], folder: Path, skipped: Skipped, progress: Progress
) -> tuple[Images, list[Found], list[str]]:
    """Decode images and resize them.

    Returns:
        uint8 of shape [N, *size, C] with C of 1 if all are grey, else 3; the files they are from; and what a user
        should know about them.

    Raises:
        DataError: they would take more than ``MAX_BYTES``.
    """
    require_room(len(files) * math.prod(size), shown(folder))
    images: NDArray[Any] = np.empty((len(files), *size, 1), np.uint8)
    used: list[Found] = []
    deep: list[int] = []
    colour: list[Found] = []
    for at, file in enumerate(files):
        progress("reading images", at / len(files))
        try:
            pixels = resized(pixels_of(folder / file.path)[None], size)[0]
        except UnusableError as reason:
            skipped.add(str(reason), file.path)
            continue
        if pixels.shape[2] == 3:
            colour.append(file)
        if pixels.dtype == np.uint16:
            deep.append(len(used))
        images = _with_room_for(pixels, images, shown(folder))
        images[len(used)] = pixels
        used.append(file)
    images = images[: len(used)]
    notes = []
    if 0 < len(colour) < len(used):
        notes.append(f"all are read in colour, because of {len(colour):,} of them, such as {shown(colour[0].path)}")
    if deep:
        notes += _to_eight_bits(images, deep)
    return images.astype(np.uint8, copy=False), used, notes


def _with_room_for(pixels: NDArray[Any], images: NDArray[Any], source: str) -> NDArray[Any]:
    """Return the images with three channels if these pixels have three, and with 16 bits if these have."""
    if pixels.shape[2] > images.shape[3]:
        require_room(3 * images.size, source)
        images = np.repeat(images, 3, axis=3)
    return images.astype(np.uint16, copy=False) if pixels.dtype == np.uint16 else images


def _to_eight_bits(images: NDArray[np.uint16], deep: Sequence[int]) -> list[str]:
    """Keep, in place, the upper eight of the bits that the 16-bit images at some positions use; return notes."""
    most = int(images[deep].max())
    bits = max(8, most.bit_length() + most.bit_length() % 2)
    images[deep] >>= bits - 8
    return [f"16-bit images with values to {most:,} are taken for {bits}-bit ones"] if bits < 16 else []
