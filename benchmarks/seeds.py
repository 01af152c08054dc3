"""How good is a recipe, and how often does it fail? Many seeds, each trained and measured by the same ruler.

    python benchmarks/seeds.py --recipe fast --seeds 20 --jobs 2

trains every seed with one thread (so that as many run side by side as there are processors), measures 10,000 images of
each, and writes benchmarks/results/seeds_RECIPE_DATA_DATE.md and .json. With --jobs 1 each run has all processors, and
its training time means something. `--first 2 --seeds 3` trains seeds 2, 3 and 4, and `--earlier FILE.json` puts the
seeds of an earlier result before them, so that a series can grow.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from machine import RESULTS, cpu_features, cpu_model

import inkgan
from inkgan.config import differences
from inkgan.errors import CheckpointError
from inkgan.runs import metrics
from inkgan.runs.folder import RunFolder
from inkgan.training.start import configure

#: A run has failed if a class is missing, or if its distance is more than this many times the median.
FAILED = 3.0


def is_done(folder: Path, recipe: str, **asked: Any) -> bool:
    """Whether a run lies there complete, under these very settings."""
    run = RunFolder(folder)
    if not (run.is_run and (run.pictures / "sheet.png").exists()):
        return False
    try:
        return not differences(run.saved_config(), configure(recipe, **asked)[0])
    except CheckpointError:  # such as the settings of another version
        return False


def train(options: argparse.Namespace, seed: int) -> Path:
    """Train one seed in a process of its own, unless it was already."""
    folder = Path(options.out) / f"{options.recipe}-{options.data}-{seed}"
    if not is_done(folder, options.recipe, data=options.data, seed=seed, settings=options.settings):
        command = [sys.executable, "-m", "inkgan", "train", "--quiet", "--force", "--recipe", options.recipe]
        command += ["--data", options.data, "--seed", str(seed), "--out", str(folder)]
        command += [part for setting in options.settings for part in ("--set", setting)]
        subprocess.run(command, check=True, env=os.environ | {"OMP_NUM_THREADS": str(options.threads)})
    print(f"seed {seed} is trained", file=sys.stderr, flush=True)
    return folder


def measure(folder: Path, options: argparse.Namespace) -> dict[str, float]:
    """The figures of one run, and how long it trained."""
    report = inkgan.evaluate(folder, data=options.data, n=options.n)
    found = {figure.name: figure.value for figure in report.figures}
    floors = {f"floor {figure.name}": figure.floor for figure in report.figures}
    last = metrics.read(folder / "metrics.jsonl")[-1]
    by_class = [one.accuracy.value for one in report.classes if one.accuracy]
    if by_class:  # a generator without labels has none
        found["worst class accuracy"] = min(by_class)
    return found | floors | {"seconds": last["seconds"], "steps": inkgan.load(folder).description["step"]}


def commits(folders: list[Path]) -> str:
    """From which commits the runs are."""
    last = [json.loads((folder / "environment.json").read_text("utf-8"))[-1] for folder in folders]
    return ", ".join(sorted({str(one["commit"])[:10] for one in last}))


def main() -> None:
    """Train, measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="fast")
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--earlier", type=Path, help="a result of the same recipe, whose seeds are counted too")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--set", dest="settings", action="append", default=[])
    parser.add_argument("--out", default="runs/seeds")
    parser.add_argument("--name", default="", help="added to the name of the result")
    parser.add_argument("--threads", type=int, help="of each run (default: all processors, or 1 with several jobs)")
    options = parser.parse_args()
    options.threads = options.threads or (os.cpu_count() or 1 if options.jobs == 1 else 1)
    with ThreadPoolExecutor(options.jobs) as pool:
        seeds = range(options.first, options.first + options.seeds)
        folders = list(pool.map(lambda seed: train(options, seed), seeds))
    rows = json.loads(options.earlier.read_text("utf-8")) if options.earlier else []
    rows += [{"seed": seed} | measure(folder, options) for seed, folder in zip(seeds, folders, strict=True)]
    write(rows, commits(folders), options)


def write(rows: list[dict[str, float]], commit: str, options: argparse.Namespace) -> None:
    """The table as Markdown and JSON."""
    distances = [row["frechet_digit_distance"] for row in rows]
    limit = FAILED * statistics.median(distances)
    failed = [
        row.get("seed", place)
        for place, row in enumerate(rows)
        if row["frechet_digit_distance"] > limit or row["classes_covered"] < 10
    ]
    lines = [
        f"# {options.recipe} on {options.data}, {len(rows)} seeds",
        "",
        (
            f"- `python {' '.join(['benchmarks/seeds.py', *sys.argv[1:]])}`, {datetime.date.today()}, "
            f"new seeds at commit {commit}"
        ),
        (
            f"- {cpu_model()} ({', '.join(cpu_features())}), {os.cpu_count()} processors, {options.jobs} at a time, "
            f"{options.threads} thread(s) each; Python {platform.python_version()}, PyTorch {torch.__version__}"
        ),
        f"- n = {options.n} images of each run; median [smallest to largest] over seeds",
        (
            f"- runs that failed (a class missing, or a distance above {FAILED:g} times the median): {len(failed)} of "
            f"{len(rows)}{f', seeds {failed}' if failed else ''}"
        ),
        *([f"- with the {len(rows) - options.seeds} of `{options.earlier.name}`"] if options.earlier else []),
        "",
        "| figure | value | real held-out images |",
        "| --- | --- | --- |",
    ]
    for key in [key for key in rows[-1] if not key.startswith("floor ") and key != "seed"]:
        values = [row[key] for row in rows if key in row]
        floor = rows[-1].get(f"floor {key}")
        shown = f"{statistics.median(values):.4g} [{min(values):.4g} to {max(values):.4g}]"
        lines.append(f"| {key.replace('_', ' ')} | {shown} | {'' if floor is None else f'{floor:.4g}'} |")
    stem = f"seeds_{options.recipe}_{options.data}{options.name}_{datetime.date.today()}"
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{stem}.md").write_text("\n".join(lines) + "\n", "utf-8")
    (RESULTS / f"{stem}.json").write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
