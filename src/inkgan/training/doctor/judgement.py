"""The doctor: all rules over the lines that a run logs, while it trains or afterwards."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from inkgan.config import Config
from inkgan.errors import ConfigError, shown
from inkgan.training.doctor.rules import BEFORE, NOT_FINITE, RULES, Line, Remedy, Rule, words

#: The thresholds of the rules that have none of their own, as ``benchmarks/doctor.py`` found them.
THRESHOLDS = Path(__file__).with_name("thresholds.json")


def read_thresholds(file: Path = THRESHOLDS) -> Mapping[str, float]:
    """Return the threshold of each rule by its name.

    Raises:
        ConfigError: the file is missing or damaged.
    """
    try:
        measured = json.loads(file.read_text("utf-8"), parse_int=float)["thresholds"]  # a huge integer becomes infinite
        found = {rule.name: measured[rule.name] if rule.threshold is None else rule.threshold for rule in RULES}
        wrong = [name for name, value in found.items() if not isinstance(value, float) or not math.isfinite(value)]
        if not wrong:
            return found
        reason = f"the threshold {wrong[0]} is not a number"
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        reason = f"it is damaged or missing ({error})"
    raise ConfigError(
        f"the doctor's thresholds cannot be read from {shown(file)}: {reason}. Install inkgan again, or train without "
        "the doctor: --set watch.doctor_every=0"
    )


@dataclass(frozen=True)
class Finding:
    """An illness at a step.

    Attributes:
        rule: the rule that found it.
        step: the step.
        sentence: a description in one sentence, without a full stop.
        remedy: the settings or the advice to try.
        healthy_at: the last step at which the rule found nothing wrong; None if there was none.
    """

    rule: Rule
    step: int
    sentence: str
    remedy: Remedy
    healthy_at: int | None = None

    def __str__(self) -> str:
        """Return the sentence, the remedy and the topic to read, in one line."""
        remedy = f" {self.remedy}" if str(self.remedy) else ""
        return f"at step {self.step} {self.sentence}.{remedy} `inkgan help doctor` explains {self.rule.name}."


@dataclass
class _Course:
    """The course of one rule's values so far.

    Attributes:
        ill_in_a_row: the number of ill values since the last healthy one.
        healthy_at: the step of the last healthy value; None if there was none.
        judged: the number of values.
        value: the last value.
        found: the present illness; None if there is none.
        first: the illness when it was found for the first time; None if it never was.
    """

    ill_in_a_row: int = 0
    healthy_at: int | None = None
    judged: int = 0
    value: float | None = None
    found: Finding | None = None
    first: Finding | None = None


@dataclass(frozen=True)
class Diagnosis:
    """The verdict of one rule on a run.

    Attributes:
        rule: the rule.
        state: ``healthy``, ``ill``, ``was ill`` or ``not judged``.
        value: the last value that was judged.
        threshold: the rule's threshold.
        finding: the present illness, or else the first one; None if there was none.
        reason: why the run was not judged; empty if it was.
    """

    rule: Rule
    state: str
    value: float | None
    threshold: float
    finding: Finding | None
    reason: str


@dataclass
class Doctor:
    """Applies all rules to one logged line after another.

    Attributes:
        config: the run's settings.
        class_names: the names of the classes, for sentences; without them, sentences give class numbers.
        thresholds: the threshold of each rule by its name; by default those of the package.
        ill_steps: the steps at which a value was ill, by a rule whose illness may be healed; it may have passed since.
    """

    config: Config
    class_names: Sequence[str] = ()
    thresholds: Mapping[str, float] = field(default_factory=read_thresholds)

    def __post_init__(self) -> None:
        self.ill_steps: set[int] = set()
        self._before: Line = {}
        self._courses = {rule.name: _Course() for rule in RULES}
        self._rules = [rule for rule in RULES if rule.applies_to(self.config)]

    def judge(self, step: int, line: Line) -> list[Finding]:
        """Judge a line that was logged at a step, and return the illnesses that appear for the first time.

        An illness that comes and goes is returned once; :attr:`findings` lists those that are present now. A step may
        have several lines.
        """
        new = []
        signals = {name: value for name, value in line.items() if name.startswith("doctor/")}
        line = {**line, **self._before}  # a rule may compare this look with the one before it
        if signals and step >= Rule.grace:  # until then, everything looks ill
            self._before = {f"{BEFORE}{name}": value for name, value in signals.items()}
        config = self.config.at(step)  # the settings that hold at the step
        for rule in self._rules:
            value = rule.value(line, config) if step >= rule.grace else None
            if value is None or math.isnan(value):
                continue
            course = self._courses[rule.name]
            course.judged += 1
            course.value = value
            course.found = None
            if not rule.is_ill(value, self.thresholds[rule.name]):
                course.ill_in_a_row = 0
                course.healthy_at = step
                continue
            course.ill_in_a_row += 1
            if rule.healable:
                self.ill_steps.add(step)
            if course.ill_in_a_row >= rule.patience:
                sentence = rule.sentence.format(value=value, **words(line, config, self.class_names))
                course.found = Finding(rule, step, sentence, rule.remedy(line, config), course.healthy_at)
                if course.first is None:
                    course.first = course.found
                    new.append(course.found)
        return new

    @property
    def findings(self) -> list[Finding]:
        """The present illnesses, in the order of the rules."""
        return [course.found for course in self._courses.values() if course.found is not None]

    @property
    def healthy_steps(self) -> set[int | None]:
        """For each rule whose illness may be healed, the last step at which it found nothing wrong, or None."""
        return {self._courses[rule.name].healthy_at for rule in self._rules if rule.healable}

    def not_finite(self, step: int, sentence: str) -> Finding:
        """Return the finding that a loss or a gradient of a step is not finite, as the training loop noticed.

        The run was healthy until the step before, or until any illness that may be healed began, even if not yet found.
        """
        courses = [self._courses[rule.name] for rule in self._rules if rule.healable]
        healthy_at = [course.healthy_at for course in courses if course.ill_in_a_row]
        known = [one for one in healthy_at if one is not None]
        well_until = None if None in healthy_at else min([step - 1, *known])
        return Finding(NOT_FINITE, step, sentence, NOT_FINITE.remedy({}, self.config.at(step)), well_until)

    @property
    def verdict(self) -> str | None:
        """The titles of the present illnesses, in one line; None if there are none."""
        return "; ".join(finding.rule.title for finding in self.findings) or None

    def diagnoses(self) -> list[Diagnosis]:
        """Return the verdict of each rule on all lines."""
        return [self._diagnosis(rule, self._courses[rule.name]) for rule in RULES]

    def _diagnosis(self, rule: Rule, course: _Course) -> Diagnosis:
        since = f" from step {rule.grace} on" if rule.grace > 0 else ""
        if course.judged >= rule.patience:
            reason = ""
        elif not rule.applies_to(self.config):
            reason = "its threshold is for the recipes fast and best with the network compact"
        elif course.judged:
            reason = f"it needs {rule.patience} values, and the run logged {course.judged}{since}"
        else:
            reason = f"the run logged no signal{since} that this rule needs"
        state = "not judged" if reason else "ill" if course.found else "was ill" if course.first else "healthy"
        finding = course.found or course.first
        return Diagnosis(rule, state, course.value, self.thresholds[rule.name], finding, reason)


def judged(config: Config, lines: Iterable[Line], class_names: Sequence[str] = ()) -> Doctor:
    """Return a doctor that has judged all lines of a run.

    Args:
        config: the run's settings.
        lines: the lines of ``metrics.jsonl``, each with its ``step``.
        class_names: the names of the classes.
    """
    doctor = Doctor(config, class_names)
    for line in lines:
        doctor.judge(int(line["step"]), line)
    return doctor
