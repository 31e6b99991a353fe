"""By which cgroups reservations are enforced (pkg/kubelet/apis/config/validation; Kubernetes 1.35 to 1.37)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gedge_provision.models.kubelet_rules._base import Fields, Refusal, nearest

__all__ = ["enforcement_refusals"]

_PLACE = "enforceNodeAllocatable"
_CGROUPS = {
    "system-reserved": "systemReservedCgroup",
    "system-reserved-compressible": "systemReservedCgroup",
    "kube-reserved": "kubeReservedCgroup",
    "kube-reserved-compressible": "kubeReservedCgroup",
}
_VALUES = ("none", "pods", *_CGROUPS)


def enforcement_refusals(fields: Fields) -> Iterator[Refusal]:
    """Yield what is wrong with enforceNodeAllocatable."""
    asked: Sequence[str] = ["pods"] if fields.get(_PLACE) is None else fields[_PLACE]
    for value in dict.fromkeys(asked):
        if value not in _VALUES:
            yield Refusal(_PLACE, f"{_PLACE} has {value!r}, which is nothing to enforce", nearest(value, _VALUES))
        if asked.count(value) > 1:
            yield Refusal(_PLACE, f"{_PLACE} has {value} twice", "write it once")
        if value in _CGROUPS and not fields.get(_CGROUPS[value]):
            yield Refusal(
                _PLACE,
                f"{_PLACE} has {value}, and no {_CGROUPS[value]} is named",
                f"set {_CGROUPS[value]}, for example /system.slice, or take {value} out",
            )
    if "none" in asked and len(asked) > 1:
        yield Refusal(_PLACE, f"{_PLACE} has none beside others", "keep none alone, or take it out")
    for name in ("system-reserved", "kube-reserved"):
        if {name, f"{name}-compressible"} <= set(asked):
            yield Refusal(
                _PLACE,
                f"{_PLACE} has {name} and {name}-compressible, which exclude each other",
                "keep one: the first limits CPU, memory and process ids, the second CPU alone",
            )
    if fields.get("cgroupsPerQOS") is False and any(value in _VALUES and value != "none" for value in asked):
        yield Refusal(
            "cgroupsPerQOS",
            f"cgroupsPerQOS is false, and {_PLACE} has {', '.join(asked)}",
            f"take cgroupsPerQOS out, or set {_PLACE}: [none]",
        )
