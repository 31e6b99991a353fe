"""What a host cannot have is refused, with the smallest change; and making that change is enough."""

from __future__ import annotations

from typing import Any

import pytest
from topologies import topology

from gedge_provision.models.cpu_intent import CpuIntent
from gedge_provision.models.cpu_plan import InfeasibleError
from gedge_provision.models.kubelet import KubeletSettings
from gedge_provision.planning.cpu_plans import check_arguments, solve

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
        "no CPU is left for pods -> leave out a core, as 1",
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
        "ask for at most 1 of 1Gi there",
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
        "CPU 0, which keeps the time for the others, cannot be isolated -> reserve it too: 0-1,17",
        {},
        {"reserved_system_cpus": "0-1,16-17"},
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
    shape, intent, settings, message, changed_intent, changed_settings = _CASES[case]
    found = topology(shape)
    with pytest.raises(InfeasibleError) as refused:
        solve(found, CpuIntent.model_validate(intent), KubeletSettings.model_validate(settings))
    text = str(refused.value).replace("\n-> ", " -> ")
    assert message in text
    assert text.startswith(f"{shape}: ")
    assert all(problem.remedy for problem in refused.value.problems)
    solve(
        found,
        CpuIntent.model_validate(intent | changed_intent),
        KubeletSettings.model_validate(settings | changed_settings),
    )


def test_all_that_is_wrong_is_said_at_once() -> None:
    settings = KubeletSettings.model_validate({"reserved_system_cpus": "0,99", "kube_reserved": {"memory": "900Gi"}})
    with pytest.raises(InfeasibleError) as refused:
        solve(topology("vendor-guide-24-cpus"), CpuIntent(profile="pinned-numa"), settings)
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
        ("isolcpus=", ""),
        ("quiet", ""),
    ],
)
def test_kernel_arguments_are_held_against_the_host(argument: str, message: str) -> None:
    said = check_arguments(topology("vendor-guide-24-cpus"), [argument], frozenset({0, 12}))
    assert message in " ".join(map(str, said))
    assert bool(said) == bool(message)


@pytest.mark.parametrize(
    ("intent", "message"),
    [
        ({"latency": "isolated"}, "needs CPUs that are reserved"),
        ({"spread": "numa"}, "reserves no cores that could be spread"),
        ({"huge_pages": [{"size": "2Mi", "count": 1}, {"size": "2Mi", "count": 2}]}, "asked for twice"),
    ],
)
def test_intents_that_contradict_themselves_are_refused(intent: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CpuIntent.model_validate(intent)
