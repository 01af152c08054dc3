"""Connections with limits that uvicorn lacks: on their number, and on the time of a request's head and of an answer."""

from __future__ import annotations

import asyncio
import sys
from http import HTTPStatus

from starlette.responses import Response
from uvicorn.protocols.http.h11_impl import H11Protocol

from inkgan.errors import shown
from inkgan.serving.error_responses import error_response, unavailable

#: The most connections that are open at one time.
MOST_CONNECTIONS = 256
#: Seconds from the first byte of a request, or from the start of the connection, to the end of its head.
SECONDS_FOR_HEAD = 10.0
#: Seconds from the moment at which an answer is complete until the system has taken all of it for sending. An answer of
#: more than a MB has as many for each: a telephone may take the page at 50 kB/s.
SECONDS_TO_SEND = 30.0
#: The most bytes of a request's head.
LARGEST_HEAD = 16_384
#: Headers of every answer.
SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}
#: The Content-Security-Policy of every answer except pages, which have their own.
POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"
#: The key, in the state of a request's scope, of the function that cuts its connection.
CUT = "cut"


class Connection(H11Protocol):
    """A uvicorn connection with limits."""

    _deadline: asyncio.TimerHandle  # of a request's head; cancelled while a request is answered
    _end_of_sending: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Refuse the connection if there are too many; else wait for a request."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, CUT: transport.abort}
        if len(self.connections) > MOST_CONNECTIONS:
            self._end(unavailable("too many connections."))
        self._deadline = self.loop.call_later(SECONDS_FOR_HEAD, transport.abort)

    def data_received(self, data: bytes) -> None:
        """Receive a part of a request; the clock runs only while a request is awaited."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._deadline.cancel()
        elif self._deadline.cancelled():
            self._deadline = self.loop.call_later(SECONDS_FOR_HEAD, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clocks."""
        super().connection_lost(exc)
        self._deadline.cancel()
        if self._end_of_sending is not None:
            self._end_of_sending.cancel()

    def on_response_complete(self) -> None:
        """Give the client time to read the answer. What it has not taken by then would fill the memory."""
        if self._end_of_sending is not None:
            self._end_of_sending.cancel()
        seconds = SECONDS_TO_SEND * max(1, self.transport.get_write_buffer_size() / 10**6)
        self._end_of_sending = self.loop.call_later(seconds, self._give_up_sending)
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer a request that is not HTTP, or whose head is too large; uvicorn is handling the parser's error."""
        error = sys.exception()
        if getattr(error, "error_status_hint", None) == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE:
            line = f"the head of this request is too large. It may have {LARGEST_HEAD:,} bytes."
        else:
            line = f"this is not a valid HTTP request: {shown(str(error or msg))}."
        self._end(error_response(400, line))

    def _give_up_sending(self) -> None:
        if self.transport.get_write_buffer_size():
            self.transport.abort()

    def _end(self, answer: Response) -> None:
        """Answer in place of the application, and close the connection."""
        answer.headers.update({**SECURITY, "Content-Security-Policy": POLICY, "Connection": "close"})
        status = f"HTTP/1.1 {answer.status_code} {HTTPStatus(answer.status_code).phrase}\r\n"
        headers = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
        self.transport.write(f"{status}{headers}\r\n".encode() + answer.body)
        self.transport.close()
