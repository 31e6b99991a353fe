"""What the cluster shows of the stack, as the Kubernetes API has it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = [
    "Look",
    "Object",
    "blocking_taint",
    "expected_nodes",
    "name_of",
    "node_of",
    "owner_of",
    "read_look",
    "selects",
]

Object = Mapping[str, Any]
_PRESENT = "nvidia.com/gpu.present"
_OPERANDS = "nvidia.com/gpu.deploy.operands"
_BLOCKING = ("NoSchedule", "NoExecute")


@dataclass(frozen=True)
class Look:
    """The objects that tell, each as the API has it: those of the operator's namespace, nodes, runtime classes."""

    daemon_sets: tuple[Object, ...] = ()
    pods: tuple[Object, ...] = ()
    events: tuple[Object, ...] = ()
    nodes: tuple[Object, ...] = ()
    runtime_classes: tuple[Object, ...] = ()
    policies: tuple[Object, ...] = ()


_PLACES = {
    "DaemonSet": "daemon_sets",
    "Pod": "pods",
    "Event": "events",
    "Node": "nodes",
    "RuntimeClass": "runtime_classes",
    "ClusterPolicy": "policies",
    "GPUCluster": "policies",
}


def read_look(items: Iterable[Object]) -> Look:
    """Sort objects by kind; those that tell nothing are left out."""
    found: dict[str, list[Object]] = {}
    for item in items:
        place = _PLACES.get(str(item.get("kind")))
        if place is not None:
            found.setdefault(place, []).append(item)
    return Look(**{place: tuple(objects) for place, objects in found.items()})


def name_of(item: Object) -> str:
    """Return the name of an object."""
    return str(item["metadata"]["name"])


def node_of(pod: Object) -> str:
    """Return the node of a pod; of a DaemonSet's that waits for one, the node that it is made for."""
    bound = pod["spec"].get("nodeName")
    if bound:
        return str(bound)
    affinity = pod["spec"].get("affinity", {}).get("nodeAffinity", {})
    terms = affinity.get("requiredDuringSchedulingIgnoredDuringExecution", {}).get("nodeSelectorTerms", [])
    fields = [field for term in terms for field in term.get("matchFields", []) if field["key"] == "metadata.name"]
    return str(fields[0]["values"][0]) if fields else ""


def owner_of(pod: Object) -> str:
    """Return the DaemonSet of a pod, or the pod's name without what a ReplicaSet and a Job add to it."""
    owners = pod["metadata"].get("ownerReferences", [])
    if owners and owners[0]["kind"] == "ReplicaSet":
        return str(owners[0]["name"]).rpartition("-")[0]
    return str(owners[0]["name"]) if owners else name_of(pod)


def expected_nodes(look: Look, nodes: Sequence[str]) -> tuple[Object, ...]:
    """Return the nodes that the stack must be on: those of the site with GPUs, those that the operator has found."""
    labels = {name_of(node): node["metadata"].get("labels", {}) for node in look.nodes}
    return tuple(
        node
        for node in look.nodes
        if (name_of(node) in nodes or labels[name_of(node)].get(_PRESENT) == "true")
        and labels[name_of(node)].get(_OPERANDS) != "false"  # of a class whose driver is none
    )


def selects(daemon_set: Object, node: Object) -> bool:
    """Tell whether a DaemonSet's node selector takes a node."""
    wanted: Mapping[str, str] = daemon_set["spec"]["template"]["spec"].get("nodeSelector") or {}
    labels: Mapping[str, str] = node["metadata"].get("labels", {})
    return all(labels.get(key) == value for key, value in wanted.items())


def blocking_taint(daemon_set: Object, node: Object) -> Object | None:
    """Return a taint of a node that keeps a DaemonSet's pods away; Kubernetes tolerates its own for them."""
    tolerations: Sequence[Object] = daemon_set["spec"]["template"]["spec"].get("tolerations") or []
    for taint in node["spec"].get("taints") or []:
        own = str(taint["key"]).startswith("node.kubernetes.io/")
        if taint["effect"] in _BLOCKING and not own and not any(_tolerates(one, taint) for one in tolerations):
            found: Object = taint
            return found
    return None


def _tolerates(toleration: Object, taint: Object) -> bool:
    """Kubernetes' rule (API reference, Toleration): Exists without a key takes all, no effect means every effect."""
    key, effect = toleration.get("key"), toleration.get("effect")
    if (effect and effect != taint["effect"]) or (key and key != taint["key"]):
        return False
    if toleration.get("operator") == "Exists":
        return True
    return bool(key) and toleration.get("value", "") == taint.get("value", "")
