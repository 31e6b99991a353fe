"""Pods with the kubelet's verdict on each, by rule: what was there before, what comes, and what is said of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kubelet_judge import Course
from pod_courses import GPU, NETWORK, PLACELESS, pod, with_pages
from topologies import topology

from gedge_provision.models.topology import Topology

ADMITTED, TOPOLOGY, SMT, UNEXPECTED = "", "TopologyAffinityError", "SMTAlignmentError", "UnexpectedAdmissionError"
_MIB = 2**20

# Two NUMA nodes with two cores of two threads and 2 GiB each; four virtual functions on each, a GPU on the second.
_EMULATED = "emulated-node"
_NEAR: dict[str, dict[str, list[int]]] = {
    NETWORK: {f"vf{place}": [place // 4] for place in range(8)},
    GPU: {"gpu0": [1]},
    PLACELESS: {f"d{place}": [] for place in range(4)},
}


def kubelet(topology_policy: str = "single-numa-node", scope: str = "container", **more: Any) -> dict[str, Any]:
    """Return a configuration with the static CPU manager; options by their names with underscores."""
    options = [name.replace("_", "-") for name, value in more.items() if value is True]
    fields = {name: value for name, value in more.items() if value is not True}
    reserved = {} if "kubeReserved" in fields and "cpu" in fields["kubeReserved"] else {"reservedSystemCPUs": "0-1"}
    return {
        "cpuManagerPolicy": "static",
        "cpuManagerPolicyOptions": dict.fromkeys(options, "true"),
        **reserved,
        "topologyManagerPolicy": topology_policy,
        "topologyManagerScope": scope,
        **fields,
    }


def amounts(cpu: object = 2, mib: int = 16, **devices: int) -> dict[str, Any]:
    """Return what a container asks for; devices by the short names vf, gpu and anywhere."""
    names = {"vf": NETWORK, "gpu": GPU, "anywhere": PLACELESS, "pages": "hugepages-2Mi"}
    sizes = {"pages": 2 * _MIB}
    return {
        "cpu": str(cpu),
        "memory": mib * _MIB,
        **{names[name]: number * sizes.get(name, 1) for name, number in devices.items()},
    }


SINGLE, SINGLE_POD = kubelet(), kubelet(scope="pod")
RESTRICTED, RESTRICTED_POD = kubelet("restricted"), kubelet("restricted", "pod")
BEST_EFFORT, NONE = kubelet("best-effort"), kubelet("none")
CORES = kubelet(scope="pod", full_pcpus_only=True)
LOOSE_CORES = kubelet("best-effort", full_pcpus_only=True)
SHARED = {"topologyManagerPolicy": "single-numa-node"}
_MEMORY: dict[str, Any] = {
    "memoryManagerPolicy": "Static",
    "kubeReserved": {"memory": "412Mi"},
    "reservedMemory": [{"numaNode": node, "limits": {"memory": "256Mi"}} for node in (0, 1)],
}
MEMORY, MEMORY_POD = kubelet(**_MEMORY), kubelet(scope="pod", **_MEMORY)
MEMORY_RESTRICTED, MEMORY_LOOSE, MEMORY_NONE = (
    kubelet(policy, **_MEMORY) for policy in ("restricted", "best-effort", "none")
)


@dataclass(frozen=True)
class Case:
    """A pod that comes to a machine on which others are; `unusual` are changes to what it asks for."""

    name: str
    kubelet: Mapping[str, Any]
    containers: Sequence[Mapping[str, Any]]
    reason: str
    before: Sequence[Sequence[Mapping[str, Any]]] = ()
    init: Sequence[Mapping[str, Any]] = ()
    burstable: bool = False
    machine: Topology = field(default_factory=lambda: topology(_EMULATED))
    devices: Mapping[str, Mapping[str, Sequence[int]]] = field(default_factory=lambda: _NEAR)

    def course(self) -> Course:
        """Return it as a course of the judge."""
        before = [pod(f"before{place}", containers) for place, containers in enumerate(self.before)]
        last = pod("last", self.containers, self.init, burstable=self.burstable)
        return Course(self.machine, self.kubelet, self.devices, [*before, last])


_A = amounts
_PAGES = with_pages(_EMULATED, {0: 64, 1: 0})
_SIDECAR = {"sidecar": True}

CASES = (
    # CPU manager: whole CPUs of Guaranteed pods.
    Case("two CPUs of one node", SINGLE, [_A(2)], ADMITTED),
    Case("a whole node", SINGLE, [_A(4)], ADMITTED),
    Case("more than a node has", SINGLE, [_A(5)], TOPOLOGY),
    Case("more than a node has, restricted", RESTRICTED, [_A(5)], ADMITTED),
    Case("more than a node has, best effort", BEST_EFFORT, [_A(5)], ADMITTED),
    Case("more than a node has, no policy", NONE, [_A(5)], ADMITTED),
    Case("more than is free", NONE, [_A(7)], UNEXPECTED),
    Case("more than is free, best effort", BEST_EFFORT, [_A(7)], UNEXPECTED),
    Case("more than is free, restricted", RESTRICTED, [_A(7)], TOPOLOGY),
    Case("a fraction is shared", SINGLE, [_A("5500m")], ADMITTED),
    Case("burstable is shared", SINGLE, [_A(5)], ADMITTED, burstable=True),
    Case("nobody owns CPUs", SHARED, [_A(7)], ADMITTED),
    Case("the node is taken", SINGLE, [_A(4)], TOPOLOGY, before=[[_A(2)], [_A(2)]]),
    Case("the node is taken, restricted", RESTRICTED, [_A(3)], TOPOLOGY, before=[[_A(2)], [_A(2)]]),
    Case("the node is taken, best effort", BEST_EFFORT, [_A(3)], UNEXPECTED, before=[[_A(2)], [_A(2)]]),
    Case("an amount is reserved", kubelet(kubeReserved={"cpu": "1500m"}), [_A(4)], ADMITTED),
    Case(
        "an amount is reserved, and the rest taken", kubelet(kubeReserved={"cpu": "500m"}), [_A(4)], TOPOLOGY, [[_A(4)]]
    ),
    # Whole cores.
    Case("half a core", CORES, [_A(1)], SMT),
    Case("a core and a half", CORES, [_A(3)], SMT),
    Case("two cores", CORES, [_A(4)], ADMITTED),
    Case("half a core of two containers", CORES, [_A(1), _A(1)], SMT),
    Case("a shared container beside a core", CORES, [_A(2), _A("500m")], ADMITTED),
    Case("half a core, best effort", LOOSE_CORES, [_A(1)], SMT),
    Case("more cores than are free", LOOSE_CORES, [_A(4)], SMT, before=[[_A(4)]]),
    Case("half a core is reserved", {**LOOSE_CORES, "reservedSystemCPUs": "0"}, [_A(6)], ADMITTED),
    Case("half a core is reserved, and asked for", {**LOOSE_CORES, "reservedSystemCPUs": "0"}, [_A(8)], SMT),
    Case(
        "cores of an init container are not counted",
        LOOSE_CORES,
        [_A(4)],
        SMT,
        init=[_A(4)],
    ),
    # Devices.
    Case("a function and CPUs", SINGLE, [_A(2, vf=1)], ADMITTED),
    Case("all functions of a node", SINGLE, [_A(2, vf=4)], ADMITTED),
    Case("functions of both nodes", SINGLE, [_A(2, vf=5)], TOPOLOGY),
    Case("functions of both nodes, restricted", RESTRICTED, [_A(2, vf=5)], TOPOLOGY),
    Case("functions and CPUs of both nodes, restricted", RESTRICTED, [_A(5, vf=5)], ADMITTED),
    Case("functions of both nodes, best effort", BEST_EFFORT, [_A(2, vf=5)], ADMITTED),
    Case("functions of both nodes without CPUs", SINGLE, [_A("100m", vf=5)], TOPOLOGY),
    Case("functions of both nodes of a burstable pod", SINGLE, [_A("100m", vf=5)], TOPOLOGY, burstable=True),
    Case("more functions than there are", NONE, [_A(2, vf=9)], UNEXPECTED),
    Case("more functions than there are, single", SINGLE, [_A(2, vf=9)], TOPOLOGY),
    Case("a GPU beside CPUs", SINGLE, [_A(4, gpu=1)], ADMITTED),
    Case("a GPU whose node has no CPUs left", SINGLE, [_A(2, gpu=1)], TOPOLOGY, before=[[_A(4)]]),
    Case("a GPU whose node has no CPUs left, best effort", BEST_EFFORT, [_A(2, gpu=1)], ADMITTED, before=[[_A(4)]]),
    Case("a GPU that is taken", SINGLE, [_A(2, gpu=1)], TOPOLOGY, before=[[_A("100m", gpu=1)]]),
    Case("devices without a place", SINGLE, [_A(4, anywhere=4)], ADMITTED),
    Case(
        "more devices without a place than are free", SINGLE, [_A(4, anywhere=4)], UNEXPECTED, [[_A("1m", anywhere=1)]]
    ),
    Case("a GPU and functions of one node", SINGLE, [_A(2, gpu=1, vf=4)], ADMITTED),
    # Scope.
    Case("containers on two nodes", SINGLE, [_A(2, vf=3), _A(2, vf=3)], ADMITTED),
    Case("a pod on two nodes", SINGLE_POD, [_A(2, vf=3), _A(2, vf=3)], TOPOLOGY),
    Case("a pod on one node", SINGLE_POD, [_A(2, vf=2), _A(2, vf=2)], ADMITTED),
    Case("a pod on two nodes, restricted", RESTRICTED_POD, [_A(3, vf=3), _A(3, vf=3)], ADMITTED),
    Case("a pod whose CPUs fit and functions do not, restricted", RESTRICTED_POD, [_A(2, vf=3), _A(2, vf=2)], TOPOLOGY),
    # Init containers and sidecars.
    Case("an init container leaves its CPUs", SINGLE_POD, [_A(4)], ADMITTED, init=[_A(4)]),
    Case("an init container needs more", SINGLE_POD, [_A(2)], TOPOLOGY, init=[_A(5)]),
    Case("a sidecar keeps its CPUs", SINGLE_POD, [_A(4)], TOPOLOGY, init=[_A(2) | _SIDECAR]),
    Case("a sidecar beside a container", SINGLE_POD, [_A(2)], ADMITTED, init=[_A(2) | _SIDECAR]),
    # Memory manager.
    Case("memory of a node", MEMORY, [_A(2, 1024)], ADMITTED),
    Case("memory of both nodes", MEMORY, [_A(2, 2048)], TOPOLOGY),
    Case("memory of both nodes, restricted", MEMORY_RESTRICTED, [_A(2, 2048)], TOPOLOGY),
    Case("memory and CPUs of both nodes, restricted", MEMORY_RESTRICTED, [_A(5, 2048)], ADMITTED),
    Case("memory of both nodes, best effort", MEMORY_LOOSE, [_A(2, 2048)], ADMITTED),
    Case("memory of both nodes, no policy", MEMORY_NONE, [_A(2, 2048)], ADMITTED),
    Case("memory that no node has", MEMORY_NONE, [_A(2, 4096)], UNEXPECTED),
    Case("memory that no node has is no hint", MEMORY, [_A(2, 4096)], UNEXPECTED),
    Case("a group after a single node", MEMORY_LOOSE, [_A("1m", 2048)], UNEXPECTED, before=[[_A("1m", 100)]]),
    Case("a single node after a group", MEMORY_LOOSE, [_A("1m", 100)], ADMITTED, before=[[_A("1m", 2048)]]),
    Case("a single node after a group, single", MEMORY, [_A("1m", 100)], ADMITTED, before=[[_A("1m", 1500)]]),
    Case(
        "memory beside CPUs that are elsewhere", MEMORY, [_A(2, 1500)], TOPOLOGY, before=[[_A(4, 16)], [_A("1m", 400)]]
    ),
    Case("memory of two containers", MEMORY_POD, [_A(2, 800), _A(2, 800)], ADMITTED),
    Case("memory of two containers on two nodes", MEMORY_POD, [_A(2, 1000), _A(2, 1000)], TOPOLOGY),
    Case("a burstable pod sets no memory aside", MEMORY, [_A(2, 3000)], ADMITTED, burstable=True),
    Case("huge pages of a node", MEMORY, [_A(2, pages=64)], ADMITTED, machine=_PAGES),
    Case(
        "huge pages of a node whose CPUs are taken",
        MEMORY,
        [_A(2, pages=63)],
        TOPOLOGY,
        [[_A(2, pages=1)]],
        machine=_PAGES,
    ),
    Case("an init container leaves its memory", MEMORY, [_A(2, 1500)], ADMITTED, init=[_A(2, 1500)]),
)
