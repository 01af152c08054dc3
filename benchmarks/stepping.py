"""A recipe and its batches, ready to step; the benchmarks of steps share it."""

from __future__ import annotations

import time

import torch

from inkgan.training.loop import Batches
from inkgan.training.recipe import Recipe, StepInfo

#: The length of a run that is only timed: so many steps that its learning rates stay constant.
_LONG = 10**6


class Training:
    """A recipe that is trained as in a run, but writes nothing."""

    def __init__(self, recipe: Recipe, batches: Batches) -> None:
        self.recipe = recipe
        self._batches = batches
        self._done = 0

    def seconds(self, steps: int, whole: int = _LONG) -> float:
        """Do some steps of a run that has ``whole`` steps, and return the seconds until the device is done."""
        self._wait()
        before = time.perf_counter()
        for number in range(self._done, self._done + steps):
            self.recipe.step(StepInfo(number, number, number / whole), *self._batches.batch(number))
        self._wait()
        self._done += steps
        return time.perf_counter() - before

    def _wait(self) -> None:
        self.recipe.settle()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
