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

import itertools
import os
import stat
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from inkgan.data.sets import MAX_BYTES, MAX_CLASSES, MAX_SIDE, DataSet, Images, Split, hold_out, make
from inkgan.data.wording import in_bytes, reason_of, shown
from inkgan.errors import DataError

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP")
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
_SPLITS = {
    "train": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "test": "test",
}
_MOST_FILE_BYTES = 64 * 2**20
_GREY_MODES = ("1", "L", "I;16", "I;16L", "I;16B", "I;16N")
_ORIENTATION = 0x0112
# Of these formats, a note about the orientation can be read without decoding the picture.
_FROM_CAMERAS = ("JPEG", "MPO", "TIFF", "WEBP")


class _Skip(Exception):  # noqa: N818 - not an error: the image is left out and counted
    """Why an image is left out."""


@dataclass
class _Found:
    """An image file: its split, its class (None outside class folders), and once looked at its size."""

    path: Path
    split: str
    label: str | None
    size: tuple[int, int] = (0, 0)


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
    skipped: Counter[str] = Counter()
    found = _labelled(list(_walk(folder, skipped)), skipped)
    found = _of_one_size(found, skipped)
    if not found:
        why = "; ".join(f"{count} {reason}" for reason, count in skipped.most_common(2)) or "it is empty"
        raise DataError(
            f"{shown(folder)} holds no image that can be used ({why}). Put in PNG, JPEG, BMP, GIF, TIFF or "
            "WEBP files, or the four IDX files of a set."
        )
    images, found = _decode(found, folder, skipped)
    names = _class_names(found, folder)
    numbers = {label: number for number, label in enumerate(names)}
    source = shown(folder)
    parts = {}
    for split in ("train", "validation", "test"):
        where = np.array([at for at, one in enumerate(found) if one.split == split], np.intp)
        labels = np.array([numbers[found[at].label or ""] for at in where], np.int64) if names else None
        # One split, the usual case, is all of the images: no copy.
        parts[split] = Split(images if len(where) == len(images) else images[where], labels)
    return make(name, _three(parts, source), [_printable(label) for label in names], source, skipped)


def count_files(folder: Path, most: int) -> tuple[int, int]:
    """How many files below a folder may be images, looking at no more than ``most``, and their classes."""
    found = _labelled(list(itertools.islice(_walk(folder, Counter()), most)), Counter())
    return len(found), len({one.label for one in found if one.label is not None})


def _three(parts: dict[str, Split], source: str) -> list[Split]:
    """Train, validation and test, held out of the train images where there are none."""
    train, validation, test = parts["train"], parts["validation"], parts["test"]
    if not len(test) and not len(validation):
        return hold_out(train, 2, source)
    if not len(test):
        train, test = hold_out(train, 1, source)
    elif not len(validation):
        train, validation = hold_out(train, 1, source)
    if not len(train):
        raise DataError(f"{source}: no image below train/ can be used. Put the images to learn from there.")
    return [train, validation, test]


def _printable(name: str) -> str:
    """A class name that can be printed and stored, from a folder name that may be any bytes."""
    return shown(name)


def _walk(folder: Path, skipped: Counter[str]) -> Iterator[_Found]:
    """All candidates below a folder in a fixed order, with split and class; hidden files are passed over."""
    by_split = {}
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 - names, not paths: they may be any bytes
    except OSError as error:
        raise DataError(f"cannot read {shown(folder)}: {reason_of(error)}. Check its rights.") from error
    if (folder / "train").is_dir():
        by_split = {name: _SPLITS[name] for name in names if name in _SPLITS and (folder / name).is_dir()}
    seen: set[tuple[int, int]] = set()
    if not by_split:
        yield from _below(folder, (), "train", seen, skipped)
        return
    for name, split in by_split.items():
        yield from _below(folder / name, (), split, seen, skipped)
    outside: Counter[str] = Counter()
    for name in names:
        if name not in by_split and not name.startswith("."):
            kept = list(_one(folder / name, (), "", seen, outside))
            skipped["outside train/, validation/ and test/"] += len(kept)


def _below(
    folder: Path, classes: tuple[str, ...], split: str, seen: set[tuple[int, int]], skipped: Counter[str]
) -> Iterator[_Found]:
    """The candidates in one folder and those below it."""
    waiting = [(folder, classes)]
    while waiting:
        at, labels = waiting.pop()
        try:
            status = at.stat()
            if (status.st_dev, status.st_ino) in seen:
                # A link to a folder that was read already, perhaps to the one it lies in.
                skipped["folder that was read already (a link)"] += 1
                continue
            seen.add((status.st_dev, status.st_ino))
            names = sorted(os.listdir(at))  # noqa: PTH208 - names, not paths: they may be any bytes
        except OSError as error:
            skipped[f"folder that cannot be read ({reason_of(error)})"] += 1
            continue
        folders = []
        for name in names:
            path = at / name
            if name.startswith("."):
                continue
            if path.is_dir():
                folders.append((path, labels or (name,)))
            else:
                yield from _one(path, labels, split, seen, skipped)
        waiting.extend(reversed(folders))


def _one(
    path: Path, labels: tuple[str, ...], split: str, seen: set[tuple[int, int]], skipped: Counter[str]
) -> Iterator[_Found]:
    """One path as a candidate, or all below it if it is a folder."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        skipped[f"cannot be read ({reason_of(error)})"] += 1
        return
    if stat.S_ISDIR(mode):
        yield from _below(path, labels, split, seen, skipped)
    elif not path.name.lower().endswith(SUFFIXES):
        skipped["not an image by its name"] += 1
    elif not stat.S_ISREG(mode):
        skipped["not a regular file"] += 1
    else:
        yield _Found(path, split, labels[0] if labels else None)


def _labelled(found: list[_Found], skipped: Counter[str]) -> list[_Found]:
    """Where some images lie in class folders, leave out those that do not."""
    if not any(one.label is not None for one in found):
        return found
    kept = [one for one in found if one.label is not None]
    if len(kept) < len(found):
        skipped["outside the class folders"] += len(found) - len(kept)
    return kept


def _class_names(found: Iterable[_Found], folder: Path) -> list[str]:
    """The classes in order: by value if all are numbers, so that folder ``7`` is label 7, else by name."""
    names = sorted({one.label for one in found if one.label is not None})
    if len(names) > MAX_CLASSES:
        raise DataError(f"{shown(folder)} has {len(names)} class folders; at most {MAX_CLASSES} are allowed.")
    if all(name.isascii() and name.isdigit() for name in names):
        names.sort(key=lambda name: (int(name[:18]), name))
    return names


def _open(path: Path) -> Image.Image:
    """Open an image without decoding it, and refuse what must not be decoded.

    Raises:
        _Skip: with the reason.
    """
    size = path.stat().st_size
    if not size:
        raise _Skip("empty file")
    if size > _MOST_FILE_BYTES:
        raise _Skip(f"file larger than {_MOST_FILE_BYTES >> 20} MiB")
    image = Image.open(path, formats=FORMATS)
    reason = ""
    if max(image.size) > MAX_SIDE:
        reason = f"larger than {MAX_SIDE} pixels a side"
    elif image.mode in ("I", "F"):
        reason = "32 bits a pixel"
    elif image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        reason = "more than one frame"
    if reason:
        image.close()
        raise _Skip(reason)
    return image


def _attempt(path: Path, *, decode: bool) -> tuple[tuple[int, int], npt.NDArray[np.uint8] | None]:
    """Look at one image file, or decode it.

    Returns:
        (height, width) as it is to be seen, and with ``decode`` uint8 of shape [H, W] or [H, W, 3].

    Raises:
        _Skip: with the reason.
    """
    try:
        # Pillow warns of many small flaws; whether a file is used must not depend on the user's warning
        # filters.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with _open(path) as image:
                if decode:
                    pixels = _pixels(image)
                    return pixels.shape[:2], pixels
                width, height = image.size
                turned = image.format in _FROM_CAMERAS and image.getexif().get(_ORIENTATION, 1) in (
                    5,
                    6,
                    7,
                    8,
                )
                return ((width, height) if turned else (height, width)), None
    except _Skip:
        raise
    except Image.DecompressionBombError as error:
        raise _Skip(f"larger than {MAX_SIDE} pixels a side") from error
    except UnidentifiedImageError as error:
        raise _Skip("not PNG, JPEG, BMP, GIF, TIFF or WEBP by its content") from error
    except Exception as error:  # a damaged file can make a decoder raise nearly anything
        raise _Skip("truncated or damaged") from error


def _pixels(image: Image.Image) -> npt.NDArray[np.uint8]:
    """Decode an image to uint8 of shape [H, W] if it is grey, else [H, W, 3]."""
    if image.format in _FROM_CAMERAS:
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):
        return (np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        paper = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(paper, image)
    if image.mode in _GREY_MODES:
        return np.asarray(image.convert("L"))
    colour = np.asarray(image.convert("RGB"))
    grey = colour[..., 0]
    if np.array_equal(grey, colour[..., 1]) and np.array_equal(grey, colour[..., 2]):
        return np.ascontiguousarray(grey)
    return colour


def _of_one_size(found: list[_Found], skipped: Counter[str]) -> list[_Found]:
    """Look at every file's header, and keep those of the most common size."""
    usable = []
    for one in found:
        try:
            one.size, _ = _attempt(one.path, decode=False)
        except _Skip as reason:
            skipped[str(reason)] += 1
        else:
            usable.append(one)
    sizes = Counter(one.size for one in usable)
    if not sizes:
        return []
    (common, count), *_ = sizes.most_common(1)
    if count < len(usable):
        skipped[f"of another size than {common[0]}x{common[1]}"] += len(usable) - count
    return [one for one in usable if one.size == common]


def _decode(found: list[_Found], folder: Path, skipped: Counter[str]) -> tuple[Images, list[_Found]]:
    """Decode images of one size.

    Returns:
        uint8 of shape [N, H, W, C] with C of 1 if all are grey, else 3, and the files they are from.

    Raises:
        DataError: they would take more than ``MAX_BYTES``, or none can be decoded.
    """
    height, width = found[0].size
    images = np.empty((_checked(found, 1, folder), height, width, 1), np.uint8)
    kept: list[_Found] = []
    for one in found:
        try:
            _, pixels = _attempt(one.path, decode=True)
        except _Skip as reason:
            skipped[str(reason)] += 1
            continue
        if pixels is None or pixels.shape[:2] != (height, width):
            skipped["truncated or damaged"] += 1
            continue
        if pixels.ndim == 3 and images.shape[3] == 1:
            grey = images
            images = np.empty((_checked(found, 3, folder), height, width, 3), np.uint8)
            images[: len(kept)] = grey[: len(kept)]
        images[len(kept)] = pixels if pixels.ndim == 3 else pixels[..., None]
        kept.append(one)
    if not kept:
        raise DataError(
            f"{shown(folder)}: none of its {len(found)} image(s) of {height}x{width} pixels can be decoded. "
            "Check the files."
        )
    return images[: len(kept)], kept


def _checked(found: list[_Found], channels: int, folder: Path) -> int:
    """The number of images, if there is room for them."""
    height, width = found[0].size
    needed = len(found) * height * width * channels
    if needed > MAX_BYTES:
        raise DataError(
            f"{shown(folder)}: {len(found)} images of {height}x{width}x{channels} take {in_bytes(needed)}; "
            f"at most {in_bytes(MAX_BYTES)} are read. Use fewer or smaller images."
        )
    return len(found)
