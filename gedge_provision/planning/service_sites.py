"""What a site file adds to a service: resources of its networks, how GPUs are asked for, nodes, whole cores. Pure.

A service that has been through `on_site` says all of it itself, so nothing after it needs the site file.
"""

from __future__ import annotations

from dataclasses import dataclass

from gedge_provision.models.attachments import Attachment
from gedge_provision.models.quantities import Quantity
from gedge_provision.models.service import (
    Communication,
    Container,
    Resources,
    Service,
)
from gedge_provision.models.site import Site
from gedge_provision.planning.acceleration import DEVICE_RESOURCES, is_guaranteed, whole_cpus
from gedge_provision.planning.attachments import has_rdma, pod_resources
from gedge_provision.planning.gpu_labels import gpu_section, served_classes
from gedge_provision.planning.service_nodes import full_cores, strict_classes, strictest

__all__ = ["OnSite", "named_networks", "on_site", "shared_rdma", "unplaced_notes"]


@dataclass(frozen=True)
class OnSite:
    """A service with what the site file adds, and what of it a reader should be told."""

    service: Service
    notes: tuple[str, ...]


def on_site(service: Service, site: Site) -> OnSite:
    """Return a checked service with what the site file adds to it."""
    service = _on_strict_nodes(service, site)
    threads, classes = full_cores(service, site)
    owning = is_guaranteed(service) or _is_written_guaranteed(service)
    notes: list[str] = []
    containers = []
    for name, container in zip(service.container_names(), service.containers, strict=True):
        resources = container.resources
        if owning and threads > 1:
            resources, note = _whole_cores(name, resources, threads, classes)
            notes += note
        containers.append(_with_devices(container.model_copy(update={"resources": resources}), site))
    return OnSite(service.model_copy(update={"containers": tuple(containers)}), tuple(notes))


def unplaced_notes(service: Service) -> list[str]:
    """Return what a service asks for and nobody sees to, where no site file is known."""
    return [
        f"container {name}: topologyAware: {policy} chooses no nodes: only a site file (--site) says which are strict"
        for name, container in zip(service.container_names(), service.containers, strict=True)
        if (policy := container.resources.acceleration.policy) is not None
    ]


def named_networks(entry: Communication, site: Site) -> list[Attachment]:
    """Return the networks of the site file that an entry may mean."""
    found = [one for one in site.networks.attachments if one.name == entry.network]
    return [one for one in found if entry.namespace in {None, one.namespace}]


def shared_rdma(site: Site) -> tuple[str, ...]:
    """Return the resources of RDMA devices that pods of a site share."""
    used = {node.node_class for node in site.nodes}
    return tuple(sorted({one.resource for name in used for one in site.node_classes[name].shared_rdma}))


def _with_devices(container: Container, site: Site) -> Container:
    acceleration = container.resources.acceleration
    allocation = gpu_section(site).allocation if served_classes(site) else "device-plugin"
    compute = tuple(
        entry.model_copy(update={"allocation": entry.allocation or allocation}) for entry in acceleration.compute
    )
    communication = tuple(_with_resources(entry, site) for entry in acceleration.communication)
    told = acceleration.model_copy(update={"compute": compute, "communication": communication})
    return container.model_copy(update={"resources": container.resources.model_copy(update={"acceleration": told})})


def _with_resources(entry: Communication, site: Site) -> Communication:
    found = named_networks(entry, site)
    if entry.network is None or len(found) != 1:
        return entry
    (attachment,) = found
    resources = entry.resources
    if resources is None:
        resources = tuple(pod_resources(attachment))
        if entry.type == "RDMA" and not has_rdma(site, attachment):
            # The interface is the network's; the RDMA device is one that the pods of a node share.
            usual = DEVICE_RESOURCES["RDMA"]
            shared = shared_rdma(site)
            resources += usual if set(usual) <= set(shared) else shared[:1]
    return entry.model_copy(update={"namespace": attachment.namespace, "resources": resources})


def _on_strict_nodes(service: Service, site: Site) -> Service:
    policy = strictest(service)
    if policy is None:
        return service
    return service.model_copy(update={"node_classes": strict_classes(service, site, policy)})


def _is_written_guaranteed(service: Service) -> bool:
    """Tell whether the amounts alone make the pods Guaranteed (limits of CPU and memory, and equal requests)."""
    return all(
        limits.get(name) is not None and requests.get(name, limits[name]) == limits[name]
        for container in service.containers
        for limits, requests in [(container.resources.limits.by_resource(), container.resources.requests.by_resource())]
        for name in ("cpu", "memory")
    )


def _whole_cores(
    name: str, resources: Resources, threads: int, classes: tuple[str, ...]
) -> tuple[Resources, list[str]]:
    """Return the resources with CPUs in whole cores, where the container will own its CPUs."""
    cpu = resources.requests.cpu or resources.limits.cpu
    owns = resources.acceleration.topology_aware or (cpu is not None and cpu.amount % 1 == 0)
    if cpu is None or not owns or whole_cpus(cpu) % threads == 0:
        return resources, []
    cpus = Quantity(-(-whole_cpus(cpu) // threads) * threads)
    requests = resources.requests.model_copy(update={"cpu": cpus})
    limits = resources.limits.model_copy(update={"cpu": cpus if resources.limits.cpu is not None else None})
    where = f"class{'es' if len(classes) > 1 else ''} {', '.join(classes)}"
    note = (
        f"container {name}: cpu {cpu} is rounded up to {cpus}: nodes of {where} give CPUs away by whole cores of"
        f" {threads} threads"
    )
    return resources.model_copy(update={"requests": requests, "limits": limits}), [note]
