"""Downloads against a real HTTP server on the loopback."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from gedge_provision.adapters.downloads import download
from gedge_provision.models.errors import GedgeError

CONTENT = bytes(range(256)) * 20_000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves CONTENT with ranges; `plan` holds what goes wrong with the next requests."""

    plan: list[str]
    ranges: list[str | None]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/file"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.ranges.append(self.headers.get("Range"))
        trouble = self.server.plan.pop(0) if self.server.plan else ""
        if trouble.isdigit():
            self.send_error(int(trouble))
            return
        asked = self.headers.get("Range")
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and trouble != "no ranges" else 0
        if start >= len(CONTENT):
            self.send_error(416)
            return
        body = CONTENT[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if trouble == "cut" else body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as server:
        server.plan, server.ranges = [], []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def fetch(server: Server, target: Path, sha256: str = DIGEST) -> list[tuple[int, int]]:
    seen: list[tuple[int, int]] = []
    download(server.url, sha256, target, lambda *progress: seen.append(progress), pause_s=0.01)
    return seen


def test_download_and_progress(server: Server, tmp_path: Path) -> None:
    seen = fetch(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_is_there_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    fetch(server, tmp_path / "file")
    fetch(server, tmp_path / "file")
    assert len(server.ranges) == 1


def test_server_errors_are_tried_again(server: Server, tmp_path: Path) -> None:
    server.plan = ["503", "429"]
    fetch(server, tmp_path / "file")
    assert len(server.ranges) == 3


@pytest.mark.parametrize("second", ["", "no ranges"])
def test_a_cut_connection_goes_on_where_it_stopped(server: Server, tmp_path: Path, second: str) -> None:
    server.plan = ["cut", second]
    fetch(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.ranges == [None, f"bytes={len(CONTENT) // 2}-"]


def test_a_later_run_goes_on_too(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.partial").write_bytes(CONTENT[:1000])
    fetch(server, tmp_path / "file")
    assert server.ranges == ["bytes=1000-"]


def test_a_complete_partial_file_only_needs_its_digest(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.partial").write_bytes(CONTENT)
    fetch(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_wrong_digest_leaves_nothing(server: Server, tmp_path: Path) -> None:
    with pytest.raises(GedgeError, match="the catalog wants 000000") as caught:
        fetch(server, tmp_path / "file", "0" * 64)
    assert DIGEST in caught.value.message
    assert list(tmp_path.iterdir()) == []


def test_a_refusal_is_not_tried_again(server: Server, tmp_path: Path) -> None:
    server.plan = ["404"]
    with pytest.raises(GedgeError, match="404") as caught:
        fetch(server, tmp_path / "file")
    assert caught.value.place == server.url
    assert len(server.ranges) == 1


def test_a_server_that_stays_away(server: Server, tmp_path: Path) -> None:
    server.plan = ["503"] * 9
    with pytest.raises(GedgeError, match="failed 5 times"):
        fetch(server, tmp_path / "file")
    assert len(server.ranges) == 5
