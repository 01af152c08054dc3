"""The scripts in scripts/ and the benchmarks: each says what it does before it does it."""

from __future__ import annotations

import json
import runpy
import shutil
import subprocess
import sys
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


_MUTATIONS = """
import json, sys, mutate
from pathlib import Path
mutate._SECONDS = 1
root = Path(sys.argv[1])
loop = mutate.Mutation("mutated.py", ("test_code.py",), "pass", "while True: pass")
print(json.dumps([mutate.outcome(root, loop, ""), mutate.run_tests(root, ["test_busy.py"], "")[0]]))
"""


@pytest.mark.slow
def test_a_mutation_that_never_ends_is_caught(tmp_path: Path) -> None:
    """Only a mutation has a limit: the tests of the code as it is may take longer."""
    (tmp_path / "mutated.py").write_text("pass\n", "utf-8")
    (tmp_path / "test_code.py").write_text("def test():\n    exec(open('mutated.py').read())\n", "utf-8")
    (tmp_path / "test_busy.py").write_text(
        "import time\ndef test():\n    while time.process_time() < 1.2: pass\n", "utf-8"
    )
    command = [sys.executable, "-c", _MUTATIONS, str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT / "scripts")
    assert json.loads(ended.stdout) == ["caught", 0]


#: Stands in for Python, and for the Python of the environment that it makes; it writes down its arguments. If a file
#: `no-pip` is there, it has no pip before `ensurepip`.
_PYTHON = """#!/bin/sh
echo "$@" >> calls.txt
if [ "$2" = ensurepip ]; then rm no-pip; fi
if [ "$2" = pip ] && [ -e no-pip ]; then exit 1; fi
if [ "$2" = venv ]; then
  rm -rf .venv
  mkdir -p .venv/bin
  cp "$0" .venv/bin/python
fi
"""


def test_if_the_python_of_the_environment_has_gone_all_is_installed_again(tmp_path: Path) -> None:
    """One command does both, and the next one does nothing, because there is a Python and nothing has changed."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    stand_in = tmp_path / "python"
    stand_in.write_text(_PYTHON, "utf-8")
    stand_in.chmod(0o755)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to("/nowhere/python")
    for stamp in ("installed", "installed-dev"):
        (tmp_path / ".venv" / stamp).touch()
    command = ["make", ".venv/installed", f"PYTHON={stand_in}"]
    for _ in range(2):
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
        calls = (tmp_path / "calls.txt").read_text("utf-8").splitlines()
        made = [call for call in calls if call.startswith("-m")]
        assert made == ["-m venv --clear .venv", "-m pip --version", "-m pip install --editable .[train]"]
    assert not (tmp_path / ".venv" / "installed-dev").exists()


def test_an_environment_without_pip_gets_it(tmp_path: Path) -> None:
    """That of `uv venv` has the name that make looks for, and no pip."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    stand_in = tmp_path / ".venv" / "bin" / "python"
    stand_in.parent.mkdir(parents=True)
    stand_in.write_text(_PYTHON, "utf-8")
    stand_in.chmod(0o755)
    (tmp_path / "no-pip").touch()
    subprocess.run(["make", ".venv/installed"], cwd=tmp_path, check=True, capture_output=True)
    made = (tmp_path / "calls.txt").read_text("utf-8").splitlines()
    assert made == ["-m pip --version", "-m ensurepip", "-m pip install --editable .[train]"]
