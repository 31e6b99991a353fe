"""Namespaces, nodes and their images, limit ranges, autoscalers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, Response

from gedge_provision.adapters.kube import NotFoundError
from gedge_provision.gse._callers import KubeOf
from gedge_provision.gse._inputs import Json, NamespaceName, NodeName, ObjectName, read_json
from gedge_provision.gse._openapi import json_body, needs
from gedge_provision.gse._pages import Page, Paging, paged
from gedge_provision.gse._problems import ProblemError
from gedge_provision.models.autoscalers import AutoscalerState
from gedge_provision.models.cluster import AUTOSCALER, NAMESPACE, Manifest, Metadata
from gedge_provision.planning.manifests import INVENTORY_LABEL
from gedge_provision.planning.scaling_status import scaling_line, scaling_trouble
from gedge_provision.services import (
    ImageLine,
    LimitRange,
    NodeDetail,
    NodeLine,
    apply_limit_range,
    delete_limit_range,
    list_limit_ranges,
    list_nodes,
    node_images,
    read_limit_range,
    read_node,
)

__all__ = ["router"]

router = APIRouter(prefix="/gse/v1")
_IN_NAMESPACE = "/namespaces/{namespace}"


@dataclass(frozen=True)
class Namespace:
    """A namespace; `phase` is Active, or Terminating while it is deleted."""

    name: str
    phase: str
    created: datetime | None


@dataclass(frozen=True)
class Autoscaler:
    """A HorizontalPodAutoscaler.

    Attributes:
        name: its name.
        service: the service that it scales; empty for those of others.
        min: so many pods at least.
        max: so many at most.
        detail: bounds and metrics in words.
        problem: what keeps it; empty when nothing does.
        remedy: what to do about that.
    """

    name: str
    service: str
    min: int
    max: int
    detail: str
    problem: str
    remedy: str


@router.get(
    "/namespaces", summary="List namespaces", tags=["namespaces"], openapi_extra=needs("list namespaces @cluster")
)
def list_namespaces(kube: KubeOf, paging: Paging) -> Page[Namespace]:
    """Return the namespaces, by name."""
    return paged([_namespace(item) for item in kube.each(NAMESPACE)], paging, lambda one: (one.name,))


@router.get(_IN_NAMESPACE, summary="Show a namespace", tags=["namespaces"], openapi_extra=needs("get namespaces"))
def show_namespace(kube: KubeOf, namespace: NamespaceName) -> Namespace:
    """Return a namespace."""
    return _namespace(kube.get(NAMESPACE, "", namespace))


@router.put(
    _IN_NAMESPACE,
    summary="Make a namespace",
    tags=["namespaces"],
    openapi_extra=needs("create namespaces @cluster", "patch namespaces @cluster"),
    responses={201: {"model": Namespace, "description": "It was made."}},
)
def make_namespace(kube: KubeOf, namespace: NamespaceName, response: Response) -> Namespace:
    """Make a namespace if it is not there; a second time nothing is changed."""
    try:
        return _namespace(kube.get(NAMESPACE, "", namespace))
    except NotFoundError:
        manifest = {"apiVersion": NAMESPACE.api_version, "kind": NAMESPACE.name, "metadata": {"name": namespace}}
        response.status_code = 201
        return _namespace(kube.apply(manifest))


@router.delete(
    _IN_NAMESPACE,
    summary="Delete a namespace",
    tags=["namespaces"],
    status_code=202,
    openapi_extra=needs("delete namespaces @cluster"),
)
def delete_namespace(kube: KubeOf, namespace: NamespaceName) -> Namespace:
    """Delete a namespace with everything in it; that goes on after the answer."""
    found = _namespace(kube.get(NAMESPACE, "", namespace))
    kube.delete(NAMESPACE, "", namespace)
    return Namespace(found.name, "Terminating", found.created)


@router.get("/nodes", summary="List nodes", tags=["nodes"], openapi_extra=needs("list nodes @cluster"))
def list_cluster_nodes(kube: KubeOf, paging: Paging) -> Page[NodeLine]:
    """Return the nodes, by name."""
    return paged(list_nodes(kube), paging, lambda one: (one.name,))


@router.get(
    "/nodes/{node}",
    summary="Show a node",
    tags=["nodes"],
    openapi_extra=needs("get nodes @cluster", "list pods @cluster"),
)
def show_node(kube: KubeOf, node: NodeName) -> NodeDetail:
    """Return a node with its topology, the policies of its kubelet, and its pods with the CPUs that they own."""
    return read_node(kube, node)


@router.get(
    "/nodes/{node}/images",
    summary="List a node's images",
    tags=["nodes"],
    openapi_extra=needs("get nodes @cluster"),
)
def list_node_images(kube: KubeOf, node: NodeName, paging: Paging) -> Page[ImageLine]:
    """Return the images that a node has, largest first; kubelets tell of 50."""
    found = node_images(kube, node)
    return paged(found, paging, lambda one: (one.size_bytes, *one.names), backwards=True)


@router.get(
    f"{_IN_NAMESPACE}/limit-ranges",
    summary="List limit ranges",
    tags=["limit ranges"],
    openapi_extra=needs("list limitranges"),
)
def list_namespace_limit_ranges(kube: KubeOf, namespace: NamespaceName, paging: Paging) -> Page[LimitRange]:
    """Return the limit ranges of a namespace, by name."""
    return paged(list_limit_ranges(kube, namespace), paging, lambda one: (one.name,))


@router.get(
    f"{_IN_NAMESPACE}/limit-ranges/{{name}}",
    summary="Show a limit range",
    tags=["limit ranges"],
    openapi_extra=needs("get limitranges"),
)
def show_limit_range(kube: KubeOf, namespace: NamespaceName, name: ObjectName) -> LimitRange:
    """Return a limit range."""
    return read_limit_range(kube, namespace, name)


@router.put(
    f"{_IN_NAMESPACE}/limit-ranges/{{name}}",
    summary="Create or replace a limit range",
    tags=["limit ranges"],
    openapi_extra=needs("create limitranges", "patch limitranges") | json_body("LimitRange"),
)
def put_limit_range(kube: KubeOf, namespace: NamespaceName, name: ObjectName, body: Json) -> LimitRange:
    """Make a limit range what the body says."""
    wanted = read_json(body, LimitRange)
    if wanted.name != name:
        raise ProblemError("malformed-request", f"the body is of {wanted.name}, and the path of {name}")
    return apply_limit_range(kube, namespace, wanted)


@router.delete(
    f"{_IN_NAMESPACE}/limit-ranges/{{name}}",
    summary="Delete a limit range",
    tags=["limit ranges"],
    status_code=204,
    openapi_extra=needs("delete limitranges"),
)
def remove_limit_range(kube: KubeOf, namespace: NamespaceName, name: ObjectName) -> None:
    """Delete a limit range."""
    if not delete_limit_range(kube, namespace, name):
        raise NotFoundError("no such limit range", place=f"{namespace}/{name}")


@router.get(
    f"{_IN_NAMESPACE}/autoscalers",
    summary="List autoscalers",
    tags=["autoscalers"],
    openapi_extra=needs("list horizontalpodautoscalers.autoscaling"),
)
def list_autoscalers(kube: KubeOf, namespace: NamespaceName, paging: Paging) -> Page[Autoscaler]:
    """Return the autoscalers of a namespace, by name; `scaling` of a service's document makes and changes them."""
    return paged([_autoscaler(item) for item in kube.each(AUTOSCALER, namespace)], paging, lambda one: (one.name,))


@router.get(
    f"{_IN_NAMESPACE}/autoscalers/{{name}}",
    summary="Show an autoscaler",
    tags=["autoscalers"],
    openapi_extra=needs("get horizontalpodautoscalers.autoscaling"),
)
def show_autoscaler(kube: KubeOf, namespace: NamespaceName, name: ObjectName) -> Autoscaler:
    """Return an autoscaler."""
    return _autoscaler(kube.get(AUTOSCALER, namespace, name))


def _namespace(item: Manifest) -> Namespace:
    metadata = Metadata.model_validate(item["metadata"])
    return Namespace(metadata.name, str(item.get("status", {}).get("phase", "")), metadata.creation_timestamp)


def _autoscaler(item: Manifest) -> Autoscaler:
    state = AutoscalerState.model_validate(item)
    problem, remedy = scaling_trouble(state)
    service = state.metadata.labels.get(INVENTORY_LABEL, "")
    bounds = state.spec
    return Autoscaler(
        state.metadata.name, service, bounds.min_replicas, bounds.max_replicas, scaling_line(state), problem, remedy
    )
