"""What a site's nodes are now, as its cluster tells."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gedge_provision.adapters.kube import connect
from gedge_provision.models.cluster import NODE, Manifest
from gedge_provision.models.errors import GedgeError, UsageError
from gedge_provision.models.site import Node
from gedge_provision.provisioning.sites import kubeconfig_path, load_site

__all__ = ["NodeSummary", "status"]


@dataclass(frozen=True)
class NodeSummary:
    """A node of the site file beside what the cluster says of it; unknown values are empty.

    `cpu_capacity` and `cpu_allocatable` are quantities as the node reports them; `cpu_manager_policy` is that of the
    running kubelet.
    """

    name: str
    address: str
    roles: tuple[str, ...]
    node_class: str
    state: str
    version: str = ""
    cpu_capacity: str = ""
    cpu_allocatable: str = ""
    cpu_manager_policy: str = ""


def status(site_path: Path) -> list[NodeSummary]:
    """Return the site's nodes in the order of the file; state is ready, not ready: REASON, or missing.

    Raises:
        UsageError: the site has no kubeconfig here yet.
        GedgeError: the API server does not answer.
    """
    site = load_site(site_path)
    kubeconfig = kubeconfig_path(site)
    if not kubeconfig.is_file():
        raise UsageError(
            "there is no kubeconfig of this site here",
            place=str(kubeconfig),
            remedy="install it: gedge apply; of a running one: gedge kubeconfig --fetch",
        )
    with connect(kubeconfig) as kube:
        live = {item["metadata"]["name"]: item for item in kube.find(NODE)}
        summaries = []
        for node in site.nodes:
            policy = ""
            if node.name in live and _state(live[node.name]) == "ready":
                try:
                    policy = str(kube.kubelet_configuration(node.name).get("cpuManagerPolicy", ""))
                except GedgeError as error:
                    policy = f"unknown: {error.message}"
            summaries.append(_summary(node, live.get(node.name), policy))
    return summaries


def _summary(node: Node, live: Manifest | None, policy: str) -> NodeSummary:
    if live is None:
        return NodeSummary(node.name, str(node.address), node.roles, node.node_class, "missing")
    found = live["status"]
    return NodeSummary(
        name=node.name,
        address=str(node.address),
        roles=node.roles,
        node_class=node.node_class,
        state=_state(live),
        version=found.get("nodeInfo", {}).get("kubeletVersion", ""),
        cpu_capacity=found.get("capacity", {}).get("cpu", ""),
        cpu_allocatable=found.get("allocatable", {}).get("cpu", ""),
        cpu_manager_policy=policy,
    )


def _state(live: Manifest) -> str:
    for condition in live["status"].get("conditions", []):
        if condition["type"] == "Ready":
            if condition["status"] == "True":
                return "ready"
            return f"not ready: {condition.get('reason', 'unknown')}"
    return "not ready: its kubelet has not reported"
