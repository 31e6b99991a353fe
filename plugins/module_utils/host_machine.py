"""What a host is made of: CPUs, NUMA nodes, memory, its distribution."""

from __future__ import annotations

import glob
import os

from .host_state import read_text

CAP_SYS_RESOURCE = 24


def numa_nodes():
    """Return the NUMA nodes with their CPUs, as a cpuset; a machine without them has one."""
    found = [
        {"id": int(os.path.basename(folder)[4:]), "cpus": (read_text(folder + "/cpulist") or "").strip()}
        for folder in glob.glob("/sys/devices/system/node/node[0-9]*")
    ]
    online = (read_text("/sys/devices/system/cpu/online") or "").strip()
    return sorted((node for node in found if node["cpus"]), key=lambda node: node["id"]) or [{"id": 0, "cpus": online}]


def numa_memory_kib():
    """Return the memory of each NUMA node, of those without CPUs too; a machine without nodes has one."""
    found = {
        os.path.basename(folder)[4:]: memory_kib(folder + "/meminfo")
        for folder in glob.glob("/sys/devices/system/node/node[0-9]*")
    }
    return found or {"0": memory_kib("/proc/meminfo")}


def numa_distances():
    """Tell whether the kernel has the distances between the NUMA nodes."""
    return bool(glob.glob("/sys/devices/system/node/node[0-9]*/distance"))


def sockets():
    """Return how many sockets have CPUs that are online."""
    numbers = glob.glob("/sys/devices/system/cpu/cpu[0-9]*/topology/physical_package_id")
    return len({read_text(path) for path in numbers}) or 1


def threads_per_core():
    """Return how many CPUs share a core."""
    siblings = (read_text("/sys/devices/system/cpu/cpu0/topology/thread_siblings_list") or "0").strip()
    return sum(
        int(last or first) - int(first) + 1 for first, _, last in (part.partition("-") for part in siblings.split(","))
    )


def memory_kib(path):
    """Return the total of a file like /proc/meminfo; the lines of a NUMA node begin with its name."""
    for line in (read_text(path) or "").splitlines():
        if "MemTotal:" in line:
            return int(line.split()[-2])
    return 0


def can_raise_limits():
    """Tell whether this process may raise the limits of others."""
    for line in (read_text("/proc/self/status") or "").splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> CAP_SYS_RESOURCE & 1)
    return False


def distribution(root="/"):
    """Return id, version and family of the distribution that a folder holds."""
    fields = {}
    for line in (read_text(os.path.join(root, "etc/os-release")) or "").splitlines():
        name, _, value = line.partition("=")
        fields[name] = value.strip('"')
    like = (fields.get("ID", "") + " " + fields.get("ID_LIKE", "")).split()
    family = "debian" if "debian" in like else "rhel" if {"rhel", "fedora"} & set(like) else "unknown"
    return {"id": fields.get("ID", "unknown"), "version": fields.get("VERSION_ID", ""), "family": family}
