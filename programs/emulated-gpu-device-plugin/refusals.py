"""Nodes on which nothing is emulated, since somebody could take it for what is really there."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

from gpus import EmulatedResource

__all__ = ["refusal"]

_VENDORS = {"amd.com": "0x1002", "gpu.intel.com": "0x8086", "nvidia.com": "0x10de"}
"""PCI vendor ids of those whose resource names may be lent."""
_CLASSES = ("0x03", "0x12")  # display controllers, processing accelerators
_CHECKPOINT = "kubelet_internal_checkpoint"
_OURS = "emulated-"


def refusal(resources: Sequence[EmulatedResource], kubelet: Path, sysfs: Path) -> str:
    """Say why this node gets no emulated devices; empty when it does.

    Args:
        resources: what is to be emulated.
        kubelet: the kubelet's folder of device plugins.
        sysfs: where sysfs is.
    """
    return next(_refusals(resources, kubelet, sysfs), "")


def _refusals(resources: Sequence[EmulatedResource], kubelet: Path, sysfs: Path) -> Iterator[str]:
    for domain in sorted({one.resource.partition("/")[0] for one in resources} & set(_VENDORS)):
        real = _real_devices(sysfs, _VENDORS[domain])
        if real:
            yield (
                f"this node has a real device of {domain} ({', '.join(real)}); emulated ones are not offered beside it "
                "-> take emulated_gpus out of its node class"
            )
    for one in resources:
        other = _other_plugin(one.resource, kubelet)
        if other:
            yield (
                f"{one.resource} is offered by another device plugin ({other}) -> emulate another resource, or remove "
                "that plugin from this node"
            )
        lacking = sorted({device.numa_node for device in one.devices if device.numa_node is not None} - _nodes(sysfs))
        if lacking:
            yield (
                f"this node has no NUMA node {lacking[0]}, and {one.resource} is to be there -> correct numa_nodes; "
                f"it has {', '.join(map(str, sorted(_nodes(sysfs))))}"
            )


def _real_devices(sysfs: Path, vendor: str) -> list[str]:
    return [
        device.name
        for device in sorted(sysfs.glob("bus/pci/devices/*"))
        if _text(device / "vendor") == vendor and _text(device / "class").startswith(_CLASSES)
    ]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def _nodes(sysfs: Path) -> set[int]:
    """Return the NUMA nodes; a kernel without NUMA has the first one."""
    found = {int(path.name.removeprefix("node")) for path in sysfs.glob("devices/system/node/node[0-9]*")}
    return found or {0}


def _other_plugin(resource: str, kubelet: Path) -> str:
    """Return what offers a resource besides us: a socket that answers, or devices that the kubelet counts."""
    domain, _, name = resource.partition("/")
    theirs = kubelet / f"{domain.split('.')[0]}-{name}.sock"  # k8s-device-plugin: nvidia-gpu.sock
    if _answers(theirs):
        return theirs.name
    try:
        told = json.loads((kubelet / _CHECKPOINT).read_text(encoding="utf-8"))
        devices = told["Data"]["RegisteredDevices"][resource] or []
    except (OSError, ValueError, LookupError, TypeError):
        return ""
    strange = sorted(name for name in devices if not str(name).startswith(_OURS))
    return f"the kubelet counts {strange[0]}" if strange else ""


def _answers(path: Path) -> bool:
    """Tell whether a program listens on a socket; a file may have stayed behind."""
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except OSError:
            return False
    return True
