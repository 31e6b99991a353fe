from __future__ import annotations

import pytest

from gedge_provision.models.cluster import NodeState, ServiceState
from gedge_provision.models.errors import GedgeError
from gedge_provision.models.service import Service
from gedge_provision.planning.external_ports import check_external_ports, node_addresses, service_urls
from gedge_provision.planning.manifests import ingress_status, render

APP = Service.model_validate(
    {"name": "app", "containers": [{"image": "a", "ports": [{"containerPort": 8080, "externalPort": 30080}]}]}
)
NODES = ("10.0.0.1", "10.0.0.2")


def other(name: str = "other", **spec: object) -> ServiceState:
    return ServiceState.model_validate({"metadata": {"name": name, "namespace": "default"}, "spec": spec})


def published(name: str, namespace: str = "default") -> ServiceState:
    manifest = render(APP.model_copy(update={"name": name}), namespace)[-1]
    return ServiceState.model_validate(
        manifest | ingress_status(name, namespace, NODES) | {"metadata": manifest["metadata"]}
    )


def test_the_same_service_may_keep_its_port() -> None:
    check_external_ports(APP, "default", [published("app")], NODES)


@pytest.mark.parametrize(
    "taken",
    [
        published("rival"),
        published("app", "elsewhere"),
        other(type="NodePort", ports=[{"port": 1, "nodePort": 30080}]),
        other(ports=[{"port": 30080}], externalIPs=["10.0.0.2"]),
    ],
)
def test_a_taken_port_is_refused_with_its_owner(taken: ServiceState) -> None:
    with pytest.raises(GedgeError, match=r"30080/TCP is published by service (rival|app|other) in namespace"):
        check_external_ports(APP, "default", [taken], NODES)


@pytest.mark.parametrize(
    "free",
    [
        other(ports=[{"port": 30080}]),
        other(ports=[{"port": 30080, "protocol": "UDP"}], externalIPs=["10.0.0.2"]),
        other(ports=[{"port": 30080}], externalIPs=["192.0.2.1"]),
    ],
)
def test_a_port_inside_the_cluster_or_elsewhere_is_no_obstacle(free: ServiceState) -> None:
    check_external_ports(APP, "default", [free], NODES)


def test_only_ready_nodes_publish() -> None:
    nodes = [
        NodeState.model_validate(
            {
                "metadata": {"name": address},
                "status": {
                    "addresses": [{"type": "Hostname", "address": "n"}, {"type": "InternalIP", "address": address}],
                    "conditions": [{"type": "Ready", "status": ready}],
                },
            }
        )
        for address, ready in (("10.0.0.2", "True"), ("10.0.0.1", "True"), ("10.0.0.3", "Unknown"))
    ]
    assert node_addresses(nodes) == NODES


def test_urls_name_every_address() -> None:
    assert service_urls([published("app")]) == ("http://10.0.0.1:30080", "http://10.0.0.2:30080")
    assert service_urls([other(ports=[{"port": 80}])]) == ()
