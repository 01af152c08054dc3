"""The tutorial recipe against golden vectors of the tutorial's own TensorFlow graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import golden

_FILE = Path(__file__).parents[1] / "references" / "tutorial_tf.npz"


@pytest.fixture(scope="module")
def vectors() -> dict[str, np.ndarray]:
    """The committed golden file."""
    with np.load(_FILE, allow_pickle=False) as file:
        return {key: file[key] for key in file.files}


@pytest.fixture(scope="module")
def found(vectors: dict[str, np.ndarray]) -> dict[str, Any]:
    """Return the same quantities as the recipe computes them."""
    return golden.recompute(vectors)


def _beyond(differences: dict[str, float]) -> set[str]:
    return {key for key, value in differences.items() if not value <= golden.limit_of(key)}


def test_every_key_is_within_its_limit(vectors: dict[str, np.ndarray], found: dict[str, Any]) -> None:
    """Networks, losses, gradients, the order of updates and Adam match TensorFlow's."""
    differences = golden.compare(vectors, found)
    assert len(differences) == 65
    assert _beyond(differences) == set()


def test_the_script_says_what_it_found(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, found: dict[str, Any]
) -> None:
    """``python tests/golden.py FILE.npz`` prints every key and succeeds, or fails if one is above its limit."""
    monkeypatch.setattr(golden, "recompute", lambda _: found)
    assert golden.main([str(_FILE)]) == 0
    assert "65 keys, 0 above their limit" in capsys.readouterr().out
    monkeypatch.setattr(golden, "recompute", lambda _: found | {"after_generated": found["after_generated"] + 3e-4})
    assert golden.main([str(_FILE)]) == 1
    assert "65 keys, 1 above their limit" in capsys.readouterr().out
    assert golden.main([]) == 2


@pytest.mark.parametrize("key", ["generated", "grad_fake.d_w2.norm", "losses", "after_generated"])
def test_a_difference_is_seen(vectors: dict[str, np.ndarray], found: dict[str, Any], key: str) -> None:
    """A value slightly beyond its limit is reported."""
    changed = vectors | {key: vectors[key] + 2.5 * golden.limit_of(key)}
    assert _beyond(golden.compare(changed, found)) == {key}


def test_not_a_number_is_never_within_a_limit(vectors: dict[str, np.ndarray], found: dict[str, Any]) -> None:
    """NaN counts as infinitely far away."""
    assert _beyond(golden.compare(vectors | {"loss_real": np.array(np.nan, np.float32)}, found)) == {"loss_real"}
