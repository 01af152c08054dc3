"""Errors that tests expect: each is one line that says what it should."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from inkgan.errors import InkganError


def refusal(call: Callable[[], object], *needed: str, kind: type[InkganError]) -> str:
    """Return the message of a call's error, checked to be one printable line with these words."""
    with pytest.raises(kind) as caught:
        call()
    text = str(caught.value)
    assert text.isprintable()
    for word in needed:
        assert word in text
    return text
