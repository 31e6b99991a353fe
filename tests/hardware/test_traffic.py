"""Pods talk over every kind of secondary network, within an emulated node and between two."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from lab_cluster import ROOT
from pods import VF, Pod, allocation, create, ready, remove, status

if TYPE_CHECKING:
    from conftest import EmulatedLab

pytestmark = pytest.mark.hardware

SAMPLES = ROOT / "examples/sriov"
HERE, THERE = "gedgew01", "gedgew02"
KINDS, WAYS = ("sriov", "macvlan"), ("static", "range", "local")
# Within the ranges of the site file; the last number tells the pods apart.
STATIC = {"sriov": "10.10.2", "macvlan": "10.10.3"}
SERVER = "server"
CLIENTS = {"near": HERE, "far": THERE}
_TRAFFIC = """
echo path {path}
ping -q -c 2 -W 5 -I {source} {target}
iperf3 --client {target} --bind {source} --time 1 --json --connect-timeout 5000
"""


def networks(node: str, last: int) -> list[dict[str, object]]:
    """Return one network of each kind and way of addresses, for a pod on a node."""
    place = node[-1]
    return [
        one
        for kind in KINDS
        for one in (
            {"name": f"{kind}-static", "ips": [f"{STATIC[kind]}.{last}/24"]},
            {"name": f"{kind}-range"},
            {"name": f"{kind}-local-{place}"},
        )
    ]


@pytest.fixture(scope="module")
def pods(lab: EmulatedLab) -> Iterator[dict[str, dict[str, dict[str, Any]]]]:
    """A server, a client beside it and one on the other node, the sample's server: `network-status` of each."""
    sample = [yaml.safe_load((SAMPLES / name).read_text(encoding="utf-8")) for name in ("network.yaml", "server.yaml")]
    listen = ("iperf3", "--server")
    server = Pod(SERVER, HERE, networks(HERE, 61), cpus=2, vfs=3, command=listen)
    clients = [
        Pod(name, node, networks(node, last), cpus=2, vfs=3)
        for last, (name, node) in enumerate(CLIENTS.items(), start=62)
    ]
    name = sample[1]["metadata"]["name"]
    sample[1]["metadata"]["labels"]["tier"] = "hardware"
    try:
        create(lab, *sample, server.manifest(), *(client.manifest() for client in clients))
        ready(lab, name, SERVER, *CLIENTS)
        yield {pod: status(lab, pod) for pod in (name, SERVER, *CLIENTS)}
    finally:
        remove(lab)
        lab.kubectl("delete", "network-attachment-definition", sample[0]["metadata"]["name"])


def address(pods: dict[str, dict[str, dict[str, Any]]], pod: str, kind: str, way: str) -> str:
    """Return the address that a pod has on a network."""
    (one,) = [found for name, found in pods[pod].items() if name.startswith(f"{kind}-{way}")]
    (ip,) = one["ips"]
    return str(ip)


def test_every_network_says_what_the_pod_has(pods: dict[str, dict[str, dict[str, Any]]]) -> None:
    for name in (SERVER, *CLIENTS):
        others = [one for one in pods[name].values() if not one.get("default")]
        assert len(others) == 2 * 3
        for one in others:
            assert one["interface"].startswith("net")
            assert one["mac"]
            assert len(one["ips"]) == 1
            pci = one.get("device-info", {}).get("pci", {}).get("pci-address", "")
            assert bool(pci) == one["name"].rpartition("/")[2].startswith("sriov"), one
    everyone = [(one["name"], ip) for found in pods.values() for one in found.values() for ip in one["ips"]]
    assert len({ip for _, ip in everyone}) == len(everyone), "no address is given away twice"
    macs = [one["mac"] for found in pods.values() for one in found.values()]
    assert len(set(macs)) == len(macs)


@pytest.mark.parametrize("client", CLIENTS)
def test_pods_exchange_data(lab: EmulatedLab, pods: dict[str, dict[str, dict[str, Any]]], client: str) -> None:
    """Every kind of network, every way of addresses, flannel, and the sample's server, from one pod in one call."""
    paths = {
        f"{kind}-{way}": tuple(address(pods, pod, kind, way) for pod in (client, SERVER))
        for kind in KINDS
        for way in WAYS
    }
    paths["flannel"] = tuple(
        ip for pod in (client, SERVER) for one in pods[pod].values() if one.get("default") for ip in one["ips"]
    )
    (sample,) = pods["sriov-server-1"]["sriov-net1"]["ips"]
    assert sample == "10.10.2.60"
    paths["sample"] = (address(pods, client, "sriov", "static"), sample)
    script = "".join(
        _TRAFFIC.format(path=path, source=source, target=target) for path, (source, target) in paths.items()
    )
    said = lab.kubectl("exec", client, "--", "sh", "-c", script, timeout=300)
    seen = dict(part.split("\n", 1) for part in said.split("path ")[1:])
    assert list(seen) == list(paths), said
    for path, text in seen.items():
        ping, _, measured = text.partition("{")
        assert " 0% packet loss" in ping, f"{path}: {text}"
        assert json.loads("{" + measured)["end"]["sum_received"]["bits_per_second"] > 0, f"{path}: {text}"


@pytest.mark.parametrize("name", [SERVER, *CLIENTS])
def test_cpus_and_functions_come_from_one_numa_node(
    lab: EmulatedLab, pods: dict[str, dict[str, dict[str, Any]]], name: str
) -> None:
    given = allocation(lab, name)
    assert given.cpus == given.allowed
    assert len(given.cpus) == 2
    assert len(given.numa_of_cpus) == 1
    assert given.numa_of_devices == given.numa_of_cpus
    assert set(given.devices) == given.numa_of_cpus
    announced = {
        one["device-info"]["pci"]["pci-address"] for one in pods[name].values() if one.get("device-info", {}).get("pci")
    }
    assert announced == {device for ids in given.devices.values() for device in ids}


def test_allocatable_is_what_the_site_promises(lab: EmulatedLab) -> None:
    for node in (HERE, THERE):
        found = json.loads(lab.kubectl("get", "node", node, "-o", "json"))["status"]["allocatable"]
        assert found[VF] == "8"
