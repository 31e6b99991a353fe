"""What an apply would change of metrics-server, from what is remembered. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gedge_provision.models.changes import Change
from gedge_provision.planning.features import METRICS_SERVER

__all__ = ["OBJECTS", "metrics_changes"]

OBJECTS = (
    "APIService v1beta1.metrics.k8s.io",
    "ClusterRole system:aggregated-metrics-reader",
    "ClusterRole system:metrics-server",
    "ClusterRoleBinding metrics-server:system:auth-delegator",
    "ClusterRoleBinding system:metrics-server",
    "Deployment kube-system/metrics-server",
    "RoleBinding kube-system/metrics-server-auth-reader",
    "Service kube-system/metrics-server",
    "ServiceAccount kube-system/metrics-server",
)
"""What the role metrics_server applies; a test holds it equal to its template."""


def metrics_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    """Yield what changes in the cluster, from the variables of the site then and now."""
    had, has = (METRICS_SERVER in variables.get("gedge_features", []) for variables in (old, new))
    if had != has:
        for title in OBJECTS:
            kind, _, name = title.partition(" ")
            yield Change(kind, name, "create" if has else "remove")
    elif has and old.get("metrics_server_image") != new.get("metrics_server_image"):
        yield Change("Deployment", "kube-system/metrics-server", "change")
