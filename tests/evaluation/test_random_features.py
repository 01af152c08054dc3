"""Random features see faults, and they depend on nothing but the shape of the images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from inkgan.data import DataSet, Split
from inkgan.evaluation.metrics.frechet import GaussianStatistics, frechet_distance
from inkgan.evaluation.metrics.intervals import Estimate, Interval
from inkgan.evaluation.random_features import RandomReference, random_network, random_reference_for
from inkgan.evaluation.report import Figure, Report
from inkgan.evaluation.text import report_text
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


@pytest.fixture(scope="module")
def reference(data: DataSet, tmp_path_factory: pytest.TempPathFactory) -> RandomReference:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        return random_reference_for(data)


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


@pytest.mark.slow
def test_real_images_are_near_and_spoiled_ones_far(reference: RandomReference) -> None:
    def distance(images: Images) -> float:
        return reference.distance(reference.network(images), np.random.default_rng(0)).value

    fresh = bars(300, 3)
    near = distance(fresh)
    assert near < 2 * reference.floor(bars(300, 2), np.random.default_rng(0)).value
    assert distance(np.roll(fresh, 2, axis=2)) > 5 * near
    assert distance(fresh // 2) > 5 * near
    assert distance(np.repeat(fresh[:1], 300, axis=0)) > 5 * near


@pytest.mark.slow
def test_the_unit_is_the_variance_of_a_feature(reference: RandomReference) -> None:
    """The distance is the same as if the features had first been scaled to a variance of 1, on average."""
    training, features = reference.network(reference.data.train.images), reference.network(bars(300, 3))
    unit = np.sqrt(training.var(axis=0, ddof=1).mean())
    expected = frechet_distance(GaussianStatistics.of(features / unit), GaussianStatistics.of(training / unit))
    found = reference.distance(features, np.random.default_rng(0))
    assert found.value == pytest.approx(expected, rel=1e-3)
    assert found.interval.low <= found.value <= found.interval.high


@pytest.mark.parametrize(
    ("first", "second", "said"), [(1.0, 1.0, True), (1.0, 3.0, False), (3.0, 1.0, False), (3.0, 3.0, False)]
)
def test_a_report_says_when_both_kinds_of_features_agree(first: float, second: float, said: bool) -> None:
    """Both find that a model is nearer to the training images than held-out images are."""

    def estimate(value: float) -> Estimate:
        return Estimate(value, 0.1, Interval(value - 0.2, value + 0.2))

    values = {"frechet_digit_distance": first, "frechet_random_distance": second}
    values |= {"exact_copies": 0, "near_copies": 0, "copying_z": 0}
    figures = tuple(Figure.of(name, estimate(value), 9, estimate(2), 9) for name, value in values.items())
    report = Report("m", "model", "bars", "d", "own", 9, 0, figures, ())
    text = " ".join(report_text(report).split())
    assert "features of a network of random weights" in text
    assert ("In these features, too, the distance is below its floor." in text) == said


@pytest.mark.slow
def test_a_floor_is_measured_once(reference: RandomReference, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The floor is kept in the cache; other data have another one."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    told: list[str] = []

    def floor(of: RandomReference) -> object:
        told.clear()
        return of.floor(of.data.test.images, np.random.default_rng(0), lambda doing, _: told.append(doing))

    first = floor(reference)
    assert told
    assert floor(reference) == first
    assert not told
    other = DataSet(
        "other", reference.data.train, reference.data.validation, Split(bars(300, 9), None), (), "", digest="e" * 64
    )
    assert floor(random_reference_for(other)) != first
