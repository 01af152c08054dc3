"""Mutation testing: break one line of the code at a time, and check that a test fails.

    python scripts/mutate.py                 every mutation of scripts/mutations.txt; minutes on one core
    python scripts/mutate.py losses seeds    only those of files that have one of these words in their path
    python scripts/mutate.py --fit           only check that every mutation still fits the code
    python scripts/mutate.py --draw 60 losses   instead, 60 mutations of each such file, drawn at random from all that
                                             cosmic-ray can make, against the fast tests

It works in a copy, prints a table, and exits with 1 if a mutation survives or no longer fits the code.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import gc
import importlib
import itertools
import os
import random
import resource
import shutil
import signal
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
_HEAVY = ("PIL.Image", "hypothesis", "prdc", "pydantic", "scipy.stats", "torch", "torchmetrics.image")
# Pytest's exit codes. The third means that a test file cannot be imported. All others mean that pytest could not run.
_PASSED, _FAILED, _NOT_COLLECTED, _BROKEN = 0, 1, 2, 70
_SECONDS = 120  # of one core, for the tests of one mutation, which may make a loop endless


@dataclass(frozen=True)
class Mutation:
    """One bug: ``old``, which occurs once in ``path``, becomes ``new``, and one of ``tests`` must fail."""

    path: str
    tests: tuple[str, ...]
    old: str
    new: str

    def misfit(self, root: Path) -> str:
        """Return why the mutation cannot be made in the code under ``root``; empty if it can."""
        path = root / self.path
        count = path.read_text("utf-8").count(self.old) if path.is_file() else 0
        missing = [test for test in self.tests if not (root / test).exists()]
        if missing:
            return f"there is no {', '.join(missing)}"
        return "" if count == 1 else f"its fragment occurs {count} times in the file instead of once"

    def __str__(self) -> str:
        """Return the mutation on one line."""
        return f"{self.path.removeprefix('src/inkgan/')}: {self.old}  →  {self.new}"


def read_table(text: str) -> list[Mutation]:
    """Return the mutations of a table: ``@ file: tests``, then for each mutation ``- old`` and ``+ new``."""
    mutations: list[Mutation] = []
    path, tests, old = "", "", ""
    for line in text.splitlines():
        mark, content = line[:1], line[2:]
        if mark == "@":
            path, _, tests = content.partition(": ")
        elif mark == "-":
            old = content
        elif mark == "+":
            named = tuple(f"tests/{name}" for name in tests.split())
            mutations.append(Mutation(f"src/inkgan/{path}", named, old, content))
    return mutations


def draw(path: str, tests: tuple[str, ...], count: int) -> list[Mutation]:
    """Return up to ``count`` mutations of a file, drawn with a fixed seed, at most one of each operator or number.

    Annotations are left alone, and no comparison becomes one by identity.
    """
    plugins, syntax, mutating = (
        importlib.import_module(f"cosmic_ray.{name}") for name in ("plugins", "ast", "mutating")
    )
    source = (_ROOT / path).read_text("utf-8")
    annotations = _annotations(source)
    tree = syntax.get_ast(source)
    found: dict[tuple[object, str], list[tuple[str, int]]] = {}
    for name in sorted(plugins.operator_names()):
        operator = plugins.get_operator(name)
        if operator.arguments() or name.endswith(("_Is", "_IsNot")):
            continue
        places = (place for node in syntax.ast_nodes(tree) for place in operator().mutation_positions(node))
        for occurrence, place in enumerate(places):
            if not any(start <= place[0] < end for start, end in annotations):
                found.setdefault((place, name.partition("_")[0]), []).append((name, occurrence))
    chance = random.Random(path)
    drawn = chance.sample(sorted(found), min(count, len(found)))
    mutants = [chance.choice(found[key]) for key in sorted(drawn)]
    changed = []
    for name, occurrence in mutants:
        with contextlib.suppress(AttributeError):  # cosmic-ray cannot replace an exception with a dot in its name
            changed.append(mutating.mutate_code(source, plugins.get_operator(name)(), occurrence))
    return [Mutation(path, tests, *_difference(source, code)) for code in changed if _is_python(code)]


def _is_python(source: str) -> bool:
    """Return whether a source is valid Python, because cosmic-ray takes the stars before an argument for a power."""
    with contextlib.suppress(SyntaxError):
        ast.parse(source)
        return True
    return False


def _annotations(source: str) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Return where each annotation of a source begins and ends, as lines and columns."""
    nodes = [
        annotation
        for node in ast.walk(ast.parse(source))
        for annotation in (getattr(node, "annotation", None), getattr(node, "returns", None))
        if isinstance(annotation, ast.expr)
    ]
    return [((n.lineno, n.col_offset), (n.end_lineno or 0, n.end_col_offset or 0)) for n in nodes]


def _difference(before: str, after: str) -> tuple[str, str]:
    """Return the lines in which two texts differ, and as many lines before them as make the first occur once."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    start = _alike(old, new)
    end = min(_alike(old[::-1], new[::-1]), len(old) - start, len(new) - start)
    while before.count("".join(old[start : len(old) - end])) != 1:
        start -= 1
    return "".join(old[start : len(old) - end]), "".join(new[start : len(new) - end])


def _alike(some: Sequence[str], others: Sequence[str]) -> int:
    """Return the number of lines at the beginning that two texts share."""
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(some, others, strict=False)))


def run_tests(root: Path, tests: Sequence[str], marked: str, seconds: int | None = None) -> tuple[int, str]:
    """Return pytest's exit code and output for some test files in the copy under ``root``, up to the first failure.

    They run in a fork of this process, which has imported the slow libraries, but nothing of inkgan. If they use more
    ``seconds`` of one core, SIGXCPU ends them.
    """
    output = root / "output.txt"
    child = os.fork()
    if not child:
        _test_and_exit(root, ["-m", marked, *tests], output, seconds)
    try:
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)  # also the processes that a killed test had started
    return code, output.read_text("utf-8")[-3000:]


def _test_and_exit(root: Path, tests: Sequence[str], output: Path, seconds: int | None) -> NoReturn:
    code = _BROKEN
    try:
        os.setsid()
        if seconds is not None:  # at the second limit the system sends SIGKILL, which could have other causes
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
        with output.open("w") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        os.chdir(root)
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        os.environ["PYTHONPATH"] = str(root / "src")  # for the processes that tests start
        sys.path.insert(0, str(root / "src"))
        code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-p", "pytest_timeout", *tests])
    except BaseException:  # noqa: BLE001 - the child must not go on as if it were the parent
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def outcome(root: Path, mutation: Mutation, marked: str) -> str:
    """Make one mutation in the copy under ``root``, run its tests that match ``marked``, and undo it."""
    path = root / mutation.path
    original = path.read_text("utf-8")
    path.write_text(original.replace(mutation.old, mutation.new), "utf-8")
    try:
        code, output = run_tests(root, mutation.tests, marked, _SECONDS)
    finally:
        path.write_text(original, "utf-8")
    known = {_PASSED: "SURVIVED", _FAILED: "caught", _NOT_COLLECTED: "caught", -signal.SIGXCPU: "caught"}
    return known.get(code, f"ERROR: pytest ended with {code}\n{output}")


def chosen(words: Sequence[str], count: int) -> list[Mutation]:
    """Return the mutations of files that have one of the words in their path; without words, all of them.

    With a count above 0, this many mutations of each file are drawn instead.

    Raises:
        SystemExit: there are none, or one does not fit the code.
    """
    table = read_table(_TABLE.read_text("utf-8"))
    mutations = [one for one in table if not words or any(word in one.path for word in words)]
    if count:
        tests: dict[str, list[str]] = {}
        for one in mutations:
            tests.setdefault(one.path, []).extend(one.tests)
        mutations = [one for path, named in tests.items() for one in draw(path, tuple(dict.fromkeys(named)), count)]
    if not mutations:
        sys.exit(f"No mutation is in a file with {' or '.join(words)} in its path.")
    misfits = [f"{one}: {reason}" for one in mutations if (reason := one.misfit(_ROOT))]
    if misfits:
        sys.exit("\n".join([*misfits, f"{len(misfits)} of {len(mutations)} mutations do not fit the code."]))
    return mutations


def main() -> int:
    """Try the mutations, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="only files that have one of these words in their path")
    parser.add_argument("--fit", action="store_true", help="only check that every mutation still fits the code")
    parser.add_argument("--draw", type=int, default=0, metavar="N", help="draw N mutations of each file at random")
    options = parser.parse_args()
    mutations = chosen(options.words, options.draw)
    marked = "not slow" if options.draw else ""
    if options.fit:
        print(f"{len(mutations)} mutations fit the code.")
        return 0
    sys.dont_write_bytecode = True  # a .pyc file of the same second and size as a mutation would hide it
    for name in _HEAVY:
        importlib.import_module(name)
    gc.freeze()  # garbage collection in the tests' processes skips the objects of these modules
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="inkgan-mutate-") as folder:
        copy_code(Path(folder))
        outcomes = try_all(Path(folder), mutations, marked)
    caught = outcomes.count("caught")
    print(f"\n{caught} of {len(mutations)} mutations caught in {(time.monotonic() - start) / 60:.0f} min")
    for result, one in zip(outcomes, mutations, strict=True):
        if result != "caught":
            print(f"{result}: {one}")
    return 0 if caught == len(mutations) else 1


def copy_code(root: Path) -> None:
    """Copy everything that the tests need."""
    for name in ("benchmarks", "docs", "src", "tests", "web"):
        shutil.copytree(_ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    shutil.copy(_ROOT / "pyproject.toml", root)


def try_all(root: Path, mutations: Sequence[Mutation], marked: str) -> list[str]:
    """Make every mutation in the copy under ``root``, one after the other, and return the outcomes.

    Raises:
        SystemExit: the tests do not pass on the code as it is.
    """
    tests = sorted({test for one in mutations for test in one.tests})
    print(f"{len(mutations)} mutations; first {len(tests)} test files on the code as it is", flush=True)
    code, output = run_tests(root, tests, marked)
    if code != _PASSED:
        sys.exit(f"The tests do not pass on the code as it is:\n{output}")
    start = time.monotonic()
    outcomes = []
    for done, one in enumerate(mutations, 1):
        outcomes.append(outcome(root, one, marked))
        left = (time.monotonic() - start) / done * (len(mutations) - done)
        print(f"{done:3}/{len(mutations)}  {outcomes[-1]:8}  {one}   ({left / 60:.0f} min left)", flush=True)
    return outcomes


if __name__ == "__main__":
    sys.exit(main())
