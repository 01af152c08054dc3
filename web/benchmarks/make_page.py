"""Write the page as last built, with models, to build/: page.html, named.html, coloured.html and digits.bin.

page.html has a bundled model, by default ``best``; named.html has one with twelve classes that are no digits;
coloured.html has one that draws in colour, without labels.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from inkgan.data import idx
from inkgan.exporting import page
from inkgan.exporting.saved import SavedModel, read

MNIST = Path(idx.__file__).parent / "mnist"


def with_names() -> SavedModel:
    """Return ``fast`` with twelve named classes; it draws 0 and 1 for the last two."""
    saved = read("fast", "latest")
    embedding = saved.weights["embedding"]
    return saved._replace(
        name="garments",
        description={**saved.description, "num_classes": 12},
        weights={**saved.weights, "embedding": np.concatenate([embedding, embedding[:2]])},
        class_names=("T-shirt or top", *(f"garment {number}" for number in range(2, 12)), "Ankle boot"),
    )


def coloured() -> SavedModel:
    """Return a small generator of 8×8 images in colour, with weights of zero: it draws grey."""
    about = {"network": "compact", "image_shape": [8, 8, 3], "num_classes": 0, "latent_dim": 4, "channels": 8}
    shapes = {"first.weight": (128, 4), "first.bias": (128,), "last.weight": (12, 8, 3, 3), "last.bias": (12,)}
    weights = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    return SavedModel("coloured", about, weights, (), "")


def main(name: str) -> None:
    """Fill in the model."""
    build = Path(__file__).parents[1] / "build"
    images = idx.read_images(MNIST / "train-images-idx3-ubyte.gz")
    labels = idx.read_labels(MNIST / "train-labels-idx1-ubyte.gz", len(images))
    filled = page.web_page(read(name, "latest"))
    (build / "digits.bin").write_bytes(page.pack_digits(*page.choose_digits(images, labels)))
    (build / "named.html").write_bytes(page.web_page(with_names()))
    (build / "coloured.html").write_bytes(page.web_page(coloured()))
    out = build / "page.html"
    out.write_bytes(filled)
    sys.stdout.write(f"{out}: {len(filled):,} bytes\n")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "best")
