"""Healing: a run returns to a healthy checkpoint and continues with the remedy; its record repeats it to the bit."""

from __future__ import annotations

import json
import math
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import inkgan
import tiny_runs as runs
from inkgan.config import Config, resolve
from inkgan.config.schema import Change
from inkgan.config.sources import as_toml
from inkgan.errors import ConfigError, DivergenceError, Interrupted
from inkgan.runs import checkpoint
from inkgan.runs.folder import RunFolder
from inkgan.training.compact import Compact
from inkgan.training.doctor import Finding
from inkgan.training.doctor.rules import RULES, Remedy
from inkgan.training.healing import IllnessError, go_back
from inkgan.training.recipe import StepInfo
from inkgan.training.recorder import Recorder

#: Without pre-training, which would spoil the checkpoint of step 0.
SAVING = ("pretraining_steps=0", "watch.save_every=2", "watch.keep=5", "watch.doctor_every=1")
WILD = (*SAVING, "discriminator.learning_rate=10.0")


def trained(folder: Path, data: Path, **options: Any) -> tuple[Config, list[str]]:
    """Train with healing; return the settings that the run ends with, and its warnings of healing."""
    watcher = runs.RecordingWatcher()
    assert runs.train(folder, data, watcher=watcher, heal=True, **{"steps": 12, **options}).complete
    told = [message for message in watcher.warnings if "Healing" in message]
    return RunFolder(folder).saved_config(), told


@pytest.mark.slow
def test_a_blown_up_run_continues_and_can_be_repeated(tmp_path: Path, small_data: Path) -> None:
    """It returns to step 0 with the usual rate, and a new run with its settings learns the same and is never ill."""
    config, told = trained(tmp_path / "ill", small_data, settings=WILD)
    (change,) = config.parsed_changes()
    assert change.step == 0
    assert change.settings == {"discriminator.learning_rate": 0.003}
    assert change.reason.startswith("healing 1: blown-up at step ")
    assert config.discriminator.learning_rate == 10
    assert len(told) == 1
    assert (
        "the training has blown up. Healing 1 of 3: back to step 0, continuing with discriminator.learning_rate=0.003."
        " Checkpoints after it are kept as NAME.ill."
    ) in told[0]
    kept = [*(tmp_path / "ill" / "checkpoints").glob("*.ill")]
    assert kept
    for one in kept:
        checkpoint.verify(one)

    changes = {"changes": list(config.changes), "discriminator.learning_rate": 10.0}
    again = runs.RecordingWatcher()
    settings = [*SAVING, *(f"{key}={json.dumps(value)}" for key, value in changes.items())]
    runs.train(tmp_path / "again", small_data, steps=12, watcher=again, settings=settings)
    assert runs.learned(tmp_path / "again") == runs.learned(tmp_path / "ill")
    assert not [message for message in again.warnings if "blown up" in message]


@pytest.fixture
def ill_at(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Steps at which the training diverges, once each, in this order."""
    left: list[int] = []
    shown = Recorder.step

    def step(self: Recorder, step: int, *rest: Any) -> Any:
        if left and step == left[0]:
            left.pop(0)
            raise DivergenceError("loss_generator is nan; the update was not made")
        return shown(self, step, *rest)

    monkeypatch.setattr(Recorder, "step", step)
    return left


@pytest.mark.slow
def test_it_goes_further_back_each_time(tmp_path: Path, small_data: Path, ill_at: list[int]) -> None:
    """It takes the newest checkpoint first and divides the rates by 3 each time, on top of earlier changes."""
    ill_at += [7, 7, 7]
    config, told = trained(tmp_path / "run", small_data, settings=SAVING)
    assert [message.partition("Healing ")[2][:24] for message in told] == [
        "1 of 3: back to step 6, ",
        "2 of 3: back to step 4, ",
        "3 of 3: back to step 2, ",
    ]
    (change,) = config.parsed_changes()
    assert change.step == 2
    assert change.settings["generator.learning_rate"] == pytest.approx(1e-3 / 27, rel=0.01)
    assert config.healings == 3
    assert ill_at == []


@pytest.mark.slow
def test_three_times_at_most_also_after_a_resume(tmp_path: Path, small_data: Path, ill_at: list[int]) -> None:
    """The fourth illness ends the run as without healing, and the next start does not heal either."""
    ill_at += [7, 7, 7, 3, 3]
    with pytest.raises(DivergenceError, match="training diverged at step 4: loss_generator is nan"):
        runs.train(tmp_path / "run", small_data, steps=12, heal=True, settings=SAVING)
    assert RunFolder(tmp_path / "run").saved_config().healings == 3
    with pytest.raises(DivergenceError, match="training diverged"):
        runs.train(tmp_path / "run", small_data, steps=12, heal=True, resume=True, settings=SAVING)
    assert runs.train(tmp_path / "run", small_data, steps=12, resume=True, settings=SAVING).complete


def test_a_signal_at_the_step_of_an_illness_is_not_lost(
    tmp_path: Path, small_data: Path, ill_at: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run is healed and then stops, saved, instead of training to its end."""
    ill_at += [7]
    shown = Recorder.step

    def step(self: Recorder, step: int, *rest: Any) -> None:
        if ill_at == [step]:
            signal.raise_signal(signal.SIGINT)
        shown(self, step, *rest)

    monkeypatch.setattr(Recorder, "step", step)
    with pytest.raises(Interrupted, match="stopped by a signal at step 6 and saved"):
        runs.train(tmp_path / "run", small_data, heal=True, steps=12, settings=SAVING)
    config, _ = trained(tmp_path / "run", small_data, settings=SAVING, resume=True)
    assert config.healings == 1


def test_the_first_step_is_healed(tmp_path: Path, small_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Step 0 is saved before the first step, so a run that diverges in it has a checkpoint to go back to."""
    real_step, numbers = Compact.step, []

    def step(self: Compact, info: StepInfo, *rest: Any) -> Any:
        numbers.append(info.number)
        if len(numbers) == 1:
            raise DivergenceError("loss_generator is nan; the update was not made")
        return real_step(self, info, *rest)

    monkeypatch.setattr(Compact, "step", step)
    config, told = trained(tmp_path / "run", small_data, settings=SAVING, steps=2)
    assert numbers == [0, 0, 1]
    assert [change.step for change in config.parsed_changes()] == [0]
    assert "Healing 1 of 3: back to step 0" in told[0]
    assert told[0].endswith("generator.learning_rate=0.00033.")  # no checkpoint was put aside


def test_without_a_checkpoint(tmp_path: Path, small_data: Path) -> None:
    """One line says that there is no checkpoint to go back to."""
    settings = ["discriminator.learning_rate=1e3", "pretraining_steps=9", "watch.save_every=500"]
    with pytest.raises(DivergenceError, match=r"no checkpoint to go back to\. Start again"):
        runs.train(tmp_path / "run", small_data, heal=True, settings=settings)


def test_a_healthy_checkpoint_is_kept_until_the_illness_is_found(tmp_path: Path, small_data: Path) -> None:
    """It goes back to just before the illness although, when that is found, the newest checkpoints are all ill."""
    settings = ("watch.save_every=1", "watch.keep=1", 'changes=["8 discriminator.learning_rate=1"]')
    config, told = trained(tmp_path / "run", small_data, settings=(*SAVING, *settings), steps=20)
    (change,) = config.parsed_changes()
    start, _, found = change.reason.rpartition(" ")
    assert start == "healing 1: blown-up at step"
    assert change.step == int(found) - 5  # the rule alarms at the fifth ill step in a row
    assert f"Healing 1 of 3: back to step {change.step}, " in told[0]


def test_divergence_goes_back_to_before_the_losses_were_too_large(
    tmp_path: Path, small_data: Path, ill_at: list[int]
) -> None:
    """The rule ``blown-up`` waits for five steps; a run that diverges meanwhile does not go back to one of them."""
    ill_at += [11]
    settings = ("watch.save_every=1", 'changes=["8 discriminator.learning_rate=1"]')
    _, told = trained(tmp_path / "run", small_data, settings=(*SAVING, *settings), steps=20)
    assert "at step 12 loss_generator is nan; the update was not made. Healing 1 of 3: back to step 8, " in told[0]


def test_divergence_does_not_go_back_to_a_step_whose_losses_were_too_large(
    tmp_path: Path, small_data: Path, ill_at: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even if they were small again before the run diverged."""
    ill_at += [8]
    shown = Recorder.step

    def step(self: Recorder, step: int, terms: dict[str, torch.Tensor], *rest: Any) -> None:
        large = {"loss_generator": torch.tensor(1e9)} if step in (5, 6) else {}
        shown(self, step, terms | large, *rest)

    monkeypatch.setattr(Recorder, "step", step)
    _, told = trained(tmp_path / "run", small_data, settings=(*SAVING, "watch.save_every=3"))
    assert [message.partition("Healing ")[2][:24] for message in told] == ["1 of 3: back to step 3, "]


def test_weights_that_cannot_be_saved_at_the_end_are_healed(
    tmp_path: Path, small_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As at any other step at which the run is saved."""
    real_step = Compact.step
    spoiled: list[int] = []

    def step(self: Compact, info: StepInfo, *rest: Any) -> Any:
        terms = real_step(self, info, *rest)
        if info.step == 2 and not spoiled:
            spoiled.append(info.step)
            with torch.no_grad():
                next(self.generator.parameters()).fill_(math.nan)
        return terms

    monkeypatch.setattr(Compact, "step", step)
    quiet = ("watch.doctor_every=9", "watch.grid_every=0")
    _, told = trained(tmp_path / "run", small_data, settings=(*SAVING, *quiet), steps=3)
    assert len(told) == 1
    assert "is not finite. Healing 1 of 3: back to step 2, " in told[0]


@pytest.mark.slow
def test_a_run_that_was_resumed_is_healed_as_if_it_had_not_stopped(tmp_path: Path, small_data: Path) -> None:
    """The doctor remembers what it judged before, also if the settings say that no losses are logged."""
    never = ("watch.log_every=0", 'changes=["4 discriminator.learning_rate=1"]')
    whole, _ = trained(tmp_path / "whole", small_data, settings=(*SAVING, *never), steps=14)
    runs.train(tmp_path / "parts", small_data, settings=(*SAVING, *never), steps=14, stop_at=8, heal=True)
    parts, told = trained(tmp_path / "parts", small_data, settings=(*SAVING, *never), steps=14, resume=True)
    assert told
    assert parts.changes == whole.changes
    assert runs.learned(tmp_path / "parts") == runs.learned(tmp_path / "whole")


@pytest.mark.parametrize("changes", ["[]", '["11 penalty.weight=1"]'])
def test_the_command_of_a_healed_run_may_be_repeated(
    tmp_path: Path, small_data: Path, ill_at: list[int], changes: str
) -> None:
    """A job that is started again gives the settings that the run began with, all of them in a file of --dry-run."""
    settings = [*runs.SETTINGS, *SAVING, f"changes={changes}"]
    began, _ = runs.configure(data=str(small_data), steps=12, precision="float32", settings=settings)
    (tmp_path / "settings.toml").write_text(as_toml(began), "utf-8")
    options: Any = {"config": tmp_path / "settings.toml", "out": tmp_path / "run", "heal": True, "device": "cpu"}
    ill_at += [7]
    assert inkgan.train(**options, stop_at=9).step == 9
    healed = RunFolder(tmp_path / "run").saved_config()
    assert healed.healings == 1
    assert inkgan.train(**options, resume=True).complete
    assert RunFolder(tmp_path / "run").saved_config() == healed


def test_an_ill_run_that_is_resumed_with_healing_is_healed(tmp_path: Path, small_data: Path) -> None:
    """Although the doctor found the illness before, when the run was not to be healed."""
    settings = (*SAVING, 'changes=["4 discriminator.learning_rate=1"]')
    watcher = runs.RecordingWatcher()
    runs.train(tmp_path / "run", small_data, settings=settings, steps=20, stop_at=16, watcher=watcher)
    assert [warning for warning in watcher.warnings if "`inkgan help doctor` explains blown-up" in warning]
    config, told = trained(tmp_path / "run", small_data, settings=settings, steps=20, resume=True)
    assert told
    assert len(told) == config.healings


LATER = "8 penalty.weight=2.0 generator.learning_rate=0.5"


@pytest.mark.parametrize(
    ("healthy_at", "before", "step", "after"),
    [
        (6, (), 6, ("6 {} # {}",)),
        (5, (), 4, ("4 {} # {}",)),
        (-math.inf, (), 0, ("0 {} # {}",)),
        (8, ("6 penalty.weight=1.0 # mine",), 8, ("6 penalty.weight=1.0 # mine", "8 {} # {}")),
        (8, ("4 penalty.weight=1.0 # healing 1: x",), 2, ("2 penalty.weight=1.0 {} # {}",)),
        (4, ("2 penalty.weight=1.0", LATER), 4, ("2 penalty.weight=1.0", "4 penalty.weight=2.0 {} # {}")),
        (0, ("0 penalty.weight=1.0", LATER), 0, ("0 penalty.weight=2.0 {} # {}",)),
        (0, ("0 penalty.weight=1.0",), 0, ("0 penalty.weight=1.0 {} # {}",)),
        (
            6,
            ("9 penalty.weight=2.0", "10 penalty.weight=3.0 # to come"),
            6,
            ("6 penalty.weight=2.0 {} # {}", "10 penalty.weight=3.0 # to come"),
        ),
    ],
)
def test_where_it_goes_back_to_and_what_it_keeps(
    tmp_path: Path, healthy_at: float, before: tuple[str, ...], step: int, after: tuple[str, ...]
) -> None:
    """It goes to the last healthy checkpoint before the last healing, and keeps all changes but those it overrides.

    Those that the run had not reached keep their steps.
    """
    rule = next(rule for rule in RULES if rule.name == "blown-up")
    finding = Finding(rule, 9, "it blew up", Remedy(("generator.learning_rate=0.001",)), healthy_at)
    run: Any = SimpleNamespace(config=resolve(overrides={"changes": before}), folder=RunFolder(tmp_path))
    for saved in (-2, 0, 2, 4, 6, 8):
        checkpoint.save(run.folder.checkpoints, saved, {"generator": {}}, {"state": {}, "model": {}})
    config = go_back(run, IllnessError(finding, ()), runs.RecordingWatcher())
    number = 2 if "healing" in str(before) else 1
    change = "generator.learning_rate=0.001", f"healing {number}: blown-up at step 9"
    assert config.changes == tuple(text.format(*change) for text in after)
    assert run.folder.saved_config() == config
    assert checkpoint.list_steps(run.folder.checkpoints)[-1] == step
    assert len(list(run.folder.checkpoints.glob("*.ill"))) == (8 - step) // 2


@pytest.mark.parametrize(
    ("options", "needed"),
    [
        ({"recipe": "tutorial"}, "the tutorial is fixed, so it cannot be healed"),
        ({"settings": ["watch.doctor_every=0"]}, "--heal needs the doctor"),
        ({"settings": ["slices=2"], "processes": 2}, "--heal works with one process, and 2 train"),
    ],
)
def test_where_it_is_refused(tmp_path: Path, options: dict[str, Any], needed: str) -> None:
    """Healing is refused in one line before anything is written."""
    with pytest.raises(ConfigError, match=needed):
        inkgan.train(out=tmp_path / "run", heal=True, device="cpu", **options)
    assert not (tmp_path / "run").exists()


# Settings that change


def test_changes_hold_from_their_step_on() -> None:
    """The last change of a setting wins, and the settings at a step list no changes of their own."""
    config = resolve(
        overrides={"changes": ["3 penalty.weight=2 generator.learning_rate=0.5", "5 penalty.weight=0 # why"]}
    )
    assert [config.at(step).penalty.weight for step in (-1, 2, 3, 4, 5, 99)] == [0.4, 0.4, 2, 2, 0, 0]
    assert [config.at(step).generator.learning_rate for step in (2, 3, 99)] == [0.003, 0.5, 0.5]
    assert config.at(9).changes == ()
    assert config.before(5).changes == ("3 penalty.weight=2.0 generator.learning_rate=0.5",)
    assert config.before(6).parsed_changes() == config.parsed_changes()
    assert config.at(0) == resolve()


@pytest.mark.parametrize(
    "text",
    ["0 penalty.weight=0.1", "12 generator.learning_rate=1e-05 penalty.weight=3.0 # healing 1: collapsed at step 9"],
)
def test_a_change_is_read_as_it_is_written(text: str) -> None:
    """Numbers, order and reason survive parsing."""
    assert str(Change.parse(text)) == text


@pytest.mark.parametrize(
    ("changes", "needed"),
    [
        (["penalty.weight=1"], "write changes of .* like '400 penalty.weight=2'"),
        (["x penalty.weight=1"], "write changes of .* like '400 penalty.weight=2'"),
        (["3"], "write changes of .* like '400 penalty.weight=2'"),
        ([""], "write changes of .* like '400 penalty.weight=2'"),
        (["3 penalty.weight=heavy"], "write changes of .* like '400 penalty.weight=2'"),
        (["3 batch_size=9"], "write changes of generator.learning_rate"),
        (["3 penalty.weight=-1"], "penalty.weight=-1.0 is not allowed"),
        (["3 penalty.weight=nan"], "penalty.weight=nan is not allowed"),
        (["3 penalty.weight=-1", "5 penalty.weight=1"], "penalty.weight=-1.0 is not allowed"),
        (["3 penalty.weight=1", "3 penalty.weight=2"], "in the order of their steps"),
    ],
)
def test_changes_that_are_not_allowed(changes: list[str], needed: str) -> None:
    """A one-line error says what is allowed."""
    with pytest.raises(ConfigError, match=needed):
        resolve(overrides={"changes": changes})
