"""Estimates and arrays of real images in the cache: computed once, and again if their file is damaged."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from inkgan.errors import OutputError
from inkgan.evaluation.cache import cached_array, cached_estimates
from inkgan.evaluation.metrics import Float32
from inkgan.evaluation.metrics.intervals import Estimate, Interval
from inkgan.files import one_at_a_time
from waiting import SECONDS


def test_estimates_that_are_damaged_are_computed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of any byte of the file is noticed, and so is a file of an earlier version."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    right = {"ceiling": Estimate(0.99, 0.001, Interval(0.98, 0.995), 700)}
    assert cached_estimates("kept", lambda: right) == right
    (file,) = tmp_path.rglob("kept.json")
    content = file.read_bytes()
    other = {"ceiling": Estimate(0.5, 0.5, Interval(0.0, 1.0), 700)}
    assert cached_estimates("kept", lambda: other) == right
    for place in range(len(content)):
        file.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        assert cached_estimates("kept", lambda: other) == other, place
    for wrong in (b"", b"[" * 10**5, b'{"ceiling": [0.99, 0.001, 0.98, 0.995]}', content[:-1], content + b"0"):
        file.write_bytes(wrong)
        assert cached_estimates("kept", lambda: other) == other


def test_an_array_with_any_damage_is_computed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of any byte is noticed; for some changes in the header, NumPy raises errors of the tokenizer."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    right, other = np.ones((2, 3), np.float32), np.zeros((2, 3), np.float32)
    cached_array("kept", lambda: right)
    (file,) = tmp_path.rglob("kept.npy")
    content = file.read_bytes()
    for place in range(len(content)):
        file.write_bytes(content[:place] + bytes([content[place] ^ 1 << place % 7]) + content[place + 1 :])
        np.testing.assert_array_equal(cached_array("kept", lambda: other), other)


def test_two_evaluations_at_once_compute_an_array_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The features of 60,000 digits take half a minute; the second evaluation waits for those of the first."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    right, other = np.ones((2, 3), np.float32), np.zeros((2, 3), np.float32)
    found: list[Float32] = []
    second = Thread(target=lambda: found.append(cached_array("kept", lambda: other)))

    def compute() -> Float32:
        second.start()
        second.join(0.2)
        return right

    np.testing.assert_array_equal(cached_array("kept", compute), right)
    second.join()
    np.testing.assert_array_equal(found, [right])


def test_what_is_kept_is_read_without_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only who finds nothing waits for the one that computes it, and makes a file of a lock."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    read = partial(cached_array, "kept", lambda: np.ones((2, 3), np.float32))
    read()
    (lock,) = tmp_path.rglob("kept.npy.lock")
    with one_at_a_time(lock):
        reader = Thread(target=read, daemon=True)
        reader.start()
        reader.join(SECONDS)
        assert not reader.is_alive()


def test_estimates_without_a_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without a home folder gets the figures, computed each time: nothing is kept, and nothing is refused."""

    def no_home() -> Path:
        raise OutputError("the system names no home folder")

    monkeypatch.setattr("inkgan.evaluation.cache.cache_folder", no_home)
    monkeypatch.chdir(tmp_path)
    for value in (0.99, 0.5):
        estimates = {"ceiling": Estimate(value, 0.001, Interval(0.0, 1.0), 700)}
        assert cached_estimates("kept", partial(dict, estimates)) == estimates
    assert not list(tmp_path.iterdir())
