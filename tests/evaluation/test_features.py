"""The feature network: training, folding, storing, refusing, and independence of the batch."""

from __future__ import annotations

import copy
import errno
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from inkgan.data import DataSet, Split, load
from inkgan.errors import CheckpointError, EvaluationError, InkganWarning, OutputError
from inkgan.evaluation import feature_training
from inkgan.evaluation.feature_training import (
    FeatureRecipe,
    feature_network_for,
    one_cycle,
    recipe_for,
    train_features,
    warp,
)
from inkgan.evaluation.features import (
    CARD,
    SHIPPED,
    WEIGHTS,
    FeatureCard,
    FeatureNetwork,
    extract,
    load_features,
    shrink,
    to_ink,
)
from inkgan.files import sha256_of

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
QUICK = FeatureRecipe(epochs=1, least_steps=60, batch_images=32, average_steps=10, learning_rate=1e-2)


def bars(n: int, shape: tuple[int, int, int] = (12, 12, 1), seed: int = 0) -> tuple[Images, Labels]:
    """Three classes that are easy to tell apart: a horizontal bar, a vertical bar, a filled square, on noisy paper."""
    rng = np.random.default_rng(seed)
    height, width, _ = shape
    images = rng.integers(0, 60, (n, *shape), dtype=np.uint8)
    labels = rng.integers(0, 3, n)
    rows, columns = slice(height // 3, 2 * height // 3), slice(width // 3, 2 * width // 3)
    images[labels == 0, rows] += 180
    images[labels == 1, :, columns] += 180
    images[labels == 2, rows, columns] += 180
    return images, labels


def card(shape: tuple[int, int, int] = (12, 12, 1)) -> FeatureCard:
    classes = ("across", "down", "square")
    return FeatureCard(name="bars", image_shape=shape, class_names=classes, widths=(8, 8, 8, 8), num_features=16)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Networks this small lose more by sharing the work than they gain."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def accuracy(network: FeatureNetwork, images: Images, labels: Labels) -> float:
    return float((network.probabilities(images).argmax(1) == labels).mean())


@pytest.fixture(scope="module")
def network() -> FeatureNetwork:
    return train_features(Split(*bars(400)), card(), QUICK)


@pytest.fixture(scope="module")
def shipped() -> FeatureNetwork:
    return load_features()


@pytest.mark.slow
def test_it_learns(network: FeatureNetwork) -> None:
    images, labels = bars(300, seed=1)
    assert accuracy(network, images, labels) > 0.9
    features, probabilities = network.extract(images)
    assert features.shape == (300, 16)
    assert probabilities.shape == (300, 3)
    assert features.dtype == probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.slow
def test_training_is_deterministic_and_leaves_the_global_generator_alone() -> None:
    state = torch.random.get_rng_state()
    first, second = (train_features(Split(*bars(100)), card(), QUICK)(bars(20)[0]) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert torch.equal(state, torch.random.get_rng_state())
    other = train_features(Split(*bars(100)), card(), replace(QUICK, seed=1))(bars(20)[0])
    assert not np.array_equal(first, other)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(8, 8, 1), (12, 20, 3), (90, 70, 1)])
def test_any_size_with_one_or_three_channels(shape: tuple[int, int, int]) -> None:
    recipe = replace(QUICK, least_steps=3, bfloat16=False)
    small = train_features(Split(*bars(64, shape)), card(shape), recipe)
    assert small(bars(5, shape)[0]).shape == (5, 16)
    assert small.card.recipe["bfloat16"] is False


def test_folding_changes_nothing() -> None:
    torch.manual_seed(0)
    trainee = feature_training.layers_to_train(card(), 0.3)
    ink = to_ink(bars(64)[0])
    for _ in range(5):
        trainee(ink)
    folded = feature_training.folded(trainee)
    features, logits = trainee.eval()(ink)
    for ours, expected in zip(folded(ink), (features, logits), strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("indices", [[3], [199, 3], [*range(200)][::-1], [3] * 70])
def test_features_do_not_depend_on_the_batch(shipped: FeatureNetwork, indices: list[int]) -> None:
    """An image has the same features, bit for bit, alone, in another place and among other images."""
    images = load("mnist").test.images[:200]
    features, probabilities = shipped.extract(images)
    again = shipped.extract(images[indices])
    np.testing.assert_array_equal(again[0], features[indices])
    np.testing.assert_array_equal(again[1], probabilities[indices])


@pytest.mark.slow
def test_extraction_reports_progress_and_leaves_the_threads_alone(network: FeatureNetwork) -> None:
    calls: list[tuple[str, float]] = []
    before = torch.get_num_threads()
    network.extract(bars(300)[0], lambda *call: calls.append(call), "some images")
    assert {doing for doing, _ in calls} == {"some images"}
    shares = [done for _, done in calls]
    assert len(shares) > 1
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert torch.get_num_threads() == before


def test_large_pictures_are_averaged_down_to_64_pixels_a_side() -> None:
    """Only the side that is longer; smaller pictures stay as they are."""
    tall = torch.arange(128.0 * 32).view(1, 1, 128, 32)
    torch.testing.assert_close(shrink(tall), (tall[:, :, ::2] + tall[:, :, 1::2]) / 2)
    assert torch.equal(shrink(tall[:, :, :64]), tall[:, :, :64])


def test_storing_and_loading(network: FeatureNetwork, tmp_path: Path) -> None:
    stored = network.save(tmp_path)
    images = bars(30)[0]
    loaded = load_features(tmp_path)
    np.testing.assert_array_equal(stored(images), loaded(images))
    np.testing.assert_allclose(loaded(images), network(images), rtol=0.02, atol=0.02)
    assert loaded.card == replace(network.card, sha256=sha256_of(tmp_path / WEIGHTS))


def edit_card(folder: Path, **changes: object) -> None:
    fields = json.loads((folder / CARD).read_text())
    (folder / CARD).write_text(json.dumps({**fields, **changes}))


@pytest.mark.slow
def test_damage_is_noticed(network: FeatureNetwork, tmp_path: Path) -> None:
    network.save(tmp_path)
    edit_card(tmp_path, num_features=15)
    with pytest.raises(CheckpointError, match="is not a feature network"):
        load_features(tmp_path)
    edit_card(tmp_path, format=2)
    with pytest.raises(CheckpointError, match="format 2"):
        load_features(tmp_path)
    edit_card(tmp_path, format=1, colour="red")
    with pytest.raises(CheckpointError, match="colour"):
        load_features(tmp_path)
    network.save(tmp_path)
    content = bytearray((tmp_path / WEIGHTS).read_bytes())
    content[-1] ^= 1
    (tmp_path / WEIGHTS).write_bytes(content)
    with pytest.raises(CheckpointError, match="was damaged or replaced"):
        load_features(tmp_path)
    (tmp_path / WEIGHTS).write_bytes(b"none")
    edit_card(tmp_path, sha256=sha256_of(tmp_path / WEIGHTS))
    with pytest.raises(CheckpointError, match="is not a feature network"):
        load_features(tmp_path)
    (tmp_path / CARD).unlink()
    with pytest.raises(CheckpointError, match="is not a feature network"):
        load_features(tmp_path)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 12, 12, 1)), r"images are float64 \[2, 12, 12, 1\]"),
        (np.zeros((2, 12, 12), np.uint8), r"images are uint8 \[2, 12, 12\]"),
        (np.zeros((0, 12, 12, 1), np.uint8), "N > 0"),
        (np.zeros((2, 12, 12, 3), np.uint8), "of 12x12x1. Convert"),
        (np.zeros((2, 12, 13, 1), np.uint8), r"images are uint8 \[2, 12, 13, 1\]"),
    ],
)
def test_refuses_images(network: FeatureNetwork, images: Images, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        network(images)


def test_any_callable_is_an_extractor() -> None:
    images = bars(9)[0]
    features = extract(lambda given: given.reshape(len(given), -1) / 255.0, images)
    assert features.shape == (9, 144)
    assert features.dtype == np.float32
    with pytest.raises(EvaluationError, match=r"give floats \[9, D\]"):
        extract(lambda given: given[:3].reshape(3, -1) / 255.0, images)
    assert extract(lambda given: np.zeros((len(given), 2)), images, 2).shape == (9, 2)
    with pytest.raises(EvaluationError, match=r"returned float64 \[9, 2\] for 9 images; give floats \[9, 3\]"):
        extract(lambda given: np.zeros((len(given), 2)), images, 3)
    with pytest.raises(EvaluationError, match=r"returned float64 \[9, 0\]"):
        extract(lambda given: np.zeros((len(given), 0)), images)
    with pytest.raises(EvaluationError, match="returned uint8"):
        extract(lambda given: given.reshape(len(given), -1), images)
    with pytest.raises(EvaluationError, match="not finite"):
        extract(lambda given: np.full((len(given), 2), np.nan), images)
    with pytest.raises(EvaluationError, match=r"what the extractor returned cannot be read as an array: .*detach"):
        extract(lambda given: torch.zeros(len(given), 2, requires_grad=True), images)  # type: ignore[arg-type,return-value]
    with pytest.raises(EvaluationError, match="not finite in float32"):  # float64 has this number
        extract(lambda given: np.full((len(given), 2), 1e300), images)


def data(labelled: bool = True) -> DataSet:
    images, labels = bars(96)
    split = Split(images, labels if labelled else None)
    return DataSet("bars", split, split, split, ("a", "b", "c") if labelled else (), "here", {}, "d1")


@pytest.mark.slow
def test_networks_of_other_data_are_trained_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(feature_training, "recipe_for", lambda *_: (replace(QUICK, least_steps=3), (8, 8, 8, 8)))
    told: list[float] = []
    with pytest.warns(InkganWarning, match="feature network of bars is not kept yet"):
        first = feature_network_for(data(), lambda _, done: told.append(done))
    assert told[-1] == 1.0
    trained = len(told)
    second = feature_network_for(data(), lambda _, done: told.append(done))
    assert trained == len(told)
    assert first.card == second.card
    assert set(first.card.accuracy) == {"validation", "test"}
    assert first.card.data == {"name": "bars", "digest": "d1", "train_images": 96}
    with pytest.warns(InkganWarning, match="is kept for next time"):
        feature_network_for(replace(data(), digest="d2"))
    assert len(list((tmp_path / "inkgan" / "features").glob(f"*/{CARD}"))) == 2
    others: list[dict[str, object]] = [{"image_shape": [13, 12, 1]}, {"widths": ["8"] * 4}]
    damages = (b"{}", *(json.dumps({**asdict(first.card), **other}).encode() for other in others))
    for name, damage in (*((CARD, damage) for damage in damages), (WEIGHTS, b"")):
        for path in (tmp_path / "inkgan" / "features").glob(f"*/{name}"):
            path.write_bytes(damage)
        with pytest.warns(InkganWarning, match="feature network of bars is damaged, so it is trained"):
            again = feature_network_for(data())
        assert again.card == feature_network_for(data()).card  # without a warning, which would be an error here


def test_the_cost_is_announced_before_training_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(feature_training, "recipe_for", lambda *_: (replace(QUICK, least_steps=3), (8, 8, 8, 8)))
    said_before: list[int] = []
    network = feature_network_for(data(), lambda *_: said_before.append(len(recwarn)))
    assert set(said_before) == {1}
    message = str(recwarn.pop(InkganWarning).message)
    assert "on 96 images: about 10 seconds on two cores" in message
    assert network.card.widths == (8, 8, 8, 8)


def test_a_network_that_is_kept_needs_no_place_to_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a cache that belongs to another user, or to the image of a container."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(feature_training, "recipe_for", lambda *_: (replace(QUICK, least_steps=3), (8, 8, 8, 8)))
    with pytest.warns(InkganWarning, match="is not kept yet"):
        first = feature_network_for(data())

    def read_only(place: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(place))

    monkeypatch.setattr(feature_training, "one_at_a_time", read_only)
    assert feature_network_for(data()).card == first.card
    with pytest.raises(OutputError, match="permission denied"):
        feature_network_for(replace(data(), digest="d2"))


def test_a_long_training_is_announced_in_minutes() -> None:
    """15 passes of 429 steps on 128 images of 4,096 pixels take 5,060 seconds, at 1.5 microseconds for a pixel."""
    large = Split(np.broadcast_to(np.uint8(0), (55_000, 64, 64, 1)), None)
    recipe, widths = recipe_for(len(large), (64, 64, 1))
    said = feature_training._announcement("not kept yet", replace(data(), train=large), recipe, widths)
    assert "on 55,000 images: about 84 minutes on two cores" in said


@pytest.mark.parametrize("num_images", [64, 1_000, 1_440, 9_999])
@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 28, 1), (40, 56, 1), (64, 64, 3), (640, 480, 3)])
def test_small_sets_take_about_a_minute_and_learn_in_enough_steps(num_images: int, shape: tuple[int, int, int]) -> None:
    """This holds for images of any size. Only their number and shape decide, so that a set has one network."""
    recipe, widths = recipe_for(num_images, shape)
    seconds = recipe.steps(num_images) * feature_training.step_seconds(recipe.batch_images, shape, widths)
    one_pass = num_images // recipe.batch_images * feature_training.step_seconds(recipe.batch_images, shape, widths)
    assert seconds <= 60 + one_pass
    assert recipe.steps(num_images) >= 250
    assert recipe == recipe_for(num_images, shape)[0]


def test_large_sets_are_learned_from_by_the_whole_recipe() -> None:
    assert recipe_for(48_000, (28, 28, 1)) == (FeatureRecipe(), FeatureCard.widths)
    assert FeatureRecipe().steps(55_000) == 15 * 429
    assert replace(QUICK, epochs=2, least_steps=7).steps(100) == 9  # 3 passes of 3 steps


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container whose user has no home folder; no option names the cache, so the message says what does."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(OutputError, match=r"cannot write .*: not a directory\. Set XDG_CACHE_HOME to a folder"):
        feature_network_for(data())


def test_unlabelled_data_cannot_teach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(EvaluationError, match=r"bars has no labels, so nothing can be measured"):
        feature_network_for(data(labelled=False))
    with pytest.raises(EvaluationError, match=r"bars has one class, .* an extractor"):
        feature_network_for(replace(data(), class_names=("a",)))


def test_too_few_images_are_refused_before_a_network_learns_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their features, 64 numbers each, would have no distance. Nothing is announced, trained or written."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    few = replace(data(), train=data().train[:64])
    assert len(few.train) == FeatureCard.num_features == 64
    with pytest.raises(EvaluationError, match=r"bars has too few training images .* needs 65, and it has 64; add"):
        feature_network_for(few)
    assert list(tmp_path.iterdir()) == []


def test_warps_of_nothing_change_nothing() -> None:
    ink = to_ink(bars(3)[0])
    still = FeatureRecipe(rotation_degrees=0, scale=0, shear=0, shift=0, elastic=0)
    torch.testing.assert_close(warp(ink, still, torch.Generator()), ink, rtol=0, atol=1e-5)
    first, second = (warp(ink, FeatureRecipe(), torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first[0], ink[0])


def test_the_correlation_penalty() -> None:
    """It is 0 for orthogonal columns, and D - 1 if all D features are the same one, with unit variance."""
    columns = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
    assert feature_training.correlation_penalty(columns).item() == 0
    one = torch.tensor([1.0, -1, 1, -1])[:, None] * (0.75**0.5)
    assert feature_training.correlation_penalty(one.expand(4, 5)).item() == pytest.approx(4)


def averaged(weights: Sequence[float], average_steps: int) -> float:
    """Return the moving average of a weight that has these values in turn."""
    layer = torch.nn.Linear(1, 1, bias=False).requires_grad_(False)
    average = copy.deepcopy(layer)
    for step, weight in enumerate(weights, 1):
        layer.weight.fill_(weight)
        feature_training._update_average(average, layer, step, average_steps)
    return next(average.parameters()).item()


def test_the_average_of_the_weights_is_a_mean_that_forgets() -> None:
    """It is the plain mean of the first steps; later, what was there fades by e in ``average_steps`` steps."""
    assert averaged([1, 2, 3, 4, 5], 1000) == pytest.approx(3)
    assert averaged([1] * 50 + [0] * 4, 4) == pytest.approx(1 / math.e)


def test_one_cycle_goes_up_and_down() -> None:
    rates = [one_cycle(i / 100) for i in range(101)]
    assert max(rates) == rates[20] == 1
    assert rates[0] == 0.02
    assert rates[100] == pytest.approx(0)
    assert rates[:21] == sorted(rates[:21])
    assert rates[20:] == sorted(rates[20:], reverse=True)


@pytest.mark.slow
def test_the_shipped_network_is_what_its_card_says(shipped: FeatureNetwork) -> None:
    mnist = load("mnist")
    assert shipped.card.data["digest"] == mnist.digest
    assert feature_network_for(mnist).card == shipped.card
    assert shipped.card.accuracy["test"] >= 0.995
    assert (SHIPPED / WEIGHTS).stat().st_size <= 1_000_000
    assert shipped.card.sha256 in (SHIPPED / "README.md").read_text()
    assert 64 <= shipped.card.num_features <= 128
    images, labels = mnist.test.images, mnist.test.labels
    assert labels is not None
    assert accuracy(shipped, images[::5], labels[::5]) >= 0.993  # 2,000 images: 0.995 less one standard error


@pytest.mark.slow
def test_the_shipped_features_fill_their_space(shipped: FeatureNetwork) -> None:
    """About unit variance in each dimension, and far more directions than the 9 that ten classes need."""
    features = shipped(load("mnist").test.images[::10])
    assert features.var(axis=0).min() > 0.5
    assert features.var(axis=0).max() < 2
    weights = np.linalg.eigvalsh(np.cov(features.T).astype(np.float64))
    weights /= weights.sum()
    assert np.exp(-(weights * np.log(weights)).sum()) > 32
