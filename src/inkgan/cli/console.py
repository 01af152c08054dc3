"""Show a run on the terminal: as a live panel, a bar with pictures that scroll, plain lines, or not at all."""

from __future__ import annotations

import contextlib
import datetime
import math
import shlex
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from inkgan.cli.drawing import in_characters, side_by_side
from inkgan.cli.panel import Panel, has_colours
from inkgan.cli.progress import ProgressLine, optional_output
from inkgan.cli.window import Suspension, in_foreground
from inkgan.config import Config
from inkgan.errors import InkganWarning, printable, quantity
from inkgan.generation.loading import is_bundled
from inkgan.images import Images
from inkgan.training.watching import Opinion, Result, StepProgress, Watcher, as_clock, at_step, introduction

#: The shortest time between two drawings of the bar, and of the panel.
_SECONDS_BETWEEN_BARS = 0.1
_SECONDS_BETWEEN_PANELS = 0.5
#: Drawing the panel takes at most this share of the time.
_SHARE_FOR_PANELS = 0.01
#: The number of lines of text that follow a run's last pictures, once its panel is gone.
_LINES_AFTER = 8
#: If steps are slow and pictures rare, a line reports the progress this often.
_SECONDS_OF_SILENCE = 30.0


def watcher_for(*, quiet: bool, plain: bool = False) -> contextlib.AbstractContextManager[Watcher]:
    """Return the watcher for this process: silent if asked, live on a terminal, plain lines elsewhere.

    Args:
        quiet: show only warnings.
        plain: on a terminal, show lines and pictures that scroll instead of a panel.
    """
    if quiet:
        return contextlib.nullcontext(_Quiet())
    if not sys.stdout.isatty():
        return contextlib.nullcontext(_Plain())
    return _Live(scrolls=plain)


class _Quiet(Watcher):
    """Warnings only."""

    def warn(self, message: str) -> None:
        warnings.warn(message, InkganWarning, stacklevel=2)  # the command line prints it


class _Plain(_Quiet):
    """A line now and then, for files and pipes."""

    def __init__(self) -> None:
        self._line = ProgressLine()
        self._said_at = time.monotonic()
        self._heading: list[str] = []
        self._first_step: int | None = None
        self._can_be_longer = False

    def say(self, line: str) -> None:
        """Print a line."""
        self._said_at = time.monotonic()
        with optional_output():
            print(line, flush=True)  # noqa: T201

    def preparing(self, doing: str, done: float) -> None:
        self._line.report(doing, done)

    def started(self, folder: Path, config: Config, about: dict[str, Any], first_step: int) -> None:
        self._line.clear()
        self._first_step, self._can_be_longer = first_step, config.steps is not None
        self._heading = [
            introduction(config, about, first_step),
            f"run folder: {printable(folder)}   (tensorboard --logdir {shlex.quote(str(folder))})",
        ]
        for line in self._heading:
            self.say(line)

    def picture(self, progress: StepProgress | None, image: Images, opinion: Opinion) -> None:
        if progress is None:
            self.say(f"the untrained generator's first picture: {opinion.sentence}")
        else:
            self.say(progress.line(str(opinion)))

    def stepped(self, progress: StepProgress) -> None:
        if time.monotonic() - self._said_at >= _SECONDS_OF_SILENCE:
            self.say(progress.line())

    def ended(self, result: Result) -> None:
        for line in _conclusion(result, nothing_done=result.step == self._first_step, longer=self._can_be_longer):
            self.say(line)


class _Live(_Plain):
    """A panel that is drawn in place; or, as in the tutorial, lines and pictures that scroll above its progress bar.

    Args:
        scrolls: show only the panel's bar. So do the tutorial and simple terminals.
    """

    def __init__(self, *, scrolls: bool) -> None:
        super().__init__()
        self._scrolls = scrolls
        self._console = _Terminal(highlight=False)
        self._has_blocks = self._console.encoding.startswith("utf")  # Unicode has them
        self._panel = Panel()
        self._live: Live | None = None
        self._is_over = False
        self._suspension = Suspension(self._close, self._return)
        self._size = self._console.size
        self._due = -math.inf

    def __enter__(self) -> _Live:
        self._suspension.__enter__()
        self._draw()  # at once, because PyTorch takes seconds to load
        self._due = -math.inf
        return self

    def __exit__(self, *error: object) -> None:
        self._is_over = True
        self._close()
        self._suspension.__exit__()
        if self._console.quiet:
            sys.stdout = None  # print nothing more, not even at exit; while the panel was shown, rich replaced stdout

    @contextlib.contextmanager
    def printing(self) -> Iterator[None]:
        """Let Ctrl-Z wait until this is drawn; go quiet if the terminal goes away, and skip what it cannot encode."""
        with self._suspension.drawing():
            try:
                yield
            except OSError:
                self._console.quiet = True  # else it would buffer what it could not write
            except UnicodeEncodeError:
                pass

    def _print(self, *parts: RenderableType) -> None:
        self._said_at = time.monotonic()
        with self.printing():
            for part in parts:
                # The terminal itself wraps text, so that a long command is copied as one line.
                self._console.print(part, soft_wrap=isinstance(part, Text))

    def say(self, line: str) -> None:
        self._print(Text(line))

    def preparing(self, doing: str, done: float) -> None:
        if not self._console.is_interactive:  # it shows no bar
            super().preparing(doing, done)
        self._panel.preparing = (doing, done)
        self._draw()

    def started(self, folder: Path, config: Config, about: dict[str, Any], first_step: int) -> None:
        super().started(folder, config, about, first_step)
        share = max(first_step, 0) / (config.steps or math.inf)
        self._panel.preparing = (at_step(first_step) if first_step > 0 else "the untrained generator", share)
        self._panel.has_doctor = config.watch.doctor_every > 0
        can_draw = self._console.is_interactive and self._has_blocks
        self._panel.is_whole = can_draw and config.recipe != "tutorial" and not self._scrolls
        self._due = -math.inf

    def warn(self, message: str) -> None:
        self._print(Text(f"warning: {message}", style="yellow"))

    def picture(self, progress: StepProgress | None, image: Images, opinion: Opinion) -> None:
        if self._panel.is_whole:
            return
        stride = -(-image.shape[1] // self._console.width)  # skip pixels of an image that is wider than the window
        image = image[::stride, ::stride]
        image = np.pad(image, [(0, len(image) % 2), (0, 0), (0, 0)])  # a character shows two rows
        drawing: RenderableType = Text(in_characters(image))
        if has_colours(self._console) and self._has_blocks:
            drawing = side_by_side(image[None], image.shape[1], len(image) // 2, colour=True)
        title = "the untrained generator" if progress is None else progress.position
        now = datetime.datetime.now().astimezone().strftime("%H:%M:%S")
        self._print(Text(f"{title} at {now}; {opinion.sentence}", style="bold"), drawing)

    def fixed(self, images: Images) -> None:
        self._panel.images = images
        self._draw()

    def verdict(self, finding: str | None) -> None:
        self._panel.finding = finding
        self._draw()

    def stepped(self, progress: StepProgress) -> None:
        if not self._console.is_interactive:
            super().stepped(progress)
        self._panel.stepped(progress)
        self._draw()

    def ended(self, result: Result) -> None:
        self._is_over = True
        self._close()
        if self._panel.is_whole and result.complete and self._panel.images is not None:
            columns, rows = self._console.size
            colour = has_colours(self._console)
            self._print(side_by_side(self._panel.images, columns, rows - _LINES_AFTER, colour=colour))
        super().ended(result)

    @property
    def _is_resized(self) -> bool:
        return self._panel.is_whole and self._console.size != self._size

    def _open(self) -> None:
        self._size = self._console.size
        # auto_refresh=False, because rich's own thread would fail noisily when the terminal goes away.
        self._live = Live(
            self._panel,
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stderr=sys.stderr.isatty(),  # what goes to a file goes there
        )
        with self.printing():
            self._live.start()

    def _draw(self) -> None:
        """Draw the panel if it is due, or if its window has another size."""
        now = time.monotonic()
        if now < self._due and not self._is_resized:
            return
        if self._live is None and not self._is_over and in_foreground():
            self._open()
        if self._live is None:
            return
        with self.printing():
            if self._is_resized:
                # A narrower window wraps the lines that are already there, so rich would redraw in the wrong place.
                self._close()
                self._console.clear()
                for line in self._heading:
                    self.say(line)
                self._open()
            self._live.refresh()
        cost = time.monotonic() - now
        pause = _SECONDS_BETWEEN_PANELS if self._panel.is_whole else _SECONDS_BETWEEN_BARS
        self._due = now + max(pause, cost / _SHARE_FOR_PANELS)

    def _close(self) -> None:
        if self._live is not None:
            with self.printing(), contextlib.suppress(IndexError):  # from rich, if it never started
                self._live.stop()
            self._live = None

    def _return(self) -> None:
        self._due = -math.inf
        self._draw()


class _Terminal(Console):
    """A console that goes quiet when its terminal goes away; rich's own would end the program."""

    def on_broken_pipe(self) -> None:
        self.quiet = True


def _conclusion(result: Result, *, nothing_done: bool, longer: bool) -> list[str]:
    """Return the last lines: how the run ended, and commands to paste.

    Args:
        result: that of the run.
        nothing_done: whether the run was there before it was resumed.
        longer: whether --extend can make it longer.
    """
    place = str(result.folder)
    if is_bundled(place) or place.startswith("-"):
        place = f"./{place}"  # else it would name the bundled model, or look like an option
    folder = shlex.quote(place)
    if not result.complete:
        stopped = f"stopped {at_step(result.step, 'after')} and saved"
        if nothing_done:
            stopped = f"it was {at_step(result.step)} already, so nothing was trained"
        return [f"{stopped}. Continue with: inkgan train --resume --out {folder}"]
    steps = quantity(result.step, "step") if result.step >= 0 else f"{at_step(result.step)},"
    done = f"{steps} in {as_clock(result.seconds)}"
    more = f". To go on: inkgan train --extend STEPS --out {folder}" if longer else ""
    lines = [f"it was complete already: {done}{more}" if nothing_done else f"done: {done}"]
    if result.sheet is not None:
        lines.append(f"what it draws:      {printable(result.sheet)}")
    animation = result.folder / "pictures" / "learning.gif"
    if animation.is_file():
        lines.append(f"how it learned:     {printable(animation)}")
    return [
        *lines,
        f"more of them:       inkgan sample {folder} -n 100 -o more.png",
        f"how good are they:  inkgan evaluate {folder}",
    ]
