"""Single picture files: the size that is read without decoding is that of the decoded picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inkgan.data.picture_files import pixels_of, size_of

_ORIENTATION = 0x0112


@pytest.mark.parametrize("orientation", range(10))
def test_a_picture_from_a_camera_in_any_orientation(tmp_path: Path, orientation: int) -> None:
    """EXIF has eight orientations, four of which swap width and height; other numbers turn nothing."""
    path = tmp_path / "picture.jpg"
    exif = Image.Exif()
    exif[_ORIENTATION] = orientation
    ink = np.zeros((16, 24), np.uint8)
    ink[:8, :8] = 255  # one corner
    Image.fromarray(ink).save(path, exif=exif, quality=95)
    pixels = pixels_of(path)
    assert size_of(path) == pixels.shape[:2] == ((24, 16) if 5 <= orientation <= 8 else (16, 24))
    rows, columns = np.nonzero(pixels[..., 0] > 127)
    # As the EXIF standard lists the sides on which the stored picture's first row and first column are seen.
    is_below, is_right = orientation in (3, 4, 7, 8), orientation in (2, 3, 6, 7)
    assert (rows.mean() > pixels.shape[0] / 2, columns.mean() > pixels.shape[1] / 2) == (is_below, is_right)
