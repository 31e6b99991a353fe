from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client
from pydantic import BaseModel

from gedge_provision.models.service import Service
from gedge_provision.planning.manifests import comparable, external_name, ingress_status, render
from gedge_provision.provisioning import load_site
from gedge_provision.services import load_service

ROOT = Path(__file__).parents[3]
FIXTURES = ROOT / "tests" / "fixtures" / "services"
EXAMPLES = ROOT / "examples" / "services"

# The golden file is NAME[.VARIANT].rendered.yaml; to record a wanted change:
# gedge service render FILE [--without-acceleration] [--site SITE] > the golden file.
CASES: list[tuple[Path, str]] = [
    (EXAMPLES / "service-app2.yaml", ""),
    (EXAMPLES / "service-app2.yaml", "plain"),
    (EXAMPLES / "app2-pinned.yaml", ""),
    (EXAMPLES / "app2-pinned.yaml", "plain"),
    (EXAMPLES / "app2-pinned.yaml", "site"),
    (EXAMPLES / "hw-app-1.yaml", ""),
    (EXAMPLES / "iperf-server-sriov.yaml", ""),
    (EXAMPLES / "iperf-server-sriov.yaml", "site"),
    (FIXTURES / "everything.yaml", ""),
    (FIXTURES / "everything.yaml", "plain"),
    (FIXTURES / "stateful.yaml", ""),
    (FIXTURES / "stateful-ports.yaml", ""),
    (FIXTURES / "shared-volume.yaml", ""),
    (FIXTURES / "huge-pages.yaml", ""),
    (FIXTURES / "probes.yaml", ""),
    (FIXTURES / "parts-of-gpus.yaml", ""),
    (FIXTURES / "networks.yaml", "site"),
    (FIXTURES / "strict.yaml", ""),
    (FIXTURES / "strict.yaml", "site"),
    (FIXTURES / "owned.yaml", "site"),
    (FIXTURES / "claims.yaml", "site-claims"),
    (FIXTURES / "scaling.yaml", ""),
    (FIXTURES / "scaling-stateful.yaml", ""),
]


def golden(path: Path, variant: str) -> Path:
    return FIXTURES / f"{path.stem}{'.' * bool(variant)}{variant}.rendered.yaml"


def rendered(path: Path, variant: str) -> list[dict[str, Any]]:
    site = load_site(FIXTURES / f"{variant}.yml") if variant.startswith("site") else None
    return list(render(load_service(path, accelerated=variant != "plain", site=site), "default"))


@pytest.mark.parametrize(("path", "variant"), CASES, ids=[golden(*case).name for case in CASES])
def test_manifests_are_as_recorded(path: Path, variant: str) -> None:
    recorded = list(yaml.safe_load_all(golden(path, variant).read_text(encoding="utf-8")))
    assert rendered(path, variant) == recorded


def test_every_document_and_every_golden_file_has_a_case() -> None:
    documents = {path for path in (*EXAMPLES.iterdir(), *FIXTURES.glob("*.yaml")) if is_service(path)}
    assert documents == {path for path, _ in CASES}
    assert set(FIXTURES.glob("*.rendered.yaml")) == {golden(*case) for case in CASES}


def is_service(path: Path) -> bool:
    return not path.name.endswith(".rendered.yaml") and "service" in yaml.safe_load(path.read_text(encoding="utf-8"))


MODELS = {
    "Deployment": client.V1Deployment,
    "StatefulSet": client.V1StatefulSet,
    "HorizontalPodAutoscaler": client.V2HorizontalPodAutoscaler,
    "Service": client.V1Service,
    "ResourceClaimTemplate": client.V1ResourceClaimTemplate,
}


@pytest.mark.parametrize(("path", "variant"), CASES, ids=[golden(*case).name for case in CASES])
def test_every_object_is_one_of_kubernetes(path: Path, variant: str) -> None:
    """The models of the Kubernetes client know every field by name and type, and leave out what they do not know."""
    for manifest in rendered(path, variant):
        read = MODELS[manifest["kind"]].from_dict(manifest)
        assert read is not None
        assert as_written(read) == manifest
        check_references(manifest)


def as_written(read: BaseModel) -> dict[str, Any]:
    return read.model_dump(by_alias=True, exclude_none=True)


def test_the_models_find_what_is_wrong() -> None:
    (deployment, *_) = rendered(EXAMPLES / "app2-pinned.yaml", "")
    deployment["spec"]["template"]["spec"]["containers"][0]["volumeMount"] = []
    read = client.V1Deployment.from_dict(deployment)
    assert read is not None
    assert as_written(read) != deployment
    deployment["spec"]["replicas"] = "many"
    with pytest.raises(ValueError, match="replicas"):
        client.V1Deployment.from_dict(deployment)


def check_references(manifest: dict[str, Any]) -> None:
    """Hold the names in a pod against each other, as the API server does."""
    if manifest["kind"] not in {"Deployment", "StatefulSet"}:
        return
    pod = manifest["spec"]["template"]["spec"]
    volumes = {volume["name"] for volume in pod.get("volumes", [])}
    volumes |= {claim["metadata"]["name"] for claim in manifest["spec"].get("volumeClaimTemplates", [])}
    mounted = {mount["name"] for one in pod["containers"] for mount in one.get("volumeMounts", [])}
    assert mounted == volumes
    claims = {claim["name"] for claim in pod.get("resourceClaims", [])}
    assert claims == {
        claim["name"] for one in pod["containers"] for claim in one.get("resources", {}).get("claims", [])
    }
    for container in pod["containers"]:
        amounts = container.get("resources", {})
        for name, amount in amounts.get("requests", {}).items():
            if "/" in name or name.startswith("hugepages-"):
                assert amounts["limits"][name] == amount


def test_claims_are_made_before_the_pods_that_name_them() -> None:
    objects = rendered(FIXTURES / "claims.yaml", "site-claims")
    made = [item["metadata"]["name"] for item in objects if item["kind"] == "ResourceClaimTemplate"]
    (pods,) = [item["spec"]["template"]["spec"] for item in objects if item["kind"] == "Deployment"]
    assert [claim["resourceClaimTemplateName"] for claim in pods["resourceClaims"]] == made


def test_the_network_of_the_sample_is_asked_for_as_its_pod_does() -> None:
    """Annotation and resource of the platform's own pod (07-iperf-server-sriov-1)."""
    (deployment, *_) = rendered(EXAMPLES / "iperf-server-sriov.yaml", "")
    template = deployment["spec"]["template"]
    networks = json.loads(template["metadata"]["annotations"]["k8s.v1.cni.cncf.io/networks"])
    assert networks == [{"name": "sriov-net1", "ips": ["10.10.2.60/24"]}]
    counted = {"intel.com/intel_sriov_netdevice": "1"}
    assert template["spec"]["containers"][0]["resources"] == {"requests": counted, "limits": counted}


def test_nothing_is_published_that_has_no_external_port() -> None:
    service = load_service(FIXTURES / "everything.yaml")
    published = next(
        item for item in render(service, "default") if item["metadata"]["name"] == external_name(service.name)
    )
    wanted = {port.external_port for container in service.containers for port in container.ports} - {None}
    assert {port["port"] for port in published["spec"]["ports"]} == wanted


def test_a_service_without_ports_is_a_deployment_alone() -> None:
    service = Service.model_validate({"name": "job", "containers": [{"image": "a:1"}]})
    assert [item["kind"] for item in render(service, "default")] == ["Deployment"]


def test_everything_says_every_field() -> None:
    """Two documents are what the golden files test: no field of the model may be missing there.

    Scaling excludes replicas, so it has its own.
    """
    documents = [FIXTURES / "everything.yaml", FIXTURES / "scaling.yaml"]
    written = {key for path in documents for key in _keys(yaml.safe_load(path.read_text(encoding="utf-8")))}
    schema = Service.model_json_schema(by_alias=True)
    # Fields of the model, but for the keys of mappings, and what excludes another field or is in other documents.
    known = {name for part in (schema, *schema["$defs"].values()) for name in part.get("properties", {})}
    assert known - written == {"address"}


def _keys(data: Any) -> Iterator[str]:
    if isinstance(data, dict):
        yield from data
    for value in data.values() if isinstance(data, dict) else data if isinstance(data, list) else ():
        yield from _keys(value)


def test_what_the_cluster_writes_does_not_count_as_a_difference() -> None:
    (before, *_) = rendered(EXAMPLES / "app2-pinned.yaml", "")
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
