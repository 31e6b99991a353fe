"""What /sys and /proc tell of CPUs, caches, memory, PCI devices and interrupts. Standard library only, Python 3.8+.

Linux kernel, Documentation/ABI/stable/sysfs-devices-system-cpu, sysfs-devices-node, testing/sysfs-bus-pci.
"""

from __future__ import annotations

import glob
import os
import re

CPUS = "sys/devices/system/cpu"
NODES = "sys/devices/system/node"
DEVICES = "sys/bus/pci/devices"
KINDS = (("0x02", "network"), ("0x03", "gpu"), ("0x0108", "nvme"), ("0x12", "accelerator"))
"""First digits of PCI classes (pci.ids, "List of known device classes")."""
SETTINGS = {
    "governor": CPUS + "/cpu0/cpufreq/scaling_governor",
    "irq_default_affinity": "proc/irq/default_smp_affinity",
    "numa_balancing": "proc/sys/kernel/numa_balancing",
    "smt": CPUS + "/smt/control",
    "transparent_hugepage": "sys/kernel/mm/transparent_hugepage/enabled",
}
EFFICIENT_CAPACITY = 0.75
SECOND_LEVEL = 2


class Tree:
    """Files below a folder that stands for /."""

    def __init__(self, root):
        self.root = root

    def path(self, *parts):
        return os.path.join(self.root, *parts)

    def read(self, *parts):
        """Return a file without its line end, empty where there is none or the kernel has no answer."""
        try:
            with open(self.path(*parts), encoding="utf-8", errors="replace") as file:
                return file.read().strip()
        except OSError:
            return ""

    def number(self, *parts, default=0):
        text = self.read(*parts)
        return int(text) if re.match(r"-?\d+$", text) else default

    def link(self, *parts):
        """Return the last part of where a symbolic link leads, empty where there is none."""
        try:
            return os.path.basename(os.readlink(self.path(*parts)))
        except OSError:
            return ""

    def names(self, *parts):
        """Return the sorted names of what a folder holds, none where there is no folder."""
        try:
            return sorted(os.listdir(self.path(*parts)))
        except OSError:
            return []

    def numbered(self, folder, prefix):
        """Return the sorted numbers N of entries PREFIXN."""
        found = (re.match(prefix + r"(\d+)$", name) for name in self.names(folder))
        return sorted(int(match.group(1)) for match in found if match)


def parsed(text):
    """Return the CPUs of a list as the kernel prints it."""
    cpus = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        cpus.update(range(int(first), int(last or first) + 1))
    return cpus


def listed(cpus):
    """Return CPUs as a list in the kernel's spelling."""
    ranges = []
    for cpu in sorted(cpus):
        if ranges and cpu == ranges[-1][1] + 1:
            ranges[-1][1] = cpu
        else:
            ranges.append([cpu, cpu])
    return ",".join(str(first) if first == last else "%d-%d" % (first, last) for first, last in ranges)


def read_topology(root):
    """Return CPUs, caches, NUMA nodes, devices, interrupts and settings of the host whose / is `root`."""
    tree = Tree(root)
    online = parsed(tree.read(CPUS, "online")) or set(tree.numbered(CPUS, "cpu"))
    return {
        "schema_version": 1,
        "processor": processor(tree),
        "command_line": tree.read("proc/cmdline"),
        "present": tree.read(CPUS, "present") or listed(online),
        "isolated": tree.read(CPUS, "isolated"),
        "nohz_full": listed(cpus_or_none(tree.read(CPUS, "nohz_full"))),
        "cpus": cpus_of(tree, online),
        "caches": caches_of(tree, online),
        "numa": numa_of(tree, online),
        "devices": devices_of(tree),
        "irqs": irqs_of(tree),
        "settings": settings_of(tree),
    }


def cpus_or_none(text):
    """Return the CPUs of a list; the kernel prints (null) for none in some files."""
    return parsed(text) if re.match(r"[\d,-]+$", text) else set()


def processor(tree):
    """Return the name of the processor; kernels for Arm tell none."""
    for line in tree.read("proc/cpuinfo").splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("model name", "cpu", "Model"):
            return re.sub(r"\s+", " ", value.strip())
    return ""


def cpus_of(tree, online):
    efficient = efficient_of(tree, online)
    found = []
    for cpu in sorted(online):
        folder = os.path.join(CPUS, "cpu%d" % cpu, "topology")
        siblings = parsed(tree.read(folder, "core_cpus_list") or tree.read(folder, "thread_siblings_list"))
        found.append(
            {
                "id": cpu,
                "socket": max(tree.number(folder, "physical_package_id"), 0),
                "die": max(tree.number(folder, "die_id"), 0),
                "core": tree.number(folder, "core_id", default=cpu),
                "siblings": listed((siblings & online) | {cpu}),
                "kind": "efficiency" if cpu in efficient else "performance",
            }
        )
    return found


def efficient_of(tree, online):
    """Return the CPUs of efficiency cores: as the kernel names them (x86), or by their capacity (Arm)."""
    named = parsed(tree.read("sys/devices/cpu_atom/cpus"))
    if named:
        return named & online
    capacities = {cpu: tree.number(CPUS, "cpu%d" % cpu, "cpu_capacity") for cpu in online}
    most = max(capacities.values()) if capacities else 0
    return {cpu for cpu, capacity in capacities.items() if 0 < capacity < most * EFFICIENT_CAPACITY}


def caches_of(tree, online):
    """Return the caches from the second level on, each once; those for instructions alone are left out."""
    found = {}
    for cpu in sorted(online):
        folder = os.path.join(CPUS, "cpu%d" % cpu, "cache")
        for index in tree.numbered(folder, "index"):
            place = os.path.join(folder, "index%d" % index)
            level = tree.number(place, "level")
            if level < SECOND_LEVEL or tree.read(place, "type") == "Instruction":
                continue
            shared = listed((parsed(tree.read(place, "shared_cpu_list")) & online) | {cpu})
            found.setdefault(
                (level, shared), {"level": level, "size_kib": kib(tree.read(place, "size")), "cpus": shared}
            )
    return [found[key] for key in sorted(found, key=lambda key: (key[0], min(parsed(key[1]))))]


def kib(text):
    match = re.match(r"(\d+)([KMG]?)$", text)
    return int(match.group(1)) * {"": 1, "K": 1, "M": 1024, "G": 1024 * 1024}[match.group(2)] if match else 0


def numa_of(tree, online):
    """Return the NUMA nodes; a kernel without any has one that holds everything."""
    numbers = tree.numbered(NODES, "node")
    if not numbers:
        memory = meminfo(tree.read("proc/meminfo"))
        pages = huge_pages(tree, "sys/kernel/mm/hugepages")
        return [{"id": 0, "cpus": listed(online), "memory_kib": memory, "distances": {"0": 10}, "huge_pages": pages}]
    found = []
    for number in numbers:
        folder = os.path.join(NODES, "node%d" % number)
        distances = tree.read(folder, "distance").split()
        found.append(
            {
                "id": number,
                "cpus": listed(parsed(tree.read(folder, "cpulist")) & online),
                "memory_kib": meminfo(tree.read(folder, "meminfo")),
                "distances": {str(numbers[place]): int(distance) for place, distance in enumerate(distances)},
                "huge_pages": huge_pages(tree, os.path.join(folder, "hugepages")),
            }
        )
    return found


def meminfo(text):
    match = re.search(r"MemTotal:\s+(\d+) kB", text)
    return int(match.group(1)) if match else 0


def huge_pages(tree, folder):
    found = []
    for name in tree.names(folder):
        match = re.match(r"hugepages-(\d+)kB$", name)
        if match:
            total, free = (tree.number(folder, name, file) for file in ("nr_hugepages", "free_hugepages"))
            found.append({"size_kib": int(match.group(1)), "total": total, "free": free})
    return sorted(found, key=lambda pages: pages["size_kib"])


def devices_of(tree):
    found = []
    for address in tree.names(DEVICES):
        folder = os.path.join(DEVICES, address)
        number = tree.read(folder, "class")
        kind = next((kind for prefix, kind in KINDS if number.startswith(prefix)), None)
        if kind is None:
            continue
        found.append(
            {
                "address": address,
                "kind": kind,
                "vendor": tree.read(folder, "vendor")[2:],
                "device": tree.read(folder, "device")[2:],
                "driver": tree.link(folder, "driver"),
                "numa_node": tree.number(folder, "numa_node", default=-1),
                "local_cpus": tree.read(folder, "local_cpulist"),
                "interfaces": sorted(tree.names(folder, "net") or virtio_interfaces(tree, folder)),
                "physical_function": tree.link(folder, "physfn"),
                "total_vfs": tree.number(folder, "sriov_totalvfs"),
                "vfs": tree.number(folder, "sriov_numvfs"),
                "irqs": sorted(int(name) for name in tree.names(folder, "msi_irqs")),
            }
        )
    return found


def virtio_interfaces(tree, folder):
    """Return the interfaces of a virtio device, which hang a folder lower."""
    pattern = tree.path(folder, "virtio*", "net", "*")
    return [os.path.basename(path) for path in glob.glob(pattern)]


def irqs_of(tree):
    """Return the interrupts that somebody takes."""
    found = []
    for number in tree.numbered("proc/irq", ""):
        actions = tree.read("sys/kernel/irq", str(number), "actions")
        if actions:
            cpus = tree.read("proc/irq", str(number), "smp_affinity_list")
            found.append({"number": number, "actions": actions, "cpus": cpus})
    return found


def settings_of(tree):
    """Return kernel settings that concern CPUs and memory; of a choice the one in brackets."""
    found = {}
    for name, path in SETTINGS.items():
        text = tree.read(path)
        chosen = re.search(r"\[(\w+)\]", text)
        if text:
            found[name] = chosen.group(1) if chosen else text
    return found
