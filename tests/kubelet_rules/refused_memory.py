"""What a kubelet refuses of its memory and topology managers, of names and kinds."""

from __future__ import annotations

from typing import Any

from machines import NINE_NODES, NO_DISTANCES
from refusal import MEMORY, STATIC, Refused

_ENOUGH = [{"numaNode": 0, "limits": {"memory": "512Mi"}}]


def _topology(policy: str = "best-effort", **chosen: str) -> dict[str, Any]:
    options = {name.replace("_", "-"): value for name, value in chosen.items()}
    return {"topologyManagerPolicy": policy, "topologyManagerPolicyOptions": options}


MEMORY_RULES = [
    Refused(
        {**MEMORY, "memoryManagerPolicy": "static", "reservedMemory": _ENOUGH},
        'unknown policy: "static"',
        "no memoryManagerPolicy 'static'",
        {"memoryManagerPolicy": "Static"},
    ),
    Refused(
        {**MEMORY, "memoryManagerPolicy": "BestEffort", "reservedMemory": _ENOUGH},
        'policy "BestEffort" is not available for platform "linux"',
        "no memoryManagerPolicy 'BestEffort'",
        {"memoryManagerPolicy": "Static"},
    ),
    Refused(
        MEMORY,
        'the total amount "0" of type "memory" is not equal to the value "512Mi"',
        "needs to know what is reserved on each NUMA node",
        {"reservedMemory": _ENOUGH},
    ),
    Refused(
        {**MEMORY, "reservedMemory": [{"numaNode": 0, "limits": {"memory": "412Mi"}}]},
        'is not equal to the value "512Mi" determined by Node Allocatable feature',
        "reservedMemory is 412Mi, but kubeReserved, systemReserved and the eviction threshold are 512Mi",
        {"reservedMemory": _ENOUGH},
    ),
    Refused(
        {**MEMORY, "evictionHard": {"memory.available": "200Mi"}, "reservedMemory": _ENOUGH},
        'is not equal to the value "612Mi"',
        "the eviction threshold are 612Mi",
        {"evictionHard": {"memory.available": "100Mi"}},
    ),
    Refused(
        {**MEMORY, "evictionHard": {"memory.available": "5%"}, "reservedMemory": _ENOUGH},
        'is not equal to the value "646761680"',  # 412Mi and 5 % of 4 GiB, as the kubelet rounds
        "the eviction threshold are 646761680",
        {"evictionHard": {"nodefs.available": "5%"}, "mergeDefaultEvictionSettings": True},
    ),
    Refused(
        {"memoryManagerPolicy": "Static", "evictionHard": {"nodefs.available": "5%"}},
        "[memorymanager] you should specify the system reserved memory",
        "needs memory reserved for the system",
        {"kubeReserved": {"memory": "512Mi"}, "reservedMemory": _ENOUGH},
    ),
    Refused(
        {**MEMORY, "reservedMemory": [{"numaNode": 2, "limits": {"memory": "512Mi"}}]},
        "references a NUMA node 2 that does not exist on this machine",
        "names NUMA node 2, and here are only 0, 1",
        {"reservedMemory": [{"numaNode": 1, "limits": {"memory": "512Mi"}}]},
    ),
    Refused(
        {**MEMORY, "reservedMemory": [{"numaNode": 0, "limits": {"memory": "256Mi"}}] * 2},
        'duplicate value for NUMA node 0 and resource "memory"',
        "names memory of NUMA node 0 twice",
        {"reservedMemory": _ENOUGH},
    ),
    Refused(
        {**MEMORY, "reservedMemory": [*_ENOUGH, {"numaNode": 1, "limits": {"memory": "0"}}]},
        'reserved memory may not be zero for NUMA node 1 and resource "memory"',
        "reservedMemory[1].limits.memory is 0",
        {"reservedMemory": _ENOUGH},
    ),
    Refused(
        {**MEMORY, "reservedMemory": [{"numaNode": 0, "limits": {"memory": "512Mi", "cpu": "1"}}]},
        'the limit type "cpu" for NUMA node 0 is not supported',
        "reservedMemory has 'cpu', which is no memory",
        {"reservedMemory": _ENOUGH},
    ),
    Refused(
        {**MEMORY, "reservedMemory": [{"numaNode": 0, "limits": {"memory": "512Mi", "hugepages-2Mi": "4Mi"}}]},
        'the total amount "4Mi" of type "hugepages-2Mi" is not equal to the value "0"',
        "huge pages cannot be reserved: no kubelet starts with it",
        {"reservedMemory": _ENOUGH},
    ),
    Refused(
        {**MEMORY, "reservedMemory": [{"numaNode": 0, "limits": {"memory": "512Mib"}}]},
        "quantities must match the regular expression",
        "is '512Mib', which is no Kubernetes quantity",
        {"reservedMemory": _ENOUGH},
    ),
    Refused(
        {"evictionHard": {"memory.free": "100Mi"}},
        "unsupported eviction signal memory.free",
        "evictionHard has 'memory.free', which the kubelet does not watch",
        {"evictionHard": {"memory.available": "100Mi"}},
    ),
    Refused(
        {"evictionHard": {"memory.available": "0"}},
        "must be positive",
        "evictionHard.memory.available is '0'",
        {"evictionHard": {"memory.available": "0%"}},
    ),
    Refused(
        {"evictionHard": {"memory.available": "101%"}},
        "must be <= 100%",
        "evictionHard.memory.available is '101%'",
        {"evictionHard": {"memory.available": "10%"}},
    ),
]

TOPOLOGY = [
    Refused(
        {"topologyManagerPolicy": "strict"},
        'topologyManagerPolicy (--topology-manager-policy) "strict" must be one of',
        "no topologyManagerPolicy 'strict'",
        {"topologyManagerPolicy": "restricted"},
    ),
    Refused(
        {"topologyManagerScope": "node"},
        'topologyManagerScope (--topology-manager-scope) "node" must be one of',
        "no topologyManagerScope 'node'",
        {"topologyManagerScope": "pod"},
    ),
    Refused(
        _topology(prefer_closest_numa="true"),
        'unknown Topology Manager Policy option: "prefer-closest-numa"',
        "no option of the topology manager's policies",
        {"topologyManagerPolicyOptions": {"prefer-closest-numa-nodes": "true"}},
    ),
    Refused(
        _topology(prefer_closest_numa_nodes="on"),
        'bad value for option "prefer-closest-numa-nodes"',
        "prefer-closest-numa-nodes is on",
        {"topologyManagerPolicyOptions": {"prefer-closest-numa-nodes": "true"}},
    ),
    Refused(
        _topology(max_allowable_numa_nodes="many"),
        "unable to convert policy option to integer",
        "max-allowable-numa-nodes is many",
        {"topologyManagerPolicyOptions": None},
    ),
    Refused(
        _topology(max_allowable_numa_nodes="7"),
        'the minimum value of "max-allowable-numa-nodes" should not be less than 8',
        "max-allowable-numa-nodes is 7, and the kubelet takes numbers from 8 only",
        {"topologyManagerPolicyOptions": {"max-allowable-numa-nodes": "8"}},
    ),
    Refused(
        {"topologyManagerPolicy": "best-effort"},
        "unsupported on machines with more than 8 NUMA Nodes",
        "the host has 9 NUMA nodes, and the topology manager starts on 8 at most",
        {"topologyManagerPolicyOptions": {"max-allowable-numa-nodes": "9"}},
        NINE_NODES,
    ),
    Refused(
        _topology(prefer_closest_numa_nodes="true"),
        "error getting NUMA distances from cadvisor",
        "the host's kernel tells none",
        {"topologyManagerPolicyOptions": None},
        NO_DISTANCES,
    ),
]

NAMES = [
    Refused(
        {"maxPods": "110"},
        "cannot unmarshal string into Go struct field KubeletConfiguration.maxPods of type int32",
        "maxPods is the text '110', where the kubelet wants a whole number",
        {"maxPods": 110},
    ),
    Refused({"maxPods": -1}, "maxPods (--max-pods) -1 must not be a negative number", "maxPods is -1", {"maxPods": 1}),
    Refused(
        {"kubeReserved": {"cpu": 1}},
        "cannot unmarshal number into Go struct field KubeletConfiguration.kubeReserved of type string",
        "kubeReserved.cpu is 1, where the kubelet wants text",
        {"kubeReserved": {"cpu": "1"}},
    ),
    Refused(
        {**STATIC, "cpuManagerPolicyOptions": {"full-pcpus-only": True}},
        "cannot unmarshal bool into Go struct field KubeletConfiguration.cpuManagerPolicyOptions of type string",
        "cpuManagerPolicyOptions.full-pcpus-only is true, where the kubelet wants text",
        {"cpuManagerPolicyOptions": {"full-pcpus-only": "true"}},
    ),
    Refused(
        {"cgroupsPerQOS": "true"},
        "cannot unmarshal string into Go struct field KubeletConfiguration.cgroupsPerQOS of type bool",
        "cgroupsPerQOS is the text 'true', where the kubelet wants true or false",
        {"cgroupsPerQOS": True},
    ),
    Refused(
        {"reservedSystemCPUs": 0},
        "cannot unmarshal number into Go struct field KubeletConfiguration.reservedSystemCPUs of type string",
        "reservedSystemCPUs is 0, where the kubelet wants text -> put it in quotes: '0'",
        {"reservedSystemCPUs": "0"},
    ),
    Refused(
        {"enforceNodeAllocatable": "pods"},
        "cannot unmarshal string into Go struct field KubeletConfiguration.enforceNodeAllocatable of type []string",
        "enforceNodeAllocatable is the text 'pods', where the kubelet wants a list",
        {"enforceNodeAllocatable": ["pods"]},
    ),
    Refused(
        {"kubeReserved": ["cpu=1"]},
        "cannot unmarshal array into Go struct field KubeletConfiguration.kubeReserved",
        "kubeReserved is a list, where the kubelet wants keys with values",
        {"kubeReserved": {"cpu": "1"}},
    ),
    Refused(
        {"cpuManagerReconcilePeriod": 10},
        "cannot unmarshal number into Go",
        "cpuManagerReconcilePeriod is 10, where the kubelet wants a time with its unit",
        {"cpuManagerReconcilePeriod": "10s"},
    ),
    Refused(
        {"featureGates": {"CPUManagerPolicyAlphaOption": True}},
        "unrecognized feature gate: CPUManagerPolicyAlphaOption",
        "no feature gate 'CPUManagerPolicyAlphaOption' -> did you mean CPUManagerPolicyAlphaOptions?",
        {"featureGates": {"CPUManagerPolicyAlphaOptions": True}},
    ),
    Refused(
        {"featureGates": {"CPUManagerPolicyOptions": False}},
        "cannot set feature gate CPUManagerPolicyOptions to false, feature is locked to true",
        "the feature gate CPUManagerPolicyOptions is always true",
        {"featureGates": None},
    ),
    Refused(
        {"featureGates": {"GangScheduling": True}},
        "GangScheduling is enabled, but depends on features that are disabled: [GenericWorkload]",
        "the feature gate GangScheduling is on, and needs GenericWorkload -> switch it on, or GangScheduling off",
        {"featureGates": {"GangScheduling": True, "GenericWorkload": True}},
    ),
]
