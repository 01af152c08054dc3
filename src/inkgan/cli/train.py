"""``inkgan train``."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inkgan.cli.options import each_once
from inkgan.errors import ConfigError, printable

if TYPE_CHECKING:
    from inkgan.config import Config
    from inkgan.training.options import TrainingOptions

_what = partial(typer.Option, rich_help_panel="What")
_long = partial(typer.Option, rich_help_panel="How long")
_where = partial(typer.Option, rich_help_panel="Where")
_how = partial(typer.Option, rich_help_panel="How")
_many = partial(typer.Option, rich_help_panel="Many runs")


def train(
    recipe: Annotated[str | None, _what(help="The recipe: fast, best or tutorial. (default: fast)")] = None,
    data: Annotated[
        str | None,
        _what(
            metavar="NAME_OR_PATH",
            help="A data set that `inkgan data` lists, a folder of images, or an .npz file. (default: mnist)",
        ),
    ] = None,
    data_dir: Annotated[Path | None, _what(metavar="FOLDER", help="Look for the data set's files here first.")] = None,
    resize: Annotated[
        str | None,
        _what(
            metavar="SIDE|HxW",
            help="Fit the images into this many pixels a side, such as 32 or 32x48. (default: as they are)",
        ),
    ] = None,
    seed: Annotated[int | None, _what(help="All randomness depends on it: same seed, same run. (default: 0)")] = None,
    steps: Annotated[
        int | None, _long(help="The run's total number of steps, to which schedules refer. (default: the recipe's)")
    ] = None,
    seconds: Annotated[float | None, _long(help="Train for this long instead.")] = None,
    stop_at: Annotated[
        int | None, _long(metavar="STEP", help="Save and stop after this step; --resume continues from there.")
    ] = None,
    extend: Annotated[
        int | None,
        _long(
            metavar="STEPS",
            help="Make the complete run in --out this much longer: learning rates rise again and fade to its new end. "
            "(not after --seconds)",
        ),
    ] = None,
    out: Annotated[
        str | None,
        _where(
            "--out",
            "-o",
            metavar="FOLDER",
            help="The run folder. (default: runs/RECIPE-DATA-seedN, numbered if taken)",
        ),
    ] = None,
    resume: Annotated[
        bool,
        _where(
            "--resume",
            help="Continue the run in --out (or the newest of its name) bit for bit, as if it had never stopped.",
        ),
    ] = False,
    force: Annotated[bool, _where("--force", help="Replace the run that is in --out.")] = False,
    heal: Annotated[
        bool,
        _how(
            "--heal",
            help="If the run blows up or collapses, go back to a healthy checkpoint and continue with the doctor's "
            "remedy, at most three times.",
        ),
    ] = False,
    processes: Annotated[
        int | None,
        _how(
            metavar="N",
            help="Train with N processes on this machine; N divides the setting slices (inkgan help processes). "
            "(default: 1)",
        ),
    ] = None,
    timeout: Annotated[
        float,
        _how(
            metavar="SECONDS",
            help="How long processes wait for each other before they give up; at the start, at least 120.",
        ),
    ] = 300.0,
    device: Annotated[
        str, _how(help="auto, cpu, cuda, cuda:1 or mps; auto takes a CUDA GPU if there is one, else the CPU.")
    ] = "auto",
    precision: Annotated[
        str | None, _how(help="auto, float32 or bfloat16; auto takes bfloat16 where the hardware multiplies it faster.")
    ] = None,
    config: Annotated[
        Path | None,
        _how(metavar="FILE", help="Settings from a TOML file (see --dry-run), or from the config.json of a run."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        _how(
            "--set", metavar="KEY=VALUE", help="One setting, such as loss=hinge; may be repeated. --dry-run lists all."
        ),
    ] = None,
    evaluate_every: Annotated[
        int | None,
        _how(
            metavar="STEPS",
            help="Measure the quality this often, a second each; `inkgan sample --checkpoint best` takes the best.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, _how("--dry-run", "-n", help="Check the options, print the settings as TOML and stop.")
    ] = False,
    plain: Annotated[
        bool,
        _how(
            "--plain", help="On a terminal, show lines and pictures that scroll, not a panel; with --seeds, no table."
        ),
    ] = False,
    quiet: Annotated[bool, _how("--quiet", "-q", help="Print only warnings and errors.")] = False,
    seeds: Annotated[
        str | None,
        _many(
            metavar="0-9",
            help="Train a run for each seed, in folders OUT-SEED. The same command again continues what is unfinished.",
        ),
    ] = None,
    jobs: Annotated[int, _many(metavar="N", help="The number of runs at a time.")] = 1,
    engine: Annotated[str, _many(metavar="processes|ray", help="The engine that runs them.")] = "processes",
) -> None:
    """Train a GAN, and watch it learn.

    A run folder holds everything: settings, metrics.jsonl, TensorBoard events, pictures and checkpoints. Ctrl-C saves
    and stops; --resume continues.

    Recipes: fast takes one to three minutes on two cores; best takes longer and draws better; tutorial repeats a
    TensorFlow tutorial exactly and takes hours.

    `inkgan help training` explains what the terminal shows, and what to do when training goes wrong.

    For example:

        inkgan train
        inkgan train --data fashion-mnist --out runs/fashion
        inkgan train --set loss=hinge --seconds 30
        inkgan train --resume --out runs/fashion
        inkgan train --seeds 0-9 --set loss=hinge --jobs 2 --out runs/hinge
        tensorboard --logdir runs
    """
    measured = [] if evaluate_every is None else [f"watch.evaluate_every={evaluate_every}"]
    overrides = each_once([*measured, *(settings or ())], "--set")
    options: TrainingOptions = {
        "data": data,
        "data_dir": data_dir,
        "resize": resize,
        "seed": seed,
        "steps": steps,
        "seconds": seconds,
        "stop_at": stop_at,
        "extend": extend,
        "out": out,
        "resume": resume,
        "force": force,
        "heal": heal,
        "processes": processes,
        "timeout": timeout,
        "device": device,
        "precision": precision,
        "config": config,
        "settings": overrides,
    }
    if seeds is not None:
        from inkgan.cli.many_runs import train_seeds
        from inkgan.training.many_runs import TrainingTask, parse_seeds, require_possible

        task, numbers = TrainingTask(recipe, options), parse_seeds(seeds)
        if dry_run:
            require_possible(task, numbers, jobs=jobs, engine=engine)
            _print_plan(task.asked(numbers[0]), map(task.folder, numbers), device)
        else:
            train_seeds(task, numbers, jobs=jobs, engine=engine, plain=plain, quiet=quiet)
        return
    if jobs != 1 or engine != "processes":
        raise ConfigError("--jobs and --engine are for many runs. Name their seeds, such as --seeds 0-9.")
    _train_one(recipe, options, dry_run=dry_run, plain=plain, quiet=quiet)


def _train_one(recipe: str | None, options: TrainingOptions, *, dry_run: bool, plain: bool, quiet: bool) -> None:
    """Train a run and show it, or print its settings."""
    if dry_run:
        from inkgan.training.options import checked, complete_options

        resolved, folder, _ = checked(complete_options(recipe, **options))
        _print_plan(resolved, [folder.path], options["device"])
        return
    from inkgan.cli.console import watcher_for
    from inkgan.training import start

    with watcher_for(quiet=quiet, plain=plain) as watcher:
        start.train(recipe, watcher=watcher, **options)


def _print_plan(config: Config, folders: Iterable[Path], device: str) -> None:
    """Check the images and the device of runs, and print their folders and settings."""
    from inkgan.config.sources import as_toml
    from inkgan.training.options import require_images_and_device

    require_images_and_device(config, device)
    for folder in folders:
        typer.echo(f"# would run in {printable(folder)}")
    typer.echo(as_toml(config), nl=False)
