"""Promises of secondary networks: what serves them on each node."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Interface, IPv4Network
from typing import Any

from gedge_provision.models.attachments import Attachment
from gedge_provision.planning.attachments import cni_configuration
from gedge_provision.planning.features import WHEREABOUTS, site_features
from gedge_provision.planning.inventory import rdma_resources
from gedge_provision.planning.verification._daemons import daemon
from gedge_provision.planning.verification._promise import NodeLook, Promise, Verdict, verdict

__all__ = ["NODE_ATTACHMENTS"]

_APPLY = "put it right: gedge apply"
_FIRST = "00-multus.conf"


def _without_whereabouts(look: NodeLook) -> str:
    return "" if WHEREABOUTS in site_features(look.site) else "no attachment takes its addresses from whereabouts"


def _nothing_held(look: NodeLook) -> str:
    return "" if look.attachments else "no attachment is for this node"


def _without_dhcp(look: NodeLook) -> str:
    return "" if _dhcp_attachments(look) else "no attachment of this node takes its addresses from a DHCP server"


def _dhcp_attachments(look: NodeLook) -> list[str]:
    return [_name(one) for one in look.attachments if one.ipam.type == "dhcp"]


def _name(one: Attachment) -> str:
    return f"{one.namespace}/{one.name}"


def _first(look: NodeLook) -> Verdict:
    files = look.host.cni_files
    if _FIRST not in files:
        return Verdict(kept=False, evidence=f"there is no {_FIRST} in /etc/cni/net.d", remedy=_APPLY)
    before = files[: files.index(_FIRST)]
    return verdict([f"{name} stands before {_FIRST}" for name in before], f"{_FIRST} is the first of {len(files)}")


def _types(settings: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    """Yield the types of all plugins in a CNI configuration."""
    for key, value in settings.items() if isinstance(settings, dict) else enumerate(settings):
        if key == "type":
            yield str(value)
        elif isinstance(value, dict | list):
            yield from _types(value)


def _plugins(look: NodeLook) -> Verdict:
    needed = {"multus-shim": "Multus"}
    for one in look.attachments:
        needed |= {name: _name(one) for name in _types(cni_configuration(one))}
    has = set(look.host.cni_plugins)
    wrong = [f"{name} is not in /opt/cni/bin, {user} needs it" for name, user in needed.items() if name not in has]
    return verdict(wrong, ", ".join(needed))


def _dhcp(look: NodeLook) -> Verdict:
    users = ", ".join(_dhcp_attachments(look))
    wrong = [] if look.host.dhcp_daemon else [f"nothing answers at /run/cni/dhcp.sock, {users} needs it"]
    return verdict(wrong, f"it answers, for {users}")


def _interfaces(look: NodeLook) -> Verdict:
    wrong, said = [], []
    for one in look.attachments:
        if one.master is None:
            continue
        found = look.host.interfaces.get(one.master)
        if found is None:
            wrong.append(f"{_name(one)} needs {one.master}, which is not here")
        elif not (found.up and found.carrier):
            wrong.append(f"{one.master} of {_name(one)} {'has no link' if found.up else 'is down'}")
        elif one.mtu and one.mtu > found.mtu:
            wrong.append(f"{_name(one)} has MTU {one.mtu}, {one.master} below it {found.mtu}")
        else:
            said.append(f"{one.master} is up")
    return verdict(wrong, ", ".join(dict.fromkeys(said)))


def _no_masters(look: NodeLook) -> str:
    return "" if any(one.master for one in look.attachments) else "no attachment has an interface of this host below it"


def _routes(look: NodeLook) -> Verdict:
    wrong = []
    for one in look.attachments:
        below = _below(look, one)
        for network in _networks(one):
            wrong += [
                f"{_name(one)} {network} overlaps the route to {route.destination} on {route.interface}"
                for route in look.host.routes
                if route.interface not in below and IPv4Network(route.destination, strict=False).overlaps(network)
            ]
    return verdict(wrong, f"{len(look.host.routes)} routes, none of them into the attachments' ranges")


def _networks(one: Attachment) -> list[IPv4Network]:
    found = [one.ipam.range] if one.ipam.range is not None else []
    return found + [IPv4Interface(text).network for text in one.ipam.addresses]


def _below(look: NodeLook, one: Attachment) -> set[str]:
    """Return the interfaces of the host that an attachment is made on: their own network may be the attachment's."""
    found = {one.master, one.device, one.bridge}
    if one.type == "sriov":
        policies = look.policies
        for card in look.host.cards:
            if card.policy in policies and policies[card.policy].resource in (one.resource, None):
                found |= {card.interface, *(function.interface for function in card.functions)}
    return {name for name in found if name}


def _without_rdma(look: NodeLook) -> str:
    return "" if rdma_resources(look.site, look.node) else "no RDMA resource is promised here beside virtual functions"


def _rdma(look: NodeLook) -> Verdict:
    wanted = rdma_resources(look.site, look.node)
    has = {name: int(look.live.status.allocatable.get(name, "0")) for name in wanted}
    wrong = [f"it offers {has[name]} of {number} {name}" for name, number in wanted.items() if has[name] != number]
    return verdict(wrong, ", ".join(f"{number} {name}" for name, number in has.items()))


NODE_ATTACHMENTS: tuple[Promise[NodeLook], ...] = (
    Promise(
        "attachments-multus", "attachments", "The pod of Multus is ready on it.",
        "kubectl -n kube-system describe pod -l app=multus, kubectl -n kube-system logs", "cluster",
        lambda _: "Multus runs here", lambda look: daemon("Multus", look),
    ),
    Promise(
        "attachments-whereabouts", "attachments", "The pod of whereabouts is ready on it.",
        "kubectl -n kube-system describe pod -l app=whereabouts, kubectl -n kube-system logs", "cluster",
        lambda _: "whereabouts runs here", lambda look: daemon("whereabouts", look), _without_whereabouts,
    ),
    Promise(
        "attachments-cni-first", "attachments",
        f"{_FIRST} is the first CNI configuration in /etc/cni/net.d: the runtime takes that one.",
        "remove what stands before it, or give it a later name", "networks",
        lambda _: "the runtime calls Multus", _first,
    ),
    Promise(
        "attachments-plugins", "attachments", "The CNI plugins that its attachments call are installed.",
        _APPLY, "networks",
        lambda _: "the CNI plugins of attachments are installed", _plugins,
    ),
    Promise(
        "attachments-dhcp", "attachments",
        "The DHCP daemon answers CNI plugins, where attachments take their addresses from a server.",
        "journalctl -u gedge-cni-dhcp; gedge apply starts it", "networks",
        lambda _: "a DHCP daemon answers CNI plugins", _dhcp, _without_dhcp,
    ),
    Promise(
        "attachments-interfaces", "attachments",
        "The interfaces below its macvlan and ipvlan attachments are there and up, with no smaller MTU.",
        "correct master or mtu in the site file, or configure the interface on the host", "networks",
        lambda _: "the interfaces below attachments are up", _interfaces, _no_masters,
    ),
    Promise(
        "attachments-routes", "attachments",
        "No route of the host leads into a range of its attachments, but for those of the interface below.",
        "give the attachment another range, or take the route off the host", "networks",
        lambda _: "the host reaches no attachment's range another way", _routes, _nothing_held,
    ),
    Promise(
        "attachments-rdma", "attachments",
        "It offers the RDMA resources that pods ask for beside virtual functions: in software, shared devices.",
        "kubectl -n kube-system get pods -o wide shows whether the RDMA device plugin runs here; its log says why not",
        "node",
        lambda look: ", ".join(f"{number} {name}" for name, number in rdma_resources(look.site, look.node).items()),
        _rdma, _without_rdma,
    ),
)  # fmt: skip
