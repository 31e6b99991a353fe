"""The same cluster after its backend has become host-gw."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Cluster, Node


testinfra_hosts = ["ansible://first"]


def test_pods_of_the_other_node_are_reached_without_encapsulation(node: Node, cluster: Cluster) -> None:
    cluster.kubectl("rollout", "status", "-n", "kube-flannel", "daemonset/kube-flannel", "--timeout=60s")
    worker = cluster.get("node", "alt-worker")
    address = next(entry["address"] for entry in worker["status"]["addresses"] if entry["type"] == "InternalIP")
    deadline = time.monotonic() + 20
    while True:
        routes = json.loads(node.tell(f"ip -json route show {worker['spec']['podCIDR']}"))
        if [(route.get("gateway"), route["dev"]) for route in routes] == [(address, "eth0")]:
            return
        assert time.monotonic() < deadline, routes
        time.sleep(1)


def test_pods_may_send_whole_frames(node: Node) -> None:
    assert '"mtu":1500' in node.tell("crictl info").replace("\\", "").replace(" ", "")
