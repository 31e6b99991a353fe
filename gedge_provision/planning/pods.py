"""Which pods a disruptive step on a node moves or may disturb. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from gedge_provision.models.cluster import Manifest
from gedge_provision.models.plan import ConsentFlag

__all__ = ["disturbed_pods"]

_MIRROR = "kubernetes.io/config.mirror"
_ENDED = ("Succeeded", "Failed")


def disturbed_pods(pods: Iterable[Manifest], disturbed: Mapping[str, Sequence[ConsentFlag]]) -> dict[str, list[str]]:
    """Return pods as namespace/name by node.

    A node that is drained or removed loses all but those of DaemonSets and static ones; where only the kubelet
    restarts, those of class Guaranteed may lose the CPUs that they own.
    """
    found: dict[str, list[str]] = {node: [] for node in disturbed}
    for pod in pods:
        node = pod["spec"].get("nodeName")
        if node in found and pod["status"].get("phase") not in _ENDED and _counts(pod, disturbed[node]):
            found[node].append(f"{pod['metadata']['namespace']}/{pod['metadata']['name']}")
    return found


def _counts(pod: Manifest, flags: Sequence[ConsentFlag]) -> bool:
    if tuple(flags) == ("kubelet-restart-ok",):
        return bool(pod["status"].get("qosClass") == "Guaranteed")
    meta = pod["metadata"]
    owners = {owner["kind"] for owner in meta.get("ownerReferences", [])}
    return _MIRROR not in meta.get("annotations", {}) and "DaemonSet" not in owners
