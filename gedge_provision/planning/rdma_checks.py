"""What must hold for the RDMA that a site file asks for, beyond what each field shows alone. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from gedge_provision.models.attachments import Attachment
from gedge_provision.models.documents import Path, Problem
from gedge_provision.models.site import Site
from gedge_provision.models.sriov import SharedRdma, SriovPolicy
from gedge_provision.planning.attachments import with_rdma
from gedge_provision.planning.features import SOFT_RDMA_RESOURCE

__all__ = ["check_rdma"]

_NOT_SELECTED_BY = ("addresses", "numa_nodes")


def check_rdma(site: Site) -> Iterator[Problem]:
    """Yield everything that is wrong with RDMA in attachments, policies and shared devices."""
    for index, attachment in enumerate(site.networks.attachments):
        path: Path = ("networks", "attachments", index, "rdma")
        if attachment.rdma == "soft":
            yield from _soft(site, path, attachment)
        if attachment.rdma == "exclusive":
            yield from _exclusive(site, path, attachment)
    yield from _shared(site)
    yield from _shared_of_operator(site)
    yield from _one_way(site)
    yield from _ours(site)


def _policies(site: Site, attachment: Attachment) -> list[SriovPolicy]:
    policies = [policy for node_class in site.node_classes.values() for policy in node_class.sriov]
    return [policy for policy in policies if policy.resource == attachment.resource is not None]


def _soft(site: Site, path: Path, one: Attachment) -> Iterator[Problem]:
    if one.ipam.type == "none":
        yield Problem(
            path,
            "RDMA finds its peers by addresses, and ipam gives none",
            "add ipam, or set ipam.type to one that gives addresses, like whereabouts",
        )
    for policy in _policies(site, one):
        if policy.device_type == "vfio-pci":
            yield Problem(
                path,
                f"functions of policy {policy.name} (vfio-pci) are no interfaces, and software RDMA works on one",
                "use a policy with device_type: netdevice",
            )
        if policy.rdma:
            yield Problem(
                path,
                f"functions of policy {policy.name} have RDMA of their own",
                "take rdma: soft out, or use rdma: exclusive",
            )


def _exclusive(site: Site, path: Path, one: Attachment) -> Iterator[Problem]:
    if one.type != "sriov":
        yield Problem(
            path, f"{one.type} has no RDMA device that could move into a pod", "use rdma: exclusive on sriov, or soft"
        )
    for policy in _policies(site, one):
        if not policy.rdma:
            yield Problem(
                path,
                f"policy {policy.name} gives functions without RDMA",
                f"set rdma: true in policy {policy.name}, where its cards have RDMA",
            )


def _shared(site: Site) -> Iterator[Problem]:
    for name, node_class in site.node_classes.items():
        seen: dict[str, int] = {}
        virtual = {policy.resource for policy in node_class.sriov}
        for index, shared in enumerate(node_class.shared_rdma):
            path: Path = ("node_classes", name, "shared_rdma", index)
            given = shared.nics.model_dump(exclude_defaults=True)
            for field in _NOT_SELECTED_BY:
                if field in given:
                    yield Problem(
                        (*path, "nics", field),
                        f"the RDMA shared device plugin does not select by {field}",
                        "use vendor, device, driver or interfaces",
                    )
            if not given:
                yield Problem((*path, "nics"), "it selects nothing", "name vendor and device, a driver or interfaces")
            if shared.resource in seen or shared.resource in virtual:
                other = f"shared_rdma[{seen[shared.resource]}]" if shared.resource in seen else "an SR-IOV policy"
                yield Problem(
                    (*path, "resource"), f"{shared.resource} is the resource of {other} too", "give it its own resource"
                )
            elif _short(shared) in map(_short, node_class.shared_rdma[:index]):
                yield Problem(
                    (*path, "resource"),
                    f"the RDMA shared device plugin takes the name {_short(shared)} once, whatever the prefix",
                    "give it another name behind the '/'",
                )
            seen.setdefault(shared.resource, index)


def _short(shared: SharedRdma) -> str:
    """Return a resource without its prefix: by that the plugin tells them apart (v1.5.3, ValidateConfigs)."""
    return shared.resource.partition("/")[2]


def _shared_of_operator(site: Site) -> Iterator[Problem]:
    """Yield resources that mean other devices in another class: the operator has one configuration for all nodes."""
    first: dict[str, tuple[str, SharedRdma]] = {}
    for name, node_class in site.node_classes.items():
        for index, shared in enumerate(node_class.shared_rdma):
            if shared.owner != "operator":
                continue
            other, same = first.setdefault(_short(shared), (name, shared))
            if shared != same and other != name:
                yield Problem(
                    ("node_classes", name, "shared_rdma", index, "resource"),
                    f"{shared.resource} means other devices, or another number of pods, in class {other}; the operator "
                    "has one configuration for all nodes",
                    "write the same in both classes, or give each its own resource",
                )


def _one_way(site: Site) -> Iterator[Problem]:
    """Yield a node that would have RDMA in ways that exclude each other, once a class; hosts refuse it too."""
    told: set[str] = set()
    for node in site.nodes:
        node_class = site.node_classes.get(node.node_class)
        if node_class is None or node.node_class in told:
            continue
        path: Path = ("node_classes", node.node_class)
        exclusive, soft = with_rdma(site, node, "exclusive"), with_rdma(site, node, "soft")
        hardware = next((f"policy {policy.name} has rdma: true" for policy in node_class.sriov if policy.rdma), "")
        if exclusive and node_class.shared_rdma:
            yield Problem(
                (*path, "shared_rdma"),
                f"{node.name} would share RDMA devices, and give them to single pods for {exclusive[0]}",
                "use one of both on a node: narrow the attachment by node_classes, or take shared_rdma out",
            )
            told.add(node.node_class)
        if soft and (hardware or node_class.shared_rdma):
            yield Problem(
                (*path, "sriov" if hardware else "shared_rdma"),
                f"{node.name} would have RDMA in software for {soft[0]}, whose pods could open RDMA hardware too: "
                f"{hardware or 'shared_rdma'}",
                "use one of both on a node: narrow the attachment by node_classes",
            )
            told.add(node.node_class)


def _ours(site: Site) -> Iterator[Problem]:
    for name, node_class in site.node_classes.items():
        resources = {("sriov", index): one.resource for index, one in enumerate(node_class.sriov)}
        resources |= {("shared_rdma", index): one.resource for index, one in enumerate(node_class.shared_rdma)}
        for place, resource in resources.items():
            if resource == SOFT_RDMA_RESOURCE:
                yield Problem(
                    ("node_classes", name, *place, "resource"),
                    f"{resource} is the resource of RDMA in software",
                    "use another name",
                )
