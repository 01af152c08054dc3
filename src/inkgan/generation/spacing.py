"""Spacing: the places of the characters on a line. They move together until their outlines are a gap apart.

Many lines are laid out at once: the first character of each, then the second of each, and so on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from inkgan.generation.ink import Line, Strip

Floats = NDArray[np.float64]
#: Left, top, right and bottom in pixels; right and bottom are the first without ink.
Box = tuple[int, int, int, int]

_MARGIN = 0.25  # at both ends of a line; this and the next lengths are in heights of a digit
_SPACE = 0.45
_CELL = 1.0  # the least width of a cell
_CELL_ROWS = (0.08, 0.92)  # its upper and lower edge, in heights of the image
_OVERLAP = 0.15  # how far a character may reach into the space of the one before it


class Placement(NamedTuple):
    """The places of the characters of a line.

    Attributes:
        boxes: the box around the ink of each character; without ink, it is on the baseline and has no area.
        width: the width of the whole line.
        cells: the cell of each character, if there are cells.
    """

    boxes: tuple[Box, ...]
    width: int
    cells: tuple[Box, ...] = ()


def side_by_side(
    texts: Sequence[str], strips: Sequence[Sequence[Strip]], line: Line, gaps: Sequence[Floats]
) -> list[Placement]:
    """Place strips side by side on lines.

    Args:
        texts: the text of each line.
        strips: the strips of each line's characters; a space has an empty one.
        line: the line on which all stand.
        gaps: for each character, the distance in pixels between its outline and those before it, at the closest point;
            below 0, it overlaps them.
    """
    first, last = _outlines(strips, line)  # [L, K, H]
    lines, longest, height = first.shape
    widths = np.zeros((lines, longest), np.int64)
    gap = np.ones((lines, longest))
    is_space = np.zeros((lines, longest), bool)
    for index, (text, row) in enumerate(zip(texts, strips, strict=True)):
        widths[index, : len(row)] = [strip.shape[1] for strip in row]
        gap[index, : len(row)] = gaps[index]
        is_space[index, : len(row)] = [character == " " for character in text]
    margin = round(_MARGIN * line.size)
    end = np.full(lines, margin)  # the column where the characters so far end
    outline = np.full((lines, height), -np.inf)  # the column where their ink ends, by row
    left = np.full((lines, longest), margin)
    for k in range(longest):
        if k > 0:
            # A gap above 0 dilates the ink so far; one below 0 moves the character back over it.
            dilated = _dilated(outline, np.maximum(gap[:, k], 0))
            touching = (dilated - first[:, k]).max(1) + np.minimum(gap[:, k], 0)
            place = np.rint(np.maximum(touching, end - _OVERLAP * line.size)).astype(np.int64)
            has_ink = widths[:, k] > 0
            left[:, k] = np.where(has_ink, place, end)
        outline = np.maximum(outline, left[:, k, None] + last[:, k])
        outline[is_space[:, k]] = -np.inf
        end = np.maximum(end, left[:, k] + widths[:, k])
        end = end + np.where(is_space[:, k], round(_SPACE * line.size), 0)
    top, bottom = _rows(first, line)
    boxes = np.stack([left, top, left + widths, bottom], 2)
    ends = (end + margin).tolist()
    return [Placement(as_boxes(boxes[i, : len(row)]), ends[i]) for i, row in enumerate(strips)]


def in_cells(strips: Sequence[Sequence[Strip]], line: Line, places: Sequence[Floats]) -> list[Placement]:
    """Place strips in cells of one width, as in a form with a cell for each character.

    Args:
        strips: the strips of each line's characters; a space has an empty one, and its cell stays empty.
        line: the line on which all stand.
        places: the place of each character in the room that its cell leaves it, 0 left to 1 right, [K] for each line.
    """
    margin = round(_MARGIN * line.size)
    top, bottom = _rows(_outlines(strips, line)[0], line)
    upper, lower = (round(share * line.height) for share in _CELL_ROWS)
    placements = []
    for i, (row, place) in enumerate(zip(strips, places, strict=True)):
        widths = np.array([strip.shape[1] for strip in row])
        side = max(round(_CELL * line.size), int(widths.max()) + 2 * round(0.1 * line.size))
        edges = margin + side * np.arange(len(row) + 1)
        left = edges[:-1] + np.rint((side - widths) * place).astype(np.int64)
        cells = tuple((edge, upper, edge + side, lower) for edge in edges[:-1].tolist())
        boxes = np.stack([left, top[i, : len(row)], left + widths, bottom[i, : len(row)]], 1)
        placements.append(Placement(as_boxes(boxes), int(edges[-1]) + margin, cells))
    return placements


def as_boxes(rows: NDArray[np.int64]) -> tuple[Box, ...]:
    """Return the boxes in the rows of an array [K, 4]."""
    return tuple((left, top, right, bottom) for left, top, right, bottom in rows.tolist())


def _outlines(strips: Sequence[Sequence[Strip]], line: Line) -> tuple[Floats, Floats]:
    """Return where the ink of each row of each strip begins and ends: columns [L, K, H], ±inf for rows without ink."""
    longest = max(len(row) for row in strips)
    widest = max(strip.shape[1] for row in strips for strip in row)
    ink = np.zeros((len(strips), longest, line.height, max(widest, 1)), bool)
    for index, row in enumerate(strips):
        for k, strip in enumerate(row):
            np.not_equal(strip, 0, out=ink[index, k, :, : strip.shape[1]])
    inked = ink.any(3)
    first = np.where(inked, ink.argmax(3), np.inf)
    last = np.where(inked, ink.shape[3] - ink[..., ::-1].argmax(3), -np.inf)
    return first, last


def _rows(first: Floats, line: Line) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first row with ink of each strip, and the first row below its ink, [L, K]."""
    inked = np.isfinite(first)
    none = ~inked.any(2)
    baseline = round(line.baseline)
    top = np.where(none, baseline, inked.argmax(2))
    bottom = np.where(none, baseline, line.height - inked[..., ::-1].argmax(2))
    return top, bottom


def _dilated(right: Floats, gap: Floats) -> Floats:
    """Return the right edge of ink [L, H], by row, after dilating the ink by a disc of radius ``gap`` [L]."""
    reach = int(gap.max())
    lines, height = right.shape
    padded = np.full((lines, height + 2 * reach), -np.inf)
    padded[:, reach : reach + height] = right
    steps, radius = np.arange(-reach, reach + 1), gap[:, None]
    beside = np.where(np.abs(steps) <= radius, np.sqrt(np.maximum(radius**2 - steps**2, 0)), -np.inf)
    moved = np.lib.stride_tricks.sliding_window_view(padded, height, axis=1)  # up and down: [L, 2 · reach + 1, H]
    return (moved + beside[:, :, None]).max(1)
