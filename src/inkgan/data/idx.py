"""The IDX format of MNIST and its relatives: a header with the shape, then the numbers, big-endian.

::

    bytes 0-1   zero
    byte  2     the type: 0x08 uint8, 0x09 int8, 0x0B int16, 0x0C int32, 0x0D float32, 0x0E float64
    byte  3     the number of dimensions d
    4 d bytes   the size of each dimension, as big-endian 32-bit integers
    the rest    the numbers, the last dimension varying fastest

Nothing in a file is believed before it is checked: the shape of the header must agree with the size of the
file before memory is taken for it, and a compressed file is read no further than its header promises.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from inkgan.data.sets import MAX_BYTES, as_images, as_labels, size_text
from inkgan.errors import DataError, in_bytes, reason_of, shown
from inkgan.images import Images, Labels

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MOST_DIMENSIONS = 8
_GZIP = b"\x1f\x8b"

DEFLATE_LIMIT = 1040
"""No deflate stream grows by more than 1032 times; a header that claims more cannot be true."""

_STARTS = {
    b"PK\x03\x04": "a zip archive: unpack it",
    b"\x93NUMPY": "a NumPy array: put it into an .npz file as `images`",
    b"<": "a web page or XML: the download went wrong",
    b"version https://git-lfs": "a Git LFS pointer: run `git lfs pull`",
}


def shape_of(path: Path) -> tuple[int, ...]:
    """The shape that the header of an IDX file states, compressed with gzip or not.

    Raises:
        DataError: the file is missing, unreadable, not IDX, or too small for what its header states.
    """
    with _opened(path) as file:
        return _header(file, path)[0]


def read(path: Path) -> npt.NDArray[Any]:
    """Read one IDX file, compressed with gzip (whatever its name) or not.

    Args:
        path: the file.

    Returns:
        The array in the file's shape and type (uint8, int8, int16, int32, float32 or float64), native-endian
        and writable.

    Raises:
        DataError: the file is missing, empty, truncated, longer than its header says, larger than
            ``MAX_BYTES``, damaged, or not IDX.
    """
    with _opened(path) as file:
        shape, dtype = _header(file, path)
        needed = math.prod(shape) * dtype.itemsize
        content = file.read(needed + 1)
    if len(content) != needed:
        what = "is truncated" if len(content) < needed else "has something appended"
        raise DataError(_damaged(path, what, needed))
    return np.frombuffer(content, dtype).reshape(shape).astype(dtype.newbyteorder("="))


def read_images(path: Path) -> Images:
    """Read an IDX file of images.

    Returns:
        uint8 of shape [N, H, W, C].

    Raises:
        DataError: as :func:`read`, or it holds something that :func:`inkgan.data.sets.as_images` does not take.
    """
    return as_images(read(path), shown(path))


def read_labels(path: Path, count: int) -> Labels:
    """Read an IDX file of labels.

    Args:
        path: the file.
        count: the number of images that they belong to.

    Returns:
        int64 of shape [count].

    Raises:
        DataError: as :func:`read`, or it holds images, numbers with a fraction, or another number of labels.
    """
    return as_labels(read(path), count, shown(path))


def sha256(path: Path, *, unpack: bool) -> str:
    """The SHA-256, in hexadecimal, of a file's bytes as they lie there or after decompression.

    Raises:
        DataError: the file cannot be read or is damaged.
    """
    with _opened(path, unpack=unpack) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def _opened(path: Path, *, unpack: bool = True) -> Iterator[io.BufferedIOBase]:
    """Open a file, through gzip if its first bytes say so; turn what goes wrong in reading into one line."""
    try:
        if not path.is_file():
            what = "is not a file" if path.exists() else "does not exist"
            raise DataError(f"{shown(path)} {what}. An IDX file is needed there.")
        with path.open("rb") as raw:
            if unpack and raw.peek(2).startswith(_GZIP):
                with gzip.open(raw) as file:
                    yield file
            else:
                yield raw
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise DataError(f"{shown(path)} is a damaged or truncated gzip file. Copy or download it again.") from error
    except OSError as error:
        raise DataError(f"cannot read {shown(path)}: {reason_of(error)}. Check the file and its rights.") from error


def _header(file: io.BufferedIOBase, path: Path) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Read the header of an open IDX file: the shape, and the type as it lies in the file.

    No more memory is promised to the numbers than a file of this size can need.
    """
    start = file.read(4)
    if not start:
        raise DataError(f"{shown(path)} is empty; an IDX file is needed. Copy or download it again.")
    if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in _TYPES or not 1 <= start[3] <= _MOST_DIMENSIONS:
        raise DataError(_not_idx(path, start + file.read(32)))
    sizes = file.read(4 * start[3])
    if len(sizes) < 4 * start[3]:
        raise DataError(f"{shown(path)} is truncated: it ends within its header. Copy or download it again.")
    shape, dtype = struct.unpack(f">{start[3]}I", sizes), np.dtype(_TYPES[start[2]])
    needed = math.prod(shape) * dtype.itemsize
    if not needed:
        raise DataError(f"{shown(path)} is empty: its header promises {size_text(shape)} numbers. Check what it is.")
    if needed > MAX_BYTES:
        raise DataError(f"{shown(path)} claims {in_bytes(needed)}; at most {in_bytes(MAX_BYTES)} are read. Use less.")
    if needed > path.stat().st_size * (DEFLATE_LIMIT if isinstance(file, gzip.GzipFile) else 1):
        raise DataError(_damaged(path, "is truncated", needed))
    return shape, dtype


def _damaged(path: Path, what: str, needed: int) -> str:
    return f"{shown(path)} {what}: its header promises {in_bytes(needed)}. Copy or download it again."


def _not_idx(path: Path, start: bytes) -> str:
    """The message for a file that does not start as IDX does, with what it is instead where that is known."""
    for magic, what in _STARTS.items():
        if start.lstrip().startswith(magic):
            return f"{shown(path)} is not an IDX file but {what}."
    return f"{shown(path)} is not an IDX file: it starts with {start[:4].hex(' ')}. Check what it is."
