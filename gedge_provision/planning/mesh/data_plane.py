"""Who routes by URI in a cluster, by what controllers say of a mesh's HTTPRoutes: never more than that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gedge_provision.models.gateway import GatewayClassState, GatewayState, RouteState
from gedge_provision.models.mesh import Mesh

__all__ = ["DataPlane", "judge_inside", "judge_outside"]

_SPREAD = "requests are spread over all versions"
_INSTALL = "docs/service-mesh.md says what a data plane must provide; install one, then apply again"


@dataclass(frozen=True)
class DataPlane:
    """Whether somebody routes by URI.

    Attributes:
        routes: every route of the document is taken by a controller, as it says itself.
        detail: what is there, and what happens to requests.
        remedy: what to do; empty where nothing is missing.
    """

    routes: bool
    detail: str
    remedy: str = ""


def judge_inside(mesh: Mesh, classes: Sequence[GatewayClassState] | None, routes: Sequence[RouteState]) -> DataPlane:
    """Return who routes requests from pods to the names of a mesh.

    Args:
        mesh: what is asked for.
        classes: the GatewayClasses; None where the cluster does not know the Gateway API.
        routes: the HTTPRoutes of the mesh.
    """
    hosts = tuple(dict.fromkeys(route.destination.host for route in mesh.service_routes))
    if not hosts:
        return DataPlane(routes=False, detail=f"the document has no routes: {_SPREAD}")
    missing = _missing(classes)
    if missing is not None:
        return missing
    found = {
        host: [
            route
            for route in routes
            if any(parent.kind == "Service" and parent.name == host for parent in route.spec.parent_refs)
        ]
        for host in hosts
    }
    return _taken(found, classes or (), "HTTPRoutes of Services (GAMMA)")


def judge_outside(
    mesh: Mesh,
    classes: Sequence[GatewayClassState] | None,
    routes: Sequence[RouteState],
    gateway: GatewayState | None,
) -> DataPlane | None:
    """Return who routes requests from outside; None where no service has externalAccess.

    Args:
        mesh: what is asked for.
        classes: the GatewayClasses; None where the cluster does not know the Gateway API.
        routes: the HTTPRoutes of the mesh.
        gateway: the Gateway of the mesh, None where there is none.
    """
    host = next((service.name for service in mesh.services if service.external_access), None)
    if host is None:
        return None
    if mesh.gateway_class is None:
        return DataPlane(routes=False, detail=f"the document names no gatewayClass: {_SPREAD} of {host}")
    return _missing(classes, nothing=True) or _by_gateway(mesh, host, classes or (), routes, gateway)


def _by_gateway(
    mesh: Mesh,
    host: str,
    classes: Sequence[GatewayClassState],
    routes: Sequence[RouteState],
    gateway: GatewayState | None,
) -> DataPlane:
    if not any(one.metadata.name == mesh.gateway_class and one.accepted for one in classes):
        return DataPlane(
            routes=False,
            detail=f"no data plane: GatewayClass {mesh.gateway_class} is missing or not accepted, and nothing answers",
            remedy=_INSTALL,
        )
    if gateway is None:
        return DataPlane(routes=False, detail=f"Gateway {mesh.name} is missing", remedy="apply the mesh again")
    if not gateway.programmed:
        why = gateway.status.against("Programmed", "Accepted") or "its data plane has not said that it takes requests"
        return DataPlane(
            routes=False, detail=f"Gateway {mesh.name} is not programmed: {why}", remedy="see the data plane's own log"
        )
    return _taken({host: [route for route in routes if route.outside]}, classes, "HTTPRoutes of Gateways")


def _missing(classes: Sequence[GatewayClassState] | None, *, nothing: bool = False) -> DataPlane | None:
    if classes is not None:
        return None
    then = "nothing answers" if nothing else f"nothing routes by URI: {_SPREAD}"
    return DataPlane(
        routes=False,
        detail=f"no data plane: the cluster does not know the Gateway API, and {then}",
        remedy=_INSTALL,
    )


def _taken(found: dict[str, list[RouteState]], classes: Sequence[GatewayClassState], wanted: str) -> DataPlane:
    absent = [host for host, routes in found.items() if not routes]
    if absent:
        return DataPlane(
            routes=False,
            detail=f"HTTPRoutes of {', '.join(absent)} are missing: {_SPREAD}",
            remedy="apply the mesh again",
        )
    idle = [route for routes in found.values() for route in routes if not route.controllers]
    if not idle:
        controllers = sorted({name for routes in found.values() for route in routes for name in route.controllers})
        return DataPlane(routes=True, detail=f"routed by {', '.join(controllers)}, as it says")
    refusal = next((f"{route.metadata.name}: {route.refusal}" for route in idle if route.refusal), "")
    accepted = sorted(one.spec.controller_name for one in classes if one.accepted)
    there = f"{', '.join(accepted)} is there" if accepted else "no GatewayClass is accepted"
    names = ", ".join(route.metadata.name for route in idle)
    detail = refusal or f"no data plane for {wanted}: {there}, and nobody has taken {names}: {_SPREAD}"
    return DataPlane(
        routes=False,
        detail=detail,
        remedy="mend what the message names, then apply again" if refusal else _INSTALL,
    )
