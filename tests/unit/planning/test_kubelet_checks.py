"""Kubelet settings of classes are looked at under the profiles of the nodes that have them."""

from __future__ import annotations

from typing import Any

import pytest
from topologies import snapshot, topology

from gedge_provision.models.cpu_intent import CpuIntent
from gedge_provision.models.cpu_plan import InfeasibleError
from gedge_provision.models.kubelet import KubeletSettings
from gedge_provision.models.site import Site
from gedge_provision.models.site_records import HostRecord
from gedge_provision.planning.cpu_plans import solve
from gedge_provision.planning.kubelet_checks import check_kubelets, refused_hosts

MEMORY = {"kube_reserved": {"memory": "412Mi"}, "reserved_memory": [{"numa_node": 0, "memory": "512Mi"}]}


def found(kubelet: dict[str, Any], *profiles: str | None, of_class: str | None = None) -> list[str]:
    """Return what is wrong with a class that has a node of each profile."""
    site = Site.model_validate(
        {
            "name": "edge",
            "node_classes": {"default": {"kubelet": kubelet, **({"cpus": {"profile": of_class}} if of_class else {})}},
            "nodes": [
                {
                    "name": f"n{number}",
                    "address": f"192.0.2.{number + 1}",
                    **({"cpus": {"profile": profile}} if profile else {}),
                }
                for number, profile in enumerate(profiles)
            ],
        }
    )
    return [problem.message for problem in check_kubelets(site)]


def test_the_profile_of_a_node_counts_and_not_that_of_its_class() -> None:
    none = {"cpu_manager_policy": "none"}
    assert found(none, None, of_class="shared") == []
    assert found(none, "shared", of_class="pinned") == []
    (problem,) = found(none, "pinned", "pinned", of_class="shared")
    assert "the profile pinned needs the static CPU manager" in problem
    assert len(found(none, "pinned", "pinned-numa")) == 2


@pytest.mark.parametrize("profile", ["pinned", "pinned-numa"])
def test_what_the_plan_fills_in_is_not_missed(profile: str) -> None:
    assert found({}, profile) == []
    assert found({"kube_reserved": {"memory": "1Gi"}}, profile) == []
    assert found({"cpu_manager_policy_options": {"full-pcpus-only": False}}, profile) == []
    assert found({"memory_manager_policy": "Static"}, profile) == []
    assert found({"reserved_system_cpus": "0-1"}, profile) == []


def test_reserved_memory_is_right_where_the_profile_or_the_settings_have_the_memory_manager() -> None:
    assert found(MEMORY, "pinned-numa") == []
    assert found({**MEMORY, "memory_manager_policy": "Static"}, "pinned") == []
    assert "acts only under the Static policy" in found(MEMORY, "pinned")[0]
    assert "acts only under the Static policy" in found({**MEMORY, "memory_manager_policy": "None"}, "pinned-numa")[0]


def test_a_class_without_nodes_is_looked_at_too() -> None:
    site = Site.model_validate(
        {
            "name": "edge",
            "node_classes": {"default": {}, "spare": {"kubelet": {"cpu_manager_policy": "static"}}},
            "nodes": [{"name": "m", "address": "192.0.2.1"}],
        }
    )
    (problem,) = check_kubelets(site)
    assert problem.path == ("node_classes", "spare", "kubelet")


@pytest.mark.parametrize(
    ("shape", "profile", "settings", "message"),
    [
        ("emulated-node", "pinned", {"reserved_system_cpus": "0-1", "kube_reserved": {"cpu": "1"}}, "replaces"),
        (
            "vmware-hot-added",
            "pinned",
            {"cpu_manager_policy_options": {"align-by-socket": True}},
            "this host has 8 sockets and 1 NUMA node with CPUs -> leave the option out",
        ),
        (
            "emulated-node",
            "pinned",
            {"cpu_manager_policy_options": {"distribute-cpus-across-cores": True}},  # full-pcpus-only is of the plan
            "the options full-pcpus-only and distribute-cpus-across-cores exclude each other",
        ),
        ("emulated-node", "shared", {"system_reserved": {"cpu": "9"}}, "9 CPUs are reserved"),
        ("emulated-node", "shared", {"system_reserved": {"memory": "5Gi"}}, "and the host has 4096Mi"),
    ],
)
def test_what_no_kubelet_starts_with_on_a_host_is_no_plan(
    shape: str, profile: str, settings: dict[str, Any], message: str
) -> None:
    intent = CpuIntent.model_validate({"profile": profile})
    with pytest.raises(InfeasibleError) as refused:
        solve(topology(shape), intent, KubeletSettings.model_validate(settings))
    (problem,) = refused.value.problems
    assert message in str(problem)


def test_a_control_plane_keeps_cpu_time_for_its_static_pods() -> None:
    settings = KubeletSettings.model_validate({"system_reserved": {"cpu": "7500m"}})
    solve(topology("emulated-node"), CpuIntent(), settings)
    with pytest.raises(InfeasibleError, match="need 650m: they would not start again"):
        solve(topology("emulated-node"), CpuIntent(), settings, control_plane=True)


def test_an_alpha_option_brings_its_gate() -> None:
    asked = {"cpu_manager_policy": "static", "cpu_manager_policy_options": {"align-by-socket": False}}
    fields = KubeletSettings.model_validate({**asked, "kube_reserved": {"cpu": "1"}}).to_kubelet()
    assert fields["featureGates"] == {"CPUManagerPolicyAlphaOptions": True}
    plan = solve(topology("emulated-node"), CpuIntent(profile="pinned"), KubeletSettings.model_validate(asked))
    assert plan.kubelet["featureGates"] == {"CPUManagerPolicyAlphaOptions": True}
    assert plan.kubelet["cpuManagerPolicyOptions"]["align-by-socket"] == "false"


FACTS = {
    "numa": [{"id": 0, "cpus": "0-3"}],
    "numa_memory_kib": {"0": 4194304},
    "numa_distances": True,
    "sockets": 1,
    "memory_kib": 4194304,
}


@pytest.mark.parametrize(
    ("node_class", "host", "message"),
    [
        ({"kubelet": {"reserved_system_cpus": "0,9"}}, {"facts": FACTS}, "CPUs 9 are not online"),
        ({"kubelet": {"reserved_system_cpus": "0,9"}}, {}, ""),
        ({"kubelet": {"reserved_system_cpus": "0"}}, {"facts": FACTS}, ""),
        (
            {"kubelet": {"reserved_system_cpus": "0-2"}},
            {"facts": {**FACTS, "numa": [{"id": 0, "cpus": "0-2"}]}},
            "no CPU is left",
        ),
        ({"cpus": {"profile": "pinned"}}, {"topology": snapshot("one-cpu")}, "CPU"),
        ({"cpus": {"profile": "pinned"}}, {"topology": snapshot("xeon-d-2187nt")}, ""),
    ],
)
def test_what_a_host_cannot_have_is_known_from_its_record(
    node_class: dict[str, Any], host: dict[str, Any], message: str
) -> None:
    site = Site.model_validate(
        {
            "name": "edge",
            "node_classes": {"default": node_class},
            "nodes": [{"name": name, "address": f"192.0.2.{number}"} for number, name in enumerate(("a", "new"), 1)],
        }
    )
    record = HostRecord.model_validate({"connection": {}, "control_plane": False, "node_class": "default", **host})
    told = refused_hosts(site, {"a": record})
    assert list(told) == (["a"] if message else [])
    assert all(message in str(problem) for problem in told.get("a", ()))
