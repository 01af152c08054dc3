"""Formats: the tool that each is meant for can read it, and the same samples always give the same bytes."""

from __future__ import annotations

import io
import json
import re
import sys
import tarfile
import weakref
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import inkgan
from inkgan.cli.write import _FILE_ENDINGS
from inkgan.errors import InkganWarning, OutputError
from inkgan.files import temporary_folder
from inkgan.generation.formats import CATEGORIES, FORMATS, LIBRARIES, Files, key_of, packer, yolo_shared
from inkgan.generation.image_files import save_writings
from inkgan.generation.shards import versions_for, write_shards
from inkgan.generation.spacing import Box
from inkgan.generation.texts import LONGEST_TEXT
from inkgan.generation.writing import Writing
from killed_process import as_if_left_by, ended_process
from refusals import command_refusal, refusal

TEXTS = ("2026-11", "7", "1 2")


def sample(number: int, text: str) -> Writing:
    """Return a writing of noise whose boxes all differ."""
    width = 12 * len(text) + 4
    image = np.random.default_rng(number).integers(0, 256, (24, width), dtype=np.uint8)
    boxes: list[Box] = [
        (12 * k + 2, 14, 12 * k + 2, 14) if character == " " else (12 * k + 2, 3 + k, 12 * k + 11, 20 - k)
        for k, character in enumerate(text)
    ]
    read = tuple(0.99 + 0.0001 * k if character.isdigit() else None for k, character in enumerate(text))
    factors = tuple(None if one is None else 0.9 for one in read)
    cells: list[Box] = [(12 * k + 1, 2, 12 * k + 13, 22) for k in range(len(text))]
    return Writing(text, image, tuple(boxes), "white", read, factors, tuple(cells), number)


#: Formats that do not hold the bytes of a PNG in one piece: arrays, and pages of a database.
APART = {"npz", "lmdb"}
SAMPLES = [sample(number + 40, text) for number, text in enumerate(TEXTS)]


def packed(name: str, folder: Path, stem: str = "00003") -> Files:
    """Pack the samples and write the files into a folder."""
    files = packer(name)(stem, iter(SAMPLES))
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return files


def pixels(picture: Any) -> NDArray[np.uint8]:
    """Return the ink of a picture that shows dark ink on white."""
    return 255 - np.asarray(picture)


def require_images(pictures: list[Any]) -> None:
    """Require that these are the pictures of the samples."""
    assert len(pictures) == len(SAMPLES)
    for picture, one in zip(pictures, SAMPLES, strict=True):
        np.testing.assert_array_equal(pixels(picture), one.image)


def require_metadata(folder: Path, pictures: str = "images/") -> None:
    """Require that metadata.jsonl holds all labels, even those without a place in the format, by picture path."""
    rows = [json.loads(line) for line in (folder / "metadata.jsonl").read_text("utf-8").splitlines()]
    assert rows == [{"file_name": f"{pictures}{key_of(one)}.png", **one.label} for one in SAMPLES]
    require_images([Image.open(folder / row["file_name"]) for row in rows])


def test_a_label() -> None:
    """A label holds all that is known of an image, with None for characters that are not digits."""
    given = sample(10**12 - 1, "7-")
    assert key_of(given) == "999999999999"
    assert given.label == {
        "text": "7-",
        "boxes": [[2, 3, 11, 20], [14, 4, 23, 19]],
        "width": 28,
        "height": 24,
        "writer": 999_999_999_999,
        "probabilities": [0.99, None],
        "factors": [0.9, None],
        "cells": [[1, 2, 13, 22], [13, 2, 25, 22]],
    }


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_read(name: str) -> None:
    """Each format has a test of its own name, which reads it as its tool does."""
    assert f"test_{name}" in set(globals()), f"write test_{name}"


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_bytes(name: str) -> None:
    """Packing twice gives the same bytes; names begin with the stem; the manifest has the library's version.

    If a shard is one file, a data set refuses a name with its ending.
    """
    first, second = (packer(name)("train/00007", iter(SAMPLES)) for _ in range(2))
    assert first == second
    assert all(re.match(r"train/00007[./]", path) for path in first)
    assert len({path.split("/")[1] for path in first}) == 1
    if len(first) == 1 and "/" not in (file := next(iter(first)).removeprefix("train/")):
        assert file.endswith(_FILE_ENDINGS), "name its ending in _FILE_ENDINGS of cli/write.py"
    library = LIBRARIES.get(name)
    versions = versions_for(name, "compact")
    assert versions.keys() == {"inkgan", "numpy", "pillow"} | ({library} if library else set())
    assert versions.items() >= versions_for("npz", "compact").items()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # webdataset leaves the file open
def test_webdataset(tmp_path: Path) -> None:
    """The library webdataset reads pictures and labels in their order."""
    webdataset: Any = import_module("webdataset")
    packed("webdataset", tmp_path)
    read = list(webdataset.WebDataset(str(tmp_path / "00003.tar"), shardshuffle=False).decode("pil"))
    assert [one["__key__"] for one in read] == [key_of(one) for one in SAMPLES]
    assert [one["json"] for one in read] == [one.label for one in SAMPLES]
    require_images([one["png"].convert("L") for one in read])


def test_headers_of_webdataset_say_nothing_of_who_packed_and_when(tmp_path: Path) -> None:
    """Each picture precedes its label, and no header holds a time or a user; anyone may read the files."""
    packed("webdataset", tmp_path)
    with tarfile.open(tmp_path / "00003.tar") as tar:
        headers = tar.getmembers()
    assert [one.name for one in headers] == [f"{key_of(one)}.{end}" for one in SAMPLES for end in ("png", "json")]
    said = {(oct(one.mode), one.mtime, one.uid, one.gid, one.uname, one.gname) for one in headers}
    assert said == {("0o644", 0, 0, 0, "", "")}


def test_imagefolder(tmp_path: Path) -> None:
    """Pictures and their labels are in one folder."""
    packed("imagefolder", tmp_path)
    require_metadata(tmp_path / "00003", "")


@pytest.mark.parametrize(
    "texts",
    [
        ("2026-11-30", "0001-02-28"),
        ("2026-11-30 08:15:59", "2026-11-30 08"),
        ("2026-11-30 08:15+01", "2026-11-30 08:15-01:30"),
        ("2026-11-30", "7"),
        ("30.11.2026", "20261130"),
        ("08:15", "2026/11/30"),
        ("2026-11", "2026-1-2"),
        (" 2026-11-30", "2026-11-30 "),
        ("2026-11-30 0815", "2026-11-30 08:15:59.5"),
    ],
)
def test_texts_that_are_taken_for_times(
    texts: tuple[str, ...], tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    """A warning says so if the library that ``datasets`` reads ``metadata.jsonl`` with takes its texts for times.

    It is the same for a shard and for a folder of ``inkgan write``.
    """
    packed_files = packer("imagefolder")("00003", [sample(number, text) for number, text in enumerate(texts)])
    json_reader: Any = import_module("pyarrow.json")
    table = json_reader.read_json(io.BytesIO(packed_files["00003/metadata.jsonl"]))
    is_time = str(table.schema.field("text").type) == "timestamp[s]"
    save_writings((sample(number, text) for number, text in enumerate(texts)), 2, f"{tmp_path}/no labels/")
    save_writings((sample(number, text) for number, text in enumerate(texts)), 2, f"{tmp_path}/0/", labels=True)
    assert [warning.category for warning in recwarn] == [InkganWarning, InkganWarning] * is_time
    assert len({str(warning.message) for warning in recwarn}) == is_time


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the library itself
def test_hugging_face_datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``datasets`` reads folders with their labels and splits, and Parquet with its pictures."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets: Any = import_module("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    for stem in ("train/00003", "train/00004", "test/00003"):
        packed("imagefolder", tmp_path / "folder", stem)
    (tmp_path / "folder/manifest.json").write_text('{"spec": {}}', "utf-8")
    (tmp_path / "folder/.00003.sha256").write_text("hash  file\n", "utf-8")
    packed("parquet", tmp_path / "parquet")
    save_writings(SAMPLES, 3, f"{tmp_path}/plain/", labels=True)
    options = {"cache_dir": str(tmp_path / "cache")}
    folder = datasets.load_dataset("imagefolder", data_dir=str(tmp_path / "folder"), **options)
    assert {name: len(part) for name, part in folder.items()} == {"train": 6, "test": 3}
    files = str(tmp_path / "parquet/00003.parquet")
    parquet = datasets.load_dataset("parquet", data_files=files, split="train", **options)
    plain = datasets.load_dataset("imagefolder", data_dir=str(tmp_path / "plain"), split="train", **options)
    assert plain["text"] == list(TEXTS)
    assert plain["boxes"] == [[list(box) for box in one.boxes] for one in SAMPLES]
    require_images([picture.convert("L") for picture in plain["image"]])
    for rows in (folder["test"], parquet):
        require_images([row["image"].convert("L") for row in rows])
        for row, one in zip(rows, SAMPLES, strict=True):
            assert {name: row[name] for name in one.label} == one.label


def test_parquet(tmp_path: Path) -> None:
    """Arrow reads the same labels, and each row's picture is a PNG."""
    parquet: Any = import_module("pyarrow.parquet")
    packed("parquet", tmp_path)
    rows = parquet.read_table(tmp_path / "00003.parquet").to_pylist()
    assert [{**row, "image": None} for row in rows] == [{"image": None, **one.label} for one in SAMPLES]
    require_images([Image.open(io.BytesIO(row["image"]["bytes"])) for row in rows])
    assert [row["image"]["path"] for row in rows] == [f"{key_of(one)}.png" for one in SAMPLES]
    without = [replace(one, cells=()) for one in SAMPLES]
    table = parquet.read_table(io.BytesIO(packer("parquet")("0", without)["0.parquet"]))
    assert [{**row, "image": None} for row in table.to_pylist()] == [{"image": None, **one.label} for one in without]


@pytest.mark.parametrize(("size", "groups"), [(1, [1, 1, 1]), (2, [2, 1]), (3, [3])])
def test_rows_of_parquet_are_written_in_groups(monkeypatch: pytest.MonkeyPatch, size: int, groups: list[int]) -> None:
    monkeypatch.setattr("inkgan.generation.formats._ROWS_IN_A_GROUP", size)
    parquet: Any = import_module("pyarrow.parquet")
    file = parquet.ParquetFile(io.BytesIO(packer("parquet")("0", iter(SAMPLES))["0.parquet"]))
    assert [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)] == groups
    assert [row["text"] for row in file.read().to_pylist()] == list(TEXTS)


def test_a_group_of_parquet_holds_no_images() -> None:
    """A hundred of them can take gigabytes; their PNGs are small."""
    alive: weakref.WeakSet[Writing] = weakref.WeakSet()
    most = 0

    def writings() -> Iterator[Writing]:
        nonlocal most
        for number in range(30):
            one = sample(number, "7")
            alive.add(one)
            most = max(most, len(alive))
            yield one

    packer("parquet")("0", writings())
    assert 1 <= most <= 3


def test_lmdb(tmp_path: Path) -> None:
    """PARSeq's reader (strhub/data/dataset.py) finds the number of samples, then image and label by numbers from 1."""
    lmdb: Any = import_module("lmdb")
    packed("lmdb", tmp_path)
    roots = [path.parent for path in tmp_path.rglob("data.mdb")]
    database = lmdb.open(str(roots[0]), max_readers=1, readonly=True, lock=False, readahead=False, meminit=False)
    with database, database.begin() as transaction:
        count = int(transaction.get(b"num-samples"))
        labels = [transaction.get(f"label-{index:09d}".encode()).decode() for index in range(1, count + 1)]
        images = [transaction.get(f"image-{index:09d}".encode()) for index in range(1, count + 1)]
        metas = [json.loads(transaction.get(f"meta-{index:09d}".encode())) for index in range(1, count + 1)]
    assert labels == list(TEXTS)
    assert metas == [one.label for one in SAMPLES]
    require_images([Image.open(io.BytesIO(one)).convert("L") for one in images])


def test_lmdb_has_room_for_its_values(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Large values fit: 20 kB in pages of 4 kB, and 4 kB that take two pages, without spare room for the tree."""
    lmdb: Any = import_module("lmdb")
    monkeypatch.setattr("inkgan.generation.formats._TREE", 2**19)
    for size, count in ((20_000, 150), (4100, 600)):
        monkeypatch.setattr(Writing, "png", bytes(size))
        samples = [replace(SAMPLES[1], writer=number) for number in range(count)]
        content = packer("lmdb")("0", samples)["0/data.mdb"]
        (tmp_path / "data.mdb").write_bytes(content)
        with lmdb.open(str(tmp_path), readonly=True, lock=False) as database, database.begin() as transaction:
            assert transaction.get(b"image-%09d" % count) == bytes(size)
            assert transaction.stat()["entries"] == 3 * count + 1


def test_lmdb_without_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """LMDB reports errors of the system as errors of its own kind."""
    lmdb: Any = import_module("lmdb")

    def fail(*_: object, **__: object) -> None:
        raise lmdb.DiskError("mdb_txn_commit: No space left on device")

    monkeypatch.setattr(lmdb, "open", fail)
    with pytest.raises(OutputError, match=r"cannot write in /.*: no space left on device\. Set TMPDIR to"):
        packer("lmdb")("0", SAMPLES)


def test_what_a_killed_process_left_beside_lmdb_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be as large as a shard, and a folder for temporary files may lie in memory."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (left := as_if_left_by(ended_process(), temporary_folder(tmp_path))).joinpath("data.mdb").touch()
    packer("lmdb")("0", SAMPLES)
    assert not left.exists()
    assert list(tmp_path.iterdir()) == []


def test_paddleocr(tmp_path: Path) -> None:
    """PaddleOCR's reader (ppocr/data/simple_dataset.py) expects a path below data_dir, a tab and a label."""
    packed("paddleocr", tmp_path)
    require_metadata(tmp_path / "00003", "")
    with (tmp_path / "00003/rec_gt.txt").open("rb") as file:
        pairs = [line.decode("utf-8").strip("\n").split("\t") for line in file.readlines()]
    assert [label for _, label in pairs] == list(TEXTS)
    require_images([Image.open(tmp_path / name) for name, _ in pairs])


def test_doctr(tmp_path: Path) -> None:
    """The reader of docTR (doctr/datasets/recognition.py) expects names in labels.json and pictures in images/."""
    packed("doctr", tmp_path)
    labels = json.loads((tmp_path / "00003/labels.json").read_text("utf-8"))
    assert list(labels.values()) == list(TEXTS)
    require_metadata(tmp_path / "00003")
    require_images([Image.open(tmp_path / "00003/images" / name) for name in labels])


def test_coco(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For each character but spaces, pycocotools finds a box with its category."""
    coco: Any = import_module("pycocotools.coco")
    packed("coco", tmp_path)
    read = coco.COCO(str(tmp_path / "00003/annotations.json"))
    images = read.loadImgs(read.getImgIds())
    require_images([Image.open(tmp_path / "00003/images" / image["file_name"]) for image in images])
    for image, one in zip(images, SAMPLES, strict=True):
        assert (image["width"], image["height"]) == (one.image.shape[1], 24)
        found = read.loadAnns(read.getAnnIds(imgIds=image["id"]))
        text = "".join(category["name"] for ann in found for category in read.loadCats(ann["category_id"]))
        assert text == one.text.replace(" ", "")
        boxes = [[left, top, left + width, top + height] for left, top, width, height in (ann["bbox"] for ann in found)]
        assert boxes == [list(box) for box in one.boxes if box[0] < box[2]]
        places = [k for k, character in enumerate(one.text) if character != " "]
        readings = [(ann.get("probability"), ann.get("factor")) for ann in found]
        assert readings == [(one.label["probabilities"][k], one.label["factors"][k]) for k in places]
        cells = [[left, top, left + width, top + height] for left, top, width, height in (ann["cell"] for ann in found)]
        assert cells == [list(one.cells[k]) for k in places]
    numbers = [annotation["id"] for annotation in read.loadAnns(read.getAnnIds())]
    assert len(set(numbers)) == len(numbers) == sum(len(text.replace(" ", "")) for text in TEXTS)
    for annotation in read.loadAnns(read.getAnnIds(iscrowd=False)):
        _, _, width, height = annotation["bbox"]
        assert annotation["area"] == width * height
    assert len(read.getAnnIds(iscrowd=False)) == len(numbers)


def test_numbers_of_coco_are_unique_in_the_data_set() -> None:
    """They are unique across shards, even for the longest texts and from the first image on; none is 0."""
    numbers: list[int] = []
    for number in range(3):
        writing = replace(sample(number, "7" * LONGEST_TEXT), cells=())
        files = packer("coco")(f"{number:05d}", [writing])
        document = json.loads(files[f"{number:05d}/annotations.json"])
        assert [image["id"] for image in document["images"]] == [number]
        numbers += [annotation["id"] for annotation in document["annotations"]]
    assert len(set(numbers)) == len(numbers) == 3 * LONGEST_TEXT
    assert min(numbers) > 0
    assert [category["id"] for category in document["categories"]] == list(range(1, len(CATEGORIES) + 1))


def test_a_character_without_ink_has_no_box() -> None:
    """Characters that are narrow and low on the page, or at its edge, still have boxes."""
    boxes: tuple[Box, ...] = ((0, 14, 3, 20), (5, 14, 5, 14), (9, 2, 18, 20))
    samples = [Writing("471", np.zeros((24, 30), np.uint8), boxes)]
    document = json.loads(packer("coco")("0", samples)["0/annotations.json"])
    names = {category["id"]: category["name"] for category in document["categories"]}
    found = [(names[one["category_id"]], one["bbox"]) for one in document["annotations"]]
    assert found == [("4", [0, 14, 3, 6]), ("1", [9, 2, 9, 18])]
    lines = packer("yolo")("0", samples)[f"0/labels/{key_of(samples[0])}.txt"].decode().splitlines()
    assert [CATEGORIES[int(line.split()[0])] for line in lines] == ["4", "1"]


def test_yolo(tmp_path: Path) -> None:
    """As the format defines: class, centre, width and height as fractions, in a file named like the image."""
    packed("yolo", tmp_path)
    names = re.findall(r'^  (\d+): "(.)"$', (tmp_path / "00003/data.yaml").read_text("utf-8"), re.MULTILINE)
    assert [name for _, name in names] == list(CATEGORIES)
    assert [int(index) for index, _ in names] == list(range(len(CATEGORIES)))
    pictures = [Image.open(path) for path in sorted((tmp_path / "00003/images").iterdir())]
    require_images(pictures)
    require_metadata(tmp_path / "00003")
    labels = sorted((tmp_path / "00003/labels").iterdir())
    for picture, label, one in zip(pictures, labels, SAMPLES, strict=True):
        rows = np.loadtxt(label, ndmin=2)
        assert "".join(CATEGORIES[int(row[0])] for row in rows) == one.text.replace(" ", "")
        middle, size = rows[:, 1:3] * picture.size, rows[:, 3:] * picture.size
        boxes = np.concatenate([middle - size / 2, middle + size / 2], 1)
        np.testing.assert_allclose(boxes, [box for box in one.boxes if box[0] < box[2]], atol=0.01)


def test_the_classes_of_yolo(tmp_path: Path) -> None:
    """YAML reads each class as the character that it is, and finds the pictures beside their labels."""
    yaml: Any = import_module("yaml")
    packed("yolo", tmp_path)
    described = yaml.safe_load((tmp_path / "00003/data.yaml").read_text("utf-8"))
    assert described == {"train": "images", "val": "images", "names": dict(enumerate(CATEGORIES))}


@pytest.mark.parametrize(
    ("parts", "folders"),
    [
        ((), {"train": ".", "val": "."}),
        (("test", "val", "train"), {"train": "train", "val": "val", "test": "test"}),
        (("train", "validation"), {"train": "train", "val": "validation"}),
        (("test", "train"), {"train": "train", "val": "test", "test": "test"}),
        (("no", "1"), {"train": "no", "val": "1"}),
        (("dev", "train"), {"train": "train", "val": "dev"}),
        (("train",), {"train": "train", "val": "train"}),
        (("test", "dev"), {"train": "test", "val": "dev"}),
        (("val", "a"), {"train": "val", "val": "a"}),
    ],
)
def test_a_whole_data_set_of_yolo(parts: tuple[str, ...], folders: dict[str, str]) -> None:
    """A trainer needs train and val: they are the parts of those names, or else those that exist, with all classes."""
    yaml: Any = import_module("yaml")
    files = yolo_shared(parts)
    assert files.keys() == {"data.yaml"}
    assert yaml.safe_load(files["data.yaml"]) == folders | {"names": dict(enumerate(CATEGORIES))}


@pytest.mark.parametrize("name", ["npz", "parquet"])
def test_writers_of_the_largest_data_set(name: str) -> None:
    """A data set has up to 10^12 writers, more than 32 bits can count."""
    last = sample(10**12 - 1, "7")
    content = io.BytesIO(packer(name)("0", [last])[f"0.{name}"])
    if name == "npz":
        with np.load(content) as archive:
            assert archive["writers"].tolist() == [10**12 - 1]
    else:
        parquet: Any = import_module("pyarrow.parquet")
        assert parquet.read_table(content)["writer"].to_pylist() == [10**12 - 1]


def test_npz(tmp_path: Path) -> None:
    """NumPy reads arrays that are padded to one size."""
    packed("npz", tmp_path)
    with np.load(tmp_path / "00003.npz") as archive:
        assert archive["texts"].tolist() == list(TEXTS)
        assert archive["writers"].tolist() == [40, 41, 42]
        for k, one in enumerate(SAMPLES):
            width = archive["widths"][k]
            np.testing.assert_array_equal(archive["images"][k, :, :width], one.image)
            assert not archive["images"][k, :, width:].any()
            assert archive["boxes"][k, : len(one.text)].tolist() == [list(box) for box in one.boxes]
            assert (archive["boxes"][k, len(one.text) :] == -1).all()
            assert archive["cells"][k, : len(one.text)].tolist() == [list(box) for box in one.cells]
            for name in ("probabilities", "factors"):
                expected = [np.nan if value is None else value for value in getattr(one, name)]
                expected += [np.nan] * (archive[name].shape[1] - len(expected))
                np.testing.assert_allclose(archive[name][k], expected, rtol=1e-6)


@pytest.mark.parametrize("name", FORMATS)
def test_colours(name: str) -> None:
    """Colour images are packed as they look, not inverted, and padded with white."""
    images = [np.random.default_rng(width).integers(0, 256, (24, width, 3), dtype=np.uint8) for width in (30, 20)]
    samples = [Writing("1", image, ((2, 2, 9, 20),), writer=k) for k, image in enumerate(images)]
    files = packer(name)("0", samples)
    if name == "npz":
        with np.load(io.BytesIO(files["0.npz"])) as archive:
            assert archive["images"].shape == (2, 24, 30, 3)
            np.testing.assert_array_equal(archive["images"][1, :, :20], images[1])
            assert (archive["images"][1, :, 20:] == 255).all()
            assert "probabilities" not in archive
    content = b"".join(files.values())
    for one, image in zip(samples, images, strict=True):
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(one.png))), image)
        assert one.png in content or name in APART, "a format that packs pictures otherwise belongs to APART"
        assert (one.label["width"], one.label["height"]) == (image.shape[1], 24)


@pytest.mark.parametrize("name", LIBRARIES)
def test_without_its_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """Before anything is written, one line names the extra, which has the format's name."""
    monkeypatch.setitem(sys.modules, LIBRARIES[name], None)  # as if it were not installed
    advice = f"pip install 'inkgan[{name}]'"
    for preview in ([], ["--preview"]):
        assert advice in command_refusal(capsys, "write", "7", "--format", name, "-o", f"{tmp_path}/a/", *preview)
    spec = inkgan.Spec(texts=["7"], count=1, format=name)
    refusal(lambda: write_shards(spec, tmp_path / "a"), advice, kind=inkgan.MissingExtraError)
    assert not list(tmp_path.iterdir())


def test_without_ray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A manifest would keep the folder from another data set."""
    monkeypatch.setitem(sys.modules, "ray", None)  # as if it were not installed
    spec = inkgan.Spec(texts=["7"], count=1)
    advice = "pip install 'inkgan[ray]'"
    refusal(lambda: write_shards(spec, tmp_path / "a", engine="ray"), advice, kind=inkgan.MissingExtraError)
    assert not list(tmp_path.iterdir())
