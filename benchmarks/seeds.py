"""How good is a recipe, and how often does it fail? Many seeds, each trained and measured in the same way.

    python benchmarks/seeds.py --recipe fast --seeds 20 --jobs 2 --record

It trains every seed and measures 10,000 images of each. With --jobs 1, the default, a run has all processors, and its
training time is meaningful. With more, each has one thread, so as many as there are processors can run in parallel.
A run that diverges counts as failed, and is in no median. Finished runs are kept under --out and used again; a folder
with finished runs of other settings is refused. With --record the table and its numbers are kept under
benchmarks/results, in a file named after the recipe, the data and all settings that differ from the defaults.
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
from inkgan.errors import CheckpointError, DivergenceError
from inkgan.runs import metrics
from inkgan.runs.folder import RunFolder

#: A run has failed if it diverges, if it lacks a class that held-out images have, or if its distance is more than this
#: many times the median.
FAILED = 3.0


def is_done(folder: Path, recipe: str, data: str, seed: int, settings: list[str]) -> bool:
    """Return whether the folder has a complete run with these very settings.

    Raises:
        SystemExit: it has a complete run with others, which must not be lost.
    """
    run = RunFolder(folder)
    if not (run.is_run and (run.pictures / "sheet.png").exists()):
        return False
    asked = resolve(options={"recipe": recipe, "data.name": data, "seed": seed}, overrides=settings)
    try:
        found = differences(run.saved_config(), asked)
    except CheckpointError as error:  # such as the settings of another version
        found = [str(error)]
    if found:
        sys.exit(
            f"{folder} has a complete run with other settings ({'; '.join(found)}).\n"
            f"Keep the runs of this series elsewhere, --out ANOTHER_FOLDER, or remove that run: rm -r {folder}"
        )
    return True


def train(folder: Path, recipe: str, data: str, seed: int, settings: list[str], threads: int) -> Path | None:
    """Train one seed in a process of its own, unless it is already trained.

    Returns:
        Its folder, or None if it diverged.

    Raises:
        subprocess.CalledProcessError: it failed for another reason.
        SystemExit: see :func:`is_done`.
    """
    if not is_done(folder, recipe, data, seed, settings):
        command = [sys.executable, "-m", "inkgan", "train", "--quiet", "--force", "--recipe", recipe]
        command += ["--data", data, "--seed", str(seed), "--out", str(folder)]
        command += [part for setting in settings for part in ("--set", setting)]
        ended = subprocess.run(command, check=False, env=os.environ | {"OMP_NUM_THREADS": str(threads)})
        if ended.returncode == DivergenceError.exit_code:
            say(f"{folder} diverged")
            return None
        ended.check_returncode()
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


def failures(rows: list[dict[str, Any]]) -> list[int]:
    """Return the seeds of the runs that have failed, although they did not diverge."""
    if not rows:
        return []
    limit = FAILED * statistics.median(row["frechet_digit_distance"] for row in rows)
    return [
        row["seed"]
        for row in rows
        if row["frechet_digit_distance"] > limit or row["classes_covered"] < row["floor classes_covered"]
    ]


def report(rows: list[dict[str, Any]], diverged: list[int], commit: str, options: argparse.Namespace) -> str:
    """Return the table of all figures over the seeds; those of runs that diverged have no row, but are named."""
    failed = sorted([*failures(rows), *diverged])
    total = len(rows) + len(diverged)
    count = f"{len(failed)} of {total} runs" + (f", seeds {failed}" if failed else "")
    notes = [
        f"{options.jobs} at a time; n = {options.n} images of each run; median [smallest to largest] over seeds",
        f"failed (diverged, a class missing, or a distance above {FAILED:g} times the median): {count}",
        *([f"diverged, and not in the table: seeds {diverged}"] if diverged else []),
    ]
    cells = [["figure", "value", "real held-out images"]]
    for key in [key for key in (rows[-1] if rows else ()) if not key.startswith("floor ") and key != "seed"]:
        values = [row[key] for row in rows if key in row]
        floor = rows[-1].get(f"floor {key}")
        cells.append([key.replace("_", " "), spread(values, ".4g"), "" if floor is None else f"{floor:.4g}"])
    title = f"{options.recipe} on {options.data}, {total} seeds"
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
    name = result_name(question, parser, options, {"recipe", "data", "out"})
    options.threads = options.threads or (cores() if options.jobs == 1 else 1)

    def arguments(seed: int) -> tuple[Path, str, str, int, list[str]]:
        folder = Path(options.out) / f"{options.recipe}-{Path(options.data).stem}-{seed}"
        return folder, options.recipe, options.data, seed, options.settings

    for seed in range(options.seeds):
        is_done(*arguments(seed))  # refuses the folder before anything is trained
    with ThreadPoolExecutor(options.jobs) as pool:
        folders = list(pool.map(lambda seed: train(*arguments(seed), options.threads), range(options.seeds)))
    whole = {seed: folder for seed, folder in enumerate(folders) if folder is not None}
    diverged = [seed for seed in range(options.seeds) if seed not in whole]
    rows = [{"seed": seed} | measure(folder, options.data, options.n) for seed, folder in whole.items()]
    numbers = [*rows, *({"seed": seed, "diverged": True} for seed in diverged)]
    finish(name, options, report(rows, diverged, commits([*whole.values()]), options), numbers)


if __name__ == "__main__":
    main()
