"""Ink on a line: a model's small grey digits drawn large and sharp, and separators drawn with the same pen.

A character is a *strip*: uint8 [H, W], 0 paper to 255 ink, as high as the line it stands on and as wide as its ink. So
characters are set side by side without any offsets of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from inkgan.images import Images

Strip = NDArray[np.uint8]
Floats = NDArray[np.floating]
Point = tuple[float, float]

#: The strokes of each separator: start, control point and end of a curve; x to the right and y above the baseline, in
#: heights of a digit.
STROKES: Mapping[str, tuple[tuple[Point, Point, Point], ...]] = {
    ".": (((0.00, 0.05), (0.01, 0.05), (0.02, 0.04)),),
    ",": (((0.04, 0.06), (0.05, -0.02), (-0.04, -0.10)),),
    "-": (((0.00, 0.43), (0.20, 0.45), (0.40, 0.44)),),
    ":": (((0.00, 0.15), (0.01, 0.15), (0.02, 0.14)), ((0.00, 0.58), (0.01, 0.58), (0.02, 0.57))),
    "/": (((0.00, -0.08), (0.24, 0.45), (0.46, 1.02)),),
    "+": (((0.00, 0.44), (0.23, 0.46), (0.48, 0.45)), ((0.24, 0.70), (0.24, 0.44), (0.23, 0.20))),
}
_ENLARGED = 4
_EDGE = 0.4  # the grey level, of 1, that becomes the edge of the ink
_FAINT = 64  # pixels below this, of 255, are the soft edge of the ink


@dataclass(frozen=True)
class Line:
    """Where characters stand.

    Attributes:
        height: rows of every strip.
        baseline: the row on which digits stand.
        size: the height of a digit, in rows.
    """

    height: int
    baseline: float
    size: float


def empty_strip(line: Line) -> Strip:
    """The strip of a character without ink."""
    return np.zeros((line.height, 0), np.uint8)


def digit(
    image: Strip,
    line: Line,
    *,
    lean: float = 0.0,
    turn: float = 0.0,
    grow: float = 1.0,
    lift: float = 0.0,
    has_specks: bool = True,
) -> Strip:
    """Draw a model's digit on a line.

    Args:
        image: uint8 [H, W], 0 paper, 255 ink.
        line: where it stands.
        lean: the tangent of the angle by which it leans to the right.
        turn: the angle by which it turns, in radians, clockwise.
        grow: its size, relative to the usual one.
        lift: rows above the baseline.
        has_specks: whether there may be specks, which are left out; see :func:`without_specks`.
    """
    if has_specks:
        image = without_specks(image[None])[0]
    rows, columns = (np.flatnonzero((image > _FAINT).any(axis)) for axis in (1, 0))
    if not len(rows):
        return empty_strip(line)
    top = rows[0]
    bottom = rows[-1] + 1
    left = columns[0]
    right = columns[-1] + 1
    # Very wide digits stay lower than others, and digits with little ink small.
    scale = grow * line.size / max(bottom - top, 0.9 * (right - left), 0.5 * len(image))
    width = int((2.5 + 2.5 * abs(lean)) * line.size)
    # To the line: shear @ rotation, about the middle of the digit's foot. Pillow takes the inverse map.
    forward = scale * np.array([[1, -lean], [0, 1]]) @ [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    back = np.linalg.inv(forward) * _ENLARGED
    foot = np.array([(left + right) / 2, bottom]) * _ENLARGED
    offset = foot - back @ [width / 2, line.baseline - lift]
    large = Image.fromarray(image).resize(
        (image.shape[1] * _ENLARGED, image.shape[0] * _ENLARGED), Image.Resampling.BICUBIC
    )
    smooth = large.filter(ImageFilter.GaussianBlur(0.6 * _ENLARGED))
    placed = smooth.transform(
        (width, line.height),
        Image.Transform.AFFINE,
        (back[0, 0], back[0, 1], offset[0], back[1, 0], back[1, 1], offset[1]),
        Image.Resampling.BICUBIC,
    )
    # The larger the digit, the slower its grey rises across an edge. Make it rise within about two pixels again.
    half = min(0.35, 0.45 / scale)
    return _trimmed((np.asarray(placed, np.float32) / 255 - _EDGE) / (2 * half) + 0.5)


def without_specks(images: Images) -> Images:
    """Remove connected pieces of ink that hold less than 10 % of all ink: they would look like dots.

    Args:
        images: uint8 [N, H, W], 0 paper, 255 ink.
    """
    ink = images > _FAINT
    # Each pixel of ink takes the largest number among its neighbours, until all of a piece have the largest of all.
    # A number is the place of a pixel in the piece, so what that pixel has found by now is taken at once.
    numbers = np.where(ink, np.arange(1, ink.size + 1, dtype=np.intp).reshape(ink.shape), 0)
    while True:
        largest = np.where(ink, _largest_around(numbers), 0)
        found = np.concatenate([[0], largest.ravel()])[largest]
        if np.array_equal(found, numbers):
            break
        numbers = found
    sizes = np.bincount(numbers.ravel())
    enough = 0.1 * ink.sum((1, 2), keepdims=True)
    kept = _largest_around(ink & (sizes[numbers] >= enough))  # with its soft edge
    result: Images = np.where(kept, images, np.uint8(0))
    return result


def _largest_around(values: NDArray[Any]) -> NDArray[Any]:
    """The largest of the 3x3 values around each, of maps [N, H, W]."""
    result = values.copy()
    np.maximum(values[:, 1:], values[:, :-1], out=result[:, 1:])
    np.maximum(result[:, :-1], values[:, 1:], out=result[:, :-1])
    values = result.copy()
    np.maximum(values[:, :, 1:], values[:, :, :-1], out=result[:, :, 1:])
    np.maximum(result[:, :, :-1], values[:, :, 1:], out=result[:, :, :-1])
    return result


def separator(strokes: Floats, line: Line, *, width: float, lean: float = 0.0) -> Strip:
    """Draw a separator with a round pen.

    Args:
        strokes: [S, 3, 2], as in :data:`STROKES`.
        line: where it stands.
        width: of the pen, in pixels.
        lean: the tangent of the angle by which it leans to the right.
    """
    reach = (1 + 1.2 * abs(lean)) * line.size + width
    y, x = np.mgrid[: line.height, : int(2 * reach)] + 0.5
    t = np.linspace(0, 1, 9)[:, None]
    distances = []
    for start, control, end in strokes:
        curve = (1 - t) ** 2 * start + 2 * t * (1 - t) * control + t**2 * end
        path = np.stack([curve[:, 0] + lean * curve[:, 1], -curve[:, 1]], 1) * line.size + [reach, line.baseline]
        distances += [_distance(x, y, a, b) for a, b in pairwise(path)]
    return _trimmed((width / 2 - np.min(distances, 0)) / 1.5 + 0.5)


def _distance(x: Floats, y: Floats, a: Floats, b: Floats) -> Floats:
    """The distance of points to the line from ``a`` to ``b``."""
    along = b - a
    t = np.clip(((x - a[0]) * along[0] + (y - a[1]) * along[1]) / max(along @ along, 1e-9), 0, 1)
    distance: Floats = np.hypot(x - a[0] - t * along[0], y - a[1] - t * along[1])
    return distance


def _trimmed(ink: Floats) -> Strip:
    """Round ink in [0, 1] to 0..255 and cut away the columns without any, left and right."""
    strip: Strip = np.rint(np.clip(ink, 0, 1) * 255).astype(np.uint8)
    columns = np.flatnonzero(strip.any(0))
    return strip[:, columns[0] : columns[-1] + 1] if len(columns) else strip[:, :0]


def stroke_width(strip: Strip) -> float:
    """The mean width of the strokes, in pixels: twice the area over the length of the outline; 0 without ink.

    The outline's length is the total variation of the grey levels (coarea formula), so soft edges do not matter.
    """
    ink = np.pad(strip / 255.0, 1)
    outline = np.hypot(np.diff(ink, axis=0)[:, :-1], np.diff(ink, axis=1)[:-1]).sum()
    return float(2 * ink.sum() / outline) if outline else 0.0


def lean_of(strip: Strip) -> float:
    """The tangent of the angle by which a stroke leans to the right, from its second moments; 0 without ink."""
    y, x = np.nonzero(strip > 127)
    if len(set(y)) < 2:
        return 0.0
    return float(-np.cov(x, y)[0, 1] / y.var(ddof=1))
