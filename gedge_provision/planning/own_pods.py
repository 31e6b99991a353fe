"""Pods of `gedge` itself, which look at a cluster or measure it: what all of them have, and may not do. Pure."""

from __future__ import annotations

from gedge_provision.models.cluster import Manifest

__all__ = ["own_pod_spec"]

_NOBODY = 65534


def own_pod_spec(container: Manifest, node: str, limit_s: int) -> Manifest:
    """Return the spec of a pod with one container that runs as nobody, with no account of the cluster.

    Args:
        container: as Kubernetes has it.
        node: where; by affinity and not by nodeName, so that the scheduler says what the node lacks.
        limit_s: seconds after which the kubelet ends it by itself.
    """
    only = {"key": "metadata.name", "operator": "In", "values": [node]}
    terms = {"nodeSelectorTerms": [{"matchFields": [only]}]}
    return {
        "containers": [container],
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _NOBODY,
            "runAsGroup": _NOBODY,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}},
        "tolerations": [{"operator": "Exists"}],
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 1,
        "activeDeadlineSeconds": limit_s,
    }
