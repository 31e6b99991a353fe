"""What runs: the services of a cluster, and one of them in detail."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from gedge_provision.adapters.kube import Kube, NotFoundError
from gedge_provision.models.autoscalers import AutoscalerState
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
    Metadata,
    NodeState,
    PodState,
    ReplicaSetState,
    ServiceState,
    StatefulSetState,
)
from gedge_provision.models.rollouts import Revision
from gedge_provision.planning.external_ports import node_addresses, service_urls
from gedge_provision.planning.manifests import INVENTORY_LABEL, MANAGED, REVISION
from gedge_provision.planning.readiness import Readiness, Snapshot, assess
from gedge_provision.planning.rollouts import TRIAL_OF
from gedge_provision.planning.scaling_status import scaling_line, scaling_trouble
from gedge_provision.services.namespaces import check_namespace
from gedge_provision.services.records import Records
from gedge_provision.services.scaling import autoscalers

__all__ = [
    "PodLine",
    "ServiceLine",
    "ServiceStatus",
    "controller_state",
    "list_services",
    "observe",
    "observe_all",
    "read_status",
    "service_key",
    "service_line",
]

_Owned = TypeVar("_Owned", PodState, ReplicaSetState)


@dataclass(frozen=True)
class ServiceLine:
    """A service in a list; `scaling` is empty when it has a fixed number of pods, `created` is when its pods were."""

    name: str
    namespace: str
    ready: bool
    detail: str
    scaling: str
    urls: tuple[str, ...]
    created: datetime | None


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
    containers: tuple[str, ...]


@dataclass(frozen=True)
class ServiceStatus:
    """A service in detail.

    Attributes:
        name: the service.
        namespace: where it is.
        ready: whether it is up.
        detail: how many pods are ready, and what is awaited.
        scaling: between which bounds and by what it scales; empty when it has a fixed number of pods.
        problem: what keeps it; empty when nothing does.
        remedy: what to do about that.
        urls: how to reach its external ports.
        pods: its pods.
        revision: number of the revision that its controller has; 0 when nobody said.
        rollout: what the newest revision waits for, in words; empty when its rollout has ended.
    """

    name: str
    namespace: str
    ready: bool
    detail: str
    scaling: str
    problem: str
    remedy: str
    urls: tuple[str, ...]
    pods: tuple[PodLine, ...]
    revision: int = 0
    rollout: str = ""


def list_services(
    kube: Kube, namespace: str | None, *, labels: Mapping[str, str] | None = None
) -> tuple[ServiceLine, ...]:
    """Return the services of a namespace, or of all with None.

    Args:
        kube: the cluster.
        namespace: where they are.
        labels: only those that have these.

    Raises:
        UsageError: the namespace is not there.
    """
    published: dict[tuple[str, str], list[ServiceState]] = {}
    for item in kube.each(SERVICE, namespace, labels=MANAGED):
        state = ServiceState.model_validate(item)
        published.setdefault(service_key(state.metadata), []).append(state)
    scaled = autoscalers(kube, namespace)
    lines = []
    for kind in (DEPLOYMENT, STATEFUL_SET):
        for item in kube.each(kind, namespace, labels={**(labels or {}), **MANAGED}):
            controller = controller_state(item)
            key = service_key(controller.metadata)
            lines.append(service_line(controller, published.get(key, ()), scaled.get(key)))
    if namespace is not None and not lines:
        check_namespace(kube, namespace)
    return tuple(sorted(lines, key=lambda line: (line.namespace, line.name)))


def service_line(
    controller: DeploymentState, published: Iterable[ServiceState], scaled: AutoscalerState | None
) -> ServiceLine:
    """Return a service in a list.

    Args:
        controller: its Deployment or StatefulSet.
        published: its Kubernetes Services.
        scaled: its autoscaler.
    """
    namespace, name = service_key(controller.metadata)
    readiness = assess(Snapshot(controller))
    available = f"{controller.status.available_replicas}/{controller.spec.replicas} ready"
    trial_of = controller.metadata.labels.get(TRIAL_OF)
    available += f", the trial of {trial_of}" if trial_of else ""
    scales = scaling_line(scaled) if scaled is not None else ""
    created = controller.metadata.creation_timestamp
    return ServiceLine(name, namespace, readiness.ready, available, scales, service_urls(published), created)


def service_key(metadata: Metadata) -> tuple[str, str]:
    """Return namespace and name of the service that an object belongs to."""
    return metadata.namespace, metadata.labels.get(INVENTORY_LABEL, "")


def controller_state(item: Manifest) -> DeploymentState:
    """Return the state of a Deployment or StatefulSet."""
    model = StatefulSetState if item["kind"] == STATEFUL_SET.name else DeploymentState
    return model.model_validate(item)


def observe(kube: Kube, namespace: str, name: str) -> tuple[Snapshot, Readiness]:
    """Look at a service once.

    Raises:
        NotFoundError: there is no such service.
    """
    seen = observe_all(kube, namespace, [name])
    if name not in seen:
        raise NotFoundError(
            "no such service", place=f"{namespace}/{name}", remedy="gedge service list --all-namespaces shows them all"
        )
    return seen[name]


def observe_all(
    kube: Kube, namespace: str, names: Collection[str], *, details: bool = True
) -> dict[str, tuple[Snapshot, Readiness]]:
    """Look at services of a namespace once, by as few calls for many as for one.

    Args:
        kube: the cluster.
        namespace: where they are.
        names: the services; one that is not there is left out.
        details: ask for pods and warnings of those that are not ready, so that what keeps them is known.
    """
    labels = MANAGED | ({INVENTORY_LABEL: next(iter(names))} if len(names) == 1 else {})
    controllers: dict[str, DeploymentState] = {}
    for kind in (DEPLOYMENT, STATEFUL_SET):
        for item in kube.each(kind, namespace, labels=labels):
            state = controller_state(item)
            name = state.metadata.labels.get(INVENTORY_LABEL, "")
            # Where a StatefulSet takes the place of a Deployment, or the other way, the one that stays counts.
            if name in names and (name not in controllers or controllers[name].metadata.deletion_timestamp):
                controllers[name] = state
    seen = {name: (Snapshot(state), assess(Snapshot(state))) for name, state in controllers.items()}
    late = [name for name, (_, readiness) in seen.items() if not readiness.ready]
    if not details or not controllers or (len(names) > 1 and not late):
        return seen
    pods = _by_service(kube.each(POD, namespace, labels=labels), controllers, PodState)
    replica_sets: dict[str, list[ReplicaSetState]] = {}
    warnings: list[Manifest] = []
    if late:
        replica_sets = _by_service(kube.each(REPLICA_SET, namespace, labels=labels), late, ReplicaSetState)
        warnings = kube.pod_warnings(namespace)
        if any(isinstance(controllers[name], StatefulSetState) for name in late):
            warnings = kube.warnings(namespace, STATEFUL_SET) + warnings
    events = tuple(Event.model_validate(item) for item in warnings)
    for name, controller in controllers.items():
        snapshot = Snapshot(
            controller,
            tuple(replica_sets.get(name, ())),
            tuple(pods.get(name, ())),
            events if name in late else (),
        )
        seen[name] = (snapshot, assess(snapshot))
    return seen


def _by_service(items: Iterator[Manifest], names: Collection[str], model: type[_Owned]) -> dict[str, list[_Owned]]:
    """Return the objects of services, without all that nobody asks for."""
    found: dict[str, list[_Owned]] = {}
    for item in items:
        name = item["metadata"]["labels"].get(INVENTORY_LABEL, "")
        if name in names:
            found.setdefault(name, []).append(model.model_validate(item))
    return found


def read_status(kube: Kube, namespace: str, name: str) -> ServiceStatus:
    """Return a service in detail.

    Raises:
        NotFoundError: there is no such service.
    """
    # Read first: who sees that a rollout has ended shall see what came of it, not what was before.
    revisions = Records(kube, namespace).of([name]).get(name, ())
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
        int(snapshot.deployment.metadata.annotations.get(REVISION, "0")),
        _rollout(
            revisions,
            name,
            paused=snapshot.deployment.paused,
            trial_of=snapshot.deployment.metadata.labels.get(TRIAL_OF),
        ),
    )


def _rollout(revisions: tuple[Revision, ...], name: str, *, paused: bool, trial_of: str | None) -> str:
    if trial_of is not None:
        return f"the trial of {trial_of} -> gedge service promote {trial_of}, or gedge service rollback {trial_of}"
    if paused:
        return f"paused -> gedge service resume {name}"
    newest = revisions[-1] if revisions else None
    if newest is None or not (newest.unfinished or newest.state == "on trial"):
        return ""
    told = f"revision {newest.number} is {newest.state} as {newest.strategy}"
    if newest.unfinished:
        return f"{told} -> wait for it, or go on where it was cut off: gedge service resume {name}"
    return f"{told} -> gedge service promote {name}, or gedge service rollback {name}"


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
    return PodLine(
        pod.name,
        pod.spec.node_name,
        phase,
        pod.ready,
        pod.status.qos_class,
        restarts,
        pod.status.pod_ip,
        tuple(container.name for container in pod.spec.containers),
    )
