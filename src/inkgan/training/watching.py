"""Who is told how a run goes: a terminal, a test, nobody."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from inkgan.config import Config
from inkgan.images import Images


@dataclass(frozen=True)
class StepProgress:
    """Where a run stands after a step: the step, the end, and what was measured."""

    step: int
    steps: int | None
    seconds: float
    seconds_total: float | None
    steps_per_second: float
    terms: dict[str, float]


class Watcher(Protocol):
    """Who is told how a run goes. All methods return at once."""

    def preparing(self, doing: str, done: float) -> None:
        """Something that takes long is done before the run starts; ``done`` of it, 0 to 1."""

    def started(self, folder: Path, config: Config, about: dict[str, Any], first_step: int) -> None:
        """The run in ``folder`` is about to do ``first_step``."""

    def warn(self, message: str) -> None:
        """Something is odd, but the run goes on."""

    def picture(self, progress: StepProgress | None, image: Images, estimate: float) -> None:
        """One generated image uint8 [H, W, C] and the discriminator's logit for it; None before training."""

    def stepped(self, progress: StepProgress) -> None:
        """A step was done that is logged or shown."""


class Silent:
    """Tells nobody."""

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
