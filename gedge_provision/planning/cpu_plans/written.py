"""What is written of a kubelet under a profile: the fields that both decide, and what is wrong on every host."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gedge_provision.models.cpu_intent import CpuIntent
from gedge_provision.models.cpu_plan import Infeasible
from gedge_provision.models.kubelet import KubeletSettings
from gedge_provision.models.kubelet_rules import KubeletHost, refusals, site_words
from gedge_provision.models.quantities import Quantity
from gedge_provision.models.topology import Topology

__all__ = ["DEFAULT_CPU", "PINNING", "broken_rules", "kubelet_host", "profile_fields", "written_problems"]

DEFAULT_CPU = Quantity("500m")
"""Reserved for Kubernetes where nothing is said."""
PINNING = frozenset({"pinned", "pinned-numa"})
"""Profiles whose pods own CPUs."""
_KIB = 2**10


def profile_fields(intent: CpuIntent, settings: KubeletSettings) -> dict[str, Any]:
    """Return the kubelet's fields: those of the profile, and above them what is written in the settings."""
    fields: dict[str, Any] = {}
    if intent.profile in PINNING:
        fields["cpuManagerPolicy"] = "static"
    if intent.profile == "pinned-numa":
        fields |= {
            "topologyManagerPolicy": "single-numa-node",
            "topologyManagerScope": "pod",
            "memoryManagerPolicy": "Static",
        }
    written = settings.to_kubelet()
    names = {
        "cpuManagerPolicy": "cpu_manager_policy",
        "topologyManagerPolicy": "topology_manager_policy",
        "topologyManagerScope": "topology_manager_scope",
        "memoryManagerPolicy": "memory_manager_policy",
    }
    silent = {field for field, name in names.items() if name not in settings.model_fields_set}
    return {**written, **{field: value for field, value in fields.items() if field in silent}}


def written_problems(intent: CpuIntent | None, settings: KubeletSettings) -> Iterator[Infeasible]:
    """Yield what is wrong with settings on every host, under a profile or without one."""
    if intent is None:
        yield from broken_rules(settings.to_kubelet(), memory="leave it to the profile pinned-numa")
        return
    fields = profile_fields(intent, settings)
    if intent.profile in PINNING and fields["cpuManagerPolicy"] != "static":
        yield Infeasible(
            f"the profile {intent.profile} needs the static CPU manager, and cpu_manager_policy: none is written",
            "take that out of kubelet, or choose the profile shared",
            {"kubelet.cpu_manager_policy": None},
        )
        return
    static = fields.get("memoryManagerPolicy") == "Static"
    yield from broken_rules(_as_planned(intent, fields), memory="leave it out, and it is computed" if static else "")


def _as_planned(intent: CpuIntent, fields: dict[str, Any]) -> dict[str, Any]:
    """Fill in what the plan of a host decides where nothing is written."""
    planned = dict(fields)
    amounts = [part for part in ("kubeReserved", "systemReserved") if "cpu" in fields.get(part, {})]
    if intent.profile in PINNING and "reservedSystemCPUs" not in fields and not amounts:
        planned["kubeReserved"] = {**fields.get("kubeReserved", {}), "cpu": str(DEFAULT_CPU)}
    if fields.get("memoryManagerPolicy") == "Static" and "reservedMemory" not in fields:
        del planned["memoryManagerPolicy"]  # its equation is the plan's to keep
    return planned


def broken_rules(fields: dict[str, Any], host: KubeletHost | None = None, memory: str = "") -> Iterator[Infeasible]:
    """Yield what a kubelet refuses of fields, in the words of the site file.

    Args:
        fields: of the kubelet.
        host: where it is to run, if that is known.
        memory: another remedy for what is wrong with reservedMemory.
    """
    for refusal in refusals(fields, host):
        more = f"; or {memory}" if memory and refusal.field.startswith("reservedMemory") else ""
        change = {f"kubelet.{site_words(refusal.field)}": refusal.write}
        yield Infeasible(site_words(refusal.message), f"{site_words(refusal.remedy)}{more}", change)


def kubelet_host(topology: Topology, *, control_plane: bool) -> KubeletHost:
    """Return of a host what the kubelet's rules look at."""
    return KubeletHost(
        cpus=topology.online,
        numa={node.id: node.memory_kib * _KIB for node in topology.numa},
        cpu_nodes=len([node for node in topology.numa if node.cpus]),
        sockets=len(topology.sockets),
        memory=sum(node.memory_kib for node in topology.numa) * _KIB,
        distances=all(node.distances for node in topology.numa),
        control_plane=control_plane,
    )
