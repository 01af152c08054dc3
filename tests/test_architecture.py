"""The shape of the code: imports point one way, files and functions stay small. ``scripts/quality.py`` prints it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import inkgan

SOURCE = Path(inkgan.__file__).parent

#: Each room's layer; a module may import rooms of lower layers and its own.
LAYERS = {
    "errors": 0, "progress": 0, "seeds": 0,
    "config": 1, "files": 1,
    "data": 2, "losses": 2, "metrics": 2, "models": 2, "networks": 2, "pictures": 2, "ink": 2,
    "checkpoint": 3, "classifier": 4, "device": 3, "features": 3, "optimizers": 3, "output": 3, "stopping": 3,
    "report": 3, "symptoms": 3, "watching": 3,
    "recipes": 4, "runfolder": 4,
    "reference": 5, "runlog": 5, "sampling": 5,
    "ruler": 6, "subject": 6, "trainer": 6, "writing": 6,
    "api": 7, "evaluation": 7,
    "comparison": 8,
    "cli": 9,
    "__main__": 10,
}  # fmt: skip
MODULES = sorted(path for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py")


def room_of(path: Path) -> str:
    """The room that a module belongs to."""
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported_rooms(tree: ast.AST) -> set[str]:
    """The rooms that a module imports, wherever in the file."""
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "inkgan":
            names += [f"inkgan.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.append(node.module or "")
        elif isinstance(node, ast.ImportFrom):
            raise AssertionError("relative imports hide the direction")
    return {name.split(".")[1] for name in names if name.startswith("inkgan.")}


def function_lengths(tree: ast.AST) -> list[tuple[int, str]]:
    """The lines of every function's body, docstring included, and its name."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [((node.end_lineno or 0) - node.body[0].lineno + 1, node.name) for node in functions]


def test_every_room_has_a_layer() -> None:
    """A new room must say where it stands."""
    assert {room_of(path) for path in MODULES} == set(LAYERS)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_down(path: Path) -> None:
    """No module imports a room of its own layer or above, except its own room."""
    room = room_of(path)
    for other in imported_rooms(ast.parse(path.read_text("utf-8"))) - {room}:
        assert LAYERS[other] < LAYERS[room], f"{room} (layer {LAYERS[room]}) imports {other}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_files_and_functions_are_small(path: Path) -> None:
    """At most 400 lines in a file and 60 in a function; a command's parameters are its help and do not count."""
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 400
    for length, name in function_lengths(ast.parse(text)):
        assert length <= 60, f"{name} is long"


def test_public_names_are_sorted_and_exist() -> None:
    """What ``__all__`` promises can be had."""
    assert inkgan.__all__ == sorted(inkgan.__all__)
    for name in inkgan.__all__:
        assert getattr(inkgan, name).__name__ == name


def test_nothing_read_is_executed() -> None:
    """No pickle, no eval, no exec, no unsafe load anywhere in the package."""
    forbidden = {"eval", "exec", "compile", "__import__"}
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                assert name not in forbidden, f"{path.name}: {name}"
                assert name != "torch.load", path.name
                assert not name.startswith(("pickle.", "yaml.")), f"{path.name}: {name}"
