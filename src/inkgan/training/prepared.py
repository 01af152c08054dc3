"""A run that is ready to start: everything that could be refused has been checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from inkgan.config import Config
from inkgan.data import DataSet
from inkgan.images import Images, Labels
from inkgan.runs.folder import RunFolder
from inkgan.training.recipe import Recipe
from inkgan.training.team import Team

#: A quality measure: images uint8 [N, H, W, C] and their classes in, figures by name out. The first figure decides
#: which checkpoint is best: the lower, the better.
Measure = Callable[[Images, Labels | None], dict[str, float]]


@dataclass(frozen=True, eq=False)
class PreparedRun:
    """What :func:`inkgan.training.loop.run` needs.

    Attributes:
        config: the settings.
        folder: where the run is or will be.
        data: the images to learn from.
        recipe: networks and optimisers, freshly initialised.
        device: where to compute.
        precision: what the networks compute in.
        team: the processes that train it.
        measure: what ``watch.evaluate_every`` measures; None if it is 0.
        resume: continue the run in the folder.
        force: replace the run in the folder.
        stop_at: save and stop after this step.
        heal: where training blows up or collapses, raise an :class:`inkgan.training.healing.IllnessError`.
    """

    config: Config
    folder: RunFolder
    data: DataSet
    recipe: Recipe
    device: torch.device
    precision: torch.dtype
    team: Team
    measure: Measure | None = None
    resume: bool = False
    force: bool = False
    stop_at: int | None = None
    heal: bool = False

    @property
    def precision_name(self) -> str:
        """The precision as settings name it."""
        return str(self.precision).removeprefix("torch.")

    @property
    def first_step(self) -> int:
        """The number of the run's first step: negative if it pre-trains the discriminator."""
        return -self.config.pretraining_steps
