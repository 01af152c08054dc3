"""What the doctor says about series of signals: what is ill, when it is told, and what to try."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import tiny_runs as runs
from inkgan.config import Config, resolve
from inkgan.errors import ConfigError
from inkgan.training.doctor import Doctor, judged, lower_rates, read_thresholds
from inkgan.training.doctor.rules import RULES, Rule, usual_game
from inkgan.training.losses import ADVERSARIAL_LOSSES

_BY_NAME = {rule.name: rule for rule in RULES}
_CONFIG = resolve()

#: What a healthy run logs at every look.
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
    "doctor/least_drawn": 0.8,
    "doctor/least_drawn_class": 3.0,
    "doctor/most_drawn": 1.3,
    "doctor/most_drawn_class": 5.0,
    "doctor/drawn_wrongly": 0.1,
    "doctor/drawn_wrongly_class": 7.0,
    "doctor/drawn_wrongly_as": 1.0,
    "doctor/range": 0.01,
    "doctor/dark_ink": -1.0,
    "doctor/memory": 0.5,
    "doctor/stuck_generator": 0.0,
    "doctor/stuck_discriminator": 0.0,
    "doctor/batches_in_an_epoch": 900.0,
}
#: What turns it ill, by the rule that must find it.
ILL: dict[str, dict[str, float]] = {
    "not-finite": {"not_finite": 1.0},
    "blown-up": {"loss_generator": -1e9},
    "discriminator-wins": {"doctor/separation": 9.0, "doctor/spread": 0.1, "doctor/from_average": 0.0015},
    "discriminator-lost": {"doctor/order_held_out": 0.0},
    "standing-still": {"doctor/from_average": 0.0, "doctor/separation": 0.0},
    "collapsed": {"doctor/spread": 1e-4},
    "identical": {"doctor/identical": 1.0},
    "class-dropped": {"doctor/least_drawn": 0.0},
    "class-swollen": {"doctor/most_drawn": 9.9},
    "class-wrong": {"doctor/drawn_wrongly": 1.0},
    "other-range": {"doctor/range": 1.0},
    "dark-ink": {"doctor/dark_ink": 1.0},
    "memorising": {"doctor/memory": 1.0},
    "oscillating": {"doctor/most_drawn": 9.9, "doctor/classes_known": 0.1},
    "stuck-units": {"doctor/stuck_discriminator": 1.0},
    "few-images": {"doctor/batches_in_an_epoch": 0.5},
}


def series(*changes: dict[str, float], every: int = 30) -> list[dict[str, float]]:
    """Healthy lines, each with a change."""
    return [{"step": every * number, **HEALTHY, **change} for number, change in enumerate(changes)]


def sick(name: str, count: int) -> list[dict[str, float]]:
    """What a run with an illness logs; where classes come and go, at each look another one is the most frequent."""
    changes = [dict(ILL[name]) for _ in range(count)]
    if name == "oscillating":
        for number, change in enumerate(changes):
            change["doctor/most_drawn_class"] = float(number % 3)
    return changes


def found(lines: list[dict[str, float]], config: Config = _CONFIG) -> list[tuple[str, int]]:
    """Which rules find something in a series, and at which steps."""
    doctor = Doctor(config)
    return [(one.rule.name, one.step) for line in lines for one in doctor.look(int(line["step"]), line)]


def test_every_rule_is_tested() -> None:
    """Those of signals below; the learning rate is a matter of settings."""
    assert {*ILL, "learning-rate"} == set(_BY_NAME)


def test_a_healthy_series_is_healthy() -> None:
    """No rule finds anything, and every rule has judged."""
    doctor = judged(_CONFIG, series(*[{}] * 10))
    assert doctor.findings == []
    assert {one.state for one in doctor.diagnoses()} == {"healthy"}
    assert doctor.verdict is None


@pytest.mark.parametrize("name", ILL)
def test_each_rule_finds_its_illness(name: str) -> None:
    """Alone, once, as soon as it has lasted as long as the rule's patience asks; and it tells of the recovery."""
    rule = _BY_NAME[name]
    lines = series(*[{}] * 5, *sick(name, 8))
    two_looks = name == "oscillating"
    assert found(lines) == [(name, 30 * (4 + rule.patience + two_looks))]
    doctor = judged(_CONFIG, lines)
    assert [one.rule.name for one in doctor.findings] == [name]
    assert doctor.verdict == rule.title
    recovered = judged(_CONFIG, [*lines, {"step": 999, **HEALTHY}])
    assert recovered.findings == []
    assert {one.rule.name for one in recovered.diagnoses() if one.state == "was ill"} == {name}


def test_an_illness_that_comes_and_goes_is_told_once() -> None:
    """Whether it is there at present, the state says."""
    lines = series(*[{}] * 3, *[*sick("collapsed", 3), {}] * 4)
    assert found(lines) == [("collapsed", 150)]
    assert judged(_CONFIG, lines).verdict is None
    assert judged(_CONFIG, lines[:-1]).verdict


@pytest.mark.parametrize("name", [name for name in ILL if _BY_NAME[name].patience > 1])
def test_a_short_illness_is_none(name: str) -> None:
    """One value fewer than the patience asks for, again and again."""
    short = sick(name, _BY_NAME[name].patience - 1)
    assert found(series(*[{}] * 3, *[*short, {}] * 4)) == []


@pytest.mark.parametrize("name", [name for name in ILL if _BY_NAME[name].grace > 0])
def test_the_beginning_is_not_judged(name: str) -> None:
    """Early in training everything looks ill."""
    rule = _BY_NAME[name]
    early = series(*sick(name, 10), every=rule.grace // 11)
    assert found(early) == []
    state = next(one for one in judged(_CONFIG, early).diagnoses() if one.rule is rule)
    assert (state.state, bool(state.reason)) == ("not judged", True)


def test_the_average_does_not_hide_the_learner() -> None:
    """A collapse of either of the two is one."""
    assert found(series(*[{}] * 3, *[{"doctor/spread_average": 1e-4}] * 3)) == [("collapsed", 150)]


def test_classes_are_judged_by_a_classifier_that_knows_them() -> None:
    """A discriminator that cannot tell the classes of real images says nothing about generated ones."""
    ignorant = {**ILL["class-dropped"], **ILL["class-swollen"], **ILL["class-wrong"], "doctor/classes_known": 0.3}
    assert found(series(*[ignorant] * 10)) == []


def test_one_class_that_stays_is_no_oscillation() -> None:
    """A class that is always drawn too often is another illness; and two looks without a change are none."""
    assert found(series(*[{**ILL["oscillating"], "doctor/most_drawn_class": 2.0}] * 9)) == []


@pytest.mark.parametrize(("name", "said"), [("class-dropped", "'d'"), ("class-swollen", "'f'"), ("class-wrong", "'h'")])
def test_classes_are_called_by_their_names(name: str, said: str) -> None:
    """Not by their numbers inside."""
    (finding,) = judged(_CONFIG, series(*sick(name, 8)), "abcdefghij").findings
    assert said in finding.sentence


def test_the_same_offset_of_all_logits_changes_nothing() -> None:
    """In games without a zero only differences mean anything, so no rule reads a score."""
    assert found(series(*[{"score_real": 0.999, "score_fake": 0.999}] * 10)) == []


def test_the_tutorial_is_judged_by_what_holds_everywhere() -> None:
    """The other thresholds are those of the compact recipes."""
    tutorial = resolve(overrides=["recipe=tutorial"])
    everything = {key: value for change in ILL.values() for key, value in change.items()}
    assert {name for name, _ in found(series(*[everything] * 10), tutorial)} == {
        rule.name for rule in RULES if rule.any_recipe and rule.name != "learning-rate"
    }


@pytest.mark.parametrize(
    ("overrides", "ill"),
    [((), False), (("generator.learning_rate=0.3",), True), (("discriminator.learning_rate=1e-5",), True),
     (("generator.learning_rate=6e-3", "discriminator.learning_rate=1e-3"), False)],
)  # fmt: skip
def test_learning_rates_are_compared_with_the_usual_ones(overrides: tuple[str, ...], ill: bool) -> None:
    """At the first logged step, for either network, in both directions."""
    config = resolve(overrides=overrides)
    assert found(series({}), config) == ([("learning-rate", 0)] if ill else [])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@pytest.mark.parametrize("overrides", [(), ("penalty.weight=0.0", "generator.learning_rate=1e-5"), ("recipe=best",)])
def test_remedies_can_be_typed(rule: Rule, overrides: tuple[str, ...]) -> None:
    """What is proposed is understood, and it changes something."""
    config = resolve(overrides=overrides)
    remedy = rule.remedy(config)
    assert str(remedy).endswith(".")
    resolve(overrides=remedy.settings, base=config)


def test_a_penalty_of_an_earlier_version_is_not_called_weak() -> None:
    """Its weight refers to other pixels: 0.1 there is 0.4 here."""
    earlier = resolve(overrides=["penalty.pixels=0..1", "penalty.weight=0.1", "generator.learning_rate=0.1"])
    weak = resolve(overrides=["penalty.weight=0.1", "generator.learning_rate=0.1"])
    assert usual_game(earlier).settings == ("generator.learning_rate=0.003",)
    assert usual_game(weak).settings == ("generator.learning_rate=0.003", "penalty.weight=0.4")


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
    """What was raised is named beside what is usual."""
    remedy = lower_rates(resolve(overrides=overrides))
    assert said in str(remedy)
    proposed: Config = resolve(overrides=remedy.settings)
    assert {name: getattr(proposed, name).learning_rate for name in tried} == tried
    assert str(remedy).count("--set") == len(tried)


def test_the_thresholds_of_the_package() -> None:
    """There is one for each rule that does not have its own, and none for what is no rule."""
    content = json.loads(Path(__file__, "../../../src/inkgan/training/doctor/thresholds.json").resolve().read_text())
    measured = content["thresholds"]
    assert {rule.name for rule in RULES if rule.threshold is None} <= set(measured) <= set(_BY_NAME)
    assert read_thresholds() == {rule.name: measured.get(rule.name, rule.threshold) for rule in RULES}


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"thresholds": {}}', '{"thresholds": null}', None, "nan"])
def test_damaged_thresholds(tmp_path: Path, content: str | None) -> None:
    """One line that says which file, and what to do."""
    file = tmp_path / "thresholds.json"
    if content == "nan":
        content = json.dumps({"thresholds": dict.fromkeys(_BY_NAME, float("nan"))})
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigError, match=r"thresholds\.json.*doctor_every=0") as caught:
        read_thresholds(file)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("every", [0, 30])
def test_a_run_with_damaged_thresholds(
    tmp_path: Path, small_data: Path, monkeypatch: pytest.MonkeyPatch, every: int
) -> None:
    """It is refused before anything is written; without the doctor it goes on."""
    damaged = tmp_path / "thresholds.json"
    monkeypatch.setattr(read_thresholds, "__defaults__", (damaged,))
    options: dict[str, Any] = {"settings": [f"watch.doctor_every={every}"], "steps": 1}
    if every:
        with pytest.raises(ConfigError, match="thresholds"):
            runs.train(tmp_path / "run", small_data, **options)
        assert not (tmp_path / "run").exists()
    else:
        assert runs.train(tmp_path / "run", small_data, **options).complete


@pytest.mark.parametrize(("factor", "times"), [(1.0, 0), (1e5, 2)])
def test_a_run_warns(
    tmp_path: Path, small_data: Path, monkeypatch: pytest.MonkeyPatch, factor: float, times: int
) -> None:
    """A run that blows up says so when it does and when it ends; a sound one says nothing."""
    game = ADVERSARIAL_LOSSES["non-saturating"]
    blown_up = game._replace(discriminator=lambda real, fake: factor * game.discriminator(real, fake))
    monkeypatch.setattr("inkgan.training.compact.ADVERSARIAL_LOSSES", {"relativistic": blown_up})
    watcher = runs.Noting()
    assert runs.train(tmp_path / "run", small_data, watcher=watcher).complete
    assert [bool(re.search("blown up.*learning rate", warning)) for warning in watcher.warnings] == [True] * times
