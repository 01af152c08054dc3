"""The limits that the guard puts around the application."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.responses import PlainTextResponse, Response
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from inkgan.serving import guard
from inkgan.serving.guard import BURST, MOST_AT_ONCE, RATE, Guard, RateLimiter
from inkgan.serving.hosts import LOCAL
from waiting import SECONDS


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the method that the application sees."""
    await PlainTextResponse(scope["method"], headers={"ETag": '"x"'})(scope, receive, send)


def client_of(bounded: Guard) -> TestClient:
    return TestClient(bounded, base_url="http://127.0.0.1:8000")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"])
def test_only_get_and_head_are_answered(method: str) -> None:
    answer = client_of(Guard(hello)).request(method, "/")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


def test_a_head_is_a_get_without_its_body() -> None:
    client = client_of(Guard(hello))
    get, head = client.get("/"), client.head("/")
    assert (get.text, head.content) == ("GET", b"")
    assert head.headers == get.headers


def test_a_body_is_refused() -> None:
    client = client_of(Guard(hello))
    assert client.request("GET", "/", content=b"x" * 100_000).status_code == 413
    assert client.request("GET", "/", content=iter([b"x"])).status_code == 413  # in chunks
    assert client.request("GET", "/", headers={"Content-Length": "0"}).status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8000", 200),
        ("localhost", 200),
        ("LOCALHOST:1", 200),
        ("localhost:", 200),
        ("[::1]:8000", 200),
        ("ink.example", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost:80:80", 403),
        ("localhost@evil", 403),
        ("", 403),
        ("\x1b[31m", 403),
    ],
)
def test_other_names_are_refused(host: str, status: int) -> None:
    """A page from elsewhere that points its own name here learns nothing (DNS rebinding)."""
    answer = client_of(Guard(hello, LOCAL | {"ink.example"})).get("/", headers={"Host": host})
    assert answer.status_code == status
    assert status == 200 or answer.json()["error"].isprintable()


def test_a_request_without_a_host_is_told_so() -> None:
    answer = client_of(Guard(hello)).get("/", headers={"Host": ""})
    assert answer.json() == {"error": "this request names no host; give a Host header."}


@pytest.mark.parametrize("arguments", [("GET", "/"), ("POST", "/")])
def test_every_answer_has_the_headers_of_security(arguments: tuple[str, str]) -> None:
    headers = client_of(Guard(hello)).request(*arguments).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-embedder-policy"] == "require-corp"
    assert headers["cache-control"] == "no-store"
    assert not any(name.startswith("access-control") for name in headers)


def test_an_answer_keeps_headers_of_its_own() -> None:
    """A page has another policy, without which its script would not run; other answers may be kept for a time."""
    own = {"content-security-policy": "default-src 'self'", "cache-control": "no-cache"}

    async def page(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("", headers=own)(scope, receive, send)

    headers = client_of(Guard(page)).get("/").headers
    assert {name: headers[name] for name in own} == own


def scope_of(path: str, client: tuple[str, int] = ("a", 1)) -> Scope:
    headers = [(b"host", b"localhost")]
    return {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": headers, "client": client}


async def ask(bounded: Guard, path: str = "/", client: tuple[str, int] = ("a", 1)) -> tuple[int, dict[bytes, bytes]]:
    """Return status and headers of an answer, inside a running event loop."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request"}

    await bounded(scope_of(path, client), receive, send)
    return sent[0]["status"], dict(sent[0]["headers"])


def counted(path: str, status: int) -> float:
    """Return how many requests the metrics have counted."""
    return float(guard._request_count.labels(path, str(status))._value.get())


def test_too_many_at_once_are_asked_to_come_back() -> None:
    """Accepted requests are still answered; meanwhile the server says that it is healthy, not ready, and how busy."""

    async def crowd() -> None:
        gate = asyncio.Event()

        async def wait(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["path"] not in {"/healthz", "/metrics"}:
                await gate.wait()
            await Response("")(scope, receive, send)

        bounded = Guard(wait)
        waiting = [asyncio.create_task(ask(bounded)) for _ in range(MOST_AT_ONCE)]
        await asyncio.sleep(0)
        for path in ("/", "/readyz"):
            status, headers = await ask(bounded, path)
            assert (status, headers[b"retry-after"]) == (503, b"1")
        for path in ("/healthz", "/metrics"):
            assert (await ask(bounded, path))[0] == 200
        gate.set()
        assert {status for status, _ in await asyncio.gather(*waiting)} == {200}
        assert (await ask(bounded))[0] == 200

    asyncio.run(crowd())


def test_what_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "SECONDS_TO_ANSWER", 0.01)

    async def sleep(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(60)

    status, headers = asyncio.run(ask(Guard(sleep)))
    assert (status, headers[b"retry-after"]) == (503, b"1")


def test_a_server_that_stops_asks_those_who_wait_to_come_back() -> None:
    """A server cancels the requests that it has no time for; none of them may end in a 500 or an exception."""

    async def run() -> tuple[int, dict[bytes, bytes]]:
        begun = asyncio.Event()

        async def sleep(scope: Scope, receive: Receive, send: Send) -> None:
            begun.set()
            await asyncio.sleep(SECONDS)

        waiting = asyncio.create_task(ask(Guard(sleep)))
        await begun.wait()
        waiting.cancel()
        return await waiting

    status, headers = asyncio.run(run())
    assert (status, headers[b"retry-after"]) == (503, b"1")


@pytest.mark.parametrize(("begun", "status"), [(False, 499), (True, 200)])
def test_what_nobody_waits_for_is_given_up(monkeypatch: pytest.MonkeyPatch, begun: bool, status: int) -> None:
    """If a client leaves, its request is cancelled and its place is free, however long the answer would have taken."""
    for limit in ("SECONDS_TO_ANSWER", "SECONDS_TO_SEND"):
        monkeypatch.setattr(guard, limit, 2 * SECONDS)  # it does not end for lack of time
    before = counted("other", status)
    ended: list[str] = []

    async def run() -> None:
        gone = asyncio.Event()

        async def receive() -> Any:
            if messages:
                return messages.pop()
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(_: Message) -> None:
            pass

        async def draw(scope: Scope, receive: Receive, send: Send) -> None:
            try:
                if begun:
                    await send({"type": "http.response.start", "status": 200, "headers": []})
                gone.set()
                await asyncio.sleep(2 * SECONDS)
            finally:
                ended.append("draw")

        messages: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]
        await asyncio.wait_for(Guard(draw)(scope_of("/"), receive, send), SECONDS)

    asyncio.run(run())
    assert ended == ["draw"]
    assert counted("other", status) == before + 1


def test_a_client_that_has_its_answer_is_not_gone() -> None:
    """Work that the application does after the last byte is not cancelled."""
    ended: list[str] = []

    async def tidy_up(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("x")(scope, receive, send)
        await asyncio.sleep(0.01)
        ended.append("tidied up")

    assert client_of(Guard(tidy_up)).get("/").text == "x"
    assert ended == ["tidied up"]


@pytest.mark.parametrize(
    ("path", "counts_as"), [("/a/7", "/a/{name}"), ("/a/", "other"), ("/b", "/b"), ("/nowhere", "other")]
)
def test_a_refusal_is_counted_under_its_address(path: str, counts_as: str) -> None:
    """The metrics of an address show that the server was full."""
    app = FastAPI()
    app.get("/a/{name}")(hello)
    app.get("/b")(hello)
    bounded = Guard(app)
    bounded._in_progress = MOST_AT_ONCE
    before = counted(counts_as, 503)
    assert asyncio.run(ask(bounded, path))[0] == 503
    assert counted(counts_as, 503) == before + 1


def test_a_client_has_a_rate_of_its_own() -> None:
    now = 0.0
    rates = RateLimiter(clock=lambda: now)
    assert sum(rates.allow("a") for _ in range(2000)) == BURST
    assert rates.allow("b")
    now = 0.1
    assert sum(rates.allow("a") for _ in range(2000)) == round(RATE / 10)
    now = 1e6
    assert sum(rates.allow("a") for _ in range(2000)) == BURST


def test_too_many_requests_of_one_client(monkeypatch: pytest.MonkeyPatch) -> None:
    bounded = Guard(hello)
    monkeypatch.setattr(bounded.rates, "allow", lambda _: False)
    answer = client_of(bounded).get("/")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")


def test_a_client_does_not_get_more_requests_by_more_connections() -> None:
    """Its address counts, and not the port, which each of its connections has for itself."""
    bounded = Guard(hello)
    bounded.rates = RateLimiter(burst=2, rate=0)
    clients = [("a", 1), ("a", 2), ("a", 3), ("b", 1)]
    assert [asyncio.run(ask(bounded, client=client))[0] for client in clients] == [200, 200, 429, 200]


def test_clients_that_are_long_gone_are_forgotten() -> None:
    rates = RateLimiter(burst=1, rate=0)
    assert rates.allow("first")
    assert not rates.allow("first")
    for number in range(5000):
        rates.allow(str(number))
    assert rates.allow("first")


def test_a_client_that_keeps_asking_is_not_forgotten() -> None:
    """Otherwise it would have all its requests again as soon as enough others have come."""
    rates = RateLimiter(burst=1, rate=0)
    assert rates.allow("busy")
    for number in range(5000):
        rates.allow(str(number))
        assert not rates.allow("busy")


def test_the_access_log_is_a_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    client_of(Guard(hello, access_log=True)).get("/a%0a%1b[31m?b=%0a")
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert line.rstrip("\n").isprintable()
    said = json.loads(line)
    assert (said["method"], said["path"], said["query"]) == ("GET", "/a\n\x1b[31m", "b=%0a")
    assert (said["status"], said["bytes"], said["client"]) == (200, 3, "testclient")
    assert abs(datetime.fromisoformat(said["time"]) - datetime.now(UTC)) < timedelta(minutes=1)
    client_of(Guard(hello)).get("/")
    assert capsys.readouterr().err == ""


def test_the_time_of_a_request_ends_with_its_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is in milliseconds in the log, and in seconds in the metrics."""
    ticks = iter([10.0, 10.25, 10.25])
    monkeypatch.setattr(guard, "time", SimpleNamespace(perf_counter=lambda: next(ticks)))
    seconds = guard._request_seconds.labels("other")._sum
    before = seconds.get()
    client_of(Guard(hello, access_log=True)).get("/")
    assert seconds.get() - before == pytest.approx(0.25)
    assert json.loads(capsys.readouterr().err)["ms"] == 250
