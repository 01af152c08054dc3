"""The list of data sets, and the check of their files."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from data_files import complaint, idx_bytes, numbers, write_set
from inkgan.data import KNOWN, load
from inkgan.data.inventory import inventory, verify
from inkgan.errors import DataError

pytestmark = pytest.mark.usefixtures("only_embedded_data")

LETTERS = KNOWN["emnist-letters"].files


def test_check_reports_changed_files(tmp_path: Path) -> None:
    write_set(tmp_path / "MNIST/raw")
    complaint(lambda: verify({"name": "mnist", "directory": str(tmp_path)}), "train-images", "not the published file")
    assert load("mnist", tmp_path).source  # a set of one's own in MNIST's form can be used
    write_set(tmp_path / "EMNIST/raw", LETTERS)
    (tmp_path / "EMNIST/raw" / f"{LETTERS[1]}.gz").write_bytes(gzip.compress(idx_bytes(numbers(24) + 1)))
    (tmp_path / "EMNIST/raw" / f"{LETTERS[3]}.gz").write_bytes(gzip.compress(idx_bytes(numbers(6) + 1)))
    complaint(
        lambda: verify({"name": "emnist-letters", "directory": str(tmp_path)}), "24 train and 6 test images", "124800"
    )


def test_the_list(tmp_path: Path) -> None:
    """A set has the name that ``--data`` takes, even if another one has the same."""
    write_set(tmp_path / "KMNIST/raw")
    for name in ("folder", "Fashion_MNIST", ".hidden"):
        (tmp_path / name).mkdir()
    (tmp_path / "notes.txt").touch()
    for name in ("own.npz", "bare.npy", "folder.npz", "mnist.npz"):
        (tmp_path / name).write_bytes(b"never read")
    listed = inventory(tmp_path)
    found = {entry.name: entry for entry in listed}
    own = {"folder", "own", "bare.npy", "folder.npz", "mnist.npz", str(tmp_path / "Fashion_MNIST")}
    assert set(found) == {*KNOWN, *own}
    assert len(listed) == len(found)
    assert (found["mnist"].images, found["mnist"].classes) == (70_000, 10)
    assert found["kmnist"].here
    assert found["kmnist"].where == str(tmp_path / "KMNIST" / "raw")
    assert not found["emnist-letters"].here
    assert found["emnist-letters"].where == "to download: 561.8 MB"
    assert (found["own"].images, found["own"].where) == (None, str(tmp_path / "own.npz"))
    with pytest.raises(DataError, match="not a folder"):
        inventory(tmp_path / "gone")


def test_the_list_has_pictures_in_a_folder_that_a_known_set_may_have(tmp_path: Path) -> None:
    """Only the folder in which a known set was found is left out."""
    write_set(tmp_path / "KMNIST/raw")
    for name in ("kmnist", "fashion", "gzip"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "0.png").touch()
    found = {entry.name: entry.where for entry in inventory(tmp_path)}
    own = {name: where for name, where in found.items() if name not in KNOWN}
    paths = [str(tmp_path / name) for name in ("kmnist", "fashion", "gzip")]
    assert own == {paths[0]: paths[0], paths[1]: paths[1], "gzip": paths[2]}
