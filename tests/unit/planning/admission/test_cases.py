"""What a kubelet says of pods: the cases that tests/kubelet_rules asks the kubelet's own code about, asked of ours."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pod_cases import CASES, Case
from pod_courses import course
from predictions import machine, predicted

from gedge_provision.models.pod_specs import RunningPod
from gedge_provision.planning.admission import State, admit, empty, without
from gedge_provision.planning.fit import ask_of


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_verdict_is_the_kubelets(case: Case) -> None:
    *before, last = predicted(case.course())
    assert [one.reason for one in before] == [""] * len(case.before)
    assert last.reason == case.reason


def free_memory(state: State) -> Counter[str]:
    """Return what is free of each kind on all NUMA nodes."""
    total: Counter[str] = Counter()
    for node in state.memory.values():
        total.update(node.free)
    return total


@example(seed=4145)
@given(seed=st.integers(0, 10_000))
def test_nothing_is_given_twice_and_all_comes_back(seed: int) -> None:
    """CPUs are free, not reserved, as many as asked; when all pods have ended, everything is as it was.

    But for memory of a group of NUMA nodes, and where the kubelet refused a pod after it had given it some: it gives
    that back to another node than it took it from (test_admission holds this against its own code).
    """
    wanted = course(seed)
    here = machine(wanted)
    state = empty(here)
    misplaced = grouped = False
    for step in wanted.steps:
        if isinstance(step, str):
            state = without(here, state, step)
            continue
        pod = RunningPod.model_validate(step)
        ask = ask_of(pod)
        owned, verdict = state.owned_cpus, admit(here, state, ask)
        if verdict.reason is not None:
            assert (verdict.state.cpus, verdict.state.devices) == (state.cpus, state.devices)
            assert verdict.state.blocks == state.blocks
            misplaced = misplaced or verdict.state.memory != state.memory
            state = verdict.state
            assert verdict.message or verdict.reason == "TopologyAffinityError"
            continue
        given_now = {name: cpus for (uid, name), cpus in verdict.state.cpus.items() if uid == ask.uid}
        for container in ask.containers:
            cpus = given_now.get(container.name, frozenset())
            assert len(cpus) == (container.cpus if here.policies.cpu == "static" else 0)
            assert not cpus & (owned | here.reserved)
        assert all(node.free[kind] >= 0 for node in verdict.state.memory.values() for kind in node.free)
        misplaced = misplaced or any(
            len(block.nodes) > 1 for blocks in verdict.state.blocks.values() for block in blocks
        )
        state = verdict.state
    for uid in sorted({uid for uid, _ in (*state.cpus, *state.blocks)} | {uid for uid, _, _ in state.devices}):
        state = without(here, state, uid)
    assert (state.cpus, state.devices, state.blocks) == ({}, {}, {})
    assert misplaced or free_memory(state) == free_memory(empty(here))
    assert misplaced or grouped or state == empty(here)
