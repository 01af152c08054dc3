"""Arrays of images: which ink they have, what is refused as empty, and how they are resized."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_files import complaint, pixels, write_set
from inkgan.config import resolve
from inkgan.config.schema import LARGEST_SIDE
from inkgan.data import load
from inkgan.data.loading import load_saved
from inkgan.data.pixels import (
    MAX_SIDE,
    as_images,
    as_labels,
    dark_and_light,
    parsed_size,
    require_content,
    resized,
)
from inkgan.images import Images

pytestmark = pytest.mark.usefixtures("only_embedded_data")


@pytest.fixture(scope="module")
def digits() -> Images:
    """A thousand digits in light ink."""
    return load("mnist").test.images[:1000]


# Ink


def test_digits_are_light_ink_and_their_negatives_dark(digits: Images) -> None:
    assert dark_and_light(digits) == (0, 1)
    assert dark_and_light(255 - digits) == (1, 0)


def test_the_ink_of_a_single_digit_is_recognised(digits: Images) -> None:
    assert sum(dark_and_light(255 - digits[at : at + 1])[0] for at in range(200)) == 200


def noisy(images: Images) -> Images:
    noise = np.random.default_rng(0).normal(0, 12, images.shape)
    return np.clip(images * 0.6 + 60 + noise, 0, 255).astype(np.uint8)


CONDITIONS: dict[str, Callable[[Images], Images]] = {
    "noisy": noisy,
    "cropped": lambda dark: dark[:, 4:-4, 4:-4],
    "padded": lambda dark: np.pad(dark, ((0, 0), (20, 20), (40, 40), (0, 0)), constant_values=255),
    "framed": lambda dark: np.pad(dark, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=0),
    "faint": lambda dark: dark // 4 + 150,
    "with blank ones": lambda dark: np.concatenate([dark, np.full_like(dark, 255)]),
    "large": lambda dark: dark.repeat(4, axis=1).repeat(4, axis=2),
}


@pytest.mark.parametrize("change", CONDITIONS.values(), ids=CONDITIONS)
def test_dark_ink_is_recognised_under_other_conditions(digits: Images, change: Callable[[Images], Images]) -> None:
    dark = change(255 - digits[:200])
    for images, expected in ((dark, True), (255 - dark, False)):
        is_dark, is_light = dark_and_light(images)
        assert (is_dark > is_light) == expected


def test_the_middle_of_a_page_is_looked_at() -> None:
    """Marks on 4 % of the middle, which is 1 % of the page, show which ink it is; marks on 2 % are not clear."""
    page = np.full((1, 40, 40, 1), 255, np.uint8)
    page[:, 18:22, 18:20] = 0
    assert dark_and_light(page) == dark_and_light(255 - page) == (0, 0)
    page[:, 18:22, 20:22] = 0
    assert (dark_and_light(page), dark_and_light(255 - page)) == ((1, 0), (0, 1))


def test_no_ink_is_recognised_in_noise_colour_and_tiny_images(digits: Images) -> None:
    rng = np.random.default_rng(0)
    for _ in range(100):
        noise = rng.integers(0, 256, (rng.integers(3, 40), *rng.integers(8, 40, 2), 1), dtype=np.uint8)
        assert max(dark_and_light(noise)) <= 0.1
    assert dark_and_light(255 - digits.repeat(3, axis=3)) == (0, 0)
    assert dark_and_light(255 - digits[:, 11:18, 11:18]) == (0, 0)


def test_a_mixture_of_inks_is_reported(tmp_path: Path, digits: Images) -> None:
    mixed = digits.copy()
    mixed[::3] = 255 - mixed[::3]
    np.savez(tmp_path / "mixed.npz", images=mixed)
    data = load(tmp_path / "mixed.npz")
    assert any("look like dark ink" in note for note in data.notes)
    assert not any("inverted" in note for note in data.notes)


def test_ink_of_arrays_is_inverted_in_every_split(tmp_path: Path, digits: Images) -> None:
    given = {"x_train": digits[:100], "x_val": digits[100:120], "x_test": digits[120:150]}
    inverted = {name: 255 - images for name, images in given.items()}
    np.savez(tmp_path / "dark.npz", **inverted)  # type: ignore[arg-type]
    data = load(tmp_path / "dark.npz")
    for split, images in zip(data.splits.values(), given.values(), strict=True):
        np.testing.assert_array_equal(split.images, images)
    np.savez(tmp_path / "light.npz", **given)  # type: ignore[arg-type]
    assert load(tmp_path / "light.npz").notes == ()
    assert load(tmp_path / "light.npz", ink="dark").test.images[0, 0, 0, 0] == 255


def test_settings_from_before_ink_was_one_take_images_as_they_are(tmp_path: Path, digits: Images) -> None:
    """A model that learned dark ink is measured against dark ink."""
    np.savez(tmp_path / "dark.npz", images=255 - digits[:100])
    settings = {"name": str(tmp_path / "dark.npz"), "directory": None}
    assert load_saved(settings).digest == load(tmp_path / "dark.npz", ink="light").digest
    assert load_saved(settings | {"ink": "auto"}).digest == load(tmp_path / "dark.npz", ink="dark").digest


def test_dark_ink_is_not_for_colours_and_known_sets(tmp_path: Path) -> None:
    np.savez(tmp_path / "colours.npz", images=pixels(20, 9, 9, 3))
    complaint(lambda: load(tmp_path / "colours.npz", ink="dark"), "colour images")
    complaint(lambda: load("mnist", ink="dark"), "mnist", "data.ink")
    complaint(lambda: load("mnist", ink="drak"), "ink='drak'", "dark")  # type: ignore[arg-type]


# Content


@pytest.mark.parametrize("value", [0, 7, 255])
def test_constant_images_are_refused(value: int) -> None:
    images = np.full((9, 5, 6, 1), value, np.uint8)
    complaint(lambda: require_content(images, "here"), "every image is constant", f"{value}", "no ink")
    complaint(
        lambda: require_content(np.arange(9, dtype=np.uint8)[:, None, None, None] + images * 0, "here"), "constant"
    )
    coloured = np.full((9, 5, 6, 3), (10, 200, 30), np.uint8)
    complaint(lambda: require_content(coloured, "here"), "every image is constant")


@pytest.mark.parametrize("most", [1, 5, 16, 31])
def test_a_narrow_range_is_refused_with_the_range(most: int) -> None:
    images = np.random.default_rng(0).integers(0, most, (50, 8, 8, 1), endpoint=True, dtype=np.uint8)
    complaint(lambda: require_content(images + 3, "here"), f"between 3 and {most + 3}", "Scale them")


def test_few_levels_and_a_few_constant_images_are_reported() -> None:
    images = np.random.default_rng(0).integers(0, 5, (50, 8, 8, 1), dtype=np.uint8) * 60
    assert require_content(images, "here") == ["the pixels have only 5 different values, from 0 to 240"]
    images = pixels(50, 8, 8, 1)
    assert require_content(images, "here") == []
    images[0] = 9
    assert require_content(images, "here") == ["constant training images, one value in all their pixels: 1 of 50"]
    images[:2] = 9
    assert require_content(images, "here") == ["constant training images, one value in all their pixels: 2 of 50"]


# Sizes


def test_halves_are_means_of_four() -> None:
    images = pixels(5, 12, 8, 3)
    expected = np.rint(images.reshape(5, 6, 2, 4, 2, 3).mean(axis=(2, 4), dtype=np.float64))
    np.testing.assert_array_equal(resized(images, (6, 4)), expected)


@pytest.mark.parametrize("size", [(9, 7), (20, 33), (31, 10)])
def test_an_image_fits_in_the_middle_of_its_own_paper(size: tuple[int, int]) -> None:
    images = np.full((2, 16, 16, 1), 200, np.uint8)
    images[:, 4:12, 4:12] = 20
    images[1] += 30
    result = resized(images, size)
    side = min(size)
    assert result.shape == (2, *size, 1)
    for image, paper in zip(result[..., 0], (200, 230), strict=True):
        inked = np.argwhere(image < paper - 90)
        assert (image[[0, -1]] == paper).all()
        assert (image[:, [0, -1]] == paper).all()
        np.testing.assert_allclose(inked.mean(axis=0), (np.array(size) - 1) / 2, atol=0.51)
        np.testing.assert_allclose(np.ptp(inked, axis=0) + 1, side / 2, atol=1.01)


def test_areas_are_averaged() -> None:
    """Two and a half pixels become one, so five of twice as many are averaged."""
    images = pixels(4, 50, 70, 1)
    twice = images.repeat(2, 1).repeat(2, 2).astype(float)
    expected = np.rint(twice.reshape(4, 20, 5, 28, 5, 1).mean((2, 4)))
    np.testing.assert_array_equal(resized(images, (20, 28)), expected)


@pytest.mark.parametrize("column", range(32))
def test_a_thin_stroke_keeps_its_ink_wherever_it_is(column: int) -> None:
    image = np.zeros((1, 32, 32, 1), np.uint8)
    image[:, :, column] = 255
    assert abs(int(resized(image, (28, 28))[0, 14].sum()) - 255 * 28 / 32) <= 1


def test_known_sets_and_arrays_are_resized(tmp_path: Path, digits: Images) -> None:
    _, test = write_set(tmp_path / "MNIST/raw")
    data = load("mnist", tmp_path, resize=14)
    assert data.image_shape == (14, 14, 1)
    expected = np.rint(test.reshape(-1, 14, 2, 14, 2, 1).mean(axis=(2, 4), dtype=np.float64))
    np.testing.assert_array_equal(data.test.images, expected)
    np.savez(tmp_path / "own.npz", images=digits[:100])
    assert load(tmp_path / "own.npz", resize="20x24").image_shape == (20, 24, 1)
    assert load(tmp_path / "own.npz", resize=(28, 28)).digest == load(tmp_path / "own.npz").digest


def test_large_images_are_reported_with_the_time_they_take(tmp_path: Path) -> None:
    images = pixels(5, 140, 112)
    np.savez(tmp_path / "large.npz", images=images)
    (note,) = load(tmp_path / "large.npz").notes
    assert "140×112 take about 20 times as long" in note
    assert "--set data.resize=64" in note
    np.savez(tmp_path / "long.npz", images=pixels(5, 2, 200))  # half as many pixels as an image of MNIST
    assert load(tmp_path / "long.npz").notes == ()
    assert load(tmp_path / "large.npz", resize=128).notes == ()


@pytest.mark.parametrize(
    ("given", "expected"),
    [(None, None), (32, (32, 32)), ("32", (32, 32)), ("32x48", (32, 48)), ((32, 48), (32, 48)), (np.int64(9), (9, 9))],
)
def test_sizes(given: str, expected: tuple[int, int] | None) -> None:
    assert parsed_size(given) == expected


def test_a_size_as_messages_write_it_is_the_same_in_settings() -> None:
    """A size can be copied from a message, and --dry-run allows the same sizes as reading the data."""
    assert parsed_size("32×48") == (32, 48)
    assert resolve(overrides=["data.resize=32×48"]).data.resize == "32x48"
    assert LARGEST_SIDE == MAX_SIDE


@pytest.mark.parametrize("given", [0, -3, "", "x", "3x", "3x4x5", "5000", "0x9", (3, 0), True, 2.5, "²"])
def test_values_that_are_no_size(given: str) -> None:
    complaint(lambda: parsed_size(given), "is not a size", "32x48")


# Numbers


@pytest.mark.parametrize("dtype", [np.uint8, np.float64, bool])
def test_an_array_without_images_is_said_to_have_none(dtype: type) -> None:
    """The complaint is about the number of images, and not about their sides, which are allowed."""
    for shape in ((0, 28, 28), (0, 12, 9, 3)):
        empty: Any = np.zeros(shape, dtype)
        complaint(functools.partial(as_images, empty, "here"), "0 images", str(shape), "Add images")
    complaint(lambda: as_images(np.zeros((2, 0, 9), dtype), "here"), "2 images of 0x9 pixels", "1 to 4096 a side")


def test_whole_floats_and_fractions() -> None:
    whole = np.arange(256, dtype=np.float32).reshape(4, 8, 8)
    np.testing.assert_array_equal(as_images(whole, "here").ravel(), np.arange(256))
    np.testing.assert_array_equal(as_images(whole.astype(np.float16), "here").ravel(), np.arange(256))
    np.testing.assert_array_equal(as_images(whole / 255, "here").ravel(), np.arange(256))
    np.testing.assert_array_equal(as_images((whole > 9).astype(float), "here").ravel(), (np.arange(256) > 9) * 255)
    complaint(lambda: as_images(whole + 0.5, "here"), "from 0.5 to 255.5")
    complaint(lambda: as_images(whole - 128, "here"), "from -128.0 to 127.0")


def test_labels_that_are_nearly_one_hot() -> None:
    rows = np.eye(4)[[0, 3, 2]]
    assert as_labels(rows, 3, "here").tolist() == [0, 3, 2]
    complaint(lambda: as_labels(rows * 2, 3, "here"), "labels of shape (3, 4)")
    complaint(lambda: as_labels(rows + np.eye(4)[[1, 1, 1]], 3, "here"), "labels of shape (3, 4)")
    complaint(lambda: as_labels(rows, 4, "here"), "labels of shape (3, 4)")
    complaint(lambda: as_labels(np.arange(3), 4, "here"), "here: 3 labels for 4 images.")
    complaint(lambda: as_labels(np.array([0, np.nan, 1]), 3, "here"), "float64")


@pytest.mark.parametrize("label", [np.uint64(2**63), np.uint64(2**64 - 1), 1e300, -1e300, np.inf])
def test_a_label_that_no_int64_holds_is_shown_as_it_is(label: Any) -> None:
    """The largest and the smallest number of int64 are kept; the error for a label beyond them shows it as it is."""
    complaint(lambda: as_labels(np.array([0, label], np.asarray(label).dtype), 2, "here"), f"a label is {label},")
    assert as_labels(np.array([2**63 - 1], np.uint64), 1, "here").tolist() == [2**63 - 1]
    assert as_labels(np.array([-(2**63)]), 1, "here").tolist() == [-(2**63)]


@pytest.mark.parametrize("shape", [(2, 5000, 4), (2, 4, 5000), (2, 0, 4)])
def test_sides_that_are_too_long_or_empty_are_refused_with_the_limit(shape: tuple[int, ...]) -> None:
    words = f"images of {shape[1]}x{shape[2]} pixels", "allowed are 1 to 4096 a side", "Resize them"
    complaint(lambda: as_images(np.zeros(shape, np.uint8), "here"), *words)
