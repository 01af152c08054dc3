"""Hugging Face's ``imagefolder``: pictures, and a line for each of them in ``metadata.jsonl``."""

from __future__ import annotations

import json
from collections.abc import Iterable

from inkgan.generation.formats import Files
from inkgan.generation.formats.sample import Sample


def pack(stem: str, samples: Iterable[Sample]) -> Files:
    """``stem/KEY.png`` for each image, and ``stem/metadata.jsonl`` with its label and ``file_name``."""
    files: Files = {}
    lines = []
    for sample in samples:
        files[f"{stem}/{sample.key}.png"] = sample.png
        lines.append(line(sample, f"{sample.key}.png"))
    return files | {f"{stem}/metadata.jsonl": "".join(lines).encode()}


def line(sample: Sample, name: str) -> str:
    """The line of ``metadata.jsonl`` for an image, whose name is relative to that file's folder."""
    return json.dumps({"file_name": name, **sample.label}) + "\n"
