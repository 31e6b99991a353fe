"""Properties that every plan has, on every shape and for every intent; and figures that are known beforehand."""

from __future__ import annotations

import math
import random
from typing import Any, get_args

import pydantic
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from topologies import SHAPES, snapshot, topology

from gedge_provision.models.cpu_intent import CpuIntent, Profile
from gedge_provision.models.cpu_plan import CpuPlan, InfeasibleError
from gedge_provision.models.cpusets import format_cpuset, parse_cpuset
from gedge_provision.models.kubelet import KubeletSettings
from gedge_provision.models.kubelet_rules import EVICTION_BYTES
from gedge_provision.models.quantities import Quantity
from gedge_provision.models.topology import Topology
from gedge_provision.planning.cpu_plans import solve

_SMALL = ("one-cpu", "two-cpus-one-core")
_PINNED = [name for name in SHAPES if name not in _SMALL]
_SMALLER = [name for name in _PINNED if len(topology(name).online) <= 64]
_names = st.sampled_from(_PINNED)
_profiles = st.sampled_from(["pinned", "pinned-numa"])
_intents = st.builds(
    lambda profile, latency, spread: CpuIntent(profile=profile, latency=latency, spread=spread),
    _profiles,
    st.sampled_from(["normal", "low", "isolated"]),
    st.sampled_from([None, "packed", "numa"]),
)


def _settings(cpu: str) -> KubeletSettings:
    return KubeletSettings.model_validate({"kube_reserved": {"cpu": cpu}})


def _plan(name: str, profile: str = "pinned", cpu: str = "500m", **intent: Any) -> CpuPlan:
    return solve(topology(name), CpuIntent.model_validate({"profile": profile, **intent}), _settings(cpu))


def _solved(found: Topology, intent: CpuIntent, settings: KubeletSettings) -> CpuPlan:
    """Return the plan; examples that are told to be too much are no examples."""
    try:
        return solve(found, intent, settings)
    except InfeasibleError:
        assume(condition=False)
        raise


@given(_names, _intents, st.integers(1, 20_000))
def test_the_three_sets_are_apart_and_together_all_that_is_online(name: str, intent: CpuIntent, milli: int) -> None:
    found = topology(name)
    plan = _solved(found, intent, _settings(f"{milli}m"))
    assert plan.reserved | plan.isolated | plan.shared == found.online
    assert len(plan.reserved) + len(plan.isolated) + len(plan.shared) == len(found.online)
    assert plan.offline == found.present - found.online


@given(_names, _intents, st.integers(1, 20_000))
def test_cores_are_reserved_whole_where_all_have_as_many_threads(name: str, intent: CpuIntent, milli: int) -> None:
    found = topology(name)
    plan = _solved(found, intent, _settings(f"{milli}m"))
    if len(found.threads_per_core) == 1:
        assert found.siblings_of(plan.reserved) == plan.reserved
    assert found.siblings_of(plan.isolated) <= plan.isolated | plan.reserved


@given(_names, _intents, st.integers(1, 20_000))
def test_at_least_the_amount_is_reserved_and_something_is_left(name: str, intent: CpuIntent, milli: int) -> None:
    found = topology(name)
    plan = _solved(found, intent, _settings(f"{milli}m"))
    assert math.ceil(milli / 1000) <= len(plan.reserved) < len(found.online)
    assert plan.allocatable_millicpu == 1000 * (len(found.online) - len(plan.reserved))
    assert parse_cpuset(plan.kubelet["reservedSystemCPUs"]) == plan.reserved


@given(_names, _intents, st.integers(1, 20_000), st.integers(0, 20_000))
def test_who_reserves_more_keeps_what_was_reserved(name: str, intent: CpuIntent, milli: int, more: int) -> None:
    found = topology(name)
    larger = _solved(found, intent, _settings(f"{milli + more}m"))
    smaller = solve(found, intent, _settings(f"{milli}m"))
    assert smaller.reserved <= larger.reserved
    assert smaller.allocatable_millicpu >= larger.allocatable_millicpu


@settings(max_examples=30)
@given(st.sampled_from(_SMALLER), _intents, st.integers(1, 20_000), st.randoms(use_true_random=False))
def test_the_same_cores_are_reserved_however_cpus_are_numbered(
    name: str, intent: CpuIntent, milli: int, chance: random.Random
) -> None:
    found = topology(name)
    plan = _solved(found, intent, _settings(f"{milli}m"))
    numbers = _renumbered(found, chance)
    other = solve(_with_numbers(name, numbers), intent, _settings(f"{milli}m"))
    if len(found.threads_per_core) == 1:
        assert other.reserved == {numbers[cpu] for cpu in plan.reserved}
    else:  # single CPUs of a core are equal, the lower number is taken
        assert len(other.reserved) == len(plan.reserved)
        assert _cores_of(found, plan.reserved) == {
            frozenset(cpu for cpu in found.online if numbers[cpu] in core)
            for core in _cores_of(_with_numbers(name, numbers), other.reserved)
        }


def _cores_of(found: Topology, cpus: frozenset[int]) -> set[frozenset[int]]:
    return {core.cpus for core in found.cores if core.cpus & cpus}


def _renumbered(found: Topology, chance: random.Random) -> dict[int, int]:
    """Return other numbers for all CPUs; the machine boots on the same core."""
    numbers = sorted(found.online)
    boot = numbers[0]
    rest = numbers[1:]
    chance.shuffle(rest)
    return dict(zip(numbers, [boot, *rest], strict=True))


def _with_numbers(name: str, numbers: dict[int, int]) -> Topology:
    raw = snapshot(name)

    def moved(text: str) -> str:
        return format_cpuset(numbers[cpu] for cpu in parse_cpuset(text)) if text else ""

    return Topology.model_validate(
        {
            **raw,
            "present": format_cpuset(numbers.values()),
            "cpus": [{**cpu, "id": numbers[cpu["id"]], "siblings": moved(cpu["siblings"])} for cpu in raw["cpus"]],
            "caches": [{**one, "cpus": moved(one["cpus"])} for one in raw["caches"]],
            "numa": [{**node, "cpus": moved(node["cpus"])} for node in raw["numa"]],
            "devices": [{**device, "local_cpus": moved(device["local_cpus"])} for device in raw["devices"]],
        }
    )


@given(_names, st.sampled_from(["low", "isolated"]))
def test_a_node_with_used_devices_keeps_a_core_that_takes_their_interrupts(name: str, latency: str) -> None:
    found = topology(name)
    plan = _solved(found, CpuIntent(profile="pinned-numa", latency=latency), _settings("500m"))
    for device in found.devices:
        if device.kind in {"network", "gpu"} and device.irqs:
            near = plan.tuning.device_cpus[device.address]
            assert near <= plan.reserved
            assert {found.node_of[cpu] for cpu in near} == {device.numa_node}


@pytest.mark.parametrize("name", _PINNED)
def test_reserved_memory_satisfies_the_equation_of_the_kubelet(name: str) -> None:
    settings = KubeletSettings.model_validate(
        {"kube_reserved": {"memory": "301Mi"}, "system_reserved": {"memory": "0.3G"}}
    )
    found = topology(name)
    plan = solve(found, CpuIntent(profile="pinned-numa"), settings)
    entries = plan.kubelet["reservedMemory"]
    total = sum(Quantity(entry["limits"]["memory"]).amount for entry in entries)
    assert total == 301 * 2**20 + 300_000_000 + EVICTION_BYTES
    for entry in entries:
        node = found.node(entry["numaNode"])
        assert node is not None
        assert Quantity(entry["limits"]["memory"]).amount < node.memory_kib * 1024


def test_some_mib_more_or_less_of_a_node_do_not_change_the_plan() -> None:
    """As kernels tell at every boot: the kubelet would have to restart for it."""
    raw = snapshot("emulated-node")
    plan = solve(topology("emulated-node"), CpuIntent(profile="pinned-numa"))
    for less in (4, 77):
        numa = [{**node, "memory_kib": node["memory_kib"] - less * 1024 * (node["id"] + 1)} for node in raw["numa"]]
        other = solve(Topology.model_validate({**raw, "numa": numa}), CpuIntent(profile="pinned-numa"))
        assert other.kubelet == plan.kubelet


@pytest.mark.parametrize("name", list(SHAPES))
def test_every_choice_is_explained(name: str) -> None:
    profile = "shared" if name in _SMALL else "pinned-numa"
    plan = _plan(name, profile)
    assert all(choice.subject and choice.choice and choice.reason for choice in plan.decisions)
    assert plan.decisions[0].choice == profile
    if profile != "shared":
        assert format_cpuset(plan.reserved) in [choice.choice for choice in plan.decisions]


def test_half_a_cpu_of_80_leaves_79500m() -> None:
    found = topology("altra-q80")
    by_amount = KubeletSettings.model_validate({"cpu_manager_policy": "static", "kube_reserved": {"cpu": "500m"}})
    assert solve(found, CpuIntent(), by_amount).allocatable_millicpu == 79_500
    assert solve(found, CpuIntent(), _settings("500m")).allocatable_millicpu == 79_500
    assert solve(found, CpuIntent(), KubeletSettings()).allocatable_millicpu == 80_000
    assert _plan("altra-q80").allocatable_millicpu == 79_000


def test_figures_of_known_machines() -> None:
    assert format_cpuset(_plan("emulated-node").reserved) == "0-1"
    assert format_cpuset(_plan("emulated-node", "pinned-numa").reserved) == "0-1,4-5"
    assert format_cpuset(_plan("xeon-platinum-8360y", cpu="4").reserved) == "0-1,72-73"
    assert format_cpuset(_plan("xeon-gold-6248r-interleaved", cpu="4").reserved) == "0,2,48,50"
    assert format_cpuset(_plan("power9-ac922").reserved) == "0-3"
    # Efficiency cores for the system, performance cores for services; the boot core only when it cannot be isolated.
    assert format_cpuset(_plan("core-i9-13900k", cpu="2").reserved) == "16-17"
    assert format_cpuset(_plan("core-i9-13900k", cpu="2", latency="isolated").reserved) == "0,16"
    # A chiplet is used up before the next one is begun.
    assert format_cpuset(_plan("epyc-7742-nps1", cpu="8").reserved) == "0-3,64-67"
    # Every node with devices keeps a core: GPUs and cards of a DGX are on nodes 1, 3, 5 and 7.
    nodes = {topology("dgx-a100").node_of[cpu] for cpu in _plan("dgx-a100", "pinned-numa").reserved}
    assert nodes == {1, 3, 5, 7}


def test_settings_of_the_profiles() -> None:
    shared = _plan("xeon-d-2187nt", "shared").kubelet
    assert (shared["cpuManagerPolicy"], shared["kubeReserved"]) == ("none", {"cpu": "500m"})
    pinned = _plan("xeon-d-2187nt").kubelet
    assert pinned["cpuManagerPolicyOptions"] == {"full-pcpus-only": "true", "strict-cpu-reservation": "true"}
    assert pinned["topologyManagerPolicy"] == "best-effort"
    assert "kubeReserved" not in pinned  # a list of CPUs replaces the amount
    numa = _plan("epyc-7763-nps4", "pinned-numa").kubelet
    assert (numa["topologyManagerPolicy"], numa["topologyManagerScope"]) == ("single-numa-node", "pod")
    assert numa["memoryManagerPolicy"] == "Static"
    assert numa["cpuManagerPolicyOptions"]["prefer-align-cpus-by-uncorecache"] == "true"
    assert numa["kubeReserved"] == {"memory": "512Mi"}


def test_what_is_written_counts_more_than_the_profile() -> None:
    settings = KubeletSettings.model_validate(
        {
            "topology_manager_policy": "restricted",
            "memory_manager_policy": "None",
            "cpu_manager_policy_options": {"strict-cpu-reservation": False},
            "reserved_system_cpus": "0-2:1/1,32",
        }
    )
    with pytest.raises(InfeasibleError) as refused:
        solve(topology("xeon-platinum-8360y"), CpuIntent(profile="pinned-numa"), settings)
    assert "write 0-2,32,72-74,104" in str(refused.value)
    whole = settings.model_copy(update={"reserved_system_cpus": "0-1,72-73"})
    fields = solve(topology("xeon-platinum-8360y"), CpuIntent(profile="pinned-numa"), whole).kubelet
    assert fields["topologyManagerPolicy"] == "restricted"
    assert fields["topologyManagerScope"] == "pod"
    assert fields["cpuManagerPolicyOptions"]["strict-cpu-reservation"] == "false"
    assert "reservedMemory" not in fields
    assert fields["reservedSystemCPUs"] == "0-1,72-73"


def test_more_numa_nodes_than_the_kubelet_takes_by_itself_are_announced() -> None:
    raw = snapshot("epyc-7763-nps4")
    extra = {"id": 8, "cpus": "", "memory_kib": 2**20, "distances": {}, "huge_pages": []}
    found = Topology.model_validate({**raw, "numa": [*raw["numa"], extra]})
    fields = solve(found, CpuIntent(profile="pinned-numa")).kubelet
    assert fields["topologyManagerPolicyOptions"] == {"max-allowable-numa-nodes": "9"}


def test_isolation_names_the_cpus_of_pods_to_the_kernel() -> None:
    plan = _plan("xeon-d-2187nt", latency="isolated", huge_pages=[{"size": "1Gi", "count": 4}])
    assert format_cpuset(plan.isolated) == "1-15,17-31"
    assert plan.shared == frozenset()
    assert plan.tuning.kernel_arguments == (
        "isolcpus=managed_irq,1-15,17-31",
        "nohz_full=1-15,17-31",
        "rcu_nocbs=1-15,17-31",
        "irqaffinity=0,16",
        "hugepagesz=1G",
        "hugepages=0:4",
    )


def test_huge_pages_are_spread_evenly() -> None:
    pages = [{"size": "1Gi", "count": 5}, {"size": "2Mi", "count": 64, "numa_node": 1}]
    plan = _plan("xeon-platinum-8360y", "pinned-numa", huge_pages=pages)
    assert [(page.numa_node, page.size_kib, page.count) for page in plan.huge_pages] == [
        (0, 1048576, 3),
        (1, 2048, 64),
        (1, 1048576, 2),
    ]


def test_huge_pages_at_run_time_are_no_kernel_arguments() -> None:
    pages = [{"size": "1Gi", "count": 4}, {"size": "2Mi", "count": 64, "at": "runtime"}]
    plan = _plan("xeon-platinum-8360y", "pinned-numa", huge_pages=pages)
    assert plan.tuning.kernel_arguments == ("hugepagesz=1G", "hugepages=0:2,1:2")
    assert plan.tuning.huge_pages == {0: {2048: 32}, 1: {2048: 32}}
    assert [(page.size_kib, page.at) for page in plan.huge_pages if page.numa_node == 0] == [
        (2048, "runtime"),
        (1048576, "boot"),
    ]


def test_huge_pages_of_one_size_are_set_aside_in_one_way() -> None:
    pages = [{"size": "2Mi", "count": 4, "numa_node": 0}, {"size": "2Mi", "count": 4, "numa_node": 1, "at": "runtime"}]
    with pytest.raises(pydantic.ValidationError, match="at boot and at run time -> choose one for each size"):
        CpuIntent.model_validate({"profile": "pinned", "huge_pages": pages})


def test_what_pods_cannot_have_is_said() -> None:
    """On a Threadripper two of four NUMA nodes have CPUs and no memory."""
    subjects = {
        profile: {decision.subject: decision for decision in solve(topology("threadripper-2990wx"), intent).decisions}
        for profile, intent in {name: CpuIntent(profile=name) for name in get_args(Profile)}.items()
    }
    alone, bare = "pods without CPUs of their own", "CPUs of NUMA nodes without memory"
    assert [(alone in found, bare in found) for found in subjects.values()] == [
        (False, False),
        (True, False),
        (True, True),
    ]
    machine = topology("threadripper-2990wx")
    of_no_use = frozenset(cpu for node in machine.numa if not node.memory_kib for cpu in node.cpus)
    assert parse_cpuset(subjects["pinned-numa"][bare].choice.partition(" ")[0]) <= of_no_use
