"""The shape of the code. The contracts of import-linter in ``pyproject.toml`` check which way imports point."""

from __future__ import annotations

import ast
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import inkgan
from fresh_process import modules_after

SOURCE = Path(inkgan.__file__).parent

MODULES = sorted(path for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py")


def function_lengths(tree: ast.AST) -> list[tuple[int, str]]:
    """The lines of every function's body, docstring included, and its name."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [((node.end_lineno or 0) - node.body[0].lineno + 1, node.name) for node in functions]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_functions_are_short(path: Path) -> None:
    """No function has more than 60 lines; a command's parameters are its help and do not count."""
    for length, name in function_lengths(ast.parse(path.read_text("utf-8"))):
        assert length <= 60, f"{name} is long"


def test_the_top_folder_holds_few_things() -> None:
    """Besides the package's own files, the folder has sixteen entries at most: base, subpackages and models."""
    own = {"__init__.py", "__main__.py", "py.typed", "__pycache__"}
    assert len({entry.name for entry in SOURCE.iterdir()} - own) <= 16


def test_every_folder_says_what_it_may_import() -> None:
    """The sentence in each subpackage's docstring is what the contract in ``pyproject.toml`` allows."""
    project = tomllib.loads((SOURCE.parents[1] / "pyproject.toml").read_text("utf-8"))
    (contract,) = project["tool"]["importlinter"]["contracts"]
    above = [name for name in reversed(contract["layers"]) if (SOURCE / name / "__init__.py").is_file()]
    above.remove("config")
    for number, name in enumerate(above):
        docstring = ast.get_docstring(ast.parse((SOURCE / name / "__init__.py").read_text("utf-8"))) or ""
        *before, last = ["the base", *above[:number]]
        allowed = f"{', '.join(before)} and {last}" if before else last
        assert f"It may import {allowed}." in " ".join(docstring.split()), name


def imported(path: Path) -> set[str]:
    """The names of all modules that a module imports, even inside functions, but not those only for type checking."""
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    branches = [node for node in nodes if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    for_types = [node for branch in branches for node in branch.body]
    imports = [node for node in nodes if isinstance(node, ast.ImportFrom) and node not in for_types]
    members = {f"{node.module}.{one.name}" for node in imports for one in node.names}
    return members | {str(node.module) for node in imports}


def test_few_modules_import_each_other() -> None:
    """Two modules may import each other only if one loads fast and imports the other, which does the work, late."""
    modules = [path for path in MODULES if path.name != "__init__.py"]
    imports = {
        ".".join(("inkgan", *path.relative_to(SOURCE).with_suffix("").parts)): imported(path) for path in modules
    }
    both = {(a, b) for a, names in imports.items() for b in names & imports.keys() if a < b and a in imports[b]}
    assert both == {
        ("inkgan.evaluation.report", "inkgan.evaluation.report_html"),
        ("inkgan.training.processes", "inkgan.training.team"),
    }


def test_public_names_are_sorted_and_exist() -> None:
    """``__all__`` is sorted, and every name in it exists."""
    assert inkgan.__all__ == sorted(inkgan.__all__) == dir(inkgan)
    for name in inkgan.__all__:
        assert getattr(inkgan, name).__name__ == name


def test_the_version_is_looked_up_only_when_asked_for() -> None:
    """``inkgan.__version__`` is the installed version; importing the package does not load what finds it."""
    assert inkgan.__version__ == metadata.version("inkgan")
    assert "importlib.metadata" not in modules_after("import inkgan")


@pytest.mark.slow
def test_nothing_read_is_executed() -> None:
    """Nothing in the package unpickles, reads YAML, evaluates or imports by a name from a file."""
    forbidden = {"eval", "exec", "compile", "__import__", "torch.load", "torch.save"}
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                modules = {one.name for one in node.names} | {getattr(node, "module", None)}
                assert not modules & {"pickle", "yaml"}, path.name
            if isinstance(node, ast.Call):
                assert ast.unparse(node.func) not in forbidden, path.name
                assert "allow_pickle=True" not in map(ast.unparse, node.keywords), path.name
