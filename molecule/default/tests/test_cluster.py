"""The cluster after the roles with their defaults, as its API tells."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Cluster


testinfra_hosts = ["ansible://first"]


def test_both_nodes_are_ready_and_take_pods(cluster: Cluster) -> None:
    nodes = {item["metadata"]["name"]: item for item in cluster.get("nodes")["items"]}
    assert set(nodes) == {"first", "second"}
    for item in nodes.values():
        conditions = {condition["type"]: condition["status"] for condition in item["status"]["conditions"]}
        assert conditions["Ready"] == "True"
        assert ip_network(item["spec"]["podCIDR"]).subnet_of(ip_network("10.244.0.0/16"))
        assert "taints" not in item["spec"]
        assert item["status"]["nodeInfo"]["kubeletVersion"] == "v1.36.4"


@pytest.mark.parametrize("name", ["first", "second"])
def test_kubelets_run_with_their_defaults(cluster: Cluster, name: str) -> None:
    running = cluster.running_kubelet(name)
    assert running["cgroupDriver"] == "systemd"
    assert running["cpuManagerPolicy"] == "none"
    assert running["maxPods"] == 110
    assert running["clusterDomain"] == "cluster.local"


def test_services_have_addresses_of_the_default_range(cluster: Cluster) -> None:
    spec = cluster.get("service", "-n", "default", "kubernetes")["spec"]
    assert ip_address(spec["clusterIP"]) == ip_address("10.96.0.1")
    assert "DNS:kubernetes.default.svc.cluster.local" in cluster.certificate_names("127.0.0.1:6443")


def test_names_are_resolved_from_the_other_node(cluster: Cluster) -> None:
    """A lookup through the service address of the cluster's DNS: rules, routes and the overlay all have part in it."""
    cluster.kubectl("rollout", "status", "-n", "kube-system", "deployment/coredns", "--timeout=60s")
    cluster.kubectl(
        *("run", "asker", "--image=registry.k8s.io/e2e-test-images/agnhost:2.63.0", "--restart=Never"),
        *('--overrides={"spec":{"nodeName":"second","terminationGracePeriodSeconds":0}}', "--"),
        *("connect", "kubernetes.default.svc.cluster.local:443", "--timeout=15s"),
    )
    try:
        cluster.kubectl("wait", "pod/asker", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s")
    finally:
        cluster.kubectl("delete", "pod", "asker", "--wait=true")
