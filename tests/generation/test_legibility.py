"""Legible digits: judged as by the feature network, drawn again only where they cannot be read, and told in labels."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import inkgan
from hands import RealDigits, renamed_digits
from inkgan import data
from inkgan.cli import run
from inkgan.errors import ConfigError, InkganWarning
from inkgan.evaluation.features import load_features
from inkgan.generation import legibility
from inkgan.generation.legibility import made_legible, probabilities
from inkgan.generation.writing import in_batches, morph, write_batch

Numbers = NDArray[np.float32]


def test_the_classifier_is_the_feature_network() -> None:
    """The same probabilities as PyTorch's, for digits, noise and paper; the same bits for one image as among many."""
    digits = data.load("mnist").test.images[:60, :, :, 0]
    noise = np.random.default_rng(0).integers(0, 256, (20, 28, 28)).astype(np.uint8)
    images = np.concatenate([digits, noise, np.zeros((1, 28, 28), np.uint8)])
    ours = probabilities(images)
    np.testing.assert_allclose(ours, load_features().probabilities(images[..., None]), atol=1e-5)
    np.testing.assert_array_equal(ours[33:52], probabilities(images[33:52]))
    assert ours[:60].max(1).mean() > 0.9


def test_images_of_another_size_are_judged_too() -> None:
    """Digits of 56x56 pixels are read as those of 28x28 are."""
    split = data.load("mnist").test
    assert split.labels is not None
    large = split.images[:50, :, :, 0].repeat(2, 1).repeat(2, 2)
    assert (probabilities(large).argmax(1) == split.labels[:50]).mean() > 0.95


class Judged:
    """A generator of a pixel that is the length of the latent, and a judge who wants it to be small."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.drawn = 0
        monkeypatch.setattr(legibility, "probabilities", self.probabilities)

    def draw(self, latents: Numbers, labels: NDArray[np.int64]) -> NDArray[np.uint8]:
        self.drawn += len(latents)
        return np.rint(100 * latents[:, :1, None]).astype(np.uint8)

    def probabilities(self, images: NDArray[np.uint8]) -> Numbers:
        """The probability of digit 3 is 1 minus the length, of digit 4 highest at a length of 0.5, of others 0."""
        length = images[:, 0, 0] / 100
        table = np.zeros((len(images), 10), np.float32)
        table[:, 3] = 1 - length
        table[:, 4] = 0.6 - np.abs(length - 0.5)
        return table

    def legible(self, lengths: list[float], digit: int, least: float) -> legibility.Legible:
        latents = np.array(lengths, np.float32)[:, None]
        labels = np.zeros(len(lengths), np.int64)
        return made_legible(self.draw, self.draw(latents, labels), latents, labels, labels + digit, least)


def test_the_first_factor_that_passes_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of a tenth from 0.9 down to 0; a digit that passes is not drawn again."""
    judged = Judged(monkeypatch)
    result = judged.legible([0.5, 0.6, 0.7, 1.0, 2.0], 3, 0.4999)
    np.testing.assert_allclose(result.factors, [1, 0.8, 0.7, 0.5, 0.2], atol=1e-6)
    np.testing.assert_array_equal(result.images[:, 0, 0], [50, 48, 49, 50, 40])
    np.testing.assert_allclose(result.probabilities, [0.5, 0.52, 0.51, 0.5, 0.6], atol=1e-6)
    alone = [judged.legible([length], 3, 0.4999).factors[0] for length in (0.5, 0.6, 0.7, 1.0, 2.0)]
    np.testing.assert_array_equal(alone, result.factors)


def test_nothing_is_drawn_again_without_need(monkeypatch: pytest.MonkeyPatch) -> None:
    judged = Judged(monkeypatch)
    judged.legible([0.1, 0.2], 3, 0.5)
    assert judged.drawn == 2


def test_the_best_is_taken_where_none_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    result = Judged(monkeypatch).legible([0.8], 4, 0.9)
    np.testing.assert_allclose(result.factors, [0.6], atol=1e-6)
    np.testing.assert_allclose(result.probabilities, [0.58], atol=1e-6)


def test_zero_judges_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(_: Any) -> Numbers:
        raise AssertionError

    monkeypatch.setattr(legibility, "probabilities", forbidden)
    written = inkgan.write("12-3", model=RealDigits(), legible=0)
    assert written.probabilities == written.factors == ()


def test_every_digit_that_is_written_passes() -> None:
    """With the bundled generator; lines whose digits all pass are what they are without judging."""
    lines = [("0123456789", writer) for writer in range(12)]
    model = inkgan.load("fast")
    plain, legible = (write_batch(lines, model=model, style=1, height=24, legible=p) for p in (0, 0.99))
    changed = [any(factor != 1 for factor in one.factors) for one in legible]
    assert 0 < sum(changed) < 12
    for before, after, is_changed in zip(plain, legible, changed, strict=True):
        assert min(p for p in after.probabilities if p is not None) >= 0.99
        assert np.array_equal(before.image, after.image) != is_changed


def test_sampling_legibly() -> None:
    """Images that the classifier reads stay as they are, the others are drawn again; each by itself."""
    model = inkgan.load("fast")
    plain, legible = model.sample(150, seed=2), np.asarray(model.sample(150, seed=2, legible=0.99))
    labels = np.arange(150) % 10
    read = probabilities(np.asarray(plain))[np.arange(150), labels]
    is_changed = (np.asarray(plain) != legible).any((1, 2))
    np.testing.assert_array_equal(is_changed, read < 0.99)
    assert 0 < is_changed.sum() < 30
    assert probabilities(legible)[np.arange(150), labels].min() >= 0.99
    np.testing.assert_array_equal(model.sample(40, seed=2, legible=0.99), legible[:40])


def test_digits_are_judged_by_their_names(tmp_path: Path) -> None:
    """A model that draws 7, 1 and 3 in this order is read as 7, 1 and 3."""
    model = inkgan.load(renamed_digits(tmp_path / "m", "713", ["7", "1", "3"]))
    images = np.asarray(model.sample(30, legible=0.9))
    np.testing.assert_array_equal(probabilities(images).argmax(1), np.tile([7, 1, 3], 10))


def test_other_classes_cannot_be_legible(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line from Python and on the command line, for names that are no digits and for none."""
    named = renamed_digits(tmp_path / "m", "12", ["one", "two"])
    for model in (inkgan.load(named), inkgan.load("tutorial")):
        with pytest.raises(ConfigError, match=r"cannot draw legibly.*0 to 9"):
            model.sample(3, legible=0.5)
        assert model.sample(3).shape == (3, 28, 28)
    assert run(["sample", str(named), "--legible", "0.99", "-o", f"{tmp_path}/a.png"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "a.png").exists()


class Unreadable(RealDigits):
    """Draws paper, whatever it is asked for."""

    def draw(self, latents: Numbers, labels: NDArray[np.int64]) -> NDArray[np.uint8]:
        return np.zeros((len(latents), 28, 28), np.uint8)


def test_what_cannot_be_made_legible_is_told_once() -> None:
    """One warning for many batches, with the digit, its text and its probability; the labels have it too."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        written = list(in_batches([("31", writer) for writer in range(20)], model=Unreadable(), height=512))
    assert len(written) == 20
    (warning,) = caught
    assert issubclass(warning.category, InkganWarning)
    probability = written[0].probabilities[0]
    assert probability is not None
    assert f"a 3 of 31 is read with a probability of {probability:.4f} only" in str(warning.message)


def test_morphing_legibly() -> None:
    model = inkgan.load("fast")
    hands = morph([8, 10, 11], steps=2, model=model)
    read = probabilities(hands.reshape(-1, 28, 28))[np.arange(50), np.tile(np.arange(10), 5)]
    assert read.min() >= 0.99
    plain = morph([8, 10, 11], steps=2, model=model, legible=0)
    assert 0 < (plain != hands).any((2, 3)).sum() < 15


def test_on_the_command_line(tmp_path: Path) -> None:
    """0 leaves the probabilities out of the labels; another number is what digits must reach."""
    for least in ("0", "0.5"):
        out = tmp_path / f"{least}.png"
        assert run(["write", "42", "--model", "fast", "--legible", least, "--labels", "-o", str(out)]) == 0
    assert json.loads((tmp_path / "0.jsonl").read_text()).keys() == {"file_name", "text", "boxes"}
    assert json.loads((tmp_path / "0.5.jsonl").read_text())["factors"] == [1.0, 1.0]
