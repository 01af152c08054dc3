"""The reading sheet: readers do not know which half is generated, and their answers alone decide the scores."""

from __future__ import annotations

import csv
import importlib
import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

import inkgan
from inkgan import data


@pytest.fixture(scope="module")
def sheets() -> ModuleType:
    return importlib.import_module("reading_sheet")


@pytest.fixture(scope="module")
def folder(sheets: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("reading") / "sheet"
    sheets.make(made, 60, "fast", 3, 0.99)
    return made


def key_of(folder: Path) -> list[dict[str, object]]:
    return json.loads((folder / "key.json").read_text("utf-8"))["key"]


def answered(folder: Path, name: str, answer: Callable[[dict[str, object]], tuple[str, str]]) -> Path:
    """Fill in a form for a reader who knows the key."""
    with (folder / name).open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["number", "digit", "made"])
        rows.writerows([number, *answer(one)] for number, one in enumerate(key_of(folder), 1))
    return folder / name


def test_half_is_generated_in_an_order_that_tells_nothing(folder: Path) -> None:
    key = key_of(folder)
    kinds = "".join(str(one["made"]) for one in key)
    assert sorted(kinds) == ["g"] * 60 + ["r"] * 60
    assert 40 < sum(a != b for a, b in pairwise(kinds)) < 80
    for made in "gr":
        assert sorted(str(one["digit"]) for one in key if one["made"] == made) == sorted("0123456789" * 6)
    with Image.open(folder / "page-01.png") as page, Image.open(folder / "page-02.png") as last:
        assert page.size == (1300, 1300)
        assert last.size == (1300, 260)
    for form in (folder / "answers.csv").read_text().splitlines()[1:]:
        assert form.endswith(",,")


def test_the_key_says_what_each_image_is(sheets: ModuleType) -> None:
    """Each generated digit is one that the model draws of that class, each real one a test image of that label."""
    images, key = sheets.chosen(20, "fast", 3, 0)
    test = data.load("mnist").test
    assert test.labels is not None
    drawn = np.asarray(inkgan.load("fast").sample(20, seed=3, legible=0))
    known = {
        "g": {(digit, image.tobytes()) for digit, image in zip(np.arange(20) % 10, drawn, strict=True)},
        "r": {(label, image.tobytes()) for label, image in zip(test.labels, test.images, strict=True)},
    }
    assert all((one["digit"], image.tobytes()) in known[one["made"]] for one, image in zip(key, images, strict=True))
    assert len({image.tobytes() for image in images}) == 40


def test_scores_are_those_of_the_answers(sheets: ModuleType, folder: Path) -> None:
    """One reader reads only the real ones and calls all real; the other leaves the form empty."""
    key = key_of(folder)
    first = answered(folder, "a.csv", lambda one: ("?" if one["made"] == "g" else str(one["digit"]), "r"))
    second = answered(folder, "b.csv", lambda _: ("", ""))
    answers = [sheets.answers_in(path, len(key)) for path in (first, second)]
    head, read, told, empty = sheets.score(key, answers)
    assert head == ["", "generated", "real"]
    assert read[1].startswith("0 of 60: 0.0% [")
    assert read[2].startswith("60 of 60: 100.0% [")
    assert (told[1][:8], told[2][:8]) == ("0 of 60:", "60 of 60")
    assert empty == ["left empty", "60", "60"]


def test_nothing_is_invented_for_an_empty_form(sheets: ModuleType, folder: Path) -> None:
    key = key_of(folder)
    rows = sheets.score(key, [sheets.answers_in(folder / "answers.csv", len(key))])
    assert rows[1][1:] == rows[2][1:] == ["no answers", "no answers"]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("121,3,g", r"there is no image '121'\."),
        ("0,3,g", r"there is no image '0'\."),
        ("x,3,g", r"there is no image 'x'\."),
        ("1,33,g", "'33' and 'g' are not a digit"),
        ("1,3,q", "'3' and 'q' are not a digit"),
    ],
)
def test_answers_that_make_no_sense(sheets: ModuleType, folder: Path, row: str, said: str) -> None:
    path = folder / "bad.csv"
    path.write_text(f"number,digit,made\n{row}\n")
    with pytest.raises(sheets.SheetError, match=rf"bad\.csv.*: {said}"):
        sheets.answers_in(path, 120)
