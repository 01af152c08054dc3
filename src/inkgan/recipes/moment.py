"""Where a run stands when a step is made."""

from __future__ import annotations

from typing import NamedTuple


class Moment(NamedTuple):
    """The time of a step, as a recipe needs it.

    Attributes:
        step: the joint step, below 0 while the discriminator is trained alone.
        number: how many steps came before, pre-training included; randomness is drawn by it.
        progress: how much of the run is done, 0 to 1; schedules refer to it.
    """

    step: int
    number: int
    progress: float
