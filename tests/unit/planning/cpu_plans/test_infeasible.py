"""What a host cannot have is refused, with the smallest change; and making that change is enough."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from topologies import SHAPES, topology

from gedge_provision.models.cpu_intent import CpuIntent
from gedge_provision.models.cpu_plan import InfeasibleError
from gedge_provision.models.kubelet import KubeletSettings
from gedge_provision.planning.cpu_plans import check_arguments, solve
from gedge_provision.planning.cpu_plans.remedies import changed

_CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any], str, dict[str, Any], dict[str, Any]]] = {
    # name: shape, intent, settings, part of the message, and what is changed in intent and settings
    "one CPU": ("one-cpu", {"profile": "pinned"}, {}, "one CPU, which the system needs", {"profile": "shared"}, {}),
    "one core": (
        "two-cpus-one-core",
        {"profile": "pinned"},
        {},
        "the one core of this host has 2 CPUs",
        {"full_cores": False},
        {},
    ),
    "too much": (
        "xeon-e-2288g",
        {"profile": "pinned"},
        {"kube_reserved": {"cpu": "15"}},
        "reserve at most 14",
        {},
        {"kube_reserved": {"cpu": "14"}},
    ),
    "every node has devices": (
        "emulated-node",
        {"profile": "pinned-numa"},
        {"kube_reserved": {"cpu": "7"}},
        "reserve at most 6",
        {},
        {"kube_reserved": {"cpu": "6"}},
    ),
    "cores differ": (
        "core-i9-13900k",
        {"profile": "pinned", "full_cores": True},
        {},
        "cores of this host have 1 or 2 CPUs online",
        {"full_cores": None},
        {},
    ),
    "a sibling is offline": (
        "xeon-one-sibling-offline",
        {"profile": "pinned", "full_cores": True},
        {},
        "bring CPUs 11 online",
        {"full_cores": False},
        {},
    ),
    "CPU that does not exist": (
        "vendor-guide-24-cpus",
        {"profile": "pinned"},
        {"reserved_system_cpus": "0,12,24"},
        "some do not exist: 24; online are 0-23 -> write 0,12",
        {},
        {"reserved_system_cpus": "0,12"},
    ),
    "CPU that is offline": (
        "xeon-smt-switched-off",
        {"profile": "pinned"},
        {"reserved_system_cpus": "0,24"},
        "some are offline: 24",
        {},
        {"reserved_system_cpus": "0"},
    ),
    "half cores": (
        "vendor-guide-24-cpus",
        {"profile": "pinned"},
        {"reserved_system_cpus": "6-8"},
        "CPUs 18-20 share cores with them and would be left to pods -> write 6-8,18-20",
        {},
        {"reserved_system_cpus": "6-8,18-20"},
    ),
    "nothing left": (
        "two-cpus",
        {"profile": "pinned"},
        {"reserved_system_cpus": "0-1"},
        "no CPU is left for pods -> write 0",
        {},
        {"reserved_system_cpus": "0"},
    ),
    "memory": (
        "emulated-node",
        {"profile": "pinned-numa"},
        {"kube_reserved": {"memory": "8Gi"}},
        "which has 2048Mi",
        {},
        {"kube_reserved": {"memory": "1Gi"}},
    ),
    "huge pages": (
        "emulated-node",
        {"profile": "pinned-numa", "huge_pages": [{"size": "1Gi", "count": 4}]},
        {},
        "ask for 2 of 1Gi at most",
        {"huge_pages": [{"size": "1Gi", "count": 2}]},
        {},
    ),
    "no static CPU manager": (
        "xeon-d-2187nt",
        {"profile": "pinned", "latency": "isolated"},
        {"cpu_manager_policy": "none"},
        "needs the static CPU manager",
        {},
        {"cpu_manager_policy": "static", "reserved_system_cpus": "0,16"},
    ),
    "the boot CPU isolated": (
        "xeon-d-2187nt",
        {"profile": "pinned", "latency": "isolated"},
        {"reserved_system_cpus": "1,17"},
        "CPU 0, which keeps the time for the others, cannot be isolated -> write 0-1,16-17",
        {},
        {"reserved_system_cpus": "0-1,16-17"},
    ),
    "full cores and not": (
        "xeon-d-2187nt",
        {"profile": "pinned", "full_cores": False},
        {"cpu_manager_policy_options": {"full-pcpus-only": True}},
        "full_cores is false, and cpu_manager_policy_options has full-pcpus-only: true -> leave one of the two out",
        {"full_cores": None},
        {},
    ),
    "huge pages on no node": (
        "two-cpus",
        {"profile": "shared", "huge_pages": [{"size": "2Mi", "count": 4, "numa_node": 3}]},
        {},
        "NUMA node 3, and here are only 0",
        {"huge_pages": [{"size": "2Mi", "count": 4, "numa_node": 0}]},
        {},
    ),
}


@pytest.mark.parametrize("case", _CASES)
def test_what_a_host_cannot_have_is_refused_and_the_remedy_helps(case: str) -> None:
    shape, intent, written, message, changed_intent, changed_settings = _CASES[case]
    found = topology(shape)
    with pytest.raises(InfeasibleError) as refused:
        solve(found, CpuIntent.model_validate(intent), KubeletSettings.model_validate(written))
    text = str(refused.value).replace("\n-> ", " -> ")
    assert message in text
    assert text.startswith(f"{shape}: ")
    assert all(problem.remedy for problem in refused.value.problems)
    solve(
        found,
        CpuIntent.model_validate(intent | changed_intent),
        KubeletSettings.model_validate(written | changed_settings),
    )


def test_all_that_is_wrong_is_said_at_once() -> None:
    written = KubeletSettings.model_validate({"reserved_system_cpus": "0,99", "kube_reserved": {"memory": "900Gi"}})
    with pytest.raises(InfeasibleError) as refused:
        solve(topology("vendor-guide-24-cpus"), CpuIntent(profile="pinned-numa"), written)
    assert len(refused.value.problems) == 4


def test_lists_of_a_vendors_guide_are_caught() -> None:
    """The guide's list: reserved 6-8 without the siblings 18-20, isolcpus up to CPU 24 of 24 (0 to 23)."""
    found = topology("vendor-guide-24-cpus")
    said = [str(one) for one in check_arguments(found, ["isolcpus=0-5,9-17,21-24"], frozenset({6, 7, 8}))]
    assert said == [
        (
            "kernel argument isolcpus=0-5,9-17,21-24: this host has no CPU 24, its CPUs are 0-23 -> write "
            "isolcpus=0-5,9-17,21-23"
        ),
    ]
    said = [str(one) for one in check_arguments(found, ["isolcpus=managed_irq,0-5,9-23"], frozenset({6, 7, 8}))]
    assert said == [
        (
            "kernel argument isolcpus=managed_irq,0-5,9-23: CPUs 18-20 share cores with CPUs that are reserved for the "
            "system -> reserve whole cores (reserved_system_cpus: 6-8,18-20) and write "
            "isolcpus=managed_irq,0-5,9-17,21-23"
        ),
    ]


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("nohz_full=2-40", "no CPU 24-40"),
        ("rcu_nocbs=0-3", "CPUs 0 are reserved"),
        ("isolcpus=domain,managed_irq,2-5,14-17", ""),
        ("isolcpus=2-5", "CPUs 14-17 share cores with its CPUs"),
        ("nohz_full=5-2", "counts downwards"),
        ("rcu_nocbs=all", ""),
        (
            "nohz_full=all",
            "CPUs 0,12 are reserved for the system, which needs its tick there -> write nohz_full=1-11,1",
        ),
        ("isolcpus=domain,0,12", "CPUs 0,12 are reserved for the system, which needs its tick there -> leave it out"),
        ("isolcpus=", ""),
        ("isolcpus=1-11,13-N", ""),
        ("isolcpus=2-N", "CPUs 12 are reserved"),
        ("irqaffinity=0,12", ""),
        ("irqaffinity=0,30", "no CPU 30, its CPUs are 0-23 -> write irqaffinity=0"),
        ("irqaffinity=0-3", "keeps interrupts off CPUs 1-3, which pods own -> write irqaffinity=0, or leave it out"),
        ("maxcpus=12", "made for the 24 CPUs that are online, and 12 would be left"),
        ("nr_cpus=64", ""),
        ("nosmt", "12 would be left"),
        ("mitigations=auto,nosmt", "12 would be left"),
        ("mitigations=auto", ""),
        ("hugepages=1024", ""),
        ("hugepages=0:40000,1:30000", "leave the host"),
        ("quiet", ""),
    ],
)
def test_kernel_arguments_are_held_against_the_host(argument: str, message: str) -> None:
    said = check_arguments(topology("vendor-guide-24-cpus"), [argument], frozenset({0, 12}), frozenset({0, 12}))
    assert message in " ".join(map(str, said))
    assert bool(said) == bool(message)


@pytest.mark.parametrize(
    ("intent", "message"),
    [
        ({"latency": "isolated"}, "needs CPUs that are reserved"),
        ({"spread": "numa"}, "reserves no cores that could be spread"),
        ({"full_cores": False}, "full_cores has nothing to decide"),
        ({"huge_pages": [{"size": "2Mi", "count": 1}, {"size": "2Mi", "count": 2}]}, "asked for twice"),
    ],
)
def test_intents_that_contradict_themselves_are_refused(intent: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CpuIntent.model_validate(intent)


@pytest.mark.parametrize("control_plane", [False, True])
def test_huge_pages_leave_a_host_what_a_node_needs(control_plane: bool) -> None:
    machine = topology("emulated-node")
    memory = sum(node.memory_kib for node in machine.numa)
    least = (1700 if control_plane else 900) * 1024
    fits = (memory - least) // 2048
    asked = [{"size": "2Mi", "count": count} for count in (fits, fits + 1)]
    intents = [CpuIntent.model_validate({"huge_pages": [pages]}) for pages in asked]
    solve(machine, intents[0], control_plane=control_plane)
    with pytest.raises(InfeasibleError, match=r"leave the host .*, and a node needs .*\n-> ask for \d+ of 2Mi at most"):
        solve(machine, intents[1], control_plane=control_plane)


_RESERVATIONS = st.fixed_dictionaries(
    {},
    optional={"cpu": st.sampled_from(["0", "1", "2", "7", "500"]), "memory": st.sampled_from(["1Gi", "900Gi"])},
)
_WRITTEN = st.fixed_dictionaries(
    {},
    optional={
        "reserved_system_cpus": st.sampled_from(["0", "0-1", "1", "3,5", "0-63", "0,99", "200"]),
        "kube_reserved": _RESERVATIONS,
        "system_reserved": _RESERVATIONS,
        "cpu_manager_policy": st.sampled_from(["none", "static"]),
        "cpu_manager_policy_options": st.dictionaries(
            st.sampled_from(["full-pcpus-only", "align-by-socket", "distribute-cpus-across-numa"]), st.booleans()
        ),
        "topology_manager_policy": st.sampled_from(["none", "restricted"]),
        "memory_manager_policy": st.sampled_from(["None", "Static"]),
        "reserved_memory": st.sampled_from([0, 5]).map(lambda node: [{"numa_node": node, "memory": "1Gi"}]),
    },
)
_PAGES = st.fixed_dictionaries(
    {"size": st.sampled_from(["2Mi", "1Gi"]), "count": st.sampled_from([1, 64, 900_000])},
    optional={"numa_node": st.sampled_from([0, 1, 9])},
)
_ASKED = st.fixed_dictionaries(
    {"profile": st.sampled_from(["shared", "pinned", "pinned-numa"])},
    optional={
        "full_cores": st.booleans(),
        "spread": st.sampled_from(["packed", "numa"]),
        "latency": st.sampled_from(["low", "isolated"]),
        "huge_pages": st.lists(_PAGES, max_size=2),
    },
)


@settings(max_examples=400)
@given(st.sampled_from(sorted(SHAPES)), _ASKED, _WRITTEN, st.booleans())
@example(
    "xeon-one-sibling-offline",
    {"profile": "shared"},
    {"cpu_manager_policy": "static", "cpu_manager_policy_options": {"full-pcpus-only": True}},
    False,  # noqa: FBT003 - no control plane
)
@example("one-cpu", {"profile": "pinned"}, {"system_reserved": {"cpu": "0"}}, True)  # noqa: FBT003 - a control plane
def test_who_makes_every_change_that_is_told_has_a_plan(
    shape: str, asked: dict[str, Any], written: dict[str, Any], control_plane: bool
) -> None:
    try:
        intent, kubelet = CpuIntent.model_validate(asked), KubeletSettings.model_validate(written)
    except ValidationError:
        assume(condition=False)
    found = topology(shape)
    try:
        solve(found, intent, kubelet, control_plane=control_plane)
    except InfeasibleError as error:
        solve(
            found,
            *changed(intent, kubelet, [problem.change for problem in error.problems]),
            control_plane=control_plane,
        )
