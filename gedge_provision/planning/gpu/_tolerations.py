"""Values of the chart that let the operator's pods run on nodes with taints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gedge_provision.models.site import Site
from gedge_provision.planning.gpu_labels import served_nodes
from gedge_provision.planning.inventory import node_taints

__all__ = ["tolerations"]

# A list in values replaces the chart's: what its own lists have stands first (chart v26.7.0, values.yaml).
_OPERANDS = ({"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},)
_DISCOVERY = (
    {"key": "node-role.kubernetes.io/control-plane", "operator": "Equal", "value": "", "effect": "NoSchedule"},
    *_OPERANDS,
)


def tolerations(site: Site) -> dict[str, Any]:
    """Return the values for the taints of nodes with GPUs; empty where the chart's own are enough."""
    taints = {tuple(sorted(taint.items())): taint for node in served_nodes(site) for taint in node_taints(site, node)}
    wanted = [_toleration(taint) for taint in taints.values() if taint["effect"] != "PreferNoSchedule"]
    values: dict[str, Any] = {}
    for own, place in ((_OPERANDS, "daemonsets"), (_DISCOVERY, "node-feature-discovery")):
        more = [one for one in wanted if not any(_covers(other, one) for other in own)]
        if more:
            listed = {"tolerations": [dict(one) for one in own] + more}
            values[place] = listed if place == "daemonsets" else {"worker": listed}
    return values


def _toleration(taint: Mapping[str, str]) -> dict[str, str]:
    value = {"value": taint["value"]} if taint.get("value") else {}
    return {"key": taint["key"], "operator": "Equal" if value else "Exists", **value, "effect": taint["effect"]}


def _covers(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    same_value = one["operator"] == "Exists" or one.get("value", "") == other.get("value", "")
    return one["key"] == other["key"] and one["effect"] == other["effect"] and same_value
