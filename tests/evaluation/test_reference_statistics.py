"""Reference statistics: what they hold, their cache, and their hashes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest

from inkgan.data import DataSet, Split, load
from inkgan.errors import CheckpointError, OutputError
from inkgan.evaluation import reference
from inkgan.evaluation.feature_training import FeatureRecipe, train_feature_network
from inkgan.evaluation.features import SHIPPED, FeatureNetwork, load_features
from inkgan.evaluation.metrics.frechet import GaussianStatistics
from inkgan.evaluation.metrics.neighbours import nearest_neighbours
from inkgan.evaluation.reference import (
    ARRAYS,
    CARD,
    compute_statistics,
    load_statistics,
    statistics_for,
    training_features,
)


def make_data() -> DataSet:
    """Two classes, dark and light, with the training images 0 and 1 repeated in the test split."""
    rng = np.random.default_rng(0)
    labels = np.arange(160) % 2
    images = (rng.integers(0, 100, (160, 8, 8, 1)) + 150 * labels[:, None, None, None]).astype(np.uint8)
    splits = [Split(images[part], labels[part]) for part in (slice(81), slice(79, 159))]
    test = Split(np.concatenate([images[:2], splits[1].images[2:]]), splits[1].labels)
    return DataSet("dots", splits[0], splits[1], test, ("dark", "light"), "here", {}, "d" * 64)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> FeatureNetwork:
    recipe = FeatureRecipe(epochs=1, least_steps=3, batch_images=32, bfloat16=False)
    return train_feature_network(make_data(), recipe).save(tmp_path_factory.mktemp("network"))


@pytest.mark.slow
def test_a_trained_network_is_measured_as_it_is_stored(tmp_path: Path) -> None:
    """Its accuracies are those of the weights in 16 bits."""
    recipe = FeatureRecipe(epochs=1, least_steps=3, batch_images=32, bfloat16=False)
    trained = train_feature_network(make_data(), recipe)
    stored, images = trained.save(tmp_path), make_data().test.images
    np.testing.assert_array_equal(trained(images), stored(images))


def test_computed(network: FeatureNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    data = make_data()
    found = compute_statistics(data, network)
    features = network(data.train.images)
    np.testing.assert_array_equal(found.train.mean, GaussianStatistics.of(features).mean)
    assert found.train.n == 81
    np.testing.assert_allclose(found.proportions, [41 / 81, 40 / 81])
    np.testing.assert_array_equal(found.held_out_classes, network.probabilities(data.test.images).argmax(1))
    assert found.held_out_distances.shape == (80,)
    assert (found.held_out_distances[:2] == 0).all()
    assert (found.held_out_distances[2:] > 0).all()


def test_distances_of_pixels_are_not_computed_in_advance(
    network: FeatureNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a full report has them; those of many large images take minutes and gigabytes."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = Mock(wraps=nearest_neighbours)
    monkeypatch.setattr(reference, "nearest_neighbours", found)
    compute_statistics(make_data(), network)
    found.assert_called_once()


def test_few_test_images_are_enough(network: FeatureNetwork) -> None:
    """Training measures the distance to the training images, whatever the number of test images."""
    data = make_data()
    few = replace(data, test=data.test[:3])
    assert compute_statistics(few, network).held_out_classes.shape == (3,)


def test_training_features_without_a_home_folder(network: FeatureNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are extracted and not kept."""

    def no_home() -> Path:
        raise OutputError("the system names no home folder")

    monkeypatch.setattr("inkgan.evaluation.cache.cache_folder", no_home)
    data = make_data()
    np.testing.assert_array_equal(training_features(data, network), network(data.train.images))


def test_training_features_are_kept(network: FeatureNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are extracted once, and again if the file of the cache is damaged or is of an earlier version."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    data = make_data()
    told: list[str] = []
    first = training_features(data, network, lambda doing, _: told.append(doing))
    assert set(told) == {"real images (train)"}
    told.clear()
    np.testing.assert_array_equal(training_features(data, network, lambda doing, _: told.append(doing)), first)
    assert told == []
    (file,) = tmp_path.rglob("training-*.npy")
    np.testing.assert_array_equal(np.load(file), first)
    content = file.read_bytes()
    without_seal = content[: 128 + first.nbytes]
    for wrong in (without_seal, content[:-1], content + b"0", b""):
        file.write_bytes(wrong)
        np.testing.assert_array_equal(training_features(data, network), first)
        assert file.read_bytes() == content


@pytest.fixture
def trained(network: FeatureNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the network be that of all data, in an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(reference, "feature_network_for", lambda *_: network)


@pytest.mark.usefixtures("trained")
def test_cached_once(network: FeatureNetwork, tmp_path: Path) -> None:
    calls: list[tuple[str, float]] = []
    first = statistics_for(make_data(), lambda *told: calls.append(told))
    assert {doing for doing, done in calls if done == 1} == {"real images (train)", "real images (test)"}
    assert all(0 <= done <= 1 for _, done in calls)
    shares = [done for doing, done in calls if "train" in doing]
    assert shares == sorted(set(shares))
    calls.clear()
    second = statistics_for(make_data(), lambda *told: calls.append(told))
    assert calls == []
    np.testing.assert_array_equal(first.train.covariance, second.train.covariance)
    np.testing.assert_array_equal(first.held_out_classes, second.held_out_classes)
    assert first.network is second.network is network
    (file,) = tmp_path.rglob(ARRAYS)
    content = file.read_bytes()
    file.write_bytes(content[:-1])
    statistics_for(make_data())
    assert file.read_bytes() == content  # a damaged file of the cache is replaced


@pytest.mark.usefixtures("trained")
def test_statistics_that_cannot_be_kept_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache on a full disk costs time, not the evaluation."""
    expected = statistics_for(make_data())
    (file,) = tmp_path.rglob(ARRAYS)
    file.unlink()

    def full(path: Path, *_: object) -> None:
        raise OutputError(f"cannot write {path}: the disk is full.")

    monkeypatch.setattr(reference, "write_bytes", full)
    np.testing.assert_array_equal(statistics_for(make_data()).train.covariance, expected.train.covariance)
    assert not file.exists()


def test_damage_is_noticed(network: FeatureNetwork, tmp_path: Path) -> None:
    compute_statistics(make_data(), network).save(tmp_path)
    load_statistics(network, tmp_path)
    content = (tmp_path / ARRAYS).read_bytes()
    (tmp_path / ARRAYS).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(CheckpointError, match="was damaged or replaced"):
        load_statistics(network, tmp_path)
    (tmp_path / ARRAYS).write_bytes(content)
    card = json.loads((tmp_path / CARD).read_bytes())
    for other in ({"sha256": "0" * 64}, {"features_sha256": "0" * 64}, {"format": 2}):
        (tmp_path / CARD).write_text(json.dumps({**card, **other}), "utf-8")
        with pytest.raises(CheckpointError, match="was damaged or replaced"):
            load_statistics(network, tmp_path)
    for damaged in (b'{"format": 1}', b'{"format": "\xff"}', b"[" * 10**5):
        (tmp_path / CARD).write_bytes(damaged)
        with pytest.raises(CheckpointError, match="holds no reference statistics"):
            load_statistics(network, tmp_path)


@pytest.mark.slow
def test_the_shipped_statistics_belong_to_the_shipped_network() -> None:
    network, mnist = load_features(), load("mnist")
    shipped = load_statistics(network)
    assert statistics_for(mnist).train.n == len(mnist.train)
    assert sum((SHIPPED / name).stat().st_size for name in (ARRAYS, CARD)) < 300_000
    features = network(mnist.train.images[:640])
    assert np.abs(features.mean(axis=0) - shipped.train.mean).max() < 0.35
