"""The scripts in scripts/ and the benchmarks: each says what it does before it does it."""

from __future__ import annotations

import runpy
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from documents import ROOT

_SCRIPTS = sorted((ROOT / "scripts").glob("*.py"), key=lambda path: path.stem)
#: Those that are commands. One more needs TensorFlow, for which another benchmark sets up an environment.
_BENCHMARKS = [
    path
    for path in sorted((ROOT / "benchmarks").glob("*.py"))
    if "__main__" in path.read_text("utf-8") and path.stem != "tensorflow_tutorial"
]


@pytest.mark.parametrize("script", [*_SCRIPTS, *_BENCHMARKS], ids=lambda path: path.stem)
def test_help_prints_the_docstring_and_does_nothing(
    script: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [str(script), "--help"])
    monkeypatch.syspath_prepend(script.parent)
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(script), run_name="__main__")
    said = capsys.readouterr().out
    assert ended.value.code in (None, 0)
    assert script.read_text("utf-8").removeprefix('"""').partition("\n")[0].removesuffix('"""') in said


def test_every_mutation_fits_the_code(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A change of a line that a mutation breaks changes the mutation, too; else it would never be tried again."""
    (script,) = (one for one in _SCRIPTS if one.stem == "mutate")
    monkeypatch.setattr("sys.argv", [str(script), "--fit"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(script), run_name="__main__")
    assert not ended.value.code
    assert "mutations fit the code" in capsys.readouterr().out


def test_every_dependency_has_its_row_in_the_table_of_sizes() -> None:
    """CONTRIBUTING.md gives a reason for each dependency, and the script that prints sizes reads the same rows."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = {extra: needed for extra, needed in project["optional-dependencies"].items() if extra != "dev"}
    needed = [*project["dependencies"], *(one for needed in extras.values() for one in needed)]
    names = {Requirement(one).name for one in needed} - {"inkgan"}
    (script,) = (one for one in _SCRIPTS if one.stem == "dependency_sizes")
    assert {package for row in runpy.run_path(str(script))["rows"]() for package in row} == names
