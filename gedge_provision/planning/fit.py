"""Can any node hold a pod of the service? Asked before anything is created."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gedge_provision.models.cluster import NodeState
from gedge_provision.models.errors import NotFittingError
from gedge_provision.models.quantities import Quantity
from gedge_provision.models.service import Service
from gedge_provision.planning.acceleration import plan_resources, without_acceleration

__all__ = ["Obstacle", "check_fit", "obstacles", "pod_requests"]

_SHOWN_NODES = 6
_BLOCKING_EFFECTS = ("NoSchedule", "NoExecute")


@dataclass(frozen=True, order=True)
class Obstacle:
    """Why a node cannot hold the pod: `what` is asked for, `why` is what this node says to it."""

    what: str
    why: str


def pod_requests(service: Service) -> dict[str, Quantity]:
    """Return what one pod of the service asks for, summed over its containers, in the words of Kubernetes."""
    totals: dict[str, Quantity] = {}
    for planned in plan_resources(service):
        # Kubernetes takes a limit without a request for the request too.
        for name, amount in (planned.limits | planned.requests).items():
            totals[name] = totals[name] + amount if name in totals else amount
    return totals


def obstacles(service: Service, node: NodeState) -> tuple[Obstacle, ...]:
    """Return everything that keeps a pod of the service off a node.

    Looks at what the node offers as a whole, not at what runs there: a full node empties, one without a GPU grows none.
    """
    found: list[Obstacle] = []
    if not node.ready:
        found.append(Obstacle("a ready node", "not ready"))
    if node.spec.unschedulable:
        found.append(Obstacle("a schedulable node", "cordoned"))
    else:
        found += [
            Obstacle(f"no taint {taint}", "tainted")
            for taint in node.spec.taints
            if taint.effect in _BLOCKING_EFFECTS and not _follows_from_state(taint.key)
        ]
    found += [
        Obstacle(f"label {key}={value}", "without it")
        for key, value in service.node_selector.items()
        if node.metadata.labels.get(key) != value
    ]
    found += _short(pod_requests(service), node.status.allocatable)
    return tuple(found)


def check_fit(service: Service, nodes: Sequence[NodeState]) -> None:
    """Make sure that at least one node can hold a pod of the service.

    Raises:
        NotFittingError: names what is missing on which nodes, and the variant that would fit.
    """
    found = {node.name: obstacles(service, node) for node in nodes}
    if any(not on_node for on_node in found.values()):
        return
    remedy = "add a node that has all of this, or ask for less"
    plain = without_acceleration(service)
    if plain != service and any(not obstacles(plain, node) for node in nodes):
        remedy = (
            "with --without-acceleration it runs on CPU time and memory alone, as requests and limits are written;"
            " or give a node what is missing"
        )
    raise NotFittingError(
        "\n".join([f"none of {len(nodes)} nodes can hold it; nothing was created", *_table(found)]),
        place=service.name,
        remedy=remedy,
    )


def _follows_from_state(taint: str) -> bool:
    # Set by the node controller itself for what readiness and cordoning already say.
    return taint.startswith("node.kubernetes.io/")


def _short(requests: Mapping[str, Quantity], allocatable: Mapping[str, str]) -> Iterable[Obstacle]:
    for name, amount in requests.items():
        offered = allocatable.get(name)
        if offered is None:
            yield Obstacle(f"{name}: {amount}", "not offered")
        elif Quantity(offered) < amount:
            yield Obstacle(f"{name}: {amount}", f"only {offered}")


def _table(found: Mapping[str, tuple[Obstacle, ...]]) -> Iterable[str]:
    count = Counter(obstacle for on_node in found.values() for obstacle in on_node)
    for obstacle in sorted(count, key=lambda entry: (-count[entry], entry)):
        nodes = [name for name, on_node in found.items() if obstacle in on_node]
        more = f" and {len(nodes) - _SHOWN_NODES} more" if len(nodes) > _SHOWN_NODES else ""
        yield f"  {obstacle.what} - {obstacle.why} on {', '.join(nodes[:_SHOWN_NODES])}{more}"
