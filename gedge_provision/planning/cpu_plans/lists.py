"""CPU lists that were written by hand, in kernel arguments: do they fit the host, and one another?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gedge_provision.models.cpu_plan import Infeasible
from gedge_provision.models.cpusets import format_cpuset, parse_cpuset
from gedge_provision.models.topology import Topology

__all__ = ["check_arguments"]

_LISTS = frozenset({"isolcpus", "nohz_full", "rcu_nocbs"})
_FLAGS = ("domain", "managed_irq", "nohz")


@dataclass(frozen=True)
class _CpuArgument:
    """A kernel argument that names CPUs: what stands before the list, and the CPUs."""

    start: str
    cpus: frozenset[int]

    def with_cpus(self, cpus: frozenset[int]) -> str:
        return f"{self.start}{format_cpuset(cpus)}"


def _parsed(argument: str) -> _CpuArgument | None:
    """Return a kernel argument that keeps other work off CPUs; None for one about something else.

    Source: Linux kernel, Documentation/admin-guide/kernel-parameters.txt, isolcpus, nohz_full, rcu_nocbs.

    Raises:
        ValueError: its list is no CPU list.
    """
    name, _, value = argument.partition("=")
    if name not in _LISTS:
        return None
    parts = value.split(",")
    flags = [part for part in parts if part in _FLAGS] if name == "isolcpus" else []
    text = ",".join(parts[len(flags) :])
    if text in {"", "all"}:
        return None
    return _CpuArgument("".join([f"{name}=", *(f"{flag}," for flag in flags)]), parse_cpuset(text))


def check_arguments(topology: Topology, arguments: Sequence[str], reserved: frozenset[int]) -> tuple[Infeasible, ...]:
    """Say what is wrong with the CPU lists of kernel arguments on a host.

    Args:
        topology: of the host.
        arguments: what the kernel boots with.
        reserved: CPUs for the system; none where they are not known.
    """
    return tuple(problem for argument in arguments for problem in _check(topology, argument, reserved))


def _check(topology: Topology, argument: str, reserved: frozenset[int]) -> Iterator[Infeasible]:
    try:
        parsed = _parsed(argument)
    except ValueError as error:
        message, _, remedy = str(error).partition(" -> ")
        yield Infeasible(f"kernel argument {argument}: {message}", remedy)
        return
    if parsed is None:
        return
    present = parsed.cpus & topology.present
    siblings = topology.siblings_of(reserved) - reserved
    if missing := parsed.cpus - topology.present:
        yield Infeasible(
            f"kernel argument {argument}: this host has no CPU {format_cpuset(missing)}, its CPUs are "
            f"{format_cpuset(topology.present)}",
            f"write {parsed.with_cpus(present)}" if present else "leave it out",
        )
    if both := present & reserved:
        yield Infeasible(
            f"kernel argument {argument}: CPUs {format_cpuset(both)} are reserved for the system, which needs its "
            "tick there",
            f"write {parsed.with_cpus(present - reserved)}",
        )
    if halves := present & siblings:
        yield Infeasible(
            f"kernel argument {argument}: CPUs {format_cpuset(halves)} share cores with CPUs that are reserved for "
            "the system",
            f"reserve whole cores (reserved_system_cpus: {format_cpuset(reserved | siblings)}) and write "
            f"{parsed.with_cpus(present - siblings - reserved)}",
        )
    if torn := topology.siblings_of(present) - present - reserved:
        yield Infeasible(
            f"kernel argument {argument}: CPUs {format_cpuset(torn)} share cores with its CPUs, and do the kernel's "
            "work beside them",
            f"write {parsed.with_cpus((present | torn) - reserved)}",
        )
