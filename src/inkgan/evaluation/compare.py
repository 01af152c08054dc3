"""Comparing generators: for each figure the difference, its interval, and a verdict that may be "indistinguishable".

Even two runs of one recipe differ, and only a group of runs over seeds shows by how much. The difference of two groups
therefore has Welch's interval over seeds. The difference of two single models has a sampling interval, which does not
cover the variation of training; the comparison says so.
"""

from __future__ import annotations

import glob
import json
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from inkgan.config import Config
from inkgan.config.sources import differences, reading_settings, with_place_of_data
from inkgan.device import usual_arithmetic
from inkgan.errors import EvaluationError, quantity, require_function, valid_path, yes_or_no
from inkgan.evaluation.evaluate import measure
from inkgan.evaluation.metrics.intervals import (
    LEVEL,
    Interval,
    difference_of_figures,
    difference_of_means,
    mean_over_repeats,
)
from inkgan.evaluation.reference import Reference, reference_for
from inkgan.evaluation.report import Better, Figure, Report, within_range
from inkgan.evaluation.report_text import comparison_text, letter
from inkgan.evaluation.subject import (
    Measurable,
    Sample,
    draw,
    number_to_measure,
    open_subject,
    real_images,
    valid_number,
)
from inkgan.files import Progress, expanded, no_progress
from inkgan.generation.loading import PARTS, is_bundled
from inkgan.runs import checkpoint
from inkgan.runs.folder import RunFolder
from inkgan.seeds import valid_seed

FORMAT = 1
_MOST_SUBJECTS = 26  # subjects are named A to Z

#: The verdict on the later subject. ``different`` means on the other side of the floor, or that it is not known which
#: subject is nearer to it; ``mixed`` means that figures have several verdicts besides ``indistinguishable``.
Verdict = Literal["better", "worse", "different", "indistinguishable", "mixed"]


@dataclass(frozen=True)
class Difference:
    """One figure of two subjects.

    Attributes:
        figure: the figure's name, such as ``coverage``.
        title: its name in tables.
        better: ``lower`` or ``higher``, or ``like the floor`` where a value on either side of the floor is worse.
        floor: the same figure of as many held-out real images.
        first: the value of the first subject; for a group, the mean over its runs.
        first_interval: the interval of that value: over seeds for a group, over images for a single model.
        first_values: the value of each member of the first subject, in the order of ``subjects``.
        second: the value of the later subject.
        second_interval: the interval of that value.
        second_values: the value of each of its members.
        difference: second - first.
        interval: the 95 % interval of this difference alone.
        simultaneous: a wider interval, which decides the verdict: with 95 % confidence, all differences of the
            comparison lie in theirs.
        verdict: of the later subject: ``better``, ``worse``, ``different`` (on the other side of the floor) or
            ``indistinguishable``.
    """

    figure: str
    title: str
    better: Better
    floor: float
    first: float
    first_interval: Interval
    first_values: tuple[float, ...]
    second: float
    second_interval: Interval
    second_values: tuple[float, ...]
    difference: float
    interval: Interval
    simultaneous: Interval
    verdict: Verdict


@dataclass(frozen=True)
class Pair:
    """The first subject and a later one.

    Attributes:
        first: ``A``.
        second: the letter of the later subject.
        differences: one for each figure that both subjects have, the most important first.
        settings: every setting in which the runs differ, ``key: first -> second``.
        verdict: over all figures; ``mixed`` if they have several besides ``indistinguishable``.
    """

    first: str
    second: str
    differences: tuple[Difference, ...]
    settings: tuple[str, ...]
    verdict: Verdict


@dataclass(frozen=True)
class Comparison:
    """Everything that a comparison found; ``print`` shows it as a table, a notebook as HTML.

    Attributes:
        data: the name of the real images.
        data_digest: the sha256 of the real images.
        features: the sha256 of the feature network.
        n: the number of images of each subject.
        seed: the seed of the images.
        subjects: the members of A, B, ... in order.
        pairs: A and B, A and C, ...
        notes: what a reader has to know about the images and the figures.
        seconds: the time that it took.
        version: the version of inkgan that compared.
    """

    data: str
    data_digest: str
    features: str
    n: int
    seed: int
    subjects: tuple[tuple[str, ...], ...]
    pairs: tuple[Pair, ...]
    notes: tuple[str, ...]
    seconds: float = field(default=0.0, compare=False)
    version: str = ""

    def as_json(self) -> str:
        """Return the comparison as JSON."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def __str__(self) -> str:
        """Return the table that ``inkgan compare`` prints."""
        return comparison_text(self)

    def _repr_html_(self) -> str:
        from inkgan.evaluation.report_html import comparison_fragment  # noqa: PLC0415 - only a notebook needs it

        return comparison_fragment(self)


def compare(
    *subjects: Measurable,
    n: int | None = None,
    data: str | Path | None = None,
    data_dir: Path | None = None,
    seed: int = 0,
    full: bool = False,
    settings: Sequence[str] | Mapping[str, Any] = (),
    progress: Progress = no_progress,
) -> Comparison:
    """Compare each subject with the first.

    Args:
        subjects: two or more. Each is what :func:`inkgan.evaluate` takes, or a pattern such as ``runs/fast-*`` whose
            matches are one group: runs of one recipe over seeds.
        n: the number of images to measure of each subject, by default 10,000. It is lowered to the number of held-out
            images, or of the images of a subject, if there are fewer.
        data: the real images, as in :func:`inkgan.evaluate`; by default those that the first run or model among the
            subjects learned from, and MNIST if there is none.
        data_dir: the folder to look for them in first.
        seed: the seed of the images.
        full: as in :func:`inkgan.evaluate`.
        settings: as in :func:`inkgan.evaluate`.
        progress: called with the name of the work and the share of it that is done.

    Raises:
        EvaluationError: fewer than two subjects, a pattern that matches nothing, or as :func:`inkgan.evaluate`.
        DataError: as :func:`inkgan.evaluate`.
        CheckpointError: as :func:`inkgan.evaluate`.
        ConfigError: as :func:`inkgan.evaluate`.
        OutputError: as :func:`inkgan.evaluate`.

    Warns:
        InkganWarning: as :func:`inkgan.evaluate`.
    """
    start = time.perf_counter()
    if not 2 <= len(subjects) <= _MOST_SUBJECTS:
        given = quantity(len(subjects), "subject")
        raise EvaluationError(f"{given} cannot be compared. Name 2 to {_MOST_SUBJECTS}, such as 'runs/a-*' 'runs/b-*'.")
    n, seed, full = valid_number(n), valid_seed(seed), yes_or_no(full, "full")
    require_function(progress, "progress", "doing", "done")
    reading = reading_settings(settings)
    progress("reading", 0.0)
    members = [_members(what) for what in subjects]
    with usual_arithmetic():
        groups = [[open_subject(what, reading, progress) for what in group] for group in members]
        every = [subject for group in groups for subject in group]
        real = real_images(every, data, data_dir, reading, progress)
        n, limits = number_to_measure(every, n, real)
        samples = [[draw(subject, n, seed, real, progress) for subject in group] for group in groups]
        reference = reference_for(real, None, progress)
        reports = [[_report_of(sample, reference, progress, full=full) for sample in group] for group in samples]
        progress("figures", 1.0)
        pairs = _pairs(reports, members)
    return Comparison(
        data=real.name,
        data_digest=real.digest,
        features=reports[0][0].features,
        n=n,
        seed=seed,
        subjects=tuple(tuple(subject.name for subject in group) for group in groups),
        pairs=pairs,
        notes=(*limits, *_notes(members, reports, pairs)),
        seconds=time.perf_counter() - start,
        version=reports[0][0].version,
    )


def _members(what: Measurable) -> Sequence[Measurable]:
    """Return the subject itself, or the matches of its pattern."""
    if not isinstance(what, str | Path):
        return [what]
    pattern = str(what)
    # Path.exists raises an error for a name that is too long.
    if glob.escape(pattern) == pattern or os.path.exists(what) or is_bundled(what):  # noqa: PTH110
        return [what]
    valid_path(pattern, "the pattern", EvaluationError)
    # The shell leaves the ~ of a pattern in quotes as it is. Path.glob would refuse an absolute pattern. The matches
    # are paths, so that none is taken for a bundled model.
    found = [Path(one) for one in sorted(glob.glob(str(expanded(pattern))))]  # noqa: PTH207
    if not found:
        raise EvaluationError(f"nothing matches {pattern!r}. Give a run, a model, images, or a pattern of runs.")
    return found


def _report_of(sample: Sample, reference: Reference, progress: Progress, *, full: bool) -> Report:
    """Measure the images of a subject, whose name begins each report of progress."""

    def tell(doing: str, done: float) -> None:
        progress(f"{sample.subject.name}: {doing}", done)

    return replace(measure(sample, reference, full=full, progress=tell), pictures=None)


def _pairs(reports: list[list[Report]], members: Sequence[Sequence[Measurable]]) -> tuple[Pair, ...]:
    first, *others = reports
    shared = [_shared(first, other) for other in others]
    # Bonferroni: each difference gets its share of the 5 %. Otherwise one in twenty differences between equal
    # generators would be called real. This holds however the figures depend on each other, and the intervals stay
    # readable.
    level = 1 - (1 - LEVEL) / max(1, sum(map(len, shared)))
    num_classes = len(first[0].classes)
    pairs = []
    for at, (other, names) in enumerate(zip(others, shared, strict=True), start=1):
        found = tuple(
            _difference([one[name] for one in first], [one[name] for one in other], level, num_classes)
            for name in names
        )
        settings = _differences_of_groups(members[0], members[at])
        pairs.append(Pair(letter(0), letter(at), found, settings, _overall(found)))
    return tuple(pairs)


def _shared(*groups: list[Report]) -> list[str]:
    """Return the names of the figures that every report has for the same number of images and the same classes."""
    first, *others = [report for group in groups for report in group]
    elsewhere = [{figure.name: _basis(figure, report) for figure in report.figures} for report in others]
    return [one.name for one in first.figures if all(other.get(one.name) == _basis(one, first) for other in elsewhere)]


def _basis(figure: Figure, report: Report) -> int | tuple[str, ...]:
    """Return what two figures must share to be comparable: the classes that a mean is taken over, or else n."""
    if figure.name == "diversity":
        return tuple(one.name for one in report.classes if one.diversity is not None)
    return figure.n


def _difference(first: list[Figure], second: list[Figure], level: float, num_classes: int) -> Difference:
    (a, a_interval), (b, b_interval) = (_summary(group, num_classes) for group in (first, second))
    a_values, b_values = (tuple(figure.value for figure in group) for group in (first, second))
    if len(set(a_values)) > 1 or len(set(b_values)) > 1:
        interval_at = partial(difference_of_means, np.array(a_values), np.array(b_values))
    else:
        interval_at = partial(difference_of_figures, (a, a_interval), (b, b_interval))
    sizes = len(first), len(second)
    interval, simultaneous = (_unless_by_chance(interval_at(level=one), sizes) for one in (LEVEL, level))
    return Difference(
        figure=first[0].name,
        title=first[0].title,
        better=first[0].better,
        floor=first[0].floor,
        first=a,
        first_interval=a_interval,
        first_values=a_values,
        second=b,
        second_interval=b_interval,
        second_values=b_values,
        difference=b - a,
        interval=interval,
        simultaneous=simultaneous,
        verdict=_verdict(a, b, simultaneous, first[0]),
    )


def _unless_by_chance(interval: Interval, sizes: tuple[int, int]) -> Interval:
    """Extend an interval without width to 0, unless groups of these sizes are hardly ever so different by chance.

    Every run of a group has one value here, and no sampling error. If both recipes were alike, two values would divide
    the m + n runs in just this way with a probability of 2 / (m + n choose m): the permutation test.
    """
    m, n = sizes
    if interval.low < interval.high or m == n == 1 or 2 / math.comb(m + n, m) <= 1 - interval.level:
        return interval
    return replace(interval, low=min(0.0, interval.low), high=max(0.0, interval.high))


def _summary(figures: list[Figure], num_classes: int) -> tuple[float, Interval]:
    """Return a single model's figure with its sampling interval, or a group's mean with its interval over seeds.

    If all seeds have the same value, such as no copies, the interval over seeds would have no width. The sampling
    interval is then used.
    """
    if len({figure.value for figure in figures}) == 1:
        return figures[0].value, figures[0].interval
    mean = mean_over_repeats(np.array([figure.value for figure in figures]))
    mean = within_range(figures[0].name, mean, num_classes)
    return mean.value, mean.interval


def _verdict(a: float, b: float, difference: Interval, figure: Figure) -> Verdict:
    if difference.low <= 0 <= difference.high:
        return "indistinguishable"
    if figure.better == "like the floor":
        on_both_sides = (a - figure.floor) * (b - figure.floor) < 0
        # The floor is measured, too: if it may lie above or below the middle, it is not known which value is nearer.
        if on_both_sides or figure.floor_interval.low <= (a + b) / 2 <= figure.floor_interval.high:
            return "different"
        return "better" if abs(b - figure.floor) < abs(a - figure.floor) else "worse"
    return "better" if (b < a) == (figure.better == "lower") else "worse"


def _overall(found: Sequence[Difference]) -> Verdict:
    verdicts: set[Verdict] = {difference.verdict for difference in found} - {"indistinguishable"}
    if len(verdicts) > 1:
        return "mixed"
    return verdicts.pop() if verdicts else "indistinguishable"


def _runs(group: Sequence[Measurable]) -> list[RunFolder]:
    """Return the folders of those members of a group that are runs."""
    folders = [RunFolder(Path(one)) for one in group if isinstance(one, str | Path) and not is_bundled(one)]
    return [folder for folder in folders if folder.is_run]


def _differences_of_groups(first: Sequence[Measurable], second: Sequence[Measurable]) -> tuple[str, ...]:
    """Return the settings in which the first runs of two groups differ, without the seed if a group varies it."""
    before, after = _runs(first), _runs(second)
    if not (before and after):
        return ()
    changed = _differences_of_runs(_in_effect(before[0]), _in_effect(after[0]))
    if len(first) + len(second) > 2:
        changed = [one for one in changed if not one.startswith("seed: ")]
    before_steps, after_steps = _trained_steps(before), _trained_steps(after)
    if before_steps != after_steps:
        changed = [*changed, f"trained steps: {before_steps} -> {after_steps}"]
    return tuple(changed)


#: A run's settings, with the precision that ``auto`` stood for, and the digest of its images, if known.
_InEffect = tuple[Config, str | None]


def _in_effect(run: RunFolder) -> _InEffect:
    config, state = run.saved_config(), run.newest_checkpoint()[1]
    return config.model_copy(update={"precision": state.get("precision", config.precision)}), state.get("digest")


def _differences_of_runs(first: _InEffect, second: _InEffect) -> list[str]:
    """Name the settings in which two runs differ, other than in the place of the same images."""
    (before, images), (after, other_images) = first, second
    if images is not None and images == other_images:
        before = with_place_of_data(before, after)
    return differences(before, after)


def _trained_steps(runs: Sequence[RunFolder]) -> str:
    """Return for how many joint steps runs were trained, by their newest whole checkpoints: ``300``, ``200 to 300``."""
    steps = [max(0, checkpoint.newest_whole(run.checkpoints, PARTS)[0] or 0) for run in runs]
    return " to ".join(str(step) for step in sorted({min(steps), max(steps)}))


def _notes(
    members: Sequence[Sequence[Measurable]], reports: list[list[Report]], pairs: Sequence[Pair]
) -> Iterator[str]:
    """Yield what a reader should know."""
    sizes = [(len(members[0]), len(group)) for group in members[1:]]
    if (1, 1) in sizes:
        yield (
            "between single models, intervals cover sampling but not training variance, which only runs over several "
            "seeds show. Give groups such as 'runs/a-*' 'runs/b-*'."
        )
    if any(min(pair) == 1 < max(pair) for pair in sizes):
        yield "a single model shows no training variance; compared with a group, the group's variance is used for it."
    for at, group in enumerate(members):
        yield from _notes_on_runs(letter(at), _runs(group))
    yield from _notes_of_reports([report for group in reports for report in group])
    compared = {one.figure for pair in pairs for one in pair.differences}
    titles = {one.title for group in reports for report in group for one in report.figures if one.name not in compared}
    if titles:
        missing = ", ".join(sorted(titles))
        yield f"not compared, because not every subject has them for as many images and classes: {missing}."


def _notes_on_runs(name: str, runs: Sequence[RunFolder]) -> Iterator[str]:
    """Yield what a reader should know about the runs of a group."""
    if len(runs) < 2:
        return
    first, *others = map(_in_effect, runs)
    changed = {one for other in others for one in _differences_of_runs(first, other)}
    more = sorted(one for one in changed if not one.startswith("seed: "))
    if more:
        which = "; ".join(more[:3]) + ("; ..." if len(more) > 3 else ".")
        yield f"the runs of {name} differ in more than their seed: {which}"
    elif len({config.seed for config, _ in (first, *others)}) < len(runs):
        yield f"runs of {name} share a seed: they are not independent repeats."
    steps = _trained_steps(runs)
    if " to " in steps:
        yield (
            f"the runs of {name} were trained for {steps} steps, which adds to the spread between them. Runs of "
            "--steps, unlike those of --seconds, all end at the same step."
        )


def _notes_of_reports(reports: Sequence[Report]) -> Iterator[str]:
    """Yield the notes of single reports, each once, with the names of the subjects that it is about."""
    subjects: dict[str, list[str]] = {}
    for report in reports:
        for note in report.notes:
            if not note.startswith("diversity is not"):
                subjects.setdefault(note.removeprefix(f"{report.what} "), []).append(report.what)
    for note, names in subjects.items():
        who = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
        yield f"{'all' if len(names) == len(reports) > 1 else who}: {note}"
