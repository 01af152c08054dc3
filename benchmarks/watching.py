"""What does watching cost? Steps per second with the default frequency of logs and pictures, and with none.

    python benchmarks/watching.py [--recipe fast] [--steps 300] [--repeats 5]

Both kinds of runs take turns. Each is a whole run on MNIST without checkpoints in between, timed by the run's own
clock, which includes everything that a run writes. The script prints the medians, their spread, and the share of time
that TensorBoard, metrics.jsonl and the pictures take.

    python benchmarks/watching.py --doctor [--recipe fast] [--repeats 20]

What does the doctor cost? Steps and looks take turns in one thread. The script measures the processor time of each,
which other programs disturb less than the clock.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import torch
from machine import say
from report import spread

import inkgan
from inkgan.config import resolve
from inkgan.data import load
from inkgan.training.doctor.probe import Probe
from inkgan.training.loop import Batches
from inkgan.training.recipe import StepInfo
from inkgan.training.start import build

WITHOUT_DOCTOR = ("watch.doctor_every=0",)
SILENT = (*WITHOUT_DOCTOR, "watch.log_every=0", "watch.grid_every=0", "watch.show_every=0")


def seconds_of_a_run(recipe: str, steps: int, settings: tuple[str, ...]) -> float:
    """Train once and return the run's own time."""
    with tempfile.TemporaryDirectory() as folder:
        always = ("pretraining_steps=0", "watch.save_every=1000000000")
        return inkgan.train(recipe, steps=steps, out=Path(folder) / "run", settings=always + settings).seconds


def share_of_the_doctor(recipe: str, repeats: int) -> list[float]:
    """Return the processor time of a look, divided by that of the steps from one look to the next."""
    torch.set_num_threads(1)
    config = resolve(overrides={"recipe": recipe})
    data, device = load(config.data.name), torch.device("cpu")
    made = build(config, data.image_shape, len(data.class_names), device, torch.float32)
    batches, probe = Batches(data, config, device), Probe(made, data, config, device)
    shares = []
    for number in range(repeats + 2):
        step_time = 0.0
        for part in range(config.penalty.every):  # a whole period, because not every step computes the penalty
            step = number * config.penalty.every + part
            real, labels = batches.batch(step)
            begin = time.process_time()
            made.step(StepInfo(step, step, 0.0), real, labels)
            step_time += (time.process_time() - begin) / config.penalty.every
        begin = time.process_time()
        probe.look(real)
        shares.append((time.process_time() - begin) / (config.watch.doctor_every * step_time))
    return shares[2:]  # without the warm-up


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="fast")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--doctor", action="store_true", help="measure the doctor instead")
    given = parser.parse_args()
    if given.doctor:
        shares = share_of_the_doctor(given.recipe, given.repeats)
        print(f"the doctor takes {spread(shares, '.2%')} of the time of {given.recipe}, n = {len(shares)}")
        return
    watched = []
    silent = []
    seconds_of_a_run(given.recipe, 20, ())  # warm-up
    for repeat in range(given.repeats):
        say(f"round {repeat + 1} of {given.repeats}")
        watched.append(given.steps / seconds_of_a_run(given.recipe, given.steps, ()))
        silent.append(given.steps / seconds_of_a_run(given.recipe, given.steps, SILENT))
    print(f"watched  {spread(watched, '6.2f')} steps/s")
    print(f"silent   {spread(silent, '6.2f')} steps/s")
    costs = [1 - loud / quiet for loud, quiet in zip(watched, silent, strict=True)]
    print(f"watching takes {spread(costs, '.1%')} of the time, n = {len(costs)}")


if __name__ == "__main__":
    main()
