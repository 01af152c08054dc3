"""TensorBoard's event files are read back by TensorBoard, in order, and complete even after a failure."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # type: ignore[import-untyped]
from torch import nn

from inkgan.training.tensorboard import EventFile, graph_of


def shown(folder: Path, tag: str) -> list[tuple[int, float]]:
    """Return the steps and values that TensorBoard shows."""
    events = EventAccumulator(str(folder))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars(tag)]


def write(folder: Path, steps: range) -> None:
    """Log some steps as one start of a run does."""
    file = EventFile(folder, steps.start)
    for step in steps:
        file.add("scalar", "loss", step / 4, step)
    file.flush()
    file.close()


def test_a_clock_that_was_set_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are in the order of the starts, and steps that a resumed start repeats are shown once."""
    now = time.time()
    for number, steps in enumerate((range(10), range(7, 15), range(12, 16))):
        monkeypatch.setattr("time.time", lambda number=number: now - 86_400.0 * number)
        write(tmp_path, steps)
    assert shown(tmp_path, "loss") == [(step, step / 4) for step in range(16)]
    assert len(list(tmp_path.iterdir())) == 3


def test_a_failed_write_costs_what_it_would_have_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After half a record, a new file begins, and later values are shown."""
    file = EventFile(tmp_path, 0)
    file.add("scalar", "loss", 1.0, 0)
    file.flush()
    (path,) = tmp_path.iterdir()

    class FullError(Exception):
        pass

    def fail(*_: object) -> object:
        path.write_bytes(path.read_bytes() + b"\x18\0\0")  # half a header
        raise FullError

    with monkeypatch.context() as patch:
        patch.setattr("inkgan.training.tensorboard._event_of", fail)
        file.add("scalar", "loss", 2.0, 1)
        with pytest.raises(FullError):
            file.flush()
    file.add("scalar", "loss", 3.0, 2)
    file.flush()
    file.close()
    assert shown(tmp_path, "loss") == [(0, 1.0), (2, 3.0)]


def test_nothing_to_show_makes_no_file(tmp_path: Path) -> None:
    """A run that logs nothing needs no TensorBoard."""
    file = EventFile(tmp_path / "tensorboard", 0)
    file.flush()
    file.close()
    assert list(tmp_path.iterdir()) == []


def test_the_graph_has_each_operation_once() -> None:
    """Parameters have their names, operations are grouped, and edges go from an output to its user."""
    first, second = nn.Linear(3, 2), nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    inputs = torch.zeros(4, 3, requires_grad=True)
    hidden = first(inputs).relu()
    output = second(hidden + hidden)
    graph = graph_of({"a": hidden, "b": output}, {"a": first, "b": second})
    nodes = {node.name: list(node.input) for node in graph.node}
    assert len(nodes) == len(graph.node)
    assert {"a/weight", "a/bias", "b/0/weight", "b/1/bias"} <= nodes.keys()
    assert all(source in nodes for sources in nodes.values() for source in sources)
    (relu,) = [name for name in nodes if name.startswith("a/Relu")]
    (add,) = [name for name in nodes if name.startswith("b/Add_")]
    assert nodes[add] == [relu, relu]
    assert sum(name.startswith("b/Addmm") for name in nodes) == 2


def test_what_is_only_added_imports_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """TensorBoard is imported at the first flush: without it, adding works and flushing fails."""
    file = EventFile(tmp_path, 0)
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto.event_pb2", None)
    file.add("scalar", "loss", 1.0)
    with pytest.raises(ImportError):
        file.flush()
