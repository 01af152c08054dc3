"""Downloads from a real server on this machine: they resume, are checked, and appear whole or not at all."""

from __future__ import annotations

import gzip
import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType

import pytest

from data_files import complaint, idx_bytes, isolate, numbers, pixels
from inkgan.data import KNOWN, KnownSet, catalogue, load
from inkgan.data.catalogue import Remote
from inkgan.data.download import MirrorError, fetch, fetch_known
from inkgan.errors import OutputError, in_bytes

CONTENT = pixels(300, 1000).tobytes()


@dataclass
class Server:
    """What the server serves, how it misbehaves, and what it was asked."""

    files: dict[str, bytes] = field(default_factory=dict)
    cut: int | None = None  # send so many bytes of each answer, then close the connection
    ranges: bool = True
    shift: int = 0  # answer a range that begins so many bytes late
    endless: bool = False
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            state.asked.append((self.path, asked))
            content = state.files.get(self.path.lstrip("/"))
            if content is None:
                self.send_error(404)
                return
            start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and state.ranges else 0
            start += state.shift if start else 0
            if start >= len(content):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            if not state.endless:
                self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            rest = content[start:] * (1000 if state.endless else 1)
            self.wfile.write(rest if state.cut is None else rest[: state.cut])

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        state.url = f"http://127.0.0.1:{httpd.server_port}/"
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield state
        httpd.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    isolate(monkeypatch, tmp_path)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


REMOTE = Remote("file", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


def get(server: Server, folder: Path) -> bytes:
    fetch(server.url, REMOTE, folder)
    assert [one.name for one in folder.iterdir()] == ["file"]
    return (folder / "file").read_bytes()


def failure(server: Server, folder: Path) -> str:
    with pytest.raises(MirrorError) as caught:
        get(server, folder)
    assert not (folder / "file").exists()
    return str(caught.value)


def test_downloads_and_tells_progress(server: Server, tmp_path: Path) -> None:
    server.files["file"] = CONTENT
    told: list[tuple[str, float]] = []
    fetch(server.url, REMOTE, tmp_path, progress=lambda *now: told.append(now))
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert told[-1] == (f"downloading file ({in_bytes(len(CONTENT))})", 1.0)
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_goes_on_after_each_cut(server: Server, tmp_path: Path) -> None:
    server.files["file"] = CONTENT
    server.cut = 100_000
    assert get(server, tmp_path) == CONTENT
    assert [asked for _, asked in server.asked] == [None, "bytes=100000-", "bytes=200000-"]


def test_goes_on_another_day(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT[:1234])
    server.files["file"] = CONTENT
    get(server, tmp_path)
    assert server.asked == [("/file", "bytes=1234-")]
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_starts_over_without_ranges(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(b"?" * 1234)
    server.files["file"] = CONTENT
    server.ranges = False
    assert get(server, tmp_path) == CONTENT


def test_a_range_that_begins_elsewhere_is_not_appended(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT[:1234])
    server.files["file"] = CONTENT
    server.shift = 10
    failure(server, tmp_path)


def test_a_complete_part_needs_no_network(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT)
    get(server, tmp_path)
    assert server.asked == []


def test_an_overlong_part_is_dropped(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT + b"x")
    server.files["file"] = CONTENT
    get(server, tmp_path)
    assert server.asked == [("/file", None)]


def test_a_wrong_checksum_is_refused_and_not_kept(server: Server, tmp_path: Path) -> None:
    server.files["file"] = CONTENT[:-1] + b"\0"
    assert "another SHA-256" in failure(server, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_part_does_not_spoil_the_download(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(b"\0" * 1234)
    server.files["file"] = CONTENT
    assert get(server, tmp_path) == CONTENT
    assert [asked for _, asked in server.asked] == ["bytes=1234-", None]


def test_refusals_of_the_server(server: Server, tmp_path: Path) -> None:
    assert "404" in failure(server, tmp_path)
    server.files["file"] = CONTENT
    server.cut = 0
    assert "ended after 0 bytes" in failure(server, tmp_path)
    server.cut = None
    server.files["file"] = CONTENT[:1000]
    assert "416" in failure(server, tmp_path)


def test_an_endless_answer_is_cut(server: Server, tmp_path: Path) -> None:
    server.files["file"] = CONTENT
    server.endless = True
    assert get(server, tmp_path) == CONTENT
    server.files["file"] = b"no" + CONTENT
    (tmp_path / "file").unlink()
    assert "another SHA-256" in failure(server, tmp_path)
    assert list(tmp_path.iterdir()) == []


def _known(server: Server, name: str = "kmnist") -> KnownSet:
    """A small set on the server in the place of a known one."""
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
    monkeypatch.setattr(catalogue, "KNOWN", MappingProxyType({**KNOWN, known.name: known}))


@pytest.mark.parametrize("name", ["kmnist", "emnist-digits"])
def test_load_downloads_once_into_the_cache(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    known = _known(server, name)
    _use(monkeypatch, known)
    data = load(name)
    folder = tmp_path / "cache" / "inkgan" / known.folders[0]
    assert data.source == f"downloaded ({folder})"
    assert len(data.test) == 6
    asked = len(server.asked)
    assert load(name).digest == data.digest
    assert len(server.asked) == asked == len(known.remotes)


def test_a_set_of_which_some_files_came_is_completed(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    known = _known(server)
    _use(monkeypatch, known)
    missing = known.remotes[-1].name
    content = server.files.pop(missing)
    complaint(lambda: load("kmnist"), "cannot download KMNIST", "404", server.url, "KMNIST/raw")
    server.files[missing] = content
    server.asked.clear()
    assert len(load("kmnist").test) == 6
    assert [path for path, _ in server.asked] == [f"/{missing}"]


def test_the_next_mirror_is_tried(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    known = _known(server)
    _use(monkeypatch, replace(known, mirrors=(f"{server.url}elsewhere/", *known.mirrors)))
    assert len(load("kmnist").test) == 6


def test_offline_says_where_to_put_what(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as closed:
        port = closed.server_port
    _use(monkeypatch, replace(_known(server), mirrors=(f"http://127.0.0.1:{port}/",)))
    complaint(lambda: load("kmnist"), "no connection (connection refused)", f"127.0.0.1:{port}", "KMNIST/raw")


def test_a_foreign_archive_is_refused(server: Server, tmp_path: Path) -> None:
    known = _known(server, "emnist-digits")
    folder = tmp_path / known.folders[0]
    folder.mkdir(parents=True)
    (folder / "gzip.zip").write_bytes(b"PK no")
    complaint(lambda: fetch_known(known, tmp_path), "is damaged or not the archive of EMNIST digits")
    with zipfile.ZipFile(folder / "gzip.zip", "w") as archive:
        archive.writestr("other", b"")
    complaint(lambda: fetch_known(known, tmp_path), "is damaged or not the archive of EMNIST digits")


def test_a_place_that_cannot_be_written(server: Server, tmp_path: Path) -> None:
    (tmp_path / "KMNIST").write_text("a file where a folder should be")
    with pytest.raises(OutputError, match="cannot write"):
        fetch_known(_known(server), tmp_path)


def test_processes_that_want_the_same_set_share_one_download(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    _use(monkeypatch, _known(server))
    digests: list[str] = []
    threads = [threading.Thread(target=lambda: digests.append(load("kmnist").digest)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(digests) == 4
    assert len(set(digests)) == 1
    assert len(server.asked) == 4  # four files, each once
