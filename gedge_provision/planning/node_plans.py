"""What the kubelet and the kernel of each node are set to where it is planned from the topology of its host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from gedge_provision.models.cpu_intent import CpuIntent
from gedge_provision.models.cpu_plan import CpuPlan, Infeasible, InfeasibleError, Tuning
from gedge_provision.models.kubelet import KubeletSettings
from gedge_provision.models.site import Node, Site
from gedge_provision.models.topology import Topology
from gedge_provision.planning.alignment import alignment_policy
from gedge_provision.planning.cpu_plans import check_arguments, solve
from gedge_provision.planning.inventory import Inventory

__all__ = ["NodePlan", "plan_host", "plan_node", "with_plans"]


@dataclass(frozen=True)
class NodePlan:
    """The plan of a host in the words of the roles.

    Attributes:
        cpus: the plan of its CPUs.
        kernel_arguments: those of the plan, then those of its class.
        alignment: what the annotation of the node says of it.
    """

    cpus: CpuPlan
    kernel_arguments: tuple[str, ...]
    alignment: Mapping[str, object]


def plan_host(
    topology: Topology,
    intent: CpuIntent,
    settings: KubeletSettings,
    kernel_arguments: tuple[str, ...] = (),
    *,
    control_plane: bool = False,
) -> NodePlan:
    """Plan a host.

    Args:
        topology: of the host.
        intent: what is asked of its CPUs.
        settings: of the kubelet, as they are written.
        kernel_arguments: as they are written.
        control_plane: whether the static pods of a control plane run there.

    Raises:
        InfeasibleError: the host cannot have it; with every reason, and the smallest change for each.
    """
    plan = solve(topology, intent, settings, control_plane=control_plane)
    planned = plan.tuning.kernel_arguments
    problems = [
        *check_arguments(topology, kernel_arguments, plan.reserved, plan.tuning.irq_cpus),
        *_twice(plan.tuning, kernel_arguments),
    ]
    if problems:
        raise InfeasibleError(topology.host, problems)
    return NodePlan(plan, (*planned, *kernel_arguments), _alignment(plan))


def _alignment(plan: CpuPlan) -> dict[str, object]:
    policy = alignment_policy(plan.kubelet)
    pages: dict[str, dict[str, int]] = {}
    for one in plan.huge_pages:
        of_node = pages.setdefault(str(one.numa_node), {})
        of_node[str(one.size_kib)] = of_node.get(str(one.size_kib), 0) + one.count
    return {**policy, "huge_pages": pages} if pages else policy


def _twice(tuning: Tuning, written: tuple[str, ...]) -> list[Infeasible]:
    """Say which arguments are both planned and written; those for huge pages also where the plan needs none."""
    names = {argument.partition("=")[0] for argument in tuning.kernel_arguments}
    names |= {"hugepages"} if tuning.huge_pages else set()
    return [
        Infeasible(
            f"kernel argument {argument} is written, and the plan of the host sets {argument.partition('=')[0]} itself",
            "take it out of kernel_arguments, or choose another latency or fewer huge_pages",
        )
        for argument in written
        if argument.partition("=")[0] in names
    ]


def plan_node(site: Site, node: Node, topology: Topology) -> NodePlan | None:
    """Plan the host of a node; None where nothing is planned.

    Raises:
        InfeasibleError: the host cannot have it.
    """
    intent = site.cpu_intent(node)
    node_class = site.node_classes[node.node_class]
    if intent is None:
        return None
    return plan_host(
        topology,
        intent,
        node_class.kubelet,
        node_class.kernel_arguments,
        control_plane="control_plane" in node.roles,
    )


def with_plans(site: Site, inventory: Inventory, topologies: Mapping[str, Topology]) -> Inventory:
    """Put plans into an inventory as the run itself would, for the hosts whose topology is known.

    A host that cannot have what is asked keeps what the inventory had; the run is what refuses it.
    """
    hosts = dict(inventory.host_variables)
    alignment = dict(inventory.variables["gedge_alignment"])
    for node in site.nodes:
        if node.name not in topologies or node.name not in hosts:
            continue
        try:
            plan = plan_node(site, node, topologies[node.name])
        except InfeasibleError:
            continue
        if plan is not None:
            hosts[node.name] = {**hosts[node.name], **role_variables(plan)}
            alignment[node.name] = dict(plan.alignment)
    return replace(inventory, host_variables=hosts, variables={**inventory.variables, "gedge_alignment": alignment})


def role_variables(plan: NodePlan) -> dict[str, Any]:
    """Return the variables of roles that a plan decides."""
    return {
        "kubelet_config": plan.cpus.kubelet,
        "kernel_arguments_list": list(plan.kernel_arguments),
        "host_tuning_plan": plan.cpus.tuning.model_dump(mode="json"),
    }
