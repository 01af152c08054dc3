"""Writing images where the user asked for them: a sheet, arrays, or one file each."""

from __future__ import annotations

import contextlib
import math
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inkgan.errors import OutputError
from inkgan.files import Progress, appearing_whole, output_errors, refuse_to_overwrite, unheard
from inkgan.images import Images, Labels, save_png, sheet

#: The most images on one sheet; more could not be looked at.
LARGEST_SHEET = 10_000

#: What says, in a folder of images, what is where in them.
LABELS = "labels.jsonl"


#: Writes images uint8 [N, H, W] or [N, H, W, 3], their labels if they have any, and with how many columns of a sheet.
Writer = Callable[[Images, Labels | None, int | None], None]


def kind_of(name: str, *, force: bool) -> Literal["folder", "png", "npz"]:
    """Tell from the output's name what to write, and make sure that it may be written.

    Args:
        name: ends with .png, .npz or a slash, or is a folder that exists.
        force: replace what is there.

    Raises:
        OutputError: the name has no known ending, or it exists and ``force`` is off.
    """
    out = Path(name)
    with output_errors(out):
        folder = name.endswith(os.sep) or out.is_dir()
        filled = folder and out.exists() and any(out.iterdir())
    if folder:
        if filled and not force:
            raise OutputError(
                f"{out} holds files already. Add --force to replace the images in it, or name another folder."
            )
        return "folder"
    kind = out.suffix.lower()
    if kind not in {".png", ".npz"}:
        raise OutputError(f"cannot tell what {out} shall be. Name a .png, an .npz, or a folder ending with a slash.")
    refuse_to_overwrite(out, force=force)
    return "png" if kind == ".png" else "npz"


def writer_for(name: str, count: int, *, force: bool, progress: Progress = unheard) -> Writer:
    """Choose how to write by the output's name (see :func:`kind_of`), before any work is done.

    Raises:
        OutputError: the name cannot be written to, or a sheet cannot hold ``count`` images.
    """
    out = Path(name)
    kind = kind_of(name, force=force)
    if kind == "png" and count > LARGEST_SHEET:
        raise OutputError(f"{count} images do not fit on a sheet. Ask for {LARGEST_SHEET} or fewer, or for .npz.")
    if kind == "folder":
        return lambda images, labels, _: _write_folder(images, labels, out, progress)
    if kind == "npz":
        return lambda images, labels, _: write_arrays(
            out, images=images, **({} if labels is None else {"labels": labels})
        )
    return lambda images, _, columns: _write_sheet(images, out, columns)


def _write_sheet(images: Images, out: Path, columns: int | None) -> None:
    save_png(sheet(_with_channels(images), columns or math.ceil(math.sqrt(len(images))), scale=2), out)


def write_arrays(out: Path, **arrays: NDArray[Any]) -> None:
    """Write arrays as .npz, whole or not at all."""
    with appearing_whole(out) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # the stubs take any name for an option's


def _write_folder(images: Images, labels: Labels | None, out: Path, progress: Progress) -> None:
    """One file each; with labels, in a folder for each class, as image classifiers want them."""
    with filling(out) as folder:
        for index, image in enumerate(images):
            place = folder if labels is None else folder / str(labels[index])
            place.mkdir(exist_ok=True)
            Image.fromarray(image).save(place / numbered(index, len(images)))
            progress("writing", (index + 1) / len(images))


def numbered(index: int, count: int) -> str:
    """The file name of one of ``count`` images."""
    return f"{index:0{len(str(count - 1))}d}.png"


@contextlib.contextmanager
def filling(out: Path) -> Iterator[Path]:
    """Yield an empty folder; on success its files take the place of the images and labels in ``out``.

    What an earlier call wrote there goes, so that no label stays beside another's image; other files stay.
    """
    with output_errors(out):
        # Within a folder that is there, as what is around it may not be writable or be another disk.
        temporary = (out if out.is_dir() else out.parent) / f".{out.name}.{os.getpid()}.tmp"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        try:
            yield temporary
            new = [path.relative_to(temporary) for path in sorted(temporary.rglob("*")) if path.is_file()]
            for path in new:
                (out / path).parent.mkdir(parents=True, exist_ok=True)
                (temporary / path).replace(out / path)
            for path in _written_in(out).difference(out / path for path in new):
                path.unlink()
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _written_in(folder: Path) -> set[Path]:
    """The images and labels that calls for this folder wrote."""
    classes = [
        one for one in folder.iterdir() if re.fullmatch(r"\d+", one.name) and one.is_dir() and not one.is_symlink()
    ]
    images = [
        path for place in (folder, *classes) for path in place.glob("*.png") if re.fullmatch(r"\d+\.png", path.name)
    ]
    return {path for path in (*images, folder / LABELS) if path.is_file()}


def _with_channels(images: Images) -> Images:
    return images[..., None] if images.ndim == 3 else images
