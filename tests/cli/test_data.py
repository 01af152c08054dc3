"""``inkgan data``: the list, ``check`` and ``show``, as a user sees them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from data_files import numbers, pixels, write_set
from inkgan.cli.data import app
from inkgan.data import KNOWN
from inkgan.errors import ConfigError, DataError, EvaluationError, OutputError
from inkgan.evaluation.evaluate import evaluate
from inkgan.images import sheet

pytestmark = pytest.mark.usefixtures("only_embedded_data")


@pytest.fixture(autouse=True)
def _in_an_empty_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def run(*arguments: object) -> str:
    """Return what a command prints, or raise its error, which the full command line would print as one line."""
    result = CliRunner().invoke(app, [str(one) for one in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0
    return result.stdout


def test_the_list_names_what_is_here_and_what_can_be_downloaded() -> None:
    lines = run().splitlines()
    assert lines[0].split() == ["name", "images", "classes", "where"]
    assert re.match(r"mnist +70,000 +10 +embedded in inkgan", lines[1])
    assert re.match(r"fashion-mnist +70,000 +10 +to download: 30.9 MB", lines[2])
    assert [line.split()[0] for line in lines[1:]] == list(KNOWN)


def test_the_list_of_a_data_folder(tmp_path: Path) -> None:
    write_set(tmp_path / "KMNIST/raw")
    np.savez(tmp_path / "own.npz", images=pixels(7, 5, 5))
    output = run("--data-dir", tmp_path)
    assert re.search(r"kmnist +70,000 +10 +/", output)
    assert re.search(r"own +\? +\? +/", output)


def test_check(tmp_path: Path) -> None:
    np.savez(tmp_path / "own.npz", images=pixels(20, 5, 5), labels=numbers(20, 2))
    output = run("check", "own.npz")
    assert "train: 16 images of 5x5x1, " in output
    assert "classes: 2 (0, 1)" in output
    assert "it can be used to train, but has too few test images to measure: " in output
    assert run("check", "own", "--data-dir", tmp_path) == run("--data-dir", tmp_path, "check", "own")
    with pytest.raises(DataError, match="Did you mean 'mnist'"):
        run("check", "mnits")


@pytest.mark.parametrize(
    ("few", "end"),
    [
        (9, " 5 to 20 of each class, fewest of 'ring'"),
        (20, " 10 to 20 of each class"),
        (30, " 15 to 20 of each class"),
        (40, "60 images of 8x8x3, 20 of each class"),
    ],
)
def test_check_names_a_rare_class(tmp_path: Path, few: int, end: str) -> None:
    """A class is rare if it has less than half as many images as the largest. Every second image is for testing."""
    labels = np.repeat(["cross", "ring", "star"], [40, few, 40])
    images = np.random.default_rng(1).integers(0, 256, (len(labels), 8, 8, 3), np.uint8)
    np.savez(tmp_path / "shapes.npz", x_train=images, y_train=labels, x_test=images[::2], y_test=labels[::2])
    (line,) = [line for line in run("check", tmp_path / "shapes.npz").splitlines() if line.startswith("  test: ")]
    assert line.endswith(end)


def test_check_reports_what_was_skipped(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    for number, image in enumerate(pixels(25, 9, 9)):
        Image.fromarray(image).save(tmp_path / "own" / f"{number}.png")
    (tmp_path / "own" / "bad.png").touch()
    (tmp_path / "own" / "notes.txt").touch()
    output = run("check", tmp_path / "own")
    assert "skipped 1: empty" in output
    assert "skipped 1: not an image by its name" in output
    assert "note: 25 of 26 images are used: 1 empty, such as bad.png" in output
    assert "no labels" in output
    assert "too few test images to measure: evaluate and compare need 128, and it has 2; put" in output


def test_check_counts_the_training_images_in_the_other_splits(tmp_path: Path) -> None:
    """Measured on them, a memorised image looks new. Images held out of copies are told as well."""
    images = pixels(60, 9, 9)
    np.savez(tmp_path / "own.npz", x_train=images[:40], x_val=images[40:50], x_test=images[33:60])
    output = run("check", tmp_path / "own.npz")
    assert "note: 7 of the 27 test images are training images, too, so they are not held out" in output
    assert "validation images are" not in output
    np.savez(tmp_path / "twice.npz", images=np.tile(images[:10], (30, 1, 1)))
    output = run("check", tmp_path / "twice.npz")
    assert "note: 30 of the 30 validation images are training images, too" in output
    assert "note: 30 of the 30 test images are training images, too" in output


def test_check_says_what_a_small_test_split_lacks(tmp_path: Path) -> None:
    """The advice also fits a set that has the folder test/ already."""
    for split, count in (("train", 20), ("test", 5)):
        (tmp_path / "own" / split).mkdir(parents=True)
        for number, image in enumerate(pixels(count, 9, 9)):
            Image.fromarray(image).save(tmp_path / "own" / split / f"{number}.png")
    output = run("check", tmp_path / "own")
    assert "need 128, and it has 5; put as many into its test split, a folder test/ beside train/ or arrays" in output


@pytest.mark.parametrize(
    ("train", "test", "classes", "said"),
    [
        (100, 128, 2, "it can be used to train and to measure\n"),
        (99, 128, 2, "too few training images to measure: evaluate and compare need 100, and it has 99; add images\n"),
        (100, 127, 2, "too few test images to measure: evaluate and compare need 128, and it has 127; put"),
        (130, 129, 130, "too few test images to measure: evaluate and compare need 130, and it has 129; put"),
        (100, 128, 1, "one class, so nothing can be measured: a feature network learns to tell classes apart; sort"),
        (100, 128, 0, "no labels, so nothing can be measured: a feature network learns to tell classes apart; sort"),
    ],
)
def test_check_says_what_data_can_be_used_for(tmp_path: Path, train: int, test: int, classes: int, said: str) -> None:
    """`evaluate` refuses the same data in the same words."""
    arrays: dict[str, Any] = {}
    for split, count in (("train", train), ("val", 5), ("test", test)):
        arrays[f"x_{split}"] = pixels(count, 5, 5)
        if classes:
            arrays[f"y_{split}"] = numbers(count, classes)
    np.savez(tmp_path / "own.npz", **arrays)
    output = run("check", tmp_path / "own.npz")
    assert said in output
    assert "it can be used to train" in output
    if "to measure: " in said:
        with pytest.raises(EvaluationError, match=f"own has {said.strip()}"):
            evaluate(pixels(128, 5, 5), data=tmp_path / "own.npz")


def test_images_of_many_sizes_need_resize(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    for number in range(20):
        Image.fromarray(pixels(1, 10 + number, 12)[0]).save(tmp_path / "own" / f"{number}.png")
    with pytest.raises(DataError, match=r"1 of 20 images is used.*--set data.resize=32"):
        run("check", "own")
    assert "train: 16 images of 8x9x1" in run("check", "own", "--resize", "8x9")
    assert "own.png" in run("show", "own", "--resize", "8", "--columns", "4")
    with pytest.raises(ConfigError, match=r"data.resize='8by9' is not allowed.*such as 32 or 32x48"):
        run("check", "own", "--resize", "8by9")


def test_settings_of_the_data_are_those_of_training(tmp_path: Path) -> None:
    for name in ("car", "train"):
        (tmp_path / "own" / name).mkdir(parents=True)
        for number, image in enumerate(pixels(10, 9, 9)):
            Image.fromarray(image).save(tmp_path / "own" / name / f"{number}.png")
    with pytest.raises(DataError, match=r"data.splits=no"):
        run("check", "own")
    assert "classes: 2 (car, train)" in run("check", "own", "--set", "data.splits=no")
    with pytest.raises(ConfigError, match=r"data.splits"):
        run("check", "own", "--set", "data.splits=maybe")


def test_inverted_ink_is_reported(tmp_path: Path) -> None:
    images = np.full((40, 12, 12), 250, np.uint8)
    images[:, 5:8, 3:9] = pixels(40, 3, 6) // 4
    np.savez("own.npz", images=images)
    assert "note: dark ink on light paper: the images are inverted" in run("check", "own.npz")
    assert "note: dark ink on light paper: the images are inverted" in run("show", "own.npz")
    assert "note" not in run("check", "own.npz", "--set", "data.ink=light")


def test_show_draws_a_row_for_each_class(tmp_path: Path) -> None:
    images = np.repeat(numbers(90, 3) * 100, 16).reshape(90, 4, 4)
    images[:, 0, 0] = 255
    np.savez(tmp_path / "own.npz", images=images, labels=numbers(90, 3))
    output = run("show", "own.npz", "-o", "sheet.png", "--columns", 5)
    assert output.startswith("sheet.png: train images of own, a row for 3 of 3 classes\n")
    rows = np.repeat(np.array([0, 100, 200], np.uint8), 5 * 16).reshape(15, 4, 4, 1)
    rows[:, 0, 0] = 255
    with Image.open("sheet.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture), np.asarray(sheet(rows, 5)))


def test_show_does_not_overwrite(tmp_path: Path) -> None:
    np.savez(tmp_path / "own.npz", images=pixels(20, 5, 5))
    assert "own.png: train images of own, the first 16" in run("show", "own.npz")
    before = Path("own.png").read_bytes()
    with pytest.raises(OutputError, match="--force"):
        run("show", "own.npz", "--split", "test")
    assert Path("own.png").read_bytes() == before
    run("show", "own.npz", "--split", "test", "--force")
    assert Path("own.png").read_bytes() != before


def test_show_does_not_read_before_it_refuses_to_overwrite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading a large folder takes minutes."""
    np.savez(tmp_path / "own.npz", images=pixels(20, 5, 5))
    Path("own.png").touch()
    monkeypatch.setattr("inkgan.data.loading.load_saved", lambda *_, **__: pytest.fail("it read first"))
    with pytest.raises(OutputError, match=r"own\.png exists already\. Add --force"):
        run("show", "own.npz")


def test_show_finds_a_set_in_the_data_folder(tmp_path: Path) -> None:
    (tmp_path / "sets").mkdir()
    np.savez(tmp_path / "sets/own.npz", images=pixels(20, 5, 5))
    assert "own.png: train images of own, the first 16" in run("show", "own", "--data-dir", tmp_path / "sets")


def test_show_refuses_what_it_cannot_do(tmp_path: Path) -> None:
    np.savez(tmp_path / "own.npz", images=pixels(20, 5, 5))
    np.savez(tmp_path / "large.npz", images=pixels(20, 2000, 3))
    with pytest.raises(OutputError, match=r"sheet.webp cannot hold \d+x\d+ pixels: .*Name a .png"):
        run("show", "large.npz", "-o", "sheet.webp", "--columns", "1")
    assert not Path("sheet.webp").exists()
    with pytest.raises(OutputError, match=r"two\\nlines\.exe is not a picture's name"):
        run("show", "own.npz", "-o", "two\nlines.exe")
    assert CliRunner().invoke(app, ["show", "own.npz", "--split", "trian"]).exit_code == 2
    assert CliRunner().invoke(app, ["show", "own.npz", "--columns", "0"]).exit_code == 2
