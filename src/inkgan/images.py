"""Images as pictures: sheets, animations, and drawings for the terminal.

Images are uint8 [N, H, W, C] with C = 1 or 3, as data sets hold them (ink is bright); pictures show them as they are,
or inverted, dark ink on white paper, as the tutorial's ``cmap='Greys'`` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inkgan.files import appearing_whole

#: Images uint8 [N, H, W, C] or [N, H, W], and their classes int64 [N].
Images = NDArray[np.uint8]
Labels = NDArray[np.int64]


def to_uint8(images: NDArray[np.floating]) -> Images:
    """Round images in [0, 1] to 0..255."""
    rounded: Images = np.rint(np.clip(images, 0.0, 1.0) * 255).astype(np.uint8)
    return rounded


def arrange(images: Images, columns: int, gap: int = 2) -> Images:
    """Lay images [N, H, W, C] out on one canvas [H', W', C], row by row, with empty pixels between them."""
    n, height, width, channels = images.shape
    rows = -(-n // columns)
    cells = np.zeros((rows * columns, height + gap, width + gap, channels), np.uint8)
    cells[:n, gap // 2 : gap // 2 + height, gap // 2 : gap // 2 + width] = images
    cells = cells.reshape(rows, columns, height + gap, width + gap, channels)
    return cells.transpose(0, 2, 1, 3, 4).reshape(rows * (height + gap), columns * (width + gap), channels)


def sheet(images: Images, columns: int, *, scale: int = 1, paper: bool = True) -> Image.Image:
    """A sheet of images.

    Args:
        images: uint8 [N, H, W, C], C = 1 or 3.
        columns: how many stand side by side.
        scale: how many pixels wide and high each pixel becomes.
        paper: dark ink on white, for grey images; colour images are never inverted.
    """
    canvas = arrange(images, columns)
    if canvas.shape[2] == 1:
        grey = canvas[:, :, 0]
        picture = Image.fromarray(255 - grey if paper else grey)
    else:
        picture = Image.fromarray(canvas)
    if scale > 1:
        picture = picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)
    return picture


def save_png(picture: Image.Image, path: Path, *, force: bool = True) -> None:
    """Write a picture as PNG, whole or not at all."""
    with appearing_whole(path, force=force) as temporary:
        picture.save(temporary, format="PNG", optimize=True)


def save_animation(pictures: Sequence[Image.Image], path: Path, *, milliseconds: int = 120) -> None:
    """Write pictures of one size as an endless GIF that rests on the last one for two seconds."""
    durations = [milliseconds] * (len(pictures) - 1) + [2000]
    with appearing_whole(path) as temporary:
        pictures[0].save(temporary, format="GIF", save_all=True, append_images=pictures[1:], duration=durations, loop=0)


def terminal_drawing(image: Images, *, colour: bool) -> str:
    """Draw one image [H, W, C] with text, two rows of pixels in a line.

    Args:
        image: uint8 [H, W, C].
        colour: use 24-bit colours, for a terminal; else five characters from light to dark.

    Returns:
        H/2 lines (rounded up) without a newline at the end.
    """
    if image.shape[0] % 2:
        image = np.concatenate([image, np.zeros_like(image[:1])])
    upper, lower = image[::2], image[1::2]
    if not colour:
        grey = (upper.mean(2) + lower.mean(2)) / 2
        shades = np.array(list(" .:*#"))
        return "\n".join("".join(row).rstrip() for row in shades[np.minimum(grey // 48, 4).astype(int)])
    upper, lower = (np.broadcast_to(half, (*half.shape[:2], 3)) for half in (upper, lower))
    lines = []
    for row_above, row_below in zip(upper, lower, strict=True):
        cells = [
            f"\x1b[38;2;{a[0]};{a[1]};{a[2]};48;2;{b[0]};{b[1]};{b[2]}m▀"
            for a, b in zip(row_above.tolist(), row_below.tolist(), strict=True)
        ]
        lines.append("".join(cells) + "\x1b[0m")
    return "\n".join(lines)
