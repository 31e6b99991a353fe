"""Where CPUs, memory and devices of pods are, and what of it is misaligned."""

from __future__ import annotations

from typing import Any

import pytest
from pod_looks import GIB, ONE, OTHER, STRICT, ZERO, container, device, looked, memory, said


def test_what_lies_together_gets_no_remark() -> None:
    found = looked(
        ("b", [container(cpus="2,3", devices=[device(0)], memory=[memory(0)])]),
        ("a", [container(), container("side", devices=[device(1)])]),
        kubelet={"topologyManagerPolicy": "single-numa-node", "memoryManagerPolicy": "Static", **STRICT},
    )
    assert found.remarks == ()
    assert not found.wrong
    assert [(one.pod, one.container, sorted(one.cpus), one.numa_nodes) for one in found.containers] == [
        ("a", "side", [], ()),
        ("b", "main", [2, 3], (0,)),
    ]
    assert (found.reserved, found.shared) == ({0, 1, 4, 5}, {6, 7})
    assert found.policies.cpu_options == ("full-pcpus-only", "strict-cpu-reservation")


def test_containers_that_own_nothing_are_listed_when_asked_for() -> None:
    pods = [("a", [container(), container("side")])]
    assert looked(*pods).containers == ()
    assert [one.container for one in looked(*pods, everything=True).containers] == ["main", "side"]


@pytest.mark.parametrize(
    ("policy", "severity"),
    [("none", "note"), ("best-effort", "note"), ("restricted", "error"), ("single-numa-node", "error")],
)
@pytest.mark.parametrize(
    ("owned", "kind", "message"),
    [
        (
            container(cpus="2,3", devices=[device(1)]),
            "devices-apart",
            "its CPUs 2-3 are on NUMA node 0, but it has intel.com/vf (id) on NUMA node 1",
        ),
        (
            container(cpus="2,3", memory=[memory(1)]),
            "memory-apart",
            "its CPUs 2-3 are on NUMA node 0, but it has memory of 1024 MiB on NUMA node 1",
        ),
        (
            container(cpus="", devices=[device(0), device(1)]),
            "devices-apart",
            "it has intel.com/vf (id) on NUMA node 0, intel.com/vf (id) on NUMA node 1",
        ),
    ],
)
def test_what_one_node_could_hold_and_lies_apart(
    policy: str, severity: str, owned: dict[str, Any], kind: str, message: str
) -> None:
    kubelet = {"topologyManagerPolicy": policy, "memoryManagerPolicy": "Static"}
    found = looked(("a", [owned]), kubelet=kubelet)
    assert said(found) == [(severity, kind, "ns/a", "main")]
    assert found.remarks[0].message == message
    assert found.wrong == (severity == "error")


def test_cpus_that_one_node_could_hold() -> None:
    found = looked(("a", [container(cpus="3,6")]), kubelet={"topologyManagerPolicy": "restricted"})
    assert ("error", "cpus-spread", "ns/a", "main") in said(found)
    message = next(one.message for one in found.remarks if one.kind == "cpus-spread")
    assert message == "its CPUs 3,6 are on NUMA nodes 0 and 1, though one NUMA node could hold 2"


@pytest.mark.parametrize(("policy", "expected"), [("restricted", []), ("single-numa-node", ["cpus-spread"])])
def test_cpus_that_no_node_could_hold(policy: str, expected: list[str]) -> None:
    found = looked(("a", [container(cpus="2,3,6,7")]), kubelet={"topologyManagerPolicy": policy})
    assert [one.kind for one in found.remarks] == expected


def test_more_than_one_node_has_is_allowed_by_restricted() -> None:
    three = [device(0, ids=["a", "b"]), device(1, ids=["c"])]
    found = looked(
        ("a", [container(cpus="2,3", devices=three)]),
        ("b", [container(cpus="6,7", memory=[memory(0, 1, size=3 * GIB)])]),
        kubelet={"topologyManagerPolicy": "restricted", "memoryManagerPolicy": "Static"},
    )
    assert said(found) == [("note", "devices-apart", "ns/a", "main"), ("note", "memory-apart", "ns/b", "main")]
    assert not found.wrong


def test_what_fits_is_judged_by_the_cpus_and_devices_that_pods_may_have() -> None:
    def allocatable(cpus: str) -> dict[str, Any]:
        return {"cpus": cpus, "devices": [device(1, resource=OTHER), device(resource="soft")]}

    pod = ("a", [container(cpus="2,3", devices=[device(1, resource=OTHER), device(resource="soft")])])
    kubelet = {"topologyManagerPolicy": "restricted"}
    for cpus, severity in (("2-3,6-7", "error"), ("2-3,7", "note")):
        found = looked(pod, kubelet=kubelet, room=allocatable(cpus))
        assert said(found) == [(severity, "devices-apart", "ns/a", "main")]


def test_huge_pages_count_as_memory_of_their_kind() -> None:
    pages = memory(1, kind="hugepages-1Gi")
    found = looked(
        ("a", [container(cpus="2,3", memory=[memory(0), pages])]),
        kubelet={"topologyManagerPolicy": "restricted", "memoryManagerPolicy": "Static"},
    )
    assert [one.kind for one in found.remarks] == ["memory-apart"]
    assert "hugepages-1Gi of 1024 MiB on NUMA node 1" in found.remarks[0].message


def test_a_device_near_several_nodes_is_near_each() -> None:
    assert looked(("a", [container(cpus="2,3", devices=[device(0, 1), device()])])).remarks == ()


@pytest.mark.parametrize(
    ("scope", "policy", "expected"),
    [
        ("container", "single-numa-node", []),
        ("pod", "single-numa-node", [("error", "cpus-spread", "ns/a", ""), ("error", "devices-apart", "ns/b", "")]),
        ("pod", "none", []),
    ],
)
def test_the_scope_tells_what_lies_together(scope: str, policy: str, expected: list[tuple[str, ...]]) -> None:
    found = looked(
        ("a", [container("one", cpus="2"), container("two", cpus="6")]),
        ("b", [container("one", cpus="3"), container("two", devices=[device(1)])]),
        kubelet={"topologyManagerScope": scope, "topologyManagerPolicy": policy},
    )
    assert [one for one in said(found) if one[1] != "half-core"] == expected


def test_the_kernel_knows_the_place_of_a_device_that_the_plugin_does_not() -> None:
    found = looked(("a", [container(cpus="6,7", devices=[device(ids=[ZERO, ONE, "soft"], resource=OTHER)])]))
    assert [(held.ids, held.numa_nodes) for held in found.containers[0].devices] == [
        (("soft",), ()),
        ((ZERO,), (0,)),
        ((ONE,), (1,)),
    ]
    assert "example.com/other (0000:01:00.0) on NUMA node 0" in found.remarks[0].message


def test_half_a_core_is_noted_with_who_has_the_other_half() -> None:
    found = looked(
        ("a", [container(cpus="2")]), ("b", [container(cpus="3")]), ("c", [container(cpus="6")]), allocatable="2-3,5-7"
    )
    assert said(found) == [("note", "half-core", f"ns/{name}", "main") for name in "abc"]
    assert found.remarks[0].message.endswith("3 owned by ns/b")
    assert found.remarks[2].message.endswith("7 shared")


def test_half_a_core_is_an_error_where_whole_ones_are_promised() -> None:
    found = looked(("a", [container(cpus="5")]), kubelet=STRICT, allocatable="5-7")
    assert said(found) == [("error", "half-core", "ns/a", "main")]
    assert "4 the system's, against full-pcpus-only" in found.remarks[0].message


def test_a_core_that_two_containers_of_a_pod_share_is_theirs() -> None:
    assert looked(("a", [container("one", cpus="2"), container("two", cpus="3")])).remarks == ()


@pytest.mark.parametrize("kubelet", [{}, {"reservedSystemCPUs": "2-3"}])
def test_reserved_cpus_that_a_pod_owns(kubelet: dict[str, str]) -> None:
    found = looked(("a", [container(cpus="2,3" if kubelet else "0,1")]), kubelet=kubelet)
    assert said(found) == [("error", "reserved", "ns/a", "main")]


def test_owned_cpus_that_are_not_online() -> None:
    found = looked(
        ("a", [container(cpus="8,9")]), cpu_state={"policy": "static", "entries": {"uid-a": {"main": "8-9"}}}
    )
    assert said(found) == [("error", "offline", "ns/a", "main")]


def test_all_cpus_owned_and_none_left_to_share() -> None:
    owner, sharer = ("a", [container(cpus="2,3"), container("two", cpus="6,7")]), ("b", [container()])
    found = looked(owner, sharer, kubelet=STRICT)
    assert said(found) == [("error", "shared", "", "")]
    assert "1 container without own CPUs run on owned and reserved ones alike" in found.remarks[0].message
    assert looked(owner, kubelet=STRICT).remarks == ()
    assert looked(owner, sharer).shared == {0, 1, 4, 5}
    assert looked(owner, sharer).remarks == ()


def test_nodes_where_nobody_can_own_cpus_share_all() -> None:
    found = looked(("a", [container()]), kubelet={"cpuManagerPolicy": "none"}, allocatable="")
    assert (found.reserved, found.shared, found.containers, found.remarks) == (set(), set(range(8)), (), ())


def test_an_init_container_is_listed_with_what_it_did_not_pass_on() -> None:
    def state(init: str) -> dict[str, Any]:
        return {"policy": "static", "shared": "0-1", "entries": {"uid-a": {"main": "2-3", "first": init}}}

    passed_on = looked(("a", [container(cpus="2,3")]), cpu_state=state("2-3"))
    assert [one.container for one in passed_on.containers] == ["main"]
    kept = looked(("a", [container(cpus="2,3")]), cpu_state=state("2-3,6"))
    assert [(one.container, one.init, one.numa_nodes) for one in kept.containers] == [
        ("first", True, (0, 1)),
        ("main", False, (0,)),
    ]
    assert kept.remarks == ()
