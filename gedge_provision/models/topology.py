"""The topology of a host: CPUs, caches, NUMA nodes, PCI devices and interrupts, as the module `topology` reads them.

Source: Linux kernel, Documentation/ABI/stable/sysfs-devices-system-cpu, sysfs-devices-node, testing/sysfs-bus-pci.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator

from gedge_provision.models.cpusets import format_cpuset, parse_cpuset

__all__ = [
    "Cache",
    "Core",
    "Cpu",
    "CpuKind",
    "Cpus",
    "Device",
    "DeviceKind",
    "HugePages",
    "Irq",
    "NumaNode",
    "Topology",
]


def _parsed(value: Any) -> Any:  # noqa: ANN401 - whatever stands in the document
    if isinstance(value, str):
        return parse_cpuset(value) if value else frozenset()
    return value


Cpus = Annotated[frozenset[int], BeforeValidator(_parsed), PlainSerializer(format_cpuset, return_type=str)]
"""A set of CPUs; a CPU list in JSON, empty text for none."""

CpuKind = Literal["performance", "efficiency"]
DeviceKind = Literal["network", "gpu", "nvme", "accelerator"]
UNKNOWN_NODE = -1
"""NUMA node of a device whose place the firmware does not tell."""


class _Snapshot(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Cpu(_Snapshot):
    """An online CPU: a hardware thread.

    Attributes:
        id: its number.
        socket: physical package.
        die: die in the package.
        core: core id, unique in its die only.
        siblings: the online CPUs of its core, itself included.
        kind: kind of its core, where a machine has two.
    """

    id: int
    socket: int = 0
    die: int = 0
    core: int = 0
    siblings: Cpus
    kind: CpuKind = "performance"


class Core(_Snapshot):
    """A core: the online CPUs that share its units, with the place they have in common."""

    cpus: Cpus
    socket: int
    die: int
    core: int
    numa_node: int
    kind: CpuKind = "performance"


class Cache(_Snapshot):
    """A cache from the second level on, with the CPUs that share it; `size_kib` is 0 where it is not told."""

    level: int
    size_kib: int = 0
    cpus: Cpus


class HugePages(_Snapshot):
    """Huge pages of one size on a NUMA node."""

    size_kib: int
    total: int
    free: int = 0


class NumaNode(_Snapshot):
    """A NUMA node.

    Attributes:
        id: its number.
        cpus: its online CPUs; none where it is memory alone.
        memory_kib: its memory; 0 where it has none.
        distances: to the node of each id, in units of a tenth of the way to itself (ACPI SLIT).
        huge_pages: by size, ascending.
    """

    id: int
    cpus: Cpus
    memory_kib: int = 0
    distances: dict[int, int] = Field(default_factory=dict)
    huge_pages: tuple[HugePages, ...] = ()


class Device(_Snapshot):
    """A PCI device that services use.

    Attributes:
        address: PCI address.
        kind: what it is.
        vendor: PCI vendor id.
        device: PCI device id.
        driver: its driver, empty without one.
        numa_node: -1 where the firmware does not tell.
        local_cpus: the CPUs near it.
        interfaces: its network interfaces.
        physical_function: PCI address of the physical function, of a virtual one.
        total_vfs: how many virtual functions it can have.
        vfs: how many it has.
        irqs: numbers of its interrupts.
    """

    address: str
    kind: DeviceKind
    vendor: str = ""
    device: str = ""
    driver: str = ""
    numa_node: int = UNKNOWN_NODE
    local_cpus: Cpus = frozenset()
    interfaces: tuple[str, ...] = ()
    physical_function: str = ""
    total_vfs: int = 0
    vfs: int = 0
    irqs: tuple[int, ...] = ()


class Irq(_Snapshot):
    """An interrupt.

    Attributes:
        number: as in /proc/interrupts.
        actions: who takes it, in the names that drivers give.
        cpus: the CPUs that may take it.
    """

    number: int
    actions: str = ""
    cpus: Cpus


class Topology(_Snapshot):
    """What a host's /sys and /proc tell, at one moment.

    Attributes:
        host: its name.
        architecture: as `uname -m` prints it.
        processor: name of the processor, empty where the kernel does not tell.
        kernel: release of the kernel.
        command_line: what the kernel was booted with.
        container: whether this is a container, which shows the CPUs of the machine that carries it.
        present: CPUs of the machine, online or not.
        isolated: CPUs that the scheduler does not balance (isolcpus).
        nohz_full: CPUs without a tick while they run one task.
        cpus: the online ones.
        caches: from the second level on.
        numa: the NUMA nodes; one without a number of its own where the kernel knows none.
        devices: network cards, GPUs, NVMe disks and accelerators, by PCI address.
        irqs: the interrupts, by number.
        settings: kernel settings that concern CPUs and memory, as they are now.
    """

    schema_version: Literal[1] = 1
    host: str = ""
    architecture: str = "x86_64"
    processor: str = ""
    kernel: str = ""
    command_line: str = ""
    container: bool = False
    present: Cpus
    isolated: Cpus = frozenset()
    nohz_full: Cpus = frozenset()
    cpus: tuple[Cpu, ...] = Field(min_length=1)
    caches: tuple[Cache, ...] = ()
    numa: tuple[NumaNode, ...] = Field(min_length=1)
    devices: tuple[Device, ...] = ()
    irqs: tuple[Irq, ...] = ()
    settings: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        online = self.online
        for cpu in self.cpus:
            if cpu.id not in cpu.siblings or not cpu.siblings <= online:
                raise ValueError(
                    f"CPU {cpu.id} has the siblings {format_cpuset(cpu.siblings)}, not all of them online"
                    " -> record the host anew: gedge topology show --output json"
                )
        placed = [cpu for node in self.numa for cpu in node.cpus]
        if sorted(placed) != sorted(online):
            raise ValueError(
                f"the NUMA nodes have the CPUs {format_cpuset(placed)}, online are {format_cpuset(online)}"
                " -> record the host anew: gedge topology show --output json"
            )
        return self

    @cached_property
    def online(self) -> frozenset[int]:
        """The CPUs that are online."""
        return frozenset(cpu.id for cpu in self.cpus)

    @property
    def offline(self) -> frozenset[int]:
        """The CPUs that are present and not online."""
        return self.present - self.online

    @cached_property
    def by_id(self) -> Mapping[int, Cpu]:
        """The online CPUs by number."""
        return {cpu.id: cpu for cpu in self.cpus}

    @cached_property
    def node_of(self) -> Mapping[int, int]:
        """NUMA node of each online CPU."""
        return {cpu: node.id for node in self.numa for cpu in node.cpus}

    @cached_property
    def cores(self) -> tuple[Core, ...]:
        """The cores, in the order of their place: socket, die, last-level cache, core id."""
        found: dict[frozenset[int], Core] = {}
        for cpu in self.cpus:
            found[cpu.siblings] = Core(
                cpus=cpu.siblings,
                socket=cpu.socket,
                die=cpu.die,
                core=cpu.core,
                numa_node=self.node_of[cpu.id],
                kind=cpu.kind,
            )
        groups = {cpu: place for place, cache in enumerate(self.last_level_caches) for cpu in cache.cpus}
        return tuple(
            sorted(
                found.values(),
                key=lambda core: (core.socket, core.die, groups.get(min(core.cpus), 0), core.core, min(core.cpus)),
            )
        )

    @cached_property
    def last_level_caches(self) -> tuple[Cache, ...]:
        """The caches of the highest level (the uncore cache of the kubelet), in the order of their cores' places."""
        level = max((cache.level for cache in self.caches), default=0)

        def place(cache: Cache) -> tuple[int, int, int, int]:
            return min(
                (cpu.socket, cpu.die, cpu.core, cpu.id)
                for cpu in (self.by_id[number] for number in cache.cpus & self.online)
            )

        return tuple(sorted((c for c in self.caches if c.level == level and c.cpus & self.online), key=place))

    @property
    def sockets(self) -> tuple[int, ...]:
        """Numbers of the sockets with an online CPU."""
        return tuple(sorted({cpu.socket for cpu in self.cpus}))

    @property
    def threads_per_core(self) -> tuple[int, ...]:
        """The numbers of online CPUs that cores have, ascending: (2,) with SMT, (1, 2) where cores differ."""
        return tuple(sorted({len(core.cpus) for core in self.cores}))

    def siblings_of(self, cpus: frozenset[int]) -> frozenset[int]:
        """Return these CPUs with all that share their cores."""
        return frozenset(other for cpu in cpus if cpu in self.by_id for other in self.by_id[cpu].siblings)

    def node(self, number: int) -> NumaNode | None:
        """Return the NUMA node of that number, or None."""
        return next((node for node in self.numa if node.id == number), None)
