"""How lines come about: first every random choice of a line, then its digits, its separators, their places, its page.

The random choices of a line are its :class:`Plan`. The rest computes: the generator draws the digits of all lines
together, :mod:`inkgan.generation.ink` makes strips of them, and :mod:`inkgan.generation.spacing` places these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inkgan.generation import ink
from inkgan.generation.hands import Generator, Latent, digit_classes, hand_of, slerp
from inkgan.generation.legibility import DIGITS, Legible, made_legible
from inkgan.generation.looks import Look
from inkgan.generation.spacing import Placement, in_cells, side_by_side
from inkgan.generation.texts import WILDCARD
from inkgan.images import Images
from inkgan.seeds import Stream, rng

#: The digits whose strokes measure a writer's pen, and the line that they are drawn on for this. More digits would take
#: more time and tell little more: docs/writing.md has the figure.
_PEN_DIGITS = (0, 1)
_PEN_LINE = ink.Line(64, 50.0, 37.0)


@dataclass(frozen=True, eq=False)
class Plan:
    """All random choices of a line of K characters.

    Attributes:
        text: the text, with a digit in place of each wildcard.
        seed: the seed that the choices depend on.
        writer: the number of the writer; the choices depend on it as well.
        hand: the writer's latent [D].
        others: a latent for each digit [N, D]; the digit's own latent lies between the hand's and this one.
        jitter: the rotation, change of size and shift of each digit [N, 3].
        strokes: the strokes of each separator, in heights of a digit.
        gaps: the gap before each character [K], in heights of a digit.
    """

    text: str
    seed: int
    writer: int
    hand: Latent
    others: Latent
    jitter: NDArray[np.float64]
    strokes: list[NDArray[np.float64]]
    gaps: NDArray[np.float64]


def planned(text: str, seed: int, writer: int, latent_dim: int, style: float) -> Plan:
    """Draw all random numbers of a line, in a fixed order: any other would change what every seed writes."""
    hand, gap = hand_of(latent_dim, seed, writer)
    draws = rng(seed, Stream.WRITING, writer)
    text = "".join(str(draws.integers(10)) if character == WILDCARD else character for character in text)
    others = draws.standard_normal((len(text), latent_dim), dtype=np.float32)
    loose = np.sqrt(style)
    # Clipped, so that nothing leaves the page.
    jitter = loose * np.clip(draws.standard_normal((len(text), 3)), -2, 2) * [0.06, 0.05, 0.02]
    strokes = []
    for character in text:
        if character in ink.STROKES:
            straight = np.array(ink.STROKES[character])
            strokes.append(straight + 0.03 * loose * np.clip(draws.standard_normal(straight.shape), -2, 2))
    gaps = gap * np.exp(0.5 * style * draws.standard_normal(len(text)))
    is_digit = [character in DIGITS for character in text]
    return Plan(text, seed, writer, hand, others[is_digit], jitter[is_digit], strokes, gaps)


def draw_digits(
    plans: Sequence[Plan], generator: Generator, *, style: float, legible: float, look: Look
) -> tuple[Legible, Images]:
    """Draw the digits of all lines, and for each line with separators the digits that show its pen; without specks.

    One call of the generator draws all of them. Further calls draw only digits that cannot be read.
    """

    def draw(latents: Latent, labels: NDArray[np.int64]) -> Images:
        return ink.without_specks(np.asarray(generator.draw(latents, labels)))

    hands = np.array([plan.hand for plan in plans])
    varieties = np.array([[_variety(plan, look)] for plan in plans], np.float32)
    counts = [len(plan.others) for plan in plans]
    others = np.concatenate([plan.others for plan in plans])
    latents = slerp(np.repeat(hands, counts, 0), others, style) * np.repeat(varieties, counts, 0)
    digits = np.array([int(character) for plan in plans for character in plan.text if character in DIGITS], np.int64)

    has_separators = np.array([bool(plan.strokes) for plan in plans])
    pen_latents = np.repeat((varieties * hands)[has_separators], len(_PEN_DIGITS), 0)
    pen_digits = np.tile(_PEN_DIGITS, has_separators.sum())

    labels = digit_classes(generator)[np.append(digits, pen_digits)]
    images = draw(np.vstack([latents, pen_latents]), labels)
    own, pens = np.split(images, [len(digits)])
    return made_legible(draw, own, latents, labels[: len(digits)], digits, legible), pens


def _variety(plan: Plan, look: Look) -> float:
    """Return the factor of a line's latents: the knob ``variety`` of the look."""
    low, high = look.variety
    return low if low == high else rng(plan.seed, Stream.VARIETY, plan.writer).uniform(low, high)


def distorted(plans: Sequence[Plan], images: Images, look: Look) -> Images:
    """Distort the digits of each line by the knob ``elastic`` of the look."""
    if look.elastic == (0, 0):
        return images
    moves = []
    for plan in plans:
        draws = rng(plan.seed, Stream.ELASTIC, plan.writer)
        amount = draws.uniform(*look.elastic)
        moves.append(amount * draws.standard_normal((len(plan.others), *ink.MOVES)))
    return ink.distorted(images, np.concatenate(moves))


def characters(
    plans: Sequence[Plan], images: Images, shown_pens: Images, line: ink.Line, lean: float
) -> list[list[ink.Strip]]:
    """Return the strip of each character of each line, from the images of :func:`draw_digits`; empty for a space."""
    turn, grow, lift = np.concatenate([plan.jitter for plan in plans]).T
    digits = iter(ink.digits(images, line, lean=lean, turn=turn, grow=np.exp(grow), lift=lift * line.size))
    pens = iter(_pens(shown_pens))
    strips = []
    for plan in plans:
        width, upright = next(pens) if plan.strokes else (0.0, 0.0)
        strokes = iter(plan.strokes)
        row = []
        for character in plan.text:
            if character in DIGITS:
                row.append(next(digits))
            elif character == " ":
                row.append(np.zeros((line.height, 0), np.uint8))
            else:
                strip = ink.separator(next(strokes), line, width=width * line.size, lean=lean + upright)
                row.append(strip)
        strips.append(row)
    return strips


def _pens(images: Images) -> list[tuple[float, float]]:
    """Measure each writer's pen: the width of its strokes in heights of a digit, and the tangent of the slant of its 1.

    Args:
        images: each writer's own :data:`_PEN_DIGITS`, one writer after the other. They are measured in one size,
            whatever the size of the line.
    """
    strips = ink.digits(images, _PEN_LINE)
    pens = []
    for zero, one in zip(strips[::2], strips[1::2], strict=True):
        width = (ink.stroke_width(zero) + ink.stroke_width(one)) / 2
        upright = min(max(ink.lean_of(one), -0.5), 0.5)  # a 1 with a flag seems to lean more than its writer does
        pens.append((width / _PEN_LINE.size, upright))
    return pens


def placed(plans: Sequence[Plan], strips: Sequence[Sequence[ink.Strip]], line: ink.Line, look: Look) -> list[Placement]:
    """Place the characters of each line by its plan and the look."""
    if look.form == "cells":
        places = [rng(plan.seed, Stream.CELLS, plan.writer).uniform(0.3, 0.7, len(plan.text)) for plan in plans]
        return in_cells(strips, line, places)
    wider = [rng(plan.seed, Stream.GAPS, plan.writer).uniform(*look.gap) for plan in plans]
    gaps = [(plan.gaps + more) * line.size for plan, more in zip(plans, wider, strict=True)]
    return side_by_side([plan.text for plan in plans], strips, line, gaps)


def page(strips: Sequence[ink.Strip], placement: Placement) -> Images:
    """Return the image of a line."""
    page = np.zeros((len(strips[0]), placement.width), np.uint8)
    for strip, (left, _, right, _) in zip(strips, placement.boxes, strict=True):
        part = page[:, left:right]
        np.maximum(part, strip, out=part)
    return page


def per_character(plans: Sequence[Plan], digits: NDArray[np.floating]) -> list[tuple[float | None, ...]]:
    """Return the numbers of all digits, [N], line by line, with None for the characters that are not digits."""
    numbers = iter(digits.tolist())
    return [tuple(next(numbers) if character in DIGITS else None for character in plan.text) for plan in plans]
