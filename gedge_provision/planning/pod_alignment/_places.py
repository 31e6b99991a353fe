"""Whether what belongs together lies on one NUMA node: CPUs, memory and devices of a container, or of a pod.

What counts as one is what the topology manager aligns (its scope). Its policy decides how bad it is: `single-numa-node`
admits nothing else, `restricted` nothing else where one NUMA node could hold it all, the others promise nothing.
Source: Kubernetes documentation, "Control Topology Management Policies on a Node".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from gedge_provision.models.cpusets import format_cpuset
from gedge_provision.models.pod_alignment import ContainerHolding, Remark, RemarkKind, Severity
from gedge_provision.models.pod_resources import HeldDevices, HeldMemory, NodeResources
from gedge_provision.models.topology import Topology

__all__ = ["place_remarks"]

_SINGLE = "single-numa-node"
_NEW_PODS = "delete the pod, so that the kubelet places it anew: a policy counts for pods that come after it"
_LESS = "if that matters, ask for no more than one NUMA node has"
_POLICY = "if that matters, let the kubelet see to it: cpus: {profile: pinned-numa}, or topology_manager_policy"


@dataclass(frozen=True)
class _Unit:
    """What is to lie together: a container (or a pod, `container` is empty then) and all that it owns."""

    pod: str
    container: str
    cpus: frozenset[int]
    cpu_nodes: frozenset[int]
    memory: tuple[HeldMemory, ...]
    devices: tuple[HeldDevices, ...]


def place_remarks(holdings: Sequence[ContainerHolding], topology: Topology, told: NodeResources) -> Iterator[Remark]:
    """Yield what lies apart."""
    whole_pods = told.kubelet.scope == "pod" and told.kubelet.topology != "none"
    for unit in _pods(holdings) if whole_pods else map(_container, holdings):
        fits = any(_fits(unit, node.id, topology, told) for node in topology.numa)
        for kind, message in _apart(unit, topology, told):
            severity, remedy = _judge(told.kubelet.topology, fits=fits)
            yield Remark(
                severity=severity, kind=kind, pod=unit.pod, container=unit.container, message=message, remedy=remedy
            )


def _judge(policy: str, *, fits: bool) -> tuple[Severity, str]:
    if policy == _SINGLE or (policy == "restricted" and fits):
        return "error", _NEW_PODS
    return "note", _POLICY if fits else _LESS


def _container(holding: ContainerHolding) -> _Unit:
    return _Unit(
        holding.full_name,
        holding.container,
        holding.cpus,
        frozenset(holding.numa_nodes),
        holding.memory,
        holding.devices,
    )


def _pods(holdings: Sequence[ContainerHolding]) -> Iterator[_Unit]:
    for pod, members in groupby(map(_container, holdings), key=lambda unit: unit.pod):
        units = list(members)
        yield _Unit(
            pod,
            units[0].container if len(units) == 1 else "",
            frozenset(cpu for unit in units for cpu in unit.cpus),
            frozenset(node for unit in units for node in unit.cpu_nodes),
            tuple(memory for unit in units for memory in unit.memory),
            tuple(devices for unit in units for devices in unit.devices),
        )


def _apart(unit: _Unit, topology: Topology, told: NodeResources) -> Iterator[tuple[RemarkKind, str]]:
    """Yield what lies apart from what, worst first."""
    known = [devices for devices in unit.devices if devices.numa_nodes]
    if not unit.cpu_nodes:
        places = [set(held.numa_nodes) for held in known] + [set(held.numa_nodes) for held in unit.memory]
        if known and not set.intersection(*places):
            yield "devices-apart", f"it has {_listed(known, unit.memory)}"
        return
    cpus = f"its CPUs {format_cpuset(unit.cpus)} are on {_nodes(unit.cpu_nodes)}"
    if len(unit.cpu_nodes) > 1 and _cpus_fit(unit, topology, told):
        yield "cpus-spread", f"{cpus}, though one NUMA node could hold {len(unit.cpus)}"
    elif len(unit.cpu_nodes) > 1 and told.kubelet.topology == _SINGLE:
        yield "cpus-spread", f"{cpus}, against {_SINGLE}"
    if far := [devices for devices in known if not unit.cpu_nodes & set(devices.numa_nodes)]:
        yield "devices-apart", f"{cpus}, but it has {_listed(far, ())}"
    if far_memory := [memory for memory in unit.memory if set(memory.numa_nodes) - unit.cpu_nodes]:
        yield "memory-apart", f"{cpus}, but it has {_listed((), far_memory)}"


def _cpus_fit(unit: _Unit, topology: Topology, told: NodeResources) -> bool:
    return any(len(node.cpus & told.allocatable.cpus) >= len(unit.cpus) for node in topology.numa)


def _fits(unit: _Unit, node: int, topology: Topology, told: NodeResources) -> bool:
    """Tell whether a NUMA node could hold all that a unit owns, if nobody else were there."""
    room = told.allocatable
    found = topology.node(node)
    cpus = len(found.cpus & room.cpus) if found else 0
    near: Counter[str] = Counter()
    for devices in room.devices:
        near[devices.resource] += len(devices.ids) if node in devices.numa_nodes or not devices.numa_nodes else 0
    wanted: Counter[str] = Counter()
    for devices in unit.devices:
        wanted[devices.resource] += len(devices.ids)
    for memory in room.memory:
        near[memory.kind] += memory.bytes if node in memory.numa_nodes else 0
    for memory in unit.memory:
        wanted[memory.kind] += memory.bytes
    return cpus >= len(unit.cpus) and wanted <= near


def _listed(devices: Sequence[HeldDevices], memory: Sequence[HeldMemory]) -> str:
    """Return things with their places."""
    parts = [f"{held.resource} ({', '.join(held.ids)}) on {_nodes(held.numa_nodes)}" for held in devices]
    parts += [f"{held.kind} of {held.bytes >> 20} MiB on {_nodes(held.numa_nodes)}" for held in memory]
    return ", ".join(parts)


def _nodes(numbers: frozenset[int] | tuple[int, ...]) -> str:
    """Return NUMA nodes in words."""
    listed = [str(number) for number in sorted(numbers)]
    return f"NUMA node {listed[0]}" if len(listed) == 1 else f"NUMA nodes {', '.join(listed[:-1])} and {listed[-1]}"
