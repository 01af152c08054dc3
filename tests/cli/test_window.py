"""The width at which commands wrap what they print."""

from __future__ import annotations

import sys

import pytest

from inkgan.cli.window import columns


@pytest.mark.parametrize(("window", "width"), [("80", 80), ("60", 60), ("200", 100), ("10", 40)])
def test_text_is_as_wide_as_the_window_but_not_wider_than_100(
    monkeypatch: pytest.MonkeyPatch, window: str, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", window)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert columns() == width


def test_files_and_pipes_have_100_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that what a script keeps does not depend on the window that it was started in."""
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False)
    assert columns() == 100
    monkeypatch.setattr(sys, "stdout", None)
    assert columns() == 100
