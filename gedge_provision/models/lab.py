"""What a lab is: nodes with addresses on one bridge of this machine."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Literal

from gedge_provision.models.emulation import EmulatedNode

__all__ = [
    "Base",
    "LabNode",
    "LabSpec",
    "NodeKind",
    "NodeState",
    "NodeStatus",
    "bridge_name",
    "data_bridge_name",
    "network_name",
]

Base = Literal["debian12", "debian13"]
NodeState = Literal["running", "stopped", "broken", "missing"]
NodeKind = Literal["container", "emulated"]

_INTERFACE_NAME_LIMIT = 15  # IFNAMSIZ - 1


@dataclass(frozen=True)
class LabNode:
    """One node: a container, or a QEMU guest with this hardware, that is a host to everyone else."""

    name: str
    address: IPv4Address
    hardware: EmulatedNode | None = None

    @property
    def title(self) -> str:
        """What progress calls it."""
        return f"emulated node {self.name}" if self.hardware else f"node {self.name}"


@dataclass(frozen=True)
class LabSpec:
    """A lab as asked for.

    Attributes:
        subnet: its first address is the host's, on the bridge.
        private_key: where the client key of this lab is made.
        known_hosts: where the nodes' host keys are listed.
        store_at: folder in every node where the artifact store is mounted read-only; None for none.
    """

    name: str
    subnet: IPv4Network
    nodes: tuple[LabNode, ...]
    private_key: Path
    known_hosts: Path
    base: Base = "debian12"
    store_at: str | None = None

    @property
    def gateway(self) -> IPv4Address:
        """The host's address on the lab's bridge."""
        return self.subnet.network_address + 1


@dataclass(frozen=True)
class NodeStatus:
    """A node as found.

    `made_of` is the digest of what it was made of (`planning.lab_nodes.made_of`); `uptime_s` and `memory_bytes` are
    None unless it runs; `container_id` is empty for emulated nodes.
    """

    lab: str
    node: str
    address: IPv4Address
    state: NodeState
    container_id: str = ""
    made_of: str = ""
    uptime_s: int | None = None
    memory_bytes: int | None = None
    kind: NodeKind = "container"


def network_name(lab: str) -> str:
    """Return the name of a lab's network; its cgroup and its firewall table carry it too."""
    return f"gedge-{lab}"


def bridge_name(lab: str) -> str:
    """Return the name of a lab's bridge: `gedge-<lab>`, shortened with a hash where Linux has no room for it."""
    return _shortened(network_name(lab), lab)


def data_bridge_name(lab: str) -> str:
    """Return the name of the bridge that is the switch between the NICs of a lab's emulated nodes: `gedged-<lab>`."""
    return _shortened(f"gedged-{lab}", lab)


def _shortened(name: str, lab: str) -> str:
    if len(name) <= _INTERFACE_NAME_LIMIT:
        return name
    digest = hashlib.sha256(lab.encode()).hexdigest()[:4]
    return f"{name[: _INTERFACE_NAME_LIMIT - 5]}-{digest}"
