"""How CPUs are divided among NUMA nodes under distribute-cpus-across-numa.

Source: Kubernetes, pkg/kubelet/cm/cpumanager/cpu_assignment.go, takeByTopologyNUMADistributed; KEP-2902.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import fmean

from gedge_provision.planning.admission._machine import Machine

__all__ = ["distribution"]

_Part = tuple[int, int]
"""A NUMA node and how many CPUs are taken there."""


def distribution(free: Mapping[int, int], machine: Machine, number: int, group: int) -> list[_Part] | None:
    """Return what is taken of which NUMA node, in that order; None where no set of nodes can share it evenly.

    Args:
        free: free CPUs of each NUMA node, in the order in which they are looked at.
        machine: with all its NUMA nodes.
        number: CPUs to take, a multiple of `group`.
        group: CPUs that are taken together: those of a core, or 1.
    """
    if number == 0:
        return []
    total = -(-len(machine.cpus) // group)
    a_node = -(-total // len(machine.cpus_of_node))
    groups = -(-number // group)
    for size in range(-(-groups // a_node), min(groups, len(free)) + 1):
        best: tuple[float, list[int], list[int]] | None = None
        for nodes in _combinations(list(free), size):
            found = _balance(free, nodes[:size], number, group)
            if found and (best is None or found[0] < best[0]):
                best = (found[0], nodes, found[1])
            if best and best[0] == 0:
                break
        if best:
            return list(_parts(free, best[1][:size], best[2], number, group))
    return None


def _combinations(items: Sequence[int], size: int) -> Iterator[list[int]]:
    """Yield the sets of so many items, as the first elements of lists that sets which come later may write into.

    The kubelet remembers the best set as a Go slice, and from four items on the last one is overwritten while it looks
    at further sets: `append` copies only when a slice is full, at 1, 2, 4, 8 ... elements. It takes what stands there.
    """

    def extended(base: list[int], length: int, start: int) -> Iterator[list[int]]:
        if length == size:
            yield base
            return
        for place in range(start, len(items) - (size - length) + 1):
            room = base
            if length == len(base):
                room = base + [items[place]] * max(length, 1)
            room[length] = items[place]
            yield from extended(room, length + 1, place + 1)

    if size > 0:
        yield from extended([], 0, 0)


def _even(number: int, nodes: Sequence[int], group: int) -> int:
    return number // len(nodes) // group * group


def _balance(free: Mapping[int, int], nodes: Sequence[int], number: int, group: int) -> tuple[float, list[int]] | None:
    """Return how unevenly CPUs are left if these nodes share, and which give the rest; None if they cannot."""
    even = _even(number, nodes, group)
    if sum(free[node] // group * group for node in nodes) < number or any(free[node] < even for node in nodes):
        return None
    left = {node: count - even * (node in nodes) for node, count in free.items()}
    rest = number - even * len(nodes)
    if rest == 0:
        return _deviation(left.values()), []
    able = [node for node in nodes if left[node] >= group]
    best: tuple[float, list[int], int] | None = None
    for size in range(len(able), 0, -1):
        for givers in _combinations(able, size):
            if sum(left[node] for node in givers[:size]) < rest:
                continue
            after = dict(left)
            for node in _turns(left, givers[:size], rest, group):
                after[node] -= group
            deviation = _deviation(after.values())
            if best is None or deviation < best[0]:
                best = (deviation, givers, size)
    return best and (best[0], best[1][: best[2]])


def _turns(left: Mapping[int, int], givers: Sequence[int], rest: int, group: int) -> Iterator[int]:
    """Yield the nodes that give a group each in turn, until the rest is given."""
    counts = dict(left)
    while rest > 0 and any(counts[node] >= group for node in givers):
        for node in givers:
            if rest > 0 and counts[node] >= group:
                counts[node] -= group
                rest -= group
                yield node


def _parts(
    free: Mapping[int, int], nodes: Sequence[int], givers: Sequence[int], number: int, group: int
) -> Iterator[_Part]:
    even = _even(number, nodes, group)
    yield from ((node, even) for node in nodes)
    left = {node: free[node] - even for node in nodes}
    yield from ((node, group) for node in _turns(left, givers, number - even * len(nodes), group))


def _deviation(values: Iterable[int]) -> float:
    """Return the standard deviation, rounded as the kubelet rounds it."""
    numbers = list(values)
    mean = _rounded(fmean(numbers))
    return _rounded((sum((value - mean) ** 2 for value in numbers) / len(numbers)) ** 0.5)


def _rounded(value: float) -> float:
    return int(value * 1000 + 0.5) / 1000
