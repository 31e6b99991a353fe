"""From the acceleration that a service asks for to what Kubernetes counts: resources, and claims for devices."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING

from gedge_provision.models.quantities import Quantity
from gedge_provision.models.service import (
    Acceleration,
    Communication,
    CommunicationType,
    Compute,
    Container,
    Resources,
    Service,
)

__all__ = [
    "DEVICE_RESOURCES",
    "HUGE_PAGES",
    "ContainerResources",
    "DeviceClaim",
    "compute_resource",
    "is_guaranteed",
    "network_resources",
    "plan_resources",
    "whole_cpus",
    "without_acceleration",
]

DEVICE_RESOURCES: dict[CommunicationType, tuple[str, ...]] = {
    # Virtual functions of a network card, as the SR-IOV network device plugin offers them under the name that the
    # platform's configuration gives them (prefix intel.com, resourceName intel_sriov_netdevice).
    "SRIOV": ("intel.com/intel_sriov_netdevice",),
    # RDMA devices shared between pods, under the name in the RDMA shared device plugin's own example configuration.
    "RDMA": ("rdma/hca_shared_devices_a",),
    "MACVLAN": (),
}
"""The extended resources behind each kind of communication, where nobody says which."""

HUGE_PAGES = {"hugepages-2Mi": Quantity("2Mi"), "hugepages-1Gi": Quantity("1Gi")}
"""Resources of huge pages, with the size of a page."""


@dataclass(frozen=True)
class DeviceClaim:
    """Devices that a container gets by a ResourceClaim.

    Attributes:
        name: among the container's claims.
        device_class: the DeviceClass.
        count: how many.
        profile: the MIG profile, empty for whole GPUs.
    """

    name: str
    device_class: str
    count: int
    profile: str = ""


@dataclass(frozen=True)
class ContainerResources:
    """Requests and limits of one container in the words of Kubernetes, claims, and what was changed on the way."""

    requests: dict[str, Quantity]
    limits: dict[str, Quantity]
    notes: tuple[str, ...] = ()
    claims: tuple[DeviceClaim, ...] = ()


def whole_cpus(cpu: Quantity) -> int:
    """Return an amount of CPU time rounded up to whole CPUs: the kubelet gives only whole ones away."""
    return int(cpu.amount.to_integral_value(rounding=ROUND_CEILING))


def is_guaranteed(service: Service) -> bool:
    """Tell whether the pods must be Guaranteed: one topologyAware container asks it of all of them."""
    return any(container.resources.acceleration.topology_aware for container in service.containers)


def without_acceleration(service: Service) -> Service:
    """Return the service without any acceleration block: requests and limits then stand as they are written."""
    return service.model_copy(update={"containers": tuple(_plain(container) for container in service.containers)})


def plan_resources(service: Service) -> tuple[ContainerResources, ...]:
    """Return requests, limits and claims of every container, in the order of the document.

    One topologyAware container makes the whole pod Guaranteed, since Kubernetes gives a pod one QoS class: requests
    equal limits everywhere, and the topologyAware containers ask for whole CPUs (Kubernetes documentation, "Control
    CPU Management Policies on the Node": exclusive CPUs go to Guaranteed pods with integer CPU requests).
    """
    guaranteed = is_guaranteed(service)
    names = service.container_names()
    return tuple(
        _resources(name, container.resources, guaranteed=guaranteed)
        for name, container in zip(names, service.containers, strict=True)
    )


def compute_resource(entry: Compute) -> str:
    """Return the resource that NVIDIA's device plugin counts a device as."""
    if entry.mig is not None:
        return f"nvidia.com/mig-{entry.mig.profile.replace('+', '.')}"
    return "nvidia.com/gpu.shared" if entry.shared else "nvidia.com/gpu"


def network_resources(entry: Communication) -> tuple[str, ...]:
    """Return the resources that a network device is counted as, one of each."""
    return DEVICE_RESOURCES[entry.type] if entry.resources is None else entry.resources


def _plain(container: Container) -> Container:
    resources = container.resources.model_copy(update={"acceleration": Acceleration()})
    return container.model_copy(update={"resources": resources})


def _resources(name: str, resources: Resources, *, guaranteed: bool) -> ContainerResources:
    requests, limits = resources.requests.by_resource(), resources.limits.by_resource()
    notes: list[str] = []
    # Kubernetes gives no more huge pages than are asked for.
    pages = {key: amount for key, amount in (limits | requests).items() if key in HUGE_PAGES}
    requests, limits = requests | pages, limits | pages
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
    claims = tuple(_claim(entry) for entry in resources.acceleration.compute if entry.allocation == "dra")
    return ContainerResources(requests | devices, limits | devices, tuple(notes), claims)


def _devices(acceleration: Acceleration) -> dict[str, Quantity]:
    devices: dict[str, int] = {}
    for entry in acceleration.compute:
        if entry.allocation != "dra":
            devices[compute_resource(entry)] = _count(entry)
    for network in acceleration.communication:
        for resource in network_resources(network):
            devices[resource] = devices.get(resource, 0) + 1
    return {name: Quantity(number) for name, number in devices.items()}


def _claim(entry: Compute) -> DeviceClaim:
    """Return the claim for a device.

    Source: the DeviceClasses and attributes of NVIDIA's DRA driver (dra-driver-nvidia-gpu, demo/specs).
    """
    if entry.mig is None:
        return DeviceClaim("gpu", "gpu.nvidia.com", _count(entry))
    name = "mig-" + entry.mig.profile.replace(".", "-").replace("+", "-")
    return DeviceClaim(name, "mig.nvidia.com", _count(entry), entry.mig.profile)


def _count(entry: Compute) -> int:
    return entry.mig.count if entry.mig is not None else entry.gpu or 0
