"""What a run's losses say about its health, in words for who trains a GAN for the first time."""

from __future__ import annotations

from collections.abc import Mapping

from inkgan.config import Config, validated

#: Between the losses of sound runs and of others: in 120 steps of each game, 31 at most with the usual learning rates,
#: and 100,000 and more with a hundred times those.
BLOWN_UP = 1000.0
#: For so many logged steps in a row; a lone spike is no illness.
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
        """Take notice of the terms of a step; whether something is found that was not so at the step before."""
        sizes = {name: abs(value) for name, value in terms.items() if name.startswith("loss_")}
        worst = max(sizes, key=sizes.__getitem__, default="")
        self._high = self._high + 1 if sizes.get(worst, 0.0) > BLOWN_UP else 0
        if self._high < _PATIENCE:
            self.found = None
            return False
        said, self.found = self.found, f"at step {step} {worst} is {terms[worst]:.3g}: the training has blown up"
        return said is None


def remedy(config: Config) -> str:
    """What to do about losses that blow up: the likely cause, what to try, and where to read more."""
    usual = validated({"recipe": config.recipe})
    names = ("discriminator", "generator")
    rates = {name: getattr(config, name).learning_rate for name in names}
    raised = {name: own for name in names if rates[name] > (own := getattr(usual, name).learning_rate)}
    if raised:
        above = " and ".join(f"the {name}'s, {rates[name]:g} where {own:g} is usual" for name, own in raised.items())
        cause = f"The likely cause is a learning rate that is too high: {above}"
    else:
        cause = "A learning rate may be too high"
    tries = " ".join(f"--set {name}.learning_rate={raised.get(name, rates[name] / 3):.2g}" for name in raised or names)
    return f"{cause}. Start anew with {tries}; more in docs/training.md, 'When it goes wrong'."
