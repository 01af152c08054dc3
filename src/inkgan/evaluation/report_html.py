"""Reports and comparisons as HTML: self-contained pages without scripts, and fragments for notebooks."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2
import numpy as np

from inkgan.data.sets import by_class
from inkgan.evaluation import report_text
from inkgan.evaluation.report import Figure, Report
from inkgan.images import Images, png_bytes, sheet

if TYPE_CHECKING:
    from inkgan.evaluation.compare import Comparison
    from inkgan.evaluation.metrics.intervals import Interval

_COLUMNS = 12  # images of a class on the sheet
_MOST_CLASSES = 100
_PAIRS_IN_ROW = 4

_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.globals["text"] = report_text  # words and numbers are those of the text


def report_page(report: Report) -> str:
    """Return a report as one HTML file."""
    return _TEMPLATES.get_template("page.html").render(title=report.what, body=report_fragment(report))


def report_fragment(report: Report) -> str:
    """Return a report as HTML for use within another page."""
    pictures = report.pictures
    rows = pairs = None
    if pictures is not None:
        scale = max(1, 64 // pictures.generated.shape[2])  # small images are enlarged
        pairs = _embedded(_side_by_side(pictures.generated, pictures.training), _PAIRS_IN_ROW, scale)
        if classes := report.classes[:_MOST_CLASSES]:
            images = by_class(pictures.images, pictures.predicted, len(classes), _COLUMNS)
            sheets = [_embedded(row, _COLUMNS, scale) for row in np.split(images, len(classes))]
            rows = [(one.name, sheet) for one, sheet in zip(classes, sheets, strict=True)]
    return _TEMPLATES.get_template("report.html").render(
        report=report,
        figures=[(figure, _chart(figure)) for figure in report.figures],
        most=max([1.0, *(max(one.count, one.expected) for one in report.classes)]),
        by_class=rows,
        pairs=pairs,
    )


def comparison_fragment(comparison: Comparison) -> str:
    """Return a comparison as HTML for use within another page."""
    return _TEMPLATES.get_template("comparison.html").render(comparison=comparison)


def _chart(figure: Figure) -> dict[str, float]:
    """Return the positions of a figure, its floor and their intervals on a scale from 0 to 100."""
    value, floor = figure.interval, figure.floor_interval
    low, high = min(value.low, floor.low), max(value.high, floor.high)
    scale = 90 / (high - low) if high > low else 0.0

    def at(place: float) -> float:
        return round(4 + (place - low) * scale, 2)

    def width(interval: Interval) -> float:
        return round(max(0.8, interval.width * scale), 2)

    return {
        "low": at(value.low),
        "width": width(value),
        "value": at(figure.value),
        "floor_low": at(floor.low),
        "floor_width": width(floor),
        "floor": at(figure.floor),
    }


def _side_by_side(left: Images, right: Images) -> Images:
    """Return each pair of images as one image, with paper between the pairs, so that no row of a sheet divides one."""
    paper = 0 if left.shape[3] == 1 else 255
    gap = np.full_like(left[:, :, : -(-left.shape[2] // 4)], paper)
    return np.concatenate([gap, left, right, gap], axis=2)


def _embedded(images: Images, columns: int, scale: int) -> str:
    """Return a sheet of images as a data URL."""
    content = png_bytes(sheet(images, columns, scale=scale))
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"
