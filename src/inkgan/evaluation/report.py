"""The report of an evaluation, as typed data and as JSON; and the kinds of figures."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, TypeAdapter, ValidationError

from inkgan.errors import EvaluationError, did_you_mean
from inkgan.evaluation.metrics.intervals import Estimate, Interval
from inkgan.evaluation.report_text import report_text
from inkgan.files import from_json
from inkgan.images import Images

FORMAT = 1

Better = Literal["lower", "higher", "like the floor"]

_AS_MANY = "as many training images"
_CLASSES = "the feature network's classes"
_ALL_CLASSES = "classes of all training images"
_MOMENTS = "mean and covariance of all training images"
_NEAREST = "nearest of all training images, in features"
_NEAREST_IN_PIXELS = "nearest of all training images, in pixels"
_SCORE = "a classifier trained on the images and tested on all test images; the floor: on as many training images"


@dataclass(frozen=True)
class Kind:
    """A kind of figure.

    Attributes:
        title: its name in tables.
        better: the values that are better.
        reference: the real images, or the numbers, that the images are compared with.
        least: the smallest value that it can have.
        most: the largest value that it can have; ``classes`` for the number of classes.
    """

    title: str
    better: Better
    reference: str
    least: float = 0.0
    most: float | Literal["classes"] = math.inf


#: All figures, in the order of a report: the most important come first.
FIGURE_KINDS: dict[str, Kind] = {
    "frechet_digit_distance": Kind("Fréchet digit distance", "lower", _MOMENTS),
    "frechet_random_distance": Kind(
        "Fréchet distance, random features", "lower", f"{_MOMENTS}, in features of an untrained network"
    ),
    "kernel_digit_distance": Kind("kernel digit distance", "lower", _AS_MANY, least=-math.inf),
    "accuracy": Kind("accuracy of the class asked for", "higher", _CLASSES, most=1.0),
    "precision": Kind("precision", "higher", _AS_MANY, most=1.0),
    "recall": Kind("recall", "higher", _AS_MANY, most=1.0),
    "density": Kind("density", "higher", _AS_MANY),
    "coverage": Kind("coverage", "higher", _AS_MANY, most=1.0),
    "diversity": Kind("diversity within class", "like the floor", "mean squared distance of images of one class"),
    "classifier_score": Kind("classifier score", "higher", _CLASSES, least=1.0, most="classes"),
    "classes_covered": Kind(
        "classes covered", "higher", "a tenth of each class's share of the training images", most="classes"
    ),
    "class_total_variation": Kind("class balance, total variation", "lower", _ALL_CLASSES, most=1.0),
    "class_kl": Kind("class balance, KL (nats)", "lower", _ALL_CLASSES),
    "exact_copies": Kind("exact copies of training images", "lower", "all training images, pixel for pixel", most=1.0),
    "near_copies": Kind("near-copies of training images", "like the floor", _NEAREST, most=1.0),
    "copying_z": Kind("copying z (below -2: closer)", "like the floor", _NEAREST, least=-math.inf),
    "near_copies_pixels": Kind("near-copies, in pixels", "like the floor", _NEAREST_IN_PIXELS, most=1.0),
    "copying_z_pixels": Kind("copying z, in pixels", "like the floor", _NEAREST_IN_PIXELS, least=-math.inf),
    "classification_accuracy": Kind("classification accuracy score", "higher", _SCORE, most=1.0),
    "classification_accuracy_by_teacher": Kind("accuracy score, teacher's labels", "higher", _SCORE, most=1.0),
}


def kind_of(name: str) -> Kind:
    """Return the kind of a figure. The figure of one class has a name like ``accuracy/7``."""
    return FIGURE_KINDS[name.partition("/")[0]]


def within_range(name: str, estimate: Estimate, num_classes: int) -> Estimate:
    """Clip the interval of an estimate to the values that the figure can have; 0 classes are no limit."""
    kind = kind_of(name)
    most = (num_classes or math.inf) if kind.most == "classes" else kind.most
    low, high = max(kind.least, estimate.interval.low), min(most, estimate.interval.high)
    return replace(estimate, interval=replace(estimate.interval, low=low, high=high))


@dataclass(frozen=True)
class Figure:
    """One figure of the images with its floor, the same figure of held-out real images.

    Its verdict is ``against_floor``: ``as real`` if the two intervals overlap, else ``better``, ``worse`` or
    ``differs``.

    Attributes:
        name: the key in ``report[name]`` and in JSON, such as ``coverage``; ``accuracy/2`` is the third class's
            accuracy.
        title: the name in tables, with its unit if it has one.
        value: the measure of the given images. Shares are 0 to 1; docs/metrics.md defines the others.
        interval: a range for the mean of the value over such samples of the same generator; it does not cover another
            training.
        n: the number of images that the value is computed from. For a figure of one class, these are only the images of
            that class: for accuracy, those for which it was requested; for diversity, those that the feature network
            assigns to it.
        floor: the same measure, by the same code, of as many held-out real images (of all, for shares of copies; 0 for
            the copying z; of training images, for the accuracy score); for a figure of one class, of those among them
            that are of the class.
        floor_interval: the interval of the floor.
        floor_n: the number of held-out images that the floor is computed from.
        ratio: value over floor; None if the interval of the floor reaches 0.
        better: ``lower`` or ``higher``, or ``like the floor`` where a value on either side of the floor is worse.
        reference: the real images, or the numbers, that the images were compared with.
    """

    name: str
    title: str
    value: float
    interval: Interval
    n: int
    floor: float
    floor_interval: Interval
    floor_n: int
    ratio: float | None
    better: Better
    reference: str

    @classmethod
    def of(cls, name: str, estimate: Estimate, floor: Estimate, num_classes: int = 0) -> Figure:
        """Make a figure from its name, its estimate and its floor."""
        kind = kind_of(name)
        estimate, floor = (within_range(name, one, num_classes) for one in (estimate, floor))
        return cls(
            name=name,
            title=kind.title,
            value=estimate.value,
            interval=estimate.interval,
            n=estimate.n,
            floor=floor.value,
            floor_interval=floor.interval,
            floor_n=floor.n,
            ratio=estimate.value / floor.value if floor.interval.low > 0 else None,
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
    """The figures of one class.

    Attributes:
        name: the name of the class.
        count: the number of images that the feature network assigns to this class.
        expected: the number of images of this class if the classes were in the proportions of the training images.
        diversity: that of the images of this class; None if there are too few.
        accuracy: that of the images for which this class was requested; None if there are none, or no held-out images
            of this class.
    """

    name: str
    count: int
    expected: float
    diversity: Figure | None
    accuracy: Figure | None


@dataclass(frozen=True, eq=False)
class Pictures:
    """The images of the HTML report: uint8 [N, H, W, C], and pairs of a measured and its nearest training image."""

    images: Images
    predicted: NDArray[np.int64]
    generated: Images
    training: Images


@dataclass(frozen=True)
class Report:
    """Everything that an evaluation found; ``print`` shows it as a table, a notebook as the HTML report.

    Attributes:
        what: the subject that was measured: a path, a model's name, or ``array``.
        kind: ``model``, ``arrays`` or ``folder of images``.
        data: the name of the real images.
        data_digest: the sha256 of the real images: figures against other data cannot be compared.
        features: the sha256 of the feature network: figures in different features cannot be compared.
        n: the number of images that were measured.
        seed: the seed with which the images were drawn, or chosen from more images.
        figures: the figures, the most important first.
        classes: the figures of each class, in the order of the data's classes; empty if the data have no labels.
        notes: what a reader has to know about the images, the data and the figures.
        seconds: the time that it took.
        pictures: the images of the HTML report; not part of the JSON.
        feature_accuracy: the share of held-out images whose class the feature network predicts correctly; None if it is
            not known.
        version: the version of inkgan that measured; empty in a report of a version that did not note it.
    """

    what: str
    kind: str
    data: str
    data_digest: str
    features: str
    n: int
    seed: int
    figures: tuple[Figure, ...]
    classes: tuple[ClassFigures, ...]
    notes: tuple[str, ...] = ()
    seconds: float = field(default=0.0, compare=False)
    pictures: Pictures | None = field(default=None, compare=False, repr=False)
    feature_accuracy: float | None = None
    version: str = ""
    #: For :meth:`from_json`: pydantic knows no arrays, and would pass over a key that it does not know.
    __pydantic_config__ = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    def __getitem__(self, name: str) -> Figure:
        """Return the figure with a name such as ``"coverage"``.

        Raises:
            KeyError: there is no such figure; the message lists the names.
        """
        found = {figure.name: figure for figure in self.figures}
        if name not in found:
            names = ", ".join(found)
            raise KeyError(f"there is no figure {name!r}.{did_you_mean(str(name), found)} There are: {names}.")
        return found[name]

    def __iter__(self) -> Iterator[str]:
        """Return the names of the figures, the most important first."""
        return (figure.name for figure in self.figures)

    def as_json(self) -> str:
        """Return the report as JSON, without its pictures."""
        fields = asdict(replace(self, pictures=None))
        del fields["pictures"]
        return json.dumps({"format": FORMAT, **fields}, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def __str__(self) -> str:
        """Return the table that ``inkgan evaluate`` prints."""
        return report_text(self)

    def _repr_html_(self) -> str:
        from inkgan.evaluation.report_html import report_fragment  # noqa: PLC0415 - only a notebook needs it

        return report_fragment(self)

    @classmethod
    def from_json(cls, text: str) -> Report:
        """Read a report from JSON that :meth:`as_json` returned.

        Raises:
            EvaluationError: it is not a report, or one of another format.
        """
        try:
            fields = from_json(text)
            if fields.pop("format") != FORMAT:
                raise EvaluationError(f"the report is not of format {FORMAT}. Evaluate again with this version.")
            return TypeAdapter(cls).validate_python(fields)
        except (AttributeError, KeyError, TypeError, json.JSONDecodeError, ValidationError) as error:
            reason = f": {error}" if isinstance(error, json.JSONDecodeError) else ""
            raise EvaluationError(f"not an evaluation report{reason}. Give what as_json or --json wrote.") from error
