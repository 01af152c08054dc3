"""The folder of a run: what belongs to it, what it is called, what others read in it."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import refusals
import tiny_runs as runs
from inkgan.config import resolve
from inkgan.errors import CheckpointError, InkganWarning, OutputError
from inkgan.files import first_free
from inkgan.runs import checkpoint, metrics
from inkgan.runs.contents import contents_of
from inkgan.runs.folder import RunFolder, claim, newest_run

#: The message of a call's error; most are of this kind.
refusal = partial(refusals.refusal, kind=OutputError)


# What belongs to a run


def test_what_a_run_leaves_is_known(finished_run: Path, stopped_run: Path) -> None:
    """Every file that real runs wrote is recognised as a part of a run."""
    for folder in (finished_run, stopped_run):
        found = contents_of(folder)
        assert found.foreign == []
        assert found.unfinished == []
        assert {path for path in folder.rglob("*") if path.is_file()} - set(found.files) <= {folder / "lock"}


def test_force_replaces_a_run_wholly(tmp_path: Path) -> None:
    """Nothing of the old run is left, not even unfinished files or those that were set aside."""
    run = runs.untrained(tmp_path / "run", steps=(-3, 2, 4, 6))
    (run.checkpoints / "step-0000002").rename(run.checkpoints / "step-0000002.damaged")
    (run.checkpoints / "step-0000004").rename(run.checkpoints / "step-0000004.ill-2")
    (run.checkpoints / ".tmp-step-0000009-5").mkdir()
    (run.checkpoints / ".tmp-step-0000009-5" / "state.json").touch()
    for name in (
        "metrics.jsonl.damaged", "environment.json.damaged-2", ".config.json.5.tmp.json", "lock",
        "pictures/.grid-0000000.png.5.tmp.png", ".metrics.jsonl.damaged.5.tmp.damaged",
    ):  # fmt: skip
        (run.path / name).touch()
    run.require_free(force=True)
    run.start(resolve(overrides=["steps=9"]), force=True)
    assert sorted(path.name for path in run.path.iterdir()) == ["config.json", "lock"]
    assert run.saved_config().steps == 9


FOREIGN = [
    "notes.txt", "src/main.c", "metrics.jsonl.old", ".config.json.swp", "config.json.damaged.txt",
    "checkpoints/consolidated.pt", "checkpoints/step-0000002/optimizer.pt", "checkpoints/step-0000007/x.json",
    "checkpoints/step-0000002x/state.json", "checkpoints/.tmp-step-0000001-5/notes.txt",
    "pictures/cat.png", "pictures/grid-1.png", "pictures/album/sheet.png",
    "tensorboard/notes", "tensorboard/plugins/profile/x",
]  # fmt: skip


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("force", [False, True])
def test_a_file_of_the_users_in_a_run(tmp_path: Path, name: str, force: bool) -> None:
    """The error names the user's file, and nothing is removed."""
    run = runs.untrained(tmp_path / "run")
    (run.path / name).parent.mkdir(parents=True, exist_ok=True)
    (run.path / name).write_bytes(b"mine")
    before = runs.listing(run.path)
    refusal(lambda: run.start(resolve(), force=force), str(run.path), name, "--out")
    assert runs.listing(run.path) == before


@pytest.mark.parametrize(
    "config",
    [
        '{"recipe": "full_finetune"}',
        '{"recipe": "fast", "epochs": 3}',
        '{"recipe": "fast", "batch_size": "large"}',
        '{"recipe": "fast", "loss": "hinge"}',
        '{"recipe": "best", "seed": 1, "steps": 10}',  # a preset of its own brings many of the others
        '{"model_type": "bert"}',
        "{}",
        "[]",
        "",
        '{"recipe": "fa',
    ],
)
def test_a_folder_of_another_program(tmp_path: Path, config: str) -> None:
    """A folder without a run's settings is the user's, even if its other files are named like those of a run."""
    run = runs.untrained(tmp_path / "other")
    run.config_file.write_text(config, "utf-8")
    before = runs.listing(run.path)
    refusal(lambda: run.start(resolve(), force=True), str(run.path), "no config.json of a run")
    assert runs.listing(run.path) == before


@pytest.mark.parametrize("part", ["checkpoints", "pictures", "tensorboard"])
def test_a_part_on_another_disk(tmp_path: Path, part: str) -> None:
    """A part that is a link stays a link; the old run's files are removed behind it, and the new run's go there."""
    run = runs.untrained(tmp_path / "run")
    (tmp_path / "disk").mkdir()
    (run.path / part).rename(tmp_path / "disk" / "part")
    (run.path / part).symlink_to(tmp_path / "disk" / "part")
    refusal(lambda: run.start(resolve(), force=False), "--force")
    run.start(resolve(), force=True)
    assert (run.path / part).is_symlink()
    assert list((tmp_path / "disk" / "part").iterdir()) == []
    checkpoint.save(run.checkpoints, 1, {"generator": {}}, {})
    assert len(list((tmp_path / "disk" / "part").iterdir())) == (part == "checkpoints")


def test_a_part_prepared_on_another_disk(tmp_path: Path) -> None:
    """A part may be a link to an empty folder before the first run starts."""
    (tmp_path / "run").mkdir()
    (tmp_path / "disk").mkdir()
    (tmp_path / "run" / "checkpoints").symlink_to(tmp_path / "disk")
    runs.untrained(tmp_path / "run")
    assert (tmp_path / "disk" / "step-0000002").is_dir()


def test_a_part_whose_disk_holds_more(tmp_path: Path) -> None:
    """A file of the user's is found even behind a link."""
    run = runs.untrained(tmp_path / "run")
    run.checkpoints.rename(tmp_path / "disk")
    run.checkpoints.symlink_to(tmp_path / "disk")
    (tmp_path / "disk" / "thesis.tex").write_text("mine", "utf-8")
    refusal(lambda: run.start(resolve(), force=True), "checkpoints/thesis.tex")
    assert (tmp_path / "disk" / "step-0000002").is_dir()


def test_what_another_writer_logs_beside_a_run_is_kept(tmp_path: Path) -> None:
    """A user's own SummaryWriter may write into the folder of a run's event files."""
    run = runs.untrained(tmp_path / "run")
    name = "tensorboard/events.out.tfevents.1700000001.host.77.0"
    (run.path / name).write_bytes(b"mine")
    refusal(lambda: run.start(resolve(), force=True), name, "which no run wrote")
    assert (run.path / name).read_bytes() == b"mine"


@pytest.mark.parametrize(
    "name",
    [
        "config.json",
        "metrics.jsonl",
        "pictures/sheet.png",
        "checkpoints/step-0000002",
        "tensorboard/events.out.tfevents.1.inkgan",
    ],
)
def test_links_among_the_files(tmp_path: Path, name: str) -> None:
    """The error names a link that the user put among the files of a run; it stays, and so does what it leads to."""
    run = runs.untrained(tmp_path / "run")
    path = run.path / name
    if path.exists():
        path.rename(tmp_path / "elsewhere")
    else:
        (tmp_path / "elsewhere").touch()
    path.symlink_to(tmp_path / "elsewhere")
    before = runs.listing(tmp_path)
    refusal(lambda: run.start(resolve(), force=True), f"{name}, a link. Move it")
    assert runs.listing(tmp_path) == before
    assert path.is_symlink()


@pytest.mark.parametrize("name", ["run", "run/checkpoints", "run/metrics.jsonl"])
def test_links_to_nothing(tmp_path: Path, name: str) -> None:
    """A run is refused where a link points nowhere, such as to a disk that is not mounted."""
    if name != "run":
        (tmp_path / "run").mkdir()
    (tmp_path / name).symlink_to(tmp_path / "gone")
    refusal(lambda: RunFolder(tmp_path / "run").require_free(force=True), "a link to nothing")
    assert (tmp_path / name).is_symlink()
    assert not (tmp_path / "gone").exists()


@pytest.mark.slow
def test_an_interrupted_removal_can_be_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever a removal is interrupted, the folder is still a run, which --force replaces."""
    real = os.unlink
    for allowed in range(50):
        run = runs.untrained(tmp_path / f"run-{allowed}")
        left = [allowed]

        def unlink(*arguments: Any, left: list[int] = left, **named: Any) -> None:
            if not left[0]:
                raise OSError(errno.EIO, "Input/output error")
            left[0] -= 1
            real(*arguments, **named)

        monkeypatch.setattr("os.unlink", unlink)
        with monkeypatch.context():
            try:
                run.start(resolve(), force=True)
            except OutputError as error:
                assert "input/output error. Files may be gone" in str(error)  # noqa: PT017 - the last round has none
            else:
                assert allowed > 8
                return
            finally:
                monkeypatch.undo()
        run.require_free(force=True)
        run.start(resolve(), force=True)
        assert [path.name for path in run.path.iterdir()] == ["config.json"]
    pytest.fail("it never came to its end")


@pytest.mark.parametrize("place", [".", "checkpoints", "checkpoints/step-0000002", "pictures"])
def test_a_run_that_cannot_be_removed_stays_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """This is noticed before the first file is removed."""
    run = runs.untrained(tmp_path / "run")
    before = runs.listing(run.path)
    true = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != run.path / place and true(path, mode))
    refusal(lambda: run.start(resolve(), force=True), str(run.path / place), "is read-only")
    assert runs.listing(run.path) == before


def test_a_folder_that_may_not_be_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not said that it has no settings."""
    run = runs.untrained(tmp_path / "run")
    true = Path.stat

    def stat(path: Path, **options: bool) -> os.stat_result:
        if path == run.config_file:
            raise PermissionError(errno.EACCES, "Permission denied")
        return true(path, **options)

    monkeypatch.setattr(Path, "stat", stat)
    assert run.why_no_run() == "it cannot be read (permission denied)"
    monkeypatch.setattr(Path, "iterdir", lambda path: stat(path / "config.json"))
    assert run.why_no_run() == "it cannot be read (permission denied)"


def test_what_an_interrupted_write_left_is_swept(tmp_path: Path) -> None:
    """When a run is resumed, unfinished files and later pictures are removed; links and the user's files stay."""
    run = runs.untrained(tmp_path / "run")
    left = [".metrics.jsonl.77.tmp.jsonl", "pictures/.sheet.png.5.tmp.png", "pictures/grid-0000050.png"]
    users = [".notes.txt.77.tmp.txt", ".config.json.swp", "pictures/.sheet.png.tmp.png", "pictures/grid-50.png"]
    for name in [*left, *users]:
        (run.path / name).write_bytes(b"x")
    (run.pictures / "grid-0000060.png").symlink_to(run.pictures / "sheet.png")
    (run.path / ".config.json.8.tmp.json").symlink_to(run.config_file)
    run.forget_after(2)
    assert not [name for name in left if (run.path / name).exists()]
    assert [name for name in users if (run.path / name).exists()] == users
    assert (run.pictures / "grid-0000060.png").is_symlink()
    assert (run.path / ".config.json.8.tmp.json").is_symlink()
    assert not (run.pictures / "grid-12345678.png").exists()
    assert (run.pictures / "grid-0000000.png").exists()


# What it is called


def test_each_start_gets_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that another start makes at the same moment is left to it; links and files count as taken."""
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "a-2").touch()
    (tmp_path / "runs" / "a-4").symlink_to(tmp_path / "gone")

    def taken_by_another(path: Path) -> Path:
        free = first_free(path)
        if free.name in ("a", "a-3"):
            free.mkdir()
        return free

    monkeypatch.setattr("inkgan.runs.folder.first_free", taken_by_another)
    assert [claim(tmp_path / "runs" / "a").name for _ in range(2)] == ["a-5", "a-6"]
    refusal(lambda: claim(tmp_path / "runs" / "a-2" / "b"), "not a directory")


@pytest.mark.timeout(60)
def test_a_run_below_a_link_to_nothing(tmp_path: Path) -> None:
    """The folder of all runs may be a link to a disk that is not there; no name below it is free."""
    (tmp_path / "runs").symlink_to(tmp_path / "disk" / "runs")
    said = f"{tmp_path / 'runs'} is a link to nothing"
    refusal(lambda: claim(tmp_path / "runs" / "a"), said)
    refusal(RunFolder(tmp_path / "runs" / "a").lock.held().__enter__, said)
    (tmp_path / "disk").mkdir()
    refusal(lambda: claim(tmp_path / "runs" / "a"), said)
    (tmp_path / "disk" / "runs").mkdir()
    assert claim(tmp_path / "runs" / "a").is_dir()


def test_the_newest_run_of_a_name(tmp_path: Path) -> None:
    """It is found even if the name is a pattern of files, or it holds a link that points nowhere."""
    run = runs.untrained(tmp_path / "a[1]*-3")
    (run.path / "tensorboard.old").symlink_to(tmp_path / "gone")
    runs.untrained(tmp_path / "a[1]*-x")
    assert newest_run(tmp_path, "a[1]*") == newest_run(tmp_path, "a[1]*-3") == run.path
    refusal(lambda: newest_run(tmp_path, "b"), "there is no run b", kind=CheckpointError)


def test_the_newest_run_is_found_while_a_trainer_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its temporary files may be gone when they are looked at."""
    run = runs.untrained(tmp_path / "a-3")
    entries = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda folder: [*entries(folder), folder / ".config.json.1.tmp.json"])
    assert newest_run(tmp_path, "a") == run.path


# Its pictures


def test_pictures_are_listed_from_the_first_to_the_last(tmp_path: Path) -> None:
    """By their steps, whose numbers may have more digits than the names of the first ones."""
    run = RunFolder(tmp_path)
    run.pictures.mkdir()
    steps = [0, 300, 2_000_000, 10_000_000]
    for step in (steps[2], steps[0], steps[3], steps[1]):
        run.grid_file(step).touch()
    (run.pictures / "sheet.png").touch()
    assert list(run.grids().values()) == [run.grid_file(step) for step in steps]


# What it ran on


@pytest.fixture
def about() -> dict[str, Any]:
    """An environment."""
    return {"threads": 1, "torch": "2", "numpy": "2.4", "device": "cpu", "cpu": "x", "python": "3.11"}


@pytest.mark.parametrize("key", ["threads", "torch", "numpy", "device", "cpu"])
def test_a_changed_environment_is_reported(tmp_path: Path, about: dict[str, Any], key: str) -> None:
    """What may change rounding or randomness is compared with the previous start; the rest is only recorded."""
    run = RunFolder(tmp_path)
    assert run.add_environment(about) == []
    assert run.add_environment(about | {"python": "3.13"}) == []
    assert run.add_environment(about | {key: "77"}) == [f"{key}: {about[key]} -> 77"]
    assert len(json.loads(run.environment_file.read_text("utf-8"))) == 3


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "5", "[" * 100_000, "\0", "\udcff"])
def test_a_damaged_environment_is_no_obstacle(tmp_path: Path, about: dict[str, Any], text: str) -> None:
    """environment.json is for people only: a damaged one is kept aside with a warning, and a new one is begun."""
    run = RunFolder(tmp_path)
    run.environment_file.write_bytes(text.encode("utf-8", "surrogateescape"))
    damaged = run.environment_file.read_bytes()
    with pytest.warns(InkganWarning, match=r"environment\.json is damaged and kept as environment\.json\.damaged\."):
        assert run.add_environment(about) == []
    assert (tmp_path / "environment.json.damaged").read_bytes() == damaged
    assert run.add_environment(about | {"threads": 2}) == ["threads: 1 -> 2"]


def test_a_missing_environment_is_reported(tmp_path: Path, about: dict[str, Any]) -> None:
    """A run that has checkpoints had an environment.json, so a warning says that it is missing."""
    run = runs.untrained(tmp_path / "run")
    run.environment_file.unlink()
    with pytest.warns(InkganWarning, match=r"environment\.json is missing\."):
        assert run.add_environment(about) == []
    assert run.add_environment(about) == []


# What others read


@pytest.fixture
def unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """A run whose checkpoints the system refuses to list."""
    run = runs.untrained(tmp_path / "run")
    real = Path.iterdir

    def refused(path: Path) -> Iterator[Path]:
        if path == run.checkpoints:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(Path, "iterdir", refused)
    return run


def test_a_run_of_pipes_and_devices(tmp_path: Path) -> None:
    """No reader waits for a pipe or reads a device without end: they are refused or skipped."""
    run = runs.untrained(tmp_path / "run")
    run.metrics_file.unlink()
    run.metrics_file.symlink_to("/dev/zero")
    refusal(lambda: metrics.read(run.metrics_file), "not a regular file", kind=CheckpointError)
    refusal(lambda: run.forget_after(2), "not a regular file")
    os.mkfifo(run.path / "lock")
    refusal(lambda: run.lock.held().__enter__(), "no such device")
    run.environment_file.unlink()
    os.mkfifo(run.environment_file)
    refusal(lambda: run.add_environment({}), "not a regular file")
    (run.pictures / "grid-0000000.png").unlink()
    os.mkfifo(run.pictures / "grid-0000000.png")
    assert [path.name for path in run.grids().values()] == ["grid-12345678.png"]


def test_checkpoints_that_may_not_be_read(unreadable: RunFolder) -> None:
    """The error says so in one line."""
    for which in ("latest", "best", "2"):
        with pytest.raises(CheckpointError, match="checkpoints cannot be read: permission denied"):
            unreadable.checkpoint(which)


def test_settings_that_may_not_be_read_are_not_called_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's reason and what to check; nobody should throw away a whole file."""
    run = runs.untrained(tmp_path / "run")

    def refused(path: Path, most: int) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr("inkgan.config.sources.read_regular", refused)
    with pytest.raises(CheckpointError) as caught:
        run.saved_config()
    assert str(caught.value) == f"cannot read {run.config_file}: permission denied. Check its permissions."


def test_a_checkpoint_by_name(tmp_path: Path) -> None:
    """It is the latest, the best or a step; the error for any other name lists what there is."""
    run = runs.untrained(tmp_path / "run", steps=(-2, 1, 3))
    assert run.checkpoint("latest").name == "step-0000003"
    assert run.checkpoint("-2").name == "pretraining-0000002"
    for which in ("2", "3.0", "\x1b[2J", "x" * 5000):
        with pytest.raises(CheckpointError, match=r"It has: latest, -2, 1, 3\.") as caught:
            run.checkpoint(which)
        assert len(str(caught.value)) < 500
    refusal(lambda: run.checkpoint("best"), "measured no quality", kind=CheckpointError)
    refusal(
        lambda: runs.untrained(tmp_path / "none", steps=()).checkpoint("latest"),
        "no checkpoint yet",
        kind=CheckpointError,
    )


@pytest.mark.parametrize("text", ["{broken", "[]"])
def test_damaged_settings_are_named_once(tmp_path: Path, text: str) -> None:
    """The message names the file once."""
    file = tmp_path / "config.json"
    file.write_text(text)
    with pytest.raises(CheckpointError) as caught:
        RunFolder(tmp_path).saved_config()
    assert str(caught.value).startswith(f"{file} is damaged: it ")
    assert str(caught.value).count(str(file)) == 1
