"""``inkgan evaluate``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from inkgan.cli.evaluation_options import Count, Data, DataDir, Force, Full, Json, Seed
from inkgan.cli.progress import progress_line


def evaluate(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="A run folder, a model, an .npz file (images, perhaps labels), an .npy file or a folder of images.",
        ),
    ],
    n: Count = None,
    data: Data = None,
    data_dir: DataDir = None,
    seed: Seed = 0,
    full: Full = False,
    json: Json = None,
    report: Annotated[
        str | None,  # not a Path, which would drop the slash at the end
        typer.Option(metavar="FILE.html|DIR", help="Write a report with pictures; into a folder also its JSON."),
    ] = None,
    force: Force = False,
) -> None:
    """Compare generated images with real ones: distance, fidelity, diversity, balance, novelty.

    Each figure has a 95 % interval and a floor: the same figure of as many held-out real images. The first use with
    new data takes longer; what is computed from the real images is kept in the cache.

    For example:

        inkgan evaluate runs/tutorial-mnist-seed0 --report card.html
        inkgan evaluate digits.npz --json figures.json
        inkgan evaluate runs/tutorial-mnist-seed0 --full
        inkgan evaluate pictures/ --data fashion-mnist
    """
    from inkgan.errors import OutputError
    from inkgan.evaluation import evaluate as evaluation
    from inkgan.evaluation.page import report_page
    from inkgan.evaluation.text import report_text
    from inkgan.files import refuse_to_overwrite, write_bytes

    pages: list[Path] = []
    figures = [] if json is None else [json]
    if report is not None:
        page = Path(report)
        if page.suffix.lower() in {".html", ".htm"}:
            pages.append(page)
        elif page.suffix and not report.endswith(os.sep) and not page.is_dir():
            raise OutputError(f"a report is an .html file, or a folder whose name ends with a slash: not {page}.")
        else:
            pages.append(page / "report.html")
            figures.append(page / "report.json")
    for path in (*pages, *figures):
        refuse_to_overwrite(path, force=force)
    with progress_line() as progress:
        found = evaluation.evaluate(what, n=n, data=data, data_dir=data_dir, seed=seed, full=full, progress=progress)
    for path in figures:
        write_bytes(path, found.as_json().encode(), force=force)
    for path in pages:
        write_bytes(path, report_page(found).encode(), force=force)
    typer.echo(report_text(found))
    for path in (*pages, *figures):
        typer.echo(f"written: {path}")
