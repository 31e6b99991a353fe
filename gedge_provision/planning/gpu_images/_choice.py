"""Where the pod runs that looks into an image, and which GPU it asks for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from gedge_provision.models.cluster import NodeState
from gedge_provision.models.errors import GedgeError, UsageError
from gedge_provision.models.site import Site
from gedge_provision.planning.gpu_labels import gpu_section

__all__ = ["Place", "check_name", "choose_gpu", "choose_place", "possible_nodes"]

_RESOURCES = ("nvidia.com/gpu", "nvidia.com/gpu.shared")
_DIVIDED = "nvidia.com/mig-"
_SHOWN = 4


@dataclass(frozen=True)
class Place:
    """A node; and a resource, or None for no GPU."""

    node: str
    resource: str | None = None


def check_name(image: str) -> None:
    """Refuse what no node could pull, before the cluster is asked.

    Raises:
        UsageError: it is no name of an image.
    """
    if not re.fullmatch(r"[\w.:@/-]{1,512}", image, re.ASCII):
        raise UsageError(
            f"{image!r} is no image", place="IMAGE", remedy="write it as nodes pull it: registry.example.org/app:1.0"
        )


def possible_nodes(site: Site, classes: Sequence[str], node: str | None) -> tuple[str, ...]:
    """Return the nodes whose GPUs the pod may ask for: the one that was named, or those of the classes."""
    return (node,) if node else tuple(one.name for one in site.nodes if one.node_class in classes)


def choose_place(site: Site, live: Mapping[str, NodeState], classes: Sequence[str], node: str | None) -> Place:
    """Return where a pod runs that asks for no GPU: on a node of the classes if one is ready, for its driver.

    Args:
        site: the site.
        live: the cluster's nodes by name.
        classes: the classes that are asked about.
        node: the node that was named.

    Raises:
        GedgeError: the node is not there or not ready, or none is.
    """
    if node is not None:
        _check_node(live, node)
        return Place(node)
    for name in (*possible_nodes(site, classes, None), *(one.name for one in site.nodes)):
        if name in live and live[name].ready and not live[name].spec.unschedulable:
            return Place(name)
    raise GedgeError("no node is ready", place=f"site {site.name}", remedy="see why: gedge status, gedge verify")


def choose_gpu(
    site: Site, live: Mapping[str, NodeState], free: Mapping[str, Mapping[str, Decimal]], node: str | None
) -> Place:
    """Return where a pod runs that asks for a GPU, and for which resource.

    Args:
        site: the site.
        live: the cluster's nodes by name.
        free: what no pod has asked for, of the nodes whose GPUs may be asked for.
        node: the node that was named.

    Raises:
        UsageError: GPUs of this site are not asked for as a resource.
        GedgeError: the node is not there or not ready, or no GPU is free.
    """
    if node is not None:
        _check_node(live, node)
    if gpu_section(site).allocation == "dra":
        raise UsageError(
            "this site gives GPUs by claims, and the pod would ask for a resource", remedy="leave --on-gpu out"
        )
    for name, amounts in free.items():
        if live[name].ready and (resource := _free_gpu(amounts)):
            return Place(name, resource)
    raise GedgeError(
        "no GPU is free",
        place=", ".join([*list(free)[:_SHOWN], *["..."][: len(free) > _SHOWN]]),
        remedy="gedge topology pods shows who has them; a node that offers none: gedge verify; or leave --on-gpu out",
    )


def _check_node(live: Mapping[str, NodeState], node: str) -> None:
    if node not in live:
        raise GedgeError("the cluster has no such node", place=node, remedy="join it: gedge apply")
    if not live[node].ready:
        raise GedgeError("the node is not ready", place=node, remedy="see why: gedge status, gedge verify")


def _free_gpu(free: Mapping[str, Decimal]) -> str | None:
    """Return a resource of GPUs that a node has one of: whole ones first, then shared ones, then parts."""
    parts = sorted(name for name in free if name.startswith(_DIVIDED))
    return next((name for name in (*_RESOURCES, *parts) if free.get(name, Decimal(0)) >= 1), None)
