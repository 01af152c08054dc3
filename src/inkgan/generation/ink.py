"""Ink on a line: a model's small grey digits drawn large and sharp, and separators drawn with the same pen.

A character is a *strip*: uint8 [H, W], 0 paper to 255 ink, as high as the line it stands on and as wide as its ink. So
strips can be placed side by side without offsets of their own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inkgan.images import Images, slices, to_uint8

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
_ENLARGED = 4  # pixels of an enlarged image for each pixel of the image, in both directions
_SMOOTHED = 0.6  # the standard deviation of the Gaussian, in pixels of the image
_EDGE = 0.4  # the grey level, 0 to 1, that becomes the edge of the ink
_FAINT = 64  # pixels up to this, of 255, are the soft edge of the ink
_CHUNK = 16  # images that are enlarged at once, few enough to stay in the cache
#: The shape of the moves of an elastic distortion: down and across, at a grid of 7 x 7 points that extends beyond the
#: image.
MOVES = (2, 7, 7)
_BETWEEN_MOVES = 4  # the intervals between points that a side of the image spans
_DIGIT = 20 / 28  # the height of a digit of MNIST, as a share of its image's height
_FRACTIONS = 64  # steps from one pixel to the next, at which an image can be sampled


@dataclass(frozen=True)
class Line:
    """A line on which characters stand.

    Attributes:
        height: the height of the line and of its strips, in rows.
        baseline: the row on which digits stand.
        size: the height of a digit, in rows.
    """

    height: int
    baseline: float
    size: float


def digits(
    images: Images,
    line: Line,
    *,
    lean: float = 0.0,
    turn: float | Floats = 0.0,
    grow: float | Floats = 1.0,
    lift: float | Floats = 0.0,
) -> list[Strip]:
    """Draw a model's digits on a line. Each strip depends on its own image alone.

    Args:
        images: uint8 [N, H, W], 0 paper, 255 ink, without specks; see :func:`without_specks`.
        line: the line on which they stand.
        lean: the tangent of the angle by which they lean to the right.
        turn: the angle by which each turns, in radians, clockwise; [N], or one for all.
        grow: the size of each, relative to the usual one.
        lift: the number of rows by which each stands above the baseline.
    """
    turn, grow, lift = (np.broadcast_to(np.asarray(values, np.float64), len(images)) for values in (turn, grow, lift))
    strips = []
    for part in slices(len(images), _CHUNK):
        strips += _strips(images[part], line, lean, turn[part], grow[part], lift[part])
    return strips


def _strips(images: Images, line: Line, lean: float, turn: Floats, grow: Floats, lift: Floats) -> list[Strip]:
    """Draw a few strips; see :func:`digits`."""
    top, bottom, left, right = _ink_boxes(images, _FAINT)
    # Very wide digits become less high than others, and digits with very small ink boxes stay small.
    extent = np.maximum(np.maximum(bottom - top, 0.9 * (right - left)), 0.5 * images.shape[1])
    scale = grow * line.size / extent
    base = line.baseline - lift
    # Enlarging makes edges soft. Steepen the greys, so that an edge is about two pixels wide again.
    half = np.minimum(0.35, 0.45 / scale)[:, None]
    levels = to_uint8((np.arange(256) / 255 - _EDGE) / (2 * half) + 0.5)
    large = enlarged(images)
    cos, sin = np.cos(turn), np.sin(turn)
    # The map to the line: shear @ rotation, about the middle of the digit's foot.
    forward = np.stack([cos - lean * sin, -sin - lean * cos, sin, cos], 1) * (scale / _ENLARGED)[:, None]
    foot = np.stack([(left + right) / 2, bottom], 1) * _ENLARGED
    windows = _windows(large, levels, forward, foot, base, line.height)
    # Pillow takes the inverse map, from a window of the line to the enlarged image.
    back = np.stack([cos, sin + lean * cos, -sin, cos - lean * sin], 1) * (_ENLARGED / scale)[:, None]
    away = np.stack([windows[:, 0], windows[:, 1] - base], 1)  # from the foot to the window's corner
    x = foot[:, 0] + (back[:, :2] * away).sum(1)
    y = foot[:, 1] + (back[:, 2:] * away).sum(1)
    maps = np.stack([back[:, 0], back[:, 1], x, back[:, 2], back[:, 3], y], 1).tolist()
    strips = []
    for image, level, map_, (west, north, east, south) in zip(large, levels, maps, windows.tolist(), strict=True):
        size = (east - west, south - north)
        source = Image.frombuffer("L", image.shape[::-1], image, "raw", "L", 0, 1)
        placed = source.transform(size, Image.Transform.AFFINE, map_, Image.Resampling.BILINEAR)
        pixels = placed.tobytes().translate(level.tobytes())
        strip = np.zeros((line.height, size[0]), np.uint8)
        strip[north:south] = np.frombuffer(pixels, np.uint8).reshape(size[::-1])
        strips.append(_trimmed(strip))
    return strips


def _ink_boxes(images: Images, faint: int | NDArray[np.int64]) -> tuple[NDArray[np.intp], ...]:
    """Return top, bottom, left and right [N] of the ink of each image [N, H, W], or of the whole image without ink.

    Args:
        images: uint8.
        faint: pixels up to this value are not ink; one for all images, or [N].
    """
    is_ink = images > np.reshape(np.asarray(faint, np.uint8), (-1, 1, 1))  # uint8, since wider types are slower
    rows, columns = (np.asarray(is_ink.any(axis)) for axis in (2, 1))
    top, left = rows.argmax(1), columns.argmax(1)
    return top, rows.shape[1] - rows[:, ::-1].argmax(1), left, columns.shape[1] - columns[:, ::-1].argmax(1)


def _windows(
    large: Images, levels: Images, forward: Floats, foot: Floats, base: Floats, height: int
) -> NDArray[np.int64]:
    """Return left, top, right and bottom [N, 4] of the part of a line that each digit's ink can reach.

    Columns are counted from the digit's foot.

    Args:
        large: enlarged images, uint8 [N, H, W].
        levels: for each image, the level on the line that each of its 256 levels becomes, [N, 256], rising.
        forward: the rows of the map from an enlarged image to the line [N, 4].
        foot: the point of the image that is moved to column 0 and row ``base`` [N, 2].
        base: the row of the foot on the line [N].
        height: the height of the line.
    """
    reach = 1  # the pixels on each side that Pillow's bilinear interpolation reads
    # Levels that become paper are not ink. Means of such levels, which interpolation makes, become paper as well.
    top, bottom, left, right = _ink_boxes(large, (levels == 0).sum(1) - 1)
    x = np.stack([left - reach, right + reach, left - reach, right + reach], 1) - foot[:, :1]
    y = np.stack([top - reach, top - reach, bottom + reach, bottom + reach], 1) - foot[:, 1:]
    across = forward[:, :1] * x + forward[:, 1:2] * y
    down = forward[:, 2:3] * x + forward[:, 3:] * y + base[:, None]
    north, south = np.clip(np.floor(down.min(1)), 0, height - 1), np.clip(np.ceil(down.max(1)), 1, height)
    return np.stack([np.floor(across.min(1)), north, np.ceil(across.max(1)), south], 1).astype(np.int64)


def enlarged(images: Images) -> Images:
    """Enlarge images [N, H, W] four times by a cubic, smoothed over 0.6 of their pixels: uint8 [N, 4H, 4W].

    Weights are whole multiples of 2^-11, and the values between the two products are whole multiples of 2^-4. So every
    product and every sum is exact in float32, and the result is the same on every processor.
    """
    _, height, width = images.shape
    across = images.astype(np.float32) @ (16 * _enlarging(width).T)
    np.rint(across, out=across)
    both = (_enlarging(height) / 16) @ across
    np.rint(both, out=both)
    np.clip(both, 0, 255, out=both)
    return both.astype(np.uint8)


@cache
def _enlarging(length: int) -> NDArray[np.float32]:
    """Return the weights [4 · length, length] that enlarge and smooth a row of pixels.

    First the cubic of Keys, "Cubic convolution interpolation for digital image processing", 1981, with a = -1/2; then a
    Gaussian. The first and the last pixel repeat beyond the ends of the row.
    """
    reach = 4  # source pixels that are added on each side
    places = np.arange(_ENLARGED * (length + 2 * reach))
    distance = np.abs((places[:, None] + 0.5) / _ENLARGED - 0.5 - np.arange(length + 2 * reach))
    near = (1.5 * distance - 2.5) * distance**2 + 1
    far = -0.5 * (((distance - 5) * distance + 8) * distance - 4)
    cubic = np.where(distance < 1, near, np.where(distance < 2, far, 0.0))
    gaussian = np.exp(-0.5 * ((places[:, None] - places) / (_SMOOTHED * _ENLARGED)) ** 2)
    weights = (gaussian / gaussian.sum(1, keepdims=True)) @ cubic
    weights = weights[_ENLARGED * reach : -_ENLARGED * reach]
    weights[:, reach] += weights[:, :reach].sum(1)
    weights[:, -reach - 1] += weights[:, -reach:].sum(1)
    return (np.rint(weights[:, reach:-reach] * 2**11) / 2**11).astype(np.float32)


def without_specks(images: Images) -> Images:
    """Remove connected pieces of ink that hold less than 10 % of all ink: they would look like dots.

    Args:
        images: uint8 [N, H, W], 0 paper, 255 ink.
    """
    count, height, width = images.shape
    # With an empty row and column after each image, a step in memory never leads from one row or image to the next.
    rest = np.zeros((count, height + 1, width + 1), bool)
    rest[:, :height, :width] = images > _FAINT
    kept = np.zeros_like(rest)
    enough = 0.1 * rest.sum((1, 2))
    unfinished = np.flatnonzero(enough)
    while len(unfinished):  # one piece of each image at a time, which grows from the first pixel of ink
        ink = rest[unfinished]
        pixels = ink.reshape(len(ink), -1)
        first = np.zeros_like(pixels)
        first[np.arange(len(ink)), pixels.argmax(1)] = True
        piece = first.reshape(ink.shape)
        _fill(piece, ink)
        is_large = piece.sum((1, 2)) >= enough[unfinished]
        kept[unfinished[is_large]] |= piece[is_large]
        ink ^= piece
        rest[unfinished] = ink
        unfinished = unfinished[ink.any((1, 2))]
    _spread(kept)  # to keep the soft edge
    return np.where(kept[:, :height, :width], images, np.uint8(0))


def _fill(pieces: NDArray[np.bool_], ink: NDArray[np.bool_]) -> None:
    """Grow pieces, in place, over all the ink [N, H + 1, W + 1] that is connected to them."""
    size = 0
    while (new := int(np.count_nonzero(pieces))) != size:
        size = new
        for _ in range(6):
            _spread(pieces)
            pieces &= ink


def _spread(maps: NDArray[np.bool_]) -> None:
    """Set, in place, the eight neighbours of each set pixel; the last row and column of the maps are ignored."""
    flat = maps.reshape(-1)
    for step in (1, maps.shape[2]):
        before = flat.copy()
        flat[step:] |= before[:-step]
        flat[:-step] |= before[step:]


def distorted(images: Images, moves: Floats) -> Images:
    """Distort each digit elastically: its parts move away from their places, and neighbouring parts move alike.

    Simard et al., "Best practices for convolutional neural networks applied to visual document analysis", 2003, section
    2, with a cubic B-spline in place of the Gaussian that smooths their random field. All sums are exact, so the result
    is the same on every processor.

    Args:
        images: uint8 [N, H, W].
        moves: of each image, in heights of a digit, [N, 2, 7, 7]; see :data:`MOVES`. If the moves are independent,
            the pixels between the points are displaced with about the same standard deviation.

    Returns:
        uint8 [N, H, W].
    """
    count, height, width = images.shape
    steps = np.rint(moves * (_DIGIT * height * _FRACTIONS))
    shifts = np.rint(_between_moves(height) @ steps @ _between_moves(width).T).astype(np.int64)
    y = np.clip(np.arange(height)[:, None] * _FRACTIONS + shifts[:, 0], 0, (height - 1) * _FRACTIONS)
    x = np.clip(np.arange(width) * _FRACTIONS + shifts[:, 1], 0, (width - 1) * _FRACTIONS)
    (top, down), (left, right) = np.divmod(y, _FRACTIONS), np.divmod(x, _FRACTIONS)
    bottom, end = np.minimum(top + 1, height - 1), np.minimum(left + 1, width - 1)
    image = np.arange(count)[:, None, None]
    values = images.astype(np.int64)
    upper = (_FRACTIONS - right) * values[image, top, left] + right * values[image, top, end]
    lower = (_FRACTIONS - right) * values[image, bottom, left] + right * values[image, bottom, end]
    mixed = (_FRACTIONS - down) * upper + down * lower
    return ((mixed + _FRACTIONS**2 // 2) // _FRACTIONS**2).astype(np.uint8)


@cache
def _between_moves(length: int) -> NDArray[np.float64]:
    """Return the weight of each move at each pixel of a row [length, 7]: a cubic B-spline, whole multiples of 2^-12.

    They are scaled so that the squares of a pixel's weights sum to 1 on average. So independent moves displace pixels
    with the moves' own variance, on average.
    """
    places = (np.arange(length) + 0.5) / length * _BETWEEN_MOVES + 1
    distance = np.abs(places[:, None] - np.arange(MOVES[1]))
    near = 2 / 3 - distance**2 + distance**3 / 2
    far = np.maximum(2 - distance, 0) ** 3 / 6
    weights = np.where(distance < 1, near, far)
    weights /= np.sqrt(np.square(weights).sum(1).mean())
    return np.rint(weights * 2**12) / 2**12


def separator(strokes: Floats, line: Line, *, width: float, lean: float) -> Strip:
    """Draw a separator with a round pen.

    Args:
        strokes: [S, 3, 2], as in :data:`STROKES`.
        line: the line on which it stands.
        width: the width of the pen, in pixels.
        lean: the tangent of the angle by which it leans to the right.
    """
    t = np.linspace(0, 1, 9)[:, None]
    start, control, end = strokes[:, None, 0], strokes[:, None, 1], strokes[:, None, 2]
    curves = (1 - t) ** 2 * start + 2 * t * (1 - t) * control + t**2 * end  # [S, 9, 2]
    paths = np.stack([curves[..., 0] + lean * curves[..., 1], -curves[..., 1]], 2) * line.size + [0, line.baseline]
    left, top = (math.floor(paths[..., axis].min() - width / 2 - 1) for axis in (0, 1))
    right, bottom = (math.ceil(paths[..., axis].max() + width / 2 + 1) for axis in (0, 1))
    top, bottom = max(top, 0), min(bottom, line.height)
    y, x = np.arange(top, bottom)[:, None] + 0.5, np.arange(left, right) + 0.5
    starts, ends = paths[:, :-1].reshape(-1, 2), paths[:, 1:].reshape(-1, 2)
    distance = np.sqrt(_squared_distances(x, y, starts, ends).min(0))
    strip = np.zeros((line.height, right - left), np.uint8)
    strip[top:bottom] = to_uint8((width / 2 - distance) / 1.5 + 0.5)
    return _trimmed(strip)


def _squared_distances(x: Floats, y: Floats, starts: Floats, ends: Floats) -> Floats:
    """Return the squared distances [S, H, W] of points (columns ``x`` [W], rows ``y`` [H, 1]) to S line segments."""
    x0, y0 = starts.T[:, :, None, None]
    u, v = (ends - starts).T[:, :, None, None]
    dx, dy = x - x0, y - y0
    t = np.clip((dx * u + dy * v) / np.maximum(u * u + v * v, 1e-9), 0, 1)
    return (dx - t * u) ** 2 + (dy - t * v) ** 2


def _trimmed(strip: Strip) -> Strip:
    """Cut away the columns without any ink, left and right."""
    columns = np.flatnonzero(strip.max(0))
    return strip[:, columns[0] : columns[-1] + 1] if len(columns) else strip[:, :0]


def stroke_width(strip: Strip) -> float:
    """Return the mean width of the strokes, in pixels: twice the area over the outline's length; 0 without ink.

    The outline's length is the total variation of the grey levels (coarea formula), so soft edges do not matter.
    """
    ink = np.zeros((strip.shape[0] + 2, strip.shape[1] + 2))
    ink[1:-1, 1:-1] = strip / 255
    down, across = ink[1:, :-1] - ink[:-1, :-1], ink[:-1, 1:] - ink[:-1, :-1]
    outline = np.sqrt(down * down + across * across).sum()
    return float(2 * ink.sum() / outline) if outline else 0.0


def lean_of(strip: Strip) -> float:
    """Return the tangent of the angle by which a stroke leans to the right, from its moments; 0 without ink."""
    y, x = np.nonzero(strip > 127)
    if not len(y) or y[0] == y[-1]:  # nonzero returns the rows in order
        return 0.0
    down = y - y.mean()
    return float(-(down @ (x - x.mean())) / (down @ down))
