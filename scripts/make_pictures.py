"""Draw the pictures of the README and docs with the bundled models.

Run ``python scripts/make_pictures.py [RUN_OF_THE_TUTORIAL]``.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import inkgan
from inkgan.cli import run as command
from inkgan.data import load
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", type=Path, help="a run of the tutorial; without it, tutorial.png stays")
    run = parser.parse_args().run
    if run is not None:
        learning(run).save(PICTURES / "tutorial.png", optimize=True)
    game().quantize(64).save(PICTURES / "game.png", optimize=True)
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


def game() -> Image.Image:
    """Draw how the two networks play: latents, a generator, a discriminator, and the gradient that comes back."""
    page = Image.new("RGB", (900, 250), "white")
    draw = ImageDraw.Draw(page)
    big, small = ImageFont.load_default(40), ImageFont.load_default(20)
    black, orange = "#1b1b24", "#d9620a"
    latents = np.random.default_rng(0).integers(0, 256, (12, 1), dtype=np.uint8)
    generated = 255 - inkgan.load("fast").sample(1, seed=4, labels=[3])[0]
    real = 255 - load("mnist").train.images[7, :, :, 0]
    for pixels, size, left, top, below in (
        (latents, (20, 96), 40, 22, "z"),
        (generated, (96, 96), 350, 22, "G(z)"),
        (real, (96, 96), 350, 144, "MNIST"),
    ):
        page.paste(Image.fromarray(pixels).resize(size, Image.Resampling.NEAREST), (left, top))
        draw.rectangle((left - 1, top - 1, left + size[0], top + size[1]), None, black)
        at, anchor = ((left + size[0] / 2, top + size[1] + 14), "mm") if below == "z" else ((left - 14, top + 14), "rm")
        draw.text(at, below, black, small, anchor)
    for name, left, top in (("G", 150, 30), ("D", 600, 85)):
        draw.rounded_rectangle((left, top, left + 100, top + 80), 12, "#dfe8f7", black, 2)
        draw.text((left + 50, top + 40), name, black, big, "mm")
    draw.text((805, 125), "0 ... 1", black, big, "mm")
    for path in ([(70, 70), (146, 70)], [(254, 70), (344, 70)], [(452, 70), (594, 112)], [(452, 192), (594, 138)]):
        _arrow(draw, path, black)
    _arrow(draw, [(704, 115), (732, 115)], black)
    _arrow(draw, [(735, 139), (707, 139)], orange)
    _arrow(draw, [(650, 82), (650, 10), (200, 10), (200, 26)], orange)
    return page


def _arrow(draw: ImageDraw.ImageDraw, path: list[tuple[int, int]], colour: str) -> None:
    """Draw a line through points, with a head at the last one."""
    draw.line(path, colour, 3)
    (x0, y0), (x1, y1) = path[-2:]
    length = math.hypot(x1 - x0, y1 - y0)
    along = ((x1 - x0) / length, (y1 - y0) / length)
    foot = (x1 - 10 * along[0], y1 - 10 * along[1])
    sides = [(foot[0] - side * 7 * along[1], foot[1] + side * 7 * along[0]) for side in (-1, 1)]
    draw.polygon([(x1 + 3 * along[0], y1 + 3 * along[1]), *sides], colour)


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
