"""The recogniser: training and test lines share no digits, and its answers are counted correctly."""

from __future__ import annotations

import argparse
import importlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage  # type: ignore[import-untyped]
from scipy.stats import binomtest  # type: ignore[import-untyped]
from torch.nn import functional

from inkgan import data
from inkgan.generation.legibility import probabilities
from inkgan.generation.looks import LOOKS, look_of, name_of

pytestmark = pytest.mark.slow

BAR = np.zeros((28, 28), np.uint8)
BAR[4:24, 12:16] = 255


@pytest.fixture
def crnn() -> ModuleType:
    return importlib.import_module("recogniser")


@pytest.fixture
def options(tmp_path: Path) -> argparse.Namespace:
    return argparse.Namespace(
        lines=13, steps=2, batch=4, tests=2, device="cpu", jobs=1, out=tmp_path, ablation=None, record=False
    )  # fmt: skip


def pieces(image: np.ndarray[Any, Any]) -> int:
    """Return the number of connected pieces of ink, counted by SciPy."""
    return int(ndimage.label(image > 100, np.ones((3, 3)))[1])


def test_real_digits_come_from_the_training_split(crnn: ModuleType) -> None:
    train = data.load("mnist").train
    assert train.labels is not None
    drawn = crnn.RealDigits(1).draw(np.zeros((3, 2), np.float32), np.array([7, 7, 0]))
    for image, digit in zip(drawn, (7, 7, 0), strict=True):
        places = np.flatnonzero((train.images[train.labels == digit][..., 0] == image).all((1, 2)))
        assert len(places) >= 1
    assert (drawn[0] != drawn[1]).any()


def test_lines_to_read_come_from_the_test_split(crnn: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each style gets test digits in the order of the text, none of them twice, and always gives the same lines."""
    test = data.load("mnist").test
    assert test.labels is not None
    given: list[np.ndarray[Any, Any]] = []

    def glue(digits: list[np.ndarray[Any, Any]], _: object) -> np.ndarray[Any, Any]:
        given.extend(digits)
        return digits[0]

    monkeypatch.setitem(crnn.STYLES, "plain", glue)
    texts = [line.text for line in crnn.glued_lines("plain", 3)]
    assert all(4 <= len(text) <= 8 for text in texts)
    known = {image.tobytes(): label for image, label in zip(test.images[..., 0], test.labels, strict=True)}
    assert "".join(str(known[image.tobytes()]) for image in given) == "".join(texts)
    assert len({image.tobytes() for image in given}) == len(given)
    assert [line.text for line in crnn.glued_lines("plain", 3)] == texts


def test_styles(crnn: ModuleType) -> None:
    """Four bars are apart, touching, slanted, of four sizes, in boxes or in noise."""
    images = {style: glue([BAR] * 4, np.random.default_rng(1)) for style, glue in crnn.STYLES.items()}
    assert {image.shape[0] for image in images.values()} == {32}
    assert [pieces(images[style]) for style in ("plain", "touching", "sheared", "scaled")] == [4, 1, 4, 4]
    first = images["sheared"][8:25].argmax(1)  # the left edge of the first bar, by row
    assert 15 <= np.degrees(np.arctan(abs(int(first[-1]) - int(first[0])) / 16)) <= 31
    heights = {piece[0].stop - piece[0].start for piece in ndimage.find_objects(ndimage.label(images["scaled"])[0])}
    assert len(heights) > 1
    assert (images["boxed"][1] > 0).sum() > 4 * 24
    assert images["noisy"].std() > 15
    assert np.median(images["noisy"]) > 15


@pytest.mark.parametrize("style", ["plain", "scaled", "sheared"])
def test_digits_keep_their_class_in_a_line(crnn: ModuleType, style: str) -> None:
    """A digit that is cut out of a line and put on 28 pixels is still read by the classifier."""
    test = data.load("mnist").test
    assert test.labels is not None
    right = 0
    for image, label in zip(test.images[:30, ..., 0], test.labels, strict=False):
        line = crnn.STYLES[style]([image], np.random.default_rng(int(label)))
        rows, columns = (np.flatnonzero(line.max(axis) > 60) for axis in (1, 0))
        cut = line[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1][:28, :28]
        high, wide = 28 - cut.shape[0], 28 - cut.shape[1]
        page = np.pad(cut, ((high // 2, high - high // 2), (wide // 2, wide - wide // 2)))
        right += int(probabilities(page[None])[0].argmax() == label)
    assert right >= 27


def test_specs_divide_the_lines(crnn: ModuleType) -> None:
    """Lines have all looks, slants and gaps, by different writers; an ablation with fewer lines has fewer."""
    parts = crnn.specs(crnn.OURS, 1001, 3)
    assert sum(spec.count for spec in parts) == 1001
    assert {(spec.look, spec.slant) for spec in parts} == {
        (name_of(replace(LOOKS[look], gap=gap, elastic=(0, 0.07))), slant)
        for look, gap, slant in product(("clean", "scan", "photo", "field"), ((0, 0), (-0.25, 0.05)), (-10, 0, 10))
    }
    assert 490 <= sum(spec.count for spec in parts if look_of(spec.look).gap != (0, 0)) <= 510
    assert len({spec.seed for spec in parts}) == len(parts)
    assert not {spec.seed for spec in parts} & {spec.seed for spec in crnn.specs(crnn.OURS, 1001, 4)}
    fewer = crnn.specs(crnn.ABLATION["a quarter of the lines"], 1001, 3)
    assert sum(spec.count for spec in fewer) == 250


def test_each_knob_differs_from_ours_in_one_way(crnn: ModuleType) -> None:
    """Only real digits differ in two: the digits are others, and nothing distorts them."""
    ours = vars(crnn.OURS)
    for name, source in (crnn.SOURCES | crnn.ABLATION).items():
        differing = sum(vars(source)[key] != ours[key] for key in ours)
        assert differing == {"inkgan": 0, "real digits": 2}.get(name, 1), name


def test_reading_is_the_best_path(crnn: ModuleType) -> None:
    """Repeated digits count once unless a blank separates them, and lines of any width keep their order."""
    paths = {20: [1, 1, 10, 1, 2, 2, 10], 12: [10, 10, 3, 3, 10, 10, 10]}

    def network(batch: torch.Tensor) -> torch.Tensor:
        rows = [paths[int((line[0].sum(0) != 0).sum())] for line in batch]
        return functional.one_hot(torch.tensor(rows).T, 11).float()

    images = []
    for width in (20, 12):
        image = np.zeros((32, 2 * width + 4), np.uint8)
        image[:5, :width] = 200
        images.append(image)
    assert crnn.read(network, images) == ["112", "3"]


def test_a_network_gives_two_columns_for_every_four(crnn: ModuleType) -> None:
    network = crnn.Recogniser()
    assert network(torch.zeros(2, 1, 32, 40)).shape == (20, 2, 11)
    assert sum(one.numel() for one in network.parameters()) == 462_102


def test_moved_lines_stay_on_their_page(crnn: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Random numbers in the middle of their range move nothing; others move no ink off the right of the page."""
    lines = torch.zeros(40, 1, 32, 64)
    lines[:, :, 10:20, 4:60] = 1.0
    other = crnn.moved(lines, torch.Generator().manual_seed(1))
    widths = (other > 0.5).any(2).sum((1, 2))
    assert widths.min() < 50
    assert widths.max() > 64
    assert other[..., -1].max() < 0.5
    monkeypatch.setattr(torch, "rand", lambda n, **_: torch.full((n,), 0.5))
    expected = functional.pad(lines, (0, 16))
    torch.testing.assert_close(crnn.moved(lines, torch.Generator()), expected, atol=1e-4, rtol=0)


def test_a_batch_has_lines_of_similar_width(crnn: ModuleType) -> None:
    """Every line occurs once before any occurs again."""
    widths = np.random.default_rng(0).integers(60, 160, 300)
    order = crnn.batches(widths, 32, np.random.default_rng(1))
    first = [next(order) for _ in range(-(-300 // 32))]
    assert sorted(np.concatenate(first)) == list(range(300))
    assert all(np.ptp(widths[part]) < 60 for part in first)


def test_a_finished_run_is_used_again(
    crnn: ModuleType, options: argparse.Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is used again only with the same settings and on the same processor."""
    made: list[int] = []
    line = crnn.Line(np.eye(32, 60, dtype=np.uint8), "1234")

    def training_lines(_source: Any, _lines: int, seed: int) -> Any:
        made.append(seed)
        return [line] * 4

    monkeypatch.setattr(crnn, "training_lines", training_lines)
    monkeypatch.setattr(crnn, "glued_lines", lambda *_: [line] * 2)
    task = crnn.Task("inkgan", crnn.OURS, 0, options)
    first = list(crnn.results([task], 1))
    assert list(crnn.results([task], 1)) == first
    assert made == [0]
    options.steps = 3
    assert next(crnn.results([task], 1))["settings"]["steps"] == 3
    assert made == [0, 0]
    monkeypatch.setattr(crnn, "processor", lambda: "another")
    assert next(crnn.results([task], 1))["settings"]["processor"] == "another"
    assert made == [0, 0, 0]


@pytest.mark.usefixtures("stop_while_writing")
def test_a_kept_run_is_whole_or_absent(
    crnn: ModuleType, options: argparse.Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("training_lines", "trained", "glued_lines", "read"):
        monkeypatch.setattr(crnn, name, lambda *_: [])
    task = crnn.Task("inkgan", crnn.OURS, 0, options)
    with pytest.raises(KeyboardInterrupt):
        crnn.run(task)
    assert task.kept() is None
    assert not list(options.out.iterdir())


def test_processes_side_by_side_change_nothing(
    crnn: ModuleType, options: argparse.Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their results come in the order of the tasks, and are those of one process."""

    def training_lines(_source: Any, _lines: int, seed: int) -> list[Any]:
        return [crnn.Line(np.random.default_rng(seed).integers(0, 255, (32, 60), np.uint8), "1234")]

    monkeypatch.setattr(crnn, "training_lines", training_lines)
    monkeypatch.setattr(crnn, "glued_lines", lambda *_: [crnn.Line(np.eye(32, 60, dtype=np.uint8), "1")])
    tasks = [crnn.Task(name, crnn.OURS, seed, options) for seed in (0, 1) for name in ("a", "b")]

    def without_times(rows: Any) -> list[dict[str, Any]]:
        return [{key: value for key, value in row.items() if key != "seconds of training"} for row in rows]

    alone = without_times(crnn.results(tasks, 1))
    for path in options.out.iterdir():
        path.unlink()
    monkeypatch.setattr(crnn, "ProcessPoolExecutor", lambda *_: ThreadPoolExecutor(1))
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    assert without_times(crnn.results(tasks, 2)) == alone


def test_a_seed_fixes_the_weights(crnn: ModuleType, options: argparse.Namespace) -> None:
    lines = [crnn.Line(np.random.default_rng(i).integers(0, 255, (32, 60), np.uint8), "1234") for i in range(6)]
    first, again, other = (
        crnn.trained(crnn.Task("inkgan", crnn.OURS, seed, options), lines).state_dict() for seed in (1, 1, 2)
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["head.weight"], other["head.weight"])


def test_the_rate_rises_and_falls(crnn: ModuleType) -> None:
    rates = [crnn.rate(step, 100) for step in range(100)]
    assert max(rates) == rates[10] == 3e-3
    assert np.all(np.diff(rates[:11]) > 0)
    assert np.all(np.diff(rates[10:]) < 0)
    assert rates[-1] < 2e-6


def test_real_digits_of_parts_differ(crnn: ModuleType) -> None:
    """Parts start at different places of one order, so no digit repeats before all have been used."""
    latents, labels = np.zeros((2500, 2), np.float32), np.full(2500, 3)
    images = np.concatenate([crnn.RealDigits(1, start).draw(latents, labels) for start in (0.0, 0.5)])
    assert len({image.tobytes() for image in images}) == 5000


def test_the_report_counts(crnn: ModuleType, options: argparse.Namespace) -> None:
    """It gives shares of lines over two seeds, as median with range and as Wilson's interval, checked with SciPy."""

    def row(right: int) -> dict[str, Any]:
        return {
            "right": dict.fromkeys(crnn.STYLES, right), "settings": {"tests": 100}, "commit": "abc",
            "seconds of training": 7.0,
        }  # fmt: skip

    text = crnn.report({"inkgan": [row(50), row(60)], "real digits": [row(60), row(70)]}, options)
    assert "| 2     | 55.0% [50.0% to 60.0%]" in text
    low, high = binomtest(660, 1200).proportion_ci(0.95, "wilson")
    assert f"| 2     | 55.0% [{low:.1%} to {high:.1%}]" in text
    assert "real digits less inkgan, all styles: +10.0 percentage points" in text
    assert "real digits less inkgan, touching: +10.0 percentage points" in text


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ([], ["inkgan", "real digits"]),
        (["--ablation", "style 0", "no spaces"], ["inkgan", "style 0", "no spaces"]),
        (["--ablation"], None),
    ],
)
def test_the_command_names_what_is_compared(
    crnn: ModuleType, monkeypatch: pytest.MonkeyPatch, arguments: list[str], names: list[str] | None
) -> None:
    """By default, the two sources are compared; --ablation compares ours with one knob changed, all or those named."""
    kept: dict[str, Any] = {}
    row = {"right": dict.fromkeys(crnn.STYLES, 1), "settings": {"tests": 500}}
    monkeypatch.setattr(crnn, "results", lambda tasks, _: [row] * len(tasks))
    monkeypatch.setattr(crnn, "report", lambda found, _: kept.update(found))
    monkeypatch.setattr(crnn, "finish", lambda *_: None)
    monkeypatch.setattr("sys.argv", ["recogniser.py", "--seeds", "1", *arguments])
    crnn.main()
    assert list(kept) == (names or ["inkgan", *crnn.ABLATION])


@pytest.mark.slow
def test_a_tiny_run_of_everything(
    crnn: ModuleType, options: argparse.Namespace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command trains on generated and on real digits, with the same texts for both."""
    monkeypatch.setattr(
        crnn, "OURS", crnn.replace(crnn.OURS, looks=("field",), slants=(0.0,), gaps=("0",), legible=0.0)
    )
    monkeypatch.setattr(crnn, "SOURCES", {"inkgan": crnn.OURS, "real": crnn.replace(crnn.OURS, model="real")})
    texts: list[list[str]] = []
    lines_of: Callable[..., Any] = crnn.training_lines

    def noted(*arguments: object) -> Any:
        lines = lines_of(*arguments)
        texts.append([line.text for line in lines])
        return lines

    monkeypatch.setattr(crnn, "training_lines", noted)
    words = "recogniser.py --seeds 1 --lines 7 --steps 2 --tests 2 --out"
    monkeypatch.setattr("sys.argv", [*words.split(), str(options.out)])
    crnn.main()
    said = capsys.readouterr()
    assert texts[0] == texts[1]
    assert [len(text) for text in texts[0]] == [4, 4, 5, 5, 6, 6, 7]
    assert "| real " in said.out
    assert "2 of 2 runs" in said.err
    assert set(json.loads((options.out / "real-0.json").read_text("utf-8"))["right"]) == set(crnn.STYLES)
