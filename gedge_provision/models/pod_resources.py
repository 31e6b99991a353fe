"""What a kubelet tells of the CPUs, memory and devices that pods have, as the module `pod_resources` gives it.

Source: k8s.io/kubelet, pkg/apis/podresources/v1; pkg/kubelet/cm, checkpoints of the CPU and memory managers.
"""

from __future__ import annotations

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from gedge_provision.models.alignment import KubeletPolicies
from gedge_provision.models.topology import Cpus, Topology

__all__ = [
    "ContainerResources",
    "HeldDevices",
    "HeldMemory",
    "ManagerState",
    "NodeLook",
    "NodeResources",
    "PodResources",
]


class _Told(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


class HeldDevices(_Told):
    """Devices of one resource in one place.

    Attributes:
        resource: as pods ask for it.
        ids: as the device plugin names them; PCI addresses of network cards.
        numa_nodes: those that they are near; none where nobody knows.
    """

    resource: str
    ids: tuple[str, ...]
    numa_nodes: tuple[int, ...] = ()


class HeldMemory(_Told):
    """Memory (kind `memory`) or huge pages (`hugepages-1Gi` ...) from these NUMA nodes together, in bytes."""

    kind: str = Field(validation_alias=AliasChoices("kind", "type"))
    bytes: int = Field(validation_alias=AliasChoices("bytes", "size"))
    numa_nodes: tuple[int, ...] = Field((), validation_alias=AliasChoices("numa_nodes", "numaAffinity"))


class ContainerResources(_Told):
    """What a container owns: CPUs that nobody else uses, memory set aside on NUMA nodes, devices."""

    name: str = ""
    cpus: Cpus = frozenset()
    memory: tuple[HeldMemory, ...] = ()
    devices: tuple[HeldDevices, ...] = ()


class PodResources(_Told):
    """A pod with its containers; of init containers only those that go on running (sidecars) are told."""

    namespace: str
    name: str
    containers: tuple[ContainerResources, ...] = ()

    @property
    def full_name(self) -> str:
        """Namespace and name."""
        return f"{self.namespace}/{self.name}"


class ManagerState(_Told):
    """The state file of the CPU manager or of the memory manager.

    Attributes:
        readable: whether it is what a kubelet writes.
        policy: the policy that the kubelet runs with.
        shared: the CPUs that nobody owns.
        entries: what containers own, by UID of the pod and name: a list of CPUs, or blocks of memory.
    """

    readable: bool = True
    policy: str = ""
    shared: Cpus = frozenset()
    entries: dict[str, dict[str, Cpus | tuple[HeldMemory, ...]]] = Field(default_factory=dict)


class NodeResources(_Told):
    """What a node tells.

    Attributes:
        pods: those that run, or are about to.
        allocatable: what pods could own altogether; no CPUs where the policy lets nobody own any.
        cpu_state: of the CPU manager; None without such a file.
        memory_state: of the memory manager.
        pod_names: namespace/name by UID, of pods that have been there lately.
        kubelet: what its configuration says.
    """

    pods: tuple[PodResources, ...]
    allocatable: ContainerResources
    cpu_state: ManagerState | None = None
    memory_state: ManagerState | None = None
    pod_names: dict[str, str] = Field(default_factory=dict)
    kubelet: KubeletPolicies = KubeletPolicies()


class NodeLook(_Told):
    """What was seen of a node over SSH: what its kubelet tells, and what its kernel tells."""

    told: NodeResources
    topology: Topology
