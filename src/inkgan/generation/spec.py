"""What may be said in a file of texts, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from inkgan.errors import ConfigError, did_you_mean, shown
from inkgan.generation.writing import LONGEST_TEXT

M = TypeVar("M", bound=BaseModel)
Length = Annotated[int, Field(ge=1, le=LONGEST_TEXT)]


class Table(BaseModel):
    """A table whose keys are all known, and which never changes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class WeightedTemplate(Table):
    """A template of a mixture."""

    template: str
    weight: float = Field(1.0, gt=0, allow_inf_nan=False)


class MixtureFile(Table):
    """A file of templates, of which each text takes one at random."""

    texts: tuple[WeightedTemplate, ...] = Field(min_length=1)
    lengths: tuple[Length, Length] = (1, LONGEST_TEXT)


def checked(kind: type[M], given: Mapping[str, Any]) -> M:
    """Make what was given an object of a kind.

    Raises:
        ConfigError: a key is unknown or missing, or a value is not allowed; the first of these, in one line.
    """
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        raise ConfigError(_one_line(kind, error)) from None


def _one_line(kind: type[BaseModel], error: ValidationError) -> str:
    first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")  # what is missing may be misspelt
    place = ".".join(str(part + 1) if isinstance(part, int) else shown(str(part)) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        names = _names(kind)
        hint = did_you_mean(str(first["loc"][-1]), names)
        return f"there is no {place}.{hint} It can have {', '.join(names)}."
    if first["type"] == "missing":
        return f"{place} is missing."
    message = first["msg"].removeprefix("Value error, ")
    return f"{place} = {first['input']!r:.60} is not allowed: {message[0].lower()}{message[1:]}."


def _names(kind: type[BaseModel]) -> list[str]:
    """The keys of a table and of the tables in it."""
    names = list(kind.model_fields)
    return names + (list(WeightedTemplate.model_fields) if kind is MixtureFile else [])
