"""One contestant of the board in a process of its own; ``time_to_quality.py`` starts it and reads what it prints."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from marks import train_to_marks
from peers import DCGAN, TFGAN
from torch import Tensor

from inkgan.config import resolve
from inkgan.data import DataSet, load
from inkgan.device import keep_freed_memory, resolve_device, resolve_precision
from inkgan.errors import DivergenceError
from inkgan.seeds import BatchOrder, Stream, latents
from inkgan.training.recipe import StepInfo
from inkgan.training.start import build

PEERS: dict[str, type[DCGAN | TFGAN]] = {"dcgan": DCGAN, "tfgan": TFGAN}


class Ours:
    """A recipe of inkgan, computed as in a run, but writing nothing."""

    def __init__(self, name: str, data: DataSet, seed: int, seconds: float) -> None:
        self._config = resolve(options={"recipe": name, "seed": seed, "seconds": seconds})
        device = resolve_device("cpu")
        precision = resolve_precision(self._config.precision, device)
        self._recipe = build(self._config, data.image_shape, len(data.class_names), device, precision)
        self.batch_size = self._config.batch_size
        self.arithmetic = str(precision).removeprefix("torch.")
        self._seconds = seconds
        self._drawn = 0

    def step(self, number: int, seconds: float, real: Tensor, labels: Tensor) -> None:
        """Do one step; the schedules of ``fast`` and ``best`` depend on the share of the time that has passed."""
        at = StepInfo(number - self._config.pretraining_steps, number, min(1.0, seconds / self._seconds))
        try:
            self._recipe.step(at, real, labels)
        except DivergenceError as error:
            raise FloatingPointError(str(error)) from error

    def draw(self) -> Tensor:
        """Draw a batch of images, one of each class in turn if the recipe has classes."""
        batch = latents(self._config.seed, Stream.SAMPLE_LATENTS, self._drawn, self.batch_size, self._recipe.latent_dim)
        classes = self._recipe.num_classes
        numbers = torch.arange(self._drawn * self.batch_size, (self._drawn + 1) * self.batch_size)
        self._drawn += 1
        return self._recipe.draw(torch.from_numpy(batch), numbers % classes if classes else None)


class Theirs:
    """A peer's recipe."""

    arithmetic = "float32"

    def __init__(self, name: str, seed: int) -> None:
        self._peer = PEERS[name](seed)
        self.batch_size = self._peer.batch_size
        self.draw = self._peer.draw

    def step(self, number: int, seconds: float, real: Tensor, labels: Tensor) -> None:
        """Do one step, which depends on the images alone."""
        self._peer.step(real)


def main() -> None:
    """Read the command line, load, build, and train to the marks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("--marks", type=float, nargs="+", required=True, help="seconds of training, in order")
    parser.add_argument("--images", type=int, required=True, help="images to draw at each")
    parser.add_argument("--out", type=Path, required=True, help="where they go")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    keep_freed_memory()  # as a run does
    data = load("mnist")
    name = options.name
    who: Ours | Theirs = (
        Theirs(name, options.seed) if name in PEERS else Ours(name, data, options.seed, options.marks[-1])
    )
    images, labels = torch.tensor(data.train.images), torch.tensor(data.train.labels)
    order = BatchOrder(options.seed, len(images), who.batch_size)

    def step(number: int, seconds: float) -> None:
        chosen = torch.from_numpy(order.batch(number))
        who.step(number, seconds, images[chosen].float() / 255, labels[chosen])

    about = {"batch_size": who.batch_size, "arithmetic": who.arithmetic, "library": f"PyTorch {torch.__version__}"}
    train_to_marks(step, lambda: who.draw().numpy(), options.marks, options.images, options.out, about)


if __name__ == "__main__":
    main()
