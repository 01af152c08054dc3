"""``inkgan doctor``."""

from __future__ import annotations

import textwrap
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from inkgan.training.doctor import Diagnosis

#: Sentences are wrapped to this.
_WIDTH = 100


def doctor(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder; the run may still be training.")],
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with code 1 if the run is ill at its last logged step.")
    ] = False,
) -> None:
    """Say how healthy a run is, rule by rule, from what it logged.

    The same rules warn while a run trains. `inkgan help doctor` explains each of them, and says how they were measured.

    For example:

        inkgan doctor runs/fast-mnist-seed0
        inkgan doctor runs/fast-mnist-seed0 --strict && inkgan sample runs/fast-mnist-seed0 -o digits.png
    """
    from inkgan.runs import metrics
    from inkgan.runs.folder import RunFolder
    from inkgan.training.doctor import judged

    folder = RunFolder(run)
    config = folder.saved_config()
    lines = metrics.read(folder.metrics_file)
    found = judged(config, lines, folder.class_names())
    last = max((line["step"] for line in lines), default=None)
    diagnoses = found.diagnoses()
    for line in report(diagnoses):
        typer.echo(line)
    typer.echo(f"\n{run}: {summary(diagnoses)}{'' if last is None else f', at step {last}'}")
    if strict and found.findings:
        raise typer.Exit(1)


def report(diagnoses: list[Diagnosis]) -> list[str]:
    """A line for each rule, and below those that are ill the sentence and the remedy."""
    width = max(len(diagnosis.rule.name) for diagnosis in diagnoses)
    lines = []
    for one in diagnoses:
        sign = "above" if one.rule.above else "below"
        detail = one.reason or f"{one.value:.3g} (ill {sign} {one.threshold:.3g})"
        lines.append(f"{one.rule.name:{width}}  {one.state:10}  {detail}")
        if one.finding is not None:
            indent = " " * (width + 2)
            sentence = f"at step {one.finding.step}: {one.finding.sentence}."
            lines += textwrap.wrap(sentence, _WIDTH, initial_indent=indent, subsequent_indent=indent)
            lines += [f"{indent}{one.finding.remedy}"]  # in one line, so that its settings can be copied
    return lines


def summary(diagnoses: list[Diagnosis]) -> str:
    """How many rules say what, such as ``1 of 17 rules ill, 14 healthy, 2 not judged``."""
    count = Counter(one.state for one in diagnoses)
    rest = [f", {count[state]} {state}" for state in ("was ill", "healthy", "not judged") if count[state]]
    return f"{count['ill']} of {len(diagnoses)} rules ill{''.join(rest)}"
