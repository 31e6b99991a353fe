"""Nodes with pods for tests, on a machine of two sockets with SMT: NUMA node 0 has CPUs 0-3, node 1 CPUs 4-7."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from topologies import topology

from gedge_provision.models.pod_alignment import NodePods
from gedge_provision.models.pod_resources import NodeResources
from gedge_provision.planning.pod_alignment import align_pods

MACHINE = topology("emulated-node")
VF, OTHER = "intel.com/vf", "example.com/other"
ZERO, ONE = "0000:01:00.0", "0000:02:00.0"
GIB = 2**30
STRICT = {"cpuManagerPolicyOptions": {"strict-cpu-reservation": "true", "full-pcpus-only": "true"}}


def device(*nodes: int, resource: str = VF, ids: Sequence[str] = ("id",)) -> dict[str, Any]:
    return {"resource": resource, "ids": list(ids), "numa_nodes": list(nodes)}


def memory(*nodes: int, size: int = GIB, kind: str = "memory") -> dict[str, Any]:
    return {"kind": kind, "bytes": size, "numa_nodes": list(nodes)}


def container(name: str = "main", cpus: str = "", **more: Any) -> dict[str, Any]:
    return {"name": name, "cpus": cpus, **more}


def looked(
    *pods: tuple[str, list[dict[str, Any]]],
    kubelet: dict[str, Any] | None = None,
    allocatable: str = "2-3,6-7",
    everything: bool = False,
    room: dict[str, Any] | None = None,
    **more: Any,
) -> NodePods:
    """Return what is said of pods (name and containers) on a node whose state files say the same as its kubelet."""
    settings = {"cpuManagerPolicy": "static", **(kubelet or {})}
    free = {2, 3, 6, 7} if allocatable else set(range(8))
    owned = {cpu for _, containers in pods for one in containers for cpu in range(8) if str(cpu) in one["cpus"]}
    assert not any("-" in one["cpus"] for _, containers in pods for one in containers)
    strict = "strict-cpu-reservation" in settings.get("cpuManagerPolicyOptions", {})
    shared = (free if strict else set(range(8))) - owned
    told = {
        "pods": [{"namespace": "ns", "name": name, "containers": containers} for name, containers in pods],
        "allocatable": room
        or {
            "cpus": allocatable,
            "devices": [device(0, ids=["a", "b"]), device(1, ids=["c", "d"])],
            "memory": [memory(0, size=2 * GIB), memory(1, size=2 * GIB)],
        },
        "cpu_state": {
            "policy": settings["cpuManagerPolicy"],
            "shared": ",".join(map(str, sorted(shared))) if allocatable else "",
            "entries": {
                f"uid-{name}": {one["name"]: one["cpus"] for one in containers if one["cpus"]}
                for name, containers in pods
                if any(one["cpus"] for one in containers)
            },
        },
        "memory_state": {
            "policy": settings.get("memoryManagerPolicy", "None"),
            "entries": {
                f"uid-{name}": {
                    one["name"]: [
                        {"type": block["kind"], "size": block["bytes"], "numaAffinity": block["numa_nodes"]}
                        for block in one["memory"]
                    ]
                    for one in containers
                    if one.get("memory")
                }
                for name, containers in pods
                if any(one.get("memory") for one in containers)
            },
        },
        "pod_names": {f"uid-{name}": f"ns/{name}" for name, _ in pods},
        "kubelet": settings,
        **more,
    }
    return align_pods("node", NodeResources.model_validate(told), MACHINE, everything=everything)


def said(found: NodePods) -> list[tuple[str, str, str, str]]:
    return [(one.severity, one.kind, one.pod, one.container) for one in found.remarks]
