"""Compare the speed of one tutorial step in inkgan with the tutorial's own graph in TensorFlow.

Both sides train the tutorial's networks with its batch of 50 and its order of updates, on real MNIST. They take turns
in one run on the same machine: TensorFlow, inkgan in float32, inkgan in bfloat16 if the processor has units for it, and
again. A round that other programs disturbed is timed again. TensorFlow runs in a separate environment,
``.venv-tensorflow``, which the script sets up if it is missing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from machine import (
    REPOSITORY,
    Disturbance,
    available_cpus,
    commit,
    cpu_features,
    cpu_model,
    hardware,
    matmul_peak,
    say,
    wait_for_quiet,
)
from report import TODAY, finish, parser_for, result_name, spread, table
from torch.utils.flop_counter import FlopCounterMode

from inkgan.config import resolve
from inkgan.data import idx
from inkgan.device import keep_freed_memory, resolve_precision
from inkgan.networks import tutorial as literal
from inkgan.seeds import BatchOrder
from inkgan.training.recipe import StepInfo
from inkgan.training.tutorial import Tutorial

MNIST = REPOSITORY / "src" / "inkgan" / "data" / "mnist"
TENSORFLOW = REPOSITORY / ".venv-tensorflow"
REQUIREMENT = "tensorflow-cpu==2.21.*"
BATCH_SIZE = 50
TARGET = 4.0
PRECISIONS = {"float32": torch.float32}
if resolve_precision("auto", torch.device("cpu")) == torch.bfloat16:  # without units for it, one step takes minutes
    PRECISIONS["bfloat16"] = torch.bfloat16
LABELS = {"tensorflow": "TensorFlow, float32", "float32": "inkgan, float32", "bfloat16": "inkgan, bfloat16"}

# Multiply-accumulates of one image's forward pass, layer by layer.
DISCRIMINATOR = [28 * 28 * 5 * 5 * 32, 14 * 14 * 5 * 5 * 32 * 64, 7 * 7 * 64 * 1024, 1024]
GENERATOR = [100 * 56 * 56, 28 * 28 * 3 * 3 * 50, 28 * 28 * 3 * 3 * 50 * 25, 28 * 28 * 25]
# A 3x3 convolution of stride 2 after a doubling bilinear resize is a 2x2 convolution of the map before the resize.
FOLDED_GENERATOR = [*GENERATOR[:2], 28 * 28 * 2 * 2 * 50 * 25, GENERATOR[3]]


def training_macs(generator: list[int]) -> dict[str, int]:
    """Count the multiply-accumulates of one training step for one image, part by part.

    Neither the images, the latents nor (in the generator's step) the discriminator's weights need gradients.
    """
    g, d = sum(generator), sum(DISCRIMINATOR)
    return {
        "discriminator's step: generator forward": g,
        "discriminator's step: discriminator forward, real and fake": 2 * d,
        "discriminator's step: gradients of weights": 2 * d,
        "discriminator's step: gradients of activations": 2 * (d - DISCRIMINATOR[0]),
        "generator's step: generator forward": g,
        "generator's step: discriminator forward": d,
        "generator's step: gradients through the discriminator": d,
        "generator's step: gradients of weights": g,
        "generator's step: gradients of activations": g - generator[0],
    }


def step_flops(generator: list[int]) -> int:
    """Count the floating-point operations of one training step; 2 per multiply-accumulate."""
    return 2 * BATCH_SIZE * sum(training_macs(generator).values())


def counted_as_written() -> int:
    """Return the operations that PyTorch counts in the step as the lesson writes it; nothing is computed."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        generator, discriminator = literal.Generator(), literal.Discriminator()
        latents = torch.empty(BATCH_SIZE, literal.LATENT_DIM)
        fake = generator(latents).detach()
        for images in (torch.empty(fake.shape), fake):
            torch.autograd.grad(discriminator(images).sum(), list(discriminator.parameters()))
        torch.autograd.grad(discriminator(generator(latents)).sum(), list(generator.parameters()))
    return counter.get_total_flops()


class Ours:
    """inkgan's training loop, ready to run in one precision."""

    def __init__(self, precision: str) -> None:
        self.recipe = Tutorial(resolve(options={"recipe": "tutorial"}), dtype=PRECISIONS[precision])
        self.pixels = idx.read_images(MNIST / "train-images-idx3-ubyte.gz")
        self.order = BatchOrder(seed=0, examples=len(self.pixels), batch_size=BATCH_SIZE)
        self.done = 0

    def run(self, steps: int) -> None:
        """Train for some steps, drawing batches and latents as a run does."""
        for step in range(self.done, self.done + steps):
            real = torch.from_numpy(self.pixels[self.order.batch(step)]).float() / 255
            self.recipe.step(StepInfo(step, step, 0.0), real)
        self.done += steps

    def counted_flops(self) -> int:
        """Return the operations that PyTorch's own counter counts in one step."""
        with FlopCounterMode(display=False) as counter:
            self.run(1)
        return counter.get_total_flops()

    def steps_per_second(self, steps: int) -> float:
        """Train for some steps, and return their speed."""
        start = time.perf_counter()
        self.run(steps)
        return steps / (time.perf_counter() - start)


class TensorFlow:
    """The tutorial's graph in a TensorFlow process that times steps on request."""

    def __init__(self, python: Path, options: argparse.Namespace) -> None:
        command = [python, REPOSITORY / "benchmarks" / "tensorflow_tutorial.py", "--serve", "--mnist", MNIST]
        command += ["--steps", options.steps, "--warmup", options.warmup, "--threads", options.threads or 0]
        self.process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # pages of deprecation notices for version 1
            text=True,
        )
        self.version = self._read()["tensorflow"]

    def _read(self) -> dict[str, Any]:
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(
                f"TensorFlow's process ended with status {self.process.wait()}; to see why, run\n"
                f"{shlex.join(map(str, self.process.args))}"
            )
        return json.loads(line)

    def steps_per_second(self) -> float:
        """Let it time its steps, and return their speed."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self._read()["steps_per_second"]

    def close(self) -> None:
        """End the process."""
        self.process.stdin.close()
        self.process.wait()


def tensorflow_python() -> Path:
    """Return the Python that has TensorFlow, setting up its environment first if it is missing."""
    python, installed = TENSORFLOW / "bin" / "python", TENSORFLOW / "installed"
    if not installed.exists():
        say(f"installing {REQUIREMENT} into {TENSORFLOW.name} ...")
        subprocess.run([sys.executable, "-m", "venv", "--clear", TENSORFLOW], check=True)
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", REQUIREMENT]
        subprocess.run(install, check=True, stdout=sys.stderr)
        installed.touch()  # only now, so that an interrupted installation is repeated
    return python


def measure_rounds(options: argparse.Namespace, ours: dict[str, Ours], rival: TensorFlow | None) -> list[dict]:
    """Time everything in turns until enough rounds were quiet, or too many were not."""
    pids = [os.getpid()] + ([rival.process.pid] if rival else [])
    rounds: list[dict] = []
    quiet = 0
    while quiet < options.repeats and len(rounds) < options.repeats * 3:
        wait_for_quiet(options.busy_limit, options.wait)
        watch = Disturbance(pids)
        rates = {"tensorflow": rival.steps_per_second()} if rival else {}
        rates |= {precision: step.steps_per_second(options.steps) for precision, step in ours.items()}
        peaks = {name: matmul_peak(dtype) for name, dtype in PRECISIONS.items()}
        others = watch.share()
        is_quiet = others is None or others <= options.busy_limit
        quiet += is_quiet
        rounds.append({"steps_per_second": rates, "matmul_peak": peaks, "others": others, "quiet": is_quiet})
        shown = ", ".join(f"{name} {rate:.2f}" for name, rate in rates.items())
        note = "" if is_quiet else f"; again, others used {others:.0%} of the machine"
        say(f"round {len(rounds)}: {shown} steps/s{note}")
    return rounds


def summarise(rounds: list[dict], repeats: int) -> dict[str, Any]:
    """Turn rounds into speeds, ratios within each round, and shares of the peak.

    Rounds that other programs disturbed count only if there were too few others.
    """
    quiet = [r for r in rounds if r["quiet"]]
    used = quiet if len(quiet) >= repeats else rounds
    peaks = {name: max(r["matmul_peak"][name] for r in used) for name in PRECISIONS}
    contenders = {}
    for name in used[0]["steps_per_second"]:
        rates = [r["steps_per_second"][name] for r in used]
        summary: dict[str, Any] = {"steps_per_second": rates}
        if "tensorflow" in used[0]["steps_per_second"]:
            summary["ratio"] = [r["steps_per_second"][name] / r["steps_per_second"]["tensorflow"] for r in used]
        flops = step_flops(GENERATOR if name == "tensorflow" else FOLDED_GENERATOR)
        summary["flops_per_step"] = flops
        summary["flops_per_second"] = flops * statistics.median(rates)
        summary["share_of_peak"] = summary["flops_per_second"] / peaks.get(name, peaks["float32"])
        contenders[name] = summary
    return {
        "rounds_measured": len(rounds),
        "rounds_quiet": len(quiet),
        "rounds_used": len(used),
        "matmul_peak_flops_per_second": peaks,
        "contenders": contenders,
    }


def facts(options: argparse.Namespace, rival: TensorFlow | None) -> dict[str, Any]:
    """Say what was measured, where and with what."""
    return {
        "date": TODAY.isoformat(),
        "command": shlex.join(["python", "benchmarks/tutorial_step.py", *sys.argv[1:]]),
        "commit": commit(),
        "cpu": cpu_model(),
        "cpu_features": cpu_features(),
        "cpus": available_cpus(),
        "threads": options.threads or available_cpus(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "tensorflow": rival.version if rival else None,
        "batch_size": BATCH_SIZE,
        "steps_per_timing": options.steps,
    }


def speed_table(summary: dict[str, Any]) -> str:
    """Write the table of speeds."""
    head = ["", "steps/s", "times TensorFlow", "GFLOP/step", "GFLOP/s", "matmul peak", "share of peak"]
    rows, peaks = [head], summary["matmul_peak_flops_per_second"]
    for name, values in summary["contenders"].items():
        peak = peaks.get(name, peaks["float32"])
        rows.append(
            [
                LABELS[name],
                spread(values["steps_per_second"], ".2f"),
                spread(values["ratio"], ".2f") if "ratio" in values else "not measured",
                f"{values['flops_per_step'] / 1e9:.2f}",
                f"{values['flops_per_second'] / 1e9:.0f}",
                f"{peak / 1e9:.0f}",
                f"{values['share_of_peak']:.0%}",
            ]
        )
    return table(rows)


def flops_table(counted: dict[str, int]) -> str:
    """Write the table of floating-point operations."""
    written, folded = training_macs(GENERATOR), training_macs(FOLDED_GENERATOR)
    rows = [["MFLOP for one image", "as written", "resize folded"]]
    rows += [[part, f"{2 * written[part] / 1e6:.2f}", f"{2 * folded[part] / 1e6:.2f}"] for part in written]
    sums = [2 * sum(macs.values()) / 1e6 for macs in (written, folded)]
    rows.append(["sum", *(f"{value:.2f}" for value in sums)])
    batches = [step_flops(network) / 1e9 for network in (GENERATOR, FOLDED_GENERATOR)]
    checked = f"{counted_as_written() / 1e9:.2f}"
    rows.append([f"sum of a batch of {BATCH_SIZE}, GFLOP", *(f"{value:.2f}" for value in batches)])
    rows.append(["the same counted by PyTorch, GFLOP", checked, ""])
    for precision, flops in counted.items():
        rows.append([f"inkgan's {precision} step, counted by PyTorch, GFLOP", "", f"{flops / 1e9:.2f}"])
    return table(rows)


def verdict(summary: dict[str, Any]) -> str:
    """Say whether the target is reached."""
    contenders = summary["contenders"]
    if "tensorflow" not in contenders:
        return "Verdict: TensorFlow was not measured."
    parts = []
    for precision in PRECISIONS:
        ratio = contenders[precision]["ratio"]
        reached = "reached" if statistics.median(ratio) >= TARGET else "NOT reached"
        parts.append(f"{reached} in {precision}, {spread(ratio, '.2f')} (n = {len(ratio)})")
    caveat = "" if summary["rounds_used"] == summary["rounds_quiet"] else " Other programs disturbed this."
    return f"Verdict: {TARGET:g} times TensorFlow's speed is {'; '.join(parts)}.{caveat}"


def report(record: dict[str, Any]) -> str:
    """Return the whole report."""
    about, summary = record["facts"], record["summary"]
    features = ", ".join(about["cpu_features"]) or "unknown"
    used = f"{summary['rounds_used']} rounds used of {summary['rounds_measured']}"
    disturbed = summary["rounds_measured"] - summary["rounds_quiet"]
    if disturbed:
        kept = "left out" if summary["rounds_used"] < summary["rounds_measured"] else "kept: too few were quiet"
        used += f"; {disturbed} were disturbed by other programs and {kept}"
    tensorflow = about["tensorflow"] or "not measured"
    steps = f"batch of {about['batch_size']}, {about['steps_per_timing']} steps a timing, everything in turns"
    lines = [
        f"# One tutorial step, {about['cpu']}, {about['date']}",
        "",
        f"- `{about['command']}` at commit {about['commit']}",
        f"- {about['cpus']} processors ({features}), {about['threads']} threads",
        f"- Python {about['python']}, PyTorch {about['torch']}, TensorFlow {tensorflow}",
        f"- {steps}; {used}",
        "",
        "Median [smallest to largest]. A ratio is taken within a round. The peak is the best speed of a product",
        "of two 2048 × 2048 matrices in the same rounds, in the row's type. The FLOP are what the graph",
        "needs: as written for TensorFlow, with the second resize folded into its convolution for inkgan.",
        "",
        speed_table(summary),
        "",
        flops_table(record["counted_flops"]),
        "",
        verdict(summary),
    ]
    return "\n".join(lines)


def main() -> None:
    """Read the command line, measure, and report."""
    parser = parser_for(__doc__ or "")
    parser.add_argument("--steps", type=int, default=40, help="steps of one timing")
    parser.add_argument("--repeats", type=int, default=7, help="quiet rounds to measure")
    parser.add_argument("--warmup", type=int, default=10, help="steps before the first timing")
    parser.add_argument("--threads", type=int, help="threads of both sides (default: one for each processor)")
    parser.add_argument("--no-tensorflow", action="store_true", help="leave TensorFlow out")
    parser.add_argument(
        "--busy-limit", type=float, default=0.05, help="share of the machine that others may use in a round"
    )
    parser.add_argument("--wait", type=float, default=60, help="seconds to wait for quiet before each round")
    options = parser.parse_args()
    torch.set_num_threads(options.threads or available_cpus())
    keep_freed_memory()  # as a run does
    rival = None if options.no_tensorflow else TensorFlow(tensorflow_python(), options)
    try:
        ours = {precision: Ours(precision) for precision in PRECISIONS}
        counted = {precision: step.counted_flops() for precision, step in ours.items()}
        for step in ours.values():
            step.run(options.warmup)
        rounds = measure_rounds(options, ours, rival)
    finally:
        if rival:
            rival.close()
    record = {"facts": facts(options, rival), "summary": summarise(rounds, options.repeats)}
    record |= {"counted_flops": counted, "rounds": rounds}
    name = result_name(f"tutorial_step_{hardware()}", parser, options, {"busy_limit", "wait", "threads"})
    finish(name, options, report(record), record)


if __name__ == "__main__":
    main()
