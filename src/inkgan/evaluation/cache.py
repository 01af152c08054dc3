"""The cache of what is computed once from real images: where it is, and the estimates and arrays in it.

Everything works without it: a user of a container may have no home folder. Names of files contain the hashes of the
data and of the feature network.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from inkgan.data import DataSet
from inkgan.errors import OutputError
from inkgan.evaluation.features import FeatureNetwork
from inkgan.evaluation.metrics import Float32
from inkgan.evaluation.metrics.intervals import Estimate
from inkgan.files import cache_folder, one_at_a_time, open_regular, write_bytes

#: The bytes of the SHA-256 at the end of a file.
_SEAL = hashlib.sha256().digest_size
_ESTIMATES = TypeAdapter(dict[str, Estimate])


def features_folder() -> Path:
    """Return the folder of the cache for feature networks and figures of real images; it may not exist yet.

    Raises:
        OutputError: the system names no home folder.
    """
    return cache_folder() / "features"


def cache_key(data: DataSet, network: FeatureNetwork) -> str:
    """Return the part of a cached file's name that identifies its data and its network."""
    return f"{data.digest[:16]}-{network.card.sha256[:16]}"


def cached_estimates(name: str, compute: Callable[[], dict[str, Estimate]]) -> dict[str, Estimate]:
    """Return estimates of real images by name: from a file in the cache, or computed now and kept there."""
    return _ESTIMATES.validate_json(_cached(f"{name}.json", lambda: _ESTIMATES.dump_json(compute())))


def cached_array(name: str, compute: Callable[[], Float32]) -> Float32:
    """Return an array: from a file in the cache, or computed now and kept there."""

    def as_npy() -> bytes:
        buffer = io.BytesIO()
        np.save(buffer, compute())
        return buffer.getvalue()

    array: Float32 = np.load(io.BytesIO(_cached(f"{name}.npy", as_npy)), allow_pickle=False)
    return array


def _cached(name: str, compute: Callable[[], bytes]) -> bytes:
    """Return the bytes of the file with this name in the cache, or bytes that are computed now and kept there.

    The file ends with the SHA-256 of what is before it, so that any damage is noticed. It is not an error if it cannot
    be written. Of two evaluations at once, one computes, and the other waits for its file.
    """
    if (kept := _kept(name)) is not None:
        return kept
    with contextlib.ExitStack() as locked:
        with contextlib.suppress(OutputError, OSError):
            features_folder().mkdir(parents=True, exist_ok=True)
            locked.enter_context(one_at_a_time(features_folder() / f"{name}.lock"))
        if (kept := _kept(name)) is not None:  # another evaluation has just computed it
            return kept
        content = compute()
        with contextlib.suppress(OutputError):
            write_bytes(features_folder() / name, content + hashlib.sha256(content).digest())
        return content


def _kept(name: str) -> bytes | None:
    """Return the bytes in a file of the cache; None if it is missing or damaged."""
    with contextlib.suppress(OutputError, OSError), open_regular(features_folder() / name) as file:
        kept = file.read()
        content, seal = kept[:-_SEAL], kept[-_SEAL:]
        if hashlib.sha256(content).digest() == seal:
            return content
    return None
