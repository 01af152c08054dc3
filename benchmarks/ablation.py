"""What is each ingredient of the fast recipe worth? One change at a time, over seeds, at equal steps.

    python benchmarks/ablation.py --steps 500 --seeds 3 --jobs 2

Trains and measures every variant as benchmarks/seeds.py does and writes a table to benchmarks/results/. The first rows
are the losses on one equal network; `as it is` is the recipe itself.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import statistics
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import get_args

import seeds
import torch
from machine import cpu_features, cpu_model

from inkgan.config import Loss

VARIANTS: dict[str, list[str]] = {
    "as it is": [],
    **{f"loss {name}": [f"loss={name}"] for name in get_args(Loss) if name != "relativistic"},
    "loss wgan-gp, weight 10, every step": ["loss=wgan-gp", "penalty.weight=10.0", "penalty.every=1"],
    "R1 alone": ["penalty.on=real"],
    "no penalty": ["penalty.weight=0.0"],
    "penalty ten times as heavy": ["penalty.weight=1.0"],
    "no auxiliary classifier": ["class_weight=0.0"],
    "no labels": ["conditional=false"],
    "no average": ["ema_half_life=0.0"],
    "no fading of learning rates": ["fade=0.0"],
    "96 channels in both networks": ["generator.channels=96", "discriminator.channels=96"],
}
FIGURES = ("frechet_digit_distance", "coverage", "accuracy", "seconds")


def main() -> None:
    """Train, measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--out", default="runs/ablation")
    options = parser.parse_args()

    def one(number: int, seed: int) -> Path:
        settings = [*list(VARIANTS.values())[number], f"steps={options.steps}"]
        own = argparse.Namespace(
            recipe="fast",
            data="mnist",
            settings=settings,
            jobs=options.jobs,
            threads=1,
            out=f"{options.out}/{number}",
        )
        return seeds.train(own, seed)

    tasks = [(number, seed) for number in range(len(VARIANTS)) for seed in range(options.seeds)]
    with ThreadPoolExecutor(options.jobs) as pool:
        folders = list(pool.map(lambda task: one(*task), tasks))
    how = argparse.Namespace(data="mnist", n=options.n)
    rows = [seeds.measure(folder, how) for folder in folders]
    by_variant = {name: rows[i * options.seeds : (i + 1) * options.seeds] for i, name in enumerate(VARIANTS)}
    write(by_variant, seeds.commits(folders), options)


def write(rows: dict[str, list[dict[str, float]]], commit: str, options: argparse.Namespace) -> None:
    """The table as Markdown and JSON."""
    about = (
        f"commit {commit}; {cpu_model()} ({', '.join(cpu_features())}), {os.cpu_count()} processors, "
        f"{options.jobs} runs side by side with one thread each"
    )
    lines = [
        f"# Ablation of the fast recipe at {options.steps} steps, {datetime.date.today()}",
        "",
        f"- `python {' '.join(['benchmarks/ablation.py', *sys.argv[1:]])}`",
        f"- {about}; Python {platform.python_version()}, PyTorch {torch.__version__}",
        f"- median [smallest to largest] over {options.seeds} seeds; n = {options.n} images of each run",
        "",
        f"| variant | {' | '.join(name.replace('_', ' ') for name in FIGURES)} |",
        f"| --- |{' --- |' * len(FIGURES)}",
    ]
    for name, own in rows.items():
        cells = []
        for figure in FIGURES:
            values = [row[figure] for row in own if figure in row]
            spread = f"{statistics.median(values):.3g} [{min(values):.3g} to {max(values):.3g}]" if values else "-"
            cells.append(spread)
        lines.append(f"| {name} | {' | '.join(cells)} |")
    stem = seeds.RESULTS / f"ablation_{options.steps}_{datetime.date.today()}"
    stem.with_suffix(".md").write_text("\n".join(lines) + "\n", "utf-8")
    stem.with_suffix(".json").write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
