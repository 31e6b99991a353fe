"""What a site file adds to a service: resources of its networks, how GPUs are asked for, nodes, whole cores. Pure.

A service that has been through `on_site` says all of it itself, so nothing after it needs the site file.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import get_args

from gedge_provision.models.attachments import Attachment
from gedge_provision.models.documents import Path, Problem
from gedge_provision.models.quantities import Quantity
from gedge_provision.models.service import (
    Communication,
    Container,
    Resources,
    Service,
    ServiceFile,
    TopologyPolicy,
)
from gedge_provision.models.site import Node, Site
from gedge_provision.planning.acceleration import DEVICE_RESOURCES, is_guaranteed, whole_cpus
from gedge_provision.planning.attachments import has_rdma, pod_resources
from gedge_provision.planning.cpu_plans.written import profile_fields
from gedge_provision.planning.gpu_labels import gpu_section, served_classes
from gedge_provision.planning.inventory import node_labels
from gedge_provision.planning.service_checks import service_networks

__all__ = ["OnSite", "check_on_site", "on_site", "unplaced_notes"]

_POLICIES: tuple[str, ...] = get_args(TopologyPolicy)  # from the least strict on
_THREADS = 2  # of a core, where the site file does not say it
_CNI_TYPES = {"SRIOV": "sriov", "MACVLAN": "macvlan"}


@dataclass(frozen=True)
class OnSite:
    """A service with what the site file adds, and what of it a reader should be told."""

    service: Service
    notes: tuple[str, ...] = field(default=())


def check_on_site(document: ServiceFile, site: Site) -> Iterator[Problem]:
    """Yield what a service asks for and the site cannot have, by its site file."""
    service = document.service
    for index, name in enumerate(service.node_classes):
        if name not in site.node_classes:
            known = ", ".join(sorted(site.node_classes))
            yield Problem(
                ("service", "nodeClasses", index), f"site {site.name} has no class {name}", f"name one of {known}"
            )
    for path, entry in service_networks(service):
        if entry.network is not None:
            yield from _network(path, entry, site)
    yield from _policies(service, site)
    yield from _compute(service, site)


def on_site(service: Service, site: Site) -> OnSite:
    """Return a checked service with what the site file adds to it."""
    service = _on_strict_nodes(service, site)
    threads, classes = _full_cores(service, site)
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


def _named(entry: Communication, site: Site) -> list[Attachment]:
    found = [one for one in site.networks.attachments if one.name == entry.network]
    return [one for one in found if entry.namespace in {None, one.namespace}]


def _network(path: Path, entry: Communication, site: Site) -> Iterator[Problem]:
    found = _named(entry, site)
    if not found:
        if entry.resources is None:
            yield _unknown(path, entry, site)
        return
    if len(found) > 1:
        spaces = ", ".join(sorted(one.namespace for one in found))
        yield Problem(
            (*path, "network"), f"several namespaces have a network {entry.network}", f"add namespace, one of {spaces}"
        )
        return
    (attachment,) = found
    place = f"{attachment.namespace}/{attachment.name} of site {site.name}"
    wanted = _CNI_TYPES.get(entry.type)
    if wanted is not None and attachment.type != wanted:
        fitting = next((kind for kind, cni in _CNI_TYPES.items() if cni == attachment.type), None)
        remedy = f"write type: {fitting}" if fitting else f"name a network of type {wanted}"
        yield Problem((*path, "type"), f"{place} is of type {attachment.type}", f"{remedy}, or name another network")
    if entry.type == "RDMA" and entry.resources is None and not has_rdma(site, attachment) and not _shared_rdma(site):
        yield Problem(
            (*path, "type"),
            f"{place} has no RDMA, and no class shares RDMA devices",
            "name a network with RDMA, or give the site one (docs/rdma.md)",
        )
    if entry.vlan is not None and entry.vlan != attachment.vlan:
        has = "no VLAN" if attachment.vlan is None else f"VLAN {attachment.vlan}"
        yield Problem(
            (*path, "vlan"),
            f"{place} has {has}",
            "name a network of that VLAN: a pod cannot choose it, or leave vlan out",
        )
    yield from _address(path, entry, attachment, place)


def _address(path: Path, entry: Communication, attachment: Attachment, place: str) -> Iterator[Problem]:
    ipam = attachment.ipam
    by_pod = ipam.type == "static" and not ipam.addresses
    if entry.address is not None and not by_pod:
        yield Problem(
            (*path, "address"),
            f"{place} does not take addresses from pods: its ipam is {ipam.type}",
            "leave address out, or name a network whose ipam is static without addresses",
        )
    if entry.address is None and by_pod:
        yield Problem(
            (*path, "network"), f"{place} leaves the address to the pod", "add address, like address: 10.10.2.60/24"
        )


def _unknown(path: Path, entry: Communication, site: Site) -> Problem:
    names = sorted({one.name for one in site.networks.attachments})
    close = difflib.get_close_matches(str(entry.network), names, n=1)
    known = f"did you mean {close[0]}?" if close else f"name one of {', '.join(names)}" if names else "add it there"
    where = f" in namespace {entry.namespace}" if entry.namespace else ""
    return Problem(
        (*path, "network"),
        f"site {site.name} has no network {entry.network}{where} in networks.attachments",
        f"{known}; where somebody else has made it, say what stands for its device: resources: [PREFIX/NAME], or []",
    )


def _policies(service: Service, site: Site) -> Iterator[Problem]:
    for index, container in enumerate(service.containers):
        policy = container.resources.acceleration.policy
        if policy is not None and not _strict_classes(service, site, policy):
            yield Problem(
                ("service", "containers", index, "resources", "acceleration", "topologyAware"),
                f"no class of site {site.name} that may run it gives pods CPUs of their own with the topology policy "
                f"{policy} or a stricter one",
                "give a class one (cpus: {profile: pinned-numa}, or topology_manager_policy), or be less strict here",
            )


def _compute(service: Service, site: Site) -> Iterator[Problem]:
    served = served_classes(site)
    if not served:
        return  # emulated GPUs, or an operator that the site file does not know: nodes tell what they have
    section = gpu_section(site)
    renamed = any(intent.sharing is not None and intent.sharing.rename for intent in served.values())
    for index, container in enumerate(service.containers):
        for position, entry in enumerate(container.resources.acceleration.compute):
            path = ("service", "containers", index, "resources", "acceleration", "compute", position)
            allocation = entry.allocation or section.allocation
            if allocation != section.allocation:
                yield Problem(
                    (*path, "allocation"),
                    f"site {site.name} gives GPUs by {section.allocation}",
                    "leave allocation out",
                )
            elif entry.shared and allocation == "dra":
                yield Problem((*path, "shared"), f"site {site.name} gives whole GPUs, by claims", "leave shared out")
            elif entry.shared and not renamed:
                yield Problem(
                    (*path, "shared"),
                    f"no class of site {site.name} offers nvidia.com/gpu.shared",
                    "leave shared out where {GPU: 1} is a share already, or set sharing: {rename: true} in a class",
                )
            elif entry.mig is not None and allocation != "dra" and section.mig_strategy != "mixed":
                yield Problem(
                    (*path, "MIG"),
                    f"site {site.name} does not offer parts by their profile",
                    "set gpu_operator.mig_strategy to mixed; under single, {GPU: n} asks for parts of the one size",
                )


def _shared_rdma(site: Site) -> tuple[str, ...]:
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
    found = _named(entry, site)
    if entry.network is None or len(found) != 1:
        return entry
    (attachment,) = found
    resources = entry.resources
    if resources is None:
        resources = tuple(pod_resources(attachment))
        if entry.type == "RDMA" and not has_rdma(site, attachment):
            # The interface is the network's; the RDMA device is one that the pods of a node share.
            usual = DEVICE_RESOURCES["RDMA"]
            shared = _shared_rdma(site)
            resources += usual if set(usual) <= set(shared) else shared[:1]
    return entry.model_copy(update={"namespace": attachment.namespace, "resources": resources})


def _candidates(service: Service, site: Site) -> list[Node]:
    """Return the workers that the service may run on, by its labels and classes."""
    return [
        node
        for node in site.with_role("worker")
        if (not service.node_classes or node.node_class in service.node_classes)
        and service.node_selector.items() <= node_labels(site, node).items()
    ]


def _policy(site: Site, node: Node) -> str:
    """Return how strictly a node places containers that own CPUs: none where they own none."""
    settings = site.node_classes[node.node_class].kubelet
    intent = site.cpu_intent(node)
    fields = settings.to_kubelet() if intent is None else profile_fields(intent, settings)
    return str(fields["topologyManagerPolicy"]) if site.owns_cpus(node) else "none"


def _strict_classes(service: Service, site: Site, policy: TopologyPolicy) -> tuple[str, ...]:
    """Return the classes all of whose nodes have the policy or a stricter one."""
    enough = _POLICIES[_POLICIES.index(policy) :]
    nodes = _candidates(service, site)
    lax = {node.node_class for node in nodes if _policy(site, node) not in enough}
    return tuple(sorted({node.node_class for node in nodes} - lax))


def _on_strict_nodes(service: Service, site: Site) -> Service:
    asked = {container.resources.acceleration.policy for container in service.containers} - {None}
    if not asked:
        return service
    strictest = max(asked, key=lambda policy: _POLICIES.index(str(policy)))
    assert strictest is not None  # noqa: S101 - taken out above
    return service.model_copy(update={"node_classes": _strict_classes(service, site, strictest)})


def _full_cores(service: Service, site: Site) -> tuple[int, tuple[str, ...]]:
    """Return the threads of a core where kubelets that may get the service give whole cores only, else 1; and where."""
    threads, classes = 1, set()
    for node in _candidates(service, site):
        intent = site.cpu_intent(node)
        written = site.node_classes[node.node_class].kubelet.cpu_manager_policy_options.get("full-pcpus-only")
        planned = intent is not None and intent.profile != "shared" and intent.full_cores is not False
        if not site.owns_cpus(node) or not (planned if written is None else written):
            continue
        emulated = site.lab.emulated.get(node.name) if site.lab is not None else None
        threads = max(threads, emulated.threads if emulated is not None else _THREADS)
        classes.add(node.node_class)
    return threads, tuple(sorted(classes))


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
