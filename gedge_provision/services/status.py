"""What runs: the services of a cluster, and one of them in detail."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from gedge_provision.adapters.kube import Kube, NotFoundError
from gedge_provision.models.cluster import (
    DEPLOYMENT,
    NODE,
    POD,
    REPLICA_SET,
    SERVICE,
    STATEFUL_SET,
    DeploymentState,
    Event,
    Manifest,
    NodeState,
    PodState,
    ReplicaSetState,
    ServiceState,
    StatefulSetState,
)
from gedge_provision.planning.external_ports import node_addresses, service_urls
from gedge_provision.planning.manifests import INVENTORY_LABEL, MANAGED
from gedge_provision.planning.readiness import Readiness, Snapshot, assess
from gedge_provision.planning.scaling_status import scaling_line, scaling_trouble
from gedge_provision.services.scaling import autoscalers

__all__ = ["PodLine", "ServiceLine", "ServiceStatus", "list_services", "observe", "read_status"]


@dataclass(frozen=True)
class ServiceLine:
    """A service in a list; `scaling` is empty when it has a fixed number of pods."""

    name: str
    namespace: str
    ready: bool
    detail: str
    scaling: str
    urls: tuple[str, ...]


@dataclass(frozen=True)
class PodLine:
    """A pod of a service."""

    name: str
    node: str
    phase: str
    ready: bool
    qos: str
    restarts: int
    address: str


@dataclass(frozen=True)
class ServiceStatus:
    """A service in detail; `problem` and `remedy` are empty when nothing keeps it, `scaling` when it does not scale."""

    name: str
    namespace: str
    ready: bool
    detail: str
    scaling: str
    problem: str
    remedy: str
    urls: tuple[str, ...]
    pods: tuple[PodLine, ...]


def list_services(kube: Kube, namespace: str | None) -> tuple[ServiceLine, ...]:
    """Return the services of a namespace, or of all with None."""
    published: dict[tuple[str, str], list[ServiceState]] = {}
    for item in kube.find(SERVICE, namespace, labels=MANAGED):
        state = ServiceState.model_validate(item)
        published.setdefault(_key(state.metadata.namespace, state.metadata.labels), []).append(state)
    scaled = autoscalers(kube, namespace)
    lines = []
    for item in kube.find(DEPLOYMENT, namespace, labels=MANAGED) + kube.find(STATEFUL_SET, namespace, labels=MANAGED):
        deployment = _state(item)
        key = _key(deployment.metadata.namespace, deployment.metadata.labels)
        readiness = assess(Snapshot(deployment))
        available = f"{deployment.status.available_replicas}/{deployment.spec.replicas} ready"
        scales = scaling_line(scaled[key]) if key in scaled else ""
        urls = service_urls(published.get(key, []))
        lines.append(ServiceLine(key[1], key[0], readiness.ready, available, scales, urls))
    return tuple(sorted(lines, key=lambda line: (line.namespace, line.name)))


def observe(kube: Kube, namespace: str, name: str) -> tuple[Snapshot, Readiness]:
    """Look at a service once.

    Raises:
        NotFoundError: there is no such service.
    """
    labels = {INVENTORY_LABEL: name}
    deployment = _controller(kube, namespace, name)
    quick = assess(Snapshot(deployment))
    pods = tuple(PodState.model_validate(item) for item in kube.find(POD, namespace, labels=labels))
    if quick.ready:
        return Snapshot(deployment, pods=pods), quick
    warnings = kube.pod_warnings(namespace)
    if isinstance(deployment, StatefulSetState):
        warnings = kube.warnings(namespace, STATEFUL_SET) + warnings
    snapshot = Snapshot(
        deployment,
        tuple(ReplicaSetState.model_validate(item) for item in kube.find(REPLICA_SET, namespace, labels=labels)),
        pods,
        tuple(Event.model_validate(item) for item in warnings),
    )
    return snapshot, assess(snapshot)


def read_status(kube: Kube, namespace: str, name: str) -> ServiceStatus:
    """Return a service in detail.

    Raises:
        NotFoundError: there is no such service.
    """
    snapshot, readiness = observe(kube, namespace, name)
    published = [
        ServiceState.model_validate(item) for item in kube.find(SERVICE, namespace, labels={INVENTORY_LABEL: name})
    ]
    problem = readiness.trouble.message if readiness.trouble else ""
    remedy = readiness.trouble.remedy if readiness.trouble else ""
    if not problem:
        problem = _stale_addresses(kube, published)
        remedy = "apply the service again" if problem else ""
    scaled = autoscalers(kube, namespace, name).get((namespace, name))
    if scaled is not None and not problem:
        problem, remedy = scaling_trouble(scaled)
    return ServiceStatus(
        name,
        namespace,
        readiness.ready,
        readiness.detail,
        "" if scaled is None else scaling_line(scaled),
        problem,
        remedy,
        service_urls(published),
        tuple(_pod_line(pod) for pod in sorted(snapshot.pods, key=lambda pod: pod.name)),
    )


def _stale_addresses(kube: Kube, published: list[ServiceState]) -> str:
    external = [state for state in published if state.spec.type == "LoadBalancer"]
    if not external:
        return ""
    addresses = node_addresses(NodeState.model_validate(item) for item in kube.find(NODE))
    told = tuple(sorted(address for state in external for address in state.ingress_ips))
    if told == addresses:
        return ""
    return f"published on {', '.join(told) or 'no address'}, while the ready nodes have {', '.join(addresses)}"


def _pod_line(pod: PodState) -> PodLine:
    phase = "Terminating" if pod.metadata.deletion_timestamp else pod.status.reason or pod.status.phase
    restarts = sum(container.restart_count for container in pod.status.container_statuses)
    return PodLine(pod.name, pod.spec.node_name, phase, pod.ready, pod.status.qos_class, restarts, pod.status.pod_ip)


def _key(namespace: str, labels: dict[str, str]) -> tuple[str, str]:
    return namespace, labels.get(INVENTORY_LABEL, "")


def _controller(kube: Kube, namespace: str, name: str) -> DeploymentState:
    """Return the Deployment or StatefulSet of a service: the one that stays, where one takes the other's place."""
    found = []
    for kind in (DEPLOYMENT, STATEFUL_SET):
        with suppress(NotFoundError):
            found.append(_state(kube.get(kind, namespace, name)))
        if found and found[-1].metadata.deletion_timestamp is None:
            return found[-1]
    if found:
        return found[-1]
    raise NotFoundError(
        "no such service", place=f"{namespace}/{name}", remedy="gedge service list --all-namespaces shows them all"
    )


def _state(item: Manifest) -> DeploymentState:
    model = StatefulSetState if item["kind"] == STATEFUL_SET.name else DeploymentState
    return model.model_validate(item)
