"""The topology manager: hints of several managers, merged to one by its policy.

A hint is a set of NUMA nodes, as a bit mask, that could give what is asked for; preferred where no smaller set could.
Source: Kubernetes, pkg/kubelet/cm/topologymanager, policy.go and the policies beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from gedge_provision.planning.admission._machine import Machine

__all__ = ["NO_HINT", "SINGLE", "Hint", "Hints", "bits", "mask_of", "masks", "merge", "narrower"]

SINGLE = "single-numa-node"
_CLOSEST = "prefer-closest-numa-nodes"


@dataclass(frozen=True)
class Hint:
    """NUMA nodes as a bit mask, None for any; and whether no smaller set could do."""

    mask: int | None
    preferred: bool


Hints = Mapping[str, Sequence[Hint] | None]
"""Hints of one manager, by resource; None where a resource has no place, empty where nothing can give it."""

NO_HINT = Hint(None, preferred=False)
"""What the managers are told where the topology manager's policy is `none`."""


def mask_of(nodes: Iterable[int]) -> int:
    """Return the mask of NUMA nodes."""
    return sum(1 << node for node in set(nodes))


def bits(mask: int) -> tuple[int, ...]:
    """Return the NUMA nodes of a mask, ascending."""
    return tuple(node for node in range(mask.bit_length()) if mask >> node & 1)


def masks(nodes: Sequence[int]) -> Iterator[int]:
    """Yield the masks of all sets of these NUMA nodes, small sets first."""
    for size in range(1, len(nodes) + 1):
        yield from map(mask_of, combinations(nodes, size))


def narrower(mask: int, other: int) -> bool:
    """Tell whether a mask has fewer nodes than another, or as many with lower numbers."""
    return (mask.bit_count(), mask) < (other.bit_count(), other)


def merge(machine: Machine, providers: Iterable[Hints]) -> tuple[Hint, bool]:
    """Return the best hint that all managers agree on, and whether the policy admits it."""
    policy = machine.policies.topology
    groups = list(_groups(providers))
    if policy == SINGLE:
        groups = [[hint for hint in group if hint.preferred and _one_or_any(hint)] for group in groups]
    everything = mask_of(machine.nodes)
    best = _Best(machine, max((_fewest(group) for group in groups), default=0)).of(_merged(groups, everything))
    best = best or Hint(everything, preferred=False)
    if policy == SINGLE and best.mask == everything:
        best = Hint(None, preferred=best.preferred)
    return best, best.preferred or policy not in {"restricted", SINGLE}


def _groups(providers: Iterable[Hints]) -> Iterator[list[Hint]]:
    for hints in providers:
        if not hints:
            yield [Hint(None, preferred=True)]
        for found in hints.values():
            if found is None:
                yield [Hint(None, preferred=True)]
            else:
                yield list(found) or [Hint(None, preferred=False)]


def _one_or_any(hint: Hint) -> bool:
    return hint.mask is None or hint.mask.bit_count() == 1


def _fewest(group: Sequence[Hint]) -> int:
    return min((hint.mask.bit_count() for hint in group if hint.mask is not None), default=0)


def _merged(groups: Sequence[Sequence[Hint]], everything: int) -> set[Hint]:
    """Return what comes out of all ways to take one hint of each group: what they share.

    It is preferred where all of them are, and all name the same nodes. The kubelet goes through every way; here
    ways that have come to the same are one, which is what makes sixteen NUMA nodes bearable.
    """
    reached = {Hint(None, preferred=True)}
    for group in groups:
        reached = {_both(one, hint) for one in reached for hint in group}
    return {Hint(everything if one.mask is None else one.mask & everything, one.preferred) for one in reached}


def _both(one: Hint, other: Hint) -> Hint:
    preferred = one.preferred and other.preferred
    if one.mask is None or other.mask is None:
        return Hint(one.mask if other.mask is None else other.mask, preferred)
    return Hint(one.mask & other.mask, preferred and one.mask == other.mask)


@dataclass(frozen=True)
class _Best:
    """Chooses among merged hints; `wanted` is how many NUMA nodes one that is not preferred had best have."""

    machine: Machine
    wanted: int

    def of(self, hints: Iterable[Hint]) -> Hint | None:
        best: Hint | None = None
        for hint in hints:
            if hint.mask and (best is None or self._better(hint, best)):
                best = hint
        return best

    def _better(self, hint: Hint, best: Hint) -> bool:
        if hint.preferred != best.preferred:
            return hint.preferred
        if not hint.preferred and (rank := self._rank(hint)) != self._rank(best):
            return rank < self._rank(best)
        return self._fitter(hint.mask or 0, best.mask or 0)

    def _rank(self, hint: Hint) -> int:
        """As many as wanted, then fewer (the more the better), then more (the fewer the better)."""
        count = (hint.mask or 0).bit_count()
        return self.wanted - count if count <= self.wanted else count

    def _fitter(self, mask: int, other: int) -> bool:
        policies = self.machine.policies
        if (
            policies.topology == SINGLE
            or _CLOSEST not in policies.topology_options
            or mask.bit_count() != other.bit_count()
        ):
            return narrower(mask, other)
        return (self._distance(mask), mask) < (self._distance(other), other)

    def _distance(self, mask: int) -> float:
        """Return the mean distance between the nodes of a mask."""
        nodes, places = bits(mask), self.machine.nodes
        return (
            sum(self.machine.distances[one][places.index(other)] for one in nodes for other in nodes) / len(nodes) ** 2
        )
