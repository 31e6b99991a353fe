"""A server that keeps objects as an API server does: paths, lists, labels, annotations.

A controller that is applied is ready at once, unless the image of its pods is `broken`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from gedge_provision.adapters.kube import Kube, connect

__all__ = ["KINDS", "NODE", "Objects", "serving"]

Objects = dict[str, dict[str, Any]]
NODE = {
    "metadata": {"name": "gedgew01"},
    "status": {
        "allocatable": {"cpu": "4", "memory": "8Gi"},
        "conditions": [{"type": "Ready", "status": "True"}],
        "addresses": [{"type": "InternalIP", "address": "192.0.2.1"}],
    },
}


class _Handler(BaseHTTPRequestHandler):
    """GET, POST, PATCH and DELETE of objects."""

    objects: Objects
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
        if url.path == "/readyz":
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")
        elif url.path in self.objects:
            self._send(200, self.objects[url.path])
        elif url.path == "/api/v1/namespaces/default":
            self._send(200, {"metadata": {"name": "default"}})
        elif url.path.rsplit("/", 1)[-1] in self.kinds:
            wanted = parse_qs(url.query).get("labelSelector", [""])[0]
            labels = dict(pair.split("=") for pair in wanted.split(",") if pair)
            found = [item for path, item in self.objects.items() if url.path in _lists(path)]
            items = [item for item in found if labels.items() <= item["metadata"].get("labels", {}).items()]
            self._send(200, {"items": items, "metadata": {}})
        else:
            self._send(404, {"code": 404, "message": "not found", "reason": "NotFound"})

    def do_POST(self) -> None:
        manifest = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if manifest["kind"] == "SelfSubjectReview":
            self._send(201, {**manifest, "status": {"userInfo": {"username": "somebody", "groups": ["people"]}}})
            return
        path = f"{urlsplit(self.path).path}/{manifest['metadata']['name']}"
        if path in self.objects:
            self._send(409, {"code": 409, "message": "already exists", "reason": "AlreadyExists"})
        else:
            self.objects[path] = manifest
            self._send(201, manifest)

    def do_PATCH(self) -> None:
        url = urlsplit(self.path)
        manifest = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        path = url.path.removesuffix("/status")
        if self.headers["Content-Type"].startswith("application/merge-patch"):
            annotations = {**self.objects[path]["metadata"]["annotations"], **manifest["metadata"]["annotations"]}
            kept = {key: value for key, value in annotations.items() if value is not None}
            self.objects[path]["metadata"]["annotations"] = kept
            self._send(200, self.objects[path])
            return
        if (
            "spec" in manifest
            and "template" not in manifest["spec"]
            and path in self.objects
            and manifest["kind"] != "Service"
        ):
            manifest = {**self.objects[path], "spec": {**self.objects[path]["spec"], **manifest["spec"]}}
        manifest["metadata"]["generation"] = 1
        if path != url.path:
            manifest = {**self.objects[path], "status": manifest["status"]}
        elif manifest["kind"] in {"Deployment", "StatefulSet"}:
            manifest["status"] = _status(manifest)
        elif "status" in self.objects.get(path, {}):
            manifest["status"] = self.objects[path]["status"]
        if "dryRun" not in parse_qs(url.query):
            self.objects[path] = manifest
        self._send(200, manifest)

    def do_DELETE(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._send(200, self.objects.pop(urlsplit(self.path).path))


KINDS = frozenset({
    "nodes", "pods", "services", "deployments", "statefulsets", "replicasets", "resourceclaimtemplates", "events",
    "persistentvolumeclaims", "configmaps", "horizontalpodautoscalers",
})  # fmt: skip


def _lists(path: str) -> tuple[str, str]:
    """Return the paths of the lists that an object is in: of its namespace, and of all."""
    near = path.rpartition("/")[0]
    return near, re.sub("/namespaces/[^/]+(?=/)", "", near)


def _status(controller: dict[str, Any]) -> dict[str, Any]:
    replicas = controller["spec"]["replicas"]
    broken = controller["spec"]["template"]["spec"]["containers"][0]["image"] == "broken"
    counts = {"replicas": replicas, "updatedReplicas": replicas, "availableReplicas": 0 if broken else replicas}
    return {"observedGeneration": 1, "updateRevision": "r", **counts}


@contextmanager
def serving(objects: Objects, folder: Path, kinds: frozenset[str] = KINDS) -> Iterator[Kube]:
    """Serve objects, by their paths, and give a connection; `folder` is for its kubeconfig."""
    handler = type("Bound", (_Handler,), {"objects": objects, "kinds": kinds})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        path = folder / "kubeconfig"
        path.write_text(yaml.safe_dump(config), encoding="utf-8")
        with connect(path) as opened:
            yield opened
        server.shutdown()
        thread.join()
