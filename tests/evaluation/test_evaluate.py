"""Evaluation from end to end: real images score as the floor, and each way of being wrong moves its figure."""

from __future__ import annotations

import hashlib
import html
import importlib
import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

import inkgan
import made_reports as made
import tiny_runs as runs
from inkgan import cli
from inkgan.data import DataSet, Split, load
from inkgan.errors import ConfigError, DataError, EvaluationError, InkganWarning
from inkgan.evaluation import classification_accuracy, feature_training
from inkgan.evaluation.evaluate import measure
from inkgan.evaluation.features import load_features
from inkgan.evaluation.metrics.intervals import binomial
from inkgan.evaluation.reference import Reference, compute_statistics, quick_measure, training_features
from inkgan.evaluation.report import Figure, Report
from inkgan.evaluation.report_html import report_page
from inkgan.evaluation.report_text import report_text
from inkgan.evaluation.subject import Sample, Subject, draw, open_subject, real_images
from inkgan.generation.image_files import image_saver
from inkgan.generation.model import Model
from inkgan.runs import checkpoint
from refusals import command_refusal

pytestmark = pytest.mark.slow

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
N = 500


@pytest.fixture(scope="module")
def digits() -> DataSet:
    return load("mnist")


@pytest.fixture(scope="module")
def real(digits: DataSet) -> tuple[Images, Labels]:
    """Held-out images, drawn independently of those of the floor."""
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
    assert [figure.name for figure in fair.figures] == [
        "frechet_digit_distance", "kernel_digit_distance", "accuracy", "precision", "recall", "density", "coverage",
        "diversity", "classifier_score", "classes_covered", "class_total_variation", "class_kl", "exact_copies",
        "near_copies", "copying_z",
    ]  # fmt: skip
    assert fair.feature_accuracy == pytest.approx(0.996, abs=5e-4)
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


def test_the_figures_of_a_class_have_its_number_of_images(
    fair: Report, real: tuple[Images, Labels], digits: DataSet
) -> None:
    """A class's interval can be computed again from its value and this number."""
    assert digits.train.labels is not None
    usual = np.bincount(digits.train.labels) * N / len(digits.train)
    assert [one.expected for one in fair.classes] == pytest.approx(usual.tolist(), rel=0.01)
    counts = np.bincount(real[1], minlength=10)
    assert [one.accuracy.n for one in fair.classes if one.accuracy] == counts.tolist()
    assert [one.diversity.n for one in fair.classes if one.diversity] == [one.count for one in fair.classes]
    for one in fair.classes:
        assert one.accuracy is not None
        assert one.accuracy.interval == binomial(round(one.accuracy.value * one.accuracy.n), one.accuracy.n).interval
        floor, of_floor = one.accuracy.floor, one.accuracy.floor_n
        assert one.accuracy.floor_interval == binomial(round(floor * of_floor), of_floor).interval
    assert sum(one.accuracy.floor_n for one in fair.classes if one.accuracy) == N
    assert sum(one.diversity.floor_n for one in fair.classes if one.diversity) == N


def test_the_mean_diversity_has_the_number_of_images_of_its_classes(real: tuple[Images, Labels]) -> None:
    """A class of few images is left out of the mean, on both sides, so its images do not count."""
    images, labels = real
    kept = np.delete(np.arange(N), np.flatnonzero(labels == 3)[5:])
    report = inkgan.evaluate((images[kept], labels[kept]))
    averaged = [one.diversity for one in report.classes if one.diversity]
    assert len(averaged) == 9
    assert report["diversity"].n == sum(one.n for one in averaged) < report.n
    assert report["diversity"].floor_n == sum(one.floor_n for one in averaged) < report.n


def test_the_mean_diversity_is_that_of_the_classes(fair: Report) -> None:
    """Their errors are independent, so that of the mean is smaller."""
    mean, of_classes = fair["diversity"], [one.diversity for one in fair.classes if one.diversity]
    assert mean.value == pytest.approx(np.mean([one.value for one in of_classes]))
    assert mean.floor == pytest.approx(np.mean([one.floor for one in of_classes]))
    assert mean.interval.width == pytest.approx(np.linalg.norm([one.interval.width for one in of_classes]) / 10)


def test_chance_is_part_of_the_floor_of_the_class_balance(fair: Report) -> None:
    """Its interval is that of samples of the proportions of the data, and includes the floor itself."""
    balance, share = fair["class_total_variation"], np.array([one.expected for one in fair.classes]) / N
    samples = np.random.default_rng(1).multinomial(N, share, 10_000) / N
    low, high = np.quantile(np.abs(samples - share).sum(1) / 2, [0.025, 0.975])
    found = balance.floor_interval
    assert found.low == pytest.approx(min(balance.floor, low), rel=0.1)
    assert found.high == pytest.approx(max(balance.floor, high), rel=0.1)


def test_training_measures_what_the_report_does(digits: DataSet, real: tuple[Images, Labels], fair: Report) -> None:
    """The figures that choose the best checkpoint are those of the report."""
    quick = quick_measure(digits, lambda *_: None)
    found = quick(*real)
    assert list(found) == ["frechet_digit_distance", "accuracy"]
    assert {name: fair[name].value for name in found} == pytest.approx(found, rel=1e-6)
    assert quick(real[0], None).keys() == {"frechet_digit_distance"}


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory, tutorial_data: Path) -> Path:
    """A run of two steps on noise of MNIST's size."""
    return runs.train(tmp_path_factory.mktemp("hasty") / "run", tutorial_data, steps=2).folder


def test_a_hardly_trained_generator_is_far(hasty: Path) -> None:
    report = inkgan.evaluate(hasty, n=N, data="mnist")
    assert report.kind == "model"
    assert any("other data than mnist" in note for note in report.notes)
    assert (report["frechet_digit_distance"].ratio or 0) > 20
    assert above(report["kernel_digit_distance"])
    for name in ("precision", "recall", "density", "coverage", "classifier_score", "classes_covered"):
        assert below(report[name]), name


def test_a_model_is_measured_against_what_it_learned_from(
    hasty: Path, tutorial_data: Path, tmp_path: Path, digits: DataSet, real: tuple[Images, Labels]
) -> None:
    """By default, a model is measured against its own data, images against MNIST; --data overrides both."""
    model = open_subject(hasty)
    assert real_images([model], None, None).digest == load(str(tutorial_data)).digest != digits.digest
    for subject, data in ((model, "mnist"), (open_subject("tutorial"), None), (open_subject(real[0]), None)):
        assert real_images([subject], data, None).digest == digits.digest
    described = json.loads((runs.newest(hasty) / "model.json").read_text("utf-8"))
    for settings, said in (({"name": str(tmp_path / "gone.npz"), "directory": None}, "--data"), ("odd", "")):
        folder = tmp_path / f"model-{len(said)}"
        folder.mkdir()
        description = {**described, "config": {**described["config"], "data": settings}}
        checkpoint.write_folder(folder, {"generator": inkgan.load(hasty)._weights}, {"model": description})
        if said:
            with pytest.raises(DataError, match=said):
                real_images([open_subject(folder)], None, None)
        else:
            assert real_images([open_subject(folder)], None, None).digest == digits.digest


def test_the_seed_decides() -> None:
    first, again, other = (inkgan.evaluate("fast", n=128, seed=seed) for seed in (0, 0, 1))
    assert again == first
    assert other.figures != first.figures


def test_one_repeated_image_has_no_diversity(tmp_path: Path, real: tuple[Images, Labels]) -> None:
    report = inkgan.evaluate(stored(tmp_path, np.repeat(real[0][:1], N, axis=0)), n=N)
    assert report["diversity"].value == pytest.approx(0, abs=1e-6)
    assert report["classes_covered"].value == 1
    assert report["recall"].value < 0.01
    assert "accuracy" not in {figure.name for figure in report.figures}
    assert any("fewer than 20" in note for note in report.notes)


def test_a_dropped_class_shows_in_the_balance(tmp_path: Path, real: tuple[Images, Labels]) -> None:
    images, labels = real
    kept = np.resize(np.flatnonzero(labels != 1), N)
    report = inkgan.evaluate(stored(tmp_path, images[kept]), n=N)
    assert report["classes_covered"].value == 9
    assert above(report["class_total_variation"])
    assert above(report["class_kl"])
    assert not below(report["precision"])


def test_training_images_show_in_novelty(tmp_path: Path, digits: DataSet) -> None:
    report = inkgan.evaluate(stored(tmp_path, digits.train.images[:N]), n=N)
    assert report["exact_copies"].value == 1
    assert report["near_copies"].interval.low > 0.99
    assert report["copying_z"].value < -10
    assert not below(report["precision"])


def test_the_images_that_are_closest_to_training_images_are_shown(digits: DataSet, real: tuple[Images, Labels]) -> None:
    """Each beside its nearest, and some of each class."""
    assert digits.train.labels is not None
    copied = np.concatenate([np.flatnonzero(digits.train.labels == digit)[:10] for digit in range(10)])
    report = inkgan.evaluate(np.concatenate([real[0][:400], digits.train.images[copied]]), n=N)
    assert report["exact_copies"].value == 0.2
    assert report["exact_copies"].floor == 0
    shown = report.pictures
    assert shown is not None
    np.testing.assert_array_equal(shown.generated, shown.training)
    label_of = {digits.train.images[at].tobytes(): int(digits.train.labels[at]) for at in copied}
    assert Counter(label_of[image.tobytes()] for image in shown.generated) == dict.fromkeys(range(10), 4)


def test_wrong_labels_show_in_the_accuracy(tmp_path: Path, real: tuple[Images, Labels]) -> None:
    images, labels = real
    report = inkgan.evaluate(stored(tmp_path, images, (labels + (labels == 3)) % 10), n=N)
    assert below(report["accuracy"])
    by_class = {one.name: one.accuracy for one in report.classes}
    assert by_class["3"] is None
    assert by_class["4"] is not None
    assert below(by_class["4"])


@pytest.fixture(scope="module")
def few(digits: DataSet) -> Reference:
    """A reference of few real digits: the features of all of them in another network would take half a minute."""
    test = digits.test[np.random.default_rng(6).permutation(len(digits.test))[:1500]]
    data = replace(digits, train=digits.train[:3000], test=test, digest="f" * 64)
    statistics = compute_statistics(data, load_features())
    training = training_features(data, statistics.network)
    return Reference(data, statistics, None, training, statistics.train, statistics.held_out_distances)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train the classifier of the classification accuracy score in few and small steps."""
    short = replace(classification_accuracy.SCORE_RECIPE, least_steps=90, batch_images=16, average_steps=10)
    monkeypatch.setattr(classification_accuracy, "SCORE_RECIPE", short)


@pytest.mark.usefixtures("hurried")
def test_the_full_report_learns_from_the_images_and_looks_at_pixels(
    few: Reference, real: tuple[Images, Labels]
) -> None:
    """Real images reach the ceiling of the accuracy score; copies under noise are found by their pixels."""
    told: list[str] = []

    def full_report(images: Images, labels: Labels | None) -> Report:
        told.clear()
        sample = Sample(Subject("images", "arrays", Split(images, labels)), 0, images, labels, ())
        return measure(sample, few, full=True, progress=lambda doing, _: told.append(doing))

    fair = full_report(*real)
    score = fair["classification_accuracy"]
    assert (score.n, score.floor_n) == (N, N)
    assert score.floor > 0.6
    assert score.value == pytest.approx(score.floor, abs=0.1)
    second = fair["frechet_random_distance"]
    assert [figure.name for figure in fair.figures][:2] == ["frechet_digit_distance", "frechet_random_distance"]
    assert second.against_floor == "as real"
    assert second.floor != fair["frechet_digit_distance"].floor
    assert "a network of random weights" in report_text(fair)
    assert "Fréchet distance, random features" in report_page(fair)
    assert not below(fair["copying_z_pixels"])
    assert not above(fair["near_copies_pixels"])

    noise = np.random.default_rng(0).integers(-9, 10, (N, 28, 28, 1))
    veiled = np.clip(few.data.train.images[:N].astype(np.int64) + noise, 0, 255).astype(np.uint8)
    copied = full_report(veiled, None)
    assert told.count("nearest in pixels") == 1, "those of held-out images are kept"
    assert copied["exact_copies"].value == 0
    assert copied["near_copies_pixels"].interval.low > 0.9
    assert below(copied["copying_z_pixels"])
    assert "teacher" in copied["classification_accuracy_by_teacher"].title
    assert any("the teacher" in note for note in copied.notes)
    assert "classification_accuracy" not in {figure.name for figure in copied.figures}
    assert "accuracy score" in report_text(copied)
    assert Report.from_json(copied.as_json()) == copied


def test_more_images_of_a_model_begin_with_those_measured_before(digits: DataSet) -> None:
    """The accuracy score draws as many as there are training images."""
    sample = draw(open_subject("fast"), N, 3, digits)
    more = draw(sample.subject, N + 40, 3, digits)
    assert len(more.images) == N + 40
    np.testing.assert_array_equal(more.images[:N], sample.images)
    np.testing.assert_array_equal(more.labels, np.arange(N + 40) % 10)


@pytest.mark.parametrize("count", [127, 128])
def test_a_small_set_has_no_accuracy_score(
    count: int, tmp_path: Path, real: tuple[Images, Labels], digits: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other figures are there, and a note says what is missing."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    short = replace(classification_accuracy.SCORE_RECIPE, least_steps=3, average_steps=10)
    monkeypatch.setattr(classification_accuracy, "SCORE_RECIPE", short)
    hasty = feature_training.FeatureRecipe(epochs=1, least_steps=3, batch_images=32)
    monkeypatch.setattr(feature_training, "recipe_for", lambda *_: (hasty, (8, 8, 8, 8)))
    parts = {"train": digits.train[np.arange(count)], "val": digits.validation, "test": digits.test[np.arange(200)]}
    arrays: dict[str, Any] = {f"{name}_images": part.images for name, part in parts.items()}
    arrays |= {f"{name}_labels": part.labels for name, part in parts.items()}
    np.savez(tmp_path / "small.npz", **arrays)
    with pytest.warns(InkganWarning, match="feature network of small is not kept yet"):
        report = inkgan.evaluate(real, data=tmp_path / "small.npz", full=True)
    note = f"small has {count} training images; the classification accuracy score needs 128."
    assert (note in report.notes) == ("classification_accuracy" not in report) == (count < 128)


@pytest.mark.usefixtures("hurried")
def test_the_accuracy_score_falls_with_a_missing_kind_and_with_wrong_labels(
    digits: DataSet, real: tuple[Images, Labels]
) -> None:
    """Without threes among the images, no test image is called a three; wrong labels teach the wrong classes."""
    images, labels = real
    data = replace(digits, test=Split(*real))
    kept = labels != 3

    def score(labels: Labels) -> float:
        return classification_accuracy.classification_accuracy(Split(images[kept], labels[kept]), data, 1).value

    assert kept.mean() - 0.15 < score(labels) <= kept.mean()
    assert score((labels + 1) % 10) < 0.1


@pytest.mark.parametrize(("prefix", "labelled"), [("", True), ("part ", False)])
def test_a_folder_of_images(tmp_path: Path, real: tuple[Images, Labels], prefix: str, labelled: bool) -> None:
    """Folders are labels if they are named like the data's classes."""
    for at, (image, label) in enumerate(zip(real[0][:200], real[1][:200], strict=True)):
        (tmp_path / f"{prefix}{label}").mkdir(exist_ok=True)
        Image.fromarray(image[:, :, 0]).save(tmp_path / f"{prefix}{label}" / f"{at}.png")
    report = inkgan.evaluate(tmp_path)
    assert report.n == 200
    assert any("n is 200, not 10,000" in note for note in report.notes)
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


def test_features_of_too_many_numbers_are_refused_before_all_images_are_seen(real: tuple[Images, Labels]) -> None:
    """An evaluation on MNIST shows an extractor 85,000 of them."""
    seen = []

    def flat(images: Images) -> npt.NDArray[np.float64]:
        seen.append(len(images))
        return images.reshape(len(images), -1)[:, :65] / 255

    with pytest.raises(EvaluationError, match=r"features of 65 numbers need 130 images .* 128\. .* to 64 numbers"):
        inkgan.evaluate(real[0], n=128, extractor=flat)
    assert seen == [2]


def test_in_features_of_ones_own_novelty_is_that_within_classes(tmp_path: Path, digits: DataSet) -> None:
    """Ones lie closest to others of their kind, so many of them would look like copies."""

    def coarse(images: Images) -> npt.NDArray[np.float64]:
        return np.asarray(images.reshape(len(images), 4, 7, 4, 7).mean(axis=(2, 4)).reshape(len(images), 16) / 255)

    ones = digits.test.images[np.asarray(digits.test.labels) == 1][:N]
    report = inkgan.evaluate(stored(tmp_path, ones), n=N, extractor=coarse)
    assert abs(report["copying_z"].value) < 3


def test_distances_in_features_of_other_data_are_not_called_digit_distances(
    tmp_path: Path, real: tuple[Images, Labels], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Reference, "features_title", "mnist")
    report = inkgan.evaluate(stored(tmp_path, real[0]), n=N)
    assert report["frechet_digit_distance"].title == "Fréchet distance (mnist features)"
    assert report["kernel_digit_distance"].title == "kernel distance (mnist features)"


def test_data_without_labels_need_features_of_ones_own(tmp_path: Path, real: tuple[Images, Labels]) -> None:
    def rows(images: Images) -> npt.NDArray[np.float64]:
        return np.asarray(images.mean(axis=(2, 3)) / 255)

    path = stored(tmp_path, np.concatenate([real[0]] * 3))
    report = inkgan.evaluate(path, data=path, extractor=rows)
    assert report.n == 150
    assert "n is 150, not 10,000: images has 150 held-out images." in report.notes
    assert report.classes == ()
    assert {figure.name for figure in report.figures} >= {"recall", "near_copies", "frechet_digit_distance"}
    assert "accuracy" not in report_text(report)
    assert report_page(report).count("<img") == 1


def test_json_round_trip(fair: Report) -> None:
    """Reports of versions that did not note their own are read, too."""
    assert Report.from_json(fair.as_json()) == fair
    older = json.loads(fair.as_json())
    assert older.pop("version") == inkgan.__version__
    assert Report.from_json(json.dumps(older)) == replace(fair, version="")
    for wrong in (
        "",
        "[]",
        "{}",
        '{"format": 99}',
        '{"format": 1, "n": 3}',
        "[" * 10**5,
        f'{{"format": {"1" * 5000}}}',
    ):
        with pytest.raises(EvaluationError):
            Report.from_json(wrong)


def test_the_html_card_is_whole_and_safe(tmp_path: Path, real: tuple[Images, Labels]) -> None:
    """A hostile name is escaped; the page loads nothing from elsewhere and runs no script."""
    folder = tmp_path / '"><script>alert(1)<'
    folder.mkdir()
    page = report_page(inkgan.evaluate(stored(folder, real[0]), n=200))
    assert folder.name not in page
    assert folder.name in html.unescape(page)
    assert "<script" not in page
    pictures = re.findall(r'src="data:image/png;base64,([A-Za-z0-9+/=]+)"', page)
    assert len(pictures) == page.count("<img") == page.count("src=") == 10 + 1
    for picture in pictures:
        page = page.replace(picture, "")
    assert not re.search(r"//|href=|url\(|@import|\son\w+=", page)
    assert "Fréchet digit distance" in page
    assert "FID" not in page
    assert re.findall(r'<img alt="images predicted as (.)"', page) == list("0123456789")
    assert "inkgan help metrics" in page


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
    assert report_text(read) in printed.out
    assert {path.name for path in Path(card).iterdir()} == {"report.html", "report.json"}
    assert cli.run(arguments) == 2
    assert "--force" in capsys.readouterr().err
    assert cli.run([*arguments, "--force"]) == 0


def test_the_figures_are_printed_if_a_file_cannot_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Measuring takes minutes, and meanwhile the place may be taken, or the disk full."""
    measured = made.report({"coverage": 0.7})

    def evaluate(*_: object, **__: object) -> Report:
        (tmp_path / "a.json").write_text("other", "utf-8")
        return measured

    monkeypatch.setattr("inkgan.evaluation.evaluate.evaluate", evaluate)
    assert cli.run(["evaluate", "fast", "--json", str(tmp_path / "a.json")]) == 2
    printed = capsys.readouterr()
    assert printed.out == f"{report_text(measured)}\n"
    assert "a.json exists already" in printed.err
    assert (tmp_path / "a.json").read_text("utf-8") == "other"


@pytest.mark.parametrize("name", ["report.json", "report.html"])
def test_force_leaves_a_file_alone_that_only_has_the_name_of_a_report(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--force replaces only reports that inkgan wrote, because the user named the folder, not the files in it."""
    mine = tmp_path / "card" / name
    mine.parent.mkdir()
    mine.write_text('{"figures": 3}', "utf-8")
    assert cli.run(["evaluate", "fast", "-n", "128", "--report", f"{mine.parent}/", "--force"]) == 2
    assert f"{name} is not a report that inkgan wrote" in capsys.readouterr().err
    assert mine.read_text("utf-8") == '{"figures": 3}'
    assert list(mine.parent.iterdir()) == [mine]


@pytest.mark.parametrize(
    ("report", "files"),
    [
        ("card.html", ["card.html"]),
        ("card", ["card/report.html", "card/report.json"]),
        ("card.html/", ["card.html/report.html", "card.html/report.json"]),
    ],
)
def test_a_slash_makes_a_folder_of_any_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, report: str, files: list[str]
) -> None:
    """A report goes where the name says, and never where the JSON goes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("inkgan.evaluation.evaluate.evaluate", lambda *_, **__: made.report({}))
    said = command_refusal(capsys, "evaluate", "fast", "--report", report, "--json", files[0])
    assert said.startswith(f"--report and --json both name {files[0]}.")
    assert cli.run(["evaluate", "fast", "--report", report]) == 0
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*") if path.is_file()) == files


def _noise(*shape: int) -> Images:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize(
    ("arrays", "options", "said"),
    [
        ({"images": _noise(200, 32, 32)}, (), "images of 32x32x1, mnist has 28x28x1"),
        ({"images": _noise(200, 28, 28, 3)}, (), "images of 28x28x3, mnist has 28x28x1"),
        ({"images": np.full((200, 28, 28), 7, np.uint8)}, (), "every image is constant"),
        ({"images": np.full((200, 28, 28), np.nan)}, (), "NaN or infinity"),
        ({"images": np.full((200, 28, 28), 300)}, (), "pixels from 300 to 300; allowed are whole numbers 0 to 255"),
        ({"other": _noise(200, 28, 28)}, (), "no array `images` for train, but other"),
        ({"images": _noise(200, 28, 28)}, ("--n", "127"), "give 128 to 1,000,000"),
        ({"images": _noise(200, 28, 28)}, ("--seed", "-1"), "the seed -1 is not allowed"),
        ({"images": _noise(200, 28, 28)}, ("--report", "card.pdf"), "a report is an .html file"),
        ({"images": _noise(200, 28, 28)}, ("--data", "nmist"), "Did you mean 'mnist'?"),
        ({"images": _noise(1300, 28, 28)}, ("--data", "images.npz"), "has no labels, so nothing can be measured"),
        ({"images": _noise(900, 28, 28)}, ("--data", "images.npz"), "compare need 128, and it has 90"),
    ],
)
def test_bad_input_is_refused_in_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arrays: dict[str, Any],
    options: tuple[str, ...],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "images.npz", **arrays)
    assert said in command_refusal(capsys, "evaluate", "images.npz", *options)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("no-such-thing", "a folder of images can be measured, too"),
        ("missing.npz", "missing.npz is not a file"),
        ("empty", "empty has no image that can be used: it holds no such file"),
        ("a.txt", "a folder of images can be measured, too"),
    ],
)
def test_nothing_to_evaluate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, what: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.txt").write_text("no images", encoding="utf-8")
    assert said in command_refusal(capsys, "evaluate", what)


def test_the_model_and_the_feature_network_are_hashed_and_loaded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each file is hashed once and loaded once, even those of the statistics, and even if a report is written."""
    read: Counter[tuple[str, str]] = Counter()

    def counting(name: str, function: Any, path_of: Any) -> Any:
        def count(given: Any, *others: Any) -> Any:
            read[name, Path(path_of(given)).name] += 1
            return function(given, *others)

        return count

    monkeypatch.setattr("hashlib.file_digest", counting("hashed", hashlib.file_digest, lambda file: file.name))
    for place in ("inkgan.runs.checkpoint.load_file", "safetensors.numpy.load_file", "safetensors.torch.load_file"):
        module, _, function = place.rpartition(".")
        original = getattr(importlib.import_module(module), function)
        monkeypatch.setattr(place, counting("loaded", original, lambda path: path))
    assert cli.run(["evaluate", "fast", "-n", "200", "--report", str(tmp_path / "card.html")]) == 0
    assert set(read.values()) == {1}
    for file in ("generator.safetensors", "weights.safetensors", "reference.safetensors"):
        assert read["hashed", file] == read["loaded", file] == 1


def renamed(model: Model, kept: list[int], names: list[str]) -> Model:
    """A good model with some of the classes of ``fast``, in this order and under these names."""
    weights = {
        name: array[kept] if array.shape[0] == 10 and array.ndim == 2 else array
        for name, array in model._weights.items()
    }
    assert sum(array.shape[0] == len(kept) for array in weights.values()) == 1
    return Model("renamed", {**model.description, "num_classes": len(kept), "class_names": names}, weights)


@pytest.mark.parametrize("kept", [[*range(1, 10)], [3, 1, 4, 0, 5, 9, 2, 6, 8, 7], [7, 3]])
def test_the_classes_of_a_model_are_matched_by_name(kept: list[int]) -> None:
    """A good model is accurate, whatever the order and the number of its classes; a note names those it lacks."""
    model = renamed(inkgan.load("fast"), kept, [str(digit) for digit in kept])
    report = inkgan.evaluate(model, n=300)
    assert report["accuracy"].value > 0.97
    assert {one.name for one in report.classes if one.accuracy} == {str(digit) for digit in kept}
    assert any("has no images of" in note for note in report.notes) == (len(kept) < 10)


def test_classes_of_other_names_are_reported_and_not_guessed() -> None:
    model = renamed(inkgan.load("fast"), [*range(10)], list("abcdefghij"))
    report = inkgan.evaluate(model, n=200)
    assert "accuracy" not in report
    (note,) = [note for note in report.notes if "not used" in note]
    assert "'a', 'b', 'c'" in note
    assert "(only '0', '1', " in note


def test_labels_of_arrays_are_names_too(real: tuple[Images, Labels]) -> None:
    """Labels are matched with the data's class names, whether they are numbers or text."""
    images, labels = real
    some = labels >= 4
    right = inkgan.evaluate((images[some], labels[some]))
    assert right["accuracy"].value > 0.97
    assert any("has no images of '0', '1', '2', '3': 4 of the 10 classes" in note for note in right.notes)
    texts = inkgan.evaluate((images[some], labels[some].astype(str)))
    assert texts.figures == right.figures
    foreign = inkgan.evaluate((images, labels + 1))
    assert "accuracy" not in foreign
    assert any("mnist has no class '10' (only" in note for note in foreign.notes)


def test_arrays_and_loaded_models_are_evaluated(tmp_path: Path, real: tuple[Images, Labels], digits: DataSet) -> None:
    """Arrays with and without a channel axis, fractions, NumPy's numbers and loaded models are taken."""
    images = real[0][:200]
    plain = inkgan.evaluate(images, n=np.int64(200), seed=np.int64(0))  # type: ignore[arg-type]
    assert Report.from_json(plain.as_json()) == plain
    for same in (images[..., 0], images / 255):
        assert inkgan.evaluate(same).figures == plain.figures
    drawn = inkgan.load("fast").sample(128)
    assert inkgan.evaluate(drawn).what == "array"
    assert inkgan.evaluate(inkgan.load("fast"), n=128).figures == inkgan.evaluate("fast", n=128).figures
    with pytest.raises(DataError, match=r"images of shape \(28,\)"):
        inkgan.evaluate(images[0, :, 0, 0])


def test_fewer_images_than_asked_for_are_announced(real: tuple[Images, Labels]) -> None:
    """If n was given, a warning comes before anything is measured, and a note in the report; else only the note."""
    told: list[str] = []
    with pytest.warns(InkganWarning, match="n is 500, not 600: array has 500 images") as warned:
        report = inkgan.evaluate(real[0], n=600, progress=lambda doing, _: told.append(f"{doing} {len(warned)}"))
    assert {line for line in told if line.startswith("features")} == {"features 1"}
    assert "n is 500, not 600: array has 500 images." in report.notes
    assert "n is 500, not 10,000: array has 500 images." in inkgan.evaluate(real[0]).notes


def test_all_splits_of_a_file_are_measured(tmp_path: Path, real: tuple[Images, Labels]) -> None:
    """Images keep their order, labels stand for names, and the notes name the arrays."""
    images, labels = real
    train, test = slice(400), slice(400, None)
    np.savez(
        tmp_path / "keras.npz", x_train=images[train], y_train=labels[train], x_test=images[test], y_test=labels[test]
    )
    subject = open_subject(str(tmp_path / "keras.npz"))
    assert isinstance(subject.source, Split)
    np.testing.assert_array_equal(subject.source.images, images)
    assert subject.source.labels is not None
    np.testing.assert_array_equal(np.array(subject.class_names)[subject.source.labels], labels.astype(str))
    assert "x_train" in "".join(subject.notes)


@pytest.mark.parametrize("kept", [[2, 7], [*range(1, 10)]])
def test_what_sample_writes_is_evaluated_as_the_model_is(tmp_path: Path, kept: list[int]) -> None:
    """A folder has a name for each class and dark ink on white, an .npz has names beside labels; the figures agree."""
    model = renamed(inkgan.load("fast"), kept, [str(digit) for digit in kept])
    images = np.asarray(model.sample(200))
    labels = model.labels_for(200)
    for name in ("drawn/", "drawn.npz"):
        image_saver(f"{tmp_path}/{name}", 200, labels=labels, class_names=model.class_names)(images)
    folder, file = (inkgan.evaluate(tmp_path / name) for name in ("drawn", "drawn.npz"))
    for report in (folder, file):
        assert report["accuracy"].value > 0.97
        assert {one.name for one in report.classes if one.accuracy} == {str(digit) for digit in kept}
        assert report["frechet_digit_distance"].value == pytest.approx(file["frechet_digit_distance"].value, rel=1e-9)
    assert any("inverted" in note for note in folder.notes)


def test_settings_say_how_images_are_read(
    tmp_path: Path, digits: DataSet, real: tuple[Images, Labels], finished_run: Path
) -> None:
    """The settings of ``data check --set`` work here, too, for the images to measure and for the real ones."""
    images, _ = real
    names = ("sheets", "Test", "9")
    for at, image in enumerate(images[:200]):
        folder = tmp_path / names[at % 3]
        folder.mkdir(exist_ok=True)
        Image.fromarray(255 - image[:, :, 0]).save(folder / f"{at}.png")
    with pytest.raises(DataError, match=r"data\.splits=no"):
        open_subject(tmp_path)
    subject = open_subject(tmp_path, {"splits": "no", "ink": "light", "resize": (20, 24)})
    assert isinstance(subject.source, Split)
    assert set(subject.class_names) == set(names)
    assert subject.source.images.shape == (200, 20, 24, 1)
    assert subject.source.images.mean() > 128, "light ink is taken as it is"
    subject = open_subject(tmp_path, {"splits": "no"})
    assert subject.notes
    assert real_images([subject], "mnist", None, {"ink": "dark"}).digest == digits.digest
    with pytest.raises(DataError, match=r"data\.ink=dark is for your own images"):
        real_images([open_subject("fast")], "mnist", None, {"ink": "dark"})
    read = real_images([subject], tmp_path, None, {"splits": "no", "resize": 12})
    assert read.image_shape == (12, 12, 1)
    assert real_images([open_subject(finished_run)], None, None, {"resize": 14}).image_shape == (14, 14, 1)


@pytest.mark.parametrize("command", [["evaluate"], ["compare", "fast"]])
def test_settings_are_options_of_both_commands(
    tmp_path: Path, real: tuple[Images, Labels], capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    for at, image in enumerate(real[0][:150]):
        folder = tmp_path / ("train" if at % 2 else "bus")
        folder.mkdir(exist_ok=True)
        Image.fromarray(image[:, :, 0]).save(folder / f"{at}.png")
    words = [*command, str(tmp_path), "--n", "128"]
    assert cli.run(words) == 2
    assert "are these classes" in capsys.readouterr().err
    assert cli.run([*words, "--set", "data.splits=no"]) == 0
    assert "inverted" not in capsys.readouterr().out
    assert cli.run([*words, "--set", "data.splits=yes"]) == 2
    assert "has 75 images; at least 128 are needed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"loss": "hinge"},
            "loss does not change how images are read. These do: data.ink, data.resize, data.s",
        ),
        (["data.name=mnist"], "data.name does not change"),
        ({"data": {"splits": "perhaps"}}, "data.splits='perhaps' is not allowed"),
        (["data.spltis=no"], r"unknown setting 'data\.spltis'\. Did you mean 'data\.splits'"),
        ("data.ink=dark", "data is not key=value|settings are a mapping"),
        (3, "settings are a mapping"),
    ],
)
def test_other_settings_are_refused(settings: Any, said: str) -> None:
    for measure_it in (
        lambda: inkgan.evaluate("fast", settings=settings),
        lambda: inkgan.compare("fast", "best", settings=settings),
    ):
        with pytest.raises(ConfigError, match=said):
            measure_it()


def test_what_is_skipped_is_in_the_notes_and_a_tenth_is_too_much(tmp_path: Path, real: tuple[Images, Labels]) -> None:
    for at, image in enumerate(real[0][:200]):
        Image.fromarray(image[:, :, 0]).save(tmp_path / f"{at}.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    Image.new("L", (20, 20)).save(tmp_path / "small.png")
    report = inkgan.evaluate(tmp_path)
    assert report.n == 200
    note = next(note for note in report.notes if "200 of 202" in note)
    assert "20" in note
    for at in range(30):
        Image.new("L", (20, 20)).save(tmp_path / f"small-{at}.png")
    with pytest.raises(DataError, match="200 of 232"):
        inkgan.evaluate(tmp_path)


def test_a_class_may_be_rare_among_images_to_measure(tmp_path: Path, real: tuple[Images, Labels]) -> None:
    """Nothing is held out of images to measure, so a class with a single image is read, too."""
    images, labels = real
    some = np.concatenate([np.flatnonzero(labels != 3), np.flatnonzero(labels == 3)[:1]])
    for at in range(8):
        np.savez(tmp_path / "rare.npz", images=np.roll(images[some], at * 50, 0), labels=np.roll(labels[some], at * 50))
        subject = open_subject(tmp_path / "rare.npz")
        assert isinstance(subject.source, Split)
        assert subject.class_names == tuple(map(str, range(10)))
        assert len(subject.source) == len(some)


def _with_few_threes(digits: DataSet, parts: int = 20) -> DataSet:
    """MNIST with one in ``parts`` of its threes."""

    def cut(split: Split) -> Split:
        assert split.labels is not None
        threes = np.flatnonzero(split.labels == 3)
        return split[np.setdiff1d(np.arange(len(split)), threes[len(threes) // parts :])]

    return replace(digits, train=cut(digits.train), test=cut(digits.test))


@pytest.mark.parametrize("kept", [[*range(10)], [5, 3, 8]])
def test_a_model_of_unequal_classes_draws_them_as_often_as_the_data_have_them(digits: DataSet, kept: list[int]) -> None:
    """Otherwise, a perfect generator would be called unlike the data. The classes are spread over the images."""
    few = _with_few_threes(digits)
    assert few.train.labels is not None
    model = renamed(inkgan.load("fast"), kept, [str(digit) for digit in kept])
    sample = draw(open_subject(model), 400, 0, few)
    assert sample.labels is not None
    training = np.bincount(few.train.labels, minlength=10)[kept]
    asked = np.bincount(sample.labels, minlength=10)[kept]
    assert asked.sum() == 400
    assert np.abs(asked - 400 * training / training.sum()).max() < 1
    half = np.bincount(sample.labels[:200], minlength=10)[kept]
    assert np.abs(half - asked / 2).max() <= 1
    assert any("drew its classes in the proportions of mnist, which has 2" in note for note in sample.notes)


def test_a_class_that_is_too_rare_for_n_is_not_called_missing(digits: DataSet, real: tuple[Images, Labels]) -> None:
    """This holds for a model that can draw the class, and for images that have it, but not among those measured."""
    few = _with_few_threes(digits, parts=1000)
    others = np.flatnonzero(real[1] != 3)
    images = Subject("images", "arrays", Split(real[0][others], real[1][others]), tuple(map(str, range(10))))
    for subject in (open_subject("fast"), images):
        notes = draw(subject, 400, 0, few).notes
        assert "400 images are too few to have any of '3': 1 of the 10 classes." in notes
        assert not any("has no images" in note for note in notes)


def test_a_model_of_nearly_equal_classes_draws_them_in_turn(digits: DataSet) -> None:
    """MNIST, with 5,000 fives and 6,200 ones, counts as nearly equal, so its figures stay what they were."""
    for kept in ([*range(10)], [7, 3]):
        model = renamed(inkgan.load("fast"), kept, [str(digit) for digit in kept])
        sample = draw(open_subject(model), 300, 0, digits)
        assert sample.labels is not None
        assert np.array_equal(sample.labels, np.array(kept)[np.arange(300) % len(kept)])
        assert np.array_equal(sample.images[..., 0], np.asarray(model.sample(300)))
        assert not any("proportions" in note for note in sample.notes)
