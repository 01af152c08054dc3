"""The feature network: a small classifier whose last hidden layer is the space in which images are compared.

Inception learned from photographs, so its features describe small pictures of ink badly. These features come from a
classifier trained on the data set itself. For MNIST, distances in them are called Fréchet *digit* distance and kernel
*digit* distance. Figures can be compared only if they come from the same network, which the card's ``sha256``
identifies.

Any callable that maps uint8 images [N, H, W, C] to features [N, D] can take the network's place; :func:`extract` runs
one and checks what it returns.

Shapes: N images, H rows, W columns, C channels (1 or 3), D features, K classes.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from inkgan.data.pixels import size_text
from inkgan.device import cores
from inkgan.errors import CheckpointError, EvaluationError, quantity, shown
from inkgan.files import Progress, from_json, no_progress, read_regular, sha256_of, write_bytes
from inkgan.images import Images, as_array, slices
from inkgan.networks import building

Features = NDArray[np.float32]
Probabilities = NDArray[np.float32]
Extractor = Callable[[Images], NDArray[Any]]

WEIGHTS, CARD = "weights.safetensors", "card.json"
#: Channels after each 3x3 convolution; the second and the fourth halve height and width.
WIDTHS = (16, 32, 64, 64, 128, 128)
HALF_WIDTHS = (8, 16, 32, 32, 64, 64)
FORMAT = 1
SHIPPED = Path(__file__).parents[1] / "models" / "digit-features"

# Every forward pass has exactly this many images (the last is padded with blank ones), so that the same kernels run for
# any number of images: image i has the same features alone and among ten thousand.
_CHUNK = 64
LARGEST_SIDE = 64  # larger pictures are averaged down first, because the network's receptive field is 30 pixels
_HALVING = (1, 3)  # the convolutions of stride 2, counted from 0
_GRID = 4  # the last feature map is pooled to 4x4, which preserves where the strokes are
_RANDOM_SEED = 0  # another seed would give other random features, whose distances cannot be compared with these


@dataclass(frozen=True, kw_only=True)
class FeatureCard:
    """The description and the origin of a feature network, as in the JSON file next to its weights.

    Attributes:
        image_shape: H, W, C of the images it reads.
        data: the name and the digest of the data it was trained on.
        accuracy: accuracy by split, measured with the weights as stored (float16).
        sha256: the digest of the weights file, which identifies the network.
    """

    name: str
    image_shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    num_features: int = 64
    widths: tuple[int, ...] = WIDTHS
    data: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    accuracy: dict[str, float] = field(default_factory=dict)
    sha256: str = ""
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
        self.hidden: nn.Module = nn.Linear(channels[-1] * _GRID * _GRID, card.num_features)
        self.classes: nn.Module = nn.Linear(card.num_features, len(card.class_names))

    def forward(self, ink: Tensor) -> tuple[Tensor, Tensor]:
        """Return features [N, D] and class logits [N, K] of images in [0, 1], float32 [N, C, H, W].

        The features are the hidden layer *before* its ReLU: signed, about zero mean and unit variance in each
        dimension over the training data, which suits metrics that compare means and covariances.
        """
        x = shrink(ink)
        for convolution in self.convolutions:
            x = F.relu(convolution(x), inplace=True)
        features = self.hidden(F.adaptive_avg_pool2d(x, _GRID).flatten(1))  # [N, D]
        return features, self.classes(F.relu(features))


def shrink(ink: Tensor) -> Tensor:
    """Average pictures with a side of more than 64 pixels down to 64 (area averages: no aliasing)."""
    height, width = (min(side, LARGEST_SIDE) for side in ink.shape[2:])
    return ink if ink.shape[2:] == (height, width) else F.adaptive_avg_pool2d(ink, (height, width))


def to_ink(images: Images) -> Tensor:
    """Turn uint8 images [N, H, W, C] into float32 in [0, 1], [N, C, H, W] in channels-last memory."""
    return torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).float().div_(255.0)


class FeatureNetwork:
    """A trained feature network: it maps uint8 images to features, as an Extractor does, and to class probabilities."""

    def __init__(self, card: FeatureCard, layers: FeatureLayers) -> None:
        self.card = card
        self.layers = layers.eval().requires_grad_(False)
        self.layers.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def __call__(self, images: Images) -> Features:
        """Return features, float32 [N, D]; see :meth:`extract`."""
        return self.extract(images)[0]

    def probabilities(self, images: Images) -> Probabilities:
        """Return class probabilities, float32 [N, K], with rows summing to 1; see :meth:`extract`."""
        return self.extract(images)[1]

    def extract(
        self, images: Images, progress: Progress = no_progress, doing: str = "features"
    ) -> tuple[Features, Probabilities]:
        """Compute features and class probabilities in one pass.

        Each thread works alone on its images: PyTorch's own threads wait for one another by spinning, which is slow
        on shared cores.

        Args:
            images: uint8 [N, H, W, C] with the H, W, C of the card, values 0-255.
            progress: called with the share of images done.
            doing: the name of the work, for ``progress``.

        Returns:
            features, float32 [N, D], and probabilities, float32 [N, K]. Row i depends on image i alone.

        Raises:
            EvaluationError: the images are not uint8 or not of the network's shape, or there are none.
        """
        if images.dtype != np.uint8 or images.shape[1:] != self.card.image_shape or not len(images):
            reads = f"this feature network reads uint8 [N > 0, H, W, C] of {size_text(self.card.image_shape)}"
            raise EvaluationError(f"images are {images.dtype} {list(images.shape)}; {reads}. Convert them first.")
        chunks = [images[part] for part in slices(len(images), _CHUNK)]
        threads = torch.get_num_threads()
        parts = []
        try:
            with ThreadPoolExecutor(min(8, cores()), initializer=torch.set_num_threads, initargs=(1,)) as pool:
                for part in pool.map(self._forward, chunks):
                    parts.append(part)
                    progress(doing, len(parts) / len(chunks))
        finally:
            torch.set_num_threads(threads)
        return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])

    @torch.inference_mode()
    def _forward(self, chunk: Images) -> tuple[Features, Probabilities]:
        count = len(chunk)
        features, logits = self.layers(F.pad(to_ink(chunk), (0, 0, 0, 0, 0, 0, 0, _CHUNK - count)))
        return features[:count].numpy(), logits.softmax(1)[:count].numpy()

    def save(self, folder: Path) -> FeatureNetwork:
        """Write weights (float16 safetensors) and card to ``folder``; return the network as it was stored."""
        tensors = {name: tensor.half().contiguous() for name, tensor in self.layers.state_dict().items()}
        write_bytes(folder / WEIGHTS, safetensors.torch.save(tensors))
        card = {**asdict(self.card), "sha256": sha256_of(folder / WEIGHTS)}
        write_bytes(folder / CARD, (json.dumps(card, indent=2, ensure_ascii=False) + "\n").encode())
        return load_features(folder)


def random_network(image_shape: tuple[int, int, int]) -> FeatureNetwork:
    """Return the network of random weights for images [H, W, C], always the same one for a shape.

    Weights are drawn from N(0, 2 / inputs), which keeps the scale through ReLUs (He et al. 2015, eq. 10); biases are 0.
    """
    card = FeatureCard(name="random features", image_shape=image_shape, class_names=("none",), widths=HALF_WIDTHS)
    with building():
        layers = FeatureLayers(card)
    rng = np.random.default_rng(_RANDOM_SEED)
    digest = hashlib.sha256()
    with torch.no_grad():
        for name, parameter in layers.named_parameters():
            scale = 0.0 if name.endswith("bias") else (2 / parameter[0].numel()) ** 0.5
            drawn = (scale * rng.standard_normal(tuple(parameter.shape))).astype(np.float32)
            parameter.copy_(torch.from_numpy(drawn))
            digest.update(drawn.tobytes())
    return FeatureNetwork(replace(card, sha256=digest.hexdigest()), layers)


def extract(extractor: Extractor, images: Images, num_features: int | None = None) -> Features:
    """Run an extractor and check what it returns.

    Args:
        extractor: a callable from uint8 images [N, H, W, C] to features [N, D]: a :class:`FeatureNetwork`, or
            your own, for instance an Inception network whose weights you have.
        images: uint8 [N, H, W, C], values 0-255.
        num_features: D; by default any.

    Returns:
        Features, float32 [N, D].

    Raises:
        EvaluationError: the features have a wrong shape or dtype, or are not finite.
    """
    features = as_array(extractor(images), "what the extractor returned", EvaluationError)
    is_table = features.ndim == 2 and len(features) == len(images) and features.shape[1] > 0
    if not is_table or features.dtype.kind != "f" or num_features not in (None, features.shape[1]):
        raise EvaluationError(
            f"the extractor returned {features.dtype} {list(features.shape)} for {quantity(len(images), 'image')}; "
            f"give floats [{len(images)}, {num_features or 'D'}]."
        )
    with np.errstate(over="ignore"):  # a number beyond float32 becomes infinity
        features = features.astype(np.float32)
    if not np.isfinite(features).all():
        raise EvaluationError("the extractor returned features that are not finite in float32 (NaN or infinity).")
    return features


def require_few(extractor: Extractor, images: Images, n: int) -> None:
    """Refuse features of more numbers than n images can be compared by, before an extractor sees all images.

    Args:
        extractor: as for :func:`extract`.
        images: a few images to try it with.
        n: the number of images to measure.

    Raises:
        EvaluationError: as for :func:`extract`; or n images are too few for the Fréchet distance.
    """
    count = extract(extractor, images).shape[1]
    if n < 2 * count:
        needed = f"features of {count:,} numbers need {2 * count:,} images to measure, and there are {n:,}"
        raise EvaluationError(f"{needed}. Measure more, or reduce the features to {n // 2:,} numbers.")


def load_features(folder: Path = SHIPPED) -> FeatureNetwork:
    """Load a feature network, by default that of the digits, after checking its hash and its shapes.

    Raises:
        CheckpointError: a file is missing, damaged, of another format, or not the one that the card names.
    """
    card = load_card(folder)
    with read_errors(folder, "is not a feature network", "Train it again"):
        if sha256_of(folder / WEIGHTS) != card.sha256:
            raise ValueError(f"{WEIGHTS} was damaged or replaced")
        tensors = safetensors.torch.load_file(folder / WEIGHTS)
        with building():
            layers = FeatureLayers(card)
        layers.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    return FeatureNetwork(card, layers)


def load_card(folder: Path = SHIPPED) -> FeatureCard:
    """Read the card of a feature network, by default that of the digits, without its weights.

    Raises:
        CheckpointError: it is missing, damaged or of another format.
    """
    with read_errors(folder, "is not a feature network", "Train it again"):
        fields = from_json(read_regular(folder / CARD))
        height, width, channels = fields["image_shape"]
        lists = {"class_names": tuple(fields["class_names"]), "widths": tuple(fields["widths"])}
        card = FeatureCard(**{**fields, **lists, "image_shape": (height, width, channels)})
        if card.format != FORMAT:
            raise ValueError(f"it has format {card.format}, and this version of inkgan reads format {FORMAT}")
    return card


@contextlib.contextmanager
def read_errors(folder: Path, what: str, remedy: str) -> Iterator[None]:
    """Turn an error of reading a folder, whose card may state anything, into a :class:`CheckpointError`."""
    try:
        yield
    except (OSError, RuntimeError, TypeError, LookupError, ValueError, safetensors.SafetensorError) as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(f"{shown(folder)} {what}: {reason}. {remedy}.") from error
