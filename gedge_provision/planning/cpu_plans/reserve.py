"""Which CPUs are reserved for the system, Kubernetes and interrupts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from gedge_provision.models.cpu_intent import CpuIntent
from gedge_provision.models.cpu_plan import Decision, Infeasible
from gedge_provision.models.cpusets import format_cpuset, parse_cpuset
from gedge_provision.models.kubelet import KubeletSettings
from gedge_provision.models.quantities import Quantity
from gedge_provision.models.topology import Core, Device, Topology
from gedge_provision.models.wording import counted
from gedge_provision.planning.cpu_plans.written import DEFAULT_CPU

__all__ = ["Reserved", "kubelet_pick", "reserve", "reserved_amount", "used_devices", "without_full_cores"]

_SHARED = "choose the profile shared (without full_cores, spread and latency), or a larger host"
_TO_SHARED = {"cpus.profile": "shared", "cpus.full_cores": None, "cpus.spread": None, "cpus.latency": None}


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
        return _given(topology, intent, settings, full_cores=full_cores)
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
        return Reserved(
            frozenset(taken),
            problems=(_too_much(topology, intent, settings, units, len(needed), full_cores=full_cores),),
        )
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


def without_full_cores(intent: CpuIntent, settings: KubeletSettings) -> tuple[str, dict[str, Any]]:
    """Return the remedy that whole cores are not asked for any more, in words and as a change."""
    option: dict[str, Any] = {"kubelet.cpu_manager_policy_options.full-pcpus-only": None}
    if intent.profile == "shared":  # only the option asks for them there
        return "take full-pcpus-only out of cpu_manager_policy_options", option
    if "full-pcpus-only" not in settings.cpu_manager_policy_options:
        return "set full_cores: false", {"cpus.full_cores": False}
    remedy = "take full-pcpus-only out of cpu_manager_policy_options and set full_cores: false"
    return remedy, {**option, "cpus.full_cores": False}


def _too_much(  # noqa: PLR0913 - what the words are made of
    topology: Topology,
    intent: CpuIntent,
    settings: KubeletSettings,
    units: Sequence[frozenset[int]],
    least: int,
    *,
    full_cores: bool,
) -> Infeasible:
    """Say that nothing is left for pods, and how little has to change."""
    online = len(topology.online)
    if len(units) > max(least, 1):
        most = online - len(units[-1])
        return Infeasible(
            f"{reserved_amount(settings)} of CPU time are reserved, and of {counted(online, 'CPU')} none is left for "
            "pods",
            f"reserve at most {most} (kubelet.kube_reserved.cpu and system_reserved.cpu together)",
            {"kubelet.kube_reserved.cpu": str(most), "kubelet.system_reserved.cpu": None},
        )
    if full_cores and online > 1:
        remedy, change = without_full_cores(intent, settings)
        return Infeasible(
            f"the one core of this host has {counted(online, 'CPU')}: reserved as a whole, none is left for pods",
            f"{remedy}, and pods share the core with the system; or choose the profile shared",
            change,
        )
    if least > 1:
        return Infeasible(
            f"each of {least} NUMA nodes must keep a core for its devices, and there are no others",
            "set spread: packed, or name fewer kinds of devices",
            {"cpus.spread": "packed"},
        )
    return Infeasible("this host has one CPU, which the system needs", _SHARED, _TO_SHARED)


def _given(topology: Topology, intent: CpuIntent, settings: KubeletSettings, *, full_cores: bool) -> Reserved:
    """Check a list that was written by hand."""
    text = settings.reserved_system_cpus or ""
    cpus = parse_cpuset(text)
    boot = {min(topology.online)} if intent.latency == "isolated" else set()
    # One list for all that is wrong: two would contradict each other.
    remedy, change = _another_list(topology, intent, settings, cpus | boot, full_cores=full_cores)
    problems = []
    if missing := cpus - topology.online:
        away = missing & topology.offline
        what = (
            f"are offline: {format_cpuset(away)}"
            if away == missing
            else f"do not exist: {format_cpuset(missing - away)}"
        )
        message = f"of these CPUs some {what}; online are {format_cpuset(topology.online)}"
        problems.append(Infeasible(f"reserved_system_cpus is {text}, and {message}", remedy, change))
    if full_cores and (torn := topology.siblings_of(cpus) - cpus):
        message = f"CPUs {format_cpuset(torn)} share cores with them and would be left to pods"
        or_else = "" if len(change) > 1 else f", or {without_full_cores(intent, settings)[0]}"
        problems.append(Infeasible(f"reserved_system_cpus is {text}, but {message}", f"{remedy}{or_else}", change))
    if cpus >= topology.online:
        problems.append(Infeasible(f"reserved_system_cpus is {text}: no CPU is left for pods", remedy, change))
    if boot - cpus:
        message = f"CPU {format_cpuset(boot)}, which keeps the time for the others, cannot be isolated"
        problems.append(Infeasible(f"reserved_system_cpus is {text}, and {message}", remedy, change))
    decision = Decision(subject="reserved CPUs", choice=format_cpuset(cpus), reason="written so (reserved_system_cpus)")
    return Reserved(cpus & topology.online, (decision,), tuple(problems))


def _another_list(
    topology: Topology, intent: CpuIntent, settings: KubeletSettings, wanted: AbstractSet[int], *, full_cores: bool
) -> tuple[str, dict[str, Any]]:
    """Return the remedy of a list that cannot be reserved, in words and as a change: the nearest that can."""
    if len(topology.online) == 1:
        return _SHARED, {**_TO_SHARED, "kubelet.reserved_system_cpus": None}
    place = "kubelet.reserved_system_cpus"
    if best := _mended(topology, wanted, full_cores=full_cores):
        return f"write {format_cpuset(best)}", {place: format_cpuset(best)}
    remedy, change = without_full_cores(intent, settings)
    best = _mended(topology, wanted, full_cores=False)
    return f"{remedy}, and write {format_cpuset(best)}", {**change, place: format_cpuset(best)}


def _mended(topology: Topology, wanted: AbstractSet[int], *, full_cores: bool) -> frozenset[int]:
    """Return the list nearest to one written by hand that can be reserved; none where every core is needed whole."""
    cpus = frozenset(wanted & topology.online) or topology.cores[0].cpus
    units = [unit for core in topology.cores for unit in _units(core, full_cores=full_cores)]
    taken = [unit for unit in units if unit & cpus]
    if len(taken) == len(units):
        boot = min(topology.online)
        taken = sorted(taken, key=lambda unit: boot not in unit)[:-1]  # the CPU that the machine booted on stays
    return frozenset(cpu for unit in taken for cpu in unit)
