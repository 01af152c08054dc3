"""Writing: digits and separators by one hand on one line, with the place of every character.

A seed has writers 0, 1, 2, ... A writer is a latent and a gap between characters; each digit is drawn from a latent a
little aside of the writer's, as no person writes a digit twice the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inkgan.errors import CheckpointError, ConfigError, OutputError, did_you_mean
from inkgan.files import refuse_to_overwrite, write_bytes
from inkgan.generation import ink
from inkgan.generation import model as sampling
from inkgan.generation.model import LARGEST_SAMPLE
from inkgan.generation.saving import LABELS, filling, kind_of, numbered, write_arrays
from inkgan.images import Images, save_png
from inkgan.seeds import LARGEST_SEED, Stream, rng

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
_LARGEST_ARRAY = 2 * 2**30


class Generator(Protocol):
    """What writes: a generator that draws the digit it is told to; see :class:`inkgan.generation.model.Model`."""

    @property
    def name(self) -> str:
        """Where it came from."""

    @property
    def num_classes(self) -> int:
        """How many classes it knows; 0 if it cannot be told what to draw."""

    @property
    def latent_dim(self) -> int:
        """How many numbers a latent has."""

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of its images; it can write if that is one channel."""

    def draw(self, latents: NDArray[np.float32], labels: NDArray[np.int64] | None) -> Images:
        """Images uint8 [N, H, W] for latents [N, latent_dim] and labels [N]."""


@dataclass(frozen=True, eq=False)
class Writing:
    """Something written.

    Attributes:
        text: what is written.
        image: uint8 [H, W], 0 ink to 255 paper; on a transparent background [H, W, 2], the second channel being how
            opaque the ink is. ``PIL.Image.fromarray`` takes both.
        boxes: of each character of the text; its ink and nothing else of it lies outside. A space's has no area.
    """

    text: str
    image: Images
    boxes: tuple[Box, ...]


def write(
    text: str,
    *,
    model: str | Path | Generator = DEFAULT,
    seed: int = 0,
    writer: int = 0,
    style: float = 0.25,
    slant: float = 0.0,
    height: int = 96,
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
        background: ``white`` or ``transparent``.

    Raises:
        ConfigError: an argument is out of range, or the text holds what cannot be written; the message says what can.
        CheckpointError: there is no such model, or it cannot be told which digit to draw.
    """
    _check(text, seed, writer, style, slant, height, background)
    generator = loaded(model)
    latent, gap = _hand(generator, seed, writer)
    moment = rng(seed, Stream.WRITING, writer)
    text = "".join(str(moment.integers(10)) if character == WILDCARD else character for character in text)
    line = ink.Line(height, 0.78 * height, 0.58 * height)
    strips = _characters(text, generator, latent, line, style, np.tan(np.radians(slant)), moment)
    gaps = gap * line.size * np.exp(0.5 * style * moment.standard_normal(len(text)))
    left = _side_by_side(text, strips, line, gaps)
    page = np.zeros((height, left[-1]), np.uint8)
    boxes = []
    for strip, x in zip(strips, left, strict=False):
        np.maximum(part := page[:, x : x + strip.shape[1]], strip, out=part)
        rows = np.flatnonzero(strip.any(1))
        top, bottom = (int(rows[0]), int(rows[-1]) + 1) if len(rows) else (round(line.baseline),) * 2
        boxes.append((x, top, x + strip.shape[1], bottom))
    image = 255 - page if background == "white" else np.stack([np.zeros_like(page), page], 2)
    return Writing(text, image, tuple(boxes))


def _check(text: str, seed: int, writer: int, style: float, slant: float, height: int, background: str) -> None:
    strange = [character for character in text if character not in CHARACTERS + WILDCARD]
    if strange:
        raise ConfigError(
            f"cannot write {''.join(strange)[:20]!r}. Write digits, {' '.join(ink.STROKES)} and space; "
            f"{WILDCARD} stands for any digit."
        )
    if not text.strip() or len(text) > LONGEST_TEXT:
        raise ConfigError(f"cannot write a text of {len(text)} characters. Write 1 to {LONGEST_TEXT}, not only spaces.")
    _check_seed(seed)
    if not 0 <= writer <= LARGEST_SEED:
        raise ConfigError(f"there is no writer {writer}. Writers are numbered from 0 to 2^63 - 1.")
    if not 0 <= style <= 1:
        raise ConfigError(f"the style {style} is out of range. It runs from 0, every 2 the same, to 1.")
    if not -STEEPEST <= slant <= STEEPEST:
        raise ConfigError(
            f"a slant of {slant} degrees is out of range. It runs from -{STEEPEST:.0f} to {STEEPEST:.0f}."
        )
    if not HEIGHTS[0] <= height <= HEIGHTS[1]:
        raise ConfigError(f"a height of {height} pixels is out of range. It runs from {HEIGHTS[0]} to {HEIGHTS[1]}.")
    if background not in BACKGROUNDS:
        raise ConfigError(
            f"unknown background {background!r}.{did_you_mean(background, BACKGROUNDS)} Use white or transparent."
        )


def _check_seed(seed: int) -> None:
    if not 0 <= seed <= LARGEST_SEED:
        raise ConfigError(f"the seed {seed} is out of range. Seeds run from 0 to 2^63 - 1.")


def loaded(model: str | Path | Generator) -> Generator:
    """Load a model that can write (see :func:`write`), unless it is one already."""
    generator = sampling.load(model) if isinstance(model, str | Path) else model
    if generator.num_classes != len(DIGITS):
        raise CheckpointError(
            f"{generator.name} cannot write: it cannot be told which of ten digits to draw. "
            f"Name a model that was trained with labels, such as {DEFAULT}."
        )
    if generator.image_shape[2] != 1:
        raise CheckpointError(
            f"{generator.name} cannot write: its images have colours. Name a model such as {DEFAULT}."
        )
    return generator


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
    moment: np.random.Generator,
) -> list[ink.Strip]:
    """The strip of each character; that of a space is empty."""
    aside = moment.standard_normal((len(text), generator.latent_dim), dtype=np.float32)
    loose = np.sqrt(style)
    # Turn, growth and lift; without tails, so that nothing leaves the page.
    shaken = loose * np.clip(moment.standard_normal((len(text), 3)), -2, 2) * [0.06, 0.05, 0.02 * line.size]
    latents = [between(latent, one, style) for character, one in zip(text, aside, strict=True) if character in DIGITS]
    labels = [int(character) for character in text if character in DIGITS]
    separators = not set(text) <= set(DIGITS + " ")
    if separators:  # the hand's own ten digits tell of its pen
        latents, labels = latents + [latent] * len(DIGITS), [*labels, *range(len(DIGITS))]
    images = generator.draw(np.array(latents), np.array(labels))
    width, upright = _pen(images[-len(DIGITS) :], line) if separators else (0.0, 0.0)
    digits = iter(images)
    strips = []
    for character, (turn, grow, lift) in zip(text, shaken, strict=True):
        if character in DIGITS:
            strip = ink.digit(next(digits), line, lean=lean, turn=turn, grow=np.exp(grow), lift=lift)
        elif character == " ":
            strip = ink.nothing(line)
        else:
            strokes = np.array(ink.STROKES[character])
            strokes += 0.03 * loose * np.clip(moment.standard_normal(strokes.shape), -2, 2)
            strip = ink.separator(strokes, line, width=width, lean=lean + upright)
        strips.append(strip)
    return strips


def _pen(images: Images, line: ink.Line) -> tuple[float, float]:
    """The width of a hand's strokes in pixels, from its ten digits, and the tangent of its slant, from its 1."""
    strips = [ink.digit(image, line) for image in images]
    slant = min(max(ink.lean_of(strips[1]), -0.5), 0.5)  # who draws a 1 with a flag leans less than it says
    return float(np.mean([ink.stroke_width(strip) for strip in strips])), slant


def morph(seeds: Sequence[int], *, steps: int = 8, model: str | Path | Generator = DEFAULT) -> Images:
    """The ten digits of one writer after another, and of hands between them.

    Args:
        seeds: one or more, 0 to 2^63 - 1; the first writer of each.
        steps: from one writer to the next, 1 or above; 1 leaves out what lies between.
        model: as in :func:`write`.

    Returns:
        uint8 [R, 10, H, W], 0 paper to 255 ink, with R = (writers - 1) · steps + 1 hands.

    Raises:
        ConfigError: a seed or the steps are out of range, or there would be more than 1,000 hands.
        CheckpointError: as in :func:`write`.
    """
    for seed in seeds:
        _check_seed(seed)
    hands = (len(seeds) - 1) * steps + 1
    if not seeds or steps < 1 or hands > MOST_HANDS:
        raise ConfigError(
            f"cannot show {len(seeds)} writers in {steps} steps each. Ask for 1 or more of both, and at most "
            f"{MOST_HANDS:,} hands in all."
        )
    generator = loaded(model)
    writers = [_hand(generator, seed, 0)[0] for seed in seeds]
    ways = [between(a, b, step / steps) for a, b in pairwise(writers) for step in range(steps)]
    latents = np.repeat([*ways, writers[-1]], len(DIGITS), axis=0)
    images = generator.draw(latents, np.tile(np.arange(len(DIGITS)), hands))
    return images.reshape(hands, len(DIGITS), *images.shape[1:])


def between(a: Latent, b: Latent, t: float) -> Latent:
    """The latent at ``t`` of the way from ``a`` to ``b``, [D] each, along the arc between them.

    On the straight line, lengths fall below what N(0, 1) ever draws and what the generator was trained on. Shoemake,
    "Animating rotation with quaternion curves", 1985; for latents White, "Sampling generative networks", 2016.
    """
    angle = np.arccos(np.clip(a @ b / np.sqrt((a @ a) * (b @ b)), -1, 1))
    if np.sin(angle) < 1e-6:  # no arc, or no telling which
        return a if t < 0.5 else b
    mixed: Latent = ((np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)).astype(np.float32)
    return mixed


def _side_by_side(text: str, strips: Sequence[ink.Strip], line: ink.Line, gaps: NDArray[np.floating]) -> list[int]:
    """The left edge of each strip, and at the end the width of the page.

    Characters come so near that their outlines are a gap apart, wherever they come nearest.
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
        x = edge if not left else round(max(edge - 0.15 * line.size, np.max(_swollen(right, gap) - first)))
        last = x + strip.shape[1] - (strip[:, ::-1] > 0).argmax(1)
        right = np.maximum(right, np.where(inked, last, -np.inf))
        left.append(x)
        edge = max(edge, x + strip.shape[1])
    return [*left, edge + margin]


def _swollen(right: NDArray[np.floating], gap: float) -> NDArray[np.floating]:
    """The right edge of ink, by row, after a disc of radius ``gap`` has gone around it."""
    reach = int(gap)
    padded = np.pad(right, reach, constant_values=-np.inf)
    shifted = [padded[k : k + len(right)] + np.sqrt(gap**2 - (k - reach) ** 2) for k in range(2 * reach + 1)]
    swollen: NDArray[np.floating] = np.max(shifted, 0)
    return swollen


def save(writings: Iterable[Writing], count: int, out: str, *, labels: bool = False, force: bool = False) -> None:
    """Write images, and what is where in them, whole or not at all.

    Args:
        writings: ``count`` of them; drawn one by one, so that a folder may hold more than memory does.
        count: 1 to 1,000,000.
        out: a folder (ends with a slash) of .png; an .npz with ``images`` [N, H, W] or [N, H, W, 2], filled up on the
            right to the widest; or for one image a .png.
        labels: say what is where. In a folder ``labels.jsonl`` has a line for each image, ``{"file": ..., "text": ...,
            "boxes": [[left, top, right, bottom], ...]}``; beside a .png lies a .jsonl of that name; an .npz has
            ``texts`` [N] and ``boxes`` int32 [N, L, 4], after the end of a text -1.
        force: replace what is there.

    Raises:
        OutputError: there is something, it cannot be written, a .png shall hold several, or an .npz more than 2 GiB.
    """
    if not 1 <= count <= LARGEST_SAMPLE:
        raise ConfigError(f"cannot write {count} images. Ask for 1 to {LARGEST_SAMPLE:,}.")
    kind, path = kind_of(out, force=force), Path(out)
    if kind == "npz":
        write_arrays(path, **_arrays(writings, count, path, labels=labels))
    elif kind == "folder":
        with filling(path) as folder, (folder / LABELS).open("w") if labels else nullcontext() as lines:
            for index, writing in enumerate(writings):
                name = numbered(index, count)
                Image.fromarray(writing.image).save(folder / name)
                if lines:
                    lines.write(_label(writing, name))
    elif count > 1:
        raise OutputError(f"{out} holds one image, not {count}. Name a folder (ends with a slash) or an .npz.")
    else:
        beside = path.with_suffix(".jsonl")
        if labels:
            refuse_to_overwrite(beside, force=force)
        for writing in writings:
            save_png(Image.fromarray(writing.image), path)
            if labels:
                write_bytes(beside, _label(writing, path.name).encode())
            elif _is_label_of(beside, path.name):
                beside.unlink()  # it tells of the image that was replaced


def _label(writing: Writing, file: str) -> str:
    return json.dumps({"file": file, "text": writing.text, "boxes": writing.boxes}) + "\n"


def _is_label_of(path: Path, file: str) -> bool:
    """Whether a file is what :func:`save` writes beside the image of this name."""
    try:
        return bool(json.loads(path.read_text("utf-8"))["file"] == file)
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return False


def _arrays(writings: Iterable[Writing], count: int, out: Path, *, labels: bool) -> dict[str, NDArray[Any]]:
    """The arrays of an .npz (see :func:`save`)."""
    kept: list[Writing] = []
    widest = 0
    for writing in writings:
        widest = max(widest, writing.image.shape[1])
        if count * writing.image.nbytes // writing.image.shape[1] * widest > _LARGEST_ARRAY:
            raise OutputError(
                f"{out} would hold more than 2 GiB of pixels. Ask for fewer or smaller ones, or a folder."
            )
        kept.append(writing)
    first = kept[0].image
    paper = 255 if first.ndim == 2 else 0
    images = np.full((len(kept), len(first), widest, *first.shape[2:]), paper, np.uint8)
    boxes = np.full((len(kept), max(len(writing.text) for writing in kept), 4), -1, np.int32)
    for index, writing in enumerate(kept):
        images[index, :, : writing.image.shape[1]] = writing.image
        boxes[index, : len(writing.boxes)] = writing.boxes
    arrays: dict[str, NDArray[Any]] = {"images": images}
    return arrays | {"texts": np.array([writing.text for writing in kept]), "boxes": boxes} if labels else arrays
