"""What the cards of an emulated host cannot do is said before anything is changed, all of a host's cards at once.

First by its name: of bare hosts there is less to look at, and what a run has touched is seen by every line of them.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from lab_cluster import changes

if TYPE_CHECKING:
    from conftest import EmulatedLab

pytestmark = pytest.mark.hardware

NODE = "gedgew01"
FIRST, SECOND = "0000:41:00.0 (enp65s0)", "0000:81:00.0 (enp129s0)"


def policy(name: str, nics: dict[str, Any], vfs: int = 2, **more: object) -> dict[str, Any]:
    return {"name": name, "nics": nics, "vfs": vfs, "resource": f"example.com/{name}", **more}


def with_policies(site: dict[str, Any], *policies: dict[str, Any]) -> dict[str, Any]:
    changed = copy.deepcopy(site)
    changed["node_classes"]["emulated-1"]["sriov"] = list(policies)
    changed["networks"]["attachments"] = []
    return changed


def with_lost(site: dict[str, Any]) -> dict[str, Any]:
    changed = copy.deepcopy(site)
    lost = {"name": "lost", "type": "macvlan", "master": "enp99s0", "ipam": {"type": "none"}}
    changed["networks"]["attachments"].append(lost | {"node_classes": ["emulated-1"]})
    return changed


@pytest.fixture
def _site(bare: EmulatedLab) -> Iterator[None]:
    yield
    bare.hosts[NODE].run(
        f"ip address del {bare.hosts[NODE].address}/32 dev enp65s0; rmdir /etc/sriov-operator", check=False
    )
    bare.write(bare.promised)


@pytest.mark.usefixtures("_site")
def test_every_problem_of_a_host_is_told_and_nothing_is_touched(
    bare: EmulatedLab, bare_state: dict[str, list[str]]
) -> None:
    host = bare.hosts[NODE]
    host.run(f"ip address add {host.address}/32 dev enp65s0; mkdir /etc/sriov-operator")
    bare.write(
        with_policies(
            bare.promised,
            policy("absent", {"vendor": "8086", "device": "1592"}),
            policy("elsewhere", {"numa_nodes": [3]}),
            policy("plain", {"interfaces": ["enp0s3"]}),
            policy("management", {"interfaces": ["enp65s0"]}),
            policy("many", {"addresses": ["0000:81:00.0"]}, vfs=8),
            policy("second", {"numa_nodes": [1]}),
        )
    )
    refused = bare.gedge("apply", code=1)
    said = " ".join(refused.stderr.split())
    for words in (
        "policy absent selects no card (device 1592, vendor 8086)",
        "cards with SR-IOV here: 0000:41:00.0 enp65s0 8086:10c9 igb, NUMA node 0, up to 7",
        "policy elsewhere selects no card (numa_nodes 3)",
        "policy plain selects enp0s3, which has no SR-IOV",
        f"policy management selects {FIRST}, which carries the node's own address",
        f"policy many asks for 8 virtual functions, {SECOND} has at most 7",
        f"policies many and second both select {SECOND}",
        "/etc/sriov-operator shows that the SR-IOV network operator configures the cards",
    ):
        assert words in said, said
    assert NODE in said
    bare.write(with_policies(bare.promised, policy("user", {"numa_nodes": [1]}, mtu=9900, device_type="vfio-pci")))
    refused = bare.gedge("plan", code=1)
    said = " ".join(refused.stderr.split())
    assert f"policy user asks for MTU 9900, {SECOND} takes up to 9216" in said, said
    assert f"policy user gives functions to vfio-pci, and {SECOND} has no IOMMU" in said, said
    bare.write(with_lost(bare.promised))
    refused = bare.gedge("plan", code=1)
    said = " ".join(refused.stderr.split())
    assert "attachment default/lost needs the interface enp99s0" in said, said
    host.run(f"ip address del {host.address}/32 dev enp65s0; rmdir /etc/sriov-operator")
    assert changes(bare_state[NODE], bare.state_of(NODE)) == []
