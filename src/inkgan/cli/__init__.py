"""The command line: parse, call one function, print.

Everything heavy is imported inside the commands, so that ``inkgan --help`` answers at once. It may import the
base, data, networks, runs, generation, evaluation, training, exporting and serving.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import signal
import sys
import warnings
from collections.abc import Sequence
from typing import Annotated

import typer

from inkgan.cli import data, doctor, evaluate, export, morph, sample, serve, train, write
from inkgan.cli import help as help_pages
from inkgan.cli.options import Command, Group
from inkgan.cli.window import can_erase
from inkgan.errors import (
    InkganError,
    InkganWarning,
    Interrupted,
    as_given,
    missing_extra,
    printable,
    reason_of,
    shortened,
    shown,
)

_LONGEST_LINE = 1000
#: The exit code when the reader of what is printed has gone away: that of a program that SIGPIPE ends, as in shells.
_READER_GONE = 128 + signal.SIGPIPE
_FEWER_JOBS = "Ask for fewer --jobs or --workers, or raise the limit"
#: What the parser says of a wrong number, as patterns, and plainer words for it.
_PLAIN_WORDS = {
    r"'(\d{1,3}),(\d{3})(?:,(\d{3}))?' is not a valid \w+( range)?\.?$": r"write \1\2\3, without commas.",
    r"is not a valid int( range)?\.?$": "is not a whole number.",
    r"is not a valid float( range)?\.?$": "is not a number.",
    r"is not in the range (\S+)<=x<=(\S+?)\.?$": r"is out of range. Give \1 to \2.",
}

app = typer.Typer(
    name="inkgan",
    cls=Group,
    help=(
        "A GAN that learns handwriting from scratch.\n\n"
        "Start with `inkgan write 2026 -o digits.png` for digits from the bundled model, or with "
        "`inkgan train` to watch one learn. `inkgan COMMAND --help` explains a command, `inkgan help` lists topics.\n\n"
        "Exit codes: 0 done, 1 failed, 2 wrong input, 3 training diverged or lost one of its processes; "
        "129, 130, 143 stopped by a signal; 141 the reader of what it printed went away."
    ),
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("train", cls=Command, rich_help_panel="Train")(train.train)
app.add_typer(data.app, name="data", rich_help_panel="Train")
app.command("write", cls=Command, rich_help_panel="Use")(write.write)
app.command("sample", cls=Command, rich_help_panel="Use")(sample.sample)
app.command("morph", cls=Command, rich_help_panel="Use")(morph.morph)
app.command("export", cls=Command, rich_help_panel="Use")(export.export)
app.command("serve", cls=Command, rich_help_panel="Use")(serve.serve)
app.command("evaluate", cls=Command, rich_help_panel="Measure")(evaluate.evaluate)
app.command("compare", cls=Command, rich_help_panel="Measure")(evaluate.compare)
app.command("doctor", cls=Command, rich_help_panel="Train")(doctor.doctor)
app.command("help", cls=Command, rich_help_panel="Learn more")(help_pages.show)


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


def run(arguments: Sequence[str]) -> int:
    """Run the command line.

    Args:
        arguments: the words after the program's name.

    Returns:
        The exit code. An error is reported in one line on stderr, and so is each warning.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("always", InkganWarning)
        warnings.showwarning = lambda message, *_: _say(f"warning: {message}")
        try:
            os.getcwd()  # noqa: PTH109 - an error if it is gone; loading PyTorch would end the process there
            # Calling the app instead would turn an interrupt into an exit code and lose its message.
            words = [part for word in arguments for part in _normalised(word)]
            with typer.main.get_command(app).make_context("inkgan", words) as context:
                context.command.invoke(context)
        except typer.Exit as error:
            return error.exit_code
        except SystemExit as error:
            if not isinstance(error.__context__, BrokenPipeError):
                raise
            return _READER_GONE  # rich, which prints tables and help, exits with another code by itself
        except KeyboardInterrupt as error:
            _say(str(error) or "stopped.")
            return error.exit_code if isinstance(error, Interrupted) else 130
        except Exception as error:
            outcome = _message_and_code(error)
            if outcome is None:
                raise
            message, code = outcome
            if message.strip():
                _say(message)
            return code
    return 0


def _normalised(word: str) -> list[str]:
    """Expand ``~`` in ``--out=~/a/``, which shells leave alone, and divide ``-o=a`` into ``-o`` and ``a``."""
    option, equals, value = word.partition("=") if word.startswith("-") else ("", "", word)
    if value.startswith("~/"):
        value = os.path.expanduser(value)  # noqa: PTH111 - a Path would lose the slash at the end
    if equals and re.fullmatch("-[a-z]", option):
        return [option, value]
    return [f"{option}{equals}{value}"]


def _message_and_code(error: Exception) -> tuple[str, int] | None:
    """Return the message for the user, which may be empty, and the exit code; None if the error is a defect."""
    if isinstance(error, ModuleNotFoundError):
        error = missing_extra(error) or error
    if isinstance(error, InkganError):
        return str(error), error.exit_code
    if isinstance(error, typer.TyperException):
        return _usage_error_message(error), 2
    if "Invalid log settings" in str(error):  # from the import of PyTorch
        given = as_given(os.environ.get("TORCH_LOGS"))
        return f"TORCH_LOGS={given} is not allowed by PyTorch. Unset it, or set it to help to see what it takes.", 2
    if shortage := _shortage(error):
        return shortage, 1
    return _system_error_message_and_code(error) if isinstance(error, OSError) else None


def _usage_error_message(error: typer.TyperException) -> str:
    """Return what is wrong with the words of a command, and what to type; empty if the help was shown instead."""
    message = error.format_message()
    if not message:
        return ""
    for pattern, plain in _PLAIN_WORDS.items():
        message = re.sub(pattern, plain, message)
    sentence = message if message.endswith((".", "?")) else f"{message}."
    context = getattr(error, "ctx", None)
    command = "inkgan" if context is None else context.command_path
    is_number = getattr(error, "option_name", "")[1:2].isdigit()
    remedy = "Put -- before a text that begins with a minus" if is_number else f"Type `{command} --help`"
    return f"{sentence} {remedy}."


def _shortage(error: Exception) -> str:
    """Return what there is too little of, and what to do; empty if the error is another one.

    PyTorch's errors are recognised, too: it has a special class for a GPU's memory, and for others only a message.
    """
    said = str(error)
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or "allocate memory" in said:
        return "there is not enough memory. Ask for fewer or smaller images, or a smaller batch_size."
    if type(error).__name__ == "BrokenProcessPool":  # of the server, at its start
        return f"a process ended at once: too little memory, or no more threads. {_FEWER_JOBS}: ulimit -u."
    if "can't start new thread" in said or os.strerror(errno.EAGAIN) in said:
        return f"the system starts no more processes and threads. {_FEWER_JOBS}: ulimit -u."
    if isinstance(error, OSError) and error.errno in {errno.EMFILE, errno.ENFILE}:  # each process takes some
        return f"too many open files. {_FEWER_JOBS}: ulimit -n 4096."
    return ""


def _system_error_message_and_code(error: OSError) -> tuple[str, int]:
    """Return the message for the user and the exit code."""
    if error.filename is not None:
        return f"{reason_of(error)}: {shown(error.filename)}.", 1
    if isinstance(error, FileNotFoundError):
        if "temporary" in str(error):  # the module tempfile has looked for a folder
            return f"{reason_of(error)}. Set TMPDIR to a folder that can be written.", 2
        return "the current folder no longer exists. Change into one that does: cd", 2
    # Printing failed. Without this, Python would flush stdout at exit and fail again.
    sys.stdout = None
    if error.errno == errno.EPIPE:
        return "", _READER_GONE
    reason = "the disk is full" if error.errno == errno.ENOSPC else reason_of(error)
    return f"cannot write what this command prints: {reason}.", 1


def _say(message: str) -> None:
    one_line = " ".join(filter(None, map(str.strip, message.splitlines())))  # a name may have two spaces in a row
    line = shortened(one_line, _LONGEST_LINE)  # it may repeat a very long argument
    clear = "\r\x1b[K" if can_erase(sys.stderr) else ""  # of a progress line
    with contextlib.suppress(OSError, ValueError):  # if nobody reads it, the exit code is enough
        print(f"{clear}inkgan: {printable(line)}", file=sys.stderr, flush=True)  # noqa: T201
