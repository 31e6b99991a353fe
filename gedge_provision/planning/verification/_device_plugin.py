"""Why the SR-IOV device plugin offers too few functions of a resource. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from gedge_provision.models.host_networks import Card, VirtualFunction
from gedge_provision.planning.features import plugin_source
from gedge_provision.planning.verification._daemons import DEVICE_PLUGIN_LABELS, SPACE
from gedge_provision.planning.verification._promise import NodeLook, Verdict

__all__ = ["offered"]

_NOT_NOTICED = "let it look again: kubectl -n kube-system delete pod -l app=sriov-device-plugin"


class _Device(NamedTuple):
    """A virtual function as selectors see it."""

    card: Card
    number: int
    function: VirtualFunction


def offered(look: NodeLook) -> Verdict:
    """Return whether a node offers the devices that its policies make, and why not."""
    wanted: dict[str, int | None] = {}
    policies = look.policies
    for card in look.host.cards:
        policy = policies.get(card.policy)
        if policy and policy.resource:
            wanted[policy.resource] = (wanted.get(policy.resource) or 0) + policy.vfs
    if plugin_source(look.node_class) == "own":
        wanted = {one.resource: None for one in look.attachments if one.type == "sriov" and one.resource}
    has = {name: int(look.live.status.allocatable.get(name, "0")) for name in wanted}
    for name, number in wanted.items():
        if has[name] != number and not (number is None and has[name]):
            return _missing(look, name, has[name], number)
    return Verdict(kept=True, evidence=", ".join(f"{number} {name}" for name, number in has.items()) or "none asked")


def _missing(look: NodeLook, resource: str, found: int, wanted: int | None) -> Verdict:
    """Return why a node offers `found` of a resource; wanted None means that any number would do."""
    said = f"it offers {found} of {wanted} {resource}" if wanted is not None else f"it offers no {resource}"
    why, remedy = _why(look, resource, wanted)
    return Verdict(kept=False, evidence=f"{said}: {why}", remedy=remedy)


def _why(look: NodeLook, resource: str, wanted: int | None) -> tuple[str, str]:
    own = plugin_source(look.node_class) == "own"
    devices = list(_devices(look))
    if not look.snapshot.pod_ready(look.node.name, SPACE, DEVICE_PLUGIN_LABELS):
        return "the device plugin does not run", "see sriov-device-plugin"
    if not devices or (wanted is not None and len(devices) < wanted):
        return f"the host has {len(devices)} virtual functions", "see sriov-functions"
    if reason := _unselected(_selectors(look, resource, own=own), devices):
        place = "ConfigMap kube-system/sriovdp-config" if own else "/etc/pcidp/config.json"
        return f"{place} {reason}", f"mend it, then {_NOT_NOTICED}" if own else "put it right: gedge apply"
    without = [one.function.address for one in devices if not one.function.driver]
    if without:
        return f"{', '.join(without)} have no driver", "see sriov-drivers"
    return "the device plugin has not taken notice of the functions that are there", _NOT_NOTICED


def _unselected(selectors: Sequence[Mapping[str, Any]] | None, devices: Sequence[_Device]) -> str:
    if selectors is None:
        return "does not name this resource"
    reasons = [_excluded(selector, devices) for selector in selectors]
    return f"selects no virtual function: {'; '.join(reasons)}" if all(reasons) else ""


def _devices(look: NodeLook) -> Iterator[_Device]:
    for card in look.host.cards:
        for number, function in enumerate(card.functions):
            yield _Device(card, number, function)


def _selectors(look: NodeLook, resource: str, *, own: bool) -> list[dict[str, Any]] | None:
    """Return the selectors of a resource, None when it is not configured."""
    configuration: Mapping[str, Any] = look.host.device_plugin
    if own:
        try:
            configuration = json.loads(look.snapshot.settings(SPACE, "sriovdp-config", "config.json") or "{}")
        except ValueError:
            return None
    for entry in configuration.get("resourceList") or []:
        if f"{entry.get('resourcePrefix', 'intel.com')}/{entry.get('resourceName')}" == resource:
            found = entry.get("selectors") or {}
            return [found] if isinstance(found, dict) else list(found)
    return None


def _excluded(selector: Mapping[str, Any], devices: Sequence[_Device]) -> str:
    """Return the key of a selector by which no function is left, and what they have; empty when some are.

    Keys and forms: documentation of the SR-IOV network device plugin, "Device selectors".
    """
    left = list(devices)
    for key, values in sorted(selector.items()):
        if key not in _VALUES or not values:
            continue
        kept = [one for one in left if any(_matches(key, str(value), one) for value in values)]
        if not kept:
            have = ", ".join(sorted({_VALUES[key](one) for one in left}))
            return f"{key} {', '.join(map(str, values))}, and they have {have or 'none'}"
        left = kept
    return ""


_VALUES = {
    "vendors": lambda one: one.function.vendor,
    "devices": lambda one: one.function.device,
    "drivers": lambda one: one.function.driver,
    "pciAddresses": lambda one: one.function.address,
    "pfNames": lambda one: one.card.interface,
    "rootDevices": lambda one: one.card.address,
}


def _matches(key: str, value: str, one: _Device) -> bool:
    name, _, numbers = value.partition("#")
    return bool(_VALUES[key](one) == name) and (not numbers or one.number in _numbers(numbers))


def _numbers(text: str) -> set[int]:
    """Return the numbers of functions in a selector like `ens1f0#0-3,7`; none where it is none."""
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        if first.isdigit() and (last or first).isdigit():
            found |= set(range(int(first), int(last or first) + 1))
    return found
