"""The Static policy of the memory manager: hints for the topology manager, and memory of NUMA nodes for a container.

A NUMA node gives memory either alone or in one group with others, never both at the same time.
Source: Kubernetes, pkg/kubelet/cm/memorymanager/policy_static.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gedge_provision.planning.admission._asks import ContainerAsk, PodAsk
from gedge_provision.planning.admission._hints import Hint, Hints, bits, masks, narrower
from gedge_provision.planning.admission._machine import MEMORY, Block, Machine, MemoryNode, State
from gedge_provision.planning.admission._refusal import UNEXPECTED, RefusedError

__all__ = ["MemoryManager", "untouched", "with_block", "without_block"]

_Nodes = Mapping[int, MemoryNode]


def untouched(machine: Machine) -> _Nodes:
    """Return the memory of a machine of which no pod has anything."""
    return {node: MemoryNode(dict(machine.memory[node]), (node,)) for node in machine.nodes}


def with_block(nodes: _Nodes, block: Block, size: int) -> _Nodes:
    """Return what is left when a block is given away, of which `size` bytes were not the pod's already."""
    left = dict(nodes)
    for number in block.nodes:
        node = left[number]
        given = min(size, node.free.get(block.kind, 0))
        size -= given
        free = {**node.free, block.kind: node.free.get(block.kind, 0) - given}
        left[number] = MemoryNode(free, block.nodes, node.blocks + 1)
    return left


def without_block(machine: Machine, nodes: _Nodes, block: Block) -> _Nodes:
    """Return what is left when a block is given back."""
    left = dict(nodes)
    size = block.size
    for number in block.nodes:
        node = left[number]
        free = node.free.get(block.kind, 0)
        given = min(size, machine.memory[number].get(block.kind, 0) - free)
        size -= given
        blocks = node.blocks - 1
        left[number] = MemoryNode({**node.free, block.kind: free + given}, node.group if blocks else (number,), blocks)
    return left


@dataclass
class MemoryManager:
    """The memory manager while it looks at one pod; what init containers leave behind is for its other containers."""

    machine: Machine
    reusable: dict[tuple[int, str], int] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)

    def hints(self, state: State, ask: ContainerAsk | PodAsk) -> Hints:
        """Return the NUMA nodes that could give a container, or a pod as a whole, its memory; by kind.

        Nothing where no set of nodes could: the kubelet takes that for no preference, and refuses when it allocates.
        """
        if not self._active(ask.memory):
            return {}
        found = self._hints(state.memory, ask.memory)
        return dict.fromkeys(ask.memory, found) if found else {}

    def _hints(self, nodes: _Nodes, memory: Mapping[str, int]) -> list[Hint]:
        fewest = len(nodes)
        found = []
        for mask in masks(sorted(nodes)):
            inside = bits(mask)
            if not all(self._sum(inside, kind) >= size for kind, size in memory.items()):
                continue
            fewest = min(fewest, mask.bit_count())
            if _in_the_way(nodes, inside):
                continue
            if all(
                sum(nodes[node].free.get(kind, 0) for node in inside) + self.reusable.get((mask, kind), 0) >= size
                for kind, size in memory.items()
            ):
                found.append(mask)
        return [Hint(mask, mask.bit_count() == fewest) for mask in found]

    def allocate(self, state: State, pod: str, ask: ContainerAsk, hint: Hint) -> State:
        """Give a container memory of the hint's NUMA nodes, or of more where these have too little.

        Raises:
            RefusedError: no set of NUMA nodes can give it.
        """
        if not self._active(ask.memory):
            return state
        nodes = state.memory
        best = hint if hint.mask is not None else self._best(nodes, ask.memory, hint, 0)
        if not self._enough(nodes, best, ask.memory):
            best = self._best(nodes, ask.memory, best, best.mask or 0)
        mask = best.mask or 0
        places = bits(mask)
        if len(places) > 1 and _in_the_way(nodes, places):
            raise RefusedError(UNEXPECTED, _asked(ask.memory))
        blocks = []
        for kind, size in ask.memory.items():
            block = Block(kind, size, places)
            nodes = with_block(nodes, block, max(size - self.reusable.get((mask, kind), 0), 0))
            blocks.append(block)
        self._keep(mask, blocks, init=ask.init)
        kept = {**state.blocks, (pod, ask.name): tuple(blocks)}
        for name in self.ended:
            kept[pod, name], blocks = _handed_on(kept[pod, name], blocks)
        self.ended += [ask.name] if ask.init else []
        return replace(state, memory=nodes, blocks=kept)

    def _active(self, memory: Mapping[str, int]) -> bool:
        return bool(memory) and self.machine.policies.memory == "Static"

    def _sum(self, nodes: Iterable[int], kind: str) -> int:
        return sum(self.machine.memory[node].get(kind, 0) for node in nodes)

    def _enough(self, nodes: _Nodes, hint: Hint, memory: Mapping[str, int]) -> bool:
        inside = bits(hint.mask or 0)
        return all(sum(nodes[node].free.get(kind, 0) for node in inside) >= size for kind, size in memory.items())

    def _best(self, nodes: _Nodes, memory: Mapping[str, int], hint: Hint, within: int) -> Hint:
        """Return the best set of NUMA nodes around those of a hint."""
        best: Hint | None = None
        for one in self._hints(nodes, memory):
            mask = one.mask or 0
            if within & ~mask:
                continue
            if (
                best is None
                or (one.preferred and not best.preferred)
                or (one.preferred == best.preferred and narrower(mask, best.mask or 0))
            ):
                best = one
        if best is None or (hint.preferred and not best.preferred):
            raise RefusedError(UNEXPECTED, _asked(memory))
        return best

    def _keep(self, mask: int, blocks: Sequence[Block], *, init: bool) -> None:
        for block in blocks:
            kept = self.reusable.get((mask, block.kind), 0)
            self.reusable[mask, block.kind] = max(kept, block.size) if init else max(kept - block.size, 0)


def _handed_on(old: Sequence[Block], new: Sequence[Block]) -> tuple[tuple[Block, ...], list[Block]]:
    """Return what an init container keeps when a later one takes its blocks over, and what that got elsewhere."""
    rest = []
    kept = list(old)
    for block in new:
        needed = block.size
        for place, one in enumerate(kept):
            if (one.kind, one.nodes) == (block.kind, block.nodes):
                taken = min(needed, one.size)
                kept[place] = replace(one, size=one.size - taken)
                needed -= taken
        rest.append(replace(block, size=needed))
    return tuple(kept), rest


def _in_the_way(nodes: _Nodes, inside: Sequence[int]) -> bool:
    """Tell whether memory that is given already keeps these NUMA nodes from giving together."""
    if len(inside) == 1:
        return len(nodes[inside[0]].group) > 1
    return any(nodes[node].blocks and sorted(nodes[node].group) != list(inside) for node in inside)


def _asked(memory: Mapping[str, int]) -> str:
    kinds = " and ".join(f"{size >> 20} MiB of {kind}" for kind, size in sorted(memory.items()))
    return f"{kinds or MEMORY}, which no NUMA nodes can give together"
