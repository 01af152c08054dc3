"""How well does a step of `fast` and `best` use the processor? FLOP counted, time measured, share of the matmul peak.

    python benchmarks/fast_step.py [--steps 64] [--repeats 5]

FLOP are those that PyTorch counts in one step (matrix products and convolutions, forward and backward, multiply and add
apart), averaged over a whole period of the lazy penalty. The peak is the best speed of a product of two 2048 × 2048
matrices in the same round and the same precision, the one that a run takes here. Prints a table, and where the time of
a step of `fast` goes.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import torch
from machine import matmul_peak
from torch.profiler import profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from inkgan import data
from inkgan.config import resolve
from inkgan.device import keep_freed_memory, resolve_precision
from inkgan.runs.folder import environment
from inkgan.seeds import BatchOrder
from inkgan.training.compact import Compact
from inkgan.training.recipe import StepInfo

RESULTS = Path(__file__).parent / "results"
PRECISION = resolve_precision("auto", torch.device("cpu"))
#: The profiler's names of operations, by what they are for.
KINDS = {
    "convolutions": ("mkldnn_convolution", "convolution_backward"),
    "matrix products": ("aten::mm", "aten::addmm"),
    "leaky ReLU": ("leaky_relu",),
    "Adam": ("fused_adam",),
    "copies and casts": ("aten::copy_",),
}


class FlopCounter(TorchDispatchMode):
    """PyTorch's own formulas, summed. Its FlopCounterMode also follows modules, which the penalty forbids."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Compute, and add what it costs."""
        result = func(*args, **(kwargs or {}))
        formula = flop_registry.get(func.overloadpacket)
        self.total += formula(*args, **(kwargs or {}), out_val=result) if formula else 0
        return result


class Training:
    """A recipe with its data, ready to step."""

    def __init__(self, recipe: str) -> None:
        self.config = resolve(options={"recipe": recipe})
        mnist = data.load("mnist")
        self.images, self.labels = torch.tensor(mnist.train.images), torch.tensor(mnist.train.labels)
        self.order = BatchOrder(0, len(self.images), self.config.batch_size)
        self.recipe = Compact(self.config, mnist.image_shape, 10, dtype=PRECISION)
        self.done = 0

    def run(self, steps: int) -> float:
        """Do so many steps; returns the seconds they took."""
        start = time.perf_counter()
        for number in range(self.done, self.done + steps):
            indices = torch.from_numpy(self.order.batch(number))
            self.recipe.step(StepInfo(number, number, 0.1), self.images[indices].float() / 255, self.labels[indices])
        self.done += steps
        return time.perf_counter() - start


def shares(training: Training) -> dict[str, float]:
    """How a period of steps divides among kinds of operations."""
    with profile() as recorded:
        training.run(training.config.penalty.every)
    times = {event.key: event.self_cpu_time_total for event in recorded.key_averages()}
    total = sum(times.values())
    found = {
        kind: sum(spent for name, spent in times.items() if any(part in name for part in parts)) / total
        for kind, parts in KINDS.items()
    }
    return found | {"everything else": 1 - sum(found.values())}


def measured(training: Training, options: argparse.Namespace) -> str:
    """FLOP, time, speed, peak and share of one recipe, as cells of a table."""
    every = training.config.penalty.every
    training.run(every)
    with FlopCounter() as counter:
        training.run(every)
    flop = counter.total / every
    rounds = [(training.run(options.steps) / options.steps, matmul_peak(PRECISION)) for _ in range(options.repeats)]
    times = [seconds * 1e3 for seconds, _ in rounds]
    of_peak = [flop / seconds / peak for seconds, peak in rounds]
    middle, peak = statistics.median(times), statistics.median(peak for _, peak in rounds)
    return (
        f"{flop / 1e9:.2f} | {middle:.1f} [{min(times):.1f} to {max(times):.1f}] | {flop / middle / 1e6:.0f} | "
        f"{peak / 1e9:.0f} | {statistics.median(of_peak):.0%} [{min(of_peak):.0%} to {max(of_peak):.0%}]"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    keep_freed_memory()  # as a run does
    about = environment("cpu", torch.get_num_threads(), str(PRECISION).removeprefix("torch."))
    command = f"python {' '.join(['benchmarks/fast_step.py', *sys.argv[1:]])}"
    versions = f"Python {platform.python_version()}, PyTorch {torch.__version__}"
    lines = [
        f"# A step of fast and best, {datetime.date.today()}",
        "",
        f"- `{command}` at commit {str(about['commit'])[:7]}",
        f"- {about['cpu']}, {os.cpu_count()} processors, {about['threads']} threads; {versions}",
        f"- {about['precision']}; median [smallest to largest] of {options.repeats} rounds",
        "",
        "| recipe | batch | GFLOP a step | ms a step | GFLOP/s | peak GFLOP/s | share of peak |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    divided: dict[str, float] = {}
    for name in ("fast", "best"):
        training = Training(name)
        lines.append(f"| {name} | {training.config.batch_size} | {measured(training, options)} |")
        divided = divided or shares(training)
    lines += ["", "Where the time of a step of `fast` goes (PyTorch's profiler, one period of the penalty):", ""]
    lines += [
        "| operations | share |",
        "| --- | --- |",
        *(f"| {kind} | {share:.0%} |" for kind, share in divided.items()),
    ]
    RESULTS.mkdir(exist_ok=True)
    name = f"fast_step_{about['precision']}_{options.threads}-threads_{datetime.date.today()}.md"
    (RESULTS / name).write_text("\n".join(lines) + "\n", "utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
