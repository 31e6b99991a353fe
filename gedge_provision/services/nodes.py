"""The nodes of a cluster as the Kubernetes API tells of them: what they offer, their topology, and who owns CPUs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from gedge_provision.adapters.kube import Kube
from gedge_provision.models.alignment import Alignment
from gedge_provision.models.cluster import NODE, POD, Condition, Manifest, NodeState
from gedge_provision.models.pod_specs import RunningPod
from gedge_provision.planning.alignment import read_alignment
from gedge_provision.planning.fit import ask_of
from gedge_provision.planning.manifests import INVENTORY_LABEL

__all__ = ["ImageLine", "NodeDetail", "NodeLine", "PodOnNode", "list_nodes", "node_images", "node_line", "read_node"]

_ROLE = "node-role.kubernetes.io/"


@dataclass(frozen=True)
class NodeLine:
    """A node in a list.

    Attributes:
        name: its name.
        ready: whether its kubelet reports that it takes pods.
        schedulable: whether new pods may come; not so while it is cordoned.
        roles: by its labels: control-plane.
        addresses: by which other nodes reach it.
        kubelet_version: of its kubelet, with the v.
        allocatable: what pods can have of it, as Kubernetes writes quantities.
        taints: as Kubernetes writes them: key=value:effect.
        labels: its labels.
    """

    name: str
    ready: bool
    schedulable: bool
    roles: tuple[str, ...]
    addresses: tuple[str, ...]
    kubelet_version: str
    allocatable: dict[str, str]
    taints: tuple[str, ...]
    labels: dict[str, str]


@dataclass(frozen=True)
class PodOnNode:
    """A pod of a node.

    Attributes:
        namespace: where it is.
        name: its name.
        service: the service that it belongs to; empty for others.
        qos: its QoS class.
        phase: Running, Pending, ...
        pinned_cpus: how many CPUs its containers own; which ones, only the node itself knows (`gedge topology pods`).
        devices: how many devices it has, by resource.
    """

    namespace: str
    name: str
    service: str
    qos: str
    phase: str
    pinned_cpus: int
    devices: dict[str, int]


@dataclass(frozen=True)
class NodeDetail(NodeLine):
    """A node in detail.

    Attributes:
        conditions: what its kubelet reports.
        capacity: what it has, before reservations.
        topology: its NUMA nodes, and the policies by which its kubelet admits pods; None where gedge has not set it
            up.
        pods: what runs on it, by namespace and name.
    """

    conditions: tuple[Condition, ...]
    capacity: dict[str, str]
    topology: Alignment | None
    pods: tuple[PodOnNode, ...]


@dataclass(frozen=True)
class ImageLine:
    """An image that a node has.

    Attributes:
        names: all of its names.
        size_bytes: as the kubelet counts it.
    """

    names: tuple[str, ...]
    size_bytes: int


def list_nodes(kube: Kube) -> tuple[NodeLine, ...]:
    """Return the nodes, by name."""
    return tuple(sorted((node_line(item) for item in kube.each(NODE)), key=lambda line: line.name))


def node_line(item: Manifest) -> NodeLine:
    """Return a node in a list, from its object."""
    state = NodeState.model_validate(item)
    return NodeLine(**_of_line(state))


def read_node(kube: Kube, name: str) -> NodeDetail:
    """Return a node in detail.

    Raises:
        NotFoundError: there is no such node.
    """
    state = NodeState.model_validate(kube.get(NODE, "", name))
    pods = (RunningPod.model_validate(item) for item in kube.each(POD, fields=f"spec.nodeName={name}"))
    return NodeDetail(
        **_of_line(state),
        conditions=state.status.conditions,
        capacity=state.status.capacity,
        topology=read_alignment(state.metadata.annotations),
        pods=_on_node(pods),
    )


def node_images(kube: Kube, name: str) -> tuple[ImageLine, ...]:
    """Return the images that a node has, largest first; kubelets tell of 50.

    Raises:
        NotFoundError: there is no such node.
    """
    state = NodeState.model_validate(kube.get(NODE, "", name))
    lines = (ImageLine(image.names, image.size_bytes) for image in state.status.images)
    return tuple(sorted(lines, key=lambda line: -line.size_bytes))


def _of_line(state: NodeState) -> dict[str, Any]:
    labels = state.metadata.labels
    return {
        "name": state.name,
        "ready": state.ready,
        "schedulable": not state.spec.unschedulable,
        "roles": tuple(sorted(key.removeprefix(_ROLE) for key in labels if key.startswith(_ROLE))),
        "addresses": state.internal_ips,
        "kubelet_version": state.status.node_info.kubelet_version,
        "allocatable": state.status.allocatable,
        "taints": tuple(map(str, state.spec.taints)),
        "labels": labels,
    }


def _on_node(pods: Iterable[RunningPod]) -> tuple[PodOnNode, ...]:
    lines = []
    for pod in pods:
        asks = [one for one in ask_of(pod).containers if not one.init or one.sidecar]
        devices: dict[str, int] = {}
        for one in asks:
            for resource, count in one.devices.items():
                devices[resource] = devices.get(resource, 0) + count
        metadata = pod.metadata
        service = metadata.labels.get(INVENTORY_LABEL, "")
        pinned = sum(one.cpus for one in asks)
        status = pod.status
        lines.append(
            PodOnNode(metadata.namespace, metadata.name, service, status.qos_class, status.phase, pinned, devices)
        )
    return tuple(sorted(lines, key=lambda line: (line.namespace, line.name)))
