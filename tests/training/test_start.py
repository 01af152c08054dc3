"""From options to a prepared run: which options are accepted or refused, and that nothing is written in either case."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import inkgan
import tiny_runs as runs
from inkgan.config import RECIPES, resolve
from inkgan.errors import CheckpointError, ConfigError, InkganError
from inkgan.runs.folder import RunFolder
from inkgan.training.options import TrainingOptions
from inkgan.training.start import prepare, train

# Values from notebooks


def test_numbers_of_numpy_and_paths_are_options(small_data: Path, tmp_path: Path) -> None:
    """Values from np.arange or a Path are accepted like plain ones."""
    config, folder = runs.configure(
        data=small_data,
        seed=np.uint16(7),
        steps=np.int32(5),
        out=str(tmp_path / "run"),
        settings={"batch_size": np.int64(8), "fade": np.float32(0.5), "data": {"directory": tmp_path}},
    )
    assert config == resolve(
        options={"data.name": str(small_data), "data.directory": str(tmp_path), "seed": 7, "steps": 5},
        overrides=["batch_size=8", "fade=0.5"],
    )
    assert folder == tmp_path / "run"
    assert runs.configure(seconds=np.float64(2.5))[0].seconds == 2.5
    assert runs.prepare(data=small_data, stop_at=np.int64(3), out=tmp_path / "run").stop_at == 3


def test_a_path_is_never_the_name_of_a_known_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Path("kmnist") is a place, as it is for a model."""
    monkeypatch.chdir(tmp_path)
    assert runs.configure(data=Path("kmnist"))[0].data.name == str(tmp_path / "kmnist")
    assert runs.configure(data="kmnist")[0].data.name == "kmnist"


@pytest.mark.parametrize(
    "settings",
    [
        {"loss": "hinge", "generator.learning_rate": 0.25},
        {"loss": "hinge", "generator": {"learning_rate": 0.25}},
        ["loss=hinge", "generator.learning_rate=0.25"],
    ],
)
def test_settings_are_a_mapping_or_strings(settings: Any) -> None:
    """All forms have the same meaning."""
    assert runs.configure(settings=None)[0] == runs.configure()[0]  # as notebooks may pass it
    config, _ = runs.configure(settings=settings)
    assert (config.loss, config.generator.learning_rate, config.discriminator.learning_rate) == ("hinge", 0.25, 3e-3)


def test_both_places_of_data_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths from options and settings are made absolute, so that the run resumes from any folder."""
    (tmp_path / "mine").mkdir()
    np.save(tmp_path / "mine" / "x.npy", np.zeros((5, 8, 8), np.uint8))
    monkeypatch.chdir(tmp_path)
    place = str(tmp_path / "mine")
    for options in ({"data_dir": "mine"}, {"data_dir": Path("mine")}, {"settings": ["data.directory=mine"]}):
        config, _ = runs.configure(**options)
        assert (config.data.name, config.data.directory) == ("mnist", place)
    assert runs.configure(data="mine/x.npy")[0].data.name == f"{place}/x.npy"
    assert runs.configure(settings={"data.name": "mine"})[0].data.name == place


def test_what_is_noticed_about_the_data_is_told(tmp_path: Path) -> None:
    """Inverted or skipped images are reported before the first step."""
    rng = np.random.default_rng(0)
    paper = np.full((30, 8, 8), 250, np.uint8)
    paper[:, 2:6, 3:5] = rng.integers(0, 60, (30, 4, 2))
    np.savez(tmp_path / "paper.npz", images=paper)
    watcher = runs.RecordingWatcher()
    runs.prepare(data=tmp_path / "paper.npz", out=tmp_path / "run", device="cpu", watcher=watcher)
    assert any("inverted" in warning for warning in watcher.warnings)


# What is refused


@pytest.mark.parametrize(
    ("option", "needed"),
    [
        ({"loss": "hinge"}, "loss is a setting, not an option of train: settings={'loss': 'hinge'}."),
        ({"latent_dim": 8}, "settings={'latent_dim': 8}"),
        ({"settings": "loss=hinge"}, "settings are a mapping"),
        ({"settings": 5}, "settings are a mapping"),
        ({"data": np.zeros((9, 8, 8), np.uint8)}, "data is ndarray, and not a name or a path. Write arrays with"),
        ({"settings": [None]}, "settings are a mapping"),
        ({"settings": {1: 2}}, "settings are a mapping"),
        ({"sed": 1}, "Did you mean 'seed'?"),
        ({"epochs": 3}, "train has no option 'epochs'."),
        ({"extend": 0}, "extend=0"),
        ({"stop_at": 0}, "stop_at=0"),
        ({"settings": {"loos": "hinge"}}, "Did you mean 'loss'?"),
        ({"settings": ["average=0.1"]}, "average is called ema_half_life now. Give ema_half_life=0.1."),
        ({"settings": {"extended_from": [3]}}, "extended_from"),
        ({"steps": 6, "settings": {"steps": 5}}, "steps was given 2 values"),
        ({"seed": 6, "settings": ["seed = 5"]}, "seed was given 2 values"),
        ({"recipe": "fast", "settings": {"recipe": "best"}}, "recipe was given 2 values"),
        ({"stop_at": True}, "stop_at=True"),
        ({"out": ""}, "the name of the run folder is empty"),
        ({"resume": True, "out": ""}, "the name of the run folder is empty"),
    ],
    ids=str,
)
def test_what_is_no_option_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: Any, needed: str
) -> None:
    """A setting given as an option is told where it belongs, a typo is corrected, and nothing is written."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        train(**option)
    assert needed in str(caught.value)
    assert str(caught.value).isprintable()
    assert list(tmp_path.iterdir()) == []


def test_of_several_texts_for_a_setting_the_last_holds() -> None:
    config, _ = runs.configure(settings=["loss=hinge", "seed=3", "loss=wgan-gp"])
    assert (config.loss, config.seed) == ("wgan-gp", 3)


def test_every_option_is_documented() -> None:
    """The docstring of train has a line for every option, and help(train) shows it."""
    for name in TrainingOptions.__annotations__:
        assert f"* ``{name}``: " in str(train.__doc__), name


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


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["--dry-run"], ["--data", "mnits"], ["--set", "los=1"]])
def test_what_needs_no_pytorch_does_not_import_it(tmp_path: Path, arguments: list[str]) -> None:
    """Settings are printed and typos found without waiting for PyTorch."""
    code = (
        "import sys; from inkgan.cli import run; run(['train', *sys.argv[1:]]); "
        "print('torch' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert done.stderr.splitlines()[-1] == "False"


# Names and places


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
    folders: list[Path] = []

    def together(*given: Any, **options: Any) -> Any:
        prepared = real_prepare(*given, **options)
        barrier.wait(timeout=60)
        return prepared

    def start() -> None:
        result = inkgan.train(data=small_data, device="cpu", steps=1, settings=runs.SETTINGS)
        folders.append(result.folder)

    monkeypatch.setattr("inkgan.training.start.prepare", together)
    threads = [threading.Thread(target=start) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(folder.name for folder in folders) == ["fast-small-seed0", "fast-small-seed0-2", "fast-small-seed0-3"]


# Runs of earlier versions


def old_config(folder: Path) -> dict[str, Any]:
    """Replace a run's config.json by one of an earlier version, and return it."""
    path = folder / "config.json"
    config: dict[str, Any] = json.loads(path.read_text("utf-8"))
    config["average"] = config.pop("ema_half_life")
    del config["extended_from"]
    path.write_text(json.dumps(config), "utf-8")
    return config


def test_the_old_name_of_the_half_life_is_read(tmp_path: Path, stopped_run: Path, small_data: Path) -> None:
    """A run saved when the setting was called average resumes with its value."""
    folder = runs.copy(stopped_run, tmp_path / "run")
    config = old_config(folder)
    assert RunFolder(folder).saved_config().ema_half_life == config["average"]
    assert runs.train(folder, small_data, resume=True).complete


# Longer runs


@pytest.mark.slow
def test_an_extended_run_continues_to_its_new_end(tmp_path: Path, small_data: Path) -> None:
    """--extend adds steps to a complete run; stopped on the way, it resumes to the same end, to the bit."""
    settings = ["fade=1.0"]
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
        ({"resume": True, "steps": 60}, "steps: 6 -> 60.*--extend makes a complete run longer"),
    ):
        with pytest.raises(ConfigError, match=needed):
            runs.train(folder, small_data, **options)
    with pytest.raises(CheckpointError):
        runs.train(tmp_path / "none", small_data, extend=3)
    assert runs.listing(folder) == before


def test_a_config_that_was_made_longer_by_hand_is_refused(tmp_path: Path, small_data: Path, stopped_run: Path) -> None:
    """Only a run that was complete at its last checkpoint can have been extended since."""
    folder = runs.copy(stopped_run, tmp_path / "run")
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {"steps": 9, "extended_from": [6]}), "utf-8")
    with pytest.raises(InkganError, match="edited"):
        runs.train(folder, small_data, resume=True, steps=None)
