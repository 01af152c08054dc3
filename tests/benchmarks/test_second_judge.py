"""The second judge reads digits, errs on others than the classifier, and confirms the digits that this one chose."""

from __future__ import annotations

import importlib
from types import ModuleType

import numpy as np
import pytest

import inkgan
from inkgan import data
from inkgan.generation.legibility import probabilities


@pytest.fixture
def judging() -> ModuleType:
    return importlib.import_module("second_judge")


@pytest.mark.slow
def test_it_reads_real_digits_and_errs_elsewhere_than_the_classifier(judging: ModuleType) -> None:
    """At least half of the test images that either misreads are misread by only one of them."""
    test = data.load("mnist").test
    assert test.labels is not None
    images, labels = test.images[:1000], test.labels[:1000]
    theirs = judging.read(judging.load_judge(), images) != labels
    ours = probabilities(images[..., 0]).argmax(1) != labels
    assert theirs.mean() < 0.02
    assert (theirs ^ ours).sum() >= (theirs & ours).sum()


@pytest.mark.slow
def test_it_reads_nearly_all_digits_that_were_chosen(judging: ModuleType) -> None:
    """It misreads less than half as many chosen digits as digits that are drawn without choosing."""
    model, judge = inkgan.load("fast"), judging.load_judge()
    labels = np.arange(2000) % 10
    plain, legible = (int((judging.read(judge, model.sample(2000, legible=p)) != labels).sum()) for p in (0, 0.99))
    assert 2 * legible < plain < 40


@pytest.mark.slow
def test_training_is_decided_by_the_seed(judging: ModuleType) -> None:
    """The same images and seed give the same weights, and another seed gives others."""
    train = data.load("mnist").train
    assert train.labels is not None
    images, labels = train.images[:100], train.labels[:100]
    first, second, other = (judging.train(images, labels, 1, seed).state_dict() for seed in (1, 1, 2))
    assert all((first[name] == second[name]).all() for name in first)
    assert any((first[name] != other[name]).any() for name in first)
