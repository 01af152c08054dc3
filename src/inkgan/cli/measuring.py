"""What ``inkgan evaluate`` and ``inkgan compare`` have in common: options, and telling how far they are."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

Count = Annotated[int, typer.Option("--n", "-n", help="How many images of each to measure, 128 or more.")]
Data = Annotated[
    str | None,
    typer.Option(
        metavar="NAME_OR_PATH",
        help="The real images: a set that `inkgan data` lists, a folder, or an .npz file. (default: those that the "
        "first run or model learned from, else mnist)",
    ),
]
DataDir = Annotated[Path | None, typer.Option(metavar="FOLDER", help="Look for the data set's files here first.")]
Seed = Annotated[int, typer.Option(help="Of the sampled images; of the choice, if there are more.")]
Full = Annotated[
    bool, typer.Option("--full", help="Also train a classifier on the images and look for copies in pixels.")
]
Json = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the figures as JSON.")]
Force = Annotated[bool, typer.Option("--force", help="Replace what is there.")]

_EVERY_SECONDS = 30.0  # a line into a file or a pipe


def progress_line() -> Callable[[str, float], None]:
    """What tells how far it is and how long the rest takes: one line renewed, or outside a terminal a few."""
    terminal = sys.stderr.isatty()
    before = told = began = time.monotonic()
    current = ""

    def tell(doing: str, done: float) -> None:
        nonlocal before, told, began, current
        now = time.monotonic()
        if doing != current:  # it began when what was before it was last heard of
            current, began = doing, before
        before = now
        line = f"{doing}: {done:.0%}{time_left(now - began, done)}"
        if terminal:
            end = "\r\x1b[K" if done == 1 else ""
            typer.echo(f"\r\x1b[K{line}{end}", err=True, nl=False)
        elif now - told >= _EVERY_SECONDS:
            told = now
            typer.echo(line, err=True)

    return tell


def time_left(passed: float, done: float) -> str:
    """How long the rest will take if it goes on like this; nothing while that cannot be said or is soon."""
    if not 0 < done < 1 or passed < 3:
        return ""
    left = round(passed * (1 - done) / done)
    return f", {left} s left" if left < 100 else f", {left / 60:.0f} min left"
