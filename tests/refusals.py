"""What is refused: each error is one line that says what it should."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from inkgan.cli import run
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


def command_refusal(capsys: pytest.CaptureFixture[str], *words: object, code: int = 2) -> str:
    """Return what a command that fails says after its name, checked to be one printable line on stderr alone."""
    capsys.readouterr()
    assert run(list(map(str, words))) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("inkgan: ")
    assert said.err.endswith("\n")
    line = said.err[len("inkgan: ") : -1]
    assert line.isprintable()
    return line
