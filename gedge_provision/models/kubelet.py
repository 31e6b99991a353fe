"""Kubelet settings of a node class (KubeletConfiguration v1beta1, Kubernetes 1.36)."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from gedge_provision.models.base import Document, Integer
from gedge_provision.models.cpusets import Cpuset, format_cpuset, parse_cpuset
from gedge_provision.models.quantities import Quantity

__all__ = ["EVICTION_BYTES", "KubeletSettings", "MemoryReservation", "Reservation"]

CpuManagerOption = Literal[
    "full-pcpus-only",
    "strict-cpu-reservation",
    "prefer-align-cpus-by-uncorecache",
    "distribute-cpus-across-numa",
]
TopologyManagerOption = Literal["prefer-closest-numa-nodes", "max-allowable-numa-nodes"]

EVICTION_BYTES = Decimal(100 * 2**20)
"""What the kubelet keeps free unless told otherwise (evictionHard memory.available, 100Mi)."""

_FEWEST_NUMA_NODES = 8  # pkg/kubelet/cm/topologymanager/policy_options.go
# Pairs that make the kubelet refuse to start (pkg/kubelet/cm/cpumanager/policy_options.go).
_EXCLUSIVE: tuple[tuple[CpuManagerOption, CpuManagerOption], ...] = (
    ("prefer-align-cpus-by-uncorecache", "distribute-cpus-across-numa"),
)


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
    memory: Bytes | None = None
    hugepages_2mi: Bytes | None = Field(None, description="Memory in huge pages of 2Mi.")
    hugepages_1gi: Bytes | None = Field(None, description="Memory in huge pages of 1Gi.")

    def to_kubelet(self) -> dict[str, object]:
        """Return the reservation in the kubelet's own words."""
        limits = {"memory": self.memory, "hugepages-2Mi": self.hugepages_2mi, "hugepages-1Gi": self.hugepages_1gi}
        return {
            "numaNode": self.numa_node,
            "limits": {name: str(value) for name, value in limits.items() if value is not None},
        }


class KubeletSettings(Document):
    """What the kubelet of a node class runs with; what has no default here keeps the kubelet's own."""

    cpu_manager_policy: Literal["none", "static"] = Field(
        "none", description="static gives Guaranteed pods with whole CPUs those CPUs for themselves."
    )
    cpu_manager_policy_options: dict[CpuManagerOption, bool] = Field(default_factory=dict)
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
    max_pods: Annotated[int, Field(ge=1, le=1000)] = 110

    @model_validator(mode="after")
    def _check_reservation(self) -> Self:
        reserved = (self.kube_reserved.cpu, self.system_reserved.cpu)
        positive = any(value is not None and value.amount > 0 for value in reserved)
        if self.cpu_manager_policy == "static" and not positive and self.reserved_system_cpus is None:
            raise ValueError(
                "the static CPU manager needs CPUs reserved for the system"
                " -> set kube_reserved.cpu, for example 500m, or reserved_system_cpus"
            )
        if self.reserved_system_cpus is not None and any(value is not None for value in reserved):
            raise ValueError(
                "reserved_system_cpus replaces kube_reserved.cpu and system_reserved.cpu -> keep one of the two ways"
            )
        return self

    @model_validator(mode="after")
    def _check_memory(self) -> Self:
        if self.memory_manager_policy == "None":
            if self.reserved_memory:
                raise ValueError(
                    "reserved_memory acts only under the Static policy -> set memory_manager_policy: Static"
                )
            return self
        reserved = [
            value.amount for value in (self.kube_reserved.memory, self.system_reserved.memory) if value is not None
        ]
        wanted = sum(reserved, EVICTION_BYTES)
        given = sum(entry.memory.amount for entry in self.reserved_memory if entry.memory is not None)
        if not self.reserved_memory:
            raise ValueError(
                "the Static memory manager needs to know what is reserved on each NUMA node"
                f" -> set reserved_memory, together {wanted / 2**20:f}Mi; or leave it to the profile pinned-numa"
            )
        if given != wanted:
            raise ValueError(
                f"reserved_memory is {given / 2**20:f}Mi, but kube_reserved, system_reserved and the eviction "
                f"threshold are {wanted / 2**20:f}Mi -> the kubelet starts only when they are equal"
            )
        return self

    @model_validator(mode="after")
    def _check_options(self) -> Self:
        chosen = {name for name, on in self.cpu_manager_policy_options.items() if on}
        if chosen and self.cpu_manager_policy != "static":
            raise ValueError(
                "cpu_manager_policy_options act only under the static policy -> set cpu_manager_policy: static"
            )
        most = self.topology_manager_policy_options.get("max-allowable-numa-nodes", _FEWEST_NUMA_NODES)
        if isinstance(most, bool) or most < _FEWEST_NUMA_NODES:
            raise ValueError(
                f"max-allowable-numa-nodes is {str(most).lower()}, and the kubelet takes numbers from "
                f"{_FEWEST_NUMA_NODES} only -> leave it out, or write the number of NUMA nodes of the largest host"
            )
        closest = self.topology_manager_policy_options.get("prefer-closest-numa-nodes", False)
        if not isinstance(closest, bool):
            raise ValueError(f"prefer-closest-numa-nodes is {closest} -> write true or false")  # noqa: TRY004
        if self.topology_manager_policy_options and self.topology_manager_policy == "none":
            raise ValueError(
                "topology_manager_policy_options act only under another policy than none"
                " -> set topology_manager_policy, for example best-effort"
            )
        for one, other in _EXCLUSIVE:
            if {one, other} <= chosen:
                raise ValueError(f"the options {one} and {other} exclude each other -> switch one off")
        return self

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
