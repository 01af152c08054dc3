"""``inkgan data``: the list, ``check`` and ``show``, as a user sees them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from data_files import isolate, numbers, pixels, write_set
from inkgan.cli.data import app
from inkgan.errors import DataError, OutputError
from inkgan.images import sheet


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    isolate(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)


def run(*arguments: object) -> str:
    """What a command prints; its error, if it raises one, for the caller to turn into a line."""
    result = CliRunner().invoke(app, [str(one) for one in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0
    return result.stdout


def test_the_list_names_what_is_here_and_what_can_be_downloaded() -> None:
    lines = run().splitlines()
    assert lines[0].split() == ["name", "images", "size", "classes", "where"]
    assert re.match(r"mnist +70000 +28x28x1 +10 +embedded in inkgan", lines[1])
    assert re.match(r"fashion-mnist +70000 +28x28x1 +10 +to download: 30.9 MB", lines[2])
    assert len(lines) == 10


def test_the_list_of_a_data_folder(tmp_path: Path) -> None:
    write_set(tmp_path / "KMNIST/raw")
    np.savez(tmp_path / "own.npz", images=pixels(7, 5, 5))
    output = run("--data-dir", tmp_path)
    assert re.search(r"kmnist +30 +28x28x1 +10 +/", output)
    assert re.search(r"own +7 +5x5x1 +\? +/", output)


def test_check(tmp_path: Path) -> None:
    np.savez(tmp_path / "own.npz", images=pixels(20, 5, 5), labels=numbers(20, 2))
    output = run("check", "own.npz")
    assert "train: 16 images of 5x5x1, " in output
    assert "classes: 2 (0, 1)" in output
    assert output.endswith("it can be used\n")
    assert run("check", "own", "--data-dir", tmp_path) == run("--data-dir", tmp_path, "check", "own")
    with pytest.raises(DataError, match="Did you mean 'mnist'"):
        run("check", "mnits")


def test_check_tells_what_was_skipped(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    for number in range(5):
        Image.new("L", (6, 4), number).save(tmp_path / "own" / f"{number}.png")
    (tmp_path / "own" / "bad.png").touch()
    output = run("check", tmp_path / "own")
    assert "skipped 1: empty file" in output
    assert "no labels" in output


def test_show_draws_a_row_for_each_class(tmp_path: Path) -> None:
    images = np.repeat(numbers(90, 3) * 100, 16).reshape(90, 4, 4)
    np.savez(tmp_path / "own.npz", images=images, labels=numbers(90, 3))
    output = run("show", "own.npz", "-o", "sheet.png", "--columns", 5)
    assert output == "sheet.png: train images of own, a row for each of 3 classes\n"
    rows = np.repeat(np.array([0, 100, 200], np.uint8), 5 * 16).reshape(15, 4, 4, 1)
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


def test_show_refuses_what_it_cannot_do(tmp_path: Path) -> None:
    np.savez(tmp_path / "own.npz", images=pixels(20, 5, 5))
    np.savez(tmp_path / "large.npz", images=pixels(20, 2000, 3))
    with pytest.raises(OutputError, match=r"sheet.webp cannot hold \d+x\d+ pixels: .*Name a .png"):
        run("show", "large.npz", "-o", "sheet.webp", "--columns", "1")
    assert not Path("sheet.webp").exists()
    with pytest.raises(OutputError, match="not a picture's name"):
        run("show", "own.npz", "-o", "sheet.exe")
    assert CliRunner().invoke(app, ["show", "own.npz", "--split", "trian"]).exit_code == 2
    assert CliRunner().invoke(app, ["show", "own.npz", "--columns", "0"]).exit_code == 2


@pytest.mark.parametrize("command", [[], ["check"], ["show"]])
def test_help_teaches(command: list[str]) -> None:
    output = run(*command, "--help")
    assert "--data-dir" in output
