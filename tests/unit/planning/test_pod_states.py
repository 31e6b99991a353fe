"""What the state files of a kubelet say of pods, beside what the kubelet says."""

from __future__ import annotations

from typing import Any

import pytest
from pod_looks import STRICT, container, looked, memory, said


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (None, "is missing"),
        ({"readable": False}, "is not what a kubelet writes"),
        ({"entries": {"uid-a": {"main": "6-7"}}}, "says that it owns CPUs 2-3, and"),
        ({"entries": {}}, "says nothing"),
        ({"entries": {"uid-old": {"main": "6-7"}}}, "says CPUs 6-7"),
    ],
)
def test_a_state_that_says_something_else(state: dict[str, Any] | None, expected: str) -> None:
    names = {"uid-a": "ns/a", "uid-old": "ns/a"}
    whole = state and {"policy": "static", "shared": "0-1", **state}
    found = looked(("a", [container(cpus="2,3")]), cpu_state=whole, pod_names=names)
    about = ("ns/a", "main") if state and "entries" in state else ("", "")
    assert said(found) == [("error", "state-differs", *about)]
    assert any(expected in one.message for one in found.remarks)


def test_memory_that_the_state_does_not_know() -> None:
    found = looked(
        ("a", [container(cpus="2,3", memory=[memory(0)])]),
        kubelet={"memoryManagerPolicy": "Static"},
        memory_state={"policy": "Static", "entries": {}},
    )
    assert said(found) == [("error", "state-differs", "ns/a", "main")]
    assert "memory of 1024 MiB on 0" in found.remarks[0].message


def test_a_pod_that_was_made_anew_under_its_name_may_have_two_entries() -> None:
    state = {"policy": "static", "shared": "0-1", "entries": {"uid-old": {"main": "6-7"}, "uid-a": {"main": "2-3"}}}
    names = {"uid-a": "ns/a", "uid-old": "ns/a"}
    assert looked(("a", [container(cpus="2,3")]), cpu_state=state, pod_names=names).remarks == ()


def test_cpus_kept_for_a_pod_that_has_gone_are_noted() -> None:
    state = {"policy": "static", "shared": "0-1", "entries": {"uid-x": {"main": "6-7"}, "uid-y": {"main": "2-3"}}}
    found = looked(cpu_state=state, pod_names={"uid-x": "ns/x"})
    assert said(found) == [("note", "gone", "ns/x", ""), ("note", "gone", "uid-y", "")]
    assert found.remarks[0].message.startswith("CPUs 6-7 kept for it")


@pytest.mark.parametrize(
    ("kubelet", "state"),
    [({"cpuManagerPolicy": "none"}, "cpu_state"), ({"memoryManagerPolicy": "Static"}, "memory_state")],
)
def test_a_state_of_another_policy_is_told_before_the_kubelet_starts_again(kubelet: dict[str, str], state: str) -> None:
    found = looked(
        kubelet=kubelet, **{state: {"policy": "static" if state == "cpu_state" else "None", "shared": "0-7"}}
    )
    assert said(found) == [("error", "policy-differs", "", "")]
    assert "will not start again" in found.remarks[0].message


def test_a_state_that_nobody_keeps_may_be_missing() -> None:
    found = looked(kubelet={"cpuManagerPolicy": "none"}, allocatable="", cpu_state=None, memory_state=None)
    assert found.remarks == ()


def test_pods_are_not_compared_where_their_uids_are_not_known() -> None:
    state = {"policy": "static", "shared": "0-1", "entries": {"uid-new": {"main": "6-7"}}}
    pod = ("a", [container(cpus="2,3")])
    assert looked(pod, cpu_state=state, pod_names={}).remarks == ()
    assert said(looked(pod, cpu_state=state, pod_names={"uid-b": "ns/b"})) == [("note", "gone", "uid-new", "")]


def test_cpus_that_are_shared_are_told_without_a_state() -> None:
    pods = ("a", [container(cpus="2,3")]), ("b", [container()])
    assert looked(*pods, cpu_state=None).shared == {0, 1, 4, 5, 6, 7}
    found = looked(*pods, cpu_state={"readable": False}, kubelet=STRICT)
    assert found.shared == {6, 7}
    assert said(found) == [("error", "state-differs", "", "")]
