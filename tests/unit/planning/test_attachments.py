"""From attachments in the site file to what Multus hands to CNI plugins."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gedge_provision.models.attachments import Attachment
from gedge_provision.models.site import Site
from gedge_provision.models.sriov import SharedRdma
from gedge_provision.planning.attachments import attachment_manifests, attachment_masters, cni_configuration, holders
from gedge_provision.planning.features import SOFT_RDMA_LABEL, SOFT_RDMA_RESOURCE, daemon_sets, site_features
from gedge_provision.planning.inventory import compile_inventory

VF = "intel.com/vf"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {"type": "sriov", "resource": VF, "ipam": {"type": "static"}},
            {"type": "sriov", "capabilities": {"ips": True}, "ipam": {"type": "static"}},
        ),
        (
            {"type": "sriov", "resource": VF, "vlan": 7, "trust": True, "spoof_check": False, "link_state": "auto"},
            {"type": "sriov", "vlan": 7, "trust": "on", "spoofchk": "off", "link_state": "auto", "ipam": {}},
        ),
        (
            {
                "type": "macvlan",
                "master": "ens1",
                "mtu": 9000,
                "ipam": {
                    "type": "host-local",
                    "range": "10.1.0.0/24",
                    "range_start": "10.1.0.5",
                    "routes": [{"destination": "10.9.0.0/16", "gateway": "10.1.0.1"}],
                },
            },
            {
                "type": "macvlan",
                "master": "ens1",
                "mode": "bridge",
                "mtu": 9000,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{"subnet": "10.1.0.0/24", "rangeStart": "10.1.0.5"}]],
                    "routes": [{"dst": "10.9.0.0/16", "gw": "10.1.0.1"}],
                },
            },
        ),
        (
            {
                "type": "ipvlan",
                "master": "ens1",
                "ipam": {
                    "type": "whereabouts",
                    "range": "10.1.0.0/24",
                    "exclude": ["10.1.0.0/30"],
                    "gateway": "10.1.0.1",
                },
            },
            {
                "type": "ipvlan",
                "master": "ens1",
                "mode": "l2",
                "ipam": {
                    "type": "whereabouts",
                    "range": "10.1.0.0/24",
                    "gateway": "10.1.0.1",
                    "exclude": ["10.1.0.0/30"],
                },
            },
        ),
        (
            {"type": "bridge", "bridge": "br7", "ipam": {"type": "dhcp"}},
            {
                "type": "bridge",
                "bridge": "br7",
                "ipam": {"type": "dhcp", "request": [{"skipDefault": True}, {"option": "subnet-mask"}]},
            },
        ),
        (
            {"type": "bridge", "bridge": "br7", "ipam": {"type": "static", "addresses": ["10.1.0.9/24"]}},
            {"type": "bridge", "bridge": "br7", "ipam": {"type": "static", "addresses": [{"address": "10.1.0.9/24"}]}},
        ),
    ],
)
def test_configuration_of_one_plugin(given: dict[str, Any], expected: dict[str, Any]) -> None:
    found = cni_configuration(Attachment.model_validate({"name": "net", **given}))
    assert found == {"cniVersion": "0.3.1", "name": "net", **expected}


def test_a_chain_where_more_plugins_take_part() -> None:
    attachment = Attachment.model_validate(
        {
            "name": "net",
            "type": "macvlan",
            "master": "ens1",
            "sysctls": {"net.ipv4.conf.IFNAME.arp_filter": "1"},
            "bandwidth": {"egress_rate": 10_000_000, "egress_burst": 1_000_000},
        }
    )
    plugins = cni_configuration(attachment)["plugins"]
    assert [plugin["type"] for plugin in plugins] == ["macvlan", "tuning", "bandwidth"]
    assert plugins[2] == {"type": "bandwidth", "egressRate": 10_000_000, "egressBurst": 1_000_000}


def test_software_rdma_comes_last() -> None:
    attachment = Attachment.model_validate(
        {
            "name": "net",
            "type": "sriov",
            "resource": VF,
            "rdma": "soft",
            "sysctls": {"net.ipv4.conf.IFNAME.rp_filter": "0"},
        }
    )
    plugins = cni_configuration(attachment)["plugins"]
    assert [plugin["type"] for plugin in plugins] == ["sriov", "tuning", "soft-rdma"]
    assert plugins[1]["sysctl"] == {
        "net.ipv4.conf.IFNAME.arp_ignore": "1",
        "net.ipv4.conf.IFNAME.arp_announce": "2",
        "net.ipv4.conf.IFNAME.rp_filter": "0",
    }


def test_the_rdma_device_follows_the_function() -> None:
    attachment = Attachment.model_validate({"name": "net", "type": "sriov", "resource": VF, "rdma": "exclusive"})
    assert [plugin["type"] for plugin in cni_configuration(attachment)["plugins"]] == [
        "sriov",
        "tuning",
        "rdma",
    ]


def site(**networks: Any) -> Site:
    data = {
        "name": "edge",
        "networks": networks,
        "node_classes": {
            "plain": {},
            "ai": {"sriov": [{"name": "data", "nics": {"driver": "igb"}, "vfs": 4, "resource": VF}]},
        },
        "nodes": [
            {"name": "m1", "address": "192.0.2.1", "roles": ["control_plane"], "node_class": "plain"},
            {"name": "w1", "address": "192.0.2.2", "node_class": "plain"},
            {"name": "w2", "address": "192.0.2.3", "node_class": "ai"},
        ],
    }
    return Site.model_validate(data)


FAST = {"name": "fast", "namespace": "ai", "type": "sriov", "resource": VF}
SHARED = {"name": "shared", "type": "macvlan", "master": "ens1", "node_classes": ["plain"]}


def test_definitions_with_their_namespaces() -> None:
    found = attachment_manifests(site(attachments=[FAST, SHARED]))
    names = [(item["kind"], item["metadata"].get("namespace", ""), item["metadata"]["name"]) for item in found]
    assert names == [
        ("Namespace", "", "ai"),
        ("NetworkAttachmentDefinition", "ai", "fast"),
        ("NetworkAttachmentDefinition", "default", "shared"),
    ]
    assert found[1]["metadata"]["annotations"] == {"k8s.v1.cni.cncf.io/resourceName": VF}
    assert json.loads(found[1]["spec"]["config"])["type"] == "sriov"


def test_which_nodes_have_an_attachment() -> None:
    described = site(attachments=[FAST, SHARED])
    fast, shared = described.networks.attachments
    assert holders(described, fast) == ["w2"]
    assert holders(described, shared) == ["w1"]
    assert attachment_masters(described, described.nodes[1]) == [{"interface": "ens1", "attachment": "default/shared"}]
    assert attachment_masters(described, described.nodes[2]) == []
    card = {"name": "card", "type": "host-device", "device": "ens9", "node_classes": ["plain"]}
    described = site(attachments=[card])
    assert attachment_masters(described, described.nodes[1]) == [
        {"interface": "ens9", "attachment": "default/card", "moves": True}
    ]


def test_features() -> None:
    assert site_features(site()) == {"sriov", "multus", "perf"}
    assert site_features(site(test_tools=False)) == {"sriov", "multus"}
    ranged = [{**SHARED, "ipam": {"type": "whereabouts", "range": "10.1.0.0/24"}}]
    assert "whereabouts" in site_features(site(attachments=ranged))
    assert daemon_sets(site(attachments=ranged)) == [
        "kube-system/kube-multus-ds",
        "kube-system/whereabouts",
        "kube-system/kube-sriov-device-plugin",
    ]
    soft = [{**SHARED, "rdma": "soft", "ipam": {"type": "static"}}]
    assert "soft_rdma" in site_features(site(attachments=soft))
    assert "kube-system/soft-rdma-device-plugin" in daemon_sets(site(attachments=soft))
    plain = Site.model_validate(
        {"name": "a", "nodes": [{"name": "m", "address": "192.0.2.1", "roles": ["control_plane"]}]}
    )
    assert site_features(plain) == frozenset()


def test_software_rdma_is_for_nodes_whose_pods_can_have_it() -> None:
    described = site(attachments=[FAST, {**SHARED, "rdma": "soft", "ipam": {"type": "static"}}])
    inventory = compile_inventory(described, {"control_plane": [], "worker": []}, "/k")
    modules = {name: inventory.host_variables[name]["host_prepare_rdma"]["soft"] for name in ("m1", "w1", "w2")}
    assert modules == {"m1": [], "w1": ["default/shared"], "w2": []}
    labels = inventory.variables["nodes_labels"]
    assert [name for name, found in labels.items() if found.get(SOFT_RDMA_LABEL)] == ["w1"]
    awaited = {node["name"]: node["resources"] for node in inventory.variables["cluster_verify_nodes"]}
    assert awaited == {"m1": {}, "w1": {SOFT_RDMA_RESOURCE: 16}, "w2": {}}
    assert inventory.variables["soft_rdma_device_plugin_node_selector"] == {SOFT_RDMA_LABEL: "true"}


def test_a_dhcp_daemon_is_for_nodes_whose_pods_ask_a_server() -> None:
    described = site(attachments=[FAST, {**SHARED, "ipam": {"type": "dhcp"}}])
    inventory = compile_inventory(described, {"control_plane": [], "worker": []}, "/k")
    asked = {name: inventory.host_variables[name]["host_prepare_dhcp"] for name in ("m1", "w1", "w2")}
    assert asked == {"m1": [], "w1": ["default/shared"], "w2": []}


def test_shared_rdma_devices_are_told_to_the_plugin_of_their_class() -> None:
    described = site()
    shared = SharedRdma.model_validate(
        {"resource": "rdma/hca_shared_devices_a", "nics": {"vendor": "15b3", "interfaces": ["ens1f0"]}, "pods": 10}
    )
    classes = dict(described.node_classes)
    classes["plain"] = classes["plain"].model_copy(update={"shared_rdma": (shared,)})
    described = described.model_copy(update={"node_classes": classes})
    inventory = compile_inventory(described, {"control_plane": [], "worker": []}, "/k")
    (told,) = inventory.variables["rdma_shared_device_plugin_classes"]
    assert told["name"] == "plain"
    assert told["configuration"]["configList"] == [
        {
            "resourcePrefix": "rdma",
            "resourceName": "hca_shared_devices_a",
            "rdmaHcaMax": 10,
            "selectors": {"vendors": ["15b3"], "ifNames": ["ens1f0"]},
        }
    ]
    assert inventory.host_variables["w1"]["host_prepare_rdma"]["shared"] == [
        {"resource": "rdma/hca_shared_devices_a", "nics": {"vendor": "15b3", "interfaces": ["ens1f0"]}}
    ]
    assert inventory.host_variables["w2"]["host_prepare_rdma"]["shared"] == []
    awaited = {node["name"]: node["resources"] for node in inventory.variables["cluster_verify_nodes"]}
    assert awaited["w1"] == {"rdma/hca_shared_devices_a": 10}
    assert "rdma" in site_features(described)
    assert "kube-system/rdma-shared-device-plugin-plain" in daemon_sets(described)
