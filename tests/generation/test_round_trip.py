"""Images that inkgan writes to disk are read back as data: the same images under the same class names."""

from __future__ import annotations

from pathlib import Path

import pytest

import inkgan
from inkgan import data
from inkgan.cli import run
from stand_in_models import renamed_digits

#: One to nine, so that index and name never agree.
NAMES = tuple("123456789")


def by_name(given: data.DataSet) -> dict[str, set[bytes]]:
    """Return the images of each class of a data set, by the class's name."""
    found: dict[str, set[bytes]] = {name: set() for name in given.class_names}
    for split in given.splits.values():
        assert split.labels is not None
        for image, label in zip(split.images, split.labels, strict=True):
            found[given.class_names[label]].add(image.tobytes())
    return found


@pytest.mark.slow
@pytest.mark.parametrize("names", [NAMES, ("one", "Two 2", "drei", "四", "5", "six-6", "7.7", "acht'", "n%ine")])
@pytest.mark.parametrize("out", ["drawn/", "drawn.npz"])
def test_what_is_drawn_is_read_back_by_name(tmp_path: Path, out: str, names: tuple[str, ...]) -> None:
    """A folder or an .npz file of images, read as data, has the same images under the same class names."""
    folder = renamed_digits(tmp_path / "model", "123456789", names)
    assert run(["sample", str(folder), "-n", "90", "-o", f"{tmp_path}/{out}"]) == 0
    model = inkgan.load(folder)
    expected = {name: {image.tobytes() for image in model.sample(90)[index::9]} for index, name in enumerate(names)}
    assert by_name(data.load(str(tmp_path / out.rstrip("/")))) == expected


@pytest.mark.slow
@pytest.mark.parametrize("names", [("train", "test"), ("Training", "val_data"), ("train", "test", "valid")])
def test_classes_that_would_be_read_as_splits(
    tmp_path: Path, names: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """Folders that are all named as splits would be read as splits, so an .npz file is asked for."""
    folder = renamed_digits(tmp_path / "model", "123456789"[: len(names)], names)
    assert run(["sample", str(folder), "-n", "40", "-o", f"{tmp_path}/drawn/"]) == 2
    assert ".npz" in capsys.readouterr().err
    assert not (tmp_path / "drawn").exists()
    assert run(["sample", str(folder), "-n", "40", "-o", f"{tmp_path}/drawn.npz"]) == 0
    assert set(by_name(data.load(str(tmp_path / "drawn.npz")))) == set(names)


def test_one_class_named_as_a_split(tmp_path: Path) -> None:
    """A single class folder named like a split is written: the reader will ask what it is."""
    folder = renamed_digits(tmp_path / "model", "123", ("bus", "car", "train"))
    assert run(["sample", str(folder), "-n", "40", "-o", f"{tmp_path}/drawn/"]) == 0
    assert {path.name for path in (tmp_path / "drawn").iterdir()} == {"bus", "car", "train", ".inkgan.json"}
