"""Scaling on a cluster: how many pods fit, who sets `replicas`, and how the autoscalers do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress

from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from gedge_provision.adapters.kube import ConflictError, ForbiddenError, Kube, KubeError, NotFoundError
from gedge_provision.models.autoscalers import AutoscalerState
from gedge_provision.models.cluster import (
    AUTOSCALER,
    CONTROLLER_KINDS,
    POD,
    POD_METRICS,
    Manifest,
    NodeState,
)
from gedge_provision.models.errors import GedgeError
from gedge_provision.models.pod_specs import RunningPod
from gedge_provision.models.service import Service
from gedge_provision.planning import fit
from gedge_provision.planning.autoscaler import SCALE_MANAGER, Handover, handover, replicas_part, with_replicas
from gedge_provision.planning.manifests import INVENTORY_LABEL, MANAGED
from gedge_provision.planning.scaling import fitting_bounds, is_pinned, refuse_more
from gedge_provision.planning.scaling_status import NO_METRICS
from gedge_provision.services.fit import fit_service

__all__ = ["apply_handed_over", "autoscalers", "check_scale", "delete_autoscaler", "dry_apply", "within_fit"]

_GONE_S, _POLL_S = 10.0, 0.2


def within_fit(
    kube: Kube, services: Sequence[Service], namespace: str, nodes: Sequence[NodeState]
) -> tuple[tuple[Service, ...], tuple[str, ...]]:
    """Return services as they can scale on this cluster, and what is to be told; those that do not scale as they are.

    Args:
        kube: the cluster; asked only where a service scales.
        services: the services.
        namespace: where they are, or are to be.
        nodes: of the cluster.

    Raises:
        NotFittingError: each pod of one owns CPUs or devices, and its fewest pods do not fit beside what runs.
    """
    scaling = [service.name for service in services if service.scaling is not None]
    if not scaling:
        return tuple(services), ()
    notes = []
    pods: list[RunningPod] | None = None
    found = []
    for service in services:
        bounded = service
        if service.scaling is not None and is_pinned(service):
            if pods is None:
                pods = [RunningPod.model_validate(item) for item in kube.find(POD)]
            most = fit.fit_service(service, nodes, pods, namespace=namespace, replicas=service.scaling.max)
            bounded, note = fitting_bounds(service, most)
            notes += [note] if note else []
        found.append(bounded)
    return tuple(found), (*notes, *_without_metrics(kube, namespace, scaling))


def _without_metrics(kube: Kube, namespace: str, names: Sequence[str]) -> tuple[str, ...]:
    listed = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
    try:
        kube.find(POD_METRICS, namespace, labels={INVENTORY_LABEL: names[0]})
    except NotFoundError:
        said, remedy = NO_METRICS
        return (f"{listed}: no scaling beyond min, since {said} -> {remedy}",)
    except KubeError as error:
        return (f"{listed}: no scaling until the cluster's metrics answer: {error.message} -> see gedge verify",)
    return ()


def check_scale(kube: Kube, service: Service, namespace: str, replicas: int) -> None:
    """Make sure that a service can be given a number of pods.

    Raises:
        GedgeError: its document lets the number follow what the pods use.
        NotFittingError: so many do not fit beside what runs, as far as the user may look at that.
    """
    if service.scaling is not None:
        raise GedgeError(
            f"it scales by itself, from {service.scaling.min} to {service.scaling.max} pods; nothing was changed",
            place=f"{namespace}/{service.name}",
            remedy="change min and max of scaling in the document and apply it, or write replicas there instead",
        )
    try:
        found = fit_service(kube, service, namespace, replicas=replicas)
    except ForbiddenError as error:
        if not error.by_rbac:
            raise
    else:
        refuse_more(service, found, replicas)


def dry_apply(
    kube: Kube, manifest: Manifest, live: Manifest | None, scalers: Iterable[Manifest], *, take_over: bool
) -> Manifest:
    """Let the API server compute an object without storing it, as it is once its replicas were handed over.

    Args:
        kube: the cluster.
        manifest: the object that is to be applied.
        live: what there is of it, with its managed fields; None where there is none.
        scalers: the autoscalers that are to be applied with it, and those that are there; other objects do not count.
        take_over: overwrite what other field managers own.

    Raises:
        ConflictError: somebody else owns what this would change.
    """
    found = handover(manifest, live, scalers)
    if found.action == "take_back" and live is not None:
        # The autoscaler still owns them: asked for as they are, they are no conflict.
        asked = with_replicas(manifest, live["spec"]["replicas"])
        return with_replicas(kube.apply(asked, dry_run=True, take_over=take_over), found.replicas)
    after = kube.apply(manifest, dry_run=True, take_over=take_over)
    return after if found.action == "none" else with_replicas(after, found.replicas)


def apply_handed_over(kube: Kube, manifest: Manifest, scalers: Iterable[Manifest], *, take_over: bool) -> None:
    """Apply an object, and hand its replicas over where they pass between the document and an autoscaler.

    Nothing but the replicas is taken by force. What is cut off in between goes on with the next apply. Only where
    there is something to hand over the object is read before.

    Args:
        kube: the cluster.
        manifest: the object.
        scalers: what is applied with it; objects that are no autoscalers do not count.
        take_over: overwrite what other field managers own.

    Raises:
        ConflictError: somebody else owns what this would change.
    """
    if "replicas" not in manifest.get("spec", {}):
        _apply(kube, manifest, _handover(kube, manifest, scalers), take_over=take_over)
        return
    try:
        kube.apply(manifest, take_over=take_over)
    except ConflictError:
        there = kube.find(AUTOSCALER, manifest["metadata"]["namespace"])
        found = _handover(kube, manifest, there)
        if found.action != "take_back":
            raise
        _apply(kube, manifest, found, take_over=take_over)


def _handover(kube: Kube, manifest: Manifest, scalers: Iterable[Manifest]) -> Handover:
    if "template" not in manifest.get("spec", {}):  # it makes no pods
        return Handover()
    live: Manifest | None = None
    with suppress(NotFoundError):
        live = kube.get(
            CONTROLLER_KINDS[manifest["kind"]], manifest["metadata"]["namespace"], manifest["metadata"]["name"]
        )
    return handover(manifest, live, scalers)


def _apply(kube: Kube, manifest: Manifest, found: Handover, *, take_over: bool) -> None:
    if found.action in {"let_go", "take_back"}:
        part = replicas_part(manifest, found.replicas)
        kube.apply(part, manager=SCALE_MANAGER, take_over=found.action == "take_back")
    after = kube.apply(manifest, take_over=take_over)
    if found.action == "start" and after["spec"]["replicas"] < found.replicas:
        kube.apply(replicas_part(manifest, found.replicas), manager=SCALE_MANAGER)
    if found.action == "take_back":  # the document has them again, alone
        kube.apply(replicas_part(manifest, None), manager=SCALE_MANAGER)


def delete_autoscaler(kube: Kube, name: str, namespace: str) -> None:
    """Delete an autoscaler and wait until it is gone: before that it could still set the replicas.

    Raises:
        GedgeError: it is still there after ten seconds.
    """
    kube.delete(AUTOSCALER, namespace, name)

    def is_there() -> bool:
        with suppress(NotFoundError):
            kube.get(AUTOSCALER, namespace, name)
            return True
        return False

    wait = Retrying(stop=stop_after_delay(_GONE_S), wait=wait_fixed(_POLL_S), retry=retry_if_result(bool))
    try:
        wait(is_there)
    except RetryError as error:
        raise GedgeError(
            f"its autoscaler is still there after {_GONE_S:g} s",
            place=f"{namespace}/{name}",
            remedy=f"see what holds it: kubectl -n {namespace} get hpa {name} -o yaml; then apply again",
        ) from error


def autoscalers(kube: Kube, namespace: str | None, name: str | None = None) -> dict[tuple[str, str], AutoscalerState]:
    """Return the autoscalers of services by namespace and name: of one namespace, or of all with None."""
    labels = MANAGED | ({INVENTORY_LABEL: name} if name is not None else {})
    states = [AutoscalerState.model_validate(item) for item in kube.find(AUTOSCALER, namespace, labels=labels)]
    return {(one.metadata.namespace, one.metadata.labels.get(INVENTORY_LABEL, "")): one for one in states}
