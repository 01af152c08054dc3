"""The board: what quality does a GAN reach after how many seconds of training on this machine's processors?

    python benchmarks/time_to_quality.py [--marks 2 10 60] [--seeds 5] [--contestants fast tfgan ...] [--record]

Every contestant learns the same 55,000 digits with the same number of threads, in a process of its own that has the
machine to itself. All are measured in the same way, by the Fréchet digit distance of 10,000 images. The training clock
stops while images are drawn and measured. ``fast`` and ``best`` plan their learning rates for a run's length, so each
of their figures is a whole run of that length; the others have no plan, so one run gives all of their figures.

Finished runs are kept under ``--out`` and not repeated, whatever was committed since: stop and restart the script as
you like, and remove the folder after a change that matters. With --record the report is kept under benchmarks/results.
The tutorial's own graph runs in TensorFlow, in a separate environment, ``.venv-tensorflow``, which is set up if it is
missing.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from board_plot import Line, plot
from machine import DISTURBED, REPOSITORY, RESULTS, Disturbance, commit, hardware, processor, say, wait_for_quiet
from peers import from_64, to_64
from report import finish, heading, parser_for, result_name, spread, table
from tutorial_step import MNIST, tensorflow_python

import inkgan
from inkgan.__main__ import SPIN_COUNT
from inkgan.data import load
from inkgan.device import cores
from inkgan.evaluation.metrics.frechet import frechet_estimate
from inkgan.evaluation.metrics.intervals import Estimate
from inkgan.evaluation.reference import statistics_for
from inkgan.files import write_bytes
from inkgan.images import Images, to_uint8

MARKS = (2, 5, 10, 20, 40, 60, 120)
CONTESTANTS = {
    "tensorflow": "the tutorial in TensorFlow",
    "tutorial": "inkgan: tutorial",
    "dcgan": "DCGAN as in PyTorch's examples",
    "tfgan": "TF-GAN's MNIST example",
    "fast": "inkgan: fast",
    "best": "inkgan: best",
}
PLANNED = ("fast", "best")
PRETRAINED = ("tensorflow", "tutorial")
QUALITIES = (100, 30, 10, 3, 1)
ABOUT = """\
Seconds are of training alone, from the first step on, to the end of the first step that reaches the time. Start-up
(imports, data, networks) is apart; drawing and measuring are left out, and so are everyone's logs and pictures. Each
figure of fast and best is a whole run of that length, because they plan their learning rates for it; the others' are of
one run. The tutorial trains its discriminator alone for its first 300 steps. DCGAN works on 64×64 pixels; see the level
of real digits resized likewise. fast and best learn with the digits' labels, the others without. Peers are rebuilt in
`benchmarks/peers.py` and compute in float32, as they are published. Every contestant in PyTorch keeps freed memory, and
every process has the GOMP_SPINCOUNT that `inkgan` sets, both as in a run. Steps/s are those of the longest runs. The
tutorial's are counted from the last time but one on, if there are two times, because its first 300 steps are
cheap.""".splitlines()


class Run(NamedTuple):
    """One process: the contestant, its seed, and the times at which images are drawn."""

    name: str
    seed: int
    marks: tuple[float, ...]

    @property
    def key(self) -> str:
        """Its name among the kept files."""
        length = f"-{self.marks[-1]:g}s" if self.name in PLANNED else ""
        return f"{self.name}{length}-seed{self.seed}"


class Reference:
    """Measures images against the training images' moments."""

    def __init__(self) -> None:
        self.data = load("mnist")
        self._statistics = statistics_for(self.data)

    def distance(self, images: Images) -> Estimate:
        """Return the Fréchet digit distance of images uint8 [N, 28, 28, 1], with its interval."""
        features = self._statistics.network(images)
        return frechet_estimate(features, self._statistics.train, np.random.default_rng(0))

    def levels(self, count: int, kept: Path) -> dict[str, float]:
        """Return the distances to compare with, measured once: of real held-out digits and of the bundled tutorial.

        Args:
            count: the number of images to measure.
            kept: the file that keeps the distances.
        """
        if kept.exists():
            return json.loads(kept.read_text("utf-8"))
        say("measuring real digits and the bundled model ...")
        real = self.data.test.images[np.random.default_rng(0).permutation(len(self.data.test))[:count]]
        resized = from_64(to_64(torch.from_numpy(real).permute(0, 3, 1, 2) / 255)).permute(0, 2, 3, 1)
        model = inkgan.load("tutorial")
        sets = {
            "real digits": real,
            "real digits through 64×64": to_uint8(resized.numpy()),
            f"the tutorial's {model.description['step']:,} steps": model.sample(count)[..., None],
        }
        levels = {name: self.distance(some).value for name, some in sets.items()}
        write_bytes(kept, json.dumps(levels).encode())
        return levels


def runs(options: argparse.Namespace) -> list[Run]:
    """Return all runs to do, seed by seed, so that a drift of the machine affects every contestant."""
    marks = tuple(sorted(options.marks))
    return [
        Run(name, seed, some)
        for seed in range(options.seeds)
        for name in options.contestants
        for some in ([(mark,) for mark in marks] if name in PLANNED else [marks])
    ]


def command(run: Run, folder: Path, options: argparse.Namespace) -> list[str]:
    """Return the command line of a contestant's process."""
    scripts = REPOSITORY / "benchmarks"
    if run.name == "tensorflow":
        parts = [tensorflow_python(), scripts / "tensorflow_tutorial.py", "--mnist", MNIST]
    else:
        parts = [sys.executable, scripts / "contestant.py", run.name]
    parts += ["--marks", *run.marks, "--images", options.images, "--out", folder]
    return [str(part) for part in [*parts, "--seed", run.seed, "--threads", options.threads]]


def perform(run: Run, options: argparse.Namespace, reference: Reference) -> dict[str, Any] | None:
    """Train and measure one run, or read its kept record; return None if its process failed."""
    settings = {"marks": list(run.marks), "images": options.images, "threads": options.threads, "cpu": processor()}
    kept = options.out / f"{run.key}.json"
    if kept.exists() and (record := json.loads(kept.read_text("utf-8")))["settings"] == settings:
        say(f"{run.key}: kept from before")
        return record
    folder = options.out / run.key
    folder.mkdir(parents=True, exist_ok=True)
    try:
        wait_for_quiet(options.wait)
        messages, startup, others = train(command(run, folder, options), run, folder, options.threads)
    except subprocess.CalledProcessError as error:
        say(f"{run.key}: failed with status {error.returncode}; see {folder / 'log.txt'}")
        return None
    errors = [line["error"] for line in messages if "error" in line]
    record = {
        "contestant": run.name,
        "seed": run.seed,
        "settings": settings,
        "commit": commit(),
        "startup_seconds": startup,
        "others": others,
        "about": messages[0]["about"],
        "error": errors[0] if errors else None,
        "rows": [measured(line, run, reference) for line in messages if "images" in line],
    }
    write_bytes(kept, (json.dumps(record, indent=1) + "\n").encode())
    return record


def train(parts: list[str], run: Run, folder: Path, threads: int) -> tuple[list[dict[str, Any]], float, float | None]:
    """Run a contestant's process; return its messages, its start-up time, and the machine's share that others used.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    born = time.time()
    messages = []
    with (folder / "log.txt").open("w", encoding="utf-8") as log:
        environment = {"GOMP_SPINCOUNT": SPIN_COUNT} | os.environ | {"OMP_NUM_THREADS": str(threads)}
        with subprocess.Popen(parts, stdout=subprocess.PIPE, stderr=log, text=True, env=environment) as process:
            watch = Disturbance([os.getpid(), process.pid])
            for line in process.stdout or ():
                messages.append(json.loads(line))
                if "mark" in messages[-1]:
                    say(f"{run.key}: {messages[-1]['seconds']:.1f} s, {messages[-1]['steps']} steps")
            others = watch.share()
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, parts)
    return messages, messages[0]["began"] - born, others


def measured(line: dict[str, Any], run: Run, reference: Reference) -> dict[str, Any]:
    """Measure the images that a contestant stored, and delete them."""
    path = Path(line.pop("images"))
    distance = reference.distance(np.load(path))
    path.unlink()
    say(f"{run.key}: distance {distance.value:.3g} after {line['seconds']:.1f} s")
    return line | {"distance": distance.value, "interval": [distance.interval.low, distance.interval.high]}


def contestants_of(records: list[dict[str, Any]]) -> list[str]:
    """Return the names of the contestants that have records, in their usual order."""
    return [name for name in CONTESTANTS if any(record["contestant"] == name for record in records)]


def rows_of(records: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """Return a contestant's rows of all seeds."""
    return [row for record in records if record["contestant"] == name for row in record["rows"]]


def at_marks(records: list[dict[str, Any]], name: str, figure: str = "distance") -> dict[float, list[float]]:
    """Return a contestant's distances, or another figure of its rows, at each mark, over seeds."""
    found: dict[float, list[float]] = {}
    for row in rows_of(records, name):
        found.setdefault(row["mark"], []).append(row[figure])
    return dict(sorted(found.items()))


def points(records: list[dict[str, Any]], name: str) -> list[tuple[float, float, float, float]]:
    """Return a contestant's points of the picture: seconds actually trained; smallest, median and largest distance."""
    seconds = at_marks(records, name, "seconds")
    return [
        (statistics.median(seconds[mark]), min(values), statistics.median(values), max(values))
        for mark, values in at_marks(records, name).items()
    ]


def table_over_time(title: str, figure: str, form: str, records: list[dict[str, Any]], seeds: int) -> str:
    """Return a table of a figure of the rows: a table row for each contestant, a column for each time."""
    marks = sorted({row["mark"] for record in records for row in record["rows"]})
    rows = [[title, *(f"{mark:g} s" for mark in marks)]]
    for name in contestants_of(records):
        found = at_marks(records, name, figure)
        rows.append([CONTESTANTS[name], *(with_spread(found.get(mark, []), form, seeds) for mark in marks)])
    return table(rows)


def with_spread(values: list[float], form: str, seeds: int) -> str:
    """Return a median, with the smallest and largest if there are several, and how many are missing."""
    if not values:
        return "broke down"
    text = spread(values, form)
    return text if len(values) == seeds else f"{text}, {seeds - len(values)} broke down"


def speed_table(records: list[dict[str, Any]]) -> str:
    """Return the table of how soon each quality is reached, and how fast each contestant starts and steps."""
    titles = ["start-up, s", "steps/s", "batch", "computes in"]
    rows = [["seconds of training to a distance of", *map(str, QUALITIES), *titles]]
    for name in contestants_of(records):
        medians = {mark: statistics.median(values) for mark, values in at_marks(records, name).items()}
        first = [next((f"{mark:g}" for mark in medians if medians[mark] <= level), "–") for level in QUALITIES]
        own = [record for record in records if record["contestant"] == name and record["rows"]]
        if not own:
            continue
        startup = statistics.median(record["startup_seconds"] for record in own)
        about = own[0]["about"]
        computes = f"{about['arithmetic']}, {about['library']}"
        numbers = [f"{startup:.1f}", spread(speeds(own)), str(about["batch_size"])]
        rows.append([CONTESTANTS[name], *first, *numbers, computes])
    return table(rows)


def speeds(records: list[dict[str, Any]]) -> list[float]:
    """Return the steps/s of each of a contestant's longest runs.

    A run that begins with cheap steps, and was measured twice, has the speed between its last two marks.
    """
    longest = max(record["rows"][-1]["mark"] for record in records)
    found = []
    for record in records:
        *before, last = record["rows"]
        if last["mark"] < longest:
            continue
        steps, seconds = 0, 0.0
        if before and record["contestant"] in PRETRAINED:
            steps, seconds = before[-1]["steps"], before[-1]["seconds"]
        found.append((last["steps"] - steps) / (last["seconds"] - seconds))
    return found


def report(records: list[dict[str, Any]], levels: dict[str, float], options: argparse.Namespace) -> str:
    """Return the whole report."""
    disturbed = sum((record["others"] or 0) > DISTURBED for record in records)
    seeds = f"{options.seeds} seeds, median [smallest to largest]" if options.seeds > 1 else "one seed"
    notes = [
        f"n = {options.images:,} images for each figure, {seeds}; levels: "
        + ", ".join(f"{name} {level:.3g}" for name, level in levels.items()),
        f"others used more than {DISTURBED:.0%} of the machine in {disturbed} of {len(records)} runs",
        *(f"broke down: {r['contestant']}, seed {r['seed']}: {r['error']}" for r in records if r["error"]),
    ]
    commits = ", ".join(sorted({record["commit"] for record in records}))
    head = heading("Time to quality", options.threads, *notes, measured_commit=commits)
    tables = [
        table_over_time("Fréchet digit distance", "distance", ".3g", records, options.seeds),
        table_over_time("steps", "steps", ",.0f", records, options.seeds),
        speed_table(records),
    ]
    return "\n".join([*head, *ABOUT, "", "\n\n".join(tables)])


def publish(records: list[dict[str, Any]], levels: dict[str, float], options: argparse.Namespace, name: str) -> None:
    """Draw the picture and write the report to the folder of the runs, and with ``--record`` to the results."""
    lines = [Line(title, points(records, key)) for key, title in CONTESTANTS.items() if at_marks(records, key)]
    text = report(records, levels, options)
    picture = options.out / f"{name}.png"
    if lines:
        title = f"Time to quality: MNIST, {processor()}, {options.threads} threads"
        plot(lines, levels, title, picture)
        text += f"\n\n![]({picture.name})"
        say(f"wrote {picture}")
        if options.record:
            shutil.copy(picture, RESULTS)
    finish(name, options, text, {"levels": levels, "runs": records})


def main() -> int:
    """Read the command line, do the missing runs, and report."""
    parser = parser_for(__doc__ or "")
    parser.add_argument(
        "--marks",
        type=float,
        nargs="+",
        default=MARKS,
        help="seconds of training at which each contestant is measured; the last is its longest training",
    )
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--contestants", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS))
    parser.add_argument("--threads", type=int, default=cores(), help="of every contestant")
    parser.add_argument("--images", type=int, default=10_000, help="images to measure at each time")
    parser.add_argument("--wait", type=float, default=30, help="seconds to wait for quiet before each run")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "runs" / "board", help="where finished runs are kept")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(options.threads)
    reference = Reference()
    levels = reference.levels(options.images, options.out / f"levels-n{options.images}.json")
    planned = runs(options)
    records = [perform(run, options, reference) for run in planned]
    done = [record for record in records if record is not None]
    if len(done) < len(planned):
        options.record = False
        say("Not all runs succeeded, so nothing is recorded.")
    seconds = "-".join(f"{mark:g}" for mark in sorted(options.marks))
    question = f"time_to_quality_{hardware()}_{seconds}-seconds"
    name = result_name(question, parser, options, {"marks", "wait", "out"})
    publish(done, levels, options, name)
    return int(len(done) < len(planned))


if __name__ == "__main__":
    sys.exit(main())
