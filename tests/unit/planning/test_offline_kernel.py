"""Plans from the record for kernel arguments: what comes and goes, with drain, reboot and their consents."""

from __future__ import annotations

from typing import Any

import pytest

from gedge_provision.models.changes import Change
from gedge_provision.models.selection import Selection
from gedge_provision.models.site import Site
from gedge_provision.models.site_records import HostRecord, SiteRecord
from gedge_provision.planning.inventory import Inventory, compile_inventory
from gedge_provision.planning.offline import recorded_changes
from gedge_provision.planning.offline_kernel import BLACKLIST, GRUB_CFG, INTEL_ARGUMENTS, SETTINGS
from gedge_provision.planning.plans import disturbed_nodes
from plugins.module_utils import gpu_host, kernel_boot

NODES: tuple[dict[str, Any], ...] = (
    {"name": "m1", "address": "192.0.2.1", "roles": ["control_plane"]},
    {"name": "w1", "address": "192.0.2.2", "node_class": "ai"},
)
NEW: dict[str, Any] = {"name": "w2", "address": "192.0.2.3", "node_class": "ai"}
DPDK = {"name": "user", "nics": {"driver": "ice"}, "vfs": 2, "resource": "intel.com/vf", "device_type": "vfio-pci"}
INSTALL = (Change("file", "/etc/a", "create"), Change("image", "pause", "create"), Change("node", "w1", "join"))
KERNEL = Selection(concerns=("kernel",))


def site(*arguments: str, nodes: tuple[dict[str, Any], ...] = NODES, **more: Any) -> Site:
    ai = {"kernel_arguments": list(arguments)} | more.pop("ai", {})
    data = {"name": "edge", "node_classes": {"default": {}, "ai": ai}, "nodes": list(nodes)}
    return Site.model_validate(data | more)


def compiled(described: Site) -> Inventory:
    return compile_inventory(described, {"control_plane": [], "worker": []}, "/k")


def changed(
    before: Site, now: Site, *made: Change, facts: dict[str, Any] | None = None, only: Selection = KERNEL
) -> dict[str, list[Change]]:
    """Return what is planned where w1 has, beside what every node has, what is named."""
    first, *others = INSTALL
    record = SiteRecord(
        hosts={
            "m1": HostRecord(
                connection={}, control_plane=True, node_class="default", made=(Change("node", "m1", "init"),)
            ),
            "w1": HostRecord(
                connection={}, control_plane=False, node_class="ai", made=(first, *made, *others), facts=facts or {}
            ),
        },
        site=before,
    )
    return recorded_changes(record, now, compiled(before), compiled(now), only)


def planned(*arguments: Any, **more: Any) -> dict[str, list[str]]:
    return {host: [str(change) for change in found] for host, found in changed(*arguments, **more).items()}


def had(*arguments: str) -> list[Change]:
    """Return what a host got that has arguments from us."""
    return [*(Change("kernel_argument", one, "add") for one in arguments), Change("file", SETTINGS, "create")]


def told(settings: str, *arguments: str) -> list[str]:
    words = [f"{word} kernel_argument {one}" for word, _, one in (text.partition(" ") for text in arguments)]
    return [*words, f"{settings} file {SETTINGS}", f"change file {GRUB_CFG}", "reboot host w1"]


DRAIN = "drain node w1"


def test_arguments_come_with_drain_and_reboot_by_consent() -> None:
    found = changed(site(), site("nosmt", "a=1"))
    assert [str(change) for change in found["w1"]] == [DRAIN, *told("create", "add nosmt", "add a=1")]
    assert disturbed_nodes(site(), found) == {"w1": ("drain-ok", "reboot-ok")}
    now = site("nosmt", rollout={"drain": False})
    found = changed(site(rollout={"drain": False}), now)
    assert [str(change) for change in found["w1"]] == told("create", "add nosmt")
    assert disturbed_nodes(now, found) == {"w1": ("reboot-ok",)}


def test_arguments_change_and_go() -> None:
    before, ours = site("nosmt", "a=1"), had("nosmt", "a=1")
    assert planned(before, site("a=1", "b"), *ours) == {"w1": [DRAIN, *told("change", "remove nosmt", "add b")]}
    assert planned(before, site("a=1", "nosmt"), *ours) == {"w1": [DRAIN, *told("change")]}  # their order may matter
    assert planned(before, site(), *ours) == {"w1": [DRAIN, *told("remove", "remove nosmt", "remove a=1")]}
    assert planned(before, before, *ours) == {}


def test_arguments_that_the_host_s_owner_gives_are_his() -> None:
    assert planned(site("nosmt"), site()) == {}


def test_a_record_of_before_arguments_were_noted_knows_them_by_their_file() -> None:
    file = Change("file", SETTINGS, "create")
    assert planned(site("nosmt"), site(), file) == {"w1": [DRAIN, *told("remove", "remove nosmt")]}


def test_arguments_for_the_iommu_stay_and_go_with_their_policy() -> None:
    with_policy: dict[str, Any] = {"ai": {"sriov": [DPDK]}}
    ours = had("nosmt", *INTEL_ARGUMENTS)
    before = site("nosmt", **with_policy)
    assert planned(before, site("b", **with_policy), *ours)["w1"] == [
        DRAIN,
        *told("change", "remove nosmt", "add b"),
    ]
    assert planned(before, site("nosmt", "iommu=nopt", **with_policy), *ours)["w1"] == [
        DRAIN,
        *told("change", "remove iommu=pt", "add iommu=nopt"),
    ]
    gone = [f"remove {one}" for one in INTEL_ARGUMENTS]
    assert planned(before, site("nosmt"), *ours)["w1"] == [DRAIN, *told("change", *gone)]
    assert planned(site(), site(**with_policy)) == {}  # whether the host has an IOMMU that is off is not known


def test_kubelet_settings_change_after_the_reboot() -> None:
    found = planned(site(), site("nosmt", ai={"kubelet": {"max_pods": 60}}), only=Selection())["w1"]
    assert found[:2] == [DRAIN, "add kernel_argument nosmt"]
    assert found.index("reboot host w1") < found.index("restart unit kubelet.service")


def test_a_new_host_reboots_before_it_joins_and_is_not_drained() -> None:
    before = site("nosmt")
    now = site("nosmt", nodes=(*NODES, NEW))
    found = changed(before, now, *had("nosmt"), only=Selection(hosts=("w2",)))
    assert [str(change) for change in found["w2"]] == [
        "create file /etc/a",
        *(line.replace("w1", "w2") for line in told("create", "add nosmt")),
        "create image pause",
        "join node w2",
    ]
    assert disturbed_nodes(now, found) == {"w2": ("reboot-ok",)}
    # Its class has other arguments than the host that is like it.
    other = site("nosmt", nodes=(*NODES, NEW | {"node_class": "default"}))
    assert planned(before, other, *had("nosmt"), only=Selection(hosts=("w2",)))["w2"] == [
        "create file /etc/a",
        "create image pause",
        "join node w2",
    ]


@pytest.mark.parametrize("now", [site("nosmt"), site("nosmt", nodes=(*NODES, NEW))])
def test_containers_have_the_kernel_of_their_machine(now: Site) -> None:
    assert planned(site(), now, facts={"container": True}) == {}
    lab: dict[str, Any] = {"lab": {"subnet": "192.0.2.0/24", "emulated": {"w1": {}}}}
    found = planned(site(**lab), site("nosmt", nodes=tuple(node.model_dump(mode="json") for node in now.nodes), **lab))
    assert found == {"w1": [DRAIN, *told("create", "add nosmt")]}


def test_files_and_arguments_are_those_of_the_module() -> None:
    assert (SETTINGS, GRUB_CFG) == (kernel_boot.SETTINGS, kernel_boot.GRUB_CFG)
    assert INTEL_ARGUMENTS == kernel_boot.INTEL_ARGUMENTS


def test_what_a_host_got_against_nouveau_stays_with_the_operators_driver_and_goes_with_it() -> None:
    assert gpu_host.BLACKLIST == BLACKLIST
    gpus = {"ai": {"gpu": {}}}
    assert planned(site(), site(**gpus)) == {}  # only the host knows
    assert planned(site(**gpus), site("nosmt", **gpus), *had(BLACKLIST)) == {
        "w1": [DRAIN, *told("change", "add nosmt")]
    }
    own = {"ai": {"gpu": {"driver": "preinstalled"}}}
    for now in (site(), site(**own)):
        gone = [DRAIN, *told("remove", f"remove {BLACKLIST}")]
        assert planned(site(**gpus), now, *had(BLACKLIST)) == {"w1": gone}
