"""Images from a trained generator, without PyTorch.

Image i depends on the weights, the seed and i alone. Its latent is drawn by (seed, i), and it is always computed at
place i mod 32 of a batch of 32, so that not even the rounding depends on how many images were asked for.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from inkgan.errors import CheckpointError, ConfigError, InkganWarning, did_you_mean
from inkgan.files import Progress, unheard
from inkgan.generation.numpy_networks import DRAWINGS
from inkgan.images import Images, to_uint8
from inkgan.runs import checkpoint
from inkgan.seeds import LARGEST_SEED, Stream, latents

#: How batch normalisation is done when sampling: ``standing`` statistics make each image independent; ``batch`` takes
#: those of all images drawn together, as the tutorial's own graph does.
Statistics = Literal["standing", "batch"]
STATISTICS: tuple[Statistics, ...] = ("standing", "batch")

#: The most images in one call, about 800 MB.
LARGEST_SAMPLE = 1_000_000
_CHUNK = 32
_PARTS = ("model", "generator")  # what sampling needs of a checkpoint
_BUNDLED = Path(__file__).parents[1] / "models"


def bundled_models() -> list[str]:
    """The names of the generators that ship with the package."""
    return sorted(path.parent.name for path in _BUNDLED.glob("*/model.json"))


class Model:
    """A trained generator.

    Attributes:
        name: where it came from.
        description: what was saved beside the weights: network, step, settings, data.
        image_shape: height, width and channels of its images.
        num_classes: how many classes can be asked for; 0 where it draws without labels.
        latent_dim: how many numbers a latent has.
        notes: what a user should know of how it was loaded.
    """

    def __init__(
        self,
        name: str,
        description: Mapping[str, Any],
        weights: Mapping[str, NDArray[np.float32]],
        notes: Sequence[str] = (),
    ) -> None:
        self.name, self.description, self._weights, self.notes = name, description, weights, tuple(notes)
        height, width, channels = description["image_shape"]
        self.image_shape: tuple[int, int, int] = (height, width, channels)
        self.num_classes: int = description["num_classes"]
        self.latent_dim: int = description["latent_dim"]

    def sample(
        self,
        n: int,
        *,
        seed: int = 0,
        labels: int | Sequence[int] | None = None,
        statistics: Statistics = "standing",
        progress: Progress = unheard,
    ) -> Images:
        """Draw images.

        Args:
            n: how many, 1 to 1,000,000.
            seed: 0 to 2^63 - 1; the same seed gives the same images.
            labels: one class for all or one for each; by default the classes in turn. See :meth:`labels_for`.
            statistics: ``standing``, or ``batch`` for the tutorial's own behaviour: images depend on each other.
            progress: told how far it is.

        Returns:
            uint8 [n, H, W] for grey images, [n, H, W, 3] for colour; 0 is paper, 255 is ink.

        Raises:
            ConfigError: an argument is out of range.
        """
        if not 1 <= n <= LARGEST_SAMPLE:
            raise ConfigError(f"cannot sample {n} images. Ask for 1 to {LARGEST_SAMPLE:,}.")
        if not 0 <= seed <= LARGEST_SEED:
            raise ConfigError(f"the seed {seed} is out of range. Seeds run from 0 to 2^63 - 1.")
        if statistics not in STATISTICS:
            raise ConfigError(
                f"unknown statistics {statistics!r}.{did_you_mean(statistics, STATISTICS)} Use standing or batch."
            )
        asked = self.labels_for(n, labels)
        images = np.empty((n, *self.image_shape), np.uint8)
        if statistics == "batch":
            together = DRAWINGS[self.description["network"]].together
            if together is None:
                raise ConfigError("statistics batch is for the tutorial; this generator normalises nothing.")
            images[:] = to_uint8(together(self._weights, self._latents(seed, 0, n)))
        else:
            for start in range(0, n, _CHUNK):
                part = None if asked is None else asked[start : start + _CHUNK]
                images[start : start + _CHUNK] = self._draw(self._latents(seed, start, min(_CHUNK, n - start)), part)
                progress("drawing", min(1.0, (start + _CHUNK) / n))
        return _without_grey_axis(images)

    def draw(self, latents: NDArray[np.float32], labels: NDArray[np.int64] | None = None) -> Images:
        """Draw images for given latents: the way to hold a hand still, or to walk from one to another.

        Args:
            latents: float32 [N, D].
            labels: int64 [N]; None for a generator without labels.

        Returns:
            uint8 [N, H, W] for grey images, [N, H, W, 3] for colour.

        Raises:
            ConfigError: latents or labels have another shape or type, or a label is not one of the model's classes.
        """
        latents = np.asarray(latents)
        if latents.ndim != 2 or latents.shape[1] != self.latent_dim or latents.dtype.kind != "f" or not len(latents):
            raise ConfigError(
                f"latents {list(latents.shape)} of {latents.dtype} are not for {self.name}: give float32 "
                f"[N, {self.latent_dim}] with N of 1 or more."
            )
        if labels is None and self.num_classes:
            raise ConfigError(f"{self.name} draws by labels: give each latent one of 0 to {self.num_classes - 1}.")
        if labels is not None:
            labels = self.labels_for(len(latents), labels)  # type: ignore[arg-type]  # an array is a sequence
        latents = latents.astype(np.float32)
        parts = [
            self._draw(latents[i : i + _CHUNK], None if labels is None else labels[i : i + _CHUNK])
            for i in range(0, len(latents), _CHUNK)
        ]
        return _without_grey_axis(np.concatenate(parts))

    def labels_for(self, n: int, labels: int | Sequence[int] | None = None) -> NDArray[np.int64] | None:
        """The class of each of ``n`` images, int64 [n]; None for a generator without labels.

        Raises:
            ConfigError: a label is not one of the model's classes, there are not ``n``, or the model has none.
        """
        if not self.num_classes:
            if labels is not None:
                raise ConfigError(f"{self.name} draws without labels, so no class can be asked for.")
            return None
        if labels is None:
            return np.arange(n) % self.num_classes
        if isinstance(labels, int) and not 0 <= labels < self.num_classes:
            raise ConfigError(f"there is no class {str(labels)[:20]}: {self.name} draws 0 to {self.num_classes - 1}.")
        asked = np.full(n, labels) if isinstance(labels, int) else np.asarray(labels)
        if asked.shape != (n,) or asked.dtype.kind not in "iu":
            raise ConfigError(f"{asked.shape} labels of {asked.dtype} do not fit {n} images: give each an integer.")
        if asked.min() < 0 or asked.max() >= self.num_classes:
            wrong = asked[(asked < 0) | (asked >= self.num_classes)][0]
            raise ConfigError(f"there is no class {wrong}: {self.name} draws 0 to {self.num_classes - 1}.")
        return asked.astype(np.int64)

    def _draw(self, latents: NDArray[np.float32], labels: NDArray[np.int64] | None) -> Images:
        """At most a chunk of images, computed as a whole chunk: each is the same, whatever stands beside it."""
        n = len(latents)
        latents = np.concatenate([latents, np.zeros((_CHUNK - n, self.latent_dim), np.float32)])
        if labels is not None:
            labels = np.concatenate([labels, np.zeros(_CHUNK - n, np.int64)])
        drawing = DRAWINGS[self.description["network"]]
        return to_uint8(drawing.alone(self._weights, self.image_shape, latents, labels)[:n])

    def _latents(self, seed: int, start: int, count: int) -> NDArray[np.float32]:
        every = [latents(seed, Stream.SAMPLE_LATENTS, i, 1, self.latent_dim) for i in range(start, start + count)]
        return np.concatenate(every)


def load(path: str | Path, *, which: str = "latest") -> Model:
    """Load a generator.

    Args:
        path: the name of a bundled model, a run folder, a checkpoint or a model folder. A :class:`Path` is a place,
            also where a bundled model has its name; so is ``./NAME``.
        which: of a run, the checkpoint: ``latest`` (of those whose generator is whole), ``best`` or a step.

    Raises:
        CheckpointError: there is nothing of that kind, or it is damaged; nothing in it is ever executed.

    Warns:
        InkganWarning: the newest checkpoint is damaged, so that one before it was taken.
    """
    folder, notes = _find(path, which)
    for note in notes:
        warnings.warn(note, InkganWarning, stacklevel=2)
    checkpoint.verify(folder, _PARTS)
    description = checkpoint.read_document(folder, "model")
    weights = checkpoint.read_arrays(folder, "generator", shapes_of(description, folder))
    return Model(str(path), description, {name: array.astype(np.float32) for name, array in weights.items()}, notes)


def shapes_of(description: dict[str, Any], folder: Path) -> Mapping[str, tuple[int, ...]]:
    """What the generator's arrays must look like; nothing that was read is believed before it is checked.

    Args:
        description: ``model.json``; sizes that its kind of network always has are added.
        folder: where it was read.

    Raises:
        CheckpointError: the network is of an unknown kind, or a size is missing or absurd.
    """
    network = description.get("network")
    drawing = DRAWINGS.get(network) if isinstance(network, str) else None
    if drawing is None:
        raise CheckpointError(f"{folder} holds a network of another kind: {str(network)[:40]!r}.")
    description |= drawing.fixed
    shape = description.get("image_shape")
    sizes = [description.get(key) for key in ("num_classes", "latent_dim", "channels")]
    numbers = [*(shape if isinstance(shape, list) and len(shape) == 3 else [None]), *sizes]
    limits = (4096, 4096, 3, 65_536, 4096, 1024)
    if not all(type(x) is int and (x >= 1 or (i == 3 and x == 0)) and x <= limits[i] for i, x in enumerate(numbers)):
        raise CheckpointError(f"{folder} is damaged: model.json gives image_shape {shape!r} and sizes {sizes!r}.")
    height, width, channels = shape  # type: ignore[misc]  # checked above
    return drawing.shapes((height, width, channels), *sizes)  # type: ignore[arg-type]


def _find(path: str | Path, which: str) -> tuple[Path, list[str]]:
    """The folder of a generator, and a note for every newer checkpoint that is damaged."""
    if is_bundled(path):
        _require_one_state(path, which)
        return _BUNDLED / str(path), []
    try:
        return _find_folder(path, which)
    except (OSError, ValueError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"cannot read {str(path)[:200]!r}: {error}.") from None


def is_bundled(what: str | Path) -> bool:
    """Whether this is the name of a bundled model; a :class:`Path` is a place, whatever its name."""
    return isinstance(what, str) and what in bundled_models()


def _require_one_state(path: str | Path, which: str) -> None:
    if which != "latest":
        raise CheckpointError(f"{path} is a model, not a run: it has one state, and no checkpoint {which[:40]!r}.")


def _find_folder(path: str | Path, which: str) -> tuple[Path, list[str]]:
    folder = Path(path)
    if folder.is_file():
        kind = "a pickle, which could run any code," if _is_pickle(folder) else "a file,"
        raise CheckpointError(f"{path} is {kind} not a model folder of inkgan. Name a run, a checkpoint or a model.")
    if not folder.is_dir():
        names = bundled_models()
        raise CheckpointError(
            f"there is no model or run {str(path)!r}.{did_you_mean(str(path), names)} "
            f"Name a run folder, or a bundled model: {', '.join(names)}."
        )
    if (folder / "model.json").is_file():
        _require_one_state(path, which)
        return folder, []
    from inkgan.runs.folder import RunFolder  # with the settings' machinery: a bundled model needs none of it

    run = RunFolder(folder)
    if not run.is_run:
        raise CheckpointError(f"{path} is neither a run folder (no config.json) nor a model (no model.json).")
    if which != "latest":
        return run.checkpoint(which), []
    step, damages = checkpoint.newest_whole(run.checkpoints, _PARTS)
    if step is None and damages:
        raise CheckpointError(f"no checkpoint in {run.checkpoints} has a generator that is whole. {damages[0]}")
    return run.checkpoint("latest" if step is None else str(step)), [f"{one} Taking step {step}." for one in damages]


def _is_pickle(path: Path) -> bool:
    """Whether a file looks like a pickle or a PyTorch archive (which holds one)."""
    if re.fullmatch(r"\.(pt|pth|ckpt|pkl|pickle|bin)", path.suffix.lower()):
        return True
    with path.open("rb") as file:
        return file.read(1) == b"\x80"


def _without_grey_axis(images: Images) -> Images:
    return images[:, :, :, 0] if images.shape[3] == 1 else images
