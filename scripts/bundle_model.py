"""Make a model that ships with the package out of a run.

    python scripts/bundle_model.py runs/tutorial-mnist-seed0 tutorial

writes src/inkgan/models/NAME: the generator's weights, what describes them, the model card and the manifest.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from inkgan import checkpoint
from inkgan.networks.drawing import TUTORIAL_SHAPES
from inkgan.runfolder import RunFolder

_MODELS = Path(__file__).parents[1] / "src" / "inkgan" / "models"

_CARD = """# {name}: a generator of handwritten digits

Drawn by a generative adversarial network that learned from MNIST. `inkgan sample {name} -n 100 -o digits.png` uses it.

| | |
| --- | --- |
| network | the tutorial's generator: latents [N, 100] from N(0, 1) to images [N, 28, 28, 1]; no labels |
| recipe | `{recipe}`: {steps:,} joint steps of {batch} images, after {pretraining} of the discriminator alone |
| seed | {seed} |
| command | `inkgan train --recipe {recipe} --seed {seed} --steps {total}`{stopped} |
| arithmetic | {precision}; weights in float32 |
| data | MNIST, the 55,000 training images of the tutorial's split; SHA-256 of the decoded set {digest} |
| normalisation | standing statistics of 20 batches of 50 latents; `--statistics batch` does as the tutorial did |
| licence | the weights are under the licence of the code, MIT; MNIST is CC BY-SA 3.0, LeCun and Cortes |

Made by `python scripts/bundle_model.py`. SHA-256 of the files: manifest.json.

## Limits

It has no labels, so a certain digit cannot be asked for; it draws what the tutorial's method reaches, and no more.
"""


def main(run: Path, name: str) -> None:
    """Write the model ``name`` from a run's newest checkpoint."""
    source = RunFolder(run).checkpoint("latest")
    checkpoint.verify(source)
    description = checkpoint.read_document(source, "model")
    weights = checkpoint.read_arrays(source, "generator", TUTORIAL_SHAPES)
    target = _MODELS / name
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    config = description["config"]
    done, total = description["step"], config["steps"]
    card = _CARD.format(
        name=name,
        recipe=config["recipe"],
        steps=done,
        total=total,
        stopped="" if done == total else f" `--stop-at {done}`",
        batch=config["batch_size"],
        pretraining=config["pretraining_steps"],
        seed=config["seed"],
        precision=description["precision"],
        digest=description["digest"],
    )
    checkpoint.write_folder(target, {"generator": weights}, {"model": description})
    (target / "README.md").write_text(card, "utf-8")
    for path in target.iterdir():
        path.chmod(0o644)
    print(f"{target}: {sum(path.stat().st_size for path in target.iterdir()):,} bytes")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python scripts/bundle_model.py RUN NAME")
    main(Path(sys.argv[1]), sys.argv[2])
