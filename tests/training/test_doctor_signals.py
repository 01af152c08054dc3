"""The doctor's signals against closed forms, and the probe with tiny recipes."""

from __future__ import annotations

import math
import re
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist  # type: ignore[import-untyped]
from sklearn.metrics import roc_auc_score  # type: ignore[import-untyped]

import tiny_runs as runs
from documents import ROOT
from inkgan.config import resolve
from inkgan.data import DataSet, Split, load
from inkgan.generation.numpy_networks import softmax
from inkgan.networks.compact import Convolution
from inkgan.training.doctor import probe as signals
from inkgan.training.doctor.probe import COUNT, Probe
from inkgan.training.recipe import StepInfo, parameter_norms
from inkgan.training.start import build
from inkgan.training.state import as_arrays

_TO_28 = ((0, 0), (8, 8), (8, 8), (0, 0))
_CPU = torch.device("cpu")


def some(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).standard_normal(shape)


def test_pairs_in_order_is_the_area_under_the_curve() -> None:
    """It equals scikit-learn's, ties included, and neither offset nor scale changes it."""
    high, low = np.round(some(40) + 0.5, 1), np.round(some(30, seed=1), 1)
    area = roc_auc_score([1] * 40 + [0] * 30, np.concatenate([high, low]))
    assert signals.area_under_roc(high, low) == pytest.approx(area)
    assert signals.area_under_roc(7 * high + 3, 7 * low + 3) == pytest.approx(area)


def test_separation() -> None:
    """Two points on each side at distance 1 from their mean, with means 10 apart, have a separation of 10."""
    assert signals.separation(np.array([9.0, 11.0]), np.array([-1.0, 1.0])) == pytest.approx(10)
    assert signals.separation(np.array([2.0, 2.0]), np.array([2.0, 2.0])) == 0


def test_spread_within_classes() -> None:
    """It is the mean of SciPy's squared distances over all pairs within a class."""
    images, labels = some(12, 3, 2, 1), np.array([0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 2])
    pairs = np.concatenate([pdist(images[labels == k].reshape(-1, 6), "sqeuclidean") for k in range(3)])
    assert signals.spread_within_classes(images, labels) == pytest.approx(pairs.mean())
    assert signals.spread_within_classes(images, np.zeros(12, int)) == pytest.approx(
        pdist(images.reshape(12, 6), "sqeuclidean").mean()
    )
    assert math.isnan(signals.spread_within_classes(images[:3], np.arange(3)))


def test_identical_images() -> None:
    """Invisible differences do not count; visible ones do."""
    images = np.full((8, 4, 4, 1), 0.4)
    images[:4] += 1e-4 * np.arange(4)[:, None, None, None]
    images[4:] += 0.1 * np.arange(1, 5)[:, None, None, None]
    assert signals.share_of_identical(images) == 0.5


def test_identical_images_are_equal_in_sixteen_levels() -> None:
    """Sixteen greys one level apart are sixteen images; an image within half a level of another is identical."""
    levels = np.arange(16).reshape(16, 1, 1) / 15
    assert signals.share_of_identical(levels) == 0
    assert signals.share_of_identical(np.concatenate([levels, levels + 0.4 / 15])) == 1


def test_margin() -> None:
    """It is the difference of the means, here 5/2 and -1."""
    assert signals.margin(np.array([1.0, 4.0]), np.array([-1.0])) == 3.5


def test_ranges() -> None:
    """Images in [-1, 1] and in [0, 1] differ by 1."""
    unit = np.linspace(0, 1, 9)
    assert signals.difference_of_ranges(2 * unit - 1, unit) == 1
    assert signals.difference_of_ranges(unit, unit) == 0


def test_stuck_units() -> None:
    """Their share is that of all units; it is unknown if there are none."""
    assert signals.share_of_stuck([True, False, False, True, True, False, False, False]) == 3 / 8
    assert math.isnan(signals.share_of_stuck([]))


def test_units_are_watched_for_sixteen_images() -> None:
    """One unit is always above zero, one always below, one both, and one both only from image 17 on."""

    class Passing(Convolution):
        def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 - as in PyTorch
            return input

    network = torch.nn.Sequential()
    for name in ("first", "last"):
        network.add_module(name, Passing(4, 4))
    output = torch.tensor([0.5, -0.5, 0.5, 0.5]).repeat(20, 2, 3, 1)
    output[7, 1, 2, 2] = output[16, 0, 0, 3] = -0.5
    with signals._watched(network) as stuck:
        network(output)
    assert stuck == [True, True, False, True]
    network(output)
    assert len(stuck) == 4  # the network is no longer watched


def test_units_of_pytorchs_own_convolutions_are_channels_too() -> None:
    """A network of the user's own has maps [N, C, H, W]; a unit is a channel there, not a column."""
    layer = torch.nn.Conv2d(1, 4, 3, padding=1)
    torch.nn.init.zeros_(layer.bias)  # type: ignore[arg-type]  # there is one
    layer.bias.data[2] = -30.0  # type: ignore[union-attr]
    with signals._watched(torch.nn.Sequential(layer)) as stuck:
        layer(torch.randn(16, 1, 8, 6, generator=torch.Generator().manual_seed(0)))
    assert stuck == [False, False, True, False]


def test_what_classes_are_drawn_as() -> None:
    """Each row is the mean of the probabilities of one class."""
    probabilities = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    table = signals.drawn_as(probabilities, np.array([0, 0, 2]), np.arange(3))
    assert table[[0, 2]].tolist() == [[0.5, 0.5, 0], [0, 0, 1]]
    assert np.isnan(table[1]).all()
    assert signals.drawn_as(probabilities, np.array([0, 0, 2]), np.array([0, 2])).tolist() == table[[0, 2]].tolist()
    np.testing.assert_allclose(softmax(np.array([[1e4, 1e4]])), [[0.5, 0.5]])


def test_a_class_that_is_drawn_rarely() -> None:
    """The classifier may overlook half of a class, as on training images; a class without them is not excused."""
    rows = np.arange(4)
    real = np.array([[0.625, 0.375, 0, 0], [0, 1, 0, 0], [np.nan] * 4, [0, 1, 0, 0]])
    drawn = np.array([[0.625, 0.375, 0, 0], [0, 1, 0, 0], [0, 0.5, 0.5, 0], [0, 0.75, 0, 0.25]])
    assert signals.times_drawn(drawn, real, rows).tolist() == [1, 2.625, 0.5, 0.5]
    assert signals.times_drawn(drawn[[0, 2]], real[[0, 2]], np.array([0, 2])).tolist() == [1, 0.5]


@pytest.mark.parametrize("share", [0, 0.25, 1])
def test_a_class_that_is_drawn_as_another_one(share: float) -> None:
    """The share is found although the classifier confuses the real classes, too."""
    rows = np.arange(3)
    real = np.array([[0.75, 0.25, 0], [0.125, 0.75, 0.125], [np.nan, np.nan, np.nan]])
    drawn = np.array([(1 - share) * real[0] + share * real[1], real[1], [0, share, 1 - share]])
    shares = signals.shares_drawn_wrongly(drawn, real, rows)
    of_class_2 = min(share / 0.75, 1.0)  # all of it is expected to be seen
    np.testing.assert_allclose(shares, np.array([[0, share, share * 0.125], [0, 0, 0], [0, of_class_2, 0]], float))
    some = signals.shares_drawn_wrongly(drawn[[0, 2]], real[[0, 2]], np.array([0, 2]))
    np.testing.assert_allclose(some[0], [0, share * 0.5 / 0.75, share * 0.125])  # class 1 counts as always seen


def test_classes_that_the_classifier_can_hardly_tell_apart() -> None:
    """A chance difference between them is not divided by nearly nothing, nor by a negative number."""
    real = np.array([[0.5, 0.5], [0.5, 0.5]])
    drawn = np.array([[0.5, 0.5], [0.25, 0.75]])
    assert signals.shares_drawn_wrongly(drawn, real, np.arange(2)).tolist() == [[0, 0], [-0.5, 0]]
    assert signals.shares_drawn_wrongly(drawn[::-1], real, np.arange(2)).tolist() == [[0, 0.5], [0, 0]]


def test_how_often_a_class_is_drawn_instead_of_others() -> None:
    """The shares of all other classes add up; too small a share of one class does not make up for another."""
    shares = np.array([[0, 0.5, -0.25], [-0.5, 0, 0.125], [0, 1, 0]])
    assert signals.drawn_instead(shares).tolist() == [0, 1.5, 0.125]


def test_images_of_wanted_classes() -> None:
    """Images of a class are taken in turn, each of them once; a class without more images gives none."""
    found = signals.in_turn(np.array([1, 0, 1]), np.array([1, 1, 1, 0, 2]))
    assert found.tolist() == [0, 2, 1]
    images = np.array([0, 51, 255], np.uint8).reshape(3, 1, 1, 1)
    for labels in (None, np.array([3, 3, 3])):
        chosen, _ = signals._chosen(Split(images, labels), np.array([0, 1]))
        assert chosen.ravel().tolist() == pytest.approx([0, 0.2, 1])


def test_images_from_all_over_the_data() -> None:
    """Without classes to choose by: a folder's images come class by class, and the first ones would all be of one."""
    labels = np.repeat(np.arange(10), 64)
    chosen, classes = signals._chosen(Split(labels.astype(np.uint8)[:, None, None, None], labels), None)
    assert set(classes) == {0}
    assert len(classes) == len(chosen)
    assert set(np.rint(chosen * 255).ravel().tolist()) == set(range(10))


def test_the_norms_of_a_gradient() -> None:
    """Each parameter has one norm, whatever its shape, and the norm of all norms is that of the gradient."""
    norms = parameter_norms([torch.tensor([3.0, 0.0]), torch.tensor([[4.0]]), torch.zeros(2)])
    assert norms.tolist() == [3.0, 4.0, 0.0]
    assert torch.linalg.vector_norm(norms).item() == 5.0


@pytest.fixture(scope="module")
def data(small_data: Path) -> DataSet:
    """Return small data with three classes."""
    unlabelled = load(small_data)
    train, validation, test = (Split(one.images, np.arange(len(one)) % 3) for one in unlabelled.splits.values())
    return replace(unlabelled, class_names=("a", "b", "c"), train=train, validation=validation, test=test)


def probe_of(data: DataSet, *overrides: str) -> tuple[Any, Probe, Any]:
    config = resolve(overrides=[*runs.SETTINGS, *overrides])
    recipe = build(config, data.image_shape, len(data.class_names), _CPU, torch.float32)
    real = torch.from_numpy(data.train.images[:5]).float() / 255
    labels = None if data.train.labels is None else torch.from_numpy(data.train.labels[:5])
    return recipe, Probe(recipe, data, config, _CPU), (real, labels)


def test_looking_changes_nothing(data: DataSet) -> None:
    """Weights and optimisers have the same bits with and without looks, and a repeated look gives the same."""
    learned = []
    for looks in (0, 2):
        recipe, probe, (real, labels) = probe_of(data)
        state = torch.random.get_rng_state()
        for step in range(2):
            recipe.step(StepInfo(step, step, step / 2), real, labels)
            seen = [probe.look(real) for _ in range(looks)]
            assert all(one == seen[0] for one in seen)
        assert torch.equal(torch.random.get_rng_state(), state)
        learned.append({name: array.tobytes() for part in as_arrays(recipe).values() for name, array in part.items()})
    assert learned[0] == learned[1]


def test_what_a_look_says_of_classes(data: DataSet) -> None:
    """A classifier that takes every image for one class does so with training images, too, so none is drawn wrongly.

    But perhaps it never got the others, so they may be drawn too rarely.
    """
    recipe, probe, (real, _) = probe_of(data)
    with torch.no_grad():
        recipe.discriminator.last.weight[3:] = 0
        recipe.discriminator.last.bias[3:] = torch.tensor([0.0, 99.0, 0.0])
    found = probe.look(real)
    expected = {"rarest": 0, "drawn_instead": 0, "drawn_wrongly": 0, "drawn_as_0": 1, "drawn_as_1": 1, "drawn_as_2": 1}
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-6)
    assert found["classes_known"] == pytest.approx(1 / 2)  # the two held-out images are of classes 0 and 1


def test_what_a_look_says_of_a_class_that_is_not_learned(data: DataSet) -> None:
    """Without training images of class 2, the classifier never sees it, and what is asked for as 2 looks like 1."""
    train = data.train[np.flatnonzero(data.train.labels != 2)]
    recipe, probe, (real, _) = probe_of(replace(data, train=train))

    def discriminate(images: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.zeros(len(images)), 99.0 * torch.nn.functional.one_hot(labels.clamp(max=1), 3)

    recipe.discriminate = discriminate
    found = probe.look(real)
    classes = {"rarest_class": 2, "drawn_wrongly_class": 2, "drawn_wrongly_as": 1, "drawn_instead_class": 1}
    expected = classes | {"rarest": 0, "drawn_wrongly": 1, "drawn_instead": 1, "drawn_as_2": 1, "drawn_as_0": 0}
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert found["classes_known"] == pytest.approx(1)


def test_a_class_that_looks_like_none(data: DataSet) -> None:
    """A classifier that only guesses says nothing about what a class looks like."""
    recipe, probe, (real, _) = probe_of(data)
    with torch.no_grad():
        recipe.discriminator.last.weight[3:] = 0
        recipe.discriminator.last.bias[3:] = torch.tensor([0.0, 0.3, 0.0])
    found = probe.look(real)
    assert [found[f"drawn_as_{label}"] for label in range(3)] == [-1, -1, -1]


def test_every_signal_is_explained(data: DataSet) -> None:
    """The table of docs/doctor.md has one row for each signal of a look, and no others."""
    page = (ROOT / "docs" / "doctor.md").read_text("utf-8")
    table = page.partition("| in `metrics.jsonl`, after `doctor/` | meaning |")[2].partition("\n\n")[0]
    rows = [cell for line in table.splitlines()[2:] for cell in re.findall(r"`(\w+)`", line.split("|")[1])]
    _, probe, (real, _) = probe_of(data)
    signals_there = {*probe.look(real), "stuck_generator"}  # so small a generator has no convolution to look at
    others = {f"drawn_as_{label}" for label in (1, 2)}  # the table names that of class 0
    assert set(rows) == signals_there - others, "docs/doctor.md, The signals: one is not there, or one is too many"


@pytest.mark.parametrize("conditional", ["true", "false"])
def test_what_a_look_says_of_the_training_images(
    data: DataSet, monkeypatch: pytest.MonkeyPatch, conditional: str
) -> None:
    """A generator that draws them resembles them in every signal; its average, which draws them paler, does not."""
    monkeypatch.setattr(signals, "REAL_COUNT", COUNT)
    train = Split(np.resize(data.train.images, (COUNT, *data.image_shape)), np.arange(COUNT) % 3)
    recipe, probe, _ = probe_of(replace(data, train=train), f"conditional={conditional}")
    images, labels = probe._seen, probe._labels
    drawn = torch.from_numpy(images)
    assert (len(set(labels)) > 1) == (conditional == "true")
    monkeypatch.setattr(recipe, "draw_learner", lambda *_: drawn)
    monkeypatch.setattr(recipe, "draw", lambda *_: drawn[:32] / 2)
    found = probe.look(drawn)
    alike = {"brightness": 0, "range": 0, "order": 0.5, "margin": 0}
    assert {name: found[name] for name in alike} == pytest.approx(alike, abs=1e-6)
    assert found["order_held_out"] == pytest.approx(1 - found["memory"])
    spread = signals.spread_within_classes(images, labels)
    assert found["spread"] == pytest.approx(1)
    spread_of_some = signals.spread_within_classes(images[:32] / 2, labels[:32])
    assert found["spread_average"] == pytest.approx(spread_of_some / spread)
    assert found["from_average"] == pytest.approx(np.square(images[:32] / 2).sum((1, 2, 3)).mean() / spread)
    assert found["batches_in_an_epoch"] == COUNT / 5


def test_a_look_in_numbers(data: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logits are one below and one above 0 for generated images, 1 for training images and 2 for held-out ones."""
    recipe, probe, _ = probe_of(data, "conditional=false")

    def discriminate(images: torch.Tensor, _labels: None) -> tuple[torch.Tensor, None]:
        means = np.repeat([0.0, 1.0, 2.0], [COUNT, len(probe._seen), len(probe._unseen)])
        return torch.from_numpy(means + np.resize([-1.0, 1.0], len(images))), None

    monkeypatch.setattr(recipe, "discriminate", discriminate)
    monkeypatch.setattr(recipe, "draw_learner", lambda *_: torch.full((COUNT, *data.image_shape), 0.75))
    light_ink = torch.zeros(5, *data.image_shape)
    light_ink[:, 3:9, 3:9] = 1  # a quarter of the pixels
    found = probe.look(light_ink)
    expected = {
        "brightness": 0.5, "range": 0.75, "dark_ink": -1, "margin": 1, "margin_held_out": 2, "order": 0.75,
        "order_held_out": 0.875, "separation": 2, "memory": 0.25,
    }  # fmt: skip
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert probe.look(1 - light_ink)["dark_ink"] == 1


@pytest.mark.parametrize("name", ["validation", "test"])
def test_which_images_are_held_out(data: DataSet, name: str) -> None:
    """The validation images are held out, or those of the test split if there are none."""
    if name == "test":
        data = replace(data, validation=Split(data.validation.images[:0], np.zeros(0, np.int64)))
    _, probe, _ = probe_of(data)
    held_out = {image.tobytes() for image in data.splits[name].images.astype(np.float32) / 255}
    assert {image.tobytes() for image in probe._unseen} <= held_out


def test_what_a_look_says_of_faults(data: DataSet) -> None:
    """Faults that are planted in an untrained recipe show in their signals."""
    recipe, probe, (real, _) = probe_of(data)
    sound = probe.look(real)
    assert sound["identical"] < 1
    assert sound["dark_ink"] == -probe.look(1 - real)["dark_ink"]
    assert probe.look(2 * real - 1)["range"] == pytest.approx(1 + sound["range"], abs=1)
    with torch.no_grad():
        for layer in recipe.discriminator.shrink:
            layer.bias.fill_(-1e4)
        recipe.generator.first.weight.zero_()
        for layer in recipe.generator.scales:
            layer.weight.zero_()
    seen = probe.look(real)
    assert seen["stuck_discriminator"] > sound["stuck_discriminator"]
    assert seen["identical"] == 1
    assert seen["spread"] == pytest.approx(0, abs=1e-9)
    assert seen["spread_average"] == sound["spread_average"]


@pytest.mark.filterwarnings("error")
def test_a_look_at_weights_that_are_not_finite(data: DataSet) -> None:
    """Signals without a value are left out, and NumPy's warnings do not reach the user."""
    recipe, probe, (real, _) = probe_of(data)
    with torch.no_grad():
        recipe.generator.first.weight.fill_(math.nan)
    assert all(map(math.isfinite, probe.look(real).values()))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["unlabelled", "unconditional", "unclassified", "tutorial"])
def test_what_cannot_be_said_is_left_out(data: DataSet, kind: str) -> None:
    """Signals of classes need a classifier that learns, those of an average need one; the others are always there."""
    if kind == "unlabelled":
        train, validation, test = (Split(one.images, None) for one in data.splits.values())
        data = replace(data, class_names=(), train=train, validation=validation, test=test)
    overrides = {"unconditional": ["conditional=false"], "unclassified": ["class_weight=0"]}.get(kind, [])
    if kind == "tutorial":
        config = resolve(overrides=runs.TUTORIAL)
        train, validation, test = (Split(np.pad(one.images, _TO_28), one.labels) for one in data.splits.values())
        data = replace(data, train=train, validation=validation, test=test)
        probe = Probe(build(config, (28, 28, 1), 0, _CPU, torch.float32), data, config, _CPU)
        real = torch.zeros(5, 28, 28, 1)
    else:
        _, probe, (real, _) = probe_of(data, *overrides)
    found = probe.look(real)
    assert not {"classes_known", "rarest", "drawn_wrongly"} & found.keys()
    assert ("from_average" in found) == (kind != "tutorial")
    assert {"spread", "order_held_out", "memory", "range"} <= found.keys()


def test_a_data_set_of_one_image_a_class(data: DataSet) -> None:
    """Spreads are left out if no class has a pair, even if the held-out image is of a class that is not drawn."""
    held_out = Split(data.train.images[5:6], np.array([17]))
    train = Split(np.repeat(data.train.images[:10], 2, axis=0), np.arange(20))
    few = replace(data, class_names=tuple(map(str, range(20))), train=train, validation=held_out, test=held_out)
    _, probe, (real, _) = probe_of(few)
    found = probe.look(real)
    assert "spread" not in found
    assert "classes_known" in found
    assert 0 <= found["memory"] <= 1


def test_a_look_that_fails_costs_one_warning(tmp_path: Path, small_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run goes on."""
    monkeypatch.setattr(signals, "margin", lambda *_: 1 / 0)
    watcher = runs.RecordingWatcher()
    settings = ["watch.doctor_every=1"]
    assert runs.train(tmp_path / "run", small_data, settings=settings, steps=3, watcher=watcher).complete
    too_few, warning = watcher.warnings
    assert "too few test images" in too_few
    assert "doctor's look" in warning


@pytest.mark.slow
def test_a_run_logs_what_the_doctor_sees(tmp_path: Path, small_data: Path) -> None:
    """A step that is logged or examined has one line, with the losses and, if it is examined, the signals."""
    settings = ["watch.doctor_every=2", "watch.log_every=3"]
    runs.train(tmp_path / "run", small_data, settings=settings, steps=5)
    lines = {line["step"]: line for line in runs.metrics(tmp_path / "run")}
    assert [step for step, line in lines.items() if "doctor/spread" in line] == [0, 2, 4]
    assert [step for step, line in lines.items() if line.get("gradient_generator", 0) > 0] == [0, 2, 3, 4]
    assert len(lines) == len(runs.metrics(tmp_path / "run"))


def test_the_cost_of_many_classes(data: DataSet) -> None:
    """A look is at a few images, and needs no table of all classes, which would take 32 MB here."""
    images = np.repeat(data.train.images[:1], 2000, axis=0)
    split = Split(images, np.arange(2000))
    names = tuple(map(str, range(2000)))
    _, probe, (real, _) = probe_of(replace(data, class_names=names, train=split, validation=split[:90], test=split))
    tracemalloc.start()
    found = probe.look(real)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert COUNT == 64
    assert "classes_known" in found
    assert most < 20e6
