"""Machines on which the kubelet's rules are asked about, and what the rules look at of them."""

from __future__ import annotations

from functools import cache

from topologies import snapshot, topology

from gedge_provision.models.kubelet_rules import KubeletHost
from gedge_provision.models.topology import Topology
from gedge_provision.planning.cpu_plans.written import kubelet_host

TWO_NODES = "emulated-node"  # two sockets, each a NUMA node of 2 GiB and 2 cores with 2 threads
MORE_SOCKETS = "vmware-hot-added"  # eight sockets, one NUMA node
NINE_NODES = "nine NUMA nodes"
NO_DISTANCES = "no distances"
MACHINES = (TWO_NODES, MORE_SOCKETS, NINE_NODES, NO_DISTANCES)


@cache
def machine(name: str) -> Topology:
    """Return a machine of the fixtures, or one of two that no fixture is like."""
    if name == NINE_NODES:
        found = snapshot("epyc-7763-nps4")
        extra = {**found["numa"][0], "id": 8, "cpus": "", "memory_kib": 2**20}
        return Topology.model_validate({**found, "numa": [*found["numa"], extra]})
    if name == NO_DISTANCES:
        found = snapshot(TWO_NODES)
        return Topology.model_validate({**found, "numa": [{**node, "distances": {}} for node in found["numa"]]})
    return topology(name)


def host(name: str = TWO_NODES, *, control_plane: bool = False) -> KubeletHost:
    """Return of a machine what the rules look at."""
    return kubelet_host(machine(name), control_plane=control_plane)
