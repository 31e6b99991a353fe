"""From a site file and what stands on the host to what `gedge lab` does."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from gedge_provision.models.errors import UsageError
from gedge_provision.models.lab import LabNode, LabSpec, NodeStatus
from gedge_provision.models.lab_host import Holder
from gedge_provision.models.site import Site

__all__ = ["Changes", "changes", "free_subnet", "in_the_way", "lab_spec", "readiness"]

_SSH_PORT = 22
_BOOTED = ("running", "degraded")


@dataclass(frozen=True)
class Changes:
    """What makes the nodes that are there the nodes that were asked for; `remove` says why, by name."""

    create: tuple[LabNode, ...]
    start: tuple[LabNode, ...]
    remove: Mapping[str, str]


def lab_spec(site: Site, folder: Path, home: Path) -> LabSpec:
    """Return the lab that a site file asks for.

    Args:
        site: the site.
        folder: where this lab keeps its state; its keys are made there.
        home: what `~` means in the site file.

    Raises:
        UsageError: the site is no lab, or wants its keys elsewhere.
    """
    if site.lab is None:
        raise UsageError(
            f"the site {site.name} has no `lab` section: its hosts are real ones",
            remedy="name a site file with `lab: {subnet: ...}`, or make one with --name",
        )
    if site.ssh.user != "root":
        raise UsageError(f"lab nodes know only root, not {site.ssh.user}", remedy="remove ssh.user from the site file")
    if site.ssh.port != _SSH_PORT:
        raise UsageError(
            f"lab nodes listen on port {_SSH_PORT}, not {site.ssh.port}", remedy="remove ssh.port from the site file"
        )
    key, known_hosts = folder / "id_ed25519", folder / "known_hosts"
    for field, asked, made in (
        ("private_key", site.ssh.private_key, key),
        ("known_hosts", site.ssh.known_hosts, known_hosts),
    ):
        if asked is not None and _expand(asked, home) != made:
            raise UsageError(
                f"ssh.{field} is {asked}, but this lab keeps it at {made}",
                remedy=f"write ssh.{field}: {made}, or leave it out",
            )
    return LabSpec(
        name=site.name,
        subnet=site.lab.subnet,
        nodes=tuple(LabNode(node.name, node.address, site.lab.emulated.get(node.name)) for node in site.nodes),
        private_key=key,
        known_hosts=known_hosts,
        base=site.lab.base,
        store_at=site.artifacts.host_path,
    )


def _expand(path: str, home: Path) -> Path:
    return home / path[2:] if path.startswith("~/") else Path(path)


def in_the_way(subnet: IPv4Network, holders: Iterable[Holder]) -> list[str]:
    """Return what holds addresses of a subnet, in words."""
    return [f"{holder.network} {holder.what}" for holder in holders if holder.network.overlaps(subnet)]


def free_subnet(name: str, holders: Iterable[Holder]) -> IPv4Network:
    """Choose 10.89.N.0/24 for a lab: the N that its name gives, or the next that nobody holds.

    Raises:
        UsageError: all of them are held.
    """
    held = [holder.network for holder in holders]
    for subnet in _candidates(name):
        if not any(subnet.overlaps(network) for network in held):
            return subnet
    raise UsageError("no free range in 10.89.0.0/16 for a lab", remedy="end labs (gedge lab status, gedge lab down)")


def _candidates(name: str) -> Iterator[IPv4Network]:
    first = zlib.crc32(name.encode())
    for offset in range(255):
        yield IPv4Network(f"10.89.{(first + offset) % 255}.0/24")


def changes(spec: LabSpec, present: Iterable[NodeStatus], made_of: Mapping[str, str]) -> Changes:
    """Compare the nodes asked for with those present: what cannot be changed on a node makes it anew.

    Args:
        spec: the lab as asked for.
        present: its nodes as found.
        made_of: by node, the digest of what it is made of now.
    """
    found = {status.node: status for status in present}
    create, start = [], []
    names = {node.name for node in spec.nodes}
    remove = {name: "the site file does not have it" for name in found if name not in names}
    for node in spec.nodes:
        status = found.get(node.name)
        if status is None:
            create.append(node)
        elif unlike := _unlike(status, node, made_of[node.name]):
            remove[node.name] = unlike
            create.append(node)
        elif status.state == "stopped":
            start.append(node)
    return Changes(tuple(create), tuple(start), remove)


def _unlike(status: NodeStatus, node: LabNode, made_of: str) -> str:
    """Return why a node has to be made anew; empty when it need not."""
    if status.state == "broken":
        return "it cannot be started any more"
    if status.address != node.address:
        return f"its address is {status.address}, not {node.address}"
    if status.made_of != made_of:
        return "it was made with another lab.base, lab.emulated or artifacts.host_path"
    return ""


def readiness(answer: str | None) -> tuple[bool, str]:
    """Judge a node by what it answered over SSH to `systemctl is-system-running` and its list of failed units.

    Returns:
        Whether the node is ready, and what there is to say about it (what it waits for, or which units failed).
    """
    if answer is None:
        return False, "waits for sshd"
    state, *failed = answer.strip().splitlines() or [""]
    if state not in _BOOTED:
        return False, f"systemd is {state or 'silent'}"
    units = [line.split()[0] for line in failed if line.strip()]
    return True, f"failed units: {', '.join(units)}" if units else ""
