"""Comparisons: equal generators are indistinguishable, worse ones are worse, and seeds count if there are several."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats  # type: ignore[import-untyped]

import inkgan
from inkgan import cli
from inkgan.data import load
from inkgan.errors import CheckpointError, EvaluationError, InkganWarning
from inkgan.evaluation.compare import Comparison, Pair
from inkgan.evaluation.metrics.intervals import difference_of_figures
from inkgan.evaluation.report_text import comparison_text
from inkgan.generation.model import Model
from refusals import command_refusal

Images = npt.NDArray[np.uint8]
N = 200


def noisy(images: Images, sigma: float) -> Images:
    noise = np.random.default_rng(0).normal(0, sigma, images.shape)
    return np.clip(images + noise, 0, 255).round().astype(np.uint8)


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Disjoint draws of real images: ``real-0`` and ``real-1``, and ``noisy-0`` under noise."""
    folder = tmp_path_factory.mktemp("sets")
    test = load("mnist").test.images
    order = np.random.default_rng(3).permutation(len(test))
    for at, name in enumerate(("real-0", "real-1", "noisy-0")):
        images = test[order[at * N : (at + 1) * N]]
        np.savez(folder / f"{name}.npz", images=noisy(images, 40) if name == "noisy-0" else images)
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
def test_a_model_does_not_differ_from_itself() -> None:
    """Both draw the images of the same seed."""
    (pair,) = inkgan.compare("fast", inkgan.load("fast"), n=128).pairs
    assert pair.verdict == "indistinguishable"
    assert {one.difference for one in pair.differences} == {0}


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
def test_arrays_and_models_are_compared_as_files_are(sets: Path, single: Comparison) -> None:
    arrays = [np.load(sets / f"{name}.npz")["images"] for name in ("real-0", "real-1", "noisy-0")]
    found = inkgan.compare(*arrays, n=N)
    assert [pair.differences for pair in found.pairs] == [pair.differences for pair in single.pairs]
    with pytest.warns(InkganWarning, match="n is 200, not 300: array has 200 images"):
        found = inkgan.compare(inkgan.load("fast"), arrays[0], n=300, seed=np.int64(4))  # type: ignore[arg-type]
    assert found.subjects == (("fast",), ("array",))
    assert json.loads(found.as_json())["seed"] == 4
    assert json.loads(found.as_json())["version"] == inkgan.__version__


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
    assert said in command_refusal(capsys, "compare", *subjects)


@pytest.mark.parametrize("pattern", ["a" * 300 + "*", "a\0/*", "\ud800*"], ids=["long", "zero", "half"])
def test_a_pattern_that_can_match_nothing(pattern: str) -> None:
    """It is too long for a name, or holds a character that no name can."""
    with pytest.raises(EvaluationError, match=r"nothing matches|which no file can be called"):
        inkgan.compare(pattern, "fast")


def test_a_pattern_may_begin_with_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Patterns are in quotes, in which the shell leaves the ~ as it is."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("a-1", "a-2"):
        np.savez(tmp_path / f"{name}.npz", images=np.eye(8, dtype=np.uint8)[None] * 255)
    with pytest.raises(EvaluationError, match=r"/a-1\.npz has 1 image; at least 128"):
        inkgan.compare("~/a-*", "fast")


def test_everything_is_found_before_anything_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes seconds, so a wrong name is reported at once, even if it follows a right one."""
    drawn: list[int] = []
    monkeypatch.setattr(Model, "sample", lambda _, n, **__: drawn.append(n))
    with pytest.raises(CheckpointError, match="there is no model or run 'no-such-run'"):
        inkgan.compare("fast", "no-such-run")
    assert drawn == []
