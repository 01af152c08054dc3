"""``inkgan export``."""

from __future__ import annotations

from typing import Annotated

import typer


def export(
    what: Annotated[
        str,
        typer.Argument(metavar="RUN_OR_MODEL", help="A run folder, a model folder, or a bundled model: fast or best."),
    ],
    out: Annotated[str, typer.Option("--out", "-o", metavar="FILE.html", help="The page to write.")],
    checkpoint: Annotated[str, typer.Option(metavar="latest|best|STEP", help="Of a run, which checkpoint.")] = "latest",
    force: Annotated[bool, typer.Option("--force", help="Replace the file that is there.")] = False,
) -> None:
    """Put a model into one HTML file that needs no server: it writes, explores, reads your hand, and learns.

    Examples:
        inkgan export best -o handwriting.html

        inkgan export runs/fast-mnist-seed0 -o page.html
    """
    from inkgan.web.export import export as export_model

    size = export_model(what, out, which=checkpoint, force=force)
    typer.echo(f"{size / 1e6:.1f} MB: {out}")
