"""``inkgan train``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from inkgan.training.start import TrainingOptions


def train(
    recipe: Annotated[
        str | None, typer.Option(help="What to train: fast, best or tutorial. (default: fast)", rich_help_panel="What")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="NAME_OR_PATH",
            help="A data set that `inkgan data` lists, a folder of images, or an .npz file. (default: mnist)",
            rich_help_panel="What",
        ),
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Look for the data set's files here first.", rich_help_panel="What"),
    ] = None,
    resize: Annotated[
        str | None,
        typer.Option(
            metavar="SIDE|HxW",
            help="Fit the images into this many pixels a side, such as 32 or 32x48. (default: as they are)",
            rich_help_panel="What",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="All randomness depends on it: same seed, same run. (default: 0)", rich_help_panel="What"),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            help="The run's total number of steps, to which schedules refer. (default: the recipe's)",
            rich_help_panel="How long",
        ),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(help="Train for this long instead.", rich_help_panel="How long")
    ] = None,
    stop_at: Annotated[
        int | None,
        typer.Option(
            metavar="STEP",
            help="Save and stop after this step; --resume continues from there.",
            rich_help_panel="How long",
        ),
    ] = None,
    extend: Annotated[
        int | None,
        typer.Option(
            metavar="STEPS",
            help="Make the complete run in --out this much longer: learning rates rise again and fade to its new end.",
            rich_help_panel="How long",
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER",
            help="The run folder. (default: runs/RECIPE-DATA-seedN, numbered if taken)",
            rich_help_panel="Where",
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Continue the run in --out (or the newest of its name) bit for bit, as if it had never stopped.",
            rich_help_panel="Where",
        ),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the run that is in --out.", rich_help_panel="Where")
    ] = False,
    heal: Annotated[
        bool,
        typer.Option(
            "--heal",
            help="Where the run blows up or collapses, go back to a healthy checkpoint and continue with the doctor's "
            "remedy, at most three times.",
            rich_help_panel="How",
        ),
    ] = False,
    processes: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Train with so many processes on this machine; N divides the setting slices. (default: 1)",
            rich_help_panel="How",
        ),
    ] = None,
    timeout: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            help="How long processes wait for each other before they give up.",
            rich_help_panel="How",
        ),
    ] = 300.0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.", rich_help_panel="How")] = "auto",
    precision: Annotated[
        str | None,
        typer.Option(
            help="auto, float32 or bfloat16; auto takes bfloat16 where the hardware multiplies it faster.",
            rich_help_panel="How",
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE.toml", help="Settings from a file; see --dry-run.", rich_help_panel="How"),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="One setting, such as generator.learning_rate=2e-4; may be repeated.",
            rich_help_panel="How",
        ),
    ] = None,
    evaluate_every: Annotated[
        int | None,
        typer.Option(
            metavar="STEPS",
            help="Measure the quality this often, a second each; `inkgan sample --checkpoint best` takes the best.",
            rich_help_panel="How",
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", "-n", help="Print the resolved settings as TOML and stop.", rich_help_panel="How"),
    ] = False,
    plain: Annotated[
        bool,
        typer.Option(
            "--plain", help="On a terminal, show lines and pictures that scroll, not a panel.", rich_help_panel="How"
        ),
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print only warnings and errors.", rich_help_panel="How")
    ] = False,
    seeds: Annotated[
        str | None,
        typer.Option(
            metavar="0-9",
            help="Train a run for each seed, in folders OUT-SEED. The same command again continues what is unfinished.",
            rich_help_panel="Many runs",
        ),
    ] = None,
    jobs: Annotated[
        int, typer.Option(metavar="N", help="How many of them to train at a time.", rich_help_panel="Many runs")
    ] = 1,
    engine: Annotated[
        str, typer.Option(metavar="processes|ray", help="What runs them.", rich_help_panel="Many runs")
    ] = "processes",
) -> None:
    """Train a GAN, and watch it learn.

    A run folder holds everything: settings, metrics.jsonl, TensorBoard events, pictures and checkpoints. Ctrl-C saves
    and stops; --resume continues.

    Recipes: fast takes one to two minutes on two cores; best takes longer and draws better; tutorial repeats a
    TensorFlow lesson exactly and takes hours.

    For example:

        inkgan train
        inkgan train --data fashion-mnist --out runs/fashion
        inkgan train --set loss=hinge --seconds 30
        inkgan train --resume --out runs/fashion
        inkgan train --seeds 0-9 --set loss=hinge --jobs 2 --out runs/hinge
        tensorboard --logdir runs
    """
    from inkgan.training import start

    if evaluate_every is not None:
        settings = [f"watch.evaluate_every={evaluate_every}", *(settings or ())]
    options: start.TrainingOptions = {
        "data": data,
        "data_dir": data_dir,
        "steps": steps,
        "seconds": seconds,
        "stop_at": stop_at,
        "extend": extend,
        "seed": seed,
        "out": out,
        "resume": resume,
        "force": force,
        "heal": heal,
        "processes": processes,
        "timeout": timeout,
        "device": device,
        "precision": precision,
        "resize": resize,
        "config": config,
        "settings": settings or (),
    }
    if seeds is not None:
        _train_seeds(recipe, options, seeds, jobs=jobs, engine=engine, dry_run=dry_run, quiet=quiet)
        return
    if dry_run:
        from inkgan.config import as_toml

        resolved, folder = start.configure(recipe, **options)
        typer.echo(f"# would run in {folder}\n{as_toml(resolved)}", nl=False)
        return
    from inkgan.cli.console import watcher_for

    with watcher_for(quiet=quiet, plain=plain) as watcher:
        start.train(recipe, watcher=watcher, **options)


def _train_seeds(
    recipe: str | None,
    options: TrainingOptions,
    seeds: str,
    *,
    jobs: int,
    engine: str,
    dry_run: bool,
    quiet: bool,
) -> None:
    """Train a run for each seed, or print where they would be."""
    from inkgan.cli.many_runs import train_seeds
    from inkgan.device import cores
    from inkgan.training.many_runs import Runs, parse_seeds

    numbers = parse_seeds(seeds)
    task = Runs(recipe, options, None if jobs == 1 else max(1, cores() // jobs))
    if dry_run:
        for seed in numbers:
            typer.echo(f"# would run in {task.folder(seed)}")
        return
    train_seeds(task, numbers, jobs=jobs, engine=engine, quiet=quiet)
