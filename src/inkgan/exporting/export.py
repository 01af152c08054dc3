"""Export a run or a model as a page, an ONNX file or a model folder."""

from __future__ import annotations

from pathlib import Path

from inkgan import data
from inkgan.errors import CheckpointError, OutputError, shown, yes_or_no
from inkgan.exporting import onnx_file, page
from inkgan.exporting.saved import CARD, SavedModel, read
from inkgan.files import refuse_to_overwrite, write_bytes
from inkgan.generation.legibility import CLASSIFIER, weights_of
from inkgan.generation.output_folder import OutputFolder
from inkgan.generation.saving import kind_of
from inkgan.runs import checkpoint

_DIGIT_SHAPE = [28, 28, 1]
#: The files of a model folder, which every command accepts as a model.
_FILES = ("generator.safetensors", "model.json", checkpoint.MANIFEST, CARD)


def export(what: str | Path, out: str | Path, *, which: str = "latest", force: bool = False) -> int:
    """Export a model as one file or folder.

    Args:
        what: a bundled model, a run, a checkpoint or a model folder.
        out: the file or folder to write; the end of its name says which kind. ``.html`` is a page that needs no server,
            for networks of ``fast`` and ``best``. It draws and writes; with a model of 28×28 digits, it also reads a
            drawing, and learns from 3,000 real digits inside it. ``.onnx`` has the inputs ``latent`` float32 [N, D]
            and, if there are classes, ``label`` int64 [N]; the output ``image`` float32 [N, H, W, C], 0 paper to 1 ink;
            and metadata: class names, licence, card and the SHA-256 of the weights. A slash makes a folder that
            :func:`inkgan.load` and every command accept: weights, ``model.json`` and a card, ``README.md``.
        which: the checkpoint of a run: ``latest``, ``best`` or a step.
        force: replace the file that is there; in a folder, only what inkgan wrote there.

    Returns:
        The number of bytes that were written.

    Raises:
        CheckpointError: there is no such model, it is damaged, or its network cannot be exported in this form.
        ConfigError: ``force`` is neither True nor False.
        MissingExtraError: the package ``onnx`` is not installed.
        OutputError: the name has another ending, something is there already, or the page would be too large.

    Warns:
        InkganWarning: the newest checkpoint is damaged, so an earlier one was taken.
    """
    force = yes_or_no(force, "force")
    kind = kind_of(out, ("html", "onnx"))
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


def web_page(saved: SavedModel) -> bytes:
    """Return the page with a model in it, in UTF-8.

    Raises:
        CheckpointError: the page cannot draw networks of this kind.
        OutputError: the page would be too large.
    """
    if saved.network != "compact":
        other = ".onnx" if saved.network in onnx_file.NETWORKS else "a folder (ends with a slash)"
        raise CheckpointError(
            f"a page draws only the networks of fast and best, and {shown(saved.name)} has the network "
            f"{shown(saved.network)}. Export another model, or this one to {other}."
        )
    content = _page_text(saved).encode()
    if len(content) > page.LARGEST_BYTES:
        raise OutputError(
            f"the page would have {len(content):,} bytes, {len(content) - page.LARGEST_BYTES:,} more than a page may. "
            f"Train with fewer channels: --set generator.channels=64."
        )
    return content


def _page_text(saved: SavedModel) -> str:
    """Fill the page: a model of MNIST's ten digits also brings the classifier and real digits."""
    name = saved.own_name
    if list(saved.description["image_shape"]) != _DIGIT_SHAPE or saved.class_names != tuple("0123456789"):
        return page.fill(name, saved.description, saved.weights, saved.class_names)
    real = data.load("mnist").train
    assert real.labels is not None
    return page.fill(
        name,
        saved.description,
        saved.weights,
        saved.class_names,
        classifier=weights_of(CLASSIFIER),
        digits=page.choose_digits(real.images, real.labels),
    )
