"""Memory that is reserved on each NUMA node, and huge pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from gedge_provision.models.cpu_intent import CpuIntent, HugePageRequest
from gedge_provision.models.cpu_plan import Decision, HugePages, Infeasible
from gedge_provision.models.kubelet import EVICTION_BYTES, KubeletSettings
from gedge_provision.models.quantities import Quantity
from gedge_provision.models.topology import NumaNode, Topology
from gedge_provision.models.wording import counted

__all__ = ["DEFAULT_MEMORY", "MemoryPlan", "plan_huge_pages", "reserve_memory"]

DEFAULT_MEMORY = Quantity("512Mi")
"""Reserved for Kubernetes where the memory manager needs a figure and nothing is said."""
_MIB = 2**20
_KIB = 2**10
_PARTS = 8


@dataclass(frozen=True)
class MemoryPlan:
    """The reserved memory: total of kube_reserved and system_reserved, by NUMA node, and what is in the way."""

    kube_reserved: Quantity | None
    by_node: Mapping[int, int]
    decisions: tuple[Decision, ...] = ()
    problems: tuple[Infeasible, ...] = ()

    def to_kubelet(self) -> list[dict[str, object]]:
        """Return the field reservedMemory: as whole MiB where that is exact."""
        return [
            {"numaNode": node, "limits": {"memory": f"{amount // _MIB}Mi" if amount % _MIB == 0 else str(amount)}}
            for node, amount in sorted(self.by_node.items())
        ]


def reserve_memory(topology: Topology, settings: KubeletSettings) -> MemoryPlan:
    """Divide the reserved memory among the NUMA nodes that have some, in proportion to what they have.

    The kubelet's equation: the sum over the nodes is kubeReserved + systemReserved + evictionHard
    (pkg/kubelet/cm/memorymanager/memory_manager.go, getSystemReservedMemory; Kubernetes 1.36).
    """
    kube, system = settings.kube_reserved.memory, settings.system_reserved.memory
    default = kube is None and system is None
    if default:
        kube = DEFAULT_MEMORY
    wanted = int(sum((value.amount for value in (kube, system) if value is not None), EVICTION_BYTES))
    if settings.reserved_memory:
        given = {entry.numa_node: int(entry.memory.amount if entry.memory else 0) for entry in settings.reserved_memory}
        return MemoryPlan(None, given, problems=tuple(_wrong_nodes(topology, given)))
    nodes = _with_memory(topology)
    by_node = _shares(wanted, {node.id: node.memory_kib * _KIB for node in nodes})
    decisions = [
        Decision(
            subject="reserved memory",
            choice=", ".join(f"{_shown(amount)} on NUMA node {node}" for node, amount in by_node.items()),
            reason=f"{_shown(wanted)} are kube_reserved, system_reserved and the eviction threshold of 100Mi, which "
            "the memory manager wants divided exactly; in proportion to the nodes' memory",
        )
    ]
    problems = [
        Infeasible(
            f"{_shown(amount)} are to be reserved on NUMA node {node.id}, which has {_shown(node.memory_kib * _KIB)}",
            "reserve less memory (kubelet.kube_reserved.memory, system_reserved.memory)",
        )
        for node in nodes
        if (amount := by_node[node.id]) >= node.memory_kib * _KIB
    ]
    return MemoryPlan(kube if default else None, by_node, tuple(decisions), tuple(problems))


def _with_memory(topology: Topology) -> list[NumaNode]:
    """Return the nodes that have CPUs and memory; where none has both, those with memory."""
    both = [node for node in topology.numa if node.cpus and node.memory_kib]
    return both or [node for node in topology.numa if node.memory_kib] or [topology.numa[0]]


def _shares(total: int, sizes: Mapping[int, int]) -> dict[int, int]:
    """Divide bytes by the sizes of nodes in eighths of the largest: whole MiB, what is left goes to the first of those.

    Not by the bytes: kernels give nodes some MiB more or less at every boot, which must not change a plan.
    """
    largest = max(sizes.values()) or 1
    weights = {node: max(round(_PARTS * size / largest), 1) for node, size in sizes.items()}
    whole = sum(weights.values())
    shares = {node: total * weight // whole // _MIB * _MIB for node, weight in weights.items()}
    first = min(node for node, weight in weights.items() if weight == max(weights.values()))
    shares[first] += total - sum(shares.values())
    return shares


def _wrong_nodes(topology: Topology, given: Mapping[int, int]) -> Iterator[Infeasible]:
    known = {node.id: node for node in topology.numa}
    listed = ", ".join(map(str, known))
    for node, amount in given.items():
        if node not in known:
            yield Infeasible(f"reserved_memory names NUMA node {node}, and here are only {listed}", "name one of these")
        elif amount > known[node].memory_kib * _KIB:
            yield Infeasible(
                f"reserved_memory takes {_shown(amount)} of NUMA node {node}, which has "
                f"{_shown(known[node].memory_kib * _KIB)}",
                "divide it otherwise",
            )


def plan_huge_pages(
    topology: Topology, intent: CpuIntent, reserved: Mapping[int, int]
) -> tuple[tuple[HugePages, ...], tuple[Decision, ...], tuple[Infeasible, ...]]:
    """Place huge pages on NUMA nodes: evenly on those with CPUs and memory, or on the one that is named.

    Args:
        topology: of the host.
        intent: with what is asked for.
        reserved: bytes that are reserved on each node.
    """
    nodes = _with_memory(topology)
    placed: dict[tuple[int, int], int] = {}
    decisions, problems = [], []
    for request in intent.huge_pages:
        if wrong := _impossible(topology, request):
            problems.append(wrong)
            continue
        counts = _counts(request, [node.id for node in nodes])
        for node, count in counts.items():
            placed[node, request.size_kib] = placed.get((node, request.size_kib), 0) + count
        evenly = request.numa_node is None
        decisions.append(
            Decision(
                subject=f"huge pages of {request.size}",
                choice=", ".join(f"{count} on NUMA node {node}" for node, count in counts.items()),
                reason="evenly on the nodes with CPUs and memory" if evenly else "that node is named",
            )
        )
    problems += _too_many(topology, placed, reserved)
    pages = tuple(
        HugePages(numa_node=node, size_kib=size, count=count) for (node, size), count in sorted(placed.items()) if count
    )
    return pages, tuple(decisions), tuple(problems)


def _counts(request: HugePageRequest, nodes: Sequence[int]) -> dict[int, int]:
    if request.numa_node is not None:
        return {request.numa_node: request.count}
    each, more = divmod(request.count, len(nodes))
    return {node: each + (place < more) for place, node in enumerate(nodes) if each + (place < more)}


def _impossible(topology: Topology, request: HugePageRequest) -> Infeasible | None:
    if request.numa_node is not None and topology.node(request.numa_node) is None:
        listed = ", ".join(str(node.id) for node in topology.numa)
        return Infeasible(
            f"huge pages are asked for on NUMA node {request.numa_node}, and here are only {listed}",
            "name one of these",
        )
    sizes = {pages.size_kib for node in topology.numa for pages in node.huge_pages}
    if sizes and request.size_kib not in sizes:
        known = ", ".join(_size(size) for size in sorted(sizes))
        return Infeasible(f"this host has no huge pages of {request.size}", f"ask for one of its sizes: {known}")
    return None


def _too_many(
    topology: Topology, placed: Mapping[tuple[int, int], int], reserved: Mapping[int, int]
) -> Iterator[Infeasible]:
    for node in topology.numa:
        free = node.memory_kib - reserved.get(node.id, 0) // _KIB
        asked = {size: count for (place, size), count in placed.items() if place == node.id}
        if sum(size * count for size, count in asked.items()) < free or not asked:
            continue
        largest = max(asked)
        others = sum(size * count for size, count in asked.items() if size != largest)
        most = max((free - others - 1) // largest, 0)
        yield Infeasible(
            f"{' and '.join(counted(count, 'huge page') + ' of ' + _size(size) for size, count in asked.items())} "
            f"do not fit on NUMA node {node.id}, which has {_shown(node.memory_kib * _KIB)}, "
            f"{_shown(reserved.get(node.id, 0))} of it reserved",
            f"ask for at most {most} of {_size(largest)} there",
        )


def _size(kib: int) -> str:
    return f"{kib // 1048576}Gi" if kib % 1048576 == 0 else f"{kib // 1024}Mi" if kib % 1024 == 0 else f"{kib}Ki"


def _shown(amount: int) -> str:
    """Return bytes in a unit that people read."""
    mib = Decimal(amount) / _MIB
    return f"{mib.normalize():f}Mi" if mib == mib.to_integral_value() else f"{mib:.1f}Mi"
