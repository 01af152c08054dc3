"""Reports and comparisons as text: sentences that say what the figures show, and tables that are aligned."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from scipy import stats  # type: ignore[import-untyped]

import made_reports as made
from inkgan.errors import EvaluationError
from inkgan.evaluation.compare import Comparison, Difference, Pair, _pairs
from inkgan.evaluation.metrics.intervals import Interval
from inkgan.evaluation.report import ClassFigures, Report
from inkgan.evaluation.report_text import (
    class_cells,
    comparison_text,
    difference_cells,
    explanations,
    figure_cells,
    interval_text,
    letter,
    number,
    report_text,
    subject_lines,
    summary,
    table,
    verdict_line,
)


def unwrapped(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (0.0, "0"), (1, "1"), (12345.678, "1.235e+04"), (0.123456, "0.1235"), (-2.5, "-2.5"),
        (0.001, "0.001"), (-0.001, "-0.001"), (0.00099949, "1.0e-03"), (0.00012345, "1.2e-04"), (-6e-7, "-6.0e-07"),
    ],
)  # fmt: skip
def test_numbers_have_four_digits_and_small_ones_a_power_of_ten(value: float, text: str) -> None:
    assert number(value) == text
    assert interval_text(Interval(value, 7.25)) == f"{text} to 7.25"


def test_letters() -> None:
    assert [letter(at) for at in (0, 1, 25)] == ["A", "B", "Z"]


def test_the_summary_begins_with_what_matters() -> None:
    said = summary(made.report({"frechet_digit_distance": 1.23456, "accuracy": 0.98765}, "mine"))
    assert said == (
        "mine, 500 images: Fréchet digit distance 1.23 (real images: 0.5), 98.8% show the class asked for, "
        "no sign of copying."
    )
    assert summary(made.report({}, "mine", n=10_000)) == "mine, 10,000 images: no sign of copying."
    of_other = made.figure("frechet_digit_distance", 0.5)
    of_other = replace(of_other, title="Fréchet distance (bars features)")
    report = made.report({}, "a" * 30 + "/" + "b" * 30)
    report = replace(report, figures=(*report.figures, of_other))
    assert "Fréchet distance 0.5 (real images: 0.5)" in summary(report)
    assert len(summary(report).partition(",")[0]) == 34


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "no sign of copying"),
        ({"exact_copies": 0.002}, "0.2% are training images"),
        ({"exact_copies": 0.0001}, "0.01% are training images"),
        ({"exact_copies": 0.002, "near_copies": 0.9}, "0.2% are training images"),
        ({"near_copies": 0.9}, "90.0% are near-copies of training images (real images: 50.0%)"),
        ({"near_copies": 0.6}, "no sign of copying"),  # the intervals touch
        ({"near_copies": 0.61}, "61.0% are near-copies of training images (real images: 50.0%)"),
        ({"near_copies_pixels": 0.9}, "90.0% are near-copies in pixels of training images (real images: 50.0%)"),
        ({"near_copies": 0.8, "near_copies_pixels": 0.9}, "80.0% are near-copies of training images"),
        ({"copying_z": -0.05}, "no sign of copying"),  # the interval ends at 0
        (
            {"copying_z": -0.06},
            "closer to the training images than held-out images are, with 50.0% near-copies (real images: 50.0%)",
        ),
        ({"copying_z": 9}, "no sign of copying"),
        ({"copying_z_pixels": -9}, "no sign of copying"),
    ],
)
def test_the_summary_says_what_is_a_sign_of_copying(values: dict[str, float], said: str) -> None:
    report = made.report({"near_copies": 0.5, **values})
    exact = made.figure("exact_copies", values.get("exact_copies", 0.0), half=0, floor=0)
    report = replace(report, figures=tuple(exact if one.name == exact.name else one for one in report.figures))
    assert f"images: {said}" in summary(report)
    explained = any(paragraph.startswith("near-copies:") for paragraph in explanations(report))
    assert explained == (said != "no sign of copying")


@pytest.mark.parametrize(
    ("near", "said"),
    [
        (0.5, "2.0% are training images (real images: 3.0%)."),
        (0.9, "90.0% are near-copies of training images (real images: 50.0%)."),
    ],
)
def test_copies_as_frequent_as_among_real_images_hide_no_others(near: float, said: str) -> None:
    """Some real images are there twice."""
    report = made.report({"near_copies": near})
    exact = made.figure("exact_copies", 0.02, half=0.005, floor=0.03)
    report = replace(report, figures=tuple(exact if one.name == exact.name else one for one in report.figures))
    assert summary(report).endswith(said)


@pytest.mark.parametrize(
    ("features", "accuracy", "said"),
    [
        ("f" * 64, None, "Measured against bars in the features ffffffffffff; seed 3, 7.2 s."),
        ("own extractor", None, "Measured against bars in features of your own; seed 3, 7.2 s."),
        ("own extractor", 0.99, "Measured against bars in features of your own; seed 3, 7.2 s."),  # of the network
        (
            "f" * 64,
            0.9876,
            "in the features ffffffffffff of a network that names the class of 98.8% of the held-out images; seed 3",
        ),
        ("f" * 64, 0.0, "of a network that names the class of 0.0% of the held-out images; seed 3"),
    ],
)
def test_a_report_says_what_it_was_measured_with(features: str, accuracy: float | None, said: str) -> None:
    report = made.report({}, seed=3, features=features, feature_accuracy=accuracy, seconds=7.24)
    assert said in explanations(report)[-1]
    assert said in unwrapped(report_text(report))


def test_only_a_distance_below_its_floor_is_explained() -> None:
    for value, below in ((0.1, True), (0.5, False), (0.9, False)):
        report = made.report({"frechet_digit_distance": value})
        assert any("A distance may be below its floor" in one for one in explanations(report)) == below
        assert not any("a network of random weights" in one for one in explanations(report))
    second = made.report({"frechet_digit_distance": 0.9, "frechet_random_distance": 0.1})
    assert not any("below its floor" in one for one in explanations(second))
    assert any("a network of random weights" in one for one in explanations(second))


def test_the_cells_of_a_figure() -> None:
    cells = figure_cells(made.figure("recall", 0.75))
    assert cells == ("recall", "0.75", "0.7 to 0.8", "0.5", "higher", "better")
    cells = figure_cells(made.figure("diversity", 0.75))
    assert cells == ("diversity within class", "0.75", "0.7 to 0.8", "0.5", "equal", "differs")
    assert figure_cells(made.figure("class_kl", 0.75))[-2:] == ("lower", "worse")
    assert [figure_cells(made.figure("recall", value))[-1] for value in (0.6, 0.61)] == ["as real", "better"]


def test_the_cells_of_a_class() -> None:
    diversity, accuracy = made.figure("diversity/3", 0.25), made.figure("accuracy/3", 0.75)
    assert class_cells(ClassFigures("3", 48, 50.4, diversity, accuracy)) == (
        "3", "48", "50", "0.25", "0.5", "0.75", "0.5",
    )  # fmt: skip
    assert class_cells(ClassFigures("3", 1, 50.6, None, None)) == ("3", "1", "51", "-", "-", "-", "-")


@pytest.mark.parametrize(
    ("diversity", "accuracy", "table"),
    [(True, True, True), (True, False, True), (False, True, True), (False, False, False)],
)
def test_the_classes_have_a_table_if_they_have_figures(diversity: bool, accuracy: bool, table: bool) -> None:
    one = ClassFigures(
        "three",
        48,
        50.0,
        made.figure("diversity/0", 0.25) if diversity else None,
        made.figure("accuracy/0", 0.75) if accuracy else None,
    )
    blank = ClassFigures("four", 0, 50.0, None, None)
    said = report_text(made.report({}, classes=(one, blank)))
    assert any(line.startswith("three ") for line in said.splitlines()) == table
    assert ("expected: as many as there would be" in unwrapped(said)) == table


def test_the_parts_of_a_report_in_their_order() -> None:
    """The summary, the table, the explanations, and the notes, whose further lines are indented."""
    report = made.report({"recall": 0.75}, notes=("short.", "a long note " * 20))
    lines = report_text(report).splitlines()
    assert lines[:7] == [
        summary(report),
        "",
        "figure                           value  95 % interval  floor  better  verdict",
        "exact copies of training images  0       0 to 0.05     0.5    lower   better",
        "copying z (below -2: closer)     0      -0.05 to 0.05  0.5    equal   differs",
        "recall                           0.75    0.7 to 0.8    0.5    higher  better",
        "",
    ]
    assert lines[7].startswith("floor: ")
    assert "better: equal, where a value on either side of the floor is worse." in unwrapped(str(report))
    notes = lines.index("note: short.")
    assert "`inkgan help metrics`" in lines[notes - 1]
    _, first, *more = lines[notes:]
    assert first.startswith("note: a long note")
    assert more
    assert all(line.startswith("      ") and line[6] != " " for line in more)
    assert max(map(len, lines)) <= 100


def test_an_unknown_figure_is_named() -> None:
    with pytest.raises(KeyError, match=r"no figure 'recal'\. Did you mean 'recall'\? There are: exact_copies, "):
        made.report({"recall": 0.75})["recal"]


def test_a_table_shortens_its_first_column_to_fit() -> None:
    """Names are shortened to what room there is, but not below twelve characters."""
    wide = "x" * 40
    rows = [("name", "value", "what"), ("n" * 200, "1.5", wide), ("short", "-22", wide)]
    lines = table(rows)
    assert [len(line) for line in lines[1:]] == [100, 100]
    assert lines[2].startswith("short ")
    assert lines[1].count("n") == 100 - 2 - 5 - 2 - 40 - 1
    narrow = table([("name", "what"), ("n" * 200, "x" * 95)])
    assert narrow[1] == "nnnn…nnnnnnn  " + "x" * 95
    assert table([("name", "value"), ("n" * 93, "1"), ("m", "2")])[1].startswith("n" * 93 + "  ")
    assert "…" in table([("name", "value"), ("n" * 94, "1"), ("m", "2")])[1]


def test_the_columns_beside_chinese_names_are_aligned() -> None:
    """On a terminal, a Chinese character is as wide as two letters."""
    rows = [("class", "images"), ("一", "12"), ("葡萄柚", "3")]
    assert table(rows) == ["class   images", "一      12", "葡萄柚   3"]


def test_a_table_wraps_its_first_column_between_words() -> None:
    rows = [("figure", "value"), ("accuracy of the class asked for", "0.5"), ("recall", "10")]
    assert table(rows, 25) == [
        "figure           value",
        "accuracy of the   0.5",
        "class asked for",
        "recall           10",
    ]


def test_in_a_window_without_room_for_names_each_has_a_line() -> None:
    rows = [("figure", "value"), ("accuracy of the class asked for", "0.5"), ("recall", "10")]
    assert table(rows, 18) == ["figure", "  value", "accuracy of the class asked for", "   0.5", "recall", "  10"]


@pytest.mark.parametrize("columns", [60, 80, 100])
def test_reports_and_comparisons_fit_into_the_window(columns: int) -> None:
    values = {"frechet_digit_distance": 1.23456, "accuracy": 0.98765, "near_copies": 0.9}
    classes = (ClassFigures("three", 48, 50.0, made.figure("diversity/0", 0.25), made.figure("accuracy/0", 0.75)),)
    texts = [
        report_text(made.report(values, "a" * 60, notes=("a long note " * 20,), classes=classes), columns),
        comparison_text(comparison_of(WORSE), columns),
    ]
    for text in texts:
        assert columns - 20 < max(map(len, text.splitlines())) <= columns


def test_columns_of_a_table_are_two_spaces_apart() -> None:
    assert table([("a", "values", "b"), ("x", "1", "y"), ("x", "10.25 to 11", "-"), ("x", "-", "z")]) == [
        "a       values  b",
        "x   1           y",
        "x  10.25 to 11  -",
        "x  -            z",
    ]
    assert table([("a", "b"), ("x", "1e-05"), ("x", "12.5")]) == ["a       b", "x   1e-05", "x  12.5"]


def pair_of(first: dict[str, float], second: dict[str, float]) -> Pair:
    array: Any = None
    (pair,) = _pairs([[made.report(first)], [made.report(second)]], [[array], [array]])
    return pair


def comparison_of(*pairs: Pair, **fields: Any) -> Comparison:
    given = {"data": "bars", "data_digest": "d" * 64, "features": "f" * 64, "n": 10_000, "seed": 3, "seconds": 7.24}
    return Comparison(**{"subjects": (("one",), ("two",)), "pairs": pairs, "notes": (), **given, **fields})


WORSE = pair_of({"recall": 0.75, "class_kl": 0.2, "density": 0.5}, {"recall": 0.2, "class_kl": 0.9, "density": 0.5})


def test_a_line_for_each_subject() -> None:
    subjects = (("one",), ("two-0", "two-1"), ("c" * 40, "", "", ""))
    assert subject_lines(comparison_of(subjects=subjects)) == [
        "A: one",
        "B: two-0 and 1 more: a group over seeds",
        "C: " + "c" * 11 + "…" + "c" * 22 + " and 3 more: a group over seeds",
    ]


def test_the_verdict_names_the_better_of_the_two() -> None:
    assert verdict_line(WORSE) == "B against A, over all figures: A is better (2 A is better, 3 indistinguishable)."
    better = pair_of({"recall": 0.2, "diversity": 0.1}, {"recall": 0.75, "diversity": 0.9})
    better = replace(better, second="C")
    assert verdict_line(better) == (
        "C against A, over all figures: mixed (1 C is better, 1 different, 2 indistinguishable)."
    )


def test_the_cells_of_a_difference() -> None:
    cells = {one.figure: difference_cells(one, WORSE) for one in WORSE.differences}
    assert cells["recall"] == ("recall", "0.75", "0.2", "-0.6207 to -0.4793", "0.5", "A is better")
    assert cells["density"] == ("density", "0.5", "0.5", "-0.07071 to 0.07071", "0.5", "-")
    one, said = WORSE.differences[0], {"better": "B is better", "worse": "A is better", "different": "different"}
    for verdict, words in said.items():
        assert difference_cells(replace(one, verdict=verdict), WORSE)[-1] == words  # type: ignore[arg-type]


def test_the_parts_of_a_comparison_in_their_order() -> None:
    """The subjects; for each pair the verdict, the table and the settings; the explanations and the notes."""
    pair = replace(WORSE, settings=("seed: 0 -> 1", "loss: hinge -> " + "long " * 30))
    lines = str(comparison_of(pair, replace(WORSE, second="C"), notes=("odd.",))).splitlines()
    assert lines[:13] == [
        "A: one",
        "B: two",
        "",
        "B against A, over all figures: A is better (2 A is better, 3 indistinguishable).",
        "",
        "figure                              A    B          B - A, 95 %  floor  verdict",
        "exact copies of training images  0     0    -0.05 to 0.05        0.5    -",
        "copying z (below -2: closer)     0     0    -0.07071 to 0.07071  0.5    -",
        "recall                           0.75  0.2  -0.6207 to -0.4793   0.5    A is better",
        "class balance, KL (nats)         0.2   0.9   0.6293 to 0.7707    0.5    A is better",
        "density                          0.5   0.5  -0.07071 to 0.07071  0.5    -",
        "setting: seed: 0 -> 1",
        "setting: loss: hinge -> long long long long long long long long long long long long long long long",
    ]
    assert lines[14:19] == ["", verdict_line(replace(WORSE, second="C")), "", lines[17], lines[6]]
    assert "C - A, 95 %" in lines[17]
    assert lines[23:25] == [
        "",
        "10,000 images of each against bars, seed 3, 7.2 s. 95 %: the interval of the difference. floor:",
    ]
    assert lines[-1] == "note: odd."
    assert max(map(len, lines)) <= 100


def test_the_table_of_a_comparison_does_not_repeat_the_name_of_the_data() -> None:
    """The names of other data can be long; the line below the table has them."""
    one = replace(WORSE.differences[0], title="Fréchet distance (fashion-mnist features)")
    text = comparison_text(comparison_of(replace(WORSE, differences=(one,))))
    assert "\nFréchet distance  " in text


def with_widths(one: Difference, alone: float, all_at_once: float) -> Difference:
    return replace(one, interval=Interval(0, alone), simultaneous=Interval(0, all_at_once, 0.99))


def test_the_explanations_of_a_comparison() -> None:
    """The factor is the median of those of all figures that have an interval."""
    one = WORSE.differences[0]
    widths = [(1, 2), (2, 6), (1, 5.04), (0, 7)]
    pair = replace(WORSE, differences=tuple(with_widths(one, *width) for width in widths))
    said = unwrapped(comparison_text(comparison_of(pair)))
    assert "10,000 images of each against bars, seed 3, 7.2 s. 95 %: the interval" in said
    assert "hold for 4 differences at once (Bonferroni), here about 3.0 times as wide. " in said
    groups = comparison_of(pair, pair, subjects=(("one",), ("two", "three")))
    assert "hold for 8 differences at once (Bonferroni), here about 3.0 times as wide; more seeds narrow them." in (
        unwrapped(comparison_text(groups))
    )
    none = replace(WORSE, differences=(with_widths(one, 0, 0),))
    alone = unwrapped(comparison_text(comparison_of(none)))
    assert "verdict: - for indistinguishable; the intervals behind it hold for 1 difference at once " in alone


def test_the_factor_is_that_of_the_normal_quantiles() -> None:
    said = unwrapped(comparison_text(comparison_of(WORSE)))
    factor = stats.norm.ppf(1 - 0.025 / 5) / stats.norm.ppf(0.975)
    assert f"here about {factor:.1f} times as wide." in said


def test_directions_name_each_figure_once() -> None:
    said = unwrapped(comparison_text(comparison_of(WORSE, WORSE)))
    assert "Higher is better: recall; density. " in said
    assert "Lower is better: exact copies of training images; class balance, KL. " in said
    assert "Like the floor is better: copying z." in said
    few = replace(WORSE, differences=WORSE.differences[-1:])
    assert "Lower is better" not in comparison_text(comparison_of(few))


def test_the_names_of_a_report() -> None:
    """A report is iterated like a mapping: over the names of its figures, each of which it can be asked for."""
    one = made.report({"coverage": 0.5, "accuracy": 0.9})
    assert list(one) == [figure.name for figure in one.figures]
    assert [one[name] for name in one] == list(one.figures)
    assert "coverage" in one
    assert "recall" not in one


def test_a_figure_is_divided_by_its_floor_unless_that_may_be_nothing() -> None:
    """An interval of the floor that reaches 0 would allow any ratio."""
    assert made.figure("recall", 0.6, floor=0.5).ratio == pytest.approx(1.2)
    assert made.figure("recall", 0.6, floor=0.06).ratio == pytest.approx(10)
    assert made.figure("recall", 0.6, floor=0.05).ratio is None


@pytest.mark.parametrize("text", ["3", "[]", "{}", '{"format": 1}', '{"format": 1, "figures": 3}'])
def test_json_that_is_no_report(text: str) -> None:
    """The message is about the report, and not about what Python met inside it."""
    with pytest.raises(EvaluationError, match=r"^not an evaluation report\. Give what as_json or --json wrote\.$"):
        Report.from_json(text)
