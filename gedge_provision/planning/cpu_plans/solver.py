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
from gedge_provision.models.kubelet_rules import FEWEST_NUMA_NODES
from gedge_provision.models.quantities import Quantity
from gedge_provision.models.topology import Topology
from gedge_provision.models.wording import counted
from gedge_provision.planning.cpu_plans.memory import plan_huge_pages, reserve_memory
from gedge_provision.planning.cpu_plans.remedies import follow
from gedge_provision.planning.cpu_plans.reserve import (
    Reserved,
    kubelet_pick,
    reserve,
    reserved_amount,
    without_full_cores,
)
from gedge_provision.planning.cpu_plans.tuning import tune
from gedge_provision.planning.cpu_plans.written import (
    PINNING,
    broken_rules,
    kubelet_host,
    profile_fields,
    written_problems,
)

__all__ = ["solve"]


@dataclass(frozen=True)
class _Cores:
    """Whether CPUs are handed out by whole cores, with the reason or with what is in the way."""

    full: bool
    decision: Decision | None = None
    problem: Infeasible | None = None


def solve(
    topology: Topology, intent: CpuIntent, settings: KubeletSettings | None = None, *, control_plane: bool = False
) -> CpuPlan:
    """Compute the plan of a host.

    Args:
        topology: of the host.
        intent: what its class asks for.
        settings: kubelet settings of its class; what is written there counts more than the profile.
        control_plane: whether the static pods of a control plane run there.

    Raises:
        InfeasibleError: the host cannot have it; with every reason, and the smallest change for each.
    """
    settings = settings or KubeletSettings()
    outcome = _attempt(topology, intent, settings, control_plane)
    if isinstance(outcome, CpuPlan):
        return outcome

    def problems_of(other: CpuIntent, changed: KubeletSettings) -> tuple[Infeasible, ...]:
        then = _attempt(topology, other, changed, control_plane)
        return () if isinstance(then, CpuPlan) else then

    raise InfeasibleError(topology.host, follow(outcome, intent, settings, problems_of))


def _attempt(
    topology: Topology, intent: CpuIntent, settings: KubeletSettings, control_plane: bool
) -> CpuPlan | tuple[Infeasible, ...]:
    """Return the plan, or everything that is in its way."""
    fields = profile_fields(intent, settings)
    decisions = [_profile_decision(intent, fields)]
    problems: list[Infeasible] = []
    problems += written_problems(intent, settings)
    pinned = intent.profile in PINNING and fields["cpuManagerPolicy"] == "static"
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
    decisions += _limits(topology, reserved.cpus, fields)
    by_node: dict[int, int] = {}
    if fields.get("memoryManagerPolicy") == "Static":
        memory = reserve_memory(topology, settings)
        by_node = dict(memory.by_node)
        decisions += memory.decisions
        problems += memory.problems
        fields["reservedMemory"] = memory.to_kubelet()
        if memory.kube_reserved is not None:
            fields["kubeReserved"] = {**fields.get("kubeReserved", {}), "memory": str(memory.kube_reserved)}
    pages, page_decisions, page_problems = plan_huge_pages(topology, intent, by_node, control_plane=control_plane)
    decisions += page_decisions
    problems += page_problems
    # Last, and alone: what the checks above have found would be said twice.
    problems = problems or list(broken_rules(fields, kubelet_host(topology, control_plane=control_plane)))
    if problems:
        return tuple(problems)
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


def _profile_decision(intent: CpuIntent, fields: dict[str, Any]) -> Decision:
    reasons = {
        "shared": "all pods share all CPUs; nothing is pinned",
        "pinned": "Guaranteed pods that ask for whole CPUs own them; the system has its own",
        "pinned-numa": "what a pod owns comes from one NUMA node, or the pod is refused",
    }
    reason = reasons[intent.profile]
    if intent.profile == "pinned-numa":
        policies = (fields.get("topologyManagerPolicy"), fields.get("memoryManagerPolicy"))
        if policies != ("single-numa-node", "Static"):
            reason = "as far as what is written under kubelet lets it: what a pod owns may come from several NUMA nodes"
    return Decision(subject="profile", choice=intent.profile, reason=reason)


def _cores(topology: Topology, intent: CpuIntent, settings: KubeletSettings) -> _Cores:
    """Tell whether whole cores can be promised: the kubelet takes all cores to have as many threads as the average."""
    threads = topology.threads_per_core
    written = settings.cpu_manager_policy_options.get("full-pcpus-only")
    asked = written if written is not None else intent.full_cores
    if written is not None and intent.full_cores not in (None, written):
        problem = Infeasible(
            f"full_cores is {str(intent.full_cores).lower()}, and cpu_manager_policy_options has full-pcpus-only: "
            f"{str(written).lower()}",
            "leave one of the two out",
            {"kubelet.cpu_manager_policy_options.full-pcpus-only": None},
        )
        return _Cores(full=bool(intent.full_cores), problem=problem)
    if asked is None and intent.profile not in PINNING:
        return _Cores(full=False)
    if asked is False:
        return _Cores(full=False, decision=Decision(subject="whole cores", choice="no", reason="asked for so"))
    if len(threads) == 1:
        words = f"every core has {counted(threads[0], 'CPU')}"
        return _Cores(full=True, decision=Decision(subject="whole cores", choice="yes", reason=words))
    uneven = f"cores of this host have {' or '.join(map(str, threads))} CPUs online"
    if asked:
        remedy, change = without_full_cores(intent, settings)
        if topology.offline:
            remedy += f"; or bring CPUs {format_cpuset(topology.offline)} online"
        message = f"{uneven}, so the kubelet cannot hand out whole cores only (full-pcpus-only)"
        return _Cores(full=True, problem=Infeasible(message, remedy, change))
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


def _limits(topology: Topology, reserved: frozenset[int], fields: dict[str, Any]) -> Iterator[Decision]:
    """Yield what pods cannot have by what was decided, and what nobody would expect of it."""
    options = fields.get("cpuManagerPolicyOptions", {})
    if fields["cpuManagerPolicy"] == "static" and options.get("strict-cpu-reservation") == "true":
        yield Decision(
            subject="pods without CPUs of their own",
            choice=f"share what is not owned of {format_cpuset(topology.online - reserved)}",
            reason="reserved CPUs are for the system alone (strict-cpu-reservation); once pods own all the others, the "
            "kubelet has none left for the rest, which then runs anywhere: leave some unowned, `gedge topology pods` "
            "tells",
        )
    bare = frozenset(cpu for node in topology.numa if not node.memory_kib for cpu in node.cpus) - reserved
    one_node = fields.get("topologyManagerPolicy") == "single-numa-node"
    if bare and one_node and fields.get("memoryManagerPolicy") == "Static":
        yield Decision(
            subject="CPUs of NUMA nodes without memory",
            choice=f"{format_cpuset(bare)} are of no use to pods that own CPUs",
            reason="CPUs and memory of such a pod come from one NUMA node, and theirs has none; the profile pinned can "
            "give them away",
        )


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
    if policy == "none" or number <= FEWEST_NUMA_NODES or "max-allowable-numa-nodes" in options:
        return
    fields["topologyManagerPolicyOptions"] = {**options, "max-allowable-numa-nodes": str(number)}
    decisions.append(
        Decision(
            subject="max-allowable-numa-nodes",
            choice=str(number),
            reason=f"the kubelet does not start on more than {FEWEST_NUMA_NODES} NUMA nodes otherwise",
        )
    )


def _allocatable(topology: Topology, fields: dict[str, Any]) -> int:
    """Return the CPU time for pods in thousandths: a list of reserved CPUs counts whole, an amount as it is."""
    online = len(topology.online) * 1000
    if "reservedSystemCPUs" in fields:
        return online - 1000 * len(parse_cpuset(fields["reservedSystemCPUs"]))
    amounts = [fields.get(name, {}).get("cpu") for name in ("kubeReserved", "systemReserved")]
    return online - sum(math.ceil(Quantity(amount).amount * 1000) for amount in amounts if amount)
