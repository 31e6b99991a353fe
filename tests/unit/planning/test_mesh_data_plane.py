"""Who routes is what controllers say of the objects as they are now, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from gedge_provision.models.gateway import GatewayClassState, GatewayState, RouteState
from gedge_provision.models.mesh import Mesh
from gedge_provision.planning.mesh import judge_inside, judge_outside

SERVICE: dict[str, Any] = {"name": "a", "template": "t", "labels": {"version": "v1"}}
ROUTE = {"name": "r", "match": [{"uri": {"prefix": "/"}}], "destination": {"host": "a", "subset": "v1"}}


def mesh(**more: Any) -> Mesh:
    return Mesh.model_validate({"name": "m", "services": [SERVICE], "serviceRoutes": [ROUTE], **more})


OUTSIDE = mesh(gatewayClass="traefik", services=[{**SERVICE, "externalAccess": True}])


def conditions(*names: str, status: str = "True", generation: int = 2) -> list[dict[str, Any]]:
    return [
        {"type": name, "status": status, "reason": "Why", "message": "since", "observedGeneration": generation}
        for name in names
    ]


def gateway_class(*, accepted: bool = True) -> GatewayClassState:
    status = conditions("Accepted", status="True" if accepted else "Unknown")
    return GatewayClassState.model_validate({
        "metadata": {"name": "traefik", "generation": 2},
        "spec": {"controllerName": "traefik.io/gateway-controller"},
        "status": {"conditions": status},
    })  # fmt: skip


def route(*parents: list[dict[str, Any]], kind: str = "Service") -> RouteState:
    name = "a" if kind == "Service" else "m"
    ref = {"kind": kind, "name": name}
    status = [{"parentRef": ref, "controllerName": "istio.io/gateway-controller", "conditions": one} for one in parents]
    return RouteState.model_validate({
        "metadata": {"name": "a-8080", "generation": 2},
        "spec": {"parentRefs": [ref]},
        "status": {"parents": status},
    })  # fmt: skip


def gateway(*, programmed: str = "True") -> GatewayState:
    status = {"conditions": conditions("Programmed", status=programmed), "addresses": [{"value": "192.0.2.7"}]}
    return GatewayState.model_validate({
        "metadata": {"name": "m", "generation": 2},
        "spec": {"listeners": [{"port": 80}]},
        "status": status,
    })  # fmt: skip


TAKEN = conditions("Accepted", "ResolvedRefs")


def test_who_took_every_route_routes() -> None:
    found = judge_inside(mesh(), (gateway_class(),), (route(TAKEN),))
    assert found.routes
    assert "istio.io/gateway-controller" in found.detail
    assert not found.remedy


@pytest.mark.parametrize(
    ("classes", "routes", "said", "remedy"),
    [
        (None, (), "the cluster does not know the Gateway API", "docs/service-mesh.md"),
        ((), (route(),), "no GatewayClass is accepted, and nobody has taken a-8080", "docs/service-mesh.md"),
        ((gateway_class(accepted=False),), (route(),), "no GatewayClass is accepted", "docs/service-mesh.md"),
        ((gateway_class(),), (route(),), "traefik.io/gateway-controller is there, and nobody has taken", "mesh.md"),
        ((gateway_class(),), (), "HTTPRoutes of a are missing", "apply the mesh again"),
        ((gateway_class(),), (route(TAKEN, kind="Gateway"),), "HTTPRoutes of a are missing", "apply the mesh again"),
        ((), (route(conditions("Accepted", "ResolvedRefs", generation=1)),), "nobody has taken a-8080", "mesh.md"),
        ((), (route(conditions("Accepted")),), "nobody has taken a-8080", "docs/service-mesh.md"),
        ((), (route(conditions("Accepted", "ResolvedRefs", status="False")),), "a-8080: Why: since", "mend what"),
    ],
)
def test_everything_else_is_told_as_no_routing(
    classes: tuple[GatewayClassState, ...] | None, routes: tuple[RouteState, ...], said: str, remedy: str
) -> None:
    found = judge_inside(mesh(), classes, routes)
    assert not found.routes
    assert said in found.detail
    assert remedy in found.remedy


def test_a_mesh_without_routes_asks_for_nobody() -> None:
    found = judge_inside(mesh(serviceRoutes=[]), None, ())
    assert (found.routes, found.remedy) == (False, "")
    assert "requests are spread over all versions" in found.detail


def test_nobody_is_asked_for_requests_from_outside_that_there_are_not() -> None:
    assert judge_outside(mesh(), None, (), None) is None


def test_without_a_class_requests_from_outside_are_spread() -> None:
    found = judge_outside(mesh(services=[{**SERVICE, "externalAccess": True}]), (gateway_class(),), (), None)
    assert found is not None
    assert not found.routes
    assert "names no gatewayClass: requests are spread over all versions of a" in found.detail


@pytest.mark.parametrize(
    ("classes", "state", "routes", "said"),
    [
        (None, None, (), "does not know the Gateway API, and nothing answers"),
        ((), None, (), "GatewayClass traefik is missing or not accepted"),
        ((gateway_class(accepted=False),), gateway(), (), "GatewayClass traefik is missing or not accepted"),
        ((gateway_class(),), None, (), "Gateway m is missing"),
        ((gateway_class(),), gateway(programmed="False"), (), "Gateway m is not programmed: Why: since"),
        ((gateway_class(),), gateway(), (), "HTTPRoutes of a are missing"),
        ((gateway_class(),), gateway(), (route(kind="Gateway"),), "nobody has taken a-8080"),
        ((gateway_class(),), gateway(), (route(TAKEN, kind="Gateway"),), "routed by istio.io/gateway-controller"),
    ],
)
def test_what_a_gateway_says(
    classes: tuple[GatewayClassState, ...] | None,
    state: GatewayState | None,
    routes: tuple[RouteState, ...],
    said: str,
) -> None:
    found = judge_outside(OUTSIDE, classes, routes, state)
    assert found is not None
    assert said in found.detail
    assert found.routes == said.startswith("routed by")
