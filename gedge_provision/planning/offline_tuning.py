"""What an apply would change of a host's tuning, from what is remembered of the last one. Pure.

The host may have less to set than is named here: a governor that its CPUs lack, interfaces without queues.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gedge_provision.models.changes import Change

__all__ = ["tuning_changes"]

_SLICES = ("system.slice", "user.slice", "init.scope")
_PROGRAM, _SETTINGS, _UNIT = "/usr/local/sbin/gedge-tuning", "/etc/gedge/tuning.json", "gedge-tuning.service"


def tuning_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    """Return what changes when the tuning of a host does; both may be empty."""
    before, after = set(_settings(old)), list(_settings(new))
    yield from (Change("tuning", words, "set") for words in after if words not in before)
    if old.get("system_cpus", "") != new.get("system_cpus", ""):
        for name in _SLICES:
            yield Change("tuning", f"{name} on CPUs {new.get('system_cpus') or 'all'}", "set")
    had, has = bool(old.get("irq_cpus")), bool(new.get("irq_cpus"))
    if had and has and before != set(after):
        yield Change("file", _SETTINGS, "change")
    if had != has:
        action = "create" if has else "remove"
        for path in (_PROGRAM, _SETTINGS, f"/etc/systemd/system/{_UNIT}"):
            yield Change("file", path, action)
        yield Change("unit", _UNIT, "enable" if has else "disable")


def _settings(tuning: Mapping[str, Any]) -> Iterator[str]:
    if not tuning.get("irq_cpus"):
        return
    yield f"interrupts on CPUs {tuning['irq_cpus']}"
    for address, cpus in sorted(tuning["device_cpus"].items()):
        yield f"interrupts of {address} on CPUs {cpus}"
    for interface, cpus in sorted(tuning["rps_cpus"].items()):
        yield f"packets of {interface} on CPUs {cpus}"
    for name, value in sorted(tuning["settings"].items()):
        yield f"{name}={value}"
