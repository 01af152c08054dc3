"""How often is the doctor wrong? Fit thresholds on some healthy and ill runs, count false alarms and finds on others.

    python benchmarks/doctor.py [--work FOLDER] [--workers 2] [--runs FOLDER ...] [--refit] [--write] [--record]

It trains short runs, healthy and with planted faults (``doctor_cases.py``), and keeps the series that each logged as
JSON in the work folder. Runs that are there already are not trained again, so it can be stopped at any time. It fits
the thresholds on some seeds and counts on the others: false alarms per run, faults found, steps until they are found.
Then it trains each fault with the doctor's remedy. ``--runs`` also counts the false alarms of whole runs of ``fast``
that `inkgan train` or benchmarks/seeds.py made. ``--write`` writes ``thresholds.json`` and the table in docs/doctor.md;
``--refit`` trains nothing. Some of the healthy runs learn Fashion-MNIST, which is downloaded, or found with
INKGAN_DATA=/usr/share/datasets after `apt install dataset-fashion-mnist`.
"""

from __future__ import annotations

import dataclasses
import json
import math
import statistics
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from doctor_cases import FAULTS, STEPS, Case, Line, healthy, recipes, series, whole
from machine import REPOSITORY, commit, processor, say
from report import TODAY, finish, heading, parser_for, result_name, table

from inkgan.config import Config
from inkgan.config.sources import from_saved
from inkgan.evaluation.metrics.intervals import binomial
from inkgan.files import write_bytes
from inkgan.runs import metrics
from inkgan.runs.folder import RunFolder
from inkgan.training.doctor import Diagnosis, Doctor
from inkgan.training.doctor.judgement import THRESHOLDS
from inkgan.training.doctor.rules import RULES, Rule

#: For each kind of run: the first seed, the first seed that is counted, and the end. The seeds before the counted ones
#: fit the thresholds; seeds below the first were used while the rules were developed. Whole runs of ``fast`` are not
#: trained here, but passed in.
SEEDS = {
    "healthy": (4000, 4256, 4856),
    "whole": (80, 84, 92),
    "recipes": (32, 32, 40),
    "fast": (0, 0, 0),
} | dict.fromkeys(FAULTS, (260, 280, 305))

SOUND = ("healthy", "whole", "recipes", "fast")
MENDED = "what was broken is mended"
NOT_FOUND = "none, because nothing was found"
#: The seeds with which each remedy is tried; nothing else uses them.
REMEDY_SEEDS = range(305, 310)
#: A threshold lies half way between the worst healthy run and the mildest ill one, but at most this factor, or this
#: difference, beyond the worst healthy run, because a planted fault is more extreme than faults in practice.
_FACTOR = 5.0
_DIFFERENCE = 0.5
#: The rules whose values are ratios, so that half and double are equally far from 1.
RATIOS = {
    "blown-up", "discriminator-wins", "standing-still", "collapsed", "learning-rate", "few-images",
}  # fmt: skip
#: Healthy values that no run here reaches. The images of all have clear ink, which gives -1 or 1.
UNREACHED = {"dark-ink": [0.0]}


class Run(NamedTuple):
    """A run and its series."""

    kind: str
    seed: int
    config: Config
    lines: Sequence[Line]


def case_of(kind: str, seed: int) -> Case:
    """Return the case of a run's kind and seed."""
    if kind == "healthy":
        return healthy(seed)
    others = {"whole": whole, "recipes": recipes}
    return others[kind](seed) if kind in others else FAULTS[kind][0](seed)


def path_of(work: Path, kind: str, seed: int) -> Path:
    """Return the path at which the series of a run is kept."""
    return work / f"{kind}-{seed:03d}.json"


def keep(path: Path, case: Case, seed: int, **more: Any) -> Path:
    """Train a run, keep its series in a file that appears whole, and return this file."""
    config, lines = series(case, seed)
    write_bytes(path, json.dumps({"config": config.model_dump(mode="json"), "lines": lines, **more}).encode())
    return path


def train_one(work: Path, kind: str, seed: int) -> Path:
    """Train the run of a kind and a seed, keep its series, and return its file."""
    return keep(path_of(work, kind, seed), case_of(kind, seed), seed)


def collect(work: Path, workers: int) -> None:
    """Train the missing runs, all kinds at the same pace."""
    work.mkdir(parents=True, exist_ok=True)
    tasks = sorted(
        ((seed - first) / (end - first), kind, seed)
        for kind, (first, _, end) in SEEDS.items()
        for seed in range(first, end)
        if not path_of(work, kind, seed).exists()
    )
    kinds = [kind for _, kind, _ in tasks]
    seeds = [seed for _, _, seed in tasks]
    with ProcessPoolExecutor(workers) as pool:
        for done, path in enumerate(pool.map(partial(train_one, work), kinds, seeds), 1):
            if done % 20 == 0:
                say(f"{done} of {len(tasks)}: {path.stem}")


def read_all(work: Path) -> list[Run]:
    """Return the runs in the work folder, without those of remedies."""
    runs = []
    for kind, (first, _, end) in SEEDS.items():
        for seed in range(first, end):
            path = path_of(work, kind, seed)
            if path.exists():
                content = json.loads(path.read_text("utf-8"))
                runs.append(Run(kind, seed, from_saved(content["config"]), content["lines"]))
    return runs


def read_folders(folders: Sequence[Path]) -> list[Run]:
    """Return the whole runs of ``fast`` in these run folders."""
    runs = []
    for folder in folders:
        config = RunFolder(folder).saved_config()
        runs.append(Run("fast", config.seed, config, metrics.read(folder / "metrics.jsonl")))
    return runs


def is_for_fitting(run: Run) -> bool:
    """Return whether thresholds are fitted on this run; otherwise it is counted."""
    return run.seed < SEEDS[run.kind][1]


def worst(rule: Rule, run: Run) -> float | None:
    """Return the worst value that a run holds for as long as the rule's patience asks; None if none is judged.

    The rule is ill on the run if and only if this value is beyond the threshold.
    """
    values: list[float] = []

    def noted(line: Mapping[str, float], config: Config) -> float | None:
        value = rule.value(line, config)
        if value is not None:
            values.append(value)
        return value

    doctor = Doctor(run.config)
    beyond_all = math.inf if rule.above else -math.inf  # no value is ill
    doctor.diagnoses = [Diagnosis(dataclasses.replace(rule, value=noted), beyond_all, applies=True)]
    for line in run.lines:
        doctor.judge(int(line["step"]), line)
    lasting, extreme = (min, max) if rule.above else (max, min)
    windows = [lasting(values[i : i + rule.patience]) for i in range(len(values) - rule.patience + 1)]
    return extreme(windows) if windows else None


def fit(runs: Sequence[Run]) -> dict[str, float]:
    """Return the threshold of each rule: half way between the worst healthy and the mildest ill run for fitting."""
    found = {}
    for rule in RULES:
        if rule.threshold is not None:
            found[rule.name] = rule.threshold
            continue
        faults = [name for name, (_, rules) in FAULTS.items() if rule.name in rules]
        sound = [worst(rule, run) for run in runs if is_for_fitting(run) and run.kind in ("healthy", "whole")]
        ill = [worst(rule, run) for run in runs if is_for_fitting(run) and run.kind in faults]
        sound += UNREACHED.get(rule.name, [])
        found[rule.name] = between(rule, [x for x in sound if x is not None], [x for x in ill if x is not None])
    return found


def between(rule: Rule, sound: Sequence[float], ill: Sequence[float]) -> float:
    """Return the point half way between the worst sound value and the mildest ill one, on the rule's scale."""
    sign = 1.0 if rule.above else -1.0
    is_ratio = rule.name in RATIOS
    scale = (lambda x: math.log(max(x, 1e-12))) if is_ratio else (lambda x: x)
    edge = max(sign * scale(x) for x in sound)
    gap = min(sign * scale(x) for x in ill) - edge
    if gap <= 0:
        say(f"{rule.name}: healthy and ill runs overlap")
    at = sign * (edge + min(max(gap, 0.0) / 2, math.log(_FACTOR) if is_ratio else _DIFFERENCE))
    return float(f"{math.exp(at) if is_ratio else at:.3g}")


def alarms(run: Run, thresholds: Mapping[str, float]) -> dict[str, int]:
    """Return the rules that find something in a run, with the first step at which each does."""
    doctor = Doctor(run.config, thresholds=thresholds)
    found: dict[str, int] = {}
    for line in run.lines:
        for finding in doctor.judge(int(line["step"]), line):
            found.setdefault(finding.rule.name, finding.step)
    return found


def share(hits: int, count: int) -> str:
    """Return a share with its exact interval, in percent."""
    if not count:
        return "none ran"
    interval = binomial(hits, count, "exact").interval
    return f"{hits} of {count} [{interval.low:.1%}, {interval.high:.1%}]"


def remedied(name: str, seed: int, thresholds: Mapping[str, float]) -> tuple[Case, str]:
    """Return a fault's run with the doctor's remedy, and that remedy.

    If the remedy is not a setting, the fault is not a setting either, and the remedy is to remove the fault. If the
    doctor does not find the fault, there is no remedy to try.
    """
    maker, rules = FAULTS[name]
    case = maker(seed)
    config, lines = series(case, seed)
    doctor = Doctor(config, thresholds=thresholds)
    found = [finding for line in lines for finding in doctor.judge(int(line["step"]), line)]
    own = [finding for rule in rules for finding in found if finding.rule.name == rule]
    if not own:
        return case, NOT_FOUND
    settings = dict(setting.split("=") for setting in own[0].remedy.settings)
    if settings.pop("data.ink", None) == "auto":
        return dataclasses.replace(case, data="inverted-auto"), "data.ink=auto"
    if not settings:
        return Case(case.settings, case.data), MENDED
    numbers = {key: int(value) if key == "batch_size" else float(value) for key, value in settings.items()}
    said = " ".join(f"--set {key}={value}" for key, value in settings.items())
    return dataclasses.replace(case, settings={**case.settings, **numbers}, steps=STEPS), said


def remedy_run(work: Path, name: str, seed: int, thresholds: Mapping[str, float]) -> dict[str, Any]:
    """Train a fault with its remedy, or read the kept result; the series is kept like the others."""
    path = path_of(work, f"remedy-{name}", seed)
    if not path.exists():
        case, said = remedied(name, seed, thresholds)
        keep(path, case, seed, said=said)
    return json.loads(path.read_text("utf-8"))


def try_remedies(
    work: Path, workers: int, thresholds: Mapping[str, float], train: bool
) -> dict[str, list[tuple[str, dict[str, int]]]]:
    """Return for each fault the remedy and what the doctor finds with it, by seed."""
    tasks = [(name, seed) for name in FAULTS for seed in REMEDY_SEEDS]
    if not train:
        tasks = [task for task in tasks if path_of(work, f"remedy-{task[0]}", task[1]).exists()]
    found: dict[str, list[tuple[str, dict[str, int]]]] = {name: [] for name in FAULTS}
    with ProcessPoolExecutor(workers) as pool:
        jobs = [(name, seed, pool.submit(remedy_run, work, name, seed, thresholds)) for name, seed in tasks]
        for name, seed, job in jobs:
            content = job.result()
            run = Run(name, seed, from_saved(content["config"]), content["lines"])
            found[name].append((content["said"], alarms(run, thresholds)))
    return found


def rows_of_rules(runs: Sequence[Run], thresholds: Mapping[str, float]) -> Iterator[list[str]]:
    """Yield a row for each rule: its threshold, and the values of healthy and ill runs."""
    yield ["rule", "ill", "from step", "in a row", "worst of healthy", "false alarms"]
    counted = [run for run in runs if run.kind in SOUND and not is_for_fitting(run)]
    for rule in RULES:
        values = [value for run in counted if (value := worst(rule, run)) is not None]
        extreme = (max if rule.above else min)(values)
        false = sum(rule.is_ill(value, thresholds[rule.name]) for value in values)
        sign = "above" if rule.above else "below"
        start = "any" if rule.grace < 0 else f"{rule.grace}"
        ill = f"{sign} {thresholds[rule.name]:.3g}"
        yield [f"`{rule.name}`", ill, start, str(rule.patience), f"{extreme:.3g}", f"{false} of {len(values)}"]


def rows_of_faults(
    runs: Sequence[Run], thresholds: Mapping[str, float], remedies: Mapping[str, list[tuple[str, dict[str, int]]]]
) -> Iterator[list[str]]:
    """Yield a row for each fault: how often it is found, how soon, and whether the remedy ends it."""
    yield ["planted fault", "has to be found by", "found", "steps to the alarm", "other rules", "remedy", "alarm ends"]
    for name, (maker, rules) in FAULTS.items():
        counted = [alarms(run, thresholds) for run in runs if run.kind == name and not is_for_fitting(run)]
        steps = [min(found[rule] for rule in rules if rule in found) for found in counted if set(rules) & found.keys()]
        others = sorted({other for found in counted for other in found} - set(rules))
        soon = f"{statistics.median(steps):.0f} [{min(steps)} to {max(steps)}]" if steps else "-"
        tried = [(said, found) for said, found in remedies[name] if said != NOT_FOUND]
        said = tried[0][0] if tried else "not tried"
        ended = sum(not set(rules) & found.keys() for _, found in tried)
        new = Counter(rule for _, found in tried for rule in found if rule not in rules)
        rest = f"{ended} of {len(tried)}" + "".join(f", {rule} in {count}" for rule, count in sorted(new.items()))
        doc = (maker.__doc__ or "").strip().rstrip(".")
        named = ", ".join(f"`{rule}`" for rule in rules)
        yield [doc, named, share(len(steps), len(counted)), soon, ", ".join(others) or "-", said, rest]


def report(runs: Sequence[Run], thresholds: Mapping[str, float], remedies: Any) -> str:
    """Return the two tables with the text around them."""
    counted = {kind: [run for run in runs if run.kind == kind and not is_for_fitting(run)] for kind in SEEDS}
    fitted = {kind: sum(is_for_fitting(run) for run in runs if run.kind == kind) for kind in SEEDS}
    false = {kind: sum(bool(alarms(run, thresholds)) for run in counted[kind]) for kind in SOUND}
    names = sorted({name for kind in false for run in counted[kind] for name in alarms(run, thresholds)})
    intro = (
        f"**False alarms: {share(false['healthy'], len(counted['healthy']))} of the healthy short runs had any**, "
        f"{share(false['whole'], len(counted['whole']))} of whole ones of 2,500 steps, "
        f"{share(false['recipes'], len(counted['recipes']))} of `fast` with each loss and of `best`, {STEPS} steps "
        f"long, and {share(false['fast'], len(counted['fast']))} of whole runs of `fast` as it is "
        f"(95 % intervals of Clopper and Pearson){': by ' + ', '.join(names) if names else ''}. "
        f"The thresholds come from {fitted['healthy']} other healthy short runs, {fitted['whole']} whole ones and "
        f"{fitted['one_latent']} runs of each fault. {processor()}, {TODAY}."
    )
    tables = [rows_of_rules(runs, thresholds), rows_of_faults(runs, thresholds, remedies)]
    return "\n\n".join([intro, *(table(list(rows)) for rows in tables)])


def write_files(runs: Sequence[Run], thresholds: Mapping[str, float], text: str) -> None:
    """Write ``thresholds.json`` and the tables in docs/doctor.md."""
    fitted = [run for run in runs if is_for_fitting(run)]
    about = {
        "calibrated": True,
        "by": "benchmarks/doctor.py",
        "date": str(TODAY),
        "commit": commit(),
        "fitted on": f"{len(fitted)} runs, {sum(run.kind in ('healthy', 'whole') for run in fitted)} of them healthy",
    }
    THRESHOLDS.write_text(json.dumps({"about": about, "thresholds": thresholds}, indent=1) + "\n", "utf-8")
    page = REPOSITORY / "docs" / "doctor.md"
    start, end = "<!-- benchmarks/doctor.py writes from here -->", "<!-- to here -->"
    before, _, rest = page.read_text("utf-8").partition(start)
    after = rest.partition(end)[2]
    page.write_text(f"{before}{start}\n\n{text}\n\n{end}{after}", "utf-8")


def main() -> None:
    """Collect, fit, count, print."""
    parser = parser_for(__doc__ or "")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "inkgan-doctor")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--runs", type=Path, nargs="+", default=[], help="folders of whole runs of `fast`, counted too")
    parser.add_argument("--refit", action="store_true", help="train nothing, and use the runs that there are")
    parser.add_argument("--write", action="store_true", help="write thresholds.json and the tables of docs/doctor.md")
    options = parser.parse_args()
    if not options.refit:
        collect(options.work, options.workers)
    short_runs = read_all(options.work)
    if not short_runs:
        parser.error(f"{options.work} holds no runs to fit. Train them: leave out --refit.")
    runs = short_runs + read_folders(options.runs)
    thresholds = fit(runs)
    remedies = try_remedies(options.work, options.workers, thresholds, train=not options.refit)
    text = report(runs, thresholds, remedies)
    if options.write:
        write_files(runs, thresholds, text)
    name = result_name("doctor", parser, options, apart=("work", "workers", "runs", "refit", "write"))
    numbers = {"thresholds": thresholds, "runs": {f"{run.kind}-{run.seed}": alarms(run, thresholds) for run in runs}}
    finish(name, options, "\n".join([*heading("The doctor", options.workers), text]), numbers)


if __name__ == "__main__":
    main()
