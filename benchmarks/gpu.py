"""What only a GPU can say: steps per second, the largest batch, seconds to a quality, and a run with NCCL.

    python benchmarks/gpu.py [--minutes 15] [--seeds 3] [--record]

`make gpu` runs the tests that need a GPU and then this. A speed is of steps of `fast` on MNIST, whose data lie on the
device; the clock stops when the device is done. For the quality, whole runs of several lengths are trained and
measured by 10,000 images, until the time is up; the seconds are the run's own, without start-up and measuring. Steps
are launched one by one: each waits for the device to learn whether its gradients are finite, so that several steps
cannot be captured as one CUDA graph; that speed is not measured.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from machine import available_cpus, say
from report import finish, heading, parser_for, result_name, spread, table
from time_to_quality import Ruler

import inkgan
from inkgan.config import resolve
from inkgan.data import DataSet, load
from inkgan.training.compact import Compact
from inkgan.training.loop import Batches
from inkgan.training.recipe import StepInfo

BATCHES = (64, 256, 1024)
PRECISIONS = (torch.float32, torch.bfloat16)
LENGTHS = (100, 300, 900, 1800)
QUALITIES = (24.9, 1.0, 0.5)
_SILENT = ("watch.log_every=0", "watch.grid_every=0", "watch.show_every=0", "watch.doctor_every=0")


class Steps:
    """The recipe `fast` on a device, ready to step."""

    def __init__(self, data: DataSet, batch: int, precision: torch.dtype, device: torch.device) -> None:
        config = resolve(overrides=[f"batch_size={batch}"])
        self._device = device
        self._batches = Batches(data, config, device)
        self._recipe = Compact(config, data.image_shape, len(data.class_names), dtype=precision, device=device)
        self._done = 0

    def seconds(self, steps: int) -> float:
        """Do some steps; returns how long the device took."""
        _wait_for(self._device)
        before = time.perf_counter()
        for number in range(self._done, self._done + steps):
            self._recipe.step(StepInfo(number, number, 0.1), *self._batches.batch(number))
        _wait_for(self._device)
        self._done += steps
        return time.perf_counter() - before


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def speeds(data: DataSet, device: torch.device, steps: int, repeats: int) -> list[list[str]]:
    """A row for each size of the batch and each precision: steps and images per second."""
    rows = [["batch", "precision", "steps/s", "images/s"]]
    for batch in BATCHES:
        for precision in PRECISIONS:
            training = Steps(data, batch, precision, device)
            training.seconds(steps)  # warm up
            found = [steps / training.seconds(steps) for _ in range(repeats)]
            name = str(precision).removeprefix("torch.")
            rows.append([str(batch), name, spread(found, ".1f"), spread([batch * one for one in found], ",.0f")])
    return rows


def largest_batch(data: DataSet, device: torch.device, most: int) -> int:
    """The largest batch, a power of two up to ``most``, of which a step with the penalty fits into the memory."""
    fits = 0
    batch = 64
    while batch <= min(most, len(data.train)):
        try:
            Steps(data, batch, torch.bfloat16, device).seconds(1)
        except torch.OutOfMemoryError:
            break
        fits = batch
        batch *= 2
    return fits


def trained(steps: int, seed: int, device: str, ruler: Ruler, images: int) -> tuple[float, float]:
    """Train a whole run; returns its seconds and its Fréchet digit distance."""
    with tempfile.TemporaryDirectory(prefix="inkgan-gpu-") as folder:
        settings = (*_SILENT, f"watch.save_every={steps}")
        result = inkgan.train(out=Path(folder) / "run", steps=steps, seed=seed, device=device, settings=settings)
        drawn = inkgan.load(result.folder).sample(images, seed=seed)
    return result.seconds, ruler.distance(drawn[..., None]).value


def qualities(options: argparse.Namespace, ends: float) -> tuple[list[list[str]], list[str]]:
    """Rows of whole runs, and a line for each quality that they reach; runs that the time does not allow are said."""
    ruler = Ruler()
    rows = [["steps", "seconds", "Fréchet digit distance", "n"]]
    reached = dict.fromkeys(QUALITIES, "not reached")
    for steps in options.lengths:
        found = []
        for seed in range(options.seeds):
            if time.monotonic() < ends:
                say(f"{steps} steps, seed {seed} ...")
                found.append(trained(steps, seed, options.device, ruler, options.images))
        if not found:
            rows.append([str(steps), "no time left", "", "0"])
            continue
        seconds, distances = zip(*found, strict=True)
        rows.append([str(steps), spread(seconds, ".1f"), spread(distances, ".2f"), str(len(found))])
        for quality in QUALITIES:
            if reached[quality] == "not reached" and max(distances) <= quality:
                reached[quality] = f"{spread(seconds, '.1f')} s, {steps} steps, every one of {len(found)} seeds"
    return rows, [f"- distance {quality:g}: {when}" for quality, when in reached.items()]


def under_torchrun(device: str) -> str:
    """Whether a run of one process under torchrun, which exchanges by NCCL on a GPU, ends well."""
    with tempfile.TemporaryDirectory(prefix="inkgan-gpu-") as folder:
        launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "1", "--standalone"]
        words = ["train", "--steps", "20", "--device", device, "--quiet", "--out", str(Path(folder) / "run")]
        ended = subprocess.run([*launcher, "-m", "inkgan", *words], capture_output=True, text=True, check=False)
    return "ended well" if ended.returncode == 0 else f"failed: {ended.stderr.strip().splitlines()[-1:]}"


def main() -> None:
    """Measure and report."""
    parser = parser_for(__doc__ or "")
    parser.add_argument("--device", default="cuda", help="cpu is for trying the script")
    parser.add_argument("--minutes", type=float, default=15, help="no whole run begins after this")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each length")
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS, help="steps of the whole runs")
    parser.add_argument("--images", type=int, default=10_000, help="images that a whole run is measured by")
    parser.add_argument("--steps", type=int, default=64, help="steps of one timing")
    parser.add_argument("--repeats", type=int, default=5, help="timings")
    parser.add_argument("--largest", type=int, default=65_536, help="no larger batch is tried")
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("PyTorch finds no CUDA device here, so there is nothing to measure.")
    device = torch.device(options.device)
    ends = time.monotonic() + 60 * options.minutes
    data = load("mnist")
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else options.device
    say(f"speeds on {name} ...")
    fast = speeds(data, device, options.steps, options.repeats)
    largest = largest_batch(data, device, options.largest)
    rows, reached = qualities(options, ends)
    lines = [
        *heading("What a GPU reaches", available_cpus(), f"{name}; median [smallest to largest]"),
        table(fast),
        "",
        f"Largest batch tried that fits, in bfloat16: {largest:,}.",
        f"One process under torchrun: {under_torchrun(options.device)}.",
        "",
        table(rows),
        "",
        *reached,
        "",
        "Several steps as one CUDA graph: not measured.",
    ]
    question = f"gpu_{'-'.join(name.lower().split())}"
    finish(
        result_name(question, parser, options, {"device"}), options, "\n".join(lines), {"speeds": fast, "runs": rows}
    )


if __name__ == "__main__":
    main()
