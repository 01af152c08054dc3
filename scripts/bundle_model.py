"""Turn a run into a model that ships with the package, and measure it.

    python scripts/bundle_model.py runs/best-mnist-seed0 best

It writes the folder src/inkgan/models/NAME: the generator's weights (16-bit for the compact networks), their
description, a model card with measurements, and the manifest. An existing model of that name is replaced.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np

import inkgan
from inkgan.generation.loading import read_weights
from inkgan.runs import checkpoint
from inkgan.runs.folder import RunFolder

_MODELS = Path(__file__).parents[1] / "src" / "inkgan" / "models"

_CARD = """# {name}: a generator of handwritten digits

The generator of a generative adversarial network that was trained on MNIST. To sample from it:
`inkgan sample {name} -n 100 -o digits.png`.

| | |
| --- | --- |
| network | {network} |
| recipe | `{recipe}`: {steps:,} steps of {batch} images{pretraining} |
| seed | {seed}, the first one tried: not chosen among several |
| command | `inkgan train --recipe {recipe} --seed {seed}`{stopped} |
| arithmetic | trained in {precision}; weights in {dtype} |
| data | {data}; SHA-256 of the decoded set {digest} |
| sampling | {sampling} |
| licence | the weights are under the licence of the code, MIT; MNIST is CC BY-SA 3.0, LeCun and Cortes |

Made by `python scripts/bundle_model.py`. SHA-256 of the files: manifest.json.

## Measurements

`inkgan evaluate {name}`: n = {n:,} images, seed 0; 95 % intervals over the images (one training seed).

| figure | value | interval | real held-out images |
| --- | --- | --- | --- |
{figures}

## Limits

{limits}
"""

_TUTORIAL = {
    "network": "the tutorial's generator: latents [N, 100] from N(0, 1) to images [N, 28, 28, 1]; no labels",
    "sampling": "with fixed statistics of 20 batches of 50 latents; `--statistics batch` samples as the tutorial did",
    "limits": "It has no labels, so it cannot draw a digit on request. Its quality is what the tutorial's method "
    "reaches.",
}
_COMPACT = {
    "network": "the compact generator: latents [N, {latent_dim}] from N(0, 1) and labels to images [N, 28, 28, 1]",
    "sampling": "each image depends on its latent and label alone; the weights are the average of those in training",
    "limits": "It draws single digits as MNIST has them: 28×28 pixels, centred, by American writers of about 1990. A "
    "few in a thousand are not the digit that was requested.",
}


def main(run: Path, name: str) -> None:
    """Write the model ``name`` from a run's newest checkpoint."""
    if not re.fullmatch(r"[a-z][a-z0-9-]*", name):
        sys.exit(f"{name!r} is not a name for a model. Use lower-case letters, digits and hyphens.")
    source = RunFolder(run).checkpoint("latest")
    checkpoint.verify(source)
    description = checkpoint.read_document(source, "model")
    weights = read_weights(description, source)
    if description["network"] == "compact":
        weights = {name: array.astype(np.float16) for name, array in weights.items()}
    target = _MODELS / name
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    checkpoint.write_folder(target, {"generator": weights}, {"model": description})
    (target / "README.md").write_text(card(name, description, str(next(iter(weights.values())).dtype)), "utf-8")
    for path in target.iterdir():
        path.chmod(0o644)
    print(f"{target}: {sum(path.stat().st_size for path in target.iterdir()):,} bytes")


def card(name: str, description: dict[str, Any], dtype: str) -> str:
    """Measure a bundled model, and return the text of its card."""
    config = description["config"]
    done, total, before = description["step"], config["steps"], config["pretraining_steps"]
    report = inkgan.evaluate(name)
    rows = [
        f"| {figure.title} | {figure.value:.4g} | {figure.interval.low:.4g} to {figure.interval.high:.4g} | "
        f"{figure.floor:.4g} |"
        for figure in report.figures
    ]
    words = _COMPACT if description["network"] == "compact" else _TUTORIAL
    return _CARD.format(
        name=name,
        recipe=config["recipe"],
        steps=done,
        stopped="" if done == total else f", stopped by `--stop-at {done}` of {total:,}",
        batch=config["batch_size"],
        pretraining=f", after {before} of the discriminator alone" if before else "",
        seed=config["seed"],
        precision=description["precision"],
        dtype=dtype,
        data="MNIST, the 55,000 training images of the tutorial's split",
        digest=description["digest"],
        n=report.n,
        figures="\n".join(rows),
        network=words["network"].format(**description),
        sampling=words["sampling"],
        limits=words["limits"],
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the folder of a complete run")
    parser.add_argument("name", help="the name of the model: lower-case letters, digits and hyphens")
    given = parser.parse_args()
    main(given.run, given.name)
