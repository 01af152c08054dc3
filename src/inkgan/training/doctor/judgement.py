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
        healthy_at: the last step at which the rule found nothing wrong; minus infinity if there was none.
    """

    rule: Rule
    step: int
    sentence: str
    remedy: Remedy
    healthy_at: float = -math.inf

    def __str__(self) -> str:
        """Return the sentence, the remedy and the topic to read, in one line."""
        remedy = f" {self.remedy}" if str(self.remedy) else ""
        return f"at step {self.step} {self.sentence}.{remedy} `inkgan help doctor` explains {self.rule.name}."


@dataclass
class Diagnosis:
    """The verdict of one rule on a run, as far as the run has logged.

    Attributes:
        rule: the rule.
        threshold: the rule's threshold.
        applies: whether the rule judges runs with these settings.
        judged: the number of values that were judged.
        value: the last of them.
        ill_in_a_row: the number of ill values since the last healthy one.
        healthy_at: the step of the last healthy value; minus infinity if there was none.
        found: the present illness; None if there is none.
        first: the illness when it was found for the first time; None if it never was.
    """

    rule: Rule
    threshold: float
    applies: bool
    judged: int = 0
    value: float | None = None
    ill_in_a_row: int = 0
    healthy_at: float = -math.inf
    found: Finding | None = None
    first: Finding | None = None

    @property
    def finding(self) -> Finding | None:
        """The present illness, or else the first one; None if there was none."""
        return self.found or self.first

    @property
    def reason(self) -> str:
        """Why the run was not judged; empty if it was."""
        if self.judged >= self.rule.patience:
            return ""
        if not self.applies:
            return "its threshold is for the recipes fast and best with the network compact"
        since = f" from step {self.rule.grace} on" if self.rule.grace > 0 else ""
        if self.judged:
            return f"it needs {self.rule.patience} values, and the run logged {self.judged}{since}"
        return f"the run logged nothing{since} that this rule can judge"

    @property
    def state(self) -> str:
        """``healthy``, ``ill``, ``was ill`` or ``not judged``."""
        if self.reason:
            return "not judged"
        if self.found:
            return "ill"
        return "was ill" if self.first else "healthy"


@dataclass
class Doctor:
    """Applies all rules to one logged line after another.

    Attributes:
        config: the run's settings.
        class_names: the names of the classes, for sentences; without them, sentences give class numbers.
        thresholds: the threshold of each rule by its name; by default those of the package.
        diagnoses: the verdict of each rule on all lines.
        ill_steps: the steps at which a value was ill, by a rule whose illness may be healed; it may have passed since.
    """

    config: Config
    class_names: Sequence[str] = ()
    thresholds: Mapping[str, float] = field(default_factory=read_thresholds)

    def __post_init__(self) -> None:
        self.diagnoses = [Diagnosis(rule, self.thresholds[rule.name], rule.applies_to(self.config)) for rule in RULES]
        self.ill_steps: set[int] = set()
        self._before: Line = {}

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
        for diagnosis in self.diagnoses:
            rule = diagnosis.rule
            value = rule.value(line, config) if diagnosis.applies and step >= rule.grace else None
            if value is None or math.isnan(value):
                continue
            diagnosis.judged += 1
            diagnosis.value = value
            diagnosis.found = None
            if not rule.is_ill(value, diagnosis.threshold):
                diagnosis.ill_in_a_row = 0
                diagnosis.healthy_at = step
                continue
            diagnosis.ill_in_a_row += 1
            if rule.healable:
                self.ill_steps.add(step)
            if diagnosis.ill_in_a_row >= rule.patience:
                sentence = rule.sentence.format(value=value, **words(line, config, self.class_names))
                diagnosis.found = Finding(rule, step, sentence, rule.remedy(line, config), diagnosis.healthy_at)
                if diagnosis.first is None:
                    diagnosis.first = diagnosis.found
                    new.append(diagnosis.found)
        return new

    @property
    def findings(self) -> list[Finding]:
        """The present illnesses, in the order of the rules."""
        return [one.found for one in self.diagnoses if one.found is not None]

    @property
    def healthy_steps(self) -> set[float]:
        """For each rule whose illness may be healed, the last step at which it found nothing wrong."""
        return {one.healthy_at for one in self.diagnoses if one.applies and one.rule.healable}

    def not_finite(self, step: int, sentence: str) -> Finding:
        """Return the finding that a loss or a gradient of a step is not finite, as the training loop noticed.

        The run was healthy until the step before, or until any illness that may be healed began, even if not yet found.
        """
        begun = [one.healthy_at for one in self.diagnoses if one.rule.healable and one.ill_in_a_row]
        well_until = min([step - 1, *begun])
        return Finding(NOT_FINITE, step, sentence, NOT_FINITE.remedy({}, self.config.at(step)), well_until)

    @property
    def verdict(self) -> str | None:
        """The titles of the present illnesses, in one line; None if there are none."""
        return "; ".join(finding.rule.title for finding in self.findings) or None


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
