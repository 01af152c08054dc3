"""Single picture files: the size that is read without decoding is that of the decoded picture."""

from __future__ import annotations

import contextlib
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFile

from inkgan.data.picture_files import UnusableError, _opened, pixels_of, size_of

_ORIENTATION = 0x0112


@pytest.mark.parametrize(
    ("ending", "options", "orientations"),
    [
        ("jpg", {"quality": 95}, range(10)),
        ("png", {}, range(10)),
        ("webp", {"quality": 95}, range(10)),
        ("tif", {}, range(10)),
        ("tif", {"compression": "tiff_lzw"}, range(1, 9)),  # its library writes no other
    ],
)
def test_a_picture_from_a_camera_in_any_orientation(
    tmp_path: Path, ending: str, options: dict[str, Any], orientations: range
) -> None:
    """EXIF has eight orientations, four of which swap width and height; other numbers turn nothing."""
    for orientation in orientations:
        check_orientation(tmp_path / f"{orientation}.{ending}", orientation, options)


def check_orientation(path: Path, orientation: int, options: dict[str, Any]) -> None:
    exif = Image.Exif()
    exif[_ORIENTATION] = orientation
    ink = np.zeros((16, 24), np.uint8)
    ink[:8, :8] = 255  # one corner
    Image.fromarray(ink).save(path, exif=exif, **options)
    pixels = pixels_of(path)
    assert size_of(path) == pixels.shape[:2] == ((24, 16) if 5 <= orientation <= 8 else (16, 24))
    rows, columns = np.nonzero(pixels[..., 0] > 127)
    # As the EXIF standard lists the sides on which the stored picture's first row and first column are seen.
    is_below, is_right = orientation in (3, 4, 7, 8), orientation in (2, 3, 6, 7)
    assert (rows.mean() > pixels.shape[0] / 2, columns.mean() > pixels.shape[1] / 2) == (is_below, is_right)


@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_a_picture_with_damaged_exif_is_used_as_it_is_stored(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"picture.{ending}"
    Image.fromarray(np.zeros((16, 24), np.uint8)).save(path, exif=b"Exif\0\0no TIFF header")
    assert size_of(path) == pixels_of(path).shape[:2] == (16, 24)


def test_an_orientation_behind_the_pixels_of_a_png_file_does_not_count(tmp_path: Path) -> None:
    """To find it, each file of a folder would have to be decoded twice; both functions leave it out."""
    path = tmp_path / "picture.png"
    exif = Image.Exif()
    exif[_ORIENTATION] = 6
    Image.fromarray(np.zeros((16, 24), np.uint8)).save(path, exif=exif)
    content = path.read_bytes()
    start, pixels = (content.index(name) - 4 for name in (b"eXIf", b"IDAT"))
    path.write_bytes(content[:start] + content[pixels:-12] + content[start:pixels] + content[-12:])
    assert size_of(path) == pixels_of(path).shape[:2] == (16, 24)


def test_exif_that_pillow_could_not_write_again(tmp_path: Path) -> None:
    """A resolution unit of 70,000, as a long number: the picture itself is whole, and is turned."""
    entries = struct.pack("<HHIHH", _ORIENTATION, 3, 1, 6, 0) + struct.pack("<HHII", 0x0128, 4, 1, 70_000)
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2) + entries + struct.pack("<I", 0)
    path = tmp_path / "picture.jpg"
    Image.fromarray(np.zeros((16, 24), np.uint8)).save(path, exif=exif)
    assert size_of(path) == pixels_of(path).shape[:2] == (24, 16)


def test_grey_with_premultiplied_alpha(tmp_path: Path) -> None:
    """Some programs write TIFF files in this way."""
    path = tmp_path / "picture.tif"
    Image.new("LA", (16, 24), (200, 255)).save(path)
    usual, premultiplied = (struct.pack("<HHIHH", 338, 3, 1, kind, 0) for kind in (2, 1))
    content = path.read_bytes()
    assert usual in content
    path.write_bytes(content.replace(usual, premultiplied))
    assert (pixels_of(path) == 200).all()


@pytest.mark.parametrize(("ink", "paper"), [(255, 0), (254, 0), (0, 255)])
def test_transparent_paper_has_the_colour_on_which_the_ink_is_seen(tmp_path: Path, ink: int, paper: int) -> None:
    image = np.zeros((16, 24, 4), np.uint8)
    image[4:8, 4:8] = (ink, ink, ink, 255)
    Image.fromarray(image).save(tmp_path / "picture.png")
    pixels = pixels_of(tmp_path / "picture.png")[..., 0]
    assert (pixels[0, 0], pixels[5, 5]) == (paper, ink)


def test_a_truncated_picture_is_not_used_in_part_whatever_a_notebook_has_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many notebooks let Pillow fill what is missing with grey."""
    path = tmp_path / "picture.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(UnusableError, match="truncated or damaged"):
        pixels_of(path)
    assert ImageFile.LOAD_TRUNCATED_IMAGES


def test_the_last_of_several_threads_puts_back_the_filters_of_warnings(tmp_path: Path) -> None:
    """All threads share them. The thread that began first may end first."""
    Image.fromarray(np.zeros((16, 24), np.uint8)).save(tmp_path / "picture.png")
    before = list(warnings.filters)
    with contextlib.ExitStack() as second:
        with _opened(tmp_path / "picture.png"):
            second.enter_context(_opened(tmp_path / "picture.png"))
        assert warnings.filters[0][0] == "ignore"
    assert warnings.filters == before
