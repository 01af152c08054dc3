"""The server as a process: its command, its port, its workers and how it ends."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import pytest

from inkgan.errors import ConfigError, InkganWarning
from inkgan.exporting.saved import SavedModel
from inkgan.serving.server import _listening, serve
from refusals import command_refusal
from waiting import SECONDS


@pytest.fixture
def taken() -> Iterator[int]:
    """Return a port on which something else listens."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            "best --port PORT",
            "cannot listen on port PORT of 127.0.0.1: address already in use. Name others with --host",
        ),
        (
            "best --port 0 --host 203.0.113.7",
            "cannot listen on port 0 of 203.0.113.7: cannot assign requested address.",
        ),
        ("best --port 0 --host no.such.host.invalid", "cannot listen on port 0 of no.such.host.invalid: "),
        (
            "best --port 0 --host 0.0.0.0",
            "a server on 0.0.0.0 has to know the names under which browsers reach it. Give them with",
        ),
        ("best --port 0 --host 0", "a server on 0 has to know the names"),  # to the system, the same
        ("best --port 0 --host ::ffff:0.0.0.0", "a server on ::ffff:0.0.0.0 has to know the names"),
        ("best --port 0 --allow-host a:80", "'a:80' is not a host name. Give one as in an address, without a port."),
        ("best --port 0 --allow-host *.example.org", "'*.example.org' is not a host name."),
        ("best --port 0 --allow-host http://a", "'http://a' is not a host name."),
        ("best --port 0 --workers 0", "there cannot be 0 workers. Ask for 1 to 64."),
        ("bset --port 0", "there is no model or run 'bset'. Did you mean 'best'?"),
        ("damaged --port 0", "damaged"),
        ("best --port 70000", "Invalid value for '--port'"),
    ],
)
def test_what_cannot_be_served_is_said_in_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    taken: int,
    arguments: str,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("damaged").mkdir()
    Path("damaged/model.json").write_text("{}")
    line = command_refusal(capsys, "serve", *arguments.replace("PORT", str(taken)).split())
    assert line.startswith(said.replace("PORT", str(taken)))


@contextmanager
def running(*options: str, drain: float = 10 * SECONDS) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a server of the model ``fast``, without its page, and yield it with its address.

    Its answers have more than enough time, even when it is asked to stop, so that a slow machine answers them, too.
    """
    code = (
        "import signal\n"
        "from inkgan.errors import ConfigError\n"
        "from inkgan.serving import app, guard, server\n"
        "def no_page(_): raise ConfigError('none')\n"  # making it takes as long as everything else
        "app.web_page = no_page\n"
        "signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"  # the tests may run under nohup
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"  # as a shell starts what ends with &
        f"guard.SECONDS_TO_ANSWER, server._SECONDS_TO_DRAIN = {10 * SECONDS}, {drain}\n"
        "from inkgan.__main__ import main\n"
        "main()"
    )
    command = [sys.executable, "-c", code, "serve", "fast", "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.fullmatch(r"fast is at (http://127\.0\.0\.1:\d+/) \(Ctrl-C stops it\)\n", line)
            assert found, line
            yield process, found[1]
        finally:
            process.kill()


def place_of(address: str) -> tuple[str, int]:
    """Return the host and the port of a server."""
    host, _, port = address.removeprefix("http://").rstrip("/").partition(":")
    return host, int(port)


def workers_of(process: subprocess.Popen[str]) -> list[int]:
    """Return the ids of the processes that draw for a server."""
    return [int(word) for word in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def go_on(worker: int) -> None:
    """Let a process that was stopped go on, if it is still there."""
    with suppress(ProcessLookupError):
        os.kill(worker, signal.SIGCONT)


@contextmanager
def pending(
    process: subprocess.Popen[str], address: str, path: str, count: int
) -> Iterator[list[http.client.HTTPConnection]]:
    """Let a server draw nothing, send requests, and yield their connections once the server has them all."""
    with ExitStack() as stack:
        for worker in workers_of(process):
            os.kill(worker, signal.SIGSTOP)
            stack.callback(go_on, worker)
        asked = [http.client.HTTPConnection(*place_of(address), timeout=SECONDS) for _ in range(count)]
        for one in asked:
            stack.enter_context(closing(one))
            one.request("GET", path)
        expected = f"inkgan_requests_in_progress {count + 1}.0"  # with the one that asks for this line
        end = time.monotonic() + SECONDS
        while expected not in urllib.request.urlopen(address + "metrics", timeout=SECONDS).read().decode():
            assert time.monotonic() < end, "the server never had all requests"
            time.sleep(0.01)
        yield asked


def until_refused(address: str) -> None:
    """Return as soon as nothing listens at an address any more.

    Raises:
        AssertionError: it takes too long.
    """
    end = time.monotonic() + SECONDS
    with suppress(ConnectionRefusedError):
        while True:
            socket.create_connection(place_of(address), SECONDS).close()
            assert time.monotonic() < end, "the server never closed its address"
            time.sleep(0.01)


@pytest.mark.linux
@pytest.mark.slow
@pytest.mark.parametrize(("workers", "number"), [(1, signal.SIGTERM), (2, signal.SIGINT), (1, signal.SIGHUP)])
def test_it_ends_in_order(workers: int, number: signal.Signals) -> None:
    """Pending requests are answered, idle connections do not delay the end, and nothing listens afterwards."""
    with running("--access-log", "--workers", str(workers)) as (process, address), ExitStack() as stack:
        stack.enter_context(socket.create_connection(place_of(address)))
        half = stack.enter_context(socket.create_connection(place_of(address)))
        half.sendall(b"GET / HT")
        with pending(process, address, "/v1/sample", 4) as asked:  # more than can be drawn at one time
            process.send_signal(number)
            until_refused(address)  # it has heard the signal
            for worker in workers_of(process):
                go_on(worker)
            got = [one.getresponse().read() for one in asked]
            assert process.wait(SECONDS) == 0
        assert [one[:4] for one in got] == 4 * [b"\x89PNG"]
        assert process.stderr is not None
        assert process.stderr.read().count('"path": "/v1/sample"') == 4
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(place_of(address))


@pytest.fixture
def usual_signals() -> Iterator[None]:
    """Restore what signals do after a server in this process."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def serve_here(say: Callable[[str], None], workers: int = 1) -> None:
    """Run a server of the model ``fast`` in this process until a signal; ``say`` gets its address."""
    serve("fast", host="127.0.0.1", port=0, allow_hosts=[], workers=workers, access_log=True, say=say)


@pytest.mark.slow
@pytest.mark.usefixtures("usual_signals")
def test_signals_are_heard_as_soon_as_the_address_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    """Even two signals at once end the server cleanly and silently, because no answer is pending."""

    def stop(_: str) -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    serve_here(stop, workers=2)
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("usual_signals")
def test_the_page_is_made_before_the_address_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """No request waits for it; it would wait for longer the more requests there are, and be refused with 503."""
    made: list[str] = []

    def web_page(saved: SavedModel) -> bytes:
        made.append(saved.name)
        raise ConfigError("this network has no page")

    monkeypatch.setattr("inkgan.serving.app.web_page", web_page)

    def stop(_: str) -> None:
        assert made == ["fast"]
        signal.raise_signal(signal.SIGINT)

    serve_here(stop)


@pytest.mark.slow
@pytest.mark.usefixtures("usual_signals")
@pytest.mark.parametrize("given", ["", "auto", "2"])
def test_a_setting_for_other_servers_is_not_read(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    """Hosts set it for servers that divide their clients between processes; uvicorn ended at one that is no number."""
    monkeypatch.setenv("WEB_CONCURRENCY", given)
    told: list[str] = []

    def stop(address: str) -> None:
        told.append(address)
        signal.raise_signal(signal.SIGINT)

    serve_here(stop)
    assert len(told) == 1


@pytest.mark.slow
@pytest.mark.usefixtures("usual_signals")
def test_a_client_cannot_choose_its_address(capfd: pytest.CaptureFixture[str]) -> None:
    """A header could otherwise give each of its requests another address, and so escape their limit."""

    def ask(address: str) -> None:
        asked = urllib.request.Request(address + "healthz", headers={"X-Forwarded-For": "203.0.113.7"})
        try:
            urllib.request.urlopen(asked, timeout=SECONDS).close()
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    with ThreadPoolExecutor() as clients:
        asked: list[Future[None]] = []
        serve_here(lambda address: asked.append(clients.submit(ask, address)))
        asked[0].result()
    assert json.loads(capfd.readouterr().err)["client"] == "127.0.0.1"


@pytest.mark.slow
@pytest.mark.linux
@pytest.mark.usefixtures("usual_signals")
def test_a_failure_after_the_start_is_not_one_of_the_port(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """If the address cannot be printed, the error says so, with another exit code than a wrong option has."""
    with suppress(OSError), Path("/dev/full").open("w") as full:  # it cannot write its buffer when it is closed, either
        monkeypatch.setattr("sys.stdout", full)
        said = command_refusal(capsys, "serve", "fast", "--port", "0", code=1)
        assert said == "cannot write what this command prints: the disk is full."


@pytest.mark.linux
@pytest.mark.slow
@pytest.mark.parametrize("signals", [1, 2])
def test_what_is_not_answered_in_time_is_refused_with_503(signals: int) -> None:
    """A second signal leaves no time for answers. Clients are asked to come back, and nothing is logged."""
    with running("--workers", "1", drain=0 if signals == 1 else 10 * SECONDS) as (process, address):
        with pending(process, address, "/v1/write?text=8", 8) as asked:
            process.send_signal(signal.SIGTERM)
            until_refused(address)  # it has heard the signal
            if signals > 1:
                process.send_signal(signal.SIGINT)
            for one in asked:
                with one.getresponse() as answer:
                    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
        assert process.wait(SECONDS) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


@pytest.mark.linux
@pytest.mark.slow
def test_workers_die_with_the_server() -> None:
    """Requests of all workers are counted together, and no worker survives a server that is killed."""
    with running() as (process, address):
        for seed in range(6):
            urllib.request.urlopen(f"{address}v1/digits/7?seed={seed}").read()
        expected = 'inkgan_requests_total{path="/v1/digits/{name}",status="200"} 6.0'
        assert expected in urllib.request.urlopen(address + "metrics").read().decode()
        assert len(workers_of(process)) == 2
        process.kill()
        process.communicate(timeout=SECONDS)  # its output ends when the last of them has ended
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(place_of(address))


def option_of_accepted(option: int) -> int:
    """Return a TCP option of a connection that the server's socket has accepted."""

    async def accept() -> int:
        seen: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connection = writer.get_extra_info("socket")
            seen.set_result(connection.getsockopt(socket.IPPROTO_TCP, option))
            writer.close()

        with _listening("127.0.0.1", 0) as listener:
            async with await asyncio.start_server(connected, sock=listener):
                _, writer = await asyncio.open_connection(*listener.getsockname())
                writer.close()
                return await seen

    return asyncio.run(accept())


def test_answers_are_not_held_back() -> None:
    """Head and body of an answer are sent at once, so that no client waits 40 ms between them."""
    assert option_of_accepted(socket.TCP_NODELAY) != 0


@pytest.mark.linux
def test_a_client_that_has_vanished_is_given_up() -> None:
    """Linux would otherwise keep what it has not acknowledged in memory for a quarter of an hour."""
    assert option_of_accepted(socket.TCP_USER_TIMEOUT) == 30_000


def test_of_several_addresses_the_systems_first_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name may stand for several, such as localhost for ::1 and 127.0.0.1."""
    found = [socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0] for host in ("127.0.0.1", "203.0.113.7")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with _listening("localhost", 0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"


_NO_SECOND_PROCESS = """
import errno, os
start = workers._Worker.start
begun = []
def start_one(worker):
    if begun:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    begun.append(worker)
    start(worker)
workers._Worker.start = start_one
"""
_NO_MORE_THREADS = """
from types import SimpleNamespace
def thread(**_):
    raise RuntimeError("can't start new thread")
workers.threading = SimpleNamespace(Thread=thread)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limit", "said"),
    [
        (_NO_SECOND_PROCESS, "the system starts no more processes and threads."),
        (_NO_MORE_THREADS, "a process ended at once: too little memory, or no more threads."),
    ],
    ids=["processes", "threads"],
)
def test_at_a_limit_of_the_system_it_ends_in_one_line(limit: str, said: str) -> None:
    """It would wait for ever for the process that did begin; and a worker without its thread printed a traceback."""
    code = f"from inkgan.serving import workers\n{limit}\nfrom inkgan.__main__ import main\nmain()"
    command = [sys.executable, "-c", code, "serve", "fast", "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS / 4)
    remedy = "Ask for fewer --jobs or --workers, or raise the limit: ulimit -u."
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"inkgan: {said} {remedy}\n")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")  # pytest.warns hands it on
@pytest.mark.usefixtures("usual_signals")
def test_what_a_user_should_know_of_the_model_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As by every command that reads a model. Only warnings about drawn images are for nobody."""
    monkeypatch.chdir(tmp_path)
    Path("fast").mkdir()
    Path("fast/config.json").write_text("{}")
    with pytest.warns(InkganWarning, match="fast is the bundled model; name the folder fast here with a slash"):
        serve_here(lambda _: signal.raise_signal(signal.SIGINT))
