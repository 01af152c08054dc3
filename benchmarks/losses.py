"""What did a run's losses do? Their medians along it, as a picture and a table.

    python benchmarks/losses.py runs/tutorial-mnist-seed0 docs/pictures/tutorial-losses.png

Each point is the median of what was logged over the 500 steps before it, its bar the middle half. Both axes are
logarithmic, so that the first thousand steps are seen as well as the last ninety thousand.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from board_plot import Line, plot

from inkgan.runs import metrics

WINDOW = 500
NAMES = {
    "loss_real": "D on real images",
    "loss_fake": "D on generated ones",
    "loss_discriminator": "D",
    "loss_generator": "G",
}
MARKS = (1_000, 3_000, 10_000, 30_000, 100_000)
#: Losses below it are drawn at it.
SMALLEST = 1e-4


def losses(run: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Steps and values of each loss that the run logged."""
    lines = metrics.read(run / "metrics.jsonl")
    found = {}
    for key, name in NAMES.items():
        pairs = [(line["step"], line[key]) for line in lines if key in line and line["step"] >= 0]
        if pairs:
            found[name] = (np.array([step for step, _ in pairs]), np.array([value for _, value in pairs]))
    return found


def quartiles(steps: np.ndarray, values: np.ndarray, end: float) -> tuple[float, float, float]:
    """The quartiles of the values logged over the window before a step."""
    low, median, high = np.quantile(values[(steps < end) & (steps >= end - WINDOW)], [0.25, 0.5, 0.75])
    return float(low), float(median), float(high)


def main(run: Path, picture: Path) -> None:
    """Draw the picture, print the table."""
    found = losses(run)
    last = int(max(steps[-1] for steps, _ in found.values())) + 1
    ends = np.geomspace(WINDOW, last, 30)
    lines = [
        Line(name, [(end, *(max(SMALLEST, q) for q in quartiles(*curve, end))) for end in ends])
        for name, curve in found.items()
    ]
    plot(lines, {}, f"Losses of {run.name}", picture, ("steps", "loss"))
    print(f"| step | {' | '.join(found)} |\n| --- |{' --- |' * len(found)}")
    for mark in [mark for mark in MARKS if mark <= last + WINDOW // 10]:
        print(f"| {mark:,} | {' | '.join(f'{quartiles(*curve, mark)[1]:.3f}' for curve in found.values())} |")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python benchmarks/losses.py RUN PICTURE.png")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
