"""Draw the README's pictures with the bundled models: python scripts/make_pictures.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

import inkgan
from inkgan.cli import run

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
LINES = ("2026-11-24", "12:45", "3.14159", "1/2 + 3", "555-0199", "24/11/2026")


def writing() -> Image.Image:
    """Six lines by the hands of the seeds 1 to 6, in two columns."""
    images = [inkgan.write(text, seed=seed, height=88).image for seed, text in enumerate(LINES, 1)]
    width, height = max(image.shape[1] for image in images) + 40, 96
    page = np.full((3 * height, 2 * width), 255, np.uint8)
    for number, image in enumerate(images):
        row, column = divmod(number, 2)
        top, left = row * height, column * width + 20
        page[top : top + image.shape[0], left : left + image.shape[1]] = image
    return Image.fromarray(page)


def main() -> None:
    """Write hands.png, writing.png and digits.png."""
    writing().save(PICTURES / "writing.png", optimize=True)
    hands = [str(seed) for seed in range(8)]
    run(["morph", *hands, "--steps", "1", "-o", str(PICTURES / "hands.png"), "--force"])
    run(["sample", "best", "-n", "200", "--columns", "20", "-o", str(PICTURES / "digits.png"), "--force"])


if __name__ == "__main__":
    main()
