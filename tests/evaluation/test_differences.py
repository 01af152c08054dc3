"""Comparisons of figures that a test chooses: intervals, verdicts, settings and notes."""

from __future__ import annotations

import glob
import json
import tempfile
import warnings
from collections.abc import Callable, Sequence
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
from inkgan.errors import ConfigError, EvaluationError, InkganWarning
from inkgan.evaluation import compare as comparing
from inkgan.evaluation.metrics.intervals import Interval, binomial
from inkgan.evaluation.report import ClassFigures, Figure, Pictures, Report
from inkgan.evaluation.subject import Measurable, Sample
from inkgan.runs.checkpoint import checkpoint_name, remove

#: Compares groups of reports; ``members`` are what they are of, by default images.
Compared = Callable[..., comparing.Comparison]


def group(name: str, *values: float, what: str = "made", **fields: Any) -> list[Report]:
    """A report for each value of a figure."""
    return [made.report({name: value}, what, **fields) for value in values]


def noise(mean: int, count: int = 200) -> Any:
    """Images of noise around a mean."""
    return np.random.default_rng(mean).integers(mean - 20, mean + 20, (count, 12, 12), np.uint8)


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    """A data set whose test images are just enough to compare."""
    rng = np.random.default_rng(0)
    train, test = rng.integers(0, 256, (2, 128, 12, 12), np.uint8)
    labels = np.arange(128) % 2
    np.savez(tmp_path / "bars.npz", train_images=train, train_labels=labels, test_images=test, test_labels=labels)
    return tmp_path / "bars.npz"


@pytest.fixture
def compared(bars: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Compared:
    """Compare without measuring: the reports of all groups are given."""
    monkeypatch.setattr(comparing, "reference_for", lambda *_: None)

    def compare(*groups: list[Report], members: Sequence[Measurable] = ()) -> comparing.Comparison:
        reports = iter([report for one in groups for report in one])
        monkeypatch.setattr(comparing, "measure", lambda *_, **__: next(reports))
        comparison = inkgan.compare(*(members or [images_of(len(one)) for one in groups]), data=bars, n=128)
        assert next(reports, None) is None
        return comparison

    def images_of(size: int) -> Measurable:
        """An array, or a pattern of several files."""
        if size == 1:
            return noise(100)
        folder = tmp_path / f"{size} files"
        folder.mkdir(exist_ok=True)
        for at in range(size):
            np.save(folder / f"{at}.npy", noise(100))
        return pattern(folder, "*")

    return compare


def pattern(folder: Path, matching: str) -> str:
    """A pattern of what is in a folder, whatever the folder is called."""
    return f"{glob.escape(str(folder))}/{matching}"


def found(pair: comparing.Pair, name: str) -> comparing.Difference:
    return next(one for one in pair.differences if one.figure == name)


@pytest.mark.parametrize("name", ["frechet_digit_distance", "recall"])
def test_two_groups_have_the_intervals_of_scipy(name: str, compared: Compared) -> None:
    """Welch's of the difference, Student's of each group's mean. The verdict's interval holds for all figures."""
    first, second = [0.61, 0.58, 0.66, 0.63], [0.41, 0.52, 0.47]
    (pair,) = compared(group(name, *first), group(name, *second)).pairs
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
def test_the_interval_of_a_group_stays_where_the_figure_can_be(share: str, compared: Compared) -> None:
    """A share is 0 to 1, and so is Student's interval of its mean, which is wide for two runs."""
    (pair,) = compared(group(share, 0.5, 0.5), group(share, 0.1, 0.9)).pairs
    assert found(pair, share).second_interval == Interval(0, 1)


@pytest.mark.parametrize("figure", ["classes_covered", "classifier_score"])
def test_the_interval_of_a_group_ends_at_the_number_of_classes(figure: str, compared: Compared) -> None:
    """No images show more classes than there are; without any, there is no limit."""
    classes = tuple(ClassFigures(name, 50, 50.0, None, None) for name in "abc")
    two, others = (group(figure, *values, classes=classes) for values in ((3, 3), (1, 3)))
    (pair,) = compared(two, others).pairs
    assert found(pair, figure).second_interval == Interval(1 if figure == "classifier_score" else 0, 3)
    (pair,) = compared(group(figure, 3, 3), group(figure, 1, 3)).pairs
    assert found(pair, figure).second_interval.high > 3
    made_of_three = Figure.of(figure, made.estimate(2.99), made.estimate(2.98), 3)
    assert (made_of_three.interval.high, made_of_three.floor_interval.high) == (3, 3)


@pytest.mark.parametrize(("first", "second"), [([0.6, 0.6], [0.5, 0.4]), ([0.5, 0.4], [0.6, 0.6]), ([0.6], [0.5, 0.4])])
def test_one_group_of_different_values_is_enough_for_an_interval_over_seeds(
    first: list[float], second: list[float], compared: Compared
) -> None:
    """A group of equal values then adds no spread; a single model has the other group's."""
    (pair,) = compared(group("recall", *first), group("recall", *second)).pairs
    one = found(pair, "recall")
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
def test_equal_values_have_newcombes_interval(seeds: int, compared: Compared) -> None:
    """Newcombe (1998), Table II, method 10: 56/70 - 48/80. A group without spread has that of its images."""

    def shares(successes: int, n: int) -> list[Report]:
        share = replace(made.figure("precision", successes / n), interval=binomial(successes, n).interval)
        return [replace(made.report({}), figures=(share,))] * seeds

    (pair,) = compared(shares(48, 80), shares(56, 70)).pairs
    one = found(pair, "precision")
    assert (one.interval.low, one.interval.high) == pytest.approx((0.0524, 0.3339), abs=6e-5)
    assert one.simultaneous == one.interval  # of one difference
    assert one.verdict == "better"


def test_all_differences_of_a_comparison_share_the_error(compared: Compared) -> None:
    """Bonferroni: the 5 % are divided by the number of differences of all pairs."""
    several = {"recall": 0.4, "coverage": 0.4, "density": 0.4}
    some, fewer = [made.report(several)], group("recall", 0.4)
    pairs = compared(some, some, fewer).pairs
    assert [len(pair.differences) for pair in pairs] == [5, 3]
    for pair in pairs:
        assert {one.simultaneous.level for one in pair.differences} == {1 - (1 - 0.95) / 8}
    assert [(pair.first, pair.second) for pair in pairs] == [("A", "B"), ("A", "C")]
    assert [one.figure for one in pairs[1].differences] == ["exact_copies", "copying_z", "recall"]


def test_the_wider_interval_decides(compared: Compared) -> None:
    """Half widths of 0.05 make 0.0707 for the difference alone, 0.0864 for three differences at once."""
    for value, verdict in ((0.58, "indistinguishable"), (0.59, "better")):
        (pair,) = compared(group("recall", 0.5), group("recall", value)).pairs
        one = found(pair, "recall")
        assert one.verdict == verdict
        assert one.interval.low > 0
        assert one.simultaneous.width / 2 == pytest.approx(0.0864, abs=1e-4)


def test_nothing_in_common_is_no_error(compared: Compared) -> None:
    (pair,) = compared([replace(made.report({}), figures=())], group("recall", 0.4)).pairs
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
def test_the_verdict_of_a_figure(name: str, first: float, second: float, verdict: str, compared: Compared) -> None:
    (pair,) = compared(group(name, first), group(name, second)).pairs
    assert found(pair, name).verdict == pair.verdict == verdict
    assert found(pair, name).better == made.figure(name, 0).better


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        ([10, 10], [9, 9], "indistinguishable"),  # 2 / (4 choose 2) = 1/3
        ([10] * 3, [9] * 3, "indistinguishable"),  # 1/10
        ([10] * 9, [9] * 9, "worse"),  # 1/24,310
        ([10], [9] * 9, "indistinguishable"),  # 1/5
        ([10], [9], "worse"),  # nothing is said about other seeds
    ],
)
def test_groups_without_any_spread(first: list[float], second: list[float], verdict: str, compared: Compared) -> None:
    """Two values may divide a few runs by chance, even if no run has a sampling error."""
    groups = (
        [replace(made.report({}), figures=(made.figure("classes_covered", value, half=0),)) for value in values]
        for values in (first, second)
    )
    (pair,) = compared(*groups).pairs
    assert found(pair, "classes_covered").verdict == verdict


def test_chance_is_judged_by_the_confidence_of_each_interval(compared: Compared) -> None:
    """2 / (8 choose 4) = 1/35 is below 5 %, but not below the third of it that one of three differences may err."""
    report = made.report({})
    groups = (
        [replace(report, figures=(*report.figures, made.figure("classes_covered", value, half=0)))] * 4
        for value in (10, 9)
    )
    (pair,) = compared(*groups).pairs
    one = found(pair, "classes_covered")
    assert (one.interval.low, one.interval.high, one.interval.level) == (-1, -1, 0.95)
    assert (one.simultaneous.low, one.simultaneous.high) == (-1, 0)
    assert one.simultaneous.level == pytest.approx(1 - 0.05 / 3)
    assert one.verdict == "indistinguishable"


@pytest.mark.parametrize(("first", "second"), [(0.49, 0.535), (0.505, 0.535)])
def test_a_floor_that_may_lie_on_either_side_of_the_middle(first: float, second: float, compared: Compared) -> None:
    """It is 0.5, 0.45 to 0.55: which value is nearer depends on the real images that were drawn."""
    figures = [made.figure("diversity", value, half=0.001) for value in (first, second)]
    figures = [replace(one, floor_interval=Interval(0.45, 0.55)) for one in figures]
    reports = [replace(made.report({}), figures=(one,)) for one in figures]
    (pair,) = compared(*([one] for one in reports)).pairs
    assert found(pair, "diversity").verdict == "different"


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("beyond", "equal"), [(0, True), (2**-20, False)])
def test_an_interval_that_ends_at_zero_holds_it(sign: int, beyond: float, equal: bool, compared: Compared) -> None:
    """Half widths of 3/16 and 4/16 make one of 5/16, without a rounding error."""
    reports = [
        replace(made.report({}), figures=(made.figure("recall", 0.5 + shift, half=half),))
        for shift, half in ((0, 3 / 16), (sign * (5 / 16 + beyond), 4 / 16))
    ]
    (pair,) = compared(*([one] for one in reports)).pairs
    assert (pair.verdict == "indistinguishable") == equal


@pytest.mark.parametrize(
    ("second", "overall"),
    [
        ({"recall": 0.8, "coverage": 0.5, "density": 0.8}, "better"),
        ({"diversity": 0.6, "near_copies": 0.6}, "different"),
        ({"recall": 0.8, "coverage": 0.2}, "mixed"),
        ({"recall": 0.8, "diversity": 0.6}, "mixed"),
    ],
)
def test_the_verdict_over_all_figures(second: dict[str, float], overall: str, compared: Compared) -> None:
    first = {name: 0.4 if name in {"diversity", "near_copies"} else 0.5 for name in second}
    (pair,) = compared([made.report(first)], [made.report(second)]).pairs
    assert pair.verdict == overall


def test_only_figures_of_as_many_images_and_of_the_same_classes_are_compared(compared: Compared) -> None:
    """A mean diversity is taken over classes. A class that has none does not count, and other figures are not means."""
    of_class = made.figure("diversity/0", 0.5)
    classes = tuple(ClassFigures(name, 50, 50.0, of_class, None) for name in "abc")
    first = made.report({"recall": 0.5, "diversity": 0.5}, classes=classes)
    every = ["exact_copies", "copying_z", "recall", "diversity"]

    def shared(one: list[Report], other: list[Report]) -> list[str]:
        (pair,) = compared(one, other).pairs
        return [difference.figure for difference in pair.differences]

    more = tuple(replace(one, n=one.n + 1) if one.name == "recall" else one for one in first.figures)
    of_others = tuple(replace(one, n=one.n - 7) if one.name == "diversity" else one for one in first.figures)
    fewer = (*classes[:2], replace(classes[2], diversity=None))
    for other, expected in (
        (first, every),
        (replace(first, figures=of_others), every),
        (replace(first, figures=more), ["exact_copies", "copying_z", "diversity"]),
        (replace(first, figures=first.figures[1:]), every[1:]),
        (replace(first, classes=fewer), every[:3]),
    ):
        for groups in (([first], [other]), ([first, first], [other]), ([first], [first, other])):
            assert shared(*groups) == expected
    assert shared([replace(first, classes=fewer)], [replace(first, classes=classes[:2])]) == every


def other_run(run: Path, folder: Path, **settings: Any) -> Path:
    """A copy of a run with other settings."""
    path = runs.copy(run, folder) / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **settings}), "utf-8")
    return folder


def settings_of(comparison: comparing.Comparison) -> tuple[str, ...]:
    (pair,) = comparison.pairs
    return pair.settings


def test_the_settings_in_which_runs_differ(finished_run: Path, tmp_path: Path, compared: Compared) -> None:
    """Those of the first runs count, without the seed if it varies within a group."""

    def settings(*members: Measurable, sizes: tuple[int, int] = (1, 1)) -> tuple[str, ...]:
        return settings_of(compared(*(group("recall", *[0.5] * size) for size in sizes), members=members))

    one = other_run(finished_run, tmp_path / "1", seed=1, batch_size=7)
    two = other_run(finished_run, tmp_path / "2")
    for name, first, second in (("a", two, one), ("b", one, two)):
        for at, run in enumerate((first, second)):
            runs.copy(run, tmp_path / f"{name}-{at}")
    a, b = (pattern(tmp_path, f"{name}-*") for name in "ab")
    assert settings(finished_run, two) == ()
    assert settings(str(finished_run), str(one)) == ("seed: 0 -> 1", "batch_size: 5 -> 7")
    assert settings(one, finished_run) == ("seed: 1 -> 0", "batch_size: 7 -> 5")
    assert settings(a, one, sizes=(2, 1)) == settings(two, b, sizes=(1, 2)) == ("batch_size: 5 -> 7",)
    assert settings(a, b, sizes=(2, 2)) == ("batch_size: 5 -> 7",)
    assert settings(noise(100), one) == settings(one, noise(100)) == ()  # what is no run has no settings


def test_runs_of_the_same_images_in_two_places(
    finished_run: Path, small_data: Path, tmp_path: Path, compared: Compared
) -> None:
    """The place is no difference, nor is a precision that one of them left to inkgan; other images are one."""
    data = json.loads((finished_run / "config.json").read_text("utf-8"))["data"]
    elsewhere = {**data, "name": "/elsewhere/small.npz", "directory": "/elsewhere"}
    moved = other_run(finished_run, tmp_path / "a-2", seed=2, data=elsewhere, precision="auto")
    runs.copy(finished_run, tmp_path / "a-1")
    two = group("recall", 0.5, 0.5)
    found = compared(two, two, members=[pattern(tmp_path, "a-*")] * 2)
    assert (settings_of(found), found.notes) == ((), ())
    np.savez(tmp_path / "other.npz", images=255 - np.load(small_data)["images"])
    other = runs.train(tmp_path / "other", tmp_path / "other.npz").folder
    found = compared(*[group("recall", 0.5)] * 2, members=[moved, other])
    places = f"data.name: /elsewhere/small.npz -> {tmp_path}/other.npz", "data.directory: /elsewhere -> None"
    assert settings_of(found) == ("seed: 2 -> 0", *places)


def test_a_bundled_model_has_no_settings_of_a_run(
    finished_run: Path, tmp_path: Path, compared: Compared, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run in a folder of its name is another model."""
    monkeypatch.chdir(tmp_path)
    runs.copy(finished_run, tmp_path / "fast")
    other_run(finished_run, tmp_path / "best", batch_size=7)
    images = np.random.default_rng(0).integers(0, 256, (2, 128, 28, 28), np.uint8)
    labels = np.arange(128) % 2
    np.savez("bars.npz", train_images=images[0], train_labels=labels, test_images=images[1], test_labels=labels)
    with pytest.warns(InkganWarning, match="is the bundled model; name the folder"):
        found = compared(*[group("recall", 0.5)] * 2, members=["fast", "best"])
    assert found.pairs[0].settings == ()


def test_runs_that_were_trained_for_different_numbers_of_steps(
    finished_run: Path, tmp_path: Path, compared: Compared
) -> None:
    """The groups' ranges are among what differs, and a note says which group was not trained evenly."""
    for name, steps in (("a", 6), ("b", 6), ("c", 6), ("d", 4)):
        folder = other_run(finished_run, tmp_path / f"{name}-run", seed=ord(name))
        if steps == 4:
            remove(folder / "checkpoints", 6)
    even, uneven = (pattern(tmp_path, f"[{names}]-run") for names in ("ab", "cd"))
    two = group("recall", 0.5, 0.5)
    comparison = compared(two, two, members=[even, uneven])
    assert settings_of(comparison) == ("trained steps: 6 -> 4 to 6",)
    (note,) = comparison.notes
    assert note.startswith("the runs of B were trained for 4 to 6 steps, which")
    assert settings_of(compared(two, two, members=[even, even])) == ()
    assert settings_of(compared(two, two, members=[uneven, uneven])) == ()


def test_runs_that_were_stopped_in_pretraining(finished_run: Path, tmp_path: Path, compared: Compared) -> None:
    """They were trained for no joint steps, all of them alike."""
    for name in ("a-1", "a-2", "b"):
        checkpoints = other_run(finished_run, tmp_path / name, seed=ord(name[-1])) / "checkpoints"
        if name != "b":
            for step in (4, 6):
                remove(checkpoints, step)
            (checkpoints / checkpoint_name(0)).rename(checkpoints / checkpoint_name(-1))
    members = [pattern(tmp_path, "a-*"), tmp_path / "b"]
    found = compared(group("recall", 0.5, 0.5), group("recall", 0.5), members=members)
    assert settings_of(found) == ("trained steps: 0 -> 6",)
    assert not any("which adds to the spread" in note for note in found.notes)


def test_the_steps_of_a_run_are_those_of_the_checkpoint_that_is_measured(
    finished_run: Path, tmp_path: Path, compared: Compared
) -> None:
    """The newest one may be damaged."""
    folder = other_run(finished_run, tmp_path / "damaged")
    (folder / "checkpoints" / checkpoint_name(6) / "model.json").write_text("{}", "utf-8")
    with pytest.warns(InkganWarning, match="Taking step 4"):
        found = compared(*[group("recall", 0.5)] * 2, members=[finished_run, folder])
    assert settings_of(found) == ("trained steps: 6 -> 4",)


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
def test_a_note_says_what_single_models_do_not_show(
    sizes: tuple[int, ...], single: bool, borrowed: bool, compared: Compared
) -> None:
    notes = compared(*(group("recall", *[0.5] * size) for size in sizes)).notes
    assert len(notes) == single + borrowed
    assert any(note.startswith("between single models, intervals cover sampling") for note in notes) == single
    assert any(note.startswith("a single model shows no training variance") for note in notes) == borrowed


def test_notes_of_groups_that_are_no_independent_repeats(
    finished_run: Path, tmp_path: Path, compared: Compared
) -> None:
    """A group is of one recipe and of several seeds. What is no run tells neither."""
    settings = {"pretraining_steps": 1, "batch_size": 7, "latent_dim": 4, "loss": "hinge"}  # in no order

    def grouped(*members: dict[str, Any]) -> str:
        """A group of runs with these settings."""
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        for at, chosen in enumerate(members):
            other_run(finished_run, folder / f"run-{at}", **chosen)
        return pattern(folder, "*")

    def notes(first: str, second: str, sizes: tuple[int, int] = (2, 2)) -> tuple[str, ...]:
        return compared(*(group("recall", *[0.5] * size) for size in sizes), members=[first, second]).notes

    seeds = grouped({"seed": 1}, {"seed": 2})
    assert notes(seeds, grouped({}, {"seed": 1}, {"seed": 2}), (2, 3)) == ()
    shared = "share a seed: they are not independent repeats."
    assert notes(grouped({}, {}), seeds) == (f"runs of A {shared}",)
    mixed = grouped({"seed": 1}, {"seed": 1})
    np.save(mixed.replace("*", "array.npy"), noise(100))
    assert notes(seeds, mixed, (2, 3)) == (f"runs of B {shared}",)
    (note,) = notes(seeds, grouped({}, {"seed": 3, **settings}))
    assert note.startswith("the runs of B differ in more than their seed: batch_size: 5 -> 7; latent_dim: 3 -> 4; lo")
    assert note.endswith("loss: relativistic -> hinge; ...")
    (note,) = notes(seeds, grouped({}, {"seed": 3, **dict(list(settings.items())[:3])}))
    assert note.endswith("seed: batch_size: 5 -> 7; latent_dim: 3 -> 4; pretraining_steps: 2 -> 1.")


def test_a_note_names_the_figures_that_are_not_compared(compared: Compared) -> None:
    (note,) = compared(*(group(name, 0.5, 0.5) for name in ("recall", "coverage", "diversity"))).notes
    assert note == (
        "not compared, because not every subject has them for as many images and classes: "
        "coverage, diversity within class, recall."
    )


def test_a_class_without_a_diversity_is_not_noted_again(compared: Compared) -> None:
    """The figures that are not compared say it."""
    one = group("recall", 0.5, notes=("diversity is not measured for classes of fewer than 20 images: a.", "odd."))
    assert compared(one, group("recall", 0.5)).notes[1:] == ("made: odd.",)


def test_a_note_of_many_subjects_is_given_once(compared: Compared) -> None:
    """It gives one name and how many more there are; a note that begins with its subject's name does not repeat it."""
    notes = {"a": ("a is odd.", "d: old"), "b": ("b is odd.", "d: old"), "c": ("d: old",)}
    reports = [group("recall", 0.5, what=what, notes=said) for what, said in notes.items()]
    assert compared(*reports).notes[1:] == ("a and 1 more: is odd.", "all: d: old")


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


def test_a_comparison_says_what_it_compared(bars: Path, tmp_path: Path, measuring: Measuring) -> None:
    for at, mean in enumerate((100, 104, 102)):
        np.save(tmp_path / f"seed-{at}.npy", noise(mean))
    told: list[tuple[str, float]] = []
    comparison = inkgan.compare(
        noise(200), pattern(tmp_path, "seed-*"), data=bars, seed=3, progress=lambda *call: told.append(call)
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
    with pytest.raises(ConfigError, match="full='perhaps' is not allowed: give True or False"):
        inkgan.compare(*arrays, data=bars, full="perhaps")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="progress is 3"):
        inkgan.compare(*arrays, data=bars, progress=3)  # type: ignore[arg-type]


def test_two_to_twenty_six_subjects_can_be_named(bars: Path, measuring: Measuring) -> None:
    array = noise(100)
    assert [pair.second for pair in inkgan.compare(*[array] * 26, data=bars).pairs][-1] == "Z"
    assert len(inkgan.compare(array, array, data=bars).pairs) == 1
    for count in (1, 27):
        with pytest.raises(EvaluationError, match=rf"{count} subjects? cannot be compared\. Name 2 to 26"):
            inkgan.compare(*[array] * count, data=bars)


def test_a_name_with_marks_of_a_pattern_may_be_a_files(
    bars: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, measuring: Measuring
) -> None:
    """What is there is taken as it is; a pattern's matches come in the order of their names."""
    monkeypatch.chdir(tmp_path)
    for name in ("b[1]", "b1", "b2", "b10"):
        np.save(name, noise(100))
    subjects: list[str | Path] = ["b[1].npy", "b?.npy", Path("b*.npy"), "b2.npy"]
    members = [("b[1].npy",), ("b1.npy", "b2.npy"), ("b1.npy", "b10.npy", "b2.npy", "b[1].npy"), ("b2.npy",)]
    assert inkgan.compare(*subjects, data=bars).subjects == tuple(members)
    with pytest.raises(EvaluationError, match="nothing matches 'c\\*'"):
        inkgan.compare("c*", "b1.npy", data=bars)


def test_a_pattern_matches_folders_and_not_bundled_models(
    finished_run: Path, bars: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, measuring: Measuring
) -> None:
    """A pattern finds a run that is named like a bundled model, which draws larger images; the name means the model."""
    monkeypatch.chdir(tmp_path)
    runs.copy(finished_run, tmp_path / "fast")
    assert inkgan.compare("fa*", noise(100), data=bars).subjects == (("fast",), ("array",))
    with (
        pytest.warns(InkganWarning, match="fast is the bundled model"),
        pytest.raises(EvaluationError, match="28x28"),
    ):
        inkgan.compare("fast", noise(100), data=bars)
