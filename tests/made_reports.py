"""Reports of figures that a test chooses, without images, features or a network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inkgan.evaluation.metrics.intervals import Estimate, Interval
from inkgan.evaluation.report import Figure, Report

#: The number of images of every figure.
N = 500
#: The half of the width of an interval.
HALF = 0.05


def estimate(value: float, half: float = HALF) -> Estimate:
    """A value whose interval reaches as far down as up."""
    return Estimate(value, half / 2, Interval(value - half, value + half), N)


def figure(name: str, value: float, floor: float = 0.5, half: float = HALF) -> Figure:
    """A figure and its floor, with intervals of equal width."""
    return Figure.of(name, estimate(value, half), estimate(floor, half))


def report(values: Mapping[str, float], what: str = "made", **fields: Any) -> Report:
    """A report of some figures by name, each with a floor of 0.5, and one of no copies."""
    figures = tuple(figure(name, value) for name, value in {"exact_copies": 0, "copying_z": 0, **values}.items())
    given = {"kind": "model", "data": "bars", "data_digest": "d" * 64, "features": "f" * 64, "n": N, "seed": 0}
    return Report(**{"what": what, "figures": figures, "classes": (), **given, **fields})
