"""COCO's boxes for the detection of characters: ``images/``, and ``annotations.json``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from inkgan.generation.formats import Files
from inkgan.generation.formats.sample import Sample
from inkgan.generation.writing import CHARACTERS, LONGEST_TEXT, Box

#: The characters that have a box; their categories are counted from 1.
CATEGORIES = CHARACTERS.replace(" ", "")


def pack(stem: str, samples: Iterable[Sample]) -> Files:
    """``stem/images/KEY.png`` for each image, and ``stem/annotations.json``.

    A box is [left, top, width, height]. Numbers of images and boxes are unique in the whole data set. The annotation of
    a character has what else is known of it, which COCO's readers keep: ``probability``, ``factor`` and ``cell``.
    """
    files: Files = {}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for sample in samples:
        files[f"{stem}/images/{sample.key}.png"] = sample.png
        label = {name: value for name, value in sample.label.items() if name not in {"boxes", "cells"}}
        images.append({"id": sample.number, "file_name": f"{sample.key}.png", **label})
        annotations += _annotations(sample)
    categories = [{"id": index, "name": name} for index, name in enumerate(CATEGORIES, 1)]
    document = {"images": images, "annotations": annotations, "categories": categories}
    return files | {f"{stem}/annotations.json": json.dumps(document).encode()}


def _annotations(sample: Sample) -> list[dict[str, Any]]:
    found = []
    writing = sample.writing
    for place, (character, box) in enumerate(zip(writing.text, writing.boxes, strict=True)):
        if character in CATEGORIES and box[2] > box[0]:
            sized = _sized(box)
            annotation: dict[str, Any] = {
                "id": sample.number * LONGEST_TEXT + place + 1,  # some tools take 0 for none
                "image_id": sample.number,
                "category_id": CATEGORIES.index(character) + 1,
                "bbox": sized,
                "area": sized[2] * sized[3],
                "iscrowd": 0,
            }
            reading = writing.reading
            if reading and character.isdigit():
                annotation |= {"probability": reading["probabilities"][place], "factor": reading["factors"][place]}
            if writing.cells:
                annotation["cell"] = _sized(writing.cells[place])
            found.append(annotation)
    return found


def _sized(box: Box) -> list[int]:
    left, top, right, bottom = box
    return [left, top, right - left, bottom - top]
