"""``inkgan help``: the pages in ``cli/topics``, which ship with the package."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inkgan.cli.window import WIDEST

if TYPE_CHECKING:
    from rich.markdown import Markdown

_TOPICS = Path(__file__).with_name("topics")


def show(
    context: typer.Context,
    topic: Annotated[
        str | None, typer.Argument(metavar="[TOPIC]", help="A topic or a command. Without one, list the topics.")
    ] = None,
) -> None:
    """Explain a topic: training, processes, doctor, data, writing, serving or metrics.

    Each topic is a page. On a terminal it is formatted; elsewhere it is Markdown.

    For example:

        inkgan help
        inkgan help training
    """
    pages = {page.stem: page.read_text("utf-8") for page in sorted(_TOPICS.glob("*.md"))}
    if topic is None:
        width = max(map(len, pages))
        lines = [f"  {name:{width}}  {page.splitlines()[0].removeprefix('# ')}" for name, page in pages.items()]
        typer.echo("\n".join(["Topics:", *lines, "", "Type `inkgan help TOPIC`, or `inkgan COMMAND --help`."]))
    elif topic not in pages:
        _print_help_of_command(context, topic, list(pages))
    elif sys.stdout.isatty():
        from rich.console import Console

        Console().print(_formatted(pages[topic]), width=WIDEST)  # in a narrower window, its width
    else:
        typer.echo(pages[topic], nl=False)


def _formatted(page: str) -> Markdown:
    """Return a page as a terminal shows it: a table keeps its rows apart, and folds what would be cut off."""
    from rich.markdown import Markdown, TableElement

    class Rows(TableElement):
        def __rich_console__(self, *given: Any) -> Iterator[Any]:
            table: Any
            for table in super().__rich_console__(*given):
                table.leading = 1
                for column in table.columns:
                    column.overflow = "fold"
                yield table

    class Page(Markdown):
        elements = Markdown.elements | {"table_open": Rows}

    return Page(page)


def _print_help_of_command(context: typer.Context, name: str, names: list[str]) -> None:
    """Print the ``--help`` of a command.

    Raises:
        ConfigError: there is neither a topic nor a command of this name.
    """
    from inkgan.errors import ConfigError, as_given, did_you_mean

    root = context.find_root()
    commands = getattr(root.command, "commands", {})
    if name not in commands:
        hint = did_you_mean(name, [*names, *commands])
        raise ConfigError(f"no help topic {as_given(name)}.{hint} Topics are: {', '.join(names)}.")
    command = commands[name]
    typer.echo(command.get_help(typer.Context(command, info_name=name, parent=root)), nl=False)
