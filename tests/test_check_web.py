"""scripts/check_web.py: what it says when a program is missing, that it fails if a step does, how it finds browsers."""

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
    monkeypatch.setenv("PATH", str(tmp_path))
    if node is not None:
        for name in ("node", "npm"):
            put_program(tmp_path / name, f"echo {node}")
    assert exit_code(monkeypatch, *options) == code
    assert capsys.readouterr() == ("", said)


@pytest.mark.parametrize("fails", ["golden", "types", "lint", "built", "units", "pages", "test:browsers", "nothing"])
def test_any_step_that_fails_is_shown_and_fails_the_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], fails: str
) -> None:
    """What runs beside it ends as well, and nothing that would follow begins."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CHROMIUM", "my-browser")
    put_program(tmp_path / "my-browser", "")
    put_program(tmp_path / "node", "echo v20.2.0")
    put_program(tmp_path / "npm", f'echo "$2: said"; [ "$2" != {fails} ] || {{ echo "$2: wrong" >&2; exit 1; }}')
    lines = [(["golden"], ["types", "lint", "built"]), (["units"], ["pages", "test:browsers"])]
    expected = []
    for beside in lines:
        expected += [name for line in beside for name in line[: line.index(fails) + 1 if fails in line else None]]
        if fails in expected:
            break
    assert exit_code(monkeypatch, "--browsers") == (fails != "nothing")
    told, errors = capfd.readouterr()
    said = [line.removesuffix(": said") for line in told.splitlines() if line.endswith(": said")]
    assert sorted(name for name in said if not name.startswith("--")) == sorted(expected)
    assert (f"{fails}: wrong" in told) == (fails != "nothing")
    assert errors == ""


def put_program(path: Path, line: str) -> None:
    """Write a program of one line of shell."""
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


def exit_code(monkeypatch: pytest.MonkeyPatch, *options: str) -> object:
    """Run the script, and return its exit code."""
    monkeypatch.setattr(sys, "argv", [str(_SCRIPT), *options])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(_SCRIPT), run_name="__main__")
    return end.value.code


def test_browsers_are_found_by_name_or_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests need paths. They would find nothing at a name, try nothing there, and pass."""
    for name in ("firefox", "my-browser", "chromium"):
        put_program(tmp_path / name, "")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("FIREFOX", raising=False)
    browsers = runpy.run_path(str(_SCRIPT))["browsers"]
    for given in ("my-browser", str(tmp_path / "my-browser")):
        monkeypatch.setenv("CHROMIUM", given)
        assert browsers() == {"CHROMIUM": str(tmp_path / "my-browser"), "FIREFOX": str(tmp_path / "firefox")}
    monkeypatch.setenv("CHROMIUM", "/no/such/browser")
    assert browsers() == {"FIREFOX": str(tmp_path / "firefox")}


def test_no_script_of_node_takes_the_path_of_an_address_for_that_of_a_file() -> None:
    """In an address, a space is %20."""
    scripts = [*ROOT.glob("web/*.mjs"), *ROOT.glob("web/[a-z]*/*.mjs")]
    assert len(scripts) > 4
    assert [path.name for path in scripts if ".pathname" in path.read_text("utf-8")] == []
