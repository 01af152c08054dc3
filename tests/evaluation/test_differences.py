"""Comparisons of figures that a test chooses: intervals, verdicts, settings and notes."""

from __future__ import annotations

import glob
import json
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats  # type: ignore[import-untyped]

import inkgan
import made_reports as made
import tiny_runs as runs
from inkgan.data import load
from inkgan.errors import ConfigError, EvaluationError
from inkgan.evaluation import compare as comparing
from inkgan.evaluation.metrics.intervals import Interval, wilson
from inkgan.evaluation.report import ClassFigures, Figure, Pictures, Report
from inkgan.evaluation.subject import Sample
from inkgan.runs.checkpoint import list_steps, remove
from inkgan.runs.folder import RunFolder

ARRAY = np.zeros((1, 12, 12), np.uint8)


def group(name: str, *values: float, what: str = "made", **fields: Any) -> list[Report]:
    """A report for each value of a figure."""
    return [made.report({name: value}, what, **fields) for value in values]


def pairs(*groups: list[Report]) -> tuple[comparing.Pair, ...]:
    return comparing._pairs(list(groups), [[ARRAY] * len(one) for one in groups])


def found(pair: comparing.Pair, name: str) -> comparing.Difference:
    return next(one for one in pair.differences if one.figure == name)


@pytest.mark.parametrize("name", ["frechet_digit_distance", "recall"])
def test_two_groups_have_the_intervals_of_scipy(name: str) -> None:
    """Welch's of the difference, Student's of each group's mean. The verdict's interval holds for all figures."""
    first, second = [0.61, 0.58, 0.66, 0.63], [0.41, 0.52, 0.47]
    (pair,) = pairs(group(name, *first), group(name, *second))
    one = found(pair, name)
    welch = stats.ttest_ind(second, first, equal_var=False)
    for interval, level in ((one.interval, 0.95), (one.simultaneous, 1 - 0.05 / 3)):  # copies and copying z, too
        assert interval.level == pytest.approx(level)
        expected = welch.confidence_interval(level)
        assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))
    assert (one.first, one.second) == pytest.approx((np.mean(first), np.mean(second)))
    for interval, values in ((one.first_interval, first), (one.second_interval, second)):
        expected = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
        assert (interval.low, interval.high) == pytest.approx(expected)
    assert (one.first_values, one.second_values) == (tuple(first), tuple(second))
    assert one.difference == one.second - one.first
    assert (one.figure, one.title, one.floor) == (name, made.figure(name, 0).title, 0.5)


@pytest.mark.parametrize(
    "share",
    [
        "accuracy",
        "accuracy/2",
        "precision",
        "recall",
        "coverage",
        "class_total_variation",
        "exact_copies",
        "near_copies",
        "near_copies_pixels",
        "classification_accuracy",
        "classification_accuracy_by_teacher",
    ],
)
def test_the_interval_of_a_group_stays_where_the_figure_can_be(share: str) -> None:
    """A share is 0 to 1, and so is Student's interval of its mean, which is wide for two runs."""
    one = found(pairs(group(share, 0.5, 0.5), group(share, 0.1, 0.9))[0], share)
    assert one.second_interval == Interval(0, 1)


@pytest.mark.parametrize("figure", ["classes_covered", "classifier_score"])
def test_the_interval_of_a_group_ends_at_the_number_of_classes(figure: str) -> None:
    """No images show more classes than there are; without any, there is no limit."""
    classes = tuple(ClassFigures(name, 50, 50.0, None, None) for name in "abc")
    two, others = (group(figure, *values, classes=classes) for values in ((3, 3), (1, 3)))
    assert found(pairs(two, others)[0], figure).second_interval == Interval(0, 3)
    assert found(pairs(group(figure, 3, 3), group(figure, 1, 3))[0], figure).second_interval.high > 3
    made_of_three = Figure.of(figure, made.estimate(2.99), 500, made.estimate(2.98), 500, 3)
    assert (made_of_three.interval.high, made_of_three.floor_interval.high) == (3, 3)


@pytest.mark.parametrize(("first", "second"), [([0.6, 0.6], [0.5, 0.4]), ([0.5, 0.4], [0.6, 0.6]), ([0.6], [0.5, 0.4])])
def test_one_group_of_different_values_is_enough_for_an_interval_over_seeds(
    first: list[float], second: list[float]
) -> None:
    """A group of equal values then adds no spread; a single model has the other group's."""
    one = found(pairs(group("recall", *first), group("recall", *second))[0], "recall")
    with warnings.catch_warnings(action="ignore"):  # SciPy warns of equal values
        test = stats.ttest_ind(second, first, equal_var=min(len(first), len(second)) == 1)
        expected = test.confidence_interval()
    assert (one.interval.low, one.interval.high) == pytest.approx((expected.low, expected.high))
    for value, interval, values in (
        (one.first, one.first_interval, first),
        (one.second, one.second_interval, second),
    ):
        if len(set(values)) == 1:  # an interval over seeds would have no width
            assert value == values[0]
            assert interval == made.figure("recall", value).interval


@pytest.mark.parametrize("seeds", [1, 3])
def test_equal_values_have_newcombes_interval(seeds: int) -> None:
    """Newcombe (1998), Table II, method 10: 56/70 - 48/80. A group without spread has that of its images."""

    def shares(successes: int, n: int) -> list[Report]:
        share = replace(made.figure("precision", successes / n), interval=wilson(successes, n))
        return [replace(made.report({}), figures=(share,))] * seeds

    one = found(pairs(shares(48, 80), shares(56, 70))[0], "precision")
    assert (one.interval.low, one.interval.high) == pytest.approx((0.0524, 0.3339), abs=6e-5)
    assert one.simultaneous == one.interval  # of one difference
    assert one.verdict == "better"


def test_all_differences_of_a_comparison_share_the_error() -> None:
    """Bonferroni: the 5 % are divided by the number of differences of all pairs."""
    several = {"recall": 0.4, "coverage": 0.4, "density": 0.4}
    some, fewer = [made.report(several)], group("recall", 0.4)
    compared = pairs(some, some, fewer)
    assert [len(pair.differences) for pair in compared] == [5, 3]
    for pair in compared:
        assert {one.simultaneous.level for one in pair.differences} == {1 - (1 - 0.95) / 8}
    assert [(pair.first, pair.second) for pair in compared] == [("A", "B"), ("A", "C")]
    assert [one.figure for one in compared[1].differences] == ["exact_copies", "copying_z", "recall"]


def test_the_wider_interval_decides() -> None:
    """Half widths of 0.05 make 0.0707 for the difference alone, 0.0864 for three differences at once."""
    compared = [found(pairs(group("recall", 0.5), group("recall", value))[0], "recall") for value in (0.58, 0.59)]
    assert [one.verdict for one in compared] == ["indistinguishable", "better"]
    for one in compared:
        assert one.interval.low > 0
        assert one.simultaneous.width / 2 == pytest.approx(0.0864, abs=1e-4)


def test_nothing_in_common_is_no_error() -> None:
    (pair,) = pairs([replace(made.report({}), figures=())], group("recall", 0.4))
    assert (pair.differences, pair.verdict) == ((), "indistinguishable")


@pytest.mark.parametrize(
    ("name", "first", "second", "verdict"),
    [
        ("recall", 0.2, 0.8, "better"),
        ("recall", 0.8, 0.2, "worse"),
        ("recall", 0.5, 0.51, "indistinguishable"),
        ("frechet_digit_distance", 0.2, 0.8, "worse"),
        ("frechet_digit_distance", 0.8, 0.2, "better"),
        # The floor is 0.5.
        ("diversity", 0.1, 0.3, "better"),
        ("diversity", 0.3, 0.1, "worse"),
        ("diversity", 0.9, 0.7, "better"),
        ("diversity", 0.7, 0.9, "worse"),
        ("diversity", 0.1, 0.7, "different"),
        ("diversity", 0.9, 0.3, "different"),
        ("diversity", 0.9, 0.5, "better"),
        ("diversity", 0.5, 0.9, "worse"),
    ],
)
def test_the_verdict_of_a_figure(name: str, first: float, second: float, verdict: str) -> None:
    (pair,) = pairs(group(name, first), group(name, second))
    assert found(pair, name).verdict == pair.verdict == verdict
    assert found(pair, name).better == made.figure(name, 0).better


@pytest.mark.parametrize(
    ("low", "high", "equal"), [(0, 1, True), (-1, 0, True), (-1, 1, True), (1e-9, 1, False), (-1, -1e-9, False)]
)
def test_an_interval_that_ends_at_zero_holds_it(low: float, high: float, equal: bool) -> None:
    verdict = comparing._verdict(0.2, 0.8, Interval(low, high), made.figure("recall", 0))
    assert (verdict == "indistinguishable") == equal


@pytest.mark.parametrize(
    ("verdicts", "overall"),
    [
        ([], "indistinguishable"),
        (["indistinguishable"], "indistinguishable"),
        (["better", "indistinguishable", "better"], "better"),
        (["worse"], "worse"),
        (["different", "different"], "different"),
        (["better", "worse"], "mixed"),
        (["better", "different"], "mixed"),
    ],
)
def test_the_verdict_over_all_figures(verdicts: Sequence[Any], overall: str) -> None:
    one = pairs(group("recall", 0.5), group("recall", 0.5))[0].differences[0]
    assert comparing._overall([replace(one, verdict=verdict) for verdict in verdicts]) == overall


def test_only_figures_of_as_many_images_and_of_the_same_classes_are_compared() -> None:
    """A mean diversity is taken over classes. A class that has none does not count, and other figures are not means."""
    of_class = made.figure("diversity/0", 0.5)
    classes = tuple(ClassFigures(name, 50, 50.0, of_class, None) for name in "abc")
    first = made.report({"recall": 0.5, "diversity": 0.5}, classes=classes)
    every = ["exact_copies", "copying_z", "recall", "diversity"]

    def shared(other: Report) -> list[str]:
        assert comparing._shared([first, first], [other]) == comparing._shared([first], [first, other])
        return comparing._shared([first], [other])

    assert shared(first) == every
    more = tuple(replace(one, n=one.n + 1) if one.name == "recall" else one for one in first.figures)
    assert shared(replace(first, figures=more)) == ["exact_copies", "copying_z", "diversity"]
    assert shared(replace(first, figures=first.figures[1:])) == every[1:]
    fewer = (*classes[:2], replace(classes[2], diversity=None))
    assert shared(replace(first, classes=fewer)) == every[:3]
    assert comparing._shared([replace(first, classes=fewer)], [replace(first, classes=classes[:2])]) == every


def other_run(run: Path, folder: Path, **settings: Any) -> Path:
    """A copy of a run with other settings."""
    path = runs.copy(run, folder) / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **settings}), "utf-8")
    return folder


def test_the_settings_in_which_runs_differ(finished_run: Path, tmp_path: Path) -> None:
    """Those of the first runs count, without the seed if it varies within a group."""
    one, two = other_run(finished_run, tmp_path / "1", seed=1, batch_size=7), other_run(finished_run, tmp_path / "2")
    assert comparing._settings([finished_run], [two]) == ()
    assert comparing._settings([str(finished_run)], [str(one)]) == ("seed: 0 -> 1", "batch_size: 5 -> 7")
    assert comparing._settings([one], [finished_run]) == ("seed: 1 -> 0", "batch_size: 7 -> 5")
    for first, second in (
        ([finished_run, two], [one]), ([finished_run], [one, two]), ([finished_run, one], [one, two])
    ):  # fmt: skip
        assert comparing._settings(first, second) == ("batch_size: 5 -> 7",)
    for unknown in (ARRAY, "fast", tmp_path / "none"):  # what is no run has no settings
        assert comparing._settings([unknown], [one]) == comparing._settings([one], [unknown]) == ()


def test_the_newest_checkpoint_says_how_long_a_run_trained(finished_run: Path, tmp_path: Path) -> None:
    shorter = runs.copy(finished_run, tmp_path / "shorter")
    checkpoints = RunFolder(shorter).checkpoints
    remove(checkpoints, list_steps(checkpoints)[-1])
    assert comparing._settings([finished_run], [shorter]) == ("trained steps: 6 -> 4",)
    assert comparing._settings([shorter], [finished_run]) == ("trained steps: 4 -> 6",)
    assert comparing._settings([finished_run, shorter], [finished_run, shorter]) == ()  # the first of each counts


@pytest.mark.parametrize(
    ("sizes", "single", "borrowed"),
    [
        ((1, 1), True, False),
        ((2, 1), False, True),
        ((1, 2), False, True),
        ((2, 2), False, False),
        ((2, 3), False, False),
        ((1, 1, 2), True, True),
        ((2, 2, 1), False, True),
    ],
)
def test_a_note_says_what_single_models_do_not_show(sizes: tuple[int, ...], single: bool, borrowed: bool) -> None:
    reports = [group("recall", *[0.5] * size) for size in sizes]
    members = [[ARRAY] * size for size in sizes]
    notes = list(comparing._notes(members, reports, pairs(*reports)))
    assert len(notes) == single + borrowed
    assert any(note.startswith("between single models, intervals cover sampling") for note in notes) == single
    assert any(note.startswith("a single model shows no training variance") for note in notes) == borrowed


def test_notes_of_groups_that_are_no_independent_repeats(finished_run: Path, tmp_path: Path) -> None:
    """A group is of one recipe and of several seeds. What is no run tells neither."""
    again = other_run(finished_run, tmp_path / "again")
    seeds = [other_run(finished_run, tmp_path / f"seed-{seed}", seed=seed) for seed in (1, 2)]
    settings = {"pretraining_steps": 1, "batch_size": 7, "latent_dim": 4, "loss": "hinge"}  # in no order
    other = other_run(finished_run, tmp_path / "other", seed=3, **settings)

    def notes(*members: Sequence[Any]) -> list[str]:
        reports = [group("recall", *[0.5] * len(one)) for one in members]
        return list(comparing._notes(members, reports, pairs(*reports)))

    assert notes([finished_run, seeds[0]], [finished_run, *seeds]) == []
    shared = "share a seed: they are not independent repeats."
    assert notes([finished_run, again], seeds) == [f"runs of A {shared}"]
    assert notes(seeds, [finished_run, ARRAY, seeds[0], again]) == [f"runs of B {shared}"]
    assert notes([ARRAY, ARRAY], seeds) == []
    (note,) = notes(seeds, [finished_run, other])
    assert note.startswith("the runs of B differ in more than their seed: batch_size: 5 -> 7; latent_dim: 3 -> 4; lo")
    assert note.endswith("loss: relativistic -> hinge; ...")
    other = other_run(finished_run, tmp_path / "three", **dict(list(settings.items())[:3]))
    (note,) = notes(seeds, [finished_run, other])
    assert note.endswith("seed: batch_size: 5 -> 7; latent_dim: 3 -> 4; pretraining_steps: 2 -> 1.")


def test_a_note_names_the_figures_that_are_not_compared() -> None:
    reports = [group("recall", 0.5, 0.5), group("coverage", 0.5, 0.5), group("diversity", 0.5, 0.5)]
    (note,) = comparing._notes([[ARRAY] * 2] * 3, reports, pairs(*reports))
    assert note == (
        "not compared, because not every subject has them for as many images and classes: "
        "coverage, diversity within class, recall."
    )


def test_a_class_without_a_diversity_is_not_noted_again() -> None:
    """The figures that are not compared say it."""
    reports = group("recall", 0.5, notes=("diversity is not measured for classes of fewer than 20 images: a.", "odd."))
    assert list(comparing._notes_of(reports)) == ["made: odd."]


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    """A data set whose test images are just enough to compare."""
    rng = np.random.default_rng(0)
    train, test = rng.integers(0, 256, (2, 128, 12, 12), np.uint8)
    np.savez(tmp_path / "bars.npz", train_images=train, test_images=test)
    return tmp_path / "bars.npz"


class Measuring:
    """A stand-in for measuring: the recall of images is their mean."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full: list[bool] = []
        monkeypatch.setattr(comparing, "reference_for", lambda *_: "reference")
        monkeypatch.setattr(comparing, "measure", self)

    def __call__(self, sample: Sample, reference: str, *, full: bool, progress: Any) -> Report:
        assert reference == "reference"
        self.full.append(full)
        progress("features", 0.25)
        images = sample.images
        pictures = Pictures(images, np.zeros(len(images), np.int64), images, images)
        values = {"recall": round(float(images.mean()) / 255, 6)}
        return made.report(values, sample.subject.name, notes=sample.notes, pictures=pictures, features="f" * 64)


@pytest.fixture
def measuring(monkeypatch: pytest.MonkeyPatch) -> Measuring:
    return Measuring(monkeypatch)


def noise(mean: int, count: int = 200) -> Any:
    """Images of noise around a mean."""
    return np.random.default_rng(mean).integers(mean - 20, mean + 20, (count, 12, 12), np.uint8)


def test_a_comparison_says_what_it_compared(bars: Path, tmp_path: Path, measuring: Measuring) -> None:
    for at, mean in enumerate((100, 104, 102)):
        np.save(tmp_path / f"seed-{at}.npy", noise(mean))
    told: list[tuple[str, float]] = []
    comparison = inkgan.compare(
        noise(200), f"{glob.escape(str(tmp_path))}/seed-*", data=bars, seed=3, progress=lambda *call: told.append(call)
    )
    assert comparison.subjects == (("array",), tuple(str(tmp_path / f"seed-{at}.npy") for at in range(3)))
    assert (comparison.data, comparison.n, comparison.seed, comparison.features) == ("bars", 128, 3, "f" * 64)
    assert comparison.data_digest == load(bars).digest
    assert comparison.notes[0] == "n is 128, not 10,000: bars has 128 held-out images."
    assert comparison.notes[1].startswith("a single model shows no training variance")
    assert 0 < comparison.seconds < 60
    (pair,) = comparison.pairs
    assert found(pair, "recall").first == pytest.approx(200 / 255, abs=0.01)
    assert found(pair, "recall").second == pytest.approx(102 / 255, abs=0.01)
    assert pair.verdict == "worse"
    assert measuring.full == [False] * 4
    assert told[0] == ("reading", 0.0)
    assert [doing for doing, done in told if done == 0.25] == [
        f"{name}: features" for group in comparison.subjects for name in group
    ]
    assert told[-1] == ("figures", 1.0)
    content = json.loads(comparison.as_json())
    assert content["format"] == 1
    assert content["pairs"][0]["differences"][0]["title"] == "exact copies of training images"
    assert replace(comparison, seconds=0) == comparison


def test_the_arguments_of_a_comparison(bars: Path, measuring: Measuring) -> None:
    """The seed chooses among the images; ``full`` is passed on."""
    arrays = noise(100, 400), noise(150, 400)
    values = []
    for seed in (0, 0, 1):
        (pair,) = inkgan.compare(*arrays, data=bars, seed=seed, full=seed == 1, n=128).pairs
        values.append(found(pair, "recall").first)
    assert values[0] == values[1] != values[2]
    assert measuring.full == [False] * 4 + [True] * 2
    assert inkgan.compare(*arrays, data=bars).seed == 0
    with pytest.raises(ConfigError, match="full"):
        inkgan.compare(*arrays, data=bars, full="perhaps")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="progress"):
        inkgan.compare(*arrays, data=bars, progress=3)  # type: ignore[arg-type]


def test_two_to_twenty_six_subjects_can_be_named(bars: Path, measuring: Measuring) -> None:
    array = noise(100)
    assert [pair.second for pair in inkgan.compare(*[array] * 26, data=bars).pairs][-1] == "Z"
    assert len(inkgan.compare(array, array, data=bars).pairs) == 1
    for count in (1, 27):
        with pytest.raises(EvaluationError, match=rf"{count} subjects? cannot be compared\. Name 2 to 26"):
            inkgan.compare(*[array] * count, data=bars)


def test_a_name_with_marks_of_a_pattern_may_be_a_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there is taken as it is; a pattern's matches come in the order of their names."""
    monkeypatch.chdir(tmp_path)
    for name in ("b[1]", "b1", "b2", "b10"):
        Path(name).mkdir()
    assert comparing._members("b[1]") == ["b[1]"]
    assert comparing._members("b?") == [Path("b1"), Path("b2")]
    assert comparing._members(Path("b*")) == [Path("b1"), Path("b10"), Path("b2"), Path("b[1]")]
    assert comparing._members("b3") == ["b3"]
    with pytest.raises(EvaluationError, match="nothing matches 'c\\*'"):
        comparing._members("c*")
