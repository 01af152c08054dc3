"""Writing: digits and separators by one writer on one line, with a box for each character.

A seed has writers 0, 1, 2, ... A writer is a latent and a gap between characters. Each digit is drawn from a latent
near the writer's, since nobody writes a digit twice the same way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, SupportsFloat, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from inkgan.errors import CheckpointError, ConfigError, did_you_mean, shown
from inkgan.generation import ink
from inkgan.generation import model as sampling
from inkgan.generation.arguments import number_between, valid_seed, whole_number
from inkgan.images import Images, png_bytes
from inkgan.seeds import LARGEST_SEED, Stream, rng

if TYPE_CHECKING:
    from PIL import Image

Background = Literal["white", "transparent"]
BACKGROUNDS: tuple[Background, ...] = ("white", "transparent")
#: Left, top, right and bottom in pixels; right and bottom are the first without ink.
Box = tuple[int, int, int, int]
Latent = NDArray[np.float32]

#: The bundled model that writes if no other is named.
DEFAULT = "best"
DIGITS = "0123456789"
CHARACTERS = DIGITS + "".join(ink.STROKES) + " "
#: Stands for any digit, drawn by the seed.
WILDCARD = "d"
LONGEST_TEXT = 64
MOST_HANDS = 1000
HEIGHTS = (24, 512)
STEEPEST = 45.0
_SLANT = f"a slant of {{}} degrees is out of range. It runs from -{STEEPEST:.0f} to {STEEPEST:.0f}."
_HEIGHT = f"a height of {{}} pixels is out of range. It runs from {HEIGHTS[0]} to {HEIGHTS[1]}."


class Generator(Protocol):
    """A generator that draws the digit that it is asked for, as :class:`inkgan.generation.model.Model` does."""

    @property
    def name(self) -> str:
        """Where it came from."""

    @property
    def class_names(self) -> Sequence[str]:
        """The names of its classes; it can write if they are the ten digits, in any order."""

    @property
    def latent_dim(self) -> int:
        """How many numbers a latent has."""

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of its images; it can write if that is one channel."""

    def draw(self, latents: NDArray[np.float32], labels: NDArray[np.int64]) -> Images:
        """Images uint8 [N, H, W], 0 paper to 255 ink, for latents [N, latent_dim] and the indices of classes [N]."""


@dataclass(frozen=True, eq=False, repr=False)
class Writing:
    """A text written by hand.

    Attributes:
        text: what is written.
        image: uint8 [H, W], 0 paper to 255 ink.
        boxes: of each character of the text; its ink and nothing else of it lies outside. A space's has no area.
        background: of the picture: ``white`` or ``transparent``.
    """

    text: str
    image: Images
    boxes: tuple[Box, ...]
    background: Background = "white"

    def __repr__(self) -> str:
        height, width = self.image.shape
        return f"<Writing {self.text!r}: image {height}x{width}, {len(self.boxes)} boxes>"

    @property
    def picture(self) -> Image.Image:
        """Dark ink on white paper, of mode L; or black ink on nothing, as opaque as it is dark, of mode LA."""
        from PIL import Image

        if self.background == "transparent":
            return Image.fromarray(np.stack([np.zeros_like(self.image), self.image], 2))
        return Image.fromarray(255 - self.image)

    def _repr_png_(self) -> bytes:
        """The picture, for notebooks."""
        return png_bytes(self.picture)


def write(
    text: str,
    *,
    model: str | Path | Generator = DEFAULT,
    seed: SupportsIndex = 0,
    writer: SupportsIndex = 0,
    style: SupportsFloat = 0.25,
    slant: SupportsFloat = 0.0,
    height: SupportsIndex = 96,
    background: Background = "white",
) -> Writing:
    """Write a text by hand.

    Args:
        text: 1 to 64 characters, of the digits and ``. , - : / +`` and space; ``d`` stands for any digit.
        model: the name of a bundled model, a run or a model folder, or a model that was loaded: one with classes.
        seed: 0 to 2^63 - 1; the same arguments give the same image.
        writer: 0 or above; which of the seed's writers holds the pen.
        style: 0 to 1, how much a writer varies: at 0 every 2 is the same, at 1 each is like another person's.
        slant: degrees by which all characters lean further to the right, -45 to 45.
        height: of the image in pixels, 24 to 512; a digit has about six tenths of it.
        background: of the picture, ``white`` or ``transparent``.

    Returns:
        The text, its image, uint8 [height, W] with 0 for paper and 255 for ink, and the box of each character. A
        notebook shows its picture, which is dark on white.

    Raises:
        ConfigError: an argument is out of range, or the text holds what cannot be written; the message says what can.
        CheckpointError: there is no such model, or its classes are not the ten digits.
    """
    text = valid_text(text)
    seed = valid_seed(seed)
    writer = whole_number(writer, "there is no writer {}. Writers are numbered from 0 to 2^63 - 1.", 0, LARGEST_SEED)
    style = number_between(style, "the style {} is out of range. It runs from 0, every 2 the same, to 1.", 0, 1)
    slant = number_between(slant, _SLANT, -STEEPEST, STEEPEST)
    height = whole_number(height, _HEIGHT, *HEIGHTS)
    if background not in BACKGROUNDS:
        hint = did_you_mean(str(background), BACKGROUNDS)
        raise ConfigError(f"unknown background {background!r}.{hint} Use white or transparent.")
    generator = loaded(model)
    latent, gap = _hand(generator, seed, writer)
    draws = rng(seed, Stream.WRITING, writer)
    text = "".join(str(draws.integers(10)) if character == WILDCARD else character for character in text)
    line = ink.Line(height, 0.78 * height, 0.58 * height)
    strips = _characters(text, generator, latent, line, style, np.tan(np.radians(slant)), draws)
    gaps = gap * line.size * np.exp(0.5 * style * draws.standard_normal(len(text)))
    left = _side_by_side(text, strips, line, gaps)
    page = np.zeros((height, left[-1]), np.uint8)
    boxes = []
    for strip, x in zip(strips, left, strict=False):
        np.maximum(part := page[:, x : x + strip.shape[1]], strip, out=part)
        rows = np.flatnonzero(strip.any(1))
        top, bottom = (int(rows[0]), int(rows[-1]) + 1) if len(rows) else (round(line.baseline),) * 2
        boxes.append((x, top, x + strip.shape[1], bottom))
    return Writing(text, page, tuple(boxes), background)


def valid_text(text: str) -> str:
    """Return a text if it can be written.

    Raises:
        ConfigError: it is not a string, is empty or too long, or holds characters that cannot be written.
    """
    if not isinstance(text, str):
        raise ConfigError(f"cannot write {text!r:.40}. A text is a string, such as '2026'.")
    strange = [character for character in text if character not in CHARACTERS + WILDCARD]
    if strange:
        raise ConfigError(
            f"cannot write {''.join(strange)[:20]!r}. Write digits, {' '.join(ink.STROKES)} and space; "
            f"{WILDCARD} stands for any digit."
        )
    if not text.strip() or len(text) > LONGEST_TEXT:
        raise ConfigError(f"cannot write a text of {len(text)} characters. Write 1 to {LONGEST_TEXT}, not only spaces.")
    return text


def loaded(model: str | Path | Generator) -> Generator:
    """Load a model that can write (see :func:`write`), unless it is one already."""
    generator = sampling.load(model) if isinstance(model, str | Path) else model
    names = generator.class_names
    if sorted(names) != list(DIGITS):
        shortened = ", ".join(shown(name) for name in names[:12]) + (", …" if len(names) > 12 else "")
        classes = f"its classes are {shortened}" if names else "it draws without labels"
        raise CheckpointError(
            f"{generator.name} cannot write: {classes}; writing needs the classes 0 to 9. "
            f"Name a model such as {DEFAULT}."
        )
    if generator.image_shape[2] != 1:
        raise CheckpointError(
            f"{generator.name} cannot write: its images have colours. Name a model such as {DEFAULT}."
        )
    return generator


def _digit_classes(generator: Generator) -> Mapping[str, int]:
    """The index of each digit's class, by the digit, which is the class's name."""
    return {name: index for index, name in enumerate(generator.class_names)}


def _hand(generator: Generator, seed: int, writer: int) -> tuple[Latent, float]:
    """A writer's latent, and the gap between its characters in heights of a digit."""
    hand = rng(seed, Stream.WRITER, writer)
    return hand.standard_normal(generator.latent_dim, dtype=np.float32), hand.uniform(0.07, 0.13)


def _characters(
    text: str,
    generator: Generator,
    latent: Latent,
    line: ink.Line,
    style: float,
    lean: float,
    draws: np.random.Generator,
) -> list[ink.Strip]:
    """The strip of each character; that of a space is empty."""
    others = draws.standard_normal((len(text), generator.latent_dim), dtype=np.float32)
    loose = np.sqrt(style)
    # Rotation, change of size and shift; without tails, so that nothing leaves the page.
    shaken = loose * np.clip(draws.standard_normal((len(text), 3)), -2, 2) * [0.06, 0.05, 0.02 * line.size]
    classes = _digit_classes(generator)
    latents = [slerp(latent, one, style) for character, one in zip(text, others, strict=True) if character in DIGITS]
    labels = [classes[character] for character in text if character in DIGITS]
    separators = not set(text) <= set(DIGITS + " ")
    if separators:  # the writer's own ten digits show the pen
        latents += [latent] * len(DIGITS)
        labels += [classes[digit] for digit in DIGITS]
    images = ink.without_specks(np.asarray(generator.draw(np.array(latents), np.array(labels))))
    width, upright = _pen(images[-len(DIGITS) :], line) if separators else (0.0, 0.0)
    digits = iter(images)
    strips = []
    for character, (turn, grow, lift) in zip(text, shaken, strict=True):
        if character in DIGITS:
            strip = ink.digit(next(digits), line, lean=lean, turn=turn, grow=np.exp(grow), lift=lift, has_specks=False)
        elif character == " ":
            strip = ink.empty_strip(line)
        else:
            strokes = np.array(ink.STROKES[character])
            strokes += 0.03 * loose * np.clip(draws.standard_normal(strokes.shape), -2, 2)
            strip = ink.separator(strokes, line, width=width, lean=lean + upright)
        strips.append(strip)
    return strips


def _pen(images: Images, line: ink.Line) -> tuple[float, float]:
    """The width of a writer's strokes in pixels, from ten digits, and the tangent of the slant, from the 1."""
    strips = [ink.digit(image, line, has_specks=False) for image in images]
    slant = min(max(ink.lean_of(strips[1]), -0.5), 0.5)  # a 1 with a flag seems to lean more than its writer does
    return float(np.mean([ink.stroke_width(strip) for strip in strips])), slant


def morph(
    seeds: Sequence[SupportsIndex], *, steps: SupportsIndex = 8, model: str | Path | Generator = DEFAULT
) -> Images:
    """The ten digits of one writer after another, and of the hands between them.

    Args:
        seeds: one or more, 0 to 2^63 - 1; the first writer of each.
        steps: from one writer to the next, 1 or above; 1 shows the writers alone.
        model: as in :func:`write`.

    Returns:
        uint8 [R, 10, H, W], 0 paper to 255 ink, with R = (writers - 1) · steps + 1 hands.

    Raises:
        ConfigError: a seed or the steps are out of range, or there would be more than 1,000 hands.
        CheckpointError: as in :func:`write`.
    """
    numbers = [valid_seed(seed) for seed in seeds]
    hands = number_of_hands(numbers, steps)
    generator = loaded(model)
    classes = _digit_classes(generator)
    writers = [_hand(generator, seed, 0)[0] for seed in numbers]
    ways = [slerp(a, b, step / int(steps)) for a, b in pairwise(writers) for step in range(int(steps))]
    latents = np.repeat([*ways, writers[-1]], len(DIGITS), axis=0)
    images = generator.draw(latents, np.tile([classes[digit] for digit in DIGITS], hands))
    return np.asarray(images).reshape(hands, len(DIGITS), *images.shape[1:])


def number_of_hands(seeds: Sequence[SupportsIndex], steps: SupportsIndex) -> int:
    """How many hands :func:`morph` shows.

    Raises:
        ConfigError: none, or more than 1,000.
    """
    steps = whole_number(steps, f"cannot morph in {{}} steps. Ask for 1 to {MOST_HANDS:,}.", 1, MOST_HANDS)
    hands = (len(seeds) - 1) * steps + 1
    if not len(seeds) or hands > MOST_HANDS:
        raise ConfigError(
            f"cannot show {len(seeds)} writers in {steps} steps each. Ask for 1 writer or more, and at most "
            f"{MOST_HANDS:,} hands in all."
        )
    return hands


def slerp(a: Latent, b: Latent, t: float) -> Latent:
    """Spherical linear interpolation: the latent at ``t`` of the way from ``a`` to ``b``, [D] each, along an arc.

    On the straight line, latents are shorter than those of N(0, 1) that the generator was trained on. Shoemake,
    "Animating rotation with quaternion curves", 1985; for latents White, "Sampling generative networks", 2016.
    """
    angle = np.arccos(np.clip(a @ b / np.sqrt((a @ a) * (b @ b)), -1, 1))
    if np.sin(angle) < 1e-6:  # parallel, or opposite, where the arc is not unique
        return a if t < 0.5 else b
    mixed: Latent = ((np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)).astype(np.float32)
    return mixed


def _side_by_side(text: str, strips: Sequence[ink.Strip], line: ink.Line, gaps: NDArray[np.floating]) -> list[int]:
    """The left edge of each strip, and at the end the width of the page.

    Characters move together until their outlines are a gap apart at the closest point.
    """
    edge = margin = round(0.25 * line.size)
    right = np.full(line.height, -np.inf)  # of the ink so far, by row
    left = []
    for character, strip, gap in zip(text, strips, gaps, strict=True):
        if not strip.shape[1]:
            left.append(edge)
            if character == " ":
                edge += round(0.45 * line.size)
                right[:] = -np.inf
            continue
        inked = strip.any(1)
        first = np.where(inked, (strip > 0).argmax(1), np.inf)
        x = edge if not left else round(max(edge - 0.15 * line.size, np.max(_dilated(right, gap) - first)))
        last = x + strip.shape[1] - (strip[:, ::-1] > 0).argmax(1)
        right = np.maximum(right, np.where(inked, last, -np.inf))
        left.append(x)
        edge = max(edge, x + strip.shape[1])
    return [*left, edge + margin]


def _dilated(right: NDArray[np.floating], gap: float) -> NDArray[np.floating]:
    """The right edge of ink, by row, after a disc of radius ``gap`` has gone around it."""
    reach = int(gap)
    padded = np.pad(right, reach, constant_values=-np.inf)
    shifted = [padded[k : k + len(right)] + np.sqrt(gap**2 - (k - reach) ** 2) for k in range(2 * reach + 1)]
    dilated: NDArray[np.floating] = np.max(shifted, 0)
    return dilated
