"""Print SHA-256 digests of everything that short runs compute, to show that a refactoring changed nothing.

    python scripts/digests.py                 12 steps of `fast` and `tutorial`, float32 and bfloat16, on embedded MNIST

Run it before and after a change, on one machine and with the same number of threads; the lines must be equal. Weights
and optimiser states are hashed array by array, so that the order of arrays in a file does not matter. The metrics are
hashed without times.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import load_file

RUNS = (("fast", "float32"), ("fast", "bfloat16"), ("tutorial", "float32"), ("tutorial", "bfloat16"))
SETTINGS = ("watch.log_every=1", "watch.grid_every=4", "watch.save_every=6", "watch.show_every=0")
TIMES = {"seconds", "steps_per_second"}


def main() -> None:
    """Train each run in a temporary folder and print its digests."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    for recipe, precision in RUNS:
        with tempfile.TemporaryDirectory(prefix="inkgan-digests-") as folder:
            run = Path(folder) / "run"
            train(recipe, precision, run)
            newest = run / "checkpoints" / "step-0000012"
            found = {path.name: digest_of_arrays(path) for path in newest.glob("*.safetensors")}
            found["metrics.jsonl"] = digest_of_metrics(run / "metrics.jsonl")
            found |= {path.name: digest_of_picture(path) for path in (run / "pictures").glob("*.png")}
        for name, digest in sorted(found.items()):
            print(f"{recipe:8} {precision:8} {name:28} {digest}", flush=True)


def train(recipe: str, precision: str, folder: Path) -> None:
    """Train for 12 steps (the tutorial after 4 steps of pre-training) with the command line."""
    settings = [*SETTINGS, *(["pretraining_steps=4"] if recipe == "tutorial" else [])]
    options = [word for setting in settings for word in ("--set", setting)]
    command = [sys.executable, "-m", "inkgan", "train", "--recipe", recipe, "--precision", precision, "--steps", "12"]
    subprocess.run([*command, "--device", "cpu", "--out", str(folder), "--quiet", *options], check=True)


def digest_of_arrays(path: Path) -> str:
    """Return the digest of a safetensors file's names, types, shapes and values, in the order of names."""
    digest = hashlib.sha256()
    for name, array in sorted(load_file(path).items()):
        digest.update(f"{name} {array.dtype} {array.shape};".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def digest_of_metrics(path: Path) -> str:
    """Return the digest of the lines of metrics.jsonl without their times."""
    digest = hashlib.sha256()
    for line in path.read_text("utf-8").splitlines():
        values = {key: value for key, value in json.loads(line).items() if key not in TIMES}
        digest.update(json.dumps(values, sort_keys=True).encode())
    return digest.hexdigest()


def digest_of_picture(path: Path) -> str:
    """Return the digest of a picture's pixels."""
    with Image.open(path) as picture:
        return hashlib.sha256(np.asarray(picture.convert("RGB")).tobytes()).hexdigest()


if __name__ == "__main__":
    main()
