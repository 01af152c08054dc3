"""What is each ingredient of the fast recipe worth? One change at a time, over seeds, at equal steps.

    python benchmarks/ablation.py --steps 500 --seeds 3 --jobs 2 --record

It trains and measures every variant as benchmarks/seeds.py does, and prints a table. `as it is` is the unchanged
recipe; the variants of the loss after it all train the same network. A run that diverges is named, and is in no median.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, get_args

import seeds
from report import finish, heading, parser_for, result_name, spread, table

from inkgan.config.schema import Loss

VARIANTS: dict[str, list[str]] = {
    "as it is": [],
    **{f"loss {name}": [f"loss={name}"] for name in get_args(Loss) if name != "relativistic"},
    "loss wgan-gp, one critic step": ["loss=wgan-gp", "critic_steps=1"],
    "R1 alone": ["penalty.on=real"],
    "no penalty": ["penalty.weight=0.0"],
    "penalty ten times as heavy": ["penalty.weight=4.0"],
    "no auxiliary classifier": ["class_weight=0.0"],
    "no labels": ["conditional=false"],
    "no moving average": ["ema_half_life=0.0"],
    "no fading of learning rates": ["fade=0.0"],
    "96 channels in both networks": ["generator.channels=96", "discriminator.channels=96"],
}
FIGURES = ("frechet_digit_distance", "coverage", "accuracy", "seconds")


def report(rows: dict[str, list[dict[str, Any]]], diverged: list[str], commit: str, options: argparse.Namespace) -> str:
    """Return the table, with a row for each variant, below the names of the runs that diverged."""
    cells = [["variant", *(figure.replace("_", " ") for figure in FIGURES)]]
    for name, own in rows.items():
        measured = [[row[figure] for row in own if figure in row] for figure in FIGURES]
        cells.append([name, *(spread(values) if values else "-" for values in measured)])
    notes = [
        f"{options.jobs} runs side by side",
        f"median [smallest to largest] over {options.seeds} seeds; n = {options.n} images of each run",
        *([f"diverged, and not in the table: {'; '.join(diverged)}"] if diverged else []),
    ]
    title = f"Ablation of the fast recipe at {options.steps} steps"
    return "\n".join([*heading(title, 1, *notes, measured_commit=commit), table(cells)])


def main() -> None:
    """Train, measure, and report."""
    parser = parser_for(__doc__ or "")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2, help="runs side by side")
    parser.add_argument("--n", type=int, default=10_000, help="images of each run to measure")
    parser.add_argument("--out", default="runs/ablation", help="where the runs go; complete ones are used again")
    options = parser.parse_args()

    def arguments(name: str, seed: int) -> tuple[Path, str, str, int, list[str]]:
        folder = Path(options.out) / str(list(VARIANTS).index(name)) / str(seed)
        return folder, "fast", "mnist", seed, [*VARIANTS[name], f"steps={options.steps}"]

    tasks = [(name, seed) for name in VARIANTS for seed in range(options.seeds)]
    for task in tasks:
        seeds.is_done(*arguments(*task))  # refuses the folder before anything is trained
    with ThreadPoolExecutor(options.jobs) as pool:
        folders = list(pool.map(lambda task: seeds.train(*arguments(*task), threads=1), tasks))
    whole = {task: folder for task, folder in zip(tasks, folders, strict=True) if folder is not None}
    diverged = [f"{name}, seed {seed}" for name, seed in tasks if (name, seed) not in whole]
    by_variant: dict[str, list[dict[str, Any]]] = {name: [] for name in VARIANTS}
    for (name, _), folder in whole.items():
        by_variant[name].append(seeds.measure(folder, "mnist", options.n))
    file_name = result_name(f"ablation_{options.steps}", parser, options, {"steps", "out"})
    finish(file_name, options, report(by_variant, diverged, seeds.commits([*whole.values()]), options), by_variant)


if __name__ == "__main__":
    main()
