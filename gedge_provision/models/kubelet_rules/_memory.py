"""The memory manager, and what the kubelet keeps free: the sum that both have to agree on.

pkg/kubelet/cm/memorymanager/memory_manager.go (getSystemReservedMemory), policy_static.go,
pkg/kubelet/apis/config/validation/validation_reserved_memory.go, pkg/kubelet/eviction/helpers.go; Kubernetes 1.35 to
1.37.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from gedge_provision.models.kubelet_rules._base import Fields, KubeletHost, Refusal, amount, nearest
from gedge_provision.models.kubelet_rules._reservations import larger_reservation, reserved_amount

__all__ = ["EVICTION_BYTES", "memory_refusals"]

EVICTION_BYTES = Decimal(100 * 2**20)
"""What the kubelet keeps free unless told otherwise (evictionHard memory.available, 100Mi)."""
_POLICIES = ("None", "Static")
_HUGE_PAGES = "hugepages-"
_SIGNALS = (
    "allocatableMemory.available",
    "containerfs.available",
    "containerfs.inodesFree",
    "imagefs.available",
    "imagefs.inodesFree",
    "memory.available",
    "nodefs.available",
    "nodefs.inodesFree",
    "pid.available",
)
_PERCENT = re.compile(r"(\d+\.?\d*|\.\d+)%", re.ASCII)
_IGNORED = ("0%", "100%")
_WHOLE = 100


def memory_refusals(fields: Fields, host: KubeletHost | None = None) -> Iterator[Refusal]:
    """Yield what is wrong with the memory manager and the hard eviction thresholds."""
    policy = fields.get("memoryManagerPolicy") or "None"
    entries = fields.get("reservedMemory") or []
    if policy not in _POLICIES:
        yield Refusal("memoryManagerPolicy", f"there is no memoryManagerPolicy {policy!r}", nearest(policy, _POLICIES))
    thresholds = list(_thresholds(fields.get("evictionHard") or {}))
    yield from thresholds
    wrong = list(_entries(entries, static=policy == "Static"))
    yield from wrong
    if host is not None and not thresholds:
        yield from _capacity(fields, host)
    if policy != "Static":
        if entries:
            yield Refusal(
                "reservedMemory",
                "reservedMemory acts only under the Static policy",
                "set memoryManagerPolicy: Static, or leave reservedMemory out",
                stricter=True,
            )
        return
    if host is not None:
        yield from _on_host(entries, host)
    if not thresholds and all(refusal.stricter for refusal in wrong):
        yield from _equation(fields, entries, host)


def _entries(entries: list[Mapping[str, Any]], *, static: bool) -> Iterator[Refusal]:
    seen: set[tuple[int, str]] = set()
    for place, entry in enumerate(entries):
        node = entry.get("numaNode") or 0
        for resource, value in (entry.get("limits") or {}).items():
            where = f"reservedMemory[{place}].limits.{resource}"
            found = amount(value)
            if resource != "memory" and not resource.startswith(_HUGE_PAGES):
                yield Refusal(where, f"reservedMemory has {resource!r}, which is no memory", "write memory")
            elif found is None:
                yield Refusal(where, f"{where} is {value!r}, which is no Kubernetes quantity", "write it like 1Gi")
            elif found <= 0 or found != found.to_integral_value():
                remedy = "write whole bytes, more than zero, or leave it out"
                yield Refusal(where, f"{where} is {value}", remedy, stricter=found < 0 or (not static and found > 0))
            if (node, resource) in seen:
                yield Refusal(where, f"reservedMemory names {resource} of NUMA node {node} twice", "add them up")
            seen.add((node, resource))


def _thresholds(thresholds: Mapping[str, str]) -> Iterator[Refusal]:
    for signal, value in thresholds.items():
        place = f"evictionHard.{signal}"
        if signal not in _SIGNALS:
            yield Refusal(
                place, f"evictionHard has {signal!r}, which the kubelet does not watch", nearest(signal, _SIGNALS)
            )
        elif value.endswith("%"):
            match = _PERCENT.fullmatch(value)
            if match is None or Decimal(match[1]) > _WHOLE:
                yield Refusal(place, f"{place} is {value!r}", "write a percentage from 0% to 100%")
        elif (amount(value) or 0) <= 0:
            yield Refusal(place, f"{place} is {value!r}", "write a quantity above zero like 100Mi, or a percentage")


def _kept_free(fields: Fields, host: KubeletHost | None) -> Decimal | None:
    """Return the bytes of the hard eviction threshold; None for a part of a memory whose size is not known."""
    thresholds = fields.get("evictionHard")
    if thresholds is None:
        return EVICTION_BYTES
    value = thresholds.get("memory.available", "100Mi" if fields.get("mergeDefaultEvictionSettings") else "0%")
    if not value.endswith("%"):
        return amount(value)
    if value in _IGNORED:
        return Decimal(0)
    if host is None:
        return None
    # The kubelet reads the percentage as a number of 32 bits.
    part = struct.unpack("f", struct.pack("f", struct.unpack("f", struct.pack("f", float(value[:-1])))[0] / 100))[0]
    return Decimal(int(host.memory * part))


def _equation(fields: Fields, entries: list[Mapping[str, Any]], host: KubeletHost | None) -> Iterator[Refusal]:
    huge = sorted({name for entry in entries for name in entry.get("limits") or {} if name.startswith(_HUGE_PAGES)})
    if huge:
        yield Refusal(
            "reservedMemory",
            f"reservedMemory has {', '.join(huge)}, and huge pages cannot be reserved: no kubelet starts with it",
            "keep memory alone; pages that pods shall not have are best not set aside",
        )
    kept = _kept_free(fields, host)
    reserved = reserved_amount(fields, "memory") or Decimal(0)
    if kept is None:
        return
    wanted = kept + reserved
    amounts = (amount((entry.get("limits") or {}).get("memory", "0")) for entry in entries)
    given = sum((value for value in amounts if value is not None), Decimal(0))
    if wanted == 0 and given == 0:
        yield Refusal(
            "reservedMemory",
            "the Static memory manager needs memory reserved for the system",
            "set kubeReserved.memory, for example 512Mi, and reservedMemory",
        )
    elif not entries:
        yield Refusal(
            "reservedMemory",
            "the Static memory manager needs to know what is reserved on each NUMA node",
            f"set reservedMemory, together {_shown(wanted)}",
        )
    elif given != wanted:
        yield Refusal(
            "reservedMemory",
            f"reservedMemory is {_shown(given)}, but kubeReserved, systemReserved and the eviction threshold are "
            f"{_shown(wanted)}",
            "the kubelet starts only when they are equal",
        )


def _capacity(fields: Fields, host: KubeletHost) -> Iterator[Refusal]:
    reserved = reserved_amount(fields, "memory") or Decimal(0)
    kept = _kept_free(fields, host) or Decimal(0)
    if reserved + kept > host.memory:
        most = max(host.memory - int(kept), 0) // 2**20
        field, write = larger_reservation(fields, "memory", most * 2**20)
        yield Refusal(
            field,
            f"{_shown(reserved)} of memory are reserved (kubeReserved and systemReserved together) and {_shown(kept)} "
            f"kept free, and the host has {host.memory // 2**20}Mi",
            f"reserve {most}Mi at most",
            write=write,
        )


def _on_host(entries: list[Mapping[str, Any]], host: KubeletHost) -> Iterator[Refusal]:
    listed = ", ".join(map(str, sorted(host.numa)))
    for entry in entries:
        node = entry.get("numaNode") or 0
        taken = amount((entry.get("limits") or {}).get("memory", "0")) or Decimal(0)
        if node not in host.numa:
            yield Refusal(
                "reservedMemory",
                f"reservedMemory names NUMA node {node}, and here are only {listed}",
                "name one of these",
            )
        elif taken > host.numa[node]:
            yield Refusal(
                "reservedMemory",
                f"reservedMemory takes {_shown(taken)} of NUMA node {node}, which has {host.numa[node] // 2**20}Mi",
                "divide it otherwise",
                stricter=True,
            )


def _shown(amount_of_bytes: Decimal) -> str:
    """Return bytes as a person would write them: in Mi where that is whole."""
    mib = amount_of_bytes / 2**20
    return f"{mib:.0f}Mi" if mib == mib.to_integral_value() else f"{amount_of_bytes:.0f}"
