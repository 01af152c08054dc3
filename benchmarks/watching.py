"""What does watching cost? Steps per second with the default cadence of logs and pictures, and with none.

    python benchmarks/watching.py [--recipe fast] [--steps 300] [--repeats 5]

Both kinds of runs take turns. Each is a whole run on MNIST without checkpoints in between, timed by the run's own
clock, which includes all that a run writes. Prints the medians, their spread, and the share of time that TensorBoard,
metrics.jsonl and the pictures take.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from machine import say
from report import spread

import inkgan

_WITHOUT_DOCTOR = ("watch.doctor_every=0",)
_SILENT = (*_WITHOUT_DOCTOR, "watch.log_every=0", "watch.grid_every=0", "watch.show_every=0")


def seconds_of_a_run(recipe: str, steps: int, settings: tuple[str, ...]) -> float:
    """Train once and return the run's own time."""
    with tempfile.TemporaryDirectory() as folder:
        always = ("pretraining_steps=0", "watch.save_every=1000000000")
        return inkgan.train(recipe, steps=steps, out=Path(folder) / "run", settings=always + settings).seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="fast")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    watched = []
    silent = []
    seconds_of_a_run(given.recipe, 20, ())  # warm-up
    for repeat in range(given.repeats):
        say(f"round {repeat + 1} of {given.repeats}")
        watched.append(given.steps / seconds_of_a_run(given.recipe, given.steps, ()))
        silent.append(given.steps / seconds_of_a_run(given.recipe, given.steps, _SILENT))
    print(f"watched  {spread(watched, '6.2f')} steps/s")
    print(f"silent   {spread(silent, '6.2f')} steps/s")
    costs = [1 - loud / quiet for loud, quiet in zip(watched, silent, strict=True)]
    print(f"watching takes {spread(costs, '.1%')} of the time, n = {len(costs)}")


if __name__ == "__main__":
    main()
