"""The doctor's rules. Each has a signal, the side of its threshold that is ill, a patience, and a remedy.

Every rule is a pure function of one line of ``metrics.jsonl`` and the run's settings. Some thresholds are known without
measuring and are set here. The others are in ``thresholds.json``, which ``benchmarks/doctor.py`` makes from healthy
runs and from runs with planted faults; docs/doctor.md has its table.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from inkgan.config import Config, resolve

#: The values that were logged at a step, by name; the names of the probe's signals begin with ``doctor/``.
Line = Mapping[str, float]

#: The discriminator's own classifier must know held-out images this well before it judges generated ones.
_KNOWS = 0.55
#: A remedy that is applied three times, as often as healing does, divides a learning rate by 27.
_MOST_SLOWED = 30
#: The batch size that a remedy proposes; smaller batches do not help.
_SMALL_BATCH = 16
#: The prefix of the signals of the previous look.
BEFORE = "before/"
#: The prefix of the signals that say which class each class looks like.
DRAWN_AS = "drawn_as_"
#: The value of such a signal if the class looks like none.
UNCLEAR = -1.0
#: Lower bounds for the divisors in :func:`lead`. They keep it finite, and keep equal images, which are another illness,
#: from enlarging it.
_LEAST_SPREAD = 0.05
_LEAST_CHANGE = 1e-12
#: With a shorter half-life than the recipes have, a generator that learns may be near its average, too.
_SHORTEST_HALF_LIFE = 0.05


class Remedy(NamedTuple):
    """Settings to try, advice, or both.

    Attributes:
        settings: settings for a new run, as ``--set`` takes them.
        advice: one sentence of advice if settings alone do not help.
    """

    settings: tuple[str, ...] = ()
    advice: str = ""

    def __str__(self) -> str:
        """Return sentences such as ``Start again with --set penalty.weight=0.3.``."""
        tries = " ".join(f"--set {setting}" for setting in self.settings)
        return " ".join(part for part in (f"Start again with {tries}." if tries else "", self.advice) if part)


@dataclass(frozen=True)
class Rule:
    """One sign of an illness.

    Attributes:
        name: also the anchor in docs/doctor.md and the key in ``thresholds.json``.
        title: the illness in a few words.
        value: the value to judge, from a line and the settings; None if the line lacks it.
        sentence: the description of the illness; the words in braces are ``value`` and those of :func:`words`.
        remedy: the settings or the advice to try, from a line and the settings.
        above: whether values above the threshold are ill; else, those below it.
        grace: the first step that is judged, since early in training everything looks ill.
        patience: the number of values in a row that must be ill.
        any_recipe: whether the threshold holds for all runs, not only for ``fast`` and ``best`` with ``compact``.
        threshold: the threshold if it is known without measuring; else ``thresholds.json`` has it.
        healable: whether a run may stay well if it goes back to an earlier checkpoint and continues with the remedy's
            settings.
    """

    name: str
    title: str
    value: Callable[[Line, Config], float | None]
    sentence: str
    remedy: Callable[[Line, Config], Remedy]
    above: bool = True
    grace: int = 50
    patience: int = 3
    any_recipe: bool = False
    threshold: float | None = None
    healable: bool = False

    def is_ill(self, value: float, threshold: float) -> bool:
        """Whether one value is on the wrong side of the threshold."""
        return value > threshold if self.above else value < threshold

    def applies_to(self, config: Config) -> bool:
        """Whether the threshold holds for a run with these settings."""
        return self.any_recipe or (config.recipe != "tutorial" and config.network == "compact")


# Learning rates, from the settings


def learning_rates(config: Config) -> dict[str, float]:
    """Return the learning rates of a run by setting."""
    return {f"{name}.learning_rate": getattr(config, name).learning_rate for name in ("discriminator", "generator")}


@cache  # the doctor asks for every line, and resolving takes longer than all else that it does
def usual_rates(recipe: str) -> dict[str, float]:
    """Return the learning rates of a recipe by setting."""
    return learning_rates(resolve(overrides={"recipe": recipe}))


def _most_unusual_rate(config: Config) -> tuple[str, float]:
    """Return the setting of the learning rate that is farthest from the recipe's own, and the rate divided by that."""
    usual = usual_rates(config.recipe)
    ratios = {key: rate / usual[key] for key, rate in learning_rates(config).items()}
    return max(ratios.items(), key=lambda item: max(item[1], 1 / item[1]))


def _changed_rates(config: Config, slowed: str = "") -> dict[str, float]:
    """Return the recipe's own value of each learning rate that the run has changed.

    Args:
        config: the settings.
        slowed: the network that the remedy slows down. A lower rate than usual may come from the same remedy, so that
            does not count.
    """
    changed = {}
    rates = learning_rates(config)
    for key, usual in usual_rates(config.recipe).items():
        was_slowed = key.startswith(f"{slowed}.") and usual / _MOST_SLOWED <= rates[key] < usual
        if rates[key] != usual and not was_slowed:
            changed[key] = usual
    return changed


def _raised_rates(config: Config) -> dict[str, float]:
    """Return the recipe's own value of each learning rate that the run has raised."""
    rates = learning_rates(config)
    return {key: usual for key, usual in _changed_rates(config).items() if rates[key] > usual}


# Values to judge, from a line and the settings; None if the line lacks them


def _signal(*names: str, choose: Callable[..., float | None] = min) -> Callable[[Line, Config], float | None]:
    """Return a function that reads a signal of the probe, or chooses one of several that it may have."""

    def value(line: Line, _config: Config) -> float | None:
        found = [line[f"doctor/{name}"] for name in names if f"doctor/{name}" in line]
        return choose(found, default=None)

    return value


def _of_known_classes(name: str) -> Callable[[Line, Config], float | None]:
    """Return a function that reads a signal about classes, if the discriminator's own classifier knows them."""
    return lambda line, _config: line.get(f"doctor/{name}") if line.get("doctor/classes_known", 0.0) >= _KNOWS else None


def _losses(line: Line) -> dict[str, float]:
    """Return the absolute value of each loss."""
    return {name: abs(value) for name, value in line.items() if name.startswith("loss_")}


def largest_loss(line: Line, _config: Config) -> float | None:
    """Return the largest absolute value of a loss."""
    return max(_losses(line).values(), default=None)


def not_finite(line: Line, _config: Config) -> float | None:
    """Return 1 at a step at which a loss or a gradient was not finite, and 0 at every other step."""
    if not all(math.isfinite(value) for name, value in line.items() if name.startswith(("loss_", "gradient_"))):
        return 1.0  # other programs, which do not stop at such a step, log the value itself
    is_of_a_step = "loss_discriminator" in line or "loss_real" in line  # not a measurement of quality
    return line.get("not_finite", 0.0 if is_of_a_step else None)


def from_average(line: Line, config: Config) -> float | None:
    """Return how far the generator is from its average; None if it may be near that while it learns."""
    return line.get("doctor/from_average") if config.ema_half_life >= _SHORTEST_HALF_LIFE else None


def lead(line: Line, config: Config) -> float | None:
    """Return the discriminator's lead over the generator: ``separation / (spread² · change)``.

    Early in training, a healthy discriminator also tells real from generated images with ease. But then the generator
    learns from it: its images differ from each other (spread), and from those of its average (change). The square tells
    healthy and ill runs apart more clearly.
    """
    apart, spread, change = line.get("doctor/separation"), line.get("doctor/spread"), from_average(line, config)
    if apart is None or spread is None or change is None:
        return None
    return max(0.0, apart) / (max(spread, _LEAST_SPREAD) ** 2 * max(change, _LEAST_CHANGE))


def memory(line: Line, _config: Config) -> float | None:
    """Return the mean of ``memory`` at this look and the one before it, since a single one depends on chance."""
    now, before = line.get("doctor/memory"), line.get(f"{BEFORE}doctor/memory")
    return None if now is None or before is None else (now + before) / 2


class _Turned(NamedTuple):
    """A class that looks like another class than itself, and than one look before."""

    number: float
    into: float


def _turned(line: Line) -> tuple[list[_Turned], int]:
    """Return the classes that have turned into others since the look before, and the number of classes compared."""
    found, compared = [], 0
    for name, now in line.items():
        number, before = name.removeprefix(f"doctor/{DRAWN_AS}"), line.get(f"{BEFORE}{name}")
        if before is None or not number.isdecimal():
            continue
        compared += 1
        if now > UNCLEAR and now not in (float(number), before):
            found.append(_Turned(float(number), now))
    return found, compared


def turned(line: Line, config: Config) -> float | None:
    """Return the share of classes that have turned into others since the look before; 0 if it is a single class.

    A class that is drawn as another one for good is a different illness. With several updates of the discriminator a
    step, its classifier may change its mind in healthy runs, too, so it is not asked.
    """
    found, compared = _turned(line)
    if not compared or config.critic_steps > 1:
        return None
    return len(found) / compared if len(found) > 1 else 0.0


def far_from_usual(_line: Line, config: Config) -> float | None:
    """Return the factor, up or down, between a learning rate and the recipe's own: the larger of both networks'."""
    _, ratio = _most_unusual_rate(config)
    return max(ratio, 1 / ratio)


# Remedies, from a line and the settings


def lower_rates(_line: Line, config: Config) -> Remedy:
    """Lower learning rates to the recipe's own where they are above; if none is, to a third."""
    rates, raised = learning_rates(config), _raised_rates(config)
    lower = raised or {key: rate / 3 for key, rate in rates.items()}
    which = " and ".join(
        f"the {key.partition('.')[0]}'s is {rates[key]:g}, usual is {usual:g}" for key, usual in raised.items()
    )
    cause = f"A learning rate is probably too high: {which}." if raised else "A learning rate may be too high."
    return Remedy(_settings(lower), cause)


def reset_game_settings(_line: Line, config: Config) -> Remedy:
    """Go back to the recipe's own learning rates and penalty; if the run has them, weaken the discriminator."""
    tries = _changed_rates(config, slowed="discriminator")
    weight = resolve(overrides={"recipe": config.recipe, "loss": config.loss}).penalty.weight
    # Penalty weights of earlier versions refer to another range of pixels, so they cannot be compared.
    if config.penalty.pixels == "-1..1" and config.penalty.weight < weight:
        tries["penalty.weight"] = weight
    weaker = {
        "discriminator.learning_rate": config.discriminator.learning_rate / 3,
        "penalty.weight": 3 * config.penalty.weight,
    }
    return Remedy(_settings(tries or weaker))


def stronger_discriminator(_line: Line, config: Config) -> Remedy:
    """Go back to the recipe's own learning rates; if the run has them, slow the generator down."""
    slower = {"generator.learning_rate": config.generator.learning_rate / 3}
    return Remedy(_settings(_changed_rates(config, slowed="generator") or slower))


def usual_learning_rates(_line: Line, config: Config) -> Remedy:
    """Go back to the recipe's own learning rates; if the run has them, to its other settings."""
    changed = _changed_rates(config)
    other = "The learning rates are the recipe's own: leave out other settings."
    return Remedy(_settings(changed), "" if changed else other)


def check_own_step(_line: Line, config: Config) -> Remedy:
    """Lower learning rates that are above the recipe's own; if none is, look for a mistake in the user's own code."""
    raised = _raised_rates(config)
    if raised:
        return Remedy(_settings(raised), "If that does not help: does a step of your own code drop the latent?")
    return Remedy(
        advice="The settings of the recipe do not do this: look for the step of your own code that drops the latent, "
        "and lower the learning rates if there is none."
    )


def smaller_batches(line: Line, config: Config) -> Remedy:
    """Reduce larger batches to 16 images, if there are 16 and slices divide them; more training images help anyway."""
    images = line["doctor/batches_in_an_epoch"] * config.batch_size  # a whole number, but for rounding
    if config.batch_size <= _SMALL_BATCH or images < _SMALL_BATCH - 0.5 or _SMALL_BATCH % config.slices:
        return Remedy(advice="Add training images.")
    return Remedy((f"batch_size={_SMALL_BATCH}",), "Better: more training images.")


def _settings(tries: Mapping[str, float]) -> tuple[str, ...]:
    return tuple(f"{key}={value:.2g}" for key, value in tries.items())


def _advice(text: str) -> Callable[[Line, Config], Remedy]:
    return lambda _line, _config: Remedy(advice=text)


# Sentences


def words(line: Line, config: Config, class_names: Sequence[str]) -> dict[str, Any]:
    """Return the words for sentences about a line: the probe's signals, class names, and figures derived from them.

    Args:
        line: the values that were logged at a step.
        config: the run's settings at that step.
        class_names: the names of the classes; a class without a name is called by its number.
    """

    def name_of(number: float) -> str:
        return repr(class_names[int(number)]) if 0 <= number < len(class_names) else f"number {number:.0f}"

    losses = _losses(line)
    largest = max(losses, key=losses.__getitem__, default=None)
    of_a_class = " of a class" if class_names and config.conditional else ""
    found: dict[str, Any] = {"unusual_rate": _unusual_rate(config), "largest_loss": largest, "of_a_class": of_a_class}
    for name, value in line.items():
        if name.startswith("doctor/"):
            is_class = name.endswith(("_class", "_as"))
            found[name.removeprefix("doctor/")] = name_of(value) if is_class else value
    for one in _turned(line)[0][:1]:
        found |= {"turned_class": name_of(one.number), "turned_into": name_of(one.into)}
    return found


def _unusual_rate(config: Config) -> str:
    """Return which network's learning rate is farthest from the recipe's own, and by what factor."""
    key, ratio = _most_unusual_rate(config)
    factor = f"{ratio:,.0f} times" if ratio > 1 else f"1/{1 / ratio:,.0f} of"
    return f"the {key.partition('.')[0]}'s learning rate is {learning_rates(config)[key]:g}, {factor} the recipe's own"


#: The training loop itself finds this illness, too, at a step whose losses are never logged.
NOT_FINITE = Rule(
    "not-finite",
    "a loss or gradient is not finite",
    not_finite,
    "a loss or a gradient is not finite, so the training has diverged",
    lower_rates,
    grace=-(10**9),
    patience=1,
    any_recipe=True,
    threshold=0.5,  # between no and yes
    healable=True,
)

RULES: tuple[Rule, ...] = (
    NOT_FINITE,
    Rule(
        "blown-up",
        "the training has blown up",
        largest_loss,
        "{largest_loss} is {value:.3g}: the training has blown up",
        lower_rates,
        grace=-(10**9),
        patience=5,
        any_recipe=True,
        healable=True,
    ),
    Rule(
        "discriminator-wins",
        "the discriminator has won",
        lead,
        "the logits of real and of generated images lie {separation:.1f} standard deviations apart, and the generator "
        "hardly changes any more: the discriminator has won",
        reset_game_settings,
    ),
    Rule(
        "discriminator-lost",
        "the discriminator has lost",
        _signal("order_held_out"),
        "the discriminator finds the real image more real in {value:.0%} of pairs, and 50% is guessing: it has lost, "
        "and its feedback misleads the generator",
        stronger_discriminator,
        above=False,
    ),
    Rule(
        "standing-still",
        "the generator does not learn",
        from_average,
        "the generator is its own average (their images differ by {value:.1e}): it does not learn any more",
        usual_learning_rates,
        above=False,
    ),
    Rule(
        "collapsed",
        "the generator has collapsed",
        _signal("spread", "spread_average", choose=min),
        "the images{of_a_class} differ {value:.1%} as much as real ones: the generator has collapsed to few images",
        reset_game_settings,
        above=False,
        healable=True,
    ),
    Rule(
        "identical",
        "different latents give the same image",
        _signal("identical"),
        "{value:.0%} of the fixed latents give the same image as another one",
        check_own_step,
    ),
    Rule(
        "class-dropped",
        "a class is not drawn",
        _of_known_classes("rarest"),
        "class {rarest_class} is drawn {value:.2f} times as often as it is asked for",
        _advice("Check whether this class has training images and they are labelled correctly: inkgan data check."),
        above=False,
    ),
    Rule(
        "class-swollen",
        "a class is drawn too often",
        _of_known_classes("drawn_instead"),
        "class {drawn_instead_class} is drawn instead of others, {value:.1f} times as often as it is asked for",
        _advice("Check whether the labels of the training images are right: inkgan data check."),
    ),
    Rule(
        "class-wrong",
        "a class is drawn as another one",
        _of_known_classes("drawn_wrongly"),
        "{value:.0%} of what is asked for as class {drawn_wrongly_class} is drawn as class {drawn_wrongly_as}",
        _advice("The labels that the generator gets are not those of the images it is compared with."),
    ),
    Rule(
        "other-range",
        "real and generated pixels have different ranges",
        _signal("range"),
        "the pixel ranges of real and of generated images differ by {value:.2f}, and both should be 0 to 1",
        _advice("Images that a recipe gets are in [0, 1]; look where yours are scaled."),
    ),
    Rule(
        "dark-ink",
        "the paper is learned as ink",
        _signal("dark_ink"),
        "the training images are dark ink on light paper, and are learned as negatives",
        lambda _line, _config: Remedy(("data.ink=auto",)),
        grace=0,
        any_recipe=True,
    ),
    Rule(
        "memorising",
        "the discriminator memorises its training images",
        memory,
        "the discriminator finds a training image more real than a held-out one in {value:.0%} of pairs, and 50% is "
        "guessing: it memorises its training images",
        _advice("Add training images, or train for fewer steps; ten times the penalty did not help in trials."),
        patience=1,
    ),
    Rule(
        "oscillating",
        "the classes come and go",
        turned,
        "classes come and go: {value:.0%} of the classes have turned into others since the look before, such as "
        "{turned_class} into {turned_into}",
        reset_game_settings,
        patience=1,
        healable=True,
    ),
    Rule(
        "stuck-units",
        "units are stuck on one side of zero",
        _signal("stuck_generator", "stuck_discriminator", choose=max),
        "{value:.0%} of the units of one network's convolutions always stay on one side of zero, so they are linear",
        _advice(
            "Such units do not come back. Start again, with lower learning rates if the run has blown up before, and "
            "look at the biases that your own code starts from."
        ),
    ),
    Rule(
        "learning-rate",
        "a learning rate is far from usual",
        far_from_usual,
        "{unusual_rate}",
        usual_learning_rates,
        grace=0,
        patience=1,
        any_recipe=True,
    ),
    Rule(
        "few-images",
        "the training images fill few batches",
        _signal("batches_in_an_epoch"),
        "all training images fill {value:.1f} batches, so every step sees much the same",
        smaller_batches,
        above=False,
        patience=1,
        any_recipe=True,
    ),
)
