"""How does `inkgan serve` cope with many clients, hostile requests and being stopped? One server of `best`, loopback.

    nice python benchmarks/service.py [--seconds 60] [--hostile 1000] [--workers 2] [--record]

Clients run in this process and share the processors with the server. A client sends a request, waits for the whole
answer, and sends the next: half of them for a writing of ten characters, a quarter each for a digit and a sheet of 16,
all with new seeds. Then the same clients request ``/healthz``, which does nothing; the ratio of the server's processor
times per answer is the cost of drawing. Hostile requests, handwritten and random, come one after the other while 200
connections hold half a request and a normal client requests a digit ten times a second.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from machine import Disturbance, hardware, say
from report import finish, heading, parser_for, result_name, spread, table

from inkgan.device import cores

CROWDS = (16, 64)
WARM_UP_SECONDS = 10.0
HALF_OPEN = 200
SILENCE = 1.0
LIMITS = {"p99 of 16": 0.25, "p99 of 64": 1.0, "hostile": 0.1, "normal": 1.0, "stop": 5.0, "start": 1.5}
NOTHING = "/healthz"

PARAMETERS = ("text", "seed", "n", "height", "label", "format", "style", "model", "scale", "q")
ADDRESSES = (
    "/v1/sample?n=200000",
    f"/v1/sample?n={'9' * 4000}",
    f"/v1/sample?n=1e{'9' * 300}",
    "/v1/sample?n=nan",
    "/v1/sample?n=-1",
    "/v1/sample?n=64&n=65",
    "/v1/sample?n[]=1",
    "/v1/sample?seed=9223372036854775808",
    "/v1/sample?label=<script>alert(1)</script>",
    f"/v1/sample?label={'a' * 10_000}",
    "/v1/write?text=%00",
    f"/v1/write?text={'8' * 65}",
    "/v1/write?text=%F0%9F%92%A9",
    "/v1/write?text=%FF%FE",
    "/v1/write?text=1&height=inf",
    "/v1/write?text=1&style=NaN",
    "/v1/write?text=1&slant=1e400",
    "/v1/write?text=1&height=512.5",
    "/v1/write?text=",
    "/v1/write?text=1&format=../../etc/passwd",
    "/v1/write?" + "&".join(f"a{k}=1" for k in range(1500)),
    "/v1/digits/..%2f..%2fetc%2fpasswd",
    "/v1/digits/%00",
    "/v1/digits/7%0d%0aSet-Cookie:%20a=b",
    "/v1/digits//",
    "/..%2f..%2fetc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/....//etc/passwd",
    "/..%5c..%5cwindows",
    "/%c0%ae%c0%ae/",
    "/%252e%252e%252fetc",
    "//evil.example/",
    "/\\evil",
    "http://evil.example/",
    "*",
    "/?" + "x" * 12_000,
)
HEADS = (
    "Host: evil.example\r\n",
    "Origin: http://evil.example\r\n",
    f"X-Long: {'x' * 200_000}\r\n",
    "Content-Length: 1\r\n",
    "Content-Length: 99999999999\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    "Upgrade: websocket\r\nConnection: upgrade\r\n",
    f"Range: bytes={','.join(f'{k}-' for k in range(2000))}\r\n",
    "If-None-Match: " + ",".join(['"x"'] * 3000) + "\r\n",
    "Expect: 100-continue\r\n",
    "Cookie: \x01\x02\r\n",
    "".join(f"A{k}: 1\r\n" for k in range(1000)),
    "If-None-Match: *\r\n",
    "Accept: a/b;q=nan\r\n",
)
WHOLE = [
    *(f"{method} / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" for method in ("POST", "PUT", "X" * 99)),
    "GET / HTTP/9.9\r\n\r\n",
    "GET  /  HTTP/1.1\r\n\r\n",
    "\r\n\r\n\r\n",
    "GET / HTTP/1.1\r\n\r\n",
    "\x16\x03\x01\x02",
    "GET /v1/models HTTP/1.0\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    f"POST /v1/write HTTP/1.1\r\n\r\n{'x' * 10**6}",
]


class Server:
    """A server in a process of its own."""

    def __init__(self, workers: int) -> None:
        command = [sys.executable, "-m", "inkgan", "serve", "best", "--port", "0", "--workers", str(workers)]
        began = time.perf_counter()
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.port = int(line.partition("127.0.0.1:")[2].partition("/")[0])
        asyncio.run(once(self.port, "/v1/digits/7"))
        self.seconds_to_first = time.perf_counter() - began

    @property
    def pids(self) -> list[int]:
        """The server's processes."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [self.process.pid, *map(int, children)]

    def size(self) -> tuple[float, int]:
        """Return the resident memory in MB and the open descriptors of all its processes."""
        pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in self.pids)
        descriptors = sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in self.pids)
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6, descriptors

    def cpu(self) -> float:
        """Return the seconds of processor time that it has used."""
        fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in self.pids]
        return sum(int(one[11]) + int(one[12]) for one in fields) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> float:
        """Ask it to stop, and return the seconds until it ended."""
        began = time.perf_counter()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        return time.perf_counter() - began


class Load(NamedTuple):
    """The answers that many clients got, and what the server needed for them.

    Attributes:
        latencies: the seconds of each answer.
        statuses: the number of answers with each status.
        images: the number of images drawn.
        seconds: the seconds in all.
        cpu: the server's processor time in these seconds.
        size_before: the server's memory in MB and its descriptors at the start.
        size_after: the same at the end.
    """

    latencies: list[float]
    statuses: Counter[int]
    images: int
    seconds: float
    cpu: float
    size_before: tuple[float, int]
    size_after: tuple[float, int]

    @property
    def rate(self) -> float:
        """Answers per second."""
        return len(self.latencies) / self.seconds

    @property
    def cpu_each(self) -> float:
        """The server's processor time per answer; it depends little on what else the machine does."""
        return self.cpu / len(self.latencies)


async def once(port: int, address: str) -> tuple[int, bytes]:
    """Send a request on a connection of its own, and return the status and the body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        return await ask(reader, writer, address)
    finally:
        writer.close()


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: str) -> tuple[int, bytes]:
    """Send a request, and return the status and the body of the answer."""
    writer.write(f"GET {address} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return int(head.split(b" ", 2)[1]), await reader.readexactly(length)


def drawing(seed: int) -> tuple[str, int]:
    """Return an address that was not requested before, and the number of images in its answer."""
    if seed % 2:
        return f"/v1/write?text=2026-11-26&seed={seed}", 10
    return (f"/v1/digits/{seed % 10}?seed={seed}", 1) if seed % 4 else (f"/v1/sample?n=16&seed={seed}", 16)


def nothing(_: int) -> tuple[str, int]:
    """Return the address that does nothing, and 0 images."""
    return NOTHING, 0


async def crowd(server: Server, clients: int, seconds: float, address: Callable[[int], tuple[str, int]]) -> Load:
    """Let clients send one request after the other for some seconds, of which a warm-up is not counted."""
    seeds = itertools.count()
    latencies: list[float] = []
    statuses: Counter[int] = Counter()
    images = 0
    warm_up = min(WARM_UP_SECONDS, seconds / 4)
    began = time.perf_counter() + warm_up

    async def client() -> None:
        nonlocal images
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        while (start := time.perf_counter()) < began + seconds:
            asked, count = address(next(seeds))
            status, _ = await ask(reader, writer, asked)
            end = time.perf_counter()
            if start >= began:
                latencies.append(end - start)
                statuses[status] += 1
                images += count if status == 200 else 0
        writer.close()

    tasks = [asyncio.create_task(client()) for _ in range(clients)]
    await asyncio.sleep(warm_up)
    before, cpu = server.size(), server.cpu()
    await asyncio.sleep(seconds - 0.5)
    after = server.size()  # while all clients are still connected
    await asyncio.gather(*tasks)
    return Load(latencies, statuses, images, time.perf_counter() - began, server.cpu() - cpu, before, after)


def hostile_requests(count: int) -> list[bytes]:
    """Return hostile requests: those of the lists, and random ones of the same kind."""
    known = [get(address) for address in ADDRESSES] + [get("/v1/models", head) for head in HEADS] + WHOLE
    draws = random.Random(0)
    while len(known) < count:
        path = draws.choice(
            ["/v1/write", "/v1/sample", "/v1/digits/7", f"/v1/digits/{chance(draws)}", f"/{chance(draws)}"]
        )
        query = "&".join(f"{draws.choice(PARAMETERS)}={chance(draws)}" for _ in range(draws.randrange(4)))
        known.append(get(f"{path}?{query}", draws.choice(["", draws.choice(HEADS)])))
    return [one.encode("latin-1", "replace") for one in known[:count]]


def get(address: str, head: str = "") -> str:
    """Return a request."""
    return f"GET {address} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{head}\r\n"


def chance(draws: random.Random) -> str:
    """Return a random value, mostly a malformed one."""
    kinds = [
        "-1",
        "1e309",
        "9" * draws.randrange(1, 400),
        "%00",
        "%0a",
        "true",
        "null",
        "{}",
        "[]",
        "",
        "%25n",
        "'",
        "${7*7}",
    ]
    letters = "".join(f"%{draws.randrange(256):02x}" for _ in range(draws.randrange(12)))
    return draws.choice([*kinds, letters, letters])


async def attack(server: Server, count: int) -> dict[str, Any]:
    """Send hostile requests one by one, while half-open connections are held and a normal client keeps asking."""
    held = []
    for _ in range(HALF_OPEN):
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET / HT")
        held.append(writer)
    normal: list[float] = []
    statuses: Counter[str] = Counter()
    refused: list[tuple[float, str]] = []

    async def neighbour() -> None:
        for seed in itertools.count():
            began = time.perf_counter()
            status, _ = await once(server.port, f"/v1/digits/3?seed={seed}")
            assert status == 200, status
            normal.append(time.perf_counter() - began)
            await asyncio.sleep(0.1)

    task = asyncio.create_task(neighbour())
    for request in hostile_requests(count):
        began = time.perf_counter()
        answer = await shout(server.port, request)
        status = answer.split(b" ", 2)[1].decode() if answer else "none"
        if status not in {"none", "200"}:
            refused.append((time.perf_counter() - began, request[:80].decode("latin-1")))
        if status.startswith("5") and (status != "503" or b"retry-after:" not in answer.lower()):
            say(f"{status} for {request[:200]!r}")
        statuses[status] += 1
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    for writer in held:
        writer.close()
    say(f"the slowest: {sorted(refused)[-3:]}")
    seconds = [took for took, _ in refused]
    return {"seconds": seconds, "normal": normal, "statuses": dict(statuses), "size": server.size()}


async def shout(port: int, request: bytes) -> bytes:
    """Send any bytes, and return the beginning of the answer; empty if none comes within a second."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = b""
    with suppress(OSError, TimeoutError):
        writer.write(request)
        async with asyncio.timeout(SILENCE):
            answer = await reader.read(2**12)
    writer.close()
    return answer


async def stop_in_the_middle(server: Server) -> tuple[float, Counter[str]]:
    """Ask the server to stop while 16 clients wait; return the seconds that it takes, and the answers that they got."""
    connections = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(16)]
    tasks = [
        asyncio.create_task(ask(reader, writer, f"/v1/sample?n=64&seed={seed}"))
        for seed, (reader, writer) in enumerate(connections)
    ]
    await asyncio.sleep(0.2)
    seconds = await asyncio.to_thread(server.stop)
    got = await asyncio.gather(*tasks, return_exceptions=True)
    return seconds, Counter("lost" if isinstance(one, BaseException) else str(one[0]) for one in got)


def quantile(seconds: list[float], q: float) -> float:
    """Return a quantile of some times."""
    return sorted(seconds)[min(len(seconds) - 1, int(q * len(seconds)))]


def verdict(value: float, limit: str) -> list[str]:
    """Return the limit, and whether a value is within it."""
    return [f"{LIMITS[limit]:g}", "within" if value <= LIMITS[limit] else "ABOVE"]


def rows_of(loads: dict[str, Load]) -> list[list[str]]:
    """Return the rows of the table, one for each number of clients and kind of request."""
    head = "clients, asking, answers/s, images/s, CPU ms, ratio, p50 s, p99 s, limit, , memory, descriptors"
    cells = [head.split(", ")]
    for name, load in loads.items():
        clients, what = name.split()
        base = loads.get(f"{clients} nothing", load)
        growth = [f"{after / before - 1:+.1%}" for before, after in zip(load.size_before, load.size_after, strict=True)]
        bound = verdict(quantile(load.latencies, 0.99), f"p99 of {clients}") if what == "drawing" else ["", ""]
        rates = [f"{load.rate:.1f}", f"{load.images / load.seconds:.0f}", f"{1000 * load.cpu_each:.1f}"]
        quantiles = [f"{quantile(load.latencies, q):.3f}" for q in (0.5, 0.99)]
        cells.append([clients, what, *rates, f"{load.cpu_each / base.cpu_each:.1f}", *quantiles, *bound, *growth])
    return cells


def main() -> None:
    """Measure and report."""
    parser = parser_for(__doc__ or "")
    parser.add_argument("--seconds", type=float, default=60, help="of each crowd that draws, after the warm-up")
    parser.add_argument("--hostile", type=int, default=1000, help="requests")
    parser.add_argument("--starts", type=int, default=5, help="cold starts")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    watch = Disturbance([os.getpid()])
    starts = []
    for _ in range(options.starts):
        server = Server(options.workers)
        starts.append(server.seconds_to_first)
        server.stop()
    say(f"cold start: {spread(starts)}")
    server = Server(options.workers)
    loads = {}
    for clients in CROWDS:
        loads[f"{clients} drawing"] = asyncio.run(crowd(server, clients, options.seconds, drawing))
        loads[f"{clients} nothing"] = asyncio.run(crowd(server, clients, options.seconds / 6, nothing))
        say(table(rows_of(loads)))
    attacked = asyncio.run(attack(server, options.hostile))
    seconds, got = asyncio.run(stop_in_the_middle(server))
    hostile, normal = sorted(attacked["seconds"]), sorted(attacked["normal"])
    last = hostile[-1]
    p99 = quantile(normal, 0.99)
    start = statistics.median(starts)
    rest = [
        ["what", "n", "seconds", "limit", ""],
        ["from the command to the first digit", str(len(starts)), spread(starts, ".2f"), *verdict(start, "start")],
        ["the slowest refusal of a hostile request", str(len(hostile)), f"{last:.3f}", *verdict(last, "hostile")],
        ["p99 of a refusal", str(len(hostile)), f"{quantile(hostile, 0.99):.3f}", "", ""],
        ["p99 of a normal client meanwhile", str(len(normal)), f"{p99:.3f}", *verdict(p99, "normal")],
        ["from SIGTERM to the end, 16 clients waiting", "1", f"{seconds:.2f}", *verdict(seconds, "stop")],
    ]
    share = f"{watch.share() or 0:.0%} of the machine"
    met = {name: dict(load.statuses) for name, load in loads.items()}
    notes = [
        f"clients, the server and its {options.workers} workers share the processors; other programs used {share}",
        f"memory of the server at the end of the attack: {attacked['size'][0]:.0f} MB",
        f"statuses: {met}; of hostile requests: {attacked['statuses']}; of those who waited at the end: {dict(got)}",
    ]
    text = "\n".join([*heading("Serving", cores(), *notes), table(rows_of(loads)), "", table(rest)])
    numbers = {
        "starts": starts,
        "crowds": {name: load._asdict() | {"latencies": sorted(load.latencies)[::10]} for name, load in loads.items()},
        "hostile": hostile[::10],
        "normal": normal,
        "statuses": attacked["statuses"],
        "stop": seconds,
    }
    finish(result_name(f"service_{hardware()}", parser, options), options, text, numbers)


if __name__ == "__main__":
    main()
