"""The command line: parse, call one function, print.

Everything heavy is imported inside the commands, so that ``inkgan --help`` answers at once.
"""

from __future__ import annotations

import contextlib
import errno
import sys
import warnings
from collections.abc import Sequence
from typing import Annotated

import typer
from typer import _click as click  # Typer carries its own copy and exposes its errors nowhere else

from inkgan.cli import compare, data, evaluate, sample, train, write
from inkgan.cli import help as help_pages
from inkgan.errors import InkganError, InkganWarning, missing_extra

app = typer.Typer(
    name="inkgan",
    help=(
        "A GAN that learns handwriting from scratch.\n\n"
        "Start with `inkgan write 2026 -o digits.png` for digits from the bundled model, or with "
        "`inkgan train` to watch one learn. `inkgan COMMAND --help` explains a command, `inkgan help` lists topics.\n\n"
        "Exit codes: 0 done, 1 failed, 2 wrong input, 3 training diverged; 129, 130, 143 stopped by a signal and saved."
    ),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("train")(train.train)
app.command("sample")(sample.sample)
app.command("write")(write.write)
app.command("morph")(write.morph)
app.command("evaluate")(evaluate.evaluate)
app.command("compare")(compare.compare)
app.add_typer(data.app, name="data")
app.command("help")(help_pages.show)


def _version(value: bool) -> None:
    if value:
        from importlib import metadata

        typer.echo(f"inkgan {metadata.version('inkgan')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


def run(arguments: Sequence[str]) -> int:  # noqa: PLR0911 - one for each way to end
    """Run the command line.

    Args:
        arguments: what stands behind the program's name.

    Returns:
        The exit code. Errors are told in one line on stderr.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", InkganWarning)
            warnings.showwarning = lambda message, *_: _say(f"warning: {message}")
            code = app(list(arguments), prog_name="inkgan", standalone_mode=False)
    except InkganError as error:
        return _fail(str(error), error.exit_code)
    except ModuleNotFoundError as error:
        missing = missing_extra(error)
        if missing is None:
            raise
        return _fail(str(missing), missing.exit_code)
    except click.exceptions.ClickException as error:
        return _fail(error.format_message() + _hint(error), 2)
    except (typer.Abort, KeyboardInterrupt):
        return _fail("stopped.", 130)
    except (MemoryError, RuntimeError) as error:
        if not _is_of_memory(error):
            raise
        return _fail("there is not enough memory. Ask for fewer or smaller images, or a smaller batch_size.", 1)
    except OSError as error:
        if error.errno not in (errno.EPIPE, errno.ENOSPC) or error.filename is not None:
            raise
        sys.stdout = None  # the reader of our output went away, or its disk is full; say nothing more, also not at exit
        return 1 if error.errno == errno.EPIPE else _fail("cannot write what this command says: the disk is full.", 1)
    return code if isinstance(code, int) else 0


def _is_of_memory(error: Exception) -> bool:
    """PyTorch has an error of its own for a GPU's memory, and none for the processor's."""
    return (
        isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or "allocate memory" in str(error)
    )


def _hint(error: click.exceptions.ClickException) -> str:
    if isinstance(error, click.exceptions.NoSuchOption) and error.option_name[1:2].isdigit():
        return ". Put -- before a text that begins with a minus."
    return ""


def _fail(message: str, code: int) -> int:
    if message.strip():  # else the help is shown already
        _say(message)
    return code


def _say(message: str) -> None:
    line = " ".join(message.split())
    # Names of files may hold anything; nothing of it shall act on the terminal.
    printable = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in line)
    with contextlib.suppress(OSError, ValueError):  # the exit code tells, too
        print(f"inkgan: {printable}", file=sys.stderr, flush=True)  # noqa: T201
