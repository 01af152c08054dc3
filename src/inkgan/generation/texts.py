"""The texts that can be written, and files with one on each line."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import warnings
import weakref
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, cast

from inkgan.errors import ConfigError, InkganWarning, as_given, quantity, shown, valid_path
from inkgan.files import input_errors, output_errors

DIGITS = "0123456789"
#: The characters with strokes of their own, :data:`inkgan.generation.ink.STROKES`.
SEPARATORS = ".,-:/+"
CHARACTERS = f"{DIGITS}{SEPARATORS} "
#: Stands for a digit that is chosen at random, by the seed and the writer.
WILDCARD = "d"
LONGEST_TEXT = 64

#: The largest number of lines in a file.
MOST_LINES = 100_000_000
#: Bytes of the longest line that is read: a text, a byte order mark before it, and its end.
_LONGEST_LINE = 4 * LONGEST_TEXT + 5
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
#: The form of most lines; lines of another form are checked character by character.
_PLAIN = re.compile(rb"[-0-9.,:/+d][-0-9.,:/+d ]{0,63}\r?\n?")
#: The texts that pyarrow's reader of JSON takes for times; ``datasets`` reads ``metadata.jsonl`` with it.
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}( [0-9]{2}(:[0-9]{2}){0,2}([-+][0-9]{2}(:?[0-9]{2})?)?)?")
#: The position in the file of one line in this many is kept.
_BLOCK = 1024


def valid_text(text: str) -> str:
    """Return a text if it can be written.

    Raises:
        ConfigError: it is not a string, is empty or too long, or holds characters that cannot be written.
    """
    if not isinstance(text, str):
        raise ConfigError(f"cannot write {as_given(text)}. A text is a string, such as '2026'.")
    strange = [character for character in text if character not in CHARACTERS + WILDCARD]
    if not {"{", "}"}.isdisjoint(strange):
        places = "commands, .toml files and inkgan.Spec"
        raise ConfigError(f"cannot write {as_given(text)}: fields in braces are for {places}.")
    if strange:
        allowed = f"digits, {' '.join(SEPARATORS)} and space; {WILDCARD} stands for any digit"
        raise ConfigError(f"cannot write {as_given(''.join(strange))}. Write {allowed}.")
    if not text.strip() or len(text) > LONGEST_TEXT:
        count = quantity(len(text), "character")
        raise ConfigError(f"cannot write {as_given(text)}, {count}. Write 1 to {LONGEST_TEXT}, not only spaces.")
    return text


def is_time(text: str) -> bool:
    """Whether the library with which ``datasets`` reads ``metadata.jsonl`` takes a text for a time."""
    return bool(_TIME.fullmatch(text))


def warn_of_times() -> None:
    """Warn that ``datasets`` will take all texts of a ``metadata.jsonl`` for times."""
    warnings.warn(
        "all texts of a metadata.jsonl are dates such as 2026-11-30: `datasets` takes them for times, and not for "
        "texts. Use --format parquet, which keeps them, or another form, such as {date:%d.%m.%Y}.",
        InkganWarning,
        stacklevel=3,
    )


class TextFile:
    """The lines of a file of texts, taken in turn. They are checked once, and then read when they are needed.

    Args:
        source: the file, in UTF-8; ``-`` for standard input. Standard input and pipes are copied to the disk.

    Raises:
        ConfigError: the file cannot be read or has no line, or lines cannot be written; the message gives the number of
            the first such line, and how many there are.
        OutputError: there is no room for the copy.
    """

    def __init__(self, source: str | Path) -> None:
        path = valid_path(source, "the file of texts")
        self.files = [path]
        self._name = "standard input" if source == "-" else shown(path)
        if source == "-" and sys.stdin is None:
            raise ConfigError("standard input is closed. Name a file with --texts.")
        with input_errors(self._name, ConfigError, "Name a file of texts."):
            file = sys.stdin.buffer if source == "-" else self._kept_open(path.open("rb"))
            copy = None
            if source == "-" or not file.seekable():
                copy = self._kept_open(cast("BinaryIO", tempfile.TemporaryFile()))  # noqa: SIM115
            self._file = copy or file
            before = self._state()
            self.count, self._starts = self._scan(file, copy)
            # A file must not change from here on, not even while it is scanned; a copy is written by the scan.
            self._checked = self._state() if copy else before
        self._block = -1
        self._texts: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return (self.text(0, index) for index in range(self.count))

    def text(self, seed: int, index: int) -> str:
        """Return the text of an image, by the image's number.

        Raises:
            ConfigError: the file was written to since it was checked.
        """
        block, place = divmod(index % self.count, _BLOCK)
        if block != self._block:
            self._file.seek(self._starts[block])
            lines = [self._file.readline(_LONGEST_LINE + 1) for _ in range(min(_BLOCK, self.count - block * _BLOCK))]
            if self._state() != self._checked:
                raise ConfigError(f"{self._name} changed while its texts were used. Leave it alone, and try again.")
            self._texts = [_without_end(line.decode(errors="replace")) for line in lines]
            self._block = block
        return self._texts[place]

    def _state(self) -> tuple[int, int]:
        """Return the size and the time of the last change of the file that is read."""
        found = os.fstat(self._file.fileno())
        return found.st_size, found.st_mtime_ns

    def _kept_open(self, file: BinaryIO) -> BinaryIO:
        """Return the file; it will be closed when these lines are garbage-collected."""
        weakref.finalize(self, _close, file)
        return file

    def _scan(self, file: BinaryIO, copy: BinaryIO | None) -> tuple[int, list[int]]:
        """Check every line, and copy it if it can be read only once.

        Returns:
            The number of lines, and the position in the file where each block begins.
        """
        start = count = wrong = 0
        first = ""
        copy_place = Path(tempfile.gettempdir() if copy else "")  # looked up once: there may be many lines
        starts: list[int] = []
        while line := file.readline(_LONGEST_LINE + 1):
            if copy:
                with output_errors(copy_place):
                    copy.write(line)
            if not count and line.startswith(_BYTE_ORDER_MARK):
                line = line.removeprefix(_BYTE_ORDER_MARK)
                start += len(_BYTE_ORDER_MARK)
            if count % _BLOCK == 0:
                starts.append(start)
            start += len(line)
            count += 1
            if count > MOST_LINES:
                raise ConfigError(f"{self._name} has more than {MOST_LINES:,} lines. Divide it into several files.")
            if len(line) > _LONGEST_LINE:
                raise ConfigError(f"{self._name}, line {count}: it has over {LONGEST_TEXT} characters. Divide it.")
            if not _PLAIN.fullmatch(line) and (complaint := _complaint(line)):
                wrong += 1
                first = first or f"{self._name}, line {count}: {complaint}"
        if copy:
            with output_errors(copy_place):
                copy.flush()
        if not count:
            raise ConfigError(f"{self._name} is empty. Put a text on each line.")
        if wrong:
            raise ConfigError(first if wrong == 1 else f"{first} In all, {wrong:,} of its {count:,} lines are wrong.")
        return count, starts


def _close(file: BinaryIO) -> None:
    with suppress(OSError):  # a copy that the disk had no room for
        file.close()


def _without_end(line: str) -> str:
    return line.removesuffix("\n").removesuffix("\r")


def _complaint(line: bytes) -> str:
    """Return the reason why a line cannot be written; empty if it can."""
    try:
        valid_text(_without_end(line.decode()))
    except UnicodeDecodeError:
        return "it is not UTF-8. Save the file in this encoding."
    except ConfigError as error:
        return str(error)
    return ""
