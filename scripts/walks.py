"""Print the files of inkgan that a command enters, in order, and its upward calls.

    python scripts/walks.py [train|evaluate|write]

A command enters a file when it calls one of its functions; code that runs during imports does not count. No subpackage
imports a later one; an upward call, into a later one, is a callback, or a method of an object that was passed in.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
import tempfile
import threading
from pathlib import Path
from types import FrameType

import inkgan
from inkgan.cli import run

_SOURCE = f"{Path(inkgan.__file__).parent}{os.sep}"
#: The subpackages in the order of their imports; everything else is a base module.
_ORDER = (
    "data", "networks", "runs", "generation", "evaluation", "training", "exporting", "serving", "cli", "__main__.py",
)  # fmt: skip
COMMANDS = {
    "train": ["train", "--steps", "3", "--out", "run"],
    "evaluate": ["evaluate", "best", "-n", "500"],
    "write": ["write", "2026", "-o", "2026.png"],
}


def main() -> None:
    """Follow the named command, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", nargs="?", choices=COMMANDS, help="the command to follow; all of them by default")
    named = parser.parse_args().command
    for command in [named] if named else COMMANDS:
        walk = trace(command)
        print(f"inkgan {' '.join(COMMANDS[command])}: {len(walk.entered)} files, {len(walk.upward)} upward calls")
        for file, function in walk.entered.items():
            print(f"    {file:40} {function}")
        for (below, above), function in walk.upward.items():
            print(f"    upward: {below} -> {above} ({function})")


def trace(command: str) -> Walk:
    """Run a command in a temporary folder, with an empty cache, and follow it."""
    walk = Walk()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
        os.environ["XDG_CACHE_HOME"] = str(Path(folder, "cache"))
        threading.setprofile(walk)
        sys.setprofile(walk)
        try:
            code = run(COMMANDS[command])
        finally:
            sys.setprofile(None)
            threading.setprofile(None)
    if code:
        raise SystemExit(code)
    return walk


class Walk:
    """The files that were entered, each with the first function that was called there, and the upward calls."""

    def __init__(self) -> None:
        self.entered: dict[str, str] = {}
        self.upward: dict[tuple[str, str], str] = {}

    def __call__(self, frame: FrameType, event: str, _argument: object) -> None:
        """Record an event of the interpreter's profiler."""
        if event != "call" or not frame.f_code.co_filename.startswith(_SOURCE):
            return
        callers = _callers(frame)
        if "<module>" in [frame.f_code.co_name, *(caller.f_code.co_name for caller in callers)]:
            return
        file, function = _file(frame), frame.f_code.co_qualname
        self.entered.setdefault(file, function)
        if callers and _height(file) > _height(_file(callers[0])):
            self.upward.setdefault((_file(callers[0]), file), function)


def _callers(frame: FrameType) -> list[FrameType]:
    """Return the frames of inkgan below a frame, nearest first."""
    found = []
    below = frame.f_back
    while below is not None:
        if below.f_code.co_filename.startswith(_SOURCE):
            found.append(below)
        below = below.f_back
    return found


def _file(frame: FrameType) -> str:
    return frame.f_code.co_filename.removeprefix(_SOURCE)


def _height(file: str) -> int:
    top = file.partition(os.sep)[0]
    return _ORDER.index(top) + 1 if top in _ORDER else 0


if __name__ == "__main__":
    main()
