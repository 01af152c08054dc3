"""``inkgan compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from inkgan.cli.progress import progress_line


def compare(
    subjects: Annotated[
        list[str],
        typer.Argument(
            metavar="A B [C ...]",
            help="Each a run, a model, an .npz file or a folder of images, or in quotes a pattern of runs over seeds.",
        ),
    ],
    n: Annotated[int, typer.Option("--n", "-n", help="How many images of each to measure, 128 or more.")] = 10_000,
    data: Annotated[str, typer.Option(metavar="NAME_OR_PATH", help="The real images.")] = "mnist",
    data_dir: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Look for the data set's files here first.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the sampled images; of the choice, if there are more.")] = 0,
    full: Annotated[
        bool, typer.Option("--full", help="Also train a classifier on the images and look for copies in pixels.")
    ] = False,
    json: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the comparison as JSON.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,
) -> None:
    """Say what differs between generators, and what cannot be told apart: B, C, ... are compared with A.

    A group of runs over seeds counts the variance of training; single models are compared by sampling alone.

    Examples:
        inkgan compare tutorial runs/mine

        inkgan compare 'runs/before-*' 'runs/after-*' --json difference.json
    """
    from inkgan.comparison import as_text
    from inkgan.comparison import compare as measure
    from inkgan.files import refuse_to_overwrite, write_bytes

    if json is not None:
        refuse_to_overwrite(json, force=force)
    with progress_line() as tell:
        found = measure(*subjects, n=n, data=data, data_dir=data_dir, seed=seed, full=full, progress=tell)
    if json is not None:
        write_bytes(json, found.as_json().encode(), force=force)
    typer.echo(as_text(found))
    if json is not None:
        typer.echo(f"written: {json}")
