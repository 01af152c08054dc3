"""A model folder: weights, ``model.json``, their hashes and a card, which every command takes for a model."""

from __future__ import annotations

from pathlib import Path

from inkgan.exporting.saved import CARD, Saved
from inkgan.generation.output_folder import OutputFolder
from inkgan.runs import checkpoint

_FILES = ("generator.safetensors", "model.json", checkpoint.MANIFEST, CARD)


def prepare(path: Path, *, force: bool) -> OutputFolder:
    """Make sure that a model may be written to a folder, before any work is done.

    Raises:
        OutputError: it holds files and ``force`` is off, or it holds one of these names that inkgan did not write.
    """
    return OutputFolder(path, _FILES, force=force)


def fill(output: OutputFolder, saved: Saved) -> int:
    """Write a model into its folder, whole or not at all; returns the number of bytes.

    Raises:
        OutputError: it cannot be written.
    """
    with output.filling() as folder:
        checkpoint.write_folder(folder, {"generator": saved.weights}, {"model": saved.description})
        (folder / CARD).write_text(saved.card, "utf-8")
        return sum((folder / name).stat().st_size for name in _FILES)
