"""Writing: digits and separators by one writer on one line, with a box for each character.

A seed has writers 0, 1, 2, ... A writer is a latent and a gap between characters. Each digit is drawn from a latent
near the writer's, since nobody writes a digit twice the same way.

First, every random choice of a line is made: its :class:`_Plan`. The rest computes: the generator draws the digits of
all lines together, :mod:`inkgan.generation.ink` makes strips of them, :mod:`inkgan.generation.spacing` places these,
and :mod:`inkgan.generation.paper` applies the look of the page.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, repeat
from pathlib import Path
from typing import Any, Literal, SupportsFloat, SupportsIndex, TypedDict, Unpack, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inkgan.errors import ConfigError, as_given, number_between, one_of, quantity, unknown, whole_number
from inkgan.generation import ink
from inkgan.generation.hands import DEFAULT_MODEL, Generator, Latent, digit_classes, hand_of, load_for_writing, slerp
from inkgan.generation.legibility import LEGIBLE, Legible, made_legible, valid_legible, warn_of_illegible
from inkgan.generation.looks import LOOKS, Look, LookLike, look_of
from inkgan.generation.spacing import Box, Placement, in_cells, side_by_side
from inkgan.generation.texts import DIGITS, WILDCARD, valid_text
from inkgan.images import Images, picture_of, png_bytes
from inkgan.seeds import LARGEST_SEED, Stream, rng, valid_seed

Background = Literal["white", "transparent"]

#: A line, which is a text and the number of its writer, and its seed.
_SeededLine = tuple[tuple[str, SupportsIndex], SupportsIndex]

HEIGHTS = (24, 512)
STEEPEST = 45.0
#: The most pixels in a batch, counting one square for each line: it bounds the memory.
_BATCH_PIXELS = 2**18
_STYLE_COMPLAINT = "the style {} is out of range. It runs from 0, every 2 the same, to 1."
_SLANT_COMPLAINT = f"a slant of {{}} degrees is out of range. It runs from -{STEEPEST:.0f} to {STEEPEST:.0f}."
_HEIGHT_COMPLAINT = f"a height of {{}} pixels is out of range. It runs from {HEIGHTS[0]} to {HEIGHTS[1]}."
#: The digits whose strokes measure a writer's pen, and the line that they are drawn on for this. More digits would take
#: more time and tell little more: docs/writing.md has the figure.
_PEN_DIGITS = (0, 1)
_PEN_LINE = ink.Line(64, 50.0, 37.0)


class WritingOptions(TypedDict, total=False):
    """How lines are written; each option is as in :func:`write`."""

    style: SupportsFloat
    slant: SupportsFloat
    height: SupportsIndex
    background: Background
    legible: SupportsFloat
    look: LookLike


@dataclass
class CheckedOptions:
    """How lines are written: their :class:`WritingOptions`, checked.

    Raises:
        ConfigError: an option is out of range; the message says what is allowed.
    """

    style: float = 0.25
    slant: float = 0.0
    height: int = 96
    background: Background = "white"
    legible: float = LEGIBLE
    look: Look = LOOKS["clean"]

    def __post_init__(self) -> None:
        self.style = number_between(self.style, _STYLE_COMPLAINT, 0, 1)
        self.slant = number_between(self.slant, _SLANT_COMPLAINT, -STEEPEST, STEEPEST)
        self.height = whole_number(self.height, _HEIGHT_COMPLAINT, *HEIGHTS)
        self.legible = valid_legible(self.legible)
        self.background = one_of(self.background, "background", get_args(Background))
        self.look = look_of(self.look, background=self.background)


@dataclass(frozen=True, eq=False, repr=False)
class Writing:
    """A text written by hand.

    Attributes:
        text: the characters that are written.
        image: uint8 [H, W], 0 paper to 255 ink; in a look with colours uint8 [H, W, 3], as it is seen.
        boxes: the box around the ink of each character of the text: left, top, right and bottom in pixels, where right
            and bottom are the first without ink. The box of a space has no area.
        background: the background of the picture, ``white`` or ``transparent``.
        probabilities: the probability with which each digit is read: the first reader's if that was enough to decide,
            otherwise the product of the first reader's and the digit classifier's. None for characters that are not
            digits; empty if legibility was not asked for.
        factors: the factor that multiplied each digit's latent to make it legible; 1 for most.
        cells: the box of the printed cell of each character, if the look has cells.
        writer: the number of its writer; in a data set, also the number of the image.
    """

    text: str
    image: Images
    boxes: tuple[Box, ...]
    background: Background = "white"
    probabilities: tuple[float | None, ...] = ()
    factors: tuple[float | None, ...] = ()
    cells: tuple[Box, ...] = ()
    writer: int = 0

    def __repr__(self) -> str:
        height, width = self.image.shape[:2]
        return f"<Writing {self.text!r}: image {height}x{width}, {quantity(len(self.boxes), 'box')}>"

    @property
    def picture(self) -> Image.Image:
        """Dark ink on white paper (mode L; RGB in colour), or black ink on a transparent background (mode LA)."""
        if self.image.ndim == 2 and self.background == "transparent":
            return Image.fromarray(np.stack([np.zeros_like(self.image), self.image], 2))
        return picture_of(self.image)

    @property
    def label(self) -> dict[str, Any]:
        """Everything known about the image: text, boxes, size, writer, probabilities of its digits, and cells."""
        height, width = self.image.shape[:2]
        label: dict[str, Any] = {"text": self.text, "boxes": [list(box) for box in self.boxes]}
        label |= {"width": width, "height": height, "writer": self.writer}
        if self.probabilities:
            label["probabilities"] = [share if share is None else round(share, 4) for share in self.probabilities]
            label["factors"] = list(self.factors)
        if self.cells:
            label["cells"] = [list(cell) for cell in self.cells]
        return label

    @property
    def png(self) -> bytes:
        """The picture as PNG."""
        return png_bytes(self.picture)

    def _repr_png_(self) -> bytes:
        """Return the picture for a notebook."""
        return self.png


def write(
    text: str,
    *,
    model: str | Path | Generator = DEFAULT_MODEL,
    seed: SupportsIndex = 0,
    writer: SupportsIndex = 0,
    style: SupportsFloat = 0.25,
    slant: SupportsFloat = 0.0,
    height: SupportsIndex = 96,
    background: Background = "white",
    legible: SupportsFloat = LEGIBLE,
    look: LookLike = "clean",
) -> Writing:
    """Write a text by hand.

    Args:
        text: 1 to 64 characters: digits, ``. , - : / +`` and space; ``d`` stands for any digit.
        model: the name of a bundled model, a run or model folder, or a loaded model, of the ten digits.
        seed: 0 to 2^63 - 1; the same arguments give the same image.
        writer: 0 or above; the number of the writer among the seed's writers.
        style: 0 to 1, how much a writer varies: at 0 every 2 is the same, at 1 each is like another person's.
        slant: degrees by which all characters lean further to the right, -45 to 45.
        height: the height of the image in pixels, 24 to 512; a digit is about six tenths as high.
        background: the background of the picture, ``white`` or ``transparent``.
        legible: 0 to 0.9999; a digit that the bundled readers read with a lower probability is drawn again, closer to
            the mean of its class, until it passes. 0 takes digits as they come and is faster.
        look: the look of the page: ``clean``, ``scan``, ``photo`` or ``field``; a .toml file or a mapping of single
            knobs, such as ``{"look": "scan", "blur": 1.2}`` (``inkgan help writing`` lists them).

    Returns:
        The text, its image, uint8 [height, W] with 0 for paper and 255 for ink (in a look with colours [height, W, 3],
        as it is seen), the box of each character, and the probability with which each digit is read. A notebook shows
        its picture, which is dark on white.

    Raises:
        ConfigError: an argument is out of range, or a character cannot be written; the message says what is allowed.
        CheckpointError: there is no such model, or its classes are not the ten digits.

    Warns:
        InkganWarning: a digit is less legible than was asked for, although it was drawn again.
    """
    checked = CheckedOptions(style, slant, height, background, legible, look)  # type: ignore[arg-type]  # checked inside
    written = _written([((text, writer), seed)], load_for_writing(model), checked)
    warn_of_illegible(written[0].probabilities, checked.legible)
    return written[0]


def write_batch(
    lines: Iterable[tuple[str, SupportsIndex]],
    *,
    model: str | Path | Generator = DEFAULT_MODEL,
    seed: SupportsIndex | Sequence[SupportsIndex] | NDArray[np.integer] = 0,
    **options: Unpack[WritingOptions],
) -> list[Writing]:
    """Write many lines together, which is much faster than one by one.

    Line i is what :func:`write` writes for its text and writer: it depends on no other line. Memory grows with the
    number of lines; :func:`in_batches` bounds it.

    Args:
        lines: each line's text and the number of its writer.
        model: as in :func:`write`.
        seed: the seed of all writers, or one for each line.
        **options: ``style``, ``slant``, ``height``, ``background``, ``legible`` and ``look`` of all lines, as in
            :func:`write`.

    Raises:
        ConfigError: as in :func:`write`, an option is unknown, a line is not a pair, or there is not a seed for each.
        CheckpointError: as in :func:`write`.

    Warns:
        InkganWarning: as in :func:`write`.
    """
    checked = _checked(options)
    generator = load_for_writing(model)
    lines = list(lines)
    if isinstance(seed, np.ndarray) and seed.ndim:
        seed = list(seed)
    seeds = seed if isinstance(seed, Sequence) else [seed] * len(lines)
    if len(seeds) != len(lines):
        given = f"{quantity(len(seeds), 'seed')} for {quantity(len(lines), 'line')}"
        raise ConfigError(f"{given}: give one for all, or one for each.")
    written = _written(list(zip(lines, seeds, strict=True)), generator, checked) if seeds else []
    warn_of_illegible(chain.from_iterable(one.probabilities for one in written), checked.legible)
    return written


def in_batches(
    lines: Iterable[tuple[str, SupportsIndex]],
    *,
    model: str | Path | Generator = DEFAULT_MODEL,
    seed: SupportsIndex = 0,
    **options: Unpack[WritingOptions],
) -> Iterator[Writing]:
    """Write any number of lines one after the other, in batches that bound the memory.

    Args:
        lines: as in :func:`write_batch`, taken as they are needed.
        model: as in :func:`write`.
        seed: the seed of all writers.
        **options: as in :func:`write_batch`. The warning is given once.

    Raises:
        ConfigError: as in :func:`write_batch`: at once for an option, and for a line when it is written.
        CheckpointError: as in :func:`write`, at once.
    """
    checked = _checked(options)
    return _in_batches(zip(lines, repeat(seed)), load_for_writing(model), checked)


def _checked(options: WritingOptions) -> CheckedOptions:
    known = WritingOptions.__annotations__
    for name in options:
        if name not in known:
            raise ConfigError(f"{unknown('option', name, known)} Lines are written with {', '.join(known)}.")
    return CheckedOptions(**options)  # type: ignore[arg-type]  # checked inside


def _in_batches(lines: Iterator[_SeededLine], generator: Generator, options: CheckedOptions) -> Iterator[Writing]:
    warned = False
    while batch := list(islice(lines, _BATCH_PIXELS // options.height**2)):
        written = _written(batch, generator, options)
        read = chain.from_iterable(one.probabilities for one in written)
        warned = warned or warn_of_illegible(read, options.legible)
        yield from written


@np.errstate(under="ignore")  # a notebook may have made it an error
def _written(lines: Sequence[_SeededLine], generator: Generator, options: CheckedOptions) -> list[Writing]:
    """Check one line or more and write them; see :func:`write_batch`."""
    plans = [_planned(line, seed, generator.latent_dim, options.style, options.look) for line, seed in lines]
    clean = _on_clean_paper(plans, generator, options)
    if not options.look.has_paper:
        return clean
    from inkgan.generation.paper import with_look  # clean writing starts sooner without it

    return [with_look(writing, plan.seed, options.look) for writing, plan in zip(clean, plans, strict=True)]


@dataclass(frozen=True, eq=False)
class _Plan:
    """All random choices of a line of K characters.

    Attributes:
        text: the text, with a digit in place of each wildcard.
        seed: the seed that the choices depend on.
        writer: the number of the writer; the choices depend on it as well.
        hand: the writer's latent [D].
        others: a latent for each digit [N, D]; the digit's own latent lies between the hand's and this one.
        variety: the factor of the latents.
        moves: the elastic distortion of each digit [N, 2, 7, 7]; None if the look has none.
        jitter: the rotation, change of size and shift of each digit [N, 3].
        strokes: the strokes of each separator, in heights of a digit.
        gaps: the gap before each character [K], in heights of a digit.
        places: the place of each character in the room that its cell leaves it [K]; None if the look has no cells.
    """

    text: str
    seed: int
    writer: int
    hand: Latent
    others: Latent
    variety: float
    moves: NDArray[np.float64] | None
    jitter: NDArray[np.float64]
    strokes: list[NDArray[np.float64]]
    gaps: NDArray[np.float64]
    places: NDArray[np.float64] | None


def _planned(line: tuple[str, SupportsIndex], seed: SupportsIndex, latent_dim: int, style: float, look: Look) -> _Plan:
    """Check a line and draw all its random numbers: in a fixed order, because any other changes what a seed writes."""
    try:
        text, writer = line
    except (TypeError, ValueError):
        needed = "Give a text and the number of its writer, such as ('2026', 0)"
        raise ConfigError(f"{as_given(line)} is not a line. {needed}.") from None
    valid_text(text)
    writer = whole_number(writer, "there is no writer {}. Writers are numbered from 0 to 2^63 - 1.", 0, LARGEST_SEED)
    seed = valid_seed(seed)
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
    gaps += rng(seed, Stream.GAPS, writer).uniform(*look.gap)
    is_digit = [character in DIGITS for character in text]
    # Most looks do without these, and generators of random numbers take time.
    least, most = look.variety
    variety = rng(seed, Stream.VARIETY, writer).uniform(least, most) if least < most else least
    moves: NDArray[np.float64] | None = None
    if look.elastic != (0, 0):
        elastic = rng(seed, Stream.ELASTIC, writer)
        moves = elastic.uniform(*look.elastic) * elastic.standard_normal((sum(is_digit), *ink.MOVES))
    places = rng(seed, Stream.CELLS, writer).uniform(0.3, 0.7, len(text)) if look.form == "cells" else None
    return _Plan(
        text=text,
        seed=seed,
        writer=writer,
        hand=hand,
        others=others[is_digit],
        variety=variety,
        moves=moves,
        jitter=jitter[is_digit],
        strokes=strokes,
        gaps=gaps,
        places=places,
    )


def _on_clean_paper(plans: Sequence[_Plan], generator: Generator, options: CheckedOptions) -> list[Writing]:
    """Draw, distort, space and compose the characters of planned lines."""
    line = ink.Line(options.height, baseline=0.78 * options.height, size=0.58 * options.height)
    digits, pens = _draw_digits(plans, generator, options)
    moves = [plan.moves for plan in plans if plan.moves is not None]
    images = ink.distorted(digits.images, np.concatenate(moves)) if moves else digits.images
    strips = _characters(plans, images, pens, line, float(np.tan(np.radians(options.slant))))
    if places := [plan.places for plan in plans if plan.places is not None]:
        placements = in_cells(strips, line, places)
    else:
        gaps = [plan.gaps * line.size for plan in plans]
        placements = side_by_side([plan.text for plan in plans], strips, line, gaps)
    unread: list[tuple[float | None, ...]] = [()] * len(plans)
    probabilities = factors = unread
    if options.legible:
        probabilities = _per_character(plans, digits.probabilities)
        factors = _per_character(plans, digits.factors)
    return [
        Writing(plan.text, _page(row, place), place.boxes, options.background, read, factor, place.cells, plan.writer)
        for plan, row, place, read, factor in zip(plans, strips, placements, probabilities, factors, strict=True)
    ]


def _draw_digits(plans: Sequence[_Plan], generator: Generator, options: CheckedOptions) -> tuple[Legible, Images]:
    """Draw the digits of all lines, and for each line with separators the digits that show its pen; without specks.

    One call of the generator draws all of them. Further calls draw only digits that cannot be read.
    """

    def draw(latents: Latent, labels: NDArray[np.int64]) -> Images:
        return ink.without_specks(np.asarray(generator.draw(latents, labels)))

    hands = np.array([plan.hand for plan in plans])
    varieties = np.array([[plan.variety] for plan in plans], np.float32)
    counts = [len(plan.others) for plan in plans]
    others = np.concatenate([plan.others for plan in plans])
    latents = slerp(np.repeat(hands, counts, 0), others, options.style) * np.repeat(varieties, counts, 0)
    digits = np.array([int(character) for plan in plans for character in plan.text if character in DIGITS], np.int64)

    has_separators = np.array([bool(plan.strokes) for plan in plans])
    pen_latents = np.repeat((varieties * hands)[has_separators], len(_PEN_DIGITS), 0)
    pen_digits = np.tile(_PEN_DIGITS, has_separators.sum())

    labels = digit_classes(generator)[np.append(digits, pen_digits)]
    images = draw(np.vstack([latents, pen_latents]), labels)
    own, pens = np.split(images, [len(digits)])
    return made_legible(draw, own, latents, labels[: len(digits)], digits, options.legible), pens


def _characters(
    plans: Sequence[_Plan], images: Images, shown_pens: Images, line: ink.Line, lean: float
) -> list[list[ink.Strip]]:
    """Return the strip of each character of each line, from the images of :func:`_draw_digits`; empty for a space."""
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
                row.append(ink.separator(next(strokes), line, width=width * line.size, lean=lean + upright))
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


def _page(strips: Sequence[ink.Strip], placement: Placement) -> Images:
    """Return the image of a line."""
    page = np.zeros((len(strips[0]), placement.width), np.uint8)
    for strip, (left, _, right, _) in zip(strips, placement.boxes, strict=True):
        part = page[:, left:right]
        np.maximum(part, strip, out=part)
    return page


def _per_character(plans: Sequence[_Plan], digits: NDArray[np.floating]) -> list[tuple[float | None, ...]]:
    """Return the numbers of all digits, [N], line by line, with None for the characters that are not digits."""
    numbers = iter(digits.tolist())
    return [tuple(next(numbers) if character in DIGITS else None for character in plan.text) for plan in plans]
