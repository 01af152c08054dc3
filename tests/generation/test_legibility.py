"""Legible digits: two readers judge them, only unreadable ones are drawn again, and labels hold the outcome."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional

import inkgan
from inkgan import data
from inkgan.cli import run
from inkgan.errors import CheckpointError, ConfigError, InkganWarning
from inkgan.evaluation.features import load_features
from inkgan.generation import legibility
from inkgan.generation.hands import morph
from inkgan.generation.legibility import (
    CLASSIFIER,
    FIRST_READER,
    Reader,
    made_legible,
    probabilities,
    probability_of_digit,
)
from inkgan.generation.writing import in_batches, write_batch
from refusals import command_refusal
from stand_in_models import RealDigits, renamed_digits

Numbers = NDArray[np.float32]


def test_the_classifier_is_the_feature_network() -> None:
    """Its probabilities are PyTorch's for digits, noise and blank paper, with the same bits for any batch size."""
    digits = data.load("mnist").test.images[:60, :, :, 0]
    noise = np.random.default_rng(0).integers(0, 256, (20, 28, 28)).astype(np.uint8)
    images = np.concatenate([digits, noise, np.zeros((1, 28, 28), np.uint8)])
    ours = probabilities(images)
    np.testing.assert_allclose(ours, load_features().probabilities(images[..., None]), atol=1e-5)
    np.testing.assert_array_equal(ours[33:52], probabilities(images[33:52]))
    assert ours[:60].max(1).mean() > 0.9


def test_images_of_another_size_are_judged_too() -> None:
    """Digits of 56x56 pixels are read as well as those of 28x28."""
    split = data.load("mnist").test
    assert split.labels is not None
    large = split.images[:50, :, :, 0].repeat(2, 1).repeat(2, 2)
    assert (probabilities(large).argmax(1) == split.labels[:50]).mean() > 0.95


def test_the_first_reader_is_its_layers_in_pytorch() -> None:
    """Three convolutions of stride 2, a hidden layer and the classes, with the same bits for any batch size."""
    images = data.load("mnist").test.images[:40, :, :, 0]
    weights = {name: torch.from_numpy(array) for name, array in legibility.weights_of(FIRST_READER).items()}
    maps = torch.from_numpy(images).float()[:, None] / 255
    for number in range(3):
        kernel, bias = (weights[f"convolutions.{number}.{what}"] for what in ("weight", "bias"))
        maps = functional.relu(functional.conv2d(maps, kernel, bias, stride=2, padding=1))
    hidden = functional.relu(maps.flatten(1) @ weights["hidden.weight"].T + weights["hidden.bias"])
    expected = functional.softmax(hidden @ weights["classes.weight"].T + weights["classes.bias"], 1)
    ours = probabilities(images, FIRST_READER)
    np.testing.assert_allclose(ours, expected, atol=1e-5)
    np.testing.assert_array_equal(ours[17:19], probabilities(images[17:19], FIRST_READER))


class Readers:
    """Two readers with given probabilities of a 7 for each image, whose first pixel is its number."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, first: list[float], second: list[float]) -> None:
        self.known = {FIRST_READER: first, CLASSIFIER: second}
        self.seen: dict[Reader, list[int]] = {FIRST_READER: [], CLASSIFIER: []}
        monkeypatch.setattr(legibility, "probabilities", self.probabilities)

    def probabilities(self, images: NDArray[np.uint8], reader: Reader) -> Numbers:
        numbers = images[:, 0, 0].tolist()
        self.seen[reader] += numbers
        table = np.zeros((len(images), 10), np.float32)
        table[:, 7] = [self.known[reader][number] for number in numbers]
        return table

    def as_sevens(self, legible: float) -> list[float]:
        images = np.arange(len(self.known[CLASSIFIER]), dtype=np.uint8)[:, None, None]
        return [float(one) for one in probability_of_digit(images, np.full(len(images), 7), legible)]


def test_the_classifier_is_asked_where_the_first_reader_is_not_certain(monkeypatch: pytest.MonkeyPatch) -> None:
    """It then judges by the product of both. It is not asked if the first reader is certain or rejects the digit."""
    readers = Readers(monkeypatch, first=[0.9995, 0.9, 0.995, 0.992, 0.99], second=[0.1, 0.99, 0.7, 0.993, 1.0])
    assert readers.as_sevens(0.99) == pytest.approx([0.9995, 0.9, 0.6965, 0.985056, 0.99])
    assert readers.seen == {FIRST_READER: [0, 1, 2, 3, 4], CLASSIFIER: [2, 3, 4]}


def test_more_than_certainty_can_be_required(monkeypatch: pytest.MonkeyPatch) -> None:
    """If more than certainty is required, a first reader that is merely certain rejects the digit."""
    readers = Readers(monkeypatch, first=[0.9995, 0.99995], second=[1.0, 0.5])
    assert readers.as_sevens(0.9999) == pytest.approx([0.9995, 0.99995])
    assert not readers.seen[CLASSIFIER]


@pytest.mark.parametrize("break_it", ["damaged", "missing"])
def test_a_reader_that_is_damaged_or_missing(break_it: str, tmp_path: Path) -> None:
    """A one-line error says what to do."""
    folder = shutil.copytree(Path(inkgan.__file__).parent / "models" / FIRST_READER.name, tmp_path / "reader")
    weights = folder / "weights.safetensors"
    if break_it == "damaged":
        weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    else:
        weights.unlink()
    with pytest.raises(CheckpointError, match=r"^[^\n]*reader[^\n]*[^.]\. Install inkgan again\.$") as caught:
        probabilities(np.zeros((1, 28, 28), np.uint8), Reader(str(folder), (0, 1, 2)))
    assert str(caught.value).count("Install inkgan again") == 1


class Judged:
    """A generator of one pixel, the length of the latent, and a judge that prefers it small."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.drawn = 0
        monkeypatch.setattr(legibility, "probability_of_digit", self.probability_of_digit)

    def draw(self, latents: Numbers, labels: NDArray[np.int64]) -> NDArray[np.uint8]:
        self.drawn += len(latents)
        return np.rint(100 * latents[:, :1, None]).astype(np.uint8)

    def probability_of_digit(self, images: NDArray[np.uint8], digits: NDArray[np.int64], _: float) -> Numbers:
        """Return the probability: 1 minus the length for digit 3, highest at a length of 0.5 for digit 4."""
        length = (images[:, 0, 0] / 100).astype(np.float32)
        return np.where(digits == 3, 1 - length, 0.6 - np.abs(length - 0.5))

    def legible(self, lengths: list[float], digit: int, least: float) -> legibility.Legible:
        latents = np.array(lengths, np.float32)[:, None]
        labels = np.zeros(len(lengths), np.int64)
        return made_legible(self.draw, self.draw(latents, labels), latents, labels, labels + digit, least)


def test_the_first_factor_that_passes_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Factors fall in steps of a tenth from 0.9 to 0; a digit that passes is not drawn again."""
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
    def forbidden(*_: Any) -> Numbers:
        raise AssertionError

    monkeypatch.setattr(legibility, "probabilities", forbidden)
    written = inkgan.write("12-3", model=RealDigits(), legible=0)
    assert written.probabilities == written.factors == ()


def test_every_digit_that_is_written_passes() -> None:
    """With a bundled generator; a line whose digits all pass is the same as without judging."""
    lines = [("0123456789", writer) for writer in range(12)]
    model = inkgan.load("fast")
    plain, legible = (write_batch(lines, model=model, style=1, height=24, legible=p) for p in (0, 0.99))
    changed = [any(factor != 1 for factor in one.factors) for one in legible]
    assert 0 < sum(changed) < 12
    for before, after, is_changed in zip(plain, legible, changed, strict=True):
        assert min(p for p in after.probabilities if p is not None) >= 0.99
        assert np.array_equal(before.image, after.image) != is_changed


def test_sampling_legibly() -> None:
    """Readable images stay as they are and the others are drawn again, each independently, however many there are."""
    model = inkgan.load("fast")
    plain, legible = model.sample(520, seed=2), np.asarray(model.sample(520, seed=2, legible=0.99))
    labels = np.arange(520) % 10
    read = probability_of_digit(np.asarray(plain), labels, 0.99)
    is_changed = (np.asarray(plain) != legible).any((1, 2))
    np.testing.assert_array_equal(is_changed, read < 0.99)
    assert 0 < is_changed.sum() < 100
    assert probability_of_digit(legible, labels, 0.99).min() >= 0.99
    np.testing.assert_array_equal(model.sample(40, seed=2, legible=0.99), legible[:40])


def test_digits_are_judged_by_their_names(tmp_path: Path) -> None:
    """A model that draws 7, 1 and 3 in this order is read as 7, 1 and 3."""
    model = inkgan.load(renamed_digits(tmp_path / "m", "713", ["7", "1", "3"]))
    images = np.asarray(model.sample(30, legible=0.9))
    np.testing.assert_array_equal(probabilities(images).argmax(1), np.tile([7, 1, 3], 10))


def test_other_classes_cannot_be_legible(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Python and the command line refuse it in one line if class names are not digits or there are none."""
    named = renamed_digits(tmp_path / "m", "12", ["one", "two"])
    for model in (inkgan.load(named), inkgan.load("tutorial")):
        with pytest.raises(ConfigError, match=r"cannot draw legibly.*0 to 9"):
            model.sample(3, legible=0.5)
        assert model.sample(3).shape == (3, 28, 28)
    said = command_refusal(capsys, "sample", named, "--legible", "0.99", "-o", f"{tmp_path}/a.png")
    assert "cannot draw legibly" in said
    assert not (tmp_path / "a.png").exists()


class Unreadable(RealDigits):
    """A model that draws blank paper whatever the label."""

    def draw(self, latents: Numbers, labels: NDArray[np.int64]) -> NDArray[np.uint8]:
        return np.zeros((len(latents), 28, 28), np.uint8)


def test_what_cannot_be_made_legible_is_told_once() -> None:
    """One warning for many batches says what the digits fall short of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        written = list(in_batches([("31", writer) for writer in range(20)], model=Unreadable(), height=512))
    assert len(written) == 20
    (warning,) = caught
    assert issubclass(warning.category, InkganWarning)
    assert "not every digit is read with a probability of 0.99:" in str(warning.message)


@pytest.mark.parametrize(
    "draw",
    [
        lambda model: inkgan.write("31", model=model),
        lambda model: write_batch([("31", 0), ("1/", 1)], model=model),
        lambda model: model.sample(5, legible=0.99),
        lambda model: morph([0, 1], steps=2, model=model),
    ],
    ids=["write", "write_batch", "sample", "morph"],
)
def test_whatever_draws_illegible_digits_says_so(
    monkeypatch: pytest.MonkeyPatch, draw: Callable[[inkgan.Model], object]
) -> None:
    """Once, at the line that asked for them."""
    monkeypatch.setattr(legibility, "probability_of_digit", lambda images, *_: np.zeros(len(images), np.float32))
    monkeypatch.setattr("inkgan.generation.model._LEGIBLE_CHUNK", 2)
    with pytest.warns(InkganWarning, match=r"not every digit is read with a probability of 0\.99:") as given:
        draw(inkgan.load("fast"))
    assert [Path(one.filename) for one in given] == [Path(__file__)]


def test_a_digit_that_just_passes_is_not_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """0.9999 lies between two numbers of float32, and the reader gives the lower one."""
    monkeypatch.setattr(legibility, "probability_of_digit", lambda images, *_: np.full(len(images), 0.9999, np.float32))
    assert inkgan.write("3", model=RealDigits(), legible=0.9999).factors == (1,)


def test_morphing_legibly() -> None:
    """Digits that cannot be read are drawn again until they can, and no others."""
    model = inkgan.load("fast")
    plain, legible = (morph([16, 17], steps=4, model=model, legible=p).reshape(-1, 28, 28) for p in (0, 0.99))
    digits = np.tile(np.arange(10), 5)
    cannot_be_read = probability_of_digit(plain, digits, 0.99) < 0.99
    assert 0 < cannot_be_read.sum() < 15
    np.testing.assert_array_equal((plain != legible).any((1, 2)), cannot_be_read)
    assert probability_of_digit(legible, digits, 0.99).min() >= 0.99


def test_on_the_command_line(tmp_path: Path) -> None:
    """--legible 0 leaves the probabilities out of the labels; any other value is the least that digits must reach."""
    for least in ("0", "0.5"):
        out = tmp_path / f"{least}.png"
        assert run(["write", "42", "--model", "fast", "--legible", least, "--labels", "-o", str(out)]) == 0
    label = json.loads((tmp_path / "0.jsonl").read_text())
    assert label.keys() == {"file_name", "text", "boxes", "width", "height", "writer"}
    assert json.loads((tmp_path / "0.5.jsonl").read_text())["factors"] == [1.0, 1.0]
