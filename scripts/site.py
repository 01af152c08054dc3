"""Build the site from the lessons, the documents, the docstrings and the commands: ``python scripts/site.py``.

It needs no network. Open ``build/site/html/index.html`` as a file; even its search works.

The pages are collected in ``build/site/source`` under the same paths as in the repository, so that links between them
work. A link to a file that is not a page, such as source code, becomes plain text.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import sphinx
import typer.main
from typer.testing import CliRunner

import inkgan
from inkgan.cli import app

ROOT = Path(__file__).parents[1]
SITE = ROOT / "build" / "site"
#: Modules that read as mathematics; their docstrings make up one page.
_MATHEMATICS = (
    "inkgan.training.losses",
    "inkgan.networks.tutorial",
    "inkgan.networks.compact",
    "inkgan.evaluation.metrics.frechet",
    "inkgan.evaluation.metrics.kernel",
    "inkgan.evaluation.metrics.neighbours",
    "inkgan.evaluation.metrics.novelty",
    "inkgan.seeds",
)
#: The guides in the order of the table of contents; the other pages follow automatically.
_GUIDES = ("training", "research", "writing", "export", "cluster", "tutorial", "tutorial.zh-CN", "serve", "scale")
_PAGES = (
    "*.md",
    "docs/*.md",
    "docs/pictures/*",
    "src/inkgan/cli/topics/*.md",
    "src/inkgan/models/*/README.md",
    "benchmarks/results/*.md",
    "lessons/*.md",
    "lessons/*/*.ipynb",
)
#: ``<!-- play: learn -->`` in a page becomes the exported page, opened at that view, with a title in its language.
_PLAY = re.compile(r"^<!-- play: (\w+) -->$", re.MULTILINE)
_VIEWS = {
    "write": {"en": "A GAN writes what you type", "zh": "GAN 把你输入的内容写出来"},
    "hand": {"en": "Draw a digit, and all ten appear in your hand", "zh": "写一个数字，十个数字就都有了你的笔迹"},
    "learn": {"en": "A GAN learns while you watch", "zh": "看着 GAN 学习"},
}
#: What Sphinx and its theme write around a page and beside its headings, and the captions of the contents, for Chinese
#: pages. Sphinx has Chinese catalogues, but few of these words are in them, and the theme brings none.
_FRAME = {
    "Auto light/dark, in dark mode": "自动，现为深色",
    "Auto light/dark, in light mode": "自动，现为浅色",
    "Back to top": "回到顶部",
    "Contents of this page": "本页目录",
    "Contents": "本页目录",
    "Dark mode": "深色",
    "Expand": "展开",
    "Guides": "指南（大多是英文）",
    "Home": "首页",
    "Index": "索引",
    "Lessons": "课程（英文）",
    "Light mode": "浅色",
    "Link to this heading": "这一节的链接",
    "Made with": "制作工具：",
    "Menu": "菜单",
    "Next": "下一页",
    "On this page": "本页目录",
    "Pages of this site": "全站目录",
    "Previous": "上一页",
    "Reference": "参考（英文）",
    "Search": "搜索",
    "Skip to content": "跳到正文",
    "The project": "项目（英文）",
    "Toggle Light / Dark / Auto color theme": "切换浅色、深色或自动",
    "Toggle site navigation sidebar": "展开或收起全站目录",
    "Toggle table of contents sidebar": "展开或收起本页目录",
    "What we found": "实测结果（英文）",
}
#: What a screen reader says about a picture that the code of a lesson drew; the text around it says what it shows.
_DRAWN = {"en": "a picture that the code above draws", "zh": "上面的代码画出的图"}
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")


def main() -> None:
    """Build the site, or exit with the reason why it cannot be built."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    collect(SITE / "source")
    build = [sys.executable, "-m", "sphinx", "-W", "-n", "--keep-going", "-q", "-b", "html", "-j", "2"]
    done = subprocess.run([*build, "-d", SITE / "doctrees", SITE / "source", SITE / "html"], check=False)
    if done.returncode:
        sys.exit(done.returncode)
    for page in SITE.glob("html/**/*.html"):
        text = page.read_text("utf-8")
        chinese = re.search(r'<html[^>]* lang="zh-CN"', text) is not None
        text = for_screen_readers(text, "zh" if chinese else "en")
        page.write_text(framed_in_chinese(text) if chinese else text, "utf-8")
    found = list(broken(SITE / "html"))
    if found:
        sys.exit("links that lead nowhere:\n" + "\n".join(found))
    print(f"built {SITE / 'html' / 'index.html'}")


def collect(source: Path) -> None:
    """Write every page and the configuration into a new folder."""
    if source.exists():
        shutil.rmtree(source)
    kept = set(pages())
    for page in sorted(kept):
        target = source / page
        target.parent.mkdir(parents=True, exist_ok=True)
        if page.suffix == ".md":
            text = without_dead_links((ROOT / page).read_text("utf-8"), page, kept)
            target.write_text(with_play(text, page), "utf-8")
        elif page.suffix == ".ipynb":
            target.write_text(notebook_with_play((ROOT / page).read_text("utf-8"), page), "utf-8")
        else:
            shutil.copyfile(ROOT / page, target)
    (source / "docs" / "cli.md").write_text(commands_page(), "utf-8")
    (source / "docs" / "mathematics.md").write_text(mathematics_page(), "utf-8")
    shutil.copyfile(ROOT / "docs" / "site" / "conf.py", source / "conf.py")
    (source / "static").mkdir()
    for file in (ROOT / "docs" / "site" / "site.css", *(ROOT / "docs" / "site").glob("*.png")):
        shutil.copyfile(file, source / "static" / file.name)
    words_of_the_search = Path(sphinx.__file__).parent / "locale" / "zh_CN" / "LC_MESSAGES" / "sphinx.js"
    shutil.copyfile(words_of_the_search, source / "static" / "zh-CN.js")
    inkgan.export("best", source / "static" / "page.html")
    (source / "index.md").write_text(_index(kept), "utf-8")


def pages() -> list[Path]:
    """Return the files that the site shows, relative to the repository."""
    return sorted(path.relative_to(ROOT) for pattern in _PAGES for path in ROOT.glob(pattern))


def without_dead_links(text: str, page: Path, kept: set[Path]) -> str:
    """Turn links to files that are not on the site into plain text."""

    def mended(link: re.Match[str]) -> str:
        target = link[3].partition("#")[0]
        if "://" in target or not target:
            return link[0]
        place = Path(os.path.normpath(page.parent / target))
        return link[0] if place in kept else link[2]

    return _LINK.sub(mended, text)


def with_play(text: str, page: Path) -> str:
    """Insert the exported page at its marks; readers without JavaScript see a picture."""
    static = "/".join([*[".."] * len(page.parent.parts), "_static"])
    language = "zh" if page.parts[:2] == ("lessons", "zh") else "en"

    def shown(asked: re.Match[str]) -> str:
        title = _VIEWS[asked[1]][language]
        return (
            f'<div class="play"><iframe src="{static}/page.html#{asked[1]}&amp;lang={language}" title="{title}"'
            f' loading="lazy"></iframe><noscript><style>.play iframe {{ display: none }}</style>'
            f'<img src="{static}/play-{asked[1]}.png" alt="{title}"></noscript></div>'
        )

    return _PLAY.sub(shown, text)


def notebook_with_play(text: str, page: Path) -> str:
    """Do the same in the prose of a notebook."""
    notebook = json.loads(text)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = with_play("".join(cell["source"]), page)
    return json.dumps(notebook, ensure_ascii=False)


def commands_page() -> str:
    """Return a page with the help of every command, as the terminal shows it."""
    parts = ["# The command line\n\n`inkgan COMMAND --help` says the same; `inkgan help` explains subjects.\n"]
    for name in _names_of_commands(typer.main.get_command(app)):
        environment = {"COLUMNS": "92", "NO_COLOR": "1", "TERMINAL_WIDTH": "92"}  # fits the narrowest usual column
        shown = CliRunner().invoke(app, [*name.split(), "--help"], env=environment, prog_name="inkgan")
        parts.append(f"## inkgan {name}\n\n```text\n{shown.output.rstrip()}\n```\n")
    return "\n".join(parts)


def _names_of_commands(group: object) -> Iterator[str]:
    """Yield the name of every command, also of those within another, such as ``data check``."""
    for name, command in getattr(group, "commands", {}).items():
        yield name
        yield from (f"{name} {inner}" for inner in _names_of_commands(command))


def mathematics_page() -> str:
    """Return a page with the docstrings of modules that read as mathematics."""
    parts = ["# Losses, networks and measures\n\nEach function with its paper and equation, from the docstrings.\n"]
    for module in _MATHEMATICS:
        directive = f".. automodule:: {module}\n   :members:\n"
        parts.append(f"## {module.removeprefix('inkgan.')}\n\n```{{eval-rst}}\n{directive}```\n")
    return "\n".join(parts)


def _index(kept: set[Path]) -> str:
    text = (ROOT / "docs" / "site" / "index.md").read_text("utf-8")
    guides = [Path("docs") / f"{name}.md" for name in _GUIDES]
    listed = set(re.findall(r"^(?:.*<)?([\w./-]+?)>?$", text, re.MULTILINE))
    others = [path for path in sorted(kept) if path.suffix == ".md" and path.with_suffix("").as_posix() not in listed]
    others = [path for path in others if path not in guides and path.parts[0] != "lessons"]
    records = [path for path in others if path.parts[0] == "benchmarks" or path.match("models/*/README.md")]
    rest = [path for path in others if path not in records]
    groups = {"GUIDES": [path for path in guides if path in kept], "REFERENCE": rest, "RECORDS": records}
    for word, found in groups.items():
        text = text.replace(f"\n{word}\n", "".join(f"\n{path.with_suffix('').as_posix()}" for path in found) + "\n")
    return text


def for_screen_readers(page: str, language: str) -> str:
    """Name what Sphinx and its theme leave without a name, or with one that only repeats the name of a file.

    Pictures that code drew, the two side bars, and the levels of captions in the contents are named. What unfolds a
    solution is known by its own words, not by those of the theme, which say neither what it is nor which one.
    """
    page = re.sub(r'(<img )alt="[^"]*_images/\w{64}\.\w+"', rf'\1alt="{_DRAWN[language]}"', page)
    page = re.sub(r"<img (?![^>]*\balt=)", f'<img alt="{_DRAWN[language]}" ', page)
    page = page.replace('<p class="caption" role="heading">', '<p class="caption" role="heading" aria-level="2">')
    for sidebar, name in (("sidebar-drawer", "Pages of this site"), ("toc-drawer", "Contents of this page")):
        page = page.replace(f'<aside class="{sidebar}">', f'<aside class="{sidebar}" aria-label="{name}">')
    return page.replace('<summary aria-label="Toggle hidden content">', "<summary>")


def framed_in_chinese(page: str) -> str:
    """Translate what stands around the article of a Chinese page, and its labels; let it lead to the Chinese search."""
    words = "|".join(re.escape(word) for word in _FRAME)

    def translated(found: re.Match[str]) -> str:
        return found[1] + _FRAME[found[2]] + found[3]

    labelled = re.sub(rf'((?:aria-label|placeholder|title)=")({words})(")', translated, page)
    before, article, after = re.split("(<article.*</article>)", labelled, flags=re.DOTALL)
    before, after = (re.sub(rf"(>\s*)({words})((?: - inkgan|\s*)<)", translated, part) for part in (before, after))
    before = re.sub(r'((?:action|href)="[^"]*\bsearch)(\.html")', r"\1.zh-CN\2", before)
    return before + article + after


def broken(html: Path) -> Iterator[str]:
    """Yield links between pages that lead nowhere, also in notebooks, where Sphinx does not check all of them."""
    for page in sorted(html.rglob("*.html")):
        for target in re.findall(r'(?:href|src)="([^"#?]+)', page.read_text("utf-8")):
            if "://" in target or target.startswith(("data:", "mailto:")):
                continue
            if not (page.parent / target).exists():
                yield f"{page.relative_to(html)}: {target}"


if __name__ == "__main__":
    main()
