"""How good is a recipe, and how often does it fail? Many seeds, each trained and measured in the same way.

    python benchmarks/seeds.py --recipe fast --seeds 20 --jobs 2 --record

It trains every seed with one thread (so that as many runs as there are processors can run in parallel) and measures
10,000 images of each. With --jobs 1 each run has all processors, and its training time is meaningful.
With --record the table and its numbers are kept under benchmarks/results, in a file named after the recipe, the data
and all settings that differ from the defaults.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from machine import say
from report import finish, heading, parser_for, result_name, spread, table

import inkgan
from inkgan.config import resolve
from inkgan.config.sources import differences
from inkgan.device import cores
from inkgan.errors import CheckpointError
from inkgan.runs import metrics
from inkgan.runs.folder import RunFolder

#: A run has failed if a class is missing, or if its distance is more than this many times the median.
FAILED = 3.0


def is_done(folder: Path, recipe: str, data: str, seed: int, settings: list[str]) -> bool:
    """Return whether the folder has a complete run with these very settings."""
    run = RunFolder(folder)
    if not (run.is_run and (run.pictures / "sheet.png").exists()):
        return False
    asked = resolve(options={"recipe": recipe, "data.name": data, "seed": seed}, overrides=settings)
    try:
        return not differences(run.saved_config(), asked)
    except CheckpointError:  # such as the settings of another version
        return False


def train(folder: Path, recipe: str, data: str, seed: int, settings: list[str], threads: int) -> Path:
    """Train one seed in a process of its own, unless it is already trained, and return its folder."""
    if not is_done(folder, recipe, data, seed, settings):
        command = [sys.executable, "-m", "inkgan", "train", "--quiet", "--force", "--recipe", recipe]
        command += ["--data", data, "--seed", str(seed), "--out", str(folder)]
        command += [part for setting in settings for part in ("--set", setting)]
        subprocess.run(command, check=True, env=os.environ | {"OMP_NUM_THREADS": str(threads)})
    say(f"{folder} is trained")
    return folder


def measure(folder: Path, data: str, n: int) -> dict[str, float]:
    """Return the figures of one run, their values for real held-out images, and the training time."""
    report = inkgan.evaluate(folder, data=data, n=n)
    found = {figure.name: figure.value for figure in report.figures}
    floors = {f"floor {figure.name}": figure.floor for figure in report.figures}
    by_class = [one.accuracy.value for one in report.classes if one.accuracy]
    if by_class:  # a generator without labels has none
        found["worst class accuracy"] = min(by_class)
    seconds = metrics.read(folder / "metrics.jsonl")[-1]["seconds"]
    return found | floors | {"seconds": seconds, "steps": inkgan.load(folder).description["step"]}


def last_start(folder: Path) -> dict[str, Any]:
    """Return the environment of a run's last start: versions, threads, commit."""
    return json.loads((folder / "environment.json").read_text("utf-8"))[-1]


def commits(folders: list[Path]) -> str:
    """Return the commits that trained these runs."""
    return ", ".join(sorted({str(last_start(folder)["commit"])[:10] for folder in folders}))


def report(rows: list[dict[str, Any]], commit: str, options: argparse.Namespace) -> str:
    """Return the table of all figures over the seeds."""
    distances = [row["frechet_digit_distance"] for row in rows]
    limit = FAILED * statistics.median(distances)
    classes = max(row["classes_covered"] for row in rows)
    failed = [row["seed"] for row in rows if row["frechet_digit_distance"] > limit or row["classes_covered"] < classes]
    notes = [
        f"{options.jobs} at a time; n = {options.n} images of each run; median [smallest to largest] over seeds",
        f"failed (a class missing, or a distance above {FAILED:g} times the median): {len(failed)} of {len(rows)} runs"
        + (f", seeds {failed}" if failed else ""),
    ]
    cells = [["figure", "value", "real held-out images"]]
    for key in [key for key in rows[-1] if not key.startswith("floor ") and key != "seed"]:
        values = [row[key] for row in rows if key in row]
        floor = rows[-1].get(f"floor {key}")
        cells.append([key.replace("_", " "), spread(values, ".4g"), "" if floor is None else f"{floor:.4g}"])
    title = f"{options.recipe} on {options.data}, {len(rows)} seeds"
    return "\n".join([*heading(title, options.threads, *notes, measured_commit=commit), table(cells)])


def main() -> None:
    """Train, measure, and report."""
    parser = parser_for(__doc__ or "")
    parser.add_argument("--recipe", default="fast")
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=1, help="runs side by side")
    parser.add_argument("--n", type=int, default=10_000, help="images of each run to measure")
    parser.add_argument("--set", dest="settings", action="append", default=[], help="a setting, KEY=VALUE")
    parser.add_argument("--out", default="runs/seeds", help="where the runs go; those that are complete are used again")
    parser.add_argument("--threads", type=int, help="of each run (default: all processors, or 1 with several jobs)")
    options = parser.parse_args()
    question = f"seeds_{options.recipe}_{Path(options.data).stem}"
    name = result_name(question, parser, options, {"recipe", "data", "jobs", "out", "threads"})
    options.threads = options.threads or (cores() if options.jobs == 1 else 1)

    def one(seed: int) -> Path:
        folder = Path(options.out) / f"{options.recipe}-{Path(options.data).stem}-{seed}"
        return train(folder, options.recipe, options.data, seed, options.settings, options.threads)

    with ThreadPoolExecutor(options.jobs) as pool:
        folders = list(pool.map(one, range(options.seeds)))
    rows = [{"seed": seed} | measure(folder, options.data, options.n) for seed, folder in enumerate(folders)]
    finish(name, options, report(rows, commits(folders), options), rows)


if __name__ == "__main__":
    main()
