"""The emulated GPUs of a node, from what it is told to emulate."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from options import resource_name

__all__ = ["EmulatedDevice", "EmulatedResource", "emulated_resources"]

_KEYS = {"resource": str, "count": int, "slices": int, "numa_nodes": list, "cdi": bool}
_MOST = 1000  # devices of a resource


@dataclass(frozen=True)
class EmulatedDevice:
    """One device of a resource.

    Attributes:
        id: its name to the kubelet; a time slice is GPU::NUMBER, as the real plugin names them.
        gpu: the emulated GPU that it belongs to.
        name: what a container sees of it: the GPU, or its MIG-like part.
        numa_node: that of the GPU; None where it is on none in particular.
    """

    id: str
    gpu: str
    name: str
    numa_node: int | None


@dataclass(frozen=True)
class EmulatedResource:
    """A resource with its devices, and whether containers get them by CDI."""

    resource: str
    devices: tuple[EmulatedDevice, ...]
    cdi: bool


def emulated_resources(text: str) -> tuple[EmulatedResource, ...]:
    """Read what to emulate, JSON: a list of resources; their GPUs are numbered through.

    Raises:
        ArgumentTypeError: it is something else.
    """
    try:
        entries = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"not JSON: {error}") from None
    if not isinstance(entries, list) or not entries:
        raise argparse.ArgumentTypeError('no resources -> write a list, as in [{"resource": "nvidia.com/gpu"}]')
    found: list[EmulatedResource] = []
    first = 0
    for entry in entries:
        checked = _checked(entry)
        found.append(
            EmulatedResource(resource_name(checked["resource"]), tuple(_devices(checked, first)), checked["cdi"])
        )
        first += checked["count"]
    if len({one.resource for one in found}) != len(found):
        raise argparse.ArgumentTypeError("a resource stands twice -> write it once, with a larger count")
    return tuple(found)


def _checked(entry: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    if not isinstance(entry, dict) or not entry.keys() <= _KEYS.keys() or "resource" not in entry:
        raise argparse.ArgumentTypeError(f"{entry!r} is no resource -> write an object with {', '.join(_KEYS)}")
    whole: dict[str, Any] = {"count": 1, "slices": 1, "numa_nodes": [], "cdi": False} | entry
    wrong = [key for key, kind in _KEYS.items() if type(whole[key]) is not kind]
    if wrong or whole["count"] < 1 or whole["slices"] < 1 or whole["count"] * whole["slices"] > _MOST:
        raise argparse.ArgumentTypeError(
            f"{entry!r} cannot be emulated -> count and slices are numbers from 1, together at most {_MOST} devices, "
            "numa_nodes is a list, cdi true or false"
        )
    if not all(type(node) is int and node >= 0 for node in whole["numa_nodes"]):
        raise argparse.ArgumentTypeError(f"numa_nodes {whole['numa_nodes']} are no numbers of NUMA nodes")
    return whole


def _devices(entry: dict[str, Any], first: int) -> Iterator[EmulatedDevice]:
    mig = entry["resource"].partition("/")[2].startswith("mig-")
    nodes = entry["numa_nodes"]
    for number in range(entry["count"]):
        gpu = f"emulated-gpu-{first + number}"
        node = nodes[number % len(nodes)] if nodes else None
        for part in range(entry["slices"]):
            if mig:
                yield EmulatedDevice(f"{gpu}-mig-{part}", gpu, f"{gpu}-mig-{part}", node)
            elif entry["slices"] > 1:
                yield EmulatedDevice(f"{gpu}::{part}", gpu, gpu, node)
            else:
                yield EmulatedDevice(gpu, gpu, gpu, node)
