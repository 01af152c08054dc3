"""Class names travel with a model: from its files to the images that it draws, and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import inkgan
import tiny_runs as runs
from inkgan.cli import run
from inkgan.data.sets import _LARGEST_CLASS_NAMES, MAX_CLASSES
from inkgan.errors import CheckpointError, ConfigError
from inkgan.generation.model import Model
from inkgan.runs.checkpoint import _LARGEST_DOCUMENT
from refusals import command_refusal, refusal
from stand_in_models import renamed_digits

#: One to nine, so that index and name never agree.
NAMES = tuple("123456789")


@pytest.fixture
def nine(tmp_path: Path) -> Model:
    """A model of the digits 1 to 9."""
    return inkgan.load(renamed_digits(tmp_path / "model", "123456789", NAMES))


def test_names_of_models(tmp_path: Path) -> None:
    """A model keeps the names it was saved with. An old model gets numbers, and one without labels gets no names."""
    fast = inkgan.load("fast")
    assert fast.class_names == tuple("0123456789")
    assert inkgan.load("tutorial").class_names == ()
    names = ("gamma", "α", "a/b", "..")
    assert inkgan.load(renamed_digits(tmp_path / "a", "0123", names)).class_names == names
    assert inkgan.load(renamed_digits(tmp_path / "b", "0123", None)).class_names == tuple("0123")


@pytest.mark.parametrize(
    "names",
    [
        ["a", "b"],
        ["a", "b", "c", "d"],
        ["a", "b", "a"],
        ["a", "b", 3],
        ["a", "b", ""],
        ["a", "b", "c" * 300],
        "abc",
        {},
    ],
)
def test_names_that_do_not_fit(tmp_path: Path, names: Any) -> None:
    """A model is refused in one line if it has too few, too many, repeated or malformed class names."""
    folder = renamed_digits(tmp_path, "012", names)
    refusal(lambda: inkgan.load(folder), "class_names", kind=CheckpointError)


def test_the_longest_names_that_are_learned_are_read_again(tmp_path: Path) -> None:
    """Any names that data may have can be saved and loaded: 255 characters each, for the largest number of classes."""
    longest = ["a" * 255, "b" * 255]
    assert inkgan.load(renamed_digits(tmp_path / "a", "01", longest)).class_names == tuple(longest)
    most = json.dumps({"class_names": [f"{number:05d}" for number in range(MAX_CLASSES)]}, indent=1)
    per_class = (len(most) - len(json.dumps([f"{number:05d}" for number in range(MAX_CLASSES)]))) / MAX_CLASSES
    assert _LARGEST_CLASS_NAMES + per_class * MAX_CLASSES < 0.9 * _LARGEST_DOCUMENT  # the rest is for settings


@pytest.mark.parametrize("labels", ["7\0", ["7\0"] * 2])
def test_a_zero_byte_is_part_of_a_name(labels: Any) -> None:
    """A trailing zero byte counts, although NumPy drops it from its strings."""
    with pytest.raises(ConfigError, match=r"there is no class '7\\x00'"):
        inkgan.load("fast").labels_for(2, labels)


def test_names_that_a_list_would_hide_are_in_quotes(tmp_path: Path) -> None:
    model = inkgan.load(renamed_digits(tmp_path / "model", "0123", [" a", "b, c", "d e", "f"]))
    assert "classes ' a', 'b, c', d e, f" in repr(model)


@pytest.mark.parametrize(
    ("folder", "name"),
    [("a\nb", "a\\nb"), ("\u202ea", "\\u202ea"), ("\udce9", "\\xe9"), ("\xe9", "e\u0301"), ("e\u0301", "\xe9")],
)
def test_a_class_can_be_asked_for_by_its_folder(tmp_path: Path, folder: str, name: str) -> None:
    """A class has its folder's name in printable form; the name itself, which a shell completes, asks for it, too.

    So does a name that looks the same: macOS writes an é in the name of a folder as two characters.
    """
    model = inkgan.load(renamed_digits(tmp_path / "model", "012", ["x", name, "y"]))
    np.testing.assert_array_equal(model.labels_for(2, folder), [1, 1])


def test_classes_with_joiners_have_folders_of_their_names(tmp_path: Path) -> None:
    names = ["می\u200cروم", "\N{WOMAN}\u200d\N{PERSONAL COMPUTER}"]
    model = renamed_digits(tmp_path / "model", "01", names)
    assert run(["sample", str(model), "-n", "2", "-o", f"{tmp_path}/images/"]) == 0
    assert {path.name for path in (tmp_path / "images").iterdir()} == {*names, ".inkgan.json"}


def test_half_a_character_is_no_name(tmp_path: Path) -> None:
    """Half a surrogate pair is refused: JSON can hold it, but no valid text can."""
    with pytest.raises(CheckpointError, match="class_names"):
        inkgan.load(renamed_digits(tmp_path, "012", ["a", "b", "\ud800"]))


@pytest.mark.parametrize(
    ("labels", "digits"),
    [
        ("7", "777"),
        (7, "888"),
        (np.int64(7), "888"),
        (np.array(7), "888"),
        (np.str_("7"), "777"),
        (["7", "1", "9"], "719"),
        ([7, 0, 8], "819"),
        ((np.int32(7), 0, np.uint8(8)), "819"),
        (np.array(["7", "1", "9"]), "719"),
        (np.array([7, 0, 8], np.uint8), "819"),
        (["7", 0, "9"], "719"),
        (range(3), "123"),
        (None, "123"),
    ],
)
def test_classes_by_name_and_by_index(nine: Model, labels: Any, digits: str) -> None:
    """Strings are names, integers are indices; one for all or one for each, as lists or arrays."""
    indices = [NAMES.index(digit) for digit in digits]
    found = nine.labels_for(3, labels)
    assert found is not None
    assert found.dtype == np.int64
    assert found.tolist() == indices
    ten = inkgan.load("fast")
    same = ten.sample(3, seed=4, labels=[int(digit) for digit in digits])
    np.testing.assert_array_equal(nine.sample(3, seed=4, labels=labels), same)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ("0", "there is no class '0'"),
        ("08", "there is no class '08'. Did you mean '8'?"),
        (10, "there is no class 10: "),
        (-1, "there is no class -1"),
        (10**30, "there is no class 1000"),
        (["1", "2", "three"], "there is no class 'three'"),
        (9, "there is no class 9. Integers are indices, 0 to 8; the name is '9'."),
        ([1, 2, 9], "Integers are indices, 0 to 8; the name is '9'"),
        ([1, 2, 10], "there is no class 10"),
        (1.0, "1.0 is not a label"),
        ([1.0, 2.0, 3.0], "1.0 is not a label"),
        (True, "True is not a label"),
        ([None, 1, 2], "None is not a label"),
        ([1, 2], r"\[2\] labels for 3 images"),
        (np.ones((3, 1), int), r"\[3, 1\] labels for 3 images"),
        ([], r"\[0\] labels for 3 images"),
    ],
)
def test_what_is_no_class(nine: Model, labels: Any, said: str) -> None:
    """A class that the model lacks is refused, and the message lists the classes that it has."""
    with pytest.raises(ConfigError, match=said) as caught:
        nine.sample(3, labels=labels)
    if "no class" in said:
        assert str(caught.value).endswith("draws 1, 2, 3, 4, 5, 6, 7, 8, 9.")


def test_many_classes_in_a_message(tmp_path: Path) -> None:
    """A message about a model with many classes lists only the first twelve."""
    names = [f"kind {number}" for number in range(40)]
    model = inkgan.load(renamed_digits(tmp_path, "0123456789" * 4, names))
    refusal(lambda: model.sample(1, labels="kind 41"), "kind 11 and 28 more", "Did you mean 'kind", kind=ConfigError)
    assert repr(model) == f"<Model {tmp_path}: compact, 28x28x1, classes {', '.join(names[:12])} and 28 more>"


def test_the_command_quotes_a_name_that_cannot_be_read_without(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A name with a space at its end looks like another one, as in the list of classes, which quotes it, too."""
    model = renamed_digits(tmp_path / "model", "12", ["a", "a "])
    out = tmp_path / "a.png"
    assert run(["sample", str(model), "-n", "1", "--label", "a ", "-o", str(out)]) == 0
    assert capsys.readouterr().out == f"1 image of class 'a ': {out}\n"


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--label", "--digit"])
def test_the_command_asks_by_name(nine: Model, tmp_path: Path, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    """``--label 9`` draws the class that is called 9, though it is the ninth; there is no class 0."""
    out = tmp_path / "nines.npz"
    words = ["sample", nine.name, "-n", "4", "-o", str(out)]
    assert run([*words, option, "9"]) == 0
    assert capsys.readouterr().out == f"4 images of class 9: {out}\n"
    with np.load(out) as archive:
        np.testing.assert_array_equal(archive["images"], inkgan.load("fast").sample(4, labels=9))
        assert archive["labels"].tolist() == [8, 8, 8, 8]
        assert archive["class_names"].tolist() == list(NAMES)
    assert run([*words, option, "0", "--force"]) == 2
    assert "there is no class '0'" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["../out", "..", ".", ".hidden", "a/b", "/etc", "a\\b", "a\nb", "\x1b[2J", "x" * 210, " ", "ü" * 150]
)
def test_names_that_no_folder_can_have(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder is refused if a class name leads out of it, is hidden or is too long; an .npz file accepts any name."""
    model = renamed_digits(tmp_path / "model", "012", ["a", name, "c"])
    before = runs.listing(tmp_path)
    said = command_refusal(capsys, "sample", model, "-n", "30", "-o", f"{tmp_path}/out/")
    assert "cannot have a folder of that name" in said
    assert runs.listing(tmp_path) == before
    assert run(["sample", str(model), "-n", "30", "-o", f"{tmp_path}/out/", "--label", "c"]) == 0
    assert run(["sample", str(model), "-n", "30", "-o", f"{tmp_path}/out.npz"]) == 0
    with np.load(tmp_path / "out.npz") as archive:
        assert archive["class_names"].tolist() == ["a", name, "c"]
