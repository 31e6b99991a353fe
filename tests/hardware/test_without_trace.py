"""What was set up goes without a trace, and comes again. Last by its name: it ends the cluster of this tier."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from lab_cluster import changes, done, planned
from pods import VF, Pod, create, ready, remove

if TYPE_CHECKING:
    from conftest import EmulatedLab

pytestmark = pytest.mark.hardware

NODES = ("gedgew01", "gedgew02")


def compare(before: dict[str, list[str]], after: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return what differs, by host."""
    found = {name: changes(before[name], after[name]) for name in before}
    return {name: lines for name, lines in found.items() if lines}


def used(lab: EmulatedLab) -> None:
    """Have pods use functions and addresses, and end."""
    pods = [
        Pod(f"user-{node}", node, [{"name": "sriov-range"}, {"name": "macvlan-range"}], vfs=1).manifest()
        for node in NODES
    ]
    create(lab, *pods)
    ready(lab, *(pod["metadata"]["name"] for pod in pods))
    remove(lab)


_DEVICES = ("pci ", "link ", "module ")
# Of the cluster without acceleration nothing has such a name.
_OURS = re.compile(r"multus|sriov|whereabouts|rdma|pcidp|net\.d/00-")


@pytest.mark.long
def test_acceleration_goes_without_a_trace(lab: EmulatedLab, bare_state: dict[str, list[str]]) -> None:
    used(lab)
    lab.write(lab.without_acceleration())
    plan = lab.plan()
    assert planned(plan) == done(lab.apply())
    after = lab.snapshot()
    for name in NODES:
        assert [line for line in after[name] if line.startswith(_DEVICES)] == [
            line for line in bare_state[name] if line.startswith(_DEVICES)
        ]
        assert [line for line in after[name] if _OURS.search(line) and line not in bare_state[name]] == []
    assert lab.gedge("drift").stdout.startswith("no drift")
    offered = lab.kubectl("api-resources", "-o", "name")
    assert not [kind for kind in ("network-attachment-definitions", "ippools") if kind in offered]


@pytest.mark.long
def test_acceleration_comes_again(lab: EmulatedLab) -> None:
    lab.write(lab.promised)
    plan = lab.plan()
    assert any(kind == "nic" for changes in planned(plan).values() for _, kind, _ in changes)
    assert planned(plan) == done(lab.apply())
    assert lab.apply()["changed"] == {}
    assert lab.kubectl("get", "nodes", *NODES, "-o", "json").count(f'"{VF}": "8"') == 2 * len(NODES)


def test_a_reset_leaves_bare_hosts(lab: EmulatedLab, bare_state: dict[str, list[str]]) -> None:
    used(lab)
    lab.gedge("reset", "--yes")
    assert compare(bare_state, lab.snapshot()) == {}


@pytest.mark.long
def test_a_node_put_back_goes_on_as_it_was(bare: EmulatedLab) -> None:
    name, in_memory = "gedgew02", "/run/gedge-test-saved"
    host = bare.hosts[name]
    host.run(f"touch {in_memory}")
    saved = bare.state_of(name)
    bare.lab_verb("snapshot", name, "--name", "bare")
    host.run(f"rm {in_memory}; touch /etc/gedge-test-on-disk")
    bare.lab_verb("restore", name, "--name", "bare")
    host.run(f"test -e {in_memory}")
    assert changes(saved, bare.state_of(name)) == []
