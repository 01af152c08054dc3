"""Folders of images: the layouts, what becomes of each kind of picture, and that hostile files do nothing."""

from __future__ import annotations

import os
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_files import complaint, isolate
from inkgan.data import DataSet, load
from inkgan.data.inventory import inventory


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    isolate(monkeypatch, tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "own"


def grey(path: Path, value: int = 100, size: tuple[int, int] = (6, 4)) -> Path:
    """Write a grey picture; ``size`` is (width, height), as Pillow has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, value).save(path)
    return path


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


def test_a_class_may_be_called_as_an_idx_file(folder: Path) -> None:
    for name in ("train-images", "test-images"):
        some(folder / name, 20)
    assert load(str(folder)).class_names == ("test-images", "train-images")


def test_hugging_face_layout(folder: Path) -> None:
    for split, count in (("train", 20), ("test", 5)):
        for number in range(count):
            grey(
                folder / split / ("cat", "dog")[number % 2] / f"{number}.png",
                number + 100 * (split == "test"),
            )
    grey(folder / "elsewhere" / "x.png")
    data = load(str(folder))
    assert [len(split) for split in data.splits.values()] == [18, 2, 5]
    assert sorted(data.test.images[:, 0, 0, 0].tolist()) == [100, 101, 102, 103, 104]
    learned_from = np.concatenate([data.train.images, data.validation.images])
    assert sorted(learned_from[:, 0, 0, 0].tolist()) == list(range(20))
    assert data.class_names == ("cat", "dog")
    assert data.skipped == {"outside train/, validation/ and test/": 1}
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
    Image.new("RGB", (6, 4), (50, 50, 50)).save(folder / "grey-in-colour.png")
    assert load(str(folder)).image_shape == (4, 6, 1)
    Image.new("RGB", (6, 4), (250, 60, 70)).save(folder / "red.png")
    data = load(str(folder))
    assert data.image_shape == (4, 6, 3)
    every = np.concatenate([split.images for split in data.splits.values()])
    assert (every == (250, 60, 70)).all(axis=(1, 2, 3)).sum() == 1
    assert sorted(every[:, 0, 0, 2].tolist()) == [*range(10), 50, 70]


def _transparent(path: Path) -> None:
    image = Image.new("RGBA", (6, 4), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (0, 0, 3, 4))
    image.save(path)


def _palette(path: Path) -> None:
    image = Image.new("P", (6, 4), 1)
    image.putpalette([0, 0, 0, 90, 90, 90])
    image.save(path)


def _sixteen_bits(path: Path) -> None:
    Image.fromarray(np.full((4, 6), 0x5AFF, np.uint16)).save(path)


def _turned(path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    Image.new("L", (4, 6), 77).save(path, exif=exif)


KINDS: list[tuple[str, Callable[[Path], object], list[int]]] = [
    ("rgba.png", _transparent, [0, 255]),
    ("palette.png", _palette, [90, 90]),
    ("sixteen.png", _sixteen_bits, [0x5A, 0x5A]),
    ("sixteen.tif", _sixteen_bits, [0x5A, 0x5A]),
    ("one-bit.png", lambda path: Image.new("1", (6, 4), 1).save(path), [255, 255]),
    ("la.png", lambda path: Image.new("LA", (6, 4), (0, 0)).save(path), [255, 255]),
    ("cmyk.tif", lambda path: Image.new("CMYK", (6, 4), (0, 0, 0, 0)).save(path), [255, 255]),
    ("cmyk.jpg", lambda path: Image.new("CMYK", (6, 4), (0, 0, 0, 255)).save(path), [0, 0]),
    ("jpeg.JPG", lambda path: Image.new("L", (6, 4), 77).save(path, "JPEG"), [77, 77]),
    ("bitmap.bmp", lambda path: Image.new("L", (6, 4), 77).save(path), [77, 77]),
    ("graphics.gif", lambda path: Image.new("L", (6, 4), 77).save(path), [77, 77]),
    ("lossless.webp", lambda path: Image.new("RGB", (6, 4), (7, 7, 7)).save(path, lossless=True), [7, 7]),
    ("tiff-renamed.png", lambda path: Image.new("L", (6, 4), 77).save(path, "TIFF"), [77, 77]),
    ("turned.jpg", _turned, [77, 77]),
]


@pytest.mark.parametrize(("name", "write", "expected"), KINDS, ids=[kind[0] for kind in KINDS])
def test_kinds_of_pictures(folder: Path, name: str, write: Callable[[Path], object], expected: list[int]) -> None:
    folder.mkdir()
    for number in range(3):
        write(folder / f"{number}-{name}")
    data = load(str(folder))
    assert data.skipped == {}
    assert data.image_shape == (4, 6, 1)
    assert [int(data.test.images[0, 0, 0, 0]), int(data.test.images[0, 0, -1, 0])] == expected


def _png(width: int, height: int, content: bytes) -> bytes:
    """A PNG whose header says what it likes."""

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
    ("empty.png", lambda path: path.touch(), "empty file"),
    ("cut.png", lambda path: path.write_bytes(grey(path).read_bytes()[:50]), "truncated or damaged"),
    ("bare.png", lambda path: path.write_bytes(_png(6, 4, b"nonsense")), "truncated or damaged"),
    ("bomb.png", lambda path: path.write_bytes(_png(50_000, 50_000, b"")), "larger than 4096 pixels a side"),
    ("big.png", lambda path: path.write_bytes(_png(5000, 4, b"")), "larger than 4096 pixels a side"),
    (
        "text.png",
        lambda path: path.write_text("hello"),
        "not PNG, JPEG, BMP, GIF, TIFF or WEBP by its content",
    ),
    (
        "ppm.png",
        lambda path: Image.new("L", (6, 4)).save(path, "PPM"),
        "not PNG, JPEG, BMP, GIF, TIFF or WEBP",
    ),
    ("frames.gif", _animated, "more than one frame"),
    ("pages.tif", _animated, "more than one frame"),
    ("float.tif", lambda path: Image.new("F", (6, 4)).save(path), "32 bits a pixel"),
    ("int.tif", lambda path: Image.new("I", (6, 4)).save(path), "32 bits a pixel"),
    ("other.png", lambda path: grey(path, size=(7, 4)), "of another size than 4x6"),
    ("notes.txt", lambda path: path.write_text("hello"), "not an image by its name"),
    (
        "loop.png",
        lambda path: path.symlink_to(path.name),
        "cannot be read (too many levels of symbolic links)",
    ),
    ("gone.png", lambda path: path.symlink_to("nowhere"), "cannot be read (no such file or directory)"),
    ("pipe.png", os.mkfifo, "not a regular file"),
    ("device.png", lambda path: path.symlink_to("/dev/zero"), "not a regular file"),
    ("large.png", _sparse, "file larger than 64 MiB"),
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
    assert reason in given
    assert values(data) == list(range(10))


def test_all_hostile_files_at_once(folder: Path) -> None:
    some(folder)
    for name, write, _ in BAD:
        write(folder / name)
    data = load(str(folder))
    assert sum(data.skipped.values()) == len(BAD)
    assert values(data) == list(range(10))


def test_links_in_circles_end(folder: Path) -> None:
    some(folder / "a", 6)
    some(folder / "b", 6)
    (folder / "a" / "up").symlink_to(folder)
    (folder / "b" / "self").symlink_to(".")
    (folder / "other-a").symlink_to(folder / "a")
    data = load(str(folder))
    assert sum(map(len, data.splits.values())) == 12
    assert data.skipped == {"folder that was read already (a link)": 3}
    assert data.class_names == ("a", "b")


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
    complaint(lambda: load(str(folder)), "it is empty")
    (folder / "a.png").touch()
    complaint(lambda: load(str(folder)), "1 empty file")
    (folder / "a.png").write_bytes(_png(6, 4, b"nonsense"))
    complaint(lambda: load(str(folder)), "no image that can be used", "1 truncated or damaged")
    (folder / "a.png").unlink()
    some(folder, 2)
    complaint(lambda: load(str(folder)), "2 usable image(s); at least 3")
    some(tmp_path / "hf" / "test", 5)
    grey(tmp_path / "hf" / "train" / "x.png")
    complaint(lambda: load(str(tmp_path / "hf")), "at least 2")


def test_sets_too_large_for_memory_are_refused_before_they_are_read(folder: Path) -> None:
    folder.mkdir()
    image = _png(4096, 4096, b"")
    (folder / "0.png").write_bytes(image)
    for number in range(1, 140):
        (folder / f"{number}.png").hardlink_to(folder / "0.png")
    complaint(lambda: load(str(folder)), "140 images of 4096x4096x1 take 2.3 GB", "at most 2.1 GB")


def test_many_classes(folder: Path) -> None:
    picture = grey(folder / "0" / "x.png")
    for number in range(1, 2000):
        (folder / str(number)).mkdir()
        (folder / str(number) / "x.png").hardlink_to(picture)
    data = load(str(folder))
    assert len(data.class_names) == 2000
    assert sum(map(len, data.splits.values())) == 2000


def test_warnings_of_the_decoder_change_nothing(folder: Path) -> None:
    some(folder)
    # Of 100 million pixels Pillow warns, and here warnings are errors.
    (folder / "warned.png").write_bytes(_png(10_000, 10_000, b""))
    assert load(str(folder)).skipped == {"larger than 4096 pixels a side": 1}


def test_the_list_counts_image_folders(folder: Path) -> None:
    for label in ("x", "y"):
        some(folder / label, 4)
    entry = inventory(folder.parent)[-1]
    assert (entry.name, entry.images, entry.classes, entry.here) == ("own", 8, 2, True)
