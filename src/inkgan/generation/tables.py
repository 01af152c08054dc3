"""Tables that a file or a call fills in, and the file of templates. Their errors are one line long."""

from __future__ import annotations

import operator
from contextlib import suppress
from typing import Annotated, Any, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from inkgan.errors import ConfigError, as_given, did_you_mean, instead, is_truth_value, shown
from inkgan.generation.texts import LONGEST_TEXT

#: pydantic's names for the errors of a list: it is not a list, is too short or too long, or has an item
#: that is not a table.
_OF_LISTS = {"tuple_type", "too_short", "too_long", "model_type"}


def _no_text(value: Any) -> Any:
    """Refuse what pydantic would turn into a number."""
    if isinstance(value, str | bytes) or is_truth_value(value):
        raise ValueError("give a number, and not a text, true or false")
    with suppress(TypeError):
        return operator.index(value)  # pydantic would turn NumPy's integers into floats
    return value


#: Numbers, which no text, true or false stands for.
Whole = Annotated[int, BeforeValidator(_no_text)]
Number = Annotated[float, BeforeValidator(_no_text)]
Length = Annotated[Whole, Field(ge=1, le=LONGEST_TEXT)]


class Table(BaseModel):
    """A frozen table without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Document(Table):
    """A table that can contain tables; an error in any of them becomes a ConfigError of one line."""

    def __init__(self, /, **given: Any) -> None:
        try:
            super().__init__(**given)
        except ValidationError as error:
            raise ConfigError(_one_line(type(self), error)) from None


class WeightedTemplate(Table):
    """A template of a mixture."""

    template: str
    weight: Number = Field(default=1.0, gt=0, le=1e9)


class MixtureFile(Document):
    """A file of templates; each text takes one of them at random.

    Raises:
        ConfigError: a key is unknown or missing, or a value is not allowed; the message names the first such error.
    """

    texts: tuple[WeightedTemplate, ...] = Field(min_length=1, examples=['[[texts]] above template = "{digits:6}"'])
    lengths: tuple[Length, Length] = Field(default=(1, LONGEST_TEXT), examples=["[4, 10]"])


def _one_line(kind: type[Document], error: ValidationError) -> str:
    first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")  # a missing key may be misspelt
    place = ".".join(str(part + 1) if isinstance(part, int) else shown(str(part)) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        names = kind.model_fields
        if len(first["loc"]) > 1:  # a key of a row
            names = get_args(names[str(first["loc"][0])].annotation)[0].model_fields
        hint = did_you_mean(str(first["loc"][-1]), names)
        return f"there is no {place}.{hint} It can have {', '.join(names)}."
    if first["type"] == "missing":
        return f"{place} is missing."
    message = instead(first)
    if first["type"] in _OF_LISTS:
        message = f"write it like {(kind.model_fields[str(first['loc'][0])].examples or [])[0]}"
    wrong = f"{place} = {as_given(first['input'])} is not allowed: " if place else ""
    return f"{wrong}{message.removesuffix('.')}."
