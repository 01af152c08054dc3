"""The places where the files of known sets are found."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data_files import PLAIN, complaint, write_set
from inkgan.data import KNOWN, known_sets, load
from inkgan.data.known_sets import Remote
from inkgan.errors import OutputError
from inkgan.files import cache_folder

pytestmark = pytest.mark.usefixtures("only_embedded_data")


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("mnist", "MNIST/raw"),
        ("fashion-mnist", "FashionMNIST/raw"),
        ("kmnist", "KMNIST/raw"),
        ("kmnist", "kmnist"),
        ("kmnist", "."),
        ("FashionMNIST", "fashion-mnist"),
    ],
)
def test_layouts_of_a_data_folder(tmp_path: Path, name: str, folder: str, zipped: bool) -> None:
    train, test = write_set(tmp_path / folder, zipped=zipped)
    data = load(name, tmp_path)
    assert data.source == str(tmp_path / folder)
    np.testing.assert_array_equal(data.validation.images[..., 0], train[:2])
    np.testing.assert_array_equal(data.train.images[..., 0], train[2:])
    np.testing.assert_array_equal(data.test.images[..., 0], test)


def test_folders_are_searched_in_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    places = [tmp_path / "given", tmp_path / "named", tmp_path / "cache" / "inkgan"]
    for place in places:
        write_set(place / "KMNIST" / "raw")
    monkeypatch.setenv(known_sets.VARIABLE, str(places[1]))
    assert load("kmnist", places[0]).source == str(places[0] / "KMNIST" / "raw")
    assert load("kmnist").source == str(places[1] / "KMNIST" / "raw")
    monkeypatch.delenv(known_sets.VARIABLE)
    assert load("kmnist").source == str(places[2] / "KMNIST" / "raw")
    assert known_sets.locate(KNOWN["kmnist"], None) == places[2] / "KMNIST" / "raw"


def test_the_cache_is_the_systems(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))
    assert cache_folder() == tmp_path / "elsewhere" / "inkgan"
    for unset in ("not/absolute", ""):  # to be ignored, says the specification
        monkeypatch.setenv("XDG_CACHE_HOME", unset)
        assert cache_folder() == tmp_path / "home" / ".cache" / "inkgan"


@pytest.mark.slow
def test_a_folder_of_another_set_is_not_taken_for_the_asked_one(tmp_path: Path) -> None:
    folder = tmp_path / "fashion"
    embedded = Path(load("mnist").source.partition("(")[2].rstrip(")"))
    folder.mkdir()
    for name in PLAIN:
        (folder / f"{name}.gz").symlink_to(embedded / f"{name}.gz")
    assert known_sets.identified(folder) == KNOWN["mnist"]
    assert known_sets.locate(KNOWN["kmnist"], folder) is None
    assert load(str(folder)).name == "mnist"


def test_a_published_file_is_told_from_others(tmp_path: Path) -> None:
    """The checksums of MNIST are those of the contents, compressed or not; those of KMNIST are of compressed files."""

    def digest(path: Path) -> str:
        return hashlib.sha256(path.read_bytes()).hexdigest()

    for folder, zipped in (("plain", False), ("packed", True)):
        write_set(tmp_path / folder, zipped=zipped)
    plain, packed = tmp_path / "plain" / PLAIN[0], tmp_path / "packed" / f"{PLAIN[0]}.gz"
    mnist = replace(KNOWN["mnist"], sha256=(digest(plain),))
    kmnist = replace(KNOWN["kmnist"], remotes=(Remote(packed.name, packed.stat().st_size, digest(packed)),))
    assert [known_sets.is_published(mnist, path) for path in (plain, packed)] == [True, True]
    assert [known_sets.is_published(kmnist, path) for path in (plain, packed)] == [None, True]
    packed.write_bytes(gzip.compress(plain.read_bytes(), 9))
    assert [known_sets.is_published(known, packed) for known in (mnist, kmnist)] == [True, False]
    packed.write_bytes(gzip.compress(plain.read_bytes() + b"more"))
    assert known_sets.is_published(mnist, packed) is False


def test_a_folder_that_the_system_refuses_to_look_up(tmp_path: Path) -> None:
    complaint(lambda: known_sets.find_file(tmp_path / ("x" * 300), "labels"), "cannot read", "file name too long")


def test_folders_that_are_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    complaint(lambda: load("mnist", tmp_path / "gone"), "--data-dir", "not a folder")
    complaint(lambda: load("mine", tmp_path / "gone"), "--data-dir", "not a folder")
    complaint(lambda: known_sets.locate(KNOWN["kmnist"], tmp_path / "gone"), "--data-dir", "not a folder")
    monkeypatch.setenv(known_sets.VARIABLE, str(tmp_path / "gone"))
    complaint(lambda: load("mnist"), "$INKGAN_DATA", "not a folder")


def test_where_there_is_no_cache_nothing_was_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A set is looked for without an error, such as for the list of all sets."""
    monkeypatch.setenv("XDG_CACHE_HOME", "/" + "x" * 5000)  # the system refuses even to look
    assert known_sets.locate(KNOWN["kmnist"], None) is None
    monkeypatch.setattr("platformdirs.user_cache_path", _homeless)
    assert known_sets.locate(KNOWN["kmnist"], None) is None


@pytest.mark.slow
def test_mnist_needs_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedded set loads without a home folder, and with a cache that cannot be read."""
    monkeypatch.setenv("XDG_CACHE_HOME", "/" + "x" * 5000)  # the system refuses even to look
    assert load("mnist").train.images.shape == (55_000, 28, 28, 1)
    monkeypatch.setattr("platformdirs.user_cache_path", _homeless)
    assert "embedded" in load("mnist").source
    with pytest.raises(OutputError, match="Set XDG_CACHE_HOME"):
        cache_folder()
    with pytest.raises(OutputError, match="Set XDG_CACHE_HOME"):
        load("kmnist")


def _homeless(*_: object, **__: object) -> Path:
    raise RuntimeError("Could not determine home directory.")
