"""Compare the speed of one tutorial step in inkgan with the tutorial's own graph in TensorFlow.

    python benchmarks/tutorial_step.py [--steps 40] [--repeats 7] [--wait 60] [--record]

Both sides train the tutorial's networks with its batch of 50 and its order of updates, on real MNIST. They take turns
in one run on the same machine: TensorFlow, inkgan in float32, inkgan in bfloat16 if the processor has units for it, and
again. A round that other programs disturbed is timed again. PyTorch counts the FLOP of a step: for TensorFlow those of
the tutorial's networks in literal PyTorch, for inkgan those of the step that it computes. TensorFlow runs in a separate
environment, ``.venv-tensorflow``, which the script sets up if it is missing.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from machine import DISTURBED, REPOSITORY, Disturbance, hardware, matmul_peak, say, wait_for_quiet
from report import finish, heading, parser_for, result_name, spread, table
from stepping import Training
from torch.utils.flop_counter import FlopCounterMode

from inkgan.config import resolve
from inkgan.data import load
from inkgan.device import cores, keep_freed_memory, resolve_precision
from inkgan.networks import tutorial as literal
from inkgan.training.loop import Batches
from inkgan.training.start import build

MNIST = REPOSITORY / "src" / "inkgan" / "data" / "mnist"
TENSORFLOW = REPOSITORY / ".venv-tensorflow"
REQUIREMENT = "tensorflow-cpu==2.21.*"
CPU = torch.device("cpu")
CONFIG = resolve(options={"recipe": "tutorial"})
PRECISIONS = {"float32": torch.float32}
if resolve_precision("auto", CPU) == torch.bfloat16:  # without units for it, one step takes minutes
    PRECISIONS["bfloat16"] = torch.bfloat16


class TensorFlow:
    """The tutorial's graph in a TensorFlow process that times steps on request."""

    def __init__(self, python: Path, options: argparse.Namespace) -> None:
        command = [python, REPOSITORY / "benchmarks" / "tensorflow_tutorial.py", "--mnist", MNIST]
        command += ["--steps", options.steps, "--warmup", options.warmup, "--threads", options.threads or 0]
        self._command = [str(part) for part in command]
        self.process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # pages of deprecation notices for version 1
            text=True,
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._requests, self._answers = self.process.stdin, self.process.stdout
        self.version = self._read()["tensorflow"]

    def _read(self) -> dict[str, Any]:
        line = self._answers.readline()
        if not line:
            raise SystemExit(
                f"TensorFlow's process ended with status {self.process.wait()}; to see why, run\n"
                f"{shlex.join(self._command)}"
            )
        return json.loads(line)

    def steps_per_second(self) -> float:
        """Let it time its steps, and return their speed."""
        self._requests.write("\n")
        self._requests.flush()
        return self._read()["steps_per_second"]


def tensorflow_python() -> Path:
    """Return the Python that has TensorFlow, setting up its environment first if it is missing."""
    python, installed = TENSORFLOW / "bin" / "python", TENSORFLOW / "installed"
    if not installed.exists():
        say(f"installing {REQUIREMENT} into {TENSORFLOW.name} ...")
        subprocess.run([sys.executable, "-m", "venv", "--clear", TENSORFLOW], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", REQUIREMENT]
        subprocess.run(install, check=True, stdout=sys.stderr)
        installed.touch()  # only now, so that an interrupted installation is repeated
    return python


def flop_as_written() -> int:
    """Return the operations that PyTorch counts in the step as the tutorial writes it; nothing is computed."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        generator, discriminator = literal.Generator(), literal.Discriminator()
        latents = torch.empty(CONFIG.batch_size, literal.LATENT_DIM)
        fake = generator(latents).detach()
        for images in (torch.empty(fake.shape), fake):
            torch.autograd.grad(discriminator(images).sum(), list(discriminator.parameters()))
        torch.autograd.grad(discriminator(generator(latents)).sum(), list(generator.parameters()))
    return counter.get_total_flops()


def flop_of(training: Training) -> int:
    """Return the operations that PyTorch counts in one step of inkgan."""
    with FlopCounterMode(display=False) as counter:
        training.seconds(1)
    return counter.get_total_flops()


def measure_rounds(options: argparse.Namespace, ours: dict[str, Training], rival: TensorFlow) -> list[dict[str, Any]]:
    """Time everything in turns until enough rounds were quiet, or too many were not."""
    rounds: list[dict[str, Any]] = []
    quiet = 0
    while quiet < options.repeats and len(rounds) < options.repeats * 3:
        wait_for_quiet(options.wait)
        watch = Disturbance([os.getpid(), rival.process.pid])
        rates = {"TensorFlow": rival.steps_per_second()}
        rates |= {precision: options.steps / training.seconds(options.steps) for precision, training in ours.items()}
        peaks = {name: matmul_peak(dtype) for name, dtype in PRECISIONS.items()}
        others = watch.share()
        is_quiet = others is None or others <= DISTURBED
        quiet += is_quiet
        rounds.append({"steps_per_second": rates, "matmul_peak": peaks, "others": others, "quiet": is_quiet})
        shown = ", ".join(f"{name} {rate:.2f}" for name, rate in rates.items())
        note = "" if is_quiet else f"; again, others used {others:.0%} of the machine"
        say(f"round {len(rounds)}: {shown} steps/s{note}")
    return rounds


def speed_table(rounds: list[dict[str, Any]], flop: dict[str, int]) -> str:
    """Return the table of speeds, ratios within each round, and shares of the peak."""
    rows = [["", "steps/s", "times TensorFlow", "GFLOP/step", "GFLOP/s", "matmul peak", "share of peak"]]
    for name, each in flop.items():
        dtype = name if name in PRECISIONS else "float32"
        rates = [one["steps_per_second"][name] for one in rounds]
        ratios = [one["steps_per_second"][name] / one["steps_per_second"]["TensorFlow"] for one in rounds]
        speed = each * statistics.median(rates)
        peak = max(one["matmul_peak"][dtype] for one in rounds)
        title = f"inkgan, {dtype}" if name in PRECISIONS else f"{name}, {dtype}"
        numbers = [f"{each / 1e9:.2f}", f"{speed / 1e9:.0f}", f"{peak / 1e9:.0f}", f"{speed / peak:.0%}"]
        rows.append([title, spread(rates, ".2f"), spread(ratios, ".2f"), *numbers])
    return table(rows)


def main() -> None:
    """Read the command line, measure, and report."""
    parser = parser_for(__doc__ or "")
    parser.add_argument("--steps", type=int, default=40, help="steps of one timing")
    parser.add_argument("--repeats", type=int, default=7, help="quiet rounds to measure")
    parser.add_argument("--warmup", type=int, default=10, help="steps before the first timing")
    parser.add_argument("--threads", type=int, help="threads of both sides (default: one for each processor)")
    parser.add_argument("--wait", type=float, default=60, help="seconds to wait for quiet before each round")
    options = parser.parse_args()
    threads = options.threads or cores()
    torch.set_num_threads(threads)
    keep_freed_memory()  # as a run does
    rival = TensorFlow(tensorflow_python(), options)
    with rival.process:  # at the end, its input is closed, which ends it
        mnist = load("mnist")
        ours = {}
        for name, precision in PRECISIONS.items():
            recipe = build(CONFIG, mnist.image_shape, 10, CPU, precision)
            ours[name] = Training(recipe, Batches(mnist, CONFIG, CPU))
        flop = {"TensorFlow": flop_as_written()} | {name: flop_of(training) for name, training in ours.items()}
        for training in ours.values():
            training.seconds(options.warmup)
        rounds = measure_rounds(options, ours, rival)
    quiet = [one for one in rounds if one["quiet"]]
    used = quiet if len(quiet) >= options.repeats else rounds
    notes = [
        f"TensorFlow {rival.version}; batch of {CONFIG.batch_size}, {options.steps} steps a timing, all in turns",
        f"{len(rounds)} rounds, {len(quiet)} of them without disturbance by other programs; {len(used)} are used",
        "median [smallest to largest]; ratios are taken within a round",
        "peak: the best speed of a product of two 2048 × 2048 matrices in the same rounds, in the row's type",
    ]
    text = "\n".join([*heading("One tutorial step", threads, *notes), speed_table(used, flop)])
    name = result_name(f"tutorial_step_{hardware()}", parser, options, {"wait"})
    finish(name, options, text, {"flop": flop, "rounds": rounds})


if __name__ == "__main__":
    main()
