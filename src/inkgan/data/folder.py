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
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inkgan.data.found_files import Found, Skipped, found_in, notes_on, of_one_size, require_most
from inkgan.data.picture_files import UnusableError, pixels_of
from inkgan.data.pixels import resized
from inkgan.data.sets import DataSet, ReadingOptions, assemble, distinct_names, in_order, require_room
from inkgan.data.splits import Split
from inkgan.errors import shown
from inkgan.files import Progress
from inkgan.images import Images


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
    found = found_in(folder, reading.splits, skipped)
    alike, size = (found, reading.resize) if reading.resize else of_one_size(found, folder, skipped, progress)
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
