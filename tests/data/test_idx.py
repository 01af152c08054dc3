"""The reader of IDX files: what it accepts, what it refuses and how, and that no other error comes out."""

from __future__ import annotations

import gzip
import os
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_files import CODES, complaint, idx_bytes, one_line, pixels
from inkgan.data import idx
from inkgan.errors import DataError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "some-idx3-ubyte"


@pytest.mark.parametrize("packed", [False, True])
def test_reads_plain_and_compressed(file: Path, packed: bool) -> None:
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    file.write_bytes(gzip.compress(idx_bytes(array), mtime=0) if packed else idx_bytes(array))
    got = idx.read(file)
    assert got.dtype == np.uint8
    assert got.flags.writeable
    np.testing.assert_array_equal(got, array)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "float32", "float64"])
def test_other_types_are_refused(file: Path, dtype: str) -> None:
    file.write_bytes(idx_bytes(np.ones((2, 3, 4), dtype)))
    complaint(lambda: idx.read(file), "not an IDX file of uint8")


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((5, 48, 64), (5, 48, 64, 1)),
        ((5, 8, 9, 3), (5, 8, 9, 3)),
        ((5, 3, 8, 9), (5, 8, 9, 3)),
        ((5, 8, 9, 1), (5, 8, 9, 1)),
        ((5, 1, 8, 9), (5, 8, 9, 1)),
    ],
)
def test_images_of_any_size_and_channels(file: Path, shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    array = pixels(*shape)
    file.write_bytes(idx_bytes(array))
    got = idx.read_images(file)
    assert got.shape == expected
    first = array[0].transpose(1, 2, 0) if array.shape[1:3] != expected[1:3] else array[0]
    np.testing.assert_array_equal(got[0], first.reshape(expected[1:]))


def test_labels_become_int64(file: Path) -> None:
    file.write_bytes(idx_bytes(np.array([3, 1, 2], np.uint8)))
    labels = idx.read_labels(file, 3)
    assert labels.dtype == np.int64
    assert labels.tolist() == [3, 1, 2]


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    complaint(lambda: idx.read(tmp_path / "gone"), "does not exist")
    complaint(lambda: idx.read(tmp_path), "is not a file")
    os.mkfifo(tmp_path / "pipe")  # reading it would wait for ever
    complaint(lambda: idx.read(tmp_path / "pipe"), "is not a file")
    (tmp_path / "loop").symlink_to("loop")
    complaint(lambda: idx.read(tmp_path / "loop"), "loop")


GOOD = idx_bytes(pixels(4, 5, 6))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\0\0\x08", "not an IDX file"),
        (struct.pack(">4B3I", 0, 0, 8, 3, 0, 2**32 - 1, 2**32 - 1), "is empty"),
        (GOOD[:9], "truncated"),
        (GOOD[:-1], "truncated"),
        (GOOD + b"x", "appended"),
        (b"<!DOCTYPE html><html>", "starts with b'<!DOCTYPE html>"),
        (b"PK\x03\x04....", "starts with b'PK"),
        (b"version https://git-lfs.github.com/spec/v1\n", "starts with b'version https"),
        (b"\0\0\x07\x01\0\0\0\1x", "not an IDX file"),
        (b"\0\0\x08\x09" + b"\0\0\0\1" * 9 + b"x", "not an IDX file"),
        (struct.pack(">4B3I", 0, 0, 8, 3, 60_000, 6000, 6000), "at most 2.1 GB"),
        (struct.pack(">4B3I", 0, 0, 8, 3, 2**32 - 1, 2**32 - 1, 2**32 - 1), "at most 2.1 GB"),
        (gzip.compress(b"", mtime=0), "is empty"),
        (gzip.compress(GOOD, mtime=0)[:-9], "damaged or truncated gzip"),
        (gzip.compress(GOOD, mtime=0)[:12], "damaged or truncated gzip"),
        (gzip.compress(GOOD, mtime=0)[:30] + b"\xff" * 30, "damaged or truncated gzip"),
        (gzip.compress(GOOD[:-1], mtime=0), "truncated"),
        (gzip.compress(GOOD + b"x", mtime=0), "appended"),
        (gzip.compress(GOOD, mtime=0) + b"rubbish", "damaged or truncated gzip"),
    ],
)
def test_damaged_files_are_refused_in_one_line(file: Path, content: bytes, words: str) -> None:
    file.write_bytes(content)
    complaint(lambda: idx.read_images(file), "some-idx3-ubyte", words)


def test_other_contents_than_images_and_labels(file: Path) -> None:
    def having(array: np.ndarray) -> Path:
        file.write_bytes(idx_bytes(array))
        return file

    complaint(lambda: idx.read_images(having(np.zeros(9, np.uint8))), "images of shape (9,)")
    complaint(lambda: idx.read_images(having(np.zeros((2, 2, 2, 2), np.uint8))), "[N, H, W, C]")
    complaint(lambda: idx.read_images(having(np.zeros((2, 2, 2, 2, 3), np.uint8))), "not an IDX file")
    complaint(lambda: idx.read_images(having(np.zeros((0, 2, 2), np.uint8))), "is empty", "0x2x2")
    complaint(lambda: idx.read_images(having(np.zeros((1, 5000, 2), np.uint8))), "5000x2")
    complaint(lambda: idx.read_labels(having(pixels(4, 5, 6)), 4), "shape (4, 5, 6)")
    complaint(lambda: idx.read_labels(having(np.zeros((4, 8), np.uint8)), 4), "not an IDX file")
    complaint(lambda: idx.read_labels(having(np.zeros(4, np.uint8)), 5), "4 labels for 5 images")


@pytest.mark.slow
def test_bombs_take_no_memory(file: Path) -> None:
    big = 150 * 2**20
    header = struct.pack(">4B3I", 0, 0, 8, 3, 1, 28, 28)
    claims = struct.pack(">4B3I", 0, 0, 8, 3, 2_000_000, 28, 28)
    bombs = [
        gzip.compress(header + bytes(big), 1, mtime=0),  # holds far more than its header says
        gzip.compress(claims + bytes(1000), mtime=0),  # says far more than it can hold
        claims + bytes(1000),
    ]
    for content in bombs:
        file.write_bytes(content)
        tracemalloc.start()
        complaint(lambda: idx.read_images(file))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 8 * 2**20


@pytest.mark.parametrize(
    "name", ["line\nbreak", "\x1b[31mred", pytest.param("bytes\udcff", marks=pytest.mark.linux), "x" * 200]
)
def test_messages_are_one_printable_line_whatever_the_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"nothing")
    complaint(lambda: idx.read(path), "not an IDX file")


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "fuzz"


headers = st.builds(
    lambda code, sizes, body: bytes([0, 0, code, len(sizes)]) + struct.pack(f">{len(sizes)}I", *sizes) + body,
    st.sampled_from([*CODES.values(), 0, 7, 255]),
    st.lists(st.integers(0, 6) | st.integers(0, 2**32 - 1), max_size=9),
    st.binary(max_size=300),
)
damaged = st.builds(
    lambda content, packed, cut, at, value: _damage(
        gzip.compress(content, mtime=0) if packed else content, cut, at, value
    ),
    st.binary(max_size=64) | headers | st.just(GOOD),
    st.booleans(),
    st.none() | st.integers(0, 60),
    st.none() | st.integers(0, 200),
    st.integers(0, 255),
)


def _damage(content: bytes, cut: int | None, at: int | None, value: int) -> bytes:
    changed = bytearray(content)
    if at is not None and at < len(changed):
        changed[at] = value
    return bytes(changed if cut is None else changed[: len(changed) - cut])


@pytest.mark.slow
@settings(max_examples=500)
@given(content=damaged)
def test_fuzz_only_data_errors_and_only_true_shapes(fuzzed: Path, content: bytes) -> None:
    fuzzed.write_bytes(content)
    try:
        images = idx.read_images(fuzzed)
    except DataError as error:
        one_line(error, fuzzed)
    else:
        assert images.dtype == np.uint8
        assert images.shape[3] in (1, 3)
        assert images.size
    try:
        labels = idx.read_labels(fuzzed, 4)
    except DataError as error:
        one_line(error, fuzzed)
    else:
        assert labels.shape == (4,)


@pytest.mark.slow
@settings(max_examples=150)
@given(content=damaged)
def test_fuzz_bounded_memory(fuzzed: Path, content: bytes) -> None:
    fuzzed.write_bytes(content)
    tracemalloc.start()
    try:
        idx.read(fuzzed)
    except DataError as error:
        one_line(error, fuzzed)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 4 * 2**20
