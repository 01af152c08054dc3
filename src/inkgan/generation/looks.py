"""Looks: a written line on a scanned page, in a photograph, or in the field of a form, described by named knobs."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from inkgan.errors import ConfigError, as_given, config_errors, one_of, shown, unknown
from inkgan.files import read_toml

#: The least and the greatest value of a random choice.
Range = tuple[float, float]

FORMS = ("none", "line", "frame", "cells")
#: Colours that have a name; others are written as #rrggbb.
COLOURS = {
    "black": "#000000",
    "grey": "#4d4d4d",
    "blue": "#1f3a93",
    "red": "#b3202c",
    "green": "#1d6b3c",
    "violet": "#5b2a86",
    "white": "#ffffff",
    "cream": "#f6edd3",
    "yellow": "#f7ea9a",
    "pink": "#f6d5d8",
}


def _knob(least: float, most: float, meaning: str, *, default: float = 0) -> Any:
    """Declare a knob that takes a number, or a range of numbers, from ``least`` to ``most``."""
    return field(default=(default, default), metadata={"limits": (least, most, meaning)})


@dataclass(frozen=True)
class Look:
    """The ranges from which the appearance of a line is drawn, roughly from the pen to the camera.

    By default, nothing changes. ``inkgan help writing`` explains each knob. Lengths in pixels grow with the image.

    Attributes:
        form: what is printed: ``none``; a ``line`` to write on; a ``frame`` with a line; or ``cells``, one for each
            character.
        pen: the colours of the pen; each image has one of them.
        tint: the colours of the paper; each image has one of them.

    Raises:
        ConfigError: a value is not allowed; the message says what is allowed.
    """

    form: str = "none"
    gap: Range = _knob(-0.3, 1, "what is added to the gap between characters, in heights of a digit")
    variety: Range = _knob(0, 1.5, "the factor of the digits' latents; above 1, hands are more unusual", default=1)
    elastic: Range = _knob(0, 0.1, "how far parts of a digit stray from their places, in heights of a digit")
    pen: tuple[str, ...] = ("black",)
    ink: Range = _knob(0.1, 1, "how dark full ink is", default=1)
    pressure: Range = _knob(0, 0.9, "the share of its darkness that ink loses where the pen is light")
    stroke: Range = _knob(-1, 4, "how many pixels wider strokes are on each side, in an image 96 pixels high")
    tint: tuple[str, ...] = ("white",)
    paper: Range = _knob(0.2, 1, "how bright the paper is", default=1)
    texture: Range = _knob(0, 0.3, "how much the paper's brightness varies in spots")
    light: Range = _knob(0, 0.9, "how much darker the darkest corner is")
    turn: Range = _knob(-15, 15, "the rotation in degrees, clockwise")
    perspective: Range = _knob(0, 24, "how many pixels each corner moves inwards at most, in an image 96 pixels high")
    clip: Range = _knob(0, 24, "how many pixels are cut off at each edge, in an image 96 pixels high")
    resolution: Range = _knob(0.2, 1, "the share of the pixels that the camera has", default=1)
    blur: Range = _knob(0, 10, "the standard deviation of a Gaussian in pixels, in an image 96 pixels high")
    noise: Range = _knob(0, 100, "the standard deviation of noise, of 255")
    quality: Range = _knob(1, 100, "the quality of a JPEG file, in whole numbers; 100 leaves JPEG out", default=100)

    def __post_init__(self) -> None:
        for name in KNOBS:
            object.__setattr__(self, name, _valid_knob(name, getattr(self, name)))  # 1.2 and "0.5..2" are ranges, too

    @property
    def in_colour(self) -> bool:
        """Whether the images have colours: a pen or a paper is not grey."""
        return any(len(set(rgb(colour))) > 1 for colour in self.pen + self.tint)

    @property
    def has_paper(self) -> bool:
        """Whether more than the digits and their places differs from the clean look."""
        return self != Look(gap=self.gap, variety=self.variety, elastic=self.elastic)


KNOBS = tuple(knob.name for knob in fields(Look))
#: The limits of the knobs that take numbers: the least, the greatest, and the knob's meaning.
LIMITS = {knob.name: knob.metadata["limits"] for knob in fields(Look) if "limits" in knob.metadata}
#: A look, or its name, a .toml file or single knobs.
LookLike = str | Path | Mapping[str, Any] | Look


def look_of(given: LookLike, knobs: Mapping[str, Any] | None = None, *, background: str = "white") -> Look:
    """Return the look that a name, a file or knobs describe.

    A knob is a number, a range (``[0.5, 2]`` or ``"0.5..2"``), or for ``pen`` and ``tint`` one or several colours.

    Args:
        given: the name of a look; a TOML file or a mapping, which may name the ``look`` that it starts from
            (``clean`` by default) and sets single knobs; or a look.
        knobs: more knobs, which override those.
        background: the background of the pictures; it can be transparent only if the look has no paper.

    Raises:
        ConfigError: there is no such look, file or knob, a value is not allowed, or the look has paper while the
            background is to be transparent.
    """
    if isinstance(given, Look):
        look = given
    elif isinstance(given, str | Path) and str(given).lower().endswith(".toml"):
        table = read_toml(Path(given))
        with config_errors(shown(given)):
            look = _of_table(table)
    else:
        look = _of_table(given if isinstance(given, Mapping) else {"look": given})
    look = _with_knobs(look, knobs or {})
    if look.has_paper and background != "white":
        raise ConfigError(f"a look with paper cannot have the background {background}. Leave one of them out.")
    return look


def name_of(look: Look) -> str | Look:
    """Return the name of a look; or the look itself if it has none."""
    return next((name for name, one in LOOKS.items() if one == look), look)


def _of_table(table: Mapping[str, Any]) -> Look:
    knobs = dict(table)
    name = knobs.pop("look", "clean")
    given = str(name) if isinstance(name, Path) else name
    if not (isinstance(given, str) and given in LOOKS):
        raise ConfigError(f"{unknown('look', given, LOOKS)} Choose from {', '.join(LOOKS)}, or name a .toml file.")
    return _with_knobs(LOOKS[given], knobs)


def _with_knobs(look: Look, knobs: Mapping[str, Any]) -> Look:
    for name in knobs:
        if name not in KNOBS:
            raise ConfigError(f"{unknown('knob', name, KNOBS)} A look has {', '.join(KNOBS)}.")
    return replace(look, **knobs) if knobs else look


def _valid_knob(name: str, given: Any) -> Any:
    """Return the value of a knob, if it is allowed, in the form that a look keeps."""
    if name == "form":
        return one_of(given, "form", FORMS)
    if name in {"pen", "tint"}:
        return _colours(name, given)
    least, most, meaning = LIMITS[name]
    low, high = _range(given)
    whole = name != "quality" or (low % 1 == 0 and high % 1 == 0)
    if not (least <= low <= high <= most and whole):  # never true of NaN
        backwards = " The range runs backwards: give the smaller number first." if low > high else ""
        raise ConfigError(
            f"{name} = {as_given(given)} is not allowed.{backwards} It takes a number from {least:g} to {most:g}, or a "
            f"range such as {least:g}..{most:g}: {meaning}."
        )
    return (low, high)


def _colours(name: str, given: Any) -> tuple[str, ...]:
    """Return one or several colours, given as ``"blue,black"`` or as a list."""
    listed = given.split(",") if isinstance(given, str) else given
    is_list = isinstance(listed, list | tuple) and len(listed) > 0
    if not is_list or not all(isinstance(colour, str) and _is_colour(colour.strip()) for colour in listed):
        allowed = ", ".join(COLOURS)
        raise ConfigError(f"{name} = {as_given(given)} is not allowed: give one or several of {allowed} and #rrggbb.")
    return tuple(colour.strip() for colour in listed)


def _range(given: Any) -> Range:
    """Return both ends of a range, given as a number, ``"0.5..2"`` or ``[0.5, 2]``; NaN for anything else."""
    ends = given if isinstance(given, list | tuple) else [given]
    if isinstance(given, str):
        ends = given.split("..")
    with suppress(TypeError, ValueError, OverflowError):
        numbers = [math.nan if isinstance(end, bool) else float(end) for end in ends]
        if len(numbers) in {1, 2}:
            return (numbers[0], numbers[-1])
    return (math.nan, math.nan)


def _is_colour(name: str) -> bool:
    return name in COLOURS or re.fullmatch("#[0-9a-fA-F]{6}", name) is not None


def rgb(colour: str) -> tuple[int, ...]:
    """Return red, green and blue of a colour, 0 to 255."""
    return tuple(bytes.fromhex(COLOURS.get(colour, colour)[1:]))


_SCAN = Look(
    ink=(0.6, 1.0),
    paper=(0.86, 1.0),
    texture=(0.01, 0.01),
    light=(0, 0.04),
    turn=(-1.5, 1.5),
    blur=(0.3, 1.2),
    noise=(0, 5),
    quality=(50, 95),
)
LOOKS = {
    "clean": Look(),
    "scan": _SCAN,
    "photo": Look(
        ink=(0.55, 0.95),
        paper=(0.6, 0.95),
        texture=(0.03, 0.03),
        light=(0, 0.45),
        turn=(-4, 4),
        perspective=(0, 8),
        blur=(0.5, 2.2),
        noise=(2, 10),
        quality=(35, 90),
    ),
    "field": replace(_SCAN, form="frame"),
}
