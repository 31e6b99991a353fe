"""Nodes, pods and services for tests of fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from topologies import topology

from gedge_provision.models.alignment import ALIGNMENT, Alignment, KubeletPolicies
from gedge_provision.models.cluster import NodeState
from gedge_provision.models.pod_resources import NodeLook
from gedge_provision.models.pod_specs import RunningPod
from gedge_provision.models.service import Service
from gedge_provision.planning.admission import describe

VF, GPU = "intel.com/intel_sriov_netdevice", "nvidia.com/gpu"
# CPUs 0 and 1 are the system's, of two NUMA nodes with two cores of two threads and 2 GiB each.
PINNED: dict[str, Any] = {
    "cpuManagerPolicy": "static",
    "cpuManagerPolicyOptions": {"full-pcpus-only": "true"},
    "reservedSystemCPUs": "0-1",
    "topologyManagerPolicy": "single-numa-node",
    "topologyManagerScope": "pod",
}
MEMORY: dict[str, Any] = {
    **PINNED,
    "memoryManagerPolicy": "Static",
    "reservedMemory": [{"numaNode": node, "limits": {"memory": "256Mi"}} for node in (0, 1)],
}


def node(
    name: str = "w1",
    kubelet: Mapping[str, Any] | None = None,
    vfs: tuple[int, int] = (4, 4),
    *,
    labels: Mapping[str, str] | None = None,
    taints: tuple[Mapping[str, str], ...] = (),
    **offered: str,
) -> NodeState:
    """Return a ready node of emulated hardware; with `kubelet` it tells how it aligns."""
    annotations = {}
    if kubelet is not None:
        known = describe(topology("emulated-node"), KubeletPolicies.model_validate(kubelet))
        numa = [one.model_copy(update={"devices": {VF: number}}) for one, number in zip(known.numa, vfs, strict=True)]
        annotations[ALIGNMENT] = Alignment(numa=tuple(numa), policies=known.policies).model_dump_json()
    amounts = {"cpu": "6", "memory": "3584Mi", "pods": "110", VF: str(sum(vfs))}
    return NodeState.model_validate(
        {
            "metadata": {"name": name, "labels": labels or {}, "annotations": annotations},
            "spec": {"taints": taints},
            "status": {
                "allocatable": {key: amount for key, amount in {**amounts, **offered}.items() if amount},
                "conditions": [{"type": "Ready", "status": "True"}],
            },
        }
    )


def service(cpu: object = 2, memory: str = "64Mi", *, aware: bool = True, replicas: int = 1, **parts: Any) -> Service:
    """Return a service of one container; `gpus` and `sriov` are what it is accelerated by."""
    acceleration: dict[str, Any] = {"topologyAware": aware}
    if gpus := parts.pop("gpus", 0):
        acceleration["compute"] = [{"GPU": gpus}]
    if parts.pop("sriov", False):
        acceleration["communication"] = "SRIOV"
    resources = {"requests": {"cpu": cpu, "memory": memory}, "acceleration": acceleration}
    container = {"image": "a:1", "resources": resources}
    return Service.model_validate({"name": "app", "replicas": replicas, "containers": [container], **parts})


def running(
    name: str, on: str = "w1", *, made: int = 0, labels: Mapping[str, str] | None = None, **limits: Any
) -> RunningPod:
    """Return a Guaranteed pod on a node; `made` are the seconds after others at which it came."""
    amounts = {"cpu": "2", "memory": "64Mi", **{key: str(amount) for key, amount in limits.items()}}
    return RunningPod.model_validate(
        {
            "metadata": {
                "name": name,
                "namespace": "default",
                "uid": f"uid-{name}",
                "labels": labels or {},
                "creationTimestamp": f"2026-01-01T00:00:{made:02}Z",
            },
            "spec": {
                "nodeName": on,
                "containers": [{"name": "main", "resources": {"requests": amounts, "limits": amounts}}],
            },
            "status": {"phase": "Running"},
        }
    )


def seen(kubelet: Mapping[str, Any], *pods: tuple[str, str], allocatable: str = "2-7") -> NodeLook:
    """Return what was seen of such a node: pods with the CPUs that each owns; eight functions on NUMA node 0."""
    return NodeLook.model_validate(
        {
            "topology": topology("emulated-node"),
            "told": {
                "kubelet": kubelet,
                "allocatable": {
                    "cpus": allocatable,
                    "devices": [{"resource": VF, "ids": [f"f{place}" for place in range(8)], "numa_nodes": [0]}],
                },
                "pods": [
                    {"namespace": "default", "name": name, "containers": [{"name": "main", "cpus": cpus}]}
                    for name, cpus in pods
                ],
            },
        }
    )
