"""A cluster as kube_server has it, and alive: one user with a token, and pods that come and go with Deployments."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kube_server import Cluster, Objects, serving_cluster

from gedge_provision.adapters.kube_callers import endpoint_of
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


class _Objects(Objects):
    """Objects, with the pods of their Deployments: as many as are asked for, ready at once."""

    def __setitem__(self, path: str, item: dict[str, Any]) -> None:
        super().__setitem__(path, item)
        if "/deployments/" in path:
            self._make_pods(item, item["spec"]["replicas"])

    def pop(self, path: str, *default: Any) -> Any:
        item = super().pop(path, *default)
        if "/deployments/" in path and item is not None:
            self._make_pods(item, 0)
        return item

    def _make_pods(self, controller: dict[str, Any], count: int) -> None:
        metadata = controller["metadata"]
        folder = f"/api/v1/namespaces/{metadata['namespace']}/pods/"
        wanted = [f"{metadata['name']}-7d9c8-{number:03d}" for number in range(count)]
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


class LiveCluster:
    """A cluster with one user.

    Attributes:
        objects: what it has, by path.
        token: of the user; any other is refused.
        forbidden: paths that even the user may not read.
        logs: of pods, by their paths; what is appended is followed.
        kubeconfig: leads to it.
        server: its address.
    """

    def __init__(self) -> None:
        self.cluster = Cluster(_Objects(), refuses=self._refused)
        self.objects, self.logs = self.cluster.objects, self.cluster.logs
        self.token = TOKEN
        self.forbidden: set[str] = set()
        self.kubeconfig = Path()
        self.server = ""

    def _refused(self, _method: str, path: str, token: str) -> int:
        if token != self.token:
            return 401
        return 403 if path in self.forbidden else 0

    def forget(self) -> None:
        """Be as at the beginning."""
        self.objects.clear()
        self.logs.clear()
        self.forbidden.clear()
        self.token = TOKEN

    def add(self, *objects: tuple[str, dict[str, Any]]) -> None:
        for path, item in objects:
            self.objects[path] = item

    @contextmanager
    def serving(self, folder: Path) -> Iterator[LiveCluster]:
        with serving_cluster(self.cluster, folder) as self.kubeconfig:
            self.server = endpoint_of(self.kubeconfig).server
            try:
                yield self
            finally:
                self.cluster.away = True  # ends the watches
