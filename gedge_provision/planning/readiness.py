"""Is a service up, and if not, what keeps it? Pure predicates over what the API server shows at one moment."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gedge_provision.models.cluster import (
    ContainerStatus,
    DeploymentState,
    Event,
    PodState,
    ReplicaSetState,
    StatefulSetState,
)

__all__ = ["Readiness", "Snapshot", "Trouble", "assess", "current_pods", "pod_trouble"]

# Reasons with which the kubelet refuses a pod that the scheduler gave it (pkg/kubelet/lifecycle, cm/topologymanager,
# cm/cpumanager). The ReplicaSet then makes another pod, without end: a few equal refusals are a verdict.
_REFUSALS = ("TopologyAffinityError", "SMTAlignmentError", "UnexpectedAdmissionError", "NodeAffinity", "OutOf")
_REFUSALS_ENOUGH = 3
_RESTARTS_ENOUGH = 3

_IMAGE_REASONS = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError")
_CONFIG_REASONS = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError")
_REVISION = "controller-revision-hash"  # label of a StatefulSet's pods
_NO_RETRY_HELPS = ("InvalidImageName", "ErrImageNeverPull")


@dataclass(frozen=True)
class Trouble:
    """What keeps a service from being ready.

    Args:
        message: what is wrong, with the pod and the cluster's own words.
        remedy: what to do.
        final: waiting longer will not help.
        crashed: pod and container whose last log lines tell more, if it crashed.
    """

    message: str
    remedy: str
    final: bool = False
    crashed: tuple[str, str] | None = None


@dataclass(frozen=True)
class Snapshot:
    """Everything that is known of a service at one moment; `deployment` is its Deployment or StatefulSet."""

    deployment: DeploymentState
    replica_sets: tuple[ReplicaSetState, ...] = ()
    pods: tuple[PodState, ...] = ()
    events: tuple[Event, ...] = ()


@dataclass(frozen=True)
class Readiness:
    """How far a service is: `detail` counts, and says what is awaited; `trouble` is what keeps it, if anything does."""

    ready: bool
    detail: str
    trouble: Trouble | None = None


def current_pods(snapshot: Snapshot) -> tuple[PodState, ...]:
    """Return the pods of the newest revision that are not on their way out."""
    staying = [pod for pod in snapshot.pods if pod.metadata.deletion_timestamp is None]
    if isinstance(snapshot.deployment, StatefulSetState):
        revision = snapshot.deployment.status.update_revision
        owner = snapshot.deployment.metadata.uid
        return tuple(pod for pod in staying if pod.metadata.labels.get(_REVISION) == revision and _owned_by(pod, owner))
    if not snapshot.replica_sets:
        return ()
    newest = max(snapshot.replica_sets, key=lambda entry: entry.revision).metadata.uid
    return tuple(pod for pod in staying if _owned_by(pod, newest))


def _owned_by(pod: PodState, uid: str) -> bool:
    return any(owner.uid == uid for owner in pod.metadata.owner_references)


def assess(snapshot: Snapshot) -> Readiness:
    """Judge a service by its Deployment or StatefulSet, and by its newest pods where that is not complete.

    Source of the first part: kubectl's rollout status (generation observed, all replicas updated, none old, all
    available).
    """
    wanted = snapshot.deployment.spec.replicas
    status = snapshot.deployment.status
    if status.observed_generation < snapshot.deployment.metadata.generation:
        return Readiness(ready=False, detail="waiting for the cluster to take notice")
    if status.updated_replicas == status.replicas == status.available_replicas == wanted:
        return Readiness(ready=True, detail=f"{wanted}/{wanted} ready")
    pods = current_pods(snapshot)
    trouble = _creation_trouble(snapshot) or _refusals(pods)
    alive = [pod for pod in pods if pod.status.phase != "Failed"]
    for pod in alive:
        trouble = trouble or pod_trouble(pod, snapshot.events)
    detail = f"{sum(pod.ready for pod in alive)}/{wanted} ready"
    if trouble is None and status.updated_replicas == wanted and status.replicas > wanted:
        detail += ", old pods are ending"
    elif trouble is None:
        detail += _phases(alive)
    return Readiness(ready=False, detail=detail, trouble=trouble)


def pod_trouble(pod: PodState, events: Sequence[Event] = ()) -> Trouble | None:
    """Return what keeps a pod from being ready, or nothing when it is only starting."""
    if pod.ready:
        return None
    unschedulable = _unschedulable(pod)
    if unschedulable is not None:
        return unschedulable
    if _last_event(pod, events, "NodeNotReady") is not None:
        return Trouble(
            f"pod {pod.name}: its node {pod.spec.node_name} does not answer",
            "bring the node back, or remove it from the cluster: its pods then get another place",
        )
    for container in pod.status.container_statuses:
        trouble = _container_trouble(pod, container, events)
        if trouble is not None:
            return trouble
    return _sandbox_trouble(pod, events)


def _creation_trouble(snapshot: Snapshot) -> Trouble | None:
    """Return why pods cannot be made: a condition of a Deployment; a StatefulSet has events only, which are not new."""
    remedy = "raise the quota or change what the message names, then apply again"
    deployment = snapshot.deployment
    for condition in deployment.status.conditions:
        if condition.type == "ReplicaFailure" and condition.status == "True":
            return Trouble(f"the cluster refuses its pods: {condition.message}", remedy, final=True)
    if isinstance(deployment, StatefulSetState) and deployment.status.replicas < deployment.spec.replicas:
        for event in reversed(snapshot.events):
            if event.involved_object.uid == deployment.metadata.uid and event.reason == "FailedCreate":
                return Trouble(f"the cluster refuses its pods: {event.message}", remedy)
    return None


def _refusals(pods: Iterable[PodState]) -> Trouble | None:
    refused = [pod for pod in pods if pod.status.phase == "Failed" and pod.status.reason.startswith(_REFUSALS)]
    if not refused:
        return None
    last = refused[-1]
    return Trouble(
        f"the kubelet of {last.spec.node_name} refuses pod {last.name}: {last.status.reason}: {last.status.message}",
        "ask for less, or for CPUs and devices that one NUMA node has;"
        " until then the cluster tries again and again: gedge service delete stops it",
        final=len(refused) >= _REFUSALS_ENOUGH,
    )


def _unschedulable(pod: PodState) -> Trouble | None:
    for condition in pod.status.conditions:
        if condition.type == "PodScheduled" and condition.status == "False" and condition.reason == "Unschedulable":
            return Trouble(
                f"pod {pod.name} has no node: {condition.message}",
                "free what the message names (gedge service list shows what runs), add a node, or ask for less",
            )
    return None


def _container_trouble(pod: PodState, container: ContainerStatus, events: Sequence[Event]) -> Trouble | None:
    waiting, terminated = container.state.waiting, container.state.terminated
    reason = waiting.reason if waiting else ""
    where = f"pod {pod.name} on {pod.spec.node_name}, container {container.name}"
    if waiting and reason in _IMAGE_REASONS:
        return Trouble(
            f"{where}: image {container.image}: {reason}: {waiting.message}",
            "check the image's name, and that the nodes reach its registry or have the image",
            final=reason in _NO_RETRY_HELPS,
        )
    if waiting and reason in _CONFIG_REASONS:
        return Trouble(f"{where}: {reason}: {waiting.message}", "mend what the message names, then apply again")
    ended = terminated or container.last_state.terminated
    if ended and (terminated or reason == "CrashLoopBackOff" or container.restart_count):
        why = "it used more memory than its limit" if ended.reason == "OOMKilled" else ended.message.strip()
        return Trouble(
            f"{where}: ended with {ended.exit_code} ({ended.reason}), {container.restart_count} restarts"
            + f": {why}" * bool(why),
            "a service must keep running: see its last words, mend command, args, env or limits, then apply again",
            final=container.restart_count >= _RESTARTS_ENOUGH,
            crashed=(pod.name, container.name),
        )
    probe = _last_event(pod, events, "Unhealthy")
    if not container.ready and waiting is None and probe is not None:
        return Trouble(
            f"{where}: runs but is not ready: {probe.message}",
            "the container must listen on its containerPort on all addresses",
        )
    return None


def _sandbox_trouble(pod: PodState, events: Sequence[Event]) -> Trouble | None:
    for reason in ("FailedCreatePodSandBox", "FailedMount"):
        event = _last_event(pod, events, reason)
        if event is not None and not any(entry.state.waiting is None for entry in pod.status.container_statuses):
            return Trouble(
                f"pod {pod.name} on {pod.spec.node_name}: {event.message}",
                "the node cannot start pods: see the kubelet's and containerd's log there",
            )
    return None


def _last_event(pod: PodState, events: Sequence[Event], reason: str) -> Event | None:
    matching = [event for event in events if event.involved_object.uid == pod.metadata.uid and event.reason == reason]
    return matching[-1] if matching else None


def _phases(pods: Sequence[PodState]) -> str:
    starting = [pod for pod in pods if not pod.ready]
    if not starting:
        return ", waiting for pods"
    pod = starting[0]
    waiting = [entry.state.waiting.reason for entry in pod.status.container_statuses if entry.state.waiting]
    if waiting:
        what = waiting[0]
    elif pod.status.phase == "Running":
        what = "its port to answer"
    else:
        what = f"the kubelet of {pod.spec.node_name}" if pod.spec.node_name else "a node"
    return f", {pod.name} waits for {what}"
