"""What runs of meshes: those of a cluster, and one of them in detail, with who routes by URI."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from pydantic import ValidationError

from gedge_provision.adapters.kube import Kube, NotFoundError
from gedge_provision.models.cluster import (
    CONFIG_MAP,
    GATEWAY,
    GATEWAY_CLASS,
    HTTP_ROUTE,
    SERVICE,
    Manifest,
    ServiceState,
)
from gedge_provision.models.errors import GedgeError
from gedge_provision.models.gateway import GatewayClassState, GatewayState, RouteState
from gedge_provision.models.mesh import Mesh, Route
from gedge_provision.planning.external_ports import service_urls
from gedge_provision.planning.manifests import MANAGED, external_name
from gedge_provision.planning.mesh import (
    MESH_DOCUMENT,
    MESH_LABEL,
    MESH_LISTED,
    DataPlane,
    document_name,
    judge_inside,
    judge_outside,
    version_name,
)
from gedge_provision.services.status import ServiceLine, list_services

__all__ = [
    "MeshLine",
    "MeshStatus",
    "RouteLine",
    "VersionLine",
    "list_meshes",
    "read_mesh_document",
    "read_mesh_status",
]


@dataclass(frozen=True)
class VersionLine:
    """A version of a service in a mesh; `service` is what runs it."""

    host: str
    version: str
    service: str
    ready: bool
    detail: str


@dataclass(frozen=True)
class RouteLine:
    """A route of a mesh, as its document says."""

    name: str
    match: tuple[str, ...]
    host: str
    subset: str
    port: int | None
    weight: int | None


@dataclass(frozen=True)
class MeshLine:
    """A mesh in a list; `routes` tells whether somebody routes by URI."""

    name: str
    namespace: str
    ready: bool
    detail: str
    routes: bool
    urls: tuple[str, ...]


@dataclass(frozen=True)
class MeshStatus:
    """A mesh in detail.

    Attributes:
        name: its name.
        namespace: where it lives.
        ready: every version is ready, and the Services that lead to them are there. It says nothing of routes.
        problem: what is missing; empty where nothing is.
        remedy: what to do then.
        versions: of its services.
        routes: of its document.
        inside: who routes requests from pods.
        outside: who routes requests from outside; None where no service has externalAccess.
        urls: where it is reachable from outside.
    """

    name: str
    namespace: str
    ready: bool
    problem: str
    remedy: str
    versions: tuple[VersionLine, ...]
    routes: tuple[RouteLine, ...]
    inside: DataPlane
    outside: DataPlane | None
    urls: tuple[str, ...]


def list_meshes(kube: Kube, namespace: str | None) -> tuple[MeshLine, ...]:
    """Return the meshes of a namespace, or of all with None."""
    lines = []
    known = _services(kube, namespace)
    for item in kube.find(CONFIG_MAP, namespace, labels=MESH_LISTED):
        status = _status(kube, item, known)
        ready = sum(version.ready for version in status.versions)
        lines.append(
            MeshLine(
                status.name,
                status.namespace,
                status.ready,
                f"{ready}/{len(status.versions)} versions ready",
                status.inside.routes,
                status.urls,
            )
        )
    return tuple(sorted(lines, key=lambda line: (line.namespace, line.name)))


def read_mesh_status(kube: Kube, namespace: str, name: str) -> MeshStatus:
    """Return a mesh in detail.

    Raises:
        NotFoundError: there is no such mesh.
    """
    return _status(kube, _kept(kube, namespace, name), _services(kube, namespace))


def read_mesh_document(kube: Kube, namespace: str, name: str) -> Manifest:
    """Return what is kept of a mesh's document.

    Raises:
        NotFoundError: there is no such mesh.
    """
    document = _document(_kept(kube, namespace, name))
    return {"serviceMesh": document.model_dump(mode="json", by_alias=True, exclude_defaults=True)}


def _kept(kube: Kube, namespace: str, name: str) -> Manifest:
    try:
        item = kube.get(CONFIG_MAP, namespace, document_name(name))
    except NotFoundError:
        item = {}
    if item.get("metadata", {}).get("labels", {}).get(MESH_LABEL) != name:
        raise NotFoundError(
            "no such service mesh",
            place=f"{namespace}/{name}",
            remedy="gedge mesh list --all-namespaces shows them all",
        )
    return item


def _services(kube: Kube, namespace: str | None) -> dict[tuple[str, str], ServiceLine]:
    return {(line.namespace, line.name): line for line in list_services(kube, namespace)}


def _status(kube: Kube, item: Manifest, known: Mapping[tuple[str, str], ServiceLine]) -> MeshStatus:
    namespace = item["metadata"]["namespace"]
    mesh = _document(item)
    labels = {**MANAGED, MESH_LABEL: mesh.name}
    versions = []
    for service in mesh.services:
        name = version_name(service.name, service.version)
        line = known.get((namespace, name))
        detail = "is not there" if line is None else line.detail
        versions.append(VersionLine(service.name, service.version, name, line is not None and line.ready, detail))
    published = [ServiceState.model_validate(found) for found in kube.find(SERVICE, namespace, labels=labels)]
    problem, remedy = _problem(mesh, versions, {state.metadata.name for state in published})
    classes, routes, gateway = _gateway_api(kube, mesh.name, namespace)
    return MeshStatus(
        mesh.name,
        namespace,
        not problem,
        problem,
        remedy,
        tuple(versions),
        tuple(_route_line(route) for route in mesh.service_routes),
        judge_inside(mesh, classes, routes),
        judge_outside(mesh, classes, routes, gateway),
        service_urls(published) + _gateway_urls(gateway),
    )


def _document(item: Manifest) -> Mesh:
    try:
        return Mesh.model_validate(json.loads(item["data"][MESH_DOCUMENT]))
    except (KeyError, ValueError, ValidationError) as error:
        raise GedgeError(
            "the document of the mesh is not readable: somebody changed it",
            place=f"{item['metadata']['namespace']}/{item['metadata']['name']}",
            remedy="apply the mesh again",
        ) from error


def _problem(mesh: Mesh, versions: list[VersionLine], there: set[str]) -> tuple[str, str]:
    """Return what keeps requests from the services, and what to do."""
    wanted = list(mesh.hosts)
    if mesh.gateway_class is None:
        external = (service.name for service in mesh.services if service.external_access)
        wanted += [external_name(host) for host in dict.fromkeys(external)]
    missing = [name for name in wanted if name not in there]
    if missing:
        return (
            f"Service {', '.join(missing)} is missing: the last apply did not come to its end",
            "apply the mesh again",
        )
    absent = [version.service for version in versions if version.detail == "is not there"]
    if absent:
        return f"service {', '.join(absent)} is missing", "apply the mesh again"
    waiting = [version.service for version in versions if not version.ready]
    if waiting:
        return f"{', '.join(waiting)} is not ready", f"gedge service status {waiting[0]} says why"
    return "", ""


def _gateway_api(
    kube: Kube, mesh: str, namespace: str
) -> tuple[tuple[GatewayClassState, ...] | None, tuple[RouteState, ...], GatewayState | None]:
    """Return the classes of data planes (None without the Gateway API), the mesh's HTTPRoutes and its Gateway."""
    labels = {**MANAGED, MESH_LABEL: mesh}
    with suppress(NotFoundError):
        classes = tuple(GatewayClassState.model_validate(item) for item in kube.find(GATEWAY_CLASS))
        routes = tuple(RouteState.model_validate(item) for item in kube.find(HTTP_ROUTE, namespace, labels=labels))
        gateways = [GatewayState.model_validate(item) for item in kube.find(GATEWAY, namespace, labels=labels)]
        return classes, routes, gateways[0] if gateways else None
    return None, (), None


def _gateway_urls(gateway: GatewayState | None) -> tuple[str, ...]:
    if gateway is None or not gateway.programmed:
        return ()
    return tuple(
        f"http://{address.value}:{listener.port}"
        for listener in gateway.spec.listeners
        for address in gateway.status.addresses
        if address.value
    )


def _route_line(route: Route) -> RouteLine:
    where = route.destination
    match = tuple(f"{match.uri.kind} {match.uri.value}" for match in route.match)
    return RouteLine(route.name, match, where.host, where.subset, where.port, where.weight)
