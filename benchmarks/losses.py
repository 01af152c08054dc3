"""How did a run's losses develop? Their medians along the run, as a picture and a table.

    python benchmarks/losses.py runs/tutorial-mnist-seed0 docs/pictures/tutorial-losses.png
    python benchmarks/losses.py runs/tutorial-mnist-seed0 docs/pictures/tutorial-losses.zh-CN.png --chinese FONT.ttc

Each point is the median of the values logged in the 500 steps before it; its bar spans the middle half of them. Both
axes are logarithmic, so that the first thousand steps are as visible as the last ninety thousand.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from board_plot import Line, plot
from report import table

from inkgan.runs import metrics

WINDOW = 500
NAMES = {
    "loss_real": "D on real images",
    "loss_fake": "D on generated ones",
    "loss_discriminator": "D",
    "loss_generator": "G",
}
CHINESE = {
    "D on real images": "判别器，真图",
    "D on generated ones": "判别器，生成的图",
    "D": "判别器",
    "G": "生成器",
}
MARKS = (1_000, 3_000, 10_000, 30_000, 100_000)
#: Smaller losses are drawn at this height.
SMALLEST = 1e-4


def losses(run: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return the steps and values of each loss that the run logged."""
    lines = metrics.read(run / "metrics.jsonl")
    found = {}
    for key, name in NAMES.items():
        pairs = [(line["step"], line[key]) for line in lines if key in line and line["step"] >= 0]
        if pairs:
            steps, values = zip(*pairs, strict=True)
            found[name] = (np.array(steps), np.array(values))
    return found


def quartiles(steps: np.ndarray, values: np.ndarray, end: float) -> tuple[float, float, float]:
    """Return the quartiles of the values logged in the window before a step."""
    low, median, high = np.quantile(values[(steps < end) & (steps >= end - WINDOW)], [0.25, 0.5, 0.75])
    return float(low), float(median), float(high)


def main(run: Path, picture: Path, chinese: Path | None) -> None:
    """Draw the picture, in Chinese if there is a font for it, and print the table."""
    found = losses(run)
    last = int(max(steps[-1] for steps, _ in found.values())) + 1
    ends = np.geomspace(WINDOW, last, 30)
    lines = [
        Line(name, [(end, *(max(SMALLEST, q) for q in quartiles(*curve, end))) for end in ends])
        for name, curve in found.items()
    ]
    if chinese is None:
        plot(lines, {}, f"Losses of {run.name}", picture, ("steps", "loss"))
    else:
        translated = [line._replace(name=CHINESE[line.name]) for line in lines]
        plot(translated, {}, f"{run.name} 的损失", picture, ("步数", "损失"), chinese)
    marks = [mark for mark in MARKS if mark <= last + WINDOW // 10]
    rows = [[f"{mark:,}", *(f"{quartiles(*curve, mark)[1]:.3f}" for curve in found.values())] for mark in marks]
    print(table([["step", *found], *rows]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the folder of a run")
    parser.add_argument("picture", type=Path, help="the .png to draw")
    parser.add_argument("--chinese", type=Path, metavar="FONT", help="write Chinese, in the font of this file")
    given = parser.parse_args()
    main(given.run, given.picture, given.chinese)
