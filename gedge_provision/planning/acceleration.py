"""From the acceleration that a service asks for to the resources that Kubernetes counts."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING

from gedge_provision.models.quantities import Quantity
from gedge_provision.models.service import Acceleration, Container, Resources, Service

__all__ = ["DEVICE_RESOURCES", "ContainerResources", "plan_resources", "whole_cpus", "without_acceleration"]

GPU = "nvidia.com/gpu"
DEVICE_RESOURCES = {
    # Virtual functions of a network card, as the SR-IOV network device plugin offers them under the name that the
    # platform's configuration gives them (prefix intel.com, resourceName intel_sriov_netdevice).
    "SRIOV": "intel.com/intel_sriov_netdevice",
    # RDMA devices shared between pods, under the name in the RDMA shared device plugin's own example configuration.
    "RDMA": "rdma/hca_shared_devices_a",
}
"""The extended resource behind each kind of communication."""


@dataclass(frozen=True)
class ContainerResources:
    """Requests and limits of one container in the words of Kubernetes, and what was changed on the way."""

    requests: dict[str, Quantity]
    limits: dict[str, Quantity]
    notes: tuple[str, ...] = ()


def whole_cpus(cpu: Quantity) -> int:
    """Return an amount of CPU time rounded up to whole CPUs: the kubelet gives only whole ones away."""
    return int(cpu.amount.to_integral_value(rounding=ROUND_CEILING))


def without_acceleration(service: Service) -> Service:
    """Return the service without any acceleration block: requests and limits then stand as they are written."""
    return service.model_copy(update={"containers": tuple(_plain(container) for container in service.containers)})


def plan_resources(service: Service) -> tuple[ContainerResources, ...]:
    """Return requests and limits of every container, in the order of the document.

    One topologyAware container makes the whole pod Guaranteed, since Kubernetes gives a pod one QoS class: requests
    equal limits everywhere, and the topologyAware containers ask for whole CPUs (Kubernetes documentation, "Control
    CPU Management Policies on the Node": exclusive CPUs go to Guaranteed pods with integer CPU requests).
    """
    guaranteed = any(container.resources.acceleration.topology_aware for container in service.containers)
    names = service.container_names()
    return tuple(
        _resources(name, container.resources, guaranteed=guaranteed)
        for name, container in zip(names, service.containers, strict=True)
    )


def _plain(container: Container) -> Container:
    resources = container.resources.model_copy(update={"acceleration": Acceleration()})
    return container.model_copy(update={"resources": resources})


def _resources(name: str, resources: Resources, *, guaranteed: bool) -> ContainerResources:
    requests = _present({"cpu": resources.requests.cpu, "memory": resources.requests.memory})
    limits = _present({"cpu": resources.limits.cpu, "memory": resources.limits.memory})
    notes: list[str] = []
    if guaranteed:
        requests = limits = limits | requests
        if resources.acceleration.topology_aware:
            cpus = whole_cpus(requests["cpu"])
            if requests["cpu"].amount != cpus:
                notes.append(
                    f"container {name}: cpu {requests['cpu']} is rounded up to {cpus}:"
                    " topologyAware means CPUs of its own, and those are whole"
                )
            requests = limits = requests | {"cpu": Quantity(cpus)}
        elif resources.limits != resources.requests:
            notes.append(f"container {name}: limits are set equal to requests: a topologyAware pod is Guaranteed")
    devices = _devices(resources.acceleration)
    return ContainerResources(requests | devices, limits | devices, tuple(notes))


def _devices(acceleration: Acceleration) -> dict[str, Quantity]:
    devices: dict[str, Quantity] = {}
    if acceleration.compute:
        devices[GPU] = Quantity(sum(entry.gpu for entry in acceleration.compute))
    if acceleration.communication is not None:
        devices[DEVICE_RESOURCES[acceleration.communication]] = Quantity(1)
    return devices


def _present(amounts: dict[str, Quantity | None]) -> dict[str, Quantity]:
    return {name: amount for name, amount in amounts.items() if amount is not None}
