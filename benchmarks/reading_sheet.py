"""A blind reading test for people: do they read generated digits as well as real ones, and can they tell them apart?

    python benchmarks/reading_sheet.py make sheet/ [--model best] [--seed 0] [--digits 500] [--legible 0.99]
    python benchmarks/reading_sheet.py score sheet/ ANSWERS.csv [ANSWERS.csv ...]

`make` writes pages of 100 numbered digits in random order, half of them generated and half real test digits of MNIST.
It also writes `answers.csv`, a form of which each reader fills in a copy, and `key.json`, which readers must not see.
Readers write the digit that they see into the column `digit`, or ? if they cannot tell. Into the column `made` they may
write g for generated or r for real. `score` reads their answers. Empty answers are left out and counted.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from report import share, table

import inkgan
from inkgan import data

_COLUMNS, _ROWS, _CELL = 10, 10, 130
_LEGEND = 12  # font size of the numbers


class SheetError(Exception):
    """The answers cannot be scored."""


def chosen(count: int, model: str, seed: int, legible: float) -> tuple[NDArray[np.uint8], list[dict[str, object]]]:
    """Return images [2 · count, 28, 28] in random order, and for each its digit and whether it was generated."""
    source = np.random.default_rng(seed)
    test = data.load("mnist").test
    assert test.labels is not None
    digits = np.arange(count) % 10
    places = np.empty(count, np.int64)
    for digit in range(10):
        wanted = digits == digit
        places[wanted] = source.choice(np.flatnonzero(test.labels == digit), wanted.sum(), replace=False)
    generated = np.asarray(inkgan.load(model).sample(count, seed=seed, labels=digits, legible=legible))
    images = np.concatenate([generated, test.images[places, :, :, 0]])
    key = [{"digit": int(digit), "made": made} for made in ("g", "r") for digit in digits]
    order = source.permutation(len(images))
    return images[order], [key[place] for place in order.tolist()]


def page(images: NDArray[np.uint8], first: int) -> Image.Image:
    """Draw a page of numbered digits."""
    sheet = Image.new("L", (_COLUMNS * _CELL, -(-len(images) // _COLUMNS) * _CELL), 255)
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(_LEGEND)
    for index, image in enumerate(images):
        x, y = index % _COLUMNS * _CELL, index // _COLUMNS * _CELL
        picture = Image.fromarray(255 - image).resize((112, 112), Image.Resampling.BICUBIC)
        sheet.paste(picture, (x + 9, y + 16))
        pen.text((x + 4, y + 2), str(first + index), 100, font)
    return sheet


def make(folder: Path, count: int, model: str, seed: int, legible: float) -> None:
    """Write the pages, the form and the key."""
    images, key = chosen(count, model, seed, legible)
    folder.mkdir(parents=True)
    per_page = _COLUMNS * _ROWS
    for number, start in enumerate(range(0, len(images), per_page), 1):
        page(images[start : start + per_page], start + 1).save(folder / f"page-{number:02d}.png")
    with (folder / "answers.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["number", "digit", "made"])
        rows.writerows([number, "", ""] for number in range(1, len(images) + 1))
    about = {"model": model, "seed": seed, "legible": legible, "key": key}
    (folder / "key.json").write_text(json.dumps(about) + "\n", "utf-8")


def answers_in(path: Path, count: int) -> list[tuple[str, str]]:
    """Return a reader's answers for each image: the digit, ? or nothing; g, r or nothing."""
    found = [("", "")] * count
    with path.open(newline="", encoding="utf-8-sig") as file:
        for row in csv.DictReader(file):
            number, digit, made = ((row.get(name) or "").strip() for name in ("number", "digit", "made"))
            if not number.isdecimal() or not 1 <= int(number) <= count:
                raise SheetError(f"{path}: there is no image {number!r}. They are numbered from 1 to {count}.")
            if digit not in {"", "?", *"0123456789"} or made.lower() not in {"", "g", "r"}:
                raise SheetError(
                    f"{path}, image {number}: {digit!r} and {made!r} are not a digit or ?, and g, r or nothing."
                )
            found[int(number) - 1] = (digit, made.lower())
    return found


def score(key: list[dict[str, object]], answers: list[list[tuple[str, str]]]) -> list[list[str]]:
    """Return the table of a test: for each kind, how often the digit and how often the kind were named correctly."""
    rows = [["", "generated", "real"]]
    given = [(one, answer) for reader in answers for one, answer in zip(key, reader, strict=True)]

    def line(title: str, place: int, right: str) -> None:
        cells = [title]
        for made in ("g", "r"):
            asked = [(one, answer[place]) for one, answer in given if one["made"] == made and answer[place]]
            good = sum(str(one[right]) == answer for one, answer in asked)
            cells.append(f"{good} of {len(asked)}: {share(good, len(asked))}" if asked else "no answers")
        rows.append(cells)

    line("read as what it is", 0, "digit")
    line("taken for what it is", 1, "made")
    empty = [sum(not answer[0] for one, answer in given if one["made"] == made) for made in ("g", "r")]
    rows.append(["left empty", *map(str, empty)])
    return rows


def main() -> int:
    """Make a sheet, or score answers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("make")
    making.add_argument("folder", type=Path)
    making.add_argument("--model", default="best")
    making.add_argument("--seed", type=int, default=0)
    making.add_argument("--digits", type=int, default=500, help="of each kind")
    making.add_argument("--legible", type=float, default=0.99)
    scoring = commands.add_parser("score")
    scoring.add_argument("folder", type=Path)
    scoring.add_argument("answers", type=Path, nargs="+")
    options = parser.parse_args()
    try:
        if options.command == "make":
            make(options.folder, options.digits, options.model, options.seed, options.legible)
            print(f"{options.folder}: give readers the pages and a copy of answers.csv, and keep key.json.")
        else:
            key = json.loads((options.folder / "key.json").read_text("utf-8"))["key"]
            answers = [answers_in(path, len(key)) for path in options.answers]
            print(f"{len(answers)} {'reader' if len(answers) == 1 else 'readers'}, {len(key)} digits\n")
            print(table(score(key, answers)))
    except (SheetError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
