"""COCO's boxes for the detection of characters: ``images/``, and ``annotations.json``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from inkgan.generation.formats import Files
from inkgan.generation.formats.sample import Sample
from inkgan.generation.writing import CHARACTERS, LONGEST_TEXT

#: The characters that have a box; their categories are counted from 1.
CATEGORIES = CHARACTERS.replace(" ", "")


def pack(stem: str, samples: Iterable[Sample]) -> Files:
    """``stem/images/KEY.png`` for each image, and ``stem/annotations.json``.

    A box is [left, top, width, height]. Numbers of images and boxes are unique in the whole data set.
    """
    files: Files = {}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for sample in samples:
        files[f"{stem}/images/{sample.key}.png"] = sample.png
        label = sample.label
        images.append(
            {
                "id": sample.number,
                "file_name": f"{sample.key}.png",
                **{name: value for name, value in label.items() if name != "boxes"},
            }
        )
        annotations += _annotations(sample)
    categories = [{"id": index, "name": name} for index, name in enumerate(CATEGORIES, 1)]
    document = {"images": images, "annotations": annotations, "categories": categories}
    return files | {f"{stem}/annotations.json": json.dumps(document).encode()}


def _annotations(sample: Sample) -> list[dict[str, Any]]:
    found = []
    for place, (character, box) in enumerate(zip(sample.writing.text, sample.writing.boxes, strict=True)):
        left, top, right, bottom = box
        if character in CATEGORIES and right > left:
            found.append(
                {
                    "id": sample.number * LONGEST_TEXT + place + 1,  # some tools take 0 for none
                    "image_id": sample.number,
                    "category_id": CATEGORIES.index(character) + 1,
                    "bbox": [left, top, right - left, bottom - top],
                    "area": (right - left) * (bottom - top),
                    "iscrowd": 0,
                }
            )
    return found
