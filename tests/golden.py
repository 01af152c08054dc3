"""Check the ``tutorial`` recipe against golden vectors computed by the tutorial's own TensorFlow graph.

    python tests/golden.py FILE.npz

rebuilds the weights that the seed in the file stands for, runs the recipe's training steps in float32, prints the
largest difference for every key, and exits with 1 if one is above its limit: 1e-5 before training, 2e-4 after the
iterations. The format: ``rng_seed``, ``iterations`` and ``batch_size`` say how weights and latents were drawn (see
below); the real images are MNIST's test images in order, divided by 255. ``grad_LOSS.NAME.norm`` and ``.head`` are the
L2 norm and the first 32 entries of each gradient in TensorFlow's layout.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from inkgan.config import resolve
from inkgan.data import load
from inkgan.training import losses
from inkgan.training.tutorial import Tutorial

BEFORE, AFTER = 1e-5, 2e-4

#: Every weight in the order in which it was drawn, with its shape in TensorFlow's layout.
SHAPES: Mapping[str, tuple[int, ...]] = {
    "d_w1": (5, 5, 1, 32), "d_b1": (32,), "d_w2": (5, 5, 32, 64), "d_b2": (64,),
    "d_w3": (3136, 1024), "d_b3": (1024,), "d_w4": (1024, 1), "d_b4": (1,),
    "g_w1": (100, 3136), "g_b1": (3136,), "g_beta1": (1,), "g_w2": (3, 3, 1, 50),
    "g_b2": (50,), "g_beta2": (50,), "g_w3": (3, 3, 50, 25), "g_b3": (25,),
    "g_beta3": (25,), "g_w4": (1, 1, 25, 1), "g_b4": (1,),
}  # fmt: skip

Arrays = Mapping[str, NDArray[Any]]


def recompute(golden: Arrays) -> dict[str, Any]:
    """Compute anew everything that a golden file holds, by key."""
    batch, iterations = int(golden["batch_size"]), int(golden["iterations"])
    rng = np.random.default_rng(int(golden["rng_seed"]))
    recipe = Tutorial(resolve(options={"recipe": "tutorial", "batch_size": max(batch, 2)}), dtype=torch.float32)
    set_weights(recipe.generator, recipe.discriminator, rng)
    recipe.after_load()
    latents = torch.from_numpy(rng.standard_normal((2 * iterations + 1, batch, 100)).astype(np.float32))
    real = torch.from_numpy(load("mnist").test.images[: batch * max(iterations, 1)].astype(np.float32) / 255)

    found: dict[str, Any] = {
        "generated": recipe.draw(latents[0]),
        "generated_alone": recipe.draw(latents[0][:1]),
        "logits_real": recipe.discriminate(real[:batch])[0][:, None],
        "logits_fake": recipe.discriminate(recipe.draw(latents[0]))[0][:, None],
    }
    found |= losses_and_gradients(recipe.generator, recipe.discriminator, real[:batch], latents[0])
    steps = []
    for i in range(iterations):
        terms = recipe.discriminator_step(real[batch * i : batch * (i + 1)], latents[1 + 2 * i])
        terms |= recipe.generator_step(latents[2 + 2 * i])
        steps.append([terms["loss_real"], terms["loss_fake"], terms["loss_generator"]])
    found |= {
        "losses": torch.tensor(steps),
        "after_generated": recipe.draw(latents[0]),
        "after_logits_real": recipe.discriminate(real[:batch])[0][:, None],
        "after_logits_fake": recipe.discriminate(recipe.draw(latents[0]))[0][:, None],
    }
    return found


def compare(golden: Arrays, found: Mapping[str, Any]) -> dict[str, float]:
    """The largest absolute difference for every key of a golden file."""
    given = {key: value for key, value in golden.items() if key not in ("rng_seed", "iterations", "batch_size")}
    if found.keys() != given.keys():
        raise SystemExit(f"the file and the recipe differ in keys: {sorted(found.keys() ^ given.keys())}")
    return {key: _largest_difference(given[key], found[key]) for key in given}


def limit_of(key: str) -> float:
    """The largest difference that is allowed for a key."""
    return AFTER if key == "losses" or key.startswith("after_") else BEFORE


def set_weights(generator: nn.Module, discriminator: nn.Module, rng: np.random.Generator) -> None:
    """Give both networks the weights that a golden file's seed stands for."""
    networks = {"d_": discriminator, "g_": generator}
    with torch.no_grad():
        for name, shape in SHAPES.items():
            scale = 1 / np.sqrt(np.prod(shape[:-1])) if len(shape) > 1 else 0.1
            weight = (rng.standard_normal(shape) * scale).astype(np.float32)
            networks[name[:2]].get_parameter(name[2:]).copy_(torch.from_numpy(_from_tensorflow(weight)))


def _from_tensorflow(weight: NDArray[Any]) -> NDArray[Any]:
    """HWIO to OIHW, [in, out] to [out, in]."""
    axes = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}[weight.ndim]
    return np.ascontiguousarray(weight.transpose(axes))


def _to_tensorflow(weight: NDArray[Any]) -> NDArray[Any]:
    axes = {4: (2, 3, 1, 0), 2: (1, 0), 1: (0,)}[weight.ndim]
    return weight.transpose(axes)


def losses_and_gradients(
    generator: nn.Module, discriminator: nn.Module, real: Tensor, latents: Tensor
) -> dict[str, Any]:
    """The three losses and their gradients, each taken by autograd on the networks."""
    fake = generator(latents).detach()
    parts: dict[str, tuple[Tensor, nn.Module, str]] = {
        "real": (losses.real_as_real(discriminator(real)), discriminator, "d_"),
        "fake": (losses.fake_as_fake(discriminator(fake)), discriminator, "d_"),
        "generator": (losses.fake_as_real(discriminator(generator(latents))), generator, "g_"),
    }
    found: dict[str, Any] = {}
    for name, (loss, network, prefix) in parts.items():
        found[f"loss_{name}"] = loss.detach()
        gradients = torch.autograd.grad(loss, list(network.parameters()))
        for (parameter, _), gradient in zip(network.named_parameters(), gradients, strict=True):
            flat = _to_tensorflow(gradient.numpy()).flatten()
            found[f"grad_{name}.{prefix}{parameter}.norm"] = np.linalg.norm(flat.astype(np.float64))
            found[f"grad_{name}.{prefix}{parameter}.head"] = flat[:32]
    return found


def _largest_difference(given: NDArray[Any], found: Any) -> float:
    found = np.asarray(found, np.float64)
    if found.shape != given.shape:
        return float("inf")
    difference = np.abs(given.astype(np.float64) - found)
    return float(np.max(difference, initial=0.0)) if np.isfinite(difference).all() else float("inf")


def main(arguments: list[str]) -> int:
    """Compare a file with the recipe and print the largest difference for every key."""
    if len(arguments) != 1 or not Path(arguments[0]).is_file():
        print("usage: python tests/golden.py FILE.npz", file=sys.stderr)
        return 2
    with np.load(arguments[0], allow_pickle=False) as file:
        given = {key: file[key] for key in file.files}
    differences = compare(given, recompute(given))
    beyond = {key: value for key, value in differences.items() if not value <= limit_of(key)}
    for key, value in differences.items():
        print(f"{key:36s} {value:.2e}  limit {limit_of(key):.0e}{'  ABOVE' if key in beyond else ''}")
    print(f"{len(differences)} keys, {len(beyond)} above their limit")
    return 1 if beyond else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
