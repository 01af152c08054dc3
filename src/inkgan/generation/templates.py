"""Texts to write: from templates, from a mixture of templates in a TOML file, or from the lines of a file.

Text i depends on its source, the seed and i alone. The fields of a template, such as ``{date:%d.%m.%Y}`` and
``{int:1..9999}``, are filled at random. A template is parsed once, into pieces. A piece is a fixed text, or a field
(:mod:`inkgan.generation.fields`) that draws its text; the grammar is::

    template  =  (literal | "{" name [":" argument] "}")*

All errors are raised when the template is parsed, so that drawing cannot fail.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from inkgan.errors import ConfigError, as_given, shown
from inkgan.files import read_toml
from inkgan.generation.fields import Piece, field
from inkgan.generation.texts import LONGEST_TEXT, TextFile, valid_text
from inkgan.seeds import Stream, rng

_FIELD = re.compile(r"\{([^{}:]*)(?::([^{}]*))?\}")
#: How often a template of a mixture is filled to find out whether it can make a text of the lengths that are wanted.
_ATTEMPTS = 1000


class Templates:
    """Templates, taken in turn: text i comes from template i mod n.

    Args:
        sources: one or more templates, such as ``2026`` or ``{date:%Y-%m-%d}``.

    Raises:
        ConfigError: one of them is not valid; see :func:`read_template`.
    """

    def __init__(self, sources: Sequence[str]) -> None:
        self._templates = [read_template(source) for source in sources]
        self.count = len(self._templates)
        self.files = [file for template in self._templates for file in template.files]

    def text(self, seed: int, index: int) -> str:
        """Return the text of an image; it depends on the seed and the image's number."""
        return self._templates[index % len(self._templates)].text(rng(seed, Stream.TEXT, index))


class Mixture:
    """Templates, chosen at random by their weights.

    Args:
        given: the content of the TOML file; see :func:`read_texts`.
        path: the TOML file; the files of ``{choice:FILE}`` are beside it.
    """

    def __init__(self, given: dict[str, Any], path: Path) -> None:
        from inkgan.generation.tables import MixtureFile

        file = MixtureFile(**given)
        self._shortest, self._longest = file.lengths
        if self._longest < self._shortest:
            raise ConfigError(f"lengths = {list(file.lengths)} runs backwards. Give the smaller length first.")
        self._templates = [read_template(text.template, path.parent) for text in file.texts]
        self.count = None
        self.files = [path, *(file for template in self._templates for file in template.files)]
        cumulative = np.cumsum([text.weight for text in file.texts])
        self._cumulative = cumulative / cumulative[-1]
        for one, template in zip(file.texts, self._templates, strict=True):
            draws = rng(0, Stream.TEXT, 0)
            if not any(self._fits(template.text(draws)) for _ in range(_ATTEMPTS)):
                length = f"{self._shortest} to {self._longest} characters"
                raise ConfigError(f"{as_given(one.template)} makes no text of {length}. Change it, or `lengths`.")

    def text(self, seed: int, index: int) -> str:
        """Return the text of an image; it depends on the seed and the image's number."""
        draws = rng(seed, Stream.TEXT, index)
        template = self._templates[int(np.searchsorted(self._cumulative, draws.random(), side="right"))]
        while True:  # it ends, because the template has made a text that fits
            text = template.text(draws)
            if self._fits(text):
                return text

    def _fits(self, text: str) -> bool:
        return self._shortest <= len(text) <= self._longest


#: Texts by number: a ``text`` for each seed and number, their ``count`` before they repeat (None if they never do), and
#: the ``files`` that they come from.
Texts = Templates | TextFile | Mixture


def read_texts(source: str | Path) -> TextFile | Mixture:
    """Read the texts of a file.

    Args:
        source: a file with a text on each line; ``-`` for standard input; or a mixture in a file whose name ends with
            ``.toml``, with a table ``[[texts]]`` of ``template`` and ``weight`` (1 by default) for each template, and
            above them ``lengths = [shortest, longest]`` if the number of characters has limits.

    Raises:
        ConfigError: it cannot be read, has an unknown key, or has a text that cannot be written.
    """
    path = Path(source)
    if source == "-" or path.suffix.lower() != ".toml":
        return TextFile(source)
    given = read_toml(path)
    try:
        return Mixture(given, path)
    except ConfigError as error:
        raise ConfigError(f"{shown(path)}: {error}") from None


def read_template(source: str, folder: Path = Path()) -> Piece:
    """Parse a template: a piece that fills the fields from left to right.

    Args:
        source: characters that can be written, ``d`` for any digit, and fields (see ``inkgan help writing``).
        folder: where the file of a ``{choice:FILE}`` is; the working folder by default.

    Raises:
        ConfigError: there is no such field, its argument makes no sense, a character cannot be written, or a text
            could be longer than 64 characters. The message says what is allowed.
    """
    if not isinstance(source, str) or not {"{", "}"} & set(source):
        return _literal(valid_text(source), source)
    if {"{", "}"} & set(_FIELD.sub("", source)):
        raise ConfigError(f"{as_given(source)} has an unmatched brace. A field looks like {{int:1..9999}}.")
    literal, *rest = _FIELD.split(source)  # a text, and then by turns a field's name, its argument and a text
    pieces = [_literal(literal, source)]
    for name, argument, literal in zip(rest[::3], rest[1::3], rest[2::3], strict=True):
        pieces += [field(name.strip(), argument or "", source, folder), _literal(literal, source)]
    longest = sum(piece.longest for piece in pieces)
    if longest > LONGEST_TEXT:
        count = f"{longest} characters"
        raise ConfigError(f"{as_given(source)} can make texts of {count}. A text has at most {LONGEST_TEXT}.")
    files = tuple(file for piece in pieces for file in piece.files)
    return Piece(lambda draws: "".join(piece.text(draws) for piece in pieces), longest, files)


def _literal(text: str, source: str) -> Piece:
    """Return the piece of a fixed text, which may be empty or only spaces."""
    if text.strip():
        try:
            valid_text(text)
        except ConfigError as error:
            raise ConfigError(f"in the template {as_given(source)}: {error}") from None
    return Piece(lambda _: text, len(text))
