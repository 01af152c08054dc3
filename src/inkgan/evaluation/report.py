"""The report card of an evaluation: its typed data, and how it is told as text, JSON and one HTML file."""

from __future__ import annotations

import base64
import html
import io
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from inkgan.errors import EvaluationError
from inkgan.evaluation.metrics import Estimate, Interval
from inkgan.images import Images, sheet

FORMAT = 1
Better = Literal["lower", "higher", "like the floor"]

_COLUMNS = 12  # images of a class on the sample sheet
_MOST_CLASSES = 100


@dataclass(frozen=True)
class Figure:
    """One figure of the subject beside its floor, the same figure of held-out real images."""

    name: str
    title: str
    value: float
    interval: Interval
    n: int
    floor: float
    floor_interval: Interval
    floor_n: int
    ratio: float | None
    """Value over floor; None where the floor cannot be told from 0."""
    better: Better
    reference: str
    """What the figure was measured against."""

    @classmethod
    def of(
        cls,
        name: str,
        title: str,
        better: Better,
        reference: str,
        found: tuple[Estimate, int],
        floor: tuple[Estimate, int],
    ) -> Figure:
        """Put an estimate and its floor, each with its n, side by side."""
        (value, n), (least, floor_n) = found, floor
        known = least.interval.low > 0
        return cls(
            name=name,
            title=title,
            value=value.value,
            interval=value.interval,
            n=n,
            floor=least.value,
            floor_interval=least.interval,
            floor_n=floor_n,
            ratio=value.value / least.value if known else None,
            better=better,
            reference=reference,
        )


@dataclass(frozen=True)
class ClassFigures:
    """What was found of one class."""

    name: str
    count: int
    """Images that the feature network takes for this class."""
    expected: float
    """How many there would be in the data's proportions."""
    diversity: Figure | None
    """None if the class has too few images."""
    accuracy: Figure | None
    """None if the images have no labels, or none of this class."""


@dataclass(frozen=True, eq=False)
class Pictures:
    """What the HTML card shows: images uint8 [N, H, W, C], and pairs of a generated and its nearest training image."""

    images: Images
    predicted: npt.NDArray[np.int64]
    generated: Images
    training: Images


@dataclass(frozen=True)
class Report:
    """Everything that an evaluation found."""

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

    def __getitem__(self, name: str) -> Figure:
        """The figure of a name, such as ``"coverage"``."""
        for figure in self.figures:
            if figure.name == name:
                return figure
        raise KeyError(name)

    def as_json(self) -> str:
        """The report as JSON, without its pictures."""
        fields = asdict(replace(self, pictures=None))
        del fields["pictures"]
        return json.dumps({"format": FORMAT, **fields}, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Report:
        """Read a report that :meth:`as_json` wrote.

        Raises:
            EvaluationError: it is not a report, or one of another format.
        """
        try:
            fields = json.loads(text)
            if fields.pop("format") != FORMAT:
                raise EvaluationError(f"the report is not of format {FORMAT}. Evaluate again with this version.")
            fields["figures"] = tuple(_figure(one) for one in fields["figures"])
            fields["classes"] = tuple(_class(one) for one in fields["classes"])
            fields["notes"] = tuple(fields["notes"])
            return cls(**fields)
        except (AttributeError, KeyError, TypeError, json.JSONDecodeError) as error:
            raise EvaluationError(f"this is no evaluation report: {error}. Give a file that --json wrote.") from error


def _figure(fields: dict[str, Any]) -> Figure:
    intervals = {key: Interval(**fields[key]) for key in ("interval", "floor_interval")}
    return Figure(**{**fields, **intervals})


def _class(fields: dict[str, Any]) -> ClassFigures:
    parts = {key: None if fields[key] is None else _figure(fields[key]) for key in ("diversity", "accuracy")}
    return ClassFigures(**{**fields, **parts})


_TITLES = ("figure", "value", "95 % interval", "floor", "ratio", "better")


def _row(figure: Figure) -> tuple[str, ...]:
    ratio = "-" if figure.ratio is None else f"{figure.ratio:.3g}"
    interval = f"{number(figure.interval.low)} to {number(figure.interval.high)}"
    return (figure.title, number(figure.value), interval, number(figure.floor), ratio, figure.better)


def number(value: float) -> str:
    """A figure in four digits."""
    if value == 0 or abs(value) >= 1e-3:
        return f"{value:.4g}"
    return f"{value:.1e}"


def as_text(report: Report) -> str:
    """The report as lines for a terminal."""
    lines = [_headline(report), ""]
    rows = [_TITLES, *(_row(figure) for figure in report.figures)]
    lines += aligned(rows)
    measured = [one for one in report.classes if one.diversity or one.accuracy]
    if measured:
        lines += ["", *aligned([_CLASS_TITLES, *(_class_row(one) for one in report.classes)])]
    lines += ["", _explanation(report), *(f"note: {note}" for note in report.notes)]
    return "\n".join(lines)


_CLASS_TITLES = ("class", "images", "expected", "diversity", "floor", "accuracy", "floor")


def _class_row(one: ClassFigures) -> tuple[str, ...]:
    cells = [one.name, str(one.count), f"{one.expected:.0f}"]
    for figure in (one.diversity, one.accuracy):
        cells += ["-", "-"] if figure is None else [number(figure.value), number(figure.floor)]
    return tuple(cells)


def aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows of equal length as lines whose cells stand below each other."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _headline(report: Report) -> str:
    return f"{report.what} ({report.kind}): {report.n:,} images against {report.data}"


def _explanation(report: Report) -> str:
    return (
        "floor: the same figure of held-out real images at the same n; ratio: value over floor. "
        f"Measured in the features {report.features[:12]} with seed {report.seed} in {report.seconds:.1f} s."
    )


_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff; max-width: 62rem; margin: 2rem auto;
  padding: 0 1rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .25rem .9rem .25rem 0; border-bottom: 1px solid #ddd; }
img { max-width: 100%; image-rendering: pixelated; border: 1px solid #ddd; }
.quiet { color: #555; }
"""


def as_html(report: Report) -> str:
    """The report as one HTML file that asks for nothing from anywhere and runs nothing."""
    parts = [
        f"<h1>{html.escape(report.what)}</h1>",
        f"<p>{html.escape(_headline(report))}</p>",
        _table(_TITLES, [_row(figure) for figure in report.figures], [figure.reference for figure in report.figures]),
        f'<p class="quiet">{html.escape(_explanation(report))}</p>',
    ]
    if report.notes:
        parts.append("<ul>" + "".join(f"<li>{html.escape(note)}</li>" for note in report.notes) + "</ul>")
    parts += _picture_parts(report)
    if report.classes:
        rows = [_class_row(one) for one in report.classes]
        parts += ["<h2>Classes</h2>", _table(_CLASS_TITLES, rows, [""] * len(rows))]
    parts.append(f'<p class="quiet">Data {report.data_digest[:16]}, features {html.escape(report.features[:16])}.</p>')
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<title>{html.escape(report.what)}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]], hints: Sequence[str]) -> str:
    head = "".join(f"<th>{html.escape(title)}</th>" for title in titles)
    body = "\n".join(
        f'<tr title="{html.escape(hint)}">' + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>"
        for row, hint in zip(rows, hints, strict=True)
    )
    return f"<table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>"


def _picture_parts(report: Report) -> list[str]:
    pictures = report.pictures
    if pictures is None:
        return []
    parts = []
    if report.classes:
        by_class = _by_class(pictures, min(len(report.classes), _MOST_CLASSES))
        parts += [
            "<h2>Images by predicted class</h2>",
            _embedded(by_class, "images by predicted class, a row for each"),
        ]
        parts += ["<h2>Class histogram</h2>", _embedded(_histogram(report.classes), "images of each class")]
    between = np.stack([pictures.generated, pictures.training], axis=1).reshape(-1, *pictures.generated.shape[1:])
    parts += [
        "<h2>Closest to training images</h2>",
        "<p>A measured image and, to its right, its nearest training image in features: the closest of each class.</p>",
        _embedded(sheet(between, 8, scale=2), "pairs of a measured image and its nearest training image"),
    ]
    return parts


def _by_class(pictures: Pictures, count: int) -> Image.Image:
    """A sheet with a row for each class, blank where there are too few images."""
    rows = np.zeros((count * _COLUMNS, *pictures.images.shape[1:]), np.uint8)
    for label in range(count):
        some = pictures.images[pictures.predicted == label][:_COLUMNS]
        rows[label * _COLUMNS : label * _COLUMNS + len(some)] = some
    return sheet(rows, _COLUMNS, scale=2)


def _histogram(classes: Sequence[ClassFigures]) -> Image.Image:
    """A bar for each class, and a line where the data's proportions would have it end."""
    width, height, below = max(12, min(60, 900 // len(classes))), 160, 18
    picture = Image.new("L", (width * len(classes) + 1, height + below), 255)
    draw = ImageDraw.Draw(picture)
    most = max(1.0, *(max(one.count, one.expected) for one in classes))
    for at, one in enumerate(classes):
        left, right = at * width + 2, (at + 1) * width - 2
        draw.rectangle((left, height - math.ceil(one.count / most * (height - 10)), right, height), fill=150)
        expected = height - math.ceil(one.expected / most * (height - 10))
        draw.line((left, expected, right, expected), fill=0, width=2)
        name = one.name[: max(1, width // 8)]
        draw.text((left + 2, height + 3), name if name.isascii() else str(at), fill=0)
    return picture


def _embedded(picture: Image.Image, alt: str) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    content = base64.b64encode(buffer.getvalue()).decode()
    return f'<p><img alt="{html.escape(alt)}" src="data:image/png;base64,{content}"></p>'
