"""Weights in eight bits: every row of a kernel as whole numbers from -127 to 127 with a scale of its own.

Distances of the bundled models do not change in the second digit, and a page that holds them is a quarter as large.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]

_LARGEST = 127
_SCALE = ".scale"


def to_eight_bits(arrays: Arrays) -> dict[str, NDArray[Any]]:
    """Round kernels to eight bits.

    Args:
        arrays: floating point, by name; those that end with ``.weight`` are [rows, ...].

    Returns:
        Kernels as int8 with a float32 array ``NAME.scale`` [rows] beside each; all else as float32.
    """
    result: dict[str, NDArray[Any]] = {}
    for name, array in arrays.items():
        if not name.endswith(".weight"):
            result[name] = np.ascontiguousarray(array, np.float32)
            continue
        rows = array.reshape(len(array), -1).astype(np.float32)
        scale = np.abs(rows).max(1) / np.float32(_LARGEST)
        scale[scale == 0] = 1  # a row of zeros stays one
        result[name] = np.rint(rows / scale[:, None]).astype(np.int8).reshape(array.shape)
        result[name + _SCALE] = scale
    return result


def from_eight_bits(arrays: Arrays) -> dict[str, NDArray[np.float32]]:
    """The float32 arrays that :func:`to_eight_bits` stands for."""
    result: dict[str, NDArray[np.float32]] = {}
    for name, array in arrays.items():
        if name.endswith(_SCALE):
            continue
        scale = arrays.get(name + _SCALE)
        result[name] = array if scale is None else array * scale.reshape(-1, *[1] * (array.ndim - 1))
    return result
