"""Pods talk over every kind of secondary network, within an emulated node and between two."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from lab_cluster import ROOT, done, planned
from pods import VF, Pod, allocation, create, ready, remove, status

if TYPE_CHECKING:
    from conftest import Change, EmulatedLab

pytestmark = pytest.mark.hardware

SAMPLES = ROOT / "examples/sriov"
HERE, THERE = "gedgew01", "gedgew02"
KINDS = ("sriov", "macvlan")
# Within the ranges of the site file; the last number tells the pods apart.
STATIC = {"sriov": "10.10.2", "macvlan": "10.10.3"}
SERVER = "server"
CLIENTS = {"near": HERE, "far": THERE}


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


def test_the_plan_of_acceleration_is_what_the_apply_did(acceleration: Change) -> None:
    assert any(kind == "nic" for changes in planned(acceleration.plan).values() for _, kind, _ in changes)
    assert planned(acceleration.plan) == done(acceleration.result)


def test_a_second_apply_changes_nothing(lab: EmulatedLab) -> None:
    assert lab.apply()["changed"] == {}


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


def rate(lab: EmulatedLab, client: str, server: str, source: str) -> float:
    """Return the bit/s that iperf3 receives in two seconds."""
    words = ("iperf3", "--client", server, "--bind", source, "--time", "2", "--json", "--connect-timeout", "5000")
    done = json.loads(lab.kubectl("exec", client, "--", *words))
    return float(done["end"]["sum_received"]["bits_per_second"])


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
@pytest.mark.parametrize("way", ["static", "range", "local"])
@pytest.mark.parametrize("kind", KINDS)
def test_pods_exchange_data(
    lab: EmulatedLab, pods: dict[str, dict[str, dict[str, Any]]], kind: str, way: str, client: str
) -> None:
    source, target = address(pods, client, kind, way), address(pods, SERVER, kind, way)
    assert " 0% packet loss" in lab.kubectl("exec", client, "--", "ping", "-c", "3", "-W", "5", "-I", source, target)
    assert rate(lab, client, target, source) > 0


@pytest.mark.parametrize("client", CLIENTS)
def test_pods_exchange_data_over_flannel(
    lab: EmulatedLab, pods: dict[str, dict[str, dict[str, Any]]], client: str
) -> None:
    (source,), (target,) = (
        [one["ips"][0] for one in pods[name].values() if one.get("default")] for name in (client, SERVER)
    )
    assert rate(lab, client, target, source) > 0


@pytest.mark.parametrize("client", CLIENTS)
def test_the_samples_server_answers_over_sriov(
    lab: EmulatedLab, pods: dict[str, dict[str, dict[str, Any]]], client: str
) -> None:
    (target,) = pods["sriov-server-1"]["sriov-net1"]["ips"]
    assert target == "10.10.2.60"
    assert rate(lab, client, target, address(pods, client, "sriov", "static")) > 0


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
