"""Known answers: each way of being wrong is caught by the measure that exists for it, on real digits.

The sets are built from held-out MNIST images; the measures are taken with the shipped feature network. "Caught"
means that the figure's interval does not reach the interval of the floor, untouched held-out images at the same n.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pytest

from inkgan.data import DataSet, load
from inkgan.evaluation.features import FeatureNetwork, load_features
from inkgan.evaluation.metrics.classes import (
    ClassBalance,
    class_balance,
    classifier_score,
    conditional_accuracy,
    diversity,
)
from inkgan.evaluation.metrics.frechet import GaussianStatistics, frechet_estimate
from inkgan.evaluation.metrics.intervals import Estimate
from inkgan.evaluation.metrics.kernel import kernel_estimate
from inkgan.evaluation.metrics.neighbours import manifold_estimates, nearest_neighbours
from inkgan.evaluation.metrics.novelty import novelty, pixels

pytestmark = pytest.mark.slow

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
N = 1200


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


class Real:
    """Real images to measure, and real images to measure against."""

    def __init__(self, data: DataSet, network: FeatureNetwork) -> None:
        assert data.test.labels is not None
        self.network = network
        order = np.random.default_rng(1).permutation(len(data.test))
        self.images: Images = data.test.images[order[:N]]
        self.labels: Labels = data.test.labels[order[:N]]
        self.reference = network(data.test.images[order[N : 2 * N]])
        self.proportions = np.bincount(data.test.labels) / len(data.test)
        self.training: Images = data.train.images[:4000]
        self.training_features = network(self.training)
        self.floor = self(self.images)

    def __call__(self, images: Images) -> Figures:
        return Figures(self, images)


class Figures:
    """The figures of images, each of which is computed when it is asked for."""

    def __init__(self, real: Real, images: Images) -> None:
        self._real = real
        self.features, self.probabilities = real.network.extract(images)
        self.predicted: Labels = self.probabilities.argmax(axis=1)

    @cached_property
    def frechet(self) -> Estimate:
        return frechet_estimate(self.features, GaussianStatistics.of(self._real.reference), rng())

    @cached_property
    def kernel(self) -> Estimate:
        return kernel_estimate(self.features, self._real.reference, rng())

    @cached_property
    def manifold(self) -> dict[str, Estimate]:
        return manifold_estimates(self._real.reference, self.features, rng())

    @cached_property
    def balance(self) -> ClassBalance:
        return class_balance(self.predicted, self._real.proportions, rng())

    @cached_property
    def score(self) -> Estimate:
        return classifier_score(self.probabilities, rng())

    def diversity(self, digit: int) -> Estimate:
        return diversity(self.features[self.predicted == digit], rng())


@pytest.fixture(scope="module")
def real() -> Real:
    return Real(load("mnist"), load_features())


def above(figure: Estimate, floor: Estimate) -> bool:
    return figure.interval.low > floor.interval.high


def below(figure: Estimate, floor: Estimate) -> bool:
    return figure.interval.high < floor.interval.low


def noisy(images: Images, sigma: float) -> Images:
    noise = rng().normal(0, sigma, images.shape)
    return np.clip(images + noise, 0, 255).round().astype(np.uint8)


def blurred(images: Images) -> Images:
    """The mean of each 3x3 neighbourhood."""
    padded = np.pad(images.astype(np.float64), ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = [padded[:, i : i + 28, j : j + 28] for i in range(3) for j in range(3)]
    return np.asarray(np.mean(windows, axis=0).round(), dtype=np.uint8)


def test_the_floor(real: Real) -> None:
    """Real images: a distance that is near 0, precision and recall alike, all classes, certain predictions."""
    floor = real.floor
    assert abs(floor.kernel.value) < 4 * floor.kernel.standard_error
    assert abs(floor.manifold["precision"].value - floor.manifold["recall"].value) < 0.1
    assert floor.manifold["coverage"].value > 0.7
    assert floor.balance.covered.value == 10
    assert floor.balance.total_variation.value <= floor.balance.chance_total_variation.high
    assert floor.score.value > 9.2


def shifted(images: Images) -> Images:
    """Two pixels to the right."""
    return np.roll(images, 2, axis=2)


def grainy(images: Images) -> Images:
    return noisy(images, 20)


@pytest.mark.parametrize("spoil", [grainy, blurred, shifted])
def test_spoiled_images_are_caught_by_both_distances_and_by_recall(
    real: Real, spoil: Callable[[Images], Images]
) -> None:
    spoiled, floor = real(spoil(real.images)), real.floor
    assert above(spoiled.frechet, floor.frechet)
    assert above(spoiled.kernel, floor.kernel)
    # Coverage hardly sees blur: a blurred digit still lies within the reach of its sharp neighbours.
    assert below(spoiled.manifold["recall"], floor.manifold["recall"])


def test_distances_grow_with_noise(real: Real) -> None:
    spoiled = [real(noisy(real.images, sigma)) for sigma in (15, 40, 100)]
    for figures in ([s.frechet for s in spoiled], [s.kernel for s in spoiled]):
        assert all(above(worse, better) for better, worse in itertools.pairwise(figures))


def test_random_pictures_have_no_precision(real: Real) -> None:
    mixed = real.images.copy()
    mixed[::2] = rng().integers(0, 256, mixed[::2].shape, dtype=np.uint8)
    half = real(mixed).manifold
    assert half["precision"].value == pytest.approx(real.floor.manifold["precision"].value / 2, abs=0.05)
    assert half["density"].value == pytest.approx(real.floor.manifold["density"].value / 2, abs=0.07)


def test_a_dropped_class_is_caught_by_balance_and_recall(real: Real) -> None:
    """The threes are replaced by other digits: each image is as good as before."""
    images = real.images.copy()
    threes = real.labels == 3
    images[threes] = real.images[~threes][: threes.sum()]
    dropped, floor = real(images), real.floor
    assert dropped.balance.covered.value == 9
    assert (dropped.predicted == 3).sum() < 0.01 * N
    assert dropped.balance.total_variation.interval.low > dropped.balance.chance_total_variation.high
    assert below(dropped.manifold["coverage"], floor.manifold["coverage"])
    assert above(dropped.frechet, floor.frechet)
    assert not below(dropped.manifold["precision"], floor.manifold["precision"])


def test_a_collapsed_class_is_caught_by_its_diversity(real: Real) -> None:
    """All fours are one and the same four: balance and precision see nothing."""
    images = real.images.copy()
    fours = np.flatnonzero(real.labels == 4)
    images[fours] = images[fours[0]]
    collapsed, floor = real(images), real.floor
    assert collapsed.diversity(4).value < 0.3 * floor.diversity(4).value
    assert collapsed.diversity(7).value == pytest.approx(floor.diversity(7).value, rel=0.1)
    assert collapsed.balance.covered.value == 10
    assert not below(collapsed.manifold["precision"], floor.manifold["precision"])
    assert below(collapsed.manifold["recall"], floor.manifold["recall"])


def test_one_repeated_image_is_caught_by_almost_everything(real: Real) -> None:
    typical = int(((real.floor.features - real.reference.mean(axis=0)) ** 2).sum(axis=1).argmin())
    one = real(np.tile(real.images[typical], (N, 1, 1, 1)))
    assert one.balance.covered.value == 1
    assert one.score.value == pytest.approx(1, abs=0.01)
    assert one.manifold["recall"].value < 0.01
    assert one.manifold["coverage"].value < 0.05
    assert one.diversity(int(one.predicted[0])).value == pytest.approx(0, abs=1e-6)
    assert above(one.frechet, real.floor.frechet)


def test_copies_are_caught_by_novelty_alone(real: Real) -> None:
    """Training images pass every other measure; a little noise does not hide them."""
    copies = real.training[:N]
    assert real(copies).manifold["precision"].value > real.floor.manifold["precision"].value - 0.05
    training = pixels(real.training)
    held_out = nearest_neighbours(pixels(real.images), training).distance
    exact = novelty(nearest_neighbours(pixels(copies), training).distance, held_out)
    assert exact.near_copies.value == 1
    veiled = copies.copy()
    veiled[: N // 5] = noisy(copies[: N // 5], 6)
    veiled[N // 5 :] = real.images[N // 5 :]
    distances = nearest_neighbours(pixels(veiled), training).distance
    hidden = novelty(distances, held_out)
    assert hidden.near_copies.interval.low > 0.15
    assert hidden.z < -5
    assert set(distances.argsort()[: N // 6].tolist()) <= set(range(N // 5))
    # In feature space, moved copies are still nearer than new images are.
    moved = real.network(np.roll(copies, 1, axis=2))
    in_features = nearest_neighbours(real.floor.features, real.training_features).distance
    seen = novelty(nearest_neighbours(moved, real.training_features).distance, in_features)
    assert seen.z < -5


def test_held_out_images_are_new(real: Real) -> None:
    training = pixels(real.training)
    distances = nearest_neighbours(pixels(real.images), training).distance
    result = novelty(distances[::2], distances[1::2], 0.05, cells=(real.labels[::2], real.labels[1::2]))
    assert abs(result.z) < 3
    assert result.near_copies.interval.low < 0.05 < result.near_copies.interval.high


def test_label_swaps_are_caught_by_accuracy_of_the_classes_asked_for(real: Real) -> None:
    asked = real.labels.copy()
    asked[real.labels == 3], asked[real.labels == 5] = 5, 3
    overall, by_class = conditional_accuracy(asked, real.floor.predicted)
    assert by_class[3].interval.high < 0.1
    assert by_class[5].interval.high < 0.1
    assert min(share.value for digit, share in by_class.items() if digit not in (3, 5)) > 0.95
    assert 0.7 < overall.value < 0.9
    right, _ = conditional_accuracy(real.labels, real.floor.predicted)
    assert right.value > 0.98
