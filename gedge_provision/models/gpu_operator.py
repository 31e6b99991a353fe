"""The GPU operator in the site file: what holds for all nodes, since a cluster has one ClusterPolicy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gedge_provision.models.base import Boolean, Document, Integer
from gedge_provision.models.gpu import DriverVersion, MigLayoutName
from gedge_provision.models.wording import Form

__all__ = ["Allocation", "GpuDriver", "GpuOperator", "GpuToolkit", "MigPart", "MigStrategy"]

Allocation = Literal["device-plugin", "dra"]
MigStrategy = Literal["none", "single", "mixed"]
KernelModules = Literal["auto", "open", "proprietary"]
ThreeNumbers = Annotated[str, Form(r"\d+\.\d+\.\d+", "exact version", "write all three numbers, without v: 26.7.0")]
ChartServer = Annotated[
    str,
    Form(
        r"https?://[^\s/\"@]+(/[^\s\"]*)?",
        "address of a chart server",
        "write where its index.yaml lies, without credentials: https://charts.example.org/gpu",
    ),
]
MigProfile = Annotated[
    str, Form(r"[1-7]g\.\d+gb(\+[a-z.]+)?", "MIG profile", "write it as nvidia-smi mig -lgip does: 1g.10gb, 1g.10gb+me")
]


class GpuDriver(Document):
    """The driver that the operator installs."""

    version: DriverVersion | None = Field(None, description="Its version; unset means the operator's default.")
    kernel_modules: KernelModules = Field(
        "auto", description="Kind of its kernel modules; `auto` chooses by GPU, from driver 570.86.15 on."
    )


class GpuToolkit(Document):
    """NVIDIA's container toolkit, which the operator installs."""

    version: ThreeNumbers | None = Field(None, description="Its version; unset means the operator's default.")
    nri: Boolean = Field(
        default=True,
        description="Reach containers through containerd's plugin interface (NRI). Otherwise the toolkit changes "
        "containerd's configuration.",
    )


class MigPart(Document):
    """What some of a node's GPUs are divided into."""

    devices: Literal["all"] | Annotated[tuple[Annotated[Integer, Field(ge=0, le=63)], ...], Field(min_length=1)] = (
        Field("all", description="Numbers of GPUs as nvidia-smi has them, or `all`.")
    )
    profiles: dict[MigProfile, Annotated[Integer, Field(ge=1, le=16)]] = Field(
        default_factory=dict, description="How many of each profile: `1g.10gb: 5`; empty leaves the GPU whole."
    )


class GpuOperator(Document):
    """The NVIDIA GPU operator of a site."""

    version: ThreeNumbers = Field("26.7.0", description="Its version, one of those that are known here.")
    chart_server: ChartServer | None = Field(
        None,
        description="A chart server of your own that has the operator's chart, as the first control-plane node reaches "
        "it; unset means the chart of the artifact store.",
    )
    allocation: Allocation = Field(
        "device-plugin",
        description="How pods get GPUs: `device-plugin` as a resource, `dra` by claims (Kubernetes 1.34.2 and later). "
        "For all nodes, from the beginning.",
    )
    driver: GpuDriver = Field(default_factory=GpuDriver, description="The driver that the operator installs.")
    toolkit: GpuToolkit = Field(default_factory=GpuToolkit, description="NVIDIA's container toolkit.")
    cdi: Boolean = Field(default=True, description="Give devices to containers by CDI specifications.")
    mig_strategy: MigStrategy | None = Field(
        None,
        description="How MIG devices are offered: `single` as nvidia.com/gpu, `mixed` by profile, `none` not at all. "
        "Unset means single.",
    )
    mig_layouts: dict[MigLayoutName, Annotated[tuple[MigPart, ...], Field(min_length=1)]] = Field(
        default_factory=dict,
        description="Layouts of your own, by name; they replace those that the MIG manager makes from the hardware.",
    )
    pass_device_specs: Boolean | None = Field(
        None,
        description="Have the device plugin name device files, which pods need beside static CPUs. Unset means the "
        "operator's default, and true with static CPUs.",
    )
    dcgm_exporter: Boolean = Field(default=True, description="Export metrics of GPUs for Prometheus.")
    feature_discovery: Boolean | None = Field(
        None, description="Label nodes with kind, memory and driver of their GPUs; unset means true, not under dra."
    )
    timeout_s: Annotated[Integer, Field(ge=60, le=86400)] = Field(
        1800, description="Longest time in seconds that an apply waits for the stack; drivers take minutes."
    )
    compute_domains: Boolean | None = Field(
        None, description="Under dra: claims for NVLink between nodes (GB200 and alike); unset means false."
    )
