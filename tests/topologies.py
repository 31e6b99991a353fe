"""Topologies of real machines for tests: as snapshots, and as trees like /sys and /proc that a reader can read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import yaml

from gedge_provision.models.cpusets import format_cpuset, parse_cpuset
from gedge_provision.models.topology import Topology

SHAPES: dict[str, dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parent / "fixtures/topologies.yml").read_text(encoding="utf-8")
)
_CLASSES = {"network": "0x020000", "gpu": "0x030200", "nvme": "0x010802", "accelerator": "0x120000"}
_GIB = 2**20


@dataclass
class Shape:
    """A machine, as the fixture file describes it; see there."""

    architecture: str = "x86_64"
    sockets: int = 1
    nodes: int = 1
    cores: int = 0
    threads: int = 1
    caches: int = 1
    level: int = 3
    hybrid: tuple[int, int] | None = None
    numbering: str = "split"
    holes: str = ""
    offline: str = ""
    memory: list[int] = field(default_factory=list)
    memory_nodes: dict[int, int] = field(default_factory=dict)
    node_ids: list[int] | None = None
    socket_ids: list[int] | None = None
    distances: tuple[int, int] = (12, 21)
    one_node: bool = False
    no_numa: bool = False


@dataclass(frozen=True)
class Thread:
    """A hardware thread and its place: indices from 0, but for `cpu`, its number."""

    cpu: int
    socket: int
    node: int
    cache: int
    core: int
    thread: int
    efficient: bool = False


def _places(shape: Shape) -> Iterator[tuple[int, int, int, int, int, bool]]:
    """Yield (socket, node, cache, core, thread, efficient) of every thread, core by core."""
    for socket in range(shape.sockets):
        if shape.hybrid:
            performance, efficient = shape.hybrid
            for core in range(performance + efficient):
                for thread in range(2 if core < performance else 1):
                    yield socket, socket, socket, core, thread, core >= performance
            continue
        for core in range(shape.cores):
            node = socket * shape.nodes + core * shape.nodes // shape.cores
            group = socket * max(shape.caches, 1) + core * max(shape.caches, 1) // shape.cores
            for thread in range(shape.threads):
                yield socket, 0 if shape.one_node else node, group, core, thread, False


def threads_of(shape: Shape) -> list[Thread]:
    """Return every thread with the number that the machine's numbering gives it."""
    orders = {
        "adjacent": lambda place: (place[0], place[3], place[4]),
        "split": lambda place: (place[4], place[0], place[3]),
        "interleaved": lambda place: (place[4], place[3], place[0]),
    }
    places = list(_places(shape))
    if not shape.hybrid:  # hybrid machines number the threads of a core side by side, efficiency cores last
        places.sort(key=orders[shape.numbering])
    holes = parse_cpuset(shape.holes) if shape.holes else frozenset()
    numbers = (number for number in count() if number not in holes)
    return [
        Thread(number, socket, node, cache, core, thread, efficient)
        for number, (socket, node, cache, core, thread, efficient) in zip(numbers, places, strict=False)
    ]


def _shape(name: str) -> Shape:
    return Shape(**SHAPES[name]["shape"])


def snapshot(name: str) -> dict[str, Any]:
    """Return the snapshot of a shape, as the module `topology` gives it."""
    shape = _shape(name)
    offline = parse_cpuset(shape.offline) if shape.offline else frozenset()
    threads = threads_of(shape)
    online = [thread for thread in threads if thread.cpu not in offline]
    socket_ids = shape.socket_ids or list(range(shape.sockets))

    cores: dict[tuple[int, int], list[int]] = {}
    for thread in online:
        cores.setdefault((thread.socket, thread.core), []).append(thread.cpu)

    def cpus(**places: int) -> str:
        return format_cpuset([t.cpu for t in online if all(getattr(t, key) == value for key, value in places.items())])

    devices, irqs = _devices(name, cpus, shape)
    return {
        "schema_version": 1,
        "host": name,
        "architecture": shape.architecture,
        "processor": "",
        "kernel": "6.12.0",
        "command_line": "root=/dev/sda1 quiet",
        "container": False,
        "present": format_cpuset([thread.cpu for thread in threads]),
        "isolated": "",
        "nohz_full": "",
        "cpus": [
            {
                "id": thread.cpu,
                "socket": socket_ids[thread.socket],
                "die": 0,
                "core": thread.core,
                "siblings": format_cpuset(cores[thread.socket, thread.core]),
                "kind": "efficiency" if thread.efficient else "performance",
            }
            for thread in online
        ],
        "caches": _caches(shape, online, cpus),
        "numa": _numa(shape, cpus),
        "devices": devices,
        "irqs": irqs,
        "settings": {"numa_balancing": "1", "transparent_hugepage": "madvise"},
    }


def _caches(shape: Shape, online: list[Thread], cpus: Any) -> list[dict[str, Any]]:
    if not shape.caches:
        return []
    groups = list(dict.fromkeys(thread.cache for thread in online))
    found = [{"level": shape.level, "size_kib": 32768, "cpus": cpus(cache=group)} for group in groups]
    return sorted(found, key=lambda entry: min(parse_cpuset(entry["cpus"])))


def _numa(shape: Shape, cpus: Any) -> list[dict[str, Any]]:
    number = 1 if shape.one_node else shape.sockets * shape.nodes
    node_ids = shape.node_ids or list(range(number))
    places = {node: place for place, node in enumerate(node_ids)}
    memory = dict(zip(node_ids, shape.memory, strict=True)) | shape.memory_nodes

    def distance(one: int, other: int) -> int:
        if one == other:
            return 10
        near = all(n in places for n in (one, other)) and (places[one] // shape.nodes == places[other] // shape.nodes)
        return shape.distances[0] if near else shape.distances[1]

    pages = [{"size_kib": size, "total": 0, "free": 0} for size in (2048, _GIB)]
    return [
        {
            "id": node,
            "cpus": cpus(node=places[node]) if node in places else "",
            "memory_kib": memory[node] * _GIB,
            "distances": {str(other): distance(node, other) for other in memory},
            "huge_pages": pages,
        }
        for node in memory
    ]


def _devices(name: str, cpus: Any, shape: Shape) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    node_ids = shape.node_ids or list(range(1 if shape.one_node else shape.sockets * shape.nodes))
    irqs: list[dict[str, Any]] = [{"number": 1, "actions": "i8042", "cpus": cpus()}]
    devices = []
    numbers = count(40)
    for place, (kind, node, vectors, vfs, driver) in enumerate(SHAPES[name].get("devices", [])):
        own = [next(numbers) for _ in range(vectors)]
        interfaces = [f"ens{place}f0"] if kind == "network" else []
        label = interfaces[0] if interfaces else driver
        irqs += [{"number": irq, "actions": f"{label}-{at}", "cpus": cpus()} for at, irq in enumerate(own)]
        devices.append(
            {
                "address": f"0000:{place + 1:02x}:00.0",
                "kind": kind,
                "vendor": "15b3",
                "device": "101d",
                "driver": driver,
                "numa_node": -1 if shape.no_numa else node,
                "local_cpus": cpus(node=node_ids.index(node)),
                "interfaces": interfaces,
                "physical_function": "",
                "total_vfs": vfs,
                "vfs": 0,
                "irqs": own,
            }
        )
    return devices, irqs


@cache
def topology(name: str) -> Topology:
    """Return the topology of a shape."""
    return Topology.model_validate(snapshot(name))


def write_tree(name: str, root: Path) -> None:
    """Write what /sys and /proc of such a machine hold, as far as it is read."""
    shape, found = _shape(name), snapshot(name)
    cpus, nodes = root / "sys/devices/system/cpu", root / "sys/devices/system/node"

    made: set[Path] = set()

    def write(path: Path, value: Any) -> None:
        if path.parent not in made:
            path.parent.mkdir(parents=True, exist_ok=True)
            made.add(path.parent)
        path.write_text(f"{value}\n", encoding="ascii")

    online = [cpu["id"] for cpu in found["cpus"]]
    write(cpus / "online", format_cpuset(online))
    write(cpus / "present", found["present"])
    write(cpus / "isolated", "")
    write(cpus / "nohz_full", "(null)")
    efficient = [cpu["id"] for cpu in found["cpus"] if cpu["kind"] == "efficiency"]
    if efficient:
        write(root / "sys/devices/cpu_atom/cpus", format_cpuset(efficient))
    for cpu in found["cpus"]:
        place = cpus / f"cpu{cpu['id']}/topology"
        write(place / "physical_package_id", cpu["socket"])
        write(place / "die_id", cpu["die"])
        write(place / "core_id", cpu["core"])
        write(place / "thread_siblings_list", cpu["siblings"])
    for cached in found["caches"]:
        for cpu_id in parse_cpuset(cached["cpus"]):
            place = cpus / f"cpu{cpu_id}/cache/index3"
            write(place / "level", cached["level"])
            write(place / "type", "Unified")
            write(place / "size", f"{cached['size_kib']}K")
            write(place / "shared_cpu_list", cached["cpus"])
    _write_memory(shape, found, root, nodes, write)
    for device in found["devices"]:
        _write_device(device, root, write)
    for irq in found["irqs"]:
        write(root / f"sys/kernel/irq/{irq['number']}/actions", irq["actions"])
        write(root / f"proc/irq/{irq['number']}/smp_affinity_list", irq["cpus"])
    write(root / "proc/cmdline", found["command_line"])
    write(root / "proc/sys/kernel/numa_balancing", 1)
    write(root / "sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never")


def _write_memory(shape: Shape, found: dict[str, Any], root: Path, nodes: Path, write: Any) -> None:
    for node in found["numa"]:
        folder = root / "sys/kernel/mm" if shape.no_numa else nodes / f"node{node['id']}"
        for pages in node["huge_pages"]:
            for file in ("nr_hugepages", "free_hugepages"):
                write(folder / f"hugepages/hugepages-{pages['size_kib']}kB" / file, 0)
        if shape.no_numa:
            write(root / "proc/meminfo", f"MemTotal:       {node['memory_kib']} kB")
            continue
        write(folder / "cpulist", node["cpus"])
        write(folder / "meminfo", f"Node {node['id']} MemTotal:       {node['memory_kib']} kB")
        write(folder / "distance", " ".join(str(node["distances"][str(other["id"])]) for other in found["numa"]))


def _write_device(device: dict[str, Any], root: Path, write: Any) -> None:
    folder = root / "sys/bus/pci/devices" / device["address"]
    write(folder / "class", _CLASSES[device["kind"]])
    write(folder / "vendor", f"0x{device['vendor']}")
    write(folder / "device", f"0x{device['device']}")
    write(folder / "numa_node", device["numa_node"])
    write(folder / "local_cpulist", device["local_cpus"])
    write(folder / "sriov_totalvfs", device["total_vfs"])
    write(folder / "sriov_numvfs", device["vfs"])
    (folder / "driver").symlink_to(f"../../../bus/pci/drivers/{device['driver']}")
    for interface in device["interfaces"]:
        (folder / "net" / interface).mkdir(parents=True)
    for irq in device["irqs"]:
        write(folder / f"msi_irqs/{irq}", "msix")
