"""``inkgan morph``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from inkgan.cli.options import Force, output


def morph(
    seeds: Annotated[list[int], typer.Argument(metavar="SEED...", help="The writers, by their seeds.")],
    out: Annotated[
        str,
        output(
            metavar="FILE|DIR/",
            help="A sheet with a row for each hand (.png), an animation (.gif), or the digits (.npz, folder).",
        ),
    ],
    steps: Annotated[int, typer.Option(help="Steps from one writer to the next; 1 shows the writers alone.")] = 8,
    model: Annotated[
        str,
        typer.Option(
            metavar="NAME_OR_RUN", help="A bundled model, a run or a model folder; one with the classes 0 to 9."
        ),
    ] = "best",
    legible: Annotated[float, typer.Option(metavar="P", help="As in inkgan write.")] = 0.99,
    force: Force = False,
) -> None:
    """Turn one hand into another: the ten digits of each writer, and of the hands between them.

    The writer of a seed is the one whose digits `inkgan write --seed` draws.

    For example:

        inkgan morph 3 5 -o morph.gif --steps 24
        inkgan morph 0 1 2 3 4 5 6 7 --steps 1 -o hands.png
    """
    import numpy as np

    from inkgan.errors import printable, quantity
    from inkgan.generation.hands import morph as hands_between
    from inkgan.generation.hands import number_of_hands
    from inkgan.generation.image_files import check_output, image_saver
    from inkgan.generation.texts import DIGITS
    from inkgan.images import save_animation, sheet

    count = number_of_hands(seeds, steps)
    if check_output(out, 10 * count, force=force, allowed=("png", "gif", "npz"), model=model) == "gif":
        hands = hands_between(seeds, steps=steps, model=model, legible=legible)
        save_animation([sheet(hand, 5, scale=4) for hand in hands], Path(out), force=force)
    else:
        labels = np.tile(np.arange(10), count)
        write_images = image_saver(out, 10 * count, labels, DIGITS, columns=10, force=force)
        hands = hands_between(seeds, steps=steps, model=model, legible=legible)
        write_images(hands.reshape(-1, *hands.shape[2:]))
    typer.echo(f"{quantity(len(hands), 'hand')}: {printable(out)}")
