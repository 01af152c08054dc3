"""Drawings made of text, as pure functions: sparklines, and pictures of blocks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.color import Color
from rich.segment import Segment, SegmentLines
from rich.style import Style

from inkgan.images import Images, arrange

_BARS = np.array(list("▁▂▃▄▅▆▇█"))
#: The characters that fill some quarters of their cell. The index is the sum of 1 (upper left), 2 (upper right),
#: 4 (lower left) and 8 (lower right) for the filled ones.
_QUARTERS = np.array(list(" ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█"))
#: The ways to split the four quarters of a character into two colours: 1 for those in the first. The lower right
#: quarter is never in the first, because swapping the colours gives the same picture.
_SPLITS = np.array([[part >> quarter & 1 for quarter in range(4)] for part in range(8)])
#: The number of levels to which each channel is rounded, so that paper which is not perfectly white is one colour.
_LEVELS = 32
#: The fewest columns that make an image worth drawing, and the most that it gets unless it has more pixels.
_FEWEST_COLUMNS = 3
_ENOUGH_COLUMNS = 28
#: The empty columns of pixels between neighbours, which are one column of characters.
_GAP = 2


class Arrangement(NamedTuple):
    """The layout of images in a window.

    Attributes:
        per_line: the number of images side by side.
        columns: the width of each in characters.
        rows: the height of each in lines.
    """

    per_line: int
    columns: int
    rows: int


def sparkline(values: Sequence[float], width: int) -> str:
    """Draw values as a row of bars.

    If there are more values than bars, each bar is the mean of equally many values. The scale ends at the 2nd and the
    98th percentile, so that a few extreme values do not flatten the others.

    Args:
        values: the values in order of time; those that are not finite become blanks.
        width: the largest number of bars.
    """
    if not values or width < 1:
        return ""
    parts = np.array_split(np.asarray(values, np.float64), min(width, len(values)))
    means = np.array([part.mean() for part in parts])
    finite = means[np.isfinite(means)]
    if not len(finite):
        return " " * len(means)
    low, high = np.percentile(finite, [2, 98])
    scaled = np.full(len(means), 0.5) if high <= low else (means - low) / (high - low)
    levels = np.minimum(np.clip(np.nan_to_num(scaled), 0, 1) * len(_BARS), len(_BARS) - 1).astype(int)
    return "".join(np.where(np.isfinite(means), _BARS[levels], " "))


def in_characters(image: Images) -> str:
    """Draw one image in five ASCII characters, denser ones for more ink; a line shows two rows of pixels.

    Args:
        image: uint8 [H, W, C], H even.

    Returns:
        H/2 lines without a newline at the end.
    """
    grey = (image[::2].mean(2) + image[1::2].mean(2)) / 2
    shades = np.array(list(" .:*#"))
    return "\n".join("".join(row).rstrip() for row in shades[np.minimum(grey // 48, 4).astype(int)])


def arrangement(count: int, size: tuple[int, int], columns: int, rows: int) -> Arrangement | None:
    """Find the layout in which images are largest: side by side on one line, or on several lines of equal length.

    Args:
        count: the number of images.
        size: their height and width in pixels. A character is about twice as high as wide.
        columns: the width of the window in characters.
        rows: the number of the window's lines that the images may fill.

    Returns:
        The layout, or None if there is no room.
    """
    height, width = size
    enough = max(width, _ENOUGH_COLUMNS // width * width)
    best = None
    divisors = [lines for lines in range(1, count + 1) if count % lines == 0]
    for lines in divisors:
        per_line = count // lines
        # One column between neighbours stays empty.
        wide = min(enough, (columns + 1) // per_line - 1, int(2 * (rows // lines) * width / height))
        if wide >= _FEWEST_COLUMNS and (best is None or wide > best.columns):
            best = Arrangement(per_line, wide, math.ceil(wide * height / width / 2))
    return best


def drawn(images: Images, layout: Arrangement, *, colour: bool) -> list[list[Segment]]:
    """Draw images as lines of characters, dark ink on white paper.

    A character shows four quarters in the two colours that come closest. If there is a column for each pixel, those are
    the colours of two pixels, one above the other.

    Args:
        images: uint8 [N, H, W, C]; 0 is paper and 255 is ink, if C is 1.
        layout: from :func:`arrangement`.
        colour: False draws quarters that are mostly ink, in the terminal's own colours.
    """
    resized = np.stack([_resized(image, 2 * layout.rows, 2 * layout.columns) for image in images])
    sheet = arrange(resized, layout.per_line, around=((0, 0), (0, _GAP)))[:, :-_GAP]
    if not colour:
        mostly_ink = _cells(sheet).mean(axis=3) > 127  # [h, w, 4]
        return [[Segment("".join(row))] for row in _QUARTERS[mostly_ink @ np.array([1, 2, 4, 8])]]
    shown = sheet if sheet.shape[2] == 3 else np.repeat(255 - sheet, 3, axis=2)
    characters, ink, paper = _as_quarters(shown)
    return [_coloured(*line) for line in zip(characters, _rounded(ink), _rounded(paper), strict=True)]


def side_by_side(images: Images, columns: int, rows: int, *, colour: bool) -> SegmentLines:
    """Draw images in the available columns and rows of characters, as large as they fit; nothing if there is no room.

    Args:
        images: uint8 [N, H, W, C].
        columns: the available width in characters.
        rows: the available height in lines.
        colour: as for :func:`drawn`.
    """
    layout = arrangement(len(images), images.shape[1:3], columns, rows)
    return SegmentLines([] if layout is None else drawn(images, layout, colour=colour), new_lines=True)


def _resized(image: Images, height: int, width: int) -> Images:
    """Resize an image [H, W, C]: each new pixel is the mean of the area that it covers."""
    picture = Image.fromarray(image if image.shape[2] == 3 else image[..., 0])
    resized = np.asarray(picture.resize((width, height), Image.Resampling.BOX))
    return resized.reshape(height, width, image.shape[2])


def _cells(picture: Images) -> Images:
    """Cut a picture [2h, 2w, C] into the quarters that each character shows, [h, w, 4, C]."""
    height, width, channels = picture.shape
    cells = picture.reshape(height // 2, 2, width // 2, 2, channels).transpose(0, 2, 1, 3, 4)
    return cells.reshape(height // 2, width // 2, 4, channels)


def _as_quarters(picture: Images) -> tuple[NDArray[np.str_], NDArray[np.float64], NDArray[np.float64]]:
    """Return characters [h, w] of quarters in two colours, those closest to the picture by least squares."""
    cells = _cells(picture).astype(np.float64)  # [h, w, 4, C]
    counts = _SPLITS.sum(axis=1)[:, None]  # [8, 1]
    sums = np.einsum("sq,hwqc->hwsc", _SPLITS, cells)
    total = cells.sum(axis=2)[:, :, None]  # [h, w, 1, C]
    inside, outside = sums / np.maximum(counts, 1), (total - sums) / (4 - counts)
    # The sum of squares that the two means explain; the rest, the error, is least where this is largest.
    explained = (counts * inside**2 + (4 - counts) * outside**2).sum(axis=3)
    best = explained.argmax(axis=2)[..., None, None]
    ink, paper = (np.take_along_axis(means, best, axis=2)[:, :, 0] for means in (inside, outside))
    return _QUARTERS[best[..., 0, 0]], ink, paper


def _rounded(colours: NDArray[np.float64]) -> NDArray[np.int64]:
    """Round colours in 0 to 255 to few levels."""
    top = _LEVELS - 1
    return np.rint(np.rint(colours * top / 255) * 255 / top).astype(np.int64)


def _coloured(characters: NDArray[np.str_], ink: NDArray[np.int64], paper: NDArray[np.int64]) -> list[Segment]:
    """Join neighbours of the same colours in a line of characters [w] with colours [w, 3]."""
    ink = np.where(characters[:, None] == " ", paper, ink)  # a blank shows only paper
    colours = np.concatenate([ink, paper], axis=1)
    starts = [0, *(np.flatnonzero((colours[1:] != colours[:-1]).any(axis=1)) + 1).tolist()]
    ends = [*starts[1:], len(characters)]
    text = "".join(characters.tolist())
    styles = [_style(*colours[start].tolist()) for start in starts]
    return [Segment(text[start:end], style) for start, end, style in zip(starts, ends, styles, strict=True)]


@lru_cache(maxsize=4096)
def _style(*channels: int) -> Style:
    """Return the style of ink on paper, from red, green and blue of each."""
    return Style.from_color(Color.from_rgb(*channels[:3]), Color.from_rgb(*channels[3:]))
