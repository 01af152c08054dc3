"""What the README shows can be typed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer.main

import inkgan
from inkgan.cli import app
from tiny_runs import STEPS

_ROOT = Path(__file__).parents[1]
_README = (_ROOT / "README.md").read_text("utf-8")
_DOCUMENTS = [_ROOT / "README.md", _ROOT / "CONTRIBUTING.md", *sorted((_ROOT / "docs").glob("*.md"))]


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", _README, re.DOTALL)


def _commands() -> list[str]:
    lines = [line.partition("#")[0].strip() for block in _blocks("sh") for line in block.splitlines()]
    return [line for line in lines if line]


@pytest.mark.parametrize("command", [line for line in _commands() if line.startswith("inkgan")])
def test_commands_parse(command: str) -> None:
    """Every inkgan command names existing commands and options with values of the right kind."""
    group = typer.main.get_command(app)
    words = shlex.split(command)[1:]
    context = group.make_context("inkgan", list(words))
    name, command_found, rest = group.resolve_command(context, words)  # type: ignore[attr-defined]
    assert command_found is not None
    command_found.make_context(name, rest, parent=context)


def test_other_commands_exist() -> None:
    """Make's targets are in the Makefile; everything else is a program that the install brings."""
    makefile = (_ROOT / "Makefile").read_text("utf-8")
    for command in _commands():
        words = command.split()
        if words[0] == "make":
            assert f"\n{words[1]}:" in makefile
        elif words[0] == "source":
            assert words[1:] == [".venv/bin/activate"]
            assert "\nBIN := .venv/bin\n" in makefile
        else:
            assert words[0] in {"inkgan", "tensorboard"}


def test_python_blocks_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The Python examples do what they say, in few steps."""
    monkeypatch.chdir(tmp_path)
    train = inkgan.train
    tiny = ("pretraining_steps=1", "batch_size=4")
    monkeypatch.setattr(
        inkgan,
        "train",
        lambda recipe, *, steps, seed: train(recipe, steps=STEPS, seed=seed, settings=tiny),
        raising=False,
    )
    names: dict[str, object] = {}
    for block in _blocks("python"):
        exec(compile(block, "README.md", "exec"), names)
    assert getattr(names["images"], "shape", None) == (10, 28, 28)


@pytest.mark.parametrize("document", _DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    """Every relative link and picture exists."""
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text("utf-8")):
        if "://" not in target:
            assert (document.parent / target).exists(), target
