"""The IDX format of MNIST and its relatives: a header with the shape, then the bytes of images or labels.

::

    bytes 0-1   zero
    byte  2     the type: 0x08, which is uint8; the format's other types are not read
    byte  3     the number of dimensions d: 1 for labels, 3 or 4 for images
    4 d bytes   the size of each dimension, as big-endian 32-bit integers
    the rest    the numbers, the last dimension varying fastest

Nothing in a file is trusted before it is checked: the shape in the header must agree with the size of the file before
memory is taken for it, and a compressed file is read no further than its header promises.
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

import numpy as np

from inkgan.data.pixels import as_images, as_labels, size_text
from inkgan.data.sets import most_unpacked, require_room
from inkgan.errors import DataError, in_bytes, shown
from inkgan.files import input_errors
from inkgan.images import Images, Labels

#: What a file of labels begins with, and one of images: the type uint8, and the number of dimensions.
_STARTS = (b"\0\0\x08\1", b"\0\0\x08\3", b"\0\0\x08\4")
_GZIP = b"\x1f\x8b"


def read(path: Path) -> Images:
    """Read one IDX file, compressed with gzip (whatever its name) or not.

    Returns:
        uint8 in the file's shape, writable.

    Raises:
        DataError: the file is missing, empty, truncated, longer than its header says, larger than
            ``MAX_BYTES``, damaged, or not IDX of uint8.
    """
    with _opened(path) as file:
        shape = _header(file, path)
        content = file.read(math.prod(shape) + 1)
    if len(content) != math.prod(shape):
        what = "is truncated" if len(content) < math.prod(shape) else "has something appended"
        raise DataError(_damaged(path, what, shape))
    return np.frombuffer(content, np.uint8).reshape(shape).copy()


def read_images(path: Path) -> Images:
    """Read an IDX file of images, as uint8 of shape [N, H, W, C].

    Raises:
        DataError: as :func:`read`, or it holds something that :func:`inkgan.data.pixels.as_images` does not take.
    """
    return as_images(read(path), shown(path))


def read_labels(path: Path, count: int) -> Labels:
    """Read an IDX file of the labels of ``count`` images, as int64 of shape [count].

    Raises:
        DataError: as :func:`read`, or it holds images or another number of labels.
    """
    return as_labels(read(path), count, shown(path))


def sha256(path: Path, *, unpack: bool) -> str:
    """Return the SHA-256, in hexadecimal, of a file's bytes, as they are or after decompression.

    Raises:
        DataError: the file cannot be read or is damaged.
    """
    with _opened(path, unpack=unpack) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def _opened(path: Path, *, unpack: bool = True) -> Iterator[io.BufferedIOBase]:
    """Open a file, through gzip if its first bytes say so; errors in reading become a :class:`DataError`."""
    with input_errors(path):
        if not path.is_file():
            what = "is not a file" if path.exists() else "does not exist"
            raise DataError(f"{shown(path)} {what}. An IDX file is needed there.")
        with path.open("rb") as raw:
            try:
                yield gzip.GzipFile(fileobj=raw) if unpack and raw.peek(2).startswith(_GZIP) else raw
            except (gzip.BadGzipFile, zlib.error, EOFError) as error:
                damage = "is a damaged or truncated gzip file"
                raise DataError(f"{shown(path)} {damage}. Copy or download it again.") from error


def _header(file: io.BufferedIOBase, path: Path) -> tuple[int, ...]:
    """Read the header of an open IDX file, and check that a file of this size can have this shape."""
    start = file.read(4)
    if not start:
        raise DataError(f"{shown(path)} is empty; an IDX file is needed. Copy or download it again.")
    if start not in _STARTS:
        given = ascii(start + file.read(12))
        raise DataError(f"{shown(path)} is not an IDX file of uint8: it starts with {given}. Check what it is.")
    dimensions = start[3]
    sizes = file.read(4 * dimensions)
    if len(sizes) < 4 * dimensions:
        raise DataError(f"{shown(path)} is truncated: it ends within its header. Copy or download it again.")
    shape = struct.unpack(f">{dimensions}I", sizes)
    needed = math.prod(shape)
    size = path.stat().st_size
    if not needed:
        raise DataError(f"{shown(path)} is empty: its header promises {size_text(shape)} numbers. Check what it is.")
    require_room(needed, shown(path))
    if needed > (most_unpacked(size) if isinstance(file, gzip.GzipFile) else size):
        raise DataError(_damaged(path, f"cannot be whole with {in_bytes(size)}", shape))
    return shape


def _damaged(path: Path, what: str, shape: tuple[int, ...]) -> str:
    return f"{shown(path)} {what}: its header promises {in_bytes(math.prod(shape))}. Copy or download it again."
