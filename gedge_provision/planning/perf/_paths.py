"""Between which nodes, and over which network configurations."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Interface

from gedge_provision.models.attachments import Attachment, Ipam
from gedge_provision.models.errors import UsageError
from gedge_provision.models.perf import Problem
from gedge_provision.models.site import Node, Site
from gedge_provision.planning.attachments import has_rdma, holders

__all__ = ["Ends", "NetPath", "choose_ends", "find_paths", "parse_addresses"]

FLANNEL, HOST = "flannel", "host"
_BY_ADDRESS = "give both pods an address: --address {name}=SERVER/LENGTH,CLIENT/LENGTH"


@dataclass(frozen=True)
class Ends:
    """The two nodes; they may be the same."""

    client: Node
    server: Node

    @property
    def same(self) -> bool:
        """Whether both pods are on one node."""
        return self.client.name == self.server.name


@dataclass(frozen=True)
class NetPath:
    """One network configuration between the two ends.

    Attributes:
        name: host, flannel or the attachment's name; with its namespace where two have one name.
        kind: host, flannel or the attachment's type.
        attachment: the attachment as the pods use it; None for host and flannel.
        addresses: fixed addresses of server and client with prefix length; empty where the attachment gives them.
        rdma: whether its pods have RDMA.
    """

    name: str
    kind: str
    attachment: Attachment | None = None
    addresses: tuple[str, ...] = field(default=())
    rdma: bool = False


def choose_ends(site: Site, client: str | None, server: str | None, *, same_node: bool = False) -> Ends:
    """Return the nodes: those that are named, else the first two workers, or the only one.

    Raises:
        UsageError: there is no such worker, or the choices exclude each other.
    """
    workers = {node.name: node for node in site.nodes if "worker" in node.roles}
    if not workers:
        raise UsageError("the site has no worker", place=site.name, remedy="give a node the role worker")
    for name in filter(None, (client, server)):
        if name not in workers:
            raise _no_worker(site, name, list(workers))
    if same_node and client and server and client != server:
        raise UsageError("--same-node and two nodes exclude each other", remedy="name one node, or leave it out")
    others = [name for name in workers if name != server] or list(workers)
    first = client or (server if same_node and server else others[0])
    second = first if same_node else server or next((name for name in workers if name != first), first)
    return Ends(workers[first], workers[second])


def _no_worker(site: Site, name: str, workers: Sequence[str]) -> UsageError:
    if any(node.name == name for node in site.nodes):
        return UsageError(f"node {name} is no worker", place=site.name, remedy=f"use one of {', '.join(workers)}")
    close = difflib.get_close_matches(name, workers, n=1)
    listed = f"use one of {', '.join(workers)}"
    remedy = f"did you mean {close[0]}? ({listed})" if close else listed
    return UsageError(f"the site file has no node {name}", place=site.name, remedy=remedy)


def parse_addresses(given: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Parse `NETWORK=SERVER/LENGTH,CLIENT/LENGTH` and return the addresses by network.

    Raises:
        UsageError: one is written differently, or its addresses cannot reach each other.
    """
    found = {}
    for text in given:
        name, _, pair = text.partition("=")
        try:
            server, client = (IPv4Interface(part) for part in pair.split(","))
        except ValueError as error:
            remedy = "write it like --address storage=10.10.2.61/24,10.10.2.62/24"
            raise UsageError(f"{text!r} is no pair of addresses", place="--address", remedy=remedy) from error
        if server.network != client.network or server.ip == client.ip or server.network.prefixlen > 30:  # noqa: PLR2004
            remedy = "use two addresses of one network, with its prefix length"
            raise UsageError(f"{pair} are not two addresses of one network", place="--address", remedy=remedy)
        found[name] = (str(server), str(client))
    return found


def find_paths(
    site: Site, ends: Ends, wanted: Sequence[str] = (), addresses: Mapping[str, tuple[str, str]] | None = None
) -> tuple[tuple[NetPath, ...], tuple[Problem, ...]]:
    """Return the paths to measure, and what is left out with the reason.

    Args:
        site: the site.
        ends: the nodes.
        wanted: names of networks; empty means all that both nodes may use.
        addresses: fixed addresses (server, client) by network.

    Raises:
        UsageError: a network is unknown, or one that was asked for cannot be measured.
    """
    fixed = dict(addresses or {})
    attachments = _named(site.networks.attachments)
    known = [HOST, FLANNEL, *attachments]
    chosen = [_known(name, known, site.name) for name in wanted] or known
    own = [name for name in fixed if name in (HOST, FLANNEL) and name not in attachments]
    if own:
        remedy = f"leave {own[0]} out: addresses are given to attachments that give none"
        raise UsageError(f"{own[0]} takes no addresses, it has its own", place="--address", remedy=remedy)
    given = {_known(name, list(attachments), site.name): pair for name, pair in fixed.items()}
    paths, left_out = [], []
    for name in dict.fromkeys(chosen):
        if name not in attachments:
            paths.append(NetPath(name, name))
            continue
        path = _attached(site, ends, name, attachments[name], given.get(name), asked=bool(wanted))
        if isinstance(path, NetPath):
            paths.append(path)
        elif wanted:
            raise UsageError(f"{name} cannot be measured: {path.message}", place=site.name, remedy=path.remedy)
        else:
            left_out.append(path)
    return tuple(paths), tuple(left_out)


def _named(attachments: Sequence[Attachment]) -> dict[str, Attachment]:
    """Return attachments by the name that tells each from all others."""
    names = [attachment.name for attachment in attachments]
    taken = {HOST, FLANNEL}
    return {
        one.name if names.count(one.name) == 1 and one.name not in taken else f"{one.namespace}/{one.name}": one
        for one in attachments
    }


def _known(name: str, known: Sequence[str], site: str) -> str:
    short = name.removeprefix("default/")
    if name in known or short in known:
        return name if name in known else short
    ending = [other for other in known if name.endswith(f"/{other}")]
    if ending:
        return ending[0]
    close = difflib.get_close_matches(name, known, n=1)
    listed = f"use one of {', '.join(known)}" if known else "the site file has no attachments"
    remedy = f"did you mean {close[0]}? ({listed})" if close else listed
    raise UsageError(f"the site has no network {name}", place=site, remedy=remedy)


def _attached(  # noqa: PLR0913, PLR0911 - what decides, and one answer each
    site: Site, ends: Ends, name: str, attachment: Attachment, fixed: tuple[str, str] | None, *, asked: bool
) -> NetPath | Problem:
    def left_out(message: str, remedy: str = "") -> Problem:
        return Problem(path=name, what="left out", message=message, remedy=remedy)

    strangers = sorted({ends.client.name, ends.server.name} - set(holders(site, attachment)))
    if strangers:
        return left_out(f"its node classes leave out {', '.join(strangers)}", "choose other nodes: --from, --to")
    if _for_own_drivers(site, attachment):
        return left_out("its devices are bound to vfio-pci: pods get no network interface of them")
    if attachment.type == "host-device" and attachment.device and ends.same:
        return left_out("the interface is one, and both pods would want it", "choose two nodes: --from, --to")
    if attachment.type == "bridge" and not ends.same and not asked:
        return left_out(
            "a bridge reaches other nodes only when a network card is in it", f"to try it: --network {name}"
        )
    if fixed is not None:
        static = attachment.model_copy(update={"ipam": Ipam(type="static")})
        return NetPath(name, attachment.type, static, fixed, rdma=has_rdma(site, attachment))
    if attachment.ipam.type in {"static", "none"}:
        return left_out("it gives pods no addresses of their own", _BY_ADDRESS.format(name=name))
    return NetPath(name, attachment.type, attachment, rdma=has_rdma(site, attachment))


def _for_own_drivers(site: Site, attachment: Attachment) -> bool:
    policies = [policy for node_class in site.node_classes.values() for policy in node_class.sriov]
    matching = [policy for policy in policies if attachment.resource and policy.resource == attachment.resource]
    return bool(matching) and all(policy.device_type == "vfio-pci" for policy in matching)
