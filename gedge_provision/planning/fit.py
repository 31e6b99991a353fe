"""Can any node hold a pod of the service? Asked before anything is created."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from gedge_provision.models.cluster import NodeState
from gedge_provision.models.errors import NotFittingError
from gedge_provision.models.quantities import Quantity
from gedge_provision.models.service import Service
from gedge_provision.planning.acceleration import plan_resources, whole_cpus, without_acceleration
from gedge_provision.planning.alignment import Request, read_alignment, refusals
from gedge_provision.planning.inventory import CLASS_LABEL

__all__ = ["check_fit", "obstacles", "pod_requests"]

_SHOWN_NODES = 6
_BLOCKING_EFFECTS = ("NoSchedule", "NoExecute")


def pod_requests(service: Service) -> dict[str, Quantity]:
    """Return what one pod of the service asks for, summed over its containers, in the words of Kubernetes."""
    totals: dict[str, Quantity] = {}
    for planned in plan_resources(service):
        # Kubernetes takes a limit without a request for the request too.
        for name, amount in (planned.limits | planned.requests).items():
            totals[name] = totals[name] + amount if name in totals else amount
    return totals


def obstacles(service: Service, node: NodeState) -> tuple[str, ...]:
    """Return everything that keeps a pod of the service off a node, each as a phrase that the node's name ends.

    Looks at what the node offers as a whole, not at what runs there: a full node empties, one without a GPU grows none.
    """
    found: list[str] = []
    if not node.ready:
        found.append("not ready:")
    if node.spec.unschedulable:
        found.append("cordoned:")
    else:
        found += [
            f"taint {taint} keeps pods off"
            for taint in node.spec.taints
            if taint.effect in _BLOCKING_EFFECTS and not _follows_from_state(taint.key)
        ]
    found += [
        f"label {key}={value} is not on"
        for key, value in service.node_selector.items()
        if node.metadata.labels.get(key) != value
    ]
    node_class = node.metadata.labels.get(CLASS_LABEL, "none")
    if service.node_classes and node_class not in service.node_classes:
        found.append(f"class {node_class}, not {' or '.join(service.node_classes)}, is that of")
    found += _short(pod_requests(service), node.status.allocatable)
    found += _misaligned(service, node)
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


def _misaligned(service: Service, node: NodeState) -> Iterable[str]:
    """Yield why the node's kubelet would refuse the pod after it has been scheduled there."""
    alignment = read_alignment(node.metadata.annotations)
    planned = plan_resources(service)
    if alignment is None or not any(entry.resources.acceleration.topology_aware for entry in service.containers):
        return
    requests = [
        Request(
            whole_cpus(entry.requests["cpu"]) if "cpu" in entry.requests else 0,
            {name: whole_cpus(amount) for name, amount in entry.requests.items() if "/" in name},
        )
        for entry in planned
    ]
    for refusal in refusals(alignment, requests):
        yield f"{refusal}: on"


def _follows_from_state(taint: str) -> bool:
    # Set by the node controller itself for what readiness and cordoning already say.
    return taint.startswith("node.kubernetes.io/")


def _short(requests: Mapping[str, Quantity], allocatable: Mapping[str, str]) -> Iterable[str]:
    for name, amount in requests.items():
        offered = allocatable.get(name)
        if offered is None:
            yield f"{name}: {amount} is asked for, none is offered by"
        elif Quantity(offered) < amount:
            yield f"{name}: {amount} is asked for, only {offered} is offered by"


def _table(found: Mapping[str, tuple[str, ...]]) -> Iterable[str]:
    count = Counter(obstacle for on_node in found.values() for obstacle in on_node)
    for obstacle in sorted(count, key=lambda entry: (-count[entry], entry)):
        nodes = [name for name, on_node in found.items() if obstacle in on_node]
        more = f" and {len(nodes) - _SHOWN_NODES} more" if len(nodes) > _SHOWN_NODES else ""
        yield f"  {obstacle} {', '.join(nodes[:_SHOWN_NODES])}{more}"
