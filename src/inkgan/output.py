"""Writing images where the user asked for them: a sheet, arrays, or one file each."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inkgan.errors import OutputError
from inkgan.files import appearing_whole, output_errors, refuse_to_overwrite
from inkgan.pictures import Images, save_png, sheet

#: The most images on one sheet; more could not be looked at.
LARGEST_SHEET = 10_000

Labels = NDArray[np.int64]

#: Writes images uint8 [N, H, W] or [N, H, W, 3], their labels if they have any, and with how many columns of a sheet.
Writer = Callable[[Images, Labels | None, int | None], None]


def writer_for(name: str, count: int, *, force: bool) -> Writer:
    """Choose how to write by the output's name, and make sure that it may be written, before any work is done.

    Args:
        name: ends with .png, .npz or a slash, or is a folder that exists.
        count: how many images will be written.
        force: replace what is there.

    Raises:
        OutputError: the name has no known ending, it exists and ``force`` is off, or a sheet cannot hold so many.
    """
    out = Path(name)
    with output_errors(out):
        folder = name.endswith(os.sep) or out.is_dir()
        filled = folder and out.exists() and any(out.iterdir())
    if folder:
        if filled and not force:
            raise OutputError(f"{out} holds files already. Add --force to add to them, or name another folder.")
        return lambda images, labels, _: _write_folder(images, labels, out)
    kind = out.suffix.lower()
    if kind not in {".png", ".npz"}:
        raise OutputError(f"cannot tell what {out} shall be. Name a .png, an .npz, or a folder ending with a slash.")
    refuse_to_overwrite(out, force=force)
    if kind == ".png" and count > LARGEST_SHEET:
        raise OutputError(f"{count} images do not fit on a sheet. Ask for {LARGEST_SHEET} or fewer, or for .npz.")
    if kind == ".npz":
        return lambda images, labels, _: _write_npz(images, labels, out)
    return lambda images, _, columns: _write_sheet(images, out, columns)


def _write_sheet(images: Images, out: Path, columns: int | None) -> None:
    save_png(sheet(_with_channels(images), columns or math.ceil(math.sqrt(len(images))), scale=2), out)


def _write_npz(images: Images, labels: Labels | None, out: Path) -> None:
    with appearing_whole(out) as temporary, temporary.open("wb") as file:
        if labels is None:
            np.savez_compressed(file, images=images)
        else:
            np.savez_compressed(file, images=images, labels=labels)


def _write_folder(images: Images, labels: Labels | None, out: Path) -> None:
    """One file each; with labels, in a folder for each class, as image classifiers want them."""
    digits = len(str(len(images) - 1))
    with output_errors(out):
        temporary = out.parent / f".{out.name}.{os.getpid()}.tmp"
        temporary.mkdir(parents=True)
        try:
            for index, image in enumerate(images):
                place = Path() if labels is None else Path(str(labels[index]))
                (temporary / place).mkdir(exist_ok=True)
                Image.fromarray(image).save(temporary / place / f"{index:0{digits}d}.png")
            for path in sorted(temporary.rglob("*.png")):
                final = out / path.relative_to(temporary)
                final.parent.mkdir(parents=True, exist_ok=True)
                path.replace(final)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _with_channels(images: Images) -> Images:
    return images[..., None] if images.ndim == 3 else images
