"""Healing: a run that blows up or collapses goes back to a healthy checkpoint and continues with other settings.

The run's settings (``changes``) record each change with its step and reason, so a new run with these settings computes
the same bits without falling ill.
"""

from __future__ import annotations

from collections.abc import Collection

from inkgan.config import Config
from inkgan.config.schema import Change
from inkgan.errors import DivergenceError, InkganError
from inkgan.runs import checkpoint
from inkgan.training.doctor import Doctor, Finding
from inkgan.training.state import PreparedRun
from inkgan.training.watching import Watcher

#: The largest number of healings of one run.
MOST_HEALINGS = 3


class IllnessError(InkganError):
    """Training has blown up or collapsed, and :func:`go_back` may heal it.

    Attributes:
        finding: what the doctor found; its remedy has the settings to continue with.
        ill_steps: see :class:`inkgan.training.doctor.Doctor`.
    """

    def __init__(self, finding: Finding, ill_steps: Collection[int]) -> None:
        super().__init__(f"at step {finding.step} {finding.sentence}")
        self.finding = finding
        self.ill_steps = ill_steps


def to_keep(run: PreparedRun, doctor: Doctor) -> set[int]:
    """Return the checkpoints that :func:`go_back` may need, as the newest may all be ill when an illness is found."""
    newest = {_newest_healthy(run, healthy_at, doctor.ill_steps) for healthy_at in doctor.healthy_steps}
    return {step for step in newest if step is not None}


def _newest_healthy(run: PreparedRun, healthy_at: float, ill_steps: Collection[int]) -> int | None:
    """Return the newest checkpoint that a healing may go back to: healthy, and before those of earlier healings."""
    saved = checkpoint.list_steps(run.folder.checkpoints)
    tried = [change.step for change in run.config.parsed_changes() if change.healing]
    limit = min([healthy_at, *(step - 1 for step in tried)])
    # Step 0 is always allowed.
    return max((step for step in saved if step == 0 or (step <= limit and step not in ill_steps)), default=None)


def go_back(run: PreparedRun, illness: IllnessError, watcher: Watcher) -> Config:
    """Make the last healthy checkpoint the newest one, and save the settings to continue with from there.

    If the run was healed before, it goes back further than last time: that checkpoint was not as healthy as it seemed.

    Returns:
        The run's settings, with the change.

    Raises:
        DivergenceError: there is no checkpoint to go back to.
    """
    finding = illness.finding
    changes = run.config.parsed_changes()
    step = _newest_healthy(run, finding.healthy_at, illness.ill_steps)
    if step is None:
        raise DivergenceError(f"{illness}. There is no checkpoint to go back to. {finding.remedy}")
    number = run.config.healings + 1
    remedy = Change.parse(f"{step} {' '.join(finding.remedy.settings)}").settings
    # Changes that the run went through in the meantime apply from this step on, unless the remedy overrides them.
    passed = {key: value for one in changes if step <= one.step <= finding.step for key, value in one.settings.items()}
    change = Change(step, {**passed, **remedy}, f"healing {number}: {finding.rule.name} at step {finding.step}")
    earlier = [one for one in changes if one.step < step]
    to_come = [one for one in changes if one.step > finding.step]
    config = run.config.model_copy(update={"changes": tuple(map(str, (*earlier, change, *to_come)))})
    newest = max(checkpoint.list_steps(run.folder.checkpoints))
    with run.folder.lock.held():
        checkpoint.set_aside_after(run.folder.checkpoints, step, "ill")
        run.folder.write_config(config)
    settings = " ".join(f"{key}={value:g}" for key, value in change.settings.items())
    watcher.warn(
        f"{illness}. Healing {number} of {MOST_HEALINGS}: back to step {step}, continuing with {settings}."
        f"{' Checkpoints after it are kept as NAME.ill.' if newest > step else ''}"
    )
    return config
