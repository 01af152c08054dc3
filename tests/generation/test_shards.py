"""Data sets in shards: a shard depends on the spec alone, is done only if its hash is right, and work resumes."""

from __future__ import annotations

import ast
import contextlib
import errno
import glob
import inspect
import io
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from threadpoolctl import threadpool_info, threadpool_limits  # type: ignore[import-untyped]

import inkgan
import tiny_runs as runs
from documents import ROOT, blocks
from inkgan import files, networks
from inkgan.cli import run
from inkgan.errors import CheckpointError, ConfigError, InkganWarning, OutputError
from inkgan.files import sha256_of, temporary_folder
from inkgan.generation import engines, legibility, shards
from inkgan.generation.engines import T, Task
from inkgan.generation.formats import FORMATS, Files
from inkgan.generation.image_files import padded_to_widest
from inkgan.generation.shards import digests_of, is_done, make_shard, split_of, write_shards
from inkgan.generation.spec import Spec, preview, sources_of, writings
from inkgan.generation.templates import read_template
from inkgan.generation.writing import WritingOptions
from inkgan.runs import checkpoint
from inkgan.seeds import Stream, rng
from refusals import command_refusal, refusal
from waiting import SECONDS

TEXTS = ("{digits:2}", "{int:1..9}/d")


def spec(**changes: Any) -> Spec:
    """Return the spec of a small data set."""
    return Spec(**{"texts": TEXTS, "count": 10, "shards": 4, "model": "fast", "height": 24, "seed": 7, **changes})


def entries(content: bytes) -> dict[str, bytes]:
    """Return the files of a tar by name."""
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return {one.name: tar.extractfile(one).read() for one in tar}  # type: ignore[union-attr]


def visible(folder: Path) -> dict[str, bytes]:
    """Return all files of a data set, and require that no temporary folder is left."""
    assert not list(folder.glob(".*.tmp"))
    return runs.listing(folder)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data set as one process writes it; tests must not change it."""
    folder = tmp_path_factory.mktemp("shards") / "whole"
    assert write_shards(spec(), folder, jobs=1) == (4, 0)
    return folder


def made(spec: Spec, number: int) -> Files:
    """Make the files of a shard from what its specification names now."""
    return make_shard(spec, sources_of(spec), number)


def copied(whole: Path, to: Path) -> Path:
    """Copy a data set."""
    return shutil.copytree(whole, to)


@pytest.mark.slow
def test_an_image_depends_on_its_number_alone() -> None:
    """Image i is what ``write`` draws for text i and writer i, in whichever shard it is."""
    found = {name: content for k in range(4) for name, content in entries(made(spec(), k)[f"0000{k}.tar"]).items()}
    assert sorted(found) == [f"{i:012d}.{end}" for i in range(10) for end in ("json", "png")]
    assert found == entries(made(spec(shards=1), 0)["00000.tar"])
    for i in (0, 3, 9):
        text = read_template(TEXTS[i % 2]).text(rng(7, Stream.TEXT, i))
        written = inkgan.write(text, model="fast", seed=7, writer=i, height=24)
        with Image.open(io.BytesIO(found[f"{i:012d}.png"])) as picture:
            assert np.abs(np.asarray(picture, int) - (255 - written.image)).max() <= 1  # rounding of several threads
        assert json.loads(found[f"{i:012d}.json"]) == {
            "text": written.text,
            "boxes": [list(box) for box in written.boxes],
            "width": written.image.shape[1],
            "height": 24,
            "writer": i,
            "probabilities": [None if p is None else round(p, 4) for p in written.probabilities],
            "factors": list(written.factors),
        }


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 8},
        {"model": "best"},
        {"style": 1},
        {"slant": 30},
        {"height": 32},
        {"background": "transparent"},
        {"legible": 0},
        {"look": {"turn": 3}},
    ],
    ids=str,
)
def test_a_data_set_is_written_as_its_specification_says(changes: dict[str, Any]) -> None:
    """Each option of a spec changes a data set's image as it changes that of ``write``."""
    given: dict[str, Any] = {"model": "fast", "height": 24, "seed": 7}
    (found,) = inkgan.write_many(spec(texts=["26"], count=1, shards=1, **changes))
    plain, expected = inkgan.write("26", **given), inkgan.write("26", **given | changes)
    assert np.abs(found.image.astype(int) - expected.image).max() <= 1  # rounding of several threads
    assert (found.label, found.background) == (expected.label, expected.background)
    differs = not np.array_equal(expected.image, plain.image)
    assert differs or (expected.label, expected.background) != (plain.label, plain.background)


@pytest.mark.parametrize(("count", "shards"), [(1, 1), (7, 7), (10, 4), (100, 7), (10**12, 997)])
def test_shards_divide_a_data_set_evenly(count: int, shards: int) -> None:
    """Each image is in one shard, in order; the largest shard has at most one image more than the smallest."""
    divided = spec(count=count, shards=shards)
    ranges = [divided.images_of(shard) for shard in range(shards)]
    assert [one.start for one in ranges] == [0, *(one.stop for one in ranges[:-1])]
    assert ranges[-1].stop == count
    assert {len(one) for one in ranges} <= {count // shards, -(-count // shards)}


@pytest.mark.parametrize("shard", [-1, 4, 1.0, "0", True])
def test_a_shard_that_a_data_set_does_not_have(shard: Any) -> None:
    """It has no numbers, rather than those of images beyond the data set."""
    with pytest.raises(ConfigError, match=r"there is no shard .* of 4\. Shards are numbered from 0"):
        spec(count=10, shards=4).images_of(shard)


def test_readers_share_the_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """Image i has text i and writer i of the seed, whichever reader draws it."""
    monkeypatch.setattr(
        "inkgan.generation.spec.in_batches", lambda lines, *, seed, **_: ((*one, seed) for one in lines)
    )
    parts: list[Any] = [list(inkgan.write_many(spec(), part, 3)) for part in range(3)]
    templates = [read_template(text) for text in TEXTS]
    expected = [(templates[i % 2].text(rng(7, Stream.TEXT, i)), i, 7) for i in range(10)]
    assert parts == [expected[part::3] for part in range(3)]


def test_each_image_knows_its_number() -> None:
    """It is the number of its writer, and the key in every format."""
    assert [written.writer for written in writings(spec(), sources_of(spec()), [3, 9])] == [3, 9]


@pytest.mark.parametrize("name", ["texts.txt", "texts.toml"])
def test_every_pass_reads_the_texts_and_the_model_anew(tmp_path: Path, name: str) -> None:
    """In a notebook, texts are edited and models trained further between two passes over the same specification."""
    form = '[[texts]]\ntemplate = "{}"\n' if name.endswith(".toml") else "{}\n"
    path, model = tmp_path / name, tmp_path / "model"
    changing = spec(texts=(), texts_file=str(path), count=1, shards=1, model=str(model), legible=0)
    passes = []
    for text, network in (("1", "fast"), ("22", "fast"), ("22", "best")):
        path.write_text(form.format(text), "utf-8")
        inkgan.export(network, f"{model}/", force=True)
        (written,) = inkgan.write_many(changing)
        assert written.text == text
        passes.append(written.image)
    assert not np.array_equal(passes[1], passes[2])


def test_images_are_drawn_on_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their bytes depend on the number of threads. Between images, the caller has all its threads again."""

    def threads() -> set[int]:
        return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}

    monkeypatch.setattr("inkgan.generation.spec.in_batches", lambda lines, **_: (threads() for _ in lines))
    with threadpool_limits(2):
        seen: list[Any] = [(written, threads()) for written in inkgan.write_many(spec(count=4))]
    assert seen == [({1}, {2})] * 4


def test_readers_in_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other limits the threads of matrix products, which are those of the whole process."""
    first_draws, second_draws, first_is_done = (threading.Event() for _ in range(3))
    limited: list[str] = []

    class Controller:
        @contextlib.contextmanager
        def limit(self, *, limits: int) -> Iterator[None]:
            limited.append(f"{limits}")
            yield
            limited.append("all")

    def drawn(lines: Iterator[tuple[str, int]], **_: object) -> Iterator[int]:
        for line in lines:
            number = line[1]
            (second_draws if number else first_draws).set()
            first_is_done.wait(SECONDS) if number else second_draws.wait(0.2)
            yield number

    def read(reader: Iterator[Any]) -> list[int]:
        seen = list(reader)
        first_is_done.set()
        return seen

    monkeypatch.setattr("inkgan.generation.spec.in_batches", drawn)
    monkeypatch.setattr("inkgan.generation.spec.ThreadpoolController", Controller)
    readers = [inkgan.write_many(spec(count=2, shards=1), part, 2) for part in range(2)]
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(read, readers[0])
        assert first_draws.wait(SECONDS)
        second = pool.submit(read, readers[1])
        assert (first.result(), second.result()) == ([0], [1])
    assert limited == ["1", "all"] * 2


def test_what_a_preview_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A preview returns the first images and the speed, which excludes the first image because it loads the model."""
    assert len(preview(spec(count=25, shards=1))[0]) == 24
    monkeypatch.setattr("inkgan.generation.spec._PREVIEWED", 3)
    for count, shown in ((2, 2), (3, 3), (4, 3)):
        clock = iter([10.0, 12.0])
        with monkeypatch.context() as patch:
            patch.setattr("time.perf_counter", lambda clock=clock: next(clock))
            images, speed = preview(spec(count=count, shards=1))
        expected = padded_to_widest([written.image for written in inkgan.write_many(spec(count=count, shards=1))][:3])
        np.testing.assert_array_equal(images, expected)
        assert speed == shown / 2


def test_a_folder(whole: Path) -> None:
    """The manifest describes the data set, sha256sum confirms the records, and a shard is what make_shard returns."""
    shards = {f"0000{k}.tar" for k in range(4)}
    records = [f".0000{k}.sha256" for k in range(4)]
    assert {path.name for path in whole.iterdir()} == {"manifest.json", *shards, *records}
    manifest = json.loads((whole / "manifest.json").read_text("utf-8"))
    assert Spec(**manifest["spec"]) == spec()
    assert manifest["versions"]["numpy"] == np.__version__
    checked = subprocess.run(["sha256sum", "--check", *records], cwd=whole, check=True, capture_output=True)
    assert checked.stdout.count(b"OK") == 4
    for k in range(4):
        assert (whole / f"0000{k}.tar").read_bytes() == made(spec(), k)[f"0000{k}.tar"]


@pytest.mark.slow
def test_two_processes(whole: Path, tmp_path: Path) -> None:
    """Any number of processes writes the same bytes, and a second call makes nothing."""
    assert write_shards(spec(), tmp_path / "a", jobs=2) == (4, 0)
    assert visible(tmp_path / "a") == visible(whole)
    assert write_shards(spec(), tmp_path / "a", jobs=2) == (0, 4)


@pytest.mark.slow
@pytest.mark.parametrize("waits", [1, 2])
def test_a_killed_command(
    whole: Path, tmp_path: Path, waits: int, capsys: pytest.CaptureFixture[str], no_workers: None
) -> None:
    """After a command was killed as soon as its processes work, or after a shard, the same one completes the set."""
    out = tmp_path / "a"
    words = ["write", *TEXTS, "-n", "10", "--shards", "4", "--model", "fast", "--height", "24", "--seed", "7"]
    words += ["--jobs", "2", "-o", str(out)]
    code = (
        "import os, signal, sys\n"
        "from multiprocessing import connection\n"
        "left, wait = [0] * int(sys.argv.pop(1)), connection.wait\n"
        "def waiting(*given):\n"
        "    left.pop()\n"
        "    return wait(*given) if left else os.kill(os.getpid(), signal.SIGKILL)\n"
        "connection.wait = waiting\n"
        "from inkgan.__main__ import main\n"
        "main()"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(waits), *words], stderr=subprocess.PIPE) as killed:
        assert killed.wait(SECONDS) == -signal.SIGKILL
        assert (out / "manifest.json").is_file()
        # The processes of the killed command may still work beside those of this one.
        assert run(words) == 0
        assert capsys.readouterr().out.startswith("10 images, 4 shards")
        assert killed.stderr is not None
        errors = killed.stderr.read()  # it ends when the last of them has ended
    # A process that was ended at an unlucky moment leaves its temporary folder until the next command.
    assert write_shards(spec(), out, jobs=2) == (0, 4)
    assert visible(out) == visible(whole)
    assert b"inkgan" not in errors  # Python itself complains if it is killed as it starts a process


def piped(path: Path) -> None:
    """Replace a file by a pipe, on which a reader would wait for ever."""
    path.unlink()
    os.mkfifo(path)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "a shard is missing": lambda out: (out / "00002.tar").unlink(),
    "a record is missing": lambda out: (out / ".00002.sha256").unlink(),
    "a record is empty": lambda out: (out / ".00002.sha256").write_bytes(b""),
    "a record is nonsense": lambda out: (out / ".00002.sha256").write_bytes(b"\xff\n"),
    "a bit is wrong": lambda out: runs.damage(out / "00002.tar"),
    "a record is a pipe": lambda out: piped(out / ".00002.sha256"),
    "a shard is a pipe": lambda out: piped(out / "00002.tar"),
    "a shard is short": lambda out: os.truncate(out / "00002.tar", 100),
}


@pytest.mark.usefixtures("no_workers")
@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_missing_is_made(whole: Path, tmp_path: Path, damage: str) -> None:
    """Only the shard that is damaged or incomplete is made again, with the same bytes."""
    out = copied(whole, tmp_path / "a")
    DAMAGES[damage](out)
    assert not is_done(out, 2)
    assert write_shards(spec(), out) == (1, 3)
    assert visible(out) == visible(whole)


@pytest.mark.usefixtures("no_workers")
def test_a_data_set_of_an_earlier_version_continues(whole: Path, tmp_path: Path) -> None:
    """Its records lie in a folder; only what is missing is made."""
    out = copied(whole, tmp_path / "a")
    (out / ".sha256").mkdir()
    for number in range(4):
        (out / f".{number:05d}.sha256").rename(out / f".sha256/{number:05d}")
    assert write_shards(spec(), out) == (0, 4)
    runs.damage(out / "00002.tar")
    assert write_shards(spec(), out) == (1, 3)
    assert write_shards(spec(), out) == (0, 4)
    assert (out / "00002.tar").read_bytes() == (whole / "00002.tar").read_bytes()


@pytest.mark.usefixtures("no_workers")
def test_every_innermost_folder_of_lmdb_is_a_database(tmp_path: Path) -> None:
    """The readers of CRNN and PaddleOCR open each folder without subfolders, also hidden ones, as a database."""
    write_shards(spec(count=4, shards=2, format="lmdb"), tmp_path)
    innermost = [Path(folder) for folder, folders, _ in os.walk(tmp_path) if not folders]
    assert sorted(path.relative_to(tmp_path).as_posix() for path in innermost) == ["00000", "00001"]
    assert all((path / "data.mdb").is_file() for path in innermost)


@pytest.mark.usefixtures("no_workers")
@pytest.mark.parametrize("code", [errno.EPERM, errno.ENOTSUP, errno.EIO])
def test_a_disk_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """The manifest is then renamed into place; any other failure is an error."""

    def link(*_: Any) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", link)
    if code == errno.EIO:
        with pytest.raises(OutputError, match="input/output error"):
            write_shards(spec(), tmp_path)
        assert not visible(tmp_path)
    else:
        assert write_shards(spec(), tmp_path) == (4, 0)
        assert "manifest.json" in visible(tmp_path)
        assert write_shards(spec(), tmp_path) == (0, 4)


@pytest.mark.usefixtures("no_workers")
def test_what_a_killed_process_left(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is removed once that process has ended; hidden files of the user stay."""
    out = copied(whole, tmp_path / "a")
    (temporary_folder(out) / "00000.tar").write_bytes(b"half")
    (out / ".notes").write_bytes(b"mine")
    write_shards(spec(), out)
    assert len(list(out.glob(".*.tmp/00000.tar"))) == 1
    monkeypatch.setattr(files, "has_ended", lambda process: process == os.getpid())
    write_shards(spec(), out)
    assert visible(out) == {**visible(whole), ".notes": b"mine"}


@pytest.mark.slow
@pytest.mark.usefixtures("no_workers")
@pytest.mark.parametrize("name", ["imagefolder", "webdataset"])
def test_a_failure_at_any_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Wherever the disk becomes full, there is one error line and no incomplete shard, and the next call resumes."""
    small = spec(count=3, shards=2, format=name, split=[{"name": "a", "share": 0.5}, {"name": "b", "share": 0.5}])
    write_shards(small, tmp_path / "whole")
    expected = visible(tmp_path / "whole")
    both = [made(small, k) for k in range(2)]
    monkeypatch.setattr(shards, "make_shard", lambda _, __, k: both[k])
    true_rename, true_write, true_replace = Path.rename, Path.write_bytes, Path.replace
    calls = itertools.count()

    def failing(true: Callable[..., Any], at: int) -> Callable[..., Any]:
        def call(*given: Any) -> Any:
            if next(calls) == at:
                raise OSError(errno.ENOSPC, "No space left on device")
            return true(*given)

        return call

    for at in range(30):
        out = tmp_path / str(at)
        calls = itertools.count()
        with monkeypatch.context() as patch:
            patch.setattr(Path, "rename", failing(true_rename, at))
            patch.setattr(Path, "write_bytes", failing(true_write, at))
            patch.setattr(Path, "replace", failing(true_replace, at))
            said = ""
            try:
                write_shards(small, out)
            except OutputError as error:
                said = str(error)
            if not said:
                break
        assert "the disk is full" in said
        assert not list(out.glob(".*.tmp"))
        write_shards(small, out)
        assert visible(out) == expected
    assert at > 5


@pytest.mark.parametrize(
    ("count", "shards_asked", "told"),
    [
        (10**12, 1, "images do not fit into 1 shard of .* or more; the most are 99,999."),
        (10**12, 99_999, "images do not fit into 99,999 shards"),
        (2 * 10**6 + 1, 2, r"2,000,001 images do not fit into 2 shards of up to 1,000,000\. Give --shards 3 or more"),
    ],
)
def test_a_shard_that_would_not_fit_into_memory_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], count: int, shards_asked: int, told: str
) -> None:
    """From Python, from the command, and by its preview, before anything is made."""
    with pytest.raises(ConfigError, match=told):
        write_shards(spec(count=count, shards=shards_asked), tmp_path / "a")
    command = ["write", "7", "-n", str(count), "--shards", str(shards_asked), "-o", f"{tmp_path}/a/"]
    for more in ([], ["--preview"]):
        assert run([*command, *more]) == 2
        assert re.search(told, capsys.readouterr().err)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("no_workers")
def test_larger_shards_that_were_begun_are_continued(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Earlier versions had no such limit. A folder of another data set is still refused."""
    out = tmp_path / "a"
    write_shards(spec(), out, part=(1, 2))
    monkeypatch.setattr(shards, "MOST_IN_SHARD", 2)
    assert write_shards(spec(), out) == (2, 2)
    assert visible(out) == visible(whole)
    with pytest.raises(OutputError, match="its seed is 7, and not 8"):
        write_shards(spec(seed=8), out)
    with pytest.raises(ConfigError, match="do not fit into 4 shards"):
        write_shards(spec(), tmp_path / "b")


def test_a_folder_that_cannot_be_looked_at(tmp_path: Path) -> None:
    """A name that the disk does not allow is wrong output, in words that say so."""
    with pytest.raises(OutputError, match=r"cannot write .*: file name too long\. Choose a place that can be written"):
        write_shards(spec(), tmp_path / ("x" * 300))


def test_the_largest_shards_are_allowed() -> None:
    shards.require_moderate_shards(spec(count=2 * 10**6, shards=2))
    shards.require_moderate_shards(spec(count=99_999 * 10**6, shards=99_999))


@pytest.mark.slow
@pytest.mark.usefixtures("no_workers")
def test_two_runs_at_once(whole: Path, tmp_path: Path) -> None:
    """Several calls on one folder all succeed, count each shard once, and complete the data set."""
    out = tmp_path / "a"
    with ThreadPoolExecutor(3) as threads:
        counts = list(threads.map(lambda _: write_shards(spec(), out), range(3)))
    assert all(made + kept == 4 for made, kept in counts)
    assert visible(out) == visible(whole)


@pytest.mark.slow
@pytest.mark.usefixtures("no_workers")
def test_parts(whole: Path, tmp_path: Path) -> None:
    """Each of several machines makes its part, and together they make the whole."""
    out = tmp_path / "a"
    assert [write_shards(spec(), out, part=(index, 3)) for index in (2, 1, 3)] == [(1, 0), (2, 0), (1, 0)]
    assert visible(out) == visible(whole)
    assert write_shards(spec(), tmp_path / "b", part=(4, 9)) == (1, 0)
    for part in ((0, 3), (4, 3), (1, 0)):
        with pytest.raises(ConfigError, match="Parts are numbered from 1"):
            write_shards(spec(), tmp_path / "c", part=part)
    assert not (tmp_path / "c").exists()


@pytest.mark.usefixtures("no_workers")
def test_another_data_set(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with another data set or other files is refused in one line and stays as it is."""
    before = visible(whole)
    for changes, said in (
        ({"seed": 8}, "its seed is 7, and not 8"),
        ({"texts": ["1"]}, "its texts are"),
        ({"count": 11}, "its count is 10, and not 11"),
        ({"shards": 1}, "its shards are 4, and not 1. Give --shards 4 to continue it, or name another folder"),
    ):
        with pytest.raises(OutputError, match=said):
            write_shards(spec(**changes), whole)
    monkeypatch.setattr("inkgan.generation.shards.digests_of", lambda *_: {"model": "another"})
    with pytest.raises(OutputError, match=r"its model is one with the SHA-256 '.*', and not 'another'"):
        write_shards(spec(), whole)
    monkeypatch.undo()
    assert visible(whole) == before
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine.txt").write_text("mine", "utf-8")
    with pytest.raises(OutputError, match=r"already holds files\. .*; name another\.$"):
        write_shards(spec(), other)
    (other / "manifest.json").write_text("{}", "utf-8")
    with pytest.raises(OutputError, match="was not written by inkgan"):
        write_shards(spec(), other)
    with pytest.raises(OutputError, match="is not a folder"):
        write_shards(spec(), other / "mine.txt")
    newer = json.loads((whole / "manifest.json").read_text("utf-8"))
    newer["spec"]["paper"] = "lined"
    (other / "manifest.json").write_text(json.dumps(newer), "utf-8")
    with pytest.raises(OutputError, match="its paper is 'lined', and not "):
        write_shards(spec(), other)
    assert len(runs.listing(other)) == 2


@pytest.mark.usefixtures("no_workers")
def test_a_place_that_cannot_be_written(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused before texts are read, which may be millions, and before a shard is drawn, which takes minutes."""
    locked, true, unread = copied(whole, tmp_path / "locked"), os.access, spec(texts=(), texts_file="missing.txt")
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != locked and true(path, mode))
    assert write_shards(spec(), locked) == (0, 4)  # it can be checked
    (locked / "00002.tar").unlink()
    monkeypatch.setattr(shards, "make_shard", lambda *_: pytest.fail("a shard was drawn"))
    for wanted, out in ((spec(), locked), (unread, locked / "new")):
        with pytest.raises(OutputError, match=re.escape(f"{locked} is read-only.")):
            write_shards(wanted, out)
    with pytest.raises(OutputError, match="already holds files"):
        write_shards(unread, tmp_path)


@pytest.mark.usefixtures("no_workers")
def test_a_data_set_of_very_many_texts(tmp_path: Path) -> None:
    """They make a manifest of over a megabyte, which a second command reads again."""
    many = spec(texts=["1" * 60] * 20_000, count=1, shards=1)
    assert [write_shards(many, tmp_path), write_shards(many, tmp_path)] == [(1, 0), (0, 1)]
    assert (tmp_path / "manifest.json").stat().st_size > 2**20


@pytest.mark.slow
def test_a_record_of_very_many_files(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shard of a million images in files of their own has one of 90 MB or more, and it is done all the same."""
    out = copied(whole, tmp_path / "a")
    digest, name = (out / ".00000.sha256").read_text("utf-8").split()
    line = f"{digest}  {'./' * 2000}{name}\n"  # long names, so that it takes fewer lines
    (out / ".00000.sha256").write_text(line * (2**26 // len(line) + 1), "utf-8")
    monkeypatch.setattr(shards, "sha256_of", lambda _: digest)
    assert is_done(out, 0)


@pytest.mark.usefixtures("no_workers")
def test_a_warning_about_the_model_is_given_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each process loads the model, and the first one has said what there is to say."""
    monkeypatch.chdir(tmp_path)
    Path("fast").mkdir()
    Path("fast/model.json").touch()
    with pytest.warns(InkganWarning, match="fast is the bundled model") as given:
        write_shards(spec(), "out")
    assert len(given) == 1


@pytest.mark.usefixtures("no_workers")
def test_each_shard_gives_the_same_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of equal messages, an engine gives one: a model that draws badly fills no screen."""
    monkeypatch.setattr(legibility, "probability_of_digit", lambda images, *_: np.zeros(len(images), np.float32))
    with pytest.warns(InkganWarning, match="not every digit is read") as given:
        write_shards(spec(), tmp_path)
    assert len(given) == 4
    assert len({str(one.message) for one in given}) == 1


@pytest.mark.usefixtures("no_workers")
def test_other_versions(whole: Path, tmp_path: Path) -> None:
    """A data set that was begun with other library versions resumes with a warning."""
    out = copied(whole, tmp_path / "a")
    path = out / "manifest.json"
    path.write_text(path.read_text("utf-8").replace(f'"{np.__version__}"', '"1.0"'), "utf-8")
    with pytest.warns(InkganWarning, match=r"numpy 1\.0"):
        assert write_shards(spec(), out) == (0, 4)


@pytest.mark.usefixtures("no_workers")
def test_the_software_that_draws_with_a_network_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch draws with it: the manifest has its version and the SHA-256 of the network's file. A change is told."""
    monkeypatch.setenv(networks.VARIABLE, str(tmp_path))
    own = tmp_path / "mine.py"
    own.write_text("from inkgan.networks.compact import build_generator\n", "utf-8")
    fast = inkgan.load("fast")
    (tmp_path / "model").mkdir()
    about = {**fast.description, "network": "mine"}
    checkpoint.write_folder(tmp_path / "model", {"generator": fast._weights}, {"model": about})
    drawn = spec(model=str(tmp_path / "model"), legible=0, count=1, shards=1)
    assert write_shards(drawn, tmp_path / "out") == (1, 0)
    versions = json.loads((tmp_path / "out/manifest.json").read_text("utf-8"))["versions"]
    assert (versions["torch"], versions["mine.py"]) == (version("torch"), sha256_of(own))
    own.write_text(own.read_text("utf-8") + "# changed\n", "utf-8")
    with pytest.warns(InkganWarning, match=rf"other versions \(.*mine\.py {versions['mine.py']}\)"):
        assert write_shards(drawn, tmp_path / "out") == (0, 1)


@pytest.mark.usefixtures("no_workers")
def test_texts_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts may come from a file; if the file changes, it is another data set."""
    monkeypatch.chdir(tmp_path)
    Path("texts.txt").write_text("1\n22\n", "utf-8")
    Path("codes.txt").write_text("4\n", "utf-8")
    lined = spec(texts=(), texts_file="texts.txt", count=4, shards=1)
    assert [written.text for written in inkgan.write_many(lined)] == ["1", "22", "1", "22"]
    chosen = spec(texts=["{choice:codes.txt}"], count=2, shards=1)
    for one in (lined, chosen):
        out = tmp_path / f"{one.count}"
        write_shards(one, out)
        for path in (Path("texts.txt"), Path("codes.txt")):
            path.write_text(path.read_text("utf-8") + "3\n", "utf-8")
        with pytest.raises(OutputError, match=r"its (texts|codes).txt is"):
            write_shards(one, out)
    with pytest.raises(ConfigError, match="standard input"):
        write_shards(spec(texts=(), texts_file="-"), tmp_path / "c")


def test_a_file_of_texts_that_is_called_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The manifest has the SHA-256 of the file and of the model's weights."""
    monkeypatch.chdir(tmp_path)
    Path("model").write_text("7\n", "utf-8")
    named = spec(texts=(), texts_file="model", count=1, shards=1)
    digests = digests_of(sources_of(named))
    assert digests == {"model": inkgan.load(named.model).weights_digest, "./model": sha256_of(Path("model"))}


def report_from_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make all shards in this process, one after the other, and let each report be heard."""

    def engine(task: Task[T], numbers: Sequence[int], jobs: int, *, shares: engines.Shares = print) -> Iterator[T]:
        for number in numbers:
            monkeypatch.setattr(engines._reporter, "send", partial(shares, number))
            result = task(number)
            shares(number, 1.0)
            yield result

    monkeypatch.setattr(engines, "_SECONDS_BETWEEN_REPORTS", 0.0)
    monkeypatch.setitem(engines.ENGINES, "processes", engine)


def test_progress_within_a_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shard of 10,000 images takes minutes. Its share counts, and is not counted again when the shard is done."""
    said: list[tuple[str, float]] = []
    report_from_this_process(monkeypatch)
    write_shards(spec(count=8, shards=2), tmp_path, progress=lambda *one: said.append(one))
    assert {doing for doing, _ in said} == {"writing"}
    assert [share for _, share in said] == pytest.approx([0.0, 0.125, 0.25, 0.375, 0.5, 0.5, 0.625, 0.75, 0.875, 1.0])


def test_the_last_share_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sum of the shares of 4 and of 5 images would miss 2 by rounding, if it were kept by adding differences."""
    shares: list[float] = []
    report_from_this_process(monkeypatch)
    write_shards(spec(count=9, shards=2), tmp_path, progress=lambda _, share: shares.append(share))
    assert shares[-1] == 1
    assert shares == sorted(shares)


def test_shards_that_are_there_do_not_count_to_the_speed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shards that are only checked take moments. They are another task, so that the time left is that of the others."""
    report_from_this_process(monkeypatch)
    small = spec(count=4, shards=4)
    write_shards(small, tmp_path, part=(1, 2))
    said: list[tuple[str, float]] = []
    write_shards(small, tmp_path, progress=lambda *one: said.append(one))
    assert said == [
        ("checking", 0.25), ("writing", 0.25), ("writing", 0.5),
        ("checking", 0.75), ("writing", 0.75), ("writing", 1.0),
    ]  # fmt: skip


@pytest.mark.usefixtures("no_workers")
def test_a_folder_with_a_foreign_file(tmp_path: Path) -> None:
    """A file of the user's in the folder of a shard is never removed."""
    small = spec(count=2, shards=2, format="imagefolder")
    shares: list[float] = []
    write_shards(small, tmp_path / "a", progress=lambda _, share: shares.append(share))
    assert shares == [0.5, 1]
    (tmp_path / "a/.00000.sha256").unlink()
    assert write_shards(small, tmp_path / "a") == (1, 1)
    (tmp_path / "a/.00000.sha256").unlink()
    (tmp_path / "a/00000/notes.txt").write_text("mine", "utf-8")
    with pytest.raises(OutputError, match=r"notes.txt was not written by inkgan"):
        write_shards(small, tmp_path / "a")
    assert (tmp_path / "a/00000/notes.txt").read_text("utf-8") == "mine"


@pytest.mark.usefixtures("no_workers")
@pytest.mark.parametrize(("form", "name", "said"), [("imagefolder", "00000", "file"), ("npz", "00000.npz", "folder")])
def test_what_is_in_the_place_of_a_shard(tmp_path: Path, form: str, name: str, said: str) -> None:
    """A file where a shard's folder belongs, or a folder where its file belongs, is the user's: it stays."""
    small = spec(count=2, shards=2, format=form)
    place, at_first = tmp_path / "a" / name, tmp_path / "first"
    write_shards(small, tmp_path / "a")
    place.rename(at_first)
    place.mkdir() if said == "folder" else place.write_text("mine", "utf-8")
    for _ in range(2):
        with pytest.raises(OutputError, match=rf"{name} was not written by inkgan. Move it away.$"):
            write_shards(small, tmp_path / "a")
        assert place.is_dir() == (said == "folder")
    place.rmdir() if said == "folder" else place.unlink()
    assert write_shards(small, tmp_path / "a") == (1, 1)
    assert place.is_dir() == at_first.is_dir()


@pytest.mark.usefixtures("no_workers")
def test_one_description_of_all_shards_of_yolo(tmp_path: Path) -> None:
    """A trainer (ultralytics/data) finds all shards through folders relative to the file, searched recursively."""
    yaml: Any = import_module("yaml")
    shares = [{"name": "train", "share": 0.6}, {"name": "val", "share": 0.4}]
    for split in ((), shares):
        small, out = spec(count=8, shards=3, format="yolo", split=split), tmp_path / f"{len(split)}"
        write_shards(small, out)
        described = yaml.safe_load((out / "data.yaml").read_text("utf-8"))
        for use in ("train", "val"):
            found = sorted(path for path in (out / described[use]).rglob("*.*") if path.suffix == ".png")
            writers = [int(path.stem) for path in found]
            assert sorted(writers) == [i for i in range(8) if not split or split_of(small, i) == use]
            for path in found:
                before, _, after = str(path).rpartition("/images/")
                label = Path(f"{before}/labels/{after}").with_suffix(".txt").read_text("utf-8")
                assert {int(line.split()[0]) for line in label.splitlines()} <= described["names"].keys()


@pytest.mark.usefixtures("no_workers")
def test_a_shared_file_that_is_missing_or_the_users(tmp_path: Path) -> None:
    """A data set begun before the format had such a file gets it and resumes; a user's own file stays."""
    small = spec(count=2, shards=1, format="yolo")
    write_shards(small, tmp_path / "a")
    before = visible(tmp_path / "a")
    (tmp_path / "a/data.yaml").unlink()
    with pytest.raises(OutputError, match="another data set"):
        write_shards(spec(count=3, shards=1, format="yolo"), tmp_path / "a")
    assert not (tmp_path / "a/data.yaml").exists()
    assert write_shards(small, tmp_path / "a") == (0, 1)
    assert visible(tmp_path / "a") == before
    (tmp_path / "a/data.yaml").write_text("mine", "utf-8")
    assert write_shards(small, tmp_path / "a") == (0, 1)
    assert (tmp_path / "a/data.yaml").read_text("utf-8") == "mine"


@pytest.fixture
def given_files(monkeypatch: pytest.MonkeyPatch, no_workers: None) -> Files:
    """The files that the first shard consists of, instead of drawn ones."""
    made: Files = {}
    monkeypatch.setattr(shards, "make_shard", lambda *_: made)
    monkeypatch.setattr(shards, "digests_of", lambda *_: {})
    return made


def test_a_foreign_file_in_a_part(tmp_path: Path, given_files: Files) -> None:
    """The shard of a part is a folder in the part's folder, and a user's file in it is never removed."""
    given_files["train/00000/labels/0.txt"] = b"7"
    split = spec(shards=1, split=[{"name": "train", "share": 1}])
    assert [write_shards(split, tmp_path), write_shards(split, tmp_path)] == [(1, 0), (0, 1)]
    (tmp_path / ".00000.sha256").unlink()
    (tmp_path / "train/00000/notes.txt").write_text("mine", "utf-8")
    with pytest.raises(OutputError, match=r"notes.txt was not written by inkgan"):
        write_shards(split, tmp_path)


def test_a_split_that_is_called_record(tmp_path: Path) -> None:
    """Any name that a split may have is one that can be written."""
    assert write_shards(spec(split=[{"name": "record", "share": 1}]), tmp_path) == (4, 0)
    assert sorted(path.name for path in (tmp_path / "record").iterdir()) == [f"0000{number}.tar" for number in range(4)]


@pytest.mark.parametrize(("count", "synced"), [(8, 8), (9, 0)])
def test_the_files_of_a_small_shard_are_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given_files: Files, count: int, synced: int
) -> None:
    """The record is always synced, because it says that the shard is done."""
    given_files.update({f"00000/{one}.png": b"" for one in range(count)})
    calls: list[str] = []
    monkeypatch.setattr(shards, "fsync", lambda path: calls.append(path.name))
    write_shards(spec(shards=1), tmp_path)
    assert sum(name.endswith(".png") for name in calls) == synced
    assert ".00000.sha256" in calls


def test_another_process_puts_the_same_shard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given_files: Files
) -> None:
    """If the other process wins the race, its shard stays; any other failure of the move is an error."""
    given_files["00000/0.png"] = b"ours"
    write_shards(spec(shards=1), tmp_path)
    (tmp_path / ".00000.sha256").unlink()
    (tmp_path / "00000/0.png").write_bytes(b"there")
    true = Path.rename

    def rename(path: Path, to: Path) -> Path:
        if path == tmp_path / "00000":
            raise FileNotFoundError  # moved by the other, which then puts its own
        return true(path, to)

    monkeypatch.setattr(Path, "rename", rename)
    write_shards(spec(shards=1), tmp_path)
    assert (tmp_path / "00000/0.png").read_bytes() == b"there"
    shutil.rmtree(tmp_path / "00000")
    monkeypatch.setattr(Path, "rename", rename_that_fails)
    with pytest.raises(OutputError, match="input/output error"):
        write_shards(spec(shards=1), tmp_path)


def rename_that_fails(*_: Any) -> Path:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_writers_are_dealt_to_parts_by_their_shares() -> None:
    """Each part's count is within four standard deviations of the multinomial distribution, for 400 writers."""
    shares = {"train": 0.5, "val": 0.125, "test": 0.375}
    divided = spec(split=[{"name": name, "share": share} for name, share in shares.items()])
    found = [split_of(divided, writer) for writer in range(400)]
    for name, share in shares.items():
        assert abs(found.count(name) - 400 * share) < 4 * np.sqrt(400 * share * (1 - share)), name


def test_shares_that_add_up_to_a_little_less_than_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last part gets the writers beyond the sum, and a share ends where the next begins."""
    divided = spec(split=[{"name": "train", "share": 0.5}, {"name": "test", "share": 0.5 - 8e-7}])
    for place, part in ((0.0, "train"), (0.4999, "train"), (0.5001, "test"), (1 - 2**-53, "test")):
        monkeypatch.setattr(shards, "rng", lambda *_, place=place: SimpleNamespace(random=lambda: place))
        assert split_of(divided, 0) == part


def test_each_part_has_its_own_file_of_a_shard(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shard's images go, in order, to the file of their writer's part; no part has an empty file."""
    divided = spec(count=40, shards=4, split=[{"name": name, "share": 0.25} for name in ("d", "a", "c", "b")])
    monkeypatch.setattr(shards, "packer", lambda _: lambda stem, drawn: {stem: list(drawn)})
    monkeypatch.setattr(shards, "writings", lambda _, __, numbers: numbers)
    found: dict[str, Any] = {}
    for shard in range(4):
        found |= made(divided, shard)
    expected: dict[str, list[int]] = {}
    for number in range(40):
        expected.setdefault(f"{split_of(divided, number)}/0000{number // 10}", []).append(number)
    assert found == expected


def test_a_worker_that_reads_other_texts_does_not_go_on(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fails with one error line and adds nothing to the data set; finished shards stay."""
    out = copied(whole, tmp_path / "a")
    (out / ".00002.sha256").unlink()
    before = visible(out)
    task = partial(shards.put_shard, spec(), out, digests_of(sources_of(spec())))
    monkeypatch.setattr(shards, "digests_of", lambda *_: {"model": "another"})
    assert not task(1)
    with pytest.raises(OutputError, match=r"texts of .*/a changed while it was written. Name another folder"):
        task(2)
    assert visible(out) == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("-n 20000", "2 shards"),
        ("-n 20001", "3 shards"),
        ("-n 2000000000", "99,999 shards"),
        ("-n 20001 --shards 1", "1 shard"),
        ("-n 20001 --shard 3/64", "64 of 64 shards"),
    ],
)
def test_how_many_shards_there_are(
    words: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By default, each has up to 10,000 images; if there is one part for each machine, so is a shard."""
    monkeypatch.setattr(shards, "write_shards", lambda spec, *_, **__: (spec.shards, 0))
    assert run(["write", "d", *words.split(), "--format", "npz", "-o", "out/"]) == 0
    assert capsys.readouterr().out.endswith(f" images, {said}: out/\n")


@pytest.mark.parametrize(("given", "jobs"), [(None, 3), (2, 2)])
def test_shards_are_made_on_all_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: int | None, jobs: int
) -> None:
    """One job for each core is the default."""
    asked: list[int] = []

    def engine(task: Any, numbers: Sequence[int], jobs: int, **_: object) -> Iterator[Any]:
        asked.append(jobs)
        return iter([True] * len(numbers))

    monkeypatch.setattr(engines, "ENGINES", {"processes": engine})
    monkeypatch.setattr(engines, "cores", lambda: 3)
    assert write_shards(spec(), tmp_path, jobs=given) == (4, 0)
    assert asked == [jobs]


@pytest.mark.usefixtures("no_workers")
def test_a_folder_that_another_command_took_over(whole: Path, tmp_path: Path) -> None:
    """A command whose folder was removed, or removed and begun anew with another spec, adds nothing to it."""
    out = copied(whole, tmp_path / "a")
    task = partial(shards.put_shard, spec(), out, digests_of(sources_of(spec())))
    shutil.rmtree(out)
    with pytest.raises(OutputError, match=r"was removed while it was written.* Begin it again\.$"):
        task(2)
    assert not out.exists()
    write_shards(spec(count=8, shards=1), out)
    before = visible(out)
    with pytest.raises(OutputError, match="holds another data set"):
        task(2)
    assert visible(out) == before


def test_hidden_files_of_the_users(tmp_path: Path) -> None:
    """A file like a shard's record is the user's if there is no manifest."""
    (tmp_path / ".00000.sha256").write_text("mine", "utf-8")
    with pytest.raises(OutputError, match=r"already holds files\. .*; name another\.$"):
        write_shards(spec(), tmp_path)
    assert runs.listing(tmp_path) == {".00000.sha256": b"mine"}


@pytest.mark.slow
def test_images_are_drawn_lazily() -> None:
    """Images are drawn a few at a time, however many there are."""
    endless = spec(count=10**12, height=512)
    assert next(iter(inkgan.write_many(endless))).image.shape[0] == 512


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # more workers than a machine of one core has
def test_a_data_loader_of_two_workers() -> None:
    """The loader in the guide draws every image once with two workers, and its batches hold the same ink."""
    names: dict[str, Any] = {"inkgan": inkgan}
    for example in blocks(ROOT / "docs" / "scale.md", "python"):
        exec(example, names)
    nine = spec(texts=["{digits:9}", "{digits:3}"], count=9, look="scan")
    loader: Any = names["DataLoader"](names["Lines"](nine), batch_size=2, num_workers=2, collate_fn=names["batch"])
    drawn = {text: image for images, texts in loader for text, image in zip(texts, images.numpy(), strict=True)}
    alone = {written.text: written.image for written in inkgan.write_many(nine)}
    assert len(drawn) == 9
    assert drawn.keys() == alone.keys()
    for text, image in alone.items():
        np.testing.assert_array_equal(drawn[text][0, :, : image.shape[1]], image)
        assert not drawn[text][0, :, image.shape[1] :].any()


@pytest.mark.parametrize("parts", [(), ({"name": "train", "share": 1},)], ids=["whole", "with parts"])
@pytest.mark.usefixtures("no_workers")
def test_the_patterns_of_the_guide_match_shards_alone(
    parts: Sequence[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each reader opens all that its pattern in the guide matches: with parts and without, the shards, no manifest."""
    lmdb: Any = import_module("lmdb")
    read_parquet: Any = import_module("pandas").read_parquet
    guide = (ROOT / "docs" / "scale.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", guide.partition("## Reading all shards")[2], re.MULTILINE))
    assert rows.keys() == FORMATS.keys(), "docs/scale.md, Reading all shards: one has no row, or one is too many"
    monkeypatch.chdir(tmp_path)
    for format_name in ("webdataset", "parquet", "lmdb", "doctr"):
        write_shards(spec(format=format_name, split=parts), f"{format_name}/numbers")
        (pattern,) = re.findall(r'glob\.glob\("(.+?)"\)', rows[format_name])
        matched = sorted(glob.glob(f"{format_name}/{pattern if parts else pattern.replace('train/', '')}"))  # noqa: PTH207
        assert len(matched) == 4
        if format_name == "webdataset":
            assert all(tarfile.is_tarfile(one) for one in matched)
        elif format_name == "parquet":
            assert len(read_parquet(matched)) == 10
        elif format_name == "doctr":
            assert all(Path(one, "labels.json").is_file() for one in matched)
        else:
            for one in matched:
                lmdb.open(one, readonly=True, lock=False).close()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"count": 0}, "count = 0 is not allowed"),
        ({"count": 3}, "4 shards need 4 images or more, and not 3"),
        ({"hight": 24}, r"there is no hight. Did you mean 'height'\?"),
        ({"height": 23}, "a height of 23 pixels is out of range. It runs from 24 to 512"),
        ({"texts": "2026"}, r"texts = '2026' is not allowed: write it like \['2026', "),
        (
            {"split": {"train": 1}},
            r"split = {'train': 1} is not allowed: write it like \[{'name': 'train', 'share': 0.9}",
        ),
        ({"split": ["train"]}, r"split.1 = 'train' is not allowed: write it like \[{'name': "),
        ({"texts": ()}, "give either texts or a texts_file"),
        ({"texts_file": "a.txt"}, "give either texts or a texts_file"),
        ({"format": "webdatset"}, r"Did you mean 'webdataset'\? Choose from"),
        ({"shards": 100_000, "count": 10**6}, "shards = 100000"),
        ({"split": [{"name": "train", "share": 0.5}]}, "split = 'train=0.5' .* add up to 1, and not to 0.5"),
        ({"split": [{"name": "a", "share": 80}]}, "split.1.share = 80 is not allowed: give 1 or less"),
        ({"split": [{"name": "a", "share": 0}]}, "split.1.share = 0 is not allowed: give more than 0"),
        ({"split": [{"name": "a", "share": float("nan")}]}, "split.1.share = nan is not allowed: give a finite number"),
        ({"split": [{"name": "a/b", "share": 1}]}, "split.1.name = 'a/b' .* letters from a to z"),
        ({"split": [{"nam": "a", "share": 1}]}, r"no split\.1\.nam\. Did you mean 'name'\? It can have name, share\.$"),
        (
            {"spilt": []},
            r"no spilt\. Did you mean 'split'\? It can have texts, texts_file, count, .*, legible, look\.$",
        ),
        ({"split": [{"name": "a" * 32, "share": 1}]}, "letters from a to z"),
        ({"split": [{"name": "-a", "share": 1}]}, "letters from a to z"),
        ({"split": [{"name": "", "share": 1}]}, "letters from a to z"),
        ({"split": [{"name": "a\n", "share": 1}]}, "letters from a to z"),
        ({"split": [{"name": "ä", "share": 1}]}, "letters from a to z"),
        ({"split": [{"name": "a", "share": 0.5}] * 2}, "has one name twice"),
        ({"split": [{"name": "a", "share": 0.5}, {"name": "A", "share": 0.5}]}, "has one name twice"),
        ({"background": "black"}, "background = 'black'"),
        ({"count": 10**12 + 1}, "count = 1000000000001"),
        ({"shards": 0}, "shards = 0"),
        ({"seed": -1}, "the seed -1 is not allowed"),
        ({"seed": 2**63}, "the seed 9223372036854775808"),
        ({"style": -0.1}, "the style -0.1 is out of range"),
        ({"style": 1.1}, "the style 1.1"),
        ({"slant": -46}, "a slant of -46.0 degrees is out of range"),
        ({"slant": 46}, "a slant of 46.0 degrees"),
        ({"height": 513}, "a height of 513 pixels"),
        ({"legible": -0.1}, "legible -0.1 is out of range"),
        ({"legible": 1}, "legible 1.0 is out of range"),
        ({"split": [{"name": "a", "share": 1.5}]}, "split.1.share = 1.5"),
        ({"split": [{"name": "a", "share": 1 - 1.2e-6}]}, "add up to 1"),
        ({"count": None, "hight": 24}, "there is no hight"),
        ({"count": True}, "count = True is not allowed: give a number, and not a text, true or false"),
        ({"count": np.True_}, r"count = np\.True_ is not allowed: give a number"),
        ({"style": False}, "style = False"),
        ({"count": "5"}, "count = '5' is not allowed: give a number, and not a text"),
        ({"style": "0.5"}, "style = '0.5' is not allowed: give a number, and not a text"),
        ({"split": [{"name": "a", "share": "1"}]}, "split.1.share = '1' is not allowed"),
        ({"split": [{"name": "a", "share": True}]}, "split.1.share = True"),
        ({"format": "NPZ"}, r"Did you mean 'npz'\?"),
    ],
)
def test_specs_that_make_no_sense(changes: dict[str, Any], said: str) -> None:
    """A one-line error says what is allowed."""
    assert re.search(said, refusal(lambda: spec(**changes), kind=ConfigError))


@pytest.mark.parametrize(
    "changes",
    [
        {"count": 1, "shards": 1},
        {"count": 10**12, "shards": 99_999},
        {"seed": 0},
        {"seed": 2**63 - 1},
        {"style": 0, "slant": -45, "height": 24, "legible": 0},
        {"style": 1, "slant": 45, "height": 512, "legible": 0.9999},
        {"split": [{"name": "a", "share": 1}]},
        {"split": [{"name": "Zz9_-" + "a" * 26, "share": 1}]},
        {"split": [{"name": "0", "share": 0.9999992}]},
    ],
)
def test_the_limits_themselves_are_allowed(changes: dict[str, Any]) -> None:
    kept = spec(**changes).model_dump(mode="json")
    assert {key: kept[key] for key in changes} == changes


def test_a_specification_keeps_numpys_seeds() -> None:
    """Above 2^53, a float would be another number."""
    assert Spec(texts=["7"], count=1, seed=np.int64(2**53 + 1)).seed == 2**53 + 1


def test_paths_of_a_spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Path is always a place, even if a bundled model has its name."""
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text("12\n", "utf-8")
    assert next(iter(inkgan.write_many(Spec(texts_file=Path("a.txt"), count=1)))).text == "12"
    assert Spec(texts=("1",), count=1, model=tmp_path).model == str(tmp_path)
    with pytest.raises(CheckpointError, match=r"\./best"):
        next(iter(inkgan.write_many(Spec(texts=("1",), count=1, model=Path("best")))))


def test_type_checkers_see_what_a_spec_may_be_given() -> None:
    """Its types for calls, which are wider than those of its fields, have every field; this call is checked, too."""
    source = ast.parse(inspect.getsource(import_module(Spec.__module__)))
    (call,) = (one.args for one in ast.walk(source) if isinstance(one, ast.FunctionDef) and one.name == "__init__")
    defaults = dict(zip((one.arg for one in call.kwonlyargs), call.kw_defaults, strict=True))
    assert defaults.keys() | WritingOptions.__optional_keys__ == Spec.model_fields.keys()
    assert [name for name, default in defaults.items() if default is None] == ["count"]
    given = Spec(texts=["1"], count=np.int64(2), split=[{"name": "train", "share": 1}], style=np.float32(0.5))
    assert (given.texts, given.count, given.style) == (("1",), 2, 0.5)


def test_texts_in_a_set() -> None:
    """Templates are taken in turn, and a set has another order in each process."""
    unordered: Any = {"1", "2"}
    with pytest.raises(ConfigError, match="a set has no order, so give a list"):
        Spec(texts=unordered, count=2)


def test_defaults_are_those_of_write() -> None:
    """The defaults of a data set are those of ``write``."""
    said = inspect.signature(inkgan.write).parameters
    kept = Spec(texts=TEXTS, count=1)
    for name in ("style", "slant", "height", "background", "legible", "model", "look"):
        assert getattr(kept, name) == said[name].default, name
    assert (kept.shards, kept.seed, kept.split) == (1, 0, ())


@pytest.mark.parametrize(("part", "parts"), [(-1, 3), (3, 3), (4, 3)])
def test_a_reader_that_does_not_exist(part: int, parts: int) -> None:
    with pytest.raises(ConfigError, match=rf"^there is no part {part} of {parts}\. Parts are numbered from 0\.$"):
        inkgan.write_many(spec(), part, parts)
    with pytest.raises(ConfigError, match="there cannot be 0 parts"):
        inkgan.write_many(spec(), 0, 0)


def test_what_is_wrong_is_said_before_anything_is_written(tmp_path: Path) -> None:
    """Texts or a model that cannot be used, an unknown engine or a wrong number of jobs are refused."""
    for wrong, options in (
        (spec(texts=["{x}"]), {}),
        (spec(model="tutorial"), {}),
        (spec(), {"engine": "rey"}),
        (spec(), {"jobs": 0}),
        (spec(), {"jobs": 10**6}),
    ):
        with pytest.raises((ConfigError, CheckpointError)):
            write_shards(wrong, tmp_path / "a", **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("more", ["--shards 2", "--shards 2 -n 3", "--preview"])
@pytest.mark.parametrize(
    ("source", "said"), [("p", "p"), ("/dev/stdin", "/dev/stdin"), ("/dev/zero", "/dev/zero"), ("-", "standard input")]
)
def test_texts_that_a_data_set_would_have_to_read_twice(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    source: str,
    said: str,
    more: str,
) -> None:
    """They are not read even once: a pipe may have no end."""
    monkeypatch.chdir(tmp_path)
    os.mkfifo("p")
    words = ["--texts", source, *more.split(), "-o", "a"]
    assert f"cannot take its texts from {said}. Put them into a file" in command_refusal(capsys, "write", *words)
    assert [path.name for path in tmp_path.iterdir()] == ["p"]


def test_texts_in_memory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file in /dev/shm can be read again, unlike /dev/stdin, so it is looked for."""
    words = ["--texts", "/dev/shm/no-such-file.txt", "--shards", "2", "-n", "3", "-o", f"{tmp_path}/a/"]
    assert "cannot read /dev/shm/no-such-file.txt: no such file" in command_refusal(capsys, "write", *words)


def test_texts_that_cannot_be_read_twice(tmp_path: Path) -> None:
    """Texts from a pipe are refused, because a data set that resumes needs them again."""
    out, end = os.pipe()
    os.write(end, b"2026\n")
    os.close(end)
    with pytest.raises(ConfigError, match=r"/dev/fd/\d+ again: not a regular file\. Put texts"):
        write_shards(spec(texts=(), texts_file=f"/dev/fd/{out}"), tmp_path / "a")
    os.close(out)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.usefixtures("no_workers")
def test_the_command(whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The options become the spec, and the command says what it made and what existed."""
    out = str(tmp_path / "a")
    options = "-n 10 --shards 4 --model fast --height 24 --seed 7"
    words = ["write", *TEXTS, *options.split(), "-o", out]
    assert run([*words, "--shard", "2/3"]) == 0
    assert run(words) == 0
    assert (
        capsys.readouterr().out
        == f"3 of 10 images, 1 of 4 shards: {out}\n10 images, 4 shards (1 of them was there): {out}\n"
    )
    assert visible(Path(out)) == visible(whole)
    words = ["write", "1", "-n", "12", "--model", "fast", "--height", "24", "--split", "train=.9,test=.1"]
    assert run([*words, "-o", f"{tmp_path}/b/"]) == 0
    sizes = []
    for name in ("train", "test"):
        with tarfile.open(tmp_path / "b" / name / "00000.tar") as tar:
            sizes.append(f"{name} {len(tar.getnames()) // 2}")
    assert capsys.readouterr().out == f"12 images ({', '.join(sizes)}), 1 shard: {tmp_path}/b/\n"
    assert json.loads((tmp_path / "b/manifest.json").read_text())["spec"]["split"] == [
        {"name": "train", "share": 0.9},
        {"name": "test", "share": 0.1},
    ]


def test_the_sizes_of_a_large_split(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the first writers are counted; the parts of the others have their shares."""
    monkeypatch.setattr(shards, "MOST_COUNTED", 10)
    large = spec(count=10**9, split=[{"name": "train", "share": 0.9}, {"name": "test", "share": 0.1}])
    train = sum(shards.split_of(large, writer) == "train" for writer in range(10))
    assert shards.sizes_of_split(large) == {"train": train + 899_999_991, "test": 10 - train + 99_999_999}


@pytest.mark.slow
@pytest.mark.usefixtures("no_workers")
def test_a_part_without_the_number_of_shards(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``--shard 2/3`` alone makes a set of 3 shards; a command that does not say 3 is told what to type."""
    words = ["write", "1", "-n", "6", "--model", "fast", "--height", "24", "-o", f"{tmp_path}/a/"]
    assert run([*words, "--shard", "2/3"]) == 0
    assert run([*words, "--shard", "3/3"]) == 0
    before = visible(tmp_path)
    for forgetful, advice in (
        (["--jobs", "1"], "Give --shards 3 to continue it"),
        (["--shard", "1/2"], "Give --shards 3 to continue it"),
        ([], "`inkgan write` with --shards makes shards that are missing"),
        (["--force"], "`inkgan write` with --shards makes shards that are missing"),
    ):
        assert run([*words, *forgetful]) == 2
        assert advice in capsys.readouterr().err
        assert visible(tmp_path) == before
    assert run([*words, "--shards", "3"]) == 0
    assert "6 images, 3 shards (2 of them were there)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("-n 99 --shard 65/64 -o a", "no part 65 of 64"),
        ("--shard 3of4 -o a", "is not I/N"),
        ("--split train -o a", "is not NAME=SHARE"),
        ("--split train=x,test=y -o a", "split.1.share = 'x' is not allowed: give a number, and not a text"),
        ("--split train=0,test=1 -o a", "split.1.share = 0.0 is not allowed: give more than 0."),
        ("--split a/b=.5,test=.5 -o a", "split.1.name = 'a/b' is not allowed: a split's name has up to 31 letters"),
        ("-n 9 --shards 2 --shard 3/64 -o a", "there is no part 3 of 64 for 2 shards"),
        ("-n 99 --shard 65/64 --preview -o a.png", "no part 65 of 64"),
        ("-n 9 --shards 2 --shard 3/64 --preview -o a.png", "there is no part 3 of 64"),
        ("--shards 1", "Name it with -o"),
        ("--shards 0 -o a", "shards = 0 is not allowed"),
        ("--jobs -1 --preview -o a", "cannot run -1 jobs"),
        ("--split train=1 -o a.npz", "a.npz is the name of a file"),
        ("--shards 1 -o a --force", "--force does not replace a data set. Name a folder that does not exist yet"),
        ("--format zip -o a", "unknown format 'zip'"),
        ("--engine rey -o a", "Did you mean 'ray'"),
        ("--preview --engine rey -o a.png", "unknown engine 'rey'"),  # as without --preview
        ("--texts - --shards 2 -n 3 -o a", "texts were given as arguments and with --texts"),
        ("--shard 1/0 -o a", "--shard 1/0 is not I/N"),
        ("--shards 1 --out=", "--out was given an empty value"),
        ("--preview --out=", "--out was given an empty value"),
        ("--preview -o /", "/ has no name that a preview could take"),
        ("--preview -o .", "has no name that a preview could take"),
        ("--texts= -o a/", "--texts was given an empty value"),
    ],
)
def test_commands_that_make_no_sense(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: str, said: str
) -> None:
    """They end with exit code 2 and one error line, and write nothing."""
    monkeypatch.chdir(tmp_path)
    assert said in command_refusal(capsys, "write", "1", *words.split())
    assert list(tmp_path.iterdir()) == []
