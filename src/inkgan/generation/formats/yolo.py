"""YOLO's boxes for the detection of characters: ``images/``, ``labels/`` and ``data.yaml``."""

from __future__ import annotations

from collections.abc import Iterable

from inkgan.generation.formats import Files, imagefolder
from inkgan.generation.formats.coco import CATEGORIES
from inkgan.generation.formats.sample import Sample


def pack(stem: str, samples: Iterable[Sample]) -> Files:
    """``stem/images/KEY.png`` and ``stem/labels/KEY.txt`` for each image, and ``stem/data.yaml`` with the classes.

    A line of a label is a class, counted from 0, and the middle, width and height of its box as shares of the image.
    It has no place for more, so ``stem/metadata.jsonl`` has all that is known of each image, as in ``imagefolder``.
    """
    files: Files = {}
    metadata = []
    for sample in samples:
        files[f"{stem}/images/{sample.key}.png"] = sample.png
        files[f"{stem}/labels/{sample.key}.txt"] = "".join(_lines(sample)).encode()
        metadata.append(imagefolder.line(sample, f"images/{sample.key}.png"))
    files[f"{stem}/metadata.jsonl"] = "".join(metadata).encode()
    names = "".join(f'  {index}: "{name}"\n' for index, name in enumerate(CATEGORIES))
    return files | {f"{stem}/data.yaml": f"train: images\nval: images\nnames:\n{names}".encode()}


def _lines(sample: Sample) -> Iterable[str]:
    height, width = sample.writing.image.shape[:2]
    for character, (left, top, right, bottom) in zip(sample.writing.text, sample.writing.boxes, strict=True):
        if character in CATEGORIES and right > left:
            middle = f"{(left + right) / 2 / width:.6f} {(top + bottom) / 2 / height:.6f}"
            yield f"{CATEGORIES.index(character)} {middle} {(right - left) / width:.6f} {(bottom - top) / height:.6f}\n"
