"""Sites whose nodes are planned from the topology of their hosts."""

from __future__ import annotations

from typing import Any

import pytest
from topologies import topology

from gedge_provision.models.cpu_intent import CpuIntent
from gedge_provision.models.cpu_plan import InfeasibleError
from gedge_provision.models.kubelet import KubeletSettings
from gedge_provision.models.site import Site
from gedge_provision.planning.inventory import compile_inventory
from gedge_provision.planning.node_plans import plan_host, plan_node, with_plans


def site(node: dict[str, Any] | None = None, **node_class: Any) -> Site:
    return Site.model_validate(
        {
            "name": "edge",
            "node_classes": {"default": {}, "pinned": {"cpus": {"profile": "pinned"}, **node_class}},
            "nodes": [
                {"name": "m", "address": "192.0.2.1", "roles": ["control_plane"]},
                {"name": "w", "address": "192.0.2.2", "node_class": "pinned", **(node or {})},
            ],
        }
    )


def test_a_node_has_the_intent_of_its_class_or_its_own() -> None:
    found = site()
    assert found.cpu_intent(found.nodes[0]) is None
    assert found.cpu_intent(found.nodes[1]) == CpuIntent(profile="pinned")
    own = site({"cpus": {"profile": "pinned-numa", "latency": "low"}})
    assert own.cpu_intent(own.nodes[1]) == CpuIntent(profile="pinned-numa", latency="low")


def test_the_inventory_says_what_is_asked_and_the_plan_what_comes_of_it() -> None:
    found = site(kubelet={"kube_reserved": {"cpu": "2"}}, kernel_arguments=["quiet"])
    inventory = compile_inventory(found, {"control_plane": [], "worker": []}, "kubeconfig")
    before = inventory.host_variables["w"]
    assert before["cpu_plan_intent"] == {"profile": "pinned"}
    assert before["cpu_plan_kubelet"] == {"kube_reserved": {"cpu": "2"}}
    assert inventory.host_variables["m"]["cpu_plan_intent"] == {}
    machine = topology("xeon-d-2187nt")
    after = with_plans(found, inventory, {"w": machine, "m": machine})
    assert after.host_variables["w"]["kubelet_config"]["reservedSystemCPUs"] == "0,16"
    assert after.host_variables["w"]["kernel_arguments_list"] == ["quiet"]
    assert after.variables["gedge_alignment"]["w"]["policies"]["reserved"] == "0,16"
    assert after.host_variables["m"] == inventory.host_variables["m"]
    assert with_plans(found, inventory, {"w": topology("one-cpu")}).host_variables["w"] == before, "refused by the run"


def test_isolation_brings_kernel_arguments_before_those_that_are_written() -> None:
    found = site(cpus={"profile": "pinned", "latency": "isolated"}, kernel_arguments=["audit=0"])
    plan = plan_node(found, found.nodes[1], topology("xeon-d-2187nt"))
    assert plan is not None
    assert plan.kernel_arguments[0] == "isolcpus=managed_irq,1-15,17-31"
    assert plan.kernel_arguments[-1] == "audit=0"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nohz_full=1-7"], "is written, and the plan of the host sets nohz_full itself"),
        (["isolcpus=1-99"], "this host has no CPU 32-99"),
    ],
)
def test_arguments_that_contradict_the_plan_are_refused(arguments: list[str], message: str) -> None:
    intent = CpuIntent(profile="pinned", latency="isolated")
    with pytest.raises(InfeasibleError) as refused:
        plan_host(topology("xeon-d-2187nt"), intent, KubeletSettings(), tuple(arguments))
    assert message in str(refused.value)


def test_huge_pages_that_are_written_as_arguments_contradict_those_at_run_time() -> None:
    intent = CpuIntent.model_validate({"huge_pages": [{"size": "2Mi", "count": 8, "at": "runtime"}]})
    with pytest.raises(InfeasibleError, match="the plan of the host sets hugepages itself"):
        plan_host(topology("xeon-d-2187nt"), intent, KubeletSettings(), ("hugepages=64",))
