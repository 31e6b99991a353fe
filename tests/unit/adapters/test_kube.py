"""The door to Kubernetes against a stand-in server on loopback that gives answers recorded from a real API server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from gedge_provision.adapters import kube as kube_adapter
from gedge_provision.adapters.kube import (
    BusyError,
    ConflictError,
    ForbiddenError,
    Kube,
    KubeError,
    NotFoundError,
    UnreachableError,
    connect,
)
from gedge_provision.models.cluster import DEPLOYMENT, NODE
from gedge_provision.models.errors import UsageError

ANSWERS = Path(__file__).parents[2] / "fixtures" / "services" / "answers"
REFUSALS = (
    (403, "forbidden"), (403, "terminating"), (404, "not-found"), (404, "no-namespace"), (409, "conflict"),
    (500, "unreadable"),
)  # fmt: skip


class Handler(BaseHTTPRequestHandler):
    def answer(self) -> None:
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        self.server.asked.append((self.command, url.path, query, self.headers["Content-Type"]))  # type: ignore[attr-defined]
        if url.path == "/api/v1/nodes":
            first = "continue" not in query
            page = {"metadata": {"continue": "more"} if first else {}, "items": [{"metadata": {"name": str(first)}}]}
            self.reply(200, json.dumps(page))
            return
        for status, name in REFUSALS:
            if url.path.endswith(f"/{name}"):
                self.reply(status, (ANSWERS / f"{name}.json").read_text(encoding="utf-8"))
                return
        if url.path.endswith("/busy") and len(self.server.asked) < 3:  # type: ignore[attr-defined]
            self.reply(429, json.dumps({"message": "storage is (re)initializing"}))
            return
        self.reply(500 if "broken" in url.path else 200, "gateway fell over" if "broken" in url.path else "{}")

    do_GET = do_PATCH = do_DELETE = answer  # noqa: N815 - names of the standard library

    def reply(self, status: int, text: str) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(status)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        pass


def write_kubeconfig(folder: Path, port: int) -> Path:
    path = folder / "kubeconfig"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.asked = []  # type: ignore[attr-defined]
        thread = Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def kube(server: ThreadingHTTPServer, tmp_path: Path) -> Iterator[Kube]:
    with connect(write_kubeconfig(tmp_path, server.server_port)) as opened:
        yield opened


def deployment(name: str) -> dict[str, object]:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "default"}}


def test_lists_are_read_to_the_last_page(kube: Kube) -> None:
    items = kube.find(NODE)
    assert [item["metadata"]["name"] for item in items] == ["True", "False"]
    assert {item["kind"] for item in items} == {"Node"}


def test_a_busy_server_is_asked_again_and_not_for_ever(
    kube: Kube, server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kube_adapter, "_BUSY_S", 0.01)
    kube.get(DEPLOYMENT, "default", "busy")
    assert len(server.asked) == 3  # type: ignore[attr-defined]
    monkeypatch.setattr(kube_adapter, "_BUSY_TRIES", 2)
    server.asked.clear()  # type: ignore[attr-defined]
    with pytest.raises(BusyError, match="initializing"):
        kube.get(DEPLOYMENT, "default", "busy")


def test_apply_is_server_side_with_our_manager_and_never_forced_unasked(
    kube: Kube, server: ThreadingHTTPServer
) -> None:
    kube.apply(deployment("app"))
    kube.apply(deployment("app"), subresource="status", dry_run=True, take_over=True)
    plain, forced = server.asked  # type: ignore[attr-defined]
    assert plain[:2] == ("PATCH", "/apis/apps/v1/namespaces/default/deployments/app")
    assert plain[2] == {"fieldManager": ["gedge"], "fieldValidation": ["Strict"], "force": ["false"]}
    assert plain[3] == "application/apply-patch+yaml"
    assert forced[1].endswith("/app/status")
    assert forced[2]["dryRun"] == ["All"]
    assert forced[2]["force"] == ["true"]


def test_a_conflict_names_the_other_manager_and_the_field(kube: Kube) -> None:
    with pytest.raises(ConflictError) as caught:
        kube.apply(deployment("conflict"))
    assert 'conflict with "kubectl"' in str(caught.value)
    assert ".spec.replicas" in str(caught.value)


def test_refusals_say_who_may_not_do_what(kube: Kube) -> None:
    with pytest.raises(ForbiddenError, match='User "nobody" cannot list resource "deployments"'):
        kube.get(DEPLOYMENT, "default", "forbidden")


def test_a_missing_namespace_is_told_with_its_remedy(kube: Kube) -> None:
    with pytest.raises(NotFoundError, match="create the namespace first"):
        kube.apply(deployment("no-namespace"))


def test_a_namespace_that_is_being_deleted_is_no_question_of_rights(kube: Kube) -> None:
    with pytest.raises(ConflictError, match="wait until the namespace is gone"):
        kube.apply(deployment("terminating"))


def test_an_object_that_the_api_server_cannot_read_is_no_failure_of_its_own(kube: Kube) -> None:
    with pytest.raises(KubeError, match="quantities must match") as caught:
        kube.apply(deployment("unreadable"))
    assert caught.value.status == 422


def test_deleting_what_is_not_there_is_no_error(kube: Kube) -> None:
    assert kube.delete(DEPLOYMENT, "default", "not-found") is False
    assert kube.delete(DEPLOYMENT, "default", "there") is True


def test_an_answer_that_is_no_json_is_shown(kube: Kube) -> None:
    with pytest.raises(Exception, match="gateway fell over"):
        kube.get(DEPLOYMENT, "default", "broken")


def test_no_answer_is_one_clear_error(server: ThreadingHTTPServer, tmp_path: Path) -> None:
    path = write_kubeconfig(tmp_path, server.server_port)
    server.socket.close()
    with connect(path) as kube, pytest.raises(UnreachableError, match="check that the cluster runs"):
        kube.find(NODE)


@pytest.mark.parametrize("text", ["", "no yaml: [", "just text", "a: 1"])
def test_a_broken_kubeconfig_is_wrong_input(text: str, tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="no usable kubeconfig"), connect(path):
        pass


def test_a_missing_kubeconfig_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="install the cluster first"), connect(tmp_path / "none"):
        pass
