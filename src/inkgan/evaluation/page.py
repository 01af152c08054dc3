"""Reports and comparisons as HTML: pages that fetch nothing and run nothing, and fragments for notebooks."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import numpy as np
from markupsafe import Markup

from inkgan.evaluation.report import ClassFigures, Figure, Pictures, Report
from inkgan.evaluation.text import (
    comparison_explanations,
    difference_cells,
    difference_titles,
    explanations,
    number,
    subject_lines,
    summary,
    verdict_line,
)
from inkgan.images import Images, sheet

if TYPE_CHECKING:
    from inkgan.evaluation.compare import Comparison
    from inkgan.evaluation.metrics.intervals import Interval

_COLUMNS = 12  # images of a class on the sheet
_MOST_CLASSES = 100

_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def report_page(report: Report) -> str:
    """A report as one HTML file."""
    body = Markup(report_fragment(report))  # noqa: S704 - it was escaped when it was made
    return _TEMPLATES.get_template("page.html").render(title=report.what, body=body)


def report_fragment(report: Report) -> str:
    """A report as HTML to be shown within another page."""
    pictures = report.pictures
    most = max([1.0, *(max(one.count, one.expected) for one in report.classes)])
    return _TEMPLATES.get_template("report.html").render(
        report=report,
        summary=summary(report),
        explanations=explanations(report),
        figures=[_figure_row(one) for one in report.figures],
        classes=[_class_row(one, most) for one in report.classes],
        by_class=None if pictures is None or not report.classes else _by_class(pictures, len(report.classes)),
        pairs=None if pictures is None else _pairs(pictures),
    )


def comparison_fragment(comparison: Comparison) -> str:
    """A comparison as HTML to be shown within another page."""
    pairs = [
        {
            "verdict": verdict_line(pair),
            "titles": difference_titles(pair),
            "rows": [difference_cells(one, pair) for one in pair.differences],
            "settings": pair.settings,
        }
        for pair in comparison.pairs
    ]
    return _TEMPLATES.get_template("comparison.html").render(
        subjects=subject_lines(comparison),
        pairs=pairs,
        explanations=comparison_explanations(comparison),
        notes=comparison.notes,
    )


def _figure_row(figure: Figure) -> dict[str, Any]:
    """What the template shows of a figure. Its chart runs from 0 to 100."""
    ends = (figure.interval.low, figure.interval.high, figure.floor_interval.low, figure.floor_interval.high)
    low, high = min(ends), max(ends)
    scale = 90 / (high - low) if high > low else 0.0

    def at(value: float) -> float:
        return round(4 + (value - low) * scale, 2)

    def width(interval: Interval) -> float:
        return round(max(0.8, (interval.high - interval.low) * scale), 2)

    return {
        "title": figure.title,
        "reference": figure.reference,
        "value": number(figure.value),
        "interval": f"{number(figure.interval.low)} to {number(figure.interval.high)}",
        "floor": number(figure.floor),
        "floor_interval": f"{number(figure.floor_interval.low)} to {number(figure.floor_interval.high)}",
        "better": figure.better,
        "verdict": figure.against_floor,
        "chart": {
            "low": at(figure.interval.low),
            "width": width(figure.interval),
            "value": at(figure.value),
            "floor_low": at(figure.floor_interval.low),
            "floor_width": width(figure.floor_interval),
            "floor": at(figure.floor),
        },
    }


def _class_row(one: ClassFigures, most: float) -> dict[str, Any]:
    """What the template shows of a class. Its bar runs from 0 to 100, which stands for ``most`` images."""
    row: dict[str, Any] = {
        "name": one.name,
        "count": one.count,
        "expected": f"{one.expected:.0f}",
        "bar": round(99 * one.count / most, 2),
        "mark": round(99 * one.expected / most, 2),
    }
    for name, figure in (("diversity", one.diversity), ("accuracy", one.accuracy)):
        row[name] = "-" if figure is None else number(figure.value)
        row[f"{name}_floor"] = "-" if figure is None else number(figure.floor)
    return row


def _by_class(pictures: Pictures, num_classes: int) -> str:
    """A sheet with a row for each class, blank where there are too few images."""
    count = min(num_classes, _MOST_CLASSES)
    rows: Images = np.zeros((count * _COLUMNS, *pictures.images.shape[1:]), np.uint8)
    for label in range(count):
        some = pictures.images[pictures.predicted == label][:_COLUMNS]
        rows[label * _COLUMNS : label * _COLUMNS + len(some)] = some
    return _embedded(rows, _COLUMNS)


def _pairs(pictures: Pictures) -> str:
    """A sheet of measured images, each beside its nearest training image."""
    pairs = np.stack([pictures.generated, pictures.training], axis=1)
    return _embedded(pairs.reshape(-1, *pictures.generated.shape[1:]), 8)


def _embedded(images: Images, columns: int) -> str:
    """A sheet of images as an address that holds it."""
    buffer = io.BytesIO()
    sheet(images, columns, scale=max(1, 64 // images.shape[2])).save(buffer, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
