"""Promises of secondary networks as the cluster keeps them: definitions, resources, ranges."""

from __future__ import annotations

import json

from gedge_provision.models.attachments import Attachment
from gedge_provision.planning.attachments import definition
from gedge_provision.planning.features import WHEREABOUTS, site_features
from gedge_provision.planning.verification._promise import Look, Promise, Verdict, verdict

__all__ = ["CLUSTER_ATTACHMENTS"]

_APPLY = "put it right: gedge apply"
_RESOURCE = "k8s.v1.cni.cncf.io/resourceName"


def _without_whereabouts(look: Look) -> str:
    return "" if WHEREABOUTS in site_features(look.site) else "no attachment takes its addresses from whereabouts"


def _without_attachments(look: Look) -> str:
    return "" if look.site.networks.attachments else "the site has no attachments"


def _name(one: Attachment) -> str:
    return f"{one.namespace}/{one.name}"


def _defined(look: Look) -> Verdict:
    live = {(found.metadata.namespace, found.metadata.name): found for found in look.snapshot.definitions}
    wrong = []
    for one in look.site.networks.attachments:
        found = live.get((one.namespace, one.name))
        made = definition(one)
        if found is None:
            wrong.append(f"{_name(one)} is missing")
        elif not _same(found.spec.config, made["spec"]["config"]):
            wrong.append(f"{_name(one)} has another configuration")
        elif found.metadata.annotations.get(_RESOURCE) != one.resource:
            wrong.append(f"{_name(one)} names the resource {found.metadata.annotations.get(_RESOURCE)}")
    return verdict(wrong, ", ".join(_name(one) for one in look.site.networks.attachments))


def _same(found: str, made: str) -> bool:
    try:
        return bool(json.loads(found) == json.loads(made))
    except ValueError:
        return False


def _offered(look: Look) -> Verdict:
    needed = {
        f"{found.metadata.namespace}/{found.metadata.name}": found.metadata.annotations[_RESOURCE]
        for found in look.snapshot.definitions
        if _RESOURCE in found.metadata.annotations
    }
    offered = {
        name for node in look.snapshot.nodes for name, number in node.status.allocatable.items() if number != "0"
    }
    wrong = [f"{who} names {what}, which no node offers" for who, what in needed.items() if what not in offered]
    return verdict(wrong, ", ".join(sorted(set(needed.values()))) or "no definition names a resource")


def _pools(look: Look) -> Verdict:
    taken = {pool.spec.range: len(pool.spec.allocations) for pool in look.snapshot.pools}
    wrong: list[str] = []
    said: list[str] = []
    for one in look.site.networks.attachments:
        if one.ipam.type == "whereabouts" and one.ipam.range is not None:
            used, size = taken.get(str(one.ipam.range), 0), _size(one)
            (wrong if used >= size else said).append(f"{_name(one)} {one.ipam.range}: {used} of {size} addresses taken")
    return verdict(wrong, "; ".join(said))


def _size(one: Attachment) -> int:
    """Return how many addresses whereabouts can give away: host addresses between start and end, but for exclusions."""
    network = one.ipam.range
    assert network is not None  # noqa: S101 - the caller's
    first = int(one.ipam.range_start or network.network_address + 1)
    last = int(one.ipam.range_end or network.broadcast_address - 1)
    holes = [
        range(max(first, int(hole.network_address)), min(last, int(hole.broadcast_address)) + 1)
        for hole in one.ipam.exclude
    ]
    return max(0, last - first + 1 - sum(len(hole) for hole in holes))


CLUSTER_ATTACHMENTS: tuple[Promise[Look], ...] = (
    Promise(
        "attachments-defined", "attachments",
        "Each attachment has its NetworkAttachmentDefinition, with its configuration and resource.",
        _APPLY, "cluster",
        lambda look: f"attachments {', '.join(_name(one) for one in look.site.networks.attachments)}",
        _defined, _without_attachments,
    ),
    Promise(
        "attachments-offered", "attachments",
        "Some node offers the resource that a NetworkAttachmentDefinition names, yours included.",
        "correct the annotation k8s.v1.cni.cncf.io/resourceName, or let a policy offer it; see sriov-resources",
        "cluster", lambda _: "each resource of attachments is offered", _offered,
    ),
    Promise(
        "attachments-pools", "attachments", "The ranges of whereabouts have free addresses.",
        "widen the range; addresses of pods that are gone: kubectl -n kube-system get ippools -o yaml", "cluster",
        lambda _: "whereabouts has free addresses", _pools, _without_whereabouts,
    ),
)  # fmt: skip
