"""Small data files for the tests of inkgan.data, and checks that these tests share."""

from __future__ import annotations

import gzip
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from inkgan.errors import DataError
from refusals import refusal

CODES = {"uint8": 0x08, "int8": 0x09, "int16": 0x0B, "int32": 0x0C, "float32": 0x0D, "float64": 0x0E}
PLAIN = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def idx_bytes(array: npt.NDArray[Any]) -> bytes:
    header = bytes([0, 0, CODES[array.dtype.name], array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def pixels(count: int, *shape: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, *(shape or (28, 28))), dtype=np.uint8)


def numbers(count: int, classes: int = 10) -> npt.NDArray[np.uint8]:
    return (np.arange(count) % classes).astype(np.uint8)


def write_set(
    folder: Path,
    names: tuple[str, ...] = PLAIN,
    *,
    shape: tuple[int, ...] = (28, 28),
    zipped: bool = True,
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Write an IDX set of 24 training and 6 test images, and return both."""
    folder.mkdir(parents=True, exist_ok=True)
    train, test = pixels(24, *shape), pixels(6, *shape, seed=1)
    arrays = (train, numbers(24), test, numbers(6))
    for name, array in zip(names, arrays, strict=True):
        content = idx_bytes(array)
        target = folder / (f"{name}.gz" if zipped else name)
        target.write_bytes(gzip.compress(content, 1) if zipped else content)
    return train, test


def one_line(error: DataError, path: Path) -> None:
    """Check that an error is one printable line that names the file."""
    assert str(error).isprintable()
    assert path.name in str(error)


def complaint(call: Callable[[], object], *needed: str) -> str:
    """Return the message of a call's DataError, checked to be one printable line that is short except for the path."""
    text = refusal(call, *needed, kind=DataError)
    assert len(text.replace(tempfile.gettempdir(), "/tmp")) <= 290  # 200 and a path of 90
    return text
