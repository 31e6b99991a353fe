"""Memory that is reserved on each NUMA node, and huge pages."""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from gedge_provision.models.cpu_intent import CpuIntent, HugePageRequest
from gedge_provision.models.cpu_plan import Decision, HugePages, Infeasible
from gedge_provision.models.kubelet import KubeletSettings
from gedge_provision.models.kubelet_rules import EVICTION_BYTES
from gedge_provision.models.quantities import Quantity
from gedge_provision.models.topology import NumaNode, Topology
from gedge_provision.models.wording import counted

__all__ = ["DEFAULT_MEMORY", "MemoryPlan", "plan_huge_pages", "reserve_memory"]

DEFAULT_MEMORY = Quantity("512Mi")
"""Reserved for Kubernetes where the memory manager needs a figure and nothing is said."""
NODE_MEMORY_KIB, CONTROL_PLANE_MEMORY_KIB = 900 * 1024, 1700 * 1024
"""What a host has to have at least, as the check of hosts wants it (roles host_prepare, kubeadm)."""
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
        given = {entry.numa_node: int(entry.memory.amount) for entry in settings.reserved_memory}
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
    most = _most_reserved(nodes)
    problems = [
        Infeasible(
            f"{_shown(amount)} are to be reserved on NUMA node {node.id}, which has {_shown(node.memory_kib * _KIB)}",
            f"reserve {most}Mi of memory at most (kubelet.kube_reserved.memory and system_reserved.memory together)",
            {"kubelet.kube_reserved.memory": f"{most}Mi", "kubelet.system_reserved.memory": None},
        )
        for node in nodes
        if (amount := by_node[node.id]) >= node.memory_kib * _KIB
    ]
    return MemoryPlan(kube if default else None, by_node, tuple(decisions), tuple(problems))


def _most_reserved(nodes: Sequence[NumaNode]) -> int:
    """Return how many MiB can be reserved beside the eviction threshold; each node keeps some for pods."""
    sizes = {node.id: node.memory_kib * _KIB for node in nodes}

    def fits(mib: int) -> bool:
        shares = _shares(mib * _MIB + int(EVICTION_BYTES), sizes)
        return all(shares[node] < size for node, size in sizes.items())

    return bisect.bisect_left(range(1, sum(sizes.values()) // _MIB + 2), x=True, key=lambda mib: not fits(mib))


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
            yield Infeasible(
                f"reserved_memory names NUMA node {node}, and here are only {listed}",
                "name one of these, or leave reserved_memory out, and it is computed",
                {"kubelet.reserved_memory": None},
            )
        elif amount > known[node].memory_kib * _KIB:
            yield Infeasible(
                f"reserved_memory takes {_shown(amount)} of NUMA node {node}, which has "
                f"{_shown(known[node].memory_kib * _KIB)}",
                "divide it otherwise, or leave reserved_memory out, and it is computed",
                {"kubelet.reserved_memory": None},
            )


def plan_huge_pages(
    topology: Topology, intent: CpuIntent, reserved: Mapping[int, int], *, control_plane: bool = False
) -> tuple[tuple[HugePages, ...], tuple[Decision, ...], tuple[Infeasible, ...]]:
    """Place huge pages on NUMA nodes: evenly on those with CPUs and memory, or on the one that is named.

    Args:
        topology: of the host.
        intent: with what is asked for.
        reserved: bytes that are reserved on each node.
        control_plane: whether one runs there.
    """
    nodes = [node.id for node in _with_memory(topology)]
    room = _Room(topology, reserved, CONTROL_PLANE_MEMORY_KIB if control_plane else NODE_MEMORY_KIB)
    possible = [request for request in intent.huge_pages if _impossible(topology, request) is None]
    placed = _placed(possible, nodes)
    messages = [wrong for request in intent.huge_pages if (wrong := _impossible(topology, request))]
    short = room.too_many(placed) or room.too_little_left(placed)
    best = _fitting(possible, nodes, room)
    change = {"cpus.huge_pages": [request.model_dump(exclude_unset=True) for request in best] or None}
    problems = [Infeasible(message, remedy, change) for message, remedy in messages]
    problems += [Infeasible(message, f"ask for {_asked(best)}", change) for message in short]
    when = {request.size_kib: request.at for request in possible}
    pages = tuple(
        HugePages(numa_node=node, size_kib=size, count=count, at=when[size])
        for (node, size), count in sorted(placed.items())
        if count
    )
    return pages, tuple(_page_decision(request, nodes) for request in possible), tuple(problems)


def _page_decision(request: HugePageRequest, nodes: Sequence[int]) -> Decision:
    counts = _counts(request, nodes)
    evenly = request.numa_node is None
    return Decision(
        subject=f"huge pages of {request.size}",
        choice=", ".join(f"{count} on NUMA node {node}" for node, count in counts.items()),
        reason=f"{'evenly on the nodes with CPUs and memory' if evenly else 'that node is named'}; set aside "
        f"{'while the host runs' if request.at == 'runtime' else 'when the kernel boots'}",
    )


def _placed(requests: Iterable[HugePageRequest], nodes: Sequence[int]) -> Counter[tuple[int, int]]:
    """Return the number of pages by NUMA node and size in KiB."""
    placed: Counter[tuple[int, int]] = Counter()
    for request in requests:
        placed.update({(node, request.size_kib): count for node, count in _counts(request, nodes).items()})
    return placed


def _fitting(requests: Sequence[HugePageRequest], nodes: Sequence[int], room: _Room) -> tuple[HugePageRequest, ...]:
    """Return the requests with as many pages as there is room for: the first ones first."""
    kept: list[HugePageRequest] = []
    for request in requests:

        def fewer(count: int, request: HugePageRequest = request) -> HugePageRequest:
            return request.model_copy(update={"count": count})

        def too_many(count: int, fewer: Callable[[int], HugePageRequest] = fewer) -> bool:
            placed = _placed([*kept, fewer(count)], nodes)
            return bool(room.too_many(placed) or room.too_little_left(placed))

        if most := bisect.bisect_left(range(1, request.count + 1), x=True, key=too_many):
            kept.append(fewer(most))
    return tuple(kept)


def _asked(requests: Sequence[HugePageRequest]) -> str:
    """Return requests in words: how many pages at most."""
    words = [
        f"{request.count} of {request.size}{'' if request.numa_node is None else f' on NUMA node {request.numa_node}'}"
        for request in requests
    ]
    return f"{' and '.join(words)} at most" if words else "none"


def _counts(request: HugePageRequest, nodes: Sequence[int]) -> dict[int, int]:
    if request.numa_node is not None:
        return {request.numa_node: request.count}
    each, more = divmod(request.count, len(nodes))
    return {node: each + (place < more) for place, node in enumerate(nodes) if each + (place < more)}


def _impossible(topology: Topology, request: HugePageRequest) -> tuple[str, str] | None:
    """Return why the host cannot have pages like these in any number, and the remedy."""
    if request.numa_node is not None and topology.node(request.numa_node) is None:
        listed = ", ".join(str(node.id) for node in topology.numa)
        message = f"huge pages are asked for on NUMA node {request.numa_node}, and here are only {listed}"
        return message, "name one of these"
    sizes = {pages.size_kib for node in topology.numa for pages in node.huge_pages}
    if sizes and request.size_kib not in sizes:
        known = ", ".join(_size(size) for size in sorted(sizes))
        return f"this host has no huge pages of {request.size}", f"ask for one of its sizes: {known}"
    return None


@dataclass(frozen=True)
class _Room:
    """The memory that huge pages can have.

    Attributes:
        topology: of the host.
        reserved: bytes that are reserved on each NUMA node.
        needed_kib: what the host needs besides, to be a node at all.
    """

    topology: Topology
    reserved: Mapping[int, int]
    needed_kib: int

    def too_many(self, placed: Mapping[tuple[int, int], int]) -> list[str]:
        """Say on which NUMA nodes pages do not fit."""
        messages = []
        for node in self.topology.numa:
            reserved = self.reserved.get(node.id, 0)
            asked = {size: count for (place, size), count in placed.items() if place == node.id and count}
            if not asked or sum(size * count for size, count in asked.items()) < node.memory_kib - reserved // _KIB:
                continue
            pages = " and ".join(f"{counted(count, 'huge page')} of {_size(size)}" for size, count in asked.items())
            messages.append(
                f"{pages} do not fit on NUMA node {node.id}, which has {_shown(node.memory_kib * _KIB)}, "
                f"{_shown(reserved)} of it reserved"
            )
        return messages

    def too_little_left(self, placed: Mapping[tuple[int, int], int]) -> list[str]:
        """Say that pages leave the host less than it needs to be a node: it would not come up again."""
        memory = sum(node.memory_kib for node in self.topology.numa)
        pages = sum(size * count for (_, size), count in placed.items())
        if not pages or memory - pages >= self.needed_kib:
            return []
        message = (
            f"huge pages of {_shown(pages * _KIB)} leave the host {_shown((memory - pages) * _KIB)}, and a node needs "
            f"{_shown(self.needed_kib * _KIB)} at least"
        )
        return [message]


def _size(kib: int) -> str:
    return f"{kib // 1048576}Gi" if kib % 1048576 == 0 else f"{kib // 1024}Mi" if kib % 1024 == 0 else f"{kib}Ki"


def _shown(amount: int) -> str:
    """Return bytes in a unit that people read."""
    mib = Decimal(amount) / _MIB
    return f"{mib.normalize():f}Mi" if mib == mib.to_integral_value() else f"{mib:.1f}Mi"
