"""Classifier score, class balance, per-class accuracy and diversity: closed forms, definitions, coverage."""

from __future__ import annotations

import importlib

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inkgan.errors import EvaluationError
from inkgan.evaluation.metrics.classes import class_balance, classifier_score, conditional_accuracy, diversity
from inkgan.evaluation.metrics.intervals import Estimate, Interval, binomial, groups, jackknife

Array = npt.NDArray[np.float64]
UNIFORM = np.full(4, 0.25)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def softmax(seed: int, n: int, k: int, sharpness: float = 2.0) -> Array:
    logits = np.exp(sharpness * np.random.default_rng(seed).standard_normal((n, k)))
    return np.asarray(logits / logits.sum(axis=1, keepdims=True))


def test_score_at_its_ends() -> None:
    """It is K if each image is certain and all classes are equally frequent; 1 if none is certain or all are alike."""
    assert classifier_score(np.eye(4)[np.arange(200) % 4], rng()).value == pytest.approx(4)
    assert classifier_score(np.tile(UNIFORM, (200, 1)), rng()).value == pytest.approx(1)
    assert classifier_score(np.eye(4)[np.zeros(200, int)], rng()).value == pytest.approx(1)


def test_score_equals_torchmetrics() -> None:
    inception = importlib.import_module("torchmetrics.image.inception")  # which takes long
    p = softmax(0, 300, 10)

    class Logits(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.from_numpy(np.log(p))[images[:, 0, 0, 0].long()]

    with pytest.warns(UserWarning, match="memory footprint"):
        oracle = inception.InceptionScore(feature=Logits(), splits=1)
    oracle.update(torch.arange(300).view(-1, 1, 1, 1))
    with pytest.warns(UserWarning, match="degrees of freedom"):  # of the spread over its one split
        expected = float(oracle.compute()[0])
    assert classifier_score(p, rng()).value == pytest.approx(expected, rel=1e-5)


def test_the_jackknife_of_the_score_computes_it_without_each_group() -> None:
    p = softmax(1, 101, 5)
    group = groups(101, 10, rng())

    def plain(q: Array) -> float:
        return float(np.exp((q * np.log(q / q.mean(axis=0))).sum(axis=1).mean()))

    expected = jackknife(plain(p), np.array([plain(p[group != g]) for g in range(10)]), len(p))
    estimate = classifier_score(p, rng(), 10)
    assert estimate.value == pytest.approx(expected.value, rel=1e-12)
    assert estimate.standard_error == pytest.approx(expected.standard_error, rel=1e-9)


@pytest.mark.slow
def test_score_interval_covers_its_expected_value() -> None:
    """Nominal 95 %, 300 trials (standard error 1.3 %)."""
    estimates = [classifier_score(softmax(i, 200, 4), rng(), 20) for i in range(300)]
    mean = np.mean([e.value for e in estimates])
    assert 0.91 <= np.mean([e.interval.low <= mean <= e.interval.high for e in estimates]) <= 0.99


def test_balance_by_hand() -> None:
    labels = np.repeat([0, 1, 2], [50, 25, 25])
    balance = class_balance(labels, UNIFORM, rng())
    assert balance.total_variation.value == pytest.approx(0.25)
    assert balance.kl.value == pytest.approx(0.5 * np.log(2))
    assert balance.covered == Estimate(3, 0, Interval(3, 4), 100)  # a class that 100 images lack may still be there


def test_a_class_counts_as_covered_from_a_tenth_of_its_share() -> None:
    """One misread image among many does not make a class covered."""
    few = class_balance(np.repeat([0, 1, 2, 3], [400, 300, 299, 1]), UNIFORM, rng())
    assert few.covered == Estimate(3, 0, Interval(3, 3), 1000)
    assert class_balance(np.repeat([0, 1, 2, 3], [375, 300, 300, 25]), UNIFORM, rng()).covered.value == 4


def test_balance_jackknife_is_the_plain_one() -> None:
    labels = np.random.default_rng(2).choice(4, 60, p=[0.4, 0.3, 0.2, 0.1])
    without = [np.bincount(np.delete(labels, i), minlength=4) / 59 for i in range(60)]
    expected = jackknife(0.0, np.array([np.abs(q - UNIFORM).sum() / 2 for q in without]), 1)
    balance = class_balance(labels, UNIFORM, rng())
    assert balance.total_variation.standard_error == pytest.approx(expected.standard_error)
    expected = jackknife(0.0, np.array([(q * np.log(q / UNIFORM)).sum() for q in without]), 1)
    assert balance.kl.standard_error == pytest.approx(expected.standard_error, rel=1e-9)


def test_the_balance_that_chance_gives() -> None:
    """Of 20 fair coins, |heads - 10| is at least 5 in 4.1 % and at least 6 in 1.2 % of cases."""
    balance = class_balance(np.arange(20) % 2, np.array([0.5, 0.5]), rng())
    assert balance.chance_total_variation == Interval(0, 0.25)


@pytest.mark.slow
def test_balance_intervals_cover(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nominal 95 %, 300 trials: of unequal classes, and the chance interval of equal ones."""
    share = binomial(1, 300)
    monkeypatch.setattr("inkgan.evaluation.metrics.classes.binomial", lambda *_: share)  # its interval takes long
    skewed = [0.4, 0.3, 0.2, 0.1]
    source = np.random.default_rng(5)
    balances = [class_balance(source.choice(4, 300, p=skewed), UNIFORM, rng(), 10) for _ in range(300)]
    for name in ("total_variation", "kl"):
        mean = np.mean([getattr(b, name).value for b in balances])
        intervals = [getattr(b, name).interval for b in balances]
        assert 0.91 <= np.mean([i.low <= mean <= i.high for i in intervals]) <= 0.99, name
    chance = class_balance(source.choice(4, 300), UNIFORM, rng()).chance_total_variation
    fair = np.abs(source.multinomial(300, UNIFORM, 2000) / 300 - UNIFORM).sum(axis=1) / 2
    assert np.mean((chance.low <= fair) & (fair <= chance.high)) == pytest.approx(0.95, abs=0.02)


@pytest.mark.slow
@settings(max_examples=25)
@given(st.lists(st.integers(0, 3), min_size=4, max_size=80))
def test_balance_properties(values: list[int]) -> None:
    """Between 0 and 1, blind to order, and Pinsker's inequality holds between the two figures."""
    labels = np.array(values)
    balance = class_balance(labels, UNIFORM, rng(), 10)
    assert 0 <= balance.total_variation.value <= 0.75
    assert balance.total_variation.value <= np.sqrt(max(balance.kl.value, 0) / 2) + 1e-9
    again = class_balance(labels[::-1], UNIFORM, rng(), 10)
    assert again.total_variation == balance.total_variation


def test_conditional_accuracy() -> None:
    asked = np.array([0] * 10 + [2] * 20)
    predicted = asked.copy()
    predicted[:5] = 1
    overall, by_class = conditional_accuracy(asked, predicted)
    assert overall.value == 25 / 30
    assert {c: share.value for c, share in by_class.items()} == {0: 0.5, 2: 1.0}
    assert by_class[0] == binomial(5, 10)
    assert conditional_accuracy(asked[:1], asked[:1])[0].value == 1  # one image is enough
    assert conditional_accuracy(asked.astype(np.uint8), predicted)[0] == overall  # any integers are


def test_diversity_by_definition() -> None:
    x = np.random.default_rng(0).standard_normal((30, 4)) + 7
    expected = np.mean([((a - b) ** 2).sum() for i, a in enumerate(x) for j, b in enumerate(x) if i != j])
    assert diversity(x, rng()).value == pytest.approx(expected, rel=1e-12)
    assert diversity(np.tile(x[:1], (30, 1)), rng()).value == pytest.approx(0, abs=1e-12)


def test_diversity_does_not_depend_on_where_the_features_lie() -> None:
    """Sums of squares about a far origin would lose all digits."""
    x = np.random.default_rng(0).standard_normal((30, 4))
    assert diversity(x + 1e7, rng()).value == pytest.approx(2 * np.trace(np.cov(x.T)), rel=1e-6)


def test_the_jackknife_of_diversity_computes_it_without_each_group() -> None:
    x = np.random.default_rng(1).gamma(2.0, size=(31, 3))
    group = groups(31, 5, rng())
    left_out = [2 * np.trace(np.cov(x[group != g].T)) for g in range(5)]
    expected = jackknife(2 * float(np.trace(np.cov(x.T))), np.array(left_out), len(x))
    assert diversity(x, rng(), 5).standard_error == pytest.approx(expected.standard_error, rel=1e-9)


def test_float32_is_computed_in_float64() -> None:
    """The results are the same to the last bit, and the inputs are not changed."""
    x, p = (np.random.default_rng(1).gamma(2.0, size=(120, 3)) + 90).astype(np.float32), softmax(0, 200, 4)
    for features in (x, x.astype(np.float64)):
        before = features.copy()
        assert diversity(features, rng()) == diversity(x.astype(np.float64), rng())
        assert np.array_equal(features, before)
    single = p.astype(np.float32)
    assert classifier_score(single, rng()) == classifier_score(single.astype(np.float64), rng())


@pytest.mark.slow
def test_diversity_interval_covers() -> None:
    """Nominal 95 %, 300 trials (standard error 1.3 %); the truth is 2 tr(I) = 6."""
    source = np.random.default_rng(6)
    intervals = [diversity(source.standard_normal((80, 3)), rng()).interval for _ in range(300)]
    assert 0.91 <= np.mean([i.low <= 6 <= i.high for i in intervals]) <= 0.99


def test_fewer_images_than_classes_are_refused() -> None:
    class_balance(np.arange(4), UNIFORM, rng())
    with pytest.raises(EvaluationError, match="1 image for 4 classes; give at least as many"):
        class_balance(np.array([0]), np.full(4, 0.25), np.random.default_rng(0))
    with pytest.raises(EvaluationError, match="3 images for 4 classes; give"):
        class_balance(np.arange(3), UNIFORM, rng())
