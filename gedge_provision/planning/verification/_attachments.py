"""Promises of secondary networks: what serves them on each node."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Interface, IPv4Network
from typing import Any

from gedge_provision.models.attachments import Attachment
from gedge_provision.models.cluster import PodState
from gedge_provision.planning.attachments import cni_configuration, holders
from gedge_provision.planning.features import WHEREABOUTS, plugin_source, site_features
from gedge_provision.planning.verification._device_plugin import DEVICE_PLUGIN_LABELS, missing_devices
from gedge_provision.planning.verification._promise import NodeLook, Promise, Verdict, verdict
from gedge_provision.planning.verification._sriov import policies_of

__all__ = ["NODE_ATTACHMENTS"]

_APPLY = "put it right: gedge apply"
_SPACE = "kube-system"
_FIRST = "00-multus.conf"
_DAEMONS = {
    "Multus": {"app": "multus"},
    "the device plugin": DEVICE_PLUGIN_LABELS,
    "whereabouts": {"app": "whereabouts"},
}
_PCI_IDS = (
    "use an image with the file /usr/share/misc/pci.ids (the catalog's has it): gedge artifacts build, gedge apply"
)


def _without_whereabouts(look: NodeLook) -> str:
    return "" if WHEREABOUTS in site_features(look.site) else "no attachment takes its addresses from whereabouts"


def _without_plugin(look: NodeLook) -> str:
    return "" if plugin_source(look.node_class) else f"class {look.node.node_class} has no SR-IOV policy for the host"


def _held(look: NodeLook) -> list[Attachment]:
    return [one for one in look.site.networks.attachments if look.node.name in holders(look.site, one)]


def _nothing_held(look: NodeLook) -> str:
    return "" if _held(look) else "no attachment is for this node"


def _name(one: Attachment) -> str:
    return f"{one.namespace}/{one.name}"


def _daemon(name: str, look: NodeLook) -> Verdict:
    pods = [
        pod
        for pod in look.snapshot.pods_by_node.get(look.node.name, ())
        if pod.metadata.namespace == _SPACE and _DAEMONS[name].items() <= pod.metadata.labels.items()
    ]
    if not pods:
        return Verdict(kept=False, evidence=f"no pod of {name} is on this node", remedy=_APPLY)
    if any(pod.ready for pod in pods):
        return Verdict(kept=True, evidence=f"its pod of {name} is ready")
    said = _last_words(pods[0])
    remedy = _PCI_IDS if "pci.ids" in said or "pci-ids" in said else ""
    return Verdict(kept=False, evidence=f"its pod of {name} is not ready{f': {said}' if said else ''}", remedy=remedy)


def _last_words(pod: PodState) -> str:
    """Return what the kubelet says of containers that are not ready, with their own last words."""
    said = []
    for container in pod.status.container_statuses:
        waiting, ended = container.state.waiting, container.state.terminated or container.last_state.terminated
        if container.ready:
            continue
        said += [f"{waiting.reason} {waiting.message}".strip()] if waiting else []
        said += [f"it ended with {ended.exit_code}: {ended.message.strip() or ended.reason}"] if ended else []
    return "; ".join(said)


def _resources(look: NodeLook) -> Verdict:
    wanted: dict[str, int | None] = {}
    policies = policies_of(look)
    for card in look.host.cards:
        policy = policies.get(card.policy)
        if policy and policy.resource:
            wanted[policy.resource] = (wanted.get(policy.resource) or 0) + policy.vfs
    if plugin_source(look.node_class) == "own":
        wanted = {one.resource: None for one in _held(look) if one.type == "sriov" and one.resource}
    offered = {name: int(look.live.status.allocatable.get(name, "0")) for name in wanted}
    for name, number in wanted.items():
        if offered[name] != number and not (number is None and offered[name]):
            return missing_devices(look, name, offered[name], number)
    return Verdict(
        kept=True, evidence=", ".join(f"{number} {name}" for name, number in offered.items()) or "none asked"
    )


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
    for one in _held(look):
        needed |= {name: _name(one) for name in _types(cni_configuration(one))}
    has = set(look.host.cni_plugins)
    wrong = [f"{name} is not in /opt/cni/bin, {user} needs it" for name, user in needed.items() if name not in has]
    return verdict(wrong, ", ".join(needed))


def _interfaces(look: NodeLook) -> Verdict:
    wrong, said = [], []
    for one in _held(look):
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
    return "" if any(one.master for one in _held(look)) else "no attachment has an interface of this host below it"


def _routes(look: NodeLook) -> Verdict:
    wrong = []
    for one in _held(look):
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
        policies = policies_of(look)
        for card in look.host.cards:
            if card.policy in policies and policies[card.policy].resource in (one.resource, None):
                found |= {card.interface, *(function.interface for function in card.functions)}
    return {name for name in found if name}


NODE_ATTACHMENTS: tuple[Promise[NodeLook], ...] = (
    Promise(
        "attachments-multus", "attachments", "The pod of Multus is ready on it.",
        "kubectl -n kube-system describe pod -l app=multus, kubectl -n kube-system logs", "cluster",
        lambda _: "Multus runs here", lambda look: _daemon("Multus", look),
    ),
    Promise(
        "attachments-device-plugin", "attachments", "The pod of the SR-IOV device plugin is ready on it.",
        "kubectl -n kube-system describe pod -l app=sriov-device-plugin, kubectl -n kube-system logs", "cluster",
        lambda _: "the SR-IOV device plugin runs here",
        lambda look: _daemon("the device plugin", look), _without_plugin,
    ),
    Promise(
        "attachments-whereabouts", "attachments", "The pod of whereabouts is ready on it.",
        "kubectl -n kube-system describe pod -l app=whereabouts, kubectl -n kube-system logs", "cluster",
        lambda _: "whereabouts runs here", lambda look: _daemon("whereabouts", look), _without_whereabouts,
    ),
    Promise(
        "attachments-resources", "attachments",
        "It offers as many devices of each resource as its policies make; where your own ConfigMap configures the "
        "device plugin, some of each resource that attachments name.",
        _APPLY, "node and networks",
        lambda _: "devices offered = virtual functions made", _resources, _without_plugin,
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
)  # fmt: skip
