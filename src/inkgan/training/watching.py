"""What a run reports while it goes on, and to whom: a terminal, a notebook, a test, nobody."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from inkgan.config import Config
from inkgan.images import Images


@dataclass(frozen=True)
class StepProgress:
    """How far a run is after a step.

    Attributes:
        step: the step that was just done; negative during pre-training.
        steps: the run's total of joint steps; None if its length is given in seconds.
        seconds: how long the run has trained.
        seconds_total: its length in seconds; None if it is given in steps.
        steps_per_second: the speed of the last steps; 0 if it is not known yet.
        terms: the step's losses and scores by name.
    """

    step: int
    steps: int | None
    seconds: float
    seconds_total: float | None
    steps_per_second: float
    terms: dict[str, float]


class Watcher(Protocol):
    """Receives what a run reports. Every method should return at once."""

    def preparing(self, doing: str, done: float) -> None:
        """Something that may take long happens before the first step; ``done`` is the fraction of it, 0 to 1."""

    def started(self, folder: Path, config: Config, about: dict[str, Any], first_step: int) -> None:
        """The run in ``folder`` is about to do ``first_step``; ``about`` is its entry in environment.json."""

    def warn(self, message: str) -> None:
        """Something is wrong, but the run goes on."""

    def picture(self, progress: StepProgress | None, image: Images, estimate: float) -> None:
        """A generated image uint8 [H, W, C] and the discriminator's logit for it; no progress before the first step."""

    def stepped(self, progress: StepProgress) -> None:
        """A step was done that is logged or shown, or it took long."""


class Silent:
    """A watcher that ignores everything."""

    def preparing(self, doing: str, done: float) -> None:
        """Do nothing."""

    def started(self, folder: Path, config: Config, about: dict[str, Any], first_step: int) -> None:
        """Do nothing."""

    def warn(self, message: str) -> None:
        """Do nothing."""

    def picture(self, progress: StepProgress | None, image: Images, estimate: float) -> None:
        """Do nothing."""

    def stepped(self, progress: StepProgress) -> None:
        """Do nothing."""
