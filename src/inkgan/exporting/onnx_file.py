"""A generator as an ONNX file, for any runtime that reads this format; built from the saved arrays, without PyTorch.

The constants of the graph are the saved arrays, as float32, under their own names. The two graphs compute what
``generation/numpy_networks.py`` does; the tests run both and compare. Maps are [N, C, H, W], ONNX's order.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inkgan.errors import CheckpointError, import_extra, shown
from inkgan.exporting.saved import SavedModel
from inkgan.networks.grid import grid_of, slope_of

if TYPE_CHECKING:
    import onnx

#: The operator set and the file format of ONNX 1.12, which every runtime since 2022 reads.
_OPSET, _FILE_FORMAT = 17, 8
_EPSILON = 1e-5


class Graph:
    """Constants and nodes, in the order in which they compute; each is referred to by the name of its result."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, NDArray[Any]] = {}
        self._arrays = arrays

    def saved(self, name: str) -> str:
        """Add a saved array as a constant, and return its name."""
        return self.constant(name, self._arrays[name].astype(np.float32))

    def constant(self, name: str, value: ArrayLike) -> str:
        """Add a constant, and return its name."""
        self.constants[name] = np.ascontiguousarray(value)
        return name

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node that applies an operator to earlier results, and return the name of its own result."""
        from onnx import helper  # noqa: PLC0415 - an extra

        result = f"{operator}.{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [result], result, **attributes))
        return result


def build(saved: SavedModel) -> bytes:
    """Return the content of an ``.onnx`` file; the same model gives the same bytes.

    Inputs are ``latent`` float32 [N, D] and, if there are classes, ``label`` int64 [N]; the output is ``image`` float32
    [N, H, W, C], 0 paper to 1 ink, or with three channels red, green and blue. N is free, and image i depends on latent
    i and label i alone. Labels are 0 to the number of classes - 1. ONNX counts negative ones from the end: -1 is the
    last class. ``Model.draw`` refuses them.

    Raises:
        CheckpointError: the network is of a kind that has no ONNX form.
        MissingExtraError: the package ``onnx`` is not installed.
    """
    draw = NETWORKS.get(saved.network)
    if draw is None:
        known = " and ".join(NETWORKS)
        raise CheckpointError(f"ONNX is for networks of {known}, not {shown(saved.network)}. Export to DIR/ instead.")
    import_extra("onnx")
    from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415 - an extra

    about = saved.description
    graph = Graph(saved.weights)
    maps = draw(graph, about)
    graph.nodes.append(helper.make_node("Transpose", [maps], ["image"], "image", perm=[0, 2, 3, 1]))
    inputs = [helper.make_tensor_value_info("latent", TensorProto.FLOAT, ["N", about["latent_dim"]])]
    if saved.class_names:
        meaning = "The index of a class in class_names. A negative one counts from the end."
        inputs.append(helper.make_tensor_value_info("label", TensorProto.INT64, ["N"], meaning))
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", *about["image_shape"]])
    pixels = "0 is paper, 1 is ink" if about["image_shape"][2] == 1 else "red, green and blue, from 0, black, to 1"
    constants = [numpy_helper.from_array(array, name) for name, array in graph.constants.items()]
    model: onnx.ModelProto = helper.make_model(
        helper.make_graph(graph.nodes, "generator", inputs, [image], constants),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_FILE_FORMAT,
        producer_name="inkgan",
        producer_version=version("inkgan"),
        doc_string=f"From latents, N(0, 1), to images: {pixels}.",
    )
    helper.set_model_props(model, _metadata(saved))
    return model.SerializeToString(deterministic=True)


def _metadata(saved: SavedModel) -> dict[str, str]:
    """Return the file's metadata by name."""
    named = {
        "class_names": json.dumps(saved.class_names, ensure_ascii=False),
        "licence": saved.licence,
        "card": saved.card,
        "weights_sha256": saved.digest,
        "network": saved.network,
    }
    return {name: value for name, value in named.items() if value is not None}


def _compact(graph: Graph, about: Mapping[str, Any]) -> str:
    """Add the compact generator, as in :func:`inkgan.generation.numpy_networks.draw_compact`."""
    height, width, depth = about["image_shape"]
    grid = grid_of((height, width, depth))
    style = "latent"
    if about["num_classes"]:
        style = graph.add("Concat", style, graph.add("Gather", graph.saved("embedding"), "label"), axis=1)

    def linear(name: str, inputs: str) -> str:
        return graph.add("Gemm", inputs, graph.saved(f"{name}.weight"), graph.saved(f"{name}.bias"), transB=1)

    def convolve(name: str, maps: str) -> str:
        return graph.add("Conv", maps, graph.saved(f"{name}.weight"), graph.saved(f"{name}.bias"), pads=[1, 1, 1, 1])

    def leaky(maps: str) -> str:
        return graph.add("LeakyRelu", maps, alpha=float(slope_of(about)))  # an int would become another type

    def to_blocks(maps: str) -> str:
        return graph.add("DepthToSpace", maps, blocksize=2, mode="DCR")

    def sides() -> str:
        return graph.constant("sides", np.array([2, 3]))  # height and width in [N, C, H, W]

    def scaled(maps: str, number: int) -> str:
        scale = graph.add("Add", linear(f"scales.{number}", style), graph.constant("one", np.float32(1)))
        return graph.add("Mul", maps, graph.add("Unsqueeze", scale, sides()))

    coarsest = graph.constant("coarsest", np.array([-1, grid.height, grid.width, about["channels"]]))
    maps = graph.add("Reshape", leaky(linear("first", style)), coarsest)
    maps = graph.add("Transpose", maps, perm=[0, 3, 1, 2])
    for level in range(grid.doublings - 1):
        maps = leaky(scaled(to_blocks(convolve(f"grow.{level}", maps)), 2 * level))
        maps = leaky(scaled(convolve(f"refine.{level}", maps), 2 * level + 1))
    maps = to_blocks(convolve("last", maps))
    start, end = graph.constant("start", np.array([0, 0])), graph.constant("end", np.array([height, width]))
    maps = graph.add("Slice", maps, start, end, sides())
    return graph.add("Sigmoid", maps)


def _tutorial(graph: Graph, about: Mapping[str, Any]) -> str:
    """Add the tutorial's generator with standing statistics, as in ``generation.numpy_networks.draw_tutorial``."""

    def normalise_relu(maps: str, layer: int) -> str:
        statistics = [graph.saved(f"standing.{name}{layer}") for name in ("mean", "variance")]
        beta = graph.saved(f"beta{layer}")
        scale = graph.constant(f"scale{layer}", np.ones_like(graph.constants[beta]))
        return graph.add("Relu", graph.add("BatchNormalization", maps, scale, beta, *statistics, epsilon=_EPSILON))

    def convolve(maps: str, layer: int, **attributes: Any) -> str:
        return graph.add("Conv", maps, graph.saved(f"w{layer}"), graph.saved(f"b{layer}"), **attributes)

    def halve(maps: str, layer: int) -> str:
        return convolve(maps, layer, strides=[2, 2], pads=[0, 0, 1, 1])  # TensorFlow's SAME: one zero at the end

    side = 2 * about["image_shape"][0]
    maps = graph.add("Gemm", "latent", graph.saved("w1"), graph.saved("b1"), transB=1)
    maps = normalise_relu(graph.add("Reshape", maps, graph.constant("square", np.array([-1, 1, side, side]))), 1)
    maps = normalise_relu(halve(maps, 2), 2)
    twice = graph.constant("twice", np.array([1, 1, 2, 2], np.float32))
    legacy = {"mode": "linear", "coordinate_transformation_mode": "asymmetric"}  # TensorFlow's legacy bilinear resize
    maps = normalise_relu(halve(graph.add("Resize", maps, "", twice, **legacy), 3), 3)
    return graph.add("Sigmoid", convolve(maps, 4))


#: The functions that add a network to a graph and return the name of its images, by the network's name in
#: ``model.json``.
NETWORKS: Mapping[str, Callable[[Graph, Mapping[str, Any]], str]] = {"compact": _compact, "tutorial": _tutorial}
