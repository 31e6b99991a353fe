"""Pods that serve secondary networks and devices on a node, and their last words when they do not."""

from __future__ import annotations

from gedge_provision.models.cluster import PodState
from gedge_provision.planning.verification._promise import NodeLook, Verdict

__all__ = ["DEVICE_PLUGIN_LABELS", "SPACE", "daemon"]

SPACE = "kube-system"
DEVICE_PLUGIN_LABELS = {"app": "sriov-device-plugin"}
_APPLY = "put it right: gedge apply"
_DAEMONS = {
    "Multus": {"app": "multus"},
    "emulated GPUs": {"app": "emulated-gpu"},
    "the device plugin": DEVICE_PLUGIN_LABELS,
    "whereabouts": {"app": "whereabouts"},
}
_PCI_IDS = "use an image with /usr/share/misc/pci.ids, as the catalog's is: gedge artifacts build, gedge apply"


def daemon(name: str, look: NodeLook) -> Verdict:
    """Return whether a pod of it is ready on the node; else what its containers said last."""
    pods = [
        pod
        for pod in look.snapshot.pods_by_node.get(look.node.name, ())
        if pod.metadata.namespace == SPACE and _DAEMONS[name].items() <= pod.metadata.labels.items()
    ]
    if not pods:
        return Verdict(kept=False, evidence=f"no pod of {name} is on this node", remedy=_APPLY)
    if any(pod.ready for pod in pods):
        return Verdict(kept=True, evidence=f"its pod of {name} is ready")
    said = _last_words(pods[0])
    remedy = _PCI_IDS if "pci.ids" in said or "pci-ids" in said else ""
    return Verdict(kept=False, evidence=f"its pod of {name} is not ready{f': {said}' if said else ''}", remedy=remedy)


def _last_words(pod: PodState) -> str:
    """Return what the kubelet says of containers that are not ready, with their own last words."""
    said = []
    for container in pod.status.container_statuses:
        waiting, ended = container.state.waiting, container.state.terminated or container.last_state.terminated
        if container.ready:
            continue
        said += [f"{waiting.reason} {waiting.message}".strip()] if waiting else []
        said += [f"it ended with {ended.exit_code}: {ended.message.strip() or ended.reason}"] if ended else []
    return "; ".join(said)
