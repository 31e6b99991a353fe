"""What was set up goes without a trace, and comes again. Last by its name: it ends the cluster of this tier."""

from __future__ import annotations

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


def test_acceleration_goes_and_leaves_the_cluster_as_before(
    lab: EmulatedLab, plain_state: dict[str, list[str]]
) -> None:
    used(lab)
    lab.write(lab.without_acceleration())
    plan = lab.plan()
    assert planned(plan) == done(lab.apply())
    assert compare(plain_state, lab.snapshot()) == {}
    offered = lab.kubectl("api-resources", "-o", "name")
    assert not [kind for kind in ("network-attachment-definitions", "ippools") if kind in offered]
    for name in NODES:
        assert not lab.hosts[name].run("rdma link").strip()


def test_it_comes_again_and_a_reset_leaves_bare_hosts(lab: EmulatedLab, bare_state: dict[str, list[str]]) -> None:
    lab.write(lab.promised)
    lab.apply()
    assert lab.kubectl("get", "nodes", *NODES, "-o", "json").count(f'"{VF}": "8"') == 2 * len(NODES)
    used(lab)
    lab.gedge("reset", "--yes")
    assert compare(bare_state, lab.snapshot()) == {}


def test_a_node_put_back_goes_on_as_it_was(bare: EmulatedLab, bare_state: dict[str, list[str]]) -> None:
    host = bare.hosts[bare.saved]
    host.run(f"rm -f {bare.mark}; touch /etc/gedge-test-on-disk")
    bare.lab_verb("restore", bare.saved, "--name", "bare")
    host.run(f"test -e {bare.mark}")  # in memory
    assert changes(bare_state[bare.saved], bare.state_of(bare.saved)) == []
