"""The reader of ``.npz`` files: what it accepts, what it refuses, and that no other error comes out."""

from __future__ import annotations

import io
import os
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_files import complaint, numbers, one_line, pixels
from inkgan.data import DataSet, load
from inkgan.data.loading import read_path
from inkgan.data.sets import ReadingOptions
from inkgan.errors import DataError

pytestmark = pytest.mark.usefixtures("only_embedded_data")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "mine.npz"


def having(file: Path, **arrays: Any) -> DataSet:
    np.savez(file, **arrays)
    return load(str(file))


def everything(data: DataSet) -> np.ndarray:
    return np.sort(np.concatenate([split.images.reshape(len(split), -1)[:, 0] for split in data.splits.values()]))


def marked(values: np.ndarray) -> np.ndarray:
    """Images of 4x6 with one value each; their last pixel differs, so that they are not constant."""
    images = np.repeat(values, 24).reshape(len(values), 4, 6)
    images[:, -1, -1] = values.max() - values
    return images


def test_images_and_labels(file: Path) -> None:
    images = marked(np.arange(50, dtype=np.uint8))
    data = having(file, images=images, labels=numbers(50, 5))
    assert data.name == "mine"
    assert data.image_shape == (4, 6, 1)
    assert [len(split) for split in data.splits.values()] == [40, 5, 5]
    assert everything(data).tolist() == list(range(50))  # nothing lost, nothing twice
    assert data.class_names == ("0", "1", "2", "3", "4")
    for split in data.splits.values():
        assert split.labels is not None
        np.testing.assert_array_equal(split.images[:, 0, 0, 0] % 5, split.labels)


def test_what_is_held_out_never_changes(file: Path) -> None:
    images = marked(np.arange(50, dtype=np.uint8))
    data = having(file, images=images)
    assert data.validation.images[:, 0, 0, 0].tolist() == VALIDATION
    assert data.test.images[:, 0, 0, 0].tolist() == TEST
    assert data.class_names == ()
    assert data.train.labels is None


VALIDATION = [2, 32, 33, 42, 43]
TEST = [4, 6, 18, 41, 49]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (np.array([0.0, 0.5, 1.0], np.float32), [0, 128, 255]),
        (np.array([0.0, 0.1, 1.0], np.float64), [0, 26, 255]),
        (np.array([0, 200, 255], np.int64), [0, 200, 255]),
        (np.array([0.0, 200.0, 255.0], np.float32), [0, 200, 255]),
        (np.array([0, 1, 200]), [0, 1, 200]),
    ],
)
def test_other_numbers_become_bytes(file: Path, given: np.ndarray, expected: list[int]) -> None:
    data = having(file, images=marked(given))
    assert everything(data).tolist() == expected


def test_truth_values_become_bytes(file: Path) -> None:
    images = np.zeros((5, 4, 6), bool)
    images[:, 1] = True
    assert np.unique(having(file, images=images).train.images[:, 1]).tolist() == [255]


def test_channels_first_and_last(file: Path) -> None:
    assert having(file, images=pixels(5, 8, 9, 3)).image_shape == (8, 9, 3)
    assert having(file, images=pixels(5, 3, 8, 9)).image_shape == (8, 9, 3)
    assert having(file, images=np.asfortranarray(pixels(5, 8, 9))).image_shape == (8, 9, 1)


def test_a_data_folder_holds_npz_files_by_name(file: Path) -> None:
    np.savez(file, images=pixels(5, 8, 9))
    assert load("mine", file.parent).name == "mine"


class Canary:
    """An object that creates a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def test_pickles_are_refused_and_never_run(file: Path, tmp_path: Path) -> None:
    trap = np.empty(3, object)
    trap[0] = Canary(tmp_path / "ran")
    complaint(lambda: having(file, images=trap), "only numbers are read")
    complaint(lambda: having(file, images=pixels(3, 4, 4), labels=trap), "numbers and words are read", ".astype(str)")
    assert not (tmp_path / "ran").exists()


def test_bad_arrays(file: Path) -> None:
    good = pixels(5, 4, 4)
    complaint(lambda: having(file, pictures=good), "no array `images`", "pictures", "x_train", "arr_0")
    complaint(lambda: having(file, images=good[0]), "shape (4, 4)")
    complaint(lambda: having(file, images=good[0].reshape(1, 16)), "Check that they are images")
    complaint(lambda: having(file, images=pixels(5, 8, 8).reshape(5, 64)), "Reshape them to [N, 8, 8].")
    complaint(lambda: having(file, images=good[..., None, None]), "shape (5, 4, 4, 1, 1)")
    complaint(lambda: having(file, images=np.zeros((5, 4, 4, 2), np.uint8)), "[N, H, W, C]")
    complaint(lambda: having(file, images=good[:0]), "0 images")
    complaint(lambda: having(file, images=good[:2]), "at least 3")
    complaint(lambda: having(file, images=good.astype(np.float32) / 2), "fractions 0 to 1")
    complaint(lambda: having(file, images=np.full((5, 4, 4), np.nan)), "NaN or infinity in 80 pixels")
    complaint(lambda: having(file, images=good.astype(np.int16) - 1000), "0 to 255")
    complaint(lambda: having(file, images=np.full((5, 4, 4), "a")), "only numbers")
    complaint(lambda: having(file, images=good, labels=numbers(4)), "4 labels for 5 images")
    complaint(lambda: having(file, images=good, labels=np.full(5, 0.5)), "float64", "whole numbers")
    complaint(lambda: having(file, images=good, labels=np.array([0, 1, 2, 3, -1])), "a label is -1", "0 to")
    complaint(lambda: having(file, images=good, labels=np.array([0, 1, 2, 3, 10**6])), "a label is 1000000")
    complaint(lambda: having(file, images=good, labels=np.full(5, 2**64 - 1, np.uint64)), f"a label is {2**64 - 1},")


def test_bad_files(file: Path) -> None:
    complaint(lambda: load(str(file)), "does not exist")
    file.write_bytes(b"")
    complaint(lambda: load(str(file)), "is empty")
    file.write_bytes(b"hello")
    complaint(lambda: load(str(file)), "damaged or not an .npz file")
    np.savez(file, images=pixels(5, 4, 4))
    file.write_bytes(file.read_bytes()[:200])
    complaint(lambda: load(str(file)), "damaged or not an .npz file")
    with zipfile.ZipFile(file, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("images.npy", b"x")
    complaint(lambda: load(str(file)), "packed unusually")


def npy(shape: tuple[int, ...], content: bytes) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return buffer.getvalue() + content


@pytest.mark.slow
@pytest.mark.parametrize(
    ("member", "words"),
    [
        (npy((2_000_000, 28, 28), b""), "promises 1.6 GB"),
        (npy((200_000, 28, 28), bytes(200_000 * 784)), "unpacks from"),
        (npy((60_000, 6000, 6000), b""), "at most 2.1 GB"),
        (npy((1, 28, 28), bytes(150 * 2**20)), "promises 784 bytes"),
        (npy((-1, 28, 28), b""), "damaged"),
        (b"\x93NUMPY\x02\x00" + (12 * 2**20).to_bytes(4, "little") + bytes(12 * 2**20), "is damaged"),
    ],
)
def test_bombs_take_no_memory(file: Path, member: bytes, words: str) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("images.npy", member)
    del member
    tracemalloc.start()
    complaint(lambda: load(str(file)), words)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 2**20


def test_an_archive_that_lies_about_its_members_takes_no_memory(file: Path) -> None:
    member = npy((2_000_000, 28, 28), bytes(1000))
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", member)
    claimed = len(member) - 1000 + 2_000_000 * 28 * 28
    given = file.read_bytes()
    lying = given.replace(len(member).to_bytes(4, "little"), claimed.to_bytes(4, "little"))
    assert lying != given
    file.write_bytes(lying)
    tracemalloc.start()
    complaint(lambda: load(str(file)), "unpacks from")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 2**20


def labelled(data: DataSet) -> dict[str, list[str]]:
    """The class names of the images of each split."""
    return {
        name: [data.class_names[label] for label in split.labels]
        for name, split in data.splits.items()
        if split.labels is not None
    }


def test_classes_without_images_are_left_out_and_the_others_keep_their_names(file: Path) -> None:
    given = np.resize([2, 11, 5], 60)
    images = pixels(60, 8, 8)
    images[:, 0, 0] = given
    data = having(file, images=images, labels=given)
    assert data.class_names == ("2", "5", "11")
    assert data.notes == ("the labels are not 0 to 2: the classes are 2, 5, 11",)
    for split in data.splits.values():
        assert split.labels is not None
        assert split.labels.dtype == np.int64
        assert [int(data.class_names[label]) for label in split.labels] == split.images[:, 0, 0, 0].tolist()


def test_class_names_in_the_file(file: Path) -> None:
    images = pixels(40, 8, 8)
    given = np.resize([0, 2], 40)
    data = having(file, images=images, labels=given, class_names=["ab", "never", "ça/va"])
    assert data.class_names == ("ab", "ça/va")
    assert data.notes == ("2 of 3 classes have images: ab, ça/va",)
    complaint(lambda: having(file, images=images, labels=given, class_names=["a", "b"]), "a label is 2", "0 to 1")
    complaint(lambda: having(file, images=images, labels=given, class_names=["a", "b", "a"]), "a name twice")
    complaint(lambda: having(file, images=images, labels=given, class_names=np.arange(3)), "class_names", "int64")


def test_the_last_image_of_a_class_is_not_held_out(file: Path) -> None:
    """VALIDATION has the only image of class 1, which is trained on instead; sizes stay, and no image is used twice."""
    labels = np.zeros(50, np.int64)
    labels[VALIDATION[0]] = 1
    images = pixels(50, 8, 8)
    images[:, 0, 0] = np.arange(50)
    data = having(file, images=images, labels=labels)
    assert [len(split) for split in data.splits.values()] == [40, 5, 5]
    assert data.train.labels is not None
    assert data.train.images[data.train.labels == 1, 0, 0, 0].tolist() == [VALIDATION[0]]
    assert everything(data).tolist() == list(range(50))


def test_a_class_without_an_image_to_train_on_is_refused(file: Path) -> None:
    arrays = {
        "x_train": pixels(20, 8, 8),
        "y_train": numbers(20, 2),
        "x_test": pixels(9, 8, 8),
        "y_test": numbers(9, 3),
    }
    complaint(lambda: having(file, **arrays), "class '2' has no image to train on")
    complaint(lambda: having(file, images=pixels(9, 8, 8), labels=np.arange(9)), "has no image to train on")


@pytest.mark.parametrize(
    "given",
    [
        numbers(30, 3)[:, None],
        np.eye(3, dtype=np.float32)[numbers(30, 3)],
        np.eye(3, dtype=bool)[numbers(30, 3)],
        numbers(30, 3).astype(np.float64),
        np.array(["0", "1", "2"])[numbers(30, 3)],
    ],
)
def test_labels_in_other_forms(file: Path, given: np.ndarray) -> None:
    images = pixels(30, 8, 8)
    plain = having(file, images=images, labels=numbers(30, 3))
    assert having(file, images=images, labels=given).digest == plain.digest


def test_labels_that_are_words(file: Path) -> None:
    words = np.array(["pear", "apple", "fig"])[numbers(30, 3)]
    images = pixels(30, 8, 8)
    images[:, 0, 0] = numbers(30, 3)
    data = having(file, x=images, y=words)
    assert data.class_names == ("apple", "fig", "pear")
    for name, split in data.splits.items():
        assert labelled(data)[name] == [("pear", "apple", "fig")[at] for at in split.images[:, 0, 0, 0]]


def test_splits_of_two_sizes_are_resized(file: Path) -> None:
    np.savez(file, x_train=pixels(30, 28, 28), x_test=pixels(6, 20, 20))
    complaint(lambda: load(str(file)), "all must have one size")
    data = load(str(file), resize=28)
    assert {split.image_shape for split in data.splits.values()} == {(28, 28, 1)}


def test_arrays_that_would_be_too_large_are_not_resized(file: Path) -> None:
    np.savez(file, images=pixels(200, 8, 8))
    complaint(lambda: load(str(file), resize=(4096, 4096)), "3.4 GB", "Use fewer")


def test_words_that_are_numbers_are_in_the_order_of_their_values(file: Path) -> None:
    """As folders with such names are."""
    images, words = pixels(30, 8, 8), np.array(["10", "9", "2"])[numbers(30, 3)]
    data = having(file, images=images, labels=words)
    assert data.class_names == ("2", "9", "10")
    word_of = {image.tobytes(): word for image, word in zip(images, words.tolist(), strict=True)}
    assert data.train.labels is not None
    named = [data.class_names[label] for label in data.train.labels]
    assert named == [word_of[image.tobytes()] for image in data.train.images]


def test_labels_that_are_words_in_one_split_only(file: Path) -> None:
    """Which number means which word cannot be known."""
    words = np.array(["pear", "apple", "fig"])[numbers(30, 3)]
    arrays = {"x_train": pixels(30, 8, 8), "y_train": words, "x_test": pixels(6, 8, 8), "y_test": numbers(6, 3)}
    complaint(lambda: having(file, **arrays), "words as labels", "Save all as words")


def test_names_of_classes_that_are_words_already_are_not_used(file: Path) -> None:
    words = np.array(["pear", "apple", "fig"])[numbers(30, 3)]
    data = having(file, images=pixels(30, 8, 8), labels=words, class_names=["pear", "apple", "fig"])
    assert data.class_names == ("apple", "fig", "pear")
    assert data.notes == ("arrays that are not used: class_names",)
    assert having(file, images=pixels(30, 8, 8), labels=words, class_names=sorted(set(words))).notes == ()


def framed(count: int, *, dark: bool) -> np.ndarray:
    """Images of a filled square in the middle, in ink of one kind."""
    images = np.zeros((count, 12, 12), np.uint8)
    images[:, 4:8, 4:8] = 255
    return 255 - images if dark else images


@pytest.mark.parametrize("dark", [False, True])
def test_a_split_of_the_contrary_ink_is_reported(file: Path, dark: bool) -> None:
    notes = having(file, x_train=framed(30, dark=dark), x_test=framed(20, dark=not dark)).notes
    assert [note for note in notes if note.startswith("test images look like")]
    alike = having(file, x_train=framed(30, dark=dark), x_test=framed(20, dark=dark)).notes
    assert not [note for note in alike if note.startswith("test images look like")]
    unclear = having(file, x_train=pixels(30, 12, 12), x_test=framed(20, dark=dark)).notes
    assert not [note for note in unclear if note.startswith("test images look like")]


def test_grey_images_in_colour_are_reported(file: Path) -> None:
    grey = np.repeat(pixels(30, 8, 8)[..., None], 3, axis=3)
    (note,) = having(file, images=grey).notes
    assert "red, green and blue are equal" in note
    grey[0, 0, 0, 0] ^= 1
    assert having(file, images=grey).notes == ()


@pytest.mark.parametrize("code", [0x11_0000, 0xFFFF_FFFF], ids=hex)
def test_words_with_numbers_that_are_no_characters(file: Path, code: int) -> None:
    """Words with numbers that are no Unicode characters mean that the file is damaged."""
    words = np.array(["a", "b"])[numbers(30, 2)]
    words.view(np.uint32)[3] = code
    complaint(lambda: having(file, images=pixels(30, 8, 8), labels=words), "is damaged", "Write it again")


def test_names_of_classes_that_no_model_could_keep(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such names are refused before a run trains on them; images that are only measured may have them."""
    words = np.array(["a" * 256, "b" * 255])[numbers(30, 2)]
    images = pixels(30, 8, 8)
    complaint(lambda: having(file, images=images, labels=words), "a name of 256 characters", "keeps up to 255")
    assert len(read_path(file, ReadingOptions(for_training=False)).class_names) == 2
    shorter = np.array(["a" * 255, "b" * 255])[numbers(30, 2)]
    assert len(having(file, images=images, labels=shorter).class_names) == 2
    monkeypatch.setattr("inkgan.data.sets._LARGEST_CLASS_NAMES", 500)
    complaint(lambda: having(file, images=images, labels=shorter), "the names of its 2 classes take", "Give shorter")


@pytest.mark.parametrize("name", ["", "fi\\ng"])
def test_words_that_name_no_class(file: Path, name: str) -> None:
    """A class name must not be empty, and must differ from the others in its printable form."""
    words = np.array(["fi\ng", "apple", name])[numbers(30, 3)]
    complaint(lambda: having(file, images=pixels(30, 8, 8), labels=words), "`labels`", "Give each class its own")


@pytest.mark.parametrize(
    "names",
    [
        {"x_train": 0, "y_train": 1, "x_test": 2, "y_test": 3},
        {"train_images": 0, "train_labels": 1, "test_images": 2, "test_labels": 3},
        {"X_TRAIN": 0, "Y_TRAIN": 1, "X_TEST": 2, "Y_TEST": 3},
        {"images-training": 0, "targets-training": 1, "images-testing": 2, "targets-testing": 3},
        {"images": 0, "labels": 1, "test_images": 2, "test_labels": 3},
    ],
)
def test_splits_of_the_file_are_used(file: Path, names: dict[str, int]) -> None:
    """Names as in Keras' mnist.npz, MedMNIST and others are known; a missing validation is a tenth of train."""
    arrays = (pixels(40, 8, 8), numbers(40, 4), pixels(7, 8, 8, seed=1), numbers(7, 4)[:, None])
    data = having(file, **{name: arrays[at] for name, at in names.items()})
    assert [len(split) for split in data.splits.values()] == [36, 4, 7]
    np.testing.assert_array_equal(data.test.images[..., 0], arrays[2])
    assert data.test.labels is not None
    assert data.test.labels.tolist() == arrays[3].ravel().tolist()
    assert data.notes == ()


def test_validation_in_the_file(file: Path) -> None:
    sizes = {"train": 30, "val": 5, "test": 6}
    arrays = {f"{split}_images": pixels(count, 8, 8, 3, seed=count) for split, count in sizes.items()}
    data = having(file, **arrays, **{f"{split}_labels": numbers(count, 2) for split, count in sizes.items()})
    np.testing.assert_array_equal(data.train.images, arrays["train_images"])
    np.testing.assert_array_equal(data.validation.images, arrays["val_images"])
    np.testing.assert_array_equal(data.test.images, arrays["test_images"])


@pytest.mark.parametrize("name", ["arr_0", "samples", "data", "x", "image"])
def test_other_names_of_images(file: Path, name: str) -> None:
    images = pixels(20, 8, 8)
    assert having(file, **{name: images}).digest == having(file, images=images).digest


def test_a_file_of_very_many_arrays(file: Path) -> None:
    """A file with more than 1,000 arrays is refused without looking at each of them."""
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(1001):
            archive.writestr(f"{number}.npy", b"")
    complaint(lambda: load(str(file)), "more than 1,000 arrays")


def test_a_file_without_names_and_a_bare_array(file: Path) -> None:
    images = pixels(20, 8, 8)
    np.savez(file, images, numbers(20, 2))
    data = load(str(file))
    assert data.class_names == ("0", "1")
    np.save(file.with_suffix(".npy"), images)
    assert load(str(file.with_suffix(".npy"))).digest == having(file, images=images).digest
    np.save(file.with_suffix(".npy"), np.array([{}], object))
    complaint(lambda: load(str(file.with_suffix(".npy"))), "only numbers are read")
    file.with_suffix(".npy").write_bytes(npy((500, 1000, 1000), b"few"))
    complaint(lambda: load(str(file.with_suffix(".npy"))), "promises 500.0 MB")


def test_arrays_of_the_same_meaning_or_of_none(file: Path) -> None:
    images = pixels(20, 8, 8)
    complaint(lambda: having(file, images=images, x_train=images), "`images`", "`x_train`", "both images for train")
    complaint(lambda: having(file, x_test=images, test_images=images), "both images for test")
    complaint(lambda: having(file, images=images, y_test=numbers(4)), "no array `images` for test")
    complaint(lambda: having(file, x_test=images), "no array `images` for train")
    assert having(file, images=images, boxes=numbers(4)).notes == ("arrays that are not used: boxes",)


def test_a_member_with_a_damaged_name_is_reported(file: Path) -> None:
    """A changed name in the archive's directory alone is damage; in both places it is the name of another array."""
    np.savez(file, images=pixels(20, 8, 8), labels=numbers(20, 2))
    good = file.read_bytes()
    at = good.rindex(b"labels.npy")
    file.write_bytes(good[:at] + b"lebels.npy" + good[at + 10 :])
    complaint(lambda: load(str(file)), "is damaged")
    file.write_bytes(good.replace(b"labels.npy", b"lebels.npy"))
    data = load(str(file))
    assert data.class_names == ()
    assert data.notes == ("arrays that are not used: lebels",)


def test_too_little_memory_is_not_damage(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def greedy(*_: object, **__: object) -> None:
        raise MemoryError

    np.savez(file, images=pixels(20, 8, 8))
    monkeypatch.setattr(np.lib.format, "read_array", greedy)
    with pytest.raises(MemoryError):
        load(str(file))


def _good(compress: bool) -> bytes:
    buffer = io.BytesIO()
    (np.savez_compressed if compress else np.savez)(buffer, images=pixels(5, 4, 4), labels=numbers(5))
    return buffer.getvalue()


GOOD = (_good(compress=False), _good(compress=True))


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "fuzz.npz"


@pytest.mark.slow
@settings(max_examples=400)
@given(
    content=st.sampled_from(GOOD),
    changes=st.lists(st.tuples(st.integers(0, 1100), st.integers(0, 255)), max_size=4),
    cut=st.none() | st.integers(0, 400),
)
def test_fuzz_damaged_archives(fuzzed: Path, content: bytes, changes: list[tuple[int, int]], cut: int | None) -> None:
    changed = bytearray(content)
    for at, value in changes:
        changed[at % len(changed)] = value
    _only_data_errors(fuzzed, bytes(changed if cut is None else changed[: len(changed) - cut]))


@pytest.mark.slow
@settings(max_examples=200)
@given(
    header=st.text(max_size=80)
    | st.builds(
        "{{'descr': {!r}, 'fortran_order': {}, 'shape': {}}}".format,
        st.sampled_from(["|u1", "<f4", ">i8", "|O", "<U3", "<c8", "|V4", "|b1", "<M8[s]"]),
        st.booleans(),
        st.lists(st.integers(-2, 9) | st.integers(), max_size=5).map(tuple),
    ),
    content=st.binary(max_size=100),
)
def test_fuzz_array_headers(fuzzed: Path, header: str, content: bytes) -> None:
    text = header.encode("latin-1", "replace")
    member = b"\x93NUMPY\x01\0" + len(text).to_bytes(2, "little") + text + content
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("images.npy", member)
    _only_data_errors(fuzzed, buffer.getvalue())


def _only_data_errors(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    try:
        data = load(str(path))
    except DataError as error:
        one_line(error, path)
    else:
        assert data.train.images.dtype == np.uint8
        assert data.train.images.shape[3] in (1, 3)
