"""The doctor on series of signals: what it finds ill, when it reports it, and what it proposes to try."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # type: ignore[import-untyped]

import tiny_runs as runs
from inkgan import cli
from inkgan.config import Config, resolve
from inkgan.config.schema import CHANGEABLE
from inkgan.errors import ConfigError
from inkgan.runs import metrics
from inkgan.runs.folder import RunFolder
from inkgan.training.doctor import Doctor, judged, read_thresholds, rules
from inkgan.training.doctor.judgement import Finding
from inkgan.training.doctor.rules import (
    RULES,
    Line,
    Remedy,
    Rule,
    check_own_step,
    lower_rates,
    reset_game_settings,
    smaller_batches,
    stronger_discriminator,
)
from inkgan.training.losses import ADVERSARIAL_LOSSES
from inkgan.training.recorder import Recorder
from refusals import refusal

_BY_NAME = {rule.name: rule for rule in RULES}
_CONFIG = resolve()

#: The signals of a healthy run at every look.
HEALTHY = {
    "loss_discriminator": 0.6,
    "loss_generator": 0.8,
    "doctor/separation": 1.0,
    "doctor/order_held_out": 0.75,
    "doctor/from_average": 0.1,
    "doctor/spread": 0.7,
    "doctor/spread_average": 0.6,
    "doctor/identical": 0.0,
    "doctor/classes_known": 0.9,
    "doctor/rarest": 0.8,
    "doctor/rarest_class": 3.0,
    "doctor/drawn_instead": 0.1,
    "doctor/drawn_instead_class": 5.0,
    "doctor/drawn_wrongly": 0.1,
    "doctor/drawn_wrongly_class": 7.0,
    "doctor/drawn_wrongly_as": 1.0,
    **{f"doctor/drawn_as_{number}": float(number) for number in range(10)},
    "doctor/range": 0.01,
    "doctor/dark_ink": -1.0,
    "doctor/memory": 0.5,
    "doctor/stuck_generator": 0.0,
    "doctor/stuck_discriminator": 0.0,
    "doctor/batches_in_an_epoch": 900.0,
}
#: Changes that make it ill, by the rule that must find them.
ILL: dict[str, dict[str, float]] = {
    "not-finite": {"not_finite": 1.0},
    "blown-up": {"loss_generator": -1e9},
    "discriminator-wins": {"doctor/separation": 9.0, "doctor/spread": 0.1, "doctor/from_average": 0.003},
    "discriminator-lost": {"doctor/order_held_out": 0.0},
    "standing-still": {"doctor/from_average": 0.0, "doctor/separation": 0.0},
    "collapsed": {"doctor/spread": 1e-4},
    "identical": {"doctor/identical": 1.0},
    "class-dropped": {"doctor/rarest": 0.0},
    "class-swollen": {"doctor/drawn_instead": 9.9},
    "class-wrong": {"doctor/drawn_wrongly": 1.0},
    "other-range": {"doctor/range": 1.0},
    "dark-ink": {"doctor/dark_ink": 1.0},
    "memorising": {"doctor/memory": 1.0},
    "oscillating": {"doctor/classes_known": 0.1},
    "stuck-units": {"doctor/stuck_discriminator": 1.0},
    "few-images": {"doctor/batches_in_an_epoch": 0.5},
}


def series(*changes: dict[str, float], every: int = 30) -> list[dict[str, float]]:
    """Return the lines of a healthy run, each with a change."""
    return [{"step": every * number, **HEALTHY, **change} for number, change in enumerate(changes)]


def sick(name: str, count: int) -> list[dict[str, float]]:
    """Return what an ill run logs; if classes come and go, all of them look like another one at each look."""
    changes = [dict(ILL[name]) for _ in range(count)]
    if name == "oscillating":
        for number, change in enumerate(changes):
            change |= {f"doctor/drawn_as_{asked}": float(number % 3) for asked in range(10)}
    return changes


def found(lines: list[dict[str, float]], config: Config = _CONFIG) -> list[tuple[str, int]]:
    """Return the rules that find something in a series, each with its step."""
    doctor = Doctor(config)
    return [(one.rule.name, one.step) for line in lines for one in doctor.judge(int(line["step"]), line)]


def test_every_rule_is_tested() -> None:
    """Every rule that reads signals has its illness in ILL; the rule of learning rates reads settings."""
    assert {*ILL, "learning-rate"} == set(_BY_NAME), "give a line to ILL, and what is new of a healthy one to HEALTHY"


def test_a_healthy_series_is_healthy() -> None:
    """No rule finds anything, although every rule has judged."""
    doctor = judged(_CONFIG, series(*[{}] * 10))
    assert doctor.findings == []
    assert {one.rule.name: one.reason for one in doctor.diagnoses if one.state != "healthy"} == {}
    assert doctor.verdict is None


@pytest.mark.parametrize("name", ILL)
def test_each_rule_finds_its_illness(name: str) -> None:
    """Only that rule reports it, once, as soon as its patience is over, and notices the recovery."""
    rule = _BY_NAME[name]
    lines = series(*[{}] * 5, *sick(name, 8))
    assert found(lines) == [(name, 30 * (4 + rule.patience))]
    doctor = judged(_CONFIG, lines)
    assert [one.rule.name for one in doctor.findings] == [name]
    assert doctor.verdict == rule.title
    recovered = judged(_CONFIG, [*lines, *({"step": step, **HEALTHY} for step in (990, 1020))])  # a rule compares looks
    assert recovered.findings == []
    assert {one.rule.name for one in recovered.diagnoses if one.state == "was ill"} == {name}


def test_an_illness_that_comes_and_goes_is_told_once() -> None:
    """It is reported once; the state says whether it is present now."""
    lines = series(*[{}] * 3, *[*sick("collapsed", 3), {}] * 4)
    assert found(lines) == [("collapsed", 150)]
    assert judged(_CONFIG, lines).verdict is None
    assert judged(_CONFIG, lines[:-1]).verdict


@pytest.mark.parametrize("name", [name for name in ILL if _BY_NAME[name].patience > 1])
def test_a_short_illness_is_none(name: str) -> None:
    """An illness is not reported while it lasts one value less than the patience, however often it returns."""
    short = sick(name, _BY_NAME[name].patience - 1)
    assert found(series(*[{}] * 3, *[*short, {}] * 4)) == []


def test_an_illness_at_the_very_beginning_is_not_longer() -> None:
    """Patience counts from the first line, with no healthy values assumed before it."""
    assert found(series(*sick("blown-up", 4))) == []
    assert found(series(*sick("blown-up", 5))) == [("blown-up", 120)]


@pytest.mark.parametrize("name", [name for name in ILL if _BY_NAME[name].grace > 0])
def test_the_beginning_is_not_judged(name: str) -> None:
    """A rule does not judge during its grace: early in training everything looks ill."""
    rule = _BY_NAME[name]
    early = series(*sick(name, 10), every=rule.grace // 11)
    assert found(early) == []
    state = next(one for one in judged(_CONFIG, early).diagnoses if one.rule is rule)
    assert (state.state, bool(state.reason)) == ("not judged", True)


def test_the_average_does_not_hide_the_learner() -> None:
    """A collapse of either the learner or its average is found."""
    assert found(series(*[{}] * 3, *[{"doctor/spread_average": 1e-4}] * 3)) == [("collapsed", 150)]


@pytest.mark.parametrize(("half_life", "judges"), [(0.0, False), (0.04, False), (0.05, True)])
def test_a_short_average_does_not_say_whether_the_generator_learns(half_life: float, judges: bool) -> None:
    """Without an average, or with a shorter one than the recipes have, a generator that learns is near it, too."""
    config = resolve(overrides={"ema_half_life": half_life})
    near = {"doctor/from_average": 0.0, "doctor/separation": 9.0}
    doctor = judged(config, series(*[near] * 10))
    of_average = {"standing-still", "discriminator-wins"}
    assert {finding.rule.name for finding in doctor.findings} == (of_average if judges else set())
    assert {one.rule.name for one in doctor.diagnoses if one.reason} == (set() if judges else of_average)


@pytest.mark.parametrize(
    ("class_names", "conditional", "said"),
    [
        ("ab", True, "the images of a class differ 0.0% as"),
        ("ab", False, "the images differ"),
        ("", True, "the images differ"),
    ],
)
def test_a_run_without_labels_has_no_images_of_a_class(class_names: str, conditional: bool, said: str) -> None:
    config = resolve(overrides={"conditional": conditional})
    (finding,) = judged(config, series(*sick("collapsed", 8)), class_names).findings
    assert finding.sentence.startswith(said)


def test_classes_are_judged_by_a_classifier_that_knows_them() -> None:
    """If the discriminator cannot tell the classes of real images, its view of generated ones is ignored."""
    ignorant = {**ILL["class-dropped"], **ILL["class-swollen"], **ILL["class-wrong"], "doctor/classes_known": 0.3}
    assert found(series(*[ignorant] * 10)) == []


def test_one_class_that_stays_is_no_oscillation() -> None:
    """Equal looks do not oscillate, even if all classes look like one; that is another illness."""
    assert found(series(*sick("oscillating", 1) * 9)) == []


@pytest.mark.parametrize(("name", "said"), [("class-dropped", "'d'"), ("class-swollen", "'f'"), ("class-wrong", "'h'")])
def test_classes_are_called_by_their_names(name: str, said: str) -> None:
    """Findings name classes, not their indices."""
    (finding,) = judged(_CONFIG, series(*sick(name, 8)), "abcdefghij").findings
    assert said in finding.sentence


@pytest.mark.parametrize("number", [-1.0, -7e18, 1e300, math.nan])
def test_a_class_number_of_a_damaged_file(number: float) -> None:
    """It is shown as a number, and not taken for another class."""
    line = {**ILL["class-dropped"], "doctor/rarest_class": number}
    lines = [{"step": 30 * index, **HEALTHY, **line} for index in range(2, 9)]
    (finding,) = [one for one in judged(_CONFIG, lines, ["a", "b"]).findings if one.rule.name == "class-dropped"]
    assert finding.sentence.startswith(f"class number {number:.0f} is drawn")


def test_settings_of_a_recipe_are_not_resolved_for_each_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of the tutorial logs ten thousand lines, and whoever resumes or examines it waits for the doctor."""
    resolving = Mock(wraps=resolve)
    monkeypatch.setattr(rules, "resolve", resolving)
    judged(_CONFIG, series(*[{}] * 50))
    assert resolving.call_count <= 1


def test_the_same_offset_of_all_logits_changes_nothing() -> None:
    """No rule reads a score: in games without a zero, only differences of logits mean anything."""
    assert found(series(*[{"score_real": 0.999, "score_fake": 0.999}] * 10)) == []


def test_the_tutorial_is_judged_by_what_holds_everywhere() -> None:
    """Only the rules for any recipe judge it, because other thresholds were measured with compact recipes."""
    tutorial = resolve(overrides=["recipe=tutorial"])
    everything = {key: value for change in ILL.values() for key, value in change.items()}
    told = {name for name, _ in found(series(*[everything] * 10), tutorial)}
    assert told == {rule.name for rule in RULES if rule.any_recipe} - {"learning-rate"}


@pytest.mark.parametrize(("recipe", "network"), [("fast", "other"), ("best", "other"), ("tutorial", "compact")])
def test_thresholds_hold_for_what_they_were_measured_with(recipe: str, network: str) -> None:
    """Another recipe or network is judged only by the rules that hold everywhere."""
    config = _CONFIG.model_copy(update={"recipe": recipe, "network": network})
    judging = {rule.name for rule in RULES if rule.applies_to(config)}
    assert judging == {"not-finite", "blown-up", "dark-ink", "learning-rate", "few-images"}
    assert all(rule.applies_to(resolve(overrides=[f"recipe={name}"])) for rule in RULES for name in ("fast", "best"))


@pytest.mark.parametrize(
    ("overrides", "ill"),
    [((), False), (("generator.learning_rate=0.3",), True), (("discriminator.learning_rate=1e-5",), True),
     (("generator.learning_rate=6e-3", "discriminator.learning_rate=1e-3"), False)],
)  # fmt: skip
def test_learning_rates_are_compared_with_the_usual_ones(overrides: tuple[str, ...], ill: bool) -> None:
    """A rate far above or below the usual one is reported at the first logged step, for either network."""
    config = resolve(overrides=overrides)
    assert found(series({}), config) == ([("learning-rate", 0)] if ill else [])


@pytest.mark.parametrize(
    ("overrides", "said"),
    [(("generator.learning_rate=0.3",), "the generator's learning rate is 0.3, 100 times the recipe's own"),
     (("discriminator.learning_rate=3e-6",), "the discriminator's learning rate is 3e-06, 1/1,000 of the recipe's own"),
     (("generator.learning_rate=0.06", "discriminator.learning_rate=1e-4"),
      "the discriminator's learning rate is 0.0001, 1/30 of the recipe's own")],
)  # fmt: skip
def test_the_rate_that_is_farthest_from_usual_is_named(overrides: tuple[str, ...], said: str) -> None:
    """The sentence says which network's rate it is, the rate, and whether it is too high or too low."""
    (finding,) = judged(resolve(overrides=overrides), series({})).findings
    assert finding.sentence == said


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@pytest.mark.parametrize("overrides", [(), ("penalty.weight=0.0", "generator.learning_rate=1e-5"), ("recipe=best",)])
def test_remedies_can_be_typed(rule: Rule, overrides: tuple[str, ...]) -> None:
    """The proposed settings are valid and change something; a set that is read as light ink may be dark."""
    config = resolve(overrides=[*overrides, "data.ink=light"])
    remedy = rule.remedy(HEALTHY, config)
    assert str(remedy).endswith(".")
    assert (resolve(overrides=remedy.settings, base=config) != config) == bool(remedy.settings)


def test_what_can_be_healed_has_settings_to_continue_with() -> None:
    """A healable rule proposes settings that may change during a run, and the help names these rules."""
    page = Path(cli.__file__).with_name("topics").joinpath("doctor.md").read_text("utf-8")
    healing = page.partition("## Healing\n")[2].partition("\n## ")[0]
    for rule in RULES:
        assert rule.healable == (f"`{rule.name}`" in healing), rule.name
        if rule.healable:
            tried = {setting.partition("=")[0] for setting in rule.remedy(HEALTHY, _CONFIG).settings}
            assert tried, rule.name
            assert tried <= set(CHANGEABLE), rule.name


def test_a_penalty_of_an_earlier_version_is_not_called_weak() -> None:
    """Its weight is for pixels in another range: 0.1 there equals 0.4 here."""
    earlier = resolve(overrides=["penalty.pixels=0..1", "penalty.weight=0.1", "generator.learning_rate=0.1"])
    weak = resolve(overrides=["penalty.weight=0.1", "generator.learning_rate=0.1"])
    assert reset_game_settings({}, earlier).settings == ("generator.learning_rate=0.003",)
    assert reset_game_settings({}, weak).settings == ("generator.learning_rate=0.003", "penalty.weight=0.4")


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
def test_lower_rates(overrides: tuple[str, ...], said: str, tried: dict[str, float]) -> None:
    """The remedy names each raised rate and the usual one."""
    remedy = lower_rates({}, resolve(overrides=overrides))
    assert said in str(remedy)
    proposed: Config = resolve(overrides=remedy.settings)
    assert {name: getattr(proposed, name).learning_rate for name in tried} == tried
    assert str(remedy).count("--set") == len(tried)


@pytest.mark.parametrize(
    ("images", "batch", "said"),
    [
        (16, 17, "Start again with --set batch_size=16. Better: more"),
        (15, 17, "Add"),
        (40, 16, "Add"),
        (16, 4, "Add"),
        (-math.inf, 17, "Add"),
    ],
)
def test_batches_become_smaller_only_if_that_helps(images: float, batch: int, said: str) -> None:
    """Of 16 images or fewer already, or if there are not even 16, only more help; a damaged file is no obstacle."""
    config = resolve(overrides=[f"batch_size={batch}"])
    remedy = _BY_NAME["few-images"].remedy({"doctor/batches_in_an_epoch": images / batch}, config)
    assert str(remedy) == f"{said} training images."


def test_a_remedy_is_one_line() -> None:
    """Settings come first, as they are typed, then the advice; either may be missing."""
    assert str(Remedy(("a=1", "b=2"), "Look at c.")) == "Start again with --set a=1 --set b=2. Look at c."
    assert str(Remedy(("a=1",))) == "Start again with --set a=1."
    assert str(Remedy(advice="Look at c.")) == "Look at c."
    finding = Finding(_BY_NAME["collapsed"], 60, "all is equal", Remedy(advice="Look at c."))
    assert str(finding) == "at step 60 all is equal. Look at c. `inkgan help doctor` explains collapsed."
    assert str(replace(finding, remedy=Remedy())) == "at step 60 all is equal. `inkgan help doctor` explains collapsed."


@pytest.mark.parametrize("above", [True, False])
def test_a_value_on_the_line_is_healthy(above: bool) -> None:
    """Only values beyond the threshold are ill."""
    rule = replace(RULES[0], above=above)
    assert [rule.is_ill(value, 0.5) for value in (0.4, 0.5, 0.6)] == [not above, False, above]


def test_what_a_line_does_not_say_is_not_judged() -> None:
    """A rule skips lines without its signals, such as those of pictures or quality."""
    for name in ("blown-up", "not-finite", "collapsed", "stuck-units", "class-dropped", "oscillating"):
        assert _BY_NAME[name].value({"seconds": 1.0, "doctor/rarest": 0.9}, _CONFIG) is None
    for loss in ("loss_discriminator", "loss_real"):
        assert _BY_NAME["not-finite"].value({loss: 0.5}, _CONFIG) == 0
    for known, value in ((0.55, 0.2), (0.549, None)):
        line = {"doctor/rarest": 0.2, "doctor/classes_known": known}
        assert _BY_NAME["class-dropped"].value(line, _CONFIG) == value


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["loss_generator", "gradient_discriminator"])
def test_a_loss_that_is_not_finite_in_the_log_of_another_program(name: str, value: float) -> None:
    """A run of inkgan stops before it would log such a loss; others log it, and it is no sign of health."""
    assert ("not-finite", 30) in found(series({}, {name: value}))


def test_a_signal_that_is_not_a_number_is_not_judged() -> None:
    """NaN lies on neither side of a threshold."""
    doctor = judged(_CONFIG, series(*[{"doctor/separation": math.nan, "doctor/memory": math.nan}] * 10))
    states = {one.rule.name: one.state for one in doctor.diagnoses}
    assert states["memorising"] == "not judged"
    assert states["collapsed"] == "healthy"


def looks_like(*classes: float, prefix: str = "") -> dict[str, float]:
    """Return what a look logs if class i looks like class ``classes[i]``."""
    return {f"{prefix}doctor/drawn_as_{asked}": float(seen) for asked, seen in enumerate(classes)}


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ((0, 1, 2, 3), (1, 0, 2, 3), 0.5),
        ((0, 1, 2, 3), (1, 1, 2, 3), 0),  # a single class
        ((1, 0, 2, 3), (0, 1, 2, 3), 0),  # back to normal
        ((1, 1, 1, 1), (2, 2, 2, 2), 0.75),
        ((-1, -1, -1, -1), (0, 2, 3, -1), 0.5),
        ((0, 1, 2, 3), (-1, -1, -1, -1), 0),
        ((0, 1, 2, 3), (math.nan, math.inf, -9, 0), 0.5),  # a damaged file
        ((), (1, 0), None),
    ],
)
def test_classes_that_come_and_go(before: tuple[float, ...], now: tuple[float, ...], expected: float | None) -> None:
    """The share counts of those that look like another class than themselves, and than at the look before."""
    line = {**looks_like(*now), **looks_like(*before, prefix="before/"), "doctor/drawn_as_": 1.0}
    assert _BY_NAME["oscillating"].value(line, _CONFIG) == expected


def test_several_updates_of_the_discriminator_say_nothing_of_classes_that_come_and_go() -> None:
    """Its classifier then changes its mind in healthy runs, too."""
    config = resolve(overrides={"loss": "wgan-gp"})
    assert config.critic_steps > 1
    assert "oscillating" not in dict(found(series(*sick("oscillating", 8)), config))


def test_memorising_is_judged_by_two_looks() -> None:
    """The mean of two looks counts, and a first look alone is not judged."""
    value = _BY_NAME["memorising"].value
    assert value({"doctor/memory": 0.75}, _CONFIG) is None
    assert value({"before/doctor/memory": 0.75}, _CONFIG) is None
    assert value({"doctor/memory": 0.75, "before/doctor/memory": 0.5}, _CONFIG) == 0.625


@pytest.mark.parametrize("network", ["generator", "discriminator"])
def test_units_of_either_network_may_be_stuck(network: str) -> None:
    """The network with more stuck units is judged."""
    assert found(series(*[{}] * 3, *[{f"doctor/stuck_{network}": 1.0}] * 3)) == [("stuck-units", 150)]


@pytest.mark.parametrize(
    ("apart", "spread", "change", "expected"),
    [(6.0, 0.5, 0.25, 96.0), (6.0, 0.001, 0.25, 9600.0), (6.0, 0.5, 0.0, 2.4e13), (-6.0, 0.5, 0.25, 0.0)],
)
def test_the_lead_of_the_discriminator(apart: float, spread: float, change: float, expected: float) -> None:
    """It is separation / (spread² · change). Both divisors have a least value, and one that is behind has no lead."""
    line = {"doctor/separation": apart, "doctor/spread": spread, "doctor/from_average": change}
    assert rules.lead(line, _CONFIG) == pytest.approx(expected)
    for missing in line:
        assert rules.lead({key: value for key, value in line.items() if key != missing}, _CONFIG) is None


def test_the_largest_loss_is_named() -> None:
    """The loss with the largest magnitude is named, whatever its sign."""
    doctor = judged(_CONFIG, series(*[{"loss_discriminator": -1e9, "loss_generator": 1e8}] * 5))
    assert [one.sentence for one in doctor.findings] == ["loss_discriminator is 1e+09: the training has blown up"]


@pytest.mark.parametrize(
    ("propose", "overrides", "settings"),
    [
        (check_own_step, (), ()),
        (check_own_step, ("generator.learning_rate=0.3",), ("generator.learning_rate=0.003",)),
        (check_own_step, ("generator.learning_rate=1e-5",), ()),
        (reset_game_settings, (), ("discriminator.learning_rate=0.001", "penalty.weight=1.2")),
        (reset_game_settings, ("penalty.weight=0.2", "generator.learning_rate=0.1"),
         ("generator.learning_rate=0.003", "penalty.weight=0.4")),
        (reset_game_settings, ("loss=wgan-gp", "penalty.weight=1"), ("penalty.weight=10",)),
        (reset_game_settings, ("discriminator.learning_rate=0.001", "penalty.weight=1.2"),
         ("discriminator.learning_rate=0.00033", "penalty.weight=3.6")),
        (reset_game_settings, ("discriminator.learning_rate=0.00003",), ("discriminator.learning_rate=0.003",)),
        (stronger_discriminator, (), ("generator.learning_rate=0.001",)),
        (stronger_discriminator, ("generator.learning_rate=0.001",), ("generator.learning_rate=0.00033",)),
        (stronger_discriminator, ("discriminator.learning_rate=1e-5",), ("discriminator.learning_rate=0.003",)),
    ],
)  # fmt: skip
def test_what_is_proposed(
    propose: Callable[[Line, Config], Remedy], overrides: tuple[str, ...], settings: tuple[str, ...]
) -> None:
    """A remedy restores the recipe's values if the run has others; else it divides a rate or triples the penalty.

    It does so again if that did not help, and does not undo it.
    """
    assert propose({}, resolve(overrides=overrides)).settings == settings


def test_the_help_has_the_advice_against_images_that_look_alike() -> None:
    page = Path(cli.__file__).with_name("topics").joinpath("training.md").read_text("utf-8")
    advice = reset_game_settings({}, resolve())
    assert f"\ninkgan train {' '.join(f'--set {one}' for one in advice.settings)}\n" in page


def test_what_a_diagnosis_says() -> None:
    """It has a state, the last value, the threshold, when the illness began, and why a rule did not judge."""
    doctor = judged(_CONFIG, series(*[{}] * 3, *sick("collapsed", 4)))
    of = {one.rule.name: one for one in doctor.diagnoses}
    threshold = read_thresholds()["collapsed"]
    ill = of["collapsed"]
    assert (ill.state, ill.value, ill.threshold) == ("ill", 1e-4, threshold)
    assert ill.finding is not None
    assert (ill.finding.step, ill.finding.healthy_at) == (180, 60)
    assert (of["identical"].state, of["identical"].value, of["identical"].finding) == ("healthy", 0.0, None)
    recovered = judged(_CONFIG, series(*[{}] * 3, *sick("collapsed", 4), {}))
    assert next(one.state for one in recovered.diagnoses if one.rule is ill.rule) == "was ill"
    short = {one.rule.name: one for one in judged(_CONFIG, series(*[{}] * 4)).diagnoses}
    assert short["collapsed"].state == "not judged"
    assert (short["collapsed"].value, short["collapsed"].threshold) == (0.6, threshold)
    assert short["collapsed"].reason == "it needs 3 values, and the run logged 2 from step 50 on"
    assert short["blown-up"].reason == "it needs 5 values, and the run logged 4"
    none = judged(_CONFIG, [{"step": 60, "seconds": 1.0}]).diagnoses
    reasons = {one.rule.name: one.reason for one in none}
    assert reasons["collapsed"] == "the run logged nothing from step 50 on that this rule can judge"
    assert reasons["blown-up"] == "the run logged nothing that this rule can judge"
    assert reasons["dark-ink"] == "the run logged nothing that this rule can judge"


@pytest.mark.parametrize(("slices", "settings"), [(4, ("batch_size=16",)), (3, ())])
def test_smaller_batches_are_proposed_if_slices_divide_them(slices: int, settings: tuple[str, ...]) -> None:
    config = resolve(overrides={"batch_size": 48, "slices": slices})
    assert smaller_batches({"doctor/batches_in_an_epoch": 2.0}, config).settings == settings


def test_the_steps_that_were_ill_stay_known() -> None:
    """Also after a recovery, and if too few in a row were ill for a finding; but only those that may be healed."""
    lines = series({}, *sick("blown-up", 1), *sick("collapsed", 2), *sick("identical", 1), {})
    assert judged(_CONFIG, lines).ill_steps == {30, 60, 90}


def test_classes_that_come_and_go_between_lines_without_a_look() -> None:
    """A run logs its losses more often than the doctor looks; the look before stays the look before."""
    looks = series(*[{}] * 5, *sick("oscillating", 2))
    losses = [{"step": look["step"] + 10, "loss_discriminator": 0.6, "loss_generator": 0.8} for look in looks]
    lines = [line for pair in zip(looks, losses, strict=True) for line in pair]
    (finding,) = judged(_CONFIG, lines, "abcdefghij").findings
    assert (finding.rule.name, finding.step) == ("oscillating", 180)
    assert finding.sentence == (
        "classes come and go: 90% of the classes have turned into others since the look before, such as 'a' into 'b'"
    )


def test_the_first_looks_say_nothing_about_classes_that_come_and_go() -> None:
    """Both looks that are compared must be after step 50, at any interval."""
    first, second = looks_like(1, 1, 1, 1), looks_like(2, 2, 2, 2)
    lines = [{"step": 40, **first}, {"step": 80, **second}, {"step": 120, **first}]
    assert judged(_CONFIG, lines[:2]).findings == []
    assert [finding.rule.name for finding in judged(_CONFIG, lines).findings] == ["oscillating"]


def test_until_when_a_run_that_diverged_was_healthy() -> None:
    """Until the step before, or until an illness that may be healed began, even if it was not found yet."""
    doctor = Doctor(_CONFIG)
    assert doctor.not_finite(7, "the loss is nan").healthy_at == 6
    for line in series({}, {}, *sick("blown-up", 2)):
        doctor.judge(int(line["step"]), line)
    assert doctor.not_finite(91, "the loss is nan").healthy_at == 30
    assert judged(_CONFIG, series(*sick("blown-up", 2))).not_finite(31, "the loss is nan").healthy_at == -math.inf


def test_settings_hold_from_the_step_on_that_they_are_changed_at() -> None:
    """A wrong learning rate is reported once, and the finding ends at the step that corrects the rate."""
    config = resolve(overrides=["generator.learning_rate=0.3"])
    config = config.model_copy(update={"changes": ("60 generator.learning_rate=0.003  # healed",)})
    doctor = Doctor(config)
    told = [[one.rule.name for one in doctor.judge(step, {}) if one.remedy.settings] for step in (0, 30, 60, 90)]
    assert told == [["learning-rate"], [], [], []]
    assert doctor.findings == []


def test_the_thresholds_of_the_package() -> None:
    """Each rule without its own threshold has one in the file, and the file has no unknown rule."""
    content = json.loads(Path(__file__, "../../../src/inkgan/training/doctor/thresholds.json").resolve().read_text())
    measured = content["thresholds"]
    assert {rule.name for rule in RULES if rule.threshold is None} <= set(measured) <= set(_BY_NAME)
    assert read_thresholds() == {rule.name: measured.get(rule.name, rule.threshold) for rule in RULES}


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"thresholds": {}}', '{"thresholds": null}', None, "NaN", "1" + 400 * "0"]
)
def test_damaged_thresholds(tmp_path: Path, content: str | None) -> None:
    """A one-line error says which file is damaged and what to do."""
    file = tmp_path / "thresholds.json"
    if content == "NaN" or (content and content.isdigit()):
        content = json.dumps({"thresholds": dict.fromkeys(_BY_NAME, "number")}).replace('"number"', content)
    if content is not None:
        file.write_text(content)
    said = refusal(lambda: read_thresholds(file), "thresholds.json: ", kind=ConfigError)
    assert said.endswith("doctor_every=0")


@pytest.mark.parametrize("wrong", [math.nan, "31", True, None, [31.0]])
def test_of_thresholds_that_are_no_numbers_the_first_is_named(tmp_path: Path, wrong: object) -> None:
    """The first one in the order of the rules is named."""
    file = tmp_path / "thresholds.json"
    measured = dict.fromkeys(_BY_NAME, 1.0) | {"memorising": math.inf, "blown-up": wrong}
    file.write_text(json.dumps({"thresholds": measured}))
    with pytest.raises(ConfigError, match="the threshold blown-up is not a number"):
        read_thresholds(file)


@pytest.mark.parametrize("every", [0, 30])
def test_a_run_with_damaged_thresholds(
    tmp_path: Path, small_data: Path, monkeypatch: pytest.MonkeyPatch, every: int
) -> None:
    """The run is refused before anything is written; without the doctor it trains."""
    damaged = tmp_path / "thresholds.json"
    monkeypatch.setattr(read_thresholds, "__defaults__", (damaged,))
    options: dict[str, Any] = {"settings": [f"watch.doctor_every={every}"], "steps": 1}
    if every:
        with pytest.raises(ConfigError, match="thresholds"):
            runs.train(tmp_path / "run", small_data, **options)
        assert not (tmp_path / "run").exists()
    else:
        assert runs.train(tmp_path / "run", small_data, **options).complete


@pytest.mark.parametrize("heal", [False, True])
def test_with_healing_the_watcher_is_told_what_cannot_be_healed(heal: bool) -> None:
    """Without it, everything new is told. The verdict names all that is wrong in either case."""
    recorder: Any = object.__new__(Recorder)
    recorder.doctor = Doctor(resolve(overrides=["generator.learning_rate=0.3"]))
    recorder._run, recorder._watcher, recorder._events = SimpleNamespace(heal=heal), Mock(), Mock()
    illnesses = [recorder._judge(step, {"loss_generator": 1e9}) for step in range(5)]
    assert [one is not None for one in illnesses] == [False] * 4 + [heal]
    told = [one.args[0].rpartition("explains ")[2] for one in recorder._watcher.warn.call_args_list]
    assert told == ["learning-rate.", *([] if heal else ["blown-up."])]
    verdict = "the training has blown up; a learning rate is far from usual"
    assert recorder._watcher.verdict.call_args.args == (verdict,)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("factor", "times", "settings"),
    [(1.0, 0, ()), (1e5, 2, ()), (1e5, 2, ("watch.log_every=0", "watch.doctor_every=1"))],
)
def test_a_run_warns(
    tmp_path: Path,
    small_data: Path,
    monkeypatch: pytest.MonkeyPatch,
    factor: float,
    times: int,
    settings: tuple[str, ...],
) -> None:
    """A run that blows up warns when it does and when it ends, and its log says so too; a healthy one is silent."""
    game = ADVERSARIAL_LOSSES["non-saturating"]
    blown_up = game._replace(discriminator=lambda real, fake: factor * game.discriminator(real, fake))
    monkeypatch.setattr("inkgan.training.losses.ADVERSARIAL_LOSSES", {"relativistic": blown_up})
    watcher = runs.RecordingWatcher()
    assert runs.train(tmp_path / "run", small_data, watcher=watcher, settings=settings).complete
    too_few, *warnings = watcher.warnings
    assert "too few test images" in too_few
    assert [bool(re.search("blown up.*learning rate", warning)) for warning in warnings] == [True] * times
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    events.Reload()
    told = (
        [event.tensor_proto.string_val[0].decode() for event in events.Tensors("doctor/blown-up/text_summary")]
        if times
        else []
    )
    assert told == warnings[:1]
    log = RunFolder(tmp_path / "run")
    doctor = judged(log.saved_config(), metrics.read(log.metrics_file))
    states = {one.rule.name: one.state for one in doctor.diagnoses}
    assert states["blown-up"] == ("ill" if times else "healthy")
