"""Texts to write, from a file: one a line, in UTF-8."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO

from inkgan.errors import ConfigError, InputError, reason_of, shown
from inkgan.generation.model import LARGEST_SAMPLE
from inkgan.generation.writing import LONGEST_TEXT, valid_text

#: Bytes of the longest line that is read: a text, a byte order mark before it, and its end.
_LONGEST_LINE = 4 * LONGEST_TEXT + 5


def read_texts(source: str | Path) -> list[str]:
    """Read the texts of a file.

    Args:
        source: the file; ``-`` for standard input.

    Returns:
        A text for each line, 1 to 1,000,000 of them.

    Raises:
        ConfigError: the file cannot be read or has no line, or a line cannot be written; the message has its number.
    """
    name = "standard input" if source == "-" else shown(Path(source))
    try:
        if source == "-":
            if sys.stdin is None:
                raise ConfigError("standard input is closed. Name a file with --texts.")
            return _parsed(sys.stdin.buffer, name)
        with Path(source).open("rb") as file:
            return _parsed(file, name)
    except InputError:
        raise
    except OSError as error:
        raise ConfigError(f"cannot read {name}: {reason_of(error)}. Name a file with a text on each line.") from None


def _parsed(file: BinaryIO, name: str) -> list[str]:
    texts: list[str] = []
    while line := file.readline(_LONGEST_LINE + 1):
        number = len(texts) + 1
        if number > LARGEST_SAMPLE:
            raise ConfigError(f"{name} has more than {LARGEST_SAMPLE:,} lines. Divide it into several files.")
        if len(line) > _LONGEST_LINE:
            raise ConfigError(f"{name}, line {number}: it is longer than {LONGEST_TEXT} characters. Write it in parts.")
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").removesuffix("\n").removesuffix("\r")
            texts.append(valid_text(text))
        except UnicodeDecodeError:
            raise ConfigError(f"{name}, line {number}: it is not UTF-8. Save the file in this encoding.") from None
        except ConfigError as error:
            raise ConfigError(f"{name}, line {number}: {error}") from None
    if not texts:
        raise ConfigError(f"{name} is empty. Put a text on each line.")
    return texts
