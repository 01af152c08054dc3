"""Pure functions from a model and the parameters of a request to the bytes of a response."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import math
import zipfile
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageOps

from inkgan.errors import OutputError
from inkgan.exporting.saved import SavedModel
from inkgan.generation import hands, looks, texts, writing
from inkgan.generation.image_files import arrays_of, names_in_folder
from inkgan.generation.loading import software_of
from inkgan.generation.model import Model
from inkgan.images import picture_of, png_bytes, sheet
from inkgan.serving import parameters

PNG = "image/png"
_JSON = "application/json"
#: The fixed time of the files in a .zip, so that the same request gives the same bytes.
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
#: The most pixels of an answer. Images of 28×28 never come near; those of a model with large images may.
MOST_PIXELS = 2**24
#: The most pixels of a text in any look but the clean one. So many take about a second, ten times as long as clean.
MOST_PIXELS_IN_A_LOOK = 2**21
_SHEET_SCALE = 2


class Content(NamedTuple):
    """The bytes of a response, and their media type."""

    content: bytes
    media_type: str


def check(query: parameters.Write) -> None:
    """Check that a text can be written, before it waits for its turn.

    Raises:
        ConfigError: the text has a character that cannot be written, or its look has paper and so takes no other
            background.
        OutputError: there would be too many pixels for a look.
    """
    texts.valid_text(query.text)
    if looks.look_of(query.look, background=query.background).has_paper:
        pixels = len(query.text) * query.height**2 // 2  # a character is about half as wide as its line is high
        _require_at_most(pixels, MOST_PIXELS_IN_A_LOOK, f"a text with look={query.look}")


def shared_parameters(query: parameters.Write) -> tuple[tuple[str, Any], ...]:
    """Return the parameters that texts must share to be written in one batch."""
    return tuple(query.model_dump(include=set(writing.WritingOptions.__optional_keys__)).items())


def write(model: Model, queries: Sequence[parameters.Write]) -> list[Content]:
    """Write texts with the same :func:`shared_parameters`, each as if alone, with the pixels of ``inkgan write``."""
    lines = [(one.text, one.writer) for one in queries]
    written = writing.write_batch(
        lines, model=model, seed=[one.seed for one in queries], **dict(shared_parameters(queries[0]))
    )
    return [_written(one, query.format) for one, query in zip(written, queries, strict=True)]


def _written(written: writing.Writing, kind: str) -> Content:
    if kind == "png":
        return Content(written.png, PNG)
    return as_json(written.label | {"png": base64.b64encode(written.png).decode()})


def digit(model: Model, name: str, query: parameters.Digit) -> Content:
    """Draw one image of a class by one writer, enlarged by ``scale``.

    Raises:
        ConfigError: the model has no class of this name.
        OutputError: there would be too many pixels.
    """
    _require_at_most(query.scale**2 * math.prod(model.image_shape[:2]), MOST_PIXELS)
    latent, _ = hands.hand_of(model.latent_dim, query.seed, query.writer)
    image = np.asarray(model.draw(latent[None], name))[0]
    return Content(png_bytes(ImageOps.scale(picture_of(image), query.scale, Image.Resampling.NEAREST)), PNG)


def sample(model: Model, query: parameters.Sample) -> Content:
    """Draw the first ``n`` images of ``inkgan sample`` with this seed.

    Raises:
        ConfigError: the model has no class of this name.
        OutputError: a class has a name that no file in a .zip can have, or there would be too many pixels.
    """
    enlarged = _SHEET_SCALE**2 if query.format == "png" else 1
    _require_at_most(query.n * enlarged * math.prod(model.image_shape[:2]), MOST_PIXELS)
    labels = model.labels_for(query.n, query.label)
    images = np.asarray(model.sample(query.n, seed=query.seed, labels=query.label))
    if query.format == "png":
        return Content(png_bytes(sheet(images, math.ceil(math.sqrt(query.n)), scale=_SHEET_SCALE)), PNG)
    file = io.BytesIO()
    if query.format == "npz":
        np.savez_compressed(file, **arrays_of(images, labels, model.class_names))  # type: ignore[arg-type]
        return Content(file.getvalue(), "application/octet-stream")
    with zipfile.ZipFile(file, "w") as archive:
        for name, image in zip(names_in_folder(query.n, labels, model.class_names), images, strict=True):
            archive.writestr(zipfile.ZipInfo(name, _LONG_AGO), png_bytes(picture_of(image)))
    return Content(file.getvalue(), "application/zip")


def _require_at_most(pixels: int, most: int, what: str = "an answer") -> None:
    """Refuse an answer that would have too many pixels."""
    if pixels > most:
        raise OutputError(f"this image would have {pixels:,} pixels; {what} may have at most {most:,}. Ask for fewer.")


def models(saved: SavedModel, digest: str) -> Content:
    """Describe the served model."""
    about = {
        "name": saved.name,
        "digest": digest[: parameters.DIGEST_LENGTH],
        "weights_sha256": saved.digest,
        "network": saved.network,
        "image_shape": saved.description["image_shape"],
        "class_names": saved.class_names,
        "licence": saved.licence,
        "card": saved.card,
    }
    return as_json({"models": [about]})


def digest(saved: SavedModel) -> str:
    """Return the SHA-256 of what answers depend on: a model's weights, its class names, and the software that draws.

    Addresses name the model by its first digits. With them, an answer is kept for a year.
    """
    known = [saved.digest, saved.class_names, software_of(saved.network)]
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()


def tag(model: str, path: str, query: parameters.Parameters) -> str:
    """Return the strong ETag of an answer, without drawing: it depends on the model and the address.

    Args:
        model: its digest.
        path: the path of the address.
        query: its parameters, defaults included.
    """
    known = json.dumps([model, path, query.model_dump(exclude={"model"})])
    return f'"{hashlib.sha256(known.encode()).hexdigest()[:32]}"'


def as_json(value: object) -> Content:
    """Return a value as JSON."""
    return Content(json.dumps(value, ensure_ascii=False).encode(), _JSON)
