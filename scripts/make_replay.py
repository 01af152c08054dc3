"""Write the page's replay: grids that runs of ``fast`` and of the tutorial recorded.

    inkgan train --out RUN
    python scripts/make_replay.py RUN

The tutorial's grids come from docs/pictures/tutorial.png, which make_pictures.py drew. The file is compressed by zlib.
It contains a line of JSON, ``{"tutorial": [steps, ...], "fast": [steps, ...]}``, and then the pixels of twenty images
for each step in this order, as four bits each, two in a byte, the first in the upper half.
"""

from __future__ import annotations

import argparse
import json
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from inkgan.exporting.page import REPLAY, four_bits
from inkgan.images import Images
from inkgan.runs.folder import RunFolder
from inkgan.training.recorder import GRID_COLUMNS

PICTURE = Path(__file__).parents[1] / "docs" / "pictures" / "tutorial.png"
#: The layout of tutorial.png as make_pictures.py draws it: steps, left margin, enlargement and gaps.
STEPS, LEFT, ZOOM, SPACE = (1_000, 3_000, 10_000, 30_000, 100_000), 90, 2, 16
ROWS, SIDE, CELL = 2, 28, 30


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the folder of a run of fast")
    run = RunFolder(parser.parse_args().run)
    with Image.open(PICTURE) as page:
        tutorial = of_picture(page)
    fast = {}
    for step, path in run.grids().items():
        with Image.open(path) as grid:
            fast[step] = cells(grid.convert("L"))
    steps = {"tutorial": list(tutorial), "fast": list(fast)}
    pixels = np.stack([*tutorial.values(), *fast.values()])
    content = zlib.compress(json.dumps(steps).encode() + b"\n" + four_bits(pixels), 9)
    REPLAY.write_bytes(content)
    print(f"{REPLAY}: {len(content):,} bytes, {len(tutorial)} and {len(fast)} grids")


def of_picture(page: Image.Image) -> dict[int, Images]:
    """Cut the first rows of the tutorial's grids out of the picture, by step."""
    height = ZOOM * ROWS * CELL
    found = {}
    for number, step in enumerate(STEPS):
        top = number * (height + SPACE)
        rows = page.crop((LEFT, top, page.width, top + height))
        small = rows.resize((rows.width // ZOOM, rows.height // ZOOM), Image.Resampling.NEAREST)
        found[step] = cells(small)
    return found


def cells(grid: Image.Image) -> Images:
    """Cut the images out of a grid's first rows: uint8 [20, 28, 28], 0 paper to 255 ink."""
    ink = 255 - np.asarray(grid)[: ROWS * CELL, : GRID_COLUMNS * CELL]
    framed = ink.reshape(ROWS, CELL, GRID_COLUMNS, CELL).swapaxes(1, 2).reshape(-1, CELL, CELL)
    edge = (CELL - SIDE) // 2
    return framed[:, edge : edge + SIDE, edge : edge + SIDE]


if __name__ == "__main__":
    main()
