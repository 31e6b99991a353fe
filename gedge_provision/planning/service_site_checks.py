"""What a service asks for and a site cannot have, by its site file. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from gedge_provision.models.attachments import Attachment
from gedge_provision.models.documents import Path, Problem
from gedge_provision.models.service import Communication, Service, ServiceFile
from gedge_provision.models.site import Site
from gedge_provision.planning.attachments import has_rdma
from gedge_provision.planning.gpu_labels import gpu_section, served_classes
from gedge_provision.planning.service_checks import service_networks
from gedge_provision.planning.service_nodes import strict_classes
from gedge_provision.planning.service_sites import named_networks, shared_rdma

__all__ = ["check_on_site"]

_CNI_TYPES = {"SRIOV": "sriov", "MACVLAN": "macvlan"}


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


def _network(path: Path, entry: Communication, site: Site) -> Iterator[Problem]:
    found = named_networks(entry, site)
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
    if entry.type == "RDMA" and entry.resources is None and not has_rdma(site, attachment) and not shared_rdma(site):
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
    known = f"did you mean {close[0]}?" if close else f"name one of {', '.join(names)}." if names else "add it there."
    where = f" in namespace {entry.namespace}" if entry.namespace else ""
    return Problem(
        (*path, "network"),
        f"site {site.name} has no network {entry.network}{where} in networks.attachments",
        f"{known} Where somebody else has made it, say what stands for its device: resources: [PREFIX/NAME], or []",
    )


def _policies(service: Service, site: Site) -> Iterator[Problem]:
    for index, container in enumerate(service.containers):
        policy = container.resources.acceleration.policy
        if policy is not None and not strict_classes(service, site, policy):
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
