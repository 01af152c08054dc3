"""Images in files: what a sheet looks like, and how the folders of classes are named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inkgan.errors import OutputError
from inkgan.generation.image_files import check_output, image_saver
from inkgan.images import Labels, picture_of, sheet


@pytest.mark.parametrize(("columns", "used"), [(2, 2), (None, 3)])
def test_a_sheet_is_about_square_and_twice_as_large_as_its_images(
    tmp_path: Path, columns: int | None, used: int
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 3, 4), np.uint8)
    image_saver(tmp_path / "a.png", len(images), columns=columns)(images)
    with Image.open(tmp_path / "a.png") as picture:
        found = np.asarray(picture)
    np.testing.assert_array_equal(found, np.asarray(sheet(images, used)).repeat(2, 0).repeat(2, 1))


def test_arrays_name_each_class_even_if_the_names_come_as_one_text(tmp_path: Path) -> None:
    """As those of `inkgan morph` do: the ten digits."""
    image_saver(tmp_path / "a.npz", 3, np.array([2, 0, 1]), "012")(np.zeros((3, 4, 5), np.uint8))
    with np.load(tmp_path / "a.npz") as arrays:
        assert arrays["class_names"].tolist() == ["0", "1", "2"]


@pytest.mark.parametrize("labels", [None, np.array([1, 0, 1])])
def test_a_folder_has_a_picture_of_each_image(tmp_path: Path, labels: Labels | None) -> None:
    """With labels, a picture is in the folder of its class; there is none of a class without images."""
    images = np.random.default_rng(0).integers(0, 256, (3, 4, 5), np.uint8)
    image_saver(f"{tmp_path}/out/", 3, labels, ["a", "b", "c"])(images)
    places = ["0.png", "1.png", "2.png"] if labels is None else ["b/0.png", "a/1.png", "b/2.png"]
    found = {path.relative_to(tmp_path / "out").as_posix() for path in tmp_path.rglob("*.png")}
    assert found == set(places)
    assert not (tmp_path / "out" / "c").exists()
    for place, image in zip(places, images, strict=True):
        with Image.open(tmp_path / "out" / place) as picture:
            np.testing.assert_array_equal(np.asarray(picture), np.asarray(picture_of(image)))


@pytest.mark.parametrize("name", ["", " ", "a/b", "a\\b", ".a", "..", "a\n", "x" * 201, "é" * 101])
def test_a_class_whose_name_no_folder_can_have_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match="cannot have a folder of that name"):
        image_saver(f"{tmp_path}/out/", 1, np.array([0]), [name])
    image_saver(tmp_path / "a.npz", 1, np.array([0]), [name])
    image_saver(f"{tmp_path}/out/", 1, np.array([0]), ["x" * 200, name])


def test_classes_that_would_be_read_as_splits_are_refused(tmp_path: Path) -> None:
    labels = np.array([0, 1])
    with pytest.raises(OutputError, match="would be read as the splits of a data set"):
        image_saver(f"{tmp_path}/out/", 2, labels, ["train", "test"])
    image_saver(tmp_path / "a.npz", 2, labels, ["train", "test"])


def test_a_sheet_holds_ten_thousand_images(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="10,001 images do not fit on a sheet"):
        check_output(tmp_path / "a.png", 10_001, force=False)
    for name, count in (("a.png", 10_000), ("a.npz", 10_001)):
        assert check_output(tmp_path / name, count, force=False) == name.removeprefix("a.")
    assert check_output(f"{tmp_path}/new/", 10_001, force=False) == "folder"


def test_the_folder_of_the_model_that_draws_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tmp_path / "model"
    model.mkdir()
    with pytest.raises(OutputError, match="is the model that draws, so it is not replaced"):
        check_output(f"{model}/", 1, force=True, model=f"{tmp_path}/other/../model")
    for name in ("a", "z"):
        assert check_output(f"{tmp_path}/{name}/", 1, force=True, model=str(model)) == "folder"
    monkeypatch.chdir(tmp_path)
    assert check_output("./", 1, force=True) == "folder"
