"""The parameters of each address, with their ranges and examples.

A parameter that is not listed here is an error; otherwise a misspelled ``sed=4`` would silently draw another hand.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from inkgan.generation.legibility import LEGIBLE, MOST_LEGIBLE
from inkgan.generation.looks import LOOKS
from inkgan.generation.texts import CHARACTERS, LONGEST_TEXT, WILDCARD
from inkgan.generation.writing import HEIGHTS, STEEPEST, Background
from inkgan.seeds import LARGEST_SEED

#: The most images in one answer.
LARGEST_SAMPLE = 64
#: The number of hexadecimal digits of a model's digest that name it in an address.
DIGEST_LENGTH = 12

_ANY = f"[{re.escape(CHARACTERS + WILDCARD)}]"
_VISIBLE = f"[{re.escape(CHARACTERS.strip() + WILDCARD)}]"
Seed = Annotated[int, Field(ge=0, le=LARGEST_SEED, examples=[4])]
Digest = Annotated[str, StringConstraints(pattern=f"^[0-9a-f]{{{DIGEST_LENGTH}}}$")]


class Parameters(BaseModel):
    """The parameters that all addresses share."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    model: Digest | None = Field(
        None,
        description="The digest of the model and of the software that draws, from /v1/models. With it the answer never "
        "changes, and may be kept for a year; if another model or version is served, the answer is 404.",
    )


class Write(Parameters):
    """The parameters of ``/v1/write``."""

    text: str = Field(
        min_length=1,
        max_length=LONGEST_TEXT,
        description="Digits, . , - : / + and space; d stands for any digit. In an address + is %2B.",
        examples=["2026-11-26"],
        json_schema_extra={"pattern": f"^{_ANY}*{_VISIBLE}{_ANY}*$"},  # not enforced: `write` explains errors better
    )
    seed: Seed = Field(0, description="Another seed is another hand.")
    writer: int = Field(0, ge=0, le=LARGEST_SEED, description="Which of the seed's writers holds the pen.")
    style: float = Field(0.25, ge=0, le=1, description="How much the writer varies.")
    slant: float = Field(0, ge=-STEEPEST, le=STEEPEST, description="Degrees to lean to the right.")
    height: int = Field(96, ge=HEIGHTS[0], le=HEIGHTS[1], description="Height of the image in pixels.", examples=[96])
    background: Background = Field("white", description="Behind the ink; transparent for the clean look alone.")
    look: Literal[tuple(LOOKS)] = Field(  # type: ignore[valid-type]  # mypy wants the names written out
        "clean",
        description="How the page looks: as written, scanned, photographed, or in the frame of a form.",
        examples=["scan"],
    )
    legible: float = Field(
        LEGIBLE,
        ge=0,
        le=MOST_LEGIBLE,
        description="How surely a classifier must read each digit; 0 takes them as they come.",
    )
    format: Literal["png", "json"] = Field(
        "png", description="A picture; or the text, the box of each character and the picture in base64."
    )


class Digit(Parameters):
    """The parameters of ``/v1/digits/...``."""

    seed: Seed = Field(0, description="Another seed is another hand; the same as in /v1/write.", examples=[1])
    writer: Seed = Field(0, description="Which of the seed's writers holds the pen.", examples=[3])
    scale: int = Field(1, ge=1, le=16, description="How many pixels wide each pixel becomes.", examples=[4])
    format: Literal["png"] = Field("png", description="A picture.")


class Sample(Parameters):
    """The parameters of ``/v1/sample``."""

    n: int = Field(LARGEST_SAMPLE, ge=1, le=LARGEST_SAMPLE, description="The number of images.", examples=[16])
    seed: Seed = Field(0, description="The same seed gives the same images.", examples=[0])
    label: str | None = Field(
        None, max_length=255, description="One class for all images; without it, the classes in turn."
    )
    format: Literal["png", "npz", "zip"] = Field(
        "png", description="A sheet; arrays images, labels and class_names; or a picture of each image."
    )
