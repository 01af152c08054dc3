"""Write to web/build/golden what the Python package computes; web/tests holds the page to it.

Everything comes from the package's own code at the time of the check, so the two cannot drift apart.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import load_file, save_file

from inkgan import config, seeds
from inkgan.data import idx
from inkgan.evaluation import features
from inkgan.exporting.page import to_eight_bits
from inkgan.generation import model as generation
from inkgan.generation import writing
from inkgan.generation.ink import enlarged
from inkgan.networks.compact import Discriminator, Generator
from inkgan.training.compact import Compact
from inkgan.training.recipe import StepInfo
from inkgan.training.state import as_arrays

OUT = Path(__file__).parents[1] / "build" / "golden"
MNIST = Path(generation.__file__).parents[1] / "data" / "mnist"
MODELS = Path(generation.__file__).parents[1] / "models"
EPSILON = 1e-4
Arrays = Mapping[str, NDArray[Any]]


def write(name: str, arrays: Arrays) -> None:
    """Write arrays as float32."""
    ready = {key: np.ascontiguousarray(value, np.float32) for key, value in arrays.items()}
    save_file(ready, OUT / f"{name}.safetensors")


def write_json(name: str, value: object) -> None:
    """Write a document."""
    (OUT / name).write_text(json.dumps(value), "utf-8")


def from_eight_bits(arrays: Arrays) -> dict[str, NDArray[np.float32]]:
    """Return the float32 arrays that the eight bits of :func:`to_eight_bits` stand for."""
    result: dict[str, NDArray[np.float32]] = {}
    for name, array in arrays.items():
        if name.endswith(".scale"):
            continue
        scale = arrays.get(f"{name}.scale")
        result[name] = array if scale is None else array * scale.reshape(-1, *[1] * (array.ndim - 1))
    return result


def philox() -> None:
    """NumPy's numbers."""
    keys = [(0, 7, 0), (7, 3, 70_000), (2**63 - 1, 10, 2**40), (123_456_789_012, 11, 5)]
    arrays: dict[str, NDArray[Any]] = {"latents": seeds.latents(4, seeds.Stream.SAMPLE_LATENTS, 12, 2, 64)}
    for number, (seed, stream, index) in enumerate(keys):
        arrays[f"{number}.normals32"] = seeds.rng(seed, seeds.Stream(stream), index).standard_normal(10_000, np.float32)
        source = seeds.rng(seed, seeds.Stream(stream), index)
        for count in (10, 3, 1000):
            arrays[f"{number}.integers{count}"] = np.array([source.integers(count) for _ in range(1000)])
        arrays[f"{number}.permutation"] = seeds.rng(seed, seeds.Stream(stream), index).permutation(2000)
    write("philox", arrays)
    write_json("philox.json", [{"seed": str(s), "stream": t, "index": i} for s, t, i in keys])
    doubles = seeds.rng(5, seeds.Stream.WRITING, 2).random(10_000)
    normals = seeds.rng(6, seeds.Stream.WRITING, 2).standard_normal(10_000)
    source = seeds.rng(7, seeds.Stream.WRITING)
    mixed = [
        int(source.integers(10)),
        float(source.standard_normal(dtype=np.float32)),
        source.random(),
        int(source.integers(10)),
        float(source.standard_normal(dtype=np.float32)),
        source.uniform(0.07, 0.13),
    ]
    texts = {"doubles": doubles.tolist(), "normals": normals.tolist(), "mixed": mixed}
    write_json("doubles.json", {name: [repr(x) for x in values] for name, values in texts.items()})
    order = seeds.BatchOrder(3, 100, 32)
    write_json("batches.json", [order.batch(number).tolist() for number in range(8)])


SHAPES = {
    "digits": ((28, 28, 1), 10, 64, 48, 0.1),
    "colour": ((40, 56, 3), 4, 16, 24, 0.2),
    "plain": ((7, 9, 1), 0, 5, 16, 0.3),
    "large": ((64, 64, 1), 2, 8, 16, 0.0),
}


def shake(network: torch.nn.Module) -> None:
    """Add noise to all parameters, so that biases are not 0."""
    for parameter in network.parameters():
        parameter.data += 0.05 * torch.randn(parameter.shape)


def networks() -> None:
    """Both networks for several shapes, forward and backward, with the penalty."""
    write_json("shapes.json", {name: [list(shape), *sizes] for name, (shape, *sizes) in SHAPES.items()})
    for name, (shape, classes, latent, channels, slope) in SHAPES.items():
        torch.manual_seed(1)
        discriminator = Discriminator(shape, classes, channels, slope)
        shake(discriminator)
        generator = Generator(shape, classes, latent, channels, slope)
        shake(generator)
        latents = torch.randn(5, latent).requires_grad_()
        labels = torch.arange(5) % classes if classes else None
        towards = torch.randn(5, *shape)
        images = generator(latents, labels)
        parameters = dict(generator.named_parameters())
        gradients = torch.autograd.grad((images * towards).sum(), [latents, *parameters.values()])
        arrays: dict[str, torch.Tensor] = {f"generator.{key}": value for key, value in parameters.items()}
        arrays |= {f"d.generator.{key}": value for key, value in zip(parameters, gradients[1:], strict=True)}
        arrays |= {"latents": latents, "towards": towards, "images": images, "d.latents": gradients[0]}
        given = torch.rand(5, *shape).requires_grad_()
        logits, _ = discriminator(given, labels)
        slopes = torch.autograd.grad(logits.sum(), given, create_graph=True)[0]
        penalty = 0.3 * slopes.square().sum() / 2
        parameters = dict(discriminator.named_parameters())
        gradients = torch.autograd.grad(penalty, list(parameters.values()), allow_unused=True)
        arrays |= {f"discriminator.{key}": value for key, value in parameters.items()}
        arrays |= {
            f"d.discriminator.{key}": torch.zeros_like(parameters[key]) if value is None else value
            for key, value in zip(parameters, gradients, strict=True)
        }
        arrays |= {"given": given, "logits": logits, "slopes": slopes, "penalty": penalty[None]}
        write(f"networks-{name}", {key: value.detach().numpy() for key, value in arrays.items()})


def training() -> None:
    """Three steps of ``fast`` for each game, from weights that are given.

    Adam's epsilon is larger than in a real run. Some gradients are exactly 0 but for rounding, such as that of
    the last bias in the relativistic game, where real and generated images of a label cancel. Adam without momentum
    divides such a gradient by its own size, so that what is rounding becomes a whole step, in PyTorch as anywhere.

    Images and batches are small. Where the input of a leaky ReLU is 0 but for rounding, even PyTorch's gradients in
    float32 and in float64 differ by a hundredth; with 28×28 pixels and batches of 32, one run in six has such a unit.
    """
    pixels = idx.read_images(MNIST / "train-images-idx3-ubyte.gz")[:300, 8:20, 8:20]
    labels = idx.read_labels(MNIST / "train-labels-idx1-ubyte.gz", 60_000)[:300]
    write("digits", {"pixels": pixels, "labels": labels})
    for game in ("relativistic", "non-saturating", "hinge", "least-squares"):
        settings = config.resolve(options={"loss": game, "batch_size": 8, "seed": 3, "penalty.every": 2})
        recipe = Compact(settings, (12, 12, 1), 10)
        for optimizer in recipe.optimizers.values():
            optimizer.epsilon = EPSILON
        order = seeds.BatchOrder(3, len(pixels), 8)
        arrays = {f"before.{key}": value.copy() for key, value in _flat(recipe).items()}
        terms: dict[str, float] = {}
        for step in range(3):
            batch = order.batch(step)
            real = torch.from_numpy(pixels[batch]).float() / 255
            done = recipe.step(StepInfo(step, step, step / 1800), real, torch.from_numpy(labels[batch]))
            # Margins and the sizes of gradients are not among the figures of the page.
            kept = {key: value.item() for key, value in done.items() if key.startswith(("loss_", "score_", "penalty"))}
            terms |= {f"{step}.{key}": value for key, value in kept.items()}
        arrays |= {f"after.{key}": value for key, value in _flat(recipe).items()}
        write(f"training-{game}", arrays)
        write_json(f"terms-{game}.json", terms)


def _flat(recipe: Compact) -> dict[str, NDArray[Any]]:
    every = as_arrays(recipe)
    return {f"{stem}.{key}": every[stem][key] for stem in recipe.networks for key in every[stem]}


TEXTS: list[tuple[str, dict[str, Any]]] = [
    ("2026-11-26", {"seed": 4}),
    ("3.14, 1/2 + 10:45", {"seed": 7, "writer": 3, "style": 1.0, "slant": 20.0}),
    ("ddd dd", {"seed": 9, "height": 200, "style": 0.0}),
    ("0123456789", {"seed": 2**62 + 1, "slant": -35.0, "height": 48}),
    ("..::,,", {"seed": 1, "height": 130}),
]


def drawing() -> None:
    """What the bundled generators draw and write with 8-bit weights."""
    for name in ("fast", "best"):
        model = generation.load(name)
        arrays = to_eight_bits(load_file(MODELS / name / "generator.safetensors"))
        save_file(arrays, OUT / f"{name}.safetensors")
        rounded = generation.Model(name, model.description, from_eight_bits(arrays))
        write(f"drawn-{name}", {"images": rounded.sample(1000, seed=3)})
    written = []
    for text, options in TEXTS:
        done = writing.write(text, model=rounded, legible=0, **options)
        ink = done.image
        given = {key: str(value) for key, value in options.items()}
        about = {"text": text, "written": done.text, "options": given, "boxes": done.boxes, "shape": ink.shape}
        written.append(about | {"ink": ink.ravel().tolist()})
    write_json("written.json", written)
    digits = rounded.sample(20, seed=8)
    smooth = [Image.fromarray(one) for one in enlarged(np.asarray(digits))]
    way = (0.7, 0.2, -5.0, -0.1, 0.9, 8.0)
    moved = [one.transform((90, 120), Image.Transform.AFFINE, way, Image.Resampling.BILINEAR) for one in smooth]
    pictures = {"smooth": smooth, "moved": moved}
    write("pillow", {name: np.stack([np.asarray(one) for one in many]) for name, many in pictures.items()})
    write("pillow-digits", {"digits": digits})


def classifying() -> None:
    """What the feature network says of digits, with its weights in 8 bits."""
    folder = MODELS / "digit-features"
    arrays = to_eight_bits(load_file(folder / "weights.safetensors"))
    save_file(arrays, OUT / "classifier.safetensors")
    network = features.load_features(folder)
    network.layers.load_state_dict({name: torch.from_numpy(array) for name, array in from_eight_bits(arrays).items()})
    images = idx.read_images(MNIST / "t10k-images-idx3-ubyte.gz")[:200]
    labels = idx.read_labels(MNIST / "t10k-labels-idx1-ubyte.gz", 10_000)[:200]
    write("classified", {"images": images, "labels": labels, "probabilities": network.probabilities(images)})


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    philox()
    networks()
    training()
    drawing()
    classifying()
