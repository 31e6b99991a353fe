"""What the pods of a node own, where it is, and what is wrong with that."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from gedge_provision.models.alignment import KubeletPolicies
from gedge_provision.models.pod_resources import HeldDevices, HeldMemory
from gedge_provision.models.topology import Cpus

__all__ = ["ContainerHolding", "NodePods", "Remark", "RemarkKind", "Severity"]

Severity = Literal["error", "note"]
RemarkKind = Literal[
    "cpus-spread",
    "devices-apart",
    "memory-apart",
    "half-core",
    "reserved",
    "offline",
    "shared",
    "state-differs",
    "policy-differs",
    "gone",
]


class _Computed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ContainerHolding(_Computed):
    """What a container owns.

    Attributes:
        namespace: of its pod.
        pod: name of its pod.
        container: its name.
        cpus: the CPUs that are its own; none where it shares.
        numa_nodes: those of its CPUs.
        memory: what the memory manager set aside, by NUMA nodes.
        devices: by resource and NUMA nodes.
        init: whether it is an init container, whose CPUs go to the containers after it; one that asked for more of them
            than those keeps the rest as long as its pod is there.
    """

    namespace: str
    pod: str
    container: str
    cpus: Cpus = frozenset()
    numa_nodes: tuple[int, ...] = ()
    memory: tuple[HeldMemory, ...] = ()
    devices: tuple[HeldDevices, ...] = ()
    init: bool = False

    @property
    def full_name(self) -> str:
        """Namespace and name of its pod."""
        return f"{self.namespace}/{self.pod}"

    @property
    def nothing(self) -> bool:
        """Whether it owns nothing."""
        return not (self.cpus or self.memory or self.devices)


class Remark(_Computed):
    """Something that is not as one would wish.

    Attributes:
        severity: error: against what the kubelet was told to keep, or its word against itself; note: allowed, and
            maybe not wanted.
        kind: what it is, for programs.
        pod: namespace/name, empty where it concerns the node.
        container: name of the container, empty where it concerns the pod.
        message: what is so.
        remedy: what to do.
    """

    severity: Severity
    kind: RemarkKind
    pod: str = ""
    container: str = ""
    message: str
    remedy: str


class NodePods(_Computed):
    """What the pods of a node own.

    Attributes:
        node: its name.
        problem: why it does not tell; the rest is empty then.
        policies: what its kubelet was told to keep.
        reserved: CPUs that no pod may own.
        shared: CPUs that nobody owns, and on which all containers run that own none; where nobody can own CPUs, all.
        containers: by namespace and pod.
        remarks: about single containers, pods, and the node, in this order.
    """

    node: str
    problem: str = ""
    policies: KubeletPolicies = KubeletPolicies()
    reserved: Cpus = frozenset()
    shared: Cpus = frozenset()
    containers: tuple[ContainerHolding, ...] = ()
    remarks: tuple[Remark, ...] = ()

    @property
    def wrong(self) -> bool:
        """Whether something is misaligned against the kubelet's policies, or inconsistent."""
        return any(remark.severity == "error" for remark in self.remarks)
