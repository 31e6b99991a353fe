"""Kubelet settings of node classes: does a kubelet start with them, under the profiles, on the hosts of their nodes?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gedge_provision.models.cpu_plan import Infeasible, InfeasibleError
from gedge_provision.models.cpusets import parse_cpuset
from gedge_provision.models.documents import Problem
from gedge_provision.models.kubelet_rules import KubeletHost
from gedge_provision.models.site import Site
from gedge_provision.models.site_records import HostRecord
from gedge_provision.models.topology import Topology
from gedge_provision.planning.cpu_plans import broken_rules, written_problems
from gedge_provision.planning.node_plans import plan_node

__all__ = ["check_kubelets", "refused_hosts", "told_host"]

_KIB = 1024


def check_kubelets(site: Site) -> Iterator[Problem]:
    """Yield what is wrong with the kubelet settings of a site on every host; the rest shows when hosts are known."""
    for name, node_class in site.node_classes.items():
        intents = [site.cpu_intent(node) for node in site.nodes if node.node_class == name]
        for intent in dict.fromkeys(intents or [node_class.cpus]):
            for problem in written_problems(intent, node_class.kubelet):
                yield Problem(("node_classes", name, "kubelet"), problem.message, problem.remedy)


def refused_hosts(site: Site, hosts: Mapping[str, HostRecord]) -> dict[str, tuple[Infeasible, ...]]:
    """Return what hosts cannot have of what a site asks of their kubelets, from what is remembered of them."""
    found: dict[str, tuple[Infeasible, ...]] = {}
    for node in site.nodes:
        known = hosts.get(node.name)
        control_plane = "control_plane" in node.roles
        if known is None:
            continue
        if site.cpu_intent(node) is None:
            settings = site.node_classes[node.node_class].kubelet.to_kubelet()
            host = told_host(known.facts, control_plane=control_plane) if "numa_memory_kib" in known.facts else None
            found[node.name] = tuple(broken_rules(settings, host))
        elif known.topology:
            try:
                plan_node(site, node, Topology.model_validate(known.topology))
            except InfeasibleError as error:
                found[node.name] = error.problems
    return {name: problems for name, problems in found.items() if problems}


def told_host(facts: Mapping[str, Any], *, control_plane: bool) -> KubeletHost:
    """Return what the kubelet's rules look at of a host that told of itself (fact gedge_host)."""
    return KubeletHost(
        cpus=frozenset(cpu for node in facts["numa"] for cpu in parse_cpuset(node["cpus"])),
        numa={int(number): kib * _KIB for number, kib in facts["numa_memory_kib"].items()},
        cpu_nodes=len(facts["numa"]),
        sockets=facts["sockets"],
        memory=facts["memory_kib"] * _KIB,
        distances=facts["numa_distances"],
        control_plane=control_plane,
    )
