"""docTR's folder for recognition: ``images/``, and ``labels.json`` with the text of each."""

from __future__ import annotations

import json
from collections.abc import Iterable

from inkgan.generation.formats import Files, imagefolder
from inkgan.generation.formats.sample import Sample


def pack(stem: str, samples: Iterable[Sample]) -> Files:
    """``stem/images/KEY.png`` for each image, and ``stem/labels.json`` with the text of each.

    It has no place for more, so ``stem/metadata.jsonl`` has all that is known of each image, as in ``imagefolder``.
    """
    files: Files = {}
    texts = {}
    metadata = []
    for sample in samples:
        files[f"{stem}/images/{sample.key}.png"] = sample.png
        texts[f"{sample.key}.png"] = sample.writing.text
        metadata.append(imagefolder.line(sample, f"images/{sample.key}.png"))
    files[f"{stem}/metadata.jsonl"] = "".join(metadata).encode()
    return files | {f"{stem}/labels.json": json.dumps(texts).encode()}
