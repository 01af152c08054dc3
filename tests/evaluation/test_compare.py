"""Comparisons: equal generators are indistinguishable, worse ones are worse, and seeds count if there are several."""

from __future__ import annotations

import html
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats  # type: ignore[import-untyped]

import inkgan
import tiny_runs as runs
from inkgan import cli
from inkgan.data import load
from inkgan.errors import CheckpointError, EvaluationError, InkganWarning
from inkgan.evaluation.compare import Comparison, Pair, _members, _notes_of, _shared
from inkgan.evaluation.metrics.intervals import difference_of_figures
from inkgan.evaluation.report import Report
from inkgan.evaluation.report_text import comparison_text
from inkgan.generation.model import Model
from inkgan.runs.checkpoint import list_steps, remove
from inkgan.runs.folder import RunFolder

Images = npt.NDArray[np.uint8]
N = 200


def noisy(images: Images, sigma: float) -> Images:
    noise = np.random.default_rng(0).normal(0, sigma, images.shape)
    return np.clip(images + noise, 0, 255).round().astype(np.uint8)


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six disjoint draws of real images: ``real-0`` to ``real-2``, and ``noisy-0`` to ``noisy-2`` under noise."""
    folder = tmp_path_factory.mktemp("sets")
    test = load("mnist").test.images
    order = np.random.default_rng(3).permutation(len(test))
    for at in range(6):
        images = test[order[at * N : (at + 1) * N]]
        name = f"real-{at}" if at < 3 else f"noisy-{at - 3}"
        np.savez(folder / f"{name}.npz", images=images if at < 3 else noisy(images, 40))
    np.savez(folder / "few.npz", images=test[:150], labels=np.zeros(150, np.int64))
    return folder


def unwrapped(comparison: Comparison) -> str:
    return " ".join(comparison_text(comparison).split())


def verdicts(pair: Pair) -> dict[str, str]:
    return {one.figure: one.verdict for one in pair.differences}


@pytest.fixture(scope="module")
def single(sets: Path) -> Comparison:
    return inkgan.compare(sets / "real-0.npz", sets / "real-1.npz", sets / "noisy-0.npz", n=N)


@pytest.mark.slow
def test_real_images_are_indistinguishable_and_noise_is_worse(single: Comparison) -> None:
    equal, worse = single.pairs
    assert set(verdicts(equal).values()) == {"indistinguishable"} == {equal.verdict}
    assert verdicts(worse)["frechet_digit_distance"] == verdicts(worse)["kernel_digit_distance"] == "worse"
    assert (worse.first, worse.second) == ("A", "C")
    assert single.n == N


@pytest.mark.slow
def test_single_models_differ_by_sampling_and_a_note_says_so(single: Comparison, sets: Path) -> None:
    """The figures are those of evaluate, the intervals those of two independent figures; Bonferroni widens them."""
    a, c = (inkgan.evaluate(sets / name, n=N)["recall"] for name in ("real-0.npz", "noisy-0.npz"))
    found = next(one for one in single.pairs[1].differences if one.figure == "recall")
    assert (found.first, found.second, found.floor) == (a.value, c.value, a.floor)
    assert found.difference == c.value - a.value
    assert found.interval == difference_of_figures((a.value, a.interval), (c.value, c.interval))
    count = sum(len(pair.differences) for pair in single.pairs)
    assert found.simultaneous.level == pytest.approx(1 - 0.05 / count)
    assert found.simultaneous.low < found.interval.low < found.interval.high < found.simultaneous.high
    assert any("training variance" in note for note in single.notes)
    widened = stats.norm.ppf(1 - 0.025 / count) / stats.norm.ppf(0.975)
    assert f"(Bonferroni), here about {widened:.1f} times as wide." in unwrapped(single)


@pytest.mark.slow
def test_groups_are_compared_by_the_spread_of_their_seeds(sets: Path) -> None:
    """The intervals are SciPy's for evaluate's figures: Welch's for two groups, Student's if one is a single model."""
    pattern, many = str(sets / "real-*.npz"), str(sets / "noisy-*.npz")
    found = inkgan.compare(pattern, many, sets / "noisy-0.npz", str(sets / "*-2.npz"), n=N)
    name = "frechet_digit_distance"
    values = [
        [inkgan.evaluate(sets / f"{kind}-{at}.npz", n=N)[name].value for at in range(3)] for kind in ("real", "noisy")
    ]
    groups, mixed = ({one.figure: one for one in pair.differences}[name] for pair in found.pairs[:2])
    for one, other, equal in ((groups, values[1], False), (mixed, values[1][:1], True)):
        expected = stats.ttest_ind(other, values[0], equal_var=equal).confidence_interval()
        assert one.first == pytest.approx(np.mean(values[0]))
        assert (one.interval.low, one.interval.high) == pytest.approx((expected.low, expected.high), rel=1e-3)
    assert groups.first_interval.low < groups.first < groups.first_interval.high
    odd = {one.figure: one.second_interval for one in found.pairs[2].differences}  # a good one and a bad one
    assert (odd["recall"].low, odd["recall"].high) == (0, 1)
    none = next(one for one in found.pairs[0].differences if one.figure == "exact_copies")  # in any of the six
    assert none.first == none.second == 0
    assert none.first_interval == inkgan.evaluate(sets / "real-0.npz", n=N)["exact_copies"].interval
    assert none.interval.low < 0 < none.interval.high
    assert "times as wide; more seeds narrow them" in unwrapped(found)
    assert [len(group) for group in found.subjects] == [3, 3, 1, 2]
    assert any("the group's variance is used" in note for note in found.notes)
    assert not any("between single models" in note for note in found.notes)


@pytest.mark.slow
def test_only_like_is_compared_with_like(sets: Path) -> None:
    """Figures of different numbers of images and means over different classes are not compared."""
    report = inkgan.evaluate(sets / "real-0.npz", n=N)
    every = [figure.name for figure in report.figures]
    assert _shared([report], [report, report]) == every
    more = replace(
        report, figures=tuple(replace(one, n=9 * N) if one.name == "recall" else one for one in report.figures)
    )
    assert _shared([report], [report, more]) == [name for name in every if name != "recall"]
    measured = next(one for one in report.classes if one.diversity is not None)
    fewer = replace(report, classes=tuple(one for one in report.classes if one is not measured))
    assert _shared([report], [fewer]) == [name for name in every if name != "diversity"]


def test_a_pattern_matches_folders_and_not_bundled_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pattern finds a folder that is named like a bundled model; the plain name means the model."""
    monkeypatch.chdir(tmp_path)
    Path("fast").mkdir()
    assert _members("fa*") == [Path("fast")]
    assert _members("fast") == ["fast"]


@pytest.mark.slow
def test_the_smallest_set_decides_the_number_of_images(sets: Path) -> None:
    with pytest.warns(InkganWarning, match="has 150 images"):
        found = inkgan.compare(sets / "real-0.npz", sets / "few.npz", n=N)
    assert found.n == 150
    assert "n is 150, not 200: " in found.notes[0]
    assert any("not compared" in note and "accuracy" in note for note in found.notes)
    assert "accuracy" not in verdicts(found.pairs[0])


@pytest.mark.slow
def test_different_settings_are_reported(tutorial_run: Path, tmp_path: Path) -> None:
    def other(name: str, **settings: Any) -> str:
        run = runs.copy(tutorial_run, tmp_path / name)
        path = run / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **settings}), "utf-8")
        return str(run)

    one = other("b-1", seed=1)
    found = inkgan.compare(tutorial_run, one, n=128, data="mnist")
    assert found.pairs[0].settings == ("seed: 0 -> 1",)
    assert found.pairs[0].verdict == "indistinguishable"
    assert all(difference.difference == 0 for difference in found.pairs[0].differences)
    other("b-2", seed=1, batch_size=7)
    found = inkgan.compare(tutorial_run, str(tmp_path / "b-*"), n=128, data="mnist")
    assert found.pairs[0].settings == ()
    assert any("runs of B differ in more than their seed: batch_size: 5 -> 7" in note for note in found.notes)
    found = inkgan.compare(tutorial_run, str(tmp_path / "b-[1]"), str(tmp_path / "b-2"), n=128, data="mnist")
    assert found.pairs[1].settings == ("seed: 0 -> 1", "batch_size: 5 -> 7")


@pytest.mark.slow
def test_different_numbers_of_trained_steps_are_reported(tutorial_run: Path, tmp_path: Path) -> None:
    """The newest checkpoint of each run counts, whatever its settings say."""
    shorter = runs.copy(tutorial_run, tmp_path / "shorter")
    checkpoints = RunFolder(shorter).checkpoints
    *_, before, last = list_steps(checkpoints)
    remove(checkpoints, last)
    found = inkgan.compare(tutorial_run, shorter, n=128, data="mnist")
    assert found.pairs[0].settings == (f"trained steps: {last} -> {before}",)


@pytest.mark.slow
def test_the_command(
    single: Comparison, sets: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(sets)
    arguments = ["compare", "real-0.npz", "noisy-0.npz", "--n", str(N), "--json", "out.json"]
    assert cli.run(arguments) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "A is better" in printed.out
    assert "training variance" in printed.out
    written = json.loads((sets / "out.json").read_text("utf-8"))
    assert written["subjects"] == [["real-0.npz"], ["noisy-0.npz"]]
    again = {one["figure"]: one["difference"] for one in written["pairs"][0]["differences"]}
    assert again == {one.figure: one.difference for one in single.pairs[1].differences}
    assert cli.run(arguments) == 2
    assert "--force" in capsys.readouterr().err


@pytest.mark.slow
def test_the_text_is_narrow_and_the_notebook_shows_the_same(single: Comparison) -> None:
    text = comparison_text(single)
    assert str(single) == text  # what print shows
    said = unwrapped(single)
    for better in ("Higher", "Lower", "Like the floor"):
        names = said.partition(f"{better} is better: ")[2].partition(".")[0].split("; ")
        given = {one.title.partition(" (")[0] for one in single.pairs[0].differences if one.better == better.lower()}
        assert set(names) == given, better
    assert max(map(len, text.splitlines())) <= 100
    assert f"over all figures: indistinguishable ({len(single.pairs[0].differences)} indistinguishable)" in text
    shown = single._repr_html_()
    assert shown.count("<tr") == 2 + sum(len(pair.differences) for pair in single.pairs)
    assert "<script" not in shown
    for pair in single.pairs:
        for one in pair.differences:
            assert html.escape(one.title) in shown


@pytest.mark.slow
def test_the_table_does_not_repeat_the_name_of_the_data(single: Comparison) -> None:
    """The names of other data can be long; the line below the table has them."""
    first, *others = single.pairs[0].differences
    first = replace(first, title="Fréchet distance (fashion-mnist features)")
    pair = replace(single.pairs[0], differences=(first, *others))
    text = comparison_text(replace(single, subjects=(("a",), ("b",)), pairs=(pair,), notes=()))
    assert "\nFréchet distance  " in text
    assert "…" not in text


@pytest.mark.slow
def test_arrays_and_models_are_compared_as_files_are(sets: Path, single: Comparison) -> None:
    arrays = [np.load(sets / f"{name}.npz")["images"] for name in ("real-0", "real-1", "noisy-0")]
    found = inkgan.compare(*arrays, n=N)
    assert [pair.differences for pair in found.pairs] == [pair.differences for pair in single.pairs]
    with pytest.warns(InkganWarning, match="n is 200, not 300: array has 200 images"):
        found = inkgan.compare(inkgan.load("fast"), arrays[0], n=300)
    assert found.subjects == (("fast",), ("array",))


@pytest.mark.parametrize(
    ("subjects", "said"),
    [
        (["tutorial"], "2 to 26"),
        (["tutorial", "no-such-*"], "no-such-*"),
        (["tutorial", "none", "--n", "128"], "none"),
        pytest.param(["tutorial", "tutorial", "--n", "5"], "give 128 to 1,000,000", marks=pytest.mark.slow),
        (["tutorial", "tutorial", "--data", "nmist"], "mnist"),
    ],
)
def test_bad_input_is_refused_in_one_line(subjects: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["compare", *subjects]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 1
    assert said in printed.err


@pytest.mark.parametrize("pattern", ["a" * 300 + "*", "a\0/*", "\ud800*"], ids=["long", "zero", "half"])
def test_a_pattern_that_can_match_nothing(pattern: str) -> None:
    """It is too long for a name, or holds a character that no name can."""
    with pytest.raises(EvaluationError, match=r"nothing matches|which no file can be called"):
        inkgan.compare(pattern, "fast")


def test_python_refuses_too() -> None:
    with pytest.raises(EvaluationError, match="2 to 26"):
        inkgan.compare()


def test_everything_is_found_before_anything_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes seconds, so a wrong name is reported at once, even if it follows a right one."""
    drawn: list[int] = []
    monkeypatch.setattr(Model, "sample", lambda _, n, **__: drawn.append(n))
    with pytest.raises(CheckpointError, match="no-such-run"):
        inkgan.compare("fast", "no-such-run")
    assert drawn == []


def test_a_note_of_many_subjects_is_given_once() -> None:
    """It gives one name and how many more there are; a note that begins with its subject's name does not repeat it."""
    notes = {"a": ["a is odd.", "d: old"], "b": ["b is odd.", "d: old"], "c": ["d: old"]}
    reports = [Report(what, "model", "d", "", "", 200, 0, (), (), tuple(said)) for what, said in notes.items()]
    assert list(_notes_of(reports)) == ["a and 1 more: is odd.", "all: d: old"]
    assert list(_notes_of(reports[:1])) == ["a: is odd.", "a: d: old"]
