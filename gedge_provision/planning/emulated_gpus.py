"""Emulated GPUs of a site: which classes have them, and what their nodes offer. Pure."""

from __future__ import annotations

from collections import Counter
from typing import Any

from gedge_provision.models.emulated_gpus import EmulatedGpus
from gedge_provision.models.site import NodeClass, Site

__all__ = [
    "EMULATED_GPUS",
    "EMULATED_GPUS_LABEL",
    "emulated_by_numa_node",
    "emulated_classes",
    "emulated_gpu_variables",
    "emulated_resources",
]

EMULATED_GPUS = "emulated_gpus"
EMULATED_GPUS_LABEL = "gedge.dev/emulated-gpus"
"""Label of nodes whose GPUs are emulated, so that nobody takes them for real ones."""


def emulated_classes(site: Site) -> list[str]:
    """Return the classes of nodes with emulated GPUs."""
    used = {node.node_class for node in site.nodes}
    return [name for name in sorted(used) if name in site.node_classes and site.node_classes[name].emulated_gpus]


def emulated_resources(node_class: NodeClass) -> dict[str, int]:
    """Return how many devices of each emulated resource a node of a class offers."""
    return {one.resource: one.count * one.slices for one in node_class.emulated_gpus}


def emulated_by_numa_node(node_class: NodeClass) -> dict[str, dict[str, int]]:
    """Return how many devices of each resource are on which NUMA node (as text: it becomes JSON); of those with one."""
    found: dict[str, dict[str, int]] = {}
    for one in node_class.emulated_gpus:
        for number, count in sorted(_places(one).items()):
            found.setdefault(str(number), {})[one.resource] = count
    return found


def _places(one: EmulatedGpus) -> Counter[int]:
    """Return devices by NUMA node, in turn as the device plugin puts them."""
    turns = range(one.count if one.numa_nodes else 0)
    gpus = Counter(one.numa_nodes[number % len(one.numa_nodes)] for number in turns)
    return Counter({node: count * one.slices for node, count in gpus.items()})


def emulated_gpu_variables(site: Site) -> dict[str, Any]:
    """Return the role's variables, and what is known of each node's alignment."""
    return {
        "emulated_gpu_classes": [
            {
                "name": name,
                "resources": [one.model_dump(mode="json") for one in site.node_classes[name].emulated_gpus],
            }
            for name in emulated_classes(site)
        ],
        "gedge_emulated_gpus": {
            node.name: places
            for node in site.nodes
            if (places := emulated_by_numa_node(site.node_classes[node.node_class]))
        },
    }
