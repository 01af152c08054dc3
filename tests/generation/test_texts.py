"""Texts from a file: one on each line, and errors name the number of the line."""

from __future__ import annotations

import gc
import io
import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from inkgan.cli import run
from inkgan.errors import ConfigError
from inkgan.generation.templates import read_texts
from inkgan.generation.texts import TextFile
from inkgan.generation.writing import write
from refusals import refusal
from stand_in_models import RealDigits


def test_a_text_for_each_line(tmp_path: Path) -> None:
    """Any line ends, a byte order mark, spaces within a line and a last line without an end are all read."""
    path = tmp_path / "texts.txt"
    path.write_bytes("\ufeff2026\r\n 1 2 \ndd.d\n3".encode())
    assert list(TextFile(path)) == ["2026", " 1 2 ", "dd.d", "3"]
    assert list(TextFile(str(path))) == list(TextFile(path))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"12\n\n3\n", "line 2: cannot write '', 0 characters"),
        (b"12\n{digits:6}\n", "line 2: cannot write '{digits:6}': fields in braces"),
        (b"12\n12 June\n", "line 2: cannot write 'June'"),
        (b"1\n2\n3\n" + b"4" * 65 + b"\n", "line 4: cannot write '4{65}', 65 characters"),
        (b"1\n" + b"4" * 10**6, "line 2: it has over 64 characters"),
        ("1\n2\n١\n".encode(), "line 3: cannot write"),
        ("1\né\n".encode("latin-1"), "line 2: it is not UTF-8"),
        ("12\n".encode("utf-16"), "line 1: it is not UTF-8"),
        (b"1\n2\x00\n", r"line 2: cannot write '\\x00'"),
        (b"1\nx\n3\ny\n\n", r"line 2: cannot write 'x'.* In all, 3 of its 5 lines are wrong"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else None,
)
def test_lines_that_cannot_be_written(tmp_path: Path, content: bytes, said: str) -> None:
    """The error says what is wrong and in which line."""
    path = tmp_path / "texts.txt"
    path.write_bytes(content)
    assert re.match(rf"{re.escape(str(path))}.*{said}", refusal(lambda: read_texts(path), kind=ConfigError))


@pytest.mark.parametrize("name", ["none.txt", ".", "x" * 300])
def test_files_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    """A missing file, a folder or a name that is too long gives a one-line error."""
    with pytest.raises(ConfigError, match="cannot read"):
        read_texts(tmp_path / name)


@pytest.mark.parametrize("name", ["a\0b", "\ud800"], ids=ascii)
def test_names_that_no_file_has(name: str) -> None:
    """A zero byte or half a surrogate pair gives a one-line error."""
    with pytest.raises(ConfigError, match=r"^the file of texts is '.*', which no file can be called\. Name another\.$"):
        read_texts(name)


def test_too_many_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file with more lines than allowed is refused before the rest of it is read."""
    monkeypatch.setattr("inkgan.generation.texts.MOST_LINES", 3)
    path = tmp_path / "texts.txt"
    path.write_text("1\n2\n3\n", "utf-8")
    assert read_texts(path).count == 3
    path.write_text("1\n2\n3\n4\n", "utf-8")
    with pytest.raises(ConfigError, match="more than 3 lines"):
        read_texts(path)


@pytest.mark.slow
@pytest.mark.usefixtures("real_digits")
@pytest.mark.parametrize("source", ["file", "-"])
def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    """Each line becomes one image by its own writer, as if the texts stood in the command."""
    texts = [f"{number:03d}" for number in range(200)]
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(texts), "utf-8")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(path.read_bytes())))
    given = str(path) if source == "file" else "-"
    assert run(["write", "--texts", given, "--labels", "--height", "24", "-o", f"{tmp_path}/a.npz"]) == 0
    with np.load(tmp_path / "a.npz") as archive:
        assert archive["texts"].tolist() == texts
        last = write("199", model=RealDigits(), writer=199, height=24).image
        np.testing.assert_array_equal(archive["images"][199, :, : last.shape[1]], last)


def test_a_standard_input_without_a_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says whether it is empty or closed."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    with pytest.raises(ConfigError, match=r"^standard input is empty"):
        read_texts("-")
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(ConfigError, match="standard input is closed"):
        read_texts("-")


@pytest.mark.linux
@pytest.mark.parametrize("lines", [3, 100_000], ids=["when it ends", "at once"])
def test_no_room_for_what_is_read_from_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], lines: int
) -> None:
    """A full disk gives a single error line, also when the copy of the input is closed later."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"12\n" * lines)))
    monkeypatch.setattr("inkgan.generation.texts.tempfile.TemporaryFile", lambda: Path("/dev/full").open("w+b"))  # noqa: SIM115
    assert run(["write", "--texts", "-", "-n", "2", "-o", f"{tmp_path}/a/"]) == 2
    gc.collect()
    (said,) = capfd.readouterr().err.splitlines()
    assert "the disk is full" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("later", [b"56" * 4000, b"56\n34\n" * 2000, b"\xff" * 8000, b""])
def test_a_file_that_changes_while_it_is_read(tmp_path: Path, later: bytes) -> None:
    """Texts of before and after the change are never mixed; a file that takes its place under its name is not read."""
    path = tmp_path / "texts.txt"
    path.write_bytes(b"12\n34\n" * 2000)
    lines = TextFile(path)
    (tmp_path / "other.txt").write_bytes(later)
    path.rename(tmp_path / "moved.txt")
    (tmp_path / "other.txt").rename(path)
    assert lines.text(0, 3999) == "34"
    (tmp_path / "moved.txt").write_bytes(later)
    os.utime(tmp_path / "moved.txt", ns=(0, 0))  # the clock of a file system may be coarse
    assert lines.text(0, 3998) == "12"
    with pytest.raises(ConfigError, match=r"texts\.txt changed while its texts were used\. Leave it alone"):
        lines.text(0, 0)


@pytest.mark.parametrize("source", ["file", "-", "pipe"])
def test_lines_in_any_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    """Lines are found in any order, even if there are more than are kept in memory and indices wrap around."""
    texts = [str(number) for number in range(5000)]
    path = tmp_path / "texts.txt"
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(texts).encode())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(path.read_bytes())))
    out, end = os.pipe()
    os.write(end, path.read_bytes())
    os.close(end)
    lines = TextFile({"file": str(path), "-": "-", "pipe": f"/dev/fd/{out}"}[source])
    os.close(out)
    assert lines.count == 5000
    assert list(lines) == texts
    assert [lines.text(3, index) for index in (4999, 0, 1024, 1023)] == ["4999", "0", "1024", "1023"]
    assert [lines.text(3, index) for index in (1, 5001)] == ["1", "1"]
