"""The options that ``inkgan evaluate`` and ``inkgan compare`` share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Count = Annotated[
    int | None,
    typer.Option(
        "--n", "-n", help="How many images of each to measure, 128 or more. (default: 10,000, or as many as there are)"
    ),
]
Data = Annotated[
    str | None,
    typer.Option(
        metavar="NAME_OR_PATH",
        help="The real images: a set that `inkgan data` lists, a folder, or an .npz file. (default: those that the "
        "first run or model learned from, else mnist)",
    ),
]
DataDir = Annotated[Path | None, typer.Option(metavar="FOLDER", help="Look for the data set's files here first.")]
Seed = Annotated[int, typer.Option(help="Of the images that are drawn, or of the choice among more than n.")]
Full = Annotated[
    bool,
    typer.Option(
        "--full",
        help="Also measure the distance in features that learned nothing, train a classifier on the images, and look "
        "for copies in pixels.",
    ),
]
Json = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the figures as JSON.")]
Force = Annotated[bool, typer.Option("--force", help="Replace what is there.")]
