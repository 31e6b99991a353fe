"""Site files for labs that have none yet."""

from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path

from gedge_provision.adapters.files import write_atomically
from gedge_provision.adapters.host_network import address_holders
from gedge_provision.adapters.lab_files import lab_folder
from gedge_provision.adapters.podman import Podman
from gedge_provision.models.lab import Base, bridge_name
from gedge_provision.models.lab_host import Holder
from gedge_provision.planning.lab import free_subnet
from gedge_provision.planning.lab_site import lab_site

__all__ = ["check_size", "make_site"]


def check_size(name: str, *, control_planes: int, workers: int, hardware: int) -> None:
    """Refuse a name or size that no lab can have, before anything is made.

    Raises:
        UsageError: says what can be.
    """
    subnet = IPv4Network("10.89.0.0/24")
    lab_site(name, subnet, Path(), control_planes=control_planes, workers=workers, hardware=hardware)


def make_site(name: str, *, control_planes: int, workers: int, hardware: int, base: Base) -> Path:
    """Write the site file of a lab of that name and size into the lab's folder and return its path.

    A lab that is up keeps its network; a new one takes a range that nobody on this host uses.

    Raises:
        UsageError: a name or size that no lab can have.
    """
    folder = lab_folder(name)
    text = lab_site(
        name,
        _subnet(name),
        folder,
        control_planes=control_planes,
        workers=workers,
        hardware=hardware,
        base=base,
    )
    write_atomically(folder / "site.yml", text)
    return folder / "site.yml"


def _subnet(name: str) -> IPv4Network:
    networks = Podman.private().networks()
    if name in networks:
        return networks[name][1]
    holders = address_holders(but=frozenset({bridge_name(name)}))
    holders += [Holder(network, f"is lab {lab}") for lab, (_, network) in networks.items()]
    return free_subnet(name, holders)
