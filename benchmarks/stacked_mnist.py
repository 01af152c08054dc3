"""Stacked MNIST: does the generator find all of a thousand modes?

    python benchmarks/stacked_mnist.py --recipe best --seeds 1 --record

Three digits drawn at random become the three channels of one image, so that there are 1,000 kinds (Metz et al.,
"Unrolled Generative Adversarial Networks", 2017; protocol of Lin et al., "PacGAN", 2018: 128,000 training images,
26,000 samples). The generator learns without labels. The digit classifier reads each channel of the samples. The script
reports the number of kinds that occur, and the KL divergence of their shares from the probabilities with which training
images are drawn, the products of the digits' shares. A perfect generator has 0.019 at this n.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from report import finish, heading, parser_for, result_name, table
from seeds import commits, is_done, last_start

import inkgan
from inkgan import data
from inkgan.evaluation.features import load_features
from inkgan.evaluation.metrics.classes import class_balance
from inkgan.files import atomic_write

SAMPLES = 26_000


def stacked(path: Path, count: int) -> None:
    """Write the training images, uint8 [N, 28, 28, 3]."""
    digits = data.load("mnist").train.images[..., 0]
    chosen = np.random.default_rng(0).integers(len(digits), size=(count, 3))
    with atomic_write(path) as temporary:
        np.savez(temporary, images=digits[chosen].transpose(0, 2, 3, 1))


def kinds(images: np.ndarray) -> np.ndarray:
    """Return the kind of each image, 0 to 999."""
    network = load_features()
    read = [network.extract(images[..., channel, None])[1].argmax(axis=1) for channel in range(3)]
    return read[0] * 100 + read[1] * 10 + read[2]


def shares() -> np.ndarray:
    """Return the probability with which a training image is of each kind, 0 to 999."""
    train = data.load("mnist").train
    assert train.labels is not None
    digits = np.bincount(train.labels) / len(train)
    return np.einsum("a,b,c->abc", digits, digits, digits).ravel()


def main() -> None:
    """Train, sample, count, and report."""
    parser = parser_for(__doc__ or "")
    parser.add_argument("--recipe", default="best")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--images", type=int, default=128_000, help="training images")
    parser.add_argument("--set", dest="settings", action="append", default=[], help="a setting, KEY=VALUE")
    parser.add_argument("--out", default="runs/stacked", help="where the runs go; complete ones are used again")
    options = parser.parse_args()
    out = Path(options.out).absolute()
    out.mkdir(parents=True, exist_ok=True)
    source = out / f"stacked-{options.images}.npz"
    if not source.exists():
        stacked(source, options.images)
    expected = shares()
    settings = ["conditional=false", *options.settings]
    folders = [out / f"{options.recipe}-{seed}" for seed in range(options.seeds)]
    rows = []
    for seed, folder in enumerate(folders):
        if not is_done(folder, options.recipe, str(source), seed, settings):
            inkgan.train(options.recipe, data=str(source), seed=seed, settings=settings, out=folder, force=True)
        found = kinds(inkgan.load(folder).sample(SAMPLES))
        divergence = class_balance(found, expected, np.random.default_rng(0)).kl.value
        rows.append({"seed": seed, "modes": len(np.unique(found)), "kl": divergence})
    cells = [["seed", "modes of 1,000", "KL divergence"]]
    cells += [[str(row["seed"]), str(row["modes"]), f"{row['kl']:.3g}"] for row in rows]
    threads = last_start(folders[-1])["threads"]
    about = heading(f"Stacked MNIST, {options.recipe}", threads, measured_commit=commits(folders))
    name = result_name(f"stacked_mnist_{options.recipe}", parser, options, {"recipe", "out"})
    finish(name, options, "\n".join([*about, table(cells)]), rows)


if __name__ == "__main__":
    main()
