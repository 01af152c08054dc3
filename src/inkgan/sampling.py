"""Images from a trained generator, without PyTorch.

Image i depends on the weights, the seed and i alone. Its latent is drawn by (seed, i), and it is always computed at
place i mod 32 of a batch of 32, so that not even the rounding depends on how many images were asked for.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from inkgan import checkpoint
from inkgan.config import LARGEST_SEED
from inkgan.errors import CheckpointError, ConfigError, nearest
from inkgan.networks.drawing import TUTORIAL_SHAPES, draw_tutorial, standing_statistics
from inkgan.pictures import Images, to_uint8
from inkgan.runfolder import RunFolder
from inkgan.seeds import Stream, latents

#: How batch normalisation is done when sampling: ``standing`` statistics make each image independent; ``batch`` takes
#: those of all images drawn together, as the tutorial's own graph does.
Statistics = Literal["standing", "batch"]
STATISTICS: tuple[Statistics, ...] = ("standing", "batch")

#: The most images in one call, about 800 MB.
LARGEST_SAMPLE = 1_000_000
_CHUNK = 32
_BUNDLED = Path(__file__).parent / "models"


def bundled_models() -> list[str]:
    """The names of the generators that ship with the package."""
    return sorted(path.parent.name for path in _BUNDLED.glob("*/model.json"))


class Model:
    """A trained generator.

    Attributes:
        name: where it came from.
        image_shape: height, width and channels of its images.
        description: what was saved beside the weights: network, step, settings, data.
    """

    def __init__(self, name: str, description: dict[str, Any], weights: dict[str, NDArray[Any]]) -> None:
        self.name, self.description, self._weights = name, description, weights
        self.image_shape: tuple[int, int, int] = (28, 28, 1)

    def sample(self, n: int, *, seed: int = 0, statistics: Statistics = "standing") -> Images:
        """Draw images.

        Args:
            n: how many, 1 to 1,000,000.
            seed: 0 to 2^63 - 1; the same seed gives the same images.
            statistics: ``standing``, or ``batch`` for the tutorial's own behaviour: images depend on each other.

        Returns:
            uint8 [n, H, W] for grey images, [n, H, W, 3] for colour; 0 is paper, 255 is ink.

        Raises:
            ConfigError: an argument is out of range.
        """
        if not 1 <= n <= LARGEST_SAMPLE:
            raise ConfigError(f"cannot sample {n} images. Ask for 1 to {LARGEST_SAMPLE:,}.")
        if not 0 <= seed <= LARGEST_SEED:
            raise ConfigError(f"the seed {seed} is out of range. Seeds run from 0 to 2^63 - 1.")
        if statistics == "batch":
            drawn = draw_tutorial(self._weights, _latents(seed, 0, n))[0]
            return _without_grey_axis(to_uint8(drawn))
        if statistics != "standing":
            raise ConfigError(
                f"unknown statistics {statistics!r}.{nearest(statistics, STATISTICS)} Use standing or batch."
            )
        by = standing_statistics(self._weights)
        images = np.empty((n, *self.image_shape), np.uint8)
        for start in range(0, n, _CHUNK):
            drawn = draw_tutorial(self._weights, _latents(seed, start, _CHUNK), by)[0]
            images[start : start + _CHUNK] = to_uint8(drawn)[: n - start]
        return _without_grey_axis(images)


def load(path: str | Path, *, which: str = "latest") -> Model:
    """Load a generator.

    Args:
        path: the name of a bundled model, a run folder, a checkpoint or a model folder.
        which: of a run, the checkpoint: ``latest``, ``best`` or a step.

    Raises:
        CheckpointError: there is nothing of that kind, or it is damaged; nothing in it is ever executed.
    """
    folder = _find(path, which)
    checkpoint.verify(folder, ("model", "generator"))
    description = checkpoint.read_document(folder, "model")
    if description.get("network") != "tutorial":
        raise CheckpointError(f"{folder} holds a network of another kind: {str(description.get('network'))[:40]!r}.")
    weights = checkpoint.read_arrays(folder, "generator", TUTORIAL_SHAPES)
    return Model(str(path), description, {name: array.astype(np.float32) for name, array in weights.items()})


def _find(path: str | Path, which: str) -> Path:
    if str(path) in bundled_models():
        return _BUNDLED / str(path)
    folder = Path(path)
    try:
        folder.stat()
    except FileNotFoundError:
        pass  # told below
    except (OSError, ValueError) as error:
        raise CheckpointError(f"cannot read {str(path)[:200]!r}: {error}.") from None
    if folder.is_file():
        kind = "a pickle, which could run any code," if _is_pickle(folder) else "a file"
        raise CheckpointError(f"{path} is {kind} not a model folder of inkgan. Name a run, a checkpoint or a model.")
    if not folder.is_dir():
        names = bundled_models()
        raise CheckpointError(
            f"there is no model or run {str(path)!r}.{nearest(str(path), names)} "
            f"Name a run folder, or a bundled model: {', '.join(names)}."
        )
    if (folder / "model.json").is_file():
        return folder
    run = RunFolder(folder)
    if not run.is_run:
        raise CheckpointError(f"{path} is neither a run folder (no config.json) nor a model (no model.json).")
    return run.checkpoint(which)


def _is_pickle(path: Path) -> bool:
    """Whether a file looks like a pickle or a PyTorch archive (which holds one)."""
    if re.fullmatch(r"\.(pt|pth|ckpt|pkl|pickle|bin)", path.suffix.lower()):
        return True
    with path.open("rb") as file:
        return file.read(1) == b"\x80"


def _latents(seed: int, start: int, count: int) -> NDArray[np.float32]:
    return np.concatenate([latents(seed, Stream.SAMPLE_LATENTS, i, 1, 100) for i in range(start, start + count)])


def _without_grey_axis(images: Images) -> Images:
    return images[:, :, :, 0] if images.shape[3] == 1 else images
