"""What a change of kubelet settings means for a node that runs pods. Pure.

A kubelet reads its settings when it starts, so every change is a restart. Some settings no running pod notices; for the
others its pods move first. The CPU and memory managers keep their state in files, and a kubelet refuses to start on a
state that its settings could not have made (pkg/kubelet/cm/cpumanager/policy_static.go, validateState, and
pkg/kubelet/cm/memorymanager/policy_static.go, validateState, of Kubernetes 1.36): then a new one begins.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gedge_provision.models.quantities import Quantity

__all__ = ["UNDER_PODS", "HugePages", "KubeletChange", "compare_settings"]

HugePages = Literal["same", "more", "fewer"]
State = Literal["cpu", "memory"]

_UNNOTICED = frozenset(
    {
        "allowedUnsafeSysctls",
        "containerLogMaxFiles",
        "containerLogMaxSize",
        "containerLogMaxWorkers",
        "containerLogMonitorInterval",
        "cpuManagerReconcilePeriod",
        "enableDebuggingHandlers",
        "enableProfilingHandler",
        "eventBurst",
        "eventRecordQPS",
        "failCgroupV1",
        "failSwapOn",
        "imageGCHighThresholdPercent",
        "imageGCLowThresholdPercent",
        "imageMaximumGCAge",
        "imageMinimumGCAge",
        "kubeAPIBurst",
        "kubeAPIQPS",
        "logging",
        "maxParallelImagePulls",
        "nodeLeaseDurationSeconds",
        "nodeStatusReportFrequency",
        "nodeStatusUpdateFrequency",
        "registryBurst",
        "registryPullQPS",
        "rotateCertificates",
        "runtimeRequestTimeout",
        "serializeImagePulls",
        "serverTLSBootstrap",
        "shutdownGracePeriod",
        "shutdownGracePeriodByPodPriority",
        "shutdownGracePeriodCriticalPods",
        "streamingConnectionIdleTimeout",
        "syncFrequency",
        "tlsCipherSuites",
        "tlsMinVersion",
        "volumeStatsAggPeriod",
    }
)
"""Fields that act on the kubelet's own work only; one that is not here is one that pods may notice."""

_DEFAULT_MAX_PODS = 110
_RESERVATIONS = ("kubeReserved", "systemReserved")
_STRICT = "strict-cpu-reservation"
_STATE_WORDS: Mapping[State, str] = {"cpu": "new state of the CPU manager", "memory": "new state of the memory manager"}
_SHOWN = 60
UNDER_PODS = "under pods"
"""What a setting asks for that pods notice, where nodes are not drained."""


@dataclass(frozen=True)
class KubeletChange:
    """What a change asks for.

    Attributes:
        drain: whether pods notice it, and so move first where the site has nodes drained.
        resets: the managers that begin a new state: cpu, memory.
        settings: what differs, each with its former and its new value and what it asks for.
    """

    drain: bool
    resets: tuple[State, ...]
    settings: tuple[str, ...] = ()


def compare_settings(
    before: Mapping[str, Any], after: Mapping[str, Any], *, huge_pages: HugePages = "same", drains: bool = True
) -> KubeletChange:
    """Compare the settings that a node runs with to those that it shall have.

    Args:
        before: fields of the KubeletConfiguration (v1beta1).
        after: likewise.
        huge_pages: whether the host has as many as the kubelet has counted, which it does when it starts.
        drains: whether nodes are drained at all; only the words depend on it.
    """
    fields = [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
    drained = {name for name in fields if _is_noticed(name, before, after)}
    resets = _resets(before, after)
    lines: list[str] = []
    for name in fields:
        steps = [_moving(drains)] if name in drained else []
        steps += [_STATE_WORDS[state] for state, because in resets.items() if name in because]
        words = ", ".join(steps or ["restart"])
        lines += [f"{line} ({words})" for line in _lines(name, before.get(name), after.get(name))]
    change = KubeletChange(drain=bool(drained), resets=tuple(resets), settings=tuple(lines))
    return change if huge_pages == "same" else _with_huge_pages(change, after, huge_pages, drains=drains)


def _with_huge_pages(
    change: KubeletChange, after: Mapping[str, Any], huge_pages: HugePages, *, drains: bool
) -> KubeletChange:
    """Add what other huge pages ask for: the state of the memory manager has their numbers."""
    static = after.get("memoryManagerPolicy") == "Static"
    drain = static or huge_pages == "fewer"
    steps = [_moving(drains)] if drain else []
    steps += [_STATE_WORDS["memory"]] if static else []
    return KubeletChange(
        drain=change.drain or drain,
        resets=tuple(dict.fromkeys((*change.resets, *(("memory",) if static else ())))),
        settings=(*change.settings, f"{huge_pages} huge pages ({', '.join(steps or ['restart'])})"),
    )


def _moving(drains: bool) -> str:
    return "drain" if drains else UNDER_PODS


def _is_noticed(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    if name == "maxPods":  # with fewer, the kubelet would turn pods away that run
        old, new = (fields.get(name, _DEFAULT_MAX_PODS) for fields in (before, after))
        return not (isinstance(old, int) and isinstance(new, int) and new >= old)
    return name not in _UNNOTICED


def _resets(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[State, frozenset[str]]:
    """Return the managers whose state does not fit any more, each with the fields that it does not fit."""
    found: dict[State, frozenset[str]] = {}
    if before.get("cpuManagerPolicy", "none") != after.get("cpuManagerPolicy", "none"):
        found["cpu"] = frozenset({"cpuManagerPolicy"})
    elif after.get("cpuManagerPolicy") == "static":
        because = (
            {"reservedSystemCPUs"} if before.get("reservedSystemCPUs") != after.get("reservedSystemCPUs") else set()
        )
        because |= set(_RESERVATIONS) if _reserved_cpus(before) != _reserved_cpus(after) else set()
        because |= {"cpuManagerPolicyOptions"} if _is_strict(before) != _is_strict(after) else set()
        found |= {"cpu": frozenset(because)} if because else {}
    if before.get("memoryManagerPolicy", "None") != after.get("memoryManagerPolicy", "None"):
        found["memory"] = frozenset({"memoryManagerPolicy"})
    elif after.get("memoryManagerPolicy") == "Static" and before.get("reservedMemory") != after.get("reservedMemory"):
        found["memory"] = frozenset({"reservedMemory"})
    return found


def _reserved_cpus(fields: Mapping[str, Any]) -> int | str:
    """Return how many CPUs the static policy keeps for an amount; none where a list replaces it."""
    if fields.get("reservedSystemCPUs"):
        return 0
    amounts = [(fields.get(name) or {}).get("cpu") for name in _RESERVATIONS]
    try:
        return math.ceil(sum(Quantity(str(amount)).amount for amount in amounts if amount))
    except ValueError:  # written in a way of its own, by hand
        return str(amounts)


def _is_strict(fields: Mapping[str, Any]) -> bool:
    return str((fields.get("cpuManagerPolicyOptions") or {}).get(_STRICT, "false")).lower() == "true"


def _lines(name: str, before: object, after: object) -> list[str]:
    """Return what differs below a field, a line each."""
    if isinstance(before, Mapping | None) and isinstance(after, Mapping | None):
        old, new = dict(before or {}), dict(after or {})
        return [
            line
            for key in sorted({*old, *new})
            if old.get(key) != new.get(key)
            for line in _lines(f"{name}.{key}", old.get(key), new.get(key))
        ]
    return [f"{name} from {_spoken(before)} to {_spoken(after)}"]


def _spoken(value: object) -> str:
    if value is None:
        return "unset"
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
