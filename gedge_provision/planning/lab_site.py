"""Site files for labs of any size."""

from __future__ import annotations

import re
from ipaddress import IPv4Network
from pathlib import Path

import yaml

from gedge_provision.models.errors import UsageError
from gedge_provision.models.lab import Base

__all__ = ["STORE_AT", "lab_site"]

STORE_AT = "/var/lib/gedge/store"
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
_FIRST_MANAGER, _FIRST_EMULATED, _FIRST_WORKER, _VIRTUAL_IP = 11, 16, 21, 10
_MOST_WORKERS, _MOST_EMULATED = 230, 4
_CONTROL_PLANE_SIZES = (1, 3, 5)
# What hardware with NUMA nodes and SMT is bought for: whole cores, and memory and devices of the same NUMA node.
_EMULATED_WORKER = {
    "kubelet": {
        "cpu_manager_policy": "static",
        "cpu_manager_policy_options": {"full-pcpus-only": True, "strict-cpu-reservation": True},
        "reserved_system_cpus": "0-1",
        "topology_manager_policy": "single-numa-node",
        "topology_manager_scope": "pod",
    }
}


def lab_site(  # noqa: PLR0913 - each is a property of the lab
    name: str,
    subnet: IPv4Network,
    folder: Path,
    *,
    control_planes: int = 1,
    workers: int = 2,
    hardware: int = 0,
    base: Base = "debian12",
) -> str:
    """Return the site file (YAML) of a lab; `subnet` is a /24, `folder` holds the lab's keys.

    Raises:
        UsageError: a name or size that no lab can have.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name for a lab", remedy="use at most 32 letters a-z, digits and '-'")
    if control_planes not in _CONTROL_PLANE_SIZES:
        raise UsageError(f"{control_planes} control-plane nodes make no cluster", remedy="use 1, 3 or 5")
    if not 0 <= workers <= _MOST_WORKERS:
        raise UsageError(f"{workers} workers do not fit into {subnet}", remedy=f"use 0 to {_MOST_WORKERS}")
    if not 0 <= hardware <= _MOST_EMULATED:
        raise UsageError(f"{hardware} emulated nodes are too many for one machine", remedy=f"use 0 to {_MOST_EMULATED}")
    first = subnet.network_address
    managers: list[dict[str, object]] = [
        {
            "name": f"gedgem{number + 1:02}",
            "address": str(first + _FIRST_MANAGER + number),
            "roles": ["control_plane"] if workers or hardware else ["control_plane", "worker"],
            "node_class": "manager",
        }
        for number in range(control_planes)
    ]
    hands: list[dict[str, object]] = [
        {
            "name": f"gedgew{number + 1:02}",
            "address": str(first + _FIRST_WORKER + number),
            "node_class": "ai-worker",
        }
        for number in range(workers)
    ]
    emulated: list[dict[str, object]] = [
        {
            "name": f"gedgeh{number + 1:02}",
            "address": str(first + _FIRST_EMULATED + number),
            "node_class": "emulated-worker",
        }
        for number in range(hardware)
    ]
    hardware_of: dict[str, object] = {str(node["name"]): {} for node in emulated}
    site = {
        "name": name,
        "lab": {"subnet": str(subnet), "base": base, **({"emulated": hardware_of} if emulated else {})},
        **({"control_plane": {"virtual_ip": str(first + _VIRTUAL_IP)}} if control_planes > 1 else {}),
        "artifacts": {"host_path": STORE_AT},
        "ssh": {"private_key": str(folder / "id_ed25519"), "known_hosts": str(folder / "known_hosts")},
        "node_classes": {
            "manager": {},
            "ai-worker": {
                "kubelet": {
                    "cpu_manager_policy": "static",
                    "kube_reserved": {"cpu": "500m"},
                    "topology_manager_policy": "best-effort",
                }
            },
            **({"emulated-worker": _EMULATED_WORKER} if emulated else {}),
        },
        "nodes": managers + hands + emulated,
    }
    head = f"# Made by `gedge lab up --name {name}`; `gedge lab down {name}` removes it.\n"
    return head + yaml.safe_dump(site, sort_keys=False)
