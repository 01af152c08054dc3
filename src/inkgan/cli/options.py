"""The arguments and options that several commands share. Commands refuse empty values, and options given twice."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

import typer
from typer.core import MarkupMode, TyperCommand, TyperGroup

from inkgan.errors import ConfigError, shown

RunOrModel = Annotated[
    str,
    typer.Argument(
        metavar="RUN_OR_MODEL", help="A run folder, a model folder, or a bundled model: fast, best, tutorial."
    ),
]
Checkpoint = Annotated[str, typer.Option(metavar="latest|best|STEP", help="The checkpoint of a run.")]
Force = Annotated[
    bool, typer.Option("--force", help="Replace the file; in a folder, only what inkgan wrote there before.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="How your own images are read, as for train: data.ink=dark, data.resize=32 or data.splits=no.",
    ),
]
#: The output of a command. It is a text: a Path would drop the slash at the end, which names a folder.
output = partial(typer.Option, "--out", "-o")

#: In a narrower window, a help page has no tables: they would break its examples in two, and cut off names of options.
_NARROWEST_TABLE = 80


class _Reliable:
    """Refuses values that are probably a slip in the shell, and shows the help in a window of any width.

    If an option that takes one value is given twice, the last value would count, silently. An empty value comes from a
    variable that is not set; as a path, it would be the current folder.
    """

    rich_markup_mode: MarkupMode
    help: str | None

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words of a command."""
        words = list(args)
        try:
            rest: list[str] = super().parse_args(ctx, args)  # type: ignore[misc]  # the command's; it may show the help
        except typer.TyperException as error:
            if getattr(error, "ctx", ctx) is None:  # a value is missing; the message names the help of this command
                error.ctx = ctx  # type: ignore[attr-defined]
            raise
        # The first parse keeps only the last value of an option that was given twice, so this one counts.
        values, _, order = self.make_parser(ctx).parse_args(words)  # type: ignore[attr-defined]
        for parameter, count in Counter(order).items():
            is_option = parameter.param_type_name == "option"
            if count > 1 and is_option and not parameter.multiple and not parameter.is_flag:
                raise ConfigError(f"{parameter.opts[0]} was given {count} times. Give it once.")
            given = values[parameter.name]
            if "" in (given if isinstance(given, list | tuple) else [given]):
                name = parameter.opts[0] if is_option else parameter.make_metavar(ctx)
                raise ConfigError(f"{name} was given an empty value. Give one; a variable of the shell may be unset.")
        return rest

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help, without tables if the window is too narrow for them."""
        from rich.console import Console

        usual = self.rich_markup_mode, self.help
        if Console().width < _NARROWEST_TABLE:
            self.rich_markup_mode = None
            # \b keeps the lines of a paragraph: those of examples are commands to paste.
            self.help = re.sub(r"\n\n(?= )", "\n\n\b\n", inspect.cleandoc(self.help or ""))
        super().format_help(ctx, formatter)  # type: ignore[misc]  # the command's
        self.rich_markup_mode, self.help = usual


class Command(_Reliable, TyperCommand):
    """A command."""


class Group(_Reliable, TyperGroup):
    """A group of commands."""


def each_once(pairs: list[str] | None, option: str, others: Mapping[str, object] | None = None) -> list[str]:
    """Return the values of an option such as ``--set NAME=VALUE``; refuse a name that gets two, from it or from others.

    Args:
        pairs: the values of the option; None if it was not given.
        option: its name.
        others: the values of other options or arguments by name; None means not given.

    Raises:
        ConfigError: a name is given two values.
    """
    names = [name for name, value in (others or {}).items() if value is not None]
    names += [pair.partition("=")[0].strip() for pair in pairs or ()]
    for name, count in Counter(names).items():
        if count > 1:
            raise ConfigError(f"{shown(name)} was given {count} values, one of them with {option}. Give one.")
    return pairs or []
