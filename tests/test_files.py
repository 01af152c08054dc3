"""Files that appear whole or not at all, and links, which belong to the user."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from inkgan import files
from inkgan.errors import OutputError, shown
from inkgan.files import (
    atomic_write,
    one_at_a_time,
    output_errors,
    read_regular,
    refuse_to_overwrite,
    remove_abandoned,
    sha256_of,
    temporary_folder,
    write_bytes,
)
from inkgan.generation import shards
from inkgan.generation.output_folder import OutputFolder
from inkgan.runs import checkpoint
from killed_process import as_if_left_by, ended_process


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """Writing to a link writes to its target, and the link stays."""
    there, link = tmp_path / "disk" / "there.json", tmp_path / "link.json"
    there.parent.mkdir()
    there.write_text("old", "utf-8")
    link.symlink_to(Path("disk", "there.json"))
    with pytest.raises(OutputError, match="exists already"):
        write_bytes(link, b"new", force=False)
    write_bytes(link, b"new")
    assert link.is_symlink()
    assert there.read_bytes() == b"new"
    assert sorted(entry.name for entry in tmp_path.rglob("*")) == ["disk", "link.json", "there.json"]


def test_a_link_to_nothing_is_something(tmp_path: Path) -> None:
    """Writing to a link that points nowhere is refused; with force, it creates the file that the link names."""
    link = tmp_path / "link.json"
    link.symlink_to(tmp_path / "later.json")
    with pytest.raises(OutputError, match="is a link to nothing"):
        refuse_to_overwrite(link, force=False)
    with pytest.raises(OutputError, match="is a link to nothing"):
        write_bytes(link, b"new", force=False)
    assert not (tmp_path / "later.json").exists()
    write_bytes(link, b"new")
    assert (tmp_path / "later.json").read_bytes() == b"new"
    assert link.is_symlink()


def test_no_folder_is_made_behind_a_link(tmp_path: Path) -> None:
    """Writing to a link into a missing folder, such as an unmounted disk, is refused and creates nothing there."""
    link = tmp_path / "link.json"
    link.symlink_to(tmp_path / "disk" / "file.json")
    with pytest.raises(OutputError, match="cannot write"):
        write_bytes(link, b"new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["link.json"]


def test_a_refused_name_is_shown_with_escapes(tmp_path: Path) -> None:
    """A new line in a name is not shown as a space, which would be the name of another file."""
    there = tmp_path / "two\nlines.png"
    there.write_bytes(b"mine")
    link = tmp_path / "a\x1blink.png"
    link.symlink_to(tmp_path / "nowhere")
    folder = tmp_path / "a\tfolder"
    folder.mkdir()
    refused = {
        there: r"two\nlines.png exists",
        link: r"a\x1blink.png is a link",
        folder: r"a\tfolder: it is not a file",
    }
    for path, said in refused.items():
        with pytest.raises(OutputError, match=re.escape(said)):
            refuse_to_overwrite(path, force=False)


def test_a_link_to_itself(tmp_path: Path) -> None:
    """A circle of links is refused in one line."""
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(OutputError, match="is a link to itself"):
        write_bytes(tmp_path / "a", b"new")
    assert (tmp_path / "a").is_symlink()
    assert (tmp_path / "b").is_symlink()


@pytest.mark.parametrize("place", ["folder", "pipe"])
def test_what_is_no_file_is_never_replaced(tmp_path: Path, place: str) -> None:
    """A folder or a pipe stays what it is, even with force."""
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OutputError, match="it is not a file"):
        write_bytes(tmp_path / place, b"new")
    assert not (tmp_path / place).is_file()


def test_two_threads_that_write_the_same_file_at_once(tmp_path: Path) -> None:
    """Neither thread sees the other's unfinished file; the whole file of the one that ends last stays."""
    with atomic_write(tmp_path / "a") as unfinished:
        unfinished.write_bytes(b"first, ")
        other = threading.Thread(target=write_bytes, args=(tmp_path / "a", b"second"))
        other.start()
        other.join()
        assert (tmp_path / "a").read_bytes() == b"second"
        assert unfinished.read_bytes() == b"first, "
        unfinished.write_bytes(b"first, whole")
    assert (tmp_path / "a").read_bytes() == b"first, whole"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_two_machines_that_write_the_same_file_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writers with the same process and thread ids, as in containers that share a disk, do not mix their files."""
    monkeypatch.setattr(os, "getpid", lambda: 7)
    monkeypatch.setattr(threading, "get_native_id", lambda: 7)
    with atomic_write(tmp_path / "a") as first, atomic_write(tmp_path / "a") as second:
        first.write_bytes(b"first")
        second.write_bytes(b"second")
        assert first.read_bytes() == b"first"
    assert (tmp_path / "a").read_bytes() == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_two_writers_of_a_new_file_at_once(tmp_path: Path) -> None:
    """Without force, the file of the writer that ends first stays, and the other one is refused."""
    path = tmp_path / "a"

    def second() -> None:
        with atomic_write(path, force=False) as unfinished:
            unfinished.write_bytes(b"second")
            write_bytes(path, b"first", force=False)

    with pytest.raises(OutputError, match="exists already"):
        second()
    assert path.read_bytes() == b"first"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


def test_a_new_file_on_a_disk_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*_: object) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(os, "link", link)
    write_bytes(tmp_path / "a", b"new", force=False)
    assert (tmp_path / "a").read_bytes() == b"new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


def left_by(process: int, parent: Path) -> tuple[Path, Path]:
    """Leave a temporary file and a temporary folder as a killed process does."""
    with atomic_write(parent / "a.png") as temporary:
        temporary.write_bytes(b"half")
        file = as_if_left_by(process, temporary)
        temporary.write_bytes(b"whole")
    folder = temporary_folder(parent)
    (folder / "new.png").write_bytes(b"half")
    return file, as_if_left_by(process, folder)


def test_what_a_killed_process_left_is_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next file in that folder removes it; what may be in use, on another machine or the user's own stays."""
    ended = ended_process()
    file, folder = left_by(ended, tmp_path)
    names = (".a.png.77.tmp.png", f".inkgan-{ended}-ab_12.tmp", folder.name[1:], folder.stem)
    mine = {tmp_path / name for name in names}
    for path in mine:
        path.mkdir()
    link = file.with_name(file.name.replace(".a.png", ".link.png"))
    link.symlink_to(mine.copy().pop())
    in_use = left_by(os.getppid(), tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(files, "_machine_number", lambda: "0123456789")
        elsewhere = left_by(ended, tmp_path)
    write_bytes(tmp_path / "b.html", b"new")
    assert not any(left.exists() for left in (file, folder))
    assert set(tmp_path.iterdir()) == {*mine, link, *in_use, *elsewhere, tmp_path / "a.png", tmp_path / "b.html"}


def test_what_another_user_left_does_not_hinder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder of all users, such as /tmp, only its owner may remove a file."""
    ended = ended_process()
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: ended)
        left = [files._temporary_path(tmp_path / name, "") for name in "abc"]
    for path in left:
        path.touch()
    unlink = Path.unlink
    owned: list[Path] = []

    def unlink_own(path: Path) -> None:
        if not owned:
            owned.append(path)
        if path == owned[0]:
            raise PermissionError(errno.EPERM, "Operation not permitted")
        unlink(path)

    monkeypatch.setattr(Path, "unlink", unlink_own)
    remove_abandoned(tmp_path)
    assert [path for path in left if path.exists()] == owned


def test_the_ending_of_a_link(tmp_path: Path) -> None:
    """A temporary file has the ending that was given: it says in which format a picture is written."""
    (tmp_path / "link.png").symlink_to(tmp_path / "target")
    with atomic_write(tmp_path / "link.png") as temporary:
        assert temporary.suffix == ".png"
        temporary.touch()
    assert (tmp_path / "target").is_file()


def test_containers_of_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each container has its own process ids, so one cannot know whether the other's processes have ended."""
    left = left_by(ended_process(), tmp_path)
    stat: Callable[..., Any] = os.stat
    other = SimpleNamespace(st_ino=1)
    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", lambda path, **given: other if "/ns/" in str(path) else stat(path, **given))
        remove_abandoned(tmp_path)
    assert all(path.exists() for path in left)
    remove_abandoned(tmp_path)
    assert not any(path.exists() for path in left)


def test_a_zombie_has_ended(tmp_path: Path) -> None:
    """In a container whose first process asks for no exit codes, processes of killed commands stay zombies for ever."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        left, _ = left_by(process.pid, tmp_path)
        write_bytes(tmp_path / "b.html", b"new")
        assert left.exists()  # it works
        assert process.stdin is not None
        process.stdin.close()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        write_bytes(tmp_path / "c.html", b"new")
        assert left.exists() == (not Path("/proc").is_dir())  # only there can it be told from a process that works


@pytest.mark.parametrize("name", ["a" * 251 + ".png", "é" * 127, "a." + "b" * 253, "a" * 179 + "é" * 30])
def test_the_longest_names(tmp_path: Path, name: str) -> None:
    """Every name that the disk allows can be written, although the name of a temporary file is longer."""
    write_bytes(tmp_path / name, b"new", force=False)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_only_a_link_to_nothing_is_called_so(tmp_path: Path) -> None:
    """Where something else is in the way, beyond a link to a folder, the system's reason stays."""
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there")
    with pytest.raises(OutputError) as refused, output_errors(tmp_path / "link" / "new"):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    assert "link to nothing" not in str(refused.value)


def test_what_is_no_folder_in_place_of_one(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("a", "link"):
        with pytest.raises(OutputError, match=rf"/{name} is not a folder\. Name another output"):
            refuse_to_overwrite(tmp_path / name / "b" / "c.png", force=False)


def test_a_read_only_folder_is_refused_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the nearest one that is there; behind a link, the folder of the file that it leads to."""
    locked, true = tmp_path / "locked", os.access
    locked.mkdir()
    (locked / "old.html").touch()
    (tmp_path / "link.html").symlink_to(locked / "old.html")
    monkeypatch.setattr(os, "access", lambda path, mode: path != locked and true(path, mode))
    for name in ("locked/a.html", "locked/new/a.html", "locked/old.html", "link.html"):
        with pytest.raises(OutputError, match=re.escape(f"{locked} is read-only.")):
            refuse_to_overwrite(tmp_path / name, force=True)
    for folder in (locked, locked / "new"):
        with pytest.raises(OutputError, match=re.escape(f"{locked} is read-only.")):
            OutputFolder(folder, [], force=True)
    refuse_to_overwrite(tmp_path / "a.html", force=False)


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    """If writing fails, the old file is whole and no temporary file is left."""
    path = tmp_path / "a.txt"
    path.write_text("old", "utf-8")

    def half() -> None:
        with atomic_write(path) as temporary:
            temporary.write_text("half", "utf-8")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    assert path.read_text("utf-8") == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("name", ["", "lock"], ids=["folder", "file"])
@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK])
def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, name: str) -> None:
    """A lock saves work that another process does at the same time; without it, the work is done twice."""

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", refuse)
    with one_at_a_time(tmp_path / name):
        pass
    with pytest.raises(OSError, match="of the work"), one_at_a_time(tmp_path / name):
        raise OSError(number, "of the work")


def test_what_may_not_be_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder may be writable and not readable; but where a file cannot be made, the work could not be kept."""

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("os.open", refuse)
    with one_at_a_time(tmp_path):
        pass
    with pytest.raises(PermissionError), one_at_a_time(tmp_path / "lock"):
        pass


def test_what_may_never_end_is_not_read(tmp_path: Path) -> None:
    """Reading a pipe, a link to a device or a file that is too large fails at once."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    (tmp_path / "large").write_bytes(b"12345")
    for name in ("pipe", "link"):
        with pytest.raises(OSError, match="not a regular file"):
            sha256_of(tmp_path / name)
        with pytest.raises(OSError, match="not a regular file"):
            read_regular(tmp_path / name)
    assert read_regular(tmp_path / "large", 5) == b"12345"
    with pytest.raises(OSError, match="larger than 4 bytes"):
        read_regular(tmp_path / "large", 4)


@pytest.mark.parametrize(
    ("name", "text"), [("a\ud800", "a\\ud800"), ("a\udcff", "a\\xff"), ("a\x1b\u202e", "a\\x1b\\u202e")]
)
def test_names_in_messages(name: str, text: str) -> None:
    """A message shows any file name in printable form, even one that is not UTF-8 or cannot be encoded."""
    assert shown(name) == text


def _save_checkpoint(folder: Path) -> None:
    checkpoint.save(folder, 1, {"a": {"b": np.zeros(3, np.float32)}}, {})


def _fill_folder(folder: Path) -> None:
    with OutputFolder(folder / "new", ["0.png"], force=False).filling() as new:
        (new / "0.png").write_bytes(b"picture")


def _put_shard(folder: Path) -> None:
    shards._move_into_place({"00000.tar": b"content"}, folder, 0, depth=1)


@pytest.mark.parametrize("write", [_save_checkpoint, _fill_folder, _put_shard])
def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path], None]) -> None:
    def failing(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "rename", failing)
    monkeypatch.setattr(Path, "replace", failing)
    with pytest.raises(OutputError, match=r"the disk is full\. What was there is kept; free some space"):
        write(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_limit_on_the_size_of_files_is_not_a_full_disk(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="file too large") as caught, output_errors(tmp_path / "a"):
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    assert "the disk is full" not in str(caught.value)


@pytest.mark.slow
def test_a_locale_that_is_not_utf_8(tmp_path: Path) -> None:
    """Files and the folders of classes have the same names, byte for byte, as in a locale that is."""
    script = r"""
import sys
import numpy as np
from inkgan.generation.image_files import image_saver

images, labels = np.zeros((2, 8, 8), np.uint8), np.array([0, 1])
for name in ("a.npz", "a/"):
    image_saver(sys.argv[1] + name, 2, labels, ["\u65e5", "\xe9"])(images)
"""
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    subprocess.run([sys.executable, "-c", script, f"{tmp_path}/☃"], check=True, env=environment)
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.[np]*")} == {
        "☃a.npz",
        "☃a/日/0.png",
        "☃a/é/1.png",
    }
