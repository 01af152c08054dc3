"""The reports of a run while it trains, and their receiver: a terminal, a notebook, a test, or nobody."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inkgan.config import Config
from inkgan.errors import printable, quantity
from inkgan.images import Images

#: The losses that are shown, with their short names; see `inkgan help training`.
SHORT_NAMES = {"loss_discriminator": "D", "loss_real": "D real", "loss_fake": "D fake", "loss_generator": "G"}
#: Below this size an estimate says nothing: a probability of 0.475 to 0.525.
_UNDECIDED = 0.1
#: From here on, figures are written as powers of ten: a run that has blown up would push all else out of its line.
_LARGE = 1e5


@dataclass(frozen=True)
class StepProgress:
    """The progress of a run after a step.

    Attributes:
        step: the step that was just done; negative during pre-training.
        steps: the run's total of joint steps; None if its length is given in seconds.
        seconds: the time that the run has trained.
        seconds_total: its length in seconds; None if it is given in steps.
        steps_per_second: the speed of the last steps; 0 if it is not known yet.
        terms: the step's losses and figures by name.
    """

    step: int
    steps: int | None
    seconds: float
    seconds_total: float | None
    steps_per_second: float
    terms: dict[str, float]

    @property
    def position(self) -> str:
        """The step and the total, such as ``step 100/1800``."""
        if self.step < 0:
            return f"pre-training, {quantity(-self.step - 1, 'step')} left"
        return f"step {self.step}" if self.steps is None else f"step {self.step}/{self.steps}"

    @property
    def fraction_done(self) -> float:
        """The fraction of the run's joint steps, or of its seconds, that is done."""
        if self.steps is not None:
            return max(0, self.step + 1) / self.steps
        return self.seconds / self.seconds_total if self.seconds_total else 0.0

    @property
    def losses(self) -> str:
        """The losses, such as ``D 1.163  G 1.357``."""
        return "  ".join(f"{SHORT_NAMES[name]} {as_figure(x)}" for name, x in self.terms.items() if name in SHORT_NAMES)

    @property
    def comparison(self) -> str:
        """The comparison of pairs, such as ``margin +0.53, 71% in order``; empty for recipes without pairs."""
        if "margin" not in self.terms:
            return ""
        return f"margin {as_figure(self.terms['margin'], '+', 2)}, {self.terms['pairs_in_order']:.0%} in order"

    @property
    def speed(self) -> str:
        """The speed, such as ``3.0 steps/s``; empty if it is not known yet."""
        return f"{self.steps_per_second:.1f} steps/s" if self.steps_per_second else ""

    @property
    def time_left(self) -> str:
        """The time left, such as ``0:00:18 left``; empty if it is not known yet."""
        if self.seconds_total is not None:
            return f"{as_clock(self.seconds_total - self.seconds)} left"
        if self.steps is None or not self.steps_per_second:
            return ""
        return f"{as_clock((self.steps - self.step - 1) / self.steps_per_second)} left"

    def line(self, *more: str) -> str:
        """Return all that is known, in one line, with ``more`` after the losses and the comparison."""
        words = [self.position, self.losses, self.comparison, *more, self.speed, self.time_left]
        return "  ".join(word for word in words if word)


@dataclass(frozen=True)
class Opinion:
    """The discriminator's opinion of a generated image. Either ``estimate`` or ``margin`` is given.

    Attributes:
        estimate: the image's logit, above 0 if the discriminator takes the image for real; None with losses whose
            logits have no zero.
        margin: the logit of a real image minus that of this image, above 0 if the discriminator finds the real image
            more real; None with losses whose logits have a zero.
        same_class: whether that real image has the same class; without labels, it may be any image.
    """

    estimate: float | None = None
    margin: float | None = None
    same_class: bool = True

    def __str__(self) -> str:
        """Return the opinion in few words, such as ``estimate -2.17`` or ``picture's margin +1.20``."""
        return self._figure if self.margin is None else f"picture's {self._figure}"

    @property
    def _figure(self) -> str:
        name, value = ("estimate", self.estimate) if self.margin is None else ("margin", self.margin)
        return f"{name} {as_figure(value or 0.0, '+', 2)}"

    @property
    def sentence(self) -> str:
        """The opinion as a sentence."""
        said = "the discriminator cannot tell"  # if the value is NaN, too
        if self.estimate is not None and abs(self.estimate) >= _UNDECIDED:
            said = f"the discriminator takes this for {'real' if self.estimate > 0 else 'generated'}"
        elif self.margin is not None and not math.isnan(self.margin):
            other = "a real image of its class" if self.same_class else "a real image"
            said = f"to the discriminator this looks {'less' if self.margin > 0 else 'more'} real than {other}"
        return f"{said} ({self._figure})"


@dataclass(frozen=True)
class Result:
    """The result of a run.

    Attributes:
        folder: the run folder.
        step: the number of joint steps done in all; in pre-training, minus the number of its steps that are left.
        seconds: the time that the run has trained in all.
        complete: whether it reached its end; else it can be resumed.
        sheet: the picture of the final images; None if the run is not complete or it could not be written.
    """

    folder: Path
    step: int
    seconds: float
    complete: bool
    sheet: Path | None


def at_step(step: int, word: str = "at") -> str:
    """Return the words for a place in a run: ``at step 5``, or ``100 steps before the end of pre-training``."""
    return f"{word} step {step}" if step >= 0 else f"{quantity(-step, 'step')} before the end of pre-training"


class Watcher:
    """Receives the reports of a run, and ignores them: derive a class and override the methods that you need.

    Every method should return at once, because the run waits for it. An exception from a method ends the run.
    """

    def preparing(self, doing: str, done: float) -> None:
        """A task that may take long runs before the first step; ``done`` is its progress, 0 to 1."""

    def started(self, folder: Path, config: Config, about: dict[str, Any], first_step: int) -> None:
        """The run in ``folder`` is about to do ``first_step``; again each time that it goes back to be healed.

        ``about`` has the versions and the machine, as in environment.json.
        """

    def warn(self, message: str) -> None:
        """Something is wrong, but the run goes on."""

    def picture(self, progress: StepProgress | None, image: Images, opinion: Opinion) -> None:
        """A generated image uint8 [H, W, C] is ready to be shown; ``progress`` is None before the first step."""

    def fixed(self, images: Images) -> None:
        """The first fixed latents were drawn again: images uint8 [N, H, W, C], always of the same latents."""

    def verdict(self, finding: str | None) -> None:
        """The doctor has looked; ``finding`` is its verdict in one sentence, None while it finds nothing."""

    def stepped(self, progress: StepProgress) -> None:
        """A step was done; called for steps that are logged, shown or examined, and otherwise about once a second."""

    def logged(self, step: int, figures: Mapping[str, float]) -> None:
        """A line went to metrics.jsonl: losses, the doctor's signals or measured quality, by name.

        A step may have several lines.
        """

    def ended(self, result: Result) -> None:
        """The run has reached its end or its ``stop_at``, and everything is saved."""


def introduction(config: Config, about: dict[str, Any], first_step: int) -> str:
    """Introduce a run in one line; the arguments are those of :meth:`Watcher.started`."""
    length = quantity(config.seconds or 0, "second", "g") if config.steps is None else quantity(config.steps, "step")
    beginning = "training" if first_step == -config.pretraining_steps else f"resuming {at_step(first_step)}:"
    where = f"{about['device']}, {quantity(about['threads'], 'thread')}, {about['precision']}"
    return f"{beginning} {config.recipe} on {printable(config.data.name)} for {length}, seed {config.seed}; {where}"


def as_figure(value: float, sign: str = "", decimals: int = 3) -> str:
    """Write a loss or a margin, a very large one as a power of ten; ``sign`` is empty or ``+``."""
    return f"{value:{sign}.{decimals}f}" if abs(value) < _LARGE else f"{value:{sign}.2e}"


def as_clock(seconds: float) -> str:
    """Write a time in seconds as ``0:01:05``."""
    return str(datetime.timedelta(seconds=max(0, round(seconds))))
