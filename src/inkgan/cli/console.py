"""How a run is shown on the terminal: a live bar with pictures, plain lines, or nothing."""

from __future__ import annotations

import contextlib
import datetime
import math
import shlex
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, Task, TextColumn
from rich.progress import Progress as Bar
from rich.text import Text

from inkgan.cli.progress import Line
from inkgan.config import Config
from inkgan.generation.model import is_bundled
from inkgan.images import Images, terminal_drawing
from inkgan.training.watching import Opinion, Result, Silent, StepProgress, Watcher, as_clock, introduction, steps_text

#: The bar is drawn this often at most.
_SECONDS_BETWEEN = 0.1
#: Where pictures are rare because steps are slow, a line says this often how far the run is.
_SECONDS_OF_SILENCE = 30.0


@contextlib.contextmanager
def watcher_for(*, quiet: bool) -> Iterator[Watcher]:
    """The watcher for this process: silent if asked, live on a terminal, plain lines elsewhere."""
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


class _Plain(_Quiet):
    """A line now and then, for files and pipes."""

    def __init__(self) -> None:
        self._line = Line()
        self._said_at = time.monotonic()

    @contextlib.contextmanager
    def telling(self) -> Iterator[None]:
        """Let the run go on if its terminal or reader goes away, the disk is full, or text cannot be encoded."""
        try:
            yield
        except OSError:
            self.mute()
        except ValueError:
            pass

    def mute(self) -> None:
        """Print nothing any more, also not at exit."""
        sys.stdout = None

    def say(self, line: str) -> None:
        """Print a line."""
        self._said_at = time.monotonic()
        with self.telling():
            print(line, flush=True)  # noqa: T201

    def preparing(self, doing: str, done: float) -> None:
        self._line.report(doing, done)

    def started(self, folder: Path, config: Config, about: dict[str, Any], first_step: int) -> None:
        self._line.clear()
        self.say(introduction(config, about, first_step))
        self.say(f"run folder: {folder}   (tensorboard --logdir {shlex.quote(str(folder))})")

    def picture(self, progress: StepProgress | None, image: Images, opinion: Opinion) -> None:
        if progress is None:
            self.say(f"the untrained generator's first picture: {opinion.sentence}")
        else:
            self._say_step(progress, str(opinion))

    def stepped(self, progress: StepProgress) -> None:
        if time.monotonic() - self._said_at >= _SECONDS_OF_SILENCE:
            self._say_step(progress)

    def ended(self, result: Result) -> None:
        for line in _conclusion(result):
            self.say(line)

    def _say_step(self, progress: StepProgress, *more: str) -> None:
        words = [progress.position, progress.losses, progress.comparison, *more, progress.speed, progress.time_left]
        self.say("  ".join(word for word in words if word))


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
            losses=progress.losses,
            speed=progress.speed,
            left=progress.time_left,
        )

    def picture(self, progress: StepProgress | None, image: Images, opinion: Opinion) -> None:
        stride = -(-image.shape[1] // self._console.width)  # a large image loses pixels
        drawing = terminal_drawing(image[::stride, ::stride], colour=self._console.color_system is not None)
        title = "the untrained generator" if progress is None else progress.position
        now = datetime.datetime.now().astimezone().strftime("%H:%M:%S")
        with self.telling():
            self._console.print(Text(f"{title} at {now}; {opinion.sentence}", style="bold"))
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


def _conclusion(result: Result) -> list[str]:
    place = str(result.folder)
    if is_bundled(place):
        place = f"./{place}"  # else it would name the bundled model
    folder = shlex.quote(place)  # the commands can be pasted
    if not result.complete:
        return [f"stopped after step {result.step} and saved. Continue with: inkgan train --resume --out {folder}"]
    return [
        f"done: {steps_text(result.step)} in {as_clock(result.seconds)}",
        f"what it draws:      {result.sheet}",
        f"how it learned:     {result.folder / 'pictures' / 'learning.gif'}",
        f"more of them:       inkgan sample {folder} -n 100 -o more.png",
        f"how good are they:  inkgan evaluate {folder}",
    ]
