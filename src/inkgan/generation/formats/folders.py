"""The formats that are a folder: a picture of each image, and files with their labels."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from inkgan.generation.formats import Files, Sample
from inkgan.generation.texts import CHARACTERS, LONGEST_TEXT

#: The characters that have a box in ``coco`` and ``yolo``: the classes of a detector.
CATEGORIES = CHARACTERS.replace(" ", "")

#: What is known about an image; see :attr:`inkgan.generation.formats.Sample.label`.
Label = Mapping[str, Any]


def imagefolder(stem: str, samples: Iterable[Sample]) -> Files:
    """Hugging Face's ``imagefolder``: ``stem/KEY.png`` for each image, and ``stem/metadata.jsonl``.

    Each line of that file holds an image's label and its ``file_name``.
    """
    pictures, labels = _pictures_and_labels(stem, samples)
    return pictures | _metadata(stem, "", labels)


def paddleocr(stem: str, samples: Iterable[Sample]) -> Files:
    """PaddleOCR's list for recognition, with a path, a tab and a text on each line, and all files of ``imagefolder``.

    The paths in ``stem/rec_gt.txt`` begin at the data set's folder. In PaddleOCR's settings, ``data_dir`` is that
    folder, and ``label_file_list`` names the list of each shard.
    """
    pictures, labels = _pictures_and_labels(stem, samples)
    lines = [f"{stem}/{key}.png\t{label['text']}\n" for key, label in labels.items()]
    return pictures | _metadata(stem, "", labels) | {f"{stem}/rec_gt.txt": "".join(lines).encode()}


def doctr(stem: str, samples: Iterable[Sample]) -> Files:
    """The folder of docTR for recognition: ``stem/images/KEY.png``, and ``stem/labels.json`` with the text of each.

    docTR's file has no place for more, so ``stem/metadata.jsonl`` has each image's whole label, as in ``imagefolder``.
    """
    pictures, labels = _pictures_and_labels(f"{stem}/images", samples)
    texts = {f"{key}.png": label["text"] for key, label in labels.items()}
    return pictures | _metadata(stem, "images/", labels) | {f"{stem}/labels.json": json.dumps(texts).encode()}


def yolo(stem: str, samples: Iterable[Sample]) -> Files:
    """YOLO's boxes for the detection of characters.

    ``stem/images/KEY.png`` and ``stem/labels/KEY.txt`` for each image, and ``stem/data.yaml`` with the classes, for a
    trainer that takes this shard alone. A line of a label is a class, counted from 0, and the middle, width and height
    of its box as shares of the image. ``stem/metadata.jsonl`` is as in ``doctr``.
    """
    pictures, labels = _pictures_and_labels(f"{stem}/images", samples)
    lines = {f"{stem}/labels/{key}.txt": "".join(_yolo_lines(label)).encode() for key, label in labels.items()}
    described = {f"{stem}/data.yaml": _data_yaml({"train": "images", "val": "images"})}
    return pictures | lines | described | _metadata(stem, "images/", labels)


def yolo_shared(parts: Sequence[str]) -> Files:
    """``data.yaml`` of a whole data set: its folders, which trainers search with their subfolders, and the classes.

    Trainers need both ``train`` and ``val``. Without a part ``train`` they learn from the first; without ``val``,
    ``valid`` or ``validation`` they validate with ``test`` or the last one. Without parts, both are all images.
    """
    parts = parts or (".",)
    train = "train" if "train" in parts else parts[0]
    val = next((name for name in ("val", "valid", "validation", "test") if name in parts), parts[-1])
    folders = {"train": train, "val": val} | ({"test": "test"} if "test" in parts else {})
    # In quotes, because YAML would read a part that is called 1 as a number, and one called no as false.
    return {"data.yaml": _data_yaml({use: f'"{folder}"' for use, folder in folders.items()})}


def _data_yaml(folders: Mapping[str, str]) -> bytes:
    """Describe a data set in YAML: for each use a folder, relative to this file, and the classes."""
    uses = "".join(f"{use}: {folder}\n" for use, folder in folders.items())
    names = "".join(f'  {index}: "{name}"\n' for index, name in enumerate(CATEGORIES))
    return f"{uses}names:\n{names}".encode()


def _yolo_lines(label: Label) -> Iterator[str]:
    height, width = label["height"], label["width"]
    for _, category, (left, top, right, bottom) in _boxes(label):
        middle = f"{(left + right) / 2 / width:.6f} {(top + bottom) / 2 / height:.6f}"
        yield f"{category} {middle} {(right - left) / width:.6f} {(bottom - top) / height:.6f}\n"


def coco(stem: str, samples: Iterable[Sample]) -> Files:
    """COCO's boxes for the detection of characters: ``stem/images/KEY.png``, and ``stem/annotations.json``.

    A box is [left, top, width, height]. Numbers of images and boxes are unique in the whole data set; categories are
    counted from 1. The annotation of a character also has ``probability``, ``factor`` and ``cell`` if they are known;
    COCO's readers keep them.
    """
    pictures, labels = _pictures_and_labels(f"{stem}/images", samples)
    images = [
        {"id": label["writer"], "file_name": f"{key}.png"}
        | {name: value for name, value in label.items() if name not in {"boxes", "cells"}}
        for key, label in labels.items()
    ]
    annotations = [annotation for label in labels.values() for annotation in _coco_annotations(label)]
    categories = [{"id": index, "name": name} for index, name in enumerate(CATEGORIES, 1)]
    document = {"images": images, "annotations": annotations, "categories": categories}
    return pictures | {f"{stem}/annotations.json": json.dumps(document).encode()}


def _coco_annotations(label: Label) -> Iterator[dict[str, Any]]:
    for place, category, box in _boxes(label):
        left, top, width, height = _sized(box)
        annotation: dict[str, Any] = {
            "id": label["writer"] * LONGEST_TEXT + place + 1,  # some tools take 0 for none
            "image_id": label["writer"],
            "category_id": category + 1,
            "bbox": [left, top, width, height],
            "area": width * height,
            "iscrowd": 0,
        }
        if "probabilities" in label and label["text"][place].isdigit():
            annotation |= {"probability": label["probabilities"][place], "factor": label["factors"][place]}
        if "cells" in label:
            annotation["cell"] = _sized(label["cells"][place])
        yield annotation


def _pictures_and_labels(folder: str, samples: Iterable[Sample]) -> tuple[Files, dict[str, Label]]:
    """Return a picture of each image, in a folder, and the labels by the images' keys."""
    pictures: Files = {}
    labels: dict[str, Label] = {}
    for sample in samples:
        pictures[f"{folder}/{sample.key}.png"] = sample.png
        labels[sample.key] = sample.label
    return pictures, labels


def _metadata(stem: str, folder: str, labels: Mapping[str, Label]) -> Files:
    """Return ``metadata.jsonl``: on each line a label, and the path of its picture, which is in ``folder``."""
    lines = [json.dumps({"file_name": f"{folder}{key}.png", **label}) + "\n" for key, label in labels.items()]
    return {f"{stem}/metadata.jsonl": "".join(lines).encode()}


def _boxes(label: Label) -> Iterator[tuple[int, int, list[int]]]:
    """Yield the place in the text, the category and the box of each character that has ink."""
    for place, (character, box) in enumerate(zip(label["text"], label["boxes"], strict=True)):
        if character in CATEGORIES and box[2] > box[0]:
            yield place, CATEGORIES.index(character), box


def _sized(box: list[int]) -> list[int]:
    left, top, right, bottom = box
    return [left, top, right - left, bottom - top]
