"""``inkgan serve``."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from inkgan.cli.window import can_erase
from inkgan.errors import printable


def serve(
    model: Annotated[
        str,
        typer.Argument(metavar="[MODEL]", help="A bundled model (fast, best, tutorial), a run or a model folder."),
    ] = "best",
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Listen here; 0.0.0.0 is all networks, for other machines.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")] = 8000,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Also answer requests to this name; may be given more than once."),
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes that draw; more than there are cores do not help.")] = 2,
    access_log: Annotated[bool, typer.Option("--access-log", help="Print each request as a line of JSON.")] = False,
) -> None:
    """Serve a model: its page, and its images to programs.

    Open the address that it prints in a browser. /docs there lists all addresses, with examples. An answer depends on
    the model and its address alone, so a link shows the same image tomorrow. Ctrl-C stops the server.
    `inkgan help serving` says how other machines reach it.

    For example:

        inkgan serve
        inkgan serve runs/fast-mnist-seed0 --port 8001 --workers 4
        inkgan serve best --host 0.0.0.0 --allow-host ink.example.org --access-log
    """
    # Several requests share the cores, so each matrix product gets one thread. NumPy reads this when it is loaded.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from inkgan.serving.server import serve as serve_model

    serve_model(
        model,
        host=host,
        port=port,
        allow_hosts=allow_host or [],
        workers=workers,
        access_log=access_log,
        say=lambda address: typer.echo(f"{printable(model)} is at {address} (Ctrl-C stops it)"),
    )
    if can_erase(sys.stdout):
        typer.echo("\r\x1b[Kstopped.")  # over the terminal's ^C, where the shell's prompt would stand
