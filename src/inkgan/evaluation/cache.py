"""The cache of what is computed once from real images: where it is, and the estimates and arrays in it.

Everything in it can be computed again, so these figures need no cache: a user of a container may have no home folder.
Names hold the hashes of the data and of the feature network.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import math
from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np

from inkgan import files
from inkgan.data import DataSet
from inkgan.errors import OutputError
from inkgan.evaluation.features import FeatureNetwork
from inkgan.evaluation.metrics import Float32
from inkgan.evaluation.metrics.intervals import Estimate, Interval
from inkgan.files import from_json, read_regular, write_bytes

#: The key of the digest of all other entries in a file of estimates.
_DIGEST = "sha256"
#: The bytes of the SHA-256 behind an array, and the most bytes of the header before it.
_SEAL, _MOST_HEADER = hashlib.sha256().digest_size, 2**10


def cache_folder() -> Path:
    """Return the folder of the cache for feature networks and figures of real images; it may not exist yet.

    Raises:
        OutputError: the system names no home folder.
    """
    return files.cache_folder() / "features"


def cache_key(data: DataSet, network: FeatureNetwork) -> str:
    """Return the part of a cached file's name that identifies its data and its network."""
    return f"{data.digest[:16]}-{network.card.sha256[:16]}"


def cached_estimates(
    name: str, compute: Callable[[], dict[str, Estimate]], needed: Collection[str] = ()
) -> dict[str, Estimate]:
    """Return estimates of real images by name: from a file in the cache, or computed now and kept there.

    Args:
        name: the name of the file.
        compute: computes the estimates.
        needed: the names of estimates that have to be among them; a file without one of them is replaced.
    """
    with contextlib.suppress(OutputError, OSError, ValueError, TypeError, AttributeError):
        kept = from_json(read_regular(cache_folder() / name))
        is_whole = kept.pop(_DIGEST, None) in (None, _digest_of(kept))  # earlier versions wrote no digest
        if is_whole and kept and kept.keys() >= set(needed):
            return {
                key: Estimate(float(value), float(error), Interval(float(low), float(high)))
                for key, (value, error, low, high) in kept.items()
            }
    found = compute()
    numbers = {key: [one.value, one.standard_error, one.interval.low, one.interval.high] for key, one in found.items()}
    _write_to_cache(name, json.dumps(numbers | {_DIGEST: _digest_of(numbers)}).encode())
    return found


def _digest_of(numbers: object) -> str:
    return hashlib.sha256(json.dumps(numbers).encode()).hexdigest()


def cached_array(name: str, shape: tuple[int, ...], compute: Callable[[], Float32]) -> Float32:
    """Return an array: from a file in the cache, or computed now and kept there.

    The file is a ``.npy`` file with its SHA-256 at the end. Without this, a change in the numbers would go unnoticed,
    and one in the header can make NumPy raise nearly any error.

    Args:
        name: the name of the file.
        shape: the shape of the array.
        compute: computes the array.
    """
    with contextlib.suppress(OutputError, OSError):
        most = _MOST_HEADER + math.prod(shape) * np.dtype(np.float32).itemsize + _SEAL
        kept = read_regular(cache_folder() / name, most)
        content, seal = kept[:-_SEAL], kept[-_SEAL:]
        if hashlib.sha256(content).digest() == seal:
            array: Float32 = np.load(io.BytesIO(content), allow_pickle=False)
            return array
    found = compute()
    buffer = io.BytesIO()
    np.save(buffer, found)
    content = buffer.getvalue()
    _write_to_cache(name, content + hashlib.sha256(content).digest())
    return found


def _write_to_cache(name: str, content: bytes) -> None:
    """Write a file to the cache; a failure is not an error, since the content can be computed again next time."""
    with contextlib.suppress(OutputError):
        write_bytes(cache_folder() / name, content)
