"""The words of messages."""

from __future__ import annotations

import numpy as np
import pytest

from inkgan.errors import ConfigError, as_given, in_bytes, number_between, quantity, whole_number


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (quantity(0, "image"), "0 images"),
        (quantity(1, "image"), "1 image"),
        (quantity(2, "class"), "2 classes"),
        (quantity(12_000, "image", ","), "12,000 images"),
        (quantity(1.0, "second", "g"), "1 second"),
        (in_bytes(1), "1 byte"),
        (in_bytes(999), "999 bytes"),
        (in_bytes(4_440_000), "4.4 MB"),
    ],
)
def test_quantities(said: str, expected: str) -> None:
    """One is not several."""
    assert said == expected


@pytest.mark.parametrize("value", ["nan", "x", None, -0.1, 1.1, 10**400, "9" * 400])
def test_what_is_no_number_between_is_told(value: object) -> None:
    assert (number_between(0, "", 0, 1), number_between("1", "", 0, 1)) == (0, 1)
    with pytest.raises(ConfigError, match=r"^the share is .{1,80}, not 0 to 1$"):
        number_between(value, "the share is {}, not 0 to 1", 0, 1)


@pytest.mark.parametrize("value", [1.0, "1", None, -1, 10**60, pytest.param(10**9999, id="huge")])
def test_what_is_no_whole_number_is_told(value: object) -> None:
    assert whole_number(True, "", 0, 1) == 1
    with pytest.raises(ConfigError, match=r"^the part is .{1,80}, not 0 to 1$"):
        whole_number(value, "the part is {}, not 0 to 1", 0, 1)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026", "'2026'"),
        (0.25, "0.25"),
        (("a", None), "('a', None)"),
        ("a\n\x1b[31m\udc80", r"'a\n\x1b[31m\udc80'"),
        (np.eye(2, dtype=int), r"array([[1, 0],\n       [0, 1]])"),
        ("0" * 500 + "1", f"'{'0' * 25}…{'0' * 51}1'"),
        pytest.param(10**9999, "that int", id="huge"),
    ],
)
def test_values_in_messages(value: object, expected: str) -> None:
    """As Python writes them, in one line of at most 80 characters."""
    assert as_given(value) == expected
    assert len(expected) <= 80
