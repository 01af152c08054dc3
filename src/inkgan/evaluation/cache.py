"""What evaluation keeps in the user's cache: feature networks, and what was computed from real images."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path

from inkgan import files
from inkgan.errors import OutputError
from inkgan.evaluation.metrics.intervals import Estimate, Interval
from inkgan.files import read_regular, write_bytes


def cache_folder() -> Path:
    """The folder of all that is kept; it may not exist yet.

    Raises:
        OutputError: the system names no home folder.
    """
    return files.cache_folder() / "features"


def write_to_cache(path: Path, content: bytes) -> None:
    """Write a file of the cache. A cache that cannot be written costs time, nothing else."""
    with contextlib.suppress(OutputError):
        write_bytes(path, content)


def cached_estimates(path: Path) -> dict[str, Estimate] | None:
    """The estimates by name that :func:`cache_estimates` wrote to a file; None if it is missing or damaged."""
    try:
        kept = json.loads(read_regular(path))
        return {name: Estimate(v, error, Interval(low, high)) for name, (v, error, low, high) in kept.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return None


def cache_estimates(path: Path, estimates: Mapping[str, Estimate]) -> None:
    """Keep estimates for :func:`cached_estimates`."""
    kept = {
        name: [one.value, one.standard_error, one.interval.low, one.interval.high] for name, one in estimates.items()
    }
    write_to_cache(path, json.dumps(kept).encode())
