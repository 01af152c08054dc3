"""The words of messages."""

from __future__ import annotations

import pytest

from inkgan.errors import in_bytes, quantity


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
