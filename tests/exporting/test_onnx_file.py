"""ONNX files, run by onnxruntime and compared with inkgan's own drawing."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime  # type: ignore[import-untyped]
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

import inkgan
from inkgan import networks
from inkgan.errors import CheckpointError, MissingExtraError
from inkgan.exporting import onnx_file
from inkgan.exporting.saved import SavedModel, read
from inkgan.generation.numpy_networks import NUMPY_NETWORKS
from inkgan.runs import checkpoint

COLOUR: dict[str, Any] = {
    "network": "compact", "image_shape": [40, 56, 3], "num_classes": 3, "latent_dim": 5, "channels": 16,
    "class_names": ["日", "b", "</script>"],
}  # fmt: skip
WITHOUT_LABELS = {"network": "compact", "image_shape": [12, 9, 1], "num_classes": 0, "latent_dim": 4, "channels": 8}
#: JSON's 0 is an integer in Python.
WHOLE_SLOPE = {**WITHOUT_LABELS, "slope": 0}
BUNDLED = ["best", "fast", "tutorial"]
MODELS = [*BUNDLED, COLOUR, WITHOUT_LABELS, WHOLE_SLOPE]


def saved(model: str | dict[str, Any], folder: Path) -> SavedModel:
    """Return a bundled model, or one with fresh weights in a folder."""
    if isinstance(model, str):
        return read(model, "latest")
    torch.manual_seed(0)
    weights = {name: array.numpy() for name, array in networks.build_generator(model).state_dict().items()}
    folder.mkdir(exist_ok=True)
    checkpoint.write_folder(folder, {"generator": weights}, {"model": model})
    return read(folder, "latest")


def session(content: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def inputs(model: SavedModel, n: int) -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(5)
    given: dict[str, NDArray[Any]] = {"latent": rng.standard_normal((64, model.description["latent_dim"]), np.float32)}
    if model.class_names:
        given["label"] = rng.integers(0, len(model.class_names), 64)
    return {name: array[:n] for name, array in given.items()}


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_onnxruntime_draws_what_we_draw(model: str | dict[str, Any], tmp_path: Path) -> None:
    """This holds for any number of images, and each is the same alone and among others."""
    given = saved(model, tmp_path / "model")
    content = onnx_file.build(given)
    onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
    run = session(content)
    weights = {name: array.astype(np.float32) for name, array in given.weights.items()}
    height, width, depth = given.description["image_shape"]
    every = inputs(given, 64)
    draw = NUMPY_NETWORKS[given.network].draw
    expected = draw(weights, given.description, every["latent"], every.get("label"))
    assert expected.std() > 1e-3
    for n in (1, 7, 64):
        (images,) = run.run(["image"], inputs(given, n))
        assert images.dtype == np.float32
        assert images.shape == (n, height, width, depth)
        assert_allclose(images, expected[:n], atol=1e-5, rtol=0)


def test_a_negative_label_counts_from_the_end_and_the_file_says_so(tmp_path: Path) -> None:
    """ONNX defines indices so; docs/export.md warns of it. Other labels that no class has are an error."""
    given = saved(COLOUR, tmp_path / "model")
    content = onnx_file.build(given)
    (_, label) = onnx.load_from_string(content).graph.input
    assert "negative one counts from the end" in label.doc_string
    run = session(content)
    classes = len(given.class_names)
    latent = inputs(given, 1)["latent"]
    last, negative = (run.run(None, {"latent": latent, "label": np.array([at])}) for at in (classes - 1, -1))
    assert_array_equal(last, negative)
    for at in (classes, -classes - 1):
        with pytest.raises(Exception, match="indices element out of data bounds"):
            run.run(None, {"latent": latent, "label": np.array([at])})


def test_what_the_file_says_of_its_model(tmp_path: Path) -> None:
    """It has names, licence and card, and the digest of the weights in the model's folder."""
    card = (Path(inkgan.__file__).parent / "models" / "best" / "README.md").read_text("utf-8")
    digest = hashlib.sha256((Path(inkgan.__file__).parent / "models/best/generator.safetensors").read_bytes())
    said = session(onnx_file.build(read("best", "latest"))).get_modelmeta()
    assert said.producer_name == "inkgan"
    assert said.custom_metadata_map == {
        "class_names": json.dumps([str(digit) for digit in range(10)]),
        "licence": "the weights are under the licence of the code, MIT; MNIST is CC BY-SA 3.0, LeCun and Cortes",
        "card": card,
        "weights_sha256": digest.hexdigest(),
        "network": "compact",
    }
    own = session(onnx_file.build(saved(COLOUR, tmp_path / "own"))).get_modelmeta().custom_metadata_map
    assert json.loads(own["class_names"]) == COLOUR["class_names"]
    assert "日" in own["class_names"]  # viewers show the text as it is
    assert "licence" not in own  # the weights are the user's
    manifest = json.loads((tmp_path / "own" / "manifest.json").read_text("utf-8"))
    assert own["weights_sha256"] == manifest["files"]["generator.safetensors"]["sha256"]


def test_the_file_says_what_its_pixels_mean(tmp_path: Path) -> None:
    """Grey images are ink, which viewers show inverted; those in colour are shown as they are."""
    for about, meaning in ((WITHOUT_LABELS, ": 0 is paper, 1 is ink."), (COLOUR, ": red, green and blue, from 0,")):
        content = onnx_file.build(saved(about, tmp_path / str(about["image_shape"])))
        assert meaning in onnx.load_from_string(content).doc_string


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    given = saved(COLOUR, tmp_path / "model")
    assert onnx_file.build(given) == onnx_file.build(given)


def test_runtimes_since_2022_read_the_file(tmp_path: Path) -> None:
    """ONNX 1.12 has operator set 17 and file format 8."""
    model = onnx.load_from_string(onnx_file.build(saved(WITHOUT_LABELS, tmp_path / "model")))
    assert [(one.domain, one.version) for one in model.opset_import] == [("", 17)]
    assert model.ir_version == 8


def test_a_network_of_another_kind_is_refused() -> None:
    """Networks that users add have no ONNX form."""
    other = read("fast", "latest")._replace(description={"network": "mine"})
    with pytest.raises(CheckpointError, match="networks of compact and tutorial, not mine"):
        onnx_file.build(other)


def test_without_the_extra_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r"^this needs onnx\. Install it with: pip install 'inkgan\[onnx\]'$"):
        inkgan.export("fast", tmp_path / "fast.onnx")
    assert not list(tmp_path.iterdir())
