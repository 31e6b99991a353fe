"""Where everything of a drawn host stands on a page, in pixels. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gedge_provision.models.cpu_plan import CpuPlan
from gedge_provision.models.topology import Device, Topology
from gedge_provision.planning.cpu_plans.layout import CacheGroup, DrawnCore, DrawnSocket, lay_out

__all__ = ["Box", "Page", "device_name", "place_boxes"]

_CPU_W, _CPU_H, _GAP = 34, 20, 4
_TITLE = 20
_CORES_WIDE = 16
_NODE_W = _CORES_WIDE * (_CPU_W + _GAP) + 10 * _GAP
_DEVICE_W = 270
_MARGIN = 12


@dataclass(frozen=True)
class Box:
    """A rectangle: where, how large, of which kind (a class of the page's style), with which text and explanation."""

    kind: str
    x: int
    y: int
    width: int
    height: int
    text: str = ""
    title: str = ""


@dataclass(frozen=True)
class Page:
    """All boxes, the outer ones first, and the size of the page."""

    boxes: tuple[Box, ...]
    width: int
    height: int


def device_name(device: Device) -> str:
    """Return a device in a line: kind, interfaces or driver, address."""
    return f"{device.kind} {' '.join(device.interfaces) or device.driver or 'without a driver'} {device.address}"


def place_boxes(topology: Topology, plan: CpuPlan | None = None) -> Page:
    """Place the boxes of a host, sockets below one another, devices to the right of their NUMA node."""
    boxes: list[Box] = []
    y = _MARGIN
    for socket in lay_out(topology, plan):
        y = _socket(boxes, socket, y) + _MARGIN
    return Page(tuple(boxes), _NODE_W + _DEVICE_W + 6 * _MARGIN, y)


def _socket(boxes: list[Box], socket: DrawnSocket, top: int) -> int:
    place = len(boxes)
    y = top + _TITLE
    for drawn in socket.nodes:
        memory = f"{drawn.node.memory_kib / 2**20:.1f} GiB" if drawn.node.memory_kib else "no memory"
        start = len(boxes)
        inner = y + _TITLE
        bottom = _groups(boxes, drawn.groups, 2 * _MARGIN, inner)
        bottom = max(bottom, _devices(boxes, drawn.devices, inner))
        title = f"NUMA node {drawn.node.id}: {memory}"
        boxes.insert(start, Box("node", 2 * _MARGIN, y, _NODE_W + _DEVICE_W + 2 * _MARGIN, bottom - y + _GAP, title))
        y = bottom + _MARGIN
    if socket.devices:
        y = _devices(boxes, socket.devices, y) + _GAP
    title = f"socket {socket.number}" if socket.number is not None else "in no socket"
    boxes.insert(place, Box("socket", _MARGIN, top, _NODE_W + _DEVICE_W + 4 * _MARGIN, y - top, title))
    return y


def _groups(boxes: list[Box], groups: Sequence[CacheGroup], left: int, top: int) -> int:
    """Place cache groups side by side as far as they fit; return where they end."""
    x, y, row_end = left + _GAP, top, top
    for group in groups:
        wide = min(len(group.cores), _CORES_WIDE)
        width = wide * (_CPU_W + _GAP) + _GAP
        if x + width > left + _NODE_W and x > left + _GAP:
            x, y = left + _GAP, row_end + _GAP
        place = len(boxes)
        bottom = y + _TITLE
        for start in range(0, len(group.cores), _CORES_WIDE):
            row = group.cores[start : start + _CORES_WIDE]
            for column, core in enumerate(row):
                boxes.extend(_core(core, x + _GAP + column * (_CPU_W + _GAP), bottom))
            bottom += max(len(core.cpus) for core in row) * _CPU_H + 2 * _GAP
        size = f"{group.size_kib // 1024} MiB" if group.size_kib else ""
        title = f"L{group.level} {size}".strip() if group.level else ""
        boxes.insert(place, Box("cache", x, y, width, bottom - y, title))
        x += width + _GAP
        row_end = max(row_end, bottom)
    return row_end


def _core(core: DrawnCore, x: int, y: int) -> Iterable[Box]:
    kind, style = ("efficiency core", " efficient") if core.efficient else ("core", "")
    others = ", ".join(str(cpu) for cpu, _ in core.cpus)
    for row, (cpu, use) in enumerate(core.cpus):
        title = f"CPU {cpu}: {use}; {kind} of {others}"
        yield Box(f"cpu {use}{style}", x, y + row * _CPU_H, _CPU_W, _CPU_H - 1, str(cpu), title)


def _devices(boxes: list[Box], devices: Sequence[Device], top: int) -> int:
    y = top
    for device in devices:
        functions = f"; {device.vfs} of {device.total_vfs} virtual functions" if device.total_vfs else ""
        driver = device.driver or "none"
        title = f"{device.vendor}:{device.device}, driver {driver}, {len(device.irqs)} interrupts{functions}"
        boxes.append(Box("device", _NODE_W + 3 * _MARGIN, y, _DEVICE_W, _TITLE, device_name(device), title))
        y += _TITLE + _GAP
    return y
