"""The panel of a run: progress, pictures and curves, redrawn in place, as large as the window."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from inkgan.cli.drawing import side_by_side, sparkline
from inkgan.images import Images
from inkgan.training.watching import SHORT_NAMES, StepProgress, as_figure

#: The title of each term that is drawn over time.
_CURVES = {**SHORT_NAMES, "margin": "margin"}
#: The fewest lines of a window that shows pictures, and the fewest columns of one that shows the speed.
_LOWEST_WITH_PICTURES = 10
_NARROWEST_WITH_SPEED = 60
#: The last line leaves these columns empty: the terminal shows ^C there. At the end of a full line it would wrap, and
#: rich would redraw in the wrong place.
_COLUMNS_FOR_KEYS = 3


class Panel:
    """The state of a run: a bar, images of the first ten fixed latents, curves, and the doctor's verdict.

    Rich draws it in the width and height of the window.

    Attributes:
        is_whole: whether all of it is shown, and not only its bar.
        preparing: what is done before the first step, and the share of it that is done, None if that is unknown.
        progress: the last step; None before the first one.
        images: the images of the fixed latents uint8 [N, H, W, C]; None before the first ones.
        finding: the doctor's verdict; None while the run is healthy.
        has_doctor: whether the doctor looks at the run.
    """

    def __init__(self) -> None:
        self.is_whole = False
        self.preparing: tuple[str, float | None] = ("starting", None)
        self.progress: StepProgress | None = None
        self.images: Images | None = None
        self.finding: str | None = None
        self.has_doctor = True
        self._history: dict[str, list[float]] = {}

    def stepped(self, progress: StepProgress) -> None:
        """Add a step to the state."""
        self.progress = progress
        for name in progress.terms.keys() & _CURVES.keys():
            self._history.setdefault(name, []).append(progress.terms[name])

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        last = max(options.max_width - _COLUMNS_FOR_KEYS, 1)
        if not self.is_whole:
            yield self._bar(last)
            return
        yield self._bar(options.max_width)
        lines = [*self._curves(options.max_width), self._doctor(last)]
        # One line is for the bar, and one stays empty for the cursor.
        room = console.height - len(lines) - 2
        if self.images is not None and console.height >= _LOWEST_WITH_PICTURES:
            yield side_by_side(self.images, options.max_width, room, colour=has_colours(console))
        yield from lines

    def _bar(self, width: int) -> Table:
        progress = self.progress
        if progress is None:
            doing, done = self.preparing
            bar = ProgressBar(total=None if done is None else 1.0, completed=done or 0.0)
            parts: list[RenderableType] = [Text(doing), bar]
        else:
            bar = ProgressBar(total=None if progress.step < 0 else 1.0, completed=progress.fraction_done)
            losses = [] if self.is_whole else [progress.losses]
            speed = [progress.speed] if width >= _NARROWEST_WITH_SPEED else []
            parts = [progress.position, bar, *losses, *speed, progress.time_left]
        grid = Table.grid(padding=(0, 1))
        grid.width = width
        for part in parts:
            grid.add_column(ratio=1 if part is bar else None, no_wrap=True)
        grid.add_row(*parts)
        return grid

    def _curves(self, width: int) -> Iterator[Text]:
        """A line for each loss and for the margin: its name, its last value, and its course."""
        terms = {} if self.progress is None else self.progress.terms
        for name, title in _CURVES.items():
            if name not in self._history:
                continue
            history = self._history[name]
            value = as_figure(history[-1], "+" if name == "margin" else "")
            start = f"{title:<7}{value:>9} "
            end = f"  {terms['pairs_in_order']:.0%} in order" if name == "margin" and "pairs_in_order" in terms else ""
            course = sparkline(history, width - len(start) - len(end))
            yield Text(start + course + end, no_wrap=True)

    def _doctor(self, width: int) -> Text:
        found = self.finding
        otherwise = "healthy so far" if self.has_doctor else "off (watch.doctor_every=0)"
        text = Text(f"doctor: {found or otherwise}", style="yellow" if found else "", no_wrap=True, overflow="ellipsis")
        text.truncate(width, overflow="ellipsis")
        return text


def has_colours(console: Console) -> bool:
    """Whether a terminal shows colours and its user wants them."""
    return console.color_system is not None and not console.no_color
