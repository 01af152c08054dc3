"""What does a data set cost? CPU time, memory and bytes of processes that write shards, and what 10^8 lines need.

    python benchmarks/shards.py [--lines 500] [--repeats 3] [--record]

Each case is measured with --lines lines and with three times as many. The difference is the cost of the lines alone,
and what is left is that of starting the processes, which a large data set pays once. The figures are per core-second:
seconds of CPU time of all working processes. So they measure the cost on any machine rather than the time on a busy
one. Memory is that of the largest process of all cases, because the system keeps only this maximum.
"""

from __future__ import annotations

import resource
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from machine import Disturbance, hardware, say
from report import finish, heading, parser_for, result_name, spread, table

from inkgan.generation.shards import write_shards
from inkgan.generation.spec import Spec

_HUGE = 10**8


class Cost(NamedTuple):
    """The cost of some lines: CPU seconds, and bytes on the disk."""

    seconds: float
    size: int


CASES: dict[str, dict[str, Any]] = {
    "six digits, height 32": {"texts": ["{digits:6}"], "height": 32},
    "dates, height 32": {"texts": ["{date:%d.%m.%Y}"], "height": 32},
    "dates, height 96": {"texts": ["{date:%d.%m.%Y}"], "height": 96},
    "dates, height 32, scan": {"texts": ["{date:%d.%m.%Y}"], "height": 32, "look": "scan"},
}


#: The case that is also measured with two processes.
_IN_TWO = "six digits, height 32"


def cost(case: dict[str, Any], lines: int, jobs: int) -> Cost:
    """Write a data set, and return its cost."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as folder:
        write_shards(Spec(count=lines, shards=4, **case), Path(folder) / "out", jobs=jobs)
        size = sum(path.stat().st_size for path in Path(folder, "out").glob("*.tar"))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, size)


def row(title: str, jobs: int, lines: int, pairs: list[tuple[Cost, Cost]]) -> list[str]:
    """Return the row of a case.

    Args:
        title: its name.
        jobs: its processes.
        lines: the lines of the smaller data sets.
        pairs: the costs of a data set of so many lines, and of one with three times as many, in each repeat.
    """
    of_a_line = [(more.seconds - less.seconds) / (2 * lines) for less, more in pairs]
    starts = [less.seconds - lines * one for (less, _), one in zip(pairs, of_a_line, strict=True)]
    less, more = pairs[0]
    size = (more.size - less.size) / (2 * lines)
    hours = _HUGE * statistics.median(of_a_line) / 3600
    return [
        title,
        str(jobs),
        spread([1 / one for one in of_a_line], ".0f"),
        spread(starts, ".2f"),
        f"{size:.0f}",
        f"{hours:.0f} core-hours, {size * _HUGE / 1e9:.0f} GB",
    ]


def largest_process() -> float:
    """Return the memory in MB of the largest process so far that this one started and waited for."""
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return most / (2**20 if sys.platform == "darwin" else 2**10)  # bytes on macOS, kilobytes elsewhere


def main() -> None:
    """Measure every case."""
    parser = parser_for(__doc__ or "")
    parser.add_argument("--lines", type=int, default=500, help="in each smaller data set; the others have three times")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    watch = Disturbance([])
    rows = [["lines", "processes", "lines per core-second", "start, core-seconds", "bytes a line", "10^8 lines"]]
    for title, case in CASES.items():
        for jobs in (1, 2) if title == _IN_TWO else (1,):
            say(f"{title}, {jobs} processes")
            pairs = [
                (cost(case, options.lines, jobs), cost(case, 3 * options.lines, jobs)) for _ in range(options.repeats)
            ]
            rows.append(row(title, jobs, options.lines, pairs))
    busy = watch.share()
    notes = [
        f"{options.repeats} data sets of {options.lines} lines each, as many of {3 * options.lines}, all in 4 shards",
        "median [least to most]; a line costs the difference of the two, per line of difference; the start is the rest",
        f"memory of the largest process of all: {largest_process():.0f} MB",
    ]
    notes += [] if busy is None else [f"the machine was busy by {busy:.0%}, this measurement included"]
    text = "\n".join([*heading("The cost of data sets", 1, *notes), table(rows)])
    finish(result_name(f"shards_{hardware()}", parser, options), options, text)


if __name__ == "__main__":
    main()
