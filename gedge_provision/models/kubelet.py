"""Kubelet settings of a node class (KubeletConfiguration v1beta1, Kubernetes 1.36)."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from gedge_provision.models.base import Document
from gedge_provision.models.quantities import Quantity

__all__ = ["KubeletSettings", "Reservation", "parse_cpuset"]

CpuManagerOption = Literal[
    "full-pcpus-only",
    "strict-cpu-reservation",
    "prefer-align-cpus-by-uncorecache",
    "distribute-cpus-across-numa",
]
TopologyManagerOption = Literal["prefer-closest-numa-nodes", "max-allowable-numa-nodes"]

# Pairs that make the kubelet refuse to start (pkg/kubelet/cm/cpumanager/policy_options.go).
_EXCLUSIVE: tuple[tuple[CpuManagerOption, CpuManagerOption], ...] = (
    ("prefer-align-cpus-by-uncorecache", "distribute-cpus-across-numa"),
)

_LAST_CPU = 8191  # NR_CPUS of the largest kernels that distributions build for x86_64


def parse_cpuset(text: str) -> frozenset[int]:
    """Parse a Linux CPU list such as `0-3,8,10-15`.

    Raises:
        ValueError: it is no CPU list.
    """
    cpus: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part.strip())
        if not match:
            raise ValueError(f"{text!r} is no CPU list -> write it like 0-1,8")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise ValueError(f"{part!r} counts downwards -> write {last}-{first}")
        if last > _LAST_CPU:
            raise ValueError(f"Linux has no CPU {last} -> use numbers up to {_LAST_CPU}")
        cpus.update(range(first, last + 1))
    return frozenset(cpus)


def _check_cpuset(text: str) -> str:
    parse_cpuset(text)
    return text


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


class KubeletSettings(Document):
    """What the kubelet of a node class runs with; what has no default here keeps the kubelet's own."""

    cpu_manager_policy: Literal["none", "static"] = Field(
        "none", description="static gives Guaranteed pods with whole CPUs those CPUs for themselves."
    )
    cpu_manager_policy_options: dict[CpuManagerOption, bool] = Field(default_factory=dict)
    reserved_system_cpus: Annotated[str, AfterValidator(_check_cpuset)] | None = Field(
        None, description="CPU list for system and Kubernetes daemons; replaces the CPU part of both reservations."
    )
    kube_reserved: Reservation = Field(default_factory=Reservation)
    system_reserved: Reservation = Field(default_factory=Reservation)
    topology_manager_policy: Literal["none", "best-effort", "restricted", "single-numa-node"] = "best-effort"
    topology_manager_scope: Literal["container", "pod"] = "container"
    topology_manager_policy_options: dict[TopologyManagerOption, bool | int] = Field(default_factory=dict)
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
    def _check_options(self) -> Self:
        chosen = {name for name, on in self.cpu_manager_policy_options.items() if on}
        if chosen and self.cpu_manager_policy != "static":
            raise ValueError(
                "cpu_manager_policy_options act only under the static policy -> set cpu_manager_policy: static"
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
        optional: dict[str, object] = {
            "cpuManagerPolicyOptions": {k: str(v).lower() for k, v in sorted(self.cpu_manager_policy_options.items())},
            "topologyManagerPolicyOptions": {
                k: str(v).lower() for k, v in sorted(self.topology_manager_policy_options.items())
            },
            "reservedSystemCPUs": self.reserved_system_cpus,
            "kubeReserved": self.kube_reserved.to_kubelet(),
            "systemReserved": self.system_reserved.to_kubelet(),
        }
        return fields | {name: value for name, value in optional.items() if value}
