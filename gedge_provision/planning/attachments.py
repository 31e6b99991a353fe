"""From attachments in the site file to NetworkAttachmentDefinitions. Pure."""

from __future__ import annotations

import json
from typing import Any

from gedge_provision.models.attachments import Attachment, Ipam, Rdma
from gedge_provision.models.cluster import Manifest
from gedge_provision.models.site import Node, Site
from gedge_provision.models.sriov import Owner
from gedge_provision.planning.features import SOFT_RDMA_RESOURCE

__all__ = [
    "attachment_manifests",
    "attachment_masters",
    "cni_configuration",
    "definition",
    "has_rdma",
    "holders",
    "pod_resources",
    "with_dhcp",
    "with_rdma",
]

_CNI_VERSION = "0.3.1"  # the newest that every plugin here understands, the SR-IOV CNI included
# A pod with two interfaces on one network segment answers ARP on either with either address: IP goes on, RDMA, whose
# addresses belong to one interface each, does not.
_RDMA_SYSCTLS = {"net.ipv4.conf.IFNAME.arp_ignore": "1", "net.ipv4.conf.IFNAME.arp_announce": "2"}


def attachment_manifests(site: Site) -> list[Manifest]:
    """Return the namespaces that attachments need, and a NetworkAttachmentDefinition for each of them."""
    attachments = sorted(site.networks.attachments, key=lambda one: (one.namespace, one.name))
    spaces = sorted({one.namespace for one in attachments} - {"default", "kube-system"})
    return [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in spaces] + [
        definition(one) for one in attachments
    ]


def holders(site: Site, attachment: Attachment) -> list[str]:
    """Return the names of the nodes whose pods may use an attachment."""
    classes = set(attachment.node_classes)
    if not classes and attachment.type == "sriov":
        classes = {
            name
            for name, node_class in site.node_classes.items()
            if any(policy.resource in {attachment.resource, None} for policy in node_class.sriov)
        }
    workers = [node for node in site.nodes if "worker" in node.roles]
    return [node.name for node in workers if not classes or node.node_class in classes]


def attachment_masters(site: Site, node: Node) -> list[dict[str, str | bool]]:
    """Return the interfaces that attachments need on a node, with the attachment's name; `moves`: into a pod."""
    found: list[dict[str, str | bool]] = []
    for one in site.networks.attachments:
        interface = one.master or one.device
        if interface and node.name in holders(site, one):
            moves = {"moves": True} if one.device else {}
            found.append({"interface": interface, "attachment": f"{one.namespace}/{one.name}"} | moves)
    return found


def pod_resources(attachment: Attachment) -> list[str]:
    """Return the resources that a pod asks for, one of each, to use an attachment."""
    found = [attachment.resource] if attachment.resource else []
    return [*found, SOFT_RDMA_RESOURCE] if attachment.rdma == "soft" else found


def has_rdma(site: Site, attachment: Attachment) -> bool:
    """Tell whether pods on an attachment have RDMA: by its chain, or with the device that they ask for."""
    policies = [policy for node_class in site.node_classes.values() for policy in node_class.sriov]
    return attachment.rdma is not None or any(
        policy.rdma and policy.resource == attachment.resource is not None for policy in policies
    )


def with_rdma(site: Site, node: Node, kind: Rdma, owner: Owner | None = None) -> list[str]:
    """Return the attachments, as namespace/name, that give pods of a node RDMA in one way, on cards of one owner."""
    policies = [policy for node_class in site.node_classes.values() for policy in node_class.sriov]
    others = {policy.resource for policy in policies if owner is not None and policy.owner != owner}
    found = [one for one in site.networks.attachments if one.rdma == kind and one.resource not in others - {None}]
    return [f"{one.namespace}/{one.name}" for one in found if node.name in holders(site, one)]


def with_dhcp(site: Site, node: Node) -> list[str]:
    """Return the attachments, as namespace/name, of which a node's pods get addresses from a DHCP server."""
    found = [one for one in site.networks.attachments if one.ipam.type == "dhcp" and node.name in holders(site, one)]
    return [f"{one.namespace}/{one.name}" for one in found]


def definition(attachment: Attachment) -> Manifest:
    """Return the NetworkAttachmentDefinition of an attachment."""
    metadata: dict[str, Any] = {
        "name": attachment.name,
        "namespace": attachment.namespace,
        "labels": {"gedge.dev/role": "attachments"},
    }
    if attachment.resource:
        metadata["annotations"] = {"k8s.v1.cni.cncf.io/resourceName": attachment.resource}
    return {
        "apiVersion": "k8s.cni.cncf.io/v1",
        "kind": "NetworkAttachmentDefinition",
        "metadata": metadata,
        "spec": {"config": json.dumps(cni_configuration(attachment))},
    }


def cni_configuration(attachment: Attachment) -> dict[str, Any]:
    """Return the CNI configuration: of one plugin, or of a chain where more than one takes part.

    Keys are those of the plugins (containernetworking/plugins, sriov-cni, whereabouts).
    """
    head = {"cniVersion": _CNI_VERSION, "name": attachment.name}
    plugins = [_main_plugin(attachment), *_chained(attachment)]
    if len(plugins) == 1:
        return head | plugins[0]
    return head | {"plugins": plugins}


def _main_plugin(one: Attachment) -> dict[str, Any]:
    keys: dict[str, dict[str, Any]] = {
        "sriov": {
            "vlan": one.vlan,
            "vlanQoS": one.vlan_qos,
            "trust": _switch(one.trust),
            "spoofchk": _switch(one.spoof_check),
            "link_state": one.link_state,
            "min_tx_rate": one.min_tx_rate,
            "max_tx_rate": one.max_tx_rate,
        },
        "macvlan": {"master": one.master, "mode": one.mode or "bridge", "mtu": one.mtu},
        "ipvlan": {"master": one.master, "mode": one.mode or "l2", "mtu": one.mtu},
        "bridge": {"bridge": one.bridge, "vlan": one.vlan, "mtu": one.mtu},
        "host-device": {"device": one.device},
    }
    given = {key: value for key, value in keys[one.type].items() if value is not None}
    # The pod's annotation names its address: Multus hands over what the configuration announces.
    announced = {"capabilities": {"ips": True}} if one.ipam.type == "static" and not one.ipam.addresses else {}
    return {"type": one.type, **given, **announced, "ipam": _ipam(one.ipam)}


def _chained(one: Attachment) -> list[dict[str, Any]]:
    plugins: list[dict[str, Any]] = []
    sysctls = (_RDMA_SYSCTLS if one.rdma else {}) | dict(one.sysctls or {})
    if sysctls:
        plugins.append({"type": "tuning", "sysctl": sysctls})
    if one.bandwidth is not None:
        limits = {
            "ingressRate": one.bandwidth.ingress_rate,
            "ingressBurst": one.bandwidth.ingress_burst,
            "egressRate": one.bandwidth.egress_rate,
            "egressBurst": one.bandwidth.egress_burst,
        }
        plugins.append({"type": "bandwidth"} | {key: value for key, value in limits.items() if value is not None})
    if one.rdma == "exclusive":
        plugins.append({"type": "rdma"})
    if one.rdma == "soft":  # the last one: an interface without its address has no RDMA address either
        plugins.append({"type": "soft-rdma"})
    return plugins


def _ipam(ipam: Ipam) -> dict[str, Any]:
    if ipam.type == "none":
        return {}
    found: dict[str, Any] = {"type": ipam.type}
    if ipam.type == "static" and ipam.addresses:
        gateway = {"gateway": str(ipam.gateway)} if ipam.gateway else {}
        found["addresses"] = [{"address": address} | gateway for address in ipam.addresses]
    elif ipam.type == "dhcp":
        # Not the server's router: the pod would get a second default route, through this network.
        found["request"] = [{"skipDefault": True}, {"option": "subnet-mask"}]
    elif ipam.type == "host-local":
        found["ranges"] = [
            [
                _given(
                    {
                        "subnet": ipam.range,
                        "rangeStart": ipam.range_start,
                        "rangeEnd": ipam.range_end,
                        "gateway": ipam.gateway,
                    }
                )
            ]
        ]
    elif ipam.type == "whereabouts":
        found |= _given(
            {"range": ipam.range, "range_start": ipam.range_start, "range_end": ipam.range_end, "gateway": ipam.gateway}
        )
        if ipam.exclude:
            found["exclude"] = [str(network) for network in ipam.exclude]
    if ipam.routes:
        found["routes"] = [_given({"dst": route.destination, "gw": route.gateway}) for route in ipam.routes]
    return found


def _given(values: dict[str, object]) -> dict[str, str]:
    return {key: str(value) for key, value in values.items() if value is not None}


def _switch(value: bool | None) -> str | None:
    return None if value is None else "on" if value else "off"
