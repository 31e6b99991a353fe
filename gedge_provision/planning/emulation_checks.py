"""What must hold for the emulated nodes of a lab, beyond what each field shows alone. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from gedge_provision.models.documents import Path, Problem
from gedge_provision.models.emulation import EmulatedNode
from gedge_provision.models.site import Lab, Site

__all__ = ["check_emulated"]

_LEAST_MEMORY = 1 << 30
_MOST_CPUS = 32


def check_emulated(site: Site) -> Iterator[Problem]:
    """Yield everything that is wrong with emulated nodes whose fields are valid one by one."""
    if site.lab is None:
        return
    roles = {node.name: node.roles for node in site.nodes}
    for name, hardware in site.lab.emulated.items():
        path: Path = ("lab", "emulated", name)
        if name not in roles:
            yield Problem(path, f"there is no node {name}", "add it to nodes, or remove it here")
        elif "control_plane" in roles[name]:
            yield Problem(
                path,
                f"{name} is a control-plane node: etcd and the API server are too slow on an emulated processor",
                "emulate workers only",
            )
        yield from _shape(path, hardware)
    yield from _without_cards(site, site.lab)


def _without_cards(site: Site, lab: Lab) -> Iterator[Problem]:
    """Yield nodes that have no network card with SR-IOV; what an emulated card cannot do its host tells, as others."""
    for index, node in enumerate(site.nodes):
        node_class = site.node_classes.get(node.node_class)
        hardware = lab.emulated.get(node.name)
        policies = [policy.name for policy in node_class.sriov if policy.owner == "host"] if node_class else []
        if not policies or (hardware and hardware.nics_per_numa_node):
            continue
        yield Problem(
            ("nodes", index, "node_class"),
            f"{node.name} has no network card with SR-IOV, which policy {policies[0]} of its class needs",
            f"set lab.emulated.{node.name}.nics_per_numa_node"
            if hardware
            else "give it another class, or add it to lab.emulated",
        )


def _shape(path: Path, hardware: EmulatedNode) -> Iterator[Problem]:
    cpus = hardware.sockets * hardware.cores * hardware.threads
    if cpus > _MOST_CPUS:
        yield Problem(path, f"{cpus} CPUs are more than emulation can carry", f"use {_MOST_CPUS} at most")
    if hardware.sockets % hardware.numa_nodes:
        yield Problem(
            (*path, "numa_nodes"),
            f"{hardware.numa_nodes} NUMA nodes cannot share {hardware.sockets} sockets evenly",
            "use as many NUMA nodes as sockets, or a divisor of that",
        )
    if hardware.memory.amount < _LEAST_MEMORY:
        yield Problem((*path, "memory"), f"{hardware.memory} is too little for a node", "use 1Gi or more")
