"""Which CPUs are reserved for the system, Kubernetes and interrupts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gedge_provision.models.cpu_intent import CpuIntent
from gedge_provision.models.cpu_plan import Decision, Infeasible
from gedge_provision.models.cpusets import format_cpuset, parse_cpuset
from gedge_provision.models.kubelet import KubeletSettings
from gedge_provision.models.quantities import Quantity
from gedge_provision.models.topology import Core, Device, Topology
from gedge_provision.models.wording import counted

__all__ = ["DEFAULT_CPU", "Reserved", "kubelet_pick", "reserve", "reserved_amount", "used_devices"]

DEFAULT_CPU = Quantity("500m")
"""Reserved for Kubernetes where nothing is said."""


@dataclass(frozen=True)
class Reserved:
    """The reserved CPUs, with the choices that led to them and what is in the way."""

    cpus: frozenset[int]
    decisions: tuple[Decision, ...] = ()
    problems: tuple[Infeasible, ...] = ()


def reserved_amount(settings: KubeletSettings) -> Quantity:
    """Return the CPU time that is reserved, for the system and for Kubernetes together."""
    given = [value for value in (settings.kube_reserved.cpu, settings.system_reserved.cpu) if value is not None]
    return sum(given[1:], given[0]) if given else DEFAULT_CPU


def used_devices(topology: Topology, intent: CpuIntent) -> tuple[Device, ...]:
    """Return the devices that matter: of the kinds asked for, physical ones, with a place that is known."""
    nodes = {node.id for node in topology.numa if node.cpus}
    return tuple(
        device
        for device in topology.devices
        if device.kind in intent.devices and not device.physical_function and device.numa_node in nodes
    )


def kubelet_pick(topology: Topology, number: int) -> frozenset[int]:
    """Return the CPUs that the kubelet's static policy reserves by itself when it is told an amount only.

    It takes whole cores in the order of their numbers, then single CPUs; whole is a core with as many CPUs as cores
    have on the average, rounded down (takeByTopology in pkg/kubelet/cm/cpumanager/cpu_assignment.go, Kubernetes 1.36,
    on a machine where nothing is taken; compared with that code in tests/kubelet_rules).
    """
    average = len(topology.online) // len(topology.cores)
    cores = sorted(topology.cores, key=lambda core: (core.socket, core.numa_node, min(core.cpus)))
    taken: list[int] = []
    for core in cores:
        if len(core.cpus) == average <= number - len(taken):
            taken += core.cpus
    for core in cores:
        taken += sorted(core.cpus - set(taken))[: number - len(taken)]
    return frozenset(taken)


def reserve(topology: Topology, intent: CpuIntent, settings: KubeletSettings, *, full_cores: bool) -> Reserved:
    """Choose the reserved CPUs of a host whose pods own CPUs."""
    if settings.reserved_system_cpus is not None:
        return _given(topology, settings.reserved_system_cpus, full_cores=full_cores)
    amount = reserved_amount(settings)
    wanted = math.ceil(amount.amount)
    spread = intent.spread or ("numa" if intent.profile == "pinned-numa" else "packed")
    must, places = _order(topology, intent, spread)
    units = [unit for core in places for unit in _units(core, full_cores=full_cores)]
    needed = [unit for core in must for unit in _units(core, full_cores=full_cores)[:1]]
    units = [*needed, *(unit for unit in units if unit not in needed)]
    taken: set[int] = set()
    for place, unit in enumerate(units):
        if place >= len(needed) and len(taken) >= wanted:
            break
        taken |= unit
    if len(taken) >= len(topology.online):
        return Reserved(frozenset(taken), problems=(_too_much(topology, units, len(needed), amount, full_cores),))
    noun = "core" if full_cores else "CPU"
    why = [f"{amount} of CPU time is reserved, {counted(wanted, 'CPU')} rounded up"]
    if full_cores and len(taken) > wanted:
        why.append("by whole cores, so that no pod shares one with the system")
    decisions = [Decision(subject="reserved CPUs", choice=format_cpuset(taken), reason="; ".join(why))]
    decisions += _placement(topology, intent, spread, must, noun, frozenset(taken))
    return Reserved(frozenset(taken), tuple(decisions))


def _units(core: Core, *, full_cores: bool) -> list[frozenset[int]]:
    """Return what is reserved at once: a core, or each of its CPUs."""
    return [core.cpus] if full_cores else [frozenset({cpu}) for cpu in sorted(core.cpus)]


def _order(topology: Topology, intent: CpuIntent, spread: str) -> tuple[list[Core], list[Core]]:
    """Return the cores that must be reserved, and all cores in the order in which they are; not by their numbers.

    The order does not depend on how much is reserved: who reserves more reserves the same cores, and others.
    """
    boot = next(core for core in topology.cores if min(topology.online) in core.cpus)
    first = topology.node(boot.numa_node)
    distances = first.distances if first else {}
    nodes = sorted({core.numa_node for core in topology.cores}, key=lambda node: (distances.get(node, 0), node))
    by_node = {
        # Efficiency cores suffice for the system; the core that the machine booted on has work that cannot leave it.
        node: sorted(
            (core for core in topology.cores if core.numa_node == node),
            key=lambda core: (core.kind != "efficiency", core != boot),
        )
        for node in nodes
    }
    must = [boot] if intent.latency == "isolated" else []
    if spread == "numa":
        used = {device.numa_node for device in used_devices(topology, intent)}
        covered = {core.numa_node for core in must}
        must += [by_node[node][0] for node in nodes if node in used - covered]
    if spread == "packed":
        order = [core for node in nodes for core in by_node[node]]
    else:
        order = list(_in_turn([by_node[node] for node in nodes]))
    return must, order


def _in_turn(lists: Sequence[Sequence[Core]]) -> Iterator[Core]:
    for place in range(max(len(one) for one in lists)):
        yield from (one[place] for one in lists if place < len(one))


def _placement(  # noqa: PLR0913, PLR0917 - what the words are made of
    topology: Topology, intent: CpuIntent, spread: str, must: Sequence[Core], noun: str, taken: frozenset[int]
) -> Iterator[Decision]:
    nodes = sorted({topology.node_of[cpu] for cpu in taken})
    where = ", ".join(map(str, nodes))
    if len([node for node in topology.numa if node.cpus]) > 1:
        reason = "on as few NUMA nodes as possible" if spread == "packed" else "on the NUMA nodes in turn"
        yield Decision(subject="NUMA nodes of the reserved CPUs", choice=where, reason=reason)
    for node in sorted({device.numa_node for device in used_devices(topology, intent)} & set(nodes)):
        names = [
            d.interfaces[0] if d.interfaces else d.address
            for d in used_devices(topology, intent)
            if d.numa_node == node
        ]
        if spread == "numa":
            yield Decision(
                subject=f"a {noun} on NUMA node {node}",
                choice=format_cpuset(cpu for cpu in taken if topology.node_of[cpu] == node),
                reason=f"takes the interrupts of {', '.join(names)} without a way to another node",
            )
    if must and intent.latency == "isolated":
        yield Decision(
            subject="the core of the boot CPU",
            choice=format_cpuset(must[0].cpus),
            reason="keeps the time for all others (the kernel refuses nohz_full for it)",
        )
    if any(core.kind == "efficiency" for core in topology.cores):
        chosen = [core for core in topology.cores if core.cpus & taken and core.kind == "efficiency"]
        yield Decision(
            subject="kind of the reserved cores",
            choice=f"{len(chosen)} efficiency",
            reason="the system does not need performance cores, services do",
        )


def _too_much(
    topology: Topology, units: Sequence[frozenset[int]], least: int, amount: Quantity, full_cores: bool
) -> Infeasible:
    """Say that nothing is left for pods, and how little has to change."""
    online = len(topology.online)
    if len(units) > max(least, 1):
        most = online - len(units[-1])
        return Infeasible(
            f"{amount} of CPU time are reserved, and of {counted(online, 'CPU')} none is left for pods",
            f"reserve at most {most} (kubelet.kube_reserved.cpu and system_reserved.cpu together)",
        )
    if full_cores and online > 1:
        return Infeasible(
            f"the one core of this host has {counted(online, 'CPU')}: reserved as a whole, none is left for pods",
            "set full_cores: false, and pods share the core with the system; or choose the profile shared",
        )
    if least > 1:
        return Infeasible(
            f"each of {least} NUMA nodes must keep a core for its devices, and there are no others",
            "set spread: packed, or name fewer kinds of devices",
        )
    return Infeasible("this host has one CPU, which the system needs", "choose the profile shared, or a larger host")


def _given(topology: Topology, text: str, *, full_cores: bool) -> Reserved:
    """Check a list that was written by hand."""
    cpus = parse_cpuset(text)
    problems = []
    if missing := cpus - topology.online:
        away = missing & topology.offline
        what = (
            f"are offline: {format_cpuset(away)}"
            if away == missing
            else f"do not exist: {format_cpuset(missing - away)}"
        )
        problems.append(
            Infeasible(
                f"reserved_system_cpus is {text}, and of these CPUs some {what}; online are "
                f"{format_cpuset(topology.online)}",
                f"write {format_cpuset(cpus & topology.online) or format_cpuset(topology.cores[0].cpus)}",
            )
        )
    whole = topology.siblings_of(cpus)
    if full_cores and (torn := whole - cpus):
        problems.append(
            Infeasible(
                f"reserved_system_cpus is {text}, but CPUs {format_cpuset(torn)} share cores with them and would be "
                "left to pods",
                f"write {format_cpuset(whole)}, or set full_cores: false",
            )
        )
    if cpus >= topology.online:
        problems.append(
            Infeasible(
                f"reserved_system_cpus is {text}: no CPU is left for pods",
                f"leave out a core, as {format_cpuset(topology.cores[-1].cpus)}",
            )
        )
    decision = Decision(subject="reserved CPUs", choice=format_cpuset(cpus), reason="written so (reserved_system_cpus)")
    return Reserved(cpus & topology.online, (decision,), tuple(problems))
