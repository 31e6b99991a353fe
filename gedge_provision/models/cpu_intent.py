"""What a node class asks of the CPUs and the memory of its hosts; the plan for each host is computed from it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from gedge_provision.models.base import Boolean, Document, Integer
from gedge_provision.models.topology import DeviceKind

__all__ = ["CpuIntent", "HugePageRequest", "Latency", "Profile", "SetAside", "Spread"]

Profile = Literal["shared", "pinned", "pinned-numa"]
Latency = Literal["normal", "low", "isolated"]
Spread = Literal["packed", "numa"]
SetAside = Literal["boot", "runtime"]


class HugePageRequest(Document):
    """Huge pages of one size."""

    size: Literal["2Mi", "1Gi"] = Field(description="Size of a page.")
    count: Annotated[Integer, Field(ge=1, le=1_000_000)] = Field(
        description="How many pages, on all NUMA nodes together."
    )
    numa_node: Annotated[Integer, Field(ge=0)] | None = Field(
        None, description="Have all of them on this NUMA node; unset spreads them evenly."
    )
    at: SetAside = Field(
        "boot",
        description="`boot`: by the kernel when it starts; a change takes a reboot. `runtime`: while the host runs, "
        "and again at each boot; a change restarts the kubelet.",
    )

    @property
    def size_kib(self) -> int:
        """Size of one page in KiB."""
        return 2048 if self.size == "2Mi" else 1048576


class CpuIntent(Document):
    """What the plan of a host's CPUs is made for.

    How much is reserved stands in the kubelet settings (`kube_reserved`, `system_reserved`).
    """

    profile: Profile = Field(
        "shared",
        description="`shared`: all pods share all CPUs. `pinned`: whole cores are reserved for the system, "
        "Guaranteed pods own theirs. `pinned-numa`: also CPUs, devices and memory of a pod come from one NUMA node.",
    )
    full_cores: Boolean | None = Field(
        None,
        description="Reserve, and give to pods, by whole cores only; not for shared. Unset: where all cores have as "
        "many threads.",
    )
    spread: Spread | None = Field(
        None,
        description="Where the reserved cores are: `packed` on as few NUMA nodes as possible, `numa` on all in turn. "
        "Unset: `numa` for pinned-numa, else `packed`.",
    )
    devices: tuple[DeviceKind, ...] = Field(
        ("network", "gpu"), description="Kinds of devices whose NUMA nodes keep a core for their interrupts."
    )
    latency: Latency = Field(
        "normal",
        description="`low`: interrupts and system services stay on the reserved CPUs, frequencies stay high. "
        "`isolated`: the kernel keeps its own work off the other CPUs too; takes a reboot.",
    )
    huge_pages: tuple[HugePageRequest, ...] = Field((), description="Huge pages of the host, by NUMA node.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.profile == "shared" and self.latency != "normal":
            raise ValueError(
                f"latency {self.latency} needs CPUs that are reserved for the system -> choose the profile pinned or "
                "pinned-numa"
            )
        if self.profile == "shared" and self.spread is not None:
            raise ValueError("the profile shared reserves no cores that could be spread -> leave spread out")
        if self.profile == "shared" and self.full_cores is not None:
            raise ValueError(
                "the profile shared gives no cores away, so full_cores has nothing to decide -> leave it out, or "
                "choose the profile pinned or pinned-numa"
            )
        sizes = {request.size for request in self.huge_pages if request.numa_node is None}
        if len(sizes) < sum(request.numa_node is None for request in self.huge_pages):
            raise ValueError("huge pages of one size are asked for twice -> add them up, or name a numa_node for each")
        if {request.size for request in self.huge_pages if request.at == "boot"} & {
            request.size for request in self.huge_pages if request.at == "runtime"
        }:
            raise ValueError("huge pages of one size are asked for at boot and at run time -> choose one for each size")
        return self
