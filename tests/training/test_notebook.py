"""A notebook shows a run as it trains, without being asked."""

from __future__ import annotations

import base64
import io
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from PIL import Image

import tiny_runs as runs
from inkgan.config import resolve
from inkgan.training.notebook import NotebookWatcher, is_notebook


class _Kernel:
    """A stand-in for IPython in a kernel that keeps every update of what is displayed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, shell: object) -> None:
        self.shown: list[str] = []
        self.blocks = 0
        ipython, display = ModuleType("IPython"), ModuleType("IPython.display")
        vars(ipython).update(get_ipython=lambda: shell)
        vars(display).update(display=self.display)
        monkeypatch.setitem(sys.modules, "IPython", ipython)
        monkeypatch.setitem(sys.modules, "IPython.display", display)
        monkeypatch.setattr("inkgan.training.notebook._SECONDS_BETWEEN", 0.0)

    def display(self, block: Any, display_id: bool) -> Any:
        """Show a block that can be updated."""
        assert display_id
        self.blocks += 1
        self.update(block)
        return self

    def update(self, block: Any) -> None:
        """Update the block."""
        self.shown.append(block._repr_html_())


@pytest.mark.slow
def test_a_kernel_shows_lines_and_pictures(
    tmp_path: Path, small_data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One block shows the run, its steps, an enlarged picture and finally the sheet; nothing is printed."""
    kernel = _Kernel(monkeypatch, SimpleNamespace(kernel=object()))
    runs.train(tmp_path / "run", small_data)
    assert kernel.blocks == 1
    assert "small has too few test images to measure" in kernel.shown[0]
    assert "training fast on" in kernel.shown[1]
    assert any(re.search(r"step 4/6  D \d\.\d+", html) for html in kernel.shown)
    pictures = [re.search(r"base64,([^\"]+)", html) for html in kernel.shown]
    sizes = [Image.open(io.BytesIO(base64.b64decode(match[1]))).size for match in pictures if match]
    assert sizes[0] == (168, 168)
    alternatives = [alt for html in kernel.shown for alt in re.findall(r'<img alt="([^"]*)" src="data', html)]
    assert alternatives == ["what the generator draws"] * len(sizes)
    assert sizes[-1] == (280, 280)
    assert "done after 6 steps" in kernel.shown[-1]
    assert capsys.readouterr() == ("", "")


@pytest.mark.slow
def test_elsewhere_nothing_is_shown(
    tmp_path: Path, small_data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A script, or IPython in a terminal, shows nothing."""
    kernel = _Kernel(monkeypatch, SimpleNamespace())
    assert not is_notebook()
    runs.train(tmp_path / "run", small_data, steps=1)
    assert kernel.blocks == 0
    assert capsys.readouterr() == ("", "")


def test_what_is_shown_is_text_and_not_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that looks like a tag is shown as text, and a warning stays until the end."""
    kernel = _Kernel(monkeypatch, SimpleNamespace(kernel=object()))
    watcher = NotebookWatcher()
    watcher.warn("<img src=x> is damaged")
    watcher.preparing("reading", 0.25)
    assert "warning: &lt;img src=x&gt; is damaged\nreading: 25%" in kernel.shown[-1]


def test_a_name_with_a_line_break_stays_on_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = _Kernel(monkeypatch, SimpleNamespace(kernel=object()))
    about = {"device": "cpu", "threads": 2, "precision": "float32"}
    NotebookWatcher().started(Path("my\nrun"), resolve(options={"data.name": "my\ndata"}), about, 0)
    first, second = kernel.shown[-1].splitlines()
    assert first.startswith(r"<pre>training fast on my\ndata for ")
    assert second == r"run folder: my\nrun</pre>"
