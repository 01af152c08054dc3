"""NumPy's arrays."""

from __future__ import annotations

import io
from collections.abc import Iterable

import numpy as np

from inkgan.generation.formats import Files
from inkgan.generation.formats.sample import Sample
from inkgan.generation.saving import filled_up, label_arrays


def pack(stem: str, samples: Iterable[Sample]) -> Files:
    """``stem.npz``, in which N images stand in the upper left of arrays of one size.

    ``images`` is uint8 [N, H, W], 0 paper to 255 ink, or in colour [N, H, W, 3], as it is seen; ``texts`` [N];
    ``boxes`` int32 [N, L, 4], filled with -1 after the end of a text; ``widths`` int32 [N] before the filling;
    ``writers`` int64 [N]; where digits were judged ``probabilities`` and ``factors`` float32 [N, L], NaN where there is
    no digit; and in a look with cells ``cells``, like ``boxes``.
    """
    kept = [(sample.number, sample.writing) for sample in samples]
    writings = [writing for _, writing in kept]
    images = [writing.image for writing in writings]
    arrays = {
        "images": filled_up(images),
        **label_arrays(writings),
        "widths": np.array([image.shape[1] for image in images], np.int32),
        "writers": np.array([number for number, _ in kept], np.int64),
    }
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)  # type: ignore[arg-type]  # the stubs take any name for an option's
    return {f"{stem}.npz": content.getvalue()}
