"""Images and pictures.

Images are arrays of numbers: uint8 [N, H, W, C] with C = 1 or 3, or [N, H, W] for grey ones; 0 is paper, 255 is ink.
Pictures are for people: dark ink on white paper, as in the tutorial's ``cmap='Greys'``. Colours stay as they are.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from inkgan.errors import InputError
from inkgan.files import atomic_write, write_bytes

if TYPE_CHECKING:
    # At run time, functions import Pillow when they need it: `import inkgan` and `--help` do not.
    from PIL import Image

#: Images uint8 [N, H, W, C] or [N, H, W], and their classes int64 [N].
Images = NDArray[np.uint8]
Labels = NDArray[np.int64]
#: The most characters in the name of a class.
LONGEST_CLASS_NAME = 255


def as_array(given: Any, what: str, error: type[InputError]) -> NDArray[Any]:
    """Return what a caller gave as an array; raise an error of the given kind, with the reason, if it cannot be one."""
    try:
        return np.asarray(given)
    except (TypeError, ValueError, RuntimeError) as reason:  # such as rows of unequal length, a tensor with a gradient
        why = " ".join(str(reason).split()).rstrip(".")
        raise error(f"{what} cannot be read as an array: {why}. Give a NumPy array.") from None


def slices(count: int, size: int) -> Iterator[slice]:
    """Yield the slices that divide ``count`` items into parts of ``size`` items; the last part may be smaller."""
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


def to_uint8(images: NDArray[np.floating]) -> Images:
    """Round images in [0, 1] to 0..255. NaN, which the networks of a run that diverges may draw, becomes 0."""
    return np.rint(np.fmin(np.fmax(images, 0.0), 1.0) * 255).astype(np.uint8)


def with_channels(images: Images) -> Images:
    """Add the channel axis to grey images, [N, H, W] to [N, H, W, 1]; return images that have one as they are."""
    return images[..., None] if images.ndim == 3 else images


def arrange(images: Images, columns: int, *, around: Sequence[tuple[int, int]] = ((1, 1), (1, 1))) -> Images:
    """Lay images [N, H, W, C] out on one canvas [H', W', C], row by row.

    Args:
        images: the images.
        columns: the number of images in a row.
        around: the numbers of empty pixels above and below each image, and left and right of it.
    """
    paper = 0 if images.shape[3] == 1 else 255  # grey images hold amounts of ink, colour images hold colours
    cells = np.pad(images, [(0, -len(images) % columns), *around, (0, 0)], constant_values=paper)
    _, height, width, channels = cells.shape
    rows = cells.reshape(-1, columns, height, width, channels).transpose(0, 2, 1, 3, 4)
    return rows.reshape(-1, columns * width, channels)


def picture_of(image: Images) -> Image.Image:
    """Turn an image, uint8 [H, W], [H, W, 1] or [H, W, 3], into a picture: dark ink on white paper if it is grey."""
    from PIL import Image

    if image.ndim == 3 and image.shape[2] == 3:
        return Image.fromarray(np.ascontiguousarray(image))
    return Image.fromarray(255 - image.reshape(image.shape[:2]))


def sheet(images: Images, columns: int, *, scale: int = 1) -> Image.Image:
    """Arrange images on a sheet.

    Args:
        images: uint8 [N, H, W, C] with C = 1 or 3, or [N, H, W].
        columns: the number of images in a row.
        scale: how many pixels wide and high each pixel becomes.
    """
    from PIL import Image, ImageOps

    picture = picture_of(arrange(with_channels(images), columns))
    return ImageOps.scale(picture, scale, Image.Resampling.NEAREST)


def save_png(picture: Image.Image, path: Path, *, force: bool = True) -> None:
    """Write a picture as PNG, whole or not at all; ``force`` replaces what is there."""
    write_bytes(path, png_bytes(picture), force=force)


def png_bytes(picture: Image.Image, notes: Mapping[str, str] | None = None) -> bytes:
    """Encode a picture as PNG.

    The compressor looks only for runs of equal bytes (``Z_RLE``), which takes a tenth of the time and gives a file of
    much the same size: PNG's filters turn handwriting on paper into such runs, and noise has no repeating patterns.

    Args:
        picture: the picture.
        notes: texts to keep in the file, by keyword.
    """
    import io
    import zlib

    from PIL import PngImagePlugin

    info = PngImagePlugin.PngInfo()
    for keyword, text in (notes or {}).items():
        info.add_text(keyword, text)
    file = io.BytesIO()
    picture.save(file, format="PNG", compress_type=zlib.Z_RLE, pnginfo=info)
    return file.getvalue()


def save_animation(pictures: Sequence[Image.Image], path: Path, *, force: bool = True) -> None:
    """Write pictures of one size as an endlessly looping GIF that shows the last one for two seconds."""
    durations = [120] * (len(pictures) - 1) + [2000]  # milliseconds
    with atomic_write(path, force=force) as temporary:
        pictures[0].save(temporary, format="GIF", save_all=True, append_images=pictures[1:], duration=durations, loop=0)


#: The colours of the lines of :func:`curves`, in turn: blue, orange, green, red, violet, grey.
LINE_COLOURS = ("#2563eb", "#ea7a17", "#16924e", "#d12d2d", "#7c3aed", "#6b7280")

#: Room for the numbers left of the frame of :func:`curves`, right of it, and below it, in pixels.
_LEFT_OF_FRAME, _RIGHT_OF_FRAME, _BELOW_FRAME = 56, 16, 16
#: The distance of the lines from the frame, in pixels.
_MARGIN = 6


def curves(
    *series: Sequence[float],
    across: tuple[float, float],
    limits: tuple[float, float] | None = None,
    width: int = 560,
    height: int = 180,
) -> Image.Image:
    """Draw one line for each series of numbers, from left to right; a thin grey line marks zero.

    Round numbers with thin grey lines label both axes, left of the frame and below it.

    Args:
        series: the numbers of each line. A number that is not finite leaves a gap; a number without neighbours is a
            dot; if none is finite, the frame is empty. The lines take their colours from :data:`LINE_COLOURS`, in turn.
        across: the values at the left and right edges.
        limits: the values at the lower and upper edges; by default the smallest and the largest number.
        width: the picture's width in pixels.
        height: the picture's height in pixels.
    """
    from PIL import Image, ImageDraw

    finite = np.concatenate([np.asarray(numbers, np.float64) for numbers in series])
    finite = finite[np.isfinite(finite)]
    low, high = limits or ((finite.min(), finite.max()) if finite.size else (0.0, 1.0))
    left, right, bottom = _LEFT_OF_FRAME, width - 1 - _RIGHT_OF_FRAME, height - 1 - _BELOW_FRAME
    picture = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(picture)

    def row(value: float) -> float:
        """Return the row of a value; values outside are moved to the nearer edge."""
        scale = (bottom + 1 - 2 * _MARGIN) / ((high - low) or 1)
        return float(bottom + 1 - _MARGIN - (min(max(value, low), high) - low) * scale)

    pace = (right - left - 2 * _MARGIN) / ((across[1] - across[0]) or 1)
    for value in round_numbers(*across, most=8):
        x = left + _MARGIN + (value - across[0]) * pace
        pen.line([(x, 0), (x, bottom)], "#eceef1")
        pen.text((x, bottom + 3), f"{value:,.9g}", "#4b5563", anchor="ma")
    for value in round_numbers(low, high, most=max(2, height // 30)):
        pen.line([(left, row(value)), (right, row(value))], "#eceef1")
        pen.text((left - 4, row(value)), f"{value:,.9g}", "#4b5563", anchor="rm")
    if low < 0 < high:
        pen.line([(left, row(0)), (right, row(0))], "#c8ccd2")
    for index, numbers in enumerate(series):
        columns = np.linspace(left + _MARGIN, right + 1 - _MARGIN, len(numbers)).tolist()
        points = [(x, row(y)) if np.isfinite(y) else None for x, y in zip(columns, numbers, strict=True)]
        colour = LINE_COLOURS[index % len(LINE_COLOURS)]
        for first, second in itertools.pairwise(points):
            if first and second:
                pen.line([first, second], colour, 2)
        for before, point, after in zip([None, *points], points, [*points[1:], None], strict=False):
            if point and not before and not after:
                pen.circle(point, 2, colour)
    pen.rectangle([left, 0, right, bottom], outline="#c8ccd2")
    return picture


def round_numbers(low: float, high: float, most: int) -> list[float]:
    """Return the round numbers from ``low`` to ``high``, at most ``most``, as closely spaced as that allows.

    They are the multiples of 1, 2 or 5 times a power of ten.
    """
    if not high > low:
        return [low]
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    for step in (1, 2, 5, 10):
        apart = step * power
        first, last = math.ceil(low / apart - 1e-9), math.floor(high / apart + 1e-9)
        if last - first < most:
            break
    return [number * apart for number in range(first, last + 1)]
