"""Plans from the record know virtual functions and secondary networks. Pure."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from gedge_provision.models.changes import Change
from gedge_provision.models.selection import Selection
from gedge_provision.models.site import Role, Site
from gedge_provision.models.site_records import HostRecord, SiteRecord
from gedge_provision.planning.inventory import Inventory, compile_inventory
from gedge_provision.planning.offline import recorded_changes
from gedge_provision.planning.offline_networks import FILES, OBJECTS

ROLES = Path(__file__).parents[3] / "roles"
RESOURCE = "intel.com/intel_sriov_netdevice"
DATA = {"name": "data", "nics": {"vendor": "8086"}, "vfs": 4, "resource": RESOURCE}
FAST = {"name": "fast", "type": "sriov", "resource": RESOURCE, "ipam": {"type": "static"}}
RANGED = {
    "name": "ranged",
    "type": "macvlan",
    "master": "eth1",
    "ipam": {"type": "whereabouts", "range": "10.56.0.0/24"},
}
LEASED = RANGED | {"name": "leased", "ipam": {"type": "dhcp"}}
DHCP_UNIT = "gedge-cni-dhcp.service"
DHCP_FILE = f"/etc/systemd/system/{DHCP_UNIT}"
PROGRAM, UNIT, SETTINGS = "/usr/local/sbin/gedge-sriov", "gedge-sriov.service", "/etc/gedge/sriov.json"
UNIT_FILE, OFFERED = f"/etc/systemd/system/{UNIT}", "/etc/pcidp/config.json"
MULTUS_FILES = ["/etc/cni/net.d/00-multus.conf", "/etc/tmpfiles.d/gedge-cni.conf"]
SRIOV_FILES = [PROGRAM, SETTINGS, UNIT_FILE, OFFERED]


def site(*policies: dict[str, Any], attachments: tuple[dict[str, Any], ...] = (), **kubelet: Any) -> Site:
    return Site.model_validate(
        {
            "name": "edge",
            "networks": {"attachments": list(attachments)},
            "node_classes": {"default": {}, "ai": {"sriov": list(policies), "kubelet": kubelet}},
            "nodes": [
                {"name": "m1", "address": "192.0.2.1", "roles": ["control_plane"]},
                {"name": "w1", "address": "192.0.2.2", "node_class": "ai"},
            ],
        }
    )


def compiled(described: Site, **images: str) -> Inventory:
    artifacts: dict[Role, list[dict[str, Any]]] = {"control_plane": [], "worker": []}
    return compile_inventory(described, artifacts, "/k", images=images)


def planned(before: Site, now: Site, selection: Selection | None = None, **images: str) -> dict[str, list[str]]:
    """Return what is planned for w1, whose two cards have functions when the site had a policy."""
    cards = ("0000:41:00.0", "0000:81:00.0") if before.node_classes["ai"].sriov else ()
    made = (Change("node", "w1", "join"), *(Change("nic", f"{card} vfs=4", "set") for card in cards))
    record = SiteRecord(
        hosts={
            "m1": HostRecord(
                connection={}, control_plane=True, node_class="default", made=(Change("node", "m1", "init"),)
            ),
            "w1": HostRecord(connection={}, control_plane=False, node_class="ai", made=made),
        },
        site=before,
    )
    changes = recorded_changes(record, now, compiled(before), compiled(now, **images), selection or Selection())
    return {host: [str(change) for change in found] for host, found in changes.items()}


def files(action: str, *paths: str) -> list[str]:
    return [f"{action} file {path}" for path in paths]


def test_a_first_policy_makes_functions_and_brings_multus() -> None:
    found = planned(site(), site(DATA))
    assert found["w1"] == [
        "set nic policy data",
        *files("create", *SRIOV_FILES),
        f"enable unit {UNIT}",
        *files("create", *MULTUS_FILES),
    ]
    wanted = [f"create {name}" for name in OBJECTS["multus"]]
    wanted += [f"create {kind} kube-system/{name}" for kind, name in (
        ("DaemonSet", "kube-sriov-device-plugin"), ("ServiceAccount", "sriov-device-plugin"))]  # fmt: skip
    wanted += ["create label w1 gedge.dev/sriov-device-plugin=site", "change annotation w1 gedge.dev/alignment"]
    assert [line for line in found["m1"] if line not in files("create", *MULTUS_FILES)] == wanted


POLICIES: dict[str, tuple[list[dict[str, Any]], list[str]]] = {
    "number": (
        [DATA | {"vfs": 6}],
        ["set nic 0000:41:00.0 vfs=6", "set nic 0000:81:00.0 vfs=6", *files("change", SETTINGS)],
    ),
    "MTU": (
        [DATA | {"mtu": 1600}],
        ["set nic 0000:41:00.0 mtu=1600", "set nic 0000:81:00.0 mtu=1600", *files("change", SETTINGS)],
    ),
    "trust": (
        [DATA | {"trust": True}],
        [f"set nic {card} vf {number} trust=on" for card in ("0000:41:00.0", "0000:81:00.0") for number in range(4)]
        + files("change", SETTINGS),
    ),
    "resource": ([DATA | {"resource": "intel.com/other"}], files("change", OFFERED)),
    "cards": ([DATA | {"nics": {"driver": "igb"}}], ["set nic policy data", *files("change", SETTINGS, OFFERED)]),
    "another": (
        [DATA, DATA | {"name": "more", "nics": {"driver": "ice"}}],
        ["set nic policy more", *files("change", SETTINGS, OFFERED)],
    ),
    "none": (
        [],
        [
            "restore nic 0000:41:00.0",
            "restore nic 0000:81:00.0",
            *files("remove", PROGRAM, SETTINGS, UNIT_FILE, OFFERED),
        ],
    ),
}


@pytest.mark.parametrize("case", POLICIES)
def test_another_policy_changes_the_cards_that_are_remembered(case: str) -> None:
    policies, wanted = POLICIES[case]
    only = Selection(concerns=("sriov",))
    assert planned(site(DATA), site(*policies), only).get("w1", []) == wanted


def test_one_of_two_policies_that_goes_is_named() -> None:
    more = DATA | {"name": "more", "nics": {"driver": "ice"}, "vfs": 2}
    found = planned(site(DATA, more), site(DATA), Selection(concerns=("sriov",)))
    assert found["w1"] == ["restore nic policy more", *files("change", SETTINGS, OFFERED)]


def test_the_same_policy_changes_nothing() -> None:
    assert planned(site(DATA, attachments=(FAST,)), site(DATA, attachments=(FAST,))) == {}


def test_attachments_come_change_and_go() -> None:
    only = Selection(concerns=("attachments",))
    both = (FAST, RANGED | {"namespace": "apps"})
    found = planned(site(DATA), site(DATA, attachments=both), only)
    assert found["w1"] == files("create", *FILES["whereabouts"])
    assert found["m1"][:-2] == [
        *(f"create {name}" for name in OBJECTS["whereabouts"]),
        "create Namespace apps",
        "create NetworkAttachmentDefinition apps/ranged",
        "create NetworkAttachmentDefinition default/fast",
    ]
    changed = planned(site(DATA, attachments=(FAST,)), site(DATA, attachments=(FAST | {"vlan": 7},)), only)
    assert changed == {"m1": ["change NetworkAttachmentDefinition default/fast"]}
    gone = planned(site(DATA, attachments=(FAST,)), site(DATA), only)
    assert gone == {"m1": ["remove NetworkAttachmentDefinition default/fast"]}


def test_the_dhcp_daemon_comes_and_goes_with_its_attachments() -> None:
    only = Selection(concerns=("attachments",))
    more = LEASED | {"name": "more"}
    found = planned(site(DATA), site(DATA, attachments=(LEASED,)), only)
    assert found["w1"] == [*files("create", DHCP_FILE), f"enable unit {DHCP_UNIT}", f"start unit {DHCP_UNIT}"]
    assert "w1" not in planned(site(DATA, attachments=(LEASED,)), site(DATA, attachments=(LEASED, more)), only)
    found = planned(site(DATA, attachments=(LEASED,)), site(DATA), only)
    assert found["w1"] == [f"disable unit {DHCP_UNIT}", *files("remove", DHCP_FILE)]


def test_the_last_attachment_takes_multus_with_it() -> None:
    found = planned(site(attachments=(RANGED,)), site(), Selection(concerns=("attachments",)))
    paths = files("remove", *FILES["multus"], *FILES["whereabouts"])
    assert found["w1"] == paths
    wanted = [f"remove {name}" for part in OBJECTS.values() for name in part if not name.startswith("Network")]
    assert found["m1"] == [*wanted, *paths]


def test_other_images_change_the_daemons() -> None:
    same = site(DATA, attachments=(RANGED,))
    names = {"multus": "m:2", "whereabouts-control-loop": "w:2", "sriov-network-device-plugin": "s:2"}
    assert planned(same, same, **names) == {
        "m1": [
            "change DaemonSet kube-system/kube-multus-ds",
            "change DaemonSet kube-system/whereabouts",
            "change DaemonSet kube-system/kube-sriov-device-plugin",
        ]
    }


def test_the_note_of_how_a_node_aligns_changes_with_its_functions() -> None:
    strict = {
        "cpu_manager_policy": "static",
        "reserved_system_cpus": "0",
        "topology_manager_policy": "single-numa-node",
    }
    only = Selection(concerns=("nodes",))
    found = planned(site(DATA, **strict), site(DATA | {"vfs": 6}, **strict), only)
    assert found == {"m1": ["change annotation w1 gedge.dev/alignment"]}
    assert planned(site(DATA), site(DATA, **strict), only) == {"m1": ["change annotation w1 gedge.dev/alignment"]}


@pytest.mark.parametrize("role", OBJECTS)
def test_the_objects_are_those_of_the_role(role: str) -> None:
    text = (ROLES / role / "templates" / f"{role}.yml.j2").read_text(encoding="utf-8")
    text = re.sub(r"{{ crd\('(\w+)', '(\w+)', .*", r"---\nkind: CustomResourceDefinition\n  name: \1.x", text)
    kinds = re.findall(r"^kind: (\w+)$", re.sub(r"{% macro.*?{% endmacro %}", "", text, flags=re.DOTALL), re.MULTILINE)
    assert sorted(kinds) == sorted(name.split()[0] for name in OBJECTS[role])
    for name in OBJECTS[role]:
        short = name.rpartition("/")[2].split()[-1]
        assert short.partition(".")[0].replace("cbr0", "multus_cluster_network") in text
