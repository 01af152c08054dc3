"""Benchmarks keep a result only with --record, and a trial with other settings never gets a published result's name."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from inkgan.config import resolve
from inkgan.config.sources import differences


@pytest.fixture
def results(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Redirect the results of this test into a temporary folder."""
    monkeypatch.setattr(importlib.import_module("report"), "RESULTS", tmp_path / "results")
    return tmp_path / "results"


@pytest.fixture
def seeds(monkeypatch: pytest.MonkeyPatch, results: Path) -> ModuleType:
    """Import benchmarks/seeds.py, with training and measuring replaced."""
    module = importlib.import_module("seeds")
    figures = {"frechet_digit_distance": 0.7, "classes_covered": 10, "floor frechet_digit_distance": 0.3}
    monkeypatch.setattr(module, "train", lambda folder, *_, **__: folder)
    monkeypatch.setattr(module, "measure", lambda *_: dict(figures))
    monkeypatch.setattr(module, "commits", lambda _: "abc")
    return module


def _run(module: ModuleType, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr("sys.argv", ["benchmarks/seeds.py", *arguments])
    module.main()


def test_a_trial_is_printed_and_not_kept(
    seeds: ModuleType, results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _run(seeds, monkeypatch, "--set", "steps=60")
    said = capsys.readouterr()
    assert "| frechet digit distance | 0.7 [0.7 to 0.7] | 0.3" in said.out
    assert "--record" in said.err
    assert not results.exists()


def test_a_recorded_result_is_kept_with_its_command_and_numbers(
    seeds: ModuleType, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _run(seeds, monkeypatch, "--record")
    today = importlib.import_module("report").TODAY
    text = (results / f"seeds_fast_mnist_{today}.md").read_text("utf-8")
    assert f"fast on mnist, 5 seeds, {today}" in text
    assert "`python benchmarks/seeds.py --record` at commit abc" in text
    numbers = json.loads((results / f"seeds_fast_mnist_{today}.json").read_text("utf-8"))
    assert [row["seed"] for row in numbers] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("arguments", "stem"),
    [
        (["--recipe", "best"], "seeds_best_mnist"),
        (["--data", "some/my letters.npz"], "seeds_fast_my-letters"),
        (["--set", "steps=60", "--set", "fade=0.25"], "seeds_fast_mnist_steps-60_fade-0.25"),
        (["--seeds", "2", "--n", "500"], "seeds_fast_mnist_seeds-2_n-500"),
        (["--set", "data.directory=/a/b c"], "seeds_fast_mnist_data.directory-a-b-c"),
        (["--jobs", "2", "--out", "elsewhere"], "seeds_fast_mnist"),
    ],
)
def test_the_name_holds_every_setting_that_differs(
    seeds: ModuleType, results: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], stem: str
) -> None:
    _run(seeds, monkeypatch, *arguments, "--record")
    today = importlib.import_module("report").TODAY
    assert sorted(path.name for path in results.iterdir()) == [f"{stem}_{today}.json", f"{stem}_{today}.md"]


def test_every_variant_of_the_ablation_is_a_setting_and_differs_from_the_recipe() -> None:
    variants: dict[str, list[str]] = importlib.import_module("ablation").VARIANTS
    for name, settings in variants.items():
        assert bool(differences(resolve(), resolve(overrides=settings))) == (name != "as it is"), name


def test_a_median_with_its_range() -> None:
    spread: Any = importlib.import_module("report").spread
    assert spread([3.0, 1.0, 2.0]) == "2 [1 to 3]"
    assert spread([0.125], ".0%") == "12%"
