"""The benchmark of the doctor: its thresholds, intervals and counts on synthetic series, and its page in the docs."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from documents import ROOT
from inkgan.config import resolve
from inkgan.data.sets import ReadingOptions, assemble
from inkgan.data.splits import Split
from inkgan.errors import DivergenceError
from inkgan.runs.folder import RunFolder
from inkgan.training.doctor import judged, read_thresholds
from inkgan.training.doctor.rules import RULES

_BY_NAME = {rule.name: rule for rule in RULES}
_MEASURED = {rule.name for rule in RULES if rule.threshold is None}
_MEMORY, _SPREAD = _BY_NAME["memorising"], _BY_NAME["collapsed"]


@pytest.fixture
def doctor() -> ModuleType:
    """Import benchmarks/doctor.py."""
    return importlib.import_module("doctor")


def run_of(doctor: ModuleType, kind: str, seed: int, *memory: float) -> Any:
    """Return a run that logged only this signal."""
    lines = [{"step": 60 + 30 * number, "doctor/memory": value} for number, value in enumerate(memory)]
    return doctor.Run(kind, seed, resolve(), lines)


def test_a_threshold_lies_half_way(doctor: ModuleType) -> None:
    """It is halfway on the rule's scale, in either direction, and not far beyond healthy values."""
    assert doctor.between(_MEMORY, [0.4, 0.5], [0.7, 0.9]) == pytest.approx(0.6)
    assert doctor.between(_SPREAD, [0.4, 0.9], [0.1, 0.025]) == pytest.approx(0.2)
    assert doctor.between(_SPREAD, [0.4], [1e-9]) == pytest.approx(0.4 / 5)
    assert doctor.between(_MEMORY, [0.5], [9.0]) == pytest.approx(1.0)


def test_a_refit_needs_runs(
    doctor: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["doctor.py", "--refit", "--work", str(tmp_path)])
    with pytest.raises(SystemExit):
        doctor.main()
    assert capsys.readouterr().err.endswith("holds no runs to fit. Train them: leave out --refit.\n")


def test_a_run_that_diverges_is_judged_as_one_that_inkgan_trained(
    doctor: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its series ends as a diverged run's log does, so a healthy run that diverges counts as a false alarm."""
    cases = importlib.import_module("doctor_cases")
    images = np.random.default_rng(0).integers(0, 256, (60, 8, 8, 1), dtype=np.uint8)
    few = assemble("few", "here", {"train": Split(images, np.arange(60) % 10)}, None, ReadingOptions())
    monkeypatch.setattr(cases, "images", lambda _name: few)

    def diverge(*_given: object) -> None:
        raise DivergenceError("the loss is nan")

    monkeypatch.setattr(cases.Compact, "step", diverge)
    config, lines = cases.series(cases.Case({"generator.channels": 8, "discriminator.channels": 8, "batch_size": 4}), 0)
    assert [finding.rule.name for finding in judged(config, lines).findings] == ["not-finite"]


def test_ink_that_is_not_clear_is_no_illness(doctor: ModuleType) -> None:
    """No run of the benchmark has such images: all are light ink (-1) or all are dark ink (1)."""
    sound = [-1.0, *doctor.UNREACHED["dark-ink"]]
    assert doctor.between(_BY_NAME["dark-ink"], sound, [1.0]) == read_thresholds()["dark-ink"]


def test_the_rules_whose_values_are_ratios_are_rules(doctor: ModuleType) -> None:
    """The benchmark knows rules by name; one that was renamed would silently get another scale."""
    assert doctor.RATIOS | doctor.UNREACHED.keys() <= _BY_NAME.keys()


def test_where_healthy_and_ill_runs_overlap_no_healthy_one_alarms(
    doctor: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """The threshold is then the worst healthy value, and the script reports the overlap."""
    assert doctor.between(_MEMORY, [0.8], [0.7]) == pytest.approx(0.8)
    assert "overlap" in capsys.readouterr().err


@pytest.mark.parametrize("memory", [(0.5,) * 6, (0.9, 0.9, 0.5, 0.9), (0.5, 0.7, 0.8, 0.9), (0.65, 0.66, 0.64)])
def test_the_worst_value_decides(doctor: ModuleType, memory: tuple[float, ...]) -> None:
    """A run raises an alarm if and only if its worst value that lasts long enough is beyond the threshold."""
    run = run_of(doctor, "healthy", 0, *memory)
    for threshold in (0.4, 0.6, 0.645, 0.75):
        found = doctor.alarms(run, dict(read_thresholds()) | {"memorising": threshold})
        assert ("memorising" in found) == (doctor.worst(_MEMORY, run) > threshold)


def test_no_run_is_fitted_on_and_counted(doctor: ModuleType) -> None:
    """Seeds divide the runs of each kind, and remedies have seeds of their own."""
    for kind, (first, counted, end) in doctor.SEEDS.items():
        fitted = [doctor.is_for_fitting(doctor.Run(kind, seed, resolve(), ())) for seed in range(first, end)]
        assert fitted == [True] * (counted - first) + [False] * (end - counted)
    assert min(doctor.REMEDY_SEEDS) >= max(end for kind, (*_, end) in doctor.SEEDS.items() if kind in doctor.FAULTS)


def test_whole_runs_are_counted_by_their_folders(doctor: ModuleType, finished_run: Path) -> None:
    """They include all that ``inkgan train`` logged, and none is used for fitting."""
    (run,) = doctor.read_folders([finished_run])
    assert run.config == RunFolder(finished_run).saved_config()
    assert not doctor.is_for_fitting(run)
    assert {int(line["step"]) for line in run.lines} >= {0, 5}
    assert doctor.alarms(run, dict(read_thresholds()) | {"learning-rate": 0.0}) == {"learning-rate": 0}


def test_every_rule_has_a_fault_to_find(doctor: ModuleType) -> None:
    """Each rule with a measured threshold has a fault, and each fault has a rule."""
    found = {rule for _, rules in doctor.FAULTS.values() for rule in rules}
    assert _MEASURED <= found <= set(_BY_NAME)


def test_a_remedy_counts_only_after_an_alarm(doctor: ModuleType) -> None:
    """Where the fault was not found, nothing was tried, and no alarm could end."""
    tried = [("--set a=1", {}), (doctor.NOT_FOUND, {}), ("--set a=1", {rule.name: 60 for rule in RULES})]
    rows = list(doctor.rows_of_faults([], read_thresholds(), dict.fromkeys(doctor.FAULTS, tried)))
    assert all(row[-1].startswith("1 of 2") for row in rows[1:])


def test_the_page_says_when_a_rule_finds_something() -> None:
    """The table has the side of the threshold, the first step and the number of looks in a row."""
    page = (ROOT / "docs" / "doctor.md").read_text("utf-8")
    written = re.findall(r"^\| `([a-z-]+)` +\| (above|below) \S+ +\| (any|\d+) +\| (\d+) +\|", page, re.MULTILINE)
    assert written == [
        (
            rule.name,
            "above" if rule.above else "below",
            "any" if rule.grace < -1000 else f"{rule.grace}",
            f"{rule.patience}",
        )
        for rule in RULES
        if rule.name in {name for name, *_ in written}
    ]
    assert {name for name, *_ in written} >= _MEASURED


def test_the_page_has_the_thresholds_of_the_package() -> None:
    """The tables of the page agree with thresholds.json."""
    page = (ROOT / "docs" / "doctor.md").read_text("utf-8")
    written = dict(re.findall(r"^\| `([a-z-]+)` +\| (?:above|below) (\S+) ", page, re.MULTILINE))
    thresholds = {name: f"{value:.3g}" for name, value in read_thresholds().items()}
    assert written == {name: thresholds[name] for name in written}
    assert written.keys() >= _MEASURED
    for rule in RULES:
        assert f'<a id="{rule.name}"></a>' in page, f"docs/doctor.md, The rules: {rule.name} is not there"
    content = json.loads((ROOT / "src/inkgan/training/doctor/thresholds.json").read_text("utf-8"))
    assert content["about"]["calibrated"] is True


def test_shares_have_the_interval_of_clopper_and_pearson(doctor: ModuleType) -> None:
    """Its end for none of 20 has a closed form: 1 - 0.025^(1/20)."""
    assert doctor.share(0, 20) == f"0 of 20 [0.0%, {1 - 0.025 ** (1 / 20):.1%}]"
    assert doctor.share(0, 0) == "none ran"
