"""``inkgan evaluate``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from inkgan.cli.measuring import Count, Data, DataDir, Force, Full, Json, Seed
from inkgan.cli.progress import progress_line


def evaluate(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT", help="A run folder, a model, an .npz file (images, perhaps labels) or a folder of images."
        ),
    ],
    n: Count = 10_000,
    data: Data = None,
    data_dir: DataDir = None,
    seed: Seed = 0,
    full: Full = False,
    json: Json = None,
    report: Annotated[
        str | None,  # not a Path, which would drop the slash at the end
        typer.Option(metavar="FILE.html|DIR", help="Write a report card to look at; in a folder with its JSON."),
    ] = None,
    force: Force = False,
) -> None:
    """Measure generated images: distances, fidelity, diversity, balance and novelty, beside real images' own.

    Each figure has a 95 % interval and a floor: the same figure of as many held-out real images. The first use with
    new data takes longer, since what the real images measure is kept in $XDG_CACHE_HOME/inkgan.

    Examples:
        inkgan evaluate runs/tutorial-mnist-seed0 --report card.html

        inkgan evaluate digits.npz --json figures.json

        inkgan evaluate runs/tutorial-mnist-seed0 --full

        inkgan evaluate pictures/ --data fashion-mnist
    """
    from inkgan.errors import OutputError
    from inkgan.evaluation.evaluate import evaluate as measure
    from inkgan.evaluation.report import as_html, as_text
    from inkgan.files import refuse_to_overwrite, write_bytes

    pages, figures = [], [] if json is None else [json]
    if report is not None:
        page = Path(report)
        if page.suffix.lower() not in {".html", ".htm"}:
            if page.suffix and not report.endswith(os.sep) and not page.is_dir():
                raise OutputError(f"a report is an .html file, or a folder's name that ends with a slash: not {page}.")
            page, figures = page / "report.html", [*figures, page / "report.json"]
        pages.append(page)
    for path in (*pages, *figures):
        refuse_to_overwrite(path, force=force)
    with progress_line() as tell:
        found = measure(what, n=n, data=data, data_dir=data_dir, seed=seed, full=full, progress=tell)
    for path in figures:
        write_bytes(path, found.as_json().encode(), force=force)
    for path in pages:
        write_bytes(path, as_html(found).encode(), force=force)
    typer.echo(as_text(found))
    for path in (*pages, *figures):
        typer.echo(f"written: {path}")
