"""What bench/services.py applies: right documents, all kinds of them, and nodes that can hold them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from bench import service_documents
from gedge_provision.models.cluster import NodeState
from gedge_provision.models.service import Service
from gedge_provision.planning.acceleration import plan_resources
from gedge_provision.planning.fit import check_fit
from gedge_provision.services import Templates, check_documents, load_service

COUNT, NODES = 500, 50
READY = {"conditions": [{"type": "Ready", "status": "True"}]}


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return service_documents.write(tmp_path_factory.mktemp("documents"), COUNT)


@pytest.fixture(scope="module")
def services(paths: list[Path]) -> list[Service]:
    templates = Templates()
    return [load_service(path, templates=templates) for path in paths]


def test_documents_are_right_with_those_of_templates(paths: list[Path]) -> None:
    folder = paths[0].parent
    checked = Counter(one.kind for one in check_documents(sorted(folder.iterdir())))
    assert checked == {"service": COUNT, "template": 2}
    assert Counter(path.suffix for path in paths) == {".yaml": 400, ".json": 100}


@pytest.mark.parametrize(
    ("what", "number"),
    [
        (lambda one: len(one.containers) > 1, 100),
        (lambda one: any(container.resources.acceleration.topology_aware for container in one.containers), 150),
        (lambda one: any(container.resources.acceleration.compute for container in one.containers), 50),
        (lambda one: any(container.resources.acceleration.communication for container in one.containers), 100),
        (lambda one: any(port.external_port for container in one.containers for port in container.ports), 75),
        (lambda one: not any(container.ports for container in one.containers), 100),
        (lambda one: any(container.env for container in one.containers), 100),
        (lambda one: any(container.readiness_probe for container in one.containers), 100),
        (lambda one: any(container.startup_probe for container in one.containers), 50),
        (lambda one: one.volumes, 50),
        (lambda one: "size" in one.labels, 50),
        (lambda one: one.node_selector == service_documents.SIMULATED, COUNT),
    ],
)
def test_they_are_mixed(services: list[Service], what: Callable[[Service], bool], number: int) -> None:
    assert sum(1 for service in services if what(service)) == number


def test_names_and_external_ports_are_unique_and_replicas_differ(services: list[Service]) -> None:
    ports = [port.external_port for one in services for container in one.containers for port in container.ports]
    external = [port for port in ports if port is not None]
    assert len(set(external)) == len(external)
    assert len({service.name for service in services}) == COUNT
    assert Counter(service.replicas for service in services) == {1: 170, 2: 170, 3: 160}


def test_the_nodes_hold_them_all(services: list[Service]) -> None:
    offered = [one | {"status": one["status"] | READY} for one in service_documents.nodes(NODES)]
    nodes = [NodeState.model_validate(one) for one in offered]
    for service in services[:10]:  # one of each kind
        check_fit(service, nodes)
    asked: Counter[str] = Counter()
    for service in services:
        for container in plan_resources(service):
            for resource, amount in container.requests.items():
                asked[resource] += int(amount.amount * service.replicas)
    assert asked["nvidia.com/gpu"] > NODES  # no node has them all
    assert asked["cpu"] < 32 * NODES / 2  # of which half have the devices that one asks for
    assert asked["nvidia.com/gpu"] <= 8 * NODES / 2
    assert asked["intel.com/intel_sriov_netdevice"] <= 32 * NODES / 2
    assert asked["rdma/hca_shared_devices_a"] <= 32 * NODES / 2


def test_kwok_takes_the_nodes_that_services_ask_for() -> None:
    (options,) = [
        document["options"]
        for document in yaml.safe_load_all(Path("bench/simulated_nodes.yml").read_text(encoding="utf-8"))
        if document["kind"] == "KwokConfiguration"
    ]
    ((key, value),) = service_documents.SIMULATED.items()
    assert options["manageNodesWithLabelSelector"] == f"{key}={value}"
