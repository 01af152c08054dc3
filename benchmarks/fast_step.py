"""How well does a step of `fast` and `best` use the processor? FLOP counted, time measured, share of the matmul peak.

    python benchmarks/fast_step.py [--steps 64] [--repeats 5] [--record]

PyTorch counts the FLOP of one step (matrix products and convolutions, forward and backward; a multiplication and an
addition count as two), averaged over a whole period of the lazy penalty. The peak is the best speed of a product of two
2048 × 2048 matrices in the same round, in the precision that a run takes on this machine. The script prints a table,
and how the time of a step of `fast` is divided among operations.
"""

from __future__ import annotations

import argparse
from typing import Any

import torch
from machine import matmul_peak
from report import finish, heading, parser_for, result_name, spread, table
from stepping import Training
from torch.profiler import profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from inkgan.config import Config, resolve
from inkgan.data import load
from inkgan.device import keep_freed_memory, resolve_precision
from inkgan.training.loop import Batches
from inkgan.training.start import build

CPU = torch.device("cpu")
PRECISION = resolve_precision("auto", CPU)
#: The profiler's names of operations, by kind.
KINDS = {
    "convolutions": ("mkldnn_convolution", "convolution_backward"),
    "matrix products": ("aten::mm", "aten::addmm"),
    "leaky ReLU": ("leaky_relu",),
    "Adam": ("fused_adam",),
    "copies and casts": ("aten::copy_",),
}


class FlopCounter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """The sum of PyTorch's own formulas. Its FlopCounterMode also follows modules, which the penalty forbids."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call the operation, and add its cost."""
        result = func(*args, **(kwargs or {}))
        formula = flop_registry.get(func.overloadpacket)
        self.total += formula(*args, **(kwargs or {}), out_val=result) if formula else 0
        return result


def shares(training: Training, every: int) -> dict[str, float]:
    """Return how the time of one period of the penalty, ``every`` steps, is divided among kinds of operations."""
    with profile() as recorded:
        training.seconds(every)
    times = {event.key: event.self_cpu_time_total for event in recorded.key_averages()}
    total = sum(times.values())
    found = {
        kind: sum(spent for name, spent in times.items() if any(part in name for part in parts)) / total
        for kind, parts in KINDS.items()
    }
    return found | {"everything else": 1 - sum(found.values())}


def measured(config: Config, training: Training, options: argparse.Namespace) -> list[str]:
    """Return one recipe's row of the table: FLOP, time, speed, peak and share."""
    every = config.penalty.every
    training.seconds(every)
    with FlopCounter() as counter:
        training.seconds(every)
    flop = counter.total / every
    rounds = [(training.seconds(options.steps) / options.steps, matmul_peak(PRECISION)) for _ in range(options.repeats)]
    seconds = [one for one, _ in rounds]
    peaks = [one for _, one in rounds]
    return [
        config.recipe,
        str(config.batch_size),
        f"{flop / 1e9:.2f}",
        spread([one * 1e3 for one in seconds], ".1f"),
        spread([flop / one / 1e9 for one in seconds], ".0f"),
        spread([one / 1e9 for one in peaks], ".0f"),
        spread([flop / one / peak for one, peak in rounds], ".0%"),
    ]


def main() -> None:
    """Measure and report."""
    parser = parser_for(__doc__ or "")
    parser.add_argument("--steps", type=int, default=64, help="steps of one timing")
    parser.add_argument("--repeats", type=int, default=5, help="timings")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    keep_freed_memory()  # as a run does
    mnist = load("mnist")
    precision = str(PRECISION).removeprefix("torch.")
    rows = [["recipe", "batch", "GFLOP a step", "ms a step", "GFLOP/s", "peak GFLOP/s", "share of peak"]]
    divided: dict[str, float] = {}
    for name in ("fast", "best"):
        config = resolve(options={"recipe": name})
        recipe = build(config, mnist.image_shape, len(mnist.class_names), CPU, PRECISION)
        training = Training(recipe, Batches(mnist, config, CPU))
        rows.append(measured(config, training, options))
        divided = divided or shares(training, config.penalty.every)
    note = f"{precision}; median [smallest to largest] of {options.repeats} rounds"
    lines = [
        *heading("A step of fast and best", options.threads, note),
        table(rows),
        "",
        "Where the time of a step of `fast` goes (PyTorch's profiler, one period of the penalty):",
        "",
        table([["operations", "share"], *([kind, f"{share:.0%}"] for kind, share in divided.items())]),
    ]
    question = f"fast_step_{precision}_{options.threads}-threads"
    finish(result_name(question, parser, options, {"threads"}), options, "\n".join(lines))


if __name__ == "__main__":
    main()
