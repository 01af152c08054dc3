"""Does ``--heal`` heal? Learning rates a hundred times too high, with and without it, compared with healthy runs.

    python benchmarks/healing.py [--seeds 5] [--steps 400] [--record]

Runs of ``fast`` on MNIST fall ill in one of three ways. Each is trained with and without ``--heal``, and measured by
the Fréchet digit distance of 5,000 images. A run whose losses or gradients are not finite ends there and has no
distance.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from machine import say
from report import finish, heading, parser_for, result_name, spread, table
from time_to_quality import Reference

import inkgan
from inkgan.errors import DivergenceError
from inkgan.runs.folder import RunFolder

#: The planted faults: settings of the run with a rate of 0.3 instead of 0.003.
FAULTS = {
    "none": (),
    "both rates × 100 from the start": ("generator.learning_rate=0.3", "discriminator.learning_rate=0.3"),
    "both rates × 100 from step 200 on": (
        'changes=["200 generator.learning_rate=0.3 discriminator.learning_rate=0.3"]',
    ),
    "the generator's rate × 100 from step 200 on": ('changes=["200 generator.learning_rate=0.3"]',),
}


class Outcome(NamedTuple):
    """How a run ended: its distance, or None if it broke down, and how often it was healed."""

    distance: float | None
    healings: int


def outcome(fault: str, seed: int, steps: int, reference: Reference, *, heal: bool) -> Outcome:
    """Train and measure one run."""
    settings = (f"seed={seed}", "watch.save_every=50", *FAULTS[fault])
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        try:
            inkgan.train("fast", steps=steps, out=out, settings=settings, heal=heal)
            distance = reference.distance(inkgan.load(out).sample(5000)[..., None]).value
        except DivergenceError:
            distance = None
        return Outcome(distance, RunFolder(out).saved_config().healings)


def row(fault: str, outcomes: Sequence[Outcome], *, heal: bool) -> list[str]:
    """Return the table row for all seeds of a fault."""
    distances = [one.distance for one in outcomes if one.distance is not None]
    healings = spread([one.healings for one in outcomes], ".0f") if heal else ""
    ends = f"{len(outcomes) - len(distances)} of {len(outcomes)}"
    return [fault, "yes" if heal else "no", ends, spread(distances) if distances else "", healings]


def main() -> None:
    """Train all, measure and report."""
    parser = parser_for(__doc__ or "")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=400, help="of a run; two of the faults begin at step 200")
    options: argparse.Namespace = parser.parse_args()
    reference = Reference()
    rows = [["planted", "--heal", "broke down", "Fréchet digit distance", "healings"]]
    for fault in FAULTS:
        for heal in (False, True):
            outcomes = []
            for seed in range(options.seeds):
                outcomes.append(outcome(fault, seed, options.steps, reference, heal=heal))
                say(f"{fault}, seed {seed}, {'with' if heal else 'without'} --heal: {outcomes[-1]}")
            rows.append(row(fault, outcomes, heal=heal))
    notes = (
        f"{options.steps} steps of `fast`, a checkpoint every 50; {options.seeds} seeds, median [smallest to largest]"
    )
    text = "\n".join([*heading("Healing", torch.get_num_threads(), notes), table(rows)])
    finish(result_name("healing", parser, options), options, text)


if __name__ == "__main__":
    main()
