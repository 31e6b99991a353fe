from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from gedge_provision.models.documents import parse_yaml, validate
from gedge_provision.models.service import Service, ServiceFile
from gedge_provision.planning.acceleration import without_acceleration
from gedge_provision.planning.manifests import comparable, external_name, ingress_status, render
from gedge_provision.planning.service_checks import check_service

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests" / "fixtures" / "services" / "golden"
DOCUMENTS = {
    "service-app2": ROOT / "examples" / "services" / "service-app2.yaml",
    "app2-pinned": ROOT / "examples" / "services" / "app2-pinned.yaml",
    "everything": ROOT / "tests" / "fixtures" / "services" / "everything.yaml",
}


def load(path: Path) -> Service:
    return validate(parse_yaml(path.read_text(encoding="utf-8"), path.name), ServiceFile, check_service).service


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
@pytest.mark.parametrize("plain", [False, True], ids=["accelerated", "without-acceleration"])
def test_manifests_are_as_recorded(name: str, *, plain: bool) -> None:
    """To record a wanted change: gedge service render FILE [--without-acceleration] > the golden file."""
    service = load(DOCUMENTS[name])
    rendered = render(without_acceleration(service) if plain else service, "default")
    golden = GOLDEN / f"{name}{'.plain' if plain else ''}.yaml"
    assert list(rendered) == list(yaml.safe_load_all(golden.read_text(encoding="utf-8")))


def test_nothing_is_published_that_has_no_external_port() -> None:
    service = load(DOCUMENTS["everything"])
    published = next(
        item for item in render(service, "default") if item["metadata"]["name"] == external_name(service.name)
    )
    wanted = {port.external_port for container in service.containers for port in container.ports} - {None}
    assert {port["port"] for port in published["spec"]["ports"]} == wanted


def test_a_service_without_ports_is_a_deployment_alone() -> None:
    service = Service.model_validate({"name": "job", "containers": [{"image": "a:1"}]})
    assert [item["kind"] for item in render(service, "default")] == ["Deployment"]


def test_what_the_cluster_writes_does_not_count_as_a_difference() -> None:
    (before, *_) = render(load(DOCUMENTS["app2-pinned"]), "default")
    after = json.loads(json.dumps(before))
    after["metadata"] |= {"resourceVersion": "7", "generation": 2, "uid": "x", "managedFields": [{}]}
    after["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "3"}
    after["status"] = {"replicas": 1}
    assert comparable(before) == comparable(after)
    after["spec"]["replicas"] = 2
    assert comparable(before) != comparable(after)


def test_external_addresses_are_those_given() -> None:
    status = ingress_status("app-external", "default", ["10.0.0.1", "10.0.0.2"])
    assert [entry["ip"] for entry in status["status"]["loadBalancer"]["ingress"]] == ["10.0.0.1", "10.0.0.2"]
