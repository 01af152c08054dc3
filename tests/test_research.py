"""The code in docs/research.md runs: trackers, features, measures, tables. Stand-ins replace third-party packages."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import inkgan
import tiny_runs
from documents import ROOT, blocks
from inkgan import networks
from inkgan.evaluation.compare import Comparison, Difference, Pair
from inkgan.evaluation.metrics.intervals import Interval
from inkgan.evaluation.report import Figure, Report
from inkgan.training import start, tensorboard
from tiny_runs import STEPS


class _Recorded:
    """A stand-in for a third-party package: it keeps the names and arguments of calls, and is a context manager."""

    def __init__(self, calls: list[tuple[str, Any]], name: str = "") -> None:
        self._calls = calls
        self._name = name

    def __getattr__(self, name: str) -> _Recorded:
        return _Recorded(self._calls, f"{self._name}.{name}")

    def __call__(self, *arguments: Any, **named: Any) -> _Recorded:
        self._calls.append((self._name, arguments[0] if arguments else named))
        return self

    def __enter__(self) -> _Recorded:
        return self

    def __exit__(self, *_: object) -> None:
        self._calls.append((f"{self._name} ended", None))


def _research(about: str) -> list[str]:
    """The Python blocks of docs/research.md that mention something."""
    found = [one for one in blocks(ROOT / "docs" / "research.md", "python") if about in one]
    assert found, about
    return found


@pytest.mark.slow
@pytest.mark.parametrize("tracker", ["mlflow", "wandb"])
def test_a_tracker_hears_all_that_is_logged(
    tracker: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, small_data: Path
) -> None:
    """The guide's watcher passes every line of metrics.jsonl to the tracker, here a stand-in, and closes it."""
    calls: list[tuple[str, Any]] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, tracker, _Recorded(calls))
    ends: list[tuple[str, Any]] = []

    def trained(_: str, *, out: str, watcher: inkgan.Watcher, **__: object) -> None:
        start.train(None, data=str(small_data), out=out, steps=STEPS, settings=tiny_runs.SETTINGS, watcher=watcher)
        ends.append(calls[-1])

    monkeypatch.setattr(inkgan, "train", trained, raising=False)
    (example,) = _research(f"import {tracker}\n")
    exec(compile(example, "research.md", "exec"), {})
    (run,) = (tmp_path / "runs").iterdir()
    written = [json.loads(line) for line in (run / "metrics.jsonl").read_text("utf-8").splitlines()]
    if tracker == "mlflow":
        heard = [figures for name, figures in calls if name == ".log_metrics"]
        assert heard == [{name: value for name, value in line.items() if name != "step"} for line in written]
        assert ends[0] == (".log_artifact", str(run.relative_to(tmp_path) / "pictures" / "sheet.png"))
    else:
        heard = [figures for name, figures in calls if name == ".init.log"]
        assert [figures for figures in heard if "step" in figures] == written
        assert any("digits" in figures for figures in heard)
        pictures = [picture for name, picture in calls if name == ".Image"]
        assert pictures[0].shape == (12, 10 * 12, 1)
    assert calls[-1][0].endswith(" ended")


@pytest.mark.slow
def test_the_guides_features_and_measure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, finished_run: Path) -> None:
    """The guide's code runs. A network that takes means replaces Inception: it gets colour images, in their order."""
    models = ModuleType("torchvision.models")
    weights = SimpleNamespace(DEFAULT=SimpleNamespace(transforms=lambda: lambda part: part.float()))
    vars(models).update(inception_v3=lambda weights: _Means(), Inception_V3_Weights=weights)
    monkeypatch.setitem(sys.modules, "torchvision.models", models)
    monkeypatch.chdir(tmp_path)
    for name in ("tracked-1", "default-1", "default-2", "hinge-1"):
        tiny_runs.copy(finished_run, tmp_path / "runs" / name)
    grey = np.random.default_rng(0).integers(0, 256, (120, 4, 5, 1), np.uint8)
    seen = []

    def evaluated(_: str, extractor: Callable[[NDArray[np.uint8]], NDArray[np.float32]]) -> dict[str, SimpleNamespace]:
        seen.append(extractor(grey))
        value = SimpleNamespace(value=len(seen))
        return {"frechet_digit_distance": value, "coverage": value}

    monkeypatch.setattr(inkgan, "evaluate", evaluated, raising=False)
    names: dict[str, Any] = {}
    for example in [*_research("extractor"), *_research("from inkgan import data")]:
        exec(compile(example, "research.md", "exec"), names)
    assert np.allclose(seen[0], np.repeat(grey.mean(axis=(1, 2)), 3, axis=1))
    assert {game: len(values) for game, values in names["distances"].items()} == {"default": 2, "hinge": 1}
    real, drawn = names["ink"]
    assert 0.1 < real < 0.2
    assert drawn == names["drawn"].mean() / 255


def test_the_guides_network_trains_and_draws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, small_data: Path) -> None:
    """The guide's module and program train on labelled images for a few steps, and draw."""
    monkeypatch.chdir(tmp_path)
    np.savez("labelled.npz", images=np.load(small_data)["images"], labels=np.arange(20) % 2)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(networks.NETWORKS, "mine", "")  # the program replaces it; at the end, both are gone

    def trained(recipe: str, *, settings: dict[str, Any], out: str) -> None:
        start.train(recipe, data="labelled.npz", out=out, steps=STEPS, settings={**settings, "batch_size": 5})

    monkeypatch.setattr(inkgan, "train", trained, raising=False)
    (module,) = _research("def build_generator")
    (tmp_path / "my_network.py").write_text(module, "utf-8")
    names: dict[str, Any] = {}
    (program,) = _research("networks.NETWORKS")
    exec(compile(program, "research.md", "exec"), names)
    assert names["images"].shape == (10, 12, 12)
    (as_module,) = _research("load_state_dict")
    exec(compile(as_module, "research.md", "exec"), names)
    latents, labels = torch.linspace(-2, 2, 64).expand(2, -1), torch.tensor([0, 1])
    with torch.inference_mode():
        drawn = names["generator"](latents, labels).numpy()
    expected = inkgan.load("runs/mine").draw(latents.numpy(), labels.numpy())
    np.testing.assert_array_equal(np.rint(drawn[..., 0] * 255), expected)
    monkeypatch.delitem(sys.modules, "my_network")


class _Means(torch.nn.Module):
    """The mean of each channel."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """From [N, C, H, W] to [N, C]."""
        return images.mean(dim=(2, 3))


@pytest.mark.slow
def test_figures_go_into_pandas(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, finished_run: Path) -> None:
    """Reports, comparisons and metrics become tables with the expected columns."""
    monkeypatch.chdir(tmp_path)
    for name in ("first", "tracked-1", "tracked-2"):
        tiny_runs.copy(finished_run, tmp_path / "runs" / name)
    between = Interval(0.5, 0.7)
    figure = Figure("coverage", "coverage", 0.6, between, 200, 0.9, between, 200, 0.67, "higher", "images")
    report = Report("m", "model", "d", "", "", 200, 0, (figure,), ())
    found = Difference(
        "coverage",
        "coverage",
        "higher",
        0.9,
        0.6,
        between,
        (0.6,),
        0.7,
        between,
        (0.7,),
        0.1,
        between,
        between,
        "better",
    )
    comparison = Comparison("d", "", "", 200, 0, (("a",), ("b",)), (Pair("A", "B", (found,), (), "better"),), ())
    monkeypatch.setattr(inkgan, "evaluate", lambda what, n: report, raising=False)
    monkeypatch.setattr(inkgan, "compare", lambda *what: comparison, raising=False)
    names: dict[str, Any] = {}
    example = "\n".join(blocks(ROOT / "docs" / "metrics.md", "python"))
    exec(compile(example, "metrics.md", "exec"), names)
    assert names["figures"][["name", "value", "interval.low"]].values.tolist() == [["coverage", 0.6, 0.5]]
    assert names["differences"][["pair.second", "figure", "simultaneous.high"]].values.tolist() == [
        ["B", "coverage", 0.7]
    ]
    assert names["values"].values.tolist() == [["coverage", "a", 0.6], ["coverage", "b", 0.7]]
    assert "loss_generator" in names["losses"]
    for example in _research("import pandas"):
        exec(compile(example, "research.md", "exec"), names)
    assert list(names["losses"].columns) == ["runs/tracked-1", "runs/tracked-2"]
    assert list(names["losses"].index) == list(range(STEPS))
    assert names["seeds"]["seed"].tolist() == [0, 0]


def test_every_key_that_is_logged_is_explained(finished_run: Path) -> None:
    """docs/training.md explains all keys of a run, whatever its loss and data; docs/doctor.md the doctor's signals."""
    logged = (
        set().union(*tiny_runs.metrics(finished_run)) | tensorboard._TAGS.keys() | tensorboard._TUTORIAL_TAGS.keys()
    )
    assert len(logged) > 20
    pages = {name: (ROOT / "docs" / f"{name}.md").read_text("utf-8") for name in ("training", "doctor")}
    rows = pages["training"].partition("## What is logged")[2].partition("\n## ")[0]
    for key in logged - {"step"}:
        page, name = (pages["doctor"], key.removeprefix("doctor/")) if key.startswith("doctor/") else (rows, key)
        explained = name.removesuffix("_class").removesuffix("_as") if page is not rows else name
        assert f"`{explained}`" in page, key
