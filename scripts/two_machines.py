"""Train and write on two machines, lose one of them on the way, and compare the results with those of one process.

    sudo .venv/bin/python scripts/two_machines.py [--ray]

The machines are imitated by network namespaces of Linux: each has its own network and host name, and they share the
disk. This needs root, `ip` (iproute2), `nsenter` and `unshare` (util-linux), and changes nothing in the network of the
real machine.

1. `torchrun` trains a tiny run with two processes on each machine.
2. The same, but the cable of the second machine is pulled. Every process that trains has to end within 30 seconds: the
   timeout of the run and ten more. With the cable back, the run is resumed.
3. The same with an elastic number of machines: all processes of the second machine are killed, and `torchrun` on the
   first one goes on with the run by itself.
4. With --ray, a Ray cluster of both machines writes a data set, and all processes of the second machine are killed.

The weights, optimisers and metrics of these runs must have the SHA-256 of a run in one process, and the files of the
data set that of the same data set from one machine.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from kill_processes import TIMEOUT, arguments, digest, environment, make_data, start

from inkgan.runs.folder import RunFolder

_SWITCH, _MACHINES = "inkgan-switch", ("inkgan-1", "inkgan-2")
_ADDRESSES = ("10.77.0.1", "10.77.0.2")
_BIN = Path(sys.executable).parent
_TEXTS = ("{digits:3..8}", "-n", "4000", "--shards", "80", "--height", "32", "--format", "webdataset")


def main() -> None:
    """Train, cut, resume, write, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ray", action="store_true", help="also write with a Ray cluster of both machines")
    options = parser.parse_args()
    # The paths of Ray's sockets may have 107 characters.
    with tempfile.TemporaryDirectory(prefix="inkgan-", ignore_cleanup_errors=True) as name, machines(Path(name)):
        place = Path(name)
        data = make_data(place)
        finish("one process", [start(place / "alone", data)])
        expected = digest(place / "alone")
        finish("two machines", train(place / "both", data))
        agree = [compare("two machines", digest(place / "both"), expected)]
        cut_and_resume(place / "cut", data)
        agree.append(compare("two machines, cut off and resumed", digest(place / "cut"), expected))
        lose_and_go_on(place / "lost", data)
        agree.append(compare("two machines, one of them lost", digest(place / "lost"), expected))
        if options.ray:
            agree.append(compare("Ray, a machine lost", write_with_ray(place), write_alone(place)))
    sys.exit(not all(agree))


@contextlib.contextmanager
def machines(place: Path) -> Iterator[None]:
    """Connect two network namespaces by a switch in a third one; they end with all of their processes."""
    names = [f"{address} {machine}\n" for machine, address in zip(_MACHINES, _ADDRESSES, strict=True)]
    (place / "hosts").write_text("127.0.0.1 localhost\n" + "".join(names))
    try:
        for namespace in (_SWITCH, *_MACHINES):
            ip("netns", "add", namespace)
        ip("-n", _SWITCH, "link", "add", "switch", "type", "bridge")
        ip("-n", _SWITCH, "link", "set", "switch", "up")
        for machine, address in zip(_MACHINES, _ADDRESSES, strict=True):
            ip("-n", _SWITCH, "link", "add", machine, "type", "veth", "peer", "name", "cable", "netns", machine)
            ip("-n", _SWITCH, "link", "set", machine, "master", "switch", "up")
            ip("-n", machine, "addr", "add", f"{address}/24", "dev", "cable")
            ip("-n", machine, "link", "set", "cable", "up")
            ip("-n", machine, "link", "set", "lo", "up")
        yield
    finally:
        for machine in _MACHINES:
            kill(machine)
        for namespace in (*_MACHINES, _SWITCH):
            subprocess.run(["ip", "netns", "del", namespace], check=False)


def ip(*arguments: str) -> str:
    """Run `ip`, and return what it prints."""
    return subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True).stdout


def plug(machine: str, state: str) -> None:
    """Pull a machine's cable (``down``), or put it back (``up``). Packets get lost; nobody is told."""
    ip("-n", _SWITCH, "link", "set", machine, state)


def pids(machine: str) -> list[int]:
    """Return the IDs of a machine's processes."""
    return [int(pid) for pid in ip("netns", "pids", machine).split()]


def kill(machine: str) -> None:
    """End every process of a machine at once, as a power failure does."""
    for pid in pids(machine):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def on(place: Path, machine: str, command: Sequence[str], **environment: str) -> subprocess.Popen[bytes]:
    """Start a command on a machine, which has a host name and an ``/etc/hosts`` of its own."""
    inside = ["nsenter", f"--net=/run/netns/{machine}", "unshare", "--uts", "--mount", "sh", "-c"]
    inside += [f'hostname {machine} && mount --bind {place}/hosts /etc/hosts && exec "$@"', "sh", *command]
    return subprocess.Popen(inside, env=os.environ | environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)


def finish(what: str, commands: Sequence[subprocess.Popen[bytes]]) -> None:
    """Wait until commands have ended, and stop if one has failed."""
    for command in commands:
        errors = command.communicate()[1].decode()
        if command.returncode:
            sys.exit(f"{what}: exit code {command.returncode}\n{errors}")


def train(run: Path, data: Path, *options: str) -> list[subprocess.Popen[bytes]]:
    """Start or resume a run on both machines, with further options of `torchrun`."""
    torchrun = [str(_BIN / "torchrun"), "--nnodes", "2", "--nproc-per-node", "2", "--rdzv-backend", "c10d"]
    torchrun += ["--rdzv-endpoint", f"{_ADDRESSES[0]}:29400", *options, *arguments(run, data)]
    settings = environment(run) | {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}  # see docs/cluster.md
    return [on(run.parent, machine, torchrun, **settings) for machine in _MACHINES]


def has_begun(run: Path) -> bool:
    """Return whether a run has saved its hundredth step."""
    return RunFolder(run).is_run and (RunFolder(run).newest_step() or 0) >= 100


def cut_and_resume(run: Path, data: Path) -> None:
    """Pull the second machine's cable while a run trains, wait for its processes to end, and resume it."""
    commands = train(run, data)
    wait_until(lambda: has_begun(run), 120)
    plug(_MACHINES[1], "down")
    since = time.monotonic()
    if not wait_until(lambda: not any(is_rank(pid) for machine in _MACHINES for pid in pids(machine)), TIMEOUT + 10):
        sys.exit(f"processes still train {TIMEOUT + 10} s after the cable was pulled")
    print(f"cut off: the last process that trained ended after {time.monotonic() - since:.0f} s")
    for machine in _MACHINES:
        kill(machine)  # torchrun itself waits for minutes
    for command in commands:
        command.communicate()
    plug(_MACHINES[1], "up")
    finish("resumed", train(run, data))


def lose_and_go_on(run: Path, data: Path) -> None:
    """Kill all processes of the second machine while a run trains, and wait until the first one has completed it."""
    first, second = train(run, data, "--nnodes", "1:2", "--max-restarts", "3")
    wait_until(lambda: has_begun(run), 120)
    kill(_MACHINES[1])
    second.communicate()
    finish("one machine lost", [first])


def is_rank(pid: int) -> bool:
    """Return whether a process is one that `torchrun` has started."""
    with contextlib.suppress(OSError):
        return any(one.startswith(b"RANK=") for one in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"))
    return False


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait for a condition, and return whether it holds."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


def write_with_ray(place: Path) -> str:
    """Write a data set with a Ray cluster of both machines, of which the second is lost on the way."""
    settings = {"HOME": str(place), "RAY_AUTH_MODE": "token", "RAY_USAGE_STATS_ENABLED": "0"}
    ray, head, out = str(_BIN / "ray"), f"{_ADDRESSES[0]}:6379", place / "ray"
    finish("ray get-auth-token", [on(place, _MACHINES[0], [ray, "get-auth-token", "--generate"], **settings)])
    first = [ray, "start", "--head", "--port", "6379", "--include-dashboard=false", "--num-cpus", "2"]
    finish("ray start --head", [on(place, _MACHINES[0], [*first, "--temp-dir", str(place / "temporary")], **settings)])
    finish("ray start", [on(place, _MACHINES[1], [ray, "start", "--address", head, "--num-cpus", "2"], **settings)])
    command = [sys.executable, "-m", "inkgan", "write", *_TEXTS, "--engine", "ray", "-o", str(out)]
    writing = on(place, _MACHINES[0], command, **settings, RAY_ADDRESS=head)
    wait_until(lambda: len(list(out.glob(".*.sha256"))) >= 8, 120)
    kill(_MACHINES[1])
    print(f"Ray: lost a machine when {len(list(out.glob('.*.sha256')))} of 80 shards were written")
    finish("inkgan write --engine ray", [writing])
    return sha256_of(out)


def write_alone(place: Path) -> str:
    """Write the same data set in one process."""
    out = place / "written"
    command = [sys.executable, "-m", "inkgan", "write", *_TEXTS, "--jobs", "1", "-o", str(out)]
    subprocess.run(command, check=True, capture_output=True)
    return sha256_of(out)


def sha256_of(folder: Path) -> str:
    """Return one SHA-256 of the names and contents of all files in a folder."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        found.update(f"{path.relative_to(folder)}".encode())
        found.update(path.read_bytes() if path.is_file() else b"")
    return found.hexdigest()


def compare(what: str, found: str, expected: str) -> bool:
    """Print and return whether two digests are equal."""
    print(f"{what}: {'the same' if found == expected else 'ANOTHER'} result as from one process")
    return found == expected


if __name__ == "__main__":
    main()
