"""Names, paths and sizes as people can read them, in messages of one line."""

from __future__ import annotations

import os
from pathlib import Path

_LONGEST = 90


def shown(path: Path | str) -> str:
    """A path for a message: one line, always encodable, its middle left out when it is very long.

    A file name on Linux is any string of bytes, so it can hold new lines, terminal control codes, or bytes
    that are not UTF-8. Those are written as escapes: a message must not be able to move the reader's cursor.
    """
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    text = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST // 3]}…{text[-(_LONGEST - _LONGEST // 3 - 1) :]}"
    return text


def in_bytes(count: int) -> str:
    """A size for people: ``"812 bytes"``, ``"4.4 MB"``, ``"2.1 GB"``."""
    for power, unit in ((9, "GB"), (6, "MB"), (3, "kB")):
        if count >= 10**power:
            return f"{count / 10**power:.1f} {unit}"
    return f"{count} bytes"


def reason_of(error: OSError) -> str:
    """What the system said went wrong, in lower case and one line."""
    return " ".join((error.strerror or str(error) or type(error).__name__).lower().split())
