"""Downloads from a real server on this machine: they are checked, and appear whole or not at all."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import stat
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType

import pytest

from data_files import complaint, idx_bytes, numbers, pixels
from inkgan.data import KNOWN, KnownSet, download, known_sets, load
from inkgan.data.download import MirrorError, fetch, fetch_known
from inkgan.data.known_sets import Remote
from inkgan.errors import MissingExtraError, OutputError, in_bytes
from ports import bound_socket
from waiting import SECONDS

pytestmark = pytest.mark.usefixtures("only_embedded_data")

CONTENT = pixels(1000, 1000).tobytes()


@dataclass
class Server:
    """What the server serves, how it misbehaves, and what it was asked."""

    files: dict[str, bytes] = field(default_factory=dict)
    cut: int | None = None  # send only this many bytes of each answer, then close the connection
    endless: bool = False
    asked: list[str] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append(self.path)
            content = state.files.get(self.path.lstrip("/"))
            if content is None:
                self.send_error(404)
                return
            if "gzip" in self.headers.get("Accept-Encoding", ""):  # what a helpful server does to .gz files
                self.send_header("Content-Encoding", "gzip")
            self.send_response(200)
            if not state.endless:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            whole = content * (4 if state.endless else 1)
            self.wfile.write(whole if state.cut is None else whole[: state.cut])

        def log_message(self, *args: object) -> None:
            pass

        def handle(self) -> None:
            try:
                super().handle()
            except ConnectionError:  # the client hung up
                self.close_connection = True

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        state.url = f"http://127.0.0.1:{httpd.server_port}/"
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield state
        httpd.shutdown()
        thread.join()


REMOTE = Remote("file.gz", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


def failure(server: Server, folder: Path) -> str:
    with pytest.raises(MirrorError) as caught:
        fetch(server.url, REMOTE, folder)
    assert list(folder.iterdir()) == []
    return str(caught.value)


def test_downloads_and_reports_progress(server: Server, tmp_path: Path) -> None:
    server.files["file.gz"] = CONTENT
    told: list[tuple[str, float]] = []
    fetch(server.url, REMOTE, tmp_path, progress=lambda *now: told.append(now))
    assert (tmp_path / "file.gz").read_bytes() == CONTENT
    shares = [share for _, share in told]
    assert {doing for doing, _ in told} == {f"downloading file.gz ({in_bytes(len(CONTENT))})"}
    assert len(shares) > 3
    assert shares[-1] == 1.0
    assert [one.name for one in tmp_path.iterdir()] == ["file.gz"]


def test_the_umask_decides_who_may_read_a_download(server: Server, tmp_path: Path) -> None:
    server.files["file.gz"] = CONTENT
    before = os.umask(0o027)
    try:
        fetch(server.url, REMOTE, tmp_path)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file.gz").stat().st_mode) == 0o640


def test_a_wrong_checksum_is_refused_and_not_kept(server: Server, tmp_path: Path) -> None:
    for bit in range(8):
        server.files["file.gz"] = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1 << bit])
        assert "another SHA-256" in failure(server, tmp_path)


def test_a_missing_file_and_a_cut_connection(server: Server, tmp_path: Path) -> None:
    assert failure(server, tmp_path) == "the server answered 404 Not Found"
    server.files["file.gz"] = CONTENT
    for cut in (0, 300_000):
        server.cut = cut
        assert "no connection" in failure(server, tmp_path)


def test_an_endless_answer_is_cut(server: Server, tmp_path: Path) -> None:
    server.files["file.gz"] = CONTENT
    server.endless = True
    assert "larger than the published one" in failure(server, tmp_path)


def test_a_server_that_is_silent_is_given_up(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(download, "TIMEOUT", (1.0, 0.2))
    released = threading.Event()
    server.files = type("Slow", (dict,), {"get": lambda *_: released.wait(SECONDS) and None})()
    try:
        assert failure(server, tmp_path) == "no connection (ReadTimeout)"
    finally:
        released.set()


def _known(server: Server, name: str = "kmnist") -> KnownSet:
    """Put a small set on the server, in place of a known one."""
    known = KNOWN[name]
    arrays = (pixels(24), numbers(24), pixels(6), numbers(6))
    contents = [gzip.compress(idx_bytes(array)) for array in arrays]
    if known.member is None:
        files = {f"{name}.gz": content for name, content in zip(known.files, contents, strict=True)}
    else:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name_, content in zip(known.files, contents, strict=True):
                archive.writestr(f"{known.member}/{name_}.gz", content)
        files = {known.remotes[0].name: buffer.getvalue()}
    server.files.update(files)
    remotes = tuple(Remote(name, len(content), hashlib.sha256(content).hexdigest()) for name, content in files.items())
    return replace(known, mirrors=(server.url,), remotes=remotes)


def _use(monkeypatch: pytest.MonkeyPatch, known: KnownSet) -> None:
    monkeypatch.setattr(known_sets, "KNOWN", MappingProxyType({**KNOWN, known.name: known}))


@pytest.mark.parametrize("name", ["kmnist", "emnist-digits"])
def test_load_downloads_once_into_the_cache(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    known = _known(server, name)
    _use(monkeypatch, known)
    data = load(name)
    assert data.source == str(tmp_path / "cache" / "inkgan" / known.folders[0])
    assert len(data.test) == 6
    asked = len(server.asked)
    assert load(name).digest == data.digest
    assert len(server.asked) == asked == len(known.remotes)


def test_a_partly_downloaded_set_is_completed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    known = _known(server)
    _use(monkeypatch, known)
    missing = known.remotes[-1].name
    content = server.files.pop(missing)
    complaint(lambda: load("kmnist"), "cannot download kmnist", "404", server.url, "KMNIST/raw")
    server.files[missing] = content
    server.asked.clear()
    assert len(load("kmnist").test) == 6
    assert server.asked == [f"/{missing}"]


def test_the_next_mirror_is_tried(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    known = _known(server)
    _use(monkeypatch, replace(known, mirrors=(f"{server.url}elsewhere/", *known.mirrors)))
    assert len(load("kmnist").test) == 6


def test_offline_says_where_to_put_what(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with bound_socket() as silent:
        port = silent.getsockname()[1]
        _use(monkeypatch, replace(_known(server), mirrors=(f"http://127.0.0.1:{port}/",)))
        complaint(lambda: load("kmnist"), "no connection", f"127.0.0.1:{port}", "KMNIST/raw")


def test_debian_has_a_package(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    _use(monkeypatch, replace(_known(server, "fashion-mnist"), mirrors=(f"{server.url}nowhere/",)))
    complaint(lambda: load("fashion-mnist"), "the files of Debian's package dataset-fashion-mnist into")


def test_a_foreign_archive_is_refused(server: Server, tmp_path: Path) -> None:
    known = _known(server, "emnist-digits")
    folder = tmp_path / known.folders[0]
    folder.mkdir(parents=True)
    (folder / "gzip.zip").write_bytes(b"PK no")
    complaint(lambda: fetch_known(known, tmp_path), "is damaged or not the archive of emnist-digits")
    with zipfile.ZipFile(folder / "gzip.zip", "w") as archive:
        archive.writestr("other", b"")
    complaint(lambda: fetch_known(known, tmp_path), "is damaged or not the archive of emnist-digits")


def test_a_place_that_cannot_be_written(server: Server, tmp_path: Path) -> None:
    (tmp_path / "KMNIST").write_text("a file where a folder should be")
    with pytest.raises(OutputError, match=r"cannot write .*KMNIST/raw: .*\. Set XDG_CACHE_HOME to a folder that can"):
        fetch_known(_known(server), tmp_path)


def test_without_the_library_that_downloads_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """In Python, too, and not only on the command line."""
    monkeypatch.setitem(sys.modules, "pooch", None)
    monkeypatch.delitem(sys.modules, "inkgan.data.download")
    with pytest.raises(MissingExtraError, match=r"^this needs pooch\. Install it with: pip install 'inkgan\[train\]'$"):
        load("kmnist")


def test_threads_that_want_the_same_set_share_one_download(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    _use(monkeypatch, _known(server))
    with ThreadPoolExecutor(4) as threads:
        assert len({data.digest for data in threads.map(load, ["kmnist"] * 4)}) == 1
    assert len(server.asked) == 4  # four files, each once


_FETCH = """
import sys
from dataclasses import replace
from pathlib import Path
from inkgan.data import KNOWN
from inkgan.data.known_sets import Remote
from inkgan.data.download import fetch_known
remotes = tuple(Remote(name, int(size), sha) for name, size, sha in (one.split(",") for one in sys.argv[3:]))
print(fetch_known(replace(KNOWN["kmnist"], mirrors=(sys.argv[1],), remotes=remotes), Path(sys.argv[2])))
"""


@pytest.mark.slow
def test_processes_that_want_the_same_set_share_one_download(server: Server, tmp_path: Path) -> None:
    known = _known(server)
    remotes = [f"{remote.name},{remote.size},{remote.sha256}" for remote in known.remotes]
    command = [sys.executable, "-c", _FETCH, server.url, str(tmp_path), *remotes]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for process in processes:
        output, _ = process.communicate(timeout=SECONDS)
        assert output.strip() == str(tmp_path / "KMNIST" / "raw")
    assert len(server.asked) == 4
