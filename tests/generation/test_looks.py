"""Looks: pure functions of image, seed and number, whose boxes go where the ink goes."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import inkgan
from inkgan.cli import run
from inkgan.errors import ConfigError
from inkgan.generation import looks
from inkgan.generation.looks import LOOKS, homography, moved_box, moved_corners, warped, with_look
from inkgan.generation.writing import Writing

WORN = [name for name, look in LOOKS.items() if look]


@pytest.fixture(scope="module")
def line() -> Writing:
    """A line on clean paper."""
    return inkgan.write("12 345.67", model="fast", height=64, seed=3)


@pytest.mark.parametrize("name", WORN)
def test_a_pure_function(line: Writing, name: str) -> None:
    """The same again for the same numbers, and another one for others; the text and the size stay."""
    first = with_look(line, name, 5, 8)
    again = with_look(line, name, 5, 8)
    np.testing.assert_array_equal(first.image, again.image)
    assert first.boxes == again.boxes
    assert (first.text, first.image.shape, first.image.dtype) == (line.text, line.image.shape, line.image.dtype)
    for other in ((6, 8), (5, 9)):
        assert not np.array_equal(with_look(line, name, *other).image, first.image)
    assert with_look(line, "clean", 5, 8) is line


@pytest.mark.parametrize("name", WORN)
def test_ink_is_in_its_boxes(line: Writing, name: str) -> None:
    """In whatever look, boxes hold most of what is dark, and paper is bright; a space's box has no area."""
    for number in range(12):
        seen = with_look(line, name, 1, number)
        height, width = seen.image.shape
        inside = np.zeros(seen.image.shape, bool)
        for (left, top, right, bottom), character in zip(seen.boxes, seen.text, strict=True):
            assert 0 <= left <= right <= width
            assert 0 <= top <= bottom <= height
            assert (left == right) == (character == " ")
            inside[top:bottom, left:right] = True
        ink, paper = seen.image[inside], seen.image[~inside]
        assert np.percentile(ink, 95) > np.percentile(paper, 60) + 40
        if name != "field":
            assert (paper > np.percentile(ink, 90)).mean() < 0.01


@pytest.mark.parametrize("box", [(10, 8, 30, 50), (40, 20, 44, 24), (100, 5, 140, 60)])
def test_boxes_follow_the_geometry(box: tuple[int, int, int, int]) -> None:
    """A black rectangle, moved by Pillow, fills the box that is computed, to the pixel."""
    left, top, right, bottom = box
    image = np.zeros((64, 160), np.uint8)
    image[top:bottom, left:right] = 255
    for number in range(20):
        draws = np.random.default_rng(number)
        corners = moved_corners(160, 64, draws.uniform(-0.1, 0.1), 8, draws)
        assert (corners >= -1e-9).all()
        assert (corners <= np.array([[160 + 1e-9], [64 + 1e-9]])).all()
        there = homography(looks._corners(160, 64), corners)
        rows, columns = np.nonzero(warped(image, there) > 20)
        found = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        assert np.abs(np.subtract(found, moved_box(box, there, 160, 64))).max() <= 1


def test_a_homography() -> None:
    """It carries each of four points where it should; and a map of which all numbers are known is found again."""
    draws = np.random.default_rng(0)
    before, after = draws.uniform(0, 100, (2, 2, 4))
    np.testing.assert_allclose(looks.carried(before, homography(before, after)), after, rtol=1e-6)
    known = np.array([[1.1, 0.2, 3], [-0.1, 0.9, 5], [1e-3, 2e-3, 1]])
    np.testing.assert_allclose(homography(before, looks.carried(before, known)), known, rtol=1e-6)


def test_single_knobs(line: Writing) -> None:
    """Paper, light, blur, noise and JPEG each do what they are called after."""
    draws = np.random.default_rng(0)
    assert np.ptp(looks.light(20, 60, 0, draws)) == 0
    lit = looks.light(20, 60, 0.5, draws)
    assert lit.max() == 1
    assert 0.5 <= lit.min() < 1
    spotted = looks.spots(200, 600, 0.02, draws)
    assert abs(spotted.mean() - 1) < 0.01
    assert 0.005 < spotted.std() < 0.04
    page = np.full((64, 64), 0.5)
    noisy = looks.through_camera(page, 0, 6, draws)
    assert abs(noisy.mean() - 127.5) < 1
    assert 5 < noisy.std() < 7
    page[:, 32:] = 1
    sharp, soft = (looks.through_camera(page, blur, 0, draws).astype(int) for blur in (0, 3))
    assert np.abs(np.diff(sharp, axis=1)).max() > 100
    assert np.abs(np.diff(soft, axis=1)).max() < 40
    errors = [np.abs(looks.through_jpeg(line.image, quality).astype(int) - line.image).mean() for quality in (30, 95)]
    assert errors[0] > 2 * errors[1] > 0


def test_a_frame(line: Writing) -> None:
    """A frame is added around the line, and nothing of the line is lost."""
    framed = looks.framed(line.image, np.random.default_rng(0))
    assert (framed >= line.image).all()
    added = (framed > line.image).mean(1)
    assert (added > 0.5).sum() >= 3  # above, below, and the rule


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder of one look has what Python has."""
    monkeypatch.chdir(tmp_path)
    assert (
        run(
            [
                "write",
                "12",
                "34",
                "--look",
                "scan",
                "--labels",
                "--seed",
                "2",
                "--height",
                "32",
                "--model",
                "fast",
                "-o",
                "a/",
            ]
        )
        == 0
    )
    clean = inkgan.write("34", model="fast", seed=2, writer=1, height=32)
    seen = with_look(clean, "scan", 2, 1)
    with Image.open("a/1.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture), 255 - seen.image)
    labels = [json.loads(text) for path in Path("a").glob("*.jsonl") for text in path.read_text().splitlines()]
    assert labels[1]["boxes"] == [list(box) for box in seen.boxes]
    capsys.readouterr()
    for words, said in (
        (["--look", "scam"], "Did you mean 'scan'?"),
        (["--look", "photo", "--background", "transparent"], "has paper"),
        (["--look", "scam", "--shards", "1"], "Did you mean 'scan'?"),
    ):
        assert run(["write", "1", *words, "-o", "b/"]) == 2
        assert said in capsys.readouterr().err
    assert not Path("b").exists()


def test_looks_are_part_of_a_data_set() -> None:
    """A spec with a look gives images with that look; without paper there is none."""
    options: dict[str, Any] = {"texts": ["12"], "count": 2, "model": "fast", "height": 24}
    clean, seen = (next(iter(inkgan.write_many(inkgan.Spec(**options, look=look)))) for look in ("clean", "photo"))
    np.testing.assert_array_equal(with_look(clean, "photo", 0, 0).image, seen.image)
    with pytest.raises(ConfigError, match="has paper"):
        inkgan.Spec(**options, look="photo", background="transparent")
    assert all(dataclasses.is_dataclass(look) for look in LOOKS.values() if look)


def test_a_preview(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A sheet of 24, and how long it would take; nothing of the data set."""
    monkeypatch.chdir(tmp_path)
    words = ["write", "dd", "-n", "1000000", "--shards", "100", "--model", "fast", "--height", "24", "--preview"]
    assert run([*words, "-o", "numbers/", "--jobs", "3"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("24 of 1,000,000 images: numbers-preview.png\n")
    assert "images a second in one process; 3 would need about" in said
    assert [path.name for path in tmp_path.iterdir()] == ["numbers-preview.png"]
    with Image.open("numbers-preview.png") as picture:
        assert picture.height == 8 * 26
    assert run([*words, "-o", "numbers/"]) == 2
    assert "--force" in capsys.readouterr().err
