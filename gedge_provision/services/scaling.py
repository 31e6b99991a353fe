"""Scaling on a cluster: how many pods fit, who sets `replicas`, and how the autoscaler does."""

from __future__ import annotations

from collections.abc import Iterable

from gedge_provision.adapters.kube import Kube, KubeError, NotFoundError
from gedge_provision.models.autoscalers import AutoscalerState
from gedge_provision.models.cluster import AUTOSCALER, DEPLOYMENT, POD_METRICS, STATEFUL_SET, Manifest
from gedge_provision.models.errors import GedgeError
from gedge_provision.models.service import Service
from gedge_provision.planning.autoscaler import SCALE_MANAGER, Handover, handover, replicas_part
from gedge_provision.planning.manifests import INVENTORY_LABEL, MANAGED
from gedge_provision.planning.scaling import fitting_bounds, is_pinned, refuse_more
from gedge_provision.planning.scaling_status import NO_METRICS
from gedge_provision.services.fit import fit_service

__all__ = [
    "apply_handed_over",
    "autoscalers",
    "check_scale",
    "delete_autoscaler",
    "dry_apply",
    "plan_handover",
    "within_fit",
]

_SCALED = (DEPLOYMENT.name, STATEFUL_SET.name)


def within_fit(kube: Kube, service: Service, namespace: str) -> tuple[Service, tuple[str, ...]]:
    """Return a service as it can scale on this cluster, and what is to be told; others than scaling ones as they are.

    Raises:
        NotFittingError: each of its pods owns CPUs or devices, and its fewest pods do not fit beside what runs.
    """
    if service.scaling is None:
        return service, ()
    notes = []
    if is_pinned(service):
        found = fit_service(kube, service, namespace, replicas=service.scaling.max)
        service, note = fitting_bounds(service, found)
        notes = [note] if note else []
    try:
        kube.find(POD_METRICS, namespace, labels={INVENTORY_LABEL: service.name})
    except NotFoundError:
        said, remedy = NO_METRICS
        notes.append(f"{service.name} does not scale: {said} -> {remedy}")
    except KubeError as error:
        notes.append(f"{service.name} does not scale yet: the cluster's metrics do not answer ({error.message})")
    return service, tuple(notes)


def check_scale(kube: Kube, service: Service, namespace: str, replicas: int) -> None:
    """Make sure that a service can be given a number of pods.

    Raises:
        GedgeError: its document lets the number follow what the pods use.
        NotFittingError: each pod owns CPUs or devices, and so many do not fit beside what runs.
    """
    if service.scaling is not None:
        raise GedgeError(
            f"it scales by itself, from {service.scaling.min} to {service.scaling.max} pods; nothing was changed",
            place=f"{namespace}/{service.name}",
            remedy="change min and max of scaling in the document and apply it, or write replicas there instead",
        )
    if is_pinned(service):
        refuse_more(service, fit_service(kube, service, namespace, replicas=replicas), replicas)


def plan_handover(kube: Kube, manifest: Manifest, live: Manifest | None, manifests: Iterable[Manifest]) -> Handover:
    """Return what is to be done about the replicas of an object before or after it is applied.

    Args:
        kube: the cluster; asked only where replicas come back from an autoscaler.
        manifest: the object that is to be applied.
        live: what there is of it, with its managed fields; None where there is none.
        manifests: all objects that are to be applied with it.
    """
    if manifest["kind"] not in _SCALED:
        return Handover()
    metadata = manifest["metadata"]
    autoscaler = next((one for one in manifests if _scales(one, manifest)), None)
    found = handover(manifest, live, autoscaler)
    if found.action == "take_back":
        others = [one for one in kube.find(AUTOSCALER, metadata["namespace"]) if _scales(one, manifest)]
        if any(one["metadata"].get("labels", {}).get(INVENTORY_LABEL) != metadata["name"] for one in others):
            return Handover()  # somebody's own autoscaler: its conflict is told, as any other's
    return found


def dry_apply(kube: Kube, manifest: Manifest, live: Manifest | None, found: Handover, *, take_over: bool) -> Manifest:
    """Let the API server compute an object without storing it, as it will be after the replicas were handed over."""
    if found.action != "take_back" or live is None:
        after = kube.apply(manifest, dry_run=True, take_over=take_over)
        return _with_replicas(after, found.replicas) if found.action in {"start", "let_go"} else after
    # The autoscaler still owns them: asked for as they are, they are no conflict.
    after = kube.apply(_with_replicas(manifest, live["spec"]["replicas"]), dry_run=True, take_over=take_over)
    return _with_replicas(after, found.replicas)


def apply_handed_over(kube: Kube, manifest: Manifest, found: Handover, *, take_over: bool) -> Manifest:
    """Apply an object, and hand its replicas over before or after; return the object as it then is.

    Nothing but the replicas is ever taken by force. A run that is cut off in between goes on with the next apply.
    """
    if found.action in {"let_go", "take_back"}:
        part = replicas_part(manifest, found.replicas)
        kube.apply(part, manager=SCALE_MANAGER, take_over=found.action == "take_back")
    after = kube.apply(manifest, take_over=take_over)
    if found.action == "start" and after["spec"]["replicas"] < found.replicas:
        return kube.apply(replicas_part(manifest, found.replicas), manager=SCALE_MANAGER)
    if found.action == "take_back":  # the document has them again, alone
        return kube.apply(replicas_part(manifest, None), manager=SCALE_MANAGER)
    return after


def delete_autoscaler(kube: Kube, name: str, namespace: str) -> bool:
    """Delete the autoscaler of a service, before the document's replicas are applied; tell whether there was one."""
    return kube.delete(AUTOSCALER, namespace, name)


def autoscalers(kube: Kube, namespace: str | None, name: str | None = None) -> dict[tuple[str, str], AutoscalerState]:
    """Return the autoscalers of services by namespace and name: of one namespace, or of all with None."""
    labels = MANAGED | ({INVENTORY_LABEL: name} if name is not None else {})
    states = [AutoscalerState.model_validate(item) for item in kube.find(AUTOSCALER, namespace, labels=labels)]
    return {(one.metadata.namespace, one.metadata.labels.get(INVENTORY_LABEL, "")): one for one in states}


def _scales(autoscaler: Manifest, manifest: Manifest) -> bool:
    if autoscaler["kind"] != AUTOSCALER.name:
        return False
    target = autoscaler["spec"]["scaleTargetRef"]
    return (target["kind"], target["name"]) == (manifest["kind"], manifest["metadata"]["name"])


def _with_replicas(manifest: Manifest, replicas: int) -> Manifest:
    return {**manifest, "spec": {**manifest["spec"], "replicas": replicas}}
