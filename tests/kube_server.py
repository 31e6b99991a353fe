"""A server that keeps objects as an API server does: paths, lists, labels, watches, logs; and one that fails when told.

A controller that is applied is ready at once, unless the image of its pods is `broken`.
"""

from __future__ import annotations

import copy
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from gedge_provision.adapters.kube import Kube, connect

__all__ = ["KINDS", "NODE", "Cluster", "Objects", "serving", "serving_cluster"]

Objects = dict[str, dict[str, Any]]
NODE = {
    "metadata": {"name": "gedgew01"},
    "status": {
        "allocatable": {"cpu": "4", "memory": "8Gi"},
        "conditions": [{"type": "Ready", "status": "True"}],
        "addresses": [{"type": "InternalIP", "address": "192.0.2.1"}],
    },
}
KINDS = frozenset({
    "nodes", "pods", "services", "deployments", "statefulsets", "replicasets", "resourceclaimtemplates", "events",
    "persistentvolumeclaims", "configmaps", "horizontalpodautoscalers", "namespaces", "limitranges",
})  # fmt: skip
_DEFAULT = "/api/v1/namespaces/default"
_LOOK_S = 0.02


def _refuses_nothing(_method: str, _path: str, _token: str) -> int:
    return 0


@dataclass
class Cluster:
    """What the server keeps, and how it behaves.

    Attributes:
        objects: by their paths; tests change them as they like.
        kinds: plurals of the kinds that it knows.
        refuses: tells the status of a refusal of a method, path and token; 0 lets it through.
        ready: whether /readyz says ok.
        away: connections are closed without an answer.
        failing: status of every answer; 0 lets them through.
        logs: of pods, by their paths: pieces, of which None ends the log.
        oldest: watches from an older version than this are refused (410).
        asked: of every request: method, path with query, token.
    """

    objects: Objects = field(default_factory=dict)
    kinds: frozenset[str] = KINDS
    refuses: Callable[[str, str, str], int] = _refuses_nothing
    ready: bool = True
    away: bool = False
    failing: int = 0
    logs: dict[str, list[bytes | None]] = field(default_factory=dict)
    oldest: int = 0
    asked: list[tuple[str, str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[str, str] = {}
        self._changes: list[tuple[str, str, dict[str, Any]]] = []
        self._owned: dict[tuple[str, str], dict[str, Any]] = {}
        self._looked_at = 0.0

    def begin_anew(self) -> None:
        """Forget all objects, and behave as at first; versions go on."""
        fresh = Cluster()
        for one in fields(Cluster):
            if one.name != "objects":
                setattr(self, one.name, getattr(fresh, one.name))
        self.objects.clear()
        self._owned.clear()

    def changes(self, since: int, *, lately: bool = False) -> list[tuple[int, str, str, dict[str, Any]]]:
        """Return what happened after a version: its number, its type, the path of the object and the object then.

        Args:
            since: the version.
            lately: be content with what was seen a moment ago, by whichever watch: looking at many objects takes time.
        """
        with self._lock:
            if lately and time.monotonic() - self._looked_at < _LOOK_S:
                return [(number, *change) for number, change in enumerate(self._changes[since:], since + 1)]
            present = dict(self.objects)
            for path in [path for path in self._seen if path not in present]:
                self._changes.append(("DELETED", path, json.loads(self._seen.pop(path))))
            for path, item in present.items():
                text = json.dumps(item)
                if self._seen.get(path) != text:
                    self._changes.append(("MODIFIED" if path in self._seen else "ADDED", path, json.loads(text)))
                    self._seen[path] = text
            self._looked_at = time.monotonic()
            return [(number, *change) for number, change in enumerate(self._changes[since:], since + 1)]

    def forget(self, path: str) -> None:
        """Forget who applied what of an object."""
        self._owned = {key: value for key, value in self._owned.items() if key[0] != path}

    def applied(self, path: str, manager: str, manifest: dict[str, Any], *, dry: bool) -> dict[str, Any]:
        """Return an object after server-side apply: what its manager applied before and leaves out now goes away.

        No conflicts: the last one wins. Lists are replaced as a whole.
        """
        before = self._owned.get((path, manager), {})
        if not dry:
            self._owned[path, manager] = copy.deepcopy(manifest)
        return _merged(_without(self.objects.get(path, {}), before, manifest), manifest)

    @property
    def version(self) -> int:
        """The version of every list: how many changes there were."""
        self.changes(0)
        return len(self._changes)


class _Handler(BaseHTTPRequestHandler):
    """GET, POST, PATCH and DELETE of objects."""

    protocol_version = "HTTP/1.1"
    cluster: Cluster

    @property
    def objects(self) -> Objects:
        return self.cluster.objects

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _send(self, status: int, body: dict[str, Any]) -> None:
        self._send_bytes(status, json.dumps(body).encode())

    def _send_bytes(self, status: int, data: bytes) -> None:
        self.send_response(status)
        self.send_header("Connection", "close")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _chunks(self, pieces: Iterator[bytes]) -> None:
        self.send_response(200)
        self.send_header("Connection", "close")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for piece in pieces:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            return

    def _missing(self, kind: str = "") -> None:
        message = {"code": 404, "message": "not found", "reason": "NotFound", "details": {"kind": kind}}
        self._send(404, message)

    def _taken(self) -> bool:
        """Note the request; answer it here and return True if it is refused, or the server fails."""
        cluster = self.cluster
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        cluster.asked.append((self.command, self.path, token))
        if cluster.away:
            self.close_connection = True
            return True
        path = urlsplit(self.path).path
        if status := cluster.failing:
            self._send(status, {"code": status, "message": "etcdserver: request timed out"})
        elif path == "/readyz" and not (token and cluster.refuses("GET", path, token) == 401):
            self._send_bytes(200 if cluster.ready else 500, b"ok" if cluster.ready else b"starting")
        elif status := cluster.refuses(self.command, path, token):
            self._send(status, {"code": status, "message": f"{self.command} {path} is refused"})
        else:
            return False
        return True

    def do_GET(self) -> None:
        if self._taken():
            return
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        if url.path.endswith("/log") and url.path.removesuffix("/log") in self.cluster.logs:
            pieces = self.cluster.logs[url.path.removesuffix("/log")]
            self._chunks(_log(pieces, follow=query.get("follow") == "true"))
        elif url.path in self.objects:
            self._send(200, self.objects[url.path])
        elif url.path == _DEFAULT:
            self._send(200, {"metadata": {"name": "default"}, "status": {"phase": "Active"}})
        elif url.path.rsplit("/", 1)[-1] not in self.cluster.kinds:
            self._missing()
        elif query.get("watch") != "true":
            self._list(url.path, query)
        elif int(query["resourceVersion"]) < self.cluster.oldest:
            self._send(410, {"code": 410, "message": "too old resource version", "reason": "Expired"})
        else:
            self._chunks(self._watch(url.path, query))

    def _list(self, path: str, query: dict[str, str]) -> None:
        version = self.cluster.version
        present = dict(self.objects)
        if path == "/api/v1/namespaces":
            present.setdefault(_DEFAULT, {"metadata": {"name": "default"}, "status": {"phase": "Active"}})
        items = [item for own, item in sorted(present.items()) if path in _lists(own) and _matches(item, query)]
        begin, limit = int(query.get("continue", "0")), int(query.get("limit", "0"))
        metadata = {"resourceVersion": str(version)}
        if limit and begin + limit < len(items):
            metadata["continue"] = str(begin + limit)
        self._send(200, {"items": items[begin : begin + limit] if limit else items, "metadata": metadata})

    def _watch(self, path: str, query: dict[str, str]) -> Iterator[bytes]:
        """Yield what happens to objects of a list after a version."""
        version, end = int(query["resourceVersion"]), time.monotonic() + float(query["timeoutSeconds"])
        while time.monotonic() < end and not (self.cluster.away or self.cluster.failing):
            for version, type_, own, item in self.cluster.changes(version, lately=True):  # noqa: B020 - from the last
                if path in _lists(own) and _matches(item, query):
                    told = {**item, "metadata": {**item["metadata"], "resourceVersion": str(version)}}
                    yield json.dumps({"type": type_, "object": told}).encode() + b"\n"
            time.sleep(_LOOK_S)

    def do_POST(self) -> None:
        if self._taken():
            return
        manifest = json.loads(self.body)
        if manifest["kind"] == "SelfSubjectReview":
            self._send(201, {**manifest, "status": {"userInfo": {"username": "somebody", "groups": ["people"]}}})
            return
        path = f"{urlsplit(self.path).path}/{manifest['metadata']['name']}"
        if path in self.objects:
            self._send(409, {"code": 409, "message": "already exists", "reason": "AlreadyExists"})
        elif not self._has_namespace(path):
            self._missing("namespaces")
        else:
            self.objects[path] = _born(manifest)
            self._send(201, manifest)

    def do_PATCH(self) -> None:
        if self._taken():
            return
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        manifest = json.loads(self.body)
        path = url.path.removesuffix("/status")
        if not self._has_namespace(path):
            self._missing("namespaces")
            return
        if self.headers["Content-Type"].startswith("application/merge-patch"):
            self._annotate(path, manifest)
            return
        dry, manager = "dryRun" in query, query["fieldManager"]
        manifest = self.cluster.applied(path, manager, manifest, dry=dry)
        manifest["metadata"]["generation"] = 1
        if path != url.path:
            manifest = {**self.objects[path], "status": manifest["status"]}
        elif manifest["kind"] in {"Deployment", "StatefulSet"}:
            manifest["status"] = _status(manifest)
        elif manifest["kind"] == "Namespace":
            manifest["status"] = {"phase": "Active"}
        elif "status" in self.objects.get(path, {}):
            manifest["status"] = self.objects[path]["status"]
        if not dry:
            self.objects[path] = _born(manifest)
        self._send(200, manifest)

    def _annotate(self, path: str, patch: dict[str, Any]) -> None:
        if path not in self.objects:
            self._missing()
            return
        annotations = {**self.objects[path]["metadata"]["annotations"], **patch["metadata"]["annotations"]}
        kept = {key: value for key, value in annotations.items() if value is not None}
        self.objects[path]["metadata"]["annotations"] = kept
        self._send(200, self.objects[path])

    def do_DELETE(self) -> None:
        if self._taken():
            return
        path = urlsplit(self.path).path
        if path not in self.objects:
            self._missing()
            return
        gone = self.objects.pop(path)
        self.cluster.forget(path)
        if "/apis/apps/" in path:  # as the garbage collector does: pods go with what made them
            chosen = gone["spec"].get("selector", {}).get("matchLabels", {})
            for own in [own for own in self.objects if "/pods/" in own and chosen]:
                if chosen.items() <= self.objects[own]["metadata"].get("labels", {}).items():
                    self.objects.pop(own, None)
        if path.startswith("/api/v1/namespaces/") and path.count("/") == _DEFAULT.count("/"):
            inside = f"/namespaces/{path.rpartition('/')[2]}/"
            for own in [own for own in self.objects if inside in own]:
                self.objects.pop(own, None)
        self._send(200, gone)

    def _has_namespace(self, path: str) -> bool:
        found = re.search("/namespaces/([^/]+)/", path)
        place = f"/api/v1/namespaces/{found[1]}" if found else _DEFAULT
        return place == _DEFAULT or place in self.objects


def _without(item: dict[str, Any], before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """Return an object without the fields that stood in one manifest, and do not in the next."""
    kept = {}
    for key, value in item.items():
        if key in before and key not in now:
            continue
        both = key in before and all(isinstance(one, dict) for one in (value, before[key], now[key]))
        kept[key] = _without(value, before[key], now[key]) if both else value
    return kept


def _merged(item: dict[str, Any], manifest: dict[str, Any]) -> dict[str, Any]:
    merged = dict(item)
    for key, value in manifest.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if both else copy.deepcopy(value)
    return merged


def _lists(path: str) -> tuple[str, str]:
    """Return the paths of the lists that an object is in: of its namespace, and of all."""
    near = path.rpartition("/")[0]
    return near, re.sub("/namespaces/[^/]+(?=/)", "", near)


def _matches(item: dict[str, Any], query: dict[str, str]) -> bool:
    """Tell whether an object has the labels and fields that are asked for."""
    labels = item["metadata"].get("labels", {})
    if any(labels.get(key) != value for key, value in _pairs(query.get("labelSelector", ""))):
        return False
    return all(_field(item, key) == value for key, value in _pairs(query.get("fieldSelector", "")))


def _pairs(selector: str) -> list[tuple[str, str]]:
    return [(pair.partition("=")[0], pair.partition("=")[2]) for pair in selector.split(",") if pair]


def _field(item: Any, path: str) -> str:
    for key in path.split("."):
        item = item.get(key, {})
    return str(item or "")


def _merged(kept: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    both = {
        key: _merged(kept[key], value) if isinstance(value, dict) and isinstance(kept.get(key), dict) else value
        for key, value in part.items()
    }
    return {**kept, **both}


def _born(manifest: dict[str, Any]) -> dict[str, Any]:
    manifest["metadata"].setdefault("creationTimestamp", "2026-11-30T12:00:00Z")
    return manifest


def _log(pieces: list[bytes | None], *, follow: bool) -> Iterator[bytes]:
    """Yield pieces of a log, and with `follow` those that are added later, until one is None."""
    sent = 0
    while True:
        while sent < len(pieces):
            piece = pieces[sent]
            if piece is None:
                return
            yield piece
            sent += 1
        if not follow:
            return
        time.sleep(_LOOK_S)


def _status(controller: dict[str, Any]) -> dict[str, Any]:
    replicas = controller["spec"].setdefault("replicas", 1)
    broken = controller["spec"]["template"]["spec"]["containers"][0]["image"] == "broken"
    counts = {"replicas": replicas, "updatedReplicas": replicas, "availableReplicas": 0 if broken else replicas}
    return {"observedGeneration": 1, "updateRevision": "r", **counts}


@contextmanager
def serving_cluster(cluster: Cluster, folder: Path) -> Iterator[Path]:
    """Serve a cluster, and give the kubeconfig of one who may do everything, written to `folder`."""
    handler = type("Bound", (_Handler,), {"cluster": cluster})
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
        try:
            yield path
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def serving(objects: Objects, folder: Path, kinds: frozenset[str] = KINDS) -> Iterator[Kube]:
    """Serve objects, by their paths, and give a connection; `folder` is for its kubeconfig."""
    with serving_cluster(Cluster(objects, kinds), folder) as kubeconfig, connect(kubeconfig) as opened:
        yield opened
