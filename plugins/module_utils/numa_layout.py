"""What a kubelet looks at of a host's NUMA nodes when it admits pods. Standard library only, Python 3.8 and later.

The form is that of gedge_provision/models/alignment.py (NumaNode), without devices.
"""

from __future__ import annotations

from .cpu_topology import CPUS, Tree, caches_of, cpus_of, listed, numa_of, parsed


def numa_layout(root="/"):
    """Return the NUMA nodes of the host whose / is `root`, those without CPUs too."""
    tree = Tree(root)
    online = parsed(tree.read(CPUS, "online")) or set(tree.numbered(CPUS, "cpu"))
    cpus = cpus_of(tree, online)
    caches = last_level(caches_of(tree, online), cpus)
    return [layout_of(node, cpus, caches) for node in numa_of(tree, online)]


def last_level(caches, cpus):
    """Return the CPUs of each cache of the highest level, in the order of their cores' places."""
    places = {cpu["id"]: (cpu["socket"], cpu["die"], cpu["core"], cpu["id"]) for cpu in cpus}
    level = max([cache["level"] for cache in caches] or [0])
    found = [parsed(cache["cpus"]) for cache in caches if cache["level"] == level]
    return sorted(found, key=lambda shared: min(places[cpu] for cpu in shared))


def layout_of(node, cpus, caches):
    own = parsed(node["cpus"])
    sockets = {}
    for cpu in cpus:
        if cpu["id"] in own:
            sockets.setdefault(str(cpu["socket"]), set()).add(cpu["id"])
    return {
        "id": node["id"],
        "cores": sorted({cpu["siblings"] for cpu in cpus if cpu["id"] in own}, key=lambda core: min(parsed(core))),
        "sockets": {socket: listed(found) for socket, found in sockets.items()},
        "caches": {str(number): listed(shared & own) for number, shared in enumerate(caches) if shared & own},
        "memory_kib": node["memory_kib"],
        "distances": list(node["distances"].values()),
    }
