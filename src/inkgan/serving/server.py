"""The server: a socket, a process that answers, those that draw, and an end in order."""

from __future__ import annotations

import signal
import socket
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from inkgan.errors import ConfigError, InkganWarning, reason_of, shown, whole_number
from inkgan.exporting import saved
from inkgan.serving import hosts

MOST_WORKERS = 64
#: Seconds that a server which is asked to stop gives the answers in progress.
_SECONDS_TO_DRAIN = 3
#: Seconds after which a connection is cut whose client's system takes nothing.
_SECONDS_UNHEARD = 30


def serve(
    what: str,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    allow_hosts: Sequence[str] = (),
    workers: int = 2,
    access_log: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve a model until SIGTERM or Ctrl-C; what was asked before is answered then.

    Args:
        what: a bundled model, a run, a checkpoint or a model folder.
        host: the address to listen on.
        port: 1 to 65535, or 0 for one that is free.
        allow_hosts: names, besides this machine's own, under which browsers may ask for it.
        workers: processes that draw and share the weights, 1 to 64; one more answers.
        access_log: say each request in a line of JSON on stderr.
        say: told the server's address as soon as it answers.

    Raises:
        CheckpointError: there is no such model, or it is damaged.
        ConfigError: the address cannot be listened on, or no name of it would be answered.
        MissingExtraError: the network has no NumPy form, and PyTorch is not installed.
    """
    workers = whole_number(workers, f"there cannot be {{}} workers. Ask for 1 to {MOST_WORKERS}.", 1, MOST_WORKERS)
    names = hosts.names(host, allow_hosts)
    with _listening(host, port) as listener, _prepared(what, names, workers, listener, access_log=access_log) as run:
        say(f"http://{hosts.in_address(host)}:{listener.getsockname()[1]}/")
        run()


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens.

    Raises:
        ConfigError: it cannot.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        # asyncio sends at once (TCP_NODELAY) only from sockets that name their protocol; from others, the body of an
        # answer waits 40 ms for the client to confirm the head.
        with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if hasattr(socket, "TCP_USER_TIMEOUT"):
                listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000 * _SECONDS_UNHEARD)
            listener.bind(address)
            listener.listen(256)
            yield listener
    except (OSError, OverflowError, UnicodeError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else str(error)
        raise ConfigError(
            f"cannot listen on port {port} of {shown(host)}: {reason}. Name others with --host and --port."
        ) from None


@contextmanager
def _prepared(
    what: str, names: frozenset[str], workers: int, listener: socket.socket, *, access_log: bool
) -> Iterator[Callable[[], None]]:
    """Read the model, try it, start those that draw with it, and yield what answers until a signal comes."""
    import uvicorn  # noqa: PLC0415 - an extra

    from inkgan.serving.app import Service, application  # noqa: PLC0415
    from inkgan.serving.connection import LARGEST_HEAD, Connection  # noqa: PLC0415
    from inkgan.serving.guard import Guard  # noqa: PLC0415

    class Server(uvicorn.Server):
        """A server that ends with 0 where uvicorn would raise the signal again."""

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self.handle_exit)
            yield

    warnings.simplefilter("ignore", InkganWarning)  # of what is drawn: nobody who asked reads the server's stderr
    service = Service(saved.read(what, "latest"), workers)
    config = uvicorn.Config(
        Guard(application(service), names, access_log=access_log),
        http=Connection,
        ws="none",
        lifespan="off",
        log_level="error",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=LARGEST_HEAD,
        timeout_graceful_shutdown=_SECONDS_TO_DRAIN,
    )
    try:
        yield lambda: Server(config).run([listener])
    finally:
        service.drawers.stop()
