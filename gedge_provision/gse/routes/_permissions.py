"""What Kubernetes RBAC must allow for what the operations do, in words of `kubectl auth can-i`."""

from __future__ import annotations

__all__ = [
    "DELETES",
    "DELETES_MESHES",
    "FITS",
    "LISTS",
    "MESHES",
    "OBSERVES",
    "READS_REVISIONS",
    "ROLLS_MESHES_OUT",
    "ROLLS_OUT",
]

LISTS = (
    "list deployments.apps",
    "list statefulsets.apps",
    "list services",
    "list horizontalpodautoscalers.autoscaling",
)
"""Services in a list."""

OBSERVES = (
    *LISTS,
    "list pods",
    "list replicasets.apps",
    "list events",
)
"""A service in detail."""

READS_REVISIONS = ("list configmaps", "get configmaps")

FITS = ("list nodes @cluster", "list pods @cluster")

ROLLS_OUT = (
    "get namespaces",
    *OBSERVES,
    *READS_REVISIONS,
    "list resourceclaimtemplates.resource.k8s.io",
    "create configmaps",
    "patch configmaps",
    "delete configmaps",
    "create deployments.apps",
    "patch deployments.apps",
    "delete deployments.apps",
    "create services",
    "patch services",
    "delete services",
)
"""A rollout of a Deployment with ports inside the cluster; whether it fits is checked where FITS is allowed too."""

DELETES = (
    *LISTS,
    *READS_REVISIONS,
    "list pods",
    "list persistentvolumeclaims",
    "list resourceclaimtemplates.resource.k8s.io",
    "delete deployments.apps",
    "delete services",
    "delete configmaps",
)

MESHES = (
    *LISTS,
    "list httproutes.gateway.networking.k8s.io",
    "list gateways.gateway.networking.k8s.io",
    "list gatewayclasses.gateway.networking.k8s.io @cluster",
)

ROLLS_MESHES_OUT = (*ROLLS_OUT, *FITS, *MESHES)

DELETES_MESHES = (*DELETES, *MESHES)
