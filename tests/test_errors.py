"""The wording of messages, and the checks of arguments."""

from __future__ import annotations

import copy
import inspect
import os
import pickle
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import numpy as np
import pytest
from pydantic import Field, TypeAdapter, ValidationError

import inkgan
from inkgan.errors import (
    CheckpointError,
    ConfigError,
    DataError,
    InkganError,
    InputError,
    Interrupted,
    OutputError,
    as_given,
    did_you_mean,
    in_bytes,
    instead,
    number_between,
    printable,
    quantity,
    require_function,
    unknown,
    whole_number,
    yes_or_no,
)
from inkgan.training.options import TrainingOptions
from refusals import refusal


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (quantity(0, "image"), "0 images"),
        (quantity(1, "image"), "1 image"),
        (quantity(2, "class"), "2 classes"),
        (quantity(1, "box"), "1 box"),
        (quantity(2, "box"), "2 boxes"),
        (quantity(12_000, "image", ","), "12,000 images"),
        (quantity(1.0, "second", "g"), "1 second"),
        (in_bytes(1), "1 byte"),
        (in_bytes(999), "999 bytes"),
        (in_bytes(4_440_000), "4.4 MB"),
    ],
)
def test_quantities(said: str, expected: str) -> None:
    """A quantity of one has the singular, every other quantity the plural."""
    assert said == expected


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (Annotated[int, Field(ge=2)], 1, "give 2 or more"),
        (Annotated[int, Field(le=10**9)], 10**10, "give 1,000,000,000 or less"),
        (Annotated[float, Field(gt=0)], 0, "give more than 0"),
        (Annotated[float, Field(le=1e9)], 2e9, "give 1,000,000,000 or less"),
        (Annotated[float, Field(lt=0.5)], 1, "give less than 0.5"),
        (Annotated[float, Field(allow_inf_nan=False)], "nan", "give a finite number"),
        (int, "x", "give a whole number"),
        (int, 0.5, "give a whole number"),
        (int, "1,000,000", "write 1000000, without commas"),
        (Annotated[float, Field(strict=True)], "1,000", "write 1000, without commas"),
        (int, "1,00", "give a whole number"),
        (int, None, "give a whole number"),
        (float, "x", "give a number"),
        (float, None, "give a number"),
        (bool, 7, "give true or false"),
        (bool, None, "give true or false"),
        (str, 2026, "give a text in quotes"),
        (tuple[str, ...], "x", "give a list in brackets"),
        (Literal["png", "json"], "exe", "give 'png' or 'json'"),
        (Annotated[int, Field(multiple_of=8)], 12, "give a multiple of 8"),
        (Annotated[str, Field(min_length=2)], "x", "give 2 or more characters"),
        (Annotated[str, Field(max_length=2)], "xyz", "give 2 or fewer characters"),
        (Annotated[str, Field(pattern="^a$")], "x", "give a text of the form ^a$"),
        (int, "9" * 5000, "give a whole number of fewer digits"),
        (dict, 1, "input should be a valid dictionary"),
    ],
)
def test_what_to_give_in_place_of_a_wrong_value(kind: Any, value: object, expected: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(value)
    (wrong,) = caught.value.errors()
    assert instead(wrong) == expected


@pytest.mark.parametrize("value", ["nan", "x", None, -0.1, 1.1, True, np.True_, 10**400, "9" * 400])
def test_a_value_that_is_no_number_in_the_range_is_refused(value: object) -> None:
    assert (number_between(0, "", 0, 1), number_between("1", "", 0, 1)) == (0, 1)
    with pytest.raises(ConfigError, match=r"^the share is .{1,80}, not 0 to 1$"):
        number_between(value, "the share is {}, not 0 to 1", 0, 1)


@pytest.mark.parametrize("value", [1.0, "1", None, True, False, -1, 10**60, pytest.param(10**9999, id="huge")])
def test_a_value_that_is_no_whole_number_is_refused(value: object) -> None:
    assert whole_number(np.int8(1), "", 0, 1) == 1
    with pytest.raises(ConfigError, match=r"^the part is .{1,80}, not 0 to 1$"):
        whole_number(value, "the part is {}, not 0 to 1", 0, 1)


class Unprintable:
    """An object that cannot describe itself, such as a closed one."""

    def __repr__(self) -> str:
        raise RuntimeError("it was closed")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026", "'2026'"),
        (0.25, "0.25"),
        (("a", None), "('a', None)"),
        ("a\n\x1b[31m", r"'a\n\x1b[31m'"),
        ("\udc80\ud800", r"'\udc80\ud800'"),  # a byte of an argument that is not UTF-8, and half a surrogate pair
        (np.eye(2, dtype=int), r"array([[1, 0],\n       [0, 1]])"),
        ("0" * 500 + "1", f"'{'0' * 25}…{'0' * 51}1'"),
        pytest.param(10**9999, "that int", id="huge"),
        pytest.param(Unprintable(), "that Unprintable", id="its own error"),
    ],
)
def test_values_in_messages(value: object, expected: str) -> None:
    """A message shows a value as Python writes it, in one line of at most 80 characters."""
    assert as_given(value) == expected
    assert len(expected) <= 80


@pytest.mark.parametrize(
    ("locale", "name", "expected"),
    [
        ("gbk", "数字", "数字"),  # from a terminal, a model or a file of arrays
        ("latin-1", "café", "café"),
        ("gbk", "数字".encode().decode("gbk", "surrogateescape"), "数字"),  # the name of a file on a disk in UTF-8
        ("latin-1", "café".encode().decode("latin-1"), "café"),
        ("ascii", b"caf\xc3\xa9\xff".decode("ascii", "surrogateescape"), r"café\xff"),
    ],
)
def test_names_in_a_locale_that_is_not_utf_8(
    monkeypatch: pytest.MonkeyPatch, locale: str, name: str, expected: str
) -> None:
    """The names of files are read as UTF-8 if they are; text is shown as it is."""
    monkeypatch.setattr(os, "fsencode", lambda text: text.encode(locale, "surrogateescape"))
    assert printable(name) == expected


@pytest.mark.parametrize("value", [3, 2.5, b"best", ["best"]], ids=str)
@pytest.mark.parametrize(
    ("call", "error", "what"),
    [
        (inkgan.load, CheckpointError, "the model"),
        (lambda value: inkgan.write("1", model=value), CheckpointError, "the model"),
        (lambda value: inkgan.export(value, "model.html"), CheckpointError, "the model"),
        (lambda value: inkgan.export("fast", value), OutputError, "the output"),
        (lambda value: inkgan.evaluate("fast", data_dir=value), DataError, "data_dir"),
        (lambda value: inkgan.compare("fast", "best", data_dir=value), DataError, "data_dir"),
        (lambda value: inkgan.train(out=value), ConfigError, "out"),
        (lambda value: inkgan.train(config=value), ConfigError, "config"),
    ],
)
def test_a_value_that_is_no_path_is_refused(
    call: Callable[[Any], Any], error: type[InkganError], what: str, value: Any
) -> None:
    with pytest.raises(error) as caught:
        call(value)
    assert str(caught.value) == f"{what} is {value!r}, not a name or a path. Give a string or a pathlib.Path."


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: inkgan.load(""), "the name of the run or model is empty"),
        (lambda: inkgan.write("1", model=""), "the name of the run or model is empty"),
        (lambda: inkgan.evaluate(""), "the name of the run or model is empty"),
        (lambda: inkgan.export("", "model.html"), "the name of the run or model is empty"),
        (lambda: inkgan.export("fast", ""), "the name of the output is empty"),
    ],
)
def test_an_empty_name_is_not_the_current_folder(call: Callable[[], Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        call()


def public_parameters(*types: str) -> Iterator[str]:
    """The parameters of these types in the public API, such as ``export(force)``."""
    for name in inkgan.__all__:
        one = getattr(inkgan, name)
        if inspect.isfunction(one):
            functions = {name: one}
        else:
            functions = {f"{name}.{method}": call for method, call in vars(one).items() if inspect.isfunction(call)}
        for called, function in functions.items():
            if not called.rpartition(".")[2].startswith("_"):
                for parameter in inspect.signature(function).parameters.values():
                    if parameter.annotation in types:
                        yield f"{called}({parameter.name})"


#: A call of each public function that takes True or False.
YES_OR_NO: dict[str, Callable[[Any], Any]] = {
    "export(force)": lambda value: inkgan.export("fast", "model.html", force=value),
    "evaluate(full)": lambda value: inkgan.evaluate("none", full=value),
    "compare(full)": lambda value: inkgan.compare("none", "none", full=value),
    "train(resume)": lambda value: inkgan.train(data="none", resume=value),
    "train(force)": lambda value: inkgan.train(data="none", force=value),
    "train(heal)": lambda value: inkgan.train(data="none", heal=value),
}


@pytest.mark.parametrize("value", ["no", "", 0, None, [], np.zeros(2, bool)], ids=repr)
@pytest.mark.parametrize(("where", "call"), YES_OR_NO.items(), ids=YES_OR_NO)
def test_a_value_that_is_neither_true_nor_false_is_refused(
    where: str, call: Callable[[Any], Any], value: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a boolean is accepted: Python itself would take ``"no"`` for true."""
    monkeypatch.chdir(tmp_path)
    name = where.partition("(")[2].rstrip(")")
    with pytest.raises(ConfigError) as caught:
        call(value)
    assert str(caught.value) == f"{name}={value!r} is not allowed: give True or False."
    assert list(tmp_path.iterdir()) == []


def test_every_public_yes_or_no_is_checked() -> None:
    options = {f"train({name})" for name, kind in get_type_hints(TrainingOptions).items() if kind is bool}
    assert options | set(public_parameters("bool")) == YES_OR_NO.keys()
    assert [yes_or_no(value, "") for value in (True, False, np.True_, np.False_)] == [True, False, True, False]


#: A call of each public function that takes a callback, and the arguments that the callback gets.
CALLBACKS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "evaluate(progress)": (lambda value: inkgan.evaluate("none", progress=value), "doing, done"),
    "evaluate(extractor)": (lambda value: inkgan.evaluate("none", extractor=value), "images"),
    "compare(progress)": (lambda value: inkgan.compare("none", "none", progress=value), "doing, done"),
    "Model.sample(progress)": (lambda value: inkgan.load("fast").sample(1, progress=value), "doing, done"),
}


@pytest.mark.parametrize("value", [3, "print", lambda: None, lambda a, b, c: None], ids=["3", "text", "none", "three"])
@pytest.mark.parametrize(("where", "call", "takes"), [(where, *call) for where, call in CALLBACKS.items()])
def test_a_value_that_is_no_callback_is_refused(where: str, call: Callable[[Any], Any], takes: str, value: Any) -> None:
    """A callback has to be callable, with the right number of arguments."""
    name = where.partition("(")[2].rstrip(")")
    with pytest.raises(ConfigError) as caught:
        call(value)
    assert str(caught.value) == f"{name} is {as_given(value)}. Give a function that takes ({takes})."


def test_every_public_callback_is_checked() -> None:
    assert set(public_parameters("Progress", "Extractor | None")) == CALLBACKS.keys()
    require_function(vars, "of C, which does not tell what it takes", "a", "b")


@pytest.mark.parametrize(
    "value", [3, print, inkgan.Watcher, [inkgan.Watcher()]], ids=["number", "function", "class", "list"]
)
def test_a_value_that_is_no_watcher_is_refused(value: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"^watcher is .*\. Give an object of a class derived from inkgan\.Watcher"):
        inkgan.train(data="none", watcher=value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", ["2", 2.5, [2]], ids=str)
def test_a_value_that_is_no_number_of_processes_is_refused(value: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        inkgan.train(processes=value, steps=1)
    assert str(caught.value).startswith(f"--processes {value!r} is not possible here")


@pytest.mark.parametrize("value", [np.array(["a", "b"]), np.zeros(0), 10**5000], ids=["array", "empty", "huge"])
@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("statistics", lambda value: inkgan.load("fast").sample(1, statistics=value)),
        ("background", lambda value: inkgan.write("1", background=value)),
        ("look", lambda value: inkgan.write("1", look=value)),
        ("form", lambda value: inkgan.write("1", look={"form": value})),
        ("device", lambda value: inkgan.train(device=value, steps=1)),
        ("recipe", lambda value: inkgan.train(value, steps=1)),
        ("loss", lambda value: inkgan.train(steps=1, settings={"loss": value})),
        ("out", lambda value: inkgan.train(steps=1, out=value)),
        ("extend", lambda value: inkgan.train(steps=1, extend=value, force=True)),
    ],
)
def test_arrays_and_huge_numbers_where_a_word_belongs(
    name: str, call: Callable[[Any], Any], value: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are refused in one line, although an array cannot be compared with a word, nor a huge number be printed."""
    monkeypatch.chdir(tmp_path)
    assert len(refusal(lambda: call(value), name, kind=ConfigError)) < 400
    assert list(tmp_path.iterdir()) == []


class BytesPath:
    """A path that is bytes, as ``os.scandir(b".")`` yields them."""

    def __fspath__(self) -> bytes:
        return b"run"


@pytest.mark.parametrize("value", [BytesPath(), "a\0b", Path("a\0b"), "\ud800"], ids=["bytes", "0", "path 0", "half"])
@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda value: inkgan.train(steps=1, out=value), ConfigError),
        (lambda value: inkgan.train(steps=1, config=value), ConfigError),
        (inkgan.load, CheckpointError),
        (lambda value: inkgan.export("fast", value), OutputError),
        (lambda value: inkgan.evaluate("fast", data_dir=value), DataError),
    ],
    ids=["out", "config", "load", "export", "data_dir"],
)
def test_paths_that_no_file_has(
    call: Callable[[Any], Any], kind: type[InputError], value: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path with bytes, a zero byte or half a surrogate pair raises a one-line error before anything is written."""
    monkeypatch.chdir(tmp_path)
    refusal(lambda: call(value), kind=kind)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [3, "texts.toml", {"count": 3}], ids=str)
def test_a_value_that_is_no_specification_is_refused(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"is not a data set\. Give an inkgan\.Spec"):
        inkgan.write_many(value)


@pytest.mark.parametrize("given", ["YOLO", "Yolo", "yollo"])
def test_the_nearest_word_in_any_case(given: str) -> None:
    assert did_you_mean(given, ["npz", "yolo"]) == " Did you mean 'yolo'?"
    assert did_you_mean("best", ["BEST"]) == " Did you mean 'BEST'?"
    assert did_you_mean(given, []) == ""


@pytest.mark.parametrize(("given", "meant"), [("0", "00"), ("7", "07"), ("1", "01"), ("007", "07"), ("011", "11")])
def test_the_nearest_number_is_the_same_with_other_zeros(given: str, meant: str) -> None:
    numbers = [f"{number:02}" for number in range(20)]
    assert did_you_mean(given, numbers) == f" Did you mean {meant!r}?"
    assert did_you_mean("5", ["0005"]) == " Did you mean '0005'?"


def test_the_nearest_word_is_the_first_of_equals() -> None:
    assert did_you_mean("cat", ["car", "cap", "can"]) == " Did you mean 'car'?"


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ("nope", "mine"),
        ("fast", "last-name"),
        ("dates", "pages"),
        ("abc", "abcdefgh"),
        ("hand", "clean"),
        ("gan", "scan2"),
    ],
)
def test_another_word_is_not_taken_for_a_slip(given: str, word: str) -> None:
    assert did_you_mean(given, [word]) == ""


def test_one_slip_in_any_word_of_three_letters_or_more_gets_a_hint() -> None:
    """A letter too many, too few, wrong, or exchanged with the next one."""
    words = [word for word in re.split(r"\W+", __doc__ or "") if len(word) >= 3] + ["ray", "npz", "yolo", "mnist"]
    for word in words:
        for at in range(len(word)):
            before, letter, after = word[:at], word[at], word[at + 1 :]
            slips = [f"{before}q{letter}{after}", f"{before}q{after}", f"{before}{after[:1]}{letter}{after[1:]}"]
            slips += [before + after] * (len(word) > 3 or at == 2)
            for slip in slips:
                assert did_you_mean(slip, [word]) == f" Did you mean {word!r}?", (slip, word)


def test_an_unknown_word_may_be_anything() -> None:
    assert unknown("engine", "rey", ["processes", "ray"]) == "unknown engine 'rey'. Did you mean 'ray'?"
    assert unknown("engine", 10**5000, ["ray"]) == "unknown engine that int."


@pytest.mark.parametrize("passed_on", [copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
@pytest.mark.parametrize("error", [Interrupted("the run was stopped", 15), DataError("no images")])
def test_errors_come_out_of_other_processes(
    error: DataError | Interrupted, passed_on: Callable[[BaseException], DataError | Interrupted]
) -> None:
    """A pool of processes passes them on whole, so that a sweep learns why one of its runs ended."""
    found = passed_on(error)
    assert (type(found), str(found), found.exit_code) == (type(error), str(error), error.exit_code)


def test_a_misspelt_name_of_the_package() -> None:
    """Type checkers see it, too: they would find the comment for them needless if they did not."""
    with pytest.raises(AttributeError, match="module 'inkgan' has no attribute 'laod'"):
        inkgan.laod  # type: ignore[attr-defined]  # noqa: B018 - the access itself is wrong
