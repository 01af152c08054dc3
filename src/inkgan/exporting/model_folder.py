"""A model folder: weights, ``model.json``, their hashes and a card, which every command takes for a model."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from inkgan.exporting.saved import CARD, Saved
from inkgan.generation.output_folder import OutputFolder
from inkgan.runs import checkpoint

_FILES = ("generator.safetensors", "model.json", checkpoint.MANIFEST, CARD)


class Place(NamedTuple):
    """A folder that may be written."""

    path: Path
    output: OutputFolder


def prepare(path: Path, *, force: bool) -> Place:
    """Make sure that a model may be written to a folder, before any work is done.

    Raises:
        OutputError: it holds files and ``force`` is off, or it holds one of these names that inkgan did not write.
    """
    return Place(path, OutputFolder(path, _FILES, force=force))


def fill(place: Place, saved: Saved) -> int:
    """Write a model into its folder, whole or not at all; returns the number of bytes.

    Raises:
        OutputError: it cannot be written.
    """
    with place.output.filling() as folder:
        checkpoint.write_folder(folder, {"generator": saved.weights}, {"model": saved.description})
        (folder / CARD).write_text(saved.card, "utf-8")
    return sum((place.path / name).stat().st_size for name in _FILES)
