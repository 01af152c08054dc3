"""Tiny runs for the tests of training: how to start them, and which of their results must be equal."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import inkgan
from inkgan.config import Config, resolve
from inkgan.images import Images
from inkgan.runs import checkpoint
from inkgan.runs.folder import RunFolder
from inkgan.training import options as training_options
from inkgan.training import start
from inkgan.training.state import PreparedRun
from inkgan.training.team import Team
from inkgan.training.watching import Opinion, Result, StepProgress, Watcher

STEPS = 6
#: The settings that all tiny runs share.
_WATCHED = (
    "batch_size=5",
    "watch.log_every=1",
    "watch.show_every=2",
    "watch.show_seconds=0",
    "watch.grid_every=3",
    "watch.save_every=4",
)
#: A compact recipe, because its checkpoints are small: a run takes a fifth of a second.
SETTINGS = (
    *_WATCHED,
    "recipe=fast",
    "pretraining_steps=2",
    "generator.channels=8",
    "discriminator.channels=8",
    "latent_dim=3",
    "penalty.every=2",
    "generator.learning_rate=1e-3",
    "discriminator.learning_rate=1e-3",
)
#: The tutorial, whose networks cannot be made smaller: a run takes three seconds and writes 200 MB.
TUTORIAL = (*_WATCHED, "recipe=tutorial", "pretraining_steps=2")
#: The state of the runs that :func:`untrained` writes.
UNTRAINED_STATE: dict[str, Any] = {"step": 2, "seconds": 1.0, "digest": "d" * 64, "precision": "float32"}


def command(folder: Path, data: Path, *options: object, steps: int = STEPS, settings: Sequence[str] = ()) -> list[str]:
    """The words of ``inkgan train`` for a tiny run, as :func:`train` starts it, with other options."""
    chosen = dict(setting.split("=", 1) for setting in _chosen(settings))  # none is given twice
    given = [word for key, value in chosen.items() for word in ("--set", f"{key}={value}")]
    fixed = ["train", "--data", data, "--out", folder, "--device", "cpu", "--precision", "float32", "--steps", steps]
    return [str(word) for word in (*fixed, *given, *options)]


def train(folder: Path, data: Path, **options: Any) -> Result:
    """Train a tiny run on the processor; ``options`` are those of :func:`inkgan.train`.

    The settings given are added to :data:`SETTINGS`, and win over them. If they name a recipe, only they are used.
    """
    settings = _chosen(options.pop("settings", ()))
    if not {"steps", "seconds"} & options.keys():
        options["steps"] = STEPS
    given = {"device": "cpu", "precision": "float32", "settings": settings, **options}
    return inkgan.train(data=str(data), out=folder, **given)


def _chosen(settings: Sequence[str]) -> Sequence[str]:
    return settings if any(setting.startswith("recipe=") for setting in settings) else [*SETTINGS, *settings]


def prepare(recipe: str | None = None, *, watcher: Watcher | None = None, **options: Any) -> PreparedRun:
    """Prepare a run that one process trains; ``options`` are those of :func:`inkgan.train`."""
    return start.prepare(training_options.complete_options(recipe, **options), watcher or Watcher(), Team())


def configure(**options: Any) -> tuple[Config, Path]:
    """The settings of a run and its folder; ``options`` are those of :func:`inkgan.train`."""
    config, folder, _ = training_options.configure(training_options.complete_options(**options))
    return config, folder.path


def untrained(path: Path, config: Config | None = None, steps: tuple[int, ...] = (2,)) -> RunFolder:
    """Write the folder of a run as training leaves it, except that its checkpoints hold no arrays."""
    run = RunFolder(path)
    config = config or resolve(overrides=["steps=4", "batch_size=5"])
    path.mkdir(parents=True, exist_ok=True)
    run.start(config, force=False)
    run.add_environment({"threads": 2, "torch": "2", "numpy": "2", "device": "cpu", "cpu": "x"})
    run.metrics_file.write_text('{"step": 0}\n', "utf-8")
    run.tensorboard.mkdir(exist_ok=True)
    (run.tensorboard / "events.out.tfevents.1700000000.inkgan").write_bytes(b"e")
    run.pictures.mkdir(exist_ok=True)
    for name in ("grid-0000000.png", "grid-12345678.png", "sheet.png", "learning.gif"):
        (run.pictures / name).write_bytes(b"p")
    for step in steps:
        documents = {
            "state": UNTRAINED_STATE | {"step": step},
            "model": {"network": "tutorial", "config": config.model_dump()},
        }
        checkpoint.save(run.checkpoints, step, {"generator": {}}, documents)
    return run


def copy(run: Path, to: Path) -> Path:
    """A copy of a run. Its tensor files are links: replace them, never write into them."""
    for path in run.rglob("*"):
        target = to / path.relative_to(run)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".safetensors":
            os.link(path, target)
        elif path.is_file():
            shutil.copyfile(path, target)
    return to


def steps_saved(run: Path) -> list[int]:
    """The steps of a run's checkpoints."""
    return checkpoint.list_steps(run / "checkpoints")


def newest(run: Path) -> Path:
    """The folder of a run's newest checkpoint."""
    return RunFolder(run).checkpoint("latest")


def learned(run: Path) -> dict[str, Any]:
    """All that must be the same bit for bit: the newest checkpoint, the metrics except times, the pictures."""
    folder = newest(run)
    checkpoint.verify(folder)
    files = [*folder.glob("*.safetensors"), folder / "model.json", *(run / "pictures").glob("*")]
    state = checkpoint.read_document(folder, "state")
    return {path.name: path.read_bytes() for path in files} | {
        "metrics": metrics(run),
        "state": {key: value for key, value in state.items() if key != "seconds"},
    }


def metrics(run: Path) -> list[dict[str, float]]:
    """The lines of metrics.jsonl without their time fields."""
    timed = ("seconds", "steps_per_second")
    lines = (run / "metrics.jsonl").read_text("utf-8").splitlines()
    return [{key: value for key, value in json.loads(line).items() if key not in timed} for line in lines]


def damage(path: Path) -> None:
    """Flip one bit in the middle of a file. Other links to the file keep the old content."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.unlink()
    path.write_bytes(content)


def listing(folder: Path) -> dict[str, bytes]:
    """The content of every file under a folder, by its path in it."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class RecordingWatcher(Watcher):
    """A watcher that keeps what a run reports, and calls a function after each logged step."""

    def __init__(self, after: Callable[[int], None] = lambda _: None) -> None:
        self.warnings: list[str] = []
        self.steps: list[int] = []
        self.pictures: list[Images] = []
        self._after = after

    def warn(self, message: str) -> None:
        """Keep a warning."""
        self.warnings.append(message)

    def picture(self, progress: StepProgress | None, image: Images, opinion: Opinion) -> None:
        """Keep a picture."""
        self.pictures.append(image)

    def stepped(self, progress: StepProgress) -> None:
        """Keep the step's number."""
        self.steps.append(progress.step)
        self._after(progress.step)
