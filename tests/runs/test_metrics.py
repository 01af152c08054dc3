"""metrics.jsonl: written a whole line at a time, read by one reader, cut on resuming, nothing lost silently."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import tiny_runs as runs
from inkgan.errors import CheckpointError, InkganWarning, OutputError
from inkgan.runs import metrics


def written(path: Path, *steps: int) -> Path:
    """Write a file with a line for each step."""
    writer = metrics.MetricsWriter(path)
    for step in steps:
        writer.write(step, {"loss_generator": step / 8})
    writer.close()
    return path


def steps_in(path: Path) -> list[int]:
    """The steps of a file's lines."""
    return [line["step"] for line in metrics.read(path)]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Each line is JSON of its own, and a second writer appends."""
    path = written(tmp_path / "metrics.jsonl", -1, 0)
    assert written(path, 10) == path
    assert [json.loads(line) for line in path.read_text("utf-8").splitlines()] == metrics.read(path)
    assert metrics.read(path)[2] == {"step": 10, "loss_generator": 1.25}


def test_a_line_is_in_the_file_at_once(tmp_path: Path) -> None:
    """A program that follows the file sees each line as soon as it is logged."""
    writer = metrics.MetricsWriter(tmp_path / "metrics.jsonl")
    writer.write(3, {"x": 1.0})
    assert steps_in(tmp_path / "metrics.jsonl") == [3]
    writer.close()


def test_a_line_that_is_still_being_written(tmp_path: Path) -> None:
    """The last line counts only when it is complete."""
    path = written(tmp_path / "metrics.jsonl", 1, 2)
    with path.open("a", encoding="utf-8") as file:
        file.write('{"step": 3')
    assert steps_in(path) == [1, 2]


DAMAGED: dict[str, bytes] = {
    "binary": b"\0\xff\x80",
    "empty": b"",
    "half": b'{"step": 4, "loss',
    "no table": b"[4]",
    "no step": b'{"loss": 4.0}',
    "a step that is true": b'{"step": true}',
    "a loss that is text": b'{"step": 4, "loss_generator": "<script>"}',
    "a loss that is a list": b'{"step": 4, "loss_generator": [1.0]}',
    "a loss that no float holds": b'{"step": 4, "loss_generator": ' + b"9" * 400 + b"}",
    "a step that is a fraction": b'{"step": 4.5}',
    "deep": b"[" * 100_000,
    "two in one": b'{"step": 4}{"step": 5}',
}


@pytest.mark.parametrize("text", DAMAGED.values(), ids=DAMAGED)
def test_damaged_lines_are_named(tmp_path: Path, text: bytes) -> None:
    """The reader refuses the file and names the line."""
    path = written(tmp_path / "metrics.jsonl", 1)
    path.write_bytes(path.read_bytes() + text + b"\n")
    with pytest.raises(CheckpointError, match=r"metrics\.jsonl is damaged: line 2 "):
        metrics.read(path)


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ((0, 2, 4, 0, 2, 4), "line 4 goes back from step 4 to step 0"),
        ((-1, 0, 0, 1, 1), "line 3 has values of step 0 that were logged before"),
        ((4, 2, 0), "line 2 goes back from step 4 to step 2"),
    ],
)
def test_lines_that_no_single_run_logs(tmp_path: Path, steps: tuple[int, ...], reason: str) -> None:
    """The log of two runs in one file, one that is there twice, and one in another order, would be judged wrongly."""
    path = written(tmp_path / "metrics.jsonl", *steps)
    with pytest.raises(CheckpointError, match=rf"metrics\.jsonl is damaged: {reason}\. Remove such lines\.$"):
        metrics.read(path)
    kept = sorted({step for at, step in enumerate(steps) if step >= max(steps[: at + 1])})
    said = metrics.cut(path, 9, first_step=9, every=1)
    assert said is not None
    assert f"{len(steps) - len(kept)} damaged line" in said
    assert steps_in(path) == kept


def test_a_step_with_several_lines(tmp_path: Path) -> None:
    """A run logs losses, the doctor's look and the quality of one step in lines of their own."""
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 3, "a": 1}\n{"step": 3, "b": 2}\n{"step": 4, "a": 1}\n', "utf-8")
    assert steps_in(path) == [3, 3, 4]
    assert metrics.cut(path, 5, first_step=5, every=1) is None


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A missing file and a folder in its place are reported in one line."""
    with pytest.raises(CheckpointError, match=r"cannot read .*none: no such file"):
        metrics.read(tmp_path / "none")
    with pytest.raises(OutputError, match="is a directory"):
        metrics.MetricsWriter(tmp_path)


def test_a_file_that_is_too_large_to_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run can go on without it."""
    path = written(tmp_path / "metrics.jsonl", 0, 1)
    monkeypatch.setattr(metrics, "_LARGEST", 10)
    with pytest.raises(OutputError, match=r"is larger than 10 bytes, the most that is read\. Move it away"):
        metrics.cut(path, 2, first_step=0, every=1)


def test_cutting(tmp_path: Path) -> None:
    """The lines before a step stay as they are, byte for byte; the others are removed without a warning."""
    path = written(tmp_path / "metrics.jsonl", -2, -1, 0, 1, 2, 3)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(path.read_bytes() + b'{"step": 4, "lo')
    assert metrics.cut(path, 2, first_step=-2, every=1) is None
    assert path.read_bytes() == b"".join(lines[:4])
    assert metrics.cut(path, -2, first_step=-2, every=1) is None
    assert path.read_bytes() == b""
    assert [entry.name for entry in tmp_path.iterdir()] == ["metrics.jsonl"]


def test_cutting_a_damaged_file(tmp_path: Path) -> None:
    """Damaged and missing lines are reported in one sentence, the file is kept aside, and the good lines stay."""
    path = written(tmp_path / "metrics.jsonl", 0, 2, 4, 6, 8)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], b"\xff" + lines[1][1:], b"\n", *lines[3:]]))
    damaged = path.read_bytes()
    said = metrics.cut(path, 7, first_step=0, every=2)
    assert said == (
        f"{path} has 2 damaged lines (the damaged file is kept as metrics.jsonl.damaged) "
        "and lacks 2 of 4 steps logged before step 7."
    )
    assert metrics.cut(tmp_path / "no.jsonl", 1, first_step=0, every=2) == (
        f"{tmp_path / 'no.jsonl'} lacks 1 of 1 step logged before step 1."
    )
    assert (tmp_path / "metrics.jsonl.damaged").read_bytes() == damaged
    assert steps_in(path) == [0, 6]
    path.write_bytes(b"\n")
    said = metrics.cut(path, 0, first_step=0, every=2)
    assert said == f"{path} has 1 damaged line (the damaged file is kept as metrics.jsonl.damaged-2)."
    assert (tmp_path / "metrics.jsonl.damaged").read_bytes() == damaged


@pytest.mark.parametrize(
    ("kept", "first_step", "every", "needed"),
    [
        ([], 0, 1, "lacks 9 of 9 steps"),
        ([0, 5], -10, 5, "lacks 2 of 4 steps"),
        ([-10, -5, 0, 5], -10, 5, None),
        ([], 0, 0, None),
    ],
)
def test_missing_lines_are_reported(
    tmp_path: Path, kept: list[int], first_step: int, every: int, needed: str | None
) -> None:
    """Lines that the run logged and the file no longer has are counted, even if there is no file."""
    path = tmp_path / "metrics.jsonl"
    if kept:
        written(path, *kept)
    said = metrics.cut(path, 9, first_step=first_step, every=every)
    assert said is None if needed is None else needed in str(said)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["deleted", "emptied", "a line of rubbish"])
def test_resuming_with_damaged_metrics(tmp_path: Path, small_data: Path, stopped_run: Path, how: str) -> None:
    """A run whose metrics were damaged or deleted says so once, and ends with the same weights."""
    folder = runs.copy(stopped_run, tmp_path / "run")
    file = folder / "metrics.jsonl"
    before = runs.metrics(folder)
    if how == "deleted":
        file.unlink()
    else:
        file.write_bytes(b"" if how == "emptied" else b"rubbish\n" + file.read_bytes())
    with pytest.warns(InkganWarning) as caught:
        assert runs.train(folder, small_data, resume=True).complete
    (warning,) = caught
    assert str(file) in str(warning.message)
    assert "The run continues." in str(warning.message)
    lines: list[dict[str, Any]] = runs.metrics(folder)
    if how == "a line of rubbish":
        assert lines[: len(before)] == before
        assert file.with_name("metrics.jsonl.damaged").read_bytes().startswith(b"rubbish\n")
    else:
        assert [line["step"] for line in lines] == [5]


def test_the_last_line(tmp_path: Path) -> None:
    """A line that is being written does not count yet; a file that is missing or damaged at its end has none."""
    path = tmp_path / "metrics.jsonl"
    assert metrics.last(path) is None
    path.write_text('{"step": 1}\n' * 1000 + '{"step": 2, "loss": 0.5}\n{"step": 3, "lo', "utf-8")
    assert metrics.last(path) == {"step": 2, "loss": 0.5}
    path.write_text('{"step": 1}\n{"step"\n', "utf-8")
    assert metrics.last(path) is None
    path.write_text("[" * 4000 + "\n", "utf-8")
    assert metrics.last(path) is None
