"""The formats that are a folder: a picture of each image, and files with their labels."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from inkgan.generation.formats import Files, Sample
from inkgan.generation.writing import CHARACTERS, LONGEST_TEXT, Box

#: The characters that have a box in ``coco`` and ``yolo``: the classes of a detector.
CATEGORIES = CHARACTERS.replace(" ", "")


def imagefolder(stem: str, samples: Iterable[Sample]) -> Files:
    """Hugging Face's ``imagefolder``: ``stem/KEY.png`` for each image, and ``stem/metadata.jsonl``.

    A line of that file is an image's label, and its ``file_name``.
    """
    files: Files = {}
    for _ in _described(samples, stem, "", files):
        pass
    return files


def paddleocr(stem: str, samples: Iterable[Sample]) -> Files:
    """PaddleOCR's list for recognition, a path, a tab and a text on each line, beside all of ``imagefolder``.

    ``stem/rec_gt.txt`` has paths that begin at the data set's folder. In PaddleOCR's settings, ``data_dir`` is that
    folder, and ``label_file_list`` has the list of each shard.
    """
    files: Files = {}
    described = _described(samples, stem, "", files)
    lines = [f"{stem}/{sample.key}.png\t{sample.writing.text}\n" for sample in described]
    return files | {f"{stem}/rec_gt.txt": "".join(lines).encode()}


def doctr(stem: str, samples: Iterable[Sample]) -> Files:
    """The folder of docTR for recognition: ``stem/images/KEY.png``, and ``stem/labels.json`` with the text of each.

    It has no place for more, so ``stem/metadata.jsonl`` has the whole label of each image, as in ``imagefolder``.
    """
    files: Files = {}
    texts = {f"{sample.key}.png": sample.writing.text for sample in _described(samples, stem, "images/", files)}
    return files | {f"{stem}/labels.json": json.dumps(texts).encode()}


def yolo(stem: str, samples: Iterable[Sample]) -> Files:
    """YOLO's boxes for the detection of characters.

    ``stem/images/KEY.png`` and ``stem/labels/KEY.txt`` for each image, and ``stem/data.yaml`` with the classes. A line
    of a label is a class, counted from 0, and the middle, width and height of its box as shares of the image.
    ``stem/metadata.jsonl`` is as in ``doctr``.
    """
    files: Files = {}
    for sample in _described(samples, stem, "images/", files):
        files[f"{stem}/labels/{sample.key}.txt"] = "".join(_yolo_lines(sample)).encode()
    names = "".join(f'  {index}: "{name}"\n' for index, name in enumerate(CATEGORIES))
    return files | {f"{stem}/data.yaml": f"train: images\nval: images\nnames:\n{names}".encode()}


def _yolo_lines(sample: Sample) -> Iterator[str]:
    height, width = sample.writing.image.shape[:2]
    for _, category, (left, top, right, bottom) in _boxes(sample):
        middle = f"{(left + right) / 2 / width:.6f} {(top + bottom) / 2 / height:.6f}"
        yield f"{category} {middle} {(right - left) / width:.6f} {(bottom - top) / height:.6f}\n"


def coco(stem: str, samples: Iterable[Sample]) -> Files:
    """COCO's boxes for the detection of characters: ``stem/images/KEY.png``, and ``stem/annotations.json``.

    A box is [left, top, width, height]. Numbers of images and boxes are unique in the whole data set; categories are
    counted from 1. The annotation of a character also has ``probability``, ``factor`` and ``cell``, where they are
    known; COCO's readers keep them.
    """
    files: Files = {}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for sample in samples:
        files[f"{stem}/images/{sample.key}.png"] = sample.png
        label = {name: value for name, value in sample.label.items() if name not in {"boxes", "cells"}}
        images.append({"id": sample.number, "file_name": f"{sample.key}.png", **label})
        annotations += _coco_annotations(sample)
    categories = [{"id": index, "name": name} for index, name in enumerate(CATEGORIES, 1)]
    document = {"images": images, "annotations": annotations, "categories": categories}
    return files | {f"{stem}/annotations.json": json.dumps(document).encode()}


def _coco_annotations(sample: Sample) -> Iterator[dict[str, Any]]:
    writing = sample.writing
    reading = writing.reading
    for place, category, box in _boxes(sample):
        left, top, width, height = _sized(box)
        annotation: dict[str, Any] = {
            "id": sample.number * LONGEST_TEXT + place + 1,  # some tools take 0 for none
            "image_id": sample.number,
            "category_id": category + 1,
            "bbox": [left, top, width, height],
            "area": width * height,
            "iscrowd": 0,
        }
        if reading and writing.text[place].isdigit():
            annotation |= {"probability": reading["probabilities"][place], "factor": reading["factors"][place]}
        if writing.cells:
            annotation["cell"] = _sized(writing.cells[place])
        yield annotation


def _described(samples: Iterable[Sample], stem: str, folder: str, files: Files) -> Iterator[Sample]:
    """Yield the samples, and add the picture of each, in a folder, and ``metadata.jsonl`` to the files.

    A line of that file is an image's label, and its ``file_name``.
    """
    lines = []
    for sample in samples:
        name = f"{folder}{sample.key}.png"
        files[f"{stem}/{name}"] = sample.png
        lines.append(json.dumps({"file_name": name, **sample.label}) + "\n")
        yield sample
    files[f"{stem}/metadata.jsonl"] = "".join(lines).encode()


def _boxes(sample: Sample) -> Iterator[tuple[int, int, Box]]:
    """Yield the place in the text, the category and the box of each character that has ink."""
    for place, (character, box) in enumerate(zip(sample.writing.text, sample.writing.boxes, strict=True)):
        if character in CATEGORIES and box[2] > box[0]:
            yield place, CATEGORIES.index(character), box


def _sized(box: Box) -> list[int]:
    left, top, right, bottom = box
    return [left, top, right - left, bottom - top]
