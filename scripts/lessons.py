"""Build, run and check the lessons.

    python scripts/lessons.py check                     # translations, and the built notebooks, are up to date
    python scripts/lessons.py stamp 3                   # lesson 3 is translated: record which sentences were translated
    python scripts/lessons.py run --short --language zh # execute without writing anything
    python scripts/lessons.py build                     # execute, and write lessons/en/*.ipynb and lessons/zh/*.ipynb
    python scripts/lessons.py copy my-lessons           # notebooks to work in, without results

A lesson is one file in jupytext's percent format. It contains the code once and the prose in two languages: each cell
``# %% [markdown] lang="en"`` is followed by ``# %% [markdown] lang="zh" of="3f9a01c2"``. ``stamp`` writes ``of``, the
beginning of the SHA-256 of the translated English cell. When an English sentence changes, the hash no longer matches.

The tests run the short form. In it, the first text of a code cell with ``short=["STEPS = 300", "STEPS = 4"]`` is
replaced by the second. A cell with ``full=true`` is left out, because it asserts what only the full form computes.

A code cell with ``solution=true`` solves an exercise. The notebooks and the site fold it together with its result. The
answer follows it in ``<details><summary>Answer</summary>``. The cell runs like any other.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

from inkgan.device import cores
from inkgan.files import write_bytes

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")
FOLDER = Path(__file__).parents[1] / "lessons"
#: The longest time that a cell may take.
_SECONDS_A_CELL = 600
_WORDS = {
    "en": {"other": "中文", "next": "Next lesson", "before": "Lesson before"},
    "zh": {"other": "English", "next": "下一课", "before": "上一课"},
}
#: The labels that unfold the code of a solution on the site, and a cell that only asserts what it computed.
_SOLUTION = {"en": "Solution", "zh": "参考代码"}
_CHECK = {"en": "A check of the solution", "zh": "检验上面的结果"}
#: A line break between Chinese characters, which Markdown would show as a space.
_BROKEN_CHINESE = re.compile(r"(?<=[\u3000-\u9fff\uff00-\uffef])\n(?=[\u4e00-\u9fff“（《])")
#: The mark that becomes the exported page, opened at a view, and the code that shows the page in a notebook.
_PLAY = re.compile(r"^<!-- play: (\w+) -->$", re.MULTILINE)
_SHOW_PAGE = """\
from IPython.display import IFrame

import inkgan

inkgan.export("best", "page.html", force=True)
# Once the page is there: JupyterLab up to 4.6.4 looks for a file called page.html#lang={language}&{view}.
opened = "this.src.includes('#') || (this.src += '#lang={language}&{view}')"
IFrame("page.html", "100%", 640, extras=[f'onload="{{opened}}"'])"""
#: A picture of the repository, which a copied notebook includes.
_PICTURE = re.compile(r"(!\[[^\]]*\]\()([^):]+/)([^/):]+\.png)\)")
#: The introduction of a copy to work in.
_YOURS = {
    "en": """\
*This copy is yours: change what you like.* Shift+Enter runs a cell, *Run → Run All Cells* runs them all.

* A line that begins with `assert` checks what the text says. If one fails after a change of yours, your change made a
  difference. Read on and run the next cell.
* Has the kernel been restarted, or does a cell say `NameError`? A cell before it has not run, or stopped with an error.
  Undo the change that stopped it, and choose *Run → Run All Above Selected Cell*.
* Solutions are folded. Try an exercise in a cell of your own first (Esc, then B, adds one). Then click the bar with the
  dots, run the cell, and unfold *Answer*.
* `No module named 'inkgan'`: this notebook runs in another Python. Start it with `make lessons`.
* For a fresh copy, delete this file and run `make lessons` again.""",
    "zh": """\
**这一份归你，随便改。** 按 Shift+Enter 运行一个单元；菜单 *Run → Run All Cells* 运行全部单元。

* 以 `assert` 开头的行用来检验课文里的说法。如果改动之后它报错，说明你的改动起了作用。接着往下读，运行下一个单元就好。
* 内核重启过，或者某个单元报 `NameError`？说明前面有单元没运行，或者中途出错。
  先改回出错的地方，再选菜单 *Run → Run All Above Selected Cell*。
* 练习的解答折叠着。先自己试（按 Esc、再按 B 加一个单元），再点开带省略号的横条，运行，看结果和**答案**。
* 出现 `No module named 'inkgan'`：这个 notebook 用的是另一个 Python。请用 `make lessons` 启动。
* 想要一份新的，删掉这个文件，再运行一次 `make lessons`。""",
}
#: The temporary folder that a lesson runs in.
_PLACE = re.compile(r"/[\w./-]*inkgan-lesson-\w+/")
#: Variables that a kernel gets in addition to those of this process: no warning about frozen modules.
_ENVIRONMENT = {"PYDEVD_DISABLE_FILE_VALIDATION": "1"}
#: A cell that prints the processor time, in seconds, of a lesson and of the programs that it started.
_PROCESSOR_TIME = "import os\nprint(sum(os.times()[:4]))"


class LessonError(Exception):
    """Something is wrong with a lesson; the message says where and what to do."""


def lessons(wanted: Sequence[int] = ()) -> list[Path]:
    """Return the files of the lessons in order, all of them or those with the wanted numbers.

    Raises:
        LessonError: no lesson has one of these numbers.
    """
    found = {int(path.name[:2]): path for path in sorted(FOLDER.glob("[0-9][0-9]-*.py"))}
    if unknown := set(wanted).difference(found):
        raise LessonError(f"there is no lesson {min(unknown)}. There are: {', '.join(map(str, found))}.")
    return [path for number, path in found.items() if not wanted or number in wanted]


def read(lesson: Path) -> Any:
    """Return the cells of a lesson in both languages, as one notebook."""
    # Windows line endings must change neither the hash nor a cell.
    return jupytext.reads(lesson.read_text("utf-8").replace("\r\n", "\n"), fmt="py:percent")


def digest(text: str) -> str:
    """Return the hash of an English cell, which its translation carries."""
    return hashlib.sha256(text.strip().encode()).hexdigest()[:8]


def pairs(lesson: Path) -> Iterator[tuple[Any, Any]]:
    """Yield each English cell with its Chinese one.

    Raises:
        LessonError: one is missing, or a cell has no language.
    """
    english = None
    for cell in [*read(lesson).cells, None]:
        language = cell.metadata.get("lang") if cell is not None and cell.cell_type == "markdown" else None
        if language == "zh" and english is not None:
            yield english, cell
            english = None
            continue
        if english is not None:
            raise LessonError(f"{lesson.name}: no Chinese cell follows {_beginning(english)}")
        if language == "zh":
            raise LessonError(f"{lesson.name}: no English cell stands before {_beginning(cell)}")
        if cell is not None and cell.cell_type == "markdown" and language != "en":
            raise LessonError(f'{lesson.name}: give lang="en" or lang="zh" to {_beginning(cell)}')
        english = cell if language == "en" else None


def _beginning(cell: Any) -> str:
    first = cell.source.strip().splitlines()[0] if cell.source.strip() else ""
    return repr(first[:70])


def stale(lesson: Path) -> list[Any]:
    """Return the English cells that changed since they were translated."""
    return [english for english, chinese in pairs(lesson) if chinese.metadata.get("of") != digest(english.source)]


def stamp(lesson: Path) -> list[Any]:
    """Write the hashes of the English cells into the Chinese ones, and return the cells whose hash was wrong."""
    changed = stale(lesson)
    rest = iter([digest(english.source) for english, _ in pairs(lesson)])
    lines = lesson.read_text("utf-8").splitlines()
    for number, line in enumerate(lines):
        if line.startswith('# %% [markdown] lang="zh"'):
            lines[number] = f'# %% [markdown] lang="zh" of="{next(rest)}"'
    lesson.write_text("\n".join(lines) + "\n", "utf-8")
    return changed


def notebook(lesson: Path, language: Language, *, short: bool = False) -> Any:
    """Make the notebook of a lesson in a language, without executing it.

    Raises:
        LessonError: the text that the short form replaces is not in its cell.
    """
    made = nbformat.v4.new_notebook()
    made.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in read(lesson).cells:
        if cell.cell_type == "markdown" and cell.metadata.get("lang") == language:
            made.cells.append(nbformat.v4.new_markdown_cell(_BROKEN_CHINESE.sub("", cell.source)))
        elif cell.cell_type == "code" and not (short and cell.metadata.get("full")):
            source = _shortened(lesson, cell) if short else cell.source
            only_asserts = all(line.startswith("assert ") for line in source.splitlines())
            label = (_CHECK if only_asserts else _SOLUTION)[language]
            folded = _folded(label) if cell.metadata.get("solution") else {}
            made.cells.append(nbformat.v4.new_code_cell(source, metadata=folded))
    # Also below the title: whoever reads only the other language does not scroll to the end.
    title, end_of_line, rest = made.cells[0].source.partition("\n")
    made.cells[0].source = f"{title}\n\n{_in_the_other(lesson, language)}{end_of_line}{rest}"
    made.cells.append(nbformat.v4.new_markdown_cell(_navigation(lesson, language)))
    for number, cell in enumerate(made.cells):
        cell.id = f"cell-{number:03}"  # nbformat draws them at random
    return made


def _folded(label: str) -> dict[str, Any]:
    """Return the metadata of a cell that is shown folded: by the site, under its label, and by JupyterLab."""
    prompts = {"code_prompt_show": label, "code_prompt_hide": label}
    return {"tags": ["hide-cell"], "mystnb": prompts, "jupyter": {"source_hidden": True, "outputs_hidden": True}}


def _shortened(lesson: Path, cell: Any) -> str:
    replaced = cell.metadata.get("short", [])
    source: str = cell.source
    for old, new in zip(replaced[::2], replaced[1::2], strict=True):
        if old not in source:
            raise LessonError(f"{lesson.name}: the short form replaces {old!r}, which is not in its cell")
        source = source.replace(old, new)
    return source


def _in_the_other(lesson: Path, language: Language) -> str:
    """Return a link to the lesson in the other language."""
    other = "zh" if language == "en" else "en"
    return f"[{_WORDS[language]['other']}](../{other}/{lesson.stem}.ipynb)"


def _navigation(lesson: Path, language: Language) -> str:
    """Return the line below a lesson, with links to the other language and to the lessons before and after."""
    words = _WORDS[language]
    order = lessons()
    place = order.index(lesson)
    parts = [_in_the_other(lesson, language)]
    if place:
        parts.append(f"[{words['before']}]({order[place - 1].stem}.ipynb)")
    if place + 1 < len(order):
        parts.append(f"[{words['next']}]({order[place + 1].stem}.ipynb)")
    return "---\n" + " · ".join(parts)


def execute(made: Any, title: str = "notebook", workers: int = 1) -> Any:
    """Run a notebook in a temporary folder, and return it with its results.

    Args:
        made: the notebook.
        title: its name in messages.
        workers: the number of notebooks that run at a time. Each uses its share of the cores, because PyTorch threads
            that share a core wait for one another, and everything takes several times as long.

    Raises:
        LessonError: a cell fails or warns, or the kernel dies.
    """
    with (
        tempfile.TemporaryDirectory(prefix="inkgan-lesson-") as folder,
        tempfile.TemporaryDirectory(prefix="inkgan-") as sockets,
    ):
        place = {"metadata": {"path": folder}}
        client = NotebookClient(made, timeout=_SECONDS_A_CELL, resources=place)
        manager: Any = client.create_kernel_manager()
        if os.name == "posix":  # sockets in files instead of ports, so nobody else can connect
            manager.transport = "ipc"
            manager.ip = str(Path(sockets) / "kernel")
        try:
            threads = {"OMP_NUM_THREADS": str(max(1, cores() // workers))}
            asyncio.run(client.async_execute(env={**threads, **os.environ, **_ENVIRONMENT}))
        except CellExecutionError as error:
            raise LessonError(f"{title}: a cell fails.\n{error}") from None
        except (DeadKernelError, TimeoutError) as error:
            raise LessonError(f"{title}: the kernel died or did not answer: {error}") from None
    for cell in made.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "stream" and output.name == "stderr":
                raise LessonError(f"{title}: a cell warns.\n{cell.source}\n\n{output.text}")
    return cleaned(made)


def cleaned(made: Any) -> Any:
    """Remove from a notebook what differs each time or is never read: counters, times, copies of pictures."""
    for cell in _code(made):
        cell.metadata.pop("execution", None)
        cell.execution_count = None
        cell.outputs = _joined([nbformat.from_dict(_without_folder(output)) for output in cell.outputs])
        for output in cell.outputs:
            output.pop("transient", None)
            if "execution_count" in output:
                output.execution_count = None
            if "image/png" in output.get("data", {}):
                output.data.pop("image/jpeg", None)
                output.data["text/plain"] = "(picture)"
                output.metadata.clear()
    made.metadata["language_info"] = {"name": "python"}
    return made


def _joined(outputs: Sequence[Any]) -> list[Any]:
    """Join consecutive texts, because on a busy machine a cell prints in more pieces."""
    joined: list[Any] = []
    for output in outputs:
        before = joined[-1] if joined else None
        if before and output.output_type == before.output_type == "stream" and output.name == before.name:
            before.text += output.text
        else:
            joined.append(output)
    return joined


def _without_folder(value: Any) -> Any:
    """Remove the temporary folder's name from results."""
    if isinstance(value, dict):
        return {key: _without_folder(inner) for key, inner in value.items()}
    return _PLACE.sub("", value) if isinstance(value, str) else value


def built(lesson: Path, language: Language) -> Path:
    """Return the file of a lesson's executed notebook."""
    return FOLDER / language / f"{lesson.stem}.ipynb"


def out_of_date(lesson: Path, language: Language) -> str | None:
    """Return what is wrong with the executed notebook; None if it has the cells of the lesson."""
    path = built(lesson, language)
    if not path.is_file():
        return f"{path.name} is missing in lessons/{language}"
    kept = nbformat.read(path, as_version=4)
    made = notebook(lesson, language)
    if [_without_results(cell) for cell in kept.cells] != [_without_results(cell) for cell in made.cells]:
        return f"lessons/{language}/{path.name} is not what {lesson.name} says now"
    return None


def _without_results(cell: Any) -> tuple[str, str, dict[str, Any]]:
    return cell.cell_type, cell.source, cell.metadata


def build(lesson: Path, workers: int = 1) -> None:
    """Execute a lesson once, and write its notebook in both languages, whose code cells are the same."""
    executed = timed(notebook(lesson, "en"), lesson.name, workers)
    _write(lesson, [cell.outputs for cell in _code(executed)])


def refresh(lesson: Path) -> bool:
    """Update the prose of a lesson's executed notebooks; return False if its code has changed since they ran."""
    path = built(lesson, "en")
    if not path.is_file():
        return False
    kept = _code(nbformat.read(path, as_version=4))
    if [cell.source for cell in kept] != [cell.source for cell in _code(notebook(lesson, "en"))]:
        return False
    _write(lesson, [cell.outputs for cell in kept])
    return True


def _write(lesson: Path, results: Sequence[Any]) -> None:
    """Write a lesson's notebook in both languages, with the results of its code cells."""
    for language in LANGUAGES:
        made = notebook(lesson, language)
        for cell, outputs in zip(_code(made), results, strict=True):
            cell.outputs = outputs
        path = built(lesson, language)
        path.parent.mkdir(exist_ok=True)
        path.write_text(nbformat.writes(made), "utf-8")


def _code(made: Any) -> list[Any]:
    """Return the code cells of a notebook."""
    return [cell for cell in made.cells if cell.cell_type == "code"]


def to_work_in(lesson: Path, language: Language) -> Any:
    """Return a lesson's notebook to work in: with an introduction, its pictures, and the exported page."""
    made = notebook(lesson, language)
    cells = [_with_pictures(made.cells[0].source), nbformat.v4.new_markdown_cell(_YOURS[language])]
    for cell in made.cells[1:]:
        if cell.cell_type == "code":
            cells.append(cell)
            continue
        parts = _PLAY.split(cell.source)  # prose, a view, prose, a view, ..., prose
        for number, part in enumerate(parts):
            if number % 2:
                cells.append(nbformat.v4.new_code_cell(_SHOW_PAGE.format(view=part, language=language)))
            else:
                cells.append(_with_pictures(part.strip()))
    made.cells = cells
    return made


def _with_pictures(source: str) -> Any:
    """Return a cell of prose that has its pictures attached."""
    cell = nbformat.v4.new_markdown_cell(_PICTURE.sub(r"\1attachment:\3)", source))
    found = [(name, FOLDER / "en" / place / name) for _, place, name in _PICTURE.findall(source)]
    if found:
        cell.attachments = {name: {"image/png": base64.b64encode(file.read_bytes()).decode()} for name, file in found}
    return cell


def copy(folder: Path) -> list[Path]:
    """Write the notebooks to work in that do not exist yet, and return their paths."""
    written = []
    for language in LANGUAGES:
        (folder / language).mkdir(parents=True, exist_ok=True)
        for lesson in lessons():
            path = folder / language / f"{lesson.stem}.ipynb"
            if not path.exists():
                write_bytes(path, nbformat.writes(to_work_in(lesson, language)).encode())
                written.append(path)
    return written


def timed(made: Any, title: str, workers: int) -> Any:
    """Run a notebook as :func:`execute` does, and print its elapsed time and its processor time."""
    since = time.perf_counter()
    made.cells.append(nbformat.v4.new_code_cell(_PROCESSOR_TIME))
    done = execute(made, title, workers)
    computed = float(done.cells.pop().outputs[0].text)
    passed = time.perf_counter() - since
    print(f"{title}: {passed:.0f} s, of which it computed {computed:.0f} s (processor time)", file=sys.stderr)
    return done


def run_all(wanted: Sequence[Path], languages: Sequence[Language], *, short: bool, workers: int = 2) -> list[Any]:
    """Execute lessons without writing anything, and return the executed notebooks.

    Raises:
        LessonError: one fails or warns.
    """

    def run(job: tuple[Path, Language]) -> Any:
        lesson, language = job
        return timed(notebook(lesson, language, short=short), f"{lesson.name} ({language})", workers)

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(run, [(lesson, language) for language in languages for lesson in wanted]))


def main() -> None:
    """Run the command that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["check", "stamp", "run", "build", "refresh", "copy"])
    parser.add_argument("what", nargs="*", help="numbers of lessons, all by default; for copy a folder")
    parser.add_argument("--short", action="store_true", help="run the short form")
    parser.add_argument("--language", choices=LANGUAGES, help="run one language; both by default")
    parser.add_argument("--workers", type=int, default=2, help="how many run at a time")
    given = parser.parse_args()
    if given.command == "copy":
        folder = Path(*given.what[:1])
        print(f"{len(copy(folder))} notebooks written to {folder}/; those that were there are as you left them.")
        return
    try:
        _run_command(given.command, lessons([int(number) for number in given.what]), given)
    except LessonError as error:
        sys.exit(str(error))


def _run_command(command: str, wanted: Sequence[Path], given: argparse.Namespace) -> None:
    if command == "check":
        wrong = [
            f"{lesson.name}: not translated yet: {_beginning(cell)}" for lesson in wanted for cell in stale(lesson)
        ]
        wrong += filter(None, (out_of_date(lesson, language) for lesson in wanted for language in LANGUAGES))
        if wrong:
            raise LessonError("\n".join(wrong))
    elif command == "stamp":
        for lesson in wanted:
            for cell in stamp(lesson):
                print(f"{lesson.name}: stamped {_beginning(cell)}")
    elif command == "run":
        run_all(wanted, [given.language] if given.language else LANGUAGES, short=given.short, workers=given.workers)
    elif command == "build":
        with ThreadPoolExecutor(given.workers) as pool:
            list(pool.map(build, wanted, [given.workers] * len(wanted)))
        for lesson in lessons():
            refresh(lesson)  # links to the lesson before and after
    else:
        for lesson in wanted:
            if not refresh(lesson):
                raise LessonError(f"the code of {lesson.name} has changed: python scripts/lessons.py build")


if __name__ == "__main__":
    main()
