"""What a kubelet refuses, and what we refuse though it starts."""

from __future__ import annotations

from typing import Any

from refusal import STATIC
from refused_cpus import CPUS, ENFORCEMENT, RESERVATIONS
from refused_memory import MEMORY_RULES, NAMES, TOPOLOGY

GROUPS = {
    "CPU manager": CPUS,
    "Reservations": RESERVATIONS,
    "Enforcement": ENFORCEMENT,
    "Memory manager": MEMORY_RULES,
    "Topology manager": TOPOLOGY,
    "Names and kinds": NAMES,
}

# Stricter than the kubelet, which starts and does not do what was meant: fields, and our words.
STRICTER: dict[str, tuple[dict[str, Any], str]] = {
    "every CPU reserved": ({**STATIC, "kubeReserved": {}, "reservedSystemCPUs": "0-7"}, "no CPU is left for pods"),
    "every CPU reserved by amount": ({**STATIC, "kubeReserved": {"cpu": "7.1"}}, "none is left for pods to own"),
    "all CPU time reserved": ({"systemReserved": {"cpu": "8"}}, "no pod that asks for CPU time can run there"),
    "a list beside an amount": ({**STATIC, "reservedSystemCPUs": "0"}, "replaces kubeReserved.cpu"),
    "no CPU for a control plane": ({"systemReserved": {"cpu": "7500m"}}, "need 650m: they would not start again"),
    "memory manager off": ({"reservedMemory": [{"limits": {"memory": "1Gi"}}]}, "acts only under the Static policy"),
    "more than a NUMA node has": (
        {
            "memoryManagerPolicy": "Static",
            "kubeReserved": {"memory": "2148Mi"},
            "reservedMemory": [{"numaNode": 1, "limits": {"memory": "2248Mi"}}],
        },
        "takes 2248Mi of NUMA node 1, which has 2048Mi",
    ),
    "topology manager off": (
        {"topologyManagerPolicyOptions": {"max-allowable-numa-nodes": "3"}},
        "act only under another policy than none",
    ),
    "a field that there is not": ({"reservedSystemCpus": "0"}, "no field reservedSystemCpus -> did you mean reserved"),
    "a field inside that there is not": ({"memorySwap": {"swapBehaviour": "NoSwap"}}, "did you mean swapBehavior?"),
}
