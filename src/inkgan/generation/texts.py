"""Texts to write: templates in turn, the lines of a file, or a mixture from a TOML file.

Text i is a function of what was given, the seed and i alone.
"""

from __future__ import annotations

import re
import sys
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast, overload

import numpy as np

from inkgan.errors import ConfigError, InputError, reason_of, shown
from inkgan.generation.templates import LinesOf, Template, read_template
from inkgan.generation.writing import LONGEST_TEXT, valid_text
from inkgan.seeds import Stream, rng

#: A file has at most so many lines.
MOST_LINES = 100_000_000
#: Bytes of the longest line that is read: a text, a byte order mark before it, and its end.
_LONGEST_LINE = 4 * LONGEST_TEXT + 5
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
#: What most lines are; any other one is looked at more closely.
_PLAIN = re.compile(rb"[-0-9.,:/+d][-0-9.,:/+d ]{0,63}\r?\n?")
#: The place of one line of so many is kept.
_BLOCK = 1024
#: How often a mixture draws a text again that is too short or too long.
_ATTEMPTS = 1000


class Texts(Protocol):
    """Texts by their number."""

    @property
    def files(self) -> list[Path]:
        """The files of their choices."""

    def __len__(self) -> int:
        """How many there are before they repeat; 0 where they never end."""

    def text(self, seed: int, index: int) -> str:
        """The text of an image, by the seed and the image's number."""


class InTurn:
    """Templates, taken in turn: text i is of template i mod n.

    Args:
        sources: one or more templates, such as ``2026`` or ``{date:%Y-%m-%d}``.

    Raises:
        ConfigError: one cannot be written.
    """

    def __init__(self, sources: Sequence[str]) -> None:
        if not sources:
            raise ConfigError("there is no text to write. Give one, such as 2026.")
        self.files: list[Path] = []
        read = _lines_in(Path(), self.files)
        self._templates = [read_template(source, read) for source in sources]

    def __len__(self) -> int:
        return len(self._templates)

    def text(self, seed: int, index: int) -> str:
        """The text of an image, by the seed and the image's number."""
        return self._templates[index % len(self._templates)].text(rng(seed, Stream.TEXT, index))


class Lines(Sequence[str]):
    """The lines of a file of texts, which are checked once and then read as they are asked for.

    Args:
        source: the file, in UTF-8; ``-`` for standard input, which is copied to the disk, as a pipe is.

    Raises:
        ConfigError: the file cannot be read or has no line, or lines cannot be written; the message has the number of
            the first one, and how many there are.
    """

    def __init__(self, source: str | Path) -> None:
        self.files: list[Path] = []
        self._name = "standard input" if source == "-" else shown(Path(source))
        try:
            if source == "-":
                if sys.stdin is None:
                    raise ConfigError("standard input is closed. Name a file with --texts.")
                self._read_through(sys.stdin.buffer)
            else:
                file = self._kept_open(Path(source).open("rb"))  # noqa: SIM115
                if file.seekable():
                    self._file = file
                    self._scan(file, None)
                else:
                    self._read_through(file)
        except InputError:
            raise
        except OSError as error:
            raise ConfigError(
                f"cannot read {self._name}: {reason_of(error)}. Name a file with a text on each line."
            ) from None
        self._block = -1
        self._texts: list[str] = []

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(self._count))]
        if not -self._count <= index < self._count:
            raise IndexError(index)
        block, place = divmod(index % self._count, _BLOCK)
        if block != self._block:
            self._file.seek(self._starts[block])
            lines = [self._file.readline(_LONGEST_LINE + 1) for _ in range(min(_BLOCK, self._count - block * _BLOCK))]
            self._texts = [_without_end(line.decode()) for line in lines]
            self._block = block
        return self._texts[place]

    def text(self, seed: int, index: int) -> str:
        """The text of an image, by the image's number: the lines in turn."""
        return self[index % self._count]

    def _kept_open(self, file: BinaryIO) -> BinaryIO:
        """A file that is closed when these lines are forgotten."""
        weakref.finalize(self, file.close)
        return file

    def _read_through(self, file: BinaryIO) -> None:
        """Copy what can be read only once to the disk."""
        self._file = self._kept_open(cast("BinaryIO", tempfile.TemporaryFile()))  # noqa: SIM115
        self._scan(file, self._file)

    def _scan(self, file: BinaryIO, copy: BinaryIO | None) -> None:
        """Check every line, and note where each block begins."""
        start = count = wrong = 0
        first = ""
        self._starts: list[int] = []
        while line := file.readline(_LONGEST_LINE + 1):
            if copy:
                copy.write(line)
            if not count and line.startswith(_BYTE_ORDER_MARK):
                line = line.removeprefix(_BYTE_ORDER_MARK)
                start += len(_BYTE_ORDER_MARK)
            if count % _BLOCK == 0:
                self._starts.append(start)
            start += len(line)
            count += 1
            if count > MOST_LINES:
                raise ConfigError(f"{self._name} has more than {MOST_LINES:,} lines. Divide it into several files.")
            if len(line) > _LONGEST_LINE:
                raise ConfigError(
                    f"{self._name}, line {count}: it is longer than {LONGEST_TEXT} characters. Write it in parts."
                )
            if not _PLAIN.fullmatch(line) and (complaint := _complaint(line)):
                wrong += 1
                first = first or f"{self._name}, line {count}: {complaint}"
        if not count:
            raise ConfigError(f"{self._name} is empty. Put a text on each line.")
        if wrong:
            raise ConfigError(first if wrong == 1 else f"{first} In all, {wrong:,} of its {count:,} lines are wrong.")
        self._count = count


class Mixture:
    """Templates, chosen at random by their weights; see :func:`read_texts`."""

    def __init__(self, templates: Sequence[tuple[str, float]], folder: Path, lengths: tuple[int, int]) -> None:
        self.files: list[Path] = []
        read = _lines_in(folder, self.files)
        self._templates = [read_template(source, read) for source, _ in templates]
        weights = np.cumsum([weight for _, weight in templates])
        self._upto = weights / weights[-1]
        self._lengths = lengths
        for template in self._templates:
            self._draw(template, rng(0, Stream.TEXT, 0))

    def __len__(self) -> int:
        return 0

    def text(self, seed: int, index: int) -> str:
        """The text of an image, by the seed and the image's number."""
        draws = rng(seed, Stream.TEXT, index)
        chosen = int(np.searchsorted(self._upto, draws.random(), side="right"))
        return self._draw(self._templates[chosen], draws)

    def _draw(self, template: Template, draws: np.random.Generator) -> str:
        shortest, longest = self._lengths
        for _ in range(_ATTEMPTS):
            text = template.text(draws)
            if shortest <= len(text) <= longest:
                return text
        raise ConfigError(
            f"the template {shown(template.source)!r} makes no text of {shortest} to {longest} characters "
            f"in {_ATTEMPTS:,} attempts. Change it, or `lengths`."
        )


def read_texts(source: str | Path) -> Lines | Mixture:
    """Read the texts that a file gives.

    Args:
        source: a file with a text on each line; ``-`` for standard input; or a mixture in a file whose name ends with
            ``.toml``, with a table ``[[texts]]`` of ``template`` and ``weight`` (1 by default) for each template, and
            on top of them ``lengths = [shortest, longest]`` if texts have to have so many characters.

    Raises:
        ConfigError: it cannot be read, has another key, or what it holds cannot be written.
    """
    path = Path(source)
    if source == "-" or path.suffix.lower() != ".toml":
        return Lines(source)
    from inkgan.config import read_toml

    given = read_toml(path)
    try:
        return _mixture(given, path.parent)
    except ConfigError as error:
        raise ConfigError(f"{shown(path)}: {error}") from None


def _mixture(given: Mapping[str, Any], folder: Path) -> Mixture:
    """A mixture from the tables of a TOML file."""
    from inkgan.generation.spec import MixtureFile

    mixture = MixtureFile(**given)
    shortest, longest = mixture.lengths
    if longest < shortest:
        raise ConfigError(f"lengths = [{shortest}, {longest}] runs backwards. Give the smaller length first.")
    return Mixture([(one.template, one.weight) for one in mixture.texts], folder, mixture.lengths)


def _lines_in(folder: Path, files: list[Path]) -> LinesOf:
    """What reads files of a folder, and lists them."""

    def read(path: Path) -> list[str]:
        files.append(folder / path)
        return list(Lines(folder / path))

    return read


def _without_end(line: str) -> str:
    return line.removesuffix("\n").removesuffix("\r")


def _complaint(line: bytes) -> str:
    """Why a line cannot be written; empty if it can."""
    try:
        valid_text(_without_end(line.decode()))
    except UnicodeDecodeError:
        return "it is not UTF-8. Save the file in this encoding."
    except ConfigError as error:
        return str(error)
    return ""
