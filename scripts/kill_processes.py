"""Kill processes that train one run, again and again, and compare the result with that of an undisturbed run.

    python scripts/kill_processes.py [--kills 20] [--seed 0]

The run is tiny. Each start has another number of processes: 4, 1, 2, 4 and so on. After a random time, SIGKILL ends a
random one of them, possibly the first. After the last kill, the run is completed. The SHA-256 of its weights,
optimisers and metrics must equal that of an undisturbed run in one process.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from inkgan.runs.folder import RunFolder

_STEPS = 600
_SETTINGS = (
    "slices=4", "batch_size=8", "generator.channels=8", "discriminator.channels=8", "latent_dim=3",
    "watch.save_every=10", "watch.log_every=1",
)  # fmt: skip
#: Seconds after which a process that hears nothing from the others ends, and a little more.
TIMEOUT = 20
_SECONDS_TO_END = TIMEOUT + 10.0
_MARK = "INKGAN_KILL_PROCESSES"


def main() -> None:
    """Kill, resume, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="inkgan-kills-") as place:
        data = make_data(Path(place))
        killed, alone = Path(place) / "killed", Path(place) / "alone"
        kills = kill_and_resume(killed, data, options.kills, random.Random(options.seed))
        for run, arguments in ((killed, ("--processes", "2")), (alone, ())):
            finished = start(run, data, *arguments)
            if finished.wait():
                sys.exit(f"{run.name} could not be finished: {finished.communicate()[1].decode()}")
        same = digest(killed) == digest(alone)
        print(f"{kills} kills; the result is {'the same' if same else 'ANOTHER'} as without them")
        sys.exit(0 if same else 1)


def make_data(place: Path) -> Path:
    """Write a small data set of random images in three classes, and return its path."""
    data = place / "data.npz"
    images = np.random.default_rng(0).integers(0, 256, (40, 12, 12), dtype=np.uint8)
    np.savez(data, images=images, labels=np.arange(40) % 3)
    return data


def kill_and_resume(folder: Path, data: Path, most: int, chance: random.Random) -> int:
    """Start a run and kill one of its processes, up to ``most`` times or until it is complete; return how often."""
    sizes = itertools.cycle((4, 1, 2))
    kills = 0
    while kills < most:
        size = next(sizes)
        first = start(folder, data, "--processes", str(size))
        time.sleep(chance.uniform(2, 15))
        victims = processes_of(folder)
        if first.poll() is None and victims:
            os.kill(chance.choice(victims), signal.SIGKILL)
            kills += 1
        first.wait(60)
        left = left_over(folder)
        saved = RunFolder(folder).newest_step() if RunFolder(folder).is_run else None
        print(f"kill {kills}: {size} processes, exit code {first.returncode}, step {saved}, left over: {len(left)}")
        if left:
            sys.exit("processes are left over")
        if saved == _STEPS:
            break
    return kills


def left_over(folder: Path) -> list[int]:
    """Return the IDs of a run's processes that still exist after they had time to notice that one was killed."""
    until = time.monotonic() + _SECONDS_TO_END
    while (left := processes_of(folder)) and time.monotonic() < until:
        time.sleep(0.1)  # they notice at their next exchange
    return left


def start(folder: Path, data: Path, *options: str) -> subprocess.Popen[bytes]:
    """Start or resume a run, quietly."""
    command = [sys.executable, *arguments(folder, data), *options]
    return subprocess.Popen(command, env=environment(folder), stderr=subprocess.PIPE)


def arguments(folder: Path, data: Path) -> list[str]:
    """Return Python's arguments for the command that starts or resumes a run."""
    command = ["-m", "inkgan", "train", "--data", str(data), "--out", str(folder), "--quiet"]
    command += ["--device", "cpu", "--precision", "float32", "--steps", str(_STEPS), "--timeout", str(TIMEOUT)]
    command += [part for setting in _SETTINGS for part in ("--set", setting)]
    return command + (["--resume"] if RunFolder(folder).is_run else ["--force"] if folder.exists() else [])


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of a run's processes, by which :func:`processes_of` finds them."""
    return os.environ | {"OMP_NUM_THREADS": "1", _MARK: str(folder)}


def processes_of(folder: Path) -> list[int]:
    """Return the IDs of a run's processes."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"{_MARK}={folder}".encode() in (process / "environ").read_bytes().split(b"\0"):
                found.append(int(process.name))
    return found


def digest(folder: Path) -> str:
    """Return the SHA-256 of everything that a complete run has learned and logged, without times."""
    newest = RunFolder(folder).checkpoint("latest")
    found = hashlib.sha256(newest.name.encode())
    for path in sorted(newest.glob("*.safetensors")):
        found.update(path.read_bytes())
    for line in (folder / "metrics.jsonl").read_text("utf-8").splitlines():
        logged = json.loads(line)
        found.update(json.dumps({key: logged[key] for key in sorted(logged) if "second" not in key}).encode())
    return found.hexdigest()


if __name__ == "__main__":
    main()
