"""Emulated-hardware nodes: what a site file says of them, and what one is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from gedge_provision.models.base import Boolean, Document, Integer
from gedge_provision.models.kubelet import Bytes
from gedge_provision.models.quantities import Quantity

__all__ = ["Accelerator", "EmulatedNode", "Kernel", "Machine", "Nic"]

Kernel = Literal["backports", "stable"]
Accelerator = Literal["kvm", "tcg"]
"""Who runs a guest's processor: the host's own (kvm), or software (tcg), 18 to 29 times slower."""


class EmulatedNode(Document):
    """The hardware that a node of the lab seems to have: it is a QEMU guest in place of a container."""

    sockets: Annotated[Integer, Field(ge=1, le=4, description="Processor sockets.")] = 2
    cores: Annotated[Integer, Field(ge=1, le=8, description="Cores of a socket.")] = 2
    threads: Annotated[Integer, Field(ge=1, le=2, description="Threads of a core (SMT).")] = 2
    numa_nodes: Annotated[Integer, Field(ge=1, le=4, description="They share the sockets, memory and NICs evenly.")] = 2
    memory: Bytes = Field(Quantity("4Gi"), description="Memory of the node; the host gives what the node touches.")
    nics_per_numa_node: Annotated[Integer, Field(ge=0, le=4)] = Field(
        1, description="NICs of Intel's type 82576 (driver igb, up to 7 VFs each), all on the lab's data switch."
    )
    iommu: Boolean = Field(
        default=False,
        description="Give it an IOMMU (Intel), which its kernel leaves off until arguments switch it on.",
    )
    kernel: Kernel = Field("backports", description="Kernel of Debian's backports, or of its stable release.")


@dataclass(frozen=True)
class Nic:
    """A NIC with SR-IOV of an emulated node.

    Attributes:
        tap: the TAP device on the host that its cable ends in.
        mac: its address.
        numa_node: the NUMA node that its PCI bus belongs to.
        number: counts the NICs of the NUMA node.
    """

    tap: str
    mac: str
    numa_node: int
    number: int


@dataclass(frozen=True)
class Machine:
    """A guest as it was made: what starting it again needs.

    Attributes:
        name: how QEMU's process is found.
        address: of the node, on the lab's bridge.
        made_of: digest of what decided about it.
        argv: QEMU's command line; relative paths lie in the node's folder.
        bridges: the bridge that each of its TAP devices is plugged into.
    """

    name: str
    address: str
    made_of: str
    argv: tuple[str, ...]
    bridges: dict[str, str]
