"""An API server as kube_server has it, and alive: watches, tokens, logs, pods that come and go with controllers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from threading import Condition, Event, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml
from kube_server import KINDS, _Handler, _lists

from gedge_provision.planning.manifests import INVENTORY_LABEL, MANAGED

__all__ = ["ALIGNMENT", "DOCUMENT", "HOSTILE", "TOKEN", "LiveCluster", "deployment", "node"]

TOKEN = "good-token"  # noqa: S105 - of this server alone
HOSTILE = "<img src=x onerror=alert(1)>"
"""What a user may write wherever text is free; nothing of a page may ever take it for an element."""

DOCUMENT = """\
service:
  name: detector
  replicas: 2
  containers:
    - image: registry.example/detector:1.4
      ports: [{containerPort: 8080}]
      resources: {requests: {cpu: 500m, memory: 64Mi}}
"""
ALIGNMENT = {
    "numa": [
        {
            "id": number,
            "cores": [f"{core},{core + 8}" for core in range(4 * number, 4 * number + 4)],
            "sockets": {number: f"{4 * number}-{4 * number + 3}"},
            "memory_kib": 16 * 2**20,
            "devices": {"nvidia.com/gpu": 1},
        }
        for number in (0, 1)
    ],
    "policies": {"cpu": "static", "topology": "single-numa-node", "memory": "Static", "reserved": "0,8"},
}

_SILENT_S = 0.2


class LiveObjects(dict[str, dict[str, Any]]):
    """Objects by their paths, with versions, and what happened to them."""

    def __init__(self) -> None:
        super().__init__()
        self.changed = Condition()
        self.happened: list[tuple[str, str, dict[str, Any]]] = []

    @property
    def version(self) -> int:
        return len(self.happened)

    def items(self) -> Any:
        with self.changed:
            return list(super().items())

    def __setitem__(self, path: str, item: dict[str, Any]) -> None:
        with self.changed:
            known = "MODIFIED" if path in self else "ADDED"
            item["metadata"].setdefault("creationTimestamp", datetime.now(UTC).isoformat())
            item["metadata"].setdefault("uid", path)
            item["metadata"]["resourceVersion"] = str(self.version + 1)
            super().__setitem__(path, item)
            self.happened.append((known, path, json.loads(json.dumps(item))))
            self.changed.notify_all()
        if "/deployments/" in path:
            self._make_pods(item)

    def pop(self, path: str) -> dict[str, Any]:  # type: ignore[override]
        with self.changed:
            item = super().pop(path)
            item["metadata"]["resourceVersion"] = str(self.version + 1)
            self.happened.append(("DELETED", path, item))
            self.changed.notify_all()
        if "/deployments/" in path:
            self._make_pods({**item, "spec": {**item["spec"], "replicas": 0}})
        return item

    def _make_pods(self, controller: dict[str, Any]) -> None:
        """Have as many pods as a Deployment asks for, ready at once."""
        metadata, spec = controller["metadata"], controller["spec"]
        folder = f"/api/v1/namespaces/{metadata['namespace']}/pods/"
        wanted = [f"{metadata['name']}-7d9c8-{number:03d}" for number in range(spec["replicas"])]
        there = [one for one in self if one.startswith(f"{folder}{metadata['name']}-7d9c8-")]
        for name in wanted:
            if folder + name not in there:
                self[folder + name] = _pod(name, controller)
        for one in there:
            if one.removeprefix(folder) not in wanted:
                self.pop(one)


def _pod(name: str, controller: dict[str, Any]) -> dict[str, Any]:
    containers = controller["spec"]["template"]["spec"]["containers"]
    owned = all(_owns_cpus(one) for one in containers)
    return {
        "metadata": {
            "name": name,
            "namespace": controller["metadata"]["namespace"],
            "labels": dict(controller["metadata"]["labels"]),
        },
        "spec": {"nodeName": "edge-01", "containers": containers},
        "status": {
            "phase": "Running",
            "qosClass": "Guaranteed" if owned else "Burstable",
            "podIP": "10.244.1.7",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": one["name"], "ready": True, "restartCount": 0} for one in containers],
        },
    }


def _owns_cpus(container: dict[str, Any]) -> bool:
    resources = container.get("resources", {})
    return "cpu" in resources.get("limits", {}) and resources.get("requests") == resources.get("limits")


def deployment(name: str, namespace: str = "default", *, ready: bool = True) -> tuple[str, dict[str, Any]]:
    """Return path and object of a service's Deployment, as it is after its rollout."""
    available = 2 if ready else 1
    item = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "generation": 1,
            "labels": {**MANAGED, INVENTORY_LABEL: name},
            "annotations": {},
        },
        "spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": name, "image": "app:1"}]}}},
        "status": {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "availableReplicas": available},
    }
    return f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}", item


def node(name: str, alignment: dict[str, Any] | None = None, *, ready: bool = True) -> tuple[str, dict[str, Any]]:
    """Return path and object of a node; `alignment` is what it tells of its topology."""
    item = {
        "metadata": {
            "name": name,
            "labels": {"kubernetes.io/hostname": name, "gedge.dev/class": "edge"},
            "annotations": {"gedge.dev/alignment": json.dumps(alignment)} if alignment else {},
        },
        "spec": {},
        "status": {
            "allocatable": {"cpu": "14", "memory": "32Gi", "pods": "110", "nvidia.com/gpu": "2"},
            "capacity": {"cpu": "16", "memory": "33Gi", "pods": "110", "nvidia.com/gpu": "2"},
            "nodeInfo": {"kubeletVersion": "v1.36.4"},
            "conditions": [{"type": "Ready", "status": "True" if ready else "False", "message": HOSTILE}],
            "addresses": [{"type": "InternalIP", "address": "192.0.2.1"}],
            "images": [{"names": [f"registry.example/{HOSTILE}:1"], "sizeBytes": 123456789}],
        },
    }
    return f"/api/v1/nodes/{name}", item


class _LiveHandler(_Handler):
    """Asks for a token, and streams watches and logs."""

    cluster: LiveCluster
    protocol_version = "HTTP/1.1"  # of which streams have chunks, which clients wait for

    def _send(self, status: int, body: dict[str, Any]) -> None:
        if "items" in body:
            body["metadata"] = {"resourceVersion": str(self.cluster.objects.version)}
            selector = parse_qs(urlsplit(self.path).query).get("fieldSelector", [""])[0]
            for name, _, value in (pair.partition("=") for pair in selector.split(",") if pair):
                body["items"] = [item for item in body["items"] if str(_at(item, name)) == value]
        super()._send(status, body)

    def _is_known(self) -> bool:
        if self.headers["Authorization"] == f"Bearer {self.cluster.token}":
            return True
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._send(401, {"kind": "Status", "code": 401, "reason": "Unauthorized", "message": "Unauthorized"})
        return False

    def do_GET(self) -> None:  # noqa: N802 - a name of http.server
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        if url.path == "/readyz":
            self._text("ok")
        elif not self._is_known():
            return
        elif url.path in self.cluster.forbidden:
            self._send(
                403, {"kind": "Status", "code": 403, "reason": "Forbidden", "message": f"{url.path} is forbidden"}
            )
        elif "watch" in query:
            self._watch(url.path, int(query["resourceVersion"][0]))
        elif url.path.endswith("/log"):
            self._log(url.path.split("/")[-2], follow=query.get("follow") == ["true"])
        else:
            super().do_GET()

    def do_POST(self) -> None:  # noqa: N802 - a name of http.server
        if not self._is_known():
            return
        if self.path.endswith("/selfsubjectreviews"):
            self.rfile.read(int(self.headers["Content-Length"]))
            self._send(201, {"status": {"userInfo": {"username": "system:serviceaccount:default:operator"}}})
            return
        super().do_POST()

    def do_PATCH(self) -> None:  # noqa: N802 - a name of http.server
        if not self._is_known():
            return
        manifest = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        kept = self.objects.get(urlsplit(self.path).path)
        if kept and "spec" in manifest and "dryRun" not in self.path:
            self._take_back(kept, manifest)
        template = manifest.get("spec", {}).get("template")
        if kept and template and "spec" not in template:  # a restart: another manager's own fields
            manifest = _merged(kept, manifest)
        body = json.dumps(manifest).encode()
        self.headers.replace_header("Content-Length", str(len(body)))
        connection, self.rfile = self.rfile, BytesIO(body)
        try:
            super().do_PATCH()
        finally:
            self.rfile = connection

    def _take_back(self, kept: dict[str, Any], manifest: dict[str, Any]) -> None:
        """Take away what a field manager set before and now leaves out, as server-side apply does."""
        url = urlsplit(self.path)
        manager = (url.path, parse_qs(url.query).get("fieldManager", [""])[0])
        for key in self.cluster.managed.get(manager, set()) - manifest["spec"].keys():
            kept["spec"].pop(key, None)
        self.cluster.managed[manager] = set(manifest["spec"])

    def do_DELETE(self) -> None:  # noqa: N802 - a name of http.server
        if self._is_known():
            super().do_DELETE()

    def _text(self, text: str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def _watch(self, path: str, version: int) -> None:
        self._begin_stream()
        objects = self.cluster.objects
        while not self.cluster.ended.is_set() and not self.close_connection:
            with objects.changed:
                if objects.version == version:
                    objects.changed.wait(_SILENT_S)
                news, version = objects.happened[version:], objects.version
            for kind, where, item in news:
                if path in _lists(where):
                    self._stream(json.dumps({"type": kind, "object": item}) + "\n")

    def _log(self, pod: str, *, follow: bool) -> None:
        self._begin_stream()
        self._stream("".join(f"\x1b[32mINFO\x1b[0m {pod} frame {number} {HOSTILE}\n" for number in range(30)))
        number = 30
        while follow and not self.cluster.ended.wait(_SILENT_S) and not self.close_connection:
            self._stream(f"INFO {pod} frame {number}\n")
            number += 1
        self._stream("")

    def _begin_stream(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def _stream(self, text: str) -> None:
        """Send a chunk; an empty one ends the stream."""
        try:
            self.wfile.write(f"{len(text.encode()):x}\r\n{text}\r\n".encode())
        except OSError:  # nobody reads any more
            self.close_connection = True


def _merged(kept: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    both = {
        key: _merged(kept[key], value) if isinstance(value, dict) and isinstance(kept.get(key), dict) else value
        for key, value in given.items()
    }
    return {**kept, **both}


def _at(item: dict[str, Any], path: str) -> Any:
    for name in path.split("."):
        item = item.get(name, {})
    return item


class LiveCluster:
    """An API server on loopback with its objects."""

    def __init__(self) -> None:
        self.objects = LiveObjects()
        self.token = TOKEN
        self.forbidden: set[str] = set()
        self.ended = Event()
        self.server = ""
        self.managed: dict[tuple[str, str], set[str]] = {}

    def add(self, *objects: tuple[str, dict[str, Any]]) -> None:
        for path, item in objects:
            self.objects[path] = item

    def kubeconfig(self, folder: Path) -> Path:
        """Write a kubeconfig of this cluster, which has no user."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": self.server}}],
            "users": [],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": ""}}],
            "current-context": "x",
        }
        path = folder / "kubeconfig"
        path.write_text(yaml.safe_dump(config), encoding="utf-8")
        return path

    @contextmanager
    def serving(self) -> Iterator[LiveCluster]:
        kinds = KINDS | {"namespaces", "limitranges"}
        handler = type("BoundLive", (_LiveHandler,), {"objects": self.objects, "kinds": kinds, "cluster": self})
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            server.daemon_threads = True
            self.server = f"http://127.0.0.1:{server.server_port}"
            thread = Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            try:
                yield self
            finally:
                self.ended.set()
                server.shutdown()
                thread.join()
