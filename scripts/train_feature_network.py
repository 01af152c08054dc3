"""Train the feature network that compares digits; this command made the shipped one.

    python scripts/train_feature_network.py                       the shipped network, on MNIST
    python scripts/train_feature_network.py DATA --output FOLDER  one for another labelled data set

The same command on the same processor with the same PyTorch gives the same file, bit for bit.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch

from inkgan.data import load
from inkgan.errors import InkganError
from inkgan.evaluation.feature_training import FeatureRecipe, train_feature_network
from inkgan.evaluation.features import SHIPPED, WEIGHTS, FeatureNetwork
from inkgan.files import write_bytes

MODEL_CARD = """# {name}: the features in which inkgan compares digits

A classifier of {data[name]} whose last hidden layer ({num_features} numbers an image, before its ReLU) is the
space in which inkgan computes Fréchet and kernel distances, precision, recall, density, coverage and novelty.
Figures made with it can be compared only with figures made with it: its name is its hash.

- Network: 3×3 convolutions of {widths} channels, pooled to 4×4, hidden layer of {num_features}, linear
  classifier of {classes} classes; reads uint8 images of {shape}. {parameters:,} parameters, stored as float16
  in `{weights}` ({kibibytes:.0f} KiB).
- Data: the training split of {data[name]}, {data[train_images]:,} images (digest `{digest}`). Nothing was
  chosen on the test split.
- Recipe: in `card.json`, explained in `src/inkgan/evaluation/feature_training.py`.
- Command: `{command}` (seed {recipe[seed]}, threads: {threads}, PyTorch {torch}).
- Accuracy of the stored weights: {accuracy}.
- SHA-256 of `{weights}`: `{sha256}`

Use it to measure generated images of the same kind. Do not use it to read digits on forms or cheques: it was
tested on these data alone, and it names some class for every picture, whatever is on it. The weights come from
data under the licence that lies beside the data.
"""


def main() -> int:
    """Train and save the network, and print its accuracy and SHA-256."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", default="mnist", help="a known data set's name, or a path")
    parser.add_argument("--output", type=Path, default=SHIPPED, help="the folder to write (default: shipped)")
    parser.add_argument("--seed", type=int, default=FeatureRecipe().seed)
    parser.add_argument("--epochs", type=int, default=FeatureRecipe().epochs)
    parser.add_argument("--threads", type=int, default=1, help="the result depends on it (default: 1)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    start = time.perf_counter()

    def progress(_: str, done: float) -> None:
        print(f"{done:4.0%}  {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)

    recipe = replace(FeatureRecipe(), seed=options.seed, epochs=options.epochs)
    try:
        network = train_feature_network(load(options.data), recipe, progress).save(options.output)
        command = " ".join(["python scripts/train_feature_network.py", *sys.argv[1:]])
        readme = model_card(network, options.output, command)
        write_bytes(options.output / "README.md", readme.encode())
    except InkganError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{options.output}: {network.card.accuracy}, sha256 {network.card.sha256}")
    return 0


def model_card(network: FeatureNetwork, folder: Path, command: str) -> str:
    """Return the README.md to save beside the weights."""
    card = network.card
    return MODEL_CARD.format(
        **{name: getattr(card, name) for name in ("name", "data", "num_features", "recipe", "sha256")},
        widths="/".join(str(width) for width in card.widths),
        classes=len(card.class_names),
        shape="×".join(map(str, card.image_shape)),
        parameters=sum(parameter.numel() for parameter in network.layers.parameters()),
        weights=WEIGHTS,
        kibibytes=(folder / WEIGHTS).stat().st_size / 1024,
        digest=card.data["digest"][:16],
        command=command,
        threads=torch.get_num_threads(),
        torch=torch.__version__,
        accuracy=", ".join(f"{value:.2%} on the {name} split" for name, value in card.accuracy.items()),
    )


if __name__ == "__main__":
    sys.exit(main())
