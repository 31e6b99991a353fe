"""What must hold of the addresses of attachments in a site file. Pure."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, collapse_addresses
from itertools import combinations
from typing import NamedTuple

from gedge_provision.models.attachments import Attachment, Ipam
from gedge_provision.models.documents import Path, Problem
from gedge_provision.models.site import Site
from gedge_provision.planning.attachments import holders

__all__ = ["TAKEN_RANGES", "check_addresses", "check_ranges"]

TAKEN_RANGES = {
    "addresses that mean no host": IPv4Network("0.0.0.0/8"),
    "loopback addresses": IPv4Network("127.0.0.0/8"),
    "link-local addresses": IPv4Network("169.254.0.0/16"),
    "multicast addresses": IPv4Network("224.0.0.0/4"),
    "reserved addresses": IPv4Network("240.0.0.0/4"),
}
"""What a cluster cannot have as a range; an attachment may have link-local addresses."""

_IPAM_FIELDS = {
    "static": {"addresses", "gateway", "routes"},
    "host-local": {"range", "range_start", "range_end", "gateway", "routes"},
    "whereabouts": {"range", "range_start", "range_end", "exclude", "gateway", "routes"},
    "dhcp": set(),
    "none": set(),
}


def check_addresses(site: Site, path: Path, one: Attachment) -> Iterator[Problem]:
    """Yield what is wrong with the addresses of one attachment."""
    ipam, place = one.ipam, (*path, "ipam")
    for field in sorted(ipam.model_fields_set - {"type"} - _IPAM_FIELDS[ipam.type]):
        if getattr(ipam, field) not in (None, ()):
            takers = sorted(kind for kind, fields in _IPAM_FIELDS.items() if field in fields)
            yield Problem(
                (*place, field), f"{ipam.type} does not take {field}", f"remove it; it is for {', '.join(takers)}"
            )
    if ipam.type == "dhcp" and one.type == "ipvlan":
        yield Problem(
            (*place, "type"),
            "an ipvlan interface has the MAC address of its master, so that no answer of a DHCP server reaches it",
            "use macvlan, or another way to give addresses",
        )
    if ipam.type in {"host-local", "whereabouts"} and ipam.range is None:
        yield Problem(place, f"{ipam.type} needs a range", "add range, like 10.10.2.0/24")
    if ipam.type == "static":
        yield from _static(place, ipam)
    elif ipam.range is not None:
        yield from _range(place, ipam.range, ipam)
    yield from _routes(site, place, ipam)
    nodes = holders(site, one) if ipam.type == "host-local" else []
    if len(nodes) > 1:
        yield Problem(
            (*place, "type"),
            f"host-local counts on each node alone: {', '.join(nodes[:3])} would give the same addresses away",
            "use whereabouts; or an attachment a node, each with its own range and, in node_classes, its own class",
        )


def _static(place: Path, ipam: Ipam) -> Iterator[Problem]:
    for index, text in enumerate(ipam.addresses):
        path = (*place, "addresses", index)
        try:
            one = IPv4Interface(text)
        except ValueError:
            yield Problem(path, f"{text} is no IPv4 address", "use numbers up to 255")
            continue
        if text in ipam.addresses[:index]:
            yield Problem(path, f"{text} stands twice", "keep one")
        elif one.ip in _ends(one.network):
            yield Problem(path, f"{text} is no host's address: {_END}", "use an address between")
    networks = _networks(ipam)
    if ipam.gateway is not None and not ipam.addresses:
        yield Problem(
            (*place, "gateway"),
            "a gateway goes with addresses, and here each pod's annotation names them",
            "name it as the gateway of routes",
        )
    elif ipam.gateway is not None and not any(ipam.gateway in network for network in networks):
        yield Problem(
            (*place, "gateway"), f"{ipam.gateway} is in no network of the addresses", "use an address of their network"
        )


_END = "it is the first (the network itself) or the last (broadcast) of its network"
_LONGEST_PREFIX = 30  # whereabouts and host-local give no address away of a /31 or /32


def _ends(network: IPv4Network) -> tuple[IPv4Address, ...]:
    return (network.network_address, network.broadcast_address) if network.prefixlen <= _LONGEST_PREFIX else ()


def _networks(ipam: Ipam) -> list[IPv4Network]:
    """Return the networks that pods are known to reach directly."""
    return [ipam.range] if ipam.range is not None else [one.network for _, one in _fixed(ipam)]


def _fixed(ipam: Ipam) -> Iterator[tuple[int, IPv4Interface]]:
    """Yield the fixed addresses that are addresses, with their numbers."""
    for index, text in enumerate(ipam.addresses):
        with contextlib.suppress(ValueError):
            yield index, IPv4Interface(text)


def _range(place: Path, network: IPv4Network, ipam: Ipam) -> Iterator[Problem]:
    if network.prefixlen > _LONGEST_PREFIX:
        yield Problem((*place, "range"), f"{network} has no address to give away", f"use /{_LONGEST_PREFIX} or wider")
        return
    named = {"range_start": ipam.range_start, "range_end": ipam.range_end, "gateway": ipam.gateway}
    outside = list(_within(place, network, named))
    yield from outside
    if not outside and ipam.range_start and ipam.range_end and ipam.range_start > ipam.range_end:
        yield Problem((*place, "range_end"), f"{ipam.range_end} comes before {ipam.range_start}", "exchange them")
        return
    for index, hole in enumerate(ipam.exclude):
        if not hole.subnet_of(network):
            yield Problem((*place, "exclude", index), f"{hole} is no part of {network}", "use a part of the range")
    if ipam.exclude and _next_free(ipam, network) is None:
        yield Problem((*place, "exclude"), f"nothing of {network} is left to give away", "exclude less")
    if ipam.gateway in _ends(network):
        yield Problem((*place, "gateway"), f"{ipam.gateway} is no host's address: {_END}", "use an address between")
    elif ipam.type == "whereabouts" and ipam.gateway is not None and _gives_away(ipam, ipam.gateway):
        yield Problem(
            (*place, "gateway"),
            f"whereabouts would give {ipam.gateway} to a pod",
            f"add {ipam.gateway}/32 to exclude, or set range_start and range_end around it",
        )


def _bounds(ipam: Ipam, network: IPv4Network) -> tuple[IPv4Address, IPv4Address]:
    """Return the first and the last address that may be given away."""
    first, last = ipam.range_start or network.network_address, ipam.range_end or network.broadcast_address
    return max(first, network.network_address + 1), min(last, network.broadcast_address - 1)


def _next_free(ipam: Ipam, network: IPv4Network) -> IPv4Address | None:
    free, last = _bounds(ipam, network)
    for hole in collapse_addresses(ipam.exclude):
        if free in hole:
            free = hole.broadcast_address + 1
    return free if free <= last else None


def _gives_away(ipam: Ipam, address: IPv4Address) -> bool:
    if ipam.range is None:
        return False
    first, last = _bounds(ipam, ipam.range)
    return first <= address <= last and not any(address in hole for hole in ipam.exclude)


def _within(place: Path, network: IPv4Network, addresses: Mapping[str, IPv4Address | None]) -> Iterator[Problem]:
    for field, address in addresses.items():
        if address is not None and address not in network:
            yield Problem((*place, field), f"{address} is outside the range {network}", "use an address of the range")


def _routes(site: Site, place: Path, ipam: Ipam) -> Iterator[Problem]:
    networks = _networks(ipam)
    for index, route in enumerate(ipam.routes):
        path = (*place, "routes", index)
        if route.destination.prefixlen == 0:
            yield Problem(
                (*path, "destination"),
                "the pod has its default route on the pod network",
                "name the ranges that are reached; a pod can ask for another default route in its annotation",
            )
            continue
        for what, taken in (("pods", site.networks.pods), ("services", site.networks.services)):
            if route.destination.overlaps(taken):
                yield Problem(
                    (*path, "destination"),
                    f"{route.destination} overlaps networks.{what} {taken}, which the pod reaches by the pod network",
                    "name ranges beside it",
                )
        if route.gateway is not None and networks and not any(route.gateway in network for network in networks):
            yield Problem(
                (*path, "gateway"),
                f"{route.gateway} is outside {', '.join(map(str, networks))}: no pod reaches it",
                "use a router of that network",
            )


class _Range(NamedTuple):
    path: Path
    network: IPv4Network
    pool: str
    """What gives the addresses away: equal ranges of one pool are one range."""


def check_ranges(site: Site) -> Iterator[Problem]:
    """Yield overlaps of attachments' ranges with those of the cluster, with nodes, and with one another."""
    ranges = [
        _Range(("networks", "attachments", index, "ipam", "range"), one.ipam.range, one.ipam.type)
        for index, one in enumerate(site.networks.attachments)
        if one.ipam.range is not None
    ]
    for path, network, _ in ranges:
        yield from _taken(site, path, network)
    for index, attachment in enumerate(site.networks.attachments):
        for number, address in _fixed(attachment.ipam):
            path = ("networks", "attachments", index, "ipam", "addresses", number)
            yield from _taken(site, path, address.network)
            yield from _given_away(site, path, address.ip)
    for one, another in combinations(ranges, 2):
        shared = one.pool == another.pool == "whereabouts" and one.network == another.network
        if one.network.overlaps(another.network) and not shared and not _apart(site, one, another):
            first = one.path[2]
            yield Problem(
                another.path,
                f"{another.network} overlaps {one.network} of attachments[{first}]",
                "give each attachment its own range, or both the same with whereabouts",
            )


def _taken(site: Site, path: Path, network: IPv4Network) -> Iterator[Problem]:
    """Yield what else has addresses of a network."""
    taken = {"networks.pods": site.networks.pods, "networks.services": site.networks.services}
    if site.lab is not None:
        taken["lab.subnet"] = site.lab.subnet
    for what, other in taken.items():
        if network.overlaps(other):
            yield Problem(path, f"{network} overlaps {what} {other}", "use a range of its own")
    for what, other in TAKEN_RANGES.items():
        if network.overlaps(other) and not other.is_link_local:
            yield Problem(path, f"{network} has {what} ({other})", "use a private range, like 10.10.2.0/24")
    for node in site.nodes:
        if node.address in network:
            yield Problem(path, f"{network} holds the address {node.address} of {node.name}", "use another range")
    if site.control_plane.virtual_ip is not None and site.control_plane.virtual_ip in network:
        yield Problem(path, f"{network} holds control_plane.virtual_ip {site.control_plane.virtual_ip}", "use another")


def _given_away(site: Site, path: Path, address: IPv4Address) -> Iterator[Problem]:
    for index, one in enumerate(site.networks.attachments):
        if _gives_away(one.ipam, address):
            yield Problem(
                path,
                f"attachments[{index}] gives {address} away, out of {one.ipam.range}",
                "use an address that it leaves out, or another network",
            )


def _apart(site: Site, one: _Range, other: _Range) -> bool:
    """Tell whether two attachments give away different parts of one network."""
    first, second = (site.networks.attachments[int(found.path[2])].ipam for found in (one, other))
    if None in (first.range_start, first.range_end, second.range_start, second.range_end):
        return False
    assert first.range_start and first.range_end and second.range_start and second.range_end  # noqa: S101, PT018
    return first.range_end < second.range_start or second.range_end < first.range_start
