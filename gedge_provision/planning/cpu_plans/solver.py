"""The plan of a host: reserved, isolated and shared CPUs, kubelet settings, memory, tuning; each with its reason."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gedge_provision.models.cpu_intent import CpuIntent
from gedge_provision.models.cpu_plan import CpuPlan, Decision, Infeasible, InfeasibleError
from gedge_provision.models.cpusets import format_cpuset, parse_cpuset
from gedge_provision.models.kubelet import KubeletSettings
from gedge_provision.models.quantities import Quantity
from gedge_provision.models.topology import Topology
from gedge_provision.models.wording import counted
from gedge_provision.planning.cpu_plans.memory import plan_huge_pages, reserve_memory
from gedge_provision.planning.cpu_plans.reserve import Reserved, kubelet_pick, reserve, reserved_amount
from gedge_provision.planning.cpu_plans.tuning import tune

__all__ = ["solve"]

_DEFAULT_MOST_NODES = 8  # max-allowable-numa-nodes of the topology manager
_PINNING = frozenset({"pinned", "pinned-numa"})


@dataclass(frozen=True)
class _Cores:
    """Whether CPUs are handed out by whole cores, with the reason or with what is in the way."""

    full: bool
    decision: Decision | None = None
    problem: Infeasible | None = None


def solve(topology: Topology, intent: CpuIntent, settings: KubeletSettings | None = None) -> CpuPlan:
    """Compute the plan of a host.

    Args:
        topology: of the host.
        intent: what its class asks for.
        settings: kubelet settings of its class; what is written there counts more than the profile.

    Raises:
        InfeasibleError: the host cannot have it; with every reason, and the smallest change for each.
    """
    settings = settings or KubeletSettings()
    fields = _profile_fields(intent, settings)
    decisions = [_profile_decision(intent)]
    problems: list[Infeasible] = []
    problems += _contradictions(topology, intent, settings, fields)
    pinned = intent.profile in _PINNING and fields["cpuManagerPolicy"] == "static"
    cores = _cores(topology, intent, settings) if fields["cpuManagerPolicy"] == "static" else _Cores(full=False)
    decisions += [cores.decision] if cores.decision else []
    problems += [cores.problem] if cores.problem else []
    reserved = Reserved(frozenset())
    if pinned or settings.reserved_system_cpus is not None:
        reserved = reserve(topology, intent, settings, full_cores=cores.full)
    elif fields["cpuManagerPolicy"] == "static":
        reserved = _by_amount(topology, settings)
    decisions += reserved.decisions
    problems += reserved.problems
    if pinned:
        _pin(topology, cores, reserved, fields)
    decisions += _cache_fields(topology, intent, settings, fields)
    _many_nodes(topology, fields, decisions)
    by_node: dict[int, int] = {}
    if fields.get("memoryManagerPolicy") == "Static":
        memory = reserve_memory(topology, settings)
        by_node = dict(memory.by_node)
        decisions += memory.decisions
        problems += memory.problems
        fields["reservedMemory"] = memory.to_kubelet()
        if memory.kube_reserved is not None:
            fields["kubeReserved"] = {**fields.get("kubeReserved", {}), "memory": str(memory.kube_reserved)}
    pages, page_decisions, page_problems = plan_huge_pages(topology, intent, by_node)
    decisions += page_decisions
    problems += page_problems
    if problems:
        raise InfeasibleError(topology.host, problems)
    tuning, tuning_decisions = tune(topology, intent, reserved.cpus, pages)
    decisions += tuning_decisions
    rest = topology.online - reserved.cpus
    isolated = rest if intent.latency == "isolated" else frozenset()
    return CpuPlan(
        host=topology.host,
        reserved=reserved.cpus,
        isolated=isolated,
        shared=rest - isolated,
        offline=topology.offline,
        allocatable_millicpu=_allocatable(topology, fields),
        kubelet=fields,
        huge_pages=pages,
        tuning=tuning,
        decisions=tuple(decisions),
    )


def _contradictions(
    topology: Topology, intent: CpuIntent, settings: KubeletSettings, fields: dict[str, Any]
) -> Iterator[Infeasible]:
    """Yield what is written under `kubelet` and leaves nothing of the intent."""
    if intent.profile in _PINNING and fields["cpuManagerPolicy"] != "static":
        yield Infeasible(
            f"the profile {intent.profile} needs the static CPU manager, and cpu_manager_policy: none is written",
            "take that out of kubelet, or choose the profile shared",
        )
    boot = min(topology.online)
    listed = settings.reserved_system_cpus
    if intent.latency == "isolated" and listed is not None and boot not in parse_cpuset(listed):
        yield Infeasible(
            f"reserved_system_cpus is {listed}, and CPU {boot}, which keeps the time for the others, cannot be "
            "isolated",
            f"reserve it too: {format_cpuset({boot} | parse_cpuset(listed))}",
        )


def _profile_fields(intent: CpuIntent, settings: KubeletSettings) -> dict[str, Any]:
    """Return the kubelet's fields: those of the profile, and above them what is written in the settings."""
    fields: dict[str, Any] = {}
    if intent.profile in _PINNING:
        fields["cpuManagerPolicy"] = "static"
    if intent.profile == "pinned-numa":
        fields |= {
            "topologyManagerPolicy": "single-numa-node",
            "topologyManagerScope": "pod",
            "memoryManagerPolicy": "Static",
        }
    written = settings.to_kubelet()
    names = {
        "cpuManagerPolicy": "cpu_manager_policy",
        "topologyManagerPolicy": "topology_manager_policy",
        "topologyManagerScope": "topology_manager_scope",
        "memoryManagerPolicy": "memory_manager_policy",
    }
    silent = {field for field, name in names.items() if name not in settings.model_fields_set}
    return {**written, **{field: value for field, value in fields.items() if field in silent}}


def _profile_decision(intent: CpuIntent) -> Decision:
    reasons = {
        "shared": "all pods share all CPUs; nothing is pinned",
        "pinned": "Guaranteed pods that ask for whole CPUs own them; the system has its own",
        "pinned-numa": "what a pod owns comes from one NUMA node, or the pod is refused",
    }
    return Decision(subject="profile", choice=intent.profile, reason=reasons[intent.profile])


def _cores(topology: Topology, intent: CpuIntent, settings: KubeletSettings) -> _Cores:
    """Tell whether whole cores can be promised: the kubelet takes all cores to have as many threads as the average."""
    threads = topology.threads_per_core
    written = settings.cpu_manager_policy_options.get("full-pcpus-only")
    asked = written if written is not None else intent.full_cores
    if asked is None and intent.profile not in _PINNING:
        return _Cores(full=False)
    if asked is False:
        return _Cores(full=False, decision=Decision(subject="whole cores", choice="no", reason="asked for so"))
    if len(threads) == 1:
        words = f"every core has {counted(threads[0], 'CPU')}"
        return _Cores(full=True, decision=Decision(subject="whole cores", choice="yes", reason=words))
    uneven = f"cores of this host have {' or '.join(map(str, threads))} CPUs online"
    if asked:
        remedy = "leave full_cores out, or set it to false"
        if topology.offline:
            remedy += f"; or bring CPUs {format_cpuset(topology.offline)} online"
        message = f"{uneven}, so the kubelet cannot hand out whole cores only (full-pcpus-only)"
        return _Cores(full=True, problem=Infeasible(message, remedy))
    reason = f"{uneven}; the kubelet's full-pcpus-only means nothing then"
    return _Cores(full=False, decision=Decision(subject="whole cores", choice="no", reason=reason))


def _by_amount(topology: Topology, settings: KubeletSettings) -> Reserved:
    """Return the CPUs that the kubelet reserves by itself, where the settings are written by hand."""
    number = math.ceil(reserved_amount(settings).amount)
    pick = kubelet_pick(topology, number)
    reason = f"the kubelet takes the first {number} by itself, since only an amount is reserved"
    return Reserved(pick, (Decision(subject="reserved CPUs", choice=format_cpuset(pick), reason=reason),))


def _pin(topology: Topology, cores: _Cores, reserved: Reserved, fields: dict[str, Any]) -> None:
    """Add what the static policy of a profile needs beside its name."""
    options = {"strict-cpu-reservation": "true"}
    if cores.full and max(topology.threads_per_core) > 1:
        options["full-pcpus-only"] = "true"
    fields["cpuManagerPolicyOptions"] = options | fields.get("cpuManagerPolicyOptions", {})
    fields["reservedSystemCPUs"] = format_cpuset(reserved.cpus)
    for name in ("kubeReserved", "systemReserved"):
        # The list replaces the amounts of CPU time (the kubelet drops them without a word).
        rest = {key: value for key, value in fields.get(name, {}).items() if key != "cpu"}
        fields.pop(name, None)
        fields |= {name: rest} if rest else {}


def _cache_fields(
    topology: Topology, intent: CpuIntent, settings: KubeletSettings, fields: dict[str, Any]
) -> list[Decision]:
    """Keep the CPUs of a pod on one last-level cache where a NUMA node has several."""
    groups = [cache for cache in topology.last_level_caches if len(cache.cpus) > max(topology.threads_per_core)]
    several = len(groups) > len([node for node in topology.numa if node.cpus])
    if (
        intent.profile != "pinned-numa"
        or not several
        or fields["cpuManagerPolicy"] != "static"
        or settings.cpu_manager_policy_options
    ):
        return []
    fields["cpuManagerPolicyOptions"]["prefer-align-cpus-by-uncorecache"] = "true"
    return [
        Decision(
            subject="last-level caches",
            choice="CPUs of a pod share one where they can",
            reason=f"{len(groups)} of them, more than NUMA nodes",
        )
    ]


def _many_nodes(topology: Topology, fields: dict[str, Any], decisions: list[Decision]) -> None:
    """Let the topology manager start on machines with more NUMA nodes than it takes by itself."""
    number = len(topology.numa)
    policy = fields.get("topologyManagerPolicy", "none")
    options = fields.get("topologyManagerPolicyOptions", {})
    if policy == "none" or number <= _DEFAULT_MOST_NODES or "max-allowable-numa-nodes" in options:
        return
    fields["topologyManagerPolicyOptions"] = {**options, "max-allowable-numa-nodes": str(number)}
    decisions.append(
        Decision(
            subject="max-allowable-numa-nodes",
            choice=str(number),
            reason=f"the kubelet does not start on more than {_DEFAULT_MOST_NODES} NUMA nodes otherwise",
        )
    )


def _allocatable(topology: Topology, fields: dict[str, Any]) -> int:
    """Return the CPU time for pods in thousandths: a list of reserved CPUs counts whole, an amount as it is."""
    online = len(topology.online) * 1000
    if "reservedSystemCPUs" in fields:
        return online - 1000 * len(parse_cpuset(fields["reservedSystemCPUs"]))
    amounts = [fields.get(name, {}).get("cpu") for name in ("kubeReserved", "systemReserved")]
    return online - sum(math.ceil(Quantity(amount).amount * 1000) for amount in amounts if amount)
