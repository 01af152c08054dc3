"""Networks without a NumPy form are drawn by PyTorch, and discriminators return their logits for images."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import inkgan
import tiny_runs as runs
from inkgan import networks
from inkgan.cli import run
from inkgan.errors import CheckpointError, ConfigError
from inkgan.generation.model import Model
from inkgan.runs import checkpoint
from refusals import refusal
from waiting import SECONDS

SHAPE = (6, 5, 3)


class Tiny(nn.Module):
    """A generator of 6x5 colour images with two classes, and batch normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.classes = nn.Embedding(2, 4)
        self.first = nn.Linear(8, 90)
        self.normal = nn.BatchNorm1d(90)
        self.normal.running_mean = torch.linspace(-1, 1, 90)
        self.normal.running_var = torch.linspace(0.5, 2, 90)

    def forward(self, latents: Tensor, labels: Tensor) -> Tensor:
        """Images [N, 6, 5, 3] in (0, 1)."""
        x = self.normal(self.first(torch.cat([latents, self.classes(labels)], 1)))
        return torch.sigmoid(x).view(-1, *SHAPE)


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Tiny]:
    """Return the folder of a model whose network exists in PyTorch only, and the network itself."""
    module = types.ModuleType("tiny_network")
    module.build_generator = lambda _: Tiny()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tiny_network", module)
    monkeypatch.setitem(networks.NETWORKS, "tiny", "tiny_network")
    torch.manual_seed(0)
    network = Tiny()
    weights = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    description = {
        "network": "tiny",
        "image_shape": list(SHAPE),
        "num_classes": 2,
        "latent_dim": 4,
        "class_names": ["sun", "moon"],
        "entry_of_its_own": [1, 2],
    }
    (tmp_path / "model").mkdir()
    checkpoint.write_folder(tmp_path / "model", {"generator": weights}, {"model": description})
    return tmp_path / "model", network


def test_a_network_without_a_numpy_form_is_drawn(tiny: tuple[Path, Tiny]) -> None:
    """Images are those of the module in evaluation mode, with classes by name as well."""
    folder, network = tiny
    latents = np.random.default_rng(0).standard_normal((40, 4), dtype=np.float32)
    labels = np.arange(40) % 2
    network.eval()
    with torch.no_grad():
        expected = network(torch.from_numpy(latents), torch.from_numpy(labels)).numpy()
    drawn = inkgan.load(folder).draw(latents, [("sun", "moon")[label] for label in labels])
    assert drawn.shape == (40, *SHAPE)
    assert np.abs(drawn / 255.0 - expected).max() < 0.6 / 255


@pytest.mark.parametrize("count", [1, 7, 31, 32, 33, 64])
def test_its_images_do_not_depend_on_their_number(tiny: tuple[Path, Tiny], count: int) -> None:
    """Image i is the same, to the bit, alone and among a hundred."""
    model = inkgan.load(tiny[0])
    np.testing.assert_array_equal(model.sample(count, seed=3), model.sample(100, seed=3)[:count])


def test_its_images_do_not_depend_on_what_a_notebook_has_set(tiny: tuple[Path, Tiny]) -> None:
    """A caller's mixed precision does not change what is drawn."""
    model = inkgan.load(tiny[0])
    expected = model.sample(5)
    with torch.autocast("cpu", torch.bfloat16):
        np.testing.assert_array_equal(model.sample(5), expected)


def test_it_is_pickled_after_it_has_drawn(tiny: tuple[Path, Tiny]) -> None:
    """The PyTorch function is not pickled; the copy builds its own."""
    model = inkgan.load(tiny[0])
    drawn = model.sample(3, seed=3)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).sample(3, seed=3), drawn)


def test_commands_take_it(tiny: tuple[Path, Tiny], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``sample`` draws it; ``write`` refuses it because its classes are not digits."""
    out = tmp_path / "moons.npz"
    assert run(["sample", str(tiny[0]), "-n", "5", "--label", "moon", "-o", str(out)]) == 0
    with np.load(out) as archive:
        np.testing.assert_array_equal(archive["images"], inkgan.load(tiny[0]).sample(5, labels="moon"))
        assert archive["images"].shape == (5, *SHAPE)
    assert run(["write", "1", "--model", str(tiny[0]), "-o", f"{tmp_path}/a.png"]) == 2
    assert "its classes are sun, moon" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", ["shape", "infinite"])
def test_a_network_that_returns_something_else(
    tiny: tuple[Path, Tiny], wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Images of another shape or with infinite values are refused in one line."""
    true = Tiny.forward

    def forward(network: Tiny, *given: Tensor) -> Tensor:
        images = true(network, *given)
        return images.flatten(1) if wrong == "shape" else images / 0

    monkeypatch.setattr(Tiny, "forward", forward)
    refusal(lambda: inkgan.load(tiny[0]).sample(1), "must be finite and of shape", kind=CheckpointError)


def test_a_network_of_another_shape(tiny: tuple[Path, Tiny], tmp_path: Path) -> None:
    """Weights that do not fit the network are refused."""
    weights = {name: tensor.numpy() for name, tensor in tiny[1].state_dict().items()}
    weights["first.weight"] = weights["first.weight"][:, :-1]
    description = checkpoint.read_document(tiny[0], "model")
    (tmp_path / "other").mkdir()
    checkpoint.write_folder(tmp_path / "other", {"generator": weights}, {"model": description})
    with pytest.raises(CheckpointError, match=r"first\.weight"):
        inkgan.load(tmp_path / "other")


def test_loading_leaves_pytorchs_random_numbers_alone(tiny: tuple[Path, Tiny]) -> None:
    """Loading a model does not disturb a program's seed, nor a run that another thread starts."""
    before = torch.get_rng_state()
    inkgan.load(tiny[0]).sample(2)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.slow
def test_without_pytorch(tiny: tuple[Path, Tiny], tmp_path: Path) -> None:
    """If PyTorch is missing, one line says what to install."""
    code = (
        "import sys\n"
        "sys.modules['torch'] = None\n"
        "import inkgan.cli\n"
        "from inkgan import networks\n"
        "networks.NETWORKS['tiny'] = 'inkgan.networks.compact'\n"
        "sys.exit(inkgan.cli.run(['sample', sys.argv[1], '-o', sys.argv[2]]))"
    )
    command = [sys.executable, "-c", code, str(tiny[0]), f"{tmp_path}/a.png"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "pip install 'inkgan[train]'" in done.stderr


@pytest.mark.slow
def test_judging(tutorial_run: Path, tutorial_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The logits are those of the run's own discriminator, for images with or without a channel axis."""
    model = inkgan.load(tutorial_run)
    monkeypatch.setattr("inkgan.generation.torch_networks._AT_ONCE", 16)
    images = model.sample(40, seed=1)
    logits = model.logits(images)
    assert logits.dtype == np.float32
    assert logits.shape == (40,)
    with torch.autocast("cpu", torch.bfloat16):  # as a notebook may have set
        np.testing.assert_array_equal(model.logits(images), logits)
    np.testing.assert_array_equal(model.logits(images[..., None]), logits)
    np.testing.assert_allclose(model.logits(np.asarray(images)[10:20]), logits[10:20], atol=1e-5)
    network = networks.build_discriminator(model.description)
    folder = runs.newest(tutorial_run)
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    weights = checkpoint.read_arrays(folder, "discriminator", shapes)
    network.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    with torch.no_grad():
        expected = network(torch.from_numpy(np.asarray(images)[..., None].astype(np.float32) / 255))
    np.testing.assert_allclose(logits, expected.numpy(), atol=1e-5)
    with np.load(tutorial_data) as archive:
        assert not np.array_equal(model.logits(archive["images"])[:5], logits[:5])


@pytest.mark.slow
def test_what_cannot_be_judged(tutorial_run: Path) -> None:
    """A missing discriminator, images of another shape or type, or labels the model lacks give one error line each."""
    model = inkgan.load(tutorial_run)
    with pytest.raises(CheckpointError, match="fast has no discriminator"):
        inkgan.load("fast").logits(np.zeros((1, 28, 28), np.uint8), labels=3)
    wrong: list[Any] = [np.zeros((1, 28, 27), np.uint8), np.zeros((1, 28, 28)), np.zeros((0, 28, 28), np.uint8), 3]
    for images in wrong:
        with pytest.raises(ConfigError, match=r"give uint8 \[N, 28, 28, 1\]"):
            model.logits(images)
    with pytest.raises(ConfigError, match="draws without labels"):
        model.logits(np.zeros((1, 28, 28), np.uint8), labels=3)


def test_judging_by_labels(tmp_path: Path) -> None:
    """The discriminator of a conditional run takes the class too, by name or index."""
    images = np.random.default_rng(0).integers(0, 256, (40, 12, 12), dtype=np.uint8)
    np.savez(tmp_path / "data.npz", images=images, labels=np.arange(40) % 3)
    runs.train(tmp_path / "run", tmp_path / "data.npz", steps=2)
    model: Model = inkgan.load(tmp_path / "run")
    assert model.class_names == ("0", "1", "2")
    as_first = model.logits(images, labels=0)
    np.testing.assert_array_equal(model.logits(images, labels="0"), as_first)
    assert not np.array_equal(model.logits(images, labels="1"), as_first)
    with pytest.raises(ConfigError, match="give each image a class, 0 to 2"):
        model.logits(images)


def test_the_description_reaches_the_network(tiny: tuple[Path, Tiny], monkeypatch: pytest.MonkeyPatch) -> None:
    """A network is built from model.json unchanged, including entries of its own."""
    seen: list[Mapping[str, Any]] = []

    def build(description: Mapping[str, Any]) -> Tiny:
        seen.append(description)
        return Tiny()

    monkeypatch.setattr(sys.modules["tiny_network"], "build_generator", build)
    inkgan.load(tiny[0])
    described = json.loads((tiny[0] / "model.json").read_text("utf-8"))
    assert described["entry_of_its_own"] == [1, 2]
    assert seen
    assert all(one == described for one in seen)
