"""How podman must be set up on this host so that nodes can be real hosts in it."""

from __future__ import annotations

import json

from gedge_provision.models.errors import GedgeError
from gedge_provision.models.lab_host import HostFacts

__all__ = ["podman_configuration"]

# What podman asks for by default; a process without CAP_SYS_RESOURCE cannot go beyond its own hard limits.
_USUAL_NOFILE, _USUAL_NPROC = 1048576, 4194304


def podman_configuration(host: HostFacts) -> str:
    """Return containers.conf (TOML) of the lab's own podman.

    Raises:
        GedgeError: no OCI runtime that works here is installed.
    """
    ulimits = []
    if not host.may_raise_limits:
        if host.hard_nofile < _USUAL_NOFILE:
            ulimits.append(f"nofile={host.hard_nofile}:{host.hard_nofile}")
        processes = min(host.hard_nproc, host.pid_max)  # podman lowers its own limit to pid_max
        if processes < _USUAL_NPROC:
            ulimits.append(f"nproc={processes}:{processes}")
    lines = [
        "# Written by gedge for the podman of its labs; yours is not touched.",
        "[containers]",
        'base_hosts_file = "none"',
        "pids_limit = 0",
        *([f"default_ulimits = {json.dumps(ulimits)}"] if ulimits else []),
        "[engine]",
        f'runtime = "{_runtime(host)}"',
        # One way on every host: the lab finds its cgroups by name, and needs no systemd beside it.
        'cgroup_manager = "cgroupfs"',
        'events_logger = "none"',
        # Locks in shared memory are common to all podmans of a user: one's first start would free those of another.
        'lock_type = "file"',
        "[network]",
        'network_backend = "netavark"',
    ]
    return "\n".join(lines) + "\n"


def _runtime(host: HostFacts) -> str:
    # crun refuses the hybrid layout of cgroup version 1
    usable = ("runc",) if host.cgroup_version == 1 else ("crun", "runc")
    for runtime in usable:
        if runtime in host.runtimes:
            return runtime
    raise GedgeError(
        f"no OCI runtime that works with cgroup version {host.cgroup_version}", remedy=f"apt-get install {usable[0]}"
    )
