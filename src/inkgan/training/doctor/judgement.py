"""The doctor: all rules over the lines that a run logs, while it trains or afterwards."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from inkgan.config import Config
from inkgan.errors import ConfigError, reason_of, shown
from inkgan.training.doctor.rules import BEFORE, RULES, Line, Remedy, Rule

#: Where rules draw the line that do not say so themselves, as ``benchmarks/doctor.py`` found it.
THRESHOLDS = Path(__file__).with_name("thresholds.json")


def read_thresholds(file: Path = THRESHOLDS) -> Mapping[str, float]:
    """The threshold of each rule by its name.

    Raises:
        ConfigError: the file is missing or damaged.
    """
    try:
        measured = json.loads(file.read_text("utf-8"))["thresholds"]
        found = {rule.name: float(measured[rule.name]) if rule.threshold is None else rule.threshold for rule in RULES}
        wrong = [name for name, value in found.items() if not math.isfinite(value)]
    except OSError as error:
        raise ConfigError(_damaged(file, reason_of(error))) from None
    except (ValueError, TypeError, RecursionError):
        raise ConfigError(_damaged(file, "it holds no table of thresholds")) from None
    except KeyError as error:
        raise ConfigError(_damaged(file, f"it has no threshold {error}")) from None
    if wrong:
        raise ConfigError(_damaged(file, f"the threshold {wrong[0]} is not a number"))
    return found


def _damaged(file: Path, reason: str) -> str:
    return (
        f"the doctor's thresholds cannot be read from {shown(file)}: {reason}. Install inkgan again, or train without "
        "the doctor: --set watch.doctor_every=0"
    )


@dataclass(frozen=True)
class Finding:
    """What is wrong at a step.

    Attributes:
        rule: which rule says so.
        step: when.
        sentence: what, in one sentence without a full stop.
        remedy: what to try.
        healthy_at: the last step at which the rule found nothing wrong; None if it has never judged so.
    """

    rule: Rule
    step: int
    sentence: str
    remedy: Remedy
    healthy_at: int | None = None

    def __str__(self) -> str:
        """The sentence, the remedy and where to read more, in one line."""
        remedy = f" {self.remedy}" if str(self.remedy) else ""
        return f"at step {self.step} {self.sentence}.{remedy} `inkgan help doctor` explains {self.rule.name}."


@dataclass
class _Course:
    """How one rule's values went so far."""

    ill_in_a_row: int = 0
    healthy_at: int | None = None
    judged: int = 0
    value: float | None = None
    found: Finding | None = None
    first: Finding | None = None


@dataclass(frozen=True)
class Diagnosis:
    """What one rule says about a whole series.

    Attributes:
        rule: the rule.
        state: ``healthy``, ``ill``, ``was ill`` or ``not judged``.
        value: the last value that was judged.
        threshold: where the rule draws the line.
        finding: what is or was wrong.
        reason: why it is not judged.
    """

    rule: Rule
    state: str
    value: float | None
    threshold: float
    finding: Finding | None = None
    reason: str = ""


@dataclass
class Doctor:
    """Looks at one logged line after another.

    Attributes:
        config: the run's settings.
        class_names: the names of the classes, for sentences; numbers are said without.
        thresholds: by the names of rules; those of the package by default.
    """

    config: Config
    class_names: Sequence[str] = ()
    thresholds: Mapping[str, float] = field(default_factory=read_thresholds)

    def __post_init__(self) -> None:
        self._before: Line = {}
        self._courses = {rule.name: _Course() for rule in RULES}
        self._rules = [rule for rule in RULES if rule.applies_to(self.config)]

    def look(self, step: int, line: Line) -> list[Finding]:
        """Look at what was logged at a step; returns what is wrong that was never wrong before.

        An illness that comes and goes is reported once; :attr:`findings` says whether it is there.

        Signals of one step may come in several lines.
        """
        new = []
        signals = {name: value for name, value in line.items() if name.startswith("doctor/")}
        line = {**line, **self._before}
        if signals:
            self._before = {f"{BEFORE}{name}": value for name, value in signals.items()}
        config = self.config.at(step)
        for rule in self._rules:
            value = rule.value(line, config) if step >= rule.grace else None
            if value is None:
                continue
            course = self._courses[rule.name]
            is_known = course.first is not None
            self._take_in(rule, course, step, value, line)
            if course.found is not None and not is_known:
                new.append(course.found)
        return new

    def _take_in(self, rule: Rule, course: _Course, step: int, value: float, line: Line) -> None:
        course.judged += 1
        course.value = value
        if rule.is_ill(value, self.thresholds[rule.name]):
            course.ill_in_a_row += 1
        else:
            course.ill_in_a_row = 0
            course.healthy_at = step
        if course.ill_in_a_row < rule.patience:
            course.found = None
            return
        sentence = rule.sentence(value, line, self.class_names)
        course.found = Finding(rule, step, sentence, rule.remedy(self.config.at(step)), course.healthy_at)
        course.first = course.first or course.found

    @property
    def findings(self) -> list[Finding]:
        """What is wrong at present, in the order of the rules."""
        return [course.found for course in self._courses.values() if course.found is not None]

    @property
    def verdict(self) -> str | None:
        """What is wrong at present, for one line on a screen; None if nothing is."""
        return "; ".join(finding.rule.title for finding in self.findings) or None

    def diagnoses(self) -> list[Diagnosis]:
        """What each rule says about all that was looked at."""
        return [self._diagnosis(rule, self._courses[rule.name]) for rule in RULES]

    def _diagnosis(self, rule: Rule, course: _Course) -> Diagnosis:
        threshold = self.thresholds[rule.name]
        if course.judged >= rule.patience:
            finding = course.found or course.first
            state = "healthy" if finding is None else "ill" if course.found else "was ill"
            return Diagnosis(rule, state, course.value, threshold, finding)
        if not rule.applies_to(self.config):
            reason = "its threshold is for the recipes fast and best with the network compact"
        elif course.judged:
            since = f" from step {rule.grace} on" if rule.grace > 0 else ""
            reason = f"it needs {rule.patience} values, and the run logged {course.judged}{since}"
        else:
            reason = "the run logged no signal that it could judge by"
        return Diagnosis(rule, "not judged", course.value, threshold, reason=reason)


def judged(config: Config, lines: Iterable[Line], class_names: Sequence[str] = ()) -> Doctor:
    """A doctor who has looked at a whole series.

    Args:
        config: the run's settings.
        lines: those of ``metrics.jsonl``, each with its ``step``.
        class_names: the names of the classes.
    """
    doctor = Doctor(config, class_names)
    for line in lines:
        doctor.look(int(line["step"]), line)
    return doctor
