from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml
from kubernetes import client

from gedge_provision.models.mesh import Mesh
from gedge_provision.planning.mesh import MESH_DOCUMENT, render_mesh, service_of
from gedge_provision.services import load_mesh

ROOT = Path(__file__).parents[3]
FIXTURES = ROOT / "tests" / "fixtures" / "meshes"
EXAMPLES = ROOT / "examples" / "meshes"

# To record a wanted change: gedge mesh render FILE > NAME.rendered.yaml beside the fixtures.
CASES = [
    EXAMPLES / "service-mesh2.json",
    FIXTURES / "weights.yaml",
    FIXTURES / "paths.yaml",
    FIXTURES / "outside.yaml",
    FIXTURES / "gateway-without-routes.yaml",
    FIXTURES / "changed.yaml",
]
IDS = [path.stem for path in CASES]
MODELS = {
    "Deployment": client.V1Deployment,
    "StatefulSet": client.V1StatefulSet,
    "Service": client.V1Service,
    "ConfigMap": client.V1ConfigMap,
}


def rendered(path: Path) -> list[dict[str, Any]]:
    return list(render_mesh(load_mesh(path), "default"))


def golden(path: Path) -> Path:
    return FIXTURES / f"{path.stem}.rendered.yaml"


@pytest.mark.parametrize("path", CASES, ids=IDS)
def test_manifests_are_as_recorded(path: Path) -> None:
    assert rendered(path) == list(yaml.safe_load_all(golden(path).read_text(encoding="utf-8")))


def test_every_document_and_every_golden_file_has_a_case() -> None:
    written = {path for path in (*EXAMPLES.iterdir(), *FIXTURES.iterdir()) if ".rendered" not in path.name}
    meshes = {path for path in written if "serviceMesh" in next(iter(yaml.safe_load_all(path.read_text("utf-8"))))}
    assert meshes == set(CASES)
    assert set(FIXTURES.glob("*.rendered.yaml")) == {golden(path) for path in CASES}


def gateway_api() -> dict[str, Any]:
    """Return the schemas of the kinds of the Gateway API, by kind; fields that they do not have are refused."""
    definitions = yaml.safe_load_all((FIXTURES / "gateway-api.yaml").read_text(encoding="utf-8"))
    found = {}
    for definition in definitions:
        schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        schema["properties"] |= {"apiVersion": {"const": "gateway.networking.k8s.io/v1"}, "kind": {"type": "string"}}
        schema["properties"]["metadata"] = {"type": "object"}
        found[definition["spec"]["names"]["kind"]] = _closed(schema)
    return found


def _closed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    return {**closed, "additionalProperties": False} if isinstance(schema.get("properties"), dict) else closed


@pytest.mark.parametrize("path", CASES, ids=IDS)
def test_every_object_is_one_of_kubernetes_or_of_the_gateway_api(path: Path) -> None:
    """The models of the Kubernetes client know every field by name and type, and leave out what they do not know."""
    schemas = gateway_api()
    for manifest in rendered(path):
        if manifest["kind"] in schemas:
            jsonschema.validate(manifest, schemas[manifest["kind"]])
            continue
        read = MODELS[manifest["kind"]].from_dict(manifest)
        assert read is not None
        assert read.model_dump(by_alias=True, exclude_none=True) == manifest


def test_the_schemas_find_what_is_wrong() -> None:
    (route, *_) = [item for item in rendered(CASES[0]) if item["kind"] == "HTTPRoute"]
    schema = gateway_api()["HTTPRoute"]
    for spoilt in (
        {**route, "spec": {**route["spec"], "hosts": ["a"]}},
        {**route, "spec": {**route["spec"], "rules": []}},
        {**route, "spec": {**route["spec"], "parentRefs": [{"kind": "Service"}]}},
    ):
        assert not jsonschema.Draft202012Validator(schema).is_valid(spoilt)


@pytest.mark.parametrize("path", CASES, ids=IDS)
def test_what_is_named_is_there(path: Path) -> None:
    """Hold the names in objects against each other, as a data plane and the endpoints' controller do."""
    objects = rendered(path)
    names = [(item["kind"], item["metadata"]["name"]) for item in objects]
    assert len(set(names)) == len(names)
    services = {item["metadata"]["name"]: item for item in objects if item["kind"] == "Service"}
    gateways = {item["metadata"]["name"]: item for item in objects if item["kind"] == "Gateway"}
    pods = [
        item["spec"]["template"]["metadata"]["labels"]
        for item in objects
        if item["kind"] in {"Deployment", "StatefulSet"}
    ]
    for service in services.values():
        assert [labels for labels in pods if service["spec"]["selector"].items() <= labels.items()]
    for route in (item for item in objects if item["kind"] == "HTTPRoute"):
        (parent,) = route["spec"]["parentRefs"]
        if parent["kind"] == "Service":
            assert parent["port"] in ports(services[parent["name"]])
        else:
            listeners = {one["name"] for one in gateways[parent["name"]]["spec"]["listeners"]}
            assert parent["sectionName"] in listeners
        for rule in route["spec"]["rules"]:
            for backend in rule["backendRefs"]:
                assert backend["port"] in ports(services[backend["name"]])


def ports(service: dict[str, Any]) -> set[int]:
    return {port["port"] for port in service["spec"]["ports"]}


def test_the_service_over_all_versions_selects_those_of_its_name_only() -> None:
    objects = rendered(FIXTURES / "outside.yaml")
    (front,) = [item for item in objects if (item["kind"], item["metadata"]["name"]) == ("Service", "front")]
    chosen = [
        item["metadata"]["name"]
        for item in objects
        if item["kind"] == "Deployment"
        and front["spec"]["selector"].items() <= item["spec"]["template"]["metadata"]["labels"].items()
    ]
    assert chosen == ["front-v1", "front-v2"]


@pytest.mark.parametrize("path", CASES, ids=IDS)
def test_the_document_in_the_cluster_is_a_mesh_and_has_no_values_of_variables(path: Path) -> None:
    (kept,) = [item for item in rendered(path) if item["kind"] == "ConfigMap"]
    read = Mesh.model_validate(json.loads(kept["data"][MESH_DOCUMENT]))
    written = load_mesh(path).document
    assert read.service_routes == written.service_routes
    assert [(one.name, one.version, one.external_access) for one in read.services] == [
        (one.name, one.version, one.external_access) for one in written.services
    ]
    assert all(not one.containers for one in read.services)


def test_external_ports_are_those_of_the_name_not_of_its_versions() -> None:
    objects = rendered(CASES[0])
    published = [item for item in objects if item.get("spec", {}).get("type") == "LoadBalancer"]
    assert [(item["metadata"]["name"], ports(item)) for item in published] == [("product-external", {8090})]


def test_versions_depend_on_all_versions_of_what_they_name() -> None:
    mesh = load_mesh(FIXTURES / "changed.yaml")
    assert mesh.versions[0].service.depends_on == ("shop",)
    assert service_of(mesh, mesh.versions[0]).depends_on == ("shop-v1", "shop-v2")
