"""The contents of the project's documents: code blocks, commands, links."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
DOCUMENTS = [
    README,
    ROOT / "README.zh-CN.md",
    *(ROOT / name for name in ("CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "lessons").glob("*.md")),
    *sorted((ROOT / "src" / "inkgan" / "cli" / "topics").glob("*.md")),
    *sorted((ROOT / ".github").rglob("*.md")),
]


def name(document: Path) -> str:
    """A document's path in the repository, which names it in the list of tests."""
    return document.relative_to(ROOT).as_posix()


def blocks(document: Path, language: str) -> list[str]:
    """The code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", document.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def commands(document: Path) -> list[str]:
    """The commands in the code blocks of the shell, without their comments."""
    lines = [line.partition("#")[0].strip() for block in blocks(document, "sh") for line in block.splitlines()]
    return [line for line in lines if line]


def inline_commands(document: Path) -> list[str]:
    """The commands of inkgan and of the project's scripts within sentences and tables, each on one line."""
    text = re.sub(r"^```.*?^```", "", document.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    found = re.findall(r"`((?:inkgan [a-z]|python (?:benchmarks|scripts|tests)/)[^`]*)`", text)
    return [" ".join(command.split()) for command in found]


def links(document: Path) -> list[str]:
    """The targets of links and pictures, outside code."""
    text = re.sub(r"^```.*?^```", "", document.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"`[^`]*`", "`", text)
    return [*re.findall(r"\]\(([^)\s]+)\)", text), *re.findall(r"^\[[^\]]+\]: (\S+)$", text, re.MULTILINE)]


def anchors(document: Path) -> set[str]:
    """The anchors that a link can name in a document: its headings, as GitHub spells them."""
    headings = re.findall(r"^#+ (.*)$", document.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
