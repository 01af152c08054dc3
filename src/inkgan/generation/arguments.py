"""Checks of arguments. NumPy's numbers are as good as Python's."""

from __future__ import annotations

import operator
from typing import Any, SupportsFloat

from inkgan.errors import ConfigError
from inkgan.seeds import LARGEST_SEED

#: The probability below which a digit is drawn again, if nothing else is asked for, and the largest that can be.
LEGIBLE = 0.99
MOST_LEGIBLE = 0.9999


def whole_number(value: Any, complaint: str, least: int, most: int) -> int:
    """Return a whole number as an ``int``.

    Args:
        value: an ``int``, a NumPy integer or an array with one.
        complaint: the error's message, with ``{}`` for what was given.
        least: the smallest number allowed.
        most: the largest number allowed.

    Raises:
        ConfigError: it is no whole number, or out of range.
    """
    try:
        number = operator.index(value)
    except TypeError:
        raise ConfigError(complaint.format(repr(value)[:40])) from None
    if not least <= number <= most:
        raise ConfigError(complaint.format(str(number)[:40]))
    return number


def number_between(value: Any, complaint: str, least: float, most: float) -> float:
    """Return a number as a ``float``; see :func:`whole_number`."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ConfigError(complaint.format(repr(value)[:40])) from None
    if not least <= number <= most:
        raise ConfigError(complaint.format(value))
    return number


def valid_seed(seed: Any) -> int:
    """Return a seed as an ``int``.

    Raises:
        ConfigError: it is no whole number, or out of range.
    """
    return whole_number(seed, "the seed {} is out of range. Seeds run from 0 to 2^63 - 1.", 0, LARGEST_SEED)


def valid_legible(legible: SupportsFloat) -> float:
    """Return a probability below which digits are drawn again, 0 for none.

    Raises:
        ConfigError: it is out of range.
    """
    complaint = f"legible {{}} is out of range. It runs from 0, which takes digits as they come, to {MOST_LEGIBLE}."
    return number_between(legible, complaint, 0, MOST_LEGIBLE)
