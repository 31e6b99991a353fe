"""GPUs in the site file: what nodes of one kind ask of theirs. What holds for all nodes stands in gpu_operator.py."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gedge_provision.models.base import Boolean, Document, Integer
from gedge_provision.models.wording import Form

__all__ = ["DriverSource", "DriverVersion", "GpuIntent", "GpuSharing", "MigLayoutName", "NodeGpu", "PeerAccess"]

DriverSource = Literal["operator", "preinstalled", "none"]
PeerAccess = Literal["dma-buf", "nvidia-peermem"]
DriverVersion = Annotated[
    str, Form(r"\d{3}\.\d+(\.\d+)?", "version of a GPU driver", "write it as nvidia-smi does, in quotes: '595.91.07'")
]
MigLayoutName = Annotated[
    str,
    Form(
        r"[a-z0-9]([a-z0-9._+-]{0,61}[a-z0-9])?",
        "name of a MIG layout",
        "write one of mig_layouts, or a layout that the MIG manager makes: all-1g.10gb, all-balanced, all-disabled",
    ),
]
GpuResource = Annotated[
    str,
    Form(
        r"nvidia\.com/(gpu|mig-\d+c?(\.\d+)?g\.\d+gb(\.[a-z.]+)?)",
        "resource of the GPU device plugin",
        "write nvidia.com/gpu, or of a MIG device nvidia.com/mig-1g.10gb",
    ),
]


class GpuSharing(Document):
    """How several containers share one GPU."""

    mode: Literal["time-slicing", "mps"] = Field(
        description="`time-slicing`: they take turns, with all of the memory and one fault domain. `mps`: each has an "
        "equal part of memory and cores (experimental upstream; whole GPUs only).",
    )
    replicas: Annotated[dict[GpuResource, Annotated[Integer, Field(ge=2, le=1000)]], Field(min_length=1)] = Field(
        description="How often each device is offered, by resource: `nvidia.com/gpu: 4`."
    )
    rename: Boolean = Field(
        default=False, description="Offer them as `nvidia.com/gpu.shared`, so that nobody gets a part by mistake."
    )
    one_each: Boolean | None = Field(
        None,
        description="Refuse containers that ask for more than one: two of them are no more of the GPU. For "
        "time-slicing; unset means true.",
    )


class GpuIntent(Document):
    """What nodes of a class ask of their NVIDIA GPUs."""

    driver: DriverSource = Field(
        "operator",
        description="`operator`: in a container, by the GPU operator. `preinstalled`: on the host, by you. `none`: the "
        "operator leaves the nodes alone.",
    )
    driver_version: DriverVersion | None = Field(
        None, description="Which driver the hosts have, where it is preinstalled: held against what is needed."
    )
    mig: MigLayoutName | None = Field(
        None, description="How every GPU of the nodes is divided: a key of gpu_operator.mig_layouts, or `all-1g.10gb`."
    )
    sharing: GpuSharing | None = Field(None, description="How containers share a GPU; unset: one container has it.")
    gpudirect_rdma: PeerAccess | None = Field(
        None,
        description="Network cards read and write the memory of GPUs: through the kernel's `dma-buf` (open kernel "
        "modules), or the old module `nvidia-peermem`.",
    )


class NodeGpu(Document):
    """What one node asks of its GPUs instead of its class."""

    mig: MigLayoutName = Field(description="Instead of that of its class.")
