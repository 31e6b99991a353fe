"""Kernel arguments that were written by hand, beside a plan: lists of CPUs, numbers of CPUs, huge pages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from gedge_provision.models.cpu_plan import Infeasible
from gedge_provision.models.topology import Topology
from gedge_provision.models.wording import counted
from gedge_provision.planning.cpu_plans.lists import check_list
from gedge_provision.planning.cpu_plans.memory import NODE_MEMORY_KIB

__all__ = ["check_arguments"]

_KIB = {"K": 1, "M": 2**10, "G": 2**20}
_USUAL_KIB = 2048
"""Size of a huge page where no argument names one; x86, and Arm with base pages of 4 KiB."""


def check_arguments(
    topology: Topology,
    arguments: Sequence[str],
    reserved: frozenset[int],
    irq_cpus: frozenset[int] = frozenset(),
) -> tuple[Infeasible, ...]:
    """Say what is wrong with kernel arguments on a host that is planned.

    Args:
        topology: of the host.
        arguments: what the kernel boots with.
        reserved: CPUs for the system; none where they are not known.
        irq_cpus: CPUs that the plan has interrupts on; none where it leaves them alone.
    """
    lists = (problem for argument in arguments for problem in check_list(topology, argument, reserved, irq_cpus))
    return (*lists, *_fewer_cpus(topology, arguments), *_huge_pages(topology, arguments))


def _fewer_cpus(topology: Topology, arguments: Sequence[str]) -> Iterator[Infeasible]:
    """Yield arguments with which CPUs of the plan would be gone after a boot; the kubelet would not start again.

    Source: Linux kernel, Documentation/admin-guide/kernel-parameters.txt, maxcpus, nr_cpus, nosmt, mitigations.
    """
    online = len(topology.online)
    for argument in arguments:
        name, _, value = argument.partition("=")
        left = online
        if name in {"maxcpus", "nr_cpus"} and value.isdecimal():
            left = min(int(value) or 1, online)
        elif name == "nosmt" or (name == "mitigations" and "nosmt" in value.split(",")):
            left = len(topology.cores)
        if left < online:
            yield Infeasible(
                f"kernel argument {argument}: the plan is made for the {counted(online, 'CPU')} that are online, and "
                f"{left} would be left",
                "leave it out; or boot the host with it first, and the plan is made for what is left",
            )


def _huge_pages(topology: Topology, arguments: Sequence[str]) -> Iterator[Infeasible]:
    """Yield huge pages that would leave the host no memory.

    Source: Linux kernel, Documentation/admin-guide/mm/hugetlbpage.rst (hugepagesz, hugepages, default_hugepagesz).
    """
    size = (
        next((_kib(value) for name, _, value in map(_split, arguments) if name == "default_hugepagesz"), None)
        or _USUAL_KIB
    )
    asked = 0
    for name, _, value in map(_split, arguments):
        if name == "hugepagesz":
            size = _kib(value) or size
        elif name == "hugepages":
            counts = [part.rpartition(":")[2] for part in value.split(",")]
            asked += size * sum(int(count) for count in counts if count.isdecimal())
    memory = sum(node.memory_kib for node in topology.numa)
    left, needed = memory - asked, NODE_MEMORY_KIB
    if asked and left < needed:
        yield Infeasible(
            f"kernel argument hugepages: {asked // 1024}Mi of huge pages leave the host {left // 1024}Mi of "
            f"{memory // 1024}Mi, and a node needs {needed // 1024}Mi at least",
            "ask for fewer, best under cpus.huge_pages, which places them",
        )


def _split(argument: str) -> tuple[str, str, str]:
    return argument.partition("=")


def _kib(text: str) -> int | None:
    """Return a size such as 1G in KiB; None where it is none."""
    match = re.fullmatch(r"(\d+)([KMG])", text.upper(), re.ASCII)
    return int(match[1]) * _KIB[match[2]] if match else None
