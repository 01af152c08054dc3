"""Writing: digits and separators by one writer on one line, with a box for each character.

A seed has writers 0, 1, 2, ... A writer is a latent and a gap between characters. Each digit is drawn from a latent
near the writer's, since nobody writes a digit twice the same way. :mod:`inkgan.generation.composing` has the details.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal, SupportsFloat, SupportsIndex, TypedDict, Unpack

import numpy as np
from PIL import Image

from inkgan.errors import (
    ConfigError,
    InkganWarning,
    is_one_of,
    number_between,
    quantity,
    shown,
    unknown,
    whole_number,
)
from inkgan.generation import ink
from inkgan.generation.composing import (
    Plan,
    characters,
    distorted,
    draw_digits,
    page,
    per_character,
    placed,
    planned,
)
from inkgan.generation.hands import DEFAULT_MODEL, Generator, load_for_writing
from inkgan.generation.legibility import LEGIBLE, valid_legible
from inkgan.generation.looks import LOOKS, Look, LookLike, look_of
from inkgan.generation.spacing import Box
from inkgan.generation.texts import valid_text
from inkgan.images import Images, picture_of, png_bytes
from inkgan.seeds import LARGEST_SEED, valid_seed

Background = Literal["white", "transparent"]
BACKGROUNDS: tuple[Background, ...] = ("white", "transparent")

HEIGHTS = (24, 512)
STEEPEST = 45.0
#: The most pixels in a batch, counting one square for each line: it bounds the memory.
_BATCH_PIXELS = 2**18
_WRITER_COMPLAINT = "there is no writer {}. Writers are numbered from 0 to 2^63 - 1."
_STYLE_COMPLAINT = "the style {} is out of range. It runs from 0, every 2 the same, to 1."
_SLANT_COMPLAINT = f"a slant of {{}} degrees is out of range. It runs from -{STEEPEST:.0f} to {STEEPEST:.0f}."
_HEIGHT_COMPLAINT = f"a height of {{}} pixels is out of range. It runs from {HEIGHTS[0]} to {HEIGHTS[1]}."


class WritingOptions(TypedDict, total=False):
    """How lines are written; each option is as in :func:`write`."""

    style: SupportsFloat
    slant: SupportsFloat
    height: SupportsIndex
    background: Background
    legible: SupportsFloat
    look: LookLike


@dataclass
class _CheckedOptions:
    """How lines are written: their :class:`WritingOptions`, checked."""

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
        if not is_one_of(self.background, BACKGROUNDS):
            raise ConfigError(f"{unknown('background', self.background, BACKGROUNDS)} Use white or transparent.")
        self.look = look_of(self.look, background=self.background)


@dataclass(frozen=True, eq=False, repr=False)
class Writing:
    """A text written by hand.

    Attributes:
        text: the characters that are written.
        image: uint8 [H, W], 0 paper to 255 ink; in a look with colours uint8 [H, W, 3], as it is seen.
        boxes: the box around the ink of each character of the text. The box of a space has no area.
        background: the background of the picture, ``white`` or ``transparent``.
        probabilities: the probability with which each digit is read: the first reader's if that was enough to decide,
            otherwise the product of the first reader's and the digit classifier's
            (:func:`inkgan.generation.legibility.probability_of_digit`). None for characters that are not digits; empty
            if legibility was not asked for.
        factors: the factor that multiplied each digit's latent to make it legible; 1 for most.
        cells: the box of the printed cell of each character, if the look has cells.
    """

    text: str
    image: Images
    boxes: tuple[Box, ...]
    background: Background = "white"
    probabilities: tuple[float | None, ...] = ()
    factors: tuple[float | None, ...] = ()
    cells: tuple[Box, ...] = ()

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
    def extras(self) -> dict[str, list[Any]]:
        """The parts of a label that not every writing has: ``probabilities`` and ``factors``, and ``cells``."""
        extras: dict[str, list[Any]] = {}
        if self.probabilities:
            extras["probabilities"] = [share if share is None else round(share, 4) for share in self.probabilities]
            extras["factors"] = list(self.factors)
        if self.cells:
            extras["cells"] = [list(cell) for cell in self.cells]
        return extras

    def _repr_png_(self) -> bytes:
        """Return the picture for a notebook."""
        return png_bytes(self.picture)


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
            knobs, such as ``{"look": "scan", "blur": 1.2}``; see :class:`inkgan.generation.looks.Look`.

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
    checked = _CheckedOptions(style, slant, height, background, legible, look)  # type: ignore[arg-type]  # checked inside
    written = _written([(text, writer)], model, seed, checked)
    _warn_of_illegible(written, checked.legible)
    return written[0]


def write_batch(
    lines: Sequence[tuple[str, SupportsIndex]],
    *,
    model: str | Path | Generator = DEFAULT_MODEL,
    seed: SupportsIndex | Sequence[SupportsIndex] = 0,
    **options: Unpack[WritingOptions],
) -> list[Writing]:
    """Write many lines together, which is much faster than one by one.

    Line i is what :func:`write` writes for its text and writer: it depends on no other line. Memory grows with the
    number of lines; :func:`in_batches` bounds it.

    Args:
        lines: each line's text and the number of its writer.
        model: as in :func:`write`.
        seed: the seed of all writers, or one for each line.
        **options: for all lines, each as in :func:`write`; see :class:`WritingOptions`.

    Raises:
        ConfigError: as in :func:`write`, or there is not a seed for each line.
        CheckpointError: as in :func:`write`.

    Warns:
        InkganWarning: as in :func:`write`.
    """
    checked = _CheckedOptions(**options)  # type: ignore[arg-type]  # checked inside
    written = _written(lines, model, seed, checked)
    _warn_of_illegible(written, checked.legible)
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
    """
    checked = _CheckedOptions(**options)  # type: ignore[arg-type]  # checked inside
    generator = load_for_writing(model)
    source = iter(lines)
    warned = False
    while batch := list(islice(source, _BATCH_PIXELS // checked.height**2)):
        written = _written(batch, generator, seed, checked)
        warned = warned or _warn_of_illegible(written, checked.legible)
        yield from written


@np.errstate(under="ignore")  # a notebook may have made it an error
def _written(
    lines: Sequence[tuple[str, SupportsIndex]],
    model: str | Path | Generator,
    seed: SupportsIndex | Sequence[SupportsIndex],
    options: _CheckedOptions,
) -> list[Writing]:
    """Check the lines and write them; see :func:`write_batch`."""
    texts = [valid_text(text) for text, _ in lines]
    writers = [whole_number(writer, _WRITER_COMPLAINT, 0, LARGEST_SEED) for _, writer in lines]
    seeds = [valid_seed(number) for number in (seed if isinstance(seed, Sequence) else [seed] * len(lines))]
    if len(seeds) != len(lines):
        raise ConfigError(
            f"{quantity(len(seeds), 'seed')} for {quantity(len(lines), 'line')}: give one for all, or one for each."
        )
    generator = load_for_writing(model)
    if not lines:
        return []
    plans = [
        planned(text, line_seed, writer, generator.latent_dim, options.style)
        for text, line_seed, writer in zip(texts, seeds, writers, strict=True)
    ]
    clean = _on_clean_paper(plans, generator, options)
    if options.look == LOOKS["clean"]:
        return clean
    from inkgan.generation.paper import with_look  # clean writing starts sooner without it

    return [
        with_look(writing, plan.seed, plan.writer, options.look) for writing, plan in zip(clean, plans, strict=True)
    ]


def _on_clean_paper(plans: Sequence[Plan], generator: Generator, options: _CheckedOptions) -> list[Writing]:
    """Draw, distort, space and compose the characters of planned lines."""
    line = ink.Line(options.height, baseline=0.78 * options.height, size=0.58 * options.height)
    digits, pens = draw_digits(plans, generator, style=options.style, legible=options.legible, look=options.look)
    images = distorted(plans, digits.images, options.look)
    strips = characters(plans, images, pens, line, float(np.tan(np.radians(options.slant))))
    placements = placed(plans, strips, line, options.look)
    written = [
        Writing(plan.text, page(row, placement), placement.boxes, options.background, cells=placement.cells)
        for plan, row, placement in zip(plans, strips, placements, strict=True)
    ]
    if not options.legible:
        return written
    probabilities = per_character(plans, digits.probabilities)
    factors = per_character(plans, digits.factors)
    return [
        replace(writing, probabilities=own_probabilities, factors=own_factors)
        for writing, own_probabilities, own_factors in zip(written, probabilities, factors, strict=True)
    ]


def _warn_of_illegible(written: Sequence[Writing], legible: float) -> bool:
    """Warn about the first digit that is not as legible as it should be; return whether there is one."""
    for writing in written:
        for character, probability in zip(writing.text, writing.probabilities, strict=False):
            if probability is not None and probability < legible:
                warnings.warn(
                    f"a {character} of {shown(writing.text)} is read with a probability of {probability:.4f} only, the "
                    f"best of all that were drawn. Labels have the probability of each digit; a lower --legible "
                    "(legible=) accepts more digits.",
                    InkganWarning,
                    stacklevel=3,
                )
                return True
    return False
