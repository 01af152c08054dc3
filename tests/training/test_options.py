"""The options of a run: which are accepted or refused, and what settings and folder they stand for."""

from __future__ import annotations

import json
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import pytest
import torch

import tiny_runs as runs
from fresh_process import modules_after
from inkgan.config import resolve
from inkgan.errors import ConfigError
from inkgan.training.options import TrainingOptions, complete_options
from inkgan.training.start import train
from refusals import refusal

# Values from notebooks


class Two:
    """A whole number of another library."""

    def __index__(self) -> int:
        return 2


def test_other_libraries_numbers_and_paths_become_pythons(tmp_path: Path) -> None:
    """They are sent to other processes as JSON, and compared with steps."""
    options: dict[str, Any] = {"processes": Two(), "stop_at": np.array(2), "out": PurePath("a")}
    given = complete_options(None, **options, settings={"slices": torch.tensor(2)})
    assert (given["processes"], given["stop_at"], given["out"], given["settings"]) == (2, 2, "a", {"slices": 2})
    json.dumps(given)


def test_numbers_of_numpy_and_paths_are_options(small_data: Path, tmp_path: Path) -> None:
    """Values from np.arange or a Path are accepted like plain ones."""
    config, folder = runs.configure(
        data=small_data,
        resize=np.int64(9),
        seed=np.uint16(7),
        steps=np.int32(5),
        precision="bfloat16",
        out=str(tmp_path / "run"),
        settings={"batch_size": np.int64(8), "fade": np.float32(0.5), "data": {"directory": tmp_path}},
    )
    assert config == resolve(
        options={"data.name": str(small_data), "data.directory": str(tmp_path), "seed": 7, "steps": 5},
        overrides=["batch_size=8", "fade=0.5", "data.resize=9", "precision=bfloat16"],
    )
    assert folder == tmp_path / "run"
    assert runs.configure(seconds=np.float64(2.5))[0].seconds == 2.5
    prepared = runs.prepare(data=small_data, resize="9x8", stop_at=np.int64(3), out=tmp_path / "run")
    assert (prepared.stop_at, prepared.data.image_shape) == (3, (9, 8, 1))


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


# What is refused


@pytest.mark.parametrize(
    ("option", "needed"),
    [
        ({"loss": "hinge"}, "loss is a setting, not an option of train: settings={'loss': 'hinge'}."),
        ({"latent_dim": 8}, "settings={'latent_dim': 8}"),
        ({"settings": "loss=hinge"}, "settings are a mapping"),
        ({"data": np.zeros((9, 8, 8), np.uint8)}, "data is ndarray, not a name or a path. Write arrays with"),
        ({"sed": 1}, "Did you mean 'seed'?"),
        ({"epochs": 3}, "train has no option 'epochs'."),
        ({"extend": 0}, "extend=0"),
        ({"stop_at": 0}, "stop_at=0"),
        ({"settings": {"loos": "hinge"}}, "Did you mean 'loss'?"),
        ({"settings": ["average=0.1"]}, "average is called ema_half_life now. Give ema_half_life=0.1."),
        ({"settings": ["average=abc"]}, "average is called ema_half_life now, and ema_half_life='abc' is not allowed"),
        ({"steps": 6, "settings": {"steps": 5}}, "steps was given 2 values"),
        ({"seed": 6, "settings": ["seed = 5"]}, "seed was given 2 values"),
        ({"recipe": "fast", "settings": {"recipe": "best"}}, "recipe was given 2 values"),
        ({"data": "mnist", "settings": {"data": {"name": "kmnist"}}}, "data.name was given 2 values"),
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
    refusal(lambda: train(**option), needed, kind=ConfigError)
    assert list(tmp_path.iterdir()) == []


def test_of_several_texts_for_a_setting_the_last_holds() -> None:
    config, _ = runs.configure(settings=["loss=hinge", "seed=3", "loss=wgan-gp"])
    assert (config.loss, config.seed) == ("wgan-gp", 3)


def test_every_option_is_documented() -> None:
    """The docstring of train has a line for every option, and help(train) shows it."""
    for name in TrainingOptions.__annotations__:
        assert f"* ``{name}``: " in str(train.__doc__), name


@pytest.mark.slow
def test_what_needs_no_pytorch_does_not_import_it(tmp_path: Path) -> None:
    """Settings are printed and typos found without waiting for PyTorch."""
    code = (
        "import sys, inkgan.cli\n"
        "for number, words in enumerate(sys.argv[1:]):\n"
        "    assert inkgan.cli.run(['train', *words.split()]) == (2 if number else 0)"
    )
    assert "torch" not in modules_after(code, "--dry-run", "--data mnits", "--set los=1", folder=tmp_path)


@pytest.mark.parametrize("recipe", ["fast", "best"])
def test_the_tutorials_network_is_refused_in_other_recipes(tmp_path: Path, recipe: str) -> None:
    """Nobody could draw from such a run: only its own recipe saves the statistics that its images depend on."""
    with pytest.raises(ConfigError, match=r"^the network 'tutorial' has its own recipe\. Choose --recipe tutorial"):
        runs.prepare(recipe, out=tmp_path, settings={"network": "tutorial"})
