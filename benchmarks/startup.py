"""How long does inkgan take to start? New processes, timed in turns, as ratios to the imports that they cannot avoid.

    python benchmarks/startup.py [--repeats 5] [--record]

Every round starts each process once and divides its time by that of its reference in the same round. The first training
step counts as done when its line is in metrics.jsonl. A first round is not counted: it brings the files into the
system's cache and compiles the modules that Python has not compiled yet.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from machine import Disturbance, hardware, say, wait_for_quiet
from report import finish, heading, parser_for, result_name, spread, table

from inkgan.device import cores

TRAINING_SECONDS = 2


class Case(NamedTuple):
    """One kind of process.

    Attributes:
        title: its name in the table.
        seconds: starts it in an empty folder and returns how long it took.
        reference: the title of the process with which it is compared.
        limit: how many times as long as its reference it may take; None if there is no limit.
        apart: seconds that are subtracted before the comparison.
    """

    title: str
    seconds: Callable[[Path], float]
    reference: str
    limit: float | None = None
    apart: float = 0.0


def python(*arguments: str) -> Callable[[Path], float]:
    """Return what times a whole process of this Python, from its start to its end."""

    def seconds(folder: Path) -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, check=True)
        return time.perf_counter() - start

    return seconds


def first_step(folder: Path) -> float:
    """Time a run until its first step is logged."""
    command = [sys.executable, "-m", "inkgan", "train", "--steps", "1", "--set", "watch.log_every=1", "--out", "run"]
    metrics = folder / "run" / "metrics.jsonl"
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    while not (metrics.exists() and metrics.read_bytes().endswith(b"\n")):
        if process.poll() is not None:
            raise SystemExit(f"training ended before its first step: {process.communicate()[1].decode()}")
        time.sleep(0.002)
    seconds = time.perf_counter() - start
    process.communicate()
    return seconds


NUMPY, TORCH = "import numpy", "import torch"
CASES = (
    Case("python -c pass", python("-c", "pass"), NUMPY),
    Case(NUMPY, python("-c", "import numpy"), NUMPY),
    Case(TORCH, python("-c", "import torch"), TORCH),
    Case("import inkgan", python("-c", "import inkgan"), NUMPY),
    Case("import numpy, inkgan", python("-c", "import numpy, inkgan"), NUMPY, 1.1),
    Case("inkgan --help", python("-m", "inkgan", "--help"), NUMPY),
    Case("inkgan write 2026 -o x.png", python("-m", "inkgan", "write", "2026", "-o", "x.png"), NUMPY, 3.0),
    Case("the first training step is done", first_step, TORCH, 1.4),
    Case(
        f"inkgan train --seconds {TRAINING_SECONDS}, less {TRAINING_SECONDS} s",
        python("-m", "inkgan", "train", "--seconds", str(TRAINING_SECONDS), "--out", "run"),
        TORCH,
        2.0,
        apart=TRAINING_SECONDS,
    ),
)


def measure_round() -> dict[str, float]:
    """Start each process once, in a folder of its own, and return the seconds to compare, by title."""
    times = {}
    for case in CASES:
        with tempfile.TemporaryDirectory(prefix="inkgan-startup-") as folder:
            times[case.title] = case.seconds(Path(folder)) - case.apart
    return times


def rows(rounds: list[dict[str, float]]) -> list[list[str]]:
    """Return the table: seconds, ratio, and whether the ratio is within its limit."""
    cells = [["process", "seconds", "compared with", "ratio", "limit", ""]]
    for case in CASES:
        seconds = [one[case.title] for one in rounds]
        ratios = [one[case.title] / one[case.reference] for one in rounds]
        verdict = ""
        if case.limit is not None:
            verdict = "within" if statistics.median(ratios) <= case.limit else "ABOVE"
        limit = "" if case.limit is None else f"{case.limit:g}"
        cells.append([case.title, spread(seconds, ".2f"), case.reference, spread(ratios, ".2f"), limit, verdict])
    return cells


def main() -> None:
    """Measure and report."""
    parser = parser_for(__doc__ or "")
    parser.add_argument("--repeats", type=int, default=5, help="rounds to measure")
    parser.add_argument("--wait", type=float, default=30, help="seconds to wait for quiet before each round")
    options = parser.parse_args()
    measure_round()
    rounds = []
    shares = []
    for number in range(options.repeats):
        wait_for_quiet(options.wait)
        watch = Disturbance([os.getpid()])
        rounds.append(measure_round())
        shares.append(watch.share() or 0.0)
        say(f"round {number + 1} of {options.repeats}: other programs used {shares[-1]:.0%} of the machine")
    notes = [
        f"median [smallest to largest] of {options.repeats} rounds; ratios are taken within a round",
        f"other programs used {spread(shares, '.0%')} of the machine in a round",
    ]
    text = "\n".join([*heading("Starting", cores(), *notes), table(rows(rounds))])
    finish(result_name(f"startup_{hardware()}", parser, options, {"wait"}), options, text, rounds)


if __name__ == "__main__":
    main()
