"""Export a run or a model as a page, an ONNX file or a model folder."""

from __future__ import annotations

from pathlib import Path
from typing import SupportsIndex

from inkgan.errors import yes_or_no
from inkgan.exporting import onnx_file
from inkgan.exporting.page import web_page
from inkgan.exporting.saved import CARD, SavedModel, read
from inkgan.files import refuse_to_overwrite, write_bytes
from inkgan.generation.image_files import output_kind_of
from inkgan.generation.output_folder import OutputFolder
from inkgan.runs import checkpoint

#: The files of a model folder, which every command accepts as a model.
_FILES = ("generator.safetensors", "model.json", checkpoint.MANIFEST, CARD)


def export(what: str | Path, out: str | Path, *, which: str | SupportsIndex = "latest", force: bool = False) -> int:
    """Export a model as one file or folder.

    Args:
        what: a bundled model, a run, a checkpoint or a model folder.
        out: the file or folder to write; the end of its name says which kind. ``.html`` is a page that needs no server,
            for networks of ``fast`` and ``best``. It draws and writes; with a model of 28×28 digits, it also reads a
            drawing, and learns from 3,000 real digits inside it. ``.onnx`` has the inputs ``latent`` float32 [N, D]
            and, if there are classes, ``label`` int64 [N]; the output ``image`` float32 [N, H, W, C], 0 paper to 1 ink,
            or with three channels red, green and blue; and metadata: class names, licence, card and the SHA-256 of the
            weights. A slash makes a folder that :func:`inkgan.load` and every command that takes a model accept:
            weights, ``model.json`` and a card, ``README.md``.
        which: the checkpoint of a run: ``latest``, ``best`` or a step.
        force: replace the file that is there; in a folder, only what inkgan wrote there.

    Returns:
        The number of bytes that were written.

    Raises:
        CheckpointError: there is no such model, it is damaged, or its network cannot be exported in this form.
        ConfigError: ``which`` is neither a text nor a whole number, or ``force`` is neither True nor False.
        MissingExtraError: the package ``onnx`` is not installed.
        OutputError: the name has another ending, something is there already, or the page would be too large.

    Warns:
        InkganWarning: the newest checkpoint is damaged, so an earlier one was taken.
    """
    force = yes_or_no(force, "force")
    kind = output_kind_of(out, ("html", "onnx"))
    path = Path(out)
    if kind == "folder":
        return _write_folder(OutputFolder(path, _FILES, force=force), read(what, which))
    refuse_to_overwrite(path, force=force)
    saved = read(what, which)
    content = web_page(saved) if kind == "html" else onnx_file.build(saved)
    write_bytes(path, content, force=force)
    return len(content)


def _write_folder(output: OutputFolder, saved: SavedModel) -> int:
    """Write a model into its folder, whole or not at all, and return the number of bytes."""
    with output.filling() as folder:
        checkpoint.write_folder(folder, {"generator": saved.weights}, {"model": saved.description})
        (folder / CARD).write_text(saved.card, "utf-8")
        return sum((folder / name).stat().st_size for name in _FILES)
