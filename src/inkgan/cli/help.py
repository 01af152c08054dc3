"""``inkgan help``: the pages in ``cli/topics``, which ship with the package."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, ClassVar

import typer

from inkgan.cli.window import WIDEST

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
        _print_formatted(pages[topic])
    else:
        typer.echo(pages[topic], nl=False)


def _print_formatted(page: str) -> None:
    """Print a page for a terminal. In a narrow window, long words in its tables fold; rich would cut them off."""
    from rich.console import Console
    from rich.markdown import Markdown, TableDataElement

    class Cell(TableDataElement):
        def __init__(self, justify: Any) -> None:
            super().__init__(justify)
            self.content.overflow = "fold"

    class Page(Markdown):
        elements: ClassVar = {**Markdown.elements, "th_open": Cell, "td_open": Cell}

    Console().print(Page(page), width=WIDEST)  # in a narrower window, its width


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
