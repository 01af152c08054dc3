"""``inkgan doctor``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from inkgan.cli import run
from inkgan.config import resolve

_SOUND = {"loss_discriminator": 0.6, "loss_generator": 0.8}


def run_folder(folder: Path, lines: list[dict[str, float]]) -> str:
    """A run that logged these lines."""
    folder.mkdir()
    (folder / "config.json").write_text(resolve().model_dump_json())
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(folder)


@pytest.mark.parametrize(("loss", "code", "said"), [(0.8, 0, "0 of"), (1e9, 1, "1 of")])
def test_the_exit_code_of_strict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], loss: float, code: int, said: str
) -> None:
    """1 for what is ill at the end, and only if asked; the sentence and the remedy are there in both cases."""
    lines = [{"step": step, **_SOUND, "loss_generator": loss} for step in range(0, 90, 10)]
    folder = run_folder(tmp_path / "run", lines)
    assert run(["doctor", folder]) == 0
    shown = capsys.readouterr().out
    assert said in shown.splitlines()[-1]
    assert ("the training has blown up" in shown) == ("--set generator.learning_rate" in shown) == bool(code)
    assert run(["doctor", folder, "--strict"]) == code
    assert capsys.readouterr().out == shown


def test_a_run_from_before_there_was_a_doctor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its losses are judged; of the rest it says that nothing was logged."""
    folder = run_folder(tmp_path / "run", [{"step": step, **_SOUND} for step in range(0, 900, 10)])
    assert run(["doctor", folder, "--strict"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line.strip()}
    assert "healthy" in lines["blown-up"]
    assert "not judged" in lines["collapsed"]
    assert "logged no signal" in lines["collapsed"]


def test_a_run_that_got_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was ill is told, and is no reason to fail."""
    losses = [1e9] * 9 + [0.5] * 9
    lines = [{"step": 10 * number, "loss_generator": loss} for number, loss in enumerate(losses)]
    assert run(["doctor", run_folder(tmp_path / "run", lines), "--strict"]) == 0
    assert "was ill" in capsys.readouterr().out


@pytest.mark.parametrize("what", ["nothing", "no metrics", "damaged"])
def test_what_is_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str) -> None:
    """One line, exit code 2."""
    folder = tmp_path / "run"
    if what != "nothing":
        run_folder(folder, [])
        (folder / "metrics.jsonl").unlink() if what == "no metrics" else (folder / "metrics.jsonl").write_text("x\n")
    assert run(["doctor", str(folder)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
