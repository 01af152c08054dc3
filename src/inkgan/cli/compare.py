"""``inkgan compare``."""

from __future__ import annotations

from typing import Annotated

import typer

from inkgan.cli.evaluation_options import Count, Data, DataDir, Force, Full, Json, Seed
from inkgan.cli.progress import progress_line


def compare(
    subjects: Annotated[
        list[str],
        typer.Argument(
            metavar="A B [C ...]",
            help="Each a run, a model, an .npz file or a folder of images, or in quotes a pattern of runs over seeds.",
        ),
    ],
    n: Count = None,
    data: Data = None,
    data_dir: DataDir = None,
    seed: Seed = 0,
    full: Full = False,
    json: Json = None,
    force: Force = False,
) -> None:
    """Say which differences between generators are real, and which may be chance: B, C, ... are compared with A.

    A group of runs over seeds counts the variance of training; single models are compared by sampling alone.

    For example:

        inkgan compare tutorial runs/mine
        inkgan compare 'runs/before-*' 'runs/after-*' --json difference.json
    """
    from inkgan.evaluation import compare as comparison
    from inkgan.evaluation.text import comparison_text
    from inkgan.files import refuse_to_overwrite, write_bytes

    if json is not None:
        refuse_to_overwrite(json, force=force)
    with progress_line() as progress:
        found = comparison.compare(
            *subjects, n=n, data=data, data_dir=data_dir, seed=seed, full=full, progress=progress
        )
    if json is not None:
        write_bytes(json, found.as_json().encode(), force=force)
    typer.echo(comparison_text(found))
    if json is not None:
        typer.echo(f"written: {json}")
