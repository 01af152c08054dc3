"""Folders of images: the layouts, how each kind of picture is read, and that hostile files do no harm."""

from __future__ import annotations

import os
import shutil
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from data_files import complaint
from inkgan.data import DataSet, load

pytestmark = pytest.mark.usefixtures("only_embedded_data")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "own"


def grey(path: Path, value: int = 100, size: tuple[int, int] = (6, 4)) -> Path:
    """Write a grey picture with one light pixel at its end; ``size`` is (width, height), as Pillow has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    dotted("L", value, size).save(path)
    return path


def dotted(mode: str, value: Any, size: tuple[int, int] = (6, 4)) -> Image.Image:
    """A picture of one value except for its last pixel, which is white: a constant picture would be refused."""
    image = Image.new(mode, size, value)
    white: Any = {"1": 1, "L": 255, "LA": (255, 255), "RGB": (255, 255, 255), "CMYK": (0, 0, 0, 0)}[mode]
    image.putpixel((size[0] - 1, size[1] - 1), white)
    return image


def some(folder: Path, count: int = 10) -> None:
    for number in range(count):
        grey(folder / f"good-{number:02}.png", number)


def values(data: DataSet) -> list[int]:
    return sorted(int(image[0, 0, 0]) for split in data.splits.values() for image in split.images)


def test_a_folder_without_classes(folder: Path) -> None:
    some(folder, 20)
    data = load(str(folder))
    assert data.name == "own"
    assert data.image_shape == (4, 6, 1)
    assert [len(split) for split in data.splits.values()] == [16, 2, 2]
    assert values(data) == list(range(20))
    assert data.train.labels is None
    assert data.class_names == ()
    assert data.skipped == {}
    assert load("own", folder.parent).digest == data.digest


def test_both_passes_over_the_files_are_reported(folder: Path) -> None:
    """On a slow disk, the headers of many files take minutes, too."""
    some(folder)
    told: list[tuple[str, float]] = []
    load(folder, progress=lambda *now: told.append(now))
    assert told == [(doing, at / 10) for doing in ("reading sizes", "reading images") for at in range(10)]


def test_class_folders_are_labels_in_order_of_their_numbers(folder: Path) -> None:
    for label in (0, 2, 10):
        for number in range(4):
            grey(folder / str(label) / "deeper" / f"{number}.png", label)
    grey(folder / "stray.png")
    data = load(str(folder))
    assert data.class_names == ("0", "2", "10")
    assert data.skipped == {"outside the class folders": 1}
    for split in data.splits.values():
        assert split.labels is not None
        assert [int(data.class_names[label]) for label in split.labels] == split.images[:, 0, 0, 0].tolist()


def test_grey_pictures_in_webp_stay_grey(folder: Path) -> None:
    """WebP's colour transform leaves differences of one between channels, which do not count as colour."""
    folder.mkdir()
    for number in range(3):
        Image.fromarray(np.tri(16, dtype=np.uint8) * 255).save(folder / f"{number}.webp", quality=80)
    assert np.ptp(np.asarray(Image.open(folder / "0.webp").convert("RGB")), axis=2).max() == 1
    assert load(str(folder)).image_shape == (16, 16, 1)


def test_hidden_folders_are_reported(folder: Path) -> None:
    """Each once, also the folder of a run."""
    some(folder / "a")
    some(folder / ".b")
    some(folder / ".run" / "checkpoints")
    (folder / ".run" / "config.json").write_text("{}", "utf-8")
    assert load(str(folder)).skipped == {"hidden folder, whose name begins with a dot": 2}


def test_a_class_may_be_called_as_an_idx_file(folder: Path) -> None:
    for name in ("old-train-images", "new-train-images"):
        some(folder / name, 20)
    assert load(str(folder)).class_names == ("new-train-images", "old-train-images")


def test_hugging_face_layout(folder: Path) -> None:
    """Images with even values are cats, those with odd ones dogs; a class is the folder below the split."""
    for name, count in (("train", 20), ("test", 5)):
        for number in range(count):
            path = folder / name / ("cat", "dog/deeper")[number % 2] / f"{number}.png"
            grey(path, number + 100 * (name == "test"))
    data = load(str(folder))
    assert [len(split) for split in data.splits.values()] == [18, 2, 5]
    assert sorted(data.test.images[:, 0, 0, 0].tolist()) == [100, 101, 102, 103, 104]
    learned_from = np.concatenate([data.train.images, data.validation.images])
    assert sorted(learned_from[:, 0, 0, 0].tolist()) == list(range(20))
    assert data.class_names == ("cat", "dog")
    for split in data.splits.values():
        assert split.labels is not None
        assert split.labels.tolist() == (split.images[:, 0, 0, 0] % 2).tolist()
    for number in range(3):
        grey(folder / "val" / "cat" / f"{number}.png", 200)
    assert [len(split) for split in load(str(folder)).splits.values()] == [20, 3, 5]


def test_a_train_folder_alone(folder: Path) -> None:
    some(folder / "train", 20)
    data = load(str(folder))
    assert [len(split) for split in data.splits.values()] == [16, 2, 2]
    assert data.class_names == ()


def test_one_colour_picture_makes_the_set_coloured(folder: Path) -> None:
    some(folder)
    assert load(str(folder)).image_shape == (4, 6, 1)
    dotted("RGB", (50, 50, 50)).save(folder / "grey-in-colour.png")
    assert load(str(folder)).image_shape == (4, 6, 1)
    dotted("RGB", (250, 60, 70)).save(folder / "red.png")
    data = load(str(folder))
    assert data.image_shape == (4, 6, 3)
    assert "all are read in colour, because of 1 of them, such as red.png" in data.notes
    every = np.concatenate([split.images for split in data.splits.values()])
    assert (every[:, 0, 0] == (250, 60, 70)).all(axis=1).sum() == 1
    assert sorted(every[:, 0, 0, 2].tolist()) == [*range(10), 50, 70]


def _transparent(path: Path) -> None:
    image = Image.new("RGBA", (6, 4), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (0, 0, 3, 4))
    image.save(path)


def _palette(path: Path) -> None:
    image = Image.new("P", (6, 4), 1)
    image.putpalette([0, 0, 0, 90, 90, 90])
    image.putpixel((5, 3), 0)
    image.save(path)


def _sixteen_bits(path: Path) -> None:
    pixels = np.full((4, 6), 0x5AFF, np.uint16)
    pixels[-1, -1] = 0xFFFF
    Image.fromarray(pixels).save(path)


def _turned(path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    image = Image.new("L", (8, 16), 255)
    image.paste(0, (0, 8, 8, 16))
    image.save(path, exif=exif)


def _with_hidden_ink(path: Path) -> None:
    image = Image.new("LA", (6, 4), (0, 0))  # black, but transparent
    image.putpixel((5, 3), (0, 255))
    image.save(path)


def _halves(mode: str, path: Path, form: str | None = None) -> None:
    """White on the left, black on the right, with the edge where JPEG's blocks of 8 pixels end."""
    image = Image.new(mode, (16, 8), 255 if mode == "L" else (0, 0, 0, 0))
    image.paste(0 if mode == "L" else (0, 0, 0, 255), (8, 0, 16, 8))
    image.save(path, form)


KINDS: list[tuple[str, Callable[[Path], object], list[int]]] = [
    ("rgba.png", _transparent, [0, 255]),
    ("palette.png", _palette, [90, 90]),
    ("sixteen.png", _sixteen_bits, [0x5A, 0x5A]),
    ("sixteen.tif", _sixteen_bits, [0x5A, 0x5A]),
    ("one-bit.png", lambda path: dotted("1", 0).save(path), [0, 0]),
    ("la.png", _with_hidden_ink, [255, 255]),
    ("cmyk.tif", lambda path: dotted("CMYK", (0, 0, 0, 255)).save(path), [0, 0]),
    ("cmyk.jpg", lambda path: _halves("CMYK", path), [255, 0]),
    ("jpeg.JPG", lambda path: _halves("L", path, "JPEG"), [255, 0]),
    ("bitmap.bmp", lambda path: dotted("L", 77).save(path), [77, 77]),
    ("graphics.gif", lambda path: dotted("L", 77).save(path), [77, 77]),
    ("lossless.webp", lambda path: dotted("RGB", (7, 7, 7)).save(path, lossless=True), [7, 7]),
    ("tiff-renamed.png", lambda path: dotted("L", 77).save(path, "TIFF"), [77, 77]),
    ("turned.jpg", _turned, [0, 255]),
]


@pytest.mark.parametrize(("name", "write", "expected"), KINDS, ids=[kind[0] for kind in KINDS])
def test_kinds_of_pictures(folder: Path, name: str, write: Callable[[Path], object], expected: list[int]) -> None:
    folder.mkdir()
    for number in range(3):
        write(folder / f"{number}-{name}")
    data = load(str(folder))
    assert data.skipped == {}
    assert data.image_shape in {(4, 6, 1), (8, 16, 1)}
    assert [int(data.test.images[0, 0, 0, 0]), int(data.test.images[0, 0, -1, 0])] == expected


def _png(width: int, height: int, content: bytes) -> bytes:
    """A PNG with any size in its header, whatever its content."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", content) + chunk(b"IEND", b"")


def _animated(path: Path) -> None:
    frames = [Image.new("L", (6, 4), value) for value in (0, 255)]
    frames[0].save(path, save_all=True, append_images=frames[1:])


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**33)


BAD: list[tuple[str, Callable[[Path], object], str]] = [
    ("empty.png", lambda path: path.touch(), "empty"),
    ("cut.png", lambda path: path.write_bytes(grey(path).read_bytes()[:50]), "truncated or damaged"),
    ("bare.png", lambda path: path.write_bytes(_png(6, 4, b"nonsense")), "truncated or damaged"),
    ("bomb.png", lambda path: path.write_bytes(_png(50_000, 50_000, b"")), "larger than 4096 pixels a side"),
    ("big.png", lambda path: path.write_bytes(_png(5000, 4, b"")), "larger than 4096 pixels a side"),
    (
        "text.png",
        lambda path: path.write_text("hello"),
        "not PNG, JPEG, BMP, GIF, TIFF or WEBP by content",
    ),
    (
        "ppm.png",
        lambda path: Image.new("L", (6, 4)).save(path, "PPM"),
        "not PNG, JPEG, BMP, GIF, TIFF or WEBP",
    ),
    ("frames.gif", _animated, "with more than one frame"),
    ("pages.tif", _animated, "with more than one frame"),
    ("float.tif", lambda path: Image.new("F", (6, 4)).save(path), "with 32 bits a pixel"),
    ("int.tif", lambda path: Image.new("I", (6, 4)).save(path), "with 32 bits a pixel"),
    ("other.png", lambda path: grey(path, size=(7, 4)), "of another size (4×7)"),
    ("notes.txt", lambda path: path.write_text("hello"), "not an image by its name"),
    (
        "loop.png",
        lambda path: path.symlink_to(path.name),
        "unreadable (too many levels of symbolic links)",
    ),
    ("gone.png", lambda path: path.symlink_to("nowhere"), "unreadable (no such file or directory)"),
    ("pipe.png", os.mkfifo, "not regular"),
    ("device.png", lambda path: path.symlink_to("/dev/zero"), "not regular"),
    ("large.png", _sparse, "larger than 64 MiB"),
]


@pytest.mark.parametrize(("name", "write", "reason"), BAD, ids=[kind[0] for kind in BAD])
def test_hostile_files_are_skipped_and_counted(
    folder: Path, name: str, write: Callable[[Path], object], reason: str
) -> None:
    some(folder)
    write(folder / name)
    tracemalloc.start()
    data = load(str(folder))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 2**20
    (given, count), *rest = data.skipped.items()
    assert (count, rest) == (1, [])
    assert given.startswith(reason)
    assert values(data) == list(range(10))


def test_all_hostile_files_at_once(folder: Path) -> None:
    some(folder)
    for name, write, _ in BAD:
        write(folder / name)
    complaint(lambda: load(str(folder)), "10 of 27 images are used", "2 not regular, such as", "...")
    some(folder, 160)
    data = load(str(folder))
    assert sum(data.skipped.values()) == len(BAD)
    assert len(values(data)) == 160


def test_a_folder_of_animations_is_told_that_one_frame_is_needed(folder: Path) -> None:
    folder.mkdir()
    for name in ("a.gif", "b.gif", "c.gif"):
        _animated(folder / name)
    complaint(lambda: load(str(folder)), "3 with more than one frame", "each with one frame")


def test_links_in_circles_end(folder: Path) -> None:
    some(folder / "a", 6)
    some(folder / "b", 6)
    (folder / "a" / "up").symlink_to(folder)
    (folder / "b" / "self").symlink_to(".")
    (folder / "other-a").symlink_to(folder / "a")
    data = load(str(folder))
    assert sum(map(len, data.splits.values())) == 12
    assert data.skipped == {"link to a folder that was read already": 3}
    assert data.class_names == ("a", "b")
    assert data.notes[0].startswith("nothing is read from ")
    assert data.notes[0].endswith("other-a (link to a folder that was read already)")


def test_a_link_to_a_class_that_is_not_there_is_reported(folder: Path) -> None:
    """Its images may be on a disk that is not mounted."""
    named(folder, {"a": 10, "b": 10})
    (folder / "c").symlink_to("/not/mounted/c")
    data = load(str(folder))
    assert data.class_names == ("a", "b")
    assert data.notes[0] == "nothing is read from c (link to nothing)"
    assert data.skipped == {"link to nothing": 1}


@pytest.mark.parametrize("name", ["labels.csv", "annotations.JSON", "below/metadata.jsonl"])
def test_labels_in_a_table_are_not_lost_in_silence(folder: Path, name: str) -> None:
    some(folder, 30)
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("0.png,7\n", "utf-8")
    assert (
        f"no labels are read from {name}: put the images of each class into its own folder" in load(str(folder)).notes
    )


def test_a_run_in_the_folder_of_its_images_is_not_read(folder: Path) -> None:
    """``inkgan train --data .`` makes one. Its pictures would be other images when it resumes."""
    named(folder, {"a": 10, "b": 10})
    digest = load(str(folder)).digest
    named(folder, {"runs/first/checkpoints/step-0000000": 1, "runs/first/pictures": 3})
    (folder / "runs" / "first" / "config.json").write_text("{}", "utf-8")
    data = load(str(folder))
    assert (data.digest, data.class_names) == (digest, ("a", "b"))
    assert data.notes[0] == "nothing is read from runs/first (folder of a run)"
    assert load(str(folder / "runs" / "first" / "pictures")).class_names == ()


def test_a_table_beside_class_folders_is_nothing_to_report(folder: Path) -> None:
    named(folder, {"a": 10, "b": 10})
    (folder / "licences.csv").write_text("0.png,MIT\n", "utf-8")
    assert not [note for note in load(str(folder)).notes if "licences" in note]


@pytest.mark.linux
def test_names_that_are_no_text(folder: Path) -> None:
    for name in (b"caf\xe9", b"tab\there", "né".encode()):
        below = Path(os.fsdecode(os.fsencode(folder) + b"/" + name))
        some(below, 4)
        grey(Path(os.fsdecode(os.fsencode(below) + b"/\xff\n.png")))
    data = load(str(folder))
    assert sum(map(len, data.splits.values())) == 15
    assert data.class_names == ("caf\\xe9", "né", "tab\\there")
    assert all(name.isprintable() and name.encode() for name in data.class_names)


def test_nothing_that_can_be_used(folder: Path, tmp_path: Path) -> None:
    folder.mkdir()
    complaint(lambda: load(str(folder)), "no image that can be used", "Put in PNG")
    (folder / "train.csv").touch()
    complaint(lambda: load(str(folder)), "not images by their names: 1 file, such as train.csv", "Put in PNG")
    (folder / "train.csv").unlink()
    (folder / "a.png").touch()
    complaint(lambda: load(str(folder)), "1 empty, such as a.png")
    (folder / "a.png").write_bytes(_png(6, 4, b"nonsense"))
    complaint(lambda: load(str(folder)), "no image that can be used", "1 truncated or damaged")
    (folder / "a.png").unlink()
    some(folder, 2)
    complaint(lambda: load(str(folder)), "2 usable images; at least 3")
    some(tmp_path / "hf" / "test", 5)
    grey(tmp_path / "hf" / "train" / "x.png")
    complaint(lambda: load(str(tmp_path / "hf")), "at least 2")


def test_sets_too_large_for_memory_are_refused_before_they_are_read(folder: Path) -> None:
    folder.mkdir()
    image = _png(4096, 4096, b"")
    (folder / "0.png").write_bytes(image)
    for number in range(1, 140):
        (folder / f"{number}.png").hardlink_to(folder / "0.png")
    complaint(lambda: load(str(folder)), "takes 2.3 GB", "at most 2.1 GB")


@pytest.mark.slow
def test_many_classes(folder: Path) -> None:
    picture = grey(folder / "0" / "x.png")
    for part in ("train", "val", "test"):
        for number in range(2000 if part == "train" else 2):
            (folder / part / str(number)).mkdir(parents=True)
            (folder / part / str(number) / "x.png").hardlink_to(picture)
    picture.unlink()
    data = load(str(folder))
    assert data.class_names == tuple(map(str, range(2000)))
    assert len(data.train) == 2000


def test_warnings_of_the_decoder_change_nothing(folder: Path) -> None:
    some(folder)
    # Pillow warns about 100 million pixels, and in these tests warnings are errors.
    (folder / "warned.png").write_bytes(_png(10_000, 10_000, b""))
    assert load(str(folder)).skipped == {"larger than 4096 pixels a side": 1}


# Splits and classes by the names of folders


def named(folder: Path, counts: dict[str, int]) -> Path:
    """Write folders of pictures; a folder's name may be a path with several parts."""
    for at, (name, count) in enumerate(counts.items()):
        for number in range(count):
            grey(folder / name / f"{number}.png", 10 * at + number)
    return folder


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [
        ("training", "validating-not-here", "testing"),
        ("TRN", "dev", "TST"),
        ("train", "val", "hold-out"),
        ("Training", "validating-not-here", "HeldOut_set"),
        ("Train_Set", "Valid_Set", "Test_Set"),
        ("train2017", "val2017", "test2017"),
        ("images-training", "images-validation", "images-evaluation"),
        ("TrainData", "ValData", "EvalData"),
        ("训练集", "验证集", "测试集"),
        ("訓練集", "驗證資料集", "測試圖像"),
    ],
)
def test_splits_in_any_spelling(folder: Path, train: str, validation: str, test: str) -> None:
    counts = {f"{train}/7": 15, f"{train}/3": 15, f"{test}/3": 4}
    if "not-here" not in validation:
        counts[f"{validation}/7"] = 5
    data = load(str(named(folder, counts)))
    assert data.class_names == ("3", "7")
    assert [len(split) for split in data.splits.values()] == ([30, 5, 4] if len(counts) == 4 else [27, 3, 4])
    assert data.notes == ()


@pytest.mark.parametrize(
    ("folders", "words"),
    [
        (["bus", "car", "train"], "are these classes"),
        (["cat", "test", "train"], "are these classes"),
        (["Testing"], "which of them is to train on"),
        (["val", "test"], "which of them is to train on"),
        (["train", "training", "test"], "two of them are the same split"),
        (["holdout", "test", "train"], "two of them are the same split"),
        (["train", "test", "testing"], "two of them are the same split"),
        (["letters_test", "letters_train"], "are these classes, or splits?"),
        (["test station", "train station"], "are these classes, or splits?"),
        (["testA", "trainA"], "are these classes, or splits?"),
        (["testA", "testB", "trainA", "trainB"], "are these classes, or splits?"),
        (["seg_pred", "seg_test", "seg_train"], "are these classes, or splits?"),
    ],
)
def test_folders_that_may_be_splits_or_classes_are_asked_about(folder: Path, folders: list[str], words: str) -> None:
    named(folder, dict.fromkeys(folders, 5))
    said = complaint(lambda: load(str(folder)), words, folders[0], "data.splits=no")
    if "data.splits=yes" not in said:
        complaint(lambda: load(str(folder), splits="yes"), "data.splits=no")
    else:
        assert len(load(str(folder), splits="yes").train) >= 3
    data = load(str(folder), splits="no")
    assert data.class_names == tuple(sorted(folders))
    assert sum(map(len, data.splits.values())) == 5 * len(folders)


def test_a_question_about_many_folders_lists_those_in_question(folder: Path) -> None:
    named(folder, dict.fromkeys(["ant", "bee", "cow", "dog", "elk", "seg_test", "seg_train"], 2))
    complaint(lambda: load(str(folder)), "the folders seg_test, seg_train, ant, bee, cow, ...: are these classes")


def test_the_answer_that_they_are_splits(folder: Path) -> None:
    named(folder, {"train": 20, "test": 6, "spare": 40})
    data = load(str(folder), splits="yes")
    assert [len(split) for split in data.splits.values()] == [18, 2, 6]
    assert data.skipped == {"outside the folders of the splits": 40}
    complaint(lambda: load(str(folder), splits="maybe"), "splits='maybe'", "auto, yes, no")  # type: ignore[arg-type]


def test_class_folders_that_only_begin_like_splits(folder: Path) -> None:
    named(folder, {"trains": 5, "testament": 5, "value": 5, "evaluate me": 5, "trainé": 5, "trainAB": 5})
    assert load(str(folder)).class_names == ("evaluate me", "testament", "trainAB", "trains", "trainé", "value")


def test_classes_that_mention_splits_by_chance_are_classes(folder: Path) -> None:
    """Splits that stand beside other folders have a word in common; these do not."""
    counts = {"bus": 5, "test-tube": 5, "training-shoes": 5, "toys/train": 2, "toys/car": 2, "school/test": 2}
    names = ("bus", "school", "test-tube", "toys", "training-shoes")
    assert load(str(named(folder, counts))).class_names == names
    assert len(load(str(folder), splits="yes").test) == 5


def test_splits_with_other_words_are_read_on_demand(folder: Path) -> None:
    named(folder, {"letters_train/a": 20, "letters_test/a": 6})
    data = load(str(folder), splits="yes")
    assert [len(split) for split in data.splits.values()] == [18, 2, 6]
    assert data.class_names == ("a",)


def test_to_read_only_splits_where_there_are_none_is_refused(folder: Path) -> None:
    named(folder, {"a": 5, "b": 5})
    complaint(lambda: load(str(folder), splits="yes"), "no folder that is named after a split", "data.splits=yes")


def test_splits_inside_of_class_folders_are_not_learned_as_one(folder: Path) -> None:
    named(folder, {"a/train": 5, "a/test": 3, "b/train": 5, "b/test": 3})
    complaint(lambda: load(str(folder)), "a, b would be 2 classes", "test, train", "Put the splits on top")
    data = load(str(folder), splits="no")
    assert data.class_names == ("a", "b")
    assert sum(map(len, data.splits.values())) == 16


def test_splits_inside_of_one_class_folder_are_enough(folder: Path) -> None:
    named(folder, {"a/train": 5, "a/test": 3, "a/unlabelled": 4, "b": 5, "c/d": 2})
    complaint(lambda: load(str(folder)), "a, b, c would be 3 classes", "test, train, which", "Put the splits on top")
    assert load(str(folder), splits="no").class_names == ("a", "b", "c")


def test_a_folder_around_the_whole_set(folder: Path) -> None:
    """Archives often unpack to one; its name is no class."""
    named(folder, {"unpacked/train/a": 9, "unpacked/test/a": 3})
    complaint(lambda: load(str(folder)), "unpacked would be 1 class", "Give the folder unpacked inside of it")
    assert [len(split) for split in load(str(folder / "unpacked")).splits.values()] == [8, 1, 3]


def test_a_folder_around_all_classes_is_reported(folder: Path) -> None:
    named(folder, {"unpacked/a": 9, "unpacked/b": 3})
    note = "all images are of one class, unpacked, though it has the folders a, b"
    assert load(str(folder)).notes[0] == note
    assert note not in load(str(folder / "unpacked")).notes


def test_folders_inside_of_class_folders_are_reported(folder: Path) -> None:
    """As in Omniglot, where each alphabet has a folder for each character."""
    named(folder, {"Greek/alpha": 9, "Greek/beta": 9, "Latin/a": 9, "plain": 9})
    note = "folders inside of class folders are not classes of their own: Greek/alpha, Greek/beta"
    data = load(str(folder))
    assert data.class_names == ("Greek", "Latin", "plain")
    assert data.notes[0] == note
    shutil.rmtree(folder / "Greek" / "alpha")
    assert not any("of their own" in one for one in load(str(folder)).notes)


def test_several_folders_around_the_whole_set(folder: Path) -> None:
    named(folder, {"unpacked/set/images/a": 9, "unpacked/set/images/b": 3})
    note = "all images are of one class, unpacked, though it has the folders set/images/a, set/images/b"
    assert load(str(folder)).notes[0] == note
    named(folder / "unpacked" / "set", {"train/a": 9, "test/a": 3})
    shutil.rmtree(folder / "unpacked" / "set" / "images")
    complaint(lambda: load(str(folder)), "look like splits", "Give the folder unpacked/set inside of it")


# What is left out


def test_lost_images_are_reported_with_an_example(folder: Path) -> None:
    named(folder, {"a": 30, "b": 15})
    for number in range(3):
        grey(folder / "a" / f"odd-{number}.png", size=(20, 20))
    (folder / "b" / "broken.png").write_bytes(b"no")
    data = load(str(folder))
    (note,) = data.notes
    assert note.startswith("45 of 49 images are used: 3 of another size (20×20), such as a/odd-0.png; 1 not PNG, ")
    assert note.endswith(" by content, such as b/broken.png")


@pytest.mark.parametrize(("good", "odd", "refused"), [(91, 9, False), (90, 10, True), (45, 4, False), (45, 5, True)])
def test_a_tenth_that_is_lost_stops(folder: Path, good: int, odd: int, refused: bool) -> None:
    named(folder, {"a": good})
    for number in range(odd):
        grey(folder / "a" / f"odd-{number}.png", size=(9, 5))
    told = f"{good} of {good + odd} images are used: {odd} of another size (5×9)"
    if refused:
        complaint(lambda: load(str(folder)), told, "--set data.resize=32")
    else:
        assert load(str(folder)).notes[0].startswith(told)


def test_folders_from_which_nothing_is_read_are_reported(folder: Path) -> None:
    """They may be lost classes. A folder with images in it or below it is not named, even if it has other files."""
    some(folder / "a")
    some(folder / "b")
    for path in [*(folder / "b").iterdir()]:
        path.rename(path.with_suffix(".jfif"))
    for name in ("c", "a/notes", "d", "b"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / "0.svg").write_text("<svg/>", "utf-8")
    some(folder / "d" / "deep")
    data = load(str(folder))
    assert data.class_names == ("a", "b", "d")
    assert [note for note in data.notes if "nothing" in note] == [
        "nothing is read from a/notes, c, whose files are not images by their names, such as 0.svg"
    ]


def test_empty_folders_are_reported(folder: Path) -> None:
    """They may be classes whose images are missing. A hidden file, as Git and macOS need it, does not fill a folder."""
    named(folder, {"train/a": 20, "test/a": 5})
    (folder / "train" / "c").mkdir()
    (folder / "train" / "c" / ".gitkeep").touch()
    (folder / "val").mkdir()
    data = load(str(folder))
    assert data.notes == ("nothing is read from train/c, val (empty folder)",)
    assert data.skipped == {"empty folder": 2}


def test_photographs_in_other_formats_are_lost_images(folder: Path) -> None:
    named(folder, {"a": 10})
    for number in range(30):
        (folder / "a" / f"IMG_{number}.HEIC").write_bytes(b"ftypheic")
    complaint(lambda: load(str(folder)), "10 of 40 images are used", "IMG_0.HEIC", "convert")


def test_a_class_in_another_format_does_not_vanish(folder: Path) -> None:
    named(folder, {"a": 100})
    grey(folder / "b" / "0.ppm")
    complaint(lambda: load(str(folder)), "b/0.ppm", "none of 'b'", "convert")


def test_originals_beside_their_pictures_are_no_loss(folder: Path) -> None:
    named(folder, {"a": 10})
    for number in range(10):
        (folder / "a" / f"{number}.heic").write_bytes(b"ftypheic")
    data = load(str(folder))
    assert data.skipped == {"not an image by its name": 10}
    assert data.notes[0] == "not images by their names: 10 files, such as a/0.heic"


def test_images_without_an_ending_are_reported(folder: Path) -> None:
    named(folder, {"a": 10})
    for number in range(2):
        (folder / "a" / f"scan{number}").write_bytes((folder / "a" / "0.png").read_bytes())
    assert load(str(folder)).notes[0] == "not images by their names: 2 files, such as a/scan0"


def test_a_class_without_endings_does_not_vanish(folder: Path) -> None:
    """Where no name says what a file is, its content does."""
    named(folder, {"a": 10, "b": 10})
    for path in (folder / "b").iterdir():
        path.rename(path.with_suffix(""))
    (folder / "b" / "README").write_text("scanned in May", "utf-8")
    (folder / "b" / "5.xcf").write_bytes((folder / "a" / "0.png").read_bytes())
    data = load(str(folder))
    assert data.class_names == ("a", "b")
    assert sum(map(len, data.splits.values())) == 20
    assert data.skipped == {"not an image by its name": 2}


@pytest.mark.parametrize("name", ["می\u200cروم", "\N{WOMAN}\u200d\N{PERSONAL COMPUTER}"])
def test_words_and_emoji_with_joiners_keep_their_names(folder: Path, name: str) -> None:
    named(folder, {"a": 5, name: 5})
    assert set(load(str(folder)).class_names) == {"a", name}


@pytest.mark.parametrize("names", [("caf\u00e9", "cafe\u0301"), ("a\x01", "a\\x01"), ("ab", "a\u200db")])
def test_class_folders_that_look_alike_are_refused(folder: Path, names: tuple[str, str]) -> None:
    """Nobody could ask for one of these classes by its name."""
    for name in names:
        some(folder / name)
    complaint(lambda: load(str(folder)), "the list of its class folders has a name twice")


def test_names_that_look_alike_are_told_apart_in_the_message(folder: Path) -> None:
    """The two look the same on the screen, so the message has their codes."""
    named(folder, {"train/caf\u00e9": 9, "test/cafe\u0301": 5})
    remedy = "Write one class the same everywhere"
    complaint(lambda: load(str(folder)), r"'caf\xe9', 'cafe\u0301', which look alike. " + remedy)


def test_a_class_in_capitals_in_one_split_alone_is_recognised(folder: Path) -> None:
    named(folder, {"train/Cat": 9, "train/dog": 9, "test/cat": 5, "test/dog": 5})
    complaint(lambda: load(str(folder)), "class 'cat' has no image to train on. Write it as 'Cat', which has some.")


def test_images_outside_the_class_folders_have_a_remedy_of_their_own(folder: Path) -> None:
    """As on Kaggle, where only the training images have classes."""
    named(folder, {"train/a": 9, "train/b": 9, "test": 6})
    complaint(lambda: load(str(folder)), "6 outside the class folders", "Sort them into folders of their classes")


def test_a_class_or_a_split_that_vanishes_stops(folder: Path) -> None:
    named(folder, {"train/a": 60, "train/b": 60, "test/a": 5})
    for number in range(2):
        grey(folder / "train" / "c" / f"{number}.png", size=(9, 5))
    complaint(lambda: load(str(folder)), "125 of 127 images are used: 2 of another size", "none of 'c'")
    for path in (folder / "train" / "c").iterdir():
        path.unlink()
    for path in (folder / "test" / "a").iterdir():
        path.write_bytes(b"no")
    complaint(lambda: load(str(folder)), "120 of 125 images are used", "none of 'test'", "Repair")


def test_a_folder_that_cannot_be_read_stops(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named(folder, {"a": 5, "b": 5})
    real = os.scandir

    def refusing(path: str) -> object:
        if str(path).endswith("/b"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", refusing)
    complaint(lambda: load(str(folder)), "permission denied", "own/b")


@pytest.mark.parametrize(
    "error", [MemoryError(), OSError(12, "Cannot allocate memory"), OSError("out of memory error when reading image")]
)
def test_too_little_memory_is_not_damage(folder: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    some(folder)

    def failing(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Image.Image, "convert", failing)
    with pytest.raises(MemoryError):
        load(str(folder))


# Values, sizes and ink


@pytest.mark.parametrize(
    ("most", "shift", "bits"),
    [(0xFF, 0, 8), (0x3E8, 2, 10), (0xFA0, 4, 12), (0x3000, 6, 14), (0xF000, 8, 16)],
)
def test_sixteen_bits_are_scaled_by_the_range_that_is_used(folder: Path, most: int, shift: int, bits: int) -> None:
    folder.mkdir()
    rng = np.random.default_rng(0)
    given = rng.integers(0, most, (12, 6, 7), endpoint=True, dtype=np.uint16)
    given[3, 2, 2] = most
    for number, pixels in enumerate(given):
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
    data = load(str(folder))
    got = np.concatenate([split.images[..., 0] for split in data.splits.values()])
    assert sorted(image.tobytes() for image in got) == sorted(
        (given >> shift).astype(np.uint8)[at].tobytes() for at in range(12)
    )
    assert data.notes == (
        () if bits == 16 else (f"16-bit images with values to {most:,} are taken for {bits}-bit ones",)
    )


def test_images_of_eight_bits_among_those_of_sixteen_stay(folder: Path) -> None:
    some(folder, 20)
    Image.fromarray(np.arange(24, dtype=np.uint16).reshape(4, 6) * 256).save(folder / "deep.png")
    assert values(load(str(folder))) == sorted([*range(20), 0])


def test_images_of_all_sizes_can_be_resized(folder: Path) -> None:
    """Resizing averages areas, keeps the aspect ratio, and fills the rest with the paper of each image."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(30):
        height, width = rng.integers(24, 80, 2)
        pixels = np.full((height, width), 240, np.uint8)
        pixels[height // 3 : -height // 3, width // 3 : -width // 3] = 40
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
    complaint(lambda: load(str(folder)), "1 of 30 images is used", "--set data.resize")
    data = load(str(folder), resize="16x24")
    assert data.image_shape == (16, 24, 1)
    assert data.skipped == {}
    assert data.notes == ("dark ink on light paper: the images are inverted (data.ink=light takes them as they are)",)
    for image in data.train.images[..., 0]:
        assert (image[0] == 15).all()
        assert (image[:, 0] == 15).all()
        assert image[8, 12] > 100


@pytest.mark.slow
def test_ink_of_a_folder_is_recognised_and_can_be_given(folder: Path) -> None:
    digits = load("mnist").test.images[:60, :, :, 0]
    folder.mkdir()
    for number, digit in enumerate(digits):
        Image.fromarray(255 - digit).save(folder / f"{number:02}.png")
    data = load(str(folder))
    got = {image.tobytes() for split in data.splits.values() for image in split.images}
    assert got == {digit.tobytes() for digit in digits}
    assert any("inverted" in note for note in data.notes)
    assert load(str(folder), ink="dark").digest == data.digest
    plain = load(str(folder), ink="light")
    np.testing.assert_array_equal(plain.train.images, 255 - data.train.images)
    assert plain.notes == ()


def test_transparent_ink_is_on_paper(folder: Path) -> None:
    """Black ink that is in the alpha channel only, as drawing programs save it, is read as ink on paper."""
    digits = load("mnist").test.images[:30, :, :, 0]
    folder.mkdir()
    for number, digit in enumerate(digits):
        Image.merge("LA", [Image.new("L", (28, 28)), Image.fromarray(digit)]).save(folder / f"{number:02}.png")
    got = {image.tobytes() for split in load(str(folder)).splits.values() for image in split.images}
    assert got == {digit.tobytes() for digit in digits}


def test_white_ink_on_nothing_is_not_lost(folder: Path) -> None:
    """On white paper it could not be seen. A picture without any ink, in which nothing can be seen, stays paper."""
    digits = load("mnist").test.images[:30, :, :, 0]
    folder.mkdir()
    for number, digit in enumerate(digits):
        Image.merge("LA", [Image.new("L", (28, 28), 255), Image.fromarray(digit)]).save(folder / f"{number:02}.png")
    Image.new("LA", (28, 28), 0).save(folder / "nothing.png")
    data = load(str(folder))
    got = {image.tobytes() for split in data.splits.values() for image in split.images}
    assert got == {*(digit.tobytes() for digit in digits), bytes([255]) * 28 * 28}


def test_images_with_the_name_of_a_known_set_are_not_passed_over_in_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load("mnist").notes == ()
    some(Path("mnist"), 20)
    (note,) = load("mnist").notes
    assert "mnist is the known set; the images in ./mnist are not read" in note
    assert load("mnist").digest == load("MNIST").digest
    assert len(load("./mnist").train) == 16
    (note,) = load("mnist", tmp_path).notes
    assert f"the images in {tmp_path}/mnist are not read" in note


@pytest.mark.parametrize("labels", ["labels/{}.txt", "masks/{}.png"])
@pytest.mark.parametrize("place", ["train", "."])
def test_layouts_for_other_tasks_are_told(folder: Path, labels: str, place: str) -> None:
    """In YOLO's layout and in those with masks, images of all classes lie in one folder, so no class can be known."""
    for number in range(9):
        grey(folder / place / "images" / f"{number}.png", number)
        label = folder / place / labels.format(number)
        label.parent.mkdir(exist_ok=True)
        grey(label, 30 + number) if label.suffix == ".png" else label.write_text("0 0.5 0.5 1 1", "utf-8")
    (note,) = (note for note in load(str(folder)).notes if "taken for" in note)
    classes = "images, masks" if "masks" in labels else "images"
    assert note.startswith(f"folders taken for classes: {classes}; labels are read from no file, so put the images of")


def test_a_class_may_be_called_images(folder: Path) -> None:
    """Beside other classes it is one."""
    for name in ("images", "texts"):
        for number in range(9):
            grey(folder / name / f"{number}.png", number + len(name))
    assert not any("taken for" in note for note in load(str(folder)).notes)
