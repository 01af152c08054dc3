"""Print the figures of docs/quality.md: lines, layers, the wheel and what an install brings.

    python scripts/quality.py --write              lines, layers and wheel, also into docs/quality.md
    python scripts/quality.py --install --write    and a clean install, which takes a minute

The layers and what counts as an import are those of ``tests/test_architecture.py``.
"""

from __future__ import annotations

import argparse
import ast
import graphlib
import io
import subprocess
import sys
import tempfile
import time
import tokenize
import tomllib
import zipfile
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_DOCUMENT = _ROOT / "docs" / "quality.md"

sys.path[:0] = [str(_ROOT / "src"), str(_ROOT / "tests")]  # of this tree, whatever is installed
from test_architecture import LAYERS, SOURCE, function_lengths, imported_rooms, room_of  # noqa: E402

#: Rooms by what they are for. The first three groups are all it takes to train and to checkpoint.
_GROUPS = {
    "ground": "__init__ errors progress seeds config files",
    "data": "data",
    "learning": "api trainer recipes networks losses optimizers checkpoint runfolder runlog device stopping symptoms "
    "watching",
    "measuring": "metrics features classifier reference ruler subject evaluation report comparison",
    "pictures and writing": "models sampling pictures output ink writing",
    "command line": "__main__ cli",
}
_CORE = 3
_NO_CODE = {getattr(tokenize, name) for name in ("COMMENT", "NL", "NEWLINE", "INDENT", "DEDENT", "ENDMARKER")}


def code_lines(text: str) -> int:
    """The lines of a module that hold code: not blank, nor only a comment or a docstring."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in _NO_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines.difference_update(range(node.lineno, (node.end_lineno or 0) + 1))
    return len(lines)


def lines_and_layers() -> str:
    """Code lines of groups, rooms and files; what each room imports; the longest file and function."""
    modules = {path: path.read_text("utf-8") for path in sorted(SOURCE.rglob("*.py"))}
    files: defaultdict[str, dict[str, int]] = defaultdict(dict)  # code lines of each file of each room
    imports: defaultdict[str, set[str]] = defaultdict(set)
    for path, text in modules.items():
        files[room_of(path)][path.stem] = code_lines(text)
        imports[room_of(path)] |= imported_rooms(ast.parse(text)) - {room_of(path)}
    tuple(graphlib.TopologicalSorter(imports).static_order())  # raises a CycleError where there is a cycle
    if odd := files.keys() ^ {room for rooms in _GROUPS.values() for room in rooms.split()}:
        raise SystemExit(f"_GROUPS and src/inkgan differ in {', '.join(sorted(odd))}: give each room one group.")

    rows = ["| layer | room | code lines | imports |", "| --- | --- | --- | --- |"]
    sums = []
    for name, rooms in _GROUPS.items():
        sums.append(sum(sum(files[room].values()) for room in rooms.split()))
        rows.append(f"| | **{name}** | **{sums[-1]:,}** | |")
        for room in sorted(rooms.split(), key=lambda room: (LAYERS.get(room, 0), room)):
            count = f"{sum(files[room].values()):,}"
            if len(files[room]) > 1:
                count += f": {', '.join(f'{file} {lines}' for file, lines in files[room].items())}"
            below = ", ".join(sorted(imports[room], key=lambda other: (-LAYERS[other], other)))
            rows.append(f"| {LAYERS.get(room, '')} | {room} | {count} | {below} |")

    longest, file = max((len(text.splitlines()), path) for path, text in modules.items())
    (length, function), where = max(
        (each, path) for path, text in modules.items() for each in function_lengths(ast.parse(text))
    )
    core = ", ".join(list(_GROUPS)[:_CORE])
    facts = [
        f"{sum(sums):,} code lines (no blanks, comments or docstrings) in {len(modules)} files",
        f"the core, all it takes to train ({core}): {sum(sums[:_CORE]):,} of them; measuring: {sums[_CORE]:,}",
        f"longest file: {file.relative_to(SOURCE)}, {longest} lines of all kinds",
        f"longest function: {function} in {where.relative_to(SOURCE)}, {length} lines",
        f"{len(files)} rooms, {sum(map(len, imports.values()))} imports between them, no cycle",
    ]
    return "\n".join([*(f"- {fact}" for fact in facts), "", *rows])


def wheel(path: Path) -> str:
    """What a wheel weighs, and what of it."""
    with zipfile.ZipFile(path) as archive:
        packed = {entry.filename: entry.compress_size for entry in archive.infolist()}
    kinds: Counter[str] = Counter()
    for name, size in packed.items():
        kinds["code" if name.endswith(".py") else "/".join(name.split("/")[:-1])] += size
    dependencies = tomllib.loads((_ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    return (
        f"{path.name}: {path.stat().st_size / 1e6:.2f} MB, {len(packed)} files, {len(dependencies)} dependencies.\n\n"
        f"{_table('in the wheel', kinds, 1e3, 'kB')}\n\n{_table('largest files', packed, 1e3, 'kB')}"
    )


def install(path: Path, folder: Path) -> str:
    """Install a wheel into a clean environment: how long it takes, how much it brings, and whether it fits."""
    python = folder / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    start = time.monotonic()
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", str(path)], check=True)
    seconds = time.monotonic() - start
    sizes: Counter[str] = Counter()
    site = next(folder.glob("lib/python*/site-packages"))
    for file in site.rglob("*"):
        if file.is_file() and not file.is_symlink():
            sizes[file.relative_to(site).parts[0]] += file.stat().st_size
    packages = _lines(str(python), "-m", "pip", "list", "--format=freeze")
    fits = _lines(str(python), "-m", "pip", "check")
    return (
        f"`pip install` of the wheel: {seconds:.0f} s, {len(packages)} packages with pip and setuptools, "
        f"{sizes.total() / 1e6:,.0f} MB. `pip check`: {fits[-1]}\n\n{_table('largest folders', sizes, 1e6, 'MB')}"
    )


def _table(title: str, sizes: Mapping[str, int], unit: float, name: str) -> str:
    """The five largest of some sizes."""
    rows = [f"| {what} | {size / unit:,.1f} |" for what, size in Counter(sizes).most_common(5)]
    return "\n".join([f"| {title} | {name} |", "| --- | --- |", *rows])


def _lines(*command: str) -> list[str]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip().splitlines()


def main() -> None:
    """Print what is asked for, and write it between its marks in the document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--install", action="store_true", help="also install the wheel into a clean environment")
    parser.add_argument("--write", action="store_true", help="put the figures into docs/quality.md")
    options = parser.parse_args()
    blocks = {"lines": lines_and_layers()}
    with tempfile.TemporaryDirectory(prefix="inkgan-quality-") as folder:
        build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, str(_ROOT)]
        subprocess.run(build, check=True)
        (built,) = Path(folder).glob("*.whl")
        blocks["wheel"] = wheel(built)
        if options.install:
            blocks["install"] = install(built, Path(folder) / "venv")
    for name, block in blocks.items():
        print(f"## {name}\n\n{block}\n")
        if options.write:
            document = _DOCUMENT.read_text("utf-8")
            before, mark, rest = document.partition(f"<!-- {name} -->\n")
            _, end, after = rest.partition("<!-- end -->")
            if not end:
                raise SystemExit(f"{_DOCUMENT} has no marks <!-- {name} --> and <!-- end -->.")
            _DOCUMENT.write_text(f"{before}{mark}\n{block}\n\n{end}{after}", "utf-8")


if __name__ == "__main__":
    main()
