"""Train the first reader of `inkgan write`, a small network that reads digits as the digit classifier does.

    python scripts/train_first_reader.py [--output FOLDER] [--seed 0] [--steps 10000]

`inkgan.generation.legibility` asks it before the classifier, which takes 20 times as many operations. It learns by
distillation (Hinton et al., "Distilling the knowledge in a neural network", 2015): its targets are the classifier's
probabilities, for MNIST's training digits, warped, and for digits that the bundled generators draw. A third of the
images are blends of two, so that it learns where the classifier is uncertain (Beyer et al., "Knowledge distillation: a
good teacher is patient and consistent", 2022, section 3.1).

At the end the command takes the digits of 1,000 writers of seed 1. It counts for several probabilities how often the
reader is that certain, and how often the classifier then disagrees. `legibility.CERTAIN` was chosen by these counts.

It takes about ten minutes on one core, with one thread. With another processor, NumPy or PyTorch the last bits differ,
and so does the file.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

import inkgan
from inkgan import data
from inkgan.evaluation.feature_training import FeatureRecipe, one_cycle, warp
from inkgan.evaluation.features import SHIPPED, load_features, to_ink
from inkgan.files import sha256_of, write_bytes
from inkgan.generation import ink, legibility
from inkgan.generation.hands import hand_of
from inkgan.images import Images
from inkgan.seeds import Stream, rng

_CHANNELS = (1, 16, 48, 64)
_HIDDEN = 64
_BATCH = 128
_DRAWN = 20_000  # digits of each generator
_TEMPERATURE = 2.0  # of both distributions in the loss
_LEARNING_RATE = 4e-3
_THRESHOLDS = (0.99, 0.995, 0.998, 0.999, 0.9995, 0.9998)


CARD = """# The first reader: what it costs to read most digits

`inkgan write` draws a digit again that cannot be read. This small network reads every digit first. Where its
probability is {certain} or more the digit stays. Of the others, those that it reads are also read by the classifier in
`digit-features`, and pass if the product of both probabilities is enough (`src/inkgan/generation/legibility.py`).

- Network: 3×3 convolutions of stride 2 with {channels} channels, a hidden layer of {hidden}, ten classes; reads grey
  images of 28×28. {parameters:,} parameters, stored as float16 in `weights.safetensors` ({kibibytes:.0f} KiB);
  {megaflop:.1f} MFLOP an image, where the classifier takes 34.8.
- Data: the training split of MNIST, 55,000 images, warped, and {drawn:,} digits by each of the generators `best` and
  `fast`. Its targets are the probabilities of the classifier in `digit-features`. Nothing was chosen on the test split.
- Command: `{command}` (one thread, PyTorch {torch}).
- Accuracy of the stored weights: {accuracy:.2%} on MNIST's test split.
- SHA-256 of `weights.safetensors`: `{sha256}`

Digits of 1,000 writers of seed 1 (n = 10,000 for each generator): the share of which the reader is not certain, and the
number of digits of which it is certain while the classifier's probability is below 0.99.

{counts}

Use it for what it was made for, as a first look. It is a part of inkgan, under inkgan's licence; MNIST, from which it
learned, has a licence of its own, which lies beside the data.
"""


class Reader(nn.Module):
    """The first reader: logits [N, 10] from images float32 [N, 1, 28, 28] in [0, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv2d(before, after, 3, stride=2, padding=1) for before, after in itertools.pairwise(_CHANNELS)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for channels in _CHANNELS[1:])
        self.hidden = nn.Linear(16 * _CHANNELS[-1], _HIDDEN)
        self.classes = nn.Linear(_HIDDEN, 10)

    def forward(self, ink: Tensor) -> Tensor:
        """Compute the logits."""
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            ink = functional.relu(norm(convolution(ink)))
        return self.classes(functional.relu(self.hidden(ink.flatten(1))))

    def weights(self) -> dict[str, Tensor]:
        """Return the weights for use, in half precision, with each normalisation fused into its convolution."""
        self.eval()
        self.convolutions = nn.ModuleList(
            fuse_conv_bn_eval(convolution, norm)
            for convolution, norm in zip(self.convolutions, self.norms, strict=True)
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
        )
        return {name: one.half() for name, one in self.state_dict().items() if not name.startswith("norms.")}


def main() -> None:
    """Train, save, test, and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=SHIPPED.with_name(legibility.FIRST_READER.name))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=10_000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with threadpool_limits(1):  # for NumPy's products, too: the number of threads changes the last bits of the images
        weights = train(exercises(options.seed), options.steps, options.seed)
    file = options.output / "weights.safetensors"
    options.output.mkdir(parents=True, exist_ok=True)
    write_bytes(file, save(weights))
    card = {"sha256": sha256_of(file), "seed": options.seed, "steps": options.steps, "pytorch": torch.__version__}
    write_bytes(options.output / "card.json", (json.dumps(card, indent=1) + "\n").encode())
    write_bytes(options.output / "README.md", described(options.output).encode())


def exercises(seed: int) -> Images:
    """Return the images uint8 [N, 28, 28] that the reader learns from."""
    source = torch.Generator().manual_seed(seed)
    real = data.load("mnist").train.images[..., 0]
    warped = [warp(to_ink(part[..., None]), FeatureRecipe(), source)[:, 0] for part in np.split(real, 55)]
    drawn = [torch.from_numpy(drawn_digits(name, seed)).float() / 255 for name in ("best", "fast")]
    ink = torch.cat([*warped, *drawn])
    ink = ink[torch.randperm(len(ink), generator=source)]
    share = torch.rand(len(ink[::3]), 1, 1, generator=source)
    ink[::3] = share * ink[::3] + (1 - share) * ink.roll(1, 0)[::3]
    return (255 * ink).round().byte().numpy()


def drawn_digits(name: str, seed: int) -> Images:
    """Draw digits with a bundled generator, a third from longer latents than usual and a third from shorter ones."""
    chance = rng(seed, Stream.SAMPLE_LATENTS, 0)
    model = inkgan.load(name)
    latents = chance.standard_normal((_DRAWN, model.latent_dim), dtype=np.float32)
    lengths = np.resize(np.array([0.7, 1.0, 1.3], np.float32), _DRAWN)
    return np.asarray(model.draw(latents * lengths[:, None], np.arange(_DRAWN) % 10))


def train(images: Images, steps: int, seed: int) -> dict[str, Tensor]:
    """Train a reader to read images uint8 [N, 28, 28] as the classifier does, and return its weights."""
    source = torch.Generator().manual_seed(seed)
    read = load_features().probabilities(images[..., None])
    targets = functional.softmax(torch.from_numpy(read).clamp_min(1e-30).log() / _TEMPERATURE, 1)
    torch.manual_seed(seed)
    reader = Reader()
    optimizer = torch.optim.AdamW(reader.parameters(), lr=_LEARNING_RATE, weight_decay=0.01)
    for step in range(steps):
        chosen = torch.randint(len(images), (_BATCH,), generator=source)
        for group in optimizer.param_groups:
            group["lr"] = _LEARNING_RATE * one_cycle(step / steps)
        logits = reader(to_ink(images[chosen.numpy(), :, :, None]))
        loss = functional.cross_entropy(logits / _TEMPERATURE, targets[chosen])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if step % 500 == 0:
            print(f"step {step} of {steps}: loss {loss.item():.4f}", file=sys.stderr)
    return reader.weights()


def described(folder: Path) -> str:
    """Test the weights, and return the README.md to save beside them."""
    reader = legibility.FIRST_READER._replace(name=str(folder.resolve()))
    card = json.loads((folder / "card.json").read_text("utf-8"))
    test = data.load("mnist").test
    read = legibility.probabilities(test.images[..., 0], reader).argmax(1)
    counts = {name: counted(name, reader) for name in ("best", "fast")}
    lines = ["| certain from | `best` | `fast` |", "| --- | --- | --- |"]
    lines += [f"| {least} | {a} | {b} |" for least, a, b in zip(_THRESHOLDS, *counts.values(), strict=True)]
    return CARD.format(
        certain=legibility.CERTAIN,
        channels="/".join(map(str, _CHANNELS[1:])),
        hidden=_HIDDEN,
        parameters=sum(one.numel() for one in load_file(folder / "weights.safetensors").values()),
        kibibytes=(folder / "weights.safetensors").stat().st_size / 1024,
        megaflop=megaflop(),
        drawn=_DRAWN,
        command=f"python scripts/train_first_reader.py --seed {card['seed']} --steps {card['steps']}",
        torch=card["pytorch"],
        accuracy=(read == test.labels).mean(),
        sha256=card["sha256"],
        counts="\n".join(lines),
    )


def counted(name: str, trained: legibility.Reader) -> list[str]:
    """Return for each threshold the share of uncertain digits, and the number of certain ones that are too unclear."""
    model = inkgan.load(name)
    latents = np.repeat([hand_of(model.latent_dim, 1, writer)[0] for writer in range(1000)], 10, 0)
    digits = np.arange(len(latents)) % 10
    images = ink.without_specks(np.asarray(model.draw(latents, digits)))
    first, second = (
        legibility.probabilities(images, reader)[np.arange(len(digits)), digits]
        for reader in (trained, legibility.CLASSIFIER)
    )
    return [f"{(first < least).mean():.2%}, {((first >= least) & (second < 0.99)).sum()}" for least in _THRESHOLDS]


def megaflop() -> float:
    """Return the number of operations that it takes to read an image, in millions."""
    layers = zip(_CHANNELS[:-1], _CHANNELS[1:], (14, 7, 4), strict=True)
    convolutions = sum(9 * before * after * side**2 for before, after, side in layers)
    return 2e-6 * (convolutions + _HIDDEN * (16 * _CHANNELS[-1] + 10))


if __name__ == "__main__":
    main()
