"""Does a service fit: with all its replicas now, and at all?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from gedge_provision.models.cluster import NodeState
from gedge_provision.models.errors import NotFittingError
from gedge_provision.models.fit import NodeFit, ServiceFit
from gedge_provision.models.pod_resources import NodeLook
from gedge_provision.models.pod_specs import RunningPod, template_of
from gedge_provision.models.service import Service
from gedge_provision.planning.acceleration import without_acceleration
from gedge_provision.planning.alignment import read_alignment
from gedge_provision.planning.fit._asks import ask_of
from gedge_provision.planning.fit._kubelet import kubelet_of
from gedge_provision.planning.fit._nodes import Room, fit_of
from gedge_provision.planning.manifests import INVENTORY_LABEL, render

__all__ = ["check_fit", "fit_service"]

_SHOWN_NODES = 6
_STRICT = ("restricted", "single-numa-node")


def fit_service(  # noqa: PLR0913 - the service, and what is known of the cluster
    service: Service,
    nodes: Sequence[NodeState],
    pods: Sequence[RunningPod],
    *,
    namespace: str = "default",
    replicas: int | None = None,
    looks: Mapping[str, NodeLook] | None = None,
) -> ServiceFit:
    """Return on which nodes a service fits, beside the pods that they have, and how many replicas in all.

    Nodes are independent of one another and replicas alike, so what fits altogether is the sum of what each node takes.
    Pods of the service itself count as gone: they are what the replicas replace.

    Args:
        service: the service.
        nodes: of the cluster.
        pods: of the cluster, those that have ended too.
        namespace: where the service is, or is to be.
        replicas: how many are to fit; if left out as many as the document asks for, with scaling the fewest.
        looks: what was seen of nodes over SSH, by name.
    """
    pod = template_of(render(service, namespace))
    wanted = service.least_replicas if replicas is None else replicas
    there: dict[str, list[RunningPod]] = {}
    for other in pods:
        own = other.metadata.namespace == namespace and other.metadata.labels.get(INVENTORY_LABEL) == service.name
        if other.spec.node_name and not other.ended and not own:
            there.setdefault(other.spec.node_name, []).append(other)
    found = []
    for node in nodes:
        on_node = there.get(node.name, [])
        kubelet = kubelet_of(node, on_node, (looks or {}).get(node.name))
        found.append(fit_of(pod, Room.of(node, on_node, kubelet), wanted))
    notes = tuple(_notes(pod, nodes, found, looks or {}))
    return ServiceFit(service=service.name, replicas=wanted, nodes=tuple(found), notes=notes)


def _notes(
    pod: RunningPod, nodes: Sequence[NodeState], found: Sequence[NodeFit], looks: Mapping[str, NodeLook]
) -> Iterator[str]:
    ask = ask_of(pod)
    if not ask.cpus and not ask.devices:
        return
    known = {node.name: read_alignment(node.metadata.annotations) for node in nodes}
    silent = [one.node for one in found if one.holds and known[one.node] is None and one.node not in looks]
    if silent:
        yield (
            f"{_listed(silent)}: only amounts were compared, since the nodes do not say how their kubelets align"
            " -> --look asks the kubelets"
        )
    for resource in ask.devices:
        unplaced = [
            name
            for name, alignment in known.items()
            if alignment
            and alignment.policies.topology in _STRICT
            and name not in looks
            and not any(resource in node.devices for node in alignment.numa)
        ]
        offering = [node.name for node in nodes if node.name in unplaced and resource in node.status.allocatable]
        if offering:
            yield f"the NUMA nodes of {resource} are not known on {_listed(offering)} -> --look asks the kubelets"
    refusing = [
        node.node for node in found if any(one.kind.endswith("Error") for one in node.obstacles) and not node.holds
    ]
    if refusing and any(node.holds for node in found):
        yield (
            f"the scheduler does not know that the kubelets of {_listed(refusing)} refuse: pods that it sends there "
            "fail, and are made anew -> keep the service off by a nodeSelector"
        )


def check_fit(service: Service, nodes: Sequence[NodeState]) -> None:
    """Make sure that at least one node can hold a pod of the service, if not now then when others have ended.

    Raises:
        NotFittingError: names what is missing on which nodes, and the variant that would fit.
    """
    pod = template_of(render(service, "default"))
    if any(not _empty(node).obstacles(pod) for node in nodes):
        return
    rooms = [_empty(node) for node in nodes]
    found = {room.node.name: tuple(one.phrase for one in room.obstacles(pod)) for room in rooms}
    least = "or ask for less"
    variants = {fit.largest: fit.node for fit in (fit_of(pod, room, 1) for room in rooms[:_SHOWN_NODES]) if fit.largest}
    if variants:
        least += ": " + "; ".join(f"{words} would fit on {node}" for words, node in variants.items())
    remedy = f"add a node that has all of this, {least}"
    plain = without_acceleration(service)
    if plain != service and any(not room.obstacles(template_of(render(plain, "default"))) for room in rooms):
        remedy = (
            "with --without-acceleration it runs on CPU time and memory alone, as requests and limits are written; or "
            f"give a node what is missing, {least}"
        )
    raise NotFittingError(
        "\n".join([f"none of {len(nodes)} nodes can hold it; nothing was created", *_table(found)]),
        place=service.name,
        remedy=remedy,
    )


def _empty(node: NodeState) -> Room:
    return Room(node, {}, kubelet_of(node, ()))


def _table(found: Mapping[str, tuple[str, ...]]) -> Iterable[str]:
    count = Counter(obstacle for on_node in found.values() for obstacle in on_node)
    for obstacle in sorted(count, key=lambda entry: (-count[entry], entry)):
        yield f"  {obstacle} {_listed([name for name, on_node in found.items() if obstacle in on_node])}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN_NODES} more" if len(names) > _SHOWN_NODES else ""
    return f"{', '.join(names[:_SHOWN_NODES])}{more}"
