"""Show many runs: in a table that is kept up to date; in the background and in files, in a line for each that ends."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Column, Table
from rich.text import Text

from inkgan.cli.progress import optional_output, time_left
from inkgan.cli.window import Suspension, can_erase, in_foreground
from inkgan.errors import CheckpointError, DivergenceError, printable, quantity
from inkgan.runs import metrics
from inkgan.runs.folder import RunFolder
from inkgan.training.many_runs import Outcome, TrainingTask, train_many

#: The most runs that are read to estimate the time left; a few at a time are trained.
_MOST_READ = 100
#: The lines of the table that show no run: its title, the names of its columns, and three lines of its frame.
_LINES_WITHOUT_RUN = 5


def train_seeds(task: TrainingTask, seeds: Sequence[int], *, jobs: int, engine: str, plain: bool, quiet: bool) -> None:
    """Train a run for each seed, and show their progress.

    Args:
        task: trains the run of a seed.
        seeds: the seeds.
        jobs: the number of runs at a time.
        engine: as for :func:`inkgan.training.many_runs.train_many`.
        plain: show a line for each run that ends, also on a terminal.
        quiet: show nothing.

    Raises:
        DivergenceError: runs diverged; the others were trained to their ends first.
    """
    runs = train_many(task, seeds, jobs=jobs, engine=engine)
    ended: dict[int, Outcome] = {}
    live: contextlib.AbstractContextManager[object] = Suspension()
    has_table = can_erase(sys.stdout) and in_foreground() and not (plain or quiet)
    if has_table:
        live = _live_table({seed: task.folder(seed) for seed in seeds}, ended)
    with live:
        try:
            for outcome in runs:
                ended[outcome.seed] = outcome
                if not (quiet or has_table):
                    with optional_output():
                        typer.echo(line_of(outcome))
        except KeyboardInterrupt as error:  # raised again, because it knows its exit code
            error.args = ("stopped and saved. The same command continues from there.",)
            raise
    diverged = [outcome for outcome in ended.values() if outcome.trouble]
    if diverged:
        named = ", ".join(printable(outcome.result.folder) for outcome in diverged)
        raise DivergenceError(f"{len(diverged)} of {len(ended)} runs diverged: {named}. {diverged[0].trouble}")


def _live(console: Console, view: Callable[[], Table]) -> Live:
    """Return a part of the terminal that shows a view, once it is started; what goes to a file on stderr goes there."""
    return Live(console=console, get_renderable=view, refresh_per_second=1, redirect_stderr=sys.stderr.isatty())


@contextlib.contextmanager
def _live_table(folders: dict[int, Path], ended: dict[int, Outcome]) -> Iterator[None]:
    """Keep the table on the terminal up to date: a part that fits, and all of it at the end.

    If the terminal goes away, the runs go on.
    """
    console = Console()
    before = {seed: last_step(folder) for seed, folder in folders.items()}
    has_stopped = False
    estimate = TimeLeft(share_done(folders, ended))

    def view() -> Table:
        most = len(folders) if has_stopped else max(1, console.height - _LINES_WITHOUT_RUN)
        left = estimate.after(share_done(folders, ended), time.monotonic())
        # A row stays one line while the table has to fit the window; at the end, nothing is cut off.
        return table(folders, ended, left, most, before, "fold" if has_stopped else "ellipsis")

    live = _live(console, view)

    def leave() -> None:
        live.stop()

    def come_back() -> None:
        nonlocal live
        if in_foreground():
            live = _live(console, view)  # below what the shell printed
            live.start(refresh=True)

    live.start()
    try:
        with Suspension(leave, come_back):
            yield
    finally:
        has_stopped = True
        with optional_output():
            if live.is_started:
                live.stop()
            else:  # it went to the background
                console.print(view())


def line_of(outcome: Outcome) -> str:
    """Describe in one line how a run ended."""
    result = outcome.result
    where = printable(result.folder)
    return f"seed {outcome.seed}: step {max(0, result.step)}, {result.seconds:.0f} s, {where}: {_state_of(outcome)}"


def _state_of(outcome: Outcome) -> str:
    if outcome.trouble:
        return outcome.trouble
    state = "complete" if outcome.result.complete else "stopped"
    if outcome.healings:
        state += f", healed {quantity(outcome.healings, 'time')}"
    return f"{state}, ill: {', '.join(outcome.ill)} (inkgan doctor says more)" if outcome.ill else state


def table(
    folders: Mapping[int, Path],
    ended: Mapping[int, Outcome],
    left: str,
    most: int,
    before: Mapping[int, str],
    overflow: Literal["fold", "ellipsis"] = "fold",
) -> Table:
    """Return a table of runs with their seeds, folders, steps done and states.

    Args:
        folders: the folder of each seed's run.
        ended: the runs that ended.
        left: the time left, as the end of a line.
        most: of more runs, those about the first one that has not ended are shown.
        before: the last step of each run before this command trained it (:func:`last_step`).
        overflow: whether what is too long for the window folds, or loses its end so that each row is one line.
    """
    title = f"{len(ended)} of {len(folders)} runs ended{left}"
    columns = (Column(heading, overflow=overflow) for heading in ("seed", "run", "step", "state"))
    shown = Table(*columns, title=title, title_justify="left")
    first_open = next((at for at, seed in enumerate(folders) if seed not in ended), len(folders))
    start = max(0, min(first_open - most // 2, len(folders) - most))
    for seed, folder in [*folders.items()][start : start + most]:
        if seed in ended:
            step, state = str(max(0, ended[seed].result.step)), _state_of(ended[seed])
        else:
            step = last_step(folder)
            state = "waiting" if step == before.get(seed, "") else "training"
        steps = _steps_of(folder) if step else None
        # Text, not a string: a folder's name is not markup.
        where, how = (Text(text, no_wrap=overflow == "ellipsis") for text in (printable(folder), state))
        shown.add_row(str(seed), where, step if steps is None else f"{step}/{steps}", how)
    return shown


class TimeLeft:
    """Estimates the time left from the first step on, because processes take seconds to start.

    Args:
        done: the share of the work that was done before.
    """

    def __init__(self, done: float) -> None:
        self._done = done
        self._begun: tuple[float, float] | None = None

    def after(self, done: float, now: float) -> str:
        """Return the time left as the end of a line; empty while it is unknown."""
        if self._begun is None and done > self._done:
            self._begun = (now, done)
        return "" if self._begun is None else time_left(now, done, self._begun)


def share_done(folders: Mapping[int, Path], ended: Mapping[int, Outcome]) -> float:
    """Return the share of all steps that is done. Of the runs that have not ended, only the first ones are read."""
    training = [folder for seed, folder in folders.items() if seed not in ended][:_MOST_READ]
    return (len(ended) + sum(map(_share_of, training))) / len(folders)


def _share_of(folder: Path) -> float:
    """Return the share of a run that is done; 0 if it is not known."""
    step, steps = last_step(folder), _steps_of(folder)
    return min(int(step) / steps, 1.0) if step and steps else 0.0


def _steps_of(folder: Path) -> int | None:
    """Return the number of steps that a run will have in all; None if it has not begun, or has a length in seconds."""
    with contextlib.suppress(CheckpointError):
        return RunFolder(folder).saved_config().steps
    return None


def last_step(folder: Path) -> str:
    """Return the number of joint steps that a run had done when it last logged one; empty if it logged none."""
    line = metrics.last(RunFolder(folder).metrics_file)
    return "" if line is None else str(max(0, line["step"] + 1))
