"""The report of an evaluation, as typed data and as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from inkgan.errors import EvaluationError
from inkgan.evaluation.figures import Better, FigureWithFloor, kind_of, within_range
from inkgan.evaluation.metrics.intervals import Interval
from inkgan.files import from_json
from inkgan.images import Images

FORMAT = 1


@dataclass(frozen=True)
class Figure:
    """One figure of the images with its floor, the same figure of held-out real images."""

    name: str
    title: str
    value: float
    interval: Interval
    n: int
    floor: float
    floor_interval: Interval
    floor_n: int
    ratio: float | None
    """Value over floor; None where the floor may be 0."""
    better: Better
    reference: str
    """The real images, or the numbers, that the images were compared with."""

    @classmethod
    def of(cls, name: str, found: FigureWithFloor, title: str | None = None) -> Figure:
        """Make the figure of a name; ``title`` replaces its usual title."""
        kind = kind_of(name)
        value, floor = within_range(name, found.estimate), within_range(name, found.floor)
        return cls(
            name=name,
            title=title or kind.title,
            value=value.value,
            interval=value.interval,
            n=found.n,
            floor=floor.value,
            floor_interval=floor.interval,
            floor_n=found.floor_n,
            ratio=value.value / floor.value if floor.interval.low > 0 else None,
            better=kind.better,
            reference=kind.reference,
        )

    @property
    def against_floor(self) -> str:
        """``as real`` if the intervals of value and floor overlap, else ``better``, ``worse`` or ``differs``."""
        if self.interval.low <= self.floor_interval.high and self.floor_interval.low <= self.interval.high:
            return "as real"
        if self.better == "like the floor":
            return "differs"
        return "better" if (self.value < self.floor) == (self.better == "lower") else "worse"


@dataclass(frozen=True)
class ClassFigures:
    """The figures of one class."""

    name: str
    count: int
    """The number of images that the feature network takes for this class."""
    expected: float
    """The number of images of this class in the data's proportions."""
    diversity: Figure | None
    """None if the class has too few images."""
    accuracy: Figure | None
    """None if the images have no labels, or none of this class."""


@dataclass(frozen=True, eq=False)
class Pictures:
    """The images of the HTML report: uint8 [N, H, W, C], and pairs of a measured and its nearest training image."""

    images: Images
    predicted: npt.NDArray[np.int64]
    generated: Images
    training: Images


@dataclass(frozen=True)
class Report:
    """Everything that an evaluation found; a notebook shows it as the HTML report."""

    what: str
    kind: str
    data: str
    data_digest: str
    features: str
    """The sha256 of the feature network: figures of different ones cannot be compared."""
    n: int
    seed: int
    figures: tuple[Figure, ...]
    classes: tuple[ClassFigures, ...]
    notes: tuple[str, ...] = ()
    seconds: float = field(default=0.0, compare=False)
    pictures: Pictures | None = field(default=None, compare=False, repr=False)
    """Not part of the JSON."""
    feature_accuracy: float | None = None
    """The share of held-out images whose class the feature network predicts right; None if it is not known."""

    def __getitem__(self, name: str) -> Figure:
        """Return the figure of a name, such as ``"coverage"``."""
        return {figure.name: figure for figure in self.figures}[name]

    def __contains__(self, name: object) -> bool:
        """Whether there is a figure of this name."""
        return any(figure.name == name for figure in self.figures)

    def as_json(self) -> str:
        """Write the report as JSON, without its pictures."""
        fields = asdict(replace(self, pictures=None))
        del fields["pictures"]
        return json.dumps({"format": FORMAT, **fields}, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def _repr_html_(self) -> str:
        from inkgan.evaluation.page import report_fragment  # noqa: PLC0415 - only a notebook needs it

        return report_fragment(self)

    @classmethod
    def from_json(cls, text: str) -> Report:
        """Read a report that :meth:`as_json` wrote.

        Raises:
            EvaluationError: it is not a report, or one of another format.
        """
        try:
            fields = from_json(text)
            if fields.pop("format") != FORMAT:
                raise EvaluationError(f"the report is not of format {FORMAT}. Evaluate again with this version.")
            fields["figures"] = tuple(_figure(one) for one in fields["figures"])
            fields["classes"] = tuple(_class(one) for one in fields["classes"])
            fields["notes"] = tuple(fields["notes"])
            return cls(**fields)
        except (AttributeError, KeyError, TypeError, json.JSONDecodeError) as error:
            raise EvaluationError(f"not an evaluation report: {error}. Give a file that --json wrote.") from error


def _figure(fields: dict[str, Any]) -> Figure:
    intervals = {key: Interval(**fields[key]) for key in ("interval", "floor_interval")}
    return Figure(**{**fields, **intervals})


def _class(fields: dict[str, Any]) -> ClassFigures:
    parts = {key: None if fields[key] is None else _figure(fields[key]) for key in ("diversity", "accuracy")}
    return ClassFigures(**{**fields, **parts})
