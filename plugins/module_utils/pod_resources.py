"""Which CPUs, memory and devices pods have, as the kubelet tells it. Standard library only, Python 3.8 and later.

Source: k8s.io/kubelet, pkg/apis/podresources/v1/api.proto; pkg/kubelet/cm, checkpoints of the CPU and memory managers.
"""

from __future__ import annotations

import json
import os
import re

from .cpu_topology import listed
from .grpc_unary import call
from .host_state import CPU_STATE, KUBELET_CONFIG, read_text
from .protobuf_wire import fields, integers, messages, text, texts, unsigned

SOCKET = "/var/lib/kubelet/pod-resources/kubelet.sock"
MEMORY_STATE = "/var/lib/kubelet/memory_manager_state"
POD_LOGS = "/var/log/pods"
SETTINGS = (
    "cpuManagerPolicy",
    "cpuManagerPolicyOptions",
    "kubeReserved",
    "memoryManagerPolicy",
    "reservedMemory",
    "reservedSystemCPUs",
    "systemReserved",
    "topologyManagerPolicy",
    "topologyManagerPolicyOptions",
    "topologyManagerScope",
)
LOOKS = 5


def read_pod_resources(path=SOCKET):
    """Return what pods have and could have, and what the kubelet's files say of it.

    Raises:
        CallError: the kubelet does not answer.
        ValueError: its answer is no message.
    """
    found = states()
    for _ in range(LOOKS):
        before = found
        pods = pods_in(call(path, "v1.PodResourcesLister/List"))
        found = states()
        if found == before:
            break  # else a pod came or went in between; a node where that never ends is taken as it is
    return {
        "pods": pods,
        "allocatable": allocatable_in(call(path, "v1.PodResourcesLister/GetAllocatableResources")),
        "cpu_state": parsed_state(found[CPU_STATE]),
        "memory_state": parsed_state(found[MEMORY_STATE]),
        "pod_names": pod_names(POD_LOGS),
        "kubelet": settings_in(read_text(KUBELET_CONFIG) or ""),
    }


def pods_in(answer):
    """Return the pods of a ListPodResourcesResponse."""
    return [
        {
            "namespace": text(pod, 2),
            "name": text(pod, 1),
            "containers": [
                {
                    "name": text(container, 1),
                    "devices": devices_in(container, 2),
                    "cpus": listed(integers(container, 3)),
                    "memory": memory_in(container, 4),
                }
                for container in messages(pod, 3)
            ],
        }
        for pod in messages(fields(answer), 1)
    ]


def allocatable_in(answer):
    """Return an AllocatableResourcesResponse."""
    found = fields(answer)
    return {"devices": devices_in(found, 1), "cpus": listed(integers(found, 2)), "memory": memory_in(found, 3)}


def devices_in(message, number):
    """Return devices by resource and NUMA nodes; the kubelet tells each one by itself."""
    found = {}
    for devices in messages(message, number):
        found.setdefault((text(devices, 1), nodes_of(devices)), []).extend(texts(devices, 2))
    return [
        {"resource": resource, "numa_nodes": list(nodes), "ids": sorted(ids)}
        for (resource, nodes), ids in sorted(found.items())
    ]


def memory_in(message, number):
    """Return memory and huge pages by kind and NUMA nodes."""
    blocks = [
        {"kind": text(memory, 1), "bytes": unsigned(memory, 2), "numa_nodes": list(nodes_of(memory))}
        for memory in messages(message, number)
    ]
    return sorted(blocks, key=lambda block: (block["kind"], block["numa_nodes"]))


def nodes_of(message):
    """Return the NUMA nodes of a TopologyInfo; a device plugin that knows none may say -1."""
    numbers = {sum(integers(node, 1)) for topology in messages(message, 3) for node in messages(topology, 1)}
    return tuple(sorted(number for number in numbers if number >= 0))


def states():
    """Return the texts of the state files; None where there is no file."""
    return {path: read_text(path) for path in (CPU_STATE, MEMORY_STATE)}


def parsed_state(content):
    """Return policy, entries by UID and container, and the CPUs that nobody owns; None where there is no file."""
    if content is None:
        return None
    try:
        state = json.loads(content)
    except ValueError:
        state = None
    readable = isinstance(state, dict)
    state = state if readable else {}
    return {
        "readable": readable,
        "policy": state.get("policyName", ""),
        "shared": state.get("defaultCpuSet", ""),
        "entries": state.get("entries") or {},
    }


def pod_names(folder):
    """Return namespace/name of each pod by its UID, from the folders that the kubelet keeps for logs.

    State files name pods by UID, the API by name. No name has an underscore.
    """
    found = (re.match(r"([^_]+)_([^_]+)_([^_]+)$", name) for name in listed_names(folder))
    return {match.group(3): "%s/%s" % match.group(1, 2) for match in found if match}


def listed_names(folder):
    try:
        return os.listdir(folder)
    except OSError:
        return []


def settings_in(content):
    """Return those lines of a KubeletConfiguration that say who owns what, as they stand (YAML)."""
    pattern = r"^(?:%s):.*\n?(?:[ \t-].*\n?)*" % "|".join(SETTINGS)  # items of a list may begin the line
    return "".join(re.findall(pattern, content, re.MULTILINE))
