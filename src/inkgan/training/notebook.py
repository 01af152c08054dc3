"""Show a run in a Jupyter notebook: a few lines and a picture, updated in place."""

from __future__ import annotations

import base64
import html
import math
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from inkgan.config import Config
from inkgan.errors import printable, quantity
from inkgan.images import Images, picture_of, png_bytes
from inkgan.training.watching import Opinion, Result, StepProgress, Watcher, at_step, introduction

_SECONDS_BETWEEN = 0.5
_LARGEST_SIDE = 168


def is_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None


class NotebookWatcher(Watcher):
    """Shows one block below the cell: the run, its warnings, the last step, and the last picture."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._now = ""
        self._picture = b""
        self._said = ""
        self._handle: Any = None
        self._shown_at = -math.inf

    def __repr__(self) -> str:
        """Return the same as text."""
        return "\n".join(filter(None, [*self._lines, self._now, self._said]))

    def _repr_html_(self) -> str:
        text = f"<pre>{html.escape(repr(self))}</pre>"
        if not self._picture:
            return text
        source = f"data:image/png;base64,{base64.b64encode(self._picture).decode()}"
        return f'{text}<img alt="what the generator draws" src="{source}" style="image-rendering: pixelated">'

    def preparing(self, doing: str, done: float) -> None:
        """Show the progress."""
        self._now = f"{doing}: {done:.0%}"
        self._show(at_once=False)

    def started(self, folder: Path, config: Config, about: dict[str, Any], first_step: int) -> None:
        """Show the recipe, the data and the folder."""
        self._lines += [introduction(config, about, first_step), f"run folder: {printable(folder)}"]
        self._now = ""
        self._show()

    def warn(self, message: str) -> None:
        """Show the warning until the end."""
        self._lines.append(f"warning: {message}")
        self._show()

    def stepped(self, progress: StepProgress) -> None:
        """Show the progress of the run."""
        self._now = progress.line()
        self._show(at_once=False)

    def picture(self, progress: StepProgress | None, image: Images, opinion: Opinion) -> None:
        """Show the picture, enlarged, and what the discriminator says about it."""
        self._said = opinion.sentence
        drawn = picture_of(image)
        scale = max(1, _LARGEST_SIDE // max(drawn.size))
        self._picture = png_bytes(drawn.resize((drawn.width * scale, drawn.height * scale), 0))  # 0: nearest neighbour
        self._show()

    def ended(self, result: Result) -> None:
        """Show the final images."""
        when = f"after {quantity(result.step, 'step')}" if result.step >= 0 else at_step(result.step)
        self._now = f"{'done' if result.complete else 'stopped and saved'} {when}"
        self._said = ""
        if result.sheet is not None:
            self._picture = result.sheet.read_bytes()
        self._show()

    def _show(self, *, at_once: bool = True) -> None:
        now = time.monotonic()
        if not at_once and now - self._shown_at < _SECONDS_BETWEEN:
            return
        self._shown_at = now
        if self._handle is None:
            display: Any = import_module("IPython.display").display
            self._handle = display(self, display_id=True)
        else:
            self._handle.update(self)
