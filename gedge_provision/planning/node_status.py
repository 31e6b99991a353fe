"""From the nodes of a cluster to the lines of a status, and what changed between two. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gedge_provision.models.cluster import Manifest, WatchEvent
from gedge_provision.models.node_summary import NodeSummary
from gedge_provision.models.site import Node, Site

__all__ = ["after", "changed", "state_of", "summaries"]


def summaries(site: Site, live: Mapping[str, Manifest], policies: Mapping[str, str]) -> tuple[NodeSummary, ...]:
    """Return the site's nodes in the order of its file.

    Args:
        site: the site.
        live: the cluster's nodes by name.
        policies: CPU manager policies of the running kubelets by name of the node, as far as they are known.
    """
    return tuple(_summary(node, live.get(node.name), policies.get(node.name, "")) for node in site.nodes)


def after(live: Mapping[str, Manifest], event: WatchEvent) -> dict[str, Manifest]:
    """Return the cluster's nodes by name after something happened to one."""
    name = event.object["metadata"].get("name", "")
    others = {key: node for key, node in live.items() if key != name}
    return others | {name: event.object} if event.type in ("ADDED", "MODIFIED") else others


def changed(before: Sequence[NodeSummary], now: Sequence[NodeSummary]) -> tuple[NodeSummary, ...]:
    """Return the nodes of which something is not what it was."""
    known = set(before)
    return tuple(node for node in now if node not in known)


def _summary(node: Node, live: Manifest | None, policy: str) -> NodeSummary:
    if live is None:
        return NodeSummary(node.name, str(node.address), node.roles, node.node_class, "missing")
    found = live["status"]
    return NodeSummary(
        name=node.name,
        address=str(node.address),
        roles=node.roles,
        node_class=node.node_class,
        state=state_of(live),
        version=found.get("nodeInfo", {}).get("kubeletVersion", ""),
        cpu_capacity=found.get("capacity", {}).get("cpu", ""),
        cpu_allocatable=found.get("allocatable", {}).get("cpu", ""),
        cpu_manager_policy=policy,
        cordoned=bool(live.get("spec", {}).get("unschedulable", False)),
    )


def state_of(live: Manifest) -> str:
    """Return ready, or not ready: REASON."""
    for condition in live["status"].get("conditions", []):
        if condition["type"] == "Ready":
            if condition["status"] == "True":
                return "ready"
            return f"not ready: {condition.get('reason', 'unknown')}"
    return "not ready: its kubelet has not reported"
