"""What must hold across the fields of a site file, beyond what each field shows alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network
from itertools import combinations

from gedge_provision.models.documents import Problem
from gedge_provision.models.site import Site
from gedge_provision.planning.attachment_checks import check_attachments
from gedge_provision.planning.emulated_gpu_checks import check_emulated_gpus
from gedge_provision.planning.emulation_checks import check_emulated
from gedge_provision.planning.gpu_checks import check_gpus
from gedge_provision.planning.gse_api_server import check_gse_api_server
from gedge_provision.planning.ipam_checks import TAKEN_RANGES
from gedge_provision.planning.kernel_checks import check_kernel_arguments
from gedge_provision.planning.kubelet_checks import check_kubelets
from gedge_provision.planning.owner_checks import check_owners
from gedge_provision.planning.rdma_checks import check_rdma
from gedge_provision.planning.sriov_checks import check_policies

__all__ = ["check_site"]

_NODE_PREFIX = 24  # kube-controller-manager gives every node a /24 of the pod network
_LARGEST_SERVICE_PREFIX = 12  # kube-apiserver accepts at most 20 bits of service addresses
_SMALLEST_SERVICE_PREFIX = 28  # kubeadm wants ten service addresses at least
_ANSIBLE_NAMES = (
    "all",
    "leaving",
    "localhost",
    "ungrouped",
    "workers",
)  # the inventory's other groups have a '_' in their names
_CONTROL_PLANE_SIZES = (1, 3, 5)


def check_site(site: Site) -> Iterator[Problem]:
    """Yield everything that is wrong with a site whose fields are valid one by one; what several classes show once."""
    yield from dict.fromkeys(_problems(site))


def _problems(site: Site) -> Iterator[Problem]:
    yield from _duplicates(site)
    yield from _names(site)
    yield from _control_plane(site)
    yield from _classes(site)
    yield from _networks(site)
    yield from _ssh(site)
    yield from check_kernel_arguments(site)
    yield from check_kubelets(site)
    yield from check_policies(site)
    yield from check_owners(site)
    yield from check_attachments(site)
    yield from check_rdma(site)
    yield from check_gpus(site)
    yield from check_emulated_gpus(site)
    yield from check_emulated(site)
    yield from check_gse_api_server(site)


def _duplicates(site: Site) -> Iterator[Problem]:
    for attribute in ("name", "address"):
        first: dict[object, int] = {}
        for index, node in enumerate(site.nodes):
            value = getattr(node, attribute)
            if value in first:
                other = site.nodes[first[value]].name
                yield Problem(
                    ("nodes", index, attribute),
                    f"{value} is taken by nodes[{first[value]}] ({other})",
                    f"give every node its own {attribute}",
                )
            first.setdefault(value, index)
    for index, node in enumerate(site.nodes):
        if len(set(node.roles)) != len(node.roles):
            yield Problem(("nodes", index, "roles"), "a role stands twice", "name each role once")


def _names(site: Site) -> Iterator[Problem]:
    for index, node in enumerate(site.nodes):
        if node.name in _ANSIBLE_NAMES:
            yield Problem(
                ("nodes", index, "name"), f"{node.name} has a meaning of its own to Ansible", "give it another name"
            )


def _control_plane(site: Site) -> Iterator[Problem]:
    count = len(site.with_role("control_plane"))
    if count == 0:
        yield Problem(
            ("nodes",), "no node has the role control_plane", "give one or three nodes roles: [control_plane]"
        )
        return
    if count not in _CONTROL_PLANE_SIZES:
        yield Problem(
            ("nodes",),
            f"{count} control-plane nodes: etcd gains nothing from an even number and little beyond five",
            "use one, three or five",
        )
    virtual_ip = site.control_plane.virtual_ip
    if count > 1 and virtual_ip is None:
        yield Problem(
            ("control_plane",),
            f"{count} control-plane nodes need a virtual address for the API server",
            "set control_plane.virtual_ip to a free address of the nodes' network",
        )
    for index, node in enumerate(site.nodes):
        if node.address == virtual_ip:
            yield Problem(
                ("control_plane", "virtual_ip"),
                f"{virtual_ip} is the address of nodes[{index}] ({node.name})",
                "use an address that no host has",
            )


def _classes(site: Site) -> Iterator[Problem]:
    for index, node in enumerate(site.nodes):
        if node.node_class not in site.node_classes:
            yield Problem(
                ("nodes", index, "node_class"),
                f"no node class {node.node_class!r}",
                f"use one of {', '.join(sorted(site.node_classes))}, or add it to node_classes",
            )
    for name, node_class in site.node_classes.items():
        seen = set()
        for index, taint in enumerate(node_class.taints):
            if (taint.key, taint.effect) in seen:
                yield Problem(
                    ("node_classes", name, "taints", index),
                    f"{taint.key} stands twice with the effect {taint.effect}",
                    "keep one of them",
                )
            seen.add((taint.key, taint.effect))


def _networks(site: Site) -> Iterator[Problem]:
    networks: dict[tuple[str, ...], IPv4Network] = {
        ("networks", "pods"): site.networks.pods,
        ("networks", "services"): site.networks.services,
    }
    if site.lab is not None:
        networks["lab", "subnet"] = site.lab.subnet
    for (path, one), (other_path, other) in combinations(networks.items(), 2):
        if one.overlaps(other):
            yield Problem(
                other_path, f"{other} overlaps {'.'.join(path)} {one}", "choose ranges that have no address in common"
            )
    for path, network in networks.items():
        for what, taken in TAKEN_RANGES.items():
            if network.overlaps(taken):
                yield Problem(path, f"{network} has {what} ({taken})", "use a private range, for example 10.244.0.0/16")
    yield from _addresses(site, networks)
    pods = site.networks.pods
    if pods.prefixlen > _NODE_PREFIX or 2 ** (_NODE_PREFIX - pods.prefixlen) < len(site.nodes):
        yield Problem(
            ("networks", "pods"),
            f"{pods} is too small: each of {len(site.nodes)} nodes takes a /{_NODE_PREFIX}",
            f"use a wider range, for example {_wide_enough(pods, len(site.nodes))}",
        )
    if site.networks.services.prefixlen < _LARGEST_SERVICE_PREFIX:
        yield Problem(
            ("networks", "services"),
            f"{site.networks.services} is larger than the API server accepts",
            f"use /{_LARGEST_SERVICE_PREFIX} or smaller",
        )
    if site.networks.services.prefixlen > _SMALLEST_SERVICE_PREFIX:
        yield Problem(
            ("networks", "services"),
            f"{site.networks.services} is too small for the services that every cluster has",
            f"use /{_SMALLEST_SERVICE_PREFIX} or wider, for example 10.96.0.0/16",
        )


def _wide_enough(pods: IPv4Network, nodes: int) -> IPv4Network:
    """Return the range around `pods` that holds a /24 for each node; a small site gets the usual /16."""
    prefix = min(16, _NODE_PREFIX - (nodes - 1).bit_length())
    return pods.supernet(new_prefix=min(prefix, pods.prefixlen))


def _addresses(site: Site, networks: dict[tuple[str, ...], IPv4Network]) -> Iterable[Problem]:
    addresses = {("nodes", index, "address"): node.address for index, node in enumerate(site.nodes)}
    if site.control_plane.virtual_ip is not None:
        addresses["control_plane", "virtual_ip"] = site.control_plane.virtual_ip  # type: ignore[index]
    for path, address in addresses.items():
        if address.is_loopback or address.is_multicast or address.is_unspecified or address.is_reserved:
            yield Problem(path, f"{address} cannot be the address of a host", "use the address on the hosts' network")
            continue
        for network_path in (("networks", "pods"), ("networks", "services")):
            if address in networks[network_path]:
                yield Problem(
                    path,
                    f"{address} lies in {'.'.join(network_path)} {networks[network_path]}",
                    "keep pod and service ranges apart from the hosts' network",
                )
        if site.lab is not None:
            subnet = site.lab.subnet
            if address not in subnet:
                yield Problem(path, f"{address} is outside lab.subnet {subnet}", "use an address of that range")
            elif address in (subnet.network_address, subnet.network_address + 1, subnet.broadcast_address):
                yield Problem(
                    path, f"{address} is reserved in lab.subnet {subnet}", "the first address is this machine's own"
                )


def _ssh(site: Site) -> Iterator[Problem]:
    if site.ssh.user != "root" and not site.ssh.become:
        yield Problem(
            ("ssh", "user"),
            f"{site.ssh.user} cannot change a host without root's rights",
            "set ssh.become: true (sudo) or ssh.user: root",
        )
