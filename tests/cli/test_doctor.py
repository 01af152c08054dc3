"""``inkgan doctor``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from inkgan.cli import run
from inkgan.cli.doctor import _short
from inkgan.config import resolve
from inkgan.runs.folder import RunFolder
from inkgan.training.doctor.rules import RULES
from refusals import command_refusal

_SOUND = {"loss_discriminator": 0.6, "loss_generator": 0.8}


def run_folder(folder: Path, lines: list[dict[str, float]]) -> str:
    """Write the folder of a run that logged these lines, and return its path."""
    folder.mkdir()
    (folder / "config.json").write_text(resolve().model_dump_json())
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(folder)


@pytest.mark.parametrize(("loss", "code", "said"), [(0.8, 0, "0 of"), (1e9, 1, "1 of")])
def test_the_exit_code_of_strict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], loss: float, code: int, said: str
) -> None:
    """--strict exits with 1 if a rule is ill at the end; without it, the same sentence and remedy are shown."""
    lines = [{"step": step, **_SOUND, "loss_generator": loss} for step in range(0, 90, 10)]
    folder = run_folder(tmp_path / "run", lines)
    assert run(["doctor", folder]) == 0
    shown = capsys.readouterr().out
    assert said in shown.splitlines()[-1]
    assert shown.splitlines()[-1].endswith(", at step 80")
    assert ("the training has blown up" in shown) == ("--set generator.learning_rate" in shown) == bool(code)
    assert run(["doctor", folder, "--strict"]) == code
    assert capsys.readouterr().out == shown


def test_a_run_from_before_there_was_a_doctor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the doctor's signals, the losses are judged, and each other rule says that nothing was logged."""
    folder = run_folder(tmp_path / "run", [{"step": step, **_SOUND} for step in range(0, 900, 10)])
    assert run(["doctor", folder, "--strict"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line.strip()}
    assert "healthy" in lines["blown-up"]
    assert "not judged" in lines["collapsed"]
    assert "logged nothing from step 50 on" in lines["collapsed"]
    assert lines["blown-up"].endswith(", 5 times in a row)")
    assert lines["not-finite"].endswith("(ill above 0.5)")  # once is enough


def test_numbers_are_short() -> None:
    """Thresholds in the thousands are written out."""
    assert [_short(value) for value in (2813.4, 0.001484, 31, 1e9)] == ["2810", "0.00148", "31", "1e+09"]


def test_a_run_that_no_rule_can_judge_is_not_called_healthy(tmp_path: Path) -> None:
    """A script that asks for a healthy run does not continue with one that has logged nothing."""
    folder = run_folder(tmp_path / "run", [])
    assert [run(["doctor", folder, *strict]) for strict in ([], ["--strict"])] == [0, 1]


def test_a_run_that_got_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A rule that was ill and has recovered is reported, and does not make --strict fail."""
    losses = [1e9] * 9 + [0.5] * 9
    lines = [{"step": 10 * number, "loss_generator": loss} for number, loss in enumerate(losses)]
    folder = run_folder(tmp_path / "run", lines)
    assert run(["doctor", folder, "--strict"]) == 0
    assert "was ill" in capsys.readouterr().out
    assert run(["doctor", folder, folder]) == 0  # the same with several runs
    assert [line.split()[:3] for line in capsys.readouterr().out.splitlines() if line.startswith("blown-up")] == [
        ["blown-up", "was", "ill"]
    ] * 2


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("nothing", "is not the folder of a run: there is no such folder."),
        ("no metrics", "metrics.jsonl: no such file or directory."),
        ("damaged", "metrics.jsonl is damaged: line 1 does not hold the metrics of a step."),
    ],
)
def test_a_folder_that_is_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str, said: str) -> None:
    """A folder that does not exist, or has no or damaged metrics, is a one-line error with exit code 2."""
    folder = tmp_path / "run"
    if what != "nothing":
        run_folder(folder, [])
        (folder / "metrics.jsonl").unlink() if what == "no metrics" else (folder / "metrics.jsonl").write_text("x\n")
    assert said in command_refusal(capsys, "doctor", folder)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("best", "best is a bundled model"),
        ("runs", "but holds the folders of runs, such as runs/one"),
        ("runs/one/config.json", "it is a file"),
    ],
)
def test_what_is_no_run_is_called_what_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, what: str, said: str
) -> None:
    """A bundled model's name, a folder of runs and a file of a run are told apart, in one line."""
    (tmp_path / "runs").mkdir()
    run_folder(tmp_path / "runs" / "one", [])
    monkeypatch.chdir(tmp_path)
    assert said in command_refusal(capsys, "doctor", what)


@pytest.mark.parametrize("changed", [{"a_new_setting": 1}, {"recipe": "newer"}, {"loss": "newer"}])
def test_a_run_of_a_newer_version_is_not_called_damaged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changed: dict[str, object]
) -> None:
    """Whole settings that this version does not know may be those of a newer one, and the message says so."""
    folder = run_folder(tmp_path / "run", [])
    path = tmp_path / "run" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))
    line = command_refusal(capsys, "doctor", folder)
    assert "If a newer inkgan wrote it, use that." in line
    assert "damaged" not in line


def test_several_runs_show_only_what_is_ill(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A healthy run takes one line, an ill one lists its findings; one ill run is enough for --strict to fail."""
    losses = {"sound": 0.8, "ill": 1e9}
    folders = [
        run_folder(tmp_path / name, [{"step": step, **_SOUND, "loss_generator": loss} for step in range(0, 90, 10)])
        for name, loss in losses.items()
    ]
    assert run(["doctor", *folders]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith(f"{folders[0]}: 0 of {len(RULES)} rules ill")
    assert shown[1].startswith("blown-up ")
    assert shown[-1].startswith(f"{folders[1]}: 1 of {len(RULES)} rules ill")
    assert [run(["doctor", *some, "--strict"]) for some in (folders, folders[::-1], folders[:1])] == [1, 1, 0]


def test_classes_have_the_names_of_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RunFolder, "class_names", lambda _: ("ring", "star"))
    dropped = {"doctor/classes_known": 0.9, "doctor/rarest": 0.0, "doctor/rarest_class": 1.0}
    assert run(["doctor", run_folder(tmp_path / "run", [{"step": step, **dropped} for step in (60, 70, 80)])]) == 0
    assert "at step 80: class 'star' is drawn 0.00 times as often as it is asked for." in capsys.readouterr().out


def test_a_rule_without_a_first_step_names_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The message about too few values does not show -1000000000, which stands for "no first step"."""
    assert run(["doctor", run_folder(tmp_path / "run", [{"step": 0, **_SOUND}])]) == 0
    shown = capsys.readouterr().out
    assert "it needs 5 values, and the run logged 1\n" in shown
    assert "-1000000000" not in shown


def test_lines_end_at_the_edge_of_a_narrow_window(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All but those with settings, which stay whole so that they can be copied."""
    ill = {"loss_generator": 1e9, "doctor/stuck_generator": 1.0, "doctor/stuck_discriminator": 1.0}  # with long advice
    lines = [{"step": step, **_SOUND, **ill} for step in range(0, 90, 10)]
    monkeypatch.chdir(tmp_path)
    folder = run_folder(Path("run"), lines)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    assert run(["doctor", folder]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line for line in said if len(line) > 60 and "--set " not in line] == []
    (copied,) = (line for line in said if "--set " in line)
    assert copied.strip().startswith("Start again with --set ")
    assert any(line.strip().startswith("Such units do not come back.") for line in said)
    reasons = [at for at, line in enumerate(said) if "not judged  the run logged nothing" in line]
    assert reasons
    start = said[reasons[0]].index("the run")
    assert said[reasons[0] + 1][:start].isspace()
    assert said[reasons[0] + 1][start] != " "
