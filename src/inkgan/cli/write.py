"""``inkgan write``."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inkgan.cli.options import Force, each_once, output
from inkgan.cli.progress import counted, progress_line
from inkgan.errors import ConfigError, printable, quantity, shown
from inkgan.generation.formats import FORMATS, packer
from inkgan.generation.looks import LOOKS, look_of

if TYPE_CHECKING:
    from inkgan.generation.spec import Spec
    from inkgan.generation.templates import Texts

_hand = partial(typer.Option, rich_help_panel="Hand")
_page = partial(typer.Option, rich_help_panel="Page")
_set = partial(typer.Option, rich_help_panel="Data sets in shards")
#: The largest number of images in a shard, unless --shards says how many shards there are.
_SHARD_SIZE = 10_000
#: Endings of the names of single files. A data set in shards refuses them, because it is a folder.
_FILE_ENDINGS = (".png", ".npz", ".jsonl", ".tar", ".parquet")


def write(
    texts: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TEXT...",
            help="Of digits, . , - : / + and space; d stands for any digit. Put -- before a minus. Fields are filled "
            "at random: {date:%d.%m.%Y}, {time:%H:%M}, {int:1..9999}, {digits:6}, {amount:1,234.56}, {choice:FILE}.",
        ),
    ] = None,
    out: Annotated[
        str | None,
        output(
            metavar="FILE.png|FILE.npz|DIR/",
            help="One picture (.png); arrays (.npz: images uint8, 0 paper to 255 ink); or a folder (ends with /) with "
            "a .png of each text. (default: TEXT.png here, for one text)",
        ),
    ] = None,
    file: Annotated[
        str | None,
        typer.Option(
            "--texts",
            metavar="FILE|FILE.toml|-",
            help="Take the texts from the lines of a file in UTF-8, or of standard input (-); or from the weighted "
            "templates of a .toml (inkgan help writing).",
        ),
    ] = None,
    count: Annotated[
        int | None,
        typer.Option("-n", "--count", help="The number of images, each by another writer. (default: one of each text)"),
    ] = None,
    labels: Annotated[
        bool,
        typer.Option(
            "--labels",
            help="Also write the texts and a box (left, top, right, bottom) for each character, as JSON lines "
            "(FILE.jsonl, DIR/metadata.jsonl) or, in an .npz, as the arrays texts and boxes.",
        ),
    ] = False,
    force: Force = False,
    model: Annotated[
        str,
        _hand(metavar="NAME_OR_RUN", help="A bundled model, a run or a model folder; one with the classes 0 to 9."),
    ] = "best",
    seed: Annotated[int, _hand(help="The writer: another seed is another person.")] = 0,
    style: Annotated[
        float, _hand(help="How much the writer varies, 0 to 1: at 0 every 2 is the same, at 1 as if by many people.")
    ] = 0.25,
    slant: Annotated[
        float, _hand(metavar="DEGREES", help="How far all characters lean further to the right, -45 to 45.")
    ] = 0.0,
    height: Annotated[int, _page(metavar="PIXELS", help="The height of the image, 24 to 512.")] = 96,
    background: Annotated[
        str,
        _page(
            metavar="white|transparent",
            help="The background of pictures; transparent only on clean paper. An .npz holds the ink alone.",
        ),
    ] = "white",
    legible: Annotated[
        float,
        _hand(
            metavar="P",
            help="Draw a digit again, closer to the mean of its class, until it can be read with this "
            "probability, up to 0.9999; 0 takes digits as they come.",
        ),
    ] = 0.99,
    look: Annotated[
        str,
        _page(
            metavar="NAME|FILE.toml",
            help=f"How the page looks: {', '.join(LOOKS)}; a file sets knobs of its own.",
        ),
    ] = "clean",
    knobs: Annotated[
        list[str] | None,
        _page(
            "--knob",
            metavar="NAME=VALUE",
            help="Set one knob of the look, such as blur=0.5..2, form=cells or pen=blue,black (inkgan help writing).",
        ),
    ] = None,
    format_name: Annotated[
        str | None,
        _set(
            "--format",
            metavar="NAME",
            help=f"Write {', '.join(FORMATS)} (inkgan help writing). (default: webdataset)",
        ),
    ] = None,
    shards: Annotated[
        int | None, _set(metavar="K", help="Divide it into K parts, by default of up to 10,000 images.")
    ] = None,
    split: Annotated[
        str | None, _set(metavar="NAME=SHARE,...", help="Divide it by writer, such as train=.9,test=.1.")
    ] = None,
    part: Annotated[
        str | None, _set("--shard", metavar="I/N", help="Make part I of N, as one of N machines that share a disk.")
    ] = None,
    jobs: Annotated[
        int | None, _set(metavar="N", help="Processes at work, each on a shard. (default: one for each core)")
    ] = None,
    engine: Annotated[str, _set(metavar="processes|ray", help="The engine that runs the work.")] = "processes",
    preview: Annotated[
        bool,
        _set("--preview", help="Only draw 24 images, to FILE.png or DIR-preview.png, and say how long all would take."),
    ] = False,
) -> None:
    """Write digits by hand: a date, an amount, or a labelled data set.

    An image has one writer: the same slant, the same pen, yet no two digits quite the same. Each of several images is
    by another writer; image i depends on the model, its text, the seed and i alone. The texts are taken in turn.

    The options for data sets write shards with labels into a folder. Run the same command again, for example after a
    crash, to make the shards that are missing.

    For example:

        inkgan write 2026
        inkgan write 2026-11-22 -o date.png --seed 4
        inkgan write "12:45" -o time.png --background transparent --slant 10
        inkgan write dd ddd dddd -n 10000 --labels --height 32 -o numbers/
        inkgan write --texts dates.txt -o dates.npz
        inkgan write "{date:%d.%m.%Y}" -n 100000 --shards 20 --look scan -o dates/
        inkgan write 2026 -o cells.png --look scan --knob form=cells --knob pen=blue
    """
    options: dict[str, Any] = {
        "seed": seed,
        "style": style,
        "slant": slant,
        "height": height,
        "background": background,
        "legible": legible,
        "look": look_of(look, _parse_knobs(knobs), background=background),
        "model": model,
    }
    _require_one_source(texts, file)
    in_shards = any(option is not None for option in (format_name, shards, split, part, jobs)) or engine != "processes"
    if not (in_shards or preview):
        _write_images(texts, file, count, out, options, labels=labels, force=force)
        return
    from inkgan.generation.spec import MOST_SHARDS, Spec

    index, parts = (1, 1) if part is None else _parse_part(part)
    if file is not None:
        _refuse_pipe(file)
    if count is None:
        _, count = _texts_and_count(texts, file, None)
    if not in_shards:  # a preview of images that one process writes
        shards = 1
    elif shards is None:
        shards = parts if part is not None else min(-(-count // _SHARD_SIZE), MOST_SHARDS)
    spec = Spec(
        texts=texts or (),
        texts_file=file,
        count=count,
        shards=shards,
        format="webdataset" if format_name is None else format_name,
        split=() if split is None else _parse_split(split),
        **options,
    )
    finish = _show_preview if preview else _write_data_set
    finish(spec, out, part=(index, parts), jobs=jobs, engine=engine, force=force)


def _require_one_source(texts: list[str] | None, file: str | None) -> None:
    if texts and file is not None:
        raise ConfigError("texts were given as arguments and with --texts. Give one of the two.")
    if not texts and file is None:
        raise ConfigError("there is no text to write. Type one, such as 2026, or name a file of them with --texts.")


def _refuse_pipe(file: str) -> None:
    """Refuse texts that can be read only once: a data set reads them again in each of its processes."""
    source = "standard input" if file == "-" else ""
    with suppress(OSError):  # the error comes when the file is read
        if Path(file).is_fifo() or Path(file).is_char_device() or re.match("/dev/(stdin|fd/)|/proc/", file):
            source = shown(file)
    if source:
        raise ConfigError(f"a data set cannot take its texts from {source}. Put them into a file.")


def _write_images(
    texts: list[str] | None,
    file: str | None,
    count: int | None,
    out: str | None,
    options: dict[str, Any],
    *,
    labels: bool,
    force: bool,
) -> None:
    """Write a picture, arrays, or a folder of pictures."""
    from inkgan.generation.image_files import check_output, save_writings
    from inkgan.generation.writing import in_batches
    from inkgan.seeds import valid_seed

    if out is not None:
        check_output(out, 1, force=force, model=options["model"])
    source, total = _texts_and_count(texts, file, count)
    seed = valid_seed(options["seed"])
    if out is None:
        out = _default_output(source.text(seed, 0), total)
        check_output(out, 1, force=force, model=options["model"])
    written = in_batches(((source.text(seed, index), index) for index in range(total)), **options)
    with progress_line() as progress:
        save_writings(counted(written, total, progress), total, out, labels=labels, force=force)
    typer.echo(f"{quantity(total, 'image')}: {printable(out)}")


def _write_data_set(
    spec: Spec, out: str | None, *, part: tuple[int, int], jobs: int | None, engine: str, force: bool
) -> None:
    """Write the shards of a data set that are missing."""
    from inkgan.generation.shards import MOST_COUNTED, numbers_of_part, sizes_of_split, write_shards

    if out is None:
        raise ConfigError("a data set needs a folder. Name it with -o.")
    if out.lower().endswith(_FILE_ENDINGS):
        raise ConfigError(f"{shown(out)} is the name of a file, but a data set in shards is a folder. End it with /.")
    if force:
        raise ConfigError("--force does not replace a data set. Name a folder that does not exist yet.")
    with progress_line() as progress:
        try:
            made, kept = write_shards(spec, out, part=part, jobs=jobs, engine=engine, progress=progress)
        except KeyboardInterrupt as error:  # raised again, because it knows its exit code
            error.args = ("stopped. The same command continues from there.",)
            raise
    there = f" ({kept:,} of them {'was' if kept == 1 else 'were'} there)" if kept else ""
    images, shards = quantity(spec.count, "image", ","), quantity(spec.shards, "shard", ",")
    if part[1] > 1:
        count = sum(len(spec.images_of(shard)) for shard in numbers_of_part(spec, part))
        typer.echo(f"{count:,} of {images}, {made + kept:,} of {shards}{there}: {printable(out)}")
        return
    sizes = ", ".join(f"{name} {size:,}" for name, size in sizes_of_split(spec).items())
    about = "about " if spec.count > MOST_COUNTED else ""
    split = f" ({about}{sizes})" if sizes else ""
    typer.echo(f"{images}{split}, {shards}{there}: {printable(out)}")


def _show_preview(
    spec: Spec, out: str | None, *, part: tuple[int, int], jobs: int | None, engine: str, force: bool
) -> None:
    """Draw the first images of a data set on a sheet, and estimate the time for all of them."""
    import datetime
    import math

    from inkgan.device import cores
    from inkgan.files import refuse_to_overwrite
    from inkgan.generation.engines import checked_jobs
    from inkgan.generation.shards import numbers_of_part, require_moderate_shards
    from inkgan.generation.spec import preview
    from inkgan.images import save_png, sheet

    require_moderate_shards(spec)
    numbers_of_part(spec, part)
    packer(spec.format)  # raises now if the format needs a library that is missing
    at_work = min(checked_jobs(jobs, engine), spec.shards)
    if engine == "processes":
        at_work = min(at_work, cores())
    path = Path("preview.png" if out is None else out)
    if path.name in ("", ".."):
        raise ConfigError(f"{shown(path)} has no name that a preview could take. Name a .png with -o.")
    if path.suffix.lower() != ".png" or (out or "").endswith(os.sep):
        path = path.with_name(f"{path.name}-preview.png")
    refuse_to_overwrite(path, force=force)
    images, speed = preview(spec)
    save_png(sheet(images, 3), path, force=force)
    rest = datetime.timedelta(seconds=math.ceil(spec.count / speed / at_work))
    typer.echo(
        f"{len(images)} of {quantity(spec.count, 'image', ',')}: {printable(path)}\n"
        f"{speed:,.0f} images a second in one process; in {quantity(at_work, 'process')}, all take about {rest}."
    )


def _texts_and_count(arguments: list[str] | None, file: str | None, count: int | None) -> tuple[Texts, int]:
    """Return the texts, from the command line or a file, and the number of images: by default one for each text."""
    from inkgan.generation.templates import Templates, read_texts

    texts: Texts = Templates(arguments or ()) if file is None else read_texts(file)
    count = texts.count if count is None else count
    if count is None:
        raise ConfigError("a mixture of texts is endless. Give the number of images with -n.")
    return texts, count


def _default_output(text: str, number: int) -> str:
    """Name a picture by its text, with a minus for each character that a file name should not have."""
    name = re.sub(r"[^\w.,+-]", "-", text).strip(".")
    if number != 1 or not name:
        raise ConfigError("there is no output. Name it with -o: FILE.png for one text, FILE.npz, or DIR/.")
    return f"{name}.png"


def _parse_knobs(knobs: list[str] | None) -> dict[str, str]:
    """Return the values of the knobs that ``--knob NAME=VALUE`` sets."""
    return dict(
        _parse_pair(knob, f"--knob {shown(knob)} is not NAME=VALUE. Write it like blur=0.5..2.")
        for knob in each_once(knobs, "--knob")
    )


def _parse_pair(text: str, complaint: str) -> tuple[str, str]:
    """Split a pair such as ``blur=0.5..2`` into its name and its value."""
    name, _, value = (part.strip() for part in text.partition("="))
    if not (name and value):
        raise ConfigError(complaint)
    return name, value


def _parse_part(text: str) -> tuple[int, int]:
    """Parse the value of --shard, such as ``3/64``."""
    index, slash, parts = text.partition("/")
    if not (slash and all(re.fullmatch("[1-9][0-9]{0,17}", number) for number in (index, parts))):
        raise ConfigError(f"--shard {shown(text)} is not I/N. Write 3/64 for the third of 64 parts.")
    return int(index), int(parts)


def _parse_split(text: str) -> list[dict[str, Any]]:
    """Parse the value of --split, such as ``train=.9,test=.1``; :class:`inkgan.generation.spec.Share` checks it."""
    complaint = f"--split {shown(text)} is not NAME=SHARE,... Write it like train=.9,test=.1."
    split: list[dict[str, Any]] = []
    for pair in text.split(","):
        name, share = _parse_pair(pair, complaint)
        split.append({"name": name, "share": share})
        with suppress(ValueError):
            split[-1]["share"] = float(share)
    return split
