"""Pods at random, one after the other, on machines and under policies at random; the same ones in every run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from kubelet_judge import Course
from topologies import snapshot, topology

from gedge_provision.models.topology import Topology

NETWORK, GPU, PLACELESS = "example.com/vf", "example.com/gpu", "example.com/anywhere"
# Few with eight NUMA nodes: the kubelet goes through all their sets for each manager.
MACHINES = (
    *("emulated-node", "xeon-platinum-8480-snc4", "xeon-gold-6248r-interleaved", "vmware-hot-added", "epyc-9654") * 2,
    "epyc-7763-nps4",
    "numbers-with-holes",
    "power9-smt2",
)
_POLICIES = ("none", "best-effort", "restricted", "single-numa-node")
_OPTIONS: tuple[tuple[str, ...], ...] = (
    (),
    ("full-pcpus-only",),
    ("full-pcpus-only", "strict-cpu-reservation"),
    ("distribute-cpus-across-numa",),
    ("full-pcpus-only", "distribute-cpus-across-numa"),
    ("prefer-align-cpus-by-uncorecache",),
    ("prefer-align-cpus-by-uncorecache", "full-pcpus-only"),
    ("align-by-socket",),
    ("distribute-cpus-across-cores",),
)
_MIB = 2**20


def pod(
    uid: str,
    containers: Sequence[Mapping[str, Any]],
    init: Sequence[Mapping[str, Any]] = (),
    *,
    burstable: bool = False,
) -> dict[str, Any]:
    """Return a pod whose containers ask for these amounts; key `sidecar` makes an init container go on running."""

    def container(name: str, amounts: Mapping[str, Any]) -> dict[str, Any]:
        limits = {key: str(amount) for key, amount in amounts.items() if key != "sidecar"}
        requests = {**limits, "memory": "1Mi"} if burstable else limits
        policy = {"restartPolicy": "Always"} if amounts.get("sidecar") else {}
        return {"name": name, "image": "a", "resources": {"requests": requests, "limits": limits}, **policy}

    return {
        "metadata": {"name": uid, "namespace": "default", "uid": uid},
        "spec": {
            "initContainers": [container(f"init{place}", amounts) for place, amounts in enumerate(init)],
            "containers": [container(f"main{place}", amounts) for place, amounts in enumerate(containers)],
        },
    }


def with_pages(name: str, pages: Mapping[int, int]) -> Topology:
    """Return a machine of the fixtures with 2 MiB huge pages: how many, by NUMA node."""
    found = snapshot(name)
    numa = [{**node, "huge_pages": [{"size_kib": 2048, "total": pages.get(node["id"], 0)}]} for node in found["numa"]]
    return Topology.model_validate({**found, "numa": numa})


def course(seed: int) -> Course:
    """Return what happens on one machine."""
    random = Random(seed)  # noqa: S311 - no secret
    name = random.choice(MACHINES)
    machine = topology(name)
    if random.random() < 0.3:
        machine = with_pages(name, {node.id: random.choice((0, 32, 64)) for node in machine.numa})
    kubelet = _kubelet(random, machine)
    devices = _devices(random, machine)
    return Course(machine, kubelet, devices, _steps(random, machine, devices))


def _kubelet(random: Random, machine: Topology) -> dict[str, Any]:
    policy = random.choice(_POLICIES)
    kubelet: dict[str, Any] = {
        "topologyManagerPolicy": policy,
        "topologyManagerScope": random.choice(("container", "pod")),
    }
    if policy in {"best-effort", "restricted"} and random.random() < 0.4:
        kubelet["topologyManagerPolicyOptions"] = {"prefer-closest-numa-nodes": "true"}
    reserved: dict[str, str] = {}
    if random.random() < 0.85:
        options = random.choice(_OPTIONS)
        many_sockets = len(machine.sockets) > len([node for node in machine.numa if node.cpus])
        if "align-by-socket" in options and (policy == "single-numa-node" or many_sockets):
            options = ()
        kubelet["cpuManagerPolicy"] = "static"
        kubelet["cpuManagerPolicyOptions"] = dict.fromkeys(options, "true")
        if {"align-by-socket", "distribute-cpus-across-cores"} & set(options):
            kubelet["featureGates"] = {"CPUManagerPolicyAlphaOptions": True}
        if random.random() < 0.5:
            cpus = sorted(random.sample(sorted(machine.online), random.choice((1, 2, 2, 3))))
            kubelet["reservedSystemCPUs"] = ",".join(map(str, cpus))
        else:
            reserved["cpu"] = random.choice(("500m", "1", "1500m", "2"))
    if random.random() < 0.6:
        share = {node.id: random.choice((128, 256)) for node in machine.numa if node.memory_kib}
        kubelet["memoryManagerPolicy"] = "Static"
        reserved["memory"] = f"{sum(share.values()) - 100}Mi"
        kubelet["reservedMemory"] = [
            {"numaNode": node, "limits": {"memory": f"{size}Mi"}} for node, size in share.items()
        ]
    if reserved:
        kubelet["kubeReserved"] = reserved
    return kubelet


def _devices(random: Random, machine: Topology) -> dict[str, dict[str, list[int]]]:
    nodes = [node.id for node in machine.numa]
    found: dict[str, dict[str, list[int]]] = {}
    for resource in (NETWORK, GPU):
        if random.random() < 0.7:
            near = random.sample(nodes, random.randint(1, min(3, len(nodes))))
            found[resource] = {f"d{place}": [random.choice(near)] for place in range(random.randint(1, 8))}
            if random.random() < 0.2:
                found[resource]["d0"] = sorted(near)
            if random.random() < 0.15:
                found[resource]["d1"] = []
    if random.random() < 0.3:
        found[PLACELESS] = {f"d{place}": [] for place in range(4)}
    return found


def _steps(random: Random, machine: Topology, devices: Mapping[str, Any]) -> list[dict[str, Any] | str]:
    steps: list[dict[str, Any] | str] = []
    there: list[str] = []
    for number in range(random.randint(2, 9)):
        if there and random.random() < 0.25:
            steps.append(there.pop(random.randrange(len(there))))
        uid = f"pod{number}"
        containers = [_amounts(random, machine, devices) for _ in range(random.choice((1, 1, 1, 2, 2, 3)))]
        init = [_amounts(random, machine, {}) for _ in range(random.choice((0, 0, 0, 1, 2)))]
        init = [{**amounts, "sidecar": True} if random.random() < 0.3 else amounts for amounts in init]
        steps.append(pod(uid, containers, init, burstable=random.random() < 0.1))
        there.append(uid)
    return steps


def _amounts(random: Random, machine: Topology, devices: Mapping[str, Any]) -> dict[str, Any]:
    a_node = max(len(node.cpus) for node in machine.numa)
    cpus = random.choice((1, 2, 2, 3, 4, a_node // 2, a_node - 1, a_node, a_node + 1, len(machine.online) // 2))
    amounts: dict[str, Any] = {"cpu": random.choice((f"{cpus}", f"{cpus}", f"{cpus}", "500m"))}
    memory = max(node.memory_kib for node in machine.numa) * 1024
    share = random.choice((0.01, 0.05, 0.2, 0.5, 0.9, 1.2))
    amounts["memory"] = int(memory * share) // _MIB * _MIB
    pages = sum(one.total for node in machine.numa for one in node.huge_pages if one.size_kib == 2048)
    if pages and random.random() < 0.5:
        amounts["hugepages-2Mi"] = random.choice((1, 16, 40, 70)) * 2 * _MIB
    for resource, ids in devices.items():
        if random.random() < 0.5:
            amounts[resource] = random.randint(1, max(1, len(ids) // 2 + 1))
    return amounts
