"""Checkpoints: whole or not there, checked before use, and nothing in them is ever run."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import math
import os
import pickle
import shutil
import stat
import struct
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import inkgan
from inkgan.errors import CheckpointError, OutputError
from inkgan.files import sha256_of
from inkgan.runs import checkpoint
from refusals import refusal

TENSORS: dict[str, dict[str, NDArray[np.float32]]] = {
    "generator": {"w": np.arange(12, dtype=np.float32).reshape(3, 4), "b": np.array([1.5], np.float32)},
    "optimizers": {"adam.w.step": np.array(7, np.float32), "adam.w.exp_avg": np.ones((3, 4), np.float32)},
}
DOCUMENTS: dict[str, dict[str, Any]] = {"state": {"step": 4, "name": "ü"}, "model": {"network": "tutorial"}}
SHAPES = {stem: {name: array.shape for name, array in arrays.items()} for stem, arrays in TENSORS.items()}


def save(folder: Path, step: int, shift: float = 0) -> Path:
    """Save the small checkpoint, its numbers moved by ``shift``."""
    moved = {
        stem: {name: array + np.float32(shift) for name, array in arrays.items()} for stem, arrays in TENSORS.items()
    }
    return checkpoint.save(folder, step, moved, DOCUMENTS | {"state": {"step": step}})


def content(folder: Path) -> tuple[Any, ...]:
    """Everything that a reader takes from a checkpoint, checked as a reader does."""
    checkpoint.verify(folder)
    arrays = {stem: checkpoint.read_arrays(folder, stem, shapes) for stem, shapes in SHAPES.items()}
    numbers = {(stem, name): array.tolist() for stem, group in arrays.items() for name, array in group.items()}
    return numbers, [checkpoint.read_document(folder, stem) for stem in ("state", "model")]


#: The message of a call's CheckpointError.
complaint = partial(refusal, kind=CheckpointError)


def names(folder: Path) -> list[str]:
    """The names in a folder, sorted."""
    return sorted(path.name for path in folder.iterdir())


def sign(folder: Path) -> None:
    """Write a manifest that fits the files as they are."""
    files = {path.name: {"size": path.stat().st_size, "sha256": sha256_of(path)} for path in folder.iterdir()}
    files.pop("manifest.json", None)
    (folder / "manifest.json").write_text(json.dumps({"files": files}), "utf-8")


def test_round_trip(tmp_path: Path) -> None:
    """What was saved is read, shapes of zero dimensions included."""
    folder = save(tmp_path / "new" / "checkpoints", 4)
    assert folder.name == "step-0000004"
    checkpoint.verify(folder)
    for stem, arrays in TENSORS.items():
        read = checkpoint.read_arrays(folder, stem, SHAPES[stem])
        for name, array in arrays.items():
            np.testing.assert_array_equal(read[name], array, strict=True)
    assert checkpoint.read_document(folder, "model") == DOCUMENTS["model"]


def test_arrays_in_any_order_of_memory(tmp_path: Path) -> None:
    """Transposed and strided arrays are saved with the values that they show."""
    array = np.arange(24, dtype=np.float32).reshape(4, 6)
    folder = checkpoint.save(tmp_path, 1, {"generator": {"t": array.T, "s": array[::2, ::3]}}, {})
    read = checkpoint.read_arrays(folder, "generator", {"t": (6, 4), "s": (2, 2)})
    np.testing.assert_array_equal(read["t"], array.T)
    np.testing.assert_array_equal(read["s"], array[::2, ::3])


@pytest.mark.parametrize(
    ("step", "name"),
    [
        (0, "step-0000000"),
        (1234567, "step-1234567"),
        (10**9, "step-1000000000"),
        (-1, "pretraining-0000001"),
        (-300, "pretraining-0000300"),
    ],
)
def test_names(step: int, name: str) -> None:
    """A checkpoint's name tells its step; the checkpoints of earlier versions have the same names."""
    assert checkpoint.checkpoint_name(step) == name
    assert checkpoint.step_of(name) == step


@pytest.mark.parametrize(
    "name",
    ["step-1", "step-", "step-00000077", ".tmp-step-0000001-5", "step-0000001 ", "Step-0000001", "best"],
)
def test_other_names(name: str) -> None:
    """Nothing else is taken for a checkpoint."""
    assert checkpoint.step_of(name) is None


def test_steps_are_sorted_by_number(tmp_path: Path) -> None:
    """The oldest comes first: pre-training, then steps, even past seven digits; files do not count."""
    for step in (12345678, 2, -1, -10, 9999999, 0):
        (tmp_path / checkpoint.checkpoint_name(step)).mkdir()
    (tmp_path / "step-0000077").touch()
    assert checkpoint.list_steps(tmp_path) == [-10, -1, 0, 2, 9999999, 12345678]
    assert checkpoint.list_steps(tmp_path / "none") == []


class _Crash(BaseException):
    """The end of the process: nothing that it does afterwards has an effect."""


class _Failpoints:
    """Counts the calls that change files, and lets one of them fail."""

    NAMES = ("os.mkdir", "os.open", "os.fsync", "os.rename", "io.open", "shutil.rmtree")

    def __init__(self, patch: pytest.MonkeyPatch, fail_at: int, kind: str) -> None:
        self.calls: list[tuple[str, str]] = []
        self._fail_at = fail_at
        self._kind = kind
        self._crashed = False
        modules: dict[str, Any] = {"os": os, "io": io, "shutil": shutil}
        for name in self.NAMES:
            module, _, last = name.partition(".")
            patch.setattr(name, self._watched(last, getattr(modules[module], last)))

    def _watched(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            if self._crashed:
                raise _Crash
            self.calls.append((name, str(arguments[0])))
            if len(self.calls) != self._fail_at:
                return real(*arguments, **named)
            if self._kind == "error":
                raise OSError(errno.EIO, "Input/output error", str(arguments[0]))
            if self._kind == "crash after":
                with contextlib.suppress(OSError):  # such as a folder that is there already
                    _close(real(*arguments, **named))
            if self._kind == "crash inside":
                _do_half(name, *arguments)
            self._crashed = True
            raise _Crash

        return call


def _close(opened: Any) -> None:
    """Close what a call opened, if it opened anything."""
    if isinstance(opened, int):
        os.close(opened)
    elif opened is not None:
        opened.close()


def _do_half(name: str, path: Path, mode: str = "r", *_: Any) -> None:
    """What a call may have done when the process ends inside it: half a file is written, half a folder removed."""
    if name == "open" and isinstance(mode, str) and "w" in mode:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666))
        os.truncate(path, 3)
    elif name == "rmtree" and path.is_dir():
        for file in sorted(path.iterdir())[::2]:
            file.unlink()


def count_of_failpoints(folder: Path) -> int:
    """How many calls that change files the save of step 2 makes."""
    save(folder, 1)
    with pytest.MonkeyPatch.context() as patch:
        points = _Failpoints(patch, 0, "never")
        save(folder, 2)
    return len(points.calls)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["crash", "crash inside", "crash after", "error"])
def test_failing_at_every_point_of_a_save(tmp_path: Path, kind: str) -> None:
    """Wherever a save is interrupted, the newest whole checkpoint is the old or the new one, and the rest is swept."""
    count = count_of_failpoints(tmp_path / "count")
    assert count >= 15
    outcomes = set()
    for fail_at in range(1, count + 1):
        folder = tmp_path / f"at-{fail_at}"
        save(folder, 1)
        with pytest.MonkeyPatch.context() as patch:
            points = _Failpoints(patch, fail_at, kind)
            if kind == "error":
                try:
                    save(folder, 2, shift=2)
                except OutputError as error:
                    assert "step-0000002: input/output error" in str(error)  # noqa: PT017 - a clean-up may fail unseen
                    assert points.calls[fail_at - 1][0] == "rmtree" or not list(folder.glob(".tmp-*"))
            else:
                with pytest.raises(_Crash):
                    save(folder, 2, shift=2)
        checkpoint.remove_unfinished(folder)
        assert not list(folder.glob(".tmp-*"))
        step, warnings = checkpoint.newest_whole(folder)
        assert warnings == []
        assert step is not None
        assert content(folder / checkpoint.checkpoint_name(step))[0]["generator", "b"][0] == {1: 1.5, 2: 3.5}[step]
        outcomes.add(step)
        shutil.rmtree(folder)
    assert outcomes == {1, 2}


def test_everything_is_on_disk_before_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file and their folder are fsynced before the rename, and the parent after it."""
    synced: list[str] = []
    real_open = os.open

    def note_open(path: Any, *arguments: Any, **named: Any) -> int:
        synced.append(Path(path).name)
        return real_open(path, *arguments, **named)

    monkeypatch.setattr("os.open", note_open)
    monkeypatch.setattr("os.rename", lambda source, target: synced.append(f"rename to {Path(target).name}"))
    save(tmp_path, 3)
    files = ["generator.safetensors", "model.json", "optimizers.safetensors", "state.json", "manifest.json"]
    at = synced.index("rename to step-0000003")
    assert synced[at - 6 : at - 1] == files
    assert synced[at - 1].startswith(".tmp-step-0000003")
    assert synced[at + 1] == tmp_path.name


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_that_cannot_sync_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """A checkpoint is saved even if the file system cannot fsync folders."""
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        real(descriptor)

    monkeypatch.setattr("os.fsync", fsync)
    content(save(tmp_path / "checkpoints", 3))


def test_a_disk_that_fails_while_it_syncs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real error of fsync is not taken for a file system that cannot sync."""

    def fsync(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("os.fsync", fsync)
    with pytest.raises(OutputError, match="input/output error"):
        save(tmp_path, 3)
    assert checkpoint.list_steps(tmp_path) == []


@pytest.mark.parametrize("file", ["generator.safetensors", "optimizers.safetensors", "state.json", "model.json"])
@pytest.mark.parametrize("how", ["missing", "empty", "short", "long", "bit", "other", "symlink", "folder"])
def test_damaged_files_are_named(tmp_path: Path, file: str, how: str) -> None:
    """Every kind of damage is found before use, and the message names the file."""
    path = save(tmp_path, 4) / file
    before = path.read_bytes()
    path.unlink()
    if how == "symlink":
        (tmp_path / "elsewhere").write_bytes(before)
        path.symlink_to(tmp_path / "elsewhere")
    elif how == "folder":
        path.mkdir()
    elif how != "missing":
        other = "model.json" if file == "state.json" else "state.json"
        changed = {
            "empty": b"",
            "short": before[:-1],
            "long": before + b" ",
            "bit": before[:-1] + bytes([before[-1] ^ 1]),
            "other": (path.parent / other).read_bytes(),
        }
        path.write_bytes(changed[how])
    complaint(lambda: content(path.parent), str(path))


def test_line_ends_of_windows(tmp_path: Path) -> None:
    """Git may check out JSON with the line ends of Windows, which mean the same; a carriage return elsewhere does not.

    Tensors are bytes, so in them a line end is damage.
    """
    folder = save(tmp_path, 4)
    saved = content(folder)
    for path in folder.glob("*.json"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert content(folder) == saved
    model = folder / "model.json"
    model.write_bytes(model.read_bytes().replace(b"{", b"{\r", 1))
    complaint(lambda: content(folder), str(model))
    model.write_bytes(model.read_bytes().replace(b"{\r", b"{", 1))
    generator = folder / "generator.safetensors"
    generator.write_bytes(generator.read_bytes() + b"\r\n")
    complaint(lambda: content(folder), str(generator))


def test_a_file_too_many(tmp_path: Path) -> None:
    """A file that the manifest does not list is refused, since nobody checked it."""
    folder = save(tmp_path, 4)
    (folder / "extra.safetensors").write_bytes(b"")
    complaint(lambda: checkpoint.verify(folder), str(folder / "extra.safetensors"))


def test_a_users_file_in_a_checkpoint(tmp_path: Path) -> None:
    """Nobody reads it, so the checkpoint is as good as without it."""
    for step in (1, 2):
        save(tmp_path, step)
    for name in (".DS_Store", "._state.json", "notes.txt"):
        (tmp_path / "step-0000002" / name).touch()
    assert checkpoint.newest_to_resume(tmp_path) == (2, [])


def test_links_are_not_called_missing(tmp_path: Path) -> None:
    """Caches of downloads consist of them."""
    folder = save(tmp_path, 4)
    for name, said in (
        ("generator.safetensors", "generator.safetensors is a link: put the file itself there"),
        ("manifest.json", "its manifest.json is a link"),
    ):
        (folder / name).rename(tmp_path / name)
        (folder / name).symlink_to(tmp_path / name)
        complaint(lambda: checkpoint.verify(folder), said)


def test_a_manifest_without_what_is_needed(tmp_path: Path) -> None:
    """A file that is asked for must be listed, even if it is in the folder."""
    folder = save(tmp_path, 4)
    checkpoint.verify(folder, ["generator"])
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    del manifest["files"]["generator.safetensors"]
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    complaint(lambda: checkpoint.verify(folder, ["generator"]), "lists no generator")


@pytest.mark.parametrize(
    "files",
    [
        {},
        [],
        None,
        "all",
        {"../state.json": {"size": 1, "sha256": ""}},
        {"/etc/passwd": {"size": 1, "sha256": ""}},
        {"": {"size": 1, "sha256": ""}},
        {".": {"size": 1, "sha256": ""}},
        {"..": {"size": 1, "sha256": ""}},
        {"a\x00b": {"size": 1, "sha256": ""}},
        {"a\nb": {"size": 1, "sha256": ""}},
        {"a" * 5000: {"size": 1, "sha256": ""}},
        {"state.json": 5},
        {"state.json": {}},
        {"state.json": {"size": True, "sha256": None}},
    ],
    ids=range(15),
)
def test_a_manifest_that_lies(tmp_path: Path, files: Any) -> None:
    """A manifest that names what it may not, or names nothing, is refused."""
    folder = save(tmp_path, 4)
    (tmp_path / "state.json").write_text("x", "utf-8")
    (folder / "manifest.json").write_text(json.dumps({"files": files}), "utf-8")
    text = complaint(lambda: checkpoint.verify(folder))
    assert len(text) < 400 + len(str(folder))


@pytest.mark.parametrize("text", ["", "{", "[]", "5", "[" * 100_000, "\udcff", '{"files"', " " * 2**21])
def test_a_manifest_that_is_no_json_table(tmp_path: Path, text: str) -> None:
    """A manifest that is not a JSON table is refused by name."""
    folder = save(tmp_path, 4)
    (folder / "manifest.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    complaint(lambda: checkpoint.verify(folder), "manifest.json is ", "larger" if len(text) > 2**20 else "damaged")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (os.mkfifo, "it has no x.json"),
        (os.mkdir, "it has no x.json"),
        (lambda path: path.symlink_to("state.json"), "its x.json is a link"),
    ],
    ids=["pipe", "folder", "link"],
)
def test_documents_that_are_no_files(tmp_path: Path, make: Callable[[Path], object], said: str) -> None:
    """Something else in a document's place is refused at once."""
    folder = save(tmp_path, 4)
    make(folder / "x.json")
    complaint(lambda: checkpoint.read_document(folder, "x"), said)


def test_a_file_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fails while reading makes a checkpoint unusable, not a traceback."""
    folder = save(tmp_path, 4)

    def fail(path: Path) -> str:
        raise OSError(errno.EIO, "Input/output error", str(path))

    monkeypatch.setattr("inkgan.runs.checkpoint.sha256_of", fail)
    complaint(lambda: checkpoint.verify(folder), "generator.safetensors", "input/output error")


MUTATIONS = st.tuples(
    st.sampled_from(["flip", "flip", "flip", "cut", "insert", "delete", "swap", "rename"]),
    st.integers(0, 4),
    st.integers(0, 2**20),
    st.integers(0, 2**20),
)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small checkpoint, to be copied."""
    return save(tmp_path_factory.mktemp("original"), 4)


@pytest.mark.slow
@settings(max_examples=400)
@given(MUTATIONS)
def test_fuzzed_checkpoints(original: Path, mutation: tuple[str, int, int, int]) -> None:
    """With a bit flipped or bytes cut, inserted or swapped anywhere, it is refused, or read exactly as it was saved."""
    kind, which, where, what = mutation
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / original.name
        shutil.copytree(original, folder)
        path = sorted(folder.iterdir())[which]
        bytes_ = bytearray(path.read_bytes())
        at = where % len(bytes_)
        if kind == "flip":
            bytes_[at] ^= 1 << what % 8
        elif kind == "cut":
            del bytes_[at : at + 1 + what % 16]
        elif kind == "insert":
            bytes_[at:at] = bytes([what % 256])
        path.write_bytes(bytes_)
        other = sorted(folder.iterdir())[(which + 1 + what % 4) % 5]
        if kind == "delete":
            path.unlink()
        elif kind == "swap":
            saved = other.read_bytes()
            other.write_bytes(path.read_bytes())
            path.write_bytes(saved)
        elif kind == "rename":
            path.rename(folder / f"x{what}.json")
        if path.name == "manifest.json" and kind in ("flip", "cut", "insert"):
            with contextlib.suppress(CheckpointError):
                assert content(folder) == content(original)
        else:
            complaint(lambda: content(folder), str(folder))


def test_falling_back(tmp_path: Path) -> None:
    """The newest whole one is found; each damaged newer one gives one warning that names the file."""
    for saved in (1, 2, 3):
        save(tmp_path, saved)
    for damaged, file in ((3, "generator.safetensors"), (2, "state.json")):
        (tmp_path / checkpoint.checkpoint_name(damaged) / file).write_bytes(b"x")
    step, warnings = checkpoint.newest_whole(tmp_path)
    assert step == 1
    assert len(warnings) == 2
    assert str(tmp_path / "step-0000003" / "generator.safetensors") in str(warnings[0])
    assert str(tmp_path / "step-0000002" / "state.json") in str(warnings[1])
    assert checkpoint.newest_whole(tmp_path / "none") == (None, [])


def test_pruning_keeps_the_newest(tmp_path: Path) -> None:
    """The last K checkpoints and those named stay; what interrupted saves left is removed."""
    for step in (-2, 1, 2, 3, 10):
        save(tmp_path, step)
    (tmp_path / ".tmp-step-0000099-1").mkdir()
    (tmp_path / "notes.txt").touch()
    checkpoint.prune(tmp_path, 2, also=[1])
    assert names(tmp_path) == ["notes.txt", "step-0000001", "step-0000003", "step-0000010"]
    checkpoint.prune(tmp_path, 100)
    assert checkpoint.list_steps(tmp_path) == [1, 3, 10]


def test_a_disk_that_fails_while_old_checkpoints_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run has saved, so it goes on; the next save removes them."""
    for step in (1, 2, 3):
        save(tmp_path, step)

    def fail(*_: object) -> Any:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "iterdir", fail)
        checkpoint.prune(tmp_path, 1)
    assert checkpoint.list_steps(tmp_path) == [1, 2, 3]
    checkpoint.prune(tmp_path, 1)
    assert checkpoint.list_steps(tmp_path) == [3]


def test_pruning_leaves_what_is_the_users(tmp_path: Path) -> None:
    """A link, a checkpoint with a file of the user's, one that the user changed, and other folders stay."""
    elsewhere = save(tmp_path / "elsewhere", 1)
    folder = tmp_path / "checkpoints"
    for step in (2, 3, 4, 5, 6):
        save(folder, step)
    (folder / "step-0000001").symlink_to(elsewhere)
    (folder / "step-0000002" / "notes.txt").write_text("mine", "utf-8")
    (folder / "step-0000003" / "generator.safetensors").write_bytes(b"mine")
    (folder / "step-0000000").mkdir()
    (folder / "step-0000000" / "generator.safetensors").write_bytes(b"mine")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and "0000004" not in str(path)}
    checkpoint.prune(folder, 1)
    assert checkpoint.list_steps(folder) == [0, 1, 2, 3, 6]
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == {
        path: content for path, content in before.items() if "0000005" not in str(path)
    }
    assert (folder / "step-0000001").is_symlink()
    content(elsewhere)


def test_saving_through_a_link(tmp_path: Path) -> None:
    """A folder of checkpoints that is a link stays a link, and the checkpoints are written to its target."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "checkpoints").symlink_to(tmp_path / "disk")
    for step in (1, 2, 3):
        save(tmp_path / "checkpoints", step)
    checkpoint.prune(tmp_path / "checkpoints", 2)
    assert (tmp_path / "checkpoints").is_symlink()
    assert names(tmp_path / "disk") == ["step-0000002", "step-0000003"]


@pytest.mark.parametrize("how", ["link", "changed", "a file too many", "unchanged"])
def test_saving_where_something_is(tmp_path: Path, how: str) -> None:
    """Whatever is in the way of a new checkpoint is kept under another name."""
    folder = tmp_path / "checkpoints"
    path = save(folder, 2)
    if how == "link":
        path.rename(tmp_path / "elsewhere")
        path.symlink_to(tmp_path / "elsewhere")
    elif how != "unchanged":
        (path / ("state.json" if how == "changed" else "notes.txt")).write_text("mine", "utf-8")
    before = {file.name: file.read_bytes() for file in path.iterdir()}
    content(save(folder, 2, shift=1))
    assert names(folder) == ["step-0000002", "step-0000002.damaged"]
    kept = folder / "step-0000002.damaged"
    assert kept.is_symlink() == (how == "link")
    assert {file.name: file.read_bytes() for file in kept.iterdir()} == before


def test_removing_is_not_seen_half_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint whose removal is interrupted is not listed any more."""
    save(tmp_path, 1)
    monkeypatch.setattr("shutil.rmtree", lambda *_, **__: None)
    checkpoint.remove(tmp_path, 1)
    assert checkpoint.list_steps(tmp_path) == []
    monkeypatch.undo()
    checkpoint.remove_unfinished(tmp_path)
    assert not names(tmp_path)


def test_sweeping_removes_only_what_saving_leaves(tmp_path: Path) -> None:
    """Names and contents must be those of an interrupted save or removal; links and the rest are the user's."""
    save(tmp_path, 1)
    for name, file in {
        ".tmp-step-0000002-77": "generator.safetensors",
        ".tmp-removed-step-0000003": "manifest.json",
        ".tmp-pretraining-0000004-5": ".tmpXPRD9S",
        ".tmp-step-0000005-77": "notes.txt",
        ".tmp-mine": "state.json",
        ".tmp-step-0000006-77.old": "state.json",
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / file).touch()
    (tmp_path / ".tmp-file").touch()
    (tmp_path / ".tmp-step-0000009-1").symlink_to(tmp_path / "step-0000001")
    checkpoint.remove_unfinished(tmp_path)
    assert names(tmp_path) == [
        ".tmp-file", ".tmp-mine", ".tmp-step-0000005-77", ".tmp-step-0000006-77.old", ".tmp-step-0000009-1",
        "step-0000001",
    ]  # fmt: skip
    content(tmp_path / "step-0000001")


def test_the_umask_decides_who_may_read(tmp_path: Path) -> None:
    """Every file of a checkpoint has the permissions that any new file has."""
    for mask, expected in ((0o022, 0o644), (0o027, 0o640), (0o077, 0o600)):
        before = os.umask(mask)
        try:
            folder = save(tmp_path, mask)
        finally:
            os.umask(before)
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {expected}


def test_a_checkpoint_that_vanishes_after_it_was_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a trainer removes a checkpoint after it was listed and before it is checked, the newer one is found."""
    save(tmp_path, 1)
    real = checkpoint.verify
    looked: list[str] = []

    def verify(folder: Path, stems: Any = None) -> None:
        looked.append(folder.name)
        if len(looked) <= 3:  # the trainer is faster three times
            save(tmp_path, len(looked) + 1)
            shutil.rmtree(folder)
        real(folder, stems)

    monkeypatch.setattr("inkgan.runs.checkpoint.verify", verify)
    assert checkpoint.newest_whole(tmp_path) == (4, [])
    assert looked == ["step-0000001", "step-0000002", "step-0000003", "step-0000004"]


def test_a_newest_one_that_cannot_be_read_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fails once, at a resume, costs nothing: the run does not fall back, and the checkpoint stays."""
    for step in (1, 2):
        save(tmp_path, step)
    before = names(tmp_path)
    real = sha256_of

    def fail_once(path: Path) -> str:
        monkeypatch.setattr("inkgan.runs.checkpoint.sha256_of", real)
        raise OSError(errno.EIO, "Input/output error", str(path))

    monkeypatch.setattr("inkgan.runs.checkpoint.sha256_of", fail_once)
    complaint(lambda: checkpoint.newest_to_resume(tmp_path), "step-0000002", "input/output error", "Try again")
    assert names(tmp_path) == before
    assert checkpoint.newest_to_resume(tmp_path) == (2, [])
    monkeypatch.setattr("inkgan.runs.checkpoint.sha256_of", fail_once)
    found, notes = checkpoint.newest_whole(tmp_path)  # for a reader, the one before is as good
    assert found == 1
    assert "step-0000002" in str(notes[0])


def test_damaged_ones_are_kept_aside(tmp_path: Path) -> None:
    """Checkpoints after the one that a run falls back to are renamed, not removed; the second time under a new name."""
    for step in (1, 2, 3):
        save(tmp_path, step)
    (tmp_path / "step-0000003" / "state.json").write_bytes(b"x")
    checkpoint.set_aside_after(tmp_path, 2)
    save(tmp_path, 3)
    checkpoint.set_aside_after(tmp_path, 1)
    assert names(tmp_path) == [
        "step-0000001", "step-0000002.damaged", "step-0000003.damaged", "step-0000003.damaged-2",
    ]  # fmt: skip
    assert (tmp_path / "step-0000003.damaged" / "state.json").read_bytes() == b"x"
    assert checkpoint.newest_to_resume(tmp_path) == (1, [])


def test_integers_and_booleans(tmp_path: Path) -> None:
    """Arrays of every type that NumPy and safetensors share are read with this type, if it is asked for."""
    arrays: dict[str, NDArray[Any]] = {
        "batches": np.array(7, np.int64),
        "mask": np.array([True, False]),
        "counts": np.arange(6, dtype=np.uint8).reshape(2, 3),
        "double": np.array([0.1], np.float64),
        "w": np.ones(2, np.float32),
    }
    folder = checkpoint.save(tmp_path, 1, {"generator": arrays}, {})
    shapes = {name: array.shape for name, array in arrays.items()}
    dtypes = {name: array.dtype for name, array in arrays.items()}
    read = checkpoint.read_arrays(folder, "generator", shapes, dtypes)
    for name, array in arrays.items():
        np.testing.assert_array_equal(read[name], array, strict=True)
    complaint(lambda: checkpoint.read_arrays(folder, "generator", shapes), "expected float32 or float16")
    for name, wrong in {"batches": np.int32, "mask": np.uint8, "w": np.float16}.items():
        others = {**dtypes, name: np.dtype(wrong)}
        complaint(lambda: checkpoint.read_arrays(folder, "generator", shapes, others), name, str(dtypes[name]))  # noqa: B023


@pytest.mark.slow
def test_too_large_a_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of arrays, a long header or too much data are refused by their size, before anything is read."""

    def load_file(_: Path) -> None:
        raise AssertionError("was read")

    monkeypatch.setattr("inkgan.runs.checkpoint.load_file", load_file)
    many = {f"t{i}": entry(shape=(1,), offsets=(4 * i, 4 * i + 4)) for i in range(50_000)}
    contents = {
        "many arrays": header(many, b"\0" * 200_000),
        "a long header": header({"w": entry(), "__metadata__": {"a": "b" * 200_000}}),
        "much data": header({"w": entry(shape=(10**5,), offsets=(0, 4 * 10**5))}, b"\0" * 4 * 10**5),
        "a promise": struct.pack("<Q", 2**60),
    }
    for name, bytes_ in contents.items():
        (tmp_path / f"{name}.safetensors").write_bytes(bytes_)
        complaint(lambda: checkpoint.read_arrays(tmp_path, name, {"w": (3, 4)}), "too large for 1 arrays")  # noqa: B023


def header(table: Any, data: bytes = b"\0" * 48) -> bytes:
    """A safetensors file of a header and data."""
    text = table if isinstance(table, bytes) else json.dumps(table).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(dtype: Any = "F32", shape: Any = (3, 4), offsets: Any = (0, 48)) -> dict[str, Any]:
    """The header's entry of one tensor."""
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


ATTACKS = {
    "empty": b"",
    "seven bytes": b"\0" * 7,
    "only a length": struct.pack("<Q", 0),
    "a length of 2^64": b"\xff" * 8 + b"{}",
    "a length of 2^40": struct.pack("<Q", 2**40) + b"{}",
    "a header longer than the file": struct.pack("<Q", 1000) + b"{}",
    "not UTF-8": header(b'{"\xff\xfe": 1}'),
    "not JSON": header(b"{"),
    "a list": header([]),
    "deep": header(b'{"w": ' + b"[" * 100_000),
    "no tensors": header({}, b""),
    "no entry": header({"w": {}}),
    "a number": header({"w": 5}),
    "an unknown type": header({"w": entry("Q7")}),
    "half of brain": header({"w": entry("BF16", (3, 8))}),
    "eight bits": header({"w": entry("F8_E4M3", (48,))}),
    "double": header({"w": entry("F64", (3, 2))}),
    "integers": header({"w": entry("I32")}),
    "truths": header({"w": entry("BOOL", (48,))}),
    "a negative side": header({"w": entry(shape=(-3, -4))}),
    "sides that overflow": header({"w": entry(shape=(2**62, 2**62))}),
    "sides of zero": header({"w": entry(shape=(0, 2**62), offsets=(0, 0))}, b""),
    "a fraction": header({"w": entry(shape=(3.5, 4))}),
    "another shape": header({"w": entry(shape=(4, 3))}),
    "offsets beyond the end": header({"w": entry(offsets=(0, 480))}),
    "offsets backwards": header({"w": entry(offsets=(48, 0))}),
    "negative offsets": header({"w": entry(offsets=(-48, 0))}),
    "a hole": header({"w": entry(offsets=(4, 52))}, b"\0" * 52),
    "data too much": header({"w": entry()}, b"\0" * 49),
    "data too little": header({"w": entry()}, b"\0" * 47),
    "overlap": header({"w": entry(), "b": entry(shape=(1,), offsets=(0, 4))}),
    "another name": header({"v": entry()}),
    "one more": header({"w": entry(), "b": entry(shape=(1,), offsets=(48, 52))}, b"\0" * 52),
    "not a number": header({"w": entry()}, struct.pack("<12f", *[float("nan")] * 12)),
    "infinite": header({"w": entry()}, struct.pack("<12f", *[0.0] * 11, float("-inf"))),
    "strange metadata": header({"w": entry(), "__metadata__": {"a": 5}}),
    "a pickle": pickle.dumps({"w": [0.0] * 12}),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_hostile_tensor_files(tmp_path: Path, attack: str) -> None:
    """A hostile tensor file is refused, even if its manifest is right."""
    (tmp_path / "x.safetensors").write_bytes(ATTACKS[attack])
    sign(tmp_path)
    checkpoint.verify(tmp_path)
    complaint(lambda: checkpoint.read_arrays(tmp_path, "x", {"w": (3, 4)}), "x.safetensors")


def test_the_attacks_are_attacks(tmp_path: Path) -> None:
    """The helpers that make the hostile files can make a good one, so it is the attacks that are refused."""
    (tmp_path / "x.safetensors").write_bytes(header({"w": entry(), "__metadata__": {"a": "b"}}))
    assert checkpoint.read_arrays(tmp_path, "x", {"w": (3, 4)})["w"].tolist() == [[0.0] * 4] * 3


@pytest.mark.slow
@settings(max_examples=200)
@given(
    st.one_of(
        st.binary(max_size=80), st.binary(max_size=60).map(header), st.text(max_size=60).map(str.encode).map(header)
    )
)
def test_fuzzed_tensor_files(bytes_: bytes) -> None:
    """Whatever bytes a tensor file has, a CheckpointError comes out."""
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "x.safetensors").write_bytes(bytes_)
        complaint(lambda: checkpoint.read_arrays(Path(name), "x", {"w": (3, 4)}))


class _Canary:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self._path,)


@pytest.mark.parametrize("name", ["model.pt", "model.pkl", "model.ckpt", "model", "model.safetensors"])
def test_a_pickle_offered_as_a_model(tmp_path: Path, name: str) -> None:
    """A pickle is refused as what it is, and never opened."""
    canary = tmp_path / "canary"
    (tmp_path / name).write_bytes(pickle.dumps(_Canary(canary)))
    complaint(lambda: inkgan.load(tmp_path / name), str(tmp_path / name), "pickle")
    assert not canary.exists()
    pickle.loads((tmp_path / name).read_bytes())
    assert canary.exists()


def test_pickles_inside_a_model_folder(tmp_path: Path) -> None:
    """Pickles under the names of a model's files are refused without being opened, even with a true manifest."""
    canary = tmp_path / "canary"
    (tmp_path / "model").mkdir()
    for name in ("model.json", "generator.safetensors", "state.json"):
        (tmp_path / "model" / name).write_bytes(pickle.dumps(_Canary(canary)))
    sign(tmp_path / "model")
    complaint(lambda: inkgan.load(tmp_path / "model"), "model.json")
    (tmp_path / "model" / "model.json").write_text('{"network": "tutorial", "_target_": "os.system"}', "utf-8")
    sign(tmp_path / "model")
    complaint(lambda: inkgan.load(tmp_path / "model"), "generator.safetensors")
    assert not canary.exists()


@pytest.mark.parametrize("network", ["other", None, 5, [], {}, "x" * 10_000, "a\nb"])
def test_a_foreign_network(tmp_path: Path, network: Any) -> None:
    """A model of an unknown network is refused in one short line."""
    (tmp_path / "model.json").write_text(json.dumps({"network": network}), "utf-8")
    (tmp_path / "generator.safetensors").write_bytes(header({"w": entry()}))
    sign(tmp_path)
    assert len(complaint(lambda: inkgan.load(tmp_path), "unknown network")) < 260 + len(str(tmp_path))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        *(
            (size, "image_shape")
            for size in (
                {"image_shape": [28, 28]},
                {"image_shape": [28, 28, 4]},
                {"image_shape": [0, 28, 1]},
                {"latent_dim": 10**9},
                {"num_classes": -1},
                {"channels": True},
                {"channels": "8"},
                {"channels": None},
            )
        ),
        *(({"slope": slope}, "the slope") for slope in (-0.1, 1.5, math.nan, True, "0.1", None)),
    ],
    ids=str,
)
def test_sizes_and_slopes_that_cannot_be(tmp_path: Path, wrong: dict[str, Any], said: str) -> None:
    """A description with an impossible size is refused before anything is made by it."""
    possible = {"network": "compact", "image_shape": [28, 28, 1], "num_classes": 0, "latent_dim": 4, "channels": 8}
    (tmp_path / "model.json").write_text(json.dumps(possible | wrong), "utf-8")
    (tmp_path / "generator.safetensors").write_bytes(header({"w": entry()}))
    sign(tmp_path)
    complaint(lambda: inkgan.load(tmp_path), f"model.json gives {said}")
