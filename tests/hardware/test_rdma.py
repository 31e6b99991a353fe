"""Pods have RDMA in software over virtual functions and over macvlan, and its links end with them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from pods import SOFT_RDMA, Pod, create, ready, remove, status

if TYPE_CHECKING:
    from conftest import EmulatedLab

pytestmark = pytest.mark.hardware

NODES = ("gedgew01", "gedgew02")
SOFT = ("sriov-rdma", "macvlan-rdma")
PORTS = {"rping": 7174, "ib_write_bw": 18515}
# Each of these servers ends with its client, or after some time, and comes again: clients try more than once.
_SERVERS = (
    f"while :; do timeout 60 rping -s -a 0.0.0.0 -p {PORTS['rping']} -C 3; sleep 1; done >/dev/null 2>&1 &\n"
    f"while :; do timeout 60 ib_write_bw -R -F -p {PORTS['ib_write_bw']} -s 4096 -n 200; sleep 1; done >/dev/null 2>&1"
)
_TRY = "for try in 1 2 3 4; do timeout 40 {} && exit; sleep 5; done; exit 1"
SERVE = ("sh", "-c", _SERVERS)


@pytest.fixture(scope="module")
def pods(lab: EmulatedLab) -> Iterator[dict[str, dict[str, dict[str, Any]]]]:
    """A server on one node and a client on the other, on both networks: `network-status` of each."""
    networks = [{"name": name} for name in SOFT]
    server = Pod("rdma-server", NODES[0], networks, vfs=1, rdma=True, command=SERVE)
    client = Pod("rdma-client", NODES[1], networks, vfs=1, rdma=True)
    try:
        create(lab, server.manifest(), client.manifest())
        ready(lab, server.name, client.name)
        yield {pod: status(lab, pod) for pod in (server.name, client.name)}
    finally:
        remove(lab)


def test_nodes_offer_it_where_pods_may_have_it(lab: EmulatedLab) -> None:
    nodes = json.loads(lab.kubectl("get", "nodes", "-o", "json"))["items"]
    offered = {node["metadata"]["name"]: node["status"]["allocatable"].get(SOFT_RDMA, "0") for node in nodes}
    assert {name: number for name, number in offered.items() if number != "0"} == dict.fromkeys(NODES, "16")


@pytest.mark.parametrize("network", SOFT)
def test_pods_of_two_nodes_reach_each_other_over_rdma(
    lab: EmulatedLab, pods: dict[str, dict[str, dict[str, Any]]], network: str
) -> None:
    (address,) = pods["rdma-server"][network]["ips"]
    commands = (
        f"rping -c -v -C 3 -a {address} -p {PORTS['rping']}",
        f"ib_write_bw -R -F -p {PORTS['ib_write_bw']} -s 4096 -n 200 {address}",
    )
    ping, written = (
        lab.kubectl("exec", "rdma-client", "--", "sh", "-c", _TRY.format(command), timeout=240) for command in commands
    )
    assert "ping data: rdma-ping-2" in ping
    rows = [line.split() for line in written.splitlines() if line.strip().startswith("4096")]
    assert rows
    assert float(rows[-1][3]) > 0


def test_links_end_with_their_pods(lab: EmulatedLab, pods: dict[str, dict[str, dict[str, Any]]]) -> None:
    assert pods
    for node in NODES:
        assert len(lab.hosts[node].run("rdma link").split("link rxe_")) == 1 + len(SOFT)
    remove(lab)
    for node in NODES:
        assert not lab.hosts[node].run("rdma link").strip()
