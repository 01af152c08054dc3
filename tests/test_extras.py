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

#: Runs commands in a process that cannot import some libraries, and prints the exit code of each after what it said.
_WITHOUT = """
import sys
sys.modules.update(dict.fromkeys(sys.argv[1].split()))
from inkgan.cli import run
for command in sys.argv[2:]:
    print(run(command.split()), file=sys.stderr)
"""
_TRAIN = "torch tensorboard scipy pooch jinja2"
_SERVE = "fastapi starlette uvicorn prometheus_client"
_ALL_BUT_ONNX = f"{_TRAIN} {_SERVE} lmdb pyarrow ray"


def inkgan(folder: Path, *commands: str, without: str = _ALL_BUT_ONNX) -> str:
    """Return what commands say on stderr, each with its exit code on a line below."""
    command = [sys.executable, "-c", _WITHOUT, without, *commands]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stderr


@pytest.mark.slow
def test_what_needs_no_extra_works(tmp_path: Path) -> None:
    said = inkgan(
        tmp_path,
        "write 2026 -o 2026.png",
        "sample fast -n 3 -o digits.npz",
        "morph 1 2 --steps 1 -o hands.png",
        "export fast -o fast.onnx",
        "data show mnist -o mnist.png",
        "train --help",
    )
    assert re.findall(r"^\d+$", said, re.MULTILINE) == ["0"] * 6, said


@pytest.mark.slow
def test_a_model_folder_is_exported_without_onnx(tmp_path: Path) -> None:
    assert inkgan(tmp_path, "export fast -o fast/", without=f"{_ALL_BUT_ONNX} onnx") == "0\n"


@pytest.mark.slow
def test_commands_that_need_an_extra_say_what_to_install(tmp_path: Path) -> None:
    said = inkgan(tmp_path, "train --steps 1", "evaluate best", "compare best fast", "serve --port 0")
    to_train = r"inkgan: this needs (PyTorch|SciPy)\. Install it with: pip install 'inkgan\[train\]'\n2\n"
    to_serve = r"inkgan: this needs uvicorn\. Install it with: pip install 'inkgan\[serve\]'\n2\n"
    assert re.fullmatch(3 * to_train + to_serve, said), said
    assert not list(tmp_path.iterdir())


def test_each_extra_that_messages_name_brings_its_library() -> None:
    """Every extra that a message tells the user to install is in pyproject.toml and brings the missing library."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    for library, (_, extra) in errors.OPTIONAL.items():
        assert extra in extras, f"{extra} is no extra of pyproject.toml"
        brought = {re.split(r"[^\w-]", one)[0].replace("-", "_") for one in extras[extra]}
        assert library in brought | {"starlette"}, f"the extra {extra} lacks {library}"  # FastAPI brings Starlette
