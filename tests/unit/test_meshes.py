"""Meshes on a cluster, against a server that keeps objects as an API server does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kube_server import KINDS, NODE, Objects, serving

from gedge_provision.adapters.kube import ConflictError, Kube, NotFoundError
from gedge_provision.models.errors import GedgeError
from gedge_provision.models.mesh import LoadedMesh
from gedge_provision.models.progress import SilentReporter
from gedge_provision.planning.rollouts import REVISION_OF
from gedge_provision.services import (
    apply_mesh,
    apply_service,
    delete_mesh,
    delete_service,
    list_meshes,
    load_mesh,
    load_service,
    read_mesh_status,
)

EXAMPLES = Path(__file__).parents[2] / "examples" / "meshes"
TEMPLATE = "template: {name: web, service: {containers: [{image: 'a:1', ports: [{containerPort: 8080}]}]}}\n"
GATEWAY_API = KINDS | {"gatewayclasses", "gateways", "httproutes"}


class Notes(SilentReporter):
    """Keeps the notes."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, text: str) -> None:
        self.texts.append(text)


@pytest.fixture
def objects() -> Objects:
    return {"/api/v1/nodes/gedgew01": NODE}


@pytest.fixture
def kinds() -> frozenset[str]:
    return KINDS


@pytest.fixture
def kube(objects: Objects, kinds: frozenset[str], tmp_path: Path) -> Iterator[Kube]:
    with serving(objects, tmp_path, kinds) as opened:
        yield opened


def shop(folder: Path, *versions: str, broken: str = "", **more: Any) -> LoadedMesh:
    """Return a mesh of one service in these versions, the last of which is routed to."""
    (folder / "template.yaml").write_text(TEMPLATE, encoding="utf-8")
    services = [
        {"name": "front", "template": "web", "labels": {"version": version}}
        | ({"containers": [{"image": "broken"}]} if version == broken else {})
        for version in versions
    ]
    destination = {"host": "front", "subset": versions[-1]}
    route = {"name": "all", "match": [{"uri": {"prefix": "/"}}], "destination": destination}
    document = {"serviceMesh": {"name": "shop", "services": services, "serviceRoutes": [route], **more}}
    path = folder / "mesh.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return load_mesh(path)


def names(objects: Objects) -> set[str]:
    """Return what there is but nodes and the history of services, as PLURAL/NAME."""
    return {
        "/".join(path.split("/")[-2:])
        for path, item in objects.items()
        if "/nodes/" not in path and REVISION_OF not in item["metadata"].get("labels", {})
    }


def test_the_sample_is_applied_told_and_deleted(kube: Kube, objects: Objects) -> None:
    mesh, notes = load_mesh(EXAMPLES / "service-mesh2.json"), Notes()
    applied = apply_mesh(kube, mesh, reporter=notes, timeout_s=5)
    assert applied.changed
    assert applied.urls == ("http://192.0.2.1:8090",)
    assert applied.left_out == ("product-8080", "details-8080")
    assert [text.startswith("left out") for text in notes.texts] == [True]
    assert names(objects) == {
        "deployments/product-v1", "services/product-v1", "deployments/details-v1", "services/details-v1",
        "services/product", "services/product-external", "services/details", "configmaps/service-mesh2-mesh",
    }  # fmt: skip
    again = apply_mesh(kube, mesh, timeout_s=5)
    assert {change.action for change in again.changes} == {"unchanged"}

    status = read_mesh_status(kube, "default", "service-mesh2")
    assert status.ready
    assert not status.problem
    assert [(one.host, one.version, one.ready) for one in status.versions] == [
        ("product", "v1", True),
        ("details", "v1", True),
    ]
    assert not status.inside.routes
    assert "no data plane: the cluster does not know the Gateway API" in status.inside.detail
    assert status.outside is not None
    assert not status.outside.routes
    assert [(one.name, one.ready, one.routes) for one in list_meshes(kube, None)] == [("service-mesh2", True, False)]

    assert delete_mesh(kube, "service-mesh2", timeout_s=5)
    assert list(objects) == ["/api/v1/nodes/gedgew01"]
    assert not delete_mesh(kube, "service-mesh2", timeout_s=5)
    with pytest.raises(NotFoundError, match="no such service mesh"):
        read_mesh_status(kube, "default", "service-mesh2")


def test_a_version_that_left_the_document_goes_last(kube: Kube, objects: Objects, tmp_path: Path) -> None:
    apply_mesh(kube, shop(tmp_path, "v1", "v2"), timeout_s=5)
    planned = apply_mesh(kube, shop(tmp_path, "v2", "v3"), dry_run=True)
    assert {(change.kind, change.name, change.action) for change in planned.changes} >= {
        ("Deployment", "front-v3", "created"),
        ("ConfigMap", "shop-mesh", "changed"),
        ("Deployment", "front-v1", "deleted"),
        ("Service", "front-v1", "deleted"),
    }
    assert "deployments/front-v3" not in names(objects)
    apply_mesh(kube, shop(tmp_path, "v2", "v3"), timeout_s=5)
    assert {name for name in names(objects) if name.startswith("deployments/")} == {
        "deployments/front-v2",
        "deployments/front-v3",
    }


def test_a_version_that_does_not_get_ready_changes_no_route_and_the_next_apply_goes_on(
    kube: Kube, objects: Objects, tmp_path: Path
) -> None:
    with pytest.raises(GedgeError, match="requests to the services of mesh shop are led as before"):
        apply_mesh(kube, shop(tmp_path, "v1", "v2", broken="v2"), timeout_s=1)
    assert "services/front" not in names(objects)
    status = read_mesh_status(kube, "default", "shop")
    assert not status.ready
    assert (status.problem, status.remedy) == (
        "Service front is missing: the last apply did not come to its end",
        "apply the mesh again",
    )
    apply_mesh(kube, shop(tmp_path, "v1", "v2"), timeout_s=5)
    assert read_mesh_status(kube, "default", "shop").ready
    with pytest.raises(GedgeError):
        apply_mesh(kube, shop(tmp_path, "v1", "v3", broken="v3"), timeout_s=1)
    assert "deployments/front-v2" in names(objects)
    assert delete_mesh(kube, "shop", timeout_s=5)
    assert list(objects) == ["/api/v1/nodes/gedgew01"]


def test_a_service_that_was_deleted_alone_is_told_and_comes_back(kube: Kube, objects: Objects, tmp_path: Path) -> None:
    apply_mesh(kube, shop(tmp_path, "v1", "v2"), timeout_s=5)
    delete_service(kube, "front-v1", timeout_s=5)
    status = read_mesh_status(kube, "default", "shop")
    assert (status.ready, status.problem) == (False, "service front-v1 is missing")
    apply_mesh(kube, shop(tmp_path, "v1", "v2"), timeout_s=5)
    assert "deployments/front-v1" in names(objects)


@pytest.mark.parametrize("kinds", [GATEWAY_API])
def test_where_the_gateway_api_is_known_routes_are_applied_and_pruned(
    kube: Kube, objects: Objects, tmp_path: Path
) -> None:
    applied = apply_mesh(kube, shop(tmp_path, "v1"), timeout_s=5)
    assert applied.left_out == ()
    path = "/apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes/front-8080"
    assert objects[path]["spec"]["rules"][0]["backendRefs"][0]["name"] == "front-v1"
    status = read_mesh_status(kube, "default", "shop")
    assert not status.inside.routes
    assert "nobody has taken front-8080" in status.inside.detail
    objects[path]["status"] = {
        "parents": [
            {
                "parentRef": {"kind": "Service", "name": "front"},
                "controllerName": "example.org/plane",
                "conditions": [{"type": kind, "status": "True"} for kind in ("Accepted", "ResolvedRefs")],
            }
        ]
    }
    assert read_mesh_status(kube, "default", "shop").inside.routes
    assert [line.routes for line in list_meshes(kube, "default")] == [True]
    apply_mesh(kube, shop(tmp_path, "v1", serviceRoutes=[]), timeout_s=5)
    assert path not in objects


def outside(folder: Path) -> LoadedMesh:
    service = {"name": "front", "template": "web", "labels": {"version": "v1"}, "externalAccess": True}
    return shop(folder, "v1", gatewayClass="traefik", services=[service])


@pytest.mark.parametrize("kinds", [KINDS, GATEWAY_API], ids=["no Gateway API", "no class"])
def test_a_class_that_is_not_there_is_refused_before_anything_is_created(
    kube: Kube, objects: Objects, tmp_path: Path
) -> None:
    with pytest.raises(GedgeError, match="gatewayClass traefik is asked for, and the cluster") as caught:
        apply_mesh(kube, outside(tmp_path))
    assert "or take gatewayClass out" in caught.value.remedy
    assert list(objects) == ["/api/v1/nodes/gedgew01"]


@pytest.mark.parametrize("kinds", [GATEWAY_API])
def test_a_class_that_is_there_gets_a_gateway_and_no_service_of_node_addresses(
    kube: Kube, objects: Objects, tmp_path: Path
) -> None:
    root = "/apis/gateway.networking.k8s.io/v1"
    objects[f"{root}/gatewayclasses/traefik"] = {
        "metadata": {"name": "traefik"},
        "status": {"conditions": [{"type": "Accepted", "status": "True"}]},
    }
    apply_mesh(kube, outside(tmp_path), timeout_s=5)
    assert names(objects) == {
        "gatewayclasses/traefik", "gateways/shop", "httproutes/front-8080", "httproutes/front-8080-external",
        "deployments/front-v1", "services/front-v1", "services/front", "configmaps/shop-mesh",
    }  # fmt: skip
    gateway = objects[f"{root}/namespaces/default/gateways/shop"]
    status = read_mesh_status(kube, "default", "shop")
    assert status.outside is not None
    assert "Gateway shop is not programmed" in status.outside.detail
    assert status.urls == ()
    conditions = [{"type": "Programmed", "status": "True"}]
    gateway["status"] = {"conditions": conditions, "addresses": [{"value": "192.0.2.7"}]}
    assert read_mesh_status(kube, "default", "shop").urls == ("http://192.0.2.7:8080",)
    assert delete_mesh(kube, "shop", timeout_s=5)
    assert names(objects) == {"gatewayclasses/traefik"}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("front-v1", "a service of that name exists, and it is not part of a mesh"),
        ("front", "not part of this mesh but of front"),
    ],
)
def test_services_of_others_are_not_taken_over(
    kube: Kube, objects: Objects, tmp_path: Path, name: str, said: str
) -> None:
    path = tmp_path / "service.yaml"
    path.write_text(f"service: {{name: {name}, containers: [{{image: 'a:1', ports: [{{containerPort: 8080}}]}}]}}\n")
    apply_service(kube, load_service(path), timeout_s=5)
    before = dict(objects)
    with pytest.raises(ConflictError, match=said):
        apply_mesh(kube, shop(tmp_path, "v1"), timeout_s=5)
    assert objects == before


def test_two_meshes_with_one_name_for_a_service_are_refused(kube: Kube, objects: Objects, tmp_path: Path) -> None:
    apply_mesh(kube, shop(tmp_path, "v1"), timeout_s=5)
    before = dict(objects)
    with pytest.raises(ConflictError, match="not part of this mesh but of shop"):
        apply_mesh(kube, shop(tmp_path, "v2", name="other"), timeout_s=5)
    assert objects == before


def test_a_port_that_somebody_publishes_is_refused(kube: Kube, objects: Objects, tmp_path: Path) -> None:
    path = tmp_path / "service.yaml"
    port = "{containerPort: 1, externalPort: 8090}"
    path.write_text(f"service: {{name: rival, containers: [{{image: 'a:1', ports: [{port}]}}]}}\n")
    apply_service(kube, load_service(path), timeout_s=5)
    with pytest.raises(GedgeError, match="external port 8090/TCP is published by service rival"):
        apply_mesh(kube, load_mesh(EXAMPLES / "service-mesh2.json"), timeout_s=5)
    assert "configmaps/service-mesh2-mesh" not in names(objects)


def test_a_document_that_somebody_spoilt_is_told(kube: Kube, objects: Objects, tmp_path: Path) -> None:
    apply_mesh(kube, shop(tmp_path, "v1"), timeout_s=5)
    objects["/api/v1/namespaces/default/configmaps/shop-mesh"]["data"] = {"serviceMesh": "{"}
    with pytest.raises(GedgeError, match="the document of the mesh is not readable") as caught:
        read_mesh_status(kube, "default", "shop")
    assert caught.value.remedy == "apply the mesh again"
    apply_mesh(kube, shop(tmp_path, "v1"), timeout_s=5)
    assert read_mesh_status(kube, "default", "shop").ready
