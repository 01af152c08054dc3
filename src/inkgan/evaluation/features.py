"""The feature network: a small classifier whose last hidden layer is the space in which digits are measured.

Inception features are unfit for small pictures of ink, so inkgan measures in the features of a classifier of
the data at hand: distances there are called Fréchet *digit* distance and kernel *digit* distance, and they
are comparable only between figures made with the same network (the card's ``sha256`` says which).

Plug-in point: every measure takes plain arrays, so any callable that maps uint8 images [N, H, W, C] to
features [N, D] can stand in for this network; :func:`extract` runs one and checks what it returns.

Shapes: N images, H rows, W columns, C channels (1 or 3), D features, K classes.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn import functional

from inkgan.errors import CheckpointError, EvaluationError
from inkgan.files import cache_folder as package_cache
from inkgan.files import sha256_of, write_bytes
from inkgan.images import Images

Features = npt.NDArray[np.float32]
Extractor = Callable[[Images], npt.NDArray[Any]]

WEIGHTS, CARD = "weights.safetensors", "card.json"
FORMAT = 1
SHIPPED = Path(__file__).parents[1] / "models" / "digit-features"

# Every forward pass sees exactly this many images (the last one is filled up with blank ones), so that the
# same kernels run whatever the number of images: image i has the same features alone and among ten thousand.
_CHUNK = 64
_LARGEST_SIDE = 64  # larger pictures are averaged down first: the network's receptive field is 30 pixels
_HALVING = (1, 3)  # the convolutions of stride 2, counted from 0
_GRID = 4  # the last feature map is pooled to 4x4, which keeps *where* strokes are, not only which


@dataclass(frozen=True, kw_only=True)
class FeatureCard:
    """What a feature network is and where it comes from; the JSON file beside its weights."""

    name: str
    image_shape: tuple[int, int, int]
    """H, W, C of the images it reads."""
    class_names: tuple[str, ...]
    num_features: int = 64
    widths: tuple[int, ...] = (16, 32, 64, 64, 128, 128)
    """Channels after each 3x3 convolution; the second and the fourth halve height and width."""
    data: dict[str, Any] = field(default_factory=dict)
    """The name and the digest of the data it was trained on."""
    recipe: dict[str, Any] = field(default_factory=dict)
    accuracy: dict[str, float] = field(default_factory=dict)
    """Accuracy by split, measured with the weights as stored (float16)."""
    sha256: str = ""
    """Of the weights file; it names the ruler."""
    format: int = FORMAT


class FeatureLayers(nn.Module):
    """3x3 convolutions, a 4x4 pooling, a hidden layer (the features) and a linear classifier."""

    def __init__(self, card: FeatureCard) -> None:
        super().__init__()
        channels = (card.image_shape[2], *card.widths)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(before, after, 3, stride=2 if index in _HALVING else 1, padding=1)
            for index, (before, after) in enumerate(itertools.pairwise(channels))
        )
        self.hidden = nn.Linear(channels[-1] * _GRID * _GRID, card.num_features)
        self.classes = nn.Linear(card.num_features, len(card.class_names))

    def forward(self, ink: Tensor) -> tuple[Tensor, Tensor]:
        """Features [N, D] and class logits [N, K] of images in [0, 1], float32 [N, C, H, W].

        The features are the hidden layer *before* its ReLU: signed, about zero mean and unit variance in each
        dimension over the training data, which suits measures that compare means and covariances.
        """
        x = shrink(ink)
        for convolution in self.convolutions:
            x = functional.relu(convolution(x), inplace=True)
        features = self.hidden(functional.adaptive_avg_pool2d(x, _GRID).flatten(1))  # N x D
        return features, self.classes(functional.relu(features))


def shrink(ink: Tensor) -> Tensor:
    """Average pictures with a side of more than 64 pixels down to 64 (area averages: no aliasing)."""
    height, width = (min(side, _LARGEST_SIDE) for side in ink.shape[2:])
    return ink if ink.shape[2:] == (height, width) else functional.adaptive_avg_pool2d(ink, (height, width))


def to_ink(images: Images) -> Tensor:
    """uint8 images [N, H, W, C] as float32 in [0, 1], [N, C, H, W] in channels-last memory."""
    return torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).float().div_(255.0)


class FeatureNetwork:
    """A trained feature network, which is an Extractor: uint8 images to features and class probabilities."""

    def __init__(self, card: FeatureCard, layers: FeatureLayers) -> None:
        self.card = card
        self.layers = layers.eval().requires_grad_(False)
        self.layers.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def num_features(self) -> int:
        """D, the number of features of an image."""
        return self.card.num_features

    @property
    def num_classes(self) -> int:
        """K, the number of classes."""
        return len(self.card.class_names)

    def __call__(self, images: Images) -> Features:
        """Features, float32 [N, D]; see :meth:`measure`."""
        return self.measure(images)[0]

    def probabilities(self, images: Images) -> Features:
        """Class probabilities, float32 [N, K], rows summing to 1; see :meth:`measure`."""
        return self.measure(images)[1]

    def measure(self, images: Images, progress: Callable[[int], None] | None = None) -> tuple[Features, Features]:
        """Features and class probabilities in one pass.

        Args:
            images: uint8 [N, H, W, C] with the H, W, C of the card, values 0-255.
            progress: called with the number of images done after each chunk.

        Returns:
            features, float32 [N, D], and probabilities, float32 [N, K]. Row i depends on image i alone.

        Raises:
            EvaluationError: the images are not uint8 or not of the network's shape, or there are none.
        """
        check_images(images, self.card.image_shape)
        features = np.empty((len(images), self.num_features), np.float32)
        probabilities = np.empty((len(images), self.num_classes), np.float32)
        with torch.inference_mode():
            for start, ink in _chunks(images):
                hidden, logits = self.layers(ink)
                stop = min(start + _CHUNK, len(images))
                features[start:stop] = hidden[: stop - start].numpy()
                probabilities[start:stop] = logits.softmax(1)[: stop - start].numpy()
                if progress is not None:
                    progress(stop)
        return features, probabilities

    def as_stored(self) -> FeatureNetwork:
        """This network with its weights rounded to float16, as :meth:`save` stores them."""
        layers = FeatureLayers(self.card)
        layers.load_state_dict({name: x.half().float() for name, x in self.layers.state_dict().items()})
        return FeatureNetwork(self.card, layers)

    def save(self, folder: Path) -> FeatureNetwork:
        """Write weights (float16 safetensors) and card to ``folder``; return the network as it was stored."""
        tensors = {name: tensor.half().contiguous() for name, tensor in self.layers.state_dict().items()}
        write_bytes(folder / WEIGHTS, safetensors.torch.save(tensors))
        card = {**asdict(self.card), "sha256": sha256_of(folder / WEIGHTS)}
        write_bytes(folder / CARD, (json.dumps(card, indent=2, ensure_ascii=False) + "\n").encode())
        return load_features(folder)


def _chunks(images: Images) -> Iterator[tuple[int, Tensor]]:
    for start in range(0, len(images), _CHUNK):
        ink = to_ink(images[start : start + _CHUNK])
        yield start, functional.pad(ink, (0, 0, 0, 0, 0, 0, 0, _CHUNK - len(ink)))


def check_images(images: Images, image_shape: tuple[int, int, int] | None = None) -> None:
    """Raise an :class:`EvaluationError` unless images are uint8 [N > 0, H, W, 1 or 3] of that shape."""
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8:
        given = images.dtype if isinstance(images, np.ndarray) else type(images).__name__
        raise EvaluationError(f"images are {given}; what is measured is uint8, 0-255. Round and convert them first.")
    if images.ndim != 4 or len(images) == 0 or images.shape[3] not in (1, 3) or 0 in images.shape:
        raise EvaluationError(f"images have shape {images.shape}; needed is [N, H, W, C] with N > 0 and C = 1 or 3.")
    if image_shape is not None and images.shape[1:] != image_shape:
        raise EvaluationError(
            f"images are {_by(images.shape[1:])}, this feature network reads {_by(image_shape)}. "
            "Train one for this size (scripts/train_feature_network.py) or give another extractor."
        )


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def extract(extractor: Extractor, images: Images) -> Features:
    """Run any extractor and check what it returns.

    Args:
        extractor: a callable from uint8 images [N, H, W, C] to features [N, D]: a :class:`FeatureNetwork`, or
            your own, for instance an Inception network whose weights you have.
        images: uint8 [N, H, W, C], values 0-255.

    Returns:
        Features, float32 [N, D].

    Raises:
        EvaluationError: the images or the features have a wrong shape or dtype, or features are not finite.
    """
    check_images(images)
    features = np.asarray(extractor(images))
    if features.ndim != 2 or len(features) != len(images) or features.dtype.kind != "f":
        raise EvaluationError(
            f"the extractor returned {features.dtype} {list(features.shape)} for {len(images)} images; "
            f"needed is floating point [{len(images)}, D]."
        )
    if not np.isfinite(features).all():
        raise EvaluationError("the extractor returned features that are not finite (NaN or infinity).")
    return features.astype(np.float32)


def cache_folder() -> Path:
    """Where feature networks and what was measured of real images are kept.

    Raises:
        OutputError: no place is known to keep them in.
    """
    return package_cache() / "features"


def load_features(folder: Path = SHIPPED) -> FeatureNetwork:
    """Load a feature network (by default the shipped digit features) after checking its hash and its shapes.

    Raises:
        CheckpointError: a file is missing, damaged, of another format, or not the one that the card names.
    """
    try:
        card = _card(json.loads((folder / CARD).read_text(encoding="utf-8")))
        digest = sha256_of(folder / WEIGHTS)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise CheckpointError(f"{folder} is not a feature network: {error}. Train it again.") from error
    if digest != card.sha256:
        raise CheckpointError(
            f"{folder / WEIGHTS} has sha256 {digest[:12]}…, its card says {card.sha256[:12]}…: "
            "it is damaged or was replaced. Install or train it again."
        )
    layers = FeatureLayers(card)
    try:
        tensors = safetensors.torch.load_file(folder / WEIGHTS)
        layers.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    except (RuntimeError, safetensors.SafetensorError) as error:
        reason = str(error).replace("\n", " ")
        raise CheckpointError(f"{folder / WEIGHTS} does not fit its card: {reason}") from error
    return FeatureNetwork(card, layers)


def _card(fields: Mapping[str, Any]) -> FeatureCard:
    if fields["format"] != FORMAT:
        raise ValueError(f"format {fields['format']}, this version of inkgan reads format {FORMAT}")
    height, width, channels = fields["image_shape"]
    return FeatureCard(
        **{
            **fields,
            "image_shape": (height, width, channels),
            "class_names": tuple(fields["class_names"]),
            "widths": tuple(fields["widths"]),
        }
    )
