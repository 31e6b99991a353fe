"""SR-IOV in the site file: physical functions (PF) of a host, and the virtual functions (VF) that are made of them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from gedge_provision.models.base import Boolean, Document, Integer
from gedge_provision.models.wording import Form, shown

__all__ = ["DeviceType", "MacAddresses", "NicSelector", "Owner", "ResourceName", "SharedRdma", "SriovPolicy"]

DeviceType = Literal["netdevice", "vfio-pci"]
MacAddresses = Literal["derived", "driver"]
Owner = Literal["host", "operator"]

_NAME = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
PolicyName = Annotated[str, Form(_NAME, "name", "use lower-case letters, digits and '-', first and last no '-'")]
PciId = Annotated[
    str, Form(r"[0-9a-f]{4}", "PCI id", "write four hexadecimal digits, lower case, in quotes, like '8086'")
]
PciAddress = Annotated[
    str,
    Form(r"[0-9a-f]{4}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]", "PCI address", "write it as lspci -D does: '0000:41:00.0'"),
]
Driver = Annotated[str, Form(r"[a-zA-Z0-9_-]+", "name of a driver", "write it as lspci -k does, like ice")]
InterfaceName = Annotated[
    str,
    Form(r"(?!\.{1,2}$)[!-.0-9;-~]{1,15}", "name of an interface", "write it as `ip link` does; at most 15 letters"),
]


_LONGEST_PREFIX = 244  # quotas count it as requests.PREFIX/NAME, and a DNS name has 253 characters at most


def _check_resource(name: str) -> str:
    # Device plugins refuse other characters in the name (docs of sriov-network-device-plugin, "resourceName"); what the
    # API server takes for an extended resource: k8s.io/kubernetes/pkg/apis/core/v1/helper, IsExtendedResourceName.
    prefix, slash, short = name.partition("/")
    ours = "use letters, digits and '_' behind the '/'"
    if not slash or "/" in short or not prefix or not short:
        raise ValueError(f"{shown(name)} is no resource -> write PREFIX/NAME, like intel.com/intel_sriov_netdevice")
    if not all(character.isascii() and (character.isalnum() or character == "_") for character in short):
        raise ValueError(f"{shown(name)} has characters that a device plugin does not take -> {ours}")
    if len(short) > 63 or not short[0].isalnum() or not short[-1].isalnum():  # noqa: PLR2004 - a label's length
        raise ValueError(f"{shown(name)} is no resource -> {ours}, first and last no '_', at most 63")
    labels = prefix.split(".")
    if not all(label and label.strip("-") == label and label.replace("-", "a").isalnum() for label in labels) or (
        prefix != prefix.lower() or not prefix.isascii()
    ):
        raise ValueError(f"{shown(prefix)} is no prefix of a resource -> write a DNS name, like intel.com")
    if len(prefix) > _LONGEST_PREFIX:
        raise ValueError(f"{shown(prefix)} is too long for a prefix -> use at most {_LONGEST_PREFIX} characters")
    if prefix.endswith("kubernetes.io") or prefix.startswith("requests."):
        raise ValueError(f"{prefix!r} belongs to Kubernetes itself -> use a prefix of your own, like intel.com")
    return name


ResourceName = Annotated[str, AfterValidator(_check_resource)]


class NicSelector(Document):
    """Which physical functions are meant: those to which everything that is given applies."""

    vendor: PciId | None = Field(None, description="PCI vendor id: `8086`.")
    device: PciId | None = Field(None, description="PCI device id of the physical function: `1592`.")
    driver: Driver | None = Field(None, description="Driver of the physical function: `ice`.")
    interfaces: tuple[InterfaceName, ...] = Field((), description="Names of interfaces, one of which it must have.")
    addresses: tuple[PciAddress, ...] = Field((), description="PCI addresses, one of which it must have.")
    numa_nodes: tuple[Annotated[Integer, Field(ge=0, le=1023)], ...] = Field(
        (), description="NUMA nodes, one of which it must be on."
    )


class SriovPolicy(Document):
    """Virtual functions of a node class: how many, how they are set, and the resource that pods ask for."""

    name: PolicyName = Field(description="Name in messages and records.")
    nics: NicSelector = Field(description="The physical functions; at least one key.")
    vfs: Annotated[Integer, Field(ge=1, le=256)] = Field(description="Virtual functions on each of them.")
    resource: ResourceName | None = Field(
        None,
        description="Resource under which pods get one of them. Unset in all policies: the device plugin takes your "
        "own ConfigMap `sriovdp-config` in kube-system.",
    )
    device_type: DeviceType = Field(
        "netdevice", description="netdevice: a network interface; vfio-pci: for programs with drivers of their own."
    )
    mtu: Annotated[Integer, Field(ge=576, le=9978)] | None = Field(
        None, description="MTU of physical and virtual functions; unset leaves it."
    )
    vlan: Annotated[Integer, Field(ge=0, le=4094)] = Field(0, description="VLAN id that the card adds; 0 for none.")
    trust: Boolean | None = Field(
        None, description="Whether a pod may change MAC address and promiscuity; unset leaves it to the driver."
    )
    spoof_check: Boolean | None = Field(
        None, description="Whether the card drops frames with another sender's MAC address; unset as above."
    )
    mac_addresses: MacAddresses = Field(
        "derived",
        description="derived: the same at every boot, computed from host name, PCI address and number; driver: as the "
        "driver gives them.",
    )
    rdma: Boolean = Field(
        default=False,
        description="The functions have RDMA devices too, which pods get with them; the card must have RDMA.",
    )
    owner: Owner = Field(
        "host",
        description="Who makes the virtual functions: the role `sriov` on the host, or the SR-IOV network operator.",
    )


class SharedRdma(Document):
    """RDMA devices of network cards that several pods of a node share, by the RDMA shared device plugin."""

    resource: ResourceName = Field(description="Resource under which pods get them, like `rdma/hca_shared_devices_a`.")
    nics: NicSelector = Field(description="The cards, by vendor, device, driver or interfaces.")
    pods: Annotated[Integer, Field(ge=1, le=1000)] = Field(
        63, description="Most pods of a node that have them at a time."
    )
    owner: Owner = Field(
        "host", description="Who offers them: the role `rdma_shared_device_plugin`, or NVIDIA's network operator."
    )
