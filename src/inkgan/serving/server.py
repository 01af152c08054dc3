"""The server: a socket, a process that answers, processes that draw, and a graceful shutdown."""

from __future__ import annotations

import logging
import signal
import socket
import warnings
from collections.abc import Callable, Sequence
from contextlib import ExitStack, nullcontext
from types import FrameType
from typing import TYPE_CHECKING

from inkgan.errors import ConfigError, InkganWarning, reason_of, shown, whole_number
from inkgan.exporting import saved
from inkgan.serving import hosts

if TYPE_CHECKING:
    import uvicorn

MOST_WORKERS = 64
#: The seconds that answers in progress have when the server is asked to stop.
_SECONDS_TO_DRAIN = 3
#: The seconds after which a connection is closed if the client's system acknowledges nothing.
_SECONDS_UNACKNOWLEDGED = 30


def serve(
    what: str,
    *,
    host: str,
    port: int,
    allow_hosts: Sequence[str],
    workers: int,
    access_log: bool,
    say: Callable[[str], None],
) -> None:
    """Serve a model until SIGTERM or Ctrl-C; requests in progress are still answered.

    Args:
        what: a bundled model, a run, a checkpoint or a model folder.
        host: the address to listen on.
        port: 1 to 65535, or 0 for one that is free.
        allow_hosts: names, besides this machine's own, under which clients may address it.
        workers: the number of processes that draw, 1 to 64; they share the weights. One more process answers.
        access_log: log each request on stderr as a line of JSON.
        say: called with the server's address as soon as it answers.

    Raises:
        CheckpointError: there is no such model, or it is damaged.
        ConfigError: it cannot listen there, a name is not a host's, or it listens everywhere without ``allow_hosts``.
        MissingExtraError: the network has no NumPy form, and PyTorch is not installed.
    """
    workers = whole_number(workers, f"there cannot be {{}} workers. Ask for 1 to {MOST_WORKERS}.", 1, MOST_WORKERS)
    with _listening(host, port) as listener:
        address, port, *_ = listener.getsockname()
        names = hosts.names(host, address, allow_hosts)
        import uvicorn  # noqa: PLC0415 - an extra

        from inkgan.serving.app import Service, application  # noqa: PLC0415
        from inkgan.serving.connection import LARGEST_HEAD, Connection  # noqa: PLC0415
        from inkgan.serving.guard import Guard  # noqa: PLC0415

        model = saved.read(what, "latest")
        warnings.simplefilter("ignore", InkganWarning)  # about drawn images: clients do not read the server's stderr
        service = Service(model, workers)
        config = uvicorn.Config(
            Guard(application(service), names, access_log=access_log),
            http=Connection,
            ws="none",
            lifespan="off",
            log_level="error",
            log_config=None,
            server_header=False,
            proxy_headers=False,
            workers=1,  # of uvicorn, which would read $WEB_CONCURRENCY, and end if it is not a number
            h11_max_incomplete_event_size=LARGEST_HEAD,
            timeout_graceful_shutdown=_SECONDS_TO_DRAIN,
        )
        server = uvicorn.Server(config)
        try:
            _ = service.page  # makes it now: the first request would wait for it, and the others for that one
            _stop_on_signals(server)
            say(f"http://{hosts.in_url(host)}:{port}/")
            server.run([listener])
        finally:
            service.workers.stop()


def _stop_on_signals(server: uvicorn.Server) -> None:
    """Let SIGTERM, SIGHUP and Ctrl-C stop a server once its answers are sent, and a second Ctrl-C stop it at once."""
    # After its graceful shutdown uvicorn would raise the signal again; without that, the exit code is 0.
    server.capture_signals = nullcontext  # type: ignore[method-assign, assignment]
    # When its time is over, uvicorn logs how many requests it cancels; they are answered with a 503.
    logging.getLogger("uvicorn.error").addFilter(lambda record: "graceful shutdown" not in record.getMessage())

    def stop(number: int, frame: FrameType | None) -> None:
        if server.should_exit and number == signal.SIGINT:
            # Uvicorn leaves no more time for answers, but from Python 3.12 on, it waits for every connection to
            # close. A cancelled request is refused at once, and its connection closes.
            for request in list(server.server_state.tasks):
                request.cancel()
        server.handle_exit(number, frame)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup
        signal.signal(signal.SIGHUP, stop)


def _listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        ConfigError: the address or the port cannot be used.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with ExitStack() as closing:
            # asyncio sets TCP_NODELAY only on sockets that name their protocol. On others, the body of an answer waits
            # 40 ms until the client acknowledges the head.
            listener = closing.enter_context(socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if hasattr(socket, "TCP_USER_TIMEOUT"):
                listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000 * _SECONDS_UNACKNOWLEDGED)
            listener.bind(address)
            listener.listen(256)
            closing.pop_all()
            return listener
    except (OSError, OverflowError, UnicodeError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else str(error)
        raise ConfigError(
            f"cannot listen on port {port} of {shown(host)}: {reason}. Name others with --host and --port."
        ) from None
