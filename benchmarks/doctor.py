"""How often is the doctor wrong? Thresholds from healthy runs and planted faults; false alarms and finds on others.

    python benchmarks/doctor.py [--work FOLDER] [--workers 2] [--until 22:20] [--refit] [--record] [--write]

It trains short runs, healthy and with planted faults (``doctor_cases.py``), and keeps the series that each logged as
JSON in the work folder; runs that are there already are not trained again, so it can be stopped at any time. From some
seeds it fits the thresholds, and on the others it counts: false alarms a run, faults found, steps until they are found.
Then it trains each fault with the doctor's remedy. ``--write`` writes ``thresholds.json`` and the table in
docs/doctor.md; ``--refit`` trains nothing but the remedies.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from doctor_cases import FAULTS, Case, healthy, series, whole
from machine import say

#: Seeds below the first number fit the thresholds; those from it to below the second are counted.
SEEDS = {"healthy": (60, 360), "whole": (4, 12)} | dict.fromkeys(FAULTS, (5, 30))


def case_of(kind: str, seed: int) -> Case:
    """A run by its kind and seed."""
    if kind == "healthy":
        return healthy(seed)
    return whole(seed) if kind == "whole" else FAULTS[kind][0](seed)


def path_of(work: Path, kind: str, seed: int) -> Path:
    """Where the series of a run is kept."""
    return work / f"{kind}-{seed:03d}.json"


def train_one(work: Path, kind: str, seed: int) -> None:
    """Train a run and keep its series; the file appears whole."""
    config, lines = series(case_of(kind, seed), seed)
    path = path_of(work, kind, seed)
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text(json.dumps({"config": config.model_dump(mode="json"), "lines": lines}), "utf-8")
    temporary.replace(path)


def collect(work: Path, workers: int, until: str | None) -> None:
    """Train what is missing, all kinds at the same pace, until it is done or the time has come."""
    work.mkdir(parents=True, exist_ok=True)
    tasks = [
        (seed / last, kind, seed)
        for kind, (_, last) in SEEDS.items()
        for seed in range(last)
        if not path_of(work, kind, seed).exists()
    ]
    end = None
    if until:
        now = datetime.datetime.now().astimezone()
        hour, minute = map(int, until.split(":"))
        end = now.replace(hour=hour, minute=minute, second=0)
    queue = sorted(tasks)
    with ProcessPoolExecutor(workers) as pool:
        running = {}
        done = 0
        while queue or running:
            late = end is not None and datetime.datetime.now().astimezone() >= end
            while queue and len(running) < workers and not late:
                _, kind, seed = queue.pop(0)
                running[pool.submit(train_one, work, kind, seed)] = (kind, seed)
            if not running:
                break
            finished = next(as_completed(running))
            finished.result()
            kind, seed = running.pop(finished)
            done += 1
            if done % 20 == 0:
                say(f"{done} of {len(tasks)}: {kind} {seed} at {datetime.datetime.now():%H:%M:%S}")


def main() -> None:
    """Collect, fit, count, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "inkgan-doctor")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--until", help="train no new run after this time of day, such as 22:20")
    parser.add_argument("--refit", action="store_true", help="train nothing")
    options = parser.parse_args()
    if not options.refit:
        collect(options.work, options.workers, options.until)


if __name__ == "__main__":
    sys.exit(main())
