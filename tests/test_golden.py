"""The recipe against golden vectors of the tutorial's own TensorFlow graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import golden

_FILE = Path(__file__).parent / "references" / "tutorial_tf.npz"


@pytest.fixture(scope="module")
def vectors() -> dict[str, np.ndarray]:
    """The committed golden file."""
    with np.load(_FILE, allow_pickle=False) as file:
        return {key: file[key] for key in file.files}


def test_every_key_is_within_its_limit(vectors: dict[str, np.ndarray]) -> None:
    """Networks, losses, gradients, the order of the updates and Adam are TensorFlow's."""
    differences = golden.compare(vectors)
    assert len(differences) == 65
    assert {key: value for key, value in differences.items() if value > golden.limit_of(key)} == {}


def test_the_script_prints_every_key_and_succeeds(capsys: pytest.CaptureFixture[str]) -> None:
    """``python tests/golden.py FILE.npz`` is what people run."""
    assert golden.main([str(_FILE)]) == 0
    printed = capsys.readouterr().out
    assert "after_logits_fake" in printed
    assert "65 keys, 0 above their limit" in printed


@pytest.mark.parametrize("key", ["generated", "grad_fake.d_w2.norm", "losses", "after_generated"])
def test_a_difference_fails(vectors: dict[str, np.ndarray], tmp_path: Path, key: str) -> None:
    """A file that differs by a little more than the limit is told apart."""
    file = tmp_path / "other.npz"
    changed = vectors | {key: vectors[key] + 2.5 * golden.limit_of(key)}
    np.savez(file, allow_pickle=False, **changed)
    assert golden.main([str(file)]) == 1


def test_not_a_number_fails(vectors: dict[str, np.ndarray]) -> None:
    """NaN is never within a limit."""
    assert golden.compare(vectors | {"loss_real": np.array(np.nan, np.float32)})["loss_real"] == float("inf")
