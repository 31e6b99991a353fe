"""What must hold of the addresses of attachments in a site file. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from itertools import combinations
from typing import NamedTuple

from gedge_provision.models.attachments import Attachment, Ipam
from gedge_provision.models.documents import Path, Problem
from gedge_provision.models.site import Site
from gedge_provision.planning.attachments import holders

__all__ = ["check_addresses", "check_ranges"]

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
    for index, text in enumerate(ipam.addresses):
        try:
            IPv4Interface(text)
        except ValueError:
            yield Problem((*place, "addresses", index), f"{text} is no IPv4 address", "use numbers up to 255")
    if ipam.range is not None:
        yield from _range(place, ipam.range, ipam)
    nodes = holders(site, one) if ipam.type == "host-local" else []
    if len(nodes) > 1:
        yield Problem(
            (*place, "type"),
            f"host-local counts on each node alone: {', '.join(nodes[:3])} would give the same addresses away",
            "use whereabouts; or an attachment a node, each with its own range and, in node_classes, its own class",
        )


def _range(place: Path, network: IPv4Network, ipam: Ipam) -> Iterator[Problem]:
    named = {"range_start": ipam.range_start, "range_end": ipam.range_end, "gateway": ipam.gateway}
    yield from _within(place, network, named)
    if ipam.range_start and ipam.range_end and ipam.range_start > ipam.range_end:
        yield Problem((*place, "range_end"), f"{ipam.range_end} comes before {ipam.range_start}", "exchange them")
    for index, hole in enumerate(ipam.exclude):
        if not hole.subnet_of(network):
            yield Problem((*place, "exclude", index), f"{hole} is no part of {network}", "use a part of the range")


def _within(place: Path, network: IPv4Network, addresses: Mapping[str, IPv4Address | None]) -> Iterator[Problem]:
    for field, address in addresses.items():
        if address is not None and address not in network:
            yield Problem((*place, field), f"{address} is outside the range {network}", "use an address of the range")


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
    taken = {"networks.pods": site.networks.pods, "networks.services": site.networks.services}
    if site.lab is not None:
        taken["lab.subnet"] = site.lab.subnet
    for path, network, _ in ranges:
        for what, other in taken.items():
            if network.overlaps(other):
                yield Problem(path, f"{network} overlaps {what} {other}", "use a range of its own")
        for node in site.nodes:
            if node.address in network:
                yield Problem(path, f"{network} holds the address {node.address} of {node.name}", "use another range")
    for one, another in combinations(ranges, 2):
        shared = one.pool == another.pool == "whereabouts" and one.network == another.network
        if one.network.overlaps(another.network) and not shared and not _apart(site, one, another):
            first = one.path[2]
            yield Problem(
                another.path,
                f"{another.network} overlaps {one.network} of attachments[{first}]",
                "give each attachment its own range, or both the same with whereabouts",
            )


def _apart(site: Site, one: _Range, other: _Range) -> bool:
    """Tell whether two attachments give away different parts of one network."""
    first, second = (site.networks.attachments[int(found.path[2])].ipam for found in (one, other))
    if None in (first.range_start, first.range_end, second.range_start, second.range_end):
        return False
    assert first.range_start and first.range_end and second.range_start and second.range_end  # noqa: S101, PT018
    return first.range_end < second.range_start or second.range_end < first.range_start
