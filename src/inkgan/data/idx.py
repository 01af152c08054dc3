"""The IDX format of MNIST and its relatives: a header with the shape, then the numbers, big-endian.

::

    bytes 0-1   zero
    byte  2     the type of the numbers: 0x08 uint8, 0x09 int8, 0x0B int16, 0x0C int32, 0x0D float32, 0x0E
    float64 byte  3     the number of dimensions d
    4 d bytes   the size of each dimension, as big-endian 32-bit integers
    the rest    the numbers, the last dimension varying fastest

Nothing in a file is believed before it is checked: the shape of the header must agree with the size of the
file before memory is taken for it, and a compressed file is read no further than its header promises.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from inkgan.data.sets import MAX_BYTES, MAX_SIDE, Images, Labels
from inkgan.data.wording import in_bytes, reason_of, shown
from inkgan.errors import DataError

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MOST_DIMENSIONS = 8
_CHUNK = 1 << 20

DEFLATE_LIMIT = 1040
"""No deflate stream grows by more than 1032 times; a header that claims more cannot be true."""

_STARTS = {
    b"PK\x03\x04": "a zip archive: unpack it",
    b"\xfd7zXZ": "an xz archive: unpack it",
    b"BZh": "a bzip2 archive: unpack it",
    b"\x93NUMPY": "a NumPy array: put it into an .npz file as `images`",
    b"\x89PNG": "a PNG picture",
    b"<": "a web page or XML: the download went wrong",
    b"version https://git-lfs": "a Git LFS pointer: run `git lfs pull`",
}


@dataclass(frozen=True)
class Header:
    """What the first bytes of an IDX file say.

    Attributes:
        dtype: the type of the numbers, big-endian.
        shape: the size of each dimension.
        length: the number of bytes of the header itself.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    length: int

    @property
    def content(self) -> int:
        """The number of bytes that must follow the header."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_header(path: Path) -> Header:
    """Read and check only the header of an IDX file, compressed with gzip or not.

    Raises:
        DataError: the file is missing, unreadable, not IDX, or its header cannot be true for its size.
    """
    with _opened(path) as (file, compressed):
        return _header(file, path, compressed=compressed)


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
    with _opened(path) as (file, compressed):
        header = _header(file, path, compressed=compressed)
        content = np.empty(header.content, np.uint8)
        view = content.data
        filled = 0
        while filled < len(view):
            count = file.readinto(view[filled : filled + _CHUNK])  # type: ignore[attr-defined]
            if not count:
                raise DataError(
                    f"{shown(path)} is truncated: its header promises {in_bytes(header.content)} of numbers, "
                    f"it holds {in_bytes(filled)}. Copy or download it again."
                )
            filled += count
        if file.read(1):
            raise DataError(
                f"{shown(path)} is longer than its header says ({in_bytes(header.content)} of numbers). "
                "Copy or download it again."
            )
    array = content.view(header.dtype).reshape(header.shape)
    return array.astype(header.dtype.newbyteorder("="), copy=False)


def read_images(path: Path) -> Images:
    """Read an IDX file of images.

    Three dimensions are [N, H, W], grey; four are [N, H, W, C] or, where only that fits, [N, C, H, W], with
    C of 1 or 3.

    Returns:
        uint8 of shape [N, H, W, C].

    Raises:
        DataError: as :func:`read`, or the file holds something else than such images.
    """
    check_images(read_header(path), path)
    return with_channels(read(path), path)


def check_images(header: Header, path: Path) -> None:
    """Raise a :class:`DataError` if a header is not one of images (before the images are read)."""
    shape = "x".join(map(str, header.shape))
    if len(header.shape) < 3:
        what = "labels" if len(header.shape) == 1 else "numbers of two dimensions"
        raise DataError(f"{shown(path)} holds {what} ({shape}) where images belong. Check the file names.")
    if header.dtype != np.uint8:
        raise DataError(
            f"{shown(path)} holds numbers of type {header.dtype.name}; images must be uint8, 0 to 255. "
            "Convert them, or use an .npz file."
        )
    if len(header.shape) > 4:
        raise DataError(f"{shown(path)} has {len(header.shape)} dimensions ({shape}); images have 3 or 4.")


def with_channels(images: npt.NDArray[np.uint8], path: Path) -> Images:
    """Bring images of shape [N, H, W], [N, H, W, C] or [N, C, H, W] to [N, H, W, C].

    Raises:
        DataError: the shape is none of these, there are no images, or a side is over ``MAX_SIDE`` pixels.
    """
    shape = "x".join(map(str, images.shape))
    if images.ndim == 3:
        images = images[..., None]
    elif images.ndim == 4 and images.shape[3] not in (1, 3) and images.shape[1] in (1, 3):
        images = np.moveaxis(images, 1, 3)
    if images.ndim != 4 or images.shape[3] not in (1, 3):
        raise DataError(
            f"{shown(path)}: images of shape {shape}; allowed are [N, H, W], [N, H, W, C] and [N, C, H, W] "
            "with C of 1 or 3. Convert them."
        )
    count, height, width, _ = images.shape
    if not count or not 1 <= height <= MAX_SIDE or not 1 <= width <= MAX_SIDE:
        raise DataError(
            f"{shown(path)}: {count} images of {height}x{width} pixels; allowed are 1 or more images of 1 to "
            f"{MAX_SIDE} pixels a side."
        )
    return np.ascontiguousarray(images)


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
    header = read_header(path)
    if len(header.shape) != 1:
        what = "images" if len(header.shape) > 2 else "a table"
        shape = "x".join(map(str, header.shape))
        raise DataError(f"{shown(path)} holds {what} ({shape}) where labels belong. Check the file names.")
    if header.dtype.kind not in "iu":
        raise DataError(f"{shown(path)} holds {header.dtype.name} numbers; labels must be integers.")
    if header.shape[0] != count:
        raise DataError(
            f"{shown(path)} has {header.shape[0]} labels for {count} images; there must be one each. "
            "Check that the two files belong together."
        )
    return read(path).astype(np.int64)


def sha256_of_content(path: Path) -> str:
    """The SHA-256, in hexadecimal, of a file's bytes after decompression, read in bounded memory and time.

    Raises:
        DataError: the file cannot be read, is damaged, or grows beyond ``MAX_BYTES``.
    """
    digest = hashlib.sha256()
    total = 0
    with _opened(path) as (file, _):
        while chunk := file.read(_CHUNK):
            total += len(chunk)
            if total > MAX_BYTES + _CHUNK:
                raise DataError(f"{shown(path)} holds more than {in_bytes(MAX_BYTES)}. It is not used.")
            digest.update(chunk)
    return digest.hexdigest()


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, bool]]:
    """Open a file, through gzip if its first bytes say so; turn what goes wrong in reading into one line."""
    try:
        if not path.is_file():
            what = "is not a file" if path.exists() else "does not exist"
            raise DataError(f"{shown(path)} {what}. An IDX file is needed there.")
        with path.open("rb") as raw:
            compressed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            if compressed:
                with gzip.GzipFile(fileobj=raw) as file:
                    yield cast("BinaryIO", file), True
            else:
                yield raw, False
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise DataError(f"{shown(path)} is a damaged or truncated gzip file. Copy or download it again.") from error
    except OSError as error:
        raise DataError(f"cannot read {shown(path)}: {reason_of(error)}. Check the file and its rights.") from error


def _header(file: BinaryIO, path: Path, *, compressed: bool) -> Header:
    """Read the header of an open IDX file and check it against the size of the file on disk."""
    size = path.stat().st_size
    start = file.read(4)
    if not start:
        raise DataError(f"{shown(path)} is empty; an IDX file is needed. Copy or download it again.")
    if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in _TYPES or not 1 <= start[3] <= _MOST_DIMENSIONS:
        raise DataError(_not_idx(path, start + file.read(32)))
    dimensions = start[3]
    sizes = file.read(4 * dimensions)
    if len(sizes) < 4 * dimensions:
        raise DataError(f"{shown(path)} is truncated: it ends within its header. Copy or download it again.")
    header = Header(np.dtype(_TYPES[start[2]]), struct.unpack(f">{dimensions}I", sizes), 4 + 4 * dimensions)
    if header.content > MAX_BYTES:
        raise DataError(
            f"{shown(path)} claims {in_bytes(header.content)} of numbers; at most {in_bytes(MAX_BYTES)} are "
            "read. Split it into smaller files."
        )
    needed = header.length + header.content
    if needed > size * DEFLATE_LIMIT if compressed else needed != size:
        raise DataError(
            f"{shown(path)} is {in_bytes(size)}, but its header promises {in_bytes(needed)}: it is truncated "
            "or has something appended. Copy or download it again."
        )
    return header


def _not_idx(path: Path, start: bytes) -> str:
    """The message for a file that does not start as IDX does, with what it is instead where that is known."""
    for magic, what in _STARTS.items():
        if start.lstrip().startswith(magic):
            return f"{shown(path)} is not an IDX file but {what}."
    return (
        f"{shown(path)} is not an IDX file: it starts with {start[:4].hex(' ')}, not with 00 00, a type and "
        "a number of dimensions. Check what it is."
    )
