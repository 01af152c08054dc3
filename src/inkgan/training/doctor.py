"""What a run's losses say about its health, in words for people who train a GAN for the first time."""

from __future__ import annotations

from collections.abc import Mapping

from inkgan.config import Config, validated

#: Between the losses of healthy runs and those of others: in 120 steps with each loss, healthy ones reach 31 at most,
#: and those with a hundred times the usual learning rates 100,000 and more.
BLOWN_UP = 1000.0
#: For so many logged steps in a row; a single spike is harmless.
_PATIENCE = 5


class Symptoms:
    """Looks at one logged step after another.

    Attributes:
        found: what is wrong at present, in one sentence; None if nothing is.
    """

    def __init__(self) -> None:
        self.found: str | None = None
        self._high = 0

    def look(self, step: int, terms: Mapping[str, float]) -> bool:
        """Look at the losses and scores of a step; whether something is wrong that was not wrong at the step before."""
        sizes = {name: abs(value) for name, value in terms.items() if name.startswith("loss_")}
        worst = max(sizes, key=sizes.__getitem__, default="")
        self._high = self._high + 1 if sizes.get(worst, 0.0) > BLOWN_UP else 0
        if self._high < _PATIENCE:
            self.found = None
            return False
        is_new = self.found is None
        self.found = f"at step {step} {worst} is {terms[worst]:.3g}: the training has blown up"
        return is_new


def remedy(config: Config) -> str:
    """What to do about losses that blow up: the likely cause, what to try, and where to read more."""
    usual = validated({"recipe": config.recipe})
    names = ("discriminator", "generator")
    rates = {name: getattr(config, name).learning_rate for name in names}
    usual_rates = {name: getattr(usual, name).learning_rate for name in names}
    raised = [name for name in names if rates[name] > usual_rates[name]]
    if raised:
        which = " and ".join(f"the {name}'s is {rates[name]:g}, usual is {usual_rates[name]:g}" for name in raised)
        cause = f"A learning rate is probably too high: {which}"
    else:
        cause = "A learning rate may be too high"
    lower = {name: usual_rates[name] if name in raised else rates[name] / 3 for name in raised or names}
    tries = " ".join(f"--set {name}.learning_rate={rate:.2g}" for name, rate in lower.items())
    return f"{cause}. Start again with {tries}; `inkgan help training` says more."
