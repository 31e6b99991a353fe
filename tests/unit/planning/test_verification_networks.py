"""Virtual functions and secondary networks in the acceptance report: kept in a recorded cluster, each broken once."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gedge_provision.models.changes import Change
from gedge_provision.models.host_networks import HostNetworks
from gedge_provision.models.probes import Crossing, ProbedPod, Probes
from gedge_provision.models.site import Site
from gedge_provision.models.snapshot import ClusterSnapshot
from gedge_provision.models.verification import Check, Report
from gedge_provision.planning.attachments import definition
from gedge_provision.planning.plans import make_plan
from gedge_provision.planning.verification import CLUSTER_PROMISES, NODE_PROMISES, make_report

FOLDER = Path(__file__).parents[2] / "fixtures/verification"
CLUSTER = json.loads((FOLDER / "snapshot.json").read_text(encoding="utf-8"))
RECORDED = json.loads((FOLDER / "networks.json").read_text(encoding="utf-8"))
M1, W1, W2 = "gedgem01", "gedgew01", "gedgew02"
RESOURCE = "intel.com/intel_sriov_netdevice"
SHARED = "rdma/hca"
POLICY = {"name": "data", "nics": {"vendor": "8086", "device": "10c9"}, "vfs": 4, "resource": RESOURCE}
SITE = {
    "name": "edge",
    "node_classes": {
        "manager": {},
        "ai-worker": {
            "kubelet": {"cpu_manager_policy": "static", "kube_reserved": {"cpu": "500m"}},
            "sriov": [POLICY],
            "shared_rdma": [{"resource": SHARED, "nics": {"interfaces": ["eth0"]}, "pods": 3}],
        },
    },
    "networks": {
        "attachments": [
            {
                "name": "data",
                "type": "macvlan",
                "master": "eth0",
                "mtu": 1400,
                "ipam": {"type": "whereabouts", "range": "10.56.0.0/24"},
            },
            {"name": "leased", "type": "macvlan", "master": "eth0", "ipam": {"type": "dhcp"}},
            {"name": "named", "namespace": "apps", "type": "macvlan", "master": "eth0", "ipam": {"type": "static"}},
            {"name": "sriov-static", "type": "sriov", "resource": RESOURCE, "ipam": {"type": "static"}},
        ]
    },
    "nodes": [
        {"name": M1, "address": "192.0.2.11", "roles": ["control_plane"], "node_class": "manager"},
        {"name": W1, "address": "192.0.2.21", "node_class": "ai-worker"},
        {"name": W2, "address": "192.0.2.22", "node_class": "ai-worker"},
    ],
}
POD = {
    "attachment": "default/data",
    "node": W1,
    "interface": "net1",
    "addresses": ("10.56.0.1",),
    "mtu": 1400,
    "promised_mtu": 1400,
}
WAY = {"attachment": "default/data", "start": W1, "end": W2, "reached": True, "mtu": 1400, "whole": True}


def probed(pod: dict[str, Any] | None = None, way: dict[str, Any] | None = None) -> Probes:
    return Probes(
        pods=(ProbedPod.model_validate(POD | (pod or {})),),
        crossings=(Crossing.model_validate(WAY | (way or {})),),
    )


@dataclass
class World:
    """What a report is made of, as data that a test may spoil."""

    site: dict[str, Any] = field(default_factory=lambda: deepcopy(SITE))
    cluster: dict[str, Any] = field(default_factory=lambda: deepcopy(CLUSTER))
    hosts: dict[str, Any] = field(default_factory=lambda: deepcopy(RECORDED["hosts"]))
    changes: dict[str, list[Change]] = field(default_factory=dict)
    probes: Probes | None = field(default_factory=probed)

    def report(self) -> Report:
        site = Site.model_validate(self.site)
        return make_report(
            site,
            "d1",
            make_plan(site, "d1", self.changes),
            ClusterSnapshot.model_validate(self.cluster),
            runtime_version="v2.3.4",
            networks={name: HostNetworks.model_validate(told) for name, told in self.hosts.items()},
            probes=self.probes,
        )

    def failed(self) -> set[tuple[str, str]]:
        return {(check.node, check.id) for check in self.report().failed}

    def check(self, name: str, node: str = W1) -> Check:
        return next(check for check in self.report().checks if (check.node, check.id) == (node, name))

    @property
    def card(self) -> dict[str, Any]:
        found: dict[str, Any] = self.hosts[W1]["cards"][0]
        return found

    def function(self, number: int = 0) -> dict[str, Any]:
        found: dict[str, Any] = self.card["functions"][number]
        return found

    def offer(self, number: int, node: str = W1, resource: str = RESOURCE) -> None:
        live = next(item for item in self.cluster["nodes"] if item["metadata"]["name"] == node)
        live["status"]["allocatable"][resource] = str(number)

    def pod(self, app: str, node: str = W1) -> dict[str, Any]:
        return next(
            pod
            for pod in self.cluster["pods"]
            if pod["metadata"].get("labels", {}).get("app") == app and pod["spec"]["nodeName"] == node
        )

    def definition(self, name: str) -> dict[str, Any]:
        return next(one for one in self.cluster["definitions"] if one["metadata"]["name"] == name)


@pytest.fixture
def world() -> World:
    """A cluster that keeps every promise."""
    found = World()
    found.cluster |= {key: deepcopy(RECORDED[key]) for key in ("definitions", "pools")}
    found.cluster["pods"] += deepcopy(RECORDED["pods"])
    for node in (W1, W2):
        found.offer(8, node)
        found.offer(3, node, SHARED)
        live = next(item for item in found.cluster["nodes"] if item["metadata"]["name"] == node)
        live["metadata"]["labels"]["gedge.dev/sriov-device-plugin"] = "site"
    return found


def down(app: str, words: str = "") -> Callable[[World], None]:
    def spoil(world: World) -> None:
        status = world.pod(app)["status"]
        for condition in status["conditions"]:
            condition["status"] = "False"
        ended = {"exitCode": 1, "reason": "Error", "message": words}
        status["containerStatuses"] = [
            {"name": app, "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": ended}}
        ]

    return spoil


def route(destination: str, interface: str) -> Callable[[World], None]:
    return lambda w: w.hosts[W1]["routes"].append({"destination": destination, "interface": interface})


def to_do(kind: str, name: str) -> Callable[[World], None]:
    return lambda w: w.changes.update({W1: [Change(kind, name, "set")]})


def shows(pod: dict[str, Any] | None = None, way: dict[str, Any] | None = None) -> Callable[[World], None]:
    return lambda w: setattr(w, "probes", probed(pod, way))


def full_pool(world: World) -> None:
    world.cluster["pools"][0]["spec"]["allocations"] = {str(number): {"podref": "a/b"} for number in range(1, 255)}


def fewer_functions(world: World) -> None:
    world.card.update(vfs=3, functions=world.card["functions"][:3])


# Each promise, whose it is, what breaks it, a part of the evidence, and what cannot but break together with it.
BREAKS: dict[str, tuple[str, Callable[[World], Any], str, set[tuple[str, str]]]] = {
    "sriov-cards": (
        W1,
        lambda w: w.hosts[W1].update(problems=["policy data selects no card (vendor 8086) -> cards here: none"]),
        "policy data selects no card (vendor 8086)",
        set(),
    ),
    "sriov-functions": (W1, fewer_functions, "has 3 of 4", set()),
    "sriov-numa": (W1, lambda w: w.function().update(numa_node=1), "is on NUMA node 1, its card", set()),
    "sriov-drivers": (
        W1,
        lambda w: w.function().update(driver="vfio-pci"),
        "has vfio-pci, promised is netdevice",
        set(),
    ),
    "sriov-settings": (W1, to_do("nic", "0000:41:00.0 vf 1 trust=on"), "to do: set nic 0000:41:00.0 vf 1 trust", set()),
    "sriov-link": (W1, lambda w: w.card.update(up=False), "is down", set()),
    "sriov-given-back": (
        W1,
        lambda w: w.function().update(user="another network namespace", interface=""),
        "is in a network namespace of no pod",
        set(),
    ),
    "sriov-device-plugin": (W1, down("sriov-device-plugin", "oops"), "it ended with 1: oops", set()),
    "sriov-resources": (W1, lambda w: w.offer(7), "it offers 7 of 8", set()),
    "attachments-multus": (W1, down("multus"), "is not ready: CrashLoopBackOff", set()),
    "attachments-whereabouts": (
        W1,
        lambda w: w.cluster["pods"].remove(w.pod("whereabouts")),
        "no pod of whereabouts is on this node",
        set(),
    ),
    "attachments-cni-first": (
        W1,
        lambda w: w.hosts[W1]["cni_files"].insert(0, "00-aaa.conf"),
        "00-aaa.conf stands before 00-multus.conf",
        set(),
    ),
    "attachments-plugins": (
        W1,
        lambda w: w.hosts[W1]["cni_plugins"].remove("static"),
        "static is not in /opt/cni/bin",
        set(),
    ),
    "attachments-dhcp": (
        W1,
        lambda w: w.hosts[W1].update(dhcp_daemon=False),
        "nothing answers at /run/cni/dhcp.sock, default/leased needs it",
        set(),
    ),
    "attachments-interfaces": (
        W1,
        lambda w: w.hosts[W1]["interfaces"]["eth0"].update(mtu=1300),
        "default/data has MTU 1400, eth0 below it 1300",
        set(),
    ),
    "attachments-routes": (
        W1,
        route("10.56.0.128/25", "tun0"),
        "default/data 10.56.0.0/24 overlaps the route to 10.56.0.128/25 on tun0",
        set(),
    ),
    "attachments-rdma": (W1, lambda w: w.offer(0, resource=SHARED), "it offers 0 of 3 rdma/hca", set()),
    "attachments-defined": (
        "",
        lambda w: w.definition("named")["spec"].update(config="{}"),
        "apps/named has another configuration",
        set(),
    ),
    "attachments-offered": (
        "",
        lambda w: w.cluster["definitions"].append(
            {
                "metadata": {
                    "name": "mine",
                    "namespace": "default",
                    "annotations": {"k8s.v1.cni.cncf.io/resourceName": "intel.com/nobody"},
                }
            }
        ),
        "default/mine names intel.com/nobody, which no node offers",
        set(),
    ),
    "attachments-pools": ("", full_pool, "254 of 254 addresses taken", set()),
    "probe-pods": (
        "",
        shows({"problem": "its range has no free address", "remedy": "widen the range"}),
        "default/data on gedgew01: its range has no free address",
        set(),
    ),
    "probe-status": ("", shows({"lacking": ("mac",)}), "default/data on gedgew01 lacks mac", set()),
    "probe-reach": ("", shows(None, {"reached": False, "mtu": 0}), "gedgew01 to gedgew02: no answer", set()),
    "probe-mtu": (
        "",
        shows(None, {"whole": False, "said": "message too long"}),
        "1400 bytes do not come through (message too long)",
        set(),
    ),
}


def test_every_promise_of_networks_is_broken_in_this_table() -> None:
    promises = (*CLUSTER_PROMISES, *NODE_PROMISES)
    assert set(BREAKS) == {one.id for one in promises if one.concern in ("sriov", "attachments")}


def test_a_cluster_that_keeps_everything_passes_everything(world: World) -> None:
    report = world.report()
    assert report.failed == ()
    assert {check.id for check in report.checks if check.status == "pass"} >= set(BREAKS)
    assert {check.node for check in report.checks if check.concern == "sriov"} == {W1, W2}


@pytest.mark.parametrize("name", BREAKS)
def test_what_is_broken_fails_with_evidence_and_remedy_and_nothing_else_does(world: World, name: str) -> None:
    node, spoil, evidence, follows = BREAKS[name]
    spoil(world)
    assert world.failed() == {(node, name)} | follows
    found = world.check(name, node)
    assert evidence in found.evidence
    assert found.remedy


def test_a_site_without_secondary_networks_has_none_of_these_checks(world: World) -> None:
    del world.site["networks"]
    del world.site["node_classes"]["ai-worker"]["sriov"]
    del world.site["node_classes"]["ai-worker"]["shared_rdma"]
    assert not {check.id for check in world.report().checks} & set(BREAKS)


def test_without_probe_pods_their_checks_are_open_and_say_how_to_ask(world: World) -> None:
    world.probes = None
    open_checks = [check for check in world.report().checks if check.id.startswith("probe-")]
    assert {(check.status, check.evidence) for check in open_checks} == {
        ("not-applicable", "no pod was started: gedge verify --probe")
    }
    world.probes = Probes(left_out=("default/fast: no intel.com/x is free on gedgew01",))
    assert world.check("probe-pods", "").evidence == "default/fast: no intel.com/x is free on gedgew01"
    world.probes = Probes(problem="another run has just begun on this cluster")
    assert world.check("probe-pods", "").evidence == "another run has just begun on this cluster"
    assert {name for _, name in world.failed()} == {"probe-pods"}
    others = [world.check(f"probe-{name}", "").status for name in ("status", "reach", "mtu")]
    assert others == ["not-applicable"] * 3  # nothing was proved
    world.cluster |= {"problem": "no answer"}
    assert world.check("probe-pods", "").evidence == "no answer"


def test_hosts_that_do_not_tell_fail_what_is_judged_by_them(world: World) -> None:
    del world.hosts[W1]
    failed = world.failed()
    assert failed == {(W1, one.id) for one in NODE_PROMISES if "networks" in one.needs}
    assert (W1, "sriov-numa") in failed


DEVICE_PLUGIN: dict[str, tuple[Callable[[World], Any], str, str]] = {
    "its pod does not run": (down("sriov-device-plugin"), "the device plugin does not run", "see sriov-device-plugin"),
    "no functions": (
        lambda w: [card.update(vfs=0, functions=[]) for card in w.hosts[W1]["cards"]],
        "the host has 0 virtual functions",
        "see sriov-functions",
    ),
    "no driver": (lambda w: w.function().update(driver=""), "have no driver", "see sriov-drivers"),
    "not named": (
        lambda w: w.hosts[W1].update(device_plugin={"resourceList": []}),
        "/etc/pcidp/config.json does not name this resource",
        "gedge apply",
    ),
    "another card": (
        lambda w: w.hosts[W1]["device_plugin"]["resourceList"][0]["selectors"].update(rootDevices=["0000:99:00.0"]),
        "selects no virtual function: rootDevices 0000:99:00.0, and they have 0000:41:00.0, 0000:81:00.0",
        "gedge apply",
    ),
    "nothing noticed": (lambda _: None, "has not taken notice", "delete pod -l app=sriov-device-plugin"),
}


@pytest.mark.parametrize("name", DEVICE_PLUGIN)
def test_why_the_device_plugin_offers_too_little_is_told(world: World, name: str) -> None:
    spoil, why, remedy = DEVICE_PLUGIN[name]
    spoil(world)
    world.offer(0)
    found = world.check("sriov-resources")
    assert found.status == "fail"
    assert found.evidence.startswith(f"it offers 0 of 8 {RESOURCE}: ")
    assert why in found.evidence
    assert remedy in found.remedy


@pytest.mark.parametrize(
    ("selectors", "why"),
    [
        ({"vendors": ["15b3"], "drivers": ["igbvf"]}, "vendors 15b3, and they have 8086"),
        ({"drivers": ["iavf"]}, "drivers iavf, and they have igbvf"),
        ({"pfNames": ["ens1f0#0-3"]}, "pfNames ens1f0#0-3, and they have"),
        ([{"devices": ["1592"]}, {"pciAddresses": ["0000:01:00.0"]}], "devices 1592, and they have 10ca; pciAddresses"),
    ],
)
def test_an_own_configuration_that_selects_nothing_is_told_by_its_selector(
    world: World, selectors: Any, why: str
) -> None:
    del world.site["node_classes"]["ai-worker"]["sriov"][0]["resource"]
    for item in world.cluster["nodes"]:
        item["metadata"]["labels"]["gedge.dev/sriov-device-plugin"] = "own"
    entry = {"resourcePrefix": "intel.com", "resourceName": "intel_sriov_netdevice", "selectors": selectors}
    own = {
        "metadata": {"name": "sriovdp-config", "namespace": "kube-system"},
        "data": {"config.json": json.dumps({"resourceList": [entry]})},
    }
    world.cluster["configMaps"].append(own)
    assert world.check("sriov-resources").status == "pass"
    world.offer(0)
    found = world.check("sriov-resources")
    assert found.status == "fail"
    assert found.evidence.startswith(f"it offers no {RESOURCE}: ConfigMap kube-system/sriovdp-config selects no")
    assert why in found.evidence
    own["data"] = {"config.json": "no JSON"}
    assert "does not name this resource" in world.check("sriov-resources").evidence


def test_a_device_plugin_that_misses_the_names_of_devices_is_told_what_it_needs(world: World) -> None:
    down("sriov-device-plugin", "No pci-ids DB files found (and network fetch disabled)")(world)
    assert "pci.ids" in world.check("sriov-device-plugin").remedy


def test_a_function_that_came_back_from_a_crashed_pod_under_its_name_is_told(world: World) -> None:
    function = world.function()
    function["interface"] = "net1"
    found = world.check("sriov-given-back")
    assert found.evidence == f"{function['address']} is named net1 on the host: a crashed pod had it"
    assert f"echo {function['address']} > /sys/bus/pci/drivers/igbvf/unbind" in found.remedy
    function["user"] = "default/server"
    assert world.check("sriov-given-back").status == "pass"


def test_numa_nodes_of_the_policy_and_of_kubelets_that_align_are_promised(world: World) -> None:
    world.site["node_classes"]["ai-worker"]["sriov"][0]["nics"]["numa_nodes"] = [1]
    assert "0000:41:10.0 is on NUMA node 0" in world.check("sriov-numa").evidence
    world = World()
    for function in world.card["functions"]:
        function["numa_node"] = -1
    world.card["numa_node"] = -1
    assert world.check("sriov-numa").status == "pass"
    world.site["node_classes"]["ai-worker"]["kubelet"]["topology_manager_policy"] = "single-numa-node"
    assert "does not tell the NUMA node of 0000:41:10.0" in world.check("sriov-numa").evidence


def test_a_card_without_link_and_number_and_drivers_to_do_have_one_check_each(world: World) -> None:
    world.card["carrier"] = False
    assert world.check("sriov-link").evidence == "0000:41:00.0 enp65s0 has no link"
    world.card["carrier"] = True
    world.changes = {W1: [Change("nic", "0000:41:00.0 vfs=4", "set"), Change("nic", "0000:41:00.0 link=up", "set")]}
    assert world.failed() == set()


def test_routes_of_the_interface_below_and_excluded_ranges_are_no_matter(world: World) -> None:
    route("10.56.0.0/24", "eth0")(world)
    assert world.failed() == set()
    ipam = world.site["networks"]["attachments"][0]["ipam"]
    ipam |= {"range_start": "10.56.0.10", "range_end": "10.56.0.20", "exclude": ["10.56.0.16/28"]}
    assert world.check("attachments-pools", "").evidence == "default/data 10.56.0.0/24: 0 of 6 addresses taken"


def test_the_settings_of_a_policy_are_told(world: World) -> None:
    world.site["node_classes"]["ai-worker"]["sriov"][0] |= {"mtu": 1500, "vlan": 7, "trust": True, "spoof_check": False}
    wanted = "data: MTU 1500, VLAN 7, trust on, spoof check off, MAC addresses derived"
    assert world.check("sriov-settings").promise == wanted


def test_the_recorded_definitions_are_those_that_an_apply_makes() -> None:
    site = Site.model_validate(SITE)
    live = {one["metadata"]["name"]: one["spec"]["config"] for one in RECORDED["definitions"]}
    for one in site.networks.attachments:
        assert json.loads(live[one.name]) == json.loads(definition(one)["spec"]["config"])
