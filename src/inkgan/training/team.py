"""The processes that train one run together, as a recipe and the loop see them.

A batch is cut into a fixed number of slices, the setting ``slices``. Each process computes some of them. Every process
gathers the gradients of all slices and adds them in the order of the slices, so all make the same update. Its bits
depend on the number of slices but not on the number of processes. No module is wrapped: the penalties need gradients of
gradients, which the hooks of wrappers do not see.

The first process, rank 0, decides, writes and prints. The others compute.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

from inkgan.device import cores
from inkgan.errors import ConfigError, InkganError, whole_number

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")
#: The most processes for each processor; more would mostly wait for each other.
_PROCESSES_PER_PROCESSOR = 4


class DismissedError(InkganError):
    """This process ends without a message: the first one prints the reason.

    Args:
        exit_code: the exit code of the first process.
    """

    def __init__(self, exit_code: int) -> None:
        super().__init__("")
        self.exit_code = exit_code


class Team:
    """The processes of one run. A process alone is a team of one, which exchanges nothing.

    Attributes:
        rank: the number of this process, from 0.
        size: the number of processes.
    """

    rank = 0
    size = 1

    @property
    def leads(self) -> bool:
        """Whether this is the process that decides, writes and prints."""
        return self.rank == 0

    def own_slices(self, slices: int) -> range:
        """Return the numbers of the slices of a batch that this process computes."""
        each = slices // self.size
        return range(self.rank * each, (self.rank + 1) * each)

    def meet(self) -> None:
        """Wait until every process is here; the time limit is longer than later in the run."""

    def gather(self, rows: Tensor) -> Tensor:
        """Return the rows of all processes in the order of ranks, on every process: [own, M] in, [all, M] out."""
        return rows

    def broadcast_pair(self, first: float, second: float) -> tuple[float, float]:
        """Return the first process's two values on every process."""
        return first, second

    def broadcast_tensors(self, tensors: Sequence[Tensor]) -> None:
        """Overwrite tensors with those of the first process, in place."""

    def keep_waiting(self) -> None:
        """Tell the others, which wait while this process prepares, that it still works."""

    def agree(self, prepare: Callable[[], T], identity: Callable[[T], Mapping[str, str]]) -> T:
        """Prepare on every process, and go on only if all of them succeeded and prepared the same.

        Args:
            prepare: prepares one process.
            identity: returns, by name, the facts that must be equal.

        Raises:
            InkganError: one process failed, or one is different. Only the first process prints why.
        """
        return prepare()

    def require_equal(self, digest: str, step: int) -> None:
        """Stop if the processes no longer have the same weights.

        Args:
            digest: the digest of this process's weights.
            step: the step that the message names.

        Raises:
            LostProcessError: the digests differ.
        """


def team_of(count: int | None, seconds_to_wait: float, command: Mapping[str, Any]) -> AbstractContextManager[Team]:
    """Return the team that this process belongs to, as a context that lasts until the run ends.

    Under ``torchrun``, or any other launcher that sets RANK and WORLD_SIZE, the launcher's processes are the team.
    Otherwise this process starts the others on the same machine.

    Args:
        count: the number of processes; None takes that of the launcher, or 1 without a launcher.
        seconds_to_wait: the time that a process waits for the others before it gives up.
        command: the arguments of :func:`inkgan.train` for the other processes, as JSON can hold them.

    Raises:
        ConfigError: this number of processes is not possible here, or they cannot find each other.
        LostProcessError: not all of them joined in time.
    """
    size = number_of_processes(count)
    if size == 1:
        return nullcontext(Team())  # PyTorch is not imported for it, so wrong options are reported at once
    from inkgan.training import processes

    if launched_processes() is not None:
        return processes.started_by_a_launcher(seconds_to_wait)
    return processes.started_here(size, seconds_to_wait, command)


def number_of_processes(asked: int | None) -> int:
    """Return the number of processes that train a run together: that of the launcher, or else the one asked for, or 1.

    Raises:
        ConfigError: the launcher started another number, or this machine is too small for the one asked for.
    """
    launched = launched_processes()
    if launched is not None:
        if asked not in (None, launched):
            raise ConfigError(f"--processes {asked} contradicts the launcher, which started {launched}. Leave it out.")
        return launched
    most = _PROCESSES_PER_PROCESSOR * cores()
    complaint = (
        f"--processes {{}} is not possible here: this machine has {cores()} processors. "
        f"Give 1 to {most}, or start processes on several machines with torchrun (`inkgan help processes`)."
    )
    return 1 if asked is None else whole_number(asked, complaint, 1, most)


def launched_processes() -> int | None:
    """Return the number of processes that a launcher such as ``torchrun`` started; None without a launcher.

    Raises:
        ConfigError: RANK and WORLD_SIZE do not name a place among processes.
    """
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        return None
    rank, size = os.environ["RANK"], os.environ["WORLD_SIZE"]
    numbers = (rank, size, os.environ.get("LOCAL_RANK", "0"))
    if not all(one.isdecimal() and len(one) < 10 for one in numbers) or int(rank) >= int(size):
        raise ConfigError(
            f"RANK={rank!r} and WORLD_SIZE={size!r} do not name a place among processes. Unset both, or use torchrun."
        )
    return int(size)


def is_restart() -> bool:
    """Whether ``torchrun`` started these processes again after one of them failed."""
    count = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    return count.isdecimal() and int(count) > 0
