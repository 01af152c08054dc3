"""Hands: latents of writers, those between them, and the models that can draw them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import inkgan
from inkgan.cli import run
from inkgan.errors import CheckpointError, ConfigError
from inkgan.generation.hands import hand_of, morph, slerp
from inkgan.seeds import LARGEST_SEED
from refusals import refusal
from stand_in_models import RealDigits


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ((), "its classes are none"),
        (tuple("234567890a"), "its classes are 2, 3, 4"),
        (tuple(map(str, range(1, 11))), "its classes are 1, 2, 3"),
        (tuple("abcdefghij"), "its classes are a, b, c"),
        (tuple("012345678"), "its classes are 0, 1, 2"),
        (("00", *"123456789"), "its classes are 00, 1, 2"),
    ],
)
def test_models_whose_classes_are_not_the_digits(names: tuple[str, ...], said: str) -> None:
    """A model without the ten digits as class names cannot write, and says so in one line."""

    class Other(RealDigits):
        name = "mine"
        class_names = names

    for call in (lambda: inkgan.write("1", model=Other()), lambda: morph([1], model=Other())):
        refusal(call, f"mine cannot write: {said}", kind=CheckpointError)


@settings(max_examples=50)
@given(st.integers(0, LARGEST_SEED), st.floats(0, 1))
def test_slerp(seed: int, t: float) -> None:
    """The arc goes from exactly one latent to the other, keeps their length, and its angle grows evenly."""
    a, b = np.random.default_rng(seed).standard_normal((2, 64), dtype=np.float32)
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    np.testing.assert_array_equal(slerp(a, b, 0), a)
    np.testing.assert_allclose(slerp(a, b, 1), b, atol=1e-6)
    middle = slerp(a, b, t)
    assert abs(np.linalg.norm(middle) - 1) < 1e-5
    assert abs(a @ middle - np.cos(t * np.arccos(a @ b))) < 1e-5
    np.testing.assert_array_equal(slerp(a, a, t), a)


def test_morph() -> None:
    """Each hand is a row, from the first writer's digits to the last writer's; one step gives the writers alone."""
    model = RealDigits()
    hands = morph([3, 5, 8], steps=4, model=model, legible=0)
    assert hands.shape == (9, 10, 28, 28)
    alone = morph([3, 5, 8], steps=1, model=model, legible=0)
    np.testing.assert_array_equal(hands[::4], alone)
    np.testing.assert_array_equal(alone[1], morph([5], model=model, legible=0)[0])
    assert not np.array_equal(alone[0], alone[1])


def test_the_hands_between_two_writers_are_evenly_apart() -> None:
    model = RealDigits()
    first, second = (hand_of(model.latent_dim, seed, 0)[0] for seed in (3, 5))
    hands = morph([3, 5], steps=4, model=model, legible=0)
    for hand, share in zip(hands, (0, 0.25, 0.5, 0.75, 1), strict=True):
        latents = np.tile(slerp(first, second, share), (10, 1))
        np.testing.assert_array_equal(hand, model.draw(latents, np.arange(10)))


@pytest.mark.parametrize(
    ("seeds", "steps", "said"),
    [
        ([], 8, "cannot morph 0 writers in 8 steps. Ask for 1 to 1,000 hands"), ([1, 2], 0, "cannot morph in 0 steps"),
        ([1, 2], 1000, "Ask for 1 to 1,000 hands in all"), ([-1, 2], 8, "the seed -1 is not allowed"),
        ([1, 2**63], 8, "the seed 9223372036854775808 is not allowed"),
    ],
    ids=str,
)  # fmt: skip
def test_morph_out_of_range(seeds: list[int], steps: int, said: str) -> None:
    """Seeds and steps out of range are refused."""
    with pytest.raises(ConfigError, match=said):
        morph(seeds, steps=steps, model=RealDigits())


def test_morph_of_one_number() -> None:
    with pytest.raises(ConfigError, match=r"^seeds is 12\. Give a list of the writers' seeds, such as \[3, 5\]\.$"):
        morph(12, model=RealDigits())  # type: ignore[arg-type]


@pytest.mark.usefixtures("real_digits")
def test_morph_sheet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A .png has one row of ten digits for each hand."""
    out = tmp_path / "morph.png"
    assert run(["morph", "1", "2", "--steps", "3", "-o", str(out)]) == 0
    assert capsys.readouterr().out == f"4 hands: {out}\n"
    with Image.open(out) as picture:
        assert picture.size == (10 * 30 * 2, 4 * 30 * 2)
    assert run(["morph", "1", "2", "--steps", "3", "-o", str(out)]) == 2


@pytest.mark.usefixtures("real_digits")
def test_morph_animation(tmp_path: Path) -> None:
    """A .gif has one frame for each hand and is not overwritten."""
    out = tmp_path / "morph.gif"
    assert run(["morph", "1", "2", "--steps", "3", "-o", str(out)]) == 0
    with Image.open(out) as picture:
        assert getattr(picture, "n_frames", 1) == 4
    assert run(["morph", "1", "2", "-o", str(out)]) == 2
