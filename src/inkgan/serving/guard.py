"""Limits for all requests (hosts, methods, rates, times), and the security headers and metrics of every answer.

Nothing here reads a body: a request that has one is refused by its headers.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from urllib.parse import unquote

from prometheus_client import Counter, Gauge, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inkgan.errors import shown
from inkgan.serving.connection import CUT, LARGEST_HEAD, POLICY, SECONDS_TO_SEND, SECURITY
from inkgan.serving.error_responses import error_response, unavailable
from inkgan.serving.hosts import LOCAL, name_of

#: The most requests that are answered or wait at one time; further ones get a 503 and are asked to come back.
MOST_AT_ONCE = 64
#: The most seconds until an answer begins.
SECONDS_TO_ANSWER = 10.0
#: The most requests from one client: per second in the long run, and in one burst.
RATE, BURST = 500.0, 1000.0
#: The most clients whose buckets are remembered.
_MOST_BUCKETS = 4096
_ANSWERED_WHEN_FULL = ("/healthz", "/metrics")
#: The address of a request that also names the scheme and the host.
_ABSOLUTE = re.compile(rb"https?://([^/]*)(/.*)?", re.IGNORECASE)
#: The status under which the metrics count a request whose client went away before its answer began.
_CLIENT_GONE = 499

_request_count = Counter("inkgan_requests", "Requests, by address and status.", ["path", "status"])
_request_seconds = Histogram(
    "inkgan_request_seconds",
    "Time from the request's headers to the end of the answer.",
    ["path"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
_requests_in_progress = Gauge("inkgan_requests_in_progress", "Requests that are being answered.")


class RateLimiter:
    """A token bucket for each of the most recent clients."""

    def __init__(self, rate: float = RATE, burst: float = BURST, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._buckets: dict[str, tuple[float, float]] = {}  # the client that was here last comes last

    def allow(self, client: str) -> bool:
        """Take a token from a client's bucket, and return whether there was one."""
        now = self._clock()
        tokens, since = self._buckets.pop(client, (self._burst, now))
        tokens = min(self._burst, tokens + (now - since) * self._rate)
        allowed = tokens >= 1
        self._buckets[client] = (tokens - allowed, now)
        if len(self._buckets) > _MOST_BUCKETS:
            del self._buckets[next(iter(self._buckets))]
        return allowed


class Guard:
    """An application behind limits.

    Attributes:
        app: the application that answers.
        hosts: the names under which clients may address the server, in lower case, without port.
        access_log: whether to log each request on stderr as a line of JSON.
        rates: the limit of each client's requests.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str] = LOCAL, *, access_log: bool = False) -> None:
        self.app = app
        self.hosts = hosts
        self.access_log = access_log
        self.rates = RateLimiter()
        self._in_progress = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        scope = _in_origin_form(scope)
        exchange = _Exchange(scope, send)
        watch = asyncio.create_task(exchange.watch(receive))
        self._in_progress += 1
        _requests_in_progress.inc()
        try:
            async with asyncio.timeout(SECONDS_TO_ANSWER) as exchange.limit:
                answer = _refusal_of_head(scope) or self._refusal(scope) or self.app
                await answer(exchange.scope, receive, exchange.send)
        except TimeoutError:
            if not exchange.client_gone:
                await exchange.give_up(receive, f"this took longer than {SECONDS_TO_ANSWER:.0f} seconds.")
        except asyncio.CancelledError:
            # Only a server that stops cancels a request. Raised, the error would be a 500, and a traceback in the log.
            await exchange.give_up(receive, "this server is stopping; it had no time left for this.")
        finally:
            watch.cancel()
            self._in_progress -= 1
            _requests_in_progress.dec()
            exchange.count(self._address(scope))
            if self.access_log:
                exchange.log()

    def _refusal(self, scope: Scope) -> Response | None:
        """Return the error for a request that is refused; None for one that is answered."""
        host = Headers(scope=scope).get("host", "")
        if name_of(host) not in self.hosts:
            named = shown(host)[:80]
            line = f"this server does not serve the host {named!r}. Whoever runs it can add one by --allow-host."
            return error_response(403, line if host else "this request names no host; give a Host header.")
        client = scope.get("client")
        if not self.rates.allow(client[0] if client else ""):
            return error_response(429, f"more than {RATE:.0f} requests in a second.", Retry_After="1")
        if self._in_progress > MOST_AT_ONCE and scope["path"] not in _ANSWERED_WHEN_FULL:
            return unavailable(f"{MOST_AT_ONCE} requests are being answered; ask again in a second.")
        return None

    def _address(self, scope: Scope) -> str:
        """Return the address under which the metrics count a request; ``other`` if the application has none for it."""
        routes = getattr(self.app, "routes", ())
        return next((route.path_format for route in routes if route.matches(scope)[0] is not Match.NONE), "other")


def _in_origin_form(scope: Scope) -> Scope:
    """Return a request for ``http://HOST/PATH`` as one for ``/PATH``; its host replaces that of the header.

    Servers must accept both forms (RFC 9112, 3.2.2).
    """
    target = _ABSOLUTE.fullmatch(scope.get("raw_path") or b"")
    if not target:
        return scope
    host, path = target[1], target[2] or b"/"
    headers = [(name, value) for name, value in scope["headers"] if name != b"host"]
    return {**scope, "path": unquote(path.decode("ascii")), "raw_path": path, "headers": [*headers, (b"host", host)]}


def _refusal_of_head(scope: Scope) -> Response | None:
    """Return the error for a request that must be refused for its head alone; else None."""
    headers = Headers(scope=scope)
    size = _bytes_of_head(scope)
    if size > LARGEST_HEAD:  # it arrived in one piece, so the connection did not count it
        line = f"the head of this request has {size:,} bytes. It may have {LARGEST_HEAD:,}."
        return error_response(400, line, Connection="close")
    if scope["method"] not in {"GET", "HEAD"}:
        return error_response(405, "only GET and HEAD are answered here.", Allow="GET, HEAD", Connection="close")
    if headers.get("transfer-encoding") or headers.get("content-length", "0") != "0":
        return error_response(413, "a request to this server has no body.", Connection="close")
    return None


def _bytes_of_head(scope: Scope) -> int:
    """Return the number of bytes of a request's head, without optional white space."""
    path, query = scope.get("raw_path") or scope["path"].encode(), scope["query_string"]
    address = path + b"?" + query if query else path
    request_line = len(scope["method"]) + len(address) + len("  HTTP/1.1\r\n")
    return request_line + sum(len(name) + len(value) + len(": \r\n") for name, value in scope["headers"]) + len("\r\n")


class _Exchange:
    """One request and its answer.

    Attributes:
        scope: the request as the application sees it.
        limit: the time limit of the answer, which is extended once the answer has begun.
        status: the status of the answer; 0 until it begins.
        client_gone: whether the client went away before it had its answer.
    """

    def __init__(self, scope: Scope, send: Send) -> None:
        # The application has no HEAD: it gets a GET, and the body of its answer is not sent.
        self.scope = {**scope, "method": "GET"}
        self.limit: asyncio.Timeout | None = None
        self.status = 0
        self.client_gone = False
        self._complete = False
        self._method: str = scope["method"]
        self._send = send
        self._bytes = 0
        self._began = time.perf_counter()

    async def watch(self, receive: Receive) -> None:
        """End the time for the answer when the client is gone.

        A request without a body is one message. The next message means that the client is gone or has its answer.
        """
        message = await receive()
        if message["type"] == "http.request":
            message = await receive()
        if message["type"] == "http.disconnect" and not self._complete:
            self.client_gone = True
            self.status = self.status or _CLIENT_GONE
            self._end_in(0)

    async def give_up(self, receive: Receive, line: str) -> None:
        """Refuse the request, since its time is over; if its answer has begun, cut the connection.

        Neither an error nor a return may tell uvicorn that the answer ends here: it would log either one, as often as
        clients like.
        """
        self.limit = None  # it cannot be moved any more
        if self.status:
            self.scope["state"][CUT]()
            await asyncio.sleep(0)  # until uvicorn has heard that the connection is lost
        else:
            await unavailable(line)(self.scope, receive, self.send)

    def _end_in(self, seconds: float) -> None:
        """Give the answer this much time from now on, unless its time is already over."""
        if self.limit is not None and not self.limit.expired():
            self.limit.reschedule(asyncio.get_running_loop().time() + seconds)

    async def send(self, message: Message) -> None:
        """Forward a part of the answer, with the headers that all answers have."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers.update(SECURITY)
            headers.setdefault("Content-Security-Policy", POLICY)
            headers.setdefault("Cache-Control", "no-store")
            self._end_in(SECONDS_TO_SEND)
        elif self._method == "HEAD":
            message = {**message, "body": b""}
        self._bytes += len(message.get("body", b""))
        self._complete = message["type"] == "http.response.body" and not message.get("more_body", False)
        await self._send(message)

    def count(self, path: str) -> None:
        """Count the request in the metrics, under the name of its address."""
        _request_count.labels(path, str(self.status)).inc()
        _request_seconds.labels(path).observe(time.perf_counter() - self._began)

    def log(self) -> None:
        """Log the request as one line of JSON, which escapes characters that would control a terminal."""
        client = self.scope.get("client")
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "client": client[0] if client else None,
            "method": self._method,
            "path": self.scope["path"],
            "query": self.scope["query_string"].decode("latin-1"),
            "status": self.status,
            "bytes": self._bytes,
            "ms": round(1000 * (time.perf_counter() - self._began), 1),
        }
        with suppress(OSError, ValueError):  # stderr may be closed
            sys.stderr.write(json.dumps(line) + "\n")
            sys.stderr.flush()
