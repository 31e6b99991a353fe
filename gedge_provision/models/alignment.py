"""What is known of a node by which its kubelet admits pods: its topology, its devices, and the kubelet's policies.

Each node that gedge has set up carries it as an annotation, from which the fit of a service is told.
Source: Kubernetes documentation, "Control CPU Management Policies on the Node", "Control Topology Management Policies
on a Node" and "Utilizing the NUMA-aware Memory Manager".
"""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from gedge_provision.models.quantities import Quantity
from gedge_provision.models.topology import Cpus

__all__ = ["ALIGNMENT", "Alignment", "KubeletPolicies", "NumaNode"]

ALIGNMENT = "gedge.dev/alignment"
"""Annotation of the nodes that gedge has set up."""


class _Known(BaseModel):
    model_config = ConfigDict(frozen=True)


class NumaNode(_Known):
    """A NUMA node of a host.

    Attributes:
        id: its number.
        cores: the CPUs of each of its cores; none where it is memory alone.
        sockets: its CPUs by number of their socket.
        caches: its CPUs by number of their last-level cache; none where the kernel tells of none.
        memory_kib: its memory.
        distances: to each NUMA node in the order of their numbers; none where the kernel tells of none.
        devices: how many devices hang off it, by resource.
    """

    id: int
    cores: tuple[Cpus, ...]
    sockets: dict[int, Cpus]
    caches: dict[int, Cpus] = Field(default_factory=dict)
    memory_kib: int = 0
    distances: tuple[int, ...] = ()
    devices: dict[str, int] = Field(default_factory=dict)


def _switched_on(value: Any) -> Any:  # noqa: ANN401 - whatever stands in the file
    if isinstance(value, dict):
        return tuple(sorted(name for name, setting in value.items() if str(setting).lower() in {"true", "1", "t"}))
    return value


def _bytes_by_node(value: Any) -> Any:  # noqa: ANN401 - whatever stands in the file
    if not isinstance(value, list):
        return value
    return {
        entry["numaNode"]: {kind: int(Quantity(amount).amount) for kind, amount in entry["limits"].items()}
        for entry in value
    }


class KubeletPolicies(BaseModel):
    """What the kubelet's configuration says of owning CPUs, memory and devices, in the kubelet's own words.

    Attributes:
        cpu: policy of the CPU manager: none or static.
        cpu_options: its options that are switched on.
        topology: policy of the topology manager: none, best-effort, restricted, single-numa-node.
        topology_options: its options that are switched on.
        scope: whether it aligns each container or pods as a whole.
        memory: policy of the memory manager: None or Static.
        reserved: the CPUs that are reserved by name.
        reserved_cpus: how many are reserved where none is named; the kubelet chooses them.
        reserved_memory: bytes that no pod may own, by NUMA node and kind of memory.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)

    cpu: str = Field("none", validation_alias=AliasChoices("cpu", "cpuManagerPolicy"))
    cpu_options: Annotated[tuple[str, ...], BeforeValidator(_switched_on)] = Field(
        (), validation_alias=AliasChoices("cpu_options", "cpuManagerPolicyOptions")
    )
    topology: str = Field("none", validation_alias=AliasChoices("topology", "topologyManagerPolicy"))
    topology_options: Annotated[tuple[str, ...], BeforeValidator(_switched_on)] = Field(
        (), validation_alias=AliasChoices("topology_options", "topologyManagerPolicyOptions")
    )
    scope: str = Field("container", validation_alias=AliasChoices("scope", "topologyManagerScope"))
    memory: str = Field("None", validation_alias=AliasChoices("memory", "memoryManagerPolicy"))
    reserved: Cpus = Field(frozenset(), validation_alias=AliasChoices("reserved", "reservedSystemCPUs"))
    reserved_cpus: int = 0
    reserved_memory: Annotated[dict[int, dict[str, int]], BeforeValidator(_bytes_by_node)] = Field(
        default_factory=dict, validation_alias=AliasChoices("reserved_memory", "reservedMemory")
    )

    @model_validator(mode="before")
    @classmethod
    def _count_reserved(cls, data: Any) -> Any:  # noqa: ANN401 - whatever stands in the file
        """Round the CPU time of both reservations up to whole CPUs, as the CPU manager does."""
        if not isinstance(data, dict):
            return data
        named = [(data.get(part) or {}).get("cpu", "0") for part in ("kubeReserved", "systemReserved")]
        count = math.ceil(sum(Quantity(amount).amount for amount in named))
        return {**data, "reserved_cpus": count} if count and not data.get("reservedSystemCPUs") else data


class Alignment(_Known):
    """What is known of a node.

    Attributes:
        numa: its NUMA nodes.
        policies: of its kubelet.
        huge_pages: how many there are, by NUMA node and size in KiB.
    """

    numa: tuple[NumaNode, ...] = Field(min_length=1)
    policies: KubeletPolicies
    huge_pages: dict[int, dict[int, int]] = Field(default_factory=dict)
