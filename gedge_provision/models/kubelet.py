"""Kubelet settings of a node class (KubeletConfiguration v1beta1, Kubernetes 1.36)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from gedge_provision.models.base import Document, Integer
from gedge_provision.models.cpusets import Cpuset, format_cpuset, parse_cpuset
from gedge_provision.models.kubelet_rules import ALPHA_GATE, ALPHA_OPTIONS
from gedge_provision.models.quantities import Quantity

__all__ = ["KubeletSettings", "MemoryReservation", "Reservation"]

CpuManagerOption = Literal[
    "full-pcpus-only",
    "strict-cpu-reservation",
    "prefer-align-cpus-by-uncorecache",
    "distribute-cpus-across-numa",
    "align-by-socket",
    "distribute-cpus-across-cores",
]
TopologyManagerOption = Literal["prefer-closest-numa-nodes", "max-allowable-numa-nodes"]


def _check_cpu_time(value: Quantity) -> Quantity:
    if value.unit not in ("", "m"):
        raise ValueError(f"{value} is no CPU time -> write it like 500m or 2; {value.unit} is for memory and disks")
    return value


def _check_bytes(value: Quantity) -> Quantity:
    if value.unit == "m":
        raise ValueError(f"{value} is a fraction of a byte -> write it like 1Gi; m is for cpu")
    return value


CpuTime = Annotated[Quantity, AfterValidator(_check_cpu_time)]
Bytes = Annotated[Quantity, AfterValidator(_check_bytes)]


class Reservation(Document):
    """Resources kept away from pods, as Kubernetes quantities."""

    cpu: CpuTime | None = Field(None, description="CPU time, for example 500m.")
    memory: Bytes | None = Field(None, description="Memory, for example 1Gi.")
    ephemeral_storage: Bytes | None = Field(None, description="Disk space of the kubelet's file system.")
    pid: Annotated[int, Field(gt=0)] | None = Field(None, description="Process ids.")

    def to_kubelet(self) -> dict[str, str]:
        """Return the reservation in the kubelet's own words."""
        values = {
            "cpu": self.cpu,
            "memory": self.memory,
            "ephemeral-storage": self.ephemeral_storage,
            "pid": self.pid,
        }
        return {name: str(value) for name, value in values.items() if value is not None}


class MemoryReservation(Document):
    """Memory of a NUMA node that the memory manager keeps away from pods."""

    numa_node: Annotated[Integer, Field(ge=0)]
    memory: Bytes

    def to_kubelet(self) -> dict[str, object]:
        """Return the reservation in the kubelet's own words."""
        return {"numaNode": self.numa_node, "limits": {"memory": str(self.memory)}}


class KubeletSettings(Document):
    """What the kubelet of a node class runs with; what has no default here keeps the kubelet's own.

    What holds across these fields depends on the profile too: planning.kubelet_checks and the solver ask kubelet_rules.
    """

    cpu_manager_policy: Literal["none", "static"] = Field(
        "none", description="static gives Guaranteed pods with whole CPUs those CPUs for themselves."
    )
    cpu_manager_policy_options: dict[CpuManagerOption, bool] = Field(
        default_factory=dict,
        description="Options of the static policy; `align-by-socket` and `distribute-cpus-across-cores` are alpha, and "
        "bring their feature gate.",
    )
    reserved_system_cpus: Cpuset | None = Field(
        None, description="CPU list for system and Kubernetes daemons; replaces the CPU part of both reservations."
    )
    kube_reserved: Reservation = Field(default_factory=Reservation)
    system_reserved: Reservation = Field(default_factory=Reservation)
    topology_manager_policy: Literal["none", "best-effort", "restricted", "single-numa-node"] = "best-effort"
    topology_manager_scope: Literal["container", "pod"] = "container"
    topology_manager_policy_options: dict[TopologyManagerOption, bool | int] = Field(default_factory=dict)
    memory_manager_policy: Literal["None", "Static"] = Field(
        "None", description="Static gives Guaranteed pods memory of the NUMA nodes that their CPUs are on."
    )
    reserved_memory: tuple[MemoryReservation, ...] = Field(
        (),
        description="What Static keeps away from pods on each NUMA node; together as much as kube_reserved, "
        "system_reserved and the eviction threshold (100Mi).",
    )
    max_pods: Annotated[Integer, Field(ge=1, le=1000)] = 110

    def to_kubelet(self) -> dict[str, object]:
        """Return the KubeletConfiguration fields that these settings decide, in the kubelet's own words."""
        fields: dict[str, object] = {
            "cpuManagerPolicy": self.cpu_manager_policy,
            "topologyManagerPolicy": self.topology_manager_policy,
            "topologyManagerScope": self.topology_manager_scope,
            "maxPods": self.max_pods,
        }
        if self.memory_manager_policy != "None":
            fields["memoryManagerPolicy"] = self.memory_manager_policy
        if set(ALPHA_OPTIONS) & set(self.cpu_manager_policy_options):
            fields["featureGates"] = {ALPHA_GATE: True}  # written is asked for
        optional: dict[str, object] = {
            "cpuManagerPolicyOptions": {k: str(v).lower() for k, v in sorted(self.cpu_manager_policy_options.items())},
            "topologyManagerPolicyOptions": {
                k: str(v).lower() for k, v in sorted(self.topology_manager_policy_options.items())
            },
            "reservedSystemCPUs": self._reserved_list(),
            "kubeReserved": self.kube_reserved.to_kubelet(),
            "systemReserved": self.system_reserved.to_kubelet(),
            "reservedMemory": [entry.to_kubelet() for entry in self.reserved_memory],
        }
        return fields | {name: value for name, value in optional.items() if value}

    def _reserved_list(self) -> str | None:
        """Return the reserved CPUs as the kubelet reads them: it knows no strides."""
        return self.reserved_system_cpus and format_cpuset(parse_cpuset(self.reserved_system_cpus))
