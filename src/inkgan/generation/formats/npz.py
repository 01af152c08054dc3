"""NumPy's arrays."""

from __future__ import annotations

import io
from collections.abc import Iterable

import numpy as np

from inkgan.generation.formats import Files
from inkgan.generation.formats.sample import Sample


def pack(stem: str, samples: Iterable[Sample]) -> Files:
    """``stem.npz``, in which N images stand in the upper left of arrays of one size.

    ``images`` is uint8 [N, H, W], 0 paper to 255 ink; ``texts`` [N]; ``boxes`` int32 [N, L, 4], filled with -1 after
    the end of a text; ``widths`` int32 [N] before the filling; ``writers`` int64 [N].
    """
    kept = [(sample.number, sample.writing) for sample in samples]
    widths = np.array([writing.image.shape[1] for _, writing in kept], np.int32)
    images = np.zeros((len(kept), len(kept[0][1].image), widths.max()), np.uint8)
    boxes = np.full((len(kept), max(len(writing.text) for _, writing in kept), 4), -1, np.int32)
    for index, (_, writing) in enumerate(kept):
        images[index, :, : widths[index]] = writing.image
        boxes[index, : len(writing.boxes)] = writing.boxes
    content = io.BytesIO()
    np.savez_compressed(
        content,
        images=images,
        texts=np.array([writing.text for _, writing in kept]),
        boxes=boxes,
        widths=widths,
        writers=np.array([number for number, _ in kept], np.int64),
    )
    return {f"{stem}.npz": content.getvalue()}
