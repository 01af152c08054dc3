"""How many lines and digits a second does one core draw, and does the memory stay constant? Compared with a peer.

    python benchmarks/writing.py [--lines 256] [--repeats 5] [--long 5000] [--peer PYTHON] [--record]

One thread draws. Speeds are per second of this process's own CPU time, which other programs disturb less than the
clock, although they still share caches and a core's units. Cases take turns.

The peer is TextRecognitionDataGenerator (trdg), which sets printed fonts. To measure it in the same rounds, name the
Python of an environment that has it (`pip install trdg pillow==9.5.0`): six digits at a height of 32, on its
default background, Gaussian noise, with the fonts that it brings.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from machine import Disturbance, hardware, say
from report import finish, heading, parser_for, result_name, spread, table
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

import inkgan
from inkgan.generation.model import Model
from inkgan.generation.writing import in_batches

#: Six digits at a height of 32, dates at 96: the text, the height, and the target in lines a second.
TEXTS = {"six digits": ("dddddd", 32, 400), "a date": ("dddd-dd-dd", 96, 200)}
DIGITS_AIMED_AT = 2500
_PEER = """
import random, sys, time
from trdg.generators import GeneratorFromStrings
random.seed(0)
count = int(sys.argv[1])
texts = [f"{random.randrange(10 ** 6):06d}" for _ in range(count)]
lines = GeneratorFromStrings(texts, count=count, size=32)
next(lines)
start = time.process_time()
made = sum(1 for _ in lines)
print(made / (time.process_time() - start))
"""


def speed(work: Callable[[], object], count: int) -> float:
    """Return how many are made per second of CPU time, if the work makes ``count``."""
    start = time.process_time()
    work()
    return count / (time.process_time() - start)


def write(model: Model, text: str, height: int, legible: float, count: int) -> None:
    """Write that many lines."""
    lines = ((text, writer) for writer in range(count))
    for _ in in_batches(lines, model=model, height=height, legible=legible):
        pass


def peer_speed(python: Path, count: int) -> float:
    """Return the peer's lines per second of CPU time."""
    command = [str(python), "-W", "ignore", "-c", _PEER, str(count)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1])


def cases(options: argparse.Namespace) -> dict[tuple[str, str], tuple[Callable[[], float], int | None]]:
    """Return what is measured, by title and model: a function that measures it, and the target."""
    found: dict[tuple[str, str], tuple[Callable[[], float], int | None]] = {}
    for name in ("best", "fast"):
        model = inkgan.load(name)
        for title, (text, height, aim) in TEXTS.items():
            for legible in (0.0, 0.99):
                work = partial(write, model, text, height, legible, options.lines)
                what = f"{title}, height {height}, legible {legible:g}, lines/s"
                found[what, name] = (partial(speed, work, options.lines), aim)
        digits = 4 * options.lines
        draw = partial(model.sample, digits)
        found["sample, digits/s", name] = (partial(speed, draw, digits), DIGITS_AIMED_AT if name == "best" else None)
    if options.peer:
        found["six digits, height 32, lines/s", "trdg"] = (partial(peer_speed, options.peer, options.lines), None)
    return found


def memory(count: int) -> list[float]:
    """Write that many lines, and return the memory of this process in MiB at each tenth."""
    sizes = []
    written = in_batches((("dddddd", writer) for writer in range(count)), height=32, legible=0)
    for number, _ in enumerate(written, 1):
        if number % max(1, count // 10) == 0:
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            sizes.append(pages * 4096 / 2**20)
    return sizes


def main() -> None:
    """Measure and report."""
    parser = parser_for(__doc__ or "")
    parser.add_argument("--lines", type=int, default=256, help="in each measurement")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--long", type=int, default=5000, help="lines while the memory is watched")
    parser.add_argument("--peer", type=Path, help="the Python of an environment with trdg")
    options = parser.parse_args()
    measured = cases(options)
    rounds: list[dict[str, float]] = []
    disturbed: list[float] = []
    with threadpool_limits(limits=1):
        for number in range(options.repeats):
            watch = Disturbance([os.getpid()])
            rounds.append({" | ".join(key): measure() for key, (measure, _) in measured.items()})
            disturbed.append(watch.share() or 0.0)
            say(f"round {number + 1} of {options.repeats}: other programs used {disturbed[-1]:.0%} of the machine")
        sizes = memory(options.long)
    rows = [["what", "by", "a second", "aimed at"]]
    for title, name in measured:
        aim = measured[title, name][1] if name == "best" else None
        rows.append([title, name, spread([one[f"{title} | {name}"] for one in rounds], ".0f"), str(aim or "")])
    notes = [
        f"median [smallest to largest] of {options.repeats} rounds; per second of the process's own CPU time",
        f"other programs used {spread(disturbed, '.0%')} of the machine in a round",
        f"memory in MiB while {options.long:,} lines of six digits are written, at each tenth: {spread(sizes, '.0f')}",
    ]
    text = "\n".join([*heading("Writing on one core", 1, *notes), table(rows)])
    name = result_name(f"writing_{hardware()}", parser, options, {"peer"})
    finish(name, options, text, {"rounds": rounds, "memory in MiB": sizes})


if __name__ == "__main__":
    main()
