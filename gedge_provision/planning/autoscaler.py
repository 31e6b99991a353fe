"""The autoscaler of a service, and who owns `spec.replicas` of what it scales. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gedge_provision.models.cluster import AUTOSCALER, DEPLOYMENT, STATEFUL_SET, Kind, Manifest
from gedge_provision.models.service import Metric, Scaling

__all__ = ["SCALE_MANAGER", "Handover", "autoscaler_spec", "handover", "replicas_part", "with_replicas"]

SCALE_MANAGER = "gedge-scale"
"""Field manager of nothing but `spec.replicas`, while it passes between the document and the autoscaler."""

_DOCUMENT_MANAGER, _AUTOSCALER_MANAGER = "gedge", "kube-controller-manager"
_SCALED = (DEPLOYMENT.name, STATEFUL_SET.name)
_INVENTORY_LABEL = "gedge.dev/service"
_REPLICAS = "f:replicas"


def autoscaler_spec(scaling: Scaling, kind: Kind, name: str) -> Manifest:
    """Return the spec of the HorizontalPodAutoscaler that scales a controller.

    Args:
        scaling: the bounds and metrics.
        kind: of the controller.
        name: of the controller.
    """
    return {
        "scaleTargetRef": {"apiVersion": kind.api_version, "kind": kind.name, "name": name},
        "minReplicas": scaling.min,
        "maxReplicas": scaling.max,
        "metrics": [_metric(metric) for metric in scaling.metrics],
        "behavior": {"scaleDown": {"stabilizationWindowSeconds": scaling.scale_down.stabilization_seconds}},
    }


def _metric(metric: Metric) -> Manifest:
    target: Manifest = (
        {"type": "AverageValue", "averageValue": metric.target}
        if metric.percent is None
        else {"type": "Utilization", "averageUtilization": metric.percent}
    )
    if metric.container is None:
        return {"type": "Resource", "resource": {"name": metric.resource, "target": target}}
    of_container = {"name": metric.resource, "container": metric.container, "target": target}
    return {"type": "ContainerResource", "containerResource": of_container}


@dataclass(frozen=True)
class Handover:
    """What `gedge-scale` does about `spec.replicas` when a controller is applied.

    Attributes:
        action: `start`: set it after the controller is made, so that it does not begin with fewer pods than `min`;
            `let_go`: own it before, so that it stays as it is when the document has it no more;
            `take_back`: take it from the autoscaler before, so that the document can have it again; `none`.
        replicas: the number to set.
    """

    action: Literal["none", "start", "let_go", "take_back"] = "none"
    replicas: int = 0


def handover(manifest: Manifest, live: Manifest | None, autoscalers: Iterable[Manifest]) -> Handover:
    """Return what is to be done about the replicas of an object; nothing where it has none.

    Server-side apply sets a field back to its default when the only manager that owned it leaves it out, and refuses
    a field that another one set to another value (Kubernetes documentation, "Server-Side Apply", transferring
    ownership).

    Args:
        manifest: the object that is to be applied.
        live: what there is of it, with its managed fields; None where there is none.
        autoscalers: those that are to be applied with it, and those that are there.
    """
    if manifest["kind"] not in _SCALED:
        return Handover()
    wanted = manifest["spec"].get("replicas")
    its = [one for one in autoscalers if _scales(one, manifest)]
    if wanted is None:
        if live is None:
            return Handover("start", max([1, *(one["spec"].get("minReplicas", 1) for one in its)]))
        owned = any(entry.get("manager") == _DOCUMENT_MANAGER for entry in _owners(live))
        return Handover("let_go", live["spec"]["replicas"]) if owned else Handover()
    # Somebody's own autoscaler: its conflict is told, as any other's.
    if live is None or any(not _is_ours(one, manifest) for one in its):
        return Handover()
    passed_on = any(_is_scaler(entry) for entry in _owners(live))
    return Handover("take_back", wanted) if passed_on else Handover()


def with_replicas(manifest: Manifest, replicas: int) -> Manifest:
    """Return an object with another number of replicas."""
    return {**manifest, "spec": {**manifest["spec"], "replicas": replicas}}


def _scales(autoscaler: Manifest, manifest: Manifest) -> bool:
    if autoscaler["kind"] != AUTOSCALER.name:
        return False
    target = autoscaler["spec"]["scaleTargetRef"]
    return (target["kind"], target["name"]) == (manifest["kind"], manifest["metadata"]["name"])


def _is_ours(autoscaler: Manifest, manifest: Manifest) -> bool:
    one, other = (item["metadata"].get("labels", {}).get(_INVENTORY_LABEL) for item in (autoscaler, manifest))
    return one is not None and bool(one == other)


def _owners(live: Manifest) -> Iterator[Mapping[str, Any]]:
    for entry in live["metadata"].get("managedFields", []):
        if _REPLICAS in entry.get("fieldsV1", {}).get("f:spec", {}):
            yield entry


def _is_scaler(entry: Mapping[str, Any]) -> bool:
    by_autoscaler = entry.get("manager") == _AUTOSCALER_MANAGER and entry.get("subresource") == "scale"
    return by_autoscaler or entry.get("manager") == SCALE_MANAGER


def replicas_part(manifest: Manifest, replicas: int | None) -> Manifest:
    """Return the part of a controller that `gedge-scale` applies; None gives its field up."""
    metadata = {key: manifest["metadata"][key] for key in ("name", "namespace")}
    patch: Manifest = {"apiVersion": manifest["apiVersion"], "kind": manifest["kind"], "metadata": metadata}
    return patch if replicas is None else {**patch, "spec": {"replicas": replicas}}
