"""From options to a prepared run: nothing is written before all of it is checked; folders, longer runs."""

from __future__ import annotations

import errno
import os
import re
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import inkgan
import tiny_runs as runs
from inkgan.config.schema import RECIPES
from inkgan.errors import CheckpointError, ConfigError, OutputError
from inkgan.files import sha256_of
from inkgan.runs.folder import RunFolder
from inkgan.training.options import complete_options
from inkgan.training.start import prepare
from inkgan.training.team import Team
from inkgan.training.watching import Watcher
from waiting import SECONDS


def test_what_is_noticed_about_the_data_is_told(tmp_path: Path) -> None:
    """Inverted or skipped images are reported before the first step."""
    rng = np.random.default_rng(0)
    paper = np.full((30, 8, 8), 250, np.uint8)
    paper[:, 2:6, 3:5] = rng.integers(0, 60, (30, 4, 2))
    np.savez(tmp_path / "paper.npz", images=paper)
    watcher = runs.RecordingWatcher()
    runs.prepare(data=tmp_path / "paper.npz", out=tmp_path / "run", device="cpu", watcher=watcher)
    assert any("inverted" in warning for warning in watcher.warnings)


def test_preparing_writes_nothing(tmp_path: Path, small_data: Path, stopped_run: Path) -> None:
    """All checks come before the first byte is written, for a new run and for a resumed one."""
    new = runs.prepare(data=small_data, out=tmp_path / "new", device="cpu", precision="float32", settings=runs.SETTINGS)
    assert list(tmp_path.iterdir()) == []
    assert (new.resume, new.device.type, new.precision_name, new.first_step) == (False, "cpu", "float32", -2)
    folder = runs.copy(stopped_run, tmp_path / "run")
    before = runs.listing(folder)
    resumed = runs.prepare(data=small_data, out=folder, device="cpu", resume=True)
    assert resumed.resume
    assert resumed.config.steps == runs.STEPS
    assert runs.listing(folder) == before


def test_a_read_only_place_is_noticed_before_the_data_are_read(
    tmp_path: Path, small_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For some runs, a feature network would be trained first. Only the first process has to see the folder."""
    monkeypatch.setattr(os, "access", lambda path, _: path != tmp_path)
    given = complete_options(None, data=str(small_data), out=tmp_path / "run", device="cpu", settings=runs.SETTINGS)
    team = Team()
    with pytest.raises(OutputError, match=re.escape(f"{tmp_path} is read-only. Choose a place that can be written.")):
        prepare(given, Watcher(), team)
    team.rank = 1
    assert prepare(given, Watcher(), team).folder.path == tmp_path / "run"


# Names and places


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((32, 32, 1), "32×32 with 1 channel. Choose --recipe fast, which takes any size, or --resize 28."),
        ((28, 28, 3), "28×28 with 3 channels. Choose --recipe fast, which takes any size."),
    ],
)
def test_images_that_the_tutorial_cannot_learn(tmp_path: Path, shape: tuple[int, ...], said: str) -> None:
    images = np.random.default_rng(0).integers(0, 256, (20, *shape), dtype=np.uint8)
    np.savez(tmp_path / "own.npz", images=images)
    with pytest.raises(ConfigError, match=re.escape(said)):
        runs.prepare("tutorial", data=tmp_path / "own.npz", out=tmp_path / "run", device="cpu")


def test_the_others_wait_while_the_measurement_of_the_quality_is_prepared(
    small_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A feature network may have to be trained first, and each report says that the first process still works."""

    class CountingTeam(Team):
        signs_of_life = 0

        def keep_waiting(self) -> None:
            self.signs_of_life += 1

    team = CountingTeam()
    monkeypatch.setattr("inkgan.evaluation.reference.quick_measure", lambda _, report: report("training", 0.5))
    given = complete_options(None, data=str(small_data), settings=[*runs.SETTINGS, "watch.evaluate_every=2"])
    prepare(given, Watcher(), team)
    assert team.signs_of_life == 1


@pytest.mark.slow
def test_every_recipe_is_built(tutorial_data: Path, tmp_path: Path) -> None:
    """Each recipe of the configuration can be built."""
    for name in RECIPES:
        built = runs.prepare(name, data=tutorial_data, out=tmp_path / name, device="cpu").recipe
        assert "generator" in built.networks


@pytest.mark.slow
def test_runs_that_start_at_one_moment_get_folders_of_their_own(
    tmp_path: Path, small_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without --out, runs that start at the same moment are all accepted."""
    monkeypatch.chdir(tmp_path)
    barrier = threading.Barrier(3)
    real_prepare = prepare

    def together(*given: Any, **options: Any) -> Any:
        prepared = real_prepare(*given, **options)
        barrier.wait(SECONDS)
        return prepared

    def start(_: int) -> str:
        return inkgan.train(data=small_data, device="cpu", steps=1, settings=runs.SETTINGS).folder.name

    monkeypatch.setattr("inkgan.training.start.prepare", together)
    with ThreadPoolExecutor(3) as threads:
        assert sorted(threads.map(start, range(3))) == ["fast-small-seed0", "fast-small-seed0-2", "fast-small-seed0-3"]


# Longer runs


@pytest.fixture
def fading(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Settings with which the learning rates of a run of any length fade from its first step on."""
    monkeypatch.setattr("inkgan.training.compact._SHORT_RUN", 0)
    monkeypatch.setattr("inkgan.training.compact._LONG_RUN", 1)
    return ["fade=1.0"]


@pytest.mark.slow
def test_an_extended_run_continues_to_its_new_end(tmp_path: Path, small_data: Path, fading: list[str]) -> None:
    """--extend adds steps to a complete run; stopped on the way, it resumes to the same end, to the bit.

    Its config.json trains it again from the first step on, with both ends.
    """
    settings = fading
    for name in ("whole", "parts"):
        runs.train(tmp_path / name, small_data, settings=settings)
    assert runs.train(tmp_path / "whole", small_data, extend=4, settings=settings, steps=None).step == 10
    result = runs.train(tmp_path / "parts", small_data, extend=4, stop_at=7, settings=settings, steps=None)
    assert (result.step, result.complete) == (7, False)
    with pytest.raises(ConfigError, match="not complete: it is at step 7 of 10"):
        runs.train(tmp_path / "parts", small_data, extend=4, settings=settings, steps=None)
    assert runs.train(tmp_path / "parts", small_data, resume=True, settings=settings, steps=None).complete
    assert runs.learned(tmp_path / "parts") == runs.learned(tmp_path / "whole")
    config = RunFolder(tmp_path / "whole").saved_config()
    assert (config.steps, config.extended_from) == (10, (6,))
    runs.train(tmp_path / "whole", small_data, extend=2, settings=settings, steps=None)
    assert RunFolder(tmp_path / "whole").saved_config().extended_from == (6, 10)
    assert [line["step"] for line in runs.metrics(tmp_path / "whole")] == list(range(-2, 12))
    inkgan.train(config=tmp_path / "whole" / "config.json", out=tmp_path / "again", device="cpu")
    assert runs.learned(tmp_path / "again") == runs.learned(tmp_path / "whole")


def test_a_run_is_repeated_from_its_settings(tmp_path: Path, small_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run's config.json, taken to another folder with the same images, trains the same weights."""
    whole = runs.train(tmp_path / "whole", small_data).folder
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    shutil.copyfile(whole / "config.json", "config.json")
    shutil.copyfile(small_data, "images.npz")
    again = inkgan.train(config="config.json", data="images.npz", precision="float32", device="cpu", out="again").folder
    assert runs.metrics(again) == runs.metrics(whole)
    for file in runs.newest(whole).glob("*.safetensors"):
        assert file.read_bytes() == (runs.newest(again) / file.name).read_bytes()


@pytest.mark.parametrize("begun", [True, False])
def test_a_launcher_that_starts_again_extends_once(
    tmp_path: Path, small_data: Path, monkeypatch: pytest.MonkeyPatch, begun: bool
) -> None:
    """A restarted command continues the extension, whether or not the first start had already made the run longer."""
    options: Any = {"extend": 3, "steps": None}
    runs.train(tmp_path / "run", small_data)
    if begun:
        runs.train(tmp_path / "run", small_data, stop_at=8, **options)
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    result = runs.train(tmp_path / "run", small_data, **options)
    assert (result.step, result.complete) == (9, True)


def test_what_cannot_be_extended(tmp_path: Path, small_data: Path, stopped_run: Path) -> None:
    """Runs that are incomplete, have a time limit or do not exist are refused, and --steps gives a hint."""
    folder = runs.copy(stopped_run, tmp_path / "run")
    before = runs.listing(folder)
    for options, needed in (
        ({"extend": 3, "steps": None}, "at step 5 of 6. Finish it first: inkgan train --resume --out"),
        ({"extend": 3, "seconds": 9}, "given in seconds"),
        ({"extend": 3, "steps": 9}, "steps: 6 -> 9.*--extend makes a complete run longer"),
        ({"resume": True, "steps": 60}, "steps: 6 -> 60.*--extend makes a complete run longer"),
    ):
        with pytest.raises(ConfigError, match=needed):
            runs.train(folder, small_data, **options)
    with pytest.raises(CheckpointError, match="none is not the folder of a run: there is no such folder"):
        runs.train(tmp_path / "none", small_data, extend=3)
    assert runs.listing(folder) == before


def test_an_extension_that_could_not_begin_can_be_repeated(
    tmp_path: Path, small_data: Path, finished_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk fails while the newest checkpoint is read: the error says that nothing was changed, and nothing was."""
    folder = runs.copy(finished_run, tmp_path / "run")

    def fail(path: Path) -> str:
        if path.name == "optimizers.safetensors":
            raise OSError(errno.EIO, "Input/output error", str(path))
        return sha256_of(path)

    options: dict[str, Any] = {"steps": None, "extend": 2}
    with monkeypatch.context() as patch:
        patch.setattr("inkgan.runs.checkpoint.sha256_of", fail)
        with pytest.raises(CheckpointError, match="so nothing was changed"):
            runs.train(folder, small_data, **options)
    assert runs.train(folder, small_data, **options).step == runs.STEPS + 2


def test_an_extended_run_keeps_its_length(tmp_path: Path, small_data: Path, stopped_run: Path) -> None:
    """The command that began it may be repeated, and its lengths may be given; another length is refused."""
    folder = runs.copy(stopped_run, tmp_path / "run")
    runs.train(folder, small_data, resume=True)
    total = runs.train(folder, small_data, steps=None, extend=2).step
    for steps in (total - 2, total, None):
        assert runs.train(folder, small_data, resume=True, steps=steps).step == total
    for length in ({"steps": 3}, {"steps": None, "seconds": 9.0}):
        with pytest.raises(ConfigError, match=f"started with other settings: steps: {total} -> {length['steps']}"):
            runs.train(folder, small_data, resume=True, **length)


def test_an_extended_run_that_falls_back_to_before_its_extension(
    tmp_path: Path, small_data: Path, fading: list[str]
) -> None:
    """Its last checkpoint before the extension is damaged: from the one before, it learns the same."""
    more: Any = {"settings": fading, "steps": None}
    for name, stop_at in (("whole", None), ("run", runs.STEPS)):
        runs.train(tmp_path / name, small_data, settings=fading)
        runs.train(tmp_path / name, small_data, extend=3, stop_at=stop_at, **more)
    assert runs.steps_saved(tmp_path / "run") == [0, 4, runs.STEPS]
    runs.damage(runs.newest(tmp_path / "run") / "model.json")
    assert runs.train(tmp_path / "run", small_data, resume=True, **more).step == runs.STEPS + 3
    assert runs.learned(tmp_path / "run") == runs.learned(tmp_path / "whole")
