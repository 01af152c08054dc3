"""Images in single files: what a sheet looks like."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inkgan.generation.image_files import image_saver
from inkgan.images import sheet


@pytest.mark.parametrize(("columns", "used"), [(2, 2), (None, 3)])
def test_a_sheet_is_about_square_and_twice_as_large_as_its_images(
    tmp_path: Path, columns: int | None, used: int
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 3, 4), np.uint8)
    image_saver(tmp_path / "a.png", len(images), columns=columns)(images)
    with Image.open(tmp_path / "a.png") as picture:
        found = np.asarray(picture)
    np.testing.assert_array_equal(found, np.asarray(sheet(images, used)).repeat(2, 0).repeat(2, 1))
