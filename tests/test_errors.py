"""The words of messages."""

from __future__ import annotations

import pytest

from inkgan.errors import ConfigError, in_bytes, number_between, quantity


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


@pytest.mark.parametrize("value", ["nan", "x", None, -0.1, 1.1])
def test_what_is_no_number_between_is_told(value: object) -> None:
    assert (number_between(0, "", 0, 1), number_between("1", "", 0, 1)) == (0, 1)
    with pytest.raises(ConfigError, match=r"^the share is .+, not 0 to 1$"):
        number_between(value, "the share is {}, not 0 to 1", 0, 1)
