"""``metrics.jsonl``, the numbers that a run logs: the one place that writes, reads and cuts this file.

Each line is a JSON object with the ``step`` at which it was logged:

    {"step": 10, "loss_generator": 0.71, "loss_discriminator": 1.2, "seconds": 0.912, "steps_per_second": 14.2}
    {"step": 49, "quality/frechet_digit_distance": 3.1}
"""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from inkgan.errors import CheckpointError, OutputError, in_bytes, quantity, shown
from inkgan.files import from_json, input_errors, open_regular, output_errors, path_aside, read_regular, write_bytes

#: The largest file that is read, in bytes: more than the lines of a million steps take.
_LARGEST = 2**29
_LARGEST_INTEGER = 2**63
#: The number of bytes at the end of the file that hold its last line.
_LAST_BYTES = 4096
#: One line: the step and the values logged at it.
Line = dict[str, Any]


class MetricsWriter:
    """A writer that appends lines to the file, and makes the file if it is missing.

    Raises:
        OutputError: the file cannot be written. Every method may raise it, too.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with output_errors(path):
            self._file = path.open("a", encoding="utf-8")

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Append one line. It is in the file when this returns, so a reader sees only whole lines."""
        with output_errors(self._path):
            self._file.write(json.dumps({"step": step, **values}) + "\n")
            self._file.flush()

    @property
    def is_removed(self) -> bool:
        """Whether the file was removed since it was opened: what is written is lost."""
        return not os.fstat(self._file.fileno()).st_nlink

    def close(self) -> None:
        """Close the file."""
        with output_errors(self._path):
            self._file.close()


def read(path: Path) -> list[Line]:
    """Read all lines.

    A last line without a newline is left out: the run is still writing it, or was killed.

    Raises:
        CheckpointError: the file cannot be read, or a line is damaged, or not where a run would log it.
    """
    with input_errors(path, CheckpointError, advice=""):
        texts = _whole_lines(read_regular(path, _LARGEST))
    lines = []
    for number, line in enumerate(_judged(texts), 1):
        if isinstance(line, str):
            raise CheckpointError(f"{shown(path)} is damaged: line {number} {line}. Remove such lines.")
        lines.append(line)
    return lines


def last(path: Path) -> Line | None:
    """Return the last whole line, read from the end of the file alone; None if there is none, or it is damaged."""
    with contextlib.suppress(OSError), open_regular(path) as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _LAST_BYTES))
        whole = file.read().rpartition(b"\n")[0]
        return _parse(whole.rpartition(b"\n")[2])
    return None


def cut(path: Path, step: int, *, first_step: int, every: int) -> str | None:
    """Drop the lines from a step on, which a resumed run logs again.

    If the file is damaged, its good lines are kept, and a copy of the damaged file is kept under another name.

    Args:
        path: the file; it may be missing.
        step: the step at which the run resumes.
        first_step: the first step of the run.
        every: the run logs each step that is a multiple of this; 0 means none.

    Returns:
        A sentence that says what is damaged or missing; None if nothing is.

    Raises:
        OutputError: the file cannot be read or written.
    """
    with output_errors(path):
        if path.exists() and path.stat().st_size > _LARGEST:
            raise OutputError(
                f"{shown(path)} is larger than {in_bytes(_LARGEST)}, the most that is read. Move it away; the run then "
                "logs into a new one."
            )
        content = read_regular(path, _LARGEST) if path.exists() else b""
        texts = _whole_lines(content)
        steps = [None if isinstance(line, str) else line["step"] for line in _judged(texts)]
        wrong = []
        damaged = steps.count(None)
        if damaged:
            copy = path_aside(path)
            write_bytes(copy, content)
            wrong.append(f"has {quantity(damaged, 'damaged line')} (the damaged file is kept as {copy.name})")
        due = [number for number in range(first_step, step) if every and number % every == 0]
        missing = len(set(due) - set(steps))
        if missing:
            wrong.append(f"lacks {missing} of {quantity(len(due), 'step')} logged before step {step}")
        kept = b"".join(text for text, at in zip(texts, steps, strict=True) if at is not None and at < step)
        if kept != content:
            write_bytes(path, kept)
    return f"{shown(path)} {' and '.join(wrong)}." if wrong else None


def _whole_lines(content: bytes) -> list[bytes]:
    """Return the lines that end with a newline, including it."""
    return [text + b"\n" for text in content.split(b"\n")[:-1]]


def _judged(texts: Iterable[bytes]) -> Iterator[Line | str]:
    """Yield the values of each line, or what is wrong with it.

    A run never goes back, and logs each value of a step once, so other lines are those of two runs, or the same twice.
    """
    newest = -math.inf
    logged: set[str] = set()  # the names of the values of that step
    for line in map(_parse, texts):
        if line is None:
            yield "does not hold the metrics of a step"
            continue
        step, names = line["step"], line.keys() - {"step"}
        if step < newest:
            yield f"goes back from step {newest} to step {step}"
            continue
        if step > newest:
            newest, logged = step, set()
        yield f"has values of step {step} that were logged before" if logged & names else line
        logged |= names


def _parse(text: bytes) -> Line | None:
    """Return the values of a line, or None if it is damaged."""
    try:
        line = from_json(text)
    except json.JSONDecodeError:
        return None
    is_whole = isinstance(line, dict) and type(line.get("step")) is int and all(map(_is_number, line.values()))
    return line if is_whole else None


def _is_number(value: object) -> bool:
    """Whether this is a number that fits a float; JSON has integers that are larger than every float."""
    return type(value) is float or (type(value) is int and abs(value) < _LARGEST_INTEGER)
