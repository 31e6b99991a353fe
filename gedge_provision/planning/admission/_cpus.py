"""The static policy of the CPU manager: hints for the topology manager, and CPUs for a container.

Source: Kubernetes, pkg/kubelet/cm/cpumanager/policy_static.go.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from gedge_provision.models.wording import counted
from gedge_provision.planning.admission._asks import ContainerAsk, PodAsk
from gedge_provision.planning.admission._hints import Hint, Hints, bits, mask_of, masks
from gedge_provision.planning.admission._machine import Machine, State
from gedge_provision.planning.admission._refusal import SMT, UNEXPECTED, RefusedError
from gedge_provision.planning.admission._take import NotEnoughError, take

__all__ = ["CpuManager"]

_CPU = "cpu"


@dataclass
class CpuManager:
    """The CPU manager while it looks at one pod; what init containers leave behind is for its other containers."""

    machine: Machine
    reusable: frozenset[int] = field(default_factory=frozenset)

    def hints(self, state: State, ask: ContainerAsk | PodAsk) -> Hints:
        """Return the NUMA nodes that could give a container, or a pod as a whole, its CPUs."""
        if not self._active(ask.cpus):
            return {}
        machine = self.machine
        nodes = machine.cpus_of_node
        free = self._free(state)
        fewest = len(nodes)
        kept = mask_of(machine.cpus[cpu].node for cpu in self.reusable)
        found = []
        for mask in masks(tuple(nodes)):
            inside = [nodes[node] for node in bits(mask)]
            if sum(map(len, inside)) >= ask.cpus:
                fewest = min(fewest, mask.bit_count())
            at_hand = len(self.reusable) + sum(len(cpus & free) for cpus in inside)
            if kept & ~mask == 0 and at_hand >= ask.cpus:
                found.append(mask)
        return {_CPU: [Hint(mask, self._preferred(mask, fewest)) for mask in found]}

    def allocate(self, state: State, pod: str, ask: ContainerAsk, hint: Hint) -> State:
        """Give a container CPUs of its own, those of the hint first.

        Raises:
            RefusedError: there are not enough, or not as whole cores.
        """
        if not self._active(ask.cpus):
            return state
        self._check_cores(state, ask.cpus)
        try:
            cpus = self._choose(self._free(state) | self.reusable, ask.cpus, hint)
        except NotEnoughError:
            free = len(self._free(state) | self.reusable)
            raise RefusedError(UNEXPECTED, f"{counted(ask.cpus, 'CPU')} of its own, of which {free} are free") from None
        self.reusable = self.reusable | cpus if ask.init else self.reusable - cpus
        return replace(state, cpus={**state.cpus, (pod, ask.name): cpus})

    def _active(self, cpus: int) -> bool:
        return cpus > 0 and self.machine.policies.cpu == "static"

    def _free(self, state: State) -> frozenset[int]:
        return frozenset(self.machine.cpus) - self.machine.reserved - state.owned_cpus

    def _preferred(self, mask: int, fewest: int) -> bool:
        if "align-by-socket" in self.machine.policies.cpu_options:
            a_socket = len(self.machine.cpus_of_node) // len(self.machine.cpus_of_socket)
            if a_socket and len(self._sockets(mask)) == -(-fewest // a_socket):
                return True
        return mask.bit_count() == fewest

    def _sockets(self, mask: int) -> set[int]:
        return {place.socket for place in self.machine.cpus.values() if mask >> place.node & 1}

    def _check_cores(self, state: State, cpus: int) -> None:
        threads = self.machine.threads
        if "full-pcpus-only" not in self.machine.policies.cpu_options:
            return
        if cpus % threads:
            raise RefusedError(SMT, f"{counted(cpus, 'CPU')} cannot be whole cores of {threads} threads")
        # What init containers of the pod leave behind is not counted, though it would be given.
        free = frozenset(self.machine.cpus) - self.machine.reserved_cores - state.owned_cpus
        if cpus > len(free):
            raise RefusedError(SMT, f"{counted(cpus, 'CPU')} as whole cores, of which {len(free)} are free")

    def _choose(self, at_hand: frozenset[int], number: int, hint: Hint) -> frozenset[int]:
        aligned: frozenset[int] = frozenset()
        if hint.mask is not None:
            near = self._near(hint.mask) & at_hand
            aligned = take(self.machine, near, min(number, len(near)))
        return aligned | take(self.machine, at_hand - aligned, number - len(aligned))

    def _near(self, mask: int) -> frozenset[int]:
        if "align-by-socket" in self.machine.policies.cpu_options:
            sockets = self._sockets(mask)
            return frozenset(cpu for cpu, place in self.machine.cpus.items() if place.socket in sockets)
        return frozenset(cpu for cpu, place in self.machine.cpus.items() if mask >> place.node & 1)
