"""CUDA graphs: the kernels of a step are recorded once, and from then on launched together.

A step is some 300 short kernels. Launching a kernel takes longer than computing it, so the GPU would wait most of the
time; docs/experiments.md has measurements. A replayed graph computes the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from inkgan.errors import DivergenceError

#: A function that computes scalars by name from tensors, some of which may be None. It may also change its own tensors.
Computation = Callable[..., Mapping[str, Tensor]]


class _Recording(NamedTuple):
    """A graph, and the scalars [T] that each replay overwrites, with their names."""

    graph: torch.cuda.CUDAGraph
    names: tuple[str, ...]
    values: Tensor


class Graphs:
    """Runs computations of a few kinds, each recorded as a CUDA graph.

    The first computation of a kind runs without a graph, which initialises the libraries that it calls. The second is
    recorded. Apart from its inputs, everything that a computation reads must keep its address in memory.

    The check that results are finite comes one computation later, so that the device does not wait for it.
    """

    def __init__(self) -> None:
        self._inputs: list[Tensor | None] = []
        self._recordings: dict[Hashable, _Recording | None] = {}
        # Scalars that are being copied to the CPU's memory: their names, the copy, and the event at its end.
        self._pending: tuple[tuple[str, ...], Tensor, torch.cuda.Event] | None = None

    def run(self, kind: Hashable, compute: Computation, inputs: Sequence[Tensor | None]) -> dict[str, Tensor]:
        """Compute scalars from inputs whose shapes never change.

        Args:
            kind: computations of one kind launch the same kernels.
            compute: the computation.
            inputs: its arguments.

        Returns:
            The scalars by name, on the device.

        Raises:
            DivergenceError: a result of the computation before this one is not finite.
        """
        self._copy_inputs(inputs)
        if kind in self._recordings:
            recording = self._recordings[kind] or self._record(kind, compute)
            recording.graph.replay()
            names, values = recording.names, recording.values.clone()
        else:
            names, values = _stacked(compute(*self._inputs))
            self._recordings[kind] = None
        self.settle()
        arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
        copied = torch.empty_like(values, device="cpu", pin_memory=True).copy_(values, non_blocking=True)
        arrived.record()
        self._pending = names, copied, arrived
        return dict(zip(names, values.unbind(), strict=True))

    def settle(self) -> None:
        """Wait until the last results are known.

        Raises:
            DivergenceError: one is not finite.
        """
        if self._pending is None:
            return
        names, values, arrived = self._pending
        self._pending = None
        arrived.synchronize()
        for name, value in zip(names, values.tolist(), strict=True):
            if not math.isfinite(value):
                raise DivergenceError(f"{name} is {value}; on a GPU this is found after the update")

    def _copy_inputs(self, inputs: Sequence[Tensor | None]) -> None:
        """Copy inputs to where the graphs read them."""
        if not self._inputs:
            self._inputs = [None if given is None else torch.empty_like(given) for given in inputs]
        for own, given in zip(self._inputs, inputs, strict=True):
            if own is not None and given is not None:
                own.copy_(given)

    def _record(self, kind: Hashable, compute: Computation) -> _Recording:
        """Record a computation without running it."""
        graph = torch.cuda.CUDAGraph()
        # Graphs run one at a time, and their results are copied at once, so all may use the same memory.
        pools = [recording.graph.pool() for recording in self._recordings.values() if recording is not None]
        # Other threads may use the device meanwhile.
        with torch.cuda.graph(graph, pool=pools[0] if pools else None, capture_error_mode="thread_local"):
            names, values = _stacked(compute(*self._inputs))
        recording = _Recording(graph, names, values)
        self._recordings[kind] = recording
        return recording


def _stacked(scalars: Mapping[str, Tensor]) -> tuple[tuple[str, ...], Tensor]:
    """Return the names, and the scalars as one tensor [T]."""
    return tuple(scalars), torch.stack(list(scalars.values()))
