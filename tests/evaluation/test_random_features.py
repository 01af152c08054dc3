"""Random features see faults, and they depend on nothing but the shape of the images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from inkgan.data import DataSet, Split
from inkgan.evaluation.evaluate import distance_in_units, random_features_distance
from inkgan.evaluation.features import random_network
from inkgan.evaluation.metrics.frechet import GaussianStatistics, frechet_estimate
from inkgan.evaluation.reference import reference_for
from inkgan.evaluation.report import Figure
from inkgan.evaluation.subject import Sample, Subject
from inkgan.images import Images


def bars(count: int, seed: int, shape: tuple[int, int, int] = (12, 10, 1)) -> Images:
    """Upright strokes at random places, with random strengths."""
    rng = np.random.default_rng(seed)
    images = np.zeros((count, *shape), np.uint8)
    for image in images:
        left, top = rng.integers(1, 7), rng.integers(0, 4)
        image[top : top + 8, left : left + 2] = rng.integers(120, 256)
    return images


@pytest.fixture(scope="module")
def data() -> DataSet:
    """600 strokes to learn from and 300 others, without labels."""
    return DataSet("bars", Split(bars(600, 0), None), Split(bars(0, 1), None), Split(bars(300, 2), None), (), "here")


def figure_of(images: Images, data: DataSet, told: list[str] | None = None) -> Figure:
    """Measure images, and note the name of all work that is done for it."""
    noted = [] if told is None else told
    sample = Sample(Subject("made", "arrays", Split(images, None)), 0, images, None, ())
    reference = reference_for(data, lambda images: images.reshape(len(images), -1)[:, :9].astype(np.float32))
    return random_features_distance(sample, reference, lambda doing, _: noted.append(doing))


def test_the_callers_random_numbers_stay_as_they_are() -> None:
    before = torch.get_rng_state()
    random_network((12, 12, 1))
    assert torch.equal(torch.get_rng_state(), before)


def test_the_weights_are_always_the_same() -> None:
    """The module's seed decides on them, not PyTorch's random numbers or how many networks were made before."""
    torch.manual_seed(1)
    first = random_network((28, 28, 1))
    torch.manual_seed(2)
    second = random_network((28, 28, 1))
    images = bars(3, 5, (28, 28, 1))
    assert first.card.sha256 == second.card.sha256
    np.testing.assert_array_equal(first(images), second(images))
    drawn = np.random.default_rng(0).standard_normal((8, 1, 3, 3)) * np.sqrt(2 / 9)
    np.testing.assert_array_equal(next(first.layers.parameters()).numpy(), drawn.astype(np.float32))


def test_weights_keep_the_scale_and_biases_are_zero() -> None:
    """The variance of a layer's weights is 2 by the number of its inputs (He et al. 2015, eq. 10)."""
    for name, parameter in random_network((28, 28, 1)).layers.named_parameters():
        if name.endswith("bias"):
            assert not parameter.any(), name
        else:
            expected = 2 / parameter[0].numel()
            assert parameter.var().item() == pytest.approx(expected, rel=6 * (2 / parameter.numel()) ** 0.5), name


@pytest.mark.slow
def test_real_images_are_near_and_spoiled_ones_far(
    data: DataSet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    fresh = bars(300, 3)
    near = figure_of(fresh, data)
    assert near.value < 2 * near.floor
    for spoiled in (np.roll(fresh, 2, axis=2), fresh // 2, np.repeat(fresh[:1], 300, axis=0)):
        assert figure_of(spoiled, data).value > 5 * near.value


def test_the_unit_is_the_variance_of_a_feature() -> None:
    """The distance is the same as if the features had first been scaled to a variance of 1, on average."""
    rng = np.random.default_rng(1)
    training, features = (rng.normal(mean, 3, (300, 4)).astype(np.float32) for mean in (0, 1))
    unit = np.sqrt(training.var(axis=0, ddof=1).mean())
    expected = frechet_estimate(features / unit, GaussianStatistics.of(training / unit), np.random.default_rng(0))
    found = distance_in_units(features, GaussianStatistics.of(training), np.random.default_rng(0))
    assert (found.value, found.standard_error, found.interval.low, found.interval.high) == pytest.approx(
        (expected.value, expected.standard_error, expected.interval.low, expected.interval.high), rel=1e-3
    )


@pytest.mark.slow
def test_a_floor_is_measured_once(data: DataSet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The floor is kept in the cache; other data have another one."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first_told: list[str] = []
    first = figure_of(bars(300, 3), data, first_told)
    assert "held-out images, random features" in first_told
    told: list[str] = []
    assert figure_of(bars(300, 3), data, told) == first
    assert set(told) == {"random features"}
    other = DataSet("other", data.train, data.validation, Split(bars(300, 9), None), (), "", digest="e" * 64)
    assert figure_of(bars(300, 3), other).floor != first.floor


@pytest.mark.slow
def test_the_interval_of_the_floor_does_not_depend_on_the_order_of_the_test_images(
    data: DataSet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Every other one is faint, as if two classes alternated in the file; the groups of the jackknife mix them."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    alternating = data.test.images.copy()
    alternating[::2] //= 4
    shuffled = np.random.default_rng(0).permutation(alternating)
    widths = []
    for digest, images in (("a" * 64, alternating), ("b" * 64, shuffled)):
        real = replace(data, test=Split(images, None), digest=digest)
        widths.append(figure_of(bars(300, 3), real).floor_interval.width)
    assert widths[0] == pytest.approx(widths[1], rel=0.4)
