"""The server: a socket, one process or several that share it and the weights, and an end in order."""

from __future__ import annotations

import os
import signal
import socket
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from inkgan.errors import ConfigError, InkganWarning, reason_of, shown, whole_number
from inkgan.exporting import saved
from inkgan.serving import hosts

#: Threads of a process that draw; more would only take turns.
DRAWING_THREADS = 2
MOST_WORKERS = 64
#: Seconds after which a thread that draws lets another one run. By default it is five times as long, and the thread
#: that answers waits so long several times for each answer.
_SECONDS_TO_YIELD = 0.001
#: Seconds that a server which is asked to stop gives the answers in progress, and until its workers are killed.
_SECONDS_TO_DRAIN, _SECONDS_TO_STOP = 3, 5
#: Seconds after which a connection is cut whose client's system takes nothing.
_SECONDS_UNHEARD = 30


def serve(
    what: str,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    allow_hosts: Sequence[str] = (),
    workers: int = 1,
    access_log: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve a model until SIGTERM or Ctrl-C; what was asked before is answered then.

    Args:
        what: a bundled model, a run, a checkpoint or a model folder.
        host: the address to listen on.
        port: 1 to 65535, or 0 for one that is free.
        allow_hosts: names, besides this machine's own, under which browsers may ask for it.
        workers: processes that share the port and the weights, 1 to 64.
        access_log: say each request in a line of JSON on stderr.
        say: told the server's address as soon as it answers.

    Raises:
        CheckpointError: there is no such model, or it is damaged.
        ConfigError: the address cannot be listened on, or no name of it would be answered.
        MissingExtraError: the network has no NumPy form, and PyTorch is not installed.
    """
    workers = whole_number(workers, f"there cannot be {{}} workers. Ask for 1 to {MOST_WORKERS}.", 1, MOST_WORKERS)
    names = hosts.names(host, allow_hosts)
    with _shared_figures(workers), _listening(host, port) as listener:
        run = _prepared(what, names, listener, access_log=access_log)
        say(f"http://{hosts.in_address(host)}:{listener.getsockname()[1]}/")
        if workers == 1:
            run()
        else:
            _supervise(run, workers)


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
def _shared_figures(workers: int) -> Iterator[None]:
    """Let several workers put their figures into one folder; before prometheus-client is imported."""
    if workers == 1:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="inkgan-serve-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        yield


def _prepared(what: str, names: frozenset[str], listener: socket.socket, *, access_log: bool) -> Callable[[], None]:
    """Read the model, try it, and return what answers until a signal comes."""
    import uvicorn  # noqa: PLC0415 - an extra
    from anyio import to_thread  # noqa: PLC0415
    from starlette.types import Receive, Scope, Send  # noqa: PLC0415

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

    service = Service(saved.read(what, "latest"))
    service.draw_once()
    sys.setswitchinterval(_SECONDS_TO_YIELD)
    warnings.simplefilter("ignore", InkganWarning)  # of what is drawn: nobody who asked reads the server's stderr
    guarded = Guard(application(service), names, access_log=access_log)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        to_thread.current_default_thread_limiter().total_tokens = DRAWING_THREADS
        await guarded(scope, receive, send)

    config = uvicorn.Config(
        answer,
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
    return lambda: Server(config).run([listener])


def _supervise(run: Callable[[], None], count: int) -> None:
    """Fork workers, replace those that die, and pass on the signal to stop."""
    from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415 - an extra

    workers: set[int] = set()
    stopping = False
    held, lifeline = os.pipe()  # nobody writes: it closes when this process ends, however it does

    def send_all(number: int) -> None:
        for pid in workers:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True
        signal.alarm(_SECONDS_TO_STOP)
        send_all(signal.SIGTERM)

    signal.signal(signal.SIGALRM, lambda *_: send_all(signal.SIGKILL))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    while not stopping or workers:
        while not stopping and len(workers) < count:
            workers.add(_fork(run, held, lifeline))
        if stopping:  # it may have come before the last one was known
            send_all(signal.SIGTERM)
        pid, _ = os.wait()
        workers.discard(pid)
        mark_process_dead(pid)  # type: ignore[no-untyped-call]
        if not stopping:
            time.sleep(1)


def _fork(run: Callable[[], None], held: int, lifeline: int) -> int:
    """Start a worker; returns its process number."""
    pid = os.fork()
    if pid:
        return pid

    def end_with_parent() -> None:
        os.read(held, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    code = 0
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        os.close(lifeline)
        threading.Thread(target=end_with_parent, daemon=True).start()
        run()
    except BaseException:  # noqa: BLE001 - a worker must not return into its parent's code
        traceback.print_exc()
        code = 1
    os._exit(code)
