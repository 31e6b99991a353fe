"""What an apply would change of the GPU operator, from what is remembered. Pure.

Which host must boot without nouveau only the host knows; what operator and feature discovery leave when they go, only
the cluster.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gedge_provision.models.changes import Change
from gedge_provision.planning.features import GPU

__all__ = ["RELEASE", "operator_changes"]

RELEASE = "gpu-operator/gpu-operator"
"""Namespace and name of the release, as the module helm_release tells it."""
_DECIDING = ("gpu_operator_version", "gpu_operator_values")


def operator_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    """Yield what changes in the cluster, from the variables of the site then and now."""
    had, has = (GPU in variables.get("gedge_features", []) for variables in (old, new))
    if had and not has:
        yield Change("Release", RELEASE, "remove")
    elif has and any(old.get(name) != new.get(name) for name in _DECIDING):
        yield Change("Release", RELEASE, "change" if had else "create")
