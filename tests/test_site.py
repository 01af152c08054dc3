"""The site: its pages, its links, its search, and the embedded page."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from documents import ROOT

site = runpy.run_path(str(ROOT / "scripts" / "site.py"))


def test_links_to_files_that_are_no_pages_become_text() -> None:
    kept = {Path("docs/api.md"), Path("README.md")}
    text = "[API](api.md#train), [code](../src/x.py), [web](https://a.b), [here](#there), [up](../README.md)"
    mended = site["without_dead_links"](text, Path("docs/training.md"), kept)
    assert mended == "[API](api.md#train), code, [web](https://a.b), [here](#there), [up](../README.md)"


def test_links_that_lead_nowhere_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text('<a href="b.html#x">, <a href="c.html">, <a href="https://d">, <img src="e.png">')
    (tmp_path / "b.html").write_text("")
    assert list(site["broken"](tmp_path)) == ["a.html: c.html", "a.html: e.png"]


def test_the_page_is_embedded_where_it_is_asked_for() -> None:
    """It has the language of the surrounding page, opens at the view, and has a picture for readers without scripts."""
    text = "# Play\n\n<!-- play: hand -->\n"
    chinese = site["with_play"](text, Path("lessons/zh/07-latents.ipynb"))
    assert 'src="../../_static/page.html#hand&amp;lang=zh"' in chinese
    assert '<noscript><style>.play iframe { display: none }</style><img src="../../_static/play-hand.png"' in chinese
    assert 'src="../_static/page.html#hand&amp;lang=en"' in site["with_play"](text, Path("docs/export.md"))
    assert site["with_play"]("see `<!-- play: hand -->`", Path("a.md")) == "see `<!-- play: hand -->`"


def test_what_the_lessons_embed_is_there() -> None:
    """Each view that a lesson asks for has a picture, and is embedded in the site's version of the notebook."""
    asked = set()
    for page in site["pages"]():
        if page.suffix == ".ipynb":
            text = (ROOT / page).read_text("utf-8")
            views = re.findall(r"<!-- play: (\w+) -->", text)
            assert site["notebook_with_play"](text, page).count("<iframe") == len(views) + text.count("<iframe"), page
            asked.update(views)
    assert {"learn", "hand"} <= asked
    assert all((ROOT / "docs" / "site" / f"play-{view}.png").is_file() for view in asked)


def test_an_option_keeps_its_hyphens() -> None:
    """Sphinx makes a dash of two hyphens in a text that is not marked as code, such as what the doctor says."""
    conf = runpy.run_path(str(ROOT / "docs" / "site" / "conf.py"))
    assert not {*"dDi"} & {*conf["smartquotes_action"]}


def test_search_finds_chinese_words() -> None:
    """The index has Chinese text as characters and pairs, as the browser cuts a query; other words stay whole."""
    conf = runpy.run_path(str(ROOT / "docs" / "site" / "conf.py"))
    words = conf["EnglishAndChinese"]({}).split("判别器说 GAN_2 是真的")
    assert words == ["判", "别", "器", "说", "判别", "别器", "器说", "GAN_2", "是", "真", "的", "是真", "真的"]


def test_chinese_pages_are_framed_in_chinese() -> None:
    """Buttons, captions and labels are translated, and so is the search; words of the article itself are not."""
    page = (
        '<title>Search - inkgan</title><p class="caption">Guides</p><a href="a.html">Reference manual</a>'
        '<form action="../search.html"></form><a href="docs/research.html"></a>'
        '<article><h1>书<a title="Link to this heading">¶</a></h1><code><span>Search</span></code></article>'
        '<a href="Next.html" aria-label="Toggle site navigation sidebar"><span>\n  Next\n</span></a>'
    )
    assert site["framed_in_chinese"](page) == (
        '<title>搜索 - inkgan</title><p class="caption">指南（大多是英文）</p><a href="a.html">Reference manual</a>'
        '<form action="../search.zh-CN.html"></form><a href="docs/research.html"></a>'
        '<article><h1>书<a title="这一节的链接">¶</a></h1><code><span>Search</span></code></article>'
        '<a href="Next.html" aria-label="展开或收起全站目录"><span>\n  下一页\n</span></a>'
    )


@pytest.mark.parametrize(
    ("language", "drawn"), [("en", "a picture that the code above draws"), ("zh", "上面的代码画出的图")]
)
def test_screen_readers_are_told_what_things_are(language: str, drawn: str) -> None:
    """No picture is named after its file, or not at all; what has a name keeps it."""
    name = f"../../_images/{'0a' * 32}.png"
    page = (
        f'<img alt="{name}" src="{name}" /><img src="data:image/png;base64,0" style="a"><img alt="two" src="b.png">'
        '<aside class="sidebar-drawer"><p class="caption" role="heading">a</p></aside>'
        '<aside class="toc-drawer"></aside>'
        '<summary aria-label="Toggle hidden content">\n<p>Solution</p></summary>'
    )
    assert site["for_screen_readers"](page, language) == (
        f'<img alt="{drawn}" src="{name}" /><img alt="{drawn}" src="data:image/png;base64,0" style="a">'
        '<img alt="two" src="b.png"><aside class="sidebar-drawer" aria-label="Pages of this site">'
        '<p class="caption" role="heading" aria-level="2">a</p></aside>'
        '<aside class="toc-drawer" aria-label="Contents of this page"></aside><summary>\n<p>Solution</p></summary>'
    )


def test_readers_stay_in_their_language() -> None:
    """The page before and the page after are the nearest ones that the reader can read."""
    conf = runpy.run_path(str(ROOT / "docs" / "site" / "conf.py"))
    order = ["index", "lessons/en/1", "lessons/en/2", "lessons/zh/1", "lessons/zh/2", "lessons/questions"]
    order += ["README", "README.zh-CN", "docs/serve"]
    around = zip([None, *order[:-1]], [*order[1:], None], strict=True)
    relations = {page: [None, *pair] for page, pair in zip(order, around, strict=True)}
    found = {page: [conf["neighbour"](page, relations, side) for side in (1, 2)] for page in order}
    assert found["lessons/en/2"] == ["lessons/en/1", "lessons/questions"]
    assert found["lessons/zh/1"] == ["index", "lessons/zh/2"]
    assert found["lessons/questions"] == ["lessons/zh/2", "README"]
    assert found["README"] == ["lessons/questions", "docs/serve"]
    assert found["README.zh-CN"] == ["lessons/questions", None]


def test_every_document_is_a_page_and_stands_in_the_contents() -> None:
    """The contents list every document, even a new one, and the placeholders of groups are filled."""
    pages = site["pages"]()
    contents = site["_index"](set(pages))
    assert Path("lessons/zh/01-two-networks.ipynb") in pages
    for page in pages:
        if page.suffix == ".md":
            name = re.escape(page.with_suffix("").as_posix())
            assert re.search(rf"^(.*<)?{name}>?$", contents, re.MULTILINE), page  # a link in the prose is no entry
    assert "\nGUIDES\n" not in contents


@pytest.mark.slow
def test_every_command_has_its_help() -> None:
    text = site["commands_page"]()
    for name in ("train", "data", "data check", "data show"):
        assert f"## inkgan {name}\n" in text
    assert "--recipe" in text
    assert "Error" not in text
