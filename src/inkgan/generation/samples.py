"""Images that a notebook shows as a picture."""

from __future__ import annotations

import numpy as np

from inkgan.errors import quantity
from inkgan.images import png_bytes, sheet

_MOST_SHOWN = 100
_COLUMNS = 10


class Samples(np.ndarray[tuple[int, ...], np.dtype[np.uint8]]):
    """Images uint8 [N, H, W] or [N, H, W, 3], 0 paper to 255 ink: an array that a notebook shows as a sheet.

    ``numpy.asarray(samples)`` is the plain array, which prints its numbers.
    """

    def __repr__(self) -> str:
        if not self._are_images():
            return repr(np.asarray(self))
        count, height, width = self.shape[:3]
        return f"<{quantity(count, 'image', ',')} of {height}x{width}, uint8>"

    __str__ = __repr__

    def _repr_png_(self) -> bytes | None:
        """The picture that a notebook shows: at most 100 of the images, dark ink on white."""
        if not self._are_images():
            return None
        return png_bytes(sheet(np.asarray(self[:_MOST_SHOWN]), min(len(self), _COLUMNS), scale=2))

    def _are_images(self) -> bool:
        """Whether this is a whole array of images, as operations on them may give anything."""
        is_of_images = (self.ndim == 3 and self.shape[2] != 3) or (self.ndim == 4 and self.shape[3] == 3)
        return self.dtype == np.uint8 and is_of_images and self.size > 0
