"""Services with state of their own, against a server that keeps objects as an API server does: paths, lists, labels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from gedge_provision.adapters.kube import Kube, connect
from gedge_provision.models.progress import SilentReporter
from gedge_provision.services import apply_service, delete_service, list_services, load_service, read_status

FIXTURES = Path(__file__).parents[1] / "fixtures" / "services"
NODE = {
    "metadata": {"name": "gedgew01"},
    "status": {
        "allocatable": {"cpu": "4", "memory": "8Gi"},
        "conditions": [{"type": "Ready", "status": "True"}],
        "addresses": [{"type": "InternalIP", "address": "192.0.2.1"}],
    },
}
READY = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1, "updateRevision": "r"}


class Notes(SilentReporter):
    """Keeps the notes."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, text: str) -> None:
        self.texts.append(text)


class Handler(BaseHTTPRequestHandler):
    """GET, PATCH and DELETE of objects; whatever is applied is ready at once."""

    objects: dict[str, dict[str, Any]]
    kinds: frozenset[str]

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _send(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path in self.objects:
            self._send(200, self.objects[url.path])
        elif url.path.rsplit("/", 1)[-1] in self.kinds:
            wanted = parse_qs(url.query).get("labelSelector", [""])[0]
            labels = dict(pair.split("=") for pair in wanted.split(",") if pair)
            found = [item for path, item in self.objects.items() if path.rpartition("/")[0] == url.path]
            items = [item for item in found if labels.items() <= item["metadata"].get("labels", {}).items()]
            self._send(200, {"items": items, "metadata": {}})
        else:
            self._send(404, {"code": 404, "message": "not found", "reason": "NotFound"})

    def do_PATCH(self) -> None:
        url = urlsplit(self.path)
        manifest = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        manifest["metadata"]["generation"] = 1
        path = url.path.removesuffix("/status")
        if path != url.path:
            manifest = {**self.objects[path], "status": manifest["status"]}
        elif manifest["kind"] == "StatefulSet":
            manifest["status"] = READY
        if "dryRun" not in parse_qs(url.query):
            self.objects[path] = manifest
        self._send(200, manifest)

    def do_DELETE(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._send(200, self.objects.pop(urlsplit(self.path).path))


KINDS = frozenset({
    "nodes", "pods", "services", "deployments", "statefulsets", "replicasets", "resourceclaimtemplates", "events",
    "persistentvolumeclaims",
})  # fmt: skip


@pytest.fixture
def kinds() -> frozenset[str]:
    return KINDS


@pytest.fixture
def objects() -> dict[str, dict[str, Any]]:
    return {"/api/v1/nodes/gedgew01": NODE}


@pytest.fixture
def kube(objects: dict[str, dict[str, Any]], kinds: frozenset[str], tmp_path: Path) -> Iterator[Kube]:
    handler = type("Bound", (Handler,), {"objects": objects, "kinds": kinds})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        path = tmp_path / "kubeconfig"
        path.write_text(yaml.safe_dump(config), encoding="utf-8")
        with connect(path) as opened:
            yield opened
        server.shutdown()
        thread.join()


def stateful(folder: Path, *, state: bool = True) -> Path:
    """Return a document with state of each pod's own, or the same without it."""
    volume: dict[str, Any] = {"name": "tape", "claimTemplate": {"size": "5Gi"}} if state else {"name": "tape"}
    container = {"image": "a:1", "volumeMounts": [{"name": "tape", "mountPath": "/tape"}]}
    service = {"name": "recorder", "volumes": [volume if state else {**volume, "emptyDir": {}}]}
    path = folder / "recorder.yaml"
    path.write_text(yaml.safe_dump({"service": {**service, "containers": [container]}}), encoding="utf-8")
    return path


@pytest.mark.parametrize("kinds", [KINDS, KINDS - {"resourceclaimtemplates"}], ids=["of today", "before 1.34"])
def test_a_stateful_service_is_applied_listed_and_deleted(
    kube: Kube, objects: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    service = load_service(stateful(tmp_path))
    applied = apply_service(kube, service, timeout_s=5)
    assert [(change.kind, change.name, change.action) for change in applied.changes] == [
        ("StatefulSet", "recorder", "created"),
        ("Service", "recorder-headless", "created"),
    ]
    assert not apply_service(kube, service, timeout_s=5).changed
    assert [(line.name, line.ready, line.detail) for line in list_services(kube, "default")] == [
        ("recorder", True, "1/1 ready")
    ]
    assert read_status(kube, "default", "recorder").ready
    claim = "/api/v1/namespaces/default/persistentvolumeclaims/tape-recorder-0"
    objects[claim] = {"metadata": {"name": "tape-recorder-0", "labels": {"gedge.dev/service": "recorder"}}}
    notes = Notes()
    assert delete_service(kube, "recorder", reporter=notes, timeout_s=5)
    assert list(objects) == ["/api/v1/nodes/gedgew01", claim]
    assert ["tape-recorder-0" in text and "delete pvc" in text for text in notes.texts] == [True]


def test_a_service_that_loses_its_state_becomes_a_deployment(
    kube: Kube, objects: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    apply_service(kube, load_service(stateful(tmp_path)), timeout_s=5)
    planned = apply_service(kube, load_service(stateful(tmp_path, state=False)), dry_run=True)
    assert [(change.kind, change.name, change.action) for change in planned.changes] == [
        ("Deployment", "recorder", "created"),
        ("StatefulSet", "recorder", "deleted"),
        ("Service", "recorder-headless", "deleted"),
    ]
    assert "/apis/apps/v1/namespaces/default/statefulsets/recorder" in objects


def test_the_controller_that_stays_is_looked_at(kube: Kube, objects: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    apply_service(kube, load_service(stateful(tmp_path)), timeout_s=5)
    going = {"name": "recorder", "namespace": "default", "deletionTimestamp": "2026-11-23T00:00:00Z"}
    path = "/apis/apps/v1/namespaces/default/deployments/recorder"
    objects[path] = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": going, "spec": {"replicas": 1}}
    assert read_status(kube, "default", "recorder").ready
    del objects["/apis/apps/v1/namespaces/default/statefulsets/recorder"]
    assert not read_status(kube, "default", "recorder").ready
