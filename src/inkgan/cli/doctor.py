"""``inkgan doctor``."""

from __future__ import annotations

import textwrap
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inkgan.cli.window import columns
from inkgan.errors import CheckpointError, printable

if TYPE_CHECKING:
    from inkgan.training.doctor import Diagnosis


def doctor(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders; the runs may still be training.")],
    strict: Annotated[
        bool,
        typer.Option(
            "--strict", help="Exit with code 1 if a run is ill at its last logged step, or if no rule could judge it."
        ),
    ] = False,
) -> None:
    """Say how healthy a run is, rule by rule, from what it logged.

    For several runs, it lists only the rules that are or were ill.

    The same rules warn while a run trains. `inkgan help doctor` explains each of them, and says where their
    thresholds come from.

    For example:

        inkgan doctor runs/fast-mnist-seed0
        inkgan doctor runs/hinge-*
        inkgan doctor runs/mine --strict && inkgan sample runs/mine -o digits.png
    """
    all_healthy = True
    for run in runs:
        diagnoses, last = _examine(run)
        states = {diagnosis.state for diagnosis in diagnoses}
        all_healthy &= "ill" not in states and states != {"not judged"}
        for line in report(diagnoses, ill_only=len(runs) > 1, width=columns()):
            typer.echo(line)
        gap = "" if len(runs) > 1 else "\n"
        typer.echo(f"{gap}{printable(run)}: {summary(diagnoses)}{'' if last is None else f', at step {last}'}")
    if strict and not all_healthy:
        raise typer.Exit(1)


def _examine(run: Path) -> tuple[list[Diagnosis], int | None]:
    """Apply every rule to what a run logged; return the diagnoses and the last logged step."""
    from inkgan.generation.loading import is_bundled
    from inkgan.runs import metrics
    from inkgan.runs.folder import RunFolder
    from inkgan.training.doctor import judged

    folder = RunFolder(run)
    if is_bundled(str(run)) and not folder.is_run:
        raise CheckpointError(f"{run} is a bundled model without a log. Name a run, or type `inkgan evaluate {run}`.")
    config = folder.saved_config()
    lines = metrics.read(folder.metrics_file)
    last = max((line["step"] for line in lines), default=None)
    return judged(config, lines, folder.class_names()).diagnoses, last


def report(diagnoses: list[Diagnosis], *, ill_only: bool, width: int) -> list[str]:
    """Return a line for each rule, followed by the sentence and the remedy if there is a finding.

    Args:
        diagnoses: those of all rules.
        ill_only: leave out rules that were healthy all along, or not judged.
        width: where lines are wrapped, except those with settings, so that they can be copied.
    """
    name_width = max(len(diagnosis.rule.name) for diagnosis in diagnoses)
    indent = " " * (name_width + 2)
    lines = []
    for diagnosis in diagnoses:
        if ill_only and diagnosis.state not in {"ill", "was ill"}:
            continue
        sign = "above" if diagnosis.rule.above else "below"
        times = f", {diagnosis.rule.patience} times in a row" if diagnosis.rule.patience > 1 else ""
        detail = diagnosis.reason
        if not detail and diagnosis.value is not None:
            detail = f"{_short(diagnosis.value)} (ill {sign} {_short(diagnosis.threshold)}{times})"
        lines += _wrapped(detail, width, f"{diagnosis.rule.name:{name_width}}  {diagnosis.state:10}  ")
        if diagnosis.finding is not None:
            lines += _wrapped(f"at step {diagnosis.finding.step}: {diagnosis.finding.sentence}.", width, indent)
            remedy = diagnosis.finding.remedy
            if remedy.settings:
                lines.append(f"{indent}{remedy._replace(advice='')}")
            if remedy.advice:
                lines += _wrapped(remedy.advice, width, indent)
    return lines


def _wrapped(text: str, width: int, start: str) -> list[str]:
    """Wrap a text that follows ``start``; its further lines begin below its first word."""
    return textwrap.wrap(text, width, initial_indent=start, subsequent_indent=" " * len(start))


def _short(value: float) -> str:
    """Write a number with three digits, and as a power of ten only from a million on."""
    return f"{float(f'{value:.3g}'):g}"


def summary(diagnoses: list[Diagnosis]) -> str:
    """Count the rules in each state, such as ``1 of 17 rules ill, 14 healthy, 2 not judged``."""
    count = Counter(diagnosis.state for diagnosis in diagnoses)
    rest = [f", {count[state]} {state}" for state in ("was ill", "healthy", "not judged") if count[state]]
    return f"{count['ill']} of {len(diagnoses)} rules ill{''.join(rest)}"
