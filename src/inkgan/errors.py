"""The exceptions that inkgan raises for its callers, and the exit codes they become on the command line.

    InkganError                 something went wrong that the caller can act on        exit 1
    |-- InputError (ValueError) what was given cannot be used                          exit 2
    |   |-- ConfigError         an option, a setting or a configuration file
    |   |-- DataError           a data set or an image file
    |   |-- CheckpointError     a run, a checkpoint or a model
    |   |-- OutputError         a place to write: it exists, is not writable, is full, is in use
    |   |-- EvaluationError     images, features or labels to be measured
    |   `-- MissingExtraError   a library of an optional extra that is not installed (ImportError)
    |-- DivergenceError         training met a non-finite loss or gradient             exit 3
    `-- LostProcessError        one of several processes ended or does not answer      exit 3

    KeyboardInterrupt
    `-- Interrupted             a signal stopped a run after it was saved              exit 128 + signal

Every message is one line that says what was given, what is allowed, and what to do next. The functions below help to
write such messages, or check a value and raise one.
"""

from __future__ import annotations

import contextlib
import difflib
import inspect
import operator
import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
Number = TypeVar("Number", int, float)


class InkganWarning(UserWarning):
    """Something was wrong, but inkgan could continue; the message says how."""


class _ShownInOneLine:
    """An exception whose message says all that a user needs."""

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows instead of a traceback."""
        return [f"{type(self).__name__}: {self}"]


class InkganError(Exception, _ShownInOneLine):
    """The base of all errors that inkgan raises on purpose."""

    exit_code = 1


class InputError(InkganError, ValueError):
    """The caller gave something that cannot be used."""

    exit_code = 2


class ConfigError(InputError):
    """An option, a setting or a configuration file is wrong."""


class DataError(InputError):
    """A data set, or a file of one, is missing, damaged or not what it should be."""


class CheckpointError(InputError):
    """A run folder, a checkpoint or a model is missing, damaged or not one of inkgan's."""


class OutputError(InputError):
    """A place to write to exists already, cannot be written, is full or is in use."""


class EvaluationError(InputError):
    """Images, features or labels to measure have a wrong shape, type or value, or are too few."""


class MissingExtraError(InputError, ImportError):
    """A library that comes with an optional extra of the package is not installed."""


class DivergenceError(InkganError):
    """Training met a loss or a gradient that is not finite, and stopped before using it."""

    exit_code = 3


class LostProcessError(InkganError):
    """One of the processes that train a run together has ended, does not answer, or computes something else."""

    exit_code = 3


class Interrupted(KeyboardInterrupt, _ShownInOneLine):
    """A signal asked a command to stop; a run was saved first.

    This is a KeyboardInterrupt, not an :class:`InkganError`: after Ctrl-C, an ``except Exception`` in a loop over
    several runs must not continue with the next run.

    Attributes:
        exit_code: 128 plus the number of the signal, as in shells.
    """

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what pickle rebuilds it from, so that a pool of processes can pass it on."""
        return type(self), (str(self), self.exit_code - 128)


@contextlib.contextmanager
def config_errors(place: str) -> Iterator[None]:
    """Begin the message of a :class:`ConfigError` with the place of the mistake, such as a file or a field."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f"{place}: {error}") from None


#: The modules that the base install lacks: the name of each in messages, and the extra that installs it.
OPTIONAL = {
    "torch": ("PyTorch", "train"),
    "tensorboard": ("TensorBoard", "train"),
    "scipy": ("SciPy", "train"),
    "pooch": ("pooch", "train"),
    "jinja2": ("Jinja", "train"),
    "onnx": ("onnx", "onnx"),
    "fastapi": ("FastAPI", "serve"),
    "starlette": ("FastAPI", "serve"),
    "uvicorn": ("uvicorn", "serve"),
    "prometheus_client": ("prometheus-client", "serve"),
    "ray": ("Ray", "ray"),
    "pyarrow": ("Apache Arrow", "parquet"),
    "lmdb": ("lmdb", "lmdb"),
}


def missing_extra(error: ModuleNotFoundError) -> MissingExtraError | None:
    """Return the error that says what to install, if the missing module comes with an extra; else None."""
    name = (error.name or "").partition(".")[0]
    if name not in OPTIONAL:
        return None
    title, extra = OPTIONAL[name]
    return MissingExtraError(f"this needs {title}. Install it with: pip install 'inkgan[{extra}]'")


def import_extra(name: str) -> Any:
    """Import a library of an optional extra, or a module of inkgan that needs one.

    Raises:
        MissingExtraError: the library is not installed.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise (missing_extra(error) or error) from None


#: Messages shorten longer paths and longer values.
_LONGEST_PATH = 200
_LONGEST_VALUE = 80
#: How similar a word has to be to one that is allowed (``difflib``'s ratio) to be taken for a slip. One wrong letter
#: in a word of three gives 0.67; two in a word of four, 0.5, make another word: ``nope`` is not a slip of ``mine``.
_SIMILAR = 0.65
#: The characters inside words and emoji that say which letters join; they cannot be seen by themselves.
JOINERS = "\u200c\u200d"


def did_you_mean(given: Any, allowed: Iterable[str]) -> str:
    """Return a hint with the allowed word nearest to ``given``, ignoring case (`` Did you mean 'x'?``), or ``""``.

    Of several that are equally near, it is the first. A number is nearest to itself with other leading zeros.
    """
    if not isinstance(given, str):
        return ""
    words = {word.casefold(): word for word in allowed}
    start = given[:_LONGEST_VALUE].casefold()  # a long text takes long to compare
    matcher = difflib.SequenceMatcher(b=start)

    def similarity(word: str) -> float:
        if word.isdecimal() and start.isdecimal() and word.lstrip("0") == start.lstrip("0"):
            return 1.0
        matcher.set_seq1(word)
        return matcher.ratio() if matcher.quick_ratio() >= _SIMILAR else 0.0

    nearest = max(words, key=similarity, default="")
    return f" Did you mean {words[nearest]!r}?" if words and similarity(nearest) >= _SIMILAR else ""


def unknown(what: str, given: Any, allowed: Iterable[str]) -> str:
    """Return the beginning of a message, such as ``unknown recipe 'fats'. Did you mean 'fast'?``."""
    return f"unknown {what} {as_given(given)}.{did_you_mean(given, allowed)}"


def printable(name: Path | str) -> str:
    """Return a name in full, with escapes for all characters that cannot be printed.

    The two joiners stay: Persian and Hindi words and many emoji have them, and they move nothing on the screen.
    """
    text = str(name)
    try:
        text = os.fsencode(text).decode()  # the name of a file may be UTF-8 where the locale is not
    except UnicodeError:
        # Half a surrogate pair stays: no file name has one, but text from JSON or a notebook may.
        with contextlib.suppress(UnicodeEncodeError):
            text = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(letter if letter.isprintable() or letter in JOINERS else ascii(letter)[1:-1] for letter in text)


def folded(name: str) -> str:
    """Return one text for all names that look alike, such as an é of one character and an é of two, as macOS has it."""
    return unicodedata.normalize("NFC", re.sub(f"[{JOINERS}]", "", name))


def shown(path: Path | str) -> str:
    """Return a path for a message: one line, always encodable, without its middle if it is very long.

    A file name on Linux is any string of bytes, so it can hold new lines, terminal control codes, or bytes
    that are not UTF-8. Those are written as escapes: a message must not be able to move the reader's cursor.
    """
    return shortened(printable(path), _LONGEST_PATH)


def shortened(text: str, longest: int) -> str:
    """Return a text of at most ``longest`` characters; a longer one loses its middle."""
    if len(text) <= longest:
        return text
    head = longest // 3
    tail = longest - head - 1
    return f"{text[:head]}…{text[-tail:]}"


def as_given(value: Any) -> str:
    """Return a value for a message as Python writes it (``'abc'``, ``0.5``), on one line and shortened if long."""
    try:
        return shortened(printable(repr(value)), _LONGEST_VALUE)
    except Exception:  # noqa: BLE001 - integers of over 4,300 digits, deep nesting, an object's own __repr__
        return f"that {type(value).__name__}"


#: What to give in place of a wrong value, by pydantic's type of error; the words in braces are its context.
_INSTEAD = {
    "greater_than_equal": "give {ge} or more",
    "greater_than": "give more than {gt}",
    "less_than_equal": "give {le} or less",
    "less_than": "give less than {lt}",
    "int_parsing_size": "give a whole number of fewer digits",
    "multiple_of": "give a multiple of {multiple_of}",
    "literal_error": "give {expected}",
    **dict.fromkeys(("int_parsing", "int_type", "int_from_float"), "give a whole number"),
    **dict.fromkeys(("float_parsing", "float_type"), "give a number"),
    "finite_number": "give a finite number",
    **dict.fromkeys(("bool_parsing", "bool_type"), "give true or false"),
    "string_type": "give a text in quotes",
    "string_unicode": "give a text in UTF-8",
    "string_too_short": "give {min_length} or more characters",
    "string_too_long": "give {max_length} or fewer characters",
    "string_pattern_mismatch": "give a text of the form {pattern}",
    "tuple_type": "give a list in brackets",
}


def instead(wrong: Mapping[str, Any]) -> str:
    """Return what to give in place of a wrong value, such as ``"give 2 or more"``.

    Args:
        wrong: one of the errors that a pydantic ``ValidationError`` lists.
    """
    given = wrong["input"] if isinstance(wrong["input"], str) else ""
    if wrong["type"].startswith(("int_", "float_")) and re.fullmatch(r"\d{1,3}(,\d{3})+", given):
        # Messages show large numbers with commas, so people type them.
        return f"write {given.replace(',', '')}, without commas"
    if wrong["type"] in _INSTEAD:
        allowed = {key: _bound(value) for key, value in wrong.get("ctx", {}).items()}
        return _INSTEAD[wrong["type"]].format(**allowed)
    message: str = wrong["msg"].removeprefix("Value error, ")
    return f"{message[:1].lower()}{message[1:]}"


def _bound(value: Any) -> str:
    """Return the end of a range for a message, or the words that are allowed, which are text already."""
    if isinstance(value, str):
        return value
    return f"{int(value):,}" if float(value).is_integer() else f"{value:g}"


def listed(words: Sequence[str], most: int, separator: str = ", ") -> str:
    """Return the first words of a list, at most ``most`` of them, as text: ``"a, b, ..."``."""
    more = ["..."] if len(words) > most else []
    return separator.join([*words[:most], *more])


def listed_names(names: Sequence[str], most: int) -> str:
    """Return the first names of classes as text; a name with a comma, or with a space at an end, is in quotes."""
    one_more = names[: most + 1]  # for the dots
    quoted = [as_given(name) if "," in name or name != name.strip() else shown(name) for name in one_more]
    return listed(quoted, most)


def quantity(count: float, noun: str, form: str = "") -> str:
    """Return a number with its noun: ``"1 image"``, ``"12 images"``; ``form`` formats the number, such as ``,``."""
    plural = f"{noun}es" if noun.endswith(("s", "x")) else f"{noun}s"
    return f"{count:{form}} {noun if count == 1 else plural}"


def in_bytes(count: int) -> str:
    """Return a size as text: ``"812 bytes"``, ``"4.4 MB"``, ``"2.1 GB"``."""
    for power, unit in ((9, "GB"), (6, "MB"), (3, "kB")):
        if count >= 10**power:
            return f"{count / 10**power:.1f} {unit}"
    return quantity(count, "byte")


def reason_of(error: OSError) -> str:
    """Return the system's reason for an error, in lower case and one line."""
    return " ".join((error.strerror or str(error) or type(error).__name__).lower().split()).rstrip(".")


def whole_number(value: Any, complaint: str, least: int, most: int) -> int:
    """Return a whole number as an ``int``; NumPy's integers are allowed, too.

    Args:
        value: an ``int``, a NumPy integer or an array with one.
        complaint: the error's message, with ``{}`` for the value that was given.
        least: the smallest number allowed.
        most: the largest number allowed.

    Raises:
        ConfigError: it is not a whole number, or is out of range.
    """
    return _in_range(operator.index, value, complaint, least, most)


def number_between(value: Any, complaint: str, least: float, most: float) -> float:
    """Return a number, or a text that holds one, as a ``float``; see :func:`whole_number`."""
    return _in_range(float, value, complaint, least, most)


def _in_range(convert: Callable[[Any], Number], value: Any, complaint: str, least: float, most: float) -> Number:
    """Convert a value and check its range. True and False are numbers to Python, but mistakes in a call."""
    number = None
    if not is_truth_value(value):
        with contextlib.suppress(TypeError, ValueError, OverflowError):
            number = convert(value)
            if least <= number <= most:
                return number
    raise ConfigError(complaint.format(as_given(value if number is None else number)))


def is_truth_value(value: object) -> bool:
    """Whether this is True or False, or NumPy's."""
    return type(value).__name__ == "bool"  # the name of NumPy's type, too


def yes_or_no(value: Any, name: str) -> bool:
    """Return a truth value that a caller gave as a ``bool``; NumPy's are allowed, too.

    Nothing else is allowed: Python would take any value for True or False, and a text such as ``"no"`` for True.

    Raises:
        ConfigError: it is neither True nor False.
    """
    if not is_truth_value(value):
        raise ConfigError(f"{name}={as_given(value)} is not allowed: give True or False.")
    return bool(value)


def require_function(value: Any, name: str, *takes: str) -> None:
    """Refuse a value that cannot be called with these arguments.

    Raises:
        ConfigError: it is not a function, or it takes other arguments.
    """
    try:
        inspect.signature(value).bind(*takes)
    except TypeError:
        raise ConfigError(f"{name} is {as_given(value)}. Give a function that takes ({', '.join(takes)}).") from None
    except ValueError:  # a few functions written in C have no signature
        return


def valid_path(value: Any, what: str, error: type[InputError] = ConfigError) -> Path:
    """Return a caller's string or path as a ``Path``; anything else raises an error of the given kind."""
    try:
        path = Path(value)
        is_possible = b"\0" not in os.fsencode(path)
    except TypeError:  # also for a path given as bytes
        raise error(f"{what} is {as_given(value)}, not a name or a path. Give a string or a pathlib.Path.") from None
    except UnicodeEncodeError:  # half a surrogate pair, which text from JSON may have
        is_possible = False
    if not is_possible:
        raise error(f"{what} is {as_given(str(path))}, which no file can be called. Name another.")
    return path


def one_of(value: T, what: str, allowed: Iterable[str]) -> T:
    """Return a caller's value if it is one of these words.

    Raises:
        ConfigError: it is another word, or is not a string; the message lists the words.
    """
    if not (isinstance(value, str) and value in allowed):  # comparing an array would raise an error
        raise ConfigError(f"{unknown(what, value, allowed)} Choose from {', '.join(allowed)}.")
    return value
