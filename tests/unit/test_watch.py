"""Watching nodes against a server on loopback that breaks off, forgets and comes back, as API servers do."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from gedge_provision import api

SITE = """\
name: edge
kubeconfig: HOME/kubeconfig
nodes:
  - {name: m1, address: 192.0.2.1, roles: [control_plane, worker]}
"""


def node(version: int, *, cordoned: bool = False) -> dict[str, Any]:
    return {
        "metadata": {"name": "m1", "resourceVersion": str(version)},
        "spec": {"unschedulable": cordoned},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }


def event(kind: str, content: dict[str, Any]) -> str:
    return json.dumps({"type": kind, "object": content})


GONE = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version: 1 (9)"}


class Handler(BaseHTTPRequestHandler):
    """Answers each list and each watch by the next of its script; a watch beyond it ends without an event."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        server: Any = self.server
        if url.path.endswith("/proxy/configz"):
            self.reply(200, {"kubeletconfig": {"cpuManagerPolicy": "static"}})
        elif "watch" in query:
            server.watched.append(query["resourceVersion"][0])
            self.stream(server.watches.pop(0) if server.watches else None)
        else:
            status, content = server.lists.pop(0)
            self.reply(status, content)

    def reply(self, status: int, content: dict[str, Any]) -> None:
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def stream(self, lines: list[str] | None) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for line in lines or []:
            self.chunk(line if line.endswith("half") else f"{line}\n")
        if lines and lines[-1].endswith("half"):
            self.close_connection = True  # in mid-line, without an end
            return
        self.chunk("")

    def chunk(self, text: str) -> None:
        self.wfile.write(f"{len(text):x}\r\n{text}\r\n".encode())

    def log_message(self, *_: object) -> None:
        pass


def listed(version: int, *, cordoned: bool = False) -> tuple[int, dict[str, Any]]:
    return 200, {"metadata": {"resourceVersion": str(version)}, "items": [node(version, cordoned=cordoned)]}


@pytest.fixture
def server() -> Iterator[Any]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.lists, running.watches, running.watched = [], [], []  # type: ignore[attr-defined]
        thread = Thread(target=running.serve_forever, args=(0.02,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def site(server: ThreadingHTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys.modules[api.watch.__module__], "_PAUSE_S", 0.01)
    config = {
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config), encoding="utf-8")
    path = tmp_path / "site.yml"
    path.write_text(SITE.replace("HOME", str(tmp_path)), encoding="utf-8")
    return path


class Told(api.SilentReporter):
    def __init__(self) -> None:
        self.words: list[str] = []

    def note(self, text: str) -> None:
        self.words.append(text)

    def finish(self, name: str, outcome: str = "done", detail: str = "") -> None:  # noqa: ARG002
        self.words.append(f"{outcome} {name}")


def cordoned(views: Iterator[tuple[api.NodeSummary, ...]], count: int) -> list[bool]:
    return [next(views)[0].cordoned for _ in range(count)]


def test_nodes_come_at_once_then_only_with_what_is_visible(server: Any, site: Path) -> None:
    server.lists = [listed(1)]
    heartbeat, bookmark = event("MODIFIED", node(2)), event("BOOKMARK", {"metadata": {"resourceVersion": "5"}})
    server.watches = [[heartbeat, event("MODIFIED", node(4, cordoned=True)), bookmark], [event("MODIFIED", node(6))]]
    views = api.watch(site)
    assert next(views) == (FIRST,)
    assert cordoned(views, 2) == [True, False]
    assert server.watched == ["1", "5"]  # it goes on where the stream broke off


FIRST = api.NodeSummary("m1", "192.0.2.1", ("control_plane", "worker"), "default", "ready", cpu_manager_policy="static")


def test_a_version_that_is_forgotten_makes_it_list_again(server: Any, site: Path) -> None:
    server.lists = [listed(1), listed(9, cordoned=True)]
    server.watches = [[event("ERROR", GONE)], [event("MODIFIED", node(10))]]
    assert cordoned(api.watch(site), 3) == [False, True, False]
    assert server.watched == ["1", "9"]


def test_a_line_that_breaks_off_is_as_if_it_had_not_begun(server: Any, site: Path) -> None:
    server.lists = [listed(1)]
    server.watches = [['{"type": "MODIF half'], [event("MODIFIED", node(3, cordoned=True))]]
    assert cordoned(api.watch(site), 2) == [False, True]
    assert server.watched == ["1", "1"]


def test_a_server_that_fails_is_waited_for_and_the_user_is_told(server: Any, site: Path) -> None:
    starting = (503, {"message": "starting"})
    forbidden = (403, {"message": "not yet"})
    server.lists = [listed(1), starting, forbidden, listed(9, cordoned=True)]
    server.watches = [[event("ERROR", {"code": 500, "message": "etcd went away"})]]
    told = Told()
    assert cordoned(api.watch(site, told), 2) == [False, True]
    assert told.words == [
        "watch refused (500): etcd went away; tries again until it answers",
        "done Wait for the API server",
    ]


def test_a_server_that_fails_at_the_beginning_is_an_error(server: Any, site: Path) -> None:
    server.lists = [(403, {"message": "nodes is forbidden"})]
    with pytest.raises(api.GedgeError, match="nodes is forbidden"):
        next(api.watch(site))


def test_it_ends_after_its_time(server: Any, site: Path) -> None:
    server.lists = [listed(1)]
    assert list(api.watch(site, timeout_s=0)) == [(FIRST,)]
    assert server.watched == []


def test_a_site_without_kubeconfig_is_told_before_anything_is_watched(server: Any, site: Path) -> None:
    (site.parent / "kubeconfig").unlink()
    with pytest.raises(api.UsageError, match="there is no kubeconfig of this site here"):
        api.watch(site)
    assert server.watched == []
