"""How the CPUs, the memory and the interrupts of one host are divided, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from gedge_provision.models.cpu_intent import SetAside
from gedge_provision.models.errors import UsageError
from gedge_provision.models.topology import Cpus

__all__ = ["CpuPlan", "Decision", "HugePages", "Infeasible", "InfeasibleError", "Tuning"]


class _Computed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Decision(_Computed):
    """One choice: what about, what was chosen, and why."""

    subject: str
    choice: str
    reason: str


class HugePages(_Computed):
    """Huge pages that a NUMA node is to have, and when they are set aside."""

    numa_node: int
    size_kib: int
    count: int
    at: SetAside = "boot"


class Tuning(_Computed):
    """What the host is tuned to beside the kubelet.

    Attributes:
        kernel_arguments: for the boot loader.
        system_cpus: the CPUs of system services (systemd CPUAffinity); empty for all.
        irq_cpus: the CPUs that take interrupts of no device in particular; empty where they are left alone.
        device_cpus: the CPUs that take a device's interrupts, by PCI address.
        rps_cpus: the CPUs that receive packets for other queues (receive packet steering), by interface.
        settings: kernel settings by their names in a snapshot (`numa_balancing`, `transparent_hugepage`, `governor`).
        huge_pages: how many are set aside while the host runs, by NUMA node and size in KiB.
    """

    kernel_arguments: tuple[str, ...] = ()
    system_cpus: Cpus = frozenset()
    irq_cpus: Cpus = frozenset()
    device_cpus: dict[str, Cpus] = Field(default_factory=dict)
    rps_cpus: dict[str, Cpus] = Field(default_factory=dict)
    settings: dict[str, str] = Field(default_factory=dict)
    huge_pages: dict[int, dict[int, int]] = Field(default_factory=dict)


class CpuPlan(_Computed):
    """The plan of one host. `reserved`, `isolated` and `shared` are apart, and together all CPUs that are online.

    Attributes:
        host: its name.
        reserved: CPUs for the system, Kubernetes and interrupts.
        isolated: CPUs that the kernel keeps its own work off; pods own them.
        shared: all others: pods own some of them, the rest is shared by the other pods.
        offline: CPUs that are present and not online.
        allocatable_millicpu: CPU time that pods can ask for, in thousandths of a CPU.
        kubelet: fields of the KubeletConfiguration (v1beta1), in the kubelet's own words.
        huge_pages: by NUMA node and size.
        tuning: of the host.
        decisions: every choice with its reason, in the order in which they were made.
    """

    host: str
    reserved: Cpus
    isolated: Cpus
    shared: Cpus
    offline: Cpus = frozenset()
    allocatable_millicpu: int
    kubelet: dict[str, Any]
    huge_pages: tuple[HugePages, ...] = ()
    tuning: Tuning = Field(default_factory=Tuning)
    decisions: tuple[Decision, ...] = ()


@dataclass(frozen=True)
class Infeasible:
    """Why an intent cannot be met on a host, and the smallest change with which it can.

    Attributes:
        message: why.
        remedy: the change, in words.
        change: what it writes, by the places of the site file within a node class (`cpus.spread`,
            `kubelet.kube_reserved.cpu`); None there takes it out. Empty where that is the owner's to choose.
    """

    message: str
    remedy: str
    change: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.message} -> {self.remedy}"


class InfeasibleError(UsageError):
    """An intent cannot be met on a host; says everything that stands in the way."""

    def __init__(self, host: str, problems: Sequence[Infeasible]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{problem.message}\n-> {problem.remedy}" for problem in problems), place=host)
