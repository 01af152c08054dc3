"""``inkgan help``: the pages that ship with the package."""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import typer
from torch.distributed.run import get_args_parser

import inkgan.cli
from documents import ROOT
from inkgan.cli import app, run
from inkgan.data import load
from inkgan.errors import ConfigError
from inkgan.evaluation.report import FIGURE_KINDS
from inkgan.generation.formats import FORMATS
from inkgan.generation.looks import FORMS, KNOBS, LIMITS, LOOKS
from inkgan.generation.templates import field
from inkgan.training.doctor.rules import RULES

_TOPICS = Path(inkgan.cli.__file__).parent / "topics"
_PAGES = sorted(_TOPICS.iterdir())


def test_without_a_topic_all_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """Each topic has a line with its name and its title."""
    assert run(["help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    listed = [line.split() for line in lines if line.startswith("  ")]
    assert [line[0] for line in listed] == [page.stem for page in _PAGES]
    assert all(len(line) > 3 for line in listed)


def test_the_readme_links_to_every_page() -> None:
    linked = re.findall(r"\(src/inkgan/cli/topics/(\w+)\.md\)", (ROOT / "README.md").read_text("utf-8"))
    assert set(linked) == {page.stem for page in _PAGES}, "README.md, Documentation: the row of `inkgan help`"


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.stem)
def test_elsewhere_a_page_is_printed_as_written(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In a pipe, a page is plain Markdown."""
    assert page.suffix == ".md"
    assert run(["help", page.stem]) == 0
    assert capsys.readouterr() == (page.read_text("utf-8"), "")


@pytest.mark.slow
@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.stem)
def test_on_a_terminal_a_page_is_formatted(
    page: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Headings, tables and code have no marks of Markdown left, nothing is cut off, and no line exceeds the window."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")  # no colours, because their codes would count as letters
    monkeypatch.setattr("inkgan.cli.help.WIDEST", 60)
    assert run(["help", page.stem]) == 0
    shown = capsys.readouterr().out
    assert page.read_text("utf-8").splitlines()[0].removeprefix("# ")[:30] in shown
    for mark in ("```", "| ---", "**", "\n#", "…"):
        assert mark not in shown
    assert max(map(len, shown.splitlines())) <= 60


@pytest.mark.slow
@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.stem)
def test_a_narrow_window_shows_all_of_a_page(
    page: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tables of narrow columns fold their long words instead of cutting them off."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")  # a simple terminal would count as 80 columns wide
    monkeypatch.setenv("COLUMNS", "40")
    assert run(["help", page.stem]) == 0
    shown = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out)
    assert "…" not in shown
    assert max(map(len, shown.splitlines())) <= 40


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.stem)
def test_commands_on_a_page_fit_a_line(page: Path) -> None:
    """A terminal of 80 columns would break a longer one in two, and a shell would take what was copied for two."""
    blocks = re.findall(r"^```sh\n(.*?)^```", page.read_text("utf-8"), re.M | re.S)
    blocks += re.findall(r"^ {4}(.+)$", page.read_text("utf-8"), re.M)
    lines = [line for block in blocks for line in block.splitlines()]
    assert all(len(line) <= 78 and not line.endswith("\\") for line in lines)  # spaces would follow the backslash


def test_a_table_of_pixels_becomes_a_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example in the help on data reads a table of the form that Kaggle uses."""
    monkeypatch.chdir(tmp_path)
    table = np.random.default_rng(0).integers(0, 256, (30, 1 + 28 * 28))
    table[:, 0] = np.arange(30) % 10
    names = ",".join(["label", *(f"pixel{number}" for number in range(28 * 28))])
    np.savetxt("train.csv", table, "%d", ",", header=names, comments="")
    (code,) = re.findall(r"^ {4}import numpy.*\n(?: {4}.*\n)+", (_TOPICS / "data.md").read_text("utf-8"), re.M)
    exec(compile(textwrap.dedent(code), "data.md", "exec"), {})
    data = load("digits.npz")
    assert data.class_names == tuple("0123456789")
    split = data.train
    assert split.labels is not None
    rows = np.column_stack([split.labels, split.images.reshape(len(split), -1)])
    assert set(map(tuple, rows.tolist())) <= set(map(tuple, table.tolist()))


def test_torchrun_reads_the_example_of_several_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own parser reads what the page exports."""
    page = (_TOPICS / "processes.md").read_text("utf-8")
    for name, value in re.findall(r"(PET_[A-Z_]+)=(\S+)", page):
        monkeypatch.setenv(name, value)
    (command,) = re.findall(r"^    torchrun (.*)$", page, re.M)
    given = get_args_parser().parse_args(command.split())
    assert (given.nnodes, given.nproc_per_node, given.module) == ("2", "2", True)
    assert (given.rdzv_backend, given.rdzv_endpoint) == ("c10d", "HOST:29400")
    assert [given.training_script, *given.training_script_args[:1]] == ["inkgan", "train"]


@pytest.mark.parametrize(
    "name", ["train", "sample", "write", "morph", "evaluate", "compare", "doctor", "export", "serve"]
)
def test_the_help_of_a_command_fits_80_columns(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each example has a line of its own, so that it can be copied; the forms of arguments are shown whole."""
    monkeypatch.setattr("typer.rich_utils.MAX_WIDTH", 80)
    assert run([name, "--help"]) == 0
    shown = capsys.readouterr().out
    command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
    examples = re.findall(r"^ {4}(inkgan .*)$", command.help, re.M)
    assert examples
    assert [line.strip() for line in shown.splitlines() if line.strip() in examples] == examples
    assert all(parameter.metavar in shown for parameter in command.params if parameter.metavar)


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("doctor", [rule.name for rule in RULES]),
        ("writing", FORMATS),
        ("writing", LOOKS),
        ("writing", KNOBS),
    ],
    ids=["rules", "formats", "looks", "knobs"],
)
def test_every_choice_has_its_row(page: str, names: Iterable[str]) -> None:
    """Every rule, format, look and knob has a row in the table of its help page."""
    rows = re.findall(
        r"^\| `([\w-]+)`(?: \(the default\)| \(default\))? \|", (_TOPICS / f"{page}.md").read_text("utf-8"), re.M
    )
    assert set(names) <= set(rows), f"src/inkgan/cli/topics/{page}.md lacks a row"


def test_every_field_of_texts_has_its_row_and_is_in_the_help() -> None:
    with pytest.raises(ConfigError) as error:
        field("none", "", "{none}", Path())
    names = re.findall(r"\w+", str(error.value).partition(" Use ")[2].partition(", or several")[0])
    rows = re.findall(r"^\| `\{(\w+)", (_TOPICS / "writing.md").read_text("utf-8"), re.M)
    assert rows == names, "src/inkgan/cli/topics/writing.md, Texts"
    (texts,) = (one for one in typer.main.get_command(app).commands["write"].params if one.name == "texts")  # type: ignore[attr-defined]
    assert re.findall(r"\{(\w+)", texts.help) == names, "the help of TEXT in cli/write.py"


def test_the_page_on_writing_has_the_limits_of_every_knob() -> None:
    """The page gives the smallest and the largest value of every knob, and every form."""
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]*) \|", (_TOPICS / "writing.md").read_text("utf-8"), re.M))
    for name, (least, most, _) in LIMITS.items():
        assert re.match(rf"{least:g} to {most:g}\b", rows[name]), name
    assert re.findall(r"`(\w+)`", rows["form"]) == list(FORMS)


def test_every_figure_of_a_report_is_explained() -> None:
    """A row has a name that begins the figure's title. A variant of a figure, such as in pixels, shares its row."""
    cells = re.findall(r"^\| ([^|]+) \|", (_TOPICS / "metrics.md").read_text("utf-8"), re.M)
    rows = tuple(part for cell in cells for part in re.sub(r" \(.*?\)", "", cell).split(", "))
    for name, kind in FIGURE_KINDS.items():
        is_variant = any(name.startswith(f"{other}_") for other in FIGURE_KINDS)
        assert is_variant or kind.title.startswith(rows), f"src/inkgan/cli/topics/metrics.md lacks {kind.title}"


def test_every_figure_of_a_report_is_defined() -> None:
    """docs/metrics.md has the name of every figure in JSON and Python."""
    page = (ROOT / "docs" / "metrics.md").read_text("utf-8")
    table = page.partition("| measure | name in JSON and Python |")[2].partition("\n\n")[0]
    names = [name for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split(" | ")[1])]
    assert sorted(names) == sorted(FIGURE_KINDS), (
        "docs/metrics.md, Definitions: a figure is not there, or one is too many"
    )


def test_help_on_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    """``inkgan help COMMAND`` is ``inkgan COMMAND --help``."""
    assert run(["help", "morph"]) == 0
    shown = capsys.readouterr().out
    assert run(["morph", "--help"]) == 0
    assert shown.strip() == capsys.readouterr().out.strip()
    assert "--steps" in shown


def test_an_unknown_topic(capsys: pytest.CaptureFixture[str]) -> None:
    """The one-line error lists the topics and suggests the nearest one."""
    assert run(["help", "wriing"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == (
        "inkgan: no help topic 'wriing'. Did you mean 'writing'? "
        "Topics are: data, doctor, metrics, processes, serving, training, writing.\n"
    )


@pytest.mark.parametrize(
    ("command", "topic"),
    [
        ("train", "training"), ("train", "processes"), ("doctor", "doctor"), ("data", "data"), ("write", "writing"),
        ("serve", "serving"), ("evaluate", "metrics"), ("compare", "metrics"),
    ],
)  # fmt: skip
def test_a_command_names_the_topic_that_explains_it(
    command: str, topic: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """``--help`` says where to read on."""
    assert run([command, "--help"]) == 0
    assert f"inkgan help {topic}" in " ".join(capsys.readouterr().out.replace("│", " ").split())
