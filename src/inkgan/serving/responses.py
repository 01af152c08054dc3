"""From a model and the parameters of a request to the bytes of a response: pure functions."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import math
import zipfile
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from typing import Any, NamedTuple

import numpy as np

from inkgan.errors import OutputError
from inkgan.exporting.saved import Saved
from inkgan.generation import looks, writing
from inkgan.generation.model import Model
from inkgan.generation.saving import arrays_of, names_in_folder
from inkgan.images import picture_of, png_bytes, sheet
from inkgan.serving import parameters

PNG = "image/png"
_JSON = "application/json"
#: The time that files in a .zip bear, so that the same request gives the same bytes.
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
#: The most pixels of an answer: images of 28×28 never come near, those of a model with large images may.
MOST_PIXELS = 2**24
#: Of a text in another look than the clean one, which takes ten times as long: about a second.
MOST_PIXELS_IN_A_LOOK = 2**21
_SHEET_SCALE = 2


class Content(NamedTuple):
    """Bytes, and what they are."""

    content: bytes
    media_type: str


def check(model: Model, asked: parameters.Write) -> None:
    """Make sure that a text can be written, before it waits for others.

    Raises:
        ConfigError: the text holds what cannot be written, or its look has paper and no background.
        CheckpointError: the model's classes are not the ten digits.
        OutputError: there would be too many pixels for a look.
    """
    writing.valid_text(asked.text)
    if looks.look_of(asked.look, background=asked.background) != looks.LOOKS["clean"]:
        pixels = len(asked.text) * asked.height**2 // 2  # a character is about half as wide as its line is high
        _bound(pixels, MOST_PIXELS_IN_A_LOOK, f"a text with look={asked.look}")
    writing.loaded(model)


def shared(asked: parameters.Write) -> tuple[tuple[str, Any], ...]:
    """What texts must have in common to be written together."""
    return tuple(asked.model_dump(include={"style", "slant", "height", "background", "legible", "look"}).items())


def write(model: Model, asked: Sequence[parameters.Write]) -> list[Content]:
    """Texts by hand that share what they must, each as if it were alone; the pixels are those of ``inkgan write``."""
    lines = [(one.text, one.writer) for one in asked]
    written = writing.write_batch(lines, model=model, seed=[one.seed for one in asked], **dict(shared(asked[0])))
    return [_written(one, request.format) for one, request in zip(written, asked, strict=True)]


def _written(written: writing.Writing, kind: str) -> Content:
    picture = png_bytes(written.picture)
    if kind == "png":
        return Content(picture, PNG)
    height, width = written.image.shape
    return as_json(
        {
            "text": written.text,
            "width": width,
            "height": height,
            "boxes": written.boxes,
            **written.reading,
            "png": base64.b64encode(picture).decode(),
        }
    )


def digit(model: Model, name: str, asked: parameters.Digit) -> Content:
    """One class as a writer draws it, in the size of the model's images.

    Raises:
        ConfigError: the model has no class of this name.
        OutputError: there would be too many pixels.
    """
    _bound(asked.scale**2 * _pixels(model), MOST_PIXELS)
    latent, _ = writing.hand_of(model.latent_dim, asked.seed, asked.writer)
    image = np.asarray(model.draw(latent[None], name))[0]
    picture = picture_of(image)
    return Content(png_bytes(picture.resize((picture.width * asked.scale, picture.height * asked.scale), 0)), PNG)


def sample(model: Model, asked: parameters.Sample) -> Content:
    """Images: the first ``n`` that ``inkgan sample`` draws with this seed.

    Raises:
        ConfigError: the model has no class of this name.
        OutputError: a class has a name that no file can have, and a .zip was asked for; or there would be too many
            pixels.
    """
    _bound(asked.n * _SHEET_SCALE**2 * _pixels(model), MOST_PIXELS)
    labels = model.labels_for(asked.n, asked.label)
    images = np.asarray(model.sample(asked.n, seed=asked.seed, labels=asked.label))
    if asked.format == "png":
        return Content(png_bytes(sheet(images, math.ceil(math.sqrt(asked.n)), scale=_SHEET_SCALE)), PNG)
    file = io.BytesIO()
    if asked.format == "npz":
        np.savez_compressed(file, **arrays_of(images, labels, model.class_names))  # type: ignore[arg-type]
        return Content(file.getvalue(), "application/octet-stream")
    with zipfile.ZipFile(file, "w") as archive:
        for name, image in zip(names_in_folder(asked.n, labels, model.class_names), images, strict=True):
            archive.writestr(zipfile.ZipInfo(name, _LONG_AGO), png_bytes(picture_of(image)))
    return Content(file.getvalue(), "application/zip")


def _pixels(model: Model) -> int:
    height, width, _ = model.image_shape
    return height * width


def _bound(pixels: int, most: int, what: str = "an answer") -> None:
    """Refuse an answer that would have too many pixels."""
    if pixels > most:
        raise OutputError(f"this would have {pixels:,} pixels, and {what} has {most:,} at most. Ask for fewer.")


def models(saved: Saved, digest: str) -> Content:
    """What is known of the model that is served."""
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


def digest(saved: Saved) -> str:
    """What names a model: the SHA-256 of its weights and of the names of its classes."""
    return hashlib.sha256(json.dumps([saved.digest, saved.class_names]).encode()).hexdigest()


def tag(model: str, path: str, asked: parameters.Parameters) -> str:
    """The strong ETag of an answer: it follows from the model, the address and what draws, without drawing.

    Args:
        model: its digest.
        path: of the address.
        asked: its parameters, defaults included.
    """
    known = json.dumps([model, _drawn_by(), path, asked.model_dump(exclude={"model"})])
    return f'"{hashlib.sha256(known.encode()).hexdigest()[:32]}"'


@cache
def _drawn_by() -> list[str]:
    """The releases that decide about the bytes of an answer."""
    return [version(package) for package in ("inkgan", "numpy", "pillow")]


def as_json(value: object) -> Content:
    """A value as JSON."""
    return Content(json.dumps(value, ensure_ascii=False).encode(), _JSON)
