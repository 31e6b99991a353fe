"""The topology manager: policies, scopes, options.

pkg/kubelet/cm/topologymanager (policy_options.go, topology_manager.go), pkg/kubelet/apis/config/validation; Kubernetes
1.35 to 1.37.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gedge_provision.models.kubelet_rules._base import Fields, KubeletHost, Refusal, nearest, switch

__all__ = ["FEWEST_NUMA_NODES", "topology_refusals"]

FEWEST_NUMA_NODES = 8
"""Least, and usual, max-allowable-numa-nodes."""
_OPTIONS = ("prefer-closest-numa-nodes", "max-allowable-numa-nodes")
_POLICIES = ("none", "best-effort", "restricted", "single-numa-node")
_SCOPES = ("container", "pod")


def topology_refusals(fields: Fields, host: KubeletHost | None = None) -> Iterator[Refusal]:
    """Yield what is wrong with the topology manager's fields."""
    policy = fields.get("topologyManagerPolicy") or "none"
    scope = fields.get("topologyManagerScope") or "container"
    options = fields.get("topologyManagerPolicyOptions") or {}
    if policy not in _POLICIES:
        yield Refusal(
            "topologyManagerPolicy", f"there is no topologyManagerPolicy {policy!r}", nearest(policy, _POLICIES)
        )
    if scope not in _SCOPES:
        yield Refusal("topologyManagerScope", f"there is no topologyManagerScope {scope!r}", nearest(scope, _SCOPES))
    if policy == "none" and options:
        yield Refusal(
            "topologyManagerPolicyOptions",
            "topologyManagerPolicyOptions act only under another policy than none",
            "set topologyManagerPolicy, for example best-effort, or leave the options out",
            stricter=True,
        )
    if policy == "none":
        return
    for name, value in options.items():
        yield from _option(name, value)
    if host is not None:
        yield from _on_host(options, host)


def _option(name: str, value: str) -> Iterator[Refusal]:
    place = f"topologyManagerPolicyOptions.{name}"
    if name not in _OPTIONS:
        yield Refusal(place, f"{name!r} is no option of the topology manager's policies", nearest(name, _OPTIONS))
    elif name == "prefer-closest-numa-nodes" and switch(value) is None:
        yield Refusal(place, f"{name} is {value}", "write true or false")
    elif name == "max-allowable-numa-nodes" and (_number(value) or 0) < FEWEST_NUMA_NODES:
        yield Refusal(
            place,
            f"{name} is {value}, and the kubelet takes numbers from {FEWEST_NUMA_NODES} only",
            "leave it out, or write the number of NUMA nodes of the largest host",
        )


def _number(value: str) -> int | None:
    return int(value) if re.fullmatch(r"[+-]?\d+", value, re.ASCII) else None


def _on_host(options: dict[str, str], host: KubeletHost) -> Iterator[Refusal]:
    most = _number(options.get("max-allowable-numa-nodes", str(FEWEST_NUMA_NODES)))
    if most is not None and len(host.numa) > most >= FEWEST_NUMA_NODES:
        yield Refusal(
            "topologyManagerPolicyOptions.max-allowable-numa-nodes",
            f"the host has {len(host.numa)} NUMA nodes, and the topology manager starts on {most} at most",
            f"write max-allowable-numa-nodes: '{len(host.numa)}' in topologyManagerPolicyOptions",
        )
    if switch(options.get("prefer-closest-numa-nodes", "false")) and not host.distances:
        yield Refusal(
            "topologyManagerPolicyOptions.prefer-closest-numa-nodes",
            "prefer-closest-numa-nodes needs the distances between NUMA nodes, and the host's kernel tells none",
            "leave the option out",
        )
