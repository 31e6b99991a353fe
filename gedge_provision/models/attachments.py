"""Secondary networks of pods: NetworkAttachmentDefinitions in the words of the CNI plugins behind them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gedge_provision.models.addresses import IPv4Address, IPv4Network
from gedge_provision.models.base import Boolean, Document, Integer
from gedge_provision.models.sriov import InterfaceName, ResourceName
from gedge_provision.models.wording import Form

__all__ = ["Attachment", "AttachmentType", "Bandwidth", "Ipam", "IpamType", "Rdma", "Route"]

AttachmentType = Literal["sriov", "macvlan", "ipvlan", "bridge", "host-device"]
Rdma = Literal["soft", "exclusive"]
IpamType = Literal["static", "host-local", "whereabouts", "dhcp", "none"]

_LETTERS = "use lower-case letters, digits, '-' and '.', first and last a letter or digit"
_NAME = r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?"
ObjectName = Annotated[str, Form(_NAME, "name", f"{_LETTERS}; at most 63")]
Namespace = Annotated[
    str, Form(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", "namespace", "use lower-case letters, digits and '-'; at most 63")
]
SysctlName = Annotated[
    str, Form(r"net\.[a-zA-Z0-9_./-]+", "network setting", "begin it with net., with IFNAME for the interface")
]
AddressWithPrefix = Annotated[
    str,
    Form(
        r"(\d{1,3}\.){3}\d{1,3}/(\d|[12]\d|3[0-2])",
        "address with its prefix length",
        "write it like 10.10.2.60/24",
    ),
]


class Route(Document):
    """A route of the pod through a secondary network."""

    destination: IPv4Network = Field(description="Range that is reached.")
    gateway: IPv4Address | None = Field(None, description="Router; unset takes the gateway of the addresses.")


class Ipam(Document):
    """Where the pods' addresses on a secondary network come from."""

    type: IpamType = Field(
        description="static: the pod names its address; host-local: a range for one node; whereabouts: a range for "
        "all nodes; dhcp: a server on the network; none: no address."
    )
    range: IPv4Network | None = Field(
        None, description="host-local, whereabouts: the range, with the network's prefix."
    )
    range_start: IPv4Address | None = Field(None, description="First address to give away.")
    range_end: IPv4Address | None = Field(None, description="Last address to give away.")
    exclude: tuple[IPv4Network, ...] = Field((), description="whereabouts: ranges that are left out.")
    gateway: IPv4Address | None = Field(None, description="Router of the network.")
    addresses: tuple[AddressWithPrefix, ...] = Field(
        (), description="static: fixed addresses; unset means that each pod's annotation names them."
    )
    routes: tuple[Route, ...] = Field((), description="Routes of the pod through this network.")


class Bandwidth(Document):
    """Limits of a pod's rate on a secondary network, in bits per second."""

    ingress_rate: Annotated[Integer, Field(ge=1000)] | None = Field(None, description="Bit/s to the pod.")
    ingress_burst: Annotated[Integer, Field(ge=1)] | None = Field(None, description="Bits; required with ingress_rate.")
    egress_rate: Annotated[Integer, Field(ge=1000)] | None = Field(None, description="Bit/s from the pod.")
    egress_burst: Annotated[Integer, Field(ge=1)] | None = Field(None, description="Bits; required with egress_rate.")


class Attachment(Document):
    """A secondary network that pods name in `k8s.v1.cni.cncf.io/networks`."""

    name: ObjectName = Field(description="Name of the NetworkAttachmentDefinition.")
    namespace: Namespace = Field("default", description="Its namespace, whose pods may use it; made when missing.")
    type: AttachmentType = Field(description="The CNI plugin.")
    node_classes: tuple[str, ...] = Field(
        (), description="Classes of nodes that have the interface; unset means every worker (sriov: by its resource)."
    )
    resource: ResourceName | None = Field(None, description="sriov, host-device: resource of the device.")
    master: InterfaceName | None = Field(None, description="macvlan, ipvlan: interface of the host below it.")
    device: InterfaceName | None = Field(
        None, description="host-device: interface of the host that moves into the pod."
    )
    bridge: InterfaceName | None = Field(None, description="bridge: name of the bridge; made when missing.")
    mode: Literal["bridge", "private", "vepa", "passthru", "l2", "l3", "l3s"] | None = Field(
        None, description="macvlan: bridge (default), private, vepa, passthru; ipvlan: l2 (default), l3, l3s."
    )
    vlan: Annotated[Integer, Field(ge=1, le=4094)] | None = Field(None, description="sriov, bridge: VLAN id.")
    vlan_qos: Annotated[Integer, Field(ge=0, le=7)] | None = Field(None, description="sriov: priority in the VLAN.")
    mtu: Annotated[Integer, Field(ge=576, le=9978)] | None = Field(None, description="macvlan, ipvlan, bridge: MTU.")
    trust: Boolean | None = Field(None, description="sriov: as in the policy, while a pod has the device.")
    spoof_check: Boolean | None = Field(None, description="sriov: as in the policy, while a pod has the device.")
    link_state: Literal["auto", "enable", "disable"] | None = Field(
        None, description="sriov: link of the device; not every card can set it."
    )
    min_tx_rate: Annotated[Integer, Field(ge=0)] | None = Field(None, description="sriov: Mbit/s that are kept for it.")
    max_tx_rate: Annotated[Integer, Field(ge=0)] | None = Field(None, description="sriov: most Mbit/s; 0 for no limit.")
    rdma: Rdma | None = Field(
        None,
        description="soft: RDMA in software (rxe) on the pod's interface, on nodes with Linux 7.1 or newer; such pods "
        "ask for `rdma/soft_rdma` too. exclusive (sriov): the RDMA device of the virtual function moves into the pod, "
        "on nodes that give each device to one network namespace.",
    )
    ipam: Ipam = Field(default_factory=lambda: Ipam(type="none"))
    sysctls: dict[SysctlName, str] = Field(default_factory=dict, description="Network settings inside the pod.")
    bandwidth: Bandwidth | None = Field(None, description="Limits of the rate, in software; not on sriov.")
