"""Break one line at a time and see that a test turns red.

    python scripts/mutate.py                 every break of scripts/mutations.txt, some minutes on one core
    python scripts/mutate.py losses seeds    those of files with these words in their path

Works in a copy, prints a table, and exits with 1 if a break survives or no longer fits the code.
"""

from __future__ import annotations

import importlib
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

_ROOT = Path(__file__).parents[1]
_TABLE = Path(__file__).with_name("mutations.txt")
_HEAVY = ("PIL.Image", "prdc", "scipy.stats", "torch", "torchmetrics.image")
_PASSED, _FAILED, _BROKEN = 0, 1, 70  # the first two are pytest's; all others mean that it could not run the tests


@dataclass(frozen=True)
class Break:
    """One bug: ``old``, which stands once in ``path``, becomes ``new``, and one of ``tests`` turns red."""

    path: str
    tests: tuple[str, ...]
    old: str
    new: str

    def misfit(self, root: Path) -> str:
        """Why the break cannot be made in the code under ``root``; empty if it can."""
        path = root / self.path
        count = path.read_text("utf-8").count(self.old) if path.is_file() else 0
        return "" if count == 1 else f"its fragment stands {count} times in the file; needed is once"

    def __str__(self) -> str:
        """The break on one line."""
        return f"{self.path.removeprefix('src/inkgan/')}: {self.old}  →  {self.new}"


def read_table(text: str) -> list[Break]:
    """The breaks of a table: ``@ file: tests``, then for each break ``- old`` and ``+ new``."""
    breaks: list[Break] = []
    path, tests, old = "", "", ""
    for line in text.splitlines():
        mark, content = line[:1], line[2:]
        if mark == "@":
            path, _, tests = content.partition(": ")
        elif mark == "-":
            old = content
        elif mark == "+":
            breaks.append(Break(f"src/inkgan/{path}", tuple(f"tests/{name}" for name in tests.split()), old, content))
    return breaks


def run_tests(root: Path, tests: Sequence[str]) -> tuple[int, str]:
    """Pytest's exit code and words for some test files in the copy under ``root``, stopping at the first red one.

    They run in a fork of this process, which has imported what takes long, and nothing of inkgan.
    """
    said = root / "said.txt"
    child = os.fork()
    if not child:
        _test_and_exit(root, tests, said)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code, said.read_text("utf-8")[-3000:]


def _test_and_exit(root: Path, tests: Sequence[str], said: Path) -> NoReturn:
    code = _BROKEN
    try:
        with said.open("w") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        os.chdir(root)
        os.environ["PYTHONPATH"] = str(root / "src")  # of the processes that tests start
        sys.path.insert(0, str(root / "src"))
        code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests])
    except BaseException:  # noqa: BLE001 - the child must not go on as if it were the parent
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def outcome(root: Path, one: Break) -> str:
    """Make one break in the copy under ``root``, run its tests, and mend it."""
    if misfit := one.misfit(root):
        return f"ERROR: {misfit}"
    path = root / one.path
    whole = path.read_text("utf-8")
    path.write_text(whole.replace(one.old, one.new), "utf-8")
    try:
        code, said = run_tests(root, one.tests)
    finally:
        path.write_text(whole, "utf-8")
    return {_PASSED: "SURVIVED", _FAILED: "caught"}.get(code, f"ERROR: pytest ended with {code}\n{said}")


def main(words: list[str]) -> int:
    """Try the breaks; the exit code."""
    breaks = [one for one in read_table(_TABLE.read_text("utf-8")) if not words or any(w in one.path for w in words)]
    if not breaks:
        print(f"No break is in a file with {' or '.join(words)} in its path.")
        return 1
    sys.dont_write_bytecode = True  # a .pyc file of the same second and size as a break would hide it
    for name in _HEAVY:
        importlib.import_module(name)
    with tempfile.TemporaryDirectory(prefix="inkgan-mutate-") as folder:
        root = Path(folder)
        for name in ("src", "tests"):
            shutil.copytree(_ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(_ROOT / "pyproject.toml", root)
        tests = sorted({test for one in breaks for test in one.tests})
        print(f"{len(breaks)} breaks; first {len(tests)} test files on the code as it is", flush=True)
        code, said = run_tests(root, tests)
        if code != _PASSED:
            print(f"The tests do not pass on the code as it is:\n{said}")
            return 1
        start = time.monotonic()
        outcomes = []
        for done, one in enumerate(breaks, 1):
            outcomes.append(outcome(root, one))
            left = (time.monotonic() - start) / done * (len(breaks) - done)
            print(f"{done:3}/{len(breaks)}  {outcomes[-1]:8}  {one}   ({left / 60:.0f} min left)", flush=True)
    caught = outcomes.count("caught")
    print(f"\n{caught} of {len(breaks)} breaks caught in {(time.monotonic() - start) / 60:.0f} min")
    for result, one in zip(outcomes, breaks, strict=True):
        if result != "caught":
            print(f"{result}: {one}")
    return 0 if caught == len(breaks) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
