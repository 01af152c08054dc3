"""Output folders are filled completely or not at all, and the user's own files stay."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import tiny_runs as runs
from inkgan.cli import run
from inkgan.errors import InkganWarning, OutputError, shown
from inkgan.files import temporary_folder
from inkgan.generation import shards
from inkgan.generation.output_folder import MANIFEST, OutputFolder
from inkgan.generation.spec import Spec
from killed_process import as_if_left_by, ended_process
from refusals import refusal
from waiting import SECONDS, start_at_the_first_move, wait_for_file


def fill(path: Path, files: dict[str, str], *, force: bool = False) -> None:
    """Write text files into a folder."""
    with OutputFolder(path, files, force=force).filling() as folder:
        for name, content in files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(content, "utf-8")


def content(folder: Path) -> dict[str, str]:
    """Return the text of every file in a folder except its manifest, and the target of every link."""
    return {
        str(path.relative_to(folder)): str(path.readlink()) if path.is_symlink() else path.read_text("latin-1")
        for path in folder.rglob("*")
        if (path.is_file() or path.is_symlink()) and path.name != MANIFEST
    }


def listed(folder: Path) -> list[str]:
    """Return the names of the files that a folder's manifest lists."""
    return [name for name, _ in json.loads((folder / MANIFEST).read_text("utf-8"))["files"]]


def test_a_new_folder_appears_whole(tmp_path: Path) -> None:
    """The new folder holds the files and their list, and nothing else is left beside it."""
    fill(tmp_path / "new" / "a", {"0.png": "zero", "7/1.png": "one"})
    assert content(tmp_path / "new" / "a") == {"0.png": "zero", "7/1.png": "one"}
    assert [entry.name for entry in (tmp_path / "new").iterdir()] == ["a"]
    assert listed(tmp_path / "new" / "a") == ["0.png", "7/1.png"]


def test_what_was_written_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    """With force, the previous files go, and their folders if they are then empty; the user's files stay."""
    fill(tmp_path / "a", {"0.png": "old", "1.png": "old", "3/2.png": "old", "4/3.png": "old"})
    mine = {"9.png": "mine", "3/8.png": "mine", "2024/7.png": "mine", "labels.jsonl": "mine", "notes.txt": "mine"}
    for name, text in mine.items():
        (tmp_path / "a" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "a" / name).write_text(text, "utf-8")
    with pytest.raises(OutputError, match="already holds files"):
        fill(tmp_path / "a", {"0.png": "new"})
    fill(tmp_path / "a", {"0.png": "new", "5/1.png": "new"}, force=True)
    assert content(tmp_path / "a") == {"0.png": "new", "5/1.png": "new", **mine}
    assert listed(tmp_path / "a") == ["0.png", "5/1.png"]
    assert not (tmp_path / "a" / "4").exists()
    fill(tmp_path / "a", {"1.png": "newer"}, force=True)
    assert content(tmp_path / "a") == {"1.png": "newer", **mine}


@pytest.mark.parametrize(
    "there",
    ["2.png", "5/2.png", "5", "labels.jsonl", MANIFEST, "a changed file", "a link", "a folder", "a linked folder"],
)
def test_what_is_not_ours_is_never_replaced(tmp_path: Path, there: str) -> None:
    """A user's file, link or folder in the way is refused by name before any work, even with force."""
    folder = tmp_path / "a"
    fill(folder, {"1.png": "old"})
    (tmp_path / "elsewhere").mkdir()
    blocked = {"a changed file": "1.png", "a link": "2.png", "a folder": "2.png", "a linked folder": "5"}.get(
        there, there
    )
    place = folder / blocked
    if there == "a link":
        place.symlink_to(tmp_path / "nowhere.png")
    elif there == "a folder":
        place.mkdir()
    elif there == "a linked folder":
        place.symlink_to(tmp_path / "elsewhere")
    else:
        place.parent.mkdir(exist_ok=True)
        place.write_text("mine", "utf-8")
    before = runs.listing(tmp_path)
    names = ["1.png", "2.png", "5/2.png", "labels.jsonl"]
    refusal(lambda: OutputFolder(folder, names, force=True), str(place), kind=OutputError)
    assert runs.listing(tmp_path) == before
    assert (place.is_symlink(), place.is_dir()) == (" link" in there, "folder" in there)


WHOLES = {
    "a run": ("config.json", "checkpoints"),
    "a data set in shards": ("manifest.json", ".00000.sha256"),
    "a data set in shards of an earlier version": ("manifest.json", ".sha256"),
}


@pytest.mark.parametrize("whole", WHOLES)
def test_nothing_is_written_into_a_run_or_a_data_set_in_shards(tmp_path: Path, whole: str) -> None:
    """It takes two entries to be one: a folder that has one of the two is a user's own."""
    file, other = WHOLES[whole]
    (tmp_path / file).write_text("{}", "utf-8")
    fill(tmp_path, {"0.png": "new"}, force=True)
    (tmp_path / other).mkdir()
    named = whole.removesuffix(" of an earlier version")
    with pytest.raises(OutputError, match=f"is the folder of {named}, so nothing"):
        fill(tmp_path, {"1.png": "new"}, force=True)
    (tmp_path / file).unlink()
    fill(tmp_path, {"2.png": "new"}, force=True)
    assert content(tmp_path) == {"2.png": "new"}


def test_a_data_set_in_shards_before_its_first_shard(tmp_path: Path) -> None:
    """Its manifest says what the folder is, so a data set that was stopped early gets no images of another command."""
    shards._begin(tmp_path, Spec(texts=("12",), count=4, shards=2))
    with pytest.raises(OutputError, match="is the folder of a data set in shards, so nothing"):
        fill(tmp_path, {"0.png": "new"}, force=True)
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]


@pytest.mark.parametrize("place", ["checkpoints", "pictures/mine", "tensorboard"])
def test_nothing_is_written_into_a_part_of_a_run(tmp_path: Path, place: str) -> None:
    """It would keep --force from replacing the run. Other folders beside its parts are the user's."""
    (tmp_path / "config.json").write_text("{}", "utf-8")
    fill(tmp_path / "pictures", {"0.png": "new"})
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(OutputError, match="is the folder of a run"):
        fill(tmp_path / place, {"1.png": "new"}, force=True)
    with pytest.raises(OutputError, match="is the folder of a run"):
        shards.write_shards(Spec(texts=("12",), count=1), tmp_path / place / "new")
    fill(tmp_path / "mine", {"2.png": "new"})


def test_nothing_is_written_into_a_run_before_its_first_checkpoint(tmp_path: Path) -> None:
    """A trainer has locked the folder; the tutorial trains 300 steps before it saves."""
    for name in ("config.json", "lock"):
        (tmp_path / name).touch()
    with pytest.raises(OutputError, match="is the folder of a run"):
        fill(tmp_path, {"0.png": "new"}, force=True)


def test_a_folder_that_another_process_makes_at_the_same_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.rename

    def late(path: Path, target: Path) -> Path:
        target.mkdir(exist_ok=True)
        (target / "first.png").write_text("first", "utf-8")
        return real(path, target)

    monkeypatch.setattr(Path, "rename", late)
    with pytest.raises(OutputError, match="already holds files"):
        fill(tmp_path / "a", {"0.png": "new"})
    assert content(tmp_path) == {"a/first.png": "first"}
    fill(tmp_path / "b", {"0.png": "new"}, force=True)
    assert content(tmp_path / "b") == {"0.png": "new", "first.png": "first"}


def test_a_folder_is_filled_from_within(tmp_path: Path) -> None:
    """The parent of an existing folder need not be writable; a missing folder is prepared beside its place."""
    (tmp_path / "there").mkdir()
    with OutputFolder(tmp_path / "there", [], force=False).filling() as folder:
        assert (tmp_path / "there") in folder.parents
    with OutputFolder(tmp_path / "missing", [], force=False).filling() as folder:
        assert folder.parent.parent == tmp_path


def test_a_changed_file_is_kept_and_told(tmp_path: Path) -> None:
    """A file that the user has changed since it was written is kept, with a warning."""
    fill(tmp_path / "a", {"0.png": "old", "1.png": "old"})
    (tmp_path / "a" / "1.png").write_text("retouched", "utf-8")
    with pytest.warns(InkganWarning, match=r"changed since is kept: 1\.png \(1 in all\)"):
        fill(tmp_path / "a", {"0.png": "new"}, force=True)
    assert content(tmp_path / "a") == {"0.png": "new", "1.png": "retouched"}


def test_a_folder_of_ones_own(tmp_path: Path) -> None:
    """New files may be added to a folder of the user's pictures, and none of those is replaced or removed."""
    (tmp_path / "3").mkdir()
    for number in range(50):
        (tmp_path / "3" / f"{number:03d}.png").write_text("mine", "utf-8")
    fill(tmp_path, {"3/0.png": "new", "4/1.png": "new"}, force=True)
    assert len(content(tmp_path)) == 52
    with pytest.raises(OutputError, match=r"3/001\.png"):
        fill(tmp_path, {"3/001.png": "new"}, force=True)
    fill(tmp_path, {"0.png": "new"}, force=True)
    assert content(tmp_path) == {"0.png": "new"} | {f"3/{number:03d}.png": "mine" for number in range(50)}


@pytest.mark.parametrize("outside", ["../mine.png", "/mine.png", "1/../../mine.png", "a/b/c.png"])
def test_a_list_that_names_others_files(tmp_path: Path, outside: str) -> None:
    """A manifest with paths outside the folder is treated as not written by inkgan."""
    fill(tmp_path / "a", {"0.png": "old"})
    text = (tmp_path / "a" / MANIFEST).read_text("utf-8")
    (tmp_path / "a" / MANIFEST).write_text(text.replace('"0.png"', json.dumps(outside)), "utf-8")
    (tmp_path / "mine.png").write_text("old", "utf-8")
    with pytest.raises(OutputError, match="not written by inkgan"):
        fill(tmp_path / "a", {"1.png": "new"}, force=True)
    assert (tmp_path / "mine.png").read_text("utf-8") == "old"


def test_links_to_folders(tmp_path: Path) -> None:
    """Files are written through a link to a folder; a link to nothing is refused; both links stay."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to("disk")
    fill(tmp_path / "link", {"0.png": "old", "1/1.png": "old"})
    fill(tmp_path / "link", {"0.png": "new"}, force=True)
    assert content(tmp_path / "disk") == {"0.png": "new"}
    (tmp_path / "dangling").symlink_to("nowhere")
    for force in (False, True):
        with pytest.raises(OutputError, match="a link to nothing"):
            fill(tmp_path / "dangling", {"0.png": "new"}, force=force)
    assert {path.name for path in tmp_path.iterdir() if path.is_symlink()} == {"link", "dangling"}
    assert not (tmp_path / "nowhere").exists()


def test_links_in_the_place_of_what_was_written(tmp_path: Path) -> None:
    """They are the user's, even if they lead to the very files: a write neither replaces nor removes them."""
    folder = tmp_path / "a"
    fill(folder, {"0.png": "old", "3/1.png": "old"})
    links = {name: tmp_path / name for name in ("0.png", "3")}
    for name, elsewhere in links.items():
        (folder / name).rename(elsewhere)
        (folder / name).symlink_to(elsewhere)
    for name in ("0.png", "3/2.png"):
        with pytest.raises(OutputError, match="Name another folder"):
            OutputFolder(folder, [name], force=True)
    fill(folder, {"2.png": "new"}, force=True)
    assert content(folder) == {"2.png": "new"} | {name: str(elsewhere) for name, elsewhere in links.items()}
    assert content(tmp_path / "3") == {"1.png": "old"}


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_that_another_process_fills_first(tmp_path: Path, force: bool) -> None:
    """Of two writes into one missing folder, the one that ends last replaces the other's files only with --force."""
    refused = contextlib.nullcontext() if force else pytest.raises(OutputError, match="already holds files")
    with refused, OutputFolder(tmp_path / "a", ["0.png"], force=force).filling() as folder:
        (folder / "0.png").write_text("last", "utf-8")
        fill(tmp_path / "a", {"0.png": "first", "1.png": "first"})
    assert content(tmp_path / "a") == ({"0.png": "last"} if force else {"0.png": "first", "1.png": "first"})
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_an_empty_folder_with_a_relative_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a").mkdir()
    fill(Path("a"), {"0.png": "new"})
    assert content(tmp_path / "a") == {"0.png": "new"}


@pytest.mark.parametrize("place", ["missing", "new/missing", "empty", "of before"])
def test_an_error_while_drawing(tmp_path: Path, place: str) -> None:
    """If the work fails, everything is as it was before, and nothing is left over."""
    folder = tmp_path / place
    if place == "empty":
        folder.mkdir()
    elif place == "of before":
        fill(folder, {"0.png": "old", "3/1.png": "old"})
    before = runs.listing(tmp_path), sorted(tmp_path.rglob("*"))

    def failing() -> None:
        with OutputFolder(folder, ["0.png", "5/7.png"], force=True).filling() as new:
            (new / "0.png").write_text("new", "utf-8")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    assert (runs.listing(tmp_path), sorted(tmp_path.rglob("*"))) == before


def test_a_disk_that_is_full_from_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The temporary folder is removed even if nothing can be made in it."""
    fill(tmp_path / "a", {"0.png": "old"})
    before = sorted(tmp_path.rglob("*"))
    true = Path.mkdir

    def mkdir(path: Path, *given: Any, **options: Any) -> None:
        if path.name == "new":
            raise OSError(28, "No space left on device")
        true(path, *given, **options)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    with pytest.raises(OutputError, match="the disk is full"):
        fill(tmp_path / "a", {"0.png": "new"}, force=True)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("at", range(7))
@pytest.mark.parametrize(
    ("kind", "moved"),
    [(OSError(28, "No space left on device"), False), (KeyboardInterrupt(), False), (KeyboardInterrupt(), True)],
    ids=["full", "Ctrl-C", "Ctrl-C just after a move"],
)
def test_an_error_while_moving(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int, kind: BaseException, moved: bool
) -> None:
    """If the disk fills up or the user stops while files are moved, all of them are moved back."""
    folder = tmp_path / "a"
    fill(folder, {"0.png": "old", "1.png": "old", "3/2.png": "old"})
    (folder / "3" / "mine.png").write_text("mine", "utf-8")
    before = runs.listing(folder)
    true, count = Path.replace, 0

    def replace(path: Path, target: Any) -> Path:
        nonlocal count
        if not path.name.startswith(f".{MANIFEST}"):
            count += 1
            if count == at + 1:
                if moved:
                    true(path, target)
                raise kind
        return true(path, target)

    monkeypatch.setattr(Path, "replace", replace)
    files = {"0.png": "new", "3/2.png": "new", "5/4.png": "new", "6.png": "new"}
    with pytest.raises((OutputError, KeyboardInterrupt)) as caught:
        fill(folder, files, force=True)
    assert runs.listing(folder) == before
    assert sorted(path.name for path in folder.iterdir()) == [MANIFEST, "0.png", "1.png", "3"]
    if isinstance(kind, OSError):
        assert "the disk is full" in str(caught.value)
    monkeypatch.undo()
    fill(folder, files, force=True)
    assert content(folder) == {**files, "3/mine.png": "mine"}


@pytest.mark.parametrize("new", ["old", "new"])
@pytest.mark.parametrize("at", range(6))
def test_a_process_that_dies_while_moving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int, new: str) -> None:
    """Whenever it dies, the next write recognises the old and the new files, even if their contents are equal."""
    folder = tmp_path / "a"
    fill(folder, {"0.png": "old", "1.png": "old"})
    (folder / "mine.png").write_text("mine", "utf-8")
    true, count = Path.replace, 0

    def replace(path: Path, target: Any) -> Path:
        nonlocal count
        count += 1
        if count > at + 1:
            raise OSError(5, "Input/output error")  # undoing a move fails too
        return true(path, target)

    monkeypatch.setattr(Path, "replace", replace)
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)
    with contextlib.suppress(OutputError):
        fill(folder, {"0.png": new, "2.png": new}, force=True)
    monkeypatch.undo()
    for left in folder.glob(".*.tmp"):
        as_if_left_by(ended_process(), left)
    fill(folder, {"0.png": "newest"}, force=True)
    assert content(folder) == {"0.png": "newest", "mine.png": "mine"}


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            OSError(5, "Input/output error"),
            "cannot write {folder}: input/output error. Choose a place that can be written.",
        ),
        (
            OutputError("cannot write a list: the disk is full. Free some space."),
            "cannot write a list: the disk is full. Free some space.",
        ),
        (KeyboardInterrupt(), "writing into {folder} was interrupted."),
    ],
    ids=["the system", "inkgan", "Ctrl-C"],
)
def test_files_that_cannot_be_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, said: str
) -> None:
    """If moving back fails too, the error says in whole sentences why, and where the old files are; they are there."""
    folder = tmp_path / "a"
    fill(folder, {"0.png": "old", "1.png": "old"})
    true = Path.replace

    def replace(path: Path, target: Path) -> Path:
        if "old" in path.parts:
            raise OSError(5, "Input/output error")
        if path.name == "0.png" and "new" in path.parts:
            raise error
        return true(path, target)

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(OutputError) as caught:
        fill(folder, {"0.png": "new"}, force=True)
    expected = f"{said.format(folder=shown(folder))} Putting the old files back failed, too: input/output error. They "
    assert str(caught.value).startswith(expected)
    where = Path(str(caught.value).split("They are in ")[1].split(" until")[0])
    assert content(where) == {"0.png": "old", "1.png": "old"}


def test_a_disk_that_fails_for_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what failed first, even if the temporary folder cannot be looked at any more; it stays."""
    fill(tmp_path / "a", {"0.png": "old"})
    true = os.scandir

    def fail(path: Any, *_: Any) -> Any:
        raise OSError(5, "Input/output error", str(path))

    monkeypatch.setattr(Path, "replace", fail)
    monkeypatch.setattr(os, "scandir", lambda path=".": fail(path) if str(path).endswith("old") else true(path))
    with pytest.raises(OutputError, match=r"cannot write .*: input/output error"):
        fill(tmp_path / "a", {"0.png": "new"}, force=True)
    assert (tmp_path / "a" / "0.png").read_text("utf-8") == "old"


@pytest.mark.parametrize("inside", [True, False])
def test_what_a_killed_process_left_is_swept(tmp_path: Path, inside: bool) -> None:
    """The next write removes temporary folders of ended processes, inside the folder and beside it."""
    folder = tmp_path / "a"
    left = as_if_left_by(ended_process(), temporary_folder(folder if inside else tmp_path))
    (left / "new").mkdir()
    fill(folder, {"0.png": "new"})
    assert not left.exists()
    assert content(folder) == {"0.png": "new"}


@pytest.mark.slow
def test_a_killed_command(tmp_path: Path) -> None:
    """A killed ``write`` leaves the folder as it was, and the next one removes its leftovers."""
    out = tmp_path / "numbers"
    command = [sys.executable, "-m", "inkgan", "write", "dddd", "-o", f"{out}/"]
    with subprocess.Popen([*command, "-n", "100000"]) as process:
        wait_for_file(tmp_path, ".*.tmp/new/*.png", process)
        process.kill()
    assert not out.exists()
    assert list(tmp_path.iterdir())
    subprocess.run(command, check=True, timeout=SECONDS)
    assert [entry.name for entry in tmp_path.iterdir()] == ["numbers"]
    assert sorted(entry.name for entry in out.iterdir()) == [MANIFEST, "0.png"]


@pytest.mark.slow
@pytest.mark.parametrize("command", ["sample", "morph", "write"])
def test_commands_touch_nothing_of_the_users(
    tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every command that fills folders refuses to replace files it did not write, and refuses an empty name."""
    words = {
        "sample": ["sample", "fast", "-n", "20"],
        "morph": ["morph", "3", "5", "--steps", "1"],
        "write": ["write", "2026", "-n", "20"],
    }[command]
    monkeypatch.chdir(tmp_path)
    taken = "07.png" if command == "write" else "7/07.png"
    mine = {"a/3/07.jpg": "mine", "a/8/99.png": "mine", "a/labels.jsonl": "mine", f"a/{taken}": "mine"}
    for name, text in mine.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text, "utf-8")
    assert run([*words, "-o", "", "--force"]) == 2
    assert "empty" in capsys.readouterr().err
    assert run([*words, "-o", "a/", "--force"]) == 2
    assert taken in capsys.readouterr().err
    assert content(tmp_path) == mine
    Path("a", taken).unlink()
    del mine[f"a/{taken}"]
    for _ in range(2):
        assert run([*words, "-o", "a/", "--force"]) == 0
        assert len(content(tmp_path)) == 23
        assert content(tmp_path / "a" / "3")["07.jpg"] == "mine"
    shutil.rmtree("a/8")
    assert run([*words, "-o", "a/"]) == 2


def test_a_refused_folder_is_shown_with_escapes(tmp_path: Path) -> None:
    """As it is for files: the message names no other folder."""
    folder = tmp_path / "two\nlines"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine", "utf-8")
    with pytest.raises(OutputError, match=r"two\\nlines already holds files"):
        OutputFolder(folder, ["0.png"], force=False)
    with pytest.raises(OutputError, match=r"two\\nlines/mine\.txt is a file, not a folder"):
        OutputFolder(folder / "mine.txt", ["0.png"], force=False)
    for name, said in {
        "mine.txt": r"lines/mine\.txt was not written",
        "mine.txt/0.png": r"lines/mine\.txt is a link or a file",
    }.items():
        with pytest.raises(OutputError, match=rf"two\\n{said}"):
            OutputFolder(folder, [name], force=True)


def test_two_writes_into_one_folder_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second waits until the first has moved its files in, and then replaces them."""
    fill(tmp_path, {"0.png": "old", "1.png": "old"})
    second = threading.Thread(target=fill, args=(tmp_path, {"0.png": "second"}), kwargs={"force": True})
    start_at_the_first_move(monkeypatch, second)
    fill(tmp_path, {"0.png": "first", "2.png": "first"}, force=True)
    second.join(SECONDS)
    assert content(tmp_path) == {"0.png": "second"}
    fill(tmp_path, {"3.png": "third"}, force=True)
    assert content(tmp_path) == {"3.png": "third"}


def test_two_writes_into_an_empty_folder_at_once(tmp_path: Path) -> None:
    """What the second has not moved in yet does not keep the first one out."""
    refused = pytest.raises(OutputError, match="already holds files")
    with refused, OutputFolder(tmp_path, ["0.png"], force=False).filling():
        fill(tmp_path, {"0.png": "first"})
    assert content(tmp_path) == {"0.png": "first"}


@pytest.mark.parametrize("whole", ["run", "data set"])
def test_a_run_or_a_data_set_that_begins_while_files_are_made(tmp_path: Path, whole: str) -> None:
    """It gets none of the files, even with --force."""
    refused = pytest.raises(OutputError, match=f"is the folder of a {whole}")
    with refused, OutputFolder(tmp_path / "a", ["0.png"], force=True).filling() as folder:
        (folder / "0.png").write_text("new", "utf-8")
        if whole == "run":
            (tmp_path / "a" / "checkpoints").mkdir(parents=True)
            (tmp_path / "a" / "config.json").write_text("{}", "utf-8")
        else:
            (tmp_path / "a").mkdir()
            (tmp_path / "a" / "manifest.json").write_text("{}", "utf-8")
            (tmp_path / "a" / ".00000.sha256").write_text("", "utf-8")
    assert "0.png" not in {path.name for path in tmp_path.rglob("*")}
