"""How a run is told on the terminal: a live bar with pictures, plain lines, or nothing."""

from __future__ import annotations

import contextlib
import datetime
import math
import shlex
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, Task, TextColumn
from rich.progress import Progress as Bar
from rich.text import Text

from inkgan.cli.progress import Line
from inkgan.config import Config
from inkgan.generation.model import is_bundled
from inkgan.images import Images, terminal_drawing
from inkgan.training.loop import Result
from inkgan.training.watching import Silent, StepProgress, Watcher

#: The bar is drawn this often at most.
_SECONDS_BETWEEN = 0.1


class ConsoleWatcher(Watcher, Protocol):
    """A watcher that also tells how the run ended."""

    def ended(self, result: Result) -> None:
        """Say where everything is."""


@contextlib.contextmanager
def watcher_for(*, quiet: bool) -> Iterator[ConsoleWatcher]:
    """The watcher that fits: silent if asked, live on a terminal, plain lines elsewhere."""
    if quiet:
        yield _Quiet()
    elif sys.stdout.isatty():
        with _Live() as live:
            yield live
    else:
        yield _Plain()


class _Quiet(Silent):
    """Warnings only."""

    def warn(self, message: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            print(f"inkgan: warning: {message}", file=sys.stderr, flush=True)  # noqa: T201

    def ended(self, result: Result) -> None:
        """Say nothing."""


class _Plain(_Quiet):
    """A line now and then, for files and pipes."""

    def __init__(self) -> None:
        self._line = Line()

    @contextlib.contextmanager
    def telling(self) -> Iterator[None]:
        """A terminal or a reader that went away, a full disk or letters that cannot be shown do not end a run."""
        try:
            yield
        except OSError:
            self.mute()
        except ValueError:
            pass

    def mute(self) -> None:
        """Nobody listens any more; say nothing, also not at exit."""
        sys.stdout = None

    def say(self, line: str) -> None:
        """Print a line."""
        with self.telling():
            print(line, flush=True)  # noqa: T201

    def preparing(self, doing: str, done: float) -> None:
        self._line.report(doing, done)

    def started(self, folder: Path, config: Config, about: dict[str, Any], first_step: int) -> None:
        self._line.clear()
        for line in _introduction(folder, config, about, first_step):
            self.say(line)

    def picture(self, progress: StepProgress | None, image: Images, estimate: float) -> None:
        if progress is None:
            self.say(f"the untrained generator: the discriminator's estimate of a picture is {estimate:+.2f}")
        else:
            left = _left(progress)
            self.say(f"{_where(progress)}  {_losses(progress)}  estimate {estimate:+.2f}  {_speed(progress)}{left}")

    def ended(self, result: Result) -> None:
        for line in _conclusion(result):
            self.say(line)


class _Live(_Plain):
    """A progress bar, and generated pictures drawn with text."""

    def __init__(self) -> None:
        super().__init__()
        self._console = _Terminal(highlight=False)
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[losses]}"),
            TextColumn("{task.fields[speed]}"),
            _TimeLeft(),
            console=self._console,
            transient=True,
            auto_refresh=False,  # from a thread of its own, which would end noisily with its terminal
        )
        self._task = self._bar.add_task("starting", losses="", speed="", left="", total=None)
        self._refreshed = -math.inf

    def __enter__(self) -> _Live:
        with self.telling():
            self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop()
        if self._console.quiet:
            super().mute()  # not before: while the bar is there, rich stands in for stdout

    def mute(self) -> None:
        self._console.quiet = True  # else it would keep what it could not write

    def say(self, line: str) -> None:
        with self.telling():
            self._console.print(Text(line))

    def preparing(self, doing: str, done: float) -> None:
        self._update(description=doing, total=1.0, completed=done)

    def warn(self, message: str) -> None:
        with self.telling():
            self._console.print(Text(f"warning: {message}", style="yellow"))

    def stepped(self, progress: StepProgress) -> None:
        total: float | None
        if progress.step < 0:
            description, total, completed = f"pre-training, {-progress.step} left", None, 0.0
        elif progress.steps is not None:
            description, total, completed = f"step {progress.step}", progress.steps, progress.step
        else:
            description, total, completed = f"step {progress.step}", progress.seconds_total, progress.seconds
        self._update(
            description=description,
            total=total,
            completed=completed,
            losses=_losses(progress),
            speed=_speed(progress),
            left=_left(progress),
        )

    def picture(self, progress: StepProgress | None, image: Images, estimate: float) -> None:
        drawing = terminal_drawing(image, colour=self._console.color_system is not None)
        title = "the untrained generator" if progress is None else _where(progress)
        now = datetime.datetime.now().astimezone().strftime("%H:%M:%S")
        said = "real" if estimate > 0 else "generated"
        text = f"{title} at {now}; the discriminator takes this for {said} (estimate {estimate:+.2f})"
        with self.telling():
            self._console.print(Text(text, style="bold"))
            self._console.print(Text.from_ansi(drawing))

    def ended(self, result: Result) -> None:
        self._stop()
        super().ended(result)

    def _stop(self) -> None:
        with self.telling(), contextlib.suppress(IndexError):  # rich's, if the bar could not even start
            self._bar.stop()

    def _update(self, **columns: Any) -> None:
        now = time.monotonic()
        fresh = now - self._refreshed >= _SECONDS_BETWEEN
        self._refreshed = now if fresh else self._refreshed
        with self.telling():
            self._bar.update(self._task, refresh=fresh, **columns)


class _Terminal(Console):
    """A terminal whose end is not that of the program."""

    def on_broken_pipe(self) -> None:
        self.quiet = True


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
    place = str(result.folder)
    if is_bundled(place):
        place = f"./{place}"  # else it would name the bundled model
    took, folder = _clock(result.seconds), shlex.quote(place)  # the commands can be pasted
    if not result.complete:
        return [f"stopped after step {result.step} and saved. Go on with: inkgan train --resume --out {folder}"]
    return [
        f"done: {result.step} steps in {took}",
        f"what it draws:      {result.sheet}",
        f"how it learned:     {result.folder / 'pictures' / 'learning.gif'}",
        f"more of them:       inkgan sample {folder} -n 100 -o more.png",
        f"how good are they:  inkgan evaluate {folder}",
    ]


def _where(progress: StepProgress) -> str:
    if progress.step < 0:
        return f"pre-training, {-progress.step} steps left"
    total = f"/{progress.steps}" if progress.steps is not None else ""
    return f"step {progress.step}{total}"


def _losses(progress: StepProgress) -> str:
    short = {"loss_discriminator": "D", "loss_real": "D real", "loss_fake": "D fake", "loss_generator": "G"}
    return "  ".join(f"{short[name]} {value:.3f}" for name, value in progress.terms.items() if name in short)


def _speed(progress: StepProgress) -> str:
    return f"{progress.steps_per_second:.1f} steps/s" if progress.steps_per_second else ""


def _left(progress: StepProgress) -> str:
    if progress.seconds_total is not None:
        return f"  {_clock(progress.seconds_total - progress.seconds)} left"
    if progress.steps is None or not progress.steps_per_second:
        return ""
    return f"  {_clock((progress.steps - progress.step) / progress.steps_per_second)} left"


def _clock(seconds: float) -> str:
    return str(datetime.timedelta(seconds=max(0, round(seconds))))
