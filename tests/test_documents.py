"""The documents are right: commands parse, examples run, links lead somewhere, generated pages are up to date."""

from __future__ import annotations

import inspect
import re
import runpy
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer.main
import uvicorn
from prometheus_client import REGISTRY

import inkgan
from documents import DOCUMENTS, README, ROOT, anchors, blocks, commands, inline_commands, links, name
from inkgan.cli import app
from inkgan.config import resolve
from inkgan.generation.looks import LOOKS
from inkgan.generation.texts import LONGEST_TEXT
from inkgan.generation.writing import HEIGHTS
from inkgan.serving import connection, guard, parameters, responses
from inkgan.training.compact import Compact
from tiny_runs import STEPS

_COMMANDS = sorted({command for document in DOCUMENTS for command in commands(document)})


@pytest.mark.parametrize("command", [line for line in _COMMANDS if line.startswith("inkgan")])
def test_commands_parse(command: str) -> None:
    """Every inkgan command names existing commands and options with values of the right kind."""
    group = typer.main.get_command(app)
    words = shlex.split(command)[1:]
    context = group.make_context("inkgan", list(words))
    title, found, rest = group.resolve_command(context, words)  # type: ignore[attr-defined]
    assert found is not None
    found.make_context(title, rest, parent=context)


@pytest.mark.parametrize("command", [line for line in _COMMANDS if not line.startswith("inkgan")])
def test_other_commands_exist(command: str) -> None:
    """Make's targets are in the Makefile, scripts in the repository; everything else comes with the install."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    words = command.split()
    if words[0] == "make":
        assert f"\n{words[1]}:" in makefile
    elif words[0] == "python":
        assert (ROOT / words[1]).is_file()
    elif words[0] == "source":
        assert words[1:] == [".venv/bin/activate"]
        assert "\nBIN := .venv/bin\n" in makefile
    else:
        assert words[0] in {"pip", "tensorboard"}


def _options(words: list[str]) -> set[str]:
    """The names of the options in a command."""
    return {word.partition("=")[0] for word in words if re.match(r"--[a-z]", word)}


def _quoted_in(script: Path) -> set[str]:
    """The options that a script, or a module beside it that it imports, has in quotes."""
    text = script.read_text("utf-8")
    beside = [script.with_name(f"{module}.py") for module in re.findall(r"^(?:from|import) (\w+)", text, re.MULTILINE)]
    texts = [text, *(module.read_text("utf-8") for module in beside if module.is_file())]
    return {option for one in texts for option in re.findall(r'"(--[a-z][\w-]*)"', one)}


@pytest.mark.parametrize(
    "document", [one for one in DOCUMENTS if inline_commands(one) and one.name != "CHANGELOG.md"], ids=name
)
def test_commands_within_sentences_name_options_that_exist(document: Path) -> None:
    """So do those of benchmarks, with which a reader repeats a figure."""
    group: Any = typer.main.get_command(app)
    for line in inline_commands(document):
        program, title, *words = shlex.split(line)
        if program == "python":
            assert _options(words) <= _quoted_in(ROOT / title), line
        else:
            command = group.commands[title]
            allowed = {option for one in command.params for option in one.opts}
            nested = getattr(command, "commands", {}).values()
            allowed |= {option for below in nested for one in below.params for option in one.opts}
            assert _options(words) <= allowed | {"--help"}, line


@pytest.mark.parametrize("document", [one for one in DOCUMENTS if commands(one)], ids=name)
def test_the_commands_of_a_page_can_be_typed_in_turn(document: Path) -> None:
    """No two commands of a page write into the same place, which the second one would refuse."""
    given = [shlex.split(line) for line in commands(document)]
    new = [words for words in given if words[0] == "inkgan" and not {"--resume", "--extend", "--force"} & set(words)]
    shared = [words for words in new if any(word.startswith("/shared/") for word in words)]
    assert len({_what_is_written(words) for words in shared}) <= 1  # one data set, shown in several ways
    rest = [words for words in new if words not in shared]
    places = [words[words.index(flag) + 1] for words in rest for flag in ("-o", "--out") if flag in words]
    assert len(set(places)) == len(places), sorted(places)


def _what_is_written(words: list[str]) -> tuple[str, ...]:
    """The words of a command that say what is written, without those that say who writes which part of it."""
    who = {place + offset for place, word in enumerate(words) if word in {"--shard", "--engine"} for offset in (0, 1)}
    return tuple(word for place, word in enumerate(words) if place not in who)


@pytest.mark.slow
@pytest.mark.parametrize(
    "document", [README, *(ROOT / f"docs/{page}.md" for page in ("training", "writing", "export"))], ids=name
)
def test_python_examples_run(document: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The Python examples run. Here, they train for a few steps only."""
    monkeypatch.chdir(tmp_path)
    train = inkgan.train
    tiny = ("pretraining_steps=1", "batch_size=4")
    monkeypatch.setattr(
        inkgan,
        "train",
        lambda recipe, *, steps, seed: train(recipe, steps=STEPS, seed=seed, settings=tiny),
        raising=False,
    )
    names: dict[str, object] = {"inkgan": inkgan}
    examples = blocks(document, "python")
    assert examples
    for example in examples:
        exec(compile(example, document.name, "exec"), names)


def test_the_examples_of_the_help_parse() -> None:
    """The examples in ``--help`` use commands and options that exist."""
    group: Any = typer.main.get_command(app)
    found = []
    for title, command in group.commands.items():
        told = re.findall(r"^ {4,}(inkgan .*)$", command.callback.__doc__ or "", re.MULTILINE)
        assert told or title in {"data", "help"}, title
        found += [part.strip() for line in told for part in line.split("&&")]
    for line in found:
        words = shlex.split(line)[1:]
        context = group.make_context("inkgan", list(words))
        title, command, rest = group.resolve_command(context, words)
        command.make_context(title, rest, parent=context)
    assert len(found) > 20


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_python_examples_compile(document: Path) -> None:
    """Every Python example compiles, even those that no test runs."""
    for example in blocks(document, "python"):
        compile(example, document.name, "exec")


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_links_lead_somewhere(document: Path) -> None:
    """Every relative link and picture exists, and so does the heading that it names."""
    for target in links(document):
        if "://" in target:
            continue
        path, _, heading = target.partition("#")
        place = document.parent / path if path else document
        assert place.exists(), target
        assert not heading or heading in anchors(place), target


@pytest.mark.parametrize("document", [one for one in DOCUMENTS if one.name != "CHANGELOG.md"], ids=name)
def test_files_that_are_named_exist(document: Path) -> None:
    """A path in backticks that begins with a repository's folder leads somewhere (the changelog names what is gone)."""
    text = document.read_text("utf-8")
    for path in re.findall(r"`((?:src|tests|scripts|benchmarks|docs|\.github)/[\w./-]+)`", text):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_no_document_counts_lines(document: Path) -> None:
    """No document refers to a line number, which the next change would make wrong."""
    assert not re.search(r"\.py:\d|\bline \d", document.read_text("utf-8"))


@pytest.mark.parametrize("page", ["settings", "api"])
def test_generated_pages_are_up_to_date(page: str) -> None:
    """``python scripts/PAGE_page.py`` would change nothing."""
    expected = runpy.run_path(str(ROOT / "scripts" / f"{page}_page.py"))["page"]()
    assert (ROOT / "docs" / f"{page}.md").read_text("utf-8") == expected, f"run: python scripts/{page}_page.py"


def test_the_page_of_the_api_has_every_class_that_is_returned_and_every_property() -> None:
    page = (ROOT / "docs" / "api.md").read_text("utf-8")
    returned = re.findall(r"^.*\) -> (.+)$", page, re.MULTILINE)
    classes = {word for kind in returned for word in re.findall(r"(?<![\w.])[A-Z]\w+", kind)}
    assert {"DataSet", "Model", "Samples"} <= classes
    assert classes - {"Iterator", "Labels", "NDArray", "None"} <= set(re.findall(r"^### (\w+)$", page, re.MULTILINE))
    for public in inkgan.__all__:
        for inner, one in vars(getattr(inkgan, public)).items():
            if isinstance(one, property) and not inner.startswith("_"):
                section = page.partition(f"\n### {public}\n")[2].partition("\n##")[0]
                assert f"\n- `{inner}` (" in section, f"{public}.{inner}"


def test_the_page_of_the_api_refers_to_nothing_that_it_does_not_have() -> None:
    """Its readers see no other docstring: what it mentions as a class, a function or a value has a heading or a row."""
    script = runpy.run_path(str(ROOT / "scripts" / "api_page.py"))
    mentioned = set()

    def noted(text: str) -> str:
        mentioned.update(re.findall(r":\w+:`~?(?:[\w.]+\.)?(\w+)`", text))
        return str(script["_inline"](text))

    script["page"].__globals__["_inline"] = noted
    page = script["page"]()
    assert {"Watcher", "write_batch", "labels_for"} <= mentioned
    described = re.findall(r"^#{3,4} (?:[\w.]+\.)?(\w+)$", page, re.MULTILINE)
    assert mentioned <= {*described, *re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)}


def test_the_help_has_the_losses_that_there_are() -> None:
    """The help's table of losses, which the same script writes, is up to date."""
    expected = runpy.run_path(str(ROOT / "scripts" / "settings_page.py"))["help_page"]()
    page = ROOT / "src" / "inkgan" / "cli" / "topics" / "training.md"
    assert page.read_text("utf-8") == expected, "run: python scripts/settings_page.py"


def test_the_page_on_serving_has_the_bounds_that_there_are() -> None:
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|", (ROOT / "docs" / "serve.md").read_text("utf-8"), re.MULTILINE)
    bounds = dict(rows)
    to_send = f"{connection.SECONDS_TO_SEND:.0f} s"
    for what, bound in {
        "head of a request": f"{connection.LARGEST_HEAD:,} bytes",
        "time for the head": f"{connection.SECONDS_FOR_HEAD:.0f} s from the connection, or from the first byte",
        "images in an answer, pixels": f"{parameters.LARGEST_SAMPLE}, {responses.MOST_PIXELS:,}",
        "text, height": f"{LONGEST_TEXT} characters, {HEIGHTS[1]} pixels",
        "requests in progress, waiting ones included": f"{guard.MOST_AT_ONCE}",
        "open connections": f"{connection.MOST_CONNECTIONS}",
        "requests from one client": f"{guard.BURST:,.0f} at once, then {guard.RATE:.0f} in a second",
        "time until an answer begins": f"{guard.SECONDS_TO_ANSWER:.0f} s",
        "time until it is sent": f"{to_send}, or {to_send} for each MB",
        "idle connection": f"{inspect.signature(uvicorn.Config).parameters['timeout_keep_alive'].default} s",
    }.items():
        assert bounds[what] == bound
    assert bounds["text in a look other than `clean`"].startswith(f"{responses.MOST_PIXELS_IN_A_LOOK:,} pixels")


def test_the_page_on_serving_names_the_looks_that_there_are() -> None:
    looks = r"\|".join(LOOKS)
    assert f"`look={looks}`" in (ROOT / "docs" / "serve.md").read_text("utf-8"), "docs/serve.md, Addresses: look="


def test_the_page_on_clusters_knows_how_much_is_sent() -> None:
    """The size of the gradients that it gives is that of the larger network of `fast`."""
    recipe = Compact(resolve(), (28, 28, 1), 10)
    numbers = max(
        sum(one.numel() for one in network.parameters()) for network in (recipe.generator, recipe.discriminator)
    )
    assert f"4 × {4 * numbers / 1e6:.1f} MB for `fast`" in (ROOT / "docs" / "cluster.md").read_text("utf-8")


def test_the_page_on_training_knows_the_sizes_of_the_networks() -> None:
    page = (ROOT / "docs" / "training.md").read_text("utf-8")
    for recipe_name in ("fast", "best"):
        recipe = Compact(resolve(options={"recipe": recipe_name}), (28, 28, 1), 10)
        for network in (recipe.generator, recipe.discriminator):
            assert f"{sum(one.numel() for one in network.parameters()):,}" in page


def test_the_page_on_serving_names_the_metrics_that_there_are() -> None:
    page = (ROOT / "docs" / "serve.md").read_text("utf-8")
    exported = [metric.name for metric in REGISTRY.collect() if metric.name.startswith("inkgan_")]
    assert len(exported) == 3
    assert all(f"`{name}" in page for name in exported)


def test_the_known_answers_are_those_of_the_newest_record() -> None:
    """The page on metrics links to the newest record, and lists what it measured, all of which was detected."""
    newest = max((ROOT / "benchmarks" / "results").glob("known_answers_*.md"))
    page = (ROOT / "docs" / "metrics.md").read_text("utf-8")
    record = newest.read_text("utf-8")
    measured: dict[str, list[str]] = {}
    row = r"^\| (.*?) +\| (.*?)(?: \(below.*?\))? +\|.* \| yes +\|$"
    for images, measure in re.findall(row, record, re.MULTILINE):
        measured.setdefault(images, []).append(measure)
    assert all(f"\n| {images} | {'; '.join(measures)} |\n" in page for images, measures in measured.items())
    assert f"(../benchmarks/results/{newest.name})" in page
    assert f"All {sum(map(len, measured.values()))} are" in page
    assert "**NO**" not in record


def test_every_record_of_a_benchmark_is_linked() -> None:
    """A record that no document links to is found by nobody. Its numbers and pictures have the same name."""
    text = "".join(document.read_text("utf-8") for document in DOCUMENTS)
    records = {path.stem for path in (ROOT / "benchmarks" / "results").iterdir()}
    assert [name for name in sorted(records) if f"(../benchmarks/results/{name}." not in text] == []


def test_the_citation_names_this_version() -> None:
    """CITATION.cff and pyproject.toml agree."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"\nversion: {project['version']}\n" in citation
    assert f"\ntitle: {project['name']}\n" in citation


def test_the_tree_in_the_architecture_page_is_complete() -> None:
    """Every module has its line, and every line its module."""
    source = Path(inkgan.__file__).parent
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    tree = text.partition("```text\nsrc/inkgan/\n")[2].partition("```")[0]
    folders: list[str] = []
    listed = set()
    for line in tree.splitlines():
        entry = line.split()[0]
        depth = (len(line) - len(line.lstrip())) // 2 - 1
        folders[depth:] = [entry]
        if entry.endswith(".py"):
            listed.add("".join(folders))
    modules = {path.relative_to(source).as_posix() for path in source.rglob("*.py") if path.name != "__init__.py"}
    assert listed == modules, "docs/architecture.md, The tree: a module has no line, or a line no module"


def test_every_target_that_is_named_is_in_the_makefile() -> None:
    """Every target that documents, checks and `make help` name is a rule. All are phony: a folder may have the name."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    phony = " ".join(re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE))
    rules = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    asked = set(re.findall(r"^# make ([a-z-]+) ", makefile, re.MULTILINE))
    for path in (ROOT / "README.md", ROOT / "README.zh-CN.md", ROOT / "CHANGELOG.md", ROOT / ".ci" / "run"):
        asked |= set(re.findall(r"(?:`|^)make ([a-z-]+)", path.read_text("utf-8"), re.MULTILINE))
    assert {"digits", "test", "docs", "lessons"} <= asked
    assert asked <= rules
    assert rules == set(phony.split())


def test_git_keeps_line_ends() -> None:
    """A clone on a system that changes line ends has the same bytes: make and the models' checksums need them."""
    assert "* -text" in (ROOT / ".gitattributes").read_text("utf-8").splitlines()


def test_a_source_distribution_leaves_out_what_git_ignores() -> None:
    """Hatchling reads the list at the top and no other: the packages that build the page would come along, 278 MB."""
    assert not [path for path in ROOT.glob("*/.gitignore") if not path.parent.name.startswith(".")]
    assert {"build/", "node_modules/"} <= set((ROOT / ".gitignore").read_text("utf-8").splitlines())
