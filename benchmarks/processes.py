"""What do more processes gain? Steps per second of `fast` with 1, 2 and 4 processes at one global batch.

    python benchmarks/processes.py [--steps 60] [--repeats 3] [--record]

One process without slices is the default of a run. All other configurations cut the batch into four slices, so they
compute the same bits whatever their number of processes. The processors are divided among the processes. The run's own
clock times the steps, so the start of the processes is not included; nothing is logged, drawn or examined.
Configurations take turns; ratios are taken within a round.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from machine import hardware, say
from report import finish, heading, parser_for, result_name, spread, table
from watching import SILENT

import inkgan
from inkgan.device import cores

#: The number of processes and of slices of each configuration. The others are compared with the first.
CONFIGURATIONS = ((1, 1), (1, 4), (2, 4), (4, 4))


def steps_per_second(processes: int, slices: int, steps: int) -> float:
    """Train once, and return the speed by the run's own clock."""
    with tempfile.TemporaryDirectory(prefix="inkgan-processes-") as folder:
        settings = (*SILENT, "watch.save_every=1000000000", f"slices={slices}")
        result = inkgan.train(steps=steps, out=Path(folder) / "run", processes=processes, settings=settings)
    return steps / result.seconds


def main() -> None:
    """Measure and report."""
    parser = parser_for(__doc__ or "")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    rounds = []
    for number in range(options.repeats):
        say(f"round {number + 1} of {options.repeats}")
        rounds.append([steps_per_second(*one, options.steps) for one in CONFIGURATIONS])
    rows = [["processes", "slices", "steps/s", "of the first"]]
    for at, (processes, slices) in enumerate(CONFIGURATIONS):
        speeds = [one[at] for one in rounds]
        ratios = [one[at] / one[0] for one in rounds]
        rows.append([str(processes), str(slices), spread(speeds, ".2f"), spread(ratios, ".2f")])
    notes = [f"median [smallest to largest] of {options.repeats} rounds of {options.steps} steps"]
    text = "\n".join([*heading("Processes that share a batch", cores(), *notes), table(rows)])
    finish(result_name(f"processes_{hardware()}", parser, options), options, text, rounds)


if __name__ == "__main__":
    main()
