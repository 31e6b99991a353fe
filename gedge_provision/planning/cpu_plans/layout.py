"""A host as people draw it: sockets, NUMA nodes, caches, cores, the use of each CPU, devices beside their node."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from gedge_provision.models.cpu_plan import CpuPlan
from gedge_provision.models.topology import Core, Device, NumaNode, Topology
from gedge_provision.models.wording import counted

__all__ = ["CacheGroup", "CpuUse", "DrawnCore", "DrawnNode", "DrawnSocket", "lay_out", "summary", "uses"]

CpuUse = Literal["reserved", "isolated", "shared"]


@dataclass(frozen=True)
class DrawnCore:
    """A core: its CPUs with what they are for."""

    cpus: tuple[tuple[int, CpuUse], ...]
    efficient: bool


@dataclass(frozen=True)
class CacheGroup:
    """Cores that share a last-level cache; `size_kib` is 0 where none is told."""

    level: int
    size_kib: int
    cores: tuple[DrawnCore, ...]


@dataclass(frozen=True)
class DrawnNode:
    """A NUMA node, as much of it as is in one socket."""

    node: NumaNode
    groups: tuple[CacheGroup, ...]
    devices: tuple[Device, ...]


@dataclass(frozen=True)
class DrawnSocket:
    """A socket with its NUMA nodes; `number` is None for nodes without CPUs and devices without a place."""

    number: int | None
    nodes: tuple[DrawnNode, ...]
    devices: tuple[Device, ...] = ()


def uses(topology: Topology, plan: CpuPlan | None) -> dict[int, CpuUse]:
    """Return what each online CPU is for: by the plan, else as the host is now."""
    reserved = plan.reserved if plan else frozenset()
    isolated = plan.isolated if plan else topology.isolated | topology.nohz_full
    return {
        cpu: "reserved" if cpu in reserved else "isolated" if cpu in isolated else "shared" for cpu in topology.online
    }


def lay_out(topology: Topology, plan: CpuPlan | None = None) -> tuple[DrawnSocket, ...]:
    """Return what is drawn, in the order in which it is."""
    use = uses(topology, plan)
    physical = [device for device in topology.devices if not device.physical_function]
    sockets = tuple(DrawnSocket(number, tuple(_nodes(topology, number, use, physical))) for number in topology.sockets)
    bare = tuple(
        DrawnNode(node, (), tuple(device for device in physical if device.numa_node == node.id))
        for node in topology.numa
        if not node.cpus
    )
    known = {node.id for node in topology.numa}
    homeless = tuple(device for device in physical if device.numa_node not in known)
    return (*sockets, DrawnSocket(None, bare, homeless)) if bare or homeless else sockets


def _nodes(topology: Topology, socket: int, use: dict[int, CpuUse], devices: Iterable[Device]) -> Iterable[DrawnNode]:
    for node in topology.numa:
        cores = [core for core in topology.cores if core.socket == socket and core.numa_node == node.id]
        if not cores:
            continue
        first = socket == min(topology.by_id[cpu].socket for cpu in node.cpus)  # of a node that spans sockets
        own = tuple(device for device in devices if first and device.numa_node == node.id)
        yield DrawnNode(node, tuple(_groups(topology, cores, use)), own)


def _groups(topology: Topology, cores: list[Core], use: dict[int, CpuUse]) -> Iterable[CacheGroup]:
    left = list(cores)
    for cache in topology.last_level_caches:
        inside = [core for core in left if core.cpus & cache.cpus]
        if inside:
            left = [core for core in left if core not in inside]
            yield CacheGroup(cache.level, cache.size_kib, tuple(_drawn(core, use) for core in inside))
    if left:
        yield CacheGroup(0, 0, tuple(_drawn(core, use) for core in left))


def _drawn(core: Core, use: dict[int, CpuUse]) -> DrawnCore:
    return DrawnCore(tuple((cpu, use[cpu]) for cpu in sorted(core.cpus)), core.kind == "efficiency")


def summary(topology: Topology) -> str:
    """Return a host in a line: processor, sockets, NUMA nodes, cores, CPUs."""
    threads = topology.threads_per_core
    parts = [
        f"{topology.processor}, {topology.architecture}" if topology.processor else topology.architecture,
        counted(len(topology.sockets), "socket"),
        counted(len(topology.numa), "NUMA node"),
        counted(len(topology.cores), "core"),
        counted(len(topology.online), "CPU"),
        "no SMT" if threads == (1,) else f"{' or '.join(map(str, threads))} threads a core",
    ]
    if any(core.kind == "efficiency" for core in topology.cores):
        parts.append(f"{sum(core.kind == 'efficiency' for core in topology.cores)} of the cores for efficiency")
    return ", ".join(parts)
