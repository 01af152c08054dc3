"""Texts to write from a file: its lines, or a mixture of templates in a TOML file.

Text i depends on the file, the seed and i alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from inkgan.errors import ConfigError, shown
from inkgan.files import read_toml
from inkgan.generation.lines import Lines
from inkgan.generation.templates import Template, Templates, read_template
from inkgan.seeds import Stream, rng

if TYPE_CHECKING:
    from inkgan.generation.tables import MixtureFile

#: The number of attempts to draw a text that is neither too short nor too long.
_ATTEMPTS = 1000


class Mixture:
    """Templates, chosen at random by their weights.

    Args:
        given: the templates; see :func:`read_texts`.
        folder: the folder in which the files of ``{choice:FILE}`` are.
    """

    def __init__(self, given: MixtureFile, folder: Path) -> None:
        shortest, longest = self._lengths = given.lengths
        if longest < shortest:
            raise ConfigError(f"lengths = [{shortest}, {longest}] runs backwards. Give the smaller length first.")
        self._templates = [read_template(one.template, folder) for one in given.texts]
        self.count = None
        self.files = [file for template in self._templates for file in template.files]
        weights = np.cumsum([one.weight for one in given.texts])
        self._upto = weights / weights[-1]
        for template in self._templates:
            self._draw(template, rng(0, Stream.TEXT, 0))  # raises now if no text of the template fits the lengths

    def text(self, seed: int, index: int) -> str:
        """Return the text of an image; it depends on the seed and the image's number."""
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


#: Texts by number: a ``text`` for each seed and number, their ``count`` before they repeat (None if they never do), and
#: the ``files`` that their choices come from.
Texts = Templates | Lines | Mixture


def read_texts(source: str | Path) -> Lines | Mixture:
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
        return Lines(source)
    from inkgan.generation.tables import MixtureFile

    given = read_toml(path)
    try:
        return Mixture(MixtureFile(**given), path.parent)
    except ConfigError as error:
        raise ConfigError(f"{shown(path)}: {error}") from None
