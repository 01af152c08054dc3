"""docTR's folder for recognition: ``images/``, and ``labels.json`` with the text of each."""

from __future__ import annotations

import json
from collections.abc import Iterable

from inkgan.generation.formats import Files
from inkgan.generation.formats.sample import Sample


def pack(stem: str, samples: Iterable[Sample]) -> Files:
    """``stem/images/KEY.png`` for each image, and ``stem/labels.json``."""
    files: Files = {}
    texts = {}
    for sample in samples:
        files[f"{stem}/images/{sample.key}.png"] = sample.png
        texts[f"{sample.key}.png"] = sample.writing.text
    return files | {f"{stem}/labels.json": json.dumps(texts).encode()}
