"""How the benchmarks report a result: they print it, and keep it only with ``--record``.

Recorded results go to ``benchmarks/results``. The file name contains the question, every setting that differs from the
script's defaults, and the date, so a trial with other settings never has the name of a published result.
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import re
import shlex
import statistics
import sys
from collections.abc import Collection, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from machine import RESULTS, commit, processor, say

from inkgan.device import cores

TODAY = datetime.datetime.now(datetime.UTC).date()


def parser_for(text: str) -> argparse.ArgumentParser:
    """Return a command-line parser that has ``--record`` and explains the script with this text, its docstring."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true", help="keep the result under benchmarks/results")
    return parser


def result_name(
    question: str, parser: argparse.ArgumentParser, options: argparse.Namespace, apart: Collection[str] = ()
) -> str:
    """Return the file name of a result, without its ending.

    Args:
        question: what was measured, such as ``seeds_fast_mnist``.
        parser: the parser, which knows the defaults.
        options: the given options.
        apart: options that the name leaves out, because ``question`` contains them or they do not affect the result.
    """
    parts = [question]
    for name, value in vars(options).items():
        if name in {"record", *apart} or value == parser.get_default(name):
            continue
        parts += [str(one) for one in value] if isinstance(value, list) else [f"{name}-{value}"]
    return "_".join(re.sub(r"[^A-Za-z0-9_.-]+", "-", part) for part in [*parts, str(TODAY)])


def finish(name: str, options: argparse.Namespace, text: str, numbers: Any = None) -> None:
    """Print a result; with ``--record``, keep it as Markdown and its numbers as JSON."""
    print(text)
    if not options.record:
        say("This was not recorded. To keep the result under benchmarks/results, add --record.")
        return
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text(text + "\n", "utf-8")
    if numbers is not None:
        (RESULTS / f"{name}.json").write_text(json.dumps(numbers, indent=1) + "\n", "utf-8")
    say(f"recorded as benchmarks/results/{name}.md")


def heading(title: str, threads: int, *notes: str, measured_commit: str = "") -> list[str]:
    """Return the first lines of a report: the command, the commit, the processor, the versions, and notes."""
    command = shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]])
    libraries = f"Python {platform.python_version()}, PyTorch {version('torch')}, NumPy {version('numpy')}"
    return [
        f"# {title}, {TODAY}",
        "",
        f"- `{command}` at commit {measured_commit or commit()}",
        f"- {processor()}, {cores()} processors, threads: {threads}; {libraries}",
        *(f"- {note}" for note in notes),
        "",
    ]


def spread(values: Sequence[float], form: str = ".3g") -> str:
    """Return the median of repeats, with the smallest and the largest: ``1.2 [1.1 to 1.4]``."""
    median, least, most = (format(value, form) for value in (statistics.median(values), min(values), max(values)))
    return f"{median} [{least} to {most}]" if len(values) > 1 else median


def share(count: int, n: int, form: str = ".1%") -> str:
    """Return a share with Wilson's interval of 95 %: ``12.0% [10.1% to 14.2%]``."""
    from inkgan.evaluation.metrics.intervals import binomial  # noqa: PLC0415 - scripts that report their memory lack it

    interval = binomial(count, n).interval
    return f"{count / n:{form}} [{interval.low:{form}} to {interval.high:{form}}]"


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows, the head first, as a Markdown table with aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])
