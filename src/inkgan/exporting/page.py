"""Filling a model into the page: one HTML file that draws, writes, reads a drawing and learns, without a server.

``page.html`` is built from ``web/`` of the source tree and ships with the package; filling it needs Python alone. The
page holds a description, weights in eight bits, a classifier of digits, and real digits to learn from. They are
compressed with zlib, in base64, in data blocks that browsers do not run.

In eight bits, every row of a kernel is a row of whole numbers from -127 to 127 with its own scale. The distances of the
bundled models stay the same to two digits, and the page is a quarter as large.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from inkgan import data
from inkgan.data.known_sets import EMBEDDED
from inkgan.errors import CheckpointError, OutputError, shown
from inkgan.exporting.saved import SavedModel
from inkgan.generation.legibility import CLASSIFIER, weights_of
from inkgan.images import Images, Labels
from inkgan.networks.grid import slope_of

Arrays = Mapping[str, NDArray[Any]]

#: The page without a model.
TEMPLATE = Path(__file__).parent / "page.html"
#: Recorded grids of the recipes `tutorial` and `fast`, as scripts/make_replay.py writes them, compressed.
REPLAY = Path(__file__).parent / "replay.bin"
#: The largest page: people send it by mail and open it on telephones.
LARGEST_BYTES = 3_000_000
#: The number of real digits of each class in a page.
DIGITS_OF_A_CLASS = 300

_DIGIT_SHAPE = [28, 28, 1]
_LARGEST_INTEGER = 127
#: The mark in the template that the data replace.
_PLACE = "<!--inkgan-data-->"
#: The licence of the real digits requires their authors, the licence and the changes to be named.
_CREDIT = """<footer>
<p lang="en">The real digits in this page are from MNIST by Yann LeCun and Corinna Cortes, reduced to 16 grey levels
(<a href="https://creativecommons.org/licenses/by-sa/3.0/">CC BY-SA 3.0</a>).</p>
<p lang="zh-Hans">本页中的真实数字来自 Yann LeCun 和 Corinna Cortes 的 MNIST，灰度减为 16 级（<a
href="https://creativecommons.org/licenses/by-sa/3.0/deed.zh-hans">CC BY-SA 3.0</a>）。</p>
</footer>"""
#: The keys of ``model.json`` that the page reads.
_DESCRIPTION_KEYS = ("image_shape", "num_classes", "latent_dim", "channels")


def web_page(saved: SavedModel) -> bytes:
    """Return the page with a model in it, in UTF-8.

    A model of MNIST's ten digits also brings a classifier, with which the page reads a drawing, and real digits, from
    which it learns; it then replays how the recipes `tutorial` and `fast` did.

    Raises:
        CheckpointError: the page cannot draw networks of this kind.
        OutputError: the page would be too large.
    """
    if saved.network != "compact":
        wanted = "the networks of fast and best"
        raise CheckpointError(f"a page draws {wanted}, not {shown(saved.network)}. Export to DIR/ instead.")
    about = {"name": saved.own_name, "class_names": saved.class_names, "slope": slope_of(saved.description)}
    about |= {key: saved.description[key] for key in _DESCRIPTION_KEYS}
    described = json.dumps(about, ensure_ascii=False).replace("<", "\\u003c")  # no name can close its script block
    blocks = [_block("model", "application/json", described), _weights_block("weights", saved.weights)]
    if list(saved.description["image_shape"]) == _DIGIT_SHAPE and saved.class_names == tuple("0123456789"):
        real = data.load("mnist", EMBEDDED).train  # $INKGAN_DATA may hold another set under this name, the user's own
        assert real.labels is not None
        digits = pack_digits(*choose_digits(real.images, real.labels))
        blocks += [
            _weights_block("classifier", weights_of(CLASSIFIER)),
            _data_block("digits", zlib.compress(digits, 9)),
            _data_block("replay", REPLAY.read_bytes()),
            _CREDIT,
        ]
    content = TEMPLATE.read_text("utf-8").replace(_PLACE, "\n".join(blocks)).encode()
    if len(content) > LARGEST_BYTES:
        more = f"{len(content):,} bytes, {len(content) - LARGEST_BYTES:,} more than a page may"
        raise OutputError(f"the page would have {more}. Train with {_smaller_than(saved.description)}.")
    return content


def _smaller_than(description: Mapping[str, Any]) -> str:
    """Return the settings that make a model smaller, each with the model's own value."""
    channels, latent, classes = (description[key] for key in ("channels", "latent_dim", "num_classes"))
    smaller = f"fewer generator.channels (this model has {channels})"
    if not classes:
        return f"{smaller}, or a smaller latent_dim ({latent})"
    return f"{smaller}, a smaller latent_dim ({latent}), or fewer classes ({classes})"


def _weights_block(name: str, arrays: Arrays) -> str:
    return _data_block(name, zlib.compress(safetensors.numpy.save(to_eight_bits(arrays)), 9))


def _data_block(name: str, compressed: bytes) -> str:
    return _block(name, "application/octet-stream", base64.b64encode(compressed).decode())


def _block(name: str, kind: str, content: str) -> str:
    return f'<script type="{kind}" id="inkgan-{name}">{content}</script>'


def pack_digits(images: Images, labels: Labels) -> bytes:
    """Return the labels, a byte each, then the pixels in four bits."""
    return labels.astype(np.uint8).tobytes() + four_bits(images)


def four_bits(pixels: Images) -> bytes:
    """Round an even number of pixels to 16 grey levels, two in a byte, the first in the upper half."""
    grey = np.rint(pixels.reshape(-1) / 17).astype(np.uint8)
    return (grey[::2] << 4 | grey[1::2]).tobytes()


def choose_digits(images: Images, labels: Labels) -> tuple[Images, Labels]:
    """Return the first :data:`DIGITS_OF_A_CLASS` images of every class and their labels, in their order."""
    of_each = [np.flatnonzero(labels == label)[:DIGITS_OF_A_CLASS] for label in np.unique(labels)]
    chosen: NDArray[np.intp] = np.sort(np.concatenate(of_each))
    return images[chosen], labels[chosen]


def to_eight_bits(arrays: Arrays) -> dict[str, NDArray[Any]]:
    """Round kernels to eight bits.

    Args:
        arrays: floating point, by name; those that end with ``.weight`` are [rows, ...].

    Returns:
        Kernels as int8 with a float32 array ``NAME.scale`` [rows] beside each; all else as float32.
    """
    result: dict[str, NDArray[Any]] = {}
    for name, given in arrays.items():
        array: NDArray[Any] = np.ascontiguousarray(given, np.float32)  # safetensors writes memory, in whatever order
        if name.endswith(".weight"):
            rows = array.reshape(len(array), -1)
            scale = np.abs(rows).max(1) / np.float32(_LARGEST_INTEGER)
            scale[scale == 0] = 1  # a row of zeros stays one
            result[f"{name}.scale"] = scale
            array = np.rint(rows / scale[:, None]).astype(np.int8).reshape(array.shape)
        result[name] = array
    return result
