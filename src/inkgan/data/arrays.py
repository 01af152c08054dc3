"""A user's own ``.npz`` file, as a data set.

It holds ``images`` of shape [N, H, W], [N, H, W, C] or [N, C, H, W] with C of 1 or 3, and may hold
``labels`` of shape [N]. Images are uint8, other integers from 0 to 255, numbers from 0 to 1, or truth values.
"""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from inkgan.data.idx import DEFLATE_LIMIT, with_channels
from inkgan.data.sets import MAX_BYTES, MAX_SIDE, DataSet, Images, Labels, Split, hold_out, make
from inkgan.data.wording import in_bytes, reason_of, shown
from inkgan.errors import DataError

_HEADER_LIMIT = 10_000
_CHUNK_ROWS = 1024
_NEEDED = "an .npz file with an array `images` and, if there are labels, `labels`"


def read_npz(path: Path, name: str) -> DataSet:
    """Read a user's ``.npz`` file; a tenth each is held out for validation and test, by a fixed permutation.

    Nothing in it is run (pickled objects are refused), and no array is made before its size is checked.

    Raises:
        DataError: the file is missing, damaged, too large, or holds something else.
    """
    try:
        images, labels = _read(path)
    except DataError:
        raise
    except OSError as error:
        raise DataError(f"cannot read {shown(path)}: {reason_of(error)}. Check the file and its rights.") from error
    except Exception as error:  # a damaged zip or header can make their readers raise nearly anything
        raise DataError(f"{shown(path)} is damaged or not {_NEEDED}. Write it again.") from error
    source = shown(path)
    return make(name, hold_out(Split(images, labels), 2, source), None, source)


def npz_shape(path: Path) -> tuple[int, ...] | None:
    """The shape that the header of ``images`` in an ``.npz`` file states, or None if it cannot be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            return _header(archive, "images", path)[0]
    except Exception:  # noqa: BLE001 - for a listing: what is wrong is told when the file is used
        return None


def _read(path: Path) -> tuple[Images, Labels | None]:
    if not path.is_file():
        raise DataError(f"{shown(path)} does not exist or is not a file. Give {_NEEDED}.")
    if not path.stat().st_size:
        raise DataError(f"{shown(path)} is empty. Give {_NEEDED}.")
    if not zipfile.is_zipfile(path):
        raise DataError(f"{shown(path)} is not a complete .npz file. Give {_NEEDED}, as numpy.savez writes it.")
    with zipfile.ZipFile(path) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist()[:8]]
        if "images" not in names and "images.npy" not in archive.namelist():
            raise DataError(f"{shown(path)} has no array `images`, but {shown(', '.join(names))}. Give {_NEEDED}.")
        shape, _ = _header(archive, "images", path)
        if len(shape) not in (3, 4) or math.prod(shape) > MAX_BYTES:
            raise DataError(
                f"{shown(path)}: `images` has shape {shape}; allowed are [N, H, W], [N, H, W, C] and [N, C, "
                f"H, W] with at most {MAX_SIDE} pixels a side and {in_bytes(MAX_BYTES)} in all."
            )
        images = with_channels(_to_bytes(_array(archive, "images", path), path), path)
        labels = None
        if "labels.npy" in archive.namelist():
            labels = _labels(archive, len(images), path)
    return images, labels


def _header(archive: zipfile.ZipFile, name: str, path: Path) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """The shape and type of an array in an archive, checked against the size of its member.

    Raises:
        DataError: it holds objects, is encrypted or packed in an unusual way, or its sizes cannot be true.
    """
    member = archive.getinfo(f"{name}.npy")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or member.flag_bits & 1:
        raise DataError(f"{shown(path)}: `{name}` is encrypted or packed unusually. Write it with numpy.savez.")
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file, max_header_size=_HEADER_LIMIT)
        start = file.tell()
    if dtype.hasobject or dtype.kind not in "buif":
        raise DataError(f"{shown(path)}: `{name}` holds {dtype} values; only numbers are read. Convert them.")
    needed = math.prod(shape) * dtype.itemsize
    if needed > MAX_BYTES:
        raise DataError(
            f"{shown(path)}: `{name}` takes {in_bytes(needed)}; at most {in_bytes(MAX_BYTES)} are read. Use "
            "fewer images, or uint8."
        )
    if needed + start != member.file_size or member.file_size > (member.compress_size + 1) * DEFLATE_LIMIT:
        raise DataError(
            f"{shown(path)}: `{name}` promises {in_bytes(needed)} but has {in_bytes(member.file_size)}. "
            "It is damaged; write it again."
        )
    return shape, dtype


def _array(archive: zipfile.ZipFile, name: str, path: Path) -> npt.NDArray[Any]:
    """Read an array after its header was checked."""
    _header(archive, name, path)
    with archive.open(f"{name}.npy") as file:
        array: npt.NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False, max_header_size=_HEADER_LIMIT)
    return array


def _to_bytes(images: npt.NDArray[Any], path: Path) -> npt.NDArray[np.uint8]:
    """Bring pixel values to uint8, a part at a time so that no second copy of wide numbers is made."""
    if images.dtype == np.uint8:
        return images
    if not images.size:
        return images.astype(np.uint8)
    floats = images.dtype.kind == "f"
    highest = 1 if floats or images.dtype == np.bool_ else 255
    least, most = images.min(), images.max()
    if not (least >= 0 and most <= highest):  # also true for NaN
        raise DataError(
            f"{shown(path)}: `images` has {images.dtype} values from {least} to {most}; allowed are uint8, "
            "integers 0 to 255, or fractions 0 to 1. Scale them."
        )
    result = np.empty(images.shape, np.uint8)
    for start in range(0, len(images), _CHUNK_ROWS):
        rows = images[start : start + _CHUNK_ROWS]
        result[start : start + _CHUNK_ROWS] = rows if highest == 255 else np.rint(rows.astype(np.float64) * 255)
    return result


def _labels(archive: zipfile.ZipFile, count: int, path: Path) -> Labels:
    """Read the labels of ``count`` images as int64 of shape [count]."""
    shape, dtype = _header(archive, "labels", path)
    if dtype.kind not in "iu" or shape not in ((count,), (count, 1)):
        raise DataError(
            f"{shown(path)}: `labels` is {dtype} of shape {shape}; it must be integers of shape ({count},), "
            "one for each image."
        )
    labels = _array(archive, "labels", path)
    if count and labels.max() > np.iinfo(np.int64).max:
        raise DataError(f"{shown(path)}: a label is {labels.max()}; labels count from 0. Renumber them.")
    return labels.reshape(-1).astype(np.int64)
