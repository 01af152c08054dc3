"""The arguments and options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

RunOrModel = Annotated[
    str,
    typer.Argument(
        metavar="RUN_OR_MODEL", help="A run folder, a model folder, or a bundled model: fast, best, tutorial."
    ),
]
Checkpoint = Annotated[str, typer.Option(metavar="latest|best|STEP", help="Of a run, which checkpoint.")]
Force = Annotated[
    bool, typer.Option("--force", help="Replace the file; in a folder, only what inkgan wrote there before.")
]
