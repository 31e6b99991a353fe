"""What is kept away from pods: amounts, a list of CPUs, and by which cgroups it is enforced.

cmd/kubelet/app/server.go (getReservedCPUs, parseResourceList), pkg/kubelet/apis/config/validation,
pkg/kubelet/cm/cpumanager/cpu_manager.go, pkg/kubelet/cm/node_container_manager_linux.go; Kubernetes 1.35 to 1.37.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal

from gedge_provision.models.cpusets import format_cpuset
from gedge_provision.models.kubelet_rules._base import Fields, KubeletHost, Refusal, amount, cpu_list, nearest
from gedge_provision.models.wording import counted

__all__ = ["larger_reservation", "reservation_refusals", "reserved_amount"]

_CONTROL_PLANE_CPU = Decimal("0.65")
"""CPU time that the static pods of kubeadm ask for: API server 250m, controllers 200m, scheduler and etcd 100m each."""
_SOME_CPU = "500m"
_RESOURCES = ("cpu", "memory", "ephemeral-storage", "pid")
_RESERVATIONS = ("kubeReserved", "systemReserved")


def reserved_amount(fields: Fields, resource: str) -> Decimal | None:
    """Return what both reservations have of a resource together; None where neither names it, or not as a quantity."""
    given = [amount(fields[name][resource]) for name in _RESERVATIONS if resource in (fields.get(name) or {})]
    known = [value for value in given if value is not None]
    return sum(known, Decimal(0)) if known and len(known) == len(given) else None


def larger_reservation(fields: Fields, resource: str, most: Decimal | int) -> tuple[str, str]:
    """Return the larger reservation of a resource, and what it may have for both to be no more than `most`."""
    amounts = {name: amount((fields.get(name) or {}).get(resource, "0")) or Decimal(0) for name in _RESERVATIONS}
    name = max(amounts, key=lambda name: amounts[name])
    rest = math.floor(most - sum(amounts.values()) + amounts[name])
    return f"{name}.{resource}", str(max(rest, 0))


def reservation_refusals(fields: Fields, host: KubeletHost | None = None) -> Iterator[Refusal]:
    """Yield what is wrong with reservations."""
    listed = fields.get("reservedSystemCPUs") or ""
    cpus = cpu_list(listed) if listed else frozenset()
    for name in _RESERVATIONS:
        for resource, value in (fields.get(name) or {}).items():
            if resource != "cpu" or not cpus:  # beside a list the kubelet drops them unread
                yield from _amount(name, resource, value)
    if cpus is None:
        yield Refusal(
            "reservedSystemCPUs", f"reservedSystemCPUs is {listed!r}, which is no CPU list", "write it like 0-1,8"
        )
        return
    if cpus:
        yield from _beside_list(fields)
        if host is not None:
            yield from _list_on_host(listed, cpus, host)
    else:
        yield from _by_amount(fields, host)
    if host is not None:
        yield from _left_for_control_plane(fields, cpus, host)


def _amount(name: str, resource: str, value: str) -> Iterator[Refusal]:
    place = f"{name}.{resource}"
    found = amount(value)
    if resource not in _RESOURCES:
        yield Refusal(place, f"{resource!r} cannot be reserved in {name}", nearest(resource, _RESOURCES))
    elif found is None:
        yield Refusal(place, f"{place} is {value!r}, which is no Kubernetes quantity", "write it like 500m, 2 or 1Gi")
    elif found < 0:
        yield Refusal(place, f"{place} is {value}, and nothing can be reserved below zero", "write 0 or more")


def _beside_list(fields: Fields) -> Iterator[Refusal]:
    for name in _RESERVATIONS:
        if "cpu" in (fields.get(name) or {}):
            yield Refusal(
                f"{name}.cpu",
                f"reservedSystemCPUs replaces {name}.cpu",
                f"keep one of the two ways: take out {name}.cpu, or the list",
                stricter=True,
            )
    cgroups = [name for name in ("systemReservedCgroup", "kubeReservedCgroup") if fields.get(name)]
    if cgroups:
        yield Refusal(
            "reservedSystemCPUs",
            f"reservedSystemCPUs cannot stand beside {' and '.join(cgroups)}",
            "take one of them out",
        )


def _list_on_host(listed: str, cpus: frozenset[int], host: KubeletHost) -> Iterator[Refusal]:
    if missing := cpus - host.cpus:
        left = cpus & host.cpus
        yield Refusal(
            "reservedSystemCPUs",
            f"reservedSystemCPUs is {listed}, and of these CPUs {format_cpuset(missing)} are not online; online are "
            f"{format_cpuset(host.cpus)}",
            f"write {format_cpuset(left)}" if left else "name CPUs that are online",
        )
    if cpus >= host.cpus:
        yield Refusal(
            "reservedSystemCPUs",
            f"reservedSystemCPUs is {listed}: no CPU is left for pods",
            f"leave one out, as {max(host.cpus)}",
            stricter=True,
        )


def _by_amount(fields: Fields, host: KubeletHost | None) -> Iterator[Refusal]:
    reserved = reserved_amount(fields, "cpu")
    named = [f"{name}.cpu" for name in _RESERVATIONS if "cpu" in (fields.get(name) or {})]
    static = fields.get("cpuManagerPolicy") == "static"
    if static and (not named or reserved == 0):
        yield Refusal(
            named[0] if named else "cpuManagerPolicy",
            "the static CPU manager needs CPUs reserved for the system",
            f"set kubeReserved.cpu, for example {_SOME_CPU}, or reservedSystemCPUs",
            write=_SOME_CPU if named else None,
        )
    if host is None or reserved is None:
        return
    number = len(host.cpus)
    amounts = "1 CPU is" if reserved == 1 else f"{_plain(reserved)} CPUs are"
    together = f"{amounts} reserved (kubeReserved and systemReserved together)"
    less = f"reserve {number - 1} at most" if number > 1 else f"reserve less than it has, for example {_SOME_CPU}"
    field, write = larger_reservation(fields, "cpu", number - 1)
    if reserved > number:
        message = f"{together}, and the host has {counted(number, 'CPU')}"
        yield Refusal(field, message, less, write=write)
    elif static and math.ceil(reserved) == number:
        message = (
            f"{together}, which the static CPU manager rounds up to all of {counted(number, 'CPU')}: none is left for "
            "pods to own"
        )
        if number > 1:
            yield Refusal(field, message, less, stricter=True, write=write)
        else:
            yield Refusal("cpuManagerPolicy", message, "set cpuManagerPolicy: none", stricter=True)
    elif reserved == number:
        message = f"{together}, which is all that the host has: no pod that asks for CPU time can run there"
        yield Refusal(field, message, less, stricter=True, write=write)


def _left_for_control_plane(fields: Fields, cpus: frozenset[int], host: KubeletHost) -> Iterator[Refusal]:
    reserved = Decimal(len(cpus)) if cpus else reserved_amount(fields, "cpu") or Decimal(0)
    left = len(host.cpus) - reserved
    needed = f"{_CONTROL_PLANE_CPU * 1000:.0f}m"
    if host.control_plane and not cpus >= host.cpus and 0 <= left < _CONTROL_PLANE_CPU:
        field, write = larger_reservation(fields, "cpu", len(host.cpus) - _CONTROL_PLANE_CPU)
        yield Refusal(
            "reservedSystemCPUs" if cpus else field,
            f"{_plain(reserved)} of {counted(len(host.cpus), 'CPU')} are reserved, and the API server, etcd and the "
            f"other static pods of a control-plane node need {needed}: they would not start again",
            f"leave {needed} or more",
            stricter=True,
            write=None if cpus else write,
        )


def _plain(number: Decimal) -> str:
    """Return a number without zeros at its end."""
    return f"{number.normalize():f}"
