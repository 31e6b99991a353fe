"""A pod before the managers of a kubelet, one after the other: devices, CPUs, memory.

Source: Kubernetes, pkg/kubelet/cm/topologymanager, scope_none.go, scope_container.go and scope_pod.go;
pkg/kubelet/cm/container_manager_linux.go has the order of the managers.
"""

from __future__ import annotations

from dataclasses import dataclass

from gedge_provision.planning.admission._asks import ContainerAsk, PodAsk
from gedge_provision.planning.admission._cpus import CpuManager
from gedge_provision.planning.admission._devices import DeviceManager
from gedge_provision.planning.admission._end import without
from gedge_provision.planning.admission._hints import NO_HINT, Hint, merge
from gedge_provision.planning.admission._machine import Machine, State
from gedge_provision.planning.admission._memory import MemoryManager
from gedge_provision.planning.admission._refusal import TOPOLOGY, Reason, RefusedError

__all__ = ["Verdict", "admit"]


@dataclass(frozen=True)
class Verdict:
    """What a kubelet says of a pod.

    Attributes:
        state: what is owned then.
        reason: why it refuses; None when it admits.
        message: what the reason is about.
        ask: what could not be given: a container, or the pod where it is looked at as a whole.
        left: what was owned when it was refused.
    """

    state: State
    reason: Reason | None = None
    message: str = ""
    ask: ContainerAsk | PodAsk | None = None
    left: State | None = None


def admit(machine: Machine, state: State, pod: PodAsk) -> Verdict:
    """Return what a kubelet says of a pod that comes to it."""
    managers = (DeviceManager(machine), CpuManager(machine), MemoryManager(machine))
    policies = machine.policies
    now = state

    def best(ask: ContainerAsk | PodAsk) -> Hint:
        hint, admitted = merge(machine, [manager.hints(now, ask) for manager in managers])
        if not admitted:
            raise RefusedError(TOPOLOGY, "")
        return hint

    asking: ContainerAsk | PodAsk = pod
    try:
        hint = best(pod) if policies.topology != "none" and policies.scope == "pod" else NO_HINT
        for asking in pod.containers:
            if policies.topology != "none" and policies.scope != "pod":
                hint = best(asking)
            for manager in managers:
                now = manager.allocate(now, pod.uid, asking, hint)
    except RefusedError as refused:
        # What its first containers got comes back, but which NUMA nodes give memory together may stay as it became.
        return Verdict(without(machine, now, pod.uid), refused.reason, refused.message, asking, now)
    return Verdict(now)
