"""From what is known of a node to the machine that its kubelet's managers see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from gedge_provision.models.alignment import Alignment, KubeletPolicies, NumaNode
from gedge_provision.models.topology import Topology
from gedge_provision.planning.admission._machine import MEMORY, Machine, Place, State
from gedge_provision.planning.admission._memory import untouched
from gedge_provision.planning.admission._take import take

__all__ = ["describe", "empty", "machine_of"]

_KIB = 2**10
_UNITS = ((2**20, "Gi"), (2**10, "Mi"), (1, "Ki"))


def describe(topology: Topology, policies: KubeletPolicies) -> Alignment:
    """Return what is known of a node by its topology and the configuration of its kubelet; no devices."""
    caches = dict(enumerate(topology.last_level_caches))
    numa = [
        NumaNode(
            id=node.id,
            cores=tuple(core.cpus for core in topology.cores if core.numa_node == node.id),
            sockets={
                socket: frozenset(cpu.id for cpu in topology.cpus if cpu.socket == socket and cpu.id in node.cpus)
                for socket in sorted({topology.by_id[cpu].socket for cpu in node.cpus})
            },
            caches={number: cache.cpus & node.cpus for number, cache in caches.items() if cache.cpus & node.cpus},
            memory_kib=node.memory_kib,
            distances=tuple(node.distances.values()),
        )
        for node in topology.numa
    ]
    pages = {node.id: {pages.size_kib: pages.total for pages in node.huge_pages} for node in topology.numa}
    return Alignment(numa=tuple(numa), policies=policies, huge_pages=pages)


def machine_of(known: Alignment, devices: Mapping[str, Mapping[str, tuple[int, ...]]] | None = None) -> Machine:
    """Return the machine that the managers of a node's kubelet see.

    Args:
        known: of the node.
        devices: NUMA nodes of each device, by resource and id; None for those that `known` counts.
    """
    cpus = {cpu: place for node in known.numa for cpu, place in _places(node)}
    numa = sorted(known.numa, key=lambda node: node.id)
    machine = Machine(
        cpus=dict(sorted(cpus.items())),
        nodes=tuple(node.id for node in numa),
        distances={node.id: node.distances for node in numa},
        memory={node.id: _memory(node, known) for node in numa},
        devices=devices if devices is not None else _counted(known),
        policies=known.policies,
        reserved=known.policies.reserved,
    )
    if machine.reserved or known.policies.cpu != "static":
        return machine
    return replace(machine, reserved=take(machine, frozenset(cpus), known.policies.reserved_cpus))


def empty(machine: Machine) -> State:
    """Return the state of a machine on which no pod owns anything."""
    return State(untouched(machine))


def _places(node: NumaNode) -> list[tuple[int, Place]]:
    sockets = {cpu: socket for socket, cpus in node.sockets.items() for cpu in cpus}
    # Where the kernel tells of no caches, the kubelet takes a socket for one.
    caches = {cpu: cache for cache, cpus in node.caches.items() for cpu in cpus} or sockets
    return [
        (cpu, Place(core=min(core), socket=sockets[cpu], node=node.id, cache=caches.get(cpu, sockets[cpu])))
        for core in node.cores
        for cpu in core
    ]


def _memory(node: NumaNode, known: Alignment) -> dict[str, int]:
    """Return the bytes that pods may have; huge pages are taken from plain memory."""
    reserved = known.policies.reserved_memory.get(node.id, {})
    pages = {huge_pages_of(size): size * number * _KIB for size, number in known.huge_pages.get(node.id, {}).items()}
    plain = node.memory_kib * _KIB - sum(pages.values())
    return {kind: size - reserved.get(kind, 0) for kind, size in {**pages, MEMORY: plain}.items()}


def huge_pages_of(size_kib: int) -> str:
    """Return the name of the resource for huge pages of a size: hugepages-2Mi."""
    unit, name = next((unit, name) for unit, name in _UNITS if size_kib % unit == 0)
    return f"hugepages-{size_kib // unit}{name}"


def _counted(known: Alignment) -> dict[str, dict[str, tuple[int, ...]]]:
    found: dict[str, dict[str, tuple[int, ...]]] = {}
    for node in known.numa:
        for resource, number in node.devices.items():
            found.setdefault(resource, {}).update({f"{node.id}-{place:04}": (node.id,) for place in range(number)})
    return found
