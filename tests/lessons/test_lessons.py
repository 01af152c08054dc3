"""The lessons: both languages say the same, and every cell runs."""

from __future__ import annotations

import ast
import base64
import importlib.util
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import inkgan
from documents import ROOT


@pytest.fixture(scope="module")
def script() -> Any:
    """``scripts/lessons.py``. Its libraries take seconds to load: only the process that runs these tests loads them."""
    spec = importlib.util.spec_from_file_location("lessons_script", ROOT / "scripts" / "lessons.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


LESSONS = sorted((ROOT / "lessons").glob("[0-9][0-9]-*.py"))
LANGUAGES = ("en", "zh")
SHORT = """
# %% [markdown] lang="en"
# # A title

# %% [markdown] lang="zh" of="{of}"
# # 标题

# %% short=["2 + 2", "1 + 1"]
{code}

# %% full=true
assert result == 4
"""


def lesson(script: Any, folder: Path, code: str = "result = 2 + 2", of: str | None = None) -> Path:
    path = folder / "01-short.py"
    path.write_text(SHORT.lstrip().format(code=code, of=of or script.digest("# A title")), "utf-8")
    return path


def glossary(script: Any) -> list[tuple[str, str, list[str]]]:
    """English term, its translation, and what must not stand there."""
    rows = re.findall(
        r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", (script.FOLDER / "glossary.md").read_text("utf-8"), re.M
    )
    return [(term, chinese, wrong.split("、")) for term, chinese, wrong in rows if set(term) != {"-"}][1:]


def assert_terms(script: Any, english: str, chinese: str) -> None:
    """The Chinese text has the translation of every term that the English one has."""
    for term, translated, wrong in glossary(script):
        if re.search(rf"\b{re.escape(term)}(s|es)?\b", prose(english), re.IGNORECASE):
            assert translated in chinese, (term, english, chinese)
        assert not [one for one in wrong if one in chinese], chinese


def assert_punctuation(chinese: str) -> None:
    """Beside Chinese characters stand Chinese marks, and a space before and after Latin letters and figures."""
    text = prose(re.sub(r"《.*?》", "", chinese))
    assert not re.search(r"[\u4e00-\u9fff][,.;:?!()]|[,;:?!()][\u4e00-\u9fff]", text), text
    assert not re.search(r'["\'][\u4e00-\u9fff]|[\u4e00-\u9fff]["\']', text), text
    assert not re.search(r"[\u4e00-\u9fff][A-Za-z0-9`]|[A-Za-z0-9`%][\u4e00-\u9fff]", text), text
    # Chinese has no italics: a browser slants the characters, which is hard to read. What matters is bold.
    italics = re.findall(r"(?<!\*)\*(?!\s)([^*\n]+)\*(?!\*)", text)
    assert not [one for one in italics if re.search(r"[\u4e00-\u9fff]", one)]


def sentences_of_the_page() -> dict[str, list[str]]:
    """By its key, each sentence of the page in English and in Chinese."""
    text = (ROOT / "web" / "src" / "page" / "texts.ts").read_text("utf-8")
    found: dict[str, list[str]] = {}
    for key, sentence in re.findall(r'^  "?([\w.-]+)"?:\s*"((?:[^"\\]|\\.)*)",$', text, re.M):
        found.setdefault(key, []).append(re.sub(r"\{\w+\}", "x", sentence))
    return found


def prose(text: str) -> str:
    """Markdown without code, formulas and the addresses of links."""
    text = re.sub(r"```.*?```", "`", text, flags=re.DOTALL)
    return re.sub(r"\]\([^)]*\)", "]", re.sub(r"`[^`]*`|\$[^$]*\$", "`", text))


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_what_a_cell_shows_comes_before_its_assertions(script: Any, path: Path) -> None:
    """A learner whose change breaks an assertion still sees the picture: it is in a cell before."""
    for cell in script.notebook(path, "en").cells:
        if cell.cell_type == "code":
            *before, last = ast.parse(cell.source).body
            shows = isinstance(last, ast.Expr)
            assert not (shows and any(isinstance(line, ast.Assert) for line in before)), cell.source


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_no_loop_takes_a_name_that_a_cell_before_it_needs(script: Any, path: Path) -> None:
    """A learner goes back and runs a cell again."""
    needed: dict[str, str] = {}  # by each cell from those before it
    known: set[str] = set()
    for cell in script.notebook(path, "en").cells:
        if cell.cell_type == "code":
            tree = ast.parse(cell.source)
            targets = [node.target for node in tree.body if isinstance(node, ast.For)]
            looped = {node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)}
            assert not looped & needed.keys(), [needed[name] for name in looped & needed.keys()]
            names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
            made = {node.id for node in names if isinstance(node.ctx, ast.Store)}
            needed |= dict.fromkeys({node.id for node in names} & known - made, cell.source)
            known |= made


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_every_cell_is_translated(script: Any, path: Path) -> None:
    """Each English cell is followed by the Chinese one that carries its hash."""
    stale = [cell.source for cell in script.stale(path)]
    assert stale == [], f"translate, then run: python scripts/lessons.py stamp {path.name[:2]}"
    assert sum(1 for _ in script.pairs(path)) > 10


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_kept_notebooks_are_those_of_the_lesson(script: Any, path: Path, language: str) -> None:
    """``python scripts/lessons.py build`` or ``refresh`` would change no cell; no result names a temporary folder."""
    wrong = script.out_of_date(path, language)
    assert wrong is None, f"{wrong}; run: python scripts/lessons.py build {path.name[:2]}"
    assert "inkgan-lesson-" not in script.built(path, language).read_text("utf-8")


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_terms_are_those_of_the_glossary(script: Any, path: Path) -> None:
    """One thing has one name, in both languages."""
    assert len(glossary(script)) > 10
    for english, chinese in script.pairs(path):
        assert_terms(script, english.source, chinese.source)


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_chinese_has_its_own_punctuation(script: Any, path: Path) -> None:
    """No half-width mark stands beside a Chinese character."""
    for _, chinese in script.pairs(path):
        assert_punctuation(chinese.source)


def test_the_page_has_the_terms_and_the_punctuation_of_the_lessons(script: Any) -> None:
    """Readers go from a lesson to the page that it shows, and back."""
    sentences = sentences_of_the_page()
    assert len(sentences) > 90
    for english, chinese in sentences.values():
        assert_terms(script, english, chinese)
        assert_punctuation(chinese)


def test_the_questions_have_the_terms_and_the_punctuation_of_the_lessons(script: Any) -> None:
    sections = re.split(r"^## ", (script.FOLDER / "questions.md").read_text("utf-8"), flags=re.M)
    assert len(sections) == 11
    for section in sections:
        paragraphs = [one for one in section.partition("\n")[2].split("\n\n") if "<" not in one]
        chinese = "\n\n".join(one for one in paragraphs if re.search(r"[\u4e00-\u9fff]", one))
        assert_terms(script, "\n\n".join(one for one in paragraphs if one not in chinese), chinese)
        assert_punctuation(chinese)


def test_the_page_on_the_tutorial_says_the_same_in_both_languages(script: Any) -> None:
    """Section by section: the terms of the lessons, as many items and rows, and the same code in each row."""
    english, chinese = ((ROOT / "docs" / name).read_text("utf-8") for name in ("tutorial.md", "tutorial.zh-CN.md"))
    (_, *sections), (introduction, *translated) = (re.split(r"^## ", text, flags=re.M) for text in (english, chinese))
    assert_punctuation(introduction)
    assert len(sections) == len(translated) == 5
    for section, translation in zip(sections, translated, strict=True):
        assert_terms(script, section, translation)
        assert_punctuation(translation)
        for row in (r"^\|.*\|$", r"^(?:\*|\d\.) .*$"):
            rows, translated_rows = re.findall(row, section, re.M), re.findall(row, translation, re.M)
            assert len(rows) == len(translated_rows)
            for one, other in zip(rows, translated_rows, strict=True):
                if one.startswith("|"):
                    assert sorted(re.findall(r"`[^`]*`", one)) == sorted(re.findall(r"`[^`]*`", other)), other


def test_the_chinese_readme_has_the_punctuation_of_the_lessons() -> None:
    text = (ROOT / "README.zh-CN.md").read_text("utf-8")
    assert_punctuation(re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE))


@pytest.mark.parametrize(
    "name",
    ["README.zh-CN.md", "docs/tutorial.zh-CN.md", "lessons/questions.md", "lessons/glossary.md", "docs/site/index.md"],
)
def test_no_line_breaks_between_chinese_characters(name: str) -> None:
    """Markdown would show a space there."""
    text = re.sub(r"^```.*?^```", "", (ROOT / name).read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    assert re.findall(r".*[\u3000-\u9fff\uff00-\uffef]\n(?!\d+\. )[^\n|>#`*\s-].*", text) == []


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_chinese_is_not_left_in_english(script: Any, path: Path) -> None:
    """A Chinese cell has Chinese in it, an English one none."""
    for english, chinese in script.pairs(path):
        assert re.search(r"[\u4e00-\u9fff]", chinese.source)
        assert not re.search(r"[\u4e00-\u9fff]", prose(english.source)) or "](" in english.source


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_links_between_lessons_lead_somewhere(script: Any, path: Path) -> None:
    """Relative links lead to a notebook that is kept, or to a document."""
    for language in script.LANGUAGES:
        for cell in script.notebook(path, language).cells:
            for target in re.findall(r"\]\(([^)\s#]+)[^)]*\)", cell.source if cell.cell_type == "markdown" else ""):
                assert "://" in target or (script.FOLDER / language / target).exists(), target


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_sources_are_linked_in_both_languages(script: Any, path: Path) -> None:
    """Authors and a year alone are hard to look up: one pair of authors may have two papers in one year."""
    link = r"\[[^\]]*\]\((https?://[^)]+)\)"
    listed = r"(?:et al\.|等) \d{4}(?: (?:and|和) \d{4})?[,，]\s*" + link  # as in the list of lesson 8
    cited = r"(?:et al\.|and [A-Z]\w+|等|和 [A-Z]\w+|[a-z]-[A-Z]\w+) (?:19|20)\d\d"
    for cells in script.pairs(path):
        english, chinese = (" ".join(cell.source.split()) for cell in cells)
        assert sorted(re.findall(link, english)) == sorted(re.findall(link, chinese))
        for text in (english, chinese):
            assert re.findall(cited, re.sub(link, "", re.sub(listed, "", text))) == []


def test_a_changed_sentence_makes_its_translation_stale(script: Any, tmp_path: Path) -> None:
    path = lesson(script, tmp_path)
    assert script.stale(path) == []
    path.write_text(path.read_text("utf-8").replace("A title", "Another title"), "utf-8")
    assert [cell.source for cell in script.stale(path)] == ["# Another title"]
    assert len(script.stamp(path)) == 1
    assert script.stale(path) == []


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('# %% [markdown] lang="zh"', '# %% [markdown] lang="en"', "no Chinese cell follows '# A title'"),
        ('# %% [markdown] lang="en"', "# %% [markdown]", "give lang="),
        ('# %% [markdown] lang="en"\n# # A title\n', "", "no English cell stands before"),
    ],
)
def test_a_missing_cell_is_named(script: Any, tmp_path: Path, old: str, new: str, says: str) -> None:
    path = lesson(script, tmp_path)
    path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")
    with pytest.raises(script.LessonError, match=re.escape(says)):
        list(script.pairs(path))


def test_line_ends_of_windows_change_nothing(script: Any, tmp_path: Path) -> None:
    path = lesson(script, tmp_path)
    before = script.read(path).cells
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert [cell.source for cell in script.read(path).cells] == [cell.source for cell in before]
    assert script.stale(path) == []


def test_the_short_form_replaces_and_leaves_out(script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = lesson(script, tmp_path)
    monkeypatch.setattr(script, "FOLDER", tmp_path)
    codes = [cell.source for cell in script.notebook(path, "zh", short=True).cells if cell.cell_type == "code"]
    assert codes == ["result = 1 + 1"]
    codes = [cell.source for cell in script.notebook(path, "zh").cells if cell.cell_type == "code"]
    assert codes == ["result = 2 + 2", "assert result == 4"]
    with pytest.raises(script.LessonError, match=re.escape("replaces '2 + 2', which is not in its cell")):
        script.notebook(lesson(script, tmp_path, code="result = 4"), "en", short=True)


def test_what_a_cell_prints_is_one_text(script: Any) -> None:
    """However many pieces it came in; a picture between two texts stays between them."""
    form = script.nbformat.v4
    cell = form.new_code_cell("show()")
    cell.outputs = [form.new_output("stream", name="stdout", text=text) for text in ("one ", "and\n", "two\n")]
    cell.outputs.insert(2, form.new_output("display_data", {"image/png": "", "text/plain": "<Image at 0x7f>"}))
    kept = script.cleaned(form.new_notebook(cells=[cell])).cells[0].outputs
    assert [output.get("text") for output in kept] == ["one and\n", None, "two\n"]
    assert kept[1].data["text/plain"] == "(picture)"


def test_a_run_leaves_solutions_folded(script: Any) -> None:
    """What a run notes of its times goes; what folds a cell stays."""
    form = script.nbformat.v4
    cell = form.new_code_cell("solve()", metadata={"tags": ["hide-cell"], "execution": {"iopub.status.idle": "2026"}})
    assert script.cleaned(form.new_notebook(cells=[cell])).cells[0].metadata == {"tags": ["hide-cell"]}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_solutions_are_folded_and_nothing_else(script: Any, path: Path, language: str) -> None:
    """Readers think before they see the code that solves an exercise, its result, and the answer in words."""
    title = {"en": "\n## Exercises\n", "zh": "\n## 练习\n"}[language]
    cells = script.nbformat.read(script.built(path, language), as_version=4).cells
    begins = next((number for number, cell in enumerate(cells) if title in f"\n{cell.source}"), None)
    assert begins is not None, f"{path.name} has no section {title.strip()!r}"
    for number, cell in enumerate(cells):
        folded = cell.metadata.get("jupyter") == {"source_hidden": True, "outputs_hidden": True}
        assert folded == ("hide-cell" in cell.metadata.get("tags", []))
        assert folded == (cell.cell_type == "code" and number > begins), cell.source
    texts = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    exercises = re.split(r"\n## |\n---\n", texts.partition(title)[2])[0]  # before what comes next, such as the links
    seen = re.sub(r"<details><summary>[^\n]+</summary>\n\n.*?\n\n</details>", "", exercises, flags=re.DOTALL)
    _, *asked = [paragraph for paragraph in seen.split("\n\n") if paragraph.strip()]
    assert len(asked) >= 2
    assert [paragraph[:7] for paragraph in asked] == [f"**{number}.** " for number in range(1, len(asked) + 1)]
    assert exercises.count("<details>") == len(asked)


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_an_exercise_has_one_solution(script: Any, path: Path) -> None:
    """A cell that only asserts what the solution computed says so: readers expect no second solution there."""
    for language in LANGUAGES:
        cells = script.notebook(path, language).cells
        folded = [cell for cell in cells if "hide-cell" in cell.metadata.get("tags", [])]
        asserts = [all(line.startswith("assert ") for line in cell.source.splitlines()) for cell in folded]
        labels = [cell.metadata["mystnb"]["code_prompt_show"] for cell in folded]
        check = {"en": "A check of the solution", "zh": "检验上面的结果"}[language]
        solution = {"en": "Solution", "zh": "参考代码"}[language]
        assert labels == [check if only else solution for only in asserts]


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_the_other_language_is_a_click_away_at_the_top(script: Any, path: Path) -> None:
    """Whoever opens a lesson in the wrong language need not scroll to its end."""
    english, chinese = (script.notebook(path, language).cells[0].source.split("\n\n")[1] for language in LANGUAGES)
    assert english == f"[中文](../zh/{path.stem}.ipynb)"
    assert chinese == f"[English](../en/{path.stem}.ipynb)"


def test_a_number_that_no_lesson_has_is_refused(script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever mistypes a number would believe that the lesson was stamped."""
    monkeypatch.setattr(script, "FOLDER", tmp_path)
    lesson(script, tmp_path)
    monkeypatch.setattr(sys, "argv", ["lessons.py", "stamp", "01", "9"])
    with pytest.raises(SystemExit, match=re.escape("there is no lesson 9. There are: 1.")):
        script.main()


def test_a_copy_keeps_what_the_reader_changed(script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "FOLDER", tmp_path)
    lesson(script, tmp_path)
    own = tmp_path / "own"
    assert len(script.copy(own)) == 2
    (own / "en" / "01-short.ipynb").write_text("mine", "utf-8")
    assert script.copy(own) == []
    assert (own / "en" / "01-short.ipynb").read_text("utf-8") == "mine"


def test_a_copy_is_whole_or_absent(
    script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """The next command would take half a notebook for the reader's own."""
    monkeypatch.setattr(script, "FOLDER", tmp_path)
    lesson(script, tmp_path)
    request.getfixturevalue("stop_while_writing")
    with pytest.raises(KeyboardInterrupt):
        script.copy(tmp_path / "own")
    assert not [path for path in (tmp_path / "own").rglob("*") if path.is_file()]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_copy_holds_what_it_shows(script: Any, language: str) -> None:
    """It can be moved: its pictures are in it, and a cell makes the page that the site embeds."""
    made = script.to_work_in(LESSONS[2], language)
    shown = [cell for cell in made.cells if "![" in cell.source]
    names = [name for cell in shown for name in re.findall(r"!\[[^\]]*\]\(attachment:([^)]+)\)", cell.source)]
    assert names == ["tutorial.png", {"en": "tutorial-losses.png", "zh": "tutorial-losses.zh-CN.png"}[language]]
    assert names == [name for cell in shown for name in cell.attachments]
    held = [base64.b64decode(cell.attachments[name]["image/png"]) for cell, name in zip(shown, names, strict=True)]
    assert held == [(ROOT / "docs" / "pictures" / name).read_bytes() for name in names]
    assert not any("<!-- play" in cell.source for cell in made.cells)
    assert sum(f"#lang={language}&learn" in cell.source for cell in made.cells) == 1
    lines = [cell.source for cell in script.notebook(LESSONS[2], language).cells if cell.cell_type == "code"]
    assert [cell.source for cell in made.cells if cell.cell_type == "code" and "page.html" not in cell.source] == lines


@pytest.mark.parametrize(("number", "view"), [(1, "learn"), (3, "learn"), (7, "hand")])
def test_a_copy_asks_jupyter_for_the_page_by_the_name_of_its_file(
    script: Any, monkeypatch: pytest.MonkeyPatch, number: int, view: str
) -> None:
    """JupyterLab 4.6.4 takes all of ``page.html#learn`` for the name of a file. The view comes afterwards."""
    cells = script.to_work_in(LESSONS[number - 1], "zh").cells
    (code,) = [cell.source for cell in cells if cell.cell_type == "code" and "page.html" in cell.source]
    *lines, last = code.splitlines()
    exported = []
    monkeypatch.setattr(inkgan, "export", lambda _, out, **__: exported.append(out))
    names: dict[str, Any] = {}
    exec("\n".join(lines), names)
    frame = eval(last, names)
    assert exported == [frame.src]
    assert f"""onload="this.src.includes('#') || (this.src += '#lang=zh&{view}')"\n""" in frame._repr_html_()


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_copy_needs_no_picture_beside_it(script: Any, path: Path) -> None:
    """Not even in its first cell: every picture that its text shows is attached."""
    cells = [cell for cell in script.to_work_in(path, "en").cells if cell.cell_type == "markdown"]
    shown = [place for cell in cells for place in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", cell.source)]
    assert shown == [f"attachment:{name}" for cell in cells for name in cell.get("attachments", {})]


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        ("ConfigError('batch_size=0 is not allowed')", "ConfigError: batch_size=0 is not allowed"),
        ("Interrupted('stopped by a signal', 2)", "Interrupted: stopped by a signal"),
    ],
)
def test_an_error_of_inkgan_is_one_line_in_a_notebook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: str, shown: str
) -> None:
    """Not the traceback: the message says what to do. The same goes for a run that the notebook's button stops."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    # Its database would be written when Python exits; by then the tests of another process may have removed the folder.
    config = importlib.import_module("traitlets.config").Config(HistoryManager={"enabled": False})
    shell = importlib.import_module("IPython.core.interactiveshell").InteractiveShell(config=config)
    shell.run_cell(f"from inkgan.errors import ConfigError, Interrupted\nraise {error}")
    assert capsys.readouterr().out.strip() == shown


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("result = 3", "a cell fails"),
        ("import warnings; warnings.warn('beware'); result = 4", "a cell warns"),
        ("import os; os._exit(1)", "the kernel died"),
    ],
)
def test_what_fails_or_warns_is_told(
    script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, says: str
) -> None:
    monkeypatch.setattr(script, "FOLDER", tmp_path)
    with pytest.raises(script.LessonError, match=says):
        script.execute(script.notebook(lesson(script, tmp_path, code), "en"))


@pytest.mark.slow
def test_every_lesson_runs_in_its_short_form(script: Any) -> None:
    """In Chinese, in one process that loads PyTorch once and forgets the names of a lesson at its end.

    `.ci/run` runs each lesson in full, in a process of its own; the code of both languages is the same.
    """
    cell, shorts = script.nbformat.v4.new_code_cell, [script.notebook(path, "zh", short=True) for path in LESSONS]
    # As in conftest.py: MNIST is read once, a save takes its statistics from few batches, and has to survive no loss of
    # power.
    quick = cell(
        "import functools, os\n"
        "import inkgan.training.tutorial\n"
        "from inkgan.data import loading\n"
        "loading.read_known = functools.cache(loading.read_known)\n"
        "inkgan.training.tutorial._STANDING_BATCHES = 2\n"
        "os.fsync = lambda _: None"
    )
    made = shorts[0]
    made.cells = [quick, *(each for one in shorts for each in [cell("%reset -f"), *one.cells])]
    script.execute(made, "the short lessons")


@pytest.mark.slow
def test_a_run_tells_how_long_it_took(
    script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(script, "FOLDER", tmp_path)
    (done,) = script.run_all([lesson(script, tmp_path)], ["zh"], short=True)
    assert [cell.source for cell in done.cells if cell.cell_type == "code"] == ["result = 1 + 1"]
    told = r"01-short\.py \(zh\): \d+ s, of which it computed \d+ s \(processor time\)\n"
    assert re.fullmatch(told, capsys.readouterr().err)


@pytest.mark.slow
def test_whoever_breaks_every_rung_of_the_ladder_reads_on(
    script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Lesson 6 says of each rung why it breaks, and every later cell runs but those that assert what the text says."""
    torch = importlib.import_module("torch")  # which only this process loads

    def broken(*_: Any, **__: Any) -> None:
        raise inkgan.DivergenceError("loss_generator is nan")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(inkgan, "train", broken)
    threads = torch.get_num_threads()
    names: dict[str, Any] = {}
    try:
        for cell in script.notebook(LESSONS[5], "en", short=True).cells:
            if cell.cell_type == "code":
                exec(cell.source, names)
    finally:
        torch.set_num_threads(threads)
    told = capsys.readouterr().out
    assert told.count("breaks: loss_generator is nan") == len(names["costs"]) == 8
    broken_rungs = ["tutorial", "compact", "labels", "pairs", "penalty", "average"]
    assert re.findall(r"^(\w+) +inf broke$", told, re.M) == broken_rungs


@pytest.mark.slow
def test_a_rung_that_is_climbed_again_has_one_row(script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In lesson 6: the picture of the whole ladder has a row for each distance, and none of a rung that broke."""
    torch = importlib.import_module("torch")  # which only this process loads
    trained = [SimpleNamespace(folder="fast"), SimpleNamespace(folder="best"), inkgan.DivergenceError("a loss is nan")]

    def next_of(results: list[Any]) -> Any:
        if isinstance(result := results.pop(0), Exception):
            raise result
        return result

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(inkgan, "train", lambda *_, **__: next_of(trained))
    threads = torch.get_num_threads()
    names: dict[str, Any] = {}
    try:
        first = next(cell for cell in script.notebook(LESSONS[5], "en", short=True).cells if cell.cell_type == "code")
        exec(first.source, names)
        assert [len(row) for row in names["rows"].values()] == [20]
        names["climb"]("tutorial", "fast", 1)
        assert [len(row) for row in names["rows"].values()] == [20]
        names["climb"]("tutorial", "fast", 1)
        assert [len(row) for row in names["rows"].values()] == [0]
    finally:
        torch.set_num_threads(threads)


@pytest.mark.slow
def test_whoever_makes_a_failure_diverge_sees_what_the_doctor_says_and_reads_on(
    script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In lesson 4, at once: the doctor names another illness than the text, and the picture is there all the same."""
    torch = importlib.import_module("torch")  # which only this process loads
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    cells = [cell.source for cell in script.notebook(LESSONS[3], "en", short=True).cells if cell.cell_type == "code"]
    names: dict[str, Any] = {}
    try:
        for source in cells[:2]:
            exec(source, names)
        names["STEPS"] = 240  # as in the full form
        exec(cells[2].replace("0.3", "1e6"), names)
    finally:
        torch.set_num_threads(threads)
    assert capsys.readouterr().out.startswith("not-finite: ")
    assert names["picture"].size[0] == 640
    assert names["blown_up"]
