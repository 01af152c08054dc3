"""Short runs for the doctor: healthy ones and ones with a planted fault.

A run consists of settings, images and perhaps a fault that is planted on purpose. :func:`series` trains it and returns
the lines that a run folder's ``metrics.jsonl`` would hold.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from inkgan.config import Config, resolve
from inkgan.data import DataSet, load
from inkgan.data.sets import ReadingOptions, assemble
from inkgan.data.splits import Split
from inkgan.errors import DivergenceError
from inkgan.training.compact import Compact
from inkgan.training.doctor.probe import Probe
from inkgan.training.loop import Batches
from inkgan.training.recipe import StepInfo

Line = dict[str, float]
#: wgan-gp is trained in addition, more rarely, because its five updates of the discriminator make it slow.
GAMES = ("relativistic", "non-saturating", "least-squares", "hinge")
STEPS = 150
LOG_EVERY = 10
PROBE_EVERY = 30
CPU = torch.device("cpu")


@cache
def images(name: str) -> DataSet:
    """Return the images of a run.

    Args:
        name: ``mnist``; ``mnist-14`` at half the side; ``digits``, scikit-learn's 1,797 digits of 8×8 pixels on 12×12;
            ``own``, 2,000 images of 20×20 such as a folder may hold; ``fashion-mnist``, and ``fashion-14`` at half the
            side; ``inverted-light``, dark ink on light paper, read as light ink; ``inverted-auto``, the same with the
            ink detected.
    """
    if name in ("mnist", "fashion-mnist"):
        return load(name)
    if name.startswith("inverted-"):
        light = images("mnist-14").splits
        dark = {part: Split(255 - split.images, split.labels) for part, split in light.items()}
        return assemble(name, name, dark, None, ReadingOptions(ink="light" if name == "inverted-light" else "auto"))
    if name == "digits":
        from sklearn.datasets import load_digits  # type: ignore[import-untyped]  # noqa: PLC0415

        found = load_digits()
        pixels = np.rint(found.images * (255 / 16)).astype(np.uint8)[..., None]
        train = Split(np.pad(pixels, ((0, 0), (2, 2), (2, 2), (0, 0))), found.target.astype(np.int64))
        return assemble("digits", "scikit-learn", {"train": train}, None, ReadingOptions(ink="light"))
    source, side, count = {
        "mnist-14": ("mnist", 14, 20_000),
        "fashion-14": ("fashion-mnist", 14, 20_000),
        "own": ("mnist", 20, 2_000),
    }[name]
    large = load(source).splits
    splits = {part: split[:count] for part, split in large.items()}
    return assemble(name, name, splits, None, ReadingOptions(ink="light", resize=(side, side)))


@dataclasses.dataclass(frozen=True)
class Case:
    """One run.

    Attributes:
        settings: the settings that differ from the defaults, by dotted key.
        data: the name of its images, as :func:`images` takes it.
        change: a change of the data set before training.
        tamper: plants a fault in the recipe.
        batch: plants a fault in each batch: images and labels in, images and labels out.
        steps: the number of steps.
    """

    settings: Mapping[str, Any]
    data: str = "mnist-14"
    change: Callable[[DataSet], DataSet] | None = None
    tamper: Callable[[Compact], None] | None = None
    batch: Callable[[Tensor, Tensor | None], tuple[Tensor, Tensor | None]] | None = None
    steps: int = STEPS


def series(case: Case, seed: int) -> tuple[Config, list[Line]]:
    """Train a case, and return its settings and the lines that it logged."""
    torch.set_num_threads(1)
    config = resolve(overrides={"seed": seed, "steps": case.steps, **case.settings})
    data = images(case.data)
    if case.change is not None:
        data = case.change(data)
    recipe = Compact(config, data.image_shape, len(data.class_names))
    if case.tamper is not None:
        case.tamper(recipe)
    batches = Batches(data, config, CPU)
    probe = Probe(recipe, data, config, CPU)
    lines: list[Line] = []
    for step in range(case.steps + 1):
        real, labels = batches.batch(step)
        if case.batch is not None:
            real, labels = case.batch(real, labels)
        try:
            terms = recipe.step(StepInfo(step, step, min(1.0, step / case.steps)), real, labels)
        except DivergenceError:
            lines.append({"step": step, "not_finite": 1.0})
            break
        if step % LOG_EVERY == 0:
            lines.append({"step": step, **{name: float(f"{term.item():.5g}") for name, term in terms.items()}})
        if step % PROBE_EVERY == 0:
            found = probe.look(real)
            lines.append({"step": step, **{f"doctor/{name}": float(f"{x:.5g}") for name, x in found.items()}})
    return config, lines


def base(seed: int) -> dict[str, Any]:
    """Return the settings of a small run; its loss, widths and batch depend on the seed."""
    source = np.random.default_rng([seed, 1])
    return {
        "loss": GAMES[seed % len(GAMES)],
        "batch_size": int(source.choice([16, 32])),
        "generator.channels": int(source.choice([16, 24, 32])),
        "discriminator.channels": int(source.choice([16, 24, 32])),
    }


def healthy(seed: int) -> Case:
    """A run of the recipe with its loss, batch, width, learning rate and images drawn at random."""
    source = np.random.default_rng([seed, 2])
    settings = base(seed)
    factor = float(2.0 ** source.uniform(-1, 1))
    settings["generator.learning_rate"] = settings["discriminator.learning_rate"] = 3e-3 * factor
    settings["batch_size"] = int(source.choice([16, 32, 64], p=[0.4, 0.4, 0.2]))
    settings["latent_dim"] = int(source.choice([16, 64]))
    if source.random() < 0.06:
        settings["loss"] = "wgan-gp"
    if source.random() < 0.2:
        settings["conditional"] = False
    shares = {"mnist": 0.1, "mnist-14": 0.3, "digits": 0.2, "own": 0.2, "fashion-mnist": 0.05, "fashion-14": 0.15}
    return Case(settings, str(source.choice(list(shares), p=list(shares.values()))))


def whole(seed: int) -> Case:
    """A whole run of ``fast``: 2,500 steps with its schedules, at a third of its width and a quarter of its batch."""
    small = {"generator.channels": 16, "discriminator.channels": 16, "batch_size": 16}
    return Case({**small, "loss": GAMES[seed % 2]}, "mnist-14", steps=2500)


def recipes(seed: int) -> Case:
    """A short run of ``fast`` as it is, with each game, or of ``best``."""
    if seed % 8 > 5:
        return Case({"recipe": "best"}, "mnist")
    return Case({"loss": (*GAMES, "wgan-gp", "relativistic")[seed % 8]}, "mnist")


def fast_learning(seed: int) -> Case:
    """Learning rates a hundred times the usual ones."""
    return Case({**base(seed), "generator.learning_rate": 0.3, "discriminator.learning_rate": 0.3})


def slow_learning(seed: int) -> Case:
    """A learning rate a fiftieth of the usual one. One step is enough: the settings show it."""
    name = ("generator", "discriminator")[seed % 2]
    return Case({**base(seed), f"{name}.learning_rate": 6e-5}, steps=1)


def strong_discriminator(seed: int) -> Case:
    """No penalty, a discriminator that learns three times as fast, a generator that learns a thirtieth."""
    rates = {"discriminator.learning_rate": 9e-3, "generator.learning_rate": 1e-4}
    return Case({**base(seed), "penalty.weight": 0.0, **rates})


def frozen_discriminator(seed: int) -> Case:
    """A discriminator that does not learn."""
    return Case({**base(seed), "discriminator.learning_rate": 1e-8})


def frozen_generator(seed: int) -> Case:
    """A generator that does not learn."""
    return Case({**base(seed), "generator.learning_rate": 1e-8})


def one_latent(seed: int) -> Case:
    """A generator that does not get its latent; with even seeds this affects only the learner, not its average."""

    def without_latent(_module: Any, given: Any) -> Any:
        return (torch.zeros_like(given[0]), *given[1:])

    def tamper(recipe: Compact) -> None:
        for network in (recipe.generator, recipe.ema_generator)[: 1 + seed % 2]:
            network.register_forward_pre_hook(without_latent)

    return Case(base(seed), tamper=tamper)


def missing_class(seed: int) -> Case:
    """A class of which the batches hold no image; with even seeds, the training images hold none either."""

    def change(data: DataSet) -> DataSet:
        assert data.train.labels is not None
        return dataclasses.replace(data, train=data.train[np.flatnonzero(data.train.labels != missing)])

    def batch(real: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor | None]:
        assert labels is not None
        others = torch.nonzero(labels != missing).flatten()
        places = torch.where(labels == missing, others[0], torch.arange(len(labels)))
        return real[places], labels[places]

    missing = seed // 2 % 10
    return Case(base(seed), batch=batch) if seed % 2 else Case(base(seed), change=change)


def _relabelled(order: Tensor) -> Callable[[Compact], None]:
    """Make the generator draw class ``order[i]`` when it is asked for class i, except in training."""

    def tamper(recipe: Compact) -> None:
        is_training = False
        train = recipe._mixed_generator.forward

        def other(_module: Any, given: Any) -> Any:
            return (given[0], given[1] if is_training else order[given[1]])

        def forward(inputs: Tensor, labels: Tensor | None = None) -> Any:
            nonlocal is_training
            is_training = True
            try:
                return train(inputs, labels)
            finally:
                is_training = False

        for network in (recipe.generator, recipe.ema_generator):
            network.register_forward_pre_hook(other)
        recipe._mixed_generator.forward = forward  # type: ignore[method-assign]

    return tamper


def swapped_classes(seed: int) -> Case:
    """A generator that mixes up two classes."""
    order = torch.arange(10)
    a, b = np.random.default_rng([seed, 3]).permutation(10)[:2].tolist()
    order[a], order[b] = b, a
    return Case(base(seed), tamper=_relabelled(order))


def swollen_class(seed: int) -> Case:
    """A generator that draws one class when it is asked for any of three others."""
    classes = np.random.default_rng([seed, 4]).permutation(10)
    order = torch.arange(10)
    order[classes[:4]] = int(classes[0])
    return Case(base(seed), tamper=_relabelled(order))


def other_range(seed: int) -> Case:
    """Real images in [-1, 1] instead of [0, 1]."""
    return Case(base(seed), batch=lambda real, labels: (real * 2 - 1, labels))


def inverted_ink(seed: int) -> Case:
    """Dark ink on light paper that is not inverted."""
    return Case(base(seed), "inverted-light")


def fifty_images(seed: int) -> Case:
    """Fifty training images."""
    return Case({**base(seed), "batch_size": 16}, change=lambda data: _some(data, 50, seed))


def large_batch(seed: int) -> Case:
    """Batches of half of all images. One step is enough: the settings and the data show it."""
    return Case({**base(seed), "batch_size": 64}, change=lambda data: _some(data, 128, seed), steps=60)


def _some(data: DataSet, count: int, seed: int) -> DataSet:
    some = np.random.default_rng([seed, 5]).permutation(len(data.train))[:count]
    return dataclasses.replace(data, train=data.train[some])


def stuck_units(seed: int) -> Case:
    """Half of the units of one network's convolutions with a bias of -30."""

    def tamper(recipe: Compact) -> None:
        network = recipe.generator if seed % 2 else recipe.discriminator
        with torch.no_grad():
            for name, layer in network.named_modules():
                if isinstance(layer, torch.nn.Conv2d) and name != "last":
                    assert layer.bias is not None
                    layer.bias[: len(layer.bias) // 2] = -30.0
        recipe.after_load()

    return Case(base(seed), "mnist", tamper=tamper)


def no_damping(seed: int) -> Case:
    """No penalty, and learning rates ten times the usual ones."""
    rates = {"discriminator.learning_rate": 3e-2, "generator.learning_rate": 3e-2}
    return Case({**base(seed), "penalty.weight": 0.0, **rates})


#: The faults, each with the rules of which at least one has to find it.
FAULTS: Mapping[str, tuple[Callable[[int], Case], tuple[str, ...]]] = {
    "fast_learning": (fast_learning, ("blown-up", "not-finite")),
    "slow_learning": (slow_learning, ("learning-rate",)),
    "strong_discriminator": (strong_discriminator, ("discriminator-wins",)),
    "frozen_discriminator": (frozen_discriminator, ("discriminator-lost",)),
    "frozen_generator": (frozen_generator, ("standing-still",)),
    "one_latent": (one_latent, ("identical", "collapsed")),
    "missing_class": (missing_class, ("class-dropped",)),
    "swollen_class": (swollen_class, ("class-swollen",)),
    "swapped_classes": (swapped_classes, ("class-wrong",)),
    "other_range": (other_range, ("other-range",)),
    "inverted_ink": (inverted_ink, ("dark-ink",)),
    "fifty_images": (fifty_images, ("memorising",)),
    "large_batch": (large_batch, ("few-images",)),
    "stuck_units": (stuck_units, ("stuck-units",)),
    "no_damping": (no_damping, ("oscillating",)),
}
