"""Many runs: each equals a single run with its seed; complete runs stay, and unfinished ones resume."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import re
import shutil
import signal
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from rich.table import Table

import inkgan
import tiny_runs as runs
from inkgan import device
from inkgan.cli import run
from inkgan.cli.many_runs import TimeLeft, last_step, line_of, share_done, table
from inkgan.config.schema import flat
from inkgan.config.sources import as_toml
from inkgan.errors import (
    CheckpointError,
    ConfigError,
    DivergenceError,
    InkganWarning,
    Interrupted,
    OutputError,
    printable,
)
from inkgan.generation import engines
from inkgan.runs.folder import RunFolder
from inkgan.training import many_runs
from inkgan.training.many_runs import Outcome, TrainingTask, parse_seeds, train_many
from inkgan.training.watching import Result
from refusals import command_refusal

# Sixteen images to train with and two to test on; each run begins with a warning of that.
pytestmark = pytest.mark.filterwarnings("ignore:small has too few test images")


def task(out: Path, data: Path, **options: Any) -> TrainingTask:
    """Return a task of tiny runs."""
    given = {"data": str(data), "steps": runs.STEPS, "device": "cpu", "precision": "float32", "settings": runs.SETTINGS}
    return TrainingTask(None, {**given, "out": str(out), **options})  # type: ignore[typeddict-item]


@pytest.mark.slow
@pytest.mark.usefixtures("no_workers")
def test_each_is_the_run_of_its_seed(tmp_path: Path, small_data: Path) -> None:
    """The runs in OUT-SEED equal single runs to the bit, and a second call trains nothing."""
    both = task(tmp_path / "a", small_data)
    ended = [(one.seed, one.result.step, one.result.complete, one.trouble) for one in train_many(both, [0, 3])]
    assert ended == [(0, 6, True, ""), (3, 6, True, "")]
    runs.train(tmp_path / "alone", small_data, seed=3)
    assert runs.learned(tmp_path / "a-3") == runs.learned(tmp_path / "alone")
    assert runs.learned(tmp_path / "a-0") != runs.learned(tmp_path / "alone")
    before = {seed: runs.learned(tmp_path / f"a-{seed}") for seed in (0, 3)}
    assert [one.result.complete for one in train_many(both, [0, 3])] == [True, True]
    assert {seed: runs.learned(tmp_path / f"a-{seed}") for seed in (0, 3)} == before


@pytest.mark.slow
@pytest.mark.usefixtures("no_workers")
def test_what_is_unfinished_goes_on(tmp_path: Path, small_data: Path) -> None:
    """A stopped run resumes and ends as if it had not stopped."""
    for stop_at, complete in ((3, False), (None, True)):
        ended = train_many(task(tmp_path / "a", small_data, stop_at=stop_at), [0, 1])
        assert [one.result.complete for one in ended] == [complete, complete]
    runs.train(tmp_path / "alone", small_data, seed=1)
    assert runs.learned(tmp_path / "a-1") == runs.learned(tmp_path / "alone")


@pytest.mark.usefixtures("no_workers")
def test_data_that_have_moved(tmp_path: Path, small_data: Path) -> None:
    """The same command with their new place continues the runs that learn from them, and no others."""
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
    here, there = tmp_path / "here" / "small.npz", tmp_path / "there" / "small.npz"
    shutil.copyfile(small_data, here)
    assert [one.result.step for one in train_many(task(tmp_path / "a", here, stop_at=3), [0])] == [3]
    here.rename(there)
    assert [one.result.complete for one in train_many(task(tmp_path / "a", there), [0])] == [True]
    assert RunFolder(tmp_path / "a-0").saved_config().data.name == str(there)
    with pytest.raises(ConfigError, match=r"a-0 has a run of other settings: data\.name: "):
        train_many(task(tmp_path / "a", tmp_path / "other.npz"), [0])
    np.savez(there, images=255 - np.load(there)["images"])
    with pytest.raises(CheckpointError, match="learned from other images"):
        list(train_many(task(tmp_path / "a", there), [0]))


@pytest.mark.usefixtures("no_workers")
@pytest.mark.parametrize("form", ["setting", "config"])
def test_the_place_of_data_counts_however_it_is_given(tmp_path: Path, small_data: Path, form: str) -> None:
    """Other images of the same name are refused, although those that the run learned from are still there."""
    (tmp_path / "there").mkdir()
    there = tmp_path / "there" / small_data.name
    list(train_many(task(tmp_path / "a", small_data, stop_at=3), [0]))
    place = f'data.name = "{there}"'
    (tmp_path / "place.toml").write_text(place + "\n", "utf-8")
    given = {"settings": [*runs.SETTINGS, place]} if form == "setting" else {"config": tmp_path / "place.toml"}
    again = task(tmp_path / "a", small_data, **given)
    again = replace(again, options={**again.options, "data": None})
    np.savez(there, images=255 - np.load(small_data)["images"])
    with pytest.raises(CheckpointError, match="learned from other images"):
        list(train_many(again, [0]))
    shutil.copyfile(small_data, there)
    assert [one.result.complete for one in train_many(again, [0])] == [True]
    assert RunFolder(tmp_path / "a-0").saved_config().data.name == str(there)


@pytest.mark.usefixtures("no_workers")
def test_what_runs_say_before_their_first_step(tmp_path: Path) -> None:
    """Notes on the data are warnings; what the doctor finds is in the outcome alone."""
    images = np.full((20, 12, 12), 255, np.uint8)
    images[:, 4:8, 5:7] = np.random.default_rng(0).integers(0, 50, (20, 4, 2))
    np.savez(tmp_path / "dark.npz", images=images)
    fast = task(tmp_path / "a", tmp_path / "dark.npz", settings=[*runs.SETTINGS, "generator.learning_rate=0.1"])
    with pytest.warns(InkganWarning) as warned:
        (outcome,) = train_many(fast, [0])
    assert "learning-rate" in outcome.ill
    inverted, few = (str(one.message) for one in warned)
    assert "the images are inverted" in inverted
    assert "too few test images" in few


@pytest.mark.usefixtures("no_workers")
def test_one_that_diverges(tmp_path: Path, small_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other runs continue, and the exit code at the end is 3."""
    true = inkgan.train

    def failing(recipe: str | None, **options: Any) -> Any:
        if options["seed"] == 0:
            raise DivergenceError("the loss is not finite.")
        return true(recipe, **options)

    monkeypatch.setattr(many_runs, "train", failing)
    assert run(runs.command(tmp_path / "a", small_data, "--seeds", "0-1", steps=2)) == 3
    assert (tmp_path / "a-1/config.json").is_file()


@pytest.mark.slow
def test_the_command(tmp_path: Path, small_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two processes train three runs and print one line for each."""
    words = runs.command(tmp_path / "a", small_data, "--seeds", "0-1,5", "--jobs", 2, steps=2)
    assert run([*words, "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert printed.splitlines()[:3] == [f"# would run in {tmp_path}/a-{seed}" for seed in (0, 1, 5)]
    assert tomllib.loads(printed)["seed"] == 0
    assert tomllib.loads(printed)["steps"] == 2
    assert list(tmp_path.iterdir()) == []
    assert run(words) == 0
    said = sorted(capsys.readouterr().out.splitlines())
    assert [line.partition(":")[0] for line in said] == ["seed 0", "seed 1", "seed 5"]
    assert all(line.endswith("complete") for line in said)
    assert [inkgan.load(tmp_path / f"a-{seed}").description["step"] for seed in (0, 1, 5)] == [2, 2, 2]


@pytest.mark.usefixtures("no_workers")
def test_plain_lines_on_a_terminal(
    tmp_path: Path, small_data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With ``--plain``, and in the background, it prints a line for each run instead of a table."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    words = runs.command(tmp_path / "a", small_data, "--seeds", 0, steps=1)
    assert run([*words, "--plain"]) == 0
    assert capsys.readouterr().out.startswith("seed 0: step 1, ")
    assert run(words) == 0
    assert "1 of 1 runs ended" in capsys.readouterr().out
    monkeypatch.setattr("inkgan.cli.many_runs.in_foreground", lambda: False)
    assert run(words) == 0
    assert capsys.readouterr().out.startswith("seed 0: step 1, ")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"seed": 3}, "--seed is for one run"),
        ({"seed": 0}, "--seed is for one run"),
        ({"resume": True}, "--resume is for one run"),
        ({"extend": True}, "--extend is for one run"),
        ({"processes": 2}, "--processes is for one run"),
        ({"force": True}, "--force replaces one run"),
        ({"settings": ["los=hinge"]}, "unknown setting"),
    ],
)
def test_options_of_one_run(tmp_path: Path, small_data: Path, options: dict[str, Any], said: str) -> None:
    """Options that make no sense for many runs are refused before any run starts."""
    with pytest.raises(ConfigError, match=said):
        train_many(task(tmp_path / "a", small_data, **options), [0])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("no_workers")
def test_folders_that_are_taken(tmp_path: Path, small_data: Path, finished_run: Path) -> None:
    """A folder of other files, or a run with other settings, is refused before any run starts."""
    (tmp_path / "a-1").mkdir()
    (tmp_path / "a-1/mine.txt").touch()
    with pytest.raises(OutputError, match=r"a-1 holds mine\.txt, which no run wrote"):
        train_many(task(tmp_path / "a", small_data), [0, 1])
    runs.copy(finished_run, tmp_path / "b-0")
    with pytest.raises(ConfigError, match=r"b-0 has a run of other settings: steps: 6 -> 7\."):
        train_many(task(tmp_path / "b", small_data, steps=7), [0])
    for jobs, engine, said in ((0, "processes", "cannot run 0 jobs"), (1, "rey", "unknown engine 'rey'")):
        with pytest.raises(ConfigError, match=said):
            train_many(task(tmp_path / "c", small_data), [0], jobs=jobs, engine=engine)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-1", "b-0"]


@pytest.mark.parametrize(
    "changed",
    [
        {"extended_from": [6], "steps": 8},
        {"changes": ["6 generator.learning_rate=0.001 # healing 1: blown-up at step 5"]},
    ],
)
def test_a_run_whose_settings_changed_later_is_not_of_other_settings(
    tmp_path: Path, small_data: Path, finished_run: Path, changed: dict[str, Any]
) -> None:
    """It was extended or healed, so its settings are no longer those that it began with."""
    path = runs.copy(finished_run, tmp_path / "a-0") / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | changed), "utf-8")
    many_runs.require_possible(task(tmp_path / "a", small_data), [0], jobs=1, engine="processes")


def test_a_run_that_was_extended_at_other_steps_has_other_settings(
    tmp_path: Path, small_data: Path, finished_run: Path
) -> None:
    """The schedule of each part refers to its length."""
    path = runs.copy(finished_run, tmp_path / "a-0") / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {"extended_from": [6, 8], "steps": 10}), "utf-8")
    for lengths in ("[]", "[6]"):
        begun = task(tmp_path / "a", small_data, settings=[*runs.SETTINGS, f"extended_from={lengths}"], steps=8)
        many_runs.require_possible(begun, [0], jobs=1, engine="processes")
    other = task(tmp_path / "a", small_data, settings=[*runs.SETTINGS, "extended_from=[8]"], steps=10)
    with pytest.raises(ConfigError, match=r"a-0 has a run of other settings: extended_from: "):
        many_runs.require_possible(other, [0], jobs=1, engine="processes")


@pytest.mark.usefixtures("no_workers")
def test_a_run_that_was_extended_keeps_its_length(tmp_path: Path, small_data: Path, finished_run: Path) -> None:
    """The command that made it may be repeated, and then trains nothing; another length is still refused."""
    runs.copy(finished_run, tmp_path / "a-0")
    runs.train(tmp_path / "a-0", small_data, steps=None, extend=2)
    tables = tmp_path / "same.toml"
    saved = RunFolder(finished_run).saved_config()
    tables.write_text(as_toml(saved), "utf-8")
    given = {
        key: value for key, value in flat(saved.model_dump()).items() if key not in ("seed", "data.name", "precision")
    }
    for same in (
        {},
        {"steps": None, "settings": [*runs.SETTINGS, f"steps = {runs.STEPS}"]},
        {"steps": None, "settings": given},
        {"steps": None, "settings": None, "config": tables},
        {"steps": None, "settings": None, "config": tmp_path / "a-0" / "config.json"},
    ):
        (again,) = train_many(task(tmp_path / "a", small_data, **same), [0])
        assert (again.result.step, again.result.complete) == (runs.STEPS + 2, True)
    for other in ({"steps": runs.STEPS - 1}, {"steps": None, "settings": [*runs.SETTINGS, f"steps={runs.STEPS - 1}"]}):
        with pytest.raises(ConfigError, match=r"a-0 has a run of other settings: steps: 8 -> 5\."):
            train_many(task(tmp_path / "a", small_data, **other), [0])


@pytest.mark.parametrize(
    ("reason", "refused"),
    [("# healing 1: blown-up at step 5", False), ("# a rule of mine", True)],
    ids=["healed", "edited"],
)
def test_changes_that_were_asked_for(
    tmp_path: Path, small_data: Path, finished_run: Path, reason: str, refused: bool
) -> None:
    """The command that made a run may be repeated although healing has rewritten the changes that it gives, if any."""
    path = runs.copy(finished_run, tmp_path / "a-0") / "config.json"
    changes = [f"6 generator.learning_rate=0.001 {reason}"]
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {"changes": changes}), "utf-8")
    for settings in (runs.SETTINGS, [*runs.SETTINGS, 'changes=["8 generator.learning_rate=0.01"]']):
        asked = task(tmp_path / "a", small_data, settings=settings)
        with pytest.raises(ConfigError, match="changes: ") if refused else contextlib.nullcontext():
            many_runs.require_possible(asked, [0], jobs=1, engine="processes")


def test_a_run_that_is_there_gets_all_options_too(tmp_path: Path, small_data: Path, finished_run: Path) -> None:
    """Among them are those of a start: when it stops, healing and the device."""
    both = task(tmp_path / "a", small_data, stop_at=4, heal=True, timeout=9.0, device="cuda:1")
    runs.copy(finished_run, tmp_path / "a-0")
    assert both.options_of(0) == {**both.options, "seed": 0, "out": tmp_path / "a-0", "resume": True}
    assert both.options_of(1) == {**both.options, "seed": 1, "out": tmp_path / "a-1", "resume": False}


def test_the_folders_of_the_runs(tmp_path: Path) -> None:
    """They have the name that was given and the seed, or the names that single runs have."""
    named = TrainingTask("fast", {"out": str(tmp_path / "mine/")})
    assert [named.folder(seed) for seed in (0, 12)] == [tmp_path / "mine-0", tmp_path / "mine-12"]
    unnamed = TrainingTask("best", {"data": "elsewhere/fashion.npz"})
    assert unnamed.folder(12) == Path("runs/best-fashion-seed12")


@pytest.mark.parametrize("cluster", ["", "ray://head:10001"])
@pytest.mark.parametrize("name", list(engines.ENGINES))
@pytest.mark.parametrize(
    ("asked", "jobs", "threads"),
    [("", 1, None), ("", 2, 4), ("", 3, 2), ("", 8, 1), ("", 20, 1), ("3", 1, None), ("3", 2, 3)],
)
def test_jobs_share_the_cores(
    tmp_path: Path,
    small_data: Path,
    monkeypatch: pytest.MonkeyPatch,
    cluster: str,
    name: str,
    asked: str,
    jobs: int,
    threads: int | None,
) -> None:
    """Each has the threads that OMP_NUM_THREADS asks for, or its share of the cores; one job has PyTorch's number.

    A cluster divides its cores itself.
    """
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    monkeypatch.setenv("RAY_ADDRESS", cluster)
    given: list[tuple[Any, ...]] = []

    def engine(*arguments: Any, **_: object) -> Iterator[Any]:
        given.append(arguments)
        return iter(())

    monkeypatch.setitem(engines.ENGINES, name, engine)
    for module in (device, engines):  # which divides them, and which says how many jobs there may be
        monkeypatch.setattr(module, "cores", lambda: 8)
    one = task(tmp_path / "a", small_data)
    assert list(train_many(one, [0, 3], jobs=jobs, engine=name)) == []
    expected = None if name == "ray" and cluster else threads
    assert given == [(replace(one, threads=expected), [0, 3], jobs)]


@pytest.mark.parametrize("begun", [True, False])
def test_the_outcome_of_one_that_diverges(
    tmp_path: Path, small_data: Path, finished_run: Path, monkeypatch: pytest.MonkeyPatch, begun: bool
) -> None:
    """It has the step and the time of the newest checkpoint, if there is any."""
    given: dict[str, Any] = {}

    def failing(_recipe: str | None, **options: Any) -> Any:
        given.update(options)
        raise DivergenceError("the loss is not finite.")

    monkeypatch.setattr(many_runs, "train", failing)
    if begun:
        runs.copy(finished_run, tmp_path / "a-3")
    state: dict[str, Any] = {"step": 0, "seconds": 0.0}
    if begun:
        state = RunFolder(tmp_path / "a-3").newest_checkpoint()[1]
    result = Result(tmp_path / "a-3", state["step"], state["seconds"], complete=False, sheet=None)
    assert (state["step"], state["seconds"] > 0) == ((6, True) if begun else (0, False))
    assert task(tmp_path / "a", small_data)(3) == Outcome(3, result, "the loss is not finite.")
    assert (given["seed"], given["out"], given["resume"]) == (3, tmp_path / "a-3", begun)


def test_runs_of_one_process_each_are_not_started_by_a_launcher_of_several(
    tmp_path: Path, small_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its processes would train the same runs; a launcher of one process is no trouble."""
    monkeypatch.setenv("RANK", "0")
    for size, refused in (("1", False), ("2", True)):
        monkeypatch.setenv("WORLD_SIZE", size)
        expected = pytest.raises(ConfigError, match="the launcher started 2") if refused else contextlib.nullcontext()
        with expected:
            many_runs.require_possible(task(tmp_path / "a", small_data), [0, 1], jobs=1, engine="processes")


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("0-3", [0, 1, 2, 3]),
        ("7", [7]),
        ("1, 2,5-6", [1, 2, 5, 6]),
        ("3,1-3", [3, 1, 2]),
        (" 4 - 5 ", [4, 5]),
        ("9223372036854775807", [9223372036854775807]),
        ("1-10000", [*range(1, 10_001)]),
    ],
)
def test_lists_of_seeds(text: str, seeds: list[int]) -> None:
    """Ranges and numbers can be mixed, and each seed occurs once."""
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize(
    ("text", "said"),
    [
        *(
            (text, r"is not a list of seeds\. Write 0-9, or 1,2,5-7\.")
            for text in ("", "a", "-1", "1-", "²", "٣", "1..3")
        ),
        *((text, r"is not a list of seeds\. Write") for text in ("9223372036854775808", "1,,2")),
        ("3-1", r"runs backwards\. Give the smaller seed first: 1-3\."),
        ("0-10000", "has more than 10,000 seeds"),
        ("10000-0", "has more than 10,000 seeds"),
    ],
)
def test_no_lists_of_seeds(text: str, said: str) -> None:
    """A one-line error says how to write seeds."""
    with pytest.raises(ConfigError, match=f"^--seeds {re.escape(text)} {said}"):
        parse_seeds(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [("1,7-5", "runs backwards. Give the smaller seed first: 5-7."), ("0-10000", "has more than 10,000 seeds.")],
)
def test_what_is_wrong_with_a_range_of_seeds(text: str, said: str) -> None:
    """The message gives the one reason that holds."""
    with pytest.raises(ConfigError) as refused:
        parse_seeds(text)
    assert str(refused.value).startswith(f"--seeds {text} {said}")


def printed(shown: Table, width: int = 200) -> str:
    """Return a table as a terminal shows it."""
    console = Console(file=io.StringIO(), width=width)
    with console.capture() as captured:
        console.print(shown)
    return captured.get()


def test_the_table(tmp_path: Path, finished_run: Path) -> None:
    """Each row shows the step that a run logged last, or how it ended."""
    folders = {0: finished_run, 1: tmp_path / "a-1", 2: tmp_path / "a-2"}
    result = Result(tmp_path / "a-2", 5, 1.0, complete=False, sheet=None)
    lost = Outcome(2, result, "diverged: the loss is not finite.")
    lines = printed(table(folders, {2: lost}, ", 0:00:05 left", 3, {})).splitlines()
    assert lines[0].startswith("1 of 3 runs ended, 0:00:05 left")
    rows = {line.split("│")[1].strip(): line for line in lines if "│" in line}
    assert rows["0"].split("│")[3].strip() == "6/6"
    assert "training" in rows["0"]
    assert "waiting" in rows["1"]
    assert "diverged: the loss is not finite" in rows["2"]
    assert last_step(tmp_path / "none") == ""
    (tmp_path / "metrics.jsonl").write_text("[" * 4000 + "\n", "utf-8")
    assert last_step(tmp_path) == ""


@pytest.mark.parametrize("width", [80, 40])
def test_the_table_tells_runs_apart_in_every_window(width: int) -> None:
    """The ends of long folders are not cut off, nor are long words of what went wrong."""
    folders = {seed: Path(f"/home/me/projects/handwriting/experiments/runs/hinge-mnist-seed{seed}") for seed in (3, 4)}
    trouble = f"diverged: see {folders[4]}/metrics.jsonl."
    lost = Outcome(4, Result(folders[4], 2400, 1.0, complete=False, sheet=None), trouble)
    lines = printed(table(folders, {4: lost}, "", 2, {}), width).splitlines()
    rows = [line.split("│")[1:5] for line in lines if line.startswith("│")]
    runs, states = ("".join(row[column] for row in rows).replace(" ", "") for column in (1, 3))
    assert runs == "".join(map(str, folders.values()))
    assert states == f"waiting{trouble}".replace(" ", "")
    live = printed(table(folders, {4: lost}, "", 2, {}, "ellipsis"), width).splitlines()
    assert len(live[4:-1]) == 2, "while the runs train, the table has to fit the window"


def test_the_time_left_of_many_runs_follows_their_steps(tmp_path: Path) -> None:
    """Not the runs that ended: between two ends it would grow. A run that waits is not said to train."""
    folders = {seed: tmp_path / f"a-{seed}" for seed in range(3)}
    for seed, last in ((0, 49), (1, 24)):
        folders[seed].mkdir()
        (folders[seed] / "config.json").write_text(json.dumps({"steps": 100}), "utf-8")
        (folders[seed] / "metrics.jsonl").write_text(json.dumps({"step": last}) + "\n", "utf-8")
    over = Outcome(2, Result(folders[2], 100, 1.0, complete=True, sheet=None))
    assert share_done(folders, {}) == pytest.approx(0.25)
    assert share_done(folders, {2: over}) == pytest.approx(1.75 / 3)
    lines = printed(table(folders, {2: over}, "", 3, {0: "50", 1: ""})).splitlines()
    rows = [line.split("│")[3:5] for line in lines if line.startswith("│")]
    assert [[cell.strip() for cell in row] for row in rows] == [
        ["50/100", "waiting"],
        ["25/100", "training"],
        ["100", "complete"],
    ]


def test_the_estimate_of_many_runs_begins_with_their_first_step() -> None:
    estimate = TimeLeft(0.2)
    assert estimate.after(0.2, 1000.0) == ""
    assert estimate.after(0.25, 1030.0) == ""  # PyTorch has loaded
    assert estimate.after(0.50, 1060.0) == ", 0:01:00 left"
    assert estimate.after(0.75, 1090.0) == ", 0:00:30 left"
    assert TimeLeft(1.0).after(1.0, 5.0) == ""


@pytest.mark.parametrize("options", [[], ["--plain"]], ids=["table", "lines"])
def test_the_runs_go_on_if_the_terminal_goes_away(
    options: list[str],
    tmp_path: Path,
    small_data: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The exit code and the last message tell how the runs ended, and not that something could not be printed."""

    class Terminal(io.StringIO):
        is_gone = False

        def isatty(self) -> bool:
            return True

        def write(self, text: str) -> int:
            if self.is_gone:
                raise OSError(errno.EIO, "Input/output error")
            return super().write(text)

    terminal = Terminal()

    def trained(task: TrainingTask, seeds: list[int], **_: object) -> Iterator[Outcome]:
        terminal.is_gone = True
        for seed in seeds:
            yield Outcome(seed, Result(task.folder(seed), 5, 1.0, complete=False, sheet=None), "the loss is NaN.")

    monkeypatch.setattr("inkgan.cli.many_runs.train_many", trained)
    monkeypatch.setattr(sys, "stdout", terminal)
    assert run(runs.command(tmp_path / "a\nb", small_data, "--seeds", "0-1", *options)) == 3
    assert f"2 of 2 runs diverged: {tmp_path}/a\\nb-0, " in capsys.readouterr().err
    assert bool(terminal.getvalue()) != bool(options), "the table had begun"


@pytest.mark.parametrize(("ended", "first", "last"), [(0, 0, 9), (3, 0, 9), (50, 45, 54), (97, 90, 99), (100, 90, 99)])
def test_a_table_of_many_runs_shows_those_that_train(tmp_path: Path, ended: int, first: int, last: int) -> None:
    """A window shows fewer lines than there may be runs: those that train now are not below its end."""
    folders = {seed: tmp_path / f"a-{seed}" for seed in range(100)}
    done = {seed: Outcome(seed, Result(folders[seed], 5, 1.0, complete=True, sheet=None)) for seed in range(ended)}
    rows = [line.split("│")[1] for line in printed(table(folders, done, "", 10, {})).splitlines() if "│" in line]
    assert list(map(int, rows)) == list(range(first, last + 1))


def test_at_the_end_the_table_shows_all_runs(tmp_path: Path, small_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that were not in the window may have become ill."""

    def trained(task: TrainingTask, seeds: list[int], **_: object) -> Iterator[Outcome]:
        for seed in seeds:
            yield Outcome(seed, Result(task.folder(seed), 5, 1.0, complete=True, sheet=None), ill=("collapse",))

    monkeypatch.setattr("inkgan.cli.many_runs.train_many", trained)
    monkeypatch.setattr(sys, "stdout", terminal := io.StringIO())
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    assert run(runs.command(tmp_path / "a", small_data, "--seeds", "0-99")) == 0
    assert terminal.getvalue().count("complete, ill") == 100


@pytest.mark.parametrize(
    ("complete", "more", "said"),
    [
        (False, {}, "stopped"),
        (True, {}, "complete"),
        (True, {"healings": 2}, "complete, healed 2 times"),
        (True, {"ill": ("collapsed", "identical")}, "complete, ill: collapsed, identical (inkgan doctor says more)"),
        (False, {"trouble": "the loss is nan."}, "the loss is nan."),
    ],
)
def test_a_line_says_how_a_run_ended(complete: bool, more: dict[str, Any], said: str) -> None:
    """One that --stop-at stopped is not called complete."""
    result = Result(Path("a-7"), 5, 61.6, complete=complete, sheet=None)
    assert line_of(Outcome(7, result, **more)) == f"seed 7: step 5, 62 s, a-7: {said}"


def test_runs_that_are_stopped_say_how_to_go_on(
    tmp_path: Path, small_data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exit code is that of the signal. With --quiet, the runs that ended have no line."""

    def trained(task: TrainingTask, seeds: list[int], **_: object) -> Iterator[Outcome]:
        yield Outcome(seeds[0], Result(task.folder(seeds[0]), 5, 1.0, complete=True, sheet=None))
        raise Interrupted("stopped by a signal at step 3 and saved.", signal.SIGTERM)

    monkeypatch.setattr("inkgan.cli.many_runs.train_many", trained)
    words = runs.command(tmp_path / "a", small_data, "--seeds", "0-1", "--quiet")
    said = command_refusal(capsys, *words, code=143)
    assert said == "stopped and saved. The same command continues from there."


@pytest.mark.parametrize("term", ["dumb", "xterm"])
def test_what_is_said_beside_the_table_goes_where_stderr_goes(
    tmp_path: Path, small_data: Path, monkeypatch: pytest.MonkeyPatch, term: str
) -> None:
    """On a terminal that cannot erase, there is no table, but a line for each run."""

    def trained(task: TrainingTask, seeds: list[int], **_: object) -> Iterator[Outcome]:
        print("a warning", file=sys.stderr)
        yield Outcome(seeds[0], Result(task.folder(seeds[0]), 5, 1.0, complete=True, sheet=None))

    monkeypatch.setenv("TERM", term)
    monkeypatch.setattr("inkgan.cli.many_runs.train_many", trained)
    monkeypatch.setattr("inkgan.cli.many_runs.in_foreground", lambda: True)
    monkeypatch.setattr(sys, "stdout", terminal := io.StringIO())
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", log := io.StringIO())
    assert run(runs.command(tmp_path / "a", small_data, "--seeds", "0-1")) == 0
    assert log.getvalue() == "a warning\n"
    assert ("runs ended" in terminal.getvalue()) == (term == "xterm")
    assert ("seed 0: step 5, 1 s" in terminal.getvalue()) == (term == "dumb")


def test_quiet_runs_have_no_table(tmp_path: Path, small_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inkgan.cli.many_runs.train_many", lambda *_, **__: iter(()))
    monkeypatch.setattr(sys, "stdout", terminal := io.StringIO())
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    assert run(runs.command(tmp_path / "a", small_data, "--seeds", "0-1", "--quiet")) == 0
    assert terminal.getvalue() == ""


@pytest.mark.parametrize("name", ["[hinge]-1", "[/]-1", "[bold", "a\x1b[31m"])
def test_the_table_shows_a_folder_by_its_own_name(name: str) -> None:
    """Brackets are no markup, and control characters are escaped."""
    ill = Outcome(2, Result(Path(name), 5, 1.0, complete=True, sheet=None), "", ill=("[/]",))
    shown = printed(table({1: Path(name), 2: Path(name)}, {2: ill}, "", 2, {}))
    assert shown.count(f" {printable(name)} ") == 2
    assert "complete, ill: [/] (inkgan doctor" in shown


@pytest.mark.usefixtures("no_workers")
def test_a_run_that_ends_ill_is_not_called_complete_alone(
    tmp_path: Path, small_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its line says what the doctor found, unless the doctor is off."""
    settings = ["generator.learning_rate=0.3"]
    assert run(runs.command(tmp_path / "a", small_data, "--seeds", 0, steps=2, settings=settings)) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert "complete, ill: learning-rate" in line
    assert line.endswith(" (inkgan doctor says more)")
    settings += ["watch.doctor_every=0"]
    assert run(runs.command(tmp_path / "b", small_data, "--seeds", 0, steps=2, settings=settings)) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert "complete" in line
    assert "ill" not in line.partition("complete")[2]


@pytest.mark.usefixtures("no_workers")
def test_a_run_that_was_healed_says_so(tmp_path: Path, small_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its line says so, because the warnings are not shown and its settings have changed."""
    wild = ("pretraining_steps=0", "watch.save_every=2", "watch.doctor_every=1", "discriminator.learning_rate=10.0")
    assert run(runs.command(tmp_path / "a", small_data, "--seeds", 0, "--heal", steps=12, settings=wild)) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert "complete, healed 1 time" in line
