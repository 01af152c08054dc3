"""How a run is told on the terminal: a live bar with pictures, plain lines, or nothing."""

from __future__ import annotations

import contextlib
import datetime
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from inkgan.cli.progress import Line
from inkgan.config import Config
from inkgan.pictures import Images, terminal_drawing
from inkgan.trainer import Result
from inkgan.watching import Progress as RunProgress
from inkgan.watching import Silent, Watcher


class ConsoleWatcher(Watcher, Protocol):
    """A watcher that also tells how the run ended."""

    def ended(self, result: Result) -> None:
        """Say where everything is."""


@contextlib.contextmanager
def watcher_for(folder: Path, *, quiet: bool) -> Iterator[ConsoleWatcher]:
    """The watcher that fits: silent if asked, live on a terminal, plain lines elsewhere."""
    if quiet:
        yield _Quiet()
    elif sys.stdout.isatty():
        with _Live(folder) as live:
            yield live
    else:
        yield _Plain(folder)


class _Quiet(Silent):
    """Warnings only."""

    def warn(self, message: str) -> None:
        print(f"inkgan: warning: {message}", file=sys.stderr)  # noqa: T201

    def ended(self, result: Result) -> None:
        """Say nothing."""


class _Plain(_Quiet):
    """A line now and then, for files and pipes."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._line = folder, Line()

    def preparing(self, doing: str, done: float) -> None:
        self._line.tell(doing, done)

    def started(self, config: Config, about: dict[str, Any], first_step: int) -> None:
        self._line.wipe()
        for line in _introduction(self._folder, config, about, first_step):
            _say(line)

    def picture(self, progress: RunProgress | None, image: Images, estimate: float) -> None:
        if progress is None:
            _say(f"the untrained generator: the discriminator's estimate of a picture is {estimate:+.2f}")
        else:
            left = _left(progress)
            _say(f"{_where(progress)}  {_losses(progress)}  estimate {estimate:+.2f}  {_speed(progress)}{left}")

    def ended(self, result: Result) -> None:
        for line in _conclusion(result):
            _say(line)


class _Live(_Plain):
    """A progress bar, and generated pictures drawn with text."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._console = Console(highlight=False)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[losses]}"),
            TextColumn("{task.fields[speed]}"),
            _TimeLeft(),
            console=self._console,
            transient=True,
        )
        self._task = self._bar.add_task("starting", losses="", speed="", left="", total=None)

    def __enter__(self) -> _Live:
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def preparing(self, doing: str, done: float) -> None:
        self._bar.update(self._task, description=doing, total=1.0, completed=done)

    def warn(self, message: str) -> None:
        self._console.print(Text(f"warning: {message}", style="yellow"))

    def started(self, config: Config, about: dict[str, Any], first_step: int) -> None:
        for line in _introduction(self._folder, config, about, first_step):
            self._console.print(Text(line))

    def stepped(self, progress: RunProgress) -> None:
        total: float | None
        if progress.step < 0:
            description, total, completed = f"pre-training, {-progress.step} left", None, 0.0
        elif progress.steps is not None:
            description, total, completed = f"step {progress.step}", progress.steps, progress.step
        else:
            description, total, completed = f"step {progress.step}", progress.seconds_total, progress.seconds
        self._bar.update(
            self._task,
            description=description,
            total=total,
            completed=completed,
            losses=_losses(progress),
            speed=_speed(progress),
            left=_left(progress),
        )

    def picture(self, progress: RunProgress | None, image: Images, estimate: float) -> None:
        drawing = terminal_drawing(image, colour=self._console.color_system is not None)
        title = "the untrained generator" if progress is None else _where(progress)
        now = datetime.datetime.now().astimezone().strftime("%H:%M:%S")
        said = "real" if estimate > 0 else "generated"
        text = f"{title} at {now}; the discriminator takes this for {said} (estimate {estimate:+.2f})"
        self._console.print(Text(text, style="bold"))
        self._console.print(Text.from_ansi(drawing))

    def ended(self, result: Result) -> None:
        self._bar.stop()
        for line in _conclusion(result):
            self._console.print(Text(line))


class _TimeLeft(ProgressColumn):
    """The time left, as the run itself estimates it."""

    def render(self, task: Task) -> Text:
        return Text(str(task.fields["left"]))


def _introduction(folder: Path, config: Config, about: dict[str, Any], first_step: int) -> list[str]:
    length = f"{config.steps} steps" if config.steps is not None else f"{config.seconds:g} seconds"
    begin = "training" if first_step == -config.pretraining_steps else f"resuming at step {first_step}:"
    where = f"{about['device']}, {about['threads']} threads, {about['precision']}"
    return [
        f"{begin} {config.recipe} on {config.data.name} for {length}, seed {config.seed}; {where}",
        f"run folder: {folder}   (tensorboard --logdir {shlex.quote(str(folder))})",
    ]


def _conclusion(result: Result) -> list[str]:
    took, folder = _clock(result.seconds), shlex.quote(str(result.folder))  # the commands can be pasted
    if not result.complete:
        return [f"stopped after step {result.step} and saved. Go on with: inkgan train --resume --out {folder}"]
    return [
        f"done: {result.step} steps in {took}",
        f"what it draws:      {result.sheet}",
        f"how it learned:     {result.folder / 'pictures' / 'learning.gif'}",
        f"more of them:       inkgan sample {folder} -n 100 -o more.png",
        f"how good are they: inkgan evaluate {folder}",
    ]


def _where(progress: RunProgress) -> str:
    if progress.step < 0:
        return f"pre-training, {-progress.step} steps left"
    total = f"/{progress.steps}" if progress.steps is not None else ""
    return f"step {progress.step}{total}"


def _losses(progress: RunProgress) -> str:
    short = {"loss_discriminator": "D", "loss_real": "D real", "loss_fake": "D fake", "loss_generator": "G"}
    return "  ".join(f"{short[name]} {value:.3f}" for name, value in progress.terms.items() if name in short)


def _speed(progress: RunProgress) -> str:
    return f"{progress.steps_per_second:.1f} steps/s" if progress.steps_per_second else ""


def _left(progress: RunProgress) -> str:
    if progress.seconds_total is not None:
        return f"  {_clock(progress.seconds_total - progress.seconds)} left"
    if progress.steps is None or not progress.steps_per_second:
        return ""
    return f"  {_clock((progress.steps - progress.step) / progress.steps_per_second)} left"


def _clock(seconds: float) -> str:
    return str(datetime.timedelta(seconds=max(0, round(seconds))))


def _say(line: str) -> None:
    """Print a line; if its reader went away or its disk is full, the run goes on in silence."""
    with contextlib.suppress(OSError, ValueError):
        print(line, flush=True)  # noqa: T201
