"""On which nodes probe pods try which attachments."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from gedge_provision.models.attachments import Attachment
from gedge_provision.models.cluster import NodeState
from gedge_provision.models.site import Site
from gedge_provision.planning.attachments import holders

__all__ = ["ProbePlan", "ProbePod", "choose_probes"]


@dataclass(frozen=True)
class ProbePod:
    """A pod with one attachment.

    Attributes:
        name: its name.
        attachment: the attachment.
        definition: name of the copy of its definition.
        node: the node.
        address: the address that it asks for, with prefix length; empty where the attachment gives one.
        mtu: the MTU that the site file promises, 0 for none.
    """

    name: str
    attachment: Attachment
    definition: str
    node: str
    address: str = ""
    mtu: int = 0

    @property
    def network(self) -> str:
        """The attachment as namespace/name."""
        return f"{self.attachment.namespace}/{self.attachment.name}"


@dataclass(frozen=True)
class ProbePlan:
    """The pods that run at a time, one wave after the other, and what is left out with the reason."""

    waves: tuple[tuple[ProbePod, ...], ...]
    left_out: tuple[str, ...]

    @property
    def pods(self) -> tuple[ProbePod, ...]:
        """The pods of all waves."""
        return tuple(pod for wave in self.waves for pod in wave)


_OF_A_NODE = 4
"""Probe pods that a node has at a time, so that neither its CPUs nor its devices are all taken by them."""


def choose_probes(site: Site, live: Mapping[str, NodeState], free: Mapping[str, Mapping[str, Decimal]]) -> ProbePlan:
    """Return a pod for each attachment on a node of each class, and one more to talk to.

    The other pod is on another node where the network crosses nodes. Nodes that are not ready, and devices that pods
    have, are left out.

    Args:
        site: the site.
        live: the cluster's nodes by name.
        free: what each node has left, by its name.
    """
    waves: list[list[ProbePod]] = [[]]
    left_out: list[str] = []
    rest = {name: dict(amounts) for name, amounts in free.items()}
    for index, one in enumerate(site.networks.attachments):
        network = f"{one.namespace}/{one.name}"
        slug = f"{index}-{re.sub(r'[^a-z0-9]+', '-', one.name)[:30].strip('-')}"
        if one.device:
            left_out.append(f"{network}: a pod would take {one.device} off the host")
            continue
        names = [name for name in holders(site, one) if name in live and live[name].ready]
        if not names:
            left_out.append(f"{network}: no node that has it is ready")
        nodes = _nodes(site, one, names)
        load = Counter(pod.node for pod in waves[-1]) + Counter(nodes)
        if waves[-1] and (max(load.values()) > _OF_A_NODE or not _has(rest, nodes, one.resource)):
            waves.append([])
            rest = {name: dict(amounts) for name, amounts in free.items()}
        for number, node in enumerate(nodes):
            if one.resource and not _take(rest[node], one.resource):
                left_out.append(f"{network}: no {one.resource} is free on {node}")
                continue
            waves[-1].append(
                ProbePod(f"{slug}-{number}", one, slug, node, _address(one, index, number), _mtu(site, one, node))
            )
    return ProbePlan(tuple(tuple(wave) for wave in waves if wave), tuple(left_out))


def _nodes(site: Site, one: Attachment, names: list[str]) -> list[str]:
    """Return the node of each pod: one of each class, and where there is one class only another of it."""
    classes = {node.name: node.node_class for node in site.nodes}
    firsts = list({classes[name]: name for name in reversed(names)}.values())[::-1]
    if not firsts or one.ipam.addresses:  # the same address twice would not do
        return firsts[:1]
    if one.type == "bridge":  # each node has its own
        return [firsts[0], *firsts]
    if len(firsts) > 1:
        return firsts
    others = [name for name in names if name not in firsts]
    alone = one.mode == "passthru"  # one pod has the whole interface
    return [*firsts, *(others[:1] or ([] if alone else firsts))]


def _mtu(site: Site, one: Attachment, node: str) -> int:
    classes = {found.name: site.node_classes[found.node_class] for found in site.nodes}
    policies = [policy for policy in classes[node].sriov if one.resource and policy.resource == one.resource]
    return one.mtu or next((policy.mtu for policy in policies if policy.mtu), 0)


def _has(rest: Mapping[str, Mapping[str, Decimal]], nodes: list[str], resource: str | None) -> bool:
    return resource is None or all(rest[node].get(resource, 0) >= number for node, number in Counter(nodes).items())


def _take(amounts: dict[str, Decimal], resource: str) -> bool:
    if amounts.get(resource, Decimal(0)) < 1:
        return False
    amounts[resource] -= 1
    return True


def _address(one: Attachment, index: int, number: int) -> str:
    """Return a link-local address (RFC 3927) where each pod names its own: nobody routes it, nobody else is asked."""
    named = one.ipam.type == "static" and not one.ipam.addresses
    return f"169.254.{index % 200 + 20}.{number + 1}/24" if named else ""
