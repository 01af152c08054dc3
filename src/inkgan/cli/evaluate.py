"""``inkgan evaluate`` and ``inkgan compare``."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from inkgan.cli.options import Force, Settings, each_once
from inkgan.cli.progress import loading_pytorch, progress_line
from inkgan.cli.window import columns
from inkgan.errors import OutputError, printable, shown

if TYPE_CHECKING:
    from inkgan.evaluation.report import Report

T = TypeVar("T")

#: The text by which each of the two files in a report's folder is recognised.
_SIGNS = {"report.html": b'<div class="inkgan">', "report.json": b'"figures": ['}

Count = Annotated[
    int | None,
    typer.Option(
        "--n", "-n", help="The number of images of each to measure, 128 or more. (default: 10,000, or all if fewer)"
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
Seed = Annotated[int, typer.Option(help="The seed of the drawn images, or of the choice among more than n.")]
Full = Annotated[
    bool,
    typer.Option(
        "--full",
        help="Also measure the distance in features of an untrained network, train a classifier on the images, and "
        "look for copies in pixels.",
    ),
]
Json = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the figures as JSON.")]


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
    settings: Settings = None,
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

    `inkgan help metrics` says what each figure detects, and what it misses.

    For example:

        inkgan evaluate runs/fast-mnist-seed0 --report card.html
        inkgan evaluate digits.npz --json figures.json
        inkgan evaluate runs/fast-mnist-seed0 --full
        inkgan evaluate pictures/ --data fashion-mnist
    """
    with loading_pytorch():
        from inkgan.evaluation.evaluate import evaluate
    from inkgan.evaluation.report_text import report_text

    given = each_once(settings, "--set")
    measure = partial(evaluate, what, n=n, data=data, data_dir=data_dir, seed=seed, full=full, settings=given)
    _measure_and_write(measure, report_text, _outputs(json, report), force=force)


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
    settings: Settings = None,
    json: Json = None,
    force: Force = False,
) -> None:
    """Say which differences between generators are real, and which may be chance: B, C, ... are compared with A.

    For groups of runs over seeds, the intervals include the variance of training; for single models, only that of
    sampling. `inkgan help metrics` explains the figures.

    For example:

        inkgan compare tutorial runs/fast-mnist-seed0
        inkgan compare 'runs/before-*' 'runs/after-*' --json difference.json
    """
    with loading_pytorch():
        from inkgan.evaluation.compare import Comparison, compare
    from inkgan.evaluation.report_text import comparison_text

    given = each_once(settings, "--set")
    measure = partial(compare, *subjects, n=n, data=data, data_dir=data_dir, seed=seed, full=full, settings=given)
    _measure_and_write(measure, comparison_text, {} if json is None else {json: Comparison.as_json}, force=force)


def _measure_and_write(
    measure: Callable[..., T],
    as_text: Callable[[T, int], str],
    outputs: Mapping[Path, Callable[[T], str]],
    *,
    force: bool,
) -> None:
    """Measure, write the files, and print the result as text.

    Measuring takes minutes, so the text is printed even if a file cannot be written.
    """
    from inkgan.files import refuse_to_overwrite, write_bytes

    for path in outputs:
        refuse_to_overwrite(path, force=force)
    with progress_line() as progress:
        result = measure(progress=progress)
    try:
        for path, content in outputs.items():
            write_bytes(path, content(result).encode(), force=force)
    finally:
        typer.echo(as_text(result, columns()))
    for path in outputs:
        typer.echo(f"written: {printable(path)}")


def _outputs(json: Path | None, report: str | None) -> dict[Path, Callable[[Report], str]]:
    """Return the files to write, each with the function that makes its content."""
    from inkgan.evaluation.report import Report
    from inkgan.evaluation.report_html import report_page

    figures: dict[Path, Callable[[Report], str]] = {} if json is None else {json: Report.as_json}
    if report is None:
        return figures
    place = Path(report)
    is_folder = report.endswith(os.sep)
    is_page = not is_folder and place.suffix.lower() in {".html", ".htm"}
    page = place if is_page else place / "report.html"
    if page in figures:
        raise OutputError(f"--report and --json both name {shown(page)}. Name two files.")
    if is_page:
        return {page: report_page, **figures}
    if place.suffix and not is_folder and not place.is_dir():
        raise OutputError(f"a report is an .html file, or a folder whose name ends with a slash: not {shown(place)}.")
    _require_reports(place)
    return {page: report_page, **figures, place / "report.json": Report.as_json}


def _require_reports(folder: Path) -> None:
    """Refuse a run, and to replace anything but earlier reports in a folder: the user did not name the files."""
    from inkgan.files import output_errors, read_regular
    from inkgan.generation.output_folder import refuse_runs_and_data_sets

    with output_errors(folder):
        refuse_runs_and_data_sets(folder)
    for name, sign in _SIGNS.items():
        path = folder / name
        with output_errors(path):
            if path.is_file() and sign not in read_regular(path):
                raise OutputError(f"{shown(path)} is not a report that inkgan wrote. Move it, or name another folder.")
