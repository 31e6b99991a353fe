"""What the host is tuned to beside the kubelet: interrupts, kernel arguments, system services."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gedge_provision.models.cpu_intent import CpuIntent
from gedge_provision.models.cpu_plan import Decision, HugePages, Tuning
from gedge_provision.models.cpusets import format_cpuset
from gedge_provision.models.topology import Topology
from gedge_provision.planning.cpu_plans.reserve import used_devices

__all__ = ["tune"]

_SIZES = {2048: "2M", 1048576: "1G"}


def tune(
    topology: Topology, intent: CpuIntent, reserved: frozenset[int], huge_pages: tuple[HugePages, ...]
) -> tuple[Tuning, tuple[Decision, ...]]:
    """Return what a host is tuned to, with the reasons."""
    pages = list(_page_arguments([one for one in huge_pages if one.at == "boot"]))
    later = _pages_at_run_time(huge_pages)
    if intent.latency == "normal":
        return Tuning(kernel_arguments=tuple(pages), huge_pages=later), ()
    others = topology.online - reserved
    device_cpus, rps_cpus = {}, {}
    for device in used_devices(topology, intent):
        near = _near(topology, device.numa_node, reserved)
        if device.irqs or device.total_vfs:  # those of its virtual functions go with it
            device_cpus[device.address] = near
        rps_cpus.update(dict.fromkeys(device.interfaces, near))
    arguments = []
    decisions = [
        Decision(
            subject="interrupts",
            choice=format_cpuset(reserved),
            reason=f"latency {intent.latency}: interrupts do not disturb pods; those of a device and of its virtual "
            "functions are taken on its NUMA node",
        ),
        Decision(
            subject="system services",
            choice=format_cpuset(reserved),
            reason="systemd starts them there, they stay off the CPUs of pods",
        ),
    ]
    if intent.latency == "isolated":
        cpus = format_cpuset(others)
        arguments = [
            # Without the flag domain: the scheduler must still balance the threads of a pod over its CPUs.
            f"isolcpus=managed_irq,{cpus}",
            f"nohz_full={cpus}",
            f"rcu_nocbs={cpus}",
            f"irqaffinity={format_cpuset(reserved)}",
        ]
        decisions.append(
            Decision(
                subject="isolated CPUs",
                choice=cpus,
                reason="latency isolated: no tick, no callbacks and no managed interrupts of the kernel's there; the "
                "scheduler still balances, since a pod with several CPUs needs it to",
            )
        )
    tuning = Tuning(
        kernel_arguments=(*arguments, *pages),
        system_cpus=reserved,
        irq_cpus=reserved,
        device_cpus=device_cpus,
        rps_cpus=rps_cpus,
        settings={"numa_balancing": "0", "transparent_hugepage": "madvise", "governor": "performance"},
        huge_pages=later,
    )
    return tuning, tuple(decisions)


def _near(topology: Topology, numa_node: int, reserved: frozenset[int]) -> frozenset[int]:
    """Return the reserved CPUs of the NUMA node, or of the nearest one that has some."""
    home = topology.node(numa_node)
    distances = home.distances if home else {}
    nodes = {topology.node_of[cpu] for cpu in reserved}
    nearest = min(nodes, key=lambda node: (node != numa_node, distances.get(node, 0), node))
    return frozenset(cpu for cpu in reserved if topology.node_of[cpu] == nearest)


def _page_arguments(huge_pages: Sequence[HugePages]) -> Iterator[str]:
    """Yield the arguments by which the kernel sets huge pages aside when it starts, before memory is in pieces.

    By NUMA node (kernel-parameters, hugepages=). The kubelet counts them when it starts, which is after a boot too.
    """
    for size in sorted({pages.size_kib for pages in huge_pages}):
        yield f"hugepagesz={_SIZES[size]}"
        yield "hugepages=" + ",".join(
            f"{pages.numa_node}:{pages.count}" for pages in huge_pages if pages.size_kib == size
        )


def _pages_at_run_time(huge_pages: Sequence[HugePages]) -> dict[int, dict[int, int]]:
    """Return the numbers of pages that are set aside while the host runs, by NUMA node and size."""
    found: dict[int, dict[int, int]] = {}
    for one in huge_pages:
        if one.at == "runtime":
            found.setdefault(one.numa_node, {})[one.size_kib] = one.count
    return found
