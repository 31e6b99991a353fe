"""What an apply would change of a host's tuning, from what is remembered of the last one. Pure.

The host may have less to set than is named here: a governor that its CPUs lack, interfaces without queues.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gedge_provision.models.changes import Change

__all__ = ["fewer_pages", "page_changes", "tuning_changes"]

_SLICES = ("system.slice", "user.slice", "init.scope")
_PAGES = ("/usr/local/sbin/gedge-huge-pages", "/etc/gedge/huge-pages.json", "gedge-huge-pages.service")
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


def page_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    """Return what changes when the huge pages do that are set aside while the host runs.

    What is asked for no more goes back to what the boot began with; that it began with none is taken for granted.
    """
    before, after = _pages(old), _pages(new)
    for (node, size), count in sorted({**dict.fromkeys(before, 0), **after}.items()):
        if before.get((node, size), 0) != count:
            yield Change("huge_pages", f"{count} of {_spoken(size)} on NUMA node {node}", "set")
    program, settings, unit = _PAGES
    if before and after and before != after:
        yield Change("file", settings, "change")
    if bool(before) != bool(after):
        action = "create" if after else "remove"
        for path in (program, settings, f"/etc/systemd/system/{unit}"):
            yield Change("file", path, action)
        yield Change("unit", unit, "enable" if after else "disable")


def fewer_pages(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Tell whether pods may have huge pages that go."""
    after = _pages(new)
    return any(after.get(key, 0) < count for key, count in _pages(old).items())


def _pages(tuning: Mapping[str, Any]) -> dict[tuple[int, int], int]:
    """Return the numbers of huge pages by NUMA node and size; keys are text in a record."""
    return {
        (int(node), int(size)): count
        for node, sizes in tuning.get("huge_pages", {}).items()
        for size, count in sizes.items()
    }


def _spoken(size_kib: int) -> str:
    return f"{size_kib // 1048576}Gi" if size_kib % 1048576 == 0 else f"{size_kib // 1024}Mi"
