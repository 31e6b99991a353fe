"""CPU lists that were written by hand, in kernel arguments: do they fit the host, and one another?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gedge_provision.models.cpu_plan import Infeasible
from gedge_provision.models.cpusets import format_cpuset, parse_cpuset
from gedge_provision.models.topology import Topology

__all__ = ["check_list"]

_LISTS = frozenset({"isolcpus", "nohz_full", "rcu_nocbs"})
_INTERRUPTS = "irqaffinity"
_FLAGS = ("domain", "managed_irq", "nohz")


@dataclass(frozen=True)
class _CpuArgument:
    """A kernel argument that names CPUs: what stands before the list, and the CPUs."""

    start: str
    cpus: frozenset[int]

    def with_cpus(self, cpus: frozenset[int]) -> str:
        return f"{self.start}{format_cpuset(cpus)}"


def _parsed(argument: str, present: frozenset[int], *, reserving: bool) -> _CpuArgument | None:
    """Return a kernel argument that names CPUs; None for one about something else.

    `all` stands for every CPU, where some are reserved; where none are it is the owner's choice. N is the last CPU.

    Source: Linux kernel, Documentation/admin-guide/kernel-parameters.txt, isolcpus, nohz_full, rcu_nocbs, irqaffinity;
    kernel-parameters.rst, "cpu lists".

    Raises:
        ValueError: its list is no CPU list.
    """
    name, _, value = argument.partition("=")
    if name not in {*_LISTS, _INTERRUPTS}:
        return None
    parts = value.split(",")
    flags = [part for part in parts if part in _FLAGS] if name == "isolcpus" else []
    text = ",".join(parts[len(flags) :])
    if not text or (text == "all" and (name == "rcu_nocbs" or not reserving)):  # callbacks may be moved off every CPU
        return None
    cpus = present if text == "all" else parse_cpuset(re.sub(r"\bN\b", str(max(present)), text))
    return _CpuArgument("".join([f"{name}=", *(f"{flag}," for flag in flags)]), cpus)


def check_list(
    topology: Topology, argument: str, reserved: frozenset[int], irq_cpus: frozenset[int] = frozenset()
) -> Iterator[Infeasible]:
    """Yield what is wrong with the CPU list of a kernel argument on a host; nothing where it has none.

    Args:
        topology: of the host.
        argument: what the kernel boots with.
        reserved: CPUs for the system; none where they are not known.
        irq_cpus: CPUs that the plan has interrupts on; none where it leaves them alone.
    """
    try:
        parsed = _parsed(argument, topology.present, reserving=bool(reserved))
    except ValueError as error:
        message, _, remedy = str(error).partition(" -> ")
        yield Infeasible(f"kernel argument {argument}: {message}", remedy)
        return
    if parsed is None:
        return
    if argument.startswith(_INTERRUPTS):
        yield from _interrupts(topology, argument, parsed, irq_cpus)
        return
    present = parsed.cpus & topology.present
    siblings = topology.siblings_of(reserved) - reserved
    # One remedy for all that is wrong: two would contradict each other.
    best = (present | topology.siblings_of(present)) - reserved - siblings
    remedy = f"write {parsed.with_cpus(best)}" if best else "leave it out"
    yield from _missing(topology, argument, parsed, remedy)
    if both := present & reserved:
        yield Infeasible(
            f"kernel argument {argument}: CPUs {format_cpuset(both)} are reserved for the system, which needs its "
            "tick there",
            remedy,
        )
    if halves := present & siblings:
        yield Infeasible(
            f"kernel argument {argument}: CPUs {format_cpuset(halves)} share cores with CPUs that are reserved for "
            "the system",
            f"reserve whole cores (reserved_system_cpus: {format_cpuset(reserved | siblings)}) and {remedy}",
        )
    if torn := topology.siblings_of(present) - present - reserved:
        yield Infeasible(
            f"kernel argument {argument}: CPUs {format_cpuset(torn)} share cores with its CPUs, and do the kernel's "
            "work beside them",
            remedy,
        )


def _missing(topology: Topology, argument: str, parsed: _CpuArgument, remedy: str) -> Iterator[Infeasible]:
    if missing := parsed.cpus - topology.present:
        yield Infeasible(
            f"kernel argument {argument}: this host has no CPU {format_cpuset(missing)}, its CPUs are "
            f"{format_cpuset(topology.present)}",
            remedy,
        )


def _interrupts(
    topology: Topology, argument: str, parsed: _CpuArgument, irq_cpus: frozenset[int]
) -> Iterator[Infeasible]:
    """Yield what is wrong with the CPUs that take interrupts by default."""
    best = (parsed.cpus & topology.present & (irq_cpus or topology.present)) or irq_cpus
    remedy = f"write {parsed.with_cpus(best)}" if best else "leave it out"
    yield from _missing(topology, argument, parsed, remedy)
    if irq_cpus and (others := parsed.cpus & topology.present - irq_cpus):
        yield Infeasible(
            f"kernel argument {argument}: the plan keeps interrupts off CPUs {format_cpuset(others)}, which pods own",
            f"{remedy}, or leave it out",
        )
