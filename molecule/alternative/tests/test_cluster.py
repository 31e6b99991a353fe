"""The cluster with every setting changed, as its API and its kernel tell."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Cluster, Node
    from testinfra.host import Host


testinfra_hosts = ["ansible://first"]


def test_nodes_carry_their_own_names_ranges_and_taints(cluster: Cluster) -> None:
    nodes = {item["metadata"]["name"]: item for item in cluster.get("nodes")["items"]}
    assert set(nodes) == {"alt-manager", "alt-worker"}
    for item in nodes.values():
        assert ip_network(item["spec"]["podCIDR"]).subnet_of(ip_network("10.120.0.0/16"))
    registered = {"key": "dedicated", "value": "ai", "effect": "PreferNoSchedule"}
    assert nodes["alt-manager"]["spec"]["taints"] == [registered]
    assert nodes["alt-worker"]["spec"]["taints"] == [{"key": "edge.test/late", "effect": "PreferNoSchedule"}]
    labels = nodes["alt-worker"]["metadata"]["labels"]
    assert (labels["edge.test/hall"], labels["edge.test/rack"]) == ("north", "7")


def test_kubelets_run_with_what_was_asked(cluster: Cluster) -> None:
    for name in ("alt-manager", "alt-worker"):
        running = cluster.running_kubelet(name)
        assert running["cpuManagerPolicy"] == "static"
        assert running["cpuManagerPolicyOptions"] == {"strict-cpu-reservation": "true"}
        assert running["topologyManagerPolicy"] == "restricted"
        assert running["topologyManagerScope"] == "pod"
        assert running["kubeReserved"] == {"cpu": "500m", "memory": "100Mi"}
        assert running["systemReserved"] == {"cpu": "100m"}
        assert running["evictionHard"]["memory.available"] == "200Mi"
        assert running["clusterDomain"] == "edge.test"
        status = cluster.get("node", name)["status"]
        assert status["allocatable"]["pods"] == "40"
        assert status["allocatable"]["cpu"] == f"{int(status['capacity']['cpu']) * 1000 - 600}m"


def test_the_kubelet_writes_the_state_of_the_static_policy(node: Node) -> None:
    assert '"policyName":"static"' in node.tell("cat /var/lib/kubelet/cpu_manager_state")


def test_services_have_addresses_of_the_other_range(cluster: Cluster) -> None:
    assert cluster.get("service", "-n", "default", "kubernetes")["spec"]["clusterIP"] == "10.121.0.1"
    assert cluster.get("service", "-n", "kube-system", "kube-dns")["spec"]["clusterIP"] == "10.121.0.10"


def test_the_virtual_address_answers_with_every_name(host: Host, cluster: Cluster) -> None:
    address = host.ansible.get_variables()["ansible_host"].rpartition(".")[0] + ".10"
    assert f"{address}/32" in cluster.node.tell("ip -4 -brief address")
    for name in ("haproxy", "keepalived"):
        assert host.service(f"{name}.service").is_running
        assert host.service(f"{name}.service").is_enabled
    assert 'users:(("haproxy"' in cluster.node.tell("ss -Hltnp sport = :9443")
    names = cluster.certificate_names(f"{address}:9443")
    for name in ("DNS:api.edge.test", "DNS:kubernetes.default.svc.edge.test", "192.0.2.80", address):
        assert name in names
    assert f"server: https://{address}:9443" in cluster.kubectl("config", "view")


def test_the_cluster_has_its_name(cluster: Cluster) -> None:
    assert "clusterName: alternative" in cluster.kubectl(
        "get", "configmap", "-n", "kube-system", "kubeadm-config", "-o", "yaml"
    )
