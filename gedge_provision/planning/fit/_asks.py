"""What a pod asks for: of the scheduler, and of a kubelet's managers.

Source: Kubernetes, pkg/apis/core/v1/helper/qos, ComputePodQOS; component-helpers/resource, PodRequests (KEP-753).
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from gedge_provision.models.pod_specs import PodContainer, RunningPod
from gedge_provision.planning.admission import ContainerAsk, PodAsk

__all__ = ["ask_of", "guaranteed", "requests_of"]

_SIDECAR = "Always"
_COMPUTE = ("cpu", "memory")
_OF_NODES = ("memory", "hugepages-")


def ask_of(pod: RunningPod, uid: str = "") -> PodAsk:
    """Return what a pod asks of a kubelet's managers.

    Args:
        pod: the pod.
        uid: by which its holdings are told from those of others; its own if left out.
    """
    # A pod with resources of its own, not of its containers, owns nothing: that is an alpha feature of the kubelet.
    owning = guaranteed(pod) and pod.spec.resources is None
    return PodAsk(uid or pod.metadata.uid, tuple(_container(one, init, owning=owning) for one, init in _in_order(pod)))


def guaranteed(pod: RunningPod) -> bool:
    """Tell whether a pod is of the QoS class Guaranteed."""
    if pod.status.qos_class:
        return pod.status.qos_class == "Guaranteed"
    if pod.spec.resources is not None:
        parts = [(pod.spec.resources.requests, pod.spec.resources.limits)]
    else:
        parts = [(one.requests, one.resources.limits) for one, _ in _in_order(pod)]
    return all(
        limits.get(name, 0) > 0 and requests.get(name, limits.get(name)) == limits.get(name)
        for requests, limits in parts
        for name in _COMPUTE
    )


def requests_of(pod: RunningPod) -> dict[str, Decimal]:
    """Return what a pod asks of the scheduler: what its containers need at any moment, and its overhead."""
    lasting: dict[str, Decimal] = {}
    while_starting: dict[str, Decimal] = {}
    for one, init in _in_order(pod):
        for name, amount in one.requests.items():
            if init:
                while_starting[name] = max(while_starting.get(name, Decimal(0)), lasting.get(name, Decimal(0)) + amount)
            else:
                lasting[name] = lasting.get(name, Decimal(0)) + amount
    needed = {name: max(lasting.get(name, Decimal(0)), amount) for name, amount in while_starting.items()}
    totals = lasting | needed
    if pod.spec.resources is not None:
        totals |= pod.spec.resources.limits | pod.spec.resources.requests
    for name, amount in pod.spec.overhead.items():
        totals[name] = totals.get(name, Decimal(0)) + amount
    return totals


def _in_order(pod: RunningPod) -> Iterator[tuple[PodContainer, bool]]:
    """Yield containers as a kubelet looks at them, and whether each ends before the next one starts."""
    for one in pod.spec.init_containers:
        yield one, one.restart_policy != _SIDECAR
    for one in pod.spec.containers:
        yield one, False


def _container(one: PodContainer, init: bool, *, owning: bool) -> ContainerAsk:
    requests = one.requests if owning else {}
    cpu = requests.get("cpu", Decimal(0))
    memory = {name: int(amount) for name, amount in requests.items() if name.startswith(_OF_NODES)}
    return ContainerAsk(
        one.name,
        cpus=int(cpu) if cpu == int(cpu) else 0,
        memory=memory,
        devices={name: int(amount) for name, amount in one.resources.limits.items() if "/" in name},
        init=init,
        sidecar=one.restart_policy == _SIDECAR,
    )
