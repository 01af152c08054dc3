"""The facts that benchmarks report: the processor, how much other programs use the machine, and the commit measured."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from inkgan.device import cores

if TYPE_CHECKING:
    import torch

REPOSITORY = Path(__file__).resolve().parents[1]
RESULTS = REPOSITORY / "benchmarks" / "results"
#: A measurement is disturbed if other programs use more than this share of the machine.
DISTURBED = 0.05


def say(text: str) -> None:
    """Report progress."""
    print(text, file=sys.stderr, flush=True)


def cpu_seconds(pids: list[int]) -> tuple[float, float, float] | None:
    """Return the CPU time that the machine had, that was used, and that these processes used; None without /proc.

    The time of a process includes its children that have ended.
    """
    try:
        machine = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        own = 0
        for pid in pids:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            own += sum(map(int, fields[11:15]))
    except OSError:
        return None
    idle = machine[3] + machine[4]  # idle, and waiting for the disk
    return sum(machine), sum(machine) - idle, own


class Disturbance:
    """Measures the share of the machine that other programs use from its creation on."""

    def __init__(self, pids: list[int]) -> None:
        self.pids = pids
        self.before = cpu_seconds(pids)

    def share(self) -> float | None:
        """Return the share since the start, 0 to 1, or None if it cannot be known."""
        after = cpu_seconds(self.pids)
        if self.before is None or after is None:
            return None
        total, busy, own = (b - a for a, b in zip(self.before, after, strict=True))
        return max(0.0, busy - own) / total if total else 0.0


def wait_for_quiet(seconds: float) -> None:
    """Wait until other programs leave the machine alone, or the time is up."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        watch = Disturbance([os.getpid()])
        time.sleep(0.5)
        others = watch.share()
        if others is None or others <= DISTURBED:
            return


def cpu_field(field: str) -> str:
    """Return a field of /proc/cpuinfo, or nothing."""
    with contextlib.suppress(OSError):
        found = re.search(rf"^{field}\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        if found:
            return found[1]
    return ""


def cpu_model() -> str:
    """Return the processor's name."""
    return cpu_field("model name") or platform.processor() or platform.machine()


def cpu_features() -> list[str]:
    """Return the processor's features for matrix products, the oldest first."""
    wanted = ["avx2", "avx512f", "avx512_bf16", "amx_bf16"]
    return [feature for feature in wanted if feature in cpu_field("flags").split()]


def processor() -> str:
    """Return the processor's name and features: one name can be that of several generations."""
    return f"{cpu_model()} ({', '.join(cpu_features()) or 'features unknown'})"


def commit() -> str:
    """Return the commit that was measured, and whether files other than results differed from it.

    A copy of the files without the repository takes it from the environment variable COMMIT.
    """
    if "COMMIT" in os.environ:
        return os.environ["COMMIT"]
    git = ["git", "-C", str(REPOSITORY)]
    head = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    if head.returncode:
        return "none"
    code = ["status", "--porcelain", "--", ".", ":!benchmarks/results"]  # there, an earlier result may be kept
    changed = subprocess.run([*git, *code], capture_output=True, text=True, check=False)
    return head.stdout.strip() + (" with changes" if changed.stdout else "")


def hardware() -> str:
    """Return the processor's name, newest feature and number of cores in the form used in the names of results."""
    name = re.sub(r"\((r|tm)\)|\bcpu\b|@.*", "", cpu_model().lower())
    return "-".join(re.findall(r"[a-z0-9]+", " ".join([name, *cpu_features()[-1:], f"{cores()}cpu"])))


def matmul_peak(dtype: torch.dtype) -> float:
    """Return the best speed of a product of two square matrices, in FLOP/s: a measured peak of this machine."""
    import torch  # noqa: PLC0415 - benchmarks that time the start of processes do without it

    size = 2048
    a, b = (torch.randn(size, size).to(dtype) for _ in range(2))
    out = torch.mm(a, b)
    seconds = []
    for _ in range(6):
        before = time.perf_counter()
        torch.mm(a, b, out=out)
        seconds.append(time.perf_counter() - before)
    return 2 * size**3 / min(seconds)
