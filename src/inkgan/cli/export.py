"""``inkgan export``."""

from __future__ import annotations

from typing import Annotated

import typer

from inkgan.cli.options import Checkpoint, Force, RunOrModel, output


def export(
    what: RunOrModel,
    out: Annotated[
        str,
        output(
            metavar="FILE.html|FILE.onnx|DIR/",
            help="A page that needs no server; an ONNX file (needs the extra onnx); or a model folder (ends with /).",
        ),
    ],
    checkpoint: Checkpoint = "latest",
    force: Force = False,
) -> None:
    """Export a model: as a web page, for another program, or to hand it on.

    A page draws, writes, reads your handwriting and learns in any browser.
    An ONNX file is for other programs and languages.
    A folder, with weights and a card, is a model for every command that takes one.

    For example:

        inkgan export best -o handwriting.html
        inkgan export best -o best.onnx
        inkgan export runs/fast-mnist-seed0 -o models/mine/
    """
    from inkgan.errors import in_bytes, printable
    from inkgan.exporting.export import export as export_model

    size = export_model(what, out, which=checkpoint, force=force)
    typer.echo(f"{in_bytes(size)}: {printable(out)}")
