"""What is each ingredient of the fast recipe worth? One change at a time, over seeds, at equal steps.

    python benchmarks/ablation.py --steps 500 --seeds 3 --jobs 2 --record

It trains and measures every variant as benchmarks/seeds.py does, and prints a table. `as it is` is the unchanged
recipe; the variants of the loss after it all train the same network.
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


def report(rows: dict[str, list[dict[str, Any]]], commit: str, options: argparse.Namespace) -> str:
    """Return the table, with a row for each variant."""
    cells = [["variant", *(figure.replace("_", " ") for figure in FIGURES)]]
    for name, own in rows.items():
        measured = [[row[figure] for row in own if figure in row] for figure in FIGURES]
        cells.append([name, *(spread(values) if values else "-" for values in measured)])
    notes = [
        f"{options.jobs} runs side by side",
        f"median [smallest to largest] over {options.seeds} seeds; n = {options.n} images of each run",
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

    def one(task: tuple[int, int]) -> Path:
        number, seed = task
        settings = [*list(VARIANTS.values())[number], f"steps={options.steps}"]
        return seeds.train(Path(options.out) / str(number) / str(seed), "fast", "mnist", seed, settings, threads=1)

    tasks = [(number, seed) for number in range(len(VARIANTS)) for seed in range(options.seeds)]
    with ThreadPoolExecutor(options.jobs) as pool:
        folders = list(pool.map(one, tasks))
    rows = [seeds.measure(folder, "mnist", options.n) for folder in folders]
    by_variant = {name: rows[i * options.seeds : (i + 1) * options.seeds] for i, name in enumerate(VARIANTS)}
    name = result_name(f"ablation_{options.steps}", parser, options, {"steps", "jobs", "out"})
    finish(name, options, report(by_variant, seeds.commits(folders), options), by_variant)


if __name__ == "__main__":
    main()
