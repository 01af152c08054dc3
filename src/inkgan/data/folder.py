"""A user's own folder of images, as a data set.

::

    folder/*.png                        no labels
    folder/<class>/**/*.png             labels by folder
    folder/train/..., folder/test/...   either of these below each split; also validation/, valid/ or val/

What cannot be used is skipped and counted, never half used:

- Files are PNG, JPEG, BMP, GIF, TIFF or WEBP by their content, whatever their name says.
- All images have one size, that of most of them; images of another size are skipped, not stretched.
- If every image is grey the set has one channel, else three.
- Transparent pixels become white, as on paper.
- Orientation notes of cameras, in JPEG, TIFF and WEBP, are followed.
- 16 bits become 8 by dropping the low ones. CMYK and other colour models become RGB.
- Pictures with several frames are skipped: it is not known which one is meant. (Phones add a preview to a
  JPEG, which is then of format MPO; of these the picture itself is used.)
"""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import stat
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from inkgan.data.sets import MAX_BYTES, MAX_SIDE, DataSet, Split, hold_out, make, size_text
from inkgan.errors import DataError, in_bytes, reason_of, shown
from inkgan.images import Images

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP")
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
_SPLITS = {"train": "train", "validation": "validation", "valid": "validation", "val": "validation", "test": "test"}
_MOST_FILE_BYTES = 64 * 2**20
_FORMATS_TEXT = "PNG, JPEG, BMP, GIF, TIFF or WEBP"
_TOO_LARGE = f"larger than {MAX_SIDE} pixels a side"
_ORIENTATION = 0x0112
# Of these formats, a note about the orientation can be read without decoding the picture.
_FROM_CAMERAS = ("JPEG", "MPO", "TIFF", "WEBP")


class _Skip(Exception):  # noqa: N818 - not an error: the image is left out and counted
    """Why an image is left out."""


@dataclass(frozen=True)
class _Found:
    """A file with an image's name: its split, and its class, which is empty outside class folders."""

    path: Path
    split: str
    label: str


def read_image_folder(folder: Path, name: str) -> DataSet:
    """Read a folder of images (see the top of this file for what it may look like).

    Where there is no test folder, a tenth of the images is held out for it, and likewise for validation, by a
    permutation that no seed changes.

    Args:
        folder: the folder.
        name: what to call the set.

    Returns:
        The data set, with the reasons and counts of what was skipped.

    Raises:
        DataError: no image can be used, or the images are too many or too few.
    """
    source = shown(folder)
    skipped: Counter[str] = Counter()
    found, size = _of_one_size(_labelled(_walk(folder, skipped), skipped), skipped)
    images, found = _decode(found, size, source, skipped)
    if not found:
        why = "; ".join(f"{count} {reason}" for reason, count in skipped.most_common(2)) or "it is empty"
        raise DataError(f"{source} holds no image that can be used ({why}). Put in {_FORMATS_TEXT} files.")
    names = _class_names(found)
    numbers = {label: number for number, label in enumerate(names)}
    parts = {}
    for split in ("train", "validation", "test"):
        where = np.array([at for at, one in enumerate(found) if one.split == split], np.intp)
        labels = np.array([numbers[found[at].label] for at in where], np.int64) if names else None
        # One split, the usual case, is all of the images: no copy.
        parts[split] = Split(images if len(where) == len(images) else images[where], labels)
    missing = [split for split in ("validation", "test") if not len(parts[split])]
    parts |= zip(("train", *missing), hold_out(parts["train"], len(missing), source), strict=True)
    return make(name, list(parts.values()), [shown(label) for label in names], source, skipped)


def count_files(folder: Path, most: int) -> tuple[int, int]:
    """How many files below a folder may be images, looking at no more than ``most``, and their classes."""
    found = _labelled(itertools.islice(_walk(folder, Counter()), most), Counter())
    return len(found), len(_class_names(found))


def _walk(folder: Path, skipped: Counter[str]) -> Iterator[_Found]:
    """All files with an image's name below a folder in a fixed order; hidden ones are passed over."""

    def unreadable(error: OSError) -> None:
        skipped[f"folder that cannot be read ({reason_of(error)})"] += 1

    splits = _SPLITS if (folder / "train").is_dir() else {}
    seen: set[Path] = set()
    for at, folders, files in os.walk(folder, onerror=unreadable, followlinks=True):
        if (real := Path(at).resolve()) in seen:  # a link, perhaps to the folder it lies in
            skipped["folder that was read already (a link)"] += 1
            folders.clear()
            continue
        seen.add(real)
        # What lies outside the splits comes last: they may hold links to it.
        folders[:] = sorted(filter(_visible, folders), key=lambda name: (name not in splits, name))
        below = Path(at).relative_to(folder).parts
        split = splits.get("".join(below[:1]), "") if splits else "train"
        label = "".join(below[1:2] if splits else below[:1])
        for name in sorted(filter(_visible, files)):
            if not name.lower().endswith(SUFFIXES):
                skipped["not an image by its name"] += 1
            elif not split:
                skipped["outside train/, validation/ and test/"] += 1
            else:
                yield _Found(Path(at, name), split, label)


def _visible(name: str) -> bool:
    return not name.startswith(".")


def _labelled(found: Iterable[_Found], skipped: Counter[str]) -> list[_Found]:
    """Where some images lie in class folders, leave out those that do not."""
    every = list(found)
    kept = [one for one in every if one.label] or every
    if len(kept) < len(every):
        skipped["outside the class folders"] += len(every) - len(kept)
    return kept


def _class_names(found: Iterable[_Found]) -> list[str]:
    """The classes in order: by value if all are numbers, so that folder ``7`` is label 7, else by name."""
    names = sorted({one.label for one in found} - {""})
    if all(name.isascii() and name.isdigit() for name in names):
        names.sort(key=lambda name: (int(name[:18]), name))
    return names


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Open an image without decoding it; what must not be decoded, or goes wrong in it, becomes a :class:`_Skip`."""
    try:
        _check_file(path.stat())
        # Pillow warns of many small flaws; whether a file is used must not depend on the user's warning filters.
        with warnings.catch_warnings(action="ignore"), Image.open(path, formats=FORMATS) as image:
            _check_image(image)
            yield image
    except _Skip:
        raise
    except Image.DecompressionBombError as error:
        raise _Skip(_TOO_LARGE) from error
    except UnidentifiedImageError as error:
        raise _Skip(f"not {_FORMATS_TEXT} by its content") from error
    except Exception as error:  # a damaged file can make a decoder raise nearly anything
        if isinstance(error, OSError) and error.errno is not None:
            raise _Skip(f"cannot be read ({reason_of(error)})") from error
        raise _Skip("truncated or damaged") from error


def _check_file(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise _Skip("not a regular file")
    if not status.st_size:
        raise _Skip("empty file")
    if status.st_size > _MOST_FILE_BYTES:
        raise _Skip(f"file larger than {_MOST_FILE_BYTES >> 20} MiB")


def _check_image(image: Image.Image) -> None:
    if max(image.size) > MAX_SIDE:
        raise _Skip(_TOO_LARGE)
    if image.mode in ("I", "F"):
        raise _Skip("32 bits a pixel")
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        raise _Skip("more than one frame")


def _size(path: Path) -> tuple[int, int]:
    """The height and width of a picture as it is to be seen, without decoding it."""
    with _opened(path) as image:
        width, height = image.size
        turned = image.format in _FROM_CAMERAS and image.getexif().get(_ORIENTATION) in (5, 6, 7, 8)
        return (width, height) if turned else (height, width)


def _pixels(path: Path) -> Images:
    """Decode a picture to uint8 of shape [H, W, 1] if it is grey, else [H, W, 3]."""
    with _opened(path) as opened:
        image = ImageOps.exif_transpose(opened) if opened.format in _FROM_CAMERAS else opened
        if image.mode.startswith("I;16"):
            return (np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)[..., None]
        if image.has_transparency_data:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        colour = np.asarray(image.convert("RGB"))
    return colour[..., :1] if (colour == colour[..., :1]).all() else colour


def _of_one_size(found: Sequence[_Found], skipped: Counter[str]) -> tuple[list[_Found], tuple[int, int]]:
    """Look at every file's header; the files of the most common size, and this size as (height, width)."""
    by_size: dict[tuple[int, int], list[_Found]] = {}
    for one in found:
        try:
            by_size.setdefault(_size(one.path), []).append(one)
        except _Skip as reason:
            skipped[str(reason)] += 1
    if not by_size:
        return [], (0, 0)
    common = max(by_size, key=lambda size: len(by_size[size]))
    kept = by_size.pop(common)
    if by_size:
        skipped[f"of another size than {size_text(common)}"] += sum(map(len, by_size.values()))
    return kept, common


def _decode(
    found: Sequence[_Found], size: tuple[int, int], source: str, skipped: Counter[str]
) -> tuple[Images, list[_Found]]:
    """Decode images of one size.

    Returns:
        uint8 of shape [N, H, W, C] with C of 1 if all are grey, else 3, and the files they are from.

    Raises:
        DataError: they would take more than ``MAX_BYTES``.
    """
    _check_room((len(found), *size, 1), source)
    images = np.empty((len(found), *size, 1), np.uint8)
    kept: list[_Found] = []
    for one in found:
        try:
            pixels = _pixels(one.path)
        except _Skip as reason:
            skipped[str(reason)] += 1
            continue
        if pixels.shape[:2] != size:
            skipped["truncated or damaged"] += 1
            continue
        if pixels.shape[2] > images.shape[3]:
            _check_room((len(found), *size, 3), source)
            images = np.repeat(images, 3, axis=3)
        images[len(kept)] = pixels
        kept.append(one)
    return images[: len(kept)], kept


def _check_room(shape: tuple[int, int, int, int], source: str) -> None:
    """Raise a :class:`DataError` if images of shape [N, H, W, C] are too many to be read."""
    if (needed := math.prod(shape)) > MAX_BYTES:
        raise DataError(
            f"{source}: {shape[0]} images of {size_text(shape[1:])} take {in_bytes(needed)}; at most "
            f"{in_bytes(MAX_BYTES)} are read. Use fewer or smaller images."
        )
