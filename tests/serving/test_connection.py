"""Connections: limits on the time and size of a request's head, and on the number of connections."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Callable
from contextlib import ExitStack, suppress

import pytest
import uvicorn
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.server import ServerState

from inkgan.serving import connection
from inkgan.serving.connection import LARGEST_HEAD, SECONDS_FOR_HEAD, SECONDS_TO_SEND, Connection
from inkgan.serving.guard import Guard
from waiting import SECONDS

_GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n"


async def some_rounds() -> None:
    """Let the running loop go on, by more rounds than it takes to accept a connection and then read from it."""
    for _ in range(20):
        await asyncio.sleep(0)


class Clock:
    """The clock of a server, which only its client puts forward, so that no test depends on the machine's speed."""

    def __init__(self) -> None:
        self._now = 0.0

    def drive(self, loop: asyncio.AbstractEventLoop) -> None:
        """Become the clock of the running loop."""
        self._loop = loop
        self._now = loop.time()
        loop.time = lambda: self._now  # type: ignore[method-assign]

    def advance(self, seconds: float) -> None:
        """Let time pass, once the server has received what the client has sent so far."""

        async def advance() -> None:
            await some_rounds()
            self._now += seconds

        asyncio.run_coroutine_threadsafe(advance(), self._loop).result(SECONDS)


def with_server(talk: Callable[[int], None], app: ASGIApp | None = None, clock: Clock | None = None) -> None:
    """Run a server on a free port of this machine, and call a client with that port."""

    async def run() -> None:
        config = uvicorn.Config(
            app or PlainTextResponse("hello"),
            log_config=None,
            log_level="critical",
            timeout_keep_alive=60,
            h11_max_incomplete_event_size=LARGEST_HEAD,
        )
        state = ServerState()
        loop = asyncio.get_running_loop()
        if clock is not None:
            clock.drive(loop)
        server = await loop.create_server(lambda: Connection(config, state, {}, loop), "127.0.0.1", 0)
        async with server:
            await asyncio.to_thread(talk, server.sockets[0].getsockname()[1])
            for one in list(state.connections):
                one.transport.abort()
            await some_rounds()

    asyncio.run(run())


def connected(port: int) -> socket.socket:
    """Return a new connection to the server."""
    return socket.create_connection(("127.0.0.1", port), SECONDS)


def answer(port: int, request: bytes, then: Callable[[], None] = lambda: None) -> bytes:
    """Send a request, call a function, and return everything that the server sends until it closes the connection."""
    said = b""
    with connected(port) as client, suppress(ConnectionResetError):
        client.sendall(request)
        then()
        while part := client.recv(2**16):
            said += part
    return said


@pytest.mark.parametrize("start", [b"", b"GET", _GET])
def test_half_a_request_is_not_waited_for(start: bytes) -> None:
    clock = Clock()

    def talk(port: int) -> None:
        assert answer(port, start, lambda: clock.advance(SECONDS_FOR_HEAD)) == b""

    with_server(talk, clock=clock)


def test_half_a_request_is_not_waited_for_after_a_whole_one() -> None:
    clock = Clock()

    def talk(port: int) -> None:
        with connected(port) as client:
            client.sendall(_GET + b"\r\n")
            assert client.recv(2**16).startswith(b"HTTP/1.1 200 OK")
            client.sendall(_GET)
            clock.advance(SECONDS_FOR_HEAD)
            with suppress(ConnectionResetError):
                while client.recv(2**16):
                    pass

    with_server(talk, clock=clock)


def test_a_head_that_trickles_in_gets_no_more_time() -> None:
    clock = Clock()

    def talk(port: int) -> None:
        with connected(port) as client, suppress(ConnectionResetError, BrokenPipeError):
            for letter in _GET:
                client.sendall(bytes([letter]))
                clock.advance(SECONDS_FOR_HEAD / 10)
            pytest.fail("the whole head was taken")

    with_server(talk, clock=clock)


def test_a_request_that_is_whole_is_answered_in_its_own_time() -> None:
    def talk(port: int) -> None:
        assert answer(port, _GET + b"Connection: close\r\n\r\n").startswith(b"HTTP/1.1 200 OK")

    with_server(talk)


@pytest.mark.parametrize("address", ["/%20?a=1", "/"])
@pytest.mark.parametrize(("size", "status"), [(LARGEST_HEAD, 200), (LARGEST_HEAD + 1, 400), (200_000, 400)])
def test_a_head_that_comes_in_one_piece_has_the_same_bound(address: str, size: int, status: int) -> None:
    """The parser alone limits only heads that arrive in several pieces."""
    start = f"GET {address} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nA: ".encode()
    head = start + b"x" * (size - len(start) - 4) + b"\r\n\r\n"

    def talk(port: int) -> None:
        assert answer(port, head).startswith(f"HTTP/1.1 {status} ".encode())

    with_server(talk, Guard(PlainTextResponse("hello")))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (b"HELLO\r\n\r\n", "this is not a valid HTTP request: illegal request line"),
        (_GET + b"Host: evil\r\n\r\n", "this is not a valid HTTP request: Found multiple Host: headers."),
        (b"GET / HTTP/1.1\r\n\r\n", "this is not a valid HTTP request: Missing mandatory Host: header."),
        (_GET + b"\x1b[31m\r\n\r\n", "this is not a valid HTTP request: illegal header line"),
        (_GET + b"A: " + b"x" * LARGEST_HEAD + b"\r\n", "the head of this request is too large. It may have 16,384 "),
    ],
)
def test_what_is_no_head_is_answered_in_one_line(wrong: bytes, told: str) -> None:
    """With the parser's reason, and with the headers of security that every answer has."""

    def talk(port: int) -> None:
        head, _, body = answer(port, wrong).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 ")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
        expected = {**connection.SECURITY, "Content-Security-Policy": connection.POLICY, "Cache-Control": "no-store"}
        assert {name.lower(): value for name, value in expected.items()}.items() <= headers.items()
        error = json.loads(body)["error"]
        assert error.startswith(told)
        assert error.isprintable()
        assert len(error) < 300

    with_server(talk)


def test_too_many_connections_are_asked_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MOST_CONNECTIONS", 2)

    def talk(port: int) -> None:
        with ExitStack() as others:
            others.enter_context(connected(port))
            last = others.enter_context(connected(port))
            last.sendall(_GET + b"\r\n")
            assert last.recv(2**16).startswith(b"HTTP/1.1 200 OK")
            said = answer(port, b"")
        assert said.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 1\r\n" in said

    with_server(talk)


async def _in_parts(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with 64 MiB in 64 parts, each sent when the system has taken the one before."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(64):
        await send({"type": "http.response.body", "body": bytes(2**20), "more_body": True})
    await send({"type": "http.response.body"})


@pytest.mark.parametrize("app", [PlainTextResponse(bytes(2**26)), _in_parts], ids=["whole", "in parts"])
def test_an_answer_that_nobody_reads_is_given_up(caplog: pytest.LogCaptureFixture, app: ASGIApp) -> None:
    """An answer has a time limit once it has begun; then the connection is cut, and the log stays empty."""
    clock = Clock()

    def talk(port: int) -> None:
        caplog.set_level(logging.ERROR, "uvicorn.error")
        with connected(port) as client, suppress(ConnectionResetError):
            client.sendall(_GET + b"\r\n")
            got = len(client.recv(15))
            clock.advance(SECONDS_TO_SEND * 2**26 / 10**6)
            while part := client.recv(2**20):
                got += len(part)
        assert 15 <= got < 2**26

    with_server(talk, Guard(app), clock)
    assert not caplog.records


def read_zeros(client: socket.socket, count: int, took: Callable[[int], None] = lambda _: None) -> None:
    """Read an answer of zeros to its end; ``took`` hears of the size of each part."""
    while count:
        part = client.recv(2**20)
        assert part, "the connection was cut"
        count -= part.count(b"\0")  # the head has none
        took(len(part))


def test_a_large_answer_has_more_time() -> None:
    """A telephone takes a minute or more for the page."""
    clock = Clock()

    def talk(port: int) -> None:
        with connected(port) as client:
            client.sendall(_GET + b"\r\n")
            read_zeros(client, 2**26, lambda size: clock.advance(SECONDS_TO_SEND / 2 * size / 10**6))

    with_server(talk, PlainTextResponse(bytes(2**26)), clock)


def test_an_answer_that_is_read_in_time_is_whole() -> None:
    """The clock of one answer does not cut the connection while the next request is awaited."""
    clock = Clock()

    def talk(port: int) -> None:
        with connected(port) as client:
            for _ in range(2):
                client.sendall(_GET + b"\r\n")
                read_zeros(client, 2**20)
                clock.advance(SECONDS_TO_SEND)

    with_server(talk, PlainTextResponse(bytes(2**20)), clock)


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the address and the host that the application sees."""
    seen = [scope["path"], scope["raw_path"].decode(), scope["query_string"].decode(), Headers(scope=scope)["host"]]
    await JSONResponse(seen)(scope, receive, send)


@pytest.mark.parametrize(
    ("target", "seen"),
    [
        ("http://localhost:8000/v1/a%2Fb?n=1", ["/v1/a/b", "/v1/a%2Fb", "n=1", "localhost:8000"]),
        ("HTTP://LOCALHOST", ["/", "/", "", "LOCALHOST"]),
        ("https://127.0.0.1?x=http://a/b", ["/", "/", "x=http://a/b", "127.0.0.1"]),
        ("/http://localhost/", ["/http://localhost/", "/http://localhost/", "", "[::1]"]),
        ("http://evil.example/v1/write", None),
        ("http://localhost%2F@evil.example/", None),
        ("http:///v1/write", None),
    ],
)
def test_an_address_may_name_the_host(target: str, seen: list[str] | None) -> None:
    """Servers must accept it, and must then ignore the Host header (RFC 9112, 3.2.2)."""

    def talk(port: int) -> None:
        with connected(port) as client:
            client.sendall(f"GET {target} HTTP/1.1\r\nHost: [::1]\r\nConnection: close\r\n\r\n".encode())
            head, _, body = b"".join(iter(lambda: client.recv(2**16), b"")).partition(b"\r\n\r\n")
        status = int(head.split()[1])
        assert (status, json.loads(body) if seen else None) == ((200, seen) if seen else (403, None))

    with_server(talk, Guard(echo))
