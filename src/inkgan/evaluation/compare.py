"""Compare generators: for each figure the difference, its interval, and a verdict that may be "indistinguishable".

Two runs of one recipe differ, too. Only a group of runs over seeds shows by how much, so the difference of two groups
has Welch's interval over seeds; that of two single models has the interval of sampling, which says nothing of training,
and the comparison says so.
"""

from __future__ import annotations

import glob
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Literal

import numpy as np

from inkgan.config import Config, differences
from inkgan.errors import EvaluationError
from inkgan.evaluation.evaluate import measure, possible
from inkgan.evaluation.metrics import Interval, apart, repeated, welch
from inkgan.evaluation.report import Better, Figure, Report, aligned, number
from inkgan.evaluation.ruler import Ruler
from inkgan.evaluation.subject import Subject, find_subject, real_images
from inkgan.files import Progress, unheard
from inkgan.generation.model import is_bundled
from inkgan.runs import checkpoint
from inkgan.runs.folder import RunFolder

FORMAT = 1
_CONFIDENCE = 0.95
_MOST = 26  # subjects are named A to Z

Verdict = Literal["better", "worse", "different", "indistinguishable", "mixed"]
"""Of the later subject: ``different`` lies on the other side of the floor, ``mixed`` is better here and worse there."""


@dataclass(frozen=True)
class Difference:
    """One figure of two subjects."""

    figure: str
    title: str
    better: Better
    floor: float
    first: float
    first_interval: Interval
    second: float
    second_interval: Interval
    difference: float
    """second - first."""
    interval: Interval
    """Of the difference alone."""
    simultaneous: Interval
    """Wider: all differences of the comparison lie in theirs with 95 % confidence; the verdict is by this one."""
    verdict: Verdict


@dataclass(frozen=True)
class Pair:
    """The first subject and a later one."""

    first: str
    second: str
    differences: tuple[Difference, ...]
    settings: tuple[str, ...]
    """Every setting in which the runs differ, ``key: first -> second``."""
    verdict: Verdict


@dataclass(frozen=True)
class Comparison:
    """Everything that a comparison found; ``subjects`` has the members of A, B, ... in order."""

    data: str
    data_digest: str
    features: str
    n: int
    seed: int
    subjects: tuple[tuple[str, ...], ...]
    pairs: tuple[Pair, ...]
    notes: tuple[str, ...]
    seconds: float = field(default=0.0, compare=False)

    def as_json(self) -> str:
        """The comparison as JSON."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def compare(
    *subjects: str | Path,
    n: int = 10_000,
    data: str | None = None,
    data_dir: Path | None = None,
    seed: int = 0,
    full: bool = False,
    progress: Progress = unheard,
) -> Comparison:
    """Compare each subject with the first.

    Args:
        subjects: two or more. Each is what :func:`inkgan.evaluate` takes, or a pattern such as ``runs/fast-*`` whose
            matches are one group: runs of one recipe over seeds.
        n: how many images of each to measure; the fewest that a subject has are taken of all.
        data: the real images; by default as in :func:`inkgan.evaluate` of the first subject.
        data_dir: where to look for them first.
        seed: of the sampled images.
        full: as in :func:`inkgan.evaluate`.
        progress: told how far it is.

    Raises:
        EvaluationError: fewer than two subjects, a pattern that matches nothing, or as :func:`inkgan.evaluate`.
        DataError: as :func:`inkgan.evaluate`.
        CheckpointError: as :func:`inkgan.evaluate`.
    """
    start = time.perf_counter()
    if not 2 <= len(subjects) <= _MOST:
        raise EvaluationError(f"{len(subjects)} to compare; name 2 to {_MOST}, such as 'runs/a-*' 'runs/b-*'.")
    groups = [_members(one) for one in subjects]
    progress("reading", 0.0)
    real = real_images(groups[0][0], data, data_dir, progress)

    def draw(n: int) -> list[list[Subject]]:
        found = [[find_subject(one, n, seed, real) for one in group] for group in groups]
        return [[take() for take in group] for group in found]

    drawn = draw(n)
    sizes = {len(one.images) for group in drawn for one in group}
    if len(sizes) > 1:  # figures at different n have different biases
        drawn = draw(min(sizes))
    ruler = Ruler(real, None, progress)
    reports = list(_measured(drawn, ruler, seed, full, progress))
    progress("figures", 1.0)
    pairs = _pairs(reports, groups)
    return Comparison(
        data=real.name,
        data_digest=real.digest,
        features=reports[0][0].features,
        n=min(sizes),
        seed=seed,
        subjects=tuple(tuple(map(str, group)) for group in groups),
        pairs=pairs,
        notes=tuple(_notes(groups, reports, pairs, n)),
        seconds=time.perf_counter() - start,
    )


def _members(what: str | Path) -> list[str | Path]:
    """The subject itself, or what its pattern matches."""
    pattern = str(what)
    if glob.escape(pattern) == pattern or Path(what).exists() or is_bundled(what):
        return [what]
    # Places, whatever their names. (An absolute pattern, which Path.glob refuses, is allowed.)
    found: list[str | Path] = [Path(one) for one in sorted(glob.glob(pattern))]  # noqa: PTH207
    if not found:
        raise EvaluationError(f"nothing matches {pattern!r}. Give a run, a model, images, or a pattern of runs.")
    return found


def _measured(drawn: list[list[Subject]], ruler: Ruler, seed: int, full: bool, say: Progress) -> Iterator[list[Report]]:
    def telling(name: str) -> Progress:
        return lambda doing, done: say(f"{name}: {doing}", done)

    for group in drawn:
        reports = []
        for subject in group:
            ruler.say = telling(subject.name)
            reports.append(replace(measure(subject, ruler, seed, full=full), pictures=None))
        yield reports


def _pairs(reports: list[list[Report]], groups: Sequence[Sequence[str | Path]]) -> tuple[Pair, ...]:
    first, *others = reports
    shared = [_shared(first, other) for other in others]
    # Bonferroni: among many differences of equal generators one in twenty would be called real, so that each gets its
    # share of the 5 %. It holds however the figures depend on each other, and the intervals stay readable.
    level = 1 - (1 - _CONFIDENCE) / max(1, sum(map(len, shared)))
    pairs = []
    for at, (other, names) in enumerate(zip(others, shared, strict=True), start=1):
        found = tuple(_difference([one[name] for one in first], [one[name] for one in other], level) for name in names)
        pairs.append(Pair(_letter(0), _letter(at), found, _settings(groups[0], groups[at]), _overall(found)))
    return tuple(pairs)


def _letter(at: int) -> str:
    return chr(ord("A") + at)


def _shared(*groups: list[Report]) -> list[str]:
    """The names of the figures that every report has, of as many images and of the same classes."""
    first, *others = [report for group in groups for report in group]
    elsewhere = [{figure.name: _basis(figure, report) for figure in report.figures} for report in others]
    return [one.name for one in first.figures if all(other.get(one.name) == _basis(one, first) for other in elsewhere)]


def _basis(figure: Figure, report: Report) -> tuple[int, tuple[str, ...]]:
    """What figures must share to be compared: their n, and the classes that a mean is over."""
    averaged = figure.name == "diversity"
    return figure.n, tuple(one.name for one in report.classes if averaged and one.diversity is not None)


def _difference(first: list[Figure], second: list[Figure], level: float) -> Difference:
    (a, of_a), (b, of_b) = _summary(first), _summary(second)
    between = partial(apart, (a, of_a), (b, of_b))
    values, others = ([figure.value for figure in group] for group in (first, second))
    if len({*values}) > 1 or len({*others}) > 1:
        between = partial(welch, np.array(values), np.array(others))
    one, simultaneous = first[0], between(level=level)
    return Difference(
        figure=one.name,
        title=one.title,
        better=one.better,
        floor=one.floor,
        first=a,
        first_interval=of_a,
        second=b,
        second_interval=of_b,
        difference=b - a,
        interval=between(level=_CONFIDENCE),
        simultaneous=simultaneous,
        verdict=_verdict(a, b, simultaneous, one),
    )


def _summary(figures: list[Figure]) -> tuple[float, Interval]:
    """The figure of a single model with its interval of sampling, or the mean of a group with that over seeds.

    Over seeds that all count the same, such as no copies, that would have no width: then it is that of sampling, too.
    """
    if len({figure.value for figure in figures}) == 1:
        return figures[0].value, figures[0].interval
    mean = possible(figures[0].name, repeated(np.array([figure.value for figure in figures]), _CONFIDENCE))
    return mean.value, mean.interval


def _verdict(a: float, b: float, difference: Interval, figure: Figure) -> Verdict:
    if difference.low <= 0 <= difference.high:
        return "indistinguishable"
    if figure.better == "like the floor":
        if (a - figure.floor) * (b - figure.floor) < 0:
            return "different"
        return "better" if abs(b - figure.floor) < abs(a - figure.floor) else "worse"
    return "better" if (b < a) == (figure.better == "lower") else "worse"


def _overall(found: Sequence[Difference]) -> Verdict:
    seen = {one.verdict for one in found} - {"indistinguishable"}
    if not seen:
        return "indistinguishable"
    return seen.pop() if len(seen) == 1 else "mixed"


def _config(what: str | Path) -> Config | None:
    run = RunFolder(Path(what))
    return run.saved_config() if run.is_run and not is_bundled(what) else None


def _settings(first: Sequence[str | Path], second: Sequence[str | Path]) -> tuple[str, ...]:
    """In what the first runs of two groups differ; the seed only where it is not what a group varies."""
    before, after = _config(first[0]), _config(second[0])
    if before is None or after is None:
        return ()
    changed = differences(before, after)
    if len(first) + len(second) > 2:
        changed = [one for one in changed if not one.startswith("seed: ")]
    reached = [checkpoint.list_steps(RunFolder(Path(one)).checkpoints)[-1] for one in (first[0], second[0])]
    return (*changed, *([f"trained steps: {reached[0]} -> {reached[1]}"] if reached[0] != reached[1] else []))


def _notes(
    groups: Sequence[Sequence[str | Path]], reports: list[list[Report]], pairs: Sequence[Pair], n: int
) -> Iterator[str]:
    """What a reader should know."""
    sides = [(len(groups[0]), len(group)) for group in groups[1:]]
    if (1, 1) in sides:
        yield (
            "between single models intervals are those of sampling and say nothing of training variance, which only "
            "runs over several seeds show. Give groups such as 'runs/a-*' 'runs/b-*'."
        )
    if any(min(pair) == 1 < max(pair) for pair in sides):
        yield "a single model shows no training variance: against a group, that of the group is taken for it too."
    if reports[0][0].n < n:
        yield f"n is {reports[0][0].n:,} for all: figures at different n have different biases."
    for at, group in enumerate(groups):
        configs = [config for config in map(_config, group) if config is not None]
        changed = {one for config in configs[1:] for one in differences(configs[0], config)}
        if foreign := sorted(one for one in changed if not one.startswith("seed: ")):
            yield f"the runs of {_letter(at)} differ in more than their seed: {'; '.join(foreign[:3])}."
        elif len({config.seed for config in configs}) < len(configs):
            yield f"runs of {_letter(at)} share a seed: they are no independent repeats."
        for report in reports[at]:
            yield from (f"{report.what}: {note}" for note in report.notes if not note.startswith("diversity is not"))
    compared = {one.figure for pair in pairs for one in pair.differences}
    titles = {one.title for group in reports for report in group for one in report.figures if one.name not in compared}
    if titles:
        yield f"not compared, for not every subject has it of as many images and classes: {', '.join(sorted(titles))}."


def as_text(comparison: Comparison) -> str:
    """The comparison as lines for a terminal."""
    lines = [
        f"{_letter(at)}: {group[0]}" + (f" and {len(group) - 1} more: a group over seeds" if len(group) > 1 else "")
        for at, group in enumerate(comparison.subjects)
    ]
    for pair in comparison.pairs:
        titles = ("figure", pair.first, pair.second, f"{pair.second} - {pair.first}", "floor", "verdict")
        rows = [titles, *(_row(one, pair) for one in pair.differences)]
        counts = Counter(one.verdict for one in pair.differences)
        tally = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
        lines += ["", *aligned(rows), "", f"{_said(pair.verdict, pair)} over all ({pair.second} in figures: {tally})"]
        lines += [f"setting: {one}" for one in pair.settings]
    every = [one for pair in comparison.pairs for one in pair.differences]
    wider = [_width(one.simultaneous) / _width(one.interval) for one in every if _width(one.interval)]
    times = f", here about {median(wider):.1f} times as wide" if wider else ""
    seeds = "; more seeds narrow them" if max(map(len, comparison.subjects)) > 1 else ""
    done = f"{comparison.n:,} images of each against {comparison.data}, seed {comparison.seed}"
    return "\n".join(
        [
            *lines,
            "",
            f"{done}, {comparison.seconds:.1f} s. Brackets: 95 % intervals; floor: held-out real images.",
            f"Verdicts are by intervals that hold for all {len(every)} differences at once (Bonferroni){times}{seeds}.",
            *(f"note: {note}" for note in comparison.notes),
        ]
    )


def _width(interval: Interval) -> float:
    return interval.high - interval.low


def _row(one: Difference, pair: Pair) -> tuple[str, ...]:
    cells = [(one.first, one.first_interval), (one.second, one.second_interval), (one.difference, one.interval)]
    figures = (f"{number(value)} [{number(i.low)}, {number(i.high)}]" for value, i in cells)
    return (one.title, *figures, number(one.floor), _said(one.verdict, pair))


def _said(verdict: Verdict, pair: Pair) -> str:
    return {"better": f"{pair.second} is better", "worse": f"{pair.first} is better"}.get(verdict, verdict)
