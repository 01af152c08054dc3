"""From a run or a model to a file that somebody can take away: today the page."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, NamedTuple

import safetensors.numpy
from numpy.typing import NDArray

from inkgan import data
from inkgan.errors import CheckpointError, InkganWarning, OutputError, shown
from inkgan.files import refuse_to_overwrite, write_bytes
from inkgan.generation import loading
from inkgan.runs import checkpoint
from inkgan.web import page

_DIGIT_SHAPE = [28, 28, 1]
_CLASSIFIER = Path(__file__).parents[1] / "models" / "digit-features" / "weights.safetensors"


class _Found(NamedTuple):
    """A generator as it was saved."""

    description: dict[str, Any]
    weights: dict[str, NDArray[Any]]
    class_names: tuple[str, ...]


def export(what: str | Path, out: str | Path, *, which: str = "latest", force: bool = False) -> int:
    """Write a model as a page that needs no server.

    A model of 28×28 digits brings a classifier and 3,000 real digits with it, so that its page also reads a drawing and
    learns; other models explore.

    Args:
        what: a bundled model, a run, a checkpoint or a model folder, with a network of ``fast`` or ``best``.
        out: a file ending in ``.html``.
        which: of a run, the checkpoint: ``latest``, ``best`` or a step.
        force: replace the file that is there.

    Returns:
        How many bytes it has.

    Raises:
        CheckpointError: there is no such model, or its network is of a kind that pages do not draw.
        OutputError: the name has another ending, something is there, or the page would be too large.
    """
    path = Path(out)
    if path.suffix.lower() != ".html":
        raise OutputError(f"the name {shown(out)} does not say what to export. End it with .html.")
    refuse_to_overwrite(path, force=force)
    found = _find(what, which)
    network = found.description["network"]
    if network != "compact":
        raise CheckpointError(
            f"a page draws networks of fast and best, and that of {shown(what)} is {shown(network)}. Export another."
        )
    content = _page(Path(what).name, found).encode()
    if len(content) > page.LARGEST_BYTES:
        raise OutputError(
            f"the page would have {len(content):,} bytes, {len(content) - page.LARGEST_BYTES:,} more than a page may. "
            f"Train with fewer channels: --set generator.channels=64."
        )
    write_bytes(path, content, force=force)
    return len(content)


def _find(what: str | Path, which: str) -> _Found:
    folder, notes = loading.find(what, which)
    for note in notes:
        warnings.warn(note, InkganWarning, stacklevel=3)
    checkpoint.verify(folder, loading.PARTS)
    description = checkpoint.read_document(folder, "model")
    weights = loading.read_weights(description, folder)
    return _Found(description, weights, loading.class_names_of(description, folder))


def _page(name: str, found: _Found) -> str:
    description, weights, class_names = found
    if list(description["image_shape"]) != _DIGIT_SHAPE or class_names != tuple("0123456789"):
        return page.fill(name, description, weights)
    real = data.load("mnist").train
    assert real.labels is not None
    return page.fill(
        name,
        description,
        weights,
        classifier=safetensors.numpy.load_file(_CLASSIFIER),
        digits=page.choose_digits(real.images, real.labels),
    )
