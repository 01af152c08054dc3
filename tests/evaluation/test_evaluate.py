"""Evaluation from end to end: real images score as the floor, and each way of being wrong moves its figure."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

import inkgan
import tiny_runs as runs
from inkgan import cli
from inkgan.data import DataSet, load
from inkgan.errors import DataError, EvaluationError
from inkgan.evaluation import classifier
from inkgan.evaluation.evaluate import measure
from inkgan.evaluation.report import Figure, Report, as_html, as_text
from inkgan.evaluation.ruler import Ruler, quick_measure
from inkgan.evaluation.subject import real_images, subject_of
from inkgan.generation.numpy_networks import TUTORIAL_SHAPES
from inkgan.runs import checkpoint

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
N = 500


@pytest.fixture(scope="module")
def digits() -> DataSet:
    return load("mnist")


@pytest.fixture(scope="module")
def real(digits: DataSet) -> tuple[Images, Labels]:
    """Held-out images, not those of the floor's own choice."""
    assert digits.test.labels is not None
    order = np.random.default_rng(5).permutation(len(digits.test))[:N]
    return digits.test.images[order], digits.test.labels[order]


def stored(folder: Path, images: Images, labels: Labels | None = None) -> Path:
    path = folder / "images.npz"
    arrays: dict[str, Any] = {"images": images} if labels is None else {"images": images, "labels": labels}
    np.savez(path, **arrays)
    return path


def above(figure: Figure) -> bool:
    return figure.interval.low > figure.floor_interval.high


def below(figure: Figure) -> bool:
    return figure.interval.high < figure.floor_interval.low


@pytest.fixture(scope="module")
def fair(tmp_path_factory: pytest.TempPathFactory, real: tuple[Images, Labels]) -> Report:
    """The report of real images."""
    return inkgan.evaluate(stored(tmp_path_factory.mktemp("fair"), *real), n=N)


def test_real_images_score_as_the_floor(fair: Report) -> None:
    assert {figure.name for figure in fair.figures} == {
        "accuracy", "class_kl", "class_total_variation", "classes_covered", "classifier_score", "copying_z", "coverage",
        "density", "diversity", "exact_copies", "frechet_digit_distance", "kernel_digit_distance", "near_copies",
        "precision", "recall",
    }  # fmt: skip
    for figure in fair.figures:
        assert not above(figure), figure
        assert not below(figure), figure
        assert figure.n == N
        assert figure.interval.low <= figure.value <= figure.interval.high
        if figure.name in {"precision", "recall", "coverage", "class_total_variation", "accuracy"}:
            assert min(figure.interval.low, figure.floor_interval.low) >= 0
            assert max(figure.interval.high, figure.floor_interval.high) <= 1
    assert fair["frechet_digit_distance"].ratio == pytest.approx(1, abs=0.25)
    assert fair["accuracy"].value > 0.98
    assert [one.name for one in fair.classes] == [str(digit) for digit in range(10)]
    assert sum(one.count for one in fair.classes) == N
    assert all(one.diversity and one.accuracy for one in fair.classes)


def test_training_measures_what_the_report_does(digits: DataSet, real: tuple[Images, Labels], fair: Report) -> None:
    """What decides on the best checkpoint are the figures of the report card."""
    quick = quick_measure(digits, lambda *_: None)
    found = quick(*real)
    assert list(found) == ["frechet_digit_distance", "accuracy"]
    assert {name: fair[name].value for name in found} == pytest.approx(found, rel=1e-6)
    assert quick(real[0], None).keys() == {"frechet_digit_distance"}


def test_a_hardly_trained_generator_is_far(finished_run: Path) -> None:
    report = inkgan.evaluate(finished_run, n=N, data="mnist")
    assert report.kind == "model"
    assert any("other data than mnist" in note for note in report.notes)
    assert (report["frechet_digit_distance"].ratio or 0) > 20
    assert above(report["kernel_digit_distance"])
    for name in ("precision", "recall", "density", "coverage", "classifier_score", "classes_covered"):
        assert below(report[name]), name


def test_a_model_is_measured_against_what_it_learned_from(
    finished_run: Path, small_data: Path, tmp_path: Path, digits: DataSet
) -> None:
    """Whatever the default, --data has the last word; images from anywhere are measured against MNIST."""
    run = runs.copy(finished_run, tmp_path / "run")
    assert real_images(run, None, None).digest == load(str(small_data)).digest != digits.digest
    for what, data in ((run, "mnist"), ("tutorial", None), (small_data, None)):
        assert real_images(what, data, None).digest == digits.digest
    config = json.loads((runs.newest(run) / "model.json").read_text("utf-8"))["config"]
    for settings, said in (({"name": str(tmp_path / "gone.npz"), "directory": None}, "--data"), ("odd", "")):
        model = tmp_path / f"model-{len(said)}"
        model.mkdir()
        arrays = checkpoint.read_arrays(runs.newest(run), "generator", TUTORIAL_SHAPES)
        description = {"network": "tutorial", "config": {**config, "data": settings}}
        checkpoint.write_folder(model, {"generator": arrays}, {"model": description})
        if said:
            with pytest.raises(DataError, match=said):
                real_images(model, None, None)
        else:
            assert real_images(model, None, None).digest == digits.digest


def test_the_seed_decides(finished_run: Path) -> None:
    first, again, other = (inkgan.evaluate(finished_run, n=200, data="mnist", seed=seed) for seed in (0, 0, 1))
    assert again == first
    assert other.figures != first.figures


def test_one_repeated_image_has_no_diversity(tmp_path: Path, real: tuple[Images, Labels]) -> None:
    report = inkgan.evaluate(stored(tmp_path, np.repeat(real[0][:1], N, axis=0)), n=N)
    assert report["diversity"].value == pytest.approx(0, abs=1e-6)
    assert report["classes_covered"].value == 1
    assert report["recall"].value < 0.01
    assert "accuracy" not in {figure.name for figure in report.figures}
    assert any("fewer than 20" in note for note in report.notes)


def test_a_dropped_class_is_told_by_the_balance(tmp_path: Path, real: tuple[Images, Labels]) -> None:
    images, labels = real
    kept = np.resize(np.flatnonzero(labels != 1), N)
    report = inkgan.evaluate(stored(tmp_path, images[kept]), n=N)
    assert report["classes_covered"].value == 9
    assert above(report["class_total_variation"])
    assert above(report["class_kl"])
    assert not below(report["precision"])


def test_training_images_are_told_by_novelty(tmp_path: Path, digits: DataSet) -> None:
    report = inkgan.evaluate(stored(tmp_path, digits.train.images[:N]), n=N)
    assert report["exact_copies"].value == 1
    assert report["near_copies"].interval.low > 0.99
    assert report["copying_z"].value < -10
    assert not below(report["precision"])


def test_wrong_labels_are_told_by_the_accuracy(tmp_path: Path, real: tuple[Images, Labels]) -> None:
    images, labels = real
    report = inkgan.evaluate(stored(tmp_path, images, (labels + (labels == 3)) % 10), n=N)
    assert below(report["accuracy"])
    by_class = {one.name: one.accuracy for one in report.classes}
    assert by_class["3"] is None
    assert by_class["4"] is not None
    assert below(by_class["4"])


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A classifier of few steps in the classification accuracy score."""
    monkeypatch.setattr(classifier, "PROBE", replace(classifier.PROBE, least_steps=80, average_steps=10))


@pytest.mark.usefixtures("hurried")
def test_the_full_report_learns_from_the_images_and_looks_at_pixels(
    tmp_path: Path, real: tuple[Images, Labels], digits: DataSet
) -> None:
    """Real images teach as much as their ceiling; copies under noise are near in pixels."""
    images, labels = real
    fair = inkgan.evaluate(stored(tmp_path, images, labels), n=N, full=True)
    score = fair["classification_accuracy"]
    assert (score.n, score.floor_n) == (N, N)
    assert score.floor > 0.6
    assert score.value == pytest.approx(score.floor, abs=0.1)
    assert not below(fair["copying_z_pixels"])
    assert not above(fair["near_copies_pixels"])

    noise = np.random.default_rng(0).integers(-9, 10, (N, 28, 28, 1))
    veiled = np.clip(digits.train.images[:N].astype(np.int64) + noise, 0, 255).astype(np.uint8)
    copied = inkgan.evaluate(stored(tmp_path, veiled), n=N, full=True)
    assert copied["exact_copies"].value == 0
    assert copied["near_copies_pixels"].interval.low > 0.9
    assert below(copied["copying_z_pixels"])
    assert "teacher" in copied["classification_accuracy_by_teacher"].title
    assert any("the teacher" in note for note in copied.notes)
    assert "classification_accuracy" not in {figure.name for figure in copied.figures}
    assert "accuracy score" in as_text(copied)
    assert Report.from_json(copied.as_json()) == copied


@pytest.mark.usefixtures("hurried")
def test_a_model_draws_as_many_images_for_the_accuracy_score_as_there_are_training_images(digits: DataSet) -> None:
    """The score is of what was drawn for it, beside a ceiling of as many; more images begin with those measured."""
    subject = subject_of("fast", N, 3, digits)
    assert subject.draw is not None
    more, classes = subject.draw(N + 40)
    assert len(more) == N + 40
    np.testing.assert_array_equal(more[:N], subject.images)
    np.testing.assert_array_equal(classes, np.arange(N + 40) % 10)

    asked = []

    def draw(count: int) -> tuple[Images, Labels | None]:
        asked.append(count)
        return more, classes

    score = measure(replace(subject, draw=draw), Ruler(digits, None, lambda *_: None), 0, full=True)
    assert asked == [55_000]
    assert score["classification_accuracy"].n == score["classification_accuracy"].floor_n == N + 40


@pytest.mark.usefixtures("hurried")
def test_the_accuracy_score_falls_with_a_missing_kind_and_with_wrong_labels(real: tuple[Images, Labels]) -> None:
    """Without threes among the images no test image is called a three; wrong labels teach wrong; a seed decides."""
    images, labels = real
    names = tuple(map(str, range(10)))
    kept = labels != 3

    def score(labels: Labels) -> float:
        return classifier.classification_accuracy((images[kept], labels[kept]), real, names, 1).value

    right = score(labels)
    assert kept.mean() - 0.15 < right <= kept.mean()
    assert score(labels) == right
    assert score((labels + 1) % 10) < 0.1


@pytest.mark.parametrize(("prefix", "labelled"), [("", True), ("part ", False)])
def test_a_folder_of_images(tmp_path: Path, real: tuple[Images, Labels], prefix: str, labelled: bool) -> None:
    """Folders named as the data's classes are labels; others are not."""
    for at, (image, label) in enumerate(zip(real[0][:200], real[1][:200], strict=True)):
        (tmp_path / f"{prefix}{label}").mkdir(exist_ok=True)
        Image.fromarray(image[:, :, 0]).save(tmp_path / f"{prefix}{label}" / f"{at}.png")
    report = inkgan.evaluate(tmp_path)
    assert report.n == 200
    assert any("200 images, fewer" in note for note in report.notes)
    assert ("accuracy" in {figure.name for figure in report.figures}) == labelled
    if labelled:
        assert report["accuracy"].value > 0.97


def test_features_of_ones_own(tmp_path: Path, real: tuple[Images, Labels]) -> None:
    def coarse(images: Images) -> npt.NDArray[np.float64]:
        return np.asarray(images.reshape(len(images), 4, 7, 4, 7).mean(axis=(2, 4)).reshape(len(images), 16) / 255)

    report = inkgan.evaluate(stored(tmp_path, real[0]), n=N, extractor=coarse)
    assert report.features == "own extractor"
    assert "own features" in report["frechet_digit_distance"].title
    assert not above(report["kernel_digit_distance"])
    assert report["classes_covered"].value == 10


def test_distances_in_features_of_other_data_are_not_called_digit_distances(
    tmp_path: Path, real: tuple[Images, Labels], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inkgan.evaluation.ruler.is_shipped_for", lambda _: False)
    report = inkgan.evaluate(stored(tmp_path, real[0]), n=N)
    assert report["frechet_digit_distance"].title == "Fréchet distance (mnist features)"
    assert report["kernel_digit_distance"].title == "kernel distance (mnist features)"


def test_data_without_labels_need_features_of_ones_own(tmp_path: Path, real: tuple[Images, Labels]) -> None:
    def rows(images: Images) -> npt.NDArray[np.float64]:
        return np.asarray(images.mean(axis=(2, 3)) / 255)

    path = stored(tmp_path, np.concatenate([real[0]] * 3))
    report = inkgan.evaluate(path, n=N, data=str(path), extractor=rows)
    assert report.n == 150
    assert report.classes == ()
    assert {figure.name for figure in report.figures} >= {"recall", "near_copies", "frechet_digit_distance"}
    assert "accuracy" not in as_text(report)
    assert as_html(report).count("<img") == 1


def test_json_round_trip(fair: Report) -> None:
    assert Report.from_json(fair.as_json()) == fair
    for wrong in ("", "[]", "{}", '{"format": 99}', '{"format": 1, "n": 3}'):
        with pytest.raises(EvaluationError):
            Report.from_json(wrong)


def test_the_html_card_is_whole_and_safe(tmp_path: Path, real: tuple[Images, Labels]) -> None:
    """A hostile name is shown, not followed; nothing is asked for from anywhere; nothing runs."""
    folder = tmp_path / '"><script>alert(1)<'
    folder.mkdir()
    page = as_html(inkgan.evaluate(stored(folder, real[0]), n=200))
    assert html.escape(folder.name) in page
    assert "<script" not in page
    pictures = re.findall(r'src="data:image/png;base64,([A-Za-z0-9+/=]+)"', page)
    assert len(pictures) == page.count("<img") == page.count("src=") == 3
    for picture in pictures:
        page = page.replace(picture, "")
    assert not re.search(r"//|href=|url\(|@import|\son\w+=", page)
    assert "Fréchet digit distance" in page
    assert "FID" not in page


def test_the_command(
    tmp_path: Path, real: tuple[Images, Labels], fair: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    source = str(stored(tmp_path, *real))
    card = str(tmp_path / "card")
    arguments = ["evaluate", source, "--n", str(N), "--json", str(tmp_path / "figures.json"), "--report", card]
    assert cli.run(arguments) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    read = Report.from_json((tmp_path / "figures.json").read_text("utf-8"))
    assert read.figures == fair.figures
    assert as_text(read) in printed.out
    assert {path.name for path in Path(card).iterdir()} == {"report.html", "report.json"}
    assert cli.run(arguments) == 2
    assert "--force" in capsys.readouterr().err
    assert cli.run([*arguments, "--force"]) == 0


def _noise(*shape: int) -> Images:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize(
    ("arrays", "options", "said"),
    [
        ({"images": _noise(200, 32, 32)}, (), "32x32x1"),
        ({"images": _noise(200, 28, 28, 3)}, (), "28x28x3"),
        ({"images": _noise(100, 28, 28)}, (), "at least 128"),
        ({"images": np.full((200, 28, 28), 7, np.uint8)}, (), "constant"),
        ({"images": np.full((200, 28, 28), np.nan)}, (), "nan"),
        ({"images": np.full((200, 28, 28), 300)}, (), "300"),
        ({"images": _noise(200, 28, 28), "labels": np.full(200, 10)}, (), "label is 10"),
        ({"other": _noise(200, 28, 28)}, (), "images"),
        ({"images": _noise(200, 28, 28)}, ("--n", "127"), "at least 128"),
        ({"images": _noise(200, 28, 28)}, ("--seed", "-1"), "seed"),
        ({"images": _noise(200, 28, 28)}, ("--report", "card.pdf"), ".html"),
        ({"images": _noise(200, 28, 28)}, ("--data", "nmist"), "mnist"),
        ({"images": _noise(1300, 28, 28)}, ("--data", "images.npz"), "labels"),
        ({"images": _noise(900, 28, 28)}, ("--data", "images.npz"), "90 held-out"),
        ({"images": _noise(900, 28, 28)}, ("--data", "images.npz"), "needs 1,280 images"),
    ],
)
def test_bad_input_is_told_in_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arrays: dict[str, Any],
    options: tuple[str, ...],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "images.npz", **arrays)
    assert cli.run(["evaluate", "images.npz", *options]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 1
    assert said in printed.err


@pytest.mark.parametrize("what", ["no-such-thing", "missing.npz", "empty", "a.txt"])
def test_nothing_to_evaluate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.txt").write_text("no images", encoding="utf-8")
    assert cli.run(["evaluate", what]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert what in {"missing.npz", "empty"} or "folder of images will do" in said
