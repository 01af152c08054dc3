"""What does a data set cost? CPU time, memory and bytes of processes that write shards, and what 10^8 lines need.

    python benchmarks/shards.py [--lines 500] [--repeats 3] [--record]

The figures are per core-second: seconds of CPU time of all working processes, their start included. So they measure
the cost on any machine rather than the time on a busy one. Memory is the largest of any process.
"""

from __future__ import annotations

import resource
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from machine import Disturbance, hardware, say
from report import finish, heading, parser_for, result_name, spread, table

from inkgan.generation.shards import write_shards
from inkgan.generation.spec import Spec

_HUGE = 10**8


class Cost(NamedTuple):
    """The cost of some lines: CPU seconds, the largest memory in MB, and bytes on the disk."""

    seconds: float
    megabytes: float
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
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(seconds, after.ru_maxrss / 1024, size)


def main() -> None:
    """Measure every case."""
    parser = parser_for(__doc__ or "")
    parser.add_argument("--lines", type=int, default=500, help="in each data set")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    watch = Disturbance([])
    rows = [["lines", "processes", "lines per core-second", "MB of memory", "bytes a line", "10^8 lines"]]
    for title, case in CASES.items():
        for jobs in (1, 2) if title == _IN_TWO else (1,):
            say(f"{title}, {jobs} processes")
            costs = [cost(case, options.lines, jobs) for _ in range(options.repeats)]
            speeds = [options.lines / one.seconds for one in costs]
            size = costs[0].size / options.lines
            hours = _HUGE / sorted(speeds)[len(speeds) // 2] / 3600
            rows.append(
                [
                    title,
                    str(jobs),
                    spread(speeds, ".0f"),
                    f"{max(one.megabytes for one in costs):.0f}",
                    f"{size:.0f}",
                    f"{hours:.0f} core-hours, {size * _HUGE / 1e9:.0f} GB",
                ]
            )
    busy = watch.share()
    notes = [f"{options.repeats} data sets of {options.lines} lines each, in 4 shards; median [least to most]"]
    notes += [] if busy is None else [f"the machine was busy by {busy:.0%}, this measurement included"]
    text = "\n".join([*heading("The cost of data sets", 1, *notes), table(rows)])
    finish(result_name(f"shards_{hardware()}", parser, options), options, text)


if __name__ == "__main__":
    main()
