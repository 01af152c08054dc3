"""MNIST as the tutorial splits it, its relatives, and sets of IDX files."""

from __future__ import annotations

import gzip
import io
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from data_files import PLAIN, complaint, idx_bytes, numbers, pixels, write_set
from fresh_process import modules_after
from inkgan.data import KNOWN, DataSet, Split, load
from inkgan.data.inventory import verify
from inkgan.data.known_sets import EMBEDDED
from inkgan.data.loading import absolute_name
from inkgan.data.sets import digest_of
from inkgan.data.splits import hold_out, shuffled
from inkgan.errors import ConfigError, DataError
from inkgan.images import sheet

pytestmark = pytest.mark.usefixtures("only_embedded_data")

LETTERS = KNOWN["emnist-letters"].files


@pytest.mark.slow
def test_mnist_is_embedded_and_split_as_in_the_tutorial() -> None:
    data, verdicts = verify({"name": "mnist", "directory": None})
    assert [len(split) for split in data.splits.values()] == [55_000, 5_000, 10_000]
    assert data.image_shape == (28, 28, 1)
    assert data.class_names == tuple("0123456789")
    assert data.source.startswith("embedded in inkgan")
    assert set(verdicts.values()) == {"SHA-256 as published"}
    # The first labels of the train file are 5 0 4 1 9, those of the test file 7 2 1 0 4.
    assert data.validation.labels is not None
    assert data.test.labels is not None
    assert data.validation.labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert data.test.labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert data.train.images.dtype == np.uint8
    assert data.digest == "a129a1a24620a9de9be06c51cf563c23b8b6296b4cb9bdfce61ea51fe1290a41"


@pytest.mark.slow
def test_importing_needs_neither_torch_nor_the_network() -> None:
    assert not {"torch", "scipy", "urllib.request"} & modules_after("import inkgan.data")


def test_emnist_is_turned_upright_and_counted_from_zero(tmp_path: Path) -> None:
    folder = tmp_path / "EMNIST" / "raw"
    folder.mkdir(parents=True)
    upright = pixels(52, 28, 28)
    stored = upright.transpose(0, 2, 1)
    arrays = (stored, numbers(52, 26) + 1, stored[:3], numbers(3, 26) + 1)
    for name, array in zip(LETTERS, arrays, strict=True):
        (folder / name).write_bytes(idx_bytes(array.astype(np.uint8)))
    data = load("emnist-letters", tmp_path)
    np.testing.assert_array_equal(data.test.images[..., 0], upright[:3])
    assert data.test.labels is not None
    assert [data.class_names[label] for label in data.test.labels] == ["A", "B", "C"]
    assert load(str(folder)).digest == data.digest  # even if nobody says which set it is


def test_classes_have_the_names_that_were_published_with_the_images() -> None:
    """As in the tables of Fashion-MNIST and KMNIST, and in NIST's mappings, which give the code of each character."""
    assert ", ".join(KNOWN["fashion-mnist"].class_names) == (
        "T-shirt/top, Trouser, Pullover, Dress, Coat, Sandal, Shirt, Sneaker, Bag, Ankle boot"
    )
    assert ", ".join(KNOWN["kmnist"].class_names) == "o, ki, su, tsu, na, ha, ma, ya, re, wo"
    codes = [*range(48, 58), *range(65, 91), *range(97, 123)]
    merged = [*codes[:36], 97, 98, 100, 101, 102, 103, 104, 110, 113, 114, 116]
    for name, expected in {
        "mnist": codes[:10],
        "emnist-balanced": merged,
        "emnist-byclass": codes,
        "emnist-bymerge": merged,
        "emnist-digits": codes[:10],
        "emnist-letters": codes[10:36],
        "emnist-mnist": codes[:10],
    }.items():
        assert KNOWN[name].class_names == tuple(map(chr, expected)), name


def test_any_idx_set_by_path_and_by_name(tmp_path: Path) -> None:
    names = tuple(f"my-{name}" for name in PLAIN)
    train, test = write_set(tmp_path / "mine" / "raw", names, shape=(48, 64, 3))
    for data in (load("mine", tmp_path), load(str(tmp_path / "mine"))):
        assert data.image_shape == (48, 64, 3)
        assert data.name == "mine"
        np.testing.assert_array_equal(data.test.images, test)
        kept = [*data.train.images, *data.validation.images]
        assert sorted(image.tobytes() for image in kept) == sorted(image.tobytes() for image in train)


def test_folders_with_the_names_of_idx_files_are_passed_over(tmp_path: Path) -> None:
    """MNIST as Kaggle has it: files with a dot in their names, and folders named like the files that are in them."""
    names = tuple(name.replace("-idx", ".idx") for name in PLAIN)
    for folder in PLAIN:
        write_set(tmp_path / folder, zipped=False)
    write_set(tmp_path, names, zipped=False)
    data = load(tmp_path)
    assert [len(split) for split in data.splits.values()] == [22, 2, 6]
    assert data.train.labels is not None
    write_set(tmp_path, zipped=True)  # beside the folders that they were unpacked to
    for name in names:
        (tmp_path / name).unlink()
    assert load(tmp_path).digest == data.digest
    assert load("kmnist", tmp_path).test.labels is not None


def test_of_two_damaged_idx_files_the_first_split_is_named(tmp_path: Path) -> None:
    write_set(tmp_path, zipped=False)
    for name in ("t10k-images-idx3-ubyte", "train-images-idx3-ubyte"):
        (tmp_path / name).write_bytes(b"version https://git-lfs.github.com/spec/v1")
    with pytest.raises(DataError, match="train-images-idx3-ubyte is not an IDX file"):
        load(tmp_path)


def test_idx_sets_in_the_order_of_their_classes(tmp_path: Path) -> None:
    """A tenth is held out for validation, but never all images of a class."""
    classes = np.arange(26, dtype=np.uint8)
    arrays = (pixels(104, 4, 4), classes.repeat(4), pixels(26, 4, 4, seed=1), classes)
    for name, array in zip(PLAIN, arrays, strict=True):
        (tmp_path / name).write_bytes(idx_bytes(array))
    data = load(str(tmp_path))
    assert (len(data.train), len(data.validation), len(data.test)) == (94, 10, 26)
    assert data.train.labels is not None
    assert set(data.train.labels.tolist()) == set(range(26))


def test_negatives_of_a_known_set(tmp_path: Path) -> None:
    """Its labels do not make a set the published one if its ink is said to be dark."""
    for images, labels, count in ((PLAIN[0], PLAIN[1], 60_000), (PLAIN[2], PLAIN[3], 10_000)):
        shutil.copy(EMBEDDED / "mnist" / f"{labels}.gz", tmp_path)
        (tmp_path / images).write_bytes(idx_bytes(pixels(count, 2, 2)))
    published, own = load(str(tmp_path)), load(str(tmp_path), ink="dark")
    assert (published.name, own.name) == ("mnist", tmp_path.name)
    assert own.test.images.sum() == 255 * own.test.images.size - published.test.images.sum()


@pytest.mark.parametrize("zipped", [False, True])
def test_the_names_of_idx_files_may_have_capitals(tmp_path: Path, zipped: bool) -> None:
    """As some archives and old file systems have them, even those of the endings."""
    train, _ = write_set(tmp_path, zipped=zipped)
    for path in list(tmp_path.iterdir()):
        path.rename(tmp_path / path.name.upper())
    data = load(str(tmp_path))
    labels = {image.tobytes(): label for image, label in zip(train, numbers(24).tolist(), strict=True)}
    assert data.train.labels is not None
    assert data.train.labels.tolist() == [labels[image.tobytes()] for image in data.train.images]
    assert (len(data.train), len(data.validation), len(data.test)) == (22, 2, 6)


def test_train_and_test_files_of_two_idx_sets_are_not_combined(tmp_path: Path) -> None:
    write_set(tmp_path, tuple(f"a-{name}" for name in PLAIN))
    for name in PLAIN[2:]:
        (tmp_path / f"a-{name}.gz").rename(tmp_path / f"b-{name}.gz")
    complaint(lambda: load(str(tmp_path)), "holds several sets", "a-train-images", "b-t10k-images")


def test_idx_sets_without_test_file_or_labels(tmp_path: Path) -> None:
    (tmp_path / "train-images.gz").write_bytes(gzip.compress(idx_bytes(pixels(20))))
    data = load(str(tmp_path))
    assert [len(split) for split in data.splits.values()] == [16, 2, 2]
    assert data.train.labels is None
    (tmp_path / "train-images.gz").rename(tmp_path / "test-images.gz")
    complaint(lambda: load(str(tmp_path)), "no train-images file")
    (tmp_path / "a-train-images").touch()
    (tmp_path / "b-train-images").touch()
    complaint(lambda: load(str(tmp_path)), "holds several sets")


@pytest.mark.parametrize("others", [["train-labels-idx2-int"], ["valid-images-idx3-ubyte", "valid-labels-idx1-ubyte"]])
def test_what_is_not_read_beside_idx_files_is_told(tmp_path: Path, others: list[str]) -> None:
    """Labels in another form, a split of another name; but neither hidden files nor the same files unpacked."""
    write_set(tmp_path)
    write_set(tmp_path, zipped=False)
    (tmp_path / ".DS_Store").touch()
    data = load(str(tmp_path))
    assert not data.skipped
    assert not any("read" in note for note in data.notes)
    for name in others:
        (tmp_path / name).touch()
    data = load(str(tmp_path))
    assert data.skipped == {"not named like MNIST's files": len(others)}
    assert data.notes[0].startswith(f"nothing is read from {', '.join(others)}, not named like MNIST's files, such as")


def test_files_that_do_not_belong_together(tmp_path: Path) -> None:
    folder = tmp_path / "MNIST" / "raw"
    write_set(folder, zipped=False)
    images, labels, test, test_labels = (folder / name for name in PLAIN)
    labels.write_bytes(idx_bytes(numbers(23)))
    complaint(lambda: load("mnist", tmp_path), "23 labels for 24 images", "train-labels")
    labels.write_bytes(idx_bytes(numbers(24) + 3))
    complaint(lambda: load("mnist", tmp_path), "a label is 12", "0 to 9")
    labels.write_bytes(images.read_bytes())
    complaint(lambda: load("mnist", tmp_path), "labels of shape (24, 28, 28)", "train-labels")
    labels.write_bytes(idx_bytes(numbers(24)))
    test.write_bytes(idx_bytes(pixels(6, 32, 32)))
    complaint(lambda: load("mnist", tmp_path), "test images are 32x32x1")
    test.write_bytes(test_labels.read_bytes())
    complaint(lambda: load("mnist", tmp_path), "images of shape (6,)", "t10k-images")
    test_labels.unlink()
    complaint(lambda: load("mnist", tmp_path), "t10k-labels-idx1-ubyte[.gz] is missing")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("fashion-minst", "Did you mean 'fashion-mnist'?"),
        ("emnist", "Did you mean 'emnist-balanced' or its relatives?"),
        ("qqqq", "inkgan data"),
        ("./gone", "does not exist"),
        ("gone.npz", "does not exist"),
        ("x" * 5000, "unknown data set"),
        ("nul\0byte", "unknown data set"),
        ("\x1b[31m", "unknown data set"),
        ("", "unknown data set"),
    ],
)
def test_unknown_names(name: str, words: str) -> None:
    complaint(lambda: load(name), words)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"name": Path("mnist")}, "A Path is never the name of a known set: give the text 'mnist'."),
        ({"name": None}, "the data set is None, not a name or a path"),
        ({"name": b"mnist"}, "the data set is b'mnist', not a name or a path"),
        ({"directory": 3}, "the folder of data sets is 3, not a name or a path"),
        ({"name": "qqqq", "directory": b"x"}, "the folder of data sets is b'x', not a name or a path"),
    ],
)
def test_names_of_another_type(
    given: dict[str, Any], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are refused as they were given, and nothing that was given is recommended."""
    monkeypatch.chdir(tmp_path)
    complaint(lambda: load(**given), words)


def test_the_progress_of_reading_is_a_function() -> None:
    with pytest.raises(ConfigError, match=r"progress is None\. Give a function that takes \(doing, done\)"):
        load("mnist", progress=None)  # type: ignore[arg-type]


def test_a_folder_that_may_not_be_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A set that is there, but out of reach, is not said to be missing."""
    real = Path.stat

    def refusing(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if path.parent.name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", refusing)
    complaint(lambda: load(tmp_path / "locked" / "x.npz"), "x.npz: permission denied", "Check its permissions")


def test_a_file_that_is_no_set(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello")
    complaint(lambda: load(str(tmp_path / "a.txt")), "is a single file. Give a folder of images, a folder of IDX files")
    (tmp_path / "a.ZIP").write_text("hello")
    complaint(lambda: load(str(tmp_path / "a.ZIP")), "is a single file. Unpack it, and give the folder")


def test_digest_sees_pixels_labels_and_order() -> None:
    first, second = (Split(pixels(5, 4, 4, 1, seed=seed), numbers(5).astype(np.int64)) for seed in (0, 1))
    digests = {digest_of([first, second]), digest_of([second, first])}
    digests.add(digest_of([first, Split(second.images, None)]))
    first.images[0, 0, 0, 0] ^= 1
    digests.add(digest_of([first, second]))
    assert second.labels is not None
    second.labels[0] += 1
    digests.add(digest_of([first, second]))
    assert len(digests) == 5


def test_held_out_parts_are_disjoint_and_complete() -> None:
    """Each keeps the order of the images."""
    every = np.arange(101, dtype=np.uint8)
    parts = [one.images.ravel().tolist() for one in hold_out(Split(every.reshape(101, 1, 1, 1), None), 2, "here")]
    assert [len(one) for one in parts] == [81, 10, 10]
    assert sorted(number for part in parts for number in part) == every.tolist()
    assert all(one == sorted(one) for one in parts)
    assert sorted(shuffled(1000).tolist()) == list(range(1000))
    assert shuffled(10).tolist() == FIXED


FIXED = [2, 4, 6, 8, 5, 1, 7, 0, 9, 3]


def test_paths_of_ones_own_are_made_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "sets").mkdir()
    np.savez(tmp_path / "sets" / "own.npz", images=pixels(5, 8, 8))
    monkeypatch.chdir(tmp_path)
    assert absolute_name("sets/own.npz", None) == str(tmp_path / "sets" / "own.npz")
    assert absolute_name("sets", tmp_path / "sets") == str(tmp_path / "sets")
    for unchanged in ("mnist", "Fashion_MNIST", "own", "gone.npz"):
        assert absolute_name(unchanged, tmp_path / "sets") == unchanged


@pytest.mark.parametrize("above", ["..", "below/../.."])
def test_the_folder_above_is_called_by_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, above: str) -> None:
    """Runs and pictures of the set are called after it."""
    write_set(tmp_path / "own")
    (tmp_path / "own" / "notes" / "below").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "own" / "notes")
    assert (load(above).name, absolute_name(above, None)) == ("own", str(tmp_path / "own"))


@pytest.mark.slow
def test_a_data_set_is_short_in_print_and_a_picture_in_notebooks() -> None:
    data = load("mnist")
    assert repr(data) == "<DataSet mnist: 55,000 + 5,000 + 10,000 images of 28x28x1, 10 classes>"
    assert str(data.test) == "<Split: 10,000 images of 28x28x1 with labels>"
    assert str(Split(data.test.images[:1], None)) == "<Split: 1 image of 28x28x1 without labels>"
    with Image.open(io.BytesIO(data._repr_png_())) as picture:
        shown = np.asarray(picture)
    assert shown.shape == (300, 300)
    np.testing.assert_array_equal(shown, np.asarray(sheet(data.examples(rows=10), 10)))
    assert shown[0, 0] == 255  # paper


@pytest.mark.parametrize(("channels", "paper"), [(1, 0), (3, 255)])
def test_examples_are_a_row_for_each_class(channels: int, paper: int) -> None:
    """Paper stands in for missing images."""
    images = np.repeat(np.arange(7, dtype=np.uint8), 4 * channels).reshape(7, 2, 2, channels)
    split = Split(images, np.array([1, 0, 1, 1, 0, 1, 1]))
    data = DataSet("few", split, split, Split(images, None), ("a", "b"), "here")
    assert data.examples(columns=3)[:, 0, 0, 0].tolist() == [1, 4, paper, 0, 2, 3]
    assert data.examples("test", columns=3)[:, 0, 0, 0].tolist() == list(range(7))
