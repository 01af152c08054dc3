"""Benchmarks keep a result only with --record, and a trial with other settings never gets a published result's name."""

from __future__ import annotations

import argparse
import importlib
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from inkgan.__main__ import SPIN_COUNT
from inkgan.config import resolve
from inkgan.config.sources import differences
from inkgan.data import load
from inkgan.errors import DivergenceError
from inkgan.runs.folder import RunFolder


@pytest.fixture
def results(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Redirect the results of this test into a temporary folder."""
    monkeypatch.setattr(importlib.import_module("report"), "RESULTS", tmp_path / "results")
    return tmp_path / "results"


@pytest.fixture
def seeds(monkeypatch: pytest.MonkeyPatch, results: Path, tmp_path: Path) -> ModuleType:
    """Import benchmarks/seeds.py, with training and measuring replaced, and with no runs of the user."""
    module = importlib.import_module("seeds")
    monkeypatch.chdir(tmp_path)
    figures = {"frechet_digit_distance": 0.7, "classes_covered": 10}
    figures |= {"floor frechet_digit_distance": 0.3, "floor classes_covered": 10}
    monkeypatch.setattr(module, "train", lambda folder, *_, **__: folder)
    monkeypatch.setattr(module, "measure", lambda *_: dict(figures))
    monkeypatch.setattr(module, "commits", lambda _: "abc")
    return module


def _run(module: ModuleType, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr("sys.argv", ["benchmarks/seeds.py", *arguments])
    module.main()


def test_a_trial_is_printed_and_not_kept(
    seeds: ModuleType, results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _run(seeds, monkeypatch, "--set", "steps=60")
    said = capsys.readouterr()
    assert "| frechet digit distance | 0.7 [0.7 to 0.7] | 0.3" in said.out
    assert "--record" in said.err
    assert not results.exists()


def test_a_recorded_result_is_kept_with_its_command_and_numbers(
    seeds: ModuleType, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _run(seeds, monkeypatch, "--record")
    today = importlib.import_module("report").TODAY
    text = (results / f"seeds_fast_mnist_{today}.md").read_text("utf-8")
    assert f"fast on mnist, 5 seeds, {today}" in text
    assert "`python benchmarks/seeds.py --record` at commit abc" in text
    numbers = json.loads((results / f"seeds_fast_mnist_{today}.json").read_text("utf-8"))
    assert [row["seed"] for row in numbers] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("arguments", "stem"),
    [
        (["--recipe", "best"], "seeds_best_mnist"),
        (["--data", "some/my letters.npz"], "seeds_fast_my-letters"),
        (["--set", "steps=60", "--set", "fade=0.25"], "seeds_fast_mnist_steps-60_fade-0.25"),
        (["--seeds", "2", "--n", "500"], "seeds_fast_mnist_seeds-2_n-500"),
        (["--set", "data.directory=/a/b c"], "seeds_fast_mnist_data.directory-a-b-c"),
        (["--out", "elsewhere"], "seeds_fast_mnist"),
        (["--jobs", "2", "--threads", "1"], "seeds_fast_mnist_jobs-2_threads-1"),
    ],
)
def test_the_name_holds_every_setting_that_differs(
    seeds: ModuleType, results: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], stem: str
) -> None:
    _run(seeds, monkeypatch, *arguments, "--record")
    today = importlib.import_module("report").TODAY
    assert sorted(path.name for path in results.iterdir()) == [f"{stem}_{today}.json", f"{stem}_{today}.md"]


@pytest.mark.parametrize(
    ("arguments", "end"),
    [
        ([], "2-5-10-20-40-60-120-seconds"),
        (["--marks", "60", "2.5", "--wait", "1"], "2.5-60-seconds"),
        (["--marks", "2", "60", "--threads", "77"], "2-60-seconds_threads-77"),
    ],
)
def test_the_name_of_a_board_holds_its_marks_and_threads(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str], end: str
) -> None:
    """The same quality after the same seconds is another result with other threads."""
    board, report = importlib.import_module("time_to_quality"), importlib.import_module("report")
    published: list[str] = []
    monkeypatch.setattr(board, "Reference", lambda: argparse.Namespace(levels=lambda *_: {}))
    monkeypatch.setattr(board, "runs", lambda _: [])
    monkeypatch.setattr(board.torch, "set_num_threads", lambda _: None)
    monkeypatch.setattr(board, "publish", lambda *given: published.append(given[-1]))
    _run(board, monkeypatch, *arguments, "--out", str(tmp_path))
    assert published == [f"time_to_quality_{board.hardware()}_{end}_{report.TODAY}"]


def test_every_variant_of_the_ablation_is_a_setting_and_differs_from_the_recipe() -> None:
    variants: dict[str, list[str]] = importlib.import_module("ablation").VARIANTS
    for name, settings in variants.items():
        assert bool(differences(resolve(), resolve(overrides=settings))) == (name != "as it is"), name


def test_a_median_with_its_range() -> None:
    spread: Any = importlib.import_module("report").spread
    assert spread([3.0, 1.0, 2.0]) == "2 [1 to 3]"
    assert spread([0.125], ".0%") == "12%"


def test_generations_of_one_processor_differ_in_a_record_and_in_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    machine, report = importlib.import_module("machine"), importlib.import_module("report")
    names, headings = [], []
    for flags in ("sse2 avx2", "sse2 avx2 avx512f avx512_bf16"):
        monkeypatch.setattr(machine, "cpu_field", {"model name": "AMD EPYC", "flags": flags}.__getitem__)
        monkeypatch.setattr(machine, "cores", lambda: 2)
        names.append(machine.hardware())
        headings.append("\n".join(report.heading("Speed", 1)))
    assert names == ["amd-epyc-avx2-2cpu", "amd-epyc-avx512-bf16-2cpu"]
    assert "- AMD EPYC (avx2), " in headings[0]
    assert "- AMD EPYC (avx2, avx512f, avx512_bf16), " in headings[1]


def test_a_kept_run_of_another_processor_is_done_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    board = importlib.import_module("time_to_quality")
    options = argparse.Namespace(out=tmp_path, images=10, threads=1, wait=0)
    trained: list[str] = []

    def train(*_: object) -> Any:
        trained.append(board.processor())
        return [{"about": {}}], 0.1, None

    monkeypatch.setattr(board, "train", train)
    for name in ("AMD EPYC (avx2)", "AMD EPYC (avx2)", "AMD EPYC (avx2, avx512f)"):
        monkeypatch.setattr(board, "processor", lambda name=name: name)
        board.perform(board.Run("fast", 0, (2.0,)), options, None)
    assert trained == ["AMD EPYC (avx2)", "AMD EPYC (avx2, avx512f)"]


def test_a_run_fails_if_a_class_is_missing_or_its_distance_is_over_three_times_the_median(seeds: ModuleType) -> None:
    rows = [
        {"seed": seed, "frechet_digit_distance": distance, "classes_covered": classes, "floor classes_covered": 10}
        for seed, (distance, classes) in enumerate([(1.0, 10), (1.2, 10), (3.7, 10), (3.5, 10), (1.0, 9)])
    ]
    options = argparse.Namespace(recipe="fast", data="mnist", jobs=1, n=100, threads=1)
    assert "2 of 5 runs, seeds [2, 4]\n" in seeds.report(rows, [], "abc", options)
    assert "1 of 1 runs, seeds [4]\n" in seeds.report(rows[4:], [], "abc", options)


@pytest.fixture
def seeds_that_train(monkeypatch: pytest.MonkeyPatch, results: Path) -> ModuleType:
    """Import benchmarks/seeds.py, with the command and the measuring replaced: seed 1 diverges."""
    module = importlib.import_module("seeds")

    def run(command: list[str], **_: object) -> Any:
        diverged = command[command.index("--seed") + 1] == "1"
        return subprocess.CompletedProcess(command, DivergenceError.exit_code if diverged else 0)

    distances = iter([0.5, 0.7])
    monkeypatch.setattr(module.subprocess, "run", run)
    monkeypatch.setattr(
        module,
        "measure",
        lambda *_: {"frechet_digit_distance": next(distances), "classes_covered": 10, "floor classes_covered": 10},
    )
    monkeypatch.setattr(module, "commits", lambda folders: f"abc of {len(folders)}")
    return module


def test_a_run_that_diverges_counts_as_failed_and_is_in_no_median(
    seeds_that_train: ModuleType, results: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _run(seeds_that_train, monkeypatch, "--seeds", "3", "--out", str(tmp_path / "runs"), "--record")
    (text,) = (path.read_text("utf-8") for path in results.glob("*.md"))
    assert "fast on mnist, 3 seeds" in text
    assert "abc of 2" in text
    assert "1 of 3 runs, seeds [1]\n- diverged, and not in the table: seeds [1]\n" in text
    assert "| frechet digit distance | 0.6 [0.5 to 0.7] |" in text
    (numbers,) = (json.loads(path.read_text("utf-8")) for path in results.glob("*.json"))
    assert numbers[-1] == {"seed": 1, "diverged": True}


def test_a_run_of_the_ablation_that_diverges_is_named(
    seeds_that_train: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ablation = importlib.import_module("ablation")
    monkeypatch.setattr(ablation, "VARIANTS", {"as it is": [], "no labels": ["conditional=false"]})
    _run(ablation, monkeypatch, "--seeds", "2", "--out", str(tmp_path / "runs"))
    said = capsys.readouterr().out
    assert "- diverged, and not in the table: as it is, seed 1; no labels, seed 1\n" in said
    assert "| as it is  | 0.5 " in said
    assert "| no labels | 0.7 " in said


def test_if_all_runs_diverge_there_is_a_report(seeds: ModuleType) -> None:
    options = argparse.Namespace(recipe="fast", data="mnist", jobs=1, n=100, threads=1)
    assert "2 of 2 runs, seeds [0, 1]\n" in seeds.report([], [0, 1], "", options)


def test_a_complete_run_with_other_settings_is_kept(
    seeds_that_train: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The series is refused before anything is trained, and the message says what to type; the same one goes on."""
    out = tmp_path / "runs"
    run = RunFolder(out / "fast-mnist-2")
    run.start(resolve(options={"seed": 2}, overrides=["steps=60"]), force=False)
    run.pictures.mkdir(exist_ok=True)
    (run.pictures / "sheet.png").touch()
    with monkeypatch.context() as patches:
        patches.setattr(seeds_that_train, "train", lambda *_: pytest.fail("a seed was trained"))
        with pytest.raises(SystemExit, match=r"fast-mnist-2 .*\(steps: 60 -> 70\)(.|\n)*--out ANOTHER_FOLDER.* rm -r "):
            _run(seeds_that_train, monkeypatch, "--seeds", "3", "--out", str(out), "--set", "steps=70")
    assert seeds_that_train.is_done(run.path, "fast", "mnist", 2, ["steps=60"])


def _record_of_the_board(*rows: tuple[float, float, float]) -> dict[str, Any]:
    """Return a record of the board: marks, seconds and distances."""
    named = [{"mark": m, "seconds": s, "steps": 100 * m, "distance": d} for m, s, d in rows]
    about = {"arithmetic": "float32", "library": "PyTorch", "batch_size": 64}
    return {"contestant": "fast", "startup_seconds": 1.5, "about": about, "rows": named}


def test_the_board_gives_each_contestant_its_median_and_its_first_time_of_a_quality() -> None:
    """A contestant that breaks down in one seed has the figures of the other."""
    board = importlib.import_module("time_to_quality")

    record = _record_of_the_board
    records = [record((2, 2.5, 40.0), (5, 5.5, 8.0)), record((2, 2.1, 20.0), (5, 5.1, 6.0), (10, 10.0, 2.0))]
    assert board.points(records, "fast") == [(2.3, 20.0, 30.0, 40.0), (5.3, 6.0, 7.0, 8.0), (10.0, 2.0, 2.0, 2.0)]
    *_, row = board.table_over_time("distance", "distance", ".3g", records, 2).splitlines()
    assert [cell.strip() for cell in row.split("|")[2:-1]] == ["30 [20 to 40]", "7 [6 to 8]", "2, 1 broke down"]
    *_, row = board.table_over_time("steps", "steps", ",.0f", records, 2).splitlines()
    assert [cell.strip() for cell in row.split("|")[2:-1]] == [
        "200 [200 to 200]",
        "500 [500 to 500]",
        "1,000, 1 broke down",
    ]
    *_, row = board.speed_table(records).splitlines()
    assert [cell.strip() for cell in row.split("|")[2:7]] == ["2", "2", "5", "10", "–"]


def test_how_much_other_programs_use_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it uses less what the benchmark's processes use, which may seem more where clocks differ."""
    machine = importlib.import_module("machine")
    clocks = iter([(100, 40, 30), (200, 100, 60), (300, 110, 90), None])
    monkeypatch.setattr(machine, "cpu_seconds", lambda _: next(clocks))
    watch = machine.Disturbance([1])
    assert [watch.share() for _ in range(3)] == [0.3, 0.05, None]


def test_a_result_that_was_kept_is_no_change_of_the_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A series may be recorded in parts, on one commit."""
    machine = importlib.import_module("machine")
    monkeypatch.setattr(machine, "REPOSITORY", tmp_path)
    monkeypatch.delenv("COMMIT", raising=False)
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "begin"]):
        subprocess.run([*git, *words], check=True)
    results = tmp_path / "benchmarks" / "results"
    results.mkdir(parents=True)
    (results / "board.md").touch()
    head = machine.commit()
    assert re.fullmatch("[0-9a-f]{7,}", head)
    (results.parent / "board.py").touch()
    assert machine.commit() == f"{head} with changes"


def test_the_board_gives_the_speed_of_the_longest_runs() -> None:
    """Short runs, whose first steps are slow, do not count; nor does the tutorial's time with cheap steps."""
    board = importlib.import_module("time_to_quality")
    short = [_record_of_the_board((mark, mark * 4, 1.0)) for mark in (2, 5)]
    long = [_record_of_the_board((60, seconds, 1.0)) for seconds in (50, 60, 100)]
    *_, row = board.speed_table([*short, *long]).splitlines()
    assert row.split("|")[8].strip() == "100 [60 to 120]"
    record = _record_of_the_board((2, 0.5, 1.0), (10, 2.0, 1.0), (60, 60.0, 1.0)) | {"contestant": "tutorial"}
    *_, row = board.speed_table([record]).splitlines()
    assert row.split("|")[8].strip() == f"{(6000 - 1000) / (60 - 2):.3g}"
    *_, row = board.speed_table([record | {"rows": record["rows"][:1]}]).splitlines()
    assert row.split("|")[8].strip() == "400"


def test_a_contestant_has_the_environment_and_the_memory_of_a_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The user's own GOMP_SPINCOUNT is kept, as in a run."""
    board, contestant = importlib.import_module("time_to_quality"), importlib.import_module("contestant")
    spins = "import json, os; print(json.dumps({'began': 1.0, 'spins': os.environ['GOMP_SPINCOUNT']}))"
    for set_by_user, expected in ((None, SPIN_COUNT), ("5", "5")):
        monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
        if set_by_user:
            monkeypatch.setenv("GOMP_SPINCOUNT", set_by_user)
        messages, *_ = board.train([sys.executable, "-c", spins], board.Run("fast", 0, (2.0,)), tmp_path, 1)
        assert messages[0]["spins"] == expected
    done: list[str] = []
    monkeypatch.setattr(contestant.torch, "set_num_threads", lambda _: None)
    monkeypatch.setattr(contestant, "keep_freed_memory", lambda: done.append("kept"))
    monkeypatch.setattr(contestant, "Ours", lambda *_: argparse.Namespace(batch_size=2, arithmetic="", draw=None))
    monkeypatch.setattr(contestant, "Theirs", lambda *_: argparse.Namespace(batch_size=2, arithmetic="", draw=None))
    monkeypatch.setattr(contestant, "train_to_marks", lambda *_: done.append("trained"))
    for name in ("fast", "dcgan"):
        words = ["contestant.py", name, "--marks", "1", "--images", "1", "--out", str(tmp_path), "--threads", "1"]
        monkeypatch.setattr("sys.argv", words)
        contestant.main()
    assert done == ["kept", "trained"] * 2


@pytest.mark.usefixtures("stop_while_writing")
def test_what_a_benchmark_keeps_is_whole_or_absent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The next start would take half a file for a whole one."""
    board, stacked = importlib.import_module("time_to_quality"), importlib.import_module("stacked_mnist")
    monkeypatch.setattr(board, "train", lambda *_: ([{"about": {}}], 0.1, None))
    options = argparse.Namespace(out=tmp_path, images=10, threads=1, wait=0)
    with pytest.raises(KeyboardInterrupt):
        board.perform(board.Run("fast", 0, (2.0,)), options, None)
    measured = argparse.Namespace(data=load("mnist"), distance=lambda _: argparse.Namespace(value=1.0))
    with pytest.raises(KeyboardInterrupt):
        board.Reference.levels(measured, 3, tmp_path / "levels.json")
    with pytest.raises(KeyboardInterrupt):
        stacked.stacked(tmp_path / "stacked.npz", 3)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.slow
def test_tf_gan_has_the_fused_adam() -> None:
    """As TensorFlow has: one kernel for all of a parameter's update."""
    peer = importlib.import_module("peers").TFGAN(0)
    assert [optimizer.defaults["fused"] for optimizer in peer.optimizers] == [True, True]
