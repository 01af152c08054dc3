"""Train a second judge of digits for the benchmarks; no part of inkgan uses it to choose what it draws.

    python benchmarks/second_judge.py [--epochs 5] [--seed 20261127] [--output benchmarks/second_judge]

`inkgan write` draws digits again until two bundled readers can read them, so the same readers cannot judge how legible
the result is. This judge differs in everything but the training images: 5x5 kernels and max pooling in place of
3x3 kernels and strides, ELU in place of ReLU, label smoothing, SGD in place of AdamW; rotated, resized, shifted, partly
erased and noisy digits in place of elastic ones; and another seed.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from machine import say
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from inkgan import data

FOLDER = Path(__file__).parent / "second_judge"
Images = NDArray[np.uint8]


class Judge(nn.Sequential):
    """The judge: logits [N, 10] from images float32 [N, 1, 28, 28] in [0, 1]; 111,482 parameters."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(1, 16, 5, padding=2), nn.MaxPool2d(2), nn.ELU(),
            nn.Conv2d(16, 32, 5, padding=2), nn.MaxPool2d(2), nn.ELU(),
            nn.Conv2d(32, 64, 5, padding=2), nn.MaxPool2d(2), nn.ELU(),
            nn.Flatten(), nn.Dropout(0.4), nn.Linear(64 * 9, 80), nn.ELU(), nn.Linear(80, 10),
        )  # fmt: skip


def disturbed(ink: Tensor, source: torch.Generator) -> Tensor:
    """Rotate by up to 15 degrees, resize by up to 15 %, shift by up to 2 pixels, erase a square of 6, add noise."""
    n = len(ink)

    def uniform(limit: float) -> Tensor:
        return (2 * torch.rand(n, generator=source) - 1) * limit

    angle, size, shift = uniform(np.pi / 12), 1 + uniform(0.15), torch.stack([uniform(2 / 14), uniform(2 / 14)], 1)
    cos, sin = size * angle.cos(), size * angle.sin()
    maps = torch.cat([torch.stack([cos, -sin, sin, cos], 1).view(n, 2, 2), shift[:, :, None]], 2)
    moved = functional.grid_sample(
        ink, functional.affine_grid(maps, list(ink.shape), align_corners=False), align_corners=False
    )
    corner = torch.randint(0, 44, (n, 2, 1), generator=source)  # it often lies outside
    places = torch.arange(28)
    inside = (places >= corner) & (places < corner + 6)  # [N, 2, 28]
    erased = moved * ~(inside[:, 0, :, None] & inside[:, 1, None, :])[:, None]
    noise = 0.1 * torch.rand(n, 1, 1, 1, generator=source) * torch.randn(ink.shape, generator=source)
    return (erased + noise).clamp(0, 1)


def to_ink(images: Images) -> Tensor:
    """Convert images uint8 [N, 28, 28] or [N, 28, 28, 1] to float32 [N, 1, 28, 28] in [0, 1]."""
    return torch.from_numpy(np.asarray(images).reshape(-1, 1, 28, 28)).float() / 255


def batches(count: int, size: int, epochs: int, source: torch.Generator) -> Iterator[Tensor]:
    """Yield the indices of the images of each batch."""
    for _ in range(epochs):
        yield from torch.randperm(count, generator=source)[: count // size * size].view(-1, size)


def train(images: Images, labels: NDArray[np.int64], epochs: int, seed: int) -> Judge:
    """Train a judge on images uint8 [N, 28, 28, 1] and their labels [N]."""
    torch.manual_seed(seed)
    source = torch.Generator().manual_seed(seed)
    judge = Judge()
    optimizer = torch.optim.SGD(judge.parameters(), momentum=0.9, nesterov=True, weight_decay=2e-4)
    ink, targets = to_ink(images), torch.from_numpy(labels)
    steps = len(images) // 100 * epochs
    for step, batch in enumerate(batches(len(images), 100, epochs, source)):
        for group in optimizer.param_groups:
            group["lr"] = 0.05 * min(1, step / 300) * (1 - step / steps)
        logits = judge(disturbed(ink[batch], source))
        loss = functional.cross_entropy(logits, targets[batch], label_smoothing=0.02)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if step % 200 == 0:
            say(f"step {step} of {steps}: loss {loss.item():.3f}")
    return judge.eval()


def read(judge: Judge, images: Images) -> NDArray[np.int64]:
    """Return the digit that the judge reads in each image, int64 [N]."""
    with torch.inference_mode():
        parts = [judge(part).argmax(1) for part in torch.split(to_ink(images), 500)]
    return torch.cat(parts).numpy()


def load_judge(folder: Path = FOLDER) -> Judge:
    """Load the judge from a folder."""
    judge = Judge()
    judge.load_state_dict({name: tensor.float() for name, tensor in load_file(folder / "judge.safetensors").items()})
    return judge.eval()


def main() -> None:
    """Train, save and test."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seed", type=int, default=20261127)
    parser.add_argument("--output", type=Path, default=FOLDER)
    options = parser.parse_args()
    torch.set_num_threads(1)
    mnist = data.load("mnist")
    assert mnist.train.labels is not None
    start = time.perf_counter()
    judge = train(mnist.train.images, mnist.train.labels, options.epochs, options.seed)
    seconds = time.perf_counter() - start
    options.output.mkdir(parents=True, exist_ok=True)
    save_file(
        {name: tensor.half() for name, tensor in judge.state_dict().items()}, options.output / "judge.safetensors"
    )
    judge = load_judge(options.output)
    accuracy = {
        name: float((read(judge, split.images) == split.labels).mean())
        for name, split in mnist.splits.items()
        if name != "train"
    }
    about = {
        "trained_on": f"the {len(mnist.train.images):,} training images of mnist",
        "epochs": options.epochs, "seed": options.seed, "pytorch": torch.__version__,
        "parameters": sum(one.numel() for one in judge.parameters()), "accuracy": accuracy,
    }  # fmt: skip
    (options.output / "judge.json").write_text(json.dumps(about, indent=1) + "\n", "utf-8")
    print(f"{seconds:.0f} s; accuracy {accuracy}")


if __name__ == "__main__":
    main()
