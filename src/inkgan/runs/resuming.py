"""What must hold before a run is continued: the same settings, the same data, and its end if it is to be extended."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inkgan.config import Config
from inkgan.config.schema import Precision
from inkgan.config.sources import differences, from_saved, with_place_of_data
from inkgan.errors import CheckpointError, ConfigError, as_given, shown
from inkgan.runs import checkpoint
from inkgan.runs.folder import RunFolder


def precision_to_resume(run: RunFolder, asked: Config) -> Precision:
    """Return the precision in which to resume: ``auto`` keeps the one in which the run began."""
    began: Precision = run.newest_checkpoint()[1].get("precision", asked.precision)
    return began if asked.precision == "auto" else asked.precision


def continued(saved: Config, asked: Config) -> Config:
    """Return the settings that are asked for, with what a run has changed itself since it began with them.

    So the command that began a run may be repeated after `--extend` made the run longer, or `--heal` changed it.
    """
    now: dict[str, Any] = {}
    if asked.extended_from == saved.extended_from[: len(asked.extended_from)]:
        now["extended_from"] = saved.extended_from
        if asked.steps in (*saved.extended_from, saved.steps):
            now["steps"] = saved.steps
    if _may_be_healed(saved, asked):
        now["changes"] = saved.changes
    return asked.model_copy(update=now)


def _may_be_healed(saved: Config, asked: Config) -> bool:
    """Whether healing may have turned the changes of settings that are asked for into those of a run.

    It goes back to a step. Changes before that step stay, and of those after it, those that were still to come.
    """
    step = min((change.step for change in saved.parsed_changes() if change.healing), default=None)
    kept = {str(change) for change in saved.parsed_changes() if not change.healing}
    given = {str(change): change.step for change in asked.parsed_changes()}
    return step is not None and kept <= given.keys() and all(given[change] >= step for change in given.keys() - kept)


def require_complete(run: RunFolder, config: Config) -> None:
    """Refuse to extend a run of these settings that has not reached its end.

    Raises:
        ConfigError: it is not complete.
    """
    step = run.newest_step()
    if step != config.steps:
        raise ConfigError(
            f"{shown(run.path)} is not complete: it is at step {max(0, step or 0)} of {config.steps}. "
            f"Finish it first: inkgan train --resume --out {shlex.quote(str(run.path))}"
        )


def require_same(run: RunFolder, asked: Config, digest: str | None = None) -> None:
    """Refuse to resume with other settings, except that the same data may have moved.

    Args:
        run: the run to resume.
        asked: the settings to resume with.
        digest: the digest of the data to resume with; without it, the data are not compared.

    Raises:
        ConfigError: some differ, or ``config.json`` was edited; the message lists the settings.
        CheckpointError: the saved settings are damaged, or the data are not those that the run learned from.
    """
    saved = run.saved_config()
    newest, state = run.newest_checkpoint()
    if newest:
        _require_unedited(run, saved, newest, state)
    learned_from = state.get("digest")  # None before the first checkpoint
    has_other_images = None not in (digest, learned_from) and digest != learned_from
    if digest in (None, learned_from):  # the same data may have moved
        saved = saved.model_copy(update={"data": asked.data})
    elif has_other_images:  # say that the images differ, and not that they have another name
        saved = with_place_of_data(saved, asked)
    if saved.precision == "auto" and state.get("precision") == asked.precision:
        saved = saved.model_copy(update={"precision": asked.precision})
    changed = "; ".join(differences(saved, asked))
    if changed:
        longer = asked.steps != saved.steps
        advice = "--extend makes a complete run longer" if longer else "Leave them out, or name another folder"
        raise ConfigError(f"{shown(run.path)} was started with other settings: {changed}. {advice}.")
    if has_other_images:
        raise CheckpointError(
            f"{shown(run.path)} learned from other images than {as_given(asked.data.name)} holds. Put those back."
        )


def _require_unedited(run: RunFolder, saved: Config, newest: Path, state: Mapping[str, Any]) -> None:
    """Compare ``config.json`` with the settings in a checkpoint, except for the place of the data."""
    settings = checkpoint.read_document(newest, "model").get("config")
    if not isinstance(settings, dict):
        return
    try:
        trained = from_saved(settings).model_copy(update={"data": saved.data})
    except ConfigError as error:
        raise CheckpointError(f"{shown(newest / 'model.json')} has settings that cannot be used: {error}") from None
    step = state.get("step", 0)
    # "auto" and the precision that it stood for are the same setting.
    if {trained.precision, saved.precision} <= {"auto", state.get("precision")}:
        trained = trained.model_copy(update={"precision": saved.precision})
    while trained.steps in saved.extended_from:  # the run was extended later
        saved = saved.before_extension()
    # Changes of settings after this step have had no effect yet.
    edited = "; ".join(differences(trained.before(step), saved.before(step)))
    if edited:
        raise ConfigError(
            f"{shown(run.config_file)} was edited after {newest.name} was saved: {edited}. Change it back."
        )


def save_changed_settings(run: RunFolder, asked: Config) -> None:
    """Save the new place of the data and the new length of the run for the next resume."""
    saved = run.saved_config()
    changed = saved.model_copy(update={"data": asked.data, "steps": asked.steps, "extended_from": asked.extended_from})
    if changed != saved:
        run.write_config(changed)
