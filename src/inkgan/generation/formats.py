"""The formats of data sets. The function that packs writings into the files of a format has the format's name.

``pack(stem, writings)`` returns the content of each file by its name, which begins with the stem: either one file,
``stem.ending``, or several in a folder, ``stem/...``. It is a pure function: the same writings give the same bytes.

The help of ``inkgan write`` lists the formats, so this module imports no heavy library when it is imported itself.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inkgan.errors import OPTIONAL, OutputError, import_extra, shown
from inkgan.files import output_errors, remove_abandoned, temporary_folder
from inkgan.generation.texts import CHARACTERS, LONGEST_TEXT, is_time, warn_of_times

if TYPE_CHECKING:
    from inkgan.generation.writing import Writing

#: The content of files, by their names with / after a folder.
Files = dict[str, bytes]
#: What is known about an image; see :attr:`inkgan.generation.writing.Writing.label`.
Label = Mapping[str, Any]

#: The characters that have a box in ``coco`` and ``yolo``: the classes of a detector.
CATEGORIES = CHARACTERS.replace(" ", "")
#: Readers of Parquet read one group of rows at a time.
_ROWS_IN_A_GROUP = 100
#: LMDB stores values in pages of 4 kB, so a small value may take a whole one; its tree needs some more.
_PAGE = 4096
_TREE = 64 * 2**20


def key_of(writing: Writing) -> str:
    """Return the number of an image, which is that of its writer, as twelve digits: keys sort as numbers do."""
    return f"{writing.writer:012d}"


def webdataset(stem: str, writings: Iterable[Writing]) -> Files:
    """WebDataset's tar, ``stem.tar``: for each image ``KEY.png`` and its label ``KEY.json``, one after the other.

    The header of each file has no time, no user and fixed permissions, so that the same images give the same bytes.
    """
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for writing in writings:
            for name, content in (("png", writing.png), ("json", json.dumps(writing.label).encode())):
                header = tarfile.TarInfo(f"{key_of(writing)}.{name}")
                header.size = len(content)
                header.mode = 0o644
                tar.addfile(header, io.BytesIO(content))
    return {f"{stem}.tar": archive.getvalue()}


def parquet(stem: str, writings: Iterable[Writing]) -> Files:
    """Parquet with the pictures inside, as Hugging Face ``datasets`` keeps them; also for pandas, Polars and DuckDB.

    ``stem.parquet`` has a row for each image: ``image``, the bytes of its PNG, and its label. The schema tells
    ``datasets`` that ``image`` is a picture. The bytes depend on the version of pyarrow.
    """
    import pyarrow as arrow  # type: ignore[import-untyped]
    from pyarrow.parquet import ParquetWriter  # type: ignore[import-untyped]

    writings = iter(writings)
    first = next(writings)
    types: dict[str, Any] = {"image": arrow.struct({"bytes": arrow.binary(), "path": arrow.string()})}
    features: dict[str, Any] = {"image": {"_type": "Image"}}  # the types by the names that `datasets` uses
    for name, (value, depth) in _columns(first).items():
        types[name], features[name] = arrow.type_for_alias(value), {"dtype": value, "_type": "Value"}
        for _ in range(depth):
            types[name], features[name] = arrow.list_(types[name]), {"feature": features[name], "_type": "List"}
    schema = arrow.schema(types, metadata={"huggingface": json.dumps({"info": {"features": features}})})
    # One by one, so that a group holds PNGs and not the images themselves, which may take gigabytes.
    every = chain([first], writings)
    rows = ({"image": {"bytes": one.png, "path": f"{key_of(one)}.png"}, **one.label} for one in every)
    content = io.BytesIO()
    with ParquetWriter(content, schema) as file:
        while group := list(islice(rows, _ROWS_IN_A_GROUP)):
            file.write_table(arrow.Table.from_pylist(group, schema))
    return {f"{stem}.parquet": content.getvalue()}


def _columns(first: Writing) -> dict[str, tuple[str, int]]:
    """Return the type of each column's values and the depth of their lists, by the column's name in the label."""
    cells = {"cells": ("int32", 2)} if first.cells else {}
    size = {"width": ("int32", 0), "height": ("int32", 0)}
    reading = {"probabilities": ("float64", 1), "factors": ("float64", 1)}
    return {"text": ("string", 0), "boxes": ("int32", 2), **cells, **size, "writer": ("int64", 0), **reading}


def lmdb(stem: str, writings: Iterable[Writing]) -> Files:
    """LMDB as CRNN, PARSeq and their relatives read it: ``num-samples``, ``image-000000001``, ``label-000000001``.

    ``stem/data.mdb`` has a PNG and a text for each image, counted from 1, and its whole label as JSON in
    ``meta-000000001``.
    """
    import lmdb as library

    entries: dict[bytes, bytes] = {}
    for count, writing in enumerate(writings, 1):
        entries[b"image-%09d" % count] = writing.png
        entries[b"label-%09d" % count] = writing.text.encode()
        entries[b"meta-%09d" % count] = json.dumps(writing.label).encode()
    entries[b"num-samples"] = str(count).encode()
    size = sum(len(value) + _PAGE for value in entries.values()) + _TREE
    place = Path(tempfile.gettempdir())
    with output_errors(place), contextlib.ExitStack() as cleanup:
        remove_abandoned(place)
        folder = temporary_folder(place)
        cleanup.callback(shutil.rmtree, folder, ignore_errors=True)
        try:
            with library.open(str(folder), map_size=size, sync=False) as env, env.begin(write=True) as transaction:
                for key, value in sorted(entries.items()):
                    transaction.put(key, value)
        except library.Error as error:  # of its own kind, also for those of the system
            reason = str(error).rpartition(": ")[2].lower()
            raise OutputError(f"cannot write in {shown(place)}: {reason}. Set TMPDIR to a larger folder.") from None
        return {f"{stem}/data.mdb": (folder / "data.mdb").read_bytes()}


def npz(stem: str, writings: Iterable[Writing]) -> Files:
    """NumPy arrays, ``stem.npz``; its N images are padded on the right with paper to the widest.

    ``images`` is uint8 [N, H, W], 0 paper to 255 ink, or in colour [N, H, W, 3], as it is seen; ``texts`` [N];
    ``boxes`` int32 [N, L, 4], filled with -1 after the end of a text; ``widths`` int32 [N] before the padding;
    ``writers`` int64 [N]; if legibility was asked for, ``probabilities`` and ``factors`` float32 [N, L], NaN where
    there is no digit; and if the look has cells, ``cells``, like ``boxes``.
    """
    import numpy as np

    from inkgan.generation.image_files import label_arrays, padded_to_widest

    kept = list(writings)
    images = padded_to_widest([writing.image for writing in kept])
    writers = np.array([writing.writer for writing in kept], np.int64)
    content = io.BytesIO()
    np.savez_compressed(content, images=images, **label_arrays(kept), writers=writers)  # type: ignore[arg-type]
    return {f"{stem}.npz": content.getvalue()}


def imagefolder(stem: str, writings: Iterable[Writing]) -> Files:
    """Hugging Face's ``imagefolder``: ``stem/KEY.png`` for each image, and ``stem/metadata.jsonl``.

    Each line of that file holds an image's label and its ``file_name``.

    Warns:
        InkganWarning: ``datasets`` will take the texts for times, because each is a date such as 2026-11-30.
    """
    pictures, labels = _pictures_and_labels(stem, writings)
    if all(is_time(label["text"]) for label in labels.values()):
        warn_of_times()
    return pictures | _metadata(stem, "", labels)


def paddleocr(stem: str, writings: Iterable[Writing]) -> Files:
    """PaddleOCR's list for recognition, with a path, a tab and a text on each line, and all files of ``imagefolder``.

    The paths in ``stem/rec_gt.txt`` begin at the data set's folder. In PaddleOCR's settings, ``data_dir`` is that
    folder, and ``label_file_list`` names the list of each shard.
    """
    pictures, labels = _pictures_and_labels(stem, writings)
    lines = [f"{stem}/{key}.png\t{label['text']}\n" for key, label in labels.items()]
    return pictures | _metadata(stem, "", labels) | {f"{stem}/rec_gt.txt": "".join(lines).encode()}


def doctr(stem: str, writings: Iterable[Writing]) -> Files:
    """The folder of docTR for recognition: ``stem/images/KEY.png``, and ``stem/labels.json`` with the text of each.

    docTR's file has no place for more, so ``stem/metadata.jsonl`` has each image's whole label, as in ``imagefolder``.
    """
    pictures, labels = _pictures_and_labels(f"{stem}/images", writings)
    texts = {f"{key}.png": label["text"] for key, label in labels.items()}
    return pictures | _metadata(stem, "images/", labels) | {f"{stem}/labels.json": json.dumps(texts).encode()}


def yolo(stem: str, writings: Iterable[Writing]) -> Files:
    """YOLO's boxes for the detection of characters.

    ``stem/images/KEY.png`` and ``stem/labels/KEY.txt`` for each image, and ``stem/data.yaml`` with the classes, for a
    trainer that takes this shard alone. A line of a label is a class, counted from 0, and the middle, width and height
    of its box as shares of the image. ``stem/metadata.jsonl`` is as in ``doctr``.
    """
    pictures, labels = _pictures_and_labels(f"{stem}/images", writings)
    lines = {f"{stem}/labels/{key}.txt": "".join(_yolo_lines(label)).encode() for key, label in labels.items()}
    described = {f"{stem}/data.yaml": _data_yaml({"train": "images", "val": "images"})}
    return pictures | lines | described | _metadata(stem, "images/", labels)


def yolo_shared(splits: Sequence[str]) -> Files:
    """``data.yaml`` of a whole data set: its folders, which trainers search with their subfolders, and the classes.

    Trainers need both ``train`` and ``val``. Without a split ``train`` they learn from the first; without ``val``,
    ``valid`` or ``validation`` they validate with ``test`` or the last other one. Without splits, both are all images.
    """
    splits = splits or (".",)
    train = "train" if "train" in splits else splits[0]
    others = [name for name in splits if name != train] or [train]
    val = next((name for name in ("val", "valid", "validation", "test") if name in others), others[-1])
    folders = {"train": train, "val": val} | ({"test": "test"} if "test" in others else {})
    # In quotes, because YAML would read a split that is called 1 as a number, and one called no as false.
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


def coco(stem: str, writings: Iterable[Writing]) -> Files:
    """COCO's boxes for the detection of characters: ``stem/images/KEY.png``, and ``stem/annotations.json``.

    A box is [left, top, width, height]. Numbers of images and boxes are unique in the whole data set; categories are
    counted from 1. The annotation of a character also has ``probability``, ``factor`` and ``cell`` if they are known;
    COCO's readers keep them.
    """
    pictures, labels = _pictures_and_labels(f"{stem}/images", writings)
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


def _pictures_and_labels(folder: str, writings: Iterable[Writing]) -> tuple[Files, dict[str, Label]]:
    """Return a picture of each image, in a folder, and the labels by the images' keys."""
    pictures: Files = {}
    labels: dict[str, Label] = {}
    for writing in writings:
        pictures[f"{folder}/{key_of(writing)}.png"] = writing.png
        labels[key_of(writing)] = writing.label
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


Pack = Callable[[str, "Iterable[Writing]"], Files]

_PACKS: tuple[Pack, ...] = (webdataset, imagefolder, parquet, lmdb, paddleocr, doctr, coco, yolo, npz)
FORMATS: Mapping[str, Pack] = {pack.__name__: pack for pack in _PACKS}
#: The libraries that formats need besides the base install. The extra that brings one has the name of the format.
LIBRARIES = {extra: library for library, (_, extra) in OPTIONAL.items() if extra in FORMATS}


def packer(name: str) -> Pack:
    """Return the function that packs writings in a format.

    Raises:
        MissingExtraError: the library that it needs is not installed.
    """
    if name in LIBRARIES:
        import_extra(LIBRARIES[name])
    return FORMATS[name]
