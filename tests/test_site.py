"""The site: which pages it has, and that its links are looked after."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[1]
site = runpy.run_path(str(ROOT / "scripts" / "site.py"))


def test_links_to_what_is_no_page_become_text() -> None:
    kept = {Path("docs/api.md"), Path("README.md")}
    text = "[API](api.md#train), [code](../src/x.py), [web](https://a.b), [here](#there), [up](../README.md)"
    mended = site["without_dead_links"](text, Path("docs/training.md"), kept)
    assert mended == "[API](api.md#train), code, [web](https://a.b), [here](#there), [up](../README.md)"


def test_links_that_lead_nowhere_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text('<a href="b.html#x">, <a href="c.html">, <a href="https://d">, <img src="e.png">')
    (tmp_path / "b.html").write_text("")
    assert list(site["broken"](tmp_path)) == ["a.html: c.html", "a.html: e.png"]


def test_every_document_is_a_page_and_stands_in_the_contents() -> None:
    """A new document or lesson appears by itself; placeholders of groups are filled."""
    pages = site["pages"]()
    contents = site["_index"](set(pages))
    assert Path("lessons/zh/01-two-networks.ipynb") in pages
    for page in pages:
        if page.suffix == ".md" and page.parts[0] != "lessons":
            assert page.with_suffix("").as_posix() in contents, page
    assert "\nGUIDES\n" not in contents


def test_every_command_has_its_help() -> None:
    text = site["commands_page"]()
    assert "## inkgan train\n" in text
    assert "--recipe" in text
    assert "Error" not in text
