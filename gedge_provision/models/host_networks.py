"""What a host shows of network cards and secondary networks, as the module `network_look` tells it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Card", "HostNetworks", "InterfaceState", "RouteEntry", "VirtualFunction"]


class _Told(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class VirtualFunction(_Told):
    """A virtual function.

    Attributes:
        address: PCI address.
        vendor: PCI vendor id.
        device: PCI device id.
        driver: its driver, empty without one.
        interface: its interface on the host; empty while a pod has it.
        numa_node: -1 where the machine does not tell.
        user: namespace/name of the pod that has it, or who else.
    """

    address: str
    vendor: str = ""
    device: str = ""
    driver: str = ""
    interface: str = ""
    numa_node: int = -1
    user: str = ""


class Card(_Told):
    """A physical function.

    Attributes:
        address: PCI address.
        interface: its interface.
        driver: its driver.
        numa_node: -1 where the machine does not tell.
        total_vfs: how many virtual functions it can have.
        vfs: how many it has.
        up: whether its interface is up.
        carrier: whether its interface has a link.
        policy: name of the policy that selects it, empty for none.
        functions: its virtual functions, told of cards with a policy.
    """

    address: str
    interface: str = ""
    driver: str = ""
    numa_node: int = -1
    total_vfs: int = 0
    vfs: int = 0
    up: bool = False
    carrier: bool = False
    policy: str = ""
    functions: tuple[VirtualFunction, ...] = ()

    @property
    def name(self) -> str:
        """Its address and its interface."""
        return f"{self.address} {self.interface}".strip()


class InterfaceState(_Told):
    """An interface of the host."""

    up: bool = False
    carrier: bool = False
    mtu: int = 0


class RouteEntry(_Told):
    """A route of the host: an address or range, and the interface to it."""

    destination: str
    interface: str = ""


class HostNetworks(_Told):
    """All of it.

    Attributes:
        problems: why policies cannot be kept, each with its remedy.
        cards: the physical functions.
        interfaces: those below attachments, by name; missing ones are left out.
        routes: of IPv4, but for the default one.
        cni_files: CNI configuration, in the order in which the runtime reads it.
        cni_plugins: names of the plugins that are installed.
        device_plugin: the SR-IOV device plugin's configuration on this host.
        dhcp_daemon: whether a DHCP daemon answers CNI plugins.
    """

    problems: tuple[str, ...] = ()
    cards: tuple[Card, ...] = ()
    interfaces: dict[str, InterfaceState] = Field(default_factory=dict)
    routes: tuple[RouteEntry, ...] = ()
    cni_files: tuple[str, ...] = ()
    cni_plugins: tuple[str, ...] = ()
    device_plugin: dict[str, Any] = Field(default_factory=dict)
    dhcp_daemon: bool = False

    def cards_of(self, policies: frozenset[str]) -> tuple[Card, ...]:
        """Return the cards that these policies select."""
        return tuple(card for card in self.cards if card.policy in policies)
