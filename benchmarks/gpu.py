"""Measurements that need a GPU: steps per second, seconds to a quality, the largest batch, and a run with NCCL.

    python benchmarks/gpu.py [--minutes 15] [--seeds 5] [--record]

`make gpu` runs the tests that need a GPU and then this script. It trains `fast` on MNIST, with the images on the
device. Steps are launched kernel by kernel, or as CUDA graphs: one for a plain step and one for a step with the
penalty. The clock stops when the device is done. The first 16 steps, in which PyTorch loads its kernels and the graphs
are recorded, are timed separately.

For the quality, whole runs of several lengths are trained, and 10,000 images of each are measured, until the time is
up. Only the time of the steps counts. Last come runs of the command as users start it, which also log, draw pictures
and look after the run's health.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import torch
from machine import say
from report import finish, heading, parser_for, result_name, spread, table
from stepping import Training
from time_to_quality import Reference
from watching import SILENT, WITHOUT_DOCTOR

import inkgan
from inkgan.config import resolve
from inkgan.data import DataSet, load
from inkgan.device import cores, resolve_precision
from inkgan.images import Images, to_uint8
from inkgan.seeds import Stream, latents
from inkgan.training.compact import Compact
from inkgan.training.loop import Batches

BATCHES = (64, 256, 1024)
PRECISIONS = (torch.bfloat16, torch.float32)
#: Batch size and steps of whole runs, and the images by which each is measured.
RUNS = ((64, 100), (64, 300), (64, 900), (64, 2500), (256, 60), (256, 500), (256, 1100), (256, 1800))
IMAGES = 10_000
QUALITIES = (24.9, 1.0, 0.5)
FIRST = 16
#: Settings under which a run does less and less besides its steps.
WATCHED = {"as users start it": (), "without the doctor": WITHOUT_DOCTOR, "nor losses and pictures": SILENT}


class Trained(NamedTuple):
    """A whole run: the seconds of its first steps, the seconds of the others, and uint8 images that it draws."""

    first_seconds: float
    seconds: float
    drawn: Images


def training_of(
    data: DataSet, device: torch.device, precision: torch.dtype, *, batch: int, seed: int = 0, graphs: bool = True
) -> Training:
    """Return the recipe `fast` on a device, ready to step."""
    config = resolve(options={"seed": seed}, overrides=[f"batch_size={batch}"])
    classes = len(data.class_names)
    recipe = Compact(config, data.image_shape, classes, dtype=precision, device=device, graphs=graphs)
    return Training(recipe, Batches(data, config, device))


def speeds(data: DataSet, device: torch.device, steps: int, repeats: int) -> list[list[str]]:
    """Return a row for each batch size and precision."""
    rows = [["batch", "precision", "steps/s, kernel by kernel", "steps/s, as graphs", "images/s, as graphs"]]
    for batch in BATCHES:
        for precision in PRECISIONS:
            found = {}
            for graphs in (False, True):
                count = 8 * steps if graphs else steps
                training = training_of(data, device, precision, batch=batch, graphs=graphs)
                training.seconds(steps)  # warm up
                found[graphs] = [count / training.seconds(count) for _ in range(repeats)]
            name = str(precision).removeprefix("torch.")
            images = [batch * one for one in found[True]]
            rows.append(
                [str(batch), name, spread(found[False], ".0f"), spread(found[True], ".0f"), spread(images, ",.0f")]
            )
    return rows


def largest_batch(data: DataSet, device: torch.device, most: int) -> int:
    """Return the largest batch, a power of two up to ``most``, with which steps with and without the penalty fit."""
    fits = 0
    batch = 64
    while batch <= min(most, len(data.train)):
        try:
            training_of(data, device, torch.bfloat16, batch=batch).seconds(FIRST)
        except torch.OutOfMemoryError:
            break
        fits = batch
        batch *= 2
    return fits


def trained(data: DataSet, device: torch.device, batch: int, steps: int, seed: int, images: int) -> Trained:
    """Train a whole run and draw images, equally many of each class."""
    training = training_of(data, device, resolve_precision("auto", device), batch=batch, seed=seed)
    first = training.seconds(FIRST, steps)
    seconds = training.seconds(steps - FIRST, steps)
    z = latents(seed, Stream.SAMPLE_LATENTS, 0, images, training.recipe.latent_dim)
    labels = torch.arange(images, device=device) % training.recipe.num_classes
    drawn = training.recipe.draw(torch.from_numpy(z).to(device), labels)
    return Trained(first, seconds, to_uint8(drawn.cpu().numpy()))


def qualities(data: DataSet, device: torch.device, seeds: int, ends: float) -> tuple[list[list[str]], list[str]]:
    """Return a row for each length of run, and a line for each quality with the shortest that reaches it every time."""
    reference = Reference()
    rows = [["batch", "steps", "seconds", f"first {FIRST} steps", "Fréchet digit distance", "n"]]
    worst = {}
    for batch, steps in RUNS:
        runs, distances = [], []
        for seed in range(seeds):
            if time.monotonic() < ends:
                say(f"batch {batch}, {steps} steps, seed {seed} ...")
                runs.append(trained(data, device, batch, steps, seed, IMAGES))
                distances.append(reference.distance(runs[-1].drawn).value)
        if not runs:
            rows.append([str(batch), str(steps), "no time left", "", "", "0"])
            continue
        seconds = spread([run.seconds for run in runs], ".2f")
        firsts = spread([run.first_seconds for run in runs], ".2f")
        rows.append([str(batch), str(steps), seconds, firsts, spread(distances, ".2f"), str(len(runs))])
        told = f"{seconds} s, {steps} steps of batch {batch}, every one of {len(runs)} seeds"
        worst[statistics.median(run.seconds for run in runs), told] = max(distances)
    reached = []
    for quality in QUALITIES:
        shortest = min(((key, told) for (key, told), distance in worst.items() if distance <= quality), default=None)
        reached.append(f"- distance {quality:g}: {shortest[1] if shortest else 'not reached'}")
    return rows, reached


def as_started(device: str, steps: int, seeds: int) -> list[list[str]]:
    """Return a row for each way to watch a run, with its seconds as `inkgan train` counts them."""
    rows = [["`inkgan train`", "steps", "seconds", "steps/s", "n"]]
    for name, settings in WATCHED.items():
        seconds = []
        for seed in range(seeds):
            with tempfile.TemporaryDirectory(prefix="inkgan-gpu-") as folder:
                out = Path(folder) / "run"
                seconds.append(inkgan.train(out=out, steps=steps, seed=seed, device=device, settings=settings).seconds)
        rates = [steps / one for one in seconds]
        rows.append([name, str(steps), spread(seconds, ".1f"), spread(rates, ".0f"), str(seeds)])
    return rows


def under_torchrun(device: str) -> str:
    """Return how a run of one process under torchrun ended; on a GPU it communicates by NCCL."""
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
    parser.add_argument("--seeds", type=int, default=5, help="runs of each length")
    parser.add_argument("--steps", type=int, default=64, help="steps of one timing; eight times as many with graphs")
    parser.add_argument("--repeats", type=int, default=5, help="timings")
    parser.add_argument("--largest", type=int, default=65_536, help="no larger batch is tried")
    parser.add_argument("--whole", type=int, default=2500, help="steps of the runs of the command")
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("PyTorch finds no CUDA device here, so there is nothing to measure.")
    device = torch.device(options.device)
    ends = time.monotonic() + 60 * options.minutes
    data = load("mnist")
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else options.device
    say(f"speeds on {name} ...")
    fast = speeds(data, device, options.steps, options.repeats)
    runs, reached = qualities(data, device, options.seeds, ends)
    say("runs of the command ...")
    started = as_started(options.device, options.whole, min(options.seeds, 3))
    lines = [
        *heading("What a GPU reaches", cores(), f"{name}; median [smallest to largest]"),
        table(fast),
        "",
        table(runs),
        "",
        *reached,
        "",
        table(started),
        "",
        f"Largest batch tried that fits, in bfloat16: {largest_batch(data, device, options.largest):,}.",
        f"One process under torchrun: {under_torchrun(options.device)}.",
    ]
    numbers = {"speeds": fast, "runs": runs, "started": started}
    finish(result_name(f"gpu_{name.lower()}", parser, options, {"device"}), options, "\n".join(lines), numbers)


if __name__ == "__main__":
    main()
