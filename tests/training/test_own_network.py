"""A network of one's own, in PyTorch alone: one module and its name are all that training and drawing need."""

from __future__ import annotations

import json
import math
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from torch import Tensor, nn

import inkgan
import tiny_runs as runs
from documents import ROOT, blocks
from inkgan import networks
from inkgan.config import validated
from inkgan.errors import CheckpointError, ConfigError
from inkgan.runs import checkpoint
from inkgan.training.start import build

pytestmark = pytest.mark.usefixtures("spared")


class Generator(nn.Module):
    """Images of any shape by one linear layer and batch normalisation, which has buffers."""

    def __init__(self, shape: list[int], latent_dim: int) -> None:
        super().__init__()
        self.shape = shape
        self.layer = nn.Linear(latent_dim, math.prod(shape))
        self.norm = nn.BatchNorm1d(math.prod(shape))

    def forward(self, latents: Tensor) -> Tensor:
        """Images [N, H, W, C] in (0, 1)."""
        return torch.sigmoid(self.norm(self.layer(latents))).view(-1, *self.shape)


class Discriminator(nn.Module):
    """One number for an image, and no classes."""

    def __init__(self, shape: list[int]) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(shape), 8), nn.LeakyReLU(), nn.Linear(8, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Logits [N]."""
        logits: Tensor = self.layers(images)
        return logits.squeeze(1)


@pytest.fixture(autouse=True)
def mine(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module, registered as a maintainer would do it."""
    module: Any = types.ModuleType("mine")
    module.build_generator = lambda about: Generator(about["image_shape"], about["latent_dim"])
    module.build_discriminator = lambda about: Discriminator(about["image_shape"])
    monkeypatch.setitem(sys.modules, "mine", module)
    monkeypatch.setitem(networks.NETWORKS, "mine", "mine")
    return module


@pytest.mark.slow
def test_it_trains_resumes_and_draws(tmp_path: Path, small_data: Path) -> None:
    """Half of a run and the rest are the whole run bit for bit, and the saved model draws by its name alone."""
    options: dict[str, Any] = {"settings": ["network=mine", "pretraining_steps=0"], "steps": 3}
    before = torch.get_rng_state()
    runs.train(tmp_path / "whole", small_data, **options)
    runs.train(tmp_path / "parts", small_data, stop_at=1, **options)
    runs.train(tmp_path / "parts", small_data, resume=True, **options)
    assert torch.equal(torch.get_rng_state(), before)
    assert runs.learned(tmp_path / "whole") == runs.learned(tmp_path / "parts")
    start, end = _initial(tmp_path / "whole"), _weights(runs.newest(tmp_path / "whole"))
    assert not np.array_equal(start["layer.weight"], end["layer.weight"])
    assert inkgan.load(tmp_path / "whole").sample(3).shape == (3, 12, 12)


def _weights(folder: Path) -> dict[str, Any]:
    return load_file(folder / "generator.safetensors")


def _initial(run: Path) -> dict[str, Any]:
    first = runs.steps_saved(run)[0]
    return _weights(run / "checkpoints" / checkpoint.checkpoint_name(first))


def test_the_seed_of_the_run_decides_the_initial_weights() -> None:
    """Although the module draws them as PyTorch does by default."""
    initial = {}
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        recipe = build(validated({"network": "mine", "seed": seed}), (5, 4, 3), 0, torch.device("cpu"), torch.float32)
        initial[name] = recipe.networks["generator"].get_parameter("layer.weight").detach().numpy()
    assert np.array_equal(initial["a"], initial["b"])
    assert not np.array_equal(initial["a"], initial["c"])


def test_an_unknown_network_is_refused(tmp_path: Path, small_data: Path) -> None:
    with pytest.raises(CheckpointError, match=r"unknown network 'min'\. Did you mean 'mine'\?"):
        runs.train(tmp_path / "run", small_data, settings=["network=min"])
    assert not (tmp_path / "run").exists()


def test_a_network_that_does_not_fit_is_refused(tmp_path: Path, small_data: Path, mine: Any) -> None:
    """Before anything is written: other shapes, another signature."""
    good = mine.build_discriminator
    mine.build_discriminator = lambda about: nn.Flatten()
    with pytest.raises(ConfigError, match=r"logits \[2, 144\] from 2 latents; needed are \[2, 12, 12, 1\]"):
        runs.train(tmp_path / "run", small_data, settings=["network=mine"])
    mine.build_discriminator = good
    mine.build_generator = lambda about: nn.Bilinear(2, 2, 2)
    with pytest.raises(ConfigError, match="the network 'mine' cannot learn these images: TypeError: "):
        runs.train(tmp_path / "run", small_data, settings=["network=mine"])
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("function", ["build_generator", "build_discriminator"])
def test_a_module_without_its_functions_is_refused(tmp_path: Path, small_data: Path, mine: Any, function: str) -> None:
    delattr(mine, function)
    with pytest.raises(CheckpointError, match=rf"^the module mine of the network 'mine' has no function {function}\."):
        runs.train(tmp_path / "run", small_data, settings=["network=mine"])
    assert not (tmp_path / "run").exists()


def test_a_module_that_is_not_there_is_named(tmp_path: Path, small_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(networks.NETWORKS, "mine", "no_such_module")
    with pytest.raises(CheckpointError, match=r"^cannot import the network 'mine': No module named 'no_such_module'\."):
        runs.train(tmp_path / "run", small_data, settings=["network=mine"])


def test_a_network_that_needs_float32_says_so(tmp_path: Path, small_data: Path) -> None:
    """Batch normalisation keeps its statistics in float32, which PyTorch does not mix with weights in bfloat16."""
    with pytest.raises(ConfigError, match=r"Perhaps it can with --precision float32\.$"):
        runs.train(tmp_path / "run", small_data, settings=["network=mine"], precision="bfloat16")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder of networks, with the example of docs/research.md and a file that may not be imported."""
    folder = tmp_path / "networks"
    folder.mkdir()
    (example,) = [one for one in blocks(ROOT / "docs" / "research.md", "python") if "def build_generator" in one]
    (folder / "ours.py").write_text(example, "utf-8")
    (folder / "compact.py").write_text("raise SystemExit", "utf-8")
    (tmp_path / "outside.py").write_text(example, "utf-8")
    monkeypatch.setenv(networks.ENVIRONMENT, str(folder))
    return folder


@pytest.mark.slow
def test_a_file_in_the_users_folder_is_a_network(
    folder: Path, tmp_path: Path, small_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It trains, resumes bit for bit and draws; its hash stays with the run, and another file is told."""
    options: dict[str, Any] = {"settings": ["network=ours"], "steps": 3}
    runs.train(tmp_path / "whole", small_data, **options)
    runs.train(tmp_path / "parts", small_data, stop_at=1, **options)
    runs.train(tmp_path / "parts", small_data, resume=True, **options)
    assert runs.learned(tmp_path / "whole") == runs.learned(tmp_path / "parts")
    assert inkgan.load(tmp_path / "whole").sample(3).shape == (3, 12, 12)

    runs.train(tmp_path / "changed", small_data, stop_at=1, **options)
    with (folder / "ours.py").open("a", encoding="utf-8") as file:
        file.write("\n# another\n")
    noting = runs.Noting()
    runs.train(tmp_path / "changed", small_data, resume=True, watcher=noting, **options)
    starts = json.loads((tmp_path / "changed" / "environment.json").read_text("utf-8"))
    hashes = [start["network_sha256"] for start in starts]
    assert len(set(hashes)) == 2
    assert any(f"network_sha256: {hashes[0]} -> {hashes[1]}" in message for message in noting.warnings)

    monkeypatch.delenv(networks.ENVIRONMENT)
    with pytest.raises(CheckpointError, match=r"another kind: 'ours'\. .* ours\.py in the folder that \$INKGAN_NET"):
        inkgan.load(tmp_path / "whole")


def test_a_name_finds_only_a_file_of_the_folder(folder: Path) -> None:
    """No run or model can name another place, and inkgan's own networks are not replaced."""
    assert networks.own_networks() == {"ours": folder / "ours.py"}
    about = {"image_shape": [8, 8, 1], "num_classes": 0, "latent_dim": 4, "channels": 16, "slope": 0.1}
    assert type(networks.build_generator({"network": "compact", **about})).__module__ == "inkgan.networks.compact"
    for name in ("../outside", "outside", str(folder.parent / "outside"), "ours.py", "", None):
        with pytest.raises(
            CheckpointError, match=r"^unknown network .* Known networks are: compact, tutorial, mine, ours\. One "
        ):
            networks.build_generator({"network": name, **about})


def test_a_folder_of_networks_that_is_not_there_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in (folder / "ours.py", folder / "nowhere"):
        monkeypatch.setenv(networks.ENVIRONMENT, str(place))
        with pytest.raises(CheckpointError, match=r"^\$INKGAN_NETWORKS is .* which is not a folder\."):
            networks.require_known("ours")
        assert networks.require_known("compact") == "compact"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def build_generator(:\n", r"cannot import the network 'bad' from .*SyntaxError: .*bad\.py, line 1\)\.$"),
        ("x = [][3]\n", r"cannot import the network 'bad' from .*IndexError: .* in bad\.py, line 1\.$"),
        ("import no_such_thing\n", r"cannot import the network 'bad': No module named 'no_such_thing'\.$"),
        ("", r"the module bad\.py of the network 'bad' has no function build_generator\."),
        (
            "def build_generator(about):\n    return about['with']\n",
            r"KeyError: 'with' in bad\.py, line 2\)\.$",
        ),
    ],
)
def test_the_line_of_a_mistake_is_told(folder: Path, text: str, message: str) -> None:
    (folder / "bad.py").write_text(text, "utf-8")
    with pytest.raises(CheckpointError, match=message):
        networks.build_generator({"network": "bad"})


def test_an_edited_file_counts_at_once(folder: Path) -> None:
    """A notebook goes on with what was changed; dataclasses work, too."""
    for width in (3, 5):
        (folder / "ours.py").write_text(
            "from __future__ import annotations\nfrom dataclasses import dataclass\nfrom torch import nn\n"
            "@dataclass\nclass Sizes:\n    width: int\n"
            f"def build_generator(about):\n    return nn.Linear(2, Sizes({width}).width)\n",
            "utf-8",
        )
        assert networks.build_generator({"network": "ours"}).get_parameter("weight").shape == (width, 2)
