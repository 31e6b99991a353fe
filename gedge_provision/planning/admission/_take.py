"""Which CPUs the static CPU manager takes: whole sockets and NUMA nodes, whole caches, whole cores, then single CPUs.

Source: Kubernetes, pkg/kubelet/cm/cpumanager/cpu_assignment.go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from gedge_provision.planning.admission._distribute import distribution
from gedge_provision.planning.admission._machine import Machine

__all__ = ["NotEnoughError", "take"]

_Groups = Mapping[int, frozenset[int]]


class NotEnoughError(Exception):
    """Fewer CPUs are free than are to be taken."""


def take(machine: Machine, available: frozenset[int], number: int) -> frozenset[int]:
    """Return as many of the available CPUs as are asked for, by the options of the kubelet.

    Raises:
        NotEnoughError: there are not as many.
    """
    options = machine.policies.cpu_options
    group = machine.threads if "full-pcpus-only" in options else 1
    if "distribute-cpus-across-numa" not in options or number % group:
        return _packed(machine, available, number, cached="prefer-align-cpus-by-uncorecache" in options)
    if number > len(available):
        raise NotEnoughError
    taker = _Taker(machine, available, number)
    free = {node: len(machine.cpus_of_node[node] & available) for node in taker.nodes()}
    parts = distribution(free, machine, number, group)
    if parts is None:
        return _packed(machine, available, number)
    for node, amount in parts:
        taker.take(_packed(machine, taker.free & machine.cpus_of_node[node], amount))
    if taker.needed:
        raise NotEnoughError
    return taker.taken


def _packed(machine: Machine, available: frozenset[int], number: int, *, cached: bool = False) -> frozenset[int]:
    if number > len(available):
        raise NotEnoughError
    taker = _Taker(machine, available, number)
    spread = "distribute-cpus-across-cores" in machine.policies.cpu_options
    steps: list[Callable[[], None]] = [taker.whole_nodes, taker.whole_sockets]
    if not taker.nodes_first:
        steps.reverse()
    steps += [taker.caches] if cached else []
    steps += [] if spread else [taker.whole_cores]
    steps.append(taker.spread_cpus if spread else taker.single_cpus)
    for step in steps:
        if taker.needed > 0:
            step()
    return taker.taken


@dataclass
class _Taker:
    """CPUs that are free yet, and how many are still needed; each method takes what it is named after."""

    machine: Machine
    free: frozenset[int]
    needed: int
    taken: frozenset[int] = frozenset()

    @property
    def nodes_first(self) -> bool:
        """Whether a NUMA node has one socket or several, rather than a socket several NUMA nodes."""
        return len(self.machine.cpus_of_socket) >= len(self.machine.cpus_of_node)

    def take(self, cpus: frozenset[int]) -> None:
        self.taken |= cpus
        self.free -= cpus
        self.needed -= len(cpus)

    def whole_nodes(self) -> None:
        self._whole(self.nodes(), self.machine.cpus_of_node)

    def whole_sockets(self) -> None:
        mean = len(self.machine.cpus) // len(self.machine.cpus_of_socket)
        self._whole(self.sockets(), self.machine.cpus_of_socket, full=mean)

    def whole_cores(self) -> None:
        self._whole(self.cores(), self.machine.cpus_of_core, full=self.machine.threads)

    def single_cpus(self) -> None:
        self._one_by_one([cpu for core in self.cores() for cpu in sorted(self._left(core, self.machine.cpus_of_core))])

    def spread_cpus(self) -> None:
        sockets = self.machine.cpus_of_socket
        self._one_by_one([cpu for socket in self.sockets() for cpu in sorted(self._left(socket, sockets))])

    def caches(self) -> None:
        of_cache = self.machine.cpus_of_cache
        for cache in self._caches():
            if self.needed >= len(self.machine.cpus) // len(of_cache):
                self._whole(self._caches(), of_cache)
            if self.needed > 0:
                self._part_of_cache(cache)
            if self.needed <= 0:
                return

    def _part_of_cache(self, cache: int) -> None:
        threads = self.machine.threads
        left = self._left(cache, self.machine.cpus_of_cache)
        cores = sorted({self.machine.cpus[cpu].core for cpu in left})[: -(-self.needed // threads)]
        found = sorted(cpu for core in cores for cpu in self._left(core, self.machine.cpus_of_core))
        if self.needed % 2 and threads > 1 and len(found) > self.needed:
            found = found[:-1]
        if len(found) == self.needed:
            self.take(frozenset(found))

    def nodes(self) -> list[int]:
        """Return the NUMA nodes with free CPUs, fewest first; socket by socket where sockets have several nodes."""
        if self.nodes_first:
            return self._fullest(self._of(self.free, "node"), self.machine.cpus_of_node)
        return [
            node
            for socket in self.sockets()
            for node in self._fullest(
                self._of(self._left(socket, self.machine.cpus_of_socket), "node"), self.machine.cpus_of_node
            )
        ]

    def sockets(self) -> list[int]:
        if not self.nodes_first:
            return self._fullest(self._of(self.free, "socket"), self.machine.cpus_of_socket)
        return [
            socket
            for node in self.nodes()
            for socket in self._fullest(
                self._of(self._left(node, self.machine.cpus_of_node), "socket"), self.machine.cpus_of_socket
            )
        ]

    def cores(self) -> list[int]:
        outer, order = (
            (self.machine.cpus_of_socket, self.sockets())
            if self.nodes_first
            else (self.machine.cpus_of_node, self.nodes())
        )
        return [
            core
            for place in order
            for core in self._fullest(self._of(self._left(place, outer), "core"), self.machine.cpus_of_core)
        ]

    def _caches(self) -> list[int]:
        return [
            cache
            for node in self.nodes()
            for cache in self._fullest(
                self._of(self._left(node, self.machine.cpus_of_node), "cache"), self.machine.cpus_of_cache
            )
        ]

    def _whole(self, numbers: Iterable[int], groups: _Groups, full: int | None = None) -> None:
        """Take groups of which nothing is taken, as long as at least as many are needed."""
        untouched = [one for one in numbers if len(self._left(one, groups)) == (full or len(groups[one]))]
        for number in untouched:
            if self.needed >= len(groups[number]):
                self.take(groups[number])

    def _one_by_one(self, cpus: Iterable[int]) -> None:
        for cpu in cpus:
            self.take(frozenset({cpu}))
            if self.needed <= 0:
                return

    def _left(self, number: int, groups: _Groups) -> frozenset[int]:
        return groups[number] & self.free

    def _of(self, cpus: Iterable[int], place: str) -> set[int]:
        return {getattr(self.machine.cpus[cpu], place) for cpu in cpus}

    def _fullest(self, numbers: Iterable[int], groups: _Groups) -> list[int]:
        return sorted(numbers, key=lambda number: (len(self._left(number, groups)), number))
