"""What is measured: images of arrays and models, how many of them, their labels, and the notes about them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import inkgan
from inkgan.data import DataSet, Split
from inkgan.errors import CheckpointError, ConfigError, DataError, EvaluationError
from inkgan.evaluation.subject import draw, number_to_measure, open_subject, real_images
from inkgan.generation.model import Model
from inkgan.generation.numpy_networks import compact_shapes
from inkgan.images import Images

SIDE = 8


def strokes(count: int) -> Images:
    """White strokes at random places on black, uint8 [count, 8, 8, 1]."""
    images = np.zeros((count, SIDE, SIDE, 1), np.uint8)
    columns = np.random.default_rng(count).integers(0, SIDE, count)
    images[np.arange(count), 1:7, columns] = 255
    return images


def data(counts: Sequence[int] = (50, 50), test: int = 200, class_names: tuple[str, ...] = ("a", "b")) -> DataSet:
    """A set with this many training images of each class; it has no labels if it has no class names."""
    labels = np.repeat(np.arange(len(counts)), counts) if class_names else None
    train = Split(strokes(sum(counts)), labels)
    return DataSet("strokes", train, Split(strokes(9), None), Split(strokes(test), None), class_names, "here")


def model(class_names: Sequence[str]) -> Model:
    """An untrained model of these classes."""
    description = {
        "network": "compact", "image_shape": [SIDE, SIDE, 1], "num_classes": len(class_names), "latent_dim": 3,
        "channels": 8, "class_names": list(class_names),
    }  # fmt: skip
    rng = np.random.default_rng(0)
    shapes = compact_shapes((SIDE, SIDE, 1), len(class_names), 3, 8)
    return Model("small", description, {key: rng.standard_normal(shape, np.float32) for key, shape in shapes.items()})


def test_a_bundled_model_comes_before_a_folder_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fast").mkdir()
    monkeypatch.chdir(tmp_path)
    assert isinstance(open_subject("fast").source, Model)


@pytest.mark.parametrize("name", ["", "gone", "x" * 5000, "nul\0byte"])
def test_a_name_of_nothing_is_taken_for_that_of_a_model(name: str) -> None:
    """Even if the system refuses to look it up; the message says what else can be measured."""
    with pytest.raises(CheckpointError, match="or a folder of images can be measured, too"):
        open_subject(name)


@pytest.mark.parametrize("name", ["gone.npz", "x" * 5000 + ".npy"])
def test_a_file_of_arrays_that_is_not_there(name: str) -> None:
    with pytest.raises(DataError, match="is not a file"):
        open_subject(name)


def test_too_few_images_are_refused() -> None:
    with pytest.raises(EvaluationError, match="array has 127 images; at least 128 are needed"):
        open_subject(strokes(127))
    assert draw(open_subject(strokes(128)), 128, 0, data()).images.shape == (128, SIDE, SIDE, 1)


def test_arrays_have_channels_and_pixels_or_shares_of_ink() -> None:
    images = strokes(128)
    for same in (images, images[..., 0], images / 255, (images, None)):
        subject = open_subject(same)  # type: ignore[arg-type]
        assert isinstance(subject.source, Split)
        np.testing.assert_array_equal(subject.source.images, images)
        assert subject.source.labels is None
        assert subject.source.image_shape == (SIDE, SIDE, 1)


@pytest.mark.parametrize("kind", [object, "U3", complex, "M8[s]", [("ink", "u1")]], ids=str)
def test_arrays_of_other_types_are_refused(kind: Any) -> None:
    """Arrays of objects, words, complex numbers, dates or records are refused."""
    with pytest.raises(DataError, match="only numbers are read"):
        open_subject(strokes(128)[..., 0].astype(kind))


def test_what_cannot_be_an_array() -> None:
    """Other things, a tensor that requires a gradient, and lists of unequal lengths are refused with the reason."""
    images = strokes(128)
    for wrong in ({"images": images}, 3, [images], (images, images, images)):
        with pytest.raises(EvaluationError, match="give a path, a model, an array"):
            open_subject(wrong)  # type: ignore[arg-type]
    with pytest.raises(EvaluationError, match=r"the array cannot be read as an array: .*detach"):
        open_subject(torch.zeros(128, SIDE, SIDE, requires_grad=True))  # type: ignore[arg-type]
    with pytest.raises(EvaluationError, match=r"unsupported ScalarType BFloat16\. Give a NumPy array"):
        open_subject(torch.zeros(128, SIDE, SIDE, dtype=torch.bfloat16))  # type: ignore[arg-type]
    with pytest.raises(EvaluationError, match="the array of labels cannot be read"):
        open_subject((images, [[1], [2, 3]] * 64))
    with pytest.raises(DataError, match="the array: 127 labels for 128 images"):
        open_subject((images, np.repeat("a", 127)))


def test_labels_may_be_words_of_any_library() -> None:
    """The words of pandas are objects; bytes, as HDF5 has them, are refused with a remedy that helps."""
    images, words = strokes(128), np.array(["b", "a"] * 64)
    for given in (words, words.astype(object), words.tolist(), words.astype(np.dtypes.StringDType())):
        subject = open_subject((images, given))
        assert isinstance(subject.source, Split)
        assert subject.source.labels is not None
        assert np.array(subject.class_names)[subject.source.labels].tolist() == words.tolist()
    with pytest.raises(DataError, match=r"Decode words with \.astype\(str\)"):
        open_subject((images, words.astype(bytes)))
    with pytest.raises(DataError, match="object labels"):
        open_subject((images, np.array(["b", None] * 64)))


def test_images_of_another_size_are_refused() -> None:
    """Every subject is looked at, not the first alone. The advice also fits those who named the real images."""
    wide = np.zeros((128, SIDE, 9, 1), np.uint8)
    with pytest.raises(
        EvaluationError, match=r"array has images of 8x9x1, strokes has 8x8x1\. Convert them to that size, or"
    ):
        number_to_measure([open_subject(strokes(128)), open_subject(wide)], 128, data())
    with pytest.raises(EvaluationError, match=r"--set data\.resize=8x8 fits the images of files into it"):
        number_to_measure([open_subject(wide)], 128, data())
    with pytest.raises(EvaluationError, match=r"imitate\. --set data\.resize=28x28 fits those of strokes into it\.$"):
        number_to_measure([open_subject("fast")], 128, data())  # a model's own images cannot be converted
    coloured = np.zeros((128, SIDE, SIDE, 3), np.uint8)
    with pytest.raises(EvaluationError, match=r"imitate\.$"):
        number_to_measure([open_subject(coloured)], 128, data())


@pytest.mark.parametrize(
    ("n", "images", "held_out", "measured", "note"),
    [
        (None, 128, 200, 128, "n is 128, not 10,000: array has 128 images."),
        (None, 300, 200, 200, "n is 200, not 10,000: strokes has 200 held-out images."),
        (150, 150, 200, 150, ""),
        (150, 151, 150, 150, ""),
        (150, 149, 200, 149, "n is 149, not 150: array has 149 images."),
    ],
)
def test_no_more_are_measured_than_there_are(
    n: int | None, images: int, held_out: int, measured: int, note: str
) -> None:
    """A note says so; if the number was given, a warning says so, too."""
    asked = [open_subject(strokes(images)), open_subject(model("ab"))]
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        assert number_to_measure(asked, n, data(test=held_out)) == (measured, [note] if note else [])
    assert [str(one.message) for one in warned] == ([note] if n and note else [])


def test_too_few_real_images_are_refused() -> None:
    """The caller's own features need as many."""
    asked = [open_subject(strokes(128))]
    few = {"test .* it has 127": data(test=127), "training .* it has 99": data((50, 49))}
    for own_features in (True, False):
        for lacks, real in few.items():
            with pytest.raises(EvaluationError, match=rf"strokes has too few {lacks}"):
                number_to_measure(asked, None, real, own_features=own_features)


@pytest.mark.parametrize(("n", "images"), [(129, 200), (None, 129)])
def test_fewer_images_than_classes_are_refused(n: int | None, images: int) -> None:
    many = data([1] * 130, class_names=tuple(map(str, range(130))))
    with pytest.raises(EvaluationError, match="129 images cannot be measured against the 130 classes of strokes"):
        number_to_measure([open_subject(strokes(images))], n, many)


def test_the_seed_chooses_among_more_images() -> None:
    images = strokes(300)
    images[:, 0, 0, 0], images[:, 0, 1, 0] = np.divmod(np.arange(300), 256)
    labels = np.arange(300) % 2
    subject = open_subject((images, np.array(["a", "b"])[labels]))
    first, again, other = (draw(subject, 200, seed, data()) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.images, again.images)
    assert (first.images != other.images).any()
    chosen = 256 * first.images[:, 0, 0, 0].astype(int) + first.images[:, 0, 1, 0]
    assert len(set(chosen.tolist())) == 200
    np.testing.assert_array_equal(first.labels, labels[chosen])


def test_labels_are_matched_by_name() -> None:
    """Images of the classes b and a, in this order, get the numbers that the data give to these names."""
    subject = open_subject((strokes(128), np.array(["b", "a"] * 64)))
    sample = draw(subject, 128, 0, data(class_names=("a", "b", "c"), counts=(40, 40, 40)))
    assert sample.labels is not None
    assert sample.labels.tolist() == [1, 0] * 64
    assert sample.notes == ("array has no images of 'c': 1 of the 3 classes.",)


def test_names_that_look_alike_are_one_class() -> None:
    """Images of macOS have an é of two characters in the names of their folders."""
    subject = open_subject((strokes(128), np.array(["e\u0301", "a"] * 64)))
    sample = draw(subject, 128, 0, data(class_names=("a", "\xe9")))
    assert sample.labels is not None
    assert sample.labels.tolist() == [1, 0] * 64
    assert sample.notes == ()


def test_labels_of_other_classes_are_not_used() -> None:
    subject = open_subject((strokes(128), np.arange(128) % 2))
    for real, said in (
        (data(), "so there is no accuracy: strokes has no class '0', '1' (only 'a', 'b')."),
        (data(class_names=("0", "2")), "so there is no accuracy: strokes has no class '1' (only '0', '2')."),
        (data(class_names=()), "the labels of array are not used: strokes has none."),
    ):
        sample = draw(subject, 128, 0, real)
        assert sample.labels is None
        (note,) = sample.notes
        assert note.endswith(said)


def test_constant_images_are_noted_and_refused_if_there_are_no_others() -> None:
    images = strokes(128)
    assert draw(open_subject(images), 128, 0, data()).notes == ()
    images[:3] = 7
    assert draw(open_subject(images), 128, 0, data()).notes == (
        "constant images, one value in all their pixels: 3 of 128.",
    )
    with pytest.raises(EvaluationError, match="array: every image is constant, one value in all its pixels"):
        draw(open_subject(np.full_like(images, 7)), 128, 0, data())


def test_inverted_images_are_noted() -> None:
    (note,) = draw(open_subject(255 - strokes(128)), 128, 0, data()).notes
    assert note == "the images look inverted: their mean is 231, that of strokes is 24."


def test_grey_images_are_not_called_inverted() -> None:
    """A mean of 140 is a little closer to 231, that of the negatives, than to 24."""
    assert draw(open_subject(strokes(128) // 2 + 128), 128, 0, data()).notes == ()


def test_arrays_of_zeros_and_ones_are_refused() -> None:
    """They were meant to be 0 and 255, and would be measured as white paper."""
    with pytest.raises(DataError, match="the array: pixels are between 0 and 1, nearly one shade"):
        open_subject((strokes(3) > 127).astype(np.uint8))


def test_images_of_one_colour_are_constant() -> None:
    """A channel may differ from another."""
    images = np.full((128, 8, 8, 3), (200, 30, 30), np.uint8)
    with pytest.raises(EvaluationError, match="every image is constant"):
        draw(open_subject(images), 128, 0, data())


@pytest.mark.parametrize("names", [["model", "images"], ["images", "model"]])
def test_dark_ink_is_that_of_the_images_to_measure(names: list[str]) -> None:
    """Whatever comes first, a known set is read as it was published."""
    learned = model("0123456789")
    learned.description |= {"config": {"data": {"name": "mnist", "directory": None}}}  # type: ignore[operator]
    subjects = {"model": open_subject(learned), "images": open_subject(strokes(128))}
    assert real_images([subjects[name] for name in names], None, None, {"ink": "dark"}).name == "mnist"


def test_dark_ink_is_that_of_a_users_own_real_images_too(tmp_path: Path) -> None:
    np.savez(tmp_path / "own.npz", images=strokes(60))
    learned = model("ab")
    learned.description |= {"config": {"data": {"name": "own", "directory": None}}}  # type: ignore[operator]
    subjects = [open_subject(learned), open_subject(strokes(128))]
    light, dark = (real_images(subjects, None, tmp_path, {"ink": ink}) for ink in ("light", "dark"))
    np.testing.assert_array_equal(dark.train.images, 255 - light.train.images)


def test_real_images_are_looked_for_in_the_folder_of_data_sets(tmp_path: Path) -> None:
    """Both those of a name and those that a model learned from."""
    np.savez(tmp_path / "own.npz", images=strokes(60))
    learned = model("ab")
    learned.description |= {"config": {"data": {"name": "own", "directory": None}}}  # type: ignore[operator]
    named = real_images([open_subject(strokes(128))], "own", tmp_path)
    learned_from = real_images([open_subject(learned)], None, tmp_path)
    assert (named.name, learned_from.name) == ("own", "own")


def test_a_model_and_images_are_measured_against_what_the_model_learned_from(tmp_path: Path) -> None:
    """In any order; what another model learned from changes nothing."""
    np.savez(tmp_path / "own.npz", images=strokes(60))
    learned = model("ab")
    learned.description |= {"config": {"data": {"name": str(tmp_path / "own.npz"), "directory": None}}}  # type: ignore[operator]
    subjects = [open_subject(strokes(128)), open_subject(learned), open_subject("fast")]
    assert real_images(subjects, None, None).name == "own"
    (tmp_path / "own.npz").unlink()
    with pytest.raises(DataError, match=r"own\.npz does not exist.* small learned from it; name other real images"):
        real_images(subjects, None, None)


def test_the_reading_of_a_folder_is_reported(tmp_path: Path) -> None:
    for at, image in enumerate(strokes(128)):
        Image.fromarray(image[..., 0]).save(tmp_path / f"{at}.png")
    told: list[tuple[str, float]] = []
    open_subject(tmp_path, progress=lambda *now: told.append(now))
    assert {doing for doing, _ in told} == {"reading sizes", "reading images"}


@pytest.mark.parametrize(
    ("names", "counts", "drawn"),
    [
        ("ab", (50, 50), (100, 100)),
        ("ab", (90, 10), (180, 20)),
        ("ba", (90, 10), (180, 20)),
        ("ac", (80, 60, 8), (182, 0, 18)),
        ("ab", (74, 26), (148, 52)),
    ],
)
def test_a_model_draws_its_classes_as_often_as_the_data_have_them(
    names: str, counts: tuple[int, ...], drawn: tuple[int, ...]
) -> None:
    """If those of the data are unequal, they are drawn in these proportions, and a note says so."""
    real = data(counts, class_names=("a", "b", "c")[: len(counts)])
    sample = draw(open_subject(model(names)), 200, 0, real)
    assert sample.labels is not None
    assert tuple(np.bincount(sample.labels, minlength=len(counts))) == drawn
    assert any("in the proportions of strokes" in note for note in sample.notes) == (counts != (50, 50))


def test_a_model_of_other_classes_draws_them_in_turn() -> None:
    """It draws without a note on proportions if it draws a class that the data do not have."""
    sample = draw(open_subject(model("xb")), 4, 0, data((90, 10)))
    np.testing.assert_array_equal(sample.images[..., 0], model("xb").sample(4, labels=[0, 1, 0, 1]))
    assert sample.notes[0] == "small learned from other data than strokes as it is here."


@pytest.mark.parametrize("learned", [True, False])
def test_a_model_without_names_gets_those_of_the_data_that_it_learned_from(learned: bool) -> None:
    """Models of inkgan 0.1 have none. Of other data, classes called 0 and 1 are not those called a and b."""
    made, real = model("ab"), data()
    description = {key: value for key, value in made.description.items() if key != "class_names"}
    old = Model("old", {**description, "digest": real.digest if learned else "other"}, made._weights)
    sample = draw(open_subject(old), 4, 0, real)
    assert (sample.labels is not None) == learned
    assert any("strokes has no class" in note for note in sample.notes) != learned


@pytest.mark.parametrize(
    ("step", "steps", "seconds", "said"),
    [(1000, 2500, None, True), (2500, 2500, None, False), (1000, 2500, 30.0, False), (None, None, None, False)],
)
def test_a_generator_from_before_the_end_of_its_run_is_named(
    step: int | None, steps: int | None, seconds: float | None, said: bool
) -> None:
    """Its learning rates had not faded yet; a run by the clock ends at any step."""
    made = model("ab")
    made.description |= {"step": step, "config": {"steps": steps, "seconds": seconds}}  # type: ignore[operator]
    notes = draw(open_subject(made), 4, 0, data()).notes
    note = "small has the weights after 1,000 of 2,500 steps, not those of a complete run."
    assert (note in notes) == said


@pytest.mark.parametrize(("wrong", "said"), [({"n": 5}, "n is 5; give 128"), ({"seed": -1}, "the seed -1")])
@pytest.mark.parametrize("measure", [inkgan.evaluate, partial(inkgan.compare, "best")], ids=["evaluate", "compare"])
def test_numbers_that_are_out_of_range_are_refused_before_anything_is_read(
    tmp_path: Path, measure: Callable[..., object], wrong: dict[str, int], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        measure(tmp_path / "missing.npz", data="fashion-mnist", data_dir=tmp_path / "missing", **wrong)
