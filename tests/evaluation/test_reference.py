"""The real images: in which features they are compared, which of them, and what is kept of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest

from inkgan.data import DataSet, Split
from inkgan.errors import EvaluationError
from inkgan.evaluation import reference
from inkgan.evaluation.evaluate import _floors_of
from inkgan.evaluation.features import FeatureCard, FeatureLayers, FeatureNetwork, Features, load_card
from inkgan.evaluation.metrics.frechet import GaussianStatistics, frechet_distance
from inkgan.evaluation.metrics.intervals import Estimate, Interval
from inkgan.evaluation.reference import quick_measure, reference_for
from inkgan.evaluation.report import FIGURE_KINDS
from inkgan.files import no_progress
from inkgan.images import Images
from inkgan.networks import building


def noise(count: int, seed: int) -> Images:
    return np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 1), dtype=np.uint8)


def rows(images: Images) -> Features:
    """Features of the caller's own: the mean ink of each row."""
    return (images.mean(axis=(2, 3)) / 255).astype(np.float32)


@pytest.fixture
def data() -> DataSet:
    train, validation, test = (Split(noise(count, count), np.arange(count) % 2) for count in (60, 5, 40))
    return DataSet("noise", train, validation, test, ("a", "b"), "here", {}, "d" * 64)


@pytest.fixture(autouse=True)
def network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FeatureNetwork:
    """An untrained network in the place of the one that has learned from the data."""
    card = FeatureCard(
        name="small", image_shape=(8, 8, 1), class_names=("a", "b"), widths=(4,), num_features=3, sha256="5" * 64
    )
    with building(0):
        network = FeatureNetwork(card, FeatureLayers(card))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(reference, "feature_network_for", lambda *_: network)
    return network


def test_images_are_compared_in_the_networks_features(data: DataSet, network: FeatureNetwork) -> None:
    real, images = reference_for(data), noise(9, 0)
    found = real.extract(images)
    np.testing.assert_array_equal(found.features, network(images))
    np.testing.assert_array_equal(found.probabilities, network.probabilities(images))
    np.testing.assert_array_equal(found.predicted, network.probabilities(images).argmax(1))
    assert real.statistics is not None
    predicted = network.probabilities(data.test.images).argmax(1)
    np.testing.assert_array_equal(real.statistics.held_out_classes, predicted)
    np.testing.assert_array_equal(real.training_features, network(data.train.images))
    assert real.features_digest == network.card.sha256


def test_features_of_ones_own_replace_those_of_the_network_but_not_its_classes(
    data: DataSet, network: FeatureNetwork
) -> None:
    real, images = reference_for(data, rows), noise(9, 0)
    found = real.extract(images)
    np.testing.assert_array_equal(found.features, rows(images))
    np.testing.assert_array_equal(found.probabilities, network.probabilities(images))
    np.testing.assert_array_equal(real.moments.mean, GaussianStatistics.of(rows(data.train.images)).mean)
    apart = rows(data.test.images)[:, None] - rows(data.train.images)
    nearest = np.sqrt(np.square(apart, dtype=np.float64).sum(2)).min(1)
    np.testing.assert_allclose(real.held_out_distances, nearest, rtol=1e-5)
    assert (real.features_title, real.features_digest) == ("own", "own extractor")


def test_features_of_ones_own_must_be_of_one_space(data: DataSet) -> None:
    """An extractor that chooses the number of features by the images gives features that cannot be compared."""
    with pytest.raises(EvaluationError, match=r"returned float64 \[40, 40\] for 40 images; give floats \[40, 60\]"):
        reference_for(data, lambda images: np.eye(len(images)))


@pytest.mark.parametrize("class_names", [(), ("a",)])
def test_without_several_classes_all_images_are_of_one(data: DataSet, class_names: tuple[str, ...]) -> None:
    labels = np.zeros(len(data.train), np.int64) if class_names else None
    bare = replace(data, train=Split(data.train.images, labels), class_names=class_names)
    real = reference_for(bare, rows)
    found = real.extract(noise(9, 0))
    assert (found.probabilities.shape, found.predicted.tolist(), real.statistics) == ((9, 1), [0] * 9, None)
    np.testing.assert_array_equal(found.features, rows(noise(9, 0)))
    assert real.features_digest == "own extractor"


def test_features_have_the_name_of_the_data_that_taught_them(data: DataSet) -> None:
    """Only those of MNIST are digit features."""
    assert reference_for(data).features_title == "noise"
    digits = replace(data, digest=load_card().data["digest"])
    assert replace(reference_for(data), data=digits).features_title == "digit"


def test_estimates_are_kept_unless_the_features_are_ones_own(data: DataSet) -> None:
    """Features of one's own have no name. A new version of the estimates is computed."""
    asked: list[str] = []

    def compute(name: str) -> dict[str, Estimate]:
        asked.append(name)
        return {name: Estimate(0.5, 0.1, Interval(0.4, 0.6), 9)}

    kept, own = reference_for(data), reference_for(data, rows)
    bare = reference_for(replace(data, train=Split(data.train.images, None), class_names=()), rows)
    for real, times in ((kept, 1), (own, 2), (bare, 2)):
        asked.clear()
        for _ in range(2):
            assert real.cached("figures", 1, lambda: compute("floor")).keys() == {"floor"}
        assert len(asked) == times
    asked.clear()
    kept.cached("figures", 2, lambda: compute("newer"))
    kept.cached("others", 1, lambda: compute("other"))
    assert asked == ["newer", "other"]


def test_floors_in_a_cache_have_every_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Floors that an earlier version kept lack a figure that is new since, so they are computed again."""
    asked = Mock()
    _floors_of(asked, 500, no_progress)
    monkeypatch.setitem(FIGURE_KINDS, "new", FIGURE_KINDS["accuracy"])
    _floors_of(asked, 500, no_progress)
    before, after = (call.args[:2] for call in asked.cached.call_args_list)
    assert before != after


def test_the_same_real_images_are_taken_each_time(data: DataSet) -> None:
    """They are not the first ones, and more of them begin with the fewer ones."""
    real = reference_for(data, rows)
    every = real.training_indices(60)
    assert sorted(every.tolist()) == list(range(60))
    assert every.tolist() != list(range(60))
    np.testing.assert_array_equal(real.training_indices(7), every[:7])
    held_out = real.held_out(40).images
    assert {one.tobytes() for one in held_out} == {one.tobytes() for one in data.test.images}
    assert not np.array_equal(held_out, data.test.images)
    np.testing.assert_array_equal(real.held_out(7).images, held_out[:7])


def test_training_measures_distance_and_accuracy(data: DataSet, network: FeatureNetwork) -> None:
    images = noise(40, 1)
    measure = quick_measure(data)
    distance = frechet_distance(
        GaussianStatistics.of(network(images)), GaussianStatistics.of(network(data.train.images))
    )
    labels = network.probabilities(images).argmax(1)
    labels[:10] = 1 - labels[:10]
    assert measure(images, labels) == {"frechet_digit_distance": pytest.approx(distance), "accuracy": 0.75}
    assert measure(images, None).keys() == {"frechet_digit_distance"}


def test_the_intervals_of_the_floor_do_not_depend_on_the_order_of_the_test_images(data: DataSet) -> None:
    """Every other one is faint, as if two classes alternated in the file; the groups of the jackknife mix them."""
    alternating = noise(1000, 1)
    alternating[::2] //= 4
    shuffled = np.random.default_rng(0).permutation(alternating)
    errors = []
    for images in (alternating, shuffled):
        bare = replace(data, train=Split(noise(200, 2), None), test=Split(images, None), class_names=())
        floors = _floors_of(reference_for(bare, rows), 1000, no_progress)
        errors.append(floors["density"].standard_error)
    assert errors[0] == pytest.approx(errors[1], rel=0.4)
