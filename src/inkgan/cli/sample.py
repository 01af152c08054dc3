"""``inkgan sample``."""

from __future__ import annotations

from typing import Annotated

import typer

from inkgan.cli.options import Checkpoint, Force, RunOrModel, output
from inkgan.cli.progress import progress_line


def sample(
    what: RunOrModel,
    out: Annotated[
        str,
        output(
            metavar="FILE.png|FILE.npz|DIR/",
            help="A sheet (.png); arrays (.npz: images uint8, 0 paper to 255 ink, labels, class_names); or a folder "
            "(ends with /) with a .png of each image, in a folder for each class.",
        ),
    ],
    count: Annotated[int, typer.Option("-n", "--count", help="The number of images.")] = 10,
    label: Annotated[
        str | None,
        typer.Option(
            "--label",
            "--digit",
            metavar="NAME",
            help="Only images of the class of this name. (default: the classes in turn, where there are any)",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same images.")] = 0,
    checkpoint: Checkpoint = "latest",
    statistics: Annotated[
        str,
        typer.Option(
            metavar="standing|batch",
            help="How the tutorial's model normalises: standing takes fixed statistics, so that images do not depend "
            "on each other; batch takes those of all images drawn, as the tutorial did.",
        ),
    ] = "standing",
    legible: Annotated[
        float,
        typer.Option(
            metavar="P",
            help="Draw a digit again, closer to the mean of its class, until it can be read with this "
            "probability, such as 0.99. (0 takes images as they come)",
        ),
    ] = 0.0,
    columns: Annotated[
        int | None, typer.Option(min=1, max=1000, help="Images in a row of the sheet. (default: about square)")
    ] = None,
    force: Force = False,
) -> None:
    """Draw images with a trained generator.

    Image i depends on the weights, the seed and i alone: the first ten of a hundred are the same as ten.

    For example:

        inkgan sample fast -n 100 -o digits.png
        inkgan sample fast -n 100 --label 7 -o sevens.png
        inkgan sample runs/fast-mnist-seed0 -n 10000 -o digits.npz
        inkgan sample tutorial -n 10 --seed 7 -o digits/
    """
    from inkgan.errors import ConfigError, listed_names, printable, quantity, shown
    from inkgan.generation.image_files import check_output, image_saver
    from inkgan.generation.model import load

    if check_output(out, count, force=force, model=what) != "png" and columns is not None:
        raise ConfigError(f"--columns is for a sheet, and {shown(out)} is not one. Leave it out, or name a .png.")
    with progress_line() as progress:
        model = load(what, which=checkpoint)
        labels = model.labels_for(count, label)
        write = image_saver(out, count, labels, model.class_names, columns=columns, force=force, progress=progress)
        write(model.sample(count, seed=seed, labels=labels, statistics=statistics, legible=legible, progress=progress))  # type: ignore[arg-type]  # checked there
    of_class = "" if label is None else f" of class {listed_names([label], 1)}"
    typer.echo(f"{quantity(count, 'image')}{of_class}: {printable(out)}")
