"""A user's own ``.npz`` file, as a data set.

It holds ``images`` of shape [N, H, W], [N, H, W, C] or [N, C, H, W] with C of 1 or 3, and may hold
``labels`` of shape [N]. Images are uint8, other integers from 0 to 255, numbers from 0 to 1, or truth values.
"""

from __future__ import annotations

import contextlib
import math
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from inkgan.data.idx import DEFLATE_LIMIT
from inkgan.data.sets import MAX_BYTES, DataSet, Split, as_images, as_labels, hold_out, make
from inkgan.errors import DataError, in_bytes, reason_of, shown

_HEADER_LIMIT = 10_000
_NEEDED = "an .npz file with an array `images` and, if there are labels, `labels`"


def read_npz(path: Path, name: str) -> DataSet:
    """Read a user's ``.npz`` file; a tenth each is held out for validation and test, by a fixed permutation.

    Nothing in it is run (pickled objects are refused), and no array is made before its size is checked.

    Raises:
        DataError: the file is missing, damaged, too large, or holds something else.
    """
    source = shown(path)
    with _opened(path) as archive:
        images, labels = as_images(_array(archive, "images", source), source), None
        if "labels.npy" in archive.namelist():
            labels = as_labels(_array(archive, "labels", source), len(images), source)
    return make(name, hold_out(Split(images, labels), 2, source), None, source)


def shape_of(path: Path) -> tuple[int, ...]:
    """The shape that the header of ``images`` in an ``.npz`` file states.

    Raises:
        DataError: the file is missing, damaged, or its images are too large or no numbers.
    """
    with _opened(path) as archive:
        return _shape(archive, "images", shown(path))


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open an ``.npz`` file that has images; turn what goes wrong in reading it into one line."""
    if not path.is_file() or not path.stat().st_size:
        what = "is empty" if path.is_file() else "is not a file"
        raise DataError(f"{shown(path)} {what}. Give {_NEEDED}.")
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except DataError:
        raise
    except OSError as error:
        raise DataError(f"cannot read {shown(path)}: {reason_of(error)}. Check the file and its rights.") from error
    except Exception as error:  # a damaged zip or header can make their readers raise nearly anything
        raise DataError(f"{shown(path)} is damaged or not {_NEEDED}. Write it again.") from error


def _shape(archive: zipfile.ZipFile, name: str, source: str) -> tuple[int, ...]:
    """The shape of an array in an archive, from its header, which is checked against the size of its member.

    Raises:
        DataError: it holds objects, is packed in an unusual way, or its sizes cannot be true.
    """
    if f"{name}.npy" not in archive.namelist():
        held = shown(", ".join(archive.namelist()[:8])) or "nothing"
        raise DataError(f"{source} has no array `{name}`, but {held}. Give {_NEEDED}.")
    member = archive.getinfo(f"{name}.npy")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError(f"{source}: `{name}` is packed unusually. Write it with numpy.savez.")
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        length = int.from_bytes(file.read(2 if version == (1, 0) else 4), "little")
        if length > _HEADER_LIMIT:  # asked here, because NumPy reads all of it before it compares
            raise DataError(f"{source}: `{name}` has a header of {length:,} bytes. Write it with numpy.savez.")
        file.seek(np.lib.format.MAGIC_LEN)
        shape, _, dtype = read(file, max_header_size=_HEADER_LIMIT)
        start = file.tell()
    if dtype.kind not in "buif":
        raise DataError(f"{source}: `{name}` holds {dtype} values; only numbers are read. Convert them.")
    needed = math.prod(shape) * dtype.itemsize
    if needed > MAX_BYTES:
        limit = in_bytes(MAX_BYTES)
        raise DataError(f"{source}: `{name}` takes {in_bytes(needed)}; at most {limit} are read. Use less, or uint8.")
    if needed + start != member.file_size or member.file_size > (member.compress_size + 1) * DEFLATE_LIMIT:
        given = in_bytes(member.file_size)
        raise DataError(
            f"{source}: `{name}` promises {in_bytes(needed)} but has {given}. It is damaged; write it again."
        )
    return shape


def _array(archive: zipfile.ZipFile, name: str, source: str) -> npt.NDArray[Any]:
    """Read an array after its header was checked."""
    _shape(archive, name, source)
    with archive.open(f"{name}.npy") as file:
        array: npt.NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False, max_header_size=_HEADER_LIMIT)
    return array
