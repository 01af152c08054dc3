"""The panel of a run on a terminal, as pyte, an independent terminal emulator, shows it."""

from __future__ import annotations

import io
import math
import os
import re
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyte
import pytest

from inkgan.cli import console
from inkgan.config import Config, resolve
from inkgan.training.watching import Opinion, Result, StepProgress, introduction

#: Ten images of stripes that run down to the left, each a little further; and the characters that draw them.
IMAGES = 255 * (np.add.outer(np.arange(10), np.add.outer(np.arange(28), np.arange(28))) % 8 < 4)[..., None].astype(
    np.uint8
)
QUARTERS = set("▘▝▀▖▌▞▛▗▚▐▜▄▙▟█")
ABOUT = {"device": "cpu", "threads": 2, "precision": "float32"}


class Window(io.StringIO):
    """A terminal, and what is visible on it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, columns: int = 80, lines: int = 24, **environment: str) -> None:
        super().__init__()
        self.monkeypatch = monkeypatch
        monkeypatch.setattr(console, "in_foreground", lambda: True)
        for name in ("NO_COLOR", "TERM", "COLORTERM", "COLUMNS", "LINES"):
            monkeypatch.delenv(name, raising=False)
        for name, value in {"TERM": "xterm-256color", "COLORTERM": "truecolor", **environment}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("sys.stdout", self)
        monkeypatch.setattr(console, "_SECONDS_BETWEEN_PANELS", 0.0)
        monkeypatch.setattr(console, "_SECONDS_BETWEEN_BARS", 0.0)
        monkeypatch.setattr(console, "_SHARE_FOR_PANELS", 1e9)
        self.screen = pyte.Screen(columns, lines)
        self.stream = pyte.Stream(self.screen)
        self.resize(columns, lines)

    encoding = "utf-8"

    def isatty(self) -> bool:
        """Return True."""
        return True

    def write(self, text: str) -> int:
        """Show text."""
        self.stream.feed(text)
        return super().write(text)

    def resize(self, columns: int, lines: int) -> None:
        """Change the size. As in many terminals, a line that has become too long continues in the next one."""
        lines_before = self.screen.display[: self.screen.cursor.y + 1]
        self.monkeypatch.setattr("os.get_terminal_size", lambda *_: os.terminal_size((columns, lines)))
        self.screen.resize(lines, columns)
        self.screen.reset()
        self.screen.set_mode(pyte.modes.LNM)  # as the terminal driver does: a new line begins at the left
        self.stream.feed("\n".join(line.rstrip() for line in lines_before))

    @property
    def lines(self) -> list[str]:
        """The visible lines, without empty ones."""
        return [line.rstrip() for line in self.screen.display if line.strip()]


def step(number: int, **terms: float) -> StepProgress:
    """A step of a run of a hundred steps."""
    found = {"loss_discriminator": 0.5, "loss_generator": 1.0 + number, "margin": 0.25, "pairs_in_order": 0.75}
    return StepProgress(number, 100, number / 10, None, 10.0, found | terms)


def run(watcher: Any, recipe: str = "fast", steps: int = 3) -> None:
    """Report the first steps of a run to a watcher."""
    watcher.started(Path("runs/x"), resolve(options={"recipe": recipe}), ABOUT, 0)
    watcher.fixed(IMAGES)
    for number in range(steps):
        watcher.stepped(step(number))


@pytest.mark.slow
@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (50, 20), (160, 50), (40, 12), (200, 20), (30, 6), (9, 3)])
@pytest.mark.parametrize("colour", [True, False])
def test_a_panel_fits_its_window(monkeypatch: pytest.MonkeyPatch, columns: int, lines: int, colour: bool) -> None:
    """In windows of all sizes, with colours or without, the panel is redrawn in place: nothing scrolls away."""
    window = Window(monkeypatch, columns, lines, **({} if colour else {"NO_COLOR": "1"}))
    with console.watcher_for(quiet=False) as watcher:
        run(watcher, steps=1)
        before = window.lines
        for number in (1, 2, 8):
            watcher.stepped(step(number))
        assert len(window.lines) == len(before)
        if columns >= 30 and lines > 6:
            assert sum(line.startswith("G  ") for line in window.lines) == 1
            assert "▁" in next(line for line in window.lines if line.startswith("G  "))
            assert "75% in order" in "".join(window.lines)
            assert "doctor: healthy so far" in window.lines
            assert any("left" in line and "step 8/100" in line for line in window.lines)
        if lines >= 12 and columns >= 40:
            assert len([line for line in before[1:-4] if set(line) & QUARTERS]) > 5  # the pictures
    has_pictures = lines >= 12 and columns >= 40
    assert ("48;2;255;255;255m" in window.getvalue()) == (colour and has_pictures)


def test_warnings_stay_above_the_panel_and_findings_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A warning stays above the panel; the doctor's line shows the present finding."""
    window = Window(monkeypatch)
    with console.watcher_for(quiet=False) as watcher:
        run(watcher)
        watcher.warn("the disk is nearly full")
        watcher.verdict("all images look alike")
        lines = window.lines
        assert lines.index("warning: the disk is nearly full") < lines.index("doctor: all images look alike")
        watcher.verdict(None)
        assert "doctor: healthy so far" in window.lines
    assert "warning: the disk is nearly full" in window.lines


def test_a_doctor_who_is_off_calls_nothing_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    window = Window(monkeypatch)
    with console.watcher_for(quiet=False) as watcher:
        watcher.started(Path("runs/x"), resolve(overrides=["watch.doctor_every=0"]), ABOUT, 0)
        watcher.stepped(step(0))
        assert "doctor: off (watch.doctor_every=0)" in window.lines


def test_a_run_that_resumes_has_no_untrained_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until its first step, which may take long, the panel says where the run continues."""
    for first_step, said in ((-3, "the untrained generator"), (0, "the untrained generator"), (50, "at step 50 ━")):
        window = Window(monkeypatch)
        with console.watcher_for(quiet=False) as watcher:
            watcher.started(Path("runs/x"), resolve(options={"steps": 100}), ABOUT, first_step)
            watcher.fixed(IMAGES)
            assert any(line.startswith(said) for line in window.lines)


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [((40, 24),), ((160, 50), (50, 20)), ((80, 6), (80, 30))])
def test_a_window_that_changes_its_size(monkeypatch: pytest.MonkeyPatch, sizes: tuple[tuple[int, int], ...]) -> None:
    """The next drawing is the same as in a window that always had the new size, and nothing of the old one is left."""
    window = Window(monkeypatch)
    with console.watcher_for(quiet=False) as watcher:
        run(watcher)
        for number, size in enumerate(sizes, 3):
            window.resize(*size)
            watcher.stepped(step(number))
        resized = window.lines
    fresh = Window(monkeypatch, *sizes[-1])
    with console.watcher_for(quiet=False) as watcher:
        run(watcher, steps=3 + len(sizes))
        lines = fresh.lines
    start, start_of_fresh = ([line[:5] for line in shown].index("step ") for shown in (resized, lines))
    assert resized[start:] == lines[start_of_fresh:]
    assert "--logdir runs/x)" in "".join(resized[:start])  # what the run said before stays above


def test_an_interrupted_run_leaves_a_clean_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines before the panel stay, the panel is gone, and the cursor is visible."""
    window = Window(monkeypatch)

    def interrupted() -> None:
        with console.watcher_for(quiet=False) as watcher:
            run(watcher)
            assert window.screen.cursor.hidden
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [line[:8] for line in window.lines] == ["training", "run fold"]
    assert not window.screen.cursor.hidden


def test_the_losses_of_a_run_that_has_blown_up_stay_in_their_column(monkeypatch: pytest.MonkeyPatch) -> None:
    window = Window(monkeypatch)
    with console.watcher_for(quiet=False) as watcher:
        run(watcher)
        watcher.stepped(step(3, loss_discriminator=107019648.0, loss_generator=99999.0, margin=-95894912.0))
        shown = {line.split()[0]: line for line in window.lines if line[:2] in ("D ", "G ", "ma")}
        assert shown["D"].startswith("D       1.07e+08 ")
        assert shown["G"].startswith("G      99999.000 ")
        assert shown["margin"].startswith("margin -9.59e+07 ")
    assert (
        step(3, loss_discriminator=1.5e8, margin=-2.5e9)
        .line()
        .startswith("step 3/100  D 1.50e+08  G 4.000  margin -2.50e+09")
    )


@pytest.mark.parametrize("plain", [False, True])
def test_the_letters_of_an_interrupt_leave_nothing_behind(monkeypatch: pytest.MonkeyPatch, plain: bool) -> None:
    """The terminal itself shows ^C where the cursor is; the bar above it was left over."""
    window = Window(monkeypatch)
    with console.watcher_for(quiet=False, plain=plain) as watcher:
        run(watcher)
        window.stream.feed("^C")
    assert [line for line in window.lines if "━" in line or "step" in line.replace("steps", "")] == []


def test_the_first_thing_shown_is_that_it_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """While PyTorch loads, the screen is not blank."""
    window = Window(monkeypatch)
    with console.watcher_for(quiet=False):
        assert [line[:10] for line in window.lines] == ["starting ━"]
    assert window.lines == []


@pytest.mark.parametrize("in_background", [False, True])
def test_a_suspended_run_leaves_the_terminal_in_order(monkeypatch: pytest.MonkeyPatch, in_background: bool) -> None:
    """Ctrl-Z: the panel is gone and the cursor visible while the shell has the terminal; ``fg`` draws the panel again.

    After ``bg`` it stays away.
    """
    window = Window(monkeypatch)
    seen = []

    def stopped(_process: int, number: int) -> None:
        seen.append((number, window.lines, window.screen.cursor.hidden, signal.getsignal(number)))
        monkeypatch.setattr(console, "in_foreground", lambda: not in_background)

    monkeypatch.setattr("os.kill", stopped)
    with console.watcher_for(quiet=False) as watcher:
        run(watcher)
        shown = window.lines
        signal.raise_signal(signal.SIGTSTP)
        ((number, lines, hidden, action),) = seen
        assert (number, hidden, action) == (signal.SIGTSTP, False, signal.SIG_DFL)
        assert lines == shown[:2]  # what the run said before its panel
        assert window.lines == (shown[:2] if in_background else shown)
        watcher.stepped(step(3))
        assert window.screen.cursor.hidden != in_background
        monkeypatch.setattr(console, "in_foreground", lambda: True)
        watcher.stepped(step(4))
        assert any(line.startswith("step 4/100") for line in window.lines)
    assert signal.getsignal(signal.SIGTSTP) == signal.SIG_DFL
    assert not window.screen.cursor.hidden


def test_a_run_that_continues_is_drawn_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """``fg`` does not leave the terminal empty until the next drawing is due."""
    window = Window(monkeypatch)
    monkeypatch.setattr(console, "_SECONDS_BETWEEN_PANELS", 3600.0)
    monkeypatch.setattr("os.kill", lambda *_: None)
    with console.watcher_for(quiet=False) as watcher:
        run(watcher)
        signal.raise_signal(signal.SIGTSTP)
        assert any(line.startswith("step 2/100") for line in window.lines)


def test_a_run_is_not_suspended_while_it_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise what was drawn so far, and the visible cursor, would stay in a buffer."""
    window = Window(monkeypatch)
    seen = []
    monkeypatch.setattr("os.kill", lambda *_: seen.append(window.screen.cursor.hidden))
    with console.watcher_for(quiet=False) as watcher:
        run(watcher)
        assert isinstance(watcher, console._Live)
        with watcher.printing():
            signal.raise_signal(signal.SIGTSTP)
            assert seen == []
        assert seen == [False]


def test_a_complete_run_leaves_its_last_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """The panel is gone, its last pictures stay, and the next commands stand below them."""
    window = Window(monkeypatch)
    with console.watcher_for(quiet=False) as watcher:
        run(watcher)
        watcher.ended(Result(Path("runs/x"), 5, 1.0, complete=True, sheet=Path("runs/x/sheet.png")))
    assert "doctor" not in " ".join(window.lines)
    assert QUARTERS & set("".join(window.lines))
    assert window.lines[-1].startswith("how good are they:")


def test_a_command_to_copy_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """The terminal wraps it, and copies it whole: of two lines, a shell would run the first."""
    window = Window(monkeypatch, 60)
    with console.watcher_for(quiet=False) as watcher:
        run(watcher)
        watcher.warn("it is ill. Start again with --set generator.learning_rate=0.001 --set penalty.weight=0.3.")
        watcher.ended(Result(Path("runs/fast-mnist-seed0"), 5, 1.0, complete=False, sheet=None))
    assert "with --set generator.learning_rate=0.001 --set penalty.weight=0.3." in window.getvalue()
    assert "Continue with: inkgan train --resume --out runs/fast-mnist-seed0\n" in window.getvalue()
    assert not any("step 2/100" in line for line in window.lines)  # the panel above is gone


def test_a_run_names_only_the_pictures_that_it_has(tmp_path: Path) -> None:
    """Pictures are decoration: a run goes on without one that cannot be written."""
    folder = tmp_path / "new\nline"
    result = Result(folder, 5, 1.0, complete=True, sheet=None)
    lines = console._conclusion(result, nothing_done=False, longer=False)
    assert [line.partition(":")[0] for line in lines] == ["done", "more of them", "how good are they"]
    pictures = folder / "pictures"
    pictures.mkdir(parents=True)
    (pictures / "learning.gif").touch()
    lines = console._conclusion(replace(result, sheet=pictures / "sheet.png"), nothing_done=False, longer=False)
    shown = f"{tmp_path}/new\\nline/pictures"
    assert lines[1:3] == [f"what it draws:      {shown}/sheet.png", f"how it learned:     {shown}/learning.gif"]


def test_a_defect_of_the_panel_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only text that the terminal cannot encode is passed over."""
    Window(monkeypatch)

    def fail(*_: object) -> list[str]:
        raise ValueError("shapes do not match")

    with console.watcher_for(quiet=False) as watcher:
        run(watcher)
        with monkeypatch.context() as broken:
            broken.setattr("inkgan.cli.panel.Panel.__rich_console__", fail)
            with pytest.raises(ValueError, match="shapes do not match"):
                watcher.stepped(step(3))


@pytest.mark.parametrize(
    ("opinion", "says"),
    [
        (Opinion(estimate=0.1), "takes this for real"),
        (Opinion(estimate=-0.1), "takes this for generated"),
        (Opinion(estimate=0.09), "cannot tell"),
        (Opinion(estimate=-0.09), "cannot tell"),
        (Opinion(margin=0.5), "this looks less real than a real image of its class (margin +0.50)"),
        (Opinion(margin=-0.5, same_class=False), "this looks more real than a real image (margin -0.50)"),
        (Opinion(estimate=math.nan), "cannot tell (estimate +nan)"),
        (Opinion(margin=math.nan), "cannot tell (margin +nan)"),
        (Opinion(margin=-2.5e9), "this looks more real than a real image of its class (margin -2.50e+09)"),
    ],
)
def test_what_the_discriminator_says(opinion: Opinion, says: str) -> None:
    """An estimate near 0 decides nothing, nor does NaN; a margin is that of a real image."""
    assert says in opinion.sentence
    assert opinion.sentence.endswith("({})".format(str(opinion).removeprefix("picture's ")))


def test_a_run_is_introduced_in_one_line() -> None:
    """Whatever the folder of its images is called."""
    config = resolve(overrides={"data.name": "a\nb"})
    assert introduction(config, ABOUT, 0).startswith(r"training fast on a\nb for 2500 steps, seed 0; ")


def test_the_time_left_is_that_of_the_steps_left() -> None:
    """Steps are numbered from 0: after number 7 of ten, two are left. A run of some seconds ends after these."""
    for progress, share, left in (
        (StepProgress(7, 10, 8.0, None, 1.0, {}), 0.8, "0:00:02 left"),
        (StepProgress(9, 10, 10.0, None, 1.0, {}), 1.0, "0:00:00 left"),
        (StepProgress(7, None, 45.0, 60.0, 1.0, {}), 0.75, "0:00:15 left"),
    ):
        assert (progress.fraction_done, progress.time_left) == (share, left)


def test_a_run_that_ends_in_pretraining() -> None:
    """A run of ten seconds may not get beyond it."""
    assert [step(number).position for number in (-300, -1)] == [
        "pre-training, 299 steps left",
        "pre-training, 0 steps left",
    ]
    ends = [Result(Path("a"), -100, 10.0, complete=complete, sheet=None) for complete in (True, False)]
    done, stopped = (console._conclusion(end, nothing_done=False, longer=False)[0] for end in ends)
    assert done == "done: 100 steps before the end of pre-training, in 0:00:10"
    assert stopped.startswith("stopped 100 steps before the end of pre-training and saved. Continue with: ")


def test_in_a_file_slow_steps_have_a_line_each_half_minute(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    with console.watcher_for(quiet=False) as watcher:
        for second in (29, 30, 59, 60):
            now[0] = float(second)
            watcher.stepped(step(second))
    said = capsys.readouterr().out.splitlines()
    assert [line.partition("  ")[0] for line in said] == ["step 30/100", "step 60/100"]


@pytest.mark.parametrize(("colour", "encoding"), [(True, "utf-8"), (False, "utf-8"), (True, "ascii")])
def test_pictures_that_scroll(monkeypatch: pytest.MonkeyPatch, colour: bool, encoding: str) -> None:
    """A line shows two rows of pixels, pixel by pixel; if the last row has no partner, paper is below it."""
    window = Window(monkeypatch, 120, 24, **({} if colour else {"NO_COLOR": "1"}))
    window.encoding = encoding
    image = np.zeros((3, 5, 1), np.uint8)
    image[:, 1:] = 255
    image[1, 2] = 0
    with console.watcher_for(quiet=False, plain=True) as watcher:
        watcher.picture(None, image, Opinion(estimate=0.5))
    first = next(number for number, line in enumerate(window.screen.display) if "for real" in line) + 1
    if not colour or encoding == "ascii":
        assert [line.rstrip() for line in window.screen.display[first : first + 2]] == [" #:##", " ::::"]
        return
    for row, (upper, lower) in enumerate([(image[0], image[1]), (image[2], image[2] * 0)]):
        cells = [window.screen.buffer[first + row][column] for column in range(5)]
        for cell, above, below in zip(cells, upper[:, 0], lower[:, 0], strict=True):
            ink = cell.bg if cell.data == " " else cell.fg
            assert (ink, cell.bg) == ("000000" if above else "ffffff", "000000" if below else "ffffff")


@pytest.mark.parametrize(
    ("recipe", "plain", "environment"),
    [("tutorial", False, {}), ("fast", True, {}), ("fast", False, {"TERM": "dumb"})],
)
def test_runs_without_a_panel(
    monkeypatch: pytest.MonkeyPatch, recipe: str, plain: bool, environment: dict[str, str]
) -> None:
    """The tutorial, --plain and simple terminals have no panel, but lines and pictures that scroll."""
    window = Window(monkeypatch, 80, 24, **environment)
    with console.watcher_for(quiet=False, plain=plain) as watcher:
        watcher.preparing("reading", 0.5)
        run(watcher, recipe)
        assert "doctor" not in window.getvalue()
        if not environment:  # a simple terminal shows no bar, either
            (bar,) = (line for line in window.lines if "━" in line)
            assert re.fullmatch(r"step 2/100 [╸╺━]+ D 0\.500  G 3\.000 10\.0 steps/s 0:00:10 left", bar)
            assert "reading" in window.getvalue()
    assert "━" not in "".join(window.lines)


def test_a_terminal_that_cannot_erase_gets_a_line_each_half_minute(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """While a large data set is read, and while steps are slow: it shows no bar."""
    window = Window(monkeypatch, TERM="dumb")
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    with console.watcher_for(quiet=False) as watcher:
        for second in (29, 30, 31):
            now[0] = float(second)
            watcher.preparing("reading images", second / 100)
        run(watcher, steps=0)
        for second in (60, 61, 62, 91, 92):
            now[0] = float(second)
            watcher.stepped(step(second))
    assert re.fullmatch(r"reading images: 30%.*\n", capsys.readouterr().err)
    assert [line[:11] for line in window.lines if line.startswith("step ")] == ["step 61/100", "step 91/100"]


def test_a_terminal_without_unicode_has_no_panel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such a terminal could not show the panel's characters."""
    window = Window(monkeypatch)
    window.encoding = "ascii"
    with console.watcher_for(quiet=False) as watcher:
        run(watcher)
        assert "doctor" not in window.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("error", [OSError(5, "gone"), BrokenPipeError(32, "gone")])
def test_a_terminal_that_closes(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """The run goes on without output: after the error, nothing more is written to the terminal."""
    window, tries = Window(monkeypatch), []

    def fail(_: str) -> int:
        tries.append(1)
        raise error

    with console.watcher_for(quiet=False) as watcher:
        run(watcher)
        monkeypatch.setattr(window, "write", fail)
        run(watcher, steps=6)
        watcher.warn("a word")
        watcher.ended(Result(Path("runs/x"), 5, 1.0, complete=False, sheet=None))
    assert len(tries) < 5


def test_a_window_that_changes_its_size_is_drawn_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if drawing is slow, so that the next drawing is not due yet: until then, lines would be torn."""
    window = Window(monkeypatch)
    with console.watcher_for(quiet=False) as watcher:
        run(watcher)
        monkeypatch.setattr(watcher, "_due", math.inf)
        watcher.stepped(step(4))
        assert not any(line.startswith("step 4") for line in window.lines)
        window.resize(50, 20)
        watcher.stepped(step(5))
        assert any(line.startswith("step 5") for line in window.lines)


def test_drawing_takes_a_hundredth_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a drawing that took a second, the next one comes a hundred seconds later."""
    Window(monkeypatch)
    now, drawings = [0.0], []
    monkeypatch.setattr(console, "_SHARE_FOR_PANELS", 0.01)
    monkeypatch.setattr("time.monotonic", lambda: now[0])

    def drawn(panel: object, *_: object) -> list[str]:
        drawings.append(now[0])
        now[0] += 1.0
        return []

    monkeypatch.setattr("inkgan.cli.panel.Panel.__rich_console__", drawn)
    with console.watcher_for(quiet=False) as watcher:
        watcher.started(Path("runs/x"), Config(), ABOUT, 0)
        drawings.clear()  # rich draws with each line above the panel, too
        for number in range(1000):
            now[0] += 1.0
            watcher.stepped(step(number))
    gaps = np.diff(drawings[:-1])  # the last one is rich's, which draws again when it stops
    assert len(gaps) > 5
    assert gaps.min() >= 100
