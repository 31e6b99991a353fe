"""What must hold across the SR-IOV policies of a site file, beyond what each field shows alone. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from gedge_provision.models.base import Document
from gedge_provision.models.documents import Path, Problem
from gedge_provision.models.site import NodeClass, Site

__all__ = ["check_policies"]


def check_policies(site: Site) -> Iterator[Problem]:
    """Yield everything that is wrong with policies whose fields are valid one by one."""
    for name, node_class in site.node_classes.items():
        yield from _policies(("node_classes", name, "sriov"), node_class)
    yield from _one_source_of_resources(site)
    yield from _of_operators(site)
    yield from _kinds_of_resources(site)


def _policies(path: Path, node_class: NodeClass) -> Iterator[Problem]:
    names: dict[str, int] = {}
    for index, policy in enumerate(node_class.sriov):
        place = (*path, index)
        if policy.name in names:
            yield Problem(
                (*place, "name"), f"{policy.name} is the name of sriov[{names[policy.name]}] already", "rename"
            )
        names.setdefault(policy.name, index)
        if not policy.nics.model_fields_set or not any(policy.nics.model_dump().values()):
            yield Problem(
                (*place, "nics"),
                "it selects every network card, also the one that carries the cluster",
                "name vendor and device, a driver, interfaces, addresses or numa_nodes",
            )
        if policy.rdma and policy.device_type == "vfio-pci":
            yield Problem(
                (*place, "rdma"),
                "functions that vfio-pci has are no RDMA devices",
                "use device_type: netdevice (Mellanox' drivers in user space work on that), or take rdma out",
            )
    for (one_index, one), (index, other) in combinations(enumerate(node_class.sriov), 2):
        if one.nics == other.nics:
            yield Problem(
                (*path, index, "nics"),
                f"it selects the same cards as sriov[{one_index}] ({one.name})",
                "a network card has one policy: select others, or keep one of the two",
            )
            continue
        for field in ("interfaces", "addresses"):
            both = sorted(set(getattr(one.nics, field)) & set(getattr(other.nics, field)))
            if both:
                owners = f" (owners {one.owner} and {other.owner})" if one.owner != other.owner else ""
                yield Problem(
                    (*path, index, "nics", field),
                    f"{both[0]} is selected by sriov[{one_index}] ({one.name}) too{owners}",
                    "a network card has one policy: take it out of one of them",
                )


def _of_operators(site: Site) -> Iterator[Problem]:
    """Yield what the SR-IOV network operator cannot be told in a policy."""
    prefixes: dict[str, str] = {}
    for name, node_class in site.node_classes.items():
        for index, policy in enumerate(node_class.sriov):
            if policy.owner != "operator":
                continue
            path: Path = ("node_classes", name, "sriov", index)
            if policy.resource is None:
                yield Problem(path, "the operator needs a resource for every policy", "add resource")
            else:
                prefix = policy.resource.partition("/")[0]
                prefixes.setdefault(prefix, policy.name)
                first = next(iter(prefixes))
                if prefix != first:
                    yield Problem(
                        (*path, "resource"),
                        f"the operator has one prefix for all resources, and {prefixes[first]} uses {first}",
                        f"write {first}/{policy.resource.partition('/')[2]}",
                    )
            for field in sorted({"driver", "numa_nodes"} & _given(policy.nics)):
                yield Problem(
                    (*path, "nics", field),
                    f"the operator does not select cards by {field}",
                    "use vendor and device, interfaces or addresses",
                )
            for field in sorted({"vlan", "trust", "spoof_check"} & _given(policy)):
                yield Problem(
                    (*path, field), f"the operator does not set {field} in a policy", "set it in the attachment"
                )


def _given(document: Document) -> set[str]:
    return set(document.model_dump(exclude_defaults=True))


def _one_source_of_resources(site: Site) -> Iterator[Problem]:
    """Yield a problem where some policies name a resource and others do not: the ConfigMap is ours or yours."""
    placed = [
        (("node_classes", name, "sriov", index), policy)
        for name, node_class in site.node_classes.items()
        for index, policy in enumerate(node_class.sriov)
        if policy.owner == "host"
    ]
    named = [policy.name for _, policy in placed if policy.resource]
    for path, policy in placed:
        if named and not policy.resource:
            yield Problem(
                path,
                f"{policy.name} names no resource, and {named[0]} does",
                "name one in every policy, or in none: the device plugin then takes your ConfigMap sriovdp-config",
            )


def _kinds_of_resources(site: Site) -> Iterator[Problem]:
    kinds: dict[str, tuple[str, str]] = {}
    for name, node_class in site.node_classes.items():
        for index, policy in enumerate(node_class.sriov):
            if policy.resource is None:
                continue
            present = f"{policy.device_type} with RDMA" if policy.rdma else policy.device_type
            kind, first = kinds.setdefault(policy.resource, (present, policy.name))
            if kind != present:
                yield Problem(
                    ("node_classes", name, "sriov", index, "resource"),
                    f"{policy.resource} is {kind} in policy {first} and {present} here: "
                    "a pod would not know what it gets",
                    "give each kind of device its own resource",
                )
