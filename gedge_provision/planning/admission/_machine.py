"""A machine as the kubelet's managers see it, and what its pods own of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from gedge_provision.models.alignment import KubeletPolicies

__all__ = ["MEMORY", "Block", "Machine", "MemoryNode", "Place", "State"]

MEMORY = "memory"
"""Plain memory, among kinds such as hugepages-1Gi."""


@dataclass(frozen=True)
class Place:
    """Where a CPU is: its core (by the lowest of its CPUs), socket, NUMA node and last-level cache."""

    core: int
    socket: int
    node: int
    cache: int


@dataclass(frozen=True)
class Machine:
    """A machine and the policies of its kubelet.

    Attributes:
        cpus: the place of each CPU that is online.
        nodes: the NUMA nodes, those without CPUs too.
        distances: of each NUMA node to each of `nodes`; empty where the kernel tells of none.
        memory: bytes that pods may have of each NUMA node, by kind.
        devices: the NUMA nodes that each device is near, by resource and id.
        policies: of its kubelet.
        reserved: CPUs that no pod may own.
    """

    cpus: Mapping[int, Place]
    nodes: tuple[int, ...]
    distances: Mapping[int, tuple[int, ...]]
    memory: Mapping[int, Mapping[str, int]]
    devices: Mapping[str, Mapping[str, tuple[int, ...]]]
    policies: KubeletPolicies
    reserved: frozenset[int]

    @cached_property
    def cpus_of_node(self) -> Mapping[int, frozenset[int]]:
        """The CPUs of each NUMA node that has any."""
        return _grouped(self.cpus, {cpu: place.node for cpu, place in self.cpus.items()})

    @cached_property
    def cpus_of_socket(self) -> Mapping[int, frozenset[int]]:
        """The CPUs of each socket."""
        return _grouped(self.cpus, {cpu: place.socket for cpu, place in self.cpus.items()})

    @cached_property
    def cpus_of_core(self) -> Mapping[int, frozenset[int]]:
        """The CPUs of each core."""
        return _grouped(self.cpus, {cpu: place.core for cpu, place in self.cpus.items()})

    @cached_property
    def cpus_of_cache(self) -> Mapping[int, frozenset[int]]:
        """The CPUs of each last-level cache."""
        return _grouped(self.cpus, {cpu: place.cache for cpu, place in self.cpus.items()})

    @property
    def threads(self) -> int:
        """CPUs of a core, on average and rounded down: the kubelet reckons so where cores differ."""
        return len(self.cpus) // len(self.cpus_of_core)

    @cached_property
    def reserved_cores(self) -> frozenset[int]:
        """The reserved CPUs with all that share their cores."""
        cores = {self.cpus[cpu].core for cpu in self.reserved}
        return frozenset(cpu for cpu, place in self.cpus.items() if place.core in cores)


def _grouped(cpus: Mapping[int, Place], places: Mapping[int, int]) -> Mapping[int, frozenset[int]]:
    found: dict[int, set[int]] = {}
    for cpu in cpus:
        found.setdefault(places[cpu], set()).add(cpu)
    return {number: frozenset(found[number]) for number in sorted(found)}


@dataclass(frozen=True)
class Block:
    """Memory of one kind that a container owns, from these NUMA nodes together; in bytes."""

    kind: str
    size: int
    nodes: tuple[int, ...]


@dataclass(frozen=True)
class MemoryNode:
    """A NUMA node as the memory manager keeps it: free bytes by kind, the group that it gives with, and blocks."""

    free: Mapping[str, int]
    group: tuple[int, ...]
    blocks: int = 0


@dataclass(frozen=True)
class State:
    """What pods own: CPUs and memory by pod and container, devices by resource too; and what is left of memory."""

    memory: Mapping[int, MemoryNode]
    cpus: Mapping[tuple[str, str], frozenset[int]] = field(default_factory=dict)
    blocks: Mapping[tuple[str, str], tuple[Block, ...]] = field(default_factory=dict)
    devices: Mapping[tuple[str, str, str], frozenset[str]] = field(default_factory=dict)

    @property
    def owned_cpus(self) -> frozenset[int]:
        """CPUs that some container owns."""
        return frozenset(cpu for owned in self.cpus.values() for cpu in owned)

    def owned_devices(self, resource: str) -> frozenset[str]:
        """Return the devices of a resource that some container has."""
        return frozenset(one for (_, _, name), owned in self.devices.items() if name == resource for one in owned)
