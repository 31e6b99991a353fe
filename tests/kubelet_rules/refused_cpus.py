"""What a kubelet refuses of its CPU manager, of reservations and their enforcement."""

from __future__ import annotations

from typing import Any

from machines import MORE_SOCKETS
from refusal import STATIC, Refused

_ALPHA = {"featureGates": {"CPUManagerPolicyAlphaOptions": True}}


def _options(**chosen: str) -> dict[str, Any]:
    return {**STATIC, "cpuManagerPolicyOptions": {name.replace("_", "-"): value for name, value in chosen.items()}}


def _together(one: str, other: str) -> dict[str, Any]:
    return {**STATIC, **_ALPHA, "cpuManagerPolicyOptions": {one: "true", other: "1"}}


CPUS = [
    Refused(
        {**STATIC, "cpuManagerPolicy": "Static"},
        'unknown policy: "Static"',
        "no cpuManagerPolicy 'Static'",
        {"cpuManagerPolicy": "static"},
    ),
    Refused(
        {"cpuManagerPolicyOptions": {"full-pcpus-only": "false"}},
        "None policy: received unsupported options",
        "act only under the static policy",
        STATIC,
    ),
    Refused(
        _options(full_pcpu_only="true"),
        'unknown CPU Manager Policy option: "full-pcpu-only"',
        "no option of the static CPU manager",
        {"cpuManagerPolicyOptions": {"full-pcpus-only": "true"}},
    ),
    Refused(
        _options(full_pcpus_only="yes"),
        'bad value for option "full-pcpus-only"',
        "full-pcpus-only is 'yes'",
        {"cpuManagerPolicyOptions": {"full-pcpus-only": "T"}},
    ),
    Refused(
        _options(align_by_socket="false"),
        'CPU Manager Policy Alpha-level Options not enabled, but option "align-by-socket" provided',
        "align-by-socket is not ready for use yet",
        _ALPHA,
    ),
    Refused(
        _options(distribute_cpus_across_cores="true"),
        "CPU Manager Policy Alpha-level Options not enabled",
        "distribute-cpus-across-cores is not ready",
        {"featureGates": {"AllAlpha": True, "AllBeta": True}},  # alpha gates need beta ones
    ),
    Refused(
        {**_options(distribute_cpus_across_numa="true"), "featureGates": {"CPUManagerPolicyBetaOptions": False}},
        "CPU Manager Policy Beta-level Options not enabled",
        "distribute-cpus-across-numa is beta",
        {"featureGates": None},
    ),
    *(
        Refused(
            _together(one, other),
            f"static policy options {one} and {other} can not be used at the same time",
            f"the options {one} and {other} exclude each other",
            {"cpuManagerPolicyOptions": {one: "true", other: "0"}},
        )
        for one, other in (
            ("full-pcpus-only", "distribute-cpus-across-cores"),
            ("distribute-cpus-across-numa", "distribute-cpus-across-cores"),
            ("prefer-align-cpus-by-uncorecache", "distribute-cpus-across-cores"),
            ("prefer-align-cpus-by-uncorecache", "distribute-cpus-across-numa"),
        )
    ),
    Refused(
        {**_options(align_by_socket="true"), **_ALPHA, "topologyManagerPolicy": "single-numa-node"},
        "single-numa-node policy is incompatible with CPUManager align-by-socket",
        "which topologyManagerPolicy: single-numa-node forbids",
        {"topologyManagerPolicy": "restricted"},
    ),
    Refused(
        {**_options(align_by_socket="true"), **_ALPHA},
        "number of sockets are more than number of NUMA",
        "this host has 8 sockets and 1 NUMA node",
        {"cpuManagerPolicyOptions": None},
        MORE_SOCKETS,
    ),
    Refused(
        {"cpuManagerPolicy": "static"},
        "unable to determine reserved CPU resources for static policy",
        "needs CPUs reserved for the system",
        {"reservedSystemCPUs": "0"},
    ),
    Refused(
        {**STATIC, "kubeReserved": {"cpu": "0"}, "systemReserved": {"cpu": "0m"}},
        "unable to determine reserved CPU resources for static policy",
        "needs CPUs reserved for the system",
        {"kubeReserved": {"cpu": "1m"}},
    ),
    Refused(
        {**STATIC, "kubeReserved": {"cpu": "7"}, "systemReserved": {"cpu": "1001m"}},
        'Resource "cpu" has a reservation of 8001m but capacity of 8',
        "8.001 CPUs are reserved (kubeReserved and systemReserved together), and the host has 8 CPUs",
        {"kubeReserved": {"cpu": "4"}},
    ),
]

RESERVATIONS = [
    Refused(
        {"kubeReserved": {"cpu": "500mm"}},
        "failed to parse quantity",
        "kubeReserved.cpu is '500mm', which is no Kubernetes quantity",
        {"kubeReserved": {"cpu": "500m"}},
    ),
    Refused(
        {"systemReserved": {"memory": "-1Gi"}},
        'resource quantity for "memory" cannot be negative',
        "systemReserved.memory is -1Gi",
        {"systemReserved": {"memory": "0"}},
    ),
    Refused(
        {"kubeReserved": {"hugepages-2Mi": "4Mi"}},
        'cannot reserve "hugepages-2Mi" resource',
        "'hugepages-2Mi' cannot be reserved in kubeReserved",
        {"kubeReserved": None},
    ),
    Refused(
        {"reservedSystemCPUs": "0,1-"},
        "unable to parse reservedSystemCPUs",
        "reservedSystemCPUs is '0,1-', which is no CPU list",
        {"reservedSystemCPUs": "0-1"},
    ),
    Refused(
        {"reservedSystemCPUs": "0-7:1/2"},
        "unable to parse reservedSystemCPUs",
        "which is no CPU list",
        {"reservedSystemCPUs": "0,2,4,6"},
    ),
    Refused(
        {"reservedSystemCPUs": "0,8-9"},
        "is not a subset of online-cpus",
        "of these CPUs 8-9 are not online; online are 0-7",
        {"reservedSystemCPUs": "0"},
    ),
    *(
        Refused(
            {"reservedSystemCPUs": "0", cgroup: "/own.slice"},
            "can't use reservedSystemCPUs (--reserved-cpus) with systemReservedCgroup",
            f"cannot stand beside {cgroup}",
            {cgroup: None},
        )
        for cgroup in ("systemReservedCgroup", "kubeReservedCgroup")
    ),
    Refused(
        {"kubeReserved": {"memory": "2Gi"}, "systemReserved": {"memory": "2Gi"}},
        'Resource "memory" has a reservation of',
        "4096Mi of memory are reserved (kubeReserved and systemReserved together) and 100Mi kept free",
        {"kubeReserved": {"memory": "1Gi"}},
    ),
]

ENFORCEMENT = [
    Refused(
        {"enforceNodeAllocatable": ["pods", "system"]},
        'option "system" specified for enforceNodeAllocatable',
        "has 'system', which is nothing to enforce",
        {"enforceNodeAllocatable": ["pods"]},
    ),
    Refused(
        {"enforceNodeAllocatable": ["pods", "pods"]},
        'duplicated enforcements "pods"',
        "has pods twice",
        {"enforceNodeAllocatable": ["pods"]},
    ),
    Refused(
        {"enforceNodeAllocatable": ["pods", "none"]},
        'may not contain additional enforcements when "none" is specified',
        "has none beside others",
        {"enforceNodeAllocatable": ["none"]},
    ),
    *(
        Refused(
            {"enforceNodeAllocatable": ["pods", value]},
            f"{cgroup} (--{part}-cgroup) must be specified",
            f"has {value}, and no {cgroup} is named",
            {cgroup: "/own.slice"},
        )
        for part, cgroup in (("system-reserved", "systemReservedCgroup"), ("kube-reserved", "kubeReservedCgroup"))
        for value in (part, f"{part}-compressible")
    ),
    *(
        Refused(
            {"enforceNodeAllocatable": [part, f"{part}-compressible"], cgroup: "/own.slice"},
            "cannot be specified together in enforceNodeAllocatable",
            f"has {part} and {part}-compressible, which exclude each other",
            {"enforceNodeAllocatable": [part]},
        )
        for part, cgroup in (("system-reserved", "systemReservedCgroup"), ("kube-reserved", "kubeReservedCgroup"))
    ),
    Refused(
        {"cgroupsPerQOS": False},
        'cgroupsPerQOS (--cgroups-per-qos) must be set to true when "pods" contained',
        "cgroupsPerQOS is false, and enforceNodeAllocatable has pods",
        {"enforceNodeAllocatable": ["none"]},
    ),
]
