"""One picture file: its size, its pixels, or the reason why it cannot be used.

- Files are PNG, JPEG, BMP, GIF, TIFF or WEBP by their content, whatever their name says.
- A difference of one step between a pixel's channels is the rounding of WEBP, not a colour.
- Transparent pixels become white, as on paper; but black, if all of the ink is white and could not be seen.
- The orientation that cameras record (EXIF) is applied, as viewers do; in a PNG file, if it comes before the pixels.
- CMYK and other colour models become RGB.
- Files with several frames cannot be used, since nothing says which frame is meant. (Phones add a preview to a JPEG,
  which makes it an MPO file; the picture itself is used.)
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError

from inkgan.data.pixels import MAX_SIDE
from inkgan.errors import reason_of

_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP")
FORMATS_TEXT = "PNG, JPEG, BMP, GIF, TIFF or WEBP"

_MOST_FILE_BYTES = 64 * 2**20
_TOO_LARGE = f"larger than {MAX_SIDE} pixels a side"
_ORIENTATION = 0x0112
#: How to turn a picture of each orientation that differs from the usual one. (ImageOps.exif_transpose also writes the
#: EXIF again, and fails if it cannot.)
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
#: Ink can be seen if it differs from paper by more than this.
_VISIBLE = 32
_ROUNDING = 1  # the channels of a grey picture may differ by this after WEBP's colour transform
#: An entry for each picture that is open: what puts back the settings that :func:`_usual_settings` changes.
_OPEN: list[contextlib.ExitStack] = []
_LOCK = threading.Lock()


class UnusableError(Exception):
    """A picture file cannot be used; the message is the reason, in words that follow any number: ``25 empty``."""


def size_of(path: Path) -> tuple[int, int]:
    """Return the height and width of a picture in its right orientation, without decoding it.

    Raises:
        UnusableError: it cannot be used.
    """
    with _opened(path) as image:
        width, height = image.size
        return (width, height) if _orientation(image) in (5, 6, 7, 8) else (height, width)


def pixels_of(path: Path) -> NDArray[Any]:
    """Decode a picture to [H, W, 1] if it is grey, else [H, W, 3]; uint8, or uint16 if it is grey of 16 bits.

    Raises:
        UnusableError: it cannot be used.
    """
    with _opened(path) as opened:
        turn = _TURNS.get(_orientation(opened))
        image = opened if turn is None else opened.transpose(turn)
        if image.mode.startswith("I;16"):
            return np.asarray(image).astype(np.uint16)[..., None]
        if image.mode == "La":  # Pillow converts premultiplied grey only to this
            image = image.convert("LA")
        if image.has_transparency_data:
            image = _on_paper(image.convert("RGBA"))
        image = image.convert("RGB")
        colour = np.asarray(image)
        if np.ptp(colour, axis=2).max() <= _ROUNDING:
            return np.asarray(image.convert("L"))[..., None]
    return colour


def _orientation(image: Image.Image) -> Any:
    """Return the orientation that a camera recorded, without decoding the picture; None if there is none to apply."""
    if image.format == "TIFF":  # Pillow applies it, and has changed the size already
        return None
    if image.format == "PNG" and "exif" not in image.info:  # Pillow would decode it to look behind the pixels
        return None
    try:
        return image.getexif().get(_ORIENTATION)
    except Exception:  # noqa: BLE001 - damaged EXIF makes Pillow raise nearly anything, and the picture is whole
        return None


def _on_paper(image: Image.Image) -> Image.Image:
    """Put a picture with transparent pixels on white paper, or on black if white paper would hide it."""
    on_white = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    is_empty = not np.asarray(image)[..., 3].any()
    if is_empty or np.asarray(on_white)[..., :3].min() < 255 - _VISIBLE:
        return on_white
    return Image.alpha_composite(Image.new("RGBA", image.size, "black"), image)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Open an image without decoding it; raise :class:`UnusableError` on any error, or if it must not be decoded."""
    try:
        _require_readable(path.stat())
        # Pillow is not given the path: it would map a TIFF file without compression, and garble it if it is turned.
        with _usual_settings(), path.open("rb") as file, Image.open(file, formats=_FORMATS) as image:
            _require_decodable(image)
            yield image
    except (UnusableError, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise UnusableError(_TOO_LARGE) from error
    except UnidentifiedImageError as error:
        raise UnusableError(f"not {FORMATS_TEXT} by content") from error
    except Exception as error:  # a damaged file can make a decoder raise nearly anything
        if isinstance(error, OSError) and (error.errno == errno.ENOMEM or "out of memory" in str(error)):
            raise MemoryError(str(error)) from error
        if isinstance(error, OSError) and error.errno is not None:
            raise UnusableError(f"unreadable ({reason_of(error)})") from error
        raise UnusableError("truncated or damaged") from error


@contextlib.contextmanager
def _usual_settings() -> Iterator[None]:
    """Let a picture be used or not whatever the user has set: Pillow's warnings are no errors, a lack of pixels is one.

    All threads share these settings, so the last of them that ends puts them back.
    """
    with _LOCK:
        settings = _OPEN[0] if _OPEN else contextlib.ExitStack()
        if not _OPEN:
            settings.enter_context(warnings.catch_warnings(action="ignore"))
            settings.callback(setattr, ImageFile, "LOAD_TRUNCATED_IMAGES", ImageFile.LOAD_TRUNCATED_IMAGES)
            ImageFile.LOAD_TRUNCATED_IMAGES = False
        _OPEN.append(settings)
    try:
        yield
    finally:
        with _LOCK:
            _OPEN.pop()
            if not _OPEN:
                settings.close()


def _require_readable(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise UnusableError("not regular")
    if not status.st_size:
        raise UnusableError("empty")
    if status.st_size > _MOST_FILE_BYTES:
        raise UnusableError(f"larger than {_MOST_FILE_BYTES >> 20} MiB")


def _require_decodable(image: Image.Image) -> None:
    if max(image.size) > MAX_SIDE:
        raise UnusableError(_TOO_LARGE)
    if image.mode in ("I", "F"):
        raise UnusableError("with 32 bits a pixel")
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        raise UnusableError("with more than one frame")
