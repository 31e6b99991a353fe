"""Will the kubelet of a node admit a pod, or refuse it because CPUs and devices cannot come from one place? Pure.

The rules are the kubelet's own (Kubernetes documentation, "Control CPU Management Policies on the Node" and "Control
Topology Management Policies on a Node"). They apply to Guaranteed pods whose containers ask for whole CPUs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gedge_provision.models.cpusets import parse_cpuset
from gedge_provision.models.quantities import Quantity
from gedge_provision.models.wording import counted

__all__ = ["ALIGNMENT", "Alignment", "NumaNode", "Request", "alignment_policy", "read_alignment", "refusals"]

ALIGNMENT = "gedge.dev/alignment"
"""Annotation of nodes that align: what is known of their topology and of how strictly their kubelets use it."""


class NumaNode(BaseModel):
    """A NUMA node of a host: its CPUs, as a cpuset, and how many devices of each resource hang off it."""

    model_config = ConfigDict(frozen=True)

    id: int
    cpus: str
    devices: dict[str, int] = Field(default_factory=dict)


class Alignment(BaseModel):
    """A node's topology and how its kubelet aligns, as the annotation has it.

    Attributes:
        numa: the NUMA nodes.
        threads_per_core: CPUs that share a core.
        full_cores: whether exclusive CPUs are given away by whole cores only (full-pcpus-only).
        policy: the topology manager's policy.
        scope: whether containers are aligned one by one, or a pod as a whole.
        reserved: reserved CPUs, as a cpuset; where only their number is known, the first ones.
    """

    model_config = ConfigDict(frozen=True)

    numa: tuple[NumaNode, ...]
    threads_per_core: int = 1
    full_cores: bool = False
    policy: str = "none"
    scope: str = "container"
    reserved: str = ""


@dataclass(frozen=True)
class Request:
    """What one container of a Guaranteed pod asks for: whole CPUs, and devices by resource."""

    cpus: int
    devices: Mapping[str, int] = field(default_factory=dict)


def alignment_policy(kubelet: Mapping[str, object]) -> dict[str, object]:
    """Return what a KubeletConfiguration says of alignment, for the annotation; empty where nothing is refused."""
    options = kubelet.get("cpuManagerPolicyOptions")
    full = isinstance(options, dict) and options.get("full-pcpus-only") == "true"
    policy = kubelet.get("topologyManagerPolicy", "none")
    if kubelet.get("cpuManagerPolicy") != "static" or not (full or policy in {"restricted", "single-numa-node"}):
        return {}
    return {
        "full_cores": full,
        "policy": policy,
        "scope": kubelet.get("topologyManagerScope", "container"),
        "reserved": kubelet.get("reservedSystemCPUs") or _first(kubelet),
    }


def _first(kubelet: Mapping[str, object]) -> str:
    """Return the CPUs that are reserved when only an amount is: the kubelet rounds it up and takes the first ones."""
    amounts = [kubelet.get("kubeReserved") or {}, kubelet.get("systemReserved") or {}]
    named = [amount["cpu"] for amount in amounts if isinstance(amount, dict) and "cpu" in amount]
    total = sum(Quantity(amount).amount for amount in named)
    return f"0-{math.ceil(total) - 1}" if total else ""


def read_alignment(annotations: Mapping[str, str]) -> Alignment | None:
    """Return what a node's annotation says; None when it has none (or one of another version)."""
    try:
        return Alignment.model_validate_json(annotations[ALIGNMENT])
    except (KeyError, ValidationError):
        return None


def refusals(alignment: Alignment, containers: Sequence[Request]) -> tuple[str, ...]:
    """Return why the kubelet of an empty node refuses a Guaranteed pod, each with the reason that the pod will show.

    An empty answer means that an empty node admits it; what other pods have there may still be in the way.
    """
    return tuple(_refusals(alignment, containers))


def _refusals(alignment: Alignment, containers: Sequence[Request]) -> Iterator[str]:
    threads = alignment.threads_per_core
    if alignment.full_cores:
        for request in containers:
            if request.cpus % threads:
                yield (
                    f"SMTAlignmentError: {counted(request.cpus, 'CPU')} cannot be whole cores of {threads} threads; "
                    f"ask for {request.cpus + threads - request.cpus % threads}"
                )
    if alignment.policy == "single-numa-node":
        parts = [_together(containers)] if alignment.scope == "pod" else containers
        for request in parts:
            lacking = [_lacking(alignment, node, request) for node in alignment.numa]
            if all(lacking):
                yield "TopologyAffinityError: no NUMA node has all of it (" + "; ".join(lacking) + ")"


def _together(containers: Sequence[Request]) -> Request:
    devices: dict[str, int] = {}
    for request in containers:
        for name, number in request.devices.items():
            devices[name] = devices.get(name, 0) + number
    return Request(sum(request.cpus for request in containers), devices)


def _lacking(alignment: Alignment, node: NumaNode, request: Request) -> str:
    """Return what a NUMA node has too little of, empty when it has enough."""
    free = len(parse_cpuset(node.cpus) - (parse_cpuset(alignment.reserved) if alignment.reserved else frozenset()))
    short = [f"{free} CPUs of {request.cpus}"] if free < request.cpus else []
    short += [
        f"{node.devices.get(name, 0)} {name} of {number}"
        for name, number in request.devices.items()
        # A device whose place nobody knows is on no NUMA node in particular.
        if any(name in other.devices for other in alignment.numa) and node.devices.get(name, 0) < number
    ]
    return f"node {node.id} has {', '.join(short)}" if short else ""
