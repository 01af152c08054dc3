"""Images from a trained generator.

Image i depends on the weights, the seed and i alone. Its latent comes from the random stream (seed, i), and it is
always computed at place i mod 32 of a batch of 32, so that even the rounding does not depend on the number of images.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, SupportsFloat, SupportsIndex, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inkgan import networks
from inkgan.errors import (
    CheckpointError,
    ConfigError,
    InkganWarning,
    one_of,
    printable,
    quantity,
    require_function,
    whole_number,
)
from inkgan.files import Progress, no_progress
from inkgan.generation import torch_networks
from inkgan.generation.classes import Classes, indices_of, shown_classes
from inkgan.generation.legibility import made_legible, valid_legible, warn_of_illegible
from inkgan.generation.loading import class_names_of, read
from inkgan.generation.numpy_networks import NUMPY_NETWORKS, draw_tutorial, in_fast_layout
from inkgan.generation.texts import DIGITS
from inkgan.generation.torch_networks import CHUNK
from inkgan.images import Images, Labels, as_array, png_bytes, sheet, slices, to_uint8, with_channels
from inkgan.runs import checkpoint
from inkgan.seeds import Stream, latents, valid_seed

#: The statistics of batch normalisation when sampling: ``standing`` ones make each image independent; ``batch`` takes
#: those of all images drawn together, as the tutorial's own graph does.
Statistics = Literal["standing", "batch"]

#: The most images in one call, about 800 MB.
LARGEST_SAMPLE = 1_000_000
#: With ``legible``, this many images are drawn and read at a time, since only a few of them are drawn again.
_LEGIBLE_CHUNK = 16 * CHUNK
#: Larger latents overflow in some networks, far above all that N(0, 1) draws.
_LARGEST_LATENT = 1e6
#: The most images that a notebook shows, and the number side by side.
_MOST_SHOWN = 100
_COLUMNS = 10


class Samples(np.ndarray[tuple[int, ...], np.dtype[np.uint8]]):
    """Images uint8 [N, H, W] or [N, H, W, 3], 0 paper to 255 ink: an array that a notebook shows as a sheet.

    ``numpy.asarray(samples)`` is the plain array, which prints its numbers.
    """

    def __repr__(self) -> str:
        if not self._are_images():
            return repr(np.asarray(self))
        count, height, width = self.shape[:3]
        return f"<{quantity(count, 'image', ',')} of {height}x{width}, uint8>"

    __str__ = __repr__

    def __array_wrap__(self, *given: Any) -> Any:
        """Return the result of an operation: a number where NumPy has one for a plain array, such as the mean."""
        result = super().__array_wrap__(*given)
        return result if result.ndim else result[()]

    def _repr_png_(self) -> bytes | None:
        """Return the picture that a notebook shows: at most 100 of the images, dark ink on white."""
        if not self._are_images():
            return None
        return png_bytes(sheet(np.asarray(self[:_MOST_SHOWN]), min(len(self), _COLUMNS), scale=2))

    def _are_images(self) -> bool:
        """Whether this is still an array of images: an operation on one may return any array."""
        is_of_images = (self.ndim == 3 and self.shape[2] != 3) or (self.ndim == 4 and self.shape[3] == 3)
        return self.dtype == np.uint8 and is_of_images and self.size > 0


class Model:
    """A trained generator.

    Attributes:
        name: where it came from.
        description: what was saved beside the weights: network, step, settings, data.
        image_shape: height, width and channels of its images.
        class_names: the name of each class that can be asked for; empty if it draws without labels.
        num_classes: the number of these classes.
        latent_dim: the length of a latent.
        notes: what a user should know about how it was loaded.
    """

    def __init__(
        self,
        name: str,
        description: Mapping[str, Any],
        weights: Mapping[str, NDArray[Any]],
        notes: Sequence[str] = (),
        folder: Path | None = None,
    ) -> None:
        self.name = name
        self.description = description
        self.notes = tuple(notes)
        height, width, channels = description["image_shape"]
        self.image_shape: tuple[int, int, int] = (height, width, channels)
        self.num_classes: int = description["num_classes"]
        self.class_names = class_names_of(description, name)
        self.latent_dim: int = description["latent_dim"]
        self._weights = {
            key: in_fast_layout(array.astype(np.float32) if array.dtype.kind == "f" else array)
            for key, array in weights.items()
        }
        self._folder = folder
        network = NUMPY_NETWORKS.get(description["network"])
        if network is None:
            self._draw = torch_networks.draw_function(description, self._weights)
        else:
            self._draw = partial(network.draw, self._weights, description)

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what pickle rebuilds it from; its functions cannot be pickled."""
        return type(self), (self.name, self.description, self._weights, self.notes, self._folder)

    @property
    def data_settings(self) -> Mapping[str, Any] | None:
        """The settings under ``data`` of the run that it comes from, such as ``name`` and ``ink``; None if unknown."""
        config = self.description.get("config")
        settings = config.get("data") if isinstance(config, Mapping) else None
        return settings if isinstance(settings, Mapping) and {"name", "directory"} <= settings.keys() else None

    @property
    def data_digest(self) -> str | None:
        """The digest of the data that it learned from; None if unknown."""
        return self.description.get("digest")

    @property
    def weights_digest(self) -> str:
        """The SHA-256 of its weights, in hexadecimal."""
        digest = hashlib.sha256()
        for name, array in sorted(self._weights.items()):
            digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def __repr__(self) -> str:
        height, width, channels = self.image_shape
        classes = f"classes {shown_classes(self.class_names)}" if self.num_classes else "without labels"
        return f"<Model {self.name}: {self.description['network']}, {height}x{width}x{channels}, {classes}>"

    def sample(
        self,
        n: SupportsIndex,
        *,
        seed: SupportsIndex = 0,
        labels: Classes | None = None,
        statistics: Statistics = "standing",
        legible: SupportsFloat = 0.0,
        progress: Progress = no_progress,
    ) -> Samples:
        """Draw images.

        Args:
            n: the number of images, 1 to 1,000,000.
            seed: 0 to 2^63 - 1; the same seed gives the same images.
            labels: one class for all or one for each; by default the classes in turn. See :meth:`labels_for`.
            statistics: ``standing`` normalises with fixed statistics, so that images do not depend on each other;
                ``batch`` with those of the images drawn, as the tutorial did.
            legible: 0 to 0.9999; digits that the bundled readers read with a lower probability are drawn again,
                closer to the mean of their class, until they pass. 0 takes images as they come; measure generators
                with 0.
            progress: called with the share of images that are drawn.

        Returns:
            uint8 [n, H, W] for grey images, [n, H, W, 3] for colour; 0 is paper, 255 is ink. A notebook shows them as a
            sheet.

        Raises:
            ConfigError: an argument is out of range, or the model's classes are not digits and ``legible`` is not 0.

        Warns:
            InkganWarning: a digit is less legible than was asked for, although it was drawn again.
        """
        require_function(progress, "progress", "doing", "done")
        statistics = one_of(statistics, "statistics", get_args(Statistics))
        n = _valid_count(n)
        indices = self.labels_for(n, labels)
        seed = valid_seed(seed)
        legible = valid_legible(legible)
        digits = self._digits_to_read(indices, statistics) if legible else None
        if statistics == "batch":
            if self.description["network"] != "tutorial":
                raise ConfigError("statistics batch is for the tutorial's network. Use standing.")
            drawn_together, _ = draw_tutorial(self._weights, self._latents(seed, 0, n))
            return _without_grey_axis(to_uint8(drawn_together))
        images = _without_grey_axis(np.empty((n, *self.image_shape), np.uint8))
        at_once = CHUNK if digits is None else _LEGIBLE_CHUNK
        draw = self._draw_in_chunks
        warned = False
        progress("drawing", 0.0)
        for part in slices(n, at_once):
            z = self._latents(seed, part.start, part.stop)
            classes = None if indices is None else indices[part]
            images[part] = draw(z, classes)
            if classes is not None and digits is not None:
                chosen = made_legible(draw, images[part], z, classes, digits[part], legible)
                images[part] = chosen.images
                warned = warned or warn_of_illegible(chosen.probabilities.tolist(), legible)
            progress("drawing", part.stop / n)
        return images

    def _digits_to_read(self, labels: Labels | None, statistics: Statistics) -> Labels:
        """Return the digit of each label, int64 [n], by which images can be drawn legibly.

        Raises:
            ConfigError: this model does not draw grey digits by label, or ``statistics`` is not ``standing``.
        """
        digits = [DIGITS.find(name) if len(name) == 1 else -1 for name in self.class_names]
        if labels is None or min(digits) < 0 or self.image_shape[2] != 1 or statistics != "standing":
            raise ConfigError(f"{self.name} cannot draw legibly: that is for grey digits, 0 to 9. Leave legible at 0.")
        return np.array(digits)[labels]

    def draw(self, latents: NDArray[np.floating], labels: Classes | None = None) -> Samples:
        """Draw images for given latents, for example on the way from one latent to another.

        Args:
            latents: float32 [N, D].
            labels: the class of each, see :meth:`labels_for`; None for a generator without labels.

        Returns:
            As :meth:`sample`.

        Raises:
            ConfigError: latents or labels have another shape or type, a latent is not finite or beyond a million, or a
                label is not one of the model's classes.
        """
        latents = as_array(latents, "latents", ConfigError)
        if latents.ndim != 2 or latents.shape[1] != self.latent_dim or latents.dtype.kind != "f" or not len(latents):
            given = f"{latents.dtype} {list(latents.shape)}"
            raise ConfigError(f"latents are {given}: give float32 [N, {self.latent_dim}] with N of 1 or more.")
        indices = self._class_of_each(len(latents), labels)
        with np.errstate(over="ignore"):
            latents = latents.astype(np.float32)
        if not (np.abs(latents) <= _LARGEST_LATENT).all():  # never true of NaN
            raise ConfigError("latents hold numbers that are not finite, or beyond a million. Draw them from N(0, 1).")
        return self._draw_in_chunks(latents, indices)

    def logits(self, images: ArrayLike, labels: Classes | None = None) -> NDArray[np.float32]:
        """Return the logits that the run's discriminator gives images, computed by PyTorch.

        Args:
            images: uint8 [N, H, W] for grey images, [N, H, W, C] for all; 0 is paper, 255 is ink.
            labels: the class of each image, see :meth:`labels_for`; None for a model without labels.

        Returns:
            Logits, float32 [N], larger for images that look more real; 0 means undecided. Relativistic and Wasserstein
            losses compare images: with them, only differences of logits have a meaning.

        Raises:
            CheckpointError: the model has no discriminator (only checkpoints of runs have one), or it is damaged.
            ConfigError: images or labels have another shape or type.
            MissingExtraError: PyTorch is not installed.
        """
        given = with_channels(as_array(images, "images", ConfigError))
        if given.dtype != np.uint8 or given.ndim != 4 or given.shape[1:] != self.image_shape or not len(given):
            shape = ", ".join(map(str, self.image_shape))
            raise ConfigError(f"images are {given.dtype} {list(given.shape)}: give uint8 [N, {shape}].")
        indices = self._class_of_each(len(given), labels)
        if self._folder is None or not (self._folder / "discriminator.safetensors").is_file():
            raise CheckpointError(f"{self.name} has no discriminator. Load a run, whose checkpoints have one.")
        checkpoint.verify(self._folder, ("discriminator",))
        layout = torch_networks.layout_of(networks.build_discriminator, self.description)
        weights = checkpoint.read_arrays(self._folder, "discriminator", *layout)
        return torch_networks.logits_of(self.description, weights, given, indices)

    def labels_for(self, n: SupportsIndex, labels: Classes | None = None) -> Labels | None:
        """Return the class of each of ``n`` images as an index, int64 [n]; None for a generator without labels.

        Args:
            n: the number of images.
            labels: one class for all or one for each, as names (strings) or as indices (integers, from 0); None takes
                the classes in turn. If classes are named by digits, ``"3"`` is the class of that name, whatever its
                index, and ``3`` is the fourth class.

        Raises:
            ConfigError: a label is not one of the model's classes, there are not ``n``, or the model has none.
        """
        n = _valid_count(n)
        if labels is None:
            return np.arange(n) % self.num_classes if self.num_classes else None
        if not self.num_classes:
            raise ConfigError(f"{self.name} draws without labels, so it knows no classes. Leave the label out.")
        return indices_of(labels, n, self.class_names, self.name)

    def _class_of_each(self, n: int, labels: Classes | None) -> Labels | None:
        """Return labels that were given, as indices; a model with labels needs them."""
        if labels is None and self.num_classes:
            raise ConfigError(f"{self.name} has labels: give each image a class, {shown_classes(self.class_names)}.")
        return self.labels_for(n, labels)

    def _draw_in_chunks(self, latents: NDArray[np.float32], labels: Labels | None) -> Samples:
        """Draw images, chunk by chunk."""
        drawn = [
            to_uint8(self._draw(latents[part], None if labels is None else labels[part]))
            for part in slices(len(latents), CHUNK)
        ]
        return _without_grey_axis(np.concatenate(drawn))

    def _latents(self, seed: int, start: int, stop: int) -> NDArray[np.float32]:
        """Return the latents of the images ``start`` to ``stop`` - 1, each from a random stream of its own."""
        every = [latents(seed, Stream.SAMPLE_LATENTS, i, 1, self.latent_dim) for i in range(start, stop)]
        return np.concatenate(every)


def load(path: str | Path, *, which: str | SupportsIndex = "latest") -> Model:
    """Load a generator.

    Args:
        path: the name of a bundled model, a run folder, a checkpoint or a model folder. A ``Path`` always means a
            place, even if a bundled model has its name; so does ``./NAME``.
        which: the checkpoint of a run: ``latest`` (the newest whose generator is intact), ``best`` or a step.

    Raises:
        CheckpointError: there is nothing of that kind, or it is damaged. Nothing in it is ever executed.
        ConfigError: ``which`` is neither a text nor a whole number.
        MissingExtraError: the network has no NumPy form, and PyTorch is not installed.

    Warns:
        InkganWarning: the newest checkpoint is damaged, so an older one was taken; or the file of a network of your
            own has changed since it was trained.
    """
    found = read(path, which)
    for note in found.notes:
        warnings.warn(note, InkganWarning, stacklevel=2)
    folder = found.folder.absolute()  # the discriminator is read later, perhaps from another current folder
    return Model(printable(path), found.description, found.arrays, found.notes, folder)


def _valid_count(n: SupportsIndex) -> int:
    return whole_number(n, f"cannot sample {{}} images. Ask for 1 to {LARGEST_SAMPLE:,}.", 1, LARGEST_SAMPLE)


def _without_grey_axis(images: Images) -> Samples:
    return (images[:, :, :, 0] if images.shape[3] == 1 else images).view(Samples)
