"""The feature network of a data set: shipped, cached, or trained now on its labelled images, deterministically.

The recipe: 15 epochs of AdamW under a one-cycle learning rate, batches of 128 pictures under random affine and elastic
warps, dropout on the features, a moving average of the weights, and batch normalisation that is folded into the
convolutions at the end. A penalty keeps the features uncorrelated. Labels are *not* smoothed: smoothing pulls each
class together in feature space, which would hide differences within a class from the metrics.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import math
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from inkgan.data import DataSet, Split
from inkgan.device import has_fast_bfloat16
from inkgan.errors import CheckpointError, EvaluationError, InkganWarning
from inkgan.evaluation.cache import features_folder
from inkgan.evaluation.features import (
    CARD,
    HALF_WIDTHS,
    LARGEST_SIDE,
    WIDTHS,
    FeatureCard,
    FeatureLayers,
    FeatureNetwork,
    load_card,
    load_features,
    shrink,
    to_ink,
)
from inkgan.evaluation.subject import shortage_to_learn
from inkgan.files import CACHE_ADVICE, Progress, no_progress, one_at_a_time, output_errors
from inkgan.images import Images

_SMALL_SET_IMAGES = 10_000
_SMALL_SET_SECONDS = 60
_SECONDS_PER_PIXEL = 1.5e-6  # per pixel of each image, in a step of the full-width network on two cores in float32


@dataclass(frozen=True, kw_only=True)
class FeatureRecipe:
    """Everything except the data that determines how a feature network is trained.

    Attributes:
        epochs: passes over the training images; more if these make fewer steps than ``least_steps``.
        decorrelation: weight of the penalty on correlated features; without it they collapse to K - 1 directions.
        shift: a share of the side: 0.08 is 2.2 of 28 pixels.
        elastic: standard deviation of the displacement at each of 5x5 control points, in half sides.
        average_steps: time constant of the exponential moving average of the weights.
        bfloat16: convolve in bfloat16 where the processor has instructions for it, else in float32.
    """

    epochs: int = 15
    least_steps: int = 1500
    batch_images: int = 128
    learning_rate: float = 4e-3
    weight_decay: float = 0.02
    dropout: float = 0.3
    decorrelation: float = 0.2
    rotation_degrees: float = 12.0
    scale: float = 0.12
    shear: float = 0.15
    shift: float = 0.08
    elastic: float = 0.06
    average_steps: int = 800
    bfloat16: bool = True
    seed: int = 0

    def steps(self, num_images: int) -> int:
        """Return the number of steps for ``num_images`` images: whole passes over them."""
        batches = num_images // self.batch_images
        return batches * max(self.epochs, math.ceil(self.least_steps / batches))


def feature_network_for(data: DataSet, progress: Progress = no_progress) -> FeatureNetwork:
    """Return the feature network of a data set: the shipped one, one from the cache, or one trained now and kept.

    Args:
        data: a labelled data set; the network learns from its training split.
        progress: called every hundred steps and at the end, if the network is trained.

    Raises:
        EvaluationError: the data have no labels, one class, or too few training images to measure distances from.
        CheckpointError: the shipped network is damaged.

    Warns:
        InkganWarning: the network is trained now, which takes a while; or the one in the cache is damaged.
    """
    if is_shipped_for(data):
        return load_features()
    if missing := shortage_to_learn(data):
        raise EvaluationError(f"{data.name} has {missing}. Or name another set with --data.")
    recipe, widths = recipe_for(len(data.train), data.image_shape)
    key = hashlib.sha256(f"{data.digest} {sorted(asdict(recipe).items())}".encode()).hexdigest()[:16]
    folder = features_folder() / key
    if (kept := _kept(folder, data)) is not None:
        return kept
    with contextlib.ExitStack() as locked:
        with output_errors(folder, CACHE_ADVICE):
            folder.parent.mkdir(parents=True, exist_ok=True)
            locked.enter_context(one_at_a_time(folder.with_suffix(".lock")))  # two evaluations at once train it once
        if (kept := _kept(folder, data)) is not None:  # another evaluation has just trained it
            return kept
        state = "damaged" if (folder / CARD).exists() else "not kept yet"
        warnings.warn(_announcement(state, data, recipe, widths), InkganWarning, stacklevel=2)
        return train_feature_network(data, recipe, progress, widths).save(folder)


def _kept(folder: Path, data: DataSet) -> FeatureNetwork | None:
    """Return the network of a data set in the cache, which may be another user's; None if it is missing or damaged."""
    with contextlib.suppress(CheckpointError):
        network = load_features(folder)
        if network.card.image_shape == data.image_shape:  # weights fit any height and width
            return network
    return None


def is_shipped_for(data: DataSet) -> bool:
    """Whether the shipped feature network was trained on exactly these data."""
    return bool(load_card().data["digest"] == data.digest)


def _announcement(state: str, data: DataSet, recipe: FeatureRecipe, widths: tuple[int, ...]) -> str:
    seconds = recipe.steps(len(data.train)) * step_seconds(recipe.batch_images, data.image_shape, widths)
    duration = f"{round(seconds / 60)} minutes" if seconds > 100 else f"{math.ceil(seconds / 10) * 10} seconds"
    return (
        f"the feature network of {data.name} is {state}, so it is trained first, on {len(data.train):,} images: about "
        f"{duration} on two cores. It is kept for next time."
    )


def recipe_for(num_images: int, image_shape: tuple[int, int, int]) -> tuple[FeatureRecipe, tuple[int, ...]]:
    """Return the recipe and the widths of the layers for a feature network of ``num_images`` images of this shape.

    Sets of fewer than 10,000 images get layers of half the width, and as many steps as take about a minute on two
    cores. Both depend only on the arguments, so the same data always get the same network.
    """
    if num_images >= _SMALL_SET_IMAGES:
        return FeatureRecipe(), WIDTHS
    batch_images = min(64, num_images)
    steps = min(1500, int(_SMALL_SET_SECONDS / step_seconds(batch_images, image_shape, HALF_WIDTHS)))
    recipe = FeatureRecipe(epochs=1, least_steps=steps, batch_images=batch_images, average_steps=max(1, steps // 8))
    return recipe, HALF_WIDTHS


def step_seconds(batch_images: int, image_shape: tuple[int, int, int], widths: tuple[int, ...]) -> float:
    """Return the approximate duration of a step in seconds, on two cores in float32."""
    height, width = (min(side, LARGEST_SIDE) for side in image_shape[:2])
    return batch_images * height * width * _SECONDS_PER_PIXEL * widths[0] / WIDTHS[0]


def train_feature_network(
    data: DataSet, recipe: FeatureRecipe, progress: Progress = no_progress, widths: tuple[int, ...] = WIDTHS
) -> FeatureNetwork:
    """Train a feature network on a labelled data set's training split, and test it on the other two."""
    card = FeatureCard(
        name=f"{data.name} features",
        image_shape=data.image_shape,
        class_names=data.class_names,
        widths=widths,
        data={"name": data.name, "digest": data.digest, "train_images": len(data.train)},
    )
    doing = f"training the feature network of {data.name}"
    network = train_features(data.train, card, recipe, progress, doing)
    network.layers.half().float()  # as the weights will be stored
    accuracies = {
        name: float((network.probabilities(split.images).argmax(1) == split.labels).mean())
        for name, split in data.splits.items()
        if name != "train" and split.labels is not None and len(split)
    }
    return FeatureNetwork(replace(network.card, accuracy=accuracies), network.layers)


def train_features(
    examples: Split, card: FeatureCard, recipe: FeatureRecipe, progress: Progress = no_progress, doing: str = "training"
) -> FeatureNetwork:
    """Train a feature network; the same inputs on the same machine and versions give the same bits.

    Args:
        examples: at least one batch of images, with labels in 0..K-1, K being the number of class names of the card.
        card: the description of the network; ``recipe`` is filled in.
        recipe: the recipe of the training.
        progress: called every hundred steps and at the end.
        doing: the name of the work, for ``progress``.
    """
    assert examples.labels is not None
    recipe = replace(recipe, bfloat16=recipe.bfloat16 and has_fast_bfloat16(torch.device("cpu")))
    with torch.random.fork_rng(devices=[]):
        # This seeds the initial weights and dropout; _fit seeds batches and warps. GPU generators are left alone.
        torch.default_generator.manual_seed(recipe.seed)
        layers = layers_to_train(card, recipe.dropout)
        layers.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        average = _fit(layers, examples.images, torch.from_numpy(examples.labels), recipe, partial(progress, doing))
    return FeatureNetwork(replace(card, recipe=asdict(recipe)), folded(average))


def layers_to_train(card: FeatureCard, dropout: float) -> FeatureLayers:
    """Return new layers with batch normalisation, and with dropout on the features."""
    layers = FeatureLayers(card)
    for at, width in enumerate(card.widths):
        layers.convolutions[at] = nn.Sequential(layers.convolutions[at], nn.BatchNorm2d(width))
    # Without scale and shift the features have zero mean and unit variance in each dimension.
    layers.hidden = nn.Sequential(layers.hidden, nn.BatchNorm1d(card.num_features, affine=False))
    layers.classes = nn.Sequential(nn.Dropout(dropout), layers.classes)
    return layers


def folded(trained: FeatureLayers) -> FeatureLayers:
    """Return the layers for evaluation, with each normalisation folded into the layer before it."""
    layers: Any = copy.deepcopy(trained).eval()
    for at, (convolution, norm) in enumerate(layers.convolutions):
        layers.convolutions[at] = fuse_conv_bn_eval(convolution, norm)
    hidden, norm = layers.hidden
    norm.weight = nn.Parameter(torch.ones(norm.num_features))
    norm.bias = nn.Parameter(torch.zeros(norm.num_features))
    layers.hidden = fuse_linear_bn_eval(hidden, norm)
    layers.classes = layers.classes[1]
    return layers


def _fit(
    trainee: FeatureLayers, images: Images, labels: Tensor, recipe: FeatureRecipe, tell: Callable[[float], None]
) -> FeatureLayers:
    """Train, and return the moving average of the weights; ``tell`` is called with the share of the steps done."""
    average = copy.deepcopy(trainee)
    batches = len(images) // recipe.batch_images
    steps = recipe.steps(len(images))
    optimizer = torch.optim.AdamW(
        trainee.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: one_cycle(step / steps))
    generator = torch.Generator().manual_seed(recipe.seed)
    trainee.train()
    step = 0
    for _ in range(steps // batches):
        order = torch.randperm(len(images), generator=generator)
        for batch in order[: batches * recipe.batch_images].view(batches, -1):
            ink = warp(shrink(to_ink(images[batch.numpy()])), recipe, generator)
            with torch.autocast("cpu", torch.bfloat16, enabled=recipe.bfloat16):
                features, logits = trainee(ink)
            loss = F.cross_entropy(logits.float(), labels[batch])
            loss = loss + recipe.decorrelation * correlation_penalty(features.float())
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            step += 1
            _update_average(average, trainee, step, recipe.average_steps)
            if step % 100 == 0 or step == steps:
                tell(step / steps)
    return average


@torch.no_grad()
def _update_average(average: nn.Module, trainee: nn.Module, step: int, average_steps: int) -> None:
    """Move the exponential moving average of weights and running statistics, which starts as a plain mean."""
    keep = min(1 - 1 / step, math.exp(-1 / average_steps))
    for kept, current in zip(average.state_dict().values(), trainee.state_dict().values(), strict=True):
        if kept.is_floating_point():  # not the counts of batches
            kept.lerp_(current, 1 - keep)


def correlation_penalty(features: Tensor) -> Tensor:
    """Return 1/D sum_{i != j} c_ij^2 of features of unit variance [N, D]: Bardes et al. (2022, VICReg), eq. 3 and 4.

    A classifier needs only K - 1 directions and lets the other features copy them. Decorrelated features have to
    express something else, such as slant and thickness, which distinguish a varied generator from a dull one.
    """
    centred = features - features.mean(0)
    covariance = centred.T @ centred / (len(features) - 1)  # [D, D]
    off_diagonal = covariance.square().sum() - covariance.diagonal().square().sum()
    return off_diagonal / features.shape[1]


def one_cycle(done: float) -> float:
    """Return the share of the peak learning rate: up linearly over the first fifth, then down to 0 as a cosine.

    PyTorch's ``OneCycleLR`` uses the same curve for both parts, so it gives other learning rates.
    """
    if done < 0.2:
        return max(done / 0.2, 0.02)
    return 0.5 * (1 + math.cos(math.pi * (done - 0.2) / 0.8))


def warp(ink: Tensor, recipe: FeatureRecipe, generator: torch.Generator) -> Tensor:
    """Rotate, scale, shear, shift and elastically displace each picture at random.

    Args:
        ink: float32 [N, C, H, W].
        recipe: the extent of each distortion.
        generator: the source of randomness.

    Returns:
        float32 [N, C, H, W]; whatever moves in from outside the picture is paper (0).
    """
    count = len(ink)

    def uniform(limit: float) -> Tensor:
        return (2 * torch.rand(count, generator=generator) - 1) * limit

    angle, shear = uniform(math.radians(recipe.rotation_degrees)), uniform(recipe.shear)
    width, height = 1 + uniform(recipe.scale), 1 + uniform(recipe.scale)
    right, down = uniform(2 * recipe.shift), uniform(2 * recipe.shift)
    cos, sin = angle.cos(), angle.sin()
    # [[cos, -sin], [sin, cos]] @ [[1, shear], [0, 1]] @ diag(width, height), and the shift: from where a pixel comes.
    rows = [cos * width, (shear * cos - sin) * height, right, sin * width, (shear * sin + cos) * height, down]
    affine = torch.stack(rows, 1).view(count, 2, 3)
    grid = F.affine_grid(affine, list(ink.shape), align_corners=False)  # [N, H, W, 2]
    bumps = recipe.elastic * torch.randn(count, 2, 5, 5, generator=generator)
    field = F.interpolate(bumps, ink.shape[2:], mode="bicubic", align_corners=True)
    return F.grid_sample(ink, grid + field.permute(0, 2, 3, 1), align_corners=False)
