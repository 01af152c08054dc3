"""Texts to write: from templates, from a mixture of templates in a TOML file, or from the lines of a file.

Text i depends on its source, the seed and i alone. The fields of a template, such as ``{date:%d.%m.%Y}`` and
``{int:1..9999}``, are filled at random. A template is parsed once, into pieces. A piece is a fixed text, or a field
that draws its text; the grammar is::

    template  =  (literal | "{" name [":" argument] "}")*
    argument  =  [format] [" in "] [first ".." last]

All errors are raised when the template is parsed, so that drawing cannot fail.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from inkgan.errors import ConfigError, did_you_mean, shown
from inkgan.files import read_toml
from inkgan.generation.lines import Lines
from inkgan.generation.writing import LONGEST_TEXT, valid_text
from inkgan.seeds import Stream, rng

T = TypeVar("T")

_FIELD = re.compile(r"\{([^{}:]*)(?::([^{}]*))?\}")
_DIRECTIVE = re.compile(r"%-?.?", re.DOTALL)
# ISO 8601 has other forms, too, which Python reads: 20261130, 0800, 08:00+02:00.
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(r"[0-9]{2}:[0-9]{2}(:[0-9]{2})?")
_NUMBER = re.compile(r"[0-9]{1,64}")  # Python refuses to read a number of more than 4,300 digits
_AMOUNT = re.compile(r"[0-9]{1,13}(\.[0-9]{1,2})?")
_LARGEST_INTEGER = 10**15
#: The number of attempts to draw a text that is neither too short nor too long.
_ATTEMPTS = 1000

#: The directives of dates and of times; a minus leaves out the leading zero.
_OF_DATES: dict[str, Callable[[date], str]] = {
    "%Y": lambda day: f"{day.year:04d}",
    "%y": lambda day: f"{day.year % 100:02d}",
    "%m": lambda day: f"{day.month:02d}",
    "%-m": lambda day: f"{day.month}",
    "%d": lambda day: f"{day.day:02d}",
    "%-d": lambda day: f"{day.day}",
    "%j": lambda day: f"{day.timetuple().tm_yday:03d}",
}
_OF_TIMES: dict[str, Callable[[int], str]] = {
    "%H": lambda second: f"{second // 3600:02d}",
    "%-H": lambda second: f"{second // 3600}",
    "%I": lambda second: f"{(second // 3600 - 1) % 12 + 1:02d}",
    "%-I": lambda second: f"{(second // 3600 - 1) % 12 + 1}",
    "%M": lambda second: f"{second // 60 % 60:02d}",
    "%S": lambda second: f"{second % 60:02d}",
}
#: The formats of amounts: the separator of thousands, and the separator of cents.
_OF_AMOUNTS = {"1234.56": ("", "."), "1234,56": ("", ","), "1,234.56": (",", "."), "1.234,56": (".", ",")}


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
        folder: the folder in which the files of ``{choice:FILE}`` are.
    """

    def __init__(self, given: dict[str, Any], folder: Path) -> None:
        from inkgan.generation.tables import MixtureFile

        file = MixtureFile(**given)
        shortest, longest = self._lengths = file.lengths
        if longest < shortest:
            raise ConfigError(f"lengths = [{shortest}, {longest}] runs backwards. Give the smaller length first.")
        self._templates = [read_template(one.template, folder) for one in file.texts]
        self.count = None
        self.files = [path for template in self._templates for path in template.files]
        weights = np.cumsum([one.weight for one in file.texts])
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
    given = read_toml(path)
    try:
        return Mixture(given, path.parent)
    except ConfigError as error:
        raise ConfigError(f"{shown(path)}: {error}") from None


@dataclass(frozen=True)
class Piece:
    """A part of a template.

    Attributes:
        draw: draws its text.
        longest: the most characters that the text can have.
        file: the file that the text comes from, if there is one.
    """

    draw: Callable[[np.random.Generator], str]
    longest: int
    file: Path | None = None


@dataclass(frozen=True)
class Template:
    """A parsed template.

    Attributes:
        source: the text that was parsed.
        pieces: its parts, from left to right.
    """

    source: str
    pieces: tuple[Piece, ...]

    @property
    def longest(self) -> int:
        """The most characters that a text of this template can have."""
        return sum(piece.longest for piece in self.pieces)

    @property
    def files(self) -> list[Path]:
        """The files that its choices come from."""
        return [piece.file for piece in self.pieces if piece.file is not None]

    def text(self, draws: np.random.Generator) -> str:
        """Fill the fields from left to right."""
        return "".join(piece.draw(draws) for piece in self.pieces)


def read_template(source: str, folder: Path = Path()) -> Template:
    """Parse a template.

    Args:
        source: characters that can be written, ``d`` for any digit, and fields (see ``inkgan help writing``).
        folder: where the file of a ``{choice:FILE}`` is; the working folder by default.

    Raises:
        ConfigError: there is no such field, its argument makes no sense, a character cannot be written, or a text
            could be longer than 64 characters. The message says what is allowed.
    """
    if not isinstance(source, str) or not {"{", "}"} & set(source):
        return Template(source, (_literal(valid_text(source), source),))
    if {"{", "}"} & set(_FIELD.sub("", source)):
        raise ConfigError(f"the template {shown(source)!r} has an unmatched brace. A field looks like {{int:1..9999}}.")
    pieces = []
    end = 0
    for match in _FIELD.finditer(source):
        pieces.append(_literal(source[end : match.start()], source))
        pieces.append(_field(match[1].strip(), match[2] or "", source, folder))
        end = match.end()
    pieces.append(_literal(source[end:], source))
    template = Template(source, tuple(piece for piece in pieces if piece.longest))
    if template.longest > LONGEST_TEXT:
        raise ConfigError(
            f"the template {shown(source)!r} can make texts of {template.longest} characters. "
            f"A text has at most {LONGEST_TEXT}."
        )
    return template


def _literal(text: str, source: str) -> Piece:
    """Return the piece of a fixed text, which may be empty or only spaces."""
    if text.strip():
        try:
            valid_text(text)
        except ConfigError as error:
            raise ConfigError(f"in the template {shown(source)!r}: {error}") from None
    return Piece(lambda _: text, len(text))


def _field(name: str, argument: str, source: str, folder: Path) -> Piece:
    makers: dict[str, Callable[[str], Piece]] = {
        "date": _date,
        "time": _time,
        "int": _integer,
        "digits": _digits,
        "amount": _amount,
        "choice": lambda name: _choice(name, folder),
    }
    if name not in makers:
        first, _, rest = name.partition(" ")
        if first in makers:
            field = f"{first}:{rest.removeprefix('in ').strip()}"
            raise ConfigError(f"the field {{{shown(name)}}} has no colon behind its name. Write {{{shown(field)}}}.")
        raise ConfigError(
            f"the template {shown(source)!r} has an unknown field {{{shown(name)}}}.{did_you_mean(name, makers)} "
            f"Use {', '.join(makers)}, or several of them: {{int:0..99}}.{{digits:2}}."
        )
    try:
        return makers[name](argument)
    except ConfigError as error:
        raise ConfigError(f"the field {{{name}:{shown(argument)}}}: {error}") from None


def _date(argument: str) -> Piece:
    """``{date:%d.%m.%Y in 1990-01-01..2029-12-31}``: all days of the range are equally likely."""
    form, first, last = _form_and_range(argument, "%Y-%m-%d", "1970-01-01", "2029-12-31")
    start, end = _day(first), _day(last)
    _require_order(start <= end, first, last, "earlier date")
    days = (end - start).days + 1
    write = _formatter(form, _OF_DATES, end)

    def draw(draws: np.random.Generator) -> str:
        return write(start + timedelta(int(draws.integers(days))))

    return Piece(draw, len(write(date(2000, 12, 31))))


def _time(argument: str) -> Piece:
    """``{time:%H:%M in 08:00..17:30}``: all seconds of the range are equally likely."""
    form, first, last = _form_and_range(argument, "%H:%M", "00:00", "23:59")
    start, end = _second(first), _second(last)
    _require_order(start <= end, first, last, "earlier time")
    end += 59 if last.count(":") == 1 else 0  # a minute has sixty seconds
    write = _formatter(form, _OF_TIMES, end)

    def draw(draws: np.random.Generator) -> str:
        return write(int(draws.integers(start, end + 1)))

    return Piece(draw, len(write(12 * 3600)))


def _integer(argument: str) -> Piece:
    """``{int:1..9999}``: all numbers are equally likely; ``{int:0001..9999}`` always has four digits."""
    first, last = _range(argument or "0..9999")
    if not (_NUMBER.fullmatch(first) and _NUMBER.fullmatch(last) and int(last) < _LARGEST_INTEGER):
        raise ConfigError(f"its range has to be of whole numbers from 0 to {_LARGEST_INTEGER - 1:,}, such as 1..9999.")
    least, most = int(first), int(last)
    _require_order(least <= most, first, last, "smaller number")
    width = len(first) if first.startswith("0") and len(first) > 1 else 1

    def draw(draws: np.random.Generator) -> str:
        number = int(draws.integers(least, most + 1))
        return f"{number:0{width}d}"

    return Piece(draw, max(len(str(most)), width))


def _digits(argument: str) -> Piece:
    """``{digits:6}`` or ``{digits:3..8}``: a number of digits, each equally likely to be 0 to 9."""
    first, last = _range(argument) if ".." in argument else (argument.strip() or "6",) * 2
    if not (_NUMBER.fullmatch(first) and _NUMBER.fullmatch(last) and 1 <= int(first) <= int(last) <= LONGEST_TEXT):
        raise ConfigError(f"it takes a number from 1 to {LONGEST_TEXT}, such as 6, or two, such as 3..8.")
    least, most = int(first), int(last)

    def draw(draws: np.random.Generator) -> str:
        count = draws.integers(least, most + 1)
        return "".join(map(str, draws.integers(10, size=count).tolist()))

    return Piece(draw, most)


def _amount(argument: str) -> Piece:
    """``{amount:1,234.56 in 1..50000}``: all amounts are equally likely on a logarithmic scale."""
    form, first, last = _form_and_range(argument, "1234.56", "1", "9999.99")
    if form not in _OF_AMOUNTS:
        raise ConfigError(f"it cannot be written like {shown(form)!r}. Choose from {', '.join(_OF_AMOUNTS)}.")
    thousands, point = _OF_AMOUNTS[form]
    least, most = _cents(first), _cents(last)
    _require_order(least <= most, first, last, "smaller amount")

    def written(cents: int) -> str:
        return f"{cents // 100:,}".replace(",", thousands) + f"{point}{cents % 100:02d}"

    def draw(draws: np.random.Generator) -> str:
        cents = round(math.exp(draws.uniform(math.log(least), math.log(most))))
        return written(min(max(cents, least), most))

    return Piece(draw, len(written(most)))


def _choice(argument: str, folder: Path) -> Piece:
    """``{choice:names.txt}``: all lines of a file are equally likely."""
    if not argument.strip():
        raise ConfigError("it needs a file with a text on each line, such as {choice:codes.txt}.")
    file = folder / argument.strip()
    texts = list(Lines(file))

    def draw(draws: np.random.Generator) -> str:
        return texts[int(draws.integers(len(texts)))]

    return Piece(draw, max(map(len, texts)), file)


def _form_and_range(argument: str, form: str, first: str, last: str) -> tuple[str, str, str]:
    """Split an argument into a format and both ends of a range; defaults replace the parts that are missing."""
    # With a blank in front, so that an argument that begins with "in" is a range without a format.
    given, separator, limits = f" {argument}".partition(" in ")
    given = given.removeprefix(" ")
    if not separator and ".." in given:
        before, space, _ = given.partition("..")[0].strip().rpartition(" ")
        if space:
            limits = given.strip().removeprefix(before).strip()
            raise ConfigError(f"it needs ' in ' before the range. Write {shown(f'{before} in {limits}')}.")
        given, limits = "", given
    return given or form, *(_range(limits) if limits else (first, last))


def _range(limits: str) -> tuple[str, str]:
    first, separator, last = (part.strip() for part in limits.partition(".."))
    if not (first and separator and last):
        raise ConfigError(f"{shown(limits)!r} is not a range. Write the first and the last with .. between them.")
    return first, last


def _require_order(is_in_order: bool, first: str, last: str, what: str) -> None:
    if not is_in_order:
        raise ConfigError(f"the range runs backwards, from {first} to {last}. Give the {what} first.")


def _formatter(form: str, directives: Mapping[str, Callable[[T], str]], example: T) -> Callable[[T], str]:
    """Return a function that writes a value in a format."""
    for directive in _DIRECTIVE.findall(form):
        if directive not in directives:
            raise ConfigError(f"there is no {shown(directive)!r} in its format. Use {' '.join(directives)}.")

    def write(value: T) -> str:
        return _DIRECTIVE.sub(lambda match: directives[match[0]](value), form)

    try:
        valid_text(write(example).strip() or "-")
    except ConfigError as error:
        raise ConfigError(f"{error} Use {' '.join(directives)} in its format.") from None
    return write


def _day(text: str) -> date:
    if _DAY.fullmatch(text):
        with suppress(ValueError):
            return date.fromisoformat(text)
    raise ConfigError(f"{shown(text)!r} is not a date. Write dates of the range like 2026-11-30.")


def _second(text: str) -> int:
    """Parse a time of the day, in seconds."""
    if _MOMENT.fullmatch(text):
        with suppress(ValueError):
            moment = time.fromisoformat(text)
            return moment.hour * 3600 + moment.minute * 60 + moment.second
    raise ConfigError(f"{shown(text)!r} is not a time. Write times of the range like 08:00 or 23:59:59.")


def _cents(text: str) -> int:
    """Parse an amount, in cents."""
    if not _AMOUNT.fullmatch(text) or not (cents := round(float(text) * 100)):
        raise ConfigError(f"{shown(text)!r} is not an amount. Write amounts of the range like 0.01 or 50000.")
    return cents
