"""Write build/page.html (the page as last built, with a bundled model, by default ``best``) and build/digits.bin."""

from __future__ import annotations

import sys
from pathlib import Path

from inkgan.data import idx
from inkgan.exporting import page
from inkgan.exporting.saved import read

MNIST = Path(idx.__file__).parent / "mnist"


def main(name: str) -> None:
    """Fill in the model."""
    build = Path(__file__).parents[1] / "build"
    images = idx.read_images(MNIST / "train-images-idx3-ubyte.gz")
    labels = idx.read_labels(MNIST / "train-labels-idx1-ubyte.gz", len(images))
    filled = page.web_page(read(name, "latest"))
    (build / "digits.bin").write_bytes(page.pack_digits(*page.choose_digits(images, labels)))
    out = build / "page.html"
    out.write_bytes(filled)
    sys.stdout.write(f"{out}: {len(filled):,} bytes\n")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "best")
