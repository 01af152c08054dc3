"""``inkgan data``: list, verify and draw data sets."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from inkgan.cli.progress import progress_line

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from inkgan.data.inventory import Entry
    from inkgan.data.sets import DataSet, Split

app = typer.Typer(
    help=(
        "List, verify and draw data sets.\n\n"
        "Without a command, this lists every set that --data can name: MNIST, which is embedded, its "
        "relatives, and with --data-dir what lies in that folder. Sets are looked for in --data-dir, then in "
        "the folder that $INKGAN_DATA names, then among earlier downloads in $XDG_CACHE_HOME/inkgan, then in "
        "/usr/share/datasets. A known set that is nowhere is downloaded when it is used.\n\n"
        "Your own images work as well: --data takes the path of a folder of pictures, with a folder for each "
        "class if they have classes, or of an .npz file with arrays `images` and `labels`."
    ),
    no_args_is_help=False,
)

_MOST_ROWS = 100
_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        metavar="FOLDER",
        help="Look here first. Laid out as torchvision's (FOLDER/MNIST/raw/...) or a folder for each set.",
    ),
]
Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME_OR_PATH",
        help="A name that `inkgan data` lists, or the path of a folder of images or of an .npz file.",
    ),
]


@app.callback(invoke_without_command=True)
def list_sets(context: typer.Context, data_dir: DataDir = None) -> None:
    """List the data sets: name, number of images, their size, classes, and where they are."""
    context.obj = data_dir
    if context.invoked_subcommand is not None:
        return
    from inkgan.data.inventory import inventory

    _print_entries(inventory(data_dir))


@app.command()
def check(context: typer.Context, name: Name, data_dir: DataDir = None) -> None:
    """Read a data set completely and verify it.

    The files of a known set are compared with the published checksums.
    It is downloaded first if it is nowhere on this machine.

    For your own images this tells what is skipped and why, before you train.
    """
    from inkgan.data.inventory import check as check_set

    with progress_line() as tell:
        report = check_set(name, data_dir or context.obj, tell)
    data = report.data
    typer.echo(f"{data.name}: {data.source}")
    for path, verdict in report.files:
        typer.echo(f"  {path.name}: {verdict}")
    shape = "x".join(map(str, data.image_shape))
    for title, split in data.splits.items():
        typer.echo(f"  {title}: {len(split)} images of {shape}{_balance(data, split)}")
    for reason, count in sorted(data.skipped.items(), key=lambda one: -one[1]):
        typer.echo(f"  skipped {count}: {reason}")
    if data.class_names:
        typer.echo(f"  classes: {len(data.class_names)} ({_shortened(data.class_names)})")
    typer.echo(f"  digest: {data.digest}")
    typer.echo("  it can be used")


@app.command()
def show(
    context: typer.Context,
    name: Name,
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="The picture to write; by default NAME.png here."),
    ] = None,
    data_dir: DataDir = None,
    split: Annotated[Literal["train", "validation", "test"], typer.Option(help="Which images.")] = "train",
    columns: Annotated[int, typer.Option(min=1, max=100, help="How many images in a row.")] = 10,
    force: Annotated[bool, typer.Option("--force", help="Replace the picture if it exists.")] = False,
) -> None:
    """Draw the first images of a data set as one picture, a row for each class if there are labels.

    Grey images are drawn as dark ink on white paper, colour images as they are.
    """
    from inkgan.data.loading import load
    from inkgan.errors import OutputError
    from inkgan.files import appearing_whole, refuse_to_overwrite

    if output is not None:
        if output.suffix.lower() not in _PICTURES:
            raise OutputError(f"{output} is not a picture's name. End it with one of {', '.join(_PICTURES)}.")
        refuse_to_overwrite(output, force=force)
    with progress_line() as tell:
        data = load(name, data_dir or context.obj, progress=tell)
    output = output or Path(f"{data.name}.png")
    images, note = _rows(data, data.splits[split], columns)

    from inkgan.images import sheet

    picture = sheet(images, columns)
    with appearing_whole(output, force=force) as temporary:
        try:
            picture.save(temporary)
        except (ValueError, OSError) as error:  # such as a JPEG of more than 65,500 pixels a side
            if isinstance(error, OSError) and error.errno:  # the system's
                raise
            raise OutputError(
                f"{output} cannot hold {picture.width}x{picture.height} pixels: {error}. Name a .png."
            ) from None
    typer.echo(f"{output}: {split} images of {data.name}, {note}")


def _rows(data: DataSet, split: Split, columns: int) -> tuple[npt.NDArray[np.uint8], str]:
    """The images of a sheet, row by row as uint8 of shape [N, H, W, C], and what its rows are."""
    import numpy as np

    if split.labels is None:
        images = split.images[: columns * 10]
        return images, f"the first {len(images)}"
    shown = range(min(len(data.class_names), _MOST_ROWS))
    # Where a class has fewer images than the row has places, the rest of its row is empty.
    images = np.zeros((len(shown), columns, *data.image_shape), np.uint8)
    for label in shown:
        first = np.flatnonzero(split.labels == label)[:columns]
        images[label, : len(first)] = split.images[first]
    of_all = "" if len(shown) == len(data.class_names) else f" of the first {len(shown)}"
    return images.reshape(-1, *data.image_shape), f"a row for each{of_all} of {len(data.class_names)} classes"


def _balance(data: DataSet, split: Split) -> str:
    """How many images the smallest and the largest class of a split have, for people."""
    import numpy as np

    if split.labels is None:
        return ", no labels"
    counts = np.bincount(split.labels, minlength=len(data.class_names))
    return f", {counts.min()} to {counts.max()} of each class"


def _shortened(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 26 else ", ".join((*names[:24], "...", names[-1]))


def _print_entries(entries: Sequence[Entry]) -> None:
    """Print the list as a table; where nobody looks, its lines are as long as they need to be."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("name", "images", "size", "classes", "where", box=None, header_style="bold", pad_edge=False)
    for entry in entries:
        images = "?" if entry.images is None else str(entry.images)
        classes = "?" if entry.classes is None else str(entry.classes or "-")
        cells = (entry.name, images, entry.size or "?", classes, entry.where)
        # Text, not a string: a folder's name is not markup.
        table.add_row(*(Text(cell, style="" if entry.here else "dim") for cell in cells))
    Console(width=None if sys.stdout.isatty() else 1000).print(table)
