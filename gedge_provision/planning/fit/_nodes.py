"""A pod on a node: what keeps it off, how many copies of it the node takes, and what would fit instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from gedge_provision.models.cluster import NodeState
from gedge_provision.models.fit import NodeFit, Obstacle
from gedge_provision.models.pod_specs import RunningPod, amount_of
from gedge_provision.planning.fit._kubelet import Kubelet, refusal
from gedge_provision.planning.fit._scheduler import unfit, usage
from gedge_provision.planning.fit._variants import largest_variant

__all__ = ["Room", "fit_of"]

_NO_VARIANT = frozenset({"not-ready", "cordoned", "taint", "label"})
_NEXT = "replica-{}"


@dataclass(frozen=True)
class Room:
    """A node with what is used of it, and its kubelet, None where nothing is known of that."""

    node: NodeState
    used: Mapping[str, Decimal]
    kubelet: Kubelet | None

    @classmethod
    def of(cls, node: NodeState, pods: Sequence[RunningPod], kubelet: Kubelet | None) -> Room:
        """Return the room of a node that has these pods."""
        return cls(node, usage(pods), kubelet)

    def cleared(self) -> Room:
        """Return the node as if no pod were there."""
        return replace(self, used={}, kubelet=self.kubelet and self.kubelet.cleared())

    def obstacles(self, pod: RunningPod) -> tuple[Obstacle, ...]:
        """Return what keeps a pod off: the scheduler's reasons, and the kubelet's."""
        found = tuple(unfit(pod, self.node, self.used))
        # The kubelet is asked too where only other pods are in the way: what it would say comes next.
        if self.kubelet is None or any(one.kind != "taken" for one in found):
            return found
        verdict = self.kubelet.admit(pod, _NEXT)
        return found if verdict.reason is None or found else (refusal(self.kubelet.machine, verdict),)

    def with_pod(self, pod: RunningPod, number: int) -> Room:
        """Return the node with a copy of a pod for which there is room."""
        kubelet = self.kubelet
        if kubelet is not None:
            kubelet = replace(kubelet, state=kubelet.admit(pod, _NEXT.format(number)).state)
        used = dict(self.used)
        for name, amount in usage([pod]).items():
            used[name] = used.get(name, Decimal(0)) + amount
        return replace(self, used=used, kubelet=kubelet)

    def free(self) -> dict[str, Decimal]:
        """Return what is left of each resource."""
        offered = {name: amount_of(amount) for name, amount in self.node.status.allocatable.items()}
        return {name: amount - self.used.get(name, Decimal(0)) for name, amount in offered.items()}


def fit_of(pod: RunningPod, room: Room, replicas: int) -> NodeFit:
    """Return how many copies of a pod a node takes now, and what keeps the next one off."""
    holds, now, found = 0, room, room.obstacles(pod)
    while not found and holds < replicas:
        holds += 1
        now = now.with_pod(pod, holds)
        found = now.obstacles(pod) if holds < replicas else ()
    return NodeFit(
        node=room.node.name,
        holds=holds,
        empty_holds=not room.cleared().obstacles(pod),
        obstacles=found,
        largest="" if holds or any(one.kind in _NO_VARIANT for one in found) else _largest(pod, room),
    )


def _largest(pod: RunningPod, room: Room) -> str:
    threads = room.kubelet.machine.threads if room.kubelet else 1
    found = largest_variant(pod, room.free(), threads, lambda other: not room.obstacles(other))
    return found[0] if found else ""
