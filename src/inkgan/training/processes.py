"""Processes that train one run together: they meet, communicate with ``torch.distributed``, and end together."""

from __future__ import annotations

import contextlib
import datetime
import itertools
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import ip_address
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import PrefixStore, Store, TCPStore  # type: ignore[attr-defined]

from inkgan.device import threads_of_each
from inkgan.errors import ConfigError, InkganError, LostProcessError, as_given, printable, reason_of
from inkgan.training.team import DismissedError, Team

T = TypeVar("T")
_Process = subprocess.Popen[bytes]
#: The shortest time that processes wait for each other at the start, when they import PyTorch and read the data.
_SECONDS_TO_MEET = 120.0
#: The time that the processes started by this one get to end by themselves, before it kills them.
_SECONDS_TO_END = 5.0
#: The time that one attempt to reach another machine takes at most.
_SECONDS_OF_AN_ATTEMPT = 5.0
#: The pause between two looks whether another process has come or answered.
_SECONDS_BETWEEN_LOOKS = 0.01
#: The stores in which launched processes met. A later run in the same processes meets in the same one.
_STORES: dict[tuple[str, str], Store] = {}
#: The key in the store of a number that a process raises while it prepares.
_SIGNS_OF_LIFE = "signs-of-life"
#: Numbers the runs that these processes train together, one after another.
_RUNS = itertools.count()


class _SilenceError(RuntimeError):
    """A process did not answer in time, or has ended."""


class ManyProcesses(Team):
    """A team of more than one process, connected by ``torch.distributed``.

    Args:
        store: the store through which the processes find each other.
        rank: the number of this process.
        size: the number of processes.
        seconds_to_wait: the time that a process waits for the others before it gives up.
        started: the other processes, if this one starts them.

    Attributes:
        prints: whether this process prints the reason if the run fails.
    """

    def __init__(
        self, store: Store, rank: int, size: int, seconds_to_wait: float, started: Sequence[_Process] = ()
    ) -> None:
        self.rank = rank
        self.size = size
        self._seconds_to_wait = seconds_to_wait
        self._limit = max(seconds_to_wait, _SECONDS_TO_MEET)  # of the present waits; meet() lowers it
        self.prints = self.leads
        self._store = store
        self._started = started
        self._questions = 0
        self._has_met = False
        store.set_timeout(datetime.timedelta(seconds=self._limit))

    def join(self, place: str = "") -> None:
        """Wait until every process is here, and connect them.

        Args:
            place: where they meet, for the message if some do not come; empty if this process started them.

        Raises:
            ConfigError: some did not come; only the first of those that did prints it. Or a machine's processes cannot
                be reached from the others.
            LostProcessError: one has ended.
        """
        try:
            answers = self._answers({"host": socket.gethostname(), "is_hidden": _is_hidden()})
        except LostProcessError as error:
            if not place or not isinstance(error.__cause__, _SilenceError):
                raise
            came = [rank for rank in range(self.size) if self._has_answered(rank)]
            self.prints = self.rank == came[0]
            raise ConfigError(f"{len(came)} of {self.size} processes came to {place}. Start the others.") from error
        hidden = [answer["host"] for answer in answers if answer["is_hidden"]]
        if hidden and len({answer["host"] for answer in answers}) > 1:
            raise ConfigError(
                f"the name {printable(hidden[0])} leads that machine to itself, as 127.0.1.1 in /etc/hosts does, so "
                "the others do not find its processes. Name the network interface on every machine, such as "
                "export GLOO_SOCKET_IFNAME=eth0; `ip address` lists them."
            )
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        timeout = datetime.timedelta(seconds=self._seconds_to_wait)
        with self._lost_process_errors():
            dist.init_process_group(backend, store=self._store, rank=self.rank, world_size=self.size, timeout=timeout)

    def meet(self) -> None:
        """See :meth:`Team.meet`."""
        self._answers({})
        self._has_met = True
        # From here on nobody imports or reads data, so every wait through the store is as short as the others.
        self._limit = self._seconds_to_wait

    def gather(self, rows: Tensor) -> Tensor:
        """See :meth:`Team.gather`."""
        everyone = rows.new_empty(self.size, *rows.shape)
        with self._lost_process_errors():
            dist.all_gather(list(everyone.unbind()), rows.contiguous())
        return everyone.flatten(0, 1)

    def broadcast_pair(self, first: float, second: float, exit_code: int = 0) -> tuple[float, float]:
        """See :meth:`Team.broadcast_pair`; an exit code of the first process dismisses the others."""
        message = torch.tensor([exit_code, first, second], dtype=torch.float64)
        with self._lost_process_errors():
            dist.broadcast(message, src=0)
        received, first, second = message.tolist()
        if received and not self.leads:
            raise DismissedError(int(received))
        return first, second

    def dismiss(self, exit_code: int) -> None:
        """End the other processes: before they meet they wait for the store, and then for :meth:`broadcast_pair`."""
        if not self._has_met:
            # They wait for this process's answer to the present question or, if they have it, to the next one.
            for question in (self._questions, self._questions + 1):
                self._store.set(f"answer-{question}-{self.rank}", json.dumps({"exit_code": exit_code}))
            return
        with contextlib.suppress(LostProcessError):
            self.broadcast_pair(0.0, 0.0, exit_code)

    def broadcast_tensors(self, tensors: Sequence[Tensor]) -> None:
        """See :meth:`Team.broadcast_tensors`."""
        with self._lost_process_errors(), torch.no_grad():
            for tensor in tensors:
                sent = tensor.detach().contiguous()
                dist.broadcast(sent, src=0)
                tensor.copy_(sent)

    def keep_waiting(self) -> None:
        """See :meth:`Team.keep_waiting`."""
        with self._lost_process_errors():
            self._store.add(_SIGNS_OF_LIFE, 1)

    def agree(self, prepare: Callable[[], T], identity: Callable[[T], Mapping[str, str]]) -> T:
        """See :meth:`Team.agree`."""
        answer: dict[str, Any]
        try:
            prepared = prepare()
            answer = {"identity": dict(identity(prepared))}
        except InkganError as error:
            if self.leads:
                self._answers({"exit_code": error.exit_code})
                raise
            answer = {"error": str(error)}
        answers = self._answers(answer)
        problem = disagreement(answers)
        if problem is not None:
            raise ConfigError(problem)
        return prepared

    def require_equal(self, digest: str, step: int) -> None:
        """See :meth:`Team.require_equal`."""
        digests = [answer["digest"] for answer in self._answers({"digest": digest})]
        other = next((rank for rank, one in enumerate(digests) if one != digests[0]), None)
        if other is not None:
            raise LostProcessError(
                f"at step {step} process {other} has other weights than process 0, so the run stops. The machines do "
                "not compute the same: use one kind of machine, one version of PyTorch and one number of threads."
            )

    def _answers(self, own: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Exchange answers to one question through the store, and return those of all processes in order of rank.

        The store itself would wait without handling signals.
        """
        self._questions += 1
        answers: list[dict[str, Any]] = []
        signs_of_life = 0
        with self._lost_process_errors():
            self._store.set(f"answer-{self._questions}-{self.rank}", json.dumps(own))
            until = time.monotonic() + self._limit
            for rank in range(self.size):
                while not self._has_answered(rank):
                    seen = self._store.add(_SIGNS_OF_LIFE, 0)
                    if seen != signs_of_life:
                        signs_of_life = seen
                        until = time.monotonic() + self._limit
                    if time.monotonic() >= until or any(process.poll() is not None for process in self._started):
                        raise _SilenceError
                    time.sleep(_SECONDS_BETWEEN_LOOKS)
                answers.append(json.loads(self._store.get(f"answer-{self._questions}-{rank}")))
                if "exit_code" in answers[0] and not self.leads:  # that one failed, and dismisses the others
                    raise DismissedError(answers[0]["exit_code"])
        return answers

    def _has_answered(self, rank: int) -> bool:
        return self._store.check([f"answer-{self._questions}-{rank}"])

    @contextlib.contextmanager
    def _lost_process_errors(self) -> Iterator[None]:
        """Turn a communication error into one line."""
        try:
            yield
        except RuntimeError as error:  # gloo, NCCL and the store raise it whether a process has ended or hangs
            raise LostProcessError(
                f"another process of this run has ended, or did not answer within {self._limit:g} s. "
                "--resume continues from the newest checkpoint."
            ) from error


def _is_hidden() -> bool:
    """Whether gloo would tell the other processes an address at which other machines find themselves.

    Without an interface to use, it takes the address of the machine's own name.
    """
    if os.environ.get("GLOO_SOCKET_IFNAME"):
        return False
    try:
        first, *_ = socket.getaddrinfo(os.fsencode(socket.gethostname()), None)  # of a text, 63 letters at most
    except OSError:  # without an address of its name, it takes 127.0.0.1
        return True
    return ip_address(first[4][0]).is_loopback


def disagreement(answers: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the reason why the processes cannot train together; None if they can."""
    for rank, answer in enumerate(answers):
        if "error" in answer:
            return f"process {rank} of {len(answers)} cannot start: {answer['error']}"
    first = answers[0]["identity"]
    for rank, answer in enumerate(answers):
        for key, value in answer["identity"].items():
            if value != first[key]:
                said = f"process {rank} differs from process 0: {key} is {value} there and {first[key]} here."
                return f"{said} Start every process with the same options, data and versions."
    return None


def started_by_a_launcher(seconds_to_wait: float) -> contextlib.AbstractContextManager[Team]:
    """Join the team of the processes that ``torchrun`` started; see :func:`inkgan.training.team.team_of`."""
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    store = PrefixStore(_prefix(), _store_of_the_environment(rank, max(seconds_to_wait, _SECONDS_TO_MEET)))
    return _leaving_at_the_end(ManyProcesses(store, rank, size, seconds_to_wait), _place())


def _prefix() -> str:
    """Return what the keys of a run begin with, so that those of earlier starts and runs are not taken for its own.

    Only a store of ``torchrun`` keeps keys of earlier starts. Several of them may count the starts differently.
    """
    start = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") if _store_is_provided() else "0"
    return f"inkgan-{start}-{next(_RUNS)}"


def _store_is_provided() -> bool:
    """Whether ``torchrun`` provides the store in which the processes meet; else process 0 does."""
    return os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"


def _store_of_the_environment(rank: int, seconds: float) -> Store:
    """Return the store at MASTER_ADDR and MASTER_PORT, which process 0 provides unless ``torchrun`` does.

    Raises:
        ConfigError: there is no place to meet, or nobody came within ``seconds``.
    """
    missing = [name for name in ("MASTER_ADDR", "MASTER_PORT") if not os.environ.get(name)]
    if missing:
        raise ConfigError(f"RANK is set, but not {' and '.join(missing)}. Start the processes with torchrun.")
    address, port = os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"]
    if not re.fullmatch("[0-9]{1,5}", port) or not 0 < int(port) < 2**16:
        raise ConfigError(f"MASTER_PORT={as_given(port)} is not a port. Give a number from 1 to 65535.")
    if (address, port) not in _STORES:
        _STORES[address, port] = (
            _reached_store(address, int(port), rank, seconds) if rank or _store_is_provided() else _own_store(int(port))
        )
    return _STORES[address, port]


def _place() -> str:
    """Return the place where the launcher wants the processes to meet, for messages."""
    return f"{printable(os.environ['MASTER_ADDR'])}:{os.environ['MASTER_PORT']} (MASTER_ADDR and MASTER_PORT)"


def _own_store(port: int) -> Store:
    """Provide a store for the other processes."""
    try:
        return TCPStore("127.0.0.1", port, is_master=True, wait_for_workers=False, multi_tenant=True)
    except RuntimeError as error:
        is_taken = "EADDRINUSE" in str(error)
        reason = "another program uses the port" if is_taken else str(error).partition("\n")[0].rstrip(".")
        raise ConfigError(f"the processes cannot meet at {_place()}: {reason}. Give a free port.") from None


def _reached_store(address: str, port: int, rank: int, seconds: float) -> Store:
    """Connect to the store that another process provides, now or soon."""
    until = time.monotonic() + seconds
    while True:
        try:
            # PyTorch would try for longer than it should, and write every failure to the terminal.
            socket.create_connection((address, port), _SECONDS_OF_AN_ATTEMPT).close()
            return _connected_store(address, port, until)
        except OSError as error:
            reason = reason_of(error)
        except RuntimeError:
            reason = "another program answers"
        if time.monotonic() >= until:
            raise ConfigError(
                f"process {rank} cannot reach process 0 at {_place()}: {reason}. Start process 0, on a free port."
            )
        time.sleep(_SECONDS_BETWEEN_LOOKS)


def _connected_store(address: str, port: int, until: float) -> Store:
    """Connect to a store in another thread: if no store answers, PyTorch waits for ever, and handles no signals.

    Raises:
        RuntimeError: what answers is no store, or nothing answers.
    """
    made: list[Store] = []

    def connect() -> None:
        with contextlib.suppress(RuntimeError):
            made.append(TCPStore(address, port, wait_for_workers=False))

    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(max(0.0, until - time.monotonic()))
    if not made:
        raise RuntimeError
    return made[0]


@contextlib.contextmanager
def started_here(count: int, seconds_to_wait: float, command: Mapping[str, Any]) -> Iterator[Team]:
    """Start the other processes on this machine, and end those that are left when the run ends.

    See :func:`inkgan.training.team.team_of`.
    """
    # Port 0 takes a free one, so runs do not collide.
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    threads = torch.get_num_threads()
    each = threads_of_each(count)
    torch.set_num_threads(each)
    others: list[_Process] = []
    try:
        others.extend(_start(rank, count, store.port, each, command) for rank in range(1, count))
        prefixed = PrefixStore("inkgan-0-0", store)
        with _leaving_at_the_end(ManyProcesses(prefixed, 0, count, seconds_to_wait, others)) as team:
            yield team
    finally:
        torch.set_num_threads(threads)
        _end(others)


def _start(rank: int, count: int, port: int, threads: int, command: Mapping[str, Any]) -> _Process:
    variables = {
        "RANK": rank,
        "LOCAL_RANK": rank,
        "WORLD_SIZE": count,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
        "OMP_NUM_THREADS": threads,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "TORCH_CPP_LOG_LEVEL": os.environ.get("TORCH_CPP_LOG_LEVEL", "ERROR"),  # as in inkgan.__main__
    }
    process = subprocess.Popen(
        # -P: otherwise Python would first look for modules in the current folder, and execute a queue.py there.
        [sys.executable, "-P", "-m", "inkgan.training.follower"],
        stdin=subprocess.PIPE,
        env=os.environ | {name: str(value) for name, value in variables.items()},
        start_new_session=True,  # Ctrl-C is for the first process, which stops all of them in order
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(command).encode() + b"\n")
    process.stdin.flush()  # it stays open: its end tells the other process that this one is gone
    return process


def _end(processes: Sequence[_Process]) -> None:
    """Wait a little for processes to end by themselves, all of them together, then kill those that have not."""
    until = time.monotonic() + _SECONDS_TO_END
    for process in processes:
        try:
            process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdin is not None
        process.stdin.close()


@contextlib.contextmanager
def _leaving_at_the_end(team: ManyProcesses, place: str = "") -> Iterator[Team]:
    """Join the team, and leave it at the end; see :meth:`ManyProcesses.join`.

    If the first process fails, it dismisses the others. Whoever fails, only one process prints why.
    """
    try:
        team.join(place)
        yield team
    except BaseException as error:
        if team.leads and not isinstance(error, LostProcessError):
            team.dismiss(error.exit_code if isinstance(error, InkganError) else 1)
        if isinstance(error, InkganError) and not team.prints:
            raise DismissedError(error.exit_code) from error
        raise
    finally:
        if dist.is_initialized():
            with contextlib.suppress(RuntimeError):
                dist.destroy_process_group()
