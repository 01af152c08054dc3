"""``inkgan data``: list, verify and draw data sets."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from inkgan.cli.options import Command, Force, Group, Settings, each_once
from inkgan.cli.progress import progress_line
from inkgan.errors import ConfigError, OutputError, as_given, listed_names, printable, quantity, shown

if TYPE_CHECKING:
    from PIL import Image

    from inkgan.data.sets import DataSet
    from inkgan.data.splits import Split

app = typer.Typer(
    cls=Group,
    help=(
        "List, verify and draw data sets.\n\n"
        "Without a command, this lists the sets that --data can name: MNIST, which is embedded, its relatives, and, "
        "with --data-dir, the sets in that folder. Sets are looked for in --data-dir, then in the folder that "
        "$INKGAN_DATA names, then among earlier downloads. A known set that is not found is downloaded when you use "
        "it.\n\n"
        "Your own images work as well: --data takes the path of a folder of pictures, with a folder for each "
        "class if they have classes, or of an .npz file with arrays `images` and `labels`. "
        "`inkgan help data` says more."
    ),
)

_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")

DataDir = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Look here first. Laid out as torchvision's (MNIST/raw) or a folder for each set.",
    ),
]
Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME_OR_PATH",
        help="A name that `inkgan data` lists, or the path of a folder of images or of an .npz file.",
    ),
]
Resize = Annotated[
    str | None,
    typer.Option(metavar="SIDE|HxW", help="Fit the images into this many pixels a side, such as 32 or 32x48."),
]


@app.callback(invoke_without_command=True)
def list_sets(context: typer.Context, data_dir: DataDir = None) -> None:
    """List the data sets: name, number of images and classes, and where they are."""
    context.obj = data_dir
    if context.invoked_subcommand is not None:
        return
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    from inkgan.data.inventory import inventory

    # In a narrow window, columns fold: names that were cut off could be the same.
    name, where = Column("name", overflow="fold"), Column("where", overflow="fold")
    numbers = [Column(title, justify="right", overflow="fold") for title in ("images", "classes")]
    table = Table(name, *numbers, where, box=None, header_style="bold", pad_edge=False)
    for entry in inventory(data_dir):
        images = "?" if entry.images is None else f"{entry.images:,}"
        classes = "?" if entry.classes is None else str(entry.classes)
        cells = (entry.name, images, classes, entry.where)
        # Text, not a string: a folder's name is not markup.
        table.add_row(*(Text(cell, style="" if entry.here else "dim") for cell in cells))
    # Lines are wrapped only on a terminal.
    Console(width=None if sys.stdout.isatty() else 1000).print(table)


@app.command(cls=Command)
def check(
    context: typer.Context, name: Name, data_dir: DataDir = None, resize: Resize = None, settings: Settings = None
) -> None:
    """Read a data set completely and verify it.

    The files of a known set are compared with the published checksums.
    It is downloaded first if it is not on this machine.

    For your own images this says how many are used, and what is skipped and why, before you train. It counts the images
    for validation and test that are training images, too.
    """
    from inkgan.data.inventory import verify
    from inkgan.data.pixels import size_text
    from inkgan.data.sets import count_copies
    from inkgan.evaluation.subject import shortage

    with progress_line() as progress:
        data, verdicts = verify(_data_settings(context, name, data_dir, resize, settings), progress=progress)
    typer.echo(data.name if data.name == data.source else f"{data.name}: {data.source}")
    for file, verdict in verdicts.items():
        typer.echo(f"  {file}: {verdict}")
    for title, split in data.splits.items():
        images = f"{quantity(len(split), 'image')} of {size_text(data.image_shape)}"
        typer.echo(f"  {title}: {images}{_balance(data, split)}")
    for reason, count in sorted(data.skipped.items(), key=lambda one: -one[1]):
        typer.echo(f"  skipped {count}: {reason}")
    for note in data.notes:
        typer.echo(f"  note: {note}")
    held_out = {title: data.splits[title].images for title in ("validation", "test")}
    counts = count_copies(data.train.images, *held_out.values())
    for (title, some), count in zip(held_out.items(), counts, strict=True):
        if count:
            many = f"{count:,} of the {len(some):,} {title} images"
            typer.echo(f"  note: {many} are training images, too, so they are not held out: remove the copies")
    if data.class_names:
        typer.echo(f"  classes: {len(data.class_names)} ({listed_names(data.class_names, 26)})")
    typer.echo(f"  digest: {data.digest}")
    missing = shortage(data)
    typer.echo("  it can be used to train" + (f", but has {missing}" if missing else " and to measure"))


@app.command(cls=Command)
def show(
    context: typer.Context,
    name: Name,
    *,
    output: Annotated[
        Path | None,
        typer.Option("--out", "--output", "-o", metavar="FILE", help="The picture to write; by default NAME.png here."),
    ] = None,
    data_dir: DataDir = None,
    split: Annotated[Literal["train", "validation", "test"], typer.Option(help="The split to draw.")] = "train",
    columns: Annotated[int, typer.Option(min=1, max=100, help="The number of images in a row.")] = 10,
    resize: Resize = None,
    settings: Settings = None,
    force: Force = False,
) -> None:
    """Draw the first images of a data set as one picture, a row for each class if there are labels.

    Grey images are drawn as dark ink on white paper, colour images as they are.
    """
    from inkgan.data.loading import load_saved, name_of
    from inkgan.files import refuse_to_overwrite
    from inkgan.images import sheet

    if output is not None and output.suffix.lower() not in _PICTURES:
        raise OutputError(f"{shown(output)} is not a picture's name. End it with one of {', '.join(_PICTURES)}.")
    what = _data_settings(context, name, data_dir, resize, settings)
    output = output or Path(f"{name_of(what)}.png")
    refuse_to_overwrite(output, force=force)
    with progress_line() as progress:
        data = load_saved(what, progress=progress)
    images = data.examples(split, columns)
    _save(sheet(images, columns), output, force=force)
    rows, classes = len(images) // columns, len(data.class_names)
    note = f"a row for {rows} of {classes} classes" if classes else f"the first {len(images)}"
    typer.echo(f"{printable(output)}: {split} images of {data.name}, {note}")
    for note in data.notes:
        typer.echo(f"  note: {note}")


def _save(picture: Image.Image, output: Path, *, force: bool) -> None:
    """Write a picture in the format that its name ends with."""
    from inkgan.files import atomic_write

    with atomic_write(output, force=force) as temporary:
        try:
            picture.save(temporary)
        except (ValueError, OSError) as error:  # such as a JPEG of more than 65,500 pixels a side
            if isinstance(error, OSError) and error.errno:  # from the system, not from Pillow
                raise
            raise OutputError(
                f"{shown(output)} cannot hold {picture.width}x{picture.height} pixels: {error}. Name a .png."
            ) from None


def _data_settings(
    context: typer.Context, name: str, data_dir: Path | None, resize: str | None, settings: list[str] | None
) -> dict[str, Any]:
    """Return the settings under ``data`` that the options stand for.

    Raises:
        ConfigError: a setting is not allowed, is given twice, or is not about how data are read.
    """
    from inkgan.config import resolve
    from inkgan.config.sources import reading_settings

    if data_dir is not None and context.obj is not None:
        raise ConfigError("--data-dir was given 2 times. Give it once.")
    directory = data_dir or context.obj
    given = {"data.name": name, "data.directory": None if directory is None else str(directory), "data.resize": resize}
    overrides = each_once(settings, "--set", given)
    reading_settings(overrides)
    return resolve(options=given, overrides=overrides).data.model_dump()


def _balance(data: DataSet, split: Split) -> str:
    """Return the end of a line about a split: the sizes of its smallest and largest class, and a rare class by name."""
    import numpy as np

    if split.labels is None:
        return ", no labels"
    counts = np.bincount(split.labels, minlength=len(data.class_names))
    least, most = counts.min(), counts.max()
    numbers = str(least) if least == most else f"{least} to {most}"
    rarest = f", fewest of {as_given(data.class_names[counts.argmin()])}" if most > 2 * least else ""
    return f", {numbers} of each class{rarest}"
