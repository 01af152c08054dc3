"""scripts/check_web.py: what it says when a program is missing, and how it finds browsers."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

from documents import ROOT

_SCRIPT = ROOT / "scripts" / "check_web.py"


@pytest.mark.parametrize(
    ("node", "said"),
    [
        (None, "the page in web/ is not checked: there is no node, or no npm.\n"),
        ("v18.2.0", "the page in web/ is not checked: node is v18.2.0, and it needs 20 or newer.\n"),
        ("hello", "the page in web/ is not checked: node is hello, and it needs 20 or newer.\n"),
    ],
)
@pytest.mark.parametrize(("options", "code"), [([], 1), (["--if-found"], 0)])
def test_without_node_it_says_so_in_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    node: str | None,
    said: str,
    options: list[str],
    code: int,
) -> None:
    if node is not None:
        for name in ("node", "npm"):
            program = tmp_path / name
            program.write_text(f"#!/bin/sh\necho {node}\n")
            program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", [str(_SCRIPT), *options])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(_SCRIPT), run_name="__main__")
    assert end.value.code == code
    assert capsys.readouterr() == ("", said)


def test_browsers_are_found_by_name_or_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "firefox"
    program.touch()
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("FIREFOX", raising=False)
    monkeypatch.setenv("CHROMIUM", "/opt/mine")
    found = runpy.run_path(str(_SCRIPT))["browsers"]()
    assert found == {"CHROMIUM": "/opt/mine", "FIREFOX": str(program)}
