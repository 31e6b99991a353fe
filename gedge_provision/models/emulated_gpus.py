"""Emulated GPUs in the site file: what the kubelet counts and aligns like GPUs, with nothing behind it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from gedge_provision.models.base import Boolean, Document, Integer
from gedge_provision.models.wording import Form

__all__ = ["EmulatedGpus"]

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
GpuResource = Annotated[
    str,
    Form(
        # Kubernetes keeps its own domains, and requests. is how quotas count resources (IsExtendedResourceName).
        rf"(?!requests\.)(?![a-z0-9.-]*kubernetes\.io/)(?=.{{1,127}}$){_LABEL}(\.{_LABEL})+"
        r"/[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?",
        "resource to emulate",
        "write DOMAIN/NAME, like nvidia.com/gpu, nvidia.com/mig-1g.5gb or nvidia.com/gpu.shared",
    ),
]


class EmulatedGpus(Document):
    """Emulated GPUs of each node of a class: pods ask for them and get them, and no program can compute on them."""

    resource: GpuResource = Field("nvidia.com/gpu", description="Resource under which pods get them.")
    count: Annotated[Integer, Field(ge=1, le=16)] = Field(1, description="Emulated GPUs on each node.")
    slices: Annotated[Integer, Field(ge=1, le=48)] = Field(
        1,
        description="Devices that each of them is offered as: MIG-like instances where the name begins with `mig-`, "
        "otherwise time slices.",
    )
    numa_nodes: tuple[Annotated[Integer, Field(ge=0, le=1023)], ...] = Field(
        (), description="NUMA nodes of the GPUs, in turn: [0, 1] puts every other one on node 1. Unset: on none."
    )
    cdi: Boolean = Field(default=False, description="Containers get the device files by CDI instead of by the kubelet.")
