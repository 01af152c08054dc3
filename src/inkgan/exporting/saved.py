"""A model as it was saved, with its card and licence: every export begins by reading it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, SupportsIndex

import safetensors.numpy
from numpy.typing import NDArray

from inkgan.errors import InkganWarning, printable
from inkgan.files import is_regular, read_regular
from inkgan.generation import loading

#: The file in a model's folder that holds its card.
CARD = "README.md"
_LARGEST_CARD = 2**20
_LICENCE = re.compile(r"^\| licence \| (.*) \|\r?$", re.MULTILINE)

_CARD_TEXT = """# {name}: a generator

The generator of a generative adversarial network. To sample from it, name this folder:
`inkgan sample FOLDER -n 100 -o images.png`.

| | |
| --- | --- |
{rows}

Made by `inkgan export`. The classes and every setting are in model.json, the SHA-256 of the files in manifest.json.
"""


class SavedModel(NamedTuple):
    """A generator as it was saved.

    Attributes:
        name: its name as the user gave it, perhaps a path.
        description: its ``model.json``, without the folders of the user's data.
        weights: its arrays by name, float32 or float16.
        class_names: the name of each class, in the order of its labels; empty if it draws without labels.
        card: a description, its origin and its licence, as Markdown.
    """

    name: str
    description: Mapping[str, Any]
    weights: Mapping[str, NDArray[Any]]
    class_names: tuple[str, ...]
    card: str

    @property
    def own_name(self) -> str:
        """The last part of its name, as it can be shown. Other people need not know the folder."""
        return printable(_last_part(self.name))

    @property
    def network(self) -> str:
        """The kind of its network."""
        return str(self.description["network"])

    @property
    def digest(self) -> str:
        """The SHA-256 of its weights as a safetensors file, equal to that in the manifest of its folder."""
        return hashlib.sha256(safetensors.numpy.save(dict(self.weights))).hexdigest()

    @property
    def licence(self) -> str | None:
        """The licence that its card gives; None for a model of the user's own, whose card gives none."""
        found = _LICENCE.search(self.card)
        return found[1] if found else None


def read(what: str | Path, which: str | SupportsIndex) -> SavedModel:
    """Read a bundled model, a run, a checkpoint or a model folder; see :func:`inkgan.generation.loading.read`.

    Raises:
        CheckpointError: there is no such model, or it is damaged.
    """
    found = loading.read(what, which)
    for note in found.notes:
        warnings.warn(note, InkganWarning, stacklevel=3)
    class_names = loading.class_names_of(found.description, found.folder)
    card = _card_in(found.folder) or _card_of(str(what), found.description)
    return SavedModel(str(what), _without_folders(found.description), found.arrays, class_names, card)


def _without_folders(description: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a ``model.json`` that names the user's data without their folders, which stay private."""
    config = description.get("config")
    if not isinstance(config, Mapping) or not isinstance(data := config.get("data"), Mapping):
        return description
    where = {"name": Path(str(data.get("name"))).name, "directory": None}
    return {**description, "config": {**config, "data": {**data, **where}}}


def _card_in(folder: Path) -> str | None:
    """Return the card that lies beside a model; None if there is none that can be read."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if is_regular(folder / CARD):
            return read_regular(folder / CARD, _LARGEST_CARD).decode()
    return None


def _card_of(name: str, description: Mapping[str, Any]) -> str:
    """Make a card from ``model.json``. It gives no licence: the weights belong to whoever trained them."""
    config = description.get("config")
    settings: Mapping[str, Any] = config if isinstance(config, Mapping) else {}
    height, width, channels = description["image_shape"]
    labels = f" and one of {description['num_classes']} labels" if description["num_classes"] else ""
    facts = {
        "network": f"{description['network']}: a latent of {description['latent_dim']} numbers from N(0, 1){labels} to "
        f"an image of {height}×{width}×{channels}",
        "recipe": settings.get("recipe"),
        "steps": description.get("step"),
        "seed": settings.get("seed"),
        "arithmetic": description.get("precision"),
        "data": description.get("data"),
        "SHA-256 of the data": description.get("digest"),
    }
    rows = [f"| {fact} | {_cell(value)} |" for fact, value in facts.items() if value is not None]
    return _CARD_TEXT.format(name=_cell(_last_part(name)), rows="\n".join(rows))


def _last_part(name: str) -> str:
    """Return the last part of the name of a model; that of ``.`` is the name of the current folder."""
    return os.path.basename(os.path.abspath(name))  # noqa: PTH100, PTH119 - it may not be a path


def _cell(value: object) -> str:
    """Return a value as one line of text that can neither end a table's cell nor be read as HTML."""
    return printable(str(value)).replace("|", r"\|").replace("<", "&lt;")
