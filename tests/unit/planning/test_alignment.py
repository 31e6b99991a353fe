"""What a kubelet admits: whole cores, and CPUs and devices of one NUMA node."""

from __future__ import annotations

import pytest

from gedge_provision.models.kubelet import KubeletSettings
from gedge_provision.planning.alignment import (
    ALIGNMENT,
    Alignment,
    NumaNode,
    Request,
    alignment_policy,
    read_alignment,
    refusals,
)

VF = "intel.com/intel_sriov_netdevice"
# Two sockets, two cores each, two threads a core; four virtual functions on each NUMA node; CPUs 0 and 1 are reserved.
EMULATED = Alignment(
    numa=(NumaNode(id=0, cpus="0-3", devices={VF: 4}), NumaNode(id=1, cpus="4-7", devices={VF: 4})),
    threads_per_core=2,
    full_cores=True,
    policy="single-numa-node",
    scope="pod",
    reserved="0-1",
)


@pytest.mark.parametrize(
    ("containers", "reason"),
    [
        ([Request(2, {VF: 1})], ""),
        ([Request(4, {VF: 4})], ""),
        ([Request(1)], "SMTAlignmentError"),
        ([Request(3, {VF: 1})], "SMTAlignmentError"),
        ([Request(2, {VF: 5})], "TopologyAffinityError"),
        ([Request(6, {VF: 1})], "TopologyAffinityError"),
        ([Request(2, {VF: 3}), Request(2, {VF: 3})], "TopologyAffinityError"),
        ([Request(2, {"nvidia.com/gpu": 1})], ""),
    ],
)
def test_what_an_empty_node_admits(containers: list[Request], reason: str) -> None:
    found = refusals(EMULATED, containers)
    assert len(found) == bool(reason)
    assert all(text.startswith(reason) for text in found)


def test_containers_may_be_on_different_nodes_when_they_are_aligned_one_by_one() -> None:
    each = EMULATED.model_copy(update={"scope": "container"})
    pair = [Request(2, {VF: 3}), Request(2, {VF: 3})]
    assert refusals(EMULATED, pair)
    assert refusals(each, pair) == ()


def test_the_message_says_what_each_numa_node_has() -> None:
    (text,) = refusals(EMULATED, [Request(4, {VF: 5})])
    assert f"node 0 has 2 CPUs of 4, 4 {VF} of 5" in text
    assert f"node 1 has 4 {VF} of 5" in text


@pytest.mark.parametrize(
    ("kubelet", "expected"),
    [
        ({}, {}),
        ({"cpu_manager_policy": "static", "kube_reserved": {"cpu": "500m"}}, {}),
        (
            {
                "cpu_manager_policy": "static",
                "kube_reserved": {"cpu": "1500m"},
                "topology_manager_policy": "single-numa-node",
            },
            {"full_cores": False, "policy": "single-numa-node", "scope": "container", "reserved": "0-1"},
        ),
        (
            {
                "cpu_manager_policy": "static",
                "reserved_system_cpus": "0,4",
                "cpu_manager_policy_options": {"full-pcpus-only": True},
            },
            {"full_cores": True, "policy": "best-effort", "scope": "container", "reserved": "0,4"},
        ),
    ],
)
def test_policy_of_a_class(kubelet: dict[str, object], expected: dict[str, object]) -> None:
    assert alignment_policy(KubeletSettings.model_validate(kubelet).to_kubelet()) == expected


def test_annotation() -> None:
    assert read_alignment({ALIGNMENT: EMULATED.model_dump_json()}) == EMULATED
    assert read_alignment({}) is None
    assert read_alignment({ALIGNMENT: "{}"}) is None
