"""Plans from the record: what differs in the site file stands for what an apply would change. Pure."""

from __future__ import annotations

from typing import Any

import pytest

from gedge_provision.models.changes import Change
from gedge_provision.models.selection import Selection
from gedge_provision.models.site import Role, Site
from gedge_provision.models.site_records import HostRecord, SiteRecord
from gedge_provision.planning.inventory import Inventory, compile_inventory
from gedge_provision.planning.offline import recorded_changes

PATCH = "/etc/kubernetes/patches/kubeletconfiguration0+merge.yaml"
INSTALL = (Change("file", "/etc/a", "create"), Change("binary", "kubelet", "create"), Change("node", "w1", "join"))
ARTIFACTS: dict[Role, list[dict[str, Any]]] = {
    "control_plane": [{"name": "kubelet", "kind": "binary", "sha256": "1", "target": "/k"}],
    "worker": [{"name": "kubelet", "kind": "binary", "sha256": "1", "target": "/k"}],
}


def site(**more: Any) -> Site:
    data = {
        "name": "edge",
        "node_classes": {"default": {}, "ai": {"kubelet": {"max_pods": 50}}},
        "nodes": [
            {"name": "m1", "address": "192.0.2.1", "roles": ["control_plane"]},
            {"name": "w1", "address": "192.0.2.2", "node_class": "ai"},
        ],
    }
    return Site.model_validate(data | more)


def compiled(described: Site, *, flannel: str = "f:1", **more: Any) -> Inventory:
    return compile_inventory(described, more.pop("artifacts", ARTIFACTS), "/k", images={"flannel": flannel}, **more)


RECORD = SiteRecord(
    hosts={
        "m1": HostRecord(connection={}, control_plane=True, node_class="default", made=(Change("node", "m1", "init"),)),
        "w1": HostRecord(connection={}, control_plane=False, node_class="ai", made=INSTALL),
    },
    site=site(),
)


def found(now: Site, inventory: Inventory | None = None, selection: Selection | None = None) -> dict[str, list[str]]:
    new = inventory or compiled(now)
    changes = recorded_changes(RECORD, now, compiled(site()), new, selection or Selection())
    return {host: [str(change) for change in made] for host, made in changes.items()}


def restart(setting: str, *resets: str) -> list[str]:
    states = [f"reset file /var/lib/kubelet/{name}_manager_state" for name in resets]
    return [f"change file {PATCH}", f"change setting {setting}", *states, "restart unit kubelet.service"]


CASES: dict[str, tuple[dict[str, Any], dict[str, list[str]]]] = {
    "nothing": ({}, {}),
    "kubelet": (
        {"node_classes": {"default": {}, "ai": {"kubelet": {"max_pods": 60}}}},
        {"w1": restart("maxPods from 50 to 60 (restart)")},
    ),
    "kubelet that turns pods away": (
        {"node_classes": {"default": {}, "ai": {"kubelet": {"max_pods": 40}}}},
        {"w1": ["drain node w1", *restart("maxPods from 50 to 40 (drain)")]},
    ),
    "kubelet without drain": (
        {"node_classes": {"default": {}, "ai": {"kubelet": {"max_pods": 40}}}, "rollout": {"drain": False}},
        {"w1": restart("maxPods from 50 to 40 (under pods)")},
    ),
    "kubelet that begins a new state": (
        {"node_classes": {"default": {}, "ai": {"kubelet": {"max_pods": 50, "topology_manager_policy": "none",
            "memory_manager_policy": "Static", "reserved_memory": [{"numa_node": 0, "memory": "100Mi"}]}}}},
        {"w1": ["drain node w1", f"change file {PATCH}",
            "change setting memoryManagerPolicy from unset to Static (drain, new state of the memory manager)",
            'change setting reservedMemory from unset to [{"numaNode":0,"limits":{"memory":"100Mi"}}] (drain)',
            "change setting topologyManagerPolicy from best-effort to none (drain)",
            "reset file /var/lib/kubelet/memory_manager_state", "restart unit kubelet.service"],
         "m1": ["change annotation w1 gedge.dev/alignment"]},
    ),
    "label and taint": (
        {"node_classes": {"default": {"labels": {"a": "b"}}, "ai": {"kubelet": {"max_pods": 50}, "taints": [
            {"key": "x", "effect": "NoSchedule"}]}}},
        {"m1": ["create label m1 a=b", "create taint w1 x:NoSchedule"]},
    ),
    "flannel's port": (
        {"networks": {"flannel": {"port": 8473}}},
        {"m1": ["change ConfigMap kube-flannel/kube-flannel-cfg", "change DaemonSet kube-flannel/kube-flannel"]},
    ),
    "mirror": (
        {"registry_mirrors": {"docker.io": ["https://m.test"]}},
        {host: ["create file /etc/containerd/certs.d/docker.io/hosts.toml", "restart unit containerd.service"]
         for host in ("m1", "w1")},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_difference_in_the_site_file(case: str) -> None:
    change, expected = CASES[case]
    assert found(site(**change)) == expected


def test_another_image_of_flannel_and_another_program() -> None:
    assert found(site(), compiled(site(), flannel="f:2")) == {"m1": ["change DaemonSet kube-flannel/kube-flannel"]}
    other = ARTIFACTS | {"worker": [{"name": "kubelet", "kind": "binary", "sha256": "2", "target": "/k"}]}
    assert found(site(), compiled(site(), artifacts=other)) == {"w1": ["change binary kubelet"]}


def test_a_new_host_gets_what_one_of_its_kind_got() -> None:
    nodes = [node.model_dump(mode="json") for node in site().nodes]
    now = site(nodes=[*nodes, {"name": "w2", "address": "192.0.2.3", "node_class": "ai"}])
    assert found(now) == {
        "w2": ["create file /etc/a", "create binary kubelet", "join node w2"],
        "m1": ["create label w2 gedge.dev/node-class=ai", "create annotation w2 gedge.dev/alignment"],
    }
    assert found(now, selection=Selection(concerns=("cluster",))) == {"w2": ["join node w2"]}
    assert found(now, selection=Selection(hosts=("m1",))) == {
        "m1": ["create label w2 gedge.dev/node-class=ai", "create annotation w2 gedge.dev/alignment"]
    }


def test_a_host_that_left_the_site_file() -> None:
    now = site(nodes=[node.model_dump(mode="json") for node in site().nodes[:1]])
    inventory = compiled(now, leaving={"w1": {}})
    assert found(now, inventory) == {"w1": ["drain node w1", "leave node w1", "forget node w1"]}


def test_a_new_host_gets_it_in_the_order_of_an_install() -> None:
    """The one of its kind got its images before the kubelet, by a run that resumed another, and Multus later on."""
    made = (
        Change("image", "pause", "create"),
        Change("file", "/etc/systemd/system/kubelet.service", "create"),
        Change("node", "w1", "join"),
        Change("file", "/etc/cni/net.d/10-flannel.conflist", "create"),
        Change("cni_plugin", "macvlan", "create"),
        Change("image", "multus", "create"),
        Change("nic", "policy data", "set"),
    )
    w1 = RECORD.hosts["w1"].model_copy(update={"made": made})
    record = RECORD.model_copy(update={"hosts": RECORD.hosts | {"w1": w1}})
    nodes = [node.model_dump(mode="json") for node in site().nodes]
    now = site(nodes=[*nodes, {"name": "w2", "address": "192.0.2.3", "node_class": "ai"}])
    changes = recorded_changes(record, now, compiled(site()), compiled(now), Selection(hosts=("w2",)))
    assert [str(change) for change in changes["w2"]] == [
        "create file /etc/systemd/system/kubelet.service",
        "create cni_plugin macvlan",
        "set nic policy data",
        "create image pause",
        "create image multus",
        "join node w2",
        "create file /etc/cni/net.d/10-flannel.conflist",
    ]
