"""How Sphinx builds the site; scripts/site.py collects its pages first."""

from __future__ import annotations

import re
from importlib import metadata
from itertools import pairwise
from typing import Any

from sphinx.search.en import SearchEnglish

project = "inkgan"
version = release = metadata.version("inkgan")
language = "en"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = "inkgan"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_search_language = "en-zh"
html_additional_pages = {"search.zh-CN": "search.html"}  # Chinese pages lead to this one

# Notebooks are kept with their results: the site shows what the lessons computed, and computes nothing.
nb_execution_mode = "off"
nb_merge_streams = True
smartquotes_action = "qe"  # quotes and ellipses, but no dashes: --set is an option
myst_heading_anchors = 6
myst_enable_extensions = ["attrs_inline"]
suppress_warnings = ["misc.highlighting_failure", "myst.header"]  # terminal text; one page begins below a comment

autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_use_ivar = True
# Docstrings name other packages, and modules that have no page here. Links between pages are all checked.
nitpick_ignore_regex = [("py:.*", r".*")]


def languages(page: str) -> set[str]:
    """The languages that a page is written in."""
    if page.startswith("lessons/zh/") or page.endswith("zh-CN"):
        return {"zh"}
    return {"en", "zh"} if page in ("index", "lessons/questions", "lessons/glossary") else {"en"}


def neighbour(page: str, relations: dict[str, list[str | None]], side: int) -> str | None:
    """The nearest page in one of the page's languages: before it in the contents (side 1), or after it (side 2)."""
    found = relations[page][side]
    while found and not languages(found) & languages(page):
        found = relations[found][side]
    return found


def _language_of_the_page(app: Any, page: str, _template: str, context: dict[str, Any], _tree: Any) -> None:
    """Browsers, screen readers and fonts want to know which pages are Chinese; readers stay in their language."""
    if languages(page) == {"zh"}:
        context["language"] = "zh-CN"
        app.add_js_file("zh-CN.js")  # to this page only
    if page not in app.builder.relations:  # the searches, the index
        return
    for side, name in ((1, "prev"), (2, "next")):
        found = neighbour(page, app.builder.relations, side)
        context[name] = found and {
            "link": app.builder.get_relative_uri(page, found),
            "title": app.builder.render_partial(app.env.titles[found])["title"],
        }


class EnglishAndChinese(SearchEnglish):
    """Chinese has no spaces between words: its characters are found one by one and in pairs."""

    lang = "en-zh"
    js_splitter_code = r"""
var splitQuery = (query) =>
  (query.match(/[\u3400-\u9fff]+|(?:(?![\u3400-\u9fff])[\p{Letter}\p{Number}_])+/gu) ?? []).flatMap((run) =>
    /[\u3400-\u9fff]{3}/.test(run) ? [...run].slice(1).map((_, i) => run.slice(i, i + 2)) : [run],
  );
"""

    def split(self, text: str) -> list[str]:
        """Words of English; characters of Chinese, and each pair of them."""
        words = []
        for run in re.findall(r"[\u3400-\u9fff]+|(?:(?![\u3400-\u9fff])\w)+", text):
            if re.match(r"[\u3400-\u9fff]", run):
                words += [*run, *map("".join, pairwise(run))]
            else:
                words.append(run)
        return words


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.add_search_language(EnglishAndChinese)
    app.connect("html-page-context", _language_of_the_page)
