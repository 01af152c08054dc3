"""What a run's losses say about its health."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import tiny_runs as runs
from inkgan.config import Config, resolve
from inkgan.training.doctor import BLOWN_UP, Symptoms, remedy
from inkgan.training.losses import ADVERSARIAL_LOSSES
from inkgan.training.watching import Silent

_HIGH, _LOW = {"loss_generator": -2 * BLOWN_UP}, {"loss_generator": 3.0}


def seen(*terms: dict[str, float]) -> list[bool]:
    """At which of the steps something new is found."""
    symptoms = Symptoms()
    return [symptoms.look(step, one) for step, one in enumerate(terms)]


def test_losses_that_stay_high_are_told_once() -> None:
    """Five logged steps in a row, whatever the sign, are told once; and again after a recovery."""
    assert seen(*[_HIGH] * 8) == [False] * 4 + [True] + [False] * 3
    assert seen(*[_HIGH] * 6, _LOW, *[_HIGH] * 5) == [False] * 4 + [True] + [False] * 6 + [True]


def test_what_is_no_illness() -> None:
    """A spike, large penalties and scores, and steps without losses are not told."""
    assert not any(seen(*([_HIGH] * 4 + [_LOW]) * 3))
    assert not any(seen(*[{"penalty": 1e9, "score_real": 1e9, "loss_real": 1.0}] * 9))
    assert not any(seen(*[{}] * 9))


def test_the_worst_loss_is_named() -> None:
    """The sentence has the step, the loss and its value."""
    symptoms = Symptoms()
    for step in range(50, 55):
        symptoms.look(step, {"loss_generator": 2000.0, "loss_real": 3e6})
    assert symptoms.found
    assert re.search(r"step 54 loss_real is 3e\+06", symptoms.found)


@pytest.mark.parametrize(
    ("overrides", "said", "tried"),
    [
        ((), "may be too high", {"discriminator": 0.001, "generator": 0.001}),
        (("discriminator.learning_rate=0.3",), "the discriminator's is 0.3, usual is 0.003", {"discriminator": 0.003}),
        (("recipe=best", "generator.learning_rate=0.02"), "generator's is 0.02, usual is 0.002", {"generator": 0.002}),
        (
            ("generator.learning_rate=0.3", "discriminator.learning_rate=3"),
            "discriminator's is 3, usual is 0.003 and the generator's is 0.3",
            {"discriminator": 0.003, "generator": 0.003},
        ),
    ],
)
def test_the_remedy_can_be_typed(overrides: tuple[str, ...], said: str, tried: dict[str, float]) -> None:
    """What was raised is named beside what is usual; what is proposed is understood."""
    text = remedy(resolve(overrides=overrides))
    assert said in text
    proposed: Config = resolve(overrides=re.findall(r"--set (\S+[^\s;.])", text))
    assert {name: getattr(proposed, name).learning_rate for name in tried} == tried
    assert text.count("--set") == len(tried)
    assert "`inkgan help training`" in text


class _Listener(Silent):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, message: str) -> None:
        self.warnings.append(message)


@pytest.mark.parametrize(("factor", "times"), [(1.0, 0), (1e5, 2)])
def test_a_run_warns(
    tmp_path: Path, small_data: Path, monkeypatch: pytest.MonkeyPatch, factor: float, times: int
) -> None:
    """A run that blows up says so when it does and when it ends; a sound one says nothing."""
    game = ADVERSARIAL_LOSSES["non-saturating"]
    blown_up = game._replace(discriminator=lambda real, fake: factor * game.discriminator(real, fake))
    monkeypatch.setattr("inkgan.training.compact.ADVERSARIAL_LOSSES", {"relativistic": blown_up})
    listener = _Listener()
    options: dict[str, Any] = {"watcher": listener}
    assert runs.train(tmp_path / "run", small_data, **options).complete
    assert [bool(re.search("blown up.*learning rate", warning)) for warning in listener.warnings] == [True] * times
