"""Draw the pictures of the README and docs with the bundled models.

Run ``python scripts/make_pictures.py [RUN_OF_THE_TUTORIAL]``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

import inkgan
from inkgan.cli import run as command
from inkgan.generation.looks import LookLike
from inkgan.runs.folder import RunFolder
from inkgan.training.recorder import GRID_COLUMNS

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
#: Texts, and the seeds of their hands, picked by eye out of 24 to differ and to read well.
LINES = {"2026-11-24": 4, "12:45": 2, "3.14159": 11, "1/2 + 3": 14, "555-0199": 5, "24/11/2026": 20}
#: The steps of the tutorial after which its fixed latents are shown.
STEPS = (1_000, 3_000, 10_000, 30_000, 100_000)


def main() -> None:
    """Write the pictures of writing and sampling; with the folder of a run of the tutorial, tutorial.png too."""
    for run in sys.argv[1:]:
        learning(Path(run)).save(PICTURES / "tutorial.png", optimize=True)
    writing().save(PICTURES / "writing.png", optimize=True)
    looks().quantize(128).save(PICTURES / "looks.png", optimize=True)
    hands = [str(seed) for seed in range(8)]
    command(["morph", *hands, "--steps", "1", "-o", str(PICTURES / "hands.png"), "--force"])
    command(["sample", "best", "-n", "200", "--columns", "20", "-o", str(PICTURES / "digits.png"), "--force"])


def learning(run: Path) -> Image.Image:
    """Draw the first rows of a run's fixed latents at several steps, one below the other."""
    rows = []
    for step in STEPS:
        with Image.open(RunFolder(run).grid_file(step)) as grid:
            row = grid.convert("L").crop((0, 0, grid.width, 2 * grid.height // GRID_COLUMNS))
            rows.append(row.resize((2 * row.width, 2 * row.height), Image.Resampling.NEAREST))
    space, height = 90, rows[0].height + 16
    page = Image.new("L", (space + rows[0].width, height * len(rows)), 255)
    draw = ImageDraw.Draw(page)
    for number, (step, row) in enumerate(zip(STEPS, rows, strict=True)):
        draw.text((8, number * height + row.height // 2), f"{step:,}", 0, ImageFont.load_default(16), "lm")
        page.paste(row, (space, number * height))
    return page


def writing() -> Image.Image:
    """Draw six lines by six hands, in two columns."""
    pictures = [inkgan.write(text, seed=seed, height=88).picture for text, seed in LINES.items()]
    width = max(picture.width for picture in pictures) + 40
    height = 96
    page = Image.new("L", (2 * width, 3 * height), 255)
    for number, picture in enumerate(pictures):
        row, column = divmod(number, 2)
        page.paste(picture, (column * width + 20, row * height))
    return page


def looks() -> Image.Image:
    """Draw a line in each look, in cells, in colours, and with single knobs."""
    rows: list[list[LookLike]] = [
        ["clean", "scan", "photo", "field"],
        [{"form": "cells", "look": "scan"}, {"form": "cells", "look": "photo", "pen": "blue"}],
        [{"pen": "blue", "tint": "cream", "look": "scan"}, {"pressure": 0.8}, {"stroke": 2}, {"texture": 0.08}],
        [{"light": 0.7}, {"turn": 6}, {"clip": 22}, {"perspective": 16}],
        [{"resolution": 0.25}, {"blur": 2.5}, {"noise": 40}, {"quality": 6}],
    ]
    pictures = [[inkgan.write("24.11 37", seed=4, height=72, look=look).picture for look in row] for row in rows]
    width = max(sum(picture.width + 8 for picture in row) for row in pictures) + 8
    page = Image.new("RGB", (width, 80 * len(rows) + 8), "#ccc")
    for number, row in enumerate(pictures):
        left = 8
        for picture in row:
            page.paste(picture, (left, 80 * number + 8))
            left += picture.width + 8
    return page


if __name__ == "__main__":
    main()
