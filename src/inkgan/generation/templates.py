"""Texts to write: from templates, from a mixture of templates in a TOML file, or from the lines of a file.

Text i depends on its source, the seed and i alone. The fields of a template, such as ``{date:%d.%m.%Y}`` and
``{int:1..9999}``, are filled at random. A template is parsed once, into pieces. A piece is a fixed text, or a field
that draws its text; the grammar of templates, and of most arguments of fields, is::

    template  =  (literal | "{" name [":" argument] "}")*
    argument  =  [format] [" in "] [first ".." last]

All errors are raised when the template is parsed, so that drawing cannot fail.

To add a field, write a function from its argument to a :class:`Piece`, and name it in :func:`field`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from inkgan.errors import ConfigError, as_given, config_errors, did_you_mean, shown
from inkgan.files import read_toml
from inkgan.generation.texts import LONGEST_TEXT, TextFile, valid_text
from inkgan.seeds import Stream, rng

End = TypeVar("End", datetime, int)

_FIELD = re.compile(r"\{([^{}:]*)(?::([^{}]*))?\}")
#: How often a template of a mixture is filled to find out whether it can make a text of the lengths that are wanted.
_ATTEMPTS = 1000

_DIRECTIVE = re.compile(r"%-?.?", re.DOTALL)
# ISO 8601 has other forms, too, which Python reads: 20261130, 0800, 08:00+02:00.
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?")  # Python 3.14 reads 24:00 as midnight
_NUMBER = re.compile(r"[0-9]{1,64}")  # Python refuses to read a number of more than 4,300 digits
_AMOUNT = re.compile(r"[0-9]{1,13}(\.[0-9]{1,2})?")
_LARGEST_INTEGER = 10**15

#: The directives of strftime for dates and for times; a minus leaves out the leading zero.
_DATE_DIRECTIVES = "%Y %y %m %-m %d %-d %j"
_TIME_DIRECTIVES = "%H %-H %I %-I %M %S"
#: The formats of amounts: the separator of thousands, and the separator of cents.
_AMOUNT_FORMATS = {"1234.56": ("", "."), "1234,56": ("", ","), "1,234.56": (",", "."), "1.234,56": (".", ",")}


@dataclass(frozen=True)
class Piece:
    """A part of a template, or a whole one.

    Attributes:
        text: draws its text.
        longest: the most characters that the text can have.
        files: the files that the text comes from.
    """

    text: Callable[[np.random.Generator], str]
    longest: int
    files: tuple[Path, ...] = ()


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
        shortest, longest = file.lengths
        if longest < shortest:
            raise ConfigError(f"lengths = {list(file.lengths)} runs backwards. Give the smaller length first.")
        self._lengths = range(shortest, longest + 1)
        self._templates = [read_template(text.template, path.parent) for text in file.texts]
        self.count = None
        self.files = [path, *(file for template in self._templates for file in template.files)]
        cumulative = np.cumsum([text.weight for text in file.texts])
        self._cumulative = cumulative / cumulative[-1]
        for one, template in zip(file.texts, self._templates, strict=True):
            draws = rng(0, Stream.TEXT, 0)
            if not any(len(template.text(draws)) in self._lengths for _ in range(_ATTEMPTS)):
                length = f"{shortest} to {longest} characters"
                raise ConfigError(f"{as_given(one.template)} makes no text of {length}. Change it, or `lengths`.")

    def text(self, seed: int, index: int) -> str:
        """Return the text of an image; it depends on the seed and the image's number."""
        draws = rng(seed, Stream.TEXT, index)
        template = self._templates[int(np.searchsorted(self._cumulative, draws.random(), side="right"))]
        while True:  # it ends, because the template has made a text that fits
            text = template.text(draws)
            if len(text) in self._lengths:
                return text


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
    with config_errors(shown(path)):
        return Mixture(given, path)


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
        text = valid_text(source)
        return Piece(lambda _: text, len(text))
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
    if text.strip(" "):  # a tab or a line break is no space: it cannot be written
        with config_errors(f"in the template {as_given(source)}"):
            valid_text(text)
    return Piece(lambda _: text, len(text))


def field(name: str, argument: str, source: str, folder: Path) -> Piece:
    """Return the piece of a field.

    Args:
        name: its name, such as ``date``.
        argument: the text after its colon; empty if there is none.
        source: the template, for messages.
        folder: where the file of a ``{choice:FILE}`` is.

    Raises:
        ConfigError: there is no such field, or its argument makes no sense.
    """
    makers: dict[str, Callable[[str], Piece]] = {
        "date": _date,
        "time": _time,
        "int": _integer,
        "digits": _digits,
        "amount": _amount,
        "choice": lambda name: _choice(name, folder),
    }
    given = f"{{{shown(name)}:{shown(argument)}}}" if argument else f"{{{shown(name)}}}"
    if name not in makers:
        if name.partition(" ")[0] in makers:
            raise ConfigError(f"the field {given} has no colon behind its name. A field looks like {{int:1..9999}}.")
        raise ConfigError(
            f"the template {as_given(source)} has an unknown field {{{shown(name)}}}.{did_you_mean(name, makers)} "
            f"Use {', '.join(makers)}, or several of them: {{int:0..99}}.{{digits:2}}."
        )
    with config_errors(f"the field {given}"):
        return makers[name](argument)


def _date(argument: str) -> Piece:
    """``{date:%d.%m.%Y in 1990-01-01..2029-12-31}``: all days of the range are equally likely."""
    form, first, last = _form_and_range(argument, "%Y-%m-%d", "1970-01-01", "2029-12-31")
    start, end = _in_order(first, last, _day, "earlier date")
    return _moments(form, _DATE_DIRECTIVES, start, (end - start).days + 1, timedelta(days=1))


def _time(argument: str) -> Piece:
    """``{time:%H:%M in 08:00..17:30}``: all seconds of the range are equally likely."""
    form, first, last = _form_and_range(argument, "%H:%M", "00:00", "23:59")
    start, end = _in_order(first, last, _second, "earlier time")
    if last.count(":") == 1:  # a minute has sixty seconds
        end += timedelta(seconds=59)
    return _moments(form, _TIME_DIRECTIVES, start, (end - start).seconds + 1, timedelta(seconds=1))


def _moments(form: str, directives: str, start: datetime, count: int, step: timedelta) -> Piece:
    """Return the piece that draws one of ``count`` moments, ``step`` apart, and writes it in a format."""
    for directive in _DIRECTIVE.findall(form):
        if directive not in directives.split():
            raise ConfigError(f"there is no {as_given(directive)} in its format. Use {directives}.")

    def write(moment: datetime) -> str:
        with_year = form.replace("%Y", f"{moment.year:04d}")  # strftime may write the year 900 without a zero
        return _DIRECTIVE.sub(lambda match: moment.strftime(match[0]), with_year)

    sample = write(datetime(2000, 12, 31, 12))  # as long as any other moment's
    try:
        valid_text(sample.strip() or "-")  # the characters between the directives; a piece may be spaces alone
    except ConfigError as error:
        raise ConfigError(f"{error} Use {directives} in its format.") from None
    if "%" not in form:
        raise ConfigError(
            f"its format {as_given(form)} would always be the same. Use {directives} in it; a range has two "
            "ends with .. between them."
        )
    return Piece(lambda draws: write(start + step * int(draws.integers(count))), len(sample))


def _integer(argument: str) -> Piece:
    """``{int:1..9999}``: all numbers are equally likely; ``{int:0001..9999}`` always has four digits."""
    first, last = _range(argument or "0..9999", "1..9999")
    if not (_NUMBER.fullmatch(first) and _NUMBER.fullmatch(last) and int(last) < _LARGEST_INTEGER):
        raise ConfigError(f"its range takes whole numbers from 0 to {_LARGEST_INTEGER - 1:,}, such as 1..9999.")
    least, most = _in_order(first, last, int, "smaller number")
    width = len(first) if first.startswith("0") else 1
    return Piece(lambda draws: f"{draws.integers(least, most + 1):0{width}d}", max(len(str(most)), width))


def _digits(argument: str) -> Piece:
    """``{digits:6}`` or ``{digits:3..8}``: a number of digits, each equally likely to be 0 to 9."""
    first, last = _range(argument, "3..8") if ".." in argument else (argument.strip() or "6",) * 2
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
    if form not in _AMOUNT_FORMATS:
        raise ConfigError(f"it cannot be written like {as_given(form)}. Choose from {', '.join(_AMOUNT_FORMATS)}.")
    thousands, point = _AMOUNT_FORMATS[form]
    least, most = _in_order(first, last, _cents, "smaller amount")

    def written(cents: int) -> str:
        return f"{cents // 100:,}".replace(",", thousands) + f"{point}{cents % 100:02d}"

    def draw(draws: np.random.Generator) -> str:
        cents = round(math.exp(draws.uniform(math.log(least), math.log(most))))
        return written(min(max(cents, least), most))

    return Piece(draw, len(written(most)))


def _choice(argument: str, folder: Path) -> Piece:
    """``{choice:names.txt}``: all lines of a file are equally likely."""
    if not argument.strip():
        raise ConfigError("it needs a file with a text on each line. Write its name, as in {choice:codes.txt}.")
    file = folder / argument.strip()
    lines = TextFile(file)
    longest = max(map(len, lines))
    texts = np.fromiter(lines, f"S{longest}", lines.count)  # a list of strings would be many times as large
    return Piece(lambda draws: str(texts[draws.integers(len(texts))], "ascii"), longest, (file,))


def _form_and_range(argument: str, form: str, first: str, last: str) -> tuple[str, str, str]:
    """Split an argument into a format and both ends of a range; defaults replace the parts that are missing."""
    # With a blank in front, so that an argument that begins with "in" is a range without a format.
    own_form, separator, limits = f" {argument}".partition(" in ")
    own_form = own_form.removeprefix(" ")
    if not separator and ".." in argument:  # a range alone
        if " " in argument.partition("..")[0].strip():
            raise ConfigError(f"it needs ' in ' before its range, such as {form} in {first}..{last}.")
        own_form, limits = "", argument
    if separator or limits:
        first, last = _range(limits, f"{first}..{last}")
    # Blanks alone are a format, too, which is refused because it is always the same.
    return own_form.strip() or own_form or form, first, last


def _range(limits: str, example: str) -> tuple[str, str]:
    first, separator, last = (part.strip() for part in limits.partition(".."))
    if not (first and separator and last):
        raise ConfigError(f"{as_given(limits)} is not a range. Write one like {example}.")
    return first, last


def _in_order(first: str, last: str, parse: Callable[[str], End], what: str) -> tuple[End, End]:
    """Parse both ends of a range; refuse a range that runs backwards, in which ``what`` does not come first."""
    start, end = parse(first), parse(last)
    if end < start:
        raise ConfigError(f"the range runs backwards, from {first} to {last}. Give the {what} first.")
    return start, end


def _day(text: str) -> datetime:
    if _DAY.fullmatch(text):
        with suppress(ValueError):
            return datetime.fromisoformat(text)
    raise ConfigError(f"{as_given(text)} is not a date. Write dates of the range like 2026-11-30.")


def _second(text: str) -> datetime:
    if not _MOMENT.fullmatch(text):
        raise ConfigError(f"{as_given(text)} is not a time. Write times of the range like 08:00 or 23:59:59.")
    return datetime.combine(date.min, time.fromisoformat(text))


def _cents(text: str) -> int:
    """Parse an amount, in cents."""
    if not _AMOUNT.fullmatch(text) or not (cents := round(float(text) * 100)):
        raise ConfigError(f"{as_given(text)} is not an amount. Write amounts of the range like 0.01 or 50000.")
    return cents
