"""Without the extras: what needs no PyTorch works, and the rest says in one line what to install."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from documents import ROOT
from inkgan import errors

#: Runs the command line in a process that cannot import some libraries.
_WITHOUT = """
import sys
sys.modules.update(dict.fromkeys(sys.argv[1].split()))
from inkgan.cli import run
sys.exit(run(sys.argv[2:]))
"""
_TRAIN = "torch tensorboard scipy pooch jinja2"
_SERVE = "fastapi starlette uvicorn prometheus_client"
_ALL_BUT_ONNX = f"{_TRAIN} {_SERVE} lmdb pyarrow ray"


def inkgan(folder: Path, *arguments: str, without: str = _ALL_BUT_ONNX) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", _WITHOUT, without, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ["write", "2026", "-o", "2026.png"],
        ["sample", "fast", "-n", "3", "-o", "digits.npz"],
        ["morph", "1", "2", "--steps", "1", "-o", "hands.png"],
        ["export", "fast", "-o", "fast.onnx"],
        ["data", "show", "mnist", "-o", "mnist.png"],
        ["train", "--help"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_what_needs_no_extra_works(tmp_path: Path, arguments: list[str]) -> None:
    done = inkgan(tmp_path, *arguments)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_model_folder_is_exported_without_onnx(tmp_path: Path) -> None:
    done = inkgan(tmp_path, "export", "fast", "-o", "fast/", without=f"{_ALL_BUT_ONNX} onnx")
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["train", "--steps", "1"], ["evaluate", "best"], ["compare", "best", "fast"]])
def test_commands_that_need_an_extra_say_what_to_install(tmp_path: Path, arguments: list[str]) -> None:
    done = inkgan(tmp_path, *arguments)
    assert done.returncode == 2
    said = r"inkgan: this needs (PyTorch|SciPy)\. Install it with: pip install 'inkgan\[train\]'\n"
    assert re.fullmatch(said, done.stderr)
    assert not list(tmp_path.iterdir())


def test_each_extra_that_messages_name_brings_its_library() -> None:
    """Every extra that a message tells the user to install is in pyproject.toml and brings the missing library."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    for library, (_, extra) in errors.OPTIONAL.items():
        assert extra in extras, f"{extra} is no extra of pyproject.toml"
        brought = {re.split(r"[^\w-]", one)[0].replace("-", "_") for one in extras[extra]}
        assert library in brought | {"starlette"}, f"the extra {extra} lacks {library}"  # FastAPI brings Starlette


@pytest.mark.slow
def test_serving_says_what_to_install(tmp_path: Path) -> None:
    done = inkgan(tmp_path, "serve", "--port", "0")
    assert done.returncode == 2
    assert done.stderr == "inkgan: this needs uvicorn. Install it with: pip install 'inkgan[serve]'\n"
